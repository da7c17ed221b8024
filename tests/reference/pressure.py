"""Definitions 3: the Hedge Pressure Index and its demo mode."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

from reference.averages import NAN, Series, known, mean, moving_average, score, zscore


class Pressure(NamedTuple):
    oi: list[float]
    flow: list[float]
    spread: list[float]
    hpi: list[float]
    cross: list[float]
    extreme: list[float]


def sessions_of(session: Series) -> list[list[int]]:
    """The bars of each session, in order."""
    return [list(bars) for _, bars in groupby(range(len(session)), key=lambda t: session[t])]


def session_sum(x: Series, session: Series) -> list[float]:
    """Running sum of the session: NaN at a NaN, which adds nothing to the bars after it."""
    out = [NAN] * len(x)
    for bars in sessions_of(session):
        total = 0.0
        for t in bars:
            if known(x[t]):
                total += x[t]
                out[t] = total
    return out


def session_average(x: Series, session: Series, period: int, kind: str) -> list[float]:
    """An average that restarts each session and begins as the plain mean of the session so far.

    The ema passes over a NaN (section 0: recursive averages hold), the sma is NaN while one lies
    in its window (section 0: the terms that need it are NaN).
    """
    out = [NAN] * len(x)
    for bars in sessions_of(session):
        seen: list[float] = []
        last = NAN
        for place, t in enumerate(bars):
            window = [x[i] for i in bars[max(place - period + 1, 0) : place + 1]]
            if kind == "sma":
                out[t] = mean(window) if known(*window) else NAN
                continue
            if known(x[t]):
                seen.append(x[t])
                last = (
                    mean(seen) if len(seen) <= period else last + 2 / (period + 1) * (x[t] - last)
                )
            out[t] = last
    return out


def previous_session_mean(x: Series, session: Series) -> list[float]:
    out = [NAN] * len(x)
    before = NAN
    for bars in sessions_of(session):
        values = [x[t] for t in bars if known(x[t])]
        for t in bars:
            out[t] = before
        before = mean(values) if values else NAN
    return out


def same_slot_score(
    x: Series, session: Series, slot: Series, *, sessions: int = 20, at_least: int = 5
) -> list[float]:
    """Score against the slot's last value of each of the last `sessions` that have one."""
    out = [NAN] * len(x)
    history: dict[float, list[float]] = {}
    for bars in sessions_of(session):
        last: dict[float, float] = {}
        for t in bars:
            earlier = history.get(slot[t], [])[-sessions:]
            if known(x[t]):
                last[slot[t]] = x[t]
                if len(earlier) >= at_least:
                    out[t] = score(earlier, x[t])
        for key, value in last.items():
            history.setdefault(key, []).append(value)
    return out


def sign_changes(x: Series, session: Series | None = None) -> list[float]:
    """+1/-1 where the sign differs from the last non-zero sign (of the session, if given)."""
    out, last = [], 0.0
    for t, value in enumerate(x):
        if session is not None and t and session[t] != session[t - 1]:
            last = 0.0
        now = 0.0 if not known(value) else float(value > 0) - float(value < 0)
        out.append(now if now * last < 0 else 0.0)
        last = now or last
    return out


def ratio(part: Series, whole: Series) -> list[float]:
    return [p / w if w > 0 else NAN for p, w in zip(part, whole, strict=True)]


def hedge_pressure(
    put_volume: Series,
    call_volume: Series,
    net_oi: Series,
    session: Series,
    *,
    lam: float = 1.0,
    smoothing: int = 10,
    zscore_lookback: int = 100,
    accumulate: str = "session",
    ma: str = "ema",
    scale: str = "contracts",
    total_oi: Series = (),
    slot: Series = (),
    standard_sessions: int = 20,
    extreme: float = 1.5,
) -> Pressure:
    pairs = list(zip(put_volume, call_volume, strict=True))
    net = [p - lam * c for p, c in pairs]
    gross = [p + lam * c for p, c in pairs]
    oi = list(net_oi)
    if accumulate == "session":
        net, gross = session_sum(net, session), session_sum(gross, session)
    if scale == "ratio":
        net, oi = ratio(net, gross), ratio(oi, total_oi)
    if scale == "standard":
        net = same_slot_score(net, session, slot, sessions=standard_sessions)
        oi = same_slot_score(oi, session, [0.0] * len(oi), sessions=standard_sessions)
    if accumulate == "session":
        flow = session_average(net, session, smoothing, ma)
    else:
        flow = moving_average(net, smoothing, ma)
    spread = [f - o for f, o in zip(flow, oi, strict=True)]
    hpi = zscore(spread, zscore_lookback)
    cross = sign_changes(spread, session if accumulate == "session" else None)
    return Pressure(
        oi, flow, spread, hpi, cross, [float(h >= extreme) - float(h <= -extreme) for h in hpi]
    )


def demo_flow(
    high: Series,
    low: Series,
    close: Series,
    volume: Series,
    session: Series,
    *,
    lam: float = 1.0,
    accumulate: str = "session",
) -> tuple[list[float], list[float], list[float]]:
    put, call = [], []
    for h, lo, c, v in zip(high, low, close, volume, strict=True):
        location = 0.0 if h == lo else (2 * c - h - lo) / (h - lo)
        call.append(v * (1 + location) / 2)
        put.append(v * (1 - location) / 2)
    net = [p - lam * c for p, c in zip(put, call, strict=True)]
    if accumulate == "session":
        net = session_sum(net, session)
    return put, call, previous_session_mean(net, session)
