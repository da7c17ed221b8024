"""The dial, sparklines and whiskers of the gauge's page, as shapes of inline SVG."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.gauge import BANDS
from hpi_bt.report.svg import Figure, Panel, Shape, Span, bounds

_CENTRE, _RADIUS, _THICK = (170.0, 168.0), 138.0, 22.0
_GAP = 0.35  # points left free between two bands


def _on_arc(value: float, radius: float) -> str:
    angle = math.pi * (1.0 - value / 100.0)
    x, y = _CENTRE[0] + radius * math.cos(angle), _CENTRE[1] - radius * math.sin(angle)
    return f"{x:.1f} {y:.1f}"


def _sector(low: float, high: float) -> str:
    outer, inner = _RADIUS + _THICK / 2.0, _RADIUS - _THICK / 2.0
    return (
        f"M{_on_arc(low, outer)}A{outer:g} {outer:g} 0 0 1 {_on_arc(high, outer)}"
        f"L{_on_arc(high, inner)}A{inner:g} {inner:g} 0 0 0 {_on_arc(low, inner)}Z"
    )


def dial(score: float, smoothed: float, before: float, band: str) -> Figure:
    """Return the dial: four bands, a hand at `smoothed`, a tick where it was (NaN: none)."""
    shapes, edges = [], [*(edge for _, edge in BANDS), 100]
    for (name, low), high in zip(BANDS, edges[1:], strict=True):
        cls = f"band {name}" + (" now" if name == band else "")
        ends = low + (_GAP if low else 0.0), high - (_GAP if high < 100 else 0.0)
        shapes.append(Shape("path", {"class": cls, "d": _sector(*ends)}, f"{name} from {low}"))
    for edge in edges:
        x, y = _on_arc(edge, _RADIUS + _THICK / 2.0 + 11.0).split()
        shapes.append(Shape("text", {"class": "tick mid", "x": x, "y": float(y) + 3.5}, str(edge)))
    if math.isfinite(before):
        line = f"M{_on_arc(before, _RADIUS - 15.0)}L{_on_arc(before, _RADIUS + 15.0)}"
        shapes.append(
            Shape("path", {"class": "before", "d": line}, f"five sessions ago {before:g}")
        )
    outer, inner = _RADIUS + _THICK / 2.0 + 3.0, _RADIUS - _THICK / 2.0 - 3.0
    line = f"M{_on_arc(smoothed, outer)}L{_on_arc(smoothed, inner)}"
    shapes.append(Shape("path", {"class": "hand", "d": line}))
    wings = [_on_arc(smoothed + side, inner - 17.0) for side in (-1.9, 1.9)]
    arrow = f"M{_on_arc(smoothed, inner - 1.0)}L{wings[0]}L{wings[1]}Z"
    shapes.append(Shape("path", {"class": "needle", "d": arrow}, f"now {smoothed:.1f}"))
    middle = {"x": _CENTRE[0]}
    shapes.append(Shape("text", {"class": "score mid", "y": 150.0, **middle}, f"{score:.0f}"))
    shapes.append(Shape("text", {"class": f"band-name mid {band}", "y": 176.0, **middle}, band))
    label = f"Gauge at {score:.0f} of 100, band {band}"
    return Figure("dial", label, 340, 188, shapes)


def sparkline(values: pd.Series, title: str) -> Figure:
    """Return the course of a component over its last sessions, oldest left, last value dotted."""
    y = values.to_numpy(dtype=np.float64)
    x = np.arange(len(y), dtype=np.float64)
    low, high = bounds(y, zero=False)
    panel = Panel(Span(0.0, max(len(y) - 1.0, 1.0), 2.0, 336.0), Span(low, high, 46.0, 4.0))
    panel.area("under", x, y, base=low)
    panel.line("course", x, y)
    known = np.flatnonzero(np.isfinite(y))
    if len(known):
        last = int(known[-1])
        panel.put("circle", "last", cx=panel.x.at(last), cy=panel.y.at(y[last]), r=3)
    return Figure("spark", f"{title} over the last {len(y)} sessions", 340, 48, panel.shapes)


class Scale(NamedTuple):
    """Values of a column of whiskers, on 120 pixels, with a line at `reference`."""

    low: float
    high: float
    reference: float

    def place(self, value: float) -> float:
        """Return pixels from the left."""
        return round(4.0 + 112.0 * (value - self.low) / (self.high - self.low), 1)


def scale_of(values: FloatArray, reference: float) -> Scale:
    """Return a scale that holds every finite value and the reference."""
    known = np.append(values[np.isfinite(values)], reference)
    known = known[np.isfinite(known)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    return Scale(low, high if high > low else low + 1.0, reference)


def whisker(value: float, low: float, high: float, scale: Scale) -> Figure | None:
    """Return an estimate with its interval; None where there is no estimate."""
    if not math.isfinite(value):
        return None
    shapes = []
    if math.isfinite(scale.reference):
        at = scale.place(scale.reference)
        shapes.append(Shape("line", {"class": "reference", "x1": at, "x2": at, "y1": 1, "y2": 13}))
    if math.isfinite(low) and math.isfinite(high):
        ends = {"x1": scale.place(low), "x2": scale.place(high), "y1": 7, "y2": 7}
        shapes.append(Shape("line", {"class": "interval", **ends}))
    shapes.append(Shape("circle", {"class": "estimate", "cx": scale.place(value), "cy": 7, "r": 3}))
    return Figure("whisker", "", 120, 14, shapes)
