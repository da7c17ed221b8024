"""Symbols laid out in common clusters, and their permutations: what every signal shares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.errors import InputError
from hpi_bt.stats.forward import Bars, Horizon
from hpi_bt.stats.permutation import (
    Grid,
    Runs,
    add_permuted_sums,
    add_weighted_sums,
    grid_of,
    permutations_of,
)
from hpi_bt.stats.steps import by_cluster, running, steps_of

BLOCK_BARS = 21  # daily bars are clustered and permuted in blocks of a month


class Ahead(NamedTuple):
    """What followed each bar of a symbol at one horizon.

    Attributes
    ----------
    forward, abnormal : ndarray of shape (n_bars,)
        Forward return, and that over the mean of its time of day; NaN where unknown.
    grid : Grid
        Running sums of `abnormal` over the slots of each cluster.
    share : ndarray of shape (n_clusters, n_buckets)
        Sum of `abnormal` over a cluster's bars of a time of day, over the number of such bars.
    """

    forward: FloatArray
    abnormal: FloatArray
    grid: Grid
    share: FloatArray


@dataclass(frozen=True)
class Market:
    """One symbol's bars in the clusters of a study.

    Attributes
    ----------
    bars : Bars
    cluster, slot : ndarray of int, shape (n_bars,)
        Session (or block) of each bar in the study, and its place in it.
    clusters : int
        Number of clusters in the study.
    time_bucket : float
        Minutes of the day that share a baseline.
    """

    bars: Bars
    cluster: IntArray
    slot: IntArray
    clusters: int
    time_bucket: float
    _found: dict[Horizon, Ahead] = field(default_factory=dict, repr=False)

    @cached_property
    def bucket(self) -> IntArray:
        """Return the time of day of each bar, numbered from 0 without gaps, shape (n_bars,)."""
        own = self.bars.buckets(self.time_bucket)
        return np.asarray(np.unique(own, return_inverse=True)[1]).reshape(-1)

    @cached_property
    def steps(self) -> FloatArray:
        """Return the moves of daily bars, as `hpi_bt.stats.steps.steps_of`, shape (n_bars, 2)."""
        return steps_of(self.bars)

    def grid(self, values: FloatArray | BoolArray, empty: float | bool) -> FloatArray | BoolArray:
        """Return values of shape (n_bars, ...) as (n_clusters, n_slots, ...)."""
        slots = int(self.slot.max()) + 1
        out = np.full((self.clusters, slots, *values.shape[1:]), empty)
        out[self.cluster, self.slot] = values
        return out

    def ahead(self, horizon: Horizon) -> Ahead:
        """Return what followed each bar, worked out once."""
        if horizon not in self._found:
            forward = self.bars.forward(horizon)
            abnormal = self.bars.abnormal(forward, self.time_bucket)
            grid = grid_of(np.asarray(self.grid(abnormal, math.nan), dtype=np.float64))
            self._found[horizon] = Ahead(forward, abnormal, grid, self.share_of(abnormal))
        return self._found[horizon]

    def share_of(self, abnormal: FloatArray) -> FloatArray:
        """Return each cluster's sum of `abnormal` by time of day, over the number of such bars.

        Shape (n_clusters, n_buckets).
        """
        known = np.isfinite(abnormal)
        width = int(self.bucket.max()) + 1
        place = self.cluster[known] * width + self.bucket[known]
        total = np.bincount(place, weights=abnormal[known], minlength=self.clusters * width)
        bars = np.bincount(self.bucket[known], minlength=width)
        return np.asarray(total.reshape(self.clusters, width) / np.maximum(bars, 1))

    def add_events(
        self,
        event: BoolArray,
        runs: Runs,
        horizon: Horizon,
        order: IntArray,
        out: tuple[FloatArray, FloatArray],
    ) -> FloatArray:
        """Add the events under every permutation to the cluster sums and counts.

        Parameters
        ----------
        event : ndarray of bool, shape (n_bars,)
        runs : Runs
            The same events in the clusters' patterns.
        horizon : int or "close"
        order : ndarray of int, shape (n_permutations, n_clusters)
        out : two ndarrays of shape (n_permutations, n_clusters)
            Sums and counts, changed in place.

        Returns
        -------
        baseline : ndarray of shape (n_clusters,)
            What each cluster put into the baselines of these events.

        Notes
        -----
        Daily bars: a block answers for the moves of its own days while events were running
        (`hpi_bt.stats.steps`), and blocks pass that pattern on, not the events themselves.
        """
        if horizon == "close" or not self.bars.daily:
            add_permuted_sums(self.ahead(horizon).grid, runs, order, out)
            return self.baseline(event, horizon)
        used = event & np.isfinite(self.ahead(horizon).abnormal)
        weight = running(used.astype(np.float64), horizon)
        steps, weights = (
            np.asarray(self.grid(values, empty), dtype=np.float64).reshape(self.clusters, -1)
            for values, empty in ((self.steps, math.nan), (weight, 0.0))
        )
        add_weighted_sums(steps, weights, order, out, horizon)
        known = np.isfinite(self.steps)
        share = np.where(known, weight, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        each = np.where(known, self.steps, 0.0) @ share
        return by_cluster(each, self.cluster, self.clusters)

    def baseline(self, event: BoolArray, horizon: Horizon) -> FloatArray:
        """Return what each cluster put into the baselines of these events, shape (n_clusters,).

        sum over times of day b of (events in b/bars in b) x the cluster's abnormal returns in b.
        """
        ahead = self.ahead(horizon)
        used = self.bucket[event & np.isfinite(ahead.abnormal)]
        events = np.bincount(used, minlength=ahead.share.shape[1])
        return np.asarray(ahead.share @ events)


@dataclass(frozen=True)
class Pool:
    """Markets studied as one, and the permutations of their clusters.

    Attributes
    ----------
    markets : sequence of Market
    order : ndarray of int, shape (1 + n_permutations, n_clusters)
        As `permutations_of` gives it.
    daily : bool
        Whether clusters are blocks of 21 daily bars.
    seed : int
    """

    markets: Sequence[Market]
    order: IntArray
    daily: bool
    seed: int
    _more: dict[int, Pool] = field(default_factory=dict, repr=False)

    def enlarged(self, permutations: int) -> Pool:
        """Return the same markets with so many permutations, drawn once."""
        if permutations not in self._more:
            self._more[permutations] = pool_of(self.markets, permutations, self.seed)
        return self._more[permutations]


def markets_of(symbols: Sequence[Bars], time_bucket: float) -> list[Market]:
    """Return the symbols laid out in common clusters: dates, or blocks of 21 daily bars.

    Raises
    ------
    InputError
        `time_bucket` is no time, no symbol, or daily and intraday bars together.
    """
    if not (math.isfinite(time_bucket) and time_bucket > 0.0):
        raise InputError(f"time_bucket: {time_bucket}; give minutes above 0")
    if not symbols:
        raise InputError("inputs: none; give at least one symbol")
    if any(bars.daily != symbols[0].daily for bars in symbols):
        raise InputError("inputs: daily and intraday bars together; study them apart")
    dates = np.unique(np.concatenate([bars.session for bars in symbols]))
    places = [_placed(bars, dates) for bars in symbols]
    clusters = 1 + max(int(cluster.max()) for cluster, _ in places)
    return [
        Market(bars, cluster, slot, clusters, time_bucket)
        for bars, (cluster, slot) in zip(symbols, places, strict=True)
    ]


def _placed(bars: Bars, dates: IntArray) -> tuple[IntArray, IntArray]:
    """Return each bar's cluster and slot: session and time of day, or block and day in it."""
    date = np.searchsorted(dates, bars.session)
    if bars.daily:
        block, day = np.divmod(date, BLOCK_BARS)
        return block, day
    return date, bars.slots


def pool_of(markets: Sequence[Market], permutations: int, seed: int) -> Pool:
    """Return the markets as one; dates are permuted among those on which the same have bars."""
    present = np.zeros((markets[0].clusters, len(markets)), dtype=bool)
    for at, market in enumerate(markets):
        present[market.cluster, at] = True
    strata = np.asarray(np.unique(present, axis=0, return_inverse=True)[1]).reshape(-1)
    strata = np.where(present.any(axis=1), strata, -1)
    order = permutations_of(strata, permutations, seed)
    return Pool(markets, order, markets[0].bars.daily, seed)
