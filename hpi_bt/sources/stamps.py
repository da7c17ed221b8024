"""Time stamps as files write them: datetimes, text of some layout, dates in digits, Unix time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from hpi_bt.errors import InputError, shortened
from hpi_bt.sources.hours import local_stamps
from hpi_bt.sources.numerals import NUMBERS, dates_of, unix_time

_OFFSET = r"\s*(?:Z|[+-]\d{2}:?\d{2})$"
_AWARE = r":\d{2}(?:[.,]\d+)?" + _OFFSET
_ZONE_WORD = r"\s+([A-Za-z][A-Za-z_]*(?:/[A-Za-z0-9_+-]+)*)$"
_HALVES = ("am", "pm")  # of the day: no zones
_OFFSET_PARTS = r"([+-]\d{2}):?(\d{2})$"
_WEST, _EAST = -12, 14  # hours of the offsets in use
_WORDS = ("now", "today")  # which pandas reads from the clock
_DATE = len("20260102")  # as ISO text may be written too
_FIRST_YEAR, _LAST_YEAR = 1678, 2261  # that nanoseconds can count


@dataclass(frozen=True)
class StampRules:
    """What the settings of a source say about its stamps; `name` begins every message."""

    name: str
    timezone: str | None = None
    bar_label: Literal["open", "close"] | None = None
    bar_minutes: float | None = None
    stamp_format: str | None = None
    bar: Literal["1d", "1w", "1mo"] | None = None


class ParsedStamps(NamedTuple):
    """Stamps as written (wall time) and, where they carry a zone or offset, as UTC."""

    wall: pd.DatetimeIndex
    utc: pd.DatetimeIndex | None


def parse_stamps(values: pd.Series, rules: StampRules) -> ParsedStamps:
    """Return the stamps of a column: datetimes, dates, ISO text, 20260102, or Unix time.

    `stamp_format` is law where it is given and the column holds text or numbers. A zone's name at
    the end of ISO text ("20260102 09:35:00 US/Eastern") is read where all rows have the same.

    Raises
    ------
    InputError
        A stamp is blank or no date, lies outside the years 1678 to 2261 (what nanoseconds can
        count), or is a word such as "now", which pandas would read from the clock; only some of
        them carry a UTC offset or zone, or they carry several that are not understood.
    """
    if rules.timezone is not None:
        zone_named(rules.timezone, rules.name)  # refused also where no stamp needs it
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return _aware(pd.DatetimeIndex(values), values, rules)
    if pd.api.types.is_datetime64_dtype(values.dtype):
        _refuse_bad(pd.DatetimeIndex(values), values, rules)
        return ParsedStamps(pd.DatetimeIndex(values), None)
    text = values.astype("str").str.strip()
    if len(text) and re.fullmatch(NUMBERS, text.iloc[0]):
        text = text.str.replace(r"\.0+$", "", regex=True)
        numbers = text.str.fullmatch(NUMBERS).fillna(False).to_numpy(dtype=bool)
        if rules.stamp_format is None and numbers.all():
            return _from_numbers(text, values, rules)
        if rules.stamp_format is None and numbers.mean() > 0.5 and len(text.iloc[0]) > _DATE:
            known = np.where(numbers, np.datetime64(0, "s"), np.datetime64("NaT"))
            _refuse_bad(pd.DatetimeIndex(known), values, rules)
    return _from_text(text, values, rules)


def _aware(stamps: pd.DatetimeIndex, values: pd.Series, rules: StampRules) -> ParsedStamps:
    _refuse_bad(stamps, values, rules)
    return ParsedStamps(stamps.tz_localize(None), stamps.tz_convert("UTC"))


def _from_numbers(text: pd.Series, values: pd.Series, rules: StampRules) -> ParsedStamps:
    dates = dates_of(text)
    if dates is None:
        return _aware(unix_time(text), values, rules)
    _refuse_bad(dates, values, rules)
    return ParsedStamps(dates, None)


def _from_text(text: pd.Series, values: pd.Series, rules: StampRules) -> ParsedStamps:
    layout = rules.stamp_format or "ISO8601"
    zone = _zone_of(text, rules)
    if zone is not None:
        layout = layout.removesuffix("%Z").rstrip()
        wall = _parsed(text.str.replace(_ZONE_WORD, "", regex=True), layout, values, rules)
        utc = localized(wall, StampRules(rules.name, zone)).tz_convert("UTC")
        return ParsedStamps(wall, utc)
    aware = np.zeros(len(text), dtype=bool)
    if rules.stamp_format is None or layout.endswith("%z"):
        pattern = _AWARE if rules.stamp_format is None else _OFFSET
        aware = text.str.contains(pattern, regex=True).fillna(False).to_numpy(dtype=bool)
    if aware.any() and not aware.all():
        row = int(np.argmin(aware))
        raise InputError(
            f"row {values.index[row] + 1} is stamped {text.iloc[row]!r} without a UTC offset, "
            "others have one; wanted the same for all",
            where=rules.name,
            remedy="fix the file",
        )
    if aware.any():
        _refuse_offsets(text, values, rules)
    written = text.str.replace(_OFFSET, "", regex=True) if aware.any() else text
    naive_layout = layout.removesuffix("%z").rstrip() if aware.any() else layout
    wall = _parsed(written, naive_layout, values, rules)
    if wall.tz is not None:
        return ParsedStamps(wall.tz_localize(None), wall.tz_convert("UTC"))
    if not aware.any():
        return ParsedStamps(wall, None)
    return ParsedStamps(wall, pd.DatetimeIndex(pd.to_datetime(text, format=layout, utc=True)))


def _parsed(text: pd.Series, layout: str, values: pd.Series, rules: StampRules) -> pd.DatetimeIndex:
    """Return what text of a layout says, after refusing what does not follow it."""
    text = text.mask(text.str.lower().isin(_WORDS), "")
    try:
        stamps = pd.DatetimeIndex(pd.to_datetime(text, format=layout, errors="coerce"))
    except ValueError as error:  # offsets without minutes, of two seasons; or a bad layout
        if "directive" in str(error):
            raise InputError(
                f"{rules.stamp_format!r} is no layout ({str(error)[:60]})",
                where=rules.name,
                field="stamp_format",
                remedy="write one as strptime does, such as %d.%m.%Y %H:%M",
            ) from None
        raise InputError(
            f"{values.name} holds stamps of several UTC offsets such as "
            f"{str(values.iloc[0])[:40]!r}",
            where=rules.name,
            remedy="write times as 2026-01-02T09:35:00-05:00, or name their zone as timezone",
        ) from None
    _refuse_bad(stamps, values, rules)
    return stamps


def _zone_of(text: pd.Series, rules: StampRules) -> str | None:
    """Return the zone that ends every stamp, None where the first ends with none."""
    layout = rules.stamp_format
    first = re.search(_ZONE_WORD, text.iloc[0]) if len(text) else None
    if first is None or first[1].lower() in _HALVES:
        return None
    if layout is not None and not layout.endswith("%Z"):
        return None
    words = text.str.extract(_ZONE_WORD)[0].fillna("none")
    if (words == first[1]).all() and _zone(first[1]) is not None:
        return first[1]
    names = ", ".join(map(str, words.unique()[:4]))
    problem = f"the stamps end with {names}; wanted the same IANA zone in every row"
    example = re.sub(_ZONE_WORD, "", text.iloc[0])
    remedy = f"leave the words out ({example}) and give timezone: America/New_York, or give "
    remedy += "stamp_format with %Z (%Y%m%d %H:%M:%S %Z) where all are one zone such as US/Eastern"
    raise InputError(problem, where=rules.name, remedy=remedy)


def zone_hint(values: pd.Series, rules: StampRules) -> str:
    """Return how to say what the word at the end of the stamps is, "" where there is none."""
    word = re.search(_ZONE_WORD, str(values.iloc[0]).strip())
    if word is None or rules.stamp_format is not None:
        return ""
    return f", or stamp_format with %Z at its end if {word[1]!r} is not the zone of the stamps"


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def _refuse_offsets(text: pd.Series, values: pd.Series, rules: StampRules) -> None:
    """Refuse UTC offsets that no place has, such as +99:00."""
    parts = text.str.extract(_OFFSET_PARTS)
    sign = np.where(parts[0].str.startswith("-").fillna(False), -1.0, 1.0)
    minutes = pd.to_numeric(parts[1]).fillna(0.0)
    hours = pd.to_numeric(parts[0]).fillna(0.0) + sign * minutes / 60.0
    bad = ~(hours.between(_WEST, _EAST) & (minutes < 60)).to_numpy(dtype=bool)
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(
            f"{rules.name}: row {values.index[row] + 1}, {values.name} is "
            f"{str(values.iloc[row])[:40]!r}; wanted a UTC offset from {_WEST}:00 to +{_EAST}:00, "
            "mend the file"
        )


def _refuse_bad(parsed: pd.DatetimeIndex, values: pd.Series, rules: StampRules) -> None:
    bad = parsed.isna() | ~((parsed.year >= _FIRST_YEAR) & (parsed.year <= _LAST_YEAR))
    if not bad.any():
        return
    row = int(np.argmax(bad))
    problem = f"row {values.index[row] + 1}, {values.name} is {str(values.iloc[row])[:40]!r}; "
    if not pd.isna(parsed[row]):
        problem += f"wanted a year from {_FIRST_YEAR} to {_LAST_YEAR}"
        raise InputError(problem, where=rules.name, remedy="fix the file")
    if rules.stamp_format is not None:
        problem += f"wanted the layout {rules.stamp_format!r}"
        raise InputError(problem, where=rules.name, remedy="correct stamp_format, or fix the file")
    problem += "wanted a date or time such as 2026-01-02 09:35"
    remedy = "give another layout as stamp_format (%m/%d/%Y, %Y%m%d %H:%M:%S %Z)"
    raise InputError(problem, where=rules.name, remedy=remedy)


def local_times(values: pd.Series, rules: StampRules, calendar: str) -> pd.DatetimeIndex:
    """Return the moments a column names, unshifted, in the exchange's zone."""
    stamps = parse_stamps(values, rules)
    at = localized(stamps.wall, rules) if stamps.utc is None else stamps.utc
    return local_stamps(at.as_unit("ns").asi8, calendar)


def zone_named(text: str, name: str) -> ZoneInfo:
    """Return the time zone of that name; `name` begins the message where there is none."""
    zone = _zone(text)
    if zone is None:
        raise InputError(
            f"timezone {shortened(text)!r} is unknown",
            where=name,
            remedy="wanted an IANA name such as America/New_York",
        )
    return zone


def localized(wall: pd.DatetimeIndex, rules: StampRules) -> pd.DatetimeIndex:
    """Return wall times in the zone that the settings name.

    Raises
    ------
    InputError
        No zone is named, it is unknown, or a stamp does not exist, or exists twice, in it.
    """
    if rules.timezone is None:
        raise InputError(
            f"{rules.name}: stamps such as {wall[0]} have no time zone; "
            "name it under source (timezone: America/New_York)"
        )
    zone = zone_named(rules.timezone, rules.name)
    try:
        return wall.tz_localize(zone, ambiguous="infer")
    except ValueError as error:
        raise InputError(
            f"{rules.name}: a stamp does not exist, or exists twice, in {rules.timezone} "
            f"({str(error).splitlines()[0][:80]}); write stamps with their UTC offset"
        ) from None
