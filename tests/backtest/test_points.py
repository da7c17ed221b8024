from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpi_bt import InputError
from hpi_bt.backtest.points import grid_points, random_points, range_values
from hpi_bt.config import Range, validated


def span(low, high, step=None):
    return Range.model_validate({"from": low, "to": high, "step": step})


def test_a_grid_is_every_combination_the_first_axis_slowest():
    got = grid_points({"a": [1, 2], "b": ["x", None]})
    assert got == [{"a": a, "b": b} for a in (1, 2) for b in ("x", None)]


def test_ranges_include_both_ends_and_stay_whole_where_they_are():
    assert range_values("a", span(1, 7, 3)) == [1, 4, 7]
    assert all(isinstance(v, int) for v in range_values("a", span(1, 7, 3)))
    assert range_values("a", span(1, 8, 3)) == [1, 4, 7]
    assert range_values("a", span(0.1, 0.3, 0.1)) == [0.1, 0.2, 0.3]
    assert range_values("a", span(-1, 1, 0.5)) == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert range_values("a", span(2, 2, 1)) == [2]


@given(st.integers(-(10**6), 10**6), st.integers(0, 500), st.integers(1, 10**4), st.integers(0, 6))
def test_a_range_has_all_its_values_whatever_the_rounding(first, n, step, digits):
    unit = 10.0**-digits
    axis = span(first * unit, (first + n * step) * unit, step * unit)
    got = range_values("a", axis)
    assert len(got) == n + 1
    assert np.allclose(got, (first + step * np.arange(n + 1)) * unit, rtol=1e-9, atol=1e-9)


@given(st.integers(1, 40), st.integers(0, 2**31))
def test_random_points_lie_within_their_axes_repeat_by_seed_and_never_twice(samples, seed):
    axes = {
        "whole": span(1, 9), "real": span(0.5, 1.5), "step": span(1, 7, 2), "one": ["x", "y"]
    }  # fmt: skip
    got = random_points(axes, samples, seed=seed)
    assert got == random_points(axes, samples, seed=seed)
    assert len(got) == samples == len({repr(p) for p in got})
    for point in got:
        assert isinstance(point["whole"], int)
        assert 1 <= point["whole"] <= 9
        assert 0.5 <= point["real"] <= 1.5
        assert point["step"] in (1, 3, 5, 7)
        assert point["one"] in ("x", "y")


def test_the_ends_of_a_range_are_drawn_as_often_as_its_middle():
    axes = {"whole": span(1, 5), "other": span(0.0, 1.0)}
    drawn = [p["whole"] for p in random_points(axes, 5000, seed=1)]
    counts = np.bincount(drawn, minlength=6)[1:]
    assert counts.min() > 850  # 1,000 each; half of it at the ends before


def test_a_range_of_floats_gives_floats():
    drawn = [p["x"] for p in random_points({"x": span(0.0, 2.0)}, 40)]
    assert all(isinstance(x, float) for x in drawn)
    assert len({round(x, 3) for x in drawn}) > 30
    assert all(isinstance(x, float) for x in range_values("x", span(1.0, 3.0, 1.0)))
    kept = Range.model_validate(span(0.0, 2.0).model_dump(mode="json", by_alias=True))
    assert not kept.whole


def test_fewer_points_are_drawn_where_there_are_no_more():
    got = random_points({"a": [1, 2], "b": [True, False]}, 50)
    assert sorted(map(repr, got)) == sorted(
        map(repr, grid_points({"a": [1, 2], "b": [True, False]}))
    )


@pytest.mark.parametrize(
    ("axes", "says"),
    [
        ({}, "sweep: names no parameter; add"),
        ({"a": []}, "sweep.a: holds no value"),
        ({"a": [5, 5]}, "sweep.a: holds a value twice"),
        ({"a": [5, 5.0]}, "sweep.a: holds a value twice"),
        ({"a": [[1], [1]]}, "sweep.a: holds a value twice"),
        ({"a": span(1, 2)}, "sweep.a: a range has no step"),
    ],
)
def test_axes_without_points_are_refused(axes, says):
    with pytest.raises(InputError, match=says):
        grid_points(axes)


def test_true_is_not_one():
    assert len(grid_points({"a": [1, True, "1"]})) == 3


def test_no_sample_is_refused():
    with pytest.raises(InputError, match="samples: 0; draw at least one"):
        random_points({"a": [1]}, 0)
    with pytest.raises(InputError, match=r"sweep.a: holds no value"):
        random_points({"a": []}, 3)
    with pytest.raises(InputError, match="names no parameter"):
        random_points({}, 3)


def test_too_many_points_are_refused_before_any_is_made():
    begun = time.monotonic()
    for axes in (
        {"a": span(0, 1e12, 1)},
        {"a": span(0, 1, 1e-200)},
        {"a": list(range(1000)), "b": list(range(1000)), "c": span(1, 1e9, 0.5)},
    ):
        with pytest.raises(InputError, match="points are more than the 100,000 allowed"):
            grid_points(axes)
    with pytest.raises(InputError, match="5 points are more than the 4 allowed"):
        grid_points({"a": [1, 2, 3, 4, 5]}, max_points=4)
    with pytest.raises(InputError, match="9 points are more than the 4 allowed"):
        random_points({"a": [1, 2]}, 9, max_points=4)
    assert time.monotonic() - begun < 2.0


def test_drawing_from_a_long_range_takes_no_time():
    begun = time.monotonic()
    got = random_points({"a": span(0, 1e12, 1)}, 100)
    assert len(got) == 100
    assert time.monotonic() - begun < 1.0


def swept(axis):
    return validated(
        {
            "name": "s",
            "data": {"source": {"kind": "demo"}},
            "strategy": {"class": "a.py:A"},
            "sweep": {"smoothing": axis},
        },
        "c.yaml",
    ).sweep["smoothing"]


def test_a_config_gives_lists_and_ranges():
    assert swept([1, 2]) == [1, 2]
    assert range_values("smoothing", swept({"from": 1, "to": 5, "step": 2})) == [1, 3, 5]


@pytest.mark.parametrize(
    ("axis", "says"),
    [
        ({"from": 1, "to": 2, "step": 0}, r"smoothing.step: found 0; wanted more than 0"),
        ({"from": 1, "to": 2, "step": -1}, r"smoothing.step: found -1; wanted more than 0"),
        ({"from": 3, "to": 2, "step": 1}, "from 3 lies above to 2; swap them"),
        ({"from": 1, "to": math.inf, "step": 1}, "smoothing.to: found inf; wanted a number"),
        ({"from": math.nan, "to": 1, "step": 1}, "smoothing.from: found nan; wanted a number"),
        ({"from": 1, "step": 1}, "smoothing.to is missing"),
        ({"from": 1, "to": 2, "steps": 1}, "did you mean 'step'"),
        (5, "smoothing.*found 5"),
    ],
    ids=str,
)
def test_a_range_that_is_none_is_refused_by_its_name(axis, says):
    with pytest.raises(InputError, match=says) as refused:
        swept(axis)
    assert "\n" not in str(refused.value)
    assert "function-" not in str(refused.value)
