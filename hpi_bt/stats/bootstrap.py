"""Stationary bootstrap (Politis and Romano 1994) with an automatic mean block (Politis and White).

Politis and White 2004 with the correction of Patton, Politis and White 2009.
"""

from __future__ import annotations

import math

import numpy as np

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.errors import InputError

_BATCH = 1 << 20  # places drawn at once


def mean_block_length(series: FloatArray) -> float:
    """Return the mean block length that suits the stationary bootstrap of a series' mean.

    Parameters
    ----------
    series : ndarray of shape (n,)
        Oldest first, finite.

    Returns
    -------
    length : float
        At least 1, at most ceil(min(3 sqrt(n), n/3)); 1 for a constant or for fewer than 9 values.

    Notes
    -----
    b = (2 g^2/d)^(1/3) n^(1/3), d = 2 s^4, where s^2 and g are the sums over |k| <= M of
    w(k/M) R(k) and w(k/M) |k| R(k), R the autocovariance and w the flat-top window
    min(1, 2 (1 - |x|)). M is twice the smallest m >= 1 after which K = max(5, ceil(log10 n))
    autocorrelations stay within 2 sqrt(log10(n)/n), at most ceil(sqrt(n)) + K.
    """
    n = series.size
    left = series - series.mean() if n else series
    if n < 9 or float(left @ left) <= 1e-20 * float(series @ series):
        return 1.0
    quiet = max(5, math.ceil(math.log10(n)))
    most = min(math.ceil(math.sqrt(n)) + quiet, n - 1)
    lags = np.arange(min(most + quiet, n - 1) + 1)
    covariance = np.array([left[k:] @ left[: n - k] for k in lags]) / n
    loud = np.abs(covariance) > 2.0 * math.sqrt(math.log10(n) / n) * covariance[0]
    m = next((k for k in range(1, most) if not loud[k + 1 : k + 1 + quiet].any()), most)
    m = min(2 * m, most)
    k = lags[1 : m + 1]
    weighted = np.minimum(1.0, 2.0 * (1.0 - k / m)) * covariance[k]
    spectrum = covariance[0] + 2.0 * weighted.sum()
    slope = 2.0 * (k * weighted).sum()
    if spectrum <= 0.0:  # the window can make it so where neighbours alternate
        return 1.0
    longest = math.ceil(min(3.0 * math.sqrt(n), n / 3.0))
    return float(np.clip((slope**2 / spectrum**2 * n) ** (1.0 / 3.0), 1.0, longest))


def stationary_indices(n: int, mean_block: float, draws: int, rng: np.random.Generator) -> IntArray:
    """Return resampled positions: runs of geometric length that start anywhere and wrap around.

    Parameters
    ----------
    n : int
        Length of the series.
    mean_block : float
        Expected length of a run, >= 1.
    draws : int
    rng : Generator

    Returns
    -------
    index : ndarray of int, shape (draws, n)
        In [0, n).
    """
    if not mean_block >= 1.0:
        raise InputError(f"mean_block: {mean_block}; give at least 1")
    fresh = rng.random((draws, n)) < 1.0 / mean_block
    fresh[:, 0] = True
    place = np.arange(n)
    began = np.maximum.accumulate(np.where(fresh, place, 0), axis=1)
    start = np.take_along_axis(rng.integers(n, size=(draws, n)), began, axis=1)
    return np.asarray((start + place - began) % n)


def ratio_interval(
    sums: FloatArray, counts: FloatArray, *, draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % percentile interval of sum/sum over resampled clusters.

    Parameters
    ----------
    sums, counts : ndarray of shape (n_clusters,)
        Sum of the events' values in each cluster, oldest first, and their number.
    draws : int, default=1000
    seed : int, default=0

    Returns
    -------
    low, high : float
        2.5 % and 97.5 % quantiles; the mean block is that of sum - effect x count, to which the
        ratio's error is proportional. A draw without any event is left out.
    """
    total = counts.sum()
    if total == 0:
        return math.nan, math.nan
    block = mean_block_length(sums - sums.sum() / total * counts)
    rng = np.random.default_rng(seed)
    n, ratios = sums.size, []
    size = max(1, _BATCH // n)
    for start in range(0, draws, size):
        index = stationary_indices(n, block, min(size, draws - start), rng)
        events = counts[index].sum(axis=1)
        some = events > 0
        ratios.append(sums[index].sum(axis=1)[some] / events[some])
    low, high = np.quantile(np.concatenate(ratios), [0.025, 0.975])
    return float(low), float(high)
