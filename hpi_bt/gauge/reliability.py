"""How well each component's warnings have foretold falls, walking forward (definitions 4)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from hpi_bt.arrays import FloatArray, State, carried


class SignalReliability(NamedTuple):
    """Shares in (0, 1), each of shape (n_rows, n_components); 0.5 before any outcome is known."""

    balanced: FloatArray
    accuracy: FloatArray


@njit(cache=True, nogil=True)
def _lowest(ring: FloatArray, last: float, skip: int) -> float:
    """The lowest close of the ring but for one place, and of the last; NaN where one is."""
    low = last
    for q in range(ring.size):
        if q != skip:
            if np.isnan(ring[q]):
                return np.nan
            low = min(low, ring[q])
    return low


@njit(cache=True, nogil=True)
def _reliability(
    scores: FloatArray,
    close: FloatArray,
    fires_at: float,
    kept: float,
    rows: FloatArray,
    past_scores: FloatArray,
    past_closes: FloatArray,
    tally: FloatArray,
    balanced: FloatArray,
    accuracy: FloatArray,
) -> None:
    horizon = past_closes.size
    for t in range(close.size):
        place = int(rows[0] % horizon)  # of row t - horizon, the oldest: its outcome is known now
        start = past_closes[place]
        low = _lowest(past_closes, close[t], place)
        if not (np.isnan(start) or np.isnan(low)):
            event = low <= kept * start
            for j in range(scores.shape[1]):
                if not np.isnan(past_scores[place, j]):
                    fired = past_scores[place, j] >= fires_at
                    tally[j, (0 if fired else 1) if event else (2 if fired else 3)] += 1.0
        past_closes[place] = close[t]
        rows[0] += 1.0
        for j in range(scores.shape[1]):
            past_scores[place, j] = scores[t, j]
            hit, missed, false, quiet = tally[j, 0], tally[j, 1], tally[j, 2], tally[j, 3]
            found = (hit + 1.0) / (hit + missed + 2.0)
            spared = (quiet + 1.0) / (quiet + false + 2.0)
            balanced[t, j] = 0.5 * (found + spared)
            accuracy[t, j] = (hit + quiet + 1.0) / (hit + missed + false + quiet + 2.0)


def signal_reliability(
    scores: FloatArray,
    close: FloatArray,
    *,
    fires_at: float = 57.0,
    horizon: int = 21,
    event_drawdown: float = 0.05,
    state: State = None,
) -> SignalReliability:
    """Return how reliable each component's warnings have proved, from complete outcomes alone.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_components)
        In [0, 100]; a NaN is neither a warning nor its absence.
    close : ndarray of shape (n_rows,)
        SPY, in dollars.
    fires_at : float, default=57
        A component warns on day s where its score is at least this.
    horizon : int, default=21
        Rows ahead that an event may take.
    event_drawdown : float, default=0.05
        Event of s: the lowest close of s+1 .. s+horizon <= (1 - event_drawdown) close of s.

    Returns
    -------
    balanced : ndarray of shape (n_rows, n_components)
        1/2 [(TP+1)/(TP+FN+2) + (TN+1)/(TN+FP+2)].
    accuracy : ndarray of shape (n_rows, n_components)
        (TP+TN+1)/(n+2).

    Notes
    -----
    Day s enters the count at t = s + horizon, event or not; never where one of its closes is NaN.
    """
    n, k = scores.shape
    out = SignalReliability(np.empty((n, k)), np.empty((n, k)))
    _reliability(
        scores,
        close,
        fires_at,
        1.0 - event_drawdown,
        carried(state, "rows", 1),
        carried(state, "past_scores", horizon * k, np.nan).reshape(horizon, k),
        carried(state, "past_closes", horizon, np.nan),
        carried(state, "tally", 4 * k).reshape(k, 4),
        *out,
    )
    return out
