from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from hpi_bt.cli import app
from hpi_bt.errors import InputError
from hpi_bt.gauge import hedge_score
from hpi_bt.sources import http
from hpi_bt.sources.base import Locations
from hpi_bt.sources.cache import Cache, Provenance
from hpi_bt.sources.gauge_data import download
from hpi_bt.sources.gauge_data.assembly import gauge_inputs
from hpi_bt.sources.gauge_data.feeds import cache_key
from hpi_bt.sources.gauge_data.fetch import fetch_gauge
from hpi_bt.sources.gauge_data.kept import load_feed, load_revisions
from hpi_bt.sources.gauge_data.merge import merge_feed
from hpi_bt.sources.yahoo_download import DownloadError

NOW = datetime(2024, 6, 10, 14, tzinfo=UTC)  # Monday, 10:00 in New York
DAYS = pd.bdate_range("2024-05-20", "2024-06-07").drop("2024-05-27")  # Memorial Day
TODAY = date(2024, 6, 10)
VIX, VIX3M = "/VIX_History.csv", "/VIX3M_History.csv"


def ohlc(first, days=DAYS):
    rows = [f"{d:%m/%d/%Y},1,1,1,{first + i / 8:.6f}" for i, d in enumerate(days)]
    return "\n".join(["DATE,OPEN,HIGH,LOW,CLOSE", *rows, ""])


def chart(first, days=DAYS):
    rows = [f"{d:%Y-%m-%d} 00:00:00-04:00,1,1,1,{first - i},9" for i, d in enumerate(days)]
    return "\n".join(["Date,Open,High,Low,Close,Volume", *rows, ""])


def fred(code, first, days=DAYS):
    return "\n".join([f"observation_date,{code}", *[f"{d:%Y-%m-%d},{first}" for d in days], ""])


def ratios(path):
    day = path.rpartition("/")[2][:10]
    if pd.Timestamp(day) not in DAYS:
        return 403, "<Error/>"
    return json.dumps({"ratios": [{"name": "TOTAL PUT/CALL RATIO", "value": f"1.{day[-2:]}"}]})


def sofr(_path):
    rates = [{"effectiveDate": f"{d:%Y-%m-%d}", "type": "SOFR", "percentRate": 5.3} for d in DAYS]
    return json.dumps({"refRates": rates[::-1]})


def treasury(_path):
    rows = [f"{d:%m/%d/%Y},5.4,4.8,4.4" for d in DAYS[::-1]]
    return "\n".join(['Date,"3 Mo","2 Yr","10 Yr"', *rows, ""])


def recorded() -> dict[str, object]:
    """Layouts by a part of the address; an answer is a text, (status, text) or a function."""
    archive = "Disclaimer\n, PRODUCT: TOTAL,,x,\nDATE,CALLS,PUTS,TOTAL,P/C Ratio\n"
    return {
        VIX: ohlc(13),
        VIX3M: ohlc(15),
        "/totalpc.csv": archive + "10/04/2019, 100, 105, 205, 1.05\n",
        "_daily_options": ratios,
        "daily-treasury-rates.csv": treasury,
        "/sofr/search.json": sofr,
        "id=BAMLH0A0HYM2": fred("BAMLH0A0HYM2", 3.1),
        "id=SOFR": fred("SOFR", 5.3),
        "id=DGS10": fred("DGS10", 4.4),
        "id=DGS2": fred("DGS2", 4.8),
        "id=DGS3MO": fred("DGS3MO", 5.4),
        "/SPY.csv": chart(530),
        "/^VIX.csv": chart(60),
        "/^VIX3M.csv": chart(70),
        "/^TNX.csv": chart(40),
    }


class Publisher(BaseHTTPRequestHandler):
    """Serves what `pages` holds and writes down what was asked."""

    pages: dict[str, object] = {}
    asked: list[str] = []
    hang = threading.Event()

    def do_GET(self):
        path = unquote(self.path)
        self.asked.append(path)
        page = next((p for part, p in self.pages.items() if part in path), (404, ""))
        page = page(path) if isinstance(page, Callable) else page
        status, text, *rest = page if isinstance(page, tuple) else (200, page)
        if status == 0:
            self.hang.wait(5)
            return
        body = text if isinstance(text, bytes) else text.encode()
        self.send_response(status)
        length = rest[0] if rest and isinstance(rest[0], int) else len(body)
        self.send_header("Content-Length", str(length))
        for name, value in rest[0].items() if rest and isinstance(rest[0], dict) else ():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        pass


@pytest.fixture
def publisher(monkeypatch) -> Iterator[type[Publisher]]:
    Publisher.pages, Publisher.asked = recorded(), []
    Publisher.hang.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Publisher)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("CBOE", "TREASURY", "NYFED", "FRED", "YAHOO"):
        monkeypatch.setenv(f"HPI_BT_URL_{name}", f"http://127.0.0.1:{server.server_port}")
    yield Publisher
    Publisher.hang.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def where(tmp_path):
    return Locations((tmp_path,), tmp_path / "cache")


def fetch(where, **options):
    return fetch_gauge(where, **{"now": NOW, "retries": 0, "timeout": 2, **options})


def closes(where, feed="vix"):
    return load_feed(Cache(where.cache), feed)[0]["close"]


def test_all_feeds_come_and_make_a_gauge(publisher, where):
    table = fetch(where)
    assert list(table.index) == [
        *("spy", "vix", "vix3m", "put_call_archive", "put_call", "treasury", "sofr", "oas")
    ]
    assert (table["status"] == "fetched").all(), table["note"].to_dict()
    assert table.loc["vix", ["rows", "new", "revised"]].tolist() == [14, 14, 0]
    assert table.loc["put_call", "last"] == pd.Timestamp("2024-06-07")
    got = gauge_inputs(None, where, today=TODAY, credit=True)
    assert list(got.components) == [
        *("vix", "term_structure", "put_call", "curve", "funding", "credit", "drawdown")
    ]
    assert got.components["vix"].dropna().tolist() == [13 + i / 8 for i in range(14)]
    assert got.components.index[0] == pd.Timestamp("2019-10-04")  # the archive's one day
    assert got.components["put_call"].iloc[-1] == 1.07
    assert got.sources["funding"] == "New York Fed and US Treasury"
    assert "vix: from the cache of 2024-06-10 14:00 UTC" in got.notes
    score = hedge_score(got.components, got.spy, min_history=5).score
    assert score.iloc[-1] > 57  # VIX rose and SPY fell every day


def test_another_put_call_product_uses_the_daily_statistics_alone(publisher, where):
    publisher.pages["_daily_options"] = lambda p: (
        answer.replace("TOTAL", "INDEX") if isinstance(answer := ratios(p), str) else answer
    )
    fetch(where)
    got = gauge_inputs(None, where, today=TODAY, product="index")
    assert got.sources["put_call"] == "Cboe daily statistics"
    assert "put_call_archive: not of index options, left out" in got.notes


def test_a_second_fetch_asks_for_what_is_new_alone(publisher, where):
    fetch(where)
    publisher.asked.clear()
    table = fetch(where)
    assert (table["new"] == 0).all()
    days = [p for p in publisher.asked if "_daily_options" in p]
    assert [p[-24:-14] for p in days] == ["2024-06-05", "2024-06-06", "2024-06-07"]
    assert any("startDate=2024-05-24&endDate=2024-06-10" in p for p in publisher.asked)
    assert any("daily-treasury-rates.csv/2024/all" in p for p in publisher.asked)


def test_since_reaches_further_back(publisher, where, monkeypatch):
    monkeypatch.setattr(download, "_PAUSE", 0.0)
    fetch(where, which=["put_call", "treasury"], since=date(2023, 12, 28))
    days = [p[-24:-14] for p in publisher.asked if "_daily_options" in p]
    assert days[:3] == ["2023-12-28", "2023-12-29", "2024-01-02"]
    assert sum("daily-treasury-rates.csv" in p for p in publisher.asked) == 2
    with pytest.raises(InputError, match="since: 2024-06-11 lies in the future"):
        fetch(where, since=date(2024, 6, 11))


def test_a_revision_is_told_kept_and_undone_for_earlier_days(publisher, where):
    fetch(where)
    before = gauge_inputs(None, where, as_of="2024-06-07", today=TODAY)
    publisher.pages[VIX] = ohlc(13).replace("14.625000", "59.000000")  # of 2024-06-07
    later = datetime(2024, 6, 12, 14, tzinfo=UTC)
    table = fetch(where, which=["vix"], now=later)
    assert table.loc["vix", ["new", "revised"]].tolist() == [0, 1]
    assert table.loc["vix", "note"] == (
        "1 value(s) revised since the copy of 2024-06-10 14:00 UTC, the first close of 2024-06-07: "
        "14.625, now 59; the new are kept"
    )
    assert closes(where).iloc[-1] == 59.0
    now = gauge_inputs(None, where, today=TODAY)
    assert now.components["vix"].iloc[-1] == 59.0
    assert "vix: 1 revised value(s) since first fetched, the newest values are used" in now.notes
    then = gauge_inputs(None, where, as_of="2024-06-07", today=TODAY)
    assert then.components.equals(before.components)
    publisher.pages[VIX] = ohlc(13).replace("14.625000", "57.000000")
    fetch(where, which=["vix"], now=later)
    assert load_revisions(Cache(where.cache), "vix")["old"].tolist() == [14.625, 59.0]
    then = gauge_inputs(None, where, as_of="2024-06-07", today=TODAY)
    assert then.components.equals(before.components)


def test_an_answer_that_is_something_else_is_not_stored(publisher, where):
    fetch(where, which=["vix"])
    publisher.pages[VIX] = publisher.pages[VIX3M]
    table = fetch(where, which=["vix"])
    assert table.loc["vix", "status"] == "replaced"  # by Yahoo
    note, file = table.loc["vix", "note"], Cache(where.cache).path(cache_key("vix"))
    assert "14 of the 14 values in common differ" in note
    assert f"nothing stored; remove {file} to accept it" in note
    assert closes(where).iloc[0] == 13.0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 29), st.integers(1, 30)), min_size=1, max_size=5))
def test_pieces_of_one_series_in_any_order_make_it_whole(windows):
    series = pd.DataFrame({"close": np.arange(30.0) + 10}, pd.bdate_range("2024-01-01", periods=30))
    about = Provenance("x", {}, NOW)
    whole, seen = None, set()
    for start, length in windows:
        piece = series.iloc[start : start + length]
        piece.attrs = {"source": "Cboe", "layout": "cboe", "notes": []}
        found = None if whole is None else (whole, about)
        merged = merge_feed("vix", found, piece, NOW, Path("vix.parquet"))
        assert merged.new == len(set(piece.index) - seen)
        assert merged.revisions.empty
        whole, seen = merged.frame, seen | set(piece.index)
    pd.testing.assert_frame_equal(
        whole, series.loc[sorted(seen)], check_freq=False, check_names=False
    )


def test_a_shorter_answer_loses_nothing(publisher, where):
    fetch(where, which=["oas", "vix"])
    publisher.pages["id=BAMLH0A0HYM2"] = fred("BAMLH0A0HYM2", 3.1, DAYS[5:])
    publisher.pages[VIX] = ohlc(13, DAYS[:9])
    table = fetch(where, which=["oas", "vix"])
    assert table["rows"].tolist() == [14, 14]
    assert table.loc["oas", "first"] == DAYS[0]
    assert table.loc["vix", "note"] == (
        "the answer ends on 2024-05-31, the cache on 2024-06-07; what it lacks is kept"
    )


def test_spy_adjusted_anew_replaces_all(publisher, where):
    fetch(where, which=["spy"])
    publisher.pages["/SPY.csv"] = chart(529)
    table = fetch(where, which=["spy"])
    assert "14 prices adjusted anew since the copy of" in table.loc["spy", "note"]
    assert closes(where, "spy").iloc[0] == 529.0
    assert load_revisions(Cache(where.cache), "spy").empty


def test_todays_unfinished_bar_is_left_out(publisher, where):
    publisher.pages["/SPY.csv"] = chart(530, DAYS.append(pd.DatetimeIndex(["2024-06-10"])))
    assert fetch(where, which=["spy"]).loc["spy", "last"] == pd.Timestamp("2024-06-07")
    evening = datetime(2024, 6, 10, 20, 30, tzinfo=UTC)
    assert fetch(where, which=["spy"], now=evening).loc["spy", "last"] == pd.Timestamp("2024-06-10")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((0, ""), "no answer within 0.6 s; try again later"),
        ((429, "", {"Retry-After": "0"}), "too many requests (HTTP 429)"),
        ((500, ""), "the server failed (HTTP 500)"),
        ((200, ohlc(13), 9999), "the answer broke off|cannot be reached"),
        (ohlc(13)[:-7], "VIX_History.csv: the answer breaks off in its last line; fetch it again"),
        (ohlc(13)[:-1], "the answer breaks off in its last line"),
        (ohlc(13)[:-12], "line 15 has 4 cells, wanted 5; the file is cut off"),
        (
            ohlc(13).replace("CLOSE", "SETTLE"),
            "columns DATE, OPEN, HIGH, LOW, SETTLE are no layout",
        ),
        ("<!DOCTYPE html><title>Just a moment</title>", "a web page (Just a moment), no data"),
        (ohlc(13) + "06/11/2024,1,1,1,1\n", "date 2024-06-11 lies in the future"),
        (
            ohlc(13) + "05/20/2024,1,1,1,9\n",
            "2024-05-20 stands on lines 2, 16 with different values",
        ),
        (fred("SOFR", 5), "layout fred, wanted vix (cboe); the publisher has changed it"),
        ("", "empty; wanted a table"),
        (" \r\n \r\n", "empty; wanted a table"),
        (ohlc(13).splitlines()[0], "a header but no rows"),
        (ohlc(13).splitlines()[0] + "\r\n", "a header but no rows"),
        ("null", "no line begins with a date column (found: null)"),
        ((302, "", {"Location": VIX}), "it leads round in circles (too many redirects)"),
        ((200, b"\x1f\x8b\x08", {"Content-Encoding": "gzip"}), "empty; wanted a table"),
        ((200, ohlc(13), {"Content-Encoding": "gzip"}), "the answer is damaged"),
        (gzip.compress(ohlc(13).encode()), "no text; wanted comma-separated values"),
        (
            ohlc(13).replace("14.625000", "1462.5"),
            "vix is 1462.5 on 2024-06-07; wanted 3 to 250 points",
        ),
        (
            re.sub(r"\d+\.\d{6}", ".", ohlc(13)),
            "dates but no value; wanted at least one, fetch it again",
        ),
    ],
)
def test_a_failing_source_is_named_and_the_others_go_on(publisher, where, answer, message):
    publisher.pages[VIX] = answer
    table = fetch(where, which=["vix", "vix3m"], timeout=0.6)
    assert table.loc["vix3m", "status"] == "fetched"
    assert table.loc["vix", "status"] == "replaced"
    assert any(part in table.loc["vix", "note"] for part in message.split("|"))
    assert table.loc["vix", "note"].endswith("in its place vix_yahoo")
    assert table.loc["vix_yahoo", ["status", "rows"]].tolist() == ["fetched", 14]
    assert load_feed(Cache(where.cache), "vix") is None


@pytest.mark.parametrize(
    "dressed",
    [
        ohlc(13).replace("\n", "\r\n"),
        ohlc(13).replace("\n", "\r"),
        "\ufeff" + ohlc(13),
        (200, ("\ufeff" + ohlc(13)).encode(), {"Content-Type": "text/csv; charset=iso-8859-1"}),
        (200, ohlc(13).encode("utf-16")),
        (200, gzip.compress(ohlc(13).encode()), {"Content-Encoding": "gzip"}),
    ],
)
def test_another_dress_of_the_same_table_is_read(publisher, where, dressed):
    publisher.pages[VIX] = dressed
    table = fetch(where, which=["vix"])
    assert table.loc["vix", ["status", "rows"]].tolist() == ["fetched", 14]
    assert closes(where).tolist() == [13 + i / 8 for i in range(14)]


def test_a_year_that_has_just_begun_may_be_empty_and_no_other(publisher, where):
    header = 'Date,"3 Mo","2 Yr","10 Yr"'
    publisher.pages["daily-treasury-rates.csv"] = header
    first = fetch(where, which=["treasury"])
    assert first.loc["treasury", "status"] == "replaced"  # all years, and no row
    assert "a header but no rows" in first.loc["treasury", "note"]
    for end in ("", "\n", "\r\n"):
        publisher.pages["daily-treasury-rates.csv"] = lambda path, end=end: (
            "\ufeff" + header + end
            if "/2024/" in path
            else treasury(path).replace("/2024", "/2023")
        )
        got = fetch(where, which=["treasury"], since=date(2023, 5, 1)).loc["treasury"]
        assert (got["status"], got["rows"]) == ("fetched", 14)
    publisher.pages["daily-treasury-rates.csv"] = lambda path: (
        header if "/2023/" in path else treasury(path)
    )
    last = fetch(where, which=["treasury"], since=date(2023, 5, 1)).loc["treasury"]
    assert "a header but no rows" in last["note"]


def test_a_day_of_impossible_ratios_is_named_and_the_others_are_kept(publisher, where):
    publisher.pages["_daily_options"] = lambda path: (
        answer.replace("1.03", "95") if isinstance(answer := ratios(path), str) else answer
    )
    row = fetch(where, which=["put_call"]).loc["put_call"]
    assert (row["status"], row["rows"]) == ("fetched", 8)
    assert "2024-06-03_daily_options: put_call is 95 on 2024-06-03; wanted 0.05" in row["note"]
    publisher.pages["_daily_options"] = ratios
    assert fetch(where, which=["put_call"]).loc["put_call", "rows"] == 9
    publisher.pages["_daily_options"] = lambda path: ratios(path).replace("1.", "9500.")
    other = Locations(where.folders, where.cache / "other")
    none = fetch(other, which=["put_call"]).loc["put_call"]
    assert none["status"] == "failed"
    assert "put_call is 95" in none["note"]


def test_another_series_of_the_same_publisher_is_refused(publisher, where):
    publisher.pages["id=BAMLH0A0HYM2"] = fred("SOFR", 5.3)
    note = fetch(where, which=["oas"]).loc["oas", "note"]
    assert "FRED SOFR, wanted oas (fred); the publisher has changed it" in note


def test_substitutes_are_named_where_they_are_used(publisher, where):
    publisher.pages[VIX] = (500, "")
    publisher.pages["daily-treasury-rates.csv"] = (500, "")
    publisher.pages["id=DGS10"] = (500, "")
    publisher.pages["/sofr/search.json"] = '{"refRates": [{"effectiveDate"'
    table = fetch(where)
    assert table["status"].to_dict() == {
        **dict.fromkeys(["spy", "vix3m", "put_call_archive", "put_call", "oas"], "fetched"),
        **dict.fromkeys(["vix", "treasury", "y10_fred", "sofr"], "replaced"),
        **dict.fromkeys(["vix_yahoo", "y2_fred", "bill3m_fred", "y10_yahoo"], "fetched"),
        "sofr_fred": "fetched",
    }
    got = gauge_inputs(None, where, today=TODAY)
    assert got.sources["vix"] == "Yahoo ^VIX"
    assert got.sources["curve"] == "Yahoo ^TNX and FRED DGS2"
    assert got.sources["funding"] == "FRED SOFR and FRED DGS3MO"


def test_a_retry_may_succeed(publisher, where, monkeypatch):
    monkeypatch.setattr(http, "_LONGEST_WAIT", 0.01)
    answers = iter([(429, "", {"Retry-After": "60"}), (503, "", {"Retry-After": "0"})])
    publisher.pages[VIX] = lambda _path: next(answers, ohlc(13))
    assert fetch(where, which=["vix"], retries=2).loc["vix", "status"] == "fetched"


def test_days_before_a_failure_are_kept(publisher, where):
    publisher.pages["_daily_options"] = lambda p: (500, "") if "06-05" in p else ratios(p)
    table = fetch(where, which=["put_call"])
    row = table.loc["put_call"]
    assert (row["status"], row["last"]) == ("failed", pd.Timestamp("2024-06-04"))
    assert "the server failed (HTTP 500)" in row["note"]
    publisher.pages["_daily_options"] = ratios
    assert fetch(where, which=["put_call"]).loc["put_call", "rows"] == 9


def test_days_before_a_break_are_kept(publisher, where, monkeypatch):
    """Ctrl-C on the seventh day of nine, stored two by two."""
    monkeypatch.setattr(download, "_DAYS", 2)

    def interrupted(server, address):
        if "06-05" in address:
            raise KeyboardInterrupt
        return ratios(address)

    monkeypatch.setattr(download.Server, "text", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch(where, which=["put_call"])
    kept, _ = load_feed(Cache(where.cache), "put_call")
    assert kept.index.equals(pd.DatetimeIndex(DAYS[5:11]))


def test_days_in_parts_make_the_same_row(publisher, where, monkeypatch):
    monkeypatch.setattr(download, "_DAYS", 4)
    row = fetch(where, which=["put_call"]).loc["put_call"]
    assert row[["status", "rows", "new", "revised"]].tolist() == ["fetched", 9, 9, 0]


def test_an_infinite_value_stops_its_own_feed_alone(publisher, where):
    publisher.pages[VIX] = ohlc(13).replace("13.125000", "inf")
    for _ in range(2):
        table = fetch(where, which=["vix", "vix3m"])
        assert "line 3, CLOSE is 'inf'; wanted a number" in table.loc["vix", "note"]
        assert table.loc["vix3m", "status"] == "fetched"
    assert load_feed(Cache(where.cache), "vix") is None


def test_days_that_are_not_published_are_named(publisher, where):
    evening = datetime(2024, 6, 10, 21, tzinfo=UTC)
    row = fetch(where, which=["put_call"], now=evening).loc["put_call"]
    assert row["status"] == "fetched"
    assert row["note"] == (
        "not published: 2024-06-10; begins 2024-05-28: one request a day, all days by "
        "fetching put_call alone since 2019-10-07"
    )
    publisher.pages["_daily_options"] = (403, "")
    fresh = Locations(where.folders, where.cache / "other")
    row = fetch(fresh, which=["put_call"], now=evening).loc["put_call"]
    assert row["status"] == "failed"
    assert "none of the days 2024-05-28 to 2024-06-10 is there (HTTP 403 or 404)" in row["note"]


def test_a_year_that_has_just_begun_may_be_empty(publisher, where):
    fetch(where, which=["treasury"])
    publisher.pages["daily-treasury-rates.csv"] = lambda p: (
        'Date,"3 Mo","2 Yr","10 Yr"\n' if "2025" in p else treasury(p)
    )
    january = datetime(2025, 1, 1, 15, tzinfo=UTC)
    table = fetch(where, which=["treasury"], since=date(2024, 12, 30), now=january)
    assert table.loc["treasury", "status"] == "fetched"
    table = fetch(where, which=["treasury"], since=date(2025, 1, 1), now=january)
    assert table.loc["treasury", ["status", "note"]].tolist() == [
        "fetched",
        "no rows yet this year",
    ]


def test_offline_answers_from_the_cache_or_says_what_is_missing(publisher, where):
    fetch(where, which=["vix"])
    publisher.asked.clear()
    offline = Locations(where.folders, where.cache, offline=True)
    table = fetch(offline, which=["vix", "oas"])
    assert table["status"].tolist() == ["cached", "missing"]
    assert table.loc["vix", "note"] == "offline: the copy of 2024-06-10 14:00 UTC"
    assert (
        table.loc["oas", "note"] == "offline, and nothing in the cache; run once with the network"
    )
    assert not publisher.asked


def test_a_damaged_copy_is_fetched_anew_and_named(publisher, where):
    fetch(where, which=["vix"])
    path = Cache(where.cache).path("gauge/vix")
    path.write_bytes(b"PAR1")
    table = fetch(where, which=["vix"])
    assert table.loc["vix", "status"] == "fetched"
    assert "damaged cache file ignored" in table.loc["vix", "note"]
    assert len(closes(where)) == 14


def test_too_little_history_is_refused_by_the_gauge(publisher, where):
    fetch(where)
    got = gauge_inputs(None, where, today=TODAY)
    with pytest.raises(InputError, match=r"values of '.*', the longest, but min_history 252"):
        hedge_score(got.components, got.spy)


def test_yahoo_itself_serves_where_no_address_is_given(publisher, where, monkeypatch):
    monkeypatch.delenv("HPI_BT_URL_YAHOO")
    asked = []

    def brought(symbol, interval, start, end, adjusted, _folder):
        asked.append((symbol, interval, str(start), str(end), adjusted))
        if symbol == "^VIX":
            raise DownloadError("no such symbol")
        scale = 1.0 if len(asked) < 3 else 0.99
        days = DAYS[pd.Timestamp(start) <= DAYS]
        return pd.DataFrame(
            {"close": scale * np.arange(500.0, 500 + len(DAYS))[-len(days) :]}, days
        )

    monkeypatch.setattr(download, "download_bars", brought)
    for _ in range(2):
        assert fetch(where, which=["spy"]).loc["spy", "status"] == "fetched"
    table = fetch(where, which=["spy"])  # adjusted anew: the whole is asked for
    assert asked == [
        ("SPY", "1d", "1990-01-01", "2024-06-11", True),
        ("SPY", "1d", "2024-05-24", "2024-06-11", True),
        ("SPY", "1d", "2024-05-24", "2024-06-11", True),
        ("SPY", "1d", "2024-05-20", "2024-06-11", True),
    ]
    assert "14 prices adjusted anew" in table.loc["spy", "note"]
    table = fetch(where, which=["vix_yahoo"])
    assert table.loc["vix_yahoo", "note"] == "yahoo ^VIX: no such symbol"


def test_no_closes_of_yahoo_are_a_failure(where, monkeypatch):
    monkeypatch.delenv("HPI_BT_URL_YAHOO", raising=False)
    empty = pd.DataFrame({"close": [np.nan]}, index=DAYS[:1])
    monkeypatch.setattr(download, "download_bars", lambda *_: empty)
    assert "yahoo SPY: no closes since" in fetch(where, which=["spy"]).loc["spy", "note"]


def test_unknown_names_are_refused(where):
    with pytest.raises(InputError, match=r"gauge: no feed 'vx' .did you mean 'vix'"):
        fetch(where, which=["vx"])
    with pytest.raises(InputError, match=r"bases: no publisher 'fed' .did you mean 'fred'"):
        fetch(where, bases={"fed": "http://127.0.0.1"})


def test_a_cache_that_cannot_be_written_is_named(publisher, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    table = fetch(Locations((tmp_path,), blocked), which=["oas"])
    assert "the cache cannot be written" in table.loc["oas", "note"]


def test_the_command_shows_every_feed_and_fails_where_one_has_no_source(publisher, tmp_path):
    publisher.pages = {part: p for part, p in recorded().items() if part != "_daily_options"}
    publisher.pages["_daily_options"] = (500, "")
    run = CliRunner().invoke
    options = ["fetch", "gauge", "--cache-dir", str(tmp_path), "--only"]
    fine = run(app, [*options, "vix", "--since", "2024-01-02"])
    assert fine.exit_code == 0, fine.output
    assert "fetched       14 rows 2024-05-20 to 2024-06-07, 14 new" in fine.stdout
    offline = run(app, [*options, "vix", "--only", "oas", "--offline"])
    assert offline.exit_code == 2
    assert "MISSING\n     offline, and nothing in the cache" in offline.stdout
    publisher.pages[VIX] = (404, "")
    replaced = run(app, [*options, "vix"])
    assert replaced.exit_code == 0
    assert "replaced      14 rows" in replaced.stdout
    assert "not found (HTTP 404)" in replaced.stdout
    publisher.pages["/^VIX.csv"] = (404, "")
    assert run(app, [*options, "vix"]).exit_code == 2


def test_the_command_shows_but_forgives_a_failed_feed_that_is_optional(publisher, tmp_path):
    publisher.pages = dict(recorded())
    publisher.pages["_daily_options"] = (500, "")
    publisher.pages["/totalpc.csv"] = publisher.pages["id=BAMLH0A0HYM2"] = (404, "")
    command = ["fetch", "gauge", "--cache-dir", str(tmp_path), "--since", "2024-05-20"]
    forgiven = CliRunner().invoke(app, command)
    rows = [line.split()[:2] for line in forgiven.stdout.splitlines()]
    assert ["put_call", "FAILED"] in rows
    assert ["oas", "FAILED"] in rows
    assert forgiven.exit_code == 0
    assert CliRunner().invoke(app, [*command, "--only", "oas"]).exit_code == 2  # asked for
    publisher.pages["id=DGS2"] = publisher.pages["daily-treasury-rates.csv"] = (404, "")
    assert CliRunner().invoke(app, command).exit_code == 2
