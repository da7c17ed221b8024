"""Option chains from the files users have: CBOE, Yahoo, plain tables; one moment or many."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import pandas as pd

from hpi_bt.errors import InputError, Note, Severity, did_you_mean
from hpi_bt.sources.archives import opened
from hpi_bt.sources.base import Locations
from hpi_bt.sources.chain_cboe import cboe_csv, is_cboe_csv
from hpi_bt.sources.chain_cboe_json import cboe_json
from hpi_bt.sources.chain_cleaning import CleaningReport
from hpi_bt.sources.chain_file import (
    ChainFile,
    Given,
    Moment,
    RawChain,
    Unit,
    finished,
    moment_of,
)
from hpi_bt.sources.chain_foreign import refuse_foreign_layout
from hpi_bt.sources.chain_json import is_cboe, json_snapshots, parsed_json
from hpi_bt.sources.chain_text import read_text
from hpi_bt.sources.chain_tidy import Snapshots, is_profile, profile_snapshots, tidy_snapshots
from hpi_bt.sources.chain_yahoo import chain_of_yfinance, fetch_chain, is_yahoo, yahoo_snapshots
from hpi_bt.sources.gatherings import GATHER
from hpi_bt.sources.hours import calendar_zone, counted, session_close_stamps
from hpi_bt.sources.stamps import zone_named
from hpi_bt.sources.tables import header

__all__ = [
    "ChainFile",
    "ChainSeries",
    "CleaningReport",
    "chain_of_yfinance",
    "fetch_chain",
    "open_chains",
    "read_chain",
]

Kind: TypeAlias = Literal["auto", "cboe_csv", "cboe_json", "json", "yahoo", "tidy", "profile"]
KINDS = ("auto", "cboe_csv", "cboe_json", "json", "yahoo", "tidy", "profile")

_HEAD = 4096  # bytes that tell the layout


@dataclass(frozen=True)
class ChainSeries:
    """The chains of a file, oldest first; read one by one.

    Parameters
    ----------
    moments : DatetimeIndex
        When each snapshot was published, with its zone; empty where the file does not say.
    """

    moments: pd.DatetimeIndex
    _source: RawChain | Snapshots
    _given: Given

    def __len__(self) -> int:
        return 1 if isinstance(self._source, RawChain) else len(self._source)

    def __iter__(self) -> Iterator[ChainFile]:
        return (self.chain(i) for i in range(len(self)))

    def chain(self, place: int) -> ChainFile:
        """Return the chain of one snapshot, by its place in `moments`, as of its quotes."""
        if isinstance(self._source, RawChain):
            return finished(self._source, self._given)
        return finished(self._source.raw(place, self._given), self._given)

    def place_at(self, moment: pd.Timestamp) -> int:
        """Return the place of the last snapshot published at or before a moment.

        A snapshot whose date alone is known counts as published on that date.

        Raises
        ------
        InputError
            The first one is later.
        """
        dated = isinstance(self._source, Snapshots) and self._source.dated
        until = max(moment, _session_close(moment, self._given.calendar)) if dated else moment
        place = int(self.moments.searchsorted(until, side="right")) - 1
        if place < 0:
            first = self.moments[0].tz_convert(moment.tz)
            raise InputError(
                f"no snapshot at or before {moment:%Y-%m-%d %H:%M %Z}; the first is of "
                f"{first:%Y-%m-%d %H:%M %Z}",
                where=self._source.name,
                remedy="give a later `as_of`",
            )
        return place


def _session_close(moment: pd.Timestamp, calendar: str) -> pd.Timestamp:
    """Return the close of the session on a moment's date at the exchange."""
    day = moment.tz_convert(calendar_zone(calendar)).tz_localize(None).normalize()
    return pd.Timestamp(session_close_stamps(pd.DatetimeIndex([day]), calendar)[0])


def read_chain(
    path: str | Path,
    *,
    where: Locations | None = None,
    kind: Kind = "auto",
    as_of: Moment | None = None,
    spot: float | Literal["parity"] | None = None,
    symbol: str | None = None,
    timezone: str | None = None,
    rate: float = 0.0,
    dividend: float = 0.0,
    multiplier: float | None = None,
    columns: Mapping[str, str] | None = None,
    calendar: str = "XNYS",
    expiry_at: str | None = None,
    stale_days: float | None = None,
    stamp_format: str | None = None,
    unit: Unit | None = None,
    gather: float = GATHER,
) -> ChainFile:
    """Return an option chain from a file, cleaned, and what was found in it.

    Parameters
    ----------
    path : str or Path
        CBOE's quote table (CSV) or delayed quotes (JSON), a saved Yahoo chain, a dollar-gamma
        profile, or a plain table (CSV, also compressed, or Parquet).
    where : Locations, optional
        Folders that are searched for a relative path.
    kind : str, default="auto"
        Layout: cboe_csv, cboe_json, json (a list of contracts), yahoo, tidy or profile; by default
        what the file shows.
    as_of : str, date or datetime, optional
        Moment of the chain; goes before what the file says. In a file of many moments the last
        one at or before it is read. A bare date is the close of that session.
    spot : float or "parity", optional
        Price of the underlying; goes before what the file says. "parity" takes it from calls and
        puts of the nearest expiry.
    symbol : str, optional
        Underlying; selects rows of a plain table that holds several.
    timezone : str, optional
        Zone of stamps that name none; New York in the layouts of CBOE and Yahoo.
    rate, dividend : float, default=0
        Continuous, per year.
    multiplier : float, optional
        Units of the underlying per unit of open interest: 100 by default, 1 where a feed counts
        shares. A chain of adjusted contracts alone (XOM2) needs it.
    columns : mapping of str to str, optional
        Our name of a column: its name in the file.
    calendar : str, default="XNYS"
        Exchange calendar of expiries and sessions (XBOM for NSE).
    expiry_at : str, optional
        Time of expiry where it is not the session's close.
    stale_days : float, optional
        Quotes whose last trade is older are stale; else those without a trade in the session.
    stamp_format : str, optional
        Layout of stamps and expiries that the file does not show by itself (%d/%m/%Y).
    unit : {"coin_prices", "strike_thousandths"}, optional
        What strikes and prices are written in, where it is not the money of spot: bids, asks and
        last prices in units of the underlying, or strikes times 1,000. They are converted.
    gather : float, default=5
        Minutes within which stamps of different contracts are one snapshot, known at the newest.

    Returns
    -------
    ChainFile
        `chain`, with expired contracts still in it (`chain.live()` is without), and `report`.

    Raises
    ------
    InputError
        The file is no chain, is broken, or does not say moment or spot and nor does the caller.
    """
    given = Given(
        as_of, spot, symbol, timezone, rate, dividend, multiplier, calendar, expiry_at, stale_days,
        0.0, stamp_format, unit, gather,
    )  # fmt: skip
    series = _opened(path, where or Locations(), kind, given, dict(columns or {}))
    if isinstance(series, RawChain):
        return finished(series, given)
    return _chosen(series, given)


def open_chains(
    path: str | Path,
    *,
    where: Locations | None = None,
    kind: Kind = "auto",
    spot: float | Literal["parity"] | None = None,
    symbol: str | None = None,
    timezone: str | None = None,
    rate: float = 0.0,
    dividend: float = 0.0,
    multiplier: float | None = None,
    columns: Mapping[str, str] | None = None,
    calendar: str = "XNYS",
    expiry_at: str | None = None,
    stale_days: float | None = None,
    late_minutes: float = 0.0,
    stamp_format: str | None = None,
    unit: Unit | None = None,
    gather: float = GATHER,
) -> ChainSeries:
    """Return all chains of a file, to be read one by one; parameters as for `read_chain`.

    With `late_minutes` the quotes are that much older than the stamps, and each chain is as of its
    quotes.

    Raises
    ------
    InputError
        As `read_chain`; a snapshot that makes no chain raises when it is read.
    """
    given = Given(
        None, spot, symbol, timezone, rate, dividend, multiplier, calendar, expiry_at, stale_days,
        late_minutes, stamp_format, unit, gather,
    )  # fmt: skip
    opened = _opened(path, where or Locations(), kind, given, dict(columns or {}))
    if isinstance(opened, Snapshots) and len(opened.moments):
        return ChainSeries(opened.moments, opened, given)
    moment = opened.own[0] if isinstance(opened, Snapshots) else opened.moment
    stamps = [] if moment is None else [moment.tz_convert("UTC")]
    moments = pd.DatetimeIndex(stamps, dtype="datetime64[ns, UTC]", name="ts")
    return ChainSeries(moments, opened, given)


def _chosen(snapshots: Snapshots, given: Given) -> ChainFile:
    """Return the chain at the moment given, or the last one."""
    if not len(snapshots.moments):
        return finished(snapshots.raw(0, given), given)
    series = ChainSeries(snapshots.moments, snapshots, given)
    place = len(snapshots) - 1
    if given.as_of is not None:
        zone = given.timezone or snapshots.zone
        place = series.place_at(moment_of(given.as_of, zone, given.calendar, snapshots.name))
    raw = snapshots.raw(place, given)
    if len(snapshots) > 1:
        stamps = snapshots.moments.tz_convert(None if raw.moment is None else raw.moment.tz)
        text = (
            f"snapshot {place + 1} of {counted(len(stamps), 'snapshot')} from "
            f"{stamps[0]:%Y-%m-%d %H:%M} to {stamps[-1]:%Y-%m-%d %H:%M %Z}; `as_of` chooses another"
        )
        note = Note(Severity.INFO, "one-of-many", text)
        raw = raw._replace(notes=(note, *raw.notes))
    return finished(raw, given)


def _opened(
    path: str | Path, where: Locations, kind: Kind, given: Given, columns: dict[str, str]
) -> RawChain | Snapshots:
    if kind not in KINDS:
        raise InputError(f"{kind!r}{did_you_mean(kind, KINDS)}", field="kind", remedy="choose one")
    found, name = where.find(path), Path(path).name
    if given.timezone:
        zone_named(given.timezone, name)
    kind = _layout(found, name) if kind == "auto" else kind
    if kind == "profile" and given.unit:
        raise InputError(
            "is no setting of a profile", where=name, field="unit", remedy="leave it out"
        )
    if kind == "cboe_csv":
        _refuse_unused(given, columns, name)
        return cboe_csv(read_text(found, name), given, name=name)
    if kind in ("json", "cboe_json"):
        answer = parsed_json(read_text(found, name), name)
        if kind == "json" and not is_cboe(answer):
            return json_snapshots(answer, given, name=name, columns=columns)
        _refuse_unused(given, columns, name)
        return cboe_json(answer, given, name=name)
    if kind == "yahoo":
        return yahoo_snapshots(found, given, name=name, columns=columns)
    if kind == "profile":
        return profile_snapshots(found, given, name=name, columns=columns)
    return tidy_snapshots(found, given, name=name, columns=columns)


def _refuse_unused(given: Given, columns: dict[str, str], name: str) -> None:
    """Refuse settings that have no meaning in the layouts of CBOE."""
    said = {"columns": columns, "unit": given.unit, "stamp_format": given.stamp_format}
    for setting, value in said.items():
        if value:
            raise InputError(
                "is no setting of CBOE's layouts", where=name, field=setting, remedy="leave it out"
            )


def _layout(path: Path, name: str) -> Kind:
    with opened(path, name) as file:
        head = file.read(_HEAD)
    text = head.decode("utf-8-sig", errors="replace")
    if re.match(r"\s*(\{|\[\s*([\[{\]\"\d-]|null|true|false))", text):
        return "json"
    if is_cboe_csv(text):
        return "cboe_csv"
    if not text.strip():
        read_text(path, name)
    refuse_foreign_layout(text, name)
    names = header(path, name)
    if len(names) == 1 and (mark := next((m for m in (";", "\t", "|") if m in names[0]), "")):
        raise InputError(
            f"its columns are separated by {mark!r}; wanted commas, and decimal points",
            where=name,
            remedy="save it as such a CSV",
        )
    if is_yahoo(names):
        return "yahoo"
    return "profile" if is_profile(names) else "tidy"
