from __future__ import annotations

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.kernels.wilder import wilder_atr, wilder_rsi
from kernels.market import law, magnitudes, market, seeds
from kernels.oracles import backtrader_lines, walk, worst_relative
from reference import averages as slow

NAN = np.nan
scales = pytest.mark.parametrize("magnitude", [1e-3, 1.0, 1e9])


def test_rsi_worked_example():
    x = np.array([1.0, 2.0, 1.5, 2.5, 2.5])
    # changes 1, -0.5, 1, 0. Seeds: gain (1 + 0)/2 = 0.5, loss (0 + 0.5)/2 = 0.25: 100 * 2/3
    # then gain (0.5 + 1)/2 = 0.75, loss 0.125: 100 * 6/7; flat bar halves both: the same
    assert_allclose(wilder_rsi(x, 2), [NAN, NAN, 200 / 3, 600 / 7, 600 / 7])


def test_atr_worked_example():
    high, low = np.array([5.0, 6.0, 9.0, 8.0]), np.array([4.0, 4.0, 8.0, 2.0])
    close = np.array([4.5, 5.0, 8.5, 3.0])
    # true ranges: none, 6 - 4 = 2, gap up 9 - 5 = 4, gap down 8.5 - 2 = 6.5
    # seed (2 + 4)/2 = 3, then (3 + 6.5)/2 = 4.75
    assert_allclose(wilder_atr(high, low, close, 2), [NAN, NAN, 3.0, 4.75])


def test_all_gain_is_100_all_loss_0_flat_50():
    rising = np.arange(20.0)
    for x, wanted in ((rising, 100.0), (-rising, 0.0), (np.ones(20), 50.0)):
        assert_array_equal(wilder_rsi(x, 5), [NAN] * 5 + [wanted] * 15)


def test_rsi_and_atr_hold_across_a_gap():
    x = np.array([1.0, 2.0, 1.5, NAN, 7.0, 7.5])
    # the changes into and out of the gap are unknown; then gain (0.5 + 0.5)/2, loss 0.125
    assert_allclose(wilder_rsi(x, 2), [NAN, NAN, 200 / 3, 200 / 3, 200 / 3, 80])
    close = np.array([1.0, 2.0, NAN, 4.0, 5.0])
    assert_allclose(wilder_atr(close, close, close, 1), [NAN, 1, 1, 1, 1])


@law
@given(seeds, st.integers(1, 30), magnitudes)
def test_rsi_equals_the_reference(seed, length, magnitude):
    x = market(seed, 120, magnitude=magnitude)["oscillator"]
    assert_allclose(wilder_rsi(x, length), slow.wilder_rsi(x, length), rtol=0, atol=1e-10)


@law
@given(seeds, st.integers(1, 30), magnitudes)
def test_atr_equals_the_reference(seed, length, magnitude):
    frame = market(seed, 120, magnitude=magnitude)
    bars = frame["high"], frame["low"], frame["close"]
    wanted = np.array(slow.wilder_atr(*bars, length))
    assert_allclose(wilder_atr(*bars, length), wanted, rtol=1e-12)


@scales
def test_rsi_and_atr_equal_talib(magnitude):
    x = walk(5, 900, magnitude)
    rng = np.random.default_rng(6)
    high, low = x * (1 + rng.random(900) / 50), x * (1 - rng.random(900) / 50)
    for length in (2, 14, 50):
        assert worst_relative(wilder_rsi(x, length), talib.RSI(x, length), 1.0) < 1e-10
        wanted = talib.ATR(high, low, x, length)
        assert worst_relative(wilder_atr(high, low, x, length), wanted, x.max()) < 1e-10


@scales
def test_rsi_equals_backtrader(magnitude):
    x = walk(5, 300, magnitude)
    assert worst_relative(wilder_rsi(x, 14), backtrader_lines(x, {"RSI": 14})["RSI"], 1.0) < 1e-10


@law
@given(seeds, st.integers(1, 20))
def test_the_rsi_of_the_mirror_is_the_rest_to_100(seed, length):
    x = market(seed, 150)["oscillator"]
    assert_allclose(wilder_rsi(-x, length), 100 - wilder_rsi(x, length), rtol=0, atol=1e-12)


@law
@given(seeds, st.integers(1, 20))
def test_rsi_stays_in_its_range_and_atr_at_least_zero(seed, length):
    frame = market(seed, 150)
    rsi = wilder_rsi(frame["x"], length)
    atr = wilder_atr(frame["high"], frame["low"], frame["close"], length)
    assert ((rsi >= 0) & (rsi <= 100))[~np.isnan(rsi)].all()
    assert (atr >= 0)[~np.isnan(atr)].all()


@pytest.mark.parametrize("length", [0, 1.5])
def test_a_length_that_is_no_count_is_refused(length):
    with pytest.raises(ValueError, match="whole number >= 1"):
        wilder_rsi(np.ones(9), length)
    with pytest.raises(ValueError, match="whole number >= 1"):
        wilder_atr(np.ones(9), np.ones(9), np.ones(9), length)
