"""What a bar must be: the names of its columns, and how faulty bars are refused or repaired."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray
from hpi_bt.errors import InputError, Note, Severity
from hpi_bt.sources.hours import HOURS_COLUMNS, add_notes, counted

PRICE_COLUMNS = ("open", "high", "low", "close")
VOLUME_COLUMNS = ("volume", "put_volume", "call_volume")
OI_COLUMNS = ("openinterest", "put_oi", "call_oi", "net_oi")
#: Key of `attrs`, there and True where a config says that prices of 0 or less are prices.
NONPOSITIVE = "allow_nonpositive"

BadBars: TypeAlias = Literal["refuse", "drop", "widen"]
#: Names a cell in a message by its place and our name of its column: "row 7, Settle".
Cell: TypeAlias = Callable[[int, str], str]

_SIGNED = "net_oi"  # a difference of two counts
MOST = 1e15  # of any price or amount
#: How the columns begin that a feature of the config makes, and which.
_FEATURES = {
    **{"hedge_": "hedge_flow", "gauge": "gauge"},
    **dict.fromkeys(("put_gamma_", "call_gamma_"), "gamma_volume"),
}
_TOLERANCE = 1e-9  # relative: what splitting and adjusting prices leaves in the last digits
_REPAIR = "fix the file, or set bad_bars under source to drop or widen"


def plain_cell(place: int, column: str) -> str:
    """Return "row 7, high" of a place counted from 0."""
    return f"row {place + 1}, {column}"


def check_required(frame: pd.DataFrame, column: str, name: str) -> None:
    """Raise `InputError` where a column is absent or blank in all bars."""
    if column not in frame.columns:
        found = ", ".join(c for c in frame.columns if c not in HOURS_COLUMNS)
        feature = next((f for begin, f in _FEATURES.items() if column.startswith(begin)), "")
        if feature:
            raise InputError(
                f"{name}: no column {column!r} (found: {found}); add its feature to the config, "
                f"features: [{{kind: {feature}, ...}}], or name it under columns"
            )
        raise InputError(
            f"{name}: no column {column!r} (found: {found}); name it under columns, "
            "or add the file that has it as a part"
        )
    if frame[column].isna().all():
        raise InputError(
            f"{name}: column {column!r} is blank in all {len(frame)} bars; "
            "wanted numbers, check its column name, dates and known_at"
        )


def check_amounts(frame: pd.DataFrame, *, name: str, cell: Cell = plain_cell) -> None:
    """Raise `InputError` for the first value that is infinite, beyond 1e15, or wrongly negative.

    Volumes and open interest are 0 or more; `net_oi`, a difference, may be negative.
    """
    for column in map(str, frame.columns):
        values = frame[column].to_numpy(dtype=np.float64)
        counts = column.endswith("volume") or column in OI_COLUMNS
        wrong = np.isinf(values)
        if counts or column in PRICE_COLUMNS:
            wrong |= np.abs(values) > MOST
        if wrong.any():
            raise _refusal(frame, wrong, column, f"a number within {MOST:g}", name, cell)
        if counts and column != _SIGNED and (negative := values < 0.0).any():
            raise _refusal(frame, negative, column, "0 or more", name, cell)


def _refusal(
    frame: pd.DataFrame, wrong: BoolArray, column: str, wanted: str, name: str, cell: Cell
) -> InputError:
    row = int(np.argmax(wrong))
    problem = f"{cell(row, column)} is {frame[column].iloc[row]:.10g}{_moment(frame, row)}"
    return InputError(f"{problem}; wanted {wanted}", where=name, remedy="fix the file")


def _moment(frame: pd.DataFrame, row: int) -> str:
    return f" at {frame.index[row]}" if isinstance(frame.index, pd.DatetimeIndex) else ""


def check_positive(frame: pd.DataFrame, *, name: str, remedy: str) -> None:
    """Raise `InputError` for the first price of 0 or less, unless `attrs` has `NONPOSITIVE`."""
    if frame.attrs.get(NONPOSITIVE):
        return
    for column in PRICE_COLUMNS:
        if (wrong := (frame[column] <= 0.0).to_numpy(dtype=bool)).any():
            refusal = _refusal(frame, wrong, column, "a price above 0", name, plain_cell)
            raise InputError(refusal.problem, where=name, remedy=remedy)


def check_bars(
    frame: pd.DataFrame, *, name: str, cell: Cell = plain_cell, remedy: str = _REPAIR
) -> None:
    """Raise `InputError` for the first bar that is blank or contradicts itself.

    A price of 0 or less is blank unless `attrs` has `NONPOSITIVE`: crude oil settled at -37.63
    dollars on 2020-04-20, but most files write 0 where they have no price.
    """
    for column in PRICE_COLUMNS if len(frame) else ():
        check_required(frame, column, name)
    priced, crossed = _priced(frame), _contradicting(frame)
    faulty = ~priced.all(axis=1) | crossed
    if not faulty.any():
        return
    row = int(np.argmax(faulty))
    bar, at = frame.iloc[row], frame.index[row]
    if not priced[row].all():
        column = PRICE_COLUMNS[int(np.argmin(priced[row]))]
        fault, wanted = f"{cell(row, column)} is {bar[column]:.10g} at {at}", "a price"
        if bar[column] <= 0.0:
            wanted, remedy = "a price above 0", f"{remedy}; where prices can be 0 or less, set"
            remedy += " allow_nonpositive: true under source"
    elif bar["high"] < bar["low"]:
        fault = f"high {bar['high']:.10g} is below low {bar['low']:.10g} at {at}"
        wanted = "high >= low"
    else:
        column = "open" if _beyond(frame, "open")[row] else "close"
        fault = (
            f"{column} {bar[column]:.10g} lies outside "
            f"low {bar['low']:.10g} .. high {bar['high']:.10g} at {at}"
        )
        wanted = f"low <= {column} <= high"
    raise InputError(f"{fault}; wanted {wanted}", where=name, remedy=remedy)


def repair_bars(
    frame: pd.DataFrame, policy: BadBars, *, name: str, cell: Cell = plain_cell
) -> pd.DataFrame:
    """Return the frame with its faulty bars treated as `policy` says, and counted in the notes.

    Parameters
    ----------
    frame : DataFrame of n_bars rows
    policy : {"refuse", "drop", "widen"}
        refuse: raise `InputError` for the first of them. drop: leave the bars out. widen: blank
        open, high and low become the close, then high and low are moved to contain open and
        close; a bar without a close is left out. What is blank, `check_bars` says.
    name : str
        File or symbol, for messages.
    cell : callable, optional
        Names a cell in a message.
    """
    for column in PRICE_COLUMNS:
        if column not in frame.columns:
            check_required(frame, column, name)
    if policy == "refuse":
        check_bars(frame, name=name, cell=cell)
        return frame
    frame = _with_blanks(frame, name, cell)
    if policy == "drop":
        faulty = ~_priced(frame).all(axis=1) | _contradicting(frame)
        return _left_out(frame, faulty, "blank or contradicting itself")
    frame = _left_out(frame, ~np.isfinite(frame["close"].to_numpy()), "without a close")
    faulty = ~_priced(frame).all(axis=1) | _contradicting(frame)
    if not faulty.any():
        return frame
    prices = frame[list(PRICE_COLUMNS)].replace([np.inf, -np.inf], np.nan)
    for column in ("open", "high", "low"):
        prices[column] = prices[column].fillna(prices["close"])
    wide = prices.assign(high=prices.max(axis=1), low=prices.min(axis=1))
    out = frame.assign(**{c: frame[c].where(~faulty, wide[c]) for c in PRICE_COLUMNS})
    return add_notes(out, f"{counted(int(faulty.sum()), 'faulty bar')} widened")


def _with_blanks(frame: pd.DataFrame, name: str, cell: Cell) -> pd.DataFrame:
    """Return the frame with prices of 0 or less blank, where they are no prices."""
    prices = frame[list(PRICE_COLUMNS)]
    zero = np.zeros(prices.shape, dtype=bool)
    if not frame.attrs.get(NONPOSITIVE):
        zero = (prices <= 0.0).to_numpy()
    rows = zero.any(axis=1)
    if not rows.any():
        return frame
    first = int(np.argmax(rows))
    column = PRICE_COLUMNS[int(np.argmax(zero[first]))]
    text = (
        f"{counted(int(rows.sum()), 'bar')} with a price of 0 or less, read as blank, the first "
        f"in {cell(first, column)}; where these are prices, set allow_nonpositive: true"
    )
    out = frame.assign(**{c: prices[c].where(~zero[:, i]) for i, c in enumerate(PRICE_COLUMNS)})
    return add_notes(out, Note(Severity.ASSUMPTION, "nonpositive-prices", text, name))


def _priced(frame: pd.DataFrame) -> BoolArray:
    """Return which prices are prices, of shape (n_bars, 4)."""
    prices: FloatArray = frame[list(PRICE_COLUMNS)].to_numpy(dtype=np.float64)
    known: BoolArray = np.isfinite(prices)
    return known if frame.attrs.get(NONPOSITIVE) else known & (prices > 0.0)


def _contradicting(frame: pd.DataFrame) -> BoolArray:
    """Return which bars contradict themselves, of shape (n_bars,); blanks contradict nothing."""
    crossed = (frame["high"] < frame["low"]).to_numpy()
    return crossed | _beyond(frame, "open") | _beyond(frame, "close")


def _beyond(frame: pd.DataFrame, column: str) -> BoolArray:
    value, high, low = (frame[c].to_numpy() for c in (column, "high", "low"))
    slack = _TOLERANCE * np.abs(value)
    outside: BoolArray = (value > high + slack) | (value < low - slack)
    return outside


def _left_out(frame: pd.DataFrame, faulty: BoolArray, why: str) -> pd.DataFrame:
    if not faulty.any():
        return frame
    return add_notes(frame[~faulty], f"{counted(int(faulty.sum()), 'bar')} left out: {why}")
