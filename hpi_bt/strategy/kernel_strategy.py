"""`KernelStrategy`: a signal kernel and `Orders` become a Backtrader strategy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar

import backtrader as bt
import numpy as np

from hpi_bt import orders as rulebook
from hpi_bt.feeds import bar_minutes, check_feed
from hpi_bt.indicators.authoring import Kernel, check_kernel, defaults_of, kernel_home
from hpi_bt.indicators.base import (
    Inputs,
    KernelIndicator,
    StandIns,
    inputs_under,
    kernel_lines,
    lines_by_name,
)
from hpi_bt.indicators.outputs import Outputs
from hpi_bt.kernels.wilder import wilder_atr
from hpi_bt.orders import Orders
from hpi_bt.strategy.authored import MetaAuthored
from hpi_bt.strategy.leaps import Leaps

# The rules as plain Python: for one bar this is faster than a call into compiled code.
_allowed_target = rulebook.allowed_target.py_func
_exit_code = rulebook.exit_code.py_func
_may_enter = rulebook.may_enter.py_func
_entry_size = rulebook.entry_size.py_func
_stop_price = rulebook.stop_price.py_func
_target_price = rulebook.target_price.py_func


_ATR = Outputs("KernelStrategy", "wilder_atr", ("atr",))


def target_outputs(strategy: type) -> Outputs:
    """Return what the signal kernel of a strategy gives: the target."""
    return Outputs(strategy.__name__, "signal_kernel", ("target",))


class KernelStrategy(bt.Strategy, metaclass=MetaAuthored):  # type: ignore[misc]
    """Base of strategies that are a pure signal kernel plus order rules.

    Declare `inputs`, `signal_kernel` (arrays in, target -1/0/+1 of shape (n_bars,) out; NaN is 0)
    and `params = defaults_of(signal_kernel)`; give the order rules as class attribute `orders` or
    as the parameter of that name. It trades `self.data` alone. Overriding `next` is allowed.

    Attributes
    ----------
    inputs, optional_inputs : tuple of str
        Names of the kernel's series, in its order, the optional ones last (NaN where absent).
    stand_ins : dict
        Columns that take the place of inputs, by the value of a parameter, as in KernelIndicator.
    shows : tuple of KernelIndicator classes
        What the signal page draws for it; each takes the parameters of the same name.
    counts : Counter
        After a run: rejected, capped, too_small, entry_bar_breaches, late_flat.
    """

    begun_by: ClassVar[str] = "signal"
    inputs: ClassVar[tuple[str, ...]] = ()
    optional_inputs: ClassVar[tuple[str, ...]] = ()
    stand_ins: ClassVar[StandIns] = {}
    shows: ClassVar[tuple[type[KernelIndicator], ...]] = ()
    signal_kernel: ClassVar[Kernel]
    orders: Orders = Orders()
    params = dict(orders=None)

    def __init__(self) -> None:
        super().__init__()
        if self.p.orders is not None:
            given = self.p.orders
            self.orders = Orders(**given) if isinstance(given, Mapping) else given
        target = self.outputs()
        options = {k: getattr(self.p, k) for k in defaults_of(self.signal_kernel)}
        sources = lines_by_name(
            self.data, *self.inputs_for(self.p._getkwargs()), owner=type(self).__name__
        )
        (self.signal,) = kernel_lines(
            self.signal_kernel, [self.data], sources, options, target
        ).lines
        self._atr = None
        if self.orders.stop or self.orders.target or self.orders.size.kind == "risk":
            bars = [self.data.high, self.data.low, self.data.close]
            length = {"length": self.orders.period}
            (self._atr,) = kernel_lines(wilder_atr, [self.data], bars, length, _ATR).lines
        self._day = self._day_lines()
        self.counts: Counter[str] = Counter()
        self._forget()
        self._blocked = 0
        self._signal_atr = np.nan

    @classmethod
    def outputs(cls) -> Outputs:
        """Return what its signal kernel gives, the target; what is written wrong is refused.

        Raises
        ------
        InputError
            The class has no signal kernel, or one that does not fit its inputs and parameters.
        """
        kernel_home(cls, KernelStrategy, "signal_kernel")
        own: Any = cls
        shown = (name for kind in cls.shows for name in kind.params._getpairs())
        series = (*cls.inputs, *cls.optional_inputs)
        used = {"orders", *cls.stand_ins, *shown}
        check_kernel(cls, "signal_kernel", series, own.params._getpairs(), used)
        return target_outputs(cls)

    @classmethod
    def inputs_for(cls, params: Mapping[str, Any]) -> Inputs:
        """Return the columns that its signal kernel takes under these parameters."""
        return inputs_under(cls, params)

    def _day_lines(self) -> list[Any]:
        needed = self.orders.window is not None or self.orders.flat_at_close
        names = ("session", "minutes_open", "minutes_left")
        found = self.data.lines.getlinealiases()
        missing = [n for n in names if n not in found]
        if missing and needed:
            raise TypeError(
                f"{type(self).__name__}: window and flat_at_close need the line {missing[0]!r}; "
                "build the frame with hpi_bt.sources.hours.add_hours"
            )
        if not missing and needed:
            check_feed(self.data, names, type(self).__name__)
        return [] if missing else [getattr(self.data.lines, n) for n in names]

    def _forget(self) -> None:
        self._stop_order: Any = None
        self._target_order: Any = None
        self._entry_bar, self._entry_session, self._entry_price = 0, np.nan, np.nan

    def _start(self) -> None:
        """Turn `Orders` into plain numbers, now that the broker knows the market; then `start`."""
        self._held = self.broker.getposition(self.data)  # the broker keeps it up to date
        cost = self.broker.getcommissioninfo(self.data)
        future = not cost.stocklike
        self.rules = self.orders.rules(
            bar_minutes=bar_minutes(self.data),
            multiplier=cost.p.mult if future else 1.0,
            margin=cost.margin if future else 0.0,
        )
        super()._start()

    def _notify(self, qorders: Any = (), qtrades: Any = ()) -> None:
        """Follow the orders whatever a subclass makes of `notify_order`, then notify of them."""
        for order in qorders if self.cerebro.p.quicknotify else self._orderspending:
            self._follow(order)
        super()._notify(qorders=qorders, qtrades=qtrades)

    def next(self) -> None:
        """Decide at this bar's close: leave, protect, enter (definitions 8)."""
        rules, size = self.rules, self._held.size
        target = _allowed_target(rules, self.signal[0])
        if self._blocked and target != self._blocked:
            self._blocked = 0
        if not size and not target:
            return
        session, since, left = [line[0] for line in self._day] or (np.nan, np.nan, np.nan)
        side = (size > 0) - (size < 0)
        code = rulebook.NO_EXIT
        held = len(self) - self._entry_bar + 1
        if side and held == 1 and rules.stop:
            self._count_breach(side)
        if getattr(self.broker, "idle", False):  # after ruin it has sent the last exit itself
            return
        if side:
            new_session = session != self._entry_session
            code = _exit_code(rules, side, target, held, new_session, left)
            if code:
                self._leave(side, target, code)
            elif held == 1:
                self._protect(side)
        atr = np.nan if self._atr is None else self._atr[0]
        if _may_enter(rules, side, target, code, self._blocked, atr, since, left):
            self._enter(target, atr)

    def leaps(self) -> Leaps | None:
        """Return which bars `next` does nothing on; None where it is overridden.

        `HedgeCerebro` passes them over; see `leap`.
        """
        hooks = ("next", "prenext", "nextstart")
        if any(getattr(type(self), h) is not getattr(KernelStrategy, h) for h in hooks):
            return None
        names = [self.signal, *(self._day or [None] * 3), self._atr]
        n = len(self.signal.array)
        signal, session, since, left, atr = (
            np.full(n, np.nan) if line is None else np.array(line.array[:n]) for line in names
        )
        return Leaps(signal, self.rules, session, since, left, atr)

    def leap(self, leaps: Leaps, bar: int) -> int:
        """Return the next bar on which `next` may do something, if no order fills before it."""
        size = self._held.size
        if size:
            return leaps.while_held(bar, 1 if size > 0 else -1, self._entry_bar - 1)
        found, self._blocked = leaps.while_flat(bar, self._blocked)
        return found

    def _enter(self, side: int, atr: float) -> None:
        equity, price = self.broker.getvalue(), self.data.close[0]
        size, capped = _entry_size(self.rules, equity, price, atr)
        self.counts["capped"] += capped
        self.counts["too_small"] += size == 0.0
        if size > 0.0:
            self._signal_atr = atr
            send = self.buy if side > 0 else self.sell
            send(size=size, exectype=bt.Order.Market, kind="entry", reason="entry")

    def _leave(self, side: int, target: int, code: int) -> None:
        for order in (self._stop_order, self._target_order):
            if order is not None and order.alive():
                self.cancel(order)
        self._send(-side, bt.Order.Market, "exit", rulebook.REASONS[code])
        if code == rulebook.TIME and target == side:
            self._blocked = side

    def _protect(self, side: int) -> None:
        rules, price, atr = self.rules, self._entry_price, self._signal_atr
        if rules.stop:
            at = _stop_price(rules, side, price, atr)
            self._stop_order = self._send(-side, bt.Order.Stop, "stop", "stop", price=at)
        if rules.target:
            at = _target_price(rules, side, price, atr)
            oco = self._stop_order
            self._target_order = self._send(
                -side, bt.Order.Limit, "target", "target", price=at, oco=oco
            )

    def _send(self, side: int, exectype: int, kind: str, reason: str, **how: Any) -> Any:
        """Send an exit for the whole position past the cash check, as exits free cash."""
        send = self.buy if side > 0 else self.sell
        size = abs(self.position.size)
        return send(
            size=size, exectype=exectype, kind=kind, reason=reason, _checksubmit=False, **how
        )

    def _count_breach(self, side: int) -> None:
        stop = _stop_price(self.rules, side, self._entry_price, self._signal_atr)
        hit = self.data.low[0] <= stop if side > 0 else self.data.high[0] >= stop
        self.counts["entry_bar_breaches"] += hit

    def _follow(self, order: Any) -> None:
        """Note what the broker did with the orders of this strategy."""
        kind = order.info.get("kind")
        if order.status in (order.Margin, order.Rejected):
            self.counts["rejected"] += 1
        elif order.status == order.Completed and kind == "entry":
            self._entry_bar, self._entry_price = len(self), order.executed.price
            self._entry_session = self._day[0][0] if self._day else np.nan
            self._stop_order = self._target_order = None
        elif order.status == order.Completed and kind in ("exit", "stop", "target"):
            if kind != "exit":
                self._blocked = 1 if order.issell() else -1
            if self.rules.flat and self._day and self._day[0][0] != self._entry_session:
                self.counts["late_flat"] += 1
            self._forget()
