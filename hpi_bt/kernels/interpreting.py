"""Compiled functions as Python runs them: worth it where compiling would take longer."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any


def interpreted(compiled: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that numba compiles as plain Python, with all the compiled ones it calls.

    Given plain numbers, not NumPy's, it gives the same to the last bit unless it takes powers:
    what Python and compiled code do with floats otherwise is the same arithmetic.
    """
    return _plain(compiled, {})


def _plain(compiled: Any, made: dict[Any, FunctionType]) -> FunctionType:
    if compiled not in made:
        source: FunctionType = compiled.py_func
        names = dict(source.__globals__)
        made[compiled] = FunctionType(source.__code__, names, source.__name__)
        for name in source.__code__.co_names:
            if hasattr(names.get(name), "py_func"):
                names[name] = _plain(names[name], made)
    return made[compiled]
