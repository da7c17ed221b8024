"""The probability of backtest overfitting by CSCV (definitions 9).

Sharpe ratios are per observation, not annualised; kurtosis is not excess (3 for a normal). A NaN
Sharpe ratio or moment (not known, as for a run that never traded) gives NaN.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.errors import InputError
from hpi_bt.stats.sharpe import exponents, refuse_unknown

MAX_BLOCKS = 24  # 2.7 million splits; two more blocks would make four times as many
_GROUP = 4  # blocks whose 2**4 partial sums are tabulated together
_CHUNK = 1 << 16  # Sharpe ratios worked on at once, so that they stay in the processor's cache
_TIE = 1e-9  # Sharpe ratios per observation that are nearer are equal but for rounding
_NO_SPREAD = 1e-10  # of the sum of squares: all that rounding leaves of a constant's variance


class Overfitting(NamedTuple):
    """Outcome of combinatorially symmetric cross-validation; `float()` of it is `probability`.

    Attributes
    ----------
    probability : float
        Share of splits with logit <= 0, in [0, 1]: the trial that was best in sample did no
        better out of sample than the median trial.
    logits : ndarray of shape (n_splits,)
        log(omega/(1 - omega)) with omega = rank/(n_trials + 1) of the in-sample best among all
        out-of-sample Sharpe ratios (the best has rank n_trials, ties, Sharpe ratios within 1e-9,
        their average rank).
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
    best, inside, outside, rank = _validated(sums, squares, _splits(blocks), rows)
    logits = np.log(rank / (r.shape[1] + 1 - rank))
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


def _validated(
    sums: list[FloatArray], squares: list[FloatArray], masks: IntArray, rows: int
) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    """Return per split the in-sample best, its two Sharpe ratios and its out-of-sample rank."""
    best = np.empty(masks.size, dtype=np.int64)
    inside, outside, rank = (np.empty(masks.size) for _ in range(3))
    for part in _chunks(masks.size // 2, max(1, _CHUNK // sums[0].shape[1])):
        mirror = masks.size - 1 - part  # the split whose in-sample half is this one's other half
        one = _sharpes(sums, squares, masks[part], rows)
        other = _sharpes(sums, squares, masks[mirror], rows)
        for at, fit, test in ((part, one, other), (mirror, other, one)):
            best[at], inside[at], outside[at], rank[at] = _selected(fit, test)
    return best, inside, outside, rank


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
    refuse_unknown(r)


def _block_moments(r: FloatArray, blocks: int) -> tuple[FloatArray, FloatArray]:
    """Return the sums and the sums of squares per block, each of shape (blocks, n_trials)."""
    down = -exponents(r)
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
    best = (fit >= fit.max(axis=1, keepdims=True) - _TIE).argmax(axis=1)[:, None]
    inside, outside = np.take_along_axis(fit, best, 1), np.take_along_axis(test, best, 1)
    below = np.count_nonzero(test < outside - _TIE, axis=1)
    equal = np.count_nonzero(np.abs(test - outside) <= _TIE, axis=1)  # itself included
    return best[:, 0], inside[:, 0], outside[:, 0], below + (equal + 1) / 2


def _slope(x: FloatArray, y: FloatArray) -> float:
    """Return the least-squares slope of y on x, NaN where x does not vary."""
    if x.max() == x.min():
        return math.nan
    from_mean = x - x.mean()
    return float(from_mean @ (y - y.mean()) / (from_mean @ from_mean))
