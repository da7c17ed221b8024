"""Bars from files: CSV (also compressed) and Parquet."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import Field

from hpi_bt.errors import InputError
from hpi_bt.sources.base import Locations, Settings
from hpi_bt.sources.frame import (
    OI_COLUMNS,
    PRICE_COLUMNS,
    VOLUME_COLUMNS,
    BadBars,
    check_stamps,
    describe,
    repair_bars,
)
from hpi_bt.sources.hours import add_notes
from hpi_bt.sources.stamps import StampRules, close_stamps
from hpi_bt.sources.tables import (
    COMPRESSED,
    STAMP,
    finite_numbers,
    header,
    load_table,
    match_columns,
)

_KNOWN = (*PRICE_COLUMNS, *VOLUME_COLUMNS, *OI_COLUMNS)


class FileSource(Settings):
    """What CSV and Parquet files have in common."""

    path: str
    symbol: str = ""
    """Name on the charts; the file's name by default."""
    columns: dict[str, str] = Field({})
    """Our name of a column: its name in the file; the stamps are `datetime`."""
    timezone: str | None = None
    """Zone of stamps that carry none, such as America/New_York."""
    bar_label: Literal["open", "close"] | None = None
    """Which end of an intraday bar its stamp marks."""
    bar_minutes: float | None = Field(None, gt=0)
    """Length of an intraday bar; 1440 where stamps are dates."""
    stamp_format: str | None = None
    """Layout of stamps that are not ISO 8601, as strptime writes it (%m/%d/%Y)."""
    select: dict[str, str | float] = Field({})
    """Keep only the rows whose column has this value (symbol: SPY)."""
    bad_bars: BadBars = "refuse"
    """Bars that are blank or contradict themselves: refuse, drop, or widen high and low."""
    sort: bool = False
    """Sort rows that are not oldest first."""

    def read(self, where: Locations, calendar: str) -> pd.DataFrame:
        """Return the bars: prices, volume and what else is known or named, without hours."""
        frame = self._load(where, calendar, (*_KNOWN, *self.columns))
        frame = repair_bars(frame, self.bad_bars, name=self.path)
        if "volume" not in frame.columns:
            frame = add_notes(frame, f"{self.path} has no volume")
        names = [c for c in (*PRICE_COLUMNS, "volume") if c in frame.columns]
        return frame[list(dict.fromkeys((*names, *frame.columns)))]

    def read_columns(self, where: Locations, calendar: str) -> pd.DataFrame:
        """Return the named columns alone or, if none is named, put and call volume and OI.

        Prices are not wanted. The index holds the closes of the rows' bars.
        """
        named = [c for c in self.columns if c != STAMP]
        frame = self._load(where, calendar, named or (*VOLUME_COLUMNS[1:], *OI_COLUMNS))
        if frame.columns.empty:
            raise InputError(f"{self.path}: no column to join; name them under columns")
        return frame

    def _load(self, where: Locations, calendar: str, wanted: Iterable[str]) -> pd.DataFrame:
        path = where.find(self.path)
        places = match_columns(header(path, self.path), self.columns, wanted, name=self.path)
        stamp = places.pop(STAMP)
        table = load_table(path, [stamp, *places.values()], stamp, self.select, name=self.path)
        index, minutes = close_stamps(table[stamp], self._rules(), calendar)
        data = {ours: finite_numbers(table[theirs], self.path) for ours, theirs in places.items()}
        frame = pd.DataFrame(data, index=index)
        if self.sort:
            frame = frame.sort_index(kind="stable")
        check_stamps(frame.index, name=self.path)
        symbol = self.symbol or _stem(path)
        return describe(frame, symbol=symbol, bar_minutes=minutes, calendar=calendar)

    def _rules(self) -> StampRules:
        return StampRules(
            self.path, self.timezone, self.bar_label, self.bar_minutes, self.stamp_format
        )


class CsvSource(FileSource):
    """A CSV file, plain or compressed."""

    kind: Literal["csv"] = "csv"


class ParquetSource(FileSource):
    """A Parquet file."""

    kind: Literal["parquet"] = "parquet"


def _stem(path: Path) -> str:
    plain = path.with_suffix("") if path.suffix.lower() in COMPRESSED else path
    return plain.stem
