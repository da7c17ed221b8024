"""A config of several symbols: each one's features are computed from its own chains."""

from __future__ import annotations

import pandas as pd
import pytest

import hpi_bt as hb
from hpi_bt.config import configs_of
from hpi_bt.config.validation import validated
from hpi_bt.errors import InputError


def config(**feature):
    market = {"kind": "demo", "sessions": 2, "bar": "60min"}
    chains = market | {"snapshot_minutes": 60, "expiry_days": 2}
    return {
        "name": "several",
        "symbols": ["IWM", "SPY"],
        "data": {"source": market},
        "features": [{"kind": "gamma_volume", "chains": chains} | feature],
        "strategy": {"class": "strategies/flow_bias.py:FlowBias", "params": {"proxy": "gamma"}},
    }


def test_each_symbol_has_the_chains_of_its_own_market(tmp_path):
    frames = {}
    for one in configs_of(validated(config(), "config")):
        assert one.features[0].chains.symbol == one.data.source.symbol
        frames[one.data.source.symbol] = hb.load_frame(one, cache_dir=tmp_path)
    alone = config()
    alone["symbols"] = []
    for part in (alone["data"]["source"], alone["features"][0]["chains"]):
        part["symbol"] = "SPY"
    pd.testing.assert_frame_equal(frames["SPY"], hb.load_frame(alone, cache_dir=tmp_path))
    held = [frame["put_gamma_oi"].iloc[-1] for frame in frames.values()]
    assert held[0] != held[1]


def test_the_place_of_the_symbol_is_filled_in_features_too():
    chains = {"path": "chains/{symbol}.csv", "symbol": "{symbol}"}
    models = configs_of(validated(config(chains=chains), "config"))
    found = [(m.features[0].chains.path, m.features[0].chains.symbol) for m in models]
    assert found == [("chains/IWM.csv", "IWM"), ("chains/SPY.csv", "SPY")]


def test_one_file_of_chains_for_all_symbols_is_refused():
    with pytest.raises(InputError, match=r"the chains one.csv would serve all 2; write \{symbol\}"):
        configs_of(validated(config(chains={"path": "one.csv"}), "config"))
