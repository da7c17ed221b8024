from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.signal import find_peaks

from hpi_bt.kernels.divergence import pivot_divergence, unconfirmed_extreme
from kernels.market import law, magnitudes, market, seeds
from reference import herrick as slow

NAN = np.nan
LOW = np.array([5.0, 3.0, 5.0, 2.0, 5.0, 5.0])
RSI = np.array([50.0, 20.0, 50.0, 30.0, 50.0, 60.0])
HIGH = np.full(6, 9.0)


def test_bullish_divergence_by_hand():
    # pivots of one bar each side at bars 1 and 3: price 3 then 2, rsi 20 then 30; bar 4 confirms
    got = pivot_divergence(HIGH, LOW, RSI, pivot=1)
    assert_array_equal(got.divergence, [0, 0, 0, 0, 1, 0])
    assert_array_equal(got.pivot_age, [NAN, NAN, NAN, NAN, 1, NAN])
    assert_array_equal(got.previous_pivot_age, [NAN, NAN, NAN, NAN, 3, NAN])


def test_bearish_divergence_is_the_mirror():
    got = pivot_divergence(-LOW, -HIGH, -RSI, pivot=1)
    assert_array_equal(got.divergence, [0, 0, 0, 0, -1, 0])
    assert_array_equal(got.previous_pivot_age, [NAN, NAN, NAN, NAN, 3, NAN])


def test_hidden_divergences_are_two_and_only_on_demand():
    rising = np.array([5.0, 2.0, 5.0, 3.0, 5.0, 5.0])
    falling = np.array([50.0, 30.0, 50.0, 20.0, 50.0, 60.0])
    assert not pivot_divergence(HIGH, rising, falling, pivot=1).divergence.any()
    got = pivot_divergence(HIGH, rising, falling, pivot=1, hidden=True)
    assert_array_equal(got.divergence, [0, 0, 0, 0, 2, 0])
    mirror = pivot_divergence(-rising, -HIGH, -falling, pivot=1, hidden=True)
    assert_array_equal(mirror.divergence, [0, 0, 0, 0, -2, 0])


def test_pivots_two_bars_apart_need_a_gap_of_two():
    assert pivot_divergence(HIGH, LOW, RSI, pivot=1, max_pivot_gap=2).divergence[4] == 1
    assert not pivot_divergence(HIGH, LOW, RSI, pivot=1, max_pivot_gap=1).divergence.any()


def test_equal_pivots_are_no_divergence_and_the_first_of_equal_bars_is_the_pivot():
    level = np.where(np.arange(6) == 3, 3.0, LOW)  # the second low equals the first
    assert not pivot_divergence(HIGH, level, RSI, pivot=1, hidden=True).divergence.any()
    low = np.array([5.0, 3.0, 5.0, 2.0, 2.0, 5.0])
    rsi = np.array([50.0, 20.0, 50.0, 30.0, 30.0, 60.0])
    assert_array_equal(pivot_divergence(HIGH, low, rsi, pivot=1).divergence, [0, 0, 0, 0, 1, 0])


@law
@given(seeds, magnitudes, st.integers(1, 5), st.integers(1, 60), st.booleans())
def test_pivot_divergence_equals_the_reference(seed, magnitude, pivot, gap, hidden):
    frame = market(seed, 200, magnitude=magnitude, gaps=0.01)
    series = frame["high"], frame["low"], frame["oscillator"]
    options = {"pivot": pivot, "max_pivot_gap": gap, "hidden": hidden}
    wanted = slow.pivot_divergence(*series, **options)
    for got, line in zip(pivot_divergence(*series, **options), wanted, strict=True):
        assert_array_equal(got, line)


def test_divergences_stand_on_scipys_peaks():
    rng = np.random.default_rng(0)
    price, rsi = np.cumsum(rng.normal(size=(2, 4000)), axis=1)
    rsi = price + 0.3 * rsi  # so that pivots coincide
    got = pivot_divergence(price, price, rsi, pivot=4, max_pivot_gap=400)
    for sign in (1.0, -1.0):
        tops = [find_peaks(sign * x, distance=1)[0] for x in (price, rsi)]
        for t in np.flatnonzero(got.divergence == -sign):
            later = t - int(got.pivot_age[t])
            earlier = t - int(got.previous_pivot_age[t])
            assert {later, earlier} <= set(tops[0]) & set(tops[1])
            assert sign * price[later] > sign * price[earlier]
            assert sign * rsi[later] < sign * rsi[earlier]
    assert (got.divergence != 0).sum() > 10


@law
@given(seeds, st.booleans())
def test_the_mirror_of_a_market_has_the_mirror_divergences(seed, hidden):
    frame = market(seed, 200)
    high, low, rsi = frame["high"], frame["low"], frame["oscillator"]
    options = {"pivot": 2, "hidden": hidden}
    one, mirror = (
        pivot_divergence(high, low, rsi, **options),
        pivot_divergence(-low, -high, -rsi, **options),
    )
    assert_array_equal(mirror.divergence, -one.divergence)
    assert_array_equal(mirror.previous_pivot_age, one.previous_pivot_age)


def test_unconfirmed_extreme_by_hand():
    # 3-bar highs at bars 2, 3, 4 while the index is at its own high at bar 2 only: a run of two
    # bars, the first alerts; bar 6 is a 3-bar low while the index is not at its low
    high = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 3.0])
    index = np.array([1.0, 2.0, 3.0, 2.5, 2.0, 1.0, 1.5])
    got = unconfirmed_extreme(high, high - 0.5, index, 3)
    assert_array_equal(got, [0, 0, 0, -1, 0, 0, 1])


@law
@given(seeds, magnitudes, st.integers(1, 20))
def test_unconfirmed_extreme_equals_the_reference(seed, magnitude, length):
    frame = market(seed, 200, magnitude=magnitude, gaps=0.01)
    series = frame["high"], frame["low"], frame["oscillator"]
    wanted = slow.unconfirmed_extreme(*series, length)
    assert_array_equal(unconfirmed_extreme(*series, length), wanted)


@law
@given(seeds, st.integers(1, 20))
def test_a_mirrored_market_has_mirrored_alerts(seed, length):
    frame = market(seed, 200)
    high, low, index = frame["high"], frame["low"], frame["oscillator"]
    mirror = unconfirmed_extreme(-low, -high, -index, length)
    assert_array_equal(mirror, -unconfirmed_extreme(high, low, index, length))


@pytest.mark.parametrize("name", ["pivot", "max_pivot_gap"])
@pytest.mark.parametrize("value", [0, 1.5])
def test_lengths_that_are_no_counts_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a whole number >= 1, got {value}"):
        pivot_divergence(HIGH, LOW, RSI, **{name: value})


def test_an_alert_length_that_is_no_count_is_refused():
    with pytest.raises(ValueError, match="length must be a whole number >= 1, got 0"):
        unconfirmed_extreme(HIGH, LOW, RSI, 0)


def test_series_of_different_length_are_refused():
    with pytest.raises(ValueError, match="of one length"):
        pivot_divergence(HIGH, LOW[:3], RSI)
    with pytest.raises(ValueError, match="of one length"):
        unconfirmed_extreme(HIGH, LOW[:3], RSI)
