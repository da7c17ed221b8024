"""One polite download: limited retries, one clear line when it fails."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from urllib3.util import Retry

from hpi_bt import __version__
from hpi_bt.errors import InputError

if TYPE_CHECKING:
    from requests import Response
    from urllib3.response import BaseHTTPResponse

_LONGEST_WAIT = 30.0  # seconds that a server's Retry-After may ask for
_PATIENCE = 15  # a whole answer may take that many times the timeout, however steadily it drips
_PIECE = 1024  # bytes
MOST_BYTES = 200_000_000  # of an answer, unpacked; the largest file in use has 2 million
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_PASSING = frozenset({429, 500, 502, 503, 504})
_REASONS = {
    401: "access denied (HTTP 401); check the key or the licence",
    403: "access denied (HTTP 403); check the key or the licence",
    404: "not found (HTTP 404); check the address or the symbol",
    429: "too many requests (HTTP 429); wait a few minutes and try again",
}


class _TooSlowError(Exception):
    """An answer that goes on and on."""


class _TooLargeError(Exception):
    """An answer of more bytes than any source has."""


class _CappedRetry(Retry):
    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        asked = super().get_retry_after(response)
        return None if asked is None else min(asked, _LONGEST_WAIT)


def fetch_text(
    url: str, *, params: Mapping[str, str] | None = None, timeout: float = 20, retries: int = 2
) -> str:
    """Return the text of a page: by its byte-order mark, else as the server says, else as UTF-8.

    Parameters
    ----------
    url : str
        http or https.
    params : mapping of str to str, optional
        The query; never shown in a message, since it may hold a key.
    timeout : float
        Seconds to connect, and between two pieces of the answer; all of it may take 15 times that.
    retries : int
        Further tries after a refused connection, a timeout, 429 or 5xx; the wait doubles from half
        a second, or is what the server asks for, at most 30 s.

    Raises
    ------
    InputError
        No complete answer, or one of more than 200 MB; the message names the address without its
        query, and the reason.
    """
    import requests
    from requests.adapters import HTTPAdapter

    retry = _CappedRetry(
        total=retries,
        backoff_factor=0.5,
        status_forcelist=_PASSING,
        allowed_methods=frozenset({"GET"}),
        raise_on_status=False,
    )
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=retry))
        try:
            session.headers["User-Agent"] = f"hpi-bt/{__version__}"  # some refuse the library's own
            with session.get(url, params=params, timeout=timeout, stream=True) as answer:
                body = _body(answer, timeout) if answer.ok else b""
        except _TooSlowError:
            allowed = f"no whole answer within {_PATIENCE * timeout:g} s"
            raise InputError(f"{_shown(url)}: {allowed}; try again later") from None
        except _TooLargeError:
            many = f"the answer holds more than {MOST_BYTES:,} bytes"
            raise InputError(f"{_shown(url)}: {many}; check the address") from None
        except requests.RequestException as error:
            raise InputError(f"{_shown(url)}: {_reason(error, timeout)}") from None
    if not answer.ok:
        other = f"the server failed (HTTP {answer.status_code}); try again later"
        raise InputError(f"{_shown(url)}: {_REASONS.get(answer.status_code, other)}")
    return _decoded(body, answer)


def _body(answer: Response, timeout: float) -> bytes:
    """Return all of an answer, or give up on one that never ends."""
    begun, pieces, size = monotonic(), [], 0
    for piece in answer.iter_content(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > MOST_BYTES:
            raise _TooLargeError
        if monotonic() - begun > _PATIENCE * timeout:
            raise _TooSlowError
    return b"".join(pieces)


def _decoded(body: bytes, answer: Response) -> str:
    named = answer.encoding if "charset" in answer.headers.get("Content-Type", "") else None
    marked = next((code for mark, code in _MARKS.items() if body.startswith(mark)), None)
    try:
        return body.decode(marked or named or "utf-8", "replace")
    except LookupError:  # a charset that nobody knows
        return body.decode("utf-8", "replace")


def _shown(url: str) -> str:
    """Return the address without user, query and fragment."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if host else parts.path


def _reason(error: Exception, timeout: float) -> str:
    """Return why `requests` gave up and what to do, without its own text."""
    import requests

    text = repr(error)
    if isinstance(error, requests.Timeout) or "ReadTimeout" in text or "ConnectTimeout" in text:
        return f"no answer within {timeout:g} s; try again later"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the answer broke off; try again"
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return "the answer is damaged (it cannot be unpacked); try again later"
    if isinstance(error, requests.TooManyRedirects):
        return "it leads round in circles (too many redirects); check the address in a browser"
    if isinstance(error, requests.ConnectionError):
        return "cannot be reached; check the network, or work offline, from the cache"
    return f"not a usable address ({type(error).__name__}); it must start with http:// or https://"
