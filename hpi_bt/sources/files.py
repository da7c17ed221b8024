"""Bars from files: CSV (also compressed) and Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field

from hpi_bt.arrays import IntArray
from hpi_bt.errors import InputError, Note, Severity
from hpi_bt.sources.bars import (
    OI_COLUMNS,
    PRICE_COLUMNS,
    VOLUME_COLUMNS,
    BadBars,
    check_amounts,
    repair_bars,
)
from hpi_bt.sources.base import Locations, Settings
from hpi_bt.sources.closes import DAILY, close_stamps
from hpi_bt.sources.frame import check_stamps, describe
from hpi_bt.sources.hours import add_notes
from hpi_bt.sources.no_volume import NoVolume, treat_no_volume
from hpi_bt.sources.numbers import doubtful_comma
from hpi_bt.sources.stamps import StampRules
from hpi_bt.sources.tables import (
    COMPRESSED,
    STAMP,
    header,
    load_table,
    match_columns,
    to_numbers,
)

_KNOWN = (*PRICE_COLUMNS, *VOLUME_COLUMNS, *OI_COLUMNS)
_ADJUSTED = ("adjclose", "adjustedclose", "closeadjusted")
_SAME = 1e-6  # relative: rounding of a column that is adjusted by nothing


class _Loaded(NamedTuple):
    """Rows of a file; our names of its columns, and the number of each row in the file."""

    frame: pd.DataFrame
    places: Mapping[str, str]
    rows: IntArray

    def cell(self, place: int, column: str) -> str:
        """Return what names a cell as the file does."""
        return f"row {self.rows[place]}, {self.places[column]}"


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
    """Which end of a bar its stamp marks, whatever its length: intraday, daily with a time of day,
    weekly, monthly. Dates of daily bars are sessions and need none."""
    bar_minutes: float | None = Field(None, gt=0)
    """Length of an intraday bar; 1440 where stamps are dates, 10080 for weeks."""
    bar: Literal["1d", "1w", "1mo"] | None = None
    """Length of bars of a day, a week or a month, instead of bar_minutes. With bar_label: open
    they are known at the close of their last session."""
    stamp_format: str | None = None
    """Layout of stamps that are not ISO 8601, as strptime writes it (%m/%d/%Y); where it is given,
    digits such as 2024010210 are no Unix time. %Z at its end reads a zone such as US/Eastern."""
    select: dict[str, str | float] = Field({})
    """Keep only the rows whose column has this value (symbol: SPY)."""
    bad_bars: BadBars = "refuse"
    """Bars that are blank or contradict themselves: refuse, drop, or widen high and low."""
    allow_nonpositive: bool = False
    """Prices of 0 or less are prices (crude oil on 2020-04-20); else such a cell is blank."""
    no_volume: NoVolume = "keep"
    """Bars without volume in a market that has volume: keep, drop or refuse."""
    sort: bool = False
    """Sort rows that are not oldest first."""

    def read(self, where: Locations, calendar: str) -> pd.DataFrame:
        """Return the bars: prices, volume and what else is known or named, without hours."""
        wanted = (*_KNOWN, *_ADJUSTED, *self.columns)
        made = self._load(where, calendar, wanted, joined=False)
        frame = self._without_adjusted(made)
        frame = repair_bars(frame, self.bad_bars, name=self.path, cell=made.cell)
        frame = treat_no_volume(frame, self.no_volume, name=self.path)
        if "volume" not in frame.columns:
            frame = add_notes(frame, f"{self.path} has no volume")
        names = [c for c in (*PRICE_COLUMNS, "volume") if c in frame.columns]
        return frame[list(dict.fromkeys((*names, *frame.columns)))]

    def read_columns(self, where: Locations, calendar: str) -> pd.DataFrame:
        """Return the named columns alone or, if none is named, put and call volume and OI.

        Prices are not wanted. The index holds the closes of the rows' bars.
        """
        named = [c for c in self.columns if c != STAMP]
        wanted = named or (*VOLUME_COLUMNS[1:], *OI_COLUMNS)
        made = self._load(where, calendar, wanted, joined=True)
        if made.frame.columns.empty:
            raise InputError(f"{self.path}: no column to join; name them under columns")
        return made.frame

    def _without_adjusted(self, made: _Loaded) -> pd.DataFrame:
        """Return the rows without adjusted closes that no setting asks for; note them."""
        unused = [c for c in _ADJUSTED if c in made.frame and c not in self.columns]
        frame = made.frame.drop(columns=unused)
        for column in unused if "close" in frame else ():
            close, adjusted = frame["close"].to_numpy(), made.frame[column].to_numpy()
            if (np.abs(adjusted - close) > _SAME * np.abs(close)).any():
                text = (
                    f"{made.places[column]!r} is there and not used: prices are as traded, so "
                    "that dividends, and splits if they are in it, are gaps"
                )
                note = Note(Severity.ASSUMPTION, "adjusted-close-unused", text, self.path)
                frame = add_notes(frame, note)
        return frame

    def _load(
        self, where: Locations, calendar: str, wanted: Iterable[str], *, joined: bool
    ) -> _Loaded:
        path = where.find(self.path)
        places = match_columns(header(path, self.path), self.columns, wanted, name=self.path)
        stamp = places.pop(STAMP)
        table = load_table(path, [stamp, *places.values()], stamp, self.select, name=self.path)
        bars = close_stamps(table[stamp], self._rules(), calendar, joined=joined)
        data = {ours: to_numbers(table[theirs], self.path) for ours, theirs in places.items()}
        prices = [theirs for ours, theirs in places.items() if ours in PRICE_COLUMNS]
        commas = filter(None, (doubtful_comma(table[column]) for column in prices))
        frame, rows = pd.DataFrame(data, index=bars.closes), np.asarray(table.index) + 1
        if self.sort:
            order = np.argsort(bars.closes.asi8, kind="stable")
            frame, rows = frame.iloc[order], rows[order]
        check_stamps(frame.index, name=self.path)
        frame = describe(
            frame,
            symbol=self.symbol or _stem(path),
            bar_minutes=bars.minutes,
            calendar=calendar,
            notes=bars.notes,
            allow_nonpositive=self.allow_nonpositive,
        )
        frame = add_notes(frame, *(_thousands(cell, self.path) for cell in islice(commas, 1)))
        if bars.minutes < DAILY:
            frame.attrs |= {"timezone": bars.timezone, "bar_label": self.bar_label}
        made = _Loaded(frame, places, rows)
        check_amounts(frame, name=self.path, cell=made.cell)
        return made

    def _rules(self) -> StampRules:
        return StampRules(
            self.path,
            self.timezone,
            self.bar_label,
            self.bar_minutes,
            self.stamp_format,
            self.bar,
        )


def _thousands(cell: str, name: str) -> Note:
    text = (
        f"prices such as {cell} are read with a comma of thousands ({cell.replace(',', '')}); "
        "where it is a decimal comma, write points in the file"
    )
    return Note(Severity.ASSUMPTION, "comma-of-thousands", text, name)


class CsvSource(FileSource):
    """A CSV file, plain or compressed."""

    kind: Literal["csv"] = "csv"


class ParquetSource(FileSource):
    """A Parquet file."""

    kind: Literal["parquet"] = "parquet"


def _stem(path: Path) -> str:
    plain = path.with_suffix("") if path.suffix.lower() in COMPRESSED else path
    return plain.stem
