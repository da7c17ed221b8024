"""YAML files and command-line overrides, read into plain mappings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from hpi_bt.config.loader import load_yaml, problem_of
from hpi_bt.errors import InputError, shortened
from hpi_bt.settings import shown_value
from hpi_bt.sources.paths import what_stands

_LARGEST = 500_000  # bytes of a config
_MOST_KEYS = 20  # of an override, from the top to its value
_DIGITS = 9  # of a place in a list


def read_mapping(path: Path) -> dict[Any, Any]:
    """Return the mapping that a YAML file holds.

    Raises
    ------
    InputError
        The file is absent, unreadable, no YAML, or no mapping.
    """
    text = _text(path)
    try:
        value: Any = load_yaml(text)
    except yaml.YAMLError as error:
        raise InputError(f"{path}: {problem_of(error)}") from None
    if not isinstance(value, dict):
        kind = "nothing" if value is None else f"a {type(value).__name__}"
        raise InputError(f"{path}: holds {kind}; a config is a mapping (name: ..., data: ...)")
    return dict(value)


def _text(path: Path) -> str:
    """Return the text of a config: a plain file of moderate size, in UTF-8."""
    other = "" if path.is_file() else what_stands(path)
    if other:
        raise InputError(f"{path}: is {other}; give a YAML text file")
    try:
        size = path.stat().st_size
        if size > _LARGEST:
            raise InputError(f"{path}: {size:,} bytes; a config has at most {_LARGEST:,}")
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such config; `hpi-bt list` shows the shipped ones") from None
    except UnicodeDecodeError as error:
        at = f"byte {error.object[error.start]:#04x} at place {error.start}"
        raise InputError(f"{path}: is not in UTF-8 ({at}); save it as UTF-8 text") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(f"{path}: cannot be read ({reason}); give a YAML text file") from None


def overridden(mapping: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Return a copy with "orders.stop.multiple=3" style overrides; values are read as YAML."""
    result = dict(mapping)
    for override in overrides:
        key, equals, text = override.partition("=")
        path = key.strip().split(".")
        shown = f"override {shortened(override)}: "
        if not equals or not all(path) or len(path) > _MOST_KEYS:
            raise InputError(f"{shown}write KEY=VALUE, such as orders.stop.multiple=3")
        try:
            value = load_yaml(text)
        except yaml.YAMLError as error:
            problem = f"{shortened(repr(text))} is no YAML value; quote it ({problem_of(error)})"
            raise InputError(shown + problem) from None
        result = _with(result, path, value, shown)
    return result


def _with(target: Any, path: list[str], value: Any, name: str, above: str = "") -> Any:
    """Return `target` with `value` at `path`; only what lies on the way is copied."""
    if not path:
        return value
    key, place = path[0], f"{above}.{path[0]}".lstrip(".")
    if isinstance(target, list):
        if not key.isdecimal() or len(key) > _DIGITS or int(key) >= len(target):
            raise InputError(
                f"{name}{above} is a list of {len(target)}, {key!r} is no place in it; "
                "give a number from 0 on"
            )
        changed = list(target)
        changed[int(key)] = _with(target[int(key)], path[1:], value, name, place)
        return changed
    if target is None or isinstance(target, Mapping):
        below = dict(target or {})
        return below | {key: _with(below.get(key), path[1:], value, name, place)}
    raise InputError(f"{name}{above} is {shown_value(target)}, no mapping; override {above} itself")
