"""Price levels of a chain: zero gamma, walls, max pain, expected move (definitions 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.options.chain import OptionChain
from hpi_bt.options.contract_vols import DEFAULT_VOLS, smiles_and_vols
from hpi_bt.options.dealers import DEFAULT_POSITIONING
from hpi_bt.options.exposure import Exposures, exposures, sensitivities
from hpi_bt.options.flips import Level, Surface, crossing_of, strike_sum_of
from hpi_bt.options.parity import expiry_taus, quoted_pairs
from hpi_bt.options.strikes import Rows, heaviest, least_paid
from hpi_bt.options.surface import fit_surface


class ExpectedMove(NamedTuple):
    """What the nearest expiry's options expect the underlying to move until then.

    Attributes
    ----------
    expiry : Timestamp
    straddle : float
        Call + put at the quoted strike nearest to the forward, in dollars: about the mean
        absolute move. NaN where none is quoted.
    sigma : float
        s0 sqrt(tau) S, one standard deviation in dollars. NaN where there is no smile.
    note : str
    """

    expiry: pd.Timestamp
    straddle: float
    sigma: float
    note: str = ""


@dataclass(frozen=True, eq=False)
class PriceLevels:
    """All levels of a chain.

    Attributes
    ----------
    zero_gamma, zero_gamma_strike_sum, call_wall, put_wall, max_pain : float
        Dollars; NaN where there is none, and `flags` says why.
    expected_move : ExpectedMove
        Of the nearest expiry.
    by_expiry : DataFrame, index expiry
        call_wall, put_wall, max_pain, straddle, sigma_move, in dollars.
    flags : tuple of str
    """

    zero_gamma: float
    zero_gamma_strike_sum: float
    call_wall: float
    put_wall: float
    max_pain: float
    expected_move: ExpectedMove
    by_expiry: pd.DataFrame
    flags: tuple[str, ...] = ()


def price_levels(
    chain: OptionChain,
    *,
    positioning: str = DEFAULT_POSITIONING,
    mode: str = "canonical",
    vols: str = DEFAULT_VOLS,
    surface: Surface | None = None,
    exposed: Exposures | None = None,
) -> PriceLevels:
    """Return every level of a chain, its exposures being computed once.

    Parameters
    ----------
    chain : OptionChain
    positioning, mode, vols, surface
        As in `exposures`; walls, max pain and expected moves do not depend on the first two.
    exposed : Exposures, optional
        `exposures` of this very chain, which then says all four.
    """
    if exposed is None:
        exposed = exposures(chain, positioning=positioning, mode=mode, vols=vols, surface=surface)
    levels = {
        "zero_gamma": crossing_of(chain, exposed),
        "zero_gamma_strike_sum": strike_sum_of(chain, exposed),
        "call_wall": _wall(chain, exposed.gamma, 1.0),
        "put_wall": _wall(chain, exposed.gamma, -1.0),
        "max_pain": max_pain(chain),
    }
    moves = _expected_moves(chain, exposed.surface)
    table = _by_expiry(chain, exposed.gamma, moves)
    notes = {name: level.note for name, level in levels.items()} | {"expected_move": moves[0].note}
    flags = [
        f"{name.replace('_', ' ').capitalize()}: {note}" for name, note in notes.items() if note
    ]
    prices = {name: level.price for name, level in levels.items()}
    return PriceLevels(
        expected_move=moves[0],
        by_expiry=table,
        flags=tuple(flags + _lacking(table)),
        zero_gamma=prices["zero_gamma"],
        zero_gamma_strike_sum=prices["zero_gamma_strike_sum"],
        call_wall=prices["call_wall"],
        put_wall=prices["put_wall"],
        max_pain=prices["max_pain"],
    )


def call_wall(
    chain: OptionChain, *, vols: str = DEFAULT_VOLS, surface: Surface | None = None
) -> Level:
    """Return the strike with the largest call gamma x open interest over all live expiries.

    Equal strikes: the nearest to spot. NaN, with a note, where there is none.
    """
    return _wall(chain, _gamma(chain, vols, surface), 1.0)


def put_wall(
    chain: OptionChain, *, vols: str = DEFAULT_VOLS, surface: Surface | None = None
) -> Level:
    """Return the strike with the largest put gamma x open interest; as `call_wall`."""
    return _wall(chain, _gamma(chain, vols, surface), -1.0)


def max_pain(chain: OptionChain) -> Level:
    """Return the strike at which the live open contracts would pay their holders least.

    Over all live expiries as if they settled at one price; `chain.select` gives one of them.
    Equal strikes: the nearest to spot. NaN, with a note, where open interest is unknown or 0.
    """
    return _max_pain(chain, np.flatnonzero(chain.is_live))


def expected_move(chain: OptionChain, *, surface: Surface | None = None) -> ExpectedMove:
    """Return the move until the nearest live expiry that its own options expect."""
    return _expected_moves(chain, fit_surface(chain) if surface is None else surface)[0]


def _gamma(chain: OptionChain, vols: str, surface: Surface | None) -> FloatArray:
    """Return the gamma per share of each contract, shape (n_contracts,)."""
    _, own = smiles_and_vols(chain, surface=surface, vols=vols)
    return np.asarray(sensitivities(chain, own.sigma)[0])


def _wall(chain: OptionChain, gamma: FloatArray, right: float, rows: Rows | None = None) -> Level:
    """Return the wall of the calls (+1) or puts (-1) among some contracts, all live by default."""
    side = chain.is_live & (chain.right == right)
    rows = np.flatnonzero(side) if rows is None else rows[side[rows]]
    price = heaviest(chain.strike[rows], gamma[rows] * chain.open_interest[rows], chain.spot)
    name = "calls" if right > 0.0 else "puts"
    return Level(price, f"no {name} with gamma and open interest." if np.isnan(price) else "")


def _max_pain(chain: OptionChain, rows: Rows) -> Level:
    """Return the max pain of some contracts."""
    open_interest = chain.open_interest[rows]
    price = least_paid(chain.strike[rows], chain.right[rows], open_interest, chain.spot)
    if np.isfinite(price):
        return Level(price, "")
    known = np.isfinite(open_interest).any()
    return Level(price, "all open interest is 0." if known else "no open interest is known.")


def _expected_moves(chain: OptionChain, surface: Surface) -> list[ExpectedMove]:
    """Return the expected move of each live expiry, ascending."""
    pairs, taus = quoted_pairs(chain), expiry_taus(chain)
    moves = []
    for at, moment in enumerate(chain.expiries):
        if taus[at] <= 0.0:
            continue
        smile = surface.get(moment)
        sigma = chain.spot * smile.s0 * float(np.sqrt(taus[at])) if smile else np.nan
        ours = np.flatnonzero(pairs.code == at)
        straddle = np.nan
        if len(ours):
            middle = smile.forward if smile else chain.spot
            straddle = float(pairs.straddle[ours[np.argmin(np.abs(pairs.strike[ours] - middle))]])
        lacking = [
            *(["no straddle is quoted"] if np.isnan(straddle) else []),
            *(["no smile is known"] if np.isnan(sigma) else []),
        ]
        moves.append(
            ExpectedMove(moment, straddle, sigma, f"{' and '.join(lacking)}." if lacking else "")
        )
    return moves


def _by_expiry(chain: OptionChain, gamma: FloatArray, moves: list[ExpectedMove]) -> pd.DataFrame:
    """Return the levels of each live expiry alone."""
    order = np.argsort(chain.expiry_code, kind="stable")
    bounds = np.searchsorted(chain.expiry_code[order], np.arange(len(chain.expiries) + 1))
    table = {}
    for at in range(len(chain.expiries) - len(moves), len(chain.expiries)):
        rows, move = order[bounds[at] : bounds[at + 1]], moves[at - len(chain.expiries)]
        table[move.expiry] = {
            "call_wall": _wall(chain, gamma, 1.0, rows).price,
            "put_wall": _wall(chain, gamma, -1.0, rows).price,
            "max_pain": _max_pain(chain, rows).price,
            "straddle": move.straddle,
            "sigma_move": move.sigma,
        }
    frame = pd.DataFrame.from_dict(table, orient="index", dtype=np.float64)
    return frame.rename_axis("expiry")


def _lacking(table: pd.DataFrame) -> list[str]:
    """Return how many expiries lack which levels, in one sentence; of one alone all is said."""
    counts = table.isna().sum()
    named: dict[int, list[str]] = {}
    for name, count in counts[counts > 0].items():
        named.setdefault(int(count), []).append(str(name).replace("_", " "))
    if len(table) < 2 or not named:
        return []
    parts = [f"{', '.join(names)} in {count}" for count, names in named.items()]
    return [f"Unknown, a dash in their table: {'; '.join(parts)} of {len(table)} expiries."]
