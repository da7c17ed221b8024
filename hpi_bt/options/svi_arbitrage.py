"""Butterfly arbitrage of a raw SVI smile: where it is, and the smile without it (compiled)."""

from __future__ import annotations

import math

from numba import njit

MARGIN = 1e-3  # of g that a refit keeps, so that its end is inside
CHECK = 401  # points of each grid on which arbitrage is looked for at the end


@njit(cache=True, nogil=True)
def durrleman(
    y: float, m: float, s: float, a: float, p: float, q: float, ys: float, ws: float
) -> float:
    """Return Durrleman's g at y; below 0 the smile has butterfly arbitrage.

    y, m, s are in units of `ys`, a, p, q in units of `ws` of total variance.
    """
    x = (y - m) / s
    h = math.sqrt(1.0 + x * x)
    up = h + x if x > 0.0 else 1.0 / (h - x)
    w = ws * (a + 0.5 * p * up + 0.5 * q / up)
    slope = ws / (ys * s) * 0.5 * (p * (1.0 + x / h) - q * (1.0 - x / h))
    bend = ws / (ys * s) ** 2 * 0.5 * (p + q) / (h * h * h)
    if w <= 0.0:
        return -math.inf
    straight = 1.0 - ys * y * slope / (2.0 * w)
    return straight * straight - 0.25 * slope * slope * (1.0 / w + 0.25) + 0.5 * bend


@njit(cache=True, nogil=True)
def lack_of_density(
    low: float,
    high: float,
    m: float,
    s: float,
    a: float,
    p: float,
    q: float,
    ys: float,
    ws: float,
    points: int,
) -> tuple[float, float]:
    """Return the mean lack of g below MARGIN, and the least g, on three grids.

    They are [low, high], 3 s on both sides of m, and around the least variance.
    """
    lacking, least = 0.0, math.inf
    x = (q - p) / (2.0 * math.sqrt(max(p * q, 1e-8 * (p + q) ** 2 + 1e-300)))
    lowest, reach = m + s * x, s * math.sqrt(1.0 + x * x)  # where the variance is least
    for i in range(points):
        share = i / (points - 1)
        g = durrleman(low + (high - low) * share, m, s, a, p, q, ys, ws)
        near = durrleman(m + s * 6.0 * (share - 0.5), m, s, a, p, q, ys, ws)
        least_w = durrleman(lowest + reach * (share - 0.5), m, s, a, p, q, ys, ws)
        lacking += max(MARGIN - g, 0.0) + max(MARGIN - near, 0.0) + max(MARGIN - least_w, 0.0)
        least = min(least, g, near, least_w)
    return lacking / points, least


@njit(cache=True, nogil=True)
def flattened(
    m: float,
    s: float,
    a: float,
    p: float,
    q: float,
    mean: tuple[float, float],
    scales: tuple[float, float, float, float, float],
) -> tuple[float, float, float]:
    """Return a, p, q with p and q shrunk just so far that no arbitrage is left."""
    low, high, ys, ws, _ = scales
    level = a + p * mean[0] + q * mean[1]  # weighted mean of the variance, kept
    good, bad = 0.0, 1.0
    for _ in range(50):
        share = 0.5 * (good + bad)
        tried = level - share * (p * mean[0] + q * mean[1])
        _, least = lack_of_density(low, high, m, s, tried, share * p, share * q, ys, ws, CHECK)
        if least >= 0.5 * MARGIN:
            good = share
        else:
            bad = share
    return level - good * (p * mean[0] + q * mean[1]), good * p, good * q
