"""`HedgeCerebro` keeps what stock observers hold, and who reads them sees no change."""

from __future__ import annotations

import io

import backtrader as bt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lean_runs import PLAIN, SETUPS, Brackets, Cash, Sized, Stopping, Told, frame_of

import hpi_bt as hb
from reference.trading import Follow, market


class Reading(Brackets):
    """Writes down the observers as they stand before and after it acts."""

    def look(self, bar=None):
        super().look()
        if len(self):
            stats = self.stats
            self.say("stats", len(stats.broker), stats.broker.value[0], stats.broker.cash[-1],
                     stats.buysell[0].buy[0], stats.buysell[0].sell[-1],
                     stats.trades.pnlplus[0], stats.trades.pnlminus[-1])  # fmt: skip


class FromStart(Told):
    """Holds on to a line of an observer from the beginning."""

    def start(self):
        super().start()
        self.value = self.stats.broker.lines.value

    def act(self):
        self.say("value", self.value[0])
        if self.every(5, 1):
            self.buy(size=3)
        if self.every(5, 4):
            self.close()


class Quiet(Follow):
    """Leaps over bars, as nothing of its own runs between them."""


class Heard(Follow):
    """Reads the observers when an order is filled."""

    def __init__(self):
        super().__init__()
        self.log = []

    def notify_order(self, order):
        super().notify_order(order)
        stats = self.stats.broker
        self.log.append((len(self), len(stats), stats.value[0], stats.cash[0]))


class Listening(bt.Analyzer):
    """Reads the observers when a trade is closed."""

    def start(self):
        self.seen = []

    def notify_trade(self, trade):
        self.seen.append((len(self.strategy), self.strategy.stats.broker.value[0]))

    def get_analysis(self):
        return {"seen": self.seen}


def run(kind, strategy, setup=None, frame=None, **how):
    cerebro = kind(**how)
    cerebro.adddata(hb.HedgeData(frame_of() if frame is None else frame), name="X")
    cerebro.addstrategy(strategy)
    if setup:
        setup(cerebro)
    return cerebro.run()[0], cerebro


def observed(strategy):
    """Every line of every observer: length, place and values, those beyond the last bar too."""
    return [
        (type(one).__name__, name, len(line), line._idx, np.array(line.array).tobytes())
        for one in strategy.getobservers()
        for name, line in zip(one.lines.getlinealiases(), one.lines, strict=True)
    ]


def agree(strategy, setup=None, *, loop="lean", frame=None, **how):
    want, _ = run(bt.Cerebro, strategy, setup, frame, **how)
    got, cerebro = run(hb.HedgeCerebro, strategy, setup, frame, **how)
    assert cerebro.loop == loop
    assert observed(got) == observed(want)
    assert repr(getattr(got, "log", None)) == repr(getattr(want, "log", None))
    analyses = [[a.get_analysis() for a in done.analyzers] for done in (got, want)]
    assert repr(analyses[0]) == repr(analyses[1])
    return got


@pytest.mark.parametrize("strategy", [*PLAIN, Reading, FromStart], ids=lambda c: c.__name__)
def test_observers_are_there_by_default_and_hold_what_stock_ones_hold(strategy):
    done = agree(strategy)
    assert [type(one).__name__ for one in done.getobservers()] == ["Broker", "BuySell", "Trades"]


@pytest.mark.parametrize("setup", SETUPS, ids=lambda f: f.__name__)
def test_costs_margins_fillers_and_sizers_make_no_difference(setup):
    for strategy in (Reading, Sized, Cash):
        agree(strategy, setup)


def targets(n=60):
    target = np.zeros(n)
    target[5:9], target[20:33], target[40:44], target[50:] = 1.0, -1.0, 1.0, -1.0
    prices = 100.0 + np.arange(n) * 7 % 11
    return market(prices, prices + 2, prices - 2, prices + 1, target)


@pytest.mark.parametrize("strategy", [Quiet, Heard])
@pytest.mark.parametrize("cash", [10_000.0, 250.0])
def test_kernel_strategies_agree_whether_they_leap_or_listen(strategy, cash):
    done = agree(strategy, lambda c: c.broker.setcash(cash), frame=targets())
    assert np.isfinite(np.array(done.stats.broker.value.array)[:60]).all()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([-1.0, 0.0, 0.0, 1.0]), min_size=12, max_size=60))
def test_any_target_leaves_the_same_observers(target):
    n = len(target)
    prices = 100.0 + np.arange(n) * 7 % 11
    frame = market(prices, prices + 2, prices - 2, prices + 1, target)
    for strategy in (Quiet, Heard):
        agree(strategy, frame=frame)


def test_an_analyzer_that_reads_them_while_the_strategy_leaps_sees_no_change():
    done = agree(Quiet, lambda c: c.addanalyzer(Listening), frame=targets())
    assert done.analyzers[0].seen


def test_a_run_that_is_stopped_leaves_what_a_stock_one_leaves():
    done = agree(Stopping)
    assert len(done.stats.broker) == 8


def annual(cerebro):
    cerebro.addanalyzer(bt.analyzers.AnnualReturn)


def test_the_annual_return_is_that_of_stock():
    for strategy, frame in ((Brackets, None), (Quiet, targets())):
        done = agree(strategy, annual, frame=frame)
        (returns,) = (a.get_analysis() for a in done.analyzers)
        assert list(returns.values())[-1] != 0.0


def test_without_them_there_are_none():
    for kind in (bt.Cerebro, hb.HedgeCerebro):
        done, cerebro = run(kind, Brackets, stdstats=False)
        assert done.getobservers() == []
    assert cerebro.loop == "lean"


def test_further_observers_take_the_stock_loop():
    agree(Brackets, lambda c: c.addobserver(bt.observers.DrawDown), loop="stock: observers")
    agree(Brackets, lambda c: c.addobserver(bt.observers.Broker), loop="stock: observers")


def test_a_writer_writes_the_same():
    texts = []
    for kind in (bt.Cerebro, hb.HedgeCerebro):
        out = io.StringIO()
        run(kind, Brackets, lambda c, o=out: c.addwriter(bt.WriterFile, csv=True, out=o))
        texts.append(out.getvalue())
    assert texts[0].replace("bt.Cerebro", "") == texts[1].replace("bt.Cerebro", "")
    assert "Broker" in texts[1]


@pytest.mark.filterwarnings("ignore")
def test_it_plots_what_stock_plots():
    import matplotlib as mpl

    mpl.use("Agg", force=True)
    import backtrader.plot
    from matplotlib import pyplot as plt

    mpl.use("Agg", force=True)
    assert backtrader.plot
    drawn = []
    for kind in (bt.Cerebro, hb.HedgeCerebro):
        _, cerebro = run(kind, Brackets)
        try:
            ((figure,),) = cerebro.plot(style="line", volume=False)
            drawn.append([
                [np.asarray(line.get_ydata(), float).tolist() for line in axes.get_lines()]
                for axes in figure.axes
            ])  # fmt: skip
        finally:
            plt.close("all")
    assert repr(drawn[0]) == repr(drawn[1])
    assert len(drawn[0]) >= 3


def test_exactbars_with_several_datas_is_refused():
    cerebro = hb.HedgeCerebro()
    for seed in (1, 2):
        cerebro.adddata(hb.HedgeData(frame_of(seed)))
    cerebro.addstrategy(bt.Strategy)
    message = (
        "HedgeCerebro: exactbars=1 with 2 datas.*run with exactbars=-1 or -2, or with one data"
    )
    with pytest.raises(hb.InputError, match=message):
        cerebro.run(exactbars=1)
    for kept in (-1, -2):
        assert len(cerebro.run(exactbars=kept)[0].data) == 24


class Counting(bt.Strategy):
    def __init__(self):
        self.log = []

    def next(self):
        self.log.append((len(self), self.data.close[0], len(self.stats.broker)))


def test_exactbars_with_one_data_is_stock():
    done, cerebro = run(hb.HedgeCerebro, Counting, exactbars=1)
    want, _ = run(bt.Cerebro, Counting, exactbars=1)
    assert repr(done.log) == repr(want.log)
    assert cerebro.loop == ""
