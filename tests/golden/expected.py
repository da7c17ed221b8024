"""The files of `expected/`: reading, comparing, writing."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .figures import build

FOLDER = Path(__file__).resolve().parent / "expected"
CHANGELOG = Path(__file__).resolve().parents[2] / "CHANGELOG.md"
TOLERANCE = 1e-9
_COLUMN = 4  # how deep a column lies: tables, name, columns, column


def read(name: str) -> dict[str, Any] | None:
    """Return the expected figures of a case, None where there are none yet."""
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def write(name: str, found: dict[str, Any], rules: list[str]) -> None:
    """Write the figures of a case, and the rules that changed them."""
    content = {"build": build(), "rules": rules, **found}
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(_text(content) + "\n", "utf-8")


def _text(value: Any, depth: int = 0) -> str:
    """Return strict JSON, sorted, with a line for each figure and for each column of a table."""
    if not isinstance(value, dict) or depth == _COLUMN:
        return json.dumps(value, sort_keys=True, allow_nan=False, ensure_ascii=False)
    indent = " " * depth
    lines = [f"{indent} {json.dumps(k)}: {_text(value[k], depth + 1)}" for k in sorted(value)]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def differences(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Return a line for each figure or column that is not what it was; what is new is none."""
    exact = expected["build"] == build()
    return [
        *_figures(expected["figures"], found["figures"]),
        *_tables(expected["tables"], found["tables"], exact),
    ]


def additions(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Return the names of figures and columns that are not written yet."""
    return sorted(_names(found) - _names(expected))


def _names(content: dict[str, Any]) -> set[str]:
    tables = content["tables"].items()
    return {*content["figures"], *(f"{t}.{c}" for t, table in tables for c in table["columns"])}


def _figures(expected: dict[str, Any], found: dict[str, Any]) -> Iterator[str]:
    for name, old in expected.items():
        new = found.get(name)
        if not _same(old, new):
            yield f"{name}: {_first_apart(old, new)}"


def _same(old: Any, new: Any, scale: float = 0.0) -> bool:
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_same, old, new))
    if isinstance(old, list) or isinstance(new, list) or old is None or new is None:
        return old is new
    return math.isclose(old, new, rel_tol=TOLERANCE, abs_tol=max(1e-12, TOLERANCE * scale))


def _first_apart(old: Any, new: Any, place: str = "") -> str:
    """Return the old and the new figure, of lists the first ones that differ."""
    if isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            return f"{place}{len(old)} values became {len(new)}"
        at = next(i for i, pair in enumerate(zip(old, new, strict=True)) if not _same(*pair))
        return _first_apart(old[at], new[at], f"{place}[{at}] ")
    return f"{place}{json.dumps(old)} became {json.dumps(new)}"


def _tables(expected: dict[str, Any], found: dict[str, Any], exact: bool) -> Iterator[str]:
    for name, old in expected.items():
        new = found.get(name)
        if new is None:
            yield f"{name}: the table is gone"
            continue
        if old["rows"] != new["rows"]:
            yield f"{name}: {old['rows']} rows became {new['rows']}"
        for column, was in old["columns"].items():
            yield from _column(f"{name}.{column}", was, new["columns"].get(column), exact)


def _column(
    name: str, old: dict[str, Any], new: dict[str, Any] | None, exact: bool
) -> Iterator[str]:
    if new is None:
        yield f"{name}: the column is gone"
    elif old["hash"] != new["hash"] and (exact or not _alike(old, new)):
        yield f"{name}: {_sizes(old)} became {_sizes(new)}"


def _alike(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Return whether two columns of numbers are equal but for their last digits."""
    if "sum" not in old or "sum" not in new:
        return False
    scale = old["magnitude"]  # amounts may cancel to next to nothing
    return _same(scale, new["magnitude"]) and _same(old["sum"], new["sum"], scale)


def _sizes(column: dict[str, Any]) -> str:
    sums = f"sum {column['sum']}, of magnitudes {column['magnitude']}, " if "sum" in column else ""
    return f"({sums}hash {column['hash']})"
