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
