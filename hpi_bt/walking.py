"""Walk-forward: `hpi_bt.walk_forward(config)`, choosing on one window and trading on the next."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.backtest.account_notes import config_notes, ruin_notes
from hpi_bt.backtest.fill_notes import volume_notes
from hpi_bt.backtest.point_notes import failed_notes
from hpi_bt.backtest.points import MAX_POINTS, Point
from hpi_bt.backtest.record import Record, fills_frame
from hpi_bt.backtest.result import Result
from hpi_bt.backtest.sweep import Prepared, prepare
from hpi_bt.backtest.walk_forward import (
    TRAINED,
    Stretch,
    Window,
    bars_of,
    chosen_row,
    evaluate_window,
    flat_stretch,
    rank_among_others,
    rule_of,
    stretch,
    windows_of,
)
from hpi_bt.config import Config, resolved_yaml
from hpi_bt.errors import Note, Severity
from hpi_bt.report.folder import Story, write_run
from hpi_bt.runs import assumptions, orders_of
from hpi_bt.searches import (
    Count,
    Search,
    all_outcomes,
    jobs_of,
    no_count,
    open_search,
)
from hpi_bt.sources.paths import user_path
from hpi_bt.stats.metrics import Metrics, is_ruined, performance, session_changes


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

    In each window the point with the most of `walk_forward.select` over the training sessions, run
    on the equity carried so far, is traded over the test sessions that follow. The folder is that
    of a run (tear sheet, trades, equity of the tests alone) with windows.csv and stability.csv
    beside.

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
        max_points=max_points, scheduler=scheduler,
    ) as search:  # fmt: skip
        rule_of(search.config)
        walk = _walk(search, jobs_of(jobs), scheduler, count)
        record = _stitched(search, walk)
        record.remarks.extend(volume_notes(record))
        story = _story(search, walk, record)
        return write_run(record, user_path(results, "results"), story, datetime.now(UTC))


@dataclass(frozen=True)
class Walk:
    """Windows, what each of them chose, and the account of their tests.

    Attributes
    ----------
    chosen : list of int
        Number of the point that each window traded, -1 where it stayed flat.
    trained : ndarray of shape (n_windows, 3)
        TRAINED of the chosen points, NaN where there is none.
    ranks : list of float
        Of the chosen point among the others in the test of each window; NaN where unknown.
    pieces : list of Stretch
        The account in the test of each window.
    errors : dict
        What points raised, by number.
    """

    ready: Prepared
    windows: list[Window]
    chosen: list[int]
    trained: FloatArray
    ranks: list[float]
    pieces: list[Stretch]
    errors: dict[int, str]

    @property
    def spans(self) -> list[slice]:
        """Bars of the tests."""
        return [bars_of(self.ready.ends, w.test_from, w.test_to) for w in self.windows]


def _walk(search: Search, jobs: int, scheduler: str | None, count: Count) -> Walk:
    """Choose and trade window after window, each on the equity that those before have left."""
    ready, rule = prepare(search.task), rule_of(search.config)
    windows = windows_of(ready.ends.size, rule)
    walk = Walk(ready, windows, [], np.full((len(windows), len(TRAINED)), np.nan), [], [], {})
    cash, n = float(search.config.broker.cash), len(search.points)
    for w, bars in enumerate(walk.spans):

        def counted(done: int, _: int, w: int = w) -> None:
            count(w * n + done, n * len(windows))

        row, rank = -1, float("nan")
        if not any(is_ruined(piece.equity) for piece in walk.pieces):
            work = partial(evaluate_window, window=w, cash=cash)
            outcomes = all_outcomes(
                search, work, jobs=jobs, scheduler=scheduler, count=counted, part=f"window-{w:05d}"
            )
            walk.errors.update(outcomes.errors)
            row = chosen_row(outcomes.figures, rule.min_trades)
        if row < 0:
            piece = flat_stretch(bars, cash)
        else:
            walk.trained[w] = outcomes.figures[row]
            rank = rank_among_others(np.prod(1.0 + outcomes.returns, axis=1), row)
            piece = stretch(ready, search.task.engine, search.points[row], bars, cash)
        walk.chosen.append(row)
        walk.ranks.append(rank)
        walk.pieces.append(piece)
        cash = float(piece.equity[-1])
    return walk


def _story(search: Search, walk: Walk, record: Record) -> Story:
    """Return what the folder says beside the run: the windows and how stable the choice was."""
    rule = rule_of(search.config)
    tests = _tested(walk, record)
    table = _window_table(search, walk, tests)
    stability = _stability(search.points, walk.chosen)
    how = f"chosen anew in {len(walk.windows)} windows by {rule.select}, {rule.mode}"
    return Story(
        name=f"{search.config.name} walk-forward",
        config=resolved_yaml(search.config),
        banner=[*assumptions(search.config, record), ("Parameters", how)],
        benchmark=search.config.benchmark == "buy_and_hold",
        figures=_figures(search, walk, tests),
        pages={
            "windows.csv": lambda path: table.to_csv(path, index=False),
            "stability.csv": lambda path: stability.to_csv(path, index=False),
        },
    )


def _stitched(search: Search, walk: Walk) -> Record:
    """Return the record of the test windows one after another, one account."""
    config, ready, pieces = search.config, walk.ready, walk.pieces
    whole = slice(walk.spans[0].start, walk.spans[-1].stop)
    frame = ready.frame.iloc[whole]
    frame.attrs = dict(ready.frame.attrs)
    best = [search.points[row] for row in walk.chosen if row >= 0]
    equity = np.concatenate([piece.equity for piece in pieces])
    fills = [
        piece.fills.assign(bar=piece.fills["bar"] + (bars.start - whole.start))
        for piece, bars in zip(pieces, walk.spans, strict=True)
        if len(piece.fills)
    ]
    names = dict.fromkeys(["rejected", *(name for piece in pieces for name in piece.counts)])
    counts = {k: sum(p.counts.get(k, 0) for p in pieces) for k in names}
    made = pd.concat(fills, ignore_index=True) if fills else fills_frame([])
    orders = orders_of(config, ready.strategy)
    symbol = str(frame.attrs.get("symbol", ""))
    return Record(
        engine=search.task.engine,
        strategy=ready.strategy.__name__,
        params={k: _most_frequent([p[k] for p in best]) for k in best[0]} if best else {},
        frame=frame,
        cash=config.broker.cash,
        equity=equity,
        position=np.concatenate([piece.position for piece in pieces]),
        fills=made,
        signals=pd.DataFrame(index=frame.index),
        multipliers={symbol: config.broker.commission.multiplier},
        counts=counts,
        remarks=[
            *failed_notes(search.points, walk.errors),
            *_choice_notes(walk, rule_of(config).min_trades),
            _WINDOWS,
            *search.notes,
            *ruin_notes(equity, frame.index, closed_out=True),
            *config_notes(config.broker, orders, counts, len(made)),
        ],
        demo=str(frame.attrs.get("demo", "")),
        code=search.source,
    )


def _choice_notes(walk: Walk, min_trades: int) -> list[Note]:
    """Return which windows stayed flat, and which chose a point with few trades."""
    every = len(walk.windows)
    ruins = [w for w, piece in enumerate(walk.pieces) if is_ruined(piece.equity)]
    last = ruins[0] if ruins else every
    flat = [w + 1 for w, row in enumerate(walk.chosen) if row < 0 and w <= last]
    after = every - 1 - last
    trades = walk.trained[:, TRAINED.index("trades")]
    few = (np.flatnonzero(trades < min_trades) + 1).tolist()
    notes = []
    if flat:
        text = (
            f"{len(flat)} of {every} windows stayed flat (windows {_some(flat)}): no point had a "
            "trade and a score in training without ruin"
        )
        notes.append(Note(Severity.ASSUMPTION, "flat-windows", text))
    if after > 0:
        text = f"{after} of {every} windows stayed flat after the ruin of the account"
        notes.append(Note(Severity.WARNING, "flat-after-ruin", text))
    if few:
        text = (
            f"{len(few)} of {every} windows ({_some(few)}) chose a point with fewer than "
            f"{min_trades} trades in training, as no point had as many"
        )
        notes.append(Note(Severity.ASSUMPTION, "few-trades-in-training", text))
    return notes


def _some(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:8])) + (", ..." if len(numbers) > 8 else "")


_WINDOWS = Note(
    Severity.INFO,
    "test-windows",
    "the test windows are one account, parameters chosen on the equity carried so far: a window's "
    "first order follows the signal of the close before it, and what is open at its end is closed "
    "at the last close, with costs",
)


def _dates(ready: Prepared, first: int, last: int) -> tuple[str, str]:
    days = ready.frame["session"].to_numpy(dtype=np.int64)[ready.ends[[first, last - 1]]]
    one, other = (date.fromordinal(int(day)).isoformat() for day in days)
    return one, other


def _tested(walk: Walk, record: Record) -> list[Metrics]:
    """Return the figures of the account in the test of each window."""
    ready, windows = walk.ready, walk.windows
    first = windows[0].test_from
    ends = ready.ends[first : windows[-1].test_to] - walk.spans[0].start
    returns = session_changes(record.equity, ends, record.cash)
    own = (returns[w.test_from - first : w.test_to - first] for w in windows)
    return [performance(part, periods_per_year=ready.year) for part in own]


def _window_table(search: Search, walk: Walk, tests: list[Metrics]) -> pd.DataFrame:
    rows = []
    for w, (window, row) in enumerate(zip(walk.windows, walk.chosen, strict=True)):
        train = _dates(walk.ready, window.train_from, window.train_to)
        test = _dates(walk.ready, window.test_from, window.test_to)
        score, _, trades = walk.trained[w]
        point = search.points[row] if row >= 0 else dict.fromkeys(search.points[0])
        rows.append({
            "window": w + 1, "train_from": train[0], "train_to": train[1],
            "test_from": test[0], "test_to": test[1], **point,
            "in_sample": score, "in_sample_trades": None if np.isnan(trades) else int(trades),
            "out_of_sample_sharpe": tests[w].sharpe,
            "out_of_sample_return": tests[w].total_return, "out_of_sample_rank": walk.ranks[w],
        })  # fmt: skip
    return pd.DataFrame(rows, dtype=object)


def _most_frequent(values: list[Any]) -> Any:
    return max(values, key=lambda v: [repr(x) for x in values].count(repr(v)))


def _stability(points: list[Point], chosen: list[int]) -> pd.DataFrame:
    """Return how each parameter's choice moved from window to window, flat ones left out."""
    rows = []
    for name in points[0]:
        picked = [points[row][name] for row in chosen if row >= 0]
        texts = [repr(v) for v in picked]
        common = _most_frequent(picked) if picked else None
        moves = sum(a != b for a, b in itertools.pairwise(texts))
        rows.append({
            "parameter": name,
            "most_frequent": common,
            "share": texts.count(repr(common)) / len(texts) if texts else None,
            "distinct": len(set(texts)),
            "changes": moves,
            "values": json.dumps(picked),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _figures(search: Search, walk: Walk, tests: list[Metrics]) -> dict[str, Any]:
    """Return what summary.json says of the walk beside the figures of the stitched run."""
    inside = walk.trained[:, TRAINED.index("score")]
    return {
        "kind": "walk-forward",
        "windows": len(walk.windows),
        "windows_flat": walk.chosen.count(-1),
        "windows_never_lost": int((inside == np.inf).sum()),
        "points": len(search.points),
        "failed": len(walk.errors),
        "select": rule_of(search.config).select,
        "in_sample_mean": _mean(inside),
        "out_of_sample_sharpe_mean": _mean(np.array([t.sharpe for t in tests])),
        "out_of_sample_rank_mean": _mean(np.array(walk.ranks)),
    }


def _mean(values: FloatArray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None
