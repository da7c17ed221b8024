"""Bars from snapshots of a whole option chain: put and call flow, opening open interest, price.

Each snapshot lists every contract with its volume since the session's open. The increments of
that volume are the flow of the bar in which they were seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.errors import InputError
from hpi_bt.sources.bars import check_amounts
from hpi_bt.sources.base import Locations, Settings
from hpi_bt.sources.frame import describe
from hpi_bt.sources.hours import counted, session_bounds, session_ordinals
from hpi_bt.sources.snapshots import (
    PricedSnapshots,
    SnapshotChain,
    first_per_group,
    increments,
    note_late,
    parity_forward,
    snapshot_bars,
)
from hpi_bt.sources.stamps import StampRules, local_times, parse_stamps
from hpi_bt.sources.tables import header, load_table, match_columns, to_numbers

_NEEDED = ("strike", "right", "cum_volume", "open_interest")
_PRICES = ("spot", "last")
_DAY = 86_400 * 10**9  # nanoseconds
_READING = ("path", "symbol", "columns", "timezone", "stamp_format")  # what the rows depend on


class OptionSnapshotsSource(Settings):
    """Snapshots of an option chain (CSV or Parquet) as bars with put and call flow.

    Columns: ts, expiry (optional), strike, right (C/P), cum_volume since the open,
    open_interest, and spot or last (the options' own prices) or both; iv (decimals) for features.
    """

    kind: Literal["option_snapshots"] = "option_snapshots"
    path: str
    symbol: str = ""
    """Selects the rows of a `symbol` column, where there is one."""
    columns: dict[str, str] = Field({})
    """Our name of a column: its name in the file."""
    timezone: str | None = None
    """Zone of stamps that carry none."""
    stamp_format: str | None = None
    """Layout of stamps that are not ISO 8601."""
    bar_minutes: float = Field(5.0, gt=0, lt=1440)
    """Length of the bars made."""
    lot_size: float = Field(1.0, gt=0)
    """Units of cum_volume and open_interest per contract, where a feed counts shares."""

    def read(self, where: Locations, calendar: str) -> pd.DataFrame:
        """Return bars of `bar_minutes` from each session's open, those with a snapshot alone.

        put_volume and call_volume are what was first seen traded in the bar; the first snapshot
        of a session brings all that was traded since the open. A contract's volume never falls:
        steps back are ignored until they are made up for. put_oi and call_oi are those of the
        session's first snapshot, all session long. Price is `spot` or, where a snapshot has
        none, the forward of put-call parity. Snapshots up to the open are left out (they may
        still show the day before); those after the close make bars after the close.
        """
        found = self.snapshots(where, calendar)
        flow, notes = found.flow / self.lot_size, found.notes
        frame = snapshot_bars(found.chain, found.price, flow, calendar, self.bar_minutes)
        frame[["put_oi", "call_oi"]] /= self.lot_size
        return describe(
            frame,
            symbol=self.symbol or self.path,
            bar_minutes=self.bar_minutes,
            calendar=calendar,
            notes=notes,
        )

    def snapshots(self, where: Locations, calendar: str) -> PricedSnapshots:
        """Return every row after the open, in the file's units; a file is read once a process.

        The arrays must not be changed in place.
        """
        path, settings = where.find(self.path), self.model_dump_json(include=set(_READING))
        stat = path.stat()
        return _read_once(settings, path, stat.st_mtime_ns, stat.st_size, calendar)

    def _snapshots(self, path: Path, calendar: str) -> PricedSnapshots:
        (chain, symbol), notes = self._chain(path, calendar), list[str]()
        opens, _, _ = session_bounds(chain.session, calendar)
        chain = chain.where(chain.moment > opens)
        if len(opens) > len(chain.moment):
            notes.append(
                f"{counted(len(opens) - len(chain.moment), 'row')} up to the open left out"
            )
        chain, price = self._priced(chain, notes)
        flow = increments(chain, notes)
        note_late(chain, calendar, notes)
        return PricedSnapshots(chain, price, flow, tuple(notes), symbol)

    def _chain(self, path: Path, calendar: str) -> tuple[SnapshotChain, str]:
        """Return the rows and the symbol that they are of, "" where the file does not say."""
        names = header(path, self.path)
        wanted = dict.fromkeys((*_NEEDED, *_PRICES, "expiry", "symbol", "iv"))
        places = match_columns(names, self.columns, wanted, name=self.path, stamp="ts")
        lacking = [c for c in _NEEDED if c not in places]
        if lacking or not places.keys() & set(_PRICES):
            missing = repr(lacking[0]) if lacking else "'spot' or 'last'"
            raise InputError(
                f"{self.path}: no column {missing} (found: {', '.join(names)}); "
                "name it under columns"
            )
        select: dict[str, str | float] = (
            {places["symbol"]: self.symbol} if self.symbol and "symbol" in places else {}
        )
        table = load_table(path, list(places.values()), places["ts"], select, name=self.path)
        found = table[places["symbol"]].unique() if "symbol" in places else np.array([""])
        if len(found) > 1:
            raise InputError(
                f"{self.path}: holds {', '.join(map(str, found[:10]))}; wanted one, set symbol"
            )
        rules = StampRules(self.path, self.timezone, stamp_format=self.stamp_format)
        table = table.rename(columns={v: k for k, v in places.items()})
        return _parsed(table, rules, calendar, places), str(found[0])

    def _priced(self, chain: SnapshotChain, notes: list[str]) -> tuple[SnapshotChain, FloatArray]:
        """Return the rows of snapshots with a price, and that price; each (n_rows,)."""
        moments, place = np.unique(chain.moment, return_inverse=True)
        price = first_per_group(place, chain.spot, len(moments))
        blank = np.isnan(price)
        if blank.any():
            price = np.where(blank, parity_forward(chain, place, len(moments)), price)
            found = int((blank & ~np.isnan(price)).sum())
            if found:
                which = counted(found, "snapshot")
                notes.append(f"{which} without spot priced by put-call parity")
        lost = ~(price > 0.0)
        if lost.all():
            raise InputError(
                f"{self.path}: no snapshot has a spot, or a call and a put of one strike with a "
                "last price, during the session; check timezone, calendar and columns"
            )
        if lost.any():
            notes.append(f"{counted(int(lost.sum()), 'snapshot')} without any price left out")
        keep = ~lost[place]
        return chain.where(keep), price[place][keep]


def _parsed(
    table: pd.DataFrame, rules: StampRules, calendar: str, places: Mapping[str, str]
) -> SnapshotChain:
    codes, moments = pd.factorize(table["ts"])
    first = pd.Series(moments, name="ts")
    stamps = local_times(first, rules, calendar)
    at = np.asarray(stamps.asi8)[codes]
    session = session_ordinals(stamps, calendar)[codes]
    expiry = np.zeros(len(table), dtype=np.int64)
    expires = np.full(len(table), -1)
    if "expiry" in table:
        expiry, expires = _expiries(table["expiry"], rules)
    strike, right = to_numbers(table["strike"], rules.name), _rights(table["right"], rules.name)
    strikes, _ = pd.factorize(strike)
    contract = (expiry * (strikes.max() + 1) + strikes) * 2 + (right > 0)
    blank = np.full(len(table), np.nan)
    columns = [
        to_numbers(table[c], rules.name) if c in table else blank
        for c in ("cum_volume", "open_interest", "spot", "last", "iv")
    ]
    _check_amounts(table, columns, rules.name, places)
    columns[2:] = [np.where(c > 0, c, np.nan) for c in columns[2:]]
    chain = SnapshotChain(at, session, contract, expiry, expires, strike, right, *columns)
    order = np.argsort(at, kind="stable")
    return chain.where(order)


def _check_amounts(
    table: pd.DataFrame, columns: list[FloatArray], name: str, places: Mapping[str, str]
) -> None:
    """Refuse volume and open interest below 0, and infinite or absurd numbers."""
    ours = {"volume": "cum_volume", "openinterest": "open_interest", "close": "spot"}
    amounts = dict(zip(ours, columns, strict=False))
    check_amounts(
        pd.DataFrame(amounts, index=table.index),
        name=name,
        cell=lambda place, c: f"row {table.index[place] + 1}, {places[ours[c]]}",
    )


@lru_cache(maxsize=2)
def _read_once(
    settings: str, path: Path, _changed: int, _size: int, calendar: str
) -> PricedSnapshots:
    return OptionSnapshotsSource.model_validate_json(settings)._snapshots(path, calendar)


def _expiries(values: pd.Series, rules: StampRules) -> tuple[IntArray, IntArray]:
    """Return 0 for the nearest expiry of the file, 1 for the next and so on; and the dates."""
    codes, dates = pd.factorize(values)
    if (codes < 0).any():
        raise InputError(f"{rules.name}: expiry is blank in a row; wanted a date, mend the file")
    wall = parse_stamps(pd.Series(dates, name="expiry"), rules).wall
    rank: IntArray = np.unique(wall.asi8, return_inverse=True)[1].astype(np.int64)
    days = wall.as_unit("ns").asi8 // _DAY
    return rank[codes], days[codes]


def _rights(values: pd.Series, name: str) -> IntArray:
    """Return +1 for calls and -1 for puts, written C, CE, call, P, PE, put, 1 or -1."""
    codes, words = pd.factorize(values)
    known = {"C": 1, "CE": 1, "CALL": 1, "1": 1, "P": -1, "PE": -1, "PUT": -1, "-1": -1}
    signs = [known.get(str(w).strip().upper().removesuffix(".0"), 0) for w in words]
    if 0 in signs or (codes < 0).any():
        odd = words[signs.index(0)] if 0 in signs else "blank"
        raise InputError(f"{name}: right is {odd!r}; wanted C or P, mend the file")
    return np.array(signs, dtype=np.int64)[codes]
