"""The same tasks on a Dask cluster (extra `dask`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from time import monotonic
from typing import Any

from hpi_bt.backtest.points import Point
from hpi_bt.backtest.sweep import Outcomes, Task
from hpi_bt.errors import InputError

TIMEOUT_SECONDS = 8.0
WORKER_SECONDS = 10.0  # that a cluster may be without a living worker
_LOOK_SECONDS = 2.0

Work = Callable[[Task, list[tuple[int, Point]]], Outcomes]


def over_cluster(
    address: str, work: Work, task: Task, parts: Sequence[list[tuple[int, Point]]]
) -> Iterator[Outcomes]:
    """Yield `work(task, part)` of every part as a cluster finishes it; a lost worker's is redone.

    Raises
    ------
    InputError
        The extra is not installed, nobody answers at the address within ten seconds, or the
        cluster has had no living worker for ten seconds.
    """
    client = _connected(address)
    try:
        distributed: Any = import_module("dask.distributed")
        left = {client.submit(work, task, part, pure=False, retries=3) for part in parts}
        seen = monotonic()
        while left:
            with suppress(TimeoutError), client.as_current():
                distributed.wait(left, timeout=_LOOK_SECONDS, return_when="FIRST_COMPLETED")
            finished = {future for future in left if future.done()}
            for future in finished:
                yield future.result()
                future.release()
            left -= finished
            if finished or client.nthreads():
                seen = monotonic()
            elif monotonic() - seen > WORKER_SECONDS:
                raise InputError(
                    f"the Dask cluster at {address} has no living worker",
                    field="scheduler",
                    remedy=f"start one with `dask worker {address}` or leave it out",
                )
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
