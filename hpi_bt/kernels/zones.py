"""Entries into price zones: the bar whose range reaches into one that the last did not."""

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
    current, before_high, before_low = carry
    for i in range(high.size):
        if session[i] != current and not np.isnan(session[i]):
            current, before_high, before_low = session[i], np.nan, np.nan
        meets_below = low[i] <= below[1][i] and high[i] >= below[0][i]
        meets_above = low[i] <= above[1][i] and high[i] >= above[0][i]
        out[i] = 0.0
        if meets_below != meets_above:
            if meets_above and not before_high >= above[0][i]:
                out[i] = 1.0
            elif meets_below and not before_low <= below[1][i]:
                out[i] = -1.0
        if low[i] <= high[i]:  # not where the range is unknown
            before_high, before_low = high[i], low[i]
    carry[:] = current, before_high, before_low


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
        Session of each bar; NaN goes on with the last.

    Returns
    -------
    entry : ndarray of shape (n_bars,)
        Not 0 on a bar whose range meets a zone, its bounds included, while the last known range
        of the session lay wholly on the near side of the same bounds: above the zone below,
        below the zone above. So the price has moved into the zone: one that appears around the
        price, or moves onto it, is not entered, nor is one by passing its centre, which turns the
        zone above into the one below, or by coming back into it from its far side. The first bar
        of a session has none before it and enters whatever zone it meets. 0 where a bar meets
        both at once.
    """
    high, low, a, b, c, d, session = as_series(
        high, low, below_low, below_high, above_low, above_high, session
    )
    out = np.empty_like(high)
    carry = carried(state, "carry", 3, fill=np.nan)
    _entries(high, low, (a, b), (c, d), session, carry, out)
    return out
