"""Expiry dates to exchange moments: when a contract that expires on a date stops living."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from datetime import date, time
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpi_bt.arrays import BoolArray, IntArray
from hpi_bt.errors import InputError, did_you_mean

#: Roots whose monthly contracts settle on opening prices; their weeklies have other roots.
AM_ROOTS = frozenset({"SPX", "NDX", "RUT", "DJX"})
#: Roots whose contracts all settle on opening prices: VIX on the morning of its Wednesdays.
ALWAYS_AM_ROOTS = frozenset({"VIX", "VIXW"})

_FRIDAY = 4  # of the week that starts on Monday, 0
_CLOCK = re.compile(r"\d{1,2}(:\d{2})+([.,]\d+)?")  # a time of day
_OWN_HOURS = re.compile(r" \d\d:\d\d-\d\d:\d\d$")  # of data.hours, behind a calendar's name


class _Hours(NamedTuple):
    """Sessions of an exchange: dates, and opens and closes in nanoseconds of UTC."""

    days: npt.NDArray[np.datetime64]
    opens: IntArray
    closes: IntArray


def expiry_time(
    dates: Sequence[date | str] | pd.DatetimeIndex,
    *,
    symbol: str = "",
    root: Sequence[str] | None = None,
    settlement: Sequence[str] | None = None,
    calendar: str | None = "XNYS",
    at: time | str | None = None,
    timezone: str | None = None,
) -> pd.DatetimeIndex:
    """Return the moment at which contracts of these dates expire, in the exchange's time zone.

    Parameters
    ----------
    dates : sequence of date or str, length n
        Expiry dates of the exchange.
    symbol : str
        Underlying or root of the contracts whose `root` is not given; "^SPX" is "SPX".
    root : sequence of str, length n, optional
        Root of each contract (SPX, SPXW); an empty one falls back to `symbol`.
    settlement : sequence of str, length n, optional
        "am" or "pm" for each contract, before its root; an empty one falls back to the root.
    calendar : str or None, default="XNYS"
        Exchange calendar, which knows opens, closes, half days and holidays.
    at : time or "HH:MM", optional
        Time of the afternoon expiry instead of the session's close; on half days the earlier of
        the two. Needed where `calendar` is None.
    timezone : str, optional
        Zone of `at` and of the result, the calendar's by default. Needed where it is None.

    Returns
    -------
    moments : DatetimeIndex of length n
        The session's close (16:00 in New York, 13:00 on half days), or its open (09:30) for
        contracts that settle in the morning.

    Raises
    ------
    InputError
        A date, time, zone, calendar or settlement that does not exist, or lengths that differ.

    Notes
    -----
    Where `settlement` is silent, contracts of SPX, NDX, RUT and DJX settle in the morning on the
    monthly expiry (the third Friday, or the session before it where that is a holiday) and in
    the afternoon on every other date. So "SPX" alone means the morning for all contracts of a
    third Friday; a file that lists SPXW beside SPX on it must give their roots. VIX and VIXW
    settle in the morning of every date, usually a Wednesday: the date is that of settlement, not
    that of the last trading day before it. A date that is no session (the Saturday expiries
    before 2015, holidays) takes the last session before it.
    """
    days, place = np.unique(_days(dates), return_inverse=True)
    wall, zone = _wall_time(at), exchange_zone(calendar, timezone)
    roots = _filled(root, symbol, len(place), "root")
    monthly_root, always = (roots.isin(names).to_numpy() for names in (AM_ROOTS, ALWAYS_AM_ROOTS))
    settled = _settlements(settlement, len(place))
    if calendar is None:
        if wall is None:
            raise InputError(
                "none without a calendar; give a time such as '15:30'", field="expiry_at"
            )
        if (settled == "AM").any():
            raise InputError(
                "'am' without a calendar has no open; name a calendar", field="settlement"
            )
        return _moments(_at_wall(days, wall, zone)[place], zone)
    hours, held = _held_sessions(calendar, days)
    closes = hours.closes[held]
    if wall is not None:
        closes = np.minimum(closes, _at_wall(hours.days[held], wall, zone))
    own = (_is_monthly(hours, held)[place] & monthly_root) | always
    morning = np.where(settled == "", own, settled == "AM")
    return _moments(np.where(morning, hours.opens[held][place], closes[place]), zone)


def exchange_zone(calendar: str | None, timezone: str | None = None) -> str:
    """Return the name of the time zone in which expiry dates are dates.

    Raises
    ------
    InputError
        Neither a calendar nor a zone is given, or one of them does not exist.
    """
    if timezone is None:
        if calendar is None:
            raise InputError(
                "none without a calendar; give one such as 'Asia/Kolkata'", field="timezone"
            )
        return str(_calendar(calendar, None, None).tz)
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise InputError(
            f"no time zone {timezone!r}; give one such as 'America/New_York'", field="timezone"
        ) from None
    return timezone


def timestamp_of(value: Any) -> pd.Timestamp | None:
    """Return a date, moment or its text as a Timestamp, None where it is none of them.

    A text must name the year: "now", "today" and "10:00" would be read from the clock.
    """
    if not isinstance(value, str | date | np.datetime64):
        return None
    try:
        stamp: Any = pd.Timestamp(value)  # or NaT, of which its annotation knows nothing
    except (TypeError, ValueError):
        return None
    if stamp is pd.NaT:
        return None
    if isinstance(value, str) and f"{stamp.year % 100:02d}" not in _CLOCK.sub("", value):
        return None
    return pd.Timestamp(stamp)


def clean_symbol(symbol: str) -> str:
    """Return a symbol without the marks that vendors put before an index: "^SPX" is "SPX"."""
    return symbol.strip().lstrip("^$._").upper()


def _days(dates: Sequence[date | str] | pd.DatetimeIndex) -> npt.NDArray[np.datetime64]:
    if isinstance(dates, pd.DatetimeIndex):
        stamps = dates
    else:
        given = list(dates)
        if any(pd.isna(one) for one in given):
            raise InputError("an empty date; every contract needs one", field="expiry")
        found = [timestamp_of(one) for one in given]
        if None in found:
            wrong = given[found.index(None)]
            raise InputError(f"{wrong!r} is no date; give dates such as 2023-09-15", field="expiry")
        stamps = pd.DatetimeIndex(found)
    if stamps.hasnans:
        raise InputError("an empty date; every contract needs one", field="expiry")
    if stamps.tz is not None or (stamps != stamps.normalize()).any():
        raise InputError(
            f"{stamps[0]} is no date; moments with a zone need no rule", field="expiry"
        )
    return np.asarray(stamps.to_numpy(), dtype="M8[D]")


def _filled(root: Sequence[str] | None, symbol: str, n: int, name: str) -> pd.Series[str]:
    """Return the clean text of each contract, `symbol` where it has none."""
    given = pd.Series([""] * n if root is None else list(root), dtype=object)
    if len(given) != n:
        raise InputError(f"{name}: {len(given)} for {n} dates; give one a contract, or none")
    codes, words = pd.factorize(given.fillna("").astype(str))
    clean = np.array([clean_symbol(word) or clean_symbol(symbol) for word in words], dtype=object)
    return pd.Series(clean[codes], dtype=object)


def _settlements(settlement: Sequence[str] | None, n: int) -> npt.NDArray[np.object_]:
    settled = _filled(settlement, "", n, "settlement")
    wrong = settled[~settled.isin(["", "AM", "PM"])]
    if len(wrong):
        raise InputError(
            f"{wrong.iloc[0]!r} is neither 'am' nor 'pm'; leave it empty", field="settlement"
        )
    return settled.to_numpy()


def _wall_time(at: time | str | None) -> time | None:
    if not isinstance(at, str):
        return at
    try:
        return time.fromisoformat(at)
    except ValueError:
        raise InputError(
            f"{at!r} is no time of day; give one such as '16:00'", field="expiry_at"
        ) from None


def _at_wall(days: npt.NDArray[np.datetime64], wall: time, zone: str) -> IntArray:
    """Return nanoseconds of UTC at that wall time of each date."""
    since = np.timedelta64((wall.hour * 60 + wall.minute) * 60 + wall.second, "s")
    local = pd.DatetimeIndex(days.astype("M8[ns]") + since)
    return np.asarray(local.tz_localize(zone).as_unit("ns").asi8, dtype=np.int64)


def _moments(nanos: IntArray, zone: str) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(nanos.astype("M8[ns]"), tz="UTC").tz_convert(zone)


def _held_sessions(
    calendar: str, days: npt.NDArray[np.datetime64]
) -> tuple[_Hours, npt.NDArray[np.intp]]:
    """Return the hours around these dates and each date's session, the last one up to it."""
    first, last = (days[[0, -1]].astype("M8[Y]").astype(int) + 1970).tolist()
    hours = _hours(calendar, first // 5 * 5, last // 5 * 5 + 4)  # few calendars, each kept
    if days[-1] > hours.days[-1] + 14 or days[0] < hours.days[0]:
        raise InputError(
            f"{days[-1]} or {days[0]} is outside what calendar {calendar} knows "
            f"({hours.days[0]} to {hours.days[-1]})",
            field="expiry",
            remedy="give expiry_at and timezone without a calendar",
        )
    return hours, np.searchsorted(hours.days, days, side="right") - 1


@lru_cache(maxsize=64)
def _hours(calendar: str, first_year: int, last_year: int) -> _Hours:
    schedule = _calendar(calendar, f"{first_year - 1}-12-01", f"{last_year}-12-31").schedule
    moments = (
        np.asarray(pd.DatetimeIndex(schedule[c]).as_unit("ns").asi8, dtype=np.int64)
        for c in ("open", "close")
    )
    return _Hours(np.asarray(schedule.index.to_numpy(), dtype="M8[D]"), *moments)


@lru_cache(maxsize=64)
def _calendar(name: str, first: str | None, last: str | None) -> Any:
    """Return the exchange calendar of these dates, or of those that it records."""
    name = _OWN_HOURS.sub("", name)  # contracts expire at the exchange's own hours
    from exchange_calendars import get_calendar, get_calendar_names
    from exchange_calendars.errors import InvalidCalendarName

    with warnings.catch_warnings():  # exchange_calendars 4.13 under pandas 3.1
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        try:
            return get_calendar(name, start=first, end=last)
        except InvalidCalendarName:
            hint = did_you_mean(name, get_calendar_names())
            raise InputError(
                f"no exchange calendar {name!r}{hint}; use a name of exchange_calendars",
                field="calendar",
            ) from None
        except ValueError:  # outside what the calendar records
            return get_calendar(name)


def _is_monthly(hours: _Hours, held: npt.NDArray[np.intp]) -> BoolArray:
    """Return whether each session is the third Friday of its month or stands in for it."""
    months = hours.days[held].astype("M8[M]").astype("M8[D]")
    weekday = (months.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday, Monday is 0
    third = months + (_FRIDAY - weekday) % 7 + 14
    return np.asarray(
        hours.days[np.searchsorted(hours.days, third, "right") - 1] == hours.days[held]
    )
