"""What followed each band of the gauge and of its components (definitions 4)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.errors import InputError
from hpi_bt.gauge import BANDS, WARNING, GaugeResult
from hpi_bt.sources.hours import counted
from hpi_bt.stats.studentised import Statistic, studentised_half

LEAST_BLOCKS = 10  # of each kind that a figure counts; from fewer an interval says nothing

COLUMNS = (
    "n", "blocks", "hit_rate", "hit_low", "hit_high",
    "balanced_accuracy", "balanced_low", "balanced_high",
    "forward_drawdown", "forward_low", "forward_high", "note",
)  # fmt: skip


class _Draws(NamedTuple):
    """How often to resample, and the seed."""

    draws: int
    seed: int


class Outcomes(NamedTuple):
    """What followed each day; both of shape (n_days,)."""

    forward: FloatArray
    event: BoolArray


def forward_outcomes(
    spy: pd.Series, *, horizon: int = 21, event_drawdown: float = 0.05
) -> Outcomes:
    """Return how far SPY fell after each day, and whether that was an event.

    Parameters
    ----------
    spy : Series of length n_days
        Closes, oldest first.
    horizon : int, default=21
    event_drawdown : float, default=0.05

    Returns
    -------
    forward : ndarray of shape (n_days,)
        Lowest close of the next `horizon` days / close - 1; NaN where one is unknown.
    event : ndarray of bool, shape (n_days,)
        The lowest close is at or below (1 - event_drawdown) x close.
    """
    close = spy.to_numpy(dtype=np.float64, na_value=np.nan)
    low = np.full(close.size, np.nan)
    if close.size > horizon:
        ahead = np.lib.stride_tricks.sliding_window_view(close[1:], horizon)
        low[: len(ahead)] = ahead.min(axis=1)
    low[np.isnan(close)] = np.nan
    return Outcomes(low / close - 1.0, low <= (1.0 - event_drawdown) * close)


def signal_quality(
    result: GaugeResult,
    spy: pd.Series,
    *,
    horizon: int = 21,
    event_drawdown: float = 0.05,
    draws: int = 499,
    seed: int = 0,
) -> pd.DataFrame:
    """Return what followed each band of the gauge and of every component.

    Parameters
    ----------
    result : GaugeResult
    spy : Series
        Closes on the result's index; rows before the first known one do not count.
    horizon : int, default=21
        Sessions ahead.
    event_drawdown : float, default=0.05
        An event: SPY closes at least this far below the day's close within `horizon`.
    draws, seed : int
        Of the bootstrap.

    Returns
    -------
    table : DataFrame, index (signal, band)
        Signals are gauge and the components; bands are all, low, moderate, elevated, high and
        warning (elevated or high). n days with a known outcome in `blocks` blocks; hit_rate, the
        share of them followed by an event (band all: how common events are); balanced_accuracy
        of a warning from the band's lowest score up; forward_drawdown, the mean of the lowest
        close ahead / close - 1. Each has the 95 % interval of a studentised stationary bootstrap
        over blocks of `horizon` days (where all days, or none, were followed by an event, the exact
        one of so many blocks), NaN with a note where fewer than 10 blocks have such days (for the
        accuracy: warnings, days without one, events or days without one).

    Raises
    ------
    InputError
        The indices differ.
    """
    if not result.score.index.equals(spy.index):
        raise InputError("spy: not the rows of the gauge; give the closes that made it")
    begin = int(spy.notna().to_numpy().argmax())
    outcomes = forward_outcomes(spy.iloc[begin:], horizon=horizon, event_drawdown=event_drawdown)
    block = np.arange(len(spy) - begin) // horizon
    drawn = _Draws(draws, seed)
    rows = {}
    signals = {"gauge": result.score} | {str(c): s for c, s in result.component_scores.items()}
    for signal, scores in signals.items():
        values = scores.to_numpy(dtype=np.float64)[begin:]
        known = ~np.isnan(values) & ~np.isnan(outcomes.forward)
        for band, low, high in _edges():
            days = known & (values >= low) & (values < high)
            row = _row(days, outcomes, block, drawn)
            if low > 0.0:
                found = _balanced(values >= low, known, outcomes.event, block, drawn)
                row = found | row if row["note"] else row | found
            rows[signal, band] = row
    table = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=list(COLUMNS))
    return table.rename_axis(["signal", "band"])


def _edges() -> list[tuple[str, float, float]]:
    lows = [low for _, low in BANDS]
    highs = [*lows[1:], math.inf]
    bands = [
        (name, float(low), float(high)) for (name, low), high in zip(BANDS, highs, strict=True)
    ]
    return [("all", -math.inf, math.inf), *bands, ("warning", float(WARNING), math.inf)]


def _per_block(values: FloatArray | BoolArray, block: IntArray) -> FloatArray:
    return np.bincount(block, weights=values.astype(np.float64)).astype(np.float64)


def _row(
    days: BoolArray, outcomes: Outcomes, block: IntArray, draws: _Draws
) -> dict[str, float | str]:
    """Return the hit rate and the mean fall of some days, with their intervals."""
    count = _per_block(days, block)
    n, blocks = int(days.sum()), int(np.count_nonzero(count))
    row: dict[str, float | str] = {"n": n, "blocks": blocks, "note": ""}
    if not n:
        return row | {"note": "no such day"}
    falls = np.where(days, outcomes.forward, 0.0)
    sums = {"hit": _per_block(days & outcomes.event, block), "forward": _per_block(falls, block)}
    row |= {"hit_rate": sums["hit"].sum() / n, "forward_drawdown": sums["forward"].sum() / n}
    if blocks < LEAST_BLOCKS:
        return row | {"note": _too_few(blocks, "such days")}
    half = {
        name: _half(_ratio(per_block, count), count.size, blocks, draws)
        for name, per_block in sums.items()
    }
    hit, fall = float(row["hit_rate"]), float(row["forward_drawdown"])
    low, high = max(hit - half["hit"], 0.0), min(hit + half["hit"], 1.0)
    if hit in (0.0, 1.0):  # resampling never sees the other outcome
        rest = 1.0 - 0.05 ** (1.0 / blocks)
        low, high = (0.0, rest) if hit == 0.0 else (1.0 - rest, 1.0)
    row |= {"hit_low": low, "hit_high": high}
    row |= {"forward_low": fall - half["forward"], "forward_high": fall + half["forward"]}
    return row


def _too_few(blocks: int, what: str) -> str:
    return f"no interval: {what} in {counted(blocks, 'block')}, {LEAST_BLOCKS} needed"


def _balanced(
    fires: BoolArray, known: BoolArray, event: BoolArray, block: IntArray, draws: _Draws
) -> dict[str, float | str]:
    """Return (share of events warned of + share of quiet days left alone)/2 and its interval."""
    kinds = (fires & event, event, ~fires & ~event, ~event)
    hit, events, spared, quiet = (_per_block(known & kind, block) for kind in kinds)
    if not (events.sum() and quiet.sum()):
        return {}
    found, left = hit.sum() / events.sum(), spared.sum() / quiet.sum()
    row: dict[str, float | str] = {"balanced_accuracy": (found + left) / 2.0}
    warned, silent = (_per_block(known & kind, block) for kind in (fires, ~fires))
    kinds_of_day = {"warnings": warned, "no warnings": silent, "falls": events, "no falls": quiet}
    blocks, what = min((int(np.count_nonzero(n)), what) for what, n in kinds_of_day.items())
    if blocks < LEAST_BLOCKS:
        return row | {"note": _too_few(blocks, what)}
    shares = _ratio(hit, events), _ratio(spared, quiet)

    def accuracy(index: IntArray) -> tuple[FloatArray, FloatArray]:
        (one, by_one), (other, by_other) = (share(index) for share in shares)
        return (one + other) / 2.0, (by_one + by_other) / 2.0

    half = _half(accuracy, hit.size, blocks, draws)
    middle = (found + left) / 2.0
    low, high = max(middle - half, 0.0), min(middle + half, 1.0)
    return row | {"balanced_low": low, "balanced_high": high}


def _ratio(sums: FloatArray, counts: FloatArray) -> Statistic:
    """Return the statistic sum(sums)/sum(counts) of blocks."""

    def ratio(index: IntArray) -> tuple[FloatArray, FloatArray]:
        part, of = sums[index], counts[index]
        share = part.sum(axis=1) / of.sum(axis=1)
        return share, (part - share[:, None] * of) / of.mean(axis=1)[:, None]

    return ratio


def _half(statistic: Statistic, blocks: int, few: int, draws: _Draws) -> float:
    """Return half a 95 % interval.

    Where so `few` blocks count that resampling often misses them all, it is that of Student's t
    with `few` - 1 degrees of freedom.
    """
    number, seed = draws
    half = studentised_half(blocks, statistic, draws=number, seed=seed)
    if math.isfinite(half):
        return half
    influence = statistic(np.arange(blocks)[None])[1][0]
    return math.sqrt(float(influence @ influence)) / blocks * float(stdtrit(few - 1.0, 0.975))
