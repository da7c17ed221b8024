"""One option chain at one moment: its contracts, spot and time, checked once (definitions 5)."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.options.columns import checked_contracts, checked_moment, checked_scalars
from hpi_bt.options.expiries import exchange_zone
from hpi_bt.options.mids import LAST_PRICES, middles, traded
from hpi_bt.options.selection import (
    at_open,
    check_alive,
    contracts_meant,
    different_expiries,
    listed_dates,
)

YEAR = 365 * 86_400 * 10**9  # nanoseconds of the year that tau_years counts in


@dataclass(frozen=True, eq=False, repr=False)
class OptionChain:
    """Contracts of one underlying at one moment.

    Parameters
    ----------
    contracts : DataFrame, one row a contract
        Needs expiry (a date, or a moment with a time zone), strike (dollars) and right ("C"/"P"
        or +1/-1). Known besides: bid, ask (dollars), iv (decimal; 0 is none), volume,
        open_interest (contracts), root ("SPX"), settlement ("am"/"pm"), dealer_position,
        open_interest_live, trade_flow (signed contracts, customer buys +). Others are kept.
    spot : float
        Price of the underlying, unadjusted, in dollars.
    as_of : Timestamp, datetime or str
        Moment of the quotes, with its time zone; never taken from the clock.
    rate, dividend : float, default=0
        Continuous, per year.
    multiplier : float, default=100
        Shares per contract.
    symbol : str
        Underlying; "SPX" makes third Fridays morning-settled where `root` is silent.
    notes : tuple of str
        What was found, assumed or left out on the way here, one plain sentence each.
    calendar, expiry_at, timezone
        How expiry dates become moments: see `expiry_time`, whose `at` is `expiry_at`.

    Raises
    ------
    InputError
        A column is missing or no number, or holds what no market does (strikes not above 0,
        negative prices or counts, vols in percent); a contract is listed twice; there is none,
        or none alive; a moment without a time zone; a spot or multiplier not above 0; a rate or
        dividend of 100 % a year or more.

    Notes
    -----
    Absent numbers are NaN, and `notes` says which columns were absent. All arrays are read-only,
    of shape (n_contracts,), in the order of the rows given.
    """

    contracts: pd.DataFrame
    spot: float
    as_of: pd.Timestamp
    rate: float = 0.0
    dividend: float = 0.0
    multiplier: float = 100.0
    symbol: str = ""
    notes: tuple[str, ...] = ()
    calendar: str | None = "XNYS"
    expiry_at: time | str | None = None
    timezone: str | None = None

    def __post_init__(self) -> None:
        self._check_scalars()
        frame, notes = checked_contracts(
            self.contracts,
            symbol=self.symbol,
            calendar=self.calendar,
            at=self.expiry_at,
            timezone=self.timezone,
        )
        object.__setattr__(self, "contracts", frame)
        self._add_notes(notes)
        if self.without_quotes:
            self._add_notes([LAST_PRICES])
        check_alive(self)

    def __repr__(self) -> str:
        dead = int(np.count_nonzero(~self.is_live))
        return (
            f"OptionChain({self.symbol or 'no symbol'}, {len(self)} contracts, {dead} expired, "
            f"{len(self.expiries)} expiries, spot {self.spot:g}, as of {self.as_of})"
        )

    def __len__(self) -> int:
        return len(self.contracts)

    # -- arrays, one value a contract ------------------------------------------------------------

    @cached_property
    def strike(self) -> FloatArray:
        """Strikes, in dollars."""
        return self._column("strike")

    @cached_property
    def right(self) -> FloatArray:
        """+1 for calls, -1 for puts."""
        return self._column("right")

    @cached_property
    def expiry(self) -> pd.DatetimeIndex:
        """Moments of expiry, in the exchange's time zone."""
        return pd.DatetimeIndex(self.contracts["expiry"])

    @cached_property
    def tau_years(self) -> FloatArray:
        """Years of 365 days to expiry, exact to the nanosecond; 0 or below where expired."""
        left = self.expiry.as_unit("ns").asi8 - self.as_of.as_unit("ns").value
        return _frozen(left / YEAR)

    @cached_property
    def bid(self) -> FloatArray:
        """Best bids, in dollars; NaN where unknown."""
        return self._column("bid")

    @cached_property
    def ask(self) -> FloatArray:
        """Best asks, in dollars; NaN where unknown."""
        return self._column("ask")

    @cached_property
    def mid(self) -> FloatArray:
        """Middle of bid and ask where there is a bid and they are not crossed, else NaN.

        In a chain `without_quotes`: the last price of a contract with volume.
        """
        last = self.optional("last")
        if self.without_quotes and last is not None:
            return _frozen(np.where(traded(last, self.volume), last, np.nan))
        return _frozen(middles(self.bid, self.ask))

    @cached_property
    def without_quotes(self) -> bool:
        """Whether no contract has a bid or an ask, but some that traded have a last price."""
        if np.isfinite(self.bid).any() or np.isfinite(self.ask).any():
            return False
        return bool(traded(self.optional("last"), self.volume).any())

    @cached_property
    def iv(self) -> FloatArray:
        """Implied vols as the file gives them, decimals; NaN where none."""
        return self._column("iv")

    @cached_property
    def volume(self) -> FloatArray:
        """Contracts traded in the session; NaN where unknown."""
        return self._column("volume")

    @cached_property
    def open_interest(self) -> FloatArray:
        """Open contracts; NaN where unknown."""
        return self._column("open_interest")

    @property
    def dealer_position(self) -> FloatArray | None:
        """Signed dealer positions in contracts, + long, or None where the file has none."""
        return self.optional("dealer_position")

    @property
    def open_interest_live(self) -> FloatArray | None:
        """Open contracts estimated for this moment, or None."""
        return self.optional("open_interest_live")

    @property
    def trade_flow(self) -> FloatArray | None:
        """Sum of side x size of the session's customer trades (buys +), or None."""
        return self.optional("trade_flow")

    @cached_property
    def is_live(self) -> BoolArray:
        """Whether each contract has time left."""
        live = np.asarray(self.tau_years > 0.0)
        live.setflags(write=False)
        return live

    # -- expiries --------------------------------------------------------------------------------

    @cached_property
    def expiries(self) -> pd.DatetimeIndex:
        """The different moments of expiry, ascending."""
        return self._expiry_groups[0]

    @property
    def expiry_code(self) -> IntArray:
        """Place of each contract's expiry in `expiries`."""
        return self._expiry_groups[1]

    @cached_property
    def _expiry_groups(self) -> tuple[pd.DatetimeIndex, IntArray]:
        return different_expiries(self.expiry, self.zone)

    @cached_property
    def expiry_dates(self) -> pd.DatetimeIndex:
        """The date that each of `expiries` is listed under, naive; a holiday stays one."""
        return listed_dates(self)

    @cached_property
    def settles_at_open(self) -> BoolArray:
        """Whether each of `expiries` is the open of its date's session, not its close."""
        return at_open(self)

    @cached_property
    def zone(self) -> str:
        """Time zone of the exchange, in which expiry dates are dates."""
        return exchange_zone(self.calendar, self.timezone)

    # -- other chains from this one --------------------------------------------------------------

    def live(self) -> OptionChain:
        """Return the chain without its expired contracts; `notes` says how many there were."""
        dead = int(np.count_nonzero(~self.is_live))
        if not dead:
            return self
        some = "1 expired contract is" if dead == 1 else f"{dead} expired contracts are"
        return self.where(self.is_live, note=f"{some} left out.")

    def select(self, *, expiry: str | date | Iterable[date | str] = "all") -> OptionChain:
        """Return the contracts of some expiries.

        Parameters
        ----------
        expiry : {"0dte", "all"}, date, moment, or a list of dates
            "0dte" is the exchange's date of `as_of`. A date takes every contract that is listed
            under it or whose last session it is, a moment with a time zone those of that moment
            alone.

        Raises
        ------
        InputError
            No contract expires then, or all of them have expired.
        """
        if isinstance(expiry, str) and expiry.lower() == "all":
            return self
        return self.where(contracts_meant(self, expiry))

    def where(self, keep: BoolArray, *, note: str = "") -> OptionChain:
        """Return the contracts where `keep`, of shape (n_contracts,), is True, with a note."""
        return self._changed(
            contracts=self.contracts[keep].reset_index(drop=True),
            notes=self.notes + ((note,) if note else ()),
        )

    def with_(
        self,
        *,
        spot: float | None = None,
        as_of: pd.Timestamp | datetime | str | None = None,
        rate: float | None = None,
        dividend: float | None = None,
        note: str = "",
        **columns: Any,
    ) -> OptionChain:
        """Return the chain at another spot, moment or rate, or with other columns, with a note.

        Quotes and vols stay as they are. Columns (`open_interest=...`, `trade_flow=...`) are
        arrays of shape (n_contracts,) or numbers and are checked as at the start.
        """
        given = {"spot": spot, "as_of": as_of, "rate": rate, "dividend": dividend}
        changes: dict[str, Any] = {n: value for n, value in given.items() if value is not None}
        if note:
            changes["notes"] = (*self.notes, note)
        if columns:
            return OptionChain(
                **(self._fields() | changes | {"contracts": self.contracts.assign(**columns)})
            )
        return self._changed(**changes)

    def after_split(self, ratio: float) -> OptionChain:
        """Return the chain in shares of which `ratio` stand for one of its own.

        Prices and strikes are divided by it, contracts multiplied; vols and deltas stay.
        """
        factors = {
            **dict.fromkeys(("strike", "bid", "ask", "last"), 1.0 / ratio),
            **dict.fromkeys(("volume", "open_interest", "open_interest_live"), ratio),
            **dict.fromkeys(("dealer_position", "trade_flow", "gamma"), ratio),
        }
        columns = {n: self.contracts[n] * f for n, f in factors.items() if n in self.contracts}
        return self._changed(contracts=self.contracts.assign(**columns), spot=self.spot / ratio)

    def optional(self, name: Hashable) -> FloatArray | None:
        """Return a numeric column by name, or None where there is none."""
        return self._column(str(name)) if name in self.contracts else None

    # -- inside ----------------------------------------------------------------------------------

    def _column(self, name: str) -> FloatArray:
        return _frozen(self.contracts[name].to_numpy(dtype=np.float64))

    def _fields(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}

    def _changed(self, **changes: Any) -> OptionChain:
        """Return a copy with changed fields, its contracts not checked once more."""
        made = copy.copy(self)
        made.__dict__.clear()
        made.__dict__.update(self._fields() | changes)
        made._check_scalars()
        check_alive(made)
        return made

    def _add_notes(self, notes: Iterable[str]) -> None:
        new = [note for note in notes if note not in self.notes]
        object.__setattr__(self, "notes", (*self.notes, *new))

    def _check_scalars(self) -> None:
        made = checked_scalars(self._fields()) | {"as_of": checked_moment(self.as_of)}
        for name, value in (*made.items(), ("notes", tuple(self.notes))):
            object.__setattr__(self, name, value)


def _frozen(values: FloatArray) -> FloatArray:
    values = np.array(values, dtype=np.float64)
    values.setflags(write=False)
    return values
