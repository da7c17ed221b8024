"""Gamma-weighted flow of real chains: NSE snapshots, NIFTY with its own Greeks, SPX profiles."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import hpi_bt as hb
from hpi_bt.features.contract_rows import rows_of
from hpi_bt.features.contract_vols import OWN, vols_of
from hpi_bt.features.gamma_volume import GammaVolumeFeature
from hpi_bt.features.gamma_weights import AMOUNTS
from hpi_bt.features.snapshots import FileChains
from hpi_bt.options import greeks
from hpi_bt.sources import option_snapshots
from hpi_bt.sources.base import Locations

pytestmark = pytest.mark.real_data
FLOW = "options_flow_long/"


@pytest.mark.parametrize("symbol", ["reliance", "nifty"])
def test_gamma_columns_lie_on_the_bars_of_the_plain_index(symbol, real_data, tmp_path, monkeypatch):
    read = []
    load = option_snapshots.load_table
    monkeypatch.setattr(
        option_snapshots, "load_table", lambda *a, **k: (read.append(1), load(*a, **k))[1]
    )
    option_snapshots._read_once.cache_clear()
    how = {"data_dir": real_data, "cache_dir": tmp_path}
    gamma = hb.load_frame(f"configs/real/{symbol}_gamma.yaml", **how)
    assert len(read) == 1  # the source and the feature together
    plain = hb.load_frame(f"configs/real/{symbol}_hpi.yaml", **how)
    pd.testing.assert_frame_equal(gamma[plain.columns], plain)
    assert not gamma.attrs["demo"]
    expired = gamma.index.normalize() + pd.Timedelta(hours=15, minutes=30) < gamma.index
    for side in ("put", "call"):
        volume, weighed = gamma[f"{side}_volume"], gamma[f"{side}_gamma_volume"]
        assert (weighed[volume == 0] == 0).all()
        # a dollar amount for every contract but those that trade far from the money or expired
        assert (weighed[(volume > 0) & ~expired] > 0).all()
        per_unit = (weighed / volume)[(volume > 0) & ~expired]
        assert per_unit.max() < 0.4 * gamma["close"].max() * 0.01 / (0.05 * np.sqrt(60 / 525_600))
        held = gamma[f"{side}_gamma_oi"].groupby(gamma["session"])
        assert (held.max() == held.min()).all()
        assert (held.min() > 0).all()
    assert any("vols implied from prices for" in note for note in gamma.attrs["notes"])


def test_the_vols_of_a_file_give_about_the_gammas_that_it_gives(real_data):
    name = FLOW + "nifty_chain_iv_2026-08-19.parquet"
    chains = FileChains(path=name, timezone="Asia/Kolkata", multiplier=1)
    rows = rows_of(chains.open(Locations((real_data,)), "XBOM"), "XBOM")
    vols, chain, tau = vols_of(rows), rows.chain, rows.tau_years
    gamma = greeks(
        rows.spot, chain.strike, tau, vols.sigma, chain.right.astype(float),
        dividend=-np.log(vols.forward / rows.spot) / tau,
    ).gamma  # fmt: skip
    given = pd.read_parquet(real_data / name)
    stamps = pd.DatetimeIndex(chain.moment, tz="UTC").tz_convert("Asia/Kolkata").tz_localize(None)
    ours = pd.DataFrame({
        "ts": stamps, "day": chain.expires, "strike": chain.strike,
        "right": np.where(chain.right > 0, "C", "P"), "ours": gamma, "own": vols.origin == OWN,
        "spot": rows.spot,
    })  # fmt: skip
    given = given.assign(
        ts=pd.to_datetime(given["ts"]).astype(stamps.dtype),
        day=pd.to_datetime(given["expiry"].astype(str)).to_numpy().astype("M8[D]").astype(int),
        right=given["right"].astype(str),
    )
    both = ours.merge(given.drop(columns="spot"), on=["ts", "day", "strike", "right"])
    assert len(both) == len(given)
    near = both[both["own"] & (np.abs(both["strike"] / both["spot"] - 1) < 0.02)]
    ratio = (near["ours"] / near["gamma"]).to_numpy()
    assert len(ratio) > 10_000
    # its clock of expiry and its forward are not known; most of the difference is rounding
    assert abs(np.median(ratio) - 1.0) < 0.03
    assert np.quantile(np.abs(ratio - 1.0), 0.9) < 0.12


def test_a_profile_of_another_layout_and_a_late_feed_serve_as_well(real_data, tmp_path):
    feature = GammaVolumeFeature(
        chains={"path": FLOW + "spx_0dte_profile_2026-08.csv.gz", "timezone": "America/New_York",
                "late_minutes": 15},
        known_at={"delay_minutes": 15},
        dte=(0, 0),
    )  # fmt: skip
    found = feature.computed(Locations((real_data,), cache=tmp_path), "XNYS")
    assert found.rows["gamma_session"].nunique() == 3
    assert (found.rows[list(AMOUNTS)] >= 0).all(axis=None)
    assert set(found.by_strike["dte"]) == {"0"}
    # 5,000 index points, a million contracts a day: tens of billions of dollars per 1 %
    daily = found.rows.groupby("gamma_session")[list(AMOUNTS[:2])].sum().sum(axis=1)
    assert daily.between(1e11, 1e13).all()
    assert any("left out" in note for note in found.notes)  # a snapshot after the close
