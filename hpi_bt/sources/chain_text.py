"""The text of a chain's file, plain or compressed."""

from __future__ import annotations

from pathlib import Path

from hpi_bt.errors import InputError
from hpi_bt.sources.archives import opened


def read_text(path: Path, name: str) -> str:
    """Return the text of a plain or compressed file, after refusing what is no text.

    Raises
    ------
    InputError
        The file is empty, a web page, binary, broken off, or not in UTF-8.
    """
    try:
        with opened(path, name) as file:
            text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:80]
        raise InputError(
            f"cannot be read ({reason}); wanted an option chain as text",
            where=name,
            remedy="fetch it again",
        ) from None
    if not text.strip():
        raise InputError(
            "the file is empty; wanted an option chain", where=name, remedy="fetch it again"
        )
    if text.lstrip()[:1] == "<":
        raise InputError(
            "this is a web page; wanted a chain", where=name, remedy="download the file itself"
        )
    return text
