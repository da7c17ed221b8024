"""Alerts: the bars on which a declared event line begins to say something."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.errors import InputError, did_you_mean

#: {column: {option: value}} over what indicators declare, as `chart` of a config.
Style: TypeAlias = Mapping[str, Mapping[str, Any]] | None


class Alert(NamedTuple):
    """One alert, as a row of alerts.csv has it.

    Attributes
    ----------
    time : datetime
        Close of the bar, with its zone where the feed has one.
    data, indicator, alert : str
        Name of the data, label of the indicator, what its declaration calls the event.
    direction : int
        +1 up, -1 down.
    value : float
        Of the line that the event belongs to, at that bar.
    """

    time: datetime
    data: str
    indicator: str
    alert: str
    direction: int
    value: float


ALERT_COLUMNS = Alert._fields


class Event(NamedTuple):
    """An event line as its indicator declares it; `value` names the line that alerts quote."""

    column: str
    indicator: str
    line: str
    up: str
    down: str
    value: str

    def among(self, known: Collection[str]) -> str:
        """Return the name under which `value` is known: a line of the indicator, else of the bars.

        Raises
        ------
        InputError
            It is neither.
        """
        for name in (f"{self.indicator}.{self.value}", self.value):
            if name in known:
                return name
        names = {str(name).removeprefix(f"{self.indicator}.") for name in known}
        raise InputError(
            f"{self.column}: value names {self.value!r}{did_you_mean(self.value, names)}"
        )

    def text(self, direction: float) -> str:
        """Return what an alert of that direction is called."""
        return self.up if direction > 0 else self.down


def directions(line: Any) -> Any:
    """Return the sign of an event line, number or array; not known (NaN) is 0."""
    return 1.0 * (line > 0.0) - 1.0 * (line < 0.0)


def begins(now: Any, before: Any) -> Any:
    """Return whether there is an alert: a direction that is not that of the bar before.

    A state that lasts alerts once, as it begins; a pulse on its bar. Numbers or arrays.
    """
    return (now != 0.0) & (now != before)


def alert_bars(line: FloatArray) -> IntArray:
    """Return the numbers of the bars on which an event line of shape (n_bars,) alerts."""
    now = directions(np.asarray(line, dtype=np.float64))
    return np.flatnonzero(begins(now, np.concatenate([[0.0], now[:-1]])))


def events_of(panes: Sequence[Mapping[str, Any]], *, style: Style = None) -> list[Event]:
    """Return the event lines that give alerts: kind "event", unless `alert` is False.

    Parameters
    ----------
    panes : sequence of mapping
        panes.json: column, label, line and what the indicator's `chart` says of it. An alert
        quotes the line `value`, else the one that the event sits `on`, else the event line.
    style : mapping, optional
        {column: {option: value}} over the declarations, as on the signal page.

    Raises
    ------
    InputError
        `alert` is not true or false.
    """
    found = []
    for pane in panes:
        column, label = str(pane["column"]), str(pane.get("label", ""))
        said = {**pane, **(style or {}).get(column, {})}
        if said.get("kind") != "event":
            continue
        wanted = said.get("alert", True)
        if not isinstance(wanted, bool):
            raise InputError(f"{column}: alert {wanted!r}; give true or false")
        if wanted:
            up, down = (str(said.get(side, side)) for side in ("up", "down"))
            line = str(pane.get("line", column))
            value = str(said.get("value") or said.get("on") or line)
            found.append(Event(column, label, line, up, down, value))
    return found


def alerts_of(
    lines: Mapping[str, Any],
    panes: Sequence[Mapping[str, Any]],
    index: pd.Index,
    *,
    data: str = "",
    style: Style = None,
) -> pd.DataFrame:
    """Return the alerts of finished lines, a row each in order of time, columns ALERT_COLUMNS.

    Parameters
    ----------
    lines : DataFrame or mapping of str to array of shape (n_bars,)
        Every column that `panes` names, as signals.parquet has it; the bars too, where an event
        sits on one of their prices.
    panes, style
        As for `events_of`.
    index : DatetimeIndex of length n_bars
        Closes of the bars.
    data : str, default=""
        Name of the data that the lines belong to.
    """
    parts = [no_alerts(index).rename_axis("bar")]
    for event in events_of(panes, style=style):
        line = np.asarray(lines[event.column], dtype=np.float64)
        bars = alert_bars(line)
        side = directions(line[bars]).astype(np.int64)
        values = np.asarray(lines[event.among(lines)], dtype=np.float64)[bars]
        texts = [event.text(s) for s in side]
        columns = (index[bars], data, event.indicator, texts, side, values)
        row = dict(zip(ALERT_COLUMNS, columns, strict=True))
        parts.append(pd.DataFrame(row, index=pd.Index(bars, name="bar")))
    if not any(map(len, parts)):
        return parts[0].reset_index(drop=True)
    whole = pd.concat([part for part in parts if len(part)])
    return whole.sort_values("bar", kind="stable").reset_index(drop=True)


def no_alerts(index: pd.Index | None = None) -> pd.DataFrame:
    """Return the table without rows; its times are of the kind of `index`."""
    none = pd.DataFrame(columns=list(ALERT_COLUMNS))
    return none if index is None else none.assign(time=index[:0])
