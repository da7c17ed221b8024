"""Numbers as people write them in tables: 1,234.5, 1,23,456, 209.81K, $601.12, N/A, 24.98%."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray
from hpi_bt.errors import InputError, shortened

#: Words for "none", besides what pandas knows.
BLANKS = ("", "-", "--", "---", ".", "n/a", "na", "nan", "null", "none", "<na>", "<empty>")

# groups of three, or as in India of two before the last three; a leading 0 is a decimal comma's
_GROUPED = r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?|[+-]?[1-9]\d?(?:,\d{2})*,\d{3}(?:\.\d*)?"
_UNITS = {"K": 1e3, "M": 1e6, "B": 1e9}


_DOUBTFUL = r"[+-]?[1-9]\d{0,2},\d{3}"


def doubtful_comma(values: pd.Series) -> str | None:
    """Return a cell such as 1,085 where all cells are of this form: 1085, or 1.085 in Europe."""
    if pd.api.types.is_numeric_dtype(values.dtype):
        return None
    words = values.dropna().astype("str").str.strip()
    words = words[~words.str.lower().isin(BLANKS)]
    every = len(words) > 0 and bool(words.str.fullmatch(_DOUBTFUL).all())
    return str(words.iloc[0]) if every else None


def refuse_endless(values: pd.Series, numbers: FloatArray, name: str) -> None:
    """Refuse a cell whose digits say more than any number of 64 bits, and show them.

    Parameters
    ----------
    values : Series of n cells
    numbers : array of shape (n,)
        What they are read as.
    name : str
        The file.

    Raises
    ------
    InputError
        A cell of digits is read as infinite; `inf` itself is left to what checks amounts.
    """
    endless = np.isinf(numbers)
    if endless.any():
        endless &= values.astype("str").str.contains(r"\d", regex=True).to_numpy(dtype=bool)
    if endless.any():
        row = int(np.argmax(endless))
        raise InputError(
            f"row {values.index[row] + 1}, {values.name} is "
            f"{shortened(str(values.iloc[row]), 40)}; wanted a number within 1e+15",
            where=name,
            remedy="fix the file",
        )


class Numbers(NamedTuple):
    """A column of text as numbers; each of shape (n,).

    `bad` are cells that are neither blank nor a number, `percent` those that ended in a percent
    sign, whose numbers are those before it (24.98).
    """

    numbers: FloatArray
    bad: BoolArray
    percent: BoolArray


def numbers_in(values: pd.Series) -> Numbers:
    """Return a column's cells as numbers, NaN where they are blank or bad.

    Notes
    -----
    A comma counts as one of thousands where it parts groups of three digits (or 1,23,456); with
    any other comma in the column it may be a decimal one, and all cells with a comma are bad.
    """
    n = len(values)
    try:
        read = pd.to_numeric(values, errors="coerce")
    except OverflowError:  # an integer of hundreds of digits
        read = pd.to_numeric(values.astype("str"), errors="coerce")
    plain = read.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    if pd.api.types.is_numeric_dtype(values.dtype) or n == 0:
        return Numbers(plain, np.zeros(n, dtype=bool), np.zeros(n, dtype=bool))
    open_cells = np.isnan(plain) & values.notna().to_numpy(dtype=bool)
    percent = np.zeros(n, dtype=bool)
    if not open_cells.any():
        return Numbers(plain, open_cells, percent)
    words = values[open_cells].astype("str").str.strip()
    blank = words.str.lower().isin(BLANKS).to_numpy(dtype=bool)
    signed = words.str.endswith("%").to_numpy(dtype=bool)
    words = words.str.removesuffix("%").str.strip().str.removeprefix("$")
    scale = words.str[-1:].str.upper().map(_UNITS).fillna(1.0).to_numpy(dtype=np.float64)
    words = words.mask(scale > 1.0, words.str[:-1].str.strip())
    comma = words.str.contains(",", regex=False).to_numpy(dtype=bool)
    if words[comma].str.fullmatch(_GROUPED).fillna(False).all():
        words = words.str.replace(",", "", regex=False)
    again = pd.to_numeric(words, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    plain[open_cells] = again * scale
    percent[open_cells] = signed
    bad = np.zeros(n, dtype=bool)
    bad[open_cells] = np.isnan(again) & ~blank
    return Numbers(plain, bad, percent)
