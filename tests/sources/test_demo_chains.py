"""Demo chains: books with known answers, and the demo market's own ladder through the day."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pydantic import ValidationError

from hpi_bt.errors import InputError
from hpi_bt.options import charm_integral, exposures, zero_gamma
from hpi_bt.sources.base import Locations
from hpi_bt.sources.demo import DemoSource, simulate
from hpi_bt.sources.demo_books import BOOKS, demo_chain
from hpi_bt.sources.demo_chains import DemoChains

# ---- known answers -------------------------------------------------------------------------


def test_at_the_money_the_answers_are_those_of_a_pocket_calculator():
    # 10 contracts of 100 at S = K = 100, vol 0.2, a quarter of a year (91.25 days): w = 0.1,
    # phi(0.05) = 0.398444, Phi(0.05) = 0.519939
    answers = demo_chain("at_the_money", days=91.25, open_interest=10).answers
    assert answers.gamma_shares == pytest.approx(1000 * 0.398444 / (100 * 0.1), rel=1e-5)
    assert answers.gex == pytest.approx(39.8444 * 100**2 * 0.01, rel=1e-5)
    assert answers.charm_shares == pytest.approx(-1000 * 0.398444 * 0.2 / (4 * 0.5), rel=1e-5)
    assert answers.drift_shares == pytest.approx(1000 * (0.5 - 0.519939), rel=1e-4)
    assert math.isnan(answers.zero_gamma)


def test_the_gammas_of_two_strikes_meet_at_their_discounted_geometric_mean():
    answers = demo_chain(sigma=0.3, days=73, rate=0.05, dividend=0.02).answers
    tau = 0.2
    expected = math.sqrt(95 * 105) * math.exp(-(0.05 - 0.02 + 0.045) * tau)
    assert answers.zero_gamma == pytest.approx(expected, rel=1e-14)


numbers = {
    "book": st.sampled_from(BOOKS),
    "spot": st.floats(5, 9000),
    "sigma": st.floats(0.05, 1.0),
    "days": st.floats(0.2, 300),
    "rate": st.floats(-0.03, 0.08),
    "dividend": st.floats(-0.02, 0.06),
    "open_interest": st.floats(1, 1e6),
    "width": st.floats(0.01, 0.1),
}


@settings(max_examples=60, deadline=None)
@given(**numbers)
def test_exposures_and_charm_are_the_known_ones(**given_):
    chain, answers = demo_chain(**given_)
    found = exposures(chain)
    size = given_["open_interest"] * 100
    gross = np.abs(found.gamma * size).sum()  # two strikes nearly cancel
    assert found.gamma_shares == pytest.approx(answers.gamma_shares, rel=1e-8, abs=1e-9 * gross)
    assert found.gex == pytest.approx(found.gamma_shares * given_["spot"] ** 2 * 0.01, rel=1e-12)
    charms = np.abs(found.charm * size).sum()
    assert found.charm_shares == pytest.approx(answers.charm_shares, rel=1e-8, abs=1e-9 * charms)
    drift = charm_integral(chain, time_step_minutes=24 * 60.0)
    assert drift.shares == pytest.approx(answers.drift_shares, rel=1e-8, abs=1e-9 * size)


@settings(max_examples=60, deadline=None)
@given(
    **{k: v for k, v in numbers.items() if k not in ("book", "width")}, width=st.floats(0.01, 0.1)
)
def test_the_zero_of_the_repriced_gamma_is_the_known_one(**given_):
    chain, answers = demo_chain("two_strikes", **given_)
    deviation = given_["sigma"] * math.sqrt(given_["days"] / 365)
    far = abs(math.log(answers.zero_gamma / given_["spot"]))
    assume(far < 0.3 and given_["width"] < 4 * deviation)  # else hardly any gamma is there
    assert zero_gamma(chain).price == pytest.approx(answers.zero_gamma, rel=1e-9)


@pytest.mark.parametrize("book", ["one_strike", "at_the_money"])
def test_one_call_has_no_zero_of_gamma(book):
    assert math.isnan(zero_gamma(demo_chain(book).chain).price)


def test_at_its_own_strike_one_call_has_the_greatest_gamma_there_is():
    chain, answers = demo_chain("one_strike", rate=0.03, dividend=0.01)
    for strike in chain.strike[0] * np.array([0.99, 1.01]):
        moved = type(chain)(chain.contracts.assign(strike=strike), chain.spot, chain.as_of,
                            rate=0.03, dividend=0.01)  # fmt: skip
        assert exposures(moved).gex < answers.gex


def test_every_demo_chain_says_so():
    for book in BOOKS:
        assert any(note.startswith("DEMO") for note in demo_chain(book).chain.notes)


def test_a_book_that_there_is_not_and_numbers_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="no book 'three'; give one of two_strikes"):
        demo_chain("three")
    for name in ("spot", "sigma", "days", "open_interest"):
        with pytest.raises(InputError, match=f"{name} is 0; give a number above 0"):
            demo_chain(**{name: 0})
    with pytest.raises(InputError, match="width is 1; give a number between 0 and 1"):
        demo_chain(width=1)


# ---- the market's ladder -------------------------------------------------------------------

SMALL = {"sessions": 3, "bar": "5min", "seed": 4}


def opened(**more):
    return DemoChains(**(SMALL | more)).open(Locations(), "XNYS")


def test_snapshots_come_every_quarter_of_an_hour_until_their_ladder_expires():
    times = opened().times
    assert len(times) == 3 * 25  # 09:45 to 15:45: at 16:00 all have expired
    assert [f"{t:%H:%M}" for t in times[[0, 1, 24]]] == ["09:45", "10:00", "15:45"]
    assert str(times.tz) == "America/New_York"
    later = opened(expiry_days=7, snapshot_minutes=30).times
    assert len(later) == 3 * 13
    assert f"{later[12]:%H:%M}" == "16:00"


def test_a_chain_is_the_market_of_its_moment():
    snapshots, market = opened(expiry_days=3), simulate(DemoSource(**SMALL))
    place = 26 + 7  # the second session, 11:30; 2024-01-03 expires on Saturday's Friday
    chain, at = snapshots.chain_at(place), snapshots.times[place]
    assert chain.as_of == at == pd.Timestamp("2024-01-03 11:30", tz="America/New_York")
    assert chain.spot == market.frame.loc[at, "close"]
    assert list(chain.expiries) == [pd.Timestamp("2024-01-05 16:00", tz="America/New_York")]
    today = market.frame[market.frame.index.date == at.date()]
    for right, name in ((1.0, "call"), (-1.0, "put")):
        own = chain.right == right
        assert chain.volume[own].sum() == today.loc[:at, f"{name}_volume"].sum()
        assert chain.open_interest[own].sum() == today[f"{name}_oi"].iloc[0]


def test_vols_are_the_smile_asked_for_and_prices_are_of_these_vols():
    chain = opened(vol=0.3, skew=-0.5, smile=2.0).chain_at(0)
    y = np.log(chain.strike / chain.spot)
    assert_allclose(chain.iv, np.maximum(0.3 - 0.5 * y + y * y, 0.01), rtol=1e-12)
    calls = chain.right > 0
    last, intrinsic = chain.optional("last"), np.maximum(chain.spot - chain.strike, 0)
    assert (last[calls] >= intrinsic[calls] - 1e-9).all()
    parity = pd.Series(last[calls], chain.strike[calls]) - pd.Series(
        last[~calls], chain.strike[~calls]
    )
    parity = parity.dropna()
    assert_allclose(parity, chain.spot - parity.index.to_numpy(), atol=1e-9)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([None, 1.5]))
def test_volume_only_grows_through_a_session_and_sums_to_the_bars(seed, near):
    settings_ = {"sessions": 1, "bar": "30min", "seed": seed, "near_money_pct": near}
    snapshots = DemoChains(**settings_, snapshot_minutes=30, expiry_days=1).open(None, "XNYS")
    frame = simulate(DemoSource(**settings_)).frame
    before = None
    for place in range(len(snapshots.times)):
        chain = snapshots.chain_at(place)
        now = pd.Series(chain.volume, [chain.strike, chain.right])
        if before is not None:
            assert (now.reindex(before.index).to_numpy() >= before.to_numpy()).all()
        so_far = frame[["put_volume", "call_volume"]].iloc[: place + 1].to_numpy().sum()
        assert now.sum() == so_far
        before = now


def test_the_future_changes_no_chain():
    short, long = opened(), opened(sessions=9)
    for place in (0, 30, 74):
        one, other = short.chain_at(place), long.chain_at(place)
        pd.testing.assert_frame_equal(one.contracts, other.contracts)
    assert_array_equal(short.times, long.times[:75])


def test_all_contracts_at_once_are_those_of_the_chains():
    snapshots = opened(expiry_days=2, near_money_pct=2.0)
    rows, spot = snapshots.contracts()
    edges = np.searchsorted(rows.moment, snapshots.times.as_unit("ns").asi8)
    for place in (0, 40, 77):
        own = slice(edges[place], [*edges, len(spot)][place + 1])
        chain = snapshots.chain_at(place)
        assert_array_equal(rows.strike[own], chain.strike)
        assert_array_equal(rows.volume[own], chain.volume)
        assert_array_equal(rows.last[own], chain.optional("last"))
        assert (spot[own] == chain.spot).all()


def test_snapshots_pickle_say_demo_and_have_a_fingerprint_of_their_settings():
    snapshots = opened()
    copy = pickle.loads(pickle.dumps(snapshots))
    pd.testing.assert_frame_equal(copy.chain_at(3).contracts, snapshots.chain_at(3).contracts)
    assert snapshots.notes[0].startswith("DEMO")
    assert "simulated" in snapshots.demo
    assert copy.fingerprint == snapshots.fingerprint != opened(vol=0.21).fingerprint


def test_moments_that_there_cannot_be_are_refused():
    with pytest.raises(ValidationError, match="1day has no moments within a session"):
        DemoChains(bar="1day")
    with pytest.raises(InputError, match="no bar of 60min closes on a snapshot every 45"):
        _ = opened(bar="60min", snapshot_minutes=45.5).times
