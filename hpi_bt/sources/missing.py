"""Sessions of the calendar without a bar: how many, and the longest hole."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from hpi_bt.arrays import IntArray
from hpi_bt.errors import Note, Severity
from hpi_bt.sources.calendars import EPOCH
from hpi_bt.sources.hours import calendar_sessions, counted

_MOST = 0.05  # of all sessions, that may be missing without a warning
_LONGEST = 5  # sessions in a row
_RARE_DAYS = 4.0  # between usual sessions: weekly bars and longer lack nothing


def missing_sessions(frame: pd.DataFrame) -> tuple[IntArray, IntArray]:
    """Return the calendar's sessions between the first and the last bar, and those without bars.

    Parameters
    ----------
    frame : DataFrame
        Bars with `session` and `attrs["calendar"]`.

    Returns
    -------
    known, missing : ndarray of int
        Ordinals, rising; empty where there is no calendar, or bars are rarer than sessions.
    """
    none = np.empty(0, dtype=np.int64)
    calendar = str(frame.attrs.get("calendar", ""))
    sessions = np.unique(frame["session"].to_numpy(dtype=np.int64))
    rare = sessions.size > 1 and float(np.median(np.diff(sessions))) >= _RARE_DAYS
    if not calendar or not sessions.size or rare:
        return none, none
    first, last = (date.fromordinal(int(day)).year for day in sessions[[0, -1]])
    known = calendar_sessions(calendar, first, last) + EPOCH
    known = known[(known >= sessions[0]) & (known <= sessions[-1])]
    return known, np.setdiff1d(known, sessions)


def missing_notes(frame: pd.DataFrame) -> list[Note]:
    """Return what is to be said of sessions without a bar: a warning where there are many.

    Many are more than 5 % of the calendar's, or 5 in a row.
    """
    known, missing = missing_sessions(frame)
    if not missing.size:
        return []
    places = np.searchsorted(known, missing)
    holes = np.split(missing, np.flatnonzero(np.diff(places) > 1) + 1)
    longest = max(holes, key=len)
    share = missing.size / known.size
    days = [date.fromordinal(int(day)).isoformat() for day in longest[[0, -1]]]
    where = f"{days[0]} to {days[1]}" if len(longest) > 1 else days[0]
    if len(holes) > 1:
        where = f"longest hole {counted(len(longest), 'session')}, {where}"
    calendar = frame.attrs["calendar"]
    text = f"{missing.size:,} of {known.size:,} sessions of {calendar} have no bar ({where})"
    if share > _MOST or len(longest) >= _LONGEST:
        return [Note(Severity.WARNING, "missing-sessions", f"{text}; figures span the hole")]
    return [Note(Severity.INFO, "missing-sessions", text)]
