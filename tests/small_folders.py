"""Result folders made by hand: what `hpi-bt run` writes, as far as `compare` reads it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

CASH = 1000.0
TRADE = {
    **{"data": "ES", "direction": 1, "size": 1.0, "entry_price": 100.0, "exit_price": 101.0},
    **{"pnl": 1.0, "commission": 0.0, "bars": 3, "exit_reason": "", "status": "closed"},
}


def make_run(
    results: Path,
    name: str,
    returns: Sequence[float],
    *,
    start: str = "2024-01-01",
    dates: pd.DatetimeIndex | None = None,
    bars_a_day: int = 2,
    trades: Sequence[dict[str, Any]] = (),
    params: dict[str, Any] | None = None,
    folder: str = "",
    **summary: Any,
) -> Path:
    """Write a run that earned these session returns, one business day each; return its folder."""
    days = pd.bdate_range(start, periods=len(returns)) if dates is None else dates
    stamps = [d + pd.Timedelta(hours=16 - k) for d in days for k in range(bars_a_day)[::-1]]
    index = pd.DatetimeIndex(stamps, name="close_time").tz_localize("America/New_York")
    worth = CASH * np.cumprod(1.0 + np.asarray(returns, dtype=float))
    own = results / (folder or f"{name}-20240101T000000-abc")
    own.mkdir(parents=True)
    position = np.tile([0.0] * (bars_a_day - 1) + [1.0], len(days))
    equity = pd.DataFrame({"equity": worth.repeat(bars_a_day), "position": position}, index=index)
    equity.to_parquet(own / "equity.parquet")
    session = [float(d.toordinal()) for d in days for _ in range(bars_a_day)]
    pd.DataFrame({"session": session}, index=index).to_parquet(own / "signals.parquet")
    frame = pd.DataFrame(
        [TRADE | trade for trade in trades],
        columns=[*TRADE, "net", "entry_bar", "exit_bar", "entry_time", "exit_time"],
    )
    frame.to_csv(own / "trades.csv", index=False)
    params = {"fast": 5} | (params or {})
    told = {
        **{"name": name, "symbol": "ES", "demo": "", "params": params, "remarks": [], "notes": []},
        **{"start_value": CASH, "total_return": worth[-1] / CASH - 1.0, "sharpe": None},
        **{"max_drawdown": 0.0, "trades": len(trades), "costs": 1.0, "sessions": len(days)},
    }
    (own / "summary.json").write_text(json.dumps(told | summary))
    config = {"name": name, "strategy": {"class": "a.py:A", "params": params}}
    (own / "config.yaml").write_text(yaml.safe_dump(config))
    (own / "env.json").write_text(json.dumps({"data_fingerprint": "d" * 40}))
    return own
