from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.gauge import hedge_score
from hpi_bt.sources.base import Locations
from hpi_bt.sources.gauge_data.assembly import gauge_inputs
from tests.reference import gauge as reference

pytestmark = pytest.mark.real_data
TODAY = date(2026, 11, 20)
REAL = {
    "spy": "bars/SPY_daily_yfinance_adjusted.csv",
    "vix": "gauges/VIX_History.csv",
    "vix3m": "gauges/VIX3M_History.csv",
    "put_call": [
        "gauges/totalpc.csv",
        "gauges/totalpc_to_2019-10-04_noheader.csv",
        "gauges/cboe_put_call_ratios_2019_2026.csv",
    ],
    "treasury": [
        "gauges/daily-treasury-rates.csv",
        "gauges/daily-treasury-rates_2021_2025.csv",
        "gauges/daily-treasury-rates-2025.csv",
    ],
    "sofr": "gauges/SOFR.csv",
    "y10": "gauges/DGS10.csv",
    "t10y3m": "gauges/T10Y3M.csv",
    "oas": "gauges/BAMLH0A0HYM2.csv",
}


def inputs(real_data, **options):
    return gauge_inputs(REAL, Locations((real_data,)), credit=True, today=TODAY, **options)


@pytest.fixture(scope="module")
def whole(real_data):
    return inputs(real_data)


def test_every_file_counts(whole):
    counts, days = whole.components.count(), whole.spy.index
    assert counts["drawdown"] == whole.spy.count() == 8444
    assert str(whole.spy.first_valid_index().date()) == "1993-01-29"
    # carried forward for five sessions after the last day of data, a session late for FRED
    for name, first, last in [
        ("vix", "1990-01-02", "2026-07-29"),
        ("term_structure", "2009-09-18", "2026-07-29"),
        ("put_call", "2006-11-01", "2026-07-29"),
        ("curve", "1990-01-02", "2025-12-29"),
        ("funding", "2018-04-03", "2026-08-06"),
        ("credit", "1999-01-05", "2025-10-02"),
    ]:
        present = whole.components[name].dropna().index
        assert (present[0], present[-1]) == (pd.Timestamp(first), pd.Timestamp(last))
        assert counts[name] >= ((days >= first) & (days <= last)).sum() - 20
    assert any(n.startswith("put/call: archive to 2019-10-04") for n in whole.notes)
    assert whole.sources["put_call"] == "Cboe put/call archive, then Cboe daily statistics"


@pytest.mark.parametrize("day", ["1999-03-05", "2008-10-10", "2019-10-08", "2024-10-14"])
def test_as_of_reproduces_the_day(real_data, whole, day):
    then = inputs(real_data, as_of=day)
    names = list(then.components)
    assert then.components.equals(whole.components.loc[:day, names])
    assert whole.components.loc[:day].drop(columns=names).isna().all(axis=None)
    score = hedge_score(then.components, then.spy).score
    assert score.equals(hedge_score(whole.components, whole.spy).score.loc[:day])


@pytest.mark.parametrize("weighting", ["reliability", "accuracy"])
def test_every_day_equals_the_slow_version(whole, weighting):
    got = hedge_score(whole.components, whole.spy, weighting=weighting)
    want = reference.gauge(
        whole.components, whole.spy, weighting=weighting, every_weight_from_scratch=False
    )
    for name in ("raw", "smoothed", "score"):
        assert_allclose(getattr(got, name), want[name], rtol=0, atol=1e-9)
    for name in whole.components:
        assert_allclose(got.component_scores[name], want[f"score_{name}"], rtol=0, atol=1e-9)
        assert_allclose(got.weights[name], want[f"weight_{name}"], rtol=0, atol=1e-12)
    bands = [b.astype(object).fillna("none").tolist() for b in (got.band, want["band"])]
    assert bands[0] == bands[1]


def test_the_vix_of_1990_counts_before_spy_trades(whole):
    """From Cboe's own file, by hand: low and high closes of 1990-01-02 to 1994-03-31."""
    scores = hedge_score(whole.components, whole.spy).component_scores
    vix = whole.components["vix"].loc[:"1994-03-31"]
    assert (vix.min(), vix.max(), vix.iloc[-1]) == (9.31, 36.47, 20.45)
    assert scores.loc["1994-03-31", "vix"] == pytest.approx(100 * (20.45 - 9.31) / (36.47 - 9.31))
    assert scores["vix"].first_valid_index() == vix.dropna().index[251]


def test_truncation_at_any_date_changes_no_earlier_score(whole):
    score = hedge_score(whole.components, whole.spy).smoothed
    for at in range(300, len(score), 401):
        cut = hedge_score(whole.components.iloc[:at], whole.spy.iloc[:at]).smoothed
        assert_array_equal(cut, score.iloc[:at])


def test_reliabilities_stay_near_a_half(whole):
    """SPEC says so of the real history, and that the weights are therefore nearly equal."""
    got = hedge_score(whole.components, whole.spy)
    last = got.reliability.iloc[-1]
    assert last.between(0.4, 0.75).all()
    shares = got.shares.loc["2024-06-03"]
    assert shares.between(0.8 / 7, 1.3 / 7).all()
    assert np.isclose(shares.sum(), 1.0)


def test_the_folder_alone_tells_the_same(real_data, whole):
    files = {"folder": "gauges", "spy": REAL["spy"]}
    got = gauge_inputs(files, Locations((real_data,)), credit=True, today=TODAY)
    assert got.components.equals(whole.components)
    assert "VVIX_History.csv" in " ".join(got.notes)
