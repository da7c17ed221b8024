"""`hpi_bt.scan` and `hpi-bt scan`: many configs at once, one bad one among them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import hpi_bt
from hpi_bt import InputError, scan
from hpi_bt.scanning import SORTS
from small_runs import Said, commander, demo_run, listing, mapping, workshop

SHORT = ["data.source.sessions=12", "data.source.bar=5min"]
COUNTING = """
import backtrader as bt

class Count(bt.Indicator):
    lines = ("count", "cross", "state")
    params = dict(even="even bars")
    chart = {
        "count": dict(kind="line", levels=[0.0]),
        "cross": dict(kind="event", up="over", down="under"),
        "state": dict(kind="event", up="$even", down="odd bars"),
    }

    def next(self):
        self.lines.count[0] = len(self)
        self.lines.cross[0] = 1.0 if len(self) == 35 else 0.0
        self.lines.state[0] = -1.0 if len(self) % 2 else 1.0

class Counting(bt.Strategy):
    def __init__(self):
        Count()

class Failing(Counting):
    def next(self):
        raise RuntimeError("no luck\\nat all")
"""


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    return commander(monkeypatch, capsys)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HPI_BT_DATA", "HPI_BT_DEBUG", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(workshop(tmp_path))
    (tmp_path / "counting.py").write_text(COUNTING)
    text = (tmp_path / "small.yaml").read_text()
    for name in ("Counting", "Failing"):
        new = text.replace("hold.py:Hold", f"counting.py:{name}")
        (tmp_path / f"{name.lower()}.yaml").write_text(new.replace("small", name.lower()))
    return tmp_path


def test_a_users_own_indicator_gets_its_row(folder: Path) -> None:
    done = scan("counting.yaml", length=5)
    (row,) = done.rows
    # 40 bars of small_runs: the last close is 100 + 39 % 7 + 1, and they go up bar by bar
    assert (row.symbol, row.config, row.indicator) == ("bars", "counting", "Count")
    assert (row.line, row.value, row.close, row.position) == ("count", 40.0, 105.0, 1.0)
    assert row.color == "#ffff00"
    assert row.cross is not None
    assert (row.cross.text, row.cross.bars) == ("over", 5)
    assert row.alert is not None
    assert (row.alert.text, row.alert.bars, row.alert.minutes) == ("even bars", 0, 0.0)
    assert done.page == Path("results/scan.html")
    assert repr(done) == "<Scan of 1 rows; results/scan.html>"
    assert listing(folder / "results") == ["scan.html"]


def test_a_scan_shows_what_the_run_itself_recorded(tmp_path: Path) -> None:
    run = demo_run()
    (row,) = scan("configs/demo.yaml", overrides=SHORT, results=tmp_path).rows
    signals = run.signals
    hpi = signals["HedgePressureIndex.hpi"].tolist()
    assert (row.value, row.close) == (hpi[-1], signals["close"].iloc[-1])
    low, high = min(hpi[-14:]), max(hpi[-14:])
    assert row.position == pytest.approx((hpi[-1] - low) / (high - low), abs=1e-12)
    said = {}  # every event of the recorded lines, bar by bar
    for line in ("cross", "extreme"):
        before = 0.0
        for bar, sign in enumerate(signals[f"HedgePressureIndex.{line}"].fillna(0.0).tolist()):
            if sign not in (0.0, before):
                said[bar] = line
            before = sign
    assert row.alert is not None
    assert row.alert.bars == len(signals) - 1 - max(said)
    assert row.alert.time == signals.index[max(said)]
    assert (row.cross is None) == ("cross" not in said.values())
    assert row.demo == run.summary["demo"]


def test_one_bad_config_is_a_row_among_the_others(folder: Path) -> None:
    done = scan(["absent.yaml", "counting.yaml", "failing.yaml", "small.yaml"])
    assert done.failed == 3
    assert [row.config for row in done.rows] == ["absent.yaml", "counting", "failing", "small"]
    absent, good, failing, small = (row.error for row in done.rows)
    assert absent == "absent.yaml: no such config; `hpi-bt list` shows the shipped ones"
    assert good == ""
    assert failing == "RuntimeError: no luck at all"
    assert small.startswith("small: Hold shows no indicator; name some under `shows`")
    assert repr(done).startswith("<Scan of 4 rows, 3 failed; ")


def test_each_symbol_of_a_config_gets_its_rows(folder: Path) -> None:
    (folder / "other.csv").write_text((folder / "bars.csv").read_text())
    several = mapping() | {"symbols": ["bars", "other", "absent"]}
    several["data"]["source"]["path"] = "{symbol}.csv"
    several["strategy"] = {"class": "counting.py:Counting"}
    rows = scan(several).rows
    assert [row.symbol for row in rows] == ["bars", "other", "absent"]
    assert [bool(row.error) for row in rows] == [False, False, True]
    assert "absent.csv" in rows[2].error


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"configs": []}, "scan: no config given; name at least one"),
    ({"length": 1}, "length: 1; give a whole number of bars, 2 or more"),
    ({"sort": "valeu"}, "sort: no column 'valeu' (did you mean 'value'?)"),
    ({"jobs": 0}, "jobs: 0; give at least one"),
    ({"up_color": "yelow"}, "up_color: 'yelow' is no colour"),
    ({"results": "bars.csv"}, "bars.csv: results cannot be written there"),
]


@pytest.mark.parametrize(("how", "said"), REFUSED)
def test_wrong_options_are_refused_before_anything_is_read(
    folder: Path, how: dict[str, Any], said: str
) -> None:
    before = listing(folder)
    with pytest.raises(InputError) as error:
        scan(**({"configs": "counting.yaml"} | how))
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)
    assert listing(folder) == before


@pytest.mark.parametrize("sort", sorted(SORTS))
def test_every_sort_puts_what_is_unknown_last(folder: Path, sort: str) -> None:
    configs = ["absent.yaml", "configs/herrick_rsi_cross.yaml", "counting.yaml"]
    rows = scan(configs, sort=sort).rows
    assert rows[-1].error
    table = pd.DataFrame([[r.symbol, r.config, r.indicator, r.time, r.close, r.value, r.position,
                           r.cross and r.cross.minutes, r.alert and r.alert.minutes]
                          for r in rows[:-1]], columns=[*SORTS])  # fmt: skip
    values = table[sort].tolist()
    wanted = sorted(values, reverse=sort in ("time", "close", "value", "position"))
    assert values == wanted


def test_the_table_has_a_column_for_each_thing_told(folder: Path) -> None:
    done = scan(["counting.yaml", "absent.yaml"])
    table = done.table
    assert table["alert_text"].tolist() == ["even bars", ""]
    assert table["cross_bars"].iloc[0] == 5
    assert math.isnan(table["value"].iloc[1])
    assert "even bars" in done._repr_html_()


def test_assumptions_are_told_and_who_makes_them_where_they_differ(folder: Path) -> None:
    counted = json.loads(json.dumps(mapping())) | {"name": "mine"}
    counted["strategy"] = {"class": "counting.py:Counting"}
    counted["data"]["open_interest"] = {"stamp": "prior_close"}
    scan(["counting.yaml", counted])
    page = (folder / "results" / "scan.html").read_text("utf-8")
    assert "published before the session&#39;s open (counting)" in page
    assert "counted after the close, used from the next session on (mine)" in page
    scan("counting.yaml")
    assert "session&#39;s open</td>" in (folder / "results" / "scan.html").read_text("utf-8")


def test_an_index_that_is_there_links_the_scan(folder: Path) -> None:
    hpi_bt.run("counting.yaml")
    index = folder / "results" / "index.html"
    assert "scan.html" not in index.read_text("utf-8")
    scan("counting.yaml")
    assert '<a href="scan.html">Latest scan</a>' in index.read_text("utf-8")


@pytest.mark.slow
def test_processes_give_the_rows_that_one_gives(folder: Path) -> None:
    configs = ["counting.yaml", "absent.yaml", "configs/demo.yaml"]
    calls: list[tuple[int, int]] = []
    with chdir("/"):  # the processes are started there, and kept
        scan(["configs/demo.yaml", "configs/demo.yaml"], jobs=2, results=folder / "results")
    several = scan(configs, jobs=2, count=lambda done, total: calls.append((done, total)))
    pd.testing.assert_frame_equal(several.table, scan(configs).table)
    assert calls == [(1, 3), (2, 3), (3, 3)]


Command = Callable[..., Said]


def test_the_command_prints_aligned_rows_and_leaves_with_two_where_one_failed(
    folder: Path, command: Command
) -> None:
    said = command("scan", "counting.yaml", "absent.yaml", "--length", "5")
    assert (said.code, said.err) == (2, "")
    assert "\x1b" not in said.out
    head, row, failed, blank, page = said.out.splitlines()
    assert head.split() == ["Symbol", "Config", "Indicator", "Last", "bar", "Close", "Value",
                            "Pos", "Last", "cross", "Last", "alert"]  # fmt: skip
    for name, cell in (("Config", "counting"), ("Indicator", "Count count"), ("Last alert", "▲")):
        assert row.index(cell, head.index(name)) == head.index(name)
    for name, cell in (("Close", "105.00"), ("Value", "40.00"), ("Pos", "1.00")):
        assert row.index(cell) + len(cell) == head.index(name) + len(name)
    assert failed.index("absent.yaml:") == head.index("Indicator")
    assert (blank, page) == ("", "results/scan.html")


def test_a_good_scan_leaves_with_zero_and_on_a_screen_its_values_are_coloured(
    folder: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    said = command("scan", "counting.yaml", "--up-color", "#010203")
    assert said.code == 0
    assert "48;2;1;2;3m" in said.out
    plain = command("scan", "counting.yaml", "--grid-foreground-color", "-1")
    assert plain.code == 0
    assert "48;2;" not in plain.out


def test_json_is_strict_and_holds_every_row(folder: Path, command: Command) -> None:
    said = command("scan", "counting.yaml", "absent.yaml", "--json")
    rows = json.loads(said.out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert said.code == 2
    assert rows[0]["alert"]["text"] == "even bars"
    assert rows[0]["cross"]["bars"] == 5
    assert (rows[1]["value"], rows[1]["time"], rows[1]["cross"]) == (None, None, None)
    assert rows[1]["error"].startswith("absent.yaml: no such config")


def test_the_command_wants_a_config(folder: Path, command: Command) -> None:
    said = command("scan")
    assert said.code == 2
    assert "CONFIG..." in said.err
    assert said.err.count("\n") == 1


@pytest.mark.real_data
def test_every_real_config_can_be_scanned(real_data: Path, tmp_path: Path) -> None:
    configs = sorted(Path("configs/real").glob("*.yaml"))
    rows = scan(configs, data_dir=real_data, results=tmp_path).rows
    assert [row.error for row in rows] == [""] * len(rows)
    assert {row.symbol for row in rows} == {"CL1", "GC1", "NIFTY", "RELIANCE", "SPX", "SPY"}
    assert all(0.0 <= row.position <= 1.0 and row.color for row in rows)
    herrick = [row for row in rows if row.indicator == "HerrickPayoffIndex"]
    assert [row.line for row in herrick] == ["hpi"] * 3
