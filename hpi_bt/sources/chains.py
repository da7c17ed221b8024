"""Option chains from the files users have: CBOE, Yahoo, plain tables; one moment or many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import pandas as pd

from hpi_bt.errors import InputError
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
    finished,
    moment_of,
    read_text,
)
from hpi_bt.sources.chain_tidy import Snapshots, is_profile, profile_snapshots, tidy_snapshots
from hpi_bt.sources.chain_yahoo import chain_of_yfinance, fetch_chain, is_yahoo, yahoo_table
from hpi_bt.sources.hours import counted
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

Kind: TypeAlias = Literal["auto", "cboe_csv", "cboe_json", "yahoo", "tidy", "profile"]
KINDS = ("auto", "cboe_csv", "cboe_json", "yahoo", "tidy", "profile")

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

        Raises
        ------
        InputError
            The first one is later.
        """
        place = int(self.moments.searchsorted(moment, side="right")) - 1
        if place < 0:
            raise InputError(
                f"{self._source.name}: no snapshot at or before {moment:%Y-%m-%d %H:%M %Z}; "
                f"the first is of {self.moments[0]:%Y-%m-%d %H:%M %Z}, mend as_of"
            )
        return place


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
    multiplier: float = 100.0,
    columns: Mapping[str, str] | None = None,
    calendar: str = "XNYS",
    expiry_at: str | None = None,
    stale_days: float | None = None,
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
        Layout: cboe_csv, cboe_json, yahoo, tidy or profile; by default what the file shows.
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
    multiplier : float, default=100
        Units of the underlying per unit of open interest (1 where a feed counts shares).
    columns : mapping of str to str, optional
        Our name of a column: its name in the file.
    calendar : str, default="XNYS"
        Exchange calendar of expiries and sessions (XBOM for NSE).
    expiry_at : str, optional
        Time of expiry where it is not the session's close.
    stale_days : float, optional
        Quotes whose last trade is older are stale; else those without a trade in the session.

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
        as_of, spot, symbol, timezone, rate, dividend, multiplier, calendar, expiry_at, stale_days
    )
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
    multiplier: float = 100.0,
    columns: Mapping[str, str] | None = None,
    calendar: str = "XNYS",
    expiry_at: str | None = None,
    stale_days: float | None = None,
    late_minutes: float = 0.0,
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
        late_minutes,
    )  # fmt: skip
    opened = _opened(path, where or Locations(), kind, given, dict(columns or {}))
    if isinstance(opened, Snapshots):
        return ChainSeries(opened.moments, opened, given)
    stamps = [] if opened.moment is None else [opened.moment.tz_convert("UTC")]
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
        note = (
            f"snapshot {place + 1} of {counted(len(stamps), 'snapshot')} from "
            f"{stamps[0]:%Y-%m-%d %H:%M} to {stamps[-1]:%Y-%m-%d %H:%M %Z}; give as_of for another"
        )
        raw = raw._replace(notes=(note, *raw.notes))
    return finished(raw, given)


def _opened(
    path: str | Path, where: Locations, kind: Kind, given: Given, columns: dict[str, str]
) -> RawChain | Snapshots:
    if kind not in KINDS:
        raise InputError(f"kind: {kind!r} is none; wanted {', '.join(KINDS)}")
    found, name = where.find(path), Path(path).name
    if given.timezone:
        zone_named(given.timezone, name)
    kind = _layout(found, name) if kind == "auto" else kind
    if kind in ("cboe_csv", "cboe_json") and columns:
        raise InputError(f"{name}: columns do not apply to CBOE's layout; leave them out")
    if kind == "cboe_csv":
        return cboe_csv(read_text(found, name), given, name=name)
    if kind == "cboe_json":
        return cboe_json(read_text(found, name), given, name=name)
    if kind == "yahoo":
        return yahoo_table(found, given, name=name, columns=columns)
    if kind == "profile":
        return profile_snapshots(found, given, name=name, columns=columns)
    return tidy_snapshots(found, given, name=name, columns=columns)


def _layout(path: Path, name: str) -> Kind:
    with opened(path, name) as file:
        head = file.read(_HEAD)
    text = head.decode("utf-8-sig", errors="replace")
    if text.lstrip()[:1] == "{":
        return "cboe_json"
    if is_cboe_csv(text):
        return "cboe_csv"
    if not text.strip():
        read_text(path, name)
    names = header(path, name)
    if len(names) == 1 and (mark := next((m for m in (";", "\t", "|") if m in names[0]), "")):
        raise InputError(
            f"{name}: its columns are separated by {mark!r}; wanted commas, and decimal points: "
            "save it as such a CSV"
        )
    if is_yahoo(names):
        return "yahoo"
    return "profile" if is_profile(names) else "tidy"
