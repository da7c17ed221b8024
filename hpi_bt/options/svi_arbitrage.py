"""Butterfly arbitrage of a raw SVI smile: where it is, and the smile without it."""

from __future__ import annotations

import math
from typing import NamedTuple

from numba import njit

MARGIN = 1e-3  # of g that a refit keeps, so that its end is inside
CHECK = 401  # points of each grid on which arbitrage is looked for at the end
HALVINGS = 50


class Scales(NamedTuple):
    """Lowest and highest y of the quotes and one unit beyond, and the units of y and of w."""

    low: float
    high: float
    ys: float
    ws: float


class Shape(NamedTuple):
    """w = ws (a + p (h + x)/2 + q (h - x)/2), x = (y/ys - m)/s, h = sqrt(1 + x^2)."""

    m: float
    s: float
    a: float
    p: float
    q: float


@njit(cache=True, nogil=True)
def lack_of_density(shape: Shape, scales: Scales, points: int) -> tuple[float, float]:
    """Return the mean lack of Durrleman's g below MARGIN, and the least g, on three grids.

    They are [low, high], 3 s on both sides of m, and around the least variance. Below g = 0 the
    smile has butterfly arbitrage; -inf where it has no variance.
    """
    m, s, a, p, q = shape.m, shape.s, shape.a, shape.p, shape.q
    ys, ws = scales.ys, scales.ws
    lacking, least = 0.0, math.inf
    lowest = (q - p) / (2.0 * math.sqrt(max(p * q, 1e-8 * (p + q) ** 2 + 1e-300)))
    reach = 0.5 * math.sqrt(1.0 + lowest * lowest)  # around where the variance is least
    for grid in range(3):
        start, end = (scales.low - m) / s, (scales.high - m) / s
        if grid > 0:
            start = -3.0 if grid == 1 else lowest - reach
            end = 3.0 if grid == 1 else lowest + reach
        step = (end - start) / (points - 1)
        for i in range(points):
            x = start + i * step
            h = math.sqrt(1.0 + x * x)
            up = h + x if x > 0.0 else 1.0 / (h - x)
            w = ws * (a + 0.5 * p * up + 0.5 * q / up)
            slope = ws / (ys * s) * 0.5 * (p * (1.0 + x / h) - q * (1.0 - x / h))
            bend = ws / (ys * s) ** 2 * 0.5 * (p + q) / (h * h * h)
            g = -math.inf
            if w > 0.0:
                straight = 1.0 - ys * (m + s * x) * slope / (2.0 * w)
                g = straight * straight - 0.25 * slope * slope * (1.0 / w + 0.25) + 0.5 * bend
            lacking += max(MARGIN - g, 0.0)
            least = min(least, g)
    return lacking / points, least


def flattened(shape: Shape, means: tuple[float, float], scales: Scales) -> Shape:
    """Return the smile with its wings p and q shrunk just so far that no arbitrage is left.

    `means` are the weighted means of (h + x)/2 and (h - x)/2 over the quotes, whose mean
    variance is kept.
    """
    wings = shape.p * means[0] + shape.q * means[1]
    good, bad = 0.0, 1.0
    for _ in range(HALVINGS):
        share = 0.5 * (good + bad)
        if lack_of_density(_shrunk(shape, share, wings), scales, CHECK)[1] >= 0.5 * MARGIN:
            good = share
        else:
            bad = share
    return _shrunk(shape, good, wings)


def _shrunk(shape: Shape, share: float, wings: float) -> Shape:
    """Return the smile with `share` of its wings, and the mean variance that it had."""
    level = shape.a + (1.0 - share) * wings
    return shape._replace(a=level, p=share * shape.p, q=share * shape.q)
