"""Lines of a delimited text that are not as wide as its header: a file that is cut or damaged."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import chain

from hpi_bt.errors import InputError


def check_widths(
    lines: Iterable[str], least: int, most: int, name: str, *, first: int = 1, sep: str = ","
) -> None:
    """Raise `InputError` for the first line with another number of cells than wanted.

    Parameters
    ----------
    lines : iterable of str
        Those after the header; blank ones do not count.
    least, most : int
        Numbers of cells allowed.
    name : str
        Of the file, for the message.
    first : int, default=1
        Number of the first of them in the file.
    sep : str, default=","
        What separates cells.
    """
    for number, width in _widths(lines, first, sep):
        if not least <= width <= most:
            raise InputError(
                f"line {number} has {width} cells, wanted {least}; "
                "the file is cut off or damaged there",
                where=name,
                remedy="fetch it again or complete the line",
            )


def cells_of(line: str, sep: str = ",") -> list[str]:
    """Return the cells of a line, of which a quoted one may hold separators."""
    if '"' not in line:
        return line.split(sep)
    return next(csv.reader([line], delimiter=sep, skipinitialspace=True))


def _widths(lines: Iterable[str], first: int, sep: str) -> Iterator[tuple[int, int]]:
    """Yield the number and the width of each line, of one with quotes and after it of each row."""
    rest = iter(lines)
    for number, line in enumerate(rest, first):
        if '"' in line:
            rows = csv.reader(chain([line], rest), delimiter=sep, skipinitialspace=True)
            for row in rows:
                if row and (len(row) > 1 or row[0].strip()):
                    yield number - 1 + rows.line_num, len(row)
        elif line.strip():
            yield number, line.count(sep) + 1
