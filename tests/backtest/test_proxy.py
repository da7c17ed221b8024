"""Columns that a parameter chooses: every engine, sweep and filter takes the same ones."""

from __future__ import annotations

from pathlib import Path

import backtrader as bt
import numpy as np
import pandas as pd
import pytest

import hpi_bt as hb
from hpi_bt.backtest.cerebro import run_cerebro
from hpi_bt.backtest.fast import run_fast, runs_fast, signal_of
from hpi_bt.checking import check_inputs
from hpi_bt.errors import InputError
from hpi_bt.indicators.base import Inputs
from hpi_bt.indicators.hedge_pressure_index import PROXIES
from hpi_bt.indicators.shown import kernel_shown
from hpi_bt.loading import load_strategy
from hpi_bt.sources.demo import DemoSource, simulate
from hpi_bt.sources.hours import add_hours

FOLDER = Path(__file__).resolve().parents[2] / "strategies"
NAMES = ("opening_window.py:OpeningWindow", "flow_bias.py:FlowBias")
every_strategy = pytest.mark.parametrize("name", NAMES)


def strategy_of(name: str) -> type:
    return load_strategy(name, [FOLDER])


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """A demo market whose gamma columns tell another story than its volumes."""
    made = simulate(DemoSource(sessions=30, bar="15min")).frame
    made = add_hours(made, "XNYS", bar_minutes=15.0)
    swapped = {"put": "call", "call": "put"}
    gamma = {
        f"{side}_gamma_{what}": made[f"{other}_{what}"] * 2e4
        for side, other in swapped.items()
        for what in ("volume", "oi")
    }
    out = made.assign(**gamma)
    out.attrs = made.attrs
    return out


@pytest.fixture(scope="module")
def renamed(frame) -> pd.DataFrame:
    """The same with the gamma columns in the place of contracts."""
    out = frame.drop(columns=["put_volume", "call_volume", "put_oi", "call_oi"])
    out = out.rename(columns={v: k for k, v in PROXIES["gamma"].items()})
    out.attrs = frame.attrs
    return out


@every_strategy
def test_proxy_gamma_trades_the_gamma_columns_in_both_engines(name, frame, renamed):
    strategy = strategy_of(name)
    assert runs_fast(strategy)
    records = [engine(strategy, {"proxy": "gamma"}, frame) for engine in (run_fast, run_cerebro)]
    told = run_fast(strategy, {}, renamed)
    assert len(told.fills) > 4
    for record in records:
        np.testing.assert_array_equal(record.equity, told.equity)
        pd.testing.assert_frame_equal(record.signals, told.signals)
        assert record.params["proxy"] == "gamma"
    plain = run_fast(strategy, {}, frame)
    assert not np.array_equal(plain.equity, told.equity)


@every_strategy
def test_the_default_takes_contracts(name, frame):
    strategy = strategy_of(name)
    for params in ({}, {"proxy": "volume"}):
        assert strategy.inputs_for(params) == (strategy.inputs, strategy.optional_inputs)
    bare = frame[[c for c in frame if "gamma" not in c]]
    bare.attrs = frame.attrs
    series = [run_fast(strategy, {}, f).equity for f in (frame, bare)]
    np.testing.assert_array_equal(*series)


def test_what_a_strategy_shows_has_its_proxy(frame, renamed):
    shown = kernel_shown(hb.HedgePressureIndex, frame, {"proxy": "gamma", "scale": "ratio"})
    told = kernel_shown(hb.HedgePressureIndex, renamed, {"scale": "ratio"})
    assert np.isfinite(told.lines["hpi"]).sum() > 100
    for line, values in told.lines.items():
        np.testing.assert_array_equal(shown.lines[line], values)


@every_strategy
def test_a_missing_gamma_column_is_refused_before_anything_runs(name, renamed):
    strategy = strategy_of(name)
    check_inputs(strategy, renamed, {})
    with pytest.raises(InputError, match="no column 'put_gamma_volume'"):
        check_inputs(strategy, renamed, {"proxy": "gamma"})
    with pytest.raises(InputError, match=r"proxy must be volume or gamma, got 'vega'"):
        check_inputs(strategy, renamed, {"proxy": "vega"})


def test_a_sweep_over_proxies_gives_what_single_runs_give(tmp_path):
    config = {
        "name": "proxies",
        "data": {"source": {"kind": "demo", "sessions": 20, "bar": "15min"},
                 "derive": {f"{side}_gamma_{what}": f"{other}_{what}"
                            for side, other in (("put", "call"), ("call", "put"))
                            for what in ("volume", "oi")}},
        "strategy": {"class": f"{FOLDER}/flow_bias.py:FlowBias"},
        "sweep": {"proxy": ["volume", "gamma"], "smoothing": [3, 6]},
    }  # fmt: skip
    found = hb.sweep(config, results=tmp_path, jobs=1).table.sort_values("point")
    frame = hb.load_frame({k: v for k, v in config.items() if k != "sweep"})
    strategy = strategy_of(NAMES[1])
    for row in found.itertuples():
        record = run_fast(strategy, {"proxy": row.proxy, "smoothing": row.smoothing}, frame)
        assert record.equity[-1] / record.cash - 1.0 == pytest.approx(row.total_return, rel=1e-12)
    assert found["total_return"].nunique() == 4


def test_a_sweep_names_the_column_that_a_proxy_lacks(tmp_path):
    config = {
        "name": "proxies",
        "data": {"source": {"kind": "demo", "sessions": 5, "bar": "15min"}},
        "strategy": {"class": f"{FOLDER}/flow_bias.py:FlowBias"},
        "sweep": {"proxy": ["volume", "gamma"], "smoothing": [3, 5]},
    }
    with pytest.raises(InputError, match="no column 'put_gamma_volume'"):
        hb.sweep(config, results=tmp_path, jobs=1)
    assert not list(tmp_path.iterdir())


def confirmed(frame, **confirm):
    """The strategy of the shipped filter after a run, its index asked with these options."""
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(hb.HedgeData(frame))
    options = {"scale": "standard", "zscore_lookback": 30} | confirm
    cerebro.addstrategy(strategy_of("confirmation_filter.py:ConfirmedEmaCross"), confirm=options)
    return cerebro.run()[0]


def test_a_confirmation_filter_asks_the_gamma_index(frame, renamed):
    gamma, told, plain = confirmed(frame, proxy="gamma"), confirmed(renamed), confirmed(frame)
    asked = [[(a["bar"], a["hpi"]) for a in s.confirm_asked] for s in (gamma, told, plain)]
    assert len(asked[0]) > 3
    np.testing.assert_array_equal(asked[0], asked[1])
    assert str(asked[0]) != str(asked[2])


def test_a_confirmation_filter_names_the_lines_that_it_lacks(renamed):
    wanted = "no data has the lines put_gamma_volume and call_gamma_volume"
    with pytest.raises(TypeError, match=wanted):
        confirmed(renamed, proxy="gamma")


def follows(put_volume, call_volume, *, state=None):
    return np.sign(put_volume - call_volume)


class Own(hb.KernelStrategy):
    """A user's class that chooses its columns by itself."""

    inputs = ("put_volume", "call_volume")
    signal_kernel = staticmethod(follows)
    params = dict(side="as it is")

    @classmethod
    def inputs_for(cls, params):
        required, optional = super().inputs_for(params)
        return Inputs(required[::-1] if params["side"] == "swapped" else required, optional)


def test_a_user_may_choose_columns_in_code(frame):
    targets = [signal_of(Own, {"side": side}, frame) for side in ("as it is", "swapped")]
    np.testing.assert_array_equal(targets[0], -targets[1])
    for side in ("as it is", "swapped"):
        fast, slow = (engine(Own, {"side": side}, frame) for engine in (run_fast, run_cerebro))
        np.testing.assert_array_equal(fast.equity, slow.equity)
