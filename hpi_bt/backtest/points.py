"""Points of a sweep: grids, ranges and random draws."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hpi_bt.config import Range
from hpi_bt.errors import InputError

MAX_POINTS = 100_000

Axes = Mapping[str, "Sequence[Any] | Range"]
Point = dict[str, Any]


def range_values(name: str, axis: Range) -> list[Any]:
    """Return low, low + step, ... up to high, whole numbers where all three are whole."""
    return [_at(axis, i) for i in range(_range_size(name, axis))]


def _range_size(name: str, axis: Range) -> int:
    if axis.step is None:
        raise InputError(
            "a range has no step",
            field=f"sweep.{name}",
            remedy="add step, or give `samples` to draw points at random",
        )
    return math.floor((axis.high - axis.low) / axis.step + 1e-9) + 1


def _at(axis: Range, i: int) -> Any:
    value = axis.low + i * (axis.step or 0.0)
    return int(value) if axis.whole else round(value, 12)


def grid_points(axes: Axes, *, max_points: int = MAX_POINTS) -> list[Point]:
    """Return every combination of the axes' values, the first axis varying slowest.

    Raises
    ------
    InputError
        There is no axis, an axis is empty, or there are more than `max_points` combinations.
    """
    sizes = {n: _range_size(n, a) if isinstance(a, Range) else len(a) for n, a in axes.items()}
    _check_count(math.prod(sizes.values()), max_points)
    values = {n: range_values(n, a) if isinstance(a, Range) else list(a) for n, a in axes.items()}
    _check_axes(values)
    return [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())]


def random_points(
    axes: Axes, samples: int, *, seed: int = 0, max_points: int = MAX_POINTS
) -> list[Point]:
    """Return `samples` different points drawn at random: uniform over a range or a list's values.

    Fewer where there are not as many different ones.
    """
    if samples < 1:
        raise InputError(f"{samples}", field="samples", remedy="draw at least one point")
    _check_axes({n: [a] if isinstance(a, Range) else list(a) for n, a in axes.items()})
    _check_count(samples, max_points)
    rng = np.random.default_rng(seed)
    found: dict[str, Point] = {}
    for _ in range(20 * samples):  # a point drawn again is no further trial
        point = {name: _draw(name, axis, rng) for name, axis in axes.items()}
        found.setdefault(repr(point), point)
        if len(found) == samples:
            break
    return list(found.values())


def _draw(name: str, axis: Sequence[Any] | Range, rng: np.random.Generator) -> Any:
    if not isinstance(axis, Range):
        return axis[int(rng.integers(len(axis)))]
    if axis.step is not None:
        return _at(axis, int(rng.integers(_range_size(name, axis))))
    if axis.whole:  # both ends as often as what lies between
        return int(rng.integers(int(axis.low), int(axis.high), endpoint=True))
    return float(rng.uniform(axis.low, axis.high))


def _check_axes(values: Mapping[str, list[Any]]) -> None:
    if not values:
        raise InputError("sweep: names no parameter; add sweep: {smoothing: [5, 10, 20]}")
    for name, found in values.items():
        if not found:
            raise InputError(f"sweep.{name}: holds no value; give at least one")
        if len({_same(v) for v in found}) < len(found):
            raise InputError(f"sweep.{name}: holds a value twice; remove one")


def _same(value: Any) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return repr(float(value)) if number else repr(value)


def _check_count(count: int, max_points: int) -> None:
    if count > max_points:
        raise InputError(
            f"{count:,} points are more than the {max_points:,} allowed",
            field="sweep",
            remedy="coarsen it, draw some of them by `samples`, or raise `max_points`",
        )
