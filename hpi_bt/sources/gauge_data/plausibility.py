"""Which values no market has: refused outside wide limits, left out after a step beyond belief.

=============  ==============================  ===================================================
series         limits                          what they leave room for
=============  ==============================  ===================================================
SPY            1 to 100,000 dollars, 1.3-fold  23.8 (adjusted, 1993) to 778; the exchange stops
                                               trading for the day at 20 % below the close before
VIX, VIX3M     3 to 250 points, 5-fold         closes of 9.14 (2017-11-03) to 82.69 (2020-03-16);
                                               VXO, its forerunner, rose 4.1-fold to 150.19 on
                                               1987-10-19
put/call       0.05 to 20, 5-fold              0.35 to 3.50 in Cboe's archives, 4.2-fold in a day
yields         -2 to 25 %, 1.5 points          0 to 15.84 (10 years, 1981-09-30); 0.75 in a day
3-month bill   the same, but 2.5 points        1.69 in a day (1982-02-01)
10Y - 3M       -15 to 15 points, 2 points      -1.89 to 5.18; 1.25 in a day
SOFR           -2 to 25 %, 3.5 points          0.01 to 5.40; 2.82 in a day (2019-09-17)
OAS            0.5 to 50 %, 3 points           2.41 (2007) to 21.82 (2008); 1.45 in a day
=============  ==============================  ===================================================

A yield, SOFR or OAS that is about ten or a hundred times the value before it, or a tenth or a
hundredth of it, and 0.2 points or more away, is taken for a shifted decimal: their histories since
1962 have none. So is a step of yields, their difference or OAS by more than 0.6 points, three
times the largest of the 250 days before; SOFR alone has made such steps.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError

_NEIGHBOURS = 10  # days; values further apart say nothing of each other
_SHIFTED = (8.0, 12.5)  # ratio that is taken for ten; times ten, for a hundred
_LEAST_SHIFT = 0.2  # points
_YEAR, _FEW_STEPS, _THRICE = 250, 20, 3.0  # steps looked back at, at most and at least


class ImplausibleError(InputError):
    """A table with a value that no market has."""


class Limits(NamedTuple):
    """Least and greatest value, and the greatest step from one to the next.

    `fold` is the ratio of the larger to the smaller, `points` their difference. `decimal`: a
    shifted decimal is too far as well. `local`: difference in points from which a step is
    compared with those of the year before.
    """

    low: float
    high: float
    unit: str
    fold: float = math.inf
    points: float = math.inf
    decimal: bool = False
    local: float = math.inf

    def far(self, one: float, other: float) -> bool:
        """Return whether two neighbours (above 0 where `fold` is finite) are too far apart."""
        if math.isfinite(self.fold):
            return max(one, other) > self.fold * min(one, other)
        return abs(one - other) > self.points or (self.decimal and _shifted(one, other))


def _shifted(one: float, other: float) -> bool:
    """Return whether one value is the other with its decimal moved by one place or two."""
    low, high = sorted((one, other))
    if low <= 0.0 or high - low < _LEAST_SHIFT:
        return False
    ratio = high / low
    return any(least <= ratio / ten <= most for ten in (1.0, 10.0) for least, most in [_SHIFTED])


_YIELD = Limits(-2.0, 25.0, "% a year", points=1.5, decimal=True, local=0.6)
LIMITS = {
    "spy": Limits(1.0, 100_000.0, "dollars", fold=1.3),
    "vix": Limits(3.0, 250.0, "points", fold=5.0),
    "vix3m": Limits(3.0, 250.0, "points", fold=5.0),
    "put_call": Limits(0.05, 20.0, "puts for each call", fold=5.0),
    "y10": _YIELD,
    "y2": _YIELD,
    "bill3m": _YIELD._replace(points=2.5),
    "t10y3m": Limits(-15.0, 15.0, "percentage points", points=2.0, local=0.6),
    "sofr": Limits(-2.0, 25.0, "% a year", points=3.5, decimal=True),
    "oas": Limits(0.5, 50.0, "% a year", points=3.0, decimal=True, local=0.6),
}


class Fault(NamedTuple):
    """A value that is left out: its place, the value believed before it, whether the next agrees.

    `agreed`: the value after it lies near it, so that the new level is believed from there on.
    """

    place: int
    before: float
    agreed: bool


def check_limits(values: pd.Series, series: str, name: str) -> None:
    """Refuse values outside the limits of a series.

    Parameters
    ----------
    values : Series
        By date, without NaN.
    series : str
        A name of `LIMITS`.
    name : str
        Of the file, for the message.

    Raises
    ------
    ImplausibleError
        Names the file, the first such date, its value and the limits.
    """
    limits = LIMITS[series]
    found = values.to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(~((found >= limits.low) & (found <= limits.high)))
    if not wrong.size:
        return
    day = pd.DatetimeIndex(values.index)[wrong[0]]
    more = f" ({wrong.size - 1:,} more such days)" if wrong.size > 1 else ""
    raise ImplausibleError(
        f"{name}: {series} is {found[wrong[0]]:g} on {day:%Y-%m-%d}{more}; wanted "
        f"{limits.low:g} to {limits.high:g} {limits.unit}, mend the value or take out its row"
    )


def sudden_steps(values: pd.Series, series: str) -> list[Fault]:
    """Return the values that stand too far from the last one believed.

    Only what came before decides whether a value is left out: a step that lasts is believed from
    its second value on.

    Parameters
    ----------
    values : Series
        By date, oldest first, without NaN.
    series : str
        A name of `LIMITS`.

    Returns
    -------
    faults : list of Fault
        Oldest first.
    """
    limits = LIMITS[series]
    found: list[float] = values.to_numpy(dtype=np.float64).tolist()
    days = pd.DatetimeIndex(values.index).to_numpy().astype("M8[D]").astype(np.int64).tolist()
    if not _any_far(np.array(found), limits):
        return []
    faults: list[Fault] = []
    steps: deque[float] = deque(maxlen=_YEAR)
    believed = 0
    for i in range(1, len(found)):
        near = days[i] - days[believed] <= _NEIGHBOURS
        step = abs(found[i] - found[believed])
        large = step > limits.local and len(steps) >= _FEW_STEPS and step > _THRICE * max(steps)
        if near and (large or limits.far(found[believed], found[i])):
            last = faults[-1].place if faults else -1
            if last != i - 1 or limits.far(found[last], found[i]):
                faults.append(Fault(i, found[believed], agreed=False))
                continue
            faults[-1] = faults[-1]._replace(agreed=True)
        if near:
            steps.append(step)
        believed = i
    return faults


def _any_far(found: FloatArray, limits: Limits) -> bool:
    if math.isfinite(limits.fold):
        high, low = np.maximum(found[1:], found[:-1]), np.minimum(found[1:], found[:-1])
        return bool((high > limits.fold * low).any())
    least = min(limits.points, limits.local, _LEAST_SHIFT if limits.decimal else math.inf)
    return bool((np.abs(np.diff(found)) >= least).any())
