"""Columns of files as they lie on disk, and one line of reason where they cannot be read."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError, did_you_mean, shortened
from hpi_bt.sources.archives import BROKEN, check_size, opened
from hpi_bt.sources.numbers import numbers_in, refuse_endless
from hpi_bt.sources.widths import cells_of, check_widths

STAMP = "datetime"
COMPRESSED = {".gz", ".bz2", ".xz", ".zip", ".zst"}

_STAMP_NAMES = ("datetime", "timestamp", "ts", "date", "time")
_PAGE = re.compile(rb"\s*<(?!\w+>\s*[,;\t|])")  # and no header such as <DATE>,<OPEN>
_MOST_ROWS = 200_000_000  # of a Parquet file, which can hold more in little space
_BLANKS = [".", "-"]  # besides what pandas knows; FRED and Quandl write these
_T = TypeVar("_T")


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()


def match_columns(
    names: list[str],
    mapping: dict[str, str],
    wanted: Iterable[str],
    *,
    name: str,
    stamp: str = STAMP,
) -> dict[str, str]:
    """Return {our name: name in the file} of the stamps and of the wanted columns that exist.

    A mapped column must exist. Others match without regard to case, blanks and underscores.
    """
    found = ", ".join(names)
    places = {}
    for ours in dict.fromkeys((stamp, *wanted)):
        if ours in mapping:
            if mapping[ours] not in names:
                hint = did_you_mean(mapping[ours], names)
                raise InputError(
                    f"{name}: no column {mapping[ours]!r} for {ours!r}{hint}; mend columns"
                )
            places[ours] = mapping[ours]
            continue
        for candidate in _STAMP_NAMES if ours == stamp else (ours,):
            same = [h for h in names if _plain(h) == _plain(candidate)]
            if len(same) > 1:
                raise InputError(
                    f"{name}: several columns could be {ours!r} ({', '.join(same)}); "
                    "name one under columns"
                )
            if same:
                places[ours] = same[0]
                break
    if stamp not in places:
        raise InputError(f"{name}: no column of stamps (found: {found}); name it under columns")
    return places


def is_parquet(path: Path, name: str) -> bool:
    """Return whether a file is a Parquet file."""

    def marked() -> bool:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"

    return _guarded(name, marked)


def header(path: Path, name: str) -> list[str]:
    """Return the column names, after refusing what is no table at all."""
    if is_parquet(path, name):
        return [str(c) for c in _guarded(name, lambda: _parquet_schema(path))]
    _refuse_foreign(path, name)

    def head() -> pd.DataFrame:
        with opened(path, name) as file:
            return pd.read_csv(
                file, nrows=0, index_col=False, encoding="utf-8-sig", skipinitialspace=True
            )

    table = _guarded(name, head)
    return _named([str(c) for c in table.columns])


def _named(names: list[str]) -> list[str]:
    """Return the names without blanks and <> around them, as long as they stay different."""
    bare = [re.sub(r"^<([^<>]+)>$", r"\1", name.strip()) for name in names]
    return bare if len(set(bare)) == len(bare) else names


def _parquet_schema(path: Path) -> list[str]:
    import pyarrow.parquet as pq

    return cast(list[str], pq.read_schema(path).names)


def _refuse_foreign(path: Path, name: str) -> None:
    with opened(path, name) as file:
        head: bytes = file.read(4096)
    if _PAGE.match(head):
        raise InputError(f"{name}: this is a web page; wanted a table, download the file itself")
    if b"\0" in head:
        raise InputError(f"{name}: this is no text; wanted a CSV or Parquet file")


def _guarded(name: str, load: Callable[[], _T]) -> _T:
    """Return load(), its failures turned into one line."""
    import pyarrow as pa

    unreadable = (
        *(ValueError, OverflowError, *BROKEN, csv.Error, ImportError),
        pa.ArrowException,
    )
    try:
        return load()
    except InputError:
        raise
    except pd.errors.EmptyDataError:
        raise InputError(f"{name}: the file is empty; wanted a header and rows") from None
    except unreadable as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:120]
        raise InputError(
            f"{name}: cannot be read ({reason}); wanted a CSV or Parquet file, fetch it again"
        ) from None


def load_table(
    path: Path,
    columns: list[str],
    stamp: str,
    select: dict[str, str | float],
    *,
    name: str,
    noun: str = "rows",
) -> pd.DataFrame:
    """Return some columns of a file, the selected rows of it; the index counts rows from 0."""
    needed = list(dict.fromkeys([*columns, *select]))
    missing = [c for c in select if c not in (found := header(path, name))]
    if missing:
        hint = did_you_mean(missing[0], found)
        raise InputError(f"{name}: no column {missing[0]!r} to select by{hint}; mend select")
    _guarded(name, lambda: _check_shape(path, name))
    table = _guarded(name, lambda: _table(path, needed, stamp, name))
    for column, value in select.items():
        table = _selected(table, column, value, name)
    if table.empty:
        raise InputError(f"{name}: a header but no {noun}; wanted at least one")
    return table


def _check_shape(path: Path, name: str) -> None:
    """Refuse a table that names a column twice, or a line that is not as wide as the header."""
    if is_parquet(path, name):
        _check_names(_parquet_schema(path), name)
        return
    check_size(path, name)
    with opened(path, name) as file:
        lines: Iterable[str] = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
        number, line = next(numbered, (1, ""))
        names = [cell.strip() for cell in cells_of(line.rstrip("\r\n"))]
        _check_names(names, name)
        wide = len(names)
        named = max(i for i, cell in enumerate(names, 1) if cell) if any(names) else wide
        check_widths(lines, named, wide, name, first=number + 1)


def _check_names(names: list[str], name: str) -> None:
    twice = [column for column, count in Counter(names).items() if count > 1 and column]
    if twice:
        raise InputError(
            f"the header has column {twice[0]!r} {Counter(names)[twice[0]]} times",
            where=name,
            remedy="rename all but one of them in the file",
        )


def _table(path: Path, columns: list[str], stamp: str, name: str) -> pd.DataFrame:
    if is_parquet(path, name):
        import pyarrow.parquet as pq

        rows = pq.read_metadata(path).num_rows
        if rows > _MOST_ROWS:
            raise InputError(f"{name}: {rows:,} rows; wanted at most {_MOST_ROWS:,}, cut the file")
        return cast(
            pd.DataFrame, pq.read_table(path, columns=columns).to_pandas(ignore_metadata=True)
        )
    with opened(path, name) as file:
        table = pd.read_csv(
            file,
            index_col=False,
            dtype={stamp: "str"},
            na_values=_BLANKS,
            encoding="utf-8-sig",
            skipinitialspace=True,
            low_memory=False,
        )
    table.columns = pd.Index(_named([str(c) for c in table.columns]))
    return table[columns]


def _selected(table: pd.DataFrame, column: str, value: str | float, name: str) -> pd.DataFrame:
    values = table[column]
    if pd.api.types.is_numeric_dtype(values.dtype) and not isinstance(value, str):
        keep = values == value
    else:
        wanted = f"{value:g}" if isinstance(value, float) else value
        keep = values.astype("str") == wanted
    if table.empty or keep.any():
        return table[keep.fillna(False)]
    found = ", ".join(str(v) for v in values.dropna().unique()[:10])
    raise InputError(
        f"{name}: no row with {column} = {value!r} (found: {found}); mend symbol or select"
    )


def to_numbers(values: pd.Series, name: str) -> FloatArray:
    """Return a column as float64, blanks as NaN; 1,234 and 209.81K are read as they are meant.

    Raises
    ------
    InputError
        A value is no number; the message names row and column.
    """
    if pd.api.types.is_datetime64_any_dtype(values.dtype) or values.dtype.kind == "m":
        raise InputError(f"{name}: {values.name} holds dates or times; wanted numbers")
    found = numbers_in(values)
    bad = found.bad | found.percent
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(
            f"{name}: row {values.index[row] + 1}, {values.name} is "
            f"{str(values.iloc[row])[:40]!r}; wanted a number, mend the file"
        )
    refuse_endless(values, found.numbers, name)
    return found.numbers


def finite_numbers(values: pd.Series, name: str) -> FloatArray:
    """Return a column as `to_numbers` does; an infinite number is refused too."""
    numbers = to_numbers(values, name)
    if np.isinf(numbers).any():
        row = int(np.argmax(np.isinf(numbers)))
        raise InputError(
            f"{name}: row {values.index[row] + 1}, {values.name} is "
            f"{shortened(str(values.iloc[row]), 40)!r}; wanted a finite number, mend the file"
        )
    return numbers
