import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hpi_bt.errors import InputError
from hpi_bt.stats.bootstrap import mean_block_length, ratio_interval, stationary_indices

law = settings(max_examples=60, deadline=None)


def congruential(phi, n, seed):
    """AR(1) driven by a linear congruential generator, so that anyone can make it again."""
    x, state, last = np.empty(n), seed, 0.0
    for t in range(n):
        state = (1103515245 * state + 12345) % 2**31
        last = phi * last + state / 2**31 - 0.5
        x[t] = last
    return x


@pytest.mark.parametrize(
    ("phi", "n", "seed", "length"),
    [
        *((0.9, 1000, 1, 44.430693), (0.9, 1000, 2, 36.980973), (0.9, 60, 1, 9.439219)),
        *((0.7, 250, 2, 39.417322), (0.3, 60, 1, 2.066745), (-0.3, 60, 3, 4.623681)),
        *((0.0, 250, 2, 1.645669), (0.0, 1000, 1, 1.966589)),
    ],
)
def test_mean_block_agrees_with_another_library(phi, n, seed, length):
    # arch 8.0.0, optimal_block_length(...)["stationary"], where both take the same number of lags
    # (its rule for that number, Patton's, may stop one lag after the paper's)
    assert mean_block_length(congruential(phi, n, seed)) == pytest.approx(length, abs=1e-6)


def test_mean_block_by_hand():
    # 0 but for neighbours +1, -1 at the start of 9: R0 = 2/9, R1 = -1/9, all else 0; no lag is
    # loud (1/2 < 2 sqrt(log10(9)/9) = 0.65), m = 1, M = 2, w(1/2) = 1, w(1) = 0
    # s^2 = 2/9 - 2/9 = 0: the window leaves no variance, so that single values are drawn
    assert mean_block_length(np.array([1.0, -1.0, 0, 0, 0, 0, 0, 0, 0])) == 1.0
    # the same with +1, +1 and -2/7 elsewhere: R0 = (2 + 4/7)/9, R1 = (1 - 2 2/7 / 2 + ...)/9
    x = np.array([1.0, 1.0, *[-2 / 7] * 7])
    r0, r1 = (2 + 7 * 4 / 49) / 9, (1 - 2 / 7 + 6 * 4 / 49) / 9
    wanted = ((2 * r1) ** 2 / (r0 + 2 * r1) ** 2 * 9) ** (1 / 3)
    assert mean_block_length(x) == pytest.approx(wanted)


@law
@given(st.floats(-0.8, 0.9), st.integers(9, 120), st.integers(1, 99), st.floats(0.01, 100.0))
def test_mean_block_has_bounds_and_no_unit(phi, n, seed, scale):
    x = congruential(phi, n, seed)
    length = mean_block_length(x)
    assert 1.0 <= length <= math.ceil(min(3 * math.sqrt(n), n / 3))
    assert mean_block_length(scale * x + 3.0) == pytest.approx(length, rel=1e-6)


def test_constant_and_short_series_are_drawn_value_by_value():
    assert mean_block_length(np.full(50, 0.1)) == 1.0
    assert mean_block_length(np.arange(8.0)) == 1.0
    assert mean_block_length(np.empty(0)) == 1.0


def test_runs_have_the_mean_length_asked_for_and_wrap_around():
    index = stationary_indices(50, 5.0, 2000, np.random.default_rng(1))
    follows = (index[:, 1:] == (index[:, :-1] + 1) % 50).mean()
    # a run goes on with 4/5, and a fresh start falls on the next place with 1/50 of 1/5
    assert follows == pytest.approx(0.8 + 0.2 / 50, abs=0.005)
    assert scipy.stats.chisquare(np.bincount(index[:, 0], minlength=50)).pvalue > 1e-3
    assert set(np.unique(index)) == set(range(50))
    assert ((index[:, :-1] == 49) & (index[:, 1:] == 0)).any()


def test_blocks_of_one_are_the_ordinary_bootstrap():
    index = stationary_indices(20, 1.0, 3000, np.random.default_rng(2))
    follows = (index[:, 1:] == (index[:, :-1] + 1) % 20).mean()
    assert follows == pytest.approx(1 / 20, abs=0.005)


def test_interval_of_independent_clusters_is_that_of_the_normal():
    x = np.random.default_rng(3).normal(0.2, 1.0, 400)
    low, high = ratio_interval(x, np.ones(400), draws=4000)
    half = 1.96 * x.std() / 20
    assert low == pytest.approx(x.mean() - half, abs=0.15 * half)
    assert high == pytest.approx(x.mean() + half, abs=0.15 * half)


def test_interval_covers_the_truth_as_often_as_it_says_also_when_clusters_hang_together():
    rng = np.random.default_rng(4)
    covered, naive = 0, 0
    for seed in range(150):
        noise, x = rng.normal(size=300), np.empty(300)
        x[0] = noise[0]
        for t in range(1, 300):
            x[t] = 0.5 * x[t - 1] + noise[t]
        low, high = ratio_interval(x, np.ones(300), draws=400, seed=seed)
        covered += low <= 0.0 <= high
        naive += abs(x.mean()) <= 1.96 * x.std() / math.sqrt(300)
    # short of 95 %, as the method is known to be (87 % in a longer trial), not as naive errors are
    assert covered / 150 > 0.82
    assert naive / 150 < 0.78


def test_interval_repeats_with_its_seed_and_does_not_depend_on_batches(monkeypatch):
    x = np.random.default_rng(5).normal(size=60)
    assert ratio_interval(x, np.ones(60), seed=1) == ratio_interval(x, np.ones(60), seed=1)
    assert ratio_interval(x, np.ones(60), seed=1) != ratio_interval(x, np.ones(60), seed=2)
    whole = ratio_interval(x, np.ones(60), draws=4000)
    monkeypatch.setattr("hpi_bt.stats.bootstrap._BATCH", 100)
    assert ratio_interval(x, np.ones(60), draws=4000) == pytest.approx(whole, abs=0.03)


def test_interval_without_events_is_unknown():
    assert_array_equal(ratio_interval(np.zeros(9), np.zeros(9)), (np.nan, np.nan))


def test_blocks_shorter_than_one_are_refused():
    with pytest.raises(InputError, match=r"^mean_block: 0.5; give at least 1$"):
        stationary_indices(5, 0.5, 1, np.random.default_rng(0))
