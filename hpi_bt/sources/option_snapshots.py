"""Bars from snapshots of a whole option chain: put and call flow, opening open interest, price.

Each snapshot lists every contract with its volume since the session's open. The increments of
that volume are the flow of the bar in which they were seen.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.errors import InputError, Note, Severity, Wording, as_key
from hpi_bt.sources.bars import check_amounts
from hpi_bt.sources.base import Locations, Settings
from hpi_bt.sources.chain_columns import implied_vols, numbers_of, rights_of
from hpi_bt.sources.chain_file import Given, Unit
from hpi_bt.sources.chain_stamps import expiries_of, stamps_of
from hpi_bt.sources.chain_units import check_strikes
from hpi_bt.sources.date_layouts import day_first
from hpi_bt.sources.frame import describe
from hpi_bt.sources.gatherings import GATHER, Gatherings, check_gatherings, gathered
from hpi_bt.sources.hours import (
    counted,
    local_stamps,
    session_bounds,
    session_hours,
    session_ordinals,
)
from hpi_bt.sources.oi_timing import snapshot_timing
from hpi_bt.sources.outside import Stamps, outside_notes
from hpi_bt.sources.snapshots import (
    PricedSnapshots,
    SnapshotChain,
    increments,
    note_late,
    parity_forward,
    snapshot_bars,
)
from hpi_bt.sources.tables import header, load_table, match_columns

_NEEDED = ("strike", "right", "cum_volume", "open_interest")
_PRICES = ("spot", "last")
_NONE = -1.0  # what feeds write for none
_DAY = 86_400 * 10**9  # nanoseconds
#: What the rows depend on.
_READING = ("path", "symbol", "columns", "timezone", "stamp_format", "unit", "gather")
_STEADY = 0.005  # of spot that prices of one gathering may lie apart without a warning


class OptionSnapshotsSource(Settings):
    """Snapshots of an option chain (CSV or Parquet) as bars with put and call flow.

    Columns: ts, expiry (optional), strike, right (C/P), cum_volume since the open,
    open_interest, and spot or last (the options' own prices) or both; iv (decimals) or iv_pct for
    features.
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
    """Layout of stamps and expiries that the file does not show by itself (%d/%m/%Y)."""
    unit: Unit | None = None
    """What is not in the money of spot: coin_prices (last, in units of the underlying) or
    strike_thousandths (strikes times 1,000); converted."""
    gather: float = Field(GATHER, ge=0, allow_inf_nan=False)
    """Minutes within which stamps of different contracts are one snapshot, known at the newest."""
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
        try:
            return _read_once(settings, path, stat.st_mtime_ns, stat.st_size, calendar)
        except InputError as error:
            raise error.in_words(Wording(as_key)) from None

    def _snapshots(self, path: Path, calendar: str) -> PricedSnapshots:
        notes = list[str]()
        chain, symbol = self._chain(path, calendar, notes)
        opens, _, _ = session_bounds(chain.session, calendar)
        moments = np.unique(chain.moment)
        stamps = Stamps(moments, self.bar_minutes, self.timezone, None, noun="snapshots")
        notes.extend(outside_notes(stamps, None, calendar, "drop", session_hours, lenient=True))
        chain = chain.where(chain.moment > opens)
        if len(opens) > len(chain.moment):
            notes.append(
                f"{counted(len(opens) - len(chain.moment), 'row')} up to the open left out"
            )
        chain, price = self._priced(chain, notes)
        flow = increments(chain, notes)
        note_late(chain, calendar, notes)
        facts = (chain.moment, chain.session, chain.contract, chain.open_interest, chain.volume)
        notes.extend(snapshot_timing(*facts, calendar))
        return PricedSnapshots(chain, price, flow, tuple(notes), symbol)

    def _chain(self, path: Path, calendar: str, notes: list[str]) -> tuple[SnapshotChain, str]:
        """Return the rows and the symbol that they are of, "" where the file does not say."""
        names = header(path, self.path)
        wanted = dict.fromkeys((*_NEEDED, *_PRICES, "expiry", "symbol", "iv", "iv_pct"))
        places = match_columns(names, self.columns, wanted, name=self.path, stamp="ts")
        lacking = [c for c in _NEEDED if c not in places]
        if lacking or not places.keys() & set(_PRICES):
            missing = repr(lacking[0]) if lacking else "'spot' or 'last'"
            raise InputError(
                f"no column {missing} (found: {', '.join(names)})",
                where=self.path,
                remedy="name it under columns",
            )
        select: dict[str, str | float] = (
            {places["symbol"]: self.symbol} if self.symbol and "symbol" in places else {}
        )
        table = load_table(path, list(places.values()), places["ts"], select, name=self.path)
        found = table[places["symbol"]].unique() if "symbol" in places else np.array([""])
        if len(found) > 1:
            raise InputError(
                f"holds {', '.join(map(str, found[:10]))}; wanted one",
                where=self.path,
                field=places["symbol"],
                remedy="set symbol",
            )
        given = Given(
            timezone=self.timezone, calendar=calendar, stamp_format=self.stamp_format,
            unit=self.unit, gather=self.gather,
        )  # fmt: skip
        columns = {ours: table[theirs] for ours, theirs in places.items()}
        return _parsed(columns, given, self.path, notes), str(found[0])

    def _priced(self, chain: SnapshotChain, notes: list[str]) -> tuple[SnapshotChain, FloatArray]:
        """Return the rows of snapshots with a price, and that price; each (n_rows,)."""
        moments, place = np.unique(chain.moment, return_inverse=True)
        price = _spots(chain, place, len(moments), notes)
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
        field = self.columns.get("strike", "strike")
        check_strikes(chain.strike, float(np.nanmedian(price)), field, self.unit, self.path)
        keep = ~lost[place]
        return chain.where(keep), price[place][keep]


def _parsed(
    columns: dict[str, pd.Series], given: Given, name: str, notes: list[str]
) -> SnapshotChain:
    """Return the rows, oldest first, those of one gathering at its newest stamp."""
    order = day_first(columns[c].drop_duplicates() for c in ("ts", "expiry") if c in columns)
    stamps = stamps_of(columns["ts"], given, name=name, day_first=order).utc
    n = len(stamps)
    expiry, expires = np.zeros(n, dtype=np.int64), np.full(n, -1)
    if "expiry" in columns:
        since = stamps.min().tz_localize(None)
        expiry, expires = _expiries(columns["expiry"], given, name, order, since)
    strike = numbers_of(columns["strike"], name) / given.strike_units
    right = _rights(columns["right"], name)
    strikes, _ = pd.factorize(strike)
    contract = (expiry * (strikes.max() + 1) + strikes) * 2 + (right > 0)
    groups = gathered(np.asarray(stamps.asi8), contract, minutes=given.gather)
    check_gatherings(groups, contract, expiry, where=name, field=str(columns["ts"].name))
    notes += _gathering_notes(groups)
    at = groups.known_at[groups.place]
    session = session_ordinals(local_stamps(groups.known_at, given.calendar), given.calendar)
    values = {c: _known(columns.get(c), n, name) for c in ("cum_volume", "open_interest")}
    vols = implied_vols(columns, name) if {"iv", "iv_pct"} & set(columns) else np.full(n, np.nan)
    prices = [*(_known(columns.get(c), n, name) for c in ("spot", "last")), vols]
    _check_amounts(
        columns, name, volume=values["cum_volume"], openinterest=values["open_interest"],
        close=prices[0],
    )  # fmt: skip
    prices = [np.where(c > 0, c, np.nan) for c in prices]
    if given.unit == "coin_prices":
        prices[1] = prices[1] * prices[0]
    chain = SnapshotChain(
        at, session[groups.place], contract, expiry, expires, strike, right, *values.values(),
        *prices,
    )  # fmt: skip
    return chain.where(np.argsort(at, kind="stable"))


def _known(values: pd.Series | None, n: int, name: str) -> FloatArray:
    """Return a column as numbers, NaN where they are unknown or mark none (-1)."""
    if values is None:
        return np.full(n, np.nan)
    numbers = numbers_of(values, name)
    return np.where(numbers == _NONE, np.nan, numbers)


def _spots(chain: SnapshotChain, place: IntArray, n: int, notes: list[str]) -> FloatArray:
    """Return the price of the underlying in each snapshot, shape (n,); note where prices differ."""
    each = pd.Series(chain.spot).groupby(place).agg(["median", "min", "max"]).reindex(range(n))
    apart = (each["max"] - each["min"] > _STEADY * each["median"]).to_numpy()
    if apart.any():
        first = each[apart].iloc[0]
        text = (
            f"{counted(int(apart.sum()), 'snapshot')} with several spots, the first from "
            f"{first['min']:g} to {first['max']:g}; the median taken"
        )
        notes.append(Note(Severity.WARNING, "several-spots", text))
    return each["median"].to_numpy(dtype=np.float64)


def _gathering_notes(groups: Gatherings) -> list[Note]:
    """Return how many snapshots are partial."""
    partial = groups.partial
    if not partial.any():
        return []
    first = pd.Timestamp(groups.known_at[np.argmax(partial)], tz="UTC")
    text = (
        f"{counted(int(partial.sum()), 'snapshot')} of {len(partial)} partial, with less than half "
        f"of the usual contracts, the first at {first:%Y-%m-%d %H:%M %Z}"
    )
    return [Note(Severity.WARNING, "partial-snapshot", text)]


def _check_amounts(columns: dict[str, pd.Series], name: str, **amounts: FloatArray) -> None:
    """Refuse volume and open interest below 0, and infinite or absurd numbers."""
    ours = {"volume": "cum_volume", "openinterest": "open_interest", "close": "spot"}
    rows = columns["strike"].index
    check_amounts(
        pd.DataFrame(amounts, index=rows),
        name=name,
        cell=lambda place, c: f"row {rows[place] + 1}, {columns[ours[c]].name}",
    )


@lru_cache(maxsize=2)
def _read_once(
    settings: str, path: Path, _changed: int, _size: int, calendar: str
) -> PricedSnapshots:
    return OptionSnapshotsSource.model_validate_json(settings)._snapshots(path, calendar)


def _expiries(
    values: pd.Series, given: Given, name: str, order: bool | None, since: pd.Timestamp
) -> tuple[IntArray, IntArray]:
    """Return 0 for the nearest expiry of the file, 1 for the next and so on; and the dates."""
    found = expiries_of(values, given, name=name, day_first=order, since=since)
    wall = found if found.tz is None else found.tz_localize(None)
    rank: IntArray = np.unique(wall.asi8, return_inverse=True)[1].astype(np.int64)
    return rank, wall.as_unit("ns").asi8 // _DAY


def _rights(values: pd.Series, name: str) -> IntArray:
    """Return +1 for calls and -1 for puts, in any spelling."""
    return np.where(rights_of(values, name) == "C", 1, -1).astype(np.int64)
