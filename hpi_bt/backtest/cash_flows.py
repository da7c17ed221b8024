"""Cash that a strategy pays in or takes out while it runs: no return."""

from __future__ import annotations

from typing import Any

import numpy as np

from hpi_bt.arrays import FloatArray


class CashFlows:
    """Follows `add_cash` and `set_cash` of any broker of Backtrader.

    Attributes
    ----------
    before : float
        Cash that came before the first bar, which belongs to the starting value.
    """

    def __init__(self, broker: Any, data: Any) -> None:
        self.before = float(sum(getattr(broker, "_cash_addition", ())))  # by an `__init__`
        self._broker, self._data = broker, data
        self._flows: list[tuple[int, float]] = []  # (bar whose value first has it, amount)
        self._counted = 0  # how many of them are in the broker's value
        self._value: float | None = None  # of this bar, where its cash was set since
        if not hasattr(broker, "add_cash"):
            return
        self._add, self._set, self._next = broker.add_cash, broker.set_cash, broker.next
        broker.add_cash, broker.set_cash, broker.setcash = self._added, self._reset, self._reset
        broker.next = self._stepped

    def release(self) -> None:
        """Give the broker its own methods back."""
        for name in ("add_cash", "set_cash", "setcash", "next"):
            vars(self._broker).pop(name, None)

    @property
    def value(self) -> float:
        """Account value at the last close, without the cash that came since."""
        return float(self._broker.getvalue()) if self._value is None else self._value

    def _stepped(self) -> None:
        """Value the account, with all cash that came before; often on the same bar of `data`."""
        self._next()
        last = len(self._data) - 1
        for i, (bar, cash) in enumerate(self._flows[self._counted :], start=self._counted):
            self._flows[i] = min(bar, last), cash
        self._counted, self._value = len(self._flows), None

    def _added(self, cash: float) -> None:
        self._note(float(cash))
        self._add(cash)

    def _reset(self, cash: float) -> None:
        self._value = self.value  # Backtrader takes the cash alone for it until the next bar
        self._note(float(cash) - self._broker.getcash())
        self._set(cash)

    def _note(self, cash: float) -> None:
        if len(self._data):
            self._flows.append((len(self._data), cash))
        else:
            self.before += cash

    def by_bar(self, n_bars: int) -> FloatArray | None:
        """Return what came in with each bar, shape (n_bars,); None where nothing ever did."""
        if not self._flows:
            return None
        flows = np.zeros(n_bars)
        for bar, cash in self._flows:
            if bar < n_bars:  # on the last bar it comes too late
                flows[bar] += cash
        return flows
