"""The tables of the gauge's page: falls, warnings and signal quality, as cells."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.report.gauge_drawings import Scale, scale_of, whisker
from hpi_bt.report.gauge_words import day, row_of, titled
from hpi_bt.report.pages import number
from hpi_bt.report.pages import percent as plain_percent

_MEASURES = (
    ("hit_rate", "hit_low", "hit_high"),
    ("balanced_accuracy", "balanced_low", "balanced_high"),
    ("forward_drawdown", "forward_low", "forward_high"),
)


def percent(value: float, digits: int) -> str:
    """Return `pages.percent` with a minus sign as wide as a plus."""
    return plain_percent(value, digits).replace("-", "\N{MINUS SIGN}")


def fall_rows(falls: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the falls as the page shows them, newest first."""
    return [
        {
            "peak": day(f["peak"]),
            "crossed": day(f["crossed"]),
            "trough": day(f["trough"]),
            "recovered": day(f["recovered"]),
            "deepest": percent(f["deepest"], 1),
            "highest": f"{f['highest_score']:.0f}",
            "warned": f["warned"],
            "warned_on": day(f["warned_on"]),
        }
        for f in falls.iloc[::-1].to_dict("records")
    ]


def longest_fall(falls: pd.DataFrame) -> str:
    """Return the years of the longest fall that is over; "" where it spans no whole year."""
    over = falls.dropna(subset="recovered")
    if over.empty:
        return ""
    one = row_of(over, (over["recovered"] - over["peak"]).idxmax())
    first, last = one["peak"].year, one["recovered"].year
    return f"{first} to {last}" if last > first + 1 else ""


def warning_rows(warnings: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the warnings as the page shows them, newest first."""
    return [
        {
            "start": day(w["start"]),
            "end": day(w["end"]),
            "days": w["days"],
            "highest": f"{w['highest_score']:.0f}",
            "deepest": percent(w["deepest"], 1),
            "outcome": "false" if w["false"] else "fall" if w["complete"] else "open",
        }
        for w in warnings.iloc[::-1].to_dict("records")
    ]


def quality_groups(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one group for each signal, its rows with figures and whiskers on common scales."""
    base = row_of(table, ("gauge", "all"))
    scales = {
        name: scale_of(
            table[[name, low, high]].to_numpy(np.float64).ravel(),
            0.5 if name == "balanced_accuracy" else float(base[name]),
        )
        for name, low, high in _MEASURES
    }
    groups = []
    for signal in table.index.get_level_values(0).unique():
        rows = [_quality_row(band, r, scales) for band, r in table.loc[signal].iterrows()]
        title = "Gauge" if signal == "gauge" else titled(str(signal))
        groups.append({"title": title, "rows": rows, "warning": rows[-1]})
    return groups


def _quality_row(band: object, row: pd.Series, scales: dict[str, Scale]) -> dict[str, Any]:
    cells = []
    for name, low, high in _MEASURES:
        share = name != "balanced_accuracy"
        value, ends = float(row[name]), (float(row[low]), float(row[high]))
        written = [percent(v, 1) if share else number(v) for v in (value, *ends)]
        span = f"{written[1]} to {written[2]}" if math.isfinite(ends[0]) else ""
        cells.append(
            {"value": written[0], "span": span, "drawing": whisker(value, *ends, scales[name])}
        )
    return {"band": str(band), "n": f"{int(row['n']):,}", "note": str(row["note"]), "cells": cells}
