from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.signal import find_peaks

from hpi_bt.kernels.divergence import PIVOTS, pivot_divergence, unconfirmed_extreme
from kernels.market import law, magnitudes, market, seeds
from reference import herrick as slow

NAN = np.nan
LOW = np.array([5.0, 3.0, 5.0, 2.0, 5.0, 5.0])
RSI = np.array([50.0, 20.0, 50.0, 30.0, 50.0, 60.0])
HIGH = np.full(6, 9.0)


CLOSE = {"pivot": 1, "min_pivot_gap": 1}  # pivots of one bar each side, one bar between two


@pytest.mark.parametrize("pivots", PIVOTS)
def test_bullish_divergence_by_hand(pivots):
    # pivots of one bar each side at bars 1 and 3: price 3 then 2, rsi 20 then 30; bar 4 confirms
    got = pivot_divergence(HIGH, LOW, RSI, pivots=pivots, **CLOSE)
    assert_array_equal(got.divergence, [0, 0, 0, 0, 1, 0])
    assert_array_equal(got.pivot_age, [NAN, NAN, NAN, NAN, 1, NAN])
    assert_array_equal(got.previous_pivot_age, [NAN, NAN, NAN, NAN, 3, NAN])


@pytest.mark.parametrize("pivots", PIVOTS)
def test_bearish_divergence_is_the_mirror(pivots):
    got = pivot_divergence(-LOW, -HIGH, -RSI, pivots=pivots, **CLOSE)
    assert_array_equal(got.divergence, [0, 0, 0, 0, -1, 0])
    assert_array_equal(got.previous_pivot_age, [NAN, NAN, NAN, NAN, 3, NAN])


def test_price_is_read_where_the_oscillator_pivots_whether_it_pivots_there_or_not():
    low = np.array([5.0, 3.0, 2.5, 2.0, 1.0, 5.0])  # falls past both pivots of the rsi
    assert pivot_divergence(HIGH, low, RSI, **CLOSE).divergence[4] == 1
    for other in ("price", "both"):
        assert not pivot_divergence(HIGH, low, RSI, pivots=other, **CLOSE).divergence.any()


def test_the_oscillator_is_read_where_price_pivots():
    rsi = np.array([50.0, 20.0, 25.0, 30.0, 35.0, 60.0])  # rises past both pivots of the price
    assert pivot_divergence(HIGH, LOW, rsi, pivots="price", **CLOSE).divergence[4] == 1
    for other in ("oscillator", "both"):
        assert not pivot_divergence(HIGH, LOW, rsi, pivots=other, **CLOSE).divergence.any()


def test_hidden_divergences_are_two_and_only_on_demand():
    rising = np.array([5.0, 2.0, 5.0, 3.0, 5.0, 5.0])
    falling = np.array([50.0, 30.0, 50.0, 20.0, 50.0, 60.0])
    assert not pivot_divergence(HIGH, rising, falling, **CLOSE).divergence.any()
    got = pivot_divergence(HIGH, rising, falling, hidden=True, **CLOSE)
    assert_array_equal(got.divergence, [0, 0, 0, 0, 2, 0])
    mirror = pivot_divergence(-rising, -HIGH, -falling, hidden=True, **CLOSE)
    assert_array_equal(mirror.divergence, [0, 0, 0, 0, -2, 0])


def two_lows(apart):
    """A market and an rsi with pivot lows `apart` bars apart, price lower, rsi higher at the last.

    Both fall into the first, rise half the way and fall into the second.
    """
    x = np.abs(np.arange(apart + 13.0) - 6.0)
    second = np.abs(np.arange(apart + 13.0) - 6.0 - apart)
    shape = np.minimum(x, second)
    later = second < x
    return 200.0 + shape, 100.0 + shape - later, 50.0 + shape + 0.5 * later


@pytest.mark.parametrize(
    ("apart", "found"), [(5, False), (6, True), (7, True), (60, True), (61, True), (62, False)]
)
@pytest.mark.parametrize("pivots", PIVOTS)
def test_five_to_sixty_bars_lie_between_the_pivots_neither_counted(apart, found, pivots):
    got = pivot_divergence(*two_lows(apart), pivot=2, pivots=pivots).divergence
    assert got.tolist() == [float(found and i == 6 + apart + 2) for i in range(len(got))]


def test_the_gaps_can_be_chosen():
    series = two_lows(20)
    assert pivot_divergence(*series, pivot=2, min_pivot_gap=19, max_pivot_gap=19).divergence.any()
    for gaps in ({"min_pivot_gap": 20}, {"max_pivot_gap": 18}):
        assert not pivot_divergence(*series, pivot=2, **gaps).divergence.any()


def test_a_later_pivot_is_compared_with_the_last_one_alone():
    # lows of the rsi at bars 1, 3 and 9; the last is too far from none but too near to the second
    rsi = np.array([50.0, 20.0, 50.0, 30.0, 50.0, 40.0, 50.0, 55.0, 60.0, 61.0])
    low = np.array([9.0, 8.0, 9.0, 7.0, 9.0, 6.0, 9.0, 9.0, 9.0, 9.0])
    got = pivot_divergence(HIGH[0] + low, low, rsi, pivot=1, min_pivot_gap=3).divergence
    assert not got.any()


def test_equal_pivots_are_no_divergence_and_the_first_of_equal_bars_is_the_pivot():
    level = np.where(np.arange(6) == 3, 3.0, LOW)  # the second low equals the first
    assert not pivot_divergence(HIGH, level, RSI, hidden=True, **CLOSE).divergence.any()
    low = np.array([5.0, 3.0, 5.0, 2.0, 2.0, 5.0])
    rsi = np.array([50.0, 20.0, 50.0, 30.0, 30.0, 60.0])
    for pivots in PIVOTS:
        got = pivot_divergence(HIGH, low, rsi, pivots=pivots, **CLOSE)
        assert_array_equal(got.divergence, [0, 0, 0, 0, 1, 0])


def test_a_bullish_and_a_bearish_one_on_one_bar_are_neither():
    # lows at bars 1 and 5 with a rising rsi, highs at bars 3 and 5 with a falling one
    low = np.array([5.0, 3.0, 5.0, 5.0, 5.0, 2.0, 5.0])
    high = np.array([6.0, 6.0, 6.0, 8.0, 6.0, 9.0, 6.0])
    rsi = np.array([10.0, 20.0, 25.0, 40.0, 35.0, 30.0, 30.0])
    options = {"pivots": "price", **CLOSE}
    assert pivot_divergence(np.full(7, 9.0), low, rsi, **options).divergence[6] == 1
    assert pivot_divergence(high, np.full(7, 1.0), rsi, **options).divergence[6] == -1
    got = pivot_divergence(high, low, rsi, **options)
    assert not got.divergence.any()
    assert np.isnan(got.pivot_age).all()


def test_a_regular_one_goes_before_a_hidden_one_of_the_same_bar():
    # the lows of bars 1 and 3 are bullish; the highs are a lower high with a higher rsi
    low, high = np.array([5.0, 3.0, 5.0, 2.0, 5.0]), np.array([6.0, 9.0, 6.0, 8.0, 6.0])
    options = {"pivots": "price", "hidden": True, **CLOSE}
    got = pivot_divergence(high, low, np.arange(5.0), **options)
    assert got.divergence[4] == 1
    alone = pivot_divergence(high, np.full(5, 1.0), np.arange(5.0), **options)
    assert alone.divergence[4] == -2


@law
@given(
    seeds,
    magnitudes,
    st.sampled_from(PIVOTS),
    st.integers(1, 5),
    st.integers(0, 8),
    st.integers(8, 60),
    st.booleans(),
)
def test_pivot_divergence_equals_the_reference(
    seed, magnitude, pivots, pivot, nearest, farthest, hidden
):
    frame = market(seed, 200, magnitude=magnitude, gaps=0.01)
    series = frame["high"], frame["low"], frame["oscillator"]
    options = {"pivots": pivots, "pivot": pivot, "hidden": hidden}
    options |= {"min_pivot_gap": nearest, "max_pivot_gap": farthest}
    wanted = slow.pivot_divergence(*series, **options)
    for got, line in zip(pivot_divergence(*series, **options), wanted, strict=True):
        assert_array_equal(got, line)


def by_the_rule_of_charts(high, low, rsi, pivot=5, nearest=5, farthest=60):
    """Every divergence as charting sites count: bars since the earlier pivot, on the one after."""
    found = set()
    for sign, price in ((-1, low), (1, high)):
        peaks, _ = find_peaks(sign * rsi)
        peaks = [
            p
            for p in peaks
            if pivot <= p < len(rsi) - pivot
            and (sign * rsi[p - pivot : p + pivot + 1]).argmax() == pivot
        ]
        for a, b in itertools.pairwise(peaks):
            near = nearest <= b - a - 1 <= farthest
            if near and sign * (price[b] - price[a]) > 0 > sign * (rsi[b] - rsi[a]):
                found.add((b + pivot, -sign))
    return found


def test_pivots_of_the_oscillator_alone_are_what_charts_count():
    rng = np.random.default_rng(7)
    rsi, price = np.cumsum(rng.normal(size=(2, 5000)), axis=1)
    high, low = price + rng.random(5000), price - rng.random(5000)
    got = pivot_divergence(high, low, rsi).divergence
    bars = {(int(t), int(got[t])) for t in np.flatnonzero(got)}
    assert len(bars) > 50
    assert bars == by_the_rule_of_charts(high, low, rsi)
    both = pivot_divergence(high, low, rsi, pivots="both").divergence
    assert 0 < (both != 0).sum() < len(bars) / 2


def test_divergences_of_both_stand_on_scipys_peaks():
    rng = np.random.default_rng(0)
    price, rsi = np.cumsum(rng.normal(size=(2, 4000)), axis=1)
    rsi = price + 0.3 * rsi  # so that pivots coincide
    got = pivot_divergence(price, price, rsi, pivots="both", pivot=4, max_pivot_gap=400)
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
@given(seeds, st.booleans(), st.sampled_from(PIVOTS))
def test_the_mirror_of_a_market_has_the_mirror_divergences(seed, hidden, pivots):
    frame = market(seed, 200)
    high, low, rsi = frame["high"], frame["low"], frame["oscillator"]
    options = {"pivot": 2, "hidden": hidden, "pivots": pivots}
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pivots": "rsi"}, "pivots must be one of oscillator, price, both, got 'rsi'"),
        ({"min_pivot_gap": -1}, "min_pivot_gap must be a whole number >= 0, got -1"),
        ({"min_pivot_gap": 61}, "min_pivot_gap 61 is more than max_pivot_gap 60"),
    ],
)
def test_other_pivots_and_gaps_in_the_wrong_order_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        pivot_divergence(HIGH, LOW, RSI, **options)


def test_an_alert_length_that_is_no_count_is_refused():
    with pytest.raises(ValueError, match="length must be a whole number >= 1, got 0"):
        unconfirmed_extreme(HIGH, LOW, RSI, 0)


def test_series_of_different_length_are_refused():
    with pytest.raises(ValueError, match="of one length"):
        pivot_divergence(HIGH, LOW[:3], RSI)
    with pytest.raises(ValueError, match="of one length"):
        unconfirmed_extreme(HIGH, LOW[:3], RSI)
