"""The feature on real snapshots: New York's index options and India's, each as users have them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from hpi_bt.chains import chain_report
from hpi_bt.features.compute import computed
from hpi_bt.features.flow_columns import FlowOptions
from hpi_bt.features.hedge_values import flow_values
from hpi_bt.features.snapshots import FileChains
from hpi_bt.sources.base import Locations
from hpi_bt.sources.cache import Cache

pytestmark = pytest.mark.real_data

PROFILE = "options_flow_long/spx_0dte_profile_2026-08.csv.gz"
NSE = "options_flow_long/nse_option_snapshots_2026-01-06_2026-02-05.parquet"
OPTIONS = FlowOptions(
    "0dte", "dealers_long_calls_short_puts", "canonical", 1.5, None, 3.0, 0.05, 2.0, 0.15, "XNYS"
)


def test_the_gamma_exposure_is_what_the_collector_of_the_profile_says(real_data, tmp_path):
    chains = FileChains(path=PROFILE, timezone="America/New_York", late_minutes=15)
    found = computed(chains.open(Locations((real_data,)), "XNYS"), OPTIONS, Cache(tmp_path))
    table = pd.read_csv(real_data / PROFILE)
    stamps = pd.DatetimeIndex(pd.to_datetime(table["ts"])).tz_localize("America/New_York")
    their = table.groupby(stamps.tz_convert("UTC") - pd.Timedelta(minutes=15))
    # calls long and puts short, in dollars per 1 %, summed over the strikes of the window
    said = their["cg"].sum().abs() - their["pg"].sum().abs()
    size = their["cg"].sum().abs() + their["pg"].sum().abs()
    gex = found.rows["hedge_gex"].dropna()
    assert len(gex) == 64
    # at the open the file still has the close of the day before as spot: no number comes of it
    assert any("which is of another moment" in note for note in found.notes)
    apart = np.abs(gex - said[gex.index]) / size[gex.index]
    assert apart.median() < 0.02
    assert apart.max() < 0.05
    # the index stood between 7,648 and 7,741
    zero = found.rows["hedge_zero_gamma"].dropna()
    assert ((zero > 7_600) & (zero < 7_850)).all()


def test_nse_snapshots_take_their_vols_from_last_prices(real_data):
    chains = FileChains(
        path=NSE, symbol="RELIANCE", timezone="Asia/Kolkata", multiplier=1.0
    ).open(Locations((real_data,)), "XBOM")  # fmt: skip
    assert len(chains.times) == 1319
    options = OPTIONS._replace(expiry="all", calendar="XBOM")
    for place in (40, 700, 1300):
        chain = chains.chain_at(place)
        assert np.isfinite(chain.mid).sum() > 40
        found = flow_values(chain, options).columns
        # the book's gamma in dollars is of the size of its open interest at the money
        assert found["hedge_gex"] != 0.0
        assert abs(found["hedge_call_wall"] / chain.spot - 1.0) < 0.25
    assert_allclose(chains.chain_at(700).spot, 1400.0, rtol=0.15)


@pytest.mark.parametrize("name", ["spx_quotedata_2023-09-14.csv", "IWM_chain_2026-08-14.csv.gz"])
def test_the_feature_says_what_the_chain_report_says_of_the_same_file(name, real_data):
    path = f"chains/{name}"
    report = chain_report(real_data / path)
    snapshots = FileChains(path=path).open(Locations((real_data,)), "XNYS")
    found = flow_values(snapshots.chain_at(0), OPTIONS._replace(expiry="all")).columns
    assert abs(report.chain.rate) > 0.01  # with none, GEX is another by a half
    assert_allclose(found["hedge_gex"], report.flow.exposures.gex, rtol=1e-9)
    assert_allclose(found["hedge_impulse"], report.flow.curve.impulse, rtol=1e-9)
