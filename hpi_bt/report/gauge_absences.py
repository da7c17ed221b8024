"""Which components a gauge did without, in words."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from hpi_bt.report.gauge_words import counted, day, titled
from hpi_bt.stats.gauge_composition import Gap, left_out

_SPANS = 5  # of a component's absences that are listed, the last ones


def gap_lines(scores: pd.DataFrame) -> list[str]:
    """Return one line for each component that is left out of rows after its first score."""
    lines = []
    for name, gaps in left_out(scores).items():
        total = counted(sum(gap.sessions for gap in gaps), "session")
        spans = [_span(gap) for gap in gaps[-_SPANS:]]
        earlier = f", and {counted(len(gaps) - _SPANS, 'time')} before" if gaps[_SPANS:] else ""
        lines.append(f"{name}: left out on {total}: {', '.join(spans)}{earlier}")
    return lines


def _span(gap: Gap) -> str:
    if gap.last is None:
        return f"from {day(gap.first)} on"
    return day(gap.first) if gap.sessions == 1 else f"{day(gap.first)} to {day(gap.last)}"


def change_words(gained: Sequence[str], lost: Sequence[str]) -> str:
    """Return "with Put/call, without Yield curve"."""
    parts = [("with", gained), ("without", lost)]
    return ", ".join(f"{word} {', '.join(map(titled, names))}" for word, names in parts if names)
