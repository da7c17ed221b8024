from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.kernels.sessions import (
    previous_session_mean,
    same_slot_score,
    session_average,
    session_sum,
)
from kernels.market import law, magnitudes, market, seeds
from reference import pressure as slow

NAN = np.nan
X = np.array([1.0, 3.0, 8.0, 5.0, NAN, 2.0])
DAY = np.array([4.0, 4.0, 4.0, 6.0, 6.0, 6.0])


def test_worked_examples():
    assert_array_equal(session_sum(X, DAY), [1, 4, 12, 5, NAN, 7])
    # ema(2), alpha 2/3: 1, (1 + 3)/2 = 2, 2 + 2/3 * 6 = 6; afresh 5, held, (5 + 2)/2
    assert_allclose(session_average(X, DAY, 2, "ema"), [1, 2, 6, 5, 5, 3.5])
    # sma(2): unknown while the gap lies in its window
    assert_allclose(session_average(X, DAY, 2, "sma"), [1, 2, 5.5, 5, NAN, NAN])
    assert_allclose(previous_session_mean(X, DAY), [NAN, NAN, NAN, 4, 4, 4])


def test_a_slot_is_scored_against_its_last_bar_of_earlier_sessions():
    session = np.array([1.0, 1.0, 1.0, 2.0, 3.0, 3.0, 4.0])
    slot = np.array([0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0])
    x = np.array([99.0, 2.0, 50.0, 4.0, 60.0, 9.0, 1.0])
    # slot 0 holds 2 (not 99), then 2 and 4: mean 3, std 1: (9 - 3)/1; then 4 and 9: 6.5, 2.5
    got = same_slot_score(x, session, slot, sessions=2, at_least=2)
    assert_allclose(got, [NAN, NAN, NAN, NAN, NAN, 6, -5.5 / 2.5])


def test_alike_sessions_score_zero_and_an_unknown_slot_is_unknown():
    session, x = np.arange(7.0), np.array([0.1] * 6 + [5.0])
    assert_array_equal(same_slot_score(x, session, np.zeros(7)), [NAN] * 5 + [0, 0])
    assert np.isnan(same_slot_score(x, session, np.full(7, NAN))).all()


def test_sessions_without_the_slot_do_not_count():
    session = np.arange(8.0)
    x = np.array([1.0, 3.0, NAN, NAN, 1.0, 3.0, NAN, 4.0])
    got = same_slot_score(x, session, np.zeros(8), sessions=4, at_least=4)
    assert_allclose(got, [NAN] * 7 + [2])  # 1, 3, 1, 3: mean 2, std 1


@law
@given(seeds, magnitudes)
def test_sums_and_previous_means_equal_the_reference(seed, magnitude):
    frame = market(seed, 200, magnitude=magnitude)
    x, session = frame["oscillator"], frame["session"]
    size = np.nanmax(np.abs(x))
    for fast, obvious in (
        (session_sum, slow.session_sum),
        (previous_session_mean, slow.previous_session_mean),
    ):
        assert_allclose(fast(x, session), obvious(x, session), rtol=0, atol=1e-13 * size)


@law
@given(seeds, magnitudes, st.integers(1, 25), st.sampled_from(["ema", "sma"]))
def test_session_averages_equal_the_reference(seed, magnitude, period, kind):
    frame = market(seed, 200, magnitude=magnitude)
    x, session = frame["oscillator"], frame["session"]
    wanted = slow.session_average(x, session, period, kind)
    size = np.nanmax(np.abs(x))
    assert_allclose(session_average(x, session, period, kind), wanted, rtol=0, atol=1e-13 * size)


@law
@given(seeds, magnitudes, st.integers(2, 6), st.integers(0, 10))
def test_same_slot_scores_equal_the_exact_ones(seed, magnitude, at_least, more):
    frame = market(seed, 300, magnitude=magnitude, longest=12)
    args = frame["raw"], frame["session"], frame["slot"]
    options = {"sessions": at_least + more, "at_least": at_least}
    got, wanted = same_slot_score(*args, **options), slow.same_slot_score(*args, **options)
    assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)


def test_same_slot_scores_at_magnitude_1e12_with_sd_1_against_exact_fractions():
    rng = np.random.default_rng(4)
    x, session = 1e12 + rng.normal(size=400), np.repeat(np.arange(100.0), 4)
    slot = np.tile(np.arange(4.0), 100)
    got, wanted = same_slot_score(x, session, slot), slow.same_slot_score(x, session, slot)
    assert_allclose(got, wanted, rtol=1e-11, atol=1e-11)


def test_equal_pandas():
    frame = market(17, 500, gaps=0.0)
    x, session = pd.Series(frame["oscillator"]), pd.Series(frame["session"])
    assert_allclose(session_sum(x, session), x.groupby(session).cumsum())
    means = x.groupby(session).mean().shift()
    assert_allclose(previous_session_mean(x, session), session.map(means))
    rolling = x.groupby(session).rolling(6, min_periods=1).mean().reset_index(level=0, drop=True)
    assert_allclose(session_average(x, session, 6, "sma"), rolling, atol=1e-12)


@law
@given(seeds)
def test_a_session_starts_afresh(seed):
    frame = market(seed, 200)
    x, session = frame["oscillator"], frame["session"]
    later = session > session[100]
    for f in (session_sum, lambda x, s: session_average(x, s, 5, "ema")):
        assert_array_equal(f(x, session)[later], f(x[later], session[later]))


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="smoothing must be a whole number >= 1, got 0"):
        session_average(X, DAY, 0, "ema")
    with pytest.raises(ValueError, match="standard_sessions must be a whole number >= 5, got 4"):
        same_slot_score(X, DAY, DAY, sessions=4)
    for call in (session_sum, previous_session_mean):
        with pytest.raises(ValueError, match="of one length"):
            call(X, DAY[:3])
    with pytest.raises(ValueError, match="of one length"):
        same_slot_score(X, DAY, DAY[:2])


def test_an_unknown_kind_of_average_is_refused():
    with pytest.raises(ValueError, match="ema"):
        session_average(X, DAY, 2, "wma")
