"""Which bars a `KernelStrategy` can pass over because its `next` would do nothing on them."""

from __future__ import annotations

import numpy as np

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.orders import RISK, Rules


def _first_from(wanted: BoolArray) -> IntArray:
    """Return for each bar, and for the end, the first bar from it on that is wanted; n if none."""
    n = wanted.size
    index = np.append(np.where(wanted, np.arange(n), n), n)
    return np.minimum.accumulate(index[::-1])[::-1]


def _first_change(x: FloatArray | IntArray) -> IntArray:
    """Return for each bar the first later one whose value differs; n if none. NaN equals NaN."""
    differs = np.ones(x.size + 1, dtype=bool)
    differs[1:-1] = (x[1:] != x[:-1]) & ~(np.isnan(x[1:]) & np.isnan(x[:-1]))
    return _first_from(differs[:-1])[1:]


class Leaps:
    """The next bar that matters, for a strategy whose decisions are definitions 8 and no more.

    Parameters
    ----------
    signal : ndarray of shape (n_bars,)
        The kernel's target.
    rules : Rules
        Its orders.
    session, minutes_open, minutes_left, atr : ndarray of shape (n_bars,)
        NaN where no rule needs them.
    """

    def __init__(
        self,
        signal: FloatArray,
        rules: Rules,
        session: FloatArray,
        minutes_open: FloatArray,
        minutes_left: FloatArray,
        atr: FloatArray,
    ) -> None:
        target = np.nan_to_num(np.sign(signal)).astype(np.int64)
        target[(target > 0) & (not rules.longs)] = 0
        target[(target < 0) & (not rules.shorts)] = 0
        self._target, self._time_stop = target, rules.time_stop
        self._change = _first_change(target)
        enters = target != 0
        if rules.closes < np.inf:
            enters &= (rules.opens < minutes_open) & (minutes_open <= rules.closes)
        if rules.stop > 0.0 or rules.target > 0.0 or rules.size_kind == RISK:
            enters &= atr > 0.0
        flat = minutes_left <= rules.flat_minutes if rules.flat else np.zeros(target.size, bool)
        self._enters = _first_from(enters & ~flat)
        self._flat = _first_from(flat)
        self._session = _first_change(session) if rules.flat else None

    def while_flat(self, bar: int, blocked: int) -> tuple[int, int]:
        """Return the next bar on which an entry may be sent, and what is blocked by then."""
        change = int(self._change[bar])
        if not blocked:
            return int(self._enters[bar + 1]), 0
        after = int(self._enters[change]) if change < self._target.size else change
        return after, blocked if after <= change else 0

    def while_held(self, bar: int, side: int, entered: int) -> int:
        """Return the next bar on which an exit may be sent; the fill's was bar `entered`."""
        if self._target[bar] != side:
            return bar + 1
        found = int(self._change[bar])
        if self._time_stop:
            found = min(found, max(entered + self._time_stop - 1, bar + 1))
        if self._session is not None:
            found = min(found, int(self._flat[bar + 1]), int(self._session[bar]))
        return found
