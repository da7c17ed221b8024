"""The frame that every source returns: its columns, its checks and resampling.

Index: bar CLOSE, tz-aware in the exchange's zone, strictly increasing, named `close_time`.
Columns, all float64: open high low close volume and any of openinterest, put_volume, call_volume,
put_oi, call_oi, net_oi and further features; session, minutes_open, minutes_left, slot.
`attrs`: symbol, bar_minutes (1440.0 for daily bars), calendar, demo ("" or the reason), notes;
allow_nonpositive where prices of 0 or less are prices.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from hpi_bt.errors import InputError
from hpi_bt.sources.bars import NONPOSITIVE, OI_COLUMNS, check_amounts, check_bars, check_required
from hpi_bt.sources.hours import (
    HOURS_COLUMNS,
    add_hours,
    add_notes,
    bar_closes,
    counted,
    local_stamps,
    session_bounds,
    session_ordinals,
)

OpenInterestStamp: TypeAlias = Literal["pre_open", "prior_close"]

WARM_UP = "warm_up"  # key of `attrs`: bars before the first one that may be traded
MOVED = "moved"  # key of `attrs`: columns that stand a session later than in their file
_DAILY = 1440.0


def traded(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the bars that may be traded: a frame without those that only warm indicators up."""
    first = int(frame.attrs.get(WARM_UP, 0))
    out = frame.iloc[first:]
    out.attrs = {key: value for key, value in frame.attrs.items() if key != WARM_UP}
    return out


def is_flow(column: str) -> bool:
    """Return whether a column holds an amount per bar, which adds up over bars."""
    return column.endswith("volume") or "_flow" in column


def describe(
    frame: pd.DataFrame,
    *,
    symbol: str,
    bar_minutes: float,
    calendar: str,
    demo: str = "",
    notes: Iterable[str] = (),
    allow_nonpositive: bool = False,
) -> pd.DataFrame:
    """Return the frame with the attributes of the contract set."""
    out = frame.copy(deep=False)
    out.attrs = {
        "symbol": symbol,
        "bar_minutes": float(bar_minutes),
        "calendar": calendar,
        "demo": demo,
        "notes": list(notes),
        **({NONPOSITIVE: True} if allow_nonpositive else {}),
    }
    return out


def validate_frame(
    frame: pd.DataFrame, *, name: str, required: Iterable[str] = (), longest_lookback: int = 0
) -> None:
    """Check the contract; `name` (file or symbol) begins every message.

    Raises
    ------
    InputError
        Naming row, column and value: no rows, naive, unsorted or duplicate stamps, bars that are
        blank or contradict themselves, infinite values, negative volume or open interest, a
        required column absent or blank, fewer bars than `longest_lookback`.
    """
    if frame.empty:
        raise InputError(f"{name}: no bars; wanted at least one, check the dates and the symbol")
    check_stamps(frame.index, name=name)
    for column in required:
        check_required(frame, column, name)
    check_amounts(frame, name=name)
    check_bars(frame, name=name)
    if len(frame) < longest_lookback:
        raise InputError(
            f"{name}: {len(frame)} bars, but the longest look-back is {longest_lookback}; "
            "give more history or shorten the look-back"
        )


def check_stamps(index: pd.Index, *, name: str) -> None:
    """Raise `InputError` unless the stamps are aware, unique and ascending."""
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
        raise InputError(
            f"{name}: the index holds {index.dtype}; wanted tz-aware bar closes, "
            "give the time zone of the stamps (timezone)"
        )
    steps = np.diff(index.asi8)
    if (steps < 0).any():
        row = int(np.argmax(steps < 0)) + 1
        raise InputError(
            f"{name}: row {row + 1} ({index[row]}) is older than the row before it "
            f"({index[row - 1]}); wanted oldest first, sort the file or set sort: true"
        )
    if (steps == 0).any():
        row = int(np.argmax(steps == 0)) + 1
        raise InputError(
            f"{name}: row {row + 1} repeats the stamp {index[row]}; wanted one row per bar, "
            "remove one of them or choose one symbol with select"
        )


def resample(frame: pd.DataFrame, minutes: float, *, calendar: str | None = None) -> pd.DataFrame:
    """Return bars of `minutes`, labelled by their close, counted from each session's open.

    Parameters
    ----------
    frame : DataFrame
        With the attributes of the contract; its own bars must divide the new ones. A frame of
        one's own, of bar closes with their time zone, needs `calendar` alone.
    minutes : float
        Length of the new bars; 1440 makes one bar of each session, of its own hours alone.
    calendar : str, optional
        Name of exchange_calendars, where the frame's attributes do not give it.

    Returns
    -------
    DataFrame
        No bar crosses a session's open or close, and none is labelled later than that close; a
        last bar that is half filled keeps the close it will have. First open, highest high,
        lowest low, last close; amounts per bar (`is_flow`) are summed, NaN where all are NaN;
        the last known value of everything else.

    Raises
    ------
    InputError
        No calendar, stamps without time zone, or bars that the new ones are no multiple of.
    """
    old, calendar = _width_and_calendar(frame, calendar)
    _check_width(minutes, old)
    had_hours = set(HOURS_COLUMNS) <= set(frame.columns)
    bars = frame.drop(columns=[c for c in HOURS_COLUMNS if c in frame.columns])
    if minutes >= _DAILY:
        bars, labels = _session_labels(bars, calendar)
    else:
        labels = bar_closes(pd.DatetimeIndex(bars.index), calendar, minutes)
    groups = bars.groupby(labels.asi8)
    flows = [c for c in bars.columns if is_flow(c)]
    how = {"open": "first", "high": "max", "low": "min"}
    states = groups.agg({c: how.get(c, "last") for c in bars.columns if c not in flows})
    out = pd.concat([states, groups[flows].sum(min_count=1)], axis=1)[list(bars.columns)]
    out.index = local_stamps(out.index.to_numpy(dtype=np.int64), calendar)
    out.attrs = {**bars.attrs, "bar_minutes": float(minutes)}
    return add_hours(out, calendar, bar_minutes=minutes) if had_hours else out


def _width_and_calendar(frame: pd.DataFrame, calendar: str | None) -> tuple[float, str]:
    index, known = frame.index, calendar or frame.attrs.get("calendar")
    if not known:
        raise InputError(
            "no calendar", where="resample", remedy="give the exchange's: calendar='XNYS'"
        )
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
        raise InputError(
            "the stamps have no time zone",
            where="resample",
            remedy="give a DatetimeIndex of bar closes: frame.tz_localize('America/New_York')",
        )
    steps = np.diff(index.as_unit("s").asi8) / 60.0
    usual = float(np.median(steps)) if steps.size else _DAILY
    return float(frame.attrs.get("bar_minutes", usual)), str(known)


def _check_width(minutes: float, old: float) -> None:
    if minutes < old or minutes % old or minutes > _DAILY:
        raise InputError(
            f"resample: {minutes:g} minutes from bars of {old:g}; "
            f"wanted a multiple of {old:g} up to 1440, change it or the source's bars"
        )


def _session_labels(bars: pd.DataFrame, calendar: str) -> tuple[pd.DataFrame, pd.DatetimeIndex]:
    stamps = pd.DatetimeIndex(bars.index)
    opens, closes, _ = session_bounds(session_ordinals(stamps, calendar), calendar)
    at = local_stamps(closes, calendar)
    stray = (stamps <= local_stamps(opens, calendar)) | (stamps > at)
    if stray.any():
        count = counted(int(stray.sum()), "bar")
        bars = add_notes(bars[~stray], f"{count} outside {calendar} hours left out of daily bars")
    return bars, at[~stray]


def shift_open_interest(frame: pd.DataFrame, stamp: OpenInterestStamp) -> pd.DataFrame:
    """Return the frame with open interest on the session before which it was published.

    Parameters
    ----------
    frame : DataFrame
        With the attributes of the contract.
    stamp : {"pre_open", "prior_close"}
        pre_open: session D holds the count published before D's open; nothing moves.
        prior_close: session D holds the count after D's own close, published before the next
        open; the last value of each session moves to the whole of the next one in the frame.
    """
    columns = [c for c in OI_COLUMNS if c in frame.columns]
    if stamp == "pre_open" or not columns:
        return frame
    stamps = pd.DatetimeIndex(frame.index)
    session = session_ordinals(stamps, str(frame.attrs["calendar"]))
    last = frame[columns].groupby(session).last().shift(1)
    moved = last.reindex(session)
    out = frame.assign(**{c: moved[c].to_numpy() for c in columns})
    out.attrs = {**frame.attrs, MOVED: columns}
    return add_notes(out, f"{', '.join(columns)} moved to the next session (prior_close)")
