"""Columns of option tables under the names that vendors give them, read into one form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpi_bt.errors import InputError, did_you_mean
from hpi_bt.sources.chain_cleaning import NUMBERS
from hpi_bt.sources.chain_file import NEW_YORK, Given
from hpi_bt.sources.hours import local_stamps, session_close_stamps
from hpi_bt.sources.occ import parse_occ
from hpi_bt.sources.stamps import StampRules, local_times, parse_stamps
from hpi_bt.sources.tables import to_numbers

#: Our name of a column: what vendors call it, without regard to case, blanks and underscores.
ALIASES: dict[str, tuple[str, ...]] = {
    "ts": ("ts", "datetime", "timestamp", "quote_time", "quote_datetime", "date", "quote_date"),
    "symbol": ("symbol", "underlying_symbol", "ticker"),
    "contract": ("contract", "contractSymbol", "option_symbol", "occ_symbol", "option"),
    "root": ("root", "option_root"),
    "expiry": ("expiry", "expiration", "expiration_date", "expiry_date", "exp_date"),
    "strike": ("strike", "strike_price"),
    "right": ("right", "type", "option_type", "cp", "cp_flag", "call_put", "put_call"),
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
    "spot": ("spot", "underlying", "underlying_price", "underlying_last"),
}
_EXTRA = ("open_interest_live", "trade_flow", "dealer_position")
_SIDES = {"C": "C", "CE": "C", "CALL": "C", "1": "C", "P": "P", "PE": "P", "PUT": "P", "-1": "P"}


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()


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
            raise InputError(f"columns: {ours!r} is no column{did_you_mean(ours, ALIASES)}")
        if theirs not in names:
            hint = did_you_mean(theirs, names)
            raise InputError(f"{name}: no column {theirs!r} for {ours!r}{hint}; mend columns")
    plain: dict[str, str] = {}
    for theirs in names:
        plain.setdefault(_plain(theirs), theirs)
    places = {}
    for ours in wanted:
        found = (plain[_plain(a)] for a in ALIASES[ours] if _plain(a) in plain)
        theirs = mapping.get(ours) or next(found, "")
        if theirs and (ours in mapping or theirs not in mapping.values()):
            places[ours] = theirs
    return places


def contracts_of(table: pd.DataFrame, given: Given, *, name: str) -> pd.DataFrame:
    """Return one row per contract in the form of `RawChain`.

    Parameters
    ----------
    table : DataFrame
        Under our names; `contract` may stand for expiry, strike, right and root, and `iv_pct`,
        in percent, for iv.
    given : Given
        Its zone reads stamps of last trades that carry none.

    Raises
    ------
    InputError
        Expiry, strike or right are missing or unreadable.
    """
    data: dict[str, object] = {}
    if "contract" in table:
        fields = parse_occ(table["contract"], name=name)
        data = {"contract": table["contract"], **fields._asdict()}
    if "root" in table:
        data["root"] = table["root"].astype("str")
    lacking = [c for c in ("expiry", "strike", "right") if c not in table and c not in data]
    if lacking:
        raise InputError(
            f"{name}: no column {lacking[0]!r} (found: {', '.join(map(str, table.columns))}); "
            "name it under columns"
        )
    if "expiry" in table:
        data["expiry"] = _expiries(table["expiry"], given, name)
    if "strike" in table:
        data["strike"] = to_numbers(table["strike"], name)
    if "right" in table:
        data["right"] = _rights(table["right"], name)
    for column in (*NUMBERS, *_EXTRA):
        if column in table:
            data[column] = to_numbers(table[column], name)
    if "iv_pct" in table:
        data["iv"] = to_numbers(table["iv_pct"], name) / 100.0
    if "last_trade" in table:
        data["last_trade"] = _times(table["last_trade"], given, name)
    return pd.DataFrame(data, index=table.index)


def stamps_of(values: pd.Series, given: Given, *, name: str) -> pd.DatetimeIndex:
    """Return the moments of a column's rows, in UTC; bare dates are closes of sessions.

    Shape (n,). Raises InputError where intraday stamps name no zone and none is given.
    """
    codes, words = pd.factorize(values)
    if (codes < 0).any():
        row = values.index[int(np.argmin(codes))] + 1
        raise InputError(f"{name}: row {row}, {values.name} is blank; wanted a time, mend the file")
    unique = _no_words(_firsts(values, codes, words), name)
    moments = _read(unique, lambda: _moments(unique, given, name), name)
    return moments.tz_convert("UTC").as_unit("ns")[codes]


def _firsts(values: pd.Series, codes: npt.NDArray[np.intp], words: pd.Index) -> pd.Series:
    """Return the different values of a column, each at the row in which it comes first."""
    rows = np.unique(codes, return_index=True)[1]
    return pd.Series(words, index=values.index[rows], name=values.name)


def _moments(stamps: pd.Series, given: Given, name: str) -> pd.DatetimeIndex:
    rules = StampRules(name, given.timezone)
    parsed = parse_stamps(stamps, rules)
    if parsed.utc is None and (parsed.wall == parsed.wall.normalize()).all():
        return session_close_stamps(parsed.wall.as_unit("ns"), given.calendar)
    return local_times(stamps, rules, given.calendar)


def _read(values: pd.Series, load: Callable[[], pd.DatetimeIndex], name: str) -> pd.DatetimeIndex:
    """Return load(), what pandas raises of stamps it cannot hold turned into one line."""
    try:
        return load()
    except InputError:
        raise
    except (ValueError, OverflowError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:80]
        raise InputError(
            f"{name}: {values.name} cannot be read ({reason}); wanted dates or times of one form "
            "such as 2026-01-02 09:35, mend the file"
        ) from None


def _no_words(values: pd.Series, name: str) -> pd.Series:
    """Return the stamps, after refusing such as "now", which pandas would take from the clock."""
    words = ~values.astype("str").str.contains(r"\d", regex=True).to_numpy(dtype=bool)
    if words.any():
        raise InputError(
            f"{name}: {values.name} is {str(values[words].iloc[0])[:40]!r}; wanted a date or time "
            "such as 2026-01-02 09:35, mend the file"
        )
    return values


def _expiries(values: pd.Series, given: Given, name: str) -> pd.DatetimeIndex:
    codes, words = pd.factorize(values)
    if (codes < 0).any():
        row = values.index[int(np.argmin(codes))] + 1
        raise InputError(f"{name}: row {row}, expiry is blank; wanted a date, mend the file")
    unique = _no_words(_firsts(values, codes, words).rename("expiry"), name)
    return _read(unique, lambda: _expiry_days(unique, given, name), name)[codes]


def _expiry_days(stamps: pd.Series, given: Given, name: str) -> pd.DatetimeIndex:
    """Return naive dates, or moments with a zone where the stamps have a time of day."""
    parsed = parse_stamps(stamps, StampRules(name))
    if (parsed.wall == parsed.wall.normalize()).all():
        return parsed.wall.as_unit("ns")
    return local_times(stamps, StampRules(name, given.timezone), given.calendar)


def _times(values: pd.Series, given: Given, name: str) -> pd.DatetimeIndex:
    """Return the moments of a column that may have blanks (NaT), in UTC; shape (n,)."""
    known = values.notna().to_numpy()
    nanos = np.full(len(values), np.iinfo(np.int64).min)
    if known.any():
        rules = StampRules(name, given.timezone or NEW_YORK)
        stamps = _no_words(values[known], name)
        moments = _read(stamps, lambda: local_times(stamps, rules, given.calendar), name)
        nanos[known] = np.asarray(moments.asi8)
    return local_stamps(nanos, given.calendar).tz_convert("UTC")


def _rights(values: pd.Series, name: str) -> npt.NDArray[np.object_]:
    """Return "C" or "P" for rights written C, CE, call, P, PE, put, 1 or -1; shape (n,)."""
    codes, words = pd.factorize(values)
    sides = [_SIDES.get(str(w).strip().upper().removesuffix(".0"), "") for w in words]
    if "" in sides or (codes < 0).any():
        odd = words[sides.index("")] if "" in sides else "blank"
        raise InputError(f"{name}: right is {odd!r}; wanted C or P, mend the file")
    return np.array(sides, dtype=object)[codes]
