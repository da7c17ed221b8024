from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal

from hpi_bt.errors import InputError
from hpi_bt.sources.base import Locations
from hpi_bt.sources.files import CsvSource, ParquetSource

DAILY = "Date,Open,High,Low,Close,Volume\n2024-11-27,10,12,9,11,100\n2024-11-29,11,12,10,12,50\n"
MINUTES = {"bar_label": "open", "bar_minutes": 5}
HEAD = "datetime,open,high,low,close,volume\n"
ROW = ",10,12,9,11,100\n"


def read(folder: Path, text: str, **options) -> pd.DataFrame:
    (folder / "spy.csv").write_text(text)
    return CsvSource(path="spy.csv", **options).read(Locations((folder,)), "XNYS")


def intraday(*stamps: str) -> str:
    return HEAD + "".join(stamp + ROW for stamp in stamps)


def test_daily_bars_close_with_their_session_half_days_too(tmp_path):
    frame = read(tmp_path, DAILY)
    assert [str(s) for s in frame.index] == [
        "2024-11-27 16:00:00-05:00",
        "2024-11-29 13:00:00-05:00",
    ]
    assert list(frame.columns) == ["open", "high", "low", "close", "volume"]
    assert_array_equal(frame["volume"], [100.0, 50.0])
    assert frame.attrs == {
        "symbol": "spy",
        "bar_minutes": 1440.0,
        "calendar": "XNYS",
        "demo": "",
        "notes": [],
    }


@pytest.mark.parametrize(
    ("stamps", "options"),
    [
        (["2024-11-27 00:00:00-05:00", "2024-11-29 00:00:00-05:00"], {}),
        (["2024-11-27T05:00:00Z", "2024-11-29T05:00:00Z"], {}),
        (["20241127", "20241129"], {}),
        (["11/27/2024", "11/29/2024"], {"stamp_format": "%m/%d/%Y"}),
        (["2024-11-27 16:15", "2024-11-29 16:15"], {"bar_minutes": 1440}),
        (["2024-11-27 21:15Z", "2024-11-29 21:15Z"], {"bar_minutes": 1440}),
    ],
)
def test_a_date_is_understood_however_it_is_written(tmp_path, stamps, options):
    index = read(tmp_path, intraday(*stamps), **options).index
    assert index.equals(read(tmp_path, DAILY).index)


@pytest.mark.parametrize(
    ("stamp", "options"),
    [
        ("2024-11-27 09:30", {"timezone": "America/New_York", **MINUTES}),
        ("2024-11-27 09:35", {"timezone": "America/New_York", **MINUTES, "bar_label": "close"}),
        ("2024-11-27 09:30:00-05:00", MINUTES),
        ("2024-11-27T14:30:00Z", MINUTES),
        ("1732717800", MINUTES),
        ("1732717800000", MINUTES),
        ("27.11.2024 09:30", {"timezone": "EST", "stamp_format": "%d.%m.%Y %H:%M", **MINUTES}),
    ],
)
def test_a_moment_is_understood_however_it_is_written(tmp_path, stamp, options):
    (close,) = read(tmp_path, intraday(stamp), **options).index
    assert close == pd.Timestamp("2024-11-27 09:35", tz="America/New_York")


def test_offsets_that_change_with_daylight_saving_are_followed(tmp_path):
    text = intraday("2024-03-08 09:30:00-05:00", "2024-03-11 09:30:00-04:00")
    index = read(tmp_path, text, **MINUTES).index
    assert [f"{s:%H:%M%z}" for s in index] == ["09:35-0500", "09:35-0400"]


def test_a_last_bar_labelled_by_its_open_ends_with_the_session(tmp_path):
    text = intraday("2024-11-27 14:30", "2024-11-27 15:30", "2024-11-27 16:30")
    options = {"timezone": "America/New_York", "bar_label": "open", "bar_minutes": 60}
    index = read(tmp_path, text, **options).index
    assert [f"{s:%H:%M}" for s in index] == ["15:30", "16:00", "17:30"]


def test_columns_are_named_or_found_without_regard_to_case_and_blanks(tmp_path):
    text = "TS,OPEN,High,low,Settle,Close,Open Interest,x\n2024-11-27,10,12,9,11,-5,7,8\n"
    frame = read(tmp_path, text, columns={"close": "Settle", "skew": "x"})
    assert frame["close"].item() == 11.0
    assert frame["openinterest"].item() == 7.0
    assert frame["skew"].item() == 8.0
    assert "volume" not in frame
    assert frame.attrs["notes"] == ["spy.csv has no volume"]


def test_rows_of_one_symbol_are_selected_by_text_or_number(tmp_path):
    text = (
        "symbol,lot,date,open,high,low,close\nSPY,1,2024-11-27,1,1,1,1\nQQQ,2,2024-11-27,2,2,2,2\n"
    )
    assert read(tmp_path, text, select={"symbol": "QQQ"})["close"].item() == 2.0
    assert read(tmp_path, text, select={"lot": 1})["close"].item() == 1.0


def test_newest_first_is_sorted_when_asked(tmp_path):
    lines = DAILY.splitlines(keepends=True)
    frame = read(tmp_path, lines[0] + lines[2] + lines[1], sort=True)
    assert_frame_equal(frame, read(tmp_path, DAILY))


def test_the_same_bars_come_from_csv_gz_and_parquet(tmp_path):
    plain = read(tmp_path, DAILY, symbol="SPY")
    (tmp_path / "spy.csv.gz").write_bytes(gzip.compress(DAILY.encode()))
    where = Locations((tmp_path,))
    zipped = CsvSource(path="spy.csv.gz").read(where, "XNYS")
    assert zipped.attrs["symbol"] == "spy"
    assert_frame_equal(zipped, plain)
    table = pd.read_csv(tmp_path / "spy.csv", parse_dates=["Date"])
    for name, stored in {
        "naive": table,
        "index": table.set_index("Date"),
        "zoned": table.assign(Date=table["Date"].dt.tz_localize("America/New_York")),
        "dates": table.assign(Date=table["Date"].dt.date),
    }.items():
        stored.to_parquet(tmp_path / f"{name}.parquet")
        frame = ParquetSource(path=f"{name}.parquet", symbol="SPY").read(where, "XNYS")
        assert_frame_equal(frame, plain)
        assert frame.attrs == plain.attrs


def test_a_part_gives_its_named_columns_or_what_is_known_of_hedging(tmp_path):
    (tmp_path / "oi.csv").write_text("date,close,net_oi,gauge\n2024-11-27,1,5,60\n")
    where = Locations((tmp_path,))
    assert list(CsvSource(path="oi.csv").read_columns(where, "XNYS")) == ["net_oi"]
    named = CsvSource(path="oi.csv", columns={"datetime": "date", "fear": "gauge"})
    assert named.read_columns(where, "XNYS")["fear"].item() == 60.0


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, r"the file is empty"),
        ("<!DOCTYPE html><html></html>", {}, r"this is a web page"),
        ("a\0b", {}, r"this is no text"),
        (HEAD, {}, r"a header but no rows"),
        ("a,b\n1,2\n", {}, r"no column of stamps \(found: a, b\)"),
        (DAILY, {"columns": {"close": "Setle"}}, r"no column 'Setle' for 'close'"),
        ("date,Close,CLOSE\n2024-01-02,1,1\n", {}, r"several columns could be 'close'"),
        (DAILY.replace("Close", "Last"), {}, r"no column 'close' \(found: open, high, low"),
        (DAILY, {"select": {"symbl": "x"}}, r"no column 'symbl' to select by"),
        (DAILY, {"select": {"Volume": 7}}, r"no row with Volume = 7.0 \(found: 100, 50\)"),
        (DAILY.replace(",100", ",1x0"), {}, r"row 1, Volume is '1x0'; wanted a number"),
        (DAILY.replace("2024-11-29", "later"), {}, r"row 2, Date is 'later'; wanted a date"),
        (DAILY.replace("2024-11-29", ""), {}, r"row 2, Date is 'nan'; wanted a date"),
        (DAILY.replace("100", "100,1"), {}, r"line 2 has 7 cells, wanted 6"),
        (DAILY + "2024-12-02,11\n", {}, r"line 4 has 2 cells, wanted 6.*cut off"),
        (DAILY + "2024-12-02,11,,,,\n", {}, r"row 3, High is nan .*2024-12-02.*bad_bars"),
        (DAILY + "2024-11-25,10,12,9,11,1\n", {}, r"row 3 .*is older.*sort: true"),
        (DAILY + "2024-11-29,10,12,9,11,1\n", {}, r"row 3 repeats the stamp 2024-11-29"),
        (DAILY, {"bar_minutes": 5}, r"the stamps are dates, but bar_minutes is 5"),
        (
            intraday("2024-11-27 09:30", "2024-11-27 09:35"),
            {},
            r"no bar_label and no bar_minutes \(the usual step is 5 minutes\)",
        ),
        (intraday("2024-11-27 09:30"), {"bar_minutes": 5}, r"but no bar_label;"),
        (intraday("2024-11-27 09:30"), MINUTES, r"have no time zone; .*timezone"),
        (intraday("2024-11-27 09:30"), {"timezone": "New York", **MINUTES}, r"is unknown"),
        (
            intraday("2024-03-10 02:30"),
            {"timezone": "America/New_York", **MINUTES},
            r"a stamp does not exist, or exists twice",
        ),
        (
            intraday("2024-11-27 09:30-05:00", "2024-11-27 09:35"),
            MINUTES,
            r"row 2 is stamped '2024-11-27 09:35' without a UTC offset",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path, text, options, message):
    with pytest.raises(InputError, match=rf"^spy\.csv: .*{message}|^spy\.csv: {message}") as caught:
        read(tmp_path, text, **options)
    assert "\n" not in str(caught.value)


def test_half_a_file_is_refused_in_one_line(tmp_path):
    where = Locations((tmp_path,))
    whole = gzip.compress((DAILY * 2000).encode())
    (tmp_path / "half.csv.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "foreign.csv.gz").write_bytes(b"plain text")
    (tmp_path / "half.parquet").write_bytes(b"PAR1 and no more")
    for path in ("half.csv.gz", "foreign.csv.gz"):
        with pytest.raises(InputError, match=rf"^{path}: cannot be read"):
            CsvSource(path=path).read(where, "XNYS")
    with pytest.raises(InputError, match=r"^half.parquet: cannot be read"):
        ParquetSource(path="half.parquet").read(where, "XNYS")


@pytest.mark.parametrize(
    ("head", "page"),
    [
        ("<DATE>,<OPEN>,<CLOSE>", False),
        ("<DATE>\t<OPEN>\t<CLOSE>", False),
        ("<!doctype html>", True),
        ("<html><body>", True),
        ("<Error><Code>403</Code></Error>", True),
    ],
)
def test_names_in_angle_brackets_are_no_web_page(tmp_path, head, page):
    (tmp_path / "spy.csv").write_text(f"{head}\n2024-01-02,1,1\n")
    with pytest.raises(InputError) as error:
        CsvSource(path="spy.csv").read(Locations((tmp_path,)), "XNYS")
    assert ("web page" in str(error.value)) == page


def test_names_in_angle_brackets_are_read_without_them(tmp_path):
    rows = "2024-01-02,1,2,1,2,10\n2024-01-03,1,2,1,2,10\n"
    where = Locations((tmp_path,))
    (tmp_path / "plain.csv").write_text(f"DATE,OPEN,HIGH,LOW,CLOSE,VOLUME\n{rows}")
    (tmp_path / "angle.csv").write_text(f"<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOLUME>\n{rows}")
    plain, angle = (CsvSource(path=f"{n}.csv").read(where, "XNYS") for n in ("plain", "angle"))
    pd.testing.assert_frame_equal(plain, angle)


def test_an_integer_of_hundreds_of_digits_is_shown_shortened(tmp_path):
    rows = f"2024-01-02,1,2,1,2,{'9' * 400}\n2024-01-03,1,2,1,2,10\n"
    (tmp_path / "spy.csv").write_text(f"date,open,high,low,close,volume\n{rows}")
    with pytest.raises(InputError, match=r"row 1, volume is 9{20}\.{3}9{20}; wanted a number"):
        CsvSource(path="spy.csv").read(Locations((tmp_path,)), "XNYS")


def test_a_part_without_a_known_column_is_refused(tmp_path):
    (tmp_path / "oi.csv").write_text("date,gauge\n2024-11-27,60\n")
    with pytest.raises(InputError, match=r"^oi.csv: no column to join; name them under columns"):
        CsvSource(path="oi.csv").read_columns(Locations((tmp_path,)), "XNYS")


@pytest.mark.parametrize(
    ("price", "doubtful"),
    [("1,085", True), ("5,006.5", False), ("1,085,000", False), ("85", False)],
)
def test_a_comma_that_may_be_a_decimal_one_is_said(tmp_path, price, doubtful):
    days = pd.bdate_range("2024-01-02", periods=5).strftime("%Y-%m-%d")
    rows = [f'{day},"{price}","{price}","{price}","{price}",100' for day in days]
    text = "\n".join(("date,open,high,low,close,volume", *rows))
    (tmp_path / "spy.csv").write_text(text)
    frame = CsvSource(path="spy.csv").read(Locations((tmp_path,)), "XNYS")
    assert (frame["close"] == float(price.replace(",", ""))).all()
    codes = [getattr(note, "code", "") for note in frame.attrs["notes"]]
    assert codes.count("comma-of-thousands") == doubtful


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None
)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 60 * 24 * 200), st.floats(-1e9, 1e9)),
        min_size=1,
        unique_by=lambda row: row[0],
    ).map(sorted)
)
def test_what_was_written_is_what_is_read_whatever_zone_it_was_written_in(tmp_path, rows):
    minutes, closes = zip(*rows, strict=True)
    index = pd.Timestamp("2024-02-01", tz="UTC") + pd.to_timedelta(minutes, unit="min")
    index += pd.Timedelta(seconds=30)  # no midnight
    index = index.append(index[-1:] + pd.Timedelta(minutes=1))  # no bar a session at one time
    closes += closes[-1:]
    for zone in ("UTC", "America/New_York", "Asia/Kolkata"):
        stamps = index.tz_convert(zone)
        price = np.array(closes)
        frame = pd.DataFrame({"ts": stamps, "open": price, "high": price, "low": price})
        frame.assign(close=price).to_csv(tmp_path / "spy.csv", index=False)
        source = CsvSource(path="spy.csv", bar_label="close", bar_minutes=1, allow_nonpositive=True)
        out = source.read(Locations((tmp_path,)), "XNYS")
        assert (out.index == index).all()
        assert_array_equal(out["close"], price)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("path", "options", "rows", "notes"),
    [
        ("bars/SPY_daily_raw.csv", {}, 5849, []),
        ("bars/SPY_daily_yfinance_adjusted.csv", {}, 8444, []),
        ("bars/IWM_5m_2025-12_2026-03.csv", MINUTES, 4520, ["2 bars of 4,520 without volume"]),
        ("bars/SPY_5m_2026-05_2026-08.csv", MINUTES, 4678, []),
        (
            "futures/CHRIS-CME_GC1.csv",
            {"columns": {"close": "Settle", "openinterest": "Previous Day Open Interest"}},
            11204,
            ["187 faulty bars widened", "79 bars of 11,204 without volume kept"],
        ),
    ],
)
def test_real_files_are_read(real_data, path, options, rows, notes):
    calendar = "CMES" if path.startswith("futures") else "XNYS"
    source = CsvSource(path=path, bad_bars="widen", **options)
    frame = source.read(Locations((real_data,)), calendar)
    assert len(frame) == rows
    found = [note.removeprefix(f"{path}: ") for note in frame.attrs["notes"]]
    assert [note[: len(wanted)] for note, wanted in zip(found, notes, strict=True)] == notes
    raw = pd.read_csv(real_data / path)
    assert_array_equal(frame["volume"], raw["Volume" if "Volume" in raw else "volume"])


@pytest.mark.real_data
def test_one_selected_symbol_agrees_with_a_plain_reading(real_data):
    path = "eod_chains/daily_option_totals_SPY_QQQ_TLT_2026.csv"
    columns = {"put_volume": "put_volume", "call_oi": "call_oi"}
    source = CsvSource(path=path, columns=columns, select={"symbol": "QQQ"})
    frame = source.read_columns(Locations((real_data,)), "XNYS")
    raw = pd.read_csv(real_data / path).query("symbol == 'QQQ'")
    assert_array_equal(frame["put_volume"], raw["put_volume"])
    assert_array_equal(frame["call_oi"], raw["call_oi"])


ZERO = DAILY + "2024-12-02,{0},12,{1},11,100\n"


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_price_of_zero_names_its_row_and_column_as_the_file_does(tmp_path, kind):
    text = "symbol," + DAILY.replace("\n2024", "\nSPY,2024").replace("\nSPY,2024", "\nQQQ,2024", 1)
    text += "SPY,2024-12-02,-10,12,9,11,100\n"
    (tmp_path / "spy.csv").write_text(text)
    pd.read_csv(tmp_path / "spy.csv").to_parquet(tmp_path / "spy.parquet")
    source = {"csv": CsvSource, "parquet": ParquetSource}[kind]
    made = source(path=f"spy.{kind}", select={"symbol": "SPY"}, columns={"open": "Open"})
    with pytest.raises(InputError, match=r": row 3, Open is -10 at 2024-12-02.*bad_bars.*allow_n"):
        made.read(Locations((tmp_path,)), "XNYS")
    allowed = made.model_copy(update={"allow_nonpositive": True, "bad_bars": "widen"})
    assert allowed.read(Locations((tmp_path,)), "XNYS")["low"].iloc[-1] == -10.0


def test_rows_that_were_sorted_are_named_by_their_place_in_the_file(tmp_path):
    lines = ZERO.format(0, 9).splitlines(keepends=True)
    text = lines[0] + "".join(lines[:0:-1])
    with pytest.raises(InputError, match=r"row 1, Open is 0 at 2024-12-02"):
        read(tmp_path, text, sort=True)


def test_blank_prices_of_zero_are_widened_to_prices_that_exist(tmp_path):
    frame = read(tmp_path, ZERO.format(0, 0), bad_bars="widen")
    assert_array_equal(frame.iloc[-1, :4], [11.0, 12.0, 11.0, 11.0])
    assert "row 3, Open" in frame.attrs["notes"][0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DAILY.replace(",100", ",inf"), r"row 1, Volume is inf .*within"),
        (DAILY.replace(",100", ",1e308"), r"row 1, Volume is 1e\+308"),
        (DAILY.replace(",12,9,", ",1e400,9,"), r"row 1, High is inf"),
        (DAILY.replace(",100", ",-3"), r"row 1, Volume is -3 .*0 or more"),
        ("date,open,high,low,close,OI\n2024-11-27,1,1,1,1,-7\n", r"row 1, OI is -7 .*0 or more"),
    ],
)
def test_amounts_that_cannot_be_are_refused_with_their_cell(tmp_path, text, message):
    options = {"columns": {"openinterest": "OI"}} if "OI" in text else {}
    for policy in ("refuse", "drop", "widen"):
        with pytest.raises(InputError, match=rf"^spy\.csv: {message}"):
            read(tmp_path, text, bad_bars=policy, **options)
    (tmp_path / "oi.csv").write_text("date,net_oi,put_oi\n2024-11-27,-5,-1\n")
    part = CsvSource(path="oi.csv")
    with pytest.raises(InputError, match=r"^oi\.csv: row 1, put_oi is -1"):
        part.read_columns(Locations((tmp_path,)), "XNYS")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DAILY[:-4], r"line 3 has 5 cells, wanted 6; the file is cut off or damaged there"),
        (DAILY[:-10], r"line 3 has 3 cells, wanted 6"),
        (DAILY.replace(",9,11", ",9"), r"line 2 has 5 cells, wanted 6"),
        (DAILY.replace(",9,11", ",9,11,11"), r"line 2 has 7 cells, wanted 6"),
        (DAILY.replace("\n2024-11-27", '\n"2024-11-27"')[:-4], r"line 3 has 5 cells"),
        (DAILY.replace("High", "Close"), r"the header has column 'Close' 2 times; rename"),
        (DAILY.replace("Volume", "Close"), r"the header has column 'Close' 2 times"),
        (DAILY.replace("Volume", "close"), r"several columns could be 'close' \(Close, close\)"),
    ],
)
def test_tables_that_are_cut_or_ambiguous_are_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=rf"^spy\.csv: {message}"):
        read(tmp_path, text)
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(text.encode()))
    with pytest.raises(InputError, match=rf"^cut\.csv\.gz: {message}"):
        CsvSource(path="cut.csv.gz").read(Locations((tmp_path,)), "XNYS")


def test_a_parquet_file_with_a_column_twice_is_refused(tmp_path):
    table = pa.table([["2024-11-27"], [1.0], [2.0]], names=["date", "close", "close"])
    pq.write_table(table, tmp_path / "twice.parquet")
    with pytest.raises(InputError, match="has column 'close' 2 times"):
        ParquetSource(path="twice.parquet", columns={"x": "close"}).read_columns(
            Locations((tmp_path,)), "XNYS"
        )


@pytest.mark.parametrize(
    "text",
    [
        DAILY.rstrip("\n"),
        DAILY.replace("\n", "\r\n"),
        DAILY + "\n   \n",
        "\ufeff" + DAILY,
        DAILY.replace("\n", ",\n"),
        DAILY.replace("Volume", "Volume,"),
        DAILY.replace(",100", ',"100"').replace(",50", ',""'),
        DAILY.replace("Volume", 'Volume,"a, b"').replace("00\n", '00,"c\nd, e"\n').replace(
            ",50\n", ",50,x\n"
        ),
    ],
)  # fmt: skip
def test_whole_tables_are_read_however_their_lines_end(tmp_path, text):
    frame = read(tmp_path, text)
    assert_array_equal(frame["close"], [11.0, 12.0])


def test_an_adjusted_close_that_is_not_used_is_said(tmp_path):
    head, first, second = DAILY.splitlines()
    text = f"{head},Adj Close\n{first},10.5\n{second},12\n"
    (note,) = read(tmp_path, text).attrs["notes"]
    assert (note.code, note.where) == ("adjusted-close-unused", "spy.csv")
    assert "'Adj Close' is there and not used" in note
    same = text.replace(",10.5", ",11")
    assert read(tmp_path, same).attrs["notes"] == []
    used = read(tmp_path, text, columns={"close": "Adj Close"})
    assert_array_equal(used["close"], [10.5, 12.0])
    assert used.attrs["notes"] == []
    assert "adjclose" not in used
    kept = read(tmp_path, text, columns={"adjclose": "Adj Close"})
    assert_array_equal(kept["adjclose"], [10.5, 12.0])
