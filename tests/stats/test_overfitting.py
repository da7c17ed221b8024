import math
from itertools import combinations

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.errors import InputError
from hpi_bt.stats.overfitting import probability_of_backtest_overfitting
from hpi_bt.stats.sharpe import (
    deflated_sharpe,
    expected_max_sharpe,
    min_track_record_length,
    probabilistic_sharpe,
    sharpe_moments,
)
from reference import overfitting as slow

law = settings(max_examples=100, deadline=None)
few = settings(law, max_examples=20)


@st.composite
def moments(draw):
    """A Sharpe ratio with a skew and a kurtosis that some distribution has."""
    skew = draw(st.floats(-4.0, 4.0))
    kurtosis = 1.0 + skew * skew + draw(st.floats(0.1, 20.0))
    return draw(st.floats(-1.0, 1.0)), {"skew": skew, "kurtosis": kurtosis}


def noise(seed, periods, trials, scale=0.01):
    return np.random.default_rng(seed).normal(0.0, scale, (periods, trials))


# --- one ratio ---


def test_probabilistic_sharpe_by_hand():
    # 0.2 sqrt(24) / sqrt(1 - 0.5 0.2 + (5 - 1)/4 0.04) = 0.97980/0.96954 = 1.01058
    # and Phi(1.01058) = 0.84389
    assert probabilistic_sharpe(0.2, 25, skew=0.5, kurtosis=5.0) == pytest.approx(0.84389, abs=5e-6)


@law
@given(moments(), st.integers(2, 10_000), st.floats(-1.0, 1.0))
def test_probabilistic_sharpe_agrees_with_many_digits(drawn, n, benchmark):
    sharpe, shape = drawn
    want = slow.probabilistic_sharpe(sharpe, n, shape["skew"], shape["kurtosis"], benchmark)
    got = probabilistic_sharpe(sharpe, n, benchmark=benchmark, **shape)
    assert got == pytest.approx(float(want), rel=1e-6, abs=1e-14)


@law
@given(moments(), st.floats(-1.0, 1.0), st.integers(2, 5000))
def test_a_higher_benchmark_is_never_more_probable_and_the_ratio_itself_is_even_odds(
    drawn, benchmark, n
):
    sharpe, shape = drawn
    low, high = sorted((sharpe, benchmark))
    of = lambda b: probabilistic_sharpe(sharpe, n, benchmark=b, **shape)  # noqa: E731
    assert of(low) >= of(high)
    assert of(sharpe) == 0.5


@law
@given(moments(), st.floats(-1.0, 1.0), st.floats(0.51, 0.999))
def test_min_track_record_is_where_the_probabilistic_sharpe_reaches_the_confidence(
    drawn, benchmark, confidence
):
    sharpe, shape = drawn
    assume(sharpe - benchmark > 1e-6)
    n = min_track_record_length(sharpe, benchmark=benchmark, confidence=confidence, **shape)
    want = slow.min_track_record_length(
        sharpe, shape["skew"], shape["kurtosis"], benchmark, confidence
    )
    assert n == pytest.approx(float(want), rel=1e-9)
    assume(n >= 2)
    got = probabilistic_sharpe(sharpe, n, benchmark=benchmark, **shape)
    assert got == pytest.approx(confidence, abs=1e-9)


@pytest.mark.parametrize(("per_year", "years"), [(252, 2.73), (52, 2.83), (12, 3.24)])
def test_min_track_record_gives_the_published_years_for_an_annual_2_over_1(per_year, years):
    # Bailey and Lopez de Prado 2012, "The Sharpe Ratio Efficient Frontier": normal, 95 %
    root = math.sqrt(per_year)
    n = min_track_record_length(2.0 / root, benchmark=1.0 / root)
    assert n / per_year == pytest.approx(years, abs=0.005)


def test_min_track_record_is_infinite_unless_the_ratio_is_above_the_benchmark():
    assert min_track_record_length(0.1, benchmark=0.1) == math.inf
    assert min_track_record_length(-0.1) == math.inf


def test_an_unknown_ratio_gives_an_unknown_probability():
    assert math.isnan(probabilistic_sharpe(math.nan, 100))
    assert math.isnan(min_track_record_length(math.nan))
    assert math.isnan(deflated_sharpe(0.1, 100, 5, math.nan))


# --- selection among trials ---


def test_the_papers_example():
    # Bailey and Lopez de Prado 2014: annual 2.5 over 1,250 days of 250 a year, V 1/2 annual
    daily, variance = 2.5 / math.sqrt(250), 0.5 / 250
    assert expected_max_sharpe(100, variance) == pytest.approx(0.1132, abs=5e-5)
    given_moments = {"skew": -3.0, "kurtosis": 10.0}
    got = deflated_sharpe(daily, 1250, 100, variance, **given_moments)
    assert got == pytest.approx(0.9004, abs=5e-5)
    got = deflated_sharpe(daily, 1250, 46, variance, **given_moments)
    assert got == pytest.approx(0.9505, abs=5e-5)


@law
@given(st.integers(2, 100_000), st.floats(0.0, 2.0))
def test_expected_max_sharpe_agrees_with_many_digits(trials, variance):
    want = float(slow.expected_max_sharpe(trials, variance))
    assert expected_max_sharpe(trials, variance) == pytest.approx(want, rel=1e-11, abs=1e-15)


@pytest.mark.parametrize("trials", [10, 100, 1000])
def test_expected_max_sharpe_is_near_the_exact_mean_of_the_largest_normal(trials):
    exact = float(slow.expected_max_normal(trials))
    # the extreme-value approximation: 2.1 % above at 10, 0.4 % at 1,000
    assert expected_max_sharpe(trials, 1.0) == pytest.approx(exact, rel=0.025)


@given(st.floats(1.0, 1e6), st.floats(1.0, 1e6), st.floats(0.0, 4.0))
def test_more_trials_never_lower_the_bar_and_it_grows_with_their_spread(one, other, variance):
    fewer, more = sorted((one, other))
    low, high = expected_max_sharpe(fewer, variance), expected_max_sharpe(more, variance)
    assert 0.0 <= low <= high * (1 + 1e-12)
    assert expected_max_sharpe(more, 4 * variance) == pytest.approx(2 * high, rel=1e-12)


def test_one_trial_needs_no_deflation_even_if_its_variance_is_unknown():
    assert expected_max_sharpe(1, math.nan) == 0.0
    assert deflated_sharpe(0.1, 300, 1, 0.2) == probabilistic_sharpe(0.1, 300)


# --- moments ---


def test_moments_by_hand():
    # mean 0.01, deviations -1, -1, 2 (%): std (ddof 1) sqrt(3) %, m2 = 2, m3 = 2, m4 = 6
    got = sharpe_moments([0.0, 0.0, 0.03])
    want = (1 / math.sqrt(3), 2 / 2**1.5, 6 / 4, 3)
    assert_allclose(got, want, rtol=1e-12)


@law
@given(st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=80), st.integers(-950, 950))
def test_moments_do_not_depend_on_the_unit_and_obey_the_bound_of_all_distributions(values, power):
    r = np.round(values, 6)
    assume(np.ptp(r) > 0)
    got = sharpe_moments(r)
    assert got.kurtosis >= (1.0 + got.skew**2) * (1 - 1e-9)
    assert sharpe_moments(np.ldexp(r, power)) == got


def test_moments_agree_with_scipy():
    r = np.random.default_rng(3).standard_t(4, 2000) / 100
    got = sharpe_moments(r)
    assert got.sharpe == pytest.approx(1 / scipy.stats.variation(r, ddof=1), rel=1e-12)
    assert got.skew == pytest.approx(scipy.stats.skew(r), rel=1e-10)
    assert got.kurtosis == pytest.approx(scipy.stats.kurtosis(r, fisher=False), rel=1e-10)


def test_constant_returns_have_no_moments():
    got = sharpe_moments([0.1, 0.1, 0.1])
    assert_array_equal(got, [math.nan, math.nan, math.nan, 3])


# --- cross-validation ---


def test_two_blocks_by_hand():
    # Sharpe ratios of (first, second) half: a is (+, -), b is (-, +), c is lowest, then in between
    a, b, c = [1.0, 3.0, -3.0, -1.0], [-2.0, 0.0, 0.0, 2.0], [-4.0, -2.0, -1.0, 1.0]
    got = probability_of_backtest_overfitting(np.column_stack((a, b, c)), blocks=2)
    root = math.sqrt(2.0)
    assert_array_equal(got.in_sample_best, [0, 1])
    assert_allclose(got.in_sample_sharpe, [root, 1 / root], rtol=1e-12)
    assert_allclose(got.out_of_sample_sharpe, [-root, -1 / root], rtol=1e-12)
    # a comes last of three: omega 1/4; b comes second: omega 1/2, which counts as overfitted
    assert_allclose(got.logits, [math.log(1 / 3), 0.0], atol=1e-15)
    assert float(got) == got.probability == 1.0
    assert got.probability_of_loss == 1.0
    assert got.degradation == pytest.approx(-1.0)
    assert got.dropped == 0


@pytest.mark.parametrize(
    ("periods", "trials", "blocks"), [(4, 3, 2), (13, 2, 4), (30, 5, 6), (59, 7, 8), (61, 4, 10)]
)
def test_agrees_with_plain_loops(periods, trials, blocks):
    r = noise(periods, periods, trials)
    r[: periods // 2, 0] = 0.0  # idle for a while, so that some halves do not vary
    got = probability_of_backtest_overfitting(r, blocks=blocks)
    want = slow.cross_validation(r.tolist(), blocks)
    assert_array_equal(got.in_sample_best, [s.best for s in want])
    assert_allclose(got.in_sample_sharpe, [s.inside for s in want], rtol=1e-9, atol=1e-12)
    assert_allclose(got.out_of_sample_sharpe, [s.outside for s in want], rtol=1e-9, atol=1e-12)
    assert_allclose(got.logits, [s.logit for s in want], rtol=1e-12, atol=1e-15)
    assert got.probability == sum(s.logit <= 0 for s in want) / len(want)
    assert got.probability_of_loss == sum(s.outside < 0 for s in want) / len(want)
    assert got.dropped == periods % blocks


def test_degradation_agrees_with_scipy():
    got = probability_of_backtest_overfitting(noise(5, 240, 12), blocks=8)
    want = scipy.stats.linregress(got.in_sample_sharpe, got.out_of_sample_sharpe).slope
    assert got.degradation == pytest.approx(want, rel=1e-9)


def test_sixteen_blocks_make_12870_splits_in_the_order_of_combinations():
    r = noise(7, 16 * 5 + 3, 6)
    got = probability_of_backtest_overfitting(r)
    assert got.logits.shape == got.in_sample_best.shape == (12_870,)
    for i, chosen in enumerate(combinations(range(16), 8)):
        if i % 1287 == 0:
            rows = np.concatenate([r[3 + 5 * b : 8 + 5 * b] for b in chosen])
            sharpes = rows.mean(axis=0) / rows.std(axis=0, ddof=1)
            assert got.in_sample_best[i] == sharpes.argmax()
            assert got.in_sample_sharpe[i] == pytest.approx(sharpes.max(), rel=1e-10)


@few
@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.integers(16, 70))
def test_neither_the_order_nor_the_size_of_trials_nor_the_oldest_rows_matter(seed, trials, periods):
    rng = np.random.default_rng(seed)
    r = rng.normal(0.0, 0.01, (periods, trials))
    r[:, 0] = np.minimum(r[:, 0], 0.0)  # one that never gains
    # the last sizes have squares beyond the range of a float
    order, size = rng.permutation(trials), 2.0 ** rng.integers(-600, 601, trials)
    got = probability_of_backtest_overfitting(r, blocks=8)
    shuffled = probability_of_backtest_overfitting((r * size)[:, order], blocks=8)
    assert_array_equal(order[shuffled.in_sample_best], got.in_sample_best)
    for name in ("logits", "in_sample_sharpe", "out_of_sample_sharpe", "degradation"):
        assert_array_equal(getattr(shuffled, name), getattr(got, name))
    r[: periods % 8] = 1e9
    oldest_changed = probability_of_backtest_overfitting(r, blocks=8)
    assert_array_equal(oldest_changed.logits, got.logits)


def test_noise_is_overfitted_half_of_the_time():
    seeds = 400
    got = [probability_of_backtest_overfitting(noise(s, 48, 10), blocks=6) for s in range(seeds)]
    # the best of an even number of equal trials is in the lower half next time with p = 1/2
    first = sum(o.logits[0] <= 0 for o in got)
    low, high = scipy.stats.binom.ppf([1e-4, 1 - 1e-4], seeds, 0.5)
    assert low <= first <= high
    # a share in [0, 1] of mean 1/2 has a variance of at most 1/4: four standard errors
    assert abs(np.mean([o.probability for o in got]) - 0.5) < 4 * 0.5 / math.sqrt(seeds)


def test_one_truly_better_trial_is_not_overfitted():
    r = noise(11, 320, 20)
    r[:, 13] += 0.01  # a Sharpe ratio of 1 a day among noise
    got = probability_of_backtest_overfitting(r)
    assert got.probability < 0.001
    assert got.probability_of_loss < 0.001
    assert (got.in_sample_best == 13).mean() > 0.999


def test_equal_trials_share_their_average_rank_whatever_their_number():
    one = noise(13, 64, 1)
    for trials in (2, 3, 7, 33):
        got = probability_of_backtest_overfitting(np.repeat(one, trials, axis=1), blocks=8)
        assert_array_equal(got.logits, np.zeros(70))  # rank (N + 1)/2 in each split
        assert_array_equal(got.in_sample_best, np.zeros(70))


def test_sharpe_ratios_that_differ_by_rounding_alone_are_ties():
    one = noise(13, 64, 1)
    sizes = np.array([0.3, 0.7, 1.1, 1.3, 0.9])  # the same ratio, but for the last digits
    got = probability_of_backtest_overfitting(one * sizes, blocks=8)
    assert_array_equal(got.logits, np.zeros(70))
    assert_array_equal(got.in_sample_best, np.zeros(70))


def test_trials_that_never_vary_have_ratio_zero():
    idle = np.column_stack((np.full(40, 0.1), np.full(40, -0.3), np.zeros(40)))
    got = probability_of_backtest_overfitting(idle, blocks=4)
    assert_array_equal(got.in_sample_sharpe, np.zeros(6))
    assert_array_equal(got.out_of_sample_sharpe, np.zeros(6))
    assert math.isnan(got.degradation)
    assert got.probability_of_loss == 0.0


def test_the_returns_are_left_as_they_were():
    r = noise(17, 50, 4)
    before = r.copy()
    probability_of_backtest_overfitting(r, blocks=4)
    assert_array_equal(r, before)


# --- refusals ---


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: probabilistic_sharpe(0.1, 1), "^n: 1 observations; .* at least 2"),
        (lambda: probabilistic_sharpe(0.1, math.nan), "^n: nan"),
        (lambda: probabilistic_sharpe(1.0, 9, skew=3.0, kurtosis=2.0), "variance would be -1.75"),
        (lambda: probabilistic_sharpe(math.inf, 9), "^sharpe inf"),
        (lambda: min_track_record_length(1.0, skew=3.0, kurtosis=2.0), "kurtosis .not excess."),
        (lambda: min_track_record_length(0.1, confidence=1.0), "^confidence: 1.0; give"),
        (lambda: min_track_record_length(0.1, confidence=0.5), "^confidence: 0.5; give"),
        (lambda: expected_max_sharpe(0, 0.1), "^trials: 0; give .* at least 1"),
        (lambda: deflated_sharpe(0.1, 9, 3, -0.1), "^trials_variance: -0.1; give"),
        (lambda: expected_max_sharpe(3, math.inf), "^trials_variance: inf; give"),
        (lambda: sharpe_moments([0.1]), r"^returns: shape \(1,\); give .* at least 2"),
        (lambda: sharpe_moments([[0.1, 0.2]]), r"^returns: shape \(1, 2\)"),
        (lambda: sharpe_moments([0.1, math.nan]), "^returns: period 1 is nan; give"),
    ],
)
def test_impossible_arguments_are_refused_in_one_line(call, message):
    with pytest.raises(InputError, match=message) as refusal:
        call()
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("shape", "blocks", "message"),
    [
        ((40,), 4, r"^returns: shape \(40,\); give \(n_periods, n_trials\)"),
        ((40, 1), 4, "at least 2 trials"),
        ((40, 3), 5, "^blocks: 5; give an even number from 2 to 24"),
        ((40, 3), 0, "^blocks: 0; give an even number"),
        ((40, 3), 26, "^blocks: 26; give an even number"),
        ((15, 3), 16, "^blocks: 16 for 15 periods .* fewer blocks or more periods"),
        ((3, 3), 2, "^blocks: 2 for 3 periods"),
    ],
)
def test_returns_that_cannot_be_split_are_refused_in_one_line(shape, blocks, message):
    with pytest.raises(InputError, match=message) as refusal:
        probability_of_backtest_overfitting(np.ones(shape), blocks=blocks)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_return_that_is_not_finite_is_refused_with_its_place(bad):
    r = noise(19, 40, 3)
    r[7, 2] = bad
    with pytest.raises(InputError, match=r"^returns: period 7 of trial 2 is -?(nan|inf); give"):
        probability_of_backtest_overfitting(r, blocks=4)
