"""Every entry of wrong_inputs.toml is refused in one line, and nothing is left behind."""

from __future__ import annotations

import shlex
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from gauge_market import write_market
from small_chains import contracts, saved
from small_runs import commander, listing, workshop

TABLE = tomllib.loads(Path(__file__).with_name("wrong_inputs.toml").read_text("utf-8"))
WORDS = ("remedy", "field", "problem")
KEYS = {"name", "command", "files", "edit", "exit", *WORDS}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of right inputs."""
    folder = tmp_path_factory.mktemp("right") / "inputs"
    folder.mkdir()
    workshop(folder)
    saved(folder, contracts(), "chain.csv")
    write_market(folder / "market")
    for name, text in TABLE["files"].items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def here(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which the command runs."""
    for name in ("HPI_BT_DATA", "HPI_BT_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(shutil.copytree(whole, tmp_path / "here"))
    return tmp_path / "here"


def _spoil(folder: Path, entry: dict[str, Any]) -> None:
    """Write and change what an entry says."""
    for name, text in entry.get("files", {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.removeprefix("\n"))
    for name, (old, new) in entry.get("edit", {}).items():
        text = (folder / name).read_text()
        assert old in text, f"{name} does not hold {old!r}"
        (folder / name).write_text(text.replace(old, new))


@pytest.mark.parametrize("entry", TABLE["input"], ids=lambda entry: entry["name"])
def test_wrong_input_is_refused_in_one_line_and_leaves_nothing(
    entry: dict[str, Any],
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _spoil(here, entry)
    before = listing(here)

    said = commander(monkeypatch, capsys)(*shlex.split(entry["command"]))

    assert said.code == entry.get("exit", 2), said
    assert said.out == ""
    assert len(said.err.splitlines()) == 1, said.err
    assert said.err.startswith("hpi-bt: ")
    rest = said.err.removeprefix("hpi-bt: ")
    for key in WORDS:
        assert entry[key] in rest, f"{key} {entry[key]!r} is not in: {said.err}"
        rest = rest.replace(entry[key], " ", 1)  # what is wanted is no sign of what was found
    assert [path for path in listing(here) if "__pycache__" not in path] == before


def test_entries_have_names_of_their_own_and_no_unknown_keys() -> None:
    names = [entry["name"] for entry in TABLE["input"]]
    assert len(names) == len(set(names))
    for entry in TABLE["input"]:
        assert set(entry) <= KEYS, entry
        assert all(entry[key] for key in WORDS), entry


@pytest.mark.parametrize(
    "command",
    ["run small.yaml", "chain chain.csv", "gauge --data-dir market", "config show sweep.yaml"],
)
def test_the_right_inputs_are_not_refused(
    command: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = commander(monkeypatch, capsys)(*command.split())
    assert (said.code, said.err) == (0, ""), here
