"""What is measured, section by section."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

from benchmarks import market, subjects
from benchmarks.options import options
from benchmarks.scaling import scaling
from benchmarks.sizes import Size
from benchmarks.sweeps import sweeps
from benchmarks.tables import Section, Target, seconds
from benchmarks.timing import Timing, interleaved, job
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
from hpi_bt.indicators.base import defaults_of, kernel_series
from hpi_bt.indicators.hedge_pressure_index import hedge_pressure_lines
from hpi_bt.kernels.wilder import wilder_atr


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
        Target("our Cerebro against stock",
               t["stock"].work / t["our_cerebro"].work, 8.0, unit=" x"),
        Target("... with the lighter index", light, 8.0, unit=" x"),
        Target("stock `bt.Cerebro` with our feed and indicators",
               t["stock"].work / t["stock_with_ours"].work, 2.5, unit=" x"),
        Target("our complete run against stock running an EMPTY strategy",
               t["stock_empty"].work / t["our_record"].work, 1.0, unit=" x"),
    ]  # fmt: skip
    return section


def first_calls(size: Size) -> Section:
    """Whole processes with an empty cache of compiled code, and again with what they left."""
    labels = {
        "fast": "fast engine",
        "our_record": "`HedgeCerebro` with its record",
        "run": "`hpi_bt.run('configs/demo.yaml')`, tear sheet included",
    }
    section = Section(
        "First call, compilation included",
        ("", "empty cache", "processor", "cache filled", "processor"),
        note="Whole processes: start of Python, imports, making the bars, the run.",
    )
    for subject in list(labels)[: size.first_calls]:
        label, found = labels[subject], []
        with tempfile.TemporaryDirectory() as cache:
            for _ in range(2):
                begun = perf_counter()
                env = {"NUMBA_CACHE_DIR": cache}
                cpu = job("-m", "benchmarks.child", "first_call", subject, env=env)["cpu"]
                found += [perf_counter() - begun, cpu]
        section.rows.append([label, *map(seconds, found)])
        text = f"first call, whole process: {label}"
        section.targets.append(Target(text, found[0], 10.0, at_most=True, unit=" s"))
    return section


def parts(size: Size) -> Section:
    """Feed, indicator and kernels alone."""
    frame = market.bars(size.sessions)
    strategy, bars = subjects.ours(), market_of(frame)
    series = kernel_series(frame, HedgePressureIndex.inputs, HedgePressureIndex.optional_inputs)
    params = parameters_of(strategy, {"scale": "standard"})
    options = {name: params[name] for name in defaults_of(strategy.signal_kernel)}
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
        "kernel: whole signal": partial(strategy.signal_kernel, *series, **options),
        "simulation": partial(simulate, bars, target, atr, rules, costs),
    }
    for call in list(calls.values())[-4:]:
        call()
    t = interleaved(calls, size.rounds)
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
    "options": options,
}
