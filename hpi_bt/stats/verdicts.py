"""What a study's numbers say, in words that page and screen share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from hpi_bt.stats.entries import EntryTest
from hpi_bt.stats.forward import Horizon
from hpi_bt.stats.study import SignalStudy

_MINUS = "\N{MINUS SIGN}"
LEVEL = 0.05  # of the false discovery rate, and of a single p-value


def percent(value: float, *, signed: bool = False) -> str:
    """Return a decimal as a percentage with three digits that count, at most four decimals."""
    size = abs(100.0 * value)
    digits = 2 if size >= 1.0 else 4 if size < 0.01 else 3
    text = f"{100.0 * value:{'+' if signed else ''}.{digits}f}"
    return f"{text.replace('-', _MINUS)} %"


def probability(value: float) -> str:
    """Return a p- or q-value to two digits after its first noughts."""
    return "under 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.01 else f"{value:.2f}"


def horizon_text(horizon: Horizon, bar_minutes: float) -> str:
    """Return a horizon as a trader says it: "5 min", "2 h", "10 days", "to the close"."""
    if horizon == "close":
        return "to the close"
    if math.isnan(bar_minutes):
        return f"{horizon} day" if horizon == 1 else f"{horizon} days"
    minutes = float(horizon) * bar_minutes
    if minutes >= 120.0 and minutes % 60.0 == 0.0:
        return f"{minutes / 60.0:g} h"
    return f"{minutes:g} min"


def verdict(row: Mapping[Any, Any]) -> str:
    """Return what one row of a study's `events` says.

    Parameters
    ----------
    row : mapping
        effect, p_value, q_value, detectable and note, as `SignalStudy.events` has them.
    """
    p, q = float(row["p_value"]), float(row["q_value"])
    if math.isnan(p):
        return f"cannot be judged: {row['note']}"
    if q <= LEVEL:
        against = "" if row["effect"] > 0.0 else "; price went AGAINST the signal"
        return f"found: q {probability(q)}{against}"
    if p <= LEVEL:
        return f"a hint at most: p {probability(p)}, but q {probability(q)} among all tests"
    would = percent(float(row["detectable"]))
    return (
        f"no evidence: p {probability(p)}; an edge of {would} would have shown p < {LEVEL} four "
        "times in five"
    )


def is_found(events: pd.DataFrame) -> pd.Series:
    """Return which rows of a study's `events` are discoveries."""
    return events["q_value"] <= LEVEL


def entry_verdict(test: EntryTest) -> str:
    """Return what a test of a strategy's entries says, in one sentence."""
    earned = (
        f"The {test.n:,} closed trades made {percent(test.mean, signed=True)} each before "
        f"costs; trades entered at random, held as long, made "
        f"{percent(test.random_low, signed=True)} to {percent(test.random_high, signed=True)}"
    )
    if math.isnan(test.p_value):
        return f"{earned}. Cannot be judged: {test.note or 'no spread'}."
    rank = f"{earned}: better than {test.percentile:.0f} % of them"
    if test.p_value > LEVEL:
        return f"{rank}, no evidence that the entries add anything (p {probability(test.p_value)})."
    word = "better" if test.t > 0.0 else "worse"
    return f"{rank}; the entries are {word} than random ones (p {probability(test.p_value)})."


def conclusions(study: SignalStudy) -> list[str]:
    """Return the study in at most three sentences: signals, lines, entries."""
    parts = (_on_signals(study), _on_lines(study), _on_entries(study))
    return [sentence for sentence in parts if sentence]


def _on_signals(study: SignalStudy) -> str:
    events = study.events
    if events.empty:
        return "Signals: none occurred."
    tested = events[events["p_value"].notna().to_numpy()]
    kinds = events.groupby(["signal", "direction"]).ngroups
    about = (
        f"{_counted(len(tested), 'test')} ({_counted(kinds, 'kind')}, "
        f"{_counted(len(study.horizons), 'horizon')})"
    )
    if tested.empty:
        return "Signals: too few sessions with events to judge any."
    found = events[is_found(events).to_numpy()]
    if found.empty:
        would = percent(float(tested["detectable"].median()))
        return (
            f"Signals: no evidence of an edge in {about}; in the typical test, one of {would} "
            f"would have shown p < {LEVEL} four times in five."
        )
    kinds_found = found.groupby(["signal", "label"], sort=False)
    names = [_named(study, str(label), rows) for (_, label), rows in kinds_found]
    return f"Signals: of {about}, found {'; '.join(names)}."


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _named(study: SignalStudy, label: str, rows: pd.DataFrame) -> str:
    """Return a kind of signal that was found, at which horizons, and its clearest effect."""
    when = ", ".join(horizon_text(h, study.bar_minutes) for h in rows["horizon"])
    best = rows.iloc[int(rows["q_value"].argmin())]
    effect, q = float(best["effect"]), probability(float(best["q_value"]))
    return f"{label} ({when}; {percent(effect, signed=True)} at q {q})"


def _on_lines(study: SignalStudy) -> str:
    table = study.coefficients
    known = table[table["t"].notna()] if len(table) else table
    if not len(known):
        return ""
    best = known.iloc[int(known["p_value"].argmin())]
    p, q = float(best["p_value"]), probability(float(best["q_value"]))
    about = _counted(len(known), "rank correlation")
    when = horizon_text(best["horizon"], study.bar_minutes)
    ic = f"{best['ic']:+.3f}".replace("-", _MINUS)
    which = f"the clearest is {ic} ({best['line']}, {when};"
    count = int((known["q_value"] <= LEVEL).sum())
    if count:
        return f"Lines: of {about}, found {count}; {which} q {q})."
    if p <= LEVEL:
        return f"Lines: a hint at most in {about}; {which} p {probability(p)}, but q {q})."
    return f"Lines: no evidence in {about}; {which} p {probability(p)})."


def _on_entries(study: SignalStudy) -> str:
    tests = [(name, test) for name, test in study.entries if not math.isnan(test.p_value)]
    if not tests:
        return ""
    if len(tests) == 1:
        test = tests[0][1]
        word = "no evidence that they beat random ones"
        if test.p_value <= LEVEL:
            word = f"{'better' if test.t > 0.0 else 'worse'} than random ones"
        return f"Entries: {word} in {test.n:,} trades, p {probability(test.p_value)}."
    good = sum(test.p_value <= LEVEL and test.t > 0.0 for _, test in tests)
    return f"Entries: better than random ones in {good} of {len(tests)} symbols."
