"""Windows of sessions: where parameters are chosen, and where the choice is traded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.backtest.fast_loop import Account
from hpi_bt.backtest.points import Point
from hpi_bt.backtest.sweep import (
    Outcomes,
    Prepared,
    Task,
    account_of,
    cerebro_record,
    fast_targets,
    named,
    prepare,
)
from hpi_bt.config import Config, WalkForward
from hpi_bt.errors import InputError
from hpi_bt.stats.metrics import performance, session_changes


@dataclass(frozen=True)
class Window:
    """One window, in numbers of sessions: [train_from, train_to) and [test_from, test_to).

    Attributes
    ----------
    used : ndarray of bool, shape (train_to - train_from,)
        Training sessions that count; those within the embargo of an earlier test do not.
    """

    train_from: int
    train_to: int
    test_from: int
    test_to: int
    used: BoolArray


def windows_of(sessions: int, rule: WalkForward) -> list[Window]:
    """Return the windows over a number of sessions, oldest first; the last test may be shorter.

    Raises
    ------
    InputError
        The data are shorter than one training window, the purge and one test session.
    """
    first_test = rule.train + rule.purge
    if sessions <= first_test:
        raise InputError(
            f"walk_forward: train {rule.train} and purge {rule.purge} leave no session of "
            f"{sessions} to test on; give more data or a shorter window"
        )
    found: list[Window] = []
    embargoed = np.zeros(sessions, dtype=bool)
    for test_from in range(first_test, sessions, rule.test):
        train_to = test_from - rule.purge
        train_from = 0 if rule.mode == "anchored" else train_to - rule.train
        used = ~embargoed[train_from:train_to]
        if not used.any():
            raise InputError(
                f"walk_forward: embargo {rule.embargo} leaves no session to train on; shorten it"
            )
        test_to = min(test_from + rule.test, sessions)
        found.append(Window(train_from, train_to, test_from, test_to, used))
        embargoed[test_to : test_to + rule.embargo] = True
    return found


def scores(returns: FloatArray, select: str, *, year: int = 252) -> FloatArray:
    """Return the figure by which points are chosen, shape (n_points,); -inf where undefined.

    Parameters
    ----------
    returns : ndarray of shape (n_points, n_sessions)
        Session returns of the training window.
    year : int, default=252
        Sessions in a year.
    """
    risks = (performance(row, periods_per_year=year) for row in returns)
    found = np.array([getattr(risk, select) for risk in risks], dtype=np.float64)
    return np.where(np.isnan(found), -np.inf, found)


def evaluate_windows(task: Task, points: Sequence[tuple[int, Point]]) -> Outcomes:
    """Return for each point its score in every training window and its returns in every test.

    figures has shape (n_points, n_windows), returns (n_points, n_test_sessions). On the fast
    engine the account starts anew, and flat, in every window; Backtrader's runs go through and
    their returns are cut.
    """
    ready = prepare(task)
    rule = ready.config.walk_forward
    if rule is None:
        raise InputError("walk_forward: is missing; add walk_forward: {train: 40, test: 10}")
    windows = windows_of(ready.ends.size, rule)
    rows = _fast_rows(ready, points, windows) if task.engine == "fast" else None
    if rows is None:
        rows = _cut_rows(ready, points, windows)
    figures = np.empty((len(points), len(windows)))
    tests = []
    for i, (trained, tested) in enumerate(named(rows, points)):
        for w, window in enumerate(windows):
            own = trained[w][window.used][None, :]
            figures[i, w] = scores(own, rule.select, year=ready.year)[0]
        tests.append(np.concatenate(tested))
    numbers = np.array([number for number, _ in points], dtype=np.int64)
    return Outcomes(numbers, figures, np.array(tests))


def bars_of(ends: IntArray, first: int, last: int) -> slice:
    """Return the bars of sessions [first, last)."""
    return slice(int(ends[first - 1]) + 1 if first else 0, int(ends[last - 1]) + 1)


def stretch(
    ready: Prepared, config: Config, target: FloatArray, first: int, last: int, cash: float
) -> tuple[Account, FloatArray]:
    """Return the account and session returns of sessions [first, last), started flat."""
    bars = bars_of(ready.ends, first, last)
    account = account_of(ready, config, target, bars, cash)
    return account, session_changes(account.equity, ready.ends[first:last] - bars.start, cash)


_Rows = tuple[list[FloatArray], list[FloatArray]]


def _fast_rows(
    ready: Prepared, points: Sequence[tuple[int, Point]], windows: list[Window]
) -> Iterator[_Rows]:
    for config, target in fast_targets(ready, points):
        cash = config.broker.cash
        trained = [stretch(ready, config, target, w.train_from, w.train_to, cash) for w in windows]
        tested = [stretch(ready, config, target, w.test_from, w.test_to, cash) for w in windows]
        yield [r for _, r in trained], [r for _, r in tested]


def _cut_rows(
    ready: Prepared, points: Sequence[tuple[int, Point]], windows: list[Window]
) -> Iterator[_Rows]:
    for _, point in points:
        record = cerebro_record(ready, point)
        returns = session_changes(record.equity, ready.ends, record.cash)
        trained = [returns[w.train_from : w.train_to] for w in windows]
        yield trained, [returns[w.test_from : w.test_to] for w in windows]
