"""The one market that everybody runs: full sessions of simulated minutes, and the run's config."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

import pandas as pd

from hpi_bt import load_frame

SESSIONS, MINUTES = 252, 390  # 98,280 bars
RULES = "strategies/flow_bias.py:FlowBias"
ORDERS: dict[str, Any] = {
    "size": {"kind": "risk", "percent": 0.25},
    "stop": {"kind": "atr", "period": 14, "multiple": 6.0},
    "time_stop_bars": 120,
    "flat_at_close": True,
}
BROKER: dict[str, Any] = {
    "cash": 100_000.0,
    "commission": {"kind": "per_share", "amount": 0.005},
    "slippage_bps": 0.5,
}
#: 1,000 points: 100 signals times 10 ways of leaving.
GRID: dict[str, list[Any]] = {
    "smoothing": [5, 10, 15, 20, 30],
    "zscore_lookback": [50, 75, 100, 150, 200],
    "enter": [0.75, 1.0, 1.25, 1.5],
    "orders.stop.multiple": [2.0, 3.0, 4.0, 6.0, 8.0],
    "orders.time_stop_bars": [60, 120],
}


def config(source: dict[str, Any] | None = None, scale: str = "standard") -> dict[str, Any]:
    """Return the shipped demo's run, over the demo market or another source."""
    demo = {"kind": "demo", "symbol": "IWM", "seed": 7, "edge": 0.03, "start": date(2012, 1, 3)}
    return {
        "name": "bench",
        "data": {"source": source or demo, "calendar": "XNYS"},
        "strategy": {"class": RULES, "params": {"scale": scale}},
        "orders": ORDERS,
        "broker": BROKER,
    }


@cache
def bars(sessions: int = SESSIONS) -> pd.DataFrame:
    """Return exactly `sessions` full sessions of 390 one-minute bars; half days are left out."""
    run = config()
    run["data"]["source"]["sessions"] = sessions + 5 + sessions // 50
    frame = load_frame(run)
    attrs = frame.attrs
    length = frame.groupby("session")["close"].transform("size")
    frame = frame[length == MINUTES].iloc[: sessions * MINUTES]
    frame.attrs = attrs
    if len(frame) != sessions * MINUTES:
        raise RuntimeError(f"{len(frame)} bars where {sessions * MINUTES} were wanted")
    return frame


def grid(points: int) -> dict[str, list[Any]]:
    """Return a part of `GRID` with that many points: 10, 100 or 1,000."""
    parts = {10: (1, 1, 1, 5, 2), 100: (5, 2, 1, 5, 2), 1000: (5, 5, 4, 5, 2)}[points]
    return {name: values[:n] for (name, values), n in zip(GRID.items(), parts, strict=True)}
