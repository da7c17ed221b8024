"""The demo's planted effect: hedging pressure that shows near the money alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from pydantic import ValidationError

from hpi_bt.sources.demo import DemoSource, simulate

HALF_HOURS = {"sessions": 40, "bar": "30min"}


def shares_of_puts(market):
    """Put share by bar, near the money and beyond."""
    whole = market.frame[["put_volume", "call_volume"]].to_numpy()
    near = market.near_volume
    return (part[:, 0] / part.sum(axis=1) for part in (near, whole - near))


def test_pressure_leans_the_puts_near_the_money_and_no_others():
    found = []
    for seed in range(6):
        market = simulate(DemoSource(**HALF_HOURS, seed=seed, near_money_pct=2.0))
        near, far = shares_of_puts(market)
        found.append([np.corrcoef(market.pressure, x)[0, 1] for x in (near, far)])
    near, far = np.array(found).T
    assert (near > 0.7).all()
    assert abs(far.mean()) < 3 * far.std() / np.sqrt(6)
    assert (np.abs(far) < 0.5).all()


def test_nine_tenths_of_the_volume_trade_far_away():
    market = simulate(DemoSource(**HALF_HOURS, near_money_pct=2.0))
    share = market.near_volume.sum() / market.frame[["put_volume", "call_volume"]].to_numpy().sum()
    assert share == pytest.approx(0.1, abs=0.001)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10**6), pct=st.floats(0.1, 2.5), price=st.floats(0.6, 5000)
)  # fmt: skip
def test_volume_lies_where_the_setting_says_and_nothing_else_changes(seed, pct, price):
    base = {"sessions": 4, "bar": "60min", "seed": seed, "price": price}
    plain, market = (simulate(DemoSource(**base, near_money_pct=p)) for p in (None, pct))
    same = ["open", "high", "low", "close", "volume", "openinterest"]
    assert_array_equal(plain.frame[same], market.frame[same])
    totals = [m.frame["put_volume"] + m.frame["call_volume"] for m in (plain, market)]
    assert_array_equal(*totals)
    assert_array_equal(plain.strikes, market.strikes)
    first = market.frame.groupby(market.frame.index.date)["open"].first().to_numpy()
    away = np.abs(market.strikes / first[:, None] - 1.0) * 100
    traded = market.ladder_volume.sum(axis=1) > 0
    between = (away > pct) & (away < 3 * pct) & ~market.near
    assert not (traded & between).any()
    for day, date in enumerate(market.dates):
        parts = market.strike_volumes(date)
        bars = market.frame.index.tz_localize(None).normalize() == date
        near = np.isin(parts["strike"], market.strikes[market.near[day]])
        for side, right in enumerate("PC"):
            own = parts["right"] == right
            by_bar = parts[own & near].groupby("close_time")["volume"].sum()
            by_bar = by_bar.reindex(market.frame.index[bars], fill_value=0)
            assert_array_equal(by_bar, market.near_volume[bars, side])
            name = ("put_volume", "call_volume")[side]
            assert parts[own]["volume"].sum() == market.frame.loc[bars, name].sum()


def test_switched_off_there_is_no_near():
    market = simulate(DemoSource(sessions=2, bar="60min"))
    assert market.near is None
    assert market.near_volume is None


@pytest.mark.parametrize("pct", [0.0, -1.0, 2.6])
def test_a_distance_that_leaves_no_far_strikes_is_refused(pct):
    with pytest.raises(ValidationError, match="near_money_pct"):
        DemoSource(near_money_pct=pct)
