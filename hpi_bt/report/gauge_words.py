"""What a gauge's report says in words: the trend, the freshness, the record."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.gauge import BANDS, WARNING
from hpi_bt.stats.gauge_latest import CHANGE_SESSIONS, Latest

_MINUS = "\N{MINUS SIGN}"


class About(NamedTuple):
    """How a component is called, explained and written; `scale` turns its value into that unit."""

    title: str
    what: str
    scale: float
    form: str


ABOUT = {
    "vix": About("VIX", "Price of 30-day S&P 500 options, in points", 1.0, "{:.2f}"),
    "term_structure": About(
        "VIX / VIX3M", "Near fear over three-month fear; above 1 is inverted", 1.0, "{:.3f}"
    ),
    "put_call": About("Put/call", "Puts traded for each call", 1.0, "{:.2f}"),
    "curve": About(
        "Yield curve",
        "10-year less 2-year Treasury yield; lower is more stress",
        -1.0,
        "{:+.2f} pp",
    ),
    "funding": About("Funding", "SOFR less the 3-month bill", 1.0, "{:+.2f} pp"),
    "credit": About("Credit", "High-yield spread over Treasuries", 1.0, "{:.2f} pp"),
    "drawdown": About("SPY drawdown", "Below its highest close so far", 100.0, "{:.1f} %"),
}


def row_of(table: pd.DataFrame, key: Any) -> dict[str, Any]:
    """Return one row of a table as its cells by column."""
    found: Any = table.loc[key]
    return {str(name): value for name, value in found.items()}


def titled(name: str) -> str:
    """Return how a component is called."""
    return ABOUT[name].title if name in ABOUT else name


def shown(name: str, value: float) -> str:
    """Return a component's value in the unit that readers know, a dash where there is none."""
    about = ABOUT.get(name, About(name, "", 1.0, "{:.3g}"))
    if not math.isfinite(value):
        return "–"
    return about.form.format(about.scale * value + 0.0).replace("-", _MINUS)


def day(stamp: Any) -> str:
    """Return a date as 2024-12-31, a dash where there is none."""
    return "–" if pd.isna(stamp) else f"{pd.Timestamp(stamp):%Y-%m-%d}"


def signed(value: float, digits: int = 0) -> str:
    """Return a change with its sign, "±0" for none, a dash where unknown."""
    if not math.isfinite(value):
        return "–"
    rounded = round(value, digits)
    text = f"{abs(rounded):.{digits}f}"
    return ("±" if rounded == 0 else "+" if rounded > 0 else _MINUS) + text


def counted(count: int, noun: str) -> str:
    """Return "1 session", "2 sessions"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def trend_sentence(latest: Latest) -> str:
    """Return one sentence: the score, its change, its band and what moved most."""
    parts = [f"At {latest.score:.0f} the gauge is {latest.band}"]
    change = latest.score - latest.before
    if not math.isfinite(change):
        parts.append(f"it has no score of {CHANGE_SESSIONS} sessions ago to compare with")
    else:
        over = f"{CHANGE_SESSIONS} sessions"
        points = counted(abs(int(change)), "point")
        moved = (
            f"{'up' if change > 0 else 'down'} {points} in {over}"
            if change
            else f"as it was {over} ago"
        )
        same = latest.band == latest.band_before
        parts.append(moved if same else f"{moved} and no longer {latest.band_before}")
    return ", ".join(parts) + _mover(latest, change) + _unlike(latest) + "."


def _unlike(latest: Latest) -> str:
    """Say where the two scores that the sentence compares rest on different components."""
    table = latest.components
    now, before = table["score"].notna(), table["score_before"].notna()
    if not math.isfinite(latest.before) or now.equals(before):
        return ""
    changes = [("without ", before & ~now), ("with ", now & ~before)]
    told = [
        word + ", ".join(titled(str(n)) for n in table.index[which])
        for word, which in changes
        if which.any()
    ]
    return f"; unlike {CHANGE_SESSIONS} sessions ago it is {' and '.join(told)}"


def _mover(latest: Latest, change: float) -> str:
    """Say which component did most of the change: its share times its own score's change."""
    table = latest.components
    moves = (table["score"] - table["score_before"]).dropna()
    gone = [titled(str(n)) for n in table.index[table["score"].isna()]]
    words, way = "", np.sign(change) if math.isfinite(change) else 0.0
    that_way = moves[(moves.abs() >= 0.05) & (moves * way >= 0.0)]
    if len(that_way):
        name = str((table["share"] * moves.abs())[that_way.index].idxmax())
        row = row_of(table, name)
        was, now = row["score_before"], row["score"]
        words = f"; {titled(name)} did most of it" if way else f"; {titled(name)} moved most"
        words += f", its score {'up' if now > was else 'down'} from {was:.1f} to {now:.1f}"
    elif len(moves):
        words = f"; no component's score {'rose' if way > 0 else 'fell' if way else 'moved'}"
    if gone:
        words += f"; left out: {', '.join(gone)}"
    return words


def freshness_lines(
    latest: Latest, behind: int, reference: pd.Timestamp, fullest: str
) -> list[str]:
    """Return how fresh the inputs are, the general line first, then each that is stale.

    Parameters
    ----------
    latest : Latest
    behind : int
        Sessions that have closed since its row.
    reference : Timestamp
        The day from which that is seen.
    fullest : str
        Last row with more components; "" where that would not help.
    """
    table = latest.components
    used = int(table["score"].notna().sum())
    lines = [f"{used} of {len(table)} components; closes through {latest.row:%Y-%m-%d}"]
    if behind:
        lines.append(
            f"SPY ends {latest.row:%Y-%m-%d}, {counted(behind, 'session')} before "
            f"{reference:%Y-%m-%d}: this is an old gauge, bring newer data"
        )
    for name, one in table.iterrows():
        title, age = titled(str(name)), counted(int(one["age_sessions"]), "session")
        ends = f"{title} ends {day(one['data_date'])}, {age} earlier"
        if one["state"] == "left out":
            lines.append(f"{ends}: left out" if one["age_sessions"] else f"{title}: no value")
        elif one["state"] == "carried":
            lines.append(f"{ends}: carried forward")
        elif one["state"] == "too short":
            lines.append(f"{title} has too short a history to be scored")
        elif one["state"] == "constant":
            lines.append(f"{title} has not moved: there is nothing to score it against")
    if fullest:
        lines.append(fullest)
    return lines if len(lines) > 1 else [f"{lines[0]}; every input is fresh"]


def set_back_lines(
    row: pd.Timestamp,
    newest: pd.Timestamp,
    used: tuple[int, int],
    behind: int,
    reference: pd.Timestamp,
) -> list[str]:
    """Return why a report is of `row` and not of the newest close, and how to see that one.

    Parameters
    ----------
    row, newest : Timestamp
    used : tuple of int
        Components that the newest score rests on, and how many there are.
    behind : int
        Sessions that have closed since the newest.
    reference : Timestamp
        The day from which that is seen.
    """
    told = [
        f"{newest:%Y-%m-%d} rests on {used[0]} of {used[1]} components, so this is the gauge of "
        f"{row:%Y-%m-%d}; the one as of {newest:%Y-%m-%d} shows the newest"
    ]
    if behind:
        told.append(
            f"SPY ends {newest:%Y-%m-%d}, {counted(behind, 'session')} before "
            f"{reference:%Y-%m-%d}: bring newer data"
        )
    return told


def record_lines(
    score: pd.Series,
    falls: pd.DataFrame,
    warnings: pd.DataFrame,
    quality: pd.DataFrame,
    *,
    horizon: int,
    event_drawdown: float,
) -> list[str]:
    """Return plainly what the gauge's warnings were worth so far."""
    known, depth = score.dropna(), f"{100.0 * event_drawdown:g} %"
    if known.empty:
        return ["SPY has no closes by then: nothing says what a warning was worth."]
    lines = []
    if len(falls):
        warned = int(falls["warned"].sum())
        lines.append(
            f"Since {known.index[0]:%Y} a reading of {WARNING} or more stood in the "
            f"{horizon} sessions before {warned} of SPY's {len(falls)} falls of {depth} or more; "
            f"{len(falls) - warned} came unannounced."
        )
    if len(warnings):
        done, last = warnings[warnings["complete"]], day(warnings["end"].iloc[-1])
        told = (
            f"No such fall followed {int(done['false'].sum())} of its "
            f"{counted(len(done), 'completed warning')}."
            if len(done)
            else "None of its warnings is complete yet."
        )
        lines.append(f"{told} The last day of warning was {last}.")
    else:
        lines.append("It has never warned.")
    recent = known[known.index > known.index[-1] - pd.DateOffset(years=15)]
    if len(recent) < len(known):
        days = int((recent >= WARNING).sum())
        lines.append(
            f"In the last 15 years it stood at {WARNING} or more on {counted(days, 'day')}."
        )
    return [*lines, *_accuracy(quality)]


def _accuracy(quality: pd.DataFrame) -> list[str]:
    row = row_of(quality, ("gauge", "warning"))
    if not math.isfinite(row["balanced_accuracy"]):
        return []
    low, high = row["balanced_low"], row["balanced_high"]
    if not math.isfinite(low):
        why = str(row["note"]).removeprefix("no interval: ")
        return [f"How accurate its warnings are cannot be told yet ({why})."]
    return [
        f"The balanced accuracy of a warning is {row['balanced_accuracy']:.2f} (95 % interval "
        f"{low:.2f} to {high:.2f}); a coin has 0.50."
    ]


def weights_line(latest: Latest) -> str:
    """Return how far the weights differ, and what the day's plain mean would be."""
    table = latest.components
    weight = table.loc[table["score"].notna(), "weight"].to_numpy(dtype=np.float64)
    if len(weight) < 2:
        return "One component alone: its weight does not matter."
    low, high = weight.min(), weight.max()
    return (
        f"The weights run from {low:.2f} to {high:.2f}: the weighted mean of the day's scores is "
        f"{latest.raw:.1f}, their plain mean {latest.plain_mean:.1f}, both before smoothing."
    )


def band_ranges() -> list[tuple[str, str]]:
    """Return each band and its scores: ("low", "0–32")."""
    edges = [edge for _, edge in BANDS]
    highs = [*(edge - 1 for edge in edges[1:]), 100]
    return [(name, f"{low}–{high}") for (name, low), high in zip(BANDS, highs, strict=True)]
