"""How many sessions a year has: those with bars per elapsed year; of few, what is usual."""

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
def test_a_calendar_says_its_year_where_bars_are_too_few_to_show_it(calendar, year):
    month = pd.date_range("2024-03-04", periods=20, freq="B")
    assert sessions_per_year(bars(month, calendar, a_day=3)) == year
    assert sessions_per_year(bars(month[:1], calendar)) == year
    assert sessions_per_year(bars([], calendar)) == year


def test_a_calendars_count_is_the_mean_of_ten_years_of_it():
    with warnings.catch_warnings():  # exchange_calendars 4.13 under pandas 3.1
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        known = xc.get_calendar("XLON", start="2015-01-01", end="2024-12-31").sessions
    assert sessions_per_year(bars(known[:20], "XLON")) == round(len(known) / 10)
    assert len(calendar_sessions("XLON", 2015, 2024)) == len(known)


@pytest.mark.parametrize("calendar", ["", "XNYS", "24/7", "no such"])
def test_sessions_with_bars_per_elapsed_year_whatever_the_calendar(calendar):
    # 521 sessions of 2,191 days between the first and the last: four of six years have none
    two = days("2018-01-01")
    two = two[(two.day_of_week < 5) & two.year.isin([2018, 2023])][:521]
    elapsed = (two[-1] - two[0]).days / 365.2425
    assert sessions_per_year(bars(two, calendar, a_day=2)) == pytest.approx(521 / elapsed)
    every = days()
    assert sessions_per_year(bars(every, calendar)) == pytest.approx(365.44, abs=0.01)


@pytest.mark.parametrize(
    ("freq", "year"), [("W", 52), ("W-MON", 52), ("BME", 12), ("ME", 12), ("QE", 4), ("YE", 1)]
)
@pytest.mark.parametrize("calendar", ["", "XNYS", "24/7"])
@pytest.mark.parametrize("n", [4, 15, 60])
def test_weekly_and_longer_bars_have_as_many_as_there_are(freq, year, calendar, n):
    dates = pd.date_range("1960-01-01", periods=n, freq=freq)
    assert sessions_per_year(bars(dates, calendar)) == pytest.approx(year, rel=0.025)


def test_of_few_sessions_without_a_calendar_the_days_of_the_week_tell_the_market():
    every = days("2020-01-01", "2020-01-20")
    assert sessions_per_year(bars(every)) == 365
    assert sessions_per_year(bars(every[every.day_of_week != 5])) == 313
    assert sessions_per_year(bars(every[every.day_of_week < 5])) == 252
    stray = every[(every.day_of_week < 5) | (every == "2020-01-11")]  # a Saturday's test session
    assert sessions_per_year(bars(stray)) == 252


@given(
    st.lists(st.integers(730_000, 740_000), max_size=40, unique=True), st.sampled_from(["", "24/7"])
)
def test_a_year_is_at_least_one_session_and_at_most_every_day(ordinals, calendar):
    frame = pd.DataFrame({"session": np.sort(np.array(ordinals, dtype=float))})
    frame.attrs = {"calendar": calendar}
    assert 1 <= sessions_per_year(frame) <= 400
