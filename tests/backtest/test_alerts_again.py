"""Alerts of bars that come again: replayed, delivered twice, corrected."""

from __future__ import annotations

import backtrader as bt
import numpy as np
import pandas as pd
import pytest
from alert_runs import NAN, Move, PriceMove, Shows, Watching, bars, makes, rows, run, shows
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

import hpi_bt as hb
from hpi_bt.backtest.alerting import (
    alert_bars,
)
from hpi_bt.backtest.cerebro import Recorder


@pytest.mark.parametrize("exactbars", [0, 1])
@pytest.mark.parametrize("strategy", [Watching, Shows])
def test_a_replayed_bar_is_judged_when_it_is_final_and_the_last_one_at_the_end(strategy, exactbars):
    frame = bars(120)[["open", "high", "low", "close", "volume"]]
    if strategy is Shows:
        strategy = type("ShowsMove", (bt.Strategy,), {"shows": (PriceMove,)})
    called, lengths = [], []

    class Noted(strategy):
        def next(self):
            lengths.append(len(self.data))

    def replayed(mode=None):
        cerebro = bt.Cerebro(stdstats=False, **(mode or {}))
        data = cerebro.replaydata(
            hb.HedgeData(frame), timeframe=bt.TimeFrame.Minutes, compression=5, name="X"
        )
        assert data.replaying
        cerebro.addstrategy(Noted)
        cerebro.addanalyzer(Recorder, _name="recorder")
        cerebro.addanalyzer(hb.Alerts, call=lambda a: called.append((a, len(data))), _name="alerts")
        return cerebro.run()[0].analyzers

    analyzers = replayed({"exactbars": exactbars})
    assert len(lengths) > 4 * max(lengths)  # bars did come again
    told = analyzers.alerts.get_analysis()
    assert [alert for alert, _ in called] == told
    assert rows(told) == rows(analyzers.recorder.record.alerts)
    closes = frame["close"].to_numpy()[4::5]
    state = np.trunc(2.0 * np.diff(closes, prepend=NAN))
    kept = "PriceMove" if "ShowsMove" in Noted.__mro__[1].__name__ else "Move"
    single = [a for a in told if a.indicator == kept]
    assert [a.direction for a in single] == np.sign(state[alert_bars(state)]).tolist()
    bar_of = {frame.index[5 * i + 4]: i + 1 for i in range(len(closes))}
    for alert, length in called:
        bar = bar_of[pd.Timestamp(alert.time)]
        assert length == min(bar + 1, len(closes))


class Corrected:
    """Takes a bar with the stamp of the one before for its correction, as a live feed sends it."""

    def __init__(self, data):
        pass

    def __call__(self, data):
        if len(data) > 1 and data.datetime[0] == data.datetime[-1]:
            values = [line[0] for line in data.lines]
            data.backwards(force=True)
            data._updatebar(values, forward=False, ago=0)
        return False


class Resent(bt.feed.DataBase):
    """Closes, some of them sent again with the stamp that they had."""

    params = dict(closes=(), stamps=())

    def start(self):
        super().start()
        self._at = 0

    def _load(self):
        if self._at >= len(self.p.closes):
            return False
        close = self.p.closes[self._at]
        for name in ("open", "high", "low", "close"):
            getattr(self.lines, name)[0] = close
        self.lines.datetime[0] = 738_000.0 + self.p.stamps[self._at]
        self._at += 1
        return True


class OneMove(bt.Strategy):
    def __init__(self):
        Move(self.data)


def resent(closes, stamps, strategy=OneMove, correct=True):
    feed = Resent(closes=closes, stamps=stamps)
    if correct:
        feed.addfilter(Corrected)
    told, _, _ = run(strategy, feed, mode={"preload": False, "runonce": False})
    return [(a.time.toordinal() - 738_000, a.direction, a.value) for a in told]


@pytest.mark.parametrize("strategy", [OneMove, type("M", (bt.Strategy,), {"shows": (PriceMove,)})])
def test_a_bar_that_is_delivered_again_is_told_once(strategy):
    # day 1 rises and is sent three times; day 2 falls, and a correction makes it fall further
    closes, stamps = (10, 12, 12, 12, 9, 8, 8), (0, 1, 1, 1, 2, 2, 3)
    assert resent(closes, stamps, strategy) == [(1, 1, 2), (2, -1, -3)]


@pytest.mark.parametrize("strategy", [OneMove, type("M", (bt.Strategy,), {"shows": (PriceMove,)})])
def test_a_correction_can_bring_an_alert_and_is_what_the_next_bar_is_compared_with(strategy):
    # day 1 does not move at first; the correction rises by 2, day 2 by 2 more: one state
    assert resent((10, 10, 12, 14), (0, 1, 1, 2), strategy) == [(1, 1, 2)]
    # day 1's rise is taken back: day 2, which rises as well, begins anew
    assert resent((10, 12, 10, 12), (0, 1, 1, 2), strategy) == [(1, 1, 2), (2, 1, 2)]


def test_a_bar_that_is_appended_again_with_its_stamp_is_told_once():
    # the second of day 1 is a bar of its own to Backtrader, and turns down; it has been told of
    assert resent((10, 12, 9), (0, 1, 1), correct=False) == [(1, 1, 2)]


class Above(hb.KernelIndicator):
    """A state of its bar alone: which side of 100 the close is on."""

    inputs = ("close",)
    lines = ("side",)
    chart = {"side": {"kind": "event"}}

    @staticmethod
    def kernel(close, *, state=None):
        return np.sign(close - 100.0)


SIDES = (99, 101, 101, 99, 101, 99, 99, 101)
MAKES = makes(Above)


@pytest.mark.parametrize("strategy", [MAKES, shows(Above)])
def test_bars_that_a_feed_sends_again_as_it_reconnects_are_told_once(strategy):
    stamps = (*range(6), *range(3, 8))
    told = resent([SIDES[i] for i in stamps], stamps, strategy, correct=False)
    want = [(0, -1), (1, 1), (3, -1), (4, 1), (5, -1), (7, 1)]
    assert [(bar, direction) for bar, direction, _ in told] == want


def test_older_bars_leave_what_the_next_bar_is_compared_with():
    # day 1, below 100, comes again after day 2: day 3 is compared with day 2, which was above
    told = [(0, 1, 1), (1, -1, -1), (2, 1, 1)]
    assert resent((101, 99, 101, 99, 102), (0, 1, 2, 1, 3), MAKES, correct=False) == told
    again = [*told, (3, -1, -1)]
    assert resent((101, 99, 101, 99, 98), (0, 1, 2, 1, 3), MAKES, correct=False) == again


moves = st.lists(st.sampled_from([98.0, 99.0, 101.0, 103.0]), min_size=2, max_size=12)
again = st.lists(st.tuples(st.integers(0, 11), st.integers(1, 6)), max_size=3)


@pytest.mark.parametrize("strategy", [MAKES, shows(Above), shows(PriceMove)])
@settings(max_examples=12, deadline=None)
@drawn(moves, again)
def test_a_feed_that_sends_its_last_bars_again_tells_what_a_calm_one_does(strategy, closes, breaks):
    stamps = []
    for i in range(len(closes)):
        stamps.append(i)
        for at, length in breaks:
            if at == i:
                stamps += range(max(i + 1 - length, 0), i + 1)
    sent = [closes[i] for i in stamps]
    calm = resent(closes, range(len(closes)), strategy, correct=False)
    assert resent(sent, stamps, strategy, correct=False) == calm


def test_bars_that_were_all_loaded_before_the_run_are_not_taken_for_repeats():
    # a clock that is set back by three bars: what is loaded at once is a history, no reconnection
    stamps = (0, 1, 2, 3, 1, 2, 3, 4)
    feed = Resent(closes=(99, 101, 99, 99, 101, 99, 99, 99), stamps=stamps)
    told, _, _ = run(MAKES, feed)
    assert [a.direction for a in told] == [-1, 1, -1, 1, -1]


def test_the_folder_of_a_run_leaves_bars_out_that_came_again(tmp_path):
    stamps = (*range(6), *range(3, 8))
    feed = Resent(closes=[SIDES[i] for i in stamps], stamps=stamps)

    class Trades(MAKES):
        def next(self):
            if len(self) == 6:
                # filled on the first bar that comes again: day 3, so at 99
                self.buy(size=1, exectype=bt.Order.Limit, price=150.0)
            if len(self) == 10:
                self.close()  # filled on day 7, at 101

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(feed, name="X")
    cerebro.addstrategy(Trades)
    cerebro.addanalyzer(hb.Alerts, _name="alerts")
    cerebro.addanalyzer(hb.Report, folder=str(tmp_path), _name="report")
    (finished,) = cerebro.run(preload=False, runonce=False)
    result = finished.analyzers.report.result
    days = [stamp.toordinal() - 738_000 for stamp in result.signals.index]
    assert days == list(range(8))
    assert result.signals["Above.side"].tolist() == [-1, 1, 1, -1, 1, -1, -1, 1]
    (trade,) = result.trades.to_dict("records")
    assert [trade[k] for k in ("entry_bar", "exit_bar", "entry_price", "net")] == [5, 7, 99, 2]
    assert len(result.equity) == 8
    assert result.equity["equity"].iloc[-1] == 10_002.0
    assert [stamp.day - 29 for stamp in pd.to_datetime(result.trades["entry_time"])] == [5 - 31]
    told = finished.analyzers.alerts.get_analysis()
    assert rows(finished.analyzers.report.record.alerts) == rows(told) != []
    assert "warning: 3 bars came again, left out of chart and tables" in result.summary["remarks"]
