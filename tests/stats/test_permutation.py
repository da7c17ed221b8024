import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.errors import InputError
from hpi_bt.stats import permutation
from hpi_bt.stats.permutation import (
    add_permuted_sums,
    add_weighted_sums,
    all_alike,
    clustered,
    grid_of,
    permutation_p,
    permutation_reach,
    permutations_of,
    q_values,
    runs_of,
    whole_t,
)
from reference import event_study as slow

law = settings(max_examples=60, deadline=None)
probabilities = st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.01, 0.05])), max_size=12)


def grids(seed, clusters=300, slots=7):
    """Values with holes, a pattern of events, and some permutations; in runs."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(clusters, slots))
    values[rng.random(values.shape) < 0.2] = np.nan
    events = rng.random(values.shape) < 0.3
    return values, events, permutations_of(np.zeros(clusters, dtype=int), 5, seed)


# --- the clustered t ---


def test_clustered_t_by_hand():
    # three events summing 6 in one cluster, one of 4 in another: effect 10/4 = 2.5
    # left over 6 - 7.5 = -1.5 and 4 - 2.5 = 1.5: se = sqrt(4.5)/4
    found = clustered(np.array([6.0, 0.0, 4.0]), np.array([3.0, 0.0, 1.0]))
    assert found.effect == 2.5
    assert found.se == pytest.approx(math.sqrt(4.5) / 4)
    assert found.t == pytest.approx(2.5 * 4 / math.sqrt(4.5))


@law
@given(st.integers(0, 1000))
def test_clusters_of_one_event_give_the_textbook_error_but_for_the_degree_of_freedom(seed):
    x = np.random.default_rng(seed).normal(1.0, 2.0, 12)
    found = clustered(x, np.ones(12))
    assert found.t == pytest.approx(scipy.stats.ttest_1samp(x, 0.0).statistic * math.sqrt(12 / 11))


def test_one_cluster_equal_clusters_and_no_event_have_no_t():
    assert math.isnan(clustered(np.array([0.3, 0.0]), np.array([3.0, 0.0])).t)
    assert math.isnan(clustered(np.array([0.1, 0.2, 0.3]), np.array([1.0, 2.0, 3.0])).t)
    none = clustered(np.zeros(3), np.zeros(3))
    assert math.isnan(none.effect)
    assert math.isnan(none.t)


def test_the_noise_of_the_baseline_widens_the_error_by_hand():
    # of the clusters of above -1.5, 0 and 1.5 are left over: less the baselines 1, 0 and -1 they
    # are -2.5, 0 and 2.5; of 1, -1 and 0, where a permutation has kept two of four events, half of
    # the baselines leaves 0.5, -1 and 0.5
    sums = np.array([[6.0, 0.0, 4.0], [3.0, 1.0, 0.0]])
    counts = np.array([[3.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    found = whole_t(sums, counts, np.array([1.0, 0.0, -1.0]))
    assert_allclose(found.t, [2.5 * 4 / math.sqrt(12.5), 2.0 * 2 / math.sqrt(1.5)])
    assert_allclose(found.error, [math.sqrt(12.5) / 4, math.sqrt(1.5) / 2])


@law
@given(st.integers(0, 1000))
def test_without_that_noise_it_is_the_clustered_t(seed):
    rng = np.random.default_rng(seed)
    sums, counts = rng.normal(size=(3, 9)), rng.integers(0, 3, (3, 9)).astype(float)
    assert_allclose(whole_t(sums, counts, np.zeros(9)).t, clustered(sums, counts).t)


def test_no_event_and_no_spread_have_no_t_either():
    sums, counts = np.array([[0.1, 0.2], [0.0, 0.0]]), np.array([[1.0, 2.0], [0.0, 0.0]])
    assert np.isnan(whole_t(sums, counts, np.ones(2))).all()


# --- the permutations ---


@law
@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(0, 99))
def test_each_row_permutes_within_strata_and_the_first_changes_nothing(strata, seed):
    strata = np.array(strata)
    order = permutations_of(strata, 4, seed)
    assert order.shape == (5, strata.size)
    assert_array_equal(order[0], np.arange(strata.size))
    assert_array_equal(np.sort(order, axis=1), np.tile(np.arange(strata.size), (5, 1)))
    assert_array_equal(strata[order], np.tile(strata, (5, 1)))


def test_clusters_below_nought_stay_and_take_no_random_number():
    strata = np.array([0, 1, 0, 1, 0])
    order = permutations_of(strata, 9, 3)
    apart = permutations_of(np.array([-1, 0, 1, 0, 1, 0, -1]), 9, 3)
    assert_array_equal(apart[:, 1:-1] - 1, order)
    assert (apart[:, [0, -1]] == [0, 6]).all()


def test_every_permutation_of_three_is_about_equally_frequent():
    order = permutations_of(np.zeros(3, dtype=int), 6000, 1)[1:]
    counts = np.unique(order, axis=0, return_counts=True)[1]
    assert counts.size == 6
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("seed", range(3))
def test_sums_equal_those_of_a_loop_over_events(seed):
    values, events, order = grids(seed)
    sums, counts = np.zeros((2, *order.shape))
    add_permuted_sums(grid_of(values), runs_of(events), order, (sums, counts))
    for row, givers in enumerate(order):
        landed = np.where(events[givers], values, np.nan)
        assert_allclose(sums[row], np.nansum(landed, axis=1), atol=1e-12)
        assert_array_equal(counts[row], np.isfinite(landed).sum(axis=1))


def test_runs_by_hand():
    runs = runs_of(np.array([[1, 1, 0, 1], [0, 0, 0, 0], [0, 1, 1, 1]], dtype=bool))
    assert_array_equal(runs.start, [0, 3, 1])
    assert_array_equal(runs.stop, [2, 4, 4])
    assert_array_equal(runs.first, [0, 2, 2, 3])


def test_sums_of_a_second_symbol_are_added():
    values, events, order = grids(7, clusters=9)
    once, twice = (np.zeros((2, *order.shape)) for _ in range(2))
    add_permuted_sums(grid_of(values), runs_of(events), order, tuple(once))
    for _ in range(2):
        add_permuted_sums(grid_of(values), runs_of(events), order, tuple(twice))
    assert_allclose(twice, 2 * once)


def test_patterns_of_zeros_and_ones_are_weights(monkeypatch):
    values, events, order = grids(5, clusters=30)
    runs, weights = (np.zeros((2, *order.shape)) for _ in range(2))
    add_permuted_sums(grid_of(values), runs_of(events), order, tuple(runs))
    monkeypatch.setattr(permutation, "_BATCH", 7 * 30)  # seven clusters at a time
    add_weighted_sums(values, 2.0 * events, order, tuple(weights), per=2.0)
    assert_allclose(weights, [2.0 * runs[0], runs[1]])


@law
@given(st.integers(0, 999), st.sampled_from([0.05, 0.1]))
def test_what_exceeds_the_reach_has_a_p_of_at_most_the_level_and_nothing_else(seed, level):
    t = np.random.default_rng(seed).normal(size=100)
    reach = permutation_reach(t, level)
    assert (abs(t[0]) > reach) == (permutation_p(t) <= level)
    assert permutation_p(np.append(reach * 1.0001, t[1:])) <= level
    assert permutation_p(np.append(reach * 0.9999, t[1:])) > level


def test_what_few_permutations_cannot_reach_is_read_off_student():
    t = np.arange(100.0)  # five of 99 reach 95: p is then 0.05
    assert permutation_reach(t, 0.05) == 95.0
    far, near = scipy.stats.t.ppf([1 - 0.005, 1 - 0.025], 30)
    assert permutation_reach(t, 0.01, 30) == pytest.approx(95.0 * far / near)


def test_where_too_many_permutations_have_no_t_nothing_is_within_reach():
    assert permutation_reach(np.append(np.full(6, np.nan), np.ones(94)), 0.05) == math.inf


def test_p_counts_the_sample_itself_and_ties_and_undefined_permutations():
    # of |1|, |-3|, 2 (a tie but for rounding) and an undefined one, three are at least 2
    assert permutation_p(np.array([2.0, 1.0, -3.0, 2.0 * (1 - 1e-12), np.nan])) == 4 / 5
    assert math.isnan(permutation_p(np.array([np.nan, 1.0])))


def test_permutations_that_change_nothing_are_told():
    assert all_alike(np.array([2.0, 2.0 * (1 + 1e-12), 2.0]))
    assert not all_alike(np.array([2.0, 2.1]))
    assert not all_alike(np.array([2.0, np.nan]))


def test_no_permutation_is_refused():
    with pytest.raises(InputError, match=r"^permutations: 0; give at least 1"):
        permutations_of(np.zeros(3, dtype=int), 0, 0)


# --- false discoveries ---


def test_q_values_by_hand():
    # sorted .01, .02, .04, .5: .01 4/1, .02 4/2, .04 4/3, .5, each at most the next
    assert_allclose(
        q_values([0.5, 0.01, np.nan, 0.04, 0.02]), [0.5, 0.04, np.nan, 0.04 * 4 / 3, 0.04]
    )


@law
@given(probabilities)
def test_q_values_equal_the_definition_and_another_library(p):
    got = q_values(p)
    assert_allclose(got, slow.q_values(p), rtol=1e-12)
    if p:
        assert_allclose(got, scipy.stats.false_discovery_control(p, method="bh"), rtol=1e-12)


@law
@given(probabilities)
def test_no_q_value_is_below_its_p_and_their_order_is_kept(p):
    q = q_values(p)
    assert (q >= np.array(p)).all()
    assert (np.diff(q[np.argsort(p, kind="stable")]) >= 0.0).all()


def test_p_values_outside_the_unit_interval_are_refused():
    with pytest.raises(InputError, match=r"^p: values outside \[0, 1\]"):
        q_values([0.5, 1.5])
