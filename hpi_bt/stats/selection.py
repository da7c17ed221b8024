"""What a point chosen from many must be read with."""

from __future__ import annotations

from typing import Any

import numpy as np

from hpi_bt.arrays import FloatArray
from hpi_bt.stats.overfitting import probability_of_backtest_overfitting
from hpi_bt.stats.sharpe import (
    deflated_sharpe,
    min_track_record_length,
    probabilistic_sharpe,
    sharpe_moments,
)


def overfitting_of(returns: FloatArray, best: int) -> dict[str, Any]:
    """Return what the best of many must be read with; per observation where not said otherwise.

    Parameters
    ----------
    returns : ndarray of shape (n_points, n_sessions)
        Session returns of every point; NaN of those that raised.
    best : int
        Row of the chosen one.

    Returns
    -------
    found : dict
        `trials` are the different ones: points whose results are equal to the last bit are one.
    """
    own = returns[best]
    known = returns[~np.isnan(returns).any(axis=1)]  # a point that raised is no trial
    returns = np.unique(known, axis=0) if len(known) else known
    many = returns.shape[1] > 1
    spread = returns.std(axis=1, ddof=1) if many else np.zeros(len(returns))
    sharpes = np.divide(
        returns.mean(axis=1), spread, out=np.zeros(len(returns)), where=spread > 0.0
    )
    found: dict[str, Any] = {"trials": len(returns), "sessions": returns.shape[1]}
    if returns.shape[1] >= 4 and own.std(ddof=1) > 0.0:
        m = sharpe_moments(own)
        variance = float(sharpes.var(ddof=1)) if len(sharpes) > 1 else 0.0
        shape = {"skew": m.skew, "kurtosis": m.kurtosis}
        found |= {
            "probabilistic_sharpe": probabilistic_sharpe(m.sharpe, m.n, **shape),
            "deflated_sharpe": deflated_sharpe(m.sharpe, m.n, len(returns), variance, **shape),
            "min_track_record_length": min_track_record_length(m.sharpe, **shape),
        }
    blocks = min(16, returns.shape[1] // 2 * 2)
    if len(returns) > 1 and blocks >= 4:
        pbo = probability_of_backtest_overfitting(returns.T, blocks=blocks)
        found |= {"probability_of_overfitting": pbo.probability, "cscv_blocks": blocks}
    return found
