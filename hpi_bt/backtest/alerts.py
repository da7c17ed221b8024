"""`hb.Alerts`: calls a function once for each alert of any strategy, as its bar closes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd

from hpi_bt.backtest.alerting import Alert, Style, alerts_of, events_of, no_alerts
from hpi_bt.backtest.watching import Watch
from hpi_bt.declarations import check_options
from hpi_bt.errors import InputError
from hpi_bt.feeds import names_of
from hpi_bt.indicators.shown import Shown, made_by, shown_of

Call = Callable[[Alert], Any]


class Alerts(bt.Analyzer):  # type: ignore[misc]
    """Calls `call` with an `Alert` for each event that an indicator of the strategy declares.

    `cerebro.addanalyzer(hb.Alerts, call=print)`; without `call` it only collects them:
    `strategy.analyzers.alerts.get_analysis()` is the list either way. An event is told at the
    close of its bar and never again when the bar is delivered again, be it in place or as a bar
    of its own with the same stamp. A bar that is replayed changes until it closes: it is judged
    as the next one begins, the last one at the end.

    Parameters
    ----------
    call : callable, optional
        Takes one `Alert`; what it raises ends the run.
    style : mapping, optional
        {column: {option: value}} over the declarations, as `chart` of a config.

    Raises
    ------
    InputError
        `call` cannot be called, or a declaration or the style names what there is not.
    """

    params = dict(call=None, style=None)

    def start(self) -> None:
        """Find what the strategy's indicators declare."""
        if self.p.call is not None and not callable(self.p.call):
            raise InputError(
                f"Alerts: call is {self.p.call!r}; give a function that takes an Alert"
            )
        for column, said in (self.p.style or {}).items():
            if column not in ("candles", "trades"):  # colours of the page
                check_options(said, f"Alerts: style.{column}")
        self._told: list[Alert] = []
        self._watch: Watch | None = Watch(self.strategy, self.p.style)

    def next(self) -> None:
        """Tell what this bar says."""
        if self._watch is not None:
            self._tell(self._watch.look())

    prenext = nextstart = next

    def stop(self) -> None:
        """Tell what a replayed bar says that nothing can change any more."""
        if self._watch is not None:
            self._tell(self._watch.rest())
        self._watch = None  # it holds lines, which do not pickle

    def _tell(self, alerts: Iterator[Alert]) -> None:
        for alert in alerts:
            self._told.append(alert)
            if self.p.call is not None:
                self.p.call(alert)

    def get_analysis(self) -> list[Alert]:
        """Return the alerts so far, in order of time."""
        return list(self._told)


def finished_alerts(
    strategy: Any, frame: pd.DataFrame, shown: list[Shown], style: Style = None
) -> pd.DataFrame:
    """Return the alerts of a run that kept its lines whole, in order of time.

    Parameters
    ----------
    strategy : bt.Strategy
        After its last bar.
    frame : DataFrame
        The bars of its first data.
    shown : list of Shown
        What `hpi_bt.indicators.shown.shown_by` says of it.
    style : mapping, optional
        As for `Alerts`.
    """
    names, main = names_of(strategy.datas), strategy.data
    if getattr(type(strategy), "shows", ()):
        return _table(shown, _columns(frame), frame.index, names[main], style)
    made, parts = made_by(strategy), []
    for data in strategy.datas:
        own = [m for m in made if m.data is data and events_of(m.panes(), style=style)]
        if not own or not len(data):
            continue
        bars = _columns(frame)
        index = pd.DatetimeIndex(frame.index)
        if data is not main:
            bars = {k: np.array(getattr(data.lines, k).array) for k in data.lines.getlinealiases()}
            index = _clock(bars["datetime"][: len(data)], data, index)
        lines = [s for m in own if (s := shown_of(m, len(index))) is not None]
        parts.append(_table(lines, bars, index, names[data], style))
    return _in_order(parts, frame)


def _columns(frame: pd.DataFrame) -> dict[str, Any]:
    return {str(name): frame[name].to_numpy() for name in frame}


def _table(
    shown: list[Shown], bars: Mapping[str, Any], index: pd.Index, data: str, style: Style
) -> pd.DataFrame:
    columns = {name: line for item in shown for name, line in item.columns().items()}
    prices = {name: values[: len(index)] for name, values in bars.items()}
    panes = [pane for item in shown for pane in item.panes()]
    return alerts_of(prices | columns, panes, index, data=data, style=style)


def _clock(stamps: Any, data: Any, like: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return a data's bars on the clock of the first data: its zone, or each its own wall clock."""
    tz = getattr(data, "_tz", None)
    times = pd.DatetimeIndex([bt.num2date(x, tz=tz, naive=like.tz is None) for x in stamps])
    return times if times.tz is None else times.tz_convert(like.tz)


def _in_order(parts: list[pd.DataFrame], frame: pd.DataFrame) -> pd.DataFrame:
    """Return the tables of several datas as one, by time; at one time by the order of the datas."""
    some = [part for part in parts if len(part)]
    if len(some) < 2:
        return some[0] if some else no_alerts(frame.index)
    whole = pd.concat(some)
    moment = pd.to_datetime(whole["time"], utc=True)
    return whole.iloc[np.argsort(moment, kind="stable")].reset_index(drop=True)


def watched_alerts(alerts: list[Alert], frame: pd.DataFrame) -> pd.DataFrame:
    """Return alerts that were told bar by bar as a table, on the clock of the first data."""
    if not alerts:
        return no_alerts(frame.index)
    zone = pd.DatetimeIndex(frame.index).tz
    table = pd.DataFrame(alerts)
    times = [pd.Timestamp(t) for t in table["time"]]
    if zone is None:
        return table.assign(time=[t.tz_localize(None) for t in times])
    return table.assign(time=[t.tz_convert(zone) if t.tz else t for t in times])
