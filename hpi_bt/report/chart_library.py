"""TradingView's chart script, as the package `litecharts` carries it."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from hpi_bt.errors import InputError

#: First hex digits of the file's SHA-256, equal to npm's lightweight-charts 5.1.0 (standalone).
SHA256_PREFIX = "756b0ba9f5893022"

#: What the licence asks every page to say.
NOTICE = "TradingView Lightweight Charts™ © 2025 TradingView, Inc., Apache-2.0."


@cache
def lwc_js() -> str:
    """Return the source of Lightweight Charts 5.1.0, safe inside a script element.

    Raises
    ------
    InputError
        `litecharts` is not installed, or carries another file.
    """
    spec = find_spec("litecharts")  # does not import the package
    if spec is None or spec.origin is None:
        raise InputError("litecharts: not installed; pip install litecharts==0.2.0")
    return checked_library(Path(spec.origin).parent / "js" / "lightweight-charts.js")


def checked_library(path: Path) -> str:
    """Return the text of the chart script at `path`, proven to be the release that was tried."""
    content = path.read_bytes() if path.is_file() else b""
    digest = hashlib.sha256(content).hexdigest()
    if not digest.startswith(SHA256_PREFIX):
        raise InputError(
            f"{path.name}: SHA-256 begins {digest[:16]}, wanted {SHA256_PREFIX}; "
            "pip install --force-reinstall litecharts==0.2.0"
        )
    return content.decode("utf-8")
