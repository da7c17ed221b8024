"""Lines of a delimited text that are not as wide as its header: a file that is cut or damaged."""

from __future__ import annotations

import csv
import re
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
    footer = 0  # number of the first of the last lines that are a sentence: readers see to them
    for number, width, text in _widths(lines, first, sep):
        fits = least <= width <= most
        if not fits and is_sentence(text):
            footer = footer or number
        elif footer or not fits:
            at, cells = (footer, 1) if footer else (number, width)
            raise InputError(
                f"line {at} has {cells} cell{'s' * (cells != 1)}, wanted {least}; "
                "the file is cut off or damaged there",
                where=name,
                remedy="fetch it again or complete the line",
            )


def is_sentence(text: str) -> bool:
    """Return whether a line's only cell is words, as sites write under tables, and no number."""
    return len(re.findall(r"[A-Za-z]{2,}", text)) >= 2 and len(text.split()) >= 3


def cells_of(line: str, sep: str = ",") -> list[str]:
    """Return the cells of a line, of which a quoted one may hold separators."""
    if '"' not in line:
        return line.split(sep)
    return next(csv.reader([line], delimiter=sep, skipinitialspace=True))


def _widths(lines: Iterable[str], first: int, sep: str) -> Iterator[tuple[int, int, str]]:
    """Yield number, width and only cell of each line, of one with quotes and after it of each row.

    The cell is "" where a line has several.
    """
    rest = iter(lines)
    for number, line in enumerate(rest, first):
        if '"' in line:
            rows = csv.reader(chain([line], rest), delimiter=sep, skipinitialspace=True)
            for row in rows:
                if row and (len(row) > 1 or row[0].strip()):
                    yield number - 1 + rows.line_num, len(row), row[0] if len(row) == 1 else ""
        elif line.strip():
            width = line.count(sep) + 1
            yield number, width, line.strip() if width == 1 else ""
