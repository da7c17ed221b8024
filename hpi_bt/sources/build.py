"""From what a source read to the frame that feeds, kernels and reports take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import pandas as pd

from hpi_bt.sources.bars import NONPOSITIVE
from hpi_bt.sources.base import Locations
from hpi_bt.sources.derive import derive_columns
from hpi_bt.sources.frame import (
    OpenInterestStamp,
    describe,
    resample,
    shift_open_interest,
    validate_frame,
)
from hpi_bt.sources.hours import add_hours, add_notes, calendar_zone, note_outside
from hpi_bt.sources.joins import Part, join_parts
from hpi_bt.sources.oi_timing import frame_timing
from hpi_bt.sources.splits import Splits, with_splits


def build_frame(
    source_frame: pd.DataFrame,
    *,
    calendar: str,
    where: Locations,
    bar_minutes: float | None = None,
    outside: Literal["keep", "drop"] = "keep",
    slot_minutes: float | None = None,
    open_interest_stamp: OpenInterestStamp = "pre_open",
    parts: Sequence[Part] = (),
    derived: Mapping[str, str] | None = None,
    splits: Splits | None = None,
    resample_minutes: float | None = None,
    required: Iterable[str] = (),
    longest_lookback: int = 0,
) -> pd.DataFrame:
    """Return the frame of the contract (`sources.frame`).

    Parameters
    ----------
    source_frame : DataFrame
        Bars indexed by their tz-aware close; its `attrs` give symbol, demo and notes.
    calendar : str
        Name of an `exchange_calendars` calendar, with hours of its own where the market differs
        ("CMES 08:30-15:15"); stamps move to its zone.
    where : Locations
        Where the parts' files may lie.
    bar_minutes : float, optional
        Length of a bar; that of `attrs` by default.
    outside : {"keep", "drop"}
        Bars outside the calendar's hours.
    slot_minutes : float, optional
        Length of a slot of the session; that of a bar by default.
    open_interest_stamp : {"pre_open", "prior_close"}
        Whether the source's open interest of day D was published before D's open or after its
        close. Parts state that themselves, as `known_at`.
    parts : sequence of Part
        Files that add columns.
    derived : mapping, optional
        Name: sum of columns, such as {"openinterest": "put_oi + call_oi"}.
    splits : mapping, optional
        New shares for one old share, by the first session at the new price: prices before it are
        divided, volumes and open interest multiplied.
    resample_minutes : float, optional
        Length of the bars wanted, a multiple of the source's.
    required : iterable of str
        Columns that must be there.
    longest_lookback : int
        Fewest bars that will do.
    """
    attrs = source_frame.attrs
    symbol = str(attrs.get("symbol", ""))
    minutes = float(attrs["bar_minutes"] if bar_minutes is None else bar_minutes)
    validate_frame(source_frame, name=symbol)
    zone = calendar_zone(calendar, pd.DatetimeIndex(source_frame.index))
    frame = source_frame.tz_convert(zone).rename_axis("close_time")
    frame = describe(
        frame,
        symbol=symbol,
        bar_minutes=minutes,
        calendar=calendar,
        demo=str(attrs.get("demo", "")),
        notes=attrs.get("notes", ()),
        allow_nonpositive=bool(attrs.get(NONPOSITIVE)),
    )
    if not frame.attrs["demo"]:
        frame = add_notes(frame, *frame_timing(frame, open_interest_stamp))
    frame.attrs |= {key: attrs[key] for key in ("timezone", "bar_label") if key in attrs}
    if splits:
        frame = with_splits(frame, splits, calendar)
    frame = shift_open_interest(frame, open_interest_stamp)
    frame = derive_columns(join_parts(frame, parts, where, calendar, splits), derived or {})
    if resample_minutes is not None and resample_minutes != minutes:
        frame = note_outside(frame, calendar, bar_minutes=minutes, outside=outside)
        frame, minutes = resample(frame, resample_minutes), float(resample_minutes)
    frame = add_hours(
        frame, calendar, bar_minutes=minutes, outside=outside, slot_minutes=slot_minutes
    )
    validate_frame(frame, name=symbol, required=required, longest_lookback=longest_lookback)
    return _as_floats(frame)


def _as_floats(frame: pd.DataFrame) -> pd.DataFrame:
    attrs = frame.attrs
    out = frame.astype("float64")
    out.index = pd.DatetimeIndex(out.index).as_unit("ns")
    out.attrs = attrs
    return out
