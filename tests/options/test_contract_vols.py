"""A contract's own vol (definitions 5): its strike's quote, else the smile, within bid and ask."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import brentq
from scipy.stats import norm

from hpi_bt.errors import InputError, Note, Severity
from hpi_bt.options import (
    OptionChain,
    charm_integral,
    exposures,
    fit_surface,
    hedge_flow,
    impulse_curve,
    price_levels,
)
from hpi_bt.options.contract_vols import ORIGINS, own_vols
from options.books import AS_OF, FRIDAY, quoted
from reference.own_vols import expiry_is_quoted, implied, own_vol

STRIKES = np.arange(80.0, 121.0, 2.0)
LONG = "2023-12-15"


def skewed(y):
    return 0.2 - 0.3 * y + 0.4 * y * y


def humped(y):
    """A skew with a hump one deviation above the money, as before an event: no SVI has one."""
    return 0.22 - 0.2 * y + 0.06 * np.exp(-(((y - 0.12) / 0.04) ** 2))


def book(strikes=STRIKES, smile=skewed, *, half_spread=0.01, expiry=LONG, **columns):
    """Quotes on a smile, each with open interest of its own, and the smile's vol as iv."""
    made = quoted(strikes, smile, half_spread=half_spread, rate=0.03, expiry=expiry)
    frame = made.contracts.assign(
        iv=smile(np.log(made.strike / 100.0)),
        open_interest=100.0 + 10.0 * np.arange(len(made)),
        **columns,
    )
    return OptionChain(frame, 100.0, AS_OF, rate=0.03)


def humped_book() -> OptionChain:
    """Quotes that no SVI follows, calls on the hump and puts below the money held most."""
    chain = book(np.arange(74.0, 131.0, 2.0), humped, half_spread=1e-6)
    calls, puts = (
        (chain.right > 0) & (chain.strike >= 108.0),
        (chain.right < 0) & (chain.strike < 96.0),
    )
    return chain.with_(open_interest=np.where(calls, 5_000.0, np.where(puts, 3_000.0, 500.0)))


def changed(chain: OptionChain, where, **columns) -> OptionChain:
    frame = chain.contracts.copy()
    for name, value in columns.items():
        frame.loc[where, name] = value
    return OptionChain(frame, chain.spot, chain.as_of, rate=chain.rate, dividend=chain.dividend)


def only(chain: OptionChain):
    ((_, smile),) = fit_surface(chain).items()
    return smile


def slow(chain: OptionChain) -> list[float]:
    surface = fit_surface(chain)
    found = []
    for at in range(len(chain)):
        smile = surface[chain.expiry[at]]
        found.append(
            own_vol(
                chain, at, smile.forward, smile.discount, float(smile.iv(chain.strike[at])),
                expiry_is_quoted=expiry_is_quoted(chain, at, smile.forward),
            )
        )  # fmt: skip
    return found


def out_of_the_money(chain: OptionChain) -> np.ndarray:
    forward = np.array([fit_surface(chain)[moment].forward for moment in chain.expiry])
    return np.where(chain.right > 0, chain.strike >= forward, chain.strike < forward)


# -- the rule ------------------------------------------------------------------------------------


def test_a_quoted_strike_takes_the_vol_of_its_own_mid_however_far_the_smile_is_off():
    chain = humped_book()
    got = exposures(chain)
    assert np.abs(only(chain).residual).max() > 0.02
    assert_allclose(got.sigma, true_vols(chain), atol=2e-3)
    assert {ORIGINS[o] for o in got.own.origin} == {"quote"}


def true_vols(chain: OptionChain) -> np.ndarray:
    return humped(np.log(chain.strike / 100.0) - 0.03 * chain.tau_years)


def test_gex_is_that_of_the_quotes_where_the_smile_cannot_follow_them():
    chain = humped_book()
    s = true_vols(chain) * np.sqrt(chain.tau_years)
    d1 = (np.log(100.0 / chain.strike) + 0.03 * chain.tau_years) / s + 0.5 * s
    each = chain.right * chain.open_interest * norm.pdf(d1) / (100.0 * s)
    gex = float(each.sum() * 100 * 100.0)
    assert exposures(chain).gex == pytest.approx(gex, rel=0.01)
    assert abs(exposures(chain, vols="smile").gex / gex - 1.0) > 0.03


quotes = st.sampled_from(["whole", "no bid", "no ask", "crossed", "none", "absent"])


@settings(deadline=None, max_examples=40)
@given(
    st.lists(quotes, min_size=2 * len(STRIKES), max_size=2 * len(STRIKES)),
    st.booleans(),
    st.sampled_from([0.5, 1.0, 3.0]),
)
def test_every_mixture_of_quotes_is_what_a_slow_version_gives(states, with_iv, factor):
    chain = book()
    frame = chain.contracts.copy()
    frame["iv"] = frame["iv"] * factor if with_iv else np.nan
    for at, state in enumerate(states):
        bid, ask = frame.loc[at, ["bid", "ask"]]
        bad = {
            "no bid": (0.0, ask), "no ask": (bid, 0.0), "crossed": (ask + 0.1, max(bid, 0.01)),
            "none": (np.nan, np.nan),
        }  # fmt: skip
        frame.loc[at, ["bid", "ask"]] = bad.get(state, (bid, ask))
    frame = frame[[state != "absent" or at == 0 for at, state in enumerate(states)]]
    made = OptionChain(frame, 100.0, AS_OF, rate=0.03)
    if not fit_surface(made):
        return
    assert_allclose(exposures(made).sigma, slow(made), rtol=1e-7)


def test_call_and_put_of_a_strike_have_one_vol_whatever_they_are_quoted_at():
    chain = book()
    inside = ~out_of_the_money(chain)
    dear = changed(
        chain, inside, bid=chain.bid[inside] * 1.2 + 0.5, ask=chain.ask[inside] * 1.2 + 0.6
    )
    for one in (chain, dear, changed(chain, chain.strike > 110.0, bid=0.0)):
        sigma = pd.Series(exposures(one).sigma).groupby(one.strike)
        assert (sigma.max() == sigma.min()).all()


@pytest.mark.parametrize(("factor", "bounds"), [(0.5, True), (2.0, False)])
def test_a_contract_without_a_bid_is_worth_its_ask_at_most(factor, bounds):
    chain = book()
    wing = (chain.strike >= 112.0) & (chain.right > 0)
    ask = np.maximum(chain.mid[wing] * factor, 1e-6)
    made = changed(chain, wing, bid=0.0, ask=ask)
    got, limit = exposures(made), vols_of(made, wing, ask)
    assert (got.sigma[wing] <= limit * (1 + 1e-9)).all()
    assert got.own.bounded[wing].all() == bounds


def test_a_contract_without_an_ask_is_worth_its_bid_at_least():
    chain = book()
    wing = (chain.strike >= 112.0) & (chain.right > 0)
    bid = chain.ask[wing] * 2.0
    made = changed(chain, wing, bid=bid, ask=np.nan)
    assert_allclose(exposures(made).sigma[wing], vols_of(made, wing, bid), rtol=1e-7)


def vols_of(chain: OptionChain, rows, values) -> np.ndarray:
    """Vols of these prices of calls."""
    smile = only(chain)
    return np.array(
        [
            implied(value / smile.discount, smile.forward, strike, smile.tau_years, 1.0)
            for value, strike in zip(values, chain.strike[rows], strict=True)
        ]
    )


def test_crossed_quotes_bound_nothing():
    chain = book()
    wing = (chain.strike == 112.0) & (chain.right > 0)
    crossed = changed(chain, wing, bid=5.0, ask=0.001)
    assert_allclose(exposures(crossed).sigma[wing], only(crossed).iv(112.0), rtol=1e-12)


def test_an_expiry_without_quotes_takes_the_files_vols_before_its_smile():
    chain = book()
    frame = chain.contracts.assign(bid=np.nan, ask=np.nan)
    y = np.log(chain.strike / 100.0)
    rough = 0.3 + 0.2 * y + 0.02 * np.sin(40.0 * y)  # no smile goes through this
    inside = ~out_of_the_money(chain)
    frame["iv"] = np.where(inside, 0.9, rough)
    made = OptionChain(frame, 100.0, AS_OF, rate=0.03)
    got = exposures(made)
    assert_allclose(got.sigma, rough, rtol=1e-12)
    assert {ORIGINS[o] for o in got.own.origin} == {"file"}
    frame.loc[frame["strike"] == 84.0, "iv"] = np.nan
    blank = OptionChain(frame, 100.0, AS_OF, rate=0.03)
    at = blank.strike == 84.0
    assert_allclose(exposures(blank).sigma[at], only(blank).iv(84.0), rtol=1e-12)


@pytest.mark.parametrize(
    ("iv", "taken"), [(0.004, False), (0.006, True), (9.9, True), (11.0, False)]
)
def test_a_vol_of_the_file_counts_from_half_a_percent_to_a_thousand(iv, taken):
    chain = book()
    frame = chain.contracts.assign(bid=np.nan, ask=np.nan)
    at = (frame["strike"] == 110.0).to_numpy()
    frame.loc[at, "iv"] = iv
    made = OptionChain(frame, 100.0, AS_OF, rate=0.03)
    wanted = iv if taken else float(only(made).iv(110.0))
    assert_allclose(exposures(made).sigma[at], wanted, rtol=1e-9)


def test_one_quoted_expiry_does_not_make_the_other_quoted():
    near = book().contracts
    far = near.assign(expiry=pd.Timestamp(f"{FRIDAY} 16:00", tz="America/New_York"),
                      expiry_date=pd.Timestamp(FRIDAY), bid=np.nan, ask=np.nan,
                      iv=0.35)  # fmt: skip
    chain = OptionChain(pd.concat([near, far], ignore_index=True), 100.0, AS_OF, rate=0.03)
    got = exposures(chain)
    names = np.array(ORIGINS)[got.own.origin]
    assert set(names[: len(near)]) == {"quote"}
    assert set(names[len(near) :]) == {"file"}
    assert_allclose(got.sigma[len(near) :], 0.35)


def test_last_prices_are_no_quotes():
    chain = book()
    noise = 1.0 + 0.3 * (-1.0) ** np.arange(len(chain))
    frame = chain.contracts.drop(columns=["bid", "ask"]).assign(last=chain.mid * noise, volume=5.0)
    made = OptionChain(frame, 100.0, AS_OF, rate=0.03)
    got = exposures(made)
    assert made.without_quotes
    assert "quote" not in {ORIGINS[o] for o in got.own.origin}
    assert_allclose(got.sigma, skewed(np.log(chain.strike / 100.0)), rtol=1e-12)


def test_the_smile_serves_everywhere_where_it_is_asked_for():
    chain = humped_book()
    got = exposures(chain, vols="smile")
    assert_allclose(got.sigma, only(chain).iv(chain.strike), rtol=1e-12)
    assert got.vols == "smile"


def test_other_vols_than_these_two_are_refused():
    for call in (exposures, impulse_curve, charm_integral, hedge_flow, price_levels):
        with pytest.raises(InputError, match=r"vols: 'quote' \(did you mean 'quotes'\?\)"):
            call(book(), vols="quote")


def test_smiles_that_are_given_say_which_side_is_out_of_the_money():
    chain = book()
    surface = fit_surface(chain)
    assert_array_equal(own_vols(chain, surface).sigma, exposures(chain).sigma)
    assert_array_equal(exposures(chain, surface=surface).sigma, exposures(chain).sigma)


# -- all figures rest on the same vols -----------------------------------------------------------


def gammas(chain: OptionChain, sigma, spot):
    s = sigma * np.sqrt(chain.tau_years)
    d1 = (np.log(spot / chain.strike) + chain.rate * chain.tau_years) / s + 0.5 * s
    return norm.pdf(d1) / (spot * s)


def deltas(chain: OptionChain, sigma, spot, tau):
    s = sigma * np.sqrt(tau)
    d1 = (np.log(spot / chain.strike) + chain.rate * tau) / s + 0.5 * s
    return chain.right * norm.cdf(chain.right * d1)


@pytest.mark.parametrize("vols", ["quotes", "smile"])
def test_greeks_strikes_impulse_levels_and_charm_agree_on_the_vols(vols):
    chain = humped_book()
    flow = hedge_flow(chain, vols=vols)
    found, levels = flow.exposures, price_levels(chain, vols=vols)
    shares = 100.0 * chain.right * chain.open_interest
    gamma = gammas(chain, found.sigma, 100.0)
    assert found.gamma_shares == pytest.approx(float(shares @ gamma), rel=1e-9)
    assert found.by_strike["gex"].sum() == pytest.approx(found.gex, rel=1e-12)
    k = flow.curve.coupling.table["k"].iloc[0]
    assert flow.curve.impulse_usd[60] == pytest.approx(found.gex - k * found.vex, rel=1e-9)
    zero = brentq(
        lambda spot: float(shares @ gammas(chain, found.sigma, spot)),
        levels.zero_gamma * 0.99, levels.zero_gamma * 1.01, xtol=1e-10,
    )  # fmt: skip
    assert levels.zero_gamma == pytest.approx(zero, rel=1e-8)
    for side, wall in ((1.0, levels.call_wall), (-1.0, levels.put_wall)):
        own = chain.right == side
        assert wall == chain.strike[own][np.argmax((gamma * chain.open_interest)[own])]
    horizon = AS_OF + pd.Timedelta(days=1)
    charm = charm_integral(chain, horizon=horizon, vols=vols)
    later = chain.tau_years - 1.0 / 365.0
    drift = deltas(chain, found.sigma, 100.0, later) - deltas(
        chain, found.sigma, 100.0, chain.tau_years
    )
    assert charm.shares == pytest.approx(float(shares @ drift), rel=1e-6)
    assert_array_equal(
        flow.charm.buckets["shares"], charm_integral(chain, vols=vols).buckets["shares"]
    )


def test_exposures_under_another_sign_keep_the_vols():
    chain = humped_book()
    one = exposures(chain)
    other = exposures(chain, positioning="dealers_short_calls_long_puts", exposed=one)
    alone = exposures(chain, positioning="dealers_short_calls_long_puts")
    assert other.gex == alone.gex == -one.gex
    assert_array_equal(other.sigma, one.sigma)
    assert other.flags == alone.flags


# -- what is said --------------------------------------------------------------------------------


def notes(made, code) -> list[Note]:
    return [flag for flag in made.flags if isinstance(flag, Note) and flag.code == code]


def test_what_the_vols_rest_on_is_said_in_shares_of_gross_gamma():
    chain = book(half_spread=1e-6)
    (note,) = notes(exposures(chain), "source-of-vols")
    assert "own quotes 100.0 %, smiles 0.0 %, the file's IV 0.0 %" in note.text
    assert note.severity is Severity.INFO
    near = np.abs(chain.strike - 100.0) <= 4.0
    (note,) = notes(exposures(changed(chain, near, bid=0.0)), "source-of-vols")
    assert note.severity is Severity.ASSUMPTION


def test_a_smile_that_leaves_its_quotes_says_by_how_much_and_a_good_one_says_nothing():
    chain = humped_book()
    smile = only(chain)
    (own,) = [f for f in smile.flags if isinstance(f, Note) and f.code == "smile-misses-quotes"]
    at = smile.missed
    assert f"{100 * abs(smile.residual[at]):.1f} vol points" in own.text
    assert f"quoted {100 * smile.quotes.sigma[at]:.1f} %" in own.text
    (note,) = notes(exposures(chain), "smiles-miss-quotes")
    assert note.severity is Severity.ASSUMPTION
    assert "1 of 1" in note.text
    assert smile.rms == pytest.approx(100 * math.sqrt(np.mean(smile.residual**2)), rel=1e-12)
    assert abs(smile.residual[smile.worst]) == np.abs(smile.residual).max()
    good = book()
    assert not notes(exposures(good), "smiles-miss-quotes")
    assert only(good).missed is None


def test_gex_on_smiles_that_differs_from_that_on_quotes_is_a_warning_with_both():
    chain = humped_book()
    smile = exposures(chain, vols="smile")
    (note,) = notes(smile, "smiles-off-quotes")
    assert note.severity is Severity.WARNING
    assert f"{smile.gex:,.0f}" in note.text
    assert f"{exposures(chain).gex:,.0f}" in note.text
    assert not notes(exposures(book(), vols="smile"), "smiles-off-quotes")
    assert not notes(exposures(chain), "smiles-off-quotes")


def test_an_expired_contract_has_no_vol():
    chain = book()
    dead = chain.contracts.head(2).assign(expiry=AS_OF - pd.Timedelta("1D"))
    both = OptionChain(
        pd.concat([chain.contracts, dead], ignore_index=True), 100.0, AS_OF, rate=0.03
    )
    got = exposures(both)
    assert np.isnan(got.sigma[-2:]).all()
    assert_array_equal(got.sigma[:-2], exposures(chain).sigma)
