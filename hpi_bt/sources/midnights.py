"""Midnight stamps of daily bars: dates that stand for the end of their day, not its beginning."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import time, tzinfo
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

_SPARSE = pd.Timedelta(days=5)  # between bars longer than a day
_MOSTLY = 0.9
_WRITTEN_IN_UTC = ("America/New_York", "America/Chicago")  # whose 04:00 to 06:00 is no close


def at_midnight(index: pd.DatetimeIndex, zones: Iterable[tzinfo | None]) -> pd.DatetimeIndex | None:
    """Return the stamps in the zone in which all are midnights: their own, else one of others.

    Stamps in UTC may also be midnights of New York or Chicago, as brokers write daily bars. None
    where they are midnights of no such zone.
    """
    own = [index.tz]
    if index.tz is not None:
        own += [zone for zone in zones if zone is not None]
        own += map(ZoneInfo, _WRITTEN_IN_UTC) if str(index.tz) == "UTC" else []
    local = (index if zone is index.tz else index.tz_convert(zone) for zone in own)
    return next((one for one in local if (one == one.normalize()).all()), None)


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
