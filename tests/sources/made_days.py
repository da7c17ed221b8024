"""Days of an invented market, for tests of what looks wrong in prices."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hpi_bt.sources.frame import describe
from hpi_bt.sources.hours import add_hours, calendar_sessions, session_close_stamps

CALENDAR = "XNYS"


def sessions(n: int, year: int = 2023) -> pd.DatetimeIndex:
    """Return the first dates of a year and of those after it on which the exchange was open."""
    days = calendar_sessions(CALENDAR, year, year + n // 200 + 1)[:n]
    return pd.DatetimeIndex(days.astype("M8[D]"))


def daily(n: int = 80, *, vol: float = 0.01, seed: int = 1, price: float = 100.0) -> pd.DataFrame:
    """Return daily bars of a random walk, with hours."""
    rng = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(rng.normal(0.0, vol, n)))
    open_ = np.append(price, close[:-1]) * np.exp(rng.normal(0.0, vol / 3, n))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0.0, vol / 3, n)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0.0, vol / 3, n)))
    columns = {"open": open_, "high": high, "low": low, "close": close}
    columns["volume"] = rng.integers(500, 1500, n).astype(float)
    frame = pd.DataFrame(columns, index=session_close_stamps(sessions(n), CALENDAR))
    return hours(frame, 1440.0)


def minutes(n_sessions: int = 6, *, step: int = 30, seed: int = 2) -> pd.DataFrame:
    """Return intraday bars of a random walk, with hours."""
    rng = np.random.default_rng(seed)
    stamps = [
        pd.Timestamp(f"{day:%Y-%m-%d} 09:30", tz="America/New_York")
        + pd.Timedelta(minutes=step * (k + 1))
        for day in sessions(n_sessions)
        for k in range(390 // step)
    ]
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.002, len(stamps))))
    open_ = np.append(100.0, close[:-1])
    columns = {
        "open": open_, "high": np.maximum(open_, close), "low": np.minimum(open_, close),
        "close": close, "volume": 1000.0,
    }  # fmt: skip
    frame = pd.DataFrame(columns, index=pd.DatetimeIndex(stamps, name="close_time"))
    return hours(frame, float(step))


def hours(frame: pd.DataFrame, length: float) -> pd.DataFrame:
    """Return the frame as a source gives it, with hours."""
    made = describe(frame, symbol="T", bar_minutes=length, calendar=CALENDAR)
    return add_hours(made, CALENDAR, bar_minutes=length)


def scaled(frame: pd.DataFrame, first: int, factor: float) -> pd.DataFrame:
    """Return the frame with the prices from a bar on multiplied."""
    names = ["open", "high", "low", "close"]
    out = frame.copy()
    out.iloc[first:, [out.columns.get_loc(n) for n in names]] *= factor
    return out
