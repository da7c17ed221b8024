"""What JSON can hold: a result's values without NaN, infinity or types of other libraries."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


def json_safe(value: Any) -> Any:
    """Return `value` built from what strict JSON knows; NaN, infinity, NaT and NA become None.

    Parameters
    ----------
    value : object
        Dataclass, mapping, list, tuple, array, Series, number, text, path, date or None, nested.

    Returns
    -------
    safe : dict, list, str, int, float, bool or None
        `json.dumps(safe, allow_nan=False)` succeeds; dates are ISO 8601.

    Raises
    ------
    TypeError
        A value of another kind.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: json_safe(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): json_safe(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return json_safe(value.tolist())
    if isinstance(value, (list, tuple, pd.Series, pd.Index)):
        return [json_safe(item) for item in value]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    if isinstance(value, (dt.date, dt.datetime)):
        return None if pd.isna(value) else value.isoformat()
    if isinstance(value, (str, Path)):
        return str(value)
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float):
        return plain if math.isfinite(plain) else None
    if isinstance(plain, (bool, int)):
        return plain
    raise TypeError(f"cannot write {type(value).__name__} as JSON; convert it first")
