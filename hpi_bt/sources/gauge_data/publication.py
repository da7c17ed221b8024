"""When each gauge input became known, and what a session's close could know of it.

Stamps are New York wall time without a zone. The rules err on the late side:

===================  ==============================================================
Cboe and Yahoo       16:15 of the day, the index's close
Cboe put/call        20:00 of the day
US Treasury yields   18:00 of the day (posted from 15:30 on)
SOFR                 08:00 of the next business day, by the New York Fed
FRED yields (H.15)   16:15 of the next business day
FRED, anything else  10:00 of the next business day, after the open: never in time
===================  ==============================================================

A row of session t is published for session t+1: it may use what was published before that
session's open, of dates up to t. On a bond holiday when shares trade (Columbus Day) SOFR of the
Friday before is thus not known yet, and the credit spread always comes a session late.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.sources.hours import local_stamps, next_sessions, session_bounds

CALENDAR = "XNYS"
_LOOK_BACK = 30  # days: longer than any holidays and any delay of publication
_EPOCH = date(1970, 1, 1).toordinal()


class Rule(NamedTuple):
    """Business days (of the Federal Reserve) after the day, and the time, of publication."""

    business_days: int
    at: str
    text: str


RULES = {
    "close": Rule(0, "16:15", "at the close"),
    "evening": Rule(0, "20:00", "the same evening"),
    "treasury": Rule(0, "18:00", "by 18:00 the same day"),
    "sofr": Rule(1, "08:00", "08:00 of the next business day"),
    "h15": Rule(1, "16:15", "16:15 of the next business day"),
    "fred": Rule(1, "10:00", "10:00 of the next business day, a session late"),
}


@lru_cache(maxsize=1)
def _federal_holidays() -> npt.NDArray[np.datetime64]:
    # a holiday on a Saturday counts on the Friday too, when the Fed is open: late, never early
    from pandas.tseries.holiday import USFederalHolidayCalendar

    days = USFederalHolidayCalendar().holidays("1960-01-01", "2100-12-31")
    return np.asarray(days.to_numpy(), dtype="M8[D]")


def published(dates: pd.DatetimeIndex, rule: str) -> IntArray:
    """Return when the values of these dates became known.

    Parameters
    ----------
    dates : DatetimeIndex of shape (n,)
        Naive days.
    rule : str
        A name of `RULES`.

    Returns
    -------
    stamps : ndarray of int64, shape (n,)
        Nanoseconds of New York wall time.
    """
    after, at, _ = RULES[rule]
    days = dates.to_numpy().astype("M8[D]")
    if after:
        days = np.busday_offset(days, after, roll="backward", holidays=_federal_holidays())
    nanos = days.astype("M8[ns]").astype(np.int64)
    return np.asarray(nanos + pd.Timedelta(f"{at}:00").value)


def newest_due(row: pd.Timestamp, before: int, rule: str) -> pd.Timestamp:
    """Return the newest date up to `row` whose value was published before a moment.

    Parameters
    ----------
    row : Timestamp
        A naive day.
    before : int
        Nanoseconds of New York wall time.
    rule : str
        A name of `RULES`. Values are due on the exchange's sessions, those of bonds but for the
        holidays of the Federal Reserve.
    """
    days = sessions_between(row - pd.Timedelta(days=_LOOK_BACK), row)
    if rule not in ("close", "evening"):
        days = days[np.is_busday(days.to_numpy().astype("M8[D]"), holidays=_federal_holidays())]
    return pd.Timestamp(days[published(days, rule) < before][-1])


def next_opens(sessions: pd.DatetimeIndex) -> IntArray:
    """Return the open of the session after each, as nanoseconds of New York wall time; (n,).

    The next of the exchange's calendar, or of `sessions` where that lacks one.
    """
    ordinals = sessions.as_unit("ns").asi8 // (86400 * 10**9) + _EPOCH
    opens, _, _ = session_bounds(next_sessions(ordinals, ordinals, CALENDAR), CALENDAR)
    return np.asarray(local_stamps(opens, CALENDAR).tz_localize(None).as_unit("ns").asi8)


def sessions_between(first: pd.Timestamp, last: pd.Timestamp) -> pd.DatetimeIndex:
    """Return the exchange's sessions from one naive date to another, both included."""
    days = np.arange(first.toordinal() - 1, last.toordinal())
    found = np.unique(next_sessions(days, days[:0], CALENDAR)) - _EPOCH if days.size else days
    dates = pd.DatetimeIndex(found.astype("M8[D]"), name="date").as_unit("ns")
    return dates[(dates >= first) & (dates <= last)]


class Known(NamedTuple):
    """What each session's row knew of a series; both of shape (n_sessions,)."""

    data: FloatArray
    dates: pd.DatetimeIndex


def known_at(
    values: pd.Series,
    stamps: IntArray,
    sessions: pd.DatetimeIndex,
    opens: IntArray,
    *,
    max_age_sessions: int = 5,
) -> Known:
    """Return the latest value that each session's row may use, and its date.

    Parameters
    ----------
    values : Series
        By date, oldest first, without NaN.
    stamps : ndarray of int64, shape (n_values,)
        From `published`; a value counts as unpublished until all earlier dates' are.
    sessions : DatetimeIndex of shape (n_sessions,)
        Oldest first.
    opens : ndarray of int64, shape (n_sessions,)
        From `next_opens`.
    max_age_sessions : int, default=5
        Sessions after its date for which a value is carried forward; then NaN.

    Returns
    -------
    data : ndarray of shape (n_sessions,)
    dates : DatetimeIndex of shape (n_sessions,)
        NaT where data is NaN.
    """
    if values.empty:
        never = pd.DatetimeIndex(np.full(len(sessions), np.datetime64("NaT", "ns")))
        return Known(np.full(len(sessions), np.nan), never)
    days = pd.DatetimeIndex(values.index).as_unit("ns").asi8
    rows = sessions.as_unit("ns").asi8
    in_time = np.searchsorted(np.maximum.accumulate(stamps), opens, side="left")
    place = np.minimum(in_time, np.searchsorted(days, rows, side="right")) - 1
    age = np.arange(len(rows)) - (np.searchsorted(rows, days[place], side="right") - 1)
    fresh = (place >= 0) & (age <= max_age_sessions)
    found = np.where(fresh, values.to_numpy(dtype=np.float64)[place], np.nan)
    dates = np.where(fresh, days[place], np.iinfo(np.int64).min)
    return Known(found, pd.DatetimeIndex(dates.astype("M8[ns]")))
