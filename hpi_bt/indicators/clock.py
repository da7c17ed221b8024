"""The session and the slot of the day of a feed that has no such columns: its local clock."""

from __future__ import annotations

import warnings
from typing import Any

import backtrader as bt
import numpy as np

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import Note, Severity
from hpi_bt.indicators.bulk import Bulk

_DAY = 1440.0
_ENOUGH = 20_000  # bars; if nothing has been odd so far, nothing will be
CUT_AT_MIDNIGHT = Note(
    Severity.WARNING,
    "sessions-cut-at-midnight",
    "bars run on across midnight and pause at another hour, and without a column session each date "
    "counts as a session: what restarts with the session does so at midnight; add the column, as "
    "hpi_bt.sources.hours.add_hours does",
)


class Clock(Bulk):
    """Local date (session) and minute of the day (slot) of a data without those columns."""

    lines: Any = ("session", "slot")
    params: Any = dict(sessions=True)  # whether anybody takes its dates for sessions
    plotinfo = dict(plot=False)

    def __init__(self) -> None:
        super().__init__()
        # the bars so far, where there is something to warn of that was not said yet
        self._minutes: list[float] | None = [] if self.p.sessions else None

    def next(self) -> None:
        """Read the clock at this bar."""
        now = self.data.datetime.datetime(0)
        session, slot = now.toordinal(), now.hour * 60 + now.minute
        self.lines.session[0], self.lines.slot[0] = session, slot
        before, minute = self._minutes, _DAY * session + slot
        if before is None or (before and minute <= before[-1]):  # a bar may come again
            return
        before.append(minute)
        if before[-2:-1] and before[-2] // _DAY != session:
            self._judge(np.array(before))

    def _judge(self, minutes: FloatArray) -> None:
        if crosses_midnight(minutes):
            warnings.warn(str(CUT_AT_MIDNIGHT), stacklevel=2)
            self._minutes = None
        elif minutes.size > _ENOUGH:
            self._minutes = None

    def once(self, start: int, end: int) -> None:
        """Read the clock at every bar from `start` to `end`."""
        stamps, session, slot = self.data.datetime, self.lines.session, self.lines.slot
        for i in range(start, end):
            now = bt.num2date(stamps.array[i], tz=stamps._tz)
            session.array[i] = now.toordinal()
            slot.array[i] = now.hour * 60 + now.minute
        if end == len(stamps.array) and self._minutes is not None:
            self._judge(_DAY * np.array(session.array[:end]) + np.array(slot.array[:end]))

    prenext = nextstart = next

    def preonce(self, start: int, end: int) -> None:
        """Read it on the warm-up bars too."""
        self.once(start, end)

    oncestart = preonce


def crosses_midnight(minutes: FloatArray) -> bool:
    """Return whether intraday bars have sessions that run on across midnight.

    Parameters
    ----------
    minutes : ndarray of shape (n_bars,)
        Minutes from some midnight to each close, on the wall clock.

    Returns
    -------
    bool
        Bars follow one another at midnight, and pause at one other time of most days (or there is
        a single session). A market that never pauses has no session but the date.
    """
    step = np.diff(minutes)
    usual = float(np.median(step)) if step.size else _DAY
    on = (np.diff(minutes // _DAY) != 0.0) & (step <= 1.5 * usual)
    if usual >= _DAY / 2.0 or not on.any():
        return False
    if minutes[-1] - minutes[0] < _DAY:
        return True
    pauses = minutes[:-1][(step >= max(30.0, 1.5 * usual)) & (step < _DAY)] % _DAY
    if 2 * pauses.size < int(on.sum()):
        return False
    apart = np.abs((pauses - np.median(pauses) + _DAY / 2.0) % _DAY - _DAY / 2.0)
    return bool((apart <= 60.0).mean() >= 0.6)
