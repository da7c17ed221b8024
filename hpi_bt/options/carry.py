"""The rate and yield that a chain's own quotes imply, for chains that come without them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.options.chain import OptionChain
from hpi_bt.options.parity import Forward, forwards

FROM, TO = 0.02, 2.0  # years to expiry between which forwards tell the carry
LEAST = 3  # expiries
MOST = 1.0  # carry per year from which on it is noise of the quotes


class Carry(NamedTuple):
    """Continuous rate and yield, decimals per year.

    Attributes
    ----------
    rate, dividend : float
    note : str
        Where they come from.
    """

    rate: float
    dividend: float
    note: str


def implied_carry(
    chain: OptionChain, *, parity: Mapping[pd.Timestamp, Forward] | None = None
) -> Carry:
    """Return the rate and yield that put-call parity implies, the chain's own where it is silent.

    Parameters
    ----------
    chain : OptionChain
    parity : mapping of Forward, optional
        As `forwards` gives it, which is asked by default.

    Returns
    -------
    carry : Carry
        For `chain.with_(rate=carry.rate, dividend=carry.dividend)`.

    Notes
    -----
    The rate is the median over expiries whose quotes contradict the chain's rate (see
    `forwards`), if these are more than half of the expiries half a month to two years away that
    have pairs. Rate minus yield is the slope of ln(forward) over years (Theil-Sen), so that a
    spot of another moment than the quotes does not matter. At least 3 such expiries are needed,
    and a rate minus yield or a yield of 100 % a year or more is taken for noise.
    With American options the rate is too low, since early exercise bends parity.
    """
    ahead = forwards(chain) if parity is None else parity
    year = pd.Timedelta(days=365)
    found = [((moment - chain.as_of) / year, one) for moment, one in ahead.items() if one.n_pairs]
    found = [(tau, one) for tau, one in found if FROM <= tau <= TO]
    if len(found) < LEAST:
        few = "Fewer than 3 expiries tell the carry: the chain's rate and yield stand."
        return Carry(chain.rate, chain.dividend, few)
    tau = np.array([t for t, _ in found])
    level = np.log([one.forward for _, one in found])
    rates = np.array([-math.log(one.discount) / t for t, one in found])
    told = np.abs(rates - chain.rate) > 1e-6
    rate = float(np.median(rates[told])) if 2 * np.count_nonzero(told) > len(told) else chain.rate
    slope = _slope(tau, level)
    dividend = rate - slope
    if max(abs(slope), abs(dividend)) >= MOST:
        noise = f"The forwards rise by {slope:.0%} a year, which is noise"
        return Carry(chain.rate, chain.dividend, f"{noise}: the chain's rate and yield stand.")
    source = "quoted parity" if rate != chain.rate else "the chain, quoted parity agreeing"
    return Carry(
        rate, dividend, f"Rate {rate:.2%} from {source}, yield {dividend:.2%} from the forwards."
    )


def _slope(x: FloatArray, y: FloatArray) -> float:
    """Return the median slope over all pairs of points."""
    first, second = np.triu_indices(len(x), 1)
    return float(np.median((y[second] - y[first]) / (x[second] - x[first])))
