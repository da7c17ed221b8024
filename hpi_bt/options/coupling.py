"""How far implied vol falls as spot rises, per expiry (definitions 6)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError
from hpi_bt.options.chain import OptionChain
from hpi_bt.options.expiries import timestamp_of
from hpi_bt.options.selection import on_date
from hpi_bt.options.smile import Smile

DEFAULT_SSR = 1.5

#: A coupling for all expiries, or one for some of them by moment or date.
GivenCoupling: TypeAlias = float | Mapping[pd.Timestamp | date | str, float] | None


class Coupling(NamedTuple):
    """The spot-vol coupling of each live expiry.

    Attributes
    ----------
    table : DataFrame, index expiry
        k (fall of a fixed strike's vol per unit of ln S), k_atm (the same at the money),
        k_atm_over_s0, ssr, skew (b), s0. NaN where an expiry has no smile to tell.
    k : ndarray of shape (n_contracts,)
        What each contract's vol loses per unit of ln S; 0 where its expiry has none.
    flags : tuple of str
        What a reader should know, one plain sentence each.
    """

    table: pd.DataFrame
    k: FloatArray
    flags: tuple[str, ...]


def spot_vol_coupling(
    chain: OptionChain,
    surface: Mapping[pd.Timestamp, Smile],
    *,
    coupling: GivenCoupling = None,
    ssr: float = DEFAULT_SSR,
) -> Coupling:
    """Return k and k_atm of each expiry from its skew, or as given.

    Parameters
    ----------
    chain : OptionChain
    surface : mapping of Smile by expiry
    coupling : float or mapping of expiry to float, optional
        k itself, for all expiries or for those named (a date names all of that date). The
        others keep what their skew says.
    ssr : float, default=1.5
        Skew-stickiness ratio; 1 is sticky strike (k = 0).

    Returns
    -------
    coupling : Coupling

    Raises
    ------
    InputError
        A coupling or ssr that is no finite number, or an expiry that the chain does not have.

    Notes
    -----
    b = d sigma/d ln K at the money: k_atm = -SSR b, k = -(SSR - 1) b. A given k stands for
    k_atm = k - b and SSR = 1 - k/b. Nothing is clamped.
    """
    if not math.isfinite(ssr):
        raise InputError(
            f"{ssr}; give a finite number (1.5 is usual, 1 is sticky strike)", field="ssr"
        )
    live = np.zeros(len(chain.expiries), dtype=bool)
    live[chain.expiry_code[chain.is_live]] = True
    smiles = [surface.get(moment) for moment in chain.expiries]
    skew = np.array([math.nan if smile is None else smile.skew for smile in smiles])
    s0 = np.array([math.nan if smile is None else smile.s0 for smile in smiles])
    given = _given(chain, coupling)
    k = np.where(np.isnan(given), -(ssr - 1.0) * skew, given) + 0.0  # no minus zero
    k_atm = np.where(np.isnan(given), -ssr * skew, given - skew)
    implied = np.full(len(k), np.nan)
    np.divide(-k_atm, skew, out=implied, where=skew != 0.0)
    table = pd.DataFrame(
        {
            "k": k,
            "k_atm": k_atm,
            "k_atm_over_s0": k_atm / s0,
            "ssr": np.where(np.isnan(given), ssr, implied),
            "skew": skew,
            "s0": s0,
        },
        index=pd.DatetimeIndex(chain.expiries, name="expiry"),
    )[live]
    each = np.nan_to_num(k, nan=0.0)[chain.expiry_code]
    return Coupling(table, each, _flags(table, ssr))


def _given(chain: OptionChain, coupling: GivenCoupling) -> FloatArray:
    """Return the given k of each of the chain's expiries, NaN where none is given."""
    given = np.full(len(chain.expiries), np.nan)
    if coupling is None:
        return given
    if not isinstance(coupling, Mapping):
        given[:] = _finite(coupling)
        return given
    for name, value in coupling.items():
        moment = timestamp_of(name)
        if moment is None:
            raise InputError(
                f"{name!r} is no date; name an expiry, as 2023-09-15", field="coupling"
            )
        at = np.asarray(chain.expiries == moment)
        if moment.tz is None:
            at = np.zeros(len(given), dtype=bool)
            at[chain.expiry_code[on_date(chain, moment.normalize())]] = True
        if not at.any():
            raise InputError(
                f"no contract expires on {name!s}; name one of the chain's", field="coupling"
            )
        given[at] = _finite(value)
    return given


def _finite(value: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(
            f"{value!r}; give a finite number, as 0.2, or one per expiry", field="coupling"
        )
    return number


def _flags(table: pd.DataFrame, ssr: float) -> tuple[str, ...]:
    """Return what must be said of the couplings."""
    flags = []
    if ssr < 0.0:
        flags.append(
            f"The skew-stickiness ratio of {ssr:g} is below 0: vol at the money is taken to move "
            "against what the skew says (1 is sticky strike, 1 to 2 is usual)."
        )
    unknown = int(table["k"].isna().sum())
    if unknown:
        flags.append(f"Expiries without a smile, their vols held still (k = 0): {unknown}.")
    low = table.index[table["k"] <= 0.0]
    if len(low):
        where = f" in {len(low)} of {len(table)} expiries" if len(table) > 1 else ""
        flags.append(
            f"The coupling k is 0 or below{where} "
            f"(first {low[0]:%Y-%m-%d %H:%M}): vol there does not fall as spot rises."
        )
    return tuple(flags)
