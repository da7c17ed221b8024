"""The compiled search for the spot at which a book's gamma changes its sign."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from hpi_bt.arrays import FloatArray

NOTHING = 1e-13  # net gamma over gross gamma that is no more than rounding
HALVINGS = 60


@njit(cache=True, nogil=True)
def net_share(
    x: float,
    offset: FloatArray,
    deviation: FloatArray,
    weight: FloatArray,
    scratch: FloatArray,
) -> float:
    """Return the book's gamma over its gross gamma, in [-1, 1], at spot times e^x.

    gamma_i = weight_i exp(-d1_i^2/2) up to a factor common to all, d1_i = (x + offset_i)/
    deviation_i. The largest exponential is taken out, so that nothing underflows however far
    spot is from the strikes. 0 where the net is no more than rounding.
    """
    top = -math.inf
    for i in range(offset.size):
        d1 = (x + offset[i]) / deviation[i]
        scratch[i] = -0.5 * d1 * d1
        top = max(top, scratch[i])
    net = gross = 0.0
    for i in range(offset.size):
        below = scratch[i] - top
        if below > -45.0:
            one = weight[i] * math.exp(below)
            net += one
            gross += abs(one)
    share = net / gross if gross > 0.0 else 0.0
    return share if abs(share) > NOTHING else 0.0


@njit(cache=True, nogil=True)
def _root(
    low: float,
    high: float,
    offset: FloatArray,
    deviation: FloatArray,
    weight: FloatArray,
    scratch: FloatArray,
) -> float:
    """Return the relative move of spot between `low` and `high` where the sign changes."""
    start = net_share(math.log1p(low), offset, deviation, weight, scratch)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        value = net_share(math.log1p(middle), offset, deviation, weight, scratch)
        if value == 0.0:
            return middle
        if (value > 0.0) == (start > 0.0):
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@njit(cache=True, nogil=True)
def nearest_crossing(
    moves: FloatArray, offset: FloatArray, deviation: FloatArray, weight: FloatArray
) -> float:
    """Return the relative move of spot, nearest to 0, at which the book's gamma changes sign.

    `moves` are the relative moves at which signs are compared, ascending from above 0, on both
    sides of spot; NaN where no two neighbours differ.
    """
    scratch = np.empty(offset.size)
    here = net_share(0.0, offset, deviation, weight, scratch)
    sign, last = np.array([here, here]), np.zeros(2)
    for move in moves:
        found, best = False, math.inf
        for side in range(2):
            at = move if side == 0 else -move
            value = net_share(math.log1p(at), offset, deviation, weight, scratch)
            if value == 0.0:
                continue
            if sign[side] * value < 0.0:
                root = _root(last[side], at, offset, deviation, weight, scratch)
                if not found or abs(root) < abs(best):
                    found, best = True, root
            sign[side], last[side] = value, at
            if sign[1 - side] == 0.0:  # spot itself is on the root, or far from all gamma
                sign[1 - side], last[1 - side] = value, at
        if found:
            return best
    return math.nan
