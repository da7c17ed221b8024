"""The feature: each bar gets the gauge that was published before its session, and none later."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from pydantic import ValidationError

from gauge_market import DAYS, write_market
from hpi_bt import load_frame
from hpi_bt.config import validated
from hpi_bt.errors import InputError
from hpi_bt.features.gauge import GaugeFeature
from hpi_bt.sources.base import Locations
from hpi_bt.sources.hours import add_hours, session_close_stamps

FILES = {"folder": "gauges", "spy": "bars/SPY_daily_adjusted.csv"}
COLUMNS = ["gauge", "gauge_smoothed", "gauge_raw", "gauge_components"]
SCORES = ["gauge_vix", "gauge_term_structure", "gauge_curve", "gauge_drawdown"]


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    return write_market(tmp_path_factory.mktemp("market"))


@pytest.fixture(scope="module")
def where(market):
    return Locations((market,), market / "cache")


def daily(days=DAYS):
    """Bars that close with each session."""
    frame = pd.DataFrame({"close": 1.0}, session_close_stamps(days, "XNYS"))
    return described(frame, 1440.0)


def hourly(day, calendar="XNYS", zone="America/New_York", opens=9.5, hours=6):
    """Bars of one session, each an hour long."""
    stamps = [pd.Timestamp(day) + pd.Timedelta(hours=opens + 1 + k) for k in range(hours)]
    index = pd.DatetimeIndex(stamps).tz_localize(zone)
    return described(pd.DataFrame({"close": 1.0}, index), 60.0, calendar)


def described(frame, minutes, calendar="XNYS"):
    frame.attrs = {"symbol": "X", "bar_minutes": minutes, "calendar": calendar, "notes": []}
    return add_hours(frame, calendar, bar_minutes=minutes)


def test_a_bar_holds_the_row_of_the_session_before(where):
    feature = GaugeFeature(files=FILES)
    got = feature.add(daily(), where, "XNYS")
    _, result = feature.scored(where)
    assert list(got.columns[-8:]) == COLUMNS + SCORES
    for column, rows in (
        ("gauge", result.score),
        ("gauge_smoothed", result.smoothed),
        ("gauge_raw", result.raw),
        ("gauge_vix", result.component_scores["vix"]),
    ):
        assert np.isnan(got[column].iloc[0])
        assert_array_equal(got[column].to_numpy()[1:], rows.to_numpy()[:-1])
    assert got["gauge"].notna().sum() > 450
    assert got["gauge_components"].max() == 4.0


def test_every_bar_of_a_session_holds_the_same_row_from_the_first_on(where):
    feature = GaugeFeature(files=FILES)
    got = feature.add(hourly("2023-03-14"), where, "XNYS")  # Tuesday: Monday's row
    _, result = feature.scored(where)
    assert set(got["gauge"]) == {result.score["2023-03-13"]}


def test_before_new_yorks_open_another_exchange_knows_the_row_before(where):
    feature = GaugeFeature(files=FILES)
    _, result = feature.scored(where)
    bombay = hourly("2023-03-15", "XBOM", "Asia/Kolkata", 9.25)  # ends before New York opens
    got = feature.add(bombay, where, "XBOM")
    # Monday's row was published for Tuesday's open, which Bombay has seen; Tuesday's was not
    assert set(got["gauge"]) == {result.score["2023-03-13"]}


def test_what_comes_later_changes_no_earlier_bar(market, where, tmp_path):
    whole = GaugeFeature(files=FILES).add(daily(), where, "XNYS")

    @settings(max_examples=6, deadline=None)
    @given(st.integers(300, len(DAYS) - 2))
    def check(at):
        cut = write_market(tmp_path, until=f"{DAYS[at]:%Y-%m-%d}")
        then = GaugeFeature(files=FILES).add(
            daily(DAYS[: at + 2]), Locations((cut,), cut / "cache"), "XNYS"
        )
        pd.testing.assert_frame_equal(then, whole.iloc[: at + 2], check_exact=True)

    check()


def test_a_gauge_that_ends_is_unknown_after_max_age_days(where):
    late = pd.DatetimeIndex([*DAYS[-3:], *pd.to_datetime(["2024-01-02", "2024-01-09"]),
                             pd.Timestamp("2024-01-10")])  # fmt: skip
    got = GaugeFeature(files=FILES).add(daily(late), where, "XNYS")["gauge"]
    # the last row is known on 2024-01-02 at 9:30: seven days later at 16:00 it is too old
    assert list(got.isna()) == [False, False, False, False, True, True]
    got = GaugeFeature(files=FILES, max_age_days=None).add(daily(late), where, "XNYS")["gauge"]
    assert got.notna().all()


def test_settings_reach_the_gauge(where):
    plain = GaugeFeature(files=FILES, smoothing=1.0).add(daily(), where, "XNYS")
    assert_array_equal(plain["gauge_smoothed"], plain["gauge_raw"])
    short = GaugeFeature(files=FILES, min_history=20).add(daily(), where, "XNYS")
    assert short["gauge"].notna().sum() > plain["gauge"].notna().sum() + 200


def test_notes_name_what_was_noticed_but_not_how_the_files_end(where, market, tmp_path):
    cut = write_market(tmp_path, until="2023-12-29")
    path = cut / "gauges" / "VIX_History.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-30]))
    (cut / "gauges" / "other.csv").write_text("DATE,VVIX\n03/06/2006,71.73\n")
    got = GaugeFeature(files=FILES).add(daily(), Locations((cut,), cut / "c"), "XNYS")
    assert got.attrs["notes"] == ["gauge: no input of the gauge, ignored: other.csv"]
    assert np.isnan(got["gauge_vix"].iloc[-1])  # a row counts as a whole
    assert got["gauge_components"].iloc[-1] == 2.0


def test_the_pages_say_when_it_is_known_and_what_cash_earns():
    said = dict(GaugeFeature(files=FILES).assumptions())
    assert said == {
        "Gauge": "of a session's close, known at the next session's open; on daily bars an order "
        "sent on it fills at the open after that",
        "Idle cash": "earns nothing",
    }


def test_two_of_them_are_refused(where):
    feature = GaugeFeature(files=FILES)
    once = feature.add(daily(), where, "XNYS")
    with pytest.raises(InputError, match="column 'gauge' is already there; remove one"):
        feature.add(once, where, "XNYS")


@pytest.mark.parametrize(
    "bad",
    [{"weighting": "best"}, {"product": "all"}, {"smoothing": 0}, {"min_history": 1},
     {"horizon": 0}, {"fires_at": 101}, {"event_drawdown": 1.0}, {"floor": 0}, {"widow": 3}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(ValidationError):
        GaugeFeature(**bad)


def test_a_config_adds_the_columns(market):
    config = {
        "name": "x",
        "data": {
            "source": {"kind": "csv", "path": "bars/SPY_daily_adjusted.csv", "symbol": "SPY"},
            "start": "2023-01-03",
        },
        "features": [{"kind": "gauge", "files": FILES}],
        "strategy": {"class": "strategies/gauge_overlay.py:GaugeOverlay"},
    }
    frame = load_frame(config, data_dir=market)
    assert frame["gauge"].notna().all()
    assert f"{frame.index[0]:%Y-%m-%d}" == "2023-01-03"
    config["features"] = [{"kind": "gage"}]
    with pytest.raises(InputError, match="features"):
        validated(config, "config")
