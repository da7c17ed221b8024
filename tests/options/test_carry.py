"""The rate and yield of a chain: by hand, against what priced it, and what is said of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hpi_bt.chains import chain_report
from hpi_bt.options.carry import carry_of, implied_carry
from hpi_bt.options.parity import forwards
from small_chains import contracts, in_memory

MONTHS = ("2024-03-14", "2024-09-12")  # 182 and 364 days ahead
WIDE = np.arange(70.0, 131.0)


def chain_of(expiries, *, rate, dividend, spot=100.0):
    return in_memory(contracts(WIDE, expiries, rate=rate, dividend=dividend), spot=spot)


@pytest.mark.parametrize("expiries", [MONTHS[:1], MONTHS])
def test_one_or_two_expiries_tell_rate_and_yield_and_it_is_said_that_they_rest_on_spot(expiries):
    chain = chain_of(expiries, rate=0.04, dividend=0.01)
    found = carry_of(chain)
    assert_allclose([found.rate, found.dividend], [0.04, 0.01], atol=2e-3)
    few = "a single expiry" if len(expiries) == 1 else "2 expiries"
    assert f"from the forwards of {few}, resting on spot" in found.note
    told = chain_report(chain_of(expiries, rate=0.04, dividend=0.01))
    known = chain_report(chain_of(expiries, rate=0.04, dividend=0.01), rate=0.04, dividend=0.01)
    gex = [report.flow.exposures.gex for report in (told, known)]
    assert_allclose(*gex, rtol=0.02)


def test_by_hand():
    # F = 101.5 and 103 half a year and a year ahead of a spot of 100
    chain = chain_of(MONTHS, rate=0.04, dividend=0.01)
    ahead = forwards(chain)
    years = [(when - chain.as_of).total_seconds() / (365 * 86_400) for when in ahead]
    pairs = zip(ahead.values(), years, strict=True)
    held = np.median([np.log(f.forward / 100.0) / t for f, t in pairs])
    found = carry_of(chain)
    assert_allclose(found.rate - found.dividend, held, rtol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 0.1), st.floats(0.0, 0.04))
def test_what_priced_the_quotes_comes_back_from_three_expiries_whatever_spot_is(rate, dividend):
    dates = ("2023-12-14", *MONTHS)
    found = carry_of(chain_of(dates, rate=rate, dividend=dividend))
    assert_allclose([found.rate, found.dividend], [rate, dividend], atol=2e-3)
    moved = carry_of(chain_of(dates, rate=rate, dividend=dividend, spot=101.0))
    assert_allclose([moved.rate, moved.dividend], [found.rate, found.dividend], atol=1e-9)


def test_spot_that_one_expiry_contradicts_makes_no_yield_and_is_flagged():
    report = chain_report(chain_of(("2023-10-20",), rate=0.04, dividend=0.0, spot=98.0))
    assert report.carry.dividend == 0.0
    assert "assumed: the forwards of a single expiry would make it -" in report.carry.note
    assert any("imply a spot of" in flag for flag in report.flags)


def test_what_is_assumed_is_said_with_its_numbers():
    chain = chain_of(("2023-09-14",), rate=0.05, dividend=0.0)
    assert carry_of(chain).note == (
        "Rate 0.00 %, yield 0.00 %, assumed: no expiry between a week and two years away has "
        "quotes of calls and puts."
    )
    given_rate = carry_of(chain, rate=0.05)
    assert (given_rate.rate, given_rate.dividend) == (0.05, 0.0)
    assert given_rate.note.startswith("Rate 5.00 % as given, yield 0.00 %, assumed: no expiry")
    given_yield = carry_of(chain, dividend=0.02)
    assert (given_yield.rate, given_yield.dividend) == (0.0, 0.02)
    assert given_yield.note.startswith("Rate 0.00 %, assumed: no expiry")
    assert carry_of(chain, 0.05, 0.02).note == "Rate 5.00 % and yield 2.00 %, as given."
    assert implied_carry(chain).note == carry_of(chain).note
