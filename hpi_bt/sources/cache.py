"""Downloaded frames on disk: Parquet with its provenance, replaced whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.errors import InputError

_META = b"hpi_bt"


@dataclass(frozen=True)
class Provenance:
    """Where a cached frame came from.

    Parameters
    ----------
    source : str
        Name of the source, as in a config (`yahoo`).
    parameters : mapping of str to JSON values
        What was asked for.
    fetched_at : datetime
        Time-zone aware; kept in UTC.
    versions : mapping of str to str
        Packages that fetched and wrote it.
    """

    source: str
    parameters: Mapping[str, Any]
    fetched_at: datetime
    versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.fetched_at.tzinfo is None:
            raise ValueError("fetched_at needs a time zone, got a naive datetime")
        object.__setattr__(self, "fetched_at", self.fetched_at.astimezone(UTC))


def package_versions(*names: str) -> dict[str, str]:
    """Return the installed version of each package, "absent" where there is none."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


@dataclass(frozen=True)
class Cache:
    """A folder of frames, each under a key such as `yahoo/IWM/1day`.

    Parameters
    ----------
    folder : Path
        Made when the first frame is stored.
    problems : list of str
        One line for every damaged file that `load` met; callers show them in their notes.
    """

    folder: Path
    problems: list[str] = field(default_factory=list)

    def path(self, key: str) -> Path:
        """Return the file of `key`: a readable part and a hash, safe on every file system."""
        readable = re.sub(r"[^A-Za-z0-9-]+", "_", key)[:60].strip("_") or "key"
        return self.folder / f"{readable}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.parquet"

    def load(self, key: str) -> tuple[pd.DataFrame, Provenance] | None:
        """Return the frame and its provenance; None where there is none or the file is damaged."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.path(key)
        if not path.is_file():
            return None
        try:
            table = pq.read_table(path)
            kept = json.loads(table.schema.metadata[_META])
            if kept.pop("key") != key:
                raise ValueError("written for another key")
            kept["fetched_at"] = datetime.fromisoformat(kept["fetched_at"])
            return table.to_pandas(), Provenance(**kept)
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            reason = " ".join(str(error).split())[:120]
            self.problems.append(f"{path}: damaged cache file ignored ({reason})")
            return None

    def store(self, key: str, frame: pd.DataFrame, provenance: Provenance) -> Path:
        """Write `frame` beside its place and move it there; return the file.

        `frame.attrs` are not kept: they belong to a run.

        Raises
        ------
        InputError
            The folder cannot be written.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        plain = frame.copy(deep=False)
        plain.attrs = {}
        table = pa.Table.from_pandas(plain)
        kept = {
            "key": key,
            "source": provenance.source,
            "parameters": dict(provenance.parameters),
            "fetched_at": provenance.fetched_at.isoformat(),
            "versions": dict(provenance.versions),
        }
        metadata = {**(table.schema.metadata or {}), _META: json.dumps(kept).encode()}
        path = self.path(key)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.folder, prefix=".new-") as beside:
                made = Path(beside) / path.name
                pq.write_table(table.replace_schema_metadata(metadata), made)
                os.replace(made, path)  # noqa: PTH105 - atomic on one file system
        except OSError as error:
            raise InputError(
                f"the cache cannot be written ({error.strerror or error})",
                where=str(self.folder),
                remedy="free the place, or give another folder as `cache_dir`",
            ) from None
        return path


def merge_overlap(
    old: pd.DataFrame, new: pd.DataFrame, *, columns: Sequence[str], tolerance: float = 1e-6
) -> pd.DataFrame | None:
    """Return both frames as one, sorted by index; rows of `new` replace those of `old`.

    Parameters
    ----------
    old, new : DataFrame
        The same columns, unique indices of the same kind.
    columns : sequence of str
        Compared on the rows that both have; NaN agrees with NaN alone.
    tolerance : float
        Largest relative difference that still counts as the same.

    Returns
    -------
    merged : DataFrame or None
        None where the overlap disagrees (prices were adjusted anew) or the columns differ.
    """
    if set(old.columns) != set(new.columns):
        return None
    common = old.index.intersection(new.index)
    a = old.loc[common, list(columns)].to_numpy(dtype=np.float64)
    b = new.loc[common, list(columns)].to_numpy(dtype=np.float64)
    size = np.maximum(np.abs(a), np.abs(b))
    same = (np.abs(a - b) <= tolerance * size) | (np.isnan(a) & np.isnan(b))
    if not same.all():
        return None
    merged = pd.concat([old.loc[~old.index.isin(new.index), new.columns], new])
    return merged.sort_index()
