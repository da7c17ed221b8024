"""Compiled functions run as plain Python."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from hpi_bt.kernels.interpreting import interpreted

numbers = st.floats(allow_nan=False, width=64)


@njit
def _share(part: float, whole: float) -> float:
    return part / whole


@njit
def _left(a: float, b: float) -> float:
    return 1.0 - _share(a, b) if a < b else _share(b, a) * math.sqrt(2.0)


@njit
def _twice(a: float, b: float) -> float:
    return _left(a, b) + _left(b, a) + _share(a, 3.0)


def test_nothing_is_compiled():
    assert interpreted(_twice)(1.0, 4.0) == 0.75 + 0.25 * math.sqrt(2.0) + 1.0 / 3.0
    assert [f.signatures for f in (_twice, _left, _share)] == [[], [], []]


@given(numbers, numbers)
def test_the_result_is_that_of_the_compiled_function_to_the_last_bit(a, b):
    try:
        want = _twice(a, b)
    except ZeroDivisionError:
        with pytest.raises(ZeroDivisionError):
            interpreted(_twice)(a, b)
        return
    got = interpreted(_twice)(a, b)
    assert got == want or (math.isnan(got) and math.isnan(want))


def test_what_it_calls_elsewhere_stays_compiled():
    made = interpreted(_left)
    assert made.__globals__["_share"] is not _share
    assert hasattr(_share, "py_func")
    assert _left.py_func.__globals__["_share"] is _share
