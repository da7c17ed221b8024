"""Paths as users give them: refused in one line where no file system can have them."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path

from hpi_bt.errors import InputError, shortened

_LONGEST_NAME = 255  # bytes; what the usual file systems take
_LONGEST_PATH = 2_000  # bytes; the system's limit of 4,096 holds for path and folder together


def user_path(path: str | PathLike[str], name: str = "") -> Path:
    """Return a path that a user gave, its ~ replaced by the home folder.

    Parameters
    ----------
    path : str or path-like
    name : str, default=""
        Option or key that it was given for; begins the message.

    Raises
    ------
    InputError
        It names the home of a user that is not there, has a part of more than 255 bytes, is
        longer than 2,000 bytes, or holds a NUL character.
    """
    text = fspath(path)
    raw = text.encode("utf-8", "surrogateescape")
    if b"\0" in raw:
        raise InputError(
            f"{shortened(repr(text))} holds a NUL character; wanted a path", field=name
        )
    longest = max(len(part) for part in raw.split(b"/"))
    if longest > _LONGEST_NAME or len(raw) > _LONGEST_PATH:
        raise InputError(
            f"{shortened(text)} has a name of {longest} bytes and {len(raw)} in all",
            field=name,
            remedy=f"wanted a path with names of at most {_LONGEST_NAME} bytes",
        )
    try:
        return Path(text).expanduser()
    except RuntimeError:
        home = text.split("/", maxsplit=1)[0]
        raise InputError(
            f"{text}: there is no home folder {home}", field=name, remedy="write the path in full"
        ) from None


def what_stands(path: Path) -> str:
    """Return what a path that is no file stands for: "a folder", "a device or pipe", or ""."""
    if path.is_dir():
        return "a folder"
    return "a device or pipe" if path.exists() else ""
