import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hpi_bt.errors import InputError
from hpi_bt.stats.entries import entry_test, trial_of_entries
from hpi_bt.stats.forward import checked_bars

law = settings(max_examples=15, deadline=None)


def walk(seed, sessions=30, length=26):
    """Opens and closes of a random walk, stormier in some sessions, and the session of each bar."""
    rng = np.random.default_rng(seed)
    storm = np.exp(0.5 * rng.normal(size=sessions))
    change = 1e-3 * np.repeat(storm, length) * rng.normal(size=sessions * length)
    close = 100 * np.exp(np.cumsum(change))
    return np.append(100.0, close[:-1]), close, np.repeat(np.arange(sessions), length)


def trades_at(entry, held, direction, opens, *, stop=None):
    """Closed trades from open to open; `stop` closes at that adverse return, where it is met."""
    rows = []
    for e, h, d in zip(entry, held, direction, strict=True):
        path = d * (opens[e + 1 : e + h + 1] / opens[e] - 1.0)
        hit = np.flatnonzero(path <= -(stop or np.inf))
        bars = int(hit[0]) + 1 if hit.size else h
        rows.append((e, e + bars, d, opens[e], opens[e + bars], "closed"))
    names = ["entry_bar", "exit_bar", "direction", "entry_price", "exit_price", "status"]
    return pd.DataFrame(rows, columns=names)


def one_a_session(seed, sessions=30, length=26):
    rng = np.random.default_rng(seed)
    entry = np.arange(sessions) * length + rng.integers(1, 15, sessions)
    return entry, rng.integers(1, 9, sessions), rng.choice([-1, 1], sessions)


def minutes_of(session):
    return 15.0 * (np.arange(session.size) - np.searchsorted(session, session) + 1)


def test_worked_example():
    # 10 sessions of 3 bars: open to open from the first bar earns 1 %, from the second -1 %
    opens = np.tile([100.0, 101.0, 101.0 * 0.99], 10)
    session = np.repeat(np.arange(10), 3)
    trades = trades_at(np.arange(10) * 3, [1] * 10, [1] * 10, opens)
    # at their own time of day all entries earn the same: nothing is special about these
    got = entry_test(trades, opens, opens, session, minutes_open=minutes_of(session), draws=50)
    assert got.n == 10
    assert got.mean == got.random_mean == pytest.approx(0.01)
    assert math.isnan(got.p_value)
    assert got.note.startswith("every entry is worth what its time of day is")


def by_hand(trades, opens, close, session):
    """What buying at each bar is worth over the holding times of all trades, by plain loops."""
    held = (trades["exit_bar"] - trades["entry_bar"]).tolist()
    worth = np.empty(opens.size)
    for b in range(opens.size):
        end = np.flatnonzero(session == session[b])[-1]
        leaves = [min(b + h, end) for h in held]
        prices = [opens[e] if e > b else close[b] for e in leaves]
        worth[b] = np.mean([price / opens[b] - 1.0 for price in prices])
    return worth


def test_entries_are_valued_over_the_holding_times_of_all_trades():
    opens, close, session = walk(1)
    entry, held, direction = one_a_session(1)
    held[::7] = 0
    trades = trades_at(entry, held, direction, opens)
    got = entry_test(trades, opens, close, session, minutes_open=minutes_of(session), draws=3000)
    worth = by_hand(trades, opens, close, session)
    assert got.mean == pytest.approx(np.mean(direction * worth[entry]), rel=1e-12)
    bucket = (np.arange(session.size) % 26) // 2
    usual = np.array([worth[bucket == b].mean() for b in range(13)])[bucket]
    typical = np.mean(direction * usual[entry])
    assert got.random_mean == pytest.approx(typical, abs=4e-5)
    sums = np.bincount(session[entry], direction * (worth - usual)[entry], 30)
    rest = sums - sums.sum() / 30
    for b, d in zip(bucket[entry], direction, strict=True):  # what each took off its time of day
        same = bucket == b
        rest -= d * np.bincount(session[same], (worth - usual)[same], 30) / same.sum()
    error = np.sqrt(np.square(rest).sum()) / 30
    assert got.t == pytest.approx((got.mean - typical) / error, rel=1e-9)


def test_what_ended_a_trade_does_not_make_its_entry_good():
    """Leaving at the first profit: every trade wins, and no entry knows anything."""
    opens, close, session = walk(7)
    entry = np.arange(30) * 26 + np.random.default_rng(7).integers(2, 8, 30)
    path = np.array([np.append(opens, 0.0)[e + 1 : e + 19] / opens[e] - 1.0 for e in entry])
    won = np.where((path > 0).any(axis=1), (path > 0).argmax(axis=1) + 1, 18)
    trades = trades_at(entry, won, [1] * 30, opens)
    made = trades["exit_price"] / trades["entry_price"] - 1.0
    assert (made > 0).mean() > 0.75
    assert entry_test(trades, opens, close, session, minutes_open=minutes_of(session)).p_value > 0.1


@law
@given(st.integers(0, 999))
def test_turning_every_trade_round_mirrors_the_test(seed):
    opens, close, session = walk(seed)
    entry, held, direction = one_a_session(seed)
    one, other = (
        entry_test(trades_at(entry, held, d, opens), opens, close, session, draws=99)
        for d in (direction, -direction)
    )
    assert one.mean == pytest.approx(-other.mean)
    assert one.random_mean == pytest.approx(-other.random_mean)
    assert one.t == pytest.approx(-other.t)
    assert one.p_value == other.p_value
    assert one.percentile == pytest.approx(100.0 - other.percentile)


def test_sessions_that_lack_the_bar_are_replaced_and_the_count_stays():
    opens, close, session = walk(3)
    keep = ~((session % 3 == 0) & (np.arange(session.size) % 26 >= 8))  # a third are half days
    opens, close, session = opens[keep], close[keep], session[keep]
    start = np.searchsorted(session, np.arange(30))
    late = [start[s] + 15 for s in range(30) if s % 3]
    trades = trades_at(late, [4] * 20, [1] * 20, opens)
    minutes = minutes_of(session)
    got = entry_test(trades, opens, close, session, minutes_open=minutes, draws=400)
    assert got.n == 20
    possible = [
        opens[start[s] + k + 4] / opens[start[s] + k] - 1 for s in range(30) if s % 3
        for k in (14, 15)
    ]  # fmt: skip
    assert got.random_mean == pytest.approx(np.mean(possible), abs=8e-5)


def test_trades_over_night_meet_trades_over_night_and_daily_bars_any_bar():
    opens, close, session = walk(4)
    opens, close = (x * 1.05**session for x in (opens, close))  # a jump every night
    over_night = trades_at(np.arange(29) * 26 + 25, [1] * 29, [1] * 29, opens)
    got = entry_test(over_night, opens, close, session, draws=50)
    assert got.random_mean == pytest.approx(0.05, abs=0.004)
    assert got.p_value > 0.1  # every session's last bar is so good
    within = trades_at(np.arange(29) * 26 + 5, [1] * 29, [1] * 29, opens)
    assert abs(entry_test(within, opens, close, session, draws=50).random_mean) < 0.001
    daily = trades_at(np.arange(0, 700, 9), [5] * 78, [1] * 78, opens)
    assert entry_test(daily, opens, close, np.arange(opens.size), draws=50).note == ""


def test_a_trade_that_held_no_bar_is_measured_to_the_close():
    opens, close, session = walk(5)
    entry = np.arange(30) * 26 + 3
    trades = trades_at(entry, [1] * 30, [1] * 30, opens)
    trades["exit_bar"] = trades["entry_bar"]
    got = entry_test(trades, opens, close, session, draws=2000)
    assert got.mean == pytest.approx((close / opens - 1)[entry].mean())
    assert got.random_mean == pytest.approx((close / opens - 1)[3::26].mean(), abs=2e-5)


def random_rule(kind, seed):
    """Trades without any skill on a random walk: stops, storms, trends."""
    opens, close, session = walk(seed)
    rng = np.random.default_rng(5000 + seed)
    entry = np.concatenate([s * 26 + rng.choice([4, 9, 14], 2, replace=False) for s in range(30)])
    entry.sort()
    direction = rng.choice([-1, 1], entry.size)
    move = opens[entry] / opens[entry - 3] - 1.0
    if kind == "trend":
        direction = np.where(move > 0, 1, -1)
    keep = np.abs(move) > np.median(np.abs(move)) if kind == "storm" else np.full(60, True)
    stop = 1e-3 if kind == "stop" else None
    trades = trades_at(entry[keep], [4] * keep.sum(), direction[keep], opens, stop=stop)
    return trades, opens, close, session


@pytest.mark.parametrize("kind", ["random", "trend", "storm", "stop"])
def test_without_skill_p_is_uniform(kind):
    p = []
    for seed in range(60):
        trades, *bars = random_rule(kind, seed)
        p.append(entry_test(trades, *bars, draws=99, seed=seed).p_value)
    assert scipy.stats.kstest(np.array(p) - 0.005, "uniform").pvalue > 1e-3
    assert scipy.stats.binomtest(int((np.array(p) <= 0.05).sum()), 60, 0.05).pvalue > 1e-3


def test_prices_and_reasons_of_the_fills_play_no_part():
    """Costs, a stop and a limit order change what a trade earned, not what its entry was worth."""
    trades, *bars = random_rule("stop", 2)
    dear = trades.assign(entry_price=trades["entry_price"] * 1.01, exit_price=1.0)
    assert entry_test(trades, *bars, draws=99) == entry_test(dear, *bars, draws=99)


def test_skill_is_found():
    opens, close, session = walk(9)
    entry = (np.arange(30)[:, None] * 26 + [3, 9, 15]).reshape(-1)
    knows = np.where(opens[entry + 4] > opens[entry], 1, -1)
    knows[np.random.default_rng(9).random(90) < 0.25] *= -1  # right in three of four
    trades = trades_at(entry, [4] * 90, knows, opens)
    got = entry_test(trades, opens, close, session)
    assert got.p_value < 0.02
    assert got.percentile > 98.0
    assert got.t > 2.0


def test_a_trade_still_open_counts_with_its_bars_so_far():
    trades, *bars = random_rule("random", 1)
    last = trades.iloc[-1:].assign(exit_bar=bars[0].size - 1)
    so_far = pd.concat([trades.iloc[:-1], last.assign(status="open", exit_bar=np.nan)])
    closed = pd.concat([trades.iloc[:-1], last])
    assert entry_test(so_far, *bars, draws=50) == entry_test(closed, *bars, draws=50)


def test_the_test_repeats_with_its_seed():
    trades, *bars = random_rule("random", 1)
    assert entry_test(trades, *bars, draws=50) == entry_test(trades, *bars, draws=50)
    assert entry_test(trades, *bars, draws=50) != entry_test(trades, *bars, draws=50, seed=1)


def test_too_few_trades_say_so():
    trades, *bars = random_rule("random", 1)
    none = entry_test(trades.iloc[:0], *bars)
    assert (none.n, none.note) == (0, "no trade")
    assert math.isnan(none.mean)
    few = entry_test(trades[trades["entry_bar"] < 26 * 5], *bars, draws=50)
    assert few.note == "5 sessions with entries, 8 needed"
    assert math.isnan(few.p_value)
    assert math.isfinite(few.percentile)
    opens = bars[0].copy()
    opens[trades["entry_bar"].iloc[0]] = np.nan
    assert entry_test(trades, opens, *bars[1:]).note == "1 trade without a price"


def test_entries_at_the_same_times_of_every_session_cannot_be_told_from_others():
    opens, close, session = walk(1)
    trades = trades_at(np.arange(30) * 26 + 5, [4] * 30, [1] * 30, opens)
    got = entry_test(trades, opens, close, session, minutes_open=minutes_of(session), draws=50)
    assert got.note == "every session has the same entries: exchanging them changes nothing"
    assert math.isnan(got.p_value)


@pytest.mark.parametrize("draws", [-1, 0, 1, 18])
def test_draws_that_cannot_make_a_p_small_are_refused(draws):
    trades, *bars = random_rule("random", 1)
    with pytest.raises(InputError, match=rf"^draws: {draws}; give at least 19, better 1000"):
        entry_test(trades, *bars, draws=draws)


def test_trades_that_do_not_belong_to_the_bars_are_refused():
    trades, *bars = random_rule("random", 1)
    with pytest.raises(InputError, match=r"^trades: no column 'direction' \(found: entry_bar"):
        entry_test(trades.drop(columns="direction"), *bars)
    with pytest.raises(InputError, match=r"^trades: row 0 runs from bar \d+ to 9999 of 780 bars"):
        entry_test(trades.assign(exit_bar=9999), *bars)
    for none in (0, np.nan):
        with pytest.raises(InputError, match=rf"row 0 has direction {none}; wanted 1 or -1"):
            entry_test(trades.assign(direction=none), *bars)
    unknown = entry_test(trades, np.full(780, np.nan), *bars[1:])
    assert unknown.note == "60 trades without a price"


def test_prices_are_returns_whatever_the_unit():
    trades, opens, close, session = random_rule("stop", 2)
    cents = trades.assign(
        entry_price=trades["entry_price"] * 100, exit_price=trades["exit_price"] * 100
    )
    one = entry_test(trades, opens, close, session, draws=99)
    other = entry_test(cents, opens * 100, close * 100, session, draws=99)
    assert_allclose(one[:8], other[:8], rtol=1e-9, atol=1e-15)


def test_a_trade_that_ran_over_the_end_of_its_session_is_valued_all_the_same():
    trades, *bars = random_rule("random", 1)
    late = trades.iloc[:1].assign(entry_bar=25, exit_bar=30)  # from the first session's last bar
    got = entry_test(pd.concat([late, trades.iloc[2:]]), *bars, draws=50)
    assert got.n == 59
    assert got.note == ""
    assert math.isfinite(got.p_value)


def test_where_no_shift_can_make_p_small_enough_nothing_is_called_detectable():
    opens, close, session = walk(2)
    checked = checked_bars(opens, close, session)
    entry = np.arange(29) * 26 + np.random.default_rng(2).integers(5, 25, 29)
    over_night = trades_at(entry, [26] * 29, [1] * 29, opens)
    # 30 sessions: p is never under 1/30
    one, many = (trial_of_entries(over_night, checked, draws=1000, tests=m) for m in (1, 4))
    assert one.p_value >= 1 / 30
    assert math.isfinite(one.detectable)
    assert math.isinf(many.detectable)
