"""Features of curves drawn by hand (definitions 6)."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hpi_bt.errors import Note, Severity
from hpi_bt.options.curve_features import CurveFeatures, features_of, integral

GRID = 1000.0 + np.arange(-10, 11) * 1.0  # 0.1 % a step


def features(values: list[float], grid: np.ndarray = GRID) -> CurveFeatures:
    return features_of(grid, np.array(values, dtype=float))


def padded(middle: list[float], edge: float = 0.0) -> list[float]:
    """Values around spot, with `edge` beyond them."""
    side = (21 - len(middle)) // 2
    return [edge] * side + middle + [edge] * side


def test_impulse_and_slope_are_read_at_spot() -> None:
    found = features(padded([1.0, 4.0, 7.0]))
    assert (found.impulse, found.slope) == (4.0, 3.0)


def test_crossings_are_interpolated_and_know_their_direction() -> None:
    found = features([-3.0] * 8 + [1.0] * 8 + [-1.0] * 5)
    # from -3 at 997 to +1 at 998: three quarters of the way; from 1 at 1005 to -1 at 1006: half
    assert_allclose([c.price for c in found.crossings], [997.75, 1005.5])
    assert [c.rising for c in found.crossings] == [True, False]


def test_a_zero_on_the_grid_is_one_crossing_and_a_touched_zero_none() -> None:
    through = features([-1.0] * 10 + [0.0] + [1.0] * 10)
    assert [(c.price, c.rising) for c in through.crossings] == [(1000.0, True)]
    flat = features([1.0] * 8 + [0.0] * 3 + [-1.0] * 10)
    assert [(c.price, c.rising) for c in flat.crossings] == [(999.0, False)]
    touched = features([1.0] * 10 + [0.0] + [1.0] * 10)
    assert touched.crossings == ()


def test_no_crossing_is_seen_across_the_unknown() -> None:
    found = features([-1.0] * 10 + [math.nan] + [1.0] * 10)
    assert found.crossings == ()
    assert math.isnan(found.impulse)
    assert (found.bias, found.regime) == ("unknown", "unknown")
    assert any("not known to 0.5 % on both sides" in flag for flag in found.flags)
    notes = {flag.code: flag for flag in found.flags if isinstance(flag, Note)}
    assert notes["impulse-at-spot-unknown"].severity is Severity.WARNING
    assert not any("0 everywhere" in flag for flag in found.flags)


def test_where_the_bias_decides_and_is_unknown_so_is_the_regime() -> None:
    short = np.linspace(996.0, 1004.0, 9)  # within 0.4 % of spot
    for here, regime in ((2.0, "pinned"), (-2.0, "expansion"), (0.1, "unknown")):
        values = np.array([1.0, -1.0, 1.0, -1.0, here, 1.0, -1.0, 1.0, -1.0])
        found = features_of(short, values)
        assert (found.bias, found.regime) == ("unknown", regime)


def test_basins_are_positive_maxima_and_peaks_negative_minima() -> None:
    values = [0.0, 2.0, 1.0, 3.0, 3.0, 3.0, 0.0, -2.0, -1.0, -4.0, 0.0, -1.0, 5.0, 4.0]
    found = features(values + [6.0, -9.0] + [0.0] * 5)
    assert [(b.price, b.impulse) for b in found.basins] == [
        (991.0, 2.0),
        (994.0, 3.0),  # a flat top counts once, at its middle
        (1002.0, 5.0),
        (1004.0, 6.0),
    ]
    assert [(p.price, p.impulse) for p in found.peaks] == [
        (997.0, -2.0),
        (999.0, -4.0),
        (1001.0, -1.0),
        (1005.0, -9.0),
    ]
    assert (found.attractor_below, found.attractor_above) == (994.0, 1002.0)


def test_the_ends_of_the_grid_and_maxima_below_0_are_no_basins() -> None:
    found = features([*range(21)])
    assert (found.basins, found.peaks) == ((), ())
    assert math.isnan(found.attractor_above)
    assert math.isnan(found.attractor_below)
    below = features(padded([-3.0, -1.0, -3.0], edge=-5.0))
    assert below.basins == ()


def test_asymmetry_is_the_trapezoid_over_half_a_percent() -> None:
    # above spot: 2, 1, 0, -1, -2, -3 at 1000 .. 1005: trapezoid -2.5; below all 2: 10
    found = features([2.0] * 11 + [1.0, 0.0, -1.0, -2.0, -3.0, 9.0, 9.0, 9.0, 9.0, 9.0])
    assert_allclose([found.up, found.down], [-2.5, 10.0], rtol=1e-9)
    assert found.bias == "up"


def test_asymmetry_between_grid_points_is_interpolated() -> None:
    grid = 1000.0 + np.arange(-4, 5) * 2.0
    values = np.array([9.0, 9.0, 9.0, 9.0, 0.0, 2.0, 4.0, 8.0, 0.0])
    # to 1005, between 4 at 1004 and 8 at 1006: 2 + 6 + (4 + 6)/2
    assert integral(grid, values, 1000.0, 1005.0) == pytest.approx(13.0)
    assert math.isnan(integral(grid, values, 1000.0, 1008.5))


@pytest.mark.parametrize(
    ("up", "down", "bias"),
    [
        (1.0, 0.85, "down"),
        (1.0, 0.95, "none"),
        (-1.0, 1.0, "up"),
        (-2.0, -3.0, "down"),
        (0.0, 0.0, "none"),
    ],
)
def test_the_bias_is_the_more_negative_side_unless_both_are_equal(
    up: float, down: float, bias: str
) -> None:
    found = features([down] * 10 + [0.5 * (up + down)] + [up] * 10)
    assert found.bias == bias


@pytest.mark.parametrize(
    ("values", "regime"),
    [
        # H at spot over the mean |H|
        ([2.0] * 21, "pinned"),
        ([-2.0] * 21, "expansion"),  # both sides alike: no bias
        ([1.0] * 10 + [-2.0] + [-3.0] * 10, "squeeze_up"),
        ([-3.0] * 10 + [-2.0] + [1.0] * 10, "squeeze_down"),
        # spot is quiet: the leading side must be negative and 1.5 times the other
        ([1.0] * 10 + [0.0] + [-3.0] * 10, "squeeze_up"),
        ([1.0] * 10 + [0.0] + [-1.2] * 10, "neutral"),
        ([1.0] * 10 + [0.0] + [5.0] * 10, "neutral"),
        ([0.0] * 21, "neutral"),
    ],
)
def test_each_regime_by_its_rule(values: list[float], regime: str) -> None:
    assert features(values).regime == regime


def test_a_curve_that_is_0_everywhere_says_why_it_is_neutral() -> None:
    flags = features([0.0] * 21).flags
    assert "The impulse is 0 everywhere: the regime is neutral for want of any." in flags


def test_a_missing_attractor_is_flagged() -> None:
    one_sided = features(padded([0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0]))
    assert one_sided.attractor_below == 998.0
    assert one_sided.flags == (
        "No attractor above spot on these prices; a wider range_pct may hold one.",
    )


curves = st.lists(st.floats(-1e6, 1e6), min_size=21, max_size=21)


@given(curves)
def test_a_curve_seen_in_a_mirror_has_its_features_mirrored(values: list[float]) -> None:
    own, other = features(values), features(values[::-1])
    assert_allclose([other.up, other.down], [own.down, own.up], rtol=1e-9, atol=1e-6)
    mirrored = sorted(2000.0 - c.price for c in other.crossings)
    assert_allclose(mirrored, [c.price for c in own.crossings], atol=1e-6)
    assert len(other.basins) == len(own.basins)
    assert len(other.peaks) == len(own.peaks)


@given(curves)
def test_crossings_alternate_and_extremes_lie_on_the_curve(values: list[float]) -> None:
    found = features(values)
    rising = [c.rising for c in found.crossings]
    assert all(a != b for a, b in itertools.pairwise(rising))
    for extreme in (*found.basins, *found.peaks):
        assert values[extreme.at] == extreme.impulse
        assert GRID[extreme.at] == extreme.price
        lower, upper = values[extreme.at - 1], values[extreme.at + 1]
        side = math.copysign(1.0, extreme.impulse)
        assert side * extreme.impulse >= max(side * lower, side * upper)
