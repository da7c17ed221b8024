"""Prices and Greeks: 50-digit references over the whole domain, identities, edges, refusals."""

from __future__ import annotations

import math
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.errors import InputError
from hpi_bt.options import Greeks, curvatures, greeks, price
from hpi_bt.options.greek_kernels import _ERFCX, erfcx, exponential, log_ratio
from hpi_bt.options.threads import in_chunks

Contract = tuple[float, float, float, float, float, float, float]
MINUTE = 1.0 / (365 * 24 * 60)


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    """Any contract of definitions 5, those next to the roots of vanna and charm included."""
    tau = math.exp(draw(st.floats(math.log(MINUTE), math.log(2.0))))
    sigma = math.exp(draw(st.floats(math.log(0.03), math.log(3.0))))
    rate, dividend = draw(st.floats(-0.05, 0.1)), draw(st.floats(-0.05, 0.1))
    spot = draw(st.sampled_from([1.0, 100.0, 4505.1, 7700.0]))
    s = sigma * math.sqrt(tau)
    away = draw(
        st.one_of(st.floats(-8, 8), st.floats(-1e-6, 1e-6), st.sampled_from([-0.5 * s, 0.5 * s]))
    )
    strike = spot * math.exp((rate - dividend) * tau + away * s)
    at_spot = draw(st.booleans()) and draw(st.booleans())
    right = draw(st.sampled_from([1.0, -1.0]))
    return spot, spot if at_spot else strike, tau, sigma, right, rate, dividend


def values(contract: Contract) -> Greeks:
    return greeks(*contract[:5], rate=contract[5], dividend=contract[6])


def exact(contract: Contract) -> dict[str, Any]:
    """The Greeks and the price to 50 digits, and the sums of the terms of vanna and charm."""
    with mp.workdps(50):
        S, K, T, v, side, r, q = map(mp.mpf, contract)
        s, x, discount = v * mp.sqrt(T), mp.log(S / K), mp.exp(-q * T)
        d1 = (x + (r - q + v * v / 2) * T) / s
        d2, peak = d1 - s, discount * mp.npdf(d1)
        paid = side * q * discount * mp.ncdf(side * d1)
        delta = side * discount * mp.ncdf(side * d1)
        moved = (abs(x) + abs(r - q) * T) / s + s / 2
        return {
            "delta": delta,
            "gamma": peak / (S * s),
            "vega": S * peak * mp.sqrt(T),
            "vanna": -peak * d2 / v,
            "charm": paid - peak * (2 * (r - q) * T - d2 * s) / (2 * T * s),
            "vanna_terms": peak * moved / v,
            "charm_terms": abs(paid) + peak * (abs(r - q) / s + moved / (2 * T)),
            "price": S * delta - side * K * mp.exp(-r * T) * mp.ncdf(side * d2),
        }


def off(found: float, wanted: Any) -> float:
    return float(abs(mp.mpf(float(found)) - wanted))


@settings(deadline=None)  # the first call may compile
@given(contracts())
def test_greeks_agree_with_fifty_digits_everywhere(contract: Contract) -> None:
    found, wanted = values(contract), exact(contract)
    for name in ("delta", "gamma", "vega", "vanna", "charm"):
        error, size = off(getattr(found, name), wanted[name]), abs(float(wanted[name]))
        near_root = 1e-12 * float(wanted.get(f"{name}_terms", 0.0))
        assert error <= max(1e-9 * size, 1e-14, near_root), name


@settings(deadline=None)  # the first call may compile
@given(contracts())
def test_prices_out_of_the_money_keep_their_relative_accuracy(contract: Contract) -> None:
    S, K, T, _, side, r, q = contract
    wanted = exact(contract)["price"]
    found = float(price(*contract[:5], rate=r, dividend=q))
    in_the_money = side * (math.log(S / K) + (r - q) * T) > 0.0
    bound = 1e-14 * (S + K) if in_the_money else 1e-12 * float(wanted)
    assert off(found, wanted) <= max(bound, 1e-300)


def test_worked_example_of_the_textbook() -> None:
    # Hull: S = 42, K = 40, r = 10 %, sigma = 20 %, six months: call 4.76, put 0.81
    assert_allclose(price(42, 40, 0.5, 0.2, [1, -1], rate=0.1), [4.76, 0.81], atol=0.005)
    # d1 = 0.7693, so the call's delta is N(0.7693) = 0.7791
    assert_allclose(greeks(42, 40, 0.5, 0.2, 1, rate=0.1).delta, 0.7791, atol=5e-5)


def test_charm_of_a_call_has_the_dividend_term_with_the_right_sign() -> None:
    # finite difference of delta: -0.39923; the wrong sign gives -0.41947
    found = greeks(100, 105, 0.25, 0.2, 1, rate=0.04, dividend=0.03).charm
    later, sooner = (
        greeks(100, 105, 0.25 + h, 0.2, 1, rate=0.04, dividend=0.03).delta for h in (-1e-6, 1e-6)
    )
    assert_allclose(found, (later - sooner) / 2e-6, rtol=1e-7)
    assert_allclose(found, -0.39923, atol=1e-5)


@settings(deadline=None)  # the first call may compile
@given(contracts())
def test_call_less_put_is_the_forward_in_every_greek(contract: Contract) -> None:
    S, K, T, _, _, r, q = contract
    call, put = (values((*contract[:4], side, r, q)) for side in (1.0, -1.0))
    for name in ("gamma", "vega", "vanna"):
        assert getattr(call, name) == getattr(put, name)
    discount = math.exp(-q * T)
    assert_allclose(call.delta - put.delta, discount, rtol=1e-14)
    scale = abs(call.charm) + abs(put.charm)
    assert_allclose(call.charm - put.charm, q * discount, rtol=1e-13, atol=1e-15 * scale)
    calls, puts = (price(*contract[:4], side, rate=r, dividend=q) for side in (1.0, -1.0))
    forward = S * discount - K * math.exp(-r * T)
    assert_allclose(calls - puts, forward, rtol=0, atol=1e-14 * (S + K))


@settings(deadline=None)  # the first call may compile
@given(st.lists(contracts(), min_size=1, max_size=20))
def test_arrays_give_what_single_contracts_give_to_the_bit(rows: list[Contract]) -> None:
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    together = greeks(*columns[:5], rate=columns[5], dividend=columns[6])
    short = curvatures(*columns[:5], rate=columns[5], dividend=columns[6])
    for i, row in enumerate(rows):
        assert_array_equal([part[i] for part in together], values(row))
    assert_array_equal(short, [together.gamma, together.vanna, together.charm])


def test_inputs_broadcast_and_scalars_give_scalars() -> None:
    strikes, vols = np.array([90.0, 100.0, 110.0]), np.array([[0.1], [0.2]])
    table = greeks(100.0, strikes, 0.1, vols, 1).gamma
    assert table.shape == (2, 3)
    assert table[1, 2] == greeks(100.0, 110.0, 0.1, 0.2, 1).gamma
    assert greeks(100.0, 100.0, 0.1, 0.2, 1).delta.shape == ()
    assert price(100.0, np.array([]), 0.1, 0.2, 1).shape == (0,)


def test_reading_a_frozen_array_leaves_it_as_it_is() -> None:
    strikes = np.array([90.0, 100.0, 110.0])
    greeks(100.0, strikes, 0.1, 0.2, 1)
    strikes[0] = 95.0  # still writable
    frozen = strikes.copy()
    frozen.flags.writeable = False
    assert_array_equal(
        greeks(100.0, frozen, 0.1, 0.2, 1).delta, greeks(100.0, strikes, 0.1, 0.2, 1).delta
    )


@pytest.mark.parametrize("tau", [0.0, -0.1])
@pytest.mark.parametrize("sigma", [0.2, 0.0, math.nan])
def test_at_and_past_expiry_only_the_payoff_is_left(tau: float, sigma: float) -> None:
    spot = np.array([99.0, 100.0, 101.0])
    call, put = (greeks(spot, 100.0, tau, sigma, side, dividend=0.05) for side in (1, -1))
    assert_array_equal(call.delta, [0.0, 0.5, 1.0])
    assert_array_equal(put.delta, [-1.0, -0.5, 0.0])
    for name in ("gamma", "vega", "vanna", "charm"):
        assert_array_equal(getattr(call, name), 0.0)
        assert_array_equal(getattr(put, name), 0.0)
    assert_array_equal(price(spot, 100.0, tau, sigma, 1), [0.0, 0.0, 1.0])
    assert_array_equal(price(spot, 100.0, tau, sigma, -1), [1.0, 0.0, 0.0])


@pytest.mark.parametrize(
    "contract",
    [
        (0.0, 100.0, 0.1, 0.2),
        (-5.0, 100.0, 0.1, 0.2),
        (100.0, 0.0, 0.1, 0.2),
        (100.0, math.inf, 0.1, 0.2),
        (100.0, 100.0, 0.1, 0.0),
        (100.0, 100.0, 0.1, -0.2),
        (100.0, 100.0, 0.1, math.inf),
        (math.nan, 100.0, 0.1, 0.2),
        (100.0, math.nan, 0.1, 0.2),
        (100.0, 100.0, math.nan, 0.2),
        (100.0, 100.0, 0.1, math.nan),
        (math.nan, 100.0, 0.0, 0.2),
    ],
)
def test_what_has_no_answer_is_nan(contract: tuple[float, float, float, float]) -> None:
    assert np.isnan(greeks(*contract, 1)).all()
    assert np.isnan(curvatures(*contract, -1)).all()
    assert np.isnan(price(*contract, 1))


def test_what_is_not_known_of_the_rates_is_not_known_of_the_greeks() -> None:
    for rates in ({"rate": math.nan}, {"dividend": math.nan}, {"rate": math.inf}):
        assert np.isnan(greeks(100.0, 100.0, 0.1, 0.2, 1, **rates)).all()
        assert np.isnan(price(100.0, 100.0, 0.1, 0.2, 1, **rates))


def test_far_outside_the_domain_nothing_is_nan() -> None:
    # x/s overflows, densities underflow
    found = greeks(100.0, [1e-300, 1e300, 200.0], [0.1, 0.1, 1e-30], [0.2, 0.2, 1e-290], 1)
    assert_array_equal(found.delta, [1.0, 0.0, 0.0])
    assert_array_equal(found.gamma, 0.0)
    assert_array_equal(found.charm, 0.0)


def test_a_right_that_is_neither_call_nor_put_is_refused() -> None:
    with pytest.raises(InputError, match=r"right: 0\.0 at place 1; give \+1 for a call"):
        greeks(100.0, 100.0, 0.1, 0.2, [1, 0])
    with pytest.raises(InputError, match="right: nan"):
        price(100.0, 100.0, 0.1, 0.2, math.nan)


def test_shapes_that_do_not_broadcast_are_refused() -> None:
    with pytest.raises(InputError, match=r"shapes \(2,\), \(3,\).* do not broadcast"):
        greeks([100.0, 101.0], [90.0, 100.0, 110.0], 0.1, 0.2, 1)


def test_the_polynomial_of_erfcx_is_its_chebyshev_series() -> None:
    with mp.workdps(30):
        nodes = [mp.cos(mp.pi * (k + mp.mpf(1) / 2) / 80) for k in range(80)]
        z = [mp.mpf(7) / 2 * (1 + t) / (1 - t) for t in nodes]
        sampled = [(1 + 2 * at) * mp.exp(at * at) * mp.erfc(at) for at in z]
        fitted = [mp.fsum(c * t**n for n, c in enumerate(_ERFCX)) for t in nodes]
        worst = max(abs(f / s - 1) for f, s in zip(fitted, sampled, strict=True))
    assert worst < 3e-16
    points = [*np.linspace(0.0, 8.0, 200), *np.geomspace(8.0, 1e3, 50)]
    with mp.workdps(30):
        wanted = [float(mp.exp(mp.mpf(at) ** 2) * mp.erfc(mp.mpf(at))) for at in points]
    assert_allclose([erfcx(float(at)) for at in points], wanted, rtol=2e-15)


@settings(deadline=None)  # the first call may compile
@given(st.floats(-700.0, 700.0), st.floats(1e-3, 1e3), st.floats(-1e-9, 1e-9))
def test_exponential_and_logarithm_are_right_to_the_last_digits(
    y: float, spot: float, away: float
) -> None:
    with mp.workdps(40):
        assert off(exponential(y), mp.exp(y)) <= 4e-16 * math.exp(y)
        for strike in (1.0, spot * (1.0 + away)):
            wanted = mp.log(mp.mpf(spot) / mp.mpf(strike))
            assert off(log_ratio(spot, strike), wanted) <= 6e-16 * abs(float(wanted))


@settings(deadline=None)  # the first call may compile
@given(st.integers(0, 10_000), st.integers(1, 3000))
def test_chunks_cover_everything_once(size: int, least: int) -> None:
    seen = np.zeros(size, dtype=np.int64)

    def count(start: int, stop: int) -> None:
        seen[start:stop] += 1

    in_chunks(count, size, least=least)
    assert (seen == 1).all()


def test_what_goes_wrong_in_a_thread_is_raised() -> None:
    def fail(start: int, stop: int) -> None:
        raise ZeroDivisionError(start)

    with pytest.raises(ZeroDivisionError):
        in_chunks(fail, 100, least=1)
