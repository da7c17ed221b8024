"""Zero gamma: by repricing the book, and by summing over strikes (definitions 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError
from hpi_bt.options.chain import OptionChain
from hpi_bt.options.contract_vols import DEFAULT_VOLS
from hpi_bt.options.dealers import DEFAULT_POSITIONING
from hpi_bt.options.exposure import Exposures, exposures
from hpi_bt.options.level_kernels import nearest_crossing, net_share
from hpi_bt.options.smile import Smile
from hpi_bt.options.strikes import zero_of_sum

Surface = Mapping[pd.Timestamp, Smile]

RANGE_PCT = 50.0  # how far from spot zero gamma is looked for
_ONE_SIGN = "none, the sum keeps its sign."
FAINT = 1e-3  # gross gamma at the level over that at spot, below which the level says little


class Level(NamedTuple):
    """A price and what a reader should know of it.

    Attributes
    ----------
    price : float
        Dollars; NaN where there is none.
    note : str
        Why it is NaN or what weakens it; "" where there is nothing to say.
    """

    price: float
    note: str = ""


def zero_gamma(
    chain: OptionChain,
    *,
    positioning: str = DEFAULT_POSITIONING,
    mode: str = "canonical",
    vols: str = DEFAULT_VOLS,
    surface: Surface | None = None,
    range_pct: float = RANGE_PCT,
) -> Level:
    """Return the spot at which the repriced book's gamma crosses zero, nearest to spot.

    Parameters
    ----------
    chain : OptionChain
    positioning, mode, vols, surface
        As in `exposures`.
    range_pct : float, default=50
        How far from spot to look, in percent of it, below 100.

    Returns
    -------
    level : Level
        NaN, with a note, where gamma has one sign throughout or dealers hold nothing.

    Raises
    ------
    InputError
        A range outside (0, 100), or as `exposures`.

    Notes
    -----
    Every contract keeps its own vol while spot moves (sticky strike). Signs are compared every
    0.01 % within 1 % of spot, every 0.05 % within 10 % and every 0.25 % beyond, two crossings
    within one step being missed; the root itself is then found to rounding.
    """
    if not 0.0 < range_pct < 100.0:
        raise InputError(f"range_pct: {range_pct:g}; give a number between 0 and 100")
    exposed = exposures(chain, positioning=positioning, mode=mode, vols=vols, surface=surface)
    return crossing_of(chain, exposed, range_pct)


def zero_gamma_strike_sum(
    chain: OptionChain,
    *,
    positioning: str = DEFAULT_POSITIONING,
    mode: str = "canonical",
    vols: str = DEFAULT_VOLS,
    surface: Surface | None = None,
) -> Level:
    """Return the strike at which today's gamma, summed over strikes from below, crosses zero.

    The zero of the running sum of G_K, linear between strikes, nearest to spot and within 50 %
    of it. It reprices nothing: another number than `zero_gamma` under a similar name. Parameters
    as in `exposures`; NaN, with a note, where the sum never changes its sign or only where it is
    below a thousandth of its largest magnitude.
    """
    exposed = exposures(chain, positioning=positioning, mode=mode, vols=vols, surface=surface)
    return strike_sum_of(chain, exposed)


def crossing_of(chain: OptionChain, exposed: Exposures, range_pct: float = RANGE_PCT) -> Level:
    """Return `zero_gamma` of exposures that are known already."""
    rows = np.flatnonzero(np.isfinite(exposed.sigma) & (exposed.positions != 0.0))
    if not len(rows):
        return Level(np.nan, "dealers hold nothing that has a vol, so there is no zero gamma.")
    tau, sigma = chain.tau_years[rows], exposed.sigma[rows]
    deviation = sigma * np.sqrt(tau)
    drift = (chain.rate - chain.dividend) * tau + 0.5 * deviation**2
    offset = np.log1p((chain.spot - chain.strike[rows]) / chain.strike[rows]) + drift
    weight = exposed.positions[rows] * np.exp(-chain.dividend * tau) / deviation
    move = nearest_crossing(_moves(range_pct / 100.0), offset, deviation, weight)
    if np.isnan(move):
        share = net_share(0.0, offset, deviation, weight, np.empty(len(rows)))
        signs = "long" if share > 0.0 else "short" if share < 0.0 else "without"
        return Level(np.nan, f"none within {range_pct:g} % of spot: dealers stay {signs} gamma.")
    here, there = (_gross(x, offset, deviation, weight) for x in (0.0, float(np.log1p(move))))
    faint = "hardly any gamma is left there." if there < FAINT * here else ""
    return Level(chain.spot * (1.0 + move), faint)


def _moves(reach: float) -> FloatArray:
    """Return the relative moves at which signs are compared, up to `reach`."""
    fine = np.arange(1, 101) * 1e-4
    middle = 0.01 + np.arange(1, 181) * 5e-4
    wide = 0.1 + np.arange(1, 361) * 2.5e-3
    moves = np.concatenate((fine, middle, wide))
    return np.append(moves[moves < reach], reach)


def _gross(x: float, offset: FloatArray, deviation: FloatArray, weight: FloatArray) -> float:
    """Return the gross gamma at spot times e^x, in the unit of `weight`."""
    d1 = (x + offset) / deviation
    return float(np.sum(np.abs(weight) * np.exp(-0.5 * d1 * d1))) * float(np.exp(-x))


def strike_sum_of(chain: OptionChain, exposed: Exposures) -> Level:
    """Return `zero_gamma_strike_sum` of exposures that are known already."""
    strikes, place = np.unique(exposed.by_strike["strike"], return_inverse=True)
    gamma = exposed.by_strike["gamma_shares"].to_numpy(dtype=np.float64)
    sums = np.asarray(np.bincount(place, weights=gamma), dtype=np.float64)
    price, crosses = zero_of_sum(strikes, sums, chain.spot, RANGE_PCT / 100.0)
    if not np.isnan(price):
        return Level(price)
    far = f"none, the sum turns only where it is next to nothing or over {RANGE_PCT:g} % from spot."
    return Level(price, far if crosses else _ONE_SIGN)
