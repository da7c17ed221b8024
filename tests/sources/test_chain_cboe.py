from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hpi_bt.errors import InputError
from hpi_bt.sources.chains import read_chain

LAYOUTS = Path(__file__).parent / "layouts"
SPX = (LAYOUTS / "cboe_2023_spx.csv").read_text()
JSON = json.loads((LAYOUTS / "cboe_delayed.json").read_text())


def saved(folder: Path, text: str, name: str = "quotedata.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def contract(chain, strike, right, root="SPXW", day="2023-09-15"):
    """The row of one contract of the chain's frame."""
    frame = chain.contracts
    found = frame[
        (frame["strike"] == strike)
        & (frame["right"] == right)
        & (frame["root"] == root)
        & (frame["expiry"].dt.strftime("%Y-%m-%d") == day)
    ]
    assert len(found) == 1
    return found.iloc[0]


def test_worked_example():
    chain, report = read_chain(LAYOUTS / "cboe_2023_spx.csv")
    assert (chain.symbol, chain.spot, len(chain)) == ("SPX", 4505.5, 10)
    assert chain.as_of == pd.Timestamp("2023-09-14 15:31", tz="America/New_York")
    put = contract(chain, 4500.0, -1)
    assert put["contract"] == "SPXW230915P04500000"
    assert put[["last", "bid", "ask", "volume", "iv", "gamma", "open_interest"]].tolist() == [
        14.7, 14.4, 14.9, 6200.0, 0.1251, 0.0066, 1300.0
    ]  # fmt: skip
    assert report.counts == {
        "duplicated": 0,
        "adjusted": 0,
        "expired": 2,
        "no quote": 2,
        "zero bid": 2,
        "no ask": 0,
        "crossed": 1,
        "stale": 3,
        "no open interest": 2,
        "no IV": 4,
    }
    assert np.isnan(contract(chain, 5000.0, 1)["iv"])


def test_spx_and_spxw_of_a_third_friday_expire_at_its_open_and_its_close():
    chain = read_chain(LAYOUTS / "cboe_2023_spx.csv").chain
    clock = {r: f"{contract(chain, 4500.0, 1, r)['expiry']:%H:%M}" for r in ("SPX", "SPXW")}
    assert clock == {"SPX": "09:30", "SPXW": "16:00"}


def test_expired_contracts_stay_until_live_is_asked_for():
    chain = read_chain(LAYOUTS / "cboe_2023_spx.csv").chain
    assert int((~chain.is_live).sum()) == 2
    assert len(chain.live()) == 8


def test_the_layout_of_2019_is_read():
    chain = read_chain(LAYOUTS / "cboe_2019_spy.csv").chain
    assert (chain.symbol, chain.spot, len(chain)) == ("SPY", 288.57, 4)
    assert chain.as_of == pd.Timestamp("2019-04-05 16:13", tz="America/New_York")
    assert chain.open_interest.tolist() == [22000.0, 11000.0, 18000.0, 7000.0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\nStandard", "Standard"),  # no blank line first
        ("Last: 4505.50", '"Last: 4,505.50"'),
        ("Last: 4505.50", "Last: 4,505.50"),
        ('"Date: September 14, 2023 at 3:31 PM EDT"', "Date: 14 September 2023 at 15:31 EDT"),
        ("September 14, 2023 at 3:31 PM EDT", "September 14, 2023 at 8:31\u202fPM GMT+1"),
        ("September 14, 2023 at 3:31 PM EDT", "Sep 14 2023 @ 15:31 ET"),
        ("\n", "\r\n"),
        ("6200", '"6,200"'),
        ("Volume,IV", "Vol,IV"),
        ("Open Interest", "Open Int"),
    ],
)
def test_spellings_of_the_preamble_and_header_read_alike(tmp_path, old, new):
    usual = read_chain(LAYOUTS / "cboe_2023_spx.csv").chain
    assert old in SPX
    path = tmp_path / "quotedata.csv"
    path.write_bytes(b"\xef\xbb\xbf" + SPX.replace(old, new).encode())
    chain = read_chain(path).chain
    assert (chain.spot, chain.as_of) == (usual.spot, usual.as_of)
    pd.testing.assert_frame_equal(chain.contracts, usual.contracts)


def test_a_gzip_file_reads_alike(tmp_path):
    path = tmp_path / "q.csv.gz"
    path.write_bytes(gzip.compress(SPX.encode()))
    assert len(read_chain(path).chain) == 10


def test_what_is_given_goes_before_the_file_and_is_noted():
    file = LAYOUTS / "cboe_2023_spx.csv"
    chain, report = read_chain(file, as_of="2023-09-14 15:15", spot=4500, rate=0.05, multiplier=10)
    assert chain.as_of == pd.Timestamp("2023-09-14 15:15", tz="America/New_York")
    assert (chain.spot, chain.rate, chain.multiplier) == (4500.0, 0.05, 10.0)
    assert "spot 4500, as given; the file says 4505.5" in report.notes
    assert any("as given; the quotes are of 2023-09-14 15:31" in note for note in report.notes)


def test_a_bare_date_given_is_the_close_of_its_session():
    chain = read_chain(LAYOUTS / "cboe_2023_spx.csv", as_of="2023-09-13").chain
    assert chain.as_of == pd.Timestamp("2023-09-13 16:00", tz="America/New_York")


def test_a_date_line_without_zone_is_new_york_and_says_so(tmp_path):
    chain, report = read_chain(saved(tmp_path, SPX.replace(" EDT", "")))
    assert chain.as_of == pd.Timestamp("2023-09-14 15:31", tz="America/New_York")
    assert "the date line names no time zone; America/New_York taken" in report.notes


def test_repeated_and_adjusted_contracts_are_dropped_and_counted(tmp_path):
    rows = SPX.splitlines()
    other = rows[6].replace(",2500,", ",2600,")
    text = "\n".join([*rows, rows[5], other, rows[7].replace("SPXW2309", "SPXW12309")]) + "\n"
    chain, report = read_chain(saved(tmp_path, text))
    assert report.counts["duplicated"] == 4
    assert report.counts["adjusted"] == 2
    assert (report.read, report.kept, len(chain)) == (16, 10, 10)
    assert report.table.loc["duplicated", "share"] == 0.25


def test_a_file_without_puts_or_with_one_strike_is_flagged(tmp_path):
    rows = [line.split(",") for line in SPX.splitlines()]
    calls = [",".join(r[:12]) if len(r) > 12 else ",".join(r) for r in rows]
    chain, report = read_chain(saved(tmp_path, "\n".join(calls)))
    assert set(chain.right) == {1.0}
    assert "no puts" in report.notes
    single = "\n".join([*SPX.splitlines()[:4], SPX.splitlines()[6]])
    assert "a single strike" in read_chain(saved(tmp_path, single)).report.notes


def test_symbols_of_no_known_form_leave_the_columns_to_speak(tmp_path):
    text = SPX
    for line in SPX.splitlines()[4:]:
        text = text.replace(line.split(",")[1], "a call").replace(line.split(",")[12], "a put")
    text = "\n".join(line for line in text.splitlines() if "Sep 15" not in line or "5000" in line)
    chain, report = read_chain(saved(tmp_path, text), symbol="SPX")
    assert len(chain) == 6
    assert any("cannot be told apart" in note for note in report.notes)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 99_999), min_size=1, max_size=12, unique=True), st.randoms())
def test_the_order_of_rows_changes_no_count(tmp_path_factory, strikes, random):
    head = "\n".join(SPX.splitlines()[:4])
    rows = [
        f"Fri Oct 20 2023,SPXW231020C{k:05d}000,1,0,{k % 3},{k % 4},{k % 2},0.{k % 5},0,0,{k % 3},"
        f"{k},SPXW231020P{k:05d}000,1,0,0,1,1,0.2,0,0,1"
        for k in strikes
    ]
    folder = tmp_path_factory.mktemp("order")
    first = read_chain(saved(folder, "\n".join([head, *rows]))).report
    random.shuffle(rows)
    second = read_chain(saved(folder, "\n".join([head, *rows]))).report
    assert first == second
    naive = sum(1 for k in strikes if k % 3 > k % 4 > 0)
    assert first.counts["crossed"] == naive


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!DOCTYPE html><html></html>", "this is a web page"),
        ("", "empty"),
        ("\n\n", "empty"),
        (SPX.replace(",", ";"), "separated by semicolons; wanted commas"),
        (SPX[:-60], r"breaks off in its last line, \d+ of 22 columns"),
        ("\n".join(SPX.splitlines()[:4]), "a header but no contracts"),
        (
            SPX.replace(",150,0.1213", ",-150,0.1213"),
            r"volume: row 6 .* is -150.0; wanted 0 or more",
        ),
        (SPX.replace(",150,0.1213", ",lots,0.1213"), "row 6, volume is 'lots'; wanted a number"),
        (SPX.replace("SPX230915C", "SPX230915Q"), "contract: row 6 is 'SPX230915Q04500000'"),
        (SPX.replace("Last: 4505.50", "Closed"), "does not say the price of the underlying; give"),
        (SPX.replace("Last: 4505.50", "Last: 0"), "spot is 0; wanted a number above 0"),
        (SPX.replace("September 14, 2023 at 3:31 PM EDT", "today"), "when it was made; give as_of"),
        (
            SPX.replace("3:31 PM EDT", "3:31 PM IST"),
            "zone 'IST', which many share; give timezone or as_of",
        ),
        (
            SPX.replace("September 14", "Smarch 14"),
            r"its date line 'Date: Smarch 14, .* give as_of",
        ),
        (SPX.replace("2023 at 3:31", "2033 at 3:31"), "all 10 have expired"),
        (SPX.replace("Strike", "Level"), "no column Strike"),
        (SPX.replace("Date,Calls", "Date,Calls and more"), "no column Calls"),
        (SPX.replace("September 14, 2023", "September 14, 0203"), "in the year 203; give as_of"),
        (SPX + SPX, "holds several quote tables, the second from line 13 on; save each in a file"),
    ],
)
def test_a_file_that_is_no_chain_is_refused_in_one_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as caught:
        read_chain(saved(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("quotedata.csv: ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "cboe"}, r"kind: 'cboe' \(did you mean 'cboe_csv'\?\); choose one"),
        (
            {"kind": "cboe_csv", "columns": {"bid": "B"}},
            "columns: is no setting of CBOE's layouts; leave it out",
        ),
        ({"kind": "cboe_csv", "unit": "coin_prices"}, "unit: is no setting of CBOE's layouts"),
        ({"stamp_format": "%d/%m/%Y"}, "stamp_format: is no setting of CBOE's layouts"),
        ({"as_of": "2023-14-09"}, "as_of: '2023-14-09' in America/New_York is no moment"),
        ({"as_of": "now"}, "as_of: 'now' in America/New_York is no moment"),  # never the clock
        ({"timezone": "Mars/Base", "as_of": "2023-09-14 12:00"}, "Mars/Base"),
        ({"spot": -1}, "spot is -1; wanted a number above 0"),
        ({"as_of": pd.NaT}, "as_of: 'NaT' in .* is no moment"),
        ({"as_of": "0203-09-14 15:00"}, "its moment is in the year 203; give as_of"),
    ],
)
def test_a_bad_option_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        read_chain(LAYOUTS / "cboe_2023_spx.csv", **options)


def test_another_table_is_refused_where_cboe_is_asked_for(tmp_path):
    with pytest.raises(InputError, match="no line begins with Expiration Date,Calls"):
        read_chain(saved(tmp_path, "a,b\n1,2\n"), kind="cboe_csv")


def test_a_broken_gzip_file_is_refused(tmp_path):
    path = tmp_path / "q.csv.gz"
    path.write_bytes(gzip.compress(SPX.encode())[:-30])
    with pytest.raises(InputError, match=r"q\.csv\.gz: cannot be read"):
        read_chain(path)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"nowhere\.csv: no such file"):
        read_chain("nowhere.csv")


# -- JSON ----------------------------------------------------------------------------------------


def save_json(folder: Path, answer) -> Path:
    return saved(folder, json.dumps(answer), "spx.json")


def test_delayed_json_is_as_of_the_last_trade_while_the_market_is_open():
    chain, report = read_chain(LAYOUTS / "cboe_delayed.json")
    assert (chain.symbol, chain.spot, len(chain)) == ("SPX", 4505.5, 3)
    assert chain.as_of == pd.Timestamp("2023-09-14 15:30:43", tz="America/New_York")
    assert_array_equal(chain.iv, [0.118, 0.117, np.nan])
    assert np.isnan(chain.contracts["delta"].iloc[2])  # -999 marks none
    assert report.counts["stale"] == 1
    assert chain.contracts["expiry"].dt.strftime("%d %H:%M").tolist() == [
        "14 16:00", "14 16:00", "15 09:30"
    ]  # fmt: skip


def test_delayed_json_of_a_closed_market_is_as_of_its_timestamp(tmp_path):
    answer = JSON | {"timestamp": "2023-09-14 23:00:00"}  # UTC
    options = [o for o in JSON["data"]["options"] if "230915" in o["option"]]
    answer["data"] = JSON["data"] | {"options": options}
    chain = read_chain(save_json(tmp_path, answer)).chain
    assert chain.as_of == pd.Timestamp("2023-09-14 19:00", tz="America/New_York")


def test_delayed_json_without_a_price_takes_the_close_and_says_so(tmp_path):
    answer = JSON | {"data": JSON["data"] | {"current_price": 0, "close": 4501.0}}
    chain, report = read_chain(save_json(tmp_path, answer))
    assert chain.spot == 4501.0
    assert "spot is the close: the answer has no current price" in report.notes


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"data": {}}, r"no list of objects in it \(keys data.*data.options"),
        ({"data": {"options": []}}, r"no list of objects in it \(keys data.*data.options"),
        ({"a": 1}, r"no list of objects in it \(keys a\)"),
        ({"data": {"options": [JSON["data"]["options"][0], 7]}}, "no data.options"),
        (JSON | {"timestamp": "noon"}, "timestamp: 'noon'; wanted a time"),
        (JSON | {"timestamp": "0203-09-14 15:00"}, "its moment is in the year 203; give as_of"),
        (
            JSON | {"data": JSON["data"] | {"current_price": "high"}},
            "current_price: 'high'; wanted a number; give spot",
        ),
        (JSON | {"timestamp": ""}, "when it was made; give as_of"),
    ],
)
def test_json_that_is_no_chain_is_refused(tmp_path, answer, message):
    with pytest.raises(InputError, match=message):
        read_chain(save_json(tmp_path, answer))


def test_json_that_breaks_off_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no whole JSON .*; download it again"):
        read_chain(saved(tmp_path, json.dumps(JSON)[:-40], "spx.json"))


# -- speed ---------------------------------------------------------------------------------------


def test_ten_thousand_strikes_are_read_in_well_under_a_second(tmp_path):
    rows = [
        f"Fri Oct 20 2023,SPXW231020C{k:05d}000,1.5,0,1.4,1.6,{k % 7},0.1{k % 9},0.5,0.01,{k % 50},"
        f"{k},SPXW231020P{k:05d}000,2.5,0,2.4,2.6,{k % 5},0.1{k % 9},-0.5,0.01,{k % 60}"
        for k in range(1, 10_001)
    ]
    path = saved(tmp_path, "\n".join([*SPX.splitlines()[:4], *rows]))
    read_chain(LAYOUTS / "cboe_2023_spx.csv")  # imports and calendars
    spent = []
    for _ in range(3):
        start = time.perf_counter()
        chain = read_chain(path).chain
        spent.append(time.perf_counter() - start)
    assert len(chain) == 20_000
    assert min(spent) < 0.6  # 0.07 s alone on two cores; the margin is for a busy machine
