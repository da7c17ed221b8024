"""Zones, edges and hedge trades of curves drawn by hand (definitions 6)."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hedge_books import TODAY, exposed, ladder
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.errors import InputError
from hpi_bt.options import (
    Coupling,
    ImpulseCurve,
    MarketRegime,
    PressureCloud,
    hedge_contracts,
    impulse_curve,
    pressure_cloud,
)
from hpi_bt.options.curve_features import features_of

SPOT = 1000.0
GRID = SPOT + np.arange(-10, 11) * 2.0
REGIME = MarketRegime("calm", 0.1, -0.3, 4.0, 0.005, -0.4, 1.0, TODAY, ("Seen.",))


def drawn(values: Any, *, symbol: str = "SPX", method: str = "reprice") -> ImpulseCurve:
    """A curve through these values of H, on a grid of 2 dollars around 1,000."""
    impulse = np.asarray(values, dtype=float)
    empty = np.zeros(len(impulse))
    return ImpulseCurve(
        price=GRID,
        gamma_shares=impulse,
        vanna_shares=empty,
        vanna_impulse_shares=empty,
        impulse_shares=impulse,
        impulse_usd=impulse * GRID**2 * 0.01,
        method=method,
        spot=SPOT,
        symbol=symbol,
        coupling=Coupling(pd.DataFrame(), empty, ()),
        **features_of(GRID, impulse)._asdict(),
    )


def cloud_of(values: Any, **options: Any) -> PressureCloud:
    return pressure_cloud(drawn(values), REGIME, **options)


#             980                          1000                          1020
VALUES = [0, 0, 4, 8, 2, 0, -6, -2, 0, 1, 2, 1, 0, -1, 0, 0, 1, 6, 0, 0, 0]


def test_stability_and_acceleration_fade_with_the_distance_from_spot() -> None:
    cloud = cloud_of(VALUES)
    # reach: 2 x 0.5 % x 1,000 = 10 dollars; at 986: exp(-1.96)
    assert cloud.reach == pytest.approx(10.0)
    assert cloud.stability[3] == pytest.approx(8.0 * math.exp(-(1.4**2)))
    assert cloud.acceleration[6] == pytest.approx(6.0 * math.exp(-(0.8**2)))
    assert cloud.proximity[10] == 1.0
    assert cloud_of(VALUES, reach_multiple=4.0).reach == pytest.approx(20.0)


def test_zones_worked_by_hand() -> None:
    zones = {(zone.kind, zone.centre): zone for zone in cloud_of(VALUES).zones}
    assert set(zones) == {
        *(("stability", p) for p in (986.0, 1000.0, 1014.0)),
        *(("acceleration", p) for p in (992.0, 1006.0)),
    }
    deep = zones["stability", 986.0]
    # half of 8 is 4: at 984 exactly; between 8 at 986 and 2 at 988, two thirds of the way
    assert (deep.low, deep.high) == pytest.approx((984.0, 986.0 + 2.0 * 2.0 / 3.0))
    assert deep.strength == pytest.approx(math.exp(-(1.4**2)))
    assert (deep.side, deep.trade_type, deep.open_ended) == ("long", "passive", False)
    high = zones["stability", 1014.0]
    assert high.strength == pytest.approx(6.0 / 8.0 * math.exp(-(1.4**2)))
    assert high.side == "short"
    assert zones["stability", 1000.0].side == "none"
    below, above = zones["acceleration", 992.0], zones["acceleration", 1006.0]
    assert (below.side, above.side) == ("short", "long")
    assert below.trade_type == above.trade_type == "aggressive"
    # half of -6 is -3: half-way from 0 at 990 to -6; three quarters from -6 to -2 at 994
    assert (below.low, below.high) == pytest.approx((991.0, 993.5))
    assert above.strength == pytest.approx(1.0 / 6.0 * math.exp(-(0.6**2)))


def test_zones_come_strongest_first_and_weak_ones_not_at_all() -> None:
    zones = cloud_of(VALUES).zones
    assert [z.strength for z in zones] == sorted((z.strength for z in zones), reverse=True)
    few = cloud_of(VALUES, zone_threshold=0.5).zones
    assert {(z.kind, z.centre) for z in few} == {
        ("stability", 986.0),
        ("stability", 1014.0),
        ("acceleration", 992.0),
    }
    # a peak is measured against peaks, not against basins
    assert ("acceleration", 1006.0) in {(z.kind, z.centre) for z in cloud_of(VALUES).zones}


def test_a_zone_that_never_falls_to_half_ends_with_the_grid_or_the_known() -> None:
    rising = [math.nan, *np.linspace(6.0, 8.0, 10), *np.linspace(7.9, 5.0, 10)]
    (zone,) = cloud_of(rising).zones
    assert (zone.low, zone.high, zone.open_ended) == (982.0, 1020.0, True)


def test_edges_are_read_moving_away_from_spot() -> None:
    # rising at 985 (below), falling at 1015 (above): calm inside, wild outside
    inside = cloud_of([-1] * 3 + [1] * 15 + [-1] * 3).edges
    assert [(e.price, e.turn) for e in inside] == [
        (985.0, "stable_to_unstable"),
        (1015.0, "stable_to_unstable"),
    ]
    outside = cloud_of([1] * 3 + [-1] * 15 + [1] * 3).edges
    assert [(e.price, e.turn) for e in outside] == [
        (985.0, "unstable_to_stable"),
        (1015.0, "unstable_to_stable"),
    ]
    assert [e.rising for e in inside] == [True, False]


def test_hedges_worked_by_hand() -> None:
    # H = 100 shares per $1 at 1,000: +$1 makes dealers sell 100 shares, 100,000 dollars of index;
    # an ES at 1,010 is 50,500 dollars: 1.980198 contracts. +1 point of ES is +$0.990099.
    table = hedge_contracts(drawn([100.0] * 21), {"ES": 1010.0, "MES": 1010.0})
    here = table.iloc[10]
    assert here["shares"] == -100.0
    assert here["ES_per_dollar"] == pytest.approx(-1.9801980, abs=1e-6)
    assert here["ES_per_point"] == pytest.approx(-1.9605921, abs=1e-6)
    assert here["MES_per_point"] == pytest.approx(10.0 * here["ES_per_point"])
    # with F in step with S' nothing but H changes along the curve
    assert_allclose(table["ES_per_point"], here["ES_per_point"])


def test_a_hedge_leaves_the_book_flat_for_a_small_move() -> None:
    chain = ladder(2, symbol="SPX")
    curve = impulse_curve(chain, exposed=exposed(chain))
    table = hedge_contracts(curve, {"NQ": 18000.0, "ES": 5120.0}, betas={"NQ": 1.3})
    move = 1e-6
    for name, price, size, beta in (("NQ", 18000.0, 20.0, 1.3), ("ES", 5120.0, 50.0, 1.0)):
        points = price * ((1.0 + move) ** beta - 1.0)
        dollars = curve.impulse * chain.spot * move * chain.spot  # of delta, by the move
        bought = table[f"{name}_per_point"].iloc[60] * points
        # a contract's dollars of delta to the underlying: M F times beta
        assert bought * size * price * beta == pytest.approx(-dollars, rel=1e-5)


def test_an_index_takes_its_own_futures_at_spot_and_a_fund_shares_alone() -> None:
    cloud = cloud_of(VALUES)
    assert list(cloud.hedge) == [
        *("price", "shares", "ES_per_point", "ES_per_dollar", "MES_per_point", "MES_per_dollar")
    ]
    assert any("ES, MES taken at the price of spot" in flag for flag in cloud.flags)
    nasdaq = pressure_cloud(drawn(VALUES, symbol="^NDX"), REGIME)
    assert "MNQ_per_point" in nasdaq.hedge
    fund = pressure_cloud(drawn(VALUES, symbol="SPY"), REGIME)
    assert list(fund.hedge) == ["price", "shares"]
    assert any("Hedges are in shares alone" in flag for flag in fund.flags)
    given_price = pressure_cloud(drawn(VALUES, symbol="SPY"), REGIME, futures={"ES": 10020.0})
    assert "ES_per_point" in given_price.hedge


def test_a_kernel_map_gives_zones_but_no_contracts() -> None:
    cloud = pressure_cloud(drawn(VALUES, method="kernel"), REGIME)
    assert cloud.hedge is None
    assert len(cloud.zones) == 5
    assert any("no revalued book" in flag for flag in cloud.flags)


def test_flags_of_curve_and_regime_are_kept() -> None:
    curve = dataclasses.replace(drawn(VALUES), flags=("Curved.",))
    assert pressure_cloud(curve, REGIME).flags[:2] == ("Curved.", "Seen.")


@given(st.lists(st.floats(-1e6, 1e6), min_size=21, max_size=21))
def test_laws_of_any_cloud(values: list[float]) -> None:
    cloud = cloud_of(values)
    assert_array_equal(cloud.stability * cloud.acceleration, 0.0)
    net = np.asarray(values) * cloud.proximity
    assert_allclose(cloud.stability - cloud.acceleration, net, rtol=1e-12, atol=0)
    for zone in cloud.zones:
        assert GRID[0] <= zone.low <= zone.centre <= zone.high <= GRID[-1]
        assert 0.0 <= zone.strength <= 1.0
        assert (zone.impulse > 0.0) == (zone.kind == "stability")
    opposite = cloud_of([-value for value in values])
    assert_array_equal(opposite.stability, cloud.acceleration)
    assert len(opposite.zones) == len(cloud.zones)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reach_multiple": 0.0}, "reach_multiple: 0.0"),
        ({"zone_threshold": 1.5}, "zone_threshold: 1.5"),
        ({"futures": {"RTY": 2000.0}}, "futures: 'RTY'"),
        ({"futures": {"ES": 0.0}}, "futures: ES at 0.0"),
        ({"futures": {"NQ": 18000.0}}, "betas: none for NQ, which is not on the index of SPX"),
        ({"futures": {"NQ": 18000.0}, "betas": {"NQ": -1.0}}, "betas: NQ -1.0"),
    ],
)
def test_wrong_options_are_refused_in_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        cloud_of(VALUES, **options)
    assert "\n" not in str(refused.value)


def test_contracts_from_a_kernel_map_are_refused() -> None:
    with pytest.raises(InputError, match="maps exposure and is no revalued book"):
        hedge_contracts(drawn(VALUES, method="kernel"), {"ES": 1000.0})
