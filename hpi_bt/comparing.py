"""Runs side by side: `hpi_bt.compare(runs)`, on the sessions that they share."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.arrays import IntArray
from hpi_bt.backtest.result import check_writable, whole_folder, write_json
from hpi_bt.errors import InputError
from hpi_bt.filtering import Unfiltered, filter_effect, run_unfiltered
from hpi_bt.finished import FinishedRun, clean, differing_parameters, read_run
from hpi_bt.frames import Stage, no_stage
from hpi_bt.report.compared import METRICS, Comparison, tables, with_adjusted
from hpi_bt.report.comparison import write_comparison
from hpi_bt.report.folder import folder_name
from hpi_bt.report.index import update_index
from hpi_bt.report.verdicts import filter_words, sharpe_words
from hpi_bt.sources.paths import user_path
from hpi_bt.sources.years import sessions_a_year
from hpi_bt.stats.difference import common_returns, sharpe_difference
from hpi_bt.stats.forward import Horizon
from hpi_bt.stats.held import mean_known
from hpi_bt.stats.metrics import LEAST_SESSIONS, exposure, performance, trade_metrics
from hpi_bt.stats.studentised import check_draws

_EPOCH_ORDINAL = 719163  # date(1970, 1, 1).toordinal()
_ALIKE = 1.1  # sessions a year that holidays and short samples make differ


def compare(
    runs: Sequence[str | os.PathLike[str]],
    *,
    results: str | Path = "results",
    names: Sequence[str] | None = None,
    seed: int = 0,
    bootstrap: int = 2000,
    without_filter: bool = False,
    horizons: Sequence[Horizon] | None = None,
    data_dir: str | Path | None = None,
    offline: bool = False,
    cache_dir: str | Path | None = None,
    stage: Stage = no_stage,
) -> Comparison:
    """Return runs side by side on the sessions that all share, a page of it written.

    Parameters
    ----------
    runs : sequence of path
        Result folders, or their names in `results`; the first is what others are compared with.
    results : path, default="results"
        Where the folder of the comparison appears.
    names : sequence of str, optional
        What to call them; by default what the runs are called. With `without_filter` the
        unfiltered run comes first.
    seed, bootstrap : int, default=0, 2000
        Seed and number of the resamples behind intervals and p-values.
    without_filter : bool, default=False
        Take one run of a `Confirmed` strategy, run it again unfiltered, compare it with that, and
        accepted with vetoed entries.
    horizons : sequence of int or "close", optional
        Bars ahead for those entries.
    data_dir, offline, cache_dir
        As in `hpi_bt.run`, where a run is made again.
    stage : callable, optional
        Called with (what is done, share done).

    Raises
    ------
    InputError
        A folder that holds no run, a run given twice, runs without a common session, a strategy
        without a filter; nothing is written then.
    """
    parent = user_path(results, "results")
    check_writable(parent)
    given = [runs] if isinstance(runs, str | os.PathLike) else list(runs)
    _check_asked(given, without_filter, names)
    check_draws(bootstrap)
    read = [read_run(run, parent) for run in given]
    again = None
    if without_filter:
        where: dict[str, Any] = {"data_dir": data_dir, "offline": offline, "cache_dir": cache_dir}
        again = run_unfiltered(read[0], parent, horizons=horizons, stage=stage, **where)
        read = [again.run, read[0]]
    made = datetime.now(UTC)
    comparison = _compared(read, _names(read, names), again, parent, made, (bootstrap, seed))
    return _write(comparison, read, made)


def _compared(
    runs: Sequence[FinishedRun],
    names: Sequence[str],
    again: Unfiltered | None,
    parent: Path,
    made: datetime,
    draws: tuple[int, int],
) -> Comparison:
    """Return everything that the folder will hold."""
    returns = _aligned(runs, names)
    year = _year(runs, returns)
    differences = _sharpe_differences(returns, year, *draws)
    words, effect = sharpe_words(names, differences, len(returns)), None
    if again is not None:
        effect = filter_effect(again.entries, draws=draws[0], seed=draws[1])
        vetoed = int(again.entries["vetoed"].sum())
        words += filter_words(effect, len(again.entries) - vetoed, vetoed)
    return Comparison(
        folder=parent / folder_name(f"compare-{'-'.join(names)}", _digest(runs), made),
        names=tuple(names),
        table=_table(runs, names, returns, year),
        sharpe_differences=differences,
        parameters=differing_parameters(runs, names),
        equity=(1.0 + returns).cumprod(),
        words=tuple(words),
        warnings=(*(again.warnings if again else ()), *_remarks(runs, names, returns, year)),
        demo="; ".join(_each(runs, "demo")),
        filter_effect=effect,
        entries=again.entries if again else None,
        sessions_per_year=year,
    )


def _year(runs: Sequence[FinishedRun], returns: pd.DataFrame) -> float:
    """Return the common sessions of an elapsed year; of few, those of the run with the fewest."""
    if len(returns) < LEAST_SESSIONS:
        return min(run.year for run in runs)
    return sessions_a_year(_ordinals(returns.index))


def _ordinals(index: pd.Index) -> IntArray:
    days: IntArray = pd.DatetimeIndex(index).as_unit("s").asi8 // 86400 + _EPOCH_ORDINAL
    return days


def _check_asked(runs: Sequence[Any], without_filter: bool, names: Sequence[str] | None) -> None:
    """Refuse a wrong number of runs, or names that do not fit them, before any work is done."""
    if without_filter and len(runs) != 1:
        raise InputError(
            f"{len(runs)} runs", field="without_filter", remedy="give the one that was filtered"
        )
    if not without_filter and len(runs) < 2:
        raise InputError(f"compare: {len(runs)} run{'s' * (len(runs) != 1)}; give at least two")
    n = len(runs) + without_filter
    if names is not None and (len(names) != n or len(set(names)) < n or not all(names)):
        order = ", the unfiltered one first" * without_filter
        raise InputError(
            f"names: {list(names)} for {n} runs; give each run a name of its own{order}"
        )


def _names(runs: Sequence[FinishedRun], names: Sequence[str] | None) -> list[str]:
    """Return a name of its own for every run; refuse a run given twice."""
    seen: dict[Path, Path] = {}
    for run in runs:
        where = run.folder.resolve()
        if where in seen:
            raise InputError(
                f"{run.folder}: is given twice; a run has nothing to differ from itself"
            )
        seen[where] = where
    if names is not None:
        return [clean(name) for name in names]
    known = [run.name for run in runs]
    return [
        f"{n} ({known[: i + 1].count(n)})" if known.count(n) > 1 else n for i, n in enumerate(known)
    ]


def _aligned(runs: Sequence[FinishedRun], names: Sequence[str]) -> pd.DataFrame:
    """Return session returns on the sessions that all runs share; refuse runs without any."""
    returns = common_returns({n: run.returns for n, run in zip(names, runs, strict=True)})
    if returns.empty:
        periods = "; ".join(
            f"{name} {run.returns.index[0]:%Y-%m-%d} to {run.returns.index[-1]:%Y-%m-%d}"
            for name, run in zip(names, runs, strict=True)
        )
        raise InputError(f"compare: no session in common ({periods}); give runs of the same dates")
    return returns


def _table(
    runs: Sequence[FinishedRun], names: Sequence[str], returns: pd.DataFrame, year: float
) -> pd.DataFrame:
    """Return the figures of every run and their differences from the first."""
    parts = {}
    for window in ("common", "whole"):
        columns: dict[tuple[str, str], dict[str, float]] = {}
        for name, run in zip(names, runs, strict=True):
            columns["value", name] = (
                _common_figures(run, returns[name], year)
                if window == "common"
                else _whole(run.summary)
            )
        for name in names[1:]:
            first, own = columns["value", names[0]], columns["value", name]
            columns["difference", name] = {k: own[k] - first[k] for k in own}
        parts[window] = pd.DataFrame(columns).reindex(list(METRICS))
    return pd.concat(parts, names=["window", "metric"])


def _common_figures(run: FinishedRun, returns: pd.Series, year: float) -> dict[str, float]:
    """Return a run's figures on the common sessions; trades belong to the session of their exit."""
    days = _ordinals(returns.index)
    trades = trade_metrics(run.trades[np.isin(run.trades["session"].to_numpy(), days)])
    risk, inside = performance(returns, periods_per_year=year), np.isin(run.session, days)
    return {
        **{k: float(getattr(risk, k)) for k in METRICS if hasattr(risk, k)},
        "trades": float(trades.n),
        "win_rate": trades.win_rate,
        "profit_factor": trades.profit_factor,
        "average_trade": trades.average,
        "average_bars": trades.average_bars,
        "exposure": exposure(run.held[inside]),
        "average_exposure": mean_known(run.exposure[inside]),
        **dict.fromkeys(("costs", "vetoed"), float("nan")),
    }


def _whole(summary: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of summary.json, NaN where it has none."""
    found = {}
    for key in METRICS:
        value = summary.get(key)
        good = isinstance(value, int | float) and not isinstance(value, bool)
        found[key] = float(value) if good else float("nan")  # type: ignore[arg-type]
    return found


def _sharpe_differences(returns: pd.DataFrame, year: float, draws: int, seed: int) -> pd.DataFrame:
    """Return each run's Sharpe difference from the first, with interval and p-value."""
    first = returns.iloc[:, 0].to_numpy()
    rows = {}
    for name in returns.columns[1:]:
        own = returns[name].to_numpy()
        found = sharpe_difference(own, first, periods_per_year=year, draws=draws, seed=seed)
        sharpe = performance(own, periods_per_year=year).sharpe
        rows[name] = {"sharpe": sharpe, **found._asdict()}
    return with_adjusted(pd.DataFrame.from_dict(rows, orient="index"))


def _remarks(
    runs: Sequence[FinishedRun], names: Sequence[str], returns: pd.DataFrame, year: float
) -> list[str]:
    """Return what a reader of the comparison must know beside its numbers."""
    said = []
    markets = dict.fromkeys(str(run.summary.get("symbol") or "its data") for run in runs)
    if len(markets) > 1:
        said.append(f"different markets: {', '.join(markets)}")
    calendars = {run.calendar for run in runs if run.calendar}
    years = [run.year for run in runs]
    if len(calendars) > 1 or max(years) > _ALIKE * min(years):
        each = ", ".join(
            f"{name} {run.year:.0f}" + (f" ({run.calendar})" if run.calendar else "")
            for name, run in zip(names, runs, strict=True)
        )
        said.append(
            f"different calendars, in sessions a year: {each}; on the common sessions all are "
            f"annualised by {year:.0f}"
        )
    for name, run in zip(names, runs, strict=True):
        index = run.returns.index
        inside = int(((index >= returns.index[0]) & (index <= returns.index[-1])).sum())
        if inside > len(returns):
            said.append(
                f"{name} has {inside - len(returns)} sessions between the common ones, compounded "
                "into the next of these"
            )
        said += [
            f"{name}: {clean(line).removeprefix('warning: ')}"
            for line in (*run.summary.get("remarks", ()), *run.summary.get("notes", ()))
            if str(line).startswith("warning")
        ]
    return said


def _digest(runs: Sequence[FinishedRun]) -> str:
    text = "\n".join(run.folder.name for run in runs)
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _write(comparison: Comparison, runs: Sequence[FinishedRun], made: datetime) -> Comparison:
    """Write the folder, whole or not at all, and list it in the index of results."""
    common = comparison.equity.index
    summary = {
        "kind": "comparison",
        "name": " against ".join([*comparison.names[1:], comparison.names[0]]),
        "made_at": made.isoformat(timespec="seconds"),
        "demo": comparison.demo,
        "symbol": ", ".join(_each(runs, "symbol")),
        "runs": [run.folder.name for run in runs],
        "names": comparison.names,
        "first": str(common[0].date()),
        "last": str(common[-1].date()),
        "sessions": len(common),
        "sessions_per_year": comparison.sessions_per_year,
        "words": comparison.words,
        "warnings": comparison.warnings,
        **tables(comparison),
    }
    with whole_folder(comparison.folder.parent, comparison.folder.name) as draft:
        folder = draft.partial
        write_json(folder / "summary.json", summary)
        comparison.equity.to_parquet(folder / "equity.parquet")
        if comparison.entries is not None:
            comparison.entries.to_csv(folder / "entries.csv", index=False)
        write_comparison(folder / comparison.page.name, comparison, _pages(comparison, runs))
    update_index(comparison.folder.parent)
    return replace(comparison, folder=draft.folder)


def _each(runs: Sequence[FinishedRun], key: str) -> list[str]:
    """Return what the summaries say under `key`, every text once, none where it is empty."""
    return list(dict.fromkeys(clean(r.summary[key]) for r in runs if r.summary.get(key)))


def _pages(comparison: Comparison, runs: Sequence[FinishedRun]) -> list[tuple[str, str, str]]:
    """Return name, folder and "" or the link to it of every run; links from beside alone."""
    parent = comparison.folder.parent.resolve()
    return [
        (name, run.folder.name, run.folder.name if run.folder.resolve().parent == parent else "")
        for name, run in zip(comparison.names, runs, strict=True)
    ]
