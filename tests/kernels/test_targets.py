from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hpi_bt.kernels.targets import held_target
from kernels.market import law, market, seeds
from reference.targets import held_target as slow

NAN = np.nan
ENTER = np.array([NAN, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0])
LONG_OUT = np.array([1, 0, 0, 1, 1, 0, 1, 0], dtype=bool)
SHORT_OUT = np.array([1, 0, 1, 0, 1, 1, 0, 1], dtype=bool)


def test_worked_example():
    # flat, long, held (a short's exit is not its own), out; short in spite of its exit, held, out
    assert_array_equal(held_target(ENTER, LONG_OUT, SHORT_OUT), [0, 1, 1, 0, 0, -1, -1, 0])
    # the reversed side is held until the next entry, whatever its exit says
    got = held_target(ENTER, LONG_OUT, SHORT_OUT, fade="reverse")
    assert_array_equal(got, [0, 1, 1, -1, -1, -1, -1, 1])


def test_a_session_starts_flat():
    session = np.array([1.0, 1, 2, 2, 2, 2, 5, 5])
    got = held_target(ENTER, LONG_OUT, SHORT_OUT, session=session)
    assert_array_equal(got, [0, 1, 0, 0, 0, -1, 0, 0])


@law
@given(seeds, st.sampled_from(["exit", "reverse"]), st.booleans())
def test_equal_the_reference_and_the_mirror(seed, fade, daily):
    frame = market(seed, 150)
    enter, long_out, short_out = (frame[n] for n in ("enter", "leave_long", "leave_short"))
    options = {"fade": fade, "session": frame["session"] if daily else None}
    got = held_target(enter, long_out, short_out, **options)
    assert_array_equal(got, slow(enter, long_out, short_out, **options))
    assert_array_equal(held_target(-enter, short_out, long_out, **options), -got)


def test_an_unknown_fade_is_refused():
    with pytest.raises(ValueError, match="fade must be 'exit' or 'reverse', got 'hold'"):
        held_target(ENTER, LONG_OUT, SHORT_OUT, fade="hold")


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_series_of_another_length_are_refused(place):
    series = [ENTER, LONG_OUT, SHORT_OUT, np.ones(8)]
    series[place] = series[place][:3]
    with pytest.raises(ValueError, match="of one length"):
        held_target(*series[:3], session=series[3])
