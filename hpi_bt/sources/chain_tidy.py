"""Option chains as plain tables: one row per contract, one moment or many."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.errors import InputError
from hpi_bt.options.expiries import expiry_time
from hpi_bt.sources.chain_cleaning import LEAST_IV
from hpi_bt.sources.chain_columns import ALIASES, contracts_of, find_columns, stamps_of
from hpi_bt.sources.chain_file import NEW_YORK, Given, RawChain
from hpi_bt.sources.chain_gamma import iv_from_dollar_gamma, smoothest_forward
from hpi_bt.sources.hours import calendar_zone
from hpi_bt.sources.occ import main_root
from hpi_bt.sources.tables import header, load_table, to_numbers

_PROFILE = ("ts", "spot", "strike", "cg", "pg", "coi", "poi", "cvol", "pvol")
_PROFILE_SIDES = (("C", "cg", "coi", "cvol"), ("P", "pg", "poi", "pvol"))
_DELAY = pd.Timedelta(15, "min")  # of the feed behind the profile
_GAMMA_STEP = 0.0001  # CBOE gives gamma to four decimals
_MOST_LOST = 0.25  # of the gross gamma without a vol; 0.09 at most where spot is of the moment
_UNIT = 100.0  # shares per SPX contract, in the dollar gammas of the profile


class Snapshots(NamedTuple):
    """A table of one moment or many, its rows in the order of `moments`.

    `moments` are in UTC and ascending, empty where the table has no stamps; rows `starts[i]` up to
    `starts[i + 1]` are those of moment i. `kind` is "tidy" or "profile", `zone` that of stamps
    which name none, if it is known.
    """

    name: str
    kind: str
    table: pd.DataFrame
    moments: pd.DatetimeIndex
    starts: IntArray
    zone: str | None = None

    def __len__(self) -> int:
        return len(self.starts) - 1

    def raw(self, place: int, given: Given) -> RawChain:
        """Return the contracts of one moment, by its place in `moments`."""
        rows = self.table.iloc[self.starts[place] : self.starts[place + 1]]
        moment = self.moments[place] if len(self.moments) else None
        if self.kind == "profile":
            return _profile_chain(rows, moment, given, self.name)
        return _tidy_chain(rows, moment, given, self.name)


def is_profile(names: list[str]) -> bool:
    """Return whether these are the columns of a dollar-gamma profile by strike."""
    return {"strike", "cg", "pg", "coi", "poi"} <= set(names)


def tidy_snapshots(path: Path, given: Given, *, name: str, columns: dict[str, str]) -> Snapshots:
    """Return a table of contracts, CSV or Parquet, split by its stamps.

    Parameters
    ----------
    path : Path
        One row per contract and moment; names of columns as in `ALIASES`. `iv` is a decimal,
        `iv_pct` in percent; up to 0.1 % means none.
    given : Given
        `symbol` selects rows, `timezone` reads stamps that name no zone.
    name : str
        The file, which begins a message.
    columns : dict of str to str
        Our name of a column: its name in the file.

    Raises
    ------
    InputError
        The file is no table, or holds several symbols and none is chosen.
    """
    places = find_columns(header(path, name), columns, ALIASES, name=name)
    select: dict[str, str | float] = (
        {places["symbol"]: given.symbol} if given.symbol and "symbol" in places else {}
    )
    theirs = list(dict.fromkeys(places.values()))
    table = load_table(path, theirs, places.get("ts", ""), select, name=name)
    table = table.rename(columns={their: our for our, their in places.items()})
    if "symbol" in table and (found := table["symbol"].unique()).size > 1:
        shown = ", ".join(map(str, found[:10]))
        raise InputError(f"{name}: holds {shown}; wanted one, give symbol")
    return _split(table, "tidy", given, name)


def profile_snapshots(path: Path, given: Given, *, name: str, columns: dict[str, str]) -> Snapshots:
    """Return a profile of dollar gamma by strike (cg, pg, coi, poi), split by its stamps.

    Raises
    ------
    InputError
        The file is no table, or a column is missing.
    """
    names = header(path, name)
    wanted = {c: columns.get(c, c) for c in _PROFILE}
    for ours, theirs in wanted.items():
        if theirs not in names and ours not in ("cvol", "pvol"):
            found = ", ".join(names)
            raise InputError(f"{name}: no column {theirs!r} (found: {found}); mend columns")
    wanted = {ours: theirs for ours, theirs in wanted.items() if theirs in names}
    table = load_table(path, list(wanted.values()), wanted["ts"], {}, name=name)
    table = table.rename(columns={theirs: ours for ours, theirs in wanted.items()})
    if pd.api.types.is_numeric_dtype(table["strike"].dtype):
        table = table.sort_values("strike", kind="stable")
    zoned = given if given.timezone else Given(timezone=NEW_YORK, calendar=given.calendar)
    return _split(table, "profile", zoned, name)


def _split(table: pd.DataFrame, kind: str, given: Given, name: str) -> Snapshots:
    if "ts" not in table:
        whole = np.array([0, len(table)], dtype=np.int64)
        return Snapshots(name, kind, table, pd.DatetimeIndex([], tz="UTC"), whole, given.timezone)
    stamps = stamps_of(table["ts"], given, name=name)
    moments, codes = np.unique(stamps.asi8, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(moments) + 1)).astype(np.int64)
    index = pd.DatetimeIndex(moments.astype("M8[ns]"), name="ts").tz_localize("UTC")
    return Snapshots(name, kind, table.iloc[order], index, starts, given.timezone)


def _tidy_chain(
    rows: pd.DataFrame, moment: pd.Timestamp | None, given: Given, name: str
) -> RawChain:
    contracts = contracts_of(rows, given, name=name)
    spot, notes = None, list[str]()
    if "spot" in rows:
        prices = to_numbers(rows["spot"], name)
        prices = prices[(prices > 0) & np.isfinite(prices)]
        spot = float(np.median(prices)) if len(prices) else None
        if len(prices) and np.ptp(prices) > 0:
            notes.append(
                f"spot from {prices.min():g} to {prices.max():g} in one snapshot; the median taken"
            )
    known = contracts["iv"].to_numpy() if "iv" in contracts else np.empty(0)
    known = known[known > LEAST_IV]
    if "iv_pct" not in rows and len(known) and np.median(known) > 3:
        notes.append("IV looks like percent; if it is, map it as iv_pct under columns")
    own = str(rows["symbol"].iloc[0]) if "symbol" in rows else ""
    roots = contracts["root"].to_numpy() if "root" in contracts else np.empty(0, dtype=object)
    if moment is not None:
        moment = moment.tz_convert(given.timezone or calendar_zone(given.calendar))
    symbol = given.symbol or own or main_root(roots)
    return RawChain(name, contracts, moment, spot, symbol, given.timezone, tuple(notes))


def _profile_chain(
    rows: pd.DataFrame, moment: pd.Timestamp | None, given: Given, name: str
) -> RawChain:
    """Return calls and puts of one moment, their vols from their own dollar gammas."""
    if moment is None:
        raise InputError(f"{name}: no stamps; wanted a column ts")
    data = _profile_numbers(rows, name)
    said = None if given.spot == "parity" else given.spot
    strike, spot = data["strike"], float(np.median(data["spot"]) if said is None else said)
    local = moment.tz_convert(NEW_YORK)
    date = pd.DatetimeIndex([local.tz_localize(None).normalize()])
    expiry = expiry_time(date, symbol="SPXW", calendar=given.calendar, at=given.expiry_at)[0]
    tau_years = (expiry - (moment - _DELAY)) / pd.Timedelta(365, "D")
    gammas, interest = np.abs(data["cg"]) + np.abs(data["pg"]), data["coi"] + data["poi"]
    spacing = float(np.diff(np.unique(strike)).min(initial=spot * 0.001))
    rounded = {"multiplier": _UNIT, "gamma_step": _GAMMA_STEP}
    forward = smoothest_forward(gammas, interest, strike, spot, tau_years, reach=spacing, **rounded)
    sides = []
    for right, gamma, held, volume in _PROFILE_SIDES:
        vols = iv_from_dollar_gamma(
            data[gamma], data[held], strike, spot, tau_years, forward=forward, **rounded
        )
        side = {"strike": strike, "right": right, "iv": vols.iv, "open_interest": data[held]}
        side |= {"volume": data[volume]} if volume in data else {}
        sides.append(pd.DataFrame(side, index=rows.index))
    contracts = pd.concat(sides).assign(root="SPXW", expiry=date[0])
    lost = int(contracts["iv"].isna().sum())
    if tau_years > 0.0:
        _check_lost(contracts["iv"], np.r_[data["cg"], data["pg"]], spot, name)
    notes = (
        "IV of each contract implied from its own dollar gamma, taken as $ per 1 % move with 100 "
        "shares a contract, rounded as CBOE does to 0.0001 per share",
        f"gammas taken to be 15 minutes older than the stamp, when {tau_years * 525_600:.0f} "
        f"minutes were left, and the forward {forward - spot:+.2f} from spot, where the vols are "
        "smoothest",
        "near the money the higher of the two vols of a gamma, beyond one standard deviation the "
        f"lower; {lost} of {len(contracts)} contracts have a gamma that no vol gives or none",
    )
    return RawChain(name, contracts, local, spot, given.symbol or "SPX", NEW_YORK, notes)


def _check_lost(iv: pd.Series, dollar_gamma: FloatArray, spot: float, name: str) -> None:
    """Refuse a profile most of whose gammas fit no vol: they were made of another spot."""
    size = np.abs(dollar_gamma)
    lost = iv.isna().to_numpy() & (size > 0.0)
    share = size[lost].sum() / size.sum() if size.sum() > 0.0 else 0.0
    if share > _MOST_LOST:
        raise InputError(
            f"{name}: the gammas of {int(lost.sum())} of {len(iv)} contracts, {100 * share:.0f} % "
            f"of the gross, fit no vol at spot {spot:g}, which is of another moment; give spot"
        )


def _profile_numbers(rows: pd.DataFrame, name: str) -> dict[str, FloatArray]:
    """Return the columns as numbers, each (n_strikes,); spot and strike must be positive."""
    data = {c: to_numbers(rows[c], name) for c in rows.columns if c != "ts"}
    for column in ("spot", "strike"):
        wrong = ~((data[column] > 0) & np.isfinite(data[column]))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InputError(
                f"{name}: row {rows.index[row] + 1}, {column} is {data[column][row]:g}; wanted a "
                "positive number, mend or remove the row"
            )
    return data
