"""A vol for every contract of many snapshots at once: given, implied, or of the smile."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.features.contract_rows import ContractRows
from hpi_bt.sources.snapshots import parity_forward

Origin: TypeAlias = Literal["auto", "own", "implied"]
ORIGINS = ("no vol", "given vols", "vols implied from prices", "the snapshot's smile")
NONE, OWN, IMPLIED, SMILE = range(4)


class ContractVols(NamedTuple):
    """Vols of contracts, each array of shape (n_rows,).

    `sigma` is a decimal, NaN where there is none; `origin` numbers ORIGINS; `forward` is the
    forward of the row's snapshot and expiry, in dollars.
    """

    sigma: FloatArray
    origin: IntArray
    forward: FloatArray

    @property
    def quoted(self) -> BoolArray:
        """Whether a vol is given or implied by the strike's own price, shape (n_rows,)."""
        return np.isfinite(self.sigma) & np.isin(self.origin, (OWN, IMPLIED))


def vols_of(rows: ContractRows, *, origin: Origin = "auto") -> ContractVols:
    """Return a vol for every living contract, each snapshot and expiry by itself.

    Parameters
    ----------
    rows : ContractRows
    origin : {"auto", "own", "implied"}
        The vols given, or those implied from the options' prices; auto: given where there is one,
        else implied. Call and put of a strike have one vol, that of the one out of the money.

    Notes
    -----
    Forward: the median of K + (C - P) e^(r tau) over the five strikes with the smallest |C - P|;
    spot e^((r - q) tau) where no strike has both prices. The out-of-the-money side gives the vol of
    its strike, to call and put; the other one where a vol is given for that alone. What is still
    without one takes the smile of its own snapshot: total variance linear in strike between those
    known, the last vol beyond.
    """
    chain, tau = rows.chain, rows.tau_years
    group = _groups(chain.moment, chain.expiry)
    forward = _forwards(rows, group)
    alive = tau > 0.0
    sigma = np.full(len(tau), np.nan)
    source = np.full(len(tau), NONE)
    out = (chain.strike >= forward) == (chain.right > 0)
    place, n = numbered(group, chain.strike)
    if origin != "implied":
        given = alive & (chain.iv > 0.0) & np.isfinite(chain.iv)
        of_strike = _by_strike(place, n, chain.iv, given & ~out, given & out)
        sigma = np.where(alive, of_strike[place], np.nan)
        source[np.isfinite(sigma)] = OWN
    if origin != "own" and (alive & np.isnan(sigma)).any():
        implied = _implied(rows, forward, alive & out)
        of_strike = _by_strike(place, n, implied, np.isfinite(implied))
        spare = alive & np.isnan(sigma) & np.isfinite(of_strike[place])
        sigma[spare], source[spare] = of_strike[place[spare]], IMPLIED
    blank = alive & np.isnan(sigma)
    sigma[blank] = _smiles(group, chain.strike, sigma, blank)
    source[blank & np.isfinite(sigma)] = SMILE
    return ContractVols(sigma, source, forward)


def _by_strike(place: IntArray, n: int, values: FloatArray, *rows: BoolArray) -> FloatArray:
    """Return one value a strike, shape (n,): of the later ones of `rows` before the earlier."""
    of_strike = np.full(n, np.nan)
    for chosen in rows:
        of_strike[place[chosen]] = values[chosen]
    return of_strike


def numbered(*keys: IntArray | FloatArray) -> tuple[IntArray, int]:
    """Return a number for each combination of the keys that occurs, and how many there are."""
    order = np.lexsort(keys[::-1])
    new = np.zeros(len(order), dtype=bool)
    for key in keys:
        new[1:] |= key[order][1:] != key[order][:-1]
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.cumsum(new)
    return place, int(new.sum()) + bool(len(order))


def _groups(moment: IntArray, expiry: IntArray) -> IntArray:
    return numbered(moment, expiry)[0]


def _forwards(rows: ContractRows, group: IntArray) -> FloatArray:
    """Return the forward of each row's snapshot and expiry; shape (n_rows,)."""
    tau = np.maximum(rows.tau_years, 0.0)
    later = rows.chain._replace(last=rows.chain.last * np.exp(rows.rate * tau))
    parity = parity_forward(later, group, int(group.max()) + 1)[group]
    carried = rows.spot * np.exp((rows.rate - rows.dividend) * tau)
    return np.where(parity > 0.0, parity, carried)


def _implied(rows: ContractRows, forward: FloatArray, asked: BoolArray) -> FloatArray:
    """Return the vols of the prices of some rows; NaN elsewhere, shape (n_rows,)."""
    from hpi_bt.options.implied import implied_vol  # compiled: not at each start

    chain, tau = rows.chain, rows.tau_years
    use = np.flatnonzero(asked & (chain.last > 0.0))
    sigma = np.full(len(tau), np.nan)
    sigma[use] = implied_vol(
        chain.last[use],
        (forward * np.exp(-rows.rate * np.maximum(tau, 0.0)))[use],
        chain.strike[use],
        tau[use],
        chain.right[use].astype(np.float64),
        rate=rows.rate[use],
    )
    return sigma


def _smiles(group: IntArray, strike: FloatArray, sigma: FloatArray, blank: BoolArray) -> FloatArray:
    """Return the vols of the blank rows from the others of their group; NaN where none is known."""
    order = np.lexsort((strike, group))
    edges = np.searchsorted(group[order], np.arange(int(group.max()) + 2))
    made = np.full(len(sigma), np.nan)
    for number in np.unique(group[blank]).tolist():
        own = order[edges[number] : edges[number + 1]]
        known, wanted = own[np.isfinite(sigma[own])], own[blank[own]]
        if len(known):
            made[wanted] = interpolated(strike[wanted], strike[known], sigma[known])
    return made[blank]


def interpolated(strike: FloatArray, known: FloatArray, sigma: FloatArray) -> FloatArray:
    """Return vols at strikes: variance linear between known strikes, the last vol beyond.

    `known` ascend; all are of one expiry and moment.
    """
    return np.sqrt(np.interp(strike, known, sigma**2))
