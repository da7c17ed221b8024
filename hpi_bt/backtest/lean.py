"""A Cerebro and a broker that skip the work which cannot change anything.

`HedgeCerebro` takes its short loop only when nobody could tell: one bulk-loaded `HedgeData`, one
strategy, no observers but the standard ones, no writers, timers or cheat-on-open, no analyzer or
strategy hook that wants every bar, and its own broker without credit interest. Otherwise it is
stock Backtrader.
"""

from __future__ import annotations

from typing import Any

import backtrader as bt
import numpy as np

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.backtest.observing import Observing, are_standard, may_be_read
from hpi_bt.feeds import HedgeData, check_exactbars
from hpi_bt.strategy import KernelStrategy
from hpi_bt.strategy.leaps import Leaps

_ANALYZER_HOOKS = (
    "next", "prenext", "nextstart", "_next", "_prenext", "_nextstart", "notify_cashvalue",
    "notify_fund", "_notify_cashvalue", "_notify_fund",
)  # fmt: skip
_STRATEGY_HOOKS = (
    "notify_cashvalue", "notify_fund", "_notify", "_oncepost", "_getminperstatus", "clear",
    "_next_analyzers", "_next_observers", "forward", "_addnotification",
)  # fmt: skip
_VALUE_HOOKS = (
    "getvaluesize", "profitandloss", "get_leverage", "get_margin", "cashadjust", "confirmexec",
)  # fmt: skip


class LeanBroker(bt.brokers.BackBroker):  # type: ignore[misc]
    """Stock broker that, inside `HedgeCerebro`'s loop, wakes up only when an order can trigger.

    The account value is computed when somebody asks for it. Outside that loop it is stock.
    """

    _lean = False
    _stale = False
    _bar = -1

    def begin(self, data: Any) -> None:
        """Enter the short loop over one data feed."""
        names = ("open", "high", "low", "close")
        arrays = [np.frombuffer(getattr(data.lines, n).array, dtype=np.float64) for n in names]
        opens, highs, lows, _ = arrays
        self._ordered = bool(((highs >= opens) & (opens >= lows)).all())
        self._highs, self._lows = highs, lows
        self._high, self._low = data.lines.high.array, data.lines.low.array
        self._close = data.lines.close.array
        self._cost = self.getcommissioninfo(data)
        self._held = self.positions[data]
        self._daily = not self._cost.stocklike
        self._log: list[tuple[int, float, float, float]] = [(-1, self.cash, 0.0, 0.0)]
        self._reset: dict[int, float] = {}  # bars on which a strategy set the cash
        self._bar = -1
        self._lean = True

    def step(self, bar: int) -> None:
        """Do what `next` would do on this bar; `bar` counts from 0."""
        self._bar = bar
        if self._busy(bar):
            super().next()
            self._log.append((bar, self.cash, self._held.size, self._held.price))
            self._stale = False
            return
        if self._daily and self._held.size:
            held, close = self._held, self._close[bar]
            self.cash += self._cost.cashadjust(held.size, held.adjbase, close)
            held.adjbase = close
            self._log.append((bar, self.cash, held.size, held.price))
        self._stale = True

    def _busy(self, bar: int) -> bool:
        if self.submitted or self._toactivate or self._cash_addition:
            return True
        for order in self.pending:
            kind, price = order.exectype, order.created.price
            if not self._ordered or order.valid is not None or not order.active():
                return True
            if kind == bt.Order.Stop:
                reached = self._high[bar] >= price if order.isbuy() else self._low[bar] <= price
            elif kind == bt.Order.Limit:
                reached = self._low[bar] <= price if order.isbuy() else self._high[bar] >= price
            else:
                return True
            if reached:
                return True
        return False

    @property
    def waiting(self) -> bool:
        """Whether something happens at the next bar, whatever its prices."""
        return bool(self.submitted or self._toactivate or self._cash_addition)

    def first_event(self, bar: int, limit: int) -> int:
        """Return the first bar after `bar`, `limit` at the latest, on which an order may fill."""
        if self._daily and self._held.size:
            return bar + 1  # futures are marked at every close
        for order in self.pending:
            kind, price = order.exectype, order.created.price
            simple = kind in (bt.Order.Stop, bt.Order.Limit) and order.valid is None
            if not (simple and self._ordered and order.active()):
                return bar + 1
            rises = (kind == bt.Order.Stop) == order.isbuy()
            limit = _first_reach(self._highs if rises else self._lows, price, rises, bar, limit)
        return limit

    def add_cash(self, cash: float) -> None:
        """Add cash from the next bar on; the value of this bar is without it."""
        self._settle()
        super().add_cash(cash)

    def set_cash(self, cash: float) -> None:
        """Set the cash; until the next bar the account's value is that and no more."""
        self._settle()
        super().set_cash(cash)
        if self._lean:
            self._note_cash()

    def _note_cash(self) -> None:
        """Note cash that came within a bar; until the next, the account's value is as it was."""
        self._log.append((self._bar, self.cash, self._held.size, self._held.price))
        self._reset[self._bar] = self._value

    setcash = set_cash

    def _settle(self) -> None:
        if self._stale:
            self._stale = False
            self._get_value()

    def get_value(self, datas: Any = None, mkt: bool = False, lever: bool = False) -> float:
        """Return the account value, as of this bar's close."""
        self._settle()
        cash = self.cash
        value: float = super().get_value(datas=datas, mkt=mkt, lever=lever)
        if self._lean and self.cash != cash:  # asked for one data, Backtrader adds waiting cash
            self._note_cash()
        return value

    getvalue = get_value

    def value_now(self) -> float:
        """Return the account value at the loop's bar, without the work that only readers need."""
        if not self._stale:
            return float(self._value)
        held, cost = self._held, self._cost
        if not held.size:
            return float(self.cash)
        close = self._close[self._bar]
        value = abs(held.size) * cost.margin if self._daily else held.size * close
        gain = held.size * (close - held.price) * cost.p.mult
        if value > 0.0:
            value = (value - gain) / cost.get_leverage() + gain
        return float(self.cash + value)

    def get_leverage(self) -> float:
        """Return the leverage in use."""
        self._settle()
        leverage: float = super().get_leverage()
        return leverage

    def get_fundvalue(self) -> float:
        """Return the value of a share of the account."""
        self._settle()
        value: float = super().get_fundvalue()
        return value

    fundvalue = property(get_fundvalue)

    def end(self) -> None:
        """Leave the short loop."""
        self._settle()
        del self._highs, self._lows  # they would keep the feed's arrays from growing
        self._lean = False

    def _entries(self, n_bars: int) -> IntArray:
        """Return the log's entry that holds at each close, shape (n_bars,)."""
        changed = np.zeros(n_bars, dtype=np.int64)
        for i, (bar, *_) in enumerate(self._log[1:], start=1):
            changed[bar] = i
        entries: IntArray = np.maximum.accumulate(changed)
        return entries

    def cash_curve(self, n_bars: int) -> FloatArray:
        """Return the cash at each close, from the log of what changed."""
        cash: FloatArray = np.array([entry[1] for entry in self._log])[self._entries(n_bars)]
        return cash

    def curves(self, n_bars: int) -> tuple[FloatArray, FloatArray]:
        """Return account value and position at each close, from the log of what changed."""
        cash, size, price = np.array([entry[1:] for entry in self._log]).T
        row = self._entries(n_bars)
        cash, size, price = cash[row], size[row], price[row]
        close = np.array(self._close[:n_bars])
        value = np.abs(size) * self._cost.margin if self._daily else size * close
        gain = size * (close - price) * self._cost.p.mult
        unlevered = np.where(value > 0.0, (value - gain) / self._cost.get_leverage() + gain, value)
        total = cash + unlevered
        for bar, value in self._reset.items():
            total[bar] = value
        return total, size


def _first_reach(prices: FloatArray, price: float, rises: bool, bar: int, limit: int) -> int:
    """Return the first bar after `bar` whose high (low) reaches `price`; `limit` if none before."""
    start, size = bar + 1, 64
    while start < limit:
        part = prices[start : min(start + size, limit)]
        hit = part >= price if rises else part <= price
        if hit.any():
            return start + int(hit.argmax())
        start, size = start + size, 4 * size
    return limit


class HedgeCerebro(bt.Cerebro):  # type: ignore[misc]
    """A `bt.Cerebro` with a short loop; same results, several times faster.

    Use it in place of `bt.Cerebro`: `strategy.stats`, `cerebro.plot` and analyzers have what they
    have there. After a run `loop` tells which loop ran: "lean" or the reason why it was "stock".

    Raises
    ------
    InputError
        When it runs with `exactbars=1` and several datas, of which Backtrader loses bars.
    """

    loop = ""

    def __init__(self) -> None:
        super().__init__()
        self._broker = LeanBroker()
        self._broker.cerebro = self

    def runstrategies(self, iterstrat: Any, predata: bool = False) -> Any:
        """Run a set of strategies as `bt.Cerebro` does."""
        check_exactbars(self, "HedgeCerebro")
        return super().runstrategies(iterstrat, predata)

    def _runonce(self, runstrats: list[Any]) -> None:
        reason = self._why_stock(runstrats)
        self.loop = f"stock: {reason}" if reason else "lean"
        if reason:
            super()._runonce(runstrats)
        else:
            self._run_lean(runstrats[0])

    def _why_stock(self, runstrats: list[Any]) -> str:
        """Return what forbids the short loop, "" where nothing does."""
        if len(self.datas) != 1 or len(runstrats) != 1:
            return "several feeds or strategies"
        data, strategy = self.datas[0], runstrats[0]
        if not isinstance(data, HedgeData) or not data.bulk:
            return "the feed is not a bulk-loaded HedgeData"
        unusual = {
            "cheat on open": self.p.cheat_on_open,
            "timers": self._timers or self._timerscheat,
            "writers": self.runwriters,
            "observers": self.observers or not are_standard(strategy.getobservers()),
            "quicknotify": self.p.quicknotify,
            "oldsync": self.p.oldsync,
        }
        for name, found in unusual.items():
            if found:
                return name
        return _why_stock_broker(self._broker, data) or _why_stock_hooks(strategy)

    def _run_lean(self, strategy: Any) -> None:
        strategy._once()
        strategy.reset()
        data, broker = self.datas[0], self._broker
        n, stamps = data.buflen(), data.lines.datetime.array
        made = [line for child in strategy.getindicators() for line in child.lines]
        own, dated = list(strategy.lines), strategy.lines.datetime
        ticking = [*data.lines, *made]
        broker.begin(data)
        leaps = _leaps_of(strategy)
        observing = Observing(strategy, broker, n, at_once=leaps is not None)
        warm = max(strategy._minperiods)
        progress = [a.p for a in strategy.analyzers if getattr(a.p, "progress", None)]
        bar, visited = -1, 0
        while bar + 1 < n:
            step = 1
            if leaps is not None and bar >= 0 and bar + 1 >= warm and not broker.waiting:
                step = broker.first_event(bar, min(strategy.leap(leaps, bar), n - 1)) - bar
            for line in ticking:
                line._idx += step
                line.lencount += step
            broker.step(bar + step)
            if self._event_stop:
                break
            for line in own:
                line.forward(size=step)
            dated.array[-step:] = stamps[bar + 1 : bar + 1 + step]
            bar += step
            if broker.notifs:
                self._deliver(strategy)
            _call_next(strategy, warm - bar - 1)
            observing.after(bar, step)
            if strategy._orderspending or strategy._tradespending:
                strategy.clear()
            visited += 1
            if progress and not visited % progress[0].every:
                progress[0].progress(bar / n)
            if self._event_stop:
                break
        strategy._minperstatus = warm - bar - 1
        broker.end()
        observing.end(bar + 1)
        for analyzer in strategy.analyzers:
            if getattr(analyzer, "lean", False):
                analyzer.take_curves(*broker.curves(bar + 1))

    def _deliver(self, strategy: Any) -> None:
        """Hand the broker's news to the strategy and its analyzers, in stock order."""
        broker = self._broker
        while broker.notifs:
            order = broker.notifs.popleft()
            owner = strategy if order.owner is None else order.owner
            owner._addnotification(order, quicknotify=False)
        analyzers = [*strategy.analyzers, *strategy._slave_analyzers]
        for order in strategy._orderspending:
            if order.exectype != order.Historical or order.histnotify:
                strategy.notify_order(order)
            for analyzer in analyzers:
                analyzer._notify_order(order)
        for trade in strategy._tradespending:
            strategy.notify_trade(trade)
            for analyzer in analyzers:
                analyzer._notify_trade(trade)


def _leaps_of(strategy: Any) -> Leaps | None:
    """Return which bars a strategy sleeps on; None where each is run, or its observers are read."""
    if not isinstance(strategy, KernelStrategy):
        return None
    if strategy.getobservers() and may_be_read(strategy):
        return None
    return strategy.leaps()


def _call_next(strategy: Any, bars_to_warm: int) -> None:
    if bars_to_warm < 0:
        strategy.next()
    elif bars_to_warm == 0:
        strategy.nextstart()
    else:
        strategy.prenext()


def _why_stock_broker(broker: Any, data: Any) -> str:
    cost = broker.getcommissioninfo(data)
    kind = type(cost)
    own_interest = any(
        getattr(kind, name) is not getattr(bt.CommInfoBase, name)
        for name in ("get_credit_interest", "_get_credit_interest")
    )
    if type(broker) is not LeanBroker:
        return "another broker"
    if cost.p.interest or own_interest:
        return "credit interest"
    if cost.p.automargin or any(
        getattr(kind, name) is not getattr(bt.CommInfoBase, name) for name in _VALUE_HOOKS
    ):
        return "commission scheme"
    if broker.p.coo or broker.p.coc or broker.p.fundmode or not broker.p.shortcash:
        return "broker settings"
    if broker._userhist or broker._fundhist or broker.pending or broker.submitted:
        return "order or fund history"
    return ""


def _why_stock_hooks(strategy: Any) -> str:
    for name in _STRATEGY_HOOKS:
        if getattr(type(strategy), name) is not getattr(bt.Strategy, name):
            return f"{type(strategy).__name__}.{name}"
    for analyzer in (*strategy.analyzers, *strategy._slave_analyzers):
        kind = type(analyzer)
        if getattr(analyzer, "lean", False):
            continue
        for name in _ANALYZER_HOOKS:
            if getattr(kind, name) is not getattr(bt.Analyzer, name):
                return f"analyzer {kind.__name__}"
        if analyzer._children:
            return f"analyzer {kind.__name__}"
    return ""
