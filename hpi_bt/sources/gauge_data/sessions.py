"""SPY's dates against the exchange's: what is no session is left out, what is missing is told."""

from __future__ import annotations

import pandas as pd

from hpi_bt.errors import InputError
from hpi_bt.sources.gauge_data.publication import sessions_between
from hpi_bt.sources.gauge_data.series import Joined
from hpi_bt.sources.hours import counted

_STRAY = 0.01  # share of the dates; beyond, they are another market's, or all are shifted


def on_sessions(spy: Joined, day: pd.Timestamp | None) -> tuple[Joined, list[str]]:
    """Return SPY up to a day on the exchange's sessions alone, and notes on both differences.

    Parameters
    ----------
    spy : Joined
        With at least one close.
    day : Timestamp, optional
        Later dates are left out.

    Raises
    ------
    InputError
        More than 1 % of the dates are no session.
    """
    dates = pd.DatetimeIndex(spy.data.index)
    dates = dates if day is None else dates[dates <= day]
    open_ = sessions_between(dates[0], dates[-1])
    stray, missing = dates.difference(open_), open_.difference(dates)
    if len(stray) > _STRAY * len(dates):
        raise InputError(
            f"spy: {len(stray):,} of {len(dates):,} dates are no session of the exchange, the "
            f"first {stray[0]:%Y-%m-%d}; they are shifted or another market's, give SPY's own"
        )
    notes = []
    if len(stray):
        notes.append(f"spy: no session of the exchange, left out: {_listed(stray)}")
    if len(missing):
        notes.append(
            f"spy: no close on {counted(len(missing), 'session')} of the exchange, which have no "
            f"row: {_listed(missing)}"
        )
    kept = spy.data.index.isin(dates.intersection(open_))
    return spy._replace(
        data=spy.data[kept], stamps=spy.stamps[kept], sources=spy.sources[kept]
    ), notes


def _listed(dates: pd.DatetimeIndex) -> str:
    more = f" and {len(dates) - 5:,} more" if len(dates) > 5 else ""
    return ", ".join(f"{d:%Y-%m-%d}" for d in dates[:5]) + more
