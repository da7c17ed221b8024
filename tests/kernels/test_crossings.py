from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_array_equal

from hpi_bt.kernels.crossings import level_crossings, sign_changes
from kernels.market import law, market, seeds
from reference.pressure import sign_changes as slow

NAN = np.nan


def test_worked_example():
    x = np.array([0.0, 2.0, -1.0, 0.0, -1.0, NAN, 3.0, 0.0, 1.0])
    # the first sign is no change; a zero and a NaN are passed over; touching zero is no crossing
    assert_array_equal(sign_changes(x), [0, 0, -1, 0, 0, 0, 1, 0, 0])


def test_the_memory_restarts_with_a_session():
    x = np.array([1.0, -1.0, 1.0, -1.0, 1.0])
    session = np.array([7.0, 7.0, 8.0, 8.0, 12.0])
    assert_array_equal(sign_changes(x, session=session), [0, -1, 0, -1, 0])


@law
@given(seeds)
def test_equal_the_reference(seed):
    frame = market(seed, 120)
    x, session = frame["oscillator"], frame["session"]
    assert_array_equal(sign_changes(x), slow(x))
    assert_array_equal(sign_changes(x, session=session), slow(x, session))


@law
@given(seeds)
def test_crossings_alternate_and_flip_with_the_sign(seed):
    x = market(seed, 120)["oscillator"]
    got = sign_changes(x)
    assert_array_equal(sign_changes(-x), -got)
    crosses = got[got != 0]
    assert (np.diff(crosses) != 0).all()


def test_sessions_of_another_length_are_refused():
    with pytest.raises(ValueError, match="of one length"):
        sign_changes(np.ones(5), session=np.ones(3))


def test_zones_are_entered_and_left_by_hand():
    x = np.array([75.0, 69.0, 70.0, NAN, 80.0, 30.0, 31.0, 10.0, 90.0, 50.0])
    # the first value is no entry; 70 itself belongs to the zone; from one zone straight into the
    # other is both an entry and an exit
    got = level_crossings(x, upper=70.0, lower=30.0)
    assert_array_equal(got.entered, [0, 0, 1, 0, 0, -1, 0, -1, 1, 0])
    assert_array_equal(got.left, [0, -1, 0, 0, 0, -1, 1, 0, 1, -1])


@law
@given(seeds)
def test_what_is_entered_is_left_before_it_is_entered_again(seed):
    x = market(seed, 120)["oscillator"]
    got = level_crossings(x, upper=1.0, lower=-1.0)
    mirror = level_crossings(-x, upper=1.0, lower=-1.0)
    assert_array_equal(mirror.entered, -got.entered)
    assert_array_equal(mirror.left, -got.left)
    for side in (1.0, -1.0):
        steps = (got.entered == side).astype(int) - (got.left == -side).astype(int)
        moves = steps[steps != 0]
        assert (np.diff(moves) != 0).all()


def test_levels_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match="upper level 30 must lie above the lower one, 70"):
        level_crossings(np.ones(3), upper=30, lower=70)
