"""From a reference to a strategy class."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpi_bt.errors import InputError
from hpi_bt.loading import load_strategy, resolve_file, shipped

PLAIN = "import backtrader as bt\nclass Mine(bt.Strategy):\n    pass\n"


def write(folder: Path, text: str, name: str = "mine.py") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def refused(reference: str, *folders: Path) -> str:
    with pytest.raises(InputError) as error:
        load_strategy(reference, folders)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_file_and_a_class_give_that_class(tmp_path: Path) -> None:
    write(tmp_path, PLAIN)
    found = load_strategy("mine.py:Mine", [tmp_path])
    assert found.__name__ == "Mine"
    assert pickle.loads(pickle.dumps(found)) is found


def test_a_module_and_a_class_give_that_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, PLAIN, "somewhere_else.py")
    monkeypatch.syspath_prepend(tmp_path)
    assert load_strategy("somewhere_else:Mine").__module__ == "somewhere_else"


def test_the_first_folder_wins_and_the_shipped_strategies_come_last(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path, f"{PLAIN}    where = {name!r}\n", f"{name}/mine.py")
    folders = [tmp_path / "absent", tmp_path / "two", tmp_path / "one"]
    assert load_strategy("mine.py:Mine", folders).where == "two"  # type: ignore[attr-defined]
    assert resolve_file("strategies/flow_bias.py", folders).parent == shipped("strategies")
    write(tmp_path, PLAIN, "one/strategies/flow_bias.py")
    assert resolve_file("strategies/flow_bias.py", folders).is_relative_to(tmp_path)


def test_a_file_may_import_its_neighbour_without_changing_the_path(tmp_path: Path) -> None:
    write(tmp_path, "SIZE = 5\n", "a_neighbour_of_mine.py")
    write(tmp_path, f"from a_neighbour_of_mine import SIZE\n{PLAIN}    size = SIZE\n")
    before = list(sys.path)
    assert load_strategy("mine.py:Mine", [tmp_path]).size == 5  # type: ignore[attr-defined]
    assert sys.path == before


def test_two_files_of_one_name_are_two_modules(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path, PLAIN, f"{name}/mine.py")
    one, two = (load_strategy("mine.py:Mine", [tmp_path / n]) for n in ("one", "two"))
    assert one.__module__ != two.__module__


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("class Mine(:\n", "does not import (SyntaxError: invalid syntax"),
        ("import nothing_like_this\n", "No module named 'nothing_like_this', line 1"),
        ("x = 1\n\n1 / 0\n", "ZeroDivisionError: division by zero, line 3"),
        ("import sys\nsys.exit(3)\n", "does not import (SystemExit: 3, line 2)"),
        ("raise ValueError('two\\nlines')\n", "does not import (ValueError: two, line 1)"),
        ("class Mine: pass\n", "Mine in mine.py is no Backtrader strategy; derive it from"),
        ("Mine = 3\n", "Mine in mine.py is no Backtrader strategy"),
        ("", "holds no class 'Mine' (it holds no strategy)"),
        (PLAIN.replace("Mine", "Mina"), "holds no class 'Mine' (did you mean 'Mina'?)"),
        ("import backtrader as bt\nfrom backtrader import Strategy\n", "holds no strategy"),
    ],
)
def test_a_file_that_gives_no_strategy_is_refused(tmp_path: Path, text: str, told: str) -> None:
    write(tmp_path, text)
    before = set(sys.modules), list(sys.path)
    message = refused("mine.py:Mine", tmp_path)
    assert message.startswith("strategy.class: ")
    assert told in message
    assert sys.path == before[1]
    failed = {m for m in set(sys.modules) - before[0] if m.startswith("hpi_bt_file")}
    assert not failed or "does not import" not in message


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("absent.py:Mine", "no file absent.py (looked in "),
        ("mine.py", "names no class; write strategies/flow_bias.py:FlowBias"),
        (":Mine", "names no class"),
        ("mine.py:", "names no class"),
        ("no_such_module:Mine", "No module named 'no_such_module'"),
        ("..above:Mine", "does not import"),
        ("os:path", "path in os is no Backtrader strategy"),
        ("a/folder:Mine", "no file a/folder"),
        ("mine.txt:Mine", "No module named"),
        ("backtrader:Strategy", "Strategy in backtrader is no Backtrader strategy"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(
    tmp_path: Path, reference: str, told: str
) -> None:
    assert told in refused(reference, tmp_path)


@given(st.text("abc./:-é\\", max_size=12))
def test_any_text_is_refused_in_one_line(reference: str) -> None:
    refused(reference)
