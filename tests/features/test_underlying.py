"""Chains of another underlying than the bars', and chains across splits."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from chain_files import DAY, LATER, SPOT, ZONE, bars, table, write
from numpy.testing import assert_allclose

from hpi_bt.errors import InputError, Severity
from hpi_bt.features.gamma_volume import GammaVolumeFeature
from hpi_bt.features.hedge_flow import HedgeFlowFeature
from hpi_bt.features.underlying import BARS_SYMBOL, spot_distances
from hpi_bt.frames import load_frame
from hpi_bt.sources.base import Locations
from hpi_bt.sources.hours import add_hours
from hpi_bt.sources.splits import SPLITS

TIMES = ["10:00", "10:15", "10:30", "10:45"]
FEATURES = [HedgeFlowFeature, GammaVolumeFeature]
each_feature = pytest.mark.parametrize("feature", FEATURES)


def where(folder) -> Locations:
    return Locations((folder,), cache=folder / "cache")


def frame(symbol: str = "", *, close: float = SPOT, **attrs: Any) -> pd.DataFrame:
    made = add_hours(bars(TIMES, close=close), "XNYS", bar_minutes=15.0)
    made.attrs[BARS_SYMBOL] = symbol
    made.attrs |= attrs
    return made


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, table(["10:05", "10:20"], [SPOT, SPOT]).assign(symbol="SPX", volume=5.0))
    return tmp_path


def added(feature, folder, given: pd.DataFrame, **options: Any) -> pd.DataFrame:
    chains = {"path": "chains.csv", "timezone": ZONE} | options.pop("chains", {})
    return feature(chains=chains, **options).add(given, where(folder), "XNYS")


def codes(made: pd.DataFrame) -> list[str]:
    return [getattr(note, "code", "") for note in made.attrs["notes"]]


@each_feature
@pytest.mark.parametrize("symbol", ["SPX", "^SPX", "SPXW", "spx", "_SPX", "SPX 15min", "", "$SPX"])
def test_chains_of_the_bars_underlying_are_quiet(folder, feature, symbol):
    made = added(feature, folder, frame(symbol))
    assert "other-underlying" not in codes(made)


@each_feature
@pytest.mark.parametrize("symbol", ["SPY", "ES", "NDX", "XSP", "BRK.B"])
def test_chains_of_another_symbol_are_refused_though_prices_agree(folder, feature, symbol):
    with pytest.raises(InputError) as caught:
        added(feature, folder, frame(symbol))
    message = str(caught.value)
    assert message.startswith(
        f"{feature.model_fields['kind'].default}: the chains are of SPX, the bars of {symbol}"
    )
    assert f"underlying: {{chains: SPX, bars: {symbol}}}" in message


@each_feature
@pytest.mark.parametrize(
    ("close", "said"), [(SPOT / 0.8, "20 % below"), (SPOT / 1.05, "5 % above")]
)
def test_a_spot_far_from_the_bars_close_is_refused_whatever_the_names(folder, feature, close, said):
    for symbol in ("", "SPX"):
        with pytest.raises(
            InputError, match=rf"their spot lies {said} the bars' close \(median of 2"
        ):
            added(feature, folder, frame(symbol, close=close))
    assert added(feature, folder, frame(close=close), spot_tolerance=0.3) is not None


@each_feature
def test_within_the_tolerance_nothing_is_said(folder, feature):
    made = added(feature, folder, frame("SPX", close=SPOT * 1.015))
    assert "other-underlying" not in codes(made)


@each_feature
def test_the_config_may_say_which_is_used_for_which(folder, feature):
    given = frame("ES", close=SPOT / 1.03)
    made = added(feature, folder, given, underlying={"chains": "SPX", "bars": "ES"})
    (note,) = [n for n in made.attrs["notes"] if getattr(n, "code", "") == "other-underlying"]
    assert note.severity is Severity.ASSUMPTION
    assert "chains of SPX are used for bars of ES, as given; spot 1.03 times their close" in note


@each_feature
@pytest.mark.parametrize(
    ("underlying", "message"),
    [
        ({"chains": "NDX", "bars": "ES"}, "underlying.chains: NDX, but the chains are of SPX"),
        ({"chains": "SPX", "bars": "NQ"}, "underlying.bars: NQ, but the bars are of ES"),
        ({"chains": "SPX", "bars": "SPX"}, "the chains are of SPX, the bars of ES"),
    ],
)
def test_what_the_config_says_must_be_so(folder, feature, underlying, message):
    with pytest.raises(InputError, match=message):
        added(feature, folder, frame("ES"), underlying=underlying)


@each_feature
def test_a_second_run_from_the_cache_is_refused_alike(folder, feature):
    added(feature, folder, frame("SPX"))
    with pytest.raises(InputError, match="the chains are of SPX, the bars of SPY"):
        added(feature, folder, frame("SPY"))
    with pytest.raises(InputError, match="their spot lies 20 % below"):
        added(feature, folder, frame(close=SPOT / 0.8))


def test_a_table_of_cumulative_volume_is_tested_alike(tmp_path):
    rows = table(["10:05", "10:20"], [SPOT, SPOT]).assign(cum_volume=5.0, symbol="SPX")
    write(tmp_path, rows)
    chains = {"kind": "option_snapshots"}
    assert added(GammaVolumeFeature, tmp_path, frame("SPX"), chains=chains) is not None
    with pytest.raises(InputError, match="the chains are of SPX, the bars of SPY"):
        added(GammaVolumeFeature, tmp_path, frame("SPY"), chains=chains)
    with pytest.raises(InputError, match="their spot lies 20 % below"):
        added(GammaVolumeFeature, tmp_path, frame("", close=SPOT / 0.8), chains=chains)


def test_snapshots_are_compared_with_the_nearest_bar_of_their_session():
    given = frame()
    given["close"] = [100.0, 200.0, 400.0, 800.0]
    at = [f"{DAY} 09:40", f"{DAY} 10:06", f"{DAY} 10:09", f"{DAY} 12:00", f"{LATER} 10:00"]
    rows = pd.DataFrame({"spot": 800.0}, index=pd.DatetimeIndex(at).tz_localize(ZONE))
    assert_allclose(spot_distances(given, rows, "XNYS"), [7.0, 7.0, 3.0, 0.0])
    assert len(spot_distances(given, rows.iloc[-1:], "XNYS")) == 0
    assert len(spot_distances(given, rows[[]], "XNYS")) == 0


def test_a_config_whose_bars_have_a_name_of_their_own_is_refused(tmp_path):
    rows = table(["10:05", "10:20"], [SPOT, SPOT]).assign(symbol="OTHER")
    write(tmp_path, rows)
    price = bars(TIMES).assign(ts=[f"{DAY} {time}" for time in TIMES])
    price.to_csv(tmp_path / "bars.csv", index=False)
    source = {"kind": "csv", "path": "bars.csv", "timezone": ZONE, "bar_label": "close"}
    source |= {"bar_minutes": 15, "columns": {"datetime": "ts"}}
    config: dict[str, Any] = {
        "name": "x",
        "data": {"source": source},
        "features": [{"kind": "hedge_flow", "chains": {"path": "chains.csv", "timezone": ZONE}}],
        "strategy": {"class": "strategies/flow_bias.py:FlowBias"},
    }
    places = {"data_dir": tmp_path, "cache_dir": tmp_path / "cache"}
    assert load_frame(config, **places) is not None  # the file's name says nothing
    source["symbol"] = "SPY"
    with pytest.raises(InputError, match="the chains are of OTHER, the bars of SPY"):
        load_frame(config, **places)


def before_split(rows: pd.DataFrame, ratio: float) -> pd.DataFrame:
    """The same book in shares of which one has become `ratio`."""
    return rows.assign(
        strike=rows["strike"] * ratio,
        spot=rows["spot"] * ratio,
        open_interest=rows["open_interest"] / ratio,
        volume=rows["volume"] / ratio,
    )


@each_feature
@pytest.mark.parametrize("ratio", [2.0, 0.1])
def test_chains_before_a_split_say_what_they_would_after_it(tmp_path, feature, ratio):
    rows = table(["10:05", "10:20"], [SPOT, SPOT + 5.0]).assign(symbol="SPX", volume=50.0)
    write(tmp_path, rows)
    plain = added(feature, tmp_path, frame("SPX"))
    write(tmp_path, before_split(rows, ratio))
    adjusted = added(feature, tmp_path, frame("SPX", **{SPLITS: {LATER: ratio}}))
    own = added(feature, tmp_path, frame("SPX"), splits={date.fromisoformat(LATER): ratio})
    columns = [c for c in plain if c.startswith("hedge_") or "gamma" in c]
    assert np.isfinite(plain[columns]).any(axis=None)
    for made in (adjusted, own):
        assert_allclose(made[columns], plain[columns], rtol=1e-6, atol=1e-9)
    with pytest.raises(InputError, match="its splits under data"):
        added(feature, tmp_path, frame("SPX"))


def test_a_table_before_a_split_says_what_it_would_after_it(tmp_path):
    rows = table(["10:05", "10:20"], [SPOT, SPOT + 5.0]).assign(volume=50.0)
    chains = {"kind": "option_snapshots", "columns": {"cum_volume": "volume"}}
    write(tmp_path, rows)
    plain = added(GammaVolumeFeature, tmp_path, frame(), chains=chains)
    write(tmp_path, before_split(rows, 2.0))
    made = added(GammaVolumeFeature, tmp_path, frame(**{SPLITS: {LATER: 2.0}}), chains=chains)
    columns = [c for c in plain if "gamma" in c]
    assert_allclose(made[columns], plain[columns], rtol=1e-9)


def test_how_many_chains_were_adjusted_is_said(tmp_path):
    write(tmp_path, table(["10:05", "10:20"], [SPOT, SPOT]))
    made = added(HedgeFlowFeature, tmp_path, frame(**{SPLITS: {DAY: 2.0}}))
    assert "0 chain snapshots before a split adjusted for it" in made.attrs["notes"]
