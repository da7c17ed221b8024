"""Alerts in a run's folder and its config's function, and what can go wrong."""

from __future__ import annotations

import pickle
from pathlib import Path

import backtrader as bt
import pandas as pd
import pytest
from alert_runs import (
    DAILY_TOO,
    Move,
    PriceMove,
    Shows,
    Watching,
    bars,
    makes,
    rows,
    run,
    shows,
)

import hpi_bt as hb
from hpi_bt.backtest.alerting import (
    ALERT_COLUMNS,
    alert_bars,
)
from hpi_bt.backtest.cerebro import Recorder, run_cerebro
from hpi_bt.backtest.fast import run_fast
from hpi_bt.errors import InputError
from small_runs import demo_run


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


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"stat": {"kind": "event"}}, r"chart: no line 'stat' \(did you mean 'state'\?\)"),
        ({"state": {"knd": "event"}}, r"chart: no option 'knd' \(did you mean 'kind'\?\)"),
        ({"state": {"kind": "evnt"}}, r"chart: kind 'evnt' \(did you mean 'event'\?\)"),
    ],
)
@pytest.mark.parametrize("way", ["alerts", "recorder", "shows", "cerebro", "fast"])
def test_a_misspelt_declaration_is_refused_on_every_way_to_a_run(way, wrong, message):
    class Wrong(PriceMove):
        chart = wrong

    class Late(Shows):
        shows = (Wrong,)

    def added(strategy, analyzer):
        cerebro = bt.Cerebro(stdstats=False)
        cerebro.adddata(hb.HedgeData(bars()))
        cerebro.addstrategy(strategy)
        cerebro.addanalyzer(analyzer)
        return cerebro.run

    ways = {
        "alerts": added(makes(Wrong), hb.Alerts),
        "recorder": added(makes(Wrong), Recorder),
        "shows": added(shows(Wrong), hb.Alerts),
        "cerebro": lambda: run_cerebro(Late, {}, bars(), **DAILY_TOO),
        "fast": lambda: run_fast(Late, {}, bars(), **DAILY_TOO),
    }
    with pytest.raises(InputError, match=message):
        ways[way]()


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"alrt": False}, r"Alerts: style.Move.state: no option 'alrt' \(did you mean 'alert'\?\)"),
        ({"kind": "evnt"}, r"Alerts: style.Move.state: kind 'evnt'"),
    ],
)
def test_a_misspelt_style_is_refused_before_the_run(said, message):
    with pytest.raises(InputError, match=message):
        run(Watching, bars(), style={"trades": {"win": "green"}, "Move.state": said})


def test_a_style_says_which_line_an_alert_quotes():
    told, _, _ = run(Watching, bars(), style={"Move.state": {"value": "close"}})
    closes = bars()["close"]
    moves = [a for a in told if a.indicator == "Move"]
    assert [a.value for a in moves] == [closes[a.time] for a in moves] != []


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
        ("my_alerts.py:notify", "fast", "engine: fast has no bar by bar run"),
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
