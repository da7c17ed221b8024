"""A real Dask scheduler and two workers on this machine, one of which is killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pandas as pd
import pytest

import hpi_bt
from hpi_bt import InputError

distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
CONFIG = {
    "name": "cluster",
    "data": {"source": {"kind": "demo", "sessions": 12, "bar": "5min"}, "calendar": "XNYS"},
    "strategy": {"class": "strategies/flow_bias.py:FlowBias"},
    "sweep": {"smoothing": list(range(2, 22)), "enter": [0.3, 0.6, 0.9, 1.2]},
}


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def dask(*arguments):
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = [sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:]]
    return subprocess.Popen(command, start_new_session=True, **quiet)


@pytest.fixture
def cluster(tmp_path):
    address = f"tcp://127.0.0.1:{free_port()}"
    started = [dask("dask_scheduler", "--host", address, "--no-dashboard")]
    try:
        started += [
            dask("dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
                 "--local-directory", str(tmp_path / f"worker{i}"), "--death-timeout", "30")
            for i in range(2)
        ]  # fmt: skip
        _wait_for_workers(address, 2)
        yield address, started[1:]
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
            process.wait(10)


def _wait_for_workers(address, n):
    from distributed import Client

    with Client(address, timeout=30, set_as_default=False) as client:
        client.wait_for_workers(n, timeout=30)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_makes_the_local_table_though_a_worker_is_killed(cluster, tmp_path):
    address, workers = cluster
    killed = []

    def count(done, total):
        if done and not killed:
            os.kill(workers[0].pid, signal.SIGKILL)
            killed.append(done)

    far = hpi_bt.sweep(CONFIG, results=tmp_path / "far", scheduler=address, jobs=2, count=count)
    assert killed
    assert killed[0] < 80
    near = hpi_bt.sweep(CONFIG, results=tmp_path / "near", jobs=1)
    pd.testing.assert_frame_equal(far.table, near.table, check_exact=True)


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_without_a_living_worker_is_reported_after_ten_seconds(tmp_path):
    address = f"tcp://127.0.0.1:{free_port()}"
    scheduler = dask("dask_scheduler", "--host", address, "--no-dashboard")
    try:
        with distributed.Client(address, timeout=30, set_as_default=False):
            pass
        begun = time.monotonic()
        with pytest.raises(InputError, match="has no living worker; start one") as refused:
            hpi_bt.sweep(CONFIG, results=tmp_path, scheduler=address)
        assert "\n" not in str(refused.value)
        assert 10.0 <= time.monotonic() - begun < 25.0
    finally:
        scheduler.kill()
        scheduler.wait(10)


def test_a_scheduler_that_is_not_there_is_named_within_ten_seconds(tmp_path):
    address = f"tcp://127.0.0.1:{free_port()}"
    begun = time.monotonic()
    with pytest.raises(InputError, match="no Dask scheduler answers at") as refused:
        hpi_bt.sweep(CONFIG, results=tmp_path, scheduler=address)
    assert time.monotonic() - begun < 10 + 2  # two for making the data
    assert address in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.filterwarnings("ignore")
def test_an_address_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="scheduler: no Dask scheduler answers at no where"):
        hpi_bt.sweep(CONFIG, results=tmp_path, scheduler="no where")
