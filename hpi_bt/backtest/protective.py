"""Which stop and which target first protected a position, for any strategy in Backtrader."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hpi_bt.backtest.record import DUST, split_fill

_NONE = {"stop_price": np.nan, "target_price": np.nan}


class _Resting(NamedTuple):
    """An order that waits for its price: which column it fills, side that it trades, price."""

    column: str
    side: int
    price: float


class Protection:
    """Follows the orders of a run and notes the protective prices on the fill that they protect.

    An order protects a position which it would reduce: a stop of any kind is its stop, a limit
    its target. The first of each kind counts that the broker accepted while the position was
    open, or before and that still waited when it was opened, as the parts of a bracket do.
    """

    def __init__(self) -> None:
        self._resting: dict[Any, dict[int, _Resting]] = {}
        self._held: dict[Any, float] = {}
        self._largest: dict[Any, float] = {}
        self._fill: dict[Any, dict[str, Any]] = {}

    def accepted(self, order: Any) -> None:
        """Note an order that the broker has accepted."""
        column = _column(order)
        if not column:
            return
        resting = _Resting(column, 1 if order.isbuy() else -1, _first_price(order))
        self._resting.setdefault(order.data, {}).setdefault(order.ref, resting)
        self._apply(order.data, resting)

    def ended(self, order: Any) -> None:
        """Forget an order that is filled, cancelled, expired or rejected."""
        self._resting.get(order.data, {}).pop(order.ref, None)

    def filled(self, data: Any, fill: dict[str, Any]) -> None:
        """Take a fill, before the order that it is of is `ended`; give it its two columns."""
        fill |= _NONE
        closed, opened = split_fill(float(fill["size"]), float(fill["closed"]))
        held = self._held.get(data, 0.0)
        held += np.sign(fill["size"]) * closed
        largest = self._largest.get(data, 0.0)
        fresh = bool(closed and opened) or abs(held) <= DUST * largest  # as trades are
        held = (0.0 if fresh else held) + np.sign(fill["size"]) * opened
        self._largest[data] = abs(held) if fresh else max(largest, abs(held))
        self._held[data] = held
        if opened and fresh:
            self._fill[data] = fill
            for resting in self._resting.get(data, {}).values():
                self._apply(data, resting)

    def _apply(self, data: Any, resting: _Resting) -> None:
        fill = self._fill.get(data)
        if fill is None or self._held[data] * resting.side >= 0.0:
            return
        if np.isnan(fill[resting.column]):
            fill[resting.column] = resting.price


def _column(order: Any) -> str:
    """Return the column that an order of its kind fills, "" where it protects nothing."""
    if order.exectype == order.Limit:
        return "target_price"
    stops = (order.Stop, order.StopLimit, order.StopTrail, order.StopTrailLimit)
    return "stop_price" if order.exectype in stops else ""


def _first_price(order: Any) -> float:
    """Return the price that an order was sent with; a trailing stop's before it has moved."""
    if order.exectype not in (order.StopTrail, order.StopTrailLimit):
        return float(order.created.price)
    base = order.price or order.pricelimit or order.created.pclose
    distance = order.trailamount or base * (order.trailpercent or 0.0)
    return float(base + distance if order.isbuy() else base - distance)
