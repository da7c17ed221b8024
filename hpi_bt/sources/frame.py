"""The frame that every source returns: its columns, its checks, repairs and resampling.

Index: bar CLOSE, tz-aware in the exchange's zone, strictly increasing, named `close_time`.
Columns, all float64: open high low close volume and any of openinterest, put_volume, call_volume,
put_oi, call_oi, net_oi and further features; session, minutes_open, minutes_left, slot.
`attrs`: symbol, bar_minutes (1440.0 for daily bars), calendar, demo ("" or the reason), notes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray
from hpi_bt.errors import InputError
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

PRICE_COLUMNS = ("open", "high", "low", "close")
VOLUME_COLUMNS = ("volume", "put_volume", "call_volume")
OI_COLUMNS = ("openinterest", "put_oi", "call_oi", "net_oi")

BadBars: TypeAlias = Literal["refuse", "drop", "widen"]
OpenInterestStamp: TypeAlias = Literal["pre_open", "prior_close"]

#: How the columns begin that a feature of the config makes, and which.
_FEATURES = {
    **{"hedge_": "hedge_flow", "gauge": "gauge"},
    **dict.fromkeys(("put_gamma_", "call_gamma_"), "gamma_volume"),
}
_DAILY = 1440.0
_TOLERANCE = 1e-9  # relative: what splitting and adjusting prices leaves in the last digits
_MEND_BAR = "mend the file, or set bad_bars under source to drop or widen"


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
) -> pd.DataFrame:
    """Return the frame with the attributes of the contract set."""
    out = frame.copy(deep=False)
    out.attrs = {
        "symbol": symbol,
        "bar_minutes": float(bar_minutes),
        "calendar": calendar,
        "demo": demo,
        "notes": list(notes),
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
        blank or contradict themselves, negative volume, a required column absent or blank, fewer
        bars than `longest_lookback`.
    """
    if frame.empty:
        raise InputError(f"{name}: no bars; wanted at least one, check the dates and the symbol")
    check_stamps(frame.index, name=name)
    for column in required:
        _check_required(frame, column, name)
    check_bars(frame, name=name)
    for column in frame.columns:
        if column.endswith("volume"):
            _check_volume(frame[column], name)
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


def _check_required(frame: pd.DataFrame, column: str, name: str) -> None:
    if column not in frame.columns:
        found = ", ".join(c for c in frame.columns if c not in HOURS_COLUMNS)
        feature = next((f for begin, f in _FEATURES.items() if column.startswith(begin)), "")
        if feature:
            raise InputError(
                f"{name}: no column {column!r} (found: {found}); add its feature to the config, "
                f"features: [{{kind: {feature}, ...}}], or name it under columns"
            )
        raise InputError(
            f"{name}: no column {column!r} (found: {found}); name it under columns, "
            "or add the file that has it as a part"
        )
    if frame[column].isna().all():
        raise InputError(
            f"{name}: column {column!r} is blank in all {len(frame)} bars; "
            "wanted numbers, check its column name, dates and known_at"
        )


def _check_volume(volume: pd.Series, name: str) -> None:
    negative = volume.to_numpy() < 0
    if negative.any():
        row = int(np.argmax(negative))
        raise InputError(
            f"{name}: {volume.name} is {volume.iloc[row]:g} at {volume.index[row]}; "
            "wanted 0 or more, mend the file"
        )


def check_bars(frame: pd.DataFrame, *, name: str) -> None:
    """Raise `InputError` for the first bar that is blank or contradicts itself.

    Negative prices are prices: crude oil closed at -37.63 dollars in April 2020.
    """
    for column in PRICE_COLUMNS:
        _check_required(frame, column, name)
    blank, crossed = _faults(frame)
    if not (blank | crossed).any():
        return
    row = int(np.argmax(blank | crossed))
    bar = frame.iloc[row]
    if blank[row]:
        column = next(c for c in PRICE_COLUMNS if not np.isfinite(bar[c]))
        fault, wanted = f"{column} is {bar[column]}", "a price"
    elif bar["high"] < bar["low"]:
        fault, wanted = f"high {bar['high']:.10g} is below low {bar['low']:.10g}", "high >= low"
    else:
        column = "open" if _beyond(frame, "open")[row] else "close"
        fault = (
            f"{column} {bar[column]:.10g} lies outside "
            f"low {bar['low']:.10g} .. high {bar['high']:.10g}"
        )
        wanted = f"low <= {column} <= high"
    raise InputError(f"{name}: {fault} at {frame.index[row]}; wanted {wanted}, {_MEND_BAR}")


def _beyond(frame: pd.DataFrame, column: str) -> BoolArray:
    value, high, low = (frame[c].to_numpy() for c in (column, "high", "low"))
    slack = _TOLERANCE * np.abs(value)
    outside: BoolArray = (value > high + slack) | (value < low - slack)
    return outside


def _faults(frame: pd.DataFrame) -> tuple[BoolArray, BoolArray]:
    """Return which bars lack a price and which contradict themselves; each (n_bars,)."""
    blank = ~np.isfinite(frame[list(PRICE_COLUMNS)].to_numpy()).all(axis=1)
    crossed = (frame["high"] < frame["low"]).to_numpy()
    return blank, ~blank & (crossed | _beyond(frame, "open") | _beyond(frame, "close"))


def repair_bars(frame: pd.DataFrame, policy: BadBars, *, name: str) -> pd.DataFrame:
    """Return the frame with its faulty bars treated as `policy` says, and counted in the notes.

    Parameters
    ----------
    frame : DataFrame of n_bars rows
    policy : {"refuse", "drop", "widen"}
        refuse: raise `InputError` for the first of them. drop: leave the bars out. widen: blank
        open, high and low become the close, then high and low are moved to contain open and
        close; a bar without a close is left out.
    name : str
        File or symbol, for messages.
    """
    if policy == "refuse":
        check_bars(frame, name=name)
        return frame
    for column in PRICE_COLUMNS:
        if column not in frame.columns:
            _check_required(frame, column, name)
    blank, crossed = _faults(frame)
    faulty = blank | crossed
    if policy == "drop":
        return _left_out(frame, faulty, "blank or contradicting itself")
    frame = _left_out(frame, ~np.isfinite(frame["close"].to_numpy()), "without a close")
    blank, crossed = _faults(frame)
    faulty = blank | crossed
    prices = frame[list(PRICE_COLUMNS)].replace([np.inf, -np.inf], np.nan)
    for column in ("open", "high", "low"):
        prices[column] = prices[column].fillna(prices["close"])
    wide = prices.assign(high=prices.max(axis=1), low=prices.min(axis=1))
    out = frame.assign(**{c: frame[c].where(~faulty, wide[c]) for c in PRICE_COLUMNS})
    return (
        add_notes(out, f"{counted(int(faulty.sum()), 'faulty bar')} widened")
        if faulty.any()
        else out
    )


def _left_out(frame: pd.DataFrame, faulty: BoolArray, why: str) -> pd.DataFrame:
    if not faulty.any():
        return frame
    return add_notes(frame[~faulty], f"{counted(int(faulty.sum()), 'bar')} left out: {why}")


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
    return add_notes(out, f"{', '.join(columns)} moved to the next session (prior_close)")
