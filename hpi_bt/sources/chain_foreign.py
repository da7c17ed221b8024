"""Layouts of option tables that are known and not read: refused by name, with a way out."""

from __future__ import annotations

import re

from hpi_bt.errors import InputError

_LINES = 6  # in which a layout shows

#: What begins a line of a layout, and what the layout is.
_LAYOUTS = (
    (r",?\"?CALLS\"?,+\"?PUTS\"?,*$", "the table of NSE's site, calls left, puts right of STRIKE"),
    (r"\"?Stock quote and option quote for ", "an export of thinkorswim, tables by expiry"),
)


def refuse_foreign_layout(text: str, name: str) -> None:
    """Refuse a layout with several header lines, which no table of columns is.

    Raises
    ------
    InputError
        Naming the layout and its columns as the file writes them.
    """
    lines = [line.strip() for line in text.splitlines()[:_LINES]]
    for pattern, layout in _LAYOUTS:
        at = next((i for i, line in enumerate(lines) if re.match(pattern, line)), None)
        if at is None:
            continue
        header = next((line for line in lines[at + 1 :] if line.count(",") > 5), lines[at])
        columns = ", ".join(cell for cell in header.split(",") if cell.strip())
        raise InputError(
            f"{layout} under {columns[:160]}: this layout is not read; wanted one row per contract "
            "with expiry, strike, right, bid, ask or iv, and open_interest",
            where=name,
            remedy="save it so, or download the chain as CBOE's or Yahoo's table",
        )
