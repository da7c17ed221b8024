"""Alerts: the rule, the table of a run, and the analyzer that calls a user's function."""

from __future__ import annotations

import pickle
from pathlib import Path

import backtrader as bt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

import hpi_bt as hb
from hpi_bt.backtest.alerting import (
    ALERT_COLUMNS,
    Alert,
    alert_bars,
    alerts_of,
    begins,
    directions,
    events_of,
)
from hpi_bt.backtest.cerebro import Recorder, run_cerebro
from hpi_bt.backtest.fast import run_fast
from hpi_bt.errors import InputError
from reference.trading import market
from small_runs import demo_run

NAN = float("nan")
MODES = [
    {},
    {"runonce": False},
    {"preload": False},
    {"exactbars": 1},
    {"exactbars": -1},
    {"exactbars": -2},
]
DAILY_TOO = {"allow_intraday": True}
INDEX = pd.date_range("2024-01-02", periods=7, freq="1D", tz="America/New_York")


def pane(name, label="A", **said):
    return {"column": f"{label}.{name}", "line": name, "label": label, "kind": "event"} | said


# -- the rule


def test_worked_example():
    # the state begins on bars 1 and 6, its opposite on 3; bar 5 is not known, so bar 6 begins anew
    line = np.array([0.0, 2.0, 1.0, -1.0, 0.0, NAN, 3.0])
    assert alert_bars(line).tolist() == [1, 3, 6]
    assert alert_bars(np.array([1.0, NAN, 1.0])).tolist() == [0, 2]
    panes = [pane("state", up="bid", down="offer", value="score"), pane("score", kind="line")]
    table = alerts_of({"A.state": line, "A.score": 10.0 * line}, panes, INDEX, data="X")
    assert list(table.itertuples(index=False, name=None)) == [
        (INDEX[1], "X", "A", "bid", 1, 20.0),
        (INDEX[3], "X", "A", "offer", -1, -10.0),
        (INDEX[6], "X", "A", "bid", 1, 30.0),
    ]


numbers = st.sampled_from([0.0, 1.0, -1.0, 0.3, -7.0, NAN, np.inf, -0.0])


@drawn(st.lists(numbers))
def test_the_rule_bar_by_bar_is_the_rule_at_once_and_the_future_changes_nothing(values):
    line = np.array(values)
    slow, before = [], 0
    for bar, x in enumerate(values):
        now = (x > 0) - (x < 0)
        if now and now != before:
            slow.append(bar)
        before = now
    assert alert_bars(line).tolist() == slow
    for cut in range(len(values)):
        assert alert_bars(line[:cut]).tolist() == [bar for bar in slow if bar < cut]
    streamed = zip(values, [0.0, *values], strict=False)
    told = [i for i, (x, y) in enumerate(streamed) if begins(directions(x), directions(y))]
    assert told == slow


def test_alerts_of_one_bar_come_in_the_order_of_the_declarations():
    lines = {f"{label}.{n}": np.eye(7)[2] for label in "BA" for n in "yx"}
    table = alerts_of(lines, [pane(n, label) for label in "BA" for n in "yx"], INDEX)
    assert table["indicator"].tolist() == ["B", "B", "A", "A"]
    assert table["value"].tolist() == [1.0] * 4  # the event line itself, where no other is named


def test_an_event_quotes_its_value_line_before_the_line_that_it_sits_on():
    said = {"A.e": np.eye(7)[1], "A.v": np.full(7, 5.0), "close": np.full(7, 9.0)}
    for how, want in (({"value": "v", "on": "close"}, 5.0), ({"on": "close"}, 9.0), ({}, 1.0)):
        (row,) = alerts_of(said, [pane("e", **how)], INDEX).to_dict("records")
        assert (row["value"], row["alert"]) == (want, "up")


def test_a_declaration_or_a_style_switches_an_alert_off_or_renames_it():
    panes = [pane("a"), pane("b", alert=False), pane("c", kind="line")]
    assert [e.column for e in events_of(panes)] == ["A.a"]
    style = {"A.a": {"alert": False}, "A.b": {"alert": True, "up": "long"}}
    assert [(e.column, e.up, e.down) for e in events_of(panes, style=style)] == [
        ("A.b", "long", "down")
    ]


def test_a_declaration_that_cannot_be_followed_is_refused():
    with pytest.raises(InputError, match=r"A.e: alert 'no'; give true or false"):
        events_of([pane("e", alert="no")])
    with pytest.raises(InputError, match=r"A.e: value names 'hpj' \(did you mean 'hpi'\?\)"):
        events_of([pane("e", value="hpj")])[0].among(["A.e", "hpi"])


# -- in Cerebro


class Move(bt.Indicator):
    """A user's own indicator: the last change, and a state where it is larger than half a point."""

    lines = ("change", "state")
    chart = {
        "change": {"pane": "move", "kind": "histogram"},
        "state": {"pane": "move", "kind": "event", "up": "$rise", "down": "fall", "on": "change"},
    }
    params = dict(rise="rise")

    def __init__(self):
        self.addminperiod(2)

    def next(self):
        self.lines.change[0] = self.data[0] - self.data[-1]
        self.lines.state[0] = np.trunc(2.0 * self.lines.change[0])


class Drift(bt.Indicator):
    """Another, said in lines, on any line."""

    lines = ("state",)
    chart = {"state": {"kind": "event", "up": "drift up", "down": "drift down"}}

    def __init__(self):
        change = self.data - self.data(-1)
        self.lines.state = (change > 0.2) - (change < -0.2)


class Watching(bt.Strategy):
    """Makes an indicator of each data and of a line."""

    def __init__(self):
        self.moves = [Move(data) for data in self.datas]
        self.drift = Drift(bt.ind.SMA(self.data.close, period=3))


class Pressing(bt.Strategy):
    def __init__(self):
        hb.HedgePressureIndex(self.data, smoothing=2, zscore_lookback=5, extreme=0.8)
        hb.HerrickRSI(self.data, rsi_length=3, signal_length=2, hpi_smoothing=2, pivot=1)
        hb.HerrickPayoffIndex(self.data, alert_length=3, color_norm_length=3)


def given(
    target, *, smoothing=2, zscore_lookback=5, extreme=0.8, rsi_length=3, signal_length=2, pivot=1,
    state=None,
):  # fmt: skip
    """The target as it stands, with the options of what is shown."""
    return target


class Shows(hb.KernelStrategy):
    """Trades `target` and shows indicators that it has not made."""

    inputs = ("target",)
    signal_kernel = staticmethod(given)
    shows = (hb.HedgePressureIndex, hb.HerrickRSI)
    params = hb.defaults_of(given)


def bars(n=60, seed=3, **columns):
    rng = np.random.default_rng(seed)
    close = 100 + np.cumsum(rng.normal(0, 1, n))
    open_ = np.r_[100.0, close[:-1]]
    flow = {name: rng.integers(1, 100, n) for name in ("put_volume", "call_volume")}
    oi = {name: rng.integers(50, 99, n) for name in ("put_oi", "call_oi", "openinterest")}
    high, low = np.maximum(open_, close) + 1, np.minimum(open_, close) - 1
    day = np.arange(n) // 20
    return market(
        open_, high, low, close, rng.choice([-1.0, 0.0, 1.0], n), day=day, **flow | oi | columns
    )


def run(strategy, *feeds, mode=None, kind=bt.Cerebro, call=None, options=None, **analyzer):
    """Return the alerts as the analyzer told them, as the recorder has them, and the Cerebro."""
    cerebro = kind(stdstats=False, **(mode or {}))
    for i, feed in enumerate(feeds):
        made = hb.HedgeData(feed) if isinstance(feed, pd.DataFrame) else feed
        cerebro.adddata(made, name="XYZ"[i])
    cerebro.addstrategy(strategy, **(options or {}))
    cerebro.addanalyzer(Recorder, _name="recorder")
    cerebro.addanalyzer(hb.Alerts, call=call, _name="alerts", **analyzer)
    (finished,) = cerebro.run()
    told = finished.analyzers.alerts.get_analysis()
    return told, finished.analyzers.recorder.record.alerts, cerebro


def rows(table):
    """Rows with moments of time, so that kinds of zones do not matter."""
    made = table if isinstance(table, pd.DataFrame) else pd.DataFrame(table, columns=ALERT_COLUMNS)
    times = [pd.Timestamp(t) for t in made["time"]]  # a replay's record has its wall clock
    zoned = [t.tz_localize("America/New_York") if t.tz is None else t for t in times]
    moments = [t.timestamp() for t in zoned]
    values = [None if np.isnan(v) else v for v in made["value"]]
    texts = made[["data", "indicator", "alert", "direction"]].itertuples(index=False, name=None)
    return [(t, *row, v) for t, row, v in zip(moments, texts, values, strict=True)]


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
    assert calls == [1] * 30 + [30]


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


# -- bars that come again


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


def moved(close, *, state=None):
    """The last change of the close, and a state where it is larger than half a point."""
    last = hb.part(state, "x") if state is not None else {}
    before = last.get("close", np.array([NAN]))
    change = close - np.r_[before, close[:-1]]
    last["close"] = close[-1:].copy()
    return change, np.trunc(2.0 * change)


class PriceMove(hb.KernelIndicator):
    inputs = ("close",)
    lines = ("change", "state")
    kernel = staticmethod(moved)
    chart = {"state": {"kind": "event", "value": "change"}}


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


# -- several datas


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


# -- what can go wrong


def test_what_the_function_raises_ends_the_run():
    def broken(alert):
        raise LookupError(f"no mail for {alert.alert}")

    with pytest.raises(LookupError, match=r"no mail for (rise|fall)"):
        run(Watching, bars(), call=broken)


def test_something_that_cannot_be_called_is_refused_before_the_run():
    with pytest.raises(InputError, match="Alerts: call is 3; give a function"):
        run(Watching, bars(), call=3)


def test_a_wrong_declaration_is_refused_before_the_run():
    class Wrong(Move):
        chart = {"state": {"kind": "event", "value": "chance"}}

    class Uses(bt.Strategy):
        def __init__(self):
            Wrong(self.data)

        def next(self):
            raise AssertionError("the run began")

    with pytest.raises(InputError, match=r"Wrong.state: value names 'chance' \(did you mean"):
        run(Uses, bars())


def test_a_chart_that_is_no_declaration_is_let_alone_and_a_bare_word_refused():
    class Named(Move):
        chart = "a name of its own"

    class Bare(Move):
        chart = {"state": "event"}

    class Uses(bt.Strategy):
        params = dict(kind=None)

        def __init__(self):
            self.p.kind(self.data)

    assert run(Uses, bars(), options={"kind": Named})[0] == []
    with pytest.raises(InputError, match="chart: 'event' says nothing of a line; give"):
        run(Uses, bars(), options={"kind": Bare})


def test_indicators_without_a_declaration_and_hidden_ones_tell_nothing():
    class Silent(bt.Strategy):
        def __init__(self):
            bt.ind.CrossOver(self.data.close, bt.ind.SMA(self.data.close, period=3))
            Move(self.data, plot=False)

    told, recorded, _ = run(Silent, bars())
    assert told == []
    assert recorded.empty
    assert tuple(recorded.columns) == ALERT_COLUMNS


def test_a_style_goes_to_the_analyzer_and_the_record():
    style = {"Move.state": {"up": "up it goes"}, "Drift.state": {"alert": False}}
    told, recorded, _ = run(Watching, bars(), style=style)
    assert {a.alert for a in told} == {"up it goes", "fall"}
    assert {a.indicator for a in told} == {"Move"}
    assert {*recorded["alert"]} == {
        "rise",
        "fall",
        "drift up",
        "drift down",
    }  # the recorder was given none
    off = DAILY_TOO | {"style": {"HerrickRSI.cross": {"alert": False}}}
    record = run_cerebro(Shows, {}, bars(), **off)
    assert "cross up" not in set(record.alerts["alert"])
    again = run_fast(Shows, {}, bars(), **off)
    pd.testing.assert_frame_equal(again.alerts, record.alerts, check_exact=True)


def test_alerts_pass_through_optstrategy_to_other_processes():
    cerebro = bt.Cerebro(stdstats=False, maxcpus=1)
    cerebro.adddata(hb.HedgeData(bars()), name="X")
    cerebro.optstrategy(Tuned, rise=["a", "b"])
    cerebro.addanalyzer(hb.Alerts, _name="alerts")
    found = [pickle.loads(pickle.dumps(r[0].analyzers.alerts)) for r in cerebro.run()]
    texts = [{a.alert for a in analyzer.get_analysis()} for analyzer in found]
    assert texts == [{"a", "fall"}, {"b", "fall"}]


class Tuned(bt.Strategy):
    params = dict(rise="rise")

    def __init__(self):
        Move(self.data, rise=self.p.rise)


# -- the folder and the config


def test_every_run_writes_its_alerts_and_counts_them(tmp_path: Path):
    result = demo_run()
    table = result.alerts
    assert tuple(table.columns) == ALERT_COLUMNS
    assert len(table) == result.summary["alerts"] > 0
    extreme = result.signals["HedgePressureIndex.extreme"].to_numpy()
    wanted = result.signals.index[alert_bars(extreme)]
    found = table[table["alert"].str.startswith("mechanical")]
    assert pd.DatetimeIndex(pd.to_datetime(found["time"], utc=True)).equals(
        wanted.tz_convert("UTC")
    )
    cerebro = bt.Cerebro(stdstats=False)
    frame = bars().drop(columns="session")
    cerebro.adddata(hb.HedgeData(frame), name="X")
    cerebro.addstrategy(Watching)
    cerebro.addanalyzer(hb.Report, folder=str(tmp_path))
    own = cerebro.run()[0].analyzers.report.result
    assert rows(own.alerts) == rows(run(Watching, frame)[0])


CONFIG = {
    "name": "told",
    "data": {"source": {"kind": "demo", "sessions": 12, "bar": "5min"}},
    "strategy": {"class": "strategies/flow_bias.py:FlowBias"},
    "benchmark": "none",
}
NOTIFY = """
TOLD = []

def notify(alert):
    TOLD.append(tuple(alert))
    with open(__file__ + ".log", "a") as log:
        print(alert.indicator, alert.alert, alert.direction, file=log)

number = 3
"""


@pytest.fixture
def beside(tmp_path, monkeypatch):
    (tmp_path / "my_alerts.py").write_text(NOTIFY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_config_names_the_function_that_its_run_calls(beside):
    plain = hb.run(CONFIG, results="plain")
    told = hb.run(CONFIG | {"alerts": {"call": "my_alerts.py:notify"}}, results="told")
    assert (plain.summary["engine"], told.summary["engine"]) == ("fast", "cerebro")
    log = (beside / "my_alerts.py.log").read_text(encoding="utf-8").splitlines()
    columns = plain.alerts[["indicator", "alert", "direction"]].astype(str)
    assert log == columns.agg(" ".join, axis=1).tolist() != []
    pd.testing.assert_frame_equal(told.alerts, plain.alerts)
    pd.testing.assert_frame_equal(told.trades, plain.trades, check_dtype=False)


def test_a_chart_entry_of_a_config_switches_an_alert_off(beside):
    off = {"chart": {"HedgePressureIndex.extreme": {"alert": False}}}
    texts = set(hb.run(CONFIG | off).alerts["alert"])
    assert texts <= {"bullish cross", "bearish cross"}


@pytest.mark.parametrize(
    ("call", "engine", "message"),
    [
        ("my_alerts.py:notify", "fast", "--engine fast: it has no bar by bar run"),
        ("my_alerts.py", "auto", "alerts.call: 'my_alerts.py' names no function"),
        ("my_alerts.py:notif", "auto", r"alerts.call: .* no function 'notif' \(did you mean 'not"),
        ("my_alerts.py:number", "auto", "alerts.call: my_alerts.py holds no function 'number'"),
        ("other.py:notify", "auto", "alerts.call: no file other.py"),
        ("broken.py:notify", "auto", r"alerts.call: broken.py does not import \(SyntaxError"),
    ],
)
def test_a_function_that_cannot_be_called_is_refused_and_nothing_is_written(
    beside, call, engine, message
):
    (beside / "broken.py").write_text("def notify(", encoding="utf-8")
    with pytest.raises(InputError, match=message):
        hb.run(CONFIG | {"alerts": {"call": call}}, engine=engine)
    assert [p for p in beside.rglob("*") if p.suffix == ".csv"] == []


def test_what_a_configs_function_raises_is_not_swallowed(beside):
    (beside / "my_alerts.py").write_text("def notify(alert):\n    1 / 0\n", encoding="utf-8")
    with pytest.raises(ZeroDivisionError):
        hb.run(CONFIG | {"alerts": {"call": "my_alerts.py:notify"}})
    assert [p for p in beside.rglob("*") if p.suffix == ".csv"] == []
