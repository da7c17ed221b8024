"""Figures of configs, chains and the gauge are what they were, or CHANGELOG.md says why not."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from golden import __main__ as program
from golden import expected
from golden.cases import CHAINS, Case, every_case
from golden.figures import build, numbers_of, table_of

CASES = every_case()
MARKED = [
    pytest.param(c, id=c.name, marks=[pytest.mark.real_data] if c.is_real else []) for c in CASES
]
LARGEST = 60_000  # bytes of a file


@pytest.fixture
def no_long_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The long tear sheet moves no figure and takes longer than a run."""
    monkeypatch.setattr("hpi_bt.report.tearsheet.MIN_SESSIONS", 100_000)


@pytest.mark.usefixtures("no_long_page")
@pytest.mark.parametrize("case", MARKED)
def test_figures_are_what_they_were(
    case: Case, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    data = request.getfixturevalue("real_data") if case.is_real else tmp_path
    old = expected.read(case.name)
    assert old is not None, f"nothing to compare with: python -m tests.golden --write {case.name}"
    apart = expected.differences(old, case.compute(data, tmp_path))
    assert not apart, (
        f"{case.name}: {apart[0]}\n"
        + "".join(f"  {line}\n" for line in apart[1:20])
        + f"{len(apart)} in all. If they are meant to differ, name the rule in CHANGELOG.md and:\n"
        f'  python -m tests.golden --write --rule "the words of CHANGELOG.md" {case.name}'
    )


def test_hashes_are_compared_on_the_build_that_made_them() -> None:
    others = {e["build"] for c in CASES if (e := expected.read(c.name))} - {build()}
    if others:
        pytest.skip(f"no hash is compared, sums are: made with {others.pop()}; here {build()}")


def test_every_rule_that_changed_a_figure_stands_in_the_changelog() -> None:
    changelog = " ".join(expected.CHANGELOG.read_text("utf-8").split())
    missing = {
        (path.stem, rule)
        for path in expected.FOLDER.glob("*.json")
        for rule in json.loads(path.read_text("utf-8"))["rules"]
        if " ".join(rule.split()) not in changelog
    }
    assert not missing


def test_every_file_belongs_to_a_case_and_is_small_strict_json() -> None:
    def refuse(constant: str) -> Any:
        raise AssertionError(f"{constant} is no JSON")

    found = sorted(expected.FOLDER.glob("*.json"))
    assert {path.stem for path in found} == {case.name for case in CASES}
    for path in found:
        text = path.read_text("utf-8")
        json.loads(text, parse_constant=refuse)
        assert len(text) < LARGEST, path.name


@pytest.mark.real_data
def test_every_real_chain_has_its_figures(real_data: Path) -> None:
    there = {f"chains/{path.name}" for path in (real_data / "chains").glob("*.csv*")}
    assert there == set(CHAINS)


def _content() -> dict[str, Any]:
    frame = pd.DataFrame({"pnl": [1.0, np.nan, -3.0], "status": ["closed", "closed", "open"]})
    summary = {
        "name": "x",
        "sharpe": 1.5,
        "zones": [{"centre": 4.0}, {"centre": 5.0}],
        "beta": None,
    }
    return {"figures": numbers_of(summary), "tables": {"trades": table_of(frame)}}


def _moved(change: Callable[[dict[str, Any]], object], **built: str) -> list[str]:
    """What is said of a content that was changed after it was written."""
    old = {"build": build(), "rules": [], **copy.deepcopy(_content()), **built}
    new = _content()
    change(new)
    return expected.differences(old, new)


def test_numbers_alone_are_figures() -> None:
    assert _content()["figures"] == {"sharpe": 1.5, "zones.centre": [4, 5], "beta": None}


@pytest.mark.parametrize(
    ("figure", "value", "said"),
    [
        ("sharpe", 1.5 + 1e-8, "sharpe: 1.5 became 1.50000001"),
        ("sharpe", None, "sharpe: 1.5 became null"),
        ("beta", 0, "beta: null became 0"),
        ("zones.centre", [4, 6], "zones.centre: [1] 5 became 6"),
        ("zones.centre", [4], "zones.centre: 2 values became 1"),
    ],
)
def test_a_figure_that_moves_is_named_with_old_and_new(figure: str, value: Any, said: str) -> None:
    assert _moved(lambda new: new["figures"].update({figure: value})) == [said]


def test_rounding_and_new_figures_are_no_difference() -> None:
    assert not _moved(lambda new: new["figures"].update(sharpe=1.5 + 1e-10, alpha=1.0))


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([np.nextafter(1.0, 2.0), np.nan, -3.0], name="pnl"),
        pd.Series([1.0, 0.0, -3.0], name="pnl"),
        pd.Series(["closed", "open", "open"], name="status"),
    ],
)
def test_one_bit_of_a_column_is_a_difference(column: pd.Series) -> None:
    columns = table_of(column.to_frame())["columns"]
    (line,) = _moved(lambda new: new["tables"]["trades"]["columns"].update(columns))
    assert line.startswith(f"trades.{column.name}: (")


def test_on_another_build_last_digits_may_differ_and_amounts_and_texts_may_not() -> None:
    def apart(**columns: list[Any]) -> list[str]:
        table = table_of(pd.DataFrame(columns))["columns"]
        return _moved(lambda new: new["tables"]["trades"]["columns"].update(table), build="other")

    assert not apart(pnl=[np.nextafter(1.0, 2.0), np.nan, -3.0])
    assert apart(pnl=[1.001, np.nan, -3.0])
    assert apart(pnl=[1.0, np.nan, 3.0])
    assert apart(status=["closed", "open", "open"])


def test_rows_columns_and_tables_that_go_are_differences() -> None:
    trades = "tables", "trades"
    assert _moved(lambda new: new["tables"].pop("trades")) == ["trades: the table is gone"]
    gone = _moved(lambda new: new[trades[0]][trades[1]]["columns"].pop("pnl"))
    assert gone == ["trades.pnl: the column is gone"]
    fewer = _moved(lambda new: new["tables"]["trades"].update(rows=2))
    assert fewer == ["trades: 3 rows became 2"]


def test_a_change_is_written_with_a_rule_alone_and_an_addition_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = _content()
    case = Case("one", False, lambda *_: copy.deepcopy(content))
    monkeypatch.setattr(program, "every_case", lambda: [case])
    monkeypatch.setattr(expected, "FOLDER", tmp_path)

    assert program.main([]) == 1  # nothing to compare with yet
    assert program.main(["--write"]) == 0
    content["figures"]["sharpe"] = 2.0
    assert program.main([]) == 1
    assert program.main(["--write"]) == 1
    assert "one: sharpe: 1.5 became 2.0" in capsys.readouterr().out
    assert program.main(["--write", "--rule", "Sharpe is daily"]) == 0
    content["figures"]["alpha"] = 1.0
    assert program.main(["--write"]) == 0
    written = expected.read("one")
    assert written is not None
    assert written["rules"] == ["Sharpe is daily"]
    assert (written["figures"]["sharpe"], written["figures"]["alpha"]) == (2.0, 1.0)
    assert program.main(["absent"]) == 2
