"""Paths of users are refused where no file system can have them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpi_bt.errors import InputError
from hpi_bt.sources.base import Locations
from hpi_bt.sources.paths import user_path, what_stands


def test_the_home_folder_is_written_out_and_other_paths_stay(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert user_path("~/data/x.csv") == Path("/home/me/data/x.csv")
    assert user_path("a/~b/../c é.csv") == Path("a/~b/../c é.csv")
    assert user_path(Path("x") / ("y" * 255)) == Path("x") / ("y" * 255)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("~nobody-of-that-name/x.csv", "there is no home folder ~nobody-of-that-name"),
        ("a/" + "x" * 256, "has a name of 256 bytes"),
        ("a/" + "é" * 128, "has a name of 256 bytes"),
        ("/".join(["folder"] * 300), "2099 in all; wanted a path with names of at most 255 bytes"),
        ("a\0b.csv", "holds a NUL character; wanted a path"),
    ],
)
def test_a_path_that_cannot_be_is_refused_in_one_short_line(path: str, told: str):
    with pytest.raises(InputError) as error:
        user_path(path, "--data-dir")
    assert str(error.value).startswith("--data-dir: ")
    assert told in str(error.value)
    assert len(str(error.value)) < 250
    assert "\n" not in str(error.value)
    with pytest.raises(InputError):
        Locations().find(path)
    with pytest.raises(InputError):
        Locations((Path(path),)).find("x.csv")


def test_what_is_no_file_is_named(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "link.csv")
    where = Locations((tmp_path,))
    for path, told in (
        ("pipe.csv", "pipe.csv: is a device or pipe; give a file"),
        ("/dev/null", "/dev/null: is a device or pipe; give a file"),
        ("folder.csv", "folder.csv: is a folder; give a file in it"),
        ("link.csv", "link.csv: no such file"),
        ("absent.csv", "absent.csv: no such file"),
    ):
        with pytest.raises(InputError) as error:
            where.find(path)
        assert str(error.value).startswith(told)
    assert what_stands(tmp_path / "absent.csv") == ""
