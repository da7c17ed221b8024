"""What a comparison of runs holds, and how its figures are written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.stats.difference import holm


class Metric(NamedTuple):
    """One row of the table; `better` is +1 where more is better, -1 where less is, else 0."""

    label: str
    form: str
    better: int = 0


_PERCENT, _NUMBER, _COUNT = "{:.2%}", "{:,.2f}", "{:,.0f}"
METRICS: Mapping[str, Metric] = {
    "sessions": Metric("Sessions", _COUNT),
    "total_return": Metric("Return", _PERCENT, 1),
    "cagr": Metric("CAGR", _PERCENT, 1),
    "volatility": Metric("Volatility (a year)", _PERCENT),
    "sharpe": Metric("Sharpe (daily)", _NUMBER, 1),
    "sortino": Metric("Sortino", _NUMBER, 1),
    "max_drawdown": Metric("Max drawdown", _PERCENT, 1),
    "drawdown_sessions": Metric("Longest drawdown (sessions)", _COUNT, -1),
    "calmar": Metric("Calmar", _NUMBER, 1),
    "trades": Metric("Trades closed", _COUNT),
    "win_rate": Metric("Win rate", _PERCENT),
    "profit_factor": Metric("Profit factor", _NUMBER, 1),
    "average_trade": Metric("Net a trade ($)", _NUMBER, 1),
    "average_bars": Metric("Bars held", "{:,.1f}"),
    "exposure": Metric("Time in market", _PERCENT),
    "average_exposure": Metric("Average exposure", _PERCENT),
    "costs": Metric("Costs paid ($)", _NUMBER, -1),
    "vetoed": Metric("Entries vetoed", _COUNT),
}
WINDOWS = {"common": "On the sessions that all runs share", "whole": "Over each whole run"}


@dataclass(frozen=True, repr=False)
class Comparison:
    """Runs side by side; the first is what the others are compared with.

    Attributes
    ----------
    folder : Path
        Where everything lies; `page` is its comparison.html.
    names : tuple of str
        What the runs are called here.
    table : DataFrame, index (window, metric), columns ("value", name) and ("difference", name)
        window "common": the sessions that all share; "whole": each run by itself. Decimals.
    sharpe_differences : DataFrame, index name
        sharpe, difference, low, high, p_value, p_adjusted (Holm), detectable, mean_block, note.
    parameters : DataFrame, index path of the parameter, one column a run
        Those that differ; "not set" where a run has none.
    equity : DataFrame, index common sessions, one column a run
        Account value after each, 1 before the first.
    words : tuple of str
        The conclusion, in sentences.
    warnings : tuple of str
        What must be known to judge it.
    demo : str
        What is made up in the data; "" means that nothing is.
    filter_effect : DataFrame or None
        Accepted against vetoed entries of the unfiltered run, by horizon.
    entries : DataFrame or None
        Every entry of the unfiltered run that the filter was asked about.
    sessions_per_year : float
        By which figures on the common sessions are annualised.
    """

    folder: Path
    names: tuple[str, ...]
    table: pd.DataFrame
    sharpe_differences: pd.DataFrame
    parameters: pd.DataFrame
    equity: pd.DataFrame
    words: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    demo: str = ""
    filter_effect: pd.DataFrame | None = None
    entries: pd.DataFrame | None = None
    sessions_per_year: float = 252.0

    @property
    def page(self) -> Path:
        """The page of the comparison."""
        return self.folder / "comparison.html"

    def __repr__(self) -> str:
        """Return the conclusion."""
        return f"<Comparison of {', '.join(self.names)}: {' '.join(self.words)} {self.page}>"

    def _repr_html_(self) -> str:
        """Return the table, for notebooks."""
        heads = ["", *self.names, *(f"{n} − {self.names[0]}" for n in self.names[1:])]
        rows = [[row.label, *row.shown, *row.differences] for row in rows_of(self, "common")]
        return str(pd.DataFrame(rows, columns=heads).to_html(index=False))


class Row(NamedTuple):
    """One metric as text; `marks` are "better", "worse" or "" of each difference."""

    key: str
    label: str
    shown: list[str]
    differences: list[str]
    marks: list[str]


def rows_of(comparison: Comparison, window: str) -> list[Row]:
    """Return the rows of one window of the table, those that no run knows left out."""
    rows = []
    table = comparison.table.loc[window]
    held, changed = (
        table[kind][[*names]].to_numpy(dtype=np.float64).tolist()
        for kind, names in (("value", comparison.names), ("difference", comparison.names[1:]))
    )
    for key, values, changes in zip(table.index, held, changed, strict=True):
        if all(math.isnan(v) for v in values):
            continue
        metric = METRICS[key]
        texts = [difference_text(key, change) for change in changes]
        marks = [_mark(metric, change, text) for change, text in zip(changes, texts, strict=True)]
        shown = [value_text(key, v) for v in values]
        rows.append(Row(str(key), metric.label, shown, texts, marks))
    return rows


def same_sessions(comparison: Comparison) -> bool:
    """Return whether every run covers the common sessions and no others."""
    sessions = comparison.table.xs("sessions", level="metric")["value"]
    return bool((sessions.to_numpy() == len(comparison.equity)).all())


def shown_rows(comparison: Comparison) -> dict[str, list[Row]]:
    """Return the rows of both windows; of whole runs what is new.

    Where every run covers the common sessions alone, that is its costs and vetoes; of runs of
    different sessions no differences, as they would compare unlike with unlike.
    """
    common, whole = (rows_of(comparison, window) for window in WINDOWS)
    if same_sessions(comparison):
        known = {row.key for row in common}
        return {"common": common, "whole": [row for row in whole if row.key not in known]}
    return {"common": common, "whole": [r._replace(differences=[], marks=[]) for r in whole]}


def value_text(key: str, value: float) -> str:
    """Return a metric as text, "–" where it is unknown."""
    if value == math.inf:
        return "never lost"
    return METRICS[key].form.format(value).replace("-", "−") if math.isfinite(value) else "–"


def difference_text(key: str, value: float) -> str:
    """Return a difference as text with its sign; of percentages in points."""
    if not math.isfinite(value):
        return "–"
    form = METRICS[key].form.replace("{:", "{:+")
    points = form.endswith("%}")
    text = form.replace("%}", "f} pp").format(100.0 * value) if points else form.format(value)
    digits = text.removesuffix(" pp").lstrip("+-")
    if not digits.strip("0.,"):
        text = text.lstrip("+-")
    return text.replace("-", "−")


def _mark(metric: Metric, change: float, text: str) -> str:
    """Return whether a difference that can be seen is for the better."""
    seen = text[:1] in "+−"
    if not metric.better or not seen or not math.isfinite(change):
        return ""
    return "better" if change * metric.better > 0 else "worse"


def with_adjusted(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of tests with `p_adjusted` (Holm) behind its p_value."""
    at = table.columns.get_loc("p_value")
    made = table.copy()
    made.insert(int(at) + 1, "p_adjusted", holm(table["p_value"].to_numpy(dtype=float)))  # type: ignore[arg-type]
    return made


def tables(comparison: Comparison) -> dict[str, Any]:
    """Return the tables of a comparison as plain mappings: what --json prints."""
    values = {}
    for window in ("common", "whole"):
        table = comparison.table.loc[window]
        values[window] = {name: table["value", name].to_dict() for name in comparison.names}
    found: dict[str, Any] = {
        "figures": values,
        "sharpe_differences": comparison.sharpe_differences.to_dict("index"),
        "parameters": comparison.parameters.to_dict("index"),
    }
    if comparison.filter_effect is not None:
        found["filter_effect"] = comparison.filter_effect.to_dict("index")
    return found
