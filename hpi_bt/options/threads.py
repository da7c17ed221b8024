"""Compiled loops spread over the processors: threads, since the loops let go of Python's lock."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


def processors() -> int:
    """Return how many processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def in_chunks(call: Callable[[int, int], None], size: int, *, least: int) -> None:
    """Run call(start, stop) over [0, size), on all processors where that pays.

    Parameters
    ----------
    call : callable
        Writes its part of a result; must be free of Python's lock to gain anything.
    size : int
        Number of items.
    least : int
        Items worth a thread: fewer than two such parts run here and now.
    """
    workers = min(processors(), size // least)
    if workers < 2:
        call(0, size)
        return
    parts = 4 * workers  # a thread that is interrupted leaves its share to the others
    edges = [size * part // parts for part in range(parts + 1)]
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(call, edges[:-1], edges[1:]))
