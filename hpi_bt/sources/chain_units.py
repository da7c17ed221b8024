"""Units of strikes and prices: coin prices and strikes in thousandths, seen by what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray
from hpi_bt.errors import InputError, Note, Severity

_SCALES = (1000.0, 100.0, 10_000.0)  # that strikes are written in; spot lies within them then
_DEEP = 0.02  # of spot that a contract is in the money by
_FAR_BELOW = 0.5  # of intrinsic value
_NEARLY = 0.9  # of intrinsic value that an option is worth, and of the contracts that must be
_FEWEST = 4  # contracts in the money that tell anything
_NEAR = 0.02  # of spot: a strike at the money
_NO_VOL, _LEAST_VOL = 0.001, 0.05  # a year: no market's, and one that a coin's may well be


def check_units(
    contracts: pd.DataFrame,
    spot: float,
    as_of: pd.Timestamp,
    columns: Mapping[str, str],
    *,
    asked: str | None,
    name: str,
) -> list[Note]:
    """Return what is odd of strikes and prices beside spot; refuse those in another unit.

    Parameters
    ----------
    contracts : DataFrame of n rows
        expiry, strike, right ("C" or "P") and, where known, bid and ask; none that has expired.
    spot : float
        Price of the underlying, in the money of the strikes.
    as_of : Timestamp
        When the quotes were taken.
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
        intrinsic value and are option prices once multiplied by spot; or hardly any contract is in
        the money, and those at the money have no time value to speak of, but once multiplied.
    """
    if contracts.empty:
        return []
    strike = contracts["strike"].to_numpy(dtype=np.float64)
    check_strikes(strike, spot, columns.get("strike", "strike"), asked, name)
    quotes = [c for c in ("bid", "ask") if c in contracts and contracts[c].gt(0.0).any()]
    quotes = quotes if len(quotes) > 1 else [c for c in ("last",) if c in contracts] * 2
    if not quotes:
        return []
    bid, ask = (contracts[c].to_numpy(dtype=np.float64) for c in quotes)
    call = contracts["right"].to_numpy() == "C"
    intrinsic = np.where(call, spot - strike, strike - spot)
    mid = 0.5 * (bid + ask)
    worth = _Worth(mid, intrinsic, np.where(call, spot, strike))
    quoted = (bid > 0.0) & (ask >= bid)
    told = quoted & (intrinsic >= _DEEP * spot)
    names = " and ".join(dict.fromkeys(columns.get(c, c) for c in quotes))
    if told.sum() < _FEWEST:
        _refuse_above(worth.where(quoted), spot, names, "", asked, name)
        vols = _vols(contracts, mid, spot, as_of)[quoted]
        _refuse_no_time_value(vols, spot, names, asked, name)
        return []
    inside = worth.where(told)
    notes = _check_prices(inside, spot, names, columns.get("strike", "strike"), asked, name)
    return [*_lone_expiries(inside, contracts["expiry"][told], spot, names), *notes]


def _vols(contracts: pd.DataFrame, mid: FloatArray, spot: float, as_of: pd.Timestamp) -> FloatArray:
    """Return the yearly volatility that each mid would have at the money, mid sqrt(2 pi / t) / S.

    NaN a day before expiry, and where no strike lies close to spot: nothing is known there.
    """
    strike = contracts["strike"].to_numpy(dtype=np.float64)
    years = ((contracts["expiry"] - as_of) / pd.Timedelta(days=365)).to_numpy(dtype=np.float64)
    years = np.where(years < 1.0 / 365.0, np.nan, years)
    if not strike.min() <= spot <= strike.max() or np.abs(strike / spot - 1.0).min() > _NEAR:
        return np.full(len(mid), np.nan)
    return np.asarray(mid / spot * np.sqrt(2.0 * np.pi / years))


def _refuse_no_time_value(
    vols: FloatArray, spot: float, quotes: str, asked: str | None, name: str
) -> None:
    """Refuse prices in coin where hardly a contract is in the money, by their time value."""
    known = vols[np.isfinite(vols)]
    most = float(known.max()) if len(known) >= _FEWEST else np.nan
    if asked is None and most < _NO_VOL and most * spot > _LEAST_VOL:
        raise InputError(
            f"{quotes} look like prices in coin: at the money they are worth a volatility of "
            f"{most:.1g} a year, and of {most * spot:.2g} once multiplied by spot {spot:,.10g}",
            where=name,
            remedy="give `unit=coin_prices`",
        )


def _refuse_above(
    worth: _Worth, spot: float, quotes: str, which: str, asked: str | None, name: str
) -> None:
    """Refuse mids of which most are above what any option can be worth."""
    n, above = len(worth.mid), int((worth.mid > worth.most).sum())
    if n >= _FEWEST and 2 * above > n:
        raise InputError(
            f"{quotes} of {above} of {n} contracts{which} are above what an option can be "
            f"worth at spot {spot:,.10g}: they are in another unit",
            where=name,
            remedy="leave out `unit`" if asked else "divide them in the file, or give `spot`",
        )


class _Worth(NamedTuple):
    """Mids of contracts, what they are worth at least and at most; each of shape (n,)."""

    mid: FloatArray
    intrinsic: FloatArray
    most: FloatArray

    def where(self, keep: BoolArray) -> _Worth:
        """Return some of the contracts."""
        return _Worth(*(values[keep] for values in self))

    def fits(self, factor: float) -> bool:
        """Return whether nearly all mids are worth an option once multiplied."""
        mid = factor * self.mid
        good = (mid >= _NEARLY * self.intrinsic) & (mid <= self.most / _NEARLY)
        return bool(good.mean() >= _NEARLY)

    def is_scaled(self) -> bool:
        """Return whether most mids are no option's, but nearly all are once multiplied."""
        above, below = self.mid > self.most, self.mid < _FAR_BELOW * self.intrinsic
        if 2 * above.sum() > len(above):
            return True
        return bool(2 * below.sum() > len(below)) and any(self.fits(s) for s in _SCALES)


def _check_prices(
    worth: _Worth, spot: float, quotes: str, strike: str, asked: str | None, name: str
) -> list[Note]:
    """Return the warning that mids in the money are none of the market's; refuse other units."""
    n, at = len(worth.mid), f"at spot {spot:,.10g}"
    _refuse_above(worth, spot, quotes, " in the money", asked, name)
    below = int((worth.mid < _FAR_BELOW * worth.intrinsic).sum())
    if 2 * below <= n:
        return []
    found = f"{below} of {n} contracts in the money are quoted far below their intrinsic value {at}"
    if asked is None and worth.fits(spot):
        raise InputError(
            f"{quotes} look like prices in coin: {found}",
            where=name,
            remedy="give `unit=coin_prices`",
        )
    if asked is None and worth.fits(_SCALES[0]):
        raise InputError(
            f"looks like thousandths: {found}",
            where=name,
            field=strike,
            remedy="give `unit=strike_thousandths`",
        )
    text = f"{found}: prices, strikes or spot are of another unit, moment or underlying"
    return [Note(Severity.WARNING, "below-intrinsic", text)]


def _lone_expiries(worth: _Worth, expiry: pd.Series, spot: float, quotes: str) -> list[Note]:
    """Return a warning of the expiries quoted in another unit than the rest.

    Most of their mids in the money are above what an option can be worth, or are one once
    multiplied by 100 or so; those of another expiry are as they should be.
    """
    days = sorted(expiry.unique())
    parts = {day: worth.where((expiry == day).to_numpy(dtype=bool)) for day in days}
    odd = [day for day, part in parts.items() if len(part.mid) >= _FEWEST and part.is_scaled()]
    if not odd or not any(part.fits(1.0) for day, part in parts.items() if day not in odd):
        return []
    which = ", ".join(f"{day:%Y-%m-%d}" for day in odd[:3]) + (", ..." if len(odd) > 3 else "")
    text = (
        f"{quotes} of {which} are in another unit than those of other expiries, such as cents: in "
        f"the money they fit no option at spot {spot:,.10g}"
    )
    return [Note(Severity.WARNING, "expiry-in-another-unit", text)]


def check_strikes(
    strike: FloatArray, spot: float, column: str, asked: str | None, name: str
) -> None:
    """Refuse strikes that spot lies far outside of, and within once multiplied by 1,000 or so."""
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
    scale = next((s for s in _SCALES if low <= spot / s <= high), None)
    if scale is not None:
        divided = asked == "strike_thousandths" and scale == _SCALES[0]
        raise InputError(
            f"{low:,.10g} to {high:,.10g}{' after division by 1,000' if divided else ''}, but spot "
            f"is {spot:,.10g}, {scale:,.0f} times as much",
            where=name,
            field=column,
            remedy="leave out `unit`" if divided else "give `spot`",
        )
