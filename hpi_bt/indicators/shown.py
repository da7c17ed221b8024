"""Which indicators a strategy shows, with their lines as arrays: what reports draw and count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError
from hpi_bt.indicators.base import KernelIndicator, defaults_of, kernel_series


@dataclass(frozen=True)
class Shown:
    """One indicator of a run: its class, label, options and lines of shape (n_bars,)."""

    indicator: type
    label: str
    options: Mapping[str, Any]
    lines: Mapping[str, FloatArray]
    on_price: bool = False

    def columns(self) -> dict[str, FloatArray]:
        """Return its lines under the names that signals.parquet gives them."""
        return {f"{self.label}.{name}": values for name, values in self.lines.items()}

    def panes(self) -> list[dict[str, Any]]:
        """Return what to draw where, one entry a line."""
        chart = getattr(self.indicator, "chart", {})
        drawn = chart or {
            name: {"pane": "price" if self.on_price else self.label, "kind": "line"}
            for name in self.lines
        }
        about = {"indicator": self.indicator.__name__, "label": self.label}
        return [
            about | {"column": f"{self.label}.{name}", "line": name} | self._style(style)
            for name, style in drawn.items()
            if name in self.lines
        ]

    def _style(self, style: Mapping[str, Any]) -> dict[str, Any]:
        """Return a style whose "$name" values are the parameters of that name."""
        return {
            k: self.options.get(v[1:], v) if isinstance(v, str) and v[:1] == "$" else v
            for k, v in style.items()
        }

    def remarks(self, frame: pd.DataFrame) -> list[str]:
        """Return what the indicator has to say about its own numbers."""
        if issubclass(self.indicator, KernelIndicator):
            return self.indicator.remarks(frame, self.lines, self.options)
        return []


def kernel_shown(
    indicator: type[KernelIndicator], frame: pd.DataFrame, params: Mapping[str, Any]
) -> Shown:
    """Return an indicator computed on a frame, with the parameters whose names agree."""
    known: Any = indicator
    every = {k: params.get(k, v) for k, v in known.params._getpairs().items()}
    options = {k: every[k] for k in defaults_of(indicator.kernel)}
    series = kernel_series(frame, indicator.inputs, indicator.optional_inputs)
    out = indicator.kernel(*series, **options)
    values = out if isinstance(out, tuple) else (out,)
    names = indicator.lines._getlines()
    return Shown(indicator, indicator.__name__, every, dict(zip(names, values, strict=True)))


def indicators_of(strategy: Any) -> list[type]:
    """Return the classes of every indicator that a strategy shows or has made."""
    made = [type(indicator) for indicator in strategy.getindicators_lines()]
    return [*getattr(type(strategy), "shows", ()), *made]


def shown_by(strategy: Any, frame: pd.DataFrame) -> list[Shown]:
    """Return what a finished strategy shows: its `shows`, or the indicators it made."""
    declared = getattr(type(strategy), "shows", ())
    if declared:
        params = strategy.p._getkwargs()
        return [kernel_shown(indicator, frame, params) for indicator in declared]
    found: list[Shown] = []
    for made in strategy.getindicators_lines():
        lines = _arrays(made, len(frame))
        if not lines or not made.plotinfo.plot or type(made).__name__.startswith("_"):
            continue
        name = type(made).__name__
        same = sum(s.indicator is type(made) for s in found)
        label = f"{name}_{same + 1}" if same else name
        found.append(
            Shown(type(made), label, made.p._getkwargs(), lines, not made.plotinfo.subplot)
        )
    return found


def _arrays(made: Any, n: int) -> dict[str, FloatArray]:
    names = made.lines.getlinealiases()
    arrays = [np.array(list(line.array)[:n], dtype=np.float64) for line in made.lines]
    whole = all(a.size == n for a in arrays)  # exactbars keeps a few bars only
    return dict(zip(names, arrays, strict=False)) if whole else {}


def demo_reason(frame: pd.DataFrame, shown: list[Shown]) -> str:
    """Return why a run must say DEMO, "" where it need not."""
    made_up = any(getattr(s.indicator, "demo", False) for s in shown)
    return str(frame.attrs.get("demo", "")) or (
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
