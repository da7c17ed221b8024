"""What a run in somebody's own Cerebro has to say of itself, beside its indicators' remarks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.errors import Note, Severity
from hpi_bt.indicators.clock import CUT_AT_MIDNIGHT, crosses_midnight


def notes_of(strategy: Any, frame: pd.DataFrame) -> list[Note]:
    """Return what a finished strategy must say of its account and of its sessions.

    Parameters
    ----------
    strategy : bt.Strategy
        After its last bar.
    frame : DataFrame
        The bars of its first data.
    """
    return [*_shared_account(strategy), *_cut_sessions(strategy.data, frame)]


def _shared_account(strategy: Any) -> list[Note]:
    """Return a warning where several strategies trade one account."""
    every = list(getattr(strategy.cerebro, "runningstrats", ()))
    if len(every) < 2:
        return []
    names = ", ".join(type(one).__name__ for one in every)
    text = (
        f"the account is shared by {len(every)} strategies ({names}): equity, returns and position "
        "are those of all together, trades and alerts those of this one; run each in a Cerebro of "
        "its own to tell them apart"
    )
    return [Note(Severity.WARNING, "shared-account", text)]


def _cut_sessions(data: Any, frame: pd.DataFrame) -> list[Note]:
    """Return a warning where dates, taken for sessions, cut them in two."""
    if "session" in data.lines.getlinealiases():
        return []
    stamps = pd.DatetimeIndex(frame.index).tz_localize(None).as_unit("s")
    minutes = np.asarray(stamps.asi8, dtype=np.float64) / 60.0
    return [CUT_AT_MIDNIGHT] if crosses_midnight(minutes) else []
