from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pydantic import ValidationError

from hpi_bt.errors import InputError
from hpi_bt.sources.base import Locations
from hpi_bt.sources.build import build_frame
from hpi_bt.sources.files import CsvSource
from hpi_bt.sources.frame import describe
from hpi_bt.sources.hours import calendar_sessions, session_ordinals
from hpi_bt.sources.joins import Part, join_parts, join_rows

ZONE = "America/New_York"
SOURCE = {"kind": "csv", "path": "part.csv"}


def at(*stamps: str) -> pd.DatetimeIndex:
    return pd.DatetimeIndex([pd.Timestamp(s, tz=ZONE) for s in stamps], name="close_time")


def frame_at(*stamps: str) -> pd.DataFrame:
    frame = pd.DataFrame({"close": 1.0, "volume": 1.0}, index=at(*stamps))
    return describe(frame, symbol="T", bar_minutes=30, calendar="XNYS")


def part(known_at="bar_close", **options) -> Part:
    return Part.model_validate({"source": SOURCE, "known_at": known_at, **options})


def join_columns(frame, rows, how: Part, calendar) -> pd.DataFrame:
    options = {"name": how.source.path, "max_age_days": how.max_age_days}
    return join_rows(frame, rows, how.known_at, calendar, **options)


def join(frame, stamps, known_at="bar_close", max_age_days=None, **columns) -> pd.DataFrame:
    rows = pd.DataFrame(columns, index=at(*stamps))
    return join_columns(frame, rows, part(known_at, max_age_days=max_age_days), "XNYS")


#: Tuesday afternoon, the whole of Wednesday's open, and Friday (Thursday is Thanksgiving).
BARS = frame_at(
    "2024-11-26 16:00", "2024-11-27 10:00", "2024-11-27 10:30", "2024-11-27 16:00",
    "2024-11-29 10:00",
)  # fmt: skip
DAYS = ("2024-11-26 16:00", "2024-11-27 16:00")


@pytest.mark.parametrize(
    ("known_at", "expected"),
    [
        ("bar_close", [1.0, 1.0, 1.0, 2.0, 2.0]),
        ("session_close", [1.0, 1.0, 1.0, 2.0, 2.0]),
        ("session_open", [1.0, 2.0, 2.0, 2.0, 2.0]),
        ("next_session_open", [np.nan, 1.0, 1.0, 1.0, 2.0]),
        ({"delay_minutes": 1}, [np.nan, 1.0, 1.0, 1.0, 2.0]),
        ({"delay_minutes": 60 * 18.5}, [np.nan, np.nan, 1.0, 1.0, 2.0]),
    ],
)
def test_a_state_is_seen_from_the_moment_it_was_known(known_at, expected):
    out = join(BARS, DAYS, known_at, gauge=[1.0, 2.0])
    assert_array_equal(out["gauge"], expected)


def test_a_blank_state_leaves_the_last_known_one():
    out = join(BARS, DAYS, net_oi=[1.0, np.nan])
    assert_array_equal(out["net_oi"], np.ones(5))


def joined_days(tmp_path, first: str, last: str, **options) -> pd.DataFrame:
    """Return daily bars of September 2024 with a column of weekdays from first to last."""
    days = pd.bdate_range("2024-09-03", "2024-09-30")
    frame = frame_at(*(f"{day:%Y-%m-%d} 16:00" for day in days))
    given = pd.DataFrame({"date": pd.bdate_range(first, last).strftime("%Y-%m-%d"), "gauge": 1.0})
    given.to_csv(tmp_path / "part.csv", index=False)
    source = {**SOURCE, "columns": {"gauge": "gauge"}}
    joined = Part.model_validate({"source": source, **options})
    return join_parts(frame, [joined], Locations((tmp_path,)), "XNYS")


@pytest.mark.parametrize(
    ("first", "last", "stale"),
    [
        ("2024-07-01", "2024-09-06", 11),  # a value may be 8 days old
        ("2024-01-02", "2024-03-01", 20),
        ("2024-07-01", "2024-10-04", 0),
        ("2024-07-01", "2024-09-23", 0),
    ],
)
def test_values_far_older_than_rows_usually_are_apart_are_warned_of(tmp_path, first, last, stale):
    notes = joined_days(tmp_path, first, last).attrs["notes"]
    found = [n for n in notes if getattr(n, "code", "") == "joined-values-stale"]
    assert [n.text.split(" of ")[0] for n in found] == [str(stale)] * (stale > 0)
    assert all(f"{last} 16:00 is still the last" in n.text for n in found)
    aged = joined_days(tmp_path, first, last, max_age_days=500).attrs["notes"]
    assert "joined-values-stale" not in [getattr(n, "code", "") for n in aged]


def test_rows_that_no_bar_can_know_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"^part\.csv: no row of gauge is known by any bar"):
        joined_days(tmp_path, "2024-10-01", "2024-12-01")


def test_an_old_state_is_unknown_again():
    out = join(BARS, DAYS[:1], max_age_days=1, gauge=[1.0])
    assert_array_equal(out["gauge"], [1.0, 1.0, 1.0, 1.0, np.nan])


def test_an_amount_lands_once_in_the_first_bar_that_closes_after_it():
    stamps = ("2024-11-27 09:31", "2024-11-27 10:00", "2024-11-27 10:01", "2024-11-29 10:00")
    out = join(BARS, stamps, put_volume=[1.0, 2.0, 4.0, np.nan])
    # unknown on Tuesday, 0 in a later bar of Wednesday, a blank amount is unknown
    assert_array_equal(out["put_volume"], [np.nan, 3.0, 4.0, 0.0, np.nan])


def test_an_amount_is_unknown_until_the_sessions_first_row():
    out = join(BARS, ["2024-11-27 10:15"], put_volume=[5.0])
    assert_array_equal(out["put_volume"], [np.nan, np.nan, 5.0, 0.0, np.nan])


def test_amounts_known_after_the_last_bar_of_their_session_are_left_out_and_counted():
    stamps = ("2024-11-26 16:00", "2024-11-27 16:01", "2024-11-28 12:00", "2024-12-02 10:00")
    out = join(BARS, stamps, put_volume=[1.0, 2.0, 4.0, 8.0])
    assert_array_equal(out["put_volume"], [1.0, np.nan, np.nan, np.nan, np.nan])
    assert out.attrs["notes"] == ["part.csv: 2 rows known outside any bar of the session left out"]


def test_daily_amounts_match_daily_bars_by_date_half_days_too():
    daily = frame_at("2024-11-27 16:00", "2024-11-29 13:00", "2024-12-02 16:00")
    out = join(daily, ["2024-11-27 16:00", "2024-11-29 13:00"], "session_close", put_volume=[1, 2])
    assert_array_equal(out["put_volume"], [1.0, 2.0, np.nan])


def test_a_row_stamped_after_the_close_is_not_known_at_the_close():
    late = frame_at("2024-11-27 16:00", "2024-11-27 16:30")
    out = join(late, ["2024-11-27 16:10"], "session_close", gauge=[1.0])
    assert_array_equal(out["gauge"], [np.nan, 1.0])


def test_an_amount_known_at_the_next_open_lands_in_the_next_session():
    out = join(BARS, DAYS, "next_session_open", put_volume=[1.0, 2.0])
    assert_array_equal(out["put_volume"], [np.nan, 1.0, 0.0, 0.0, 2.0])


def test_a_futures_session_takes_what_is_known_at_its_evening_open():
    index = pd.DatetimeIndex(
        [pd.Timestamp(s, tz="America/Chicago") for s in ("2024-11-25 17:00", "2024-11-25 18:00")]
    )
    rows = pd.DataFrame({"put_volume": [3.0]}, index=index[:1] + pd.Timedelta(hours=24))
    frame = pd.DataFrame({"close": [1.0, 1.0]}, index=index)
    out = join_columns(frame, rows, part("session_open"), "CMES")
    assert_array_equal(out["put_volume"], [np.nan, 3.0])


def test_a_blank_column_gives_way_to_the_part():
    out = join(BARS.assign(volume=np.nan), DAYS, volume=[7.0, 8.0])
    assert_array_equal(out["volume"], [7.0, np.nan, np.nan, 8.0, np.nan])


def test_a_column_that_is_there_already_is_refused():
    with pytest.raises(InputError, match=r"^part.csv: column 'volume' is already there"):
        join(BARS, DAYS, volume=[1.0, 2.0])


def test_amounts_that_all_miss_the_bars_are_refused():
    with pytest.raises(InputError, match=r"^part.csv: no row lands in any bar.*known_at"):
        join(BARS, DAYS, {"delay_minutes": 1}, put_volume=[1.0, 2.0])


@pytest.mark.parametrize(
    "wrong", [{"known_at": "later"}, {"known_at": {"delay_minutes": -1}}, {"max_age_days": 0}]
)
def test_a_wrong_rule_is_refused(wrong):
    with pytest.raises(ValidationError):
        Part.model_validate({"source": SOURCE, **wrong})


KNOWN_AT = st.sampled_from(
    [*("bar_close", "session_open", "session_close", "next_session_open"), {"delay_minutes": 45}]
)
MINUTES = st.lists(st.integers(0, 10 * 24 * 12), min_size=1, max_size=60, unique=True).map(sorted)
START = pd.Timestamp("2024-11-21", tz=ZONE)


def seen(frame: pd.DataFrame, rows: pd.Series, known_at, now: pd.Timestamp) -> pd.Series:
    try:
        out = join_columns(frame, rows.to_frame(), part(known_at), "XNYS")
    except InputError:  # no amount lands in any bar: none is known
        out = frame.assign(**{str(rows.name): np.nan})
    return out.loc[:now, rows.name]


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(["put_volume", "net_oi"]), KNOWN_AT, MINUTES, MINUTES, st.integers(0, 59))
def test_the_future_changes_nothing(column, known_at, bars, rows, cut):
    frame = pd.DataFrame({"close": 1.0}, index=START + pd.to_timedelta(5 * np.array(bars), "min"))
    index = START + pd.to_timedelta(5 * np.array(rows), unit="min")
    past = pd.Series(np.arange(len(rows)) + 1.0, index, name=column)
    now = frame.index[cut % len(frame)]
    # what is stamped after now is known after now; only `session_open` makes a row known before
    # its stamp, though never before its session
    session = session_ordinals(index, "XNYS")
    later = session > session_ordinals(pd.DatetimeIndex([now]), "XNYS")[0]
    if known_at != "session_open":
        later |= index > now
    before = seen(frame, past, known_at, now)
    assert_array_equal(seen(frame, past + 100.0 * later, known_at, now), before)
    assert_array_equal(seen(frame, past[~later], known_at, now), before)


@settings(deadline=None)
@given(MINUTES, MINUTES)
def test_no_amount_is_lost_or_counted_twice(bars, rows):
    frame = pd.DataFrame({"close": 1.0}, index=START + pd.to_timedelta(5 * np.array(bars), "min"))
    index = START + pd.to_timedelta(5 * np.array(rows), unit="min")
    amounts = pd.Series(2.0 ** np.arange(len(rows) % 50), index[: len(rows) % 50])
    slow = dict.fromkeys(frame.index, 0.0)
    day = {s: int(session_ordinals(pd.DatetimeIndex([s]), "24/7")[0]) for s in frame.index}
    for stamp, amount in amounts.items():
        own = int(session_ordinals(pd.DatetimeIndex([stamp]), "24/7")[0])
        for close in frame.index:
            if close >= stamp and day[close] == own:
                slow[close] += amount
                break
    if not any(slow.values()):
        return
    out = join_columns(frame, amounts.to_frame("put_volume"), part(), "24/7")
    assert_array_equal(out["put_volume"].fillna(0.0), list(slow.values()))


def test_states_agree_with_an_as_of_merge_of_pandas():
    rng = np.random.default_rng(3)
    bars = START + pd.to_timedelta(np.sort(rng.choice(20_000, 500, replace=False)), unit="min")
    rows = START + pd.to_timedelta(np.sort(rng.choice(20_000, 300, replace=False)), unit="min")
    table = pd.DataFrame({"gauge": rng.normal(size=300)}, index=rows)
    frame = pd.DataFrame({"close": 1.0}, index=bars)
    merged = pd.merge_asof(
        frame, table, left_index=True, right_index=True, tolerance=pd.Timedelta(days=0.02)
    )
    out = join_columns(frame, table, part(max_age_days=0.02), "XNYS")
    assert_array_equal(out["gauge"], merged["gauge"])


def test_parts_are_read_from_files_and_built_into_the_frame(tmp_path: Path):
    (tmp_path / "oi.csv").write_text("date,net\n2024-11-26,5\n2024-11-27,6\n")
    (tmp_path / "flow.csv").write_text(
        "ts,P,C\n2024-11-27 09:40,1,2\n2024-11-27 09:55,3,4\n2024-11-27 10:10,5,6\n"
    )
    oi = {"kind": "csv", "path": "oi.csv", "columns": {"net_oi": "net"}}
    flow = {
        "kind": "csv", "path": "flow.csv", "columns": {"put_volume": "P", "call_volume": "C"},
        "timezone": ZONE, "bar_label": "close", "bar_minutes": 5,
    }  # fmt: skip
    parts = [
        Part.model_validate({"source": oi, "known_at": "next_session_open"}),
        Part.model_validate({"source": flow}),
    ]
    frame = frame_at("2024-11-27 10:00", "2024-11-27 10:30")
    where = Locations((tmp_path,))
    out = join_parts(frame, parts, where, "XNYS")
    assert_array_equal(out["put_volume"], [4.0, 5.0])
    assert_array_equal(out["call_volume"], [6.0, 6.0])
    assert_array_equal(out["net_oi"], [5.0, 5.0])
    bars = out[["close", "volume"]].assign(open=1.0, high=1.0, low=1.0)
    built = build_frame(
        bars.assign(), calendar="XNYS", where=where, bar_minutes=30, parts=parts,
        resample_minutes=60, required=("net_oi", "put_volume"),
    )  # fmt: skip
    assert_array_equal(built["put_volume"], [9.0])
    assert_array_equal(built["minutes_open"], [60.0])


@pytest.mark.real_data
def test_real_daily_totals_join_real_minutes_at_the_last_bar_of_each_session(real_data):
    where = Locations((real_data,))
    bars = CsvSource(path="bars/SPY_5m_2026-05_2026-08.csv", bar_label="open", bar_minutes=5).read(
        where, "XNYS"
    )
    totals = {
        "kind": "csv", "path": "eod_chains/daily_option_totals_SPY_QQQ_TLT_2026.csv",
        "columns": {"put_volume": "put_volume", "put_oi": "put_oi"}, "select": {"symbol": "SPY"},
    }  # fmt: skip
    # the count published before the open of a session stands in that session's row
    volume = {**totals, "columns": {"put_volume": "put_volume"}}
    interest = {**totals, "columns": {"put_oi": "put_oi"}}
    parts = [
        Part.model_validate({"source": volume, "known_at": "session_close"}),
        Part.model_validate({"source": interest, "known_at": "session_open"}),
    ]
    frame = build_frame(bars, calendar="XNYS", where=where, outside="drop", parts=parts)
    raw = pd.read_csv(real_data / totals["path"]).query("symbol == 'SPY'").set_index("date")
    landed = frame[frame["put_volume"].notna()]
    assert len(landed) > 50
    assert (landed["minutes_left"] == 0.0).all()
    days = landed.index.strftime("%Y-%m-%d")
    assert_allclose(landed["put_volume"], raw.loc[days, "put_volume"])
    assert_allclose(landed["put_oi"], raw.loc[days, "put_oi"])


# ---- rows of a day and more


def sessions_of_hours(calendar="CMES", zone="America/Chicago") -> pd.DataFrame:
    """Return hourly bars of two weeks of futures; close counts up, so that leaks show."""
    opens = [
        pd.Timestamp(f"{day:%Y-%m-%d} 17:00", tz=zone) + pd.Timedelta(hours=hour)
        for day in pd.date_range("2024-02-04", "2024-02-15")
        if day.day_of_week not in (4, 5)
        for hour in range(23)
    ]
    index = pd.DatetimeIndex(opens, name="close_time") + pd.Timedelta(hours=1)
    count = np.arange(len(index)) + 1.0
    bars = dict.fromkeys(("open", "high", "low", "close"), count)
    return describe(pd.DataFrame(bars, index=index), symbol="F", bar_minutes=60, calendar=calendar)


def joined(folder: Path, frame: pd.DataFrame, text: str, calendar: str, **source) -> pd.DataFrame:
    (folder / "part.csv").write_text(text)
    source = {"kind": "csv", "path": "part.csv", "columns": {"last": "close"}, **source}
    how = [Part.model_validate({"source": source})]
    return build_frame(frame, calendar=calendar, where=Locations((folder,)), parts=how)


def early(out: pd.DataFrame, period: pd.Series) -> float:
    """Return the share of bars before a period's last that hold its close already."""
    own = out.groupby(period)["close"].transform("last")
    is_last = ~period.duplicated(keep="last")
    return float((out["last"] == own)[~is_last].mean())


@pytest.mark.parametrize(("label", "shift"), [("open", -1), ("close", 0)])
def test_no_bar_of_a_session_holds_its_close_before_the_last(tmp_path, label, shift):
    bars = sessions_of_hours()
    session = pd.Series(session_ordinals(pd.DatetimeIndex(bars.index), "CMES"), bars.index)
    days = bars["close"].groupby(session.to_numpy()).last()
    clock = "17:00" if label == "open" else "16:00"
    rows = [f"{pd.Timestamp.fromordinal(d + shift):%Y-%m-%d} {clock},{c}" for d, c in days.items()]
    text = "\n".join(["time,close", *rows]) + "\n"
    how = {"bar_label": label, "bar_minutes": 1440, "timezone": "America/Chicago"}
    out = joined(tmp_path, bars, text, "CMES", **how)
    assert early(out, session) == 0.0
    last = out[~session.duplicated(keep="last").to_numpy()]
    assert_array_equal(last["last"], last["close"])
    (note,) = [n for n in out.attrs["notes"] if getattr(n, "code", "") == "join-first-seen"]
    assert note == (
        "part.csv: row of 2024-02-05 first seen on the bar of 2024-02-05 16:00 "
        "(last; known_at: bar_close)"
    )


def days_of(start: str, periods: int) -> pd.DataFrame:
    known = calendar_sessions("XNYS", 2024, 2024).astype("M8[D]")
    days = pd.DatetimeIndex(known[known >= np.datetime64(start)][:periods])
    index = (days + pd.Timedelta(hours=16)).tz_localize(ZONE)
    bars = dict.fromkeys(("open", "high", "low", "close"), np.arange(periods) + 1.0)
    frame = pd.DataFrame(bars, index=index.rename("close_time"))
    return describe(frame, symbol="D", bar_minutes=1440, calendar="XNYS")


@pytest.mark.parametrize(("period", "bar"), [("W-SUN", "1w"), ("M", "1mo")])
@pytest.mark.parametrize("end", ["first", "last"])
def test_no_day_of_a_week_or_month_holds_its_close_before_the_last(tmp_path, period, bar, end):
    days = days_of("2024-02-01", 120)
    when = pd.Series(days.index.tz_localize(None).to_period(period), days.index)
    groups = days["close"].groupby(when)
    stamps = days.index.to_series().groupby(when).agg(end)
    rows = [f"{at:%Y-%m-%d},{c}" for at, c in zip(stamps, groups.last(), strict=True)]
    text = "\n".join(["date,close", *rows]) + "\n"
    said = {"bar": bar, "bar_label": "open"} if end == "first" else {}
    out = joined(tmp_path, days, text, "XNYS", **said)
    assert early(out, when) == 0.0
    last = out[~when.duplicated(keep="last").to_numpy()].iloc[:-1]
    assert_array_equal(last["last"], last["close"])
    if end == "first":
        with pytest.raises(InputError, match=r"^part.csv: dates such as .* daily bars are not"):
            joined(tmp_path, days, text, "XNYS")


def test_a_joined_file_of_minutes_has_no_note_of_days(tmp_path):
    frame = frame_at("2024-11-27 10:00", "2024-11-27 10:30")
    frame = frame.assign(open=1.0, high=1.0, low=1.0)
    text = "ts,close\n2024-11-27 09:40,1\n2024-11-27 09:45,2\n"
    how = {"timezone": ZONE, "bar_label": "close", "bar_minutes": 5}
    notes = joined(tmp_path, frame, text, "XNYS", **how).attrs["notes"]
    assert not [note for note in notes if "first seen" in note]


def test_a_doubtful_label_of_a_joined_file_reaches_the_notes(tmp_path):
    days = days_of("2024-04-01", 60)
    mondays = [f"{at:%Y-%m-%d},1" for at in days.index if at.day_of_week == 0]
    text = "\n".join(["date,close", *mondays]) + "\n"
    out = joined(tmp_path, days, text, "XNYS", bar="1w", bar_label="close")
    assert any("bar_label is close, but each date is the first" in n for n in out.attrs["notes"])
