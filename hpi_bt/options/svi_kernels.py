"""The compiled loops of the SVI fit: inner least squares and outer search."""

from __future__ import annotations

import math

import numpy as np

from hpi_bt.arrays import FloatArray
from hpi_bt.kernels.compiler import njit
from hpi_bt.options.svi_arbitrage import Scales, Shape, lack_of_density

WIDEST, NARROWEST = math.log(50.0), math.log(0.1)  # ln of sigma over the quotes' own width
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
def least_squares(
    y: FloatArray,
    w: FloatArray,
    weight: FloatArray,
    scratch: FloatArray,
    m: float,
    s: float,
    lee: float,
) -> tuple[float, float, float, float]:
    """Return the mean squared error and the best a, p, q of w = a + p (h + x)/2 + q (h - x)/2.

    x = (y - m)/s, h = sqrt(1 + x^2). Wings that neither fall outwards nor rise faster than
    Lee's bound are p and q between 0 and `lee` s; a keeps the smallest variance above 0.
    y, w and weight have shape (n_quotes,), `scratch` (2, n_quotes).
    """
    up, down = scratch[0], scratch[1]
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
    scratch: FloatArray,
    scales: Scales,
    points: int,
) -> float:
    """Return the cost of the best smile at (m, s = e^t), arbitrage added where points are given."""
    kept_m = min(max(m, scales.low), scales.high)
    kept_t = min(max(t, NARROWEST), WIDEST)
    outside = abs(m - kept_m) + abs(t - kept_t)
    s = math.exp(kept_t)
    lee = 2.0 * scales.ys / scales.ws
    cost, a, p, q = least_squares(y, w, weight, scratch, kept_m, s, lee)
    if points > 0:
        lacking, _ = lack_of_density(Shape(kept_m, s, a, p, q), scales, points)
        cost += PENALTY * lacking * (lacking + 1e-3)
    return cost * (1.0 + outside) + 1e-12 * outside


@njit(cache=True, nogil=True)
def _rank(at: FloatArray, f: FloatArray) -> float:
    """Sort the corners of a simplex, `at` of shape (3, 2), by their costs `f`; return its size."""
    for turn in range(3):
        i = turn % 2
        if f[i + 1] < f[i]:
            f[i], f[i + 1] = f[i + 1], f[i]
            for side in range(2):
                at[i, side], at[i + 1, side] = at[i + 1, side], at[i, side]
    size = 0.0
    for i in range(1, 3):
        size = max(size, abs(at[i, 0] - at[0, 0]), abs(at[i, 1] - at[0, 1]))
    return size


@njit(cache=True, nogil=True)
def _search(
    at: FloatArray,
    y: FloatArray,
    w: FloatArray,
    weight: FloatArray,
    scratch: FloatArray,
    scales: Scales,
    points: int,
) -> None:
    """Move the simplex `at`, three places (m, t), to a minimum of `_cost`: Nelder and Mead.

    The best place comes first at the end. Written so that the cost is asked at two places of
    the code alone: each of them is compiled with all that it needs.
    """
    f = np.empty(3)
    stale = 0  # corners from here on have no cost yet
    for _ in range(PASSES):
        for i in range(stale, 3):
            f[i] = _cost(at[i, 0], at[i, 1], y, w, weight, scratch, scales, points)
        stale = 3
        size = _rank(at, f)
        if f[0] < 1e-26 or size < 1e-9 or (f[2] - f[0] <= 1e-8 * f[0] and size < 1e-2):
            break
        centre_m, centre_t = 0.5 * (at[0, 0] + at[1, 0]), 0.5 * (at[0, 1] + at[1, 1])
        step_m, step_t = centre_m - at[2, 0], centre_t - at[2, 1]
        kept, new, factor = 1.0, math.inf, 1.0  # mirrored, then farther or nearer
        for trial in range(2):
            value = _cost(
                centre_m + factor * step_m, centre_t + factor * step_t,
                y, w, weight, scratch, scales, points,
            )  # fmt: skip
            if trial == 0:
                new = value
                if f[0] <= value < f[1]:
                    break
                factor = 2.0 if value < f[0] else 0.5 if value < f[2] else -0.5
            elif value < min(new, f[2]):
                kept, new = factor, value
            elif factor < 1.0:
                kept = 0.0
        if kept == 0.0:
            for i in range(1, 3):
                for side in range(2):
                    at[i, side] = at[0, side] + 0.5 * (at[i, side] - at[0, side])
            stale = 1
        else:
            at[2, 0], at[2, 1], f[2] = centre_m + kept * step_m, centre_t + kept * step_t, new
    _rank(at, f)


@njit(cache=True, nogil=True)
def minimum(
    starts: FloatArray,
    y: FloatArray,
    w: FloatArray,
    weight: FloatArray,
    scratch: FloatArray,
    scales: Scales,
    points: int,
) -> tuple[float, float]:
    """Return the place (m, t = ln s) of the best smile, sought from the best of `starts`.

    `starts` has shape (n_starts, 2); y, w in the units of `scales`. With `points` above 0,
    butterfly arbitrage on grids of so many points is penalised.
    """
    best, m, t = math.inf, 0.0, 0.0
    for i in range(starts.shape[0]):
        cost = _cost(starts[i, 0], starts[i, 1], y, w, weight, scratch, scales, points)
        if cost < best:
            best, m, t = cost, starts[i, 0], starts[i, 1]
    at = np.empty((3, 2))
    for _ in range(SEARCHES):
        for i in range(3):
            at[i, 0] = m + 0.25 if i == 1 else m
            at[i, 1] = t + 0.35 if i == 2 else t
        _search(at, y, w, weight, scratch, scales, points)
        m, t = at[0, 0], at[0, 1]
    return min(max(m, scales.low), scales.high), min(max(t, NARROWEST), WIDEST)
