import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.errors import InputError
from hpi_bt.stats.deciles import decile_table, information_coefficient
from hpi_bt.stats.forward import checked_bars

law = settings(max_examples=40, deadline=None)


def bars(seed, sessions=20, length=12, reward=0.0):
    """A line, open, close and session; `reward` of the line goes into the next bar's return."""
    rng = np.random.default_rng(seed)
    n = sessions * length
    line = rng.normal(size=n)
    change = 0.01 * (reward * np.append(0.0, line[:-1]) + rng.normal(size=n))
    close = 100 * np.exp(np.cumsum(change))
    opens = np.append(100.0, close[:-1])
    return line, opens, close, np.repeat(np.arange(sessions), length)


# --- tenths ---


def test_worked_example():
    # halves of 1, 2, 3, 4: returns 1 and 2 %, then 3 and -6 %; all together 0
    table = decile_table([4, 2, 1, 3, np.nan], [-0.06, 0.02, 0.01, 0.03, 0.9], groups=2)
    assert_array_equal(table.index, [1, 2])
    assert_array_equal(table[["n", "low", "high"]], [[2, 1, 2], [2, 3, 4]])
    assert_allclose(table["mean"], [0.015, -0.015])
    assert_allclose(table["median"], [0.015, -0.015])
    assert_allclose(table["hit_rate"], [1.0, 0.5])
    # left over -+.005 and -+.045: se = sqrt(2) .005/2 and sqrt(2) .045/2
    assert_allclose(table["t"], [0.015 / (0.005 / math.sqrt(2)), -0.015 / (0.045 / math.sqrt(2))])


def test_t_is_clustered_by_session_where_given():
    # two sessions of two equal bars each count as two, not as four
    y = [0.01, 0.01, 0.03, 0.03, -0.02, -0.02, -0.02, -0.02]
    apart = decile_table(range(8), y, groups=2)
    together = decile_table(range(8), y, groups=2, session=[0, 0, 1, 1, 2, 2, 3, 3])
    assert apart.loc[1, "t"] == pytest.approx(together.loc[1, "t"] * math.sqrt(2))


@law
@given(st.integers(0, 999), st.integers(2, 12), st.booleans())
def test_tenths_are_ordered_equal_values_stay_together_and_nothing_is_lost(seed, groups, coarse):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 5, 97) / 1.0 if coarse else rng.normal(size=97)
    y = rng.normal(size=97)
    table = decile_table(x, y, groups=groups)
    assert table["n"].sum() == 97
    assert (table["high"].to_numpy()[:-1] < table["low"].to_numpy()[1:]).all()
    assert_allclose((table["n"] * table["mean"]).sum(), y.sum(), atol=1e-12)
    assert_allclose((table["n"] * table["excess"]).sum(), 0.0, atol=1e-12)
    if not coarse:
        assert table["n"].max() - table["n"].min() <= 1


def test_a_rising_transformation_of_the_line_changes_only_its_bounds():
    x, y = np.random.default_rng(1).normal(size=(2, 200))
    names = ["n", "mean", "median", "hit_rate", "t"]
    assert_allclose(decile_table(x, y)[names], decile_table(np.exp(x), y)[names])


@pytest.mark.parametrize(
    ("line", "forward", "options", "message"),
    [
        ([1.0, 2.0], [1.0], {}, "line: shapes"),
        ([1.0, 2.0], [1.0, 2.0], {"session": [1]}, "line: shapes"),
        ([1.0, 2.0], [1.0, 2.0], {"groups": 1}, "groups: 1 for 2 bars"),
        ([1.0, np.nan], [1.0, 2.0], {"groups": 2}, "groups: 2 for 1 bars"),
    ],
)
def test_tables_that_cannot_be_made_are_refused(line, forward, options, message):
    with pytest.raises(InputError, match=message):
        decile_table(line, forward, **options)


# --- rank correlation ---


@pytest.mark.parametrize("horizon", [1, 3, "close"])
def test_the_coefficient_is_the_one_of_another_library(horizon):
    line, opens, close, session = bars(1, reward=0.3)
    line[::7] = np.nan
    line[1::5] = 0.5
    got = information_coefficient(line, opens, close, session, (horizon,)).loc[horizon]
    forward = checked_bars(opens, close, session).forward(horizon)
    known = np.isfinite(line) & np.isfinite(forward)
    assert got["n"] == known.sum()
    assert got["ic"] == pytest.approx(scipy.stats.spearmanr(line[known], forward[known])[0])


@pytest.mark.parametrize("reward", [0.0, 1.0])
def test_the_standard_error_is_the_spread_over_many_markets(reward):
    found = np.array(
        [
            information_coefficient(*bars(seed, reward=reward), (1, 3))[["ic", "t"]].to_numpy()
            for seed in range(150)
        ]
    )
    ic, t = found[..., 0], found[..., 1]
    assert_allclose((ic / t).mean(axis=0), ic.std(axis=0), rtol=0.2)


def test_p_is_that_of_students_distribution_and_uniform_where_nothing_is():
    rows = [information_coefficient(*bars(seed), (1,)).loc[1] for seed in range(150)]
    for row in rows[:5]:
        want = 2 * scipy.stats.t.sf(abs(row["t"]), 19)  # 20 sessions
        assert row["p_value"] == pytest.approx(want)
    p = np.array([row["p_value"] for row in rows])
    assert scipy.stats.kstest(p, "uniform").pvalue > 1e-3
    assert scipy.stats.binomtest(int((p <= 0.05).sum()), 150, 0.05).pvalue > 1e-3


def test_the_coefficient_of_a_planted_edge_decays_with_the_horizon():
    table = information_coefficient(*bars(2, sessions=60, reward=0.5), (1, 2, 4, 8))
    assert (np.diff(table["ic"]) < 0.0).all()
    assert table.loc[1, "t"] > 5.0


@law
@given(st.integers(0, 99))
def test_only_ranks_count_and_the_sign_turns_with_the_line(seed):
    line, *rest = bars(seed)
    one, other = (information_coefficient(x, *rest, (2,)) for x in (line, -np.exp(line)))
    assert_allclose(one[["ic", "t"]], -other[["ic", "t"]], atol=1e-9)


def test_what_has_no_coefficient_or_no_t_says_why():
    line, opens, close, session = bars(3, sessions=5)
    row = information_coefficient(line, opens, close, session, (1,)).loc[1]
    assert row["note"] == "5 sessions with both values, 8 needed"
    assert math.isnan(row["t"])
    assert -1.0 < row["ic"] < 1.0
    row = information_coefficient(np.ones(60), opens, close, session, (1,)).loc[1]
    assert "does not vary" in row["note"]
    assert math.isnan(row["ic"])
    daily = information_coefficient(line, opens, close, np.arange(60), (1,)).loc[1]
    assert daily["note"] == "3 blocks of 21 bars with both values, 8 needed"


def test_a_line_that_knows_the_future_has_a_coefficient_of_one_and_no_spread():
    _, opens, close, session = bars(4)
    line = checked_bars(opens, close, session).forward(1)
    row = information_coefficient(line, opens, close, session, (1,)).loc[1]
    assert row["ic"] == pytest.approx(1.0)


def test_a_line_of_another_length_and_too_long_horizons_are_refused():
    line, opens, close, session = bars(5)
    with pytest.raises(InputError, match=r"^line: shape \(3,\) for 240 bars"):
        information_coefficient(line[:3], opens, close, session)
    with pytest.raises(InputError, match="horizons: 12 bars, but the longest session has 12"):
        information_coefficient(line, opens, close, session, (12,))
