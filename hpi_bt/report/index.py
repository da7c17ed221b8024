"""`results/index.html`: every result of a folder, sortable, filterable, linked to its pages."""

from __future__ import annotations

import logging
import math
import os
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hpi_bt.report.listing import KINDS, STAMP, Entry, Skipped, folders_in, read_results
from hpi_bt.report.pages import render, write_page
from hpi_bt.report.table import UNKNOWN, Cell, Column, number_cell, text_cell
from hpi_bt.stats.summary import is_short

INDEX = "index.html"
SCAN = "scan.html"
_OURS = b'id="hpi-bt-index"'
_TRIES = 20  # of an index that other runs overtake

COLUMNS = (
    Column("Result"),
    Column("Symbol", wide=True),
    Column("Strategy", title="and the engine that ran it", wide=True),
    Column("Made (UTC)", first="descending", wide=True),
    Column("Period", title="first and last session", wide=True),
    Column("Return", "number", first="descending"),
    Column("CAGR", "number", "growth a year", "descending", wide=True),
    Column("Sharpe", "number", "of session returns, a year", "descending"),
    Column("Drawdown", "number", "largest fall from a high", "descending"),
    Column("Trades", "number", "closed", "descending"),
    Column("Won", "number", "share of closed trades that made money", "descending"),
    Column("Time in market", "number", "share of the bars with a position", "descending"),
    Column("Alerts", "number", first="descending"),
    Column("Warnings", "number", first="descending"),
)
_MADE = 3  # the column that the page is sorted by at first
_SKIPPED_SHOWN = 50


def update_index(parent: Path, *, make: bool = True) -> str:
    """Write `parent`/index.html anew; return "", or a line that says why it was not written.

    `make`: whether to make one where there is none.

    It never raises, as no run should fail for it; what it returns is logged as a warning too. A
    reader sees the old page or the new one, and of runs that end together the last one lists them
    all: whoever has written looks whether a folder has come meanwhile, and if so writes again.
    """
    page = parent / INDEX
    remark = ""
    try:
        there = page.exists()
        if there and not _is_ours(page):
            remark = f"{page}: is no index of hpi_bt and was left alone; move it to get one"
        elif there or make:
            _write(page)
    except Exception as error:
        said = " ".join(str(error).split())
        remark = f"{page}: could not be written ({type(error).__name__}: {said})"
    if remark:
        logging.getLogger("hpi_bt").warning(remark)
    return remark


def _write(page: Path) -> None:
    parent = page.parent
    for _ in range(_TRIES):
        names = folders_in(parent)
        replace_page(page, index_page(*read_results(parent, names), (parent / SCAN).is_file()))
        if folders_in(parent) == names:
            break


def _is_ours(page: Path) -> bool:
    with page.open("rb") as file:
        return _OURS in file.read(1 << 16)


def replace_page(page: Path, text: str) -> None:
    """Write a page beside its place and move it there: a reader sees the old or the new one."""
    page.parent.mkdir(parents=True, exist_ok=True)
    # named as whole_folder names its own, so that what a killed run has left is swept away
    prefix = f".partial-{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=page.parent) as folder:
        made = Path(folder) / page.name
        write_page(made, text)
        made.replace(page)


def index_page(entries: Sequence[Entry], skipped: Sequence[Skipped], scanned: bool = False) -> str:
    """Return the page that lists `entries` and, in small print, what was `skipped`.

    `scanned`: whether to link a scan.html beside it.
    """
    counts = Counter(entry.kind for entry in entries)
    kinds = [(kind, KINDS[kind][1], counts[kind]) for kind in KINDS if counts[kind]]
    return render(
        "index.html.j2",
        title="Results",
        subtitle="",
        columns=COLUMNS,
        sorted_by=_MADE,
        rows=[_row(entry) for entry in entries],
        kinds=kinds if len(kinds) > 1 else [],
        skipped=skipped[:_SKIPPED_SHOWN],
        skipped_count=len(skipped),
        scan=SCAN if scanned else "",
    )


def _row(entry: Entry) -> dict[str, Any]:
    """Return what the template shows of one result."""
    s, cells = entry.summary, _cells(entry)
    base = quote(os.fsencode(entry.folder), safe="")
    pages = [(label, f"{base}/{file}") for file, label in entry.pages]
    return {
        "kind": entry.kind,
        "name": _text(s.get("name")) or STAMP.split(entry.folder)[0],
        "href": pages[0][1] if pages else f"{base}/",
        "pill": "" if entry.kind == "run" else KINDS[entry.kind][0],
        "demo": _text(s.get("demo")),
        "note": _in_sample(s) if entry.kind == "sweep" else "",
        "cells": cells,
        "about": _about(cells),
        "pages": [*pages, ("folder", f"{base}/")],
    }


def _about(cells: Sequence[tuple[Cell, bool]]) -> list[str]:
    """Return in two lines what a narrow screen has no columns for."""
    symbol, strategy, made, period = (cell for cell, _ in cells[:4])
    known = [cell.text for cell in (symbol, strategy) if cell.text != UNKNOWN]
    days = f"{period.text} {period.note}" if period.note else f"made {made.text}"
    return [line for line in (" · ".join(known), days) if line]


def _cells(entry: Entry) -> list[tuple[Cell, bool]]:
    """Return the cells between the name and the links, each with whether it holds words."""
    s = entry.summary
    figures = _mapping(s.get("figures")) if entry.kind == "sweep" else s
    first, last = _text(s.get("first"))[:10], _text(s.get("last"))[:10]
    warnings = _warnings(s)
    shown = number_cell(float(len(warnings)), "{:.0f}", title="\n".join(warnings))
    strategy, engine = _text(s.get("strategy")), _text(s.get("engine"))
    words = [
        text_cell(_text(s.get("symbol")) or _texts(s.get("symbols"))),
        text_cell(strategy.rpartition(":")[2], title=strategy, note=engine),
        Cell(f"{entry.made:%Y-%m-%d}", entry.made.isoformat(), note=f"{entry.made:%H:%M}"),
        text_cell(first, note=f"to {last}" if first and last else ""),
    ]
    numbers = [
        number_cell(_number(figures, "total_return"), "{:.2%}", signed=True),
        number_cell(_yearly(figures, "cagr", s), "{:.2%}", signed=True),
        number_cell(_yearly(figures, "sharpe", s), signed=True),
        number_cell(_number(figures, "max_drawdown"), "{:.2%}"),
        number_cell(_number(figures, "trades"), "{:,.0f}"),
        number_cell(_number(figures, "win_rate"), "{:.1%}"),
        number_cell(_number(figures, "exposure"), "{:.1%}"),
        number_cell(_alerts(s.get("alerts")), "{:,.0f}"),
        shown._replace(tone="warned" if warnings else "faint"),
    ]
    return [*((cell, True) for cell in words), *((cell, False) for cell in numbers)]


def _in_sample(summary: Mapping[str, Any]) -> str:
    points = _number(summary, "points")
    return "best point, in sample" if points is None else f"best of {points:,.0f}, in sample"


def _alerts(said: Any) -> float | None:
    """Return the number of alerts: a count, or counts by name."""
    if isinstance(said, Mapping):
        known = [n for n in (_number(said, key) for key in said) if n is not None]
        return sum(known) if known or not said else None
    return _number({"alerts": said}, "alerts")


def _warnings(summary: Mapping[str, Any]) -> list[str]:
    """Return what the run warned of."""
    said = (summary.get(key) for key in ("remarks", "notes"))
    lines = [line for group in said if isinstance(group, list) for line in group]
    return [
        line.removeprefix("warning: ")
        for line in lines
        if isinstance(line, str) and line.startswith("warning")
    ]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    """Return a text on one line, "" for anything else: summary.json may hold whatever it will."""
    return " ".join(value.split()) if isinstance(value, str) else ""


def _texts(value: Any) -> str:
    return ", ".join(filter(None, map(_text, value))) if isinstance(value, list) else ""


def _yearly(figures: Mapping[str, Any], key: str, summary: Mapping[str, Any]) -> float | None:
    """Return a figure of a year, None where the sessions are too few to speak of one."""
    return None if is_short(summary) else _number(figures, key)


def _number(summary: Mapping[str, Any], key: str) -> float | None:
    value = summary.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
