"""`Confirmed`: any Backtrader strategy, its entries vetoed against hedge pressure."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, TypeAlias

import backtrader as bt
import numpy as np

from hpi_bt.feeds import names_of
from hpi_bt.indicators.hedge_pressure_index import HedgePressureIndex
from hpi_bt.strategy.authored import MetaAuthored

_AFTER_SIZE = (
    "price", "plimit", "exectype", "valid", "tradeid", "oco", "trailamount", "trailpercent",
    "parent", "transmit",
)  # fmt: skip

_Asked: TypeAlias = dict[str, Any] | None


class Confirmed(bt.Strategy, metaclass=MetaAuthored):  # type: ignore[misc]
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
    confirm_enabled : bool, default=True
        False lets every order pass as if there were no filter, and only notes in `confirm_asked`
        what it would have said.

    Attributes
    ----------
    confirm_pressure : dict
        The `HedgePressureIndex` of each data that has option volume.
    confirm_vetoes : list of dict
        Every veto: bar, time, data, side, size, hpi and reason.
    confirm_asked : list of dict
        Every entry that was asked about, vetoed or not: the same, reason "" where it may pass, and
        the order that was sent (None where there is none).
    """

    mix_in, begun_by = True, "confirm_vetoes"
    params = dict(confirm=None, confirm_level=0.0, confirm_unknown=False, confirm_enabled=True)

    def __init__(self) -> None:
        options = dict(self.p.confirm or {})
        index: Any = HedgePressureIndex
        needed = index.inputs_for(options).required
        self.confirm_pressure = {
            d: index(d, **options) for d in self.datas if needed[0] in d.lines.getlinealiases()
        }
        if not self.confirm_pressure:
            raise TypeError(f"{type(self).__name__}: no data has the lines {' and '.join(needed)}")
        for asked in self.confirm_pressure.values():
            asked._minperiod = 1  # the user's own next() starts when it would without the filter
        self.confirm_vetoes: list[dict[str, Any]] = []
        self.confirm_asked: list[dict[str, Any]] = []
        self._confirm_names = names_of(self.datas)
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
    ) -> tuple[Any, _Asked]:
        """Return the size that may pass, and what was asked where it is an entry."""
        if isinstance(data, str):
            data = self.getdatabyname(data)
        data = self.data if data is None else data
        if size is None:
            size = self.getsizing(data, isbuy=side > 0)
        if parent is not None or self._confirm_closing or not size:
            return size, None
        market = exectype in (None, bt.Order.Market, bt.Order.Close)
        held = self._expected(side, data, market)
        size = abs(size)
        reducing = min(size, max(-side * held, 0))
        if size <= reducing:
            return size, None
        asked = self._asked(data, side, size - reducing)
        return (reducing if self._refused(asked) else size), asked

    def _asked(self, data: Any, side: int, size: float) -> dict[str, Any]:
        """Ask about an entry, and note it."""
        asked = {
            "bar": len(data) - 1,
            "time": data.datetime.datetime(0),
            "data": self._confirm_names.get(data, data._name),
            "side": side,
            "size": size,
            "hpi": self._hpi(data),
            "reason": self.veto(data, side),
        }
        if self._refused(asked):
            self.confirm_vetoes.append(dict(asked))
        asked["order"] = None
        self.confirm_asked.append(asked)
        return asked

    def _refused(self, asked: _Asked) -> bool:
        return asked is not None and bool(asked["reason"]) and self.p.confirm_enabled

    def _ask(self, side: int, data: Any, size: Any, parent: Any, rest: dict[str, Any]) -> Any:
        allowed, asked = self._filtered(side, data, size, parent, rest.get("exectype"))
        if self._refused(asked) and not allowed:
            return None
        send = super().buy if side > 0 else super().sell
        order = send(data=data, size=allowed, parent=parent, **rest)
        if order is not None and parent is None:
            self._confirm_sent.append(order)
        if asked is not None and not self._refused(asked):
            asked["order"] = order
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
        allowed, asked = self._filtered(side, data, size, None, kind)
        if not self._refused(asked):
            sent = self._unasked(send, data, size, args, kwargs)
            if asked is not None:
                asked["order"] = sent[0]
            return sent
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


def watched(strategy: type[Confirmed], entries: list[dict[str, Any]]) -> type[Confirmed]:
    """Return the strategy, which fills `entries` when a run of it ends.

    Each entry is what `confirm_asked` holds, with `filled` in place of the order: the bar of its
    first fill, -1 where it was never filled.
    """

    def stop(self: Confirmed) -> None:
        super(made, self).stop()
        entries.extend(_plain(asked) for asked in self.confirm_asked)

    made: type[Confirmed] = type(
        strategy.__name__, (strategy,), {"stop": stop, "__doc__": strategy.__doc__}
    )
    return made


def _plain(asked: dict[str, Any]) -> dict[str, Any]:
    """Return an entry without its order, with the bar that filled it."""
    order, bar = asked["order"], -1
    if order is not None and order.executed.exbits:
        stamps = order.data.lines.datetime.array
        bar = bisect_left(stamps, order.executed.exbits[0].dt)
    return {k: v for k, v in asked.items() if k != "order"} | {"filled": bar}
