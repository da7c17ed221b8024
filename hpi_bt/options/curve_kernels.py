"""Compiled revaluation of a book of options along spot, and along time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hpi_bt.arrays import FloatArray
from hpi_bt.kernels.compiler import njit
from hpi_bt.options.greek_kernels import delta_of, gamma_vanna_of

LEAST_SIGMA = 0.01  # no vol is moved below it, or below itself where it is lower


class Book(NamedTuple):
    """Contracts with a position and a vol; arrays of shape (n_held,).

    `shares` is the dealer's position times the multiplier, `k` the coupling of each contract.
    """

    strike: FloatArray
    tau: FloatArray
    sigma: FloatArray
    right: FloatArray
    shares: FloatArray
    k: FloatArray


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _moved(sigma: float, k: float, log_move: float) -> tuple[float, bool]:
    """Return sigma - k log_move, not below LEAST_SIGMA, and whether it is held there."""
    free, least = sigma - k * log_move, min(sigma, LEAST_SIGMA)
    return max(free, least), free < least


@njit(cache=True, nogil=True, error_model="numpy")
def _gammas(
    spot: float, log_move: float, book: Book, rate: float, dividend: float,
    gamma: FloatArray, vanna: FloatArray,
) -> None:  # fmt: skip
    strike, tau, sigma, k = book.strike, book.tau, book.sigma, book.k
    for i in range(gamma.size):
        moved = _moved(sigma[i], k[i], log_move)[0]
        gamma[i], vanna[i] = gamma_vanna_of(spot, strike[i], tau[i], moved, rate, dividend)


@njit(cache=True, nogil=True, error_model="numpy")
def _deltas(
    spot: float, log_move: float, elapsed: float, book: Book, rate: float, dividend: float,
    delta: FloatArray,
) -> None:  # fmt: skip
    strike, tau, sigma, right, k = book.strike, book.tau, book.sigma, book.right, book.k
    for i in range(delta.size):
        moved = sigma[i] - k[i] * log_move
        delta[i] = delta_of(spot, strike[i], tau[i] - elapsed, moved, right[i], rate, dividend)


@njit(cache=True, nogil=True, error_model="numpy")
def fill_curve(
    start: int, stop: int, spots: FloatArray, log_moves: FloatArray, book: Book,
    rate: float, dividend: float, sums: FloatArray,
) -> None:  # fmt: skip
    """Write what the book is at spots [start, stop) into `sums` of shape (6, n_spots).

    G, V, sum k V, the gross gamma and its part in contracts whose vol is held at LEAST_SIGMA, all
    in shares, and the number of those contracts. A vol that is held moves no more: its k is 0.
    """
    n = book.shares.size
    gamma, vanna = np.empty(n), np.empty(n)
    for j in range(start, stop):
        _gammas(spots[j], log_moves[j], book, rate, dividend, gamma, vanna)
        g = v = kv = gross = lost = count = 0.0
        for i in range(n):
            own, other = book.shares[i] * gamma[i], book.shares[i] * vanna[i]
            held = 1.0 if _moved(book.sigma[i], book.k[i], log_moves[j])[1] else 0.0
            g += own
            v += other
            kv += (1.0 - held) * other * book.k[i]
            gross += abs(own)
            lost += held * abs(own)
            count += held
        sums[0, j], sums[1, j], sums[2, j] = g, v, kv
        sums[3, j], sums[4, j], sums[5, j] = gross, lost, count


@njit(cache=True, nogil=True, error_model="numpy")
def fill_drift(
    start: int, stop: int, spot: float, elapsed: FloatArray, book: Book,
    rate: float, dividend: float, drift: FloatArray,
) -> None:  # fmt: skip
    """Write the change of the book's delta, in shares, from elapsed[j] to elapsed[j + 1].

    `elapsed` are years from now; spot and vols stand still. For j in [start, stop).
    """
    n = book.shares.size
    before, after = np.empty(n), np.empty(n)
    _deltas(spot, 0.0, elapsed[start], book, rate, dividend, before)
    for j in range(start, stop):
        _deltas(spot, 0.0, elapsed[j + 1], book, rate, dividend, after)
        total = 0.0
        for i in range(n):
            total += book.shares[i] * (after[i] - before[i])
        drift[j] = total
        before, after = after, before


@njit(cache=True, nogil=True, error_model="numpy")
def contract_drift(
    spot: float, horizon: float, book: Book, rate: float, dividend: float
) -> FloatArray:
    """Return the change of each contract's delta until `horizon` years from now, in shares."""
    n = book.shares.size
    before, after = np.empty(n), np.empty(n)
    _deltas(spot, 0.0, 0.0, book, rate, dividend, before)
    _deltas(spot, 0.0, horizon, book, rate, dividend, after)
    return book.shares * (after - before)


def kernel_means(
    prices: FloatArray, strikes: FloatArray, values: FloatArray, width: float
) -> FloatArray:
    """Return Gaussian-weighted means of `values` (n_kinds, n_strikes), shape (n_kinds, n_prices).

    w = exp(-((K - S)/width)^2), with the largest weight taken out so that none underflows.
    """
    z = np.abs(strikes - prices[:, None]) / width
    nearest = z.min(axis=1, keepdims=True)
    weight = np.exp((nearest - z) * (nearest + z))
    return np.asarray(values @ (weight / weight.sum(axis=1, keepdims=True)).T)
