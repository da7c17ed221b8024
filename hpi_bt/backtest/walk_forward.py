"""Windows of sessions: where parameters are chosen, and where the choice is traded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.backtest.fast import costs_of, fills_of
from hpi_bt.backtest.fast_loop import COUNTS, Account, closed_out, from_bar, way_out
from hpi_bt.backtest.points import Point
from hpi_bt.backtest.record import fills_frame
from hpi_bt.backtest.sweep import (
    Outcomes,
    Prepared,
    Task,
    cerebro_record,
    fast_targets,
    named,
    prepare,
    simulated,
    terms_of,
    with_point,
)
from hpi_bt.config import Config, WalkForward
from hpi_bt.errors import InputError
from hpi_bt.orders import REASONS, WINDOW_END
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


def scores(returns: FloatArray, select: str, *, year: float = 252.0) -> FloatArray:
    """Return the figure by which points are chosen, shape (n_points,); -inf where undefined.

    Parameters
    ----------
    returns : ndarray of shape (n_points, n_sessions)
        Session returns of the training window.
    year : float, default=252
        Sessions in a year.
    """
    risks = (performance(row, periods_per_year=year) for row in returns)
    found = np.array([getattr(risk, select) for risk in risks], dtype=np.float64)
    return np.where(np.isnan(found), -np.inf, found)


class Stretch(NamedTuple):
    """One account over a stretch of bars that it enters flat and leaves flat.

    `fills` counts bars from the first of the stretch.
    """

    equity: FloatArray
    position: FloatArray
    fills: pd.DataFrame
    counts: Mapping[str, int]


def evaluate_windows(task: Task, points: Sequence[tuple[int, Point]]) -> Outcomes:
    """Return for each point its score in every training window and its returns in every test.

    figures has shape (n_points, n_windows), returns (n_points, n_test_sessions). In every window,
    trained or tested, the account starts anew and flat; it is closed out at the end.
    """
    ready = prepare(task)
    rule = ready.config.walk_forward
    if rule is None:
        raise InputError("walk_forward: is missing; add walk_forward: {train: 40, test: 10}")
    windows = windows_of(ready.ends.size, rule)
    trains = [(w.train_from, w.train_to) for w in windows]
    tests = [(w.test_from, w.test_to) for w in windows]
    rows = _fast_rows if task.engine == "fast" else _cerebro_rows
    figures = np.empty((len(points), len(windows)))
    returns = []
    for i, found in enumerate(named(rows(ready, points, [*trains, *tests]), points)):
        for w, window in enumerate(windows):
            own = found[w][window.used][None, :]
            figures[i, w] = scores(own, rule.select, year=ready.year)[0]
        returns.append(np.concatenate(found[len(windows) :]))
    numbers = np.array([number for number, _ in points], dtype=np.int64)
    return Outcomes(numbers, figures, np.array(returns))


def bars_of(ends: IntArray, first: int, last: int) -> slice:
    """Return the bars of sessions [first, last)."""
    return slice(int(ends[first - 1]) + 1 if first else 0, int(ends[last - 1]) + 1)


def fast_stretch(
    ready: Prepared, config: Config, target: FloatArray, bars: slice, cash: float
) -> Account:
    """Return the account of one target over some bars, begun flat with `cash` and closed out.

    The first order follows the signal of the close before the first bar. Equity and position may
    be overwritten by the next call in the same thread.
    """
    atr, rules, costs = terms_of(ready, config)
    costs, before = costs._replace(cash=cash), min(bars.start, 1)
    wider = slice(bars.start - before, bars.stop)
    account = from_bar(simulated(ready, target, wider, atr, rules, costs), before)
    return closed_out(account, rules, costs, float(ready.market.close[bars.stop - 1]))


def cerebro_stretch(ready: Prepared, point: Point, bars: slice, cash: float) -> Stretch:
    """Return the account of one point over some bars, run in Cerebro; as `fast_stretch`."""
    from hpi_bt.backtest.recorder import ShortHistoryError

    n = bars.stop - bars.start
    try:
        record = cerebro_record(ready, point, bars, cash)
    except ShortHistoryError:
        return Stretch(np.full(n, cash), np.zeros(n), fills_frame([]), {})
    fills = record.fills.assign(bar=record.fills["bar"] - bars.start)
    equity, position = record.equity[bars.start :], record.position[bars.start :]
    size = float(position[-1])
    if size:
        broker = with_point(ready.config, point, ready.strategy).broker
        costs, multiplier = costs_of(broker, 1.0), broker.commission.multiplier
        close = float(ready.market.close[bars.stop - 1])
        price, commission, slippage = way_out(costs, multiplier, size, close)
        equity[-1] -= slippage + commission
        position[-1] = 0.0
        row = {
            "bar": n - 1, "time": ready.frame.index[bars.stop - 1], "data": fills["data"].iloc[-1],
            "size": -size, "price": price, "commission": commission, "slippage": slippage,
            "kind": "exit", "reason": REASONS[WINDOW_END], "closed": -size,
            "closed_commission": commission,
        }  # fmt: skip
        fills = pd.concat([fills, fills_frame([row])], ignore_index=True)
    return Stretch(equity, position, fills, record.counts)


def stretches(
    ready: Prepared, engine: str, chosen: Sequence[Point], spans: Sequence[slice]
) -> Iterator[Stretch]:
    """Yield one account's stretches, one point a span of bars: each goes on with its equity."""
    cash = float(ready.config.broker.cash)
    symbol = str(ready.frame.attrs.get("symbol", ""))
    targets = fast_targets(ready, list(enumerate(chosen))) if engine == "fast" else None
    for point, bars in zip(chosen, spans, strict=True):
        if targets is None:
            made = cerebro_stretch(ready, point, bars, cash)
        else:
            account = fast_stretch(ready, *next(targets), bars, cash)
            made = Stretch(
                account.equity.copy(), account.position.copy(),
                fills_of(account, ready.frame.iloc[bars], symbol),
                {k: int(v) for k, v in zip(COUNTS, account.counts, strict=True)},
            )  # fmt: skip
        yield made
        cash = float(made.equity[-1])


_Spans = Sequence[tuple[int, int]]


def _fast_rows(
    ready: Prepared, points: Sequence[tuple[int, Point]], spans: _Spans
) -> Iterator[list[FloatArray]]:
    for config, target in fast_targets(ready, points):
        cash = config.broker.cash
        yield [
            _returns(
                ready, fast_stretch(ready, config, target, bars_of(ready.ends, *span), cash).equity,
                span, cash,
            )
            for span in spans
        ]  # fmt: skip


def _cerebro_rows(
    ready: Prepared, points: Sequence[tuple[int, Point]], spans: _Spans
) -> Iterator[list[FloatArray]]:
    for _, point in points:
        cash = with_point(ready.config, point, ready.strategy).broker.cash
        yield [
            _returns(
                ready, cerebro_stretch(ready, point, bars_of(ready.ends, *span), cash).equity,
                span, cash,
            )
            for span in spans
        ]  # fmt: skip


def _returns(ready: Prepared, equity: FloatArray, span: tuple[int, int], cash: float) -> FloatArray:
    """Return the session returns of an account over sessions [first, last)."""
    first = bars_of(ready.ends, *span).start
    return session_changes(equity, ready.ends[slice(*span)] - first, cash)
