"""One feed from its publisher: the requests that it takes, and the rows that they bring."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import numpy as np
import pandas as pd

from hpi_bt.errors import InputError, did_you_mean
from hpi_bt.sources.gauge_data.clock import new_york_date
from hpi_bt.sources.gauge_data.feeds import BASES, FEEDS, Feed
from hpi_bt.sources.gauge_data.files import read_gauge_text
from hpi_bt.sources.gauge_data.plausibility import ImplausibleError
from hpi_bt.sources.gauge_data.publication import sessions_between
from hpi_bt.sources.gauge_data.put_call import PRODUCTS
from hpi_bt.sources.gauge_data.series import pieces_of
from hpi_bt.sources.http import fetch_text
from hpi_bt.sources.yahoo_download import DownloadError, download_bars

_OVERLAP = timedelta(days=14)
_FIRST = date(1990, 1, 1)
_ABSENT = ("(HTTP 403)", "(HTTP 404)")  # what Cboe answers for a day that it has not published
_LINES = ("cboe", "put_call", "fred")  # layouts whose last line ends as the others do
_DAYS = 50  # asked for one by one, then stored
_UNHURRIED, _PAUSE = 30, 0.2  # requests made at once, and seconds between all further ones
_CLOSED = "16:15"  # New York; before it Yahoo's bar of the day is unfinished


class Request(NamedTuple):
    """What is wanted of a feed: the rows at hand, how far back to go, and when."""

    feed: str
    old: pd.DataFrame | None
    since: date | None
    now: datetime

    @property
    def start(self) -> date | None:
        """The first date to ask for: as told, else a fortnight before the cache's end."""
        if self.since is not None or self.old is None:
            return self.since
        last: date = self.old.index[-1].date()
        return last - _OVERLAP


@dataclass(frozen=True)
class Server:
    """Base addresses, how patiently they are asked, and a folder for yfinance's own notes."""

    bases: Mapping[str, str]
    timeout: float
    retries: int
    folder: Path

    def text(self, address: str) -> str:
        """Return the answer of an address; `InputError` says why there is none."""
        return fetch_text(address, timeout=self.timeout, retries=self.retries)


class Fresh(NamedTuple):
    """The rows that came (None: nothing new), from where, notes, and why the rest did not."""

    frame: pd.DataFrame | None
    address: str
    notes: list[str]
    failure: str = ""


def base_addresses(bases: Mapping[str, str] | None) -> dict[str, str]:
    """Return the base address of every publisher: as given, else of the environment, else its own.

    Raises
    ------
    InputError
        A publisher that is none.
    """
    for name in bases or {}:
        if name not in BASES:
            raise InputError(f"bases: no publisher {name!r}{did_you_mean(name, BASES)}")
    named = {n: os.environ.get(f"HPI_BT_URL_{n.upper()}") or own for n, own in BASES.items()}
    return {n: url.rstrip("/") for n, url in (named | dict(bases or {})).items()}


def download_feed(request: Request, server: Server) -> Iterator[Fresh]:
    """Yield the rows that a publisher has of a feed; what takes long comes in parts.

    Raises
    ------
    InputError
        No answer, or one that is not what the feed should be.
    """
    feed = FEEDS[request.feed]
    if feed.publisher == "yahoo":
        yield _of_yahoo(request, feed, server)
    elif feed.steps == "day":
        yield from _by_day(request, feed, server)
    else:
        yield _whole(request, feed, server)


def _whole(request: Request, feed: Feed, server: Server) -> Fresh:
    """Return the rows of one request, or of one a year."""
    base, paths = server.bases[feed.publisher], _paths(request, feed)
    frames: list[pd.DataFrame] = []
    for path in paths:
        text = server.text(base + path)
        this_year = feed.steps == "year" and request.start is not None and path == paths[-1]
        if this_year and _header_alone(text):
            continue  # it has just begun
        frames.append(_read(request, feed, text, _plain(base + path)))
    if not frames:
        return Fresh(None, base, ["no rows yet this year"])
    return Fresh(_together(frames), _plain(base + paths[0]), [])


def _header_alone(text: str) -> bool:
    return text.lstrip('\ufeff"').startswith("Date") and len(text.strip().splitlines()) == 1


def _plain(address: str) -> str:
    return address.partition("?")[0]


def _paths(request: Request, feed: Feed) -> list[str]:
    today = new_york_date(request.now)
    if feed.steps == "year":
        years = range(request.start.year, today.year + 1) if request.start else ["all"]
        return [feed.path.format(year=year) for year in years]
    return [feed.path.format(since=request.start or _FIRST, until=today)]


def _read(request: Request, feed: Feed, text: str, address: str) -> pd.DataFrame:
    frame = read_gauge_text(text, address, today=new_york_date(request.now))
    layout = frame.attrs["layout"]
    if layout in _LINES and not text.endswith(("\n", "\r")):
        raise InputError(f"{address}: the answer breaks off in its last line; fetch it again")
    known = layout in feed.layouts
    if not known or (layout == "fred" and feed.given_as not in frame):
        held = frame.attrs["source"] if known else f"layout {layout}"
        raise InputError(
            f"{address}: {held}, wanted {feed.given_as} ({' or '.join(feed.layouts)}); "
            "the publisher has changed it, look for a newer version of hpi-bt"
        )
    for product in [p for p in PRODUCTS if p in frame] or [frame.attrs.get("product") or "total"]:
        pieces_of(frame, feed.given_as, address, product)  # refuses values that no market has
    return frame


def _together(frames: list[pd.DataFrame]) -> pd.DataFrame:
    joined = pd.concat(frames)
    joined = joined[~joined.index.duplicated(keep="last")].sort_index()
    joined.attrs = frames[-1].attrs | {"notes": [n for f in frames for n in f.attrs["notes"]]}
    return joined


def _by_day(request: Request, feed: Feed, server: Server) -> Iterator[Fresh]:
    """Ask day by day, oldest first; what came before a failure, or a break, is kept."""
    base, absent, failure = server.bases[feed.publisher], [], ""
    frames: list[pd.DataFrame] = []
    notes: list[str] = []
    days, some = list(_days(request)), False
    for number, day in enumerate(days):
        if len(frames) == _DAYS:
            yield Fresh(_together(frames), base, [])
            frames, some = [], True
        if number > _UNHURRIED:
            time.sleep(_PAUSE)
        address = base + feed.path.format(day=f"{day:%Y-%m-%d}")
        try:
            frames.append(_read(request, feed, server.text(address), address))
        except ImplausibleError as error:  # of one day: it is asked for again the next time
            notes.append(str(error))
        except InputError as error:
            if not str(error).rpartition(";")[0].endswith(_ABSENT):
                failure = str(error)
                break
            absent.append(f"{day:%Y-%m-%d}")
    some = some or bool(frames)
    if notes and not some and not failure:
        failure = notes.pop()
    elif days and not some and not failure and len(days) > 2:
        failure = f"{base}: none of the days {absent[0]} to {absent[-1]} is there (HTTP 403 or 404)"
    notes += [f"not published: {_shortened(absent)}"] if absent else []
    yield Fresh(_together(frames) if frames else None, base, notes, failure)


def _shortened(days: list[str]) -> str:
    return ", ".join(days[:5]) + (f" and {len(days) - 5} more" if len(days) > 5 else "")


def _days(request: Request) -> Iterator[pd.Timestamp]:
    """Sessions from the start on whose close has passed, but for old ones that the cache has."""
    wall = pd.Timestamp(request.now).tz_convert("America/New_York").tz_localize(None)
    last = (
        wall.normalize()
        if wall.strftime("%H:%M") >= _CLOSED
        else wall.normalize() - pd.Timedelta(days=1)
    )
    start = pd.Timestamp(request.start or last.date() - _OVERLAP)
    kept = pd.DatetimeIndex([] if request.old is None else request.old.index)
    if request.since is None and len(kept):
        start = max(start, kept[0])
    recent = kept[-3:]  # asked for again, in case they were revised
    for day in sessions_between(start, last):
        if day not in kept or day in recent:
            yield day


def _of_yahoo(request: Request, feed: Feed, server: Server) -> Fresh:
    """Return closes by yfinance or, with a base address, from its <symbol>.csv."""
    base, symbol, today = server.bases["yahoo"], feed.path, new_york_date(request.now)
    if base:
        address = f"{base}/{quote(symbol)}.csv"
        frame = _read(request, feed, server.text(address), address)
        return Fresh(_finished(frame, request.now), address, [])
    start = request.start or _FIRST
    frame = _bars(symbol, start, today, server.folder)
    if request.old is not None and not _agrees(request.old, frame):  # adjusted by a dividend
        frame = _bars(symbol, min(start, request.old.index[0].date()), today, server.folder)
    return Fresh(_finished(frame, request.now), f"yahoo {symbol}", [])


def _bars(symbol: str, start: date, today: date, folder: Path) -> pd.DataFrame:
    try:
        bars = download_bars(symbol, "1d", start, today + timedelta(days=1), True, folder)
    except DownloadError as error:
        raise InputError(f"yahoo {symbol}: {error}") from None
    frame = bars[["close"]].dropna()
    frame.index = pd.DatetimeIndex(frame.index, name="date").as_unit("ns").normalize()
    if frame.empty:
        raise InputError(f"yahoo {symbol}: no closes since {start}; try again later")
    frame.attrs = {"source": "Yahoo", "layout": "yahoo", "notes": []}
    return frame


def _agrees(old: pd.DataFrame, new: pd.DataFrame) -> bool:
    both = old.index.intersection(new.index)
    return bool(np.allclose(old.loc[both, "close"], new.loc[both, "close"], rtol=1e-6, atol=0.0))


def _finished(frame: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """Return the rows without today's before its close."""
    wall = pd.Timestamp(now).tz_convert("America/New_York").tz_localize(None)
    running = (frame.index == wall.normalize()) & (wall.strftime("%H:%M") < _CLOSED)
    kept = frame[~running]
    kept.attrs = frame.attrs
    return kept
