"""Drawings for pages: scales, ticks and shapes that a template writes as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hpi_bt.arrays import FloatArray

Label = Callable[[float], str]


class Shape(NamedTuple):
    """One SVG element: its tag, attributes and text; the template escapes all three."""

    tag: str
    attrs: dict[str, str | float]
    text: str = ""


class Hover(NamedTuple):
    """What is read off a drawing: at each place `x` (pixels, ascending) one row of texts.

    `start` is the row shown while nothing is pointed at; drawings of one `group` share rows.
    """

    heads: Sequence[str]
    x: Sequence[float]
    rows: Sequence[Sequence[str]]
    start: int = 0
    group: str = ""


@dataclass(frozen=True)
class Figure:
    """A drawing: name, what it shows in words, size in pixels, shapes and what can be read off."""

    key: str
    label: str
    width: int
    height: int
    shapes: Sequence[Shape]
    hover: Hover | None = None


class Span(NamedTuple):
    """Values from `low` to `high` on pixels from `start` to `end`; `log` spaces them by ratio."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def place(self, values: npt.ArrayLike) -> FloatArray:
        """Return pixels, of the shape of `values`; NaN stays NaN."""
        low, high = (math.log(v) if self.log else v for v in self[:2])
        given = np.asarray(values, dtype=np.float64)
        share = ((np.log(given) if self.log else given) - low) / (high - low)
        return np.asarray(self.start + share * (self.end - self.start))

    def at(self, value: float) -> float:
        """Return one pixel, rounded for writing."""
        return round(float(self.place(value)), 1)


def bounds(values: npt.ArrayLike, *, pad: float = 0.06, zero: bool = True) -> tuple[float, float]:
    """Return a lowest and a highest value around the finite ones, apart from each other.

    `pad` is the room on either side as a share of the range; `zero` also takes in 0.
    """
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    ends = [*([known.min(), known.max()] if len(known) else []), *([0.0] if zero else [])] or [0.0]
    low, high = float(min(ends)), float(max(ends))
    room = pad * (high - low) or 0.05 * abs(high) or 1.0
    return (low if zero and low == 0.0 < high else low - room), (
        high if zero and high == 0.0 > low else high + room
    )


def ticks(low: float, high: float, count: int) -> FloatArray:
    """Return about `count` round values (steps of 1, 2, 2.5 or 5) from `low` to `high`."""
    rough = (high - low) / max(count, 1)
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(s for s in (1.0, 2.0, 2.5, 5.0, 10.0) if s * unit >= rough * (1.0 - 1e-9)) * unit
    steps = np.arange(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return np.asarray(step * steps, dtype=np.float64)


def telling_ticks(span: Span, count: int) -> FloatArray:
    """Return about `count` round values on an axis, more where else 0 alone would be told."""
    for several in range(count, count + 8):
        found = ticks(span.low, span.high, several)
        if np.any(found != 0.0):
            break
    return found


def log_ticks(low: float, high: float) -> FloatArray:
    """Return 1, 2 and 5 times the powers of 10 between two positive values."""
    powers = 10.0 ** np.arange(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = np.outer(powers, (1.0, 2.0, 5.0)).ravel()
    return np.asarray(every[(every >= low * (1 - 1e-9)) & (every <= high * (1 + 1e-9))])


def path(x: FloatArray, y: FloatArray, *, base: float | None = None) -> str:
    """Return SVG path data of a line through pixels, broken where either is NaN.

    With `base` each piece is closed down to that pixel, as an area.
    """
    known = np.isfinite(x) & np.isfinite(y)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], known, [False]))))
    pieces = []
    for start, stop in edges.reshape(-1, 2):
        points = [f"{a:.1f},{b:.1f}" for a, b in zip(x[start:stop], y[start:stop], strict=True)]
        if base is not None:
            points = [f"{x[start]:.1f},{base:.1f}", *points, f"{x[stop - 1]:.1f},{base:.1f}"]
        pieces.append("M" + "L".join(points) + ("Z" if base is not None else ""))
    return "".join(pieces)


@dataclass
class Panel:
    """A rectangle with two axes that shapes are put into.

    Parameters
    ----------
    x, y : Span
        y runs upward: its `start` is the lower edge.
    shapes : list of Shape
        What was drawn, in order.
    """

    x: Span
    y: Span
    shapes: list[Shape] = field(default_factory=list)

    def put(self, tag: str, cls: str, text: str = "", **attrs: str | float) -> None:
        """Add one element; `_` in the name of an attribute stands for "-"."""
        named = {name.replace("_", "-"): value for name, value in attrs.items()}
        self.shapes.append(Shape(tag, {"class": cls, **named}, text))

    def line(self, cls: str, x: npt.ArrayLike, y: npt.ArrayLike) -> None:
        """Add a line through values; gaps stay gaps."""
        self.put("path", cls, d=path(self.x.place(x), self.y.place(y)))

    def area(self, cls: str, x: npt.ArrayLike, y: npt.ArrayLike, base: float = 0.0) -> None:
        """Add the area between values and `base`."""
        self.put("path", cls, d=path(self.x.place(x), self.y.place(y), base=self.y.at(base)))

    def bars(
        self, cls: str, x: FloatArray, low: FloatArray, high: FloatArray, width: float | FloatArray
    ) -> None:
        """Add bars of `width` pixels around x, from `low` to `high`, as one element."""
        places = (self.x.place(x), self.y.place(low), self.y.place(high))
        each = np.stack([*places, np.broadcast_to(width, x.shape)], axis=1)
        drawn = np.isfinite(each).all(axis=1) & (low != high)
        data = "".join(
            f"M{at - w / 2:.1f},{first:.1f}h{w:.1f}V{last:.1f}h{-w:.1f}Z"
            for at, first, last, w in each[drawn].tolist()
        )
        self.put("path", cls, d=data)

    def vertical(self, cls: str, value: float) -> None:
        """Add a line from bottom to top."""
        at = self.x.at(value)
        self.put("line", cls, x1=at, x2=at, y1=self.y.start, y2=self.y.end)

    def horizontal(self, cls: str, value: float) -> None:
        """Add a line from left to right."""
        at = self.y.at(value)
        self.put("line", cls, x1=self.x.start, x2=self.x.end, y1=at, y2=at)

    def band(self, cls: str, low: float, high: float, text: str = "") -> None:
        """Add a stretch of x from bottom to top, cut at the edges; `text` is its title."""
        left, right = (min(max(self.x.at(v), self.x.start), self.x.end) for v in (low, high))
        height = round(self.y.start - self.y.end, 1)
        size: dict[str, str | float] = {"width": round(right - left, 1), "height": height}
        self.put("rect", cls, text, x=left, y=self.y.end, **size)

    def y_axis(self, values: npt.ArrayLike, label: Label) -> None:
        """Add lines across at these values, labelled at the left."""
        for value in np.asarray(values, dtype=np.float64).tolist():
            self.horizontal("grid", value)
            where = self.y.at(value) + 3.5
            self.put("text", "tick end", label(value), x=self.x.start - 7, y=round(where, 1))

    def x_axis(self, values: npt.ArrayLike, label: Label, *, lines: bool = True) -> None:
        """Add labels under the panel, and lines up from them."""
        for value in np.asarray(values, dtype=np.float64).tolist():
            if lines:
                self.vertical("grid", value)
            self.put("text", "tick mid", label(value), x=self.x.at(value), y=self.y.start + 16)
