"""Random markets with everything that real feeds do wrong, and the profile of the laws."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[np.float64]
Market = dict[str, Array]

#: Same examples every time, no clock: a law that fails here fails everywhere.
law = settings(max_examples=50, deadline=None)
few = settings(law, max_examples=8)

seeds = st.integers(0, 2**32 - 1)
magnitudes = st.sampled_from([1e-9, 1.0, 1e4, 1e12])


def irregular_sessions(rng: np.random.Generator, n: int, longest: int) -> tuple[Array, Array]:
    """Session ids with holes, sessions of 1..`longest` bars, slots missing in some of them."""
    session, slot = np.empty(n), np.empty(n)
    start, name = 0, 738_000
    while start < n:
        slots = np.flatnonzero(rng.random(longest) < rng.choice([0.4, 0.9, 1.0]))
        slots = (slots if slots.size else np.array([0]))[: n - start]
        session[start : start + slots.size] = name
        slot[start : start + slots.size] = slots // 2  # two bars share a slot
        start, name = start + slots.size, name + int(rng.integers(1, 4))
    return session, slot


def blank(rng: np.random.Generator, x: Array, share: float) -> Array:
    return np.where(rng.random(x.size) < share, np.nan, x)


def market(
    seed: int, n: int, *, magnitude: float = 1.0, gaps: float = 0.03, longest: int = 20
) -> Market:
    """One market of n bars; a share `gaps` of every series but the ids is NaN."""
    rng = np.random.default_rng(seed)
    close = magnitude * (100.0 + np.cumsum(rng.integers(-3, 4, n)) / 4.0)
    reach = magnitude * rng.integers(0, 4, (2, n)) / 8.0
    session, slot = irregular_sessions(rng, n, longest)
    _, day = np.unique(session, return_inverse=True)
    put_oi, call_oi = rng.integers(0, 2000, (2, n))[:, day]
    interest = rng.integers(1, 50, n) * 100.0 * np.where(rng.random(n) < 0.1, -1.0, 1.0)
    put, call = rng.integers(0, 300, (2, n)) * np.where(rng.random(n) < 0.1, 0.0, 1.0)
    out = {
        "x": close - magnitude * 100.0,
        "high": close + reach[0],
        "low": close - reach[1],
        "close": close,
        "oscillator": close - np.concatenate([close[:1].repeat(6), close[:-6]])[:n],
        "raw": magnitude * rng.normal(size=n),
        "volume": rng.integers(0, 10_000, n).astype(float),
        "open_interest": np.where(rng.random(n) < 0.1, 0.0, interest),
        "put_volume": put * magnitude,
        "call_volume": call * magnitude,
        "net_oi": (put_oi - call_oi) * magnitude,
        "total_oi": (put_oi + call_oi) * magnitude,
    }
    spike = int(rng.integers(n))
    out["x"][spike] = 1e12 * magnitude  # gone from a window, it must leave no trace
    out = {name: blank(rng, x, gaps) for name, x in out.items()}
    leave_long, leave_short = rng.random((2, n)) < 0.1
    enter = rng.choice([0.0, 0.0, 0.0, 0.0, 1.0, -1.0], n)
    out |= {"enter": blank(rng, enter, gaps), "leave_long": leave_long, "leave_short": leave_short}
    return out | {"session": session, "slot": slot}


def cut(frame: Market, start: int, stop: int) -> Market:
    return {name: x[start:stop] for name, x in frame.items()}
