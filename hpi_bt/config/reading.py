"""YAML files and command-line overrides, read into plain mappings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from hpi_bt.errors import InputError
from hpi_bt.settings import shown_value


class _Loader(yaml.SafeLoader):
    """YAML in which a key given twice is an error."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        merge = "tag:yaml.org,2002:merge"  # "<<: *anchor" may come more than once
        keys = [self.construct_object(k, deep=True) for k, _ in node.value if k.tag != merge]
        twice = [k for k in keys if isinstance(k, str) and keys.count(k) > 1]
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {twice[0]!r} is given twice; remove one", node.start_mark
            )
        return super().construct_mapping(node, deep)


def read_mapping(path: Path) -> dict[Any, Any]:
    """Return the mapping that a YAML file holds.

    Raises
    ------
    InputError
        The file is absent, unreadable, no YAML, or no mapping.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such config; `hpi-bt list` shows the shipped ones") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); give a YAML text file") from None
    try:
        value: Any = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        said = (getattr(error, "context", None), getattr(error, "problem", None))
        problem = ", ".join(s for s in said if s) or str(error).splitlines()[0]
        raise InputError(f"{path}: no valid YAML{line}: {problem}") from None
    if not isinstance(value, dict):
        kind = "nothing" if value is None else f"a {type(value).__name__}"
        raise InputError(f"{path}: holds {kind}; a config is a mapping (name: ..., data: ...)")
    return dict(value)


def overridden(mapping: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Return a copy with "orders.stop.multiple=3" style overrides; values are read as YAML."""
    result = dict(mapping)
    for override in overrides:
        key, equals, text = override.partition("=")
        path = key.strip().split(".")
        if not equals or not all(path):
            raise InputError(
                f"override {override}: write KEY=VALUE, such as orders.stop.multiple=3"
            )
        try:
            value = yaml.load(text, _Loader)
        except yaml.YAMLError:
            raise InputError(f"override {override}: {text!r} is no YAML value; quote it") from None
        result = _with(result, path, value, f"override {override}: ")
    return result


def _with(target: Any, path: list[str], value: Any, name: str, above: str = "") -> Any:
    """Return `target` with `value` at `path`; only what lies on the way is copied."""
    if not path:
        return value
    key, place = path[0], f"{above}.{path[0]}".lstrip(".")
    if isinstance(target, list):
        if not key.isdecimal() or int(key) >= len(target):
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
