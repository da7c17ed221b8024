"""`data.start`: indicators see the bars before it, orders and figures begin with it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import hpi_bt
from hpi_bt import InputError

MEAN = """
import backtrader as bt
import numpy as np
from hpi_bt import KernelStrategy, Orders, defaults_of
from hpi_bt.kernels.averages import ema

def above(close, *, period=30, state=None):
    return np.where(close > ema(close, period), 1.0, -1.0) * np.isfinite(ema(close, period))

class Above(KernelStrategy):
    inputs = ("close",)
    signal_kernel = staticmethod(above)
    params = defaults_of(above)
    orders = Orders(size={"kind": "percent", "percent": 50.0}, size_step=0.0)

class Plain(bt.Strategy):
    params = dict(period=30)

    def __init__(self):
        self.mean = bt.ind.SMA(self.data.close, period=self.p.period)

    def next(self):
        if not self.position:
            self.buy(size=10)
"""
START = "2024-04-15"


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mean.py").write_text(MEAN)
    days = pd.bdate_range("2024-01-02", periods=140).difference(
        pd.DatetimeIndex(["2024-01-15", "2024-02-19", "2024-03-29", "2024-05-27", "2024-06-19"])
    )
    close = 100.0 * np.exp(np.cumsum(np.random.default_rng(2).normal(0, 0.02, len(days))))
    open_ = np.r_[100.0, close[:-1]]
    high, low = np.maximum(open_, close), np.minimum(open_, close)
    prices = {"open": open_, "high": high, "low": low, "close": close, "volume": 1e6}
    pd.DataFrame({"date": days, **prices}).to_csv("bars.csv", index=False)
    return tmp_path


def config(strategy="Above", **data):
    source = {"source": {"kind": "csv", "path": "bars.csv"}, "calendar": "XNYS"}
    return {"name": "warm", "data": source | data, "strategy": {"class": f"mean.py:{strategy}"}}


ENGINES = pytest.mark.parametrize(
    ("strategy", "engine"), [("Above", "fast"), ("Above", "cerebro"), ("Plain", "cerebro")]
)


@ENGINES
def test_trading_and_figures_begin_at_the_start_with_indicators_that_are_known(
    shop, strategy, engine
):
    result = hpi_bt.run(config(strategy, start=START), results="r", engine=engine)
    equity = result.equity
    assert str(equity.index[0].date()) == START
    assert equity["position"].iloc[0] != 0.0  # on the signal of the close before
    assert result.summary["first"].startswith(START)
    assert result.trades["entry_bar"].iloc[0] == 0
    assert result.summary["bars"] == len(equity) == len(result.signals)
    assert any("before data.start for the warm-up" in n for n in result.summary["notes"])


def test_both_engines_agree_from_the_start_on(shop):
    fast, slow = (
        hpi_bt.run(config(start=START), results="r", engine=name) for name in ("fast", "cerebro")
    )
    pd.testing.assert_frame_equal(fast.equity, slow.equity, check_exact=True)
    pd.testing.assert_frame_equal(fast.trades, slow.trades, check_exact=True)


def test_without_bars_before_the_start_nothing_changes(shop):
    whole, same = (
        hpi_bt.run(config(**data), results="r") for data in ({}, {"start": "2023-01-01"})
    )
    pd.testing.assert_frame_equal(whole.equity, same.equity, check_exact=True)
    assert not any("warm-up" in note for note in same.summary["notes"])


def test_bars_before_the_start_change_no_figure_but_through_indicators(shop):
    # an indicator of one bar has no memory: the run is that of a file that begins a bar earlier
    always = config(start=START) | {"strategy": {"class": "mean.py:Above", "params": {"period": 1}}}
    long = hpi_bt.run(always, results="r")
    rows = pd.read_csv("bars.csv")
    first = int((rows["date"] >= START).argmax())
    rows.iloc[first - 1 :].to_csv("bars.csv", index=False)
    short = hpi_bt.run(always, results="r")
    for name in ("total_return", "sharpe", "sessions", "trades", "exposure"):
        assert long.summary[name] == short.summary[name]


@pytest.mark.parametrize("engine", ["fast", "cerebro"])
def test_every_row_of_a_sweep_is_the_run_of_its_point(shop, engine):
    swept = hpi_bt.sweep(
        config(start=START) | {"sweep": {"period": [5, 30]}}, results="r", engine=engine, jobs=1
    )
    for row in swept.table.to_dict("records"):
        one = config(start=START)
        one["strategy"] |= {"params": {"period": row["period"]}}
        run = hpi_bt.run(one, results="r").summary
        for name in ("total_return", "sharpe", "trades", "exposure", "cagr"):
            assert row[name] == run[name]
    assert swept.summary["bars"] == swept.returns.shape[1] == run["bars"]
    assert swept.summary["sessions_per_year"] == run["sessions_per_year"]


@pytest.mark.parametrize("engine", ["fast", "cerebro"])
def test_windows_are_counted_from_the_start(shop, engine):
    walk = config(start=START) | {
        "sweep": {"period": [30, 31]},
        "walk_forward": {"train": 20, "test": 20},
    }
    result = hpi_bt.walk_forward(walk, results="r", engine=engine, jobs=1)
    table = pd.read_csv(result.folder / "windows.csv")
    assert table["train_from"].iloc[0] == START
    assert table["in_sample_trades"].iloc[0] > 0


def test_a_frame_to_work_with_begins_at_the_start(shop):
    frame = hpi_bt.load_frame(config(start=START))
    assert str(frame.index[0].date()) == START
    assert "warm_up" not in frame.attrs


def test_a_start_after_the_last_bar_is_refused(shop):
    with pytest.raises(InputError, match=r"data\.start, data\.end: no bar"):
        hpi_bt.run(config(start="2030-01-01"), results="r")


@pytest.mark.parametrize("engine", ["fast", "cerebro"])
def test_alerts_and_signals_begin_with_the_start_too(tmp_path, engine):
    short = ["data.source.sessions=30", "data.source.bar=5min", "data.start=2024-02-05"]
    result = hpi_bt.run("configs/demo.yaml", overrides=short, results=tmp_path, engine=engine)
    times = pd.to_datetime(result.alerts["time"], utc=True)
    assert len(times) > 0
    assert times.min() >= pd.Timestamp("2024-02-05", tz="America/New_York")
    assert result.signals.index[0].date().isoformat() == "2024-02-05"
    hpi = result.signals[[c for c in result.signals if c.endswith("Index.hpi")]]
    assert hpi.iloc[0].notna().all()  # known from the first bar on


def test_alert_calls_begin_with_the_start_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "def keep(alert):\n"
        "    with open('calls.txt', 'a') as file:\n"
        "        file.write(f'{alert.time}\\n')\n"
    )
    short = ["data.source.sessions=30", "data.source.bar=5min", "data.start=2024-02-05"]
    result = hpi_bt.run(
        "configs/demo.yaml", overrides=[*short, "alerts={call: 'mine.py:keep'}"], results="r"
    )
    calls = (tmp_path / "calls.txt").read_text().splitlines()
    assert calls[0] >= "2024-02-05"
    assert len(calls) == len(result.alerts)
