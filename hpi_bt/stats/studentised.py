"""A difference with its interval and p-value: studentised stationary bootstrap.

Ledoit and Wolf 2008, with the blocks of Politis and Romano 1994.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.errors import InputError
from hpi_bt.stats.bootstrap import mean_block_length, stationary_indices

LEAST_DRAWS = 99
CONFIDENCE = 0.95
_POWER = 2.80 / 1.96  # of the half width: what is found with 80 % power at 5 %
_BATCH = 1 << 19  # places drawn at once
_SAME = 1e-9  # relative: two series whose errors differ by less differ by rounding alone

#: Positions of shape (draws, n) in; estimates (draws,) and influences (draws, n) out.
Statistic: TypeAlias = Callable[[IntArray], tuple[FloatArray, FloatArray]]


class Difference(NamedTuple):
    """A difference, how sure it is, and why a number is missing (`note`, else "").

    Attributes
    ----------
    difference : float
        NaN where undefined.
    low, high : float
        95 % interval, symmetric.
    p_value : float
        Two-sided, of no difference; at most 0.05 exactly where the interval leaves 0 out.
    detectable : float
        The difference that would be found with 80 % power at 5 %.
    mean_block : float
        Sessions in a row that were drawn together, on average.
    """

    difference: float
    low: float = math.nan
    high: float = math.nan
    p_value: float = math.nan
    detectable: float = math.nan
    mean_block: float = math.nan
    note: str = ""


def check_draws(draws: int) -> None:
    """Refuse a number of draws from which no 95 % interval can be read."""
    if draws < LEAST_DRAWS:
        raise InputError(f"bootstrap: {draws} draws; give at least {LEAST_DRAWS}, better 2000")


def studentised_difference(
    n: int, statistic: Statistic, *, draws: int, seed: int, whole: bool = False
) -> Difference:
    """Return the difference of a sample of `n` sessions with its interval and p-value.

    Parameters
    ----------
    n : int
        Length of the sample; its positions in order give the sample's own difference.
    statistic : callable
        From positions of shape (draws, n), the differences and every session's influence on them,
        so scaled that a difference is off by about the mean of its influences.
    draws, seed : int
    whole : bool, default=False
        Round the mean block to a whole number: figures of one sample then share their draws.

    Raises
    ------
    InputError
        Fewer than 99 draws.

    Notes
    -----
    |D* - D|/se* is compared with |D|/se: se of the sample is the standard error that this
    bootstrap implies for a mean, se* that of the blocks drawn.
    """
    check_draws(draws)
    estimate, influence = statistic(np.arange(n)[None])
    difference = float(estimate[0])
    block = mean_block_length(influence[0])
    block = float(round(block)) if whole else block
    se = implied_error(influence[0], block)
    if not se > _SAME * max(abs(difference), 1e-12) + 1e-15:
        return Difference(
            difference, difference, difference, 1.0, note="they differ by rounding alone"
        )
    t = _drawn_t(n, statistic, (difference, se), block, draws, seed)
    reached = np.sort(t)[::-1]
    wide = float(reached[math.floor((1.0 - CONFIDENCE) * (1 + draws) + 1e-9) - 1])
    half = wide * se
    if not math.isfinite(half):
        return Difference(difference, note="resampling leaves no spread: no interval")
    p = (1 + np.count_nonzero(t >= abs(difference) / se)) / (1 + draws)
    return Difference(difference, difference - half, difference + half, p, _POWER * half, block)


def ratio_half(sums: FloatArray, counts: FloatArray, *, draws: int, seed: int) -> float:
    """Return half the 95 % interval of sum(sums)/sum(counts), NaN where resampling says nothing.

    Parameters
    ----------
    sums, counts : ndarray of shape (n_clusters,)
        Oldest first; clusters without anything to count have 0 in both.
    draws, seed : int
    """

    def ratios(index: IntArray) -> tuple[FloatArray, FloatArray]:
        drawn, n = sums[index], counts[index]
        ratio = drawn.sum(axis=1) / n.sum(axis=1)
        return ratio, (drawn - ratio[:, None] * n) / n.mean(axis=1)[:, None]

    return studentised_half(sums.size, ratios, draws=draws, seed=seed)


def studentised_half(n: int, statistic: Statistic, *, draws: int, seed: int) -> float:
    """Return half the 95 % interval of a figure, NaN where resampling says nothing.

    Figures of one sample of `n` share their draws.
    """
    found = studentised_difference(n, statistic, draws=draws, seed=seed, whole=True)
    return found.high - found.difference


def _drawn_t(
    n: int,
    statistic: Statistic,
    whole: tuple[float, float],
    block: float,
    draws: int,
    seed: int,
) -> FloatArray:
    """Return |D* - D|/se* of every draw: 0 for the sample itself, else infinite without an error.

    `whole` is D and se of the sample, which a single run around it draws again.
    """
    difference, se = whole
    found = []
    for index, begins in _drawn_blocks(n, block, draws, seed):
        with np.errstate(divide="ignore", invalid="ignore"):
            estimate, influence = statistic(index)
            off = np.abs(estimate - difference)
            t = off / _block_error(begins, influence)
        t = np.where(np.isfinite(t), t, np.inf)
        found.append(np.where(off <= _SAME * se, 0.0, t))
    return np.concatenate(found)


@lru_cache(maxsize=4)
def _drawn_blocks(n: int, block: float, draws: int, seed: int) -> list[tuple[IntArray, IntArray]]:
    """Return resampled positions of shape (draws, n), batch by batch, and where runs begin."""
    rng = np.random.default_rng(seed)
    size, found = max(1, _BATCH // n), []
    for start in range(0, draws, size):
        index = stationary_indices(n, block, min(size, draws - start), rng)
        fresh = np.ones(index.shape, dtype=bool)
        fresh[:, 1:] = index[:, 1:] != (index[:, :-1] + 1) % n
        found.append((index, np.flatnonzero(fresh)))
    return found


def implied_error(influence: FloatArray, block: float) -> float:
    """Return the standard error of the mean that a stationary bootstrap of this block implies.

    sqrt((R0 + 2 sum_k (1 - k/n) (1 - 1/block)^k R_k)/n), R the circular autocovariance.
    """
    n = influence.size
    left = influence - influence.mean()
    covariance = np.fft.irfft(np.abs(np.fft.rfft(left)) ** 2, n) / n
    k = np.arange(1, n)
    stays = (1.0 - k / n) * (1.0 - 1.0 / block) ** k
    variance = covariance[0] + 2.0 * float(stays @ covariance[1:])
    return math.sqrt(max(variance, 0.0) / n)


def _block_error(begins: IntArray, influence: FloatArray) -> FloatArray:
    """Return each draw's standard error of the mean, from the sums of the blocks drawn."""
    draws, n = influence.shape
    sums = np.add.reduceat(influence.ravel(), begins)
    total = np.bincount(begins // n, weights=np.square(sums), minlength=draws)
    return np.asarray(np.sqrt(total) / n)
