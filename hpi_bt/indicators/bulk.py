"""The base of our indicators: lines that grow by a whole array at once."""

from __future__ import annotations

import array

import backtrader as bt


class Bulk(bt.Indicator):  # type: ignore[misc]
    """Base whose lines grow by a whole array at once where stock lines grow value by value."""

    def forward(self, value: float = float("nan"), size: int = 1) -> None:
        """Add `size` bars of `value` to every line, and move to the last."""
        if size == 1 or any(line.mode != line.UnBounded for line in self.lines):
            super().forward(value, size)
            return
        block = array.array("d", [value]) * size
        for line in self.lines:
            line.array.extend(block)
            line._idx += size
            line.lencount += size
