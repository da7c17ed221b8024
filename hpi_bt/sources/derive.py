"""Columns that are sums and differences of others: openinterest = put_oi + call_oi."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd

from hpi_bt.errors import InputError, did_you_mean
from hpi_bt.sources.hours import add_notes

_TERM = re.compile(r"\s*([+-]?)\s*([A-Za-z_]\w*)\s*")


def _terms(name: str, formula: str) -> list[tuple[float, str]]:
    terms: list[tuple[float, str]] = []
    at = 0
    while at < len(formula):
        match = _TERM.match(formula, at)
        if match is None or (terms and not match[1]):
            raise InputError(
                f"data.derive.{name}: {formula!r} is no sum of columns; write put_oi + call_oi"
            )
        terms.append((-1.0 if match[1] == "-" else 1.0, match[2]))
        at = match.end()
    if not terms:
        raise InputError(f"data.derive.{name}: is empty; write a sum such as put_oi + call_oi")
    return terms


def derive_columns(frame: pd.DataFrame, formulas: Mapping[str, str]) -> pd.DataFrame:
    """Return the frame with each column of `formulas` made, or replaced, from others of its row.

    Parameters
    ----------
    frame : DataFrame
        Bars with the columns that the formulas name; those made by an earlier formula count.
    formulas : mapping
        Name: columns joined by + and -. NaN in a term makes the sum NaN.

    Raises
    ------
    InputError
        A formula is no such sum, or names a column that is not there.
    """
    for name, formula in formulas.items():
        total = pd.Series(0.0, index=frame.index)
        for sign, column in _terms(name, formula):
            if column not in frame:
                hint = did_you_mean(column, map(str, frame.columns))
                raise InputError(f"data.derive.{name}: no column {column!r}{hint}")
            total = total + sign * frame[column]
        attrs = frame.attrs
        frame = frame.assign(**{name: total})
        frame.attrs = attrs
        frame = add_notes(frame, f"{name} = {formula}")
    return frame
