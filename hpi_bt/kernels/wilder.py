"""Wilder's relative strength index and average true range (New Concepts, 1978)."""

from __future__ import annotations

import numpy as np

from hpi_bt.arrays import FloatArray, State, as_series, part
from hpi_bt.kernels.averages import rma
from hpi_bt.kernels.memory import shared
from hpi_bt.kernels.windows import lagged


@shared
def wilder_rsi(x: FloatArray, length: int = 14, *, state: State = None) -> FloatArray:
    """Return Wilder's RSI of `x`, in [0, 100].

    Parameters
    ----------
    x : ndarray of shape (n_bars,)
        Any unit.
    length : int, default=14
        Bars of Wilder's average, seeded by the plain mean of the first `length` changes, as
        TA-Lib and Backtrader do.

    Returns
    -------
    rsi : ndarray of shape (n_bars,)
        100 where the averages hold gains alone, 0 for losses alone, 50 where flat. NaN until
        `length` changes were seen; held across a NaN.
    """
    (x,) = as_series(x)
    change = x - lagged(x, 1, state=part(state, "previous"))
    gain = rma(np.maximum(change, 0.0), length, state=part(state, "gain"))
    loss = rma(np.maximum(-change, 0.0), length, state=part(state, "loss"))
    total = gain + loss
    out = np.where(total == 0.0, 50.0, np.nan)
    np.divide(100.0 * gain, total, out=out, where=total > 0.0)
    return out


@shared
def wilder_atr(
    high: FloatArray, low: FloatArray, close: FloatArray, length: int = 14, *, state: State = None
) -> FloatArray:
    """Return Wilder's average true range, in price units, >= 0.

    True range = max(high, previous close) - min(low, previous close); the first bar has none, so
    the first value stands at bar `length` (counted from 0), as in TA-Lib. Held across a NaN.
    """
    high, low, close = as_series(high, low, close)
    before = lagged(close, 1, state=part(state, "previous"))
    true_range = np.maximum(high, before) - np.minimum(low, before)
    return rma(true_range, length, state=part(state, "range"))
