"""What ships with the package: configs and strategies to list, run and copy."""

from __future__ import annotations

import ast
import json
import re
import shutil
from contextlib import suppress
from pathlib import Path

from hpi_bt.backtest.result import Result
from hpi_bt.config import read_mapping
from hpi_bt.errors import InputError, did_you_mean
from hpi_bt.loading import shipped
from hpi_bt.sources.paths import user_path

_SCHEMA = re.compile(r"\$schema=\S+")


def shipped_configs() -> list[tuple[str, str]]:
    """Return (path for `hpi-bt run`, first comment) of every shipped config."""
    folder = shipped("configs")
    return [
        (f"configs/{path.relative_to(folder).as_posix()}", _comment(path))
        for path in sorted(folder.rglob("*.yaml"))
    ]


def _comment(path: Path) -> str:
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("#") and "$schema" not in line:
            return line.lstrip("# ").strip()
    return ""


def shipped_strategies() -> list[tuple[str, str]]:
    """Return (reference, first docstring line) of every shipped strategy class."""
    found = []
    for path in sorted(shipped("strategies").glob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not _is_indicator(node):
                about = (ast.get_docstring(node) or "").split("\n")[0]
                found.append((f"strategies/{path.name}:{node.name}", about))
    return found


def _is_indicator(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id.endswith("Indicator") for base in node.bases)


def finished_runs(results: Path) -> list[tuple[str, str]]:
    """Return (folder, main figures) of every result folder in `results`, oldest first."""
    found = []
    for path in user_path(results, "results").glob("*/summary.json"):
        try:
            about = json.loads(path.read_text("utf-8"))
            row = (about["made_at"], str(path.parent), repr(Result(path.parent)))
        except (OSError, ValueError, LookupError, TypeError):
            continue  # somebody else's folder
        found.append(row)
    return [
        (folder, shown.partition(": ")[2].rpartition(";")[0]) for _, folder, shown in sorted(found)
    ]


def new_config(path: Path, template: str) -> list[Path]:
    """Copy a shipped config to `path` and its strategy beside it; return what was written.

    Raises
    ------
    InputError
        No such template, or a file is there already.
    """
    path = user_path(path)
    known = {Path(name).relative_to("configs").with_suffix("").as_posix(): name
             for name, _ in shipped_configs()}  # fmt: skip
    wanted = template.removeprefix("configs/").removesuffix(".yaml")
    if wanted not in known:
        raise InputError(
            f"no such shipped config as {template!r}{did_you_mean(wanted, known)}", field="template"
        )
    source = shipped("configs") / f"{wanted}.yaml"
    reference = read_mapping(source)["strategy"]["class"]
    file, _, name = reference.rpartition(":")
    strategy = shipped("strategies").parent / file
    target = path.parent / strategy.name
    for planned in (path, target):
        if planned.exists():
            raise InputError(f"{planned}: is there already; give another name or remove it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text("utf-8").replace(reference, f"{strategy.name}:{name}")
        path.write_text(_SCHEMA.sub(f"$schema={shipped('configs') / 'schema.json'}", text), "utf-8")
        shutil.copyfile(strategy, target)
    except OSError as error:
        for half in (path, target):
            with suppress(OSError):
                half.unlink()
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
    return [path, target]
