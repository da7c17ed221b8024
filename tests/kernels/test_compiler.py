"""No compiled loop is older than what it took from another file, however it is started."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "hpi_bt"

RULES = """
from typing import NamedTuple
from hpi_bt.kernels.compiler import njit

SCALE = 3.0

class Pair(NamedTuple):
    first: float
    second: float

@njit(cache=True)
def inner(x):
    return x + 1.0
"""
BETWEEN = """
from hpi_bt.kernels.compiler import njit
from rules import inner

@njit(cache=True)
def rule(x):
    return 2.0 * inner(x)
"""
LOOP = """
from hpi_bt.kernels.compiler import njit
from between import rule
from rules import SCALE, Pair

@njit(cache=True)
def loop(pair):
    return SCALE * rule(pair.first)

print(loop(Pair(first=5.0, second=7.0)), sum(loop.stats.cache_hits.values()))
"""


@pytest.fixture
def project(tmp_path):
    for name, text in (("rules", RULES), ("between", BETWEEN), ("loop", LOOP)):
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def started(project):
    """Return (compiled, cache hits) of the loop in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": f"{PACKAGE.parent}", "NUMBA_CACHE_DIR": ""}
    out = subprocess.run(
        [sys.executable, "loop.py"], cwd=project, env=environment, check=True, capture_output=True
    )
    compiled, hits = out.stdout.split()
    return float(compiled), int(hits)


@pytest.mark.parametrize(
    ("file", "old", "new", "wanted"),
    [
        ("rules", "x + 1.0", "x - 1.0", 24.0),  # a function that a function calls
        ("between", "2.0 * inner", "4.0 * inner", 72.0),
        ("rules", "SCALE = 3.0", "SCALE = 5.0", 60.0),
        ("rules", "first: float\n    second: float", "second: float\n    first: float", 36.0),
    ],
    ids=["inner function", "function", "constant", "order of fields"],
)
def test_a_loop_is_compiled_anew_when_another_file_changes(project, file, old, new, wanted):
    assert started(project) == (36.0, 0)
    assert started(project) == (36.0, 1)  # what is unchanged is not compiled again
    path = project / f"{file}.py"
    path.write_text(path.read_text().replace(old, new))
    assert started(project) == (wanted, 0)


def compiled_functions(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and any(
            ast.unparse(d).startswith(("njit", "numba.njit")) for d in node.decorator_list
        ):
            yield node


def test_every_loop_that_uses_another_file_watches_it():
    """Arrays' types aside, which are annotations for people."""
    watching, wrong = 0, []
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        origin = {
            alias.asname or alias.name: node.module or ""
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for function in compiled_functions(tree):
            names = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)} - {"njit"}
            homes = {origin[n] for n in names & set(origin)} - {"hpi_bt.arrays"}
            foreign = [h for h in homes if h.startswith("hpi_bt")]
            watches = origin.get("njit") == "hpi_bt.kernels.compiler"
            watching += bool(foreign) and watches
            wrong += [f"{path.name}: {function.name}"] if foreign and not watches else []
    assert wrong == []
    assert watching > 10
