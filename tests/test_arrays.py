from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hpi_bt.arrays import as_series, carried, copy_state, part
from hpi_bt.errors import InputError, did_you_mean

leaves = st.lists(st.floats(allow_nan=False), max_size=4).map(np.array)
states = st.recursive(
    leaves, lambda below: st.dictionaries(st.text(max_size=3), below, max_size=3), max_leaves=8
).filter(lambda state: isinstance(state, dict))


def test_a_part_is_made_once_and_kept():
    state: dict[str, object] = {}
    part(state, "ema")["seen"] = np.ones(1)
    assert part(state, "ema") is state["ema"]
    assert list(part(state, "ema")) == ["seen"]
    assert part(state, "sma") == {}


def test_without_a_state_nothing_is_remembered():
    assert part(None, "ema") is None
    assert carried(None, "carry", 2) is not carried(None, "carry", 2)


def test_carried_arrays_are_filled_at_first_and_the_same_afterwards():
    state: dict[str, object] = {}
    first = carried(state, "carry", 2, fill=np.nan)
    assert first.dtype == np.float64
    assert_array_equal(first, [np.nan, np.nan])
    first[:] = 3.0
    assert carried(state, "carry", 2, fill=np.nan) is first
    assert_array_equal(carried(None, "carry", 3), np.zeros(3))


@settings(max_examples=50, deadline=None)
@given(states)
def test_a_copied_state_is_equal_and_shares_nothing(state):
    def arrays(node):
        for value in node.values():
            yield from arrays(value) if isinstance(value, dict) else [value]

    copy = copy_state(state)
    assert repr(copy) == repr(state)
    assert not any(np.shares_memory(a, b) for a in arrays(state) for b in arrays(copy))


def test_a_copied_state_may_hold_anything_that_can_be_copied():
    state = {"last": 1.5, "seen": [1, [2]], "inner": {"who": None, "n": 3}, "values": np.ones(2)}
    copy = copy_state(state)
    assert repr(copy) == repr(state)
    copy["seen"][1].append(9)
    copy["inner"]["n"] = 4
    copy["values"][0] = 7.0
    assert (state["seen"], state["inner"]["n"], state["values"][0]) == ([1, [2]], 3, 1.0)


def test_series_become_contiguous_float64_without_touching_the_input():
    whole = np.arange(6)
    every_other, listed = as_series(whole[::2], [1, 2, 3])
    for series in (every_other, listed):
        assert series.dtype == np.float64
        assert series.flags.c_contiguous
    assert_array_equal(every_other, [0, 2, 4])
    assert_array_equal(whole, np.arange(6))


@pytest.mark.parametrize("shapes", [[(3,), (4,)], [(2, 2)], [()], [(3,), (3, 1)]])
def test_series_of_other_shapes_are_refused(shapes):
    if shapes == [()]:  # numpy makes a one-element series of a scalar
        assert as_series(7.0)[0].shape == (1,)
        return
    with pytest.raises(ValueError, match="one-dimensional and of one length, got shapes"):
        as_series(*(np.zeros(shape) for shape in shapes))


def test_a_wrong_word_gets_the_nearest_known_one_or_all():
    assert did_you_mean("smothing", ["smoothing", "lam"]) == " (did you mean 'smoothing'?)"
    assert did_you_mean("xyz", ["smoothing", "lam"]) == " (known: lam, smoothing)"
    assert issubclass(InputError, ValueError)
