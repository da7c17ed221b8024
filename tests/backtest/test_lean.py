"""`HedgeCerebro` against `bt.Cerebro`: the same log of everything that a strategy can notice."""

from __future__ import annotations

import datetime

import backtrader as bt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpi_bt import HedgeCerebro, HedgeData, KernelStrategy, Orders
from hpi_bt.backtest.cerebro import Recorder
from hpi_bt.backtest.lean import LeanBroker
from reference.trading import Follow, as_it_stands, market
from strategy.scripted import Scripted, scripts, walk


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


SETUPS = [stock_costs, future, poor, unchecked, thin, sizer, history, added, analyzed]


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


@pytest.mark.parametrize("strategy", PLAIN, ids=lambda c: c.__name__)
def test_a_strategy_notices_no_difference(strategy):
    log = agree(strategy)["log"]
    assert len(log) >= 2


@pytest.mark.parametrize("setup", SETUPS, ids=lambda f: f.__name__)
def test_costs_margins_fillers_and_sizers_make_no_difference(setup):
    for strategy in (Brackets, EveryKind, Targets, Sized, QuietCash):
        agree(strategy, setup)


def test_the_strategies_above_do_trade():
    for strategy in PLAIN[1:10]:
        log = ran(HedgeCerebro, strategy)[0]["log"]
        assert any(entry[2] == "order" and "Completed" in entry for entry in log), strategy


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), scripts, st.sampled_from([None, stock_costs, future, poor]))
def test_random_scripts_make_no_difference(seed, script, setup):
    class Random(Told):
        def __init__(self):
            super().__init__()
            self.waiting, self.said = [], []

        params = dict(script=script)
        act = Scripted.next
        keep, turn, two = Scripted.keep, Scripted.turn, Scripted.two
        bracket, unsized = Scripted.bracket, Scripted.unsized
        limit_with_stop = Scripted.limit_with_stop

    agree(Random, setup, frame=frame_of(seed))


def test_bars_that_lie_about_their_extremes_make_no_difference():
    frame = frame_of()
    frame["high"], frame["low"] = frame["low"].copy(), frame["high"].copy()
    for strategy in (Brackets, EveryKind):
        agree(strategy, frame=frame)


def test_bars_without_numbers_make_no_difference():
    frame = frame_of()
    frame.iloc[[4, 9], :4] = np.nan
    for strategy in (Brackets, EveryKind):
        agree(strategy, frame=frame)


class Signals(bt.SignalStrategy):
    def __init__(self):
        super().__init__()
        self.log = []
        slow = bt.ind.SMA(self.data.close, period=4)
        self.signal_add(bt.SIGNAL_LONGSHORT, bt.ind.CrossOver(self.data.close, slow))

    def notify_order(self, order):
        super().notify_order(order)
        self.log.append((len(self), order.getstatusname(), order.executed.price))


def test_signal_strategies_make_no_difference():
    want, _ = ran(bt.Cerebro, Signals)
    got, loop = ran(HedgeCerebro, Signals)
    assert repr(got) == repr(want)
    assert len(want["log"]) > 3
    assert loop in ("lean", "stock: Signals._notify")


def test_a_kernel_strategy_that_adds_cash_while_flat_has_it_on_the_next_bar():
    class Adds(Follow):
        def notify_trade(self, trade):
            if trade.isclosed:
                self.broker.add_cash(1000.0)

    frame = market(*np.full((4, 12), 10.0), [0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1])
    want, got = (ran(kind, Adds, frame=frame) for kind in (bt.Cerebro, HedgeCerebro))
    assert repr(got[0]) == repr(want[0])
    assert got[1] == "lean"


def test_bars_without_a_target_are_skipped_and_nothing_is_lost():
    called = []

    class Counted(Follow):
        def leap(self, leaps, bar):
            called.append(bar)
            return super().leap(leaps, bar)

    target = np.zeros(60)
    target[[10, 11, 40, 59]] = 1.0
    frame = market(*np.full((4, 60), 10.0), target)
    want, got = (ran(kind, Counted, frame=frame)[0] for kind in (bt.Cerebro, HedgeCerebro))
    assert repr(got) == repr(want)
    assert 0 < len(called) < 10
    assert got["length"] == (60, 60)


# What is not for the short loop goes to stock Backtrader, and says why.


class Interested(bt.CommInfoBase):
    params = dict(stocklike=True, commtype=bt.CommInfoBase.COMM_FIXED)

    def get_credit_interest(self, data, pos, dt):
        return 1.5


class Valued(bt.CommInfoBase):
    """Counts a position as worth more than it is."""

    params = dict(stocklike=True, commtype=bt.CommInfoBase.COMM_FIXED)

    def getvaluesize(self, size, price):
        return size * price * 1.01


def interest(cerebro):
    cerebro.broker.setcommission(commission=0.01, interest=0.1, interest_long=True)


def own_interest(cerebro):
    cerebro.broker.addcommissioninfo(Interested())


def own_value(cerebro):
    cerebro.broker.addcommissioninfo(Valued())


def automatic_margin(cerebro):
    cerebro.broker.setcommission(commission=1.0, margin=7.0, automargin=0.5, mult=2.0,
                                 commtype=bt.CommInfoBase.COMM_FIXED, stocklike=False)  # fmt: skip


def own_broker(cerebro):
    cerebro.broker = bt.brokers.BackBroker()


def sub_broker(cerebro):
    class Mine(LeanBroker):
        """Somebody's own."""

    cerebro.broker = Mine()


def cheat_on_close(cerebro):
    cerebro.broker.set_coc(True)


def fund_mode(cerebro):
    cerebro.broker.set_fundmode(True)


def no_short_cash(cerebro):
    cerebro.broker.set_shortcash(False)


def order_history(cerebro):
    cerebro.add_order_history([["2024-01-02T09:35:00", 3, 100.0]])


def second_feed(cerebro):
    cerebro.adddata(HedgeData(frame_of(9)), name="Y")


def second_strategy(cerebro):
    cerebro.addstrategy(Sized)


def observer(cerebro):
    cerebro.addobserver(bt.observers.DrawDown)


def many_observer(cerebro):
    cerebro.addobservermulti(bt.observers.BuySell)


def timer(cerebro):
    cerebro.add_timer(bt.timer.SESSION_START)


def writer(cerebro):
    import io

    cerebro.addwriter(bt.WriterFile, out=io.StringIO(), csv=True)


def analyzer(kind):
    def setup(cerebro):
        cerebro.addanalyzer(kind)

    setup.__name__ = kind.__name__
    return setup


STOCK = [
    (interest, "credit interest"),
    (own_interest, "credit interest"),
    (own_value, "commission scheme"),
    (automatic_margin, "commission scheme"),
    (own_broker, "another broker"),
    (sub_broker, "another broker"),
    (cheat_on_close, "broker settings"),
    (fund_mode, "broker settings"),
    (no_short_cash, "broker settings"),
    (order_history, "order or fund history"),
    (second_feed, "several feeds or strategies"),
    (second_strategy, "several feeds or strategies"),
    (observer, "observers"),
    (many_observer, "observers"),
    (timer, "timers"),
    (writer, "writers"),
    *((analyzer(getattr(bt.analyzers, name)), f"analyzer {name}") for name in (
        "DrawDown", "TimeReturn", "SharpeRatio", "PyFolio", "Calmar", "TimeDrawDown", "VWR",
        "PeriodStats", "PositionsValue", "LogReturnsRolling", "GrossLeverage", "Transactions",
    )),
]  # fmt: skip


@pytest.mark.parametrize(("setup", "reason"), STOCK, ids=[s.__name__ for s, _ in STOCK])
def test_what_the_short_loop_cannot_do_takes_the_stock_loop_and_says_so(setup, reason):
    agree(Brackets, setup, loop=f"stock: {reason}")


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ({"cheat_on_open": True}, "cheat on open"),
        ({"quicknotify": True}, "quicknotify"),
        ({"stdstats": True}, "observers"),
        ({"writer": True}, "writers"),
    ],
    ids=lambda x: next(iter(x)) if isinstance(x, dict) else x,
)
def test_an_option_that_needs_the_stock_loop_takes_it(option, reason, capsys):
    agree(Brackets, loop=f"stock: {reason}", **option)


@pytest.mark.parametrize(
    "option",
    [
        {"runonce": False},
        {"preload": False},
        {"exactbars": -1},
        {"exactbars": -2},
        {"oldsync": True},
    ],
    ids=str,
)
def test_other_modes_never_reach_the_short_loop(option):
    agree(Brackets, loop="", **option)


@pytest.mark.parametrize("option", [{"lookahead": 2}, {"tradehistory": True}, {"objcache": True}])
def test_harmless_options_keep_the_short_loop(option):
    agree(EveryKind, **option)


def hooked(name):
    def hook(self, *given, **options):
        return getattr(Brackets, name)(self, *given, **options)

    return type("Hooked", (Brackets,), {name: hook})


@pytest.mark.parametrize(
    "name",
    ["notify_cashvalue", "notify_fund", "_notify", "_oncepost", "_getminperstatus", "clear",
     "_next_analyzers", "_next_observers", "forward", "_addnotification"],
)  # fmt: skip
def test_a_hook_that_wants_every_bar_takes_the_stock_loop(name):
    agree(hooked(name), loop=f"stock: Hooked.{name}")


def test_cash_and_fund_notices_come_at_every_bar():
    class Noted(Brackets):
        def notify_cashvalue(self, cash, value):
            self.say("cash", cash, value)

        def notify_fund(self, cash, value, fundvalue, shares):
            self.say("fund", fundvalue, shares)

    log = agree(Noted, loop="stock: Noted.notify_cashvalue")["log"]
    assert sum(entry[2] == "cash" for entry in log) == 24


def test_a_strategys_own_timer_takes_the_stock_loop():
    class Timed(Brackets):
        def start(self):
            super().start()
            self.add_timer(bt.timer.SESSION_START, offset=datetime.timedelta(hours=9, minutes=35))

        def notify_timer(self, timer, when, *args, **kwargs):
            self.say("timer", when)

    agree(Timed, loop="stock: timers")


def test_another_feed_takes_the_stock_loop():
    def pandas_feed(frame):
        frame = frame.tz_localize(None)
        return bt.feeds.PandasData(dataname=frame[["open", "high", "low", "close", "volume"]])

    agree(Brackets, loop="stock: the feed is not a bulk-loaded HedgeData", feed=pandas_feed)


def test_a_filtered_feed_takes_the_stock_loop():
    def filtered(frame):
        data = HedgeData(frame)
        data.addfilter(lambda data: data.close[0] < 0)
        return data

    agree(Brackets, loop="stock: the feed is not a bulk-loaded HedgeData", feed=filtered)


@pytest.mark.parametrize("how", ["resampledata", "replaydata"])
def test_resampled_and_replayed_bars_make_no_difference(how):
    frame = frame_of()[["open", "high", "low", "close", "volume"]]
    frame.attrs = {"symbol": "X", "bar_minutes": 1.0}
    seen = []
    for kind in (bt.Cerebro, HedgeCerebro):
        cerebro = kind(stdstats=False)
        getattr(cerebro, how)(HedgeData(frame), timeframe=bt.TimeFrame.Minutes, compression=3)
        cerebro.addstrategy(Brackets)
        seen.append(repr(cerebro.run()[0].log))
    assert seen[0] == seen[1]
    assert cerebro.loop != "lean"


def test_dates_from_and_to_make_no_difference():
    stamps = frame_of().index

    def part(frame):
        return HedgeData(frame, fromdate=stamps[3].tz_localize(None).to_pydatetime(),
                         todate=stamps[18].tz_localize(None).to_pydatetime())  # fmt: skip

    want = agree(Brackets, feed=part)
    assert want["length"] == (16, 16)


class Tried(bt.Strategy):
    params = dict(bar=3, size=2)

    def next(self):
        if len(self) == self.p.bar:
            self.buy(size=self.p.size)


@pytest.mark.parametrize("cpus", [1, 2])
def test_optstrategy_gives_what_stock_gives(cpus):
    seen = []
    for kind in (bt.Cerebro, HedgeCerebro):
        cerebro = kind(stdstats=False, maxcpus=cpus)
        cerebro.adddata(HedgeData(frame_of()), name="X")
        cerebro.optstrategy(Tried, bar=[3, 5, 8], size=[1, 4])
        cerebro.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
        cerebro.addanalyzer(bt.analyzers.Transactions, _name="fills")
        cerebro.addanalyzer(bt.analyzers.SQN, _name="sqn")
        runs = [run[0] for run in cerebro.run()]
        seen.append([
            (r.p.bar, r.p.size, dict(r.analyzers.trades.get_analysis()),
             dict(r.analyzers.fills.get_analysis())) for r in runs
        ])  # fmt: skip
    assert repr(seen[0]) == repr(seen[1])
    assert len(seen[0]) == 6
    assert len({str(fills) for *_, fills in seen[0]}) == 6


def test_one_cerebro_runs_twice_with_the_same_result():
    cerebro = HedgeCerebro()
    cerebro.adddata(HedgeData(frame_of()), name="X")
    cerebro.addstrategy(Brackets)
    first, second = (repr(cerebro.run()[0].log) for _ in range(2))
    assert cerebro.loop == "lean"
    assert first == second


def test_outside_a_run_the_broker_is_stock():
    broker, stock = HedgeCerebro().broker, bt.Cerebro().broker
    for each in (broker, stock):
        each.setcash(500.0)
    assert broker.getvalue() == stock.getvalue() == 500.0
    assert broker.get_leverage() == stock.get_leverage()
    assert broker.fundvalue == stock.fundvalue


def test_progress_of_the_short_loop_is_told():
    shares = []
    cerebro = HedgeCerebro()
    cerebro.adddata(HedgeData(frame_of(n=50)), name="X")
    cerebro.addstrategy(Told)
    cerebro.addanalyzer(Recorder, progress=shares.append, every=10)
    cerebro.run()
    assert cerebro.loop == "lean"
    assert len(shares) == 5
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] <= 1


def test_kernel_strategies_with_orders_of_their_own_take_the_short_loop():
    class Own(KernelStrategy):
        inputs = Follow.inputs
        signal_kernel = staticmethod(as_it_stands)
        orders = Orders(size={"kind": "fixed", "amount": 1.0}, time_stop_bars=2)

    frame = market(*np.full((4, 9), 10.0), np.ones(9))
    got, loop = ran(HedgeCerebro, Own, frame=frame)
    assert loop == "lean"
    assert got["fills"]["reason"] == ["entry", "time"]
