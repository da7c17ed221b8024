"""The gauge's inputs, from files or from the cache, as each session's close could know them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from hpi_bt.errors import InputError
from hpi_bt.gauge.orientation import COMPONENTS, curve, drawdown, funding, term_structure
from hpi_bt.sources.base import Locations
from hpi_bt.sources.gauge_data.clock import new_york_date
from hpi_bt.sources.gauge_data.publication import (
    Known,
    known_at,
    newest_due,
    next_opens,
    sessions_between,
)
from hpi_bt.sources.gauge_data.reading import Files, RawFiles, read_files
from hpi_bt.sources.gauge_data.series import FAULT, GIVEN_AS, Joined, join_pieces, pieces_of
from hpi_bt.sources.gauge_data.sessions import on_sessions
from hpi_bt.sources.hours import counted

_PAIRS: dict[str, tuple[str, str, Callable[[pd.Series, pd.Series], pd.Series]]] = {
    "term_structure": ("vix", "vix3m", term_structure),
    "curve": ("y10", "y2", curve),
    "funding": ("sofr", "bill3m", funding),
}
_SINGLES = {"vix": "vix", "put_call": "put_call", "credit": "oas"}


@dataclass(frozen=True)
class GaugeInputs:
    """What `hedge_score` takes, and where it comes from.

    Parameters
    ----------
    components : DataFrame of shape (n_sessions, n_components)
        Columns of `COMPONENTS`, larger = more stress. Row t holds what was published before the
        open of the session after t. Rows are SPY's sessions, and the exchange's before SPY's
        first where another component begins earlier.
    spy : Series of length n_sessions
        Closes, in dollars, on the same index; NaN before SPY's first.
    data_dates : DataFrame of shape (n_sessions, n_components)
        Date of each value; NaT where there is none.
    freshness : DataFrame, index component
        source, first and last (dates of the data at hand), age_sessions (of the last row's
        value, or of the data where it has become too old), stale (a newer value was published
        before the open of the session after the last row, and by `today` without an `as_of`).
    notes : tuple of str
        Splices, substitutes, gaps and whatever else was noticed.
    sources : dict of str to str
        Names of each component's sources.
    read : (list of ReadFile, list of str), optional
        The files as they were read: for another `as_of` of the same. None of the cache, which
        differs from day to day by its revisions.
    """

    components: pd.DataFrame
    spy: pd.Series
    data_dates: pd.DataFrame
    freshness: pd.DataFrame
    notes: tuple[str, ...]
    sources: dict[str, str]
    read: RawFiles | None = field(default=None, repr=False, compare=False)

    @property
    def faults(self) -> tuple[str, ...]:
        """The notes on values that were left out as no market's."""
        return tuple(note for note in self.notes if FAULT in note)


def gauge_inputs(
    files: str | Path | Files | None = None,
    where: Locations | None = None,
    *,
    as_of: date | str | None = None,
    credit: bool = False,
    product: str = "total",
    max_age_sessions: int = 5,
    today: date | None = None,
    read: RawFiles | None = None,
) -> GaugeInputs:
    """Return the components and SPY, each row as its close could know them.

    Parameters
    ----------
    files : mapping, str, Path or None
        Series (spy, vix, vix3m, put_call, treasury, sofr, oas, y10, y2, bill3m, t10y3m) to a file
        or a list of files; or a folder, whose files are told by their content and, where that
        says nothing (VIX or VIX3M, Yahoo's symbol), by their names (in a mapping: folder); or
        None for what `hpi-bt fetch gauge` has kept in the cache.
    where : Locations, optional
        Where relative paths, and the cache, lie.
    as_of : date, optional
        Last session whose close may be known: the gauge for the session after it, as it was.
        Nothing that was published later is read, and later revisions are undone.
    credit : bool, default=False
        Use the high-yield spread; FRED offers its last three years only.
    product : {"total", "index", "etp", "equity"}, default="total"
        Put/call ratio of which options.
    max_age_sessions : int, default=5
        Sessions for which a value is carried forward where its market rests.
    today : date, optional
        Dates later than this are refused; the clock's date in New York by default.
    read : optional
        `read` of an earlier answer for the same files: they are not read again.

    Returns
    -------
    inputs : GaugeInputs

    Raises
    ------
    InputError
        No SPY, or one of another market's days; no other component, an unknown series, a file that
        is not what it is given as, a date in the future, two values for a date, a value that no
        market has, or `as_of` before the first day of any component.
    """
    where = where or Locations()
    today = today or new_york_date()
    limit, day = _limit(as_of, today)
    read = read or read_files(files, where, product, today, limit)
    notes, pieces = list(read[1]), []
    for one in read[0]:
        found, noticed = pieces_of(one.frame, one.given_as, one.name, product)
        pieces += [p for p in found if credit or p.series != "oas"]
        notes += noticed
    if not any(p.series == "spy" and len(p.data) for p in pieces):
        raise InputError(
            "gauge: no closes of SPY, whose sessions are the rows; give its file as spy"
            if files is not None
            else "gauge: nothing of SPY in the cache; run hpi-bt fetch gauge once"
        )
    joined = join_pieces(pieces, limit)
    for series in joined.values():
        notes += series.notes
    spy = joined.pop("spy", None)
    if spy is not None and (day is None or spy.data.index[0] <= day):
        joined["spy"], noticed = on_sessions(spy, day)
        notes += noticed
    seen = pd.Timestamp(today if day is None else "2200-01-01") + pd.Timedelta(days=1)
    made = _assembled(joined, day, notes, max_age_sessions, seen)
    return replace(made, read=None if files is None else read)


def _limit(as_of: date | str | None, today: date) -> tuple[int | None, pd.Timestamp | None]:
    """Return the open of the session after `as_of`, as New York wall time in ns, and the day."""
    if as_of is None:
        return None, None
    try:
        day = pd.Timestamp(as_of).tz_localize(None).normalize()
    except (ValueError, TypeError):
        raise InputError(f"as_of: {as_of!r} is no date; write 2024-12-31") from None
    if day > pd.Timestamp(today):
        raise InputError(f"as_of: {day:%Y-%m-%d} lies in the future (today is {today})")
    return int(next_opens(pd.DatetimeIndex([day]))[0]), day


def _assembled(
    joined: dict[str, Joined],
    day: pd.Timestamp | None,
    notes: list[str],
    max_age: int,
    seen: pd.Timestamp,
) -> GaugeInputs:
    """Return the inputs, their freshness as it is `seen` before that moment in New York.

    Before the first close of SPY, which only an as-of `day` can be, there is no drawdown.
    """
    made = {name: _observed(name, joined) for name in COMPONENTS if name != "drawdown"}
    spy = joined["spy"].data.rename("spy") if "spy" in joined else pd.Series(dtype=np.float64)
    traded = pd.DatetimeIndex(spy.index, name="date")
    sessions = _rows(traded, [one.data.index for one in made.values() if one is not None], day)
    opens = next_opens(sessions)
    columns = {
        name: known_at(one.data, one.stamps, sessions, opens, max_age_sessions=max_age)
        for name, one in made.items()
        if one is not None
    }
    if not columns:
        raise InputError(
            "gauge: no component but SPY's own drawdown; give at least one of "
            f"{', '.join(s for s in GIVEN_AS if s != 'spy')}"
        )
    if len(spy):
        since = traded.to_series().reindex(sessions)  # NaT before SPY
        fallen = drawdown(spy).reindex(sessions).to_numpy(dtype=np.float64)
        columns["drawdown"] = Known(fallen, pd.DatetimeIndex(since))
    names = [name for name in COMPONENTS if name in columns]
    observed = made | {"drawdown": joined.get("spy")}
    before = min(int(opens[-1]), seen.as_unit("ns").value)
    fresh = _freshness({n: observed[n] for n in names}, columns, sessions, before)
    notes = [*notes, *_aged(fresh, max_age, sessions[-1])]
    return GaugeInputs(
        components=pd.DataFrame({n: columns[n].data for n in names}, index=sessions),
        spy=spy.reindex(sessions).rename("spy"),
        data_dates=pd.DataFrame({n: columns[n].dates for n in names}, index=sessions),
        freshness=fresh,
        notes=tuple(dict.fromkeys(notes)),
        sources={str(n): str(s) for n, s in fresh["source"].items()},
    )


def _rows(
    traded: pd.DatetimeIndex, others: list[pd.Index], day: pd.Timestamp | None
) -> pd.DatetimeIndex:
    """Return SPY's sessions, after the exchange's from the first date of any component on.

    Where SPY has none by the `day` that is asked for, the exchange's up to it are all.
    """
    first = min((index[0] for index in others if len(index)), default=None)
    if len(traded):
        day = traded[0] - pd.Timedelta(days=1)
    before = traded[:0] if first is None or day is None else sessions_between(first, day)
    if not len(before) and not len(traded):
        raise InputError(
            f"as_of: {day:%Y-%m-%d} is before the first day of any component; give a later date"
        )
    return pd.DatetimeIndex(before.append(traded), name="date") if len(before) else traded


def _observed(name: str, joined: dict[str, Joined]) -> Joined | None:
    """Return a component on the dates of its data; of two series, on the dates of both."""
    if name in _SINGLES:
        return joined.get(_SINGLES[name])
    one, other, combine = _PAIRS[name]
    if one not in joined or other not in joined:
        return None
    a, b = joined[one], joined[other]
    values = combine(a.data, b.data)
    of_a, of_b = a.data.index.get_indexer(values.index), b.data.index.get_indexer(values.index)
    pairs = zip(a.sources[of_a], b.sources[of_b], strict=True)
    sources = np.array([x if x == y else f"{x} and {y}" for x, y in pairs], dtype=object)
    stamps = np.maximum(a.stamps[of_a], b.stamps[of_b])
    return Joined(values, stamps, sources, [], tuple(dict.fromkeys(a.rules + b.rules)))


def _freshness(
    observed: Mapping[str, Joined | None],
    columns: Mapping[str, Known],
    sessions: pd.DatetimeIndex,
    before: int,
) -> pd.DataFrame:
    """Return where each component's data begin and end, and how old the last row's value is."""
    rows = {}
    for name, one in observed.items():
        if one is None:
            continue
        span = pd.DatetimeIndex(one.data.index)
        known = span[span <= sessions[-1]]
        used = columns[name].dates[-1:].dropna()  # what the last row uses, if anything
        at = used if len(used) else known[-1:]
        due = min(newest_due(sessions[-1], before, rule) for rule in one.rules)
        rows[name] = {
            "source": one.described(),
            "first": known[0] if len(known) else pd.NaT,
            "last": known[-1] if len(known) else pd.NaT,
            "age_sessions": int((sessions > at[0]).sum()) if len(at) else len(sessions),
            "stale": not len(used) or bool(used[0] < due),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("component")


def _aged(fresh: pd.DataFrame, max_age: int, row: pd.Timestamp) -> list[str]:
    """Say which components the last row carries forward or lacks."""
    notes = []
    for name, one in fresh[fresh["stale"]].iterrows():
        if pd.isna(one["last"]):
            notes.append(f"warning: {name} has no data by {row:%Y-%m-%d}")
            continue
        what = "left out" if one["age_sessions"] > max_age else "carried forward"
        notes.append(
            f"warning: {name} is stale: its data end {one['last']:%Y-%m-%d}, "
            f"{counted(one['age_sessions'], 'session')} before {row:%Y-%m-%d}; {what}"
        )
    return notes
