"""From "strategies/tilt_fade.py:TiltFade" to the class."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

from hpi_bt.errors import InputError, did_you_mean
from hpi_bt.identity import code_fingerprint, forget_changed_modules, forget_new_modules
from hpi_bt.sources.paths import user_path

_PACKAGE = Path(__file__).parent


def shipped(kind: str) -> Path:
    """Return the folder of the shipped "strategies" or "configs", installed or in a checkout."""
    installed = _PACKAGE / "_shipped" / kind
    return installed if installed.is_dir() else _PACKAGE.parent / kind


def resolve_file(reference: str, folders: Iterable[Path], key: str = "strategy.class") -> Path:
    """Return the file a reference names, looked for in `folders`, then as shipped.

    `key` is what an error says that the reference was given for.

    Raises
    ------
    InputError
        There is no such file.
    """
    wanted = user_path(reference, key)
    tried = [folder / wanted for folder in folders] + [shipped("strategies").parent / wanted]
    for candidate in tried:
        if candidate.is_file():
            return candidate.resolve()
    places = ", ".join(dict.fromkeys(str(p.parent.resolve()) for p in tried))
    raise InputError(f"{key}: no file {reference} (looked in {places}); mend the path")


def _import_file(path: Path, key: str) -> ModuleType:
    digest = hashlib.sha1(str(path).encode(), usedforsecurity=False).hexdigest()[:8]
    name = f"hpi_bt_file_{path.stem}_{digest}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{key}: {path} is no Python file; give one that ends in .py")
    module = importlib.util.module_from_spec(spec)
    earlier = sys.modules.get(name)
    sys.modules[name] = module  # so that its classes can be pickled
    forget_changed_modules(path.parent)
    before = set(sys.modules)
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except BaseException:
        forget_new_modules(before)
        sys.modules.pop(name)
        if earlier:  # its classes may still be in use
            sys.modules[name] = earlier
        raise
    finally:
        sys.path.remove(str(path.parent))
    return module


def _import(target: str, folders: Iterable[Path], key: str = "strategy.class") -> ModuleType:
    is_file = target.endswith(".py") or "/" in target or "\\" in target
    where = resolve_file(target, folders, key) if is_file else target
    try:
        if isinstance(where, Path):
            return _import_file(where, key)
        forget_changed_modules(None)
        return importlib.import_module(where)
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        lines = traceback.extract_tb(error.__traceback__)
        own = [f.lineno for f in lines if f.filename == str(where)]
        line = getattr(error, "lineno", None) or (own[-1] if own else None)
        at = f", line {line}" if line else ""
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"{key}: {target} does not import ({what}{at}); mend it") from error


def _is_strategy(value: object) -> bool:
    return isinstance(value, type) and any(
        base.__name__ == "Strategy" and base.__module__.startswith("backtrader")
        for base in value.__mro__[1:]
    )


def load_strategy(reference: str, folders: Iterable[Path] = (Path(),)) -> type:
    """Return the strategy class that a reference names.

    Parameters
    ----------
    reference : str
        "path/to/file.py:Class" or "package.module:Class".
    folders : iterable of Path
        Where relative files are looked for, in this order; the shipped strategies come last.

    Raises
    ------
    InputError
        The file does not exist, does not import, or holds no strategy of that name.
    """
    target, colon, name = reference.rpartition(":")
    if not colon or not target or not name:
        raise InputError(
            f"strategy.class: {reference!r} names no class; write strategies/flow_bias.py:FlowBias"
        )
    module = _import(target, folders)
    found = [
        k for k, v in vars(module).items() if _is_strategy(v) and v.__module__ == module.__name__
    ]
    value = getattr(module, name, None)
    if value is None:
        hint = did_you_mean(name, found) if found else " (it holds no strategy)"
        raise InputError(f"strategy.class: {target} holds no class {name!r}{hint}")
    if not _is_strategy(value):
        raise InputError(
            f"strategy.class: {name} in {target} is no Backtrader strategy; "
            "derive it from hpi_bt.KernelStrategy or bt.Strategy"
        )
    code_fingerprint(value)  # which modules it came with, so that a later reading sees changes
    return value  # type: ignore[no-any-return]


def load_function(
    reference: str, folders: Iterable[Path] = (Path(),), *, key: str
) -> Callable[..., object]:
    """Return the function that a reference names, found as `load_strategy` finds a class.

    Parameters
    ----------
    reference : str
        "path/to/file.py:function" or "package.module:function".
    folders : iterable of Path
        Where relative files are looked for, in this order.
    key : str
        The config's key, for messages.

    Raises
    ------
    InputError
        The file does not exist, does not import, or holds nothing of that name to call.
    """
    target, colon, name = reference.rpartition(":")
    if not colon or not target or not name:
        raise InputError(f"{key}: {reference!r} names no function; write my_alerts.py:notify")
    module = _import(target, folders, key)
    value = getattr(module, name, None)
    if not callable(value):
        own = [k for k, v in vars(module).items() if callable(v) and not k.startswith("_")]
        hint = did_you_mean(name, own) if own else " (it holds none)"
        raise InputError(f"{key}: {target} holds no function {name!r}{hint}")
    return value  # type: ignore[no-any-return]
