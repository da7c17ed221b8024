"""What every data source is built on: a strict settings model and the places files may lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import platformdirs
from pydantic import BaseModel, ConfigDict, model_validator

from hpi_bt.errors import InputError
from hpi_bt.sources.paths import user_path, what_stands


def _is_number(annotation: Any) -> bool:
    """Return whether a field takes numbers and no truth values."""
    kinds = {annotation, *get_args(annotation)}
    return bool(kinds & {int, float}) and bool not in kinds


class Settings(BaseModel):
    """Base of every section of a config: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _no_truth_for_numbers(cls, value: Any) -> Any:
        """Hand true and false on as words where a number is wanted: `cash: true` is not 1."""
        if not isinstance(value, Mapping):
            return value
        names = {info.alias or name: info.annotation for name, info in cls.model_fields.items()}
        truths = [k for k, v in value.items() if isinstance(v, bool) and k in names]
        words = {k: str(value[k]).lower() for k in truths if _is_number(names[k])}
        return {**value, **words} if words else value


def _default_cache() -> Path:
    return Path(platformdirs.user_cache_dir("hpi-bt"))


@dataclass(frozen=True)
class Locations:
    """Where a run may look for files.

    Parameters
    ----------
    folders : tuple of Path
        Searched in this order for relative paths (data folder, working directory, config folder).
    cache : Path
        Folder of downloaded data.
    offline : bool
        True forbids every network access; the cache alone answers.
    """

    folders: tuple[Path, ...] = (Path(),)
    cache: Path = field(default_factory=_default_cache)
    offline: bool = False

    def find(self, path: str | Path) -> Path:
        """Return the first existing file of that name.

        Raises
        ------
        InputError
            No folder has it, and the message lists every place that was tried; or it is a folder.
        """
        given = user_path(path)
        tried = [user_path(folder) / given for folder in self.folders]
        for candidate in tried:
            if candidate.is_file():
                return candidate
        other = next((found for one in tried if (found := what_stands(one))), "")
        if other:
            wanted = "a file in it" if other == "a folder" else "a file"
            raise InputError(f"{path}: is {other}; give {wanted}")
        places = ", ".join(dict.fromkeys(str(p.parent.resolve()) for p in tried))
        raise InputError(
            f"no such file (looked in {places})",
            where=str(path),
            remedy="give its folder as `data_dir` or in the environment variable HPI_BT_DATA",
        )
