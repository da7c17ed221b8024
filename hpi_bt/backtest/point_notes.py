"""What a reader must know of points without figures: those that raised, those that were ruined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hpi_bt.arrays import BoolArray
from hpi_bt.backtest.points import Point
from hpi_bt.backtest.sweep import METRICS, Outcomes
from hpi_bt.errors import Note, Severity, shortened

_NAMED = 5  # points with errors that a note names


def ruined(outcomes: Outcomes) -> BoolArray:
    """Return which points ruined the account, shape (n_points,)."""
    lost: BoolArray = outcomes.figures[:, METRICS.index("max_drawdown")] <= -1.0
    return lost


def failed_notes(points: Sequence[Point], errors: Mapping[int, str]) -> list[Note]:
    """Return a warning that names the points that raised, with what their errors say."""
    if not errors:
        return []
    few = _some_points(
        [f"{_words(points[i])} ({shortened(text, 120)})" for i, text in sorted(errors.items())]
    )
    text = f"{len(errors)} of {len(points)} points raised an error and have no figures: {few}"
    return [Note(Severity.WARNING, "failed-points", text)]


def ruin_notes(points: Sequence[Point], ruined: BoolArray) -> list[Note]:
    """Return a warning that names the points that ruined the account; (n_points,)."""
    if not ruined.any():
        return []
    few = _some_points([_words(points[i]) for i in np.flatnonzero(ruined).tolist()])
    text = (
        f"{int(ruined.sum())} of {len(points)} points ruined the account, stand last, and their "
        f"returns are of what was left when it was closed out: {few}"
    )
    return [Note(Severity.WARNING, "ruined-points", text)]


def _words(point: Point) -> str:
    return ", ".join(f"{name} {value}" for name, value in point.items())


def _some_points(named: list[str]) -> str:
    return "; ".join(named[:_NAMED]) + ("; ..." if len(named) > _NAMED else "")
