"""numba's `njit` with a cache on disk that also notices changes in other files.

numba looks at the file that holds a loop alone. What the loop takes from elsewhere is compiled
into it: functions, whole numbers such as the codes of orders, fields of named tuples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numba

if TYPE_CHECKING:
    from numba import njit as njit  # noqa: PLC0414 - with its types
else:

    def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
        """Return numba's decorator of these options, its cache bound to all that a module imports.

        To be used in place of `numba.njit` wherever a compiled function uses a name of another
        module; imports must stand above it.
        """

        def compiled(function: Callable[..., Any]) -> Any:
            dispatcher = numba.njit(**options)(function)
            index = _cache_index(dispatcher)
            if index is not None:
                index._source_stamp = index._source_stamp, tuple(_stamps(function.__globals__))
            elif options.get("cache"):  # a numba that keeps it elsewhere: better slow than stale
                dispatcher = numba.njit(**options | {"cache": False})(function)
            return dispatcher

        return compiled


def _cache_index(dispatcher: Any) -> Any:
    """Return the index file of a compiled function's cache, None where it has none."""
    index = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    return index if hasattr(index, "_source_stamp") else None


def _stamps(names: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what in a module's names may be compiled into its functions, in a fixed order."""
    for name, value in sorted(names.items()):
        index = _cache_index(value)
        if index is not None:
            yield name, index._source_stamp
        elif isinstance(value, type) and hasattr(value, "_fields"):
            yield name, value._fields
        elif _is_constant(value) and not name.startswith("__"):
            yield name, repr(value)


def _is_constant(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_constant, value))
    return isinstance(value, bool | int | float | str)
