"""Hours of sessions: the calendar's, a market's own, a user's."""

from __future__ import annotations

from datetime import date, time

import exchange_calendars
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from pydantic import ValidationError

from hpi_bt.config.models import Data
from hpi_bt.errors import Severity
from hpi_bt.options.expiries import exchange_zone
from hpi_bt.sources.calendars import Hours, exchange_of, market_close_note, with_hours
from hpi_bt.sources.hours import add_hours, session_bounds, session_ordinals
from hpi_bt.sources.years import sessions_per_year

pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning:DeprecationWarning")
CHICAGO = "America/Chicago"


def bounds(day: str, calendar: str, zone: str) -> list[str]:
    ordinal = np.array([date.fromisoformat(day).toordinal()])
    opens, closes, _ = session_bounds(ordinal, calendar)
    moments = pd.DatetimeIndex([opens[0], closes[0]], tz="UTC").tz_convert(zone)
    return [f"{moment:%m-%d %H:%M}" for moment in moments]


@pytest.mark.parametrize("name", ["CMES", "CME", "CBOT", "COMEX", "NYMEX"])
def test_futures_of_chicago_close_an_hour_before_the_next_open(name):
    assert bounds("2024-03-12", name, CHICAGO) == ["03-11 17:00", "03-12 16:00"]
    (note,) = market_close_note(name)
    assert note.severity is Severity.ASSUMPTION
    assert f"sessions of {name} close at 16:00 America/Chicago" in note


def test_another_calendar_of_the_same_market_closes_at_the_same_moment():
    assert bounds("2024-03-12", "us_futures", CHICAGO) == ["03-11 17:00", "03-12 16:00"]
    assert "close at 17:00 America/New_York" in market_close_note("us_futures")[0]


def test_an_early_close_of_the_market_stays_early():
    # the day after Thanksgiving
    own = exchange_calendars.get_calendar("CMES", start="2024-11-01", end="2024-12-31")
    close = own.schedule.loc["2024-11-29", "close"].tz_convert(CHICAGO)
    assert close.time() < time(16)
    assert bounds("2024-11-29", "CMES", CHICAGO)[1] == f"{close:%m-%d %H:%M}"


@pytest.mark.parametrize("name", ["XNYS", "XLON", "IEPA", "24/7", "XCBF"])
def test_other_markets_close_when_their_calendar_says_without_a_word(name):
    schedule = exchange_calendars.get_calendar(
        name, start="2024-01-01", end="2024-12-31"
    ).schedule.loc["2024-02-01":"2024-11-30"]
    _, closes, _ = session_bounds(np.array([d.toordinal() for d in schedule.index]), name)
    assert_array_equal(closes, pd.DatetimeIndex(schedule["close"]).as_unit("ns").asi8)
    assert market_close_note(name) == []


def test_bars_of_the_hour_after_the_market_belong_to_the_session_before():
    index = pd.DatetimeIndex(
        [pd.Timestamp(s, tz=CHICAGO) for s in ("2024-03-12 16:15", "2024-03-12 17:00",
                                               "2024-03-12 17:01")]
    )  # fmt: skip
    day = date(2024, 3, 12).toordinal()
    assert_array_equal(session_ordinals(index, "CMES"), [day, day, day + 1])


def test_given_hours_replace_those_of_the_calendar():
    regular = with_hours("CMES", Hours(open="08:30", close="15:15"))
    assert regular == "CMES 08:30-15:15"
    assert exchange_of(regular) == "CMES"
    assert bounds("2024-03-12", regular, CHICAGO) == ["03-12 08:30", "03-12 15:15"]
    assert market_close_note(regular) == []
    evening = with_hours("CMES", Hours(open="17:00", close="16:00"))
    assert bounds("2024-03-12", evening, CHICAGO) == ["03-11 17:00", "03-12 16:00"]


def test_given_hours_leave_early_closes_and_sundays_usual_hours_right():
    extended = with_hours("XNYS", Hours(open="04:00", close="20:00"))
    zone = "America/New_York"
    assert bounds("2024-11-27", extended, zone) == ["11-27 04:00", "11-27 20:00"]
    assert bounds("2024-11-29", extended, zone) == ["11-29 04:00", "11-29 13:00"]
    assert bounds("2024-12-01", extended, zone) == ["12-01 04:00", "12-01 20:00"]


def test_midnight_as_a_close_ends_the_day():
    late = with_hours("XNYS", Hours(open="18:00", close="00:00"))
    assert bounds("2024-03-12", late, "America/New_York") == ["03-12 18:00", "03-13 00:00"]
    assert late == with_hours("XNYS", Hours(open="18:00", close="24:00")).replace("24:00", "00:00")


def test_sessions_turn_at_the_given_evening_open():
    calendar = with_hours("24/7", Hours(open="22:00", close="22:00"))
    index = pd.DatetimeIndex(["2024-03-12 22:00", "2024-03-12 22:01"], tz="UTC")
    day = date(2024, 3, 12).toordinal()
    assert_array_equal(session_ordinals(index, calendar), [day, day + 1])


def test_a_config_takes_hours_as_yaml_reads_them():
    source = {"kind": "csv", "path": "es.csv"}
    data = Data.model_validate(
        {"source": source, "calendar": "CMES", "hours": {"open": 1020, "close": "16:00"}}
    )  # 17:00 without quotes is 17 times 60 to YAML
    assert data.sessions == "CMES 17:00-16:00"
    assert Data.model_validate({"source": source}).sessions == "XNYS"
    assert Hours(open=time(8, 30), close="15:15").open == "08:30"


@pytest.mark.parametrize("wrong", ["25:00", 9, "noon", 34_200, "9.30"])
def test_what_is_no_time_of_day_is_refused(wrong):
    with pytest.raises(ValidationError, match="wanted a time of day in quotes"):
        Hours(open=wrong, close="16:00")


def test_what_asks_the_exchange_itself_leaves_given_hours_aside():
    calendar = "CMES 08:30-15:15"
    assert exchange_zone(calendar) == CHICAGO
    index = pd.date_range("2024-03-11 10:00", periods=3, freq="D", tz=CHICAGO)
    frame = pd.DataFrame({"close": 1.0}, index=index)
    frame.attrs["calendar"] = calendar
    own = add_hours(frame, "CMES", bar_minutes=1)
    assert sessions_per_year(add_hours(frame, calendar, bar_minutes=1)) == sessions_per_year(own)
