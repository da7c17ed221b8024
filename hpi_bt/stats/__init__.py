"""Statistics of runs and signals (SPEC section 9)."""

from hpi_bt.stats.overfitting import Overfitting, probability_of_backtest_overfitting
from hpi_bt.stats.sharpe import (
    SharpeMoments,
    deflated_sharpe,
    expected_max_sharpe,
    min_track_record_length,
    probabilistic_sharpe,
    sharpe_moments,
)

__all__ = [
    "Overfitting",
    "SharpeMoments",
    "deflated_sharpe",
    "expected_max_sharpe",
    "min_track_record_length",
    "probabilistic_sharpe",
    "probability_of_backtest_overfitting",
    "sharpe_moments",
]
