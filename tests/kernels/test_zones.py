from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hpi_bt.kernels.zones import zone_entries
from kernels.market import law, market, seeds

NAN = np.nan


def entries(high, low, below, above, session=None):
    high, low = np.array(high, float), np.array(low, float)
    bounds = [np.broadcast_to(np.array(b, float), high.shape) for b in (*below, *above)]
    session = np.ones_like(high) if session is None else np.array(session, float)
    return zone_entries(high, low, *bounds, session)


def test_worked_example():
    # zones 90..95 and 105..110: outside, touches 95 (down), stays, out, into the upper one, out
    high = [101.0, 99.0, 94.0, 97.0, 105.0, 112.0, 113.0]
    low = [99.0, 95.0, 91.0, 96.0, 103.0, 106.0, 111.0]
    assert_array_equal(entries(high, low, (90, 95), (105, 110)), [0, -1, 0, 0, 1, 0, 0])


def test_passing_the_centre_of_a_zone_is_no_entry():
    # the zone 95..105 above spot is entered; a later snapshot calls the same zone the one below
    below = ([NAN, NAN, 95.0, 95.0], [NAN, NAN, 105.0, 105.0])
    above = ([95.0, 95.0, NAN, NAN], [105.0, 105.0, NAN, NAN])
    price = [90.0, 96.0, 101.0, 104.0]
    assert_array_equal(entries(price, price, below, above), [0, 1, 0, 0])


def test_a_zone_that_appears_around_the_price_or_moves_onto_it_is_no_entry():
    price = [100.0, 100.0, 100.5, 103.0, 100.5]
    below = ([NAN, 98.0, 98.0, 98.0, 98.0], [NAN, 101.0, 101.0, 101.0, 101.0])
    # appears at the second bar; left at the fourth, entered at the last
    assert_array_equal(entries(price, price, below, (NAN, NAN)), [0, 0, 0, 0, -1])
    above = ([105.0, 100.0, 100.0], [110.0, 110.0, 110.0])
    assert_array_equal(entries([101.0] * 3, [100.0] * 3, (NAN, NAN), above), [0, 0, 0])
    # it moves down to 102..110 while the price rises into it from 101
    above = ([105.0, 102.0], [110.0, 110.0])
    assert_array_equal(entries([101.0, 103.0], [100.0, 101.0], (NAN, NAN), above), [0, 1])


def test_the_first_bar_of_a_session_enters_what_it_meets_and_an_unknown_zone_is_none():
    price = [100.0, 100.0, 100.0, 100.0]
    got = entries(price, price, ([99, 99, 99, NAN], 101), (NAN, NAN), session=[1, 1, 2, 2])
    assert_array_equal(got, [-1, 0, -1, 0])
    # a session that is not known goes on with the last
    got = entries(price, price, (99, 101), (NAN, NAN), session=[1, NAN, NAN, 1])
    assert_array_equal(got, [-1, 0, 0, 0])
    assert_array_equal(entries(price, price, (99, 101), (NAN, NAN), [NAN] * 4), [-1, 0, 0, 0])


def test_coming_back_from_the_far_side_is_no_entry():
    price = [100.0, 112.0, 108.0, 104.0, 106.0]  # over the zone at a leap, back into it, out, in
    assert_array_equal(entries(price, price, (90, 95), (105, 110)), [0, 0, 0, 0, 1])
    price = [100.0, 88.0, 92.0, 96.0, 94.0]
    assert_array_equal(entries(price, price, (90, 95), (105, 110)), [0, 0, 0, 0, -1])


def test_a_bar_that_meets_both_zones_says_nothing():
    assert_array_equal(entries([111.0, 111.0], [89.0, 89.0], (90, 95), (105, 110)), [0, 0])


def slow(high, low, bounds, session):
    """Bar by bar, as the docstring says it."""
    out, current, before = [], None, None
    for i in range(len(high)):
        if not np.isnan(session[i]) and session[i] != current:
            current, before = session[i], None
        meets = [
            low[i] <= top[i] and high[i] >= bottom[i] for bottom, top in (bounds[:2], bounds[2:])
        ]
        near = [
            before is None or low[before] > bounds[1][i],
            before is None or high[before] < bounds[2][i],
        ]
        entry = 0.0
        if sum(meets) == 1 and near[meets.index(True)]:
            entry = 1.0 if meets[1] else -1.0
        out.append(entry)
        before = i if low[i] <= high[i] else before
    return out


@law
@given(seeds, st.floats(0.0, 2.0))
def test_equals_the_slow_one_and_flips_with_the_market(seed, width):
    frame = market(seed, 120)
    rng = np.random.default_rng(seed)
    spot = np.repeat(frame["close"][::5], 5)[:120]
    centres = spot + rng.uniform(0.0, 2.0, 120), spot - rng.uniform(0.0, 2.0, 120)
    above, below = ((c - width, c + width) for c in centres)
    high, low, session = frame["high"], frame["low"], frame["session"]
    got = zone_entries(high, low, *below, *above, session)
    assert_array_equal(got, slow(high, low, (*below, *above), session))
    turned = zone_entries(-low, -high, -above[1], -above[0], -below[1], -below[0], session)
    assert_array_equal(turned, -got)


@pytest.mark.parametrize("place", range(7))
def test_series_of_another_length_are_refused(place):
    series = [np.ones(5)] * 7
    series[place] = np.ones(3)
    with pytest.raises(ValueError, match="of one length"):
        zone_entries(*series)
