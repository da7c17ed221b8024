"""The study of signals against price as a page, as part of the signal page, and as tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.report.pages import Banner, render, write_page
from hpi_bt.stats.entries import EntryTest
from hpi_bt.stats.study import SignalStudy
from hpi_bt.stats.verdicts import (
    LEVEL,
    conclusions,
    entry_verdict,
    horizon_text,
    probability,
    verdict,
)

FOREST = 200.0  # pixels of a forest plot; its middle is 0
_UNIT = 44.0  # from there to a dashed line, the smallest edge that can be found, where all fits
_TENTHS = (200.0, 80.0)  # width and height of a chart of tenths
_STRIP = 620.0
_INSIDE = 0.97  # of half a drawing is what values may fill


def write_study(
    path: Path, study: SignalStudy, *, title: str, banner: Banner, demo: str = ""
) -> None:
    """Write the page of a study, of one symbol or of several together.

    Parameters
    ----------
    path : Path
        The page; its folder is made.
    study : SignalStudy
    title : str
        Headline, any text.
    banner : sequence of (what, how)
        Assumptions shown first.
    demo : str, default=""
        What is made up in the data; "" means that nothing is.
    """
    page = render(
        "study.html.j2",
        title=title,
        subtitle=_subtitle(study),
        banner=banner,
        demo=demo,
        study=study_context(study),
    )
    write_page(path, page)


def study_files(study: SignalStudy) -> dict[str, Callable[[Path], None]]:
    """Return the tables of a study: file name, and the function that writes it."""
    tables = {
        "study.csv": study.events,
        "deciles.csv": study.deciles,
        "coefficients.csv": study.coefficients,
    }

    def writer(table: pd.DataFrame) -> Callable[[Path], None]:
        return lambda path: table.to_csv(path, index=False)

    return {name: writer(table) for name, table in tables.items()}


def study_context(study: SignalStudy) -> dict[str, Any]:
    """Return what `study_body.html.j2` shows: texts, and drawings in pixels."""
    several = len(study.symbols) > 1
    return {
        "conclusions": conclusions(study),
        "about": _about(study),
        "signals": _signals(study),
        "lines": _lines(study),
        "entries": [
            {
                "symbol": name if several else "",
                "words": entry_verdict(test),
                "strip": _strip(test),
            }
            for name, test in study.entries
        ],
        "notes": study.notes,
        "forest": FOREST,
        "tenths": _TENTHS,
        "strip": _STRIP,
    }


def _subtitle(study: SignalStudy) -> str:
    names = ", ".join(name for name in study.symbols if name)
    days = f"{study.first:%Y-%m-%d} to {study.last:%Y-%m-%d}"
    return f"{names + ', ' if names else ''}{days}, {study.bars:,} bars"


def _about(study: SignalStudy) -> str:
    bar = "daily bars" if study.daily else f"{study.bar_minutes:g}-minute bars"
    unit = "months" if study.daily else "sessions"
    pooled = f" of {len(study.symbols)} symbols together" if len(study.symbols) > 1 else ""
    return (
        f"{study.bars:,} {bar}{pooled}, {study.sessions:,} sessions; p-values from "
        f"{study.permutations:,} permutations of whole {unit}; before costs"
    )


def _signals(study: SignalStudy) -> list[dict[str, Any]]:
    """Return a card per signal: its directions, and a row per horizon of each."""
    cards = []
    for column, table in study.events.groupby("signal", sort=False):
        unit = _unit(table)
        sides = []
        for (_, label), rows in table.groupby(["direction", "label"], sort=False):
            having = int(rows["symbols"].iloc[0])
            part = f"in {having} of {len(study.symbols)} symbols"
            sides.append(
                {
                    "up": float(rows["direction"].iloc[0]) > 0.0,
                    "label": label,
                    "part": part if having < len(study.symbols) else "",
                    "rows": [_row(study, row, unit) for row in rows.to_dict("records")],
                }
            )
        cards.append({"name": column, "sides": sides, "edge": round(unit, 1)})
    return cards


def _unit(table: pd.DataFrame) -> float:
    """Return how many pixels the detectable edge is from the middle, so that all rows fit."""
    reach = table[["effect", "low", "high"]].abs().div(table["detectable"], axis=0)
    furthest = float(np.nan_to_num(reach.to_numpy(), nan=0.0, posinf=0.0).max(initial=0.0))
    return min(_UNIT, _INSIDE * FOREST / 2.0 / furthest) if furthest else _UNIT


def _row(study: SignalStudy, row: Mapping[Any, Any], unit: float) -> dict[str, Any]:
    """Return one line of a table as texts, with its place in the forest plot."""
    p, q = float(row["p_value"]), float(row["q_value"])
    tone = "unknown" if math.isnan(p) else "hint" if p <= LEVEL else "none"
    if q <= LEVEL:
        tone = "found" if row["effect"] > 0.0 else "against"
    return {
        "horizon": horizon_text(row["horizon"], study.bar_minutes),
        "n": f"{row['n']:,}",
        "some": row["n"] > 0,
        "mean": basis_points(row["mean"]),
        "hit": _text(row["hit_rate"], lambda v: f"{100.0 * v:.0f} %"),
        "effect": basis_points(row["effect"]),
        "t": _text(row["t"], lambda v: _minus(f"{v:.1f}")),
        "p": _text(p, _short),
        "q": _text(q, _short),
        "detectable": basis_points(row["detectable"], signed=False),
        "verdict": verdict(row),
        "tone": tone,
        "plot": _forest(row["effect"], row["low"], row["high"], unit / row["detectable"]),
    }


def _short(value: float) -> str:
    return probability(value).replace("under ", "<")


def basis_points(value: float, *, signed: bool = True) -> str:
    """Return a decimal in hundredths of a percent, a dash where it is not known."""
    size = abs(1e4 * value)
    digits = 0 if size >= 100.0 else 1 if size >= 1.0 else 2
    sign = "+" if signed else ""
    return _text(value, lambda v: _minus(f"{1e4 * v:{sign},.{digits}f}"))


def _text(value: float, form: Callable[[float], str]) -> str:
    return form(value) if math.isfinite(value) else "–"


def _minus(text: str) -> str:
    """Return a formatted number with the sign that print uses, none before nought."""
    if not text.strip("+-0."):
        return text.lstrip("+-")
    return text.replace("-", "\N{MINUS SIGN}")


def _forest(effect: float, low: float, high: float, scale: float) -> dict[str, float] | None:
    """Return where effect and interval lie, in pixels; `scale` is pixels to 1."""
    if not (math.isfinite(effect) and math.isfinite(scale)):
        return None

    def place(value: float) -> float:
        return round(FOREST / 2.0 + scale * value, 1)

    found = {"at": place(effect)}
    if math.isfinite(low) and math.isfinite(high):
        found |= {"low": place(low), "high": place(high)}
    return found


def _lines(study: SignalStudy) -> list[dict[str, Any]]:
    """Return a card per measured line: rank correlations by horizon, and tenths of each."""
    cards = []
    for column, table in study.coefficients.groupby("line", sort=False):
        own = study.deciles[(study.deciles["line"] == column).to_numpy()]
        charts = [
            {
                "horizon": horizon_text(part["horizon"].iloc[0], study.bar_minutes),
                **_tenths(part),
            }
            for _, part in own.groupby("horizon", sort=False)
        ]
        cards.append({"name": column, "rows": _decay(study, table), "charts": charts})
    return cards


def _decay(study: SignalStudy, table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rank correlations of a line, all horizons on one scale: its decay."""
    rows = table.to_dict("records")
    errors = [_error(float(row["ic"]), float(row["t"])) for row in rows]
    reach = [abs(row["ic"]) + 1.96 * e for row, e in zip(rows, np.nan_to_num(errors), strict=True)]
    scale = _INSIDE * FOREST / 2.0 / (max(reach) or 1.0)
    found = []
    for row, error in zip(rows, errors, strict=True):
        ic = float(row["ic"])
        about = {
            "horizon": horizon_text(row["horizon"], study.bar_minutes),
            "n": f"{row['n']:,}",
            "ic": _text(ic, lambda v: _minus(f"{v:+.3f}")),
            "t": _text(float(row["t"]), lambda v: _minus(f"{v:+.1f}")),
            "p": _text(float(row["p_value"]), _short),
            "q": _text(float(row["q_value"]), _short),
            "tone": _coefficient_tone(float(row["p_value"]), float(row["q_value"])),
            "note": row["note"],
            "plot": _forest(ic, ic - 1.96 * error, ic + 1.96 * error, scale),
        }
        found.append(about)
    return found


def _coefficient_tone(p: float, q: float) -> str:
    if math.isnan(p):
        return "unknown"
    return "found" if q <= LEVEL else "hint" if p <= LEVEL else "none"


def _error(value: float, t: float) -> float:
    """Return the standard error behind a t, NaN where there is none."""
    return abs(value / t) if math.isfinite(t) and t != 0.0 else math.nan


def _tenths(table: pd.DataFrame) -> dict[str, Any]:
    """Return the bars of a chart of tenths in pixels, and the words beneath it."""
    width, height = _TENTHS
    excess, t = (table[name].to_numpy(dtype=float) for name in ("excess", "t"))
    errors = 1.96 * np.nan_to_num([_error(e, v) for e, v in zip(excess, t, strict=True)])
    top = float((np.abs(excess) + errors).max()) or 1.0
    step, middle = width / 10.0, height / 2.0
    scale = _INSIDE * middle / top
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


def _strip(test: EntryTest) -> dict[str, Any]:
    """Return where the random draws and the strategy's own mean lie on a strip, in pixels."""
    values = [0.0, test.mean, test.random_low, test.random_high]
    low, high = min(values), max(values)
    room = 0.12 * (high - low) or 1e-6
    low, high = low - room, high + room

    def place(value: float) -> float:
        return round(_STRIP * (value - low) / (high - low), 1)

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
