"""Crossings of two lines, as the sign changes of their difference, and of fixed levels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from hpi_bt.arrays import FloatArray, State, as_series, carried
from hpi_bt.kernels.memory import shared


@njit(cache=True, nogil=True)
def _changes(
    x: FloatArray, session: FloatArray, restart: bool, carry: FloatArray, out: FloatArray
) -> None:
    sign, current = carry[0], carry[1]
    for i in range(x.size):
        if restart and session[i] != current:
            sign, current = 0.0, session[i]
        out[i] = 0.0
        if x[i] == 0.0 or np.isnan(x[i]):
            continue
        new = 1.0 if x[i] > 0.0 else -1.0
        if sign == -new:
            out[i] = new
        sign = new
    carry[0], carry[1] = sign, current


@shared
def sign_changes(
    x: FloatArray, *, session: FloatArray | None = None, state: State = None
) -> FloatArray:
    """Return +1 on the bar where x turns positive, -1 where it turns negative, else 0.

    The sign is compared with the last non-zero one, so touching zero is no crossing and a NaN
    is passed over. With `session` (an id for each bar) the memory restarts in each session.
    """
    restart = session is not None
    x, sessions = as_series(x, x if session is None else session)
    out = np.empty_like(x)
    carry = carried(state, "carry", 2, fill=np.nan)
    if np.isnan(carry[0]):
        carry[0] = 0.0
    _changes(x, sessions, restart, carry, out)
    return out


class LevelCrossings(NamedTuple):
    """Where a series enters the zones beyond two levels, and where it leaves them."""

    entered: FloatArray
    left: FloatArray


@njit(cache=True, nogil=True)
def _zones(x: FloatArray, upper: float, lower: float, carry: FloatArray, out: FloatArray) -> None:
    zone = carry[0]
    for i in range(x.size):
        out[0, i], out[1, i] = 0.0, 0.0
        if np.isnan(x[i]):
            continue
        now = 1.0 if x[i] >= upper else (-1.0 if x[i] <= lower else 0.0)
        if not np.isnan(zone) and now != zone:
            out[0, i], out[1, i] = now, 0.0 - zone
        zone = now
    carry[0] = zone


@shared
def level_crossings(
    x: FloatArray, *, upper: float, lower: float, state: State = None
) -> LevelCrossings:
    """Return the bars on which x enters and leaves the zones at and beyond two levels.

    Parameters
    ----------
    x : ndarray of shape (n_bars,)
        Any unit. A NaN is passed over; where the first known value lies is no entry.
    upper, lower : float
        In the unit of x; the zones are x >= upper and x <= lower.

    Returns
    -------
    entered : ndarray of shape (n_bars,)
        +1 on the bar that enters the upper zone, -1 the lower one, else 0.
    left : ndarray of shape (n_bars,)
        -1 on the bar that leaves the upper zone, +1 the lower one, else 0.

    Raises
    ------
    ValueError
        `upper` does not lie above `lower`.
    """
    if not upper > lower:
        raise ValueError(f"the upper level {upper!r} must lie above the lower one, {lower!r}")
    (x,) = as_series(x)
    out = np.empty((2, x.size))
    _zones(x, float(upper), float(lower), carried(state, "zone", 1, fill=np.nan), out)
    return LevelCrossings(out[0], out[1])
