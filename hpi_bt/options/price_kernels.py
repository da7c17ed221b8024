"""Option values and their inversion in normalised form, as compiled scalar functions.

An out-of-the-money option is worth sqrt(S e^-qT K e^-rT) b(x, s) with x = -|ln(F/K)| <= 0,
s = sigma sqrt(T) and, with h = x/s, t = s/2,

    b = e^(x/2) N(h + t) - e^(-x/2) N(h - t) = n(h) n(t) sqrt(2 pi) [Y(h + t) - Y(h - t)],

where Y(u) = N(u)/n(u) (Mills' ratio). The second form keeps its digits where b is tiny.
"""

from __future__ import annotations

import math

import numpy as np

from hpi_bt.arrays import FloatArray
from hpi_bt.kernels.compiler import njit
from hpi_bt.options.greek_kernels import (
    cumulative,
    density,
    erfcx,
    log_ratio,
    usable,
)

_SQRT_HALF = math.sqrt(0.5)
_HALF_SQRT_2PI = math.sqrt(math.pi / 2.0)
_SQRT_2PI = math.sqrt(2.0 * math.pi)
_FAR = 38.0  # standard deviations at which the density has underflowed
_MOST_STEPS = 80  # bisection alone would need about 60
_CLOSE = 1e-6  # a relative step after which the next, cubically smaller, changes no digit


@njit(cache=True, nogil=True, error_model="numpy")
def _mills(u: float) -> float:
    """Return N(u)/n(u) for u <= 0."""
    return _HALF_SQRT_2PI * erfcx(-u * _SQRT_HALF)


@njit(cache=True, nogil=True, error_model="numpy")
def _mills_rise(h: float, t: float) -> float:
    """Return Y(h + t) - Y(h - t) by Taylor's series at h, for small t and t h^2.

    Y' = 1 + h Y, and Y^(n+1) = h Y^(n) + n Y^(n-1); only odd terms remain.
    """
    before = _mills(h)
    last = 1.0 + h * before
    power, total = 2.0 * t, 2.0 * t * last
    for n in range(1, 12, 2):
        before = h * last + n * before
        last = h * before + (n + 1) * last
        power *= t * t / ((n + 1) * (n + 2))
        total += power * last
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def normalised_value(x: float, s: float) -> float:
    """Return b(x, s) for x <= 0, s > 0, to nearly full relative accuracy."""
    h, t = x / s, 0.5 * s
    if h < -_FAR:
        return 0.0
    if t < 0.1 and t * h * h < 2.0:
        return density(h) * math.exp(-0.5 * t * t) * _mills_rise(h, t)
    if h + t <= 0.0:
        return density(h) * math.exp(-0.5 * t * t) * (_mills(h + t) - _mills(h - t))
    above, below = h + t, h - t
    root = math.exp(0.5 * x)
    return root * cumulative(above, density(above)) - cumulative(below, density(below)) / root


@njit(cache=True, nogil=True, error_model="numpy")
def normalised_vega(x: float, s: float) -> float:
    """Return db/ds = n(h) e^(-t^2/2)."""
    h, t = x / s, 0.5 * s
    return density(h) * math.exp(-0.5 * t * t)


@njit(cache=True, nogil=True, error_model="numpy")
def price_of(
    spot: float, strike: float, tau: float, sigma: float, right: float, rate: float, dividend: float
) -> float:
    """Return the value of one option per share; NaN where `usable` says so."""
    if not usable(spot, strike, tau, sigma, rate, dividend):
        return np.nan
    if tau <= 0.0:
        return max(right * (spot - strike), 0.0)
    x = log_ratio(spot, strike) + (rate - dividend) * tau
    s = sigma * math.sqrt(tau)
    scale = math.sqrt(spot * strike) * math.exp(-0.5 * (rate + dividend) * tau)
    value = scale * normalised_value(-abs(x), s)
    if right * x > 0.0:
        value += intrinsic_of(spot, strike, tau, right, rate, dividend)
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def intrinsic_of(
    spot: float, strike: float, tau: float, right: float, rate: float, dividend: float
) -> float:
    """Return the lower bound of the price, right (S e^-qT - K e^-rT), 0 at least."""
    return max(right * (spot * math.exp(-dividend * tau) - strike * math.exp(-rate * tau)), 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _first_guess(x: float, value: float, log_value: float, turn: float) -> float:
    """Return a start for s below the turning point, from b ~ n(h) s^3/x^2 for large |h|."""
    s = turn
    for _ in range(3):
        room = math.log(s * s * s / (x * x * _SQRT_2PI)) - s * s / 8.0 - log_value
        s = min(-x / math.sqrt(2.0 * room), turn) if 0.0 < room < np.inf else turn
    return s


@njit(cache=True, nogil=True, error_model="numpy")
def _step(x: float, s: float, found: float, value: float, log_value: float, low: bool) -> float:
    """Return Halley's step for s.

    Below the turning point 1/ln b is nearly quadratic in s and is solved for; above it b itself.
    `found` is b(x, s); b''/b' = h^2/s - s/4.
    """
    slope = normalised_vega(x, s)
    bend = (x / s) * (x / s) / s - 0.25 * s
    if low:
        log_found = math.log(found)
        relative = slope / found
        newton = (log_value - log_found) * log_found / (log_value * relative)
        bend -= relative * (1.0 + 2.0 / log_found)
    else:
        newton = (value - found) / slope
    return newton / max(1.0 + 0.5 * newton * bend, 0.5)


@njit(cache=True, nogil=True, error_model="numpy")
def normalised_vol(x: float, value: float) -> float:
    """Return s with b(x, s) = value for x <= 0; NaN unless 0 < value < e^(x/2)."""
    if not 0.0 < value < math.exp(0.5 * x):
        return np.nan
    turn = math.sqrt(-2.0 * x)  # where b(s) turns from convex to concave
    log_value = math.log(value)
    low = turn > 0.0 and value < normalised_value(x, turn)
    floor, ceiling = (0.0, turn) if low else (turn, np.inf)
    if low:
        s = _first_guess(x, value, log_value, turn)
    else:
        s = turn if turn > 0.0 else _SQRT_2PI * value
    for _ in range(_MOST_STEPS):
        found = normalised_value(x, s)
        if found < value:
            floor = s
        else:
            ceiling = s
        target = s + _step(x, s, found, value, log_value, low) if found > 0.0 else np.nan
        if abs(target - s) <= _CLOSE * s:
            return min(max(target, floor), ceiling)
        if not floor <= target <= ceiling:
            target = 0.5 * (floor + ceiling) if ceiling < np.inf else 2.0 * floor
        s = target
    return s


@njit(cache=True, nogil=True, error_model="numpy")
def implied_vol_of(
    value: float, spot: float, strike: float, tau: float, right: float, rate: float, dividend: float
) -> float:
    """Return sigma of one price, inverted on the out-of-the-money side; NaN if there is none."""
    if not (usable(spot, strike, tau, 1.0, rate, dividend) and tau > 0.0):
        return np.nan
    x = log_ratio(spot, strike) + (rate - dividend) * tau
    if right * x > 0.0:
        value -= intrinsic_of(spot, strike, tau, right, rate, dividend)
    scale = math.sqrt(spot * strike) * math.exp(-0.5 * (rate + dividend) * tau)
    return normalised_vol(-abs(x), value / scale) / math.sqrt(tau)


@njit(cache=True, nogil=True, error_model="numpy")
def fill_prices(
    start: int,
    stop: int,
    steps: tuple[int, ...],
    inputs: tuple[FloatArray, ...],
    out: FloatArray,
) -> None:
    """Write the prices of contracts [start, stop)."""
    spot, strike, tau, sigma, right, rate, dividend = inputs
    a, b, c, d, e, f, g = steps
    for i in range(start, stop):
        out[i] = price_of(
            spot[i * a], strike[i * b], tau[i * c], sigma[i * d], right[i * e],
            rate[i * f], dividend[i * g],
        )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def fill_implied(
    start: int,
    stop: int,
    steps: tuple[int, ...],
    inputs: tuple[FloatArray, ...],
    out: FloatArray,
) -> None:
    """Write the implied volatilities of contracts [start, stop); `inputs` begin with the price."""
    value, spot, strike, tau, right, rate, dividend = inputs
    a, b, c, d, e, f, g = steps
    for i in range(start, stop):
        out[i] = implied_vol_of(
            value[i * a], spot[i * b], strike[i * c], tau[i * d], right[i * e],
            rate[i * f], dividend[i * g],
        )  # fmt: skip
