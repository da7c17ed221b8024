"""Stop and target prices of trades, from whatever orders a strategy has sent."""

from __future__ import annotations

import backtrader as bt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpi_bt import HedgeData, Orders
from hpi_bt.backtest.cerebro import Recorder, run_cerebro
from hpi_bt.backtest.fast import run_fast
from hpi_bt.config import Broker
from reference.trading import Follow, market
from strategy.scripted import Scripted, scripts, walk

NAN = float("nan")
RICH = Broker(cash=1e6)


class Sends(Scripted):
    """Scripted, and any order by name: ("send", side, size, kind, options)."""

    def send(self, side, size, kind, **how):
        trade = self.buy if side > 0 else self.sell
        return trade(size=size, exectype=getattr(bt.Order, kind), **how)

    def stop_at(self, side, size, price):
        return self.send(side, size, "Stop", price=price)

    def limit_at(self, side, size, price):
        return self.send(side, size, "Limit", price=price)

    def trail(self, side, size, amount):
        return self.send(side, size, "StopTrail", trailamount=amount)

    def trail_share(self, side, size, price, share):
        return self.send(side, size, "StopTrail", price=price, trailpercent=share)

    def trail_limit(self, side, size, limit, amount):
        return self.send(side, size, "StopTrailLimit", plimit=limit, trailamount=amount)

    def stop_limit(self, side, size, price):
        return self.send(side, size, "StopLimit", price=price, plimit=price)

    def stop_then_limits(self, side, size, *prices):
        return [self.stop_at(side, size, prices[0])] + [
            self.limit_at(side, size, price) for price in prices[1:]
        ]

    def straddle(self, size, above, below):
        return self.stop_at(1, size, above), self.stop_at(-1, size, below)


def flat(n=12, level=100.0):
    """Bars that go nowhere, so that nothing but market orders fills."""
    price = np.full(n, level)
    return market(price, price + 1, price - 1, price, np.zeros(n))


def prices_of(script, frame=None, **how):
    made = run_cerebro(Sends, {"script": script}, flat() if frame is None else frame, broker=RICH)
    return made.trades[["stop_price", "target_price"]].to_numpy(dtype=float).tolist()


def same(got, want):
    np.testing.assert_array_equal(np.array(got), np.array(want, dtype=float).reshape(-1, 2))


BUY = ("buy", None, 3)


def test_worked_example_of_both_engines():
    # filled at 100; the true range of the signal bar is 2: stop 1.5 x 2 below, target 2 x 2 above
    frame = flat().assign(target=[0.0, 1, 1, 1, 0, 0, -1, -1, -1, -1, -1, -1])
    orders = Orders(
        size={"kind": "fixed", "amount": 1.0}, stop={"period": 1, "multiple": 1.5},
        target={"multiple": 2.0},
    )  # fmt: skip
    for run in (run_cerebro, run_fast):
        trades = run(Follow, {}, frame, orders=orders, broker=RICH).trades
        same(trades[["stop_price", "target_price"]], [[97, 104], [103, 96]])


@pytest.mark.parametrize(("entry", "bars"), [(10, 1), (9, 1), (9, 2)], ids=["last", "exit", "two"])
def test_an_order_that_never_came_into_the_market_has_no_price(entry, bars):
    # sent at the last close, or not sent where the exit is due at the entry bar's close
    target = np.zeros(12)
    target[entry : entry + bars] = 1.0
    orders = Orders(size={"kind": "fixed", "amount": 1.0}, stop={"period": 1, "multiple": 1.5})
    want = [[97.0, NAN]] if bars == 2 else [[NAN, NAN]]
    for run in (run_cerebro, run_fast):
        trades = run(Follow, {}, flat().assign(target=target), orders=orders, broker=RICH).trades
        same(trades[["stop_price", "target_price"]], want)


@pytest.mark.parametrize(
    ("script", "want"),
    [
        ({1: BUY, 3: ("stop_at", -1, 3, 95.0)}, [95, NAN]),
        ({1: BUY, 3: ("limit_at", -1, 3, 110.0)}, [NAN, 110]),
        ({1: ("sell", None, 3), 3: ("stop_at", 1, 3, 105.0)}, [105, NAN]),
        ({1: BUY, 3: ("trail", -1, 3, 4.0)}, [96, NAN]),
        ({1: BUY, 3: ("trail_share", -1, 3, 98.0, 0.5)}, [49, NAN]),
        ({1: ("sell", None, 3), 3: ("trail", 1, 3, 4.0)}, [104, NAN]),
        ({1: BUY, 3: ("trail_limit", -1, 3, 99.0, 4.0)}, [95, NAN]),
        ({1: BUY, 3: ("stop_limit", -1, 3, 94.0)}, [94, NAN]),
        ({1: BUY, 3: ("stop_then_limits", -1, 3, 95.0, 107.0, 108.0)}, [95, 107]),
        ({1: BUY, 3: ("stop_at", -1, 3, 95.0), 6: ("stop_at", -1, 3, 97.0)}, [95, NAN]),
        ({1: ("bracket", 1, 3)}, [97, 104]),
        ({1: ("bracket", -1, 3)}, [103, 96]),
        ({1: BUY}, [NAN, NAN]),
        ({1: BUY, 3: ("stop_at", 1, 3, 105.0)}, [NAN, NAN]),  # it would add
        ({1: BUY, 3: ("limit_at", 1, 3, 95.0)}, [NAN, NAN]),
    ],
    ids=lambda x: str(x)[:60],
)
def test_exit_orders_of_any_strategy_are_told_by_their_kind_and_side(script, want):
    same(prices_of(script), [want])


def test_a_trailing_stop_keeps_the_price_that_it_was_sent_with():
    n = 12
    close = 100.0 + np.arange(n)
    frame = market(close, close + 1, close - 1, close, np.zeros(n))
    same(prices_of({1: BUY, 3: ("trail", -1, 3, 40.0)}, frame), [[63, NAN]])


def test_an_order_that_waited_when_the_position_was_opened_protects_it():
    n = 12
    close = np.r_[np.full(5, 100.0), np.full(n - 5, 104.0)]
    frame = market(close, close + 1, close - 1, close, np.zeros(n))
    same(prices_of({1: ("straddle", 3, 103.0, 97.0)}, frame), [[97, NAN]])


def test_a_cancelled_order_does_not_protect_the_next_position():
    script = {1: BUY, 2: ("limit_with_stop", -1, 3), 5: ("close",), 7: BUY}
    same(prices_of(script)[-1:], [[NAN, NAN]])


def test_two_datas_have_their_own_orders():
    class Both(bt.Strategy):
        def next(self):
            for data in self.datas:
                if len(data) == 2:
                    self.buy(data, size=1)
                if len(data) == 4:
                    self.sell(data, size=1, exectype=bt.Order.Stop, price=data.close[0] - 10)

    cerebro = bt.Cerebro(stdstats=False)
    for name, level in (("A", 100.0), ("B", 50.0)):
        cerebro.adddata(HedgeData(flat(level=level)), name=name)
    cerebro.addstrategy(Both)
    cerebro.addanalyzer(Recorder, _name="recorder")
    trades = cerebro.run()[0].analyzers.recorder.record.trades
    assert dict(zip(trades["data"], trades["stop_price"], strict=True)) == {"A": 90.0, "B": 40.0}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), scripts)
def test_only_a_price_that_was_sent_against_the_position_is_ever_named(seed, script):
    class Noted(Scripted):
        sent = []

        def notify_order(self, order):
            if order.status == order.Accepted and order.exectype != order.Market:
                column = "target_price" if order.exectype == order.Limit else "stop_price"
                self.sent.append((column, 1 if order.isbuy() else -1, order.created.price))

    Noted.sent = []
    made = run_cerebro(Noted, {"script": script}, walk(seed), broker=RICH)
    for trade in made.trades.to_dict("records"):
        for column in ("stop_price", "target_price"):
            if not np.isnan(trade[column]):
                assert (column, -trade["direction"], trade[column]) in Noted.sent
    exits = made.fills[made.fills["closed"] != 0]
    closing = exits[exits["closed"] == exits["size"]]
    assert not closing[["stop_price", "target_price"]].notna().to_numpy().any()
