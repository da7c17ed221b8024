"""Strategies: a kernel plus order rules, and a filter for anybody's own."""

from hpi_bt.strategy.confirmed import Confirmed
from hpi_bt.strategy.kernel_strategy import KernelStrategy

__all__ = ["Confirmed", "KernelStrategy"]
