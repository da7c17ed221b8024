"""What a computed result rests on, as one short text: the same only if all of it is the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import hpi_bt


def fingerprint_of(settings: Mapping[str, Any], files: Iterable[Path] = ()) -> str:
    """Return 16 hexadecimal digits that stand for the settings and the contents of the files.

    Parameters
    ----------
    settings : mapping of str to JSON values
        In any order.
    files : iterable of Path
        Read whole; their names do not matter, their order does.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


@cache
def code_fingerprint(*patterns: str) -> str:
    """Return a fingerprint of this package's own files, so that mended code computes anew.

    Parameters
    ----------
    *patterns : str
        Files below the package, such as "options/*.py".
    """
    package = Path(hpi_bt.__file__).parent
    files = sorted({path for pattern in patterns for path in package.glob(pattern)})
    names = [path.relative_to(package).as_posix() for path in files]
    return fingerprint_of({"files": names}, files)
