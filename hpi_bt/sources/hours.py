"""Sessions of an exchange: which session a bar belongs to, and where in it the bar closes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray, IntArray
from hpi_bt.errors import Note, Severity
from hpi_bt.sources.calendars import (
    DAY,
    EPOCH,
    MINUTE,
    covering,
    localized,
    market_close_note,
    nanos_of,
    schedule_of,
    usual_hours,
)
from hpi_bt.sources.outside import MOST_BARS, OUTSIDE_HOURS, Outside, Stamps, outside_notes

HOURS_COLUMNS = ("session", "minutes_open", "minutes_left", "slot")

_DAILY = 1440.0
MOST_STRANGE = 0.05  # of all sessions, that a calendar may lack without a warning
_FEW_STRANGE = 2  # special sessions (weekends, holidays traded) in a sample of whatever length
_OPTION_VOLUME = ("put_volume", "call_volume")  # stands for volume where bars have none


def calendar_sessions(calendar: str, first_year: int, last_year: int) -> IntArray:
    """Return the sessions of these years that a calendar knows, in days from 1970-01-01."""
    return schedule_of(calendar, first_year, last_year).days


def calendar_zone(calendar: str, near: pd.DatetimeIndex | None = None) -> str:
    """Return the name of the exchange's time zone.

    Parameters
    ----------
    calendar : str
        Name of exchange_calendars.
    near : DatetimeIndex, optional
        Bars whose hours are wanted next: the calendar is then made once for both.

    Raises
    ------
    InputError
        No such calendar; the message suggests the nearest name.
    """
    return covering(np.empty(0, np.int64) if near is None else nanos_of(near), calendar).zone


def session_ordinals(stamps: pd.DatetimeIndex, calendar: str) -> IntArray:
    """Return the session, as `date.toordinal()`, of each bar close; shape (n_bars,).

    The session is the local date (a close at midnight ends the day before); where sessions open
    on the evening before, the date on which the session that is open or next to open closes.
    """
    hours = covering(nanos_of(stamps), calendar)
    wall = nanos_of(stamps.tz_convert(hours.zone).tz_localize(None))
    return (wall - 1 + hours.shift) // DAY + EPOCH


def session_bounds(ordinals: IntArray, calendar: str) -> tuple[IntArray, IntArray, BoolArray]:
    """Return opens and closes (UTC nanoseconds) of sessions and whether the calendar has them.

    A date that the calendar lacks gets the usual hours that were in force then.
    """
    days, place = np.unique(ordinals - EPOCH, return_inverse=True)
    hours = covering(days * DAY, calendar)
    at = np.searchsorted(hours.days, days).clip(max=len(hours.days) - 1)
    known = hours.days[at] == days
    opens, closes = hours.opens[at], hours.closes[at]
    lacking = days[~known]
    opens[~known], closes[~known] = usual_hours(hours, lacking)
    return opens[place], closes[place], known[place]


def next_sessions(ordinals: IntArray, extra: IntArray, calendar: str) -> IntArray:
    """Return the session after each: the next that the calendar or `extra` has."""
    reach = np.concatenate([ordinals, extra]) - EPOCH
    hours = covering(reach * DAY, calendar)
    end = int(reach.max()) + 1
    after = np.arange(max(end, int(hours.days[-1]) + 1), end + 8)  # past the calendar's records
    sessions = np.unique(np.concatenate([hours.days, extra - EPOCH, after]))
    return sessions[np.searchsorted(sessions, ordinals - EPOCH, side="right")] + EPOCH


def session_close_stamps(dates: pd.DatetimeIndex, calendar: str) -> pd.DatetimeIndex:
    """Return the close of the session of each date, in the exchange's zone; shape (n_dates,).

    `dates` are naive; dates that the calendar lacks get their usual hours.
    """
    ordinals = nanos_of(dates) // DAY + EPOCH
    _, closes, _ = session_bounds(ordinals, calendar)
    return local_stamps(closes, calendar)


def local_stamps(nanos: IntArray, calendar: str) -> pd.DatetimeIndex:
    """Return UTC nanoseconds as stamps in the exchange's zone, named `close_time`."""
    utc = pd.DatetimeIndex(nanos.astype("M8[ns]"), name="close_time").tz_localize("UTC")
    return utc.tz_convert(calendar_zone(calendar, utc))


def bar_closes(stamps: pd.DatetimeIndex, calendar: str, minutes: float) -> pd.DatetimeIndex:
    """Return the close of the bar of `minutes` that holds each stamp; shape (n,).

    Bars are counted from the session's open, those after its close from the close; a stamp on a
    boundary belongs to the bar that closes then. No bar reaches beyond the session's close, or
    beyond the end of the day.
    """
    hours = covering(nanos_of(stamps), calendar)
    ordinals = session_ordinals(stamps, calendar)
    opens, closes, _ = session_bounds(ordinals, calendar)
    at, width = nanos_of(stamps), round(minutes * MINUTE)
    in_session = np.minimum(opens - (opens - at) // width * width, closes)
    day, place = np.unique(ordinals, return_inverse=True)
    midnight = localized((day - EPOCH + 1) * DAY - hours.shift, hours.zone)[place]
    afterwards = np.minimum(closes - (closes - at) // width * width, midnight)
    return local_stamps(np.where(at <= closes, in_session, afterwards), calendar)


def add_hours(
    frame: pd.DataFrame,
    calendar: str,
    *,
    bar_minutes: float,
    outside: Outside = "keep",
    slot_minutes: float | None = None,
) -> pd.DataFrame:
    """Return the frame with its place in the exchange's sessions.

    Parameters
    ----------
    frame : DataFrame of n_bars rows
        Indexed by tz-aware bar closes.
    calendar : str
        Name of an `exchange_calendars` calendar.
    bar_minutes : float
        Length of a bar; 1440 or more for daily bars.
    outside : {"keep", "drop"}, default="keep"
        What happens to bars that close at or before the open, or after the close.
    slot_minutes : float, optional
        Length of a slot of the session; that of a bar by default.

    Returns
    -------
    DataFrame
        The frame and four float64 columns: session (ordinal of its date), minutes_open (from the
        session's open to the bar's close; negative before it), minutes_left (to the session's
        close; negative after it) and slot, floor((minutes_open - 1e-9)/slot_minutes). Breaks at
        noon count. Dropped bars and dates that the calendar lacks are counted in the notes.
    """
    stamps = pd.DatetimeIndex(frame.index)
    ordinals = session_ordinals(stamps, calendar)
    opens, closes, known = session_bounds(ordinals, calendar)
    at = nanos_of(stamps)
    minutes_open = (at - opens) / MINUTE
    out = frame.assign(
        session=ordinals.astype(np.float64),
        minutes_open=minutes_open,
        minutes_left=(closes - at) / MINUTE,
        slot=np.floor((minutes_open - 1e-9) / (slot_minutes or bar_minutes)),
    )
    out = add_notes(out, *market_close_note(calendar), *_strange_note(ordinals, known, calendar))
    stray = (at <= opens) | (at > closes)
    if stray.any() and stray.mean() > MOST_BARS:
        out = note_outside(out, calendar, bar_minutes=bar_minutes, outside=outside)
    if outside == "drop" and stray.any():
        count = counted(int(stray.sum()), "bar")
        out = add_notes(out[~stray], f"{count} outside {calendar} hours dropped")
    return out


def note_outside(
    frame: pd.DataFrame, calendar: str, *, bar_minutes: float, outside: Outside = "keep"
) -> pd.DataFrame:
    """Return the frame with a note where many of its bars lie outside the exchange's hours.

    `attrs` may name the `timezone` and `bar_label` of its stamps; once noted is enough.
    """
    codes = {getattr(note, "code", "") for note in frame.attrs.get("notes", ())}
    if bar_minutes >= _DAILY or OUTSIDE_HOURS in codes:
        return frame
    stamps = Stamps(
        nanos_of(pd.DatetimeIndex(frame.index)),
        bar_minutes,
        frame.attrs.get("timezone"),
        frame.attrs.get("bar_label"),
    )
    names = ["volume"] if "volume" in frame else [n for n in _OPTION_VOLUME if n in frame]
    volume = frame[names].sum(axis=1).to_numpy(dtype=np.float64) if names else None
    return add_notes(frame, *outside_notes(stamps, volume, calendar, outside, session_hours))


def session_hours(closes: IntArray, calendar: str) -> tuple[IntArray, IntArray]:
    """Return open and close (UTC ns) of the session to which each bar close (UTC ns) belongs."""
    ordinals = session_ordinals(local_stamps(closes, calendar), calendar)
    return session_bounds(ordinals, calendar)[:2]


def counted(count: int, noun: str) -> str:
    """Return "1 bar", "2 bars"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _strange_note(ordinals: IntArray, known: BoolArray, calendar: str) -> Iterable[Note]:
    """Yield a note of the sessions that the calendar lacks, a warning where they are many."""
    dates = [date.fromordinal(int(o)).isoformat() for o in np.unique(ordinals[~known])]
    if not dates:
        return
    every = len(np.unique(ordinals))
    shown = ", ".join(dates[:5]) + (", ..." if len(dates) > 5 else "")
    word = counted(len(dates), "session")
    text = f"{word} not in calendar {calendar} kept with usual hours: {shown}"
    if len(dates) > max(MOST_STRANGE * every, _FEW_STRANGE):
        text = f"{text} ({len(dates) / every:.0%} of all; give the market's own as data.calendar)"
        yield Note(Severity.WARNING, "sessions-not-in-calendar", text)
    else:
        yield Note(Severity.INFO, "sessions-not-in-calendar", text)


def add_notes(frame: pd.DataFrame, *notes: str) -> pd.DataFrame:
    """Return the frame with notes added to `attrs["notes"]`, each of them once."""
    out = frame.copy(deep=False)
    known = list(frame.attrs.get("notes", ()))
    out.attrs = {**frame.attrs, "notes": list(dict.fromkeys([*known, *notes]))}
    return out
