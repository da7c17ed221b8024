from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hpi_bt.options import OptionChain, forwards, implied_carry
from options.books import FRIDAY, cboe, chain, quoted

STRIKES = np.arange(80.0, 121.0, 2.0)
LONG = "2024-09-20"


def flat(y):
    return np.full_like(y, 0.2)


def only(found):
    ((_, forward),) = found.items()
    return forward


def pair(call, put, strike=100.0, **fields) -> OptionChain:
    """One strike; call and put are (bid, ask)."""
    blank = chain([strike], **fields)
    bid, ask = zip(call, put, strict=True)
    return OptionChain(blank.contracts.assign(bid=bid, ask=ask), 100.0, blank.as_of, **fields)


def test_worked_example_of_one_pair():
    # call - put = 3.5 - 2 = F - 100 without a rate
    got = only(forwards(pair((3.4, 3.6), (1.9, 2.1))))
    assert_allclose(got[:2], [101.5, 1.0], rtol=1e-15)
    assert (got.n_pairs, got.flag) == (1, "")


def test_without_a_pair_the_forward_is_carried_and_flagged():
    blank = chain([100.0], rate=0.05, dividend=0.02)
    got = only(forwards(blank))
    tau = blank.tau_years[0]
    assert_allclose(got.forward, 100.0 * math.exp(0.03 * tau), rtol=1e-15)
    assert_allclose(got.discount, math.exp(-0.05 * tau), rtol=1e-15)
    assert got.n_pairs == 0
    assert "carried" in got.flag


@pytest.mark.parametrize("call", [(0.0, 3.6), (3.6, 3.4), (np.nan, 3.6)])
def test_a_quote_without_a_bid_or_crossed_makes_no_pair(call):
    assert only(forwards(pair(call, (1.9, 2.1)))).n_pairs == 0


@settings(deadline=None, max_examples=60)
@given(
    rate=st.floats(-0.01, 0.1),
    dividend=st.floats(-0.01, 0.1),
    expiry=st.sampled_from(["2023-09-11", FRIDAY, "2023-12-15", LONG]),
)
def test_exact_quotes_give_the_exact_forward(rate, dividend, expiry):
    book = quoted(STRIKES, flat, expiry=expiry, rate=rate, dividend=dividend)
    got = only(forwards(book))
    tau = book.tau_years[0]
    assert_allclose(got.forward, 100.0 * math.exp((rate - dividend) * tau), rtol=1e-10)
    assert_allclose(got.discount, math.exp(-rate * tau), rtol=1e-10)


def test_a_rate_that_the_quotes_contradict_is_replaced_and_flagged():
    book = quoted(STRIKES, flat, expiry=LONG, rate=0.05, told_rate=0.0, half_spread=0.02)
    got = only(forwards(book))
    tau = book.tau_years[0]
    assert_allclose(-math.log(got.discount) / tau, 0.05, atol=1e-9)
    assert_allclose(got.forward, 100.0 * math.exp(0.05 * tau), rtol=1e-9)
    assert "imply a rate of 5.00 %, not 0.00 %" in got.flag


def test_quotes_too_wide_to_tell_leave_the_rate_alone():
    dense = np.arange(90.0, 110.0, 0.5)
    wide = quoted(dense, flat, expiry=FRIDAY, rate=0.05, told_rate=0.0, half_spread=0.05)
    got = only(forwards(wide))
    assert got.n_pairs > 10
    assert (got.discount, got.flag) == (1.0, "")
    tight = quoted(dense, flat, expiry=FRIDAY, rate=0.05, told_rate=0.0, half_spread=1e-3)
    assert only(forwards(tight)).discount < 1.0


def test_one_quote_gone_mad_changes_nothing():
    book = quoted(STRIKES, flat, half_spread=0.02)
    clean = only(forwards(book))
    frame = book.contracts.copy()
    at_the_money = (frame["strike"] == 100.0) & (frame["right"] > 0)
    frame.loc[at_the_money, ["bid", "ask"]] += 5.0
    got = only(forwards(OptionChain(frame, 100.0, book.as_of)))
    assert_allclose(got.forward, clean.forward, rtol=1e-9)
    assert got.n_pairs == clean.n_pairs - 1


def test_a_forward_far_from_spot_is_flagged():
    got = only(forwards(quoted(STRIKES, flat).with_(spot=90.0)))
    assert "The forward is +11.1 % from spot." in got.flag


def test_expired_contracts_have_no_forward():
    both = OptionChain(
        chain([100.0]).contracts.assign(expiry=["2023-09-08", FRIDAY]), 100.0, chain([1]).as_of
    )
    assert [f"{moment:%Y-%m-%d}" for moment in forwards(both)] == [FRIDAY]


def carried(told: dict) -> OptionChain:
    """Four expiries under a rate of 4 % and a yield of 1.5 %."""
    dates = ("2023-10-20", "2023-12-15", "2024-03-15", LONG)
    books = [
        quoted(STRIKES, flat, expiry=day, rate=0.04, dividend=0.015, half_spread=0.01)
        for day in dates
    ]
    frame = pd.concat([book.contracts for book in books])
    return OptionChain(frame, 100.0, books[0].as_of, **told)


def test_the_carry_is_found_in_the_quotes():
    got = implied_carry(carried({}))
    assert_allclose(got[:2], [0.04, 0.015], atol=1e-6)
    assert got.note == "Rate 4.00 % from quoted parity, yield 1.50 % from the forwards."


def test_a_spot_of_another_moment_does_not_disturb_the_carry():
    assert_allclose(implied_carry(carried({}).with_(spot=98.0))[:2], [0.04, 0.015], atol=1e-6)


def test_a_right_rate_stands():
    got = implied_carry(carried({"rate": 0.04, "dividend": 0.0}))
    assert got.rate == 0.04
    assert_allclose(got.dividend, 0.015, atol=1e-6)
    assert "the chain, quoted parity agreeing" in got.note


def test_two_expiries_tell_the_carry_by_spot():
    both = carried({"rate": 0.03}).select(expiry=["2023-10-20", "2024-03-15"])
    got = implied_carry(both)
    assert got.rate == 0.03  # the nearer one does not contradict it
    assert_allclose(got.rate - got.dividend, 0.04 - 0.015, atol=1e-4)
    assert "resting on spot" in got.note
    moved = implied_carry(both.with_(spot=95.0))  # no yield explains that
    assert moved.dividend == 0.0
    assert ", assumed: " in moved.note


@pytest.mark.real_data
def test_real_index_quotes_imply_the_rate_of_their_day(real_data):
    # SOFR was 5.30 % on 2023-09-14, the index's yield about 1.5 %
    book = cboe(real_data, "spx_quotedata_2023-09-14.csv", "2023-09-14 16:31-04:00", "SPX")
    got = implied_carry(book)
    assert_allclose(got.rate, 0.055, atol=0.004)
    assert_allclose(got.dividend, 0.015, atol=0.004)


@pytest.mark.real_data
def test_real_forwards_rise_smoothly_with_time(real_data):
    book = cboe(real_data, "spx_quotedata_2023-09-14.csv", "2023-09-14 16:31-04:00", "SPX")
    found = forwards(book)
    level = np.array([one.forward for one in found.values()])
    tau = np.array([(moment - book.as_of).total_seconds() for moment in found]) / (365 * 86400)
    slope, intercept = np.polyfit(tau[tau < 0.5], np.log(level[tau < 0.5]), 1)
    off = np.log(level[tau < 0.5]) - intercept - slope * tau[tau < 0.5]
    assert np.abs(off).max() < 6e-4  # the worst of 45 expiries, 3 index points
    assert min(one.n_pairs for one in found.values()) >= 9
