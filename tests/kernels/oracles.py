"""Other people's indicators: TA-Lib, and Backtrader's own in a small Cerebro."""

from __future__ import annotations

import numpy as np

from kernels.market import Array


def walk(seed: int, n: int, magnitude: float) -> Array:
    """A positive random walk around 100 `magnitude`."""
    steps = np.random.default_rng(seed).normal(scale=0.01, size=n)
    return magnitude * 100.0 * np.exp(np.cumsum(steps))


def backtrader_lines(x: Array, periods: dict[str, int]) -> dict[str, Array]:
    """Backtrader's indicators of the close `x`, by name, run bar by bar in a Cerebro."""
    import backtrader as bt
    import pandas as pd

    class Keep(bt.Strategy):
        def __init__(self):
            self.kept = {n: getattr(bt.ind, n)(self.data, period=p) for n, p in periods.items()}

    stamps = pd.date_range("2001-01-01", periods=x.size)
    frame = pd.DataFrame({"open": x, "high": x, "low": x, "close": x}, index=stamps)
    cerebro = bt.Cerebro()
    cerebro.adddata(bt.feeds.PandasData(dataname=frame, volume=None, openinterest=None))
    cerebro.addstrategy(Keep)
    kept = cerebro.run()[0].kept
    return {name: np.array(line.lines[0].array) for name, line in kept.items()}


def worst_relative(got: Array, wanted: Array, size: float) -> float:
    """Largest |difference| over `size`; infinite where one knows a value and the other does not."""
    if not np.array_equal(np.isnan(got), np.isnan(wanted)):
        return np.inf
    return float(np.nanmax(np.abs(got - wanted)) / size)
