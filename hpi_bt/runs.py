"""From a config to a result: the one place that joins the rooms."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.backtest.fast import parameters_of, run_fast
from hpi_bt.backtest.record import Record
from hpi_bt.backtest.result import Result, check_writable
from hpi_bt.backtest.sweep import engine_for
from hpi_bt.config import Config, Study, overridden, read_mapping, resolved_yaml, validated
from hpi_bt.errors import InputError, did_you_mean
from hpi_bt.kernels.pressure import demo_flow
from hpi_bt.loading import load_function, load_strategy, resolve_file, shipped
from hpi_bt.orders import Orders
from hpi_bt.report import Banner
from hpi_bt.report.drawing import check_style
from hpi_bt.report.folder import Story, write_run
from hpi_bt.sources.base import Locations
from hpi_bt.sources.build import build_frame
from hpi_bt.sources.frame import OI_COLUMNS, validate_frame
from hpi_bt.stats.study import SignalStudy, Subject, signal_study

Stage = Callable[[str, float], None]


def no_stage(_: str, __: float) -> None:
    """Show no progress."""


def read_config(
    config: str | Path | Mapping[str, Any] | Config, overrides: Iterable[str]
) -> tuple[Config, Path | None]:
    """Return the config and the file it came from (None for a mapping or model)."""
    if isinstance(config, Config):
        if not list(overrides):
            return config, None
        config = config.model_dump(by_alias=True)
    if isinstance(config, Mapping):
        return validated(overridden(config, overrides), "config"), None
    path = find_config(Path(config))
    return validated(overridden(read_mapping(path), overrides), str(config)), path


def find_config(path: Path) -> Path:
    """Return the config file of that name here, else the shipped one."""
    inner = Path(*path.parts[1:]) if path.parts[:1] == ("configs",) else path
    candidates = [path, shipped("configs") / inner]
    return next((c for c in candidates if c.is_file()), path)


def folders_of(path: Path | None) -> list[Path]:
    """Return where relative files are looked for: here, beside the config, and above it."""
    if path is None:
        return [Path.cwd()]
    return [Path.cwd(), path.resolve().parent, *path.resolve().parents[1:4]]


def locations(
    path: Path | None = None,
    data_dir: str | Path | None = None,
    offline: bool = False,
    cache_dir: str | Path | None = None,
) -> Locations:
    """Return where data files may lie: data folder (or HPI_BT_DATA), here, beside the config."""
    given = data_dir or os.environ.get("HPI_BT_DATA")
    if given and not Path(given).expanduser().is_dir():
        origin = "--data-dir" if data_dir else "HPI_BT_DATA"
        raise InputError(f"{origin}: {given} is no folder; give the one that holds the data files")
    first = [Path(given).expanduser()] if given else []
    kept = {"cache": Path(cache_dir).expanduser()} if cache_dir else {}
    return Locations(folders=(*first, *folders_of(path)), offline=offline, **kept)


def frame_of_config(config: Config, where: Locations) -> pd.DataFrame:
    """Return the frame that a config's `data` section describes."""
    data = config.data
    source = data.source.read(where, data.calendar)
    frame = build_frame(
        source,
        calendar=data.calendar,
        where=where,
        outside=data.outside,
        slot_minutes=data.slot_minutes,
        open_interest_stamp=data.open_interest.stamp,
        parts=data.join,
        derived=data.derive,
        resample_minutes=data.resample_minutes,
    )
    for feature in config.features:
        frame = feature.add(frame, where, data.calendar)
    frame = _between(frame, config)
    return _with_demo_flow(frame) if config.demo else frame


def _between(frame: pd.DataFrame, config: Config) -> pd.DataFrame:
    start, end = config.data.start, config.data.end
    if start is None and end is None:
        return frame
    attrs, session = frame.attrs, frame["session"].to_numpy()
    keep = np.ones(len(frame), dtype=bool)
    if start is not None:
        keep &= session >= start.toordinal()
    if end is not None:
        keep &= session <= end.toordinal()
    if not keep.any():
        raise InputError(
            f"data.start, data.end: no bar from {start or 'the first'} to {end or 'the last'}; "
            f"the data run from {frame.index[0]:%Y-%m-%d} to {frame.index[-1]:%Y-%m-%d}, "
            "choose dates within"
        )
    frame = frame[keep]
    frame.attrs = attrs
    return frame


def _with_demo_flow(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with option flow made up from its bars, where it has none."""
    if "put_volume" in frame:
        return frame
    columns = ("high", "low", "close", "volume", "session")
    flow = demo_flow(*(frame[c].to_numpy(dtype=np.float64) for c in columns))
    made = frame.assign(**flow._asdict())
    made.attrs = frame.attrs | {"demo": "option flow made up from price bars (demo: true)"}
    return made


def load_frame(
    config: str | Path | Mapping[str, Any] | Config,
    *,
    overrides: Iterable[str] = (),
    data_dir: str | Path | None = None,
    offline: bool = False,
    cache_dir: str | Path | None = None,
) -> pd.DataFrame:
    """Return the frame that a config's `data` section describes, ready for `HedgeData`."""
    model, path = read_config(config, overrides)
    return frame_of_config(one_symbol(model), locations(path, data_dir, offline, cache_dir))


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


def one_symbol(config: Config) -> Config:
    """Return the config; refuse one that stands for several runs."""
    if config.symbols:
        raise InputError(
            f"symbols: this is one run, and there are {len(config.symbols)} of them; use `hpi-bt "
            "run`, hpi_bt.signals, or take symbols out (-s symbols=[])"
        )
    return config


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
    parent = Path(results).expanduser()
    check_writable(parent)
    call = _alert_call(model, path, engine)
    record = record_of_config(model, path, where, engine=engine, stage=stage, wrap=wrap, call=call)
    stage("report", 0.75)
    story = _story(model, record, source_digest(model, path))
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
    strategy = wrap(strategy) if wrap is not None else strategy
    check_params(strategy, model.strategy.params)
    stage("data", 0.05)
    frame = frame_of_config(model, where)
    check_inputs(strategy, frame, model.strategy.params)
    stage("backtest", 0.25)
    chosen = engine_for(strategy, "cerebro" if call and engine == "auto" else engine)
    record = _backtest(
        strategy, model, frame, chosen, lambda share: stage("backtest", 0.25 + 0.5 * share), call
    )
    _check_known(record)
    record.remarks.extend(_slippage_remark(record, model.broker.slippage_bps))
    return record


def _alert_call(config: Config, path: Path | None, engine: str) -> Callable[..., object] | None:
    """Return the function that a config wants called with each alert."""
    if config.alerts is None:
        return None
    if engine == "fast":
        raise InputError(
            "--engine fast: it has no bar by bar run in which alerts.call could be called; use "
            "--engine auto or remove alerts"
        )
    return load_function(config.alerts.call, folders_of(path), key="alerts.call")


def _slippage_remark(record: Record, bps: float) -> list[str]:
    """Warn where slippage could not apply, as Backtrader caps it at the fill bar's range."""
    bars = record.frame.iloc[record.fills["bar"].to_numpy(dtype=np.int64)]
    flat = int((bars["high"] == bars["low"]).sum())
    if not bps or flat < 0.2 * len(bars) or not flat:
        return []
    return [
        f"warning: {flat} of {len(bars)} fills fell on bars of a single price, where slippage "
        f"({bps:g} bp), capped at the bar's range, did not apply: costs are understated"
    ]


def check_params(strategy: Any, params: Mapping[str, Any], where: str = "strategy.params") -> None:
    """Refuse parameters that the strategy lacks, or of another kind than its defaults."""
    defaults = {k: v for k, v in strategy.params._getitems() if k != "orders"}
    for name, value in params.items():
        if name not in defaults:
            hint = did_you_mean(name, defaults) if defaults else " (it has none)"
            raise InputError(
                f"{where}.{name}: {strategy.__name__} has no such parameter{hint}; "
                "rename or remove it"
            )
        wanted, found = _kind(defaults[name]), _kind(value)
        if "" not in (wanted, found) and wanted != found:
            raise InputError(
                f"{where}.{name}: found {value!r}; wanted {wanted} such as the default, "
                f"{defaults[name]!r}"
            )


def _kind(value: object) -> str:
    """Return what a value is in YAML, "" where it may stand for anything."""
    kinds = ((bool, "true or false"), (int | float, "a number"), (str, "text"))
    return next((word for kind, word in kinds if isinstance(value, kind)), "")


def check_inputs(strategy: Any, frame: pd.DataFrame, params: Mapping[str, Any]) -> None:
    """Refuse data in which a column that the signal needs is absent or never known."""
    inputs = getattr(strategy, "inputs", ())
    if hasattr(strategy, "inputs_for"):
        inputs = strategy.inputs_for(parameters_of(strategy, params)).required
    validate_frame(frame, name=frame.attrs["symbol"], required=inputs)


def _check_known(record: Record) -> None:
    """Refuse a run in which one of our indicators was never known, by look-back or lack of data."""
    from hpi_bt.indicators import __all__ as ours

    for pane in record.panes:
        column = pane["column"]
        if pane.get("kind") == "event" or pane["indicator"] not in ours or pane.get("sparse"):
            continue
        if record.signals[column].isna().all():
            why = next((r for r in record.remarks if "never known" in r), "")
            raise InputError(
                f"{record.frame.attrs['symbol']}: {column} is never known in {len(record.frame)} "
                f"bars{f' ({why})' if why else ''}; give more data or shorter look-backs"
            )


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
        how["style"] = config.chart
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


def source_digest(config: Config, path: Path | None) -> str:
    """Return a hash of the strategy's file, "" where it is a module."""
    target = config.strategy.reference.rpartition(":")[0]
    if target.endswith(".py"):
        return hashlib.sha1(
            resolve_file(target, folders_of(path)).read_bytes(), usedforsecurity=False
        ).hexdigest()
    return ""


def assumptions(config: Config, record: Record) -> Banner:
    """Return what a reader must know to judge the numbers: sign, timing, fills, costs."""
    broker, cost = config.broker, config.broker.commission
    priced = {
        "none": "no commission",
        "per_share": f"{cost.amount:g} a share",
        "percent": f"{cost.amount:g} % of value",
        "per_contract": f"{cost.amount:g} a contract, {cost.multiplier:g} a point",
    }[cost.kind]
    timing = {
        "pre_open": "published before the session's open",
        "prior_close": "counted after the close, used from the next session on",
    }[config.data.open_interest.stamp]
    options = any("HedgePressureIndex" in pane["indicator"] for pane in record.panes)
    return [
        *([("Dealer sign", config.dealer_sign)] if options else []),
        *(said for feature in config.features for said in feature.assumptions()),
        *([("Open interest", timing)] if _has_positions(record.frame) else []),
        ("Fills", "market orders at the next bar's open; a stop before a target in one bar"),
        ("Costs", f"{priced}, slippage {broker.slippage_bps:g} bp"),
        ("Engine", f"{record.engine}, bars labelled by their close"),
    ]


def _has_positions(frame: pd.DataFrame) -> bool:
    """Return whether a frame has any open interest or option flow."""
    names = [n for n in (*OI_COLUMNS, "put_volume", "call_volume") if n in frame]
    return bool((frame[names].fillna(0.0) != 0.0).to_numpy().any())


def _story(config: Config, record: Record, source: str) -> Story:
    return Story(
        name=config.name,
        config=resolved_yaml(config),
        banner=assumptions(config, record),
        benchmark=config.benchmark == "buy_and_hold",
        source=source,
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
    subject = Subject(str(frame.attrs.get("symbol", "")), bars, panes, record.trades)
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
