"""The benchmarks in a reduced form: they run, their rules agree, they refuse where rules differ."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import backtrader as bt
import numpy as np
import pytest

from benchmarks import market, plain, subjects
from benchmarks.sections import engines, parts
from benchmarks.sizes import Size
from benchmarks.sweeps import _sweep_config
from benchmarks.tables import Section, Target, page, seconds, table
from benchmarks.timing import Timing, interleaved, job, machine
from hpi_bt import HedgePressureIndex, load_frame
from hpi_bt.indicators.base import kernel_series
from hpi_bt.indicators.hedge_pressure_index import hedge_pressure_lines

ROOT = Path(__file__).resolve().parents[1]
SMALL = Size(sessions=6, rounds=1)


def test_one_year_is_252_full_sessions_of_390_minutes() -> None:
    frame = market.bars(252)
    assert len(frame) == 98_280
    assert (frame.groupby("session").size() == 390).all()
    assert frame.index.is_monotonic_increasing


@pytest.mark.parametrize("points", [10, 100, 1000])
def test_the_grid_has_the_points_it_promises(points: int) -> None:
    assert len(list(itertools.product(*market.grid(points).values()))) == points


@pytest.mark.parametrize("scale", ["standard", "contracts"])
def test_stock_and_our_engines_make_the_same_fills(scale: str) -> None:
    assert subjects.fills_agree(market.bars(12), scale) > 30


@pytest.mark.parametrize(("name", "value"), [("multiple", 5.0), ("time_stop", 119), ("enter", 1.1)])
def test_other_rules_in_stock_are_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: float
) -> None:
    other = type("Other", (plain.PlainFlowBias,), {"params": {name: value}, "__module__": __name__})
    monkeypatch.setattr(sys.modules[__name__], "Other", other, raising=False)
    monkeypatch.setattr(plain, "PlainFlowBias", other)
    with pytest.raises(RuntimeError, match=r"scale=standard: .* in stock, .* in ours"):
        subjects.fills_agree(market.bars(12))


@pytest.mark.parametrize("scale", ["standard", "contracts"])
def test_the_plain_index_equals_the_kernel(scale: str) -> None:
    frame = market.bars(12)
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(plain.HedgePandas(dataname=frame))
    seen: list[float] = []

    class Reads(bt.Strategy):  # type: ignore[misc]
        def __init__(self) -> None:
            self.index = plain.PlainPressure(self.data, scale=scale)

        def next(self) -> None:
            seen.append(self.index.hpi[0])

    cerebro.addstrategy(Reads)
    cerebro.run()
    names = HedgePressureIndex.inputs, HedgePressureIndex.optional_inputs
    wanted = hedge_pressure_lines(*kernel_series(frame, *names), scale=scale).hpi
    np.testing.assert_allclose(seen, wanted, rtol=0, atol=1e-7)


def test_the_sweep_reads_the_very_same_bars(tmp_path: Path) -> None:
    frame = market.bars(8)
    read = load_frame(_sweep_config(frame, tmp_path, 10))
    assert read.equals(frame[read.columns])


def test_every_engine_and_part_is_timed() -> None:
    for section, rows in ((engines(SMALL), 7), (parts(SMALL), 10)):
        assert len(section.rows) == rows
        assert all(len(row) == len(section.header) for row in section.rows)
        assert all(math.isfinite(target.value) for target in section.targets)


def test_calls_take_turns() -> None:
    order: list[str] = []
    found = interleaved({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2)
    assert order == ["a", "b", "a", "b"]
    assert [len(timing.wall) for timing in found.values()] == [2, 2]


def test_the_median_of_rounds_counts() -> None:
    timing = Timing((1.0, 9.0, 2.0), (3.0, 1.0, 2.0))
    assert (timing.clock, timing.work) == (2.0, 2.0)


def test_a_job_hands_back_its_last_line_and_its_environment() -> None:
    code = "import json, os; print('noise'); print(json.dumps(os.environ['HPI_TEST']))"
    assert job("-c", code, env={"HPI_TEST": "x"}) == "x"


def test_a_failed_job_is_an_error_with_its_last_words() -> None:
    with pytest.raises(RuntimeError, match="out of luck"):
        job("-c", "raise SystemExit('out of luck')")


@pytest.mark.parametrize(
    ("value", "bound", "at_most", "reached"),
    [(8.0, 8.0, False, True), (7.9, 8.0, False, False),
     (0.5, 0.5, True, True), (0.6, 0.5, True, False)],
)  # fmt: skip
def test_a_target_is_reached_or_missed(
    value: float, bound: float, at_most: bool, reached: bool
) -> None:
    target = Target("x", value, bound, at_most)
    assert target.reached is reached
    assert target.row()[-1] == ("reached" if reached else "MISSED")


def test_the_page_names_machine_targets_and_tables() -> None:
    section = Section("One", ("", "a"), [["row", "1"]], "Note.", [Target("fast", 2.0, 1.0)])
    text = page(machine(), [section], "Words.")
    assert "| row | 1 |" in text
    assert "| fast | at least 1 | 2 | reached |" in text
    assert "backtrader 1.9.78.123" in text
    assert table(("", "a"), []).splitlines()[1] == "| --- | ---: |"


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1234 s"), (2.5, "2.5 s"), (0.0125, "12.5 ms"), (2e-5, "20 us")]
)
def test_durations_read_well(value: float, text: str) -> None:
    assert seconds(value) == text


def test_memory_and_time_are_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    market.bars(8).to_parquet(path)
    found: dict[str, Any] = job("-m", "benchmarks.child", "scale", "fast", path, 1)
    assert found["cpu"] > 0.0
    assert found["peak"] >= found["before"] > 50.0


@pytest.mark.slow
def test_the_quick_run_prints_and_writes_every_section(tmp_path: Path) -> None:
    written = tmp_path / "docs" / "page.md"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--write", written],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert written.read_text("utf-8").strip() == done.stdout.strip()
    for title in ("One backtest of 7,800", "Sweeps", "First call", "Scaling", "Parts"):
        assert f"## {title}" in done.stdout


def test_a_job_prints_json_alone_on_its_last_line(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    market.bars(8).to_parquet(path)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.child", "optstrategy", path, "2"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert json.loads(done.stdout)["points"] == 2
