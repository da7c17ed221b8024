"""Implied volatility: round trips to the bounds defined, and no answer where there is none."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hpi_bt.errors import InputError
from hpi_bt.options import greeks, implied_vol, price

MINUTE = 1.0 / (365 * 24 * 60)


def exact_price(S: float, K: float, T: float, v: float, side: float, r: float, q: float) -> float:
    """The price to 50 digits, then rounded once."""
    with mp.workdps(50):
        S_, K_, T_, v_, r_, q_ = map(mp.mpf, (S, K, T, v, r, q))
        s = v_ * mp.sqrt(T_)
        d1 = (mp.log(S_ / K_) + (r_ - q_ + v_ * v_ / 2) * T_) / s
        held = S_ * mp.exp(-q_ * T_) * mp.ncdf(side * d1)
        return float(side * (held - K_ * mp.exp(-r_ * T_) * mp.ncdf(side * (d1 - s))))


@settings(deadline=None)  # the first call may compile
@given(
    tau=st.floats(math.log(MINUTE), math.log(2.0)).map(math.exp),
    sigma=st.floats(math.log(0.03), math.log(3.0)).map(math.exp),
    away=st.one_of(st.floats(-8.0, 8.0), st.floats(-1e-8, 1e-8)),
    side=st.sampled_from([1.0, -1.0]),
    rate=st.floats(-0.05, 0.1),
    dividend=st.floats(-0.05, 0.1),
    spot=st.sampled_from([1.0, 4505.1]),
)
def test_the_vol_of_an_exact_price_comes_back(
    tau: float,
    sigma: float,
    away: float,
    side: float,
    rate: float,
    dividend: float,
    spot: float,
) -> None:
    strike = spot * math.exp((rate - dividend) * tau + away * sigma * math.sqrt(tau))
    given_price = exact_price(spot, strike, tau, sigma, side, rate, dividend)
    vega = float(greeks(spot, strike, tau, sigma, side, rate=rate, dividend=dividend).vega)
    if not vega > 1e-8:
        return
    found = float(implied_vol(given_price, spot, strike, tau, side, rate=rate, dividend=dividend))
    rounding = 0.0
    if side * away < 0.0:  # in the money
        largest = max(spot * math.exp(-dividend * tau), strike * math.exp(-rate * tau))
        rounding = 8.0 * 2.0**-53 * largest / vega
    if rounding < sigma:  # else the price no longer holds its volatility
        assert abs(found - sigma) <= 1e-9 + rounding


@settings(deadline=None)  # the first call may compile
@given(
    s=st.floats(math.log(1e-6), math.log(12.0)).map(math.exp),
    x=st.one_of(st.floats(-30.0, 0.0), st.floats(-1e-3, 0.0), st.just(0.0)),
)
def test_every_out_of_the_money_price_is_inverted(s: float, x: float) -> None:
    # one year, so that sigma = s; far past any market's range
    strike = math.exp(-x)
    value = float(price(1.0, strike, 1.0, s, 1))
    if not 1e-290 < value < 1.0 - 1e-6:
        return
    # half a unit in the last place of the price, and what the logarithm of the strike loses
    vega = float(greeks(1.0, strike, 1.0, s, 1).vega)
    delta = float(greeks(1.0, strike, 1.0, s, 1).delta)
    lost = 4e-16 * (value + delta * (abs(x) + 1e-300)) / vega if vega > 0.0 else math.inf
    found = float(implied_vol(value, 1.0, strike, 1.0, 1))
    assert abs(found - s) <= 1e-12 * s + 8.0 * lost


def test_worked_example_at_the_money() -> None:
    # at the forward the price is F (2 N(s/2) - 1); with s = 0.2 that is 0.0796557 of F
    assert_allclose(implied_vol(7.96556745540579, 100.0, 100.0, 1.0, [1, -1]), 0.2, rtol=1e-13)


@pytest.mark.parametrize(
    ("value", "right"),
    [
        (0.0, -1),  # worth nothing
        (-1.0, -1),
        (math.nan, 1),
        (100.0 * math.exp(-0.02) - 90.0 * math.exp(-0.05), 1),  # the intrinsic value itself
        (12.0, 1),  # below it
        (100.0 * math.exp(-0.02), 1),  # a call as dear as the stock
        (120.0, 1),
        (90.0 * math.exp(-0.05), -1),  # a put as dear as its strike
        (95.0, -1),
        (math.inf, 1),
    ],
)
def test_at_and_outside_the_bounds_there_is_no_vol(value: float, right: int) -> None:
    found = implied_vol(value, 100.0, 90.0, 1.0, right, rate=0.05, dividend=0.02)
    assert math.isnan(float(found))


@pytest.mark.parametrize(
    "contract", [(0.0, 100.0, 1.0), (100.0, -1.0, 1.0), (100.0, 100.0, 0.0), (100.0, 100.0, -1.0)]
)
def test_without_a_living_contract_there_is_no_vol(contract: tuple[float, float, float]) -> None:
    assert math.isnan(float(implied_vol(5.0, *contract, 1)))


def test_prices_broadcast_over_strikes() -> None:
    strikes = np.array([80.0, 100.0, 120.0])
    vols = np.array([[0.1], [0.4]])
    sides = np.array([-1, 1, 1])
    values = price(100.0, strikes, 0.5, vols, sides, rate=0.03)
    assert_allclose(
        implied_vol(values, 100.0, strikes, 0.5, sides, rate=0.03) - vols, 0, atol=1e-13
    )


def test_a_wrong_right_and_wrong_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="right: 2"):
        implied_vol(5.0, 100.0, 100.0, 1.0, 2)
    with pytest.raises(InputError, match="do not broadcast"):
        implied_vol([5.0, 6.0], [100.0] * 3, 100.0, 1.0, 1)
