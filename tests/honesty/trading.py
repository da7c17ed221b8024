"""Round trips of random strategies: every exit rule of `Orders`, and exits that look at price."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hpi_bt.backtest.fast_loop import Costs, simulate
from hpi_bt.backtest.fast_loop import Market as Bars
from hpi_bt.kernels.wilder import wilder_atr
from hpi_bt.orders import Orders
from tests.honesty.signals import average

NO_COSTS = Costs(cash=1e6, commission=0.0, percent=False, slippage=0.0, leverage=1.0)


def by_orders(market, target, orders):
    """Return the trades of the compiled loop, the last one open where it is."""
    unknown = np.full(market.close.size, np.nan)
    minutes = unknown if market.daily else market.minutes
    session = market.session.astype(float)
    prices = (market.open, market.high, market.low, market.close)
    bars = Bars(*prices, session, minutes, unknown if market.daily else market.left)
    atr = wilder_atr(market.high, market.low, market.close, orders.period)
    rules = orders.rules(bar_minutes=1440.0 if market.daily else 15.0, multiplier=1.0, margin=0.0)
    account = simulate(bars, target, atr, rules, NO_COSTS)
    return round_trips(account.fill_bar, account.fills[:, 0], market.close.size)


def round_trips(bar, size, n):
    """Return trades from fills of signed size, oldest first."""
    rows, held, since = [], 0.0, 0
    for at, change in zip(bar, size, strict=True):
        if held and np.sign(held + change) != np.sign(held):
            rows.append((since, at, int(np.sign(held)), "closed"))
        if np.sign(held + change) != np.sign(held):
            since = at
        held += change
        held = 0.0 if abs(held) < 1e-9 else held
    if held:
        rows.append((since, n - 1, int(np.sign(held)), "open"))
    return pd.DataFrame(rows, columns=["entry_bar", "exit_bar", "direction", "status"])


def by_price(market, signal, rule, *, most=10**9):
    """Return trades that enter at the open after a signal and leave as `rule` says at a close.

    `rule(market, entry, t, side)` sees bars up to t.
    """
    rows, t, n = [], 0, market.close.size
    while t < n - 2:
        if not signal[t]:
            t += 1
            continue
        entry, side = t + 1, int(signal[t])
        u = entry
        while u < n - 1 and u - entry < most and not rule(market, entry, u, side):
            u += 1
        done = u < n - 1
        rows.append((entry, u + 1 if done else n - 1, side, "closed" if done else "open"))
        t = u + 1
    return pd.DataFrame(rows, columns=["entry_bar", "exit_bar", "direction", "status"])


def gain(market, entry, t, side):
    """Return what the trade has made by the close of t."""
    return side * (market.close[t] / market.open[entry] - 1.0)


def at_a_profit(market, entry, t, side):
    """Leave at the first close in profit."""
    return gain(market, entry, t, side) > 0.0


def trailing(market, entry, t, side, width=0.03):
    """Leave where the best close since entry has been given back by 3 %."""
    path = side * np.log(market.close[entry : t + 1])
    return path.max() - path[-1] > (width if market.daily else width / 8)


def above_average(market, entry, t, side):
    """Leave at the first close above the average of 20 bars."""
    return market.close[t] > market.close[max(t - 19, 0) : t + 1].mean()


def new_high(market, entry, t, side):
    """Leave at a high of 30 bars."""
    return market.close[t] >= market.close[max(t - 29, 0) : t + 1].max()


EXITS = {"profit": at_a_profit, "trailing": trailing, "average": above_average, "high": new_high}

ORDERS = {
    "signal": {},
    "time": {"time_stop_bars": 6},
    "stop": {"stop": {"multiple": 1.5}},
    "target": {"target": {"multiple": 1.5}},
    "bracket": {"stop": {"multiple": 1.0}, "target": {"multiple": 2.0}},
    "bracket_time": {"stop": {"multiple": 1.0}, "target": {"multiple": 3.0}, "time_stop_bars": 10},
    "flat": {"flat_at_close": True},
    "flat_bracket": {
        "flat_at_close": True, "stop": {"multiple": 1.0}, "target": {"multiple": 2.0},
    },
    "window": {"flat_at_close": True, "window": {"length_minutes": 120}},
}  # fmt: skip


def orders_of(name, **more):
    """Return order rules by name."""
    return Orders(**ORDERS[name], **more)


__all__ = ["EXITS", "ORDERS", "average", "by_orders", "by_price", "orders_of"]
