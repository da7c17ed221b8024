"""How many sessions a year has, by which figures are annualised."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from hpi_bt.arrays import IntArray
from hpi_bt.sources.calendars import exchange_of
from hpi_bt.sources.hours import calendar_sessions

US_EQUITIES = 252  # by convention; its years have 249 to 253
_COUNTED = (2015, 2024)  # fixed, so that one calendar gives one number whatever the data
_DAYS = 365.2425
_WEEKS = _DAYS / 7.0
_FEWER = (0.9, 0.985)  # of the calendar's sessions; below it bars have holes, above it all is well
_LONG = 2.0 * _DAYS


def sessions_per_year(frame: pd.DataFrame) -> int:
    """Return how many of a frame's sessions make a year.

    Parameters
    ----------
    frame : DataFrame
        Bars with `session`, and `attrs["calendar"]` where it is known.

    Returns
    -------
    sessions : int
        Of daily and intraday bars what the calendar has: 252 for US equities, 365 for 24/7, else
        the mean of 2015 to 2024 (258 for CMES). Bars of two years or more may lack up to a tenth
        of these, as daily futures do that have none on half holidays: then what they have, by
        convention 252 where that is 250 to 254. Without a calendar 252, 313 or 365, as the dates
        fall on 5, 6 or 7 days of the week. Of rarer sessions (weekly or monthly bars) as many as
        there are: 52, 12. At least 1.
    """
    sessions = np.unique(frame["session"].to_numpy(dtype=np.int64))
    gaps = np.diff(sessions)
    usual = float(np.median(gaps)) if gaps.size else 1.0
    if usual >= 2.0:
        return max(round(_DAYS / float(gaps[gaps <= 2.0 * usual].mean())), 1)
    known = _of_calendar(str(frame.attrs.get("calendar", "")))
    if known is None:
        return _by_weekdays(sessions)
    return known if known == US_EQUITIES else _as_held(sessions, known)


def _as_held(sessions: IntArray, known: int) -> int:
    """Return the sessions a year that bars hold where a calendar counts some that they lack."""
    span = float(sessions[-1] - sessions[0]) if sessions.size else 0.0
    held = (sessions.size - 1) / span * _DAYS if span >= _LONG else float(known)
    if not _FEWER[0] * known <= held < _FEWER[1] * known:
        return known
    return US_EQUITIES if abs(held - US_EQUITIES) <= 2.0 else round(held)


@cache
def _of_calendar(name: str) -> int | None:
    """Return the sessions a year of a calendar, None where it is not known or cannot count."""
    if not name:
        return None
    from exchange_calendars import resolve_alias
    from exchange_calendars.errors import InvalidCalendarName

    try:
        if resolve_alias(exchange_of(name)) == "XNYS":
            return US_EQUITIES
        days = calendar_sessions(name, *_COUNTED)
    except (InvalidCalendarName, ValueError):  # ValueError: it does not reach over these years
        return None
    return round((days.size - 1) / float(days[-1] - days[0]) * _DAYS)


def _by_weekdays(sessions: IntArray) -> int:
    """Return the sessions a year of a market that is open on the days of the week of these."""
    count = np.bincount(sessions % 7, minlength=7)
    days = int((count > 0.5 * count.max(initial=1)).sum())
    return US_EQUITIES if days <= 5 else round(days * _WEEKS)
