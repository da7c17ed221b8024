"""Raw SVI: five numbers that describe a smile's total variance, fitted free of arbitrage."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hpi_bt.arrays import BoolArray, FloatArray
from hpi_bt.options.svi_kernels import fit_svi_loop

OUTLYING = 10.0  # robust scales from the fit beyond which a quote is taken for a bad one
LEAST_FOR_OUTLIERS = 8  # quotes


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
    """A fitted smile, which quotes it used, its least g, and how arbitrage was kept out.

    `stage` 0: the free fit has none; 1: refitted under a penalty; 2: flattened after that.
    """

    svi: RawSvi
    used: BoolArray
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
    of price. For given m and sigma,
    w is linear in a and the slopes of both wings, each kept within [0, 2] (Lee's bound), so that
    a simplex search over (m, ln sigma) is all that is left: quasi-explicit calibration after De
    Marco and Martini (Zeliade 2009). Where g < 0 somewhere on a grid one width beyond the
    quotes, the search is repeated with a penalty on it, and if that is not enough the wings are
    flattened as far as needed. Quotes 10 robust scales off the fit are left out and it is
    repeated once. The same quotes always give the same smile.
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
    a, b, rho, m, sigma, least, stage = fit_svi_loop(y[used], w[used], weight[used])
    return SviFit(RawSvi(a, b, rho, m, sigma), used, least, stage)
