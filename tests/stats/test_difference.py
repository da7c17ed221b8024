import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.errors import InputError
from hpi_bt.stats import studentised
from hpi_bt.stats.bootstrap import mean_block_length, stationary_indices
from hpi_bt.stats.difference import (
    _sharpe_of,
    common_returns,
    group_difference,
    holm,
    sharpe_difference,
)
from hpi_bt.stats.studentised import implied_error

law = settings(max_examples=25, deadline=None)


def pair(seed, n=80, edge=0.0, phi=0.0):
    """Two correlated series of returns with the same true Sharpe ratio, but for `edge`."""
    noise = np.random.default_rng(seed).normal(size=(2, n))
    for t in range(1, n):
        noise[:, t] += phi * noise[:, t - 1]
    return 0.01 * (0.05 + edge + noise[0]), 0.02 * (0.05 + 0.6 * noise[0] + 0.8 * noise[1])


def days(*dates):
    return pd.DatetimeIndex([f"2024-01-{d:02d}" for d in dates])


def test_worked_example_of_the_difference():
    # means 0.01 and 0.005, standard deviations (ddof 1) 0.01 and 0.005 by hand
    ours = np.tile([0.02, 0.0, 0.01], 7)
    base = np.tile([0.005, 0.01, 0.0], 7)
    spread = math.sqrt(14 / 20)  # ddof 1 of 21 values -1, 0, 1
    found = sharpe_difference(ours, base, periods_per_year=4, draws=99)
    assert found.difference == pytest.approx(2.0 * (1.0 / spread - 1.0 / spread), abs=1e-12)
    short = sharpe_difference([0.03, 0.01], [0.01, -0.01], periods_per_year=1)
    # 0.02 and 0 over sqrt(2) 0.01 each
    assert short.difference == pytest.approx(math.sqrt(2.0))
    assert short.note == "2 sessions in common, 20 needed"
    assert math.isnan(short.p_value)


def slow(ours, base, draws, seed):
    """The same test one draw, one session and one block at a time."""

    def influences(r):
        n = len(r)
        mean = sum(r) / n
        spread = math.sqrt(sum((x - mean) ** 2 for x in r) / (n - 1))
        z = [(x - mean) / spread for x in r]
        return mean / spread, [v - mean / spread / 2 * (v * v * n / (n - 1) - 1) for v in z]

    def statistic(index):
        (a, x), (b, y) = (influences([float(r[i]) for i in index]) for r in (ours, base))
        return a - b, [p - q for p, q in zip(x, y, strict=True)]

    n = len(ours)
    difference, own = statistic(range(n))
    block = mean_block_length(np.array(own))
    variance = 0.0
    for s in range(n):
        for t in range(n):
            k = abs(s - t)  # pairs that a run of the bootstrap keeps together, either way round
            stays = (1 - k / n) * (1 - 1 / block) ** k + k / n * (1 - 1 / block) ** (n - k)
            variance += stays * own[s] * own[t] / n
    se = math.sqrt(variance / n)
    reached = []
    for index in stationary_indices(n, block, draws, np.random.default_rng(seed)).tolist():
        drawn, psi = statistic(index)
        sums = [psi[0]]
        for (i, j), value in zip(pairwise(index), psi[1:], strict=True):
            if j == (i + 1) % n:
                sums[-1] += value
            else:
                sums.append(value)
        reached.append(abs(drawn - difference) / (math.sqrt(sum(s * s for s in sums)) / n))
    reached.sort(reverse=True)
    half = reached[int(0.05 * (draws + 1)) - 1] * se
    p = (1 + sum(t >= abs(difference) / se for t in reached)) / (1 + draws)
    return difference, difference - half, difference + half, p


@pytest.mark.parametrize(("seed", "phi"), [(1, 0.0), (2, 0.6), (3, -0.3)])
def test_a_slow_and_obvious_version_agrees(seed, phi):
    ours, base = pair(seed, n=60, edge=0.2, phi=phi)
    found = sharpe_difference(ours, base, periods_per_year=1, draws=199, seed=7)
    wanted = slow(ours, base, 199, 7)
    assert_allclose(found[:4], wanted, rtol=1e-9)


def test_the_influence_is_the_derivative_of_the_ratio_by_a_sessions_weight():
    r = pair(4, n=200)[0]

    def ratio(weights):
        w = weights / weights.sum()
        mean = w @ r
        return mean / math.sqrt(w @ (r - mean) ** 2)

    slopes = []
    for t in range(r.size):
        more, less = np.ones((2, r.size))
        more[t], less[t] = 1.0 + 1e-4, 1.0 - 1e-4
        slopes.append(r.size * (ratio(more) - ratio(less)) / 2e-4)
    _, influence = _sharpe_of(r)
    assert_allclose(influence, slopes, atol=0.02 * np.abs(slopes).max())


def test_the_implied_error_is_the_spread_of_the_means_that_are_drawn():
    x = pair(5, n=120, phi=0.5)[0]
    index = stationary_indices(120, 6.0, 20_000, np.random.default_rng(1))
    drawn = x[index].mean(axis=1).std()
    assert implied_error(x, 6.0) == pytest.approx(drawn, rel=0.02)


@pytest.mark.parametrize(("n", "phi", "least"), [(60, 0.0, 0.90), (150, 0.3, 0.88)])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(n, phi, least):
    held = []
    for seed in range(300):
        found = sharpe_difference(*pair(seed, n=n, phi=phi), draws=199, seed=seed)
        held.append(found.low <= 0.0 <= found.high)
    assert least < np.mean(held) < 0.985


def test_a_true_difference_is_found_as_often_as_detectable_says():
    # each trial's own detectable difference, as a true one, is exceeded 4 times in 5
    found = [sharpe_difference(*pair(seed, n=150), draws=199, seed=seed) for seed in range(40)]
    edge = float(np.mean([f.detectable for f in found])) / math.sqrt(252)
    seen = [
        sharpe_difference(*pair(seed, n=150, edge=edge), draws=199, seed=seed).p_value <= 0.05
        for seed in range(200)
    ]
    assert 0.70 < np.mean(seen) < 0.90


@law
@given(st.integers(0, 999), st.floats(0.001, 10.0), st.floats(-0.3, 0.3))
def test_swapping_the_runs_flips_the_sign_and_size_does_not_matter(seed, size, edge):
    ours, base = pair(seed, n=40, edge=edge)
    found = sharpe_difference(ours, base, draws=99)
    back = sharpe_difference(base, ours, draws=99)
    assert_allclose(back[:3], [-found.difference, -found.high, -found.low], rtol=1e-9, atol=1e-12)
    assert back.p_value == found.p_value
    larger = sharpe_difference(size * ours, base, draws=99)
    assert_allclose(larger[:4], found[:4], rtol=1e-6, atol=1e-9)


@law
@given(st.integers(0, 999), st.floats(-0.5, 0.5))
def test_p_is_at_most_five_per_cent_exactly_where_the_interval_leaves_zero_out(seed, edge):
    found = sharpe_difference(*pair(seed, edge=edge), draws=199, seed=seed)
    assert (found.p_value <= 0.05) == (not found.low <= 0.0 <= found.high)
    assert found.low < found.difference < found.high
    assert found.mean_block >= 1.0


def test_seed_repeats_the_result_and_batches_do_not_matter_beyond_noise(monkeypatch):
    runs = pair(6)
    assert sharpe_difference(*runs, seed=3) == sharpe_difference(*runs, seed=3)
    assert sharpe_difference(*runs, seed=3) != sharpe_difference(*runs, seed=4)
    whole = sharpe_difference(*runs, draws=2000)
    monkeypatch.setattr(studentised, "_BATCH", 1000)
    assert sharpe_difference(*runs, draws=2000).low == pytest.approx(whole.low, rel=0.1)


def test_runs_that_are_the_same_but_for_size_differ_by_rounding_alone():
    ours = pair(7)[0]
    for other in (ours, 3.0 * ours):
        found = sharpe_difference(ours, other)
        assert found.difference == pytest.approx(0.0, abs=1e-12)
        assert found.low == found.high == found.difference
        assert (found.p_value, found.note) == (1.0, "they differ by rounding alone")


def test_a_run_that_never_moved_has_no_sharpe_ratio_to_compare():
    ours = pair(8)[0]
    flat = np.zeros(ours.size)
    assert sharpe_difference(flat, ours).note == "it never moved: no Sharpe ratio"
    found = sharpe_difference(ours, flat)
    assert found.note == "the baseline never moved: no Sharpe ratio"
    assert math.isnan(found.difference)
    assert math.isnan(found.p_value)


def test_other_sessions_impossible_returns_and_too_few_draws_are_refused():
    ours = pair(9)[0]
    with pytest.raises(InputError, match=r"^baseline: 79 sessions for 80 returns"):
        sharpe_difference(ours, ours[1:])
    with pytest.raises(InputError, match=r"^baseline: session 0 is nan"):
        sharpe_difference(ours, ours * np.nan)
    with pytest.raises(InputError, match=r"^bootstrap: 98 draws; give at least 99, better 2000$"):
        sharpe_difference(*pair(9), draws=98)


def test_common_returns_by_hand():
    a = pd.Series([0.10, 0.20, -0.50, 0.30], index=days(2, 3, 4, 5))
    b = pd.Series([0.01, 0.02, 0.03], index=days(3, 5, 8))
    table = common_returns({"a": a, "b": b})
    assert list(table.index) == list(days(3, 5))
    # a's 4th is compounded into the 5th: 0.5 x 1.3 - 1; the 2nd and b's 8th are left out
    assert_allclose(table["a"], [0.20, -0.35])
    assert_allclose(table["b"], [0.01, 0.02])


def test_runs_without_a_common_session_give_an_empty_table():
    a, b = (pd.Series([0.1, 0.2], index=days(*d)) for d in ((2, 3), (4, 5)))
    assert common_returns({"a": a, "b": b}).empty
    assert common_returns({}).empty


@law
@given(st.sets(st.integers(1, 28), min_size=3), st.sets(st.integers(1, 28), min_size=3))
def test_what_is_earned_from_the_first_to_the_last_common_session_is_kept(first, second):
    rng = np.random.default_rng(0)
    one, two = (
        pd.Series(rng.normal(0, 0.02, len(d)), index=days(*sorted(d))) for d in (first, second)
    )
    table = common_returns({"one": one, "two": two})
    assert list(table.index) == list(days(*sorted(first & second)))
    if len(table):
        for name, series in (("one", one), ("two", two)):
            inside = series[(series.index >= table.index[0]) & (series.index <= table.index[-1])]
            assert (1 + table[name]).prod() == pytest.approx((1 + inside).prod())


def entries(seed, gap=0.0, sessions=60):
    """Entries whose returns share the day's noise; the first group earns `gap` more."""
    rng = np.random.default_rng(seed)
    session = np.repeat(np.arange(sessions), rng.integers(0, 4, sessions))
    first = rng.random(session.size) < 0.4
    value = 0.5 * rng.normal(size=sessions)[session] + rng.normal(size=session.size)
    return value + gap * first, first, session


def test_worked_example_of_two_groups():
    found = group_difference([1.0, 3.0, math.nan, 5.0], [True, True, True, False], [1, 1, 2, 2])
    assert found[:4] == (2, 2.0, 1, 5.0)
    assert found.found.difference == -3.0
    assert math.isnan(found.found.low)
    assert found.found.note == "1 session in the first group, 8 needed"


def test_the_interval_of_two_groups_holds_the_truth_as_often_as_it_says_days_shared_or_not():
    held = []
    for seed in range(250):
        found = group_difference(*entries(seed, gap=0.3), draws=199, seed=seed).found
        held.append(found.low <= 0.3 <= found.high)
    assert 0.90 < np.mean(held) < 0.985


def test_for_entries_of_independent_sessions_the_error_is_that_of_the_textbook():
    rng = np.random.default_rng(1)
    value, first = rng.normal(size=800), np.arange(800) % 2 == 0
    found = group_difference(value, first, np.arange(800), draws=2000).found
    half = 1.96 * math.sqrt(value[first].var() / 400 + value[~first].var() / 400)
    assert found.high - found.difference == pytest.approx(half, rel=0.12)
    assert found.difference == pytest.approx(value[first].mean() - value[~first].mean())


@law
@given(st.integers(0, 999), st.floats(-1.0, 1.0))
def test_swapping_the_groups_flips_the_sign_and_the_order_of_entries_does_not_matter(seed, gap):
    value, first, session = entries(seed, gap)
    found = group_difference(value, first, session, draws=99).found
    back = group_difference(value, ~first, session, draws=99).found
    assert_allclose(back[:3], [-found.difference, -found.high, -found.low], rtol=1e-9, atol=1e-12)
    order = np.random.default_rng(seed).permutation(value.size)
    shuffled = group_difference(value[order], first[order], session[order], draws=99).found
    assert_allclose(shuffled[:4], found[:4], rtol=1e-6, atol=1e-9)


def test_a_group_without_an_entry_is_said_so():
    found = group_difference([1.0] * 9, [True] * 9, range(9))
    assert found.found.note == "no entry in the second group"
    assert found[:3] == (9, 1.0, 0)
    nothing = group_difference([], [], [])
    assert nothing.found.note == "no entry in the first group"
    assert (nothing.n_first, nothing.n_second) == (0, 0)


def test_groups_of_other_lengths_are_refused():
    with pytest.raises(InputError, match=r"^values: shapes \(2,\), \(1,\), \(2,\); give one value"):
        group_difference([1.0, 2.0], [True], [1, 2])
    with pytest.raises(InputError, match=r"^bootstrap: 10 draws"):
        group_difference(*entries(1), draws=10)


def test_values_without_spread_in_either_group_give_no_interval():
    found = group_difference([1.0] * 9 + [2.0] * 9, [True] * 9 + [False] * 9, range(18)).found
    assert found.difference == found.low == found.high == -1.0
    assert found.note == "they differ by rounding alone"


def test_holm_by_hand():
    # sorted 0.01, 0.02, 0.03 times 3, 2, 1: 0.03, 0.04, and no less than what came before
    assert_allclose(holm([0.03, 0.01, math.nan, 0.02]), [0.04, 0.03, math.nan, 0.04])
    assert_array_equal(holm([0.6, 0.9]), [1.0, 1.0])
    assert holm([]).size == 0
