"""The underlying's price from the options themselves, where a file does not give it."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError

_PAIRS = 5  # nearest the money, by |call - put|
_YEAR = pd.Timedelta(365, "D")


def parity_spot(
    contracts: pd.DataFrame,
    expiry: pd.DatetimeIndex,
    as_of: pd.Timestamp,
    *,
    rate: float,
    dividend: float,
    name: str,
) -> tuple[float, str]:
    """Return the spot that put-call parity implies, and a note on how.

    Parameters
    ----------
    contracts : DataFrame of n rows
        strike, right ("C" or "P"), and bid and ask or last.
    expiry : DatetimeIndex of length n
        Moments of expiry.
    as_of : Timestamp
        Moment of the prices.
    rate, dividend : float
        Continuous, per year.
    name : str
        The file, which begins a message.

    Raises
    ------
    InputError
        No expiry to come has a call and a put of one strike, both with a price.

    Notes
    -----
    The median over five strikes of K e^(-r tau) + C - P, times e^(q tau), in the nearest expiry
    that has such pairs. Nearest the money are those with the smallest |C - P|.
    """
    frame = contracts[["strike", "right"]].assign(price=_prices(contracts), expiry=expiry)
    frame = frame[(frame["price"] > 0) & (frame["expiry"] > as_of)]
    sides = [frame[frame["right"] == right].drop_duplicates(["expiry", "strike"]) for right in "CP"]
    pairs = sides[0].merge(sides[1], on=["expiry", "strike"], suffixes=("_call", "_put"))
    if pairs.empty:
        raise InputError(
            "no call and put of one strike that both have a price",
            where=name,
            remedy="give `spot` as a number",
        )
    first = pairs["expiry"].min()
    pairs = pairs[pairs["expiry"] == first]
    gap = (pairs["price_call"] - pairs["price_put"]).to_numpy(dtype=np.float64)
    near = np.argsort(np.abs(gap), kind="stable")[:_PAIRS]
    tau = (first - as_of) / _YEAR
    strike = pairs["strike"].to_numpy(dtype=np.float64)[near]
    spot = float(np.median(strike * math.exp(-rate * tau) + gap[near])) * math.exp(dividend * tau)
    return spot, f"spot {spot:.2f} by put-call parity of {len(near)} strikes of {first:%Y-%m-%d}"


def _prices(contracts: pd.DataFrame) -> FloatArray:
    """Return the middle of a good quote, else the last price, else NaN; shape (n,)."""
    price = np.full(len(contracts), np.nan)
    if "last" in contracts:
        price = contracts["last"].to_numpy(dtype=np.float64)
    if {"bid", "ask"} <= set(contracts):
        bid, ask = (contracts[c].to_numpy(dtype=np.float64) for c in ("bid", "ask"))
        price = np.where((bid > 0) & (ask >= bid), 0.5 * (bid + ask), price)
    return price
