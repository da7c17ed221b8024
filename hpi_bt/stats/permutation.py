"""Permuting whole sessions' patterns: clustered t, its permutation p-value, false discoveries."""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.errors import InputError

LEAST_PERMUTATIONS = 99  # of a study: the smallest p is then 0.01
_NO_SPREAD = 1e-10  # of the root of summed squares: all that rounding leaves of no spread
_BATCH = 1 << 22  # products of clusters held at once
_TAIL = 5  # permutations that must be as large for a size to be read off them
_TIE = 1e-9  # relative: permutations that change nothing give t again up to rounding


class Clustered(NamedTuple):
    """A mean over events and its standard error by clusters; NaN where undefined."""

    effect: FloatArray
    se: FloatArray

    @property
    def t(self) -> FloatArray:
        """Return effect/se."""
        return np.asarray(self.effect / self.se)


def clustered(sums: FloatArray, counts: FloatArray) -> Clustered:
    """Return sum/sum along the last axis with sqrt(sum_d (sum_d - effect n_d)^2)/n.

    Parameters
    ----------
    sums, counts : ndarray of shape (..., n_clusters)
        Sum of the events' values in each cluster and their number.

    Returns
    -------
    clustered : Clustered of shape (...,)
        The effect is NaN without an event, its error where the clusters show no spread (one
        cluster alone never does).
    """
    n = counts.sum(axis=-1)
    some = np.where(n > 0.0, n, np.nan)
    effect = np.asarray(sums.sum(axis=-1) / some)
    left = sums - effect[..., None] * counts
    size = np.sqrt(np.square(left).sum(axis=-1))
    spread = size > _NO_SPREAD * np.sqrt(np.square(sums).sum(axis=-1))
    return Clustered(effect, np.where(spread, size / some, np.nan))


def check_permutations(permutations: int) -> None:
    """Refuse so few permutations that no p-value could be small."""
    if permutations < LEAST_PERMUTATIONS:
        raise InputError(
            f"permutations: {permutations}; give at least {LEAST_PERMUTATIONS}, better 1000, as p "
            "cannot be below 1/(1 + permutations)"
        )


def permutations_of(strata: IntArray, permutations: int, seed: int) -> IntArray:
    """Return who gives its pattern to whom: the identity, then random permutations.

    Parameters
    ----------
    strata : ndarray of int, shape (n_clusters,)
        Clusters are permuted among those of the same number; below 0, not at all.
    permutations : int
        At least 1.
    seed : int

    Returns
    -------
    order : ndarray of int, shape (1 + permutations, n_clusters)
        In row r, cluster d receives the pattern of cluster order[r, d].
    """
    if permutations < 1:
        raise InputError(f"permutations: {permutations}; give at least 1, better 1000")
    rng = np.random.default_rng(seed)
    order = np.tile(np.arange(strata.size), (1 + permutations, 1))
    for stratum in np.unique(strata[strata >= 0]):
        members = np.flatnonzero(strata == stratum)
        order[1:, members] = rng.permuted(order[1:, members], axis=1)
    return order


class Grid(NamedTuple):
    """Running sums over the slots of each cluster, shape (n_clusters, 1 + n_slots), from 0 on.

    Attributes
    ----------
    value, known : ndarray
        Of the bars' values, unknown ones as 0, and of the number of known ones.
    """

    value: FloatArray
    known: FloatArray


def grid_of(values: FloatArray) -> Grid:
    """Return the running sums of `values`, shape (n_clusters, n_slots), NaN where there is none."""
    known = np.isfinite(values)
    value, count = (np.zeros((values.shape[0], values.shape[1] + 1)) for _ in range(2))
    np.cumsum(np.where(known, values, 0.0), axis=1, out=value[:, 1:])
    np.cumsum(known, axis=1, out=count[:, 1:])
    return Grid(value, count)


class Runs(NamedTuple):
    """The events of each cluster as runs of slots; those of d are at first[d] : first[d + 1].

    Attributes
    ----------
    start, stop : ndarray of int, shape (n_runs,)
        First slot of a run and the slot behind its last.
    first : ndarray of int, shape (n_clusters + 1,)
    """

    start: IntArray
    stop: IntArray
    first: IntArray


def runs_of(events: BoolArray) -> Runs:
    """Return the runs of a pattern of shape (n_clusters, n_slots)."""
    edged = np.zeros((events.shape[0], events.shape[1] + 2), dtype=np.int8)
    edged[:, 1:-1] = events
    step = np.diff(edged, axis=1)
    cluster, start = np.nonzero(step == 1)
    stop = np.nonzero(step == -1)[1]
    first = np.searchsorted(cluster, np.arange(events.shape[0] + 1))
    return Runs(start, stop, first)


def add_permuted_sums(
    grid: Grid, runs: Runs, order: IntArray, out: tuple[FloatArray, FloatArray]
) -> None:
    """Add one symbol's events under every permutation to the cluster sums and counts.

    Parameters
    ----------
    grid : Grid
        Values of the bars; an event that lands where there is none is dropped.
    runs : Runs
        The clusters' patterns.
    order : ndarray of int, shape (n_permutations, n_clusters)
    out : two ndarrays of shape (n_permutations, n_clusters)
        Sums and counts, changed in place.

    Notes
    -----
    A run costs two look-ups whatever its length, so a state that lasts costs no more than a pulse.
    """
    _add_runs(*grid, *runs, order, *out)


@numba.njit(cache=True, nogil=True)
def _add_runs(
    value: FloatArray,
    count: FloatArray,
    start: IntArray,
    stop: IntArray,
    first: IntArray,
    order: IntArray,
    sums: FloatArray,
    counts: FloatArray,
) -> None:
    for d in range(order.shape[1]):  # outside, so that the cluster's own values stay at hand
        for r in range(order.shape[0]):
            giver = order[r, d]
            total, n = 0.0, 0.0
            for k in range(first[giver], first[giver + 1]):
                total += value[d, stop[k]] - value[d, start[k]]
                n += count[d, stop[k]] - count[d, start[k]]
            sums[r, d] += total
            counts[r, d] += n


def add_weighted_sums(
    values: FloatArray,
    weights: FloatArray,
    order: IntArray,
    out: tuple[FloatArray, FloatArray],
    per: float = 1.0,
) -> None:
    """Add weighted values under every permutation of the weights to the cluster sums and counts.

    Parameters
    ----------
    values : ndarray of shape (n_clusters, n_slots)
        NaN where there is none: a weight that lands there is dropped.
    weights : ndarray of shape (n_clusters, n_slots)
        The clusters' patterns.
    order : ndarray of int, shape (n_permutations, n_clusters)
    out : two ndarrays of shape (n_permutations, n_clusters)
        Sums, and weights over `per`; changed in place.
    per : float, default=1
    """
    known = np.isfinite(values)
    clusters = order.shape[1]
    size = max(1, _BATCH // clusters)
    for here in (slice(at, at + size) for at in range(0, clusters, size)):
        giver = order[:, here].T
        for into, own in zip(out, (np.where(known, values, 0.0), known / per), strict=True):
            products = own[here] @ weights.T  # of every receiver with every giver
            into[:, here] += np.take_along_axis(products, giver, axis=1).T


class Whole(NamedTuple):
    """An effect over an error that knows the baseline's own noise, row by row; NaN if undefined.

    Attributes
    ----------
    t, error : ndarray of shape (n_rows,)
    """

    t: FloatArray
    error: FloatArray


def whole_t(sums: FloatArray, counts: FloatArray, baseline: FloatArray) -> Whole:
    """Return effect and error of every row, the baseline's noise and its covariance in the error.

    Parameters
    ----------
    sums, counts : ndarray of shape (n_rows, n_clusters)
        Sum of the events' values in each cluster and their number; row 0 is the sample.
    baseline : ndarray of shape (n_clusters,)
        What each cluster put into the baselines that were taken off the sample's events.

    Returns
    -------
    whole : Whole
        NaN without an event or without spread.

    Notes
    -----
    error = sqrt(sum_d (sum_d - effect n_d - s baseline_d)^2)/n, s the events that a row has left
    over those of the sample: permuted events stay at their times of day, and so, but for those that
    land on no bar, do the baselines that they are measured by. Taken as independent of the events,
    baselines make signals of a calm state, which are much of their own baseline, look sure: 8 to
    18 % of them are then found at 5 % where there is nothing.
    """
    t, error = np.empty((2, sums.shape[0]))
    _fill_t(sums, counts, baseline, t, error)
    return Whole(t, error)


@numba.njit(cache=True, nogil=True)
def _fill_t(
    sums: FloatArray, counts: FloatArray, baseline: FloatArray, t: FloatArray, error: FloatArray
) -> None:
    sample = 0.0
    for r in range(sums.shape[0]):
        n, total = 0.0, 0.0  # plain loops compile twice as fast as calls of sum()
        for d in range(sums.shape[1]):
            n += counts[r, d]
            total += sums[r, d]
        sample = n if r == 0 else sample
        t[r] = error[r] = np.nan
        if n > 0.0:
            effect, share = total / n, n / sample
            left, net, whole = 0.0, 0.0, 0.0
            for d in range(sums.shape[1]):
                rest = sums[r, d] - effect * counts[r, d]
                left += rest * rest
                net += (rest - share * baseline[d]) ** 2
                whole += sums[r, d] * sums[r, d]
            if left > _NO_SPREAD**2 * whole and net > _NO_SPREAD**2 * whole:
                error[r] = math.sqrt(net) / n
                t[r] = effect / error[r]


def permutation_p(t: FloatArray) -> float:
    """Return (1 + #{|t*| >= |t|})/(1 + permutations); t[0] is the sample's own, the rest are t*.

    A permutation without a t (no events left, or no spread) counts as at least as large.
    """
    own = abs(float(t[0]))
    if not np.isfinite(own):
        return float("nan")
    smaller = np.abs(t[1:]) < own * (1.0 - _TIE)
    return float((1 + np.count_nonzero(~smaller)) / t.size)


def permutation_reach(t: FloatArray, level: float, freedom: float = math.inf) -> float:
    """Return the size that |t[0]| must exceed for a p-value of at most `level`.

    Parameters
    ----------
    t : ndarray of shape (1 + n_permutations,)
        The sample's own, then those permuted.
    level : float
    freedom : float, default=inf
        Degrees of freedom of the Student's t that the far tail is taken to look like.

    Returns
    -------
    reach : float
        Where fewer than 5 permutations can be as large, the size that 5 reach, stretched as
        Student's quantiles are. Infinite where too many permutations are without a t.
    """
    sizes = np.sort(np.where(np.isfinite(t[1:]), np.abs(t[1:]), np.inf))[::-1]
    base = max(level, min(_TAIL / t.size, 0.5))
    allowed = math.floor(base * t.size + _TIE) - 1  # as large as t[0], besides itself
    if not 0 <= allowed < sizes.size:
        return math.inf
    stretch = float(stdtrit(freedom, 1.0 - level / 2) / stdtrit(freedom, 1.0 - base / 2))
    return float(sizes[allowed]) * stretch


def all_alike(t: FloatArray) -> bool:
    """Return whether no permutation changed t: every cluster has the same pattern."""
    return bool(np.isfinite(t).all() and (np.abs(t - t[0]) <= _TIE * abs(t[0])).all())


def q_values(p: npt.ArrayLike, families: int = 1) -> FloatArray:
    """Return Benjamini-Hochberg q-values: the least false discovery rate that rejects each.

    Parameters
    ----------
    p : array of shape (n_tests,)
        p-values in [0, 1]; NaN was not tested and does not count.
    families : int, default=1
        Tables read together, each of which may hold as many tests: all q-values are so many times
        as large, at most 1, so that the chance of any false discovery does not grow with tables.

    Returns
    -------
    q : ndarray of shape (n_tests,)
        In [0, 1], NaN where p is.

    Raises
    ------
    InputError
        A p-value outside [0, 1].
    """
    values = np.asarray(p, dtype=np.float64).reshape(-1)
    tested = np.flatnonzero(~np.isnan(values))
    found = values[tested]
    if ((found < 0.0) | (found > 1.0)).any():
        raise InputError("p: values outside [0, 1]; give p-values, NaN where there is none")
    order = np.argsort(found, kind="stable")[::-1]
    inflation = found.size / np.arange(found.size, 0, -1)
    out = np.full(values.size, np.nan)
    out[tested[order]] = np.minimum.accumulate(np.minimum(families * found[order] * inflation, 1.0))
    return out
