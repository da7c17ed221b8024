"""Dealer gamma, vanna and charm by strike and expiry, in shares and in dollars (definitions 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import Note, Severity
from hpi_bt.options.black_scholes import curvatures
from hpi_bt.options.chain import OptionChain
from hpi_bt.options.checks import check_chain
from hpi_bt.options.contract_vols import DEFAULT_VOLS, OwnVols, own_vols, smiles_and_vols, vol_notes
from hpi_bt.options.dealers import DEFAULT_POSITIONING, dealer_book
from hpi_bt.options.smile import Smile
from hpi_bt.options.surface import surface_notes

SHARES = ("gamma_shares", "vanna_shares", "charm_shares")
DOLLARS = ("gex", "vex", "cex")
TELLING = 0.01  # of gross gamma: a difference of GEX on smiles and on quotes that is worth a word


@dataclass(frozen=True, eq=False)
class Exposures:
    """Dealer exposure of a chain.

    Attributes
    ----------
    by_strike : DataFrame
        One row per expiry and strike, ascending: expiry, strike; gamma_shares (shares per $1
        move), vanna_shares (shares per 1.00 of vol), charm_shares (shares per year); gex ($ of
        delta per 1 % move), vex ($ per vol point), cex ($ per calendar day).
    by_expiry : DataFrame, index expiry
        The same six, summed over strikes.
    gamma_shares, vanna_shares, charm_shares, gex, vex, cex : float
        Totals.
    positions : ndarray of shape (n_contracts,)
        Dealer contracts, + long.
    own : OwnVols
        Vol used for each contract (`sigma` is short for `own.sigma`), and where it comes from.
    vols : {"quotes", "smile"}
        As asked for.
    gamma, vanna, charm : ndarray of shape (n_contracts,)
        Per share; 0 where `sigma` is NaN.
    surface : mapping of Smile by expiry
        The smiles that were used.
    excluded : int
        Live contracts with a position that count as 0 for want of a vol.
    flags : tuple of str
        Convention, substitutes and omissions, one plain sentence each.
    """

    by_strike: pd.DataFrame
    by_expiry: pd.DataFrame
    gamma_shares: float
    vanna_shares: float
    charm_shares: float
    gex: float
    vex: float
    cex: float
    positions: FloatArray
    own: OwnVols
    vols: str
    gamma: FloatArray
    vanna: FloatArray
    charm: FloatArray
    surface: Mapping[pd.Timestamp, Smile]
    excluded: int
    flags: tuple[str, ...] = ()

    @property
    def sigma(self) -> FloatArray:
        """Vol used for each contract, shape (n_contracts,); NaN where it has none or expired."""
        return self.own.sigma

    @property
    def gross(self) -> FloatArray:
        """Gamma of each contract's position without its sign, shape (n_contracts,)."""
        return np.abs(self.positions) * self.gamma


def exposures(
    chain: OptionChain,
    *,
    positioning: str = DEFAULT_POSITIONING,
    mode: str = "canonical",
    vols: str = DEFAULT_VOLS,
    surface: Mapping[pd.Timestamp, Smile] | None = None,
    exposed: Exposures | None = None,
) -> Exposures:
    """Return dealer gamma, vanna and charm of a chain by strike, by expiry and in total.

    Parameters
    ----------
    chain : OptionChain
        Expired contracts count for nothing.
    positioning, mode
        As in `dealer_book`.
    vols : {"quotes", "smile"}
        Vols of the strikes' own quotes where they have good ones, or of the smiles throughout: as
        in `own_vols`.
    surface : mapping of Smile by expiry, optional
        As `fit_surface` gives it, which is asked by default; {} leaves out every smile.
    exposed : Exposures, optional
        Of this very chain under other assumptions of what dealers hold; saves its vols and Greeks.

    Returns
    -------
    exposures : Exposures

    Raises
    ------
    InputError
        As `dealer_book` and `own_vols`.

    Notes
    -----
    Per strike, p the dealer's position, m the multiplier: G = sum p m gamma, V = sum p m vanna,
    C = sum p m charm; gex = G S^2 0.01, vex = V S 0.01, cex = C S/365.
    """
    check_chain(chain)
    book = dealer_book(chain, positioning=positioning, mode=mode)
    if exposed is None:
        smiles, own = smiles_and_vols(chain, surface=surface, vols=vols)
        per_share = sensitivities(chain, own.sigma)
    else:
        smiles, own, vols = exposed.surface, exposed.own, exposed.vols
        per_share = np.array([exposed.gamma, exposed.vanna, exposed.charm])
    shares = np.zeros_like(per_share)  # nothing held is 0, whatever a share of it would do
    held = book.positions != 0.0
    shares[:, held] = chain.multiplier * book.positions[held] * per_share[:, held]
    by_strike = _by_strike(chain, shares)
    by_expiry = by_strike.drop(columns="strike").groupby("expiry").sum()
    totals: dict[str, Any] = {name: float(by_expiry[name].sum()) for name in (*SHARES, *DOLLARS)}
    made = Exposures(
        by_strike=by_strike,
        by_expiry=by_expiry,
        **totals,
        positions=book.positions,
        own=own,
        vols=vols,
        gamma=per_share[0],
        vanna=per_share[1],
        charm=per_share[2],
        surface=smiles,
        excluded=int(np.count_nonzero(np.isnan(own.sigma) & chain.is_live & held)),
    )
    return replace(made, flags=(*book.notes, *_flags(chain, made)))


def _flags(chain: OptionChain, made: Exposures) -> list[str]:
    """Return what must be said of the vols and of what is left out."""
    flags: list[str] = []
    dead = int(np.count_nonzero(~chain.is_live))
    if dead:
        flags.append(f"Expired contracts, which count for nothing: {dead}.")
    if made.excluded:
        flags.append(
            f"Contracts with a position but no vol, left out of exposures: {made.excluded}."
        )
    if not made.positions[chain.is_live].any():
        flags.append("Dealers hold nothing: every exposure is 0.")
    flags += vol_notes(made.own, made.gross)
    flags += _off_the_quotes(chain, made) if made.vols == "smile" else []
    return flags + surface_notes(made.surface)


def _off_the_quotes(chain: OptionChain, made: Exposures) -> list[str]:
    """Return a warning where GEX on the smiles is another than on the strikes' own quotes."""
    own = own_vols(chain, made.surface)
    gamma = sensitivities(chain, own.sigma)[0]
    dollars = chain.multiplier * chain.spot**2 * 0.01
    gex = dollars * float(made.positions @ gamma)
    gross = dollars * float(np.abs(made.positions) @ gamma)
    if not abs(made.gex - gex) > TELLING * gross:
        return []
    text = (
        f"GEX on the vols of the smiles is {made.gex:,.0f}, on the strikes' own quotes {gex:,.0f}: "
        f"they differ by {100 * abs(made.gex - gex) / gross:.1f} % of the gross."
    )
    return [Note(Severity.WARNING, "smiles-off-quotes", text)]


def sensitivities(chain: OptionChain, sigma: FloatArray) -> FloatArray:
    """Return gamma, vanna and charm per share, shape (3, n_contracts), 0 where sigma is NaN."""
    known = np.isfinite(sigma)
    out = np.zeros((3, len(chain)))
    out[:, known] = curvatures(
        chain.spot,
        chain.strike[known],
        chain.tau_years[known],
        sigma[known],
        chain.right[known],
        rate=chain.rate,
        dividend=chain.dividend,
    )
    return out


def _by_strike(chain: OptionChain, shares: FloatArray) -> pd.DataFrame:
    """Return the live chain's exposures, one row per expiry and strike."""
    order = np.lexsort((chain.strike, chain.expiry_code))
    order = order[chain.is_live[order]]
    code, strike = chain.expiry_code[order], chain.strike[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (code[1:] != code[:-1]) | (strike[1:] != strike[:-1])
    starts = np.flatnonzero(new)
    sums = np.add.reduceat(shares[:, order], starts, axis=1)
    spot = chain.spot
    dollars = sums * np.array([[spot**2 * 0.01], [spot * 0.01], [spot / 365.0]])
    table = {"expiry": chain.expiries[code[starts]], "strike": strike[starts]}
    table |= dict(zip(SHARES, sums, strict=True)) | dict(zip(DOLLARS, dollars, strict=True))
    return pd.DataFrame(table)
