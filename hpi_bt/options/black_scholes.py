"""Prices and Greeks of Black-Scholes-Merton with a continuous yield (definitions 5)."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError
from hpi_bt.options.greek_loops import BLOCK, fill_curvatures, fill_delta_vega, wrong_rights
from hpi_bt.options.price_kernels import fill_prices
from hpi_bt.options.threads import in_chunks

WORTH_A_THREAD = 25_000  # contracts; a thread costs as much as ten thousand of them

Steps: TypeAlias = tuple[int, ...]


class Greeks(NamedTuple):
    """Sensitivities per share, unrounded, of one shape.

    Attributes
    ----------
    delta : ndarray
        Shares per contract share; calls above 0, puts below.
    gamma : ndarray
        d delta/dS, per $1.
    vega : ndarray
        dV/d sigma, $ per 1.00 of volatility.
    vanna : ndarray
        d delta/d sigma, per 1.00 of volatility.
    charm : ndarray
        d delta/dt with t running forward, per year.
    """

    delta: FloatArray
    gamma: FloatArray
    vega: FloatArray
    vanna: FloatArray
    charm: FloatArray


class Curvatures(NamedTuple):
    """The three that dealer exposure needs, per share: gamma, vanna, charm as in `Greeks`."""

    gamma: FloatArray
    vanna: FloatArray
    charm: FloatArray


class Aligned(NamedTuple):
    """Inputs of a compiled loop: flat arrays, or one number repeated, with a step of 0."""

    shape: tuple[int, ...]
    size: int
    steps: Steps
    flat: tuple[FloatArray, ...]


def greeks(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    tau_years: npt.ArrayLike,
    sigma: npt.ArrayLike,
    right: npt.ArrayLike,
    *,
    rate: npt.ArrayLike = 0.0,
    dividend: npt.ArrayLike = 0.0,
) -> Greeks:
    """Return delta, gamma, vega, vanna and charm per share.

    Parameters
    ----------
    spot, strike : array
        Prices above 0. All inputs broadcast together.
    tau_years : array
        Years of 365 days to expiry. At 0 and below the contract has expired: delta is the
        payoff's (half at S = K), the others are 0, whatever sigma is.
    sigma : array
        Volatility as a decimal (0.18), above 0.
    right : array
        +1 for a call, -1 for a put.
    rate, dividend : array, default=0.0
        Continuously compounded rate and yield, decimals a year, of either sign.

    Returns
    -------
    greeks : Greeks
        Each of the broadcast shape. NaN where spot or strike is not above 0, where sigma of a
        living contract is not above 0, and where an input is NaN or infinite.

    Raises
    ------
    InputError
        A right that is neither +1 nor -1, what is no number, or shapes that do not broadcast.

    Notes
    -----
    Within 1e-9 relative or 1e-14 absolute of 50-digit references to 8 standard deviations from
    the money, one minute to two years; vanna and charm next to their roots within 1e-12 of the
    sum of their absolute terms.
    """
    given = aligned(spot, strike, tau_years, sigma, right, rate, dividend)
    refuse_rights(given.flat[4])
    gamma, vanna, charm, delta, vega = empty_outputs(given, 5)

    def fill(start: int, stop: int) -> None:
        fill_curvatures(start, stop, given.steps, given.flat, (gamma, vanna, charm))
        fill_delta_vega(start, stop, given.steps, given.flat, gamma, (delta, vega))

    in_chunks(fill, given.size, least=WORTH_A_THREAD)
    return Greeks(*(out.reshape(given.shape) for out in (delta, gamma, vega, vanna, charm)))


def curvatures(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    tau_years: npt.ArrayLike,
    sigma: npt.ArrayLike,
    right: npt.ArrayLike,
    *,
    rate: npt.ArrayLike = 0.0,
    dividend: npt.ArrayLike = 0.0,
) -> Curvatures:
    """Return gamma, vanna and charm per share alone, in less time than `greeks`.

    Parameters, shapes, NaN and refusals are those of `greeks`.
    """
    given = aligned(spot, strike, tau_years, sigma, right, rate, dividend)
    refuse_rights(given.flat[4])
    outputs = empty_outputs(given, 3)

    def fill(start: int, stop: int) -> None:
        fill_curvatures(start, stop, given.steps, given.flat, outputs)

    in_chunks(fill, given.size, least=WORTH_A_THREAD)
    return Curvatures(*(out.reshape(given.shape) for out in outputs))


def price(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    tau_years: npt.ArrayLike,
    sigma: npt.ArrayLike,
    right: npt.ArrayLike,
    *,
    rate: npt.ArrayLike = 0.0,
    dividend: npt.ArrayLike = 0.0,
) -> FloatArray:
    """Return the option's value in dollars per share.

    Parameters are those of `greeks`; at and past expiry it is the payoff.

    Returns
    -------
    price : ndarray
        Of the broadcast shape; NaN as in `greeks`. Out of the money it is accurate to its own
        last digits, however small; in the money it is the intrinsic value plus that.

    Raises
    ------
    InputError
        As `greeks`.
    """
    given = aligned(spot, strike, tau_years, sigma, right, rate, dividend)
    refuse_rights(given.flat[4])
    (out,) = empty_outputs(given, 1)

    def fill(start: int, stop: int) -> None:
        fill_prices(start, stop, given.steps, given.flat, out)

    in_chunks(fill, given.size, least=WORTH_A_THREAD)
    return out.reshape(given.shape)


def aligned(*inputs: npt.ArrayLike) -> Aligned:
    """Return inputs that broadcast together as a compiled loop reads them; scalars stay scalar.

    Raises
    ------
    InputError
        One holds no numbers, or the shapes do not broadcast.
    """
    arrays = [_numbers(given) for given in inputs]
    try:
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
    except ValueError:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise InputError(
            f"option inputs: shapes {shapes} do not broadcast; give one value for each contract, "
            "or one for all"
        ) from None
    steps = tuple(int(array.size != 1) for array in arrays)
    size = int(np.prod(shape))
    flat = []
    for array, step in zip(arrays, steps, strict=True):
        if step:
            row = np.ascontiguousarray(np.broadcast_to(array, shape)).reshape(-1).view()
        else:
            row = np.full(min(size, BLOCK), array.reshape(-1)[0])
        row.flags.writeable = False  # one type for all callers: the loop is compiled once
        flat.append(row)
    return Aligned(shape, size, steps, tuple(flat))


def _numbers(given: npt.ArrayLike) -> FloatArray:
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        what = f"{given!r:.40}".splitlines()[0]
        raise InputError(f"option inputs: {what} is no number or array; give numbers") from None


def empty_outputs(given: Aligned, count: int) -> tuple[FloatArray, ...]:
    """Return `count` flat arrays to be filled."""
    return tuple(np.empty(given.size) for _ in range(count))


def refuse_rights(right: FloatArray) -> None:
    """Raise InputError where a right is neither +1 nor -1."""
    if wrong_rights(right):
        at = int(np.argmax((right != 1.0) & (right != -1.0)))
        raise InputError(f"right: {right[at]} at place {at}; give +1 for a call, -1 for a put")
