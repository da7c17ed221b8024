"""The signal page: price, trades and every declared indicator on one time axis, in one file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.backtest.strict_json import json_safe
from hpi_bt.errors import InputError
from hpi_bt.report.bidi import readable
from hpi_bt.report.chart_library import NOTICE, lwc_js
from hpi_bt.report.drawing import are_days, as_pulses, drawings, mark_colours
from hpi_bt.report.packing import decimals_of, pack, tick_decimals
from hpi_bt.report.pages import Banner, render, write_page
from hpi_bt.report.study import study_context
from hpi_bt.stats.study import SignalStudy

_OHLC = ("open", "high", "low", "close")
_TRADE = (
    *("entry_bar", "exit_bar", "direction", "size", "entry_price", "exit_price", "net"),
    *("exit_reason", "status"),
)
_SHOWN = ("label", "name", "title", "params", "pane", "up", "down")  # of a drawing
_EPOCH_ORDINAL = 719163  # date(1970, 1, 1).toordinal()


def write_signals(
    path: Path,
    bars: pd.DataFrame,
    panes: Sequence[Mapping[str, Any]],
    trades: pd.DataFrame,
    *,
    title: str,
    banner: Banner,
    demo: str = "",
    vetoes: pd.DataFrame | None = None,
    style: Mapping[str, Any] | None = None,
    symbol: str = "",
    study: SignalStudy | None = None,
) -> None:
    """Write the signal page of a run to `path`: one file, no network.

    Parameters
    ----------
    path : Path
        The page; its folder is made.
    bars : DataFrame of shape (n_bars, ...), index bar closes, with their zone or the feed's own
        open, high, low, close; volume, openinterest, session and target where they are known;
        every column that `panes` names.
    panes : sequence of mapping
        What to draw where, as panes.json has it.
    trades : DataFrame
        Round trips as trades.csv has them; stop_price and target_price are drawn where present.
    title : str
        Headline, any text.
    banner : sequence of (what, how)
        Assumptions shown first.
    demo : str, default=""
        What is made up in the data; "" means that nothing is.
    vetoes : DataFrame, optional
        Refused entries as vetoed.csv has them; naive times are the exchange's.
    style : mapping, optional
        {column: {color, light, width, ...}}, "candles" and "trades" likewise: over the
        declarations; a column that they leave out is drawn too.
    symbol : str, default=""
        The instrument of `bars`; trades and vetoes of others are left out.
    study : SignalStudy, optional
        What followed the signals; shown below the chart.

    Raises
    ------
    InputError
        Bars out of order or without time zone, a column or colour that is not there, trades of
        other bars.
    """
    index = _checked(bars)
    style = style or {}
    drawn = [
        as_pulses(line, bars[line["column"]].to_numpy(dtype=np.float64))
        for line in drawings(panes, [str(c) for c in bars.columns], style)
    ]
    wall, zone = _wall(bars, index)
    data, columns = _columns(bars, drawn, wall)
    meta = {
        "title": readable(title),
        "symbol": readable(symbol),
        "demo": bool(demo),
        "bars": len(bars),
        "columns": columns,
        "tick": tick_decimals(bars[list(_OHLC)].to_numpy(dtype=np.float64)),
        "zone": zone,
        "sessions": _session_starts(bars, wall),
        "drawn": [_named(line) for line in drawn],
        "trades": _trades(trades, symbol, len(bars)),
        "vetoes": _vetoes(vetoes, symbol, index, wall),
        "colours": mark_colours(style),
    }
    page = render(
        "signals.html.j2",
        title=title,
        subtitle=_subtitle(bars, index, symbol),
        banner=banner,
        demo=demo,
        notices=[],
        licence=NOTICE,
        divergences=any(line["segment"] for line in drawn),
        study=None if study is None else study_context(study),
        library=Markup(lwc_js()),
        data=data,
        # JSON in a script element: nothing to escape but the opening bracket
        meta=Markup(_json(meta).replace("<", "\\u003c")),
    )
    write_page(path, page)


def _named(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return a drawing whose names can be shown beside numbers; columns keep theirs."""
    words = {value: readable(text) for value, text in line["words"].items()}
    return {**line, "words": words} | {name: readable(line[name]) for name in _SHOWN}


def _json(value: Any) -> str:
    return json.dumps(json_safe(value), allow_nan=False, separators=(",", ":"))


def _checked(bars: pd.DataFrame) -> pd.DatetimeIndex:
    """Return the index of bars that a chart can show."""
    missing = [name for name in _OHLC if name not in bars]
    if missing:
        found = ", ".join(map(str, bars.columns))
        raise InputError(f"bars: no column {missing[0]!r} (found: {found}); join or map it")
    if bars.empty:
        raise InputError("bars: none to draw; give a run with at least one bar")
    index = bars.index
    if not isinstance(index, pd.DatetimeIndex):
        raise InputError(f"bars: index begins {index[0]!r}; give the times of the bars' closes")
    if index.hasnans or not (index.is_monotonic_increasing and index.is_unique):
        raise InputError("bars: times repeat, fall or are missing; sort them, keep one row a bar")
    return index if index.tz is not None else index.tz_localize("UTC")


def _zone(bars: pd.DataFrame) -> str:
    """Return whose time the bars are in; stamps without a zone are the feed's own."""
    tz = pd.DatetimeIndex(bars.index).tz
    return "the feed's own" if tz is None else str(tz)


def _seconds(index: pd.DatetimeIndex) -> IntArray:
    """Return whole seconds since 1970, of UTC for aware and of the clock for naive stamps."""
    return np.asarray(index.as_unit("s").asi8, dtype=np.int64)


def _wall(bars: pd.DataFrame, index: pd.DatetimeIndex) -> tuple[IntArray, dict[str, Any]]:
    """Return the exchange's wall clock as seconds since 1970, and how to name it.

    Daily bars get the date of their session: one that closes at midnight would show the next.
    """
    wall = _seconds(index.tz_localize(None))
    utc = _seconds(index)
    daily = are_days(index)
    zone: dict[str, Any] = {"name": _zone(bars), "daily": daily, "offsets": []}
    if daily and "session" in bars and np.isfinite(bars["session"].to_numpy(float)).all():
        return (bars["session"].to_numpy(np.int64) - _EPOCH_ORDINAL) * 86400, zone
    offset = wall - utc
    starts = np.flatnonzero(np.diff(offset, prepend=offset[0] - 1))
    named = pd.DatetimeIndex(bars.index).tz is not None
    zone["offsets"] = [[i, index[i].strftime("%Z") if named else ""] for i in starts.tolist()]
    return wall, zone


def _columns(
    bars: pd.DataFrame, drawn: Sequence[Mapping[str, Any]], wall: IntArray
) -> tuple[str, list[list[Any]]]:
    """Return the packed columns, and name and decimals of each."""
    prices = [bars[name].to_numpy(dtype=np.float64) for name in _OHLC]
    digits = decimals_of(np.concatenate(prices), digits=7)
    parts: dict[str, tuple[FloatArray, int]] = {"time": (wall.astype(np.float64), 0)}
    parts |= {name: (values, digits) for name, values in zip(_OHLC, prices, strict=True)}
    wanted = [name for name in ("volume", "openinterest", "target") if name in bars]
    for line in drawn:
        wanted += [line["column"], line["on"], line["high"], *line["segment"]]
    for name in wanted:
        if name is not None and name not in parts:
            values = bars[name].to_numpy(dtype=np.float64)
            parts[name] = (values, decimals_of(values))
    for name in (line[part] for line in drawn for part in ("gradient", "strength")):
        if name is not None and name not in parts:
            parts[name] = (bars[name].to_numpy(dtype=np.float64), 2)  # a colour, not a number
    return pack(list(parts.values())), [[name, dec] for name, (_, dec) in parts.items()]


def _session_starts(bars: pd.DataFrame, wall: IntArray) -> list[int]:
    day = bars["session"].to_numpy(float) if "session" in bars else wall // 86400
    return [int(i) for i in np.flatnonzero(np.diff(day)) + 1]


def _trades(trades: pd.DataFrame, symbol: str, n_bars: int) -> dict[str, list[Any]]:
    """Return the trades of one instrument as columns; prices to nine significant digits."""
    missing = [name for name in _TRADE if name not in trades]
    if missing:
        raise InputError(f"trades: no column {missing[0]!r}; give them as trades.csv has them")
    own = _own(trades, symbol)
    for name in ("entry_bar", "exit_bar"):
        bar = own[name].to_numpy(dtype=np.float64)
        wrong = bar[~((bar >= 0) & (bar < n_bars) & (bar == np.floor(bar)))]
        if wrong.size:
            raise InputError(
                f"trades: {name} {wrong[0]:g}, but there are {n_bars} bars; "
                "give the trades of these bars"
            )
    own = own.sort_values("entry_bar", kind="stable")
    names = [*_TRADE, *(c for c in ("stop_price", "target_price") if c in own)]
    found: dict[str, list[Any]] = {}
    for name in names:
        if name in ("exit_reason", "status"):
            found[name] = [readable(text) for text in _texts(own[name])]
        elif name in ("entry_bar", "exit_bar", "direction"):
            found[name] = own[name].astype(int).tolist()
        else:
            found[name] = [float(f"{v:.9g}") for v in own[name].to_numpy(dtype=np.float64)]
    return found


def _own(table: pd.DataFrame, symbol: str) -> pd.DataFrame:
    """Return the rows of one instrument; rows that name none are its."""
    if "data" not in table:
        return table
    own = np.array([name in ("", symbol) for name in _texts(table["data"])], dtype=bool)
    return table[own]


def _texts(column: pd.Series) -> list[str]:
    return ["" if pd.isna(value) else str(value) for value in column]


def _vetoes(
    vetoes: pd.DataFrame | None, symbol: str, index: pd.DatetimeIndex, wall: IntArray
) -> list[list[Any]]:
    """Return refused entries as (bar, side, reason), those between the bars left out."""
    if vetoes is None or vetoes.empty:
        return []
    own = _own(vetoes, symbol)
    times = pd.DatetimeIndex(pd.to_datetime(own["time"]))
    if times.tz is None:
        clock = np.maximum.accumulate(_seconds(index.tz_localize(None)))
        at = np.searchsorted(clock, _seconds(times))
        found = clock[np.minimum(at, clock.size - 1)] == _seconds(times)
    else:
        at = index.get_indexer(times)
        found = at >= 0
    sides = own["side"].to_numpy(dtype=np.float64)
    reasons = [readable(text) for text in _texts(own["reason"])]
    rows = zip(at, sides, reasons, found, strict=True)
    return sorted([int(i), 1 if side > 0 else -1, why] for i, side, why, good in rows if good)


def _subtitle(bars: pd.DataFrame, index: pd.DatetimeIndex, symbol: str) -> str:
    first, last = index[0], index[-1]
    what = f"{symbol}, " if symbol else ""
    return f"{what}{first:%Y-%m-%d} to {last:%Y-%m-%d}, {len(bars):,} bars, {_zone(bars)} time"
