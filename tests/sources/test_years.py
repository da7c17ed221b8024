"""How many sessions a year has: conventions, counts of calendars, and what the bars hold."""

import warnings

import exchange_calendars as xc
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpi_bt.sources.hours import calendar_sessions
from hpi_bt.sources.years import sessions_per_year


def bars(dates, calendar="", a_day=1):
    sessions = [float(d.toordinal()) for d in dates for _ in range(a_day)]
    frame = pd.DataFrame({"session": sessions})
    frame.attrs = {"calendar": calendar} if calendar else {}
    return frame


def days(first="2020-01-01", last="2024-12-31", freq="D"):
    return pd.date_range(first, last, freq=freq)


@pytest.mark.parametrize(
    ("calendar", "year"),
    [("XNYS", 252), ("NASDAQ", 252), ("24/7", 365), ("CMES", 258), ("XBOM", 246)],
)
def test_a_calendar_says_its_year_however_few_the_bars(calendar, year):
    month = pd.date_range("2024-03-04", periods=20, freq="B")
    assert sessions_per_year(bars(month, calendar, a_day=3)) == year
    assert sessions_per_year(bars(month[:1], calendar)) == year
    assert sessions_per_year(bars([], calendar)) == year


def test_a_calendars_count_is_the_mean_of_ten_years_of_it():
    with warnings.catch_warnings():  # exchange_calendars 4.13 under pandas 3.1
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        known = xc.get_calendar("XLON", start="2015-01-01", end="2024-12-31").sessions
    assert sessions_per_year(bars(known[:50], "XLON")) == round(len(known) / 10)
    assert len(calendar_sessions("XLON", 2015, 2024)) == len(known)


@pytest.mark.parametrize(
    ("freq", "year"), [("W", 52), ("W-MON", 52), ("BME", 12), ("ME", 12), ("QE", 4), ("YE", 1)]
)
@pytest.mark.parametrize("calendar", ["", "XNYS", "24/7"])
def test_weekly_and_longer_bars_have_as_many_as_there_are(freq, year, calendar):
    assert sessions_per_year(bars(days("2010-01-01", freq=freq), calendar)) == year


def test_without_a_calendar_the_days_of_the_week_tell_the_market():
    every = days()
    assert sessions_per_year(bars(every)) == 365
    assert sessions_per_year(bars(every[every.day_of_week != 5])) == 313
    assert sessions_per_year(bars(every[every.day_of_week < 5])) == 252
    stray = every[
        (every.day_of_week < 5) | (every == "2022-02-05")
    ]  # a Saturday with a test session
    assert sessions_per_year(bars(stray)) == 252


def test_bars_that_lack_a_calendars_half_holidays_count_their_own_year():
    known = calendar_sessions("CMES", 2000, 2018)
    dates = pd.DatetimeIndex(known.astype("M8[D]").astype("M8[ns]"))
    fewer = np.ones(len(dates), dtype=bool)
    fewer[::37] = False  # 251 of 258 a year are left
    assert sessions_per_year(bars(dates, "CMES")) == 258
    assert sessions_per_year(bars(dates[fewer], "CMES")) == 252
    assert sessions_per_year(bars(dates[np.arange(len(dates)) % 20 > 0], "CMES")) == 245
    assert sessions_per_year(bars(dates[fewer][:200], "CMES")) == 258  # too short to tell


def test_bars_with_long_holes_keep_the_year_of_their_calendar():
    dates = days("2018-01-01")
    assert sessions_per_year(bars(dates[(dates.month < 7)], "24/7")) == 365
    business = pd.bdate_range("2018-01-01", "2024-12-31")
    assert sessions_per_year(bars(business[np.arange(len(business)) % 20 > 0], "XNYS")) == 252


def test_a_calendar_that_cannot_count_leaves_it_to_the_bars():
    assert sessions_per_year(bars(pd.bdate_range("2024-01-01", periods=30), "no such")) == 252


@given(
    st.lists(st.integers(730_000, 740_000), max_size=40, unique=True), st.sampled_from(["", "24/7"])
)
def test_a_year_is_at_least_one_session_and_at_most_every_day(ordinals, calendar):
    frame = pd.DataFrame({"session": np.sort(np.array(ordinals, dtype=float))})
    frame.attrs = {"calendar": calendar}
    assert 1 <= sessions_per_year(frame) <= 365
