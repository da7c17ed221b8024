"""Signals against price: what followed them, against the same time of day without them (SPEC 9)."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
_LEVEL, _POWER = 0.05, 0.80  # of the test, and of finding the detectable edge
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
        interval of the effect), p_value (two-sided),
        q_value, detectable (the effect found with 80 % power at 5 %; NaN where p is) and note (why
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
    column t but `hpi_bt.stats.permutation.whole_t`, whose error has the baseline's own noise in
    it: without that, signals that fire where the market is calmest, and there alone, are found in
    7 to 10 % of trials at 5 %.

    The interval is a stationary bootstrap of the sessions (mean block by Politis and White),
    studentised, the baseline's own noise in it; it leaves the truth out in 3 to 7 % of trials from
    8 sessions on (plain percentiles: 12 % at 8) and disagrees with p in about 4 %.
    Detectable is (1 + t_.80/t_.975) reach x error, reach what |t*| exceeds in 5 % of the
    permutations and t Student's quantiles for the sessions with events less 1: where they are
    many, 2.80 x error.

    Daily bars: a block answers for the moves of its own days while events were running, since
    forward returns overlap and blocks of them would share what they are told apart by
    (`hpi_bt.stats.steps`); the permuted blocks pass on how many events ran on each of their days.
    By trial, trends of 60 to 100 days and a state that is autocorrelated by 0.99, 1000 to 9000
    bars and horizons from 1 to 21 are so found in 3 to 8 % at 5 %.
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
    table = pd.DataFrame(list(rows.values()), index=index, columns=list(COLUMNS))
    table = table.astype(dict.fromkeys(COLUMNS[1:-1], np.float64))
    return table.assign(q_value=q_values(table["p_value"].to_numpy(dtype=np.float64)))


def checked_signal(signal: npt.ArrayLike, bars: Bars) -> FloatArray:
    """Return the signal as floats, refused unless it has one value a bar."""
    values = np.asarray(signal, dtype=np.float64)
    if values.shape != bars.session.shape:
        raise InputError(
            f"signal: shape {values.shape} for {bars.session.size} bars; give one value a bar"
        )
    return values


def signal_rows(
    pool: Pool, signals: Sequence[FloatArray], horizons: Sequence[Horizon]
) -> dict[tuple[int, Horizon], dict[str, float | str]]:
    """Return the rows of a table by direction and horizon, all but their q-values.

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
) -> dict[str, float | str]:
    """Return the row of one direction and horizon, all but its q-value."""
    raw = []
    for market, event in zip(pool.markets, events, strict=True):
        ahead = market.ahead(horizon)
        raw.append(direction * ahead.forward[event & np.isfinite(ahead.abnormal)])
    earned = np.concatenate(raw)
    if not earned.size:
        signalled = sum(int(np.count_nonzero(event)) for event in events)
        return {"n": 0, "note": _why_none(direction, horizon, signalled, pool.daily)}
    sums, counts = np.zeros((2, *pool.order.shape))
    baseline, total = np.zeros(pool.order.shape[1]), 0.0
    having = np.zeros(baseline.size, dtype=bool)
    for market, event, own in zip(pool.markets, events, runs, strict=True):
        used = event & np.isfinite(market.ahead(horizon).abnormal)
        if used.any():
            baseline += market.add_events(event, own, horizon, pool.order, (sums, counts))
            total += direction * float(market.ahead(horizon).abnormal[used].sum())
            having[market.cluster[used]] = True
    some, effect = int(np.count_nonzero(having)), total / earned.size
    described = _description(earned) | {"effect": effect}
    signed = direction * sums, direction * baseline
    return described | _inference(*signed, counts, pool, effect, some)


def _description(earned: FloatArray) -> dict[str, float | str]:
    return {
        "n": earned.size,
        "mean": float(earned.mean()),
        "median": float(np.median(earned)),
        "hit_rate": float((earned > 0.0).mean()),
    }


def _inference(
    sums: FloatArray,
    baseline: FloatArray,
    counts: FloatArray,
    pool: Pool,
    effect: float,
    some: int,
) -> dict[str, float | str]:
    """Return what the clusters say, `some` of which have events.

    Row 0 of sums and counts is the sample, the rest permuted; `baseline` is what each cluster put
    into the means that were taken off.
    """
    n, se = float(counts[0].sum()), float(clustered(sums[0], counts[0]).se)
    row: dict[str, float | str] = {"t": effect / se}
    if some < LEAST_CLUSTERS:
        unit = f"block{'s' * (some != 1)} of {BLOCK_BARS} bars"
        kind = unit if pool.daily else f"session{'s' * (some != 1)}"
        return row | {"note": f"{some} {kind} with events, {LEAST_CLUSTERS} needed"}
    if math.isnan(se):
        return row | {"note": f"no spread between {_units(pool)}: t is undefined"}
    if abs(effect * n) <= _NOTHING * math.sqrt(sums[0] @ sums[0]):
        note = "it is on at every bar of its times of day: nothing to compare with"
        return row | {"note": note}
    t = whole_t(sums, counts, baseline)
    if all_alike(t):
        note = f"the same pattern in every {_units(pool)[:-1]}: permuting them changes nothing"
        return row | {"note": note}
    reach = permutation_reach(t, _LEVEL)
    if math.isinf(reach):
        note = f"most {_units(pool)} have no bar for its events: permuting them says nothing"
        return row | {"note": note}
    error = math.sqrt(se**2 + float(baseline @ baseline) / n**2)
    half = ratio_half(sums[0] - baseline, counts[0], draws=_DRAWS, seed=pool.seed)
    beyond = float(stdtrit(some - 1, _POWER) / stdtrit(some - 1, 1.0 - _LEVEL / 2))
    return row | {
        "low": effect - half,
        "high": effect + half,
        "p_value": permutation_p(t),
        "detectable": (1.0 + beyond) * reach * error,
        "note": "",
    }


def _units(pool: Pool) -> str:
    return "blocks" if pool.daily else "sessions"


def _why_none(direction: int, horizon: Horizon, signalled: int, daily: bool) -> str:
    """Return why a row has no event."""
    if not signalled:
        return f"no {direction:+d} in the signal"
    ahead = "a bar" if horizon == "close" else f"{horizon} bars"
    place = "the data" if daily else "the session"
    return f"{signalled} events, none with {ahead} of known prices left in {place}"
