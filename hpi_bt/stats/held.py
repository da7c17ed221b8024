"""How much of the account a position is."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from hpi_bt.arrays import FloatArray


def exposures(
    position: npt.ArrayLike, price: npt.ArrayLike, equity: npt.ArrayLike, multiplier: float = 1.0
) -> FloatArray:
    """Return the value of the position as a share of equity, shape (n_bars,), negative when short.

    Parameters
    ----------
    position : array of shape (n_bars,)
        Units held, negative when short.
    price, equity : array of shape (n_bars,)
        What a unit and the account are worth at that moment.
    multiplier : float, default=1.0
        Of a future: account currency a point.

    Returns
    -------
    exposures : ndarray of shape (n_bars,)
        1 is fully invested, more is borrowed; 0 where nothing is held, whatever the rest; NaN where
        something is and price is unknown or equity not above 0.
    """
    held, at, worth = (np.asarray(x, dtype=np.float64) for x in (position, price, equity))
    share = np.full(held.shape, np.nan)
    np.divide(held * at * multiplier, worth, out=share, where=worth > 0.0)
    return np.where(held == 0.0, 0.0, share)


def mean_known(values: FloatArray) -> float:
    """Return the mean of the known values, NaN where there is none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan


def without_flows(
    equity: npt.ArrayLike, flows: npt.ArrayLike | None, start_value: float
) -> FloatArray:
    """Return what the account had become without cash paid in or taken out, shape (n_bars,).

    Parameters
    ----------
    equity : array of shape (n_bars,)
        Account value at each close.
    flows : array of shape (n_bars,), optional
        Cash that came with each bar, negative where it was taken out; None: none ever.
    start_value : float
        Account value before the first bar.

    Notes
    -----
    A bar's return is (value - flow)/value before - 1 (time-weighted); at or below 0 the account
    stays where it is.
    """
    worth = np.asarray(equity, dtype=np.float64)
    if flows is None:
        return worth
    before = np.append(start_value, worth[:-1])
    growth = np.ones(worth.size)
    np.divide(worth - np.asarray(flows), before, out=growth, where=before > 0.0)
    return np.asarray(start_value * np.cumprod(growth), dtype=np.float64)
