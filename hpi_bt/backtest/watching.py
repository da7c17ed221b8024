"""Event lines judged bar by bar, in any mode of Cerebro, live ones included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import backtrader as bt
import numpy as np

from hpi_bt.arrays import copy_state
from hpi_bt.backtest.alerting import Alert, Event, Style, begins, directions, events_of
from hpi_bt.feeds import names_of
from hpi_bt.indicators.base import KernelIndicator
from hpi_bt.indicators.shown import Made, kernel_options, made_by, panes_of


class Watch:
    """Judges the event lines of a strategy's indicators bar by bar, in any mode of Cerebro."""

    def __init__(self, strategy: Any, style: Style = None) -> None:
        names = names_of(strategy.datas)
        lines: list[_Made | _Computed] = list(_computed(strategy))
        lines = lines or [_Made(made) for made in made_by(strategy)]
        found = [_Watched(x, names.get(x.data, ""), events_of(x.panes, style=style)) for x in lines]
        order = {data: i for i, data in enumerate(strategy.datas)}
        found.sort(key=lambda w: order.get(w.source.data, 0))
        self._watched = [w for w in found if w.events]

    def look(self) -> Iterator[Alert]:
        """Yield the alerts of the bars as they are now."""
        for watched in self._watched:
            yield from watched.look()

    def rest(self) -> Iterator[Alert]:
        """Yield the alerts of bars that were still open."""
        for watched in self._watched:
            yield from watched.settle()

    @property
    def bounded(self) -> bool:
        """Whether a line keeps its last values alone (exactbars)."""
        made = [w.source.made for w in self._watched if isinstance(w.source, _Made)]
        return any(line.mode != line.UnBounded for m in made for line in m.indicator.lines)


class _Made:
    """An indicator that the strategy has made: its lines are read as they stand."""

    def __init__(self, made: Made) -> None:
        self.made, self.data, self.panes = made, made.data, made.panes()
        self.names = [f"{made.label}.{name}" for name in made.indicator.lines.getlinealiases()]

    def values(self, bar: int, again: bool) -> dict[str, float]:
        """Return every line of the indicator at the present bar, by column."""
        lines = self.made.indicator.lines
        return {name: lines[i][0] for i, name in enumerate(self.names)}


class _Computed:
    """An indicator that the strategy shows but has not made: its kernel is run here.

    At once where every bar has been loaded before the first is run, else bar by bar; kernels give
    the same either way (definitions 0).
    """

    def __init__(self, indicator: type[KernelIndicator], strategy: Any) -> None:
        self.data, self._kernel = strategy.data, indicator.kernel
        self._outputs = indicator.outputs()
        every, self._options = kernel_options(indicator, strategy.p._getkwargs())
        label, names = indicator.__name__, self._outputs.names
        self.panes = panes_of(indicator, label, every, names)
        self.names = [f"{label}.{name}" for name in names]
        self._series = sum(indicator.inputs_for(every), ())
        self._begun = False
        self._state: dict[str, Any] = {}
        self._before: dict[str, Any] = {}
        self._whole: list[list[float]] | None = None

    def values(self, bar: int, again: bool) -> dict[str, float]:
        """Return every line at the present bar, by column; one that comes again is run again."""
        if not self._begun and _loaded(self.data):
            self._whole = self._at_once()
        self._begun = True
        if self._whole is not None:
            return {n: line[bar - 1] for n, line in zip(self.names, self._whole, strict=True)}
        if again:
            self._state = copy_state(self._before)
        else:
            self._before = copy_state(self._state)
        series = [np.array([_line_value(self.data, name)]) for name in self._series]
        out = self._kernel(*series, **self._options, state=self._state)
        values = self._outputs.arrays(out, 1)
        return {n: float(v[0]) for n, v in zip(self.names, values, strict=True)}

    def _at_once(self) -> list[list[float]]:
        data, n = self.data, self.data.buflen()
        unknown, known = np.full(n, np.nan), data.lines.getlinealiases()
        bars = {k: np.array(getattr(data.lines, k).array[:n]) for k in known}
        if "session" not in bars and "session" in self._series:
            days = [bt.num2date(x, tz=data._tz).toordinal() for x in bars["datetime"]]
            bars["session"] = np.array(days, dtype=np.float64)
        out = self._kernel(*(bars.get(name, unknown) for name in self._series), **self._options)
        return [line.tolist() for line in self._outputs.arrays(out, n)]


def _computed(strategy: Any) -> list[_Computed]:
    return [_Computed(indicator, strategy) for indicator in getattr(type(strategy), "shows", ())]


def _loaded(data: Any) -> bool:
    """Return whether all bars of a data lie in its lines, though not all of them were run."""
    lines = data.lines
    bounded = any(line.mode != line.UnBounded for line in lines)
    return not (bounded or data.replaying) and bool(data.buflen() > len(data))


def _line_value(data: Any, name: str) -> float:
    """Return a line of a data, NaN where it lacks it; a missing session is the local date."""
    if name in data.lines.getlinealiases():
        return float(getattr(data.lines, name)[0])
    return float(data.datetime.date(0).toordinal()) if name == "session" else np.nan


class _Watched:
    """The event lines of one indicator, and what has been said of its latest bar.

    A feed that connects again may send bars again that were judged: those that are older than the
    latest are passed over, one with its stamp replaces it. Bars that were all loaded before the
    first was run are as they are.
    """

    def __init__(self, source: _Made | _Computed, name: str, events: list[Event]) -> None:
        self.source, self.events, self._name = source, events, name
        known = (*source.names, *source.data.lines.getlinealiases())
        self._quoted = [event.among(known) for event in events]
        self._waits = bool(getattr(source.data, "replaying", False))
        self._bar, self._stamp = 0, -np.inf
        self._streamed = True
        self._values: dict[str, float] = {}
        self._now = [0.0] * len(events)
        self._before = list(self._now)
        self._told = [(0, -np.inf)] * len(events)

    def look(self) -> Iterator[Alert]:
        """Yield the alerts that are certain: of this bar, or of the one that a replay has ended."""
        data = self.source.data
        bar = len(data)
        if not bar:  # another data is ahead of this one
            return
        if not self._bar:
            self._streamed = not _loaded(data)
        if bar != self._bar:
            yield from self.settle()
        stamp = data.datetime[0]
        if self._streamed and stamp < self._stamp:
            return
        again = bar == self._bar or (self._streamed and stamp == self._stamp)
        if not again:
            self._before = list(self._now)
        self._bar, self._stamp = bar, stamp
        self._values = self.source.values(bar, again)
        self._now = [float(directions(self._values[e.column])) for e in self.events]
        for name in self._quoted:
            if name not in self._values:
                self._values[name] = _line_value(data, name)
        if not self._waits:
            yield from self.settle()

    def settle(self) -> Iterator[Alert]:
        """Yield what the values last seen say, unless it was said of this bar before."""
        for i, event in enumerate(self.events):
            bar, stamp = self._told[i]
            new = self._bar != bar and self._stamp != stamp
            if new and begins(self._now[i], self._before[i]):
                self._told[i] = self._bar, self._stamp
                side, value = int(self._now[i]), self._values[self._quoted[i]]
                text = event.text(side)
                yield Alert(self._time(), self._name, event.indicator, text, side, value)

    def _time(self) -> Any:
        tz = getattr(self.source.data, "_tz", None)
        return bt.num2date(self._stamp, tz=tz, naive=False)
