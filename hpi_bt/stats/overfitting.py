"""How much of a Sharpe ratio is luck or selection: SPEC section 9.

Sharpe ratios are per observation, not annualised; kurtosis is not excess (3 for a normal). A NaN
Sharpe ratio or moment (not known, as for a run that never traded) gives NaN.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.errors import InputError

MAX_BLOCKS = 24  # 2.7 million splits; two more blocks would make four times as many
_GROUP = 4  # blocks whose 2**4 partial sums are tabulated together
_CHUNK = 1 << 16  # Sharpe ratios worked on at once, so that they stay in the processor's cache
_NO_SPREAD = 1e-10  # of the sum of squares: all that rounding leaves of a constant's variance


class SharpeMoments(NamedTuple):
    """What the Sharpe tests need to know of a series of returns.

    Attributes
    ----------
    sharpe : float
        Mean over standard deviation (ddof 1), per observation.
    skew, kurtosis : float
        Third and fourth standardised population moments (ddof 0, no bias correction), as in
        Bailey and Lopez de Prado; kurtosis is not excess.
    n : int
        Number of returns.
    """

    sharpe: float
    skew: float
    kurtosis: float
    n: int


class Overfitting(NamedTuple):
    """Outcome of combinatorially symmetric cross-validation; `float()` of it is `probability`.

    Attributes
    ----------
    probability : float
        Share of splits with logit <= 0, in [0, 1]: the trial that was best in sample did no
        better out of sample than the median trial.
    logits : ndarray of shape (n_splits,)
        log(omega/(1 - omega)) with omega = rank/(n_trials + 1) of the in-sample best among all
        out-of-sample Sharpe ratios (the best has rank n_trials, ties their average rank).
        Split i takes as in-sample blocks the i-th of `itertools.combinations(range(blocks),
        blocks // 2)`, block 0 being the oldest.
    in_sample_best : ndarray of int, shape (n_splits,)
        Column of the trial with the highest in-sample Sharpe ratio, the first of equals.
    in_sample_sharpe, out_of_sample_sharpe : ndarray of shape (n_splits,)
        Sharpe ratios of that trial, per observation (ddof 1).
    degradation : float
        Least-squares slope of `out_of_sample_sharpe` on `in_sample_sharpe`; negative where
        better looks came with worse results. NaN if the in-sample ratios are all equal.
    probability_of_loss : float
        Share of splits with `out_of_sample_sharpe` < 0, in [0, 1].
    dropped : int
        Oldest rows left out so that all blocks are equally long.
    """

    probability: float
    logits: FloatArray
    in_sample_best: IntArray
    in_sample_sharpe: FloatArray
    out_of_sample_sharpe: FloatArray
    degradation: float
    probability_of_loss: float
    dropped: int

    def __float__(self) -> float:
        """Return the probability of backtest overfitting."""
        return self.probability


def sharpe_moments(returns: npt.ArrayLike) -> SharpeMoments:
    """Return the Sharpe ratio of the returns with the moments that its tests need.

    Parameters
    ----------
    returns : array of shape (n_periods,)
        Simple or log returns, decimals, at least two.

    Returns
    -------
    moments : SharpeMoments
        Constant returns have no spread: NaN in all but `n`.

    Raises
    ------
    InputError
        Not one-dimensional, fewer than two returns, or one of them not finite.
    """
    r = np.asarray(returns, dtype=np.float64)
    if r.ndim != 1 or r.size < 2:
        raise InputError(f"returns: shape {r.shape}; give a series of at least 2 returns")
    _refuse_unknown(r)
    if r.max() == r.min():
        return SharpeMoments(math.nan, math.nan, math.nan, r.size)
    r = np.ldexp(r, -_exponents(r))
    from_mean = r - r.mean()
    z = from_mean / math.sqrt(np.mean(from_mean * from_mean))
    return SharpeMoments(
        sharpe=float(r.mean() / r.std(ddof=1)),
        skew=float(np.mean(z**3)),
        kurtosis=float(np.mean(z**4)),
        n=r.size,
    )


def probabilistic_sharpe(
    sharpe: float, n: float, *, skew: float = 0.0, kurtosis: float = 3.0, benchmark: float = 0.0
) -> float:
    """Return the probability that the true Sharpe ratio exceeds `benchmark`.

    Parameters
    ----------
    sharpe, benchmark : float
        Observed and compared ratio, per observation.
    n : float
        Number of observations, >= 2.
    skew, kurtosis : float, default=0.0, 3.0
        Of the returns.

    Returns
    -------
    probability : float
        In [0, 1].

    Raises
    ------
    InputError
        n < 2, an infinite ratio, or moments that leave the ratio no variance.

    Notes
    -----
    Phi((SR - SR*) sqrt(n - 1) / sqrt(1 - skew SR + (kurtosis - 1)/4 SR^2)).
    """
    if not 2 <= n < math.inf:
        raise InputError(f"n: {n} observations; a Sharpe ratio needs at least 2, and finitely many")
    variance = _variance(sharpe, skew, kurtosis)
    return float(ndtr((sharpe - benchmark) * math.sqrt((n - 1) / variance)))


def expected_max_sharpe(trials: float, trials_variance: float) -> float:
    """Return the Sharpe ratio that the best of so many skill-less trials is expected to show.

    Parameters
    ----------
    trials : float
        Number of independent trials N, >= 1; need not be whole.
    trials_variance : float
        Variance V of the trials' Sharpe ratios (per observation, squared), >= 0.

    Returns
    -------
    threshold : float
        Per observation, >= 0. One trial is no choice: 0, whatever its variance (NaN included).

    Raises
    ------
    InputError
        trials < 1, or a variance that is negative or infinite.

    Notes
    -----
    sqrt(V) ((1 - g) Z(1 - 1/N) + g Z(1 - 1/(N e))), g Euler's constant; the formula dips below 0
    for N under about 1.3, where 0 is returned.
    """
    if not 1 <= trials < math.inf:
        raise InputError(f"trials: {trials}; give the number of trials made, at least 1")
    if trials_variance < 0 or math.isinf(trials_variance):
        raise InputError(
            f"trials_variance: {trials_variance}; give the variance of the trials' Sharpe ratios, "
            "finite and not negative"
        )
    if trials == 1:
        return 0.0
    # Z(1 - p) = -Z(p), which keeps its digits where p is small
    first, second = -ndtri(1 / trials), -ndtri(1 / (trials * math.e))
    expected = (1 - np.euler_gamma) * first + np.euler_gamma * second
    return math.sqrt(trials_variance) * max(float(expected), 0.0)


def deflated_sharpe(
    sharpe: float,
    n: float,
    trials: float,
    trials_variance: float,
    *,
    skew: float = 0.0,
    kurtosis: float = 3.0,
) -> float:
    """Return the probability that the best of several trials has a true Sharpe ratio above luck.

    Parameters
    ----------
    sharpe : float
        Ratio of the chosen trial, per observation.
    n : float
        Its number of observations, >= 2.
    trials, trials_variance : float
        Number of trials tried and variance of their Sharpe ratios: see `expected_max_sharpe`.
    skew, kurtosis : float, default=0.0, 3.0
        Of the chosen trial's returns.

    Returns
    -------
    probability : float
        In [0, 1]: `probabilistic_sharpe` against `expected_max_sharpe`.

    Raises
    ------
    InputError
        As those two do.
    """
    luck = expected_max_sharpe(trials, trials_variance)
    return probabilistic_sharpe(sharpe, n, skew=skew, kurtosis=kurtosis, benchmark=luck)


def min_track_record_length(
    sharpe: float,
    *,
    skew: float = 0.0,
    kurtosis: float = 3.0,
    benchmark: float = 0.0,
    confidence: float = 0.95,
) -> float:
    """Return how many observations make it `confidence` sure that the ratio beats `benchmark`.

    Parameters
    ----------
    sharpe, benchmark : float
        Observed and compared ratio, per observation.
    skew, kurtosis : float, default=0.0, 3.0
        Of the returns.
    confidence : float, default=0.95
        Wanted `probabilistic_sharpe`, above 0.5 and below 1.

    Returns
    -------
    length : float
        Observations, not rounded; infinite where the ratio is not above `benchmark`.

    Raises
    ------
    InputError
        confidence outside (0.5, 1), an infinite ratio, or moments that leave it no variance.

    Notes
    -----
    1 + (1 - skew SR + (kurtosis - 1)/4 SR^2) (Z(confidence)/(SR - SR*))^2.
    """
    if not 0.5 < confidence < 1:
        raise InputError(f"confidence: {confidence}; give a probability above 0.5 and below 1")
    variance = _variance(sharpe, skew, kurtosis)
    if sharpe <= benchmark:
        return math.inf
    ratio = float(ndtri(confidence)) / (sharpe - benchmark)
    return 1 + variance * (ratio * ratio)


def _variance(sharpe: float, skew: float, kurtosis: float) -> float:
    """Return n - 1 times the estimated variance of a Sharpe ratio; NaN if an input is NaN."""
    variance = 1 - skew * sharpe + (kurtosis - 1) / 4 * (sharpe * sharpe)
    if math.isinf(sharpe) or variance <= 0 or math.isinf(variance):
        raise InputError(
            f"sharpe {sharpe}, skew {skew}, kurtosis {kurtosis}: the ratio's variance would be "
            f"{variance}; give finite moments of one sample, kurtosis (not excess) > 1 + skew^2"
        )
    return variance


def probability_of_backtest_overfitting(returns: npt.ArrayLike, *, blocks: int = 16) -> Overfitting:
    """Return how often the best trial in one half of the time falls behind in the other half.

    Parameters
    ----------
    returns : array of shape (n_periods, n_trials)
        Returns of every trial made, decimals, oldest row first, one column per trial.
    blocks : int, default=16
        Even number S of equal stretches of time; every S/2 of them are in sample once.

    Returns
    -------
    overfitting : Overfitting
        A trial whose returns are constant over a half has Sharpe ratio 0 there.

    Raises
    ------
    InputError
        Wrong shape, fewer than two trials, a value not finite, `blocks` odd, below 2, above 24 or
        too many for the periods.

    Notes
    -----
    CSCV of Bailey, Borwein, Lopez de Prado and Zhu. The oldest n mod S rows are dropped. Sums run
    in one order for all trials, so that equal trials tie exactly and their order is immaterial.
    """
    r = np.asarray(returns, dtype=np.float64)
    _check_trials(r, blocks)
    sums, squares = (_partial_sums(moment) for moment in _block_moments(r, blocks))
    rows = r.shape[0] // blocks * (blocks // 2)
    masks, n_trials = _splits(blocks), r.shape[1]
    best = np.empty(masks.size, dtype=np.int64)
    inside, outside, rank = (np.empty(masks.size) for _ in range(3))
    for part in _chunks(masks.size // 2, max(1, _CHUNK // n_trials)):
        mirror = masks.size - 1 - part  # the split whose in-sample half is this one's other half
        one = _sharpes(sums, squares, masks[part], rows)
        other = _sharpes(sums, squares, masks[mirror], rows)
        for at, fit, test in ((part, one, other), (mirror, other, one)):
            best[at], inside[at], outside[at], rank[at] = _selected(fit, test)
    logits = np.log(rank / (n_trials + 1 - rank))
    return Overfitting(
        probability=float(np.mean(logits <= 0.0)),
        logits=logits,
        in_sample_best=best,
        in_sample_sharpe=inside,
        out_of_sample_sharpe=outside,
        degradation=_slope(inside, outside),
        probability_of_loss=float(np.mean(outside < 0.0)),
        dropped=r.shape[0] % blocks,
    )


def _check_trials(r: FloatArray, blocks: int) -> None:
    """Refuse returns that cannot be cut into blocks or hold no choice of trials."""
    if r.ndim != 2 or r.shape[1] < 2:
        raise InputError(
            f"returns: shape {r.shape}; give (n_periods, n_trials) with at least 2 trials"
        )
    if blocks % 2 or not 2 <= blocks <= MAX_BLOCKS:
        raise InputError(f"blocks: {blocks}; give an even number from 2 to {MAX_BLOCKS}")
    if r.shape[0] // blocks * (blocks // 2) < 2:
        raise InputError(
            f"blocks: {blocks} for {r.shape[0]} periods leaves less than 1 period to a block or 2 "
            "to a half; give fewer blocks or more periods"
        )
    _refuse_unknown(r)


def _refuse_unknown(r: FloatArray) -> None:
    if not np.isfinite(r).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(r))[0])
        where = f"period {at[0]}" + (f" of trial {at[1]}" if len(at) > 1 else "")
        raise InputError(f"returns: {where} is {r[at]}; give a finite return for each period")


def _exponents(r: FloatArray) -> npt.NDArray[np.int32]:
    """Return the powers of 2, per column, by which to divide so that no square over- or underflows.

    Exact, and a Sharpe ratio does not notice it.
    """
    exponents: npt.NDArray[np.int32] = np.frexp(np.maximum(r.max(axis=0), -r.min(axis=0)))[1]
    return exponents


def _block_moments(r: FloatArray, blocks: int) -> tuple[FloatArray, FloatArray]:
    """Return the sums and the sums of squares per block, each of shape (blocks, n_trials)."""
    down = -_exponents(r)
    sums, squares = np.empty((2, blocks, r.shape[1]))
    for block, rows in enumerate(np.split(r[r.shape[0] % blocks :], blocks)):
        scaled = np.ascontiguousarray(np.ldexp(rows, down))
        sums[block] = scaled.sum(axis=0)
        squares[block] = np.square(scaled, out=scaled).sum(axis=0)
    return sums, squares


def _partial_sums(moment: FloatArray) -> list[FloatArray]:
    """Return per group of blocks, last first, the sums over each of its subsets.

    Row j of a table of shape (2**group, n_trials) adds those blocks whose bits are set in j; the
    last block has the lowest bit.
    """
    tables = []
    for low in range(0, moment.shape[0], _GROUP):
        table = np.zeros((1, moment.shape[1]))
        for block in moment[::-1][low : low + _GROUP]:
            table = np.concatenate((table, table + block))
        tables.append(table)
    return tables


def _splits(blocks: int) -> IntArray:
    """Return every choice of half the blocks as a bit mask, in the order of combinations.

    The oldest block has the highest bit, so falling masks are rising combinations, and the other
    half of the i-th choice is the i-th from the end.
    """
    chosen = np.zeros(1, dtype=np.int8)
    for _ in range(blocks):
        chosen = np.concatenate((chosen, chosen + np.int8(1)))
    return np.flatnonzero(chosen == blocks // 2)[::-1].astype(np.int64)


def _chunks(n: int, size: int) -> Iterator[IntArray]:
    """Yield 0..n-1 in runs of at most `size`."""
    for start in range(0, n, size):
        yield np.arange(start, min(start + size, n))


def _sharpes(
    sums: list[FloatArray], squares: list[FloatArray], masks: IntArray, rows: int
) -> FloatArray:
    """Return the Sharpe ratios over the masked blocks (`rows` periods), shape (masks, trials)."""
    total, square = _looked_up(sums, masks), _looked_up(squares, masks)
    spread = square - total * total / rows  # loses digits with SR^2 only, so no centring
    spread[spread <= _NO_SPREAD * square] = np.inf
    # mean/std = (total/rows) / sqrt(spread/(rows - 1))
    sharpes: FloatArray = total / np.sqrt(spread) * (math.sqrt(rows - 1) / rows)
    return sharpes


def _looked_up(tables: list[FloatArray], masks: IntArray) -> FloatArray:
    total = tables[0][masks % (1 << _GROUP)]
    for group, table in enumerate(tables[1:], start=1):
        total += table[(masks >> (group * _GROUP)) % (1 << _GROUP)]
    return total


def _selected(
    fit: FloatArray, test: FloatArray
) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    """Return the best column of each row of `fit`, its two ratios and its rank in `test`."""
    best = fit.argmax(axis=1)[:, None]
    inside, outside = np.take_along_axis(fit, best, 1), np.take_along_axis(test, best, 1)
    below = np.count_nonzero(test < outside, axis=1)
    equal = np.count_nonzero(test == outside, axis=1)  # itself included
    return best[:, 0], inside[:, 0], outside[:, 0], below + (equal + 1) / 2


def _slope(x: FloatArray, y: FloatArray) -> float:
    """Return the least-squares slope of y on x, NaN where x does not vary."""
    if x.max() == x.min():
        return math.nan
    from_mean = x - x.mean()
    return float(from_mean @ (y - y.mean()) / (from_mean @ from_mean))
