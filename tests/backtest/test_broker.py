"""`HedgeBroker`: what every type of order costs; brokers of one's own Cerebro stay stock."""

from __future__ import annotations

import backtrader as bt
import numpy as np
import pytest

from hpi_bt import HedgeCerebro, HedgeData
from hpi_bt.backtest.broker import HedgeBroker
from hpi_bt.backtest.recorder import Recorder
from reference.trading import market

FLAT = (10.0, 10.0, 10.0, 10.0)
SHARE = 0.01


def bars(n=8, **changed):
    """Bars of one price at 10; `b3=(open, high, low, close)` changes bar 3."""
    rows = np.array([changed.get(f"b{t}", FLAT) for t in range(n)]).T
    return market(*rows, np.zeros(n))


def fills(frame, orders, broker=None, kind=HedgeCerebro, *, slip="perc", coc=False):
    """Return the fills of orders sent at the close of bar 1: (side, options of buy or sell)."""

    class Sends(bt.Strategy):
        def next(self):
            if len(self) == 2:
                for side, how in orders:
                    (self.buy if side > 0 else self.sell)(size=10, **how)

    cerebro = kind(stdstats=False)
    cerebro.adddata(HedgeData(frame, allow_nonpositive=True), name="X")
    if broker is not None:
        cerebro.broker = broker
    cerebro.broker.setcash(1e6)
    cerebro.broker.set_coc(coc)
    if slip == "perc":
        cerebro.broker.set_slippage_perc(SHARE)
    elif slip == "fixed":
        cerebro.broker.set_slippage_fixed(0.25)
    cerebro.addstrategy(Sends)
    cerebro.addanalyzer(Recorder, _name="recorder")
    return cerebro.run()[0].analyzers.recorder.record.fills


def filled(*args, **how):
    found = fills(*args, HedgeBroker(), **how)
    assert len(found) == 1
    return float(found["price"].iloc[0]), float(found["slippage"].iloc[0])


Order = bt.Order
UP = (12.0, 12.0, 12.0, 12.0)
THROUGH = (10.0, 11.0, 9.0, 10.0)
CASES = [  # bar 2, side, order, price before slippage, price
    (FLAT, 1, {}, 10.0, 10.1),
    (FLAT, -1, {}, 10.0, 9.9),
    (UP, 1, {"exectype": Order.Stop, "price": 11.0}, 12.0, 12.12),  # gapped
    (THROUGH, 1, {"exectype": Order.Stop, "price": 11.0}, 11.0, 11.11),  # beyond the high
    (THROUGH, -1, {"exectype": Order.Stop, "price": 9.0}, 9.0, 8.91),
    (THROUGH, -1, {"exectype": Order.StopTrail, "trailamount": 0.5}, 9.5, 9.405),
    (FLAT, 1, {"exectype": Order.Limit, "price": 10.05}, 10.0, 10.05),  # never past the limit
    (FLAT, 1, {"exectype": Order.Limit, "price": 11.0}, 10.0, 10.1),
    (FLAT, -1, {"exectype": Order.Limit, "price": 9.95}, 10.0, 9.95),
    (UP, -1, {"exectype": Order.Limit, "price": 11.0}, 12.0, 11.88),
    (THROUGH, 1, {"exectype": Order.Limit, "price": 9.5}, 9.5, 9.5),  # touched
    (THROUGH, -1, {"exectype": Order.Limit, "price": 10.5}, 10.5, 10.5),
    (THROUGH, 1, {"exectype": Order.StopLimit, "price": 10.5, "plimit": 10.55}, 10.5, 10.55),
    (THROUGH, 1, {"exectype": Order.StopLimit, "price": 10.5, "plimit": 10.9}, 10.5, 10.605),
    (UP, 1, {"exectype": Order.StopLimit, "price": 11.0, "plimit": 12.05}, 12.0, 12.05),
]


@pytest.mark.parametrize(("bar", "side", "order", "before", "price"), CASES)
def test_what_an_order_costs_does_not_hang_on_the_range_of_the_bar(bar, side, order, before, price):
    for kind in (HedgeCerebro, bt.Cerebro):
        found = fills(bars(b2=bar), [(side, order)], HedgeBroker(), kind)
        assert found["price"].tolist() == [pytest.approx(price, rel=1e-12)]
        paid = 10 * side * (price - before)
        assert found["slippage"].tolist() == [pytest.approx(paid, rel=1e-9, abs=1e-9)]
        assert paid >= 0.0


def test_an_order_at_the_close_slips_too():
    frame = bars(b2=(10.0, 13.0, 9.0, 12.0))
    frame.index = frame.index.normalize() + np.arange(len(frame)) * np.timedelta64(1, "D")
    price, slippage = filled(frame, [(1, {"exectype": Order.Close})])
    assert (price, slippage) == (pytest.approx(12.12), pytest.approx(1.2))


def test_below_zero_worse_is_higher_for_a_buyer_and_lower_for_a_seller():
    below = {f"b{t}": (-10.0, -9.0, -11.0, -10.0) for t in range(8)}
    assert filled(bars(**below), [(1, {})]) == (pytest.approx(-9.9), pytest.approx(1.0))
    assert filled(bars(**below), [(-1, {})]) == (pytest.approx(-10.1), pytest.approx(1.0))
    stop = {"exectype": Order.Stop, "price": -11.0}
    assert filled(bars(**below), [(-1, stop)])[0] == pytest.approx(-11.11)
    limit = {"exectype": Order.Limit, "price": -9.95}
    assert filled(bars(**below), [(1, limit)])[0] == -9.95


def test_a_fixed_slippage_costs_whatever_the_range():
    assert filled(bars(), [(1, {})], slip="fixed") == (10.25, 2.5)


def test_without_slippage_nothing_slips():
    assert filled(bars(), [(1, {})], slip="none") == (10.0, 0.0)


@pytest.mark.parametrize("kind", [HedgeCerebro, bt.Cerebro])
def test_a_broker_of_ones_own_cerebro_caps_slippage_at_the_range_as_stock_does(kind):
    order = [(1, {})]
    assert fills(bars(), order, kind=kind)["price"].tolist() == [10.0]
    wide = fills(bars(b2=(10.0, 10.05, 9.0, 10.0)), order, kind=kind)
    assert wide["price"].tolist() == [10.05]
    assert wide["slippage"].tolist() == [pytest.approx(0.5)]


@pytest.mark.parametrize("kind", [HedgeCerebro, bt.Cerebro])
def test_with_cheat_on_close_the_close_is_the_price_and_no_slippage(kind):
    frame = bars(b1=(10.0, 12.0, 9.0, 11.0), b2=(13.0, 14.0, 12.0, 13.0))
    found = fills(frame, [(1, {})], kind=kind, slip="none", coc=True)
    assert (found["price"].tolist(), found["slippage"].tolist()) == ([11.0], [0.0])
    slipped = fills(frame, [(1, {})], HedgeBroker(), kind, coc=True)
    assert slipped["slippage"].tolist() == [pytest.approx(1.1)]


def test_a_trailing_stop_of_a_stock_broker_counts_what_it_slipped():
    order = {"exectype": Order.StopTrail, "trailamount": 0.5}
    found = fills(bars(b2=THROUGH), [(-1, order)], kind=bt.Cerebro)
    assert found["slippage"].tolist() == [pytest.approx(0.95)]
