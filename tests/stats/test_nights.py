"""How much of what a line tells lies in the night."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.stats.forward import checked_bars
from hpi_bt.stats.nights import found_in, night_row, nights_of

law = settings(max_examples=15, deadline=None, derandomize=True, database=None)


def days(night, day):
    """Daily bars of these returns from close to open and from open to close."""
    close = 100.0 * np.cumprod((1.0 + night) * (1.0 + day))
    return checked_bars(close / (1.0 + day), close, np.arange(close.size))


def row_of(line, bars):
    cluster = np.arange(line.size) // 21
    return night_row([line], [nights_of(bars)], [cluster], daily=True)


def test_worked_example():
    opens, close = [100.0, 103.0, 99.0, 104.0, 110.0], [101.0, 102.0, 100.0, 105.0, 112.0]
    found = nights_of(checked_bars(opens, close, [1, 1, 5, 5, 9]))
    assert_array_equal(found.at, [1, 3])
    assert_allclose(found.night, [99 / 102 - 1, 110 / 105 - 1])
    assert_allclose(found.day, [105 / 99 - 1, 112 / 110 - 1])
    assert_allclose(found.both, [105 / 102 - 1, 112 / 105 - 1])


@law
@given(st.integers(0, 999), st.integers(1, 4))
def test_night_and_day_make_the_whole(seed, length):
    rng = np.random.default_rng(seed)
    n = 12 * length
    close = 100.0 * np.exp(np.cumsum(0.01 * rng.normal(size=n)))
    found = nights_of(checked_bars(close * 1.001, close, np.repeat(np.arange(12), length)))
    assert found.at.size == 11
    assert_allclose((1 + found.night) * (1 + found.day) - 1, found.both, rtol=1e-9, atol=1e-14)


def test_the_correlations_are_those_of_another_library():
    rng = np.random.default_rng(2)
    night, day, line = 0.01 * rng.normal(size=(3, 400))
    bars = days(night, day)
    row = row_of(line, bars)
    whole = (1 + night) * (1 + day) - 1
    for leg, moves in (("night", night), ("day", day), ("both", whole)):
        want = scipy.stats.spearmanr(line[:-1], moves[1:]).statistic
        # close to it: the line is ranked among the days far away
        assert row[f"{leg}_ic"] == pytest.approx(want, abs=0.02)
    assert (row["n"], row["symbols"], row["found"]) == (399, 1, "")


def told(line, share):
    """Returns of which the line, a day before, tells this much."""
    ahead = np.append(0.0, line[:-1])
    return share * ahead


@pytest.mark.parametrize(
    ("at_night", "by_day", "found"),
    [(0.01, 0.0, "night"), (0.02, -0.005, "night"), (0.0, 0.01, ""), (0.01, 0.01, ""),
     (0.01, -0.01, "opening"), (-0.005, 0.02, "opening"), (0.0, 0.0, "")],
)  # fmt: skip
def test_where_the_effect_lies_is_found(at_night, by_day, found):
    rng = np.random.default_rng(8)
    line, night, day = rng.normal(size=(3, 2100))
    bars = days(0.01 * night + told(line, at_night), 0.01 * day + told(line, by_day))
    assert row_of(line, bars)["found"] == found


def test_a_stale_opening_price_alone_is_told_from_an_effect():
    rng = np.random.default_rng(5)
    line, move, slip = rng.normal(size=(3, 2100))
    wrong = 0.003 * slip + told(line, 0.002)  # the open is off, and the line knows which way
    row = row_of(line, days(0.005 * move + wrong, -wrong / (1.0 + wrong)))
    assert row["found"] == "opening"
    assert row["night_ic"] > 0.0 > row["day_ic"]


P = {f"{leg}_p_value": math.nan for leg in ("night", "day", "both")}


def test_what_cannot_be_judged_is_not_warned_of():
    assert found_in({"night_ic": 0.5, "day_ic": -0.5, "both_ic": 0.5} | P) == ""


def test_few_sessions_have_no_row_and_unknown_values_do_not_count():
    rng = np.random.default_rng(1)
    night, day, line = 0.01 * rng.normal(size=(3, 40))
    line[12:] = np.nan
    assert row_of(line, days(night, day))["n"] == 12
    line[9:] = np.nan
    assert row_of(line, days(night, day)) == {}


def test_an_effect_lies_overnight_only_where_the_night_itself_shows_it():
    p = {"night_p_value": 0.84, "day_p_value": 0.2, "both_p_value": 0.01}
    assert found_in({"night_ic": -0.0003, "day_ic": 0.0625, "both_ic": 0.059} | p) == ""
    assert found_in({"night_ic": -0.03, "day_ic": 0.06, "both_ic": 0.05}
                    | p | {"night_p_value": 0.01}) == ""  # fmt: skip
    assert found_in({"night_ic": 0.05, "day_ic": 0.01, "both_ic": 0.05}
                    | p | {"night_p_value": 0.01}) == "night"  # fmt: skip
    assert found_in({"night_ic": 0.05, "day_ic": 0.03, "both_ic": 0.06}
                    | p | {"night_p_value": 0.01, "day_p_value": 0.01}) == ""  # fmt: skip
