"""Option chains as plain tables: one row per contract, one moment or many."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.errors import InputError, Note, Severity
from hpi_bt.options.expiries import expiry_time, timestamp_of
from hpi_bt.sources.chain_cleaning import LEAST_IV
from hpi_bt.sources.chain_columns import contracts_of, numbers_of, with_expiries
from hpi_bt.sources.chain_file import NEW_YORK, Given, Moment, RawChain
from hpi_bt.sources.chain_gamma import iv_from_dollar_gamma, smoothest_forward
from hpi_bt.sources.chain_stamps import stamps_of
from hpi_bt.sources.chain_table import ChainTable, contract_codes, load_chain_table
from hpi_bt.sources.date_layouts import day_first
from hpi_bt.sources.gatherings import Gatherings, check_gatherings, gathered, partial_note
from hpi_bt.sources.hours import calendar_zone
from hpi_bt.sources.occ import main_root
from hpi_bt.sources.tables import header, load_table, to_numbers

_PROFILE = ("ts", "spot", "strike", "cg", "pg", "coi", "poi", "cvol", "pvol")
_PROFILE_SIDES = (("C", "cg", "coi", "cvol"), ("P", "pg", "poi", "pvol"))
_DELAY = pd.Timedelta(15, "min")  # of the feed behind the profile
_GAMMA_STEP = 0.0001  # CBOE gives gamma to four decimals
_MOST_LOST = 0.25  # of the gross gamma without a vol; 0.09 at most where spot is of the moment
_UNIT = 100.0  # shares per SPX contract, in the dollar gammas of the profile
_HIGH_VOL = 3.0  # a median from here on may be percent
_STEADY = 0.005  # of spot that prices of one gathering may lie apart without a warning


@dataclass(frozen=True, eq=False)
class Snapshots:
    """A table of one moment or many, its rows in the order of `moments`.

    `moments` are in UTC and ascending, empty where the table has no stamps; rows `starts[i]` up to
    `starts[i + 1]` are those of moment i. `kind` is "tidy", "yahoo" or "profile", `zone` that of
    stamps which name none, if it is known; `columns` has the file's names of ours. `dated` says
    that the stamps are dates; `gathered` tells how rows were put together, None without stamps.
    `own` are moment and spot that a file beside a single one tells, `others` columns not read.
    """

    name: str
    kind: str
    table: pd.DataFrame
    moments: pd.DatetimeIndex
    starts: IntArray
    zone: str | None = None
    columns: dict[str, str] | None = None
    notes: tuple[str, ...] = ()
    dated: bool = False
    gathered: Gatherings | None = None
    own: tuple[pd.Timestamp | None, float | None] = (None, None)
    others: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.starts) - 1

    def raw(self, place: int, given: Given) -> RawChain:
        """Return the contracts of one moment, by its place in `moments`."""
        rows = self.table.iloc[self.starts[place] : self.starts[place + 1]]
        moment = self.moments[place] if len(self.moments) else None
        if self.kind == "profile":
            return _profile_chain(rows, moment, given, self.name)
        raw = _tidy_chain(rows, moment, given, self)
        partial = partial_note(self.gathered, place) if self.gathered is not None else []
        return raw._replace(notes=(*self.notes, *partial, *raw.notes), dated=self.dated)


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
    return split_snapshots(load_chain_table(path, given, name=name, columns=columns), given)


def split_snapshots(found: ChainTable, given: Given, *, kind: str = "tidy") -> Snapshots:
    """Return a table of contracts split by its stamps, those of one gathering put together."""
    rows, zone = found.rows, given.timezone
    if "ts" not in rows:
        whole = np.array([0, len(rows)], dtype=np.int64)
        none = pd.DatetimeIndex([], tz="UTC")
        since = _date(given.as_of)
        rows = with_expiries(rows, given, name=found.name, names=found.names, since=since)
        return Snapshots(
            found.name, kind, rows, none, whole, zone, found.names, found.notes,
            others=found.others,
        )  # fmt: skip
    stamps = [rows[c].drop_duplicates() for c in ("ts", "expiry") if c in rows]
    utc, dated = stamps_of(
        rows["ts"].rename(found.names.get("ts", "ts")),
        given,
        name=found.name,
        clock=rows["clock"].rename(found.names["clock"]) if "clock" in rows else None,
        day_first=day_first(stamps),
    )
    since = utc.min().tz_localize(None)
    rows = with_expiries(rows, given, name=found.name, names=found.names, since=since)
    contract, expiry = contract_codes(rows)
    groups = gathered(np.asarray(utc.asi8), contract, minutes=given.gather)
    field = found.names.get("clock", found.names.get("ts", "ts"))
    check_gatherings(groups, contract, expiry, where=found.name, field=field)
    order = np.argsort(groups.place, kind="stable")
    starts = np.searchsorted(groups.place[order], np.arange(len(groups.known_at) + 1))
    moments = pd.DatetimeIndex(groups.known_at.astype("M8[ns]"), name="ts").tz_localize("UTC")
    table = rows.assign(stamp=utc.asi8).iloc[order]
    return Snapshots(
        found.name, kind, table, moments, starts.astype(np.int64), zone, found.names, found.notes,
        dated, groups, others=found.others,
    )  # fmt: skip


def _date(as_of: Moment | None) -> pd.Timestamp | None:
    """Return the date of a moment that the caller gives, None where it is none."""
    stamp = timestamp_of(as_of)
    return None if stamp is None else stamp.tz_localize(None).normalize()


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
            raise InputError(
                f"no column {theirs!r} (found: {', '.join(names)})",
                where=name,
                remedy="fix `columns`",
            )
    wanted = {ours: theirs for ours, theirs in wanted.items() if theirs in names}
    table = load_table(path, list(wanted.values()), wanted["ts"], {}, name=name, noun="contracts")
    table = table.rename(columns={theirs: ours for ours, theirs in wanted.items()})
    if pd.api.types.is_numeric_dtype(table["strike"].dtype):
        table = table.sort_values("strike", kind="stable")
    zoned = given if given.timezone else replace(given, timezone=NEW_YORK)
    return split_snapshots(ChainTable(name, table, wanted), zoned, kind="profile")


def _tidy_chain(
    rows: pd.DataFrame, moment: pd.Timestamp | None, given: Given, of: Snapshots
) -> RawChain:
    names = of.columns or {}
    if moment is not None:
        moment = moment.tz_convert(given.timezone or calendar_zone(given.calendar))
    contracts = contracts_of(rows, given, name=of.name, names=names)
    if of.kind == "yahoo":
        contracts = without_filler(contracts)
    spot, notes = None, list[str]()
    if "spot" in rows:
        spot = _one_spot(rows, names, of.name, notes)
    known = contracts["iv"].to_numpy() if "iv" in contracts else np.empty(0)
    known = known[known > LEAST_IV]
    if "iv_pct" not in rows and len(known) and np.median(known) > _HIGH_VOL:
        theirs = names.get("iv", "iv")
        text = f"{theirs} looks like percent; if it is, give `columns=iv_pct:{theirs}`"
        notes.append(Note(Severity.WARNING, "iv-like-percent", text))
    notes += _symbol_notes(rows, contracts, given)
    own = str(rows["symbol"].iloc[0]) if "symbol" in rows else ""
    roots = contracts["root"].to_numpy() if "root" in contracts else np.empty(0, dtype=object)
    symbol = given.symbol or own or main_root(roots)
    if len(of) == 1:
        moment, spot = of.own[0] or moment, spot if of.own[1] is None else of.own[1]
    return RawChain(
        of.name, contracts, moment, spot, symbol, of.zone, tuple(notes), names, others=of.others
    )


def without_filler(contracts: pd.DataFrame) -> pd.DataFrame:
    """Return Yahoo's contracts without the vols of those that nobody quotes, its filler."""
    if not {"bid", "ask", "iv"} <= set(contracts):
        return contracts
    quoted = (contracts["bid"] > 0) | (contracts["ask"] > 0)
    return contracts.assign(iv=contracts["iv"].where(quoted))


def _one_spot(
    rows: pd.DataFrame, names: dict[str, str], name: str, notes: list[str]
) -> float | None:
    """Return the median of the prices of the underlying in one snapshot; note where they differ."""
    prices = numbers_of(rows["spot"].rename(names.get("spot", "spot")), name)
    known = prices > 0
    if not known.any():
        return None
    spot = float(np.median(prices[known]))
    low, high = prices[known].min(), prices[known].max()
    if low < high:
        stamps = rows["stamp"].to_numpy() if "stamp" in rows else np.zeros(len(rows))
        each = pd.Series(prices[known]).groupby(stamps[known]).agg(["min", "max"])
        moving = bool((each["min"] == each["max"]).all()) and high - low <= _STEADY * spot
        text = f"spot from {low:g} to {high:g} in one snapshot; the median taken"
        severity = Severity.ASSUMPTION if moving else Severity.WARNING
        notes.append(Note(severity, "several-spots", text))
    return spot


def _symbol_notes(rows: pd.DataFrame, contracts: pd.DataFrame, given: Given) -> list[Note]:
    """Return the warning that strikes differ from what the contracts' symbols say."""
    if "contract" not in contracts or "strike" not in rows:
        return []
    strike = pd.to_numeric(rows["strike"], errors="coerce").to_numpy(dtype=np.float64)
    own = contracts["strike"].to_numpy(dtype=np.float64)
    other = int((~np.isclose(strike, own) & ~np.isclose(strike, 1000.0 * own)).sum())
    if not other:
        return []
    text = f"{other} strikes differ from those of the contract symbols, which count"
    return [Note(Severity.WARNING, "strike-not-of-symbol", text)]


def _profile_chain(
    rows: pd.DataFrame, moment: pd.Timestamp | None, given: Given, name: str
) -> RawChain:
    """Return calls and puts of one moment, their vols from their own dollar gammas."""
    if moment is None:
        raise InputError("no stamps; wanted a column ts", where=name)
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
            f"the gammas of {int(lost.sum())} of {len(iv)} contracts, {100 * share:.0f} % of the "
            f"gross, fit no vol at spot {spot:g}, which is of another moment",
            where=name,
            remedy="give `spot`",
        )


def _profile_numbers(rows: pd.DataFrame, name: str) -> dict[str, FloatArray]:
    """Return the columns as numbers, each (n_strikes,); spot and strike must be positive."""
    data = {c: to_numbers(rows[c], name) for c in rows.columns if c not in ("ts", "stamp")}
    for column in ("spot", "strike"):
        wrong = ~((data[column] > 0) & np.isfinite(data[column]))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InputError(
                f"row {rows.index[row] + 1} is {data[column][row]:g}; wanted a positive number",
                where=name,
                field=column,
                remedy="fix or remove the row",
            )
    return data
