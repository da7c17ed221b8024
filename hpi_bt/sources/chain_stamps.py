"""Stamps of option tables: moments of quotes and of last trades, dates of expiry."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray
from hpi_bt.errors import InputError
from hpi_bt.sources.chain_file import NEW_YORK, Given
from hpi_bt.sources.date_layouts import layout_of, padded
from hpi_bt.sources.hours import calendar_zone, local_stamps, session_close_stamps
from hpi_bt.sources.numbers import BLANKS
from hpi_bt.sources.stamps import ParsedStamps, StampRules, local_times, parse_stamps

_DAY_MS = 86_400_000
_T = TypeVar("_T")


class Moments(NamedTuple):
    """Moments of rows in UTC, of length n, and whether the file gives their dates alone."""

    utc: pd.DatetimeIndex
    dated: bool


def stamps_of(
    values: pd.Series,
    given: Given,
    *,
    name: str,
    clock: pd.Series | None = None,
    day_first: bool | None = None,
) -> Moments:
    """Return the moments of a column's rows; bare dates are closes of sessions.

    Parameters
    ----------
    values : Series of length n
        Its name is the column's in the file.
    given : Given
        `timezone` reads stamps that name none, `stamp_format` those of an unusual layout.
    name : str
        The file, for messages.
    clock : Series of length n, optional
        Time of day of rows whose stamps are dates: milliseconds since midnight, hours, or 15:45.
    day_first : bool, optional
        What other columns say of the order of day and month.

    Raises
    ------
    InputError
        A stamp is blank or no date, or intraday stamps name no zone and none is given.
    """
    codes, unique = _different(values, name)
    layout = layout_of(unique, where=name, given=given.stamp_format, day_first=day_first)
    rules = StampRules(name, given.timezone, stamp_format=layout)
    parsed = _read(unique, lambda: parse_stamps(unique, rules), name)
    if parsed.utc is None and (parsed.wall == parsed.wall.normalize()).all():
        if clock is not None:
            wall = parsed.wall[codes] + _time_of_day(clock, name)
            return Moments(_localized(wall, given, str(clock.name), name), dated=False)
        closes = session_close_stamps(parsed.wall.as_unit("ns"), given.calendar)
        return Moments(closes.tz_convert("UTC").as_unit("ns")[codes], dated=True)
    if parsed.utc is None and given.timezone is None:
        raise InputError(
            f"stamps such as {parsed.wall[0]} have no time zone",
            where=name,
            field=str(values.name),
            remedy="give `timezone=America/New_York`",
        )
    moments = _read(unique, lambda: local_times(unique, rules, given.calendar), name)
    return Moments(moments.tz_convert("UTC").as_unit("ns")[codes], dated=False)


def expiries_of(
    values: pd.Series,
    given: Given,
    *,
    name: str,
    day_first: bool | None = None,
    since: pd.Timestamp | None = None,
) -> pd.DatetimeIndex:
    """Return naive dates, or moments with a zone where the stamps have a time of day; length n.

    Midnight at the exchange is a date, whatever the notation.

    Parameters
    ----------
    values, given, name, day_first
        As in `stamps_of`.
    since : Timestamp, optional
        Date of the quotes: no contract that is quoted has expired before.
    """
    codes, unique = _different(values, name)
    unique = padded(unique)
    layout = layout_of(
        unique, where=name, given=given.stamp_format, day_first=day_first, since=since
    )
    rules = StampRules(name, given.timezone, stamp_format=layout)
    parsed = _read(unique, lambda: parse_stamps(unique, rules), name)
    dates = _dates(parsed, given.calendar)
    if dates is not None:
        return dates.as_unit("ns")[codes]
    if parsed.utc is None and given.timezone is None:
        raise InputError(
            f"times such as {parsed.wall[0]} have no time zone",
            where=name,
            field=str(values.name),
            remedy="give `timezone=America/New_York`",
        )
    return _read(unique, lambda: local_times(unique, rules, given.calendar), name)[codes]


def last_trades(values: pd.Series, given: Given, *, name: str) -> pd.DatetimeIndex:
    """Return the moments of a column that may have blanks (NaT), in UTC; shape (n,)."""
    known = values.notna().to_numpy() & ~_blank(values)
    nanos = np.full(len(values), np.iinfo(np.int64).min)
    if known.any():
        codes, unique = _different(values[known], name)
        layout = layout_of(unique, where=name, given=given.stamp_format)
        rules = StampRules(name, given.timezone or NEW_YORK, stamp_format=layout)
        moments = _read(unique, lambda: local_times(unique, rules, given.calendar), name)
        nanos[known] = np.asarray(moments.asi8)[codes]
    return local_stamps(nanos, given.calendar).tz_convert("UTC")


def _dates(parsed: ParsedStamps, calendar: str) -> pd.DatetimeIndex | None:
    """Return the dates where all stamps are midnights, as written or at the exchange."""
    if (parsed.wall == parsed.wall.normalize()).all():
        return parsed.wall
    if parsed.utc is None:
        return None
    local = parsed.utc.tz_convert(calendar_zone(calendar)).tz_localize(None)
    return local if (local == local.normalize()).all() else None


def _time_of_day(clock: pd.Series, name: str) -> pd.TimedeltaIndex:
    """Return times of day since midnight, from milliseconds, hours or 15:45[:30]."""
    numbers = pd.to_numeric(clock, errors="coerce")
    milliseconds: FloatArray = numbers.to_numpy(dtype=np.float64)
    if numbers.notna().all():
        milliseconds = milliseconds * (1.0 if numbers.max() > 24.0 else 3_600_000.0)
    else:
        words = clock.astype("str").str.strip().str.upper()
        half = words.str.extract(r"([AP])M$")[0]
        words = words.str.removesuffix("AM").str.removesuffix("PM").str.strip()
        words = words.mask(words.str.fullmatch(r"\d{1,2}:\d{2}").fillna(False), words + ":00")
        times = pd.to_timedelta(words, errors="coerce") / pd.Timedelta(1, "ms")
        milliseconds = np.asarray(times, dtype=np.float64)
        milliseconds = np.where(half.notna(), milliseconds % (_DAY_MS / 2), milliseconds)
        milliseconds = milliseconds + np.where(half == "P", _DAY_MS / 2, 0.0)
    bad = ~((milliseconds >= 0.0) & (milliseconds <= _DAY_MS))
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(
            f"row {clock.index[row] + 1} is {str(clock.iloc[row])[:40]!r}; wanted a time of day "
            "such as 15:45, or milliseconds since midnight",
            where=name,
            field=str(clock.name),
            remedy="map the column of whole stamps as ts",
        )
    return pd.to_timedelta(milliseconds, unit="ms")


def _localized(wall: pd.DatetimeIndex, given: Given, field: str, name: str) -> pd.DatetimeIndex:
    """Return wall times in UTC: of the zone given or, in milliseconds since midnight, New York."""
    if given.timezone is None and field.lower().replace("_", "") != "msofday":
        raise InputError(
            f"stamps such as {wall[0]} have no time zone",
            where=name,
            field=field,
            remedy="give `timezone=America/New_York`",
        )
    rules = StampRules(name, given.timezone or NEW_YORK)
    stamps = pd.Series(wall, name=field)
    moments = _read(stamps, lambda: local_times(stamps, rules, given.calendar), name)
    return moments.tz_convert("UTC").as_unit("ns")


def _different(values: pd.Series, name: str) -> tuple[npt.NDArray[np.intp], pd.Series]:
    """Return each cell's place among the different values, and these at the rows they begin in."""
    codes, words = pd.factorize(values)
    none = _blank(pd.Series(words))
    codes = np.where((codes >= 0) & np.append(none, False)[codes], -1, codes)
    if (codes < 0).any():
        row = values.index[int(np.argmin(codes))] + 1
        raise InputError(
            f"row {row} is blank; wanted a date or time",
            where=name,
            field=str(values.name),
            remedy="fix the file",
        )
    rows = np.unique(codes, return_index=True)[1]
    unique = pd.Series(words, index=values.index[rows], name=values.name)
    wordy = ~unique.astype("str").str.contains(r"\d", regex=True).to_numpy(dtype=bool)
    if wordy.any():  # such as "now", which pandas would take from the clock
        row = int(np.argmax(wordy))
        raise InputError(
            f"row {unique.index[row] + 1} is {str(unique.iloc[row])[:40]!r}; wanted a date or time "
            "such as 2026-01-02 09:35",
            where=name,
            field=str(values.name),
            remedy="fix the file",
        )
    return codes, unique


def _blank(values: pd.Series) -> BoolArray:
    """Return which cells are a word for none."""
    if values.dtype.kind in "iufM" or isinstance(values.dtype, pd.DatetimeTZDtype):
        return np.zeros(len(values), dtype=bool)
    return values.astype("str").str.strip().str.lower().isin(BLANKS).to_numpy(dtype=bool)


def _read(values: pd.Series, load: Callable[[], _T], name: str) -> _T:
    """Return load(), what pandas raises of stamps it cannot hold turned into one line."""
    try:
        return load()
    except InputError:
        raise
    except (ValueError, OverflowError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:80]
        raise InputError(
            f"cannot be read ({reason}); wanted dates or times of one form such as 2026-01-02 "
            "09:35",
            where=name,
            field=str(values.name),
            remedy="fix the file",
        ) from None
