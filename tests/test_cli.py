"""The command line: one line of complaint, exit codes, and nothing half-written."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpi_bt.backtest.result import Result
from hpi_bt.cli.screen import show_run
from small_runs import Said, bars, commander, demo_run, listing, workshop

Command = Callable[..., Said]
SHORT = ("-s", "data.end=2024-01-05")
PROGRAM = [sys.executable, "-m", "hpi_bt.cli"]
SLOW = """
import time
import backtrader as bt

class Slow(bt.Strategy):
    def next(self):
        open("begun", "w").close()
        time.sleep(60)
"""


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return commander(monkeypatch, capsys)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HPI_BT_DATA", raising=False)
    monkeypatch.delenv("HPI_BT_DEBUG", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(workshop(tmp_path))
    return tmp_path


def test_help_answers_without_any_heavy_module() -> None:
    heavy = ("backtrader", "numpy", "pandas", "numba", "quantstats", "yfinance", "pydantic")
    code = (
        "import sys; sys.argv = ['hpi-bt', '--help']\n"
        "from hpi_bt.cli import main\n"
        "try: main()\n"
        f"except SystemExit: print([m for m in {heavy} if m in sys.modules])"
    )
    begun = time.monotonic()
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"
    assert "Backtests on options and futures positioning" in ran.stdout
    assert time.monotonic() - begun < 5.0  # 0.3 s on an idle machine


def test_a_run_prints_its_figures_and_leaves_its_folder(folder: Path, command: Command) -> None:
    said = command("run", "small.yaml", *SHORT)
    assert (said.code, said.err) == (0, "")
    (made,) = (folder / "results").glob("*/")
    pages = [f"results/{made.name}/{page}" for page in ("tearsheet.html", "chart.html")]
    assert said.out.splitlines()[-2:] == pages
    assert listing(made) == ["alerts.csv", "chart.html", "coefficients.csv", "config.yaml",
        "deciles.csv", "env.json", "equity.parquet", "nights.csv", "panes.json", "run.log",
        "signals.parquet", "study.csv", "summary.json", "tearsheet.html", "trades.csv",
        "vetoed.csv"]  # fmt: skip


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_summary_is_aligned_and_fits_the_screen(
    folder: Path, command: Command, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = command("run", "small.yaml", *SHORT).out.splitlines()
    labels = (
        "Return", "CAGR", "Sharpe (daily)", "Max drawdown", "Trades", "Win rate",
        "Time in market", "Average exposure", "Costs paid", "Rejected orders",
    )  # fmt: skip
    rows = {label: next(x for x in lines if x.startswith(label)) for label in labels}
    assert all(len(line) <= columns for line in lines[:-1])
    # every value ends in column 30, every benchmark in column 45
    for label, row in rows.items():
        assert row[: len(label) + 1].rstrip() == label
        assert row[29] != " "
        assert row[30:32].strip() == ""
    for label in ("Return", "Max drawdown"):
        assert len(rows[label]) == 45
    assert rows["CAGR"].startswith("CAGR                       n/a   4 sessions are too few")
    # bought and held from the open, 100, to 104 at the close of the fourth session
    assert rows["Return"].split() == ["Return", "0.10%", "4.00%"]


def test_what_a_run_noticed_is_short_and_the_weightiest_comes_first(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(**changes: Any) -> list[str]:
        result = Result(demo_run().folder)
        result.__dict__["summary"] = demo_run().summary | changes
        show_run(result)
        lines = capsys.readouterr().out.splitlines()
        return [line for line in lines if line.startswith(("- ", "... "))]

    monkeypatch.setenv("COLUMNS", "120")
    notes = [f"note {i}" for i in range(6)] + ["spot is taken to be the mid", "a file has no calls"]
    told = said(remarks=["crosses: 3 up"], notes=[*notes, "warning: half is flat"])
    assert told == [
        "- a file has no calls", "- warning: half is flat", "- spot is taken to be the mid",
        "- crosses: 3 up", "- note 0", "... 5 more on the tear sheet",
    ]  # fmt: skip
    loud = [f"warning: {i}" for i in range(7)]
    assert said(remarks=["crosses"], notes=loud) == [
        *(f"- {line}" for line in loud), "... 1 more on the tear sheet",
    ]  # fmt: skip
    assert said(remarks=["one"], notes=["two"]) == ["- one", "- two"]


def test_the_screen_says_the_sessions_of_a_year_where_they_are_not_the_usual_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = Result(demo_run().folder)
    for year, told in ((250.7, False), (365.2, True)):
        result.__dict__["summary"] = demo_run().summary | {"sessions_per_year": year}
        show_run(result)
        assert (f", {year:.0f} sessions a year" in capsys.readouterr().out) is told


def test_json_is_strict_and_alone_on_standard_output(folder: Path, command: Command) -> None:
    said = command("run", "small.yaml", *SHORT, "--json")

    def refuse(constant: str) -> Any:
        raise AssertionError(f"{constant} is no JSON")

    summary = json.loads(said.out, parse_constant=refuse)
    assert summary["name"] == "small"
    assert summary["win_rate"] is None


BAD: list[tuple[list[str], str]] = [
    (["absent.yaml"], "absent.yaml: no such config; `hpi-bt list` shows the shipped ones"),
    (["list.yaml"], "list.yaml: holds a list; a config is a mapping"),
    (["."], ".: is a folder; give a YAML text file"),
    (["small.yaml", "-s", "brokr.cash=1"], "brokr: unknown key (did you mean 'broker'?)"),
    (["small.yaml", "-s", "data.source.path=no.csv"], "no.csv: no such file (looked in "),
    (["small.yaml", "-s", "data.source.path=column.csv"], "no column 'close' (found: open, high"),
    (["small.yaml", "-s", "data.source.path=unsorted.csv"], "is older than the row before it"),
    (["small.yaml", "-s", "data.source.path=twice.csv"], "repeats the stamp"),
    (["small.yaml", "-s", "strategy.class=no.py:X"], "strategy.class: no file no.py"),
    (["small.yaml", "-s", "strategy.class=broken.py:X"], "broken.py does not import (SyntaxError"),
    (["small.yaml", "-s", "strategy.class=hold.py:X"], "holds no class 'X' (known: Hold)"),
    (["small.yaml", "--results", "bars.csv"], "bars.csv: results cannot be written there"),
    (["small.yaml", "--data-dir", "no"], "--data-dir: no is no folder"),
    (["small.yaml", "--nope"], "No such option: --nope"),
    ([], "Missing argument 'CONFIG...'"),
]


@pytest.mark.parametrize(("arguments", "told"), BAD)
def test_bad_input_is_one_line_and_exit_code_2_and_leaves_nothing(
    folder: Path, command: Command, arguments: list[str], told: str
) -> None:
    rows = bars()
    (folder / "list.yaml").write_text("- a\n")
    (folder / "broken.py").write_text("class X(:\n")
    (folder / "column.csv").write_text("\n".join(rows).replace("close", "klose"))
    (folder / "unsorted.csv").write_text("\n".join([*rows[:3], rows[5], *rows[3:5]]))
    (folder / "twice.csv").write_text("\n".join([*rows[:3], *rows[2:5]]))
    before = listing(folder)
    said = command("run", *arguments)
    assert (said.code, said.out) == (2, "")
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith("hpi-bt: ")
    assert told in said.err
    assert [p for p in listing(folder) if "__pycache__" not in p] == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nope"], "No such command 'nope'"),
        (["config", "show", "absent.yaml"], "absent.yaml: no such config"),
        (
            ["config", "new", "x.yaml", "--from", "dmo"],
            "--from: no such shipped config as 'dmo' (did",
        ),
        (["config", "new", "small.yaml"], "small.yaml: is there already; give another name"),
    ],
)
def test_other_commands_complain_alike(
    folder: Path, command: Command, arguments: list[str], told: str
) -> None:
    said = command(*arguments)
    assert (said.code, said.out, len(said.err.splitlines())) == (2, "", 1)
    assert told in said.err


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise ZeroDivisionError('a\\nb')", "ZeroDivisionError: a b (own.py, line 4)"),
        ("self.data.nothing[0]", "AttributeError: "),
        ("int('x')", "ValueError: invalid literal"),
        ("raise NotImplementedError", "NotImplementedError: (own.py, line 4)"),
        ("raise SystemExit(0)", "S called sys.exit(0) (own.py, line 4)"),
        ("assert False, 'é'", "AssertionError: é (own.py, line 4)"),
    ],
)
def test_a_strategy_that_fails_is_one_line_and_exit_code_1(
    folder: Path, command: Command, body: str, told: str
) -> None:
    text = f"import backtrader as bt\nclass S(bt.Strategy):\n    def next(self):\n        {body}\n"
    (folder / "own.py").write_text(text)
    said = command("run", "small.yaml", "-s", "strategy.class=own.py:S")
    assert (said.code, said.out, len(said.err.splitlines())) == (1, "", 1)
    assert said.err.startswith("hpi-bt: the run failed: ")
    assert told in said.err
    assert "(own.py, line 4)" in said.err
    assert not (folder / "results").exists()


def test_the_traceback_is_there_for_who_asks(
    folder: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HPI_BT_DEBUG", "1")
    text = "import backtrader as bt\nclass S(bt.Strategy):\n    def next(self): 1 / 0\n"
    (folder / "own.py").write_text(text)
    said = command("run", "small.yaml", "-s", "strategy.class=own.py:S")
    assert said.code == 1
    assert "Traceback" in said.err
    assert said.err.splitlines()[-1].startswith("hpi-bt: the run failed: ZeroDivisionError")


def test_one_bad_config_of_several_does_not_stop_the_others(folder: Path, command: Command) -> None:
    said = command("run", "absent.yaml", "small.yaml", "also_absent.yaml", *SHORT)
    assert said.code == 2
    assert [line.split(":")[1].strip() for line in said.err.splitlines()] == [
        "absent.yaml", "also_absent.yaml",
    ]  # fmt: skip
    assert len(list((folder / "results").glob("*/"))) == 1
    assert "Return" in said.out


def _begun(folder: Path) -> subprocess.Popen[str]:
    (folder / "slow.py").write_text(SLOW)
    arguments = ["run", "small.yaml", "-s", "strategy.class=slow.py:Slow"]
    running = subprocess.Popen(
        [*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for _ in range(600):
        if (folder / "begun").exists() or running.poll() is not None:
            break
        time.sleep(0.05)
    assert running.poll() is None, running.communicate()
    return running


def test_ctrl_c_in_mid_run_is_one_line_and_leaves_nothing(folder: Path) -> None:
    running = _begun(folder)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert (running.returncode, out) == (130, "")
    assert err == "hpi-bt: stopped; the unfinished run has left nothing behind\n"
    assert not (folder / "results").exists()


def test_kill_9_in_mid_run_leaves_no_result_folder(folder: Path) -> None:
    running = _begun(folder)
    running.kill()
    running.communicate(timeout=30)
    assert running.returncode == -signal.SIGKILL
    assert not (folder / "results").exists()


def test_kill_9_while_writing_leaves_nothing_visible_and_the_next_run_sweeps_it(
    folder: Path, command: Command
) -> None:
    # a whole run whose last page takes its time
    code = (
        "import time, hpi_bt.report.folder as f\n"
        "f.write_tearsheet = lambda *_, **__: (open('begun', 'w').close(), time.sleep(60))\n"
        "import hpi_bt; hpi_bt.run('small.yaml')"
    )
    running = subprocess.Popen([sys.executable, "-c", code])
    for _ in range(600):
        if (folder / "begun").exists() or running.poll() is not None:
            break
        time.sleep(0.05)
    assert running.poll() is None
    running.kill()
    running.wait(30)
    (left,) = (folder / "results").iterdir()
    assert left.name.startswith(".partial-")
    assert (left / "summary.json").exists()
    assert command("run", "small.yaml", *SHORT).code == 0
    (made,) = (folder / "results").glob("*/")
    assert made.name.startswith("small-20")


def test_show_fills_in_every_default_and_takes_overrides(folder: Path, command: Command) -> None:
    said = command("config", "show", "small.yaml", "-s", "broker.cash=5")
    assert said.code == 0
    assert "  cash: 5.0\n" in said.out
    assert "slippage_bps: 0.0" in said.out


def test_new_gives_a_config_and_a_strategy_that_run(folder: Path, command: Command) -> None:
    said = command("config", "new", "mine/first.yaml")
    assert said.out.splitlines() == [
        "wrote mine/first.yaml", "wrote mine/flow_bias.py", "run it: hpi-bt run mine/first.yaml",
    ]  # fmt: skip
    (folder / "mine" / "flow_bias.py").write_text(
        (folder / "mine" / "flow_bias.py").read_text().replace("class FlowBias", "class Mine")
    )
    short = (
        "-s",
        "data.source.sessions=7",
        "-s",
        "data.source.bar=30min",
        "-s",
        "strategy.params={zscore_lookback: 20, smoothing: 3}",
    )
    mine = ("-s", "strategy.class=flow_bias.py:Mine", "-s", "data.end=2024-01-10")
    said = command("run", "mine/first.yaml", *short, *mine)
    assert (said.code, said.err) == (0, "")
    assert "demo: Mine on IWM" in said.out
    assert "DEMO: simulated market" in said.out


def test_list_names_configs_strategies_and_finished_runs(folder: Path, command: Command) -> None:
    assert "Finished runs" not in command("list").out
    command("run", "small.yaml", *SHORT)
    said = command("list")
    assert (said.code, said.err) == (0, "")
    assert "  configs/demo.yaml " in said.out
    assert "  strategies/flow_bias.py:FlowBias " in said.out
    (line,) = [x for x in said.out.splitlines() if x.startswith("  results/")]
    assert line.endswith("return +0.10%, Sharpe n/a, trades 0")


def test_version_is_printed(command: Command) -> None:
    from hpi_bt import __version__

    assert command("--version") == (0, f"hpi-bt {__version__}\n", "")


def test_no_arguments_give_help(command: Command) -> None:
    said = command()
    assert (said.code, said.err) == (2, "")
    assert "Usage: hpi-bt" in said.out
