"""Which code a result came from: the user's modules behind a strategy, and this package's own."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

_PACKAGE = Path(__file__).resolve().parent
_SHIPPED = _PACKAGE / "_shipped"
_LIBRARIES = tuple(
    {Path(sysconfig.get_path(n)).resolve() for n in ("stdlib", "platstdlib", "purelib", "platlib")}
)


class _Source(NamedTuple):
    """A module of the user's: its name, its file, and the module where it is loaded."""

    name: str
    file: Path
    module: ModuleType | None


#: Modules of the user's that strategies have brought in: name, (file, hash when it was seen).
_loaded: dict[str, tuple[Path, str]] = {}
#: Modules that stay: what the program imported itself, and files of strategies.
_kept: set[str] = set()


@lru_cache(maxsize=1)
def package_fingerprint() -> str:
    """Return a hash of this package's source: its rules, whatever its version says."""
    digest = hashlib.sha1(usedforsecurity=False)
    for file in sorted(_PACKAGE.rglob("*.py")):
        if not file.is_relative_to(_SHIPPED):
            digest.update(file.relative_to(_PACKAGE).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


def code_fingerprint(strategy: type) -> str:
    """Return a hash of all code of the user's that decides what a strategy does.

    Parameters
    ----------
    strategy : type
        The class. The modules of its bases count, and every module that these import, at the top
        or within functions, directly or through others; of an installed library its version. Files
        that its code opens itself do not count, as nothing shows which they are.

    Returns
    -------
    fingerprint : str
        "" where none of it lies in a file.
    """
    sources = _sources(strategy)
    if not sources:
        return ""
    lines = {f"{source.file.name} {_digest(source.file)}" for source in sources}
    lines |= {line for source in sources for line in _versions(source)}
    return hashlib.sha1("\n".join(sorted(lines)).encode(), usedforsecurity=False).hexdigest()


def forget_changed_modules(folder: Path | None) -> None:
    """Unload modules that came with a strategy where one has changed, or `folder` has another.

    Python would give a strategy that is read again its neighbours as they were. What the user's
    program has imported itself stays: its classes would lose the modules they were made in.
    """
    _keep_others()
    for name, (file, digest) in _loaded.items():
        own = _file_of(name, [folder]) if folder else None
        if (own and own != file) or not file.is_file() or _digest(file) != digest:
            for other in _loaded:  # all of them: one may hold what another has imported
                sys.modules.pop(other, None)
                parent = sys.modules.get(other.rpartition(".")[0])
                if getattr(parent, "__file__", "") is None:  # a folder without __init__.py
                    vars(parent).pop(other.rpartition(".")[2], None)
            _loaded.clear()
            return


def _keep_others() -> None:
    """Keep what no strategy brought in: the program's own modules, and strategies' own files."""
    _kept.update(sys.modules.keys() - _loaded.keys())


def forget_new_modules(before: set[str]) -> None:
    """Unload the user's modules that a strategy brought in which then did not import."""
    for name in sys.modules.keys() - before:
        if (file := getattr(sys.modules[name], "__file__", None)) and is_users_file(Path(file)):
            del sys.modules[name]


def is_users_file(path: Path) -> bool:
    """Return whether a file is no part of Python, of an installed library or of this package."""
    if path.is_relative_to(_SHIPPED):
        return True
    return not any(path.is_relative_to(folder) for folder in (_PACKAGE, *_LIBRARIES))


def _digest(file: Path) -> str:
    return hashlib.sha1(file.read_bytes(), usedforsecurity=False).hexdigest()


def _sources(strategy: type) -> list[_Source]:
    """Return the user's modules behind a class, each once."""
    if not _kept:  # nothing was loaded: the program has imported all there is
        _keep_others()
    waiting: list[tuple[str, list[Path]]] = [(c.__module__, []) for c in strategy.__mro__]
    known: dict[Path, _Source] = {}
    while waiting:
        source = _source(*waiting.pop())
        if source is None or source.file in known:
            continue
        known[source.file] = source
        if source.name not in _kept and source.module is not None:
            _loaded[source.name] = (source.file, _digest(source.file))
        folders = [source.file.parent, *map(Path, sys.path)]
        waiting += [(name, folders) for name in _neighbours(source)]
    return list(known.values())


def _source(name: str, folders: list[Path]) -> _Source | None:
    """Return the user's module of that name; None where it is not the user's, or has no file."""
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    path = Path(file).resolve() if file else None if module else _file_of(name, folders)
    if path is None or path.suffix != ".py" or not path.is_file() or not is_users_file(path):
        return None
    return _Source(name, path, module)


def _file_of(name: str, folders: Iterable[Path]) -> Path | None:
    """Return the file of a module in the first of the folders that has it."""
    for folder in folders:
        base = folder.joinpath(*name.split("."))
        for path in (base / "__init__.py", base.with_name(base.name + ".py")):
            if path.is_file():
                return path.resolve()
    return None


def _neighbours(source: _Source) -> set[str]:
    """Return the names of the modules that a module imports, or holds anything of."""
    names = set(_imported(source))
    for value in vars(source.module).values() if source.module else ():
        home = value.__name__ if isinstance(value, ModuleType) else _home(value)
        names |= {home} & sys.modules.keys()
    return names


def _home(value: object) -> str:
    name = getattr(value, "__module__", None)
    return name if isinstance(name, str) else ""


def _imported(source: _Source) -> Iterator[str]:
    """Return the names in all import statements of a file, parents of dotted ones too."""
    try:
        tree = ast.parse(source.file.read_bytes())
    except (SyntaxError, ValueError):
        return
    package = getattr(source.module, "__package__", None) or source.name.rpartition(".")[0]
    for node in ast.walk(tree):
        names = []
        with suppress(ImportError):  # of a relative import that leads out of its package
            names = _named(node, package)
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[: i + 1]) for i in range(len(parts)))


def _named(node: ast.AST, package: str) -> list[str]:
    """Return the modules that an import, or a call of import_module with a text, may name."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = "." * node.level + (node.module or "")
        if node.level and not package:
            return []
        whole = importlib.util.resolve_name(base, package) if node.level else base
        return [whole, *(f"{whole}.{alias.name}" for alias in node.names)]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        name = node.args[0].value
        if called in ("import_module", "__import__") and isinstance(name, str) and name:
            relative = name.startswith(".")
            if relative and not package:
                return []
            return [importlib.util.resolve_name(name, package) if relative else name]
    return []


def _versions(source: _Source) -> Iterator[str]:
    """Return "name version" of every installed library that a module imports."""
    for name in {name.partition(".")[0] for name in _neighbours(source)}:
        file = getattr(sys.modules.get(name), "__file__", None)
        if not file or name in sys.stdlib_module_names or is_users_file(Path(file).resolve()):
            continue
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield f"{name} {getattr(sys.modules[name], '__version__', '')}"
