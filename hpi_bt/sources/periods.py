"""Weeks and months of sessions: on which session a bar of several days is known."""

from __future__ import annotations

import numpy as np

from hpi_bt.arrays import BoolArray, IntArray
from hpi_bt.errors import Note, Severity
from hpi_bt.sources.calendars import DAY, covering
from hpi_bt.sources.stamps import StampRules
from hpi_bt.sources.steps import are_daily, refuse_daily_dates, refuse_other_days, usual_step

_DAILY = 1440.0
_WEEK = 7
_MONTH = 365.2425 / 12
_THURSDAY = 3  # 1970-01-01


class Sessions:
    """The sessions around some days (from 1970-01-01): the calendar's, weekdays where it ends."""

    def __init__(self, days: IntArray, reach: int, calendar: str) -> None:
        """Gather the sessions from `reach` days before the first day to as many after the last."""
        low, high = int(days.min()) - reach, int(days.max()) + reach
        known = covering(np.array([low, high]) * DAY, calendar).days
        around = np.arange(low, high + 1)
        beyond = (around < known[0]) | (around > known[-1])
        weekday = (around + _THURSDAY) % _WEEK
        self.days: IntArray = np.union1d(known, around[beyond & (weekday < 5)])

    def at_or_after(self, days: IntArray) -> IntArray:
        """Return the first session on or after each day."""
        return self.days[np.searchsorted(self.days, days)]

    def before(self, days: IntArray) -> IntArray:
        """Return the last session before each day."""
        return self.days[np.searchsorted(self.days, days) - 1]

    def after(self, days: IntArray, count: int) -> IntArray:
        """Return the session `count` sessions after each."""
        place = np.searchsorted(self.days, days) + count
        return self.days[np.minimum(place, len(self.days) - 1)]

    def none_between(self, first: IntArray, last: IntArray) -> BoolArray:
        """Return where no session lies from `first` to the day before `last`."""
        none: BoolArray = np.searchsorted(self.days, first) == np.searchsorted(self.days, last)
        return none


def last_sessions(
    days: IntArray, minutes: float, rules: StampRules, calendar: str, notes: list[Note]
) -> tuple[float, IntArray]:
    """Return the length of a bar in minutes, and the session (a day) whose close each bar has.

    Parameters
    ----------
    days : ndarray of shape (n,)
        Sessions or dates of the stamps, in days from 1970-01-01.
    minutes : float
        Length of a bar; 1440 where nothing is said.
    rules : StampRules
        With `bar_label`; dates that are the last sessions of their weeks or months need none.
    calendar : str
        Name of an exchange calendar.
    notes : list of Note
        Where a label that the dates make doubtful is noted.

    Raises
    ------
    InputError
        Dates are a week, a month or more apart and are said or taken to be daily bars; or it is
        not said which end of their period they mark; or they contradict the length.
    """
    length = minutes / _DAILY
    if length < 2.0 and are_daily(days):
        return minutes, days
    declared = rules.bar is not None or rules.bar_minutes is not None
    if length < 2.0:
        length = usual_step(days)
        minutes = (30 * months_of(length) or round(length)) * _DAILY
        refused = declared
    else:
        refuse_other_days(days, length, rules)
        refused = False
    sessions = Sessions(days, round(length) * 2 + 14, calendar)
    different = np.unique(days)
    ends = _nearly_all(are_ends(different, length, sessions))
    starts = _nearly_all(are_starts(different, length, sessions))
    if refused or not (ends or rules.bar_label == "close" or (rules.bar_label and declared)):
        refuse_daily_dates(days, rules)
    if (starts and rules.bar_label == "close") or (ends and rules.bar_label == "open"):
        notes.append(_doubt(rules, length))
    if rules.bar_label == "open":
        return minutes, known_on(days, length, sessions, calendars=starts)
    last = sessions.before(days + 1)
    return minutes, np.where(days - last <= 3, last, days)


def _nearly_all(which: BoolArray) -> bool:
    """Return whether nine in ten are so; the newest row may be of a week that is not over."""
    return bool(np.mean(which[:-1] if len(which) > 1 else which) >= 0.9)


def _doubt(rules: StampRules, length: float) -> Note:
    period = "month" if months_of(length) else "week"
    if rules.bar_label == "close":
        text = f"bar_label is close, but each date is the first session of its {period}: if a bar "
        text += "begins there, it is seen before it ends; set bar_label: open then"
    else:
        text = f"bar_label is open, but each date is the last session of its {period}: if a bar "
        text += f"ends there, it is seen a {period} late; set bar_label: close then"
    return Note(Severity.WARNING, "doubtful-label", text, rules.name)


def months_of(days: float) -> int:
    """Return how many months a length in days is, 0 below four weeks."""
    return 0 if days < 4 * _WEEK else max(1, round(days / _MONTH))


def known_on(begin: IntArray, length: float, sessions: Sessions, *, calendars: bool) -> IntArray:
    """Return the last session of the periods that begin on these days; shape (n,).

    Parameters
    ----------
    begin : ndarray of shape (n,)
        Days from 1970-01-01.
    length : float
        Days of a period; 7 is a week, 28 and more are whole months.
    sessions : Sessions
        Those around the days.
    calendars : bool
        Whether the periods are calendar weeks (Monday to Sunday) or months, which a holiday or
        the first bar of a file may begin late; else they last `length` days or whole months.

    Notes
    -----
    Periods of a few days last as many sessions. A Sunday without a session begins the week of the
    session after it.
    """
    first = sessions.at_or_after(begin)
    first = np.where(first - begin <= 3, first, begin)
    if length % _WEEK and not months_of(length):
        return sessions.after(first, round(length) - 1)
    end = _calendar_period(first, length)[1] if calendars else _plus(begin, length)
    return np.maximum(sessions.before(end), begin)


def are_ends(days: IntArray, length: float, sessions: Sessions) -> BoolArray:
    """Return which days are the last session of their calendar week or month; shape (n,).

    Fridays and the last weekdays of months are ends also where markets are open every day; a
    Sunday never is: weeks of Sunday to Saturday begin with it.
    """
    _, end = _calendar_period(days, length)
    last = sessions.none_between(days + 1, end)
    weekday = (days + _THURSDAY) % _WEEK
    own = ~sessions.none_between(days, days + 1)
    months = months_of(length) > 0
    friday = (weekday == 4) & (end - days <= 3)
    ends: BoolArray = friday | last & (months | (weekday < 5) | own & (weekday < 6))
    return ends


def are_starts(days: IntArray, length: float, sessions: Sessions) -> BoolArray:
    """Return which days begin their calendar week or month: no session of it comes earlier."""
    start, _ = _calendar_period(days, length)
    return sessions.none_between(start, days)


def _calendar_period(days: IntArray, length: float) -> tuple[IntArray, IntArray]:
    """Return the first day of each day's week, or month, and the first after its period."""
    count = months_of(length)
    if count:
        month = days.astype("M8[D]").astype("M8[M]")
        end = (month + count).astype("M8[D]").astype(np.int64)
        return month.astype("M8[D]").astype(np.int64), end
    start = days - (days + _THURSDAY) % _WEEK
    return start, start + max(_WEEK, round(length))


def _plus(days: IntArray, length: float) -> IntArray:
    """Return the days after whole days, or whole months: 31 days where their dates vary."""
    count = months_of(length)
    if not count:
        return days + max(1, round(length))
    month = days.astype("M8[D]").astype("M8[M]")
    date = days - month.astype("M8[D]").astype(np.int64)
    if (date != date[0]).any():
        return days + 31 * count
    later: IntArray = (month + count).astype("M8[D]").astype(np.int64) + date
    return later
