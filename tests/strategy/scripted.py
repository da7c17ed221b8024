"""A plain Backtrader strategy that does what a script says, bar by bar."""

from __future__ import annotations

import backtrader as bt
import numpy as np
import pandas as pd
from hypothesis import strategies as st

from reference import trading


def walk(seed: int, n: int = 24) -> pd.DataFrame:
    """Bars of a random walk about 100 with option volume and open interest."""
    rng = np.random.default_rng(seed)
    close = np.maximum(100 + np.cumsum(rng.normal(0, 2, n)), 5)
    open_ = np.r_[100.0, close[:-1]] + rng.normal(0, 1, n)
    high = np.maximum(open_, close) + rng.random(n)
    low = np.minimum(open_, close) - rng.random(n)
    flow = {name: rng.integers(1, 100, n) for name in ("put_volume", "call_volume")}
    return trading.market(open_, high, low, close, np.zeros(n), **flow, put_oi=[50] * n,
                          call_oi=[60] * n)  # fmt: skip


class Scripted(bt.Strategy):
    """`script` maps a bar (counted from 0) to what is done at its close: (name, *numbers)."""

    params = dict(script=None)

    def __init__(self):
        super().__init__()
        self.waiting = []
        self.said = []

    def next(self):
        step = (self.p.script or {}).get(len(self) - 1)
        if step is None:
            return
        for order in self.waiting:
            self.cancel(order)
        self.waiting = []
        self.said.append(getattr(self, step[0])(*step[1:]))

    def keep(self, *orders):
        self.waiting += [o for o in orders if o is not None]

    def turn(self, side, size):
        self.close()
        return self.buy(size=size) if side > 0 else self.sell(size=size)

    def two(self, side, size):
        send = self.buy if side > 0 else self.sell
        return send(size=size), send(size=size)

    def bracket(self, side, size):
        price, send = self.data.close[0], self.buy_bracket if side > 0 else self.sell_bracket
        made = send(size=size, exectype=bt.Order.Market, stopprice=price - 3 * side,
                    limitprice=price + 4 * side)  # fmt: skip
        self.keep(*made[1:])
        return made

    def limit_with_stop(self, side, size):
        price = self.data.close[0]
        enter, leave = (self.buy, self.sell) if side > 0 else (self.sell, self.buy)
        entry = enter(size=size, exectype=bt.Order.Limit, price=price - side)
        stop = None
        if entry is not None:
            stop = leave(size=size, exectype=bt.Order.Stop, price=price - 4 * side)
        self.keep(entry, stop)
        return entry, stop

    def unsized(self, side):
        return self.buy() if side > 0 else self.sell()


sides, units = st.sampled_from([1, -1]), st.integers(1, 20)
steps = st.one_of(
    st.tuples(st.just("buy"), st.none(), units),
    st.tuples(st.just("sell"), st.none(), units),
    st.just(("close",)),
    st.tuples(st.sampled_from(["turn", "two", "bracket", "limit_with_stop"]), sides, units),
    st.tuples(st.just("order_target_size"), st.none(), st.integers(-20, 20)),
    st.tuples(st.just("order_target_percent"), st.none(), st.floats(-0.5, 0.5)),
    st.tuples(st.just("order_target_value"), st.none(), st.floats(-2000, 2000)),
    st.tuples(st.just("unsized"), sides),
)
scripts = st.dictionaries(st.integers(1, 22), steps, min_size=3, max_size=20)
