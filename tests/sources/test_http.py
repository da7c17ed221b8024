from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from hpi_bt import __version__
from hpi_bt.errors import InputError
from hpi_bt.sources import http
from hpi_bt.sources.http import fetch_text


class Page(BaseHTTPRequestHandler):
    """Answers what `answers` holds, one after another, the last one for ever."""

    answers: ClassVar[list[tuple[int, dict[str, str], bytes]]] = []
    asked: ClassVar[list[str]] = []
    agents: ClassVar[list[str]] = []
    hang = threading.Event()
    pause = 0.0  # seconds before each piece of an answer

    def do_GET(self):
        self.asked.append(self.path)
        self.agents.append(self.headers["User-Agent"])
        status, headers, body = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if status == 0:
            self.hang.wait(5)
            return
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            for at in range(0, len(body), 1000):
                self.hang.wait(self.pause)
                self.wfile.write(body[at : at + 1000])
        except OSError:
            pass  # nobody listens any more

    def log_message(self, *_args):
        pass


@pytest.fixture
def address(monkeypatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    Page.asked.clear()
    Page.agents.clear()
    Page.hang.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/data.csv"
    Page.hang.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_page_is_returned_as_text_with_its_query_sent(address):
    Page.answers = [(200, {"Content-Type": "text/csv"}, "date,café\n".encode())]
    assert fetch_text(address, params={"id": "A B"}) == "date,café\n"
    assert Page.asked == ["/data.csv?id=A+B"]


def test_a_request_says_who_asks(address):
    Page.answers = [(200, {}, b"x")]
    fetch_text(address)
    assert Page.agents == [f"hpi-bt/{__version__}"]


def test_the_encoding_that_the_server_names_is_used(address):
    Page.answers = [(200, {"Content-Type": "text/csv; charset=latin-1"}, "café".encode("latin-1"))]
    assert fetch_text(address) == "café"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_failure_is_tried_again(address, status):
    Page.answers = [(status, {"Retry-After": "0"}, b""), (200, {}, b"ok")]
    assert fetch_text(address, retries=1) == "ok"
    assert len(Page.asked) == 2


@pytest.mark.parametrize(
    ("status", "message", "tries"),
    [
        (429, "too many requests .HTTP 429.; wait", 2),
        (500, "the server failed .HTTP 500.; try again later", 2),
        (404, "not found .HTTP 404.; check", 1),
        (403, "access denied .HTTP 403.; check", 1),
    ],
)
def test_a_failure_that_stays_is_one_line_without_the_query(address, status, message, tries):
    Page.answers = [(status, {"Retry-After": "0"}, b"")]
    with pytest.raises(InputError, match=message) as caught:
        fetch_text(address, params={"api_key": "secret"}, retries=1)
    assert len(Page.asked) == tries
    assert str(caught.value).startswith(f"{address}: ")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_long_retry_after_is_capped(address, monkeypatch):
    monkeypatch.setattr(http, "_LONGEST_WAIT", 0.05)
    Page.answers = [(503, {"Retry-After": "3600"}, b""), (200, {}, b"ok")]
    assert fetch_text(address, retries=1) == "ok"


def test_a_broken_answer_is_named(address):
    Page.answers = [(200, {"Content-Length": "100"}, b"only a part")]
    with pytest.raises(InputError, match="the answer broke off"):
        fetch_text(address, retries=0)


def test_a_silent_server_is_named_with_the_time_waited(address):
    Page.answers = [(0, {}, b"")]
    with pytest.raises(InputError, match=r"no answer within 0\.1 s"):
        fetch_text(address, timeout=0.1, retries=0)


def test_a_closed_port_is_named():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(InputError, match="cannot be reached; check the network"):
        fetch_text(f"http://127.0.0.1:{port}/", retries=0)


def test_an_address_without_scheme_is_refused():
    with pytest.raises(InputError, match="must start with http:// or https://"):
        fetch_text("data.csv")


def test_an_address_that_leads_in_circles_is_named(address):
    Page.answers = [(302, {"Location": "/data.csv"}, b"")]
    with pytest.raises(InputError, match=r"leads round in circles .too many redirects.; check"):
        fetch_text(address, retries=0)


@pytest.mark.parametrize(
    "body", [b"date,close\n", gzip.compress(b"date" * 99, mtime=0)[:-8] + b"x" * 8]
)
def test_an_answer_that_cannot_be_unpacked_is_named(address, body):
    Page.answers = [(200, {"Content-Encoding": "gzip"}, body)]
    with pytest.raises(InputError, match=r"the answer is damaged .it cannot be unpacked."):
        fetch_text(address, retries=0)


def test_a_packed_answer_is_unpacked(address):
    Page.answers = [
        (200, {"Content-Encoding": "gzip"}, gzip.compress(b"date,close\n" * 500, mtime=0))
    ]
    assert fetch_text(address) == "date,close\n" * 500


@pytest.mark.parametrize("code", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("named", ["text/csv", "text/csv; charset=iso-8859-1"])
def test_a_byte_order_mark_says_more_than_the_server(address, code, named):
    Page.answers = [(200, {"Content-Type": named}, "date,café\r\n".encode(code))]
    assert fetch_text(address) == "date,café\r\n"


def test_an_encoding_that_nobody_knows_is_utf_8(address):
    Page.answers = [(200, {"Content-Type": "text/csv; charset=x-klingon"}, "café".encode())]
    assert fetch_text(address) == "café"


def test_a_server_that_drips_is_waited_for_but_not_for_ever(address, monkeypatch):
    Page.answers = [(200, {}, b"x" * 4000)]
    Page.pause = 0.02
    try:
        assert fetch_text(address, timeout=1, retries=0) == "x" * 4000
        monkeypatch.setattr(http, "_PATIENCE", 0.01)
        with pytest.raises(InputError, match=r"no whole answer within 0\.01 s; try again later"):
            fetch_text(address, timeout=1, retries=0)
    finally:
        Page.pause = 0.0


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_of_too_many_bytes_is_refused(address, monkeypatch, packed):
    monkeypatch.setattr(http, "MOST_BYTES", 50_000)
    body = b"a" * 60_000
    headers = {"Content-Encoding": "gzip"} if packed else {}
    Page.answers = [(200, headers, gzip.compress(body) if packed else body)]
    with pytest.raises(InputError, match="holds more than 50,000 bytes; check the address"):
        fetch_text(address)
    Page.answers = [(200, {}, body[:50_000])]
    assert len(fetch_text(address)) == 50_000
