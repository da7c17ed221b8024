"""What a run earned and at what risk: session returns and the numbers read from them and trades."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray
from hpi_bt.errors import InputError

_UNIX_EPOCH = dt.date(1970, 1, 1).toordinal()
LEAST_SESSIONS = 21  # a month; a year made of fewer says nothing (three gave a Sharpe of 10)
_ROUNDING = 1e-12  # of a return: what floats leave of nothing
MOST_CAGR = 10.0  # 1,000 % a year; more is a short stretch, not a rate


@dataclass(frozen=True)
class Metrics:
    """What a series of session returns comes to; decimals (0.10 is 10 %), NaN where undefined.

    Attributes
    ----------
    sessions : int
        Number of returns.
    total_return, cagr : float
        Compounded, over the whole and per year of `periods_per_year` sessions; -1 after ruin.
        `cagr` is NaN below 21 sessions and above 1,000 % a year.
    volatility : float
        Standard deviation (ddof 1), per year.
    sharpe, sortino : float
        Mean over standard deviation, over root mean square of the losses; per year, no risk-free
        rate. NaN where the divisor is 0; `sortino` is infinite where no session lost and some
        gained.
    max_drawdown : float
        Deepest fall below the highest value so far, the start included; <= 0.
    drawdown_sessions : int
        Longest run of sessions that ended below an earlier value.
    calmar : float
        `cagr` over the size of `max_drawdown`; infinite where the account gained and never fell.
    """

    sessions: int
    total_return: float
    cagr: float
    volatility: float
    sharpe: float
    sortino: float
    max_drawdown: float
    drawdown_sessions: int
    calmar: float


@dataclass(frozen=True)
class TradeMetrics:
    """What closed trades come to, net of commission in account currency; NaN where undefined.

    Attributes
    ----------
    n, n_open : int
        Closed trades, which all other fields describe, and trades still open at the end.
    win_rate : float
        Share with net > 0.
    profit_factor : float
        Sum of gains over sum of losses; NaN without a loss.
    average, best, worst : float
        Net per trade.
    average_bars : float
        Bars held.
    """

    n: int
    n_open: int
    win_rate: float
    profit_factor: float
    average: float
    best: float
    worst: float
    average_bars: float


def session_returns(equity: pd.Series, session: npt.ArrayLike, start_value: float) -> pd.Series:
    """Return the simple return of every session in the bars.

    Parameters
    ----------
    equity : Series of length n_bars, index tz-aware bar closes
        Account value at each bar's close, in account currency.
    session : array of int, shape (n_bars,)
        Session of each bar, `date.toordinal()`; never falls.
    start_value : float
        Account value before the first bar, > 0.

    Returns
    -------
    returns : Series of shape (n_sessions,), index naive midnight session dates
        0 where the account was flat. An account that ends a session at or below 0 is ruined:
        that session returns -1 and all later ones 0.

    Raises
    ------
    InputError
        Lengths differ, sessions fall, or a value is not finite.
    """
    value = np.asarray(equity, dtype=np.float64)
    ids = np.asarray(session, dtype=np.int64)
    _check_equity(value, ids, start_value)
    last = session_ends(ids)
    change = session_changes(value, last, start_value)
    days = (ids[last] - _UNIX_EPOCH).astype("datetime64[D]").astype("datetime64[ns]")
    return pd.Series(change, index=pd.DatetimeIndex(days, name="session"), name="return")


def session_ends(session: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the index of every session's last bar, shape (n_sessions,)."""
    ids = np.asarray(session)
    edges = np.append(ids[1:] != ids[:-1], np.ones(min(ids.size, 1), dtype=bool))
    return np.flatnonzero(edges)


def session_changes(
    equity: FloatArray, last: npt.NDArray[np.int64], start_value: float
) -> FloatArray:
    """Return simple session returns, shape (n_sessions,), from equity at the bars `last`.

    An account that ends a session at or below 0 is ruined: that session returns -1, later ones 0.
    Where its positions were closed in the next session above 0 and nothing followed, the session
    of the ruin has that loss instead.
    """
    closes = np.concatenate(([start_value], equity[last]))
    lost = np.flatnonzero(closes <= 0.0)
    if lost.size == 1 and lost[0] + 1 < closes.size:
        settled = closes[lost[0] + 1 :]
        if (settled == settled[0]).all():
            closes[lost[0]] = settled[0]
    ruined = np.logical_or.accumulate(closes <= 0.0)
    closes = np.where(ruined, 0.0, closes)
    change = np.zeros(last.size)
    np.divide(closes[1:] - closes[:-1], closes[:-1], out=change, where=~ruined[:-1])
    return change


def is_ruined(equity: npt.ArrayLike) -> bool:
    """Return whether an account, shape (n_bars,), was worth nothing or less at any close."""
    return bool((np.asarray(equity) <= 0.0).any())


def _check_equity(value: FloatArray, ids: npt.NDArray[np.int64], start_value: float) -> None:
    """Refuse an equity curve from which no session return can be taken."""
    if value.ndim != 1 or value.shape != ids.shape:
        raise InputError(
            f"session: {ids.size} ids for {value.size} equity values; give one session id per bar"
        )
    if not (math.isfinite(start_value) and start_value > 0.0):
        raise InputError(f"start_value: {start_value} is not a positive amount; give the cash")
    if not np.isfinite(value).all():
        first = int(np.flatnonzero(~np.isfinite(value))[0])
        raise InputError(f"equity: bar {first} is {value[first]}; give a finite value for each bar")
    if (np.diff(ids) < 0).any():
        first = int(np.flatnonzero(np.diff(ids) < 0)[0]) + 1
        raise InputError(f"session: falls at bar {first}; sort the bars by time")


def performance(
    returns: npt.ArrayLike, *, periods_per_year: float = 252.0, ruined: bool = False
) -> Metrics:
    """Return the risk and reward of a series of simple session returns.

    Parameters
    ----------
    returns : array or Series of shape (n_sessions,)
        Decimals, finite, >= -1.
    periods_per_year : float, default=252
        Sessions in a year, by which `cagr`, `volatility`, `sharpe` and `sortino` are annualised.
        Sessions with bars per elapsed year (`sources.years.sessions_per_year`) make `cagr` the
        growth per year of the calendar.
    ruined : bool, default=False
        Whether the account was worth nothing at some close (`is_ruined`): its deepest fall is -1,
        whatever was left when it was closed out, which is what the returns show.

    Returns
    -------
    metrics : Metrics
        A year is `periods_per_year` sessions whatever the dates. No session gives NaN and 0.

    Raises
    ------
    InputError
        A return is not finite or below -1.
    """
    r = checked_returns(returns)
    n = r.size
    growth = np.cumprod(1.0 + r)
    total = float(growth[-1]) - 1.0 if n else math.nan
    cagr = growth_a_year(total, n / periods_per_year) if n >= LEAST_SESSIONS else math.nan
    cagr = cagr if cagr <= MOST_CAGR else math.nan
    mean, year = (float(r.mean()) if n else math.nan), math.sqrt(periods_per_year)
    # a constant series has no spread, though rounding of its mean may suggest a little
    spread = 0.0 if n > 1 and np.ptp(r) == 0.0 else _spread(r)
    losses = float(np.sqrt(np.mean(np.minimum(r, 0.0) ** 2))) if n else math.nan
    drop = drawdown(r)
    deepest = -1.0 if ruined else float(drop.min()) if n else math.nan
    return Metrics(
        sessions=n,
        total_return=total,
        cagr=cagr,
        volatility=spread * year,
        sharpe=_ratio(mean * year, spread),
        sortino=over_losses(mean * year, losses),
        max_drawdown=deepest,
        drawdown_sessions=longest_run(drop < 0.0),
        calmar=over_losses(cagr if deepest < -_ROUNDING else total, -deepest),
    )


def choice_score(returns: npt.ArrayLike, select: str, *, periods_per_year: float = 252.0) -> float:
    """Return the figure by which a point is chosen: that of `performance` without its limits.

    Infinite where a ratio has nothing to divide by and something was gained: a point that never
    lost (sortino, calmar), or gained the same in each session (sharpe). NaN where undefined.

    Parameters
    ----------
    returns : array of shape (n_sessions,)
        Session returns, decimals.
    select : str
        A field of `Metrics`.
    periods_per_year : float, default=252
        Sessions in a year.
    """
    r = checked_returns(returns)
    risk = performance(r, periods_per_year=periods_per_year)
    if select == "sharpe" and r.size > 1 and np.ptp(r) == 0.0:
        return over_losses(float(r[0]), 0.0)
    if select not in ("cagr", "calmar") or not r.size:
        return float(getattr(risk, select))
    cagr = growth_a_year(risk.total_return, r.size / periods_per_year)
    return cagr if select == "cagr" else over_losses(cagr, -risk.max_drawdown)


def growth_a_year(total_return: float, years: float) -> float:
    """Return the compounded growth of a year, decimal; infinite where no number can hold it."""
    with np.errstate(over="ignore"):
        return float(np.power(1.0 + total_return, 1.0 / years)) - 1.0


def over_losses(gain: float, losses: float) -> float:
    """Return gain / losses: infinite where something was gained and nothing lost, else NaN at 0."""
    if losses > _ROUNDING:
        return _ratio(gain, losses)
    return math.inf if gain > _ROUNDING else math.nan


def _spread(r: FloatArray) -> float:
    return float(r.std(ddof=1)) if r.size > 1 else math.nan


def _ratio(above: float, below: float) -> float:
    """Return above / below, NaN where `below` is 0 or NaN or the result is no finite number."""
    ratio = above / below if below > 0.0 else math.nan
    return ratio if math.isfinite(ratio) else math.nan


def checked_returns(returns: npt.ArrayLike, name: str = "returns") -> FloatArray:
    """Return `returns` as a float64 array of shape (n_sessions,), refused if impossible.

    Parameters
    ----------
    returns : array or Series of shape (n_sessions,)
        Simple returns, decimals.
    name : str, default="returns"
        What the message calls them.

    Raises
    ------
    InputError
        Not one-dimensional, a value not finite, or below -1 (more than everything lost).
    """
    r = np.asarray(returns, dtype=np.float64)
    if r.ndim != 1:
        raise InputError(f"{name}: shape {r.shape}; give one return per session")
    bad = np.flatnonzero(~(np.isfinite(r) & (r >= -1.0)))
    if bad.size:
        raise InputError(
            f"{name}: session {bad[0]} is {r[bad[0]]}; "
            "give simple returns as decimals, finite and not below -1"
        )
    return r


def drawdown(returns: npt.ArrayLike) -> FloatArray:
    """Return the fall below the highest value so far after each session, the start included.

    Parameters
    ----------
    returns : array of shape (n_sessions,)
        Simple returns, decimals.

    Returns
    -------
    drawdown : ndarray of shape (n_sessions,)
        In [-1, 0]; 0 at a new high.
    """
    growth = np.cumprod(1.0 + np.asarray(returns, dtype=np.float64))
    return growth / np.maximum(np.maximum.accumulate(growth), 1.0) - 1.0


def deepest_fall(values: npt.ArrayLike, start_value: float) -> float:
    """Return the deepest fall below the highest value so far, the start included; NaN for none.

    Parameters
    ----------
    values : array of shape (n_bars,)
        Account value at each bar's close; at or below 0 everything is lost.
    start_value : float
        Account value before the first bar, > 0.
    """
    path = np.asarray(values, dtype=np.float64)
    if not path.size:
        return math.nan
    peak = np.maximum(np.maximum.accumulate(path), start_value)
    return max(float((path / peak).min()) - 1.0, -1.0)


def longest_run(flags: BoolArray) -> int:
    """Return the length of the longest unbroken run of True."""
    ends = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return int(np.diff(ends)[::2].max(initial=0))


def trade_metrics(trades: pd.DataFrame) -> TradeMetrics:
    """Return what the closed trades come to.

    Parameters
    ----------
    trades : DataFrame, one row per trade
        Needs columns `net` (account currency), `bars` and `status` ("closed" or "open").

    Returns
    -------
    metrics : TradeMetrics
        Open trades are counted in `n_open` and nowhere else.

    Raises
    ------
    InputError
        A column is absent.
    """
    missing = [c for c in ("net", "bars", "status") if c not in trades.columns]
    if missing:
        found = ", ".join(map(str, trades.columns)) or "none"
        raise InputError(f"trades: no column {missing[0]!r} (found: {found}); add it")
    closed = trades["status"].to_numpy() == "closed"
    net = trades["net"].to_numpy(dtype=np.float64)[closed]
    held = trades["bars"].to_numpy(dtype=np.float64)[closed]
    some = net.size > 0
    return TradeMetrics(
        n=int(net.size),
        n_open=int(closed.size - net.size),
        win_rate=float((net > 0.0).mean()) if some else math.nan,
        profit_factor=_ratio(float(net[net > 0.0].sum()), -float(net[net < 0.0].sum())),
        average=float(net.mean()) if some else math.nan,
        best=float(net.max()) if some else math.nan,
        worst=float(net.min()) if some else math.nan,
        average_bars=float(held.mean()) if some else math.nan,
    )


def exposure(position: npt.ArrayLike) -> float:
    """Return the time in market: the share of bars, in [0, 1], with a position; NaN without bars.

    How much was held is another matter: see `exposures`.

    Parameters
    ----------
    position : array of shape (n_bars,)
        Units held at each bar's close, negative when short, or what they are worth.
    """
    held = np.asarray(position, dtype=np.float64)
    return float(np.count_nonzero(held) / held.size) if held.size else math.nan
