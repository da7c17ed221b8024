"""What is not for the short loop of `HedgeCerebro` goes to stock Backtrader, and says why."""

from __future__ import annotations

import datetime

import backtrader as bt
import numpy as np
import pytest
from lean_runs import (
    Brackets,
    EveryKind,
    Sized,
    Told,
    agree,
    frame_of,
    ran,
)

from hpi_bt import HedgeCerebro, HedgeData, KernelStrategy, Orders
from hpi_bt.backtest.broker import LeanBroker
from hpi_bt.backtest.cerebro import Recorder
from reference.trading import Follow, as_it_stands, market


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
