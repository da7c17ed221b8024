"""A strategy's entries against random entries of the same kind (SPEC 9)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.errors import InputError
from hpi_bt.stats.events import LEAST_CLUSTERS
from hpi_bt.stats.forward import Bars, checked_bars
from hpi_bt.stats.permutation import clustered, permutation_p, permutations_of
from hpi_bt.stats.pool import BLOCK_BARS
from hpi_bt.stats.slippage import prices_before_slippage

_NEEDED = ("entry_bar", "exit_bar", "direction", "entry_price", "exit_price", "status")


class EntryTest(NamedTuple):
    """Outcome of `entry_test`; returns are decimals a trade before costs, NaN if undefined.

    Attributes
    ----------
    n : int
        Closed trades.
    mean : float
        The strategy's mean of direction x (exit price/entry price - 1), before slippage.
    random_mean, random_low, random_high : float
        Mean and 95 % range of the same mean over the random draws.
    percentile : float
        Share of draws whose mean is below the strategy's (ties half), in percent.
    t : float
        Mean of the trades' returns over what their kind of trade earns on average, divided by its
        standard error clustered by session.
    p_value : float
        (1 + #{|t*| >= |t|})/(1 + draws).
    note : str
        Why a number is missing, else "".
    """

    n: int
    mean: float
    random_mean: float
    random_low: float
    random_high: float
    percentile: float
    t: float
    p_value: float
    note: str


class _Trades(NamedTuple):
    """Closed trades: entry bar, bars held, sessions spanned, direction, return; (n_trades,)."""

    entry: IntArray
    bars: IntArray
    span: IntArray
    direction: FloatArray
    earned: FloatArray


class _Draws(NamedTuple):
    """Random trades, shape (n_draws, n_trades): return, that over the average, and cluster."""

    earned: FloatArray
    excess: FloatArray
    cluster: IntArray


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
    """Return whether the entries did better than random ones held as long.

    Parameters
    ----------
    trades : DataFrame
        As `Record.trades`: entry_bar, exit_bar (positions in the bars), direction (+1, -1),
        entry_price, exit_price and status. Open trades are left out.
    open, close, session : array of shape (n_bars,)
        The bars that were traded, as in `event_study`.
    stamps, minutes_open, time_bucket
        As in `event_study`; without times a random entry may lie at any time of day.
    draws : int, default=1000
    seed : int, default=0

    Returns
    -------
    test : EntryTest

    Raises
    ------
    InputError
        A column is absent, a trade lies outside the bars or ends before it began, or bars that
        `event_study` refuses.

    Notes
    -----
    In a draw each session's trades move together to another session, by a random permutation of
    sessions, and each enters at a random bar of its own time-of-day bucket there, in its own
    direction, for its own number of bars and sessions: open to open, or to the close of the
    same bar if it held none. A session without such a bar (a half day) is replaced by a random
    one that has it. t is compared, not the mean, since trades that crowd into stormy sessions
    have a wide mean without any skill. Holding times are kept, the stops that caused them are not
    tried on the random trades. Daily bars: every bar may take any trade, blocks of 21 bars cluster.
    Both sides are compared before slippage, which is no fault of an entry's time: a fill at market
    counts as made at the open of its bar (`hpi_bt.stats.slippage`).
    """
    bars = checked_bars(open, close, session, stamps=stamps, minutes_open=minutes_open)
    return trial_of_entries(trades, bars, time_bucket=time_bucket, draws=draws, seed=seed)


def trial_of_entries(
    trades: pd.DataFrame, bars: Bars, *, time_bucket: float = 30, draws: int = 1000, seed: int = 0
) -> EntryTest:
    """Return `entry_test` on bars that have been checked."""
    own = _closed_trades(trades, bars)
    if own.entry.size == 0:
        return _without_trades("no closed trade")
    unknown = int(np.count_nonzero(~np.isfinite(own.earned)))
    if unknown:
        return _without_trades(f"{unknown} trades without a price")
    drawn, typical = _drawn(own, bars, time_bucket, draws, seed)
    cluster = _clusters(bars)
    sample = _Draws(own.earned, own.earned - typical, cluster[own.entry])
    t = np.append(_t(sample, cluster), _t(drawn, cluster))
    means = drawn.earned.mean(axis=1)
    mean = float(own.earned.mean())
    below = np.count_nonzero(means < mean) + np.count_nonzero(means == mean) / 2
    low, high = np.quantile(means, [0.025, 0.975])
    some = np.unique(sample.cluster).size
    kind = f"blocks of {BLOCK_BARS} bars" if bars.daily else "sessions"
    few = f"{some} {kind} with trades, {LEAST_CLUSTERS} needed" if some < LEAST_CLUSTERS else ""
    return EntryTest(
        n=own.entry.size,
        mean=mean,
        random_mean=float(means.mean()),
        random_low=float(low),
        random_high=float(high),
        percentile=float(100.0 * below / means.size),
        t=float(t[0]),
        p_value=math.nan if few else permutation_p(t),
        note=few,
    )


def _without_trades(note: str) -> EntryTest:
    nan = math.nan
    return EntryTest(0, nan, nan, nan, nan, nan, nan, nan, note)


def _closed_trades(trades: pd.DataFrame, bars: Bars) -> _Trades:
    """Return the closed trades, refused where they do not belong to the bars."""
    missing = [name for name in _NEEDED if name not in trades.columns]
    if missing:
        found = ", ".join(map(str, trades.columns)) or "none"
        raise InputError(f"trades: no column {missing[0]!r} (found: {found}); add it")
    closed = trades[(trades["status"] == "closed").to_numpy()]
    entry, leave = (closed[name].to_numpy(dtype=np.int64) for name in ("entry_bar", "exit_bar"))
    n = bars.session.size
    wrong = np.flatnonzero((entry < 0) | (leave < entry) | (leave >= n))
    if wrong.size:
        at = wrong[0]
        raise InputError(
            f"trades: row {at} runs from bar {entry[at]} to {leave[at]} of {n} bars; "
            "give the bars that were traded"
        )
    direction = np.sign(closed["direction"].to_numpy(dtype=np.float64))
    came, went = prices_before_slippage(closed, bars)
    number = _session_number(bars)
    earned = direction * (went / came - 1.0)
    return _Trades(entry, leave - entry, number[leave] - number[entry], direction, earned)


def _session_number(bars: Bars) -> IntArray:
    """Return 0 for the first session's bars, 1 for the second's, shape (n_bars,)."""
    return np.asarray(np.unique(bars.session, return_inverse=True)[1]).reshape(-1)


def _clusters(bars: Bars) -> IntArray:
    number = _session_number(bars)
    return number // BLOCK_BARS if bars.daily else number


def _t(draws: _Draws, cluster: IntArray) -> FloatArray:
    """Return the clustered t of the mean excess of every draw, shape (n_draws,)."""
    excess, at = np.atleast_2d(draws.excess), np.atleast_2d(draws.cluster)
    width = int(cluster.max()) + 1
    flat = (at + width * np.arange(len(at))[:, None]).reshape(-1)
    sums, counts = (
        np.bincount(flat, weights=w.reshape(-1), minlength=len(at) * width).reshape(-1, width)
        for w in (excess, np.ones(excess.shape))
    )
    return clustered(sums.astype(np.float64), counts.astype(np.float64)).t


class _Candidates(NamedTuple):
    """Bars at which one kind of trade could begin, their long returns, the sessions having any.

    Those of session s are bar[start[s] : start[s + 1]].
    """

    bar: IntArray
    start: IntArray
    earned: FloatArray
    having: IntArray


def _drawn(
    own: _Trades, bars: Bars, time_bucket: float, draws: int, seed: int
) -> tuple[_Draws, FloatArray]:
    """Return the random trades and what each trade's kind earns on average, (n_trades,)."""
    number = _session_number(bars)
    move = permutations_of(np.zeros(int(number[-1]) + 1, dtype=np.int64), draws, seed)[1:]
    rng = np.random.default_rng([seed, 1])
    bucket, cluster = bars.buckets(time_bucket), _clusters(bars)
    shape = (draws, own.entry.size)
    earned, excess, at = np.empty(shape), np.empty(shape), np.empty(shape, dtype=np.int64)
    typical = np.empty(own.entry.size)
    cache: dict[tuple[int, int, int], _Candidates] = {}
    members = {int(b): np.flatnonzero(bucket == b) for b in np.unique(bucket[own.entry])}
    for k in range(own.entry.size):
        key = (int(bucket[own.entry[k]]), int(own.bars[k]), int(own.span[k]))
        if key not in cache:
            cache[key] = _candidates(bars, number, members[key[0]], *key[1:])
        pool = cache[key]
        session = move[:, number[own.entry[k]]].copy()
        count = pool.start[session + 1] - pool.start[session]
        lacking = np.flatnonzero(count == 0)
        session[lacking] = rng.choice(pool.having, lacking.size)
        count[lacking] = pool.start[session[lacking] + 1] - pool.start[session[lacking]]
        chosen = pool.start[session] + np.floor(rng.random(draws) * count).astype(np.int64)
        typical[k] = own.direction[k] * pool.earned.mean()
        earned[:, k] = own.direction[k] * pool.earned[chosen]
        excess[:, k] = earned[:, k] - typical[k]
        at[:, k] = cluster[pool.bar[chosen]]
    return _Draws(earned, excess, at), typical


def _candidates(
    bars: Bars, number: IntArray, members: IntArray, held: int, span: int
) -> _Candidates:
    """Return those of `members` from which `held` bars on the price is known, `span` sessions on.

    The trade's own bar is among them unless its price is unknown; at least one bar must be.
    """
    bar = members[: np.searchsorted(members, bars.session.size - held)]
    bar = bar[number[bar + held] - number[bar] == span]
    end = bars.open[bar + held] if held else bars.close[bar]
    earned = end / bars.open[bar] - 1.0
    known = np.isfinite(earned)
    bar, earned = bar[known], earned[known]
    if bar.size == 0:
        raise InputError(
            f"trades: no bar from which {held} bars on the open is known; check the prices"
        )
    start = np.searchsorted(number[bar], np.arange(int(number[-1]) + 2))
    return _Candidates(bar, start, earned, np.flatnonzero(np.diff(start)))
