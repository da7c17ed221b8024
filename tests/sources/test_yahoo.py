"""The real yfinance against a local server that answers in the layout of Yahoo's chart endpoint."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
import yfinance
import yfinance.base
import yfinance.cache
import yfinance.scrapers.history
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal
from pydantic import ValidationError
from yfinance.data import YfData

from hpi_bt.errors import InputError
from hpi_bt.sources import yahoo_download
from hpi_bt.sources.base import Locations
from hpi_bt.sources.yahoo import YahooSource

NEW_YORK = "America/New_York"
NOW = datetime(2024, 7, 10, 12, tzinfo=UTC)  # a Wednesday, before the open
DAYS = ["2024-07-01", "2024-07-02", "2024-07-03", "2024-07-05", "2024-07-08", "2024-07-09"]


class Exchange:
    """What the server sells: bars by their open, and the ways in which it can fail."""

    def __init__(self) -> None:
        self.bars: dict[str, dict[int, list[float | None]]] = {}
        self.split: dict[str, Any] = {}
        self.failure: str | None = None
        self.asked: list[dict[str, str]] = []

    def add(self, interval: str, stamps: list[str], *, first: float = 100.0) -> None:
        """Add bars whose close is `first`, `first` + 1, ... (adjusted: 2 % less)."""
        table = self.bars.setdefault(interval, {})
        for i, stamp in enumerate(stamps):
            close = first + i
            at = int(pd.Timestamp(stamp, tz=NEW_YORK).timestamp())
            table[at] = [close - 0.5, close + 1, close - 1, close, 1000.0 + i, close * 0.98]

    def answer(self, query: dict[str, str]) -> dict[str, Any]:
        low, high = int(query.get("period1", 0)), int(query.get("period2", 2**40))
        table = self.bars.get(query["interval"], {})
        rows = {t: v for t, v in sorted(table.items()) if low <= t < high}
        names = ["open", "high", "low", "close", "volume"]
        quote = {name: [row[i] for row in rows.values()] for i, name in enumerate(names)}
        indicators: dict[str, Any] = {"quote": [quote if rows else {}]}
        if query["interval"] == "1d":
            indicators["adjclose"] = [{"adjclose": [row[5] for row in rows.values()]}]
        opens = [int(pd.Timestamp(f"{d} 09:30", tz=NEW_YORK).timestamp()) for d in DAYS]
        periods = [
            [{"timezone": "EDT", "start": t, "end": t + 23_400, "gmtoffset": -14_400}]
            for t in opens
        ]
        meta = {
            "currency": "USD",
            "symbol": "IWM",
            "exchangeName": "PCX",
            "instrumentType": "ETF",
            "firstTradeDate": 959_347_800,
            "regularMarketTime": opens[-1],
            "gmtoffset": -14_400,
            "timezone": "EDT",
            "exchangeTimezoneName": NEW_YORK,
            "priceHint": 2,
            "dataGranularity": query["interval"],
            "range": "",
            "validRanges": ["1d", "5d", "1mo", "max"],
            "currentTradingPeriod": {"pre": {}, "regular": {}, "post": {}},
            "tradingPeriods": periods,
        }
        meta["currentTradingPeriod"] = dict.fromkeys(("pre", "regular", "post"), periods[-1][0])
        result = {"meta": meta, "indicators": indicators}
        if rows:
            result["timestamp"] = list(rows)
        if self.split:
            result["events"] = {"splits": self.split}
        return {"chart": {"result": [result], "error": None}}


def handler(exchange: Exchange) -> type[BaseHTTPRequestHandler]:
    class Chart(BaseHTTPRequestHandler):
        def do_GET(self):
            parts = urlsplit(self.path)
            query = {k: v[0] for k, v in parse_qs(parts.query).items()}
            exchange.asked.append(query)
            status, body = 200, json.dumps(exchange.answer(query)).encode()
            if exchange.failure == "truncated":
                body = body[: len(body) // 2]
            elif exchange.failure == "429":
                status, body = 429, b"Edge: Too Many Requests"
            elif exchange.failure == "500":
                status, body = 500, b"<html>Internal Server Error</html>"
            elif exchange.failure == "404":
                error = {
                    "code": "Not Found",
                    "description": "No data found, symbol may be delisted",
                }
                status = 404
                body = json.dumps({"chart": {"result": None, "error": error}}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args):
            pass

    return Chart


class NoCache:
    """Stands for yfinance's own store of time zones, so that no test writes outside its folder."""

    def lookup(self, _symbol):
        return NEW_YORK

    def store(self, _symbol, _zone):
        pass


@pytest.fixture
def exchange(monkeypatch) -> Iterator[Exchange]:
    made = Exchange()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(made))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    for module in (yfinance.base, yfinance.scrapers.history):
        monkeypatch.setattr(module, "_BASE_URL_", base)
    # the cookie and crumb come from addresses written into the code, the chart needs neither
    monkeypatch.setattr(YfData, "_get_cookie_and_crumb", lambda *_a, **_k: (None, "basic"))
    monkeypatch.setattr(yfinance.cache, "get_tz_cache", NoCache)
    monkeypatch.setattr(yfinance, "set_tz_cache_location", lambda _folder: None)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    YfData.cache_get.cache_clear()
    yield made
    YfData.cache_get.cache_clear()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def read(exchange, tmp_path) -> Callable[..., pd.DataFrame]:
    def reader(*, now: datetime = NOW, offline: bool = False, **options: Any) -> pd.DataFrame:
        YfData.cache_get.cache_clear()
        where = replace(Locations(), cache=tmp_path, offline=offline)
        return YahooSource(**{"symbol": "IWM", **options}).read(where, "XNYS", now=now)

    return reader


def test_daily_bars_get_the_close_of_their_session(exchange, read):
    exchange.add("1d", [f"{d} 09:30" for d in DAYS])
    frame = read(start=date(2024, 7, 1))
    assert list(frame.columns) == ["open", "high", "low", "close", "volume"]
    assert [f"{t:%m-%d %H:%M}" for t in frame.index[:4]] == [
        "07-01 16:00",
        "07-02 16:00",
        "07-03 13:00",
        "07-05 16:00",
    ]
    assert str(frame.index.tz) == NEW_YORK
    assert frame.index.name == "close_time"
    assert frame["close"].tolist() == [100.0, 101.0, 102.0, 103.0, 104.0, 105.0]
    assert frame.iloc[0].tolist() == [99.5, 101.0, 99.0, 100.0, 1000.0]
    assert frame.attrs["bar_minutes"] == 1440.0
    assert frame.attrs["notes"] == []


def test_adjusted_prices_are_asked_for_explicitly(exchange, read):
    exchange.add("1d", [f"{d} 09:30" for d in DAYS])
    plain = read(start=date(2024, 7, 1))
    adjusted = read(start=date(2024, 7, 1), adjusted=True)
    assert_allclose(adjusted["close"], plain["close"] * 0.98)


def test_intraday_stamps_become_closes_cut_at_the_end_of_the_session(exchange, read):
    hours = ["09:30", "10:30", "11:30", "12:30", "13:30", "14:30", "15:30"]
    exchange.add("60m", [f"2024-07-02 {h}" for h in hours])
    exchange.add("60m", [f"2024-07-03 {h}" for h in hours[:4]])
    frame = read(start=date(2024, 7, 2), end=date(2024, 7, 4), bar="60min")
    assert [f"{t:%d %H:%M}" for t in frame.index[:7]] == [
        *("02 10:30", "02 11:30", "02 12:30", "02 13:30", "02 14:30", "02 15:30", "02 16:00")
    ]
    assert [f"{t:%d %H:%M}" for t in frame.index[7:]] == [
        *("03 10:30", "03 11:30", "03 12:30", "03 13:00")
    ]


def test_half_hours_are_resampled_without_the_night(exchange, read):
    exchange.add("15m", ["2024-07-08 15:30", "2024-07-08 15:45", "2024-07-09 09:30"])
    frame = read(start=date(2024, 7, 8), bar="30min")
    assert [f"{t:%d %H:%M}" for t in frame.index] == ["08 16:00", "09 10:00"]
    assert frame["open"].tolist() == [99.5, 101.5]
    assert frame["volume"].tolist() == [2001.0, 1002.0]


def test_rows_without_prices_and_absent_sessions_are_counted(exchange, read):
    exchange.add("1d", [f"{d} 09:30" for d in DAYS if d != "2024-07-05"])
    at = int(pd.Timestamp("2024-07-02 09:30", tz=NEW_YORK).timestamp())
    exchange.bars["1d"][at] = [None] * 6
    frame = read(start=date(2024, 7, 1))
    assert len(frame) == 4
    assert frame.attrs["notes"] == [
        "1 bar(s) without prices, dropped",
        "2 of 6 sessions of XNYS absent, the first on 2024-07-02",
    ]


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("price", [0.0, -37.63])
def test_a_price_of_zero_or_less_is_no_price_unless_it_is_allowed(exchange, read, place, price):
    exchange.add("1d", [f"{d} 09:30" for d in DAYS])
    at = int(pd.Timestamp("2024-07-02 09:30", tz=NEW_YORK).timestamp())
    exchange.bars["1d"][at][place] = price
    frame = read(start=date(2024, 7, 1))
    (note,) = [n for n in frame.attrs["notes"] if getattr(n, "code", "") == "nonpositive-prices"]
    assert "1 bar with a price of 0 or less left out, the first of 2024-07-02" in note
    assert len(frame) == len(DAYS) - 1
    allowed = read(start=date(2024, 7, 1), allow_nonpositive=True)
    assert len(allowed) == len(DAYS)
    assert allowed.attrs["allow_nonpositive"] is True
    assert allowed.iloc[1, place] == price


def test_bars_without_volume_are_treated_as_the_setting_says(exchange, read):
    exchange.add("1d", [f"{d} 09:30" for d in DAYS])
    at = int(pd.Timestamp("2024-07-02 09:30", tz=NEW_YORK).timestamp())
    exchange.bars["1d"][at][4] = 0.0
    assert len(read(start=date(2024, 7, 1))) == len(DAYS)
    assert len(read(start=date(2024, 7, 1), no_volume="drop")) == len(DAYS) - 1
    with pytest.raises(InputError, match=r"^yahoo IWM 1day: 1 bar without volume"):
        read(start=date(2024, 7, 1), no_volume="refuse")


def test_the_bar_of_a_running_session_is_dropped(exchange, read):
    exchange.add("1d", [f"{d} 09:30" for d in DAYS])
    frame = read(start=date(2024, 7, 1), now=datetime(2024, 7, 9, 18, tzinfo=UTC))
    assert frame.index[-1].date() == date(2024, 7, 8)
    assert frame.attrs["notes"] == ["1 bar(s) still running at the download, dropped"]


def test_a_date_that_the_calendar_lacks_keeps_the_usual_hours(exchange, read):
    exchange.add("1d", [f"{d} 09:30" for d in ["2024-07-03", "2024-07-04", "2024-07-05"]])
    frame = read(start=date(2024, 7, 3), end=date(2024, 7, 6))
    assert [f"{t:%d %H:%M}" for t in frame.index] == ["03 13:00", "04 16:00", "05 16:00"]
    assert "1 date(s) that XNYS lacks, kept with usual hours" in frame.attrs["notes"]


def test_a_split_is_named_because_strikes_are_not_divided(exchange, read):
    exchange.add("1d", [f"{d} 09:30" for d in DAYS])
    at = int(pd.Timestamp("2024-07-05 09:30", tz=NEW_YORK).timestamp())
    exchange.split = {str(at): {"date": at, "numerator": 2, "denominator": 1, "splitRatio": "2:1"}}
    notes = read(start=date(2024, 7, 1)).attrs["notes"]
    assert notes == ["1 split(s): Yahoo divides all earlier prices by them, strikes not"]


def test_a_past_range_is_downloaded_once(exchange, read):
    exchange.add("1d", [f"{d} 09:30" for d in DAYS])
    first = read(start=date(2024, 7, 1), end=date(2024, 7, 9))
    asked = len(exchange.asked)
    again = read(start=date(2024, 7, 2), end=date(2024, 7, 6))
    assert len(exchange.asked) == asked
    assert_frame_equal(again, first.iloc[1:4])
    assert again.attrs["notes"] == ["from the cache of 2024-07-10 12:00 UTC"]


def test_later_bars_are_appended_to_the_kept_ones(exchange, read):
    exchange.add("1d", [f"{d} 09:30" for d in DAYS[:4]])
    read(start=date(2024, 6, 3), now=datetime(2024, 7, 6, tzinfo=UTC))
    exchange.add("1d", [f"{d} 09:30" for d in DAYS])
    frame = read(start=date(2024, 6, 3))
    assert frame["close"].tolist() == [100.0, 101.0, 102.0, 103.0, 104.0, 105.0]
    since = datetime.fromtimestamp(int(exchange.asked[-1]["period1"]), UTC).date()
    assert since == date(2024, 6, 21)


def test_kept_prices_that_no_longer_agree_are_fetched_anew(exchange, read):
    exchange.add("1d", ["2024-06-03 09:30", *[f"{d} 09:30" for d in DAYS[:4]]])
    read(start=date(2024, 6, 3), now=datetime(2024, 7, 6, tzinfo=UTC))
    exchange.add("1d", ["2024-06-03 09:30", *[f"{d} 09:30" for d in DAYS]], first=50.0)
    frame = read(start=date(2024, 6, 3))
    assert frame["close"].tolist() == [50.0, 51.0, 52.0, 53.0, 54.0, 55.0, 56.0]


NO_BARS = r"Yahoo gave no bars \(none in this range, no such symbol, or it is down\)"
REASONS = {
    "404": "Yahoo has no such symbol,",
    "429": r"Yahoo limits the rate of requests \(HTTP 429\)",
    "500": NO_BARS,
    "truncated": NO_BARS,
}


@pytest.mark.parametrize("failure", REASONS)
def test_a_failure_is_one_line_with_its_reason(exchange, read, failure, capsys):
    exchange.add("1d", [f"{d} 09:30" for d in DAYS])
    exchange.failure = failure
    with pytest.raises(InputError, match=REASONS[failure]) as caught:
        read(start=date(2024, 7, 1))
    message = str(caught.value)
    assert message.startswith("yahoo IWM 1day: ")
    assert message.endswith("and nothing in the cache; try again later")
    assert "\n" not in message
    assert capsys.readouterr() == ("", "")


def test_an_answer_without_end_is_given_up(exchange, read, monkeypatch, capsys):
    monkeypatch.setattr(yahoo_download, "MOST_BYTES", 1_000)
    exchange.add("1d", [f"{d} 09:30" for d in DAYS])
    with pytest.raises(InputError, match="Yahoo's answer holds more than 1,000 bytes") as caught:
        read(start=date(2024, 7, 1))
    assert "\n" not in str(caught.value)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("failure", REASONS)
def test_the_cache_answers_where_the_network_fails(exchange, read, failure):
    exchange.add("1d", [f"{d} 09:30" for d in DAYS])
    whole = read(start=date(2024, 7, 1))
    exchange.failure = failure
    frame = read(start=date(2024, 7, 1), now=datetime(2024, 7, 10, 13, tzinfo=UTC))
    assert_frame_equal(frame, whole)
    (note,) = frame.attrs["notes"]
    assert note.startswith("served from the cache of 2024-07-10 12:00 UTC, network failed: Yahoo")


def test_no_bars_at_all_are_refused(exchange, read):
    with pytest.raises(InputError, match=f"yahoo IWM 1day: {NO_BARS}"):
        read(start=date(2024, 7, 1))


def test_offline_never_asks_the_network(exchange, read):
    exchange.add("1d", [f"{d} 09:30" for d in DAYS])
    with pytest.raises(InputError, match="offline, and nothing in the cache; run once with the"):
        read(start=date(2024, 7, 1), offline=True)
    assert exchange.asked == []
    whole = read(start=date(2024, 7, 1))
    asked = len(exchange.asked)
    frame = read(start=date(2024, 7, 1), offline=True)
    assert len(exchange.asked) == asked
    assert_frame_equal(frame, whole)
    assert frame.attrs["notes"] == ["served from the cache of 2024-07-10 12:00 UTC, offline"]


def test_a_damaged_cache_is_named_and_fetched_anew(exchange, read, tmp_path):
    exchange.add("1d", [f"{d} 09:30" for d in DAYS])
    read(start=date(2024, 7, 1))
    (path,) = tmp_path.glob("*.parquet")
    path.write_bytes(b"broken")
    frame = read(start=date(2024, 7, 1))
    assert len(frame) == 6
    assert "damaged cache file ignored" in frame.attrs["notes"][0]


@pytest.mark.parametrize(("bar", "days"), [("1min", 8), ("5min", 60), ("60min", 730)])
def test_a_range_beyond_what_yahoo_keeps_is_refused(read, bar, days):
    with pytest.raises(InputError, match=f"keeps {bar} bars for {days} days; give start: 20"):
        read(start=date(2020, 1, 1), bar=bar)


def test_a_range_without_a_finished_bar_is_refused(exchange, read):
    exchange.add("1d", ["2024-07-09 09:30"])
    with pytest.raises(InputError, match="no finished bar between 2024-07-09 and now; widen"):
        read(start=date(2024, 7, 9), now=datetime(2024, 7, 9, 15, tzinfo=UTC))


def test_an_unknown_calendar_is_refused(exchange, read, tmp_path):
    exchange.add("1d", [f"{d} 09:30" for d in DAYS])
    with pytest.raises(InputError, match="no exchange calendar 'NYSEE'"):
        YahooSource(symbol="IWM", start=date(2024, 7, 1)).read(
            Locations(cache=tmp_path), "NYSEE", now=NOW
        )


@pytest.mark.parametrize(
    "wrong",
    [{"symbol": "A B"}, {"symbol": ""}, {"start": date(2024, 1, 2), "end": date(2024, 1, 2)}],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        YahooSource(**{"symbol": "IWM", **wrong})
