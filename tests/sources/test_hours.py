from __future__ import annotations

import time
from datetime import date

import exchange_calendars
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.errors import InputError, Severity
from hpi_bt.sources import calendars
from hpi_bt.sources.hours import (
    add_hours,
    add_notes,
    bar_closes,
    calendar_zone,
    next_sessions,
    session_bounds,
    session_close_stamps,
    session_ordinals,
)


def frame_at(*stamps: str, zone: str = "America/New_York") -> pd.DataFrame:
    index = pd.DatetimeIndex([pd.Timestamp(s, tz=zone) for s in stamps], name="close_time")
    return pd.DataFrame({"close": 1.0}, index=index.as_unit("ns"))


def test_a_bar_knows_its_place_in_the_session_on_full_and_half_days():
    frame = frame_at("2024-11-27 09:35", "2024-11-27 16:00", "2024-11-29 12:55")
    out = add_hours(frame, "XNYS", bar_minutes=5)
    # Friday after Thanksgiving closes at 13:00
    assert_array_equal(out["minutes_open"], [5.0, 390.0, 205.0])
    assert_array_equal(out["minutes_left"], [385.0, 0.0, 5.0])
    assert_array_equal(out["slot"], [0.0, 77.0, 40.0])
    assert out["session"].iloc[2] == date(2024, 11, 29).toordinal()
    assert list(out.dtypes) == [np.dtype("float64")] * 5


def test_slots_may_be_longer_than_bars():
    out = add_hours(frame_at("2024-11-27 10:00", "2024-11-27 10:01"), "XNYS", bar_minutes=1)
    wide = add_hours(out, "XNYS", bar_minutes=1, slot_minutes=30)
    assert_array_equal(wide["slot"], [0.0, 1.0])


def test_daylight_saving_moves_utc_but_not_the_minutes_of_the_session():
    frame = frame_at("2024-03-08 15:00", "2024-03-11 14:00", zone="UTC")  # Friday EST, Monday EDT
    assert_array_equal(add_hours(frame, "XNYS", bar_minutes=5)["minutes_open"], [30.0, 30.0])


def test_a_futures_session_opens_on_the_evening_before():
    frame = frame_at(
        "2024-03-10 17:05", "2024-03-11 17:00", "2024-03-11 17:05", zone="America/Chicago"
    )
    out = add_hours(frame, "CMES", bar_minutes=5)
    assert_array_equal(out["session"] - date(2024, 3, 11).toordinal(), [0.0, 0.0, 1.0])
    assert_array_equal(out["minutes_open"], [5.0, 1440.0, 5.0])
    assert_array_equal(out["minutes_left"], [1375.0, -60.0, 1375.0])  # trading ends at 16:00


def test_a_close_at_midnight_ends_the_day_before():
    out = add_hours(frame_at("2024-03-11 00:00", zone="UTC"), "24/7", bar_minutes=60)
    assert out["session"].item() == date(2024, 3, 10).toordinal()
    assert out["minutes_left"].item() == 0.0


def test_a_date_that_the_calendar_lacks_keeps_usual_hours_and_is_counted():
    frame = frame_at("2026-02-01 09:20", "2026-02-02 09:20", zone="Asia/Kolkata")
    out = add_hours(frame, "XBOM", bar_minutes=5, outside="drop")
    assert_array_equal(out["minutes_open"], [5.0, 5.0])
    assert out.attrs["notes"] == [
        "1 session not in calendar XBOM kept with usual hours: 2026-02-01"
    ]


def test_years_before_the_calendar_keep_usual_hours_of_their_time():
    stamps = session_close_stamps(pd.DatetimeIndex(["1990-01-02", "2030-01-02"]), "XBOM")
    assert [f"{s:%H:%M}" for s in stamps] == ["15:30", "15:30"]
    # Hong Kong opened at 10:00 until 2011-03-06; both dates are Sundays
    days = np.array([date(2011, 2, 27).toordinal(), date(2011, 3, 13).toordinal()])
    opens, _, known = session_bounds(days, "XHKG")
    local = pd.DatetimeIndex(opens.astype("M8[ns]")).tz_localize("UTC").tz_convert("Asia/Hong_Kong")
    assert not known.any()
    assert [f"{s:%H:%M}" for s in local] == ["10:00", "09:30"]


def test_a_long_list_of_unknown_dates_is_cut():
    days = [f"2024-06-{day:02d} 12:00" for day in (1, 2, 8, 9, 15, 16)]
    (note,) = add_hours(frame_at(*days), "XNYS", bar_minutes=5).attrs["notes"]
    assert note.text.startswith("6 sessions not in calendar XNYS")
    assert note.endswith("2024-06-15, ... (100% of all; give the market's own as data.calendar)")
    assert note.severity is Severity.WARNING


def test_a_few_unknown_dates_are_no_warning():
    days = [f"2024-06-{day:02d} 12:00" for day in range(3, 29)]
    usual = [day for day in days if pd.Timestamp(day).day_of_week < 5 and "06-19" not in day]
    (note,) = add_hours(frame_at("2024-06-01 12:00", *usual), "XNYS", bar_minutes=5).attrs["notes"]
    assert note.severity is Severity.INFO


def test_bars_outside_hours_stay_with_their_date_or_are_dropped_and_counted():
    frame = frame_at("2024-11-29 09:30", "2024-11-29 13:00", "2024-11-29 13:05")
    kept = add_hours(frame, "XNYS", bar_minutes=5)
    assert_array_equal(kept["minutes_open"], [0.0, 210.0, 215.0])
    assert_array_equal(kept["session"], [date(2024, 11, 29).toordinal()] * 3)
    left = add_hours(frame, "XNYS", bar_minutes=5, outside="drop")
    assert_array_equal(left["minutes_left"], [0.0])
    assert left.attrs["notes"][-1] == "2 bars outside XNYS hours dropped"


@pytest.mark.filterwarnings("ignore:Series.values returning:DeprecationWarning")
@pytest.mark.parametrize(("name", "first"), [("XNYS", "1985"), ("XLON", "2015"), ("IEPA", "2015")])
def test_closes_agree_with_the_calendar_itself(name: str, first: str):
    schedule = exchange_calendars.get_calendar(
        name, start=f"{first}-01-01", end="2023-12-31"
    ).schedule
    stamps = session_close_stamps(pd.DatetimeIndex(schedule.index), name)
    assert (stamps == pd.DatetimeIndex(schedule["close"])).all()
    assert_array_equal(session_ordinals(stamps, name), [d.toordinal() for d in schedule.index])


@given(
    minutes=st.integers(1, 720),
    at=st.lists(st.integers(0, 60 * 24 * 30), min_size=1, max_size=40, unique=True).map(sorted),
    calendar=st.sampled_from(["XNYS", "CMES", "24/7"]),
)
def test_a_bar_closes_at_or_after_what_it_holds_and_keeps_order_and_session(minutes, at, calendar):
    start = pd.Timestamp("2024-11-15", tz="UTC")
    stamps = (start + pd.to_timedelta(at, unit="min")).as_unit("ns")
    closes = bar_closes(stamps, calendar, minutes)
    assert (closes >= stamps).all()
    assert closes.is_monotonic_increasing
    assert (closes - stamps < pd.Timedelta(minutes=minutes)).all()
    assert_array_equal(session_ordinals(closes, calendar), session_ordinals(stamps, calendar))


def test_the_next_session_is_the_calendars_or_one_that_the_data_has():
    friday, sunday, monday = (date(2026, *md).toordinal() for md in ((1, 30), (2, 1), (2, 2)))
    after = next_sessions(np.array([friday]), np.array([friday]), "XBOM")
    assert_array_equal(after, [monday])
    after = next_sessions(np.array([friday]), np.array([friday, sunday]), "XBOM")
    assert_array_equal(after, [sunday])
    far = np.array([date(2031, 5, 5).toordinal()])  # past what the calendar records
    assert_array_equal(next_sessions(far, far, "XBOM"), far + 1)


def test_notes_are_kept_once_and_the_input_is_left_alone():
    frame = frame_at("2024-11-29 09:35")
    out = add_notes(add_notes(frame, "a"), "a", "b")
    assert out.attrs["notes"] == ["a", "b"]
    assert frame.attrs == {}


def test_bars_and_the_zone_near_them_take_one_calendar():
    bars = pd.date_range("2023-03-01 15:00", periods=9, freq="h", tz="UTC")
    calendars.schedule_of.cache_clear()
    assert calendar_zone("XNYS", bars) == "America/New_York"
    session_ordinals(bars, "XNYS")
    assert calendars.schedule_of.cache_info().misses == 1
    assert calendar_zone("XNYS") == "America/New_York"  # without bars, that of any year
    assert calendar_zone("XTKS", bars[:0]) == "Asia/Tokyo"


def test_an_unknown_calendar_is_refused_with_the_nearest_name():
    with pytest.raises(InputError, match=r"no exchange calendar 'XNYSE'.*did you mean 'XNYS'"):
        add_hours(frame_at("2024-11-29 09:35"), "XNYSE", bar_minutes=5)


@pytest.mark.real_data
def test_a_calendar_that_cannot_be_made_is_refused(monkeypatch):
    def fails(*_: object) -> None:
        raise ValueError("Special dates are not sessions")

    monkeypatch.setattr(calendars, "_fabricate", fails)
    with pytest.raises(InputError, match=r"cannot make 'XTAE' \(Special dates .*data\.hours"):
        calendars.schedule_of("XTAE", 2011, 2012)


def test_real_minutes_lie_within_their_sessions(real_data):
    path = real_data / "bars/SPY_1m_2024-03_2025-04.parquet"
    stamps = pd.DatetimeIndex(pd.read_parquet(path, columns=["timestamp"])["timestamp"])
    frame = pd.DataFrame({"close": 1.0}, index=stamps + pd.Timedelta(minutes=1))
    begin = time.perf_counter()
    out = add_hours(frame, "XNYS", bar_minutes=1, outside="drop")
    assert time.perf_counter() - begin < 2.0  # 102,236 bars
    per_session = out.groupby("session")["minutes_open"]
    assert_allclose(per_session.min(), 1.0)
    assert out["session"].nunique() == 256
    assert out["minutes_left"].min() == 0.0
    assert out["slot"].max() == 389.0
