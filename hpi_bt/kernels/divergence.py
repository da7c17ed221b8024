"""Divergences of price and an oscillator: between pivots, and at the extremes of a window."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from hpi_bt.arrays import FloatArray, State, as_series, carried, part
from hpi_bt.kernels.averages import check_length
from hpi_bt.kernels.memory import shared
from hpi_bt.kernels.windows import highest, lowest

#: What must pivot for a divergence to be looked for there.
PIVOTS = ("oscillator", "price", "both")


class PivotDivergence(NamedTuple):
    """A divergence on the bar that confirms it, and how old its two pivots are, in bars."""

    divergence: FloatArray
    pivot_age: FloatArray
    previous_pivot_age: FloatArray


@njit(cache=True, nogil=True)
def _is_pivot(ring: FloatArray, oldest: int, sign: float) -> bool:
    """Whether the middle of the ring is its highest (sign +1) or lowest (-1) value."""
    n = ring.size
    middle = sign * ring[(oldest + n // 2) % n]
    if np.isnan(middle):
        return False
    for k in range(n):
        value = sign * ring[(oldest + k) % n]
        if not (value < middle or (k >= n // 2 and value == middle)):
            return False
    return True


@njit(cache=True, nogil=True)
def _pivots(
    prices: FloatArray,
    oscillator: FloatArray,
    by_price: bool,
    by_oscillator: bool,
    min_apart: int,
    max_apart: int,
    hidden: bool,
    rings: FloatArray,
    carry: FloatArray,
    out: FloatArray,
) -> None:
    # row 0: lows (sign -1), row 1: highs (+1); carry[row] = bar, price, oscillator of the last one
    n = rings.shape[1]
    pivot = n // 2
    for i in range(oscillator.size):
        bar = int(carry[2, 0])
        carry[2, 0] += 1.0
        rings[2, bar % n] = oscillator[i]
        out[0, i], out[1, i], out[2, i] = 0.0, np.nan, np.nan
        for row in range(2):
            rings[row, bar % n] = prices[row, i]
        if bar + 1 < n:
            continue
        oldest = (bar + 1) % n
        middle = (oldest + pivot) % n
        for row in range(2):
            sign = 2.0 * row - 1.0
            if by_price and not _is_pivot(rings[row], oldest, sign):
                continue
            if by_oscillator and not _is_pivot(rings[2], oldest, sign):
                continue
            price, value = rings[row, middle], rings[2, middle]
            apart = (bar - pivot) - carry[row, 0]
            further = sign * (price - carry[row, 1])  # above 0: a lower low or a higher high
            stronger = sign * (value - carry[row, 2])
            found = 0.0
            if min_apart <= apart <= max_apart:
                if further > 0.0 and stronger < 0.0:
                    found = -sign
                elif hidden and further < 0.0 and stronger > 0.0:
                    found = -2.0 * sign
            if found != 0.0:
                before = out[0, i]
                if found == -before:  # a low and a high at once say the opposite: neither
                    out[0, i], out[1, i], out[2, i] = 0.0, np.nan, np.nan
                elif before == 0.0 or abs(found) < abs(before):
                    out[0, i], out[1, i], out[2, i] = found, pivot, pivot + apart
            carry[row, 0], carry[row, 1], carry[row, 2] = bar - pivot, price, value


@shared
def pivot_divergence(
    high: FloatArray,
    low: FloatArray,
    oscillator: FloatArray,
    *,
    pivots: str = "oscillator",
    pivot: int = 5,
    min_pivot_gap: int = 5,
    max_pivot_gap: int = 60,
    hidden: bool = False,
    state: State = None,
) -> PivotDivergence:
    """Return divergences between price and an oscillator at pivots, never back-dated.

    A pivot low is a bar whose value is the lowest of `pivot` bars each side (of equal ones the
    first); pivot highs mirror it. Price (the low at pivot lows, the high at pivot highs) and
    oscillator are read on that bar and compared with those of the pivot before it, when at least
    `min_pivot_gap` and at most `max_pivot_gap` bars lie between the two, neither counted: 6 to 61
    bars apart, as TradingView counts.

    Parameters
    ----------
    high, low, oscillator : ndarray of shape (n_bars,)
        Prices in one unit, the oscillator in any.
    pivots : {"oscillator", "price", "both"}, default="oscillator"
        What must pivot: the oscillator, the price, or both on the same bar.
    pivot, min_pivot_gap, max_pivot_gap : int
        In bars.
    hidden : bool, default=False
        Also report a higher low in price with a lower oscillator (+2) and its mirror (-2).

    Returns
    -------
    divergence : ndarray of shape (n_bars,)
        +1 (bullish): lower low in price, higher low in the oscillator. -1 (bearish): higher high
        in price, lower high in the oscillator. Stands on the bar that CONFIRMS the later pivot,
        `pivot` bars after it; else 0. Of a bullish and a bearish one on one bar the regular goes
        before the hidden, and two of a kind are none.
    pivot_age, previous_pivot_age : ndarray of shape (n_bars,)
        Bars back to the two pivots; NaN where there is no divergence.

    Raises
    ------
    ValueError
        `pivots` is another word, a length is no whole number in range, the gaps are in the wrong
        order, or the series differ in length.
    """
    if pivots not in PIVOTS:
        raise ValueError(f"pivots must be one of {', '.join(PIVOTS)}, got {pivots!r}")
    size = 2 * check_length("pivot", pivot) + 1
    nearest = check_length("min_pivot_gap", min_pivot_gap, least=0)
    farthest = check_length("max_pivot_gap", max_pivot_gap)
    if nearest > farthest:
        raise ValueError(f"min_pivot_gap {nearest} is more than max_pivot_gap {farthest}")
    high, low, oscillator = as_series(high, low, oscillator)
    rings = carried(state, "rings", 3 * size, fill=np.nan).reshape(3, size)
    carry = carried(state, "carry", 9, fill=np.nan).reshape(3, 3)
    if np.isnan(carry[2, 0]):
        carry[2, 0] = 0.0
    out = np.empty((3, oscillator.size))
    by_price, by_oscillator = pivots != "oscillator", pivots != "price"
    _pivots(
        np.stack([low, high]), oscillator, by_price, by_oscillator, nearest + 1, farthest + 1,
        bool(hidden), rings, carry, out,
    )  # fmt: skip
    return PivotDivergence(out[0], out[1], out[2])


@shared
def unconfirmed_extreme(
    high: FloatArray,
    low: FloatArray,
    indicator: FloatArray,
    length: int = 14,
    *,
    state: State = None,
) -> FloatArray:
    """Return -1 where price makes a `length`-bar high that the indicator does not, +1 for lows.

    Only the first bar of a run of such bars alerts; a bar that would be both is neither.
    TradeStation's divergence alert. 0 elsewhere, the warm-up included.
    """
    high, low, indicator = as_series(high, low, indicator)
    top = highest(high, length, state=part(state, "high"))
    bottom = lowest(low, length, state=part(state, "low"))
    best = highest(indicator, length, state=part(state, "best"))
    worst = lowest(indicator, length, state=part(state, "worst"))
    bearish = (high == top) & (indicator < best)
    bullish = (low == bottom) & (indicator > worst)
    now = np.stack([bearish, bullish])
    kept = carried(state, "before", 2)
    before = np.concatenate([kept[:, None] != 0.0, now[:, :-1]], axis=1)
    if high.size:
        kept[:] = now[:, -1]
    first = now & ~before
    out: FloatArray = first[1].astype(np.float64) - first[0].astype(np.float64)
    return out
