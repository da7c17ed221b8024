"""A line beside what followed each bar: ranks, and sums by clusters (definitions 9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.stats.forward import Horizon
from hpi_bt.stats.pool import Market
from hpi_bt.stats.steps import block_sums, by_cluster

_NEAR_BARS = 252  # a line of daily bars is not measured against those nearer than that


def near_bars(n: int) -> int:
    """Return how many of `n` daily bars on either side share what follows with a bar: a year."""
    return min(_NEAR_BARS, n // 4)


class Ranks(NamedTuple):
    """Ranks from 1 on, equal values sharing their average, and the group of equals of each."""

    rank: FloatArray
    group: IntArray


def ranks_of(values: FloatArray) -> Ranks:
    """Return the ranks of finite values of shape (n,)."""
    _, group, count = np.unique(values, return_inverse=True, return_counts=True)
    group = group.reshape(-1)
    return Ranks((np.cumsum(count) - (count - 1) / 2)[group], group)


class Steps(NamedTuple):
    """The moves of all bars of a symbol (`hpi_bt.stats.steps`), their clusters and the horizon."""

    moves: FloatArray
    cluster: IntArray
    horizon: int


@dataclass(frozen=True)
class Pair:
    """A line and what followed it, bar by bar.

    Attributes
    ----------
    line, forward, abnormal : ndarray of shape (n_bars,)
        `abnormal` is the forward return over its mean, or over that of its time of day.
    cluster : ndarray of int, shape (n_bars,)
        Cluster of each bar, from 0 on.
    steps : Steps, optional
        Of daily bars whose forward returns overlap.
    at : ndarray of int, shape (n_bars,), optional
        Place of each bar among those of `steps`; where missing, they are the same.
    """

    line: FloatArray
    forward: FloatArray
    abnormal: FloatArray
    cluster: IntArray
    steps: Steps | None = None
    at: IntArray | None = None

    def known(self) -> Pair:
        """Return the bars that have both values."""
        both = np.isfinite(self.line) & np.isfinite(self.forward)
        at = np.arange(both.size) if self.at is None else self.at
        line, forward, abnormal = self.line[both], self.forward[both], self.abnormal[both]
        return Pair(line, forward, abnormal, self.cluster[both], self.steps, at[both])

    def varies(self) -> bool:
        """Return whether there is a rank correlation."""
        return self.line.size >= 3 and bool(np.ptp(self.line) and np.ptp(self.abnormal))

    @cached_property
    def ranks(self) -> Ranks:
        """The ranks of the line."""
        return ranks_of(self.line)

    def sums(
        self, weight: FloatArray, values: FloatArray, clusters: int
    ) -> tuple[FloatArray, FloatArray]:
        """Return the clusters' parts in sum(weight x values) and in the sum of the weights.

        `values` are those of the bars or, where there are steps, of their moves.
        """
        if self.steps is None:
            total = by_cluster(weight * values, self.cluster, clusters)
            return total, by_cluster(weight, self.cluster, clusters)
        whole = np.zeros(self.steps.cluster.size)
        whole[self.at] = weight
        return block_sums(whole, values, self.steps.cluster, self.steps.horizon, clusters)


def over_far(weight: FloatArray) -> FloatArray:
    """Return a weight less its mean over the bars far from each, shape (n_bars,)."""
    n = weight.size
    near, bar = near_bars(n), np.arange(n)
    total = np.append(0.0, np.cumsum(weight))
    first, last = np.maximum(bar - near, 0), np.minimum(bar + near + 1, n)
    far = total[-1] - (total[last] - total[first])
    return np.asarray(weight - far / (n - (last - first)))


def pair_of(line: FloatArray, market: Market, horizon: Horizon) -> Pair:
    """Return a line of shape (n_bars,) beside what followed each bar of a market."""
    ahead = market.ahead(horizon)
    steps = None
    if market.bars.daily and horizon != "close":
        steps = Steps(market.steps, market.cluster, horizon)
    return Pair(line, ahead.forward, ahead.abnormal, market.cluster, steps)


def width_of(pairs: Sequence[Pair]) -> int:
    """Return how many clusters the pairs have together."""
    clusters = (p.cluster if p.steps is None else p.steps.cluster for p in pairs)
    return 1 + max(int(own.max()) for own in clusters)
