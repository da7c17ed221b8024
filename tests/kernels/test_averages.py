from __future__ import annotations

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hpi_bt.kernels import averages as fast
from kernels.market import law, magnitudes, market, seeds
from kernels.oracles import backtrader_lines, walk, worst_relative
from reference import averages as slow

KINDS = ("sma", "ema", "rma", "wma", "hma")
NAN = np.nan
scales = pytest.mark.parametrize("magnitude", [1e-6, 1.0, 1e9])


def test_worked_examples():
    x = np.array([3.0, 6.0, 9.0, 6.0, 0.0])
    # ema(3): (3 + 6 + 9)/3 = 6, then halfway to 6 = 6, halfway to 0 = 3
    assert_allclose(fast.ema(x, 3), [NAN, NAN, 6, 6, 3])
    # rma(3): 6, then a third of the way to 6 = 6, a third of the way to 0 = 4
    assert_allclose(fast.rma(x, 3), [NAN, NAN, 6, 6, 4])
    # sma(3): 18/3, 21/3, 15/3
    assert_allclose(fast.sma(x, 3), [NAN, NAN, 6, 7, 5])
    # wma(3): (3 + 12 + 27)/6, (6 + 18 + 18)/6, (9 + 12 + 0)/6
    assert_allclose(fast.wma(x, 3), [NAN, NAN, 7, 7, 3.5])
    # hma(4): 2 wma(2) - wma(4) at bars 3, 4; wma(2) = 7, 2; wma(4) = (3+12+27+24)/10, (6+18+18)/10
    # = 6.6, 4.2, so 7.4, -0.2, and wma(2) of those is (7.4 - 0.4)/3
    assert_allclose(fast.hma(x, 4), [NAN, NAN, NAN, NAN, 7.0 / 3.0])


def test_recursive_averages_hold_across_a_nan_and_do_not_count_it():
    x = np.array([NAN, 4.0, NAN, 8.0, NAN, 3.0])
    # ema(2), alpha 2/3: seed (4 + 8)/2 = 6, held, then 6 + 2/3 (3 - 6) = 4
    assert_allclose(fast.ema(x, 2), [NAN, NAN, NAN, 6, 6, 4])
    # rma(2), alpha 1/2: 6 + (3 - 6)/2
    assert_allclose(fast.rma(x, 2), [NAN, NAN, NAN, 6, 6, 4.5])


def test_windows_are_unknown_only_while_a_nan_lies_in_them():
    x = np.array([1.0, NAN, 3.0, 5.0, 7.0])
    assert_allclose(fast.sma(x, 2), [NAN, NAN, NAN, 4, 6])
    assert_allclose(fast.wma(x, 2), [NAN, NAN, NAN, 13 / 3, 19 / 3])


@pytest.mark.parametrize("kind", KINDS)
@law
@given(seed=seeds, period=st.integers(2, 30), magnitude=magnitudes)
def test_equal_the_reference(kind, seed, period, magnitude):
    x = market(seed, 120, magnitude=magnitude)["x"]
    wanted = np.array(slow.moving_average(x, period, kind))
    got = fast.moving_average(x, period, kind)
    for t in range(x.size):  # measured by the largest value that the bar's result may hold
        size = np.nanmax(np.abs(x[: t + 1]), initial=0.0)
        assert_allclose(got[t], wanted[t], rtol=0, atol=1e-12 * size)


@pytest.mark.parametrize("kind", ["sma", "wma", "hma"])
def test_a_spike_leaves_nothing_behind_once_it_left_the_window(kind):
    x = np.sin(np.arange(60.0))
    spiked = x.copy()
    spiked[5] = 1e12
    # hma(9) looks 9 + 3 - 1 bars back
    before, after = (fast.moving_average(s, 9, kind)[17:] for s in (x, spiked))
    assert_allclose(after, before, rtol=0, atol=1e-12)


@scales
@pytest.mark.parametrize("kind", ["sma", "ema", "wma"])
def test_equal_talib(kind, magnitude):
    x = walk(3, 700, magnitude)
    for period in (2, 5, 14, 100):
        wanted = getattr(talib, kind.upper())(x, period)
        assert worst_relative(fast.moving_average(x, period, kind), wanted, x.max()) < 1e-10


@scales
def test_equal_backtrader(magnitude):
    x = walk(4, 300, magnitude)
    periods = {"SMA": 7, "EMA": 12, "WMA": 9, "HMA": 16, "SMMA": 5}
    for name, wanted in backtrader_lines(x, periods).items():
        kind = {"SMMA": "rma"}.get(name, name.lower())
        got = fast.moving_average(x, periods[name], kind)
        assert worst_relative(got, wanted, x.max()) < 1e-10, name


@pytest.mark.parametrize("kind", KINDS)
@law
@given(seed=seeds, period=st.integers(2, 12))
def test_scaling_by_a_power_of_two_scales_exactly(kind, seed, period):
    x = market(seed, 90)["x"]
    one, eight = (fast.moving_average(x * k, period, kind) for k in (1.0, 8.0))
    assert np.array_equal(8.0 * one, eight, equal_nan=True)


@pytest.mark.parametrize("kind", ["sma", "ema", "rma", "wma"])
@law
@given(seed=seeds, period=st.integers(1, 12))
def test_an_average_lies_between_the_extremes_so_far(kind, seed, period):
    x = market(seed, 90)["x"]
    got = fast.moving_average(x, period, kind)
    low, high = np.fmin.accumulate(x), np.fmax.accumulate(x)
    slack = 1e-12 * np.fmax.accumulate(np.abs(x))
    known = ~np.isnan(got)
    assert ((got >= low - slack) & (got <= high + slack))[known].all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("period", [0, -3, 2.5, True, np.nan, np.inf, None, "14"])
def test_a_length_that_is_no_count_is_refused(kind, period):
    with pytest.raises(ValueError, match="period must be a whole number"):
        fast.moving_average(np.ones(9), period, kind)


def test_a_hull_average_of_one_bar_is_refused():
    with pytest.raises(ValueError, match="period must be a whole number >= 2, got 1"):
        fast.hma(np.ones(9), 1)


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="one of sma, ema, rma, wma, hma, got 'tema'"):
        fast.moving_average(np.ones(9), 3, "tema")


def test_a_table_is_refused():
    with pytest.raises(ValueError, match=r"one-dimensional .* got shapes \[\(3, 3\)\]"):
        fast.ema(np.ones((3, 3)), 2)
