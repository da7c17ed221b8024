"""Share what kernels have computed between the points of a sweep.

Inside `with sharing():` a kernel marked `@shared` that is called again with the very same input
arrays and equal options returns what it returned before. Outside, and with a carried state, the
mark costs next to nothing and changes nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from threading import Lock
from typing import Any, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])


class _Memory:
    """Results by kernel, identity of the inputs and options; the longest unused go first."""

    def __init__(self, max_bytes: int) -> None:
        self._kept: OrderedDict[Any, tuple[Any, Any, int]] = OrderedDict()
        self._bytes, self._max_bytes, self._lock = 0, max_bytes, Lock()

    def call(self, kernel: Callable[..., Any], args: Any, options: dict[str, Any]) -> Any:
        key = (kernel, *map(_key, args), *((k, _key(v)) for k, v in sorted(options.items())))
        try:
            hash(key)
        except TypeError:  # an option that is a list, say
            return kernel(*args, **options)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][1]
        result = kernel(*args, **options)
        _freeze(result)
        size = _bytes((result, *args))
        with self._lock:
            if (
                key not in self._kept
            ):  # the inputs are kept too, so that their identity stays theirs
                self._kept[key] = ((args, options), result, size)
                self._bytes += size
            while self._bytes > self._max_bytes and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1][2]
        return result


def _key(value: Any) -> Any:
    return ("array", id(value)) if isinstance(value, np.ndarray) else value


def _freeze(result: Any) -> None:
    """Make arrays read-only: whoever changed one in place would change it for every point."""
    for part in result if isinstance(result, tuple) else (result,):
        if isinstance(part, np.ndarray):
            part.flags.writeable = False


def _bytes(result: Any) -> int:
    if isinstance(result, tuple):
        return sum(map(_bytes, result))
    return result.nbytes if isinstance(result, np.ndarray) else 0


_memory: _Memory | None = None


@contextmanager
def sharing(max_bytes: int = 1 << 29) -> Iterator[None]:
    """Share the results of `@shared` kernels within this block, in all threads of the process.

    The arrays given and returned must not be changed in place meanwhile.
    """
    global _memory  # noqa: PLW0603 - one memory a process, as threads must share it
    before, _memory = _memory, _Memory(max_bytes)
    try:
        yield
    finally:
        _memory = before


def shared(kernel: F) -> F:
    """Mark a kernel (arrays first, options by keyword, `state` last) as worth sharing."""

    @wraps(kernel)
    def call(*args: Any, **options: Any) -> Any:
        memory = _memory
        if memory is None or options.get("state") is not None:
            return kernel(*args, **options)
        return memory.call(kernel, args, options)

    return call  # type: ignore[return-value]
