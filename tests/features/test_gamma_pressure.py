"""The author's advice put to the test: gamma-weighted pressure finds what plain volume misses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hpi_bt as hb
from hpi_bt.backtest.cerebro import run_cerebro
from hpi_bt.backtest.fast import run_fast
from hpi_bt.frames import read_config
from hpi_bt.indicators.shown import kernel_shown
from hpi_bt.loading import load_strategy
from hpi_bt.stats.events import EventInput, pooled_event_study

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "configs" / "gamma_pressure.yaml"
#: Each bar against its own baseline: the pressure of the moment.
OPTIONS = {"scale": "ratio", "accumulate": "bar", "smoothing": 1, "zscore_lookback": 300}


@pytest.fixture(scope="module")
def frames(tmp_path_factory) -> list[pd.DataFrame]:
    """The config's market under three seeds."""
    cache, model = tmp_path_factory.mktemp("cache"), read_config(CONFIG, ())[0]
    found = []
    for seed in range(3):
        plain = model.model_dump(mode="json", by_alias=True)
        for part in (plain["data"]["source"], plain["features"][0]["chains"]):
            part |= {"seed": seed, "sessions": 60}
        found.append(hb.load_frame(plain, cache_dir=cache))
    return found


def study(frames, proxy: str) -> pd.DataFrame:
    inputs = []
    for frame in frames:
        shown = kernel_shown(
            hb.HedgePressureIndex, frame, OPTIONS | {"proxy": proxy, "extreme": 1.0}
        )
        extreme = shown.lines["extreme"]
        inputs.append(
            EventInput(frame["open"], frame["close"], extreme, frame["session"], frame.index)
        )
    return pooled_event_study(inputs, horizons=(1,), permutations=2000)


def test_the_gamma_index_finds_the_planted_edge_and_plain_volume_does_not(frames):
    gamma, volume = (study(frames, proxy) for proxy in ("gamma", "volume"))
    assert (gamma["n"] > 400).all()
    assert (volume["n"] > 400).all()
    assert (gamma["p_value"] < 0.005).all()
    assert (gamma["effect"] > 0).all()
    assert (gamma["low"] > 0).all()
    assert (volume["p_value"] > 0.05).all()
    assert (gamma["effect"].to_numpy() > 3 * np.abs(volume["effect"].to_numpy())).all()


def test_what_gamma_weighs_is_what_the_market_hides(frames):
    for frame in frames:
        shares = [
            frame[f"put_{what}"] / (frame[f"put_{what}"] + frame[f"call_{what}"])
            for what in ("gamma_volume", "volume")
        ]
        following = np.log(frame["close"].shift(-1) / frame["open"].shift(-1))
        found = [following.corr(share, method="spearman") for share in shares]
        assert found[0] > 0.1
        assert abs(found[1]) < 0.1


def test_the_shipped_config_trades_it_and_its_page_says_how(tmp_path):
    whole = {"results": tmp_path, "cache_dir": tmp_path / "cache"}
    result = hb.run(CONFIG, **whole)
    summary = result.summary
    assert summary["trades"] > 10
    page = (result.folder / "tearsheet.html").read_text("utf-8")
    assert "DEMO" in page
    assert "$ of delta per 1 %" in page
    assert any("gamma of volume: given vols for 100.0 %" in note for note in summary["notes"])
    drawn = {pane["label"] for pane in json.loads((result.folder / "panes.json").read_text())}
    assert drawn == {"HedgePressureIndex", "PlainHedgePressure"}
    tested = pd.read_csv(result.folder / "coefficients.csv")
    found = tested[tested["q_value"] < 0.05]["line"].str.partition(".")[0]
    assert set(found) == {"HedgePressureIndex"}


def test_the_plain_index_beside_it_is_in_contracts_whatever_the_strategy_counts_in(frames):
    strategy = load_strategy("strategies/gamma_bias.py:GammaBias", [ROOT])
    shown, plain = strategy.shows
    options = {"scale": "ratio", "smoothing": 2, "zscore_lookback": 130, "proxy": "gamma"}
    for frame in frames[:1]:
        got = kernel_shown(plain, frame, options).lines
        expected = kernel_shown(hb.HedgePressureIndex, frame, options | {"proxy": "volume"}).lines
        gamma = kernel_shown(shown, frame, options).lines
        assert list(got) == list(expected)
        for name, values in got.items():
            np.testing.assert_array_equal(values, expected[name])
        assert not np.array_equal(got["hpi"], gamma["hpi"], equal_nan=True)


def test_gamma_bias_is_flow_bias_in_dollars_of_gamma(frames):
    base, gamma = (
        load_strategy(f"strategies/{name}", [ROOT])
        for name in ("flow_bias.py:FlowBias", "gamma_bias.py:GammaBias")
    )
    options = {"scale": "ratio", "smoothing": 2, "zscore_lookback": 130}
    one = run_fast(gamma, options, frames[0], allow_demo=True)
    other = run_fast(base, options | {"proxy": "gamma"}, frames[0], allow_demo=True)
    np.testing.assert_array_equal(one.equity, other.equity)
    slow = run_cerebro(gamma, options, frames[0], allow_demo=True)
    for name in one.signals:
        np.testing.assert_array_equal(one.signals[name], slow.signals[name])


def test_no_word_of_the_plain_index_is_one_of_the_gamma_index():
    shown, plain = load_strategy("strategies/gamma_bias.py:GammaBias", [ROOT]).shows
    said = [
        {
            drawn[key]
            for drawn in one.chart.values()
            for key in ("up", "down", "pane")
            if key in drawn
        }
        for one in (shown, plain)
    ]
    assert not said[0] & said[1]
    assert "plain mechanical bid" in said[1]
