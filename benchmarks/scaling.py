"""Time a bar and memory, by the number of bars."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import market
from benchmarks.sizes import Size
from benchmarks.tables import Section, Target, seconds
from benchmarks.timing import job


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
        for _ in range(size.rounds):
            for n in size.scaling:
                for engine in labels:
                    if engine == "stock" and n > market.SESSIONS:
                        continue
                    arguments = ("scale", engine, paths[n], 1)
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
        "Medians over processes started in turn; each loads its compiled code, then runs once "
        "(first touch of its memory included). Stock is not run beyond one year. "
        "Peak memory holds Python, the packages and the bars too."
    )
    return section
