"""What a report of the gauge holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hpi_bt.gauge import GaugeResult
from hpi_bt.report.gauge_words import row_of, shown, titled
from hpi_bt.sources.gauge_data.assembly import GaugeInputs
from hpi_bt.stats.gauge_latest import Latest


@dataclass(frozen=True, repr=False)
class GaugeReport:
    """The gauge of one session, its history and its record.

    Attributes
    ----------
    latest : Latest
        The last row, component by component.
    session : Timestamp
        The session for which it is published: the one after the last row's.
    sentence : str
        Its trend.
    freshness : tuple of str
        How fresh the inputs are: the general line first, then each that is stale.
    stale : bool
        Whether any input is.
    record : tuple of str
        What its warnings were worth.
    weighting : str
        How far the weights differ, and the day's plain mean.
    inputs : GaugeInputs
    result : GaugeResult
        The gauge of every session.
    quality : DataFrame, index (signal, band)
        As `hpi_bt.stats.gauge_quality.signal_quality` has it.
    falls, warnings : DataFrame
        As `drawdown_warnings` and `warning_outcomes` have them.
    options : dict
        Every setting behind the numbers.
    page : Path or None
        The page, where one was written.
    """

    latest: Latest
    session: pd.Timestamp
    sentence: str
    freshness: tuple[str, ...]
    stale: bool
    record: tuple[str, ...]
    weighting: str
    inputs: GaugeInputs
    result: GaugeResult
    quality: pd.DataFrame
    falls: pd.DataFrame
    warnings: pd.DataFrame
    options: dict[str, Any]
    page: Path | None = None

    @property
    def score(self) -> int:
        """Whole points, 0 (calm) to 100 (stress)."""
        return int(self.latest.score)

    @property
    def change(self) -> float:
        """Points since five sessions before; NaN where unknown."""
        return self.latest.score - self.latest.before

    def __repr__(self) -> str:
        latest = self.latest
        return f"GaugeReport({latest.row:%Y-%m-%d}: {self.score} {latest.band})"

    def as_dict(self) -> dict[str, Any]:
        """Return every figure in plain types, dates as text; NaN stays NaN."""
        latest = self.latest
        return {
            "session": f"{self.session:%Y-%m-%d}",
            "through": f"{latest.row:%Y-%m-%d}",
            "score": self.score,
            "smoothed": round(latest.smoothed, 1),
            "raw": latest.raw,
            "plain_mean": latest.plain_mean,
            "band": latest.band,
            "change": self.change,
            "lower_share": latest.lower_share,
            "sentence": self.sentence,
            "freshness": list(self.freshness),
            "stale": self.stale,
            "record": list(self.record),
            "weighting": self.weighting,
            "components": [self._component(str(n)) for n in latest.components.index],
            "quality": _rows(self.quality.reset_index()),
            "falls": _rows(self.falls),
            "warnings": _rows(self.warnings),
            "notes": list(self.inputs.notes),
            "options": self.options,
            "page": None if self.page is None else str(self.page),
        }

    def _component(self, name: str) -> dict[str, Any]:
        row = row_of(self.latest.components, name)
        head = {"name": name, "title": titled(name), "shown": shown(name, row["value"])}
        return head | {column: _plain(value) for column, value in row.items()}


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows with dates as text; none for NaT."""
    return [{str(k): _plain(v) for k, v in row.items()} for row in table.to_dict("records")]


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return None if value is pd.NaT else value
