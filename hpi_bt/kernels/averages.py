"""Moving averages: one home for each recursion, seeded as Backtrader, Pine and TA-Lib do.

All take a series of shape (n_bars,) and a length in bars and return shape (n_bars,), NaN during
warm-up. Recursive averages (`ema`, `rma`) skip a NaN and hold their last value; windows (`sma`,
`wma`, `hma`) are NaN while one lies in the window, as in pandas.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from hpi_bt.arrays import FloatArray, State, as_series, carried, part
from hpi_bt.kernels.memory import shared

AVERAGES = ("sma", "ema", "rma", "wma", "hma")


def check_length(name: str, value: int, least: int = 1) -> int:
    """Return `value` as int, or refuse a length that is no whole number of at least `least`."""
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(
        value, bool
    )
    if not number or not np.isfinite(value) or value != int(value) or value < least:
        raise ValueError(f"{name} must be a whole number >= {least}, got {value!r}")
    return int(value)


@njit(cache=True, nogil=True)
def _recursive(
    x: FloatArray, period: int, alpha: float, carry: FloatArray, out: FloatArray
) -> None:
    seen, value = carry[0], carry[1]
    for i in range(x.size):
        if not np.isnan(x[i]):
            seen += 1.0
            if seen <= period:
                value += x[i]
                if seen == period:
                    value /= period
            else:
                value += alpha * (x[i] - value)
        out[i] = value if seen >= period else np.nan
    carry[0], carry[1] = seen, value


@njit(cache=True, nogil=True)
def _weighted(
    x: FloatArray, weights: FloatArray, ring: FloatArray, carry: FloatArray, out: FloatArray
) -> None:
    n = weights.size
    total_weight = weights.sum()
    head, seen = int(carry[0]), carry[1]
    for i in range(x.size):
        ring[head] = x[i]
        head = head + 1 if head + 1 < n else 0  # the oldest value
        seen += 1.0
        if seen < n:
            out[i] = np.nan
            continue
        total = 0.0
        for k in range(head, n):
            total += weights[k - head] * ring[k]
        for k in range(head):
            total += weights[n - head + k] * ring[k]
        out[i] = total / total_weight
    carry[0], carry[1] = head, seen


def _recursive_average(x: FloatArray, period: int, alpha: float, state: State) -> FloatArray:
    (x,) = as_series(x)
    out = np.empty_like(x)
    _recursive(x, period, alpha, carried(state, "carry", 2), out)
    return out


def _window_average(x: FloatArray, weights: FloatArray, state: State) -> FloatArray:
    (x,) = as_series(x)
    out = np.empty_like(x)
    _weighted(x, weights, carried(state, "ring", weights.size), carried(state, "carry", 2), out)
    return out


@shared
def ema(x: FloatArray, period: int, *, state: State = None) -> FloatArray:
    """Return the exponential average, alpha = 2/(period + 1), seeded by the first `period` mean.

    NaN before `period` values have been seen; a NaN leaves it unchanged.
    """
    period = check_length("period", period)
    return _recursive_average(x, period, 2.0 / (period + 1.0), state)


@shared
def rma(x: FloatArray, period: int, *, state: State = None) -> FloatArray:
    """Return Wilder's average, alpha = 1/period, seeded by the mean of the first `period`.

    NaN before `period` values have been seen; a NaN leaves it unchanged.
    """
    period = check_length("period", period)
    return _recursive_average(x, period, 1.0 / period, state)


@shared
def sma(x: FloatArray, period: int, *, state: State = None) -> FloatArray:
    """Return the plain mean of the last `period` bars; NaN before, or where one of them is NaN."""
    return _window_average(x, np.ones(check_length("period", period)), state)


@shared
def wma(x: FloatArray, period: int, *, state: State = None) -> FloatArray:
    """Return the mean weighted 1..period, newest heaviest; NaN as for `sma`."""
    return _window_average(x, np.arange(1.0, check_length("period", period) + 1.0), state)


@shared
def hma(x: FloatArray, period: int, *, state: State = None) -> FloatArray:
    """Return Hull's average wma(2 wma(x, period/2) - wma(x, period), sqrt(period)).

    Both lengths are rounded down, as in Pine; the first value stands at bar
    period + floor(sqrt(period)) - 2 (counted from 0).
    """
    period = check_length("period", period, least=2)
    half = wma(x, period // 2, state=part(state, "half"))
    whole = wma(x, period, state=part(state, "whole"))
    return wma(2.0 * half - whole, int(period**0.5), state=part(state, "root"))


@shared
def moving_average(x: FloatArray, period: int, kind: str, *, state: State = None) -> FloatArray:
    """Return the average called `kind`: one of sma, ema, rma, wma, hma.

    Raises
    ------
    ValueError
        `kind` is none of them, or `period` is no whole number >= 1 (hma: 2).
    """
    averages = {"sma": sma, "ema": ema, "rma": rma, "wma": wma, "hma": hma}
    if kind not in averages:
        raise ValueError(f"average must be one of {', '.join(AVERAGES)}, got {kind!r}")
    return averages[kind](x, period, state=part(state, kind))
