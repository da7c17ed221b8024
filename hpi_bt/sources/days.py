"""Bars of a day and more: the session whose close each of them has."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import IntArray
from hpi_bt.errors import InputError, Note, Severity
from hpi_bt.sources.calendars import DAY, EPOCH, MINUTE, nanos_of
from hpi_bt.sources.hours import (
    calendar_zone,
    local_stamps,
    next_sessions,
    session_bounds,
    session_ordinals,
)
from hpi_bt.sources.periods import last_sessions
from hpi_bt.sources.stamps import ParsedStamps, StampRules, localized
from hpi_bt.sources.steps import refuse_no_days

_DAILY = 1440.0
_CONTINUOUS = 16 * 60 * MINUTE  # markets that are open longer have sessions that touch
_NEVER = np.iinfo(np.int64).min  # earlier than any moment
_STRADDLE = 120 * MINUTE  # by which a day's bar may reach into the next session, by summer time


class BarEnds(NamedTuple):
    """Closes of bars in the exchange's zone, the length of a bar in minutes, and what to note.

    And the zone in which intraday stamps were read, None where they carry one of their own.
    """

    closes: pd.DatetimeIndex
    minutes: float
    notes: list[Note]
    timezone: str | None = None


def ends_of_days(
    stamps: ParsedStamps,
    dates: pd.DatetimeIndex | None,
    minutes: float,
    rules: StampRules,
    calendar: str,
) -> BarEnds:
    """Return the closes of bars of a day and more; `dates` are those of stamps without a time."""
    notes: list[Note] = []
    late = np.full(len(stamps.wall), _NEVER)  # when a bar ends beyond its session
    if dates is None:
        at = _moments(stamps, rules, calendar, notes)
        refuse_no_days(at, rules)
        days, late = _sessions_of(nanos_of(at), minutes, rules, calendar)
    else:
        days = nanos_of(dates) // DAY
    minutes, days = last_sessions(days, minutes, rules, calendar, notes)
    _, closes, _ = session_bounds(days + EPOCH, calendar)
    return BarEnds(local_stamps(np.maximum(closes, late), calendar), minutes, notes)


def _moments(
    stamps: ParsedStamps, rules: StampRules, calendar: str, notes: list[Note]
) -> pd.DatetimeIndex:
    """Return stamps with a time of day as moments; without a zone they are the exchange's."""
    if stamps.utc is not None:
        return stamps.utc
    if rules.timezone is not None:
        return localized(stamps.wall, rules)
    zone = calendar_zone(calendar)
    text = f"stamps such as {stamps.wall[0]} have no time zone and are taken as {zone}"
    notes.append(Note(Severity.ASSUMPTION, "zone-of-daily-stamps", text, rules.name))
    return localized(stamps.wall, StampRules(rules.name, zone))


def _sessions_of(
    at: IntArray, minutes: float, rules: StampRules, calendar: str
) -> tuple[IntArray, IntArray]:
    """Return the session (days from 1970-01-01) of each daily stamp with a time of day.

    And when its bar ends (UTC ns), where that is well after that session; else `_NEVER`.
    """
    closing = session_ordinals(local_stamps(at, calendar), calendar) - EPOCH
    none = np.full(len(at), _NEVER)
    if rules.bar_label == "close":
        return closing, none
    opening, late = _opening_sessions(at, calendar)
    if rules.bar_label == "open":
        return opening, late if minutes == _DAILY else none
    if (opening != closing).any() and _touching(closing, calendar):
        row = int(np.argmax(opening != closing))
        stamp = local_stamps(at[row : row + 1], calendar)[0]
        raise InputError(
            f"a bar stamped {stamp:%Y-%m-%d %H:%M} ({stamp.tz}) is the session of "
            f"{_date(closing[row])} if that is its close, of {_date(opening[row])} if its open",
            where=rules.name,
            remedy="say which under source (bar_label: open or close)",
        )
    return closing, none


def _date(day: int) -> str:
    return str(np.datetime64(int(day), "D"))


def _touching(days: IntArray, calendar: str) -> bool:
    """Return whether the market is open round the clock, or nearly."""
    opens, closes, _ = session_bounds(days + EPOCH, calendar)
    return bool(np.median(closes - opens) > _CONTINUOUS)


def _opening_sessions(at: IntArray, calendar: str) -> tuple[IntArray, IntArray]:
    """Return the session that holds the minute after each stamp, or is the next to open.

    Where sessions touch, a day's bar belongs to the one that holds most of it; one that reaches
    hours beyond even that is known when it ends (second array, else `_NEVER`).
    """
    begin, end = at + MINUTE, at + DAY
    own = session_ordinals(local_stamps(begin, calendar), calendar)
    following = next_sessions(own, own, calendar)
    _, closes, known = session_bounds(own, calendar)
    none = np.full(len(at), _NEVER)
    if not _touching(own - EPOCH, calendar):
        return np.where(begin > closes, following, own) - EPOCH, none
    weekend = ~known & ((own - 1) % 7 >= 5)
    inside = [_overlap(at, end, session, calendar) for session in (own, following)]
    session = np.where(weekend | (inside[1] > inside[0]), following, own)
    after = next_sessions(session, session, calendar)
    reach = end - session_bounds(after, calendar)[0]
    return session - EPOCH, np.where(reach > _STRADDLE, end, none)


def _overlap(begin: IntArray, end: IntArray, session: IntArray, calendar: str) -> IntArray:
    opens, closes, _ = session_bounds(session, calendar)
    shared: IntArray = np.minimum(closes, end) - np.maximum(opens, begin)
    return shared.clip(min=0)
