"""What a scan shows of a finished run: the latest of each of its indicators."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.backtest.alerting import alert_bars, directions, events_of
from hpi_bt.backtest.record import Record
from hpi_bt.errors import InputError
from hpi_bt.kernels.crossings import sign_changes
from hpi_bt.kernels.windows import range_position
from hpi_bt.report.drawing import are_days, as_colour, blend

Pane = Mapping[str, Any]

DN_COLOR, UP_COLOR, TEXT_COLOR = "#00ffff", "#ffff00", "#000000"
_DISABLED = (-1, "-1")  # a colour that disables the gradient, as on TradeStation


@dataclass(frozen=True)
class Occurrence:
    """The last time that an event line said something.

    Attributes
    ----------
    direction : int
        +1 up, -1 down.
    text : str
        What its declaration calls it.
    time : datetime
        Close of the bar.
    bars, minutes : int, float
        Age at the last bar.
    """

    direction: int
    text: str
    time: datetime
    bars: int
    minutes: float


@dataclass(frozen=True)
class ScanRow:
    """One indicator of one config.

    Attributes
    ----------
    symbol, config, indicator, line : str
        `line` is the one whose `value` is shown, "" where the indicator has events alone.
    time : datetime
        Close of the last bar; None where `error` says why there is none.
    close, value : float
        At the last bar; NaN where not known.
    position : float
        0 the lowest, 1 the highest of the last bars; NaN where not known.
    color, text_color : str
        Of the value's cell, #rrggbb; "" where the gradient is off.
    cross, alert : Occurrence
        None where there was none.
    daily : bool
        Whether its bars are days or longer.
    warnings : tuple of str
        What the run warned of.
    demo : str
        Why the row must say DEMO, "" where it need not.
    error : str
        Why the config could not be scanned.
    """

    symbol: str
    config: str
    indicator: str = ""
    line: str = ""
    time: datetime | None = None
    close: float = math.nan
    value: float = math.nan
    position: float = math.nan
    color: str = ""
    text_color: str = ""
    cross: Occurrence | None = None
    alert: Occurrence | None = None
    daily: bool = False
    warnings: tuple[str, ...] = ()
    demo: str = ""
    error: str = ""


class Gradient(NamedTuple):
    """Colours of a value's cell: lowest and highest (None: the indicator's own), and its text."""

    dn_color: str | None
    up_color: str | None
    text_color: str
    enabled: bool

    def of(self, headline: Pane) -> tuple[str, str]:
        """Return the colours of the lowest and the highest value of an indicator."""
        low = self.dn_color or headline.get("gradient_from") or DN_COLOR
        high = self.up_color or headline.get("gradient_to") or UP_COLOR
        column = headline["column"]
        return (
            as_colour(low, f"{column}: gradient_from")[:7],
            as_colour(high, f"{column}: gradient_to")[:7],
        )


def gradient_of(
    up_color: str | int | None, dn_color: str | int | None, text_color: str | int
) -> Gradient:
    """Return the colours asked for, checked; -1 for any of them disables the gradient.

    Raises
    ------
    InputError
        A colour is none.
    """
    given = {"up_color": up_color, "dn_color": dn_color, "grid_foreground_color": text_color}
    wanted = {
        name: as_colour(value, f"{name}:")[:7]
        for name, value in given.items()
        if value is not None and value not in _DISABLED
    }
    enabled = not any(value in _DISABLED for value in given.values())
    text = wanted.get("grid_foreground_color", TEXT_COLOR)
    return Gradient(wanted.get("dn_color"), wanted.get("up_color"), text, enabled)


def rows_of(
    record: Record,
    config: str,
    *,
    length: int,
    gradient: Gradient,
    style: Mapping[str, Mapping[str, Any]],
) -> list[ScanRow]:
    """Return a row for each indicator of a record.

    Parameters
    ----------
    record : Record
        A finished run.
    config : str
        Its name.
    length : int
        Bars in whose range a value's position is taken, where there is no gradient line.
    gradient : Gradient
        Colours of the values' cells.
    style : mapping
        {column: {option: value}} over the declarations, as on the signal page.

    Raises
    ------
    InputError
        The strategy shows no indicator, or a declaration cannot be read.
    """
    if not record.panes:
        raise InputError(
            f"{config}: {record.strategy} shows no indicator; name some under `shows`, or "
            "make them in __init__"
        )
    said = (*record.remarks, *map(str, record.frame.attrs.get("notes", ())))
    warnings = tuple(s.removeprefix("warning: ") for s in said if s.startswith("warning"))
    rows = []
    for label, headline in headlines_of(record.panes, style).items():
        values = _line_of(record, headline)
        position = _position(record, headline, values, length)
        rows.append(
            ScanRow(
                symbol=str(record.frame.attrs.get("symbol", "")),
                config=config,
                indicator=label,
                line="" if values is None else str(headline["line"]),
                time=record.frame.index[-1],
                close=float(record.frame["close"].iloc[-1]),
                value=math.nan if values is None else float(values[-1]),
                position=position,
                cross=_last_cross(record, label, headline, style),
                alert=_last_alert(record, label, style),
                daily=are_days(pd.DatetimeIndex(record.frame.index)),
                warnings=warnings,
                demo=record.demo,
                **_cell_colours(headline, position, gradient),
            )
        )
    return rows


def headlines_of(panes: Sequence[Pane], style: Mapping[str, Mapping[str, Any]]) -> dict[str, Pane]:
    """Return by indicator the declaration of the line whose value a scan shows.

    It is the line declared `headline=True`, else the first one with levels or a range, else the
    first histogram, else the first that is no event. An indicator of events alone has its first
    event here, whose value is not shown.
    """
    found: dict[str, list[Pane]] = {}
    for pane in panes:
        whole = {**pane, **style.get(str(pane["column"]), {})}
        if not isinstance(whole.get("headline", False), bool):
            raise InputError(
                f"{pane['column']}: headline {whole['headline']!r}; give true or false"
            )
        found.setdefault(str(pane.get("label", pane["column"])), []).append(whole)
    return {label: min(lines, key=_rank) for label, lines in found.items()}


def _rank(pane: Pane) -> int:
    """Return 0 for the line that a scan shows first of all, 4 for an event; `min` keeps order."""
    if pane.get("kind") == "event":
        return 4
    if pane.get("headline"):
        return 0
    if pane.get("levels") or pane.get("range"):
        return 1
    return 2 if pane.get("kind") == "histogram" else 3


def _line_of(record: Record, headline: Pane) -> FloatArray | None:
    """Return the values of a headline, None where it is an event."""
    if headline.get("kind") == "event":
        return None
    return record.signals[headline["column"]].to_numpy(dtype=np.float64)


def _position(record: Record, headline: Pane, values: FloatArray | None, length: int) -> float:
    """Return the last value's place in its range, in [0, 1]; NaN where it is not known."""
    if values is None:
        return math.nan
    name = headline.get("gradient")
    for column in (f"{headline.get('label')}.{name}", str(name)) if name else ():
        if column in record.signals:
            return float(record.signals[column].iloc[-1])
    known = values[np.isfinite(values)]
    if not known.size or not np.isfinite(values[-1]):
        return math.nan
    return float(range_position(known, length)[-1])


def _cell_colours(headline: Pane, position: float, gradient: Gradient) -> dict[str, str]:
    if not gradient.enabled or not math.isfinite(position):
        return {}
    color = blend(*gradient.of(headline), position)
    return {"color": color, "text_color": gradient.text_color}


def _last_cross(
    record: Record, label: str, headline: Pane, style: Mapping[str, Mapping[str, Any]]
) -> Occurrence | None:
    """Return the last cross: of a line of that name, else of the headline through its level 0."""
    for pane in record.panes:
        if pane.get("label") != label or "cross" not in str(pane["line"]).lower():
            continue
        whole = {**pane, **style.get(str(pane["column"]), {})}
        line = record.signals[pane["column"]].to_numpy(dtype=np.float64)
        if whole.get("kind") == "event" or np.isin(line[np.isfinite(line)], (-1.0, 0.0, 1.0)).all():
            up, down = (str(whole.get(k, f"{pane['line']} {k}")) for k in ("up", "down"))
            return _latest(record, alert_bars(line), line, up, down)
    values = _line_of(record, headline)
    if values is None or 0.0 not in (headline.get("levels") or ()):
        return None
    through = sign_changes(values)
    return _latest(record, alert_bars(through), through, "above 0", "below 0")


def _last_alert(
    record: Record, label: str, style: Mapping[str, Mapping[str, Any]]
) -> Occurrence | None:
    """Return the last alert of an indicator; of several on one bar, one that is no cross."""
    last: tuple[int, bool] = (-1, False)
    found: Occurrence | None = None
    for event in events_of(record.panes, style=style):
        line = record.signals[event.column].to_numpy(dtype=np.float64)
        bars = alert_bars(line)
        if event.indicator != label or not bars.size:
            continue
        key = (int(bars[-1]), "cross" not in event.line.lower())
        if key > last:
            last, found = key, _latest(record, bars, line, event.up, event.down)
    return found


def _latest(
    record: Record, bars: IntArray, line: FloatArray, up: str, down: str
) -> Occurrence | None:
    if not len(bars):
        return None
    bar, index = int(bars[-1]), record.frame.index
    side = int(directions(line[bar]))
    minutes = (index[-1] - index[bar]).total_seconds() / 60.0
    return Occurrence(side, up if side > 0 else down, index[bar], len(index) - 1 - bar, minutes)
