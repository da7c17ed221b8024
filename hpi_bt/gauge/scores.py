"""Where today's stress lies between the least and the most that has been seen."""

from __future__ import annotations

import numpy as np
from numba import njit

from hpi_bt.arrays import FloatArray, State, carried


@njit(cache=True, nogil=True)
def _scores(
    values: FloatArray, least: int, carry: FloatArray, ring: FloatArray, out: FloatArray
) -> None:
    window = ring.shape[1]
    for j in range(values.shape[1]):
        seen, low, high = carry[j, 0], carry[j, 1], carry[j, 2]
        for i in range(values.shape[0]):
            value = values[i, j]
            out[i, j] = np.nan
            if not np.isfinite(value):
                continue
            low, high = min(low, value), max(high, value)
            if window > 0:
                place = int(seen % window)
                gone = ring[j, place]
                ring[j, place] = value
                if gone in (low, high):  # NaN, an empty place, equals neither
                    low, high = np.nanmin(ring[j]), np.nanmax(ring[j])
            seen += 1.0
            if seen >= least and high > low:
                out[i, j] = 100.0 * (value - low) / (high - low)
        carry[j, 0], carry[j, 1], carry[j, 2] = seen, low, high


def stress_scores(
    values: FloatArray, *, min_history: int = 252, window: int | None = None, state: State = None
) -> FloatArray:
    """Return each component's place between its lowest and highest value so far, 0 to 100.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_components)
        Larger = more stress; NaN and infinities are days without a value.
    min_history : int, default=252
        Values that a component must have had, the day's own included.
    window : int, optional
        Look at the last `window` values instead of all.

    Returns
    -------
    scores : ndarray of shape (n_rows, n_components)
        100 (v - min)/(max - min); NaN without a value, before `min_history`, where max = min.
    """
    k, size = values.shape[1], window or 0
    carry = carried(state, "carry", 3 * k, np.nan).reshape(k, 3)
    if k and np.isnan(carry[0, 0]):
        carry[:] = (0.0, np.inf, -np.inf)
    ring = carried(state, "ring", k * size, np.nan).reshape(k, size)
    out = np.empty_like(values)
    _scores(values, min_history, carry, ring, out)
    return out
