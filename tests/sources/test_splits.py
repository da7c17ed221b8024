"""Splits: which gaps look like one, and history made comparable across those given."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from made_days import CALENDAR, daily, hours, minutes, scaled, sessions
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.config import validated
from hpi_bt.errors import InputError, Severity
from hpi_bt.frames import load_frame
from hpi_bt.sources.bar_plausibility import implausible
from hpi_bt.sources.base import Locations
from hpi_bt.sources.build import build_frame
from hpi_bt.sources.files import CsvSource
from hpi_bt.sources.joins import Part
from hpi_bt.sources.splits import adjusted_for_splits, likely_splits, split_factors

PRICES = ["open", "high", "low", "close"]


def found(frame: pd.DataFrame) -> list[tuple[date, float]]:
    return [(split.day, round(split.ratio, 4)) for split in likely_splits(frame)]


def day(place: int) -> date:
    return sessions(place + 1)[place].date()


@pytest.mark.parametrize("ratio", [2.0, 1.5, 3.0, 7.0, 20.0, 50.0, 100.0, 0.5, 0.1, 1 / 3, 0.02])
def test_a_split_is_found_with_its_day_and_ratio(ratio):
    assert found(scaled(daily(), 30, 1.0 / ratio)) == [(day(30), round(ratio, 4))]


@pytest.mark.parametrize("place", [1, 2, 77, 79])
def test_a_split_at_either_end_is_found(place):
    assert found(scaled(daily(), place, 0.5)) == [(day(place), 2.0)]


def test_two_splits_are_found():
    assert found(scaled(scaled(daily(), 20, 0.5), 60, 1 / 3)) == [(day(20), 2.0), (day(60), 3.0)]


def test_a_split_between_sessions_of_minutes_is_found():
    frame = minutes()
    assert found(scaled(frame, 3 * 13, 1 / 7)) == [(day(3), 7.0)]
    two = scaled(frame, 13, 0.25).iloc[: 2 * 13]
    assert found(two) == [(day(1), 4.0)]


def test_a_first_bar_that_opens_at_the_old_price_hides_no_split():
    frame = scaled(minutes(), 3 * 13, 1 / 7)
    frame.iloc[39, [frame.columns.get_loc("open"), frame.columns.get_loc("high")]] = frame[
        "close"
    ].iloc[38]
    assert found(frame) == [(day(3), 7.0)]


@pytest.mark.parametrize("factor", [0.75, 0.8, 1.25, 4 / 3, 0.9, 0.6, 0.7])
def test_smaller_gaps_and_other_ratios_are_no_splits(factor):
    assert found(scaled(daily(), 30, factor)) == []


def test_a_fall_within_a_day_is_no_split():
    for factor in (0.6, 0.5, 1 / 3):
        frame = scaled(daily(), 30, factor)
        frame.iloc[30, :2] = frame["close"].iloc[29]  # open and high are those of the day before
        assert found(frame) == []


def test_a_gap_that_is_not_large_for_its_market_is_no_split():
    wild = daily(vol=0.2)
    assert found(scaled(wild, 30, 0.5)) == []
    second = scaled(scaled(daily(), 30, 0.5), 35, 1.6)  # another gap of that size near by
    assert found(second) == []


def test_a_price_that_comes_back_is_no_split():
    assert found(scaled(scaled(daily(), 30, 0.5), 32, 2.0)) == []


def test_rolls_of_futures_are_no_splits():
    frame = daily(200)
    for place in range(20, 200, 21):
        frame = scaled(frame, place, 0.97 if place % 2 else 1.04)
    assert found(frame) == []


def test_a_crash_and_quiet_markets_are_no_splits():
    crash = daily()
    crash = scaled(scaled(crash, 40, 0.8), 41, 0.88)
    assert found(crash) == []
    assert found(daily().iloc[:1]) == []
    flat = daily()
    flat[PRICES] = 5.0
    assert found(flat) == []


def test_the_note_says_what_to_set():
    (note,) = implausible(scaled(daily(), 30, 0.5))
    assert note.code == "likely-split"
    assert f"looks like a 2-for-1 split on {day(30)}" in note
    assert f"splits: {{{day(30)}: 2}} under data" in note
    (reverse,) = implausible(scaled(daily(), 30, 10.0))
    assert "1-for-10 reverse split" in reverse
    assert f"{{{day(30)}: 0.1}}" in reverse
    assert "3-for-2" in implausible(scaled(daily(), 30, 2 / 3))[0]


def test_factors_multiply_over_the_splits_to_come():
    splits = {date(2023, 1, 5): 2.0, date(2023, 1, 10): 1.5}
    days = [date(2023, 1, d).toordinal() for d in (4, 5, 9, 10, 11)]
    assert_array_equal(split_factors(np.array(days), splits), [3.0, 1.5, 1.5, 1.0, 1.0])


def built(frame: pd.DataFrame, **options) -> pd.DataFrame:
    bare = frame.drop(columns=["session", "minutes_open", "minutes_left", "slot"])
    return build_frame(bare, calendar=CALENDAR, where=Locations(), **options)


def test_history_is_comparable_across_a_given_split():
    plain = daily().assign(openinterest=500.0, put_oi=40.0, fear=3.0)
    raw = scaled(plain, 30, 0.5)
    raw.iloc[30:, raw.columns.get_loc("volume")] *= 2.0
    raw.iloc[30:, raw.columns.get_loc("openinterest")] *= 2.0
    raw.iloc[30:, raw.columns.get_loc("put_oi")] *= 2.0
    frame = built(raw, splits={day(30): 2.0})
    assert_allclose(frame[PRICES], plain[PRICES] / 2.0)
    assert_allclose(frame["volume"], plain["volume"] * 2.0)
    assert_allclose(frame[["openinterest", "put_oi"]], plain[["openinterest", "put_oi"]] * 2.0)
    assert_array_equal(frame["fear"], 3.0)
    assert implausible(frame) == []
    (note,) = (n for n in frame.attrs["notes"] if n.code == "adjusted-for-splits")
    assert f"{day(30)}: 2" in note


def test_interest_that_moves_to_the_next_session_is_adjusted_by_its_own():
    raw = scaled(daily().assign(openinterest=500.0), 30, 0.5)
    raw.iloc[30:, raw.columns.get_loc("openinterest")] = 1000.0
    frame = built(raw, splits={day(30): 2.0}, open_interest_stamp="prior_close")
    assert_array_equal(frame["openinterest"].dropna(), 1000.0)


def test_joined_columns_are_adjusted_by_the_session_of_their_row(tmp_path):
    raw = scaled(daily(), 30, 0.5)
    dates = pd.DatetimeIndex(raw.index).strftime("%Y-%m-%d")
    held = np.where(np.arange(80) < 30, 70.0, 140.0)
    pd.DataFrame({"date": dates, "put_oi": held}).to_csv(tmp_path / "oi.csv", index=False)
    part = Part(source=CsvSource(path="oi.csv"), known_at="session_close")
    bare = raw.drop(columns=["session", "minutes_open", "minutes_left", "slot"])
    frame = build_frame(
        bare, calendar=CALENDAR, where=Locations((tmp_path,)), parts=[part], splits={day(30): 2.0}
    )
    assert_array_equal(frame["put_oi"].dropna(), 140.0)


def test_a_split_that_prices_do_not_show_is_refused():
    with pytest.raises(InputError, match=rf"data\.splits: {day(30)}: 2: .* is (0\.9|1\.0)"):
        built(daily(), splits={day(30): 2.0})
    with pytest.raises(InputError, match=rf"on {day(30)} it fits"):
        built(scaled(daily(), 30, 0.5), splits={day(28): 2.0})
    for ratio in (0.5, 4.0):
        with pytest.raises(InputError, match="adjusted for it, or correct day or ratio"):
            built(scaled(daily(), 30, 0.5), splits={day(30): ratio})


def test_a_split_outside_the_data_is_taken_as_given_and_said():
    frame = built(daily(), splits={date(2020, 1, 6): 2.0, date(2033, 1, 3): 4.0})
    assert_allclose(frame[PRICES], daily()[PRICES] / 4.0)
    found = {n.code: n for n in frame.attrs["notes"]}
    assert found["split-after-bars"].severity is Severity.WARNING
    assert "2033-01-03: 4 lies after the last bar" in found["split-after-bars"].text
    assert "2020-01-06: 2 lies before" in found["split-before-bars"].text


@pytest.mark.parametrize(("ratio", "doubted"), [(2.3, True), (1.8, True), (2.0, False)])
def test_a_ratio_that_prices_nearly_show_is_doubted(ratio, doubted):
    frame = built(scaled(daily(), 30, 0.5), splits={day(30): ratio})
    found = [n.text for n in frame.attrs["notes"] if n.code == "split-inexact"]
    assert [f"{day(30)}: {ratio:g} is given, prices change by " in text for text in found] == (
        [True] * doubted
    )


def test_a_split_on_a_day_without_session_counts_from_the_next_one():
    weekend = next(d for d in pd.date_range(day(25), day(30)) if d.day_of_week == 5)
    place = int(np.searchsorted(sessions(80), weekend))
    frame = built(scaled(daily(), place, 0.5), splits={weekend.date(): 2.0})
    assert implausible(frame) == []


def test_rows_of_no_known_column_stay():
    rows = daily()[["volume"]].rename(columns={"volume": "fear"})
    assert adjusted_for_splits(rows, {day(30): 2.0}, CALENDAR).equals(rows)


CONFIG = {"name": "s", "strategy": {"class": "strategies/flow_bias.py:FlowBias"}}


def config(path: str, **data) -> dict:
    return CONFIG | {"data": {"source": {"kind": "csv", "path": path}, **data}}


def test_a_config_warns_of_a_split_in_its_own_dates_and_takes_one(tmp_path):
    raw = scaled(daily(), 30, 0.5)
    dates = pd.DatetimeIndex(raw.index).strftime("%Y-%m-%d")
    raw[[*PRICES, "volume"]].assign(date=dates).to_csv(tmp_path / "f.csv", index=False)

    def codes(**data) -> list[str]:
        frame = load_frame(config("f.csv", **data), data_dir=tmp_path)
        return [getattr(note, "code", "") for note in frame.attrs["notes"]]

    assert codes() == ["likely-split"]
    assert codes(start=str(day(35))) == ["likely-split", "warm-up"]  # indicators see it
    assert codes(splits={str(day(30)): 2}) == ["adjusted-for-splits"]


@pytest.mark.parametrize("ratio", [0, -2, 182, "2:1"])
def test_a_ratio_that_yaml_or_a_user_got_wrong_is_refused(ratio):
    with pytest.raises(InputError, match=r"data\.splits\.2023-01-05.*wanted"):
        validated(config("f.csv", splits={"2023-01-05": ratio}), "config")


@pytest.mark.real_data
def test_real_splits_are_found_and_real_rolls_are_quiet(real_data):
    where = Locations((real_data,))

    def of(path: str, calendar: str = CALENDAR, **options) -> list[tuple[date, float]]:
        frame = CsvSource(path=path, **options).read(where, calendar)
        return found(build_frame(frame, calendar=calendar, where=where))

    assert of("bars/IWM_daily_raw.csv") == [(date(2005, 6, 9), 2.0)]
    assert of("bars/SPY_daily_raw.csv") == []
    for name in ("CL1", "GC1", "C1", "W1", "ES1"):
        close = {} if name == "ES1" else {"close": "Settle"}
        path = f"futures/CHRIS-CME_{name}.csv"
        assert of(path, "CMES", bad_bars="widen", columns={"datetime": "Date", **close}) == []


@pytest.mark.real_data
def test_a_real_split_of_minutes_is_found_though_the_first_bar_opens_at_the_old_price(real_data):
    parts = [
        pd.read_csv(real_data / f"options_flow/underlying_1m_AAPL_2014-06-0{d}.csv.gz")
        for d in (6, 9)
    ]
    table = pd.concat(parts)
    at = pd.DatetimeIndex(table.pop("ts")).tz_localize("America/New_York")
    frame = hours(table.set_axis(at + pd.Timedelta(minutes=1)), 1.0)
    assert found(frame) == [(date(2014, 6, 9), 7.0)]
    regular = frame[(frame["minutes_open"] > 0) & (frame["minutes_left"] >= 0)]
    assert found(regular) == [(date(2014, 6, 9), 7.0)]
