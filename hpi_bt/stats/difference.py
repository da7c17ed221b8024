"""Is one better than the other? Sharpe ratios of two runs, means of two groups of entries.

Both are answered by a studentised stationary bootstrap over sessions (Ledoit and Wolf 2008).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.errors import InputError
from hpi_bt.stats.metrics import checked_returns
from hpi_bt.stats.studentised import Difference, studentised_difference

SURE_SESSIONS = 250  # in common; below it intervals of Sharpe differences are rough
LEAST_SESSIONS = 20  # in common; below it a Sharpe ratio is noise and its bootstrap no better
LEAST_CLUSTERS = 8  # sessions with entries in each group


class GroupDifference(NamedTuple):
    """Means of two groups of entries, n of each, and the first minus the second."""

    n_first: int
    mean_first: float
    n_second: int
    mean_second: float
    found: Difference


def common_returns(returns: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Return what each run earned from one common session to the next.

    Parameters
    ----------
    returns : mapping of Series, index session dates
        Session returns of each run, as `session_returns` gives them.

    Returns
    -------
    table : DataFrame, index the sessions that all have, one column a run
        Decimals. Sessions that a run alone has are compounded into the next common one, so that
        nothing is lost between; those before the first and after the last are left out.
    """
    common = None
    for series in returns.values():
        common = series.index if common is None else common.intersection(series.index)
    if common is None or not len(common):
        return pd.DataFrame(columns=list(returns), dtype=np.float64)
    common = common.sort_values()
    columns = {}
    for name, series in returns.items():
        at = series.index.get_indexer(common)
        values = np.ones(1 + at[-1] - at[0])
        values[:] = 1.0 + series.to_numpy(dtype=np.float64)[at[0] : at[-1] + 1]
        starts = np.r_[0, at[:-1] - at[0] + 1]
        columns[name] = np.multiply.reduceat(values, starts) - 1.0
    return pd.DataFrame(columns, index=pd.DatetimeIndex(common, name="session"))


def sharpe_difference(
    returns: npt.ArrayLike,
    baseline: npt.ArrayLike,
    *,
    periods_per_year: float = 252.0,
    draws: int = 2000,
    seed: int = 0,
) -> Difference:
    """Return the Sharpe ratio of `returns` minus that of `baseline`, annualised.

    Parameters
    ----------
    returns, baseline : array of shape (n_sessions,)
        Simple returns of the same sessions, oldest first.
    periods_per_year : float, default=252
    draws : int, default=2000
        Resamples, at least 99.
    seed : int, default=0

    Returns
    -------
    difference : Difference
        Without interval where a run has no spread, or fewer than 20 sessions are common.

    Raises
    ------
    InputError
        Lengths differ, a return is impossible, or too few draws.

    Notes
    -----
    Both series are resampled together, session by session (Politis and Romano 1994; mean block of
    the difference's influence values by Politis and White), and the difference is studentised.
    With 60 and 250 sessions, normal, heavy-tailed, clustered and autocorrelated (0.3) returns, the
    interval held the truth in 89 to 97 % of trials.
    """
    first, second = checked_returns(returns), checked_returns(baseline, "baseline")
    if first.shape != second.shape:
        raise InputError(
            f"baseline: {second.size} sessions for {first.size} returns; give the same sessions"
        )
    year = math.sqrt(periods_per_year)
    for who, r in (("it", first), ("the baseline", second)):
        if r.size < 2 or np.ptp(r) == 0.0:
            return Difference(math.nan, note=f"{who} never moved: no Sharpe ratio")
    pair = np.stack([first, second])

    def statistic(index: IntArray) -> tuple[FloatArray, FloatArray]:
        ratio, influence = _sharpe_of(pair[:, index])
        return year * (ratio[0] - ratio[1]), year * (influence[0] - influence[1])

    difference = float(statistic(np.arange(first.size)[None])[0][0])
    if first.size < LEAST_SESSIONS:
        return Difference(
            difference, note=f"{first.size} sessions in common, {LEAST_SESSIONS} needed"
        )
    return studentised_difference(first.size, statistic, draws=draws, seed=seed)


def _sharpe_of(r: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return Sharpe ratios along the last axis and each session's influence on them."""
    n = r.shape[-1]
    left = r - r.mean(axis=-1, keepdims=True)
    spread = np.sqrt(np.square(left).sum(axis=-1, keepdims=True) / (n - 1))
    ratio = r.mean(axis=-1, keepdims=True) / spread
    z = left / spread
    # n/(n - 1) makes them sum to 0, as influences do
    return ratio[..., 0], z - 0.5 * ratio * (np.square(z) * (n / (n - 1)) - 1.0)


def group_difference(
    values: npt.ArrayLike,
    first: npt.ArrayLike,
    session: npt.ArrayLike,
    *,
    draws: int = 2000,
    seed: int = 0,
) -> GroupDifference:
    """Return the mean of one group minus that of the other, whole sessions resampled.

    Parameters
    ----------
    values : array of shape (n_entries,)
        What each entry earned, decimals; NaN where unknown, which is left out.
    first : array of bool, shape (n_entries,)
        True for the first group.
    session : array of int, shape (n_entries,)
        Session of each entry.
    draws : int, default=2000
    seed : int, default=0

    Returns
    -------
    groups : GroupDifference
        Without interval where either group has entries in fewer than 8 sessions.

    Raises
    ------
    InputError
        Lengths differ, or too few draws.
    """
    value, chosen, ids = np.asarray(values, float), np.asarray(first, bool), np.asarray(session)
    if not value.shape == chosen.shape == ids.shape or value.ndim != 1:
        raise InputError(
            f"values: shapes {value.shape}, {chosen.shape}, {ids.shape}; give one value, group and "
            "session per entry"
        )
    known = np.isfinite(value)
    value, chosen, ids = value[known], chosen[known], ids[known]
    sums, counts = _by_session(value, chosen, ids)
    total = counts.sum(axis=1)
    means = [float(s / c) if c else math.nan for s, c in zip(sums.sum(axis=1), total, strict=True)]
    difference = means[0] - means[1]
    few = np.count_nonzero(counts, axis=1)
    if (few < LEAST_CLUSTERS).any():
        found = Difference(difference, note=_too_few(few))
    else:

        def statistic(index: IntArray) -> tuple[FloatArray, FloatArray]:
            return _group_means(sums[:, index], counts[:, index])

        found = studentised_difference(sums.shape[1], statistic, draws=draws, seed=seed)
    return GroupDifference(int(total[0]), means[0], int(total[1]), means[1], found)


def _by_session(
    value: FloatArray, chosen: BoolArray, ids: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return sums and counts of shape (2, n_sessions), of the first group and of the second."""
    days, place = np.unique(ids, return_inverse=True)
    sums, counts = np.zeros((2, 2, days.size))
    for row, own in enumerate((chosen, ~chosen)):
        sums[row] = np.bincount(place[own], weights=value[own], minlength=days.size)
        counts[row] = np.bincount(place[own], minlength=days.size)
    return sums, counts


def _group_means(sums: FloatArray, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return difference of the means and influence of each session, for every draw."""
    total = counts.sum(axis=-1, keepdims=True)
    mean = sums.sum(axis=-1, keepdims=True) / total
    influence = sums.shape[-1] * (sums - mean * counts) / total
    return (mean[0] - mean[1])[..., 0], influence[0] - influence[1]


def _too_few(sessions: IntArray) -> str:
    """Return which group has entries in too few sessions."""
    which = int(np.argmin(sessions))
    some = int(sessions[which])
    name = ("first", "second")[which]
    if not some:
        return f"no entry in the {name} group"
    return f"{some} session{'s' * (some != 1)} in the {name} group, {LEAST_CLUSTERS} needed"


def holm(p: npt.ArrayLike) -> FloatArray:
    """Return p-values adjusted for their number (Holm 1979), NaN where p is, shape (n_tests,)."""
    values = np.asarray(p, dtype=np.float64).reshape(-1)
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    out = np.full(values.size, np.nan)
    inflated = values[order] * np.arange(order.size, 0, -1)
    out[order] = np.maximum.accumulate(np.minimum(inflated, 1.0))
    return out
