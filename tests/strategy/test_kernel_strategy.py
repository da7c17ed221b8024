"""One hand-worked case for each sentence of definitions 8, run in Cerebro."""

from __future__ import annotations

import backtrader as bt
import numpy as np
import pandas as pd
import pytest

from hpi_bt import HedgeCerebro, HedgeData, KernelStrategy, Orders, defaults_of
from hpi_bt.backtest.recorder import Recorder
from hpi_bt.config import Broker
from reference.trading import as_it_stands, cerebro, market

NAN = float("nan")
FLAT_BAR = (10.0, 11.0, 9.0, 10.0)  # true range 2 on every bar but the first
STOP = {"period": 1, "multiple": 1.5}  # 3 from the entry
ONE = {"kind": "fixed", "amount": 1.0}


def run(signal, bars=(), /, *, cash=1000.0, costs=None, slippage_bps=0.0, columns=None, **orders):
    """Bars are flat at 10 but for `bars`, {index: (open, high, low, close)}."""
    n = len(signal)
    prices = np.array([dict(bars).get(t, FLAT_BAR) for t in range(n)]).T
    frame = market(*prices, signal, **(columns or {}))
    broker = Broker(cash=cash, slippage_bps=slippage_bps, commission=costs or {})
    return cerebro(frame, Orders(**{"size": ONE} | orders), broker)


def fills(record):
    columns = ["bar", "size", "price", "reason"]
    return list(record.fills[columns].itertuples(index=False, name=None))


def test_a_signal_at_the_close_fills_at_the_next_open():
    got = run([0, 1, 1, 0, 0], {2: (10.25, 11, 9, 10), 4: (9.5, 11, 9, 10)})
    assert fills(got) == [(2, 1, 10.25, "entry"), (4, -1, 9.5, "signal")]


def test_nan_is_no_target_and_exits():
    assert fills(run([1, 1, NAN, 0]))[1] == (3, -1, 10.0, "signal")


def test_an_opposite_target_is_exit_and_entry_at_the_same_open():
    got = run([1, 1, -1, -1], {3: (10.5, 11, 9, 10)})
    assert fills(got)[1:] == [(3, -1, 10.5, "reverse"), (3, -1, 10.5, "entry")]
    assert got.position.tolist() == [0, 1, 1, -1]


def test_an_entry_waits_for_the_atr_that_its_stop_needs():
    stop = {"period": 3, "multiple": 1.0}  # three true ranges are known at the close of bar 3
    assert fills(run([1] * 6, stop=stop))[0][0] == 4
    assert fills(run([1] * 6))[0][0] == 1


def test_entries_keep_to_the_window_of_the_signal_bar():
    window = {"after_open_minutes": 2, "length_minutes": 2}  # minutes 3 and 4
    assert fills(run([1] * 7, window=window))[0][0] == 3
    assert fills(run([0, 0, 0, 1, 1, 1], window=window))[0][0] == 4
    assert fills(run([0, 0, 0, 0, 1, 1, 1], window=window)) == []


def test_the_stop_is_set_from_the_executed_price_and_the_signal_bars_atr():
    # signal bar 1 has a range of 2, the fill bar one of 4: the stop is 10.5 - 1.5 x 2 = 7.5
    bars = {2: (10.5, 12, 8, 10), 3: (10, 11, 7.25, 8)}
    got = run([0, 1, 1, 1, 1], bars, stop=STOP)
    assert fills(got) == [(2, 1, 10.5, "entry"), (3, -1, 7.5, "stop")]


def test_the_stop_is_live_from_the_bar_after_the_fill_and_breaches_on_the_fill_bar_are_counted():
    got = run([0, 1, 1, 1, 1], {2: (10, 11, 5, 10), 4: (10, 11, 6.5, 10)}, stop=STOP)
    assert fills(got) == [(2, 1, 10.0, "entry"), (4, -1, 7.0, "stop")]
    assert got.counts["entry_bar_breaches"] == 1
    assert run([0, 1, 1], {2: (10, 11, 7.5, 10)}, stop=STOP).counts["entry_bar_breaches"] == 0
    short = run([0, -1, 0, 0], {2: (10, 13, 9, 10)}, stop=STOP)
    assert short.counts["entry_bar_breaches"] == 1  # touched counts, an exit due as well


def test_no_stop_is_sent_where_an_exit_is_due():
    got = run([0, 1, 0, 0], {3: (10, 11, 5, 10)}, stop=STOP)
    assert fills(got)[1] == (3, -1, 10.0, "signal")


def test_a_bar_that_touches_both_fills_the_stop_even_where_it_opened_beyond_the_target():
    both = dict(stop=STOP, target={"multiple": 1.0})  # 7 and 12
    for bar in ((10, 13, 6, 10), (12.5, 13, 6, 10)):
        assert fills(run([0, 1, 1, 1, 1], {3: bar}, **both))[1] == (3, -1, 7.0, "stop")
    short = run([0, -1, -1, -1, -1], {3: (7.5, 14, 7, 10)}, **both)
    assert fills(short)[1] == (3, 1, 13.0, "stop")


def test_beyond_at_the_open_fills_at_the_open():
    both = dict(stop=STOP, target={"multiple": 1.0})
    assert fills(run([0, 1, 1, 1, 1], {3: (6, 7, 5, 6)}, **both))[1] == (3, -1, 6.0, "stop")
    up = run([0, 1, 1, 1, 1], {3: (12.5, 13, 12, 12)}, **both)
    assert fills(up)[1] == (3, -1, 12.5, "target")
    assert fills(run([0, 1, 1, 1, 1], {3: (10, 12, 9, 11)}, **both))[1] == (3, -1, 12.0, "target")


def test_market_stop_and_limit_gap_fills_slip_and_a_touched_limit_does_not():
    both = dict(stop=STOP, target={"multiple": 1.0}, slippage_bps=100.0)
    entry = 10.1  # stop 7.1, target 12.1
    assert fills(run([0, 1, 1, 1, 1], {3: (10, 11, 6, 10)}, **both)) == [
        (2, 1, entry, "entry"),
        (3, -1, pytest.approx(7.1 * 0.99, rel=1e-12), "stop"),
    ]
    gap = run([0, 1, 1, 1, 1], {3: (12.5, 13, 12, 12)}, **both)
    assert fills(gap)[1][2] == 12.5 * 0.99
    touched = run([0, 1, 1, 1, 1], {3: (10, 13, 9, 12)}, **both)
    assert fills(touched)[1][2] == pytest.approx(12.1, rel=1e-12)
    assert touched.fills["slippage"].iloc[1] == pytest.approx(0.0, abs=1e-12)
    assert gap.fills["slippage"].iloc[1] == pytest.approx(0.125)


def test_slippage_costs_whatever_the_range_of_the_bar():
    single = dict.fromkeys(range(5), (10.0, 10.0, 10.0, 10.0))
    got = run([1, 1, 0, 0], single, slippage_bps=100.0)
    assert [f[2] for f in fills(got)] == [10.1, 9.9]
    assert got.fills["slippage"].tolist() == [pytest.approx(0.1), pytest.approx(0.1)]
    assert fills(run([1, 1], {1: (10, 10.05, 9, 10)}, slippage_bps=100.0))[0][2] == 10.1
    stopped = run([0, 1, 1, 1], {3: (10, 11, 6.9, 10)}, stop=STOP, slippage_bps=300.0)
    assert fills(stopped)[1][2] == pytest.approx(7.3 * 0.97)  # 6.9 is the low


@pytest.mark.parametrize("side", [1, -1])
def test_a_limit_that_opens_beyond_its_price_slips_but_never_past_it(side):
    # filled at 10.1 (9.9 short) with an ATR of 2: the target is 2 x 2 = 4 away
    both = dict(atr_period=1, target={"multiple": 2.0}, slippage_bps=100.0)
    limit = 10.0 + side * 4.1
    beyond = limit + side * 0.01
    for open_, wanted in ((limit + side * 2.0, (limit + side * 2.0) * (1 - side * 0.01)),
                          (beyond, limit)):  # fmt: skip
        bar = (open_, open_ + 1, open_ - 1, open_)
        got = run([0, side, side, side], {3: bar}, **both)
        assert fills(got)[1][2] == pytest.approx(wanted, rel=1e-12)


def test_below_zero_slippage_and_percent_commission_cost_as_much_as_above():
    bars = dict.fromkeys(range(5), (-10.0, -9.0, -11.0, -10.0))
    future = {"kind": "per_contract", "amount": 0.5, "multiplier": 5.0, "margin": 20.0}
    got = run([1, 1, 0, 0], bars, costs=future, slippage_bps=100.0)
    assert [f[2] for f in fills(got)] == [-9.9, -10.1]
    assert got.fills["slippage"].tolist() == [pytest.approx(0.5), pytest.approx(0.5)]
    assert got.equity[-1] == pytest.approx(1000.0 - 1.0 - 1.0)
    percent = run([1, 1, 0, 0], bars, costs={"kind": "percent", "amount": 2.0})
    assert percent.fills["commission"].tolist() == [pytest.approx(0.2), pytest.approx(0.2)]
    assert percent.equity[-1] == pytest.approx(1000.0 - 0.4)


@pytest.mark.parametrize("bars", [1, 3])
def test_the_time_stop_fills_at_the_open_of_its_bar_counted_from_the_fill(bars):
    got = run([1] * 7, time_stop_bars=bars)
    assert fills(got) == [(1, 1, 10.0, "entry"), (1 + bars, -1, 10.0, "time")]


@pytest.mark.parametrize(
    ("exit_rule", "bars"),
    [
        ({"stop": STOP}, {3: (10, 11, 5, 10)}),
        ({"stop": STOP, "target": {"multiple": 1.0}}, {3: (10, 13, 9, 10)}),
        ({"time_stop_bars": 1}, {}),
    ],
)
def test_after_stop_target_or_time_the_same_side_waits_until_the_target_has_left_it(
    exit_rule, bars
):
    left = fills(run([0, 1, 1, 1, 1, 0, 1, 1], bars, **exit_rule))
    assert [f[0] for f in left if f[3] == "entry"] == [2, 7]
    turned = fills(run([0, 1, 1, 1, 1, -1, -1, -1], bars, **exit_rule))
    assert [f[:2] for f in turned if f[3] == "entry"] == [(2, 1), (6, -1)]


def test_flat_is_sent_at_the_first_close_with_few_minutes_left_and_nothing_enters_from_there_on():
    left = {"minutes_left": [5, 4, 3, 2, 1, 0]}
    got = run([1] * 6, columns=left, flat_at_close=True, flat_minutes=2.0)
    assert fills(got) == [(1, 1, 10.0, "entry"), (4, -1, 10.0, "flat")]
    assert fills(run([0, 0, 0, 1, 1, 1], columns=left, flat_at_close=True, flat_minutes=2)) == []
    assert fills(run([1] * 6, columns=left, flat_at_close=True))[1][0] == 5  # one bar by default


def test_a_trade_that_meets_a_new_session_is_left_at_once_and_counted():
    # the last two bars of day 0 are missing
    hours = {"day": [0, 0, 0, 1, 1, 1], "minutes_left": [4, 3, 2, 4, 3, 2]}
    got = run([1, 1, 1, 1, 0, 0], columns=hours, flat_at_close=True)
    assert fills(got)[1] == (4, -1, 10.0, "late_flat")
    assert got.counts["late_flat"] == 1
    fresh = run([0, 0, 1, 1, 1, 1], columns=hours, flat_at_close=True)  # fills in day 1
    assert len(fills(fresh)) == 1
    assert fresh.counts.get("late_flat", 0) == 0


def test_equity_and_price_of_the_signal_bar_make_the_size():
    # half of 1000 at a close of 12.5 is 40, whatever the next open
    bars = {1: (10, 13, 9, 12.5), 2: (10, 11, 9, 10)}
    got = run([0, 1, 1], bars, size={"kind": "percent", "percent": 50.0})
    assert fills(got) == [(2, 40, 10.0, "entry")]


def test_both_sides_are_capped_and_caps_are_counted():
    many = {"kind": "fixed", "amount": 500.0}
    for side in (1, -1):
        got = run([side, side], size=many)
        assert fills(got) == [(1, side * 98, 10.0, "entry")]
        assert got.counts["capped"] == 1
    future = {"kind": "per_contract", "multiplier": 50.0, "margin": 330.0}
    got = run([1, 1], size=many, costs=future)
    assert fills(got) == [(1, 2, 10.0, "entry")]  # 3 x 330 leave less than 2 % of 1000
    dear = run([1, 1], size=many, costs=future | {"amount": 200.0})
    assert dear.counts["rejected"] == 1  # 2 x 530


def test_leverage_does_not_count_a_futures_profit_twice():
    future = {"kind": "per_contract", "amount": 0.0, "multiplier": 5.0, "margin": 100.0}
    up = {2: (10, 13, 9, 12), 3: (12, 13, 11, 12)}
    for leverage in (1.0, 4.0):
        got = run([1, 1, 1, 1], up, costs=future, max_leverage=leverage)
        assert got.equity.tolist() == [1000, 1000, 1010, 1010]


def test_rejections_by_the_broker_are_counted_and_tried_again():
    # 100 at 10 cost all the cash; the open is 10.5, then 10
    size = {"kind": "fixed", "amount": 100.0}
    got = run([1, 1, 1], {1: (10.5, 11, 10, 10)}, size=size, cash_buffer=0.0)
    assert got.counts["rejected"] == 1
    assert fills(got) == [(2, 100, 10.0, "entry")]


@pytest.mark.parametrize("kind", ["fixed", "percent", "risk"])
def test_the_cash_buffer_lets_an_entry_at_the_limit_survive_a_worse_open(kind):
    size = {"kind": kind, ("amount" if kind == "fixed" else "percent"): 5000.0}
    bars = {2: (10.15, 11, 10, 10)}  # the ATR is known from bar 1 on
    got = run([0, 1, 1, 1], bars, size=size, stop=STOP)
    assert got.counts["rejected"] == 0
    assert fills(got)[0][:2] == (2, 98)
    assert run([0, 1, 1, 1], bars, size=size, stop=STOP, cash_buffer=0.0).counts["rejected"] == 1


def test_a_reversal_that_is_rejected_is_tried_again_from_flat():
    # equity 1000 at the close; 98 long at 10.5 would cost 1029
    size = {"kind": "fixed", "amount": 98.0}
    got = run([-1, -1, 1, 1, 1], {3: (10.5, 11, 10, 10)}, size=size)
    assert got.counts["rejected"] == 1
    assert fills(got)[:2] == [(1, -98, 10.0, "entry"), (3, 98, 10.5, "reverse")]
    assert fills(got)[2][0] == 4


FUTURE = {"kind": "per_contract", "amount": 1.0, "multiplier": 50.0, "margin": 100.0}


def ruined(signal, bars, **orders):
    rules = {"size": {"kind": "fixed", "amount": 5.0}, "costs": FUTURE} | orders
    return run(signal, bars, **rules)


def test_at_the_first_close_with_nothing_left_the_position_is_closed_and_no_order_follows():
    # short 5 x 50 dollars a point from 10: 1000 are gone at 14
    bars = {3: (13, 15, 13, 14.5), 4: (15, 16, 14, 15)}
    got = ruined([0, -1, -1, -1, -1, 0, 1, -1], bars)
    assert fills(got) == [(2, -5, 10.0, "entry"), (4, 5, 15.0, "ruin")]
    assert got.fills["kind"].tolist() == ["entry", "exit"]
    assert got.equity[3:].tolist() == [-130.0] + [-260.0] * 4
    assert got.position[4:].tolist() == [0.0] * 4
    assert (got.trades["exit_reason"].tolist(), got.counts["rejected"]) == (["ruin"], 0)


@pytest.mark.filterwarnings("ignore:HedgeData")  # such bars are warned of
def test_a_ruined_account_is_closed_by_no_stop_and_may_end_above_zero():
    stop = {"period": 1, "multiple": 2.0}  # 14, touched on the bar after the ruin
    bars = {2: (10, 13.9, 9, 14.2), 3: (12, 15, 11, 11)}
    got = ruined([0, -1, -1, -1, -1], bars, stop=stop)
    assert fills(got)[1:] == [(3, 5, 12.0, "ruin")]
    assert got.equity[-1] == 1000.0 - 500.0 - 10.0
    assert got.counts["entry_bar_breaches"] == 0  # 13.9 is below the stop


def test_ruin_on_the_last_bar_is_marked_and_the_order_dropped():
    got = ruined([0, -1, -1, -1], {3: (13, 15, 13, 14.5)})
    assert len(got.fills) == 1
    assert got.trades["status"].tolist() == ["open"]
    assert got.equity[-1] == pytest.approx(-130.0)


class Reckless(bt.Strategy):
    """No KernelStrategy: shorts again and again, with a stop."""

    def next(self):
        if not self.position:
            self.sell(size=5)
            self.buy(size=5, exectype=bt.Order.Stop, price=14.9)


def test_ruin_stops_any_strategy_of_a_config():
    bars = {2: (13, 14.8, 13, 14.5), 3: (15, 16, 14, 15)}
    prices = np.array([bars.get(t, FLAT_BAR) for t in range(7)]).T
    broker = Broker(cash=1000.0, commission=FUTURE)
    got = cerebro(market(*prices, np.zeros(7)), None, broker, Reckless)
    assert got.fills[["bar", "size", "price", "reason"]].to_numpy().tolist() == [
        [1, -5, 10.0, ""],
        [3, 5, 15.0, "ruin"],
    ]
    assert got.counts["rejected"] == 2 * 3  # what it sent later
    assert got.equity[3:].tolist() == [-260.0] * 4


def test_too_small_entries_are_counted_and_a_fractional_step_allows_them():
    size = {"kind": "percent", "percent": 0.5}  # 5 dollars at 10
    assert run([1, 1], size=size).counts["too_small"] == 2
    assert fills(run([1, 1], size=size, size_step=0.0)) == [(1, 0.5, 10.0, "entry")]


def test_exits_pass_the_cash_check_so_that_no_stop_is_lost():
    # short with hardly any cash: stock Backtrader rejects the target and cancels the stop with it
    size = {"kind": "fixed", "amount": 10.0}
    both = dict(stop=STOP, target={"multiple": 1.0})
    got = run([0, -1, -1, -1, -1], {4: (10, 14, 9, 10)}, cash=103.0, size=size, **both)
    assert fills(got) == [(2, -10, 10.0, "entry"), (4, 10, 13.0, "stop")]
    assert got.counts["rejected"] == 0


@pytest.mark.parametrize(("side", "rule"), [(1, "stop"), (-1, "target")])
def test_a_stop_or_target_at_zero_is_not_taken_for_the_close(side, rule):
    # entered at 3 with an ATR of 2: the distance of 3 puts it at exactly 0, which Backtrader
    # takes for "no price given"
    bars = dict.fromkeys(range(5), (3.0, 4.0, 2.0, 3.0))
    rules = {"stop": STOP} if rule == "stop" else {"atr_period": 1, "target": {"multiple": 1.5}}
    assert len(fills(run([0, side, side, side, side], bars, **rules))) == 1


def test_the_last_bar_leaves_the_trade_open_marked_at_the_close_and_drops_what_is_pending():
    got = run([1, 1, 1, 0], {3: (10, 13, 9, 12.5)})
    assert len(got.fills) == 1
    trade = got.trades.iloc[0]
    assert (trade["status"], trade["exit_reason"], trade["net"]) == ("open", "open", 2.5)
    assert trade["exit_price"] == 12.5
    assert got.equity[-1] == 1002.5


class Held(KernelStrategy):
    """Follows `target` with orders of its own class."""

    inputs = ("target",)
    signal_kernel = staticmethod(as_it_stands)
    params = defaults_of(as_it_stands)
    orders = Orders(size={"kind": "fixed", "amount": 3.0})


class TwoLines(bt.feeds.PandasData):
    lines = ("target",)
    params = dict(target=-1)


def plain(strategy, feed, **params):
    """Return the finished strategy and its executed orders in a user's own plain Cerebro."""
    done = []

    class Noted(strategy):
        def notify_order(self, order):
            super().notify_order(order)
            if order.status == order.Completed:
                done.append((len(self) - 1, order.executed.size, order.executed.price))

    cerebro_ = bt.Cerebro(stdstats=False)
    cerebro_.adddata(feed)
    cerebro_.addstrategy(Noted, **params)
    return cerebro_.run()[0], done


def bars_frame(n=6, freq="1D"):
    index = pd.date_range("2024-01-02", periods=n, freq=freq)
    columns = dict(zip(("open", "high", "low", "close"), FLAT_BAR, strict=True))
    frame = pd.DataFrame(columns | {"volume": 1.0, "openinterest": 0.0}, index=index)
    frame["target"] = [1.0] * (n - 2) + [0.0] * 2
    return frame


def test_a_plain_cerebro_with_pandas_data_trades():
    _, done = plain(Held, TwoLines(dataname=bars_frame()))
    assert done == [(1, 3, 10.0), (5, -3, 10.0)]


@pytest.mark.parametrize(
    "given_",
    [{"size": {"kind": "fixed", "amount": 5}}, Orders(size={"kind": "fixed", "amount": 5})],
)
def test_orders_come_as_a_mapping_or_as_orders_and_replace_those_of_the_class(given_):
    _, done = plain(Held, HedgeData(bars_frame()), orders=given_)
    assert done[0] == (1, 5, 10.0)
    assert plain(Held, HedgeData(bars_frame()))[1][0] == (1, 3, 10.0)


@pytest.mark.parametrize("hook", ["notify_order", "start", "stop", "notify_trade"])
@pytest.mark.parametrize("kind", [bt.Cerebro, HedgeCerebro])
@pytest.mark.parametrize("mode", [{}, {"quicknotify": True}], ids=str)
def test_hooks_of_backtrader_may_be_overridden_without_calling_ours(hook, kind, mode):
    own = type("Own", (Held,), {hook: lambda self, *_: None})
    rules = Orders(size=Held.orders.size, stop=STOP, target={"multiple": 1.0}, time_stop_bars=2)

    def trades(strategy):
        cerebro_ = kind(stdstats=False, **mode)
        cerebro_.adddata(HedgeData(bars_frame(40)))
        cerebro_.addstrategy(strategy, orders=rules)
        cerebro_.addanalyzer(Recorder, _name="recorder")
        done = cerebro_.run()[0]
        return done.analyzers.recorder.record.fills, done.counts

    fills, counts = trades(Held)
    assert fills["reason"].isin(["time", "stop", "target"]).any()
    again, recounted = trades(own)
    pd.testing.assert_frame_equal(again, fills)
    assert recounted == counts


def test_next_may_be_overridden_and_reads_the_signal():
    class Own(Held):
        def next(self):
            if self.signal[0] > 0 and not self.position:
                self.buy(size=2)

    assert plain(Own, HedgeData(bars_frame()))[1] == [(1, 2, 10.0)]


def test_every_cerebro_mode_gives_the_same_orders():
    want = plain(Held, HedgeData(bars_frame()), orders=Orders(stop=STOP, time_stop_bars=2))[1]
    assert want
    for mode in ({"runonce": False}, {"preload": False}, {"exactbars": 1}, {"exactbars": -1}):
        done = []

        class Noted(Held):
            def notify_order(self, order):
                super().notify_order(order)
                if order.status == order.Completed:
                    done.append((len(self) - 1, order.executed.size, order.executed.price))  # noqa: B023

        other = bt.Cerebro(stdstats=False, **mode)
        other.adddata(HedgeData(bars_frame()))
        other.addstrategy(Noted, orders=Orders(stop=STOP, time_stop_bars=2))
        other.run()
        assert done == want, mode


def test_a_missing_line_is_named():
    with pytest.raises(TypeError, match="no line 'target' \\(found:"):
        plain(Held, bt.feeds.PandasData(dataname=bars_frame()))


@pytest.mark.parametrize("rule", [{"window": {}}, {"flat_at_close": True}])
def test_window_and_flat_refuse_data_without_hours_and_daily_bars(rule):
    with pytest.raises(TypeError, match="need the line 'session'"):
        plain(Held, HedgeData(bars_frame()), orders=rule)
    daily = bars_frame().assign(session=1.0, minutes_open=390.0, minutes_left=0.0)
    with pytest.raises(ValueError, match="needs intraday bars"):
        plain(Held, HedgeData(daily), orders=rule)


def test_risk_without_a_stop_is_refused():
    with pytest.raises(ValueError, match="needs a stop"):
        plain(Held, HedgeData(bars_frame()), orders={"size": {"kind": "risk", "percent": 1.0}})
