"""Which indicators a strategy shows, with their lines as arrays: what reports draw and count."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from backtrader.lineseries import LineSeriesStub

from hpi_bt.arrays import FloatArray
from hpi_bt.declarations import DECLARED, check_options
from hpi_bt.errors import InputError, Note, did_you_mean
from hpi_bt.indicators.authoring import defaults_of
from hpi_bt.indicators.base import KernelIndicator, data_of, kernel_series, param_named
from hpi_bt.indicators.plotted import Chart, plotted_chart


@dataclass(frozen=True)
class Shown:
    """One indicator of a run: its class, label, options and lines of shape (n_bars,).

    `plotted` is what its plotinfo and plotlines say, None where nobody has made it.
    """

    indicator: type
    label: str
    options: Mapping[str, Any]
    lines: Mapping[str, FloatArray]
    plotted: Chart | None = None

    def columns(self) -> dict[str, FloatArray]:
        """Return its lines under the names that signals.parquet gives them."""
        return {f"{self.label}.{name}": values for name, values in self.lines.items()}

    def panes(self) -> list[dict[str, Any]]:
        """Return what to draw where, one entry a line."""
        return panes_of(self.indicator, self.label, self.options, self.lines, self.plotted)

    def remarks(self, frame: pd.DataFrame) -> list[Note]:
        """Return what the indicator has to say about its own numbers."""
        if issubclass(self.indicator, KernelIndicator):
            return self.indicator.remarks(frame, self.lines, self.options)
        return []


def panes_of(
    indicator: type,
    label: str,
    options: Mapping[str, Any],
    lines: Collection[str],
    plotted: Chart | None = None,
) -> list[dict[str, Any]]:
    """Return what to draw where, one entry a line.

    As the `chart` of an indicator declares it, else its plotinfo and plotlines (`plotted`).

    Raises
    ------
    InputError
        The declaration names a line, an option or a kind that there is not.
    """
    chart = getattr(indicator, "chart", {})
    declared = chart if isinstance(chart, Mapping) else {}
    _check_lines(indicator, declared)
    drawn = declared or plotted
    if drawn is None:
        drawn = {name: {"pane": label} for name in lines}
    about = {
        "indicator": indicator.__name__,
        "label": label,
        "params": _changed(indicator, options),
    }
    return [
        about
        | {"column": f"{label}.{name}", "line": name, "kind": "line"}
        | _styled(style, options, f"{label}.{name}")
        for name, style in drawn.items()
        if name in lines
    ]


def _check_lines(indicator: Any, chart: Mapping[str, Any]) -> None:
    """Refuse a declaration of a line that the indicator does not have."""
    for name in chart:
        if name not in indicator.lines._getlines():
            about = did_you_mean(str(name), indicator.lines._getlines())
            raise InputError(f"{indicator.__name__}: chart: no line {name!r}{about}")


def _changed(indicator: Any, options: Mapping[str, Any]) -> str:
    """Return the parameters that are not the usual ones, as the legend shows them."""
    usual = indicator.params._getpairs() if hasattr(indicator, "params") else {}
    simple = (str, int, float, bool)
    return ", ".join(
        f"{name} {value}"
        for name, value in options.items()
        if isinstance(value, simple) and name in usual and value != usual[name]
    )


def _styled(style: Mapping[str, Any], options: Mapping[str, Any], column: str) -> dict[str, Any]:
    """Return a style in which "$name" and "-$name", in lists too, are parameters' values."""
    if not isinstance(style, Mapping):
        raise InputError(
            f"{column}: chart: {style!r} says nothing of a line; give {{'kind': 'line', ...}}"
        )
    styled = {k: _filled_in(v, options) for k, v in style.items()}
    check_options(styled, f"{column}: chart", DECLARED)
    return styled


def _filled_in(value: Any, options: Mapping[str, Any]) -> Any:
    if isinstance(value, (list, tuple)):
        return [_filled_in(one, options) for one in value]
    name = param_named(value)
    if name not in options:
        return value
    return -options[name] if value[0] == "-" else options[name]


def kernel_options(
    indicator: type[KernelIndicator], params: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return an indicator's parameters, those of `params` before its own, and its kernel's."""
    known: Any = indicator
    every = {k: params.get(k, v) for k, v in known.params._getpairs().items()}
    return every, {k: every[k] for k in defaults_of(indicator.kernel)}


def kernel_shown(
    indicator: type[KernelIndicator], frame: pd.DataFrame, params: Mapping[str, Any]
) -> Shown:
    """Return an indicator computed on a frame, with the parameters whose names agree."""
    outputs = indicator.outputs()
    every, options = kernel_options(indicator, params)
    series = kernel_series(frame, *indicator.inputs_for(every))
    values = outputs.arrays(indicator.kernel(*series, **options), len(frame))
    lines = dict(zip(outputs.names, values, strict=True))
    return Shown(indicator, indicator.__name__, every, lines)


def indicators_of(strategy: Any) -> list[type]:
    """Return the classes of every indicator that a strategy shows or has made."""
    made = [type(indicator) for indicator in strategy.getindicators_lines()]
    return [*getattr(type(strategy), "shows", ()), *made]


def shown_by(strategy: Any, frame: pd.DataFrame) -> list[Shown]:
    """Return what a finished strategy shows: its `shows`, or what it made of its first data."""
    declared = getattr(type(strategy), "shows", ())
    if declared:
        params = strategy.p._getkwargs()
        return [kernel_shown(indicator, frame, params) for indicator in declared]
    own = [m for m in made_by(strategy) if m.data is strategy.data]
    return [s for m in own if (s := shown_of(m, len(frame))) is not None]


def shown_beside(strategy: Any, n: int) -> list[Shown]:
    """Return the indicators of other datas whose first `n` bars closed when those of the first did.

    Their lines can lie beside its own, but they tell nothing of its price.
    """
    if getattr(type(strategy), "shows", ()):
        return []
    others = [m for m in made_by(strategy) if m.data is not strategy.data]
    stamps = _stamps(strategy.data, n) if others else []
    together = [m for m in others if _stamps(m.data, n) == stamps]
    return [s for m in together if (s := shown_of(m, n)) is not None]


def _stamps(data: Any, n: int) -> list[float]:
    """Return when a data's first `n` bars closed."""
    return list(data.lines.datetime.array)[:n]


class Made(NamedTuple):
    """An indicator that a strategy has made: the object, its label, its data, and its plot."""

    indicator: Any
    label: str
    data: Any
    plotted: Chart

    def panes(self) -> list[dict[str, Any]]:
        """Return what to draw where, one entry a line."""
        made = self.indicator
        names = made.lines.getlinealiases()
        return panes_of(type(made), self.label, made.p._getkwargs(), names, self.plotted)


def made_by(strategy: Any) -> list[Made]:
    """Return the indicators that a strategy has made, hidden and private ones left out.

    The second of a class is called <class>_2, and so on. One that computes what another does
    already is left out too, as the index of `Confirmed` beside that of the strategy it filters.
    """
    found: list[Made] = []
    panes: dict[Any, str] = {}
    for made in strategy.getindicators_lines():
        name = type(made).__name__
        if made.plotinfo.plot and not made.plotinfo.plotskip and not name.startswith("_"):
            twin = next((m.indicator for m in found if _equal(m.indicator, made)), None)
            if twin is not None:
                panes[made] = panes[twin]
                continue
            same = sum(type(m.indicator).__name__ == name for m in found)
            label = f"{name}_{same + 1}" if same else name
            found.append(Made(made, label, data_of(made), plotted_chart(made, panes, label)))
            drawn = found[-1].panes()
            panes[made] = drawn[0].get("pane", label) if drawn else label
    return found


def _equal(one: Any, other: Any) -> bool:
    """Return whether two indicators compute the same: one kernel, the same inputs and options."""
    if type(one) is not type(other) or not isinstance(one, KernelIndicator):
        return False
    inputs = [
        [d.lines[0] if isinstance(d, LineSeriesStub) else d for d in made.datas]
        for made in (one, other)
    ]
    given = (made.p._getkwargs().values() for made in (one, other))
    simple = (str, int, float, bool, type(None))
    return (
        len(inputs[0]) == len(inputs[1])
        and all(a is b for a, b in zip(*inputs, strict=True))
        and all(a is b or (isinstance(a, simple) and a == b) for a, b in zip(*given, strict=True))
    )


def shown_of(made: Made, n: int) -> Shown | None:
    """Return an indicator with its first `n` bars; None where it has kept fewer (exactbars)."""
    lines, kind = _arrays(made.indicator, n), type(made.indicator)
    options = made.indicator.p._getkwargs()
    return Shown(kind, made.label, options, lines, made.plotted) if lines else None


def _arrays(made: Any, n: int) -> dict[str, FloatArray]:
    names = made.lines.getlinealiases()
    arrays = [np.array(list(line.array)[:n], dtype=np.float64) for line in made.lines]
    whole = all(a.size == n for a in arrays)  # exactbars keeps a few bars only
    return dict(zip(names, arrays, strict=False)) if whole else {}


def demo_reason(frames: Iterable[pd.DataFrame], indicators: Iterable[type]) -> str:
    """Return why a run on these bars with these indicators must say DEMO, "" where it need not."""
    said = (str(frame.attrs.get("demo") or "") for frame in frames)
    made_up = any(getattr(indicator, "demo", False) for indicator in indicators)
    return next(filter(None, said), "") or (
        "option flow made up from price bars" if made_up else ""
    )


def check_allowed(
    indicator: type, symbol: str, bar_minutes: float, allow_demo: bool, allow_intraday: bool
) -> None:
    """Refuse made-up flow, and daily indicators on intraday bars, unless the config allows them.

    Raises
    ------
    InputError
        The config must say demo: true, or allow_intraday: true.
    """
    name = indicator.__name__
    if getattr(indicator, "demo", False) and not allow_demo:
        raise InputError(
            f"{name} makes its option flow up from price bars; say demo: true in the config to "
            "allow that, or use HedgePressureIndex on real option volume"
        )
    if getattr(indicator, "daily", False) and bar_minutes < 1440.0 and not allow_intraday:
        raise InputError(
            f"{name} is for daily bars, {symbol or 'the data'} has {bar_minutes:g}-minute bars; "
            "resample to daily or say allow_intraday: true"
        )
