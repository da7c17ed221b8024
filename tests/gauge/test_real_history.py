from __future__ import annotations

import re
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


#: Last date of each file that could be had before the open after a session, by hand: prices and
#: ratios of the day itself, Treasury's yields the same evening, SOFR at 8:00 and H.15 at 16:15 of
#: the next business day, the spread at 10:00 of it, half an hour after the open.
PUBLISHED = {
    # Columbus Day: shares trade on the 13th, and bonds rest
    "2008-10-10": {"treasury": "2008-10-10", "y10": "2008-10-09", "oas": "2008-10-09"},
    # a Wednesday, then Independence Day
    "2019-07-03": {
        "treasury": "2019-07-03", "sofr": "2019-07-03", "y10": "2019-07-02", "oas": "2019-07-02"
    },
    "2023-03-15": {
        "treasury": "2023-03-15", "sofr": "2023-03-15", "y10": "2023-03-14", "oas": "2023-03-14"
    },
    # Friday before Columbus Day: SOFR of that day comes on the Tuesday
    "2024-10-11": {
        "treasury": "2024-10-11", "sofr": "2024-10-10", "y10": "2024-10-10", "oas": "2024-10-10"
    },
    # after Treasury's files: the bill is FRED's, a day late, and SOFR waits for it
    "2026-03-04": {"sofr": "2026-03-03", "y10": "2026-03-03"},
}  # fmt: skip
DATED = {"curve": "treasury", "funding": "sofr", "credit": "oas"}


def cut(source, target, last):
    """Write the lines of an official file up to a day; what has no date stays."""
    lines = []
    for line in source.read_text(encoding="utf-8-sig").splitlines():
        day = line.split(",")[0].strip('"')[: None if "/" in line[:10] else 10]
        known = re.match(r"\d+[-/]\d+[-/]\d+", day)
        if not known or pd.Timestamp(day) <= pd.Timestamp(last):
            lines.append(line)
    target.parent.mkdir(exist_ok=True)
    target.write_text("\n".join([*lines, ""]))
    return any(re.match(r"\d+[-/]\d+[-/]\d+", line) for line in lines)


@pytest.mark.parametrize("day", PUBLISHED)
def test_the_files_of_a_day_make_the_row_of_the_whole_files(real_data, whole, tmp_path, day):
    """Raw files cut by hand: a rule of publication that is too early or too late fails."""
    ends = PUBLISHED[day] | {"t10y3m": PUBLISHED[day]["y10"]}
    files = {}
    for series, paths in REAL.items():
        for path in [paths] if isinstance(paths, str) else paths:
            if cut(real_data / path, tmp_path / path, ends.get(series, day)):
                files.setdefault(series, []).append(path)
    then = gauge_inputs(files, Locations((tmp_path,)), credit=True, today=date.fromisoformat(day))
    names = list(then.components)
    pd.testing.assert_frame_equal(then.components, whole.components.loc[:day, names])
    for name, last in then.data_dates.iloc[-1].items():
        ended = day > "2026" and name in ("curve", "credit")
        assert pd.isna(last) if ended else last == pd.Timestamp(ends.get(DATED.get(name, ""), day))
    score = hedge_score(then.components, then.spy).smoothed
    assert score.equals(hedge_score(whole.components, whole.spy).smoothed.loc[:day])


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


def test_the_weights_of_the_real_history_are_not_always_nearly_equal(whole):
    """Their range over every scored row; only in the last years do they lie close together."""
    got = hedge_score(whole.components, whole.spy)
    scored = got.reliability.where(got.component_scores.notna())
    assert scored.min().min() == pytest.approx(0.306, abs=5e-4)
    assert scored.max().max() == pytest.approx(0.806, abs=5e-4)
    several = scored[scored.notna().sum(axis=1) > 1]
    assert (several.max(axis=1) / several.min(axis=1)).max() == pytest.approx(2.3, abs=0.05)
    plain = got.component_scores.mean(axis=1)
    assert (plain - got.raw).abs().max() > 5.0
    assert several.iloc[-1].dropna().between(0.5, 0.6).all()
    shares = got.shares.loc["2024-06-03"]
    assert shares.between(0.8 / 7, 1.3 / 7).all()
    assert np.isclose(shares.sum(), 1.0)


def test_the_folder_alone_tells_the_same(real_data, whole):
    files = {"folder": "gauges", "spy": REAL["spy"]}
    got = gauge_inputs(files, Locations((real_data,)), credit=True, today=TODAY)
    assert got.components.equals(whole.components)
    assert "VVIX_History.csv" in " ".join(got.notes)
