"""From a config to a result: the one place that joins the rooms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from hpi_bt.backtest.account_notes import config_notes
from hpi_bt.backtest.fast import run_fast
from hpi_bt.backtest.fill_notes import volume_notes
from hpi_bt.backtest.record import Record
from hpi_bt.backtest.result import Result, check_writable
from hpi_bt.backtest.sweep import engine_for
from hpi_bt.checking import check_inputs, check_known, check_params
from hpi_bt.config import Config, Study, resolved_yaml
from hpi_bt.errors import InputError
from hpi_bt.frames import (
    Stage,
    folders_of,
    frame_of_config,
    locations,
    no_stage,
    one_symbol,
    read_config,
)
from hpi_bt.identity import code_fingerprint
from hpi_bt.loading import load_function, load_strategy
from hpi_bt.orders import Orders
from hpi_bt.report import Banner
from hpi_bt.report.drawing import check_style
from hpi_bt.report.folder import Story, write_run
from hpi_bt.sources.base import Locations
from hpi_bt.sources.frame import WARM_UP
from hpi_bt.sources.paths import user_path
from hpi_bt.sources.years import sessions_per_year
from hpi_bt.stats.study import SignalStudy, Subject, signal_study


def run(
    config: str | Path | Mapping[str, Any] | Config,
    *,
    overrides: Iterable[str] = (),
    data_dir: str | Path | None = None,
    results: str | Path = "results",
    offline: bool = False,
    cache_dir: str | Path | None = None,
    engine: str = "auto",
    stage: Stage = no_stage,
) -> Result:
    """Return the result of one backtest, its folder written.

    Parameters
    ----------
    config : path, mapping or Config
        The run; a path is looked for here and among the shipped configs.
    overrides : iterable of str
        "orders.stop.multiple=3" and the like.
    data_dir : path, optional
        Folder of the data files; the environment variable HPI_BT_DATA by default.
    results : path, default="results"
        Where the result folder appears.
    offline : bool, default=False
        Forbid network access; the cache alone answers.
    cache_dir : path, optional
        Folder of downloaded data; the user's cache folder by default.
    engine : {"auto", "fast", "cerebro"}, default="auto"
        auto: the fast engine where the strategy is a signal kernel with orders; results are equal.
    stage : callable, optional
        Called with (what is done, share done) as the run goes on.

    Raises
    ------
    InputError
        Anything wrong with config, data or strategy; nothing is written then.
    """
    model, path = read_config(config, overrides)
    where = locations(path, data_dir, offline, cache_dir)
    return run_model(one_symbol(model), path, where, results, engine=engine, stage=stage)


def run_model(
    model: Config,
    path: Path | None,
    where: Locations,
    results: str | Path,
    *,
    engine: str = "auto",
    stage: Stage = no_stage,
    wrap: Callable[[type], type] | None = None,
) -> Result:
    """Return the result of one checked config that came from `path`; as `run`.

    `wrap` is given the strategy's class and returns the one to run.
    """
    parent = user_path(results, "results")
    check_writable(parent)
    call = _alert_call(model, path, engine)
    record = record_of_config(model, path, where, engine=engine, stage=stage, wrap=wrap, call=call)
    stage("report", 0.75)
    story = _story(model, record)
    result = save(record, parent, story, model.study)
    stage("done", 1.0)
    return result


def record_of_config(
    model: Config,
    path: Path | None,
    where: Locations,
    *,
    engine: str = "auto",
    stage: Stage = no_stage,
    wrap: Callable[[type], type] | None = None,
    call: Callable[..., object] | None = None,
) -> Record:
    """Return what the engine records of one checked config; as `run_model`, nothing written.

    `call` is given each alert at the close of its bar, which wants an engine that has bars.
    """
    check_style(model.chart)
    stage("strategy", 0.0)
    strategy = load_strategy(model.strategy.reference, folders_of(path))
    code = code_fingerprint(strategy)
    strategy = wrap(strategy) if wrap is not None else strategy
    check_params(strategy, model.strategy.params)
    stage("data", 0.05)
    frame = frame_of_config(model, where, history=True)
    call = _since(call, frame)
    check_inputs(strategy, frame, model.strategy.params)
    stage("backtest", 0.25)
    chosen = engine_for(strategy, "cerebro" if call and engine == "auto" else engine)
    record = _backtest(
        strategy, model, frame, chosen, lambda share: stage("backtest", 0.25 + 0.5 * share), call
    )
    record = record.since(frame.attrs.get(WARM_UP, 0))
    record.remarks.extend(volume_notes(record))
    check_known(record)
    record.remarks.extend(
        config_notes(model.broker, orders_of(model, strategy), record.counts, len(record.fills))
    )
    return replace(record, code=code)


def _since(call: Callable[..., object] | None, frame: pd.DataFrame) -> Callable[..., object] | None:
    """Return a function of alerts that is called from the first bar on that may be traded."""
    if call is None or not frame.attrs.get(WARM_UP):
        return call
    first = frame.index[frame.attrs[WARM_UP]]

    def late(alert: Any) -> None:
        zone = pd.Timestamp(alert.time).tzinfo
        if pd.Timestamp(alert.time) >= (first if zone else first.tz_localize(None)):
            call(alert)

    return late


def orders_of(config: Config, strategy: type) -> Orders | None:
    """Return the order rules of a run, None where the strategy sends orders of its own."""
    own = getattr(strategy, "orders", None)
    return (config.orders or own) if isinstance(own, Orders) else None


def _alert_call(config: Config, path: Path | None, engine: str) -> Callable[..., object] | None:
    """Return the function that a config wants called with each alert."""
    if config.alerts is None:
        return None
    if engine == "fast":
        raise InputError(
            "fast has no bar by bar run in which alerts.call could be called",
            field="engine",
            remedy="use auto or remove alerts",
        )
    return load_function(config.alerts.call, folders_of(path), key="alerts.call")


def _backtest(
    strategy: type,
    config: Config,
    frame: pd.DataFrame,
    engine: str,
    progress: Callable[[float], None],
    call: Callable[..., object] | None = None,
) -> Record:
    from hpi_bt.backtest.cerebro import run_cerebro

    name, minutes = frame.attrs["symbol"], frame.attrs["bar_minutes"]
    try:
        orders = config.orders or getattr(strategy, "orders", None)
        if isinstance(orders, Orders):
            orders.refuse_daily(minutes)
        allowed = {"allow_demo": config.demo, "allow_intraday": config.allow_intraday}
        how: dict[str, Any] = {"orders": config.orders, "broker": config.broker, **allowed}
        how |= {"style": config.chart, "first_close": frame.attrs.get(WARM_UP, 0)}
        if engine == "fast":
            return run_fast(strategy, config.strategy.params, frame, **how)
        how |= {"progress": progress, "call": call}
        record = run_cerebro(strategy, config.strategy.params, frame, **how)
    except InputError:
        raise
    except SystemExit as error:  # a strategy must not end the program as if all were well
        raise RuntimeError(f"{strategy.__name__} called sys.exit({error.code})") from error
    except (TypeError, ValueError) as error:
        raise _explained(error, strategy, name) from error
    return record


def _explained(error: Exception, strategy: type, name: str) -> Exception:
    """Return the error as wrong input where hpi_bt itself refused something, else as it is."""
    tail = error.__traceback__
    while tail is not None and tail.tb_next is not None:
        tail = tail.tb_next
    origin = tail.tb_frame.f_globals.get("__name__", "") if tail else ""
    if origin.startswith("hpi_bt."):
        return InputError(f"{name}, {strategy.__name__}: {error}")
    return error


def assumptions(config: Config, record: Record) -> Banner:
    """Return what a reader must know to judge the numbers: sign, timing, fills, costs."""
    broker, cost = config.broker, config.broker.commission
    priced = {
        "none": "no commission",
        "per_share": f"{cost.amount:g} a share",
        "percent": f"{cost.amount:g} % of value",
        "per_contract": f"{cost.amount:g} a contract, {cost.multiplier:g} a point",
    }[cost.kind]
    options = any("HedgePressureIndex" in pane["indicator"] for pane in record.panes)
    return [
        *([("Dealer sign", config.dealer_sign)] if options else []),
        *(
            (f"{what} ({feature.name})" if feature.name else what, how)
            for feature in config.features
            for what, how in feature.assumptions()
        ),
        *record.frame.attrs.get("timings", ()),
        ("Fills", "market orders at the next bar's open; a stop before a target in one bar"),
        ("Costs", f"{priced}, slippage {broker.slippage_bps:g} bp"),
        ("Engine", f"{record.engine}, bars labelled by their close"),
    ]


def _story(config: Config, record: Record) -> Story:
    return Story(
        name=config.name,
        config=resolved_yaml(config),
        banner=assumptions(config, record),
        benchmark=config.benchmark == "buy_and_hold",
        style=config.chart,
    )


def save(record: Record, parent: Path, story: Story, rules: Study | None = None) -> Result:
    """Write a record's folder, pages and study included, and return it as a `Result`."""
    study = _study(record, story, rules or Study())
    return write_run(record, parent, replace(story, study=study), datetime.now(UTC))


def _study(record: Record, story: Story, rules: Study) -> SignalStudy | None:
    """Return what followed the run's signals; where that cannot be said, a remark says why.

    Raises
    ------
    InputError
        The config asks for a horizon longer than the data.
    """
    if not rules.enabled:
        return None
    frame, lines = record.frame, record.signals
    bars = frame.drop(columns=[c for c in lines if c in frame]).join(lines)
    panes = [{**pane, **story.style.get(pane["column"], {})} for pane in record.panes]
    symbol = str(frame.attrs.get("symbol", ""))
    year = round(sessions_per_year(frame))
    subject = Subject(symbol, bars, panes, record.trades, record.account, year)
    try:
        return signal_study(
            [subject],
            horizons=rules.horizons,
            permutations=rules.permutations,
            seed=rules.seed,
        )
    except InputError as error:
        if rules.horizons and str(error).startswith("horizons"):
            raise InputError(f"study.{error}") from None
        record.remarks.append(f"signals were not studied: {error}")
        return None
