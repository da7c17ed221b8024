"""Fair timing: interleaved rounds in one process, jobs in processes of their own, the machine."""

from __future__ import annotations

import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PACKAGES = ("backtrader", "numpy", "pandas", "numba")


@dataclass(frozen=True)
class Timing:
    """Seconds of every round: by the clock, and of processor time (all threads)."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]

    @property
    def clock(self) -> float:
        """Median by the clock."""
        return statistics.median(self.wall)

    @property
    def work(self) -> float:
        """Median of processor time."""
        return statistics.median(self.cpu)


def timed(call: Callable[[], Any]) -> tuple[float, float]:
    """Return seconds by the clock and of processor time of one call."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def interleaved(calls: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, Timing]:
    """Return the timing of every call, run in turn: A B C, A B C, ..."""
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            seen[name].append(timed(call))
    return {n: Timing(*zip(*rounds_, strict=True)) for n, rounds_ in seen.items()}


def job(
    *arguments: object, python: str = sys.executable, env: Mapping[str, str] | None = None
) -> Any:
    """Return what a script prints as its last line of JSON, run in a process of its own.

    Raises
    ------
    RuntimeError
        The process failed; the message ends with its last words.
    """
    done = subprocess.run(
        [python, *map(str, arguments)],
        capture_output=True, text=True, check=False, cwd=HERE.parent,
        env=os.environ | dict(env or {}),
    )  # fmt: skip
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise RuntimeError(f"{' '.join(map(str, arguments))}: {words[-1] if words else 'failed'}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def machine() -> dict[str, str]:
    """Return what the numbers depend on: processor, cores, Python, packages, date."""
    found = {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    found |= {name: version(name) for name in PACKAGES}
    return found | {"date": f"{datetime.now(UTC):%Y-%m-%d}"}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
