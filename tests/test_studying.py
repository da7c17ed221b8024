"""`hpi_bt.signals` and `run_all`: the study of a config, of a finished run, of several symbols."""

from __future__ import annotations

import html
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hpi_bt as hb
from hpi_bt import InputError
from hpi_bt.stats.study import signal_study
from hpi_bt.stats.verdicts import conclusions
from hpi_bt.studying import subject_of
from small_runs import commander, demo_run, listing, mapping, workshop

SHORT = ("data.source.sessions=12", "data.source.bar=5min")


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A copy of the shared demo run."""
    return Path(shutil.copytree(demo_run().folder, tmp_path / "finished"))


def read(page: Path) -> str:
    return html.unescape(page.read_text("utf-8"))


def test_a_finished_run_is_studied_anew_and_nothing_else_changes(finished: Path):
    before = {p.name: p.read_bytes() for p in finished.iterdir()}
    found = hb.signals(finished, horizons=(1, "close"), permutations=99)
    assert found.study.horizons == (1, "close")
    assert found.page == finished / "chart.html"
    changed = {p.name for p in finished.iterdir() if before.get(p.name) != p.read_bytes()}
    tables = {"study.csv", "deciles.csv", "coefficients.csv"}
    assert changed - {"summary.json"} == {"chart.html", *tables}
    assert set(pd.read_csv(finished / "study.csv")["horizon"]) == {"1", "close"}


def test_the_summary_tells_the_study_that_the_page_shows(finished: Path):
    before = json.loads((finished / "summary.json").read_text("utf-8"))
    (finished / "summary.json").write_text(json.dumps(before | {"study": ["old."]}), "utf-8")
    found = hb.signals(finished, horizons=(2, 3), permutations=99)
    summary = json.loads((finished / "summary.json").read_text("utf-8"))
    assert summary["study"] == conclusions(found.study)
    assert found.results[0].summary["study"] == summary["study"]
    assert summary | {"study": []} == before | {"study": []}
    assert all(line.split(" ", 1)[1] in read(found.page) for line in summary["study"])


def test_a_study_that_cannot_be_written_leaves_every_file_as_it_was(finished: Path, monkeypatch):
    before = {p.name: p.read_bytes() for p in finished.iterdir()}

    def full(path: Path, value: object) -> None:
        path.write_text("{", "utf-8")
        raise OSError("no space left on device")

    monkeypatch.setattr("hpi_bt.studying.write_json", full)
    with pytest.raises(OSError, match="no space"):
        hb.signals(finished, horizons=(2, 3), permutations=99)
    assert {p.name: p.read_bytes() for p in finished.iterdir()} == before


def test_the_page_of_a_finished_run_comes_out_as_the_run_had_written_it(finished: Path):
    written = (finished / "chart.html").read_text("utf-8")
    hb.signals(finished)
    assert (finished / "chart.html").read_text("utf-8") == written


def test_a_config_is_run_and_its_study_is_the_one_of_its_folder(tmp_path: Path):
    found = hb.signals("configs/demo.yaml", overrides=SHORT, results=tmp_path, permutations=99)
    (result,) = found.results
    assert found.page == result.folder / "chart.html"
    kept = pd.read_csv(result.folder / "study.csv")
    np.testing.assert_array_equal(kept["t"], found.study.events["t"])
    np.testing.assert_array_equal(kept["p_value"], found.study.events["p_value"])


def test_symbols_get_a_run_each_and_one_pooled_study(tmp_path: Path):
    found = hb.signals(
        "configs/demo.yaml", overrides=[*SHORT, "symbols=[IWM, SPY]"], results=tmp_path,
        permutations=99,
    )  # fmt: skip
    assert [r.summary["symbol"] for r in found.results] == ["IWM", "SPY"]
    alone = [signal_study([subject_of(r)], permutations=99) for r in found.results]
    events = [study.events for study in (found.study, *alone)]
    pooled, *counts = (
        dict(zip(zip(e["signal"], e["direction"], e["horizon"], strict=True), e["n"], strict=True))
        for e in events
    )
    assert pooled == {cell: sum(count.get(cell, 0) for count in counts) for cell in pooled}
    assert len(pooled) > 6
    assert found.page.name == "study.html"
    about = json.loads((found.page.parent / "summary.json").read_text("utf-8"))
    assert about["runs"] == [r.folder.name for r in found.results]
    assert found.page.parent.name in (tmp_path / "index.html").read_text("utf-8")


def test_run_all_of_a_config_without_symbols_is_run(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(workshop(tmp_path))
    done = hb.run_all(mapping(), results=tmp_path / "out")
    (result,) = done.results
    assert (result.summary["name"], done.pooled) == ("small", None)


def test_run_pools_the_symbols_of_a_config_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    given = [f"-s{key}" for key in (*SHORT, "symbols=[A, B]", "study.permutations=99")]
    said = commander(monkeypatch, capsys)("run", "configs/demo.yaml", *given, "--results", tmp_path)
    assert (said.code, said.err) == (0, "")
    assert "Signals against price: A, B  DEMO" in said.out
    assert len(list(tmp_path.glob("*/study.html"))) == 1
    assert len(list(tmp_path.glob("*/chart.html"))) == 2


def test_symbols_of_a_strategy_without_indicators_end_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(workshop(tmp_path))
    bars = (tmp_path / "bars.csv").read_text()
    for symbol in ("AA", "BB"):
        (tmp_path / f"{symbol}.csv").write_text(bars)
    given = ['-sdata.source.path="{symbol}.csv"', "-ssymbols=[AA, BB]", "--results", "out"]
    said = commander(monkeypatch, capsys)("run", "small.yaml", *given)
    assert (said.code, said.err) == (0, "")
    assert said.out.count("Win rate") == 2
    assert "- no signal is declared, so there is no study of the symbols together" in said.out
    done = hb.run_all(
        mapping() | {"symbols": ["AA", "BB"], "data": {
            "source": {"kind": "csv", "path": "{symbol}.csv"}, "calendar": "XNYS"}},
        results="out",
    )  # fmt: skip
    assert (len(done.results), done.pooled) == (2, None)
    assert done.note.startswith("no signal is declared")


def test_the_command_prints_every_signal_with_its_verdict(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    command = commander(monkeypatch, capsys)
    said = command("signals", finished, "--horizons", "1,5,close", "--permutations", "99")
    assert said.code == 0
    assert "HedgePressureIndex.extreme: mechanical bid" in said.out
    assert "Signals against price: IWM  DEMO" in said.out
    assert said.out.rstrip().endswith(str(finished / "chart.html"))


def _no_signals(folder: Path) -> None:
    (folder / "signals.parquet").unlink()


def _no_panes(folder: Path) -> None:
    (folder / "panes.json").write_text("[]")


def _damaged(folder: Path) -> None:
    (folder / "summary.json").write_text("{")


@pytest.mark.parametrize(
    ("harm", "said"),
    [(_no_signals, "no signals.parquet"), (_no_panes, "has no signals"), (_damaged, "damaged")],
)
def test_a_folder_that_cannot_be_studied_is_refused_and_left_as_it_is(finished, harm, said):
    harm(finished)
    before = listing(finished)
    with pytest.raises(InputError, match=said):
        hb.signals(finished)
    assert listing(finished) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{empty}"], "holds no summary.json"),
        (["configs/demo.yaml", "--horizons", "0"], "'0' is no number of bars"),
        (["configs/demo.yaml", "--horizons", "5000"], "study.horizons: 5000"),
        (["{finished}", "-s", "name=x"], "is a finished run"),
        (["{finished}", "--horizons", "5000"], "horizons: 5000"),
        (["nowhere.yaml"], "no such config"),
    ],
)
def test_bad_input_gets_one_line_exit_code_2_and_no_folder(
    arguments, said, finished, tmp_path, monkeypatch, capsys
):
    (tmp_path / "empty").mkdir()
    places = {"{empty}": tmp_path / "empty", "{finished}": finished}
    given = [places.get(a, a) for a in arguments]
    answer = commander(monkeypatch, capsys)("signals", *given, "--results", tmp_path / "out")
    assert answer.code == 2
    assert said in answer.err
    assert len(answer.err.splitlines()) == 1
    assert not (tmp_path / "out").exists() or listing(tmp_path / "out") == []
