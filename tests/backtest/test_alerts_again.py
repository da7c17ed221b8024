"""Alerts of bars that come again: replayed, delivered twice, corrected."""

from __future__ import annotations

import backtrader as bt
import numpy as np
import pandas as pd
import pytest
from alert_runs import NAN, Move, PriceMove, Shows, Watching, bars, rows, run

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
    return [(a.time.day - 29, a.direction, a.value) for a in told]


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
