"""Midnight stamps of daily bars: dates that stand for the end of their day, not its beginning."""

from __future__ import annotations

from datetime import time

import numpy as np
import pandas as pd

_SPARSE = pd.Timedelta(days=5)  # between bars longer than a day
_MOSTLY = 0.9


def are_midnights(index: pd.DatetimeIndex) -> bool:
    """Return whether all stamps are midnights on their own clock."""
    return bool((index == index.normalize()).all())


def ends_of_days(index: pd.DatetimeIndex, at: time) -> pd.DatetimeIndex:
    """Return the time of day `at` of the date of each stamp, in the zone of the index."""
    end = pd.Timedelta(f"{at}").floor("ms")  # Backtrader keeps ten microseconds
    wall = index.tz_localize(None).normalize() + end
    if index.tz is None:
        return wall
    ambiguous = np.zeros(len(wall), dtype=bool)  # the later of two, as nothing may be seen early
    return wall.tz_localize(index.tz, ambiguous=ambiguous, nonexistent="shift_forward")


def are_first_days(index: pd.DatetimeIndex) -> bool:
    """Return whether the dates are a week or more apart and begin their weeks or months.

    They are Sundays and Mondays, or lie within the first three days of a month.
    """
    steps = index[1:] - index[:-1]
    if len(steps) < 2 or steps.to_series().median() < _SPARSE:
        return False
    weekly, monthly = np.isin(index.day_of_week, (6, 0)), index.day <= 3
    return bool(weekly.mean() >= _MOSTLY or monthly.mean() >= _MOSTLY)
