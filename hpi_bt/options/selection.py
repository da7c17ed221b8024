"""The expiries of a chain: which there are, which are alive, which are meant."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray, IntArray
from hpi_bt.errors import InputError
from hpi_bt.options.columns import LISTED
from hpi_bt.options.expiries import expiry_time, timestamp_of

if TYPE_CHECKING:
    from hpi_bt.options.chain import OptionChain


def different_expiries(expiry: pd.DatetimeIndex, zone: str) -> tuple[pd.DatetimeIndex, IntArray]:
    """Return the different moments of expiry, ascending, and each contract's place in them."""
    nanos, codes = np.unique(expiry.as_unit("ns").asi8, return_inverse=True)
    moments = pd.DatetimeIndex(nanos.astype("M8[ns]"), tz="UTC").tz_convert(zone)
    codes = codes.astype(np.int64)
    codes.setflags(write=False)
    return moments, codes


def contracts_meant(chain: OptionChain, expiry: str | date | Iterable[date | str]) -> BoolArray:
    """Return which contracts expire when it is meant, shape (n_contracts,).

    Parameters
    ----------
    chain : OptionChain
    expiry : "0dte", date, moment, or a list of them
        As in `OptionChain.select`.

    Raises
    ------
    InputError
        One of them is no date, or no contract expires then.
    """
    wanted = [expiry] if isinstance(expiry, str | date) else list(expiry)
    chosen = np.zeros(len(chain), dtype=bool)
    for one in wanted:
        chosen |= _meant(chain, one)
    return chosen


def on_date(chain: OptionChain, day: pd.Timestamp) -> BoolArray:
    """Return which contracts are listed under a date or end on it, shape (n_contracts,).

    One that is listed under a holiday ends with the session before; a session that ends at midnight
    is of the day before.
    """
    ends = (chain.expiry - pd.Timedelta(1, "ns")).tz_localize(None).normalize()
    return np.asarray((ends == day) | (pd.DatetimeIndex(chain.contracts[LISTED]) == day))


def listed_dates(chain: OptionChain) -> pd.DatetimeIndex:
    """Return the date that each of the chain's `expiries` is listed under, the first of several."""
    dates = pd.DatetimeIndex(chain.contracts[LISTED]).as_unit("ns").asi8
    first = np.full(len(chain.expiries), np.iinfo(np.int64).max)
    np.minimum.at(first, chain.expiry_code, dates)
    return pd.DatetimeIndex(first.astype("M8[ns]"))


def at_open(chain: OptionChain) -> BoolArray:
    """Return which of the chain's `expiries` are the open of their date's session."""
    if chain.calendar is None:
        return np.zeros(len(chain.expiries), dtype=bool)
    dates = chain.expiry_dates
    opens = expiry_time(
        dates, settlement=["am"] * len(dates), calendar=chain.calendar, timezone=chain.timezone
    )
    return np.asarray(opens == chain.expiries)


def _meant(chain: OptionChain, when: str | date) -> BoolArray:
    """Return which contracts are meant by one date, moment or "0dte"."""
    if isinstance(when, str) and when.lower() == "0dte":
        chosen = on_date(chain, chain.as_of.tz_convert(chain.zone).tz_localize(None).normalize())
    else:
        moment = timestamp_of(when)
        if moment is None:
            raise InputError(
                f"{when!r} is no date; give '0dte', 'all' or one like 2023-09-15", field="expiry"
            )
        if moment.tz is None:
            chosen = on_date(chain, moment.normalize())
        else:
            chosen = np.asarray(chain.expiry == moment)
    if not chosen.any():
        have = sorted({f"{day:%Y-%m-%d}" for day in pd.DatetimeIndex(chain.contracts[LISTED])})
        some = ", ".join([*have[:8], "..."] if len(have) > 8 else have)
        raise InputError(f"no contract expires on {when!s} (there are {some})", field="expiry")
    return chosen


def check_alive(chain: OptionChain) -> None:
    """Raise InputError where the chain has no contract, or none that is alive."""
    if not len(chain):
        raise InputError("none; give at least one", field="contracts")
    if not chain.is_live.any():
        last = chain.expiry.max()
        raise InputError(
            f"all {len(chain)} have expired by {chain.as_of} (the last at {last})",
            field="contracts",
            remedy="give the moment of the quotes as `as_of`",
        )
