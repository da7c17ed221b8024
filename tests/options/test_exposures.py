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
from hpi_bt.options import OptionChain, dealer_book, dealer_positions, exposures, fit_surface
from options.books import AS_OF, FRIDAY, cboe, chain

FLOE = "dealers_short_calls_long_puts"
STRIKES = np.array([90.0, 95.0, 100.0, 105.0, 110.0])
LONG = "2023-12-15"
TOTALS = ("gamma_shares", "vanna_shares", "charm_shares", "gex", "vex", "cex")
counts = st.lists(st.integers(0, 10_000), min_size=5, max_size=5).map(np.array)
steady = settings(deadline=None, max_examples=40)


def totals(exposed) -> list[float]:
    return [getattr(exposed, name) for name in TOTALS]


# -- positions ------------------------------------------------------------------------------------


def test_worked_example_of_positions_under_both_conventions():
    book = chain([90.0, 110.0], calls=[1, 2], puts=[30, 40])
    assert_array_equal(dealer_positions(book), [1, 2, -30, -40])
    assert_array_equal(dealer_positions(book, positioning=FLOE), [-1, -2, 30, 40])


def test_a_column_of_signed_positions_is_taken_as_it_is():
    book = chain([90.0], calls=1, puts=2).with_(dealer_position=[-7, np.nan])
    got = dealer_book(book, positioning="dealer_position")
    assert_array_equal(got.positions, [-7, 0])
    assert got.notes == (
        "Open positions: the column 'dealer_position'.",
        "Contracts without a known position, none in exposures: 1.",
    )


def test_flow_takes_the_other_side_of_the_customers_whatever_the_convention():
    book = chain([90.0], calls=100, puts=100).with_(trade_flow=[5, -3])
    for positioning in ("dealers_long_calls_short_puts", FLOE):
        got = dealer_positions(book, positioning=positioning, mode="flow_delta")
        assert_array_equal(got, [-5, 3])
    assert_array_equal(dealer_positions(book, mode="live"), [95, -97])


def test_flow_from_live_open_interest_says_so():
    book = chain([90.0], calls=100, puts=100).with_(open_interest_live=[110, 90])
    got = dealer_book(book, mode="flow_delta")
    assert_array_equal(got.positions, [10, 10])
    assert "change of live open interest" in got.notes[0]
    assert_array_equal(dealer_positions(book, mode="live"), [110, -90])


def test_volume_is_signed_by_the_convention():
    book = chain([90.0], calls=1, puts=1).with_(volume=[8, 9])
    assert_array_equal(dealer_positions(book, mode="volume"), [8, -9])
    assert_array_equal(dealer_positions(book, mode="volume", positioning=FLOE), [-8, 9])


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({}, {"mode": "canonicle"}, "mode: 'canonicle' .did you mean 'canonical'"),
        ({}, {"positioning": "long"}, "'long' is no convention and no column of the chain"),
        ({}, {"positioning": "iv"}, "column 'iv' holds no signed dealer positions"),
        ({}, {"mode": "flow_delta"}, "'flow_delta' needs a column 'trade_flow'"),
        ({}, {"mode": "live"}, "'live' needs a column 'trade_flow'"),
        ({}, {"mode": "volume"}, "volume is not known for any contract"),
        ({"open_interest": np.nan}, {}, "open_interest is not known for any contract"),
        ({"desk": 1.0}, {"mode": "volume", "positioning": "desk"}, "gives no sign to volume"),
        ({"desk": "x"}, {"positioning": "desk"}, "'desk' holds no numbers"),
        ({"desk": np.inf}, {"positioning": "desk"}, "desk holds infinite numbers"),
        (
            {"desk": 1.0, "open_interest_live": 1.0},
            {"mode": "flow_delta", "positioning": "desk"},
            "'flow_delta' needs a column 'trade_flow'",
        ),
    ],
)
def test_positions_that_cannot_be_known_are_refused(columns, options, message):
    book = chain([90.0], calls=1, puts=1)
    book = book.with_(**columns) if columns else book
    with pytest.raises(InputError, match=message) as refusal:
        dealer_book(book, **options)
    assert "\n" not in str(refusal.value)


# -- exposures ------------------------------------------------------------------------------------


def by_hand(book: OptionChain, sigma: float) -> dict[str, float]:
    """Sums over contracts, the Greeks as derivatives of the price at 40 digits."""
    mpmath.mp.dps = 40
    spot, sums = mpmath.mpf(book.spot), dict.fromkeys(("gamma", "vanna", "charm"), mpmath.mpf(0))
    positions = dealer_positions(book)
    for at in range(len(book)):
        k, tau, right = (float(x[at]) for x in (book.strike, book.tau_years, book.right))

        def delta(s, v, t, k=k, right=right):
            root = v * mpmath.sqrt(t)
            drift = (book.rate - book.dividend + v * v / 2) * t
            d1 = (mpmath.log(s / k) + drift) / root
            return right * mpmath.exp(-book.dividend * t) * mpmath.ncdf(right * d1)

        size = book.multiplier * positions[at]
        sums["gamma"] += size * mpmath.diff(lambda s, t=tau: delta(s, sigma, t), spot)
        sums["vanna"] += size * mpmath.diff(lambda v, t=tau: delta(spot, v, t), sigma)
        sums["charm"] -= size * mpmath.diff(lambda t: delta(spot, sigma, t), tau)
    return {name: float(value) for name, value in sums.items()}


def test_totals_against_derivatives_at_40_digits():
    book = chain(STRIKES, calls=[5, 4, 3, 2, 1], puts=[1, 3, 2, 5, 4], rate=0.05, dividend=0.02)
    got, want = exposures(book), by_hand(book, 0.2)
    assert_allclose(got.gamma_shares, want["gamma"], rtol=1e-9)
    assert_allclose(got.vanna_shares, want["vanna"], rtol=1e-9)
    assert_allclose(got.charm_shares, want["charm"], rtol=1e-9)
    # $ per 1 % = shares per $1 x 1 % of S in dollars x S; a vol point is 0.01; a day 1/365
    assert_allclose(got.gex, want["gamma"] * 100**2 * 0.01, rtol=1e-9)
    assert_allclose(got.vex, want["vanna"] * 100 * 0.01, rtol=1e-9)
    assert_allclose(got.cex, want["charm"] * 100 / 365, rtol=1e-9)


def test_worked_example_of_one_call_at_the_money():
    # d1 = sigma sqrt(tau)/2, gamma = phi(d1)/(S sigma sqrt(tau)), 3 contracts of 50 shares
    book = chain([100.0], calls=3, multiplier=50.0)
    root = 0.2 * math.sqrt(book.tau_years[0])
    density = math.exp(-(root**2) / 8) / math.sqrt(2 * math.pi)
    got = exposures(book)
    assert_allclose(got.gamma_shares, 150 * density / (100 * root), rtol=1e-13)
    # vanna = -phi(d1) d2/sigma, d2 = -d1; charm = -vanna sigma/(2 tau) without rate or yield
    vanna = density * 0.5 * root / 0.2
    assert_allclose(got.vanna_shares, 150 * vanna, rtol=1e-12)
    assert_allclose(got.charm_shares, -150 * vanna * 0.2 / (2 * book.tau_years[0]), rtol=1e-12)


def test_rows_are_sums_over_both_rights_by_expiry_and_strike():
    near, far = (chain(STRIKES[::-1], calls=2, puts=1, expiry=day) for day in (FRIDAY, LONG))
    whole = OptionChain(pd.concat([far.contracts, near.contracts]), 100.0, AS_OF)
    got = exposures(whole)
    assert_array_equal(got.by_strike["strike"], [*STRIKES, *STRIKES])
    assert got.by_strike["expiry"].is_monotonic_increasing
    for part, exposed in ((near, exposures(near)), (far, exposures(far))):
        row = got.by_expiry.loc[part.expiries[0]]
        assert_allclose(row[list(TOTALS)].to_numpy(dtype=float), totals(exposed), rtol=1e-12)
    # equal gamma, so two calls long and one put short leave one
    assert_allclose(got.by_strike["gamma_shares"].sum(), got.gamma_shares, rtol=1e-12)
    assert_allclose(exposures(near).gamma_shares, 100 * exposures(near).gamma[:5].sum(), rtol=1e-12)


@steady
@given(counts, counts)
def test_the_opposite_convention_flips_every_sign(calls, puts):
    book = chain(STRIKES, calls=calls, puts=puts)
    assert_allclose(
        totals(exposures(book)), -np.array(totals(exposures(book, positioning=FLOE))), rtol=1e-15
    )


@steady
@given(counts, counts, st.integers(1, 50))
def test_exposures_scale_with_open_interest_and_multiplier(calls, puts, factor):
    one = totals(exposures(chain(STRIKES, calls=calls, puts=puts)))
    more = totals(exposures(chain(STRIKES, calls=factor * calls, puts=factor * puts)))
    shares = exposures(chain(STRIKES, calls=calls, puts=puts, multiplier=100.0 * factor))
    scale = factor * 1e-12 * 100 * (calls + puts).sum()
    assert_allclose(more, factor * np.array(one), rtol=1e-9, atol=scale * 1e3)
    assert_allclose(totals(shares), factor * np.array(one), rtol=1e-9, atol=scale * 1e3)


@steady
@given(counts, counts)
def test_swapping_calls_and_puts_flips_gamma_and_vanna(calls, puts):
    # charm too without a yield
    one = totals(exposures(chain(STRIKES, calls=calls, puts=puts)))
    other = totals(exposures(chain(STRIKES, calls=puts, puts=calls)))
    assert_allclose(other, -np.array(one), rtol=1e-9, atol=1e-9 * (calls + puts).sum())


def test_each_contract_takes_its_smile_or_its_own_vol():
    book = chain([90.0, 110.0], calls=1, puts=1, iv=[0.3, 0.2])
    assert_allclose(exposures(book).sigma, [0.3, 0.2, 0.3, 0.2], rtol=1e-14)
    # without a smile the file's, of the side out of the money: the put at 90, the call at 110
    frame = book.contracts.assign(iv=[0.31, 0.21, 0.29, 0.19])
    for vols in ("quotes", "smile"):
        own = exposures(OptionChain(frame, 100.0, AS_OF), surface={}, vols=vols)
        assert_array_equal(own.sigma, [0.29, 0.21, 0.29, 0.21])
        assert any("the file's IV 100.0 %" in flag for flag in own.flags)


def test_contracts_without_any_vol_are_counted_out():
    frame = pd.concat(
        [chain([100.0], calls=1, puts=1, iv=v, expiry=d).contracts
         for v, d in ((0.2, FRIDAY), (np.nan, LONG))]
    )  # fmt: skip
    got = exposures(OptionChain(frame, 100.0, AS_OF))
    assert got.excluded == 2
    assert "Contracts with a position but no vol, left out of exposures: 2." in got.flags
    assert np.isfinite(totals(got)).all()
    assert_array_equal(np.isnan(got.sigma), [False, False, True, True])
    assert_allclose(got.gex, 0.0, atol=1e-9)  # a call long and a put short of equal gamma


def test_expired_contracts_count_for_nothing():
    old = chain([100.0], calls=1e9, puts=0, expiry="2023-09-08", as_of="2023-09-01 12:00-04:00")
    frame = pd.concat([old.contracts, chain([100.0], calls=1).contracts])
    got = exposures(OptionChain(frame, 100.0, AS_OF))
    assert_allclose(totals(got), totals(exposures(chain([100.0], calls=1))), rtol=1e-15)
    assert "Expired contracts, which count for nothing: 2." in got.flags
    assert len(got.by_strike) == 1


@pytest.mark.parametrize(
    "book",
    [
        chain(STRIKES),
        chain([100.0], calls=5),
        chain(STRIKES, calls=5).where(np.repeat([True, False], 5)),
        chain(STRIKES, calls=5, puts=3, spot=1.0),
        chain(STRIKES, calls=5, puts=3, spot=1e5),
    ],
    ids=["nothing open", "one strike", "no puts", "spot below", "spot above"],
)
def test_poor_chains_give_finite_and_flagged_answers(book):
    got = exposures(book)
    assert np.isfinite(totals(got)).all()
    assert np.isfinite(got.by_strike.drop(columns="expiry").to_numpy(dtype=float)).all()
    assert got.flags


def test_nothing_open_is_flagged():
    assert "Dealers hold nothing: every exposure is 0." in exposures(chain(STRIKES)).flags


def test_a_chain_without_any_vol_is_refused():
    with pytest.raises(InputError, match="no live contract has a usable bid and ask"):
        exposures(chain(STRIKES, calls=1, iv=np.nan))


@pytest.mark.real_data
def test_real_gamma_exposure_agrees_with_the_exchanges_own_gammas(real_data):
    book = cboe(real_data, "spx_quotedata_2023-09-14.csv", "2023-09-14 16:31-04:00", "SPX")
    book = book.with_(rate=0.0573, dividend=0.0131)  # what its quotes imply
    got = exposures(book, surface=fit_surface(book))
    listed = book.contracts["gamma"].to_numpy()
    near = book.is_live & (book.contracts["delta"].abs().between(0.1, 0.9)) & (listed > 0.0005)
    near &= book.tau_years > 3 / 365  # later the exchange uses another clock
    assert_allclose(np.median(got.gamma[near] / listed[near]), 1.0, atol=0.01)
    gross = (listed * book.open_interest)[near].sum()
    assert_allclose((got.gamma * book.open_interest)[near].sum(), gross, rtol=0.01)


def test_what_nobody_holds_adds_nothing_even_where_its_greeks_are_unknown():
    # the first strike is too far from spot for a gamma
    got = exposures(chain([1e-306, 90.0, 110.0], iv=0.2, puts=[0.0, 1.0, 1.0]), surface={})
    assert np.isnan(got.gamma[0])
    assert got.by_strike["gex"][0] == 0.0
    assert np.isfinite(got.by_expiry.to_numpy()).all()
    assert got.gex == pytest.approx(got.by_strike["gex"][1] + got.by_strike["gex"][2], rel=1e-15)
    assert any("own quotes 0.0 %" in flag for flag in got.flags)
