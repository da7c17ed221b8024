"""Columns of option tables under the names that vendors give them, read into one form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError, did_you_mean
from hpi_bt.options.columns import PERCENT, side_of
from hpi_bt.sources.chain_cleaning import LEAST_IV, NUMBERS
from hpi_bt.sources.chain_file import Given
from hpi_bt.sources.chain_stamps import expiries_of, last_trades
from hpi_bt.sources.date_layouts import day_first
from hpi_bt.sources.numbers import numbers_in, refuse_endless
from hpi_bt.sources.occ import OccFields, is_occ, parse_occ

#: Our name of a column: what vendors call it, without regard to case, blanks and marks.
ALIASES: dict[str, tuple[str, ...]] = {
    "ts": (
        *("ts", "datetime", "timestamp", "quote_datetime", "quote_readtime"),
        *("date", "quote_date", "data_date"),
    ),
    "clock": ("ms_of_day", "quote_time", "quote_time_hours", "time"),
    "symbol": ("symbol", "underlying_symbol", "ticker", "act_symbol"),
    "contract": (
        *("contract", "contractSymbol", "option_symbol", "occ_symbol", "option", "contract_id"),
    ),
    "root": ("root", "option_root", "root_symbol"),
    "expiry": (
        *("expiry", "expiration", "expiration_date", "expiry_date", "exp_date", "expire_date"),
    ),
    "strike": ("strike", "strike_price"),
    "right": (
        *("right", "option_type", "cp", "cp_flag", "call_put", "put_call", "contract_type"),
        "type",
    ),
    "bid": ("bid", "bid_price"),
    "ask": ("ask", "ask_price"),
    "last": ("last", "last_price", "lastPrice", "price", "last_sale"),
    "iv": ("iv", "implied_volatility", "impliedVolatility", "implied_vol"),
    "iv_pct": ("iv_pct", "iv_percent"),
    "delta": ("delta",),
    "gamma": ("gamma",),
    "volume": ("volume", "cum_volume", "vol", "trade_volume"),
    "open_interest": ("open_interest", "openInterest", "oi", "open_int"),
    "open_interest_live": ("open_interest_live",),
    "trade_flow": ("trade_flow",),
    "dealer_position": ("dealer_position",),
    "last_trade": ("last_trade", "lastTradeDate", "last_trade_time"),
    "last_quote": ("last_quote",),
    "spot": ("spot", "underlying_price", "underlying_last", "underlying_value"),
    "underlying": ("underlying",),  # a symbol or a price, as its cells say
}
Columns = dict[str, pd.Series]  # by our names, each named as the file names it

_EXTRA = ("open_interest_live", "trade_flow", "dealer_position")
_FROM_COINS = ("bid", "ask", "last")
_OTHER_DATE = pd.Timedelta(3, "D")  # a contract's own from its column's, beyond holidays


def plain(name: str) -> str:
    """Return a column's name without case, blanks and marks: [C_BID] is cbid."""
    return re.sub(r"[\s_\-\[\]]", "", name).lower()


def find_columns(
    names: list[str], mapping: Mapping[str, str], wanted: Iterable[str], *, name: str
) -> dict[str, str]:
    """Return {our name: name in the file} of the wanted columns that exist.

    Raises
    ------
    InputError
        A mapped column does not exist, or a name of `mapping` is none of ours.
    """
    for ours, theirs in mapping.items():
        if ours not in ALIASES:
            raise InputError(f"{ours!r} is no column{did_you_mean(ours, ALIASES)}", field="columns")
        if theirs not in names:
            raise InputError(
                f"no column {theirs!r} for {ours!r}{did_you_mean(theirs, names)}",
                where=name,
                remedy="fix `columns`",
            )
    by_plain: dict[str, str] = {}
    for theirs in names:
        by_plain.setdefault(plain(theirs), theirs)
    places: dict[str, str] = {}
    for ours in wanted:
        found = (by_plain[plain(a)] for a in ALIASES[ours] if plain(a) in by_plain)
        theirs = mapping.get(ours) or next((f for f in found if f not in places.values()), "")
        if theirs and (ours in mapping or theirs not in mapping.values()):
            places[ours] = theirs
    return places


def check_required(places: Iterable[str], names: Iterable[str], *, name: str) -> None:
    """Refuse a table that says neither contract symbols nor expiry, strike and right.

    Raises
    ------
    InputError
        Naming the columns as the file writes them.
    """
    known = set(places)
    if known & {"contract", "symbol"}:
        return  # a symbol may be that of the contract
    lacking = [c for c in ("expiry", "strike", "right") if c not in known]
    if lacking:
        raise _lacking(lacking[0], names, name)


def _lacking(column: str, names: Iterable[str], name: str) -> InputError:
    have = list(map(str, names))
    shown = ", ".join(have[:40]) + (", ..." if len(have) > 40 else "")
    return InputError(
        f"no column {column!r} (found: {shown})",
        where=name,
        remedy=f"name it as `columns={column}:ITS NAME`",
    )


def contracts_of(
    table: pd.DataFrame,
    given: Given,
    *,
    name: str,
    names: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Return one row per contract in the form of `RawChain`.

    Parameters
    ----------
    table : DataFrame
        Under our names; `contract` may stand for expiry, strike, right and root, and `iv_pct`,
        in percent, for iv.
    given : Given
        Its zone reads stamps of last trades that carry none, its unit strikes and prices.
    name : str
        The file, for messages.
    names : mapping of str to str, optional
        Our name of a column: the file's, for messages.

    Raises
    ------
    InputError
        Expiry, strike or right are missing or unreadable.
    """
    theirs = dict(names or {})
    columns: Columns = {c: table[c].rename(theirs.get(c, c)) for c in map(str, table.columns)}
    data: dict[str, object] = {}
    said = _own_fields(columns, name)
    if said is not None:
        data = {"contract": columns["contract"], **said._asdict()}
    if "root" in columns:
        data["root"] = columns["root"].astype("str")
    lacking = [c for c in ("expiry", "strike", "right") if c not in columns and c not in data]
    if lacking:
        raise _lacking(lacking[0], theirs.values() or columns, name)
    if "expiry" in columns:
        data["expiry"] = expiries_of(columns["expiry"], given, name=name)
    if "strike" in columns and said is None:
        data["strike"] = numbers_of(columns["strike"], name) / given.strike_units
    if "right" in columns and said is None:
        data["right"] = rights_of(columns["right"], name)
    for one in (*NUMBERS, *_EXTRA):
        if one in columns and one != "iv":
            data[one] = numbers_of(columns[one], name)
    if "iv" in columns or "iv_pct" in columns:
        data["iv"] = implied_vols(columns, name)
    if "last_trade" in columns:
        data["last_trade"] = last_trades(columns["last_trade"], given, name=name)
    if given.unit == "coin_prices":
        worth = _worth_of_coin(columns, given, name)
        data |= {c: np.asarray(data[c]) * worth for c in _FROM_COINS if c in data}
    return pd.DataFrame(data, index=table.index)


def numbers_of(values: pd.Series, name: str, *, percent: bool = False) -> FloatArray:
    """Return a column as float64, blanks and words for none as NaN; 24.98% as 24.98 if `percent`.

    Raises
    ------
    InputError
        A cell is no number, or has a percent sign and none is expected.
    """
    found = numbers_in(values)
    bad = found.bad if percent else found.bad | found.percent
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(
            f"row {values.index[row] + 1} is {str(values.iloc[row])[:40]!r}; wanted a number",
            where=name,
            field=str(values.name),
            remedy="fix the file",
        )
    refuse_endless(values, found.numbers, name)
    return found.numbers


def _own_fields(columns: Columns, name: str) -> OccFields | None:
    """Return what the contract symbols say; None where they are not OCC's and columns say it."""
    if "contract" not in columns:
        return None
    if {"expiry", "strike", "right"} <= set(columns) and not is_occ(columns["contract"]).all():
        return None
    return parse_occ(columns["contract"], name=name)


def with_expiries(
    rows: pd.DataFrame,
    given: Given,
    *,
    name: str,
    names: Mapping[str, str],
    since: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """Return a file's rows with their expiries as dates or moments, told by all of them.

    Parameters
    ----------
    rows : DataFrame
        Under our names; without a column of expiries it is returned as it is.
    given, name, names
        As in `contracts_of`.
    since : Timestamp, optional
        Date of the oldest quotes.

    Notes
    -----
    The contracts' symbols take the place of a column that is no clear date, or that differs from
    them by more than a few days.
    """
    if "expiry" not in rows:
        return rows
    column = rows["expiry"].rename(names.get("expiry", "expiry"))
    symbols = rows["contract"].drop_duplicates() if "contract" in rows else None
    said = symbols is not None and bool(is_occ(symbols).all())
    order = day_first(rows[c].drop_duplicates() for c in ("expiry", "ts") if c in rows)
    try:
        found = expiries_of(column, given, name=name, day_first=order, since=since)
    except InputError:
        if not said:
            raise
        return rows.drop(columns="expiry")
    if said and found.tz is None:
        pairs = rows.assign(expiry=found).drop_duplicates(["contract", "expiry"])
        own = parse_occ(pairs["contract"], name=name).expiry
        if (np.abs(pairs["expiry"] - own) > _OTHER_DATE).any():
            return rows.drop(columns="expiry")
    return rows.assign(expiry=found)


def implied_vols(columns: Columns, name: str) -> FloatArray:
    """Return implied vols as decimals, after refusing percent in their place and the reverse."""
    if "iv_pct" in columns:
        column = columns["iv_pct"]
        percents = numbers_of(column, name, percent=True)
        known = percents[percents > 100.0 * LEAST_IV]
        if len(known) and np.median(known) < 1.0:
            raise InputError(
                f"a median of {np.median(known):g} % looks like decimals, not percent",
                where=name,
                field=str(column.name),
                remedy=f"give `columns=iv:{column.name}`",
            )
        return percents / 100.0
    column = columns["iv"]
    found, vols = numbers_in(column), numbers_of(column, name, percent=True)
    vols = np.where(found.percent, vols / 100.0, vols)
    known = vols[vols > LEAST_IV]
    if len(known) and np.median(known) >= PERCENT:
        raise InputError(
            f"a median of {np.median(known):g} looks like percent",
            where=name,
            field=str(column.name),
            remedy=f"give `columns=iv_pct:{column.name}`",
        )
    return vols


def _worth_of_coin(columns: Columns, given: Given, name: str) -> FloatArray | float:
    """Return what a coin is worth, in the money of the strikes, for each row or for all."""
    if "spot" in columns:
        return numbers_of(columns["spot"], name)
    if isinstance(given.spot, int | float):
        return float(given.spot)
    raise InputError(
        "prices in coin need the price of the underlying", where=name, remedy="give `spot`"
    )


def rights_of(values: pd.Series, name: str) -> npt.NDArray[np.object_]:
    """Return "C" or "P" for rights in any spelling; shape (n,)."""
    codes, words = pd.factorize(values)
    sides = np.array([side_of(word) for word in words] or [np.nan])
    if np.isnan(sides).any() or (codes < 0).any():
        odd = np.isnan(np.where(codes < 0, np.nan, sides[codes]))
        row = int(np.argmax(odd))
        cell = "blank" if codes[row] < 0 else repr(str(values.iloc[row])[:40])
        raise InputError(
            f"row {values.index[row] + 1} is {cell}; wanted C or P",
            where=name,
            field=str(values.name),
            remedy="fix the file",
        )
    return np.where(sides > 0.0, "C", "P").astype(object)[codes]
