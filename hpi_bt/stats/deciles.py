"""How a line orders what follows: tenths of its values, rank correlation and its decay (SPEC 9)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import stdtr

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.errors import InputError
from hpi_bt.stats.events import LEAST_CLUSTERS
from hpi_bt.stats.forward import Horizon, checked_bars, checked_horizons
from hpi_bt.stats.permutation import clustered
from hpi_bt.stats.pool import BLOCK_BARS


class Ranks(NamedTuple):
    """Ranks from 1 on, equal values sharing their average, and the group of equals of each."""

    rank: FloatArray
    group: IntArray


def _ranks(values: FloatArray) -> Ranks:
    _, group, count = np.unique(values, return_inverse=True, return_counts=True)
    group = group.reshape(-1)
    return Ranks((np.cumsum(count) - (count - 1) / 2)[group], group)


@dataclass(frozen=True)
class Pair:
    """A line, what followed it, and the cluster of each bar from 0 on; each of shape (n_bars,)."""

    line: FloatArray
    forward: FloatArray
    cluster: IntArray

    def known(self) -> Pair:
        """Return the bars that have both values."""
        both = np.isfinite(self.line) & np.isfinite(self.forward)
        return self if both.all() else Pair(self.line[both], self.forward[both], self.cluster[both])

    def varies(self) -> bool:
        """Return whether there is a rank correlation."""
        return self.line.size >= 3 and bool(np.ptp(self.line) and np.ptp(self.forward))

    @cached_property
    def ranks(self) -> Ranks:
        """The ranks of the line."""
        return _ranks(self.line)


def decile_table(
    line: npt.ArrayLike,
    forward_return: npt.ArrayLike,
    *,
    groups: int = 10,
    session: npt.ArrayLike | None = None,
) -> pd.DataFrame:
    """Return what followed each tenth of a line's values.

    Parameters
    ----------
    line, forward_return : array of shape (n_bars,)
        Bars on which either is NaN are left out.
    groups : int, default=10
    session : array of int, shape (n_bars,), optional
        Cluster of each bar for t; without it each bar is its own.

    Returns
    -------
    table : DataFrame, index decile (1 holds the lowest values)
        n, low and high (of the line), mean, median and hit_rate (share above 0) of the forward
        return, excess (mean minus that of all bars) and t (excess over its clustered standard
        error).

    Raises
    ------
    InputError
        Lengths differ, `groups` below 2, or fewer known bars than groups.

    Notes
    -----
    Decile = floor(groups (rank - 1/2)/n) + 1 with equal values sharing their average rank, so
    they stay together; a tenth that is empty for that reason has no row. The cuts are those of
    the whole sample: this describes, it is no rule one could have traded.
    """
    return pooled_decile_table([_checked_pair(line, forward_return, session)], groups=groups)


def pooled_decile_table(pairs: Sequence[Pair], *, groups: int = 10) -> pd.DataFrame:
    """Return what followed each tenth of a line's values, each symbol ranked by itself.

    Parameters
    ----------
    pairs : sequence of Pair
        One per symbol; clusters are common to all.
    groups : int, default=10

    Returns
    -------
    table : DataFrame
        As `decile_table`; excess is over the mean of the bar's own symbol.

    Raises
    ------
    InputError
        As `decile_table`.
    """
    known = [pair.known() for pair in pairs]
    least = min((pair.line.size for pair in known), default=0)
    if groups < 2 or least < groups:
        raise InputError(
            f"groups: {groups} for {least} bars with both values; give at least 2 groups and as "
            "many bars"
        )
    decile = np.concatenate([_tenths(pair, groups) for pair in known])
    excess = np.concatenate([pair.forward - pair.forward.mean() for pair in known])
    joined = Pair(
        np.concatenate([pair.line for pair in known]),
        np.concatenate([pair.forward for pair in known]),
        np.concatenate([pair.cluster for pair in known]),
    )
    rows = {int(d): _tenth(joined, excess, decile == d) for d in np.unique(decile)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("decile")


def _tenths(pair: Pair, groups: int) -> IntArray:
    share = (pair.ranks.rank - 0.5) / pair.line.size
    return np.floor(groups * share).astype(np.int64) + 1


def _checked_pair(
    line: npt.ArrayLike, forward_return: npt.ArrayLike, session: npt.ArrayLike | None
) -> Pair:
    x, y = (np.asarray(a, dtype=np.float64) for a in (line, forward_return))
    ids = np.arange(x.size) if session is None else np.asarray(session)
    if x.ndim != 1 or x.shape != y.shape or x.shape != ids.shape:
        raise InputError(
            f"line: shapes {x.shape}, forward_return {y.shape}, session {ids.shape}; "
            "give one value per bar"
        )
    return Pair(x, y, np.asarray(np.unique(ids, return_inverse=True)[1]).reshape(-1))


def _tenth(pair: Pair, excess: FloatArray, inside: BoolArray) -> dict[str, float]:
    """Return the row of the bars `inside` a group."""
    own, over, ids = pair.forward[inside], excess[inside], pair.cluster[inside]
    sums, counts = (np.bincount(ids, weights=w) for w in (over, np.ones(own.size)))
    found = clustered(sums.astype(np.float64), counts.astype(np.float64))
    return {
        "n": own.size,
        "low": float(pair.line[inside].min()),
        "high": float(pair.line[inside].max()),
        "mean": float(own.mean()),
        "median": float(np.median(own)),
        "hit_rate": float((own > 0.0).mean()),
        "excess": float(found.effect),
        "t": float(found.t),
    }


def information_coefficient(
    line: npt.ArrayLike,
    open: npt.ArrayLike,  # noqa: A002 - the price's name everywhere
    close: npt.ArrayLike,
    session: npt.ArrayLike,
    horizons: Sequence[Horizon] = (1, 5, 15, 30, 60),
) -> pd.DataFrame:
    """Return the rank correlation of a line with the forward return, by horizon: its decay.

    Parameters
    ----------
    line, open, close, session : array of shape (n_bars,)
        The line is known at the bar's close; prices and sessions as in `event_study`.
    horizons : sequence of int or "close"

    Returns
    -------
    table : DataFrame, index horizon
        n (bars with both), ic (Spearman, in [-1, 1]; NaN where either does not vary), t (ic over
        its standard error clustered by session, by blocks of 21 daily bars), p_value (two-sided,
        from t with clusters - 1 degrees of freedom) and note (why a number is missing, else "").

    Raises
    ------
    InputError
        As `event_study`.

    Notes
    -----
    The standard error is that of the projection of the rank statistic on single bars,
    u v + mean_j 1{x_j >= x} v_j + mean_j 1{y_j >= y} u_j with centred ranks u and v, summed by
    session; t needs 8 of them.
    """
    bars = checked_bars(open, close, session)
    x = np.asarray(line, dtype=np.float64)
    if x.shape != bars.session.shape:
        raise InputError(f"line: shape {x.shape} for {bars.session.size} bars; give one each")
    wanted = checked_horizons(horizons, [bars])
    cluster = np.arange(x.size) // BLOCK_BARS if bars.daily else bars.session - bars.session[0]
    rows = {h: coefficient([Pair(x, bars.forward(h), cluster)], bars.daily) for h in wanted}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("horizon")


def coefficient(pairs: Sequence[Pair], daily: bool) -> dict[str, float | str]:
    """Return the row of one horizon: n, ic, t, p_value, note; symbols weigh by their bars.

    Parameters
    ----------
    pairs : sequence of Pair
        One per symbol, each ranked by itself; clusters are common to all.
    daily : bool
        Whether clusters are blocks of 21 bars, for the note.
    """
    known = [pair for pair in (pair.known() for pair in pairs) if pair.varies()]
    n = sum(pair.line.size for pair in known)
    row: dict[str, float | str] = {"n": n, **dict.fromkeys(("ic", "t", "p_value"), math.nan)}
    if not n:
        row["n"] = sum(pair.known().line.size for pair in pairs)
        return row | {"note": "the line or the return does not vary over the bars that have both"}
    width = 1 + max(int(pair.cluster.max()) for pair in known)
    total, error, some = 0.0, np.zeros(width), np.zeros(width, dtype=bool)
    for pair in known:
        ic, influence = _influence(pair)
        total += ic * pair.line.size / n
        error += np.bincount(pair.cluster, weights=influence, minlength=width) / n
        some[pair.cluster] = True
    row["ic"], clusters = total, int(np.count_nonzero(some))
    if clusters < LEAST_CLUSTERS:
        kind = f"blocks of {BLOCK_BARS} bars" if daily else "sessions"
        return row | {"note": f"{clusters} {kind} with both values, {LEAST_CLUSTERS} needed"}
    se = math.sqrt(float(error @ error))
    if se <= 1e-10:  # the ranks agree everywhere
        return row | {"note": "no spread between sessions: t is undefined"}
    t = total / se
    return row | {"t": t, "p_value": float(2.0 * stdtr(clusters - 1, -abs(t))), "note": ""}


def _influence(pair: Pair) -> tuple[float, FloatArray]:
    """Return Spearman's coefficient and what each bar adds to it, centred, shape (n_bars,)."""
    n, x, y = pair.line.size, pair.ranks, _ranks(pair.forward)
    u, v = ((ranks.rank - (n + 1) / 2) / n for ranks in (x, y))
    scale = math.sqrt(float(u @ u) * float(v @ v)) / n
    influence = u * v + _mean_above(x, v) + _mean_above(y, u)
    return float(u @ v) / n / scale, (influence - influence.mean()) / scale


def _mean_above(ranks: Ranks, values: FloatArray) -> FloatArray:
    """Return mean_j 1{rank_j >= rank_i} values_j, equal ranks counting half, shape (n,)."""
    total = np.bincount(ranks.group, weights=values)
    above = total[::-1].cumsum()[::-1] - total / 2
    return np.asarray(above[ranks.group] / values.size)
