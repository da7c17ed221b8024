"""The standard observers of Backtrader in the short loop: `strategy.stats` as in the stock loop.

Cash and value of each bar, buys, sells and closed trades: what `AnnualReturn`, `cerebro.plot` and
strategies read. Exact types alone: any other observer takes the stock loop.
"""

from __future__ import annotations

from itertools import repeat
from typing import Any

import backtrader as bt
import numpy as np

STANDARD = (bt.observers.Broker, bt.observers.BuySell, bt.observers.Trades)
_CASH, _VALUE = (bt.observers.Broker.lines._getlines().index(n) for n in ("cash", "value"))
_LIBRARIES = ("backtrader.", "hpi_bt.")
_ELSEWHEN = ("__init__", "start", "stop")  # methods that do not run between bars


def are_standard(observers: list[Any]) -> bool:
    """Return whether these are Backtrader's standard observers, set up as it does."""
    return all(
        type(one) in STANDARD and not one._analyzers and not getattr(one, "_fundmode", False)
        for one in observers
    )


def may_be_read(strategy: Any) -> bool:
    """Return whether somebody's own code runs between bars, and so could read the observers."""
    kinds = {type(strategy), *(type(one) for one in strategy.analyzers)}
    for owner in {base for kind in kinds for base in kind.__mro__}:
        if owner is object or owner.__module__.startswith(_LIBRARIES):
            continue
        own = (n for n, v in vars(owner).items() if callable(v) and n not in _ELSEWHEN)
        if any(not isinstance(vars(owner)[name], (staticmethod, type)) for name in own):
            return True
    return False


class Observing:
    """Moves the standard observers of a strategy along with the short loop.

    Parameters
    ----------
    strategy : bt.Strategy
        Its lines laid out, before the first bar.
    broker : LeanBroker
    n_bars : int
        Bars of its data.
    at_once : bool
        Whether value and cash may be written down at the end: nobody reads them before.
    """

    def __init__(self, strategy: Any, broker: Any, n_bars: int, *, at_once: bool) -> None:
        every = strategy.getobservers()
        self._strategy, self._broker, self._at_once = strategy, broker, at_once
        self._accounts = [one.lines for one in every if type(one) is bt.observers.Broker]
        self._others = [one for one in every if type(one) is not bt.observers.Broker]
        self._lines = [line for one in every for line in one.lines]
        self._left = n_bars
        for line in self._lines:
            line.array.extend(repeat(float("nan"), n_bars))  # as that many calls of `forward`

    def after(self, bar: int, step: int) -> None:
        """Move to the bar that was just run, `step` after the last, and observe it."""
        if not self._lines:
            return
        self._left -= step
        for line in self._lines:
            line._idx += step
            line.lencount += step
        if self._strategy._orderspending or self._strategy._tradespending:
            for one in self._others:
                one.next()
        if not self._at_once:
            for lines in self._accounts:
                lines[_VALUE].array[bar] = self._broker.value_now()
                lines[_CASH].array[bar] = self._broker.cash

    def end(self, n_bars: int) -> None:
        """Finish after `n_bars` bars: give back the room of those that were not run."""
        for line in self._lines if self._left else ():
            del line.array[-self._left :]
        if self._accounts and self._at_once:
            value, cash = self._broker.curves(n_bars)[0], self._broker.cash_curve(n_bars)
            for lines in self._accounts:
                np.frombuffer(lines[_VALUE].array, dtype=np.float64)[:n_bars] = value
                np.frombuffer(lines[_CASH].array, dtype=np.float64)[:n_bars] = cash
