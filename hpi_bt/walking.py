"""Walk-forward: `hpi_bt.walk_forward(config)`, choosing on one window and trading on the next."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.backtest.account_notes import config_notes, ruin_notes
from hpi_bt.backtest.fill_notes import volume_notes
from hpi_bt.backtest.points import MAX_POINTS, Point
from hpi_bt.backtest.record import Record, fills_frame
from hpi_bt.backtest.result import Result
from hpi_bt.backtest.sweep import Outcomes, Prepared, prepare
from hpi_bt.backtest.walk_forward import (
    Window,
    bars_of,
    evaluate_windows,
    stretches,
    windows_of,
)
from hpi_bt.config import Config, resolved_yaml
from hpi_bt.errors import InputError, Note, Severity
from hpi_bt.report.folder import Story, write_run
from hpi_bt.runs import assumptions, orders_of
from hpi_bt.searches import Count, Search, all_outcomes, jobs_of, no_count, open_search
from hpi_bt.sources.paths import user_path
from hpi_bt.stats.metrics import Metrics, performance, session_changes


def walk_forward(
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
    count: Count = no_count,
) -> Result:
    """Return the stitched out-of-sample run of a config's `sweep` and `walk_forward`.

    In each window the point with the most of `walk_forward.select` over the training sessions is
    traded over the test sessions that follow. The folder is that of a run (tear sheet, trades,
    equity of the tests alone) with windows.csv and stability.csv beside.

    Parameters
    ----------
    config, overrides, data_dir, cache_dir, results, offline, engine, samples, seed, max_points,
    jobs, scheduler, count
        As in `hpi_bt.sweep`.

    Raises
    ------
    InputError
        Anything wrong with config or grid, or a window longer than the data.
    """
    with open_search(
        config, "walk-forward", overrides=overrides, data_dir=data_dir, cache_dir=cache_dir,
        results=results, offline=offline, engine=engine, samples=samples, seed=seed,
        max_points=max_points,
    ) as search:  # fmt: skip
        rule = search.config.walk_forward
        if rule is None:
            raise InputError("walk_forward: is missing; add walk_forward: {train: 40, test: 10}")
        ready = prepare(search.task)
        windows = windows_of(ready.ends.size, rule)
        outcomes = all_outcomes(
            search, evaluate_windows, jobs=jobs_of(jobs), scheduler=scheduler, count=count
        )
        chosen = outcomes.figures.argmax(axis=0)
        record = _stitched(search, ready, windows, chosen)
        record.remarks.extend(volume_notes(record))
        story = _story(search, ready, windows, outcomes, chosen, record)
        return write_run(record, user_path(results, "results"), story, datetime.now(UTC))


def _story(
    search: Search,
    ready: Prepared,
    windows: list[Window],
    outcomes: Outcomes,
    chosen: IntArray,
    record: Record,
) -> Story:
    """Return what the folder says beside the run: the windows and how stable the choice was."""
    rule = search.config.walk_forward
    how = f"{rule.select}, {rule.mode}" if rule else ""
    tests = _tested(ready, windows, record)
    table = _window_table(search, ready, windows, outcomes, chosen, tests)
    stability = _stability(search.points, chosen)
    return Story(
        name=f"{search.config.name} walk-forward",
        config=resolved_yaml(search.config),
        banner=[
            *assumptions(search.config, record),
            ("Parameters", f"chosen anew in {len(windows)} windows by {how}"),
        ],
        benchmark=search.config.benchmark == "buy_and_hold",
        figures=_figures(search, outcomes, windows, chosen, tests),
        pages={
            "windows.csv": lambda path: table.to_csv(path, index=False),
            "stability.csv": lambda path: stability.to_csv(path, index=False),
        },
    )


def _stitched(search: Search, ready: Prepared, windows: list[Window], chosen: IntArray) -> Record:
    """Return the record of the test windows one after another, one account."""
    config, engine = search.config, search.task.engine
    first = bars_of(ready.ends, windows[0].test_from, windows[-1].test_to)
    frame = ready.frame.iloc[first]
    frame.attrs = dict(ready.frame.attrs)
    best = [search.points[i] for i in chosen]
    spans = [bars_of(ready.ends, w.test_from, w.test_to) for w in windows]
    pieces = list(stretches(ready, engine, best, spans))
    equity = np.concatenate([piece.equity for piece in pieces])
    fills = [
        piece.fills.assign(bar=piece.fills["bar"] + (bars.start - first.start))
        for piece, bars in zip(pieces, spans, strict=True)
        if len(piece.fills)
    ]
    counts = {k: sum(p.counts.get(k, 0) for p in pieces) for k in pieces[0].counts}
    made = pd.concat(fills, ignore_index=True) if fills else fills_frame([])
    orders = orders_of(config, ready.strategy)
    symbol = str(frame.attrs.get("symbol", ""))
    return Record(
        engine=engine,
        strategy=ready.strategy.__name__,
        params={k: _most_frequent([p[k] for p in best]) for k in best[0]},
        frame=frame,
        cash=config.broker.cash,
        equity=equity,
        position=np.concatenate([piece.position for piece in pieces]),
        fills=made,
        signals=pd.DataFrame(index=frame.index),
        multipliers={symbol: config.broker.commission.multiplier},
        counts=counts,
        remarks=[
            _WINDOWS,
            *search.notes,
            *ruin_notes(equity, frame.index, closed_out=True),
            *config_notes(config.broker, orders, counts, len(made)),
        ],
        demo=str(frame.attrs.get("demo", "")),
        code=search.source,
    )


_WINDOWS = Note(
    Severity.INFO,
    "test-windows",
    "the test windows are one account: a window's first order follows the signal of the close "
    "before it, and what is open at its end is closed at the last close, with costs",
)


def _dates(ready: Prepared, first: int, last: int) -> tuple[str, str]:
    stamps = pd.DatetimeIndex(ready.frame.index)[ready.ends[[first, last - 1]]]
    return str(stamps[0].date()), str(stamps[1].date())


def _tested(ready: Prepared, windows: list[Window], record: Record) -> list[Metrics]:
    """Return the figures of the account in the test of each window."""
    first = windows[0].test_from
    start = bars_of(ready.ends, first, first + 1).start
    ends = ready.ends[first : windows[-1].test_to] - start
    returns = session_changes(record.equity, ends, record.cash)
    own = (returns[w.test_from - first : w.test_to - first] for w in windows)
    return [performance(part, periods_per_year=ready.year) for part in own]


def _window_table(
    search: Search,
    ready: Prepared,
    windows: list[Window],
    outcomes: Outcomes,
    chosen: IntArray,
    tests: list[Metrics],
) -> pd.DataFrame:
    rows = []
    for w, (window, i) in enumerate(zip(windows, chosen.tolist(), strict=True)):
        tested = tests[w]
        train = _dates(ready, window.train_from, window.train_to)
        test = _dates(ready, window.test_from, window.test_to)
        rows.append({
            "window": w + 1, "train_from": train[0], "train_to": train[1],
            "test_from": test[0], "test_to": test[1], **search.points[i],
            "in_sample": outcomes.figures[i, w], "out_of_sample_sharpe": tested.sharpe,
            "out_of_sample_return": tested.total_return,
        })  # fmt: skip
    return pd.DataFrame(rows)


def _most_frequent(values: list[Any]) -> Any:
    return max(values, key=lambda v: [repr(x) for x in values].count(repr(v)))


def _stability(points: list[Point], chosen: IntArray) -> pd.DataFrame:
    """Return how each parameter's choice moved from window to window."""
    rows = []
    for name in points[0]:
        picked = [points[i][name] for i in chosen]
        texts = [repr(v) for v in picked]
        common = _most_frequent(picked)
        moves = sum(a != b for a, b in itertools.pairwise(texts))
        rows.append({
            "parameter": name,
            "most_frequent": common,
            "share": texts.count(repr(common)) / len(texts),
            "distinct": len(set(texts)),
            "changes": moves,
            "values": json.dumps(picked),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _figures(
    search: Search,
    outcomes: Outcomes,
    windows: list[Window],
    chosen: IntArray,
    tests: list[Metrics],
) -> dict[str, Any]:
    """Return what summary.json says of the walk beside the figures of the stitched run."""
    rule = search.config.walk_forward
    inside = outcomes.figures[chosen, np.arange(len(windows))]
    totals = [_totals(windows, outcomes, w) for w in range(len(windows))]
    ranks = [float((total <= total[i]).mean()) for total, i in zip(totals, chosen, strict=True)]
    return {
        "kind": "walk-forward",
        "windows": len(windows),
        "points": len(search.points),
        "select": rule.select if rule else "",
        "in_sample_mean": _mean(inside),
        "out_of_sample_sharpe_mean": _mean(np.array([t.sharpe for t in tests])),
        "out_of_sample_rank_mean": float(np.mean(ranks)),
    }


def _mean(values: FloatArray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None


def _totals(windows: list[Window], outcomes: Outcomes, w: int) -> FloatArray:
    """Return every point's total return in the test of window `w`."""
    offset = windows[w].test_from - windows[0].test_from
    tested = outcomes.returns[:, offset : offset + windows[w].test_to - windows[w].test_from]
    total: FloatArray = np.prod(1.0 + tested, axis=1) - 1.0
    return total
