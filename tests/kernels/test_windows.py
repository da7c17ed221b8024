from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.kernels import windows as fast
from kernels.market import few, law, magnitudes, market, seeds
from kernels.oracles import walk
from reference import averages as slow

NAN = np.nan


def test_worked_examples():
    x = np.array([1.0, 3.0, 2.0, 2.0, 2.0, 8.0])
    # zscore(2): of two values the later lies 1 std from the mean, 0 where they are alike
    assert_allclose(fast.zscore(x, 2), [NAN, 1, -1, 0, 0, 1])
    # zscore(3) at bar 2: mean 2; at bar 3: (2 - 7/3)/sqrt(2/9); at bar 5: (8 - 4)/sqrt(8)
    assert_allclose(fast.zscore(x, 3), [NAN, NAN, 0, -np.sqrt(0.5), 0, np.sqrt(2)], atol=1e-15)
    assert_array_equal(fast.highest(x, 3), [NAN, NAN, 3, 3, 2, 8])
    assert_array_equal(fast.lowest(x, 3), [NAN, NAN, 1, 2, 2, 2])
    assert_array_equal(fast.range_position(x, 3), [NAN, NAN, 0.5, 0, 0.5, 1])
    assert_array_equal(fast.lagged(x, 2), [NAN, NAN, 1, 3, 2, 2])
    assert_array_equal(fast.running_sum(np.array([1.0, NAN, 2.0])), [1, 1, 3])


def test_a_score_passes_over_nan_and_windows_of_extremes_do_not():
    x = np.array([1.0, NAN, 3.0, 2.0])
    assert_allclose(fast.zscore(x, 2), [NAN, NAN, 1, -1])
    assert_array_equal(fast.highest(x, 2), [NAN, NAN, NAN, 3])


@law
@given(seeds, st.sampled_from([2, 3, 10, 37, 100]), magnitudes)
def test_zscore_equals_the_exact_score_to_its_tail(seed, lookback, magnitude):
    x = market(seed, 260, magnitude=magnitude)["x"]
    assert_allclose(fast.zscore(x, lookback), slow.zscore(x, lookback), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("lookback", [2, 20, 390])
def test_zscore_at_magnitude_1e12_with_sd_1_against_exact_fractions(lookback):
    x = 1e12 + np.random.default_rng(7).normal(size=1000)
    assert_allclose(fast.zscore(x, lookback), slow.zscore(x, lookback), rtol=0, atol=1e-11)


@pytest.mark.parametrize("lookback", [2, 20, 390])
@pytest.mark.parametrize("place", [0, 389, 390, 500])
def test_a_window_after_a_spike_of_1e12_is_exact(lookback, place):
    x = np.random.default_rng(8).normal(size=1300)
    x[place] = 1e12
    after = slice(place + lookback, None)
    wanted = np.array(slow.zscore(x, lookback))
    assert_allclose(fast.zscore(x, lookback)[after], wanted[after], rtol=0, atol=1e-12)
    assert_allclose(fast.zscore(x, lookback), wanted, rtol=0, atol=1e-9)


@few
@given(seeds, st.sampled_from([2, 10, 64]), st.sampled_from([0.1, 1e12 + 0.1, -3e-9]))
def test_a_constant_window_gives_exactly_zero_wherever_it_begins(seed, lookback, level):
    rng = np.random.default_rng(seed)
    for offset in range(lookback + 1):  # over every straddling of the internal blocks
        noise = rng.normal(size=lookback + offset) * level
        x = np.concatenate([noise, np.full(2 * lookback, level), noise])
        got = fast.zscore(x, lookback)[noise.size + lookback - 1 : noise.size + 2 * lookback]
        assert_array_equal(got, np.zeros(lookback + 1))


def test_a_constant_window_may_hold_gaps():
    x = np.array([5.0, 0.1, NAN, 0.1, NAN, NAN, 0.1])
    assert_allclose(fast.zscore(x, 3), [NAN, NAN, NAN, -np.sqrt(0.5), NAN, NAN, 0], atol=1e-12)


@law
@given(seeds, st.integers(2, 40), st.sampled_from([-4.0, 0.25, 1024.0]))
def test_a_score_forgets_unit_and_sign(seed, lookback, factor):
    x = market(seed, 150)["x"]
    got = fast.zscore(factor * x, lookback)
    assert np.array_equal(got, np.sign(factor) * fast.zscore(x, lookback), equal_nan=True)


@law
@given(seeds, st.integers(2, 40))
def test_a_score_is_at_most_the_root_of_its_window(seed, lookback):
    got = fast.zscore(market(seed, 150)["x"], lookback)
    assert np.nanmax(np.abs(got), initial=0.0) <= np.sqrt(lookback - 1) * (1 + 1e-12)


@law
@given(seeds, st.integers(1, 30), magnitudes)
def test_extremes_and_place_in_the_range_equal_the_reference(seed, length, magnitude):
    x = market(seed, 120, magnitude=magnitude)["x"]
    assert_array_equal(fast.highest(x, length), slow.highest(x, length))
    assert_array_equal(fast.lowest(x, length), slow.lowest(x, length))
    wanted = slow.range_position(x, length)
    assert_allclose(fast.range_position(x, length), wanted, rtol=0, atol=1e-14)


def test_extremes_equal_pandas_and_talib():
    x = walk(9, 400, 1.0)
    assert_array_equal(fast.highest(x, 14), pd.Series(x).rolling(14).max())
    assert_array_equal(fast.lowest(x, 14), pd.Series(x).rolling(14).min())
    assert_array_equal(fast.highest(x, 14), talib.MAX(x, 14))
    z = (x - talib.SMA(x, 30)) / talib.STDDEV(x, 30)
    assert_allclose(fast.zscore(x, 30), z, rtol=0, atol=1e-7)  # talib sums squares


@law
@given(seeds, st.integers(1, 30))
def test_the_highest_is_the_mirror_of_the_lowest(seed, length):
    x = market(seed, 120)["x"]
    assert_array_equal(fast.highest(x, length), -fast.lowest(-x, length))


@law
@given(seeds, st.integers(0, 30))
def test_lag_and_running_sum_equal_the_reference(seed, bars):
    x = market(seed, 60)["oscillator"]  # quarters, so that sums are exact
    assert_array_equal(fast.lagged(x, bars), slow.lagged(x, bars))
    assert_array_equal(fast.running_sum(x), slow.running_sum(x))


def test_a_running_sum_keeps_an_infinity():
    assert_array_equal(fast.running_sum(np.array([1.0, NAN, -np.inf])), [1, 1, -np.inf])


def test_a_running_sum_is_exact_enough_after_a_hundred_thousand_bars():
    x = np.random.default_rng(2).normal(size=100_000)
    exact = float(sum(map(Fraction, x)))
    assert_allclose(fast.running_sum(x)[-1], exact, rtol=0, atol=1e-13 * np.abs(x).sum())


@pytest.mark.parametrize(
    ("kernel", "name", "least"),
    [
        (fast.zscore, "lookback", 2),
        (fast.highest, "length", 1),
        (fast.lowest, "length", 1),
        (fast.range_position, "length", 1),
        (fast.lagged, "bars", 0),
    ],
)
def test_a_window_too_short_is_refused(kernel, name, least):
    with pytest.raises(ValueError, match=f"{name} must be a whole number >= {least}"):
        kernel(np.ones(5), least - 1)
    with pytest.raises(ValueError, match=f"{name} must be a whole number"):
        kernel(np.ones(5), least + 0.5)
