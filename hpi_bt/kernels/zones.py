"""Entries into price zones: the first bar whose range reaches into one."""

from __future__ import annotations

import numpy as np
from numba import njit

from hpi_bt.arrays import FloatArray, State, as_series, carried
from hpi_bt.kernels.memory import shared


@njit(cache=True, nogil=True)
def _entries(
    high: FloatArray,
    low: FloatArray,
    below: tuple[FloatArray, FloatArray],
    above: tuple[FloatArray, FloatArray],
    session: FloatArray,
    carry: FloatArray,
    out: FloatArray,
) -> None:
    inside, current, before_high, before_low = carry
    for i in range(high.size):
        if session[i] != current and not np.isnan(session[i]):
            inside, current, before_high, before_low = 0.0, session[i], np.nan, np.nan
        meets_below = low[i] <= below[1][i] and high[i] >= below[0][i]
        meets_above = low[i] <= above[1][i] and high[i] >= above[0][i]
        out[i] = 0.0
        if inside == 0.0 and meets_below != meets_above:
            if meets_above and not before_low > above[1][i]:
                out[i] = 1.0
            elif meets_below and not before_high < below[0][i]:
                out[i] = -1.0
        inside = 1.0 if meets_below or meets_above else 0.0
        before_high, before_low = high[i], low[i]
    carry[:] = inside, current, before_high, before_low


@shared
def zone_entries(
    high: FloatArray,
    low: FloatArray,
    below_low: FloatArray,
    below_high: FloatArray,
    above_low: FloatArray,
    above_high: FloatArray,
    session: FloatArray,
    *,
    state: State = None,
) -> FloatArray:
    """Return -1 on the bar that enters the zone below, +1 on the bar that enters the one above.

    Parameters
    ----------
    high, low : ndarray of shape (n_bars,)
        The bar's range, in dollars.
    below_low, below_high, above_low, above_high : ndarray of shape (n_bars,)
        Bounds of the two zones of one kind, in dollars; NaN where there is no such zone.
    session : ndarray of shape (n_bars,)
        Session of each bar; every session begins outside all zones, NaN goes on with the last.

    Returns
    -------
    entry : ndarray of shape (n_bars,)
        Not 0 on the first bar whose range meets a zone, its bounds included, where that of the
        bar before met none: passing a zone's centre, which turns the zone above into the one
        below, is no entry. Nor is coming back into a zone from its far side. 0 where a bar meets
        both at once.
    """
    high, low, a, b, c, d, session = as_series(
        high, low, below_low, below_high, above_low, above_high, session
    )
    out = np.empty_like(high)
    carry = carried(state, "carry", 4, fill=np.nan)
    if np.isnan(carry[0]):
        carry[0] = 0.0
    _entries(high, low, (a, b), (c, d), session, carry, out)
    return out
