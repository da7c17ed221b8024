"""Sweeps: `hpi_bt.sweep(config)`, on one machine or a cluster, resumable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt import __version__
from hpi_bt.arrays import IntArray
from hpi_bt.backtest.account_notes import config_notes
from hpi_bt.backtest.cluster import Work, over_cluster
from hpi_bt.backtest.point_notes import failed_notes, ruin_notes, ruined
from hpi_bt.backtest.points import MAX_POINTS, Axes, Point, grid_points, random_points
from hpi_bt.backtest.result import check_writable, whole_folder, write_json
from hpi_bt.backtest.sweep import (
    LOW_IS_GOOD,
    METRICS,
    Outcomes,
    Progress,
    Task,
    chunks,
    engine_for,
    evaluate,
    split_point,
    store_of,
    with_point,
)
from hpi_bt.checking import check_inputs, check_params
from hpi_bt.config import Config, Range, resolved_yaml
from hpi_bt.errors import InputError, Note, Severity
from hpi_bt.frames import folders_of, frame_of_config, locations, one_symbol, read_config
from hpi_bt.identity import code_fingerprint, package_fingerprint
from hpi_bt.indicators.shown import check_allowed
from hpi_bt.kernels.memory import sharing
from hpi_bt.loading import load_strategy
from hpi_bt.report.folder import environment_of, fingerprint, folder_name
from hpi_bt.report.heatmap import write_heatmap
from hpi_bt.report.index import update_index
from hpi_bt.sources.frame import traded
from hpi_bt.sources.paths import user_path
from hpi_bt.sources.years import sessions_per_year
from hpi_bt.stats.metrics import choice_score
from hpi_bt.stats.selection import overfitting_of

Count = Callable[[int, int], None]


def no_count(_: int, __: int) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class SweepResult:
    """A finished sweep, read from its folder on demand.

    Attributes
    ----------
    folder : Path
        Where everything lies: sweep.parquet, returns.npy, summary.json, heatmap.html, config.yaml.
    summary : dict
        The best point with what must be known to judge it.
    table : DataFrame
        One row a point: its values, then its figures, best first.
    returns : ndarray of shape (n_points, n_sessions)
        Session returns, rows by the `point` column of the table.
    """

    folder: Path

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The best point and the measures of overfitting."""
        loaded: dict[str, Any] = json.loads((self.folder / "summary.json").read_text("utf-8"))
        return loaded

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a point, best first."""
        return pd.read_parquet(self.folder / "sweep.parquet")

    @cached_property
    def returns(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Session returns of every point."""
        loaded: np.ndarray[Any, np.dtype[np.float64]] = np.load(self.folder / "returns.npy")
        return loaded

    def __repr__(self) -> str:
        """Return the best point in a line."""
        s = self.summary
        return f"<SweepResult {s['name']}: {s['points']} points, best {s['best']}; {self.folder}>"


@dataclass(frozen=True)
class Search:
    """Everything that a sweep or a walk-forward needs, read and checked."""

    config: Config
    points: list[Point]
    task: Task
    frame: pd.DataFrame
    store: Path
    source: str
    notes: tuple[Note, ...] = ()


@contextmanager
def open_search(
    config: str | Path | Mapping[str, Any] | Config,
    kind: str,
    *,
    overrides: Iterable[str],
    data_dir: str | Path | None,
    cache_dir: str | Path | None,
    results: str | Path,
    offline: bool,
    engine: str,
    samples: int | None,
    seed: int,
    max_points: int,
    scheduler: str | None = None,
) -> Iterator[Search]:
    """Give a search made ready: points drawn, data read and laid down for the workers."""
    model, path = read_config(config, overrides)
    one_symbol(model)
    parent = user_path(results, "results")
    _main_notes(model.strategy.reference, engine, scheduler)
    folders = folders_of(path)
    strategy: Any = load_strategy(model.strategy.reference, folders)
    if samples is None:
        points = grid_points(model.sweep, max_points=max_points)
    else:
        axes = _drawn_axes(model.sweep, strategy)
        points = random_points(axes, samples, seed=seed, max_points=max_points)
    chosen = engine_for(strategy, engine)
    check_params(strategy, model.strategy.params)
    _check_points(model, strategy, points)
    check_writable(parent)
    where = locations(path, data_dir, offline, cache_dir)
    frame = frame_of_config(model, where, history=True)
    choosing = getattr(strategy, "stand_ins", {})  # parameters that choose other columns
    chosen_by = ({k: point[k] for k in choosing if k in point} for point in points)
    for own in {repr(one): one for one in chosen_by}.values():
        check_inputs(strategy, frame, model.strategy.params | own)
    if chosen == "fast":
        symbol, minutes = str(frame.attrs.get("symbol", "")), float(frame.attrs["bar_minutes"])
        for indicator in strategy.shows:
            check_allowed(indicator, symbol, minutes, model.demo, model.allow_intraday)
    source = code_fingerprint(strategy)
    plain = json.dumps(model.model_dump(mode="json", by_alias=True))
    wanted = _hash(kind, plain, points, chosen, fingerprint(frame))[:8]
    digest = _hash(wanted, source, __version__, package_fingerprint())[:16]
    with store_of(parent, f".{kind}-{wanted}-{digest}") as store:
        bars = store / "frame.parquet"
        if not bars.exists():
            partial = store / ".frame.parquet"
            frame.to_parquet(partial)
            partial.replace(bars)
        task = Task(plain, str(bars.resolve()), tuple(str(f) for f in folders), chosen)
        alone = _main_notes(model.strategy.reference, chosen, scheduler)
        notes = (*_fewer_points(len(points), samples), *alone, *_other_code(store))
        yield Search(model, points, task, traded(frame), store, source, notes)


def _drawn_axes(axes: Axes, strategy: Any) -> Axes:
    """Return the axes to draw from: a range of whole ends is real where the default is."""
    real = {name for name, default in strategy.params._getitems() if isinstance(default, float)}
    return {n: a.real if isinstance(a, Range) and n in real else a for n, a in axes.items()}


def _fewer_points(count: int, samples: int | None) -> list[Note]:
    """Return that fewer different points were drawn than were asked for, where it is so."""
    if count >= (samples or 0):
        return []
    text = (
        f"{count:,} points instead of the {samples:,} asked for: no more different ones could be "
        "drawn"
    )
    return [Note(Severity.ASSUMPTION, "fewer-points", text)]


def _check_points(model: Config, strategy: Any, points: Sequence[Point]) -> None:
    """Refuse parameters and settings that cannot be; what a point raises is a row of its own."""
    _check_settings(model, strategy, points)
    for name in points[0]:
        if name in ("point", "error", *METRICS):
            raise InputError(
                f"sweep.{name}: is the name of a column of the result; rename the parameter of "
                f"{strategy.__name__}"
            )
        if "." not in name:
            for value in {repr(p[name]): p[name] for p in points}.values():
                check_params(strategy, {name: value}, "sweep")


def _check_settings(model: Config, strategy: Any, points: Sequence[Point]) -> None:
    """Refuse settings of which no point is possible, as where a key is unknown."""
    refusals = []
    for point in {repr(split_point(point)[1]): point for point in points}.values():
        try:
            with_point(model, point, strategy)
        except InputError as refusal:
            refusals.append(refusal)
        else:
            return
    raise refusals[0]


def _hash(*parts: Any) -> str:
    return hashlib.sha1(json.dumps(parts).encode(), usedforsecurity=False).hexdigest()


def _other_code(store: Path) -> tuple[Note, ...]:
    """Return a note for each unfinished try of the same search that was made by other code."""
    family = store.name.rpartition("-")[0]
    return tuple(
        Note(
            Severity.INFO,
            "points-of-other-code",
            "points that an unfinished try computed with other code (strategy, a module that it "
            "imports, or hpi_bt itself) are not used; all points are computed anew, and this "
            "folder may be removed",
            str(other),
        )
        for other in sorted(store.parent.glob(f"{family}-*"))
        if other != store and any(other.rglob("part-*.npz"))
    )


def all_outcomes(
    search: Search,
    work: Work,
    *,
    jobs: int,
    scheduler: str | None,
    count: Count,
    part: str = "",
) -> Outcomes:
    """Return the outcomes of every point, by number, going on where an earlier try stopped.

    `part` names the folder of what is done, where a search has several.

    Raises
    ------
    InputError
        Every point raises an error.
    """
    progress = Progress(search.store / part)
    before = progress.done()
    finished = set() if before is None else set(before.number.tolist())
    left = [(i, p) for i, p in enumerate(search.points) if i not in finished]
    total = len(search.points)
    count(total - len(left), total)
    size = max(1, min(64 if search.task.engine == "fast" else 4, len(left) // (4 * jobs) or 1))
    parts = chunks(left, size)
    if scheduler:
        stream = over_cluster(scheduler, work, search.task, parts)
    else:
        stream = _locally(work, search.task, parts, jobs)
    done = total - len(left)
    for outcomes in stream:
        progress.add(outcomes)
        done += len(outcomes.number)
        count(done, total)
    result = progress.done()
    if result is None or len(result.number) != total:
        raise InputError(f"{search.store}: points are missing; remove that folder and run again")
    if (result.error != "").all():
        progress.forget()
        every = f" (all {total} points raise errors)" if total > 1 else ""
        raise InputError(f"{result.error[0]}{every}", where=f"sweep, point {search.points[0]}")
    return result


def _locally(work: Work, task: Task, parts: list[Any], jobs: int) -> Iterator[Outcomes]:
    """Evaluate on this machine: threads for compiled loops, processes for Backtrader's."""
    from joblib import Parallel, delayed

    threads = task.engine == "fast"
    pool = Parallel(
        n_jobs=1 if in_main(task.config) and not threads else min(jobs, max(len(parts), 1)),
        backend="threading" if threads else "loky",
        return_as="generator_unordered",
        batch_size=1,
    )
    with sharing():
        yield from pool(delayed(work)(task, part) for part in parts)


def in_main(config: str) -> bool:
    """Return whether a task's strategy is a class of `__main__`, which no other process sees."""
    return str(json.loads(config)["strategy"]["class"]).startswith("__main__:")


def _main_notes(reference: str, engine: str, scheduler: str | None) -> list[Note]:
    """Return that a class of `__main__` runs in this process alone; refuse it for a cluster."""
    if not reference.startswith("__main__:"):
        return []
    if scheduler:
        raise InputError(
            f"{reference} is a class of this program, which the workers of a cluster cannot see",
            field="strategy.class",
            remedy="put the class in a file and name that: my_strategy.py:Mine",
        )
    text = (
        f"{reference} is a class of this program, so one process ran all points; put it in a file "
        "to use every core"
    )
    return [] if engine == "fast" else [Note(Severity.INFO, "one-process", text)]


def sweep(
    config: str | Path | Mapping[str, Any] | Config,
    *,
    overrides: Iterable[str] = (),
    data_dir: str | Path | None = None,
    cache_dir: str | Path | None = None,
    results: str | Path = "results",
    offline: bool = False,
    engine: str = "auto",
    samples: int | None = None,
    seed: int = 0,
    max_points: int = MAX_POINTS,
    jobs: int | None = None,
    scheduler: str | None = None,
    select: str = "sharpe",
    count: Count = no_count,
) -> SweepResult:
    """Return the result of running every point of a config's `sweep`.

    Parameters
    ----------
    config, overrides, data_dir, cache_dir, results, offline
        As in `hpi_bt.run`.
    engine : {"auto", "fast", "cerebro"}
        auto: the fast engine where the strategy is a signal kernel with orders.
    samples, seed : int, optional
        Draw that many points at random instead of the whole grid.
    max_points : int
        Refuse more.
    jobs : int, optional
        Threads or processes; one for each core by default.
    scheduler : str, optional
        Address of a Dask scheduler, "tcp://host:port"; its workers must see the results folder.
    select : str, default="sharpe"
        The figure by which the table is sorted.
    count : callable, optional
        Called with (points done, points in all).

    Raises
    ------
    InputError
        Anything wrong with the config, the grid or the scheduler.
    """
    if select not in METRICS:
        raise InputError(
            f"{select!r} is no figure", field="select", remedy=f"take one of {', '.join(METRICS)}"
        )
    with open_search(
        config, "sweep", overrides=overrides, data_dir=data_dir, cache_dir=cache_dir,
        results=results, offline=offline, engine=engine, samples=samples, seed=seed,
        max_points=max_points, scheduler=scheduler,
    ) as search:  # fmt: skip
        begun = monotonic()
        outcomes = all_outcomes(
            search, evaluate, jobs=jobs_of(jobs), scheduler=scheduler, count=count
        )
        return _written(
            search, outcomes, user_path(results, "results"), select, monotonic() - begun
        )


def _written(
    search: Search, outcomes: Outcomes, parent: Path, select: str, seconds: float
) -> SweepResult:
    """Write the folder of a finished sweep and return it."""
    year = sessions_per_year(search.frame)
    table = table_of(search.points, outcomes, select, year)
    summary = _summary(search, outcomes, table, select, seconds)
    digest = search.store.name[-16:]
    name = folder_name(f"{search.config.name}-sweep", digest, datetime.now(UTC))
    with whole_folder(parent, name) as draft:
        folder = draft.partial
        table.to_parquet(folder / "sweep.parquet")
        np.save(folder / "returns.npy", outcomes.returns)
        (folder / "config.yaml").write_text(resolved_yaml(search.config), "utf-8")
        write_json(folder / "summary.json", summary)
        write_json(folder / "env.json", environment_of(search.frame, search.source))
        axes = list(search.config.sweep)
        write_heatmap(folder / "heatmap.html", table, axes, METRICS, select, summary)
    update_index(parent)
    return SweepResult(draft.folder)


def jobs_of(jobs: int | None) -> int:
    """Return the number of threads or processes: that wanted, or one for each core."""
    from joblib import cpu_count

    if jobs is not None and jobs < 1:
        raise InputError(f"{jobs}", field="jobs", remedy="give at least one")
    return jobs or int(cpu_count())


def table_of(
    points: list[Point], outcomes: Outcomes, select: str, year: float = 252.0
) -> pd.DataFrame:
    """Return one row a point, its values and figures, the best by `select` first.

    `year`: sessions in one. Points that raised come last, with a column `error` where any did.
    """
    values = pd.DataFrame(points)
    for name in values:
        if values[name].dtype == object and not all(isinstance(v, str) for v in values[name]):
            values[name] = values[name].map(json.dumps)  # several kinds: as the config says them
    figures = pd.DataFrame(outcomes.figures, columns=list(METRICS))
    table = pd.concat([values, figures], axis=1)
    table.insert(0, "point", outcomes.number)
    if (outcomes.error != "").any():
        table["error"] = outcomes.error.astype(object)
    return table.iloc[_order(outcomes, select, year)].reset_index(drop=True)


def _order(outcomes: Outcomes, select: str, year: float) -> IntArray:
    """Return the rows best first: by `select`, points without trade or ruined last, then Sharpe."""
    figures = dict(zip(METRICS, outcomes.figures.T, strict=True))
    key = figures[select]
    if select in ("sharpe", "sortino", "calmar", "cagr"):
        key = key.copy()
        for i in np.flatnonzero(np.isnan(key) & (outcomes.error == "")):  # what has no limits
            key[i] = choice_score(outcomes.returns[i], select, periods_per_year=year)
    key = key if select in LOW_IS_GOOD else -key
    idle = ~(figures["trades"] > 0.0) & (figures["exposure"] == 0.0)
    idle |= ruined(outcomes)
    sharpe = -np.nan_to_num(figures["sharpe"], nan=-np.inf)
    return np.lexsort(
        (outcomes.number, sharpe, np.nan_to_num(key, nan=np.inf), np.isnan(key) | idle)
    )


def _cost_notes(search: Search) -> list[Note]:
    """Return that nothing costs anything, where the sweep does not vary what does."""
    if any(axis.startswith("broker.") for axis in search.points[0]):
        return []
    return config_notes(search.config.broker, None, {}, 1)


def _summary(
    search: Search, outcomes: Outcomes, table: pd.DataFrame, select: str, seconds: float
) -> dict[str, Any]:
    best = table.iloc[0]
    axes = list(search.points[0])
    errors = outcomes.errors
    return {
        "name": search.config.name,
        "kind": "sweep",
        "symbol": search.frame.attrs.get("symbol", ""),
        "demo": search.frame.attrs.get("demo", ""),
        "strategy": search.config.strategy.reference,
        "engine": search.task.engine,
        "points": len(search.points),
        "bars": len(search.frame),
        "sessions": int(outcomes.returns.shape[1]),
        "sessions_per_year": sessions_per_year(search.frame),
        "seconds": round(seconds, 3),
        "select": select,
        "best": {name: search.points[int(best["point"])][name] for name in axes},
        "figures": {name: float(best[name]) for name in METRICS},
        # infinite ratios, which JSON writes as null like those that are unknown
        "never_lost": [name for name in METRICS if best[name] == np.inf],
        "ruined": int(ruined(outcomes).sum()),
        "failed": len(errors),
        "remarks": [
            *failed_notes(search.points, errors),
            *ruin_notes(search.points, ruined(outcomes)),
            *search.notes,
            *_cost_notes(search),
        ],
        **overfitting_of(outcomes.returns, int(best["point"])),
    }
