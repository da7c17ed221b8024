import datetime as dt
import math
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.errors import InputError
from hpi_bt.stats.metrics import (
    choice_score,
    drawdown,
    exposure,
    longest_run,
    performance,
    session_returns,
    trade_metrics,
)

D = dt.date(2024, 3, 8).toordinal()  # a Friday; the session after it is Monday, D + 3


def curve(values):
    index = pd.date_range("2024-03-08 15:00", periods=len(values), freq="30min", tz="UTC")
    return pd.Series(values, index=index, dtype=float)


def trades(*rows):
    return pd.DataFrame(rows, columns=["net", "bars", "status"])


paths = st.lists(st.tuples(st.integers(0, 1), st.floats(10.0, 1e6)), min_size=1, max_size=40)
returns_lists = st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=60)


def test_session_returns_by_hand_keep_flat_sessions_and_naive_dates():
    equity = curve([101.0, 110.0, 110.0, 110.0, 99.0])
    got = session_returns(equity, [D, D, D + 3, D + 3, D + 4], 100.0)
    assert_allclose(got.to_numpy(), [0.10, 0.0, -0.10], rtol=1e-15)
    assert list(got.index) == [pd.Timestamp(d) for d in ("2024-03-08", "2024-03-11", "2024-03-12")]
    assert got.index.tz is None


@given(paths)
def test_compounded_session_returns_lead_from_the_start_to_the_last_value(path):
    session = D + np.cumsum([step for step, _ in path])
    got = session_returns(curve([v for _, v in path]), session, 1000.0)
    assert len(got) == np.unique(session).size
    assert_allclose(
        1000.0 * np.prod(1.0 + got.to_numpy()), path[-1][1], rtol=1e-8
    )  # falls of 1e5 cancel


def test_session_returns_agree_with_a_pandas_grouping():
    rng = np.random.default_rng(1)
    session = D + np.repeat(np.arange(50), 7)
    equity = curve(1e5 * np.cumprod(1.0 + rng.normal(0.0, 0.002, session.size)))
    last = pd.Series(equity.to_numpy()).groupby(session).last()
    assert_allclose(
        session_returns(equity, session, 1e5).to_numpy(),
        pd.concat([pd.Series([1e5]), last]).pct_change().to_numpy()[1:],
        rtol=1e-13,
        atol=1e-15,
    )


def test_a_ruined_account_returns_minus_one_once_and_then_nothing():
    days = [D, D + 3, D + 4, D + 5]
    for later in ((-20.0, 30.0, 40.0), (-20.0, -20.0, -30.0), (0.0, 10.0, 0.0)):
        got = session_returns(curve([50.0, *later]), days, 100.0)
        assert_array_equal(got.to_numpy(), [-0.5, -1.0, 0.0, 0.0])


def test_a_ruined_account_that_is_closed_out_above_zero_loses_what_it_lost():
    got = session_returns(curve([50.0, -20.0, 5.0, 5.0]), [D, D + 3, D + 4, D + 5], 100.0)
    assert_allclose(got.to_numpy(), [-0.5, -0.9, 0.0, 0.0])


def test_no_bars_give_no_sessions():
    assert session_returns(curve([]), [], 100.0).empty


@pytest.mark.parametrize(
    ("values", "session", "start", "message"),
    [
        ([1.0, 2.0], [D], 100.0, "1 ids for 2 equity values"),
        ([1.0], [D], 0.0, "start_value: 0.0"),
        ([1.0], [D], math.nan, "start_value: nan"),
        ([1.0, math.nan], [D, D], 100.0, "bar 1 is nan"),
        ([1.0, 2.0], [D, D - 1], 100.0, "falls at bar 1"),
    ],
)
def test_an_equity_curve_without_session_returns_is_refused(values, session, start, message):
    with pytest.raises(InputError, match=message):
        session_returns(curve(values), session, start)


def test_performance_by_hand():
    # 1.10, 0.99, 1.089: two sessions below the peak, 10 % at worst
    got = performance([0.10, -0.10, 0.10], periods_per_year=6)
    spread = math.sqrt((0.2**2 + 0.4**2 + 0.2**2) / 9 / 2)  # deviations 1/15, -2/15, 1/15
    assert_allclose(got.total_return, 0.089, rtol=1e-14)
    assert math.isnan(got.cagr)  # three sessions are no rate
    assert math.isnan(got.calmar)
    assert_allclose(got.volatility, spread * math.sqrt(6), rtol=1e-14)
    assert_allclose(got.sharpe, (0.1 / 3) / spread * math.sqrt(6), rtol=1e-13)
    assert_allclose(got.sortino, (0.1 / 3) / (0.1 / math.sqrt(3)) * math.sqrt(6), rtol=1e-13)
    assert_allclose(got.max_drawdown, -0.10, rtol=1e-14)
    assert (got.sessions, got.drawdown_sessions) == (3, 2)
    many = performance(np.tile([0.10, -0.10, 0.10], 7), periods_per_year=42)
    assert_allclose(many.cagr, 1.089**14 - 1.0, rtol=1e-13)
    assert_allclose(many.calmar, (1.089**14 - 1.0) / 0.10, rtol=1e-13)


def test_a_first_session_that_loses_is_a_drawdown_from_the_start():
    assert performance([-0.05, 0.01]).max_drawdown == pytest.approx(-0.05, rel=1e-14)


@given(returns_lists)
def test_drawdown_matches_a_slow_search_over_all_pairs(values):
    wealth = np.concatenate(([1.0], np.cumprod(1.0 + np.array(values))))
    slow = [wealth[t] / wealth[: t + 1].max() - 1.0 for t in range(1, wealth.size)]
    assert_allclose(drawdown(values), slow, rtol=1e-12, atol=1e-15)
    assert performance(values).max_drawdown <= 0.0


@given(returns_lists, st.floats(0.1, 1.0))
def test_sharpe_and_sortino_do_not_depend_on_leverage(values, leverage):
    r = np.round(np.array(values), 4)
    one, other = performance(r), performance(leverage * r)
    assert_allclose(other.sharpe, one.sharpe, rtol=1e-6, atol=1e-9)
    assert_allclose(other.sortino, one.sortino, rtol=1e-6, atol=1e-9)


@given(st.lists(st.booleans(), max_size=40))
def test_longest_run_matches_a_count_by_hand(flags):
    text = "".join("x" if f else " " for f in flags)
    assert longest_run(np.array(flags, dtype=bool)) == max(map(len, text.split()), default=0)


def test_performance_agrees_with_quantstats():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import quantstats.stats as qs

        rng = np.random.default_rng(5)
        r = pd.Series(rng.normal(4e-4, 0.01, 300), index=pd.bdate_range("2023-01-02", periods=300))
        r.iloc[0] = -0.03
        got = performance(r)
        assert_allclose(got.total_return, qs.comp(r), rtol=1e-12)
        assert_allclose(got.cagr, qs.cagr(r), rtol=1e-12)
        assert_allclose(got.sharpe, qs.sharpe(r), rtol=1e-12)
        assert_allclose(got.sortino, qs.sortino(r), rtol=1e-12)
        assert_allclose(got.volatility, qs.volatility(r), rtol=1e-12)
        assert_allclose(got.max_drawdown, qs.max_drawdown(r), rtol=1e-12)
        assert_allclose(got.calmar, qs.calmar(r), rtol=1e-12)


def test_undefined_ratios_are_nan():
    flat, single, empty = performance([0.0] * 9), performance([0.01]), performance([])
    assert math.isnan(flat.sharpe)
    assert math.isnan(flat.sortino)
    assert math.isnan(flat.calmar)
    assert flat.volatility == 0.0
    assert math.isnan(performance([0.1] * 7).sharpe)  # the mean rounds, the spread is still none
    assert math.isnan(single.sharpe)
    assert math.isnan(empty.total_return)
    assert (empty.sessions, empty.drawdown_sessions) == (0, 0)


def test_ruin_is_a_total_loss_whatever_came_after():
    got = performance([0.5, -1.0, *[0.0] * 19])
    assert (got.total_return, got.cagr, got.max_drawdown) == (-1.0, -1.0, -1.0)


def test_growth_a_year_is_no_figure_below_21_sessions_and_above_a_thousand_percent():
    assert math.isnan(performance([0.001] * 20).cagr)
    assert_allclose(performance([0.001] * 21, periods_per_year=21).cagr, 1.001**21 - 1.0)
    edge = 11.0 ** (1 / 252)
    assert_allclose(performance([edge - 1.0001] * 252).cagr, 10.0, rtol=0.03)
    assert math.isnan(performance([edge - 0.9999] * 252).cagr)
    assert math.isnan(performance([0.5] * 1000).cagr)  # no number holds it


def test_a_ratio_to_losses_is_infinite_where_nothing_was_lost_and_some_was_gained():
    winner = performance([0.0, 0.01, 0.02])
    assert (winner.sortino, winner.calmar) == (math.inf, math.inf)
    assert performance([0.0, -0.01]).sortino < 0.0
    rounded = performance([0.0, 0.01, -1e-16, 0.02])
    assert (rounded.sortino, rounded.calmar) == (math.inf, math.inf)


def test_the_score_of_a_choice_has_no_limits():
    steady, rising = [0.01] * 5, [0.5, 0.0, 0.6]
    assert choice_score(steady, "sharpe") == math.inf
    assert choice_score([-0.01] * 5, "sharpe") < 0.0 or math.isnan(
        choice_score([-0.01] * 5, "sharpe")
    )
    assert choice_score(rising, "calmar") == choice_score(rising, "sortino") == math.inf
    assert choice_score([0.1, -0.01], "calmar") == pytest.approx(
        (1.089 ** (252 / 2) - 1.0) / 0.01, rel=1e-9
    )
    assert math.isnan(choice_score([0.0] * 5, "sortino"))
    assert choice_score(rising, "total_return") == pytest.approx(1.4)


@pytest.mark.parametrize("bad", [[math.nan], [math.inf], [-1.01], [[0.1]]])
def test_impossible_returns_are_refused(bad):
    with pytest.raises(InputError, match="returns: "):
        performance(bad)


def test_trades_by_hand_leave_open_ones_out():
    got = trade_metrics(
        trades((30.0, 4, "closed"), (-10.0, 2, "closed"), (0.0, 6, "closed"), (99.0, 1, "open"))
    )
    assert (got.n, got.n_open, got.best, got.worst) == (3, 1, 30.0, -10.0)
    assert got.win_rate == pytest.approx(1 / 3)
    assert got.average == pytest.approx(20 / 3)
    assert (got.profit_factor, got.average_bars) == (3.0, 4.0)


@given(st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 2)), min_size=1, max_size=30))
def test_reversing_every_trade_inverts_the_profit_factor(nets):
    one = trade_metrics(trades(*[(x, 1, "closed") for x in nets]))
    other = trade_metrics(trades(*[(-x, 1, "closed") for x in nets]))
    assert (one.best, one.average) == (-other.worst, -other.average)
    if one.profit_factor > 0.0 and other.profit_factor > 0.0:
        assert one.profit_factor * other.profit_factor == pytest.approx(1.0, rel=1e-9)


def test_without_closed_trades_or_losses_nothing_is_made_up():
    none, only_wins = trade_metrics(trades()), trade_metrics(trades((1.0, 1, "closed")))
    assert (none.n, none.n_open) == (0, 0)
    assert all(
        math.isnan(x) for x in (none.win_rate, none.average, none.best, only_wins.profit_factor)
    )


def test_trades_without_a_needed_column_are_refused():
    with pytest.raises(InputError, match=r"no column 'bars' \(found: net, status\)"):
        trade_metrics(trades().drop(columns="bars"))


def test_exposure_counts_long_and_short_bars():
    assert exposure([0.0, 10.0, -5.0, 0.0]) == 0.5
    assert math.isnan(exposure([]))
