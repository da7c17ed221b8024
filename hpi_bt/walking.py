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
from hpi_bt.backtest.fast import fills_of
from hpi_bt.backtest.fast_loop import COUNTS
from hpi_bt.backtest.fill_notes import volume_notes
from hpi_bt.backtest.points import MAX_POINTS, Point
from hpi_bt.backtest.record import Record, fills_frame
from hpi_bt.backtest.result import Result
from hpi_bt.backtest.sweep import Outcomes, Prepared, cerebro_record, fast_targets, prepare
from hpi_bt.backtest.walk_forward import Window, bars_of, evaluate_windows, stretch, windows_of
from hpi_bt.config import Config, resolved_yaml
from hpi_bt.errors import InputError
from hpi_bt.report.folder import Story, write_run
from hpi_bt.runs import assumptions
from hpi_bt.searches import Count, Search, all_outcomes, jobs_of, no_count, open_search
from hpi_bt.stats.metrics import performance


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
        return write_run(record, Path(results).expanduser(), story, datetime.now(UTC))


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
    table = _window_table(search, ready, windows, outcomes, chosen)
    stability = _stability(search.points, chosen)
    return Story(
        name=f"{search.config.name} walk-forward",
        config=resolved_yaml(search.config),
        banner=[
            *assumptions(search.config, record),
            ("Parameters", f"chosen anew in {len(windows)} windows by {how}"),
        ],
        benchmark=search.config.benchmark == "buy_and_hold",
        source=search.source,
        figures=_figures(search, outcomes, windows, chosen, ready.year),
        pages={
            "windows.csv": lambda path: table.to_csv(path, index=False),
            "stability.csv": lambda path: stability.to_csv(path, index=False),
        },
    )


def _stitched(search: Search, ready: Prepared, windows: list[Window], chosen: IntArray) -> Record:
    """Return the record of the test windows one after another, cash carried over."""
    pieces = _fast_pieces if search.task.engine == "fast" else _cut_pieces
    first = bars_of(ready.ends, windows[0].test_from, windows[-1].test_to)
    frame = ready.frame.iloc[first]
    frame.attrs = dict(ready.frame.attrs)
    equity, position, fills, counts = pieces(search, ready, windows, chosen)
    fills["bar"] = fills["bar"] - first.start
    symbol = str(frame.attrs.get("symbol", ""))
    best = [search.points[i] for i in chosen]
    return Record(
        engine=search.task.engine,
        strategy=ready.strategy.__name__,
        params={k: _most_frequent([p[k] for p in best]) for k in best[0]},
        frame=frame,
        cash=search.config.broker.cash,
        equity=equity,
        position=position,
        fills=fills,
        signals=pd.DataFrame(index=frame.index),
        multipliers={symbol: search.config.broker.commission.multiplier},
        counts=counts,
        remarks=[_how(search.task.engine)],
        demo=str(frame.attrs.get("demo", "")),
    )


def _how(engine: str) -> str:
    if engine == "fast":
        return "each window starts flat; what is open at its end is valued at the last close"
    return "returns are cut from runs over all bars: a position may be carried into a window"


_Pieces = tuple[FloatArray, FloatArray, pd.DataFrame, dict[str, int]]


def _fast_pieces(
    search: Search, ready: Prepared, windows: list[Window], chosen: IntArray
) -> _Pieces:
    cash = search.config.broker.cash
    equity, position, fills = [], [], []
    counts = np.zeros(len(COUNTS), dtype=np.int64)
    symbol = str(ready.frame.attrs.get("symbol", ""))
    points = [(int(i), search.points[i]) for i in chosen]
    for window, (config, target) in zip(windows, fast_targets(ready, points), strict=True):
        account, _ = stretch(ready, config, target, window.test_from, window.test_to, cash)
        equity.append(account.equity.copy())
        position.append(account.position.copy())
        counts += account.counts
        bars = bars_of(ready.ends, window.test_from, window.test_to)
        made = fills_of(account, ready.frame.iloc[bars], symbol)
        made["bar"] += bars.start
        fills.append(_closed_out(made, account.position[-1], ready, bars.stop - 1))
        cash = float(account.equity[-1])
    counted = {k: int(v) for k, v in zip(COUNTS, counts, strict=True)}
    return np.concatenate(equity), np.concatenate(position), pd.concat(fills), counted


def _closed_out(fills: pd.DataFrame, left: float, ready: Prepared, bar: int) -> pd.DataFrame:
    """Return a window's fills, what is open at its end sold at the last close without costs."""
    if not left:
        return fills
    close = float(ready.market.close[bar])
    row = {
        "bar": bar, "time": ready.frame.index[bar], "data": fills["data"].iloc[-1], "size": -left,
        "price": close, "commission": 0.0, "slippage": 0.0, "kind": "exit",
        "reason": "window end", "closed": -left, "closed_commission": 0.0,
    }  # fmt: skip
    return pd.concat([fills, fills_frame([row])], ignore_index=True)


def _cut_pieces(
    search: Search, ready: Prepared, windows: list[Window], chosen: IntArray
) -> _Pieces:
    value = search.config.broker.cash
    equity, position, fills = [], [], []
    records: dict[int, Record] = {}
    for window, i in zip(windows, chosen.tolist(), strict=True):
        if i not in records:
            records[i] = cerebro_record(ready, search.points[i])
        record = records[i]
        bars = bars_of(ready.ends, window.test_from, window.test_to)
        base = record.equity[bars.start - 1] if bars.start else record.cash
        scale = value / base
        equity.append(record.equity[bars] * scale)
        position.append(record.position[bars] * scale)
        fills.append(_cut_fills(record, ready, bars, scale))
        value = float(equity[-1][-1])
    return np.concatenate(equity), np.concatenate(position), pd.concat(fills), {"rejected": 0}


def _cut_fills(record: Record, ready: Prepared, bars: slice, scale: float) -> pd.DataFrame:
    """Return a window's fills, scaled; what is held at its ends is taken over and closed out."""
    inside = record.fills[record.fills["bar"].between(bars.start, bars.stop - 1)].copy()
    for name in ("size", "commission", "slippage", "closed", "closed_commission"):
        inside[name] = inside[name].astype(np.float64) * scale
    symbol = str(ready.frame.attrs.get("symbol", ""))
    parts = [inside]
    carried = float(record.position[bars.start - 1]) * scale if bars.start else 0.0
    if carried:
        close = float(ready.market.close[bars.start - 1])
        parts.insert(0, _row(ready, symbol, bars.start, carried, close, "window start"))
    left = float(record.position[bars.stop - 1]) * scale
    if left:
        close = float(ready.market.close[bars.stop - 1])
        parts.append(_row(ready, symbol, bars.stop - 1, -left, close, "window end"))
    return (
        pd.concat([p for p in parts if len(p)], ignore_index=True)
        if any(map(len, parts))
        else inside
    )


def _row(
    ready: Prepared, symbol: str, bar: int, size: float, price: float, reason: str
) -> pd.DataFrame:
    leaving = reason == "window end"
    row = {
        "bar": bar, "time": ready.frame.index[bar], "data": symbol, "size": size, "price": price,
        "commission": 0.0, "slippage": 0.0, "kind": "exit" if leaving else "entry",
        "reason": reason, "closed": size if leaving else 0.0, "closed_commission": 0.0,
    }  # fmt: skip
    return fills_frame([row])


def _dates(ready: Prepared, first: int, last: int) -> tuple[str, str]:
    stamps = pd.DatetimeIndex(ready.frame.index)[ready.ends[[first, last - 1]]]
    return str(stamps[0].date()), str(stamps[1].date())


def _tested(windows: list[Window], outcomes: Outcomes, w: int, point: int) -> FloatArray:
    """Return a point's session returns in the test of window `w`."""
    offset = windows[w].test_from - windows[0].test_from
    return outcomes.returns[point, offset : offset + windows[w].test_to - windows[w].test_from]


def _window_table(
    search: Search,
    ready: Prepared,
    windows: list[Window],
    outcomes: Outcomes,
    chosen: IntArray,
) -> pd.DataFrame:
    rows = []
    for w, (window, i) in enumerate(zip(windows, chosen.tolist(), strict=True)):
        tested = performance(_tested(windows, outcomes, w, i), periods_per_year=ready.year)
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
    search: Search, outcomes: Outcomes, windows: list[Window], chosen: IntArray, year: int
) -> dict[str, Any]:
    """Return what summary.json says of the walk beside the figures of the stitched run."""
    rule = search.config.walk_forward
    inside = outcomes.figures[chosen, np.arange(len(windows))]
    tested = [
        performance(_tested(windows, outcomes, w, int(i)), periods_per_year=year).sharpe
        for w, i in enumerate(chosen)
    ]
    totals = [_totals(windows, outcomes, w) for w in range(len(windows))]
    ranks = [float((total <= total[i]).mean()) for total, i in zip(totals, chosen, strict=True)]
    return {
        "kind": "walk-forward",
        "windows": len(windows),
        "points": len(search.points),
        "select": rule.select if rule else "",
        "in_sample_mean": _mean(inside),
        "out_of_sample_sharpe_mean": _mean(np.array(tested)),
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
