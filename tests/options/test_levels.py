from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize, stats

from hpi_bt.errors import InputError
from hpi_bt.options import (
    OptionChain,
    call_wall,
    expected_move,
    exposures,
    greeks,
    max_pain,
    price_levels,
    put_wall,
    zero_gamma,
    zero_gamma_strike_sum,
)
from hpi_bt.options.strikes import heaviest, least_paid, zero_of_sum
from options.books import AS_OF, FRIDAY, cboe, chain, quoted

FLOE = "dealers_short_calls_long_puts"
STRIKES = np.arange(80.0, 121.0, 5.0)
LONG = "2023-12-15"
counts = st.lists(st.integers(0, 10_000), min_size=9, max_size=9).map(np.array)
steady = settings(deadline=None, max_examples=40)


def calls_over_puts(calls, puts, **fields) -> OptionChain:
    """Calls at 110, which dealers are long, puts at 90, which they are short."""
    return chain([90.0, 110.0], calls=[0, calls], puts=[puts, 0], **fields)


# -- zero gamma -----------------------------------------------------------------------------------


def closed_form(book: OptionChain, calls: float, puts: float) -> float:
    """Where c phi(d1(110)) = p phi(d1(90)): equal vols and times make ln S linear in ln(c/p)."""
    variance = 0.04 * book.tau_years[0]
    drift = (book.rate - book.dividend) * book.tau_years[0] + 0.5 * variance
    middle = 0.5 * (math.log(90.0) + math.log(110.0)) - drift
    return math.exp(middle - variance * math.log(calls / puts) / math.log(110.0 / 90.0))


@steady
@example(calls=1, puts=2446, rate=0.0, expiry=LONG)
@given(
    st.integers(1, 10_000),
    st.integers(1, 10_000),
    st.sampled_from([0.0, 0.05, -0.02]),
    st.sampled_from(["2023-09-11", FRIDAY, LONG]),
)
def test_two_strikes_cross_where_the_closed_form_says(calls, puts, rate, expiry):
    book = calls_over_puts(calls, puts, rate=rate, expiry=expiry, spot=99.0)
    got, want = zero_gamma(book), closed_form(book, calls, puts)
    if abs(want / 99.0 - 1.0) < 0.5:
        assert_allclose(got.price, want, rtol=1e-12)
    else:
        assert np.isnan(got.price)
        assert got.note.startswith("none within 50 % of spot")


def test_zero_gamma_minutes_before_expiry_lies_where_every_gamma_underflows():
    close = pd.Timestamp(f"{FRIDAY} 16:00", tz="America/New_York")
    book = calls_over_puts(1, 1, as_of=close - pd.Timedelta(minutes=1), spot=109.9)
    got = zero_gamma(book)
    assert_allclose(got.price, closed_form(book, 1, 1), rtol=1e-12)
    assert got.note == "hardly any gamma is left there."


def test_zero_gamma_against_brent_on_the_repriced_book():
    rng = np.random.default_rng(5)
    frame = pd.concat(
        [
            chain(STRIKES, calls=rng.integers(0, 99, 9) + STRIKES, expiry=day).contracts
            for day in (FRIDAY, LONG)
        ]
    )
    frame.loc[frame["right"] < 0, "open_interest"] = (
        rng.integers(0, 99, 18) + 200 - np.tile(STRIKES, 2)
    )
    book = OptionChain(frame, 104.0, AS_OF, rate=0.03, dividend=0.01)
    exposed = exposures(book)

    def gamma(spot):
        one = greeks(
            spot, book.strike, book.tau_years, exposed.sigma, book.right, rate=0.03, dividend=0.01
        )
        return one.gamma @ exposed.positions

    grid = np.linspace(60, 160, 4001)
    values = np.array([gamma(spot) for spot in grid])
    turns = np.flatnonzero(values[:-1] * values[1:] < 0)
    roots = [optimize.brentq(gamma, grid[i], grid[i + 1], xtol=1e-12) for i in turns]
    nearest = min(roots, key=lambda root: abs(root - 104.0))
    assert_allclose(zero_gamma(book).price, nearest, rtol=1e-11)


@steady
@given(counts, counts)
def test_the_crossing_is_a_zero_and_the_convention_does_not_move_it(calls, puts):
    book = chain(STRIKES, calls=calls, puts=puts, spot=101.0)
    got = zero_gamma(book)
    assert_array_equal(zero_gamma(book, positioning=FLOE).price, got.price)
    if math.isnan(got.price):
        assert got.note
        return
    exposed = exposures(book.with_(spot=got.price), surface={})
    gross = 100.0 * (exposed.gamma * (np.append(calls, puts))).sum()
    assert abs(exposed.gamma_shares) <= 1e-9 * gross


def test_two_crossings_give_the_one_nearer_to_spot():
    book = chain([80.0, 100.0, 120.0], calls=[1, 0, 1], puts=[0, 1, 0], spot=104.0, iv=0.1)
    above = zero_gamma(book).price
    below = zero_gamma(book.with_(spot=96.0)).price
    assert 104 < above < 115
    assert 85 < below < 96
    middle = 0.5 * (above + below)  # both within one step of the search
    assert_allclose(zero_gamma(book.with_(spot=middle + 1e-4)).price, above, rtol=1e-12)
    assert_allclose(zero_gamma(book.with_(spot=middle - 1e-4)).price, below, rtol=1e-12)


def test_a_spot_on_the_crossing_is_the_crossing():
    book = calls_over_puts(1, 1)
    there = closed_form(book, 1, 1)
    assert_allclose(zero_gamma(book.with_(spot=there)).price, there, rtol=1e-12)


@pytest.mark.parametrize(
    ("book", "note"),
    [
        (chain(STRIKES, calls=5), "none within 50 % of spot: dealers stay long gamma."),
        (chain(STRIKES, puts=5), "none within 50 % of spot: dealers stay short gamma."),
        (chain(STRIKES, calls=5, puts=5), "none within 50 % of spot: dealers stay without gamma."),
        (chain(STRIKES), "dealers hold nothing that has a vol, so there is no zero gamma."),
        (calls_over_puts(1, 1, spot=10.0), "none within 50 % of spot: dealers stay short gamma."),
    ],
    ids=["calls alone", "puts alone", "cancelling", "nothing open", "spot far away"],
)
def test_without_a_crossing_it_is_nan_and_says_why(book, note):
    assert_array_equal(zero_gamma(book), (np.nan, note))


def test_the_range_bounds_the_search_and_is_checked():
    book = calls_over_puts(1, 1, spot=110.0)
    assert math.isnan(zero_gamma(book, range_pct=5).price)
    assert_allclose(zero_gamma(book, range_pct=15).price, closed_form(book, 1, 1), rtol=1e-12)
    for wrong in (0.0, 100.0, np.nan):
        with pytest.raises(InputError, match=r"range_pct: .*between 0 and 100"):
            zero_gamma(book, range_pct=wrong)


# -- the zero of the strike sum -------------------------------------------------------------------


def test_worked_example_of_the_strike_sum():
    # sums -2, -3, 1: from 95 to 100 it rises by 4, three quarters of it to reach 0
    assert zero_of_sum(np.array([90.0, 95.0, 100.0]), np.array([-2.0, -1.0, 4.0]), 90.0) == (
        98.75,
        True,
    )
    # sums 1, 0, -1: the sum is 0 from 95 on
    assert zero_of_sum(np.array([90.0, 95.0, 100.0]), np.array([1.0, -1.0, -1.0]), 90.0) == (
        95.0,
        True,
    )
    # sums 1, -1, 1: zeros at 92.5 and 97.5
    assert zero_of_sum(np.array([90.0, 95.0, 100.0]), np.array([1.0, -2.0, 2.0]), 99.0) == (
        97.5,
        True,
    )


def test_faint_and_far_turns_of_the_strike_sum_are_noise():
    strikes = np.array([40.0, 50.0, 60.0, 70.0])
    # sums -0.0001, 0.0001, 1, 1.5: the turn at 45 is in the faint wing
    faint = np.array([-0.0001, 0.0002, 0.9999, 0.5])
    assert_array_equal(zero_of_sum(strikes, faint, 45.0), (np.nan, True))
    # sums -1, -0.0001, 0.0001, 1: the same turn, at 55, on the way from one side to the other
    kept = np.array([-1.0, 0.9999, 0.0002, 0.9999])
    assert_allclose(zero_of_sum(strikes, kept, 45.0)[0], 55.0, rtol=1e-12)
    assert_allclose(zero_of_sum(strikes, kept, 109.0, 0.5)[0], 55.0, rtol=1e-12)
    assert_array_equal(zero_of_sum(strikes, kept, 111.0, 0.5), (np.nan, True))


@given(
    st.lists(st.sampled_from([-1.0, -1e-5, -1e-3, 0.0, 1e-5, 1e-3, 1.0]), min_size=1, max_size=12)
)
def test_a_zero_of_the_strike_sum_lies_between_large_sums_of_opposite_sign(values):
    strikes, total = np.arange(len(values), dtype=float), np.cumsum(values)
    size = np.abs(total)
    large = [k for k in range(len(values)) if size[k] > 0 and size[k] >= 1e-3 * size.max()]
    turns = [(a, b) for a, b in itertools.pairwise(large) if total[a] * total[b] < 0.0]
    price, crosses = zero_of_sum(strikes, np.array(values), 3.2)
    assert np.isfinite(price) == bool(turns)
    assert crosses or not turns
    assert not turns or any(a <= price <= b for a, b in turns)


def test_a_strike_sum_without_a_lasting_turn_says_so():
    book = chain([10.0, 90.0, 100.0, 110.0], calls=[0, 5, 5, 5], puts=[1, 0, 0, 0], iv=1.0)
    price, note = zero_gamma_strike_sum(book)
    assert math.isnan(price)
    assert note == ("none, the sum turns only where it is next to nothing or over 50 % from spot.")


def test_the_strike_sum_is_of_todays_gamma_over_all_expiries():
    book = calls_over_puts(2, 1)
    by_strike = exposures(book).by_strike.set_index("strike")["gamma_shares"]
    share = -by_strike[90.0] / by_strike[110.0]
    got = zero_gamma_strike_sum(book)
    assert_allclose(got.price, 90 + 20 * share, rtol=1e-12)
    assert_array_equal(zero_gamma_strike_sum(book, positioning=FLOE).price, got.price)


def test_a_sum_of_one_sign_has_no_zero_and_says_so():
    assert_array_equal(
        zero_gamma_strike_sum(chain(STRIKES, calls=5)),
        (np.nan, "none, the sum keeps its sign."),
    )
    assert math.isnan(zero_gamma_strike_sum(chain(STRIKES)).price)


# -- walls and max pain ---------------------------------------------------------------------------


def test_worked_example_of_walls():
    # gamma is largest at the money, so 100 wins until the wing holds far more
    book = chain([95.0, 100.0, 105.0], calls=[0, 10, 11], puts=[1000, 10, 0])
    assert (call_wall(book).price, put_wall(book).price) == (100.0, 95.0)
    per_share = exposures(book).gamma[:3]
    needed = math.ceil(10 * per_share[1] / per_share[2])
    assert call_wall(book.with_(open_interest=[0, 10, needed, 1, 1, 1])).price == 105.0


def test_walls_sum_over_expiries_and_stand_for_each_alone():
    frames = [
        chain([95.0, 100.0, 105.0], calls=held, expiry=day).contracts
        for held, day in (([0, 6, 5], FRIDAY), ([0, 0, 9], LONG))
    ]
    got = price_levels(OptionChain(pd.concat(frames), 100.0, AS_OF))
    assert list(got.by_expiry["call_wall"]) == [100.0, 105.0]
    assert got.by_expiry["put_wall"].isna().all()
    (told,) = [flag for flag in got.flags if "expiries" in flag]  # one line for all levels
    assert told == ("Unknown, a dash in their table: put wall, straddle in 2 of 2 expiries.")
    assert "Put wall: no puts with gamma and open interest." in got.flags


def test_levels_unknown_in_different_numbers_share_a_line_and_one_expiry_says_nothing_twice():
    frames = [
        chain([95.0, 100.0, 105.0], calls=5, puts=puts, expiry=day).contracts
        for puts, day in ((0, FRIDAY), (4, LONG))
    ]
    told = price_levels(OptionChain(pd.concat(frames), 100.0, AS_OF)).flags
    assert "Unknown, a dash in their table: put wall in 1; straddle in 2 of 2 expiries." in told
    alone = price_levels(OptionChain(frames[0], 100.0, AS_OF)).flags
    assert "Put wall: no puts with gamma and open interest." in alone
    assert not any("dash" in flag for flag in alone)


def test_equal_walls_go_to_the_strike_nearest_to_spot():
    strikes, ones = np.array([90.0, 98.0, 103.0]), np.ones(3)
    assert heaviest(strikes, ones, 100.0) == 98.0
    assert heaviest(strikes, ones, 100.5) == 98.0  # the lower of two as near
    assert math.isnan(heaviest(strikes, np.zeros(3), 100.0))


def test_walls_need_no_known_puts_or_open_interest():
    blank = chain(STRIKES, calls=np.nan, puts=np.nan)
    assert_array_equal(call_wall(blank), (np.nan, "no calls with gamma and open interest."))
    assert_array_equal(max_pain(blank), (np.nan, "no open interest is known."))


def test_worked_example_of_max_pain():
    # settling at 90, 100, 110: calls pay 0, 10 x 3, 20 x 3 + 10 x 1; puts 20 x 4 + 10 x 2, 40, 0
    book = chain([90.0, 100.0, 110.0], calls=[3, 1, 0], puts=[0, 2, 4])
    assert max_pain(book).price == 100.0  # 100, 70, 70: the nearer to spot
    assert max_pain(book.with_(spot=109.0)).price == 110.0


@steady
@given(counts, counts)
def test_max_pain_pays_no_more_than_any_other_strike(calls, puts):
    right = np.repeat([1.0, -1.0], 9)
    strike, held = np.tile(STRIKES, 2), np.append(calls, puts).astype(float)

    def paid(at):
        return (held * np.maximum(right * (at - strike), 0.0)).sum()

    got = least_paid(strike, right, held, 101.0)
    if held.any():
        assert paid(got) <= min(paid(at) for at in STRIKES) * (1 + 1e-12)
    else:
        assert math.isnan(got)


@steady
@given(counts, counts)
def test_mirroring_prices_and_rights_mirrors_max_pain(calls, puts):
    right = np.repeat([1.0, -1.0], 9)
    strike, held = np.tile(STRIKES, 2), np.append(calls, puts).astype(float)
    one = least_paid(strike, right, held, 100.1)
    other = least_paid(200.0 - strike, -right, held, 99.9)
    assert_array_equal(other, 200.0 - one)


# -- expected move --------------------------------------------------------------------------------


def test_worked_example_of_the_expected_move():
    book = quoted(STRIKES, lambda y: np.full_like(y, 0.2), spot=101.0)
    got = expected_move(book)
    root = 0.2 * math.sqrt(book.tau_years[0])
    assert_allclose(got.sigma, 101.0 * root, rtol=1e-7)
    # call + put at 100, the strike nearest to the forward of 101
    d1 = math.log(1.01) / root + 0.5 * root
    n = stats.norm.cdf
    call = 101 * n(d1) - 100 * n(d1 - root)
    assert_allclose(got.straddle, 2 * call - 1, rtol=1e-9)
    assert got.note == ""


def test_the_straddle_at_the_money_is_the_mean_absolute_move():
    book = quoted(np.arange(90.0, 111.0), lambda y: np.full_like(y, 0.2))
    got = expected_move(book)
    assert_allclose(got.straddle, got.sigma * math.sqrt(2 / math.pi), rtol=1e-3)


def test_without_quotes_the_straddle_is_unknown_and_says_so():
    got = expected_move(chain(STRIKES, calls=1))
    assert math.isnan(got.straddle)
    assert got.note == "no straddle is quoted."
    nothing = expected_move(chain(STRIKES, iv=np.nan))
    assert nothing.note == "no straddle is quoted and no smile is known."


# -- all together ---------------------------------------------------------------------------------


def test_all_levels_are_those_of_the_single_functions():
    book = chain(STRIKES, calls=np.arange(9) * 10, puts=np.arange(9)[::-1] * 9)
    got = price_levels(book)
    assert got.zero_gamma == zero_gamma(book).price
    assert got.zero_gamma_strike_sum == zero_gamma_strike_sum(book).price
    assert (got.call_wall, got.put_wall) == (call_wall(book).price, put_wall(book).price)
    assert got.max_pain == max_pain(book).price
    assert got.expected_move.sigma == expected_move(book).sigma
    assert price_levels(book, exposed=exposures(book)).zero_gamma == got.zero_gamma
    floe = price_levels(book, positioning=FLOE)
    assert floe.zero_gamma == got.zero_gamma


@pytest.mark.parametrize(
    "book",
    [
        chain(STRIKES),
        chain([100.0], calls=5),
        chain(STRIKES, calls=5).where(np.repeat([True, False], 9)),
        chain(STRIKES, calls=5, puts=3, spot=1.0),
        chain(STRIKES, calls=5, puts=3, spot=1e5),
    ],
    ids=["nothing open", "one strike", "no puts", "spot below", "spot above"],
)
def test_every_level_is_finite_or_flagged(book):
    got = price_levels(book)
    for name in ("zero_gamma", "zero_gamma_strike_sum", "call_wall", "put_wall", "max_pain"):
        missing = math.isnan(getattr(got, name))
        words = name.replace("_", " ").capitalize() + ":"
        assert missing == any(flag.startswith(words) for flag in got.flags)


@pytest.mark.real_data
def test_real_levels_are_where_the_market_was(real_data):
    book = cboe(real_data, "spx_quotedata_2023-09-14.csv", "2023-09-14 16:31-04:00", "SPX")
    got = price_levels(book.with_(rate=0.0573, dividend=0.0131))
    assert 4400 < got.zero_gamma < 4520
    assert got.call_wall in (4500.0, 4550.0, 4600.0)
    assert got.by_expiry.index.is_monotonic_increasing
    ratio = got.by_expiry["straddle"] / got.by_expiry["sigma_move"]
    assert_allclose(ratio, math.sqrt(2 / math.pi), atol=0.1)
