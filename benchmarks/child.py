"""Jobs that need a process of their own: first calls, scaling and memory, optstrategy.

python -m benchmarks.child JOB ARGUMENTS...        prints one line of JSON
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any


def first_call(subject: str) -> dict[str, Any]:
    """Run one engine on a short market, or `hpi-bt run` of the shipped demo, once."""
    if subject == "run":
        from hpi_bt import run

        with tempfile.TemporaryDirectory() as folder:
            run("configs/demo.yaml", results=folder)
    else:
        from benchmarks import market, subjects

        getattr(subjects, subject)(market.bars(20))
    return {"cpu": time.process_time()}


def scale(subject: str, path: str, repeats: str) -> dict[str, Any]:
    """Time one engine on the bars of a file, and take the process's peak memory."""
    import pandas as pd

    from benchmarks import subjects
    from benchmarks.timing import interleaved

    call, frame = getattr(subjects, subject), pd.read_parquet(path)
    head = frame.iloc[:2000]
    head.attrs = frame.attrs
    call(head)  # compiled code is loaded before the clock starts
    before = _peak()
    timing = interleaved({subject: lambda: call(frame)}, int(repeats))[subject]
    return {"wall": timing.clock, "cpu": timing.work, "before": before, "peak": _peak()}


def optstrategy(path: str, points: str) -> dict[str, Any]:
    """Time stock Backtrader's own sweep of the plain strategy on two processes."""
    import backtrader as bt
    import pandas as pd

    from benchmarks import plain, subjects

    frame, n = pd.read_parquet(path), int(points)
    begun = time.perf_counter()
    cerebro = bt.Cerebro(stdstats=False, maxcpus=2)
    cerebro.adddata(plain.HedgePandas(dataname=frame))
    subjects.broker(cerebro)
    cerebro.optstrategy(plain.PlainFlowBias, multiple=[2.0 + i for i in range(n)])
    done = cerebro.run()
    return {"wall": (time.perf_counter() - begun) / n, "points": len(done)}


def _peak() -> float:
    """Return the peak resident memory of this program in megabytes."""
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage would count the process that started this one too
        lines = status.read_text("utf-8").splitlines()
        return next(int(x.split()[1]) for x in lines if x.startswith("VmHWM")) / 1e3
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    jobs: dict[str, Any] = {"first_call": first_call, "scale": scale, "optstrategy": optstrategy}
    print(json.dumps(jobs[sys.argv[1]](*sys.argv[2:])))
