from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpi_bt.errors import InputError
from hpi_bt.sources.stamps import StampRules, parse_stamps

RULES = StampRules("bars.csv", timezone="America/New_York")
NO_DATE = r"^bars.csv: row \d, ts is .*; wanted a date or time such as 2026-01-02 09:35, give "
moments = st.datetimes(pd.Timestamp("1971-01-01"), pd.Timestamp("2200-01-01"))


def parsed(*written):
    return parse_stamps(pd.Series(list(written), name="ts"), RULES)


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
    with pytest.raises(InputError, match=r"row 1, ts is .*; wanted a year from 1678 to 2261, mend"):
        parsed(far)


def test_offsets_of_two_seasons_need_their_minutes():
    kept = parsed("2023-01-03T10:00-05:00", "2023-06-01T10:00-04:00")
    assert [at.hour for at in kept.utc] == [15, 14]
    with pytest.raises(InputError, match=r"^bars.csv: ts holds stamps of several UTC offsets such"):
        parsed("2023-01-03T10-05:00", "2023-06-01T10-04:00")


def test_an_offset_on_some_rows_alone_is_refused():
    with pytest.raises(InputError, match=r"row 2 is stamped '2023-01-04 10:00' without a UTC"):
        parsed("2023-01-03 10:00-05:00", "2023-01-04 10:00")
