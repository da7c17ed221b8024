from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpi_bt import InputError
from hpi_bt.backtest.walk_forward import bars_of, chosen_row, rank_among_others, windows_of
from hpi_bt.config import WalkForward


def spans(sessions, **rule):
    return [
        (w.train_from, w.train_to, w.test_from, w.test_to)
        for w in windows_of(sessions, WalkForward(**rule))
    ]


def test_rolling_windows_by_hand_the_last_test_shorter():
    assert spans(11, train=4, test=3) == [(0, 4, 4, 7), (3, 7, 7, 10), (6, 10, 10, 11)]


def test_anchored_windows_start_with_the_first_session():
    got = spans(11, train=4, test=3, mode="anchored")
    assert got == [(0, 4, 4, 7), (0, 7, 7, 10), (0, 10, 10, 11)]


def test_the_purge_lies_between_training_and_test():
    assert spans(10, train=4, test=3, purge=2) == [(0, 4, 6, 9), (3, 7, 9, 10)]


def test_the_embargo_takes_the_sessions_after_a_test_from_later_training():
    first, second, third = windows_of(13, WalkForward(train=4, test=3, embargo=1, purge=1))
    assert first.used.all()
    assert (second.train_from, second.train_to) == (3, 7)
    assert second.used.all()  # session 8, after the test of 5 to 7, is not among 3 to 6
    assert (third.train_from, third.train_to) == (6, 10)
    assert third.used.tolist() == [True, True, False, True]


@given(
    st.integers(2, 200), st.integers(1, 60), st.integers(1, 30), st.integers(0, 5),
    st.sampled_from(["rolling", "anchored"]),
)  # fmt: skip
def test_tests_follow_one_another_to_the_end_and_training_ends_before_them(
    n, train, test, purge, mode
):
    if n <= train + purge:
        with pytest.raises(InputError, match="leave no session"):
            spans(n, train=train, test=test, purge=purge, mode=mode)
        return
    got = spans(n, train=train, test=test, purge=purge, mode=mode)
    assert got[0][2] == train + purge
    assert got[-1][3] == n
    for (a, b, c, d), after in zip(got, [*got[1:], None], strict=True):
        assert a < b == c - purge < c + 1 <= d
        assert after is None or after[2] == d


def test_windows_longer_than_the_data_and_embargoes_over_all_of_it_are_refused():
    with pytest.raises(InputError, match="train 40 and purge 2 leave no session of 42"):
        spans(42, train=40, test=5, purge=2)
    with pytest.raises(InputError, match="embargo 9 leaves no session to train on"):
        spans(30, train=2, test=1, purge=3, embargo=9)


def test_bars_of_sessions():
    ends = np.array([2, 5, 9])
    assert bars_of(ends, 0, 1) == slice(0, 3)
    assert bars_of(ends, 1, 3) == slice(3, 10)


def trained(*rows):
    return np.array(rows, dtype=float)


NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(
    ("rows", "min_trades", "row"),
    [
        ([(1.0, 0.0, 5), (2.0, 0.0, 5), (2.0, 0.0, 5)], 1, 1),  # the first of equals
        ([(1.0, 0.0, 5), (INF, 0.1, 5), (INF, 0.2, 5)], 1, 2),  # of equals the higher Sharpe
        ([(9.0, 9.0, 0), (-1.0, -1.0, 1)], 1, 1),  # no trade, no choice
        ([(9.0, 9.0, 2), (-1.0, -1.0, 3)], 3, 1),
        ([(1.0, 1.0, 2), (2.0, 2.0, 1)], 3, 1),  # none has as many
        ([(0.0, NAN, 0), (NAN, NAN, 4), (NAN, NAN, NAN)], 1, -1),
        ([(0.5, NAN, 1), (0.5, -3.0, 1)], 1, 1),
    ],
)
def test_a_window_chooses_by_score_then_sharpe_then_grid_among_points_that_trade(
    rows, min_trades, row
):
    assert chosen_row(trained(*rows), min_trades) == row


def test_the_rank_among_the_others_is_one_half_for_equals():
    assert rank_among_others(np.array([1.0, 1.0, 1.0, 1.0]), 2) == 0.5
    assert rank_among_others(np.array([3.0, 1.0, 2.0, NAN]), 0) == 1.0
    assert rank_among_others(np.array([3.0, 1.0, 2.0, 2.0]), 2) == 0.5
    assert np.isnan(rank_among_others(np.array([3.0]), 0))


@given(st.lists(st.integers(0, 4), min_size=2, max_size=9))
def test_the_mean_rank_of_all_points_is_that_of_luck(totals):
    ranks = [rank_among_others(np.array(totals, dtype=float), i) for i in range(len(totals))]
    assert np.mean(ranks) == pytest.approx(0.5)
