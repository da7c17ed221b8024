"""Sweeps, end to end, against one stock run, optstrategy and the peers."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import hpi_bt
from benchmarks import market, subjects
from benchmarks.sizes import Size
from benchmarks.tables import Section, Target, seconds
from benchmarks.timing import HERE, Timing, interleaved, job
from hpi_bt.backtest.fast import atr_of, market_of, parameters_of, signal_of

COLUMNS = (
    "open", "high", "low", "close", "volume", "openinterest",
    "put_volume", "call_volume", "put_oi", "call_oi",
)  # fmt: skip


def _sweep_config(frame: pd.DataFrame, folder: Path, points: int) -> dict[str, Any]:
    path = folder / "bars.parquet"
    if not path.exists():
        frame[list(COLUMNS)].to_parquet(path)
    source = {
        "kind": "parquet", "path": str(path), "symbol": "IWM", "bar_label": "close",
        "bar_minutes": 1.0, "columns": {"datetime": "close_time"},
    }  # fmt: skip
    return market.config(source) | {"sweep": market.grid(points)}


def sweeps(size: Size) -> Section:
    """Sweeps end to end, in turn with one stock run and the peers."""
    frame, most = market.bars(size.sessions), size.points[-1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        configs = {p: _sweep_config(frame, folder, p) for p in size.points}
        hpi_bt.sweep(configs[size.points[0]], results=folder)
        inner: list[float] = []

        def sweep(points: int) -> None:
            found = hpi_bt.sweep(configs[points], results=folder).summary["seconds"]
            if points == most:
                inner.append(found)

        calls: dict[str, Callable[[], Any]] = {str(p): partial(sweep, p) for p in size.points}
        calls["stock"] = partial(subjects.stock, frame)
        seen: dict[str, list[dict[str, Any]]] = {}
        for peer, points in zip(("vectorbt", "backtesting"), size.peer_points, strict=True):
            if python := _peer_python(peer):
                seen[peer] = []
                calls[peer] = partial(_peer, python, peer, frame, folder, points, seen[peer])
        t = interleaved(calls, size.rounds)
        frame.to_parquet(folder / "frame.parquet")
        opt = job("-m", "benchmarks.child", "optstrategy", folder / "frame.parquet",
                  size.opt_points)  # fmt: skip
    return _sweep_section(t, seen, opt, size, float(np.median(inner)))


def _sweep_section(
    t: dict[str, Timing],
    seen: dict[str, list[dict[str, Any]]],
    opt: dict[str, Any],
    size: Size,
    inner: float,
) -> Section:
    most = size.points[-1]
    ours, work = t[str(most)].clock / most, t[str(most)].work / most
    rows = [
        [f"hpi_bt.sweep, {p:,} points", seconds(t[str(p)].clock), seconds(t[str(p)].clock / p),
         seconds(t[str(p)].work / p), f"{t[str(p)].clock / p / ours:.3g}"]
        for p in size.points
    ]  # fmt: skip
    rows.append([f"... evaluation alone, {most:,} points", seconds(inner), seconds(inner / most),
                 "", f"{inner / most / ours:.3g}"])  # fmt: skip
    stock = t["stock"].clock
    rows.append(["ONE stock run", seconds(stock), seconds(stock), seconds(t["stock"].work),
                 f"{stock / ours:.3g}"])  # fmt: skip
    rows.append([f"optstrategy, {size.opt_points} points on 2 processes, extrapolated",
                 seconds(opt["wall"] * most), seconds(opt["wall"]), "",
                 f"{opt['wall'] / ours:.3g}"])  # fmt: skip
    targets = [Target(f"a sweep of {most:,} points as a share of ONE stock run",
                      t[str(most)].clock / stock, 0.5, at_most=True)]  # fmt: skip
    for peer, bound in (("vectorbt", 5.0), ("backtesting", 100.0)):
        if peer not in seen:
            rows.append([f"{peer}: not installed", "", "", "", ""])
            continue
        wall, cpu = (float(np.median([r[k] for r in seen[peer]])) for k in ("wall", "cpu"))
        label = f"{peer} {seen[peer][0]['version']}, {seen[peer][0]['trades']:,} trades a point"
        rows.append([label, seconds(wall * most), seconds(wall), seconds(cpu),
                     f"{wall / ours:.3g}"])  # fmt: skip
        targets.append(Target(f"{peer}, time a sweep point against ours", wall / ours, bound,
                              unit=" x"))  # fmt: skip
        targets.append(Target(f"... in processor time ({peer})", cpu / work, bound, unit=" x"))
    return Section(
        "Sweeps",
        (f"whole or extrapolated to {most:,} points", "clock", "a point", "processor, a point",
         "ours = 1"),
        rows,
        "`hpi_bt.sweep` reads the bars from Parquet, computes every signal, simulates every "
        "rule and writes table, session returns, heat map and overfitting measures, on all cores. "
        "The peers are given our signal and ATR as arrays and pay for no indicator. vectorbt: "
        "market orders at the next open, ATR stop and flat before the close as columns of one "
        "portfolio; no time stop, no block on re-entering a side just stopped, sizes from starting "
        "cash, no commission a share; only its total return and trade count are asked for. "
        "backtesting.py: stop from the signal's close instead of the fill, no commission a share. "
        "optstrategy and the peers are extrapolated from few points.",
        targets,
    )  # fmt: skip


def _peer_python(peer: str) -> str:
    """Return the Python that has the peer: HPI_BT_BENCH_PYTHON, .venv-bench, or this one."""
    own = HERE.parent / ".venv-bench" / "bin" / "python"
    given = os.environ.get("HPI_BT_BENCH_PYTHON") or (str(own) if own.exists() else "")
    return given or (sys.executable if find_spec(peer) else "")


def _peer(
    python: str, peer: str, frame: pd.DataFrame, folder: Path, points: int, seen: list[Any]
) -> None:
    path = folder / "market.npz"
    if not path.exists():
        strategy, bars = subjects.ours(), market_of(frame)
        target = signal_of(strategy, parameters_of(strategy, {"scale": "standard"}), frame)
        series = {c: frame[c].to_numpy() for c in ("open", "high", "low", "close", "volume")}
        np.savez(
            path, **series, left=frame["minutes_left"].to_numpy(),
            stamp=pd.DatetimeIndex(frame.index).tz_localize(None).to_numpy(),
            target=np.nan_to_num(target), atr=np.nan_to_num(atr_of(subjects.ORDERS, bars)),
        )  # fmt: skip
    seen.append(job(HERE / "peers.py", peer, path, points, python=python))
