"""Signals against price: what followed them, against the same time of day without them (SPEC 9)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.errors import InputError
from hpi_bt.stats.bootstrap import ratio_interval
from hpi_bt.stats.forward import Bars, Horizon, checked_bars, checked_horizons, is_event
from hpi_bt.stats.permutation import (
    add_permuted_sums,
    all_alike,
    clustered,
    permutation_p,
    permutations_of,
    q_values,
)

BLOCK_BARS = 21  # daily bars are clustered and permuted in blocks of a month
LEAST_CLUSTERS = 8  # with events; below it the permutations say nothing
POWER = 2.80  # 1.96 + 0.84 standard errors: found with 80 % power at 5 %

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


class _Symbol(NamedTuple):
    """Checked bars, their signal, and the cluster and slot of each bar in the permutations."""

    bars: Bars
    signal: FloatArray
    cluster: IntArray
    slot: IntArray


class _Study(NamedTuple):
    """What all rows of a table share."""

    symbols: list[_Symbol]
    order: IntArray
    daily: bool
    time_bucket: float
    seed: int


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
    seed : int, default=0
        The same inputs and seed give the same table.

    Returns
    -------
    table : DataFrame, index (direction, horizon)
        n (events with a forward return), mean, median and hit_rate (share above 0) of direction x
        forward return, t, effect (mean of direction x abnormal return), low and high (95 %
        interval of the effect), p_value (two-sided), q_value, detectable (the effect found with
        80 % power at 5 %) and note (why a number is missing, else ""). Returns are decimals
        before costs.

    Raises
    ------
    InputError
        Wrong shapes, unsorted bars, stamps without a time zone, or a horizon longer than every
        session (or the data).

    Notes
    -----
    Forward return of bar t: close[t+h]/open[t+1] - 1; abnormal: minus its mean over all bars of
    the same time of day. Standard errors are clustered by session. Whole sessions' patterns are
    permuted, each event staying at its time of day, and t is compared; an event that lands on a
    slot that the session lacks (half days) or too near its end is dropped. The standard error
    leaves out the baseline's own noise: signals that fire where the market is calmest, and there
    alone, were found without any edge in 7 to 10 % of trials at 5 %, all others in 4 to 7 %.
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
    study = _prepared(inputs, time_bucket, permutations, seed)
    wanted = checked_horizons(horizons, [symbol.bars for symbol in study.symbols])
    rows = {(side, h): _row(study, side, h) for side in (1, -1) for h in wanted}
    index = pd.MultiIndex.from_tuples(rows, names=["direction", "horizon"])
    table = pd.DataFrame(list(rows.values()), index=index, columns=list(COLUMNS))
    table = table.astype(dict.fromkeys(COLUMNS[1:-1], np.float64))
    return table.assign(q_value=q_values(table["p_value"].to_numpy(dtype=np.float64)))


def _prepared(
    inputs: Sequence[EventInput], time_bucket: float, permutations: int, seed: int
) -> _Study:
    """Return the checked symbols, laid out in common clusters, and the permutations."""
    if not (math.isfinite(time_bucket) and time_bucket > 0.0):
        raise InputError(f"time_bucket: {time_bucket}; give minutes above 0")
    if not inputs:
        raise InputError("inputs: none; give at least one symbol")
    checked, signals = [], []
    for one in inputs:
        bars = checked_bars(
            one.open, one.close, one.session, stamps=one.stamps, minutes_open=one.minutes_open
        )
        signal = np.asarray(one.signal, dtype=np.float64)
        if signal.shape != bars.session.shape:
            raise InputError(
                f"signal: shape {signal.shape} for {bars.session.size} bars; give one value a bar"
            )
        checked.append(bars)
        signals.append(signal)
    daily = checked[0].daily
    if any(bars.daily != daily for bars in checked):
        raise InputError("inputs: daily and intraday bars together; study them apart")
    dates = np.unique(np.concatenate([bars.session for bars in checked]))
    symbols = [
        _laid_out(bars, signal, dates) for bars, signal in zip(checked, signals, strict=True)
    ]
    clusters = 1 + max(int(symbol.cluster.max()) for symbol in symbols)
    present = np.zeros((clusters, len(symbols)), dtype=bool)
    for at, symbol in enumerate(symbols):
        present[symbol.cluster, at] = True
    strata = np.asarray(np.unique(present, axis=0, return_inverse=True)[1]).reshape(-1)
    order = permutations_of(strata, permutations, seed)
    return _Study(symbols, order, daily, time_bucket, seed)


def _laid_out(bars: Bars, signal: FloatArray, dates: IntArray) -> _Symbol:
    """Return the symbol with each bar's cluster and slot: session and time, or block and day."""
    date = np.searchsorted(dates, bars.session)
    if bars.daily:
        return _Symbol(bars, signal, *np.divmod(date, BLOCK_BARS))
    return _Symbol(bars, signal, date, bars.slots)


def _row(study: _Study, direction: int, horizon: Horizon) -> dict[str, float | str]:
    """Return the row of one direction and horizon, all but its q-value."""
    order = study.order
    sums, counts = np.zeros((2, *order.shape))
    raw, signalled = [], 0
    for symbol in study.symbols:
        forward = symbol.bars.forward(horizon)
        abnormal = symbol.bars.abnormal(forward, study.time_bucket)
        event = is_event(symbol.signal, direction)
        signalled += int(np.count_nonzero(event))
        raw.append(direction * forward[event & np.isfinite(abnormal)])
        shape = (order.shape[1], int(symbol.slot.max()) + 1)
        values, pattern = np.full(shape, np.nan), np.zeros(shape)
        values[symbol.cluster, symbol.slot] = direction * abnormal
        pattern[symbol.cluster, symbol.slot] = event
        if event.any():
            add_permuted_sums(values, pattern, order, (sums, counts))
    earned = np.concatenate(raw)
    if earned.size:
        return _description(earned) | _inference(sums, counts, study)
    return {"n": 0, "note": _why_none(direction, horizon, signalled, study.daily)}


def _description(earned: FloatArray) -> dict[str, float | str]:
    return {
        "n": earned.size,
        "mean": float(earned.mean()),
        "median": float(np.median(earned)),
        "hit_rate": float((earned > 0.0).mean()),
    }


def _inference(sums: FloatArray, counts: FloatArray, study: _Study) -> dict[str, float | str]:
    """Return what the clusters say; row 0 of sums and counts is the sample, the rest permuted."""
    found = clustered(sums, counts)
    t, effect, se = found.t, float(found.effect[0]), float(found.se[0])
    row: dict[str, float | str] = {"effect": effect, "t": float(t[0]), "detectable": POWER * se}
    some = int(np.count_nonzero(counts[0]))
    if some < LEAST_CLUSTERS:
        unit = f"block{'s' * (some != 1)} of {BLOCK_BARS} bars"
        kind = unit if study.daily else f"session{'s' * (some != 1)}"
        return row | {"note": f"{some} {kind} with events, {LEAST_CLUSTERS} needed"}
    low, high = ratio_interval(sums[0], counts[0], seed=study.seed)
    if math.isnan(se):
        note = "no spread between sessions: t is undefined"
    elif all_alike(t):
        note = "the same pattern in every session: permuting them changes nothing"
    else:
        note = ""
    return row | {"low": low, "high": high, "p_value": permutation_p(t), "note": note}


def _why_none(direction: int, horizon: Horizon, signalled: int, daily: bool) -> str:
    """Return why a row has no event."""
    if not signalled:
        return f"no {direction:+d} in the signal"
    ahead = "a bar" if horizon == "close" else f"{horizon} bars"
    place = "the data" if daily else "the session"
    return f"{signalled} events, none with {ahead} of known prices left in {place}"
