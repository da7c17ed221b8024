"""Prices of round trips before slippage, as far as trades and opens tell them (SPEC section 9)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray
from hpi_bt.stats.forward import Bars

_ROUNDING = 1e-9  # relative: a price this near the open is the open
_LEAST = (3, 0.2)  # fills and share of those worse than their open that slippage must explain


def prices_before_slippage(closed: pd.DataFrame, bars: Bars) -> tuple[FloatArray, FloatArray]:
    """Return entry and exit prices as they were before slippage, each of shape (n_trades,).

    Parameters
    ----------
    closed : DataFrame of n_trades rows
        Closed trades as `entry_test` takes them; `exit_reason` is read where there is one.
    bars : Bars
        The bars that were traded.

    Returns
    -------
    entry, leave : ndarray

    Notes
    -----
    Slippage is a share s of the price; engines cap it at the bar's extreme. s is the commonest of
    direction x (entry price/open - 1) above 0, if 3 trades and a fifth of those above 0 have it;
    else there is none. A fill at the open, or worse than it by at most s, was a market order's and
    stands at the open. A stop's exit elsewhere stands at the price that the stop was sent with, if
    worse than it by at most s, and is else (a stop that was moved) given back s. All other prices
    (targets, a strategy's own limit and stop entries) stay as they are.
    """
    direction = np.sign(closed["direction"].to_numpy(dtype=np.float64))
    paid = []
    for end, side in (("entry", direction), ("exit", -direction)):
        price = closed[f"{end}_price"].to_numpy(dtype=np.float64)
        at = closed[f"{end}_bar"].to_numpy(dtype=np.int64)
        paid.append((price, bars.open[at], side * (price / bars.open[at] - 1.0)))
    (entry, entry_open, worse), (leave, exit_open, lost) = paid
    share = _common(worse)
    entry = np.where(_at_market(worse, share), entry_open, entry)
    out = np.where(_at_market(lost, share), exit_open, leave)
    if "exit_reason" in closed:
        stopped = closed["exit_reason"].eq("stop").to_numpy() & ~_at_market(lost, share)
        out = np.where(stopped, leave / (1.0 - direction * share), out)
        if "stop_price" in closed:
            sent = closed["stop_price"].to_numpy(dtype=np.float64)
            sent = np.where(sent > 0.0, sent, np.nan)
            near = _at_market(-direction * (leave / sent - 1.0), share)
            out = np.where(stopped & near, sent, out)
    return entry, out


def _common(worse: FloatArray) -> float:
    """Return the share of the price that entries at market paid, 0 where none stands out."""
    above = worse[worse > _ROUNDING]
    if not above.size:
        return 0.0
    value, count = np.unique(above.round(8), return_counts=True)
    best = int(count.argmax())
    enough = count[best] >= max(_LEAST[0], _LEAST[1] * above.size)
    return float(value[best]) if enough else 0.0


def _at_market(worse: FloatArray, share: float) -> BoolArray:
    return np.asarray((worse >= -_ROUNDING) & (worse <= share + 1e-8))
