"""Indicators for any Backtrader strategy: `hb.HedgePressureIndex(self.data)`."""

from hpi_bt.indicators.base import KernelIndicator
from hpi_bt.indicators.hedge_flow import HedgeFlow
from hpi_bt.indicators.hedge_pressure_gauge import HedgePressureGauge
from hpi_bt.indicators.hedge_pressure_index import DemoHedgePressureIndex, HedgePressureIndex
from hpi_bt.indicators.herrick import HerrickPayoffIndex, HerrickRSI

__all__ = [
    "DemoHedgePressureIndex",
    "HedgeFlow",
    "HedgePressureGauge",
    "HedgePressureIndex",
    "HerrickPayoffIndex",
    "HerrickRSI",
    "KernelIndicator",
]
