import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.stats.forward import checked_bars
from hpi_bt.stats.steps import block_sums, running, steps_of

law = settings(max_examples=40, deadline=None)


def daily(seed, n=60, spread=0.01):
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(spread * rng.normal(size=n)))
    opens = close * np.exp(0.3 * spread * rng.normal(size=n))
    return checked_bars(opens, close, np.arange(n))


def test_worked_example():
    bars = checked_bars([100.0, 110, 100], [110.0, 121, 110], [1, 2, 3])
    # own opens: .1 .1 .1; closes before: none, .1, 110/121 - 1 = -1/11
    steps = steps_of(bars)
    assert_allclose(steps[:, 0], 0.0, atol=1e-15)
    middle = (0.1 - 1 / 11) / 2
    assert_allclose(steps[:, 1], [np.nan, 0.1 - middle, -1 / 11 - middle])
    # one event on the first bar, two bars ahead: it runs through bar 1's own day, then bar 2's
    weight = np.array([1.0, 0.0, 0.0])
    assert_array_equal(running(weight, 2), [[0, 0], [1, 0], [0, 1]])
    sums, counts = block_sums(weight, steps, np.array([0, 0, 1]), 2, 2)
    assert_allclose(sums, [0.0, -1 / 11 - middle], atol=1e-15)
    assert_array_equal(counts, [0.5, 0.5])


@law
@given(st.integers(0, 999), st.integers(1, 9))
def test_blocks_add_up_to_the_forward_returns_but_for_compounding(seed, horizon):
    bars = daily(seed, spread=1e-6)
    forward = bars.forward(horizon)
    known = np.isfinite(forward)
    weight = np.where(known, np.random.default_rng(seed).integers(0, 2, 60), 0).astype(float)
    raw = np.stack([bars.close / bars.open, bars.close / np.append(np.nan, bars.close[:-1])], 1) - 1
    sums, counts = block_sums(weight, raw, np.arange(60) // 21, horizon, 3)
    assert_allclose(sums.sum(), weight[known] @ forward[known], atol=1e-8)
    assert_allclose(counts.sum(), weight.sum())


def test_a_missing_close_is_bridged_and_its_bar_tells_nothing():
    bars = daily(1)
    whole = steps_of(bars)
    close = bars.close.copy()
    close[30] = np.nan
    holed = steps_of(checked_bars(bars.open, close, np.arange(60)))
    assert np.isnan(holed[30]).all()
    assert np.isfinite(holed[31]).all()
    over_both = bars.close[31] / bars.close[29] - 1.0
    raw_mean = holed[31, 1] - over_both
    assert_allclose(holed[32, 1] - raw_mean, bars.close[32] / bars.close[31] - 1.0)
    assert np.isnan(whole[0]).tolist() == [False, True]
    sums, counts = block_sums(np.ones(60), holed, np.zeros(60, dtype=int), 1, 1)
    assert counts[0] == 58.0  # neither the bar without a close nor one after the last
    assert np.isfinite(sums).all()
