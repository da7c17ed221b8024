"""Numbers of a study as texts and places in pixels: forest plots, tenths, strips."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.stats.entries import EntryTest
from hpi_bt.stats.timing import TimingTest
from hpi_bt.stats.verdicts import probability

FOREST = 200.0  # pixels of a forest plot; its middle is 0
TENTHS = (200.0, 80.0)  # width and height of a chart of tenths
STRIP = 620.0
INSIDE = 0.97  # of half a drawing is what values may fill


def short(value: float) -> str:
    """Return a p- or q-value as a cell of a table."""
    return probability(value).replace("under ", "<")


def basis_points(value: float, *, signed: bool = True) -> str:
    """Return a decimal in hundredths of a percent, a dash where it is not known."""
    size = abs(1e4 * value)
    digits = 0 if size >= 100.0 else 1 if size >= 1.0 else 2
    sign = "+" if signed else ""
    return text(value, lambda v: minus(f"{1e4 * v:{sign},.{digits}f}"))


def text(value: float, form: Callable[[float], str]) -> str:
    """Return a number as a cell of a table, a dash where it is not known."""
    return form(value) if math.isfinite(value) else "–"


def minus(text: str) -> str:
    """Return a formatted number with the sign that print uses, none before nought."""
    if not text.strip("+-0."):
        return text.lstrip("+-")
    return text.replace("-", "\N{MINUS SIGN}")


def forest(effect: float, low: float, high: float, scale: float) -> dict[str, float] | None:
    """Return where effect and interval lie, in pixels; `scale` is pixels to 1."""
    if not (math.isfinite(effect) and math.isfinite(scale)):
        return None

    def place(value: float) -> float:
        return round(FOREST / 2.0 + scale * value, 1)

    found = {"at": place(effect)}
    if math.isfinite(low) and math.isfinite(high):
        found |= {"low": place(low), "high": place(high)}
    return found


def tenths(table: pd.DataFrame) -> dict[str, Any]:
    """Return the bars of a chart of tenths in pixels, and the words beneath it."""
    width, height = TENTHS
    excess, t = (table[name].to_numpy(dtype=float) for name in ("excess", "t"))
    errors = 1.96 * np.nan_to_num([standard_error(e, v) for e, v in zip(excess, t, strict=True)])
    top = float((np.abs(excess) + errors).max()) or 1.0
    step, middle = width / 10.0, height / 2.0
    scale = INSIDE * middle / top
    bars = []
    for decile, e, error in zip(table["decile"], excess, errors, strict=True):
        x = step * (int(decile) - 1)
        bars.append(
            {
                "x": round(x + 0.14 * step, 1),
                "y": round(middle - max(e, 0.0) * scale, 1),
                "height": round(max(abs(e) * scale, 0.5), 1),
                "width": round(0.72 * step, 1),
                "up": e > 0.0,
                "line": round(x + 0.5 * step, 1),
                "from": round(middle - (e - error) * scale, 1),
                "to": round(middle - (e + error) * scale, 1),
                "words": f"tenth {int(decile)}: {basis_points(e)} bp",
            }
        )
    spread = float(excess[-1] - excess[0])
    return {"bars": bars, "words": f"top less bottom {basis_points(spread)} bp"}


def strip(test: EntryTest | TimingTest) -> dict[str, Any] | None:
    """Return where the random draws and the strategy's own mean lie on a strip, in pixels."""
    if math.isnan(test.mean):
        return None
    values = [0.0, test.mean, test.random_low, test.random_high]
    low, high = min(values), max(values)
    room = 0.12 * (high - low) or 1e-6
    low, high = low - room, high + room

    def place(value: float) -> float:
        return round(STRIP * (value - low) / (high - low), 1)

    return {
        "low": place(test.random_low),
        "high": place(test.random_high),
        "random": place(test.random_mean),
        "mean": place(test.mean),
        "zero": place(0.0),
        "mean_text": f"{basis_points(test.mean)} bp",
        "low_text": basis_points(test.random_low),
        "high_text": basis_points(test.random_high),
    }


def standard_error(value: float, t: float) -> float:
    """Return the standard error behind a t, NaN where there is none."""
    return abs(value / t) if math.isfinite(t) and t != 0.0 else math.nan
