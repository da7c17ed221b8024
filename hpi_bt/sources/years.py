"""How many sessions a year has, by which figures are annualised."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from hpi_bt.arrays import IntArray
from hpi_bt.sources.calendars import exchange_of
from hpi_bt.sources.hours import calendar_sessions

YEAR_DAYS = 365.2425
US_EQUITIES = 252  # by convention; its years have 249 to 253
_LEAST = 21  # sessions; fewer do not show how many a year has
_COUNTED = (2015, 2024)  # fixed, so that one calendar gives one number whatever the data
_WEEKS = YEAR_DAYS / 7.0


def sessions_per_year(frame: pd.DataFrame) -> float:
    """Return the sessions with bars per elapsed year of a frame.

    Parameters
    ----------
    frame : DataFrame
        Bars with `session`, and `attrs["calendar"]` where it is known.

    Returns
    -------
    sessions : float
        Sessions with bars over elapsed years, 365.2425 days each, from the first session to the
        last; at least 1. Fewer than 21 do not show it: then what the calendar has (252 for US
        equities, 365 for 24/7, else the mean of 2015 to 2024), without a calendar 252, 313 or 365,
        as the dates fall on 5, 6 or 7 days of the week, and of rarer sessions what their step
        makes (52, 12).
    """
    return sessions_a_year(frame["session"].to_numpy(), str(frame.attrs.get("calendar", "")))


def sessions_a_year(ordinals: IntArray, calendar: str = "") -> float:
    """Return the sessions with bars per elapsed year, as `sessions_per_year`, from their dates.

    Parameters
    ----------
    ordinals : ndarray
        `date.toordinal()` of each session, rising; repeated or not.
    calendar : str, default=""
        Which counts where these are too few.
    """
    sessions = np.unique(np.asarray(ordinals, dtype=np.int64))
    if sessions.size >= _LEAST:
        return max(sessions.size / float(sessions[-1] - sessions[0]) * YEAR_DAYS, 1.0)
    gaps = np.diff(sessions)
    usual = float(np.median(gaps)) if gaps.size else 1.0
    if usual >= 2.0:
        return float(max(round(YEAR_DAYS / float(gaps[gaps <= 2.0 * usual].mean())), 1))
    known = _of_calendar(calendar)
    return float(_by_weekdays(sessions) if known is None else known)


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
    return round((days.size - 1) / float(days[-1] - days[0]) * YEAR_DAYS)


def _by_weekdays(sessions: IntArray) -> int:
    """Return the sessions a year of a market that is open on the days of the week of these."""
    count = np.bincount(sessions % 7, minlength=7)
    days = int((count > 0.5 * count.max(initial=1)).sum())
    return US_EQUITIES if days <= 5 else round(days * _WEEKS)
