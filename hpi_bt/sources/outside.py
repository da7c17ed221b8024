"""Whether intraday bars lie in the exchange's hours, and which zone would put them there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.errors import Note, Severity
from hpi_bt.sources.calendars import MINUTE, covering, nanos_of

OUTSIDE_HOURS = "bars-outside-hours"

Outside: TypeAlias = Literal["keep", "drop"]
#: Open and close (UTC ns) of the session to which each bar close (UTC ns) belongs.
SessionHours: TypeAlias = Callable[[IntArray, str], tuple[IntArray, IntArray]]

MOST_BARS, _MOST_VOLUME = 0.05, 0.15  # shares outside that need no word, and no warning
_ENOUGH = (1.0 - MOST_BARS, 0.85)  # shares inside that another zone needs; of collectors
_MISREAD = 0.4  # share of a collector's moments outside that is no mere running early or late
_CONTINUOUS = 16 * 60 * MINUTE  # a market that is open longer has no hours to lie outside of
_ZONES = (
    *("America/New_York", "America/Chicago", "Europe/London", "Europe/Berlin", "Asia/Kolkata"),
    *("Asia/Tokyo", "Asia/Hong_Kong", "Australia/Sydney"),
)


class Stamps(NamedTuple):
    """Closes of bars (UTC ns), their length, and the zone and label they were read with."""

    closes: IntArray
    minutes: float
    timezone: str | None
    bar_label: str | None
    noun: str = "bars"


def outside_notes(
    stamps: Stamps,
    volume: FloatArray | None,
    calendar: str,
    outside: Outside,
    session_hours: SessionHours,
    *,
    lenient: bool = False,
) -> Iterator[Note]:
    """Yield at most one note: a warning where zone or label may be wrong.

    More than 5 % of the bars have to lie outside. It is a warning where they have more than 15 %
    of the volume, where there is none, or where they trade as much a bar as the others and
    another zone or label would put 95 % inside. Of collectors, which run beyond the session,
    `lenient` reports no more than a zone that puts 85 % inside where over 40 % are not.
    """
    opens, closes = session_hours(stamps.closes, calendar)
    if not len(opens) or np.median(closes - opens) > _CONTINUOUS:
        return
    before, after = stamps.closes <= opens, stamps.closes > closes
    stray = before | after
    if stray.mean() <= MOST_BARS:
        return
    share = _share(volume, stray)
    enough = _ENOUGH[lenient]
    readings = _readings(stamps, calendar, session_hours, enough)
    if lenient and (not readings or stray.mean() < _MISREAD):
        return
    as_busy = share is not None and bool(readings) and share > 0.5 * stray.mean()
    doubtful = share is None or share > _MOST_VOLUME or as_busy
    if not doubtful and outside == "drop":
        return  # counted where they are dropped
    text = f"{stray.sum()} of {len(stray)} {stamps.noun}"
    text += "" if share is None else f" ({100 * share:.0f} % of the volume)"
    text += f" lie outside the hours of {calendar}: {before.sum()} before, {after.sum()} after the "
    text += "session, " + ("kept" if outside == "keep" else "dropped")
    if doubtful:
        text += "; " + _remedy(readings, stamps, f"{100 * enough:.0f} %")
    severity = Severity.WARNING if doubtful else Severity.INFO
    yield Note(severity, OUTSIDE_HOURS, text)


def _share(volume: FloatArray | None, stray: BoolArray) -> float | None:
    """Return the share of the volume outside the hours, None where there is no volume."""
    total = 0.0 if volume is None else float(np.nansum(volume))
    return None if volume is None or total <= 0.0 else float(np.nansum(volume[stray])) / total


def _remedy(readings: list[str], stamps: Stamps, share: str) -> str:
    if not readings:
        return (
            f"check timezone, bar_label and calendar, as no usual zone puts {share} inside; of "
            "extended hours set data.hours, or data.outside: drop"
        )
    fitting = ", ".join(readings)
    if stamps.timezone is None:
        clock = f"if their UTC time is read as {fitting}"
        return f"check the stamps' UTC offset: {share} lie inside {clock}"
    return f"check timezone (it is {stamps.timezone}): {share} lie inside with {fitting}"


def _readings(
    stamps: Stamps, calendar: str, session_hours: SessionHours, enough: float
) -> list[str]:
    """Return each zone with the labels that put enough of the bars inside the hours."""
    given = stamps.timezone or "UTC"
    length = round(stamps.minutes * MINUTE)
    labels = ["open", "close"] if stamps.bar_label == "open" else ["close", "open"]
    labels = labels if stamps.bar_label else ["close"]
    written = stamps.closes - (length if stamps.bar_label == "open" else 0)
    wall = pd.DatetimeIndex(written.astype("M8[ns]"), tz="UTC").tz_convert(given).tz_localize(None)
    exchange = covering(stamps.closes, calendar).zone
    found = []
    for zone in dict.fromkeys(("UTC", exchange, given, *_ZONES)):
        at = wall.tz_localize(
            zone, ambiguous=np.ones(len(wall), dtype=bool), nonexistent="shift_forward"
        )
        begin = nanos_of(at)
        fits = [
            label
            for label in labels
            if _inside(begin, length * (label == "open"), calendar, session_hours) >= enough
        ]
        if fits:
            label = f" (bar_label {' or '.join(fits)})" if stamps.bar_label else ""
            found.append(f"{zone}{label}")
    return found


def _inside(begin: IntArray, length: int, calendar: str, session_hours: SessionHours) -> float:
    """Return the share of bars that close in the session; one that straddles its end is cut."""
    opens, closes = session_hours(begin + 1 if length else begin, calendar)
    end = begin + length
    end = np.where((begin >= opens) & (begin < closes) & (end > closes), closes, end)
    return float(((end > opens) & (end <= closes)).mean())
