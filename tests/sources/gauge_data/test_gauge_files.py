from __future__ import annotations

import json
from datetime import date, timedelta, timezone

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hpi_bt.errors import InputError
from hpi_bt.sources.base import Locations
from hpi_bt.sources.gauge_data.files import read_gauge_file, read_gauge_text
from hpi_bt.sources.gauge_data.put_call import splice_put_call
from hpi_bt.sources.gauge_data.reading import read_files

law = settings(max_examples=40, deadline=None)
TODAY = date(2026, 11, 20)

VIX = "DATE,OPEN,HIGH,LOW,CLOSE\n01/02/1990,17.24,17.24,17.24,17.24\n1/3/1990,18,19,18,18.5\n"
ARCHIVE = (
    '"Volume data is compiled for the convenience of visitors, and so on."\n'
    ", PRODUCT: TOTAL,,EXCHANGE: Cboe,\r\n"
    "DATE,CALLS,PUTS,TOTAL,P/C Ratio\r\n"
    "11/1/2006,1000,500,1500,0.50\r\n"
    "09/17/2019, 2000, 3000, 5000, 1.5\r\n"
)
TREASURY = (
    'Date,"1 Mo","1.5 Month","3 Mo","2 Yr","10 Yr"\n'
    "12/19/2025,3.71,3.71,3.62,3.48,4.16\n10/13/2025,,,,,\n01/02/2025,4.45,,4.36,4.25,4.57\n"
)
SOFR_JSON = json.dumps(
    {
        "refRates": [
            {"effectiveDate": "2024-06-21", "type": "SOFR", "percentRate": 5.31},
            {"effectiveDate": "2024-06-20", "type": "SOFR", "percentRate": 5.32},
            {"effectiveDate": "2024-06-20", "type": "BGCR", "percentRate": 5.0},
        ]
    }
)
RATIOS_JSON = json.dumps(
    {
        "ratios": [
            {"name": "TOTAL PUT/CALL RATIO", "value": "0.87"},
            {"name": "EXCHANGE TRADED PRODUCTS PUT/CALL RATIO", "value": "1.10"},
            {"name": "SPX + SPXW PUT/CALL RATIO", "value": "1.30"},
        ],
        "SUM OF ALL PRODUCTS": [{"name": "VOLUME", "call": 1, "put": 2, "total": 3}],
    }
)
YAHOO = (
    "Date,Open,High,Low,Close,Volume,Dividends\n"
    "1993-01-29 00:00:00-05:00,24.1,24.2,24.0,24.11,1003200,0.0\n"
)


def test_cboe_index():
    got = read_gauge_text(VIX, "x", today=TODAY)
    assert got.attrs == {"source": "Cboe", "notes": [], "layout": "cboe"}
    assert got.index.tolist() == [pd.Timestamp("1990-01-02"), pd.Timestamp("1990-01-03")]
    assert got["close"].tolist() == [17.24, 18.5]


def test_one_value_of_cboe():
    got = read_gauge_text("DATE,VVIX\n03/06/2006,71.73\n", "x")
    assert (got["close"].tolist(), got.attrs["layout"]) == ([71.73], "cboe")


def test_put_call_archive_with_its_disclaimer():
    got = read_gauge_text(ARCHIVE, "x")
    assert (got.attrs["product"], got.attrs["layout"]) == ("total", "put_call")
    assert got["put_call"].tolist() == [0.5, 1.5]
    assert got["puts"].tolist() == [500, 3000]


def test_put_call_archive_without_preamble_or_header():
    short = ARCHIVE.splitlines()[2:]
    for text in ("\n".join(short), "\n".join(short[1:])):
        got = read_gauge_text(text, "x")
        assert (got.attrs["product"], got["put_call"].tolist()) == ("", [0.5, 1.5])


def test_a_printed_ratio_that_is_not_puts_to_calls_is_named():
    got = read_gauge_text(ARCHIVE.replace("0.50", "0.52"), "x")
    assert got.attrs["notes"] == [
        "x: the printed ratio of 1 day(s) is not puts/calls, which is used"
    ]
    assert got["put_call"].iloc[0] == 0.5


def test_daily_statistics_as_a_table():
    names = "Fecha,TOTAL_PUT_CALL_RATIO,INDEX_PUT_CALL_RATIO,VIX_PUT_CALL_RATIO"
    text = f"{names}\n2019-10-07,1.05,0.0,2\n"
    got = read_gauge_text(text, "x")
    assert got["total"].tolist() == [1.05]
    assert got["index"].isna().all()  # 0 is no value


def test_daily_statistics_as_json():
    got = read_gauge_text(RATIOS_JSON, "2024-06-07_daily_options", today=TODAY)
    assert got.index.tolist() == [pd.Timestamp("2024-06-07")]
    assert (got["total"].item(), got["etp"].item()) == (0.87, 1.1)


def test_treasury_yields_newest_first_with_new_tenors_and_a_blank_day():
    got = read_gauge_text(TREASURY, "x")
    assert got.index.tolist() == [pd.Timestamp("2025-01-02"), pd.Timestamp("2025-12-19")]
    assert got.loc["2025-12-19"].to_dict() == {"bill3m": 3.62, "y2": 3.48, "y10": 4.16}


def test_treasury_yields_unquoted_with_iso_dates():
    got = read_gauge_text("Date,1 Mo,3 Mo,2 Yr,10 Yr\n2025-07-11,4.37,4.41,3.9,4.43\n", "x")
    assert got.attrs["layout"] == "treasury"
    assert got["y10"].tolist() == [4.43]


def test_sofr_of_the_new_york_fed():
    got = read_gauge_text(SOFR_JSON, "x")
    assert (got["sofr"].tolist(), got.attrs["source"]) == ([5.32, 5.31], "New York Fed")


def test_fred_series_under_our_name_without_holidays():
    got = read_gauge_text(
        "observation_date,SOFR\n2018-04-03,1.83\n2018-04-04,.\n2018-04-05,\n", "x"
    )
    assert (got["sofr"].tolist(), got.attrs["source"]) == ([1.83], "FRED SOFR")


def test_yahoo_chart():
    got = read_gauge_text(YAHOO, "x")
    assert got.index.tolist() == [pd.Timestamp("1993-01-29")]
    assert (got["close"].tolist(), got.attrs["layout"]) == ([24.11], "yahoo")


@pytest.mark.parametrize(
    ("stamp", "day"),
    [
        ("2024-01-01 21:00:00-08:00", "2024-01-02"),  # New York's midnight in Los Angeles
        ("2024-01-02T05:00Z", "2024-01-02"),  # the same in London
        ("2024-01-02 00:00:00-05:00", "2024-01-02"),
        ("2024-07-02 00:00:00.000-0400", "2024-07-02"),
        ("2024-01-02 00:00:00+00:00", "2024-01-02"),  # a date to which a program gave a zone
        ("2024-01-02 16:00:00", "2024-01-02"),  # no offset: the date as it is written
    ],
)
def test_a_stamp_with_an_offset_is_the_date_in_new_york(stamp, day):
    text = f"Date,Open,High,Low,Close\n2023-12-01,1,1,1,9\n{stamp},1,1,1,10\n"
    got = read_gauge_text(text, "x")
    assert list(got.index) == [pd.Timestamp("2023-12-01"), pd.Timestamp(day)]


@law
@given(st.datetimes(pd.Timestamp("1993-01-01"), pd.Timestamp("2026-01-01")), st.integers(-11, 13))
def test_every_moment_has_one_date_whatever_its_offset(moment, hours):
    there = pd.Timestamp(moment).floor("min").tz_localize("UTC")
    local = there.tz_convert(timezone(timedelta(hours=hours)))
    if local.hour == local.minute == 0:
        return  # a date, by the rule
    text = f"Date,Open,High,Low,Close\n{local.isoformat()},1,1,1,10\n"
    want = there.tz_convert("America/New_York").tz_localize(None).normalize()
    assert list(read_gauge_text(text, "x").index) == [want]


def test_thousands_may_be_grouped_in_quotes():
    text = 'Date,Open,High,Low,Close\n2024-01-02,"1,000.5","1,013.0",999,"1,013.0"\n'
    assert read_gauge_text(text, "x")["close"].tolist() == [1013.0]


@pytest.mark.parametrize(
    ("text", "series"),
    [
        ("Date,VIX\n2024-01-02,13.5\n", "vix"),
        ("date,put_call\n01/02/2024,0.9\n", "put_call"),
        ("date,spy\n2024-01-02,470\n", "spy"),
    ],
)
def test_a_file_of_ones_own_names_its_series(text, series):
    got = read_gauge_text(text, "x")
    assert (got.attrs["layout"], list(got)) == ("own", [series])
    assert list(got.index) == [pd.Timestamp("2024-01-02")]


def test_freds_own_files_are_still_freds():
    for text in ("DATE,SOFR\n2024-01-02,5\n", "observation_date,UNRATE\n2024-01-02,5\n"):
        assert read_gauge_text(text, "x").attrs["layout"] == "fred"


def test_a_repeated_row_counts_once():
    got = read_gauge_text(VIX + VIX.splitlines()[1], "x")
    assert len(got) == 2
    assert got.attrs["notes"] == ["x: 1 repeated row(s) left out"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x: empty"),
        (
            "<!DOCTYPE html><title>Access \n denied</title>",
            "x: a web page .Access denied., no data",
        ),
        ("\ufeff<html>", "x: a web page, no data"),
        ("DATE,\0", "x: no text"),
        ("a,b\n1,2\n", r"x: no line begins with a date column .found: a,b \| 1,2."),
        ("DATE,OPEN,HIGH,LOW,CLOSE\n", "x: a header but no rows"),
        ("DATE,CLOSE,CLOSE\n01/02/1990,1,2\n", "x: a column name stands twice"),
        ("DATE,FOO,BAR\n01/02/1990,1,2\n", "x: columns DATE, FOO, BAR are no layout that is known"),
        ("01/02/1990,1,2\n", "x: no header: this is no layout that is known"),
        (VIX + "01/04/1990,17.4,17.9", "x: line 4 has 3 cells, wanted 5; the file is cut off"),
        (VIX + "01/04/1990,1,2,3,4,5\n", "x: line 4 has 6 cells"),
        ("timestamp,vix\n2024-01-02,13\n", "x: the first column is 'timestamp', .* name it date"),
        ("Date,Close\n2024-01-02,13\n", "Date, Close are no layout.*date and one of spy, vix"),
        ("date,spy\n2024-01-02 noon,470\n", "x: line 2, date '2024-01-02 noon'; wanted"),
        (VIX + "01/04/1990,1,2,3,inf\n", "x: line 4, CLOSE is 'inf'; wanted a number"),
        (VIX + '01/04/1990,1,2,"3,4\n', "x: line 4 has 4 cells, wanted 5"),
        (VIX + "01/04/1990,1,2,3,n.a\n", "x: row 4, CLOSE is 'n.a'; wanted a number"),
        (VIX + "1990-01-04,1,2,3,4\n", "x: line 4, date '1990-01-04'; wanted 12/31/2024"),
        (VIX + "02/30/1990,1,2,3,4\n", "x: line 4, date '02/30/1990'"),
        (VIX + "11/21/2026,1,2,3,4\n", "x: line 4, date 2026-11-21 lies in the future .today"),
        (VIX + "01/02/1990,1,2,3,4\n", "x: 1990-01-02 stands on lines 2, 4 with different"),
        ('Date,"1 Mo","3 Mo"\n01/02/1990,1,2\n', "x: no column '2 yr' .found: Date, 1 Mo, 3 Mo."),
        (ARCHIVE.replace(" 5000", " 4000"), "x: calls and puts of 2019-09-17 do not add up"),
        ("date,VIX_PUT_CALL_RATIO\n2024-01-02,1\n", "x: no column 'TOTAL_PUT_CALL_RATIO'"),
        ('{"refRates": [{"effectiveDate": "2024', "x: not the New York Fed's list of rates"),
        ('{"error": "no"}', "x: not the New York Fed's list"),
        ('{"refRates": []}', "x: no SOFR rate in it"),
        (RATIOS_JSON, "x: not Cboe's daily statistics .no date in its name"),
        ('{"ratios": [{"na', "x: not Cboe's daily statistics"),
    ],
)
def test_what_is_no_official_text_is_refused_in_one_line(text, message):
    with pytest.raises(InputError, match=message) as caught:
        read_gauge_text(text, "x", today=TODAY)
    assert "\n" not in str(caught.value)


def test_daily_statistics_without_a_known_ratio_are_refused():
    with pytest.raises(InputError, match="no put/call ratio in it"):
        read_gauge_text('{"ratios": [{"name": "FOO", "value": 1}]}', "2024-06-07_daily_options")


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "x.csv"
    with pytest.raises(InputError, match=r"x\.csv: cannot be read .No such file"):
        read_gauge_file(path)
    path.write_bytes(b"DATE,\xff\xfe\n")
    with pytest.raises(InputError, match=r"x\.csv: cannot be read .no UTF-8 text"):
        read_gauge_file(path)


values = st.dictionaries(
    st.dates(date(1990, 1, 1), date(2026, 1, 1)),
    st.integers(1, 10_000).map(lambda i: i / 100),
    min_size=1,
)


@law
@given(values, st.randoms(), st.booleans())
def test_what_was_written_is_read_back_in_any_order(table, random, us):
    days = list(table)
    random.shuffle(days)
    written = [f"{d:%m/%d/%Y}" if us else str(d) for d in days]
    lines = [f"{w}, {table[d]}" for w, d in zip(written, days, strict=True)]
    got = read_gauge_text("\n".join(["DATE,X", *lines]), "x").iloc[:, 0]
    want = pd.Series(table)
    want.index = pd.DatetimeIndex(want.index)
    assert got.index.equals(want.sort_index().index.as_unit("ns").rename("date"))
    assert_allclose(got, want.sort_index())


def test_a_splice_names_its_date_and_levels():
    day = pd.Timestamp
    old = pd.Series([1.0, 1.2], index=[day("2019-10-03"), day("2019-10-04")])
    new = pd.Series([0.9, 0.7], index=[day("2019-10-07"), day("2019-10-08")])
    got, note = splice_put_call(old, new)
    assert got.tolist() == [1.0, 1.2, 0.9, 0.7]
    assert note.startswith("put/call: archive to 2019-10-04, daily ratios from 2019-10-07, spliced")
    assert "mean 1.100 and 0.800 over 2 days before and 2 after (\N{MINUS SIGN}0.300)" in note


def test_a_splice_prefers_the_archive_where_both_are():
    day = pd.Timestamp
    old = pd.Series([1.0, 1.2], index=[day("2019-10-03"), day("2019-10-07")])
    new = pd.Series(
        [5.0, 0.9, 0.7], index=[day("2019-10-04"), day("2019-10-07"), day("2019-10-08")]
    )
    got, note = splice_put_call(old, new)
    assert got.tolist() == [1.0, 5.0, 1.2, 0.7]
    assert "mean 1.200 and 0.900 on 1 day of both (\N{MINUS SIGN}0.300)" in note
    assert splice_put_call(old, new[:0])[1] == ""
    assert splice_put_call(old[:0], new)[0].equals(new)


@pytest.mark.real_data
def test_every_real_file_is_told_by_its_content(real_data):
    layouts = {
        "BAMLH0A0HYM2.csv": ("fred", 6983),
        "DGS10.csv": ("fred", 16129),
        "SKEW_History.csv": ("cboe", 9189),
        "SOFR.csv": ("fred", 2079),
        "T10Y3M.csv": ("fred", 11147),
        "VIX3M_History.csv": ("cboe", 4235),
        "VIX9D_History.csv": ("cboe", 3909),
        "VIX_History.csv": ("cboe", 9234),
        "VVIX_History.csv": ("cboe", 5066),
        "cboe_put_call_ratios_2019_2026.csv": ("put_call_ratios", 1705),
        "daily-treasury-rates-2025.csv": ("treasury", 242),
        "daily-treasury-rates.csv": ("treasury", 8055),
        "daily-treasury-rates_2021_2025.csv": ("treasury", 1115),
        "indexpc.csv": ("put_call", 3253),
        "totalpc.csv": ("put_call", 3240),
        "totalpc_to_2019-10-04_noheader.csv": ("put_call", 3253),
    }
    found = {}
    for path in sorted((real_data / "gauges").glob("*.csv")):
        frame = read_gauge_file(path, today=TODAY)
        found[path.name] = frame.attrs["layout"], len(frame)
        assert frame.index.is_monotonic_increasing
        assert frame.index.is_unique
    assert found == layouts


@pytest.mark.real_data
def test_freds_yields_are_the_treasurys(real_data):
    """Two publishers, one figure: the 10-year yield and the spread over 3 months."""
    folder = real_data / "gauges"
    treasury = read_gauge_file(folder / "daily-treasury-rates.csv")
    y10 = read_gauge_file(folder / "DGS10.csv")["y10"]
    spread = read_gauge_file(folder / "T10Y3M.csv")["t10y3m"]
    both = treasury.index.intersection(y10.index).intersection(spread.index)
    assert len(both) > 7900
    gap = np.abs(treasury.loc[both, "y10"] - y10[both])
    assert (gap > 0.011).mean() < 0.001
    bill = np.abs(treasury.loc[both, "bill3m"] - (y10[both] - spread[both]))
    assert (bill > 0.011).mean() < 0.01


@pytest.mark.real_data
def test_the_archive_without_header_is_the_one_with_it_and_goes_on(real_data):
    folder = real_data / "gauges"
    short = read_gauge_file(folder / "totalpc.csv")["put_call"]
    long = read_gauge_file(folder / "totalpc_to_2019-10-04_noheader.csv")["put_call"]
    assert long[short.index].equals(short)
    assert long.index[-1] == pd.Timestamp("2019-10-04")


# -- layouts of other places ---------------------------------------------------------------------


def test_several_series_of_fred_in_one_file():
    text = "observation_date,DGS10,DGS2,DGS3MO\n2024-01-02,3.95,4.33,5.46\n2024-01-03,3.91,,5.48\n"
    frame = read_gauge_text(text, "x")
    assert frame.loc["2024-01-02"].tolist() == [3.95, 4.33, 5.46]
    assert list(frame) == ["y10", "y2", "bill3m"]


def test_several_series_of_fred_are_several_inputs(tmp_path):
    text = "observation_date,DGS10,SOFR\n2024-01-02,3.95,5.40\n2024-01-03,3.91,5.39\n"
    (tmp_path / "rates.csv").write_text(text)
    where = Locations((tmp_path,))
    read, _ = read_files(".", where, "total", TODAY, None)
    assert [(one.given_as, list(one.frame)) for one in read] == [
        ("y10", ["y10"]),
        ("sofr", ["sofr"]),
    ]
    read, _ = read_files(
        {"treasury": "rates.csv", "sofr": "rates.csv"}, where, "total", TODAY, None
    )
    assert [(one.given_as, list(one.frame)) for one in read] == [
        ("treasury", ["y10"]),
        ("sofr", ["sofr"]),
    ]
    assert read[0].frame.attrs["source"] == "FRED DGS10"


def test_names_that_begin_with_the_index():
    text = "Date,VIX Open,VIX High,VIX Low,VIX Close\n1/2/2018,10.95,11.07,9.52,9.77\n"
    assert read_gauge_text(text, "x")["close"].tolist() == [9.77]


def test_put_call_columns_in_another_order():
    text = "PRODUCT: VIX,,\nTrade_date,P/C Ratio,Puts,Calls,Total Options\n"
    text += "10/03/2019,1.5,300,200,500\n"
    frame = read_gauge_text(text, "x")
    assert (frame["put_call"].item(), frame.attrs["product"]) == (1.5, "vix")
    with pytest.raises(InputError, match="do not add up"):
        read_gauge_text(text.replace("500", "501"), "x")


def test_three_header_lines_of_one_symbol():
    text = "Price,Close,High\nTicker,SPY,SPY\nDate,,\n2024-01-02,472.65,473.67\n"
    text = text.replace("High", "High,Low,Open").replace("SPY\nDate,,", "SPY,SPY,SPY\nDate,,,,")
    text = text.replace("473.67", "473.67,470.49,472.16")
    assert read_gauge_text(text, "x")["close"].tolist() == [472.65]
    with pytest.raises(InputError, match="x: three header lines of several symbols"):
        read_gauge_text(text.replace("Ticker,SPY", "Ticker,QQQ"), "x")
