"""Results as plain figures: numbers by name, and a fingerprint of each column of a table."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

_LIBRARIES = ("numpy", "scipy", "numba", "pandas", "pyarrow")
#: Words, which may be put better, and what was asked for, which is no result.
_LEFT_OUT = {
    *("flags", "notes", "remarks", "diagnostics", "assumptions", "freshness", "record", "study"),
    *("params", "settings", "options", "page", "made_at"),
}


@cache
def build() -> str:
    """Return what the last bit of a figure depends on: libraries, and how this machine rounds."""
    libraries = (f"{name} {version(name)}" for name in _LIBRARIES)
    return ", ".join([*libraries, f"rounding {_rounding()}"])


def _rounding() -> str:
    """Return a hash of functions that libraries compute in other ways on other processors."""
    draw = np.random.default_rng(0)
    x = draw.uniform(0.1, 10.0, 997)
    parts = [np.exp(-x), np.log(x), x**1.7, np.tanh(x), special.ndtr(x - 5.0), special.erf(x)]
    parts += [np.array([f(v) for v in x]) for f in (math.exp, math.log, math.erf, math.sin)]
    for n in (3, 17, 60):
        matrix, vector = draw.normal(size=(n, n)), draw.normal(size=n)
        parts += [matrix @ matrix, matrix @ vector, np.linalg.solve(matrix, vector)]
        parts += [np.linalg.lstsq(matrix[:, :3], vector)[0], np.array([vector @ vector])]
    return _hash("rounding", b"".join(part.tobytes() for part in parts))


def numbers_of(value: Any, name: str = "") -> dict[str, Any]:
    """Return the numbers of nested mappings and lists, by dotted name; texts are left out.

    A list of mappings gives a list for each of their keys; None stands for what is undefined.
    """
    if isinstance(value, Mapping):
        kept = ((str(k), v) for k, v in value.items() if k not in _LEFT_OUT)
        inside = (numbers_of(v, f"{name}.{k}" if name else k) for k, v in kept)
        return {key: number for one in inside for key, number in one.items()}
    if isinstance(value, list | tuple):
        if not value:
            return {name: []}
        rows = [numbers_of(one, name) for one in value]
        keys = dict.fromkeys(key for row in rows for key in row)
        return {key: [row.get(key) for row in rows] for key in keys}
    if value is None or isinstance(value, int | float | np.number):  # True and False, too
        return {name: _plain(value)}
    return {}


def _plain(value: Any) -> float | int | None:
    if value is None or not math.isfinite(value):
        return None
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else float(value)


def table_of(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the number of rows and a fingerprint of each column, the index among them."""
    columns: dict[str, pd.Series | pd.Index] = {"index": frame.index}
    columns |= {str(name): frame[name] for name in frame}
    return {
        "rows": len(frame),
        "columns": {name: _fingerprint(name, one) for name, one in columns.items()},
    }


def _fingerprint(name: str, column: pd.Series | pd.Index) -> dict[str, Any]:
    """Return a hash of a column's name and exact values; of numbers, how large they are as well."""
    if isinstance(column.dtype, pd.DatetimeTZDtype) or column.dtype.kind == "M":
        stamps = pd.DatetimeIndex(column).as_unit("ns").asi8
        return {"hash": _hash(name, stamps.astype("<i8").tobytes())}
    if pd.api.types.is_numeric_dtype(column.dtype):
        values = column.to_numpy(dtype="<f8", na_value=np.nan, copy=True)
        values[np.isnan(values)] = np.nan  # one NaN is as good as another
        known = values[np.isfinite(values)].tolist()
        return {
            "hash": _hash(name, values.tobytes()),
            "sum": _rounded(math.fsum(known)),
            "magnitude": _rounded(math.fsum(map(abs, known))),
        }
    return {"hash": _hash(name, "\0".join(map(str, column)).encode())}


def _hash(name: str, content: bytes) -> str:
    return hashlib.sha256(name.encode() + b"\0" + content).hexdigest()[:16]


def _rounded(value: float) -> float:
    return float(f"{value:.12g}")
