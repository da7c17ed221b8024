"""Bars outside the exchange's hours: wrong zones warned of, extended hours noted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hpi_bt.errors import Severity
from hpi_bt.sources.base import Locations
from hpi_bt.sources.build import build_frame
from hpi_bt.sources.files import CsvSource, ParquetSource
from hpi_bt.sources.hours import add_hours

NEW_YORK = "America/New_York"
WINTER = pd.bdate_range("2024-02-01", "2024-02-09")
SPRING = pd.bdate_range("2024-03-06", "2024-03-15")  # summer time from the 10th on


def grid(days=WINTER, first="09:30", last="15:55", step="5min") -> pd.DatetimeIndex:
    """Return the opens of bars, New York wall time."""
    each = (pd.date_range(f"{d:%Y-%m-%d} {first}", f"{d:%Y-%m-%d} {last}", freq=step) for d in days)
    return pd.DatetimeIndex(np.concatenate([day.to_numpy() for day in each]))


def table(stamps: pd.DatetimeIndex, volume=1.0) -> pd.DataFrame:
    prices = dict.fromkeys(("open", "high", "low", "close"), 10.0)
    return pd.DataFrame({"ts": stamps, **prices, "volume": volume})


def notes_of(tmp_path, bars: pd.DataFrame, calendar="XNYS", built=(), **options):
    bars.to_csv(tmp_path / "bars.csv", index=False)
    options = {"bar_label": "open", "bar_minutes": 5, **options}
    where = Locations((tmp_path,))
    frame = CsvSource(path="bars.csv", **options).read(where, calendar)
    out = build_frame(frame, calendar=calendar, where=where, **dict(built))
    return [n for n in out.attrs["notes"] if getattr(n, "code", "") == "bars-outside-hours"]


@pytest.mark.parametrize(
    ("true", "given", "count"),
    [("UTC", NEW_YORK, "420"), (NEW_YORK, "Europe/Berlin", "504"), ("Asia/Tokyo", "UTC", "546")],
)
def test_a_wrong_zone_is_warned_of_and_the_right_one_named(tmp_path, true, given, count):
    stamps = grid().tz_localize(NEW_YORK).tz_convert(true).tz_localize(None)
    (note,) = notes_of(tmp_path, table(stamps), timezone=given)
    assert note.severity is Severity.WARNING
    assert f"{count} of 546 bars" in note
    assert f"check timezone (it is {given})" in note
    assert f"{true} (bar_label open or close)" in note


def test_utc_and_the_exchange_are_named_first(tmp_path):
    stamps = grid().tz_localize(NEW_YORK).tz_convert("UTC").tz_localize(None)
    (note,) = notes_of(tmp_path, table(stamps), timezone="Asia/Tokyo")
    assert note.endswith(
        "with UTC (bar_label open or close), Europe/London (bar_label open or close)"
    )


def test_a_zone_without_summer_time_is_warned_of(tmp_path):
    (note,) = notes_of(tmp_path, table(grid(SPRING)), timezone="EST")
    assert note.severity is Severity.WARNING
    assert "60 of 624 bars (10 % of the volume) lie outside the hours of XNYS: 0 before" in note
    assert "95 % lie inside with America/New_York" in note


def test_a_wrong_label_of_long_bars_is_named(tmp_path):
    bars = table(grid(step="60min", last="15:30"))  # opens, called closes: the first ends at 09:30
    (note,) = notes_of(tmp_path, bars, timezone=NEW_YORK, bar_label="close", bar_minutes=60)
    assert "7 of 49 bars" in note
    assert "America/New_York (bar_label open)" in note


@pytest.mark.parametrize("days", [WINTER, SPRING])
@pytest.mark.parametrize("given", [NEW_YORK, "US/Eastern"])
def test_the_right_zone_is_quiet(tmp_path, days, given):
    assert notes_of(tmp_path, table(grid(days)), timezone=given) == []


@pytest.mark.parametrize("before", ["kept", "dropped"])
def test_extended_hours_with_little_volume_are_a_note_where_they_are_kept(tmp_path, before):
    stamps = grid(first="04:00", last="19:55")
    regular = stamps.indexer_between_time("09:30", "15:55")
    volume = np.full(len(stamps), 10.0)
    volume[regular] = 1000.0
    built = {"outside": "keep" if before == "kept" else "drop"}
    notes = notes_of(tmp_path, table(stamps, volume), timezone=NEW_YORK, built=built)
    if before == "dropped":
        assert notes == []
        return
    (note,) = notes
    assert note.severity is Severity.INFO
    assert "798 of 1344 bars" in note
    assert note.endswith("462 before, 336 after the session, kept")


def test_extended_hours_that_trade_as_much_are_warned_of_without_a_zone(tmp_path):
    (note,) = notes_of(tmp_path, table(grid(first="04:00", last="19:55")), timezone=NEW_YORK)
    assert note.severity is Severity.WARNING
    assert "no usual zone puts 95 % inside" in note


def test_a_few_bars_outside_need_no_word(tmp_path):
    assert notes_of(tmp_path, table(grid(last="16:10")), timezone=NEW_YORK) == []  # 3 of 81


def test_given_hours_are_what_is_tested(tmp_path):
    bars = table(grid(first="07:00", last="17:55"))
    assert len(notes_of(tmp_path, bars, timezone=NEW_YORK)) == 1
    assert notes_of(tmp_path, bars, "XNYS 07:00-18:00", timezone=NEW_YORK) == []


@pytest.mark.parametrize("calendar", ["CMES", "24/7", "IEPA"])
def test_markets_that_are_open_most_of_the_day_are_not_tested(tmp_path, calendar):
    stamps = pd.date_range("2024-02-05", "2024-02-09", freq="h")
    assert notes_of(tmp_path, table(stamps), calendar, timezone="UTC", bar_minutes=60) == []


def test_daily_bars_are_not_tested():
    index = pd.date_range("2024-02-05 20:00", periods=5, tz=NEW_YORK)
    frame = pd.DataFrame({"close": 1.0}, index=index)
    assert add_hours(frame, "XNYS", bar_minutes=1440).attrs["notes"] == []


@pytest.mark.parametrize("minutes", [None, 30, 1440])
@pytest.mark.parametrize("outside", ["keep", "drop"])
def test_a_wrong_offset_is_warned_of_however_the_bars_are_made(tmp_path, minutes, outside):
    bars = table(grid().tz_localize("UTC"))  # New York's clock, called UTC
    built = {"resample_minutes": minutes, "outside": outside}
    (note,) = notes_of(tmp_path, bars, built=built)
    assert "check the stamps' UTC offset" in note
    assert "read as America/New_York" in note
    assert ("dropped" in note) == (outside == "drop")


def test_any_source_is_tested(tmp_path):
    bars = table(grid().tz_localize("UTC"))
    bars.to_parquet(tmp_path / "bars.parquet")
    where = Locations((tmp_path,))
    source = ParquetSource(path="bars.parquet", bar_label="open", bar_minutes=5)
    frame = build_frame(source.read(where, "XNYS"), calendar="XNYS", where=where)
    assert any("outside the hours of XNYS" in note for note in frame.attrs["notes"])
    own = bars.set_index("ts")  # as a download gives it: closes, and nothing said of their origin
    (note,) = add_hours(own, "XNYS", bar_minutes=5).attrs["notes"]
    assert "if their UTC time is read as America/New_York" in note
    without = add_hours(own.drop(columns="volume"), "XNYS", bar_minutes=5).attrs["notes"]
    assert without[0].severity is Severity.WARNING


def test_option_volume_stands_for_volume():
    index = (grid(last="17:00") + pd.Timedelta(minutes=5)).tz_localize(NEW_YORK)
    late = index.hour * 60 + index.minute > 960
    frame = pd.DataFrame({"put_volume": np.where(late, 0.0, 5.0), "call_volume": 0.0}, index=index)
    (note,) = add_hours(frame, "XNYS", bar_minutes=5).attrs["notes"]
    assert note.severity is Severity.INFO
    assert "(0 % of the volume)" in note
