"""Dealer gamma, vanna and charm by strike and expiry, in shares and in dollars (SPEC 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError
from hpi_bt.options.black_scholes import curvatures
from hpi_bt.options.chain import OptionChain
from hpi_bt.options.checks import check_chain
from hpi_bt.options.dealers import DEFAULT_POSITIONING, dealer_book
from hpi_bt.options.smile import Smile
from hpi_bt.options.surface import fit_surface, smile_vols, surface_notes

SHARES = ("gamma_shares", "vanna_shares", "charm_shares")
DOLLARS = ("gex", "vex", "cex")


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
    sigma : ndarray of shape (n_contracts,)
        Vol used for each contract; NaN where none is known, or it has expired.
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
    sigma: FloatArray
    gamma: FloatArray
    vanna: FloatArray
    charm: FloatArray
    surface: Mapping[pd.Timestamp, Smile]
    excluded: int
    flags: tuple[str, ...] = ()


def exposures(
    chain: OptionChain,
    *,
    positioning: str = DEFAULT_POSITIONING,
    mode: str = "canonical",
    surface: Mapping[pd.Timestamp, Smile] | None = None,
) -> Exposures:
    """Return dealer gamma, vanna and charm of a chain by strike, by expiry and in total.

    Parameters
    ----------
    chain : OptionChain
        Expired contracts count for nothing.
    positioning, mode
        As in `dealer_book`.
    surface : mapping of Smile by expiry, optional
        As `fit_surface` gives it, which is asked by default. Each contract takes the vol of its
        expiry's smile, and its own `iv` where there is no smile; {} takes every contract's own.

    Returns
    -------
    exposures : Exposures

    Raises
    ------
    InputError
        No live contract has a vol; or as `dealer_book`.

    Notes
    -----
    Per strike, p the dealer's position, m the multiplier: G = sum p m gamma, V = sum p m vanna,
    C = sum p m charm; gex = G S^2 0.01, vex = V S 0.01, cex = C S/365.
    """
    check_chain(chain)
    smiles = fit_surface(chain) if surface is None else surface
    book = dealer_book(chain, positioning=positioning, mode=mode)
    sigma, flags = contract_vols(chain, smiles)
    known = np.isfinite(sigma)
    per_share = sensitivities(chain, sigma)
    shares = np.zeros_like(per_share)  # nothing held is 0, whatever a share of it would do
    held = book.positions != 0.0
    shares[:, held] = chain.multiplier * book.positions[held] * per_share[:, held]
    excluded = int(np.count_nonzero(~known & chain.is_live & (book.positions != 0.0)))
    if excluded:
        flags.append(f"Contracts with a position but no vol, left out of exposures: {excluded}.")
    if not book.positions[chain.is_live].any():
        flags.append("Dealers hold nothing: every exposure is 0.")
    by_strike = _by_strike(chain, shares)
    by_expiry = by_strike.drop(columns="strike").groupby("expiry").sum()
    totals = {name: float(by_expiry[name].sum()) for name in (*SHARES, *DOLLARS)}
    return Exposures(
        by_strike=by_strike,
        by_expiry=by_expiry,
        **totals,
        positions=book.positions,
        sigma=sigma,
        gamma=per_share[0],
        vanna=per_share[1],
        charm=per_share[2],
        surface=smiles,
        excluded=excluded,
        flags=(*book.notes, *flags, *surface_notes(smiles)),
    )


def contract_vols(
    chain: OptionChain, surface: Mapping[pd.Timestamp, Smile]
) -> tuple[FloatArray, list[str]]:
    """Return the vol of each live contract, and in words what stood in for a smile.

    The smile's where its expiry has one, else the contract's own `iv`, else NaN; shape
    (n_contracts,). Raises InputError where no live contract has any.
    """
    fitted = smile_vols(chain, surface)
    sigma = np.where(chain.is_live, np.where(np.isfinite(fitted), fitted, chain.iv), np.nan)
    if not np.isfinite(sigma).any():
        raise InputError(
            "contracts: no live contract has a usable bid and ask or an implied vol; "
            "give quotes, or a column iv"
        )
    own = int(np.count_nonzero(np.isfinite(sigma) & ~np.isfinite(fitted)))
    flags = [f"Contracts on their own IV, no smile being fitted: {own}."] if own else []
    dead = int(np.count_nonzero(~chain.is_live))
    if dead:
        flags.append(f"Expired contracts, which count for nothing: {dead}.")
    return sigma, flags


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
