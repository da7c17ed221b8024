"""Stamps written as digits alone: dates such as 20240102, or Unix time of any age."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

Unit: TypeAlias = Literal["s", "ms", "us", "ns"]

NUMBERS = r"-?\d{1,19}(?:\.\d+)?"

#: Dates by how many digits they have (17 ends with milliseconds); the years that are believed.
_LAYOUTS = {
    **{8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"},
    17: "%Y%m%d%H%M%S",
}
_YEARS = (1800, 2100)
#: Unix time by the most digits it has; moments before 1973 have fewer than the unit below.
_UNITS: tuple[tuple[int, Unit], ...] = ((10, "s"), (13, "ms"), (16, "us"), (19, "ns"))
_PER_DAY = {"s": 86_400, "ms": 86_400 * 10**3, "us": 86_400 * 10**6, "ns": 86_400 * 10**9}
_SHORT = 8  # digits of Unix seconds that could be something else: a date, a year, a count of rows
_LONGEST_STEP = 400  # days between bars
_ENOUGH = 5  # steps that make a usual one
_SAMPLE = 200  # numbers that tell dates from Unix time


def dates_of(text: pd.Series) -> pd.DatetimeIndex | None:
    """Return the dates or wall times that numbers spell (NaT where they spell none); shape (n,).

    None where they are Unix time. Dates are those of which more than half are valid, from 1800 to
    2100: 8, 10, 12, 14 or 17 digits, the time of day behind the date. Numbers of 8 digits and
    fewer are Unix seconds only where all are whole minutes, and more than one day of 1970.
    """
    whole = text.str.partition(".")[0] if text.str.contains(".", regex=False).any() else text
    width = int(whole.str.len().max())  # 34200.004 are seconds of a day, no date of long ago
    several = bool((text != text.iloc[0]).any())
    if width in _LAYOUTS and (several or width != _UNITS[0][0]):
        some = text.iloc[:: max(1, len(text) // _SAMPLE)]
        if _valid(some, width) > 0.5 and _valid(text, width) > 0.5:
            return _spelled(text, width)
    if width > _SHORT:
        return None
    if several and text.str.fullmatch(r"-?\d+").all():
        numbers = text.astype("int64")
        if (numbers % 60 == 0).all() and numbers.abs().max() > _PER_DAY["s"]:
            return None
    return _spelled(text, width)


def _spelled(text: pd.Series, width: int) -> pd.DatetimeIndex:
    layout = _LAYOUTS.get(width, _LAYOUTS[_SHORT])
    whole = text.str[:14] if width == 17 else text
    whole = whole.where(text.str.len() == (width if width in _LAYOUTS else _SHORT))  # no 202311
    dates = pd.DatetimeIndex(pd.to_datetime(whole, format=layout, errors="coerce"))
    if width != 17:
        return dates
    millis = pd.to_numeric(text.str[14:], errors="coerce").fillna(0)
    return dates.as_unit("ms") + pd.to_timedelta(millis.to_numpy(), unit="ms")


def _valid(text: pd.Series, width: int) -> float:
    """Return the share of numbers that are dates of believable years."""
    years = _spelled(text, width).year
    return float(np.mean((years >= _YEARS[0]) & (years <= _YEARS[1]) & (text.str.len() == width)))


def unix_time(text: pd.Series) -> pd.DatetimeIndex:
    """Return the moments (UTC) of numbers that count from 1970, NaT beyond int64; shape (n,).

    The unit is that of the longest number: seconds up to 10 digits, then ms, us and ns; a finer
    one where bars would else lie years apart.
    """
    broken = text.str.contains(".", regex=False).any()
    whole = text.str.partition(".")[0] if broken else text
    beyond = np.zeros(len(text), dtype=bool)
    if whole.str.len().max() >= _UNITS[-1][0]:
        beyond = np.abs(whole.astype("float64").to_numpy()) >= 2.0**63
        whole = whole.mask(beyond, "0")
    numbers = whole.astype("int64").to_numpy()
    unit = _unit(numbers, len(str(max(int(numbers.max()), -int(numbers.min())))))
    moments = numbers.astype(f"M8[{unit}]")
    moments[beyond] = np.datetime64("NaT")
    stamps = pd.DatetimeIndex(moments)
    if unit == "s" and broken:
        fraction = text.str.extract(r"(\.\d*)$")[0].fillna("0").astype("float64").to_numpy()
        sign = np.where(text.str.startswith("-"), -1.0, 1.0)
        stamps = stamps.as_unit("us") + pd.to_timedelta(np.round(sign * fraction * 1e6), unit="us")
    return stamps.tz_localize("UTC")


def _unit(numbers: np.ndarray, width: int) -> Unit:
    steps = np.diff(np.sort(numbers))
    steps = steps[steps > 0]
    units = [unit for digits, unit in _UNITS if width <= digits]
    if len(steps) < _ENOUGH:
        return units[0]
    usual = float(np.median(steps))
    return next((u for u in units if usual <= _LONGEST_STEP * _PER_DAY[u]), units[0])
