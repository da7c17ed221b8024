"""Hours of an exchange's sessions: those of exchange_calendars, a market's own, or a user's."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, replace
from datetime import date, time
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import BeforeValidator, Field

from hpi_bt.arrays import IntArray
from hpi_bt.errors import InputError, Note, Severity, did_you_mean, shortened
from hpi_bt.sources.base import Settings

MINUTE = 60 * 10**9  # nanoseconds
DAY = 1440 * MINUTE
EPOCH = date(1970, 1, 1).toordinal()

_HOURS = re.compile(r"(\S+) (\d\d):(\d\d)-(\d\d):(\d\d)")
# The calendars of CME's markets run to the next open; trading ends an hour before it.
_MARKET_CLOSES = {"CMES": time(16), "us_futures": time(17)}
UsualTimes = list[tuple[Any, time]]  # (first date or None, wall time), as exchange_calendars has it


_CLOCK = r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$"


def _clock(value: object) -> str:
    """Return a time of day as HH:MM; YAML reads 17:00 as the number 1020."""
    text = str(value).strip().rjust(5, "0")
    if isinstance(value, int) and 60 <= value <= 1440:
        text = f"{value // 60:02d}:{value % 60:02d}"
    elif isinstance(value, time):
        text = f"{value:%H:%M}"
    if not re.match(_CLOCK, text):
        raise ValueError('wanted a time of day in quotes, such as "09:30"')
    return text


Clock = Annotated[str, BeforeValidator(_clock), Field(pattern=_CLOCK)]


class Hours(Settings):
    """When sessions open and close, in the exchange's local time.

    An open that is not before the close is on the evening before. Early closes and late opens of
    the calendar still hold.
    """

    open: Clock
    """Such as "09:30"."""
    close: Clock
    """Such as "16:00"; "00:00" is the midnight that ends the day."""


def with_hours(calendar: str, hours: Hours | None) -> str:
    """Return the name of a calendar whose sessions have these hours: "CMES 08:30-15:15"."""
    return calendar if hours is None else f"{calendar} {hours.open}-{hours.close}"


def exchange_of(calendar: str) -> str:
    """Return the name that exchange_calendars knows of a calendar with or without hours."""
    return _given_hours(calendar)[0]


@dataclass(frozen=True)
class Schedule:
    """Hours of one exchange over some years; days count from 1970-01-01, times are UTC ns."""

    zone: str
    days: IntArray
    opens: IntArray
    closes: IntArray
    usual_open: UsualTimes
    usual_close: UsualTimes
    open_offset: int
    close_offset: int
    turn: int
    """Wall time (ns) at which the next session's bars begin, where it opens the evening before."""

    @property
    def shift(self) -> int:
        """Nanoseconds from the turn to midnight, where sessions open the evening before."""
        return 0 if self.open_offset >= 0 else DAY - self.turn


def wall_nanos(at: time) -> int:
    """Return the nanoseconds from midnight to a time of day."""
    return (at.hour * 60 + at.minute) * MINUTE + at.second * 10**9


def nanos_of(stamps: pd.DatetimeIndex) -> IntArray:
    """Return nanoseconds since 1970 (UTC of aware stamps, wall time of naive ones)."""
    return np.asarray(stamps.as_unit("ns").asi8, dtype=np.int64)


@lru_cache(maxsize=64)
def schedule_of(calendar: str, first_year: int, last_year: int) -> Schedule:
    """Return the hours of all sessions of these years that the calendar knows.

    Raises
    ------
    InputError
        No such calendar (the message suggests the nearest name), or one that cannot be made.
    """
    from exchange_calendars import get_calendar_names
    from exchange_calendars.errors import InvalidCalendarName

    name = exchange_of(calendar)
    try:
        known = _fabricate(name, f"{first_year}-01-01", f"{last_year}-12-31")
    except InvalidCalendarName:
        hint = did_you_mean(name, get_calendar_names())
        raise InputError(
            f"no exchange calendar {name!r}{hint}; use a name of exchange_calendars",
            field="calendar",
        ) from None
    except (
        ValueError,
        NotImplementedError,
    ):  # outside what the calendar records, or a fault of its
        known = _within_bounds(name, first_year, last_year)
    hours, closes = known.schedule, list(known.close_times)
    own = Schedule(
        zone=str(known.tz),
        days=nanos_of(pd.DatetimeIndex(hours.index)) // DAY,
        opens=nanos_of(pd.DatetimeIndex(hours["open"])),
        closes=nanos_of(pd.DatetimeIndex(hours["close"])),
        usual_open=list(known.open_times),
        usual_close=closes,
        open_offset=int(known.open_offset),
        close_offset=int(known.close_offset),
        turn=wall_nanos(closes[-1][1]),
    )
    return _with_given_hours(own, calendar)


def _fabricate(name: str, first: str | None, last: str | None) -> Any:
    import exchange_calendars

    with warnings.catch_warnings():  # exchange_calendars 4.13 under pandas 3.1
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        return exchange_calendars.get_calendar(name, start=first, end=last)


def _within_bounds(name: str, first_year: int, last_year: int) -> Any:
    try:
        default = _fabricate(name, None, None)
    except (ValueError, NotImplementedError) as error:
        raise InputError(
            f"exchange_calendars cannot make {name!r} ({shortened(str(error))})",
            field="calendar",
            remedy="choose a calendar with the same sessions, and data.hours for its hours",
        ) from None
    low, high = default.bound_min(), default.bound_max()
    first = first_year if low is None else max(first_year, low.year)
    last = last_year if high is None else min(last_year, high.year)
    if first > last:
        return default
    start, end = pd.Timestamp(first, 1, 1), pd.Timestamp(last, 12, 31)
    start = start if low is None else max(start, low)
    end = end if high is None else min(end, high)
    return _fabricate(name, f"{start:%Y-%m-%d}", f"{end:%Y-%m-%d}")


def _with_given_hours(own: Schedule, calendar: str) -> Schedule:
    """Return the schedule with the hours that the calendar's name ends with, or its market's."""
    name, open_at, close_at = _given_hours(calendar)
    if open_at is None or close_at is None:
        market = market_close(name)
        if market is None:
            return own
        changed = replace(own, usual_close=[(None, market)])
    else:
        evening = close_at != time(0) and open_at >= close_at
        changed = replace(
            own,
            usual_open=[(None, open_at)],
            usual_close=[(None, close_at)],
            open_offset=-1 if evening else 0,
            close_offset=1 if close_at == time(0) else 0,
            turn=wall_nanos(open_at),
        )
    (opens, closes), (usual_opens, usual_closes) = usual_hours(changed), usual_hours(own)
    return replace(
        changed,
        opens=np.where(own.opens > usual_opens, np.maximum(own.opens, opens), opens),
        closes=np.where(own.closes < usual_closes, np.minimum(own.closes, closes), closes),
    )


def _given_hours(calendar: str) -> tuple[str, time | None, time | None]:
    match = _HOURS.fullmatch(calendar)
    if match is None:
        return calendar, None, None
    name, *clock = match.groups()
    hours = [int(hour) % 24 for hour in clock[::2]]
    minutes = [int(minute) for minute in clock[1::2]]
    return name, time(hours[0], minutes[0]), time(hours[1], minutes[1])


def market_close(calendar: str) -> time | None:
    """Return when a market of CME's really closes, None for others and where hours are given."""
    from exchange_calendars import resolve_alias

    given = _HOURS.fullmatch(calendar) is not None
    return None if given else _MARKET_CLOSES.get(resolve_alias(calendar))


def market_close_note(calendar: str) -> list[Note]:
    """Return the note that a calendar of CME's closes an hour before exchange_calendars has it."""
    close = market_close(calendar)
    if close is None:
        return []
    text = f"sessions of {calendar} close at {close:%H:%M} {schedule_of(calendar, 2020, 2020).zone}"
    text += f", not at {close.hour + 1}:00 as its calendar has it; data.hours sets other hours"
    return [Note(Severity.ASSUMPTION, "market-close", text)]


def usual_hours(hours: Schedule, days: IntArray | None = None) -> tuple[IntArray, IntArray]:
    """Return the usual opens and closes (UTC ns) of days, by default those of the schedule."""
    days = hours.days if days is None else days
    return (
        _usual(days + hours.open_offset, days, hours.usual_open, hours.zone),
        _usual(days + hours.close_offset, days, hours.usual_close, hours.zone),
    )


def _usual(days: IntArray, sessions: IntArray, times: UsualTimes, zone: str) -> IntArray:
    wall = np.zeros(days.shape, dtype=np.int64)
    for since, at in times:  # ascending: later rules overwrite earlier ones
        first = -(10**9) if since is None else pd.Timestamp(since).toordinal() - EPOCH
        wall = np.where(sessions >= first, days * DAY + wall_nanos(at), wall)
    return localized(wall, zone)


def localized(wall: IntArray, zone: str) -> IntArray:
    """Return UTC nanoseconds of wall times; the hour that is skipped moves to its end."""
    local = pd.DatetimeIndex(wall.astype("M8[ns]")).tz_localize(
        zone, ambiguous=np.ones(len(wall), dtype=bool), nonexistent="shift_forward"
    )
    return nanos_of(local)


def covering(nanos: IntArray, calendar: str) -> Schedule:
    """Return the hours of the years around these stamps, with a fortnight to spare."""
    if not len(nanos):
        return schedule_of(calendar, 2020, 2020)
    reach = np.array([nanos.min() - 14 * DAY, nanos.max() + 14 * DAY])
    first, last = (reach.astype("M8[ns]").astype("M8[Y]").astype(int) + 1970).tolist()
    return schedule_of(calendar, first, last)
