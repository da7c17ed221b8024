"""`HedgeCerebro` against `bt.Cerebro`: the same log of everything that a strategy can notice."""

from __future__ import annotations

import backtrader as bt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lean_runs import (
    PLAIN,
    SETUPS,
    Brackets,
    EveryKind,
    QuietCash,
    Sized,
    Targets,
    Told,
    agree,
    frame_of,
    future,
    of_a_config,
    poor,
    ran,
    ruinous,
    stock_costs,
)

from hpi_bt import HedgeCerebro
from reference.trading import Follow, market
from strategy.scripted import Scripted, scripts


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


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    scripts,
    st.sampled_from([None, stock_costs, future, poor, of_a_config, ruinous]),
)
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


@pytest.mark.filterwarnings("ignore:HedgeData")  # such bars are warned of
def test_bars_that_lie_about_their_extremes_make_no_difference():
    frame = frame_of()
    frame["high"], frame["low"] = frame["low"].copy(), frame["high"].copy()
    for strategy in (Brackets, EveryKind):
        agree(strategy, frame=frame)


@pytest.mark.filterwarnings("ignore:HedgeData")  # such bars are warned of
def test_bars_without_numbers_make_no_difference():
    frame = frame_of()
    frame.iloc[[4, 9], :4] = np.nan
    for strategy in (Brackets, EveryKind):
        agree(strategy, frame=frame)


def test_the_short_loop_meets_ruin_on_the_bar_on_which_it_comes():
    ruins = 0
    for seed in range(25):
        for strategy in (Brackets, EveryKind, Sized):
            shown = agree(strategy, ruinous, frame=frame_of(seed))
            ruins += "ruin" in shown["fills"]["reason"]
    assert ruins > 10


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
