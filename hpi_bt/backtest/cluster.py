"""The same tasks on a Dask cluster (extra `dask`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

from hpi_bt.backtest.points import Point
from hpi_bt.backtest.sweep import Outcomes, Task
from hpi_bt.errors import InputError

TIMEOUT_SECONDS = 8.0

Work = Callable[[Task, list[tuple[int, Point]]], Outcomes]


def over_cluster(
    address: str, work: Work, task: Task, parts: Sequence[list[tuple[int, Point]]]
) -> Iterator[Outcomes]:
    """Yield `work(task, part)` of every part as a cluster finishes it; a lost worker's is redone.

    Raises
    ------
    InputError
        The extra is not installed, or nobody answers at the address within ten seconds.
    """
    client = _connected(address)
    try:
        distributed: Any = import_module("dask.distributed")
        futures = [client.submit(work, task, part, pure=False, retries=3) for part in parts]
        for future in distributed.as_completed(futures, loop=client.loop):
            yield future.result()
            future.release()
    finally:
        client.close(timeout=2)


def _connected(address: str) -> Any:
    try:
        distributed: Any = import_module("dask.distributed")
    except ImportError:
        raise InputError(
            "needs the extra dask", field="scheduler", remedy="pip install 'hpi-bt[dask]'"
        ) from None
    try:
        return distributed.Client(address, timeout=TIMEOUT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else "no answer"
        raise InputError(
            f"no Dask scheduler answers at {address} ({reason})",
            field="scheduler",
            remedy="start one with `dask scheduler` or leave it out",
        ) from None
