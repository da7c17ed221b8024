"""From entry and exit conditions to the target position that strategies declare."""

from __future__ import annotations

import numpy as np
from numba import njit

from hpi_bt.arrays import BoolArray, FloatArray, State, as_series, carried


@njit(cache=True, nogil=True)
def _hold(
    enter: FloatArray,
    leave_long: BoolArray,
    leave_short: BoolArray,
    reverse: bool,
    session: FloatArray,
    restart: bool,
    carry: FloatArray,
    out: FloatArray,
) -> None:
    target, faded, current = carry[0], carry[1], carry[2]
    for i in range(enter.size):
        if restart and session[i] != current:
            target, faded, current = 0.0, 0.0, session[i]
        leaves = (target > 0.0 and leave_long[i]) or (target < 0.0 and leave_short[i])
        if enter[i] > 0.0 or enter[i] < 0.0:
            target, faded = 1.0 if enter[i] > 0.0 else -1.0, 0.0
        elif leaves and faded == 0.0:
            target, faded = (-target, 1.0) if reverse else (0.0, 0.0)
        out[i] = target
    carry[0], carry[1], carry[2] = target, faded, current


def held_target(
    enter: FloatArray,
    leave_long: BoolArray,
    leave_short: BoolArray,
    *,
    fade: str = "exit",
    session: FloatArray | None = None,
    state: State = None,
) -> FloatArray:
    """Return the position that entry and exit conditions ask for, held in between.

    Parameters
    ----------
    enter : ndarray of shape (n_bars,)
        > 0 asks for a long, < 0 for a short; 0 and NaN ask for nothing. Entry beats exit.
    leave_long, leave_short : ndarray of bool, shape (n_bars,)
        Bars on which a long, a short is given up.
    fade : {"exit", "reverse"}, default="exit"
        Give up means flat, or the opposite side, which is then held until the next `enter`.
    session : ndarray of shape (n_bars,), optional
        Ids; with them every session starts flat.

    Returns
    -------
    target : ndarray of shape (n_bars,)
        -1, 0 or +1; 0 until the first entry.
    """
    if fade not in ("exit", "reverse"):
        raise ValueError(f"fade must be 'exit' or 'reverse', got {fade!r}")
    sessions = enter if session is None else session
    enter, longs, shorts, sessions = as_series(enter, leave_long, leave_short, sessions)
    out = np.empty_like(enter)
    carry = carried(state, "carry", 3, fill=np.nan)
    if np.isnan(carry[0]):
        carry[0], carry[1] = 0.0, 0.0
    _hold(
        enter,
        longs != 0.0,
        shorts != 0.0,
        fade == "reverse",
        sessions,
        session is not None,
        carry,
        out,
    )
    return out
