"""Signals, exposures and lines that know the past only, whatever they follow."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tests.honesty.markets import lasting


def back(market, bars):
    """Return the log move over the last `bars` bars."""
    path = np.log(market.close)
    return path - np.append(np.full(min(bars, path.size), path[0]), path[:-bars])


def spread(market, bars):
    """Return the root mean square of the last moves, exponentially weighted."""
    return np.sqrt(pd.Series(market.moves**2).ewm(span=bars).mean().to_numpy())


def usual(values):
    """Return the mean of all earlier values."""
    return pd.Series(values).expanding().mean().shift(1, fill_value=values[0]).to_numpy()


def average(market, bars):
    """Return the moving average of the close."""
    return pd.Series(market.close).rolling(bars, min_periods=1).mean().to_numpy()


def _some(rng, n, share):
    return np.where(rng.random(n) < share, rng.choice([-1.0, 1.0], n), 0.0)


def random(market, rng, share=0.15):
    """Return pulses of either side."""
    return _some(rng, market.close.size, share)


def longs(market, rng):
    """Return pulses up."""
    return (rng.random(market.close.size) < 0.05).astype(float)


def rare(market, rng, count=14):
    """Return so few pulses up, at most one a session (or a month of days)."""
    n = market.close.size
    group = np.arange(n) // 21 if market.daily else market.session
    out = np.zeros(n)
    count = min(count, group[-1])
    for g in rng.choice(np.unique(group), count, replace=False):
        out[rng.choice(np.flatnonzero(group == g))] = 1.0
    return out


def dense(market, rng):
    """Return a signal that is on most of the time."""
    return random(market, rng, 0.8)


def opening(market, rng):
    """Return pulses of the first hour, in some sessions several."""
    busy = rng.random(market.session[-1] + 1) < 0.4
    return _some(rng, market.close.size, 0.6) * (market.minutes <= 60) * busy[market.session]


def sessions(market, rng):
    """Return +1 throughout some sessions, -1 throughout others."""
    return rng.choice([-1.0, 0.0, 1.0], market.session[-1] + 1)[market.session]


def sticky(market, rng, stay=40):
    """Return a side that lasts and knows nothing."""
    n = market.close.size
    fresh = np.append(True, rng.random(n - 1) < 1.0 / stay)
    return rng.choice([-1.0, 0.0, 1.0], n)[np.maximum.accumulate(np.arange(n) * fresh)]


def trend(market, rng, bars=8):
    """Return the side of a clear move over the last bars."""
    move, size = back(market, bars), np.sqrt(bars) * spread(market, 4 * bars)
    return np.sign(move) * (np.abs(move) > size)


def long_trend(market, rng):
    """Return the side of the last 80 bars' move."""
    return np.sign(back(market, 80))


def reversal(market, rng):
    """Return the side against a clear move."""
    return -trend(market, rng)


def stormy(market, rng):
    """Return +1 where volatility is above what it has been."""
    now = spread(market, 10)
    return (now > 1.15 * usual(now)).astype(float)


def calm(market, rng):
    """Return +1 where volatility is below what it has been."""
    now = spread(market, 10)
    return (now < 0.85 * usual(now)).astype(float)


def great_storms(market, rng):
    """Return +1 where volatility is more than twice what it has been."""
    now = spread(market, 10)
    return (now > 2.2 * usual(now)).astype(float)


def gusts(market, rng):
    """Return the side of a bar much larger than usual."""
    return np.sign(market.moves) * (np.abs(market.moves) > 2.0 * spread(market, 50))


def dips(market, rng):
    """Return +1 while price is under its average of 20 bars."""
    return (market.close < average(market, 20)).astype(float)


def above(market, rng):
    """Return +1 while price is over its average of 20 bars."""
    return (market.close > average(market, 20)).astype(float)


# --- exposures ---


def low_price(market, rng):
    """Return more where the price is low."""
    return -np.log(market.close / 100.0)


def drawdown(market, rng):
    """Return more the deeper the fall from the high so far."""
    return 0.3 + np.minimum(-4.0 * np.log(market.close / np.maximum.accumulate(market.close)), 2.0)


def target_vol(market, rng):
    """Return more where volatility is low."""
    now = spread(market, 30)
    return np.minimum(2.5, usual(now) / now)


def with_vol(market, rng):
    """Return more where volatility is high."""
    now = spread(market, 30)
    return np.minimum(3.0, now / usual(now))


def regime(market, rng):
    """Return shares that last weeks and know nothing."""
    return 0.5 + 0.4 * sticky(market, rng, 25)


def follow(market, rng, bars=20):
    """Return more after a rise."""
    return np.where(back(market, bars) > 0.0, 1.0, 0.33)


def follow_long(market, rng):
    """Return more after a rise of 250 days."""
    return follow(market, rng, 250)


def buy_dips(market, rng):
    """Return more after a fall."""
    return np.where(back(market, 20) < 0.0, 1.0, 0.33)


# --- lines ---


def move_line(market, rng):
    """Return the move over the last 20 bars."""
    return back(market, 20)


def vol_line(market, rng):
    """Return the volatility of the last bars."""
    return spread(market, 20)


def sticky_line(market, rng):
    """Return a line that lasts (autocorrelation 0.98) and knows nothing."""
    return lasting(rng, market.close.size, 0.98, 1.0)
