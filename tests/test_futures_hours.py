"""Futures are out before their market closes, in both engines; the run says which hours hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import hpi_bt as hb

LONG = """
import numpy as np
from hpi_bt import KernelStrategy

def long(close, *, state=None):
    return np.ones(close.shape)

class Long(KernelStrategy):
    inputs = ("close",)
    signal_kernel = staticmethod(long)
"""


def quarters(folder: Path) -> dict[str, Any]:
    """Return a config of quarter hours of a futures week, 17:00 to 16:00 Chicago, always long."""
    opens = [
        pd.Timestamp(f"{day:%Y-%m-%d} 17:00", tz="America/Chicago") + k * pd.Timedelta(minutes=15)
        for day in pd.date_range("2024-01-07", "2024-01-11")
        for k in range(4 * 23)
    ]
    rows = [f"{at.isoformat()},4700,4701,4699,4700.25,10" for at in opens]
    (folder / "es.csv").write_text("\n".join(["time,open,high,low,close,volume", *rows]) + "\n")
    (folder / "long.py").write_text(LONG)
    source = {"kind": "csv", "path": "es.csv", "bar_label": "open", "bar_minutes": 15}
    return {
        "name": "futures",
        "data": {"source": source, "calendar": "CMES"},
        "strategy": {"class": "long.py:Long"},
        "orders": {"size": {"kind": "fixed", "amount": 1}, "flat_at_close": True},
        "broker": {
            "commission": {"kind": "per_contract", "amount": 2, "multiplier": 50, "margin": 10000}
        },
        "study": {"enabled": False},
    }


def run(folder: Path, config: dict[str, Any], monkeypatch, engine: str = "fast"):
    monkeypatch.chdir(folder)
    monkeypatch.setattr("hpi_bt.report.tearsheet.MIN_SESSIONS", 100_000)
    return hb.run(config, results=folder / "results", engine=engine)


@pytest.mark.parametrize("engine", ["fast", "cerebro"])
def test_a_position_is_closed_before_the_market_closes(tmp_path, monkeypatch, engine):
    result = run(tmp_path, quarters(tmp_path), monkeypatch, engine)
    assert list(result.trades["exit_reason"]) == ["flat"] * 5
    exits = pd.DatetimeIndex(result.trades["exit_time"]).tz_convert("America/Chicago")
    assert (exits.hour * 60 + exits.minute <= 16 * 60).all()
    assert result.summary["open_trades"] == 0
    assert any("sessions of CMES close at 16:00" in note for note in result.summary["notes"])


def test_given_hours_close_earlier_and_need_no_word(tmp_path, monkeypatch):
    config = quarters(tmp_path)
    config["data"] |= {"hours": {"open": "08:30", "close": "15:15"}, "outside": "drop"}
    result = run(tmp_path, config, monkeypatch)
    exits = pd.DatetimeIndex(result.trades["exit_time"]).tz_convert("America/Chicago")
    assert {f"{at:%H:%M}" for at in exits} == {"15:15"}
    assert not any("close at 16:00" in note for note in result.summary["notes"])
