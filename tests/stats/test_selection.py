from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpi_bt.stats.overfitting import probability_of_backtest_overfitting
from hpi_bt.stats.selection import overfitting_of
from reference import overfitting as slow


def returns_of(points, sessions, seed=0):
    return np.random.default_rng(seed).normal(0.001, 0.01, (points, sessions))


def test_the_best_is_judged_by_the_number_and_spread_of_the_trials():
    returns = returns_of(20, 250)
    best = int((returns.mean(axis=1) / returns.std(axis=1, ddof=1)).argmax())
    got = overfitting_of(returns, best)
    row = returns[best]
    sharpes = returns.mean(axis=1) / returns.std(axis=1, ddof=1)
    centred = row - row.mean()
    skew = (centred**3).mean() / (centred**2).mean() ** 1.5
    kurtosis = (centred**4).mean() / (centred**2).mean() ** 2
    want = slow.probabilistic_sharpe(sharpes[best], 250, skew, kurtosis, 0.0)
    assert got["probabilistic_sharpe"] == pytest.approx(float(want), abs=1e-3)
    bar = float(slow.expected_max_sharpe(20, sharpes.var(ddof=1)))
    deflated = slow.probabilistic_sharpe(sharpes[best], 250, skew, kurtosis, bar)
    assert got["deflated_sharpe"] == pytest.approx(float(deflated), abs=1e-3)
    assert got["deflated_sharpe"] < got["probabilistic_sharpe"]
    assert (got["trials"], got["sessions"], got["cscv_blocks"]) == (20, 250, 16)
    pbo = probability_of_backtest_overfitting(returns.T, blocks=16)
    assert got["probability_of_overfitting"] == pbo.probability


def test_a_single_point_is_deflated_by_nothing():
    got = overfitting_of(returns_of(1, 100), 0)
    assert got["deflated_sharpe"] == got["probabilistic_sharpe"]
    assert "probability_of_overfitting" not in got


def test_a_point_that_never_traded_has_no_sharpe_to_judge():
    returns = returns_of(3, 40)
    returns[1] = 0.0
    got = overfitting_of(returns, 1)
    assert "deflated_sharpe" not in got
    assert 0.0 <= got["probability_of_overfitting"] <= 1.0


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(1, 40), st.integers(0, 99))
def test_any_number_of_points_and_sessions_is_answered_with_probabilities(points, sessions, seed):
    returns = returns_of(points, sessions, seed)
    got = overfitting_of(returns, points - 1)
    assert (got["trials"], got["sessions"]) == (points, sessions)
    for name in ("probabilistic_sharpe", "deflated_sharpe", "probability_of_overfitting"):
        assert 0.0 <= got.get(name, 0.5) <= 1.0
    assert ("deflated_sharpe" in got) == (sessions >= 4)
