"""Option chains of Yahoo: saved tables with the capture's meta file, and yfinance's answers."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.errors import InputError
from hpi_bt.options.expiries import timestamp_of
from hpi_bt.sources.base import Locations
from hpi_bt.sources.chain_columns import ALIASES, contracts_of, find_columns
from hpi_bt.sources.chain_file import NEW_YORK, ChainFile, Given, Moment, RawChain, finished
from hpi_bt.sources.chain_table import load_chain_table
from hpi_bt.sources.chain_tidy import Snapshots, split_snapshots, without_filler
from hpi_bt.sources.occ import main_root, parse_occ
from hpi_bt.sources.tables import header
from hpi_bt.sources.yahoo_download import bounded_session

_TABLE = (
    *("contract", "expiry", "strike", "right", "last", "bid", "ask"),
    *("volume", "open_interest", "iv", "last_trade"),
)


def is_yahoo(names: list[str]) -> bool:
    """Return whether these are the columns of a saved Yahoo chain."""
    return {"contractSymbol", "impliedVolatility", "openInterest"} <= set(names)


def yahoo_snapshots(path: Path, given: Given, *, name: str, columns: dict[str, str]) -> Snapshots:
    """Return a saved Yahoo chain, or several one after the other, split by their stamps.

    Parameters
    ----------
    path : Path
        Table with contractSymbol, impliedVolatility and so on; `<SYMBOL>_chain_<date>.csv.gz`
        takes moment (`utc`) and spot (`spot_live`) from `meta_<date>.json` beside it.
    given : Given
        Needed for moment and spot where there is no such file and no column of them. Stamps that
        name no zone are New York's.
    name : str
        The file, for messages.
    columns : dict of str to str
        Our name of a column: its name in the file.

    Raises
    ------
    InputError
        The table or its meta file cannot be read.

    Notes
    -----
    A `spot` column beside a `session` column is the close of the session before the quotes and is
    never taken for the spot. Blank volume is no trade. Vols of contracts without any quote are
    Yahoo's filler and left out.
    """
    session = "session" in header(path, name)
    wanted = [c for c in ALIASES if not (session and c in ("spot", "underlying"))]
    found = load_chain_table(path, given, name=name, columns=columns, wanted=wanted)
    local = given if given.timezone else replace(given, timezone=NEW_YORK)
    snapshots = split_snapshots(found, local, kind="yahoo")
    if "contract" not in found.rows:
        raise InputError(
            "no column 'contractSymbol'", where=name, remedy="give `kind=auto` for another layout"
        )
    roots = parse_occ(found.rows["contract"].drop_duplicates(), name=name).root
    moment, spot, notes = _meta(path, given.symbol or main_root(roots), name)
    if spot is None and given.spot is None and session:
        raise InputError(
            "its spot column is the close before the session, and no meta file with spot_live "
            "lies beside it",
            where=name,
            remedy="give `spot`",
        )
    notes = (*snapshots.notes, *notes)
    return replace(snapshots, own=(moment, spot), notes=notes, zone=NEW_YORK)


def _meta(
    path: Path, symbol: str, name: str
) -> tuple[pd.Timestamp | None, float | None, tuple[str, ...]]:
    """Return the moment and spot of the capture, and notes; None where no file tells."""
    dated = re.search(r"_chain_(\d{4}-\d\d-\d\d)\b", path.name)
    beside = path.with_name(f"meta_{dated[1]}.json") if dated else None
    if beside is None or not beside.is_file():
        return None, None, ()
    try:
        meta = json.loads(beside.read_text(encoding="utf-8"))
        moment = timestamp_of(meta["utc"])
        if moment is None:
            raise ValueError
        spot = float(meta["tickers"][symbol]["spot_live"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise InputError(
            f"{beside.name} beside it has no utc or no spot_live of {symbol} "
            f"({type(error).__name__})",
            where=name,
            remedy="fix it, or remove it and give `as_of` and `spot`",
        ) from None
    moment = moment.tz_localize("UTC") if moment.tzinfo is None else moment
    note = f"moment and spot_live from {beside.name}; a spot column is the prior close"
    return moment.tz_convert(NEW_YORK), spot, (note,)


def chain_of_yfinance(
    calls: Any,
    puts: pd.DataFrame | None = None,
    *,
    spot: float | None = None,
    as_of: Moment | None = None,
    expiry: date | str | None = None,
    symbol: str | None = None,
    rate: float = 0.0,
    dividend: float = 0.0,
    multiplier: float | None = None,
    calendar: str = "XNYS",
) -> ChainFile:
    """Return the chain of what yfinance's `Ticker.option_chain` answered.

    Parameters
    ----------
    calls : DataFrame or the answer itself
        The calls; or the whole answer, with its `calls`, `puts` and `underlying`.
    puts : DataFrame, optional
        None with a whole answer. Tables may be of one expiry or of several put under one another,
        and either may be empty.
    spot : float, optional
        Price of the underlying at `as_of`; needed without a whole answer that tells it.
    as_of : str or datetime, optional
        Moment of the answer; New York where it names no zone. Needed as `spot` is.
    expiry : date or str, optional
        Expiry of all rows; the contract symbols say it by default.
    symbol : str, optional
        Underlying; from the contract symbols by default.
    rate, dividend : float, default=0
        Continuous, per year.
    multiplier : float, optional
        Shares per contract, 100 by default.
    calendar : str, default="XNYS"
        Exchange calendar of expiries and sessions.

    Raises
    ------
    InputError
        No contracts, columns are missing, or neither tables nor an answer are given.
    """
    name = f"yfinance {symbol}" if symbol else "yfinance"
    calls, puts, quote = _sides(calls, puts, name)
    own_spot, own_moment = _spot_and_moment(quote)
    given = Given(as_of, spot, symbol, None, rate, dividend, multiplier, calendar)
    sides = [
        side.assign(type=right)
        for side, right in ((calls, "C"), (puts, "P"))
        if side is not None and len(side)
    ]
    if not sides:
        raise InputError(f"{name}: no calls and no puts; choose another expiry or symbol")
    table = pd.concat(sides, ignore_index=True)
    if expiry is not None:
        table = table.assign(expiry=pd.Timestamp(expiry))
    places = find_columns([str(c) for c in table.columns], {}, _TABLE, name=name)
    ours = {theirs: ours for ours, theirs in places.items()}
    contracts = contracts_of(table[list(ours)].rename(columns=ours), given, name=name)
    roots = contracts["root"].to_numpy() if "root" in contracts else np.array([], dtype=object)
    raw = RawChain(
        name, without_filler(contracts), own_moment, own_spot, symbol or main_root(roots), NEW_YORK
    )
    return finished(raw, given)


def _sides(
    calls: Any, puts: pd.DataFrame | None, name: str
) -> tuple[pd.DataFrame | None, pd.DataFrame | None, dict[str, Any]]:
    """Return calls, puts and the underlying's quote of two tables or of one whole answer."""
    quote: dict[str, Any] = {}
    if puts is None and hasattr(calls, "calls") and hasattr(calls, "puts"):
        quote = dict(getattr(calls, "underlying", None) or {})
        calls, puts = calls.calls, calls.puts
    for side in (calls, puts):
        if side is not None and not isinstance(side, pd.DataFrame):
            raise InputError(
                f"{name}: a {type(side).__name__}; give what option_chain answered, or its calls "
                "and puts"
            )
    return calls, puts, quote


def _spot_and_moment(quote: dict[str, Any]) -> tuple[float | None, pd.Timestamp | None]:
    """Return price and time of Yahoo's quote of an underlying, None where it is silent."""
    spot, stamp = quote.get("regularMarketPrice"), quote.get("regularMarketTime")
    moment = None if stamp is None else pd.Timestamp(int(stamp), unit="s", tz="UTC")
    return (
        None if spot is None else float(spot),
        None if moment is None else moment.tz_convert(NEW_YORK),
    )


def fetch_chain(
    symbol: str,
    *,
    expiries: int | None = None,
    where: Locations | None = None,
    rate: float = 0.0,
    dividend: float = 0.0,
    multiplier: float | None = None,
) -> ChainFile:
    """Return the chain that Yahoo shows now; moment and spot are those of its own quote.

    Parameters
    ----------
    symbol : str
        In Yahoo's spelling (IWM, ^SPX).
    expiries : int, optional
        How many of the nearest expiries; all of them by default.
    where : Locations, optional
        Says whether the network may be used.
    rate, dividend : float, default=0
        Continuous, per year.
    multiplier : float, optional
        Shares per contract, 100 by default.

    Raises
    ------
    InputError
        Offline, no such symbol, or Yahoo cannot be reached.
    """
    if where is not None and where.offline:
        raise InputError(f"{symbol}: offline, so no chain can be fetched; read a saved file")
    calls, puts, quote = _download(symbol, expiries)
    spot, as_of = _spot_and_moment(quote)
    if spot is None or as_of is None:
        raise InputError(f"{symbol}: Yahoo gave no price or no time with the chain; try again")
    return chain_of_yfinance(
        calls,
        puts,
        spot=spot,
        as_of=as_of,
        symbol=symbol.lstrip("^"),
        rate=rate,
        dividend=dividend,
        multiplier=multiplier,
    )


def _download(
    symbol: str, expiries: int | None
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Return all calls, all puts and the underlying's quote of the first answer."""
    import yfinance

    try:
        ticker = yfinance.Ticker(symbol, session=bounded_session())
        answers = [ticker.option_chain(day) for day in ticker.options[:expiries]]
    except Exception as error:  # whatever its HTTP layers raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:100]
        raise InputError(f"{symbol}: no chain from Yahoo ({reason}); try again later") from None
    good = [a for a in answers if a.calls is not None and a.puts is not None]
    if not good:
        raise InputError(f"{symbol}: Yahoo lists no options; check the symbol (IWM, ^SPX)")
    calls = pd.concat([a.calls for a in good], ignore_index=True)
    puts = pd.concat([a.puts for a in good], ignore_index=True)
    return calls, puts, dict(good[0].underlying or {})
