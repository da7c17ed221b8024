"""What each strike's quotes say of its vol: mid, bid, ask, the file's own (definitions 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.options.chain import OptionChain
from hpi_bt.options.implied import implied_vol
from hpi_bt.options.parity import Forward

LOWEST, HIGHEST = 0.005, 10.0  # vols of a file that can be meant: 0.5 % to 1,000 %


class StrikeQuotes(NamedTuple):
    """Vols of the live strikes, by expiry and strike; decimals of shape (n_strikes,), NaN if none.

    Attributes
    ----------
    code, strike : ndarray
        Place of the expiry in `chain.expiries`; dollars.
    mid : ndarray
        Vol of the middle of bid and ask of the contract out of the money, which has a bid and is
        not crossed; in a chain without any quotes, of its last price.
    low, high : ndarray
        Vols of that contract's bid and ask, where it has no middle and they are not crossed.
    given : ndarray
        The file's vol of that contract, or of the only one listed, from LOWEST to HIGHEST.
    spare : ndarray
        The file's vol of either contract.
    place : ndarray of int, shape (n_contracts,)
        The strike of each contract; -1 where it has expired.
    """

    code: IntArray
    strike: FloatArray
    mid: FloatArray
    low: FloatArray
    high: FloatArray
    given: FloatArray
    spare: FloatArray
    place: IntArray


def strike_quotes(chain: OptionChain, ahead: Mapping[pd.Timestamp, Forward]) -> StrikeQuotes:
    """Return what the quotes of each live strike say of its vol.

    Parameters
    ----------
    chain : OptionChain
    ahead : mapping of Forward by expiry
        Calls at or above the forward and puts below it are out of the money.

    Returns
    -------
    quotes : StrikeQuotes
    """
    table = np.array([ahead.get(m, Forward(np.nan, np.nan, 0))[:2] for m in chain.expiries])
    forward, discount = table[chain.expiry_code].T
    code, strike, place = _strikes(chain)
    out = np.where(chain.right > 0.0, chain.strike >= forward, chain.strike < forward)
    out &= chain.is_live & np.isfinite(forward)
    whole = np.isfinite(chain.mid)
    crossed = (chain.ask > 0.0) & (chain.bid > chain.ask)
    aside = out & ~whole & ~crossed
    asked = {
        "mid": (np.flatnonzero(out & whole), chain.mid),
        "low": (np.flatnonzero(aside & (chain.bid > 0.0)), chain.bid),
        "high": (np.flatnonzero(aside & (chain.ask > 0.0)), chain.ask),
    }
    rows = np.concatenate([of for of, _ in asked.values()])
    prices = np.concatenate([price[of] for of, price in asked.values()])
    sigma = implied_vol(  # undiscounted and against the forward
        prices / discount[rows],
        forward[rows],
        chain.strike[rows],
        chain.tau_years[rows],
        chain.right[rows],
    )
    vols, at = {}, 0
    for name, (of, _) in asked.items():
        vols[name] = _means(place[of], sigma[at : at + len(of)], len(strike))
        at += len(of)
    meant = (chain.iv >= LOWEST) & (chain.iv <= HIGHEST) & (place >= 0)
    told = {
        name: _means(place[of], chain.iv[of], len(strike))
        for name, of in (("given", meant & (out | _unpaired(place, chain))), ("spare", meant))
    }
    return StrikeQuotes(code, strike, **vols, **told, place=place)


def _strikes(chain: OptionChain) -> tuple[IntArray, FloatArray, IntArray]:
    """Return expiry and strike of each live strike, and the strike of each contract."""
    order = np.lexsort((chain.strike, chain.expiry_code))
    order = order[chain.is_live[order]]
    code, strike = chain.expiry_code[order], chain.strike[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (code[1:] != code[:-1]) | (strike[1:] != strike[:-1])
    place = np.full(len(chain), -1, dtype=np.int64)
    place[order] = np.cumsum(new) - 1
    return code[new], strike[new], place


def _unpaired(place: IntArray, chain: OptionChain) -> BoolArray:
    """Return whether the chain lists no contract of the other right at each one's strike."""
    live = place >= 0
    n = int(place.max(initial=-1)) + 1
    sides = [np.bincount(place[live & (chain.right == r)], minlength=n) > 0 for r in (1.0, -1.0)]
    return live & ~(sides[0] & sides[1])[place] if n else live


def _means(place: IntArray, values: FloatArray, n: int) -> FloatArray:
    """Return the mean of the finite values of each strike, NaN where it has none."""
    known = np.isfinite(values)
    count = np.bincount(place[known], minlength=n)
    total = np.bincount(place[known], values[known], minlength=n)
    means = np.full(n, np.nan)
    np.divide(total, count, out=means, where=count > 0)
    return means
