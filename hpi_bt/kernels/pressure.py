"""The Hedge Pressure Index: option volume of the session against open interest (definitions 3)."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from hpi_bt.arrays import FloatArray, State, as_series, part
from hpi_bt.kernels.averages import moving_average
from hpi_bt.kernels.crossings import sign_changes
from hpi_bt.kernels.memory import shared
from hpi_bt.kernels.sessions import (
    previous_session_mean,
    same_slot_score,
    session_average,
    session_sum,
)
from hpi_bt.kernels.windows import zscore

SCALES = ("contracts", "ratio", "standard")


class HedgePressure(NamedTuple):
    """Lines of the index, each of shape (n_bars,)."""

    oi: FloatArray
    flow: FloatArray
    spread: FloatArray
    hpi: FloatArray
    cross: FloatArray
    extreme: FloatArray


class DemoFlow(NamedTuple):
    """Option flow made up from a bar's shape, each array of shape (n_bars,)."""

    put_volume: FloatArray
    call_volume: FloatArray
    net_oi: FloatArray


def _check_accumulate(accumulate: str) -> None:
    if accumulate not in ("session", "bar"):
        raise ValueError(f"accumulate must be 'session' or 'bar', got {accumulate!r}")


def _check(
    accumulate: str, ma: str, scale: str, total_oi: object, slot: object, extreme: float
) -> None:
    _check_accumulate(accumulate)
    if ma not in ("ema", "sma"):
        raise ValueError(f"ma must be 'ema' or 'sma', got {ma!r}")
    if scale not in SCALES:
        raise ValueError(f"scale must be one of {', '.join(SCALES)}, got {scale!r}")
    if scale == "ratio" and total_oi is None:
        raise ValueError("scale='ratio' needs total_oi (put OI + lam * call OI); give it")
    if scale == "standard" and slot is None:
        raise ValueError("scale='standard' needs slot (the slot of the day of each bar); give it")
    if not extreme > 0.0:
        raise ValueError(f"extreme must be positive, got {extreme!r}")


@shared
def _net_flow(
    puts: FloatArray,
    calls: FloatArray,
    session: FloatArray,
    *,
    lam: float,
    accumulate: str,
    state: State = None,
) -> FloatArray:
    """Return puts - lam * calls of each bar, or summed from the session's first bar on."""
    net = puts - lam * calls
    return session_sum(net, session, state=state) if accumulate == "session" else net


@shared
def _session_score(
    x: FloatArray, session: FloatArray, *, sessions: int, state: State = None
) -> FloatArray:
    """Return x against its values in earlier sessions, whatever the time of day."""
    return same_slot_score(x, session, np.zeros_like(session), sessions=sessions, state=state)


def _ratio(part_: FloatArray, whole: FloatArray) -> FloatArray:
    out = np.full(part_.shape, np.nan)
    np.divide(part_, whole, out=out, where=whole > 0.0)
    return out


@shared
def hedge_pressure(
    put_volume: FloatArray,
    call_volume: FloatArray,
    net_oi: FloatArray,
    session: FloatArray,
    *,
    lam: float = 1.0,
    smoothing: int = 10,
    zscore_lookback: int = 100,
    accumulate: str = "session",
    ma: str = "ema",
    scale: str = "contracts",
    total_oi: FloatArray | None = None,
    slot: FloatArray | None = None,
    standard_sessions: int = 20,
    extreme: float = 1.5,
    state: State = None,
) -> HedgePressure:
    """Return the option flow of the session against its open-interest baseline.

    Put-heavy is BULLISH here: dealers who are short those puts must buy back as they decay.

    Parameters
    ----------
    put_volume, call_volume : ndarray of shape (n_bars,)
        Contracts traded in each bar.
    net_oi : ndarray of shape (n_bars,)
        Pre-open put OI - lam * call OI of the session, constant through it, in contracts.
    session : ndarray of shape (n_bars,)
        Integer id of each bar's session.
    lam : float, default=1
        Weight of calls against puts.
    smoothing : int, default=10
        Bars of the flow's average.
    zscore_lookback : int, default=100
        Spreads in the standard score, across sessions.
    accumulate : {"session", "bar"}, default="session"
        Running sum from the session's first bar, or each bar alone.
    ma : {"ema", "sma"}, default="ema"
        Kind of the flow's average. With accumulate="session" it restarts each session and starts
        as the plain mean of the session so far, so that the open is never blank.
    scale : {"contracts", "ratio", "standard"}, default="contracts"
        The script's contracts; both lines as shares in [-1, 1] of put + lam * call (needs
        `total_oi` = put OI + lam * call OI); or both in standard deviations of the earlier
        sessions at the same `slot` of the day (needs `slot`), the one that compares.
    standard_sessions : int, default=20
        Earlier sessions that scale="standard" looks at; at least 5 must exist.
    extreme : float, default=1.5
        |hpi| from which the pressure is called mechanical.

    Returns
    -------
    oi, flow, spread : ndarray of shape (n_bars,)
        Baseline, flow line and flow - oi, in the unit of `scale`.
    hpi : ndarray of shape (n_bars,)
        Standard score of the spread; 0 where it is constant, NaN before `zscore_lookback`.
    cross : ndarray of shape (n_bars,)
        +1 where flow crosses above oi (bullish), -1 below (bearish), else 0.
    extreme : ndarray of shape (n_bars,)
        +1 where hpi >= extreme (mechanical bid), -1 where hpi <= -extreme (offer), else 0.

    Raises
    ------
    ValueError
        An option is none of its values, a length is no whole number, a needed series is absent.

    Notes
    -----
    After the TradingView script "Hedge Pressure Index (HPI)"; definitions 3.
    """
    _check(accumulate, ma, scale, total_oi, slot, extreme)
    puts, calls, oi, session = as_series(put_volume, call_volume, net_oi, session)
    flow_of = partial(_net_flow, puts, calls, session, accumulate=accumulate)
    net = flow_of(lam=lam, state=part(state, "net"))
    if scale == "ratio" and total_oi is not None:
        total = flow_of(lam=-lam, state=part(state, "total"))
        net, oi = _ratio(net, total), _ratio(*as_series(oi, total_oi))
    elif scale == "standard" and slot is not None:
        n = standard_sessions
        net = same_slot_score(net, session, slot, sessions=n, state=part(state, "net_score"))
        oi = _session_score(oi, session, sessions=n, state=part(state, "oi_score"))
    if accumulate == "session":
        flow = session_average(net, session, smoothing, ma, state=part(state, "flow"))
    else:
        flow = moving_average(net, smoothing, ma, state=part(state, "flow"))
    spread = flow - oi
    hpi = zscore(spread, zscore_lookback, state=part(state, "score"))
    restart = session if accumulate == "session" else None
    cross = sign_changes(spread, session=restart, state=part(state, "cross"))
    extremes = (hpi >= extreme).astype(np.float64) - (hpi <= -extreme).astype(np.float64)
    return HedgePressure(oi, flow, spread, hpi, cross, extremes)


@shared
def demo_flow(
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    volume: FloatArray,
    session: FloatArray,
    *,
    lam: float = 1.0,
    accumulate: str = "session",
    state: State = None,
) -> DemoFlow:
    """Return option volumes and a baseline made up from price bars: the script's DEMO layout.

    There is no option data in it; whatever shows it says DEMO.

    Parameters
    ----------
    high, low, close, volume, session : ndarray of shape (n_bars,)
        One market's bars and session ids.
    lam, accumulate
        As in `hedge_pressure`, whose net flow the baseline averages.

    Returns
    -------
    put_volume, call_volume : ndarray of shape (n_bars,)
        The volume split by the close's place in the bar: all calls at the high, all puts at the
        low, halves where high = low.
    net_oi : ndarray of shape (n_bars,)
        Mean over the previous session of the net flow; NaN in the first session.
    """
    _check_accumulate(accumulate)
    high, low, close, volume, session = as_series(high, low, close, volume, session)
    spread = high - low
    location = np.where(spread == 0.0, 0.0, np.nan)
    np.divide(2.0 * close - high - low, spread, out=location, where=spread > 0.0)
    calls, puts = volume * (1.0 + location) / 2.0, volume * (1.0 - location) / 2.0
    net = _net_flow(puts, calls, session, lam=lam, accumulate=accumulate, state=part(state, "net"))
    baseline = previous_session_mean(net, session, state=part(state, "baseline"))
    return DemoFlow(puts, calls, baseline)
