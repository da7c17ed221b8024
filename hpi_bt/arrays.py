"""Array types and the carried state that every kernel shares."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

#: What a kernel remembers between two chunks of one series: nested dicts, whose leaves are arrays
#: (a user's own kernel may keep anything that `deepcopy` copies).
#: `None` means "start afresh and remember nothing".
State: TypeAlias = dict[str, Any] | None


def part(state: State, name: str) -> State:
    """Return the part of `state` that belongs to the primitive called `name`; None of None."""
    if state is None:
        return None
    own: dict[str, Any] = state.setdefault(name, {})
    return own


def carried(state: State, name: str, size: int, fill: float = 0.0) -> FloatArray:
    """Return the float64 array of shape (size,) kept under `name`, made with `fill` at first."""
    if state is None:
        return np.full(size, fill)
    if name not in state:
        state[name] = np.full(size, fill)
    kept: FloatArray = state[name]
    return kept


def copy_state(state: dict[str, Any]) -> dict[str, Any]:
    """Return an independent copy of a carried state; dicts and arrays faster than `deepcopy`."""
    return {k: _copied(v) for k, v in state.items()}


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return copy_state(value)
    return value.copy() if type(value) is np.ndarray else deepcopy(value)


def as_series(*arrays: npt.ArrayLike) -> tuple[FloatArray, ...]:
    """Return the inputs as contiguous float64 arrays of one shape (n_bars,).

    Raises
    ------
    ValueError
        An input is not one-dimensional, or the lengths differ.
    """
    series = tuple(np.ascontiguousarray(a, dtype=np.float64) for a in arrays)
    shapes = [s.shape for s in series]
    if any(len(shape) != 1 for shape in shapes) or len(set(shapes)) > 1:
        raise ValueError(f"series must be one-dimensional and of one length, got shapes {shapes}")
    return series
