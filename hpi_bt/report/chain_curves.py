"""Drawings of a chain over the price: the repriced impulse, and the kernel map below it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray
from hpi_bt.report.amounts import amount, away, level
from hpi_bt.report.chain_result import ChainReport
from hpi_bt.report.chain_words import zone_words
from hpi_bt.report.svg import Figure, Hover, Panel, Span, bounds, telling_ticks, ticks

WIDTH, LEFT, RIGHT = 1120, 70, 1102
_LETTER = 6.1  # pixels of one letter of a label
_ROWS = 4  # of labels above a drawing
_ROW = 15  # pixels


def impulse_figure(report: ChainReport) -> Figure:
    """Return the repriced impulse over price, with zones, crossings, basins, peaks and levels."""
    flow, spot = report.flow, report.chain.spot
    curve = flow.curve
    top, bottom = 24 + _ROWS * _ROW, 400
    known = np.where(np.isfinite(curve.impulse_usd), 1.0, np.nan)
    parts = [_usd(v, curve.price) * known for v in (curve.gamma_shares, curve.vanna_impulse_shares)]
    every = np.concatenate([curve.impulse_usd, *parts])
    panel = Panel(_price_span(curve.price), _y_span(every, bottom, top))
    panel.y_axis(ticks(panel.y.low, panel.y.high, 7), report.tick)
    panel.x_axis(ticks(curve.price[0], curve.price[-1], 9), level)
    for zone in flow.cloud.zones:
        words = f"{zone_words(zone)}: {level(zone.low)} to {level(zone.high)}"
        panel.band(f"zone {zone.kind}", zone.low, zone.high, words)
    for side in (1.0, -1.0):
        part = np.where(np.isnan(curve.impulse_usd), np.nan, side * curve.impulse_usd)
        kind = "stability" if side > 0.0 else "acceleration"
        panel.area(f"fill {kind}", curve.price, side * np.maximum(part, 0.0))
    panel.horizontal("zero", 0.0)
    panel.line("part gamma", curve.price, parts[0])
    panel.line("part vanna", curve.price, parts[1])
    panel.line("curve", curve.price, curve.impulse_usd)
    _marks(panel, report)
    _unknown(panel, curve.price, np.isnan(curve.impulse_usd))
    _levels(panel, _named_levels(report), top)
    hover = _impulse_hover(panel, report)
    label = (
        f"Hedge impulse over price from {level(curve.price[0])} to {level(curve.price[-1])}, "
        f"{report.money(curve.impulse * spot * spot * 0.01)} per 1 % at spot {level(spot)}"
    )
    return Figure("impulse", label, WIDTH, bottom + 26, panel.shapes, hover)


def kernel_figure(report: ChainReport) -> Figure:
    """Return the kernel map: today's exposure spread over the strikes, on the same prices."""
    curve = report.flow.kernel
    panel = Panel(_price_span(curve.price), _y_span(curve.impulse_shares, 170, 12))
    panel.y_axis(telling_ticks(panel.y, 3), lambda v: amount(v, trim=True))
    panel.x_axis(ticks(curve.price[0], curve.price[-1], 9), level)
    panel.horizontal("zero", 0.0)
    panel.area("fill map", curve.price, curve.impulse_shares)
    panel.line("curve map", curve.price, curve.impulse_shares)
    panel.vertical("spot", report.chain.spot)
    cells = zip(curve.price.tolist(), curve.impulse_shares.tolist(), strict=True)
    rows = [[level(p), away(p, curve.spot), amount(v)] for p, v in cells]
    heads = ["Price", "From spot", f"Shares per {report.currency}1, per strike"]
    hover = Hover(heads, _places(panel, curve.price), rows, len(rows) // 2, "price")
    label = "Kernel map of today's exposure over price"
    return Figure("kernel", label, WIDTH, 196, panel.shapes, hover)


def kernel_words(report: ChainReport) -> str:
    """Return how large the kernel map is beside the impulse."""
    flow = report.flow
    sizes = [
        np.max(np.abs(curve.impulse_shares), initial=0.0, where=np.isfinite(curve.impulse_shares))
        for curve in (flow.kernel, flow.curve)
    ]
    if not sizes[1] > 0.0:
        return ""
    return f"At its largest it is {100 * sizes[0] / sizes[1]:.2g} % of the largest impulse."


def _price_span(price: FloatArray) -> Span:
    return Span(float(price[0]), float(price[-1]), LEFT, RIGHT)


def _y_span(values: FloatArray, bottom: float, top: float) -> Span:
    return Span(*bounds(values), bottom, top)


def _usd(shares: FloatArray, price: FloatArray) -> FloatArray:
    """Return shares per unit of price as money per 1 %."""
    return np.asarray(shares * price * price * 0.01)


def _places(panel: Panel, values: FloatArray) -> list[float]:
    return [round(x, 1) for x in panel.x.place(values).tolist()]


def _unknown(panel: Panel, price: FloatArray, blank: BoolArray) -> None:
    """Say on the drawing where the impulse is not known, a vol falling to nothing there."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], blank, [False]))))
    for start, stop in edges.reshape(-1, 2).tolist():
        low, high = price[max(start - 1, 0)], price[min(stop, len(price) - 1)]
        panel.band("unknown", low, high, f"Not known from {level(low)} to {level(high)}")
        left, right = panel.x.at(low), panel.x.at(high)
        words = ["not known:", "a vol would", "fall to nothing"]
        if right - left < _LETTER * max(map(len, words)):
            words = ["?"]
        for row, text in enumerate(words):
            y = 0.5 * (panel.y.start + panel.y.end) + _ROW * (row - 0.5 * (len(words) - 1))
            panel.put("text", "name unknown", text, x=round(0.5 * (left + right), 1), y=round(y, 1))


def _marks(panel: Panel, report: ChainReport) -> None:
    """Mark crossings, basins and peaks on the curve."""
    curve = report.flow.curve
    for crossing in curve.crossings:
        turn = "rising" if crossing.rising else "falling"
        words = f"Impulse crosses 0, {turn} with price, at {level(crossing.price)}"
        at = {"cx": panel.x.at(crossing.price), "cy": panel.y.at(0.0)}
        panel.put("circle", "crossing", words, r=4, **at)
    for kind, extremes, tip in (("basin", curve.basins, -7), ("peak", curve.peaks, 7)):
        for extreme in extremes:
            x = panel.x.at(extreme.price)
            y = panel.y.at(float(curve.impulse_usd[extreme.at])) + tip
            words = f"{kind.capitalize()} at {level(extreme.price)}"
            data = f"M{x - 5:.1f},{y + tip:.1f}h10l-5,{-tip}Z"
            panel.put("path", f"mark {kind}", words, d=data)


def _named_levels(report: ChainReport) -> list[tuple[str, str, float]]:
    """Return class, name and price of the levels within the drawing; equal prices share a name."""
    levels = report.levels
    named = [
        ("spot", "Spot", report.chain.spot),
        ("zero-gamma", "Zero gamma", levels.zero_gamma),
        ("call-wall", "Call wall", levels.call_wall),
        ("put-wall", "Put wall", levels.put_wall),
        ("max-pain", "Max pain", levels.max_pain),
    ]
    low, high = report.flow.curve.price[[0, -1]]
    at: dict[float, list[tuple[str, str]]] = {}
    for cls, name, price in named:
        if math.isfinite(price) and low <= price <= high:
            at.setdefault(price, []).append((cls, name))
    return [
        (same[0][0], ", ".join([same[0][1], *(name.lower() for _, name in same[1:])]), price)
        for price, same in sorted(at.items())
    ]


def _levels(panel: Panel, named: Sequence[tuple[str, str, float]], top: float) -> None:
    """Draw levels as lines with labels above, in as many rows as keep them apart."""
    ends, texts = [-math.inf] * _ROWS, []
    for cls, name, price in named:
        text = f"{name} {level(price)}"
        at, half = panel.x.at(price), 0.5 * _LETTER * len(text)
        middle = min(max(at, LEFT + half), RIGHT - half)
        row = next((r for r in range(_ROWS) if ends[r] < middle - half), _ROWS - 1)
        ends[row] = middle + half + 8
        height = top - 10 - row * _ROW
        panel.put("line", f"level {cls}", x1=at, x2=at, y1=panel.y.start, y2=height + 4)
        texts.append((cls, text, round(middle, 1), height))
    for cls, text, x, y in texts:  # after all lines, which they cover
        panel.put("text", f"name {cls}", text, x=x, y=y)


def _impulse_hover(panel: Panel, report: ChainReport) -> Hover:
    """Return what is read off the impulse at each price."""
    curve, hedge = report.flow.curve, report.flow.cloud.hedge
    heads = ["Price", "From spot", "Impulse per 1 %", "of gamma", "of vol"]
    heads.append(f"Shares per {report.currency}1")
    columns = [
        [level(p) for p in curve.price.tolist()],
        [away(p, curve.spot) for p in curve.price.tolist()],
        [report.money(v) for v in curve.impulse_usd.tolist()],
        [report.money(v) for v in _usd(curve.gamma_shares, curve.price).tolist()],
        [report.money(v) for v in _usd(curve.vanna_impulse_shares, curve.price).tolist()],
        [amount(v) for v in curve.impulse_shares.tolist()],
    ]
    for name in future_columns(hedge):
        heads.append(f"Dealers for +1 point of {name.removesuffix('_per_point')}")
        columns.append([amount(v) for v in hedge[name].tolist()] if hedge is not None else [])
    rows = [list(row) for row in zip(*columns, strict=True)]
    return Hover(heads, _places(panel, curve.price), rows, len(rows) // 2, "price")


def future_columns(hedge: pd.DataFrame | None) -> list[str]:
    """Return the columns of contracts per point of a future, the small ones left out."""
    names = [] if hedge is None else [n for n in hedge.columns if n.endswith("_per_point")]
    large = [n for n in names if not n.startswith("M")]
    return large or names
