"""One call of yfinance, with the reason when it gives nothing."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

MOST_BYTES = 200_000_000  # of an answer, unpacked
_GIVE_UP = 0xFFFFFFFF  # libcurl's CURL_WRITEFUNC_ERROR
_COLUMNS = ["open", "high", "low", "close", "volume", "split"]


class DownloadError(Exception):
    """Yahoo gave nothing; the text is the reason."""


def download_bars(
    symbol: str, interval: str, start: date, end: date, adjusted: bool, folder: Path
) -> pd.DataFrame:
    """Return raw bars as Yahoo stamps them: opens in UTC, or naive dates for daily bars.

    Parameters
    ----------
    symbol, interval : str
        In Yahoo's spelling (`^VIX`, `1d`).
    start, end : date
        First session, and the session after the last one.
    adjusted : bool
        True scales prices by dividends.
    folder : Path
        Where yfinance keeps the time zones of exchanges.

    Returns
    -------
    bars : DataFrame
        Columns open, high, low, close, volume, split; rows without prices are NaN.

    Raises
    ------
    DownloadError
        Yahoo gave no bars; the text is the reason.
    """
    import yfinance

    daily = interval == "1d"
    folder.mkdir(parents=True, exist_ok=True)
    yfinance.set_tz_cache_location(str(folder / "yfinance"))
    session = bounded_session()
    with _errors_of_yfinance() as errors:
        try:
            got = yfinance.download(
                [symbol],
                start=str(start),
                end=str(end),
                interval=interval,
                auto_adjust=adjusted,
                actions=True,
                # Yahoo's 30 minutes are resampled, which makes empty rows of every night
                keepna=interval != "30m",
                multi_level_index=False,
                progress=False,
                threads=False,
                session=session,
            )
        except Exception as error:  # whatever its HTTP layers raise
            errors.append(repr(error))
            got = None
    if getattr(session, "overflow", False):
        raise DownloadError(f"Yahoo's answer holds more than {MOST_BYTES:,} bytes")
    if got is None or got.empty or "Close" not in got:
        raise DownloadError(_reason(" ".join(errors)))
    renamed = got.rename(columns=str.lower).rename(columns={"stock splits": "split"})
    raw = renamed.reindex(columns=_COLUMNS).astype(np.float64).rename_axis("stamp")
    raw.index = pd.DatetimeIndex(raw.index).as_unit("ns")
    bars: pd.DataFrame = raw.tz_localize(None) if daily else raw.tz_convert("UTC")
    return bars


def bounded_session() -> Any:
    """Return a session for yfinance, as it makes them, that gives up on endless answers.

    None where yfinance works without curl_cffi: it then makes its own.
    """
    try:
        from curl_cffi import requests
    except ImportError:
        return None

    class Bounded(requests.Session[Any]):
        overflow = False

        def request(self, method: Any, url: str, **how: Any) -> Any:  # type: ignore[override]
            body = bytearray()

            def keep(piece: bytes) -> int:
                body.extend(piece)
                self.overflow = len(body) > MOST_BYTES
                return _GIVE_UP if self.overflow else len(piece)

            answer = super().request(method, url, content_callback=keep, **how)
            answer.content = bytes(body)
            return answer

    return Bounded(impersonate="chrome")


class _Collect(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def _errors_of_yfinance() -> Iterator[list[str]]:
    """Collect what yfinance only logs (`download` raises nothing), and keep it off the screen."""
    lines: list[str] = []
    logger = logging.getLogger("yfinance")
    handler, before = _Collect(lines), logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield lines
    finally:
        logger.propagate = before
        logger.removeHandler(handler)


def _reason(text: str) -> str:
    """Return in one short line why the download gave nothing."""
    known = {
        "YFRateLimit": "Yahoo limits the rate of requests (HTTP 429)",
        "Too Many Requests": "Yahoo limits the rate of requests (HTTP 429)",
        "DNSError": "Yahoo cannot be reached",
        "ConnectionError": "Yahoo cannot be reached",
        "Timeout": "Yahoo does not answer",
        "ProxyError": "Yahoo cannot be reached through the proxy",
        "symbol may be delisted": "Yahoo has no such symbol",
        # yfinance says this of an empty, a broken and a failed answer alike
        "delisted": "Yahoo gave no bars (none in this range, no such symbol, or it is down)",
    }
    for sign, meaning in known.items():
        if sign in text:
            return meaning
    return f"Yahoo's answer is of no use ({' '.join(text.split())[:120] or 'empty'})"
