"""Simulated markets without any edge, intraday and daily, and those with a known one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

SHAPES = ("flat", "u", "clustered", "heavy")


@dataclass(frozen=True)
class Market:
    """Bars of one symbol; arrays of shape (n_bars,)."""

    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    session: np.ndarray
    minutes: np.ndarray | None  # from the session's open to the bar's close; None for daily bars
    left: np.ndarray  # minutes to the session's close

    @property
    def daily(self):
        """Return whether the bars are daily."""
        return self.minutes is None

    @property
    def moves(self):
        """Return log returns from close to close, the first from its open."""
        return np.diff(np.log(self.close), prepend=np.log(self.open[0]))

    def along(self, other):
        """Return the market with the moves of `other` added, bar by bar."""
        names = ("open", "high", "low", "close")
        return replace(self, **{n: getattr(self, n) * getattr(other, n) / 100.0 for n in names})

    def only(self, kept):
        """Return the bars that are `kept`, sessions keeping their numbers."""
        names = ("open", "high", "low", "close", "session", "left")
        minutes = None if self.minutes is None else self.minutes[kept]
        return replace(self, minutes=minutes, **{n: getattr(self, n)[kept] for n in names})

    def planted(self, bars, size):
        """Return the market in which price moves by `size` within each of `bars`, for good."""
        before, after = path_of(self.close.size, bars, size)
        top, low = np.maximum(before, after), np.minimum(before, after)
        prices = dict(open=self.open * before, close=self.close * after)
        return replace(self, **prices, high=self.high * top, low=self.low * low)


def path_of(n, bars, size):
    """Return by what opens and closes are multiplied where price moves by `size` in some bars."""
    jump = np.zeros(n)
    np.add.at(jump, bars, np.log1p(size))
    after = np.exp(np.cumsum(jump))
    return np.append(1.0, after[:-1]), after


def _noise(rng, n, shape):
    if shape != "heavy":
        return rng.normal(size=n)
    return np.clip(rng.standard_t(3, n), -12.0, 12.0) / np.sqrt(3.0)


def lasting(rng, n, memory, size):
    """Return an autocorrelated path of standard deviation `size`."""
    shock = size * np.sqrt(1.0 - memory**2) * rng.normal(size=n)
    path, last = np.empty(n), size * rng.normal()
    for t in range(n):
        path[t] = last = memory * last + shock[t]
    return path


def _bars(rng, moves, gaps, width, session, minutes, left):
    """Return bars whose closes move by `moves`, of which `gaps` before the open."""
    close = 100.0 * np.exp(np.cumsum(moves))
    before = np.append(100.0, close[:-1])
    opens = before * np.exp(gaps)
    reach = np.abs(rng.normal(size=(2, moves.size))) * 0.5 * width
    high = np.maximum(opens, close) * np.exp(reach[0])
    low = np.minimum(opens, close) * np.exp(-reach[1])
    return Market(opens, high, low, close, session, minutes, left)


def intraday(rng, sessions=60, bars=26, shape="clustered", drift=0.0):
    """Return a market of half-hour-like bars, every tenth session a half day."""
    lengths = np.where(np.arange(sessions) % 10 == 7, bars // 2, bars)
    session = np.repeat(np.arange(sessions), lengths)
    place = np.concatenate([np.arange(k) for k in lengths])
    spread = np.full(session.size, 1e-3)
    if shape != "flat":
        spread *= 0.7 + 1.6 * np.abs(2.0 * place / (bars - 1) - 1.0) ** 3
    if shape in ("clustered", "heavy"):
        spread *= np.exp(lasting(rng, sessions, 0.8, 0.45))[session]
        spread *= np.exp(lasting(rng, session.size, 0.9, 0.35))
    moves = drift + spread * _noise(rng, session.size, shape)
    gaps = np.where(place == 0, 0.7 * moves, 0.0)
    minutes, close = 15.0 * (place + 1), 15.0 * lengths[session]
    return _bars(rng, moves, gaps, spread, session, minutes, close - minutes)


def daily(rng, days=1000, shape="clustered", drift=3e-4):
    """Return a market of days, whose volatility lasts and rises after losses."""
    noise = _noise(rng, days, shape)
    spread = np.full(days, 0.01)
    if shape in ("clustered", "heavy"):
        lasting, shock, last = np.empty(days), 0.15 * rng.normal(size=days), 0.0
        for t in range(days):
            lasting[t] = last
            last = 0.96 * last + shock[t] - 0.08 * noise[t]
        spread = spread * np.exp(np.clip(lasting, -1.5, 1.5))
    moves = drift + spread * noise
    day = np.arange(days)
    return _bars(rng, moves, 0.3 * moves, spread, day, None, np.zeros(days))
