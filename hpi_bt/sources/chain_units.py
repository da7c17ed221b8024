"""Units of strikes and prices: coin prices and strikes in thousandths, seen by what they say."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray
from hpi_bt.errors import InputError, Note, Severity

_SCALES = (1000.0, 100.0, 10_000.0)  # that strikes are written in; spot lies within them then
_DEEP = 0.02  # of spot that a contract is in the money by
_FAR_BELOW = 0.5  # of intrinsic value
_NEARLY = 0.9  # of intrinsic value that an option is worth, and of the contracts that must be
_FEWEST = 4  # contracts in the money that tell anything


def check_units(
    contracts: pd.DataFrame,
    spot: float,
    columns: Mapping[str, str],
    *,
    asked: str | None,
    name: str,
) -> list[Note]:
    """Return what is odd of strikes and prices beside spot; refuse those in another unit.

    Parameters
    ----------
    contracts : DataFrame of n rows
        strike, right ("C" or "P") and, where known, bid and ask; none that has expired.
    spot : float
        Price of the underlying, in the money of the strikes.
    columns : mapping of str to str
        Our name of a column: the file's.
    asked : str, optional
        The unit that the file was read in.
    name : str
        The file.

    Raises
    ------
    InputError
        Strikes are 1,000 (or 100, or 10,000) times spot; most mids in the money lie far below
        intrinsic value and are option prices once multiplied by spot.
    """
    if contracts.empty:
        return []
    strike = contracts["strike"].to_numpy(dtype=np.float64)
    _check_strikes(strike, spot, columns.get("strike", "strike"), asked, name)
    if not {"bid", "ask"} <= set(contracts):
        return []
    bid, ask = (contracts[c].to_numpy(dtype=np.float64) for c in ("bid", "ask"))
    call = contracts["right"].to_numpy() == "C"
    intrinsic = np.where(call, spot - strike, strike - spot)
    mid = 0.5 * (bid + ask)
    told = (bid > 0.0) & (ask >= bid) & (intrinsic >= _DEEP * spot)
    below = told & (mid < _FAR_BELOW * intrinsic)
    if told.sum() < _FEWEST or 2 * below.sum() <= told.sum():
        return []
    found = f"{int(below.sum())} of {int(told.sum())} contracts in the money are quoted far below"
    found += f" their intrinsic value at spot {spot:,.10g}"
    if asked is None and _are_coins(mid, intrinsic, np.where(call, spot, strike), told, spot):
        quotes = " and ".join(columns.get(c, c) for c in ("bid", "ask"))
        raise InputError(
            f"{quotes} look like prices in coin: {found}",
            where=name,
            remedy="give `unit=coin_prices`",
        )
    text = f"{found}: prices, strikes or spot are of another unit, moment or underlying"
    return [Note(Severity.WARNING, "below-intrinsic", text)]


def _check_strikes(
    strike: FloatArray, spot: float, column: str, asked: str | None, name: str
) -> None:
    low, high = float(strike.min()), float(strike.max())
    if low <= spot <= high:
        return
    scale = next((s for s in _SCALES if low <= s * spot <= high), None)
    if scale is not None:
        thousandths = scale == _SCALES[0] and asked is None
        raise InputError(
            f"{low:,.10g} to {high:,.10g}, which is {scale:,.0f} times spot {spot:,.10g}",
            where=name,
            field=column,
            remedy="give `unit=strike_thousandths`" if thousandths else "divide them in the file",
        )
    if asked == "strike_thousandths" and low <= spot / _SCALES[0] <= high:
        raise InputError(
            f"{low:,.10g} to {high:,.10g} after division by 1,000, beside spot {spot:,.10g}",
            where=name,
            field=column,
            remedy="leave out `unit`",
        )


def _are_coins(
    mid: FloatArray, intrinsic: FloatArray, bound: FloatArray, told: BoolArray, spot: float
) -> bool:
    """Return whether nearly all mids are worth an option once multiplied by spot."""
    worth = mid * spot
    fits = (worth >= _NEARLY * intrinsic) & (worth <= bound / _NEARLY)
    return bool((fits & told).sum() >= _NEARLY * told.sum())
