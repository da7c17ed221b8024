"""Files of the gauge: each read once, and told what it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from hpi_bt.errors import InputError, did_you_mean
from hpi_bt.sources.base import Locations
from hpi_bt.sources.gauge_data.files import FRED, read_gauge_file
from hpi_bt.sources.gauge_data.kept import kept_frames
from hpi_bt.sources.gauge_data.series import GIVEN_AS, YIELDS
from hpi_bt.sources.gauge_data.text import FutureError, UnknownLayoutError
from hpi_bt.sources.paths import user_path

Files = Mapping[str, str | Path | Sequence[str | Path]]

#: The publishers' own names of inputs: such a file is refused where its layout is not known.
_OFFICIAL = re.compile(r"vix(3m)?_history|(total|index|equity)pc|daily-treasury-rates|sofr$")


class ReadFile(NamedTuple):
    """A frame from `read_gauge_text`, what it was given as, and its name for messages."""

    frame: pd.DataFrame
    given_as: str
    name: str


RawFiles = tuple[list[ReadFile], list[str]]


def read_files(
    files: str | Path | Files | None, where: Locations, product: str, today: date, limit: int | None
) -> RawFiles:
    """Return the frames of files, of a folder or of the cache, and notes.

    Parameters
    ----------
    files, where, product, today
        As in `gauge_inputs`.
    limit : int, optional
        Nanoseconds of New York wall time: later revisions in the cache are undone.

    Raises
    ------
    InputError
        An unknown series, a file or folder that is not there, or one that cannot be read.
    """
    if files is None:
        kept, notes = kept_frames(where.cache, limit)
        other = [k.name for k in kept if k.frame.attrs["product"] not in ("", product)]
        notes += [f"{name}: not of {product} options, left out" for name in other]
        return [ReadFile(*one) for one in kept if one.name not in other], notes
    if not isinstance(files, Mapping):
        return _of_folder(where, Path(files), product, today)
    read: list[ReadFile] = []
    notes = []
    for given_as, paths in files.items():
        if given_as == "folder":
            found, noticed = _of_folder(where, Path(str(paths)), product, today)
            read, notes = read + found, notes + noticed
            continue
        if given_as not in GIVEN_AS:
            raise InputError(
                f"gauge: no series {given_as!r}{did_you_mean(given_as, (*GIVEN_AS, 'folder'))}"
            )
        for path in [paths] if isinstance(paths, str | Path) else paths:
            frame = read_gauge_file(where.find(path), str(path), today=today)
            several = [(one, _given(one, given_as)) for one in _single(frame)]
            wanted = [ReadFile(one, said, str(path)) for one, said in several if said]
            read += wanted or [ReadFile(frame, given_as, str(path))]
    return read, notes


def _of_folder(where: Locations, folder: Path, product: str, today: date) -> RawFiles:
    """Return what a folder's CSV and JSON files hold; what is no input is named in the notes.

    A file that is damaged, or a web page in its place, is refused: it may be one that matters. So
    is one with an official name and unknown columns.
    """
    places = [user_path(f) / user_path(folder) for f in where.folders]
    place = next((p for p in places if p.is_dir()), None)
    if place is None:
        raise InputError(f"{folder}: no such folder; give the folder of the gauge's files")
    read, notes, ignored = [], [], []
    for path in sorted(p for p in place.iterdir() if p.suffix.lower() in (".csv", ".json")):
        try:
            frame = read_gauge_file(path, today=today)
        except UnknownLayoutError as error:
            if _OFFICIAL.match(path.stem.lower()):
                raise
            notes.append(f"ignored: {error}")
            continue
        except FutureError:  # which matters in an input alone
            if _told_by(read_gauge_file(path), path.stem.lower(), product):
                raise
            ignored.append(path.name)
            continue
        told = [(one, _told_by(one, path.stem.lower(), product)) for one in _single(frame)]
        inputs = [ReadFile(one, given_as, path.name) for one, given_as in told if given_as]
        read += inputs
        if not inputs:
            ignored.append(path.name)
    if ignored:
        notes.append(f"no input of the gauge, ignored: {', '.join(ignored)}")
    return read, notes


def _single(frame: pd.DataFrame) -> list[pd.DataFrame]:
    """Return a file of several FRED series as one frame each, any other as it is."""
    if frame.attrs["layout"] != "fred" or len(frame.columns) == 1:
        return [frame]
    codes = {ours: code for code, ours in FRED.items()}
    frames = [frame[[column]].dropna() for column in frame]
    for one in frames:
        name = str(one.columns[0])
        one.attrs = {**frame.attrs, "source": f"FRED {codes.get(name, name.upper())}"}
    return frames


def _given(frame: pd.DataFrame, given_as: str) -> str:
    """Return what one series of a file is given as, "" where another one is wanted."""
    if frame.attrs["layout"] != "fred":
        return given_as
    column = str(frame.columns[0])
    if given_as == "treasury":
        return given_as if column in YIELDS else ""
    return given_as if column == given_as else ""


def _told_by(frame: pd.DataFrame, stem: str, product: str) -> str | None:
    """Return what a file of a folder is: by its content, else by the words of its name."""
    layout, words = frame.attrs["layout"], re.split(r"[^a-z0-9]+", stem)
    if layout in ("cboe", "yahoo"):
        known = ("vix3m", "vix") if layout == "cboe" else ("spy", "vix3m", "vix")
        if layout == "yahoo" and "tnx" in words:
            return "y10"
        return next((word for word in known if word in words), None)
    if layout == "put_call":
        holds = frame.attrs["product"]
        same = holds == product if holds else any(w.startswith(product) for w in words)
        return "put_call" if same else None
    if layout in ("fred", "own"):
        column = str(frame.columns[0])
        return column if column in GIVEN_AS else None
    return {"treasury": "treasury", "sofr_json": "sofr"}.get(layout, "put_call")
