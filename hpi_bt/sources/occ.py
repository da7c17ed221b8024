"""Contract symbols as the Options Clearing Corporation writes them: SPXW230914C04450000."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray
from hpi_bt.errors import InputError

# the fixed tail of a symbol: yymmdd, C or P, and the strike in eight digits of 0.001
_TAIL = 15
_PREFIX, _SYMBOL = r"(?:[A-Z]+:)?", r"[0-9A-Z.^]{1,6} *\d{6}[CP]\d{8}"
_STRIKE_UNITS = 1000.0
_WEEKLY = ("W", "P", "PM")


class OccFields(NamedTuple):
    """What contract symbols say, each of shape (n,).

    `expiry` holds naive dates (NaT where a symbol is none), `right` "C" or "P", `strike` is in
    units of the underlying.
    """

    root: npt.NDArray[np.object_]
    expiry: pd.DatetimeIndex
    right: npt.NDArray[np.object_]
    strike: FloatArray


def is_occ(symbols: pd.Series) -> BoolArray:
    """Return whether each text is a contract symbol in OCC form; shape (n,).

    A vendor's prefix (O:SPY241220C00540000, OPRA:...) is no part of the symbol.
    """
    found = symbols.astype("str").str.strip().str.upper().str.fullmatch(_PREFIX + _SYMBOL)
    return found.fillna(False).to_numpy(dtype=bool)


def parse_occ(symbols: pd.Series, *, name: str = "") -> OccFields:
    """Return root, expiry date, right and strike of contract symbols.

    Parameters
    ----------
    symbols : Series of str, length n
        Root of 1 to 6 letters or digits, with or without the blanks that pad it to 6, then
        yymmdd, C or P, and the strike times 1000 in 8 digits. Years are those of 2000 to 2099.
    name : str
        File or argument that begins a message.

    Raises
    ------
    InputError
        A symbol is not of that form, or its date does not exist.
    """
    text = symbols.astype("str").str.strip().str.upper()
    text = text.str.replace("^" + _PREFIX, "", regex=True)
    good = is_occ(text)
    if not good.all():
        _refuse(symbols, int(np.argmin(good)), name)
    dates, places = np.unique(text.str.slice(-_TAIL, -9).to_numpy(dtype=str), return_inverse=True)
    days = pd.DatetimeIndex(pd.to_datetime(pd.Index(dates), format="%y%m%d", errors="coerce"))
    # strptime takes yy above 68 for the last century
    days = days.where(days.year >= 2000, days + pd.DateOffset(years=100))
    expiry = days.as_unit("ns")[places]
    if expiry.hasnans:
        _refuse(symbols, int(np.argmax(expiry.isna())), name)
    roots = text.str.slice(0, -_TAIL).str.strip()
    strike = text.str.slice(-8).astype(np.int64).to_numpy(dtype=np.float64) / _STRIKE_UNITS
    right = text.str.slice(-9, -8)
    return OccFields(roots.to_numpy(dtype=object), expiry, right.to_numpy(dtype=object), strike)


def occ_symbol(root: str, expiry: date, right: str, strike: float) -> str:
    """Return the symbol of a contract without padding: "SPXW", 2023-09-14, "C", 4450 of above.

    Raises
    ------
    InputError
        A field does not fit: the root, a right that is not C or P, or a strike that is not a
        multiple of 0.001 from 0.001 to 99,999.999.
    """
    units = round(strike * _STRIKE_UNITS)
    fits = abs(units - strike * _STRIKE_UNITS) < 1e-6 and 0 < units < 10**8
    symbol = f"{root}{expiry:%y%m%d}{right}{units:08d}"
    if not fits or symbol != symbol.upper() or not is_occ(pd.Series([symbol]))[0]:
        raise InputError(
            f"contract: {root!r}, {expiry}, {right!r}, {strike!r} have no OCC symbol; wanted a "
            "root of 1 to 6 capitals, C or P, and a strike in steps of 0.001 below 100,000"
        )
    return symbol


def main_root(roots: npt.NDArray[np.object_]) -> str:
    """Return the underlying's symbol: the commonest root or a shorter one that it begins with.

    SPX for SPX and SPXW. Empty where there are no roots.
    """
    names, counts = np.unique(roots.astype(str), return_counts=True)
    if not len(names):
        return ""
    common = str(names[np.argmax(counts)])
    stems = [str(n) for n in names if n and common.startswith(n)]
    return min(stems, key=len, default=common)


def root_families(roots: npt.NDArray[np.object_]) -> dict[str, str]:
    """Return {root: underlying}: SPX for SPX and SPXW, XOM for XOM and XOM2.

    Roots of one underlying are the same but for digits, which mark an adjusted contract, and a W, P
    or PM at the end, which mark weekly and afternoon-settled ones.
    """
    names = sorted({str(root) for root in roots if root}, key=lambda name: (len(name), name))
    found: dict[str, str] = {}
    for name in names:
        bare = name.strip("0123456789") or name
        stems = (stem for stem in found.values() if bare in (stem, *(stem + w for w in _WEEKLY)))
        found[name] = next(stems, bare)
    return found


def _refuse(symbols: pd.Series, row: int, name: str) -> None:
    raise InputError(
        f"row {symbols.index[row] + 1} is {str(symbols.iloc[row])[:40]!r}; wanted an OCC symbol "
        "such as SPXW230914C04450000",
        where=name,
        field=str(symbols.name or "contract"),
        remedy="fix or remove the row",
    )
