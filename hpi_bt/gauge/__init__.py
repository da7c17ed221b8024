"""The Hedge Pressure Gauge: one 0-100 score of market stress from daily inputs (definitions 4)."""

from hpi_bt.gauge.bands import BANDS, WARNING, bands_of
from hpi_bt.gauge.hedging import GaugeResult, hedge_score
from hpi_bt.gauge.orientation import COMPONENTS, components
from hpi_bt.gauge.points import GaugePoints, gauge_points

__all__ = [
    "BANDS",
    "COMPONENTS",
    "WARNING",
    "GaugePoints",
    "GaugeResult",
    "bands_of",
    "components",
    "gauge_points",
    "hedge_score",
]
