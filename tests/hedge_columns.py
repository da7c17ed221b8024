"""Made-up columns of the feature hedge_flow, for frames that have no option chains."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hpi_bt.features.flow_columns import COLUMNS, REGIME_CODES


def hedge_columns(frame: pd.DataFrame, seed: int = 0, every: int = 4) -> pd.DataFrame:
    """COLUMNS beside a frame: a new snapshot each `every` bars, some of them saying nothing."""
    rng = np.random.default_rng(seed)
    n = len(frame)
    close = frame["close"].to_numpy()
    spot = close[np.arange(n) // every * every]
    blocks = np.arange(n) // every
    unit = 2.0 * float(np.abs(np.diff(close)).mean())

    def drawn(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, blocks[-1] + 1)[blocks]

    out = {c: drawn(-1e5, 1e5) for c in COLUMNS}
    for name, side in (("call_wall", 1.0), ("put_wall", -1.0), ("zero_gamma", 0.5)):
        out[f"hedge_{name}"] = spot + side * unit * drawn(0.5, 4.0)
    for side, sign in (("above", 1.0), ("below", -1.0)):
        out[f"hedge_attractor_{side}"] = spot + sign * unit * drawn(0.5, 3.0)
        for kind in ("stable", "unstable"):
            centre = spot + sign * unit * drawn(0.3, 3.0)
            half = unit * drawn(0.1, 1.0)
            out[f"hedge_{kind}_{side}_low"] = centre - half
            out[f"hedge_{kind}_{side}_high"] = centre + half
            out[f"hedge_{kind}_{side}_strength"] = drawn(0.0, 1.0)
            absent = (drawn(0.0, 1.0) < 0.2)[:, None]
            for part in ("low", "high", "strength"):
                key = f"hedge_{kind}_{side}_{part}"
                out[key] = np.where(absent[:, 0], np.nan, out[key])
    codes = np.array(sorted(REGIME_CODES.values()))
    out["hedge_regime"] = codes[rng.integers(0, len(codes), blocks[-1] + 1)][blocks]
    silent = drawn(0.0, 1.0) < 0.1
    return pd.DataFrame({c: np.where(silent, np.nan, out[c]) for c in COLUMNS}, index=frame.index)


def gamma_columns(frame: pd.DataFrame, seed: int = 0) -> dict[str, np.ndarray]:
    """Columns of the feature gamma_volume: the frame's contracts at made-up dollars of gamma."""
    rng = np.random.default_rng(seed)
    return {
        f"{side}_gamma_{what}": frame[f"{side}_{what}"].to_numpy() * rng.uniform(1e3, 4e3)
        for side in ("put", "call")
        for what in ("volume", "oi")
    }
