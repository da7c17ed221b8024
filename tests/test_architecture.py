"""STYLE "Where things live", as a program: who may import, open, download and look at the clock."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "hpi_bt"

#: Imports point up this list, never down it. A package counts as one room.
ROOMS = (
    "arrays",
    "errors",
    "settings",  # what is wrong with settings, of a config or made in Python
    "kernels",
    "options",
    "gauge",
    "sources",
    "features",  # columns computed while a frame is built
    "orders",
    "declarations",  # what a chart may say, for indicators, alerts and pages
    "feeds",
    "indicators",
    "strategy",
    "identity",
    "loading",
    "config",
    "stats",
    "backtest",
    "finished",
    "report",
    "frames",
    "checking",
    "runs",  # STYLE's run.py; a module of that name would hide the function hpi_bt.run
    "chains",
    "flowing",
    "studying",
    "scanning",
    "gauging",
    "searches",
    "walking",
    "filtering",
    "comparing",
    "analyzers",
    "catalog",
    "cli",
)
BACKTRADER = (
    *("feeds", "indicators", "strategy", "backtest.cerebro", "backtest.alerts"),
    "backtest.recorded",  # the bars of a recorder
    "backtest.recorder",  # the analyzer behind backtest.cerebro and hb.Report
    "backtest.watching",  # the bar by bar half of backtest.alerts
    "backtest.broker",  # the account of backtest.cerebro
    "backtest.lean",  # the short loop that backtest.cerebro runs
    "backtest.observing",  # the standard observers in it
)
OUTSIDE = (
    "sources",
    "identity",
    "loading",
    "config",
    "backtest.result",
    "backtest.sweep",
    "report",
    "frames",
    "studying",
    "gauging",
    "searches",
    "walking",
    "finished",
    "comparing",
    "catalog",
    "cli",
)
CLOCK = (
    *("runs", "scanning", "comparing", "studying", "searches", "walking", "cli"),
    *("sources.yahoo", "sources.gauge_data.clock"),  # they note when they downloaded
)

HEAVY = {"backtrader", "quantstats", "yfinance"}
NETWORK = {"requests", "urllib", "urllib3", "socket", "http", "ftplib", "httpx", "aiohttp"}
FILES = {"shutil", "tempfile", "glob", "sqlite3", "zipfile", "gzip"}
FILE_CALLS = {
    *("open", "read_text", "write_text", "read_bytes", "write_bytes", "mkdir", "unlink"),
    *("touch", "iterdir", "glob", "rglob", "is_file", "is_dir", "exists"),
    *("read_csv", "read_parquet", "read_json", "read_excel", "read_html", "read_pickle"),
    *("scan_csv", "scan_parquet", "to_csv", "to_parquet", "to_pickle", "to_excel", "savefig"),
    *("sink_parquet", "write_parquet", "write_csv", "loadtxt", "savetxt", "savez", "urlopen"),
}
CLOCK_CALLS = {
    *("datetime.now", "datetime.today", "datetime.utcnow", "date.today", "Timestamp.now"),
    *("Timestamp.today", "Timestamp.utcnow", "time.time", "time.time_ns", "time.localtime"),
    *("time.gmtime", "time.strftime"),
}
FOUND = sorted(PACKAGE.rglob("*.py"))
MODULES = [path for path in FOUND if path.name != "__init__.py"]


def name_of(path: Path) -> str:
    """`kernels.averages` for hpi_bt/kernels/averages.py; "" for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def within(name: str, rooms: tuple[str, ...]) -> bool:
    return any(name == room or name.startswith(room + ".") for room in rooms)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path, nodes: Iterator[ast.AST] | None = None) -> Iterator[str]:
    """Every module named by an import, function-level ones too, relative ones resolved."""
    package = ["hpi_bt", *(part for part in name_of(path).split(".") if part)]
    if path.name != "__init__.py":
        package = package[:-1]
    for node in nodes or ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def calls(path: Path) -> Iterator[str]:
    """Every called name, with what stands before its last dot: `open`, `Path.mkdir`."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def top_level(tree: ast.Module) -> Iterator[ast.AST]:
    """What runs when the module is imported: no function bodies, nothing for type checkers only."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


each_module = pytest.mark.parametrize("path", MODULES, ids=name_of)
each_file = pytest.mark.parametrize("path", FOUND, ids=lambda path: name_of(path) or "hpi_bt")


def test_there_is_something_to_check():
    assert len(MODULES) >= 10


@each_module
def test_imports_point_up_the_list(path: Path):
    room = name_of(path).split(".")[0]
    assert room in ROOMS, f"{room}: give it a place in STYLE 'Where things live' and in ROOMS"
    for module in imports(path):
        if not module.startswith("hpi_bt."):
            continue
        other = module.split(".")[1]
        if other in ROOMS:  # else a name of the package, not a module
            assert ROOMS.index(other) <= ROOMS.index(room), f"{name_of(path)} imports {module}"


@each_file
def test_backtrader_is_imported_in_its_rooms_alone(path: Path):
    used = {module.split(".")[0] for module in imports(path)}
    assert "backtrader" not in used or within(name_of(path), BACKTRADER)


@each_file
def test_heavy_libraries_are_imported_where_used(path: Path):
    name = name_of(path)
    nodes = top_level(tree_of(path))
    top = {module.split(".")[0] for module in imports(path, nodes)} & HEAVY
    allowed = {"backtrader"} if within(name, BACKTRADER) and path.name != "__init__.py" else set()
    assert top <= allowed, f"{name} imports {sorted(top - allowed)} at its top"


@each_file
def test_files_and_networks_are_touched_in_their_rooms_alone(path: Path):
    if within(name_of(path), OUTSIDE):
        return
    used = {module.split(".")[0] for module in imports(path)} & (NETWORK | FILES)
    called = {call for call in calls(path) if call.split(".")[-1] in FILE_CALLS}
    assert not used | called


@each_file
def test_the_clock_is_read_in_run_and_cli_alone(path: Path):
    if within(name_of(path), CLOCK):
        return
    read = {call for call in calls(path) if ".".join(call.split(".")[-2:]) in CLOCK_CALLS}
    bare = {module for module in imports(path) if module in CLOCK_CALLS}
    assert not read | bare


@each_file
def test_no_package_holds_a_module_and_a_function_of_one_name(path: Path):
    folder = path.parent
    siblings = {p.stem for p in folder.glob("*.py")} | {
        p.parent.name for p in folder.glob("*/*.py")
    }
    kinds = ast.FunctionDef | ast.ClassDef
    own = {node.name for node in tree_of(path).body if isinstance(node, kinds)}
    assert not own & siblings


def test_the_function_run_stays_callable_whatever_was_imported():
    code = "import hpi_bt, hpi_bt.runs; from hpi_bt import run; assert callable(hpi_bt.run)"
    subprocess.run([sys.executable, "-c", code], check=True)


@each_file
def test_every_public_function_and_class_says_what_it_is(path: Path):
    tree = tree_of(path)
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    public = [n for n in tree.body if isinstance(n, kinds) and not n.name.startswith("_")]
    silent = [node.name for node in public if not ast.get_docstring(node)]
    assert not silent
    assert ast.get_docstring(tree) or not tree.body, "the module has no docstring"


def texts(path: Path) -> Iterator[str]:
    """Every string of a module but its docstrings."""
    tree = tree_of(path)
    holders = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    said = {id(n.body[0].value) for n in ast.walk(tree) if isinstance(n, holders) and n.body
            and isinstance(n.body[0], ast.Expr)}  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value


#: Options of other programs, and a comment of HTML.
_FOREIGN = ("pip install --force-reinstall", "<!--part")


@each_file
def test_who_works_in_python_is_not_told_options_of_the_command_line(path: Path):
    if within(name_of(path), ("cli",)):
        return
    named = [t for t in texts(path) if re.search(r"(?<![\w-])--[a-z]", t)]
    assert not [t for t in named if not any(word in t for word in _FOREIGN)]


def test_importing_the_package_imports_nothing_heavy():
    code = "import hpi_bt, sys; print(*sorted(m.split('.')[0] for m in sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not set(out.stdout.split()) & HEAVY
