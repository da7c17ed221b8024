"""The charm integral: buckets against whole revaluations, worked examples, laws (definitions 6)."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hedge_books import AS_OF, LATER, SPOT, SURFACE, TODAY, book_delta, chain_of, exposed, ladder
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import ndtr

from hpi_bt.errors import InputError
from hpi_bt.options import CharmIntegral, OptionChain, charm_integral
from hpi_bt.options.exposure import Exposures


def drift_of(chain: OptionChain, **options: object) -> CharmIntegral:
    return charm_integral(chain, exposed=exposed(chain), **options)  # type: ignore[arg-type]


def delta_at(chain: OptionChain, found: Exposures, elapsed: float) -> float:
    """The book's delta after `elapsed` years, spot and vols unmoved; payoffs where time is up."""
    left = np.maximum(chain.tau_years - elapsed, 0.0)
    gone = left == 0.0
    later = chain.with_(as_of=AS_OF)
    shares = chain.multiplier * found.positions
    inside = np.sign(chain.right) * (np.sign(chain.right * (SPOT - chain.strike)) + 1.0) / 2.0
    s = found.sigma * np.sqrt(np.where(gone, 1.0, left))
    carry = (chain.rate - chain.dividend) * left
    d1 = (np.log(SPOT / later.strike) + carry) / s + 0.5 * s
    living = chain.right * np.exp(-chain.dividend * left) * ndtr(chain.right * d1)
    return float(shares @ np.where(gone, inside, living))


@pytest.mark.parametrize("rates", [{}, {"rate": 0.05, "dividend": 0.02}])
@pytest.mark.parametrize("step", [15.0, 7.0, 1000.0])
def test_buckets_sum_to_the_change_of_the_books_delta(rates: dict[str, float], step: float) -> None:
    chain = ladder(1, **rates)
    found = exposed(chain)
    drift = drift_of(chain, time_step_minutes=step)
    change = (
        delta_at(chain, found, float(chain.tau_years.min()))
        - book_delta(chain, found, SPOT, found.sigma).sum()
    )
    size = np.abs(drift.buckets["shares"]).sum()
    assert abs(drift.buckets["shares"].sum() - change) <= 1e-10 * size
    assert abs(drift.by_strike["shares"].sum() - drift.shares) <= 1e-10 * size
    assert drift.dollars == drift.shares * SPOT


def test_each_bucket_is_a_revaluation() -> None:
    chain = ladder(2, rate=0.03)
    found, drift = exposed(chain), drift_of(chain)
    edges = [*np.arange(24) * 15.0, 360.0]
    deltas = [delta_at(chain, found, minutes / 525600.0) for minutes in edges]
    size = np.abs(drift.buckets["shares"]).sum()
    assert_allclose(drift.buckets["shares"], np.diff(deltas), rtol=0, atol=1e-9 * size)


def test_buckets_run_from_now_and_the_last_is_short() -> None:
    drift = drift_of(ladder(), time_step_minutes=50.0)
    table = drift.buckets
    assert_allclose(table["minutes_left"], [360, 310, 260, 210, 160, 110, 60, 10], atol=1e-9)
    assert table["start"].iloc[0] == AS_OF
    assert table["end"].iloc[-1] == TODAY == drift.horizon
    assert table["end"].iloc[0] == AS_OF + pd.Timedelta(minutes=50)
    assert drift.minutes == pytest.approx(360.0, abs=1e-9)
    assert_array_equal(table["cumulative_shares"], np.cumsum(table["shares"]))
    assert_array_equal(table["cumulative_dollars"], table["cumulative_shares"] * SPOT)
    whole = drift_of(ladder(), time_step_minutes=60.0).buckets
    assert len(whole) == 6  # no empty bucket at the end


def test_worked_example_of_a_call_at_the_money() -> None:
    # r = q = 0: delta is N(s/2) now and 1/2 at expiry, s = 0.14 sqrt(360/525600) = 0.00366395;
    # N(0.00183197) = 0.5 + 0.3989423 0.00183197 = 0.50073085; dealers are long 10 x 100
    drift = drift_of(chain_of([(TODAY, SPOT, "C", 10.0)]))
    assert drift.shares == pytest.approx(-0.73085, abs=1e-5)
    assert drift.direction == "buy"  # their delta falls, so they buy to stay flat
    assert_allclose(drift.by_strike["shares"], [drift.shares], rtol=1e-12)


def test_dealers_sell_where_the_drift_is_positive_and_do_nothing_where_there_is_none() -> None:
    short = charm_integral(
        (chain := chain_of([(TODAY, SPOT, "C", 10.0)])),
        exposed=exposed(chain, positioning="dealers_short_calls_long_puts"),
    )
    assert (short.direction, short.shares > 0.0) == ("sell", True)
    idle = drift_of(ladder().with_(open_interest=0.0))
    assert (idle.direction, idle.shares) == ("none", 0.0)
    assert any("Dealers hold nothing" in flag for flag in idle.flags)


def test_the_scaled_method_is_its_formula() -> None:
    chain = ladder(4)
    found = exposed(chain)
    drift = drift_of(chain, method="scaled", time_step_minutes=100.0)
    left = np.array([360.0, 260.0, 160.0, 60.0, 0.0]) / 525600.0
    wanted = 2 * found.charm_shares * math.sqrt(left[0]) * -np.diff(np.sqrt(left))
    assert_allclose(drift.buckets["shares"], wanted, rtol=1e-9)
    assert drift.shares == pytest.approx(2 * found.charm_shares * left[0], rel=1e-12)
    assert drift.by_strike["shares"].sum() == pytest.approx(drift.shares, rel=1e-9)


def test_at_the_money_both_methods_agree() -> None:
    # delta - 1/2 falls there as the square root of time, which is what "scaled" assumes
    chain = chain_of([(TODAY, SPOT, "C", 10.0)])
    exact, scaled = drift_of(chain), drift_of(chain, method="scaled")
    assert_allclose(exact.buckets["shares"], scaled.buckets["shares"], rtol=1e-5)


def test_later_contracts_are_revalued_over_the_same_time() -> None:
    chain = chain_of([(TODAY, SPOT, "C", 0.0), (LATER, SPOT + 20.0, "C", 10.0)])
    drift = drift_of(chain)
    found = exposed(chain)
    change = delta_at(chain, found, 360.0 / 525600.0) - delta_at(chain, found, 0.0)
    assert drift.shares == pytest.approx(change, rel=1e-9)
    assert drift.horizon == TODAY
    assert_array_equal(drift.by_strike["strike"], [SPOT + 20.0])  # held strikes alone


def test_a_given_horizon_replaces_the_nearest_expiry() -> None:
    chain = ladder(5)
    near = drift_of(chain, horizon="2024-03-05 12:00-05:00")
    assert near.minutes == pytest.approx(120.0, abs=1e-9)
    assert_allclose(near.buckets["shares"], drift_of(chain).buckets["shares"][:8], rtol=1e-6)
    far = drift_of(chain, horizon=LATER, time_step_minutes=600.0)
    found = exposed(chain)
    change = delta_at(chain, found, 1.0) - delta_at(chain, found, 0.0)
    assert far.shares == pytest.approx(change, rel=1e-9)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.floats(0.01, 100.0), st.floats(1.0, 500.0))
def test_scaling_and_swapping_open_interest_scale_and_flip_the_drift(
    seed: int, factor: float, step: float
) -> None:
    chain = ladder(seed)
    own = drift_of(chain, time_step_minutes=step)
    scaled = drift_of(
        chain.with_(open_interest=factor * chain.open_interest), time_step_minutes=step
    )
    gross = 100.0 * chain.open_interest.sum()
    wanted = factor * own.buckets["shares"]
    assert_allclose(scaled.buckets["shares"], wanted, rtol=1e-9, atol=1e-13 * factor * gross)
    pairs = chain.open_interest.reshape(-1, 2)[:, ::-1].reshape(-1)
    swapped = drift_of(chain.with_(open_interest=pairs), time_step_minutes=step)
    # without a yield, calls and puts of a strike drift alike, and the convention's sign is opposite
    assert_allclose(swapped.buckets["shares"], -own.buckets["shares"], atol=1e-12 * gross)


def test_a_chain_minutes_from_expiry_is_finite() -> None:
    late = ladder().with_(as_of=TODAY - pd.Timedelta(seconds=90))
    drift = drift_of(late)
    assert len(drift.buckets) == 1
    assert np.isfinite(drift.shares)
    assert drift.buckets["minutes_left"].iloc[0] == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "precise"}, "method: 'precise'"),
        ({"time_step_minutes": 0.0}, "time_step_minutes: 0.0; give minutes above 0"),
        ({"time_step_minutes": math.nan}, "time_step_minutes: nan"),
        ({"time_step_minutes": 1e-4}, "makes 3,600,000 buckets"),
        ({"horizon": AS_OF}, "is not after the chain's"),
        ({"horizon": "2024-03-05 12:00"}, "no time zone"),
    ],
)
def test_wrong_options_are_refused_in_one_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        drift_of(ladder(), **options)
    assert "\n" not in str(refused.value)


def test_the_surface_of_these_tests_is_what_they_say() -> None:
    assert SURFACE[TODAY].iv(SPOT) == 0.14
