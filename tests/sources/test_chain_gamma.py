from __future__ import annotations

import math

import mpmath
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.errors import InputError
from hpi_bt.sources.chain_gamma import iv_from_dollar_gamma, smoothest_forward
from hpi_bt.sources.chains import open_chains, read_chain

TAU = 6.25 / 24 / 365


def gamma(spot, strike, tau, sigma, *, rate=0.0, dividend=0.0, forward=None):
    """Black-Scholes-Merton gamma, written out once more."""
    forward = forward or spot * math.exp((rate - dividend) * tau)
    w = sigma * math.sqrt(tau)
    d1 = np.log(forward / strike) / w + 0.5 * w
    density = np.exp(-0.5 * d1 * d1) / math.sqrt(2 * math.pi)
    return math.exp(-dividend * tau) * density / (spot * w)


def dollars(spot, gammas, contracts, multiplier=100.0):
    return gammas * contracts * multiplier * spot * spot * 0.01


def test_worked_example_at_the_money_far_away_and_without_contracts():
    strike, sigma = np.array([100.0, 100.0, 110.0]), np.array([0.2, 0.2, 0.3])
    held = np.array([10.0, 0.0, 7.0])
    value = dollars(100.0, gamma(100.0, strike, 0.01, sigma), held)
    assert_allclose(value[0], 10 * 100 * 100 * 100 * 0.01 * 0.19946117, rtol=1e-6)
    found = iv_from_dollar_gamma(-value, held, strike, 100.0, 0.01)  # the sign says nothing
    assert_allclose(found.iv, [0.2, np.nan, 0.3], rtol=1e-12)
    assert_array_equal(found.branch, [1, 0, -1])


@settings(deadline=None)
@given(
    st.floats(0.05, 1.5),
    st.floats(-0.3, 0.3),
    st.floats(-0.05, 0.1),
    st.floats(-0.03, 0.05),
    st.floats(60 / 525_600, 1.0),
)
def test_a_smile_comes_back_from_its_gammas_and_they_from_it(level, skew, rate, dividend, tau):
    spot, deviation = 5000.0, level * math.sqrt(tau)
    y = np.linspace(-3.03, 2.97, 61)  # standard deviations: no strike just where branches meet
    strike = spot * np.exp((rate - dividend) * tau + y * deviation)
    sigma = level * np.exp(-0.05 * skew * y + 0.01 * y * y)
    held = np.arange(1.0, 62.0)
    gammas = gamma(spot, strike, tau, sigma, rate=rate, dividend=dividend)
    value = dollars(spot, gammas, held)
    found = iv_from_dollar_gamma(value, held, strike, spot, tau, rate=rate, dividend=dividend)
    sure = np.isfinite(found.iv)  # next to a peak the gamma may round to above it
    assert sure.sum() >= 59
    again = gamma(spot, strike[sure], tau, found.iv[sure], rate=rate, dividend=dividend)
    assert_allclose(again, gammas[sure], rtol=1e-9)
    away = sure & (np.abs(np.abs(y) * level / sigma - 1) > 0.2)  # one deviation is ill-conditioned
    assert_allclose(found.iv[away], sigma[away], rtol=1e-7)


def test_the_solution_agrees_with_fifty_digits():
    spot, strike, tau = 7707.04, 7650.0, TAU
    held = np.array([165.0])
    value = np.array([28_422_166.0])
    found = iv_from_dollar_gamma(value, held, np.array([strike]), spot, tau).iv[0]
    with mpmath.workdps(50):
        goal = mpmath.mpf(28_422_166) / (165 * mpmath.mpf(spot) ** 2)
        x = mpmath.log(mpmath.mpf(spot) / strike)

        def gap(sigma):
            w = sigma * mpmath.sqrt(mpmath.mpf(tau))
            d1 = x / w + w / 2
            return mpmath.log(mpmath.npdf(d1) / (mpmath.mpf(spot) * w)) - mpmath.log(goal)

        exact = mpmath.findroot(gap, (mpmath.mpf(found) * 0.99, mpmath.mpf(found) * 1.01))
    assert abs(found / float(exact) - 1) < 1e-12


def test_a_gamma_that_no_vol_gives_has_none_but_its_rounding_is_forgiven():
    spot, strike, tau = 100.0, np.array([99.0, 101.0]), 0.01
    w = math.sqrt(2 * (math.sqrt(1 + math.log(100 / 101) ** 2) - 1))
    peak = float(gamma(spot, 101.0, tau, w / math.sqrt(tau)))
    above = dollars(spot, np.array([peak * 1.0004, peak * 1.002]), 1.0)
    held = np.ones(2)
    found = iv_from_dollar_gamma(above, held, strike[[1, 1]], spot, tau, gamma_step=peak / 1000.6)
    assert_allclose(found.iv[0], w / math.sqrt(tau), rtol=1e-6)
    assert np.isnan(found.iv[1])
    assert np.isnan(iv_from_dollar_gamma(above, held, strike[[1, 1]], spot, tau).iv).all()


def test_nothing_is_found_of_no_gamma_or_no_time():
    ones, strike = np.ones(3), np.array([99.0, 100.0, 101.0])
    assert np.isnan(iv_from_dollar_gamma(0 * ones, ones, strike, 100.0, 0.01).iv).all()
    assert np.isnan(iv_from_dollar_gamma(ones, ones, strike, 100.0, 0.0).iv).all()
    assert np.isnan(iv_from_dollar_gamma(ones, ones, strike, 100.0, -1.0).iv).all()
    none = np.empty(0)
    assert len(iv_from_dollar_gamma(none, none, none, 100.0, 0.01).iv) == 0
    assert smoothest_forward(ones, ones, strike, 100.0, 0.01, reach=1.0) == 100.0


def test_wrong_arguments_are_refused():
    with pytest.raises(InputError, match="must be of one length"):
        iv_from_dollar_gamma(np.ones(2), np.ones(3), np.ones(3), 100.0, 0.01)
    with pytest.raises(InputError, match="must be positive"):
        iv_from_dollar_gamma(np.ones(2), np.ones(2), np.ones(2), 0.0, 0.01)


@settings(deadline=None, max_examples=30)
@given(st.floats(-4.0, 4.0), st.floats(0.1, 0.3))
def test_the_forward_of_a_smooth_smile_is_found_again(basis, level):
    spot, strike = 7700.0, np.arange(7500.0, 7905.0, 5.0)
    y = np.log(strike / spot) / (level * math.sqrt(TAU))
    sigma = level * (1 - 0.02 * y + 0.01 * y * y)
    gammas = np.round(gamma(spot, strike, TAU, sigma, forward=spot + basis), 4)
    held = np.full(len(strike), 250.0)
    value = dollars(spot, gammas, held)
    found = smoothest_forward(value, held, strike, spot, TAU, reach=5.0, gamma_step=1e-4)
    assert abs(found - spot - basis) < 1.0  # of strikes 5 apart, gammas to four decimals
    vols = iv_from_dollar_gamma(
        value, held, strike, spot, TAU, forward=found, gamma_step=1e-4
    )  # fmt: skip
    middle = np.abs(y) < 0.5
    assert_allclose(vols.iv[middle], sigma[middle], rtol=0.05)


# -- the profile by strike -----------------------------------------------------------------------


def profile(stamp: str, spot: float, level: float, minutes: float) -> pd.DataFrame:
    strike = np.arange(spot - 100, spot + 101, 5.0)
    tau = minutes / 525_600
    gammas = gamma(spot, strike, tau, np.full(len(strike), level))
    held = 100.0 + np.arange(len(strike))
    return pd.DataFrame(
        {
            "ts": stamp,
            "spot": spot,
            "strike": strike,
            "cg": dollars(spot, gammas.round(4), held),
            "pg": -dollars(spot, gammas.round(4), 2 * held),
            "coi": held,
            "poi": 2 * held,
            "cvol": 7.0,
            "pvol": 9.0,
        }
    )


@pytest.fixture
def saved(tmp_path):
    parts = [
        profile("2026-08-18T15:00:00", 7700.0, 0.12, 75),  # 15 minutes old: 75 are left
        profile("2026-08-18T15:15:00", 7710.0, 0.13, 60),
        profile("2026-08-18T16:00:00", 7705.0, 0.14, 15),
    ]
    pd.concat(parts).to_csv(tmp_path / "profile.csv", index=False)
    return tmp_path / "profile.csv"


def test_a_profile_becomes_a_chain_with_the_vols_that_made_it(saved):
    chain, report = read_chain(saved, as_of="2026-08-18 15:05")
    assert (chain.symbol, chain.spot, len(chain)) == ("SPX", 7700.0, 82)
    assert f"{chain.expiries[0]:%Y-%m-%d %H:%M %Z}" == "2026-08-18 16:00 EDT"
    near = np.abs(chain.strike - 7700) < 7
    assert_allclose(chain.iv[near], 0.12, rtol=0.02)
    calls = chain.right > 0
    assert_array_equal(chain.open_interest[calls], 100.0 + np.arange(41))
    assert_array_equal(chain.open_interest[~calls], 2 * (100.0 + np.arange(41)))
    assert set(chain.volume[calls]) == {7.0}
    assert any("IV of each contract implied from its own dollar gamma" in n for n in report.notes)
    assert any("15 minutes older than the stamp, when 75 minutes" in n for n in report.notes)


def test_the_dollar_gammas_of_a_profile_come_back_from_its_chain(saved):
    table = pd.read_csv(saved)
    table = table[table["ts"] == "2026-08-18T15:15:00"].sort_values("strike")
    chain = read_chain(saved, as_of="2026-08-18 15:15").chain
    calls = chain.contracts[chain.right > 0].sort_values("strike")
    again = gamma(7710.0, calls["strike"].to_numpy(), 60 / 525_600, calls["iv"].to_numpy())
    value = np.nan_to_num(dollars(7710.0, again, calls["open_interest"].to_numpy()))
    # within the forward that was fitted, a twentieth of a strike spacing at the least
    assert_allclose(value.sum(), table["cg"].sum(), rtol=0.02)


def test_a_snapshot_at_the_close_is_refused_when_it_is_read(saved):
    series = open_chains(saved)
    assert len(series) == 3
    assert series.chain(1).chain.spot == 7710.0
    with pytest.raises(InputError, match=r"profile.csv: contracts: all 82 have expired"):
        series.chain(2)


def test_a_profile_has_no_other_unit(saved):
    with pytest.raises(InputError, match=r"profile\.csv: unit: is no setting of a profile"):
        read_chain(saved, unit="coin_prices")


def test_a_profile_without_a_column_is_refused(saved, tmp_path):
    pd.read_csv(saved).drop(columns="spot").to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(InputError, match=r"p\.csv: no column 'spot'"):
        read_chain(tmp_path / "p.csv")


@pytest.mark.parametrize("column", ["spot", "strike"])
def test_a_profile_with_an_impossible_price_is_refused(saved, tmp_path, column):
    table = pd.read_csv(saved)
    table.loc[3, column] = -1.0
    table.to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(InputError, match=f"{column}: row 4 is -1; wanted a positive number"):
        read_chain(tmp_path / "p.csv", as_of="2026-08-18 15:00")


def test_gammas_of_another_spot_are_refused_and_the_right_spot_mends_it(tmp_path):
    table = profile("2026-08-18T15:00:00", 7700.0, 0.12, 75).assign(spot=7735.0)
    table.to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(InputError, match=r"of the gross, fit no vol at spot 7735, .*; give spot"):
        read_chain(tmp_path / "p.csv", as_of="2026-08-18 15:05")
    chain = read_chain(tmp_path / "p.csv", as_of="2026-08-18 15:05", spot=7700.0).chain
    near = np.abs(chain.strike - 7700) < 7
    assert_allclose(chain.iv[near], 0.12, rtol=0.02)
