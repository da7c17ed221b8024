"""Numbers that mark "none" in option tables: -1, -999, 9999, the pair 998 and 999."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray
from hpi_bt.errors import Note, Severity
from hpi_bt.sources.hours import counted

SIDES = ("bid", "ask")

_NONE = (-1.0, -999.0, -9999.0, -99.99, float(2**63 - 1))
_FILLERS = tuple(10.0**n - cent for n in (3, 4, 5, 6, 7) for cent in (1.0, 0.01))  # 9999, 9999.99
_PAIR = (998.0, 999.0)  # bid and ask of Cboe DataShop where there is no quote


def without_markers(contracts: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Return the contracts with NaN for markers of none; a contract stays whatever its quote.

    Parameters
    ----------
    contracts : DataFrame of n rows
        Any of bid, ask, last, volume and open_interest.
    notes : list of str
        What was found is added.

    Notes
    -----
    -1 in bid and ask means no quote. -1 in one of them means none on that side, which is odd enough
    to be a warning.
    """
    out = contracts.copy(deep=False)
    marked = {c: _is_one_of(out, c, _NONE) for c in SIDES if c in out}
    marked = {c: where for c, where in marked.items() if where.any()}
    if len(marked) == len(SIDES) and (both := marked["bid"] & marked["ask"]).any():
        text = (
            f"no quote of {counted(int(both.sum()), 'contract')}: bid and ask are "
            f"{_numbers(out, both)}; open interest and volume count"
        )
        notes.append(Note(Severity.ASSUMPTION, "no-quote-marker", text))
        marked = {c: where & ~both for c, where in marked.items()}
        out = _blanked(out, dict.fromkeys(SIDES, both))
    for column, where in marked.items():
        if where.any():
            text = (
                f"{column} of {counted(int(where.sum()), 'contract')} is "
                f"{_numbers(out, where, (column,))}, taken as none on that side"
            )
            notes.append(Note(Severity.WARNING, f"{column}-marker", text))
    out = _blanked(out, marked)
    for column in ("last", "volume", "open_interest"):
        if column in out and (where := _is_one_of(out, column, _NONE)).any():
            words = column.replace("_", " ")
            text = (
                f"{words} of {counted(int(where.sum()), 'contract')} is "
                f"{_numbers(out, where, (column,))}, taken as unknown"
            )
            severity = Severity.INFO if column == "last" else Severity.WARNING
            notes.append(Note(severity, f"{column.replace('_', '-')}-marker", text))
            out = _blanked(out, {column: where})
    return out


def without_fillers(contracts: pd.DataFrame, spot: float, notes: list[str]) -> pd.DataFrame:
    """Return the contracts with NaN for quotes of 9999 and the like that no option can be worth.

    A call is worth less than spot and a put less than its strike: a 9999 within these is a price.
    """
    if not set(SIDES) <= set(contracts):
        return contracts
    call = contracts["right"].to_numpy() == "C"
    bound = np.where(call, spot, contracts["strike"].to_numpy(dtype=np.float64))
    bid, ask = (contracts[c].to_numpy(dtype=np.float64) for c in SIDES)
    pair = (bid == _PAIR[0]) & (ask == _PAIR[1])
    filled = {
        "bid": pair | (_is_one_of(contracts, "bid", (*_FILLERS, _PAIR[0])) & (bid > bound)),
        "ask": pair | (_is_one_of(contracts, "ask", (*_FILLERS, _PAIR[1])) & (ask > bound)),
    }
    either = filled["bid"] | filled["ask"]
    if not either.any():
        return contracts
    text = (
        f"quotes of {counted(int(either.sum()), 'contract')} such as "
        f"{_first(bid, ask, filled, either)} are fillers, taken as none"
    )
    notes.append(Note(Severity.WARNING, "filler-quote", text))
    return _blanked(contracts, filled)


def _is_one_of(table: pd.DataFrame, column: str, markers: tuple[float, ...]) -> BoolArray:
    values = table[column].to_numpy(dtype=np.float64)
    return np.asarray(np.isclose(values[:, None], markers, rtol=1e-9, atol=1e-9).any(axis=1))


def _blanked(table: pd.DataFrame, where: dict[str, BoolArray]) -> pd.DataFrame:
    return table.assign(**{c: table[c].mask(marked) for c, marked in where.items()})


def _numbers(table: pd.DataFrame, where: BoolArray, columns: tuple[str, ...] = SIDES) -> str:
    return " or ".join(f"{v:g}" for v in np.unique(table.loc[where, list(columns)]))


def _first(bid: FloatArray, ask: FloatArray, filled: dict[str, BoolArray], any_: BoolArray) -> str:
    row = int(np.argmax(any_))
    return f"{(bid if filled['bid'][row] else ask)[row]:.10g}"
