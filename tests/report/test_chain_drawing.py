"""Scales, ticks, paths and amounts of the chain page."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hpi_bt.report.amounts import amount, away, level, plain, sentence, signed, vol
from hpi_bt.report.svg import Panel, Span, bounds, log_ticks, path, telling_ticks, ticks

UNITS = {"": 1.0, " k": 1e3, " m": 1e6, " bn": 1e9, " tn": 1e12}
numbers = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e14, max_value=1e14)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (17.81e9, "+17.8 bn"),
        (-999.6e6, "−1.00 bn"),
        (999.4e6, "+999 m"),
        (1234.0, "+1.23 k"),
        (57.04, "+57.0"),
        (-0.00978, "−0.00978"),
        (0.0, "0"),
        (-0.0, "0"),
        (1e-12, "0"),
        (math.nan, "–"),
        (math.inf, "–"),
    ],
)
def test_amounts_by_hand(value, text):
    assert amount(value) == text


@given(value=numbers)
def test_an_amount_reads_back_to_three_digits(value):
    text = amount(value)
    mantissa, unit = re.fullmatch(r"([+−]?[\d.]+)( \w+)?", text).groups()
    back = float(mantissa.replace("−", "-")) * UNITS[unit or ""]
    assert_allclose(back, value, rtol=5.1e-3, atol=1e-6)
    assert amount(value, sign=False) == text.removeprefix("+")


def test_other_numbers_by_hand():
    assert amount(20e9, trim=True) == "+20 bn"
    assert (level(4505.1), level(4500.0), level(math.nan)) == ("4,505.10", "4,500", "–")
    assert (away(4495.0, 4505.1), away(math.nan, 1.0)) == ("−0.22 %", "–")
    assert (signed(-0.004, 2), signed(math.nan, 2), plain(0.5, 1)) == ("0.00", "–", "0.5")
    assert (vol(0.0853), vol(math.nan)) == ("8.5 %", "–")
    assert sentence("no puts") == sentence("No puts.") == "No puts."


@given(low=numbers, reach=st.floats(1e-6, 1e14), count=st.integers(1, 12))
def test_ticks_are_round_evenly_spaced_and_inside(low, reach, count):
    high = low + reach
    if not high - low > 1e-9 * abs(low):
        return
    made = ticks(low, high, count)
    assert len(made) <= count + 1
    if len(made):
        assert made[0] >= low - 1e-6 * reach - 1e-9 * abs(low)
        assert made[-1] <= high + 1e-6 * reach + 1e-9 * abs(high)
    if len(made) > 1:
        step = made[1] - made[0]
        digits = step / 10.0 ** math.floor(math.log10(step) + 1e-6)
        assert min(abs(digits - one) for one in (1.0, 2.0, 2.5, 5.0, 10.0)) < 1e-2


@given(values=st.lists(st.floats(-1e12, 1e12) | st.just(math.nan), max_size=5), zero=st.booleans())
def test_bounds_hold_all_that_is_known_and_are_apart(values, zero):
    low, high = bounds(values, zero=zero)
    known = [v for v in values if not math.isnan(v)]
    assert low < high
    assert all(low <= v <= high for v in known)
    assert not zero or low <= 0.0 <= high


def test_log_ticks_by_hand():
    assert_allclose(log_ticks(0.7, 30.0), [1.0, 2.0, 5.0, 10.0, 20.0])


def test_a_path_breaks_where_nothing_is_known():
    x, y = np.array([0.0, 1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, np.nan, 3.0, 4.0])
    assert path(x, y) == "M0.0,1.0L1.0,2.0M3.0,3.0L4.0,4.0"
    assert path(x[:2], y[:2], base=9.0) == "M0.0,9.0L0.0,1.0L1.0,2.0L1.0,9.0Z"
    assert path(x, np.full(5, np.nan)) == ""


def test_places_on_both_kinds_of_scale():
    assert_allclose(Span(10.0, 20.0, 0.0, 100.0).place([10.0, 15.0, 20.0]), [0.0, 50.0, 100.0])
    assert_allclose(Span(1.0, 100.0, 0.0, 100.0, log=True).place([1.0, 10.0]), [0.0, 50.0])


def test_bars_leave_out_what_is_unknown_or_empty():
    panel = Panel(Span(0.0, 10.0, 0.0, 100.0), Span(0.0, 1.0, 50.0, 0.0))
    low, high = np.zeros(3), np.array([1.0, np.nan, 0.0])
    panel.bars("bar", np.array([1.0, 2.0, 3.0]), low, high, 4.0)
    assert panel.shapes[0].attrs == {"class": "bar", "d": "M8.0,50.0h4.0V0.0h-4.0Z"}


@given(st.floats(-1e9, 0.0), st.floats(1e-3, 1e9), st.integers(1, 5))
def test_an_axis_tells_more_than_0(low, high, count):
    if high - low > 1e-9 * abs(low):
        found = telling_ticks(Span(low, high, 0.0, 100.0), count)
        assert np.any(found != 0.0)
        assert len(found) <= count + 12


def test_ticks_that_tell_by_hand():
    # steps of 2 tell 0 alone, steps of 1 do more
    assert_allclose(ticks(-1.9, 0.4, 1), [0.0])
    assert_allclose(telling_ticks(Span(-1.9, 0.4, 0.0, 1.0), 1), [-1.0, 0.0], atol=1e-12)
