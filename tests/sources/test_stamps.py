from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpi_bt.errors import InputError
from hpi_bt.sources.stamps import StampRules, parse_stamps

RULES = StampRules("bars.csv", timezone="America/New_York")
NO_DATE = r"^bars.csv: row \d, ts is .*; wanted a date or time such as 2026-01-02 09:35; give "
moments = st.datetimes(pd.Timestamp("1971-01-01"), pd.Timestamp("2200-01-01"))


def parsed(*written, stamp_format=None):
    rules = replace(RULES, stamp_format=stamp_format)
    return parse_stamps(pd.Series(list(written), name="ts"), rules)


def test_worked_example_of_each_form():
    assert parsed("2023-09-15 09:30").wall[0] == pd.Timestamp("2023-09-15 09:30")
    assert parsed("20230915").wall[0] == pd.Timestamp("2023-09-15")
    # 1694784600 seconds are 13:30 in Greenwich
    assert parsed("1694784600").utc[0] == pd.Timestamp("2023-09-15 13:30", tz="UTC")
    offset = parsed("2023-09-15T09:30:00-04:00")
    assert offset.wall[0] == pd.Timestamp("2023-09-15 09:30")
    assert offset.utc[0] == pd.Timestamp("2023-09-15 13:30", tz="UTC")
    assert parsed("2023-09-15T09-04:00").utc[0] == pd.Timestamp("2023-09-15 13:00", tz="UTC")


@settings(deadline=None)
@given(moments)
def test_every_form_of_a_moment_is_that_moment(when):
    when = pd.Timestamp(when).floor("s")
    wanted = when.tz_localize("UTC")
    texts = (f"{when}+00:00", f"{when:%Y-%m-%dT%H:%M:%S}Z", f"{int(when.timestamp()):010d}")
    forms = (*texts, wanted, wanted.tz_convert("Asia/Kolkata"))
    for form in forms if when.timestamp() >= 1e9 else (*texts[:2], *forms[3:]):
        assert parsed(form).utc[0] == wanted


@pytest.mark.parametrize(
    "word",
    ["now", "Today", "10:00", "", "nan", "9" * 19, "99999999"],
)
def test_what_is_no_date_is_refused_and_never_read_from_the_clock(word):
    with pytest.raises(InputError, match=NO_DATE):
        parsed(word)


@pytest.mark.parametrize(
    "far",
    ["9999-12-31", "1066-10-14", "99991231", "9" * 16, "9999999999",
     np.datetime64("9999-01-01", "s"), pd.Timestamp("9999-01-01", tz="UTC")],
)  # fmt: skip
def test_years_that_nanoseconds_cannot_count_are_refused(far):
    with pytest.raises(InputError, match=r"row 1, ts is .*; wanted a year from 1678 to 2261; fix"):
        parsed(far)


def test_offsets_of_two_seasons_need_their_minutes():
    kept = parsed("2023-01-03T10:00-05:00", "2023-06-01T10:00-04:00")
    assert [at.hour for at in kept.utc] == [15, 14]
    with pytest.raises(InputError, match=r"^bars.csv: ts holds stamps of several UTC offsets such"):
        parsed("2023-01-03T10-05:00", "2023-06-01T10-04:00")


def test_an_offset_on_some_rows_alone_is_refused():
    with pytest.raises(InputError, match=r"row 2 is stamped '2023-01-04 10:00' without a UTC"):
        parsed("2023-01-03 10:00-05:00", "2023-01-04 10:00")


@pytest.mark.parametrize("layout", [None, "%Y%m%d %H:%M:%S %Z"])
def test_a_zone_at_the_end_of_every_stamp_is_read(layout):
    kept = parsed(
        "20240102 09:30:00 US/Eastern", "20240702 09:30:00 US/Eastern", stamp_format=layout
    )
    assert [at.hour for at in kept.utc] == [14, 13]
    assert [at.hour for at in kept.wall] == [9, 9]
    utc = parsed("2024-01-02 14:30:00 UTC", "2024-01-02 14:35:00 UTC").utc
    assert [str(at) for at in utc] == ["2024-01-02 14:30:00+00:00", "2024-01-02 14:35:00+00:00"]


@pytest.mark.parametrize(
    "words",
    [("US/Eastern", "US/Central"), ("EST", "EDT"), ("US/Eastern", ""), ("Mars/Base", "Mars/Base")],
)
def test_zones_that_differ_or_do_not_exist_are_refused_with_both_ways_out(words):
    stamps = [f"20240{month}02 09:30:00 {words[month // 7]}".strip() for month in (1, 7)]
    message = r"^bars.csv: the stamps end with .*; wanted the same IANA.*timezone: .*format with %Z"
    with pytest.raises(InputError, match=message):
        parsed(*stamps)


def test_halves_of_the_day_are_no_zones():
    layout = "%m/%d/%Y %I:%M %p"
    wall = parsed("01/02/2024 09:30 AM", "01/02/2024 04:00 PM", stamp_format=layout).wall
    assert [at.hour for at in wall] == [9, 16]
    with pytest.raises(InputError, match=r"row 1, ts is '2024-01-02 09:30 AM'; wanted a date or"):
        parsed("2024-01-02 09:30 AM", "2024-01-02 04:00 PM")


def test_a_layout_with_offsets_follows_the_seasons():
    kept = parsed("02.01.2024 0930 -0500", "02.07.2024 0930 -0400", stamp_format="%d.%m.%Y %H%M %z")
    assert [at.hour for at in kept.utc] == [14, 13]


def test_what_does_not_follow_the_layout_is_refused_at_its_row():
    with pytest.raises(InputError, match=r"row 2, ts is '2024-01-03'; wanted the layout '%m/%d/%Y"):
        parsed("01/02/2024", "2024-01-03", stamp_format="%m/%d/%Y")
    with pytest.raises(InputError, match=r"row 1, ts is '2024-01-02 09:30-05:00'; wanted the lay"):
        parsed("2024-01-02 09:30-05:00", stamp_format="%Y-%m-%d %H:%M")


@pytest.mark.parametrize("layout", ["%Q", "%s"])
def test_a_layout_that_is_none_is_refused(layout):
    with pytest.raises(InputError, match=r"^bars.csv: stamp_format: '%.' is no layout"):
        parsed("1704236400", stamp_format=layout)
