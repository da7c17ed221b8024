"""Cells and columns of the tables that a reader sorts and filters."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

#: What stands where nothing is known.
UNKNOWN = "–"


class Column(NamedTuple):
    """A heading: its text, how its cells compare, and which way the first click sorts.

    `words`: whether cells that compare as numbers are read as words. `wide`: left out where the
    screen is narrow.
    """

    label: str
    kind: Literal["text", "number"] = "text"
    title: str = ""
    first: Literal["ascending", "descending"] = "ascending"
    words: bool = False
    wide: bool = False


class Cell(NamedTuple):
    """One cell: what it says, what it is sorted by ("" comes last), and how it looks.

    `key` is None where the text itself is sorted by. `tone` is a class of `table.css.j2`; `style`
    is CSS made of our own words and numbers alone, never of what a user wrote.
    """

    text: str
    key: str | None = None
    tone: str = ""
    title: str = ""
    style: str = ""
    note: str = ""


def text_cell(text: str, *, title: str = "", note: str = "") -> Cell:
    """Return a cell of words; an empty one is a dash, and sorted last."""
    return Cell(text, title=title, note=note) if text else Cell(UNKNOWN, "", note=note)


def number_cell(
    value: float | None, form: str = "{:,.2f}", *, signed: bool = False, title: str = ""
) -> Cell:
    """Return a cell of a number formatted by `form`; `signed` also tells gain from loss.

    What is not known, or not finite, is a dash and sorted last.
    """
    if value is None or not math.isfinite(value):
        return Cell(UNKNOWN, "")
    text = form.format(value).replace("-", "−")
    if not any(digit in text for digit in "123456789"):
        return Cell(text.removeprefix("−"), repr(value), title=title)  # no negative zero
    if not signed or not value:
        return Cell(text, repr(value), title=title)
    plus, tone = ("+", "good") if value > 0.0 else ("", "bad")
    return Cell(f"{plus}{text}", repr(value), tone, title)
