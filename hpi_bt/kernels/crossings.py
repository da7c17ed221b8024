"""Crossings of two lines, as the sign changes of their difference."""

from __future__ import annotations

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
