"""The vol of each contract: its strike's quote, else the smile or the file's (definitions 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.errors import InputError, Note, Severity, did_you_mean
from hpi_bt.options.chain import OptionChain
from hpi_bt.options.parity import Forward, forwards
from hpi_bt.options.quote_vols import StrikeQuotes, strike_quotes
from hpi_bt.options.smile import Smile
from hpi_bt.options.surface import fit_surface, smile_vols

VOLS = ("quotes", "smile")
DEFAULT_VOLS = "quotes"
#: Where a contract's vol comes from, by number.
ORIGINS = ("none", "quote", "smile", "file")
NONE, QUOTE, SMILE, FILE = range(4)
USUAL = 95.0  # percent of gross gamma on the strikes' own quotes; with less it is an assumption


class OwnVols(NamedTuple):
    """Vols of contracts, each of shape (n_contracts,).

    Attributes
    ----------
    sigma : ndarray
        Decimals; call and put of a strike have one. NaN where none is known, or it has expired.
    origin : ndarray of int
        Number of ORIGINS.
    bounded : ndarray of bool
        Whether the vol is that of the bid or ask, which the smile or the file's vol lies beyond.
    """

    sigma: FloatArray
    origin: IntArray
    bounded: BoolArray


def own_vols(
    chain: OptionChain,
    surface: Mapping[pd.Timestamp, Smile],
    *,
    vols: str = DEFAULT_VOLS,
    quotes: StrikeQuotes | None = None,
) -> OwnVols:
    """Return the vol of each live contract.

    Parameters
    ----------
    chain : OptionChain
    surface : mapping of Smile by expiry
        Its forwards say which contracts are out of the money.
    vols : {"quotes", "smile"}
        "quotes": the vol of the mid of the strike's contract out of the money; where that has no
        bid or is crossed the smile, else the file's `iv`, never above the vol of its ask nor below
        that of its bid. In an expiry without any such mid the file's `iv` of that contract goes
        before the smile. "smile": the smile everywhere, the file's `iv` where there is none.
    quotes : StrikeQuotes, optional
        As `strike_quotes` gives it for the same forwards.

    Returns
    -------
    vols : OwnVols

    Raises
    ------
    InputError
        `vols` is neither of the two, or no live contract has a vol.
    """
    if vols not in VOLS:
        hint = did_you_mean(vols, VOLS)
        raise InputError(f"{vols!r}{hint}; give quotes or smile", field="vols")
    known = strike_quotes(chain, _forwards(chain, surface)) if quotes is None else quotes
    live, nothing = known.place >= 0, np.full(len(known.strike), np.nan)
    fitted = nothing.copy()
    fitted[known.place[live]] = smile_vols(chain, surface)[live]
    quoted = known.mid if vols == "quotes" and not chain.without_quotes else nothing
    unquoted = np.bincount(known.code[np.isfinite(quoted)], minlength=len(chain.expiries)) == 0
    instead = np.where(unquoted[known.code] & (vols == "quotes"), known.given, np.nan)
    choices = (quoted, instead, fitted, known.given, known.spare)
    found = [np.isfinite(choice) for choice in choices]
    origin = np.select(found, (QUOTE, FILE, SMILE, FILE, FILE), NONE)
    sigma = np.select(found, choices, np.nan)
    if not np.isfinite(sigma).any():
        raise InputError(
            "contracts: no live contract has a usable bid and ask or an implied vol; "
            "give quotes, or a column iv"
        )
    bounded = np.zeros(len(sigma), dtype=bool)
    if vols == "quotes":
        kept = np.fmin(np.fmax(sigma, known.low), known.high)  # NaN is no bound
        bounded = (origin > QUOTE) & (kept != sigma)
        sigma = np.where(bounded, kept, sigma)
    each = known.place
    return OwnVols(
        np.where(live, sigma[each], np.nan),
        np.where(live, origin[each], NONE),
        live & bounded[each],
    )


def smiles_and_vols(
    chain: OptionChain, *, surface: Mapping[pd.Timestamp, Smile] | None, vols: str
) -> tuple[Mapping[pd.Timestamp, Smile], OwnVols]:
    """Return the smiles, fitted unless they are given, and the vol of each contract."""
    ahead = _forwards(chain, surface or {})
    quotes = strike_quotes(chain, ahead)
    smiles = fit_surface(chain, parity=ahead, quotes=quotes) if surface is None else surface
    return smiles, own_vols(chain, smiles, vols=vols, quotes=quotes)


def _forwards(
    chain: OptionChain, surface: Mapping[pd.Timestamp, Smile]
) -> dict[pd.Timestamp, Forward]:
    """Return the forward of each live expiry: that of its smile, else what parity says."""
    known = {m: Forward(smile.forward, smile.discount, 1) for m, smile in surface.items()}
    lacking = not set(chain.expiries[np.unique(chain.expiry_code[chain.is_live])]) <= set(known)
    return forwards(chain) | known if lacking else known


def share_by_origin(vols: OwnVols, weight: FloatArray) -> dict[str, float]:
    """Return the percent of `weight`, of shape (n_contracts,), on vols of each of ORIGINS.

    Without "none"; all 0 where there is no weight.
    """
    parts = np.bincount(vols.origin, np.nan_to_num(weight), minlength=len(ORIGINS))[1:]
    percent = 100.0 * parts / (parts.sum() or 1.0)
    return dict(zip(ORIGINS[1:], percent.tolist(), strict=True))


def vol_notes(vols: OwnVols, weight: FloatArray) -> list[Note]:
    """Return what the vols rest on, `weight` being each contract's gross gamma, (n_contracts,)."""
    shares = share_by_origin(vols, weight)
    if not any(shares.values()):
        return []
    severity = Severity.INFO if shares["quote"] >= USUAL else Severity.ASSUMPTION
    text = (
        f"Gross gamma by source of vol: the strikes' own quotes {shares['quote']:.1f} %, smiles "
        f"{shares['smile']:.1f} %, the file's IV {shares['file']:.1f} %."
    )
    notes = [Note(severity, "source-of-vols", text)]
    bounded = int(np.count_nonzero(vols.bounded))
    if bounded:
        text = (
            f"Contracts at the vol of their ask or bid, beyond which their smile lies: {bounded}."
        )
        notes.append(Note(Severity.INFO, "vols-at-ask-or-bid", text))
    return notes
