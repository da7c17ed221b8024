from __future__ import annotations

from datetime import date, time

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpi_bt.errors import InputError
from hpi_bt.options import expiry_time
from hpi_bt.options.expiries import clean_symbol, exchange_zone, timestamp_of

THIRD_FRIDAY, ANY_FRIDAY = "2023-09-15", "2023-09-22"
days = st.dates(date(2005, 1, 1), date(2030, 12, 31))


def at(dates, **options) -> list[str]:
    return [f"{moment:%Y-%m-%d %H:%M %Z}" for moment in expiry_time(dates, **options)]


def test_worked_example_of_roots_on_a_third_friday():
    got = at([THIRD_FRIDAY, THIRD_FRIDAY, ANY_FRIDAY], root=["SPX", "SPXW", "SPX"])
    assert got == ["2023-09-15 09:30 EDT", "2023-09-15 16:00 EDT", "2023-09-22 16:00 EDT"]


@pytest.mark.parametrize(
    ("symbol", "hour"), [("SPX", 9), ("^SPX", 9), ("ndx", 9), ("SPXW", 16), ("IWM", 16), ("", 16)]
)
def test_a_symbol_alone_decides_on_third_fridays(symbol, hour):
    assert expiry_time([THIRD_FRIDAY], symbol=symbol)[0].hour == hour


def test_volatility_options_settle_in_the_morning_of_every_date():
    wednesday, friday = "2023-09-20", "2023-09-22"
    got = at([wednesday, wednesday, friday], root=["VIX", "VIXW", "^VIX"])
    assert got == ["2023-09-20 09:30 EDT", "2023-09-20 09:30 EDT", "2023-09-22 09:30 EDT"]
    assert at([wednesday], symbol="VIX", settlement=["pm"]) == ["2023-09-20 16:00 EDT"]
    assert at([wednesday], symbol="VIXY") == ["2023-09-20 16:00 EDT"]  # a fund


@pytest.mark.parametrize("word", ["now", "today", " NOW", "10:00", "10:26", "Sep 15", "", "NaT"])
def test_words_that_the_clock_would_fill_in_are_no_dates(word):
    assert timestamp_of(word) is None
    with pytest.raises(InputError, match=r"^expiry: .* is no date; give dates such as 2023-09-15$"):
        expiry_time([THIRD_FRIDAY, word])


@settings(deadline=None)
@given(days)
def test_dates_are_read_in_whatever_way_they_are_written(day):
    forms = (str(day), f"{day:%Y%m%d}", f"{day:%d %b %Y}", f"{day} 16:00", day)
    assert {timestamp_of(form).date() for form in forms} == {day}


def test_settlement_goes_before_the_root_and_an_empty_one_falls_back_to_it():
    got = expiry_time([THIRD_FRIDAY] * 3, symbol="SPX", settlement=["pm", "", "am"])
    assert [moment.hour for moment in got] == [16, 9, 9]
    assert expiry_time([ANY_FRIDAY], settlement=["am"])[0].hour == 9


def test_half_days_and_winter_time_come_from_the_calendar():
    assert at(["2023-11-24", "2023-12-15"]) == ["2023-11-24 13:00 EST", "2023-12-15 16:00 EST"]


def test_the_monthly_expiry_of_a_holiday_friday_is_the_thursday_before():
    # Good Friday, 2019-04-19
    assert at(["2019-04-18", "2019-04-19"], symbol="SPX") == ["2019-04-18 09:30 EDT"] * 2


def test_saturday_expiries_end_on_friday():
    assert at(["2014-06-21"], symbol="AAPL") == ["2014-06-20 16:00 EDT"]
    assert at(["2014-06-21"], symbol="SPX") == ["2014-06-20 09:30 EDT"]


def test_other_markets_by_time_and_zone_or_by_their_calendar():
    # a Sunday on which the NSE did trade
    sunday = at(["2026-02-01"], calendar=None, at="15:30", timezone="Asia/Kolkata")
    assert sunday == ["2026-02-01 15:30 IST"]
    assert at(["2026-01-27"], calendar="XBOM") == ["2026-01-27 15:30 IST"]
    assert at([ANY_FRIDAY], at=time(16, 15)) == ["2023-09-22 16:00 EDT"]  # the session ends first
    assert at([ANY_FRIDAY], at="15:00") == ["2023-09-22 15:00 EDT"]


@settings(deadline=None, max_examples=40)
@given(st.lists(days, min_size=1, max_size=5))
def test_each_date_ends_at_a_close_on_it_or_in_the_week_before(dates):
    for given_, moment in zip(dates, expiry_time(dates), strict=True):
        assert moment.hour in (13, 16)
        assert moment.day_of_week < 5
        # the longest closing: Christmas, or a storm, with a weekend
        assert 0 <= (given_ - moment.date()).days <= 5


@settings(deadline=None, max_examples=40)
@given(st.lists(days, min_size=2, max_size=5))
def test_dates_keep_their_order_and_do_not_depend_on_each_other(dates):
    assert list(expiry_time(dates)) == [expiry_time([one])[0] for one in dates]


def test_symbols_lose_their_vendor_marks():
    assert [clean_symbol(s) for s in ("^SPX", "$SPX", " spx", "_SPX")] == ["SPX"] * 4


def test_the_zone_is_the_calendars_unless_given():
    assert exchange_zone("XNYS") == "America/New_York"
    assert exchange_zone(None, "Asia/Kolkata") == "Asia/Kolkata"


@pytest.mark.parametrize(
    ("dates", "options", "message"),
    [
        (["soon"], {}, "give dates such as"),
        ([None, "2023-09-15"], {}, "an empty date"),
        (pd.DatetimeIndex(["2023-09-15 16:00"]), {}, "is no date"),
        ([ANY_FRIDAY], {"at": "4 pm"}, "expiry_at: '4 pm' is no time of day"),
        ([ANY_FRIDAY], {"calendar": None, "timezone": "Asia/Kolkata"}, "expiry_at: none"),
        ([ANY_FRIDAY], {"calendar": None, "at": "15:30"}, "timezone: none"),
        ([ANY_FRIDAY], {"timezone": "New York"}, "no time zone 'New York'"),
        ([ANY_FRIDAY], {"calendar": "NYSEE"}, "no exchange calendar 'NYSEE'"),
        ([ANY_FRIDAY], {"settlement": ["noon"]}, "'NOON' is neither 'am' nor 'pm'"),
        ([ANY_FRIDAY], {"root": ["SPX", "SPXW"]}, "root: 2 for 1 dates"),
        (
            [ANY_FRIDAY],
            {"calendar": None, "at": "15:30", "timezone": "Asia/Kolkata", "settlement": ["am"]},
            "'am' without a calendar",
        ),
        (["1890-01-03"], {"calendar": "XBOM"}, "outside what calendar XBOM knows"),
    ],
)
def test_wrong_rules_are_refused(dates, options, message):
    with pytest.raises(InputError, match=message) as refusal:
        expiry_time(dates, **options)
    assert "\n" not in str(refusal.value)
