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
        self.before = 0.0
        self._broker, self._data = broker, data
        self._flows: list[tuple[int, float]] = []  # (bar that first has it, amount)
        if not hasattr(broker, "add_cash"):
            return
        self._add, self._set = broker.add_cash, broker.set_cash
        broker.add_cash, broker.set_cash, broker.setcash = self._added, self._reset, self._reset

    def release(self) -> None:
        """Give the broker its own methods back."""
        for name in ("add_cash", "set_cash", "setcash"):
            vars(self._broker).pop(name, None)

    def _added(self, cash: float) -> None:
        self._note(0, float(cash))
        self._add(cash)

    def _reset(self, cash: float) -> None:
        # until the next bar Backtrader values the account at the cash alone
        held = self._broker.getvalue() - self._broker.getcash()
        change = float(cash) - self._broker.getcash()
        if len(self._data):
            self._note(-1, change - held)
            self._note(0, held)
        else:
            self.before += change
        self._set(cash)

    def _note(self, later: int, cash: float) -> None:
        if len(self._data):
            self._flows.append((len(self._data) + later, cash))
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
