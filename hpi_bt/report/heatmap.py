"""The page of a sweep: its best point with the measures of overfitting, and a heat map."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from hpi_bt.backtest.strict_json import json_safe
from hpi_bt.report.pages import render, write_page

_FACTS = (
    ("points", "Points tried", "{:,.0f}"),
    ("trials", "Different results (trials; equal points count once)", "{:,.0f}"),
    ("sharpe", "Sharpe (daily sessions, per year)", "{:.2f}"),
    ("total_return", "Return", "{:.2%}"),
    ("max_drawdown", "Max drawdown", "{:.2%}"),
    ("trades", "Trades", "{:.0f}"),
    ("probabilistic_sharpe", "Probability of a Sharpe above 0, had it been the only try", "{:.1%}"),
    ("deflated_sharpe", "The same, deflated for the best of so many tries", "{:.1%}"),
    ("probability_of_overfitting", "Probability of backtest overfitting (CSCV)", "{:.1%}"),
    ("min_track_record_length", "Sessions needed to be 95 % sure of a Sharpe above 0", "{:,.0f}"),
)  # fmt: skip


def trade_count(figures: Mapping[str, Any]) -> str:
    """Return the number of closed trades of a point, and of those that are open at the end."""
    closed, still_open = figures["trades"], figures.get("open_trades", 0.0)
    if closed is None or math.isnan(closed):
        return "n/a"
    return f"{closed:,.0f}" + (f" ({still_open:.0f} open)" if still_open else "")


def facts_of(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a best point must be read with, as (what, value) in words."""
    flat = {**summary, **summary["figures"]}
    best = ", ".join(f"{name} {value}" for name, value in summary["best"].items())
    rows = [("Best point", best)]
    for key, label, form in _FACTS:
        value = flat.get(key)
        if key == "trades":
            rows.append((label, trade_count(flat)))
        elif key == "min_track_record_length" and value is None and (flat["sharpe"] or 0.0) < 0.0:
            rows.append((label, "never"))  # infinite, which JSON has as null
        elif value is None or math.isnan(value):
            rows.append((label, "n/a"))
        else:
            rows.append((label, "never" if math.isinf(value) else form.format(value)))
    if summary.get("failed"):
        rows.append(("Points that raised an error", f"{summary['failed']:,}"))
    if summary.get("ruined"):
        rows.append(("Points that ruined the account", f"{summary['ruined']:,}"))
    for note in map(str, summary.get("remarks", ())):
        text = note.removeprefix("warning: ")
        rows.append(("Assumption" if text == note else "Warning", text))
    return rows


def _spoken(value: float) -> float | str:
    """Return a figure as the page's JSON can hold it: infinite is a word."""
    return "Infinity" if value == math.inf else value


def write_heatmap(
    path: Path,
    table: pd.DataFrame,
    axes: Sequence[str],
    figures: Sequence[str],
    select: str,
    summary: Mapping[str, Any],
) -> None:
    """Write the page of a sweep to `path`.

    Parameters
    ----------
    table : DataFrame
        One row a point: its values (`axes`) and its `figures`.
    select : str
        The figure shown first.
    summary : mapping
        The sweep's summary.
    """
    data = {
        "axes": list(axes),
        "figures": list(figures),
        "select": select,
        "columns": {name: table[name].tolist() for name in axes}
        | {name: [_spoken(v) for v in table[name].tolist()] for name in figures},
    }
    text = json.dumps(json_safe(data), allow_nan=False, separators=(",", ":"))
    page = render(
        "heatmap.html.j2",
        title=f"{summary['name']}: sweep of {', '.join(axes)}",
        subtitle=f"{summary['symbol']}, {summary['sessions']} sessions, engine {summary['engine']}",
        demo=summary["demo"],
        banner=[
            ("Chosen by", f"most {select}; every figure is in sample"),
            ("Annualised", f"by {round(summary['sessions_per_year'], 1):g} sessions a year"),
        ],
        notices=[],
        facts=facts_of(summary),
        # JSON in a script element: nothing to escape but the opening bracket
        data=Markup(text.replace("<", "\\u003c")),
    )
    write_page(path, page)
