"""What a results folder holds: runs, sweeps, walk-forwards, comparisons and studies."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

#: Kinds of results: what the page calls one and many, and the file that tells it where
#: summary.json does not.
KINDS = {
    "run": ("run", "Runs", "tearsheet.html"),
    "sweep": ("sweep", "Sweeps", "heatmap.html"),
    "walk-forward": ("walk-forward", "Walk-forwards", "windows.csv"),
    "comparison": ("comparison", "Comparisons", "comparison.html"),
    "study": ("study", "Studies", "study.html"),
}
_TOLD_BY = ("comparison", "sweep", "walk-forward", "run", "study")  # a walk-forward is a run too
_PAGES = (
    ("tearsheet.html", "tear sheet"),
    ("chart.html", "chart"),
    ("heatmap.html", "heat map"),
    ("comparison.html", "comparison"),
    ("study.html", "study"),
)
STAMP = re.compile(r"-(\d{8}T\d{6})(?:-|$)")


class Entry(NamedTuple):
    """One result folder.

    Attributes
    ----------
    folder : str
        Its name.
    kind : str
        A key of `KINDS`.
    summary : mapping
        What summary.json says; {} where there is none.
    made : datetime
        When, in UTC.
    pages : tuple of (file, label)
        The pages that it holds.
    """

    folder: str
    kind: str
    summary: Mapping[str, Any]
    made: datetime
    pages: tuple[tuple[str, str], ...]


class Skipped(NamedTuple):
    """A folder that is not listed, and why."""

    folder: str
    reason: str


def folders_in(parent: Path) -> list[str]:
    """Return the names of the folders that are not hidden, sorted."""
    with os.scandir(parent) as found:
        return sorted(f.name for f in found if not f.name.startswith(".") and f.is_dir())


def read_results(parent: Path, names: Sequence[str]) -> tuple[list[Entry], list[Skipped]]:
    """Return the results among the folders `names` of `parent`, newest first, and the others."""
    entries: list[Entry] = []
    skipped: list[Skipped] = []
    for name in names:
        found = _read(parent / name)
        if isinstance(found, Entry):
            entries.append(found)
        else:
            skipped.append(Skipped(name, found))
    entries.sort(key=lambda e: (e.made, e.folder), reverse=True)
    return entries, skipped


def _read(folder: Path) -> Entry | str:
    """Return a folder's entry, or why it has none."""
    try:
        files = set(os.listdir(folder))  # noqa: PTH208 - the names alone
        summary: Any = {}
        if "summary.json" in files:
            summary = json.loads((folder / "summary.json").read_bytes())
        if not isinstance(summary, dict):
            return "summary.json is damaged (no mapping)"
        kind = _kind(summary, files)
        if kind is None:
            return "no result of hpi_bt"
        if not summary and kind not in ("comparison", "study"):
            return "summary.json is missing or empty"
        made = _made(summary, folder)
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    except (ValueError, RecursionError):
        return "summary.json is damaged (no JSON)"
    pages = tuple(page for page in _PAGES if page[0] in files)
    return Entry(folder.name, kind, summary, made, pages)


def _kind(summary: Mapping[str, Any], files: set[str]) -> str | None:
    said = summary.get("kind")
    if isinstance(said, str) and said in KINDS:
        return said
    return next((kind for kind in _TOLD_BY if KINDS[kind][2] in files), None)


def _made(summary: Mapping[str, Any], folder: Path) -> datetime:
    """Return when a result was made: by itself, by its folder's name, by its folder's date."""
    said, stamp = summary.get("made_at"), STAMP.findall(folder.name)
    for text, form in ((said, None), (stamp[-1] if stamp else None, "%Y%m%dT%H%M%S")):
        try:
            if isinstance(text, str):
                when = datetime.strptime(text, form) if form else datetime.fromisoformat(text)
                return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return datetime.fromtimestamp(folder.stat().st_mtime, UTC)
