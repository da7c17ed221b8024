"""A Cerebro that skips the work which cannot change anything.

`HedgeCerebro` takes its short loop only when nobody could tell: one bulk-loaded `HedgeData`, one
strategy, no observers but the standard ones, no writers, timers or cheat-on-open, no analyzer or
strategy hook that wants every bar, and its own broker without credit interest. Otherwise it is
stock Backtrader.
"""

from __future__ import annotations

from typing import Any

import backtrader as bt

from hpi_bt.backtest.broker import HedgeBroker, LeanBroker
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
        if isinstance(strategy, KernelStrategy):
            for order in strategy._orderspending:
                strategy._follow(order)
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
    if type(broker) not in (LeanBroker, HedgeBroker):
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
    stock = KernelStrategy if isinstance(strategy, KernelStrategy) else bt.Strategy
    for name in _STRATEGY_HOOKS:
        if getattr(type(strategy), name) is not getattr(stock, name):
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
