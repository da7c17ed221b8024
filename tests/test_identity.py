"""What a result came from: every module that the user's code brings in, and the package itself."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpi_bt import identity
from hpi_bt.errors import InputError
from hpi_bt.identity import code_fingerprint, package_fingerprint
from hpi_bt.loading import load_strategy, shipped
from hpi_bt.searches import _other_code

STRATEGY = "import backtrader as bt\n{}\nclass Mine(bt.Strategy):\n    side = {}\n"


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    before = dict(sys.modules), dict(identity._loaded), set(identity._kept)
    yield
    for name in set(sys.modules) - set(before[0]):
        file = getattr(sys.modules[name], "__file__", None) or ""
        if "pytest-" in file:
            del sys.modules[name]
    identity._loaded.clear()
    identity._loaded.update(before[1])
    identity._kept.intersection_update(before[2])


def written(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def loaded(folder: Path, name: str = "mine") -> tuple[object, str]:
    strategy = load_strategy(f"{name}.py:Mine", [folder])
    return strategy.side, code_fingerprint(strategy)  # type: ignore[attr-defined]


def test_a_module_that_the_program_itself_imported_stays_when_its_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    written(tmp_path, id_own="SIDE = 1\n", mine=STRATEGY.format("from id_own import SIDE", "SIDE"))
    own = importlib.import_module("id_own")
    assert loaded(tmp_path)[0] == 1
    written(tmp_path, id_own="SIDE = 2\n")
    loaded(tmp_path)
    assert sys.modules["id_own"] is own


def test_a_strategy_that_did_not_import_leaves_none_of_its_modules(tmp_path: Path) -> None:
    broken = STRATEGY.format("from id_helper import SIDE\n1 / 0", "SIDE")
    written(tmp_path, id_helper="SIDE = 1\n", mine=broken)
    with pytest.raises(InputError, match="ZeroDivisionError"):
        loaded(tmp_path)
    assert "id_helper" not in sys.modules
    written(
        tmp_path, id_helper="SIDE = 2\n", mine=STRATEGY.format("from id_helper import SIDE", "SIDE")
    )
    assert loaded(tmp_path)[0] == 2


@pytest.mark.parametrize(
    ("imports", "side"),
    [
        ("from id_helper import SIDE", "SIDE"),
        ("import id_helper", "id_helper.SIDE"),
        ("from id_package.inner import SIDE", "SIDE"),
        ("from id_package import outer", "outer.SIDE"),
        ("import importlib\nid_helper = importlib.import_module('id_helper')", "id_helper.SIDE"),
        ("from id_between import SIDE", "SIDE"),
    ],
)
def test_a_change_in_any_module_that_is_brought_in_changes_class_and_fingerprint(
    tmp_path: Path, imports: str, side: str
) -> None:
    files = {
        "id_helper": "SIDE = {}\n", "id_package__inner": "SIDE = {}\n",
        "id_package__outer": "from .inner import SIDE\n", "id_between": "from id_helper import *\n",
    }  # fmt: skip
    written(tmp_path, mine=STRATEGY.format(imports, side))
    seen = []
    for value in (1.0, -1.0, 1.0):
        written(tmp_path, **{name: text.format(value) for name, text in files.items()})
        importlib.invalidate_caches()
        seen.append(loaded(tmp_path))
    assert [value for value, _ in seen] == [1.0, -1.0, 1.0]
    assert seen[0] == seen[2] != seen[1]


def test_a_module_imported_within_a_method_counts(tmp_path: Path) -> None:
    body = STRATEGY.format("", 1) + "    def next(self):\n        from id_late import SIDE\n"
    written(tmp_path, mine=body, id_late="SIDE = 1\n")
    before = loaded(tmp_path)
    written(tmp_path, id_late="SIDE = 2\n")
    assert loaded(tmp_path)[1] != before[1]


def test_the_module_of_a_base_class_counts_and_an_unrelated_file_does_not(tmp_path: Path) -> None:
    written(tmp_path, id_base=STRATEGY.format("", 1.0).replace("Mine", "Base"))
    written(tmp_path, mine="from id_base import Base\nclass Mine(Base):\n    pass\n", other="x = 1")
    before = loaded(tmp_path)
    written(tmp_path, other="x = 2")
    assert loaded(tmp_path) == before
    written(tmp_path, id_base=STRATEGY.format("", -1.0).replace("Mine", "Base"))
    assert loaded(tmp_path)[0] == -1.0
    assert loaded(tmp_path)[1] != before[1]


def test_each_folder_gets_its_own_neighbour_of_one_name(tmp_path: Path) -> None:
    for name, side in (("one", 1.0), ("two", 2.0)):
        written(tmp_path / name, mine=STRATEGY.format("from id_helper import SIDE", "SIDE"))
        written(tmp_path / name, id_helper=f"SIDE = {side}\n")
    assert [loaded(tmp_path / n)[0] for n in ("one", "two", "one")] == [1.0, 2.0, 1.0]


def test_libraries_and_the_package_are_no_code_of_the_users() -> None:
    strategy = load_strategy("strategies/flow_bias.py:FlowBias", [])
    files = {source.file.name for source in identity._sources(strategy)}
    assert files == {"flow_bias.py"}
    lines = [line for s in identity._sources(strategy) for line in identity._versions(s)]
    assert [line.split()[0] for line in lines] == ["hpi_bt"]


def test_every_shipped_strategy_stands_alone() -> None:
    for path in sorted(shipped("strategies").glob("*.py")):
        text = path.read_text("utf-8")
        assert "load_strategy" not in text, path.name
        assert "import strategies" not in text
        assert "from strategies" not in text


def test_the_fingerprint_of_the_package_follows_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, rules="a = 1\n")
    monkeypatch.setattr(identity, "_PACKAGE", tmp_path)
    seen = []
    for text in ("a = 1\n", "a = 2\n"):
        written(tmp_path, rules=text)
        package_fingerprint.cache_clear()
        seen.append(package_fingerprint())
    package_fingerprint.cache_clear()
    assert seen[0] != seen[1]


def test_points_of_other_code_are_reported_and_not_used(tmp_path: Path) -> None:
    old, new, else_ = (tmp_path / f".sweep-{name}" for name in ("aa-1", "aa-2", "bb-1"))
    for folder in (old, new, else_):
        folder.mkdir()
        (folder / "part-0-1.npz").write_bytes(b"")
    (note,) = _other_code(new)
    assert note.code == "points-of-other-code"
    assert note.where == str(old)
    assert json.dumps(note.as_dict())
    with pytest.raises(InputError):
        load_strategy("absent.py:Mine", [tmp_path])


KERNEL = "    def next(self):\n        {}\n"


@pytest.mark.parametrize(
    "late",
    [
        "from .id_late import SIDE",
        "from id_pack.id_late import SIDE",
        "import importlib; importlib.import_module('id_pack.id_late').SIDE",
        "import importlib; importlib.import_module('.id_late', __package__)",
    ],
)
def test_modules_that_a_package_imports_within_functions_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    written(tmp_path, id_pack____init__="", id_pack__id_late="SIDE = 1\n",
            id_pack__own=STRATEGY.format("", 1) + KERNEL.format(late))  # fmt: skip
    importlib.invalidate_caches()
    before = code_fingerprint(load_strategy("id_pack.own:Mine"))
    written(tmp_path, id_pack__id_late="SIDE = 2\n")
    assert code_fingerprint(load_strategy("id_pack.own:Mine")) != before


def test_a_module_that_lies_elsewhere_on_the_path_counts_before_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path / "far")
    written(tmp_path / "far", id_far="SIDE = 1\n")
    written(tmp_path, mine=STRATEGY.format("", 1) + KERNEL.format("from id_far import SIDE"))
    before = loaded(tmp_path)
    written(tmp_path / "far", id_far="SIDE = 2\n")
    assert loaded(tmp_path)[1] != before[1]


def test_what_is_read_from_an_imported_module_at_once_counts(tmp_path: Path) -> None:
    at_once = "import importlib\nSIDE = importlib.import_module('id_helper').SIDE"
    written(tmp_path, mine=STRATEGY.format(at_once, "SIDE"), id_helper="SIDE = 1\n")
    before = loaded(tmp_path)
    written(tmp_path, id_helper="SIDE = 2\n")
    after = loaded(tmp_path)
    assert (before[0], after[0]) == (1, 2)
    assert after[1] != before[1]


def test_a_class_of_the_program_is_never_unloaded_with_its_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(identity, "_kept", set())
    monkeypatch.setattr(identity, "_loaded", {})
    written(tmp_path, id_program=STRATEGY.format("", 1), mine=STRATEGY.format("", 2))
    own = importlib.import_module("id_program")
    code_fingerprint(own.Mine)  # before anything was loaded from a file
    written(tmp_path, id_program=STRATEGY.format("", 3))
    loaded(tmp_path)
    assert sys.modules["id_program"] is own
