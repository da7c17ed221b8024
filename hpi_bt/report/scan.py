"""The rows of a scan, in words and as a page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hpi_bt.report.index import replace_page
from hpi_bt.report.pages import Banner, render
from hpi_bt.report.scan_rows import Occurrence, ScanRow
from hpi_bt.report.table import UNKNOWN, Cell, Column, number_cell, text_cell

COLUMNS = (
    Column("Symbol"),
    Column("Indicator", title="and the line whose value is shown", wide=True),
    Column("Last bar", "number", first="descending", words=True),
    Column("Close", "number", first="descending", wide=True),
    Column("Value", "number", first="descending"),
    Column("Position", "number", "0 lowest, 1 highest of its last bars", "descending"),
    Column("Last cross", "number", "sorted by age", words=True),
    Column("Last alert", "number", "sorted by age", words=True),
    Column("Warnings"),
)
_ARROWS = {1: "▲", -1: "▼"}


def figure(value: float) -> str:
    """Return a value to two decimals; below 1 to three digits, from a million on whole."""
    if not math.isfinite(value):
        return UNKNOWN
    if abs(value) >= 1e6:
        return f"{value:,.0f}"
    small = 0.0 < abs(value) < 1.0
    digits = min(2 + max(0, -math.floor(math.log10(abs(value)))), 10) if small else 2
    return f"{value:,.{digits}f}"


def age(minutes: float) -> str:
    """Return a time span in its two largest units: 45 min, 3 h 05 min, 12 d 4 h, 40 d."""
    whole = round(minutes)
    days, left = divmod(whole, 1440)
    hours, rest = divmod(left, 60)
    if days >= 30 or (days and not hours):
        return f"{days:,} d"
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {rest:02d} min" if hours else f"{rest} min"


def moment(time: datetime | None, *, daily: bool = False) -> str:
    """Return a bar's close to the minute, without its zone; midnight of a day is a date alone."""
    if time is None:
        return UNKNOWN
    date_alone = daily and (time.hour, time.minute) == (0, 0)
    return f"{time:%Y-%m-%d}" if date_alone else f"{time:%Y-%m-%d %H:%M}"


def epoch(time: datetime) -> float:
    """Return seconds since 1970; a time without a zone is taken for UTC."""
    return (time.replace(tzinfo=UTC) if time.tzinfo is None else time).timestamp()


def happened(last: Occurrence | None) -> tuple[str, str]:
    """Return what happened last and how long ago, in words; a dash and "" for nothing."""
    if last is None:
        return UNKNOWN, ""
    ago = f"{last.bars:,} bar{'' if last.bars == 1 else 's'}, {age(last.minutes)} ago"
    return f"{_ARROWS[last.direction]} {last.text}", ago if last.bars else "on the last bar"


def write_scan(
    path: Path,
    rows: Sequence[ScanRow],
    *,
    banner: Banner,
    made: datetime,
    gradient: tuple[str, str] | None = None,
) -> None:
    """Write the page of a scan to `path`, whole or not at all.

    Parameters
    ----------
    rows : sequence of ScanRow
        In the order in which they are shown at first.
    banner : Banner
        What a reader must know.
    made : datetime
        Now, in UTC.
    gradient : (str, str), optional
        Colours of the lowest and the highest value, for the legend.
    """
    configs = len({row.config for row in rows})
    demo = any(row.demo for row in rows)
    page = render(
        "scan.html.j2",
        title="Scan",
        subtitle=f"{_counted(len(rows), 'row')} of {_counted(configs, 'config')}, made "
        f"{made:%Y-%m-%d %H:%M} UTC",
        banner=banner,
        demo="rows marked DEMO are simulated, or their option flow is made up" if demo else "",
        columns=COLUMNS,
        rows=[_shown(row) for row in rows],
        gradient=gradient,
    )
    replace_page(path, page)


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _shown(row: ScanRow) -> dict[str, Any]:
    """Return what the template shows of a row; each cell comes with whether it holds words."""
    value = number_cell(row.value)._replace(text=_signed(row.value))
    if row.color:
        value = value._replace(style=f"background:{row.color};color:{row.text_color}")
    date, _, clock = moment(row.time, daily=row.daily).partition(" ")
    when = Cell(date, repr(epoch(row.time)) if row.time else "", note=clock)
    said = row.error or "\n".join(row.warnings)
    tone = "wrap bad" if row.error else "wrap warned" if said else "wrap"
    return {
        "symbol": row.symbol or row.config,
        "config": row.config,
        "demo": row.demo,
        "about": _about(row),
        "cells": [
            (text_cell(row.indicator, note=row.line), True),
            (when, True),
            (number_cell(row.close)._replace(text=figure(row.close)), False),
            (value, False),
            (number_cell(row.position), False),
            (_occurrence(row.cross, daily=row.daily), True),
            (_occurrence(row.alert, daily=row.daily), True),
            (Cell(said, said, tone) if said else Cell("", "", tone), True),
        ],
    }


def _about(row: ScanRow) -> list[str]:
    """Return what a narrow screen has no column for, or only far to the right."""
    if row.error:
        return [row.error]
    return [f"{row.indicator} {row.line}".strip(), f"at {figure(row.close)}"]


def _signed(value: float) -> str:
    return figure(value).replace("-", "−")


def _occurrence(last: Occurrence | None, *, daily: bool) -> Cell:
    text, ago = happened(last)
    if last is None:
        return Cell(text, "")
    return Cell(text, repr(last.minutes), title=moment(last.time, daily=daily), note=ago)
