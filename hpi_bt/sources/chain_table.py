"""A table of option contracts as it lies in a file, its columns told apart by what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import IntArray
from hpi_bt.errors import InputError, Note, Severity
from hpi_bt.options.columns import side_of
from hpi_bt.options.expiries import clean_symbol
from hpi_bt.sources.chain_columns import ALIASES, check_required, find_columns, plain
from hpi_bt.sources.chain_file import Given
from hpi_bt.sources.hours import counted
from hpi_bt.sources.numbers import numbers_in
from hpi_bt.sources.occ import is_occ, parse_occ, root_families
from hpi_bt.sources.tables import header, is_parquet, load_table
from hpi_bt.sources.widths import is_sentence

_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:\s?[AaPp][Mm])?"
_MOMENT = r"\d{4}-\d{2}-\d{2}[T ]\d{1,2}:\d{2}.*|\d{10}(?:\d{3}){0,3}"
_VOLS = 5.0  # that no median of implied vols reaches, and hardly one of volumes stays below
_PREFIXES = {"C": ("c", "call"), "P": ("p", "put")}  # of the columns of each side in a wide table


class ChainTable(NamedTuple):
    """Rows of a file under our names.

    Attributes
    ----------
    name : str
        The file.
    rows : DataFrame
        The index counts rows of the file from 0.
    names : dict of str to str
        Our name of a column: the file's.
    notes : tuple of Note
        What was found while reading.
    others : tuple of str
        Columns of the file that are not read.
    """

    name: str
    rows: pd.DataFrame
    names: dict[str, str]
    notes: tuple[Note, ...] = ()
    others: tuple[str, ...] = ()


def load_chain_table(
    path: Path,
    given: Given,
    *,
    name: str,
    columns: dict[str, str],
    wanted: Iterable[str] = tuple(ALIASES),
) -> ChainTable:
    """Return a table of contracts, CSV or Parquet, with the rows of one underlying.

    Parameters
    ----------
    path : Path
    given : Given
        `symbol` selects rows.
    name : str
        The file, for messages.
    columns : dict of str to str
        Our name of a column: the file's.
    wanted : iterable of str
        Our names of the columns that are read.

    Raises
    ------
    InputError
        The file is no table, has no columns of contracts, or holds several underlyings and none
        is chosen.
    """
    names = header(path, name)
    places = find_columns(names, columns, wanted, name=name)
    wide = {} if {"expiry", "strike", "right"} <= set(places) else wide_columns(names)
    if not wide:
        check_required(places, names, name=name)
    whole = names if wide or not is_parquet(path, name) else list(dict.fromkeys(places.values()))
    table = load_table(path, whole, places.get("ts", ""), {}, name=name, noun="contracts")
    found = parsed_chain_table(table, given, name=name, columns=columns, wanted=wanted)
    return found._replace(others=tuple(n for n in names if n not in found.names.values()))


def parsed_chain_table(
    table: pd.DataFrame,
    given: Given,
    *,
    name: str,
    columns: dict[str, str],
    wanted: Iterable[str] = tuple(ALIASES),
) -> ChainTable:
    """Return a table under our names; parameters as in `load_chain_table`."""
    if table.empty:
        raise InputError("holds no contracts", where=name, remedy="fetch it again")
    table, notes = _without_footer(table)
    names = [str(c) for c in table.columns]
    places = find_columns(names, columns, wanted, name=name)
    wide = {} if {"expiry", "strike", "right"} <= set(places) else wide_columns(names)
    if wide:
        table = _stacked(table, wide)
        names = [str(c) for c in table.columns]
        places = find_columns(names, columns, wanted, name=name)
    if "contract" not in places and not {"expiry", "strike", "right"} <= set(places):
        places |= _contracts_elsewhere(table.drop(columns=list(places.values())))
    check_required(places, names, name=name)
    # a column may serve twice: as a symbol and as what it stands for
    rows = pd.DataFrame({ours: table[theirs] for ours, theirs in places.items()})
    found = ChainTable(name, rows, places, tuple(notes))
    found = _with_contract(_with_stamp(found))
    check_required([c for c in found.names if c != "symbol"], names, name=name)
    found = _with_volume(_with_underlying(found), columns)
    return _of_symbol(found, given)


def wide_columns(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return {side: {column without its prefix: its name}} of a table with both sides in a row.

    Empty where the names do not begin with C_ and P_, or call and put, for at least two columns.
    """
    for at in (0, 1):
        sides = {side: _without_prefix(names, p[at]) for side, p in _PREFIXES.items()}
        both = sides["C"].keys() & sides["P"].keys()
        if {"bid", "ask"} <= both or {"bidprice", "askprice"} <= both:
            return {side: {c: own[c] for c in both} for side, own in sides.items()}
    return {}


def _without_prefix(names: Iterable[str], prefix: str) -> dict[str, str]:
    """Return {plain name without the prefix: name} of the columns that begin with it."""
    mark = re.compile(rf"\[?(?i:{prefix})([_ ]|[A-Z])")
    return {plain(n)[len(prefix) :]: n for n in names if mark.match(n)}


def _stacked(table: pd.DataFrame, wide: dict[str, dict[str, str]]) -> pd.DataFrame:
    """Return a row per contract of a table with a call and a put in each row."""
    of_sides = {n for own in wide.values() for n in own.values()}
    shared = table[[c for c in table.columns if c not in of_sides]]
    sides = [
        shared.assign(right=side, **{c: table[n] for c, n in own.items()})
        for side, own in wide.items()
    ]
    return pd.concat(sides)


def _without_footer(table: pd.DataFrame) -> tuple[pd.DataFrame, list[Note]]:
    """Return the table without last rows that are one text and nothing else, and a note on them."""
    last = len(table)
    while last > 1 and _is_text_alone(table.iloc[last - 1]):
        last -= 1
    if last == len(table) or len(table.columns) < 3:
        return table, []
    said = " ".join(str(v) for v in table.iloc[last].dropna())[:60]
    text = f"{counted(len(table) - last, 'footer line')} left out: {said!r}"
    return table.iloc[:last], [Note(Severity.INFO, "footer", text)]


def _is_text_alone(row: pd.Series) -> bool:
    cells = row.dropna()
    return len(cells) == 1 and is_sentence(str(cells.iloc[0]))


def _with_stamp(found: ChainTable) -> ChainTable:
    """Return the table with `clock` a time of day, or `ts` in its place where it is a moment."""
    if "clock" not in found.rows:
        return found
    words = found.rows["clock"].dropna().astype("str").str.strip()
    words = words.str.replace(r"\.0$", "", regex=True)
    numbers = pd.to_numeric(words, errors="coerce")
    if len(words) and words.str.fullmatch(_MOMENT).all():
        if "ts" not in found.rows or not _has_times(found.rows["ts"]):
            return _renamed(_without(found, "ts"), "clock", "ts")
    elif len(words) and (words.str.fullmatch(_CLOCK).all() or (numbers < 86_400_001).all()):
        return found if "ts" in found.rows else _without(found, "clock")
    return _without(found, "clock")


def _has_times(stamps: pd.Series) -> bool:
    return bool(stamps.astype("str").str.contains(r"\d[T ]\d|\d{10}", regex=True).any())


def _contracts_elsewhere(rest: pd.DataFrame) -> dict[str, str]:
    """Return the column, of those that have no other use, that holds contract symbols."""
    for column in rest.columns:
        cells = rest[column].dropna()
        text = len(cells) > 0 and not pd.api.types.is_numeric_dtype(cells.dtype)
        if text and is_occ(pd.Series(cells.astype("str").unique())).all():
            return {"contract": str(column)}
    return {}


def _with_contract(found: ChainTable) -> ChainTable:
    """Return the table with `contract` where a symbol or ticker names the contract itself."""
    if "symbol" not in found.rows:
        return found
    symbols = pd.Series(found.rows["symbol"].dropna().unique())
    if not len(symbols):
        return _without(found, "symbol")
    if is_occ(symbols).all():
        if "contract" in found.rows and is_occ(found.rows["contract"]).all():
            return _without(found, "symbol")
        return _renamed(_without(found, "contract"), "symbol", "contract")
    keys = [c for c in ("expiry", "strike", "right") if c in found.rows]
    if len(symbols) > 1 and len(keys) == 3:
        each = found.rows[["symbol", *keys]].drop_duplicates()
        if not each["symbol"].duplicated().any():
            return _without(found, "symbol")  # a name of each contract, not of the underlying
    return found


def _with_underlying(found: ChainTable) -> ChainTable:
    """Return the table with what `underlying` holds as spot or as symbol."""
    if "underlying" not in found.rows:
        return found
    cells = found.rows["underlying"]
    numbers = numbers_in(cells)
    ours = "symbol" if numbers.bad.any() else "spot"
    if ours in found.rows or cells.isna().all():
        return _without(found, "underlying")
    return _renamed(found, "underlying", ours)


def _with_volume(found: ChainTable, columns: dict[str, str]) -> ChainTable:
    """Return the table with a column `vol` that holds implied vols as iv, and a note on it."""
    theirs = found.names.get("volume", "")
    if plain(theirs) != "vol" or "volume" in columns or "volume" not in found.rows:
        return found
    read = numbers_in(found.rows["volume"])
    known = read.numbers[read.numbers > 0.0]
    whole = np.mean(known == np.round(known)) if len(known) else 1.0
    if whole > 0.5 and not read.percent.any():
        return found
    text = f"column {theirs!r} holds implied vols, not volume"
    found = found._replace(notes=(*found.notes, Note(Severity.ASSUMPTION, "no-volume", text)))
    taken = {"iv", "iv_pct"} & set(found.rows)
    return _without(found, "volume") if taken else _renamed(found, "volume", "iv")


def _of_symbol(found: ChainTable, given: Given) -> ChainTable:
    """Return the rows of one underlying, by the column of symbols or by the contracts' roots."""
    column, codes, names = _underlyings(found)
    known = sorted({name for name in names if name})
    wanted = None if given.symbol is None else clean_symbol(given.symbol)
    if wanted is not None and known and (column == "symbol" or len(known) > 1):
        keep = np.array([clean_symbol(name) == wanted for name in names])[codes]
        if not keep.any():
            raise InputError(
                f"no row of {given.symbol!r} (found: {', '.join(known[:10])})",
                where=found.name,
                field=found.names.get(column, column),
                remedy="fix `symbol`",
            )
        return found._replace(rows=found.rows[keep])
    if len(known) > 1:
        raise InputError(
            f"holds {', '.join(known[:10])}{', ...' if len(known) > 10 else ''}; wanted one",
            where=found.name,
            field=found.names.get(column, column),
            remedy=f"give `symbol={known[0]}`",
        )
    return found


def _underlyings(found: ChainTable) -> tuple[str, IntArray, list[str]]:
    """Return the column that names underlyings, each row's place in their names, and these."""
    column = next((c for c in ("symbol", "contract", "root") if c in found.rows), "")
    if not column:
        return "", np.zeros(len(found.rows), dtype=np.int64), []
    codes, words = pd.factorize(found.rows[column].fillna("").astype("str"))
    names = [str(word) for word in words]
    if column == "contract":
        symbols = pd.Series(names)
        if not is_occ(symbols).all():
            return "", codes.astype(np.int64), []
        names = [str(root) for root in parse_occ(symbols, name=found.name).root]
    if column != "symbol":
        families = root_families(np.array(names, dtype=object))
        names = [families.get(name, name) for name in names]
    return column, codes.astype(np.int64), names


def _renamed(found: ChainTable, ours: str, other: str) -> ChainTable:
    """Return the table with one of our names of a column changed."""
    rows = found.rows.rename(columns={ours: other})
    return found._replace(
        rows=rows, names={other if k == ours else k: v for k, v in found.names.items()}
    )


def _without(found: ChainTable, ours: str) -> ChainTable:
    """Return the table without a column, if there is one."""
    rows = found.rows.drop(columns=ours, errors="ignore")
    return found._replace(rows=rows, names={k: v for k, v in found.names.items() if k != ours})


def contract_codes(rows: pd.DataFrame) -> tuple[IntArray, IntArray]:
    """Return a number for each row's contract and for its expiry, the same for the same one."""
    if "contract" in rows and is_occ(rows["contract"].head(1)).all():
        symbols = rows["contract"].astype("str").str.strip()
        # the fixed tail of an OCC symbol: C or P and eight digits after the date
        return _codes(symbols), _codes(symbols.str.slice(0, -9))
    sides = rows["right"] if "right" in rows else pd.Series("", index=rows.index)
    words, unique = pd.factorize(sides)
    right = np.array([side_of(one) for one in unique] or [np.nan])[words]
    keys = [rows[c] for c in ("root", "expiry", "strike") if c in rows]
    frame = pd.concat([*keys, pd.Series(right, index=rows.index, name="right")], axis=1)
    expiry = rows["expiry"] if "expiry" in rows else pd.Series("", index=rows.index)
    return np.asarray(frame.groupby(list(frame), dropna=False).ngroup()), _codes(expiry)


def _codes(values: pd.Series) -> IntArray:
    return pd.factorize(values)[0].astype(np.int64)
