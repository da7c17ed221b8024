"""Bars from Yahoo Finance, kept in the cache and served from there when the network fails."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from hpi_bt.errors import InputError, Note, Severity
from hpi_bt.sources.base import Locations, Settings
from hpi_bt.sources.cache import Cache, Provenance, merge_overlap, package_versions
from hpi_bt.sources.calendars import EPOCH
from hpi_bt.sources.frame import describe
from hpi_bt.sources.hours import calendar_sessions, counted, local_stamps, session_bounds
from hpi_bt.sources.no_volume import NoVolume, treat_no_volume
from hpi_bt.sources.yahoo_download import DownloadError, download_bars


class _Kind(NamedTuple):
    """What Yahoo calls a bar, its minutes, how many days back it reaches, and days fetched anew."""

    interval: str
    minutes: int
    reach: int | None
    overlap: int


_KINDS = {
    "1min": _Kind("1m", 1, 8, 2),
    "5min": _Kind("5m", 5, 60, 5),
    "15min": _Kind("15m", 15, 60, 5),
    "30min": _Kind("30m", 30, 60, 5),
    "60min": _Kind("60m", 60, 730, 5),
    "1day": _Kind("1d", 1440, None, 14),
}
_FIRST = date(1970, 1, 1)
_PRICES = ["open", "high", "low", "close"]


class YahooSource(Settings):
    """Bars of one symbol from Yahoo Finance: for personal use, never to be passed on."""

    kind: Literal["yahoo"] = "yahoo"
    symbol: str = Field(min_length=1, pattern=r"^[^\s,]+$")
    start: date | None = None
    """First session; without it, as far back as Yahoo has this bar."""
    end: date | None = None
    """The session after the last one; without it, until now."""
    bar: Literal["1min", "5min", "15min", "30min", "60min", "1day"] = "1day"
    adjusted: bool = False
    """True scales prices by dividends. Beside option strikes they must be as they were traded."""
    allow_nonpositive: bool = False
    """Prices of 0 or less are prices (crude oil on 2020-04-20); else such a bar is left out."""
    no_volume: NoVolume = "keep"
    """Bars without volume in a market that has volume: keep, drop or refuse."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start and self.end and self.start >= self.end:
            raise ValueError(f"start {self.start} must be before end {self.end} (end is exclusive)")
        return self

    def read(
        self, where: Locations, calendar: str = "XNYS", *, now: datetime | None = None
    ) -> pd.DataFrame:
        """Return the bars, index = bar close in the exchange's zone.

        Parameters
        ----------
        where : Locations
            The cache folder, and whether the network may be used.
        calendar : str
            Exchange calendar, for closes and for sessions that are absent.
        now : datetime, optional
            Time of the download, with zone; the clock when not given. Bars that close later are
            dropped.

        Returns
        -------
        frame : DataFrame
            Columns open, high, low, close (dollars), volume. `attrs["notes"]` says what is absent,
            dropped, or served from the cache.

        Raises
        ------
        InputError
            Nothing to return: no network and no cache, no such symbol, or too long a range.
        """
        now = (now or datetime.now(UTC)).astimezone(UTC)
        notes: list[str] = []
        raw = self._cached_or_fetched(where, now, notes)
        frame = _with_closes(raw, _KINDS[self.bar], calendar, notes)
        frame = self._finished(frame, calendar, now, notes)
        if frame.empty:
            raise InputError(
                f"{self._name}: no finished bar between {self.start or 'the first'} and "
                f"{self.end or 'now'}; widen start and end"
            )
        frame = describe(
            frame,
            symbol=self.symbol,
            bar_minutes=float(_KINDS[self.bar].minutes),
            calendar=calendar,
            notes=notes,
            allow_nonpositive=self.allow_nonpositive,
        )
        return treat_no_volume(frame, self.no_volume, name=self._name)

    @property
    def _name(self) -> str:
        return f"yahoo {self.symbol} {self.bar}"

    def _cached_or_fetched(self, where: Locations, now: datetime, notes: list[str]) -> pd.DataFrame:
        """Return raw bars from the cache, the network or both, and keep what was fetched."""
        cache = Cache(where.cache)
        key = f"yahoo/{self.symbol}/{self.bar}/{'adjusted' if self.adjusted else 'unadjusted'}"
        kept = cache.load(key)
        notes.extend(cache.problems)
        kind, today = _KINDS[self.bar], now.date()
        reach = today - timedelta(days=kind.reach - 1) if kind.reach else _FIRST
        start, end = self.start or reach, min(self.end or date.max, today + timedelta(days=1))
        if kept and self._covers(kept[1], start, end):
            notes.append(f"from the cache of {kept[1].fetched_at:%Y-%m-%d %H:%M} UTC")
            return kept[0]
        if where.offline:
            return self._fall_back(kept, "offline", notes)
        try:
            raw, start, end = self._updated(kept, start, end, reach, where.cache)
        except DownloadError as error:
            return self._fall_back(kept, str(error), notes)
        parameters = {"start": str(start), "until": str(min(end, today))}
        versions = package_versions("yfinance", "pandas", "pyarrow")
        try:
            cache.store(key, raw, Provenance("yahoo", parameters, now, versions))
        except InputError as error:
            notes.append(str(error))
        return raw

    @staticmethod
    def _covers(provenance: Provenance, start: date, end: date) -> bool:
        known = provenance.parameters
        return bool(known["start"] <= str(start) and str(end) <= known["until"])

    def _updated(
        self,
        kept: tuple[pd.DataFrame, Provenance] | None,
        start: date,
        end: date,
        reach: date,
        folder: Path,
    ) -> tuple[pd.DataFrame, date, date]:
        """Return raw bars joined with the kept ones, and the dates that they now cover."""
        since = start
        if kept is not None and len(kept[0]):
            known = {k: date.fromisoformat(str(v)) for k, v in kept[1].parameters.items()}
            last = pd.Timestamp(kept[0].index[-1]).date()
            end = max(end, known["until"])
            if known["start"] <= start:
                start = known["start"]
                since = max(last - timedelta(days=_KINDS[self.bar].overlap), start, reach)
        if since < reach:
            raise InputError(
                f"{self._name}: start {since} is too far back, Yahoo keeps {self.bar} bars for "
                f"{_KINDS[self.bar].reach} days; give start: {reach} or later, or bar: 1day"
            )
        fresh = self._download(since, end, folder)
        if kept is None:
            return fresh, start, end
        merged = merge_overlap(kept[0], fresh, columns=["close"])
        if merged is not None:
            return merged, start, end
        # the kept prices were adjusted anew: fetch all that Yahoo still has
        start = max(start, reach)
        whole = fresh if since <= start else self._download(start, end, folder)
        return whole, start, end

    def _fall_back(
        self, kept: tuple[pd.DataFrame, Provenance] | None, reason: str, notes: list[str]
    ) -> pd.DataFrame:
        """Return the cached bars and say so, or refuse."""
        if kept is None:
            remedy = "run once with the network" if reason == "offline" else "try again later"
            raise InputError(f"{self._name}: {reason}, and nothing in the cache; {remedy}")
        why = "offline" if reason == "offline" else f"network failed: {reason}"
        notes.append(f"served from the cache of {kept[1].fetched_at:%Y-%m-%d %H:%M} UTC, {why}")
        return kept[0]

    def _download(self, start: date, end: date, folder: Path) -> pd.DataFrame:
        """Return raw bars of the sessions from `start` to the day before `end`."""
        interval = _KINDS[self.bar].interval
        return download_bars(self.symbol, interval, start, end, self.adjusted, folder)

    def _finished(
        self, frame: pd.DataFrame, calendar: str, now: datetime, notes: list[str]
    ) -> pd.DataFrame:
        """Return the whole, finished bars of the range asked for, and note what was lost."""
        zone = pd.DatetimeIndex(frame.index).tz
        dates = pd.DatetimeIndex(frame.index).tz_localize(None).normalize()
        inside = np.ones(len(frame), dtype=bool)
        if self.start is not None:
            inside &= dates >= pd.Timestamp(self.start)
        if self.end is not None:
            inside &= dates < pd.Timestamp(self.end)
        frame = frame[inside]
        running = frame.index > pd.Timestamp(now)
        zero = (frame[_PRICES] <= 0.0).any(axis=1).to_numpy() & ~running
        zero &= not self.allow_nonpositive
        blank = frame[_PRICES].isna().any(axis=1).to_numpy() & ~running & ~zero
        if running.any():
            notes.append(f"{running.sum()} bar(s) still running at the download, dropped")
        if blank.any():
            notes.append(f"{blank.sum()} bar(s) without prices, dropped")
        if zero.any():
            text = (
                f"{counted(int(zero.sum()), 'bar')} with a price of 0 or less left out, the first "
                f"of {frame.index[zero][0]:%Y-%m-%d}; where these are prices, set "
                "allow_nonpositive: true"
            )
            notes.append(Note(Severity.ASSUMPTION, "nonpositive-prices", text, self._name))
        if (splits := int((frame["split"].fillna(0) != 0).sum())) > 0:
            notes.append(
                f"{splits} split(s): Yahoo divides all earlier prices by them, strikes not"
            )
        frame = frame[~running & ~blank & ~zero].drop(columns="split")
        if len(frame):
            first = pd.Timestamp(self.start) if self.start else frame.index[0].tz_localize(None)
            until = pd.Timestamp(now).tz_convert(zone).tz_localize(None)
            last = min(pd.Timestamp(self.end) - pd.Timedelta(1) if self.end else until, until)
            closes = _closes(calendar, first, last)
            closes = closes[closes <= pd.Timestamp(now)]
            want = closes.tz_convert(zone).tz_localize(None).normalize()
            have = pd.DatetimeIndex(frame.index).tz_localize(None).normalize().unique()
            if len(absent := want.difference(have)):
                notes.append(
                    f"{len(absent)} of {len(want)} sessions of {calendar} absent, "
                    f"the first on {absent[0]:%Y-%m-%d}"
                )
        return frame


def _closes(calendar: str, first: pd.Timestamp, last: pd.Timestamp) -> pd.DatetimeIndex:
    """Return the closes, UTC, of the sessions from `first` to `last` (naive dates)."""
    days = calendar_sessions(calendar, first.year, last.year) + EPOCH
    span = (days >= first.toordinal()) & (days <= last.toordinal())
    return local_stamps(session_bounds(days[span], calendar)[1], calendar)


def _with_closes(raw: pd.DataFrame, kind: _Kind, calendar: str, notes: list[str]) -> pd.DataFrame:
    """Return the bars under their closes; a bar that reaches past the session's ends with it."""
    stamps = pd.DatetimeIndex(raw.index)
    margin = pd.Timedelta(days=5)
    first, last = (pd.Timestamp(t).tz_localize(None) for t in (stamps[0], stamps[-1]))
    closes = _closes(calendar, first - margin, last + margin)
    if kind.minutes < 1440:
        position = np.minimum(closes.searchsorted(stamps, side="right"), len(closes) - 1)
        until = stamps.tz_convert(closes.tz) + pd.Timedelta(minutes=kind.minutes)
        session_end = closes[position]
        cut = (session_end > stamps) & (session_end < until)
        index = until.where(~cut, session_end)
    else:
        dates = closes.tz_localize(None).normalize()
        usual = (closes.tz_localize(None) - dates).to_series().mode().iloc[0]
        known = stamps.isin(dates)
        if (~known).any():
            notes.append(f"{(~known).sum()} date(s) that {calendar} lacks, kept with usual hours")
        position = np.minimum(dates.searchsorted(stamps), len(dates) - 1)
        usual_close = (stamps + usual).tz_localize(closes.tz)
        index = usual_close.where(~known, closes[position])
    result = raw.set_axis(index.rename("close_time"), axis=0)
    return result[~result.index.duplicated(keep="last")]
