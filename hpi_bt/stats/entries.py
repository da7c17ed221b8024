"""When a strategy entered, against entering at other times (definitions 9)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.errors import InputError
from hpi_bt.stats.events import LEAST_CLUSTERS, LEVEL, detectable_errors
from hpi_bt.stats.forward import Bars, checked_bars
from hpi_bt.stats.permutation import (
    Whole,
    add_permuted_sums,
    all_alike,
    grid_of,
    permutation_p,
    permutations_of,
    runs_of,
    whole_t,
)
from hpi_bt.stats.pool import BLOCK_BARS, Market, markets_of
from hpi_bt.stats.steps import by_cluster

LEAST_DRAWS = 19  # with fewer, no p-value could be as small as 0.05
_NEEDED = ("entry_bar", "exit_bar", "direction", "status")
_TIMES = 256  # holding times valued one by one; of more, so many that stand for all
_OVERNIGHT = 0.1  # share of trades that span sessions from which on whole sessions are shifted


class EntryTest(NamedTuple):
    """Outcome of `entry_test`; returns are decimals an entry before costs, NaN if undefined.

    Attributes
    ----------
    n : int
        Entries, of trades still open too.
    mean : float
        Mean of direction x return over the holding times of all trades of the run.
    random_mean, random_low, random_high : float
        Mean and 95 % range of the same over the random draws.
    percentile : float
        Share of draws whose t is below the strategy's (ties half), in percent.
    t : float
        The mean over what entries at the same times of day make on average, divided by its
        standard error clustered by session (daily bars: by blocks of 21).
    p_value : float
        (1 + #{|t*| >= |t|})/(1 + draws).
    detectable : float
        The advantage over random entries that is found in 80 % of samples; infinite where the
        sessions (daily: the bars) allow so few shifts that nothing could be found.
    note : str
        Why a number is missing, else "".
    q_value : float
        p among the tests it is read with; p itself where it stands alone.
    """

    n: int
    mean: float
    random_mean: float
    random_low: float
    random_high: float
    percentile: float
    t: float
    p_value: float
    detectable: float
    note: str
    q_value: float = math.nan


class _Entries(NamedTuple):
    """Bars entered at, directions, bars held (n_trades,), and whether trades span sessions."""

    bar: IntArray
    direction: FloatArray
    held: IntArray
    overnight: bool


class _Draws(NamedTuple):
    """Effect over the average of entries and its t, row 0 the strategy's; and that average."""

    effect: FloatArray
    whole: Whole
    typical: float


def entry_test(
    trades: pd.DataFrame,
    open: npt.ArrayLike,  # noqa: A002 - the price's name everywhere
    close: npt.ArrayLike,
    session: npt.ArrayLike,
    *,
    stamps: pd.DatetimeIndex | None = None,
    minutes_open: npt.ArrayLike | None = None,
    time_bucket: float = 30,
    draws: int = 1000,
    seed: int = 0,
) -> EntryTest:
    """Return whether the entries did better than random ones.

    Parameters
    ----------
    trades : DataFrame
        As `Record.trades`: entry_bar, exit_bar (positions in the bars), direction (+1, -1) and
        status. Trades still open count with their bars so far.
    open, close, session : array of shape (n_bars,)
        The bars that were traded, as in `event_study`.
    stamps, minutes_open, time_bucket
        As in `event_study`; without times a bar's place in its session is its number.
    draws : int, default=1000
        At least 19.
    seed : int, default=0

    Returns
    -------
    test : EntryTest

    Raises
    ------
    InputError
        A column is absent, a trade lies outside the bars or ends before it began, too few draws, or
        bars that `event_study` refuses.

    Notes
    -----
    An entry at bar b is worth direction x mean_j (open[min(b + h_j, end)]/open[b] - 1), h_j the
    holding times of ALL trades, `end` the last bar of the session, or of the data where trades span
    sessions; no bar held is open to close. Where not even the shortest fits, only a trade's own
    entry is valued. So what ended a trade (a stop, a target) cannot make its
    entry look good or bad, nor can its costs.

    Intraday, the entries of whole sessions are permuted among the sessions, each at its own time
    of day, and measured against the mean value of that time of day; where trades span sessions,
    they are shifted round by whole sessions instead, and on daily bars all entries by so many bars:
    what keeps entries apart then stays as it is. t is compared, not the mean, since entries that
    crowd into stormy sessions have a wide mean without any skill.

    `docs/statistics.md` has how often it finds what is not there: in 3 to 7 % at 5 %, but in 8 to
    12 % of daily strategies that buy dips and trade faster in falling or stormy markets than in
    rising ones, as with a trailing stop, or an exit after a great move.
    """
    bars = checked_bars(open, close, session, stamps=stamps, minutes_open=minutes_open)
    return trial_of_entries(trades, bars, time_bucket=time_bucket, draws=draws, seed=seed)


def check_draws(draws: int, what: str = "draws") -> None:
    """Refuse so few random draws that no p-value could be small."""
    if draws < LEAST_DRAWS:
        raise InputError(
            f"{what}: {draws}; give at least {LEAST_DRAWS}, better 1000, as p cannot be below "
            f"1/(1 + {what})"
        )


def trial_of_entries(
    trades: pd.DataFrame,
    bars: Bars,
    *,
    time_bucket: float = 30,
    draws: int = 1000,
    seed: int = 0,
    tests: int = 1,
) -> EntryTest:
    """Return `entry_test` on bars that have been checked, one of so many `tests`."""
    check_draws(draws)
    own = _entries(trades, bars)
    if own.bar.size == 0:
        return _without_entries("no trade")
    (market,) = markets_of([bars], time_bucket)
    value = _values(own, bars)
    unknown = int(np.count_nonzero(~np.isfinite(value[own.bar])))
    if unknown:
        return _without_entries(f"{unknown} trade{'s' * (unknown != 1)} without a price")
    cluster = market.cluster[own.bar]
    some = int(np.unique(cluster).size)
    drawn = (_shifted if bars.daily else _permuted)(own, value, market, draws, seed)
    mean, others = drawn.typical + float(drawn.effect[0]), drawn.typical + drawn.effect[1:]
    known = others[np.isfinite(others)]
    t, error = drawn.whole.t, float(drawn.whole.error[0])
    note = _why_not(t, some, daily=bars.daily)
    low, high = np.quantile(known, [0.025, 0.975]) if known.size else (math.nan, math.nan)
    below = np.count_nonzero(t[1:] < t[0]) + np.count_nonzero(t[1:] == t[0]) / 2
    p = math.nan if note else permutation_p(t)
    least = math.nan if note else error * detectable_errors(t, LEVEL / tests, some - 1.0)
    if not note and t.size * LEVEL < tests:
        least = math.inf  # there are so few shifts that no p among the tests could be small enough
    return EntryTest(
        n=own.bar.size,
        mean=mean,
        random_mean=float(known.mean()) if known.size else math.nan,
        random_low=float(low),
        random_high=float(high),
        percentile=math.nan if math.isnan(t[0]) else float(100.0 * below / (t.size - 1)),
        t=float(t[0]),
        p_value=p,
        detectable=least,
        note=note,
        q_value=p,
    )


def _without_entries(note: str) -> EntryTest:
    nan = math.nan
    return EntryTest(0, nan, nan, nan, nan, nan, nan, nan, nan, note)


def _why_not(t: FloatArray, some: int, *, daily: bool) -> str:
    """Return why there is no p-value, "" where there is one."""
    if some < LEAST_CLUSTERS:
        kind = f"block{'s' * (some != 1)} of {BLOCK_BARS} bars" if daily else "session"
        kind += "s" * (not daily and some != 1)
        return f"{some} {kind} with entries, {LEAST_CLUSTERS} needed"
    if math.isnan(t[0]):
        return "every entry is worth what its time of day is: nothing to compare"
    if all_alike(t):
        return "every session has the same entries: exchanging them changes nothing"
    if not np.isfinite(t[1:]).any():
        return "no other session has the bars that were entered at"
    return ""


def _entries(trades: pd.DataFrame, bars: Bars) -> _Entries:
    """Return the entries of all trades, refused where they do not belong to the bars."""
    missing = [name for name in _NEEDED if name not in trades.columns]
    if missing:
        found = ", ".join(map(str, trades.columns)) or "none"
        raise InputError(f"trades: no column {missing[0]!r} (found: {found}); add it")
    n = bars.session.size
    closed = (trades["status"] == "closed").to_numpy()
    entry, leave = (trades[name].to_numpy(dtype=np.float64) for name in ("entry_bar", "exit_bar"))
    leave = np.where(closed, leave, n - 1)
    wrong = np.flatnonzero(~((entry >= 0) & (leave >= entry) & (leave < n)))
    if wrong.size:
        at = wrong[0]
        raise InputError(
            f"trades: row {at} runs from bar {entry[at]:g} to {leave[at]:g} of {n} bars; "
            "give the bars that were traded"
        )
    direction = np.sign(trades["direction"].to_numpy(dtype=np.float64))
    wrong = np.flatnonzero(np.abs(direction) != 1.0)
    if wrong.size:
        raise InputError(
            f"trades: row {wrong[0]} has direction {trades['direction'].iloc[wrong[0]]!s}; "
            "wanted 1 or -1"
        )
    bar, last = entry.astype(np.int64), leave.astype(np.int64)
    spans = bars.session[last] != bars.session[bar]
    overnight = bars.daily or bool(spans.size and spans.mean() > _OVERNIGHT)
    return _Entries(bar, direction, last - bar, overnight)


def _values(own: _Entries, bars: Bars) -> FloatArray:
    """Return what buying at each bar's open is worth over all holding times, shape (n_bars,)."""
    n = bars.session.size
    times = own.held
    if np.unique(times).size > _TIMES:
        places = np.linspace(0.0, 1.0, 2 * _TIMES + 1)[1::2]
        times = np.quantile(times, places, method="inverted_cdf").astype(np.int64)
    held, often = np.unique(times, return_counts=True)
    bar = np.arange(n)
    limit = np.full(n, n - 1) if own.overnight else bars.last
    total, known = np.zeros((2, n))
    for bars_held, weight in zip(held, often, strict=True):
        end = np.minimum(bar + bars_held, limit)
        after = np.where(end > bar, bars.open[end], bars.close) / bars.open - 1.0
        fine = np.isfinite(after)
        total += weight * np.where(fine, after, 0.0)
        known += weight * fine
    value: FloatArray = np.divide(total, known, out=np.full(n, np.nan), where=known > 0.0)
    none_fits = bar + held[0] > limit
    none_fits[own.bar] = False  # a trade that ran over the session's end
    value[none_fits] = np.nan
    return value


def _permuted(own: _Entries, value: FloatArray, market: Market, draws: int, seed: int) -> _Draws:
    """Return the entries of whole sessions given to other sessions."""
    bars, sessions = market.bars, market.clusters
    abnormal = bars.abnormal(value, market.time_bucket)
    if own.overnight:
        order = (np.arange(sessions) - _shifts(sessions, draws, seed)[:, None]) % sessions
    else:
        order = permutations_of(np.zeros(sessions, dtype=np.int64), draws, seed)
    grid = grid_of(np.asarray(market.grid(abnormal, math.nan), dtype=np.float64))
    sums, counts = np.zeros((2, *order.shape))
    share, baseline = market.share_of(abnormal), np.zeros(sessions)
    for side in (1.0, -1.0):
        event: BoolArray = np.zeros(value.size, dtype=bool)
        event[own.bar[own.direction == side]] = True
        part = np.zeros((2, *order.shape))
        add_permuted_sums(
            grid, runs_of(np.asarray(market.grid(event, False))), order, (part[0], part[1])
        )
        sums, counts = sums + side * part[0], counts + part[1]
        events = np.bincount(market.bucket[event], minlength=share.shape[1])
        baseline += side * (share @ events)
    with np.errstate(invalid="ignore", divide="ignore"):
        effect = sums.sum(axis=1) / counts.sum(axis=1)
    typical = float(np.mean(own.direction * (value - abnormal)[own.bar]))
    return _Draws(effect, whole_t(sums, counts, baseline), typical)


def _shifted(own: _Entries, value: FloatArray, market: Market, draws: int, seed: int) -> _Draws:
    """Return the entries on daily bars, all of them so many bars later, round the end."""
    n = value.size
    over = value - np.nanmean(value)
    shift = _shifts(n, draws, seed)
    at = (own.bar + shift[:, None]) % n
    worth = own.direction * over[at]
    known = np.isfinite(worth)
    width = market.clusters
    place = (market.cluster[at] + width * np.arange(shift.size)[:, None]).ravel()
    sums, counts = (
        by_cluster(w.ravel(), place, width * shift.size).reshape(-1, width)
        for w in (np.where(known, worth, 0.0), known.astype(np.float64))
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        effect = sums.sum(axis=1) / counts.sum(axis=1)
    per_bar = own.direction.sum() / np.count_nonzero(np.isfinite(over))
    baseline = per_bar * by_cluster(np.nan_to_num(over), market.cluster, width)
    typical = float(own.direction.mean() * np.nanmean(value))
    return _Draws(effect, whole_t(sums, counts, baseline), typical)


def _shifts(places: int, draws: int, seed: int) -> IntArray:
    """Return 0, then by how many places to shift: all there are, or so many at random."""
    if draws >= places - 1:
        return np.arange(places)
    rng = np.random.default_rng(seed)
    return np.append(0, 1 + rng.choice(places - 1, draws, replace=False))
