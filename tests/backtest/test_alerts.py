"""Alerts in Cerebro: every mode, both engines, several datas."""

from __future__ import annotations

import backtrader as bt
import numpy as np
import pandas as pd
import pytest
from alert_runs import (
    DAILY_TOO,
    MODES,
    Pressing,
    PriceMove,
    Shows,
    Watching,
    bars,
    makes,
    moved,
    noted,
    rows,
    run,
    shows,
)
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

import hpi_bt as hb
from hpi_bt.backtest.alerting import (
    Alert,
    alert_bars,
)
from hpi_bt.backtest.cerebro import Recorder, run_cerebro
from hpi_bt.backtest.fast import run_fast


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("strategy", [Watching, Pressing, Shows])
def test_every_mode_tells_and_records_the_same(strategy, mode):
    want = run(strategy, bars())[1]
    assert len(want) > 8
    called = []
    told, recorded, _ = run(strategy, bars(), mode=mode, call=called.append)
    assert called == told
    assert rows(told) == rows(want)
    pd.testing.assert_frame_equal(recorded, want, check_exact=True)


def test_an_alert_is_told_at_the_close_of_its_bar_on_the_clock_of_its_feed():
    frame, seen = bars(), []

    class Noted(Watching):
        def prenext(self):
            self.stamp = self.data.datetime.datetime(0)

        next = prenext

    def call(alert):
        seen.append((alert, noted()))

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(hb.HedgeData(frame), name="X")
    cerebro.addstrategy(Noted)
    cerebro.addanalyzer(hb.Alerts, call=call)

    def noted():
        return cerebro.runningstrats[0].stamp

    cerebro.run()
    assert seen
    for alert, stamp in seen:
        assert isinstance(alert, Alert)
        assert alert.time.tzinfo is not None
        assert alert.time.replace(tzinfo=None) == stamp
        change = frame["close"].diff()[alert.time]
        if alert.indicator == "Move":
            assert (alert.value, alert.direction) == (change, np.sign(change))
            assert alert.alert == ("rise" if change > 0 else "fall")


def test_both_engines_record_the_same_alerts():
    frame = bars()
    cerebro, fast = (go(Shows, {}, frame, **DAILY_TOO) for go in (run_cerebro, run_fast))
    assert set(fast.alerts["indicator"]) == {"HedgePressureIndex", "HerrickRSI"}
    pd.testing.assert_frame_equal(cerebro.alerts, fast.alerts, check_exact=True)
    assert rows(run(Shows, frame)[0]) == rows(fast.alerts)


def test_alerts_are_the_changes_of_the_recorded_lines():
    record = run_fast(Shows, {}, bars(), **DAILY_TOO)
    line = record.signals["HedgePressureIndex.extreme"]
    found = record.alerts[record.alerts["alert"].str.startswith("mechanical")]
    slow = [
        stamp
        for stamp, now, before in zip(line.index, line, [0.0, *line], strict=False)
        if now in (1, -1) and now != before
    ]
    assert found["time"].tolist() == slow
    index = record.signals["HedgePressureIndex.hpi"]
    assert found["value"].tolist() == index[slow].tolist()


def test_what_is_shown_is_run_at_once_only_where_every_bar_is_loaded(monkeypatch):
    calls = []

    def counted(kernel):
        def run(*series, **options):
            calls.append(len(series[0]))
            return kernel(*series, **options)

        return staticmethod(run)

    class Counted(PriceMove):
        kernel = staticmethod(moved)

    uses = type("Uses", (bt.Strategy,), {"shows": (Counted,)})
    frame = bars(30)
    monkeypatch.setattr(Counted, "kernel", counted(moved))
    whole = rows(run(uses, frame)[0])
    assert calls == [30, 30]  # the analyzer, and the record at the end
    calls.clear()
    assert rows(run(uses, frame, mode={"preload": False})[0]) == whole
    assert calls == [1] * 60 + [30]  # both judge bar by bar where bars come one by one


@settings(max_examples=15, deadline=None)
@drawn(st.integers(10, 59), st.integers(0, 99))
def test_cutting_the_data_changes_no_earlier_alert(n, seed):
    frame = bars(seed=seed)
    short = frame.iloc[:n]
    short.attrs = frame.attrs
    whole = run_fast(Shows, {}, frame, **DAILY_TOO).alerts
    cut = run_fast(Shows, {}, short, **DAILY_TOO).alerts
    assert rows(cut) == [row for row in rows(whole) if row[0] <= short.index[-1].timestamp()]


def test_the_short_loop_records_alerts_and_gives_way_to_the_analyzer():
    frame = bars()
    told, recorded, cerebro = run(Shows, frame, kind=hb.HedgeCerebro)
    assert cerebro.loop == "stock: analyzer Alerts"
    lean = hb.HedgeCerebro()
    lean.adddata(hb.HedgeData(frame), name="X")
    lean.addstrategy(Shows)
    lean.addanalyzer(Recorder, _name="recorder")
    record = lean.run()[0].analyzers.recorder.record
    assert lean.loop == "lean"
    pd.testing.assert_frame_equal(record.alerts, recorded, check_exact=True)
    assert rows(told) == rows(recorded)


def test_alerts_of_two_datas_have_their_names_and_come_in_order_of_time():
    one, two = bars(40), bars(80, seed=5).iloc[15:70]
    told, recorded, _ = run(Watching, one, two)
    names = {(a.data, a.indicator) for a in told}
    assert names == {("X", "Move"), ("Y", "Move_2"), ("X", "Drift")}
    for name, frame, label in (("X", one, "Move"), ("Y", two, "Move_2")):
        state = np.trunc(2.0 * frame["close"].diff().to_numpy())
        want = frame.index[alert_bars(state)].tolist()
        assert [pd.Timestamp(a.time) for a in told if a.indicator == label] == want
        assert {a.data for a in told if a.indicator == label} == {name}
    times = [a.time for a in told]
    assert times == sorted(times)
    assert rows(told) == rows(recorded)


@pytest.mark.parametrize("mode", MODES[:3], ids=str)
def test_ticks_of_a_second_data_tell_nothing_twice(mode):
    # bars of the second data fall between those of the first: next is called for each
    two = bars(50, seed=6)
    two.index = two.index + pd.Timedelta(seconds=30)
    told, recorded, _ = run(Watching, bars(50), two, mode=mode)
    assert len(told) > 20
    assert len({(a.time, a.indicator) for a in told}) == len(told)
    assert rows(told) == rows(recorded)


def test_an_indicator_on_bars_of_another_data_is_not_drawn_on_those_of_the_first():
    one, two = bars(40), bars(80, seed=5).iloc[20:]
    cerebro = bt.Cerebro(stdstats=False)
    for feed in (one, two):
        cerebro.adddata(hb.HedgeData(feed))
    cerebro.addstrategy(Watching)
    cerebro.addanalyzer(Recorder, _name="recorder")
    record = cerebro.run()[0].analyzers.recorder.record
    assert {p["label"] for p in record.panes} == {"Move", "SMA", "Drift"}
    assert set(record.alerts["indicator"]) == {"Move", "Move_2", "Drift"}
    assert not any(column.startswith("Move_2") for column in record.signals)


@pytest.mark.parametrize("mode", MODES[:3], ids=str)
def test_a_kernel_may_keep_numbers_and_lists_between_bars(mode):
    class Noted(PriceMove):
        kernel = staticmethod(noted)

    want = [row[0::4] for row in rows(run(shows(PriceMove), bars())[0])]  # time and direction
    assert len(want) > 8
    for strategy in (makes(Noted), shows(Noted)):
        assert [row[0::4] for row in rows(run(strategy, bars(), mode=mode)[0])] == want
