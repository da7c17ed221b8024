"""What a study's numbers say, in words that page and screen share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from hpi_bt.stats.entries import EntryTest
from hpi_bt.stats.forward import Horizon
from hpi_bt.stats.nights import LEGS
from hpi_bt.stats.parts import NO_SIGNAL
from hpi_bt.stats.study import SignalStudy
from hpi_bt.stats.timing import TimingTest

_MINUS = "\N{MINUS SIGN}"
LEVEL = 0.05  # of the false discovery rate, and of a single p-value
HINT = 0.1  # of the false discovery rate up to which a p-value under 0.05 is a hint


def percent(value: float, *, signed: bool = False) -> str:
    """Return a decimal as a percentage with three digits that count, at most four decimals."""
    size = abs(100.0 * value)
    digits = 2 if size >= 1.0 else 4 if size < 0.01 else 3
    text = f"{100.0 * value:{'+' if signed else ''}.{digits}f}"
    return f"{text.replace('-', _MINUS)} %"


def probability(value: float) -> str:
    """Return a p- or q-value to two digits after its first noughts, to three places at most."""
    return "under 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.0995 else f"{value:.2f}"


def coefficient_text(value: float) -> str:
    """Return a rank correlation with its sign."""
    text = f"{value:+.3f}"
    return text.lstrip("+-") if float(text) == 0.0 else text.replace("-", _MINUS)


def horizon_text(horizon: Horizon, bar_minutes: float, *, regular: bool = True) -> str:
    """Return a horizon as a trader says it: "5 min", "2 h", "10 days", "to the close".

    Where bars are not `regular`, what it counts: "15 bars".
    """
    if horizon == "close":
        return "to the close"
    if not regular:
        return _counted(horizon, "bar")
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
    if is_hint(p, q):
        return f"a hint at most: p {probability(p)}, q {probability(q)} among all tests"
    least = float(row["detectable"])
    if not math.isfinite(least):
        return "no evidence"
    return f"no evidence; less than {percent(least)} may well be missed"


def is_hint(p: float, q: float) -> bool:
    """Return whether a test that is no discovery is worth a hint."""
    return LEVEL < q <= HINT and p <= LEVEL


def is_found(events: pd.DataFrame) -> pd.Series:
    """Return which rows of a study's `events` are discoveries."""
    return events["q_value"] <= LEVEL


def entry_verdict(test: EntryTest) -> str:
    """Return what a test of a strategy's entries says, in one sentence."""
    many = "entry" if test.n == 1 else f"{test.n:,} entries"
    earned = (
        f"Valued over the holding times of all trades, the {many} made "
        f"{percent(test.mean, signed=True)} each before costs"
    )
    if math.isnan(test.p_value):
        return f"{earned}. Cannot be judged: {test.note or 'no spread'}."
    rank = (
        f"{earned}; entries at other times, valued alike, made "
        f"{percent(test.random_low, signed=True)} to {percent(test.random_high, signed=True)}"
    )
    p = f"(p {probability(test.p_value)})"
    if _found(test):
        return f"{rank}: found {_better(test)} than random entries {p}."
    if is_hint(test.p_value, test.q_value):
        return f"{rank}: a hint at most that they are {_better(test)} than random entries {p}."
    least = f"; an advantage under {percent(test.detectable)} may well be missed"
    if not math.isfinite(test.detectable):
        least = "; so short a run can find none"
    return f"{rank}: no evidence that the entries add anything {p}{least}."


def _found(test: EntryTest | TimingTest) -> bool:
    """Return whether a test of what a strategy did is a discovery."""
    return test.q_value <= LEVEL


def _better(test: EntryTest | TimingTest) -> str:
    return "better" if test.t > 0.0 else "worse"


def timing_verdict(test: TimingTest, year: int = 252) -> str:
    """Return what a test of a strategy's timing says, and why it takes the place of entries.

    `year`: sessions in one.
    """
    why = (
        f"{test.resized:,} of {_counted(test.trades, 'trade')} changed size while held, so this "
        "tests not single entries but when much was held and when little"
    )
    if math.isnan(test.p_value):
        return f"{why}. Cannot be judged: {test.note or 'no spread'}."
    p = f"(p {probability(test.p_value)})"
    low, high = (percent(year * x, signed=True) for x in (test.random_low, test.random_high))
    earned = (
        f"{why}. Against holding its average so far (over all, {percent(test.exposure)} of "
        f"equity) that made {percent(year * test.mean, signed=True)} a year before costs; the "
        f"same path of exposure, begun on other days, made {low} to {high}"
    )
    if _found(test):
        return f"{earned}: found {_better(test)} than chance {p}."
    if is_hint(test.p_value, test.q_value):
        return f"{earned}: a hint at most that the timing is {_better(test)} than chance {p}."
    return f"{earned}: no evidence that the timing adds return {p}."


def night_warning(row: Mapping[Any, Any]) -> str:
    """Return in one sentence why an order at the next open misses what a line tells, or "".

    Parameters
    ----------
    row : mapping
        A row of a study's `nights`.
    """
    night, day, both = (coefficient_text(float(row[f"{leg}_ic"])) for leg in LEGS)
    if row["found"] == "night":
        return (
            f"its {both} from close to close lies overnight ({night}; {day} from the next open "
            "on): an order at the next open comes too late for it"
        )
    if row["found"] == "opening":
        return (
            f"between the signal and the next open it has the other sign ({night}; {day} from that "
            f"open to the close, {both} over both), as a stale or thin opening price makes by "
            "itself: check that the open could be traded"
        )
    return ""


def conclusions(study: SignalStudy) -> list[str]:
    """Return the study in a few sentences: signals, lines and their nights, entries or timing."""
    parts = (_on_signals, _on_lines, _on_nights, _on_entries, _on_timing)
    return [sentence for part in parts if (sentence := part(study))]


def _on_signals(study: SignalStudy) -> str:
    events = study.events
    if events.empty:
        declared = NO_SIGNAL not in study.notes
        return f"Signals: {'none occurred' if declared else 'no signal is declared'}."
    tested = events[events["p_value"].notna().to_numpy()]
    kinds = events.groupby(["signal", "direction"]).ngroups
    about = (
        f"{_counted(len(tested), 'test')} ({_counted(kinds, 'kind')}, "
        f"{_counted(len(study.horizons), 'horizon')})"
    )
    if tested.empty:
        reasons = events.loc[events["n"] > 0, "note"].unique()
        why = str(reasons[0]) if len(reasons) == 1 else "too few events, or nothing to compare with"
        return f"Signals: none can be judged ({why})."
    found = events[is_found(events).to_numpy()]
    if found.empty:
        return f"Signals: {_no_signal(study, tested, about)}."
    kinds_found = found.groupby(["signal", "label"], sort=False)
    names = [_named(study, str(label), rows) for (_, label), rows in kinds_found]
    return f"Signals: of {about}, found {'; '.join(names)}."


def _no_signal(study: SignalStudy, tested: pd.DataFrame, about: str) -> str:
    """Return that nothing was found, a hint where there is one, and what could have been found."""
    best = tested.iloc[int(tested["q_value"].argmin())]
    p, q = float(best["p_value"]), float(best["q_value"])
    if is_hint(p, q):
        which = f"{best['label']}, {_ahead(study, best['horizon'])}"
        return f"a hint at most in {about}: {which}; p {probability(p)}, q {probability(q)}"
    said = f"no evidence of an edge in {about}"
    least = _detectable(study, tested)
    if not least:
        return said
    return f"{said}; an edge of {least} would typically be found four times in five"


def _detectable(study: SignalStudy, tested: pd.DataFrame) -> str:
    """Return the edges of the median kind that can be found, at the first and last horizon.

    "" where none is known.
    """
    least = tested.groupby("horizon", sort=False)["detectable"].median()
    known = [h for h in study.horizons if h in least.index and math.isfinite(least[h])]
    ends = known if len(known) < 2 else [known[0], known[-1]]
    return " or ".join(f"{percent(float(least[h]))} ({_ahead(study, h)})" for h in ends)


def _ahead(study: SignalStudy, horizon: Horizon) -> str:
    return horizon_text(horizon, study.bar_minutes, regular=study.regular)


def _counted(n: int, what: str, many: str = "") -> str:
    return f"{n:,} {what if n == 1 else many or what + 's'}"


def _named(study: SignalStudy, label: str, rows: pd.DataFrame) -> str:
    """Return a kind of signal that was found, at which horizons, and its clearest effect."""
    when = ", ".join(_ahead(study, h) for h in rows["horizon"])
    best = rows.iloc[int(rows["q_value"].argmin())]
    moved = float(best["direction"]) * float(best["effect"])
    against = "" if best["effect"] > 0.0 else ", AGAINST the signal"
    move = f"price {percent(moved, signed=True)} over the average{against}"
    return f"{label} ({when}; {move}; q {probability(float(best['q_value']))})"


def _on_lines(study: SignalStudy) -> str:
    table = study.coefficients
    known = table[table["t"].notna()] if len(table) else table
    if not len(known):
        return ""
    best = known.iloc[int(known["p_value"].argmin())]
    p, q = float(best["p_value"]), float(best["q_value"])
    about = _counted(len(known), "rank correlation")
    when = _ahead(study, best["horizon"])
    ic = coefficient_text(float(best["ic"]))
    which = f"the clearest is {ic} ({best['line']}, {when};"
    count = int((known["q_value"] <= LEVEL).sum())
    if count:
        return f"Lines: of {about}, found {count}; {which} q {probability(q)})."
    if is_hint(p, q):
        return f"Lines: a hint at most in {about}; {which} p {probability(p)}, q {probability(q)})."
    return f"Lines: no evidence in {about}; {which} p {probability(p)})."


def _on_nights(study: SignalStudy) -> str:
    """Return the warning that daily lines which seem to tell something deserve, one a kind.

    Of intraday bars it is left to the line's own card: their horizons end with the session.
    """
    if not study.daily or study.nights.empty:
        return ""
    said = []
    for _, rows in study.nights[study.nights["found"] != ""].groupby("found", sort=False):
        clearest = rows.iloc[int(rows["day_p_value"].argmin())]
        more = len(rows) - 1
        others = f" (and {_counted(more, 'other line')})" if more else ""
        said.append(f"{clearest['line']}{others}: {night_warning(clearest.to_dict())}")
    return f"Overnight: {'; '.join(said)}." if said else ""


def _on_timing(study: SignalStudy) -> str:
    tests = [(name, test) for name, test in study.timing if not math.isnan(test.p_value)]
    if not tests:
        return ""
    if len(tests) == 1:
        test = tests[0][1]
        word = "no evidence that changing the exposure adds return"
        if _found(test):
            word = f"found that changing the exposure did {_better(test)} than chance"
        elif is_hint(test.p_value, test.q_value):
            word = f"a hint at most that changing the exposure did {_better(test)} than chance"
        return (
            f"Timing: {word} ({_counted(test.changes, 'session')} with a change of position, "
            f"p {probability(test.p_value)})."
        )
    return f"Timing: {_of_several(tests, 'chance')}."


def _on_entries(study: SignalStudy) -> str:
    tests = [(name, test) for name, test in study.entries if not math.isnan(test.p_value)]
    if not tests:
        return ""
    if len(tests) == 1:
        test = tests[0][1]
        about = f"in {_counted(test.n, 'entry', 'entries')}, p {probability(test.p_value)}"
        if _found(test):
            return f"Entries: found {_better(test)} than random ones {about}."
        if is_hint(test.p_value, test.q_value):
            return f"Entries: a hint at most that they are {_better(test)} than random {about}."
        return f"Entries: no evidence that they beat random ones {about}."
    return f"Entries: {_of_several(tests, 'random ones')}."


def _of_several(tests: Sequence[tuple[str, EntryTest | TimingTest]], others: str) -> str:
    """Return in how many symbols a strategy did better, and in how many worse, than others."""
    found = [_better(test) for _, test in tests if _found(test)]
    worse = f" and worse in {found.count('worse')}" if "worse" in found else ""
    return f"better than {others} in {found.count('better')}{worse} of {len(tests)} symbols"
