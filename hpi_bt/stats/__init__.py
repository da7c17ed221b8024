"""Statistics of runs and signals (definitions 9)."""

from hpi_bt.stats.correlation import information_coefficient
from hpi_bt.stats.deciles import decile_table
from hpi_bt.stats.entries import EntryTest, entry_test
from hpi_bt.stats.events import EventInput, event_study, pooled_event_study
from hpi_bt.stats.overfitting import Overfitting, probability_of_backtest_overfitting
from hpi_bt.stats.permutation import q_values
from hpi_bt.stats.sharpe import (
    SharpeMoments,
    deflated_sharpe,
    expected_max_sharpe,
    min_track_record_length,
    probabilistic_sharpe,
    sharpe_moments,
)
from hpi_bt.stats.study import SignalStudy, Subject, signal_study
from hpi_bt.stats.timing import TimingTest, timing_test

__all__ = [
    "EntryTest",
    "EventInput",
    "Overfitting",
    "SharpeMoments",
    "SignalStudy",
    "Subject",
    "TimingTest",
    "decile_table",
    "deflated_sharpe",
    "entry_test",
    "event_study",
    "expected_max_sharpe",
    "information_coefficient",
    "min_track_record_length",
    "pooled_event_study",
    "probabilistic_sharpe",
    "probability_of_backtest_overfitting",
    "q_values",
    "sharpe_moments",
    "signal_study",
    "timing_test",
]
