"""When each bar of a file closes, by its stamp, its label and its length."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hpi_bt.arrays import IntArray
from hpi_bt.errors import InputError
from hpi_bt.sources.calendars import MINUTE, nanos_of
from hpi_bt.sources.days import BarEnds, ends_of_days
from hpi_bt.sources.hours import calendar_zone, local_stamps, session_hours
from hpi_bt.sources.periods import months_of
from hpi_bt.sources.stamps import StampRules, localized, parse_stamps, zone_hint
from hpi_bt.sources.steps import refuse_other_length

DAILY = 1440.0
_BARS = {"1d": 1440.0, "1w": 10_080.0, "1mo": 43_200.0}


def close_stamps(
    values: pd.Series, rules: StampRules, calendar: str, *, joined: bool = False
) -> BarEnds:
    """Return when the bars of a column of stamps close.

    Stamps that are dates or midnights are sessions' dates: a daily bar closes with that session.
    A daily stamp with a time of day belongs to the session of the minute after it where it is
    labelled by the open, and to the session that it lies in where by the close. Weeks and months
    close with their last session. An intraday bar labelled by its open ends at the session's
    close where its length would carry it beyond.

    Parameters
    ----------
    values : Series of shape (n,)
    rules : StampRules
    calendar : str
        Name of an exchange calendar.
    joined : bool, default=False
        Whether the rows are joined to bars, rather than bars themselves.

    Raises
    ------
    InputError
        Intraday stamps without label, length or zone; a length that the stamps contradict; dates
        a week or a month apart of which nothing says which end of their period they mark.
    """
    stamps = parse_stamps(values, rules)
    local = None if stamps.utc is None else stamps.utc.tz_convert(calendar_zone(calendar))
    dates = _dates(stamps.wall, local)
    minutes = _declared_minutes(rules)
    if minutes is None and dates is not None:
        minutes = DAILY
    if minutes is not None and minutes >= DAILY:
        return ends_of_days(stamps, dates, minutes, rules, calendar)
    if dates is not None and len(dates) > 1:
        raise InputError(
            f"{rules.name}: the stamps are dates, but bar_minutes is {minutes:g}; "
            "wanted 1440 for daily bars, mend or leave out bar_minutes"
        )
    if minutes is None or rules.bar_label is None:
        raise InputError(_unlabelled(stamps.wall, rules))
    at = localized(stamps.wall, rules) if stamps.utc is None else stamps.utc
    begins = nanos_of(at)
    labelled_open = rules.bar_label == "open"
    hours = session_hours(begins + labelled_open, calendar)
    hint = zone_hint(values, rules)
    refuse_other_length(begins, *hours, rules, joined=joined, hint=hint)
    ends = _cut_at_close(begins, minutes, *hours) if labelled_open else begins
    return BarEnds(
        local_stamps(ends, calendar), minutes, [], rules.timezone if stamps.utc is None else None
    )


def _dates(wall: pd.DatetimeIndex, local: pd.DatetimeIndex | None) -> pd.DatetimeIndex | None:
    """Return the dates where all stamps are midnights, as written or at the exchange."""
    if (wall == wall.normalize()).all():
        return wall
    if local is not None and (local == local.normalize()).all():
        return local.tz_localize(None)
    return None


def _declared_minutes(rules: StampRules) -> float | None:
    """Return the length of a bar that the settings give."""
    if rules.bar is None:
        return rules.bar_minutes
    minutes, given = _BARS[rules.bar], rules.bar_minutes
    month = rules.bar == "1mo" and given is not None and months_of(given / DAILY) == 1
    if given not in (None, minutes) and not month:
        raise InputError(
            f"is {rules.bar}, but bar_minutes is {given:g}",
            where=rules.name,
            field="bar",
            remedy="leave out one of them",
        )
    return minutes


def _unlabelled(wall: pd.DatetimeIndex, rules: StampRules) -> str:
    missing = [k for k in ("bar_label", "bar_minutes") if getattr(rules, k) is None]
    steps = pd.Series(wall[1:] - wall[:-1]).mode()
    usual = f" (the usual step is {steps[0].total_seconds() / 60:g} minutes)" if len(steps) else ""
    return (
        f"{rules.name}: intraday stamps such as {wall[0]}, but no {' and no '.join(missing)}"
        f"{usual}; say under source whether stamps mark the open or the close of a bar "
        "(bar_label: open|close) and how long it is (bar_minutes)"
    )


def _cut_at_close(begins: IntArray, minutes: float, opens: IntArray, closes: IntArray) -> IntArray:
    """Return the ends of bars that begin at these moments; none goes on beyond its session."""
    ends = begins + round(minutes * MINUTE)
    straddles = (begins >= opens) & (begins < closes) & (ends > closes)
    return np.where(straddles, closes, ends)
