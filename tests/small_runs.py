"""Small markets, configs and command lines, and one demo run that the tests share."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hpi_bt.backtest.result import Result

HEADER = "date,open,high,low,close,volume,openinterest"
HOLIDAYS = (date(2024, 1, 15), date(2024, 2, 19))
STRATEGY = """
import backtrader as bt

class Hold(bt.Strategy):
    params = dict(size=10, word="x")

    def next(self):
        if len(self) == 3:
            self.buy(size=self.p.size)
        if len(self) == 9:
            self.close()
"""


class Said(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str


def days(n: int) -> list[date]:
    """The first n exchange sessions of 2024, as far as March."""
    every = (date(2024, 1, 2) + timedelta(i) for i in range(2 * n + 10))
    return [d for d in every if d.weekday() < 5 and d not in HOLIDAYS][:n]


def bars(n: int = 40) -> list[str]:
    """Rows of a daily CSV file; prices go up and down by a dollar."""
    rows = [HEADER]
    for i, day in enumerate(days(n)):
        low = 100 + i % 7
        rows.append(f"{day},{low},{low + 2},{low - 1},{low + 1},{1000 + i},{5000 + 10 * i}")
    return rows


def mapping(**data: Any) -> dict[str, Any]:
    """A config that runs in a folder made by `workshop`."""
    return {
        "name": "small",
        "data": {"source": {"kind": "csv", "path": "bars.csv"}, "calendar": "XNYS", **data},
        "strategy": {"class": "hold.py:Hold"},
        "broker": {"cash": 10_000.0},
    }


def workshop(folder: Path) -> Path:
    """Fill a folder with bars.csv, hold.py and small.yaml."""
    (folder / "bars.csv").write_text("\n".join(bars()) + "\n")
    (folder / "hold.py").write_text(STRATEGY)
    (folder / "small.yaml").write_text(
        "name: small\n"
        "data:\n  source: {kind: csv, path: bars.csv}\n  calendar: XNYS\n"
        "strategy: {class: 'hold.py:Hold'}\nbroker: {cash: 10000}\n"
    )
    return folder


def listing(folder: Path) -> list[str]:
    """Everything in a folder, hidden files too."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def commander(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """A function that runs the command line in this process."""
    from hpi_bt.cli import main

    def command(*arguments: str | Path) -> Said:
        monkeypatch.setattr(sys, "argv", ["hpi-bt", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        assert isinstance(code, int)
        return Said(code, *capsys.readouterr())

    return command


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


@cache
def demo_run() -> Result:
    """One shortened run of configs/demo.yaml."""
    from hpi_bt import run

    _KEPT.append(tempfile.TemporaryDirectory(prefix="hpi-bt-test-"))
    short = ["data.source.sessions=12", "data.source.bar=5min"]
    return run("configs/demo.yaml", overrides=short, results=_KEPT[-1].name)
