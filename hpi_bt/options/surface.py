"""The smile of each expiry, from the quotes out of the money (definitions 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import Note, Severity
from hpi_bt.options.chain import OptionChain
from hpi_bt.options.checks import check_chain
from hpi_bt.options.parity import Forward, expiry_taus, forwards
from hpi_bt.options.quote_vols import HIGHEST, StrikeQuotes, strike_quotes
from hpi_bt.options.smile import (
    FAR_OFF,
    LEAST_FOR_SVI,
    NEAR,
    POINT,
    Smile,
    SmileQuotes,
    smile_of,
)
from hpi_bt.options.threads import in_chunks

WORTH_A_THREAD = 8  # expiries


def fit_surface(
    chain: OptionChain,
    *,
    parity: Mapping[pd.Timestamp, Forward] | None = None,
    quotes: StrikeQuotes | None = None,
) -> dict[pd.Timestamp, Smile]:
    """Return the smile of each live expiry that has a quote.

    Parameters
    ----------
    chain : OptionChain
    parity : mapping of Forward, optional
        As `forwards` gives it, which is asked by default.
    quotes : StrikeQuotes, optional
        As `strike_quotes` gives it with these forwards.

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
    known = strike_quotes(chain, ahead) if quotes is None else quotes
    from_mid = known.mid < HIGHEST
    sigma = np.where(from_mid, known.mid, known.given)
    n = len(chain.expiries)
    few = np.bincount(known.code[from_mid], minlength=n) < LEAST_FOR_SVI
    good = np.flatnonzero((sigma > 0.0) & (from_mid | few[known.code]))
    bounds = np.searchsorted(known.code[good], np.arange(n + 1))
    taus = expiry_taus(chain)
    filled = [at for at in range(n) if bounds[at] < bounds[at + 1]]
    smiles: list[Smile | None] = [None] * len(filled)

    def fit(start: int, stop: int) -> None:
        for place in range(start, stop):
            at = filled[place]
            moment, part = chain.expiries[at], good[bounds[at] : bounds[at + 1]]
            own = SmileQuotes(known.strike[part], sigma[part], from_mid[part])
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
    return [*said, *_miss_notes(smiles), *_fit_notes([s.stage for s in smiles])]


def _miss_notes(smiles: Sequence[Smile]) -> list[Note]:
    """Return how many smiles miss quotes near the money, and the worst of them with its numbers."""
    missing = [(abs(float(s.residual[s.missed])), s) for s in smiles if s.missed is not None]
    if not missing:
        return []
    miss, worst = max(missing, key=lambda one: one[0])
    assert worst.missed is not None
    text = (
        f"Smiles that miss quotes within {NEAR:g} standard deviations of the money by over "
        f"{FAR_OFF:g} vol points, their vol, skew and k as rough: {len(missing)} of {len(smiles)}; "
        f"at worst by {miss / POINT:.1f} ({worst.expiry:%Y-%m-%d %H:%M}, "
        f"{worst.miss_words(worst.missed)})."
    )
    return [Note(Severity.ASSUMPTION, "smiles-miss-quotes", text)]


def _fit_notes(stages: list[int]) -> list[str]:
    """Return in one sentence what was done against butterfly arbitrage; `Smile` lists stages."""
    words = {1: "refitted", 2: "wings flattened", 3: "left with some"}
    parts = [f"{word} {stages.count(at)}" for at, word in words.items() if at in stages]
    if not parts:
        return []
    said = f"Smiles against butterfly arbitrage: {', '.join(parts)} of {len(stages)}"
    return [f"{said}; only where no quote stands do exposures rest on the fit."]
