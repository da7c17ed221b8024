"""Scalar Black-Scholes-Merton formulas that every compiled loop of the options room inlines.

S is the spot, K the strike, r the rate, q the dividend yield, T the years left, s = sigma sqrt(T),
x = ln(S/K), `right` +1 for a call and -1 for a put.

There is no branch and no call of the C library in here, only choices between two numbers: so the
compiler works on several contracts at once. Plain loops over `range(array.size)` keep that; loops
that start elsewhere, or read every array through a stride, run seven times slower.

Modules that inline from here take `njit` from `hpi_bt.kernels.compiler`, which notices changes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

_LOG2_E = 1.0 / math.log(2.0)
_LN2_HIGH = 0.6931471803691238  # 32 bits of ln 2: whole multiples of it are exact
_LN2_LOW = 1.9082149292705877e-10  # the rest
_SQRT_2 = math.sqrt(2.0)
_SQRT_HALF = math.sqrt(0.5)
_HALF_SQRT_2PI = math.sqrt(math.pi / 2.0)
_DENSITY_0 = 1.0 / math.sqrt(2.0 * math.pi)
_LEAST_EXPONENT, _LARGEST_EXPONENT = -708.0, 709.0  # of exp, within the normal numbers
_FAR = 38.0  # standard deviations at which the density has underflowed
_LEAST_RATIO, _LARGEST_RATIO = 1e-305, 1e305  # of S/K, within the normal numbers

_EXP = tuple(1.0 / math.factorial(n) for n in range(14))
_ATANH = tuple(2.0 / (2 * n + 1) for n in range(12))
# (1 + 2z) erfcx(z) as a polynomial of t = (z - 3.5)/(z + 3.5), z >= 0: the Chebyshev series to
# degree 22 written in powers of t, worst relative error 7e-16. tests/options derives it anew.
_ERFCX = (
    1.2423492448711544, -0.1400091801376261, -0.010555596332221669, 0.09751909515384956,
    -0.11508959816003075, 0.08798315380941167, -0.04882332583088402, 0.019099331128772476,
    -0.004215019879774186, -0.00030226912344206617, 0.0005643842668705102,
    -0.00012150735579328695, -4.278173995954007e-05, 2.424783834634275e-05,
    2.327330953779282e-06, -3.792648061218827e-06, -4.30923739833409e-08,
    5.776043883970538e-07, -8.611571570978923e-09, -7.964393647373187e-08,
    6.651894381789001e-10, 6.921847242413618e-09, 6.040390100445751e-11,
)  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def power_of_two(exponent: np.signedinteger[Any]) -> float:
    """Return 2^exponent for exponents of normal numbers, by its bits."""
    bits = np.int64((exponent + 1023) << 52)
    return float(bits.view(np.float64))


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def exponential(y: float) -> float:
    """Return e^y to 2e-16 relative; 0 below e^-708, NaN as 0: callers rule that out."""
    kept = min(y if y > _LEAST_EXPONENT else _LEAST_EXPONENT, _LARGEST_EXPONENT)
    whole = np.floor(kept * _LOG2_E + 0.5)
    rest = kept - whole * _LN2_HIGH - whole * _LN2_LOW
    total = _EXP[13]
    for n in range(12, -1, -1):
        total = total * rest + _EXP[n]
    return total * power_of_two(np.int64(whole)) if y > _LEAST_EXPONENT else 0.0


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def log_ratio(spot: float, strike: float) -> float:
    """Return ln(S/K), to full relative accuracy where S is next to K.

    With K' the strike times the power of 2 that brings it next to S, ln(S/K') is
    2 artanh((S - K')/(S + K')), and S - K' is exact.
    """
    bits = np.float64(spot / strike * _SQRT_2).view(np.int64)
    whole = (bits >> 52) - 1023
    near = strike * power_of_two(whole)
    w = (spot - near) / (spot + near)
    total = _ATANH[11]
    for n in range(10, -1, -1):
        total = total * (w * w) + _ATANH[n]
    return float(whole) * _LN2_HIGH + (float(whole) * _LN2_LOW + total * w)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def erfcx(z: float) -> float:
    """Return exp(z^2) erfc(z) for finite z >= 0, to 2e-15 relative."""
    t = (z - 3.5) / (z + 3.5)
    square = t * t
    even, odd = _ERFCX[22], _ERFCX[21]
    for n in range(20, 0, -2):  # two short chains of multiplications instead of a long one
        even = even * square + _ERFCX[n]
        odd = odd * square + _ERFCX[n - 1]
    even = even * square + _ERFCX[0]
    return (even + odd * t) / (1.0 + 2.0 * z)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def density(d: float) -> float:
    """Return the standard normal density at d; 0 from 37.6 standard deviations on."""
    return _DENSITY_0 * exponential(-0.5 * d * d)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def cumulative(d: float, density_at_d: float) -> float:
    """Return the standard normal distribution function at d, accurate in both tails."""
    size = abs(d)
    tail = density_at_d * _HALF_SQRT_2PI * erfcx(min(size, _FAR) * _SQRT_HALF)
    return tail if d < 0.0 else 1.0 - tail


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def usable(
    spot: float, strike: float, tau: float, sigma: float, rate: float, dividend: float
) -> bool:
    """Return whether there are Greeks: finite inputs, S, K > 0, and sigma > 0 until expiry."""
    prices = (spot > 0.0) & (strike > 0.0) & (spot < np.inf) & (strike < np.inf)
    ratio = spot / strike
    prices &= (ratio > _LEAST_RATIO) & (ratio < _LARGEST_RATIO)
    s = sigma * math.sqrt(max(tau, 0.0))
    lives = (sigma > 0.0) & (s > 0.0) & (s < np.inf) & (tau < np.inf)
    rates = (abs(rate * tau) < np.inf) & (abs(dividend * tau) < np.inf)
    return prices & rates & (lives | (tau <= 0.0))


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def d1_of(
    spot: float, strike: float, tau: float, sigma: float, rate: float, dividend: float
) -> float:
    """Return d1 = (x + (r - q) T)/s + s/2; needs T > 0 and sigma > 0."""
    s = sigma * math.sqrt(tau)
    return (log_ratio(spot, strike) + (rate - dividend) * tau) / s + 0.5 * s


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def payoff_delta(spot: float, strike: float, right: float) -> float:
    """Return the delta at expiry: 0 or `right`, half of it at S = K."""
    inside = right if (spot > strike) == (right > 0.0) else 0.0
    return 0.5 * right if spot == strike else inside


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def delta_of(
    spot: float, strike: float, tau: float, sigma: float, right: float, rate: float, dividend: float
) -> float:
    """Return delta per share: right e^-qT N(right d1); the payoff's where T <= 0."""
    d1 = right * d1_of(spot, strike, tau, sigma, rate, dividend)
    living = right * exponential(-dividend * tau) * cumulative(d1, density(d1))
    delta = living if tau > 0.0 else payoff_delta(spot, strike, right)
    return delta if usable(spot, strike, tau, sigma, rate, dividend) else np.nan


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def gamma_vanna_of(
    spot: float, strike: float, tau: float, sigma: float, rate: float, dividend: float
) -> tuple[float, float]:
    """Return gamma e^-qT n(d1)/(S s) and vanna -e^-qT n(d1) d2/sigma; 0 where T <= 0."""
    s = sigma * math.sqrt(tau)
    drift = (log_ratio(spot, strike) + (rate - dividend) * tau) / s
    d1 = drift + 0.5 * s
    near = (tau > 0.0) & (abs(d1) < _FAR)
    known = usable(spot, strike, tau, sigma, rate, dividend)
    peak = exponential(-dividend * tau) * density(d1)
    gamma = peak / (spot * s) if near else 0.0
    vanna = -peak * (drift - 0.5 * s) / sigma if near else 0.0
    return gamma if known else np.nan, vanna if known else np.nan


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def charm_of(
    spot: float, strike: float, tau: float, sigma: float, right: float, rate: float, dividend: float
) -> float:
    """Return charm = d delta/dt, t running forward; 0 where T <= 0.

    e^-qT (right q N(right d1) - n(d1) d d1/dT), d d1/dT = ((r - q) T - x + s^2/2)/(2 T s).
    """
    s = sigma * math.sqrt(tau)
    x, carry = log_ratio(spot, strike), (rate - dividend) * tau
    d1 = (x + carry) / s + 0.5 * s
    discount, normal = exponential(-dividend * tau), density(d1)
    decay = discount * normal * (carry - x + 0.5 * s * s) / (2.0 * tau * s)
    paid = right * dividend * discount * cumulative(right * d1, normal)
    charm = paid - (decay if abs(d1) < _FAR else 0.0)
    charm = charm if tau > 0.0 else 0.0
    return charm if usable(spot, strike, tau, sigma, rate, dividend) else np.nan
