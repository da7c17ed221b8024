"""The test of timing: worked by hand, against a slow version, honest without skill."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hpi_bt.errors import InputError
from hpi_bt.stats.timing import is_scaled, timing_test, trades_resized

law = settings(max_examples=15, deadline=None, derandomize=True, database=None)


def account_of(exposure, exposure_open=None, position=None):
    """What was held; by default orders change it at each open, after the gap."""
    w = np.asarray(exposure, dtype=float)
    opened = w if exposure_open is None else exposure_open
    held = w if position is None else position
    return pd.DataFrame({"position": held, "exposure": w, "exposure_open": opened})


def daily(seed, n):
    """Days whose returns have no memory, with volatility that lasts and rises after losses."""
    rng = np.random.default_rng(seed)
    z, e = rng.normal(size=(2, n))
    storm = np.zeros(n)
    for t in range(1, n):
        storm[t] = 0.97 * storm[t - 1] + 0.2 * e[t - 1] - 0.1 * z[t - 1]
    moves = 3e-4 + 0.01 * np.exp(np.minimum(storm, 2.0)) * np.clip(z, -6.0, 6.0)
    close = 100.0 * np.cumprod(1.0 + moves)
    return np.append(100.0, close[:-1]) * (1.0 + 0.3 * moves), close, moves, rng


def trend(moves, days):
    return np.convolve(moves, np.ones(days))[: moves.size]


def swing(moves):
    found, last = np.empty(moves.size), 1e-4
    for t, move in enumerate(moves):
        found[t] = last = 0.94 * last + 0.06 * move**2
    return np.sqrt(found)


def regime(n, rng, stay=25):
    """Shares that last `stay` days on average and know nothing."""
    fresh = np.append(True, rng.random(n - 1) < 1.0 / stay)
    return rng.choice([0.0, 0.33, 0.67, 1.0], n)[np.maximum.accumulate(np.arange(n) * fresh)]


RULES = {
    "regime": lambda moves, close, rng: regime(moves.size, rng),
    "trend": lambda moves, close, rng: np.where(trend(moves, 20) > 0.0, 1.0, 0.33),
    "dips": lambda moves, close, rng: np.where(trend(moves, 20) < 0.0, 1.0, 0.33),
    "calm": lambda moves, close, rng: np.minimum(1.0, 0.01 / swing(moves)),
    "storm": lambda moves, close, rng: np.minimum(3.0, swing(moves) / 0.01),
}


def outcome(rule, seed, n, shifts=199):
    opens, close, moves, rng = daily(seed, n)
    w = rule(moves, close, rng)  # decided at the close, held from the next open on
    account = account_of(np.append(0.0, w[:-1]))
    return timing_test(account, opens, close, np.arange(n), shifts=shifts, seed=seed)


def test_worked_example():
    # 24 days, open = close before: no gaps. Held 1 and 0 in turn; up 1 % where held, else down 1 %
    up = np.arange(24) % 2 == 0
    close = 100.0 * np.cumprod(np.where(up, 1.01, 0.99))
    opens = np.append(100.0, close[:-1])
    got = timing_test(account_of(np.where(up, 1.0, 0.0)), opens, close, np.arange(24))
    # over the average so far: day 1 -1, then held 1/2 of 1 % and not held (k + 1)/(2 k + 1) of it
    over = [0.0, 1.0]
    for k in range(2, 24):
        past = math.ceil(k / 2) / k
        over.append(1.0 - past if k % 2 == 0 else past)
    assert got.mean == pytest.approx(0.01 * sum(over) / 24, rel=1e-9)
    assert (got.sessions, got.changes, got.trades, got.resized) == (24, 23, 12, 0)
    assert got.exposure == pytest.approx(12 / 23.5, abs=0.03)
    # every other shift is as good, the rest as bad: nothing is rare
    assert got.p_value == 1.0 or got.p_value >= 0.4


def slow_t(account, opens, close, session, shift):
    """The statistic in loops: mean and t of sum (w - mean of earlier ones) r, sessions moved."""
    n, days = len(close), np.unique(session)
    place = np.zeros(n, dtype=int)
    for d in days:
        at = np.flatnonzero(session == d)
        place[at] = np.arange(at.size)
    held, earned = {}, {}
    for t in range(n):
        row = int(np.searchsorted(days, session[t]))
        if t:
            held[row, place[t], "gap"] = account["exposure"][t - 1]
            earned[row, place[t], "gap"] = opens[t] / close[t - 1] - 1.0
        held[row, place[t], "bar"] = account["exposure_open"][t]
        earned[row, place[t], "bar"] = close[t] / opens[t] - 1.0
    count = days.size
    moved = {((row + shift) % count, *leg): w for (row, *leg), w in held.items()}
    sums = np.zeros(count)
    for (row, *leg), r in earned.items():
        past = [moved[k, *leg] for k in range(row) if (k, *leg) in moved]
        if (row, *leg) in moved and past:
            sums[row] += (moved[row, *leg] - np.mean(past)) * r
    left = sums - sums.mean()
    return sums.mean(), sums.mean() * count / math.sqrt(left @ left)


@law
@given(st.integers(0, 999))
def test_every_shift_is_that_of_a_slow_version_half_days_among_them(seed):
    rng = np.random.default_rng(seed)
    lengths = rng.choice([3, 5, 5, 5], 22)
    session = np.repeat(np.arange(22) * 3, lengths)
    n = session.size
    close = 100.0 * np.cumprod(1.0 + 0.01 * rng.normal(size=n))
    opens = np.append(100.0, close[:-1]) * (1.0 + 1e-3 * rng.normal(size=n))
    account = account_of(rng.normal(size=n), rng.normal(size=n))
    got = timing_test(account, opens, close, session)
    slow = np.array([slow_t(account, opens, close, session, k) for k in range(22)])
    assert_allclose([got.mean, got.t], slow[0], rtol=1e-9)
    want = (1 + (np.abs(slow[1:, 1]) >= abs(slow[0, 1])).sum()) / 22
    assert got.p_value == pytest.approx(want)
    assert_allclose(got.random_mean, slow[1:, 0].mean(), rtol=1e-9, atol=1e-15)


@law
@given(st.integers(0, 999), st.floats(0.1, 5.0))
def test_leverage_and_sides_change_the_scale_and_not_the_verdict(seed, leverage):
    opens, close, _, rng = daily(seed, 60)
    w = regime(60, rng, stay=4)
    options = {"shifts": 30, "seed": 1}
    one = timing_test(account_of(w), opens, close, np.arange(60), **options)
    more = timing_test(account_of(-leverage * w), opens, close, np.arange(60), **options)
    if math.isnan(one.p_value):
        assert more.note == one.note
        return
    assert_allclose(more.mean, -leverage * one.mean, rtol=1e-9, atol=1e-15)
    assert_allclose([more.t, more.p_value], [-one.t, one.p_value], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", RULES)
def test_without_skill_p_is_uniform(kind):
    p = np.array([outcome(RULES[kind], seed, 500, shifts=99).p_value for seed in range(200)])
    p = p[np.isfinite(p)]
    assert p.size > 195  # else it changed fewer than eight times
    assert scipy.stats.kstest(p - 0.005, "uniform").pvalue > 1e-3
    assert scipy.stats.binomtest(int((p <= 0.05).sum()), p.size, 0.05).pvalue > 1e-3


def test_exposure_that_follows_the_level_of_the_price_is_not_taken_for_skill_as_a_rule():
    def fall(moves, close, rng):
        return -np.log(close)

    got = [outcome(fall, seed, 500, shifts=99) for seed in range(200)]
    often = np.mean([one.p_value <= 0.05 for one in got])
    assert often < 0.15  # less the mean of the whole sample it would be a third


def test_without_skill_p_is_uniform_for_intraday_positions_that_swell_and_shrink():
    p = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        session = np.repeat(np.arange(40), 13)
        storm = np.repeat(np.exp(0.5 * rng.normal(size=40)), 13)
        close = 100.0 * np.cumprod(1.0 + 1e-3 * storm * rng.normal(size=session.size))
        opens = np.append(100.0, close[:-1])
        back = np.append(np.zeros(3), close[3:] / close[:-3] - 1.0)
        w = np.clip(np.round(back / 2e-3), -3.0, 3.0)  # the further it has run, the more is held
        account = account_of(np.append(0.0, w[:-1]))
        p.append(timing_test(account, opens, close, session, seed=seed).p_value)
    p = np.array(p)
    assert scipy.stats.kstest(p - 0.0125, "uniform").pvalue > 1e-3
    assert scipy.stats.binomtest(int((p <= 0.05).sum()), 200, 0.05).pvalue > 1e-3


@pytest.mark.parametrize(("skill", "side"), [(1.0, 1.0), (-1.0, -1.0)])
def test_skill_is_found_on_either_side(skill, side):
    def knows(moves, close, rng):
        ahead = np.append(trend(moves[::-1], 5)[::-1][1:], 0.0)
        return np.where(skill * ahead + 0.03 * rng.normal(size=moves.size) > 0.0, 1.0, 0.4)

    found = [outcome(knows, seed, 500) for seed in range(10)]
    assert sum(one.p_value < 0.05 and side * one.t > 0.0 for one in found) >= 9


def test_a_steady_share_of_a_rising_market_is_no_timing():
    opens, close, _, _ = daily(3, 300)
    still = timing_test(account_of(np.full(300, 0.6)), opens, close, np.arange(300))
    assert still.note == "the exposure is the same throughout: there is no timing in it"
    # what was flat while it warmed up did not choose to miss the rise
    flat = np.append(np.zeros(200), np.full(100, 0.6))
    late = timing_test(account_of(flat), opens, close, np.arange(300))
    assert (late.sessions, late.note) == (100, "1 session with a change of position, 8 needed")


def test_a_test_repeats_with_its_seed():
    one, other, third = (outcome(RULES["regime"], 4, 300, shifts=50) for _ in range(3))
    assert one == other == third
    opens, close, _, rng = daily(4, 300)
    account = account_of(regime(300, rng))
    found = [timing_test(account, opens, close, np.arange(300), shifts=50, seed=s) for s in (1, 2)]
    assert found[0].mean == found[1].mean
    assert found[0] != found[1]


@pytest.mark.parametrize(
    ("position", "trades", "resized", "scaled"),
    [
        ([0, 5, 5, 0, -5, -5, 0], 2, 0, False),
        ([0, 5, 8, 0, -5, 5, 5], 3, 1, True),
        ([5, -5] * 20 + [3, 4], 41, 1, False),
        ([0, 0], 0, 0, False),
    ],
)
def test_a_position_that_changes_size_while_held_is_scaled(position, trades, resized, scaled):
    held = np.array(position, dtype=float)
    assert trades_resized(held) == (trades, resized)
    assert is_scaled(held) is scaled


def test_too_little_to_judge_says_so():
    opens, close, _, rng = daily(5, 40)
    w = regime(40, rng, stay=3)
    few = timing_test(account_of(w[:15]), opens[:15], close[:15], np.arange(15))
    assert few.note.endswith("sessions from the first position on, 20 needed")
    once = timing_test(account_of(np.repeat([1.0, 0.5], 20)), opens, close, np.arange(40))
    assert once.note == "1 session with a change of position, 8 needed"
    none = timing_test(account_of(np.zeros(40)), opens, close, np.arange(40))
    assert (none.sessions, math.isnan(none.p_value)) == (0, True)


def test_accounts_that_do_not_belong_to_the_bars_are_refused():
    opens, close, _, _ = daily(5, 30)
    account = account_of(np.ones(30))
    with pytest.raises(InputError, match=r"account: no column 'exposure_open' \(found: position"):
        timing_test(account.drop(columns="exposure_open"), opens, close, np.arange(30))
    with pytest.raises(InputError, match=r"account: 29 rows for 30 bars; give one row a bar"):
        timing_test(account[1:], opens, close, np.arange(30))
