"""The result folder and the object that reads it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hpi_bt.backtest.result import Result, check_writable, whole_folder
from hpi_bt.config import Config
from hpi_bt.errors import InputError
from small_runs import demo_run, listing


def test_the_folder_holds_what_design_lists() -> None:
    folder = demo_run().folder
    assert re.fullmatch(r"demo-\d{8}T\d{6}-[0-9a-f]{8}", folder.name)
    assert listing(folder) == ["alerts.csv", "chart.html", "coefficients.csv", "config.yaml",
        "deciles.csv", "env.json", "equity.parquet", "nights.csv", "panes.json", "run.log",
        "signals.parquet", "study.csv", "summary.json", "tearsheet.html", "trades.csv",
        "vetoed.csv"]  # fmt: skip
    assert folder.stat().st_mode & 0o777 == 0o755


def test_every_json_file_is_strict() -> None:
    def refuse(constant: str) -> Any:
        raise AssertionError(f"{constant} is no JSON")

    for path in demo_run().folder.glob("*.json"):
        assert json.loads(path.read_text("utf-8"), parse_constant=refuse)


def test_the_kept_config_gives_the_run_again() -> None:
    kept = yaml.safe_load((demo_run().folder / "config.yaml").read_text("utf-8"))
    assert Config.model_validate(kept).data.source.kind == "demo"


def test_every_page_and_figure_of_a_demo_run_says_demo() -> None:
    result = demo_run()
    assert result.summary["demo"].startswith("simulated market")
    assert "DEMO" in repr(result)
    assert "DEMO" in result._repr_html_()
    assert '<span class="demo">DEMO</span>' in (result.folder / "tearsheet.html").read_text("utf-8")
    assert "DEMO" in (result.folder / "run.log").read_text("utf-8")


def test_the_page_says_what_session_returns_cannot() -> None:
    s = demo_run().summary
    page = (demo_run().folder / "tearsheet.html").read_text("utf-8")
    assert f"{s['trades']} closed, win rate {s['win_rate']:.2%}; a position in" in page
    assert f"{s['exposure']:.2%} of the bars" in page
    assert f"{s['costs']:,.2f} of costs paid; {s['rejected']} orders rejected" in page


def test_frames_have_one_row_a_bar_on_one_index() -> None:
    result = demo_run()
    n = result.summary["bars"]
    assert len(result.equity) == len(result.signals) == n == 12 * 78
    pd.testing.assert_index_equal(result.equity.index, result.signals.index)
    assert str(result.equity.index.tz) == "America/New_York"
    drawn = {pane["column"] for pane in json.loads((result.folder / "panes.json").read_text())}
    assert drawn
    assert drawn <= set(result.signals.columns)


def test_the_equity_is_cash_and_trades_to_the_cent() -> None:
    result = demo_run()
    trades, s = result.trades, result.summary
    assert len(trades) > 5
    assert s["end_value"] == result.equity["equity"].iloc[-1]
    assert s["end_value"] == pytest.approx(s["start_value"] + trades["net"].sum(), abs=1e-6)
    assert trades["commission"].sum() == pytest.approx(s["commission"], abs=1e-9)
    assert s["costs"] == pytest.approx(s["commission"] + s["slippage"])


def test_the_position_is_that_of_the_trades() -> None:
    result = demo_run()
    held = np.zeros(result.summary["bars"])
    for trade in result.trades.itertuples():
        held[trade.entry_bar : trade.exit_bar] += trade.direction * trade.size
    np.testing.assert_array_equal(held, result.equity["position"])


def test_a_reader_of_an_old_folder_needs_the_folder_alone() -> None:
    again = Result(demo_run().folder)
    assert again.summary == demo_run().summary
    pd.testing.assert_frame_equal(again.trades, demo_run().trades)


def written(folder: Path, **summary: Any) -> Result:
    whole = demo_run().summary | summary
    (folder / "summary.json").write_text(json.dumps(whole))
    return Result(folder)


def test_repr_is_one_line_with_the_main_figures(tmp_path: Path) -> None:
    plain: dict[str, Any] = {"name": "n", "demo": "", "sessions": 60}
    result = written(tmp_path, **plain, total_return=0.125, sharpe=1.234, trades=3)
    assert repr(result) == f"<Result n: return +12.50%, Sharpe 1.23, trades 3; {tmp_path}>"
    undefined = written(tmp_path, **plain, total_return=None, sharpe=None, trades=0)
    said = "return n/a, Sharpe n/a, trades 0"
    assert repr(Result(undefined.folder)) == f"<Result n: {said}; {tmp_path}>"


def test_repr_shows_no_figure_of_a_year_made_of_a_few_sessions(tmp_path: Path) -> None:
    made = {"name": "n", "demo": "", "total_return": 0.125, "sharpe": -9.5, "trades": 3}
    few = written(tmp_path, **made, sessions=20)
    assert repr(few) == f"<Result n: return +12.50%, Sharpe n/a, trades 3; {tmp_path}>"
    assert few.summary["sharpe"] == -9.5
    assert ", Sharpe \N{MINUS SIGN}9.50," in repr(written(tmp_path, **made, sessions=21))


def test_html_is_escaped(tmp_path: Path) -> None:
    shown = written(tmp_path, name="<script>x</script>")._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "Max drawdown" in shown


def test_two_that_end_in_the_same_second_keep_both_folders(tmp_path: Path) -> None:
    with whole_folder(tmp_path, "run") as first, whole_folder(tmp_path, "run") as second:
        for draft, text in ((first, "1"), (second, "2")):
            (draft.partial / "file").write_text(text)
    with whole_folder(tmp_path, "run") as third:
        (third.partial / "file").write_text("3")
    folders = [draft.folder for draft in (first, second, third)]
    assert [f.name for f in folders] == ["run-2", "run", "run-3"]
    assert [(f / "file").read_text() for f in folders] == ["1", "2", "3"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with whole_folder(tmp_path, "done") as draft:
        partial = draft.partial
        (partial / "file").write_text("x")
        assert not (tmp_path / "done").exists()
        assert partial.name.startswith(f".partial-{os.getpid()}-")
    assert listing(tmp_path) == ["done", "done/file"]

    def interrupted(error: BaseException) -> None:
        with whole_folder(tmp_path, "broken") as draft:
            (draft.partial / "file").write_text("x")
            raise error

    for error in (ValueError(), KeyboardInterrupt(), SystemExit()):
        with pytest.raises(type(error)):
            interrupted(error)
    assert listing(tmp_path) == ["done", "done/file"]


def test_only_what_dead_processes_left_is_swept(tmp_path: Path) -> None:
    dead = max(int(p.name) for p in Path("/proc").glob("[0-9]*")) + 10_000  # beyond what is running
    for name in (f".partial-{dead}-a", f".partial-{os.getpid()}-b", ".partial-1-c", ".partial-x-d"):
        (tmp_path / name).mkdir()
    check_writable(tmp_path)
    assert listing(tmp_path) == [".partial-1-c", f".partial-{os.getpid()}-b", ".partial-x-d"]


def test_a_check_makes_no_folder(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b")
    assert listing(tmp_path) == []


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError) as error:
            check_writable(path)
        assert str(error.value) == (
            f"{path}: results cannot be written there ({tmp_path / 'file'} is a file); "
            "give another folder as results"
        )


@settings(max_examples=20)
@given(st.floats(-1, 10) | st.none(), st.integers(0, 10**7), st.text(max_size=20))
def test_any_figures_can_be_shown(total: float | None, trades: int, name: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        result = written(Path(folder), total_return=total, trades=trades, name=name)
        assert repr(result).startswith("<Result ")
        assert result._repr_html_().count("<tr") == 12
