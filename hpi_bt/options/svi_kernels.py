"""The compiled loops of the SVI fit: inner least squares and outer search."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numba import njit

from hpi_bt.arrays import FloatArray
from hpi_bt.options.svi_arbitrage import CHECK, flattened, lack_of_density

#: Lowest and highest y, the units of y and of w, and the points at which a refit looks for
#: arbitrage (0 in the free fit).
Scales: TypeAlias = tuple[float, float, float, float, float]

WIDEST, NARROWEST = math.log(50.0), math.log(0.1)  # ln of sigma over the quotes' own width
#: Points of each grid on which the two refits look for butterfly arbitrage.
COARSE, FINE = 31.0, 121.0
PENALTY = 1e3  # of arbitrage in the refit, per unit of mean negative density
PASSES, SEARCHES = 300, 2


@njit(cache=True, nogil=True)
def _edge(top: float, aa: float, ab: float, ay: float, fixed: float) -> float:
    """Return the best of one coefficient in [0, top] while the other is fixed."""
    if aa <= 0.0:
        return 0.0
    return min(max((ay - ab * fixed) / aa, 0.0), top)


@njit(cache=True, nogil=True)
def _boxed(
    top: float, pp: float, pq: float, qq: float, py: float, qy: float
) -> tuple[float, float]:
    """Return (p, q) in [0, top]^2 that minimise the quadratic of these moments."""
    determinant = pp * qq - pq * pq
    if determinant > 1e-13 * pp * qq:
        p = (py * qq - qy * pq) / determinant
        q = (qy * pp - py * pq) / determinant
        if 0.0 <= p <= top and 0.0 <= q <= top:
            return p, q
    best, at_p, at_q = math.inf, 0.0, 0.0
    for side in range(4):
        fixed = 0.0 if side < 2 else top
        if side % 2 == 0:
            p, q = fixed, _edge(top, qq, pq, qy, fixed)
        else:
            p, q = _edge(top, pp, pq, py, fixed), fixed
        cost = p * (0.5 * pp * p + pq * q - py) + q * (0.5 * qq * q - qy)
        if cost < best:
            best, at_p, at_q = cost, p, q
    return at_p, at_q


@njit(cache=True, nogil=True)
def _inner(
    y: FloatArray,
    w: FloatArray,
    weight: FloatArray,
    scratch: tuple[FloatArray, FloatArray],
    m: float,
    s: float,
    lee: float,
) -> tuple[float, float, float, float]:
    """Return the cost and the best a, p, q of w = a + p (h + x)/2 + q (h - x)/2.

    x = (y - m)/s, h = sqrt(1 + x^2). Wings that neither fall outwards nor rise faster than
    Lee's bound are p and q between 0 and `lee` s; a keeps the smallest variance above 0.
    `scratch` holds two arrays of the quotes' length.
    """
    up, down = scratch
    sw = sp = sq = sy = 0.0
    for i in range(y.size):
        x = (y[i] - m) / s
        h = math.sqrt(1.0 + x * x)
        up[i] = 0.5 * (h + x) if x > 0.0 else 0.5 / (h - x)
        down[i] = 0.25 / up[i]
        sw += weight[i]
        sp += weight[i] * up[i]
        sq += weight[i] * down[i]
        sy += weight[i] * w[i]
    mp, mq, my = sp / sw, sq / sw, sy / sw
    pp = pq = qq = py = qy = 0.0
    for i in range(y.size):
        dp, dq, dy = up[i] - mp, down[i] - mq, w[i] - my
        pp += weight[i] * dp * dp
        pq += weight[i] * dp * dq
        qq += weight[i] * dq * dq
        py += weight[i] * dp * dy
        qy += weight[i] * dq * dy
    p, q = _boxed(lee * s, pp, pq, qq, py, qy)
    a = max(my - p * mp - q * mq, 1e-3 * my - math.sqrt(p * q))
    off = my - p * mp - q * mq - a
    cost = 0.0
    for i in range(y.size):
        r = w[i] - my - p * (up[i] - mp) - q * (down[i] - mq) + off
        cost += weight[i] * r * r
    return cost / sw, a, p, q


@njit(cache=True, nogil=True)
def _cost(
    m: float,
    t: float,
    y: FloatArray,
    w: FloatArray,
    weight: FloatArray,
    scratch: tuple[FloatArray, FloatArray],
    scales: Scales,
) -> float:
    """Return the cost of the best smile at (m, s = e^t), arbitrage added where points are given."""
    low, high, ys, ws, points = scales
    kept_m, kept_t = min(max(m, low), high), min(max(t, NARROWEST), WIDEST)
    outside = abs(m - kept_m) + abs(t - kept_t)
    s = math.exp(kept_t)
    cost, a, p, q = _inner(y, w, weight, scratch, kept_m, s, 2.0 * ys / ws)
    if points > 0.0:
        lacking, _ = lack_of_density(low, high, kept_m, s, a, p, q, ys, ws, int(points))
        cost += PENALTY * lacking * (lacking + 1e-3)
    return cost * (1.0 + outside) + 1e-12 * outside


@njit(cache=True, nogil=True)
def _search(
    m: float,
    t: float,
    y: FloatArray,
    w: FloatArray,
    weight: FloatArray,
    scratch: tuple[FloatArray, FloatArray],
    scales: Scales,
) -> tuple[float, float, float]:
    """Return the minimum of `_cost` near (m, t) and its place, by the Nelder-Mead simplex."""
    at = np.array([[m, t], [m + 0.25, t], [m, t + 0.35]])
    f = np.empty(3)
    for i in range(3):
        f[i] = _cost(at[i, 0], at[i, 1], y, w, weight, scratch, scales)
    for _ in range(PASSES):
        order = np.argsort(f)
        at, f = at[order], f[order]
        size = np.abs(at[1:] - at[0]).max()
        if f[0] < 1e-26 or size < 1e-9 or (f[2] - f[0] <= 1e-8 * f[0] and size < 1e-2):
            break
        centre = 0.5 * (at[0] + at[1])
        step = centre - at[2]
        mirrored = centre + step
        new = _cost(mirrored[0], mirrored[1], y, w, weight, scratch, scales)
        if new < f[0]:
            farther = centre + 2.0 * step
            more = _cost(farther[0], farther[1], y, w, weight, scratch, scales)
            if more < new:
                mirrored, new = farther, more
        elif new >= f[1]:
            nearer = centre + (0.5 if new < f[2] else -0.5) * step
            less = _cost(nearer[0], nearer[1], y, w, weight, scratch, scales)
            if less >= min(new, f[2]):
                for i in range(1, 3):
                    at[i] = at[0] + 0.5 * (at[i] - at[0])
                    f[i] = _cost(at[i, 0], at[i, 1], y, w, weight, scratch, scales)
                continue
            mirrored, new = nearer, less
        at[2], f[2] = mirrored, new
    best = np.argmin(f)
    return f[best], at[best, 0], at[best, 1]


@njit(cache=True, nogil=True)
def _best_start(
    y: FloatArray,
    w: FloatArray,
    weight: FloatArray,
    scratch: tuple[FloatArray, FloatArray],
    scales: Scales,
) -> tuple[float, float]:
    """Return the best (m, ln s) of a coarse grid."""
    best, at_m, at_t = math.inf, 0.0, 0.0
    for m in (-1.5, -0.7, -0.2, 0.0, 0.2, 0.7, 1.5):
        for t in (-1.6, -0.4, 0.7, 1.8):
            cost = _cost(m, t, y, w, weight, scratch, scales)
            if cost < best:
                best, at_m, at_t = cost, m, t
    return at_m, at_t


@njit(cache=True, nogil=True)
def fit_svi_loop(
    y: FloatArray, w: FloatArray, weight: FloatArray
) -> tuple[float, float, float, float, float, float, int]:
    """Return raw SVI (a, b, rho, m, sigma) of total variance, the least g and the stage.

    y, w, weight have shape (n_quotes,), n_quotes at least 5. Stage 0: the free fit has no
    butterfly arbitrage; 1: refitted with a penalty; 2: flattened on top of that.
    """
    total = weight.sum()
    ws = (weight * w).sum() / total
    centre = (weight * y).sum() / total
    ys = math.sqrt((weight * (y - centre) ** 2).sum() / total)
    if not ys > 0.0:
        ys = max(np.abs(y).max(), 1e-12)
    z, v = y / ys, w / ws
    scratch = (np.empty(y.size), np.empty(y.size))
    scales = (z.min() - 1.0, z.max() + 1.0, ys, ws, 0.0)
    m, t = _best_start(z, v, weight, scratch, scales)
    for _ in range(SEARCHES):
        _, m, t = _search(m, t, z, v, weight, scratch, scales)
    stage = 0
    least = -math.inf
    a = p = q = 0.0
    s = 1.0
    for points in (0.0, COARSE, FINE):
        if points > 0.0:
            scales = (scales[0], scales[1], ys, ws, points)
            stage = 1
            if points == FINE:  # the free fit's corner holds no smile without arbitrage
                m, t = _best_start(z, v, weight, scratch, scales)
            _, m, t = _search(m, t, z, v, weight, scratch, scales)
        m = min(max(m, scales[0]), scales[1])
        s = math.exp(min(max(t, NARROWEST), WIDEST))
        _, a, p, q = _inner(z, v, weight, scratch, m, s, 2.0 * ys / ws)
        _, least = lack_of_density(scales[0], scales[1], m, s, a, p, q, ys, ws, CHECK)
        if least >= 0.0:
            break
    if least < 0.0:
        stage = 2
        x = (z - m) / s
        up = 0.5 * (np.sqrt(1.0 + x * x) + x)
        mean = ((weight * up).sum() / total, (weight * (up - x)).sum() / total)
        a, p, q = flattened(m, s, a, p, q, mean, scales)
        _, least = lack_of_density(scales[0], scales[1], m, s, a, p, q, ys, ws, CHECK)
    half = 0.5 * (p + q)
    rho = 0.5 * (p - q) / half if half > 0.0 else 0.0
    return ws * a, ws * half / (ys * s), rho, ys * m, ys * s, least, stage
