"""CBOE's delayed quotes as the JSON that its pages load."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.errors import InputError, shortened
from hpi_bt.options.expiries import timestamp_of
from hpi_bt.sources.chain_cboe import DELAYED
from hpi_bt.sources.chain_cleaning import NUMBERS
from hpi_bt.sources.chain_file import NEW_YORK, Given, RawChain
from hpi_bt.sources.occ import main_root, parse_occ
from hpi_bt.sources.tables import to_numbers

_JSON_FIELDS = {n: n for n in NUMBERS} | {"last": "last_trade_price"}
_MOST = 1e15  # dollars
_LIVE = pd.Timedelta(30, "min")  # since the last trade, while the market is open


def cboe_json(answer: Any, given: Given, *, name: str) -> RawChain:
    """Return the contracts of CBOE's delayed-quote JSON.

    Parameters
    ----------
    answer : dict
        An object with `timestamp` (UTC, when the answer was made) and `data`: current_price,
        last_trade_time (New York) and options, each with `option`, its OCC symbol.
    given, name
        As for `chain_cboe.cboe_csv`.

    Raises
    ------
    InputError
        No options in it.

    Notes
    -----
    Quotes are about 15 minutes older than `timestamp`. While the market is open (the underlying
    traded within 30 minutes before it) the moment is that of the underlying's last trade, which
    is when the quotes were made; else it is `timestamp`.
    """
    data = answer.get("data") if isinstance(answer, dict) else None
    options = data.get("options") if isinstance(data, dict) else None
    rows = options if isinstance(options, list) else []
    if not isinstance(data, dict) or not rows or not all(isinstance(row, dict) for row in rows):
        raise InputError("no data.options; wanted the delayed quotes of CBOE", where=name)
    contracts = _json_contracts(rows, name)
    notes: list[str] = []
    moment = _json_moment(answer.get("timestamp"), data.get("last_trade_time"), notes, name)
    spot = _json_spot(data, notes, name)
    own = str(data.get("symbol") or answer.get("symbol") or "").strip("^_ ")
    symbol = given.symbol or own or main_root(contracts["root"].to_numpy())
    return RawChain(name, contracts, moment, spot, symbol, NEW_YORK, tuple(notes))


def _json_contracts(options: list[dict[str, Any]], name: str) -> pd.DataFrame:
    def column(key: str) -> pd.Series:
        return pd.Series([o.get(key) for o in options], name=key)

    symbols = column("option")
    known = {k for o in options[:1] for k in o}
    numbers = {
        ours: to_numbers(column(theirs), name)
        for ours, theirs in _JSON_FIELDS.items()
        if theirs in known
    }
    if "delta" in numbers:  # -999 marks none
        numbers["delta"] = np.where(np.abs(numbers["delta"]) <= 1, numbers["delta"], np.nan)
    fields = parse_occ(symbols, name=name)
    out = pd.DataFrame({"contract": symbols, **fields._asdict(), **numbers})
    if "last_trade_time" in known:
        times = pd.to_datetime(column("last_trade_time"), format="ISO8601", errors="coerce")
        out["last_trade"] = times.dt.tz_localize(NEW_YORK, ambiguous=False, nonexistent="NaT")
    return out


def _json_moment(made: Any, traded: Any, notes: list[str], name: str) -> pd.Timestamp | None:
    if not made:
        return None
    moment, trade = timestamp_of(made), timestamp_of(traded)
    if moment is None or (traded and trade is None):
        wrong = made if moment is None else traded
        raise InputError(
            f"{str(wrong)[:40]!r}; wanted a time",
            where=name,
            field="timestamp",
            remedy="give `as_of`",
        )
    moment = moment.tz_localize("UTC") if moment.tzinfo is None else moment
    moment = moment.tz_convert(NEW_YORK)
    if trade is not None:
        trade = trade.tz_localize(NEW_YORK) if trade.tzinfo is None else trade
        if moment - _LIVE <= trade <= moment:
            notes.append(
                f"as of the last trade of the underlying, in an answer of {moment:%H:%M %Z}"
            )
            return trade.tz_convert(NEW_YORK)
    notes.append(DELAYED)
    return moment


def _json_spot(data: dict[str, Any], notes: list[str], name: str) -> float | None:
    for key in ("current_price", "close"):
        value = data.get(key)
        if value is None or value == 0:
            continue
        number = value if isinstance(value, int | float) and abs(value) < _MOST else None
        if number is None or isinstance(value, bool):
            raise InputError(
                f"{shortened(str(value), 40)!r}; wanted a number",
                where=name,
                field=key,
                remedy="give `spot`",
            )
        if key == "close":
            notes.append("spot is the close: the answer has no current price")
        return float(number)
    return None
