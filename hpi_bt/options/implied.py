"""Implied volatility (definitions 5)."""

from __future__ import annotations

import numpy.typing as npt

from hpi_bt.arrays import FloatArray
from hpi_bt.options.black_scholes import aligned, empty_outputs, refuse_rights
from hpi_bt.options.price_kernels import fill_implied
from hpi_bt.options.threads import in_chunks

WORTH_A_THREAD = 2_000  # contracts


def implied_vol(
    price: npt.ArrayLike,
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    tau_years: npt.ArrayLike,
    right: npt.ArrayLike,
    *,
    rate: npt.ArrayLike = 0.0,
    dividend: npt.ArrayLike = 0.0,
) -> FloatArray:
    """Return the volatility at which Black-Scholes-Merton gives `price`.

    Parameters
    ----------
    price : array
        Dollars per share. All inputs broadcast together.
    spot, strike, tau_years, right, rate, dividend
        As in `greeks`.

    Returns
    -------
    sigma : ndarray
        Decimal a year, of the broadcast shape. NaN at or outside the no-arbitrage bounds
        (intrinsic value and, for calls S e^-qT, for puts K e^-rT), at or past expiry, and where
        an input is NaN: there is no made-up floor.

    Raises
    ------
    InputError
        A right that is neither +1 nor -1, or shapes that do not broadcast.

    Notes
    -----
    A price in the money is turned into the out-of-the-money one of the same strike first (parity),
    so that only the rounding of the given price itself is lost. That price, normalised, is
    inverted by Halley's iteration kept inside a bracket, on 1/ln b below the turning point
    sqrt(2 |ln(F/K)|) and on b above it.
    """
    given = aligned(price, spot, strike, tau_years, right, rate, dividend)
    refuse_rights(given.flat[4])
    (out,) = empty_outputs(given, 1)

    def fill(start: int, stop: int) -> None:
        fill_implied(start, stop, given.steps, given.flat, out)

    in_chunks(fill, given.size, least=WORTH_A_THREAD)
    return out.reshape(given.shape)
