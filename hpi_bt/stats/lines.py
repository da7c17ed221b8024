"""Which lines of a run are signals, which are measured against what followed (definitions 9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray


class Line(NamedTuple):
    """One studied line.

    Attributes
    ----------
    column : str
        Its column in the bars.
    label, name : str
        Of its indicator, and its own.
    texts : mapping of int to str
        What +1 and -1 are called; a side that a declaration leaves out never occurs.
    """

    column: str
    label: str
    name: str
    texts: Mapping[int, str]


def signals_of(panes: Sequence[Mapping[str, Any]], bars: pd.DataFrame) -> dict[str, Line]:
    """Return the signals by column: event lines, and drawn lines that are -1, 0 or 1 throughout.

    Parameters
    ----------
    panes : sequence of mapping
        panes.json; a line that says `study: false` is left out.
    bars : DataFrame of shape (n_bars, ...)
    """
    found = {}
    for pane in _studied(panes, bars):
        event = pane.get("kind", "line") == "event"
        if event or _is_sign(_values(bars, pane)):
            found[str(pane["column"])] = _line(pane, _texts(pane, event))
    return found


def measures_of(panes: Sequence[Mapping[str, Any]], bars: pd.DataFrame) -> dict[str, Line]:
    """Return the continuous lines by column: histograms, and lines with levels or a range.

    Lines on price, which follow it anyway, and plain ones (baselines, averages) are left out; a
    declaration may say `study: true` or `study: false` instead.
    """
    found = {}
    for pane in _studied(panes, bars):
        wanted = pane.get("study")
        if wanted is None:
            scaled = pane.get("kind") == "histogram" or pane.get("levels") or pane.get("range")
            wanted = bool(scaled) and pane.get("pane") != "price"
        if wanted and pane.get("kind", "line") != "event" and not _is_sign(_values(bars, pane)):
            found[str(pane["column"])] = _line(pane, {})
    return found


def _studied(panes: Sequence[Mapping[str, Any]], bars: pd.DataFrame) -> list[Mapping[str, Any]]:
    return [p for p in panes if str(p["column"]) in bars and p.get("study") is not False]


def _values(bars: pd.DataFrame, pane: Mapping[str, Any]) -> FloatArray:
    return np.asarray(bars[str(pane["column"])], dtype=np.float64)


def _is_sign(values: FloatArray) -> bool:
    """Return whether the known values are -1, 0 or 1, and some of them not 0."""
    known = values[np.isfinite(values)]
    return bool(known.any() and np.isin(known, (-1.0, 0.0, 1.0)).all())


def _line(pane: Mapping[str, Any], texts: Mapping[int, str]) -> Line:
    column = str(pane["column"])
    return Line(column, str(pane.get("label", "")), str(pane.get("line", column)), texts)


def _texts(pane: Mapping[str, Any], event: bool) -> dict[int, str]:
    given = {side: pane.get(word) for side, word in ((1, "up"), (-1, "down"))}
    if event and any(given.values()):
        return {side: str(text) for side, text in given.items() if text}
    name = pane.get("line", pane["column"])
    return {1: f"{name} up", -1: f"{name} down"}
