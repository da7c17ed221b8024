"""Options and futures positioning for Backtrader: `import hpi_bt as hb`.

Names are imported on first use, so that `import hpi_bt` itself costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "Alert": "backtest.alerting",
    "Alerts": "backtest.alerts",
    "AtrDistance": "orders",
    "Average": "indicators.average",
    "ChainReport": "report.chain_result",
    "Comparison": "report.compared",
    "Confirmed": "strategy",
    "DemoHedgePressureIndex": "indicators",
    "GaugeReport": "report.gauged",
    "GaugeResult": "gauge",
    "HedgeCerebro": "backtest.lean",
    "HedgeData": "feeds",
    "HedgeFlow": "indicators",
    "HedgePressureGauge": "indicators",
    "HedgePressureIndex": "indicators",
    "HerrickPayoffIndex": "indicators",
    "HerrickRSI": "indicators",
    "InputError": "errors",
    "KernelIndicator": "indicators",
    "KernelStrategy": "strategy",
    "Orders": "orders",
    "Report": "analyzers",
    "Result": "backtest.result",
    "Scan": "scanning",
    "SweepResult": "searches",
    "as_series": "arrays",
    "chain_of_yfinance": "sources.chains",
    "chain_report": "chains",
    "compare": "comparing",
    "defaults_of": "indicators.authoring",
    "demo_chain": "sources.demo_books",
    "fetch_chain": "sources.chains",
    "fetch_gauge": "sources.gauge_data.fetch",
    "flow": "flowing",
    "gauge_inputs": "sources.gauge_data.assembly",
    "gauge_report": "gauging",
    "hedge_score": "gauge",
    "load_frame": "frames",
    "open_chains": "sources.chains",
    "part": "arrays",
    "read_chain": "sources.chains",
    "resample": "sources.frame",
    "run": "runs",
    "run_all": "studying",
    "scan": "scanning",
    "signals": "studying",
    "sharing": "kernels.memory",
    "shared": "kernels.memory",
    "sweep": "searches",
    "walk_forward": "walking",
}

__all__ = ["__version__", *_HOME]  # noqa: PLE0604 - the keys are names

if TYPE_CHECKING:
    from hpi_bt.analyzers import Report
    from hpi_bt.arrays import as_series, part
    from hpi_bt.backtest.alerting import Alert
    from hpi_bt.backtest.alerts import Alerts
    from hpi_bt.backtest.lean import HedgeCerebro
    from hpi_bt.backtest.result import Result
    from hpi_bt.chains import chain_report
    from hpi_bt.comparing import compare
    from hpi_bt.errors import InputError
    from hpi_bt.feeds import HedgeData
    from hpi_bt.flowing import flow
    from hpi_bt.frames import load_frame
    from hpi_bt.gauge import GaugeResult, hedge_score
    from hpi_bt.gauging import gauge_report
    from hpi_bt.indicators import (
        DemoHedgePressureIndex,
        HedgeFlow,
        HedgePressureGauge,
        HedgePressureIndex,
        HerrickPayoffIndex,
        HerrickRSI,
        KernelIndicator,
    )
    from hpi_bt.indicators.authoring import defaults_of
    from hpi_bt.indicators.average import Average
    from hpi_bt.kernels.memory import shared, sharing
    from hpi_bt.orders import AtrDistance, Orders
    from hpi_bt.report.chain_result import ChainReport
    from hpi_bt.report.compared import Comparison
    from hpi_bt.report.gauged import GaugeReport
    from hpi_bt.runs import run
    from hpi_bt.scanning import Scan, scan
    from hpi_bt.searches import SweepResult, sweep
    from hpi_bt.sources.chains import chain_of_yfinance, fetch_chain, open_chains, read_chain
    from hpi_bt.sources.demo_books import demo_chain
    from hpi_bt.sources.frame import resample
    from hpi_bt.sources.gauge_data.assembly import gauge_inputs
    from hpi_bt.sources.gauge_data.fetch import fetch_gauge
    from hpi_bt.strategy import Confirmed, KernelStrategy
    from hpi_bt.studying import run_all, signals
    from hpi_bt.walking import walk_forward


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f"hpi_bt.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'hpi_bt' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
