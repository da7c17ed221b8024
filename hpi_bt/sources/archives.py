"""Files as they are, or decompressed: gzip, bzip2, xz, zstandard and zip, up to a bound."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast
from zipfile import BadZipFile, ZipFile

from hpi_bt.errors import InputError

#: Bytes that a compressed file may hold; more is refused before it is read as a table.
MOST_BYTES = 2_000_000_000
#: What a broken archive raises while it is read.
BROKEN = (
    *(EOFError, OSError, zlib.error, lzma.LZMAError, BadZipFile),
    *(RuntimeError, NotImplementedError),  # zip: a password, a method that Python lacks
)

_PIECE = 1 << 20
_SUFFIXES = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstandard", ".zip": "zip"}
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstandard",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",  # of no file
}


@contextmanager
def opened(path: Path, name: str) -> Iterator[BinaryIO]:
    """Open a file to read its bytes, decompressed where it is an archive of one file.

    Parameters
    ----------
    path : Path
        What it is shows in its first bytes; its suffix must not promise an archive that it is not.
    name : str
        Begins a message.

    Raises
    ------
    InputError
        It cannot be opened or is not what its suffix says; while reading, it is broken or holds
        more than `MOST_BYTES`.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
        kind = next((k for magic, k in _MAGIC.items() if head.startswith(magic)), "")
        promised = _SUFFIXES.get(path.suffix.lower(), "")
        if head and promised and kind != promised:
            raise InputError(
                f"cannot be read (its content is not that of a {path.suffix} file)",
                where=name,
                remedy="name it as what it is, or fetch it again",
            )
        inner = _inner(kind, path, name) if kind else path.open("rb")
    except BROKEN as error:
        raise _unreadable(name, error) from None
    with inner:
        yield cast(BinaryIO, io.BufferedReader(_Bounded(inner, name))) if kind else inner


def check_size(path: Path, name: str) -> None:
    """Refuse an archive of more than `MOST_BYTES` before memory is filled with it."""
    with opened(path, name) as file:
        if isinstance(file, io.BufferedReader) and isinstance(file.raw, _Bounded):
            while file.read(_PIECE):
                pass


class _Bounded(io.RawIOBase):
    """The bytes of an archive, counted."""

    def __init__(self, inner: BinaryIO, name: str) -> None:
        self.inner, self.name, self.count = inner, name, 0

    def readable(self) -> bool:
        """Return True: it is there to be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with the next bytes and return their number."""
        try:
            piece = self.inner.read(min(len(buffer), _PIECE))
        except BROKEN as error:
            raise _unreadable(self.name, error) from None
        buffer[: len(piece)] = piece
        self.count += len(piece)
        if self.count > MOST_BYTES:
            raise InputError(
                f"holds more than {MOST_BYTES:,} bytes when decompressed",
                where=self.name,
                remedy="wanted a table of that size at most; cut it into several files",
            )
        return len(piece)


def _unreadable(name: str, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return InputError(
        f"cannot be read ({reason.splitlines()[0][:120]})", where=name, remedy="fetch it again"
    )


def _inner(kind: str, path: Path, name: str) -> Any:
    """Return the bytes inside an archive as an open file."""
    if kind == "zip":
        return _zip(path, name)
    if kind == "zstandard":
        return _zstandard(path)
    plain = {"gzip": gzip.GzipFile, "bzip2": bz2.BZ2File, "xz": lzma.LZMAFile}
    return plain[kind](path)


def _zip(path: Path, name: str) -> BinaryIO:
    archive = ZipFile(path)
    files = [one for one in archive.namelist() if not one.endswith("/")]
    files = [one for one in files if not one.startswith("__MACOSX/")]
    if len(files) != 1:
        raise InputError(
            f"holds {len(files)} files; wanted an archive of one table",
            where=name,
            remedy="unpack it and give one of them",
        )
    return cast(BinaryIO, archive.open(files[0]))


def _zstandard(path: Path) -> BinaryIO:
    import pyarrow as pa

    return cast(BinaryIO, pa.CompressedInputStream(pa.OSFile(str(path)), "zstd"))
