import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hpi_bt.errors import InputError
from hpi_bt.stats.correlation import information_coefficient
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


# --- daily bars ---


def daily_bars(seed, n=400, trend=60):
    """The move of `trend` days as a line, open and close of a market without an edge."""
    rng = np.random.default_rng(seed)
    change = 0.01 * rng.normal(size=n + trend)
    whole = np.cumsum(change)
    close = 100 * np.exp(whole[trend:])
    opens = close * np.exp(0.003 * rng.normal(size=n))
    return whole[trend:] - whole[:n], opens, close


def slow_t(line, opens, close, horizon):
    """The t of daily bars as its docstring has it, by loops over pairs of bars."""
    n, m = line.size, line.size - horizon
    near = min(252, m // 4)
    far = np.zeros(n)
    for t in range(m):
        for s in range(m):
            far[t] += np.sign(line[t] - line[s]) / 2 / m if abs(t - s) > near else 0.0
    first, later = close / opens, np.append(np.nan, close[1:] / close[:-1])
    sums, counts = np.zeros((2, -(-n // 21)))
    for kind, moves in ((0, first), (1, later)):
        known = np.isfinite(moves)
        rank = scipy.stats.rankdata(moves[known])
        values = np.zeros(n)
        values[known] = (rank - (rank.size + 1) / 2) / rank.size
        for t in range(m):
            for ahead in range(2, horizon + 1) if kind else (1,):
                sums[(t + ahead) // 21] += far[t] * values[t + ahead]
    for t in range(m):
        counts[t // 21] += 1
    effect = sums.sum() / counts.sum()
    return sums.sum() / math.sqrt(((sums - effect * counts) ** 2).sum())


@pytest.mark.parametrize("horizon", [1, 4])
def test_the_p_of_daily_bars_equals_that_of_loops_over_pairs(horizon):
    line, opens, close = daily_bars(1, n=230)
    row = information_coefficient(line, opens, close, np.arange(230), (horizon,)).loc[horizon]
    rank = scipy.stats.rankdata(line[: 230 - horizon])
    left, total = rank - rank.mean(), 1.0
    for lag in range(1, rank.size):
        rho = left[lag:] @ left[:-lag] / (left @ left)
        if rho <= 0.0:
            break
        total += 2.0 * rho
    size = abs(slow_t(line, opens, close, horizon))
    freedom = rank.size / total
    assert freedom < 10.0  # of 11 blocks: the line is slow
    assert row["p_value"] == pytest.approx(2 * scipy.stats.t.sf(size, freedom))


def test_the_error_of_daily_bars_is_the_spread_over_many_markets():
    found = []
    for seed in range(150):
        _, opens, close = daily_bars(seed, n=500)
        line = np.convolve(np.random.default_rng(seed + 900).normal(size=504), np.ones(5), "valid")
        table = information_coefficient(line, opens, close, np.arange(500), (1, 5))
        found.append(table[["ic", "t"]].to_numpy())
    ic, t = np.moveaxis(np.array(found, dtype=float), -1, 0)
    assert_allclose((ic / t).mean(axis=0), ic.std(axis=0), rtol=0.2)


def test_daily_lines_that_tell_the_next_days_are_found():
    rng = np.random.default_rng(3)
    line = rng.normal(size=500)
    close = 100 * np.exp(np.cumsum(0.01 * (rng.normal(size=500) + 0.4 * np.append(0, line[:-1]))))
    opens = np.append(100.0, close[:-1])
    table = information_coefficient(line, opens, close, np.arange(500), (1, 5))
    assert (table["p_value"] < 0.02).all()
    assert (table["t"] * table["ic"] > 0.0).all()


# --- times of day ---


def test_with_times_the_line_ranks_with_what_is_over_the_mean_of_its_time_of_day():
    _, opens, close, session = bars(6, sessions=40)
    clock = np.tile(np.arange(12.0), 40) + 0.01 * np.random.default_rng(1).normal(size=480)
    close = close * np.exp(np.cumsum(0.004 * (np.tile(np.arange(12), 40) - 5.5)))
    opens = np.append(100.0, close[:-1])
    minutes = np.tile(30.0 * np.arange(1, 13), 40)
    blind = information_coefficient(clock, opens, close, session, (1,)).loc[1]
    told = information_coefficient(clock, opens, close, session, (1,), minutes_open=minutes).loc[1]
    assert blind["ic"] > 0.5
    assert abs(told["ic"]) < 0.1
