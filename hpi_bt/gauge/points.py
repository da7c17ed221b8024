"""The gauge as a kernel: arrays in, arrays out, one row after the other (definitions 4)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from hpi_bt.arrays import FloatArray, State, carried, part
from hpi_bt.gauge.bands import whole_points
from hpi_bt.gauge.reliability import signal_reliability
from hpi_bt.gauge.scores import stress_scores

WEIGHTINGS = ("reliability", "accuracy", "equal")


class GaugePoints(NamedTuple):
    """The gauge's arrays: shape (n_rows,), the last three (n_rows, n_components)."""

    score: FloatArray
    raw: FloatArray
    smoothed: FloatArray
    component_scores: FloatArray
    weights: FloatArray
    reliability: FloatArray


@njit(cache=True, nogil=True)
def _weighted_mean(scores: FloatArray, weights: FloatArray, out: FloatArray) -> None:
    for t in range(scores.shape[0]):
        total, weight = 0.0, 0.0
        for j in range(scores.shape[1]):
            if not np.isnan(scores[t, j]):
                total += scores[t, j] * weights[t, j]
                weight += weights[t, j]
        out[t] = total / weight if weight > 0.0 else np.nan


@njit(cache=True, nogil=True)
def _smoothed(raw: FloatArray, alpha: float, carry: FloatArray, out: FloatArray) -> None:
    for t in range(raw.size):
        if not np.isnan(raw[t]):
            first = np.isnan(carry[0])
            carry[0] = raw[t] if first else alpha * raw[t] + (1.0 - alpha) * carry[0]
        out[t] = carry[0]


def gauge_points(
    values: FloatArray,
    close: FloatArray,
    *,
    min_history: int = 252,
    window: int | None = None,
    fires_at: float = 57.0,
    horizon: int = 21,
    event_drawdown: float = 0.05,
    weighting: str = "reliability",
    floor: float = 0.05,
    smoothing: float = 0.3,
    state: State = None,
) -> GaugePoints:
    """Return the gauge of each row, from that row's close and what came before it.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_components)
        Larger = more stress; NaN is a day without a value.
    close : ndarray of shape (n_rows,)
        SPY, in dollars.
    min_history, window
        As in `stress_scores`.
    fires_at, horizon, event_drawdown
        As in `signal_reliability`.
    weighting : {"reliability", "accuracy", "equal"}, default="reliability"
        What a component's weight is.
    floor : float, default=0.05
        Least weight.
    smoothing : float, default=0.3
        Share of the new value in the smoothed one.

    Returns
    -------
    score : ndarray of shape (n_rows,)
        Whole points, 0 (calm) to 100 (stress); NaN until a component has a score.
    raw, smoothed : ndarray of shape (n_rows,)
        Weighted mean of the scores present that day (NaN without one), and its smoothing, which
        holds where raw is NaN.
    component_scores, weights, reliability : ndarray of shape (n_rows, n_components)
        Scores in [0, 100], weights before they are divided by their sum, balanced accuracy.

    Raises
    ------
    ValueError
        `weighting` is none of its values.
    """
    if weighting not in WEIGHTINGS:
        raise ValueError(f"weighting must be one of {', '.join(WEIGHTINGS)}, got {weighting!r}")
    scores = stress_scores(
        values, min_history=min_history, window=window, state=part(state, "scores")
    )
    reliability = signal_reliability(
        scores,
        close,
        fires_at=fires_at,
        horizon=horizon,
        event_drawdown=event_drawdown,
        state=part(state, "reliability"),
    )
    measure = reliability.accuracy if weighting == "accuracy" else reliability.balanced
    equal = weighting == "equal"
    weights = np.ones_like(scores) if equal else np.maximum(measure, floor)
    raw, smoothed = np.empty(len(close)), np.empty(len(close))
    _weighted_mean(scores, weights, raw)
    _smoothed(raw, smoothing, carried(state, "smoothed", 1, np.nan), smoothed)
    score = whole_points(smoothed)
    return GaugePoints(score, raw, smoothed, scores, weights, reliability.balanced)
