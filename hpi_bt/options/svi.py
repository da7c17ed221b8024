"""Raw SVI: five numbers that describe a smile's total variance, fitted free of arbitrage."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hpi_bt.arrays import BoolArray, FloatArray
from hpi_bt.options.svi_arbitrage import CHECK, Scales, Shape, flattened, lack_of_density
from hpi_bt.options.svi_kernels import least_squares, minimum

OUTLYING = 10.0  # robust scales from the fit beyond which a quote is taken for a bad one
LEAST_FOR_OUTLIERS = 8  # quotes
COARSE, FINE = 31, 121  # points of each grid on which the two refits look for arbitrage
DEAR = 0.005  # of the vol: what a smile without arbitrage may miss the quotes by more, at most
WINGS = 3.0  # standard deviations from the money beyond which arbitrage may be left

#: Coarse grid of (m, ln sigma), in units of the quotes' own width, from which searches start.
STARTS = np.array(
    [(m, t) for m in (-1.5, -0.7, -0.2, 0.0, 0.2, 0.7, 1.5) for t in (-1.6, -0.4, 0.7, 1.8)]
)


class RawSvi(NamedTuple):
    """Total variance w(y) = a + b (rho (y - m) + sqrt((y - m)^2 + sigma^2)), y = ln(K/F)."""

    a: float
    b: float
    rho: float
    m: float
    sigma: float

    def total_variance(self, y: npt.ArrayLike) -> FloatArray:
        """Return w at y."""
        x = np.asarray(y, dtype=np.float64) - self.m
        return np.asarray(self.a + self.b * (self.rho * x + np.hypot(x, self.sigma)))

    def slope(self, y: npt.ArrayLike) -> FloatArray:
        """Return dw/dy at y."""
        x = np.asarray(y, dtype=np.float64) - self.m
        return np.asarray(self.b * (self.rho + x / np.hypot(x, self.sigma)))

    def bend(self, y: npt.ArrayLike) -> FloatArray:
        """Return d2w/dy2 at y."""
        x = np.asarray(y, dtype=np.float64) - self.m
        return np.asarray(self.b * self.sigma**2 / np.hypot(x, self.sigma) ** 3)

    def durrleman(self, y: npt.ArrayLike) -> FloatArray:
        """Return g(y), the sign of the implied density: below 0 is butterfly arbitrage.

        g = (1 - y w'/2w)^2 - w'^2/4 (1/w + 1/4) + w''/2 (Gatheral and Jacquier 2014).
        """
        y = np.asarray(y, dtype=np.float64)
        w, slope = self.total_variance(y), self.slope(y)
        straight = 1.0 - y * slope / (2.0 * w)
        bend = 0.5 * self.bend(y)
        return np.asarray(straight**2 - 0.25 * slope**2 * (1.0 / w + 0.25) + bend)


class SviFit(NamedTuple):
    """A fitted smile, which quotes it used, its least g, and what was done about arbitrage.

    `stage` 0: the free fit has none; 1: refitted under a penalty; 2: flattened after that;
    3: the free fit is kept with some far from the money, at the stretches of y in `arbitrage`.
    """

    svi: RawSvi
    used: BoolArray
    least_g: float
    stage: int
    arbitrage: tuple[tuple[float, float], ...] = ()


class _Scaled(NamedTuple):
    """Quotes in the units of `scales`, and room for the search; weights sum to 1."""

    y: FloatArray
    w: FloatArray
    weight: FloatArray
    scratch: FloatArray
    scales: Scales


class _Fitted(NamedTuple):
    """A smile in units of `Scales`, its error as a share of the vol, its least g, its stage."""

    shape: Shape
    error: float
    least_g: float
    stage: int


def fit_svi(y: FloatArray, w: FloatArray, vega: FloatArray) -> SviFit:
    """Return the raw SVI smile nearest to quotes of total variance.

    Parameters
    ----------
    y : ndarray of shape (n_quotes,), n_quotes at least 5
        ln(K/F).
    w : ndarray of shape (n_quotes,)
        sigma^2 tau, above 0.
    vega : ndarray of shape (n_quotes,)
        Of each quote, in any unit.

    Returns
    -------
    fit : SviFit

    Notes
    -----
    Least squares of the vega-weighted errors, vega (sigma_fit - sigma), to first order: errors
    of price. For given m and sigma, w is linear in a and the slopes of both wings, each kept
    within [0, 2] (Lee's bound), so that a simplex search over (m, ln sigma) is all that is left:
    quasi-explicit calibration after De Marco and Martini (Zeliade 2009). Where g < 0 somewhere on
    a grid one width beyond the quotes, the search is repeated from all its starts with a penalty
    on it, and if that is not enough the wings are flattened as far as needed. But where this
    raises the root mean square error by more than DEAR of the vol, and the free fit's arbitrage
    lies beyond WINGS standard deviations of the money, the free fit is kept and says where: a
    smile off its quotes near the money, where the gamma is, costs more than one that is wrong
    where hardly any is left. Quotes 10 robust scales off the fit are left out and it is repeated
    once. The same quotes always give the same smile.
    """
    y, w = np.ascontiguousarray(y, dtype=np.float64), np.ascontiguousarray(w, dtype=np.float64)
    weight = vega * vega / w  # (d sigma)^2 = (dw)^2/(4 sigma^2 tau^2), where sigma^2 tau = w
    weight = weight / weight.max() + 1e-12
    used = np.ones(y.shape, dtype=bool)
    fit = _fitted(y, w, weight, used)
    if len(y) >= LEAST_FOR_OUTLIERS:
        error = np.abs(fit.svi.total_variance(y) - w) * np.sqrt(weight)
        heavy = weight >= 0.01
        scale = max(1.4826 * float(np.median(error[heavy])), 1e-9 * float(w.max()))
        used = error <= OUTLYING * scale
        if not used.all() and used.sum() >= LEAST_FOR_OUTLIERS:
            return _fitted(y, w, weight, used)
    return fit


def _fitted(y: FloatArray, w: FloatArray, weight: FloatArray, used: BoolArray) -> SviFit:
    """Return the fit to the used quotes alone."""
    quotes = _scaled(y[used], w[used], weight[used])
    best = free = _at(quotes, *minimum(STARTS, *quotes, 0))
    stretches: tuple[tuple[float, float], ...] = ()
    if free.least_g < 0.0:
        best = _without_arbitrage(quotes, free)
        if best.error - free.error > DEAR:
            stretches = _arbitrage(free.shape, quotes.scales)
            if _in_the_wings(stretches, _raw(free.shape, quotes.scales)):
                best = free._replace(stage=3)
    kept = stretches if best.stage == 3 else ()
    return SviFit(_raw(best.shape, quotes.scales), used, best.least_g, best.stage, kept)


def _scaled(y: FloatArray, w: FloatArray, weight: FloatArray) -> _Scaled:
    """Return the quotes in units of their weighted width and their weighted mean variance."""
    weight = weight / weight.sum()
    ws, centre = float(weight @ w), float(weight @ y)
    ys = math.sqrt(float(weight @ (y - centre) ** 2))
    if not ys > 0.0:
        ys = max(float(np.abs(y).max()), 1e-12)
    z = y / ys
    scales = Scales(float(z.min()) - 1.0, float(z.max()) + 1.0, ys, ws)
    return _Scaled(z, w / ws, weight, np.empty((2, len(z))), scales)


def _at(quotes: _Scaled, m: float, t: float) -> _Fitted:
    """Return the best smile with these m and ln s."""
    s, scales = math.exp(t), quotes.scales
    cost, a, p, q = least_squares(*quotes[:4], m, s, 2.0 * scales.ys / scales.ws)
    shape = Shape(m, s, a, p, q)
    least = lack_of_density(shape, scales, CHECK)[1]
    return _Fitted(shape, 0.5 * math.sqrt(cost), least, 0)  # d sigma/sigma = dw/2w


def _without_arbitrage(quotes: _Scaled, free: _Fitted) -> _Fitted:
    """Return the best smile that a penalised search finds, flattened if that is not enough."""
    near, found = free, free
    for points in (COARSE, FINE):
        own = [(near.shape.m, math.log(near.shape.s))]
        near = _at(quotes, *minimum(np.vstack((own, STARTS)), *quotes, points))
        found = near._replace(stage=1)
        if found.least_g >= 0.0:
            return found
    x = (quotes.y - found.shape.m) / found.shape.s
    up = 0.5 * (np.hypot(1.0, x) + x)
    means = float(quotes.weight @ up), float(quotes.weight @ (up - x))
    shape = flattened(found.shape, means, quotes.scales)
    off = shape.a + shape.p * up + shape.q * (up - x) - quotes.w
    error = 0.5 * math.sqrt(float(quotes.weight @ off**2))
    return _Fitted(shape, error, lack_of_density(shape, quotes.scales, CHECK)[1], 2)


def _raw(shape: Shape, scales: Scales) -> RawSvi:
    """Return the smile in its usual five numbers."""
    half = 0.5 * (shape.p + shape.q)
    rho = 0.5 * (shape.p - shape.q) / half if half > 0.0 else 0.0
    b = scales.ws * half / (scales.ys * shape.s)
    return RawSvi(scales.ws * shape.a, b, rho, scales.ys * shape.m, scales.ys * shape.s)


def _arbitrage(shape: Shape, scales: Scales) -> tuple[tuple[float, float], ...]:
    """Return the stretches of y with g < 0 on the grids on which arbitrage is looked for."""
    m, s = shape.m, shape.s
    grids = ((scales.low, scales.high), (m - 3.0 * s, m + 3.0 * s))
    y = scales.ys * np.unique(np.concatenate([np.linspace(*ends, 4 * CHECK) for ends in grids]))
    bad = np.concatenate(([False], _raw(shape, scales).durrleman(y) < 0.0, [False]))
    edges = np.flatnonzero(bad[1:] != bad[:-1])
    return tuple(
        (float(y[a]), float(y[b - 1])) for a, b in zip(edges[::2], edges[1::2], strict=True)
    )


def _in_the_wings(stretches: tuple[tuple[float, float], ...], svi: RawSvi) -> bool:
    """Return whether there are stretches, and all lie beyond WINGS deviations from the money."""
    far = WINGS * math.sqrt(float(svi.total_variance(0.0)))
    return bool(stretches) and all(low > far or high < -far for low, high in stretches)
