"""Forwards and discounts that the quotes themselves imply, by put-call parity (definitions 5)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.options.chain import OptionChain
from hpi_bt.options.parity_kernels import fixed_slope, free_slope, near_the_money

LEAST_FOR_DISCOUNT = 6  # pairs; fewer say nothing about the slope
SURE = 4.0  # standard errors by which quotes must contradict the given rate
LAST_HALF = 0.002  # half-spread of last prices, as a share of call + put
PLAUSIBLE = (-0.015, 0.15)  # implied rates, per year


class Forward(NamedTuple):
    """Forward price of one expiry.

    Attributes
    ----------
    forward : float
        Dollars.
    discount : float
        Value now of one dollar at expiry.
    n_pairs : int
        Pairs of call and put that it rests on; 0 where it is S e^((r-q) tau).
    flag : str
        What a reader should know of it; "" where there is nothing.
    """

    forward: float
    discount: float
    n_pairs: int
    flag: str = ""


class QuotedPairs(NamedTuple):
    """Strikes at which a call and a put are quoted, by expiry and strike, shape (n_pairs,).

    Attributes
    ----------
    code : ndarray of int
        Place of the expiry in `chain.expiries`.
    strike, gap, straddle, half : ndarray
        Dollars: the strike, call - put, call + put (middles), half of both spreads together (of
        last prices, which have none, a share of call + put).
    """

    code: IntArray
    strike: FloatArray
    gap: FloatArray
    straddle: FloatArray
    half: FloatArray

    def part(self, start: int, stop: int) -> QuotedPairs:
        """Return the pairs of one stretch, usually an expiry's."""
        cut = slice(start, stop)
        return QuotedPairs(
            self.code[cut], self.strike[cut], self.gap[cut], self.straddle[cut], self.half[cut]
        )


def forwards(chain: OptionChain) -> dict[pd.Timestamp, Forward]:
    """Return the forward of each live expiry.

    Parameters
    ----------
    chain : OptionChain

    Returns
    -------
    forwards : dict of Forward, keyed by the moment of expiry, ascending

    Notes
    -----
    call - put = discount (forward - strike) is fitted to the middles of quotes that have a bid
    and are not crossed, within 1.5 straddles of the money, each weighted by 1/spread^2 and bad
    ones (Tukey's biweight at 3 half-spreads) by nothing. The discount is e^(-r tau) with the
    chain's rate, unless the slope of at least 6 pairs contradicts it by 4 standard errors: then
    it is the slope's, and the flag says which rate it means. (American quotes bend that slope.)
    Without a pair the forward is S e^((r-q) tau), flagged.
    """
    pairs = quoted_pairs(chain)
    bounds = np.searchsorted(pairs.code, np.arange(len(chain.expiries) + 1))
    taus = expiry_taus(chain)
    return {
        moment: _forward(pairs.part(bounds[at], bounds[at + 1]), taus[at], chain)
        for at, moment in enumerate(chain.expiries)
        if taus[at] > 0.0
    }


def expiry_taus(chain: OptionChain) -> FloatArray:
    """Return the years to each of the chain's expiries."""
    taus = np.empty(len(chain.expiries))
    taus[chain.expiry_code] = chain.tau_years
    return taus


def quoted_pairs(chain: OptionChain) -> QuotedPairs:
    """Return the strikes at which a call and a put are quoted, by expiry and strike."""
    order = np.lexsort((chain.right, chain.strike, chain.expiry_code))
    order = order[np.isfinite(chain.mid[order])]
    put, call = order[:-1], order[1:]
    together = (
        (chain.expiry_code[put] == chain.expiry_code[call])
        & (chain.strike[put] == chain.strike[call])
        & (chain.right[put] < chain.right[call])
    )
    put, call = put[together], call[together]
    spread, straddle = chain.ask - chain.bid, chain.mid[call] + chain.mid[put]
    half = 0.5 * (spread[call] + spread[put])
    return QuotedPairs(
        chain.expiry_code[put],
        chain.strike[put],
        chain.mid[call] - chain.mid[put],
        straddle,
        LAST_HALF * straddle if chain.without_quotes else half,
    )


def _forward(pairs: QuotedPairs, tau: float, chain: OptionChain) -> Forward:
    """Return the forward of one expiry."""
    discount = math.exp(-chain.rate * tau)
    if not len(pairs.gap):
        carried = chain.spot * math.exp((chain.rate - chain.dividend) * tau)
        return Forward(carried, discount, 0, "No put-call pair is quoted: the forward is carried.")
    near = near_the_money(pairs.strike, pairs.gap, pairs.straddle, discount)
    strike, gap, half = pairs.strike[near], pairs.gap[near], pairs.half[near]
    forward, used = fixed_slope(strike, gap, half, discount)
    flag = ""
    if len(gap) >= LEAST_FOR_DISCOUNT:
        root, slope, error, kept = free_slope(strike, gap, half, forward)
        if kept >= LEAST_FOR_DISCOUNT and _contradicts(slope, error, discount, tau):
            forward, discount, used = root, slope, kept
            implied = -math.log(slope) / tau
            flag = (
                f"The quotes imply a rate of {100 * implied:.2f} %, not {100 * chain.rate:.2f} %."
            )
    if abs(math.log(forward / chain.spot)) > 0.02 + 0.15 * tau:
        flag = f"{flag} The forward is {100 * (forward / chain.spot - 1):+.1f} % from spot.".strip()
    return Forward(forward, discount, used, flag)


def _contradicts(slope: float, error: float, discount: float, tau: float) -> bool:
    """Return whether the quotes' own discount `slope` rules the given one out, and is sane."""
    if not slope > 0.0:
        return False
    differs = abs(slope - discount) > max(SURE * error, 1e-9)
    notable = abs(math.log(slope / discount)) > 1e-4 * tau
    return differs and notable and PLAUSIBLE[0] < -math.log(slope) / tau < PLAUSIBLE[1]
