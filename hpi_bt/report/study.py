"""The study of signals against price as a page, as part of the signal page, and as tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.report.pages import Banner, render, write_page
from hpi_bt.report.study_drawing import (
    FOREST,
    INSIDE,
    STRIP,
    TENTHS,
    basis_points,
    forest,
    minus,
    short,
    strip,
    tenths,
    text,
)
from hpi_bt.stats.entries import EntryTest
from hpi_bt.stats.forward import Horizon
from hpi_bt.stats.nights import LEGS
from hpi_bt.stats.pool import BLOCK_BARS
from hpi_bt.stats.study import SignalStudy
from hpi_bt.stats.timing import TimingTest
from hpi_bt.stats.verdicts import (
    LEVEL,
    coefficient_text,
    conclusions,
    entry_verdict,
    horizon_text,
    is_hint,
    night_warning,
    timing_verdict,
    verdict,
)

_UNIT = 44.0  # pixels from the middle to the smallest edge that can be found, where all fits


def write_study(
    path: Path, study: SignalStudy, *, title: str, banner: Banner, demo: str = ""
) -> None:
    """Write the page of a study, of one symbol or of several together.

    Parameters
    ----------
    path : Path
        The page; its folder is made.
    study : SignalStudy
    title : str
        Headline, any text.
    banner : sequence of (what, how)
        Assumptions shown first.
    demo : str, default=""
        What is made up in the data; "" means that nothing is.
    """
    page = render(
        "study.html.j2",
        title=title,
        subtitle=_subtitle(study),
        banner=banner,
        demo=demo,
        study=study_context(study),
    )
    write_page(path, page)


def study_files(study: SignalStudy) -> dict[str, Callable[[Path], None]]:
    """Return the tables of a study: file name, and the function that writes it."""
    tables = {
        "study.csv": study.events,
        "deciles.csv": study.deciles,
        "coefficients.csv": study.coefficients,
        "nights.csv": study.nights,
    }

    def writer(table: pd.DataFrame) -> Callable[[Path], None]:
        return lambda path: table.to_csv(path, index=False)

    return {name: writer(table) for name, table in tables.items()}


def study_context(study: SignalStudy) -> dict[str, Any]:
    """Return what `study_body.html.j2` shows: texts, and drawings in pixels."""
    several = len(study.symbols) > 1
    return {
        "conclusions": conclusions(study),
        "about": _about(study),
        "signals": _signals(study),
        "lines": _lines(study),
        "skill": [
            _skill(
                "Entries against random ones",
                "entries",
                "random draws",
                [
                    (name if several else "", entry_verdict(test), test)
                    for name, test in study.entries
                ],
            ),
            _skill(
                "Timing against the same path on other days",
                "timing, a session:",
                "other days",
                [
                    (name if several else "", timing_verdict(test, study.year), test)
                    for name, test in study.timing
                ],
            ),
        ],
        "notes": study.notes,
        "forest": FOREST,
        "tenths": TENTHS,
        "strip": STRIP,
    }


def _skill(
    head: str, what: str, others: str, tests: Sequence[tuple[str, str, EntryTest | TimingTest]]
) -> dict[str, Any]:
    """Return a card of tests of what a strategy did, each (symbol, words, test)."""
    return {
        "head": head,
        "what": what,
        "others": others,
        "tests": [
            {"symbol": symbol, "words": words, "strip": strip(test)}
            for symbol, words, test in tests
        ],
    }


def _subtitle(study: SignalStudy) -> str:
    names = ", ".join(name for name in study.symbols if name)
    days = f"{study.first:%Y-%m-%d} to {study.last:%Y-%m-%d}"
    return f"{names + ', ' if names else ''}{days}, {study.bars:,} bars"


_LONG_BARS = {52: "weekly bars", 12: "monthly bars"}  # by sessions in a year


def _about(study: SignalStudy) -> str:
    bar = f"{study.bar_minutes:g}-minute bars"
    if study.daily:
        bar = "daily bars" if study.regular else _LONG_BARS.get(study.year, "bars")
    elif not study.regular:
        bar += " with gaps"
    unit = f"blocks of {BLOCK_BARS} bars" if study.daily else "sessions"
    pooled = f" of {len(study.symbols)} symbols together" if len(study.symbols) > 1 else ""
    return (
        f"{study.bars:,} {bar}{pooled}, {study.sessions:,} sessions; p-values from "
        f"{study.permutations:,} permutations of whole {unit}; before costs"
    )


def _ahead(study: SignalStudy, horizon: Horizon) -> str:
    return horizon_text(horizon, study.bar_minutes, regular=study.regular)


def _signals(study: SignalStudy) -> list[dict[str, Any]]:
    """Return a card per signal: its directions, and a row per horizon of each."""
    cards, several = [], len(study.symbols)
    for column, table in study.events.groupby("signal", sort=False):
        unit = _unit(table)
        sides = []
        for (_, label), rows in table.groupby(["direction", "label"], sort=False):
            having = int(rows["symbols"].iloc[0])
            parts = [f"in {having} of {len(study.symbols)} symbols"] if having < several else []
            episodes = int(rows["episodes"].iloc[0])
            if int(rows["n"].max()) > episodes:
                parts.append(f"{episodes:,} episode{'s' * (episodes != 1)}")
            sides.append(
                {
                    "up": float(rows["direction"].iloc[0]) > 0.0,
                    "label": label,
                    "part": ", ".join(parts),
                    "rows": [_row(study, row, unit) for row in rows.to_dict("records")],
                }
            )
        lasts = bool((table["n"] > table["episodes"]).any())
        counted = "Bars on" if lasts else "Events"
        cards.append({"name": column, "sides": sides, "edge": round(unit, 1), "counted": counted})
    return cards


def _unit(table: pd.DataFrame) -> float:
    """Return how many pixels the detectable edge is from the middle, so that all rows fit."""
    reach = table[["effect", "low", "high"]].abs().div(table["detectable"], axis=0)
    furthest = float(np.nan_to_num(reach.to_numpy(), nan=0.0, posinf=0.0).max(initial=0.0))
    return min(_UNIT, INSIDE * FOREST / 2.0 / furthest) if furthest else _UNIT


def _row(study: SignalStudy, row: Mapping[Any, Any], unit: float) -> dict[str, Any]:
    """Return one line of a table as texts, with its place in the forest plot."""
    p, q = float(row["p_value"]), float(row["q_value"])
    tone = "unknown" if math.isnan(p) else "hint" if is_hint(p, q) else "none"
    if q <= LEVEL:
        tone = "found" if row["effect"] > 0.0 else "against"
    return {
        "horizon": _ahead(study, row["horizon"]),
        "n": f"{row['n']:,}",
        "some": row["n"] > 0,
        "mean": basis_points(row["mean"]),
        "hit": text(row["hit_rate"], lambda v: f"{100.0 * v:.0f} %"),
        "effect": basis_points(row["effect"]),
        "t": text(row["t"], lambda v: minus(f"{v:.1f}")),
        "p": text(p, short),
        "q": text(q, short),
        "detectable": basis_points(row["detectable"], signed=False),
        "verdict": verdict(row),
        "tone": tone,
        "plot": forest(row["effect"], row["low"], row["high"], unit / row["detectable"]),
    }


def _lines(study: SignalStudy) -> list[dict[str, Any]]:
    """Return a card per measured line: rank correlations by horizon, and tenths of each."""
    cards = []
    nights = {row["line"]: row for row in study.nights.to_dict("records")}
    for column, table in study.coefficients.groupby("line", sort=False):
        own = study.deciles[(study.deciles["line"] == column).to_numpy()]
        charts = [
            {
                "horizon": _ahead(study, part["horizon"].iloc[0]),
                **tenths(part),
            }
            for _, part in own.groupby("horizon", sort=False)
        ]
        night = _night(nights[column], daily=study.daily) if column in nights else None
        rows = _decay(study, table)
        cards.append({"name": column, "rows": rows, "charts": charts, "night": night})
    return cards


def _night(row: Mapping[Any, Any], *, daily: bool) -> dict[str, Any]:
    """Return what a line told of the night, the session after it and both, as texts."""
    legs = ("close to next open", "from there to the close", "close to close")
    warning = night_warning(row)
    return {
        "head": "First day in parts" if daily else "After the session's close",
        "parts": [
            {
                "name": name,
                "ic": text(float(row[f"{leg}_ic"]), coefficient_text),
                "p": text(float(row[f"{leg}_p_value"]), short),
                "tone": "sure" if row["found"] and row[f"{leg}_p_value"] <= LEVEL else "none",
            }
            for leg, name in zip(LEGS, legs, strict=True)
        ],
        "warning": f"{warning[:1].upper()}{warning[1:]}." if warning else "",
    }


def _decay(study: SignalStudy, table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rank correlations of a line, all horizons on one scale: its decay."""
    rows = table.to_dict("records")
    furthest = float(np.nanmax(np.abs(table[["ic", "low", "high"]].to_numpy(dtype=np.float64))))
    scale = INSIDE * FOREST / 2.0 / (furthest or 1.0)
    found = []
    for row in rows:
        ic = float(row["ic"])
        about = {
            "horizon": _ahead(study, row["horizon"]),
            "n": f"{row['n']:,}",
            "ic": text(ic, coefficient_text),
            "t": text(float(row["t"]), lambda v: minus(f"{v:+.1f}")),
            "p": text(float(row["p_value"]), short),
            "q": text(float(row["q_value"]), short),
            "tone": _coefficient_tone(float(row["p_value"]), float(row["q_value"])),
            "note": row["note"],
            "plot": forest(ic, float(row["low"]), float(row["high"]), scale),
        }
        found.append(about)
    return found


def _coefficient_tone(p: float, q: float) -> str:
    if math.isnan(p):
        return "unknown"
    return "found" if q <= LEVEL else "hint" if is_hint(p, q) else "none"
