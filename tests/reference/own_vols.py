"""Definitions 5, vols: the vol of each contract, by bisection of Black's formula."""

from __future__ import annotations

import math
from typing import Any

from scipy.stats import norm


def black(forward: float, strike: float, tau: float, sigma: float, right: float) -> float:
    """Undiscounted value of an option on a forward."""
    s = sigma * math.sqrt(tau)
    d1 = math.log(forward / strike) / s + 0.5 * s
    both = forward * norm.cdf(right * d1) - strike * norm.cdf(right * (d1 - s))
    return float(right * both)


def implied(value: float, forward: float, strike: float, tau: float, right: float) -> float:
    """The vol at which `black` gives a value; NaN outside its bounds."""
    top = forward if right > 0.0 else strike
    intrinsic = max(right * (forward - strike), 0.0)
    if not intrinsic < value < top:
        return math.nan
    low, high = 1e-6, 1.0
    while black(forward, strike, tau, high, right) < value:
        high *= 2.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if black(forward, strike, tau, middle, right) > value else (
            middle, high,
        )  # fmt: skip
    return 0.5 * (low + high)


def own_vol(
    chain: Any, at: int, forward: float, discount: float, smile: float, *, expiry_is_quoted: bool
) -> float:
    """The vol of contract `at`; `smile` is what its expiry's smile gives, NaN where it has none."""
    strike, tau = float(chain.strike[at]), float(chain.tau_years[at])
    side = 1.0 if strike >= forward else -1.0
    same = (chain.expiry == chain.expiry[at]) & (chain.strike == strike)
    rows = {float(chain.right[i]): i for i in range(len(chain)) if same[i]}
    outside = rows.get(side)
    given = math.nan
    if len(rows) == 1 or outside is not None:
        given = float(chain.iv[rows[side] if outside is not None else at])
        given = given if 0.005 <= given <= 10.0 else math.nan
    bid = ask = math.nan
    if outside is not None:
        bid, ask = float(chain.bid[outside]), float(chain.ask[outside])
    if bid > 0.0 and ask >= bid:
        return implied((bid + ask) / 2.0 / discount, forward, strike, tau, side)
    order = [smile, given] if expiry_is_quoted else [given, smile]
    found = next((vol for vol in order if not math.isnan(vol)), math.nan)
    crossed = bid > ask > 0.0
    if ask > 0.0 and not crossed:
        found = min(found, implied(ask / discount, forward, strike, tau, side))
    if bid > 0.0 and not crossed:
        found = max(found, implied(bid / discount, forward, strike, tau, side))
    return found


def expiry_is_quoted(chain: Any, at: int, forward: float) -> bool:
    """Whether any contract out of the money of that contract's expiry has a bid, not crossed."""
    for i in range(len(chain)):
        out = chain.strike[i] >= forward if chain.right[i] > 0 else chain.strike[i] < forward
        good = chain.bid[i] > 0.0 and chain.ask[i] >= chain.bid[i]
        if chain.expiry[i] == chain.expiry[at] and out and good:
            return True
    return False
