"""Signals against price: what followed, against the same time of day otherwise (definitions 9)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import stdtrit

from hpi_bt.arrays import BoolArray, FloatArray
from hpi_bt.errors import InputError
from hpi_bt.stats.forward import Bars, Horizon, checked_bars, checked_horizons, is_event
from hpi_bt.stats.permutation import (
    Runs,
    all_alike,
    check_permutations,
    clustered,
    permutation_p,
    permutation_reach,
    q_values,
    runs_of,
    whole_t,
)
from hpi_bt.stats.pool import BLOCK_BARS, Pool, markets_of, pool_of
from hpi_bt.stats.studentised import ratio_half

LEAST_CLUSTERS = 8  # with events; below it the permutations say nothing
_NOTHING = 1e-9  # an effect that small beside the sessions' sums is none but for rounding
LEVEL, POWER = 0.05, 0.80  # of the false discovery rate, and of finding the detectable edge
_ENOUGH = 40  # permutations a test, or a lone true one among many could not reach q 0.05
_DRAWS = 999  # of the interval

COLUMNS = (
    "n", "mean", "median", "hit_rate", "t", "effect", "low", "high", "p_value", "q_value",
    "detectable", "note",
)  # fmt: skip


class EventInput(NamedTuple):
    """One symbol of a pooled study; the fields are the arguments of `event_study`."""

    open: npt.ArrayLike
    close: npt.ArrayLike
    signal: npt.ArrayLike
    session: npt.ArrayLike
    stamps: pd.DatetimeIndex | None = None
    minutes_open: npt.ArrayLike | None = None


def event_study(
    open: npt.ArrayLike,  # noqa: A002 - the price's name everywhere
    close: npt.ArrayLike,
    signal: npt.ArrayLike,
    session: npt.ArrayLike,
    *,
    horizons: Sequence[Horizon] = (1, 5, 15, 30, 60),
    stamps: pd.DatetimeIndex | None = None,
    minutes_open: npt.ArrayLike | None = None,
    time_bucket: float = 30,
    permutations: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return what followed a signal, one row per direction and horizon.

    Parameters
    ----------
    open, close : array of shape (n_bars,)
        Prices, oldest first; NaN, and prices not above 0, give unknown returns.
    signal : array of shape (n_bars,)
        Known at the bar's close. Each bar with a value above 0 is an event of direction +1, below
        0 of direction -1; 0 and NaN are none.
    session : array of int, shape (n_bars,)
        Session of each bar; never falls. Where each bar has its own (daily bars), returns leave
        the data only, and blocks of 21 bars take the place of sessions.
    horizons : sequence of int or "close"
        Bars ahead; "close" is the session's last close.
    stamps : DatetimeIndex of length n_bars, optional
        Bar closes in the exchange's time zone. The session's open is the usual start of its first
        bar. Without any times the baseline is the mean over all bars and a bar's place in the
        permutations is its number in the session.
    minutes_open : array of shape (n_bars,), optional
        Minutes from the session's open to the bar's close by the calendar; goes before `stamps`.
    time_bucket : float, default=30
        Minutes of the day that share a baseline.
    permutations : int, default=1000
        At least 99.
    seed : int, default=0
        The same inputs and seed give the same table.

    Returns
    -------
    table : DataFrame, index (direction, horizon)
        n (events with a forward return), mean, median and hit_rate (share above 0) of direction x
        forward return, t, effect (mean of direction x abnormal return), low and high (95 %
        interval of the effect), p_value (two-sided), q_value, detectable (the effect found, with
        its q, in 80 % of samples; NaN where p is) and note (why
        a number is missing, else ""). Returns are decimals before costs.

    Raises
    ------
    InputError
        Wrong shapes, unsorted bars, stamps without a time zone, or a horizon longer than every
        session (or the data).

    Notes
    -----
    Forward return of bar t: close[t+h]/open[t+1] - 1; abnormal: minus its mean over all bars of
    the same time of day. Standard errors are clustered by session. Whole sessions' patterns are
    permuted, each event staying at its time of day; an event that lands on a slot that the session
    lacks (half days) or too near its end is dropped. What the permutations compare is not the
    column t but `hpi_bt.stats.permutation.whole_t`, whose error has the baseline's own noise and
    its covariance with the events in it.

    The interval is a stationary bootstrap of the sessions (mean block by Politis and White),
    studentised, the baseline's own noise in it. Detectable is that of `completed`. Where a p-value
    may be a discovery, permutations are 40 a test of the table, if that is more than asked for.
    `docs/statistics.md` has what simulated markets say of all three.

    Daily bars: a block answers for the moves of its own days while events were running, since
    forward returns overlap and blocks of them would share what they are told apart by
    (`hpi_bt.stats.steps`); the permuted blocks pass on how many events ran on each of their days.
    Effect, t and interval are those of the same sums, so that they agree with p.
    """
    one = EventInput(open, close, signal, session, stamps, minutes_open)
    return pooled_event_study(
        [one], horizons=horizons, time_bucket=time_bucket, permutations=permutations, seed=seed
    )


def pooled_event_study(
    inputs: Sequence[EventInput],
    *,
    horizons: Sequence[Horizon] = (1, 5, 15, 30, 60),
    time_bucket: float = 30,
    permutations: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the event study of several symbols as one, dates permuted for all of them together.

    Parameters
    ----------
    inputs : sequence of EventInput
        One per symbol. Session ids are common to all: the same id is the same date.
    horizons, time_bucket, permutations, seed
        As in `event_study`.

    Returns
    -------
    table : DataFrame
        As `event_study`. A cluster is a date with the events of all symbols; the baseline is each
        symbol's own. Dates are permuted among those on which the same symbols have bars.

    Raises
    ------
    InputError
        As `event_study`; also no input, or daily and intraday bars together.
    """
    bars = [
        checked_bars(
            one.open, one.close, one.session, stamps=one.stamps, minutes_open=one.minutes_open
        )
        for one in inputs
    ]
    check_permutations(permutations)
    pool = pool_of(markets_of(bars, time_bucket), permutations, seed)
    signals = [checked_signal(one.signal, own) for one, own in zip(inputs, bars, strict=True)]
    wanted = checked_horizons(horizons, bars)
    rows = signal_rows(pool, signals, wanted)
    index = pd.MultiIndex.from_tuples(rows, names=["direction", "horizon"])
    table = pd.DataFrame(completed(list(rows.values())), index=index, columns=list(COLUMNS))
    return table.astype(dict.fromkeys(COLUMNS[1:-1], np.float64))


def checked_signal(signal: npt.ArrayLike, bars: Bars) -> FloatArray:
    """Return the signal as floats, refused unless it has one value a bar."""
    values = np.asarray(signal, dtype=np.float64)
    if values.shape != bars.session.shape:
        raise InputError(
            f"signal: shape {values.shape} for {bars.session.size} bars; give one value a bar"
        )
    return values


class Tested(NamedTuple):
    """A row of a table before it is known how many tests the table has.

    Attributes
    ----------
    row : dict
        All but q_value and detectable.
    t : ndarray of shape (1 + n_permutations,)
        The sample's own and those permuted; empty where nothing was tested.
    error, freedom : float
        Standard error of the effect and its degrees of freedom.
    again : callable
        Return `t` from so many permutations instead.
    """

    row: dict[str, float | str]
    t: FloatArray = np.empty(0)
    error: float = math.nan
    freedom: float = math.inf
    again: Callable[[int], FloatArray] | None = None


def completed(tested: Sequence[Tested], families: int = 1) -> list[dict[str, float | str]]:
    """Return the rows of a table with their q-values and detectable effects.

    Parameters
    ----------
    tested : sequence of Tested
    families : int, default=1
        Tables that are read together: each has its share of the false discoveries.

    Notes
    -----
    p-values that may be discoveries come from at least 40 permutations a test. Detectable is
    (1 + t_.80/t_(1 - a/2)) reach x error at the level a = 0.05/tests, reach what |t*| exceeds in so
    many of the permutations and t Student's quantiles: the effect that is found, alone among so
    many, in 80 % of samples.
    """
    tests = families * sum(bool(one.t.size) for one in tested)
    rows = []
    for one in tested:
        row, t = dict(one.row), one.t
        if t.size:
            needed = enough_permutations(tests)
            if one.again and float(row["p_value"]) <= LEVEL and t.size <= needed:
                t = one.again(needed)
                row["p_value"] = permutation_p(t)
            row["detectable"] = detectable_errors(t, LEVEL / tests, one.freedom) * one.error
        rows.append(row)
    p = np.array([float(row.get("p_value", math.nan)) for row in rows])
    for row, q in zip(rows, q_values(p, families), strict=True):
        row["q_value"] = float(q)
    return rows


def enough_permutations(tests: int) -> int:
    """Return how many permutations one of so many tests needs to be found alone."""
    return _ENOUGH * tests


def detectable_errors(t: FloatArray, level: float, freedom: float) -> float:
    """Return how many errors an effect must be for a p of at most `level` in 80 % of samples."""
    beyond = float(stdtrit(freedom, POWER) / stdtrit(freedom, 1.0 - level / 2))
    return (1.0 + beyond) * permutation_reach(t, level, freedom)


def signal_rows(
    pool: Pool, signals: Sequence[FloatArray], horizons: Sequence[Horizon]
) -> dict[tuple[int, Horizon], Tested]:
    """Return the rows of a table by direction and horizon.

    Parameters
    ----------
    pool : Pool
    signals : sequence of ndarray of shape (n_bars,)
        One per market of the pool.
    horizons : sequence of int or "close"
    """
    rows = {}
    for side in (1, -1):
        events = [is_event(signal, side) for signal in signals]
        grids = zip(pool.markets, events, strict=True)
        runs = [runs_of(np.asarray(market.grid(event, False))) for market, event in grids]
        for horizon in horizons:
            rows[side, horizon] = _row(pool, events, runs, side, horizon)
    return rows


def _row(
    pool: Pool, events: Sequence[BoolArray], runs: Sequence[Runs], direction: int, horizon: Horizon
) -> Tested:
    """Return the row of one direction and horizon."""
    raw, having, others = [], np.zeros(pool.order.shape[1], dtype=bool), False
    for market, event in zip(pool.markets, events, strict=True):
        ahead = market.ahead(horizon)
        known = np.isfinite(ahead.abnormal)
        used = event & known
        at_times = np.isin(market.bucket, market.bucket[used])
        others = others or bool((known & ~event & at_times).any())
        raw.append(direction * ahead.forward[used])
        having[market.cluster[used]] = True
    earned = np.concatenate(raw)
    if not earned.size:
        signalled = sum(int(np.count_nonzero(event)) for event in events)
        return Tested({"n": 0, "note": _why_none(direction, horizon, signalled, pool.daily)})

    def clusters(pool: Pool) -> Clusters:
        return _clusters(pool, events, runs, direction, horizon)

    some = int(np.count_nonzero(having))
    described = _description(earned)
    tested = _inference(clusters(pool), pool, some, others)
    return tested._replace(row=described | tested.row, again=partial(_again, pool, clusters))


class Clusters(NamedTuple):
    """Sums and counts of events, (n_rows, n_clusters), and what went into their baselines.

    Row 0 is the sample, the rest are permuted; `baseline` has shape (n_clusters,).
    """

    sums: FloatArray
    counts: FloatArray
    baseline: FloatArray


def _clusters(
    pool: Pool, events: Sequence[BoolArray], runs: Sequence[Runs], direction: int, horizon: Horizon
) -> Clusters:
    sums, counts = np.zeros((2, *pool.order.shape))
    baseline = np.zeros(pool.order.shape[1])
    for market, event, own in zip(pool.markets, events, runs, strict=True):
        if (event & np.isfinite(market.ahead(horizon).abnormal)).any():
            baseline += market.add_events(event, own, horizon, pool.order, (sums, counts))
    return Clusters(direction * sums, counts, direction * baseline)


def _again(pool: Pool, clusters: Callable[[Pool], Clusters], permutations: int) -> FloatArray:
    return whole_t(*clusters(pool.enlarged(permutations))).t


def _description(earned: FloatArray) -> dict[str, float | str]:
    return {
        "n": earned.size,
        "mean": float(earned.mean()),
        "median": float(np.median(earned)),
        "hit_rate": float((earned > 0.0).mean()),
    }


def _inference(clusters: Clusters, pool: Pool, some: int, others: bool) -> Tested:
    """Return what the clusters say, `some` of which have events.

    `others`: whether any bar of their times of day is no event.
    """
    sums, counts, baseline = clusters
    own = clustered(sums[0], counts[0])
    effect, se, n = float(own.effect), float(own.se), float(counts[0].sum())
    row: dict[str, float | str] = {"effect": effect, "t": effect / se}
    if some < LEAST_CLUSTERS:
        unit = f"block{'s' * (some != 1)} of {BLOCK_BARS} bars"
        kind = unit if pool.daily else f"session{'s' * (some != 1)}"
        return Tested(row | {"note": f"{some} {kind} with events, {LEAST_CLUSTERS} needed"})
    if math.isnan(se):
        return Tested(row | {"note": f"no spread between {_units(pool)}: t is undefined"})
    whole = whole_t(sums, counts, baseline)
    always = not others or abs(effect * n) <= _NOTHING * math.sqrt(sums[0] @ sums[0])
    if always or math.isnan(whole.t[0]):
        note = "it is on at every bar of its times of day: nothing to compare with"
        return Tested(row | {"note": note})
    if all_alike(whole.t):
        note = f"the same pattern in every {_units(pool)[:-1]}: permuting them changes nothing"
        return Tested(row | {"note": note})
    if math.isinf(permutation_reach(whole.t, LEVEL)):
        note = f"most {_units(pool)} have no bar for its events: permuting them says nothing"
        return Tested(row | {"note": note})
    half = ratio_half(sums[0] - baseline, counts[0], draws=_DRAWS, seed=pool.seed)
    row |= {"low": effect - half, "high": effect + half}
    row |= {"p_value": permutation_p(whole.t), "note": ""}
    return Tested(row, whole.t, float(whole.error[0]), some - 1.0)


def _units(pool: Pool) -> str:
    return "blocks" if pool.daily else "sessions"


def _why_none(direction: int, horizon: Horizon, signalled: int, daily: bool) -> str:
    """Return why a row has no event."""
    if not signalled:
        return f"no {direction:+d} in the signal"
    ahead = "a bar" if horizon in ("close", 1) else f"{horizon} bars"
    place = "the data" if daily else "the session"
    if signalled == 1:
        return f"1 event, without {ahead} of known prices left in {place}"
    return f"{signalled} events, none with {ahead} of known prices left in {place}"
