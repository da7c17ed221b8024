"""A made-up market as the gauge's files: a calm year, a crash, a recovery."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from hpi_bt.sources.gauge_data.publication import sessions_between

FIRST, LAST = pd.Timestamp("2021-01-04"), pd.Timestamp("2023-12-29")
DAYS = sessions_between(FIRST, LAST)


def closes(seed: int = 5) -> pd.Series:
    """SPY: a walk upward that loses some 30 % from the 400th session on, then recovers."""
    rng = np.random.default_rng(seed)
    step = rng.normal(0.0006, 0.009, len(DAYS))
    step[400:430] -= 0.012
    step[430:520] += 0.004
    return pd.Series(400.0 * np.exp(np.cumsum(step)), DAYS)


def write_market(folder: Path, until: str | None = None, seed: int = 5) -> Path:
    """Write gauges/ and bars/ as the shipped configs name them, up to a day; return the folder."""
    rng = np.random.default_rng(seed + 1)
    spy = closes(seed)
    vix = 14.0 + 120.0 * (1.0 - spy / spy.rolling(30, min_periods=1).max())
    vix *= np.exp(rng.normal(0.0, 0.05, len(DAYS)))
    vix3m = 0.6 * vix + 8.0
    y10, y2 = (3.0 + np.cumsum(rng.normal(0.0, 0.03, len(DAYS))) for _ in range(2))
    keep = np.ones(len(DAYS), bool) if until is None else pd.Timestamp(until) >= DAYS
    gauges, bars = folder / "gauges", folder / "bars"
    gauges.mkdir(parents=True, exist_ok=True)
    bars.mkdir(exist_ok=True)
    us = [f"{d:%m/%d/%Y}" for d in DAYS]
    for name, values in (("VIX_History.csv", vix), ("VIX3M_History.csv", vix3m)):
        rows = [f"{d},1,1,1,{v:.4f}" for d, v, k in zip(us, values, keep, strict=True) if k]
        (gauges / name).write_text("\n".join(["DATE,OPEN,HIGH,LOW,CLOSE", *rows, ""]))
    rows = [f"{d},4.00,{b:.2f},{a:.2f}" for d, a, b, k in zip(us, y10, y2, keep, strict=True) if k]
    (gauges / "rates.csv").write_text("\n".join(['Date,"3 Mo","2 Yr","10 Yr"', *rows[::-1], ""]))
    rows = [
        f"{d:%Y-%m-%d},{p},{p * 1.01},{p * 0.99},{p},1000"
        for d, p, k in zip(DAYS, spy, keep, strict=True) if k
    ]  # fmt: skip
    text = "\n".join(["Date,Open,High,Low,Close,Volume", *rows, ""])
    (bars / "SPY_daily_adjusted.csv").write_text(text)
    return folder
