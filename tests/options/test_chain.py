from __future__ import annotations

import dataclasses
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.errors import InputError
from hpi_bt.options import OptionChain
from options.books import AS_OF, FRIDAY, chain


def frame(**columns) -> pd.DataFrame:
    base = {"expiry": FRIDAY, "strike": [90.0, 110.0], "right": ["P", "C"], "open_interest": 1.0}
    return pd.DataFrame(base | columns)


def made(**columns) -> OptionChain:
    return OptionChain(frame(**columns), 100.0, AS_OF)


def test_worked_example():
    got = made(bid=[1.0, 0.0], ask=[1.5, 0.1], iv=[0.2, 0.0], volume=[5, np.nan])
    assert_array_equal(got.strike, [90, 110])
    assert_array_equal(got.right, [-1, 1])
    # noon of the 11th to 16:00 of the 22nd: 11 days and 240 minutes
    assert_array_equal(got.tau_years, np.full(2, (11 * 1440 + 240) / (365 * 1440)))
    assert_array_equal(got.mid, [1.25, np.nan])  # no bid, no middle
    assert_array_equal(got.iv, [0.2, np.nan])  # 0 is none
    assert_array_equal(got.volume, [5, np.nan])
    assert got.notes == ("1 contracts have an implied vol of 0, which is none.",)
    assert list(got.expiries) == [pd.Timestamp(f"{FRIDAY} 16:00", tz="America/New_York")]


def test_absent_columns_are_nan_and_named():
    got = made()
    assert np.isnan(got.bid).all()
    assert got.notes == ("Not in the chain, hence unknown: bid, ask, iv, volume.",)
    assert got.dealer_position is None
    assert got.trade_flow is None
    assert got.open_interest_live is None


@pytest.mark.parametrize("right", [["C", "P"], ["call", "Put"], [1, -1], [1.0, -1.0], ["1", "-1"]])
def test_rights_as_files_have_them(right):
    assert_array_equal(made(right=right).right, [1, -1])


@pytest.mark.parametrize(
    "expiry",
    [
        date(2023, 9, 22),
        "20230922",
        pd.Timestamp("2023-09-22"),
        np.datetime64("2023-09-22"),
        pd.Timestamp("2023-09-22 20:00", tz="UTC"),
        "2023-09-22T16:00:00-04:00",
    ],
)
def test_dates_and_moments_are_the_same_expiry(expiry):
    assert made(expiry=[expiry, expiry]).expiries[0] == pd.Timestamp("2023-09-22 20:00", tz="UTC")


def test_dates_and_moments_may_stand_side_by_side():
    got = made(expiry=["2023-09-22", pd.Timestamp("2023-09-22 09:30", tz="America/New_York")])
    assert [moment.hour for moment in got.expiry] == [16, 9]
    assert_array_equal(got.expiry_code, [1, 0])


def test_both_roots_of_a_third_friday_are_different_contracts():
    both = frame(expiry="2023-09-15", strike=[100.0, 100.0], right="C", root=["SPX", "SPXW"])
    assert [m.hour for m in OptionChain(both, 100.0, AS_OF, symbol="SPX").expiries] == [9, 16]
    with pytest.raises(InputError, match=r"listed twice, such as 2023-09-15 09:30 100 C; merge"):
        OptionChain(both.drop(columns="root"), 100.0, AS_OF, symbol="SPX")


def test_the_frame_given_is_not_touched_and_the_arrays_are_read_only():
    given_ = frame()
    before = given_.copy()
    got = OptionChain(given_, 100.0, AS_OF)
    pd.testing.assert_frame_equal(given_, before)
    with pytest.raises(ValueError, match="read-only"):
        got.strike[0] = 1.0


def test_expired_contracts_stay_until_live_and_are_counted():
    got = made(expiry=["2023-09-08", FRIDAY])
    assert_array_equal(got.is_live, [False, True])
    assert got.tau_years[0] < 0
    live = got.live()
    assert len(live) == 1
    assert live.notes[-1] == "1 expired contract is left out."
    assert live.live() is live


def test_a_contract_expires_at_its_minute():
    at_the_close = pd.Timestamp(f"{FRIDAY} 16:00", tz="America/New_York")
    minute = pd.Timedelta(minutes=1)
    assert made().with_(as_of=at_the_close - minute).tau_years[0] == 1 / (365 * 1440)
    with pytest.raises(InputError, match="all 2 have expired"):
        made().with_(as_of=at_the_close)


def test_selecting_expiries():
    got = made(expiry=["2023-09-11", FRIDAY])
    assert_array_equal(got.select(expiry="0dte").strike, [90])
    assert_array_equal(got.select(expiry=FRIDAY).strike, [110])
    assert_array_equal(got.select(expiry=date(2023, 9, 22)).strike, [110])
    assert_array_equal(got.select(expiry=got.expiries[0]).strike, [90])
    assert len(got.select(expiry=["2023-09-11", FRIDAY])) == 2
    assert got.select(expiry="all") is got


def test_0dte_goes_by_the_exchanges_date_not_by_that_of_as_of():
    # 22:00 in Tokyo is 09:00 of the same day in New York; 03:00 is still the day before there
    evening = pd.Timestamp("2023-09-12 03:00", tz="Asia/Tokyo")
    got = OptionChain(frame(expiry=["2023-09-11", "2023-09-12"]), 100.0, evening)
    assert_array_equal(got.select(expiry="0dte").strike, [90])


def test_another_spot_moment_or_column():
    got = made()
    moved = got.with_(spot=90.0, as_of=AS_OF + pd.Timedelta(days=1), rate=0.05)
    assert (moved.spot, moved.rate, got.spot) == (90.0, 0.05, 100.0)
    assert moved.tau_years[0] == pytest.approx(got.tau_years[0] - 1 / 365)
    assert_array_equal(got.with_(open_interest=[3, 4]).open_interest, [3, 4])
    assert_array_equal(got.with_(trade_flow=[-3, 4]).trade_flow, [-3, 4])
    assert dataclasses.replace(got, spot=95.0).spot == 95.0
    with pytest.raises(InputError, match="open_interest -1"):
        got.with_(open_interest=-1)


def test_the_repr_says_what_it_is():
    assert repr(made()).startswith("OptionChain(no symbol, 2 contracts, 0 expired, 1 expiries")


@settings(deadline=None, max_examples=40)
@given(st.permutations(range(6)))
def test_arrays_follow_the_order_of_the_rows(order):
    whole = chain([90, 100, 110], calls=[1, 2, 3], puts=[4, 5, 6])
    shuffled = OptionChain(whole.contracts.iloc[list(order)], 100.0, AS_OF)
    assert_array_equal(shuffled.open_interest, whole.open_interest[list(order)])
    assert_array_equal(shuffled.right, whole.right[list(order)])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"strike": [0.0, 110.0]}, "strike 0.0 in row 0; it must be a number above 0"),
        ({"strike": [90.0, -110.0]}, "strike -110.0 in row 1"),
        ({"strike": ["x", "y"]}, "mend or drop 2 such rows"),
        ({"right": ["P", "X"]}, "right 'X' in row 1; give 'C' or 'P'"),
        ({"right": ["P", None]}, "right None in row 1|right nan in row 1"),
        ({"bid": [-1.0, 1.0]}, "bid -1.0 in row 0 .strike 90.0.; it must be 0 or more"),
        ({"ask": [1.0, "n/a"]}, "ask n/a in row 1 .strike 110.0.; it must be a finite number"),
        ({"volume": [np.inf, 1.0]}, "volume inf in row 0"),
        ({"open_interest": [1, -2]}, "open_interest -2 in row 1"),
        ({"iv": [18.5, 21.0]}, "looks like percent"),
        ({"expiry": ["soon", FRIDAY]}, "expiry 'soon' is no date"),
        ({"expiry": [20230922, 20230922]}, "expiry 20230922 is no date"),
        ({"expiry": [None, FRIDAY]}, "no expiry in row 0"),
        ({"expiry": "2023-09-22 16:00"}, "has a time but no time zone"),
        ({"strike": [90.0, 90.0], "right": "C"}, "1 listed twice, such as 2023-09-22 16:00 90 C"),
        ({"expiry": "2023-09-08"}, "all 2 have expired by .*; give the moment of the quotes"),
    ],
)
def test_wrong_contracts_are_refused(columns, message):
    with pytest.raises(InputError, match=message) as refusal:
        made(**columns)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"spot": 0.0}, "spot: 0; give a number above 0"),
        ({"spot": "x"}, "spot: 'x'; give a finite number"),
        ({"spot": np.nan}, "spot: nan"),
        ({"multiplier": -1.0}, "multiplier: -1"),
        ({"rate": np.inf}, "rate: inf"),
        ({"rate": 5}, "rate: 5 is 500 % a year; give decimals such as 0.05"),
        ({"dividend": -1.0}, "dividend: -1 is -100 % a year; give decimals"),
        ({"as_of": "2023-09-11 12:00"}, "as_of: 2023-09-11 12:00 has no time zone"),
        ({"as_of": None}, "as_of: None; give the moment"),
        ({"as_of": "noon"}, "as_of: 'noon'"),
        ({"contracts": frame().drop(columns="right")}, "no column 'right' .found: expiry"),
        ({"contracts": frame().iloc[:0]}, "contracts: none"),
    ],
)
def test_wrong_fields_are_refused(fields, message):
    with pytest.raises(InputError, match=message):
        OptionChain(**({"contracts": frame(), "spot": 100.0, "as_of": AS_OF} | fields))


@pytest.mark.parametrize(
    ("expiry", "message"),
    [
        ("0dte", "no contract expires on 0dte .there are 2023-09-22."),
        ("2023-10-20", "no contract expires on 2023-10-20"),
        ("never", "'never' is no date; give '0dte', 'all'"),
    ],
)
def test_expiries_that_are_not_there_are_refused(expiry, message):
    with pytest.raises(InputError, match=message):
        made().select(expiry=expiry)


def test_after_a_split_prices_are_divided_and_contracts_multiplied():
    before = made(
        bid=[1.0, 2.0], ask=[1.5, 2.5], last=[1.2, 2.2], iv=[0.2, 0.3], volume=[5.0, 7.0],
        delta=[-0.3, 0.4], gamma=[0.02, 0.04], trade_flow=[3.0, -4.0],
    )  # fmt: skip
    after = before.after_split(2.0)
    assert (after.spot, after.multiplier) == (50.0, 100.0)
    for name, values in {
        "strike": [45, 55], "bid": [0.5, 1.0], "ask": [0.75, 1.25], "last": [0.6, 1.1],
        "iv": [0.2, 0.3], "volume": [10, 14], "open_interest": [2, 2], "delta": [-0.3, 0.4],
        "gamma": [0.04, 0.08], "trade_flow": [6, -8],
    }.items():  # fmt: skip
        assert_array_equal(after.optional(name), values)
    assert_array_equal(before.strike, [90, 110])
    assert_allclose(after.after_split(0.5).strike, before.strike)
