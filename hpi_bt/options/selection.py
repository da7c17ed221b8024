"""The expiries of a chain: which there are, which are alive, which are meant."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray, IntArray
from hpi_bt.errors import InputError
from hpi_bt.options.expiries import timestamp_of

if TYPE_CHECKING:
    from hpi_bt.options.chain import OptionChain


def different_expiries(expiry: pd.DatetimeIndex, zone: str) -> tuple[pd.DatetimeIndex, IntArray]:
    """Return the different moments of expiry, ascending, and each contract's place in them."""
    nanos, codes = np.unique(expiry.as_unit("ns").asi8, return_inverse=True)
    moments = pd.DatetimeIndex(nanos.astype("M8[ns]"), tz="UTC").tz_convert(zone)
    codes = codes.astype(np.int64)
    codes.setflags(write=False)
    return moments, codes


def expiries_meant(chain: OptionChain, expiry: str | date | Iterable[date | str]) -> BoolArray:
    """Return which of the chain's `expiries` are meant, shape (n_expiries,).

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
    chosen = np.zeros(len(chain.expiries), dtype=bool)
    for one in wanted:
        chosen |= _meant(chain, one)
    return chosen


def _meant(chain: OptionChain, when: str | date) -> BoolArray:
    """Return which expiries are meant by one date, moment or "0dte"."""
    dates = np.asarray(chain.expiries.tz_localize(None).normalize())
    if isinstance(when, str) and when.lower() == "0dte":
        today = chain.as_of.tz_convert(chain.zone).tz_localize(None).normalize()
        chosen = dates == today.to_datetime64()
    else:
        moment = timestamp_of(when)
        if moment is None:
            raise InputError(
                f"expiry: {when!r} is no date; give '0dte', 'all' or one like 2023-09-15"
            )
        if moment.tz is None:
            chosen = dates == moment.normalize().to_datetime64()
        else:
            chosen = np.asarray(chain.expiries == moment)
    if not chosen.any():
        have = sorted({str(d)[:10] for d in dates})
        some = ", ".join([*have[:8], "..."] if len(have) > 8 else have)
        raise InputError(f"expiry: no contract expires on {when!s} (there are {some})")
    return np.asarray(chosen)


def check_alive(chain: OptionChain) -> None:
    """Raise InputError where the chain has no contract, or none that is alive."""
    if not len(chain):
        raise InputError("contracts: none; give at least one")
    if not chain.is_live.any():
        last = chain.expiry.max()
        raise InputError(
            f"contracts: all {len(chain)} have expired by {chain.as_of} (the last at {last}); "
            "give the moment of the quotes as as_of"
        )
