"""What is measured, section by section."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import hpi_bt
from benchmarks import market, subjects
from benchmarks.tables import Section, Target, seconds
from benchmarks.timing import HERE, Timing, interleaved, job
from hpi_bt import HedgePressureIndex
from hpi_bt.backtest.fast import (
    atr_of,
    costs_of,
    market_of,
    parameters_of,
    rules_of,
    signal_of,
)  # fmt: skip
from hpi_bt.backtest.fast_loop import simulate
from hpi_bt.indicators.base import kernel_series
from hpi_bt.indicators.hedge_pressure_index import hedge_pressure_lines
from hpi_bt.kernels.wilder import wilder_atr

COLUMNS = (
    "open", "high", "low", "close", "volume", "openinterest",
    "put_volume", "call_volume", "put_oi", "call_oi",
)  # fmt: skip


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    sessions: int = market.SESSIONS
    rounds: int = 5
    points: tuple[int, ...] = (10, 100, 1000)
    scaling: tuple[int, ...] = (26, 252, 770, 2564)
    peer_points: tuple[int, int] = (50, 4)
    opt_points: int = 4


FULL = Size()
QUICK = Size(20, 1, (10,), (10, 20), (5, 1), 2)


def _rows(timings: dict[str, Timing], names: dict[str, str], base: str) -> list[list[str]]:
    def row(key: str, label: str) -> list[str]:
        t = timings[key]
        spread = f"{seconds(min(t.wall))} to {seconds(max(t.wall))}"
        ratio = timings[base].work / t.work
        return [label, seconds(t.clock), spread, seconds(t.work), f"{ratio:.3g} x"]

    return [row(key, label) for key, label in names.items()]


HEADER = ("", "clock, median", "min to max", "processor, median", "faster by")


def engines(size: Size) -> Section:
    """Whole backtests of the same rules, one in turn with the others in one process."""
    frame = market.bars(size.sessions)
    fills = {scale: subjects.fills_agree(frame, scale) for scale in ("standard", "contracts")}
    names = {
        "stock": "stock Backtrader: PandasData, plain indicator and strategy",
        "stock_empty": "stock Backtrader: PandasData, EMPTY strategy",
        "stock_with_ours": "stock `bt.Cerebro`, our feed and strategy",
        "our_cerebro": "`HedgeCerebro`, our feed and strategy",
        "our_record": "the same with the record that `hpi-bt run` keeps",
        "fast": "fast engine: signal and simulation",
        "fast_record": "the same with its record",
    }
    calls = {name: partial(getattr(subjects, name), frame) for name in names}
    calls |= {
        "stock, contracts": partial(subjects.stock, frame, "contracts"),
        "ours, contracts": partial(subjects.our_cerebro, frame, "contracts"),
    }
    t = interleaved(calls, size.rounds)
    light = t["stock, contracts"].work / t["ours, contracts"].work
    section = Section(
        f"One backtest of {len(frame):,} one-minute bars",
        HEADER,
        _rows(t, names, "stock"),
        f"Rounds A B C A B C in one process, {size.rounds} of them; ratios are of processor time. "
        f"All ways made the same {fills['standard']:,} fills (same bars and sizes, prices within "
        "1e-9; our engines to the last bit), or this page would not exist. Stock runs without "
        "observers (`stdstats=False`), which it has by default. "
        f"With the lighter index (`scale: contracts`, {fills['contracts']:,} equal fills) "
        f"`HedgeCerebro` is faster by {light:.3g} x.",
    )
    section.targets = [
        Target("our Cerebro against stock", t["stock"].work / t["our_cerebro"].work, 8.0, unit=" x"),
        Target("... with the lighter index", light, 8.0, unit=" x"),
        Target("stock `bt.Cerebro` with our feed and indicators",
               t["stock"].work / t["stock_with_ours"].work, 2.5, unit=" x"),
        Target("our complete run against stock running an EMPTY strategy",
               t["stock_empty"].work / t["our_record"].work, 1.0, unit=" x"),
    ]  # fmt: skip
    return section


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
        t = interleaved(calls, max(size.rounds - 2, 1))
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
        "portfolio; no time stop, no bar of the exit without a new entry, sizes from the starting "
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


def first_calls(_: Size) -> Section:
    """Whole processes with an empty cache of compiled code, and again with what they left."""
    labels = {
        "fast": "fast engine",
        "our_record": "`HedgeCerebro` with its record",
        "run": "`hpi_bt.run('configs/demo.yaml')`, tear sheet included",
    }
    section = Section("First call, compilation included", ("", "empty cache", "cache filled"))
    for subject, label in labels.items():
        with tempfile.TemporaryDirectory() as cache:
            call = partial(job, "-m", "benchmarks.child", "first_call", subject,
                           env={"NUMBA_CACHE_DIR": cache})  # fmt: skip
            cold, warm = (interleaved({"": call}, 1)[""].clock for _ in range(2))
        section.rows.append([label, seconds(cold), seconds(warm)])
        text = f"first call, whole process: {label}"
        section.targets.append(Target(text, cold, 10.0, at_most=True, unit=" s"))
    section.note = "Clock of the whole process: start of Python, imports, making the bars, the run."
    return section


def scaling(size: Size) -> Section:
    """Time a bar and peak memory by the number of bars, each in a process of its own."""
    section = Section(
        "Scaling", ("engine", "bars", "clock", "processor, a bar", "peak memory", "of it the run")
    )
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    labels = {"fast": "fast", "our_cerebro": "`HedgeCerebro`", "stock": "stock"}
    with tempfile.TemporaryDirectory() as name:
        paths = {n: Path(name) / f"{n}.parquet" for n in size.scaling}
        for n, path in paths.items():
            market.bars(n).to_parquet(path)
        for _ in range(min(size.rounds, 3)):
            for n in size.scaling:
                for engine in labels:
                    if engine == "stock" and n > market.SESSIONS:
                        continue
                    repeats = max(1, (20 if engine == "fast" else 2) * market.SESSIONS // n // 4)
                    arguments = ("scale", engine, paths[n], min(repeats, 20))
                    result = job("-m", "benchmarks.child", *arguments)
                    found.setdefault((engine, n), []).append(result)
    cost: dict[tuple[str, int], float] = {}
    for engine, label in labels.items():
        for n in (n for n in size.scaling if (engine, n) in found):
            middle = {k: float(np.median([r[k] for r in found[engine, n]])) for k in
                      ("wall", "cpu", "before", "peak")}  # fmt: skip
            bars = n * market.MINUTES
            cost[engine, n] = middle["cpu"] / bars
            section.rows.append([
                label, f"{bars:,}", seconds(middle["wall"]), f"{cost[engine, n] * 1e9:,.0f} ns",
                f"{middle['peak']:,.0f} MB", f"{middle['peak'] - middle['before']:,.0f} MB",
            ])  # fmt: skip
    base = market.SESSIONS if market.SESSIONS in size.scaling else size.scaling[0]
    for engine in ("fast", "our_cerebro"):
        ratio = cost[engine, size.scaling[-1]] / cost[engine, base]
        text = f"{labels[engine]}: cost a bar at {size.scaling[-1] * market.MINUTES:,} bars " \
               f"over that at {base * market.MINUTES:,}"  # fmt: skip
        section.targets.append(Target(text, ratio, 1.5, at_most=True))
    section.note = (
        "Medians over processes started in turn. Stock is not run beyond one year. "
        "Peak memory holds Python, the packages and the bars too."
    )
    return section


def parts(size: Size) -> Section:
    """Feed, indicator and kernels alone."""
    frame = market.bars(size.sessions)
    strategy, bars = subjects.ours(), market_of(frame)
    series = kernel_series(frame, HedgePressureIndex.inputs, HedgePressureIndex.optional_inputs)
    params = parameters_of(strategy, {"scale": "standard"})
    atr = atr_of(subjects.ORDERS, bars)
    target = signal_of(strategy, params, frame)
    rules = rules_of(subjects.ORDERS, subjects.BROKER, frame)
    costs = costs_of(subjects.BROKER, 1.0)
    pressure, plain_pressure = partial(subjects.indicator, frame, HedgePressureIndex), \
        partial(subjects.plain_indicator, frame)  # fmt: skip
    calls: dict[str, Callable[[], Any]] = {
        "PandasData, empty strategy, stock Cerebro": partial(subjects.stock_empty, frame),
        "HedgeData, empty strategy, stock Cerebro": partial(subjects.stock_empty_our_feed, frame),
        "HedgeData, empty strategy, HedgeCerebro": partial(subjects.our_empty, frame),
        "plain index on PandasData, stock Cerebro": plain_pressure,
        "HedgePressureIndex, whole array, stock Cerebro": partial(pressure, runonce=True),
        "HedgePressureIndex, bar by bar, stock Cerebro": partial(pressure, runonce=False),
        "kernel: hedge_pressure_lines": partial(hedge_pressure_lines, *series, scale="standard"),
        "kernel: wilder_atr": partial(wilder_atr, bars.high, bars.low, bars.close, 14),
        "kernel: whole signal": partial(strategy.signal_kernel, *series, **params),
        "simulation": partial(simulate, bars, target, atr, rules, costs),
    }
    for call in list(calls.values())[-4:]:
        call()
    t = interleaved(calls, max(size.rounds - 2, 1))
    rows = [
        [name, seconds(timing.clock), seconds(timing.work),
         f"{timing.work / len(frame) * 1e9:,.0f} ns"]
        for name, timing in t.items()
    ]  # fmt: skip
    return Section(
        "Parts", ("", "clock", "processor", "a bar"), rows,
        "Signal parameters are the shipped demo's; the indicators in Cerebro stand in an "
        "otherwise empty strategy.",
    )  # fmt: skip


ALL: dict[str, Callable[[Size], Section]] = {
    "engines": engines,
    "sweeps": sweeps,
    "first_calls": first_calls,
    "scaling": scaling,
    "parts": parts,
}
