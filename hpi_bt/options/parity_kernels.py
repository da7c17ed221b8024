"""The compiled robust line through call - put against strike, one expiry at a time."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from hpi_bt.arrays import FloatArray

REACH = 1.5  # straddles from the forward within which a pair counts
ROUNDS = 6  # of reweighting


@njit(cache=True, nogil=True)
def near_the_money(
    strike: FloatArray, gap: FloatArray, straddle: FloatArray, discount: float
) -> FloatArray:
    """Return 1.0 for the pairs within REACH straddles of the forward, and for the nearest five.

    All of shape (n_pairs,), n_pairs at least 1. The forward is the median of strike +
    gap/discount over the nine pairs with the smallest |gap|.
    """
    closest = np.argsort(np.abs(gap), kind="mergesort")[:9]
    forward = np.median(strike[closest] + gap[closest] / discount)
    away = np.abs(strike - forward)
    ranked = np.argsort(away, kind="mergesort")
    reach = REACH * np.median(straddle[ranked[:3]])
    keep = np.zeros(strike.size)
    for i in range(strike.size):
        if away[i] <= reach:
            keep[i] = 1.0
    keep[ranked[:5]] = 1.0
    return keep


@njit(cache=True, nogil=True)
def _reweigh(residual: FloatArray, half: FloatArray, weight: FloatArray) -> None:
    """Fill in the biweight of each pair, 0 beyond 3 scales; a scale is at least `half`."""
    typical = 1.4826 * np.median(np.abs(residual))
    for i in range(residual.size):
        scale = 3.0 * max(half[i], typical)
        u = residual[i] / scale if scale > 0.0 else 0.0
        weight[i] = (1.0 - u * u) ** 2 if abs(u) < 1.0 else 0.0


@njit(cache=True, nogil=True)
def _used(weight: FloatArray) -> int:
    count = 0
    for one in weight:
        count += one > 0.0
    return count


@njit(cache=True, nogil=True)
def fixed_slope(
    strike: FloatArray, gap: FloatArray, half: FloatArray, discount: float
) -> tuple[float, int]:
    """Return the forward, a robust mean of strike + gap/discount, and the pairs it used."""
    at = strike + gap / discount
    forward = np.median(at)
    precision = 1.0 / (half * half + (1e-5 * forward) ** 2)
    weight = np.ones(at.size)
    for _ in range(ROUNDS):
        _reweigh(discount * (at - forward), half, weight)
        share = weight * precision
        forward = (share * at).sum() / share.sum()
    return forward, _used(weight)


@njit(cache=True, nogil=True)
def free_slope(
    strike: FloatArray, gap: FloatArray, half: FloatArray, forward: float
) -> tuple[float, float, float, int]:
    """Return the forward and discount of the best line, the discount's error, the pairs used.

    Weighted least squares of gap on (forward - strike), reweighted; n_pairs at least 3. The
    error counts each pair's half-spread as a uniform one.
    """
    x = forward - strike
    precision = 1.0 / (half * half + (1e-5 * forward) ** 2)
    weight = np.ones(x.size)
    share, deviation, residual = precision, x, x
    centre = slope = level = squares = 0.0
    for _ in range(ROUNDS):
        share = weight * precision
        share = share / share.sum()
        centre = (share * x).sum()
        deviation = x - centre
        squares = (share * deviation * deviation).sum()
        if not squares > 0.0:
            return math.nan, math.nan, math.nan, 0
        level = (share * gap).sum()
        slope = (share * deviation * gap).sum() / squares
        residual = gap - level - slope * deviation
        _reweigh(residual, half, weight)
    noise = np.maximum(half * half / 3.0, (share * residual * residual).sum())
    error = math.sqrt((share * share * deviation * deviation * noise).sum()) / squares
    root = forward + level / slope - centre if slope > 0.0 else math.nan
    return root, slope, error, _used(weight)
