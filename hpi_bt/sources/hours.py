"""Sessions of an exchange: which session a bar belongs to, and where in it the bar closes."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray, IntArray
from hpi_bt.errors import InputError, did_you_mean

HOURS_COLUMNS = ("session", "minutes_open", "minutes_left", "slot")

_MINUTE = 60 * 10**9  # nanoseconds
_DAY = 1440 * _MINUTE
_EPOCH = date(1970, 1, 1).toordinal()
_UsualTimes = list[
    tuple[Any, time]
]  # (first date or None, wall time), as exchange_calendars has it


@dataclass(frozen=True)
class _Schedule:
    """Hours of one exchange over some years; days count from 1970-01-01, times are UTC ns."""

    zone: str
    days: IntArray
    opens: IntArray
    closes: IntArray
    usual_open: _UsualTimes
    usual_close: _UsualTimes
    open_offset: int
    close_offset: int

    @property
    def shift(self) -> int:
        """Nanoseconds from the usual close to midnight, where sessions open the evening before."""
        if self.open_offset >= 0:
            return 0
        return _DAY - _wall_nanos(self.usual_close[-1][1])


def _wall_nanos(at: time) -> int:
    return (at.hour * 60 + at.minute) * _MINUTE + at.second * 10**9


def _fabricate(name: str, first: str | None, last: str | None) -> Any:
    import exchange_calendars

    with warnings.catch_warnings():  # exchange_calendars 4.13 under pandas 3.1
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        return exchange_calendars.get_calendar(name, start=first, end=last)


@lru_cache(maxsize=64)
def _schedule(name: str, first_year: int, last_year: int) -> _Schedule:
    """Return the hours of all sessions of these years that the calendar knows."""
    from exchange_calendars import get_calendar_names
    from exchange_calendars.errors import InvalidCalendarName

    try:
        found = _fabricate(name, f"{first_year}-01-01", f"{last_year}-12-31")
    except InvalidCalendarName:
        hint = did_you_mean(name, get_calendar_names())
        raise InputError(
            f"no exchange calendar {name!r}{hint}; use a name of exchange_calendars",
            field="calendar",
        ) from None
    except ValueError:  # outside what the calendar records
        found = _within_bounds(name, first_year, last_year)
    hours = found.schedule
    return _Schedule(
        zone=str(found.tz),
        days=_nanos(pd.DatetimeIndex(hours.index)) // _DAY,
        opens=_nanos(pd.DatetimeIndex(hours["open"])),
        closes=_nanos(pd.DatetimeIndex(hours["close"])),
        usual_open=list(found.open_times),
        usual_close=list(found.close_times),
        open_offset=int(found.open_offset),
        close_offset=int(found.close_offset),
    )


def _within_bounds(name: str, first_year: int, last_year: int) -> Any:
    default = _fabricate(name, None, None)
    low, high = default.bound_min(), default.bound_max()
    first = first_year if low is None else max(first_year, low.year)
    last = last_year if high is None else min(last_year, high.year)
    if first > last:
        return default
    start, end = pd.Timestamp(first, 1, 1), pd.Timestamp(last, 12, 31)
    start = start if low is None else max(start, low)
    end = end if high is None else min(end, high)
    return _fabricate(name, f"{start:%Y-%m-%d}", f"{end:%Y-%m-%d}")


def _nanos(stamps: pd.DatetimeIndex) -> IntArray:
    """Return nanoseconds since 1970 (UTC of aware stamps, wall time of naive ones)."""
    return np.asarray(stamps.as_unit("ns").asi8, dtype=np.int64)


def _covering(nanos: IntArray, calendar: str) -> _Schedule:
    """Return the hours of the years around these stamps, with a fortnight to spare."""
    if not len(nanos):
        return _schedule(calendar, 2020, 2020)
    reach = np.array([nanos.min() - 14 * _DAY, nanos.max() + 14 * _DAY])
    first, last = (reach.astype("M8[ns]").astype("M8[Y]").astype(int) + 1970).tolist()
    return _schedule(calendar, first, last)


def calendar_sessions(calendar: str, first_year: int, last_year: int) -> IntArray:
    """Return the sessions of these years that a calendar knows, in days from 1970-01-01."""
    return _schedule(calendar, first_year, last_year).days


def calendar_zone(calendar: str, near: pd.DatetimeIndex | None = None) -> str:
    """Return the name of the exchange's time zone.

    Parameters
    ----------
    calendar : str
        Name of exchange_calendars.
    near : DatetimeIndex, optional
        Bars whose hours are wanted next: the calendar is then made once for both.

    Raises
    ------
    InputError
        No such calendar; the message suggests the nearest name.
    """
    return _covering(np.empty(0, np.int64) if near is None else _nanos(near), calendar).zone


def session_ordinals(stamps: pd.DatetimeIndex, calendar: str) -> IntArray:
    """Return the session, as `date.toordinal()`, of each bar close; shape (n_bars,).

    The session is the local date (a close at midnight ends the day before); where sessions open
    on the evening before, the date on which the session that is open or next to open closes.
    """
    hours = _covering(_nanos(stamps), calendar)
    wall = _nanos(stamps.tz_convert(hours.zone).tz_localize(None))
    return (wall - 1 + hours.shift) // _DAY + _EPOCH


def session_bounds(ordinals: IntArray, calendar: str) -> tuple[IntArray, IntArray, BoolArray]:
    """Return opens and closes (UTC nanoseconds) of sessions and whether the calendar has them.

    A date that the calendar lacks gets the usual hours that were in force then.
    """
    days, place = np.unique(ordinals - _EPOCH, return_inverse=True)
    hours = _covering(days * _DAY, calendar)
    at = np.searchsorted(hours.days, days).clip(max=len(hours.days) - 1)
    known = hours.days[at] == days
    opens, closes = hours.opens[at], hours.closes[at]
    lacking = days[~known]
    opens[~known] = _usual(lacking + hours.open_offset, lacking, hours.usual_open, hours.zone)
    closes[~known] = _usual(lacking + hours.close_offset, lacking, hours.usual_close, hours.zone)
    return opens[place], closes[place], known[place]


def _usual(days: IntArray, sessions: IntArray, times: _UsualTimes, zone: str) -> IntArray:
    wall = np.zeros(days.shape, dtype=np.int64)
    for since, at in times:  # ascending: later rules overwrite earlier ones
        first = -(10**9) if since is None else pd.Timestamp(since).toordinal() - _EPOCH
        wall = np.where(sessions >= first, days * _DAY + _wall_nanos(at), wall)
    return _localized(wall, zone)


def _localized(wall: IntArray, zone: str) -> IntArray:
    """Return UTC nanoseconds of wall times; the hour that is skipped moves to its end."""
    local = pd.DatetimeIndex(wall.astype("M8[ns]")).tz_localize(
        zone, ambiguous=np.ones(len(wall), dtype=bool), nonexistent="shift_forward"
    )
    return _nanos(local)


def next_sessions(ordinals: IntArray, extra: IntArray, calendar: str) -> IntArray:
    """Return the session after each: the next that the calendar or `extra` has."""
    reach = np.concatenate([ordinals, extra]) - _EPOCH
    hours = _covering(reach * _DAY, calendar)
    end = int(reach.max()) + 1
    after = np.arange(max(end, int(hours.days[-1]) + 1), end + 8)  # past the calendar's records
    sessions = np.unique(np.concatenate([hours.days, extra - _EPOCH, after]))
    return sessions[np.searchsorted(sessions, ordinals - _EPOCH, side="right")] + _EPOCH


def session_close_stamps(dates: pd.DatetimeIndex, calendar: str) -> pd.DatetimeIndex:
    """Return the close of the session of each date, in the exchange's zone; shape (n_dates,).

    `dates` are naive; dates that the calendar lacks get their usual hours.
    """
    ordinals = _nanos(dates) // _DAY + _EPOCH
    _, closes, _ = session_bounds(ordinals, calendar)
    return local_stamps(closes, calendar)


def local_stamps(nanos: IntArray, calendar: str) -> pd.DatetimeIndex:
    """Return UTC nanoseconds as stamps in the exchange's zone, named `close_time`."""
    utc = pd.DatetimeIndex(nanos.astype("M8[ns]"), name="close_time").tz_localize("UTC")
    return utc.tz_convert(calendar_zone(calendar, utc))


def bar_closes(stamps: pd.DatetimeIndex, calendar: str, minutes: float) -> pd.DatetimeIndex:
    """Return the close of the bar of `minutes` that holds each stamp; shape (n,).

    Bars are counted from the session's open, those after its close from the close; a stamp on a
    boundary belongs to the bar that closes then. No bar reaches beyond the session's close, or
    beyond the end of the day.
    """
    hours = _covering(_nanos(stamps), calendar)
    ordinals = session_ordinals(stamps, calendar)
    opens, closes, _ = session_bounds(ordinals, calendar)
    at, width = _nanos(stamps), round(minutes * _MINUTE)
    in_session = np.minimum(opens - (opens - at) // width * width, closes)
    day, place = np.unique(ordinals, return_inverse=True)
    midnight = _localized((day - _EPOCH + 1) * _DAY - hours.shift, hours.zone)[place]
    afterwards = np.minimum(closes - (closes - at) // width * width, midnight)
    return local_stamps(np.where(at <= closes, in_session, afterwards), calendar)


def add_hours(
    frame: pd.DataFrame,
    calendar: str,
    *,
    bar_minutes: float,
    outside: Literal["keep", "drop"] = "keep",
    slot_minutes: float | None = None,
) -> pd.DataFrame:
    """Return the frame with its place in the exchange's sessions.

    Parameters
    ----------
    frame : DataFrame of n_bars rows
        Indexed by tz-aware bar closes.
    calendar : str
        Name of an `exchange_calendars` calendar.
    bar_minutes : float
        Length of a bar; 1440 or more for daily bars.
    outside : {"keep", "drop"}, default="keep"
        What happens to bars that close at or before the open, or after the close.
    slot_minutes : float, optional
        Length of a slot of the session; that of a bar by default.

    Returns
    -------
    DataFrame
        The frame and four float64 columns: session (ordinal of its date), minutes_open (from the
        session's open to the bar's close; negative before it), minutes_left (to the session's
        close; negative after it) and slot, floor((minutes_open - 1e-9)/slot_minutes). Breaks at
        noon count. Dropped bars and dates that the calendar lacks are counted in the notes.
    """
    stamps = pd.DatetimeIndex(frame.index)
    ordinals = session_ordinals(stamps, calendar)
    opens, closes, known = session_bounds(ordinals, calendar)
    at = _nanos(stamps)
    minutes_open = (at - opens) / _MINUTE
    out = frame.assign(
        session=ordinals.astype(np.float64),
        minutes_open=minutes_open,
        minutes_left=(closes - at) / _MINUTE,
        slot=np.floor((minutes_open - 1e-9) / (slot_minutes or bar_minutes)),
    )
    out = add_notes(out, *_lacking_note(ordinals[~known], calendar))
    stray = (at <= opens) | (at > closes)
    if outside == "drop" and stray.any():
        count = counted(int(stray.sum()), "bar")
        out = add_notes(out[~stray], f"{count} outside {calendar} hours dropped")
    return out


def counted(count: int, noun: str) -> str:
    """Return "1 bar", "2 bars"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _lacking_note(ordinals: IntArray, calendar: str) -> Iterable[str]:
    dates = [date.fromordinal(int(o)).isoformat() for o in np.unique(ordinals)]
    if dates:
        word = counted(len(dates), "session")
        shown = ", ".join(dates[:5]) + (", ..." if len(dates) > 5 else "")
        yield f"{word} not in calendar {calendar} kept with usual hours: {shown}"


def add_notes(frame: pd.DataFrame, *notes: str) -> pd.DataFrame:
    """Return the frame with notes added to `attrs["notes"]`, each of them once."""
    out = frame.copy(deep=False)
    known = list(frame.attrs.get("notes", ()))
    out.attrs = {**frame.attrs, "notes": list(dict.fromkeys([*known, *notes]))}
    return out
