"""HedgeFlow: the columns as lines, weak zones left out, touches told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hedge_columns import hedge_columns
from hpi_bt import HedgeFlow
from hpi_bt.features.flow_columns import COLUMNS, ZONES
from hpi_bt.indicators.hedge_flow import HedgeFlowLines, hedge_flow_lines
from hpi_bt.indicators.shown import kernel_shown
from indicators.bench import clean_frame

NAN = np.nan


def lines(high, low, session=None, min_strength=0.0, **given_):
    n = len(high)
    columns = [np.broadcast_to(np.array(given_.get(c, NAN), float), (n,)) for c in COLUMNS]
    session = np.ones(n) if session is None else np.array(session, float)
    return hedge_flow_lines(
        np.array(high, float), np.array(low, float), *columns, session, min_strength=min_strength
    )


BOX = {
    "hedge_stable_below_low": 90.0, "hedge_stable_below_high": 95.0,
    "hedge_stable_below_strength": 0.5,
    "hedge_unstable_above_low": 105.0, "hedge_unstable_above_high": 110.0,
    "hedge_unstable_above_strength": 0.3,
}  # fmt: skip


def test_worked_example():
    found = lines([99, 95, 93, 104, 106, 108], [96, 94, 91, 99, 103, 104], **BOX)
    # the stability zone below is bought as it is reached, the acceleration above as it is entered
    assert_array_equal(found.stability_touch, [0, 1, 0, 0, 0, 0])
    assert_array_equal(found.acceleration_touch, [0, 0, 0, 0, 1, 0])
    assert_array_equal(found.stable_below_low, [90.0] * 6)


def test_the_other_sides_are_short():
    names = {"unstable_above": "stable_above", "_stable_below": "_unstable_below"}
    sides = {}
    for name, value in BOX.items():
        old = next(word for word in names if word in name)
        sides[name.replace(old, names[old])] = value
    # stability 105..110 above, acceleration 90..95 below
    found = lines([104, 106, 99, 95], [99, 104, 96, 94], **sides)
    assert_array_equal(found.stability_touch, [0, -1, 0, 0])
    assert_array_equal(found.acceleration_touch, [0, 0, 0, -1])


def test_weak_zones_are_left_out():
    found = lines([94, 106], [93, 105], min_strength=0.4, **BOX)
    assert_array_equal(found.stability_touch, [1, 0])
    assert_array_equal(found.acceleration_touch, [0, 0])
    assert np.isnan(found.unstable_above_low).all()
    assert np.isnan(found.unstable_above_strength).all()
    # a zone whose strength is not known stays
    unknown = {**BOX, "hedge_stable_below_strength": NAN}
    assert lines([94], [93], min_strength=0.4, **unknown).stability_touch[0] == 1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.0, 1.0))
def test_every_line_but_the_zones_and_touches_is_its_column(seed, least):
    frame = clean_frame(seed, sessions=3)
    frame = frame.drop(columns=list(COLUMNS)).join(hedge_columns(frame, seed, every=3))
    found = kernel_shown(HedgeFlow, frame, {"min_strength": least}).lines
    for column in COLUMNS:
        name, values = column.removeprefix("hedge_"), frame[column].to_numpy()
        zone = next((z for z in ZONES if name.startswith(z)), None)
        if zone is not None:
            weak = frame[f"hedge_{zone}_strength"].to_numpy() < least
            values = np.where(weak, NAN, values)
        assert_array_equal(found[name], values)
    for name in ("stability_touch", "acceleration_touch"):
        touches = found[name]
        assert set(np.unique(touches)) <= {-1.0, 0.0, 1.0}
        # a bar that touches is within a zone of its kind, on the side that the sign says
        kind, up = ("stable", "below") if name[0] == "s" else ("unstable", "above")
        for bar in np.flatnonzero(touches):
            side = up if touches[bar] > 0 else {"below": "above", "above": "below"}[up]
            assert frame["low"].iloc[bar] <= found[f"{kind}_{side}_high"][bar]
            assert frame["high"].iloc[bar] >= found[f"{kind}_{side}_low"][bar]


def test_every_drawn_line_is_a_line_and_zones_name_their_bounds():
    for name, style in HedgeFlow.chart.items():
        assert name in HedgeFlowLines._fields
        for part in ("high", "strength"):
            assert style.get(part, name) in HedgeFlowLines._fields
    assert sum(style["kind"] == "zone" for style in HedgeFlow.chart.values()) == len(ZONES)


def test_remarks_count_regimes_and_touches():
    frame = clean_frame()
    shown = kernel_shown(HedgeFlow, frame, {})
    (remark,) = shown.remarks(frame)
    known = shown.lines["regime"][np.isfinite(shown.lines["impulse"])]
    assert f"pinned {100 * np.mean(known == 2.0):.0f} %" in remark
    touches = int((shown.lines["stability_touch"] != 0).sum())
    assert f"touches: {touches} of stability zones" in remark
    silent = frame.assign(**dict.fromkeys(COLUMNS, NAN))
    assert kernel_shown(HedgeFlow, silent, {}).remarks(silent) == [
        "hedge flow is never known: add the feature hedge_flow to the config"
    ]


@pytest.mark.parametrize("least", [-0.1, 1.1, NAN])
def test_a_strength_that_is_no_share_is_refused(least):
    with pytest.raises(ValueError, match=r"min_strength must lie in 0..1"):
        lines([1.0], [1.0], min_strength=least)


def test_columns_in_another_number_are_refused():
    with pytest.raises(ValueError, match="wanted the 26 of hedge_flow and session"):
        hedge_flow_lines(np.ones(2), np.ones(2), np.ones(2))


def test_a_touch_tells_the_bound_that_was_reached():
    found = lines([99, 95, 93, 104, 106, 108], [96, 94, 91, 99, 103, 104], **BOX)
    assert_array_equal(found.stability_bound, [NAN, 95.0, NAN, NAN, NAN, NAN])
    assert_array_equal(found.acceleration_bound, [NAN, NAN, NAN, NAN, 105.0, NAN])
    events = ("stability_touch", "acceleration_touch")
    assert [HedgeFlow.chart[e]["value"] for e in events] == [
        "stability_bound", "acceleration_bound",
    ]  # fmt: skip


def test_a_zone_that_appears_around_the_price_is_no_touch():
    appears = BOX | {"hedge_stable_below_low": [NAN, 90.0], "hedge_stable_below_high": [NAN, 95.0]}
    found = lines([94, 94], [93, 93], **appears)
    assert_array_equal(found.stability_touch, [0, 0])
    assert_array_equal(found.stability_bound, [NAN, NAN])


def test_an_unknown_impulse_has_an_unknown_regime_never_a_neutral_one():
    given_ = {"hedge_impulse": [1.0, NAN], "hedge_regime": [0.0, 0.0], "hedge_gex": [5.0, 5.0]}
    found = lines([100, 100], [99, 99], **given_)
    assert_array_equal(found.regime, [0.0, NAN])
    assert_array_equal(found.gex, [5.0, 5.0])


def test_remarks_count_an_unknown_regime_as_such():
    frame = clean_frame()
    half = np.arange(len(frame)) % 2 == 0
    blind = frame.assign(hedge_impulse=np.where(half, NAN, 1.0), hedge_gex=1.0, hedge_regime=0.0)
    (remark,) = kernel_shown(HedgeFlow, blind, {}).remarks(blind)
    assert "neutral 50 %, unknown 50 %" in remark
    none = frame.assign(hedge_impulse=NAN, hedge_gex=1.0, hedge_regime=0.0)
    (remark,) = kernel_shown(HedgeFlow, none, {}).remarks(none)
    assert "regimes: unknown 100 %" in remark
