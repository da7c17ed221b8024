"""How a line ranks with what follows, by horizon (definitions 9)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import stdtr, stdtrit

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError
from hpi_bt.stats.events import LEAST_CLUSTERS
from hpi_bt.stats.forward import Horizon, checked_bars, checked_horizons
from hpi_bt.stats.pairs import Pair, Ranks, Steps, near_bars, pair_of, ranks_of, width_of
from hpi_bt.stats.permutation import clustered
from hpi_bt.stats.pool import BLOCK_BARS, markets_of

_NUMBERS = ("ic", "low", "high", "t", "p_value", "spearman")


def information_coefficient(
    line: npt.ArrayLike,
    open: npt.ArrayLike,  # noqa: A002 - the price's name everywhere
    close: npt.ArrayLike,
    session: npt.ArrayLike,
    horizons: Sequence[Horizon] = (1, 5, 15, 30, 60),
    *,
    stamps: pd.DatetimeIndex | None = None,
    minutes_open: npt.ArrayLike | None = None,
    time_bucket: float = 30,
) -> pd.DataFrame:
    """Return the rank correlation of a line with the abnormal return, by horizon: its decay.

    Parameters
    ----------
    line, open, close, session : array of shape (n_bars,)
        The line is known at the bar's close; prices and sessions as in `event_study`.
    horizons : sequence of int or "close"
    stamps, minutes_open, time_bucket
        As in `event_study`: without times, abnormal returns are those over the mean of all bars.

    Returns
    -------
    table : DataFrame, index horizon
        n (bars with both), ic (Spearman, in [-1, 1]; NaN where either does not vary; daily bars as
        below), low and high (its 95 % interval), t (ic over its standard error clustered by
        session), p_value (two-sided, from t with clusters - 1 degrees of freedom), spearman (the
        plain coefficient) and note (why a number is missing, else "").

    Raises
    ------
    InputError
        As `event_study`.

    Notes
    -----
    The standard error is that of the projection of the rank statistic on single bars,
    u v + mean_j 1{x_j >= x} v_j + mean_j 1{y_j >= y} u_j with centred ranks u and v, summed by
    session; t needs 8 of them.

    Daily bars: ic, interval, t and p are those of sum_t u_t (r_{t+1} + ... + r_{t+h}), r the ranks
    of the single days' moves, by blocks of 21 bars: forward returns overlap, days do not
    (`hpi_bt.stats.steps`). u_t is the line's rank among the bars more than a year, or a quarter of
    the data, away: those nearer share with it the very returns that follow it, so that a trend
    seems to turn against itself; `spearman` has that bias, ic has not. Student's degrees of freedom
    are no more than the independent values that a line so autocorrelated has,
    n/(1 + 2 sum_k rho_k). By trial, trends of 20 to 100 days, price over its average and a line
    autocorrelated by 0.99 are so found in 2 to 9 % at 5 %, from 250 bars and at horizons from 1 to
    21; without these three in 5 to 19 %.
    """
    bars = checked_bars(open, close, session, stamps=stamps, minutes_open=minutes_open)
    x = np.asarray(line, dtype=np.float64)
    if x.shape != bars.session.shape:
        raise InputError(f"line: shape {x.shape} for {bars.session.size} bars; give one each")
    wanted = checked_horizons(horizons, [bars])
    (market,) = markets_of([bars], time_bucket)
    rows = {h: coefficient([pair_of(x, market, h)], bars.daily) for h in wanted}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("horizon")


def coefficient(pairs: Sequence[Pair], daily: bool) -> dict[str, float | str]:
    """Return the row of one horizon: n, ic, t, p_value, note; symbols weigh by their bars.

    Parameters
    ----------
    pairs : sequence of Pair
        One per symbol, each ranked by itself; clusters are common to all.
    daily : bool
        Whether the bars are daily, and clusters blocks of 21.
    """
    known = [pair for pair in (pair.known() for pair in pairs) if pair.varies()]
    n = sum(pair.line.size for pair in known)
    row: dict[str, float | str] = {"n": n, **dict.fromkeys(_NUMBERS, math.nan)}
    if not n:
        row["n"] = sum(pair.known().line.size for pair in pairs)
        return row | {"note": "the line or the return does not vary over the bars that have both"}
    total, some = 0.0, np.zeros(width_of(known), dtype=bool)
    for pair in known:
        total += _spearman(pair.ranks, ranks_of(pair.abnormal)) * pair.line.size / n
        some[pair.cluster] = True
    row["ic"] = row["spearman"] = total
    clusters = int(np.count_nonzero(some))
    if clusters < LEAST_CLUSTERS:
        kind = f"block{'s' * (clusters != 1)} of {BLOCK_BARS} bars" if daily else "session"
        kind += "s" * (not daily and clusters != 1)
        return row | {"note": f"{clusters} {kind} with both values, {LEAST_CLUSTERS} needed"}
    if daily:
        se, t, freedom = _daily(known)
    else:
        se = _error(known)
        t, freedom = total / se, math.inf
    if not math.isfinite(t):  # the ranks agree everywhere
        kind = "blocks" if daily else "sessions"
        return row | {"note": f"no spread between {kind}: t is undefined"}
    freedom = min(clusters - 1.0, freedom)
    ic, half = t * se, se * float(stdtrit(freedom, 0.975))
    p = float(2.0 * stdtr(freedom, -abs(t)))
    about: dict[str, float | str] = {
        "ic": ic,
        "low": ic - half,
        "high": ic + half,
        "t": t,
        "p_value": p,
        "note": "",
    }
    return row | about


def _error(pairs: Sequence[Pair]) -> float:
    """Return the standard error of the pairs' coefficient, infinite where there is no spread."""
    width, n = width_of(pairs), sum(pair.line.size for pair in pairs)
    error = np.zeros(width)
    for pair in pairs:
        error += np.bincount(pair.cluster, weights=_influence(pair), minlength=width) / n
    se = math.sqrt(float(error @ error))
    return se if se > 1e-10 else math.nan


class _Daily(NamedTuple):
    """The standard error of a coefficient, what p compares with Student's, degrees of freedom."""

    se: float
    t: float
    freedom: float


def _daily(pairs: Sequence[Pair]) -> _Daily:
    """Return what the blocks of daily bars say, NaN where there is no spread."""
    width = width_of(pairs)
    sums, bars = np.zeros((2, width))
    for pair in pairs:
        values = _centred(pair.abnormal) if pair.steps is None else _ranked_moves(pair.steps)
        sums += pair.sums(_far_rank(pair), values, width)[0]
        bars += np.bincount(pair.cluster, minlength=width)
    found, horizon = clustered(sums, bars), pairs[0].steps.horizon if pairs[0].steps else 1
    # ranks over n have the variance 1/12, the sum of those of `horizon` days as many times that
    se = 12.0 / math.sqrt(horizon) * float(found.se)
    apart = float(np.mean([_values_apart(pair.ranks.rank) for pair in pairs]))
    return _Daily(se, float(found.t), apart)


def _values_apart(values: FloatArray) -> float:
    """Return the number of independent values that have as sure a mean, n/(1 + 2 sum_k rho_k).

    rho are the autocorrelations up to the first that is not above 0.
    """
    n = values.size
    left = values - values.mean()
    covariance = np.fft.irfft(np.abs(np.fft.rfft(left, 2 * n)) ** 2, 2 * n)[:n]
    over = int(np.argmax(np.append(covariance, 0.0) <= 0.0))
    return n / (2.0 * float(covariance[:over].sum()) / float(covariance[0]) - 1.0)


def _centred(values: FloatArray) -> FloatArray:
    """Return ranks over their number, less their mean: in (-1/2, 1/2)."""
    return (ranks_of(values).rank - (values.size + 1) / 2) / values.size


def _ranked_moves(steps: Steps) -> FloatArray:
    """Return the centred ranks of the moves, each kind by itself, NaN where unknown."""
    out = np.full(steps.moves.shape, np.nan)
    for into, moves in zip(out.T, steps.moves.T, strict=True):
        known = np.isfinite(moves)
        into[known] = _centred(moves[known])
    return out


def _far_rank(pair: Pair) -> FloatArray:
    """Return each bar's centred rank among the bars far from it, shape (n_bars,), in (-1/2, 1/2).

    The sum over those of -1/2, 0, 1/2 where the other's value is above, equal, below, over their
    usual number.
    """
    x, n = pair.line, pair.line.size
    near = near_bars(n)
    rank = pair.ranks.rank - (n + 1) / 2
    for k in range(1, near + 1):
        above = np.sign(x[k:] - x[:-k]) / 2
        rank[k:] -= above
        rank[:-k] += above
    return np.asarray(rank * (n - 1) / ((n - near) * (n - near - 1)))


def _spearman(x: Ranks, y: Ranks) -> float:
    u, v = (ranks.rank - (ranks.rank.size + 1) / 2 for ranks in (x, y))
    return float(u @ v) / math.sqrt(float(u @ u) * float(v @ v))


def _influence(pair: Pair) -> FloatArray:
    """Return what each bar adds to Spearman's coefficient, centred, shape (n_bars,)."""
    n, x, y = pair.line.size, pair.ranks, ranks_of(pair.abnormal)
    u, v = ((ranks.rank - (n + 1) / 2) / n for ranks in (x, y))
    scale = math.sqrt(float(u @ u) * float(v @ v)) / n
    influence = u * v + _mean_above(x, v) + _mean_above(y, u)
    return np.asarray((influence - influence.mean()) / scale)


def _mean_above(ranks: Ranks, values: FloatArray) -> FloatArray:
    """Return mean_j 1{rank_j >= rank_i} values_j, equal ranks counting half, shape (n,)."""
    total = np.bincount(ranks.group, weights=values)
    above = total[::-1].cumsum()[::-1] - total / 2
    return np.asarray(above[ranks.group] / values.size)
