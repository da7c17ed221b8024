"""The Hedge Pressure Gauge of a day: `hpi_bt.gauge_report()`, from files or from the cache."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from hpi_bt.backtest.result import check_writable
from hpi_bt.config import Config
from hpi_bt.errors import InputError
from hpi_bt.features.gauge import GaugeFeature, ScoredInputs
from hpi_bt.frames import Stage, locations, no_stage, read_config
from hpi_bt.gauge import GaugeResult
from hpi_bt.report.gauge import write_gauge
from hpi_bt.report.gauge_absences import gap_lines
from hpi_bt.report.gauge_words import (
    freshness_lines,
    record_lines,
    set_back_lines,
    trend_sentence,
    weights_line,
)
from hpi_bt.report.gauged import GaugeReport
from hpi_bt.sources.base import Locations
from hpi_bt.sources.gauge_data.clock import new_york_date
from hpi_bt.sources.gauge_data.fetch import FAILED, fetch_gauge
from hpi_bt.sources.gauge_data.publication import next_opens, sessions_between
from hpi_bt.sources.paths import user_path
from hpi_bt.stats.gauge_latest import fewer_than_half, last_fuller_row, latest_row
from hpi_bt.stats.gauge_quality import signal_quality
from hpi_bt.stats.gauge_warnings import drawdown_warnings, warning_outcomes

_OPTIONS = ("credit", "product", "max_age_sessions", "min_history", "window", "weighting",
            "floor", "fires_at", "horizon", "event_drawdown", "smoothing")  # fmt: skip


def gauge_report(
    config: str | Path | Mapping[str, Any] | Config | None = None,
    *,
    files: str | Mapping[str, Any] | None = None,
    as_of: date | str | None = None,
    out: str | Path | None = None,
    data_dir: str | Path | None = None,
    cache_dir: str | Path | None = None,
    offline: bool = False,
    today: date | None = None,
    stage: Stage = no_stage,
) -> GaugeReport:
    """Return the gauge of a day with its history and record, and write its page where asked.

    Parameters
    ----------
    config : path, mapping or Config, optional
        A config with a feature of kind gauge: its files and settings are used. Without one the
        files of `files`, else those of `data_dir` (or HPI_BT_DATA), else the cache.
    files : str or mapping, optional
        As in `hpi_bt.gauge_inputs`, before those of the config.
    as_of : date, optional
        Last session whose close may be known; that day is reproduced as it was. By default the
        newest or, where fewer than half of the components have a score then, the last day on
        which more had.
    out : path, optional
        The page.
    data_dir, cache_dir
        As in `hpi_bt.run`.
    offline : bool, default=False
        Use the cache as it is; else it is brought up to date first, where it is used and no
        `as_of` is given.
    today : date, optional
        Decides what is stale; the clock's date in New York by default.
    stage : callable, optional
        Called with (what is done, share done).

    Raises
    ------
    InputError
        A config without a gauge, inputs that make none, or a page that cannot be written; nothing
        is written then.
    """
    day, today = _day(as_of), today or new_york_date()
    feature, where = _chosen(config, files, data_dir, cache_dir, offline)
    if out is not None:
        check_page(user_path(out, "out"))
    notes: list[str] = []
    if feature.files is None and not offline and day is None:
        stage("downloads", 0.0)
        notes = _fetched(where)
    stage("inputs", 0.2)
    scored = feature.scored(where, as_of=day, today=today)
    newest, found = scored.result, None
    if day is None and fewer_than_half(newest):
        found = last_fuller_row(newest)
    if found is not None:
        day = found[0].date()
        scored = feature.scored(where, as_of=day, today=today, read=scored.inputs.read)
    stage("record", 0.5)
    report = _reported(feature, scored, day, today)
    if found is not None:
        report = _set_back(report, newest, today)
    report = replace(report, inputs=replace(report.inputs, notes=(*notes, *report.inputs.notes)))
    if out is not None:
        stage("page", 0.9)
        report = replace(report, page=user_path(out, "out"))
        write_gauge(report)
    stage("done", 1.0)
    return report


def check_page(page: Path) -> None:
    """Refuse a page that cannot be written, before any work is done."""
    if page.is_dir():
        raise InputError(
            "a folder",
            where=str(page),
            remedy=f"name the page in it: `out={page / 'gauge.html'}`",
        )
    try:
        check_writable(page.parent)
    except InputError as error:
        raise InputError(
            error.problem, where=error.where, remedy="give another page as `out`"
        ) from None


def _reported(
    feature: GaugeFeature, scored: ScoredInputs, day: date | None, today: date
) -> GaugeReport:
    """Return the report of a scored history; `day` is the one that was asked for, if any."""
    inputs, result = scored
    latest = latest_row(inputs, result)
    inputs = replace(inputs, notes=(*inputs.notes, *gap_lines(result.component_scores)))
    event = {"horizon": feature.horizon, "event_drawdown": feature.event_drawdown}
    spy = inputs.spy.dropna()  # what came before has no outcome
    score = result.score.loc[spy.index]
    falls = drawdown_warnings(score, spy, depth=feature.event_drawdown, lookback=feature.horizon)
    warnings = warning_outcomes(score, spy, **event)  # type: ignore[arg-type]
    quality = signal_quality(result, inputs.spy, **event)  # type: ignore[arg-type]
    seen_from = pd.Timestamp(day or today)
    fresh = freshness_lines(
        latest, _behind(latest.row, seen_from, day is not None), seen_from, _fuller(result)
    )
    return GaugeReport(
        latest=latest,
        session=pd.Timestamp(int(next_opens(pd.DatetimeIndex([latest.row]))[0])).normalize(),
        sentence=trend_sentence(latest),
        freshness=tuple(fresh),
        stale=len(fresh) > 1,
        record=tuple(record_lines(score, falls, warnings, quality, **event)),  # type: ignore[arg-type]
        weighting=weights_line(latest),
        inputs=inputs,
        result=result,
        quality=quality,
        falls=falls,
        warnings=warnings,
        options={name: getattr(feature, name) for name in _OPTIONS},
    )


def _set_back(report: GaugeReport, newest: GaugeResult, today: date) -> GaugeReport:
    """Return the report of an earlier day, with words on why it is not of the newest."""
    last, seen_from = pd.Timestamp(newest.score.index[-1]), pd.Timestamp(today)
    used = int(newest.component_scores.iloc[-1].notna().sum())
    lines = set_back_lines(
        report.latest.row,
        last,
        (used, newest.component_scores.shape[1]),
        _behind(last, seen_from, inclusive=False),
        seen_from,
    )
    general = report.freshness[0].removesuffix("; every input is fresh")
    return replace(
        report,
        sentence=f"As of {report.latest.row:%Y-%m-%d}, not the newest close: {report.sentence}",
        freshness=(general, *lines, *report.freshness[1:]),
        stale=True,
    )


def _day(as_of: date | str | None) -> date | None:
    if as_of is None:
        return None
    try:
        return pd.Timestamp(as_of).date()
    except (ValueError, TypeError):
        raise InputError(f"as_of: {as_of!r} is no date; write 2024-12-31") from None


def _chosen(
    config: str | Path | Mapping[str, Any] | Config | None,
    files: str | Mapping[str, Any] | None,
    data_dir: str | Path | None,
    cache_dir: str | Path | None,
    offline: bool,
) -> tuple[GaugeFeature, Locations]:
    """Return the gauge's settings with its files, and where these lie."""
    path, feature = None, GaugeFeature()
    if config is not None:
        model, path = read_config(config, ())
        named = [f for f in model.features if isinstance(f, GaugeFeature)]
        if len(named) != 1:
            raise InputError(
                f"features: {len(named)} of kind gauge in {path or 'the config'}; wanted one, "
                "add features: [{kind: gauge}] or call without a config"
            )
        feature = named[0]
    where = locations(path, data_dir, offline, cache_dir)
    found = files
    if found is None and config is None and (data_dir or os.environ.get("HPI_BT_DATA")):
        found = _files_of(where.folders[0])
    if found is not None:
        feature = GaugeFeature.model_validate(feature.model_dump() | {"files": found})
    return feature, where


def _files_of(folder: Path) -> dict[str, str]:
    """Return the gauge's files in a data folder: its `gauges`, and SPY's prices from its `bars`."""
    inner = folder / "gauges"
    files = {"folder": str((inner if inner.is_dir() else folder).resolve())}
    prices = sorted((folder / "bars").glob("SPY_daily*.csv"))
    adjusted = [p for p in prices if "adjusted" in p.name] or prices
    return files | ({"spy": str(adjusted[0].resolve())} if adjusted else {})


def _fetched(where: Locations) -> list[str]:
    """Bring the cache up to date; return what went wrong with it."""
    table = fetch_gauge(where)
    failed = table[table["status"].isin(FAILED)]
    return [f"not fetched: {feed}: {row['note']}" for feed, row in failed.iterrows()]


def _behind(row: pd.Timestamp, seen_from: pd.Timestamp, inclusive: bool) -> int:
    """Return how many sessions after `row` have closed by then."""
    last = seen_from if inclusive else seen_from - pd.Timedelta(days=1)
    return len(sessions_between(row + pd.Timedelta(days=1), last)) if last > row else 0


def _fuller(result: GaugeResult) -> str:
    """Return which recent day rests on more, where less than half of the components are left."""
    found = last_fuller_row(result)
    if found is None:
        return ""
    day = f"{found[0]:%Y-%m-%d}"
    return f"{day} still rested on {found[1]} components: ask for the gauge as of {day}"
