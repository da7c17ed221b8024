"""The robust line through call - put against strike, one expiry at a time (compiled).

Plain loops and a sort of our own: numba takes seconds to compile numpy's sorting and medians.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from hpi_bt.arrays import BoolArray, FloatArray

REACH = 1.5  # straddles from the forward within which a pair counts
ROUNDS = 6  # of reweighting


def near_the_money(
    strike: FloatArray, gap: FloatArray, straddle: FloatArray, discount: float
) -> BoolArray:
    """Return whether pairs are within REACH straddles of the forward, or the nearest five.

    All of shape (n_pairs,), n_pairs at least 1. The forward is the median of strike +
    gap/discount over the nine pairs with the smallest |gap|.
    """
    closest = np.argsort(np.abs(gap), kind="stable")[:9]
    forward = _middle(np.sort(strike[closest] + gap[closest] / discount))
    away = np.abs(strike - forward)
    ranked = np.argsort(away, kind="stable")
    keep = np.asarray(away <= REACH * _middle(np.sort(straddle[ranked[:3]])))
    keep[ranked[:5]] = True
    return keep


def _middle(ordered: FloatArray) -> float:
    """Return the median of sorted values."""
    n = len(ordered)
    return 0.5 * float(ordered[(n - 1) // 2] + ordered[n // 2])


@njit(cache=True, nogil=True)
def _median(values: FloatArray) -> float:
    """Return the median of values, which are sorted in place (Shell's sort)."""
    n = values.size
    gap = n // 2
    while gap > 0:
        for i in range(gap, n):
            one, j = values[i], i
            while j >= gap and values[j - gap] > one:
                values[j] = values[j - gap]
                j -= gap
            values[j] = one
        gap //= 2
    return float(0.5 * (values[(n - 1) // 2] + values[n // 2]))


@njit(cache=True, nogil=True)
def _reweigh(
    residual: FloatArray, half: FloatArray, weight: FloatArray, scratch: FloatArray
) -> int:
    """Fill in the biweight of each pair, 0 beyond 3 scales; return how many are above 0.

    A scale is at least `half`.
    """
    for i in range(residual.size):
        scratch[i] = abs(residual[i])
    typical = 1.4826 * _median(scratch)
    used = 0
    for i in range(residual.size):
        scale = 3.0 * max(half[i], typical)
        u = residual[i] / scale if scale > 0.0 else 0.0
        weight[i] = (1.0 - u * u) ** 2 if abs(u) < 1.0 else 0.0
        used += weight[i] > 0.0
    return used


@njit(cache=True, nogil=True)
def fixed_slope(
    strike: FloatArray, gap: FloatArray, half: FloatArray, discount: float
) -> tuple[float, int]:
    """Return the forward, a robust mean of strike + gap/discount, and the pairs it used."""
    n = strike.size
    residual, weight, scratch = np.empty(n), np.empty(n), np.empty(n)
    for i in range(n):
        scratch[i] = strike[i] + gap[i] / discount
    start = forward = _median(scratch)
    used = 0
    for _ in range(ROUNDS):
        for i in range(n):
            residual[i] = discount * (strike[i] - forward) + gap[i]
        used = _reweigh(residual, half, weight, scratch)
        total = above = 0.0
        for i in range(n):
            share = weight[i] / (half[i] * half[i] + (1e-5 * start) ** 2)
            total += share
            above += share * residual[i]
        forward += above / (discount * total)
    return forward, used


@njit(cache=True, nogil=True)
def free_slope(
    strike: FloatArray, gap: FloatArray, half: FloatArray, forward: float
) -> tuple[float, float, float, int]:
    """Return the forward and discount of the best line, the discount's error, the pairs used.

    Weighted least squares of gap on (forward - strike), reweighted; n_pairs at least 3. The
    error counts each pair's half-spread as a uniform one.
    """
    n = strike.size
    residual, scratch = np.empty(n), np.empty(n)
    weight, share = np.ones(n), np.empty(n)
    centre = level = squares = slope = 0.0
    used = n
    for _ in range(ROUNDS):
        total = centre = level = squares = product = 0.0
        for i in range(n):
            share[i] = weight[i] / (half[i] * half[i] + (1e-5 * forward) ** 2)
            total += share[i]
        for i in range(n):
            share[i] /= total
            centre += share[i] * (forward - strike[i])
            level += share[i] * gap[i]
        for i in range(n):
            deviation = forward - strike[i] - centre
            squares += share[i] * deviation * deviation
            product += share[i] * deviation * gap[i]
        if not squares > 0.0:
            return math.nan, math.nan, math.nan, 0
        slope = product / squares
        for i in range(n):
            residual[i] = gap[i] - level - slope * (forward - strike[i] - centre)
        used = _reweigh(residual, half, weight, scratch)
    spread = noise = 0.0
    for i in range(n):
        spread += share[i] * residual[i] * residual[i]
    for i in range(n):
        deviation = share[i] * (forward - strike[i] - centre)
        noise += deviation * deviation * max(half[i] * half[i] / 3.0, spread)
    root = forward + level / slope - centre if slope > 0.0 else math.nan
    return root, slope, math.sqrt(noise) / squares, used
