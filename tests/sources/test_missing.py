"""Sessions of the calendar without a bar."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hpi_bt.errors import Severity
from hpi_bt.sources.hours import calendar_sessions
from hpi_bt.sources.missing import missing_notes


def sessions(calendar="XNYS", year=2023):
    days = calendar_sessions(calendar, year, year)
    return pd.DatetimeIndex(days.astype("M8[D]").astype("M8[ns]"))


def notes(dates, calendar="XNYS", a_day=1):
    frame = pd.DataFrame({"session": [float(d.toordinal()) for d in dates for _ in range(a_day)]})
    frame.attrs = {"calendar": calendar} if calendar else {}
    return missing_notes(frame)


def without(dates, *numbers):
    return dates.delete(list(numbers))


def test_a_hole_of_five_sessions_in_a_row_is_warned_of_with_its_dates():
    every = sessions()
    (note,) = notes(without(every, *range(100, 105)), a_day=3)
    assert note.severity is Severity.WARNING
    assert note.text == (
        f"5 of 250 sessions of XNYS have no bar ({every[100].date()} to {every[104].date()}); "
        "figures span the hole"
    )


def test_a_hole_over_a_holiday_counts_the_sessions_beside_it():
    every = sessions()
    thanksgiving = int(np.searchsorted(every, pd.Timestamp("2023-11-23")))
    (note,) = notes(without(every, *range(thanksgiving - 2, thanksgiving + 3)))
    assert note.severity is Severity.WARNING


def test_more_than_one_session_in_twenty_missing_is_warned_of():
    every = sessions()
    (few,) = notes(without(every, *range(10, 240, 24)))
    assert few.severity is Severity.INFO
    assert few.text.startswith("10 of 250 sessions of XNYS have no bar (longest hole 1 session, ")
    (many,) = notes(without(every, *range(10, 240, 16)))
    assert many.severity is Severity.WARNING


@pytest.mark.parametrize("calendar", ["XNYS", "24/7", "CMES", "XBOM"])
def test_whole_calendars_have_nothing_missing(calendar):
    assert notes(sessions(calendar), calendar) == []


def test_what_lies_before_the_first_and_after_the_last_bar_is_not_missing():
    assert notes(sessions()[60:75]) == []


def test_weekly_and_monthly_bars_and_bars_without_a_calendar_lack_nothing():
    assert notes(pd.date_range("2015-01-02", "2023-12-31", freq="W-FRI")) == []
    assert notes(pd.date_range("2015-01-02", "2023-12-31", freq="BME")) == []
    assert notes(without(sessions(), *range(50, 90)), calendar="") == []
    assert notes([]) == []


def test_every_other_session_missing_is_no_longer_bar():
    (note,) = notes(sessions()[::2])
    assert note.severity is Severity.WARNING
