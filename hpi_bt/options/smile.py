"""One smile: implied vol against strike, with its value, slope and curvature at the money."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray
from hpi_bt.errors import Note, Severity
from hpi_bt.options.parity import Forward
from hpi_bt.options.svi import RawSvi, SviFit, fit_svi

LEAST_FOR_SVI = 5  # quotes
POINT = 0.01  # a vol point
#: A fit misses a quote that is within NEAR standard deviations of the money where it is farther
#: off than FAR_OFF vol points and that share of the quote.
NEAR, FAR_OFF, SHARE_OFF = 3.0, 2.0, 0.05


class SmileQuotes(NamedTuple):
    """Quotes of one expiry by ascending strike, each of shape (n_quotes,).

    Attributes
    ----------
    strike : ndarray
        Dollars.
    sigma : ndarray
        Implied vols, decimals.
    from_mid : ndarray of bool
        Whether the vol is that of the middle of bid and ask (or of the last price, in a chain
        without any); else it is the chain's own `iv`.
    """

    strike: FloatArray
    sigma: FloatArray
    from_mid: BoolArray


@dataclass(frozen=True, eq=False)
class Smile:
    """Implied vol of one expiry as a function of y = ln(K/F).

    Attributes
    ----------
    expiry : Timestamp
    tau_years : float
    forward, discount : float
        Dollars, and the value of one dollar at expiry.
    kind : {"svi", "linear", "flat"}
        Raw SVI; total variance linear between fewer than 5 quotes and flat beyond them; one quote.
    svi : RawSvi or None
    quotes : SmileQuotes
        What it was fitted to.
    used : ndarray of bool, shape (n_quotes,)
        False for quotes so far off the fit that they were left out.
    stage : int
        What was done about butterfly arbitrage: see `SviFit`.
    parity : str
        What a reader should know of the forward; "" where parity gives it at the chain's rate.
    flags : tuple of str
        What a reader should know, one plain sentence each.
    """

    expiry: pd.Timestamp
    tau_years: float
    forward: float
    discount: float
    kind: str
    svi: RawSvi | None
    quotes: SmileQuotes
    used: BoolArray
    stage: int = 0
    parity: str = ""
    flags: tuple[str, ...] = ()

    def iv(self, strike: npt.ArrayLike) -> FloatArray:
        """Return the implied vol at strikes in dollars, as decimals, of the same shape."""
        y = np.log(np.asarray(strike, dtype=np.float64) / self.forward)
        return np.sqrt(self.total_variance(y) / self.tau_years)

    def total_variance(self, y: npt.ArrayLike) -> FloatArray:
        """Return sigma^2 tau at y = ln(K/F), of the same shape."""
        if self.svi is not None:
            return self.svi.total_variance(y)
        return np.asarray(np.interp(np.asarray(y, dtype=np.float64), self.quoted_y, self.quoted_w))

    @cached_property
    def quoted_y(self) -> FloatArray:
        """ln(K/F) of the quotes, shape (n_quotes,)."""
        return np.asarray(np.log(self.quotes.strike / self.forward))

    @cached_property
    def quoted_w(self) -> FloatArray:
        """sigma^2 tau of the quotes, shape (n_quotes,)."""
        return np.asarray(self.quotes.sigma**2 * self.tau_years)

    @cached_property
    def residual(self) -> FloatArray:
        """Fitted minus quoted vol at each quote, shape (n_quotes,)."""
        return self.iv(self.quotes.strike) - self.quotes.sigma

    @cached_property
    def rms(self) -> float:
        """Root mean square of the residuals of all quotes, in vol points."""
        return float(np.sqrt(np.mean(self.residual**2))) / POINT

    @cached_property
    def worst(self) -> int:
        """Place in `quotes` of the one that the fit is farthest from."""
        return int(np.argmax(np.abs(self.residual)))

    @cached_property
    def missed(self) -> int | None:
        """Place of the worst of the quotes that the fit misses near the money, if there is one."""
        off = np.abs(self.residual)
        near = np.abs(self.quoted_y) <= NEAR * self.s0 * math.sqrt(self.tau_years)
        far = near & (off > FAR_OFF * POINT) & (off > SHARE_OFF * self.quotes.sigma)
        return int(np.argmax(np.where(far, off, 0.0))) if far.any() else None

    def miss_words(self, at: int) -> str:
        """Return how far the fit is from a quote: "strike 640: quoted 20.1 %, smile 13.7 %"."""
        quoted = float(self.quotes.sigma[at])
        fitted = quoted + float(self.residual[at])
        strike = self.quotes.strike[at]
        return f"strike {strike:.6g}: quoted {100 * quoted:.1f} %, smile {100 * fitted:.1f} %"

    @cached_property
    def s0(self) -> float:
        """Vol at the money: sigma at y = 0."""
        return math.sqrt(float(self.total_variance(0.0)) / self.tau_years)

    @cached_property
    def skew(self) -> float:
        """Slope at the money, b = d sigma/dy at y = 0; below 0 where puts are dear."""
        return self._derivatives[0] / (2.0 * self.s0 * self.tau_years)

    @cached_property
    def curvature(self) -> float:
        """d2 sigma/dy2 at y = 0."""
        slope, bend = self._derivatives
        w0 = self.s0**2 * self.tau_years
        return (bend - slope * slope / (2.0 * w0)) / (2.0 * self.s0 * self.tau_years)

    @cached_property
    def _derivatives(self) -> tuple[float, float]:
        """First and second derivative of total variance at y = 0."""
        if self.svi is not None:
            return float(self.svi.slope(0.0)), float(self.svi.bend(0.0))
        y, w = self.quoted_y, self.quoted_w
        if not y[0] <= 0.0 <= y[-1] or len(y) == 1:
            return 0.0, 0.0
        rises = np.diff(w) / np.diff(y)
        touching = (y[:-1] <= 0.0) & (y[1:] >= 0.0)  # two segments where a quote is at the money
        return float(rises[touching].mean()), 0.0


def smile_of(expiry: pd.Timestamp, tau_years: float, ahead: Forward, quotes: SmileQuotes) -> Smile:
    """Return the smile through quotes of one expiry, at least one; `Smile` says which kind.

    `quotes` are sorted by strike, without a strike twice. Quotes weigh by their vega.
    """
    flags = [ahead.flag] if ahead.flag else []
    own = int(np.count_nonzero(~quotes.from_mid))
    if own:
        of = "1 quote" if len(quotes.strike) == 1 else f"{len(quotes.strike)} quotes"
        flags.append(f"The chain's own iv stands for {own} of {of}, not mids.")
    n = len(quotes.strike)
    common = (expiry, tau_years, ahead.forward, ahead.discount)
    if n < LEAST_FOR_SVI:
        kind = "linear" if n > 1 else "flat"
        flags.append(f"Only {n} {'quotes' if n > 1 else 'quote'}: the smile is {kind}.")
        used = np.ones(n, dtype=bool)
        return Smile(*common, kind, None, quotes, used, parity=ahead.flag, flags=tuple(flags))
    w = quotes.sigma**2 * tau_years
    y = np.log(quotes.strike / ahead.forward)
    fit = fit_svi(y, w, _vega(y, w))
    made = Smile(*common, "svi", fit.svi, quotes, fit.used, stage=fit.stage, parity=ahead.flag)
    return replace(made, flags=(*flags, *_fit_flags(fit, made)))


def _vega(y: FloatArray, w: FloatArray) -> FloatArray:
    """Return vega up to a factor common to the quotes: the normal density at d1, 1 at most."""
    squared = (-y / np.sqrt(w) + 0.5 * np.sqrt(w)) ** 2
    return np.asarray(np.exp(-0.5 * (squared - squared.min())))


def _fit_flags(fit: SviFit, smile: Smile) -> list[str]:
    """Return what is worth saying of an SVI fit."""
    off = f"{smile.rms:.2f} vol points rms off its quotes"
    far = f"{100 * abs(float(smile.residual[smile.worst])):.1f}"
    off += f", {far} at worst ({smile.miss_words(smile.worst)})"
    where = " and ".join(f"{low:.3f} to {high:.3f}" for low, high in fit.arbitrage)
    how = {
        1: f"Refitted to be free of butterfly arbitrage: {off}.",
        2: f"Wings flattened to be free of butterfly arbitrage: {off}.",
        3: f"Butterfly arbitrage at y = {where}, which no smile near the quotes avoids.",
    }
    flags = [how[fit.stage]] if fit.stage else []
    outliers = int(np.count_nonzero(~fit.used))
    if outliers:
        some = "1 quote lies" if outliers == 1 else f"{outliers} quotes lie"
        flags.append(f"{some} far off the smile, left out of the fit: {off}.")
    if smile.missed is not None:
        miss = abs(float(smile.residual[smile.missed])) / POINT
        text = (
            f"Misses a quote near the money by {miss:.1f} vol points "
            f"({smile.miss_words(smile.missed)}); rms {smile.rms:.2f}."
        )
        flags.append(Note(Severity.ASSUMPTION, "smile-misses-quotes", text))
    return flags
