"""When bars of every length and label close, and which lengths their stamps contradict."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpi_bt.errors import InputError, Severity
from hpi_bt.sources.calendars import EPOCH
from hpi_bt.sources.closes import close_stamps
from hpi_bt.sources.hours import calendar_sessions, session_bounds
from hpi_bt.sources.stamps import StampRules

NEW_YORK, CHICAGO = "America/New_York", "America/Chicago"
SESSIONS = pd.bdate_range("2024-01-16", "2024-02-16")  # no holiday in between


def bars(stamps, calendar="XNYS", *, joined=False, **rules):
    values = pd.Series([str(stamp) for stamp in stamps], name="ts")
    return close_stamps(values, StampRules("bars.csv", **rules), calendar, joined=joined)


def closes(stamps, calendar="XNYS", **rules) -> list[str]:
    return [f"{at:%a %Y-%m-%d %H:%M}" for at in bars(stamps, calendar, **rules).closes]


def dates(frequency: str, periods: int = 14, start: str = "2024-01-01") -> list[str]:
    return list(pd.date_range(start, periods=periods, freq=frequency).strftime("%Y-%m-%d"))


def at(clock: str, days=SESSIONS) -> list[str]:
    return [f"{day:%Y-%m-%d} {clock}" for day in days]


def grid(step: str, days=SESSIONS[:6], last: str = "15:59") -> list[str]:
    each = (pd.date_range(f"{d:%Y-%m-%d} 09:30", f"{d:%Y-%m-%d} {last}", freq=step) for d in days)
    return [str(stamp) for day in each for stamp in day]


# ---- daily bars with a time of day


def test_a_bar_that_opens_on_the_evening_before_is_the_session_that_follows():
    stamps = [
        "2024-01-07 17:00",
        "2024-01-08 17:00",
        "2024-01-11 17:00",
    ]  # Sunday, Monday, Thursday
    assert closes(stamps, "CMES", timezone=CHICAGO, bar_label="open", bar_minutes=1440) == [
        "Mon 2024-01-08 16:00",
        "Tue 2024-01-09 16:00",
        "Fri 2024-01-12 16:00",
    ]


@pytest.mark.parametrize("clock", ["16:00", "17:00"])
def test_a_bar_labelled_by_its_close_is_the_session_that_ends_there(clock):
    stamps = [f"2024-01-08 {clock}", f"2024-01-09 {clock}"]
    rules = {"timezone": CHICAGO, "bar_label": "close", "bar_minutes": 1440}
    assert closes(stamps, "CMES", **rules) == ["Mon 2024-01-08 16:00", "Tue 2024-01-09 16:00"]


def test_a_friday_evening_opens_the_session_of_monday():
    rules = {"timezone": CHICAGO, "bar_label": "open", "bar_minutes": 1440}
    assert closes(["2024-01-05 17:00"], "CMES", **rules) == ["Mon 2024-01-08 16:00"]


def test_an_open_after_the_session_is_that_of_the_next():
    rules = {"timezone": NEW_YORK, "bar_label": "open", "bar_minutes": 1440}
    assert closes(["2024-01-12 20:00"], **rules) == ["Tue 2024-01-16 16:00"]  # over a holiday
    assert closes(["2024-01-12 09:30"], **rules) == ["Fri 2024-01-12 16:00"]


def test_stamps_that_ignore_summer_time_stay_with_their_session():
    stamps = [f"2024-05-{day:02d}T23:00:00Z" for day in (5, 6, 7)]  # 18:00 Chicago
    assert closes(stamps, "CMES", bar_label="open", bar_minutes=1440)[0] == "Mon 2024-05-06 16:00"


@pytest.mark.parametrize(("calendar", "clock"), [("24/5", "22:00"), ("24/7", "08:00")])
def test_no_day_is_known_before_it_ends_where_sessions_touch(calendar, clock):
    begins = pd.DatetimeIndex([f"2024-01-{d:02d} {clock}" for d in (8, 9, 10)], tz="UTC")
    ends = bars(begins, calendar, bar_label="open", bar_minutes=1440).closes
    assert (ends >= begins + pd.Timedelta(days=1)).all()
    assert (ends <= begins + pd.Timedelta(days=1, hours=2)).all()


def test_an_evening_stamp_without_a_label_is_refused_where_the_label_decides():
    stamps = ["2024-01-08 17:00", "2024-01-09 17:00"]
    with pytest.raises(InputError, match=r"^bars.csv: a bar stamped 2024-01-08 17:00 .*bar_label"):
        bars(stamps, "CMES", timezone=CHICAGO, bar_minutes=1440)
    assert closes(at("16:15")[:1], bar_minutes=1440, timezone=NEW_YORK) == ["Tue 2024-01-16 16:00"]


def test_a_zone_that_is_assumed_for_daily_stamps_is_noted():
    (note,) = bars(at("16:15"), bar_minutes=1440).notes
    assert note.severity is Severity.ASSUMPTION
    assert "have no time zone and are taken as America/New_York" in note
    assert bars(at("16:15"), bar_minutes=1440, timezone=NEW_YORK).notes == []


def test_dates_need_no_label_and_none_moves_them():
    for label in (None, "open", "close"):
        ends = bars(dates("B"), "CMES", bar_label=label).closes
        assert list(ends.strftime("%Y-%m-%d")) == dates("B")
        assert f"{ends[1]:%H:%M}" == "16:00"


@pytest.mark.parametrize("calendar", ["XNYS", "CMES", "XBOM", "24/7"])
@pytest.mark.parametrize("start", ["1928-01-03", "1959-07-01", "1969-12-29"])
def test_dates_before_1970_are_sessions_like_any_other(calendar, start):
    days = dates("B", 10, start)
    ends = bars(days, calendar).closes - pd.Timedelta(seconds=1)  # before a close at midnight
    assert list(ends.strftime("%Y-%m-%d")) == days


# ---- weeks and months

WEEK, MONTH = {"bar": "1w"}, {"bar": "1mo"}


@pytest.mark.parametrize("weekday", ["W-MON", "W-SUN"])
@pytest.mark.parametrize("length", [{"bar": "1w"}, {"bar_minutes": 10080}])
def test_a_week_labelled_by_its_first_day_is_known_on_its_last_session(weekday, length):
    ends = closes(dates(weekday), bar_label="open", **length)
    begin = pd.DatetimeIndex(dates(weekday))
    friday = begin + pd.to_timedelta((4 - begin.day_of_week) % 7, unit="D")
    friday = friday.where(friday != "2024-03-29", pd.Timestamp("2024-03-28"))  # Good Friday
    assert ends == list(friday.strftime("%a %Y-%m-%d 16:00"))


def test_a_holiday_on_monday_does_not_shift_the_week():
    stamps = ["2024-01-08", "2024-01-16", "2024-01-22"]  # first sessions: the 15th is a holiday
    assert closes(stamps, bar_label="open", **WEEK)[1] == "Fri 2024-01-19 16:00"


def test_a_week_that_begins_on_another_day_lasts_seven():
    assert closes(dates("W-WED"), bar_label="open", **WEEK)[0] == "Tue 2024-01-09 16:00"


def test_a_week_of_futures_opens_on_sunday_evening():
    stamps = [f"{day} 17:00" for day in dates("W-SUN", 5)]
    rules = {"timezone": CHICAGO, "bar_label": "open", **WEEK}
    assert closes(stamps, "CMES", **rules)[0] == "Fri 2024-01-12 16:00"


@pytest.mark.parametrize("first", ["MS", "BMS"])
@pytest.mark.parametrize("length", [{"bar": "1mo"}, {"bar_minutes": 43200}])
def test_a_month_labelled_by_its_first_day_is_known_on_its_last_session(first, length):
    ends = closes(dates(first, 6), bar_label="open", **length)
    days = ("Wed 2024-01-31", "Thu 2024-02-29", "Thu 2024-03-28", "Tue 2024-04-30")
    assert ends[:4] == [f"{day} 16:00" for day in days]


def test_a_quarter_is_known_on_its_last_session():
    ends = closes(dates("QS", 5), bar_label="open", bar_minutes=91 * 1440)
    assert ends[:2] == ["Thu 2024-03-28 16:00", "Fri 2024-06-28 16:00"]


@pytest.mark.parametrize("length", [{}, {"bar": "1w"}, {"bar_minutes": 10080}])
def test_dates_of_last_sessions_need_no_setting(length):
    weekly = bars(dates("W-FRI"), **length)
    assert weekly.minutes == 10080
    assert weekly.notes == []
    assert list(weekly.closes.strftime("%Y-%m-%d"))[:2] == ["2024-01-05", "2024-01-12"]
    assert f"{weekly.closes[12]:%m-%d}" == "03-28"  # the 29th is Good Friday
    live = bars([*dates("W-FRI"), "2024-04-09"], **length)  # and the week that is not over
    assert f"{live.closes[-1]:%m-%d}" == "04-09"


@pytest.mark.parametrize("last", ["ME", "BME"])
def test_dates_of_month_ends_need_no_setting(last):
    monthly = bars(dates(last))
    assert monthly.minutes == 43200
    assert [f"{at:%m-%d}" for at in monthly.closes[:3]] == ["01-31", "02-29", "03-28"]


@pytest.mark.parametrize("days", ["W-FRI", "BME"])
def test_last_weekdays_end_weeks_and_months_where_every_day_is_a_session(days):
    whole = bars(dates(days), calendar="24/7")
    assert [f"{at:%Y-%m-%d}" for at in whole.closes - pd.Timedelta("1D")] == dates(days)
    for begins in ("W-SUN", "W-MON", "MS"):
        with pytest.raises(InputError, match="apart; daily bars are not"):
            bars(dates(begins), calendar="24/7")


@pytest.mark.parametrize("days", ["W-MON", "W-SUN", "W-TUE", "MS", "QS"])
@pytest.mark.parametrize("said", [{}, {"bar_minutes": 1440}, {"bar": "1d"}, {"bar_label": "open"}])
def test_dates_too_far_apart_are_never_taken_for_daily_bars(days, said):
    with pytest.raises(
        InputError, match=r"dates such as 20.* apart; daily bars are not; say under"
    ):
        bars(dates(days), **said)


@pytest.mark.parametrize("days", ["W-FRI", "ME"])
def test_even_last_sessions_contradict_a_length_of_a_day(days):
    with pytest.raises(InputError, match=r"apart; daily bars are not"):
        bars(dates(days), bar_minutes=1440)


@pytest.mark.parametrize("second", ["12:45", "13:30"])
def test_two_bars_a_session_contradict_a_shorter_length(second):
    halves = [f"{day:%Y-%m-%d} {at}" for day in pd.bdate_range("2024-01-02", periods=8)
              for at in ("09:30", second)]  # fmt: skip
    rules = {"bar_label": "open", "timezone": "America/New_York"}
    with pytest.raises(InputError, match="minutes apart within a session, never 60; give the"):
        bars(halves, bar_minutes=60, **rules)
    longer = 240 if second == "13:30" else 195
    assert bars(halves, bar_minutes=longer, **rules).closes[1].hour == 16


def test_a_first_bar_cut_by_the_open_contradicts_nothing():
    cut = [f"{day:%Y-%m-%d} {at}" for day in pd.bdate_range("2024-01-02", periods=8)
           for at in ("09:30", "12:00")]  # fmt: skip
    bars(cut, bar_label="open", timezone="America/New_York", bar_minutes=240)


def test_a_week_that_ends_on_any_day_is_known_on_that_day():
    ends = closes(dates("W-TUE"), bar_label="close", **WEEK)
    assert ends[0] == "Tue 2024-01-02 16:00"
    assert bars(dates("W-TUE"), bar_label="close", **WEEK).notes == []
    assert closes(dates("W-SUN"), bar_label="close", **WEEK)[0] == "Fri 2024-01-05 16:00"


@pytest.mark.parametrize(
    ("days", "length", "label", "words"),
    [
        ("W-MON", WEEK, "close", "first session of its week: .*seen before it ends"),
        ("MS", MONTH, "close", "first session of its month: .*set bar_label: open then"),
        ("W-FRI", WEEK, "open", "last session of its week: .*seen a week late"),
    ],
)
def test_a_label_that_the_dates_make_doubtful_is_warned_of(days, length, label, words):
    (note,) = bars(dates(days), bar_label=label, **length).notes
    assert note.severity is Severity.WARNING
    assert pd.Series([str(note)]).str.contains(words).all()


def test_daily_dates_with_holes_stay_daily():
    rng = np.random.default_rng(5)
    for share in (0.9, 0.6, 0.3):
        kept = [day for day in dates("B", 200) if rng.random() < share]
        assert bars(kept).minutes == 1440
    weekly_and_days = [*dates("W-WED", 20), *dates("B", 6, "2024-06-03")]
    assert bars(weekly_and_days).minutes == 1440


@settings(deadline=None, max_examples=60)
@given(
    start=st.dates(pd.Timestamp("2000-01-01").date(), pd.Timestamp("2020-01-01").date()),
    length=st.sampled_from([(7, "1w"), (14, None), (3, None), (31, "1mo"), (92, None)]),
    calendar=st.sampled_from(["XNYS", "CMES", "24/7", "XTKS"]),
)
def test_no_period_is_known_before_its_last_session_closes(start, length, calendar):
    days, bar = length
    step = pd.DateOffset(months=round(days / 30.4)) if days > 28 else pd.Timedelta(days=days)
    begin = [pd.Timestamp(start) + k * step for k in range(6)]
    until = [*begin[1:], begin[-1] + step]
    rules = {"bar": bar} if bar else {"bar_minutes": days * 1440}
    ends = bars([f"{day:%Y-%m-%d}" for day in begin], calendar, bar_label="open", **rules).closes
    known = calendar_sessions(calendar, start.year - 1, start.year + 3) + EPOCH
    for first, after, end in zip(begin, until, ends, strict=True):
        inside = known[(known >= first.toordinal()) & (known < after.toordinal())]
        if len(inside):
            _, close, _ = session_bounds(inside[-1:], calendar)
            assert end >= pd.Timestamp(int(close[0]), tz="UTC")


# ---- lengths that the stamps contradict


@pytest.mark.parametrize(
    ("stamps", "rules", "found"),
    [
        (grid("5min"), {"bar_minutes": 15}, "is 15, but the stamps are usually 5 minutes apart"),
        (grid("5min"), {"bar_minutes": 1}, "is 1, but the stamps are 5 minutes .*never 1"),
        (grid("15min"), {"bar_minutes": 5}, "is 5, but the stamps are 15 minutes .*never 5"),
        (grid("60min"), {"bar_minutes": 30}, "is 30, but the stamps are 60 minutes .*never 30"),
        (grid("30min"), {"bar_minutes": 240}, "usually 30 minutes apart"),
        (grid("65min"), {"bar_minutes": 60}, "are 65 minutes apart"),
        (at("09:30"), {"bar_minutes": 5}, "is 5, but the stamps are at least a day apart"),
        (at("16:00"), {"bar_minutes": 60, "bar_label": "close"}, "at least a day apart"),
        (grid("5min"), {"bar_minutes": 1440}, "is 1440, but the stamps are 5 minutes apart"),
        (dates("B", 40), {"bar_minutes": 10080}, "says 7 days, but the dates are a day apart"),
        (dates("W-FRI"), {"bar": "1mo"}, "says 30 days, but the dates are about a week apart"),
        (dates("ME"), {"bar": "1w"}, "says 7 days, but the dates are about a month apart"),
        (dates("W-FRI"), {"bar": "1w", "bar_minutes": 1440}, "is 1w, but bar_minutes is 1440"),
    ],
)
def test_a_length_that_the_stamps_contradict_is_refused(stamps, rules, found):
    rules = {"bar_label": "open", "timezone": NEW_YORK, **rules}
    with pytest.raises(InputError, match=rf"^bars.csv: (bar_minutes|bar): .*{found}"):
        bars(stamps, **rules)


@pytest.mark.parametrize("share", [0.6, 0.3, 0.1, 0.03])
def test_minutes_in_which_nobody_traded_contradict_nothing(share):
    rng = np.random.default_rng(7)
    kept = [stamp for stamp in grid("1min", SESSIONS) if rng.random() < share]
    for label in ("open", "close"):
        assert bars(kept, timezone=NEW_YORK, bar_label=label, bar_minutes=1).minutes == 1


@pytest.mark.parametrize("minutes", [1, 5, 30, 60, 90, 120, 195, 240, 390])
def test_bars_that_the_session_cuts_short_contradict_nothing(minutes):
    begins = grid(f"{minutes}min")
    assert bars(begins, timezone=NEW_YORK, bar_label="open", bar_minutes=minutes).notes == []
    ends = [
        min(pd.Timestamp(s) + pd.Timedelta(minutes=minutes), pd.Timestamp(f"{s[:10]} 16:00"))
        for s in begins
    ]
    assert bars(ends, timezone=NEW_YORK, bar_label="close", bar_minutes=minutes).notes == []
    aligned = [
        s for day in SESSIONS[:6] for s in (f"{day:%Y-%m-%d} 09:30", f"{day:%Y-%m-%d} 12:00")
    ]
    assert bars(aligned, timezone=NEW_YORK, bar_label="open", bar_minutes=240).notes == []


def test_moments_of_a_joined_file_may_be_far_apart():
    rules = {"timezone": NEW_YORK, "bar_label": "close", "bar_minutes": 5}
    assert bars(at("15:45"), joined=True, **rules).closes[0].minute == 45
    assert bars(grid("30min"), joined=True, **rules).closes[0].minute == 30
    with pytest.raises(InputError, match="at least a day apart"):  # a day seen after five minutes
        bars(at("09:30"), joined=True, **(rules | {"bar_label": "open"}))


def test_a_zone_that_was_read_from_a_word_is_named_where_the_length_is_denied():
    stamps = [f"{stamp} US/Eastern" for stamp in grid("60min")]
    with pytest.raises(InputError, match=r"never 30; .*stamp_format with %Z .*'US/Eastern'"):
        bars(stamps, bar_label="open", bar_minutes=30)
    assert bars(stamps, bar_label="open", bar_minutes=60).closes[0].hour == 10
