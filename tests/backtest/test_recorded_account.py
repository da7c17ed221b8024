"""What a recorder makes of dust, of several datas, of zones and of cash that is paid in."""

from __future__ import annotations

import backtrader as bt
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from hpi_bt import HedgeCerebro, HedgeData
from hpi_bt.backtest.recorder import Recorder
from hpi_bt.stats.metrics import session_returns
from hpi_bt.stats.summary import summarise


def days(n=20, base=100.0, step=1.0, tz="America/New_York", **attrs):
    price = base + step * np.arange(n, dtype=float)
    index = pd.bdate_range("2024-01-02", periods=n, tz=tz) + pd.Timedelta(hours=16)
    frame = pd.DataFrame(
        dict(open=price, high=price + 1, low=price - 1, close=price + 0.5, volume=1.0), index=index
    )
    frame.attrs = attrs
    return frame


def planned(plan, *frames, cash=10_000.0, kind=HedgeCerebro, strategy=bt.Strategy):
    """Return the record of a run; `plan` is {close: [(data, size), ...]}, counted from 0."""

    class Plan(strategy):
        def next(self):
            for number, size in plan.get(len(self) - 1, ()):
                send = self.buy if size > 0 else self.sell
                send(data=self.datas[number], size=abs(size))

    cerebro = kind(stdstats=False)
    for frame, name in zip(frames, "ABC", strict=False):
        cerebro.adddata(HedgeData(frame), name=name)
    cerebro.broker.setcash(cash)
    cerebro.addstrategy(Plan)
    cerebro.addanalyzer(Recorder, _name="recorder")
    return cerebro.run()[0].analyzers.recorder.record


def figures(record):
    return summarise(
        record.frame, record.equity, record.position, record.trades, record.fills, record.cash,
        None, held=record.held_shares, flows=record.flows,
    )  # fmt: skip


TENTHS = {2: [(0, 0.3)], 5: [(0, -0.1)], 8: [(0, -0.1)], 11: [(0, -0.1)]}


@pytest.mark.parametrize("scale", [1.0, 1e-7, 1e7])
@pytest.mark.parametrize("side", [1, -1])
def test_what_floats_leave_after_partial_exits_is_no_position(scale, side):
    # 0.3 - 0.1 - 0.1 - 0.1 is 2.8e-17 below 0: bars 3 to 11 are in the market
    plan = {t: [(0, side * scale * size) for _, size in o] for t, o in TENTHS.items()}
    record = planned(plan, days(), cash=1e10)
    assert np.flatnonzero(record.position).tolist() == list(range(3, 12))
    assert record.trades[["status", "entry_bar", "exit_bar"]].to_numpy().tolist() == [
        ["closed", 3, 12]
    ]
    assert figures(record)["exposure"] == 9 / 20


def test_a_trade_after_dust_is_a_trade_of_its_own():
    record = planned(TENTHS | {14: [(0, 0.2)], 16: [(0, -0.2)]}, days())
    assert record.trades[["entry_bar", "exit_bar"]].to_numpy().tolist() == [[3, 12], [15, 17]]
    assert record.trades["size"].tolist() == [0.3, pytest.approx(0.2)]
    assert_allclose(record.trades["net"].sum(), record.equity[-1] - 10_000.0, rtol=1e-9)


def test_closing_the_dust_itself_is_no_trade_and_moves_no_exit():
    left = 0.3 - 0.1 - 0.1 - 0.1
    record = planned(TENTHS | {15: [(0, -left)]}, days())
    assert len(record.fills) == 5
    assert record.trades["status"].tolist() == ["closed"]
    assert record.trades["exit_bar"].tolist() == [12]


def test_a_small_rest_that_is_no_rounding_stays_a_position():
    record = planned({2: [(0, 1.0)], 5: [(0, -0.999)]}, days())
    assert record.trades["status"].tolist() == ["open"]
    assert np.count_nonzero(record.position) == 17


def test_time_in_market_and_exposure_are_of_all_datas():
    # 10 of B from bar 6 to 11 while A is flat, then both
    second = days(base=50.0)
    plan = {5: [(1, 10.0)], 11: [(1, -10.0)], 14: [(0, 10.0), (1, -10.0)]}
    record = planned(plan, days(), second)
    found = figures(record)
    assert found["exposure"] == 11 / 20
    a, b = days()["close"].to_numpy(), second["close"].to_numpy()
    held_b = np.r_[np.zeros(6), np.full(6, 10.0), np.zeros(3), np.full(5, -10.0)] * b
    held_a = np.r_[np.zeros(15), np.full(5, 10.0)] * a
    gross, net = np.abs(held_a) + np.abs(held_b), held_a + held_b
    assert_allclose(record.held_shares[0], gross / record.equity, rtol=1e-12)
    assert_allclose(found["average_exposure"], (gross / record.equity).mean(), rtol=1e-12)
    assert_allclose(found["net_exposure"], (net / record.equity).mean(), rtol=1e-12)
    account = record.account
    assert_allclose(account["exposure"], held_a / record.equity, rtol=1e-12)  # its timing is asked
    assert_allclose(account["gross_exposure"], gross / record.equity, rtol=1e-12)


def test_one_data_has_the_exposure_of_its_position():
    record = planned({5: [(0, -10.0)], 11: [(0, 10.0)]}, days())
    assert record.holdings is None
    assert_allclose(
        record.account["exposure"], record.position * record.frame["close"] / record.equity
    )
    assert_allclose(record.account["gross_exposure"], record.account["exposure"].abs())


@pytest.mark.parametrize("n", [20, 12])
def test_an_open_trade_of_another_data_is_marked_at_its_own_last_close(n):
    second = days(n, base=50.0, step=0.5)
    record = planned({3: [(1, 10.0)]}, days(), second)
    (trade,) = record.trades.to_dict("records")
    last = 50.0 + 0.5 * (n - 1) + 0.5
    assert (trade["status"], trade["exit_price"], trade["exit_bar"]) == ("open", last, n - 1)
    assert trade["pnl"] == pytest.approx(10.0 * (last - 52.0))
    assert trade["bars"] == n - 1 - 4
    assert record.equity[-1] == pytest.approx(10_000.0 + trade["pnl"])


def test_times_of_every_data_carry_the_zone_of_the_first():
    tokyo = days(base=50.0, tz="Asia/Tokyo")
    for frames, number in (((days(), days()), 1), ((days(), tokyo), 1), ((days(), tokyo), 0)):
        record = planned({3: [(number, 10.0)], 8: [(number, -10.0)]}, *frames)
        (trade,) = record.trades.to_dict("records")
        own = frames[number].index.tz_convert("America/New_York")
        assert trade["entry_time"] == own[trade["entry_bar"]]
        assert trade["exit_time"] == own[trade["exit_bar"]]
        assert str(trade["entry_time"].tz) == "America/New_York"


def test_naive_datas_stay_naive():
    record = planned({3: [(1, 10.0)], 8: [(1, -10.0)]}, days(tz=None), days(tz=None))
    assert record.trades["entry_time"].iloc[0] == days(tz=None).index[4]


def paying(payments, plan=None, kind=HedgeCerebro):
    class Plan(bt.Strategy):
        def next(self):
            how, amount = payments.get(len(self) - 1, (None, 0.0))
            if how:
                getattr(self.broker, how)(amount)
            for _, size in (plan or {}).get(len(self) - 1, ()):
                (self.buy if size > 0 else self.sell)(size=abs(size))

    cerebro = kind(stdstats=False)
    cerebro.adddata(HedgeData(days()), name="A")
    cerebro.broker.setcash(10_000.0)
    cerebro.addstrategy(Plan)
    cerebro.addanalyzer(Recorder, _name="recorder")
    done = cerebro.run()[0]
    assert "add_cash" not in vars(done.broker)
    return done.analyzers.recorder.record


@pytest.mark.parametrize("kind", [HedgeCerebro, bt.Cerebro])
def test_cash_paid_in_or_taken_out_is_no_return(kind):
    record = paying({5: ("add_cash", 5000.0), 12: ("add_cash", -2000.0)}, kind=kind)
    found = figures(record)
    assert (found["total_return"], found["max_drawdown"]) == (0.0, 0.0)
    assert (found["end_value"], found["paid_in"]) == (13_000.0, 3000.0)
    (note,) = [r for r in record.remarks if "paid in" in r]
    assert note == (
        "5,000.00 was paid in and 2,000.00 was taken out during the run; returns leave it out, "
        "the end value has it"
    )
    assert note.code == "cash-paid-in"
    assert record.flows.nonzero()[0].tolist() == [6, 13]


@pytest.mark.parametrize("kind", [HedgeCerebro, bt.Cerebro])
@pytest.mark.parametrize("how", [("add_cash", 90_000.0), ("set_cash", 50_000.0)])
def test_what_is_earned_is_what_the_positions_earned(kind, how):
    # 50 shares from 103 on: bars 3 to 5 earn on 10,000, later ones on what is then there
    record = paying({5: how}, {2: [(0, 50.0)]}, kind)
    returns = session_returns(
        pd.Series(record.earned, record.frame.index), np.arange(20), record.cash
    )
    worth = np.r_[np.full(3, 10_000.0), 10_000.0 + 50.0 * (np.arange(17) + 0.5)]
    cash = 90_000.0 if how[0] == "add_cash" else 50_000.0 - (10_000.0 - 50 * 103.0)
    worth[6:] += cash
    assert_allclose(record.equity, worth)
    steps = np.diff(np.r_[10_000.0, worth]) - np.where(np.arange(20) == 6, cash, 0.0)
    before = np.r_[10_000.0, worth[:-1]]
    assert_allclose(returns, steps / before, atol=1e-12)


class Pays(bt.Analyzer):
    """Sets the cash after the recorder has noted the bar."""

    params = dict(bar=5, cash=50_000.0)

    def next(self):
        if len(self.strategy) - 1 == self.p.bar:
            self.strategy.broker.set_cash(self.p.cash)


def later_days():
    """Days of another market: half its closes come after those of `days`, on dates of its own."""
    frame = days(base=50.0, step=-1.0)
    frame.index = frame.index + pd.Timedelta(hours=1)
    return frame


@pytest.mark.parametrize("kind", [HedgeCerebro, bt.Cerebro])
@pytest.mark.parametrize("frames", [(days(),), (days(), days(base=50.0, step=-1.0)),
                                    (days(), later_days())], ids=len)  # fmt: skip
@pytest.mark.parametrize("size", [50.0, -50.0])
@pytest.mark.parametrize("bar", [0, 2, 3, 5, 19])
@pytest.mark.parametrize("times", [1, 2])
def test_cash_that_is_set_neither_makes_nor_takes_gains(kind, frames, size, bar, times):
    # the same trades without it gain the same dollars on every bar
    class Sets(bt.Strategy):
        params = dict(payments=0)

        def next(self):
            if len(self.data) == 3 and not self.broker.orders:
                self.buy(size=size) if size > 0 else self.sell(size=-size)
            if len(self.data) - 1 == bar and self.p.payments:
                self.p.payments -= 1
                self.broker.set_cash(30_000.0)
                self.broker.set_cash(40_000.0)

    def gains(payments):
        cerebro = kind(stdstats=False)
        for frame, name in zip(frames, "ABC", strict=False):
            cerebro.adddata(HedgeData(frame), name=name)
        cerebro.addstrategy(Sets, payments=payments)
        cerebro.addanalyzer(Recorder, _name="recorder")
        record = cerebro.run()[0].analyzers.recorder.record
        flows = np.zeros(20) if record.flows is None else record.flows
        return np.diff(record.equity, prepend=record.cash) - flows, flows

    want, _ = gains(0)
    got, flows = gains(times)
    assert_allclose(got, want, atol=1e-8)
    assert flows.any() or bar == 19  # on the last bar it comes too late


@pytest.mark.parametrize("kind", [HedgeCerebro, bt.Cerebro])
def test_cash_set_by_an_analyzer_counts_from_the_next_bar(kind):
    cerebro = kind(stdstats=False)
    cerebro.adddata(HedgeData(days()), name="A")
    cerebro.addstrategy(bt.Strategy)
    cerebro.addanalyzer(Recorder, _name="recorder")
    cerebro.addanalyzer(Pays)
    record = cerebro.run()[0].analyzers.recorder.record
    assert figures(record)["total_return"] == 0.0
    assert record.flows.nonzero()[0].tolist() == [6]


def test_a_run_without_payments_has_no_flows_and_says_nothing():
    record = paying({}, {2: [(0, 50.0)]})
    assert record.flows is None
    assert record.earned is record.equity
    assert "paid_in" not in record.account
    assert not [r for r in record.remarks if "paid" in r]


@pytest.mark.parametrize("when", ["__init__", "start"])
@pytest.mark.parametrize("how", [("add_cash", 15_000.0), ("set_cash", 25_000.0)])
def test_cash_that_comes_before_the_first_bar_is_of_the_starting_value(when, how):
    def pay(self):
        getattr(self.broker, how[0])(how[1])

    record = planned({}, days(), strategy=type("Starts", (bt.Strategy,), {when: pay}))
    assert record.cash == 25_000.0
    assert figures(record)["total_return"] == 0.0


def test_a_broker_that_trades_on_after_ruin_is_reported():
    # short 400 from 103: 10,000 are gone at 128; nothing closes it
    record = planned({2: [(0, -400.0)]}, days(40))
    (note,) = [r for r in record.remarks if "ruined" in r]
    assert note.startswith("warning: account ruined on 2024-02-09: its value fell to −200.00; ")
    assert "its broker let it trade on" in note
    assert figures(record)["total_return"] == -1.0
