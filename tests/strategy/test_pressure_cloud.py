"""The pressure-cloud strategy: which touches it takes, and when it lets go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hpi_bt.features.flow_columns import COLUMNS, REGIME_CODES
from hpi_bt.loading import load_strategy

FOLDER = Path(__file__).resolve().parents[2] / "strategies"
STRATEGY = load_strategy("pressure_cloud.py:PressureCloud", [FOLDER])
ZONES = {
    "stable_below": (90.0, 94.0), "stable_above": (106.0, 110.0),
    "unstable_below": (95.0, 97.0), "unstable_above": (103.0, 105.0),
}  # fmt: skip


def target(close, regime, *, session=None, strength=0.5, **changed):
    """Targets of one-price bars under the zones above and one regime, or one a bar."""
    close = np.array(close, float)
    n = close.size
    names = [regime] * n if isinstance(regime, str) else regime
    given = {"regime": [REGIME_CODES.get(name, np.nan) for name in names], "impulse": 1.0}
    for zone, (low, high) in {**ZONES, **changed}.items():
        given |= {f"{zone}_low": low, f"{zone}_high": high, f"{zone}_strength": strength}
    columns = [
        np.broadcast_to(np.array(given.get(c.removeprefix("hedge_"), np.nan), float), (n,))
        for c in COLUMNS
    ]
    session = np.ones(n) if session is None else np.array(session, float)
    return STRATEGY.signal_kernel(close, close, close, *columns, session)


def test_worked_example_of_a_bounce():
    # the zone below is touched, held through the middle, left at the zone above
    assert_array_equal(target([100, 93, 98, 102, 106, 108], "neutral"), [0, 1, 1, 1, -1, -1])
    # it breaks: flat
    assert_array_equal(target([100, 93, 89, 88], "pinned"), [0, 1, 0, 0])
    assert_array_equal(target([100, 107, 111], "pinned"), [0, -1, 0])


def test_worked_example_of_a_continuation():
    # into the acceleration zone above, through it, until the stability zone ahead
    assert_array_equal(target([100, 104, 105, 106, 105], "expansion"), [0, 1, 1, 0, 0])
    # back out of it on the side it came from
    assert_array_equal(target([100, 104, 102.9, 102], "expansion", unstable_below=(np.nan,) * 2),
                       [0, 1, 0, 0])  # fmt: skip
    assert_array_equal(target([100, 96, 95.5, 94], "expansion"), [0, -1, -1, 0])


@pytest.mark.parametrize(
    ("regime", "up", "down"),
    [("expansion", 1, -1), ("squeeze_up", 1, 0), ("squeeze_down", 0, -1), ("neutral", 0, 0),
     ("pinned", 0, 0), ("unknown", 0, 0)],
)  # fmt: skip
def test_a_squeeze_is_followed_its_own_way_alone(regime, up, down):
    assert_array_equal(target([100, 104], regime), [0, up])
    assert_array_equal(target([100, 96], regime), [0, down])


@pytest.mark.parametrize("regime", ["expansion", "squeeze_up", "squeeze_down", "unknown"])
def test_only_calm_regimes_are_faded(regime):
    assert_array_equal(target([100, 93, 93], regime), [0, 0, 0])


def test_a_change_of_regime_ends_the_trade():
    regimes = ["pinned", "pinned", "expansion", "expansion"]
    assert_array_equal(target([100, 93, 98, 98], regimes), [0, 1, 0, 0])
    regimes = ["squeeze_up", "squeeze_up", "squeeze_down"]
    assert_array_equal(target([100, 104, 104.5], regimes), [0, 1, 0])


def test_every_session_starts_flat_and_weak_zones_do_not_count():
    assert_array_equal(target([100, 93, 98], "pinned", session=[1, 1, 2]), [0, 1, 0])
    assert_array_equal(target([100, 93, 98], "pinned", strength=0.1), [0, 0, 0])
