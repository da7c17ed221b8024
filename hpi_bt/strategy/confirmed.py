"""`Confirmed`: any Backtrader strategy, its entries vetoed against hedge pressure."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import numpy as np

from hpi_bt.indicators.hedge_pressure_index import HedgePressureIndex

_AFTER_SIZE = (
    "price", "plimit", "exectype", "valid", "tradeid", "oco", "trailamount", "trailpercent",
    "parent", "transmit",
)  # fmt: skip


class Confirmed(bt.Strategy):  # type: ignore[misc]
    """Mix-in that vetoes a strategy's entries against hedge pressure.

    `class MyFiltered(Confirmed, MyStrategy): pass` keeps every setup of MyStrategy. Only orders
    that would increase |position| are asked about; reducing, parented and `close()` orders always
    pass, and of an order that reverses a position the closing part passes. A vetoed `buy` or
    `sell` returns None, a vetoed bracket three Nones.

    Parameters
    ----------
    confirm : dict
        Options of the `HedgePressureIndex` that is asked.
    confirm_level : float, default=0
        A long needs hpi >= level, a short hpi <= -level.
    confirm_unknown : bool, default=False
        Whether entries pass while hpi is not known yet.

    Attributes
    ----------
    confirm_pressure : dict
        The `HedgePressureIndex` of each data that has option volume.
    confirm_vetoes : list of dict
        Every veto: bar, time, data, side, size, hpi and reason.
    """

    params = dict(confirm=None, confirm_level=0.0, confirm_unknown=False)

    def __init__(self) -> None:
        options = dict(self.p.confirm or {})
        index: Any = HedgePressureIndex
        self.confirm_pressure = {
            d: index(d, **options) for d in self.datas if "put_volume" in d.lines.getlinealiases()
        }
        if not self.confirm_pressure:
            raise TypeError(
                f"{type(self).__name__}: no data has the lines put_volume and call_volume"
            )
        for asked in self.confirm_pressure.values():
            asked._minperiod = 1  # the user's own next() starts when it would without the filter
        self.confirm_vetoes: list[dict[str, Any]] = []
        self._confirm_sent: list[Any] = []
        self._confirm_closing = False
        super().__init__()

    def veto(self, data: Any, side: int) -> str:
        """Return why an entry to `side` (+1, -1) is refused, "" to let it pass. Override freely."""
        hpi = self._hpi(data)
        if np.isnan(hpi):
            return "" if self.p.confirm_unknown else "hedge pressure not known yet"
        if side * hpi < self.p.confirm_level:
            return f"hpi {hpi:+.2f} against a {'long' if side > 0 else 'short'}"
        return ""

    def _hpi(self, data: Any) -> float:
        index = self.confirm_pressure[
            data if data in self.confirm_pressure else next(iter(self.confirm_pressure))
        ]
        return float(index.lines.hpi[0]) if len(index) else float("nan")

    def _expected(self, side: int, data: Any, market: bool) -> float:
        """Return the position that an order of `side` will meet.

        Market orders on their way count. An order that waits for a price may also stand against
        an entry that waits for one: the protective stop sent together with a limit entry.
        """
        self._confirm_sent = [o for o in self._confirm_sent if o.alive()]
        held = float(self.getposition(data).size)
        for order in self._confirm_sent:
            left = order.executed.remsize
            at_once = order.exectype in (bt.Order.Market, bt.Order.Close)
            if order.data is data and (at_once or (not market and side * left < 0)):
                held += left
        return held

    def _filtered(
        self, side: int, data: Any, size: Any, parent: Any, exectype: Any
    ) -> tuple[Any, bool]:
        """Return the size that may pass and whether anything was vetoed."""
        if isinstance(data, str):
            data = self.getdatabyname(data)
        data = self.data if data is None else data
        if size is None:
            size = self.getsizing(data, isbuy=side > 0)
        if parent is not None or self._confirm_closing or not size:
            return size, False
        market = exectype in (None, bt.Order.Market, bt.Order.Close)
        held = self._expected(side, data, market)
        size = abs(size)
        reducing = min(size, max(-side * held, 0))
        reason = self.veto(data, side) if size > reducing else ""
        if not reason:
            return size, False
        self.confirm_vetoes.append({
            "bar": len(data) - 1,
            "time": data.datetime.datetime(0),
            "data": data._name,
            "side": side,
            "size": size - reducing,
            "hpi": self._hpi(data),
            "reason": reason,
        })  # fmt: skip
        return reducing, True

    def _ask(self, side: int, data: Any, size: Any, parent: Any, rest: dict[str, Any]) -> Any:
        allowed, vetoed = self._filtered(side, data, size, parent, rest.get("exectype"))
        if vetoed and not allowed:
            return None
        send = super().buy if side > 0 else super().sell
        order = send(data=data, size=allowed, parent=parent, **rest)
        if order is not None and parent is None:
            self._confirm_sent.append(order)
        return order

    def buy(self, data: Any = None, size: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Buy as `bt.Strategy.buy` does, unless hedge pressure speaks against it."""
        rest = dict(zip(_AFTER_SIZE, args, strict=False)) | kwargs
        return self._ask(+1, data, size, rest.pop("parent", None), rest)

    def sell(self, data: Any = None, size: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Sell as `bt.Strategy.sell` does, unless hedge pressure speaks against it."""
        rest = dict(zip(_AFTER_SIZE, args, strict=False)) | kwargs
        return self._ask(-1, data, size, rest.pop("parent", None), rest)

    def close(self, *args: Any, **kwargs: Any) -> Any:
        """Close the position; never vetoed."""
        self._confirm_closing = True
        try:
            return super().close(*args, **kwargs)
        finally:
            self._confirm_closing = False

    def buy_bracket(self, data: Any = None, size: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Send a bracket as `bt.Strategy.buy_bracket` does, or return three Nones."""
        return self._bracket(+1, super().buy_bracket, data, size, args, kwargs)

    def sell_bracket(self, data: Any = None, size: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Send a bracket as `bt.Strategy.sell_bracket` does, or return three Nones."""
        return self._bracket(-1, super().sell_bracket, data, size, args, kwargs)

    def _bracket(
        self, side: int, send: Any, data: Any, size: Any, args: Any, kwargs: dict[str, Any]
    ) -> Any:
        named = dict(zip(_AFTER_SIZE, args, strict=False)) | kwargs
        kind = named.get("exectype", bt.Order.Limit)  # as bt.Strategy.buy_bracket has it
        allowed, vetoed = self._filtered(side, data, size, None, kind)
        if not vetoed:
            return self._unasked(send, data, size, args, kwargs)
        if allowed:  # the part that closes an opposite position needs no bracket
            plain = self.buy if side > 0 else self.sell
            self._unasked(plain, data, allowed, (), {})
        return [None, None, None]

    def _unasked(self, send: Any, data: Any, size: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        self._confirm_closing = True
        try:
            return send(data, size, *args, **kwargs)
        finally:
            self._confirm_closing = False
