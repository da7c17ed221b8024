"""Strategies that log all they notice, and a comparison of both Cerebros on them."""

from __future__ import annotations

import datetime

import backtrader as bt

from hpi_bt import HedgeCerebro, HedgeData
from hpi_bt.backtest.broker import HedgeBroker
from hpi_bt.backtest.cerebro import Recorder
from strategy.scripted import walk


class Told(bt.Strategy):
    """Writes down what it is told, and everything that it can ask at every bar."""

    def __init__(self):
        super().__init__()
        self.log = []

    def say(self, *what):
        self.log.append((len(self), len(self.data), *what))

    def look(self, bar=None):
        broker, position = self.broker, self.position
        self.say("account", broker.getcash(), broker.getvalue(), broker.get_value(lever=True),
                 broker.get_value(mkt=True), broker.getvalue([self.data]), broker.fundvalue,
                 broker.fundshares, broker.get_leverage(), broker.get_value_lever())  # fmt: skip
        self.say("position", position.size, position.price, position.upopened, position.upclosed,
                 [o.ref - self.first for o in broker.get_orders_open()])  # fmt: skip
        self.say("time", self.datetime[0], self.data.datetime.datetime(0), self.datetime.datetime())

    def start(self):
        self.first = next(bt.Order.refbasis)
        self.say("start")

    def stop(self):
        self.say("stop")
        if len(self):
            self.look()

    def prenext(self):
        self.say("prenext")

    def nextstart(self):
        self.say("nextstart")
        self.next()

    def notify_order(self, order):
        done = order.executed
        bits = [(b.size, b.price, b.closed, b.opened, b.pnl) for b in done.exbits]
        self.say("order", order.ref - self.first, order.getstatusname(), order.exectype,
                 order.created.price, order.created.dt, done.size, done.price, done.pnl, done.comm,
                 done.value, done.dt, bits)  # fmt: skip

    def notify_trade(self, trade):
        self.say("trade", trade.status, trade.size, trade.price, trade.pnl, trade.pnlcomm,
                 trade.commission, trade.barlen, trade.baropen, trade.barclose)  # fmt: skip

    def every(self, n, bar):
        return len(self) % n == bar

    def next(self):
        self.look()
        self.act()
        self.look()

    def act(self):
        """Trade."""


class Brackets(Told):
    def act(self):
        price = self.data.close[0]
        if self.every(6, 1):
            self.buy_bracket(size=3, price=price, stopprice=price - 3, limitprice=price + 3)
        if self.every(6, 4):
            self.sell_bracket(size=2, exectype=bt.Order.Market, stopprice=price + 2,
                              limitprice=price - 4)  # fmt: skip


class EveryKind(Told):
    def act(self):
        price, order = self.data.close[0], bt.Order
        if self.every(9, 1):
            self.buy(size=4, exectype=order.Limit, price=price - 1)
            self.sell(size=3, exectype=order.Stop, price=price - 2)
        if self.every(9, 3):
            self.sell(size=2, exectype=order.StopTrail, trailamount=1.5)
            self.buy(size=2, exectype=order.StopTrail, trailpercent=0.02)
        if self.every(9, 5):
            self.buy(size=1, exectype=order.StopLimit, price=price + 1, plimit=price + 1.5)
            self.sell(size=1, exectype=order.StopTrailLimit, trailamount=1.0, plimit=price - 1)
        if self.every(9, 7):
            self.buy(size=2, exectype=order.Close)


class OneCancelsOther(Told):
    def act(self):
        price = self.data.close[0]
        if self.every(5, 1):
            first = self.buy(size=2, exectype=bt.Order.Limit, price=price - 1)
            self.buy(size=2, exectype=bt.Order.Stop, price=price + 1, oco=first)
        if self.every(5, 4):
            self.close()


class Expiring(Told):
    def act(self):
        price, now = self.data.close[0], self.data.datetime.datetime(0)
        if self.every(4, 1):
            self.buy(size=1, exectype=bt.Order.Limit, price=price - 2,
                     valid=now + datetime.timedelta(minutes=2))  # fmt: skip
            self.sell(size=1, exectype=bt.Order.Stop, price=price - 2, valid=bt.Order.DAY)
            self.sell(size=1, exectype=bt.Order.Limit, price=price + 2, valid=now)


class Cancelling(Told):
    def act(self):
        if self.every(3, 1):
            price = self.data.close[0] - 2
            self.waiting = self.buy(size=1, exectype=bt.Order.Limit, price=price)
        if self.every(3, 0):
            self.cancel(self.waiting)


class Targets(Told):
    def act(self):
        n = len(self)
        if self.every(3, 0):
            self.order_target_percent(target=0.1 * (n % 4 - 2))
        if self.every(7, 1):
            self.order_target_size(target=n - 12)
        if self.every(7, 5):
            self.order_target_value(target=100.0 * (n % 5))


class Sized(Told):
    def act(self):
        if self.every(4, 1):
            self.buy()
        if self.every(4, 3):
            self.sell()


class WithIndicators(Told):
    lines = ("own", "mean")

    def __init__(self):
        super().__init__()
        self.slow = bt.ind.SMA(self.data.close, period=5)
        self.above = self.data.close > self.slow
        self.cross = bt.ind.CrossOver(self.data.close, bt.ind.EMA(self.slow, period=2))
        self.before = self.slow(-1)
        self.lines.mean = bt.ind.SMA(self.data.open, period=3)

    def look(self, bar=None):
        super().look()
        if not len(self):
            return
        self.say("lines", self.slow[0], self.above[0], self.cross[0], self.before[0],
                 len(self.slow),
                 len(self.above), self.lines.own[0], self.lines.own[-1], self.lines.mean[0],
                 list(self.datetime.get(size=3)), list(self.slow.get(size=2)),
                 len(self.lines.own.array), len(self.datetime.array))  # fmt: skip
        self.say("first", self.datetime[-1], self.lines.own[-2])

    def act(self):
        self.lines.own[0] = len(self)
        if self.cross[0] > 0:
            self.buy(size=2)
        elif self.cross[0] < 0:
            self.close()


class Cash(Told):
    def act(self):
        n = len(self)
        if n == 2:
            self.buy(size=5)
        if n in (5, 6, 11):
            self.broker.add_cash(500.0)
        if n == 14:
            self.broker.add_cash(-100.0)
            self.close()
        if n == 18:
            self.broker.set_cash(7000.0)


class QuietCash(Cash):
    """Asks for nothing between the bars on which it acts, so that values are still to be made."""

    def look(self, bar=None):
        if len(self) in (0, 12, 20, 23):
            super().look()


class Stopping(Told):
    def act(self):
        if len(self) == 2:
            self.buy(size=1)
        if len(self) == 8:
            self.env.runstop()


class StoppingWhenTold(Stopping):
    def notify_order(self, order):
        super().notify_order(order)
        if order.status == order.Completed:
            self.env.runstop()


class StoppingAtOnce(Stopping):
    def start(self):
        super().start()
        self.env.runstop()


class OfTheSameName(Told):
    """Has a member that means something else in a `KernelStrategy`."""

    leaps, leap = 3, 4


PLAIN = [
    Told, Brackets, EveryKind, OneCancelsOther, Expiring, Cancelling, Targets, Sized,
    WithIndicators, Cash, QuietCash, Stopping, StoppingWhenTold, StoppingAtOnce, OfTheSameName,
]  # fmt: skip


def stock_costs(cerebro):
    cerebro.broker.setcommission(commission=0.001, leverage=2.0)
    cerebro.broker.set_slippage_perc(0.002)


def future(cerebro):
    cerebro.broker.setcommission(commission=2.0, margin=50.0, mult=5.0)
    cerebro.broker.set_slippage_fixed(0.1)


def poor(cerebro):
    cerebro.broker.setcash(250.0)


def unchecked(cerebro):
    cerebro.broker.setcash(250.0)
    cerebro.broker.set_checksubmit(False)


def thin(cerebro):
    cerebro.broker.set_filler(bt.fillers.FixedSize(size=2))


def sizer(cerebro):
    cerebro.addsizer(bt.sizers.PercentSizer, percents=20)


def history(cerebro):
    cerebro.p.tradehistory = True


def added(cerebro):
    cerebro.addindicator(bt.ind.RSI, period=4)


def analyzed(cerebro):
    cerebro.addanalyzer(bt.analyzers.TradeAnalyzer)
    cerebro.addanalyzer(bt.analyzers.SQN)


def of_a_config(cerebro):
    cerebro.broker = HedgeBroker()
    stock_costs(cerebro)


def ruinous(cerebro):
    cerebro.broker = HedgeBroker()
    future(cerebro)
    cerebro.broker.setcommission(commission=0.1, margin=5.0, mult=10.0)
    cerebro.broker.setcash(120.0)


SETUPS = [
    stock_costs, future, poor, unchecked, thin, sizer, history, added, analyzed, of_a_config,
    ruinous,
]  # fmt: skip


def frame_of(seed=3, n=24):
    return walk(seed, n)


def analyses(strategy):
    return [
        (type(a).__name__, dict(a.get_analysis()))
        for a in strategy.analyzers
        if not isinstance(a, Recorder)
    ]


def ran(kind, strategy, setup=None, frame=None, feed=HedgeData, **how):
    """Return everything that a run shows, and the loop it took."""
    cerebro = kind(**{"stdstats": False} | how)
    cerebro.adddata(feed(frame_of() if frame is None else frame), name="X")
    cerebro.addstrategy(strategy)
    if setup:
        setup(cerebro)
    cerebro.addanalyzer(Recorder, _name="recorder")
    done = cerebro.run()[0]
    record = done.analyzers.recorder.record
    shown = {
        "log": getattr(done, "log", None),
        "equity": record.equity.tolist(),
        "position": record.position.tolist(),
        "fills": record.fills.drop(columns="time").to_dict("list"),
        "counts": record.counts,
        "analyses": analyses(done),
        "length": (len(done), len(done.data)),
        "value": cerebro.broker.getvalue(),
        "orders": [(o.getstatusname(), o.executed.price) for o in done._orders],
    }
    return shown, getattr(cerebro, "loop", "")


def agree(strategy, setup=None, *, loop="lean", **how):
    """Compare both Cerebros, entry by entry; return what they showed."""
    want, _ = ran(bt.Cerebro, strategy, setup, **how)
    got, taken = ran(HedgeCerebro, strategy, setup, **how)
    assert taken == loop
    for name, value in want.items():
        if isinstance(value, list):
            for mine, theirs in zip(got[name], value, strict=False):
                assert repr(mine) == repr(theirs), name
        assert repr(got[name]) == repr(value), name
    return want
