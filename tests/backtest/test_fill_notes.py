"""Fills on bars where nobody traded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import hpi_bt as hb
from hpi_bt.backtest.fill_notes import volume_notes
from hpi_bt.config import validated
from hpi_bt.errors import Severity
from hpi_bt.runs import record_of_config
from hpi_bt.sources.base import Locations
from small_runs import bars, mapping, workshop

RULE = """
import numpy as np
import hpi_bt as hb

def third(close, *, period=1, state=None):
    \"\"\"Long from the close of the third bar seen to that of the ninth.\"\"\"
    state = {} if state is None else state
    at = state.get("n", 0) + np.arange(1, len(close) + 1)
    state["n"] = int(at[-1])
    return np.where((at >= 3) & (at < 9), 1.0, 0.0)

class Third(hb.KernelStrategy):
    inputs = ("close",)
    signal_kernel = staticmethod(third)
    params = hb.defaults_of(third)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    workshop(tmp_path)
    (tmp_path / "third.py").write_text(RULE)
    return tmp_path


def quiet_bar(folder: Path, *places: int) -> None:
    """Take the volume from some bars, counted from 0."""
    rows = bars()
    for place in places:
        cells = rows[place + 1].split(",")
        rows[place + 1] = ",".join([*cells[:5], "0", *cells[6:]])
    (folder / "bars.csv").write_text("\n".join(rows) + "\n")


def record(folder: Path, reference: str, engine: str, **source: Any) -> Any:
    config = mapping(source={"kind": "csv", "path": "bars.csv", **source})
    config["strategy"] = {"class": str(folder / reference)}
    model = validated(config, "config")
    return record_of_config(model, None, Locations((folder,)), engine=engine)


def codes(made: Any) -> list[str]:
    return [getattr(remark, "code", "") for remark in made.remarks]


@pytest.mark.parametrize(
    ("reference", "engine"),
    [("hold.py:Hold", "cerebro"), ("third.py:Third", "cerebro"), ("third.py:Third", "fast")],
)
def test_fills_on_bars_without_volume_are_counted_and_warned_of(folder, reference, engine):
    assert "fills-without-volume" not in codes(record(folder, reference, engine))
    quiet_bar(folder, 3, 20)  # the first order fills on the fourth bar
    made = record(folder, reference, engine)
    (note,) = [r for r in made.remarks if getattr(r, "code", "") == "fills-without-volume"]
    assert note.severity is Severity.WARNING
    assert "1 of 2 fills on bars without volume, the first at 2024-01-05" in note
    assert "no_volume: drop" in note
    quiet_bar(folder, 20)
    assert "fills-without-volume" not in codes(record(folder, reference, engine))


def test_where_such_bars_are_dropped_no_fill_lies_on_one(folder):
    quiet_bar(folder, 3)
    made = record(folder, "hold.py:Hold", "cerebro", no_volume="drop")
    assert "fills-without-volume" not in codes(made)
    assert len(made.frame) == 39


def test_a_feed_without_volume_is_quiet(folder):
    quiet_bar(folder, *range(40))
    assert "fills-without-volume" not in codes(record(folder, "hold.py:Hold", "cerebro"))


def test_the_run_and_its_summary_carry_the_warning(folder, tmp_path):
    quiet_bar(folder, 3)
    config = mapping() | {"strategy": {"class": str(folder / "hold.py:Hold")}}
    result = hb.run(config, data_dir=folder, results=tmp_path / "results")
    found = [d for d in result.summary["diagnostics"] if d["code"] == "fills-without-volume"]
    assert [d["severity"] for d in found] == ["warning"]


def test_fills_of_other_datas_are_not_looked_at(folder):
    quiet_bar(folder, 3)
    made = record(folder, "hold.py:Hold", "cerebro")
    assert len(volume_notes(made)) == 1
    assert volume_notes(replace(made, fills=made.fills.assign(data="another"))) == []
    assert volume_notes(replace(made, fills=made.fills.iloc[:0])) == []
