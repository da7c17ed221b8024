"""Every strategy that is shipped: found by itself, held to the laws, run on demo frames."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedge_columns import gamma_columns, hedge_columns
from hpi_bt import Confirmed, KernelStrategy, defaults_of
from hpi_bt.backtest.cerebro import run_cerebro
from hpi_bt.catalog import shipped_strategies
from hpi_bt.indicators.base import kernel_series
from hpi_bt.loading import load_strategy
from hpi_bt.sources.demo import DemoSource, simulate
from hpi_bt.sources.hours import add_hours

FOLDER = Path(__file__).resolve().parents[2] / "strategies"


def shipped():
    """Return every strategy class that a file of the folder defines, its indicators left out."""
    return [load_strategy(reference, [FOLDER.parent]) for reference, _ in shipped_strategies()]


SHIPPED = shipped()
KERNELS = [c for c in SHIPPED if issubclass(c, KernelStrategy)]
every_kernel = pytest.mark.parametrize("strategy", KERNELS, ids=lambda c: c.__name__)


def demo_frame(daily):
    source = DemoSource(sessions=160 if daily else 40, bar="1day" if daily else "5min")
    frame = simulate(source).frame
    attrs = frame.attrs
    frame = (
        frame if daily else frame.join(hedge_columns(frame, every=3)).assign(**gamma_columns(frame))
    )
    frame = frame.assign(gauge=50.0 + 45.0 * np.sin(np.arange(len(frame)) / 40.0))
    frame.attrs = attrs
    return add_hours(frame, "XNYS", bar_minutes=frame.attrs["bar_minutes"])


@pytest.fixture(scope="module")
def frames():
    made = {}

    def of(strategy):
        daily = "openinterest" in getattr(strategy, "inputs", ())
        if daily not in made:
            made[daily] = demo_frame(daily)
        return made[daily]

    return of


def target_of(strategy, series, state=None):
    options = defaults_of(strategy.signal_kernel)
    return np.asarray(strategy.signal_kernel(*series, **options, state=state))


def test_there_are_kernel_strategies_and_a_confirmed_one():
    assert len(KERNELS) >= 3
    assert any(issubclass(c, Confirmed) for c in SHIPPED)


@every_kernel
def test_targets_are_minus_one_zero_or_one_and_not_always_the_same(strategy, frames):
    series = kernel_series(frames(strategy), strategy.inputs, strategy.optional_inputs)
    target = target_of(strategy, series)
    assert set(np.unique(target[~np.isnan(target)])) <= {-1.0, 0.0, 1.0}
    assert len(set(np.unique(target))) > 1


@every_kernel
def test_the_future_changes_nothing(strategy, frames):
    frame = frames(strategy)
    series = kernel_series(frame, strategy.inputs, strategy.optional_inputs)
    whole = target_of(strategy, series)
    for cut in (1, len(frame) // 3, len(frame) - 1):
        other = [np.r_[s[:cut], s[cut:][::-1] * 1.5 + 1.0] for s in series]
        assert np.array_equal(target_of(strategy, other)[:cut], whole[:cut], equal_nan=True)


@every_kernel
def test_chunks_give_what_one_call_gives_bit_for_bit(strategy, frames):
    frame = frames(strategy)
    series = kernel_series(frame, strategy.inputs, strategy.optional_inputs)
    whole = target_of(strategy, series)

    @settings(max_examples=10, deadline=None)
    @given(st.lists(st.integers(0, len(frame)), max_size=6))
    def check(cuts):
        state = {}
        edges = itertools.pairwise([0, *sorted(cuts), len(frame)])
        parts = [target_of(strategy, [s[a:b] for s in series], state) for a, b in edges]
        assert np.array_equal(np.concatenate(parts), whole, equal_nan=True)

    check()
    state = {}
    n = min(len(frame), 300)
    single = [target_of(strategy, [s[t : t + 1] for s in series], state) for t in range(n)]
    assert np.array_equal(np.concatenate(single), whole[:n], equal_nan=True)


@pytest.mark.parametrize("strategy", SHIPPED, ids=lambda c: c.__name__)
def test_every_shipped_strategy_trades_on_a_demo_frame(strategy, frames):
    record = run_cerebro(strategy, {}, frames(strategy))
    assert len(record.fills) > 0
    assert np.isfinite(record.equity).all()
    net = record.trades["net"].sum()
    assert net == pytest.approx(record.equity[-1] - record.cash, rel=1e-9, abs=1e-6)


def test_the_confirmed_example_never_stands_against_the_pressure(frames):
    (confirmed,) = [c for c in SHIPPED if issubclass(c, Confirmed)]
    plain = next(c for c in confirmed.__mro__[1:] if c.__module__ == confirmed.__module__)
    frame = frames(confirmed)
    filtered, free = (run_cerebro(c, {}, frame) for c in (confirmed, plain))
    assert 0 < len(filtered.vetoes) == filtered.counts["vetoed"]
    assert len(filtered.fills) < len(free.fills)
    hpi = next(filtered.signals[c] for c in filtered.signals if c.endswith(".hpi")).to_numpy()
    for trade in filtered.trades.itertuples():
        assert trade.direction * hpi[trade.entry_bar - 1] >= 0  # at the close of the signal bar
