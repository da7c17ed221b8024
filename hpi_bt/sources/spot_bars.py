"""Bars of the underlying from the price that each snapshot of an option chain carries."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from hpi_bt.errors import InputError, Note, Severity
from hpi_bt.sources.bars import check_amounts
from hpi_bt.sources.base import Locations, Settings
from hpi_bt.sources.frame import describe
from hpi_bt.sources.hours import bar_closes, counted, local_stamps
from hpi_bt.sources.stamps import StampRules, local_times
from hpi_bt.sources.tables import header, load_table, match_columns, to_numbers


class SpotBarsSource(Settings):
    """The `spot` of chain snapshots (CSV or Parquet; ts, spot, many rows a moment) as bars."""

    kind: Literal["spot_bars"] = "spot_bars"
    path: str
    symbol: str = ""
    """Name on the charts; selects the rows of a `symbol` column, where there is one."""
    columns: dict[str, str] = Field({})
    """Our name of a column: its name in the file."""
    timezone: str | None = None
    """Zone of stamps that carry none."""
    stamp_format: str | None = None
    """Layout of stamps that are not ISO 8601."""
    bar_minutes: float = Field(15.0, gt=0, lt=1440)
    """Length of the bars made."""
    late_minutes: float = Field(0.0, ge=0, allow_inf_nan=False)
    """How much older the prices are than their stamps: each belongs that much earlier."""

    def read(self, where: Locations, calendar: str) -> pd.DataFrame:
        """Return bars of `bar_minutes` from each session's open, those with a snapshot alone.

        A bar of one snapshot has one price: open, high, low and close are the same, and an order
        that fills at the next bar's open fills at the next price seen. Spots that are no positive
        number are left out and counted. There is no volume.
        """
        path = where.find(self.path)
        names = header(path, self.path)
        places = match_columns(names, self.columns, ("spot", "symbol"), name=self.path, stamp="ts")
        if "spot" not in places:
            raise InputError(
                f"{self.path}: no column 'spot' (found: {', '.join(names)}); name it under columns"
            )
        select: dict[str, str | float] = (
            {places["symbol"]: self.symbol} if self.symbol and "symbol" in places else {}
        )
        theirs = [places["ts"], places["spot"]]
        table = load_table(path, theirs, places["ts"], select, name=self.path)
        price = to_numbers(table[places["spot"]], self.path)
        check_amounts(
            pd.DataFrame({"close": price}, index=table.index),
            name=self.path,
            cell=lambda place, _: f"row {table.index[place] + 1}, {places['spot']}",
        )
        lost = int((~(price > 0.0)).sum())
        table = table[price > 0.0]
        if table.empty:
            raise InputError(f"{self.path}: no row has a spot above 0; mend the file or columns")
        first = table.drop_duplicates(places["ts"])
        bars, notes = self._bars(first[places["ts"]], first[places["spot"]], calendar)
        if lost:
            text = f"{counted(lost, 'row')} without a spot above 0 left out"
            notes.append(Note(Severity.ASSUMPTION, "nonpositive-prices", text, self.path))
        return describe(
            bars,
            symbol=self.symbol or self.path,
            bar_minutes=self.bar_minutes,
            calendar=calendar,
            notes=notes,
        )

    def _bars(
        self, stamps: pd.Series, spots: pd.Series, calendar: str
    ) -> tuple[pd.DataFrame, list[str]]:
        rules = StampRules(self.path, self.timezone, stamp_format=self.stamp_format)
        at = local_times(stamps.rename("ts"), rules, calendar)
        seen = pd.Series(to_numbers(spots, self.path), index=at).sort_index(kind="stable")
        moments = pd.DatetimeIndex(seen.index) - pd.Timedelta(minutes=self.late_minutes)
        labels = bar_closes(moments, calendar, self.bar_minutes).asi8
        group = seen.groupby(np.asarray(labels))
        frame = pd.DataFrame(
            {"open": group.first(), "high": group.max(), "low": group.min(), "close": group.last()}
        )
        frame.index = local_stamps(frame.index.to_numpy(dtype=np.int64), calendar)
        one = int((group.size() == 1).sum())
        notes = [f"{self.path} has no volume"]
        if one:
            notes.append(
                f"{counted(one, 'bar')} of {len(frame)} of one price: fills are at the next price "
                "seen, ranges and stops see nothing in between"
            )
        if self.late_minutes:
            notes.append(f"prices taken to be {self.late_minutes:g} minutes older than the stamps")
        return frame, notes
