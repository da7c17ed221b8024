import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hpi_bt.errors import InputError
from hpi_bt.stats.entries import entry_test
from hpi_bt.stats.forward import checked_bars
from hpi_bt.stats.slippage import prices_before_slippage

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
    got = entry_test(trades, opens, opens, session, draws=500)
    assert got.n == 10
    assert got.mean == pytest.approx(0.01)
    # a random entry in any of the two bars: 0 on average, its mean of 10 has sd .01/sqrt(10)
    assert got.random_mean == pytest.approx(0.0, abs=3 * 0.01 / math.sqrt(10 * 500))
    assert got.random_high == pytest.approx(0.006, abs=0.0021)
    assert got.percentile > 99.0
    # but at their own time of day all entries earn the same: nothing is special about these
    at_times = entry_test(
        trades, opens, opens, session, minutes_open=minutes_of(session), time_bucket=15, draws=50
    )
    assert at_times.random_mean == pytest.approx(0.01)
    assert at_times.percentile == 50.0
    assert math.isnan(at_times.p_value)


def test_random_entries_have_the_mean_of_all_possible_ones():
    opens, close, session = walk(1)
    entry, held, direction = one_a_session(1)
    trades = trades_at(entry, held, direction, opens)
    got = entry_test(trades, opens, close, session, minutes_open=minutes_of(session), draws=3000)
    bucket = (np.arange(session.size) % 26) // 2
    wanted, variance = 0.0, 0.0
    for e, h, d in zip(entry, held, direction, strict=True):
        possible = [
            d * (opens[b + h] / opens[b] - 1)
            for b in range(session.size - h)
            if bucket[b] == bucket[e] and session[b + h] == session[b]
        ]
        wanted += np.mean(possible) / entry.size
        variance += np.var(possible) / entry.size**2
    assert got.random_mean == pytest.approx(wanted, abs=4 * math.sqrt(variance / 3000))
    assert got.random_high - got.random_low == pytest.approx(3.92 * math.sqrt(variance), rel=0.15)


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
    opens = opens * (1 + 0.05 * session)  # a jump every night
    over_night = trades_at(np.arange(29) * 26 + 25, [1] * 29, [1] * 29, opens)
    got = entry_test(over_night, opens, close, session, draws=50)
    assert got.random_mean > 0.015
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
    assert got.random_mean == pytest.approx((close / opens - 1).mean(), abs=2e-5)


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


def slipped(trades, share):
    """The same trades, each fill worse by a share of its price."""
    d = trades["direction"]
    return trades.assign(
        entry_price=trades["entry_price"] * (1 + d * share),
        exit_price=trades["exit_price"] * (1 - d * share),
    )


@pytest.mark.parametrize("bps", [0.0, 1.0, 2.0])
def test_slippage_does_not_make_random_entries_bad(bps):
    p = []
    for seed in range(80):
        trades, *bars = random_rule("random", 300 + seed)
        p.append(entry_test(slipped(trades, bps / 1e4), *bars, draws=99, seed=seed).p_value)
    assert scipy.stats.binomtest(int((np.array(p) <= 0.05).sum()), 80, 0.05).pvalue > 1e-3
    assert scipy.stats.kstest(np.array(p) - 0.005, "uniform").pvalue > 1e-3


def test_slippage_at_the_open_is_taken_off_whatever_its_size():
    trades, *bars = random_rule("stop", 2)
    one, other = (entry_test(t, *bars, draws=99) for t in (trades, slipped(trades, 3e-4)))
    assert_allclose(one[:8], other[:8], rtol=1e-12)


def test_a_stop_is_given_back_the_slippage_and_other_prices_stay():
    opens = np.full(30, 100.0)
    bars = checked_bars(opens, opens, np.repeat(np.arange(10), 3))
    closed = trades_at(np.arange(0, 30, 3), [1] * 10, [1, -1] * 5, opens)
    closed = slipped(closed, 1e-3).assign(exit_reason="signal")
    closed.loc[0, ["exit_reason", "exit_price"]] = ["stop", 98.0 * 0.999]
    closed.loc[1, ["exit_reason", "exit_price"]] = ["stop", 103.0 * 1.001]
    closed.loc[2, ["exit_reason", "exit_price"]] = ["target", 104.0]
    closed.loc[3, "entry_price"] = 101.0  # sold dearer than the open: a limit order of its own
    closed.loc[4, "entry_price"] = 100.05  # slippage that the bar's extreme has capped
    closed.loc[6, "entry_price"] = 102.0  # far worse than the open: a stop order of its own
    came, went = prices_before_slippage(closed, bars)
    assert_allclose(came, [100, 100, 100, 101, 100, 100, 102, 100, 100, 100], rtol=1e-12)
    assert_allclose(went, [98, 103, 104, *[100] * 7], rtol=1e-7)
    # the bar's extreme has capped the first stop's slippage; the second was moved since
    capped = closed.assign(stop_price=[98.0, 105.0, *[np.nan] * 8])
    capped.loc[0, "exit_price"] = 97.99
    assert_allclose(prices_before_slippage(capped, bars)[1][:2], [98, 103], rtol=1e-12)


def test_entries_at_prices_of_their_own_are_not_taken_for_slippage():
    opens = np.full(30, 100.0)
    bars = checked_bars(opens, opens, np.repeat(np.arange(10), 3))
    closed = trades_at(np.arange(0, 30, 3), [1] * 10, [1] * 10, opens)
    closed["entry_price"] = 100.0 + np.random.default_rng(1).uniform(0.01, 1.0, 10)
    came, _ = prices_before_slippage(closed, bars)
    assert_allclose(came, closed["entry_price"], rtol=0)


@pytest.mark.parametrize("bps", [0.0, 2.0])
def test_skill_is_found(bps):
    opens, close, session = walk(9)
    entry = (np.arange(30)[:, None] * 26 + [3, 9, 15]).reshape(-1)
    knows = np.where(opens[entry + 4] > opens[entry], 1, -1)
    knows[np.random.default_rng(9).random(90) < 0.25] *= -1  # right in three of four
    trades = slipped(trades_at(entry, [4] * 90, knows, opens), bps / 1e4)
    got = entry_test(trades, opens, close, session)
    assert got.p_value < 0.02
    assert got.percentile > 98.0
    assert got.t > 2.0


def test_the_test_repeats_with_its_seed_and_leaves_open_trades_out():
    trades, *bars = random_rule("random", 1)
    more = pd.concat([trades, trades.iloc[:1].assign(status="open", exit_price=np.nan)])
    assert entry_test(trades, *bars, draws=50) == entry_test(more, *bars, draws=50)
    assert entry_test(trades, *bars, draws=50) != entry_test(trades, *bars, draws=50, seed=1)


def test_too_few_trades_say_so():
    trades, *bars = random_rule("random", 1)
    none = entry_test(trades.iloc[:0], *bars)
    assert (none.n, none.note) == (0, "no closed trade")
    assert math.isnan(none.mean)
    few = entry_test(trades[trades["entry_bar"] < 26 * 5], *bars, draws=50)
    assert few.note == "5 sessions with trades, 8 needed"
    assert math.isnan(few.p_value)
    assert math.isfinite(few.percentile)
    unpriced = trades.assign(exit_price=[np.nan, *trades["exit_price"][1:]])
    assert entry_test(unpriced, *bars).note == "1 trades without a price"


def test_trades_that_do_not_belong_to_the_bars_are_refused():
    trades, *bars = random_rule("random", 1)
    with pytest.raises(InputError, match=r"^trades: no column 'direction' \(found: entry_bar"):
        entry_test(trades.drop(columns="direction"), *bars)
    with pytest.raises(InputError, match=r"^trades: row 0 runs from bar \d+ to 9999 of 780 bars"):
        entry_test(trades.assign(exit_bar=9999), *bars)
    with pytest.raises(InputError, match="no bar from which 4 bars on the open is known"):
        entry_test(trades, np.full(780, np.nan), *bars[1:])


def test_prices_are_returns_whatever_the_unit():
    trades, opens, close, session = random_rule("stop", 2)
    cents = trades.assign(
        entry_price=trades["entry_price"] * 100, exit_price=trades["exit_price"] * 100
    )
    one = entry_test(trades, opens, close, session, draws=99)
    other = entry_test(cents, opens * 100, close * 100, session, draws=99)
    assert_allclose(one[:8], other[:8], rtol=1e-9, atol=1e-15)
