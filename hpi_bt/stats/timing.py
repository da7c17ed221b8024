"""When a strategy held much or little, against the same path at other times (definitions 9)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.errors import InputError
from hpi_bt.stats.entries import check_draws
from hpi_bt.stats.forward import Bars, checked_bars
from hpi_bt.stats.held import mean_known
from hpi_bt.stats.pairs import ranks_of
from hpi_bt.stats.permutation import clustered, permutation_p

LEAST_SESSIONS = 20  # with fewer, no p-value could be below 0.05
_LEAST_CHANGES = 8  # sessions with a change of position; below it one lucky switch decides
_LEAST_SHIFTS, _MOST_CELLS = 199, 400_000_000  # a few seconds, however long the data
_RESIZED = 0.1  # share of trades that change size from which on entries are not all there is
_BOUND = 0.85  # correlation of exposure and drawdown from which on they are one thing
_LONG = 60  # sessions from which on such a correlation is no accident
_STEADY = 1e-9  # an exposure that moves less is one size throughout, but for rounding


class TimingTest(NamedTuple):
    """Outcome of `timing_test`; returns are decimals a session before costs, NaN if undefined.

    Attributes
    ----------
    sessions, changes : int
        Sessions from the first position on, and those in which the position changed.
    trades, resized : int
        Times that a position was held without break, and of those the ones that changed size.
    exposure : float
        Mean signed exposure, as a share of equity.
    mean : float
        What the exposure earned a session over its own average up to then.
    random_mean, random_low, random_high : float
        Mean and 95 % range of the same over the shifted paths.
    percentile : float
        Share of shifted paths whose mean is below the strategy's (ties half), in percent.
    t : float
        The mean over its standard error, by sessions.
    p_value : float
        (1 + #{|t*| >= |t|})/(1 + shifts).
    note : str
        Why a number is missing, else "".
    q_value : float
        p among the tests it is read with; p itself where it stands alone.
    """

    sessions: int
    changes: int
    trades: int
    resized: int
    exposure: float
    mean: float
    random_mean: float
    random_low: float
    random_high: float
    percentile: float
    t: float
    p_value: float
    note: str
    q_value: float = math.nan


class _About(NamedTuple):
    """The first fields of a `TimingTest`: what was held."""

    sessions: int
    changes: int
    trades: int
    resized: int
    exposure: float


class Held(NamedTuple):
    """What a run held, each of shape (n_bars,), signed.

    Attributes
    ----------
    position : ndarray
        Units at the bar's close.
    exposure : ndarray
        Value of the position at the bar's close over equity; carried over the gap to the next.
    exposure_open : ndarray
        The same at the bar's open, once the orders that fill there have filled.
    """

    position: FloatArray
    exposure: FloatArray
    exposure_open: FloatArray


def timing_test(
    account: pd.DataFrame,
    open: npt.ArrayLike,  # noqa: A002 - the price's name everywhere
    close: npt.ArrayLike,
    session: npt.ArrayLike,
    *,
    stamps: pd.DatetimeIndex | None = None,
    minutes_open: npt.ArrayLike | None = None,
    shifts: int = 1000,
    seed: int = 0,
) -> TimingTest:
    """Return whether more was held when the price rose, and less when it fell.

    Parameters
    ----------
    account : DataFrame of n_bars rows
        As `Record.account`: position, exposure and exposure_open.
    open, close, session : array of shape (n_bars,)
        The bars that were traded, as in `event_study`.
    stamps, minutes_open
        As in `event_study`; without times a bar's place in its session is its number.
    shifts : int, default=1000
        Shifts to draw; all there are where the sessions are no more than that, fewer (at least
        199) from about 200,000 intraday bars on.
    seed : int, default=0

    Returns
    -------
    test : TimingTest

    Raises
    ------
    InputError
        A column is absent, the lengths differ, or bars that `event_study` refuses.

    Notes
    -----
    A bar has two legs: the gap from the close before it, over which that close's exposure is
    held, and from its open to its close, over which the exposure after the open's orders is held
    (a stop within the bar ends it only with the next). The mean is that of sum (w - w') r over a
    session's legs, w the exposure, w' its mean over the EARLIER sessions at the leg's time of day,
    r the leg's return. Sessions before the first position are left out.

    The exposures of whole sessions, each with the gap before it, are shifted round the end of
    the data to later ones, and w' is taken anew: average, turnover and order stay, but for one
    seam. Where one of the two sessions lacks a leg (half days) it earns nothing. t is compared,
    not the mean, as exposure that grows in storms has a wide mean without any skill.

    `docs/statistics.md` has how often it rejects exposure that lasts weeks, follows a trend or
    volatility or the level of the price, and knows nothing. Exposure that follows the fall of the
    price from its high (rank correlation 0.85 or more) is not judged. It
    does not promise this for exposure that turns over a few times in the data. Returns that
    trend are no chance: following them is timing. Nor is it a test of risk: to earn the same with
    less drawdown is no timing here.
    """
    bars = checked_bars(open, close, session, stamps=stamps, minutes_open=minutes_open)
    return trial_of_timing(held_of(account, bars), bars, shifts=shifts, seed=seed)


def held_of(account: pd.DataFrame, bars: Bars) -> Held:
    """Return what was held, refused unless it is known for every bar."""
    missing = [name for name in Held._fields if name not in account]
    if missing:
        found = ", ".join(map(str, account.columns)) or "none"
        raise InputError(f"account: no column {missing[0]!r} (found: {found}); run it again")
    if len(account) != bars.session.size:
        raise InputError(
            f"account: {len(account)} rows for {bars.session.size} bars; give one row a bar"
        )
    return Held(*(account[name].to_numpy(dtype=np.float64) for name in Held._fields))


class Resized(NamedTuple):
    """How often a position was held without break, and how many of those changed size."""

    trades: int
    resized: int


def trades_resized(position: FloatArray) -> Resized:
    """Return how many of the trades that positions of shape (n_bars,) show changed size."""
    sign = np.sign(position)
    held = np.flatnonzero(sign)
    begins = np.append(True, sign[1:] != sign[:-1]) if sign.size else np.zeros(0, dtype=bool)
    trade = np.cumsum(begins)[held]
    size = pd.Series(np.abs(position[held])).groupby(trade)
    spread = size.max() - size.min()
    return Resized(len(spread), int((spread > _STEADY * size.max()).sum()))


def is_scaled(position: FloatArray) -> bool:
    """Return whether positions change size while held, so that entries do not tell it all."""
    trades, resized = trades_resized(position)
    return resized > 0 and resized >= _RESIZED * trades


def trial_of_timing(held: Held, bars: Bars, *, shifts: int = 1000, seed: int = 0) -> TimingTest:
    """Return `timing_test` of what was held on bars that have been checked."""
    check_draws(shifts, "shifts")
    exposure, earned = _legs(held, bars)
    moved = np.append(0.0, np.diff(held.position)) != 0.0
    about = _About(
        sessions=len(exposure),
        changes=int(np.unique(bars.session[moved]).size),
        **trades_resized(held.position)._asdict(),
        exposure=mean_known(exposure),
    )
    note = _why_not(about, exposure) or _why_bound(held, bars, about.sessions)
    if note:
        return TimingTest(*about, *(math.nan,) * 7, note)
    affordable = max(_LEAST_SHIFTS, _MOST_CELLS // exposure.size)
    chosen = _shifts(len(exposure), min(shifts, affordable), seed)
    sums = _shifted_sums(exposure, earned, chosen)
    found = clustered(sums, np.ones_like(sums))
    mean, others = float(found.effect[0]), found.effect[1:]
    below = np.count_nonzero(others < mean) + np.count_nonzero(others == mean) / 2
    low, high = np.quantile(others, [0.025, 0.975])
    p = permutation_p(found.t)
    return TimingTest(
        *about,
        mean=mean,
        random_mean=float(others.mean()),
        random_low=float(low),
        random_high=float(high),
        percentile=float(100.0 * below / others.size),
        t=float(found.t[0]),
        p_value=p,
        note="",
        q_value=p,
    )


def _legs(held: Held, bars: Bars) -> tuple[FloatArray, FloatArray]:
    """Return exposures and returns of shape (n_sessions, 2 n_slots), NaN where there is no leg.

    They begin with the first session in which something was held.
    """
    before = np.append(np.nan, bars.close[:-1])
    earned = np.stack([bars.open / before, bars.close / bars.open], axis=1) - 1.0
    exposure = np.stack([np.append(np.nan, held.exposure[:-1]), held.exposure_open], axis=1)
    number = np.asarray(np.unique(bars.session, return_inverse=True)[1]).reshape(-1)
    some = (np.nan_to_num(exposure) != 0.0).any(axis=1)
    first = int(number[some.argmax()]) if some.any() else int(number[-1]) + 1
    slot = bars.slots
    grids = np.full((2, int(number[-1]) + 1, int(slot.max()) + 1, 2), np.nan)
    grids[0, number, slot], grids[1, number, slot] = exposure, earned
    width = 2 * grids.shape[2]
    return grids[0].reshape(-1, width)[first:], grids[1].reshape(-1, width)[first:]


def _why_not(about: _About, exposure: FloatArray) -> str:
    """Return why there is nothing to test, "" where there is."""
    known = exposure[np.isfinite(exposure)]
    if about.trades and not known.size:
        return "the exposure is unknown throughout: equity or prices are not above 0"
    if about.sessions < LEAST_SESSIONS:
        many = "session" if about.sessions == 1 else "sessions"
        return f"{about.sessions} {many} from the first position on, {LEAST_SESSIONS} needed"
    if np.ptp(known) <= _STEADY * np.abs(known).max():
        return "the exposure is the same throughout: there is no timing in it"
    if about.changes < _LEAST_CHANGES:
        many = "session" if about.changes == 1 else "sessions"
        return f"{about.changes} {many} with a change of position, {_LEAST_CHANGES} needed"
    return ""


def _why_bound(held: Held, bars: Bars, sessions: int) -> str:
    """Return why shifted paths would not be like this one, "" where they may be.

    Exposure that is the drawdown itself exists in this market alone: by trial it is found good or
    bad in 8 to 9 % at 5 %.
    """
    if sessions < _LONG:
        return ""
    high = np.fmax.accumulate(bars.close)
    under = bars.close / high - 1.0
    both = np.isfinite(under) & np.isfinite(held.exposure)
    ranks = [ranks_of(values[both]).rank for values in (held.exposure, under)]
    x, y = (rank - rank.mean() for rank in ranks)
    if abs(float(x @ y)) < _BOUND * math.sqrt(float(x @ x) * float(y @ y)) or not x.any():
        return ""
    return (
        "the exposure follows the fall of the price from its high, which happened but once in this "
        "order: other days are no comparison"
    )


def _shifts(sessions: int, wanted: int, seed: int) -> IntArray:
    """Return 0, then by how many sessions to shift: all there are, or so many at random."""
    if wanted >= sessions - 1:
        return np.arange(sessions)
    rng = np.random.default_rng(seed)
    return np.append(0, 1 + rng.choice(sessions - 1, wanted, replace=False))


def _shifted_sums(exposure: FloatArray, earned: FloatArray, shifts: IntArray) -> FloatArray:
    """Return sum (w - w') r of every session under each shift, shape (n_shifts, n_sessions)."""
    n = len(exposure)
    twice = np.concatenate([exposure, exposure])
    held, known = np.nan_to_num(twice), np.isfinite(twice)
    total, count = (
        np.cumsum(np.insert(x, 0, 0, axis=0), axis=0) for x in (held, known.astype(float))
    )
    returns = np.nan_to_num(earned)
    sums = np.empty((shifts.size, n))
    for row, begin in zip(sums, n - shifts, strict=True):
        past = slice(begin, begin + n)
        earlier = count[past] - count[begin]
        mean = (total[past] - total[begin]) / np.maximum(earlier, 1.0)
        over = (held[past] - mean) * (known[past] & (earlier > 0.0))
        row[:] = np.einsum("ij,ij->i", over, returns)
    return sums
