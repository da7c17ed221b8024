"""The middle of each contract's quotes, and what stands in for them where a chain has none."""

from __future__ import annotations

import numpy as np

from hpi_bt.arrays import BoolArray, FloatArray

#: Said of a chain without bids and asks whose contracts have last prices.
LAST_PRICES = (
    "No bid or ask is known: forwards and vols come from last prices of contracts with volume, "
    "which need not be of one moment."
)


def traded(last: FloatArray | None, volume: FloatArray) -> BoolArray:
    """Return which contracts have volume and a last price, shape (n_contracts,)."""
    if last is None:
        return np.zeros(len(volume), dtype=bool)
    return np.asarray((last > 0.0) & (volume > 0.0))


def middles(bid: FloatArray, ask: FloatArray) -> FloatArray:
    """Return the middle of bid and ask where there is a bid and they are not crossed, else NaN."""
    good = (bid > 0.0) & (ask >= bid)
    return np.where(good, 0.5 * (bid + ask), np.nan)
