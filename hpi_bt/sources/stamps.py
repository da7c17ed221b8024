"""Time stamps as files write them, turned into the closes of bars in the exchange's zone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from hpi_bt.errors import InputError, shortened
from hpi_bt.sources.hours import (
    calendar_zone,
    local_stamps,
    session_bounds,
    session_close_stamps,
    session_ordinals,
)

_DAILY = 1440.0
_OFFSET = r"\s*(?:Z|[+-]\d{2}:?\d{2})$"
_AWARE = r":\d{2}(?:[.,]\d+)?" + _OFFSET
_OFFSET_PARTS = r"([+-]\d{2}):?(\d{2})$"
_WEST, _EAST = -12, 14  # hours of the offsets in use
_WORDS = ("now", "today")  # which pandas reads from the clock
_MOST = str(2**63 - 1)  # nanoseconds
_FIRST_YEAR, _LAST_YEAR = 1678, 2261  # that nanoseconds can count
_EPOCH_UNITS: dict[int, Literal["s", "ms", "us", "ns"]] = {10: "s", 13: "ms", 16: "us", 19: "ns"}


@dataclass(frozen=True)
class StampRules:
    """What the settings of a source say about its stamps; `name` begins every message."""

    name: str
    timezone: str | None = None
    bar_label: Literal["open", "close"] | None = None
    bar_minutes: float | None = None
    stamp_format: str | None = None


class ParsedStamps(NamedTuple):
    """Stamps as written (wall time) and, where they carry a zone or offset, as UTC."""

    wall: pd.DatetimeIndex
    utc: pd.DatetimeIndex | None


def parse_stamps(values: pd.Series, rules: StampRules) -> ParsedStamps:
    """Return the stamps of a column: datetimes, dates, ISO text, 20260102, or Unix time.

    Raises
    ------
    InputError
        A stamp is blank or no date, lies outside the years 1678 to 2261 (what nanoseconds can
        count), or is a word such as "now", which pandas would read from the clock; only some of
        them carry a UTC offset, or they carry several in a form that is not understood.
    """
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        _refuse_bad(pd.DatetimeIndex(values), values, rules)
        aware = pd.DatetimeIndex(values)
        return ParsedStamps(aware.tz_localize(None), aware.tz_convert("UTC"))
    if pd.api.types.is_datetime64_dtype(values.dtype):
        _refuse_bad(pd.DatetimeIndex(values), values, rules)
        return ParsedStamps(pd.DatetimeIndex(values), None)
    text = values.astype("str").str.strip()
    digits = text.str.replace(r"\.0+$", "", regex=True)
    if digits.str.fullmatch(r"\d+").fillna(False).all():
        return _from_digits(digits, values, rules)
    return _from_text(text, values, rules)


def _from_digits(digits: pd.Series, values: pd.Series, rules: StampRules) -> ParsedStamps:
    width = int(digits.str.len().max())
    if width in _EPOCH_UNITS:
        unit = _EPOCH_UNITS[width]
        beyond = (digits.str.len() == len(_MOST)) & (digits > _MOST)
        utc = pd.DatetimeIndex(
            pd.to_datetime(digits.mask(beyond, "0").astype("int64"), unit=unit, utc=True)
        )
        known = pd.DatetimeIndex(utc.where(~beyond.to_numpy(dtype=bool)))
        _refuse_bad(known, values, rules)
        return ParsedStamps(utc.tz_localize(None), utc)
    dates = pd.to_datetime(digits, format=rules.stamp_format or "%Y%m%d", errors="coerce")
    _refuse_bad(pd.DatetimeIndex(dates), values, rules)
    return ParsedStamps(pd.DatetimeIndex(dates), None)


def _from_text(text: pd.Series, values: pd.Series, rules: StampRules) -> ParsedStamps:
    layout = rules.stamp_format or "ISO8601"
    aware = text.str.contains(_AWARE, regex=True).fillna(False).to_numpy(dtype=bool)
    if aware.any() and not aware.all():
        row = int(np.argmin(aware))
        raise InputError(
            f"{rules.name}: row {values.index[row] + 1} is stamped {text.iloc[row]!r} without a "
            "UTC offset, others have one; wanted the same for all, mend the file"
        )
    if aware.any():
        _refuse_offsets(text, values, rules)
    written = text.str.replace(_OFFSET, "", regex=True) if aware.any() else text
    naive_layout = layout.removesuffix("%z").rstrip()
    written = written.mask(written.str.lower().isin(_WORDS), "")
    try:
        wall = pd.to_datetime(written, format=naive_layout, errors="coerce")
    except ValueError:  # offsets without minutes, of two seasons
        raise InputError(
            f"{rules.name}: {values.name} holds stamps of several UTC offsets such as "
            f"{text.iloc[0][:40]!r}; write times as 2026-01-02T09:35:00-05:00, mend the file"
        ) from None
    if isinstance(wall.dtype, pd.DatetimeTZDtype):
        _refuse_bad(pd.DatetimeIndex(wall), values, rules)
        aware_wall = pd.DatetimeIndex(wall)
        return ParsedStamps(aware_wall.tz_localize(None), aware_wall.tz_convert("UTC"))
    _refuse_bad(pd.DatetimeIndex(wall), values, rules)
    if not aware.any():
        return ParsedStamps(pd.DatetimeIndex(wall), None)
    utc = pd.DatetimeIndex(pd.to_datetime(text, format=layout, utc=True))
    return ParsedStamps(pd.DatetimeIndex(wall), utc)


def _refuse_offsets(text: pd.Series, values: pd.Series, rules: StampRules) -> None:
    """Refuse UTC offsets that no place has, such as +99:00."""
    parts = text.str.extract(_OFFSET_PARTS)
    hours = pd.to_numeric(parts[0]).fillna(0.0)
    minutes = pd.to_numeric(parts[1]).fillna(0.0)
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
    if bad.any():
        row = int(np.argmax(bad))
        told = f"{rules.name}: row {values.index[row] + 1}, {values.name} is "
        told += f"{str(values.iloc[row])[:40]!r}"
        if not pd.isna(parsed[row]):
            raise InputError(
                f"{told}; wanted a year from {_FIRST_YEAR} to {_LAST_YEAR}, mend the file"
            )
        raise InputError(
            f"{told}; wanted a date or time such as 2026-01-02 09:35, "
            "give another layout as stamp_format (%m/%d/%Y)"
        )


def close_stamps(
    values: pd.Series, rules: StampRules, calendar: str
) -> tuple[pd.DatetimeIndex, float]:
    """Return the closes of the bars, in the exchange's zone, and the length of a bar in minutes.

    Daily bars are those whose stamps are dates or midnights, or whose `bar_minutes` is 1440 or
    more; they close with the session of their date. A bar labelled by its open ends at the
    session's close where its length would carry it beyond.
    """
    stamps = parse_stamps(values, rules)
    local = None if stamps.utc is None else stamps.utc.tz_convert(calendar_zone(calendar))
    dates = _dates(stamps.wall, local)
    minutes = rules.bar_minutes
    if minutes is None and dates is not None:
        minutes = _DAILY
    if minutes is not None and minutes >= _DAILY:
        if dates is None:
            dates = (stamps.wall if local is None else local.tz_localize(None)).normalize()
        return session_close_stamps(dates, calendar), minutes
    if dates is not None and len(dates) > 1:
        raise InputError(
            f"{rules.name}: the stamps are dates, but bar_minutes is {minutes:g}; "
            "wanted 1440 for daily bars, mend or leave out bar_minutes"
        )
    if minutes is None or rules.bar_label is None:
        raise InputError(_unlabelled(stamps.wall, rules))
    at = _localize(stamps.wall, rules) if stamps.utc is None else stamps.utc
    at = at.as_unit("ns")
    if rules.bar_label == "open":
        return _closes_of_open_labels(at, minutes, calendar), minutes
    return local_stamps(at.asi8, calendar), minutes


def local_times(values: pd.Series, rules: StampRules, calendar: str) -> pd.DatetimeIndex:
    """Return the moments a column names, unshifted, in the exchange's zone."""
    stamps = parse_stamps(values, rules)
    at = _localize(stamps.wall, rules) if stamps.utc is None else stamps.utc
    return local_stamps(at.as_unit("ns").asi8, calendar)


def _dates(wall: pd.DatetimeIndex, local: pd.DatetimeIndex | None) -> pd.DatetimeIndex | None:
    """Return the dates where all stamps are midnights, as written or at the exchange."""
    if (wall == wall.normalize()).all():
        return wall
    if local is not None and (local == local.normalize()).all():
        return local.tz_localize(None)
    return None


def _unlabelled(wall: pd.DatetimeIndex, rules: StampRules) -> str:
    missing = [k for k in ("bar_label", "bar_minutes") if getattr(rules, k) is None]
    steps = pd.Series(wall[1:] - wall[:-1]).mode()
    usual = f" (the usual step is {steps[0].total_seconds() / 60:g} minutes)" if len(steps) else ""
    return (
        f"{rules.name}: intraday stamps such as {wall[0]}, but no {' and no '.join(missing)}"
        f"{usual}; say under source whether stamps mark the open or the close of a bar "
        "(bar_label: open|close) and how long it is (bar_minutes)"
    )


def _localize(wall: pd.DatetimeIndex, rules: StampRules) -> pd.DatetimeIndex:
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


def zone_named(text: str, name: str) -> ZoneInfo:
    """Return the time zone of that name; `name` begins the message where there is none."""
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise InputError(
            f"{name}: timezone {shortened(text)!r} is unknown; "
            "wanted an IANA name such as America/New_York"
        ) from None


def _closes_of_open_labels(
    opens: pd.DatetimeIndex, minutes: float, calendar: str
) -> pd.DatetimeIndex:
    begin = np.asarray(opens.asi8)
    end = begin + round(minutes * 60e9)
    session = session_ordinals(local_stamps(begin + 1, calendar), calendar)
    session_open, session_close, _ = session_bounds(session, calendar)
    straddles = (begin >= session_open) & (begin < session_close) & (end > session_close)
    return local_stamps(np.where(straddles, session_close, end), calendar)
