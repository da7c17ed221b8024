from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.errors import InputError
from hpi_bt.sources.base import Locations
from hpi_bt.sources.build import build_frame
from hpi_bt.sources.frame import (
    describe,
    is_flow,
    resample,
    shift_open_interest,
    validate_frame,
)
from hpi_bt.sources.hours import add_hours

HERE = Locations()


def bars(stamps, zone="America/New_York", **columns) -> pd.DataFrame:
    index = pd.DatetimeIndex([pd.Timestamp(s, tz=zone) for s in stamps], name="close_time")
    base = {"open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 100.0}
    frame = pd.DataFrame({**base, **columns}, index=index.as_unit("ns"))
    return describe(frame, symbol="T", bar_minutes=5, calendar="XNYS")


def session(n: int = 78, day: str = "2024-11-27", **columns) -> pd.DataFrame:
    stamps = pd.date_range(f"{day} 09:35", periods=n, freq="5min").strftime("%Y-%m-%d %H:%M")
    return bars(stamps, **columns)


def test_a_sound_frame_is_accepted():
    validate_frame(session(), name="T", required=("volume",), longest_lookback=78)


def broken(column: str, value: float) -> pd.DataFrame:
    frame = session(3, put_oi=1.0)
    frame.loc[frame.index[1], column] = value
    return frame


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (session(0), r"f: no bars"),
        (session(3).tz_localize(None), r"f: the index holds .*tz-aware.*timezone"),
        (session(3).iloc[[0, 2, 1]], r"f: row 3 \(2024-11-27 09:40.*is older.*sort: true"),
        (session(3).iloc[[0, 1, 1]], r"f: row 3 repeats the stamp 2024-11-27 09:40"),
        (broken("high", 8.0), r"f: high 8 is below low 9 at 2024-11-27 09:40.*bad_bars"),
        (broken("open", 12.5), r"f: open 12.5 lies outside low 9 .. high 12 at .*09:40"),
        (broken("close", 8.5), r"f: close 8.5 lies outside low 9 .. high 12 at .*09:40"),
        (broken("low", np.nan), r"f: row 2, low is nan at .*09:40.*wanted a price"),
        (broken("open", np.inf), r"f: row 2, open is inf at .*09:40"),
        (broken("volume", -1.0), r"f: row 2, volume is -1 at .*09:40.*wanted 0 or more"),
        (session(3, put_volume=-2.0, put_oi=1.0), r"f: row 1, put_volume is -2"),
        (
            session(3, put_oi=1.0).drop(columns="high"),
            r"f: no column 'high' \(found: open, low, close",
        ),
        (session(3), r"f: no column 'put_oi' \(found: .*volume\).*columns"),
        (session(3, put_oi=np.nan), r"f: column 'put_oi' is blank in all 3 bars"),
        (session(3, put_oi=1.0), r"f: 3 bars, but the longest look-back is 4"),
    ],
)
def test_a_faulty_frame_is_refused_with_its_place_and_remedy(frame, message):
    with pytest.raises(InputError, match=message) as caught:
        validate_frame(frame, name="f", required=("put_oi",), longest_lookback=4)
    assert "\n" not in str(caught.value)


def test_the_last_digits_of_adjusted_prices_do_not_matter():
    validate_frame(session(1, close=12.0 * (1 + 1e-12)), name="f")


def test_resampling_takes_first_highest_lowest_last_and_sums_amounts():
    frame = session(
        3,
        open=[1.0, 2.0, 3.0],
        high=[4.0, 9.0, 5.0],
        low=[0.5, 1.0, 0.2],
        close=[2.0, 3.0, 4.0],
        put_volume=[1.0, np.nan, np.nan],
        put_oi=[5.0, 6.0, np.nan],
    )
    out = resample(frame, 10)
    assert [f"{s:%H:%M}" for s in out.index] == ["09:40", "09:50"]  # half filled, full label
    assert_array_equal(out[["open", "high", "low", "close"]].iloc[0], [1.0, 9.0, 0.5, 3.0])
    assert_array_equal(out["volume"], [200.0, 100.0])
    assert_array_equal(out["put_volume"], [1.0, np.nan])
    assert_array_equal(out["put_oi"], [6.0, np.nan])
    assert out.attrs["bar_minutes"] == 10.0


def test_resampled_bars_start_at_the_open_and_stop_at_the_close():
    frame = add_hours(session(81), "XNYS", bar_minutes=5)  # three bars after the close
    out = resample(frame, 60)
    assert [f"{s:%H:%M}" for s in out.index[-3:]] == ["15:30", "16:00", "17:00"]
    assert_array_equal(out["volume"].iloc[-3:], [1200.0, 600.0, 300.0])
    assert_array_equal(out["minutes_left"].iloc[-2:], [0.0, -60.0])


def test_daily_bars_hold_the_hours_of_their_session_alone():
    before, day = bars(["2024-11-27 09:30"], volume=7.0), session(81)
    frame = pd.concat([before, day])
    frame.attrs = day.attrs
    out = resample(frame, 1440)
    assert [str(s) for s in out.index] == ["2024-11-27 16:00:00-05:00"]
    assert out["volume"].item() == 7800.0
    assert out.attrs["notes"] == ["4 bars outside XNYS hours left out of daily bars"]


@pytest.mark.parametrize("minutes", [3, 7, 2880])
def test_bars_that_do_not_fit_are_refused(minutes):
    with pytest.raises(InputError, match=r"wanted a multiple of 5 up to 1440"):
        resample(session(), minutes)


@given(
    st.lists(st.integers(0, 200), min_size=1, max_size=50, unique=True).map(sorted),
    st.integers(1, 40),
    st.randoms(),
)
def test_resampling_keeps_every_share_and_extreme_and_never_crosses_sessions(at, factor, random):
    stamps = pd.Timestamp("2024-11-27 15:00", tz="America/New_York") + pd.to_timedelta(
        np.array(at) * 30, unit="min"
    )
    high = [random.uniform(12, 20) for _ in at]
    frame = bars(stamps.tz_localize(None).astype(str), high=high, volume=np.arange(len(at)) + 1.0)
    frame = add_hours(frame, "XNYS", bar_minutes=5)
    out = resample(frame, 5 * factor)
    old, new = frame.groupby("session"), out.groupby("session")
    assert_allclose(new["volume"].sum(), old["volume"].sum())
    assert_allclose(new["high"].max(), old["high"].max())
    assert_allclose(new["close"].last(), old["close"].last())
    assert out.index.is_monotonic_increasing
    assert out.index.is_unique


def test_resampling_agrees_with_pandas_where_the_grid_is_the_same():
    rng = np.random.default_rng(1)
    frame = session(72, volume=rng.uniform(size=72), close=rng.uniform(9, 12, 72))
    by_pandas = frame.resample("30min", label="right", closed="right")
    out = resample(frame, 30)
    assert_allclose(out["volume"], by_pandas["volume"].sum(), rtol=1e-14)
    assert_array_equal(out["close"], by_pandas["close"].last())
    assert_array_equal(out.index, by_pandas["close"].last().index)


def test_open_interest_of_the_prior_close_moves_to_the_next_session():
    days = bars(
        ["2024-11-26 16:00", "2024-11-27 16:00", "2024-11-29 13:00"], openinterest=[5.0, 6.0, 7.0]
    )
    assert_array_equal(shift_open_interest(days, "prior_close")["openinterest"], [np.nan, 5.0, 6.0])
    assert shift_open_interest(days, "pre_open") is days


def test_the_last_open_interest_of_a_session_serves_the_whole_next_one():
    frame = bars(
        ["2024-11-26 10:00", "2024-11-26 11:00", "2024-11-27 10:00", "2024-11-27 11:00"],
        put_oi=[1.0, 2.0, 3.0, 4.0],
    )
    out = shift_open_interest(frame, "prior_close")
    assert_array_equal(out["put_oi"], [np.nan, np.nan, 2.0, 2.0])
    assert out.attrs["notes"] == ["put_oi moved to the next session (prior_close)"]


@pytest.mark.parametrize(
    ("column", "flow"),
    [("volume", True), ("put_volume", True), ("hedge_delta_flow", True), ("put_oi", False)],
)
def test_amounts_are_told_from_states_by_name(column, flow):
    assert is_flow(column) is flow


def test_building_gives_the_whole_contract():
    frame = build_frame(
        session(81).tz_convert("UTC").rename_axis("x").assign(volume=100),
        calendar="XNYS",
        where=HERE,
        outside="drop",
        resample_minutes=30,
        slot_minutes=60,
        required=("volume",),
        longest_lookback=13,
    )
    assert frame.index.name == "close_time"
    assert str(frame.index.tz) == "America/New_York"
    assert str(frame.index.dtype).startswith("datetime64[ns")
    assert (frame.dtypes == "float64").all()
    assert_array_equal(frame["slot"], np.repeat(np.arange(7.0), 2)[:13])
    assert frame.attrs == {
        "symbol": "T",
        "bar_minutes": 30.0,
        "calendar": "XNYS",
        "demo": "",
        "notes": ["1 bar outside XNYS hours dropped"],
    }


def test_building_refuses_what_is_required_and_lacking():
    with pytest.raises(InputError, match=r"^T: no column 'put_oi'"):
        build_frame(session(), calendar="XNYS", where=HERE, required=("put_oi",))


@pytest.mark.parametrize(
    ("column", "feature"),
    [("hedge_impulse", "hedge_flow"), ("put_gamma_volume", "gamma_volume"), ("gauge", "gauge")],
)
def test_a_column_that_a_feature_makes_is_asked_of_the_config(column, feature):
    with pytest.raises(InputError, match=rf"no column '{column}' .*features: \[{{kind: {feature}"):
        validate_frame(session(3), name="f", required=(column,), longest_lookback=1)
