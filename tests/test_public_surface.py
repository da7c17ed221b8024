"""The public surface is the one that surface.txt shows."""

from __future__ import annotations

import difflib

import pytest

from surface import FILE, surface


def test_the_public_surface_is_the_one_that_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HPI_BT_DATA", raising=False)
    kept, found = FILE.read_text("utf-8").splitlines(), surface().splitlines()
    apart = list(difflib.unified_diff(kept, found, "surface.txt", "now", n=1, lineterm=""))
    assert not apart, "\n".join(
        ["commands, names or files are others; if they should be: python tests/surface.py", *apart]
    )
