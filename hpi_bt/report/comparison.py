"""The page of a comparison: equity and drawdown of runs, their figures, and how sure it all is."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
import pandas as pd
from markupsafe import Markup

from hpi_bt.backtest.strict_json import json_safe
from hpi_bt.report.bidi import readable
from hpi_bt.report.chart_library import NOTICE, lwc_js
from hpi_bt.report.compared import WINDOWS, Comparison, same_sessions, shown_rows
from hpi_bt.report.pages import Banner, render, write_page
from hpi_bt.report.verdicts import effect_rows
from hpi_bt.stats.verdicts import LEVEL, probability

#: Apart for most colour-blind eyes; each run also has a dash of its own.
COLOURS = (
    *("#6b7686", "#0b7fd4", "#d9730d", "#1f9e76", "#a05bd3", "#c9417b", "#7a8c1e", "#14a0b5"),
)
_METHOD = (
    "sessions of both runs drawn together in blocks (stationary bootstrap, Politis-White length), "
    "studentised; 95 % interval and two-sided p"
)


class Strip(NamedTuple):
    """One row of a forest plot; places are percentages of its width."""

    name: str
    cells: list[str]
    low: float
    mid: float
    high: float
    zero: float
    notes: list[str]
    sure: bool


def write_comparison(
    path: Path, comparison: Comparison, pages: Sequence[tuple[str, str, str]]
) -> None:
    """Write the page of a comparison to `path`: one file, no network.

    Parameters
    ----------
    path : Path
        The page.
    comparison : Comparison
        What it shows.
    pages : sequence of (name, folder, link)
        The runs; link is the folder's name where it lies beside, else "".
    """
    names = comparison.names
    asked = comparison.entries is not None and len(comparison.entries) > 0
    effect = comparison.filter_effect if asked else None
    shown = shown_rows(comparison)
    page = render(
        "comparison.html.j2",
        title=" against ".join([", ".join(names[1:]), names[0]]),
        subtitle=_subtitle(comparison),
        banner=_banner(comparison),
        demo=comparison.demo,
        notices=[],
        licence=NOTICE,
        library=Markup(lwc_js()),
        names=names,
        words=comparison.words,
        windows=[(WINDOWS[window], rows) for window, rows in shown.items()],
        same=same_sessions(comparison),
        sharpe=_sharpe_strips(comparison),
        effect=[] if effect is None else _effect_strips(effect),
        parameters=[[key, *row] for key, row in comparison.parameters.T.items()],
        runs=[(name, folder, quote(link)) for name, folder, link in pages],
        # JSON in a script element: nothing to escape but the opening bracket
        data=Markup(_chart_data(comparison).replace("<", "\\u003c")),
    )
    write_page(path, page)


def _subtitle(comparison: Comparison) -> str:
    days = comparison.equity.index
    plural = "s" * (len(days) != 1)
    return f"{days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d}, {len(days):,} session{plural} in common"


def _banner(comparison: Comparison) -> Banner:
    values = comparison.table["value"].loc[("whole", "sessions")].to_numpy(dtype=np.float64)
    own = ", ".join(f"{n} {v:,.0f}" for n, v in zip(comparison.names, values, strict=True))
    common = len(comparison.equity)
    return [
        ("Differences", f"each run less {comparison.names[0]}, the first"),
        ("Sessions", f"{common:,} in common (whole runs: {own}); chart and tests use these alone"),
        ("Annualised", f"by {round(comparison.sessions_per_year, 1):g} sessions a year"),
        ("Sharpe difference", _METHOD),
        *(("Warning", line) for line in comparison.warnings),
    ]


def _chart_data(comparison: Comparison) -> str:
    """Return dates, equity and drawdown of every run as JSON."""
    equity = comparison.equity
    values = equity.to_numpy(dtype=np.float64)
    peak = np.maximum(np.maximum.accumulate(values, axis=0), 1.0)
    data = {
        "times": (pd.DatetimeIndex(equity.index).as_unit("s").asi8).tolist(),
        "runs": [
            {
                "name": readable(name),
                "colour": COLOURS[i % len(COLOURS)],
                "equity": np.round(values[:, i], 6),
                "drawdown": np.round(100.0 * (values[:, i] / peak[:, i] - 1.0), 4),
            }
            for i, name in enumerate(comparison.names)
        ],
    }
    return json.dumps(json_safe(data), allow_nan=False, separators=(",", ":"))


def _sharpe_strips(comparison: Comparison) -> list[Strip]:
    table = comparison.sharpe_differences
    rows = []
    for name, row in table.iterrows():
        cells = [_two(row["sharpe"]), _two(row["difference"], sign=True)]
        cells += [_interval(_two(row["low"], sign=True), _two(row["high"], sign=True))]
        rows.append((str(name), cells, row))
    return _strips(rows)


def _effect_strips(effect: pd.DataFrame) -> list[Strip]:
    texts = effect_rows(effect)
    rows = [(t[0], t[1:-1], row) for t, (_, row) in zip(texts, effect.iterrows(), strict=True)]
    return _strips(rows)


def _strips(rows: Sequence[tuple[str, list[str], pd.Series]]) -> list[Strip]:
    """Return the rows with the places of their intervals on one axis that shows 0."""
    known = [
        float(row[key])
        for _, _, row in rows
        for key in ("low", "high", "difference")
        if math.isfinite(row[key])
    ]
    least, most = min([*known, 0.0]), max([*known, 0.0])
    span = (most - least) or 1.0
    least, span = least - 0.04 * span, 1.08 * span

    def place(value: Any) -> float:
        return round(100.0 * (float(value) - least) / span, 2)

    strips = []
    for name, cells, row in rows:
        p, adjusted = float(row["p_value"]), float(row["p_adjusted"])
        told = [f"p {probability(p)}"] if math.isfinite(p) else []
        told += (
            [f"all tests: {probability(adjusted)}"] if math.isfinite(p) and adjusted != p else []
        )
        notes = [*told, *([row["note"]] if row["note"] else [])]
        sure = adjusted <= LEVEL
        low, mid, high = (place(row[key]) for key in ("low", "difference", "high"))
        strips.append(Strip(name, cells, low, mid, high, place(0.0), notes, sure))
    return strips


def _two(value: float, *, sign: bool = False) -> str:
    if not math.isfinite(value):
        return "–"
    return (f"{value:+.2f}" if sign else f"{value:.2f}").replace("-", "−")


def _interval(low: str, high: str) -> str:
    return "–" if "–" in (low, high) else f"{low} to {high}"
