"""From a reader's raw chain to an `OptionChain` with its report: moment, spot, expiries."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray
from hpi_bt.errors import InputError, Note, Severity, did_you_mean
from hpi_bt.options.chain import OptionChain
from hpi_bt.options.columns import LISTED, QUOTES, moved_expiries
from hpi_bt.options.expiries import expiry_time, timestamp_of
from hpi_bt.sources.bars import MOST
from hpi_bt.sources.chain_cleaning import (
    CleaningReport,
    checked_contracts,
    cleaning_report,
    differing_repeats,
    droppable,
    oddities,
    refuse_adjusted,
)
from hpi_bt.sources.chain_markers import without_fillers
from hpi_bt.sources.chain_parity import parity_spot
from hpi_bt.sources.chain_units import check_units
from hpi_bt.sources.gatherings import GATHER
from hpi_bt.sources.hours import session_bounds, session_close_stamps

NEW_YORK = "America/New_York"
FIRST_YEAR, LAST_YEAR = 1970, 2200  # of any date or moment; beyond lies a typing error

Moment: TypeAlias = str | date | datetime | pd.Timestamp
Unit: TypeAlias = Literal["coin_prices", "strike_thousandths"]
UNITS = ("coin_prices", "strike_thousandths")
SHARES = 100.0  # under a contract, where nothing says otherwise


class ChainFile(NamedTuple):
    """A chain as read, expired contracts still in it, and what was found while reading."""

    chain: OptionChain
    report: CleaningReport


@dataclass(frozen=True)
class Given:
    """What the caller says; it goes before what the file says.

    Parameters
    ----------
    as_of : str, date or datetime, optional
        Moment of the chain, in `timezone` where it names no zone; a date is the session's close.
    spot : float or "parity", optional
        Price of the underlying; "parity" takes it from the options.
    symbol : str, optional
        Underlying; selects rows where a file holds several.
    timezone : str, optional
        Zone of stamps without one; New York for the layouts of CBOE and Yahoo.
    rate, dividend : float
        Continuous, per year.
    multiplier : float, optional
        Units of the underlying per unit of open interest; 100 where nothing is said.
    calendar : str
        Exchange calendar of expiries and sessions.
    expiry_at : str, optional
        Time of the expiry where it is not the session's close ("15:30").
    stale_days : float, optional
        A quote is stale if the last trade is older; else if the last session saw none.
    late_minutes : float
        How much older the quotes are than the stamps of the file.
    stamp_format : str, optional
        Layout of stamps and expiries that are not ISO 8601 (%m/%d/%Y).
    unit : {"coin_prices", "strike_thousandths"}, optional
        Prices in units of the underlying, or strikes times 1,000: converted.
    gather : float
        Minutes within which stamps of different contracts are one snapshot.
    """

    as_of: Moment | None = None
    spot: float | Literal["parity"] | None = None
    symbol: str | None = None
    timezone: str | None = None
    rate: float = 0.0
    dividend: float = 0.0
    multiplier: float | None = None
    calendar: str = "XNYS"
    expiry_at: str | None = None
    stale_days: float | None = None
    late_minutes: float = 0.0
    stamp_format: str | None = None
    unit: Unit | None = None
    gather: float = GATHER

    def __post_init__(self) -> None:
        if self.unit is not None and self.unit not in UNITS:
            raise InputError(
                f"{self.unit!r}{did_you_mean(self.unit, UNITS)}", field="unit", remedy="choose one"
            )
        if not 0.0 <= self.gather < math.inf:
            raise InputError(f"{self.gather:g}; wanted minutes, 0 or more", field="gather")

    @property
    def strike_units(self) -> float:
        """What strikes of the file are divided by."""
        return 1000.0 if self.unit == "strike_thousandths" else 1.0


class RawChain(NamedTuple):
    """What a reader found: one row per contract, the file's own moment and spot.

    `contracts` has expiry (naive dates or moments with a zone), strike, right ("C" or "P") and,
    where known, contract, root, bid, ask, last, iv, delta, gamma, volume, open_interest,
    last_trade (with a zone). `moment` and `spot` are None where the file does not say; `zone` is
    that of moments given without one, None where the layout has none. `columns` has the file's
    names of ours and `others` those of columns not read, for messages; `dated` says that the file
    gives the moment's date alone.
    """

    name: str
    contracts: pd.DataFrame
    moment: pd.Timestamp | None
    spot: float | None
    symbol: str
    zone: str | None = None
    notes: tuple[str, ...] = ()
    columns: Mapping[str, str] | None = None
    dated: bool = False
    others: tuple[str, ...] = ()


def finished(raw: RawChain, given: Given) -> ChainFile:
    """Return the chain of what was read and given, cleaned, with its report.

    Raises
    ------
    InputError
        Moment or spot are neither given nor in the file, or the contracts are impossible.
    """
    if raw.contracts.empty:
        raise InputError("no contracts; wanted at least one row", where=raw.name)
    notes = list(raw.notes)
    as_of = _as_of(raw, given, notes)
    contracts, dropped = _kept(raw, notes)
    symbol = given.symbol or raw.symbol
    refuse_adjusted(contracts, symbol, given.multiplier, raw.name)
    if not isinstance(contracts["expiry"].dtype, pd.DatetimeTZDtype):
        dates = pd.DatetimeIndex(contracts["expiry"])
        contracts[LISTED], contracts["expiry"] = dates, _expiry_moments(contracts, symbol, given)
        notes.extend(moved_expiries(dates, pd.DatetimeIndex(contracts["expiry"])))
    spot = _spot(raw, contracts, as_of, given, notes)
    contracts = without_fillers(contracts, spot, notes)
    expired = (contracts["expiry"] <= as_of).to_numpy(dtype=bool)
    notes.extend(
        check_units(
            contracts[~expired], spot, as_of, raw.columns or {}, asked=given.unit, name=raw.name
        )
    )
    stale = _stale(contracts, as_of, given)
    notes.extend(oddities(contracts))
    report = cleaning_report(
        contracts, expired=expired, stale=stale, dropped=dropped, notes=tuple(notes)
    )
    absent = {name: np.nan for name in QUOTES if name not in contracts}  # `oddities` says so
    try:
        chain = OptionChain(
            contracts.assign(**absent),
            spot,
            as_of,
            rate=given.rate,
            dividend=given.dividend,
            multiplier=SHARES if given.multiplier is None else given.multiplier,
            symbol=symbol,
            notes=(*notes, *report.lines),
            calendar=given.calendar,
            expiry_at=given.expiry_at,
        )
    except InputError as error:
        raise (error.within(raw.name) if error.field == "contracts" else error) from None
    return ChainFile(chain, report)


def moment_of(value: Moment, zone: str | None, calendar: str, name: str) -> pd.Timestamp:
    """Return a moment with its zone; a bare date is the close of that date's session.

    Raises
    ------
    InputError
        It is no moment, or neither it nor `zone` names a time zone.
    """
    try:
        stamp = timestamp_of(value)
        if stamp is None:
            raise ValueError
        known = None if zone is None else ZoneInfo(zone)
    except (ValueError, TypeError, KeyError, OSError):
        raise InputError(
            f"{str(value)!r} in {zone or 'no zone'} is no moment; wanted one such as "
            "2023-09-14 15:30 and a zone such as America/New_York",
            field="as_of",
        ) from None
    _sensible(stamp, name)
    text = isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value.strip())
    if text or (isinstance(value, date) and not isinstance(value, datetime)):
        return pd.Timestamp(session_close_stamps(pd.DatetimeIndex([stamp]), calendar)[0])
    if stamp.tzinfo is None and known is None:
        raise InputError(
            f"{value} has no time zone",
            field="as_of",
            remedy="write its UTC offset or give `timezone`",
        )
    return stamp.tz_localize(known) if stamp.tzinfo is None else stamp


def _as_of(raw: RawChain, given: Given, notes: list[str]) -> pd.Timestamp:
    if given.as_of is None:
        if raw.moment is None:
            raise InputError("does not say when it was made", where=raw.name, remedy="give `as_of`")
        return _sensible(raw.moment, raw.name) - pd.Timedelta(minutes=given.late_minutes)
    as_of = moment_of(given.as_of, given.timezone or raw.zone, given.calendar, raw.name)
    when = f"as of {as_of:%Y-%m-%d %H:%M %Z}, as given"
    if raw.moment is not None and raw.dated:
        text = f"{when}; the file gives the date alone, {raw.moment:%Y-%m-%d}"
        if as_of.date() == raw.moment.tz_convert(as_of.tz).date():
            notes.append(text)
        else:
            notes.append(Note(Severity.WARNING, "quotes-of-another-moment", text))
    elif raw.moment is not None and as_of != raw.moment:
        quotes = raw.moment.tz_convert(as_of.tz)
        text = f"{when}; the quotes are of {quotes:%Y-%m-%d %H:%M}"
        notes.append(Note(Severity.WARNING, "quotes-of-another-moment", text))
    elif raw.moment is None:
        notes.append(when)
    return as_of


def _sensible(moment: pd.Timestamp, name: str) -> pd.Timestamp:
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise InputError(
            f"its moment is in the year {moment.year}", where=name, remedy="give `as_of`"
        )
    return moment


def _spot(
    raw: RawChain, contracts: pd.DataFrame, as_of: pd.Timestamp, given: Given, notes: list[str]
) -> float:
    if given.spot == "parity":
        expiry = pd.DatetimeIndex(contracts["expiry"])
        rates = {"rate": given.rate, "dividend": given.dividend}
        implied, note = parity_spot(contracts, expiry, as_of, **rates, name=raw.name)
        notes.append(note)
        return implied
    spot = raw.spot if given.spot is None else float(given.spot)
    if spot is None or math.isnan(spot):
        raise InputError(
            "does not say the price of the underlying",
            where=raw.name,
            remedy="give `spot` (or 'parity')",
        )
    if not 0 < spot <= MOST:
        raise InputError(
            f"spot is {spot:g}; wanted a number above 0 and within {MOST:g}",
            where=raw.name,
            remedy="give `spot`",
        )
    if given.spot is not None:
        own = "" if raw.spot is None or raw.spot == spot else f"; the file says {raw.spot:g}"
        notes.append(f"spot {spot:g}, as given{own}")
    return spot


def _kept(raw: RawChain, notes: list[str]) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the contracts, each once and with quotes that a market can have; what was dropped."""
    contracts = checked_contracts(raw.contracts, raw.name, raw.columns or {}, notes)
    repeated, adjusted = droppable(contracts)
    notes.extend(differing_repeats(contracts, repeated, raw.name, raw.others))
    dropped = {"duplicated": int(repeated.sum()), "adjusted": int(adjusted.sum())}
    out = contracts[~(repeated | adjusted)]
    return out.reset_index(drop=True), dropped


def _expiry_moments(contracts: pd.DataFrame, symbol: str, given: Given) -> pd.Series:
    """Return the moments of expiry, found once for each date and root; length n."""
    keys = ["expiry", "root"] if "root" in contracts else ["expiry"]
    places = contracts.groupby(keys, sort=False).ngroup().to_numpy()
    several = contracts[keys].drop_duplicates()  # in the order of their numbers
    moments = expiry_time(
        pd.DatetimeIndex(several["expiry"]),
        symbol=symbol,
        root=list(several["root"]) if "root" in several else None,
        calendar=given.calendar,
        at=given.expiry_at,
    )
    return pd.Series(moments[places], index=contracts.index)


def _stale(contracts: pd.DataFrame, as_of: pd.Timestamp, given: Given) -> BoolArray | None:
    """Return which contracts had no trade in the session, or in `stale_days`; None if unknown."""
    if "last_trade" in contracts:
        since = (
            _last_open(as_of, given.calendar)
            if given.stale_days is None
            else as_of - pd.Timedelta(given.stale_days, "D")
        )
        return ~(contracts["last_trade"] >= since).to_numpy(dtype=bool)
    if "volume" in contracts:
        return ~(contracts["volume"] > 0).to_numpy(dtype=bool)
    return None


def _last_open(as_of: pd.Timestamp, calendar: str) -> pd.Timestamp:
    """Return the open of the last session that had begun by then."""
    today = as_of.tz_convert("UTC").toordinal()
    opens, _, known = session_bounds(np.arange(today - 14, today + 2), calendar)
    begun = opens[known & (opens <= as_of.as_unit("ns").value)]
    if not len(begun):
        return as_of.normalize()
    return pd.Timestamp(begun.max(), tz="UTC")
