"""Many points of one strategy on one market: evaluate them and remember what is done.

A task is a handful of strings: the run's config, the file that holds its frame, and the folders
where its strategy may lie. A thread, a process or a machine of a cluster makes the rest of it.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.backtest.fast import (
    atr_of,
    costs_of,
    from_close,
    market_of,
    parameters_of,
    rules_of,
    runs_fast,
    target_of,
)
from hpi_bt.backtest.fast_loop import Account, Costs, Market, simulate
from hpi_bt.backtest.points import Point
from hpi_bt.backtest.record import Record
from hpi_bt.backtest.result import alive, made_folder
from hpi_bt.config import Config, overridden, validated
from hpi_bt.errors import InputError, did_you_mean, raised_by_us
from hpi_bt.indicators.base import Inputs, kernel_series
from hpi_bt.loading import load_strategy
from hpi_bt.orders import Orders, Rules
from hpi_bt.sources.frame import WARM_UP, traded
from hpi_bt.sources.years import sessions_per_year
from hpi_bt.stats.metrics import is_ruined, performance, session_changes, session_ends
from hpi_bt.stats.summary import summarise

METRICS = (
    "total_return", "cagr", "sharpe", "sortino", "volatility", "max_drawdown", "calmar",
    "trades", "open_trades", "win_rate", "exposure", "costs",
)  # fmt: skip
LOW_IS_GOOD = ("volatility", "costs")
_KEPT_BYTES = 1 << 29  # of targets, which every window of a walk-forward needs again


@dataclass(frozen=True)
class Task:
    """What every point of a sweep has in common.

    Attributes
    ----------
    config : str
        The resolved run, as JSON.
    frame : str
        Parquet file of the bars; its attrs travel with it.
    folders : tuple of str
        Where the strategy's file may lie.
    engine : {"fast", "cerebro"}
        Which engine runs.
    """

    config: str
    frame: str
    folders: tuple[str, ...]
    engine: str


class Outcomes(NamedTuple):
    """Of some points: their numbers, figures and session returns by row, and their errors.

    A point that raised has the error as one line, "" otherwise, and NaN for figures and returns.
    """

    number: IntArray
    figures: FloatArray
    returns: FloatArray
    error: npt.NDArray[np.str_]

    @property
    def errors(self) -> dict[int, str]:
        """What points raised, by number."""
        pairs = zip(self.number.tolist(), self.error.tolist(), strict=True)
        return {number: text for number, text in pairs if text}


@dataclass(frozen=True)
class Prepared:
    """A task made ready: classes, arrays and the parts of the config."""

    config: Config
    strategy: Any
    frame: pd.DataFrame
    market: Market
    ends: IntArray
    columns: dict[str, FloatArray] = field(default_factory=dict)
    configs: dict[str, Config] = field(default_factory=dict)
    targets: dict[str, FloatArray] = field(default_factory=dict)

    @cached_property
    def year(self) -> float:
        """Return the sessions in a year, by which figures are annualised."""
        return sessions_per_year(traded(self.frame))

    @property
    def first(self) -> int:
        """Return the first bar that may be traded; those before it warm indicators up."""
        return int(self.frame.attrs.get(WARM_UP, 0))

    def series(self, params: Mapping[str, Any]) -> list[FloatArray]:
        """Return the series of the signal kernel, each column the same array for every point."""
        names = self.strategy.inputs_for(params)
        lacking = [n for n in sum(names, ()) if n not in self.columns]
        if lacking:
            made = Inputs(*(tuple(n for n in part if n in lacking) for part in names))
            found = kernel_series(self.frame, *made)
            for name, column in zip(sum(made, ()), found, strict=True):
                self.columns.setdefault(name, column)
        return [self.columns[n] for n in sum(names, ())]

    def config_of(self, point: Point) -> Config:
        """Return a point's orders and broker; its parameters may be those of another point."""
        key = repr(split_point(point)[1])
        if key not in self.configs:
            self.configs[key] = with_point(self.config, point, self.strategy)
        return self.configs[key]

    def target_of(self, point: Point) -> FloatArray:
        """Return a point's target, of shape (n_bars,), the same array for points that share it."""
        params = parameters_of(self.strategy, self.config.strategy.params | split_point(point)[0])
        key = repr(sorted(params.items()))
        target = self.targets.get(key)
        if target is None:
            target = target_of(self.strategy, params, self.series(params))
            if sum(one.nbytes for one in list(self.targets.values())) > _KEPT_BYTES:
                self.targets.clear()
            self.targets[key] = target
        return target


@lru_cache(maxsize=4)
def prepare(task: Task) -> Prepared:
    """Return a task's classes and arrays, kept for the next chunk of points."""
    config = validated(json.loads(task.config), "sweep")
    strategy: Any = load_strategy(
        config.strategy.reference, [Path(folder) for folder in task.folders]
    )
    frame = pd.read_parquet(task.frame)
    ends = session_ends(frame["session"].to_numpy())
    ends = ends[ends >= frame.attrs.get(WARM_UP, 0)]
    return Prepared(config, strategy, frame, market_of(frame), ends)


def split_point(point: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a point's strategy parameters and its other keys as overrides of the config."""
    params = {k: v for k, v in point.items() if "." not in k}
    return params, [f"{k}={json.dumps(v)}" for k, v in point.items() if "." in k]


def with_point(config: Config, point: Mapping[str, Any], strategy: Any) -> Config:
    """Return the config of one point.

    Raises
    ------
    InputError
        The strategy has no such parameter, or the config no such key.
    """
    params, overrides = split_point(point)
    for key in point:
        if "." in key and key.partition(".")[0] not in ("orders", "broker"):
            raise InputError(
                f"sweep.{key}: is the same for all points; vary strategy parameters by their bare "
                "name, orders.* and broker.*"
            )
    known = set(strategy.params._getkeys()) - {"orders"}
    for name in params:
        if name not in known:
            raise InputError(
                f"sweep.{name}: {strategy.__name__} has no such parameter"
                f"{did_you_mean(name, known)}"
            )
    plain = config.model_dump(mode="json", by_alias=True)
    if plain["orders"] is None and any(o.startswith("orders.") for o in overrides):
        plain["orders"] = strategy.orders.model_dump(mode="json") if _has_orders(strategy) else {}
    plain["strategy"]["params"] |= params
    return validated(overridden(plain, overrides), "sweep")


def _has_orders(strategy: Any) -> bool:
    return isinstance(getattr(strategy, "orders", None), Orders)


def engine_for(strategy: type, wanted: str) -> str:
    """Return the engine that runs a strategy: fast where it applies, unless told otherwise.

    Raises
    ------
    InputError
        The fast engine is wanted for a strategy that overrides more than its signal kernel.
    """
    if wanted not in ("auto", "fast", "cerebro"):
        raise InputError(f"{wanted!r} is none", field="engine", remedy="take auto, fast or cerebro")
    fits = runs_fast(strategy)
    if wanted == "fast" and not fits:
        raise InputError(
            f"fast is for a signal kernel with orders, {strategy.__name__} is more than that",
            field="engine",
            remedy="use cerebro or auto",
        )
    return "cerebro" if wanted == "cerebro" or not fits else "fast"


def evaluate(task: Task, points: Sequence[tuple[int, Point]]) -> Outcomes:
    """Return the outcomes of some numbered points, METRICS for figures.

    Points that differ in their orders alone share the target; whatever else they have in common
    is shared where the caller is inside `hpi_bt.kernels.memory.sharing`.
    """
    ready = prepare(task)
    run = _run_fast if task.engine == "fast" else _run_cerebro
    return outcomes_of(points, partial(run, ready), len(METRICS), ready.ends.size)


def outcomes_of(
    points: Sequence[tuple[int, Point]],
    run: Callable[[Point], tuple[FloatArray, FloatArray]],
    n_figures: int,
    n_returns: int,
) -> Outcomes:
    """Return the figures and returns that `run` gives of some points; one that raises ends none."""
    figures = np.full((len(points), n_figures), np.nan)
    returns = np.full((len(points), n_returns), np.nan)
    errors = [""] * len(points)
    for i, (_, point) in enumerate(points):
        try:
            figures[i], returns[i] = run(point)
        except (Exception, SystemExit) as error:
            errors[i] = _one_line(error)
    number = np.array([number for number, _ in points], dtype=np.int64)
    return Outcomes(number, figures, returns, np.array(errors, dtype=np.str_))


def _one_line(error: BaseException) -> str:
    """Return what a point's error says, with its type where it is not hpi_bt that refuses."""
    text = " ".join(str(error).split())
    ours = isinstance(error, (TypeError, ValueError)) and raised_by_us(error)
    if ours or isinstance(error, InputError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _run_fast(ready: Prepared, point: Point) -> tuple[FloatArray, FloatArray]:
    config = ready.config_of(point)
    account = account_of(ready, config, ready.target_of(point))
    returns = session_changes(account.equity, ready.ends, config.broker.cash)
    account = account._replace(position=account.position[ready.first :])
    return figures_of(returns, account, config.broker.commission.multiplier, ready.year), returns


def account_of(ready: Prepared, config: Config, target: FloatArray) -> Account:
    """Return the account of one target under one config.

    Its equity and position are overwritten by the next call in the same thread.
    """
    whole = slice(0, target.size)
    late = from_close(target, ready.first)
    return simulated(ready, late, whole, *terms_of(ready, config))


def terms_of(ready: Prepared, config: Config) -> tuple[FloatArray, Rules, Costs]:
    """Return average true range, rules and costs of one config."""
    orders = config.orders or ready.strategy.orders
    return (
        atr_of(orders, ready.market),
        rules_of(orders, config.broker, ready.frame),
        costs_of(config.broker, orders.max_leverage),
    )


def simulated(
    ready: Prepared,
    target: FloatArray,
    bars: slice,
    atr: FloatArray,
    rules: Rules,
    costs: Costs,
) -> Account:
    """Return the account of one target over some bars, as `account_of` does."""
    market = Market(*(column[bars] for column in ready.market))
    room = _room(market.close.size)
    return simulate(market, target[bars], atr[bars], rules, costs, room=room)


def _room(n_bars: int) -> tuple[FloatArray, FloatArray]:
    """Return two arrays of this thread, used again for every account that it simulates."""
    if getattr(_own, "size", 0) < n_bars:
        _own.size, _own.arrays = n_bars, (np.empty(n_bars), np.empty(n_bars))
    equity, position = _own.arrays
    return equity[:n_bars], position[:n_bars]


_own = threading.local()


def figures_of(returns: FloatArray, account: Account, multiplier: float, year: float) -> FloatArray:
    """Return METRICS of one account, as `hpi-bt run` reports them; `year` in sessions."""
    risk = performance(returns, periods_per_year=year, ruined=is_ruined(account.equity))
    size, price, commission, slippage, closed = account.fills.T
    out = np.flatnonzero(closed != 0.0)
    into = out - 1  # a position is opened by the fill before the one that closes it
    gain = size[into] * (price[out] - price[into]) * multiplier
    net = gain - commission[into] - commission[out]
    won = float((net > 0.0).mean()) if net.size else np.nan
    held = float((account.position != 0.0).mean())
    costs = float(commission.sum() + slippage.sum())
    named = [getattr(risk, name) for name in METRICS[:7]]
    n_open = float(account.position[-1] != 0.0)
    return np.array([*named, float(net.size), n_open, won, held, costs])


def cerebro_record(
    ready: Prepared, point: Point, bars: slice = slice(None), cash: float | None = None
) -> Record:
    """Return the record of one point, run in Cerebro.

    Of some bars alone: the strategy sees all before them and none after, and its first order goes
    out at the close before them, on an account of `cash`.
    """
    from hpi_bt.backtest.cerebro import run_cerebro

    config = with_point(ready.config, point, ready.strategy)
    frame = ready.frame.iloc[: bars.stop]
    frame.attrs = ready.frame.attrs
    own = {} if cash is None else {"cash": cash}
    return run_cerebro(
        ready.strategy,
        config.strategy.params,
        frame,
        orders=config.orders,
        broker=config.broker.model_copy(update=own),
        allow_demo=config.demo,
        allow_intraday=config.allow_intraday,
        first_close=bars.start or 0,
    )


def _run_cerebro(ready: Prepared, point: Point) -> tuple[FloatArray, FloatArray]:
    record = cerebro_record(ready, point, slice(ready.first, None)).since(ready.first)
    figures = summarise(
        record.frame, record.equity, record.position, record.trades, record.fills,
        record.cash, None, held=record.held_shares, flows=record.flows,
    )  # fmt: skip
    returns = session_changes(record.earned, ready.ends - ready.first, record.cash)
    return np.array([float(figures[name]) for name in METRICS]), returns


@contextmanager
def store_of(parent: Path, name: str) -> Iterator[Path]:
    """Give a search's folder of what is done, to it alone.

    It is removed when the search ends, and when it fails before anything was done; otherwise it
    waits for the next try.

    Raises
    ------
    InputError
        Another process is at the same search.
    """
    with made_folder(parent):
        yield from _stored(parent / name)


def _stored(store: Path) -> Iterator[Path]:
    store.mkdir(exist_ok=True)
    mark = store / ".running"
    _take(mark)
    try:
        yield store
    except BaseException:
        if any(store.rglob("part-*.npz")):
            mark.unlink(missing_ok=True)
        else:
            shutil.rmtree(store, ignore_errors=True)
        raise
    shutil.rmtree(store, ignore_errors=True)


def _take(mark: Path) -> None:
    for _ in range(2):
        try:
            with mark.open("x", encoding="utf-8") as file:
                file.write(str(os.getpid()))
        except FileExistsError:
            holder = mark.read_text("utf-8")
            if holder.isdigit() and alive(int(holder)):
                raise InputError(
                    f"{mark.parent}: this very search is running already (process {holder}); "
                    "wait for it or stop it"
                ) from None
            mark.unlink(missing_ok=True)  # of a process that was killed
        else:
            return


class Progress:
    """What a sweep has done so far, on disk: a part for each finished chunk, never half of one."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def forget(self) -> None:
        """Remove what is done."""
        for part in self.folder.glob("part-*.npz"):
            part.unlink()

    def add(self, outcomes: Outcomes) -> None:
        """Keep the outcomes of one chunk."""
        name = f"part-{outcomes.number[0]:08d}-{outcomes.number[-1]:08d}.npz"
        partial = self.folder / f".{name}.{os.getpid()}"
        with partial.open("wb") as file:
            np.savez(file, **outcomes._asdict())
        partial.replace(self.folder / name)

    def done(self) -> Outcomes | None:
        """Return everything that is finished, each point once, by number; None at first."""
        parts = [_read_part(path) for path in sorted(self.folder.glob("part-*.npz"))]
        found = [part for part in parts if part is not None]
        if not found:
            return None
        joined = Outcomes(*(np.concatenate(column) for column in zip(*found, strict=True)))
        number, first = np.unique(joined.number, return_index=True)
        return Outcomes(number, joined.figures[first], joined.returns[first], joined.error[first])


def _read_part(path: Path) -> Outcomes | None:
    try:
        with path.open("rb") as file, np.load(file) as stored:
            return Outcomes(*(stored[name] for name in Outcomes._fields))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        path.unlink(missing_ok=True)  # damaged: its points are computed again
        return None


def chunks(points: Sequence[tuple[int, Point]], size: int) -> list[list[tuple[int, Point]]]:
    """Return the points in chunks in which those that share a signal lie together."""
    ordered = sorted(points, key=lambda p: (repr(split_point(p[1])[0]), p[0]))
    return [list(ordered[i : i + size]) for i in range(0, len(ordered), size)]
