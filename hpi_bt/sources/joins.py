"""Columns from further files, joined to the bars at the moment they became known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Annotated, Literal, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from pydantic import Field

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.errors import InputError, Note, Severity
from hpi_bt.sources.base import Locations, Settings
from hpi_bt.sources.closes import DAILY
from hpi_bt.sources.files import CsvSource, ParquetSource
from hpi_bt.sources.frame import is_flow
from hpi_bt.sources.hours import (
    add_notes,
    counted,
    next_sessions,
    session_bounds,
    session_ordinals,
)
from hpi_bt.sources.splits import Splits, adjusted_for_splits
from hpi_bt.sources.tables import STAMP

_MINUTE, _DAY = 60e9, 86_400e9  # nanoseconds
_STALE, _HOLIDAYS = 3.0, 5.0  # usual distances of rows, and days more: a value older is stale
_MOMENTS = {
    "bar_close": "at the close of its bar",
    "session_open": "at its session's open",
    "session_close": "at its session's close",
    "next_session_open": "at the next session's open",
}


class Delay(Settings):
    """Known some minutes after the close of the row's bar."""

    delay_minutes: float = Field(ge=0)


KnownAt: TypeAlias = (
    Literal["bar_close", "session_open", "session_close", "next_session_open"] | Delay
)


class Part(Settings):
    """A file that adds the columns its `columns` name, and the moment each row became known."""

    source: Annotated[CsvSource | ParquetSource, Field(discriminator="kind")]
    known_at: KnownAt | None = None
    """bar_close, session_open, session_close, next_session_open, or {delay_minutes: 15}. Not given:
    bar_close, and of daily files the run says so."""
    max_age_days: float | None = Field(None, gt=0)
    """States (open interest, gauge, features) older than this are unknown again."""

    @property
    def timing(self) -> str:
        """When its rows are known, in words for pages."""
        named = ", ".join(c for c in self.source.columns if c != STAMP) or "columns"
        default = " (known_at not given)" if self.known_at is None else ""
        return f"{named} of {self.source.path} known {moment_words(self.known_at)}{default}"


def moment_words(known_at: KnownAt | None) -> str:
    """Return when a row becomes known, in words: "at its session's open"."""
    if isinstance(known_at, Delay):
        return f"{known_at.delay_minutes:g} minutes after the close of its bar"
    return _MOMENTS[known_at or "bar_close"]


def _first_seen(
    frame: pd.DataFrame, rows: pd.DataFrame, part: Part, calendar: str
) -> Iterator[Note]:
    """Yield on which bar a row of a day or more is first seen, by the example of one."""
    if rows.attrs["bar_minutes"] < DAILY:
        return
    bars = _bars(frame, calendar)
    stamps = pd.DatetimeIndex(rows.index)
    known_at = part.known_at or "bar_close"
    facts = _known(stamps, known_at, bars.session, calendar)
    first = np.searchsorted(bars.known, facts.known)
    within = (facts.known > bars.known[0]) & (first < len(bars.known))
    if not within.any():
        return
    row = int(np.argmax(within))
    own = date.fromordinal(int(session_ordinals(stamps[row : row + 1], calendar)[0]))
    bar = pd.DatetimeIndex(frame.index)[first[row]]
    until = " up to" if rows.attrs["bar_minutes"] > DAILY else " of"
    text = f"row{until} {own} first seen on the bar of {bar:%Y-%m-%d %H:%M}"
    rule = known_at if isinstance(known_at, str) else "delay_minutes"
    text += f" ({', '.join(map(str, rows.columns))}; known_at: {rule})"
    yield Note(Severity.INFO, "join-first-seen", text, part.source.path)


class _Rows(NamedTuple):
    """Rows of a part: when known (UTC ns), and the session they then belong to; each (n_rows,)."""

    known: IntArray
    session: IntArray


def join_parts(
    frame: pd.DataFrame,
    parts: Sequence[Part],
    where: Locations,
    calendar: str,
    splits: Splits | None = None,
) -> pd.DataFrame:
    """Return the frame with the columns of every part, read from its file.

    See `join_rows` for what a bar receives; `splits` are as in `build_frame`.
    """
    for part in parts:
        rows = part.source.read_columns(where, calendar)
        rows = adjusted_for_splits(rows, splits or {}, calendar)
        frame = join_rows(
            frame, rows, part.known_at or "bar_close", calendar,
            name=part.source.path, max_age_days=part.max_age_days,
        )  # fmt: skip
        notes = [*rows.attrs["notes"], *_first_seen(frame, rows, part, calendar)]
        notes += _age_notes(frame, rows, part, calendar)
        frame = add_notes(frame, *notes)
        if part.known_at is None and rows.attrs["bar_minutes"] >= DAILY:
            frame = add_notes(frame, _default_note(part, rows))
    return frame


def _default_note(part: Part, rows: pd.DataFrame) -> Note:
    """Return that a daily file is taken as known at its bars' closes, as nobody said when."""
    text = (
        f"{', '.join(rows.columns)} of a day taken as known at that session's close (known_at not "
        "given); counts published before the open are known_at: session_open"
    )
    return Note(Severity.ASSUMPTION, "known-at-by-default", text, part.source.path)


def join_rows(
    frame: pd.DataFrame,
    rows: pd.DataFrame,
    known_at: KnownAt,
    calendar: str,
    *,
    name: str,
    max_age_days: float | None = None,
) -> pd.DataFrame:
    """Return the frame with the columns of `rows`, nothing earlier than it was known.

    Parameters
    ----------
    frame : DataFrame of n_bars rows
        Bars, indexed by their close.
    rows : DataFrame
        What is added, indexed by the close of each row's bar (the moment of a snapshot).
    known_at : KnownAt
        When each row became known.
    calendar : str
        Gives the sessions' hours.
    name : str
        Where the rows come from, for messages.
    max_age_days : float, optional
        States older than this are unknown again.

    Returns
    -------
    DataFrame
        A state holds the last value known at or before the bar's close. An amount
        (`frame.is_flow`) lands once, in the first bar of its session that closes when or after
        it is known: bars before a session's first known row are NaN, later bars without a row 0.

    Raises
    ------
    InputError
        The frame has the column already, or no row of an amount lands in any bar.
    """
    for column in rows.columns:
        if column in frame.columns and frame[column].notna().any():
            raise InputError(
                f"{name}: column {column!r} is already there; "
                "wanted each column from one file, rename it under columns"
            )
    bars = _bars(frame, calendar)
    facts = _known(pd.DatetimeIndex(rows.index), known_at, bars.session, calendar)
    added, lost = {}, 0
    flows = [c for c in rows.columns if is_flow(c)]
    if flows:
        bar, lands = _landing(facts, bars)
        lost = _lost(facts, bars, lands, name)
        for column in flows:
            amounts = rows[column].to_numpy(dtype=np.float64)[lands]
            added[column] = _landed(amounts, bar[lands], bars.session)
    for column in rows.columns.drop(flows):
        values = rows[column].to_numpy(dtype=np.float64)
        added[column] = _as_of(values, facts.known, bars.known, max_age_days)
    out = frame.assign(**added)
    if lost:
        note = f"{name}: {counted(lost, 'row')} known outside any bar of the session left out"
        out = add_notes(out, note)
    return out


def _age_notes(
    frame: pd.DataFrame, rows: pd.DataFrame, part: Part, calendar: str
) -> Iterator[Note]:
    """Yield that bars carry a value far older than the rows' usual distance.

    Rows of which none is known at any bar are refused.
    """
    states = [c for c in rows.columns if not is_flow(c) and rows[c].notna().any()]
    if not states:
        return
    bars, rule = _bars(frame, calendar), part.known_at or "bar_close"
    given = rows.index[rows[states].notna().any(axis=1)]
    known = np.unique(_known(pd.DatetimeIndex(given), rule, bars.session, calendar).known)
    index = pd.DatetimeIndex(frame.index)
    row = np.searchsorted(known, bars.known, side="right") - 1
    if row[-1] < 0:
        raise InputError(
            f"no row of {', '.join(states)} is known by any bar: the first is known at "
            f"{_moment(known[0], index)}, the last bar closes at {index[-1]:%Y-%m-%d %H:%M}",
            where=part.source.path,
            remedy="check its dates, time zone and known_at",
        )
    usual = float(np.median(np.diff(known))) if len(known) > 1 else 0.0
    limit = _STALE * usual + _HOLIDAYS * _DAY
    old = (row >= 0) & (bars.known - known[np.maximum(row, 0)] > limit)
    if part.max_age_days is not None or not old.any():
        return
    first = int(np.argmax(old))
    text = (
        f"{int(old.sum())} of {counted(len(index), 'bar')} carry a value that is old for this "
        f"file: the row known at {_moment(known[row[first]], index)} is still the last one at "
        f"{index[first]:%Y-%m-%d %H:%M}; max_age_days makes such values unknown"
    )
    yield Note(Severity.WARNING, "joined-values-stale", text, part.source.path)


def _moment(known: int, index: pd.DatetimeIndex) -> str:
    return f"{pd.Timestamp(int(known), tz='UTC').tz_convert(index.tz):%Y-%m-%d %H:%M}"


def _bars(frame: pd.DataFrame, calendar: str) -> _Rows:
    stamps = pd.DatetimeIndex(frame.index)
    return _Rows(np.asarray(stamps.as_unit("ns").asi8), session_ordinals(stamps, calendar))


def _known(stamps: pd.DatetimeIndex, rule: KnownAt, bar_sessions: IntArray, calendar: str) -> _Rows:
    at = np.asarray(stamps.as_unit("ns").asi8)
    session = session_ordinals(stamps, calendar)
    if rule == "bar_close":
        return _Rows(at, session)
    if isinstance(rule, Delay):
        return _Rows(at + round(rule.delay_minutes * _MINUTE), session)
    if rule == "next_session_open":
        session = next_sessions(session, bar_sessions, calendar)
    opens, closes, _ = session_bounds(session, calendar)
    # a row stamped after its session's close is not known before its stamp
    return _Rows(np.maximum(closes, at) if rule == "session_close" else opens, session)


def _landing(facts: _Rows, bars: _Rows) -> tuple[IntArray, BoolArray]:
    """Return the bar in which each row lands, and whether there is one; each (n_rows,)."""
    first = np.searchsorted(bars.session, facts.session)
    bar = np.maximum(np.searchsorted(bars.known, facts.known), first)
    inside = bar < len(bars.known)
    lands = inside & (bars.session[np.where(inside, bar, 0)] == facts.session)
    return bar, lands


def _lost(facts: _Rows, bars: _Rows, lands: BoolArray, name: str) -> int:
    """Return how many rows between the frame's first and last session land nowhere."""
    if not lands.any():
        raise InputError(
            f"{name}: no row lands in any bar of its session; "
            "check its dates, time zone and known_at"
        )
    within = (facts.session >= bars.session[0]) & (facts.session <= bars.session[-1])
    return int((within & ~lands).sum())


def _landed(amounts: FloatArray, bar: IntArray, session: IntArray) -> FloatArray:
    """Return the sum of the amounts that land in each bar, shape (n_bars,)."""
    n = len(session)
    given = np.isfinite(amounts)
    total = np.bincount(bar[given], weights=amounts[given], minlength=n)
    rows, numbers = np.bincount(bar, minlength=n), np.bincount(bar[given], minlength=n)
    # NaN until the session's first row is known: whether one will come is not known before
    arrived = np.cumsum(rows)
    starts = np.searchsorted(session, session)  # the first bar of each bar's session
    begun = arrived > (arrived - rows)[starts]
    unknown = ~begun | ((rows > 0) & (numbers == 0))
    return np.where(unknown, np.nan, total)


def _as_of(
    values: FloatArray, known: IntArray, closes: IntArray, max_age_days: float | None
) -> FloatArray:
    """Return the last of the values known at or before each close, shape (n_bars,)."""
    given = np.isfinite(values)
    order = np.argsort(known[given], kind="stable")
    known, values = known[given][order], values[given][order]
    row = np.searchsorted(known, closes, side="right") - 1
    out = np.full(len(closes), np.nan)
    out[row >= 0] = values[row[row >= 0]]
    if max_age_days is not None and len(known):
        out[closes - known[np.maximum(row, 0)] > max_age_days * _DAY] = np.nan
    return out
