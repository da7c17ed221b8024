"""Permuting whole sessions' patterns: clustered t, its permutation p-value, false discoveries."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.errors import InputError

_NO_SPREAD = 1e-10  # of the root of summed squares: all that rounding leaves of no spread
_TIE = 1e-9  # relative: permutations that change nothing give t again up to rounding
_CHUNK = 256  # receiving clusters worked on at once


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


def permutations_of(strata: IntArray, permutations: int, seed: int) -> IntArray:
    """Return who gives its pattern to whom: the identity, then random permutations.

    Parameters
    ----------
    strata : ndarray of int, shape (n_clusters,)
        Clusters are permuted among those of the same number.
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
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        order[1:, members] = rng.permuted(order[1:, members], axis=1)
    return order


def add_permuted_sums(
    abnormal: FloatArray, events: FloatArray, order: IntArray, out: tuple[FloatArray, FloatArray]
) -> None:
    """Add one symbol's events under every permutation to the cluster sums and counts.

    Parameters
    ----------
    abnormal : ndarray of shape (n_clusters, n_slots)
        Value of each bar, NaN where it has none or the cluster lacks the slot: an event that
        lands there is dropped.
    events : ndarray of shape (n_clusters, n_slots)
        1 where a cluster's pattern has an event, else 0.
    order : ndarray of int, shape (n_permutations, n_clusters)
    out : two ndarrays of shape (n_permutations, n_clusters)
        Sums and counts, changed in place.

    Notes
    -----
    Each pair of receiving and giving cluster is summed once, by a matrix product; a permutation
    then only looks up n_clusters of them.
    """
    known = np.isfinite(abnormal)
    values = np.where(known, abnormal, 0.0)
    used = np.flatnonzero(events.any(axis=0))  # slots that no pattern uses add nothing
    pattern = np.ascontiguousarray(events[:, used].T)
    for start in range(0, order.shape[1], _CHUNK):
        rows = slice(start, start + _CHUNK)
        giver = order[:, rows]
        receiver = np.arange(giver.shape[1])
        for table, total in zip((values, known.astype(np.float64)), out, strict=True):
            pairs = table[rows][:, used] @ pattern
            total[:, rows] += pairs[receiver, giver]


def permutation_p(t: FloatArray) -> float:
    """Return (1 + #{|t*| >= |t|})/(1 + permutations); t[0] is the sample's own, the rest are t*.

    A permutation without a t (no events left, or no spread) counts as at least as large.
    """
    own = abs(float(t[0]))
    if not np.isfinite(own):
        return float("nan")
    smaller = np.abs(t[1:]) < own * (1.0 - _TIE)
    return float((1 + np.count_nonzero(~smaller)) / t.size)


def all_alike(t: FloatArray) -> bool:
    """Return whether no permutation changed t: every cluster has the same pattern."""
    return bool(np.isfinite(t).all() and (np.abs(t - t[0]) <= _TIE * abs(t[0])).all())


def q_values(p: npt.ArrayLike) -> FloatArray:
    """Return Benjamini-Hochberg q-values: the least false discovery rate that rejects each.

    Parameters
    ----------
    p : array of shape (n_tests,)
        p-values in [0, 1]; NaN was not tested and does not count.

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
    out[tested[order]] = np.minimum.accumulate(np.minimum(found[order] * inflation, 1.0))
    return out
