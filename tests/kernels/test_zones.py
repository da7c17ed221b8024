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


def test_a_session_begins_outside_and_an_unknown_zone_is_none():
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
    out, inside, current, before = [], False, None, None
    for i in range(len(high)):
        if not np.isnan(session[i]) and session[i] != current:
            inside, current, before = False, session[i], None
        meets = [
            low[i] <= top[i] and high[i] >= bottom[i] for bottom, top in (bounds[:2], bounds[2:])
        ]
        entry = 0.0
        if not inside and sum(meets) == 1:
            far = before is not None and (
                low[before] > bounds[3][i] if meets[1] else high[before] < bounds[0][i]
            )
            entry = 0.0 if far else 1.0 if meets[1] else -1.0
        out.append(entry)
        inside, before = any(meets), i
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
