"""How a line orders what follows: tenths of its values, rank correlation and its decay (SPEC 9)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.errors import InputError
from hpi_bt.stats.events import BLOCK_BARS, LEAST_CLUSTERS
from hpi_bt.stats.forward import Bars, Horizon, checked_bars, checked_horizons
from hpi_bt.stats.permutation import clustered


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
    x, y, ids = _checked_pair(line, forward_return, session)
    known = np.isfinite(x) & np.isfinite(y)
    x, y, ids = x[known], y[known], ids[known]
    if groups < 2 or x.size < groups:
        raise InputError(
            f"groups: {groups} for {x.size} bars with both values; give at least 2 groups and as "
            "many bars"
        )
    decile = np.floor(groups * (rankdata(x) - 0.5) / x.size).astype(np.int64) + 1
    rows = {int(d): _tenth(x, y, ids, decile == d) for d in np.unique(decile)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("decile")


def _checked_pair(
    line: npt.ArrayLike, forward_return: npt.ArrayLike, session: npt.ArrayLike | None
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return line, forward return and the number of each bar's cluster, all (n_bars,)."""
    x, y = (np.asarray(a, dtype=np.float64) for a in (line, forward_return))
    ids = np.arange(x.size) if session is None else np.asarray(session)
    if x.ndim != 1 or x.shape != y.shape or x.shape != ids.shape:
        raise InputError(
            f"line: shapes {x.shape}, forward_return {y.shape}, session {ids.shape}; "
            "give one value per bar"
        )
    return x, y, np.asarray(np.unique(ids, return_inverse=True)[1]).reshape(-1)


def _tenth(x: FloatArray, y: FloatArray, ids: IntArray, inside: BoolArray) -> dict[str, float]:
    """Return the row of the bars `inside` a group."""
    own = y[inside]
    excess = own - y.mean()
    sums, counts = (np.bincount(ids[inside], weights=w) for w in (excess, np.ones(own.size)))
    found = clustered(sums.astype(np.float64), counts.astype(np.float64))
    return {
        "n": own.size,
        "low": float(x[inside].min()),
        "high": float(x[inside].max()),
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
        its standard error clustered by session, by blocks of 21 daily bars) and note (why a
        number is missing, else "").

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
    rows = {h: _coefficient(x, bars, h) for h in wanted}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("horizon")


def _coefficient(line: FloatArray, bars: Bars, horizon: Horizon) -> dict[str, float | str]:
    """Return the row of one horizon."""
    forward = bars.forward(horizon)
    known = np.isfinite(line) & np.isfinite(forward)
    n = int(np.count_nonzero(known))
    block = np.arange(line.size) // BLOCK_BARS if bars.daily else bars.session
    ids = np.unique(block[known], return_inverse=True)[1].reshape(-1)
    row: dict[str, float | str] = {"n": n, "ic": math.nan, "t": math.nan}
    x, y = line[known], forward[known]
    if n < 3 or np.ptp(x) == 0.0 or np.ptp(y) == 0.0:
        return row | {"note": "the line or the return does not vary over the bars that have both"}
    u, v = ((rankdata(a) - (n + 1) / 2) / n for a in (x, y))
    scale = math.sqrt(float(u @ u) * float(v @ v)) / n
    row["ic"] = float(u @ v) / n / scale
    clusters = int(ids.max()) + 1
    if clusters < LEAST_CLUSTERS:
        kind = f"blocks of {BLOCK_BARS} bars" if bars.daily else "sessions"
        return row | {"note": f"{clusters} {kind} with both values, {LEAST_CLUSTERS} needed"}
    influence = u * v + _mean_above(x, v) + _mean_above(y, u)
    by_cluster = np.bincount(ids, weights=influence - influence.mean())
    se = math.sqrt(float(by_cluster @ by_cluster)) / n / scale
    if se <= 1e-10:  # the ranks agree everywhere
        return row | {"note": "no spread between sessions: t is undefined"}
    return row | {"t": float(row["ic"]) / se, "note": ""}


def _mean_above(x: FloatArray, values: FloatArray) -> FloatArray:
    """Return mean_j 1{x_j >= x_i} values_j, equal x counting half, shape (n,)."""
    _, group = np.unique(x, return_inverse=True)
    total = np.bincount(group.reshape(-1), weights=values)
    above = total[::-1].cumsum()[::-1] - total / 2
    return np.asarray(above[group.reshape(-1)] / x.size)
