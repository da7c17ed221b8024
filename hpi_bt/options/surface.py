"""The smile of each expiry, from the quotes out of the money (SPEC section 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.options.chain import OptionChain
from hpi_bt.options.checks import check_chain
from hpi_bt.options.implied import implied_vol
from hpi_bt.options.parity import Forward, expiry_taus, forwards
from hpi_bt.options.smile import LEAST_FOR_SVI, Smile, SmileQuotes, smile_of
from hpi_bt.options.threads import in_chunks

WORTH_A_THREAD = 8  # expiries
HIGHEST = 10.0  # a vol of 1,000 % or more is no quote


class _Quotes(NamedTuple):
    """Quotes of all expiries, sorted by expiry and strike."""

    code: IntArray
    strike: FloatArray
    sigma: FloatArray
    from_mid: BoolArray


def fit_surface(
    chain: OptionChain, *, parity: Mapping[pd.Timestamp, Forward] | None = None
) -> dict[pd.Timestamp, Smile]:
    """Return the smile of each live expiry that has a quote.

    Parameters
    ----------
    chain : OptionChain
    parity : mapping of Forward, optional
        As `forwards` gives it, which is asked by default.

    Returns
    -------
    smiles : dict of Smile, keyed by the moment of expiry, ascending
        An expiry without any usable quote has none.

    Notes
    -----
    One quote a strike, out of the money against the forward: the vol of its mid where it has a
    bid and is not crossed. An expiry with fewer than 5 of these takes the chain's own `iv` at
    the other strikes: of the contract out of the money, or where that is not listed of the other
    one. From 5 quotes on the smile is raw SVI; see `Smile`.
    """
    check_chain(chain)
    ahead = forwards(chain) if parity is None else parity
    quotes = _quotes(chain, ahead)
    bounds = np.searchsorted(quotes.code, np.arange(len(chain.expiries) + 1))
    taus = expiry_taus(chain)
    filled = [at for at in range(len(chain.expiries)) if bounds[at] < bounds[at + 1]]
    smiles: list[Smile | None] = [None] * len(filled)

    def fit(start: int, stop: int) -> None:
        for place in range(start, stop):
            at = filled[place]
            moment, part = chain.expiries[at], slice(bounds[at], bounds[at + 1])
            own = SmileQuotes(quotes.strike[part], quotes.sigma[part], quotes.from_mid[part])
            smiles[place] = smile_of(moment, float(taus[at]), ahead[moment], own)

    in_chunks(fit, len(filled), least=WORTH_A_THREAD)
    return {smile.expiry: smile for smile in smiles if smile is not None}


def smile_vols(chain: OptionChain, surface: Mapping[pd.Timestamp, Smile]) -> FloatArray:
    """Return the smile's vol of each contract, NaN where its expiry has no smile."""
    sigma = np.full(len(chain), np.nan)
    order = np.argsort(chain.expiry_code, kind="stable")
    bounds = np.searchsorted(chain.expiry_code[order], np.arange(len(chain.expiries) + 1))
    for at, moment in enumerate(chain.expiries):
        if moment in surface:
            rows = order[bounds[at] : bounds[at + 1]]
            sigma[rows] = surface[moment].iv(chain.strike[rows])
    return sigma


def surface_notes(surface: Mapping[pd.Timestamp, Smile]) -> list[str]:
    """Return what a reader should know of all smiles together, one sentence a kind of flag."""
    smiles = list(surface.values())
    kinds = {
        "Smiles on fewer than 5 quotes, their skew and k a rough guess": [
            s.kind != "svi" for s in smiles
        ],
        "Smiles on the file's own IV, and only as good as that": [
            not s.quotes.from_mid.all() for s in smiles
        ],
        "Smiles that leave out quotes far off them, which may be stale": [
            not s.used.all() for s in smiles
        ],
        "Forwards carried from spot or at another rate, so smiles there are rougher": [
            s.parity != "" for s in smiles
        ],
    }
    said = [f"{words}: {sum(of)} of {len(of)}." for words, of in kinds.items() if any(of)]
    return said + _fit_notes([s.stage for s in smiles])


def _fit_notes(stages: list[int]) -> list[str]:
    """Return in one sentence what was done against butterfly arbitrage; `Smile` lists stages."""
    words = {1: "refitted", 2: "wings flattened", 3: "left with some"}
    parts = [f"{word} {stages.count(at)}" for at, word in words.items() if at in stages]
    if not parts:
        return []
    said = f"Smiles against butterfly arbitrage: {', '.join(parts)} of {len(stages)}"
    return [f"{said}; exposures at far strikes rest on the fit."]


def _quotes(chain: OptionChain, ahead: Mapping[pd.Timestamp, Forward]) -> _Quotes:
    """Return one vol a strike, from the contracts out of the money."""
    table = np.array([ahead.get(m, Forward(np.nan, np.nan, 0))[:2] for m in chain.expiries])
    forward, discount = table[chain.expiry_code].T
    out = np.where(chain.right > 0.0, chain.strike >= forward, chain.strike < forward)
    sigma = np.where(out, chain.iv, np.nan)
    rows = np.flatnonzero(out & np.isfinite(chain.mid))
    implied = _implied(chain, rows, forward, discount)
    from_mid = np.zeros(len(chain), dtype=bool)
    from_mid[rows] = np.isfinite(implied)
    sigma[rows] = np.where(np.isfinite(implied), implied, sigma[rows])
    lonely = _unpaired(chain) & ~out
    sigma = np.where(lonely, chain.iv, sigma)
    quoted = np.bincount(chain.expiry_code[from_mid], minlength=len(chain.expiries))
    enough = (quoted >= LEAST_FOR_SVI)[chain.expiry_code]
    good = np.flatnonzero((sigma > 0.0) & (sigma < HIGHEST) & chain.is_live & (from_mid | ~enough))
    good = good[np.lexsort((chain.strike[good], chain.expiry_code[good]))]
    return _Quotes(chain.expiry_code[good], chain.strike[good], sigma[good], from_mid[good])


def _implied(
    chain: OptionChain, rows: npt.NDArray[np.intp], forward: FloatArray, discount: FloatArray
) -> FloatArray:
    """Return the vols of the mids of these contracts, undiscounted and against the forward."""
    return implied_vol(
        chain.mid[rows] / discount[rows],
        forward[rows],
        chain.strike[rows],
        chain.tau_years[rows],
        chain.right[rows],
    )


def _unpaired(chain: OptionChain) -> BoolArray:
    """Return whether the chain lists no contract of the other right at each one's strike."""
    order = np.lexsort((chain.strike, chain.expiry_code))
    code, strike = chain.expiry_code[order], chain.strike[order]
    same = (code[1:] == code[:-1]) & (strike[1:] == strike[:-1])
    paired = np.zeros(len(chain), dtype=bool)
    paired[order[1:][same]] = True
    paired[order[:-1][same]] = True
    return ~paired
