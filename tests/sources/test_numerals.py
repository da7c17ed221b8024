"""Stamps in digits: dates of every length, Unix time of every age and unit."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpi_bt.errors import InputError
from hpi_bt.sources.numerals import dates_of
from hpi_bt.sources.stamps import StampRules, parse_stamps

UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def parsed(*written, **rules):
    values = pd.Series(list(written), name="ts")
    return parse_stamps(values, StampRules("bars.csv", "America/New_York", **rules))


@given(
    first=st.dates(pd.Timestamp("1800-01-01").date(), pd.Timestamp("2150-01-01").date()),
    minutes=st.sampled_from([1, 5, 60, 1440, 7 * 1440]),
    unit=st.sampled_from(list(UNITS)),
    form=st.sampled_from(["{}", "{}.0"]),
)
def test_unix_time_of_any_age_and_unit_is_that_moment(first, minutes, unit, form):
    when = pd.date_range(first, periods=900, freq=f"{minutes}min", tz="UTC")
    seconds = when.as_unit("s").asi8
    assert list(parsed(*(form.format(s * UNITS[unit]) for s in seconds)).utc) == list(when)


def test_seconds_may_have_a_fraction_before_1970_too():
    utc = parsed("1704236400.123", "-86400.5", "789091200").utc
    wanted = ["2024-01-02 23:00:00.123", "1969-12-30 23:59:59.5", "1995-01-03"]
    assert [str(at) for at in utc] == [str(pd.Timestamp(at, tz="UTC")) for at in wanted]


@pytest.mark.parametrize(
    ("layout", "first", "step"),
    [
        ("%Y%m%d", "2024-01-02", "D"),
        ("%Y%m%d", "1850-01-02", "D"),
        ("%Y%m%d%H", "2024-01-02 10:00", "h"),
        ("%Y%m%d%H%M", "2024-01-02 09:35", "5min"),
        ("%Y%m%d%H%M%S", "2024-01-02 09:35", "5min"),
        ("%Y%m%d%H%M%S000", "2024-01-02 09:35", "5min"),
    ],
)
def test_dates_in_digits_are_no_unix_time(layout, first, step):
    when = pd.date_range(first, periods=300, freq=step)
    stamps = parsed(*when.strftime(layout))
    assert stamps.utc is None
    assert list(stamps.wall) == list(when)


def test_milliseconds_behind_a_date_are_kept():
    wall = parsed("20240102093000250", "20240102093500750").wall
    assert wall[1] == pd.Timestamp("2024-01-02 09:35:00.750")


@pytest.mark.parametrize(
    ("rows", "bad"),
    [
        (["20240102", "20240103", "20240230", "20240304"], 3),  # one bad date is no Unix time
        (["1999", "2000", "2001"], 1),  # years
        (["45293", "45294", "45295"], 1),  # days of a spreadsheet
        (["240102", "240103", "240104"], 1),
        (["930", "935", "940"], 1),
        (["34200", "34260", "34320"], 1),  # seconds of the day
        (["1704236400", "", "1704236700"], 2),
        (["1704236400", "1704236460", "soon"], 3),
    ],
)
def test_what_is_neither_is_refused_at_its_row(rows, bad):
    with pytest.raises(InputError, match=rf"^bars.csv: row {bad}, ts is '{rows[bad - 1]}'; wanted"):
        parsed(*rows)


def test_a_layout_that_is_given_is_law():
    assert parsed("2024010210", stamp_format="%Y%m%d%H").wall[0].hour == 10
    # ten digits again, the day first
    assert parsed("0102202409", stamp_format="%d%m%Y%H").wall[0] == pd.Timestamp("2024-02-01 09:00")
    with pytest.raises(
        InputError, match=r"row 2, ts is '1704236400'; wanted the layout '%Y%m%d%H'"
    ):
        parsed("2024010210", "1704236400", stamp_format="%Y%m%d%H")


def test_seconds_of_a_day_with_a_fraction_are_no_moments_of_1970():
    seconds = pd.Series(["34200.004241176", "34200.1", "34260.5"], name="time")
    with pytest.raises(InputError, match=r"row 1, time is '34200\.004241176'"):
        parse_stamps(seconds, StampRules("x.csv"))


@pytest.mark.parametrize("months", [["202311", "202312"], ["202310", "202311", "202312"]])
def test_years_and_months_alone_are_no_dates(months):
    assert dates_of(pd.Series(months)).isna().all()
