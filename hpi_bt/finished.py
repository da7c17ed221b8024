"""A finished run, read back from its folder with care."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.config.loader import load_yaml
from hpi_bt.errors import InputError, did_you_mean
from hpi_bt.sources.paths import user_path
from hpi_bt.stats.held import without_flows
from hpi_bt.stats.metrics import session_returns

_FILES = ("summary.json", "config.yaml", "equity.parquet", "signals.parquet", "trades.csv")
_OTHERS = {
    "sweep": "a sweep, whose points have no equity of their own; run its best point",
    "comparison": "a comparison; give the runs that it compares",
    "study": "a pooled study; give the runs that it pools",
}
_FIGURES = ("start_value", "total_return", "sharpe", "max_drawdown", "trades", "costs")
_TRADE = ("net", "bars", "status", "exit_time", "entry_bar", "direction", "entry_price")

_UNSHOWN = ("name", "chart")  # of a config: they change no number
NOT_SET = "not set"


@dataclass(frozen=True)
class FinishedRun:
    """What a result folder holds, checked.

    Attributes
    ----------
    folder : Path
    name : str
        As the run was called.
    summary, config, environment : mapping
        summary.json, config.yaml and env.json ({} where there is none).
    index : DatetimeIndex of length n_bars
        Bar closes.
    session : ndarray of int, shape (n_bars,)
    held : ndarray of shape (n_bars,)
        0 where nothing is held at a close.
    exposure : ndarray of shape (n_bars,)
        What all positions are worth over equity, shorts as longs; NaN where that is not known.
    returns : Series of shape (n_sessions,)
        As the tear sheet uses them.
    trades : DataFrame
        trades.csv with `session`, the day (ordinal) of the exit, 0 where a trade is open.
    """

    folder: Path
    name: str
    summary: Mapping[str, Any]
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    index: pd.DatetimeIndex
    session: IntArray
    held: FloatArray
    exposure: FloatArray
    returns: pd.Series
    trades: pd.DataFrame

    @property
    def year(self) -> float:
        """Sessions in a year; 252 in runs of earlier versions, which do not say it."""
        said = self.summary.get("sessions_per_year")
        good = isinstance(said, int | float) and not isinstance(said, bool) and said > 0
        return float(said) if good else 252.0  # type: ignore[arg-type]

    @property
    def calendar(self) -> str:
        """Name of the calendar, "" where the run has none."""
        data = self.config.get("data")
        return clean(data.get("calendar") or "") if isinstance(data, Mapping) else ""


def read_run(run: str | os.PathLike[str], results: Path) -> FinishedRun:
    """Return the run that a folder holds; the folder may be named as it is called in `results`.

    Raises
    ------
    InputError
        No such folder, no run, or a file of it is damaged.
    """
    folder = _find(user_path(run), results)
    summary = _read_summary(folder)
    for name in _FILES:
        if not (folder / name).is_file():
            raise InputError(f"{folder}: no file {name}; give a result folder of `hpi-bt run`")
    config = _read_config(folder)
    environment = _read_json(folder / "env.json") if (folder / "env.json").is_file() else {}
    try:
        equity = pd.read_parquet(folder / "equity.parquet")
        session = pd.read_parquet(folder / "signals.parquet", columns=["session"])["session"]
        trades = pd.read_csv(folder / "trades.csv")
        trades = trades.assign(session=_exit_sessions(trades, equity.index, session))
        ids = session.to_numpy(dtype=np.int64)
        start = float(summary["start_value"])
        curve = without_flows(equity["equity"], equity.get("paid_in"), start)
        returns = session_returns(pd.Series(curve, equity.index), ids, start)
    except (OSError, ValueError, LookupError, TypeError) as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{folder}: is damaged ({said}); run it again") from None
    unknown = pd.Series(np.nan, equity.index)  # of a run of an earlier version
    gross = equity.get("gross_exposure", equity.get("exposure", unknown).abs())
    exposure = np.asarray(gross, dtype=np.float64)
    held = np.asarray(equity.get("gross_exposure", equity["position"]), dtype=np.float64)
    index = pd.DatetimeIndex(equity.index)
    name = clean(summary["name"])
    return FinishedRun(
        folder, name, summary, config, environment, index, ids, held, exposure, returns, trades
    )


def _find(path: Path, results: Path) -> Path:
    """Return the folder of that name, here or in `results`."""
    for folder in (path, results / path):
        if folder.is_dir():
            return folder
    here = sorted(p.parent.name for p in results.glob("*/summary.json"))
    hint = did_you_mean(path.name, here) if here else " (there is none yet)"
    raise InputError(f"{path}: no result folder here or in {results}{hint}; give one of them")


def _read_summary(folder: Path) -> dict[str, Any]:
    """Return summary.json, proven to be that of a run."""
    if not (folder / "summary.json").is_file():
        raise InputError(
            f"{folder}: is no result folder (no summary.json); give one that `hpi-bt run` wrote"
        )
    summary = _read_json(folder / "summary.json")
    other = _OTHERS.get(str(summary.get("kind")))
    if other:
        raise InputError(f"{folder}: is {other}")
    for key in ("name", *_FIGURES):
        if key not in summary:
            raise InputError(
                f"{folder / 'summary.json'}: no {key!r} in it; it is damaged or no run of hpi_bt, "
                "run it again"
            )
    return summary


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split())
        raise InputError(f"{path}: is damaged ({said}); run it again") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: is damaged (no mapping); run it again")
    return found


def _read_config(folder: Path) -> dict[str, Any]:
    """Return config.yaml as plain values; also that of hb.Report, which is no config to run."""
    try:
        found = load_yaml((folder / "config.yaml").read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())
        raise InputError(f"{folder / 'config.yaml'}: is damaged ({said}); run it again") from None
    return found if isinstance(found, dict) else {}


def _exit_sessions(trades: pd.DataFrame, index: pd.Index, session: pd.Series) -> IntArray:
    """Return the session of each trade's exit, 0 where it is open; refuse a table without one."""
    missing = [name for name in _TRADE if name not in trades]
    if missing:
        raise KeyError(f"trades.csv: no column {missing[0]!r}")
    text = trades["exit_time"].astype("string")
    naive = not text.str.contains(r"(?:[+-]\d\d:\d\d|Z)$", regex=True).fillna(False).any()
    times = pd.DatetimeIndex(pd.to_datetime(text, format="ISO8601", utc=True))
    bars = pd.DatetimeIndex(index)
    if naive and bars.tz is not None:
        bars = bars.tz_localize(None)
    bars = bars.tz_localize("UTC") if bars.tz is None else bars.tz_convert("UTC")
    at = np.minimum(np.searchsorted(bars.asi8, times.as_unit(bars.unit).asi8), len(bars) - 1)
    own = session.to_numpy(dtype=np.int64)[at]
    return np.where(times.isna() | (trades["status"] != "closed").to_numpy(), 0, own)


def differing_parameters(runs: Sequence[FinishedRun], names: Sequence[str]) -> pd.DataFrame:
    """Return the parameters that differ, and whether data and strategy file do.

    Index: path in the config; one column a run, as text, "not set" where it has none.
    """
    flattened = [_flat_run(run) for run in runs]
    rows = {}
    for key in sorted({key for one in flattened for key in one}):
        values = [_plain(one[key]) if key in one else NOT_SET for one in flattened]
        if any(not _same(a, b, key) for a, b in pairwise(flattened)):
            rows[key] = values
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(names), dtype=object)


def _same(a: Mapping[str, Any], b: Mapping[str, Any], key: str) -> bool:
    one, two = a.get(key), b.get(key)  # none is what a key stands for that is not there
    return bool(one == two) and isinstance(one, bool) == isinstance(two, bool)


def _flat_run(run: FinishedRun) -> dict[str, Any]:
    """Return a run's config as path: value, the strategy's defaults and fingerprints added."""
    config = {k: v for k, v in run.config.items() if k not in _UNSHOWN}
    found = flat(config)
    given = run.config.get("strategy")
    named = given.get("params") if isinstance(given, dict) else None
    for key, value in dict(run.summary.get("params") or {}).items():
        if not isinstance(named, dict) or key not in named:
            found[f"strategy.params.{key}"] = value
    for key in ("data_fingerprint", "strategy_fingerprint"):
        if run.environment.get(key):
            found[key] = str(run.environment[key])[:10]
    return found


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Return nested mappings and lists as {"a.b[0].c": value}; empty ones are left out."""
    if isinstance(value, Mapping):
        parts = [(f"{path}.{k}" if path else str(k), v) for k, v in value.items()]
    elif isinstance(value, list):
        parts = [(f"{path}[{i}]", v) for i, v in enumerate(value)]
    else:
        return {path: value}
    return {clean(k): v for key, item in parts for k, v in flat(item, key).items()}


def _plain(value: Any) -> str:
    """Return a parameter's value as a config would say it."""
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else clean(value)


def clean(value: Any) -> str:
    """Return text that UTF-8 can carry: pairs of surrogates are joined, lone ones become "?"."""
    text = str(value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\ufffd", "?")
