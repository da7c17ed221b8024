"""Strikes that stand out in a chain: walls of gamma, and where holders would be paid least."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hpi_bt.arrays import BoolArray, FloatArray

Rows = npt.NDArray[np.intp]

#: Share of its largest magnitude below which a running sum is next to nothing.
NEXT_TO_NOTHING = 1e-3


def heaviest(strike: FloatArray, weight: FloatArray, spot: float) -> float:
    """Return the strike with the largest summed weight; the nearest to spot of equal ones.

    Both of shape (n,). NaN where no weight is above 0; unknown (NaN) weights are none.
    """
    strikes, place = np.unique(strike, return_inverse=True)
    totals = np.bincount(place, weights=np.nan_to_num(weight, nan=0.0), minlength=len(strikes))
    if not (totals > 0.0).any():
        return float("nan")
    return nearest(strikes[totals == totals.max()], spot)


def least_paid(
    strike: FloatArray, right: FloatArray, open_interest: FloatArray, spot: float
) -> float:
    """Return the strike at which these contracts would pay their holders least at expiry.

    All of shape (n,). Equal strikes: the nearest to spot; NaN without any open interest.
    """
    held = np.nan_to_num(open_interest, nan=0.0)
    if not held.any():
        return float("nan")
    strikes, place = np.unique(strike, return_inverse=True)
    n = len(strikes)
    calls: FloatArray = np.bincount(place, np.where(right > 0.0, held, 0.0), n).astype(np.float64)
    puts: FloatArray = np.bincount(place, np.where(right < 0.0, held, 0.0), n).astype(np.float64)
    pain = _paid(strikes, calls) + _paid(-strikes[::-1], puts[::-1])[::-1]
    least = pain.min()
    return nearest(strikes[pain <= least + 1e-12 * np.abs(pain).max()], spot)


def _paid(strikes: FloatArray, calls: FloatArray) -> FloatArray:
    """Return what calls at ascending strikes pay if the price settles at each of them."""
    steps = np.diff(strikes, prepend=strikes[0])
    in_the_money = np.concatenate(([0.0], np.cumsum(calls)[:-1]))
    return np.cumsum(steps * in_the_money)


def nearest(strikes: FloatArray, spot: float) -> float:
    """Return the strike nearest to spot, the lower of two."""
    return float(strikes[np.argmin(np.abs(strikes - spot))])


def zero_of_sum(
    strikes: FloatArray, values: FloatArray, spot: float, reach: float = np.inf
) -> tuple[float, bool]:
    """Return where the running sum of `values` over ascending strikes crosses 0, nearest to spot.

    Parameters
    ----------
    strikes, values : ndarray of shape (n,)
    spot : float
        Same unit as `strikes`.
    reach : float
        How far from spot a crossing may lie, as a share of spot.

    Returns
    -------
    price : float
        Linear between strikes; a sum that is 0 to rounding at a strike crosses there if its sign
        differs on both sides. The sum must reach a thousandth of its largest magnitude on either
        side of a crossing, with opposite signs; NaN where it nowhere does.
    crosses : bool
        Whether the sum changes its sign at all, however faintly and however far from spot.
    """
    total = np.cumsum(values)
    known = np.flatnonzero(np.abs(total) > 1e-12 * np.cumsum(np.abs(values)))
    low, high = known[:-1], known[1:]
    turn = total[low] * total[high] < 0.0
    low, high = low[turn], high[turn]
    if not len(low):
        return float("nan"), False
    share = total[low] / (total[low] - total[high])
    roots = strikes[low] + share * (strikes[high] - strikes[low])
    flat = high > low + 1  # exact zeros between them: the first of these strikes
    roots[flat] = strikes[low[flat] + 1]
    roots = roots[_lasting(total, low, high) & (np.abs(roots - spot) <= reach * spot)]
    return (nearest(np.sort(roots), spot) if len(roots) else float("nan")), True


def _lasting(total: FloatArray, low: Rows, high: Rows) -> BoolArray:
    """Return which changes of sign, between places `low` and `high`, are more than noise."""
    size = np.abs(total)
    large = np.flatnonzero(size >= NEXT_TO_NOTHING * size.max())
    before = np.searchsorted(large, low, side="right") - 1
    after = np.searchsorted(large, high, side="left")
    inside = (before >= 0) & (after < len(large))
    signs = np.sign(total[large])
    turned = signs[np.maximum(before, 0)] != signs[np.minimum(after, len(large) - 1)]
    return np.asarray(inside & turned)
