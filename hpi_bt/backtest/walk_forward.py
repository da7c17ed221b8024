"""Windows of sessions: where parameters are chosen, and where the choice is traded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.backtest.fast import costs_of, fills_of
from hpi_bt.backtest.fast_loop import COUNTS, Account, closed_out, from_bar, way_out
from hpi_bt.backtest.points import Point
from hpi_bt.backtest.record import closed_trades, fills_frame
from hpi_bt.backtest.sweep import (
    Outcomes,
    Prepared,
    Task,
    cerebro_record,
    outcomes_of,
    prepare,
    simulated,
    terms_of,
    with_point,
)
from hpi_bt.config import Config, WalkForward
from hpi_bt.errors import InputError
from hpi_bt.orders import REASONS, WINDOW_END
from hpi_bt.stats.metrics import choice_score, is_ruined, session_changes


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


#: What `evaluate_window` tells of a point's training; trades are closed ones.
TRAINED = ("score", "sharpe", "trades")


def chosen_row(trained: FloatArray, min_trades: int = 1) -> int:
    """Return the row of the point that a window trades, -1 where none has a score.

    Parameters
    ----------
    trained : ndarray of shape (n_points, 3)
        TRAINED of each point, in the order of the grid; NaN where there is none.
    min_trades : int, default=1
        Points with fewer trades are chosen only where no other has as many. A point without any
        never is.

    Returns
    -------
    row : int
        The highest score, of equals the highest Sharpe ratio, then the first.
    """
    score, sharpe, trades = trained.T
    scored = np.isfinite(score) | (score == np.inf)
    traded = scored & (trades > 0.0)
    enough = traded & (trades >= min_trades)
    rows = np.flatnonzero(enough if enough.any() else traded)
    if not rows.size:
        return -1
    order = np.lexsort((rows, -np.nan_to_num(sharpe[rows], nan=-np.inf), -score[rows]))
    return int(rows[order[0]])


def rank_among_others(totals: FloatArray, row: int) -> float:
    """Return the share of the other points that one beats, ties by half; NaN without others.

    `totals` of shape (n_points,); NaN is left out. Luck alone makes one half.
    """
    others = np.delete(totals, row)
    others = others[~np.isnan(others)]
    below, equal = (others < totals[row]).sum(), (others == totals[row]).sum()
    return float((below + 0.5 * equal) / others.size) if others.size else float("nan")


class Stretch(NamedTuple):
    """One account over a stretch of bars that it enters flat and leaves flat.

    `fills` counts bars from the first of the stretch.
    """

    equity: FloatArray
    position: FloatArray
    fills: pd.DataFrame
    counts: Mapping[str, int]


def evaluate_window(
    task: Task, points: Sequence[tuple[int, Point]], *, window: int, cash: float
) -> Outcomes:
    """Return how points did in a window's training, and their returns in its test.

    figures has shape (n_points, len(TRAINED)), returns (n_points, n_test_sessions). Trained or
    tested, an account begins flat with `cash`, the equity carried so far, and is closed out.
    """
    ready = prepare(task)
    rule = rule_of(ready.config)
    own = windows_of(ready.ends.size, rule)[window]
    spans = (own.train_from, own.train_to), (own.test_from, own.test_to)

    def run(point: Point) -> tuple[FloatArray, FloatArray]:
        train, trades, ruined = _account_returns(ready, task.engine, point, spans[0], cash)
        train = train[own.used]
        score, sharpe = (
            float("nan") if ruined else choice_score(train, name, periods_per_year=ready.year)
            for name in (rule.select, "sharpe")
        )
        test, _, _ = _account_returns(ready, task.engine, point, spans[1], cash)
        return np.array([score, sharpe, trades]), test

    return outcomes_of(points, run, len(TRAINED), own.test_to - own.test_from)


def rule_of(config: Config) -> WalkForward:
    """Return the rule of a config's windows; refuse one without."""
    if config.walk_forward is None:
        raise InputError("walk_forward: is missing; add walk_forward: {train: 40, test: 10}")
    return config.walk_forward


def bars_of(ends: IntArray, first: int, last: int, begin: int = 0) -> slice:
    """Return the bars of sessions [first, last), the first of all sessions being `begin`."""
    return slice(int(ends[first - 1]) + 1 if first else begin, int(ends[last - 1]) + 1)


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
        return flat_stretch(bars, cash)
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


def stretch(ready: Prepared, engine: str, point: Point, bars: slice, cash: float) -> Stretch:
    """Return the account of one point over some bars, begun flat with `cash` and closed out."""
    if engine != "fast":
        return cerebro_stretch(ready, point, bars, cash)
    account = fast_stretch(ready, ready.config_of(point), ready.target_of(point), bars, cash)
    symbol = str(ready.frame.attrs.get("symbol", ""))
    return Stretch(
        account.equity.copy(), account.position.copy(),
        fills_of(account, ready.frame.iloc[bars], symbol),
        {k: int(v) for k, v in zip(COUNTS, account.counts, strict=True)},
    )  # fmt: skip


def flat_stretch(bars: slice, cash: float) -> Stretch:
    """Return an account that holds `cash` over some bars."""
    n = bars.stop - bars.start
    return Stretch(np.full(n, cash), np.zeros(n), fills_frame([]), {})


def _account_returns(
    ready: Prepared, engine: str, point: Point, span: tuple[int, int], cash: float
) -> tuple[FloatArray, int, bool]:
    """Return a point's session returns over sessions [first, last), closed trades and ruin."""
    bars = bars_of(ready.ends, *span, ready.first)
    if engine == "fast":
        account = fast_stretch(ready, ready.config_of(point), ready.target_of(point), bars, cash)
        equity, trades = account.equity, int(np.count_nonzero(account.fills[:, 4]))
    else:
        made = cerebro_stretch(ready, point, bars, cash)
        equity, trades = made.equity, closed_trades(made.fills)
    returns = session_changes(equity, ready.ends[slice(*span)] - bars.start, cash)
    return returns, trades, is_ruined(equity)
