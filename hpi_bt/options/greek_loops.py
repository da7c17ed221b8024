"""Compiled loops over arrays of contracts: Greeks, block by block."""

from __future__ import annotations

from hpi_bt.arrays import FloatArray
from hpi_bt.kernels.compiler import njit
from hpi_bt.options.greek_kernels import charm_of, delta_of, gamma_vanna_of

#: Contracts that a loop handles at a time; an input that is one number for all is given as an
#: array of this length (or of the number of contracts, if that is less) with a step of 0.
BLOCK = 2048


@njit(cache=True, nogil=True, error_model="numpy")
def block_of(values: FloatArray, step: int, start: int, size: int) -> FloatArray:
    """Return `size` values from place `start` on, or of the constant block."""
    return values[start * step : start * step + size]


@njit(cache=True, nogil=True, error_model="numpy")
def wrong_rights(right: FloatArray) -> int:
    """Return how many rights are neither +1 nor -1."""
    count = 0
    for i in range(right.size):
        count += (right[i] != 1.0) & (right[i] != -1.0)
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _curvatures(
    spot: FloatArray, strike: FloatArray, tau: FloatArray, sigma: FloatArray, right: FloatArray,
    rate: FloatArray, dividend: FloatArray, gamma: FloatArray, vanna: FloatArray, charm: FloatArray,
) -> None:  # fmt: skip
    for i in range(gamma.size):
        S, K, T, v, r, q = spot[i], strike[i], tau[i], sigma[i], rate[i], dividend[i]
        gamma[i], vanna[i] = gamma_vanna_of(S, K, T, v, r, q)
        charm[i] = charm_of(S, K, T, v, right[i], r, q)


@njit(cache=True, nogil=True, error_model="numpy")
def _delta_vega(
    spot: FloatArray, strike: FloatArray, tau: FloatArray, sigma: FloatArray, right: FloatArray,
    rate: FloatArray, dividend: FloatArray, gamma: FloatArray, delta: FloatArray, vega: FloatArray,
) -> None:  # fmt: skip
    for i in range(delta.size):
        S, T, v = spot[i], tau[i], sigma[i]
        delta[i] = delta_of(S, strike[i], T, v, right[i], rate[i], dividend[i])
        vega[i] = gamma[i] * S * S * v * T if T > 0.0 else gamma[i]  # S^2 sigma T gamma


@njit(cache=True, nogil=True, error_model="numpy")
def fill_curvatures(
    start: int,
    stop: int,
    steps: tuple[int, ...],
    inputs: tuple[FloatArray, ...],
    outputs: tuple[FloatArray, ...],
) -> None:
    """Write gamma, vanna and charm of contracts [start, stop).

    `inputs`: spot, strike, tau, sigma, right, rate, dividend.
    """
    spot, strike, tau, sigma, right, rate, dividend = inputs
    a, b, c, d, e, f, g = steps
    gamma, vanna, charm = outputs
    for low in range(start, stop, BLOCK):
        n = min(BLOCK, stop - low)
        _curvatures(
            block_of(spot, a, low, n), block_of(strike, b, low, n), block_of(tau, c, low, n),
            block_of(sigma, d, low, n), block_of(right, e, low, n), block_of(rate, f, low, n),
            block_of(dividend, g, low, n), gamma[low : low + n], vanna[low : low + n],
            charm[low : low + n],
        )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def fill_delta_vega(
    start: int,
    stop: int,
    steps: tuple[int, ...],
    inputs: tuple[FloatArray, ...],
    gamma: FloatArray,
    outputs: tuple[FloatArray, ...],
) -> None:
    """Write delta and vega of contracts [start, stop), whose gamma is known already."""
    spot, strike, tau, sigma, right, rate, dividend = inputs
    a, b, c, d, e, f, g = steps
    delta, vega = outputs
    for low in range(start, stop, BLOCK):
        n = min(BLOCK, stop - low)
        _delta_vega(
            block_of(spot, a, low, n), block_of(strike, b, low, n), block_of(tau, c, low, n),
            block_of(sigma, d, low, n), block_of(right, e, low, n), block_of(rate, f, low, n),
            block_of(dividend, g, low, n), gamma[low : low + n], delta[low : low + n],
            vega[low : low + n],
        )  # fmt: skip
