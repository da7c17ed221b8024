"""The hedge impulse: shares that dealers must trade per dollar of spot (definitions 6)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.errors import InputError, Note, Severity, did_you_mean
from hpi_bt.options.chain import OptionChain
from hpi_bt.options.checks import check_chain
from hpi_bt.options.contract_vols import DEFAULT_VOLS
from hpi_bt.options.coupling import DEFAULT_SSR, Coupling, GivenCoupling, spot_vol_coupling
from hpi_bt.options.curve_features import Crossing, Extreme, features_of
from hpi_bt.options.curve_kernels import LEAST_SIGMA, Book, fill_curve, kernel_means
from hpi_bt.options.dealers import DEFAULT_POSITIONING
from hpi_bt.options.exposure import Exposures, exposures
from hpi_bt.options.threads import in_chunks

METHODS = ("reprice", "kernel")
WORTH_A_THREAD = 200_000  # revalued contracts
MOST_POINTS = 20_001
MOST_HELD = (
    0.01  # of gross gamma in contracts whose vol can fall no further; with more H is unknown
)


@dataclass(frozen=True, eq=False)
class ImpulseCurve:
    """The impulse of a book along spot; see `impulse_curve`.

    Attributes
    ----------
    price : ndarray of shape (n_prices,)
        Dollars, evenly spaced, spot in the middle.
    gamma_shares, vanna_shares : ndarray of shape (n_prices,)
        G in shares per $1 and V in shares per 1.00 of vol.
    vanna_impulse_shares : ndarray of shape (n_prices,)
        -(1/S') sum k V, the part of the impulse that comes from vol, in shares per $1.
    impulse_shares, impulse_usd : ndarray of shape (n_prices,)
        H in shares per $1, and in dollars of delta per 1 %. "kernel": per strike.
    method, spot, symbol
        "reprice" or "kernel"; dollars; the chain's symbol.
    coupling : Coupling
    impulse, slope, crossings, basins, peaks, up, down, bias, attractor_above, attractor_below,
    regime
        As in `CurveFeatures`.
    flags : tuple of str
        What a reader should know, one plain sentence each.
    contracts_held : ndarray of int, shape (n_prices,)
        Contracts whose vol would fall below 1 % there and is held at it.
    """

    price: FloatArray
    gamma_shares: FloatArray
    vanna_shares: FloatArray
    vanna_impulse_shares: FloatArray
    impulse_shares: FloatArray
    impulse_usd: FloatArray
    method: str
    spot: float
    symbol: str
    coupling: Coupling
    impulse: float
    slope: float
    crossings: tuple[Crossing, ...]
    basins: tuple[Extreme, ...]
    peaks: tuple[Extreme, ...]
    up: float
    down: float
    bias: str
    attractor_above: float
    attractor_below: float
    regime: str
    flags: tuple[str, ...] = ()
    contracts_held: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


def impulse_curve(
    chain: OptionChain,
    *,
    coupling: GivenCoupling = None,
    ssr: float = DEFAULT_SSR,
    positioning: str = DEFAULT_POSITIONING,
    mode: str = "canonical",
    vols: str = DEFAULT_VOLS,
    method: str = "reprice",
    range_pct: float = 3.0,
    step_pct: float = 0.05,
    kernel_width_strikes: float = 2.0,
    exposed: Exposures | None = None,
) -> ImpulseCurve:
    """Return H, the change of the dealers' delta per dollar of spot, over a grid of spots.

    Parameters
    ----------
    chain : OptionChain
    coupling, ssr
        As in `spot_vol_coupling`.
    positioning, mode, vols
        As in `exposures`.
    method : {"reprice", "kernel"}
        "reprice" revalues every contract at each spot: the book's true profile. "kernel" is a
        Gaussian-weighted mean of today's exposure over the strikes around each price: a map of
        where exposure sits, no revalued book, and per strike.
    range_pct, step_pct : float, default=3.0, 0.05
        Reach and step of the grid, in percent of spot.
    kernel_width_strikes : float, default=2.0
        Width of the kernel in modal strike spacings.
    exposed : Exposures, optional
        As `exposures` gave it for the same chain, positioning, mode and vols; saves doing it
        again.

    Returns
    -------
    curve : ImpulseCurve
        H > 0: dealers trade against the move, H < 0: with it.

    Raises
    ------
    InputError
        An unknown method, a grid or width that is no positive number; or as `exposures` and
        `spot_vol_coupling`.

    Notes
    -----
    H(S') = G(S') - (1/S') sum over expiries of k V(S'), with sigma' = sigma - k ln(S'/S) under
    "reprice". sigma' is never below 0.01, or sigma where that is lower: contracts held there are
    counted, and where they carry more than 1 % of the book's gross gamma H is NaN, and flagged.
    """
    check_chain(chain)
    if method not in METHODS:
        raise InputError(f"method: {method!r}{did_you_mean(method, METHODS)}; give one of them")
    moves = _moves(range_pct, step_pct)
    found = exposed or exposures(chain, positioning=positioning, mode=mode, vols=vols)
    coupled = spot_vol_coupling(chain, found.surface, coupling=coupling, ssr=ssr)
    price = chain.spot * (1.0 + moves)
    flags: list[str] = [*found.flags, *coupled.flags]
    if method == "reprice":
        sums, held = _repriced(chain, price, moves, book_of(chain, found, coupled.k), flags)
    else:
        sums = _mapped(chain, price, found, coupled.k, kernel_width_strikes, flags)
        held = np.zeros(len(price), dtype=np.int64)
    gamma, vanna, coupled_vanna = sums
    vol_part = -coupled_vanna / price
    impulse = gamma + vol_part
    features = features_of(price, impulse)._asdict()
    return ImpulseCurve(
        price=price,
        gamma_shares=gamma,
        vanna_shares=vanna,
        vanna_impulse_shares=vol_part,
        impulse_shares=impulse,
        impulse_usd=impulse * price * price * 0.01,
        contracts_held=held,
        method=method,
        spot=chain.spot,
        symbol=chain.symbol,
        coupling=coupled,
        **features | {"flags": (*flags, *features["flags"])},
    )


def book_of(chain: OptionChain, found: Exposures, k: FloatArray | None = None) -> Book:
    """Return the contracts with a position and a vol, as the compiled loops take them."""
    held = (found.positions != 0.0) & np.isfinite(found.sigma)
    still = np.zeros(len(chain)) if k is None else k
    shares = chain.multiplier * found.positions
    each = (chain.strike, chain.tau_years, found.sigma, chain.right, shares, still)
    return Book(*(np.ascontiguousarray(values[held]) for values in each))


def _moves(range_pct: float, step_pct: float) -> FloatArray:
    """Return the relative moves of the grid, 0 in the middle."""
    for name, value in (("range_pct", range_pct), ("step_pct", step_pct)):
        if not (0.0 < value < math.inf):
            raise InputError(f"{value}; give percent of spot, above 0", field=name)
    if not step_pct <= range_pct < 100.0:
        raise InputError(
            f"{range_pct} with steps of {step_pct}; give at least one step, below 100",
            field="range_pct",
        )
    steps = math.floor(range_pct / step_pct + 1e-9)
    if 2 * steps + 1 > MOST_POINTS:
        raise InputError(
            f"step_pct: {step_pct} makes {2 * steps + 1} prices, {MOST_POINTS} are allowed; "
            "give a larger step"
        )
    return np.asarray(np.arange(-steps, steps + 1) * (step_pct / 100.0))


def _repriced(
    chain: OptionChain, price: FloatArray, moves: FloatArray, book: Book, flags: list[str]
) -> tuple[FloatArray, IntArray]:
    """Return G, V and sum k V of the book revalued at each price, shape (3, n_prices).

    And how many contracts are held at the least vol at each.
    """
    sums = np.empty((6, len(price)))
    log_moves = np.log1p(moves)

    def fill(start: int, stop: int) -> None:
        fill_curve(start, stop, price, log_moves, book, chain.rate, chain.dividend, sums)

    in_chunks(fill, len(price), least=1 + WORTH_A_THREAD // (1 + len(book.shares)))
    lost = sums[4] > MOST_HELD * sums[3]
    sums[:3, lost] = np.nan
    flags += _held_notes(price, sums, lost)
    return sums[:3], sums[5].astype(np.int64)


def _held_notes(price: FloatArray, sums: FloatArray, lost: BoolArray) -> list[Note]:
    """Return where contracts are held at the least vol, and where that makes H unknown."""
    share = 100.0 * np.divide(sums[4], sums[3], out=np.zeros(len(price)), where=sums[3] > 0.0)
    least, notes = f"{100 * LEAST_SIGMA:.0f} %", []
    if lost.any():
        text = (
            f"At {int(lost.sum())} prices ({_span(price[lost])}) contracts with up to "
            f"{share[lost].max():.0f} % of the gross gamma would have a vol below {least}: the "
            "impulse is not known there."
        )
        notes.append(Note(Severity.WARNING, "impulse-unknown", text))
    held = (sums[5] > 0.0) & ~lost
    if held.any():
        text = (
            f"At {int(held.sum())} prices ({_span(price[held])}) the vol of up to "
            f"{int(sums[5, held].max())} contracts is held at {least}, or at their own if lower; "
            f"they carry {share[held].max():.2f} % of the gross gamma at most."
        )
        notes.append(Note(Severity.INFO, "vols-held", text))
    return notes


def _span(price: FloatArray) -> str:
    return f"from {price[0]:.2f} to {price[-1]:.2f}"


def _mapped(
    chain: OptionChain,
    price: FloatArray,
    found: Exposures,
    k: FloatArray,
    width_strikes: float,
    flags: list[str],
) -> FloatArray:
    """Return the kernel means of G, V and k V over the strikes, shape (3, n_prices)."""
    if not 0.0 < width_strikes < math.inf:
        raise InputError(f"kernel_width_strikes: {width_strikes}; give strikes, above 0")
    strikes, place = np.unique(chain.strike[chain.is_live], return_inverse=True)
    shares = (chain.multiplier * found.positions)[chain.is_live]
    vanna = shares * found.vanna[chain.is_live]
    each = (shares * found.gamma[chain.is_live], vanna, vanna * k[chain.is_live])
    sums = [np.bincount(place, one, minlength=len(strikes)) for one in each]
    values = np.array(sums, dtype=np.float64)
    width = width_strikes * modal_spacing(strikes)
    outside = int(np.count_nonzero((price < strikes[0] - width) | (price > strikes[-1] + width)))
    if outside:
        flags.append(f"{outside} prices lie beyond all strikes: the map repeats the last strike.")
    return np.asarray(kernel_means(price, strikes, values, width))


def modal_spacing(strikes: FloatArray) -> float:
    """Return the most frequent distance of neighbours, the smallest at ties; 1 for one strike.

    `strikes` ascend and differ. With one strike every width gives the same means.
    """
    if len(strikes) < 2:
        return 1.0
    gaps = np.round(np.diff(strikes), 6)
    sizes, counts = np.unique(gaps[gaps > 0.0], return_counts=True)
    return float(sizes[np.argmax(counts)])
