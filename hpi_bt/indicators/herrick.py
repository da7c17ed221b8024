"""The Herrick Payoff Index and its RSI as Backtrader lines (definitions 1 and 2)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import backtrader as bt
import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray, State, part
from hpi_bt.errors import Note
from hpi_bt.indicators.authoring import defaults_of
from hpi_bt.indicators.base import KernelIndicator, data_of
from hpi_bt.indicators.remarks import NO_INTEREST, herrick_remarks
from hpi_bt.kernels.crossings import level_crossings, sign_changes
from hpi_bt.kernels.divergence import pivot_divergence, unconfirmed_extreme
from hpi_bt.kernels.herrick import cumulative_payoff, herrick_payoff, herrick_rsi
from hpi_bt.kernels.memory import shared
from hpi_bt.kernels.windows import range_position


class HerrickPayoffLines(NamedTuple):
    """Lines of `HerrickPayoffIndex`, each of shape (n_bars,)."""

    raw: FloatArray
    hpi: FloatArray
    alert: FloatArray
    gradient: FloatArray


class HerrickRSILines(NamedTuple):
    """Lines of `HerrickRSI`, each of shape (n_bars,), and the bars that leave a zone."""

    payoff: FloatArray
    rsi: FloatArray
    signal: FloatArray
    cross: FloatArray
    divergence: FloatArray
    pivot_age: FloatArray
    previous_pivot_age: FloatArray
    zone: FloatArray
    zone_left: FloatArray


@shared
def herrick_payoff_lines(
    high: FloatArray,
    low: FloatArray,
    volume: FloatArray,
    openinterest: FloatArray,
    *,
    one_cent: float = 100.0,
    smoothing: float = 0.133,
    oi_base: str = "min",
    divisor: float = 1.0,
    max_oi_change: float | None = None,
    oi_lag: int = 0,
    alert_length: int = 14,
    color_norm_length: int = 14,
    gradient: bool = True,
    state: State = None,
) -> HerrickPayoffLines:
    """Return the payoff, its index, TradeStation's divergence alert and the colour gradient.

    The series have shape (n_bars,); raw, hpi and the first six options are those of
    `hpi_bt.kernels.herrick.herrick_payoff`. alert is -1 (bearish) where the high is the highest
    of `alert_length` bars and hpi is not, +1 (bullish) for lows, 0 elsewhere; gradient is hpi's
    place in its last `color_norm_length` bars, in [0, 1], NaN during warm-up or when switched off.
    """
    raw, hpi = herrick_payoff(
        high,
        low,
        volume,
        openinterest,
        one_cent=one_cent,
        smoothing=smoothing,
        oi_base=oi_base,
        divisor=divisor,
        max_oi_change=max_oi_change,
        oi_lag=oi_lag,
        state=part(state, "payoff"),
    )
    alert = unconfirmed_extreme(high, low, hpi, alert_length, state=part(state, "alert"))
    place = range_position(hpi, color_norm_length, state=part(state, "gradient"))
    return HerrickPayoffLines(raw, hpi, alert, place if gradient else np.full_like(place, np.nan))


@shared
def herrick_rsi_lines(
    high: FloatArray,
    low: FloatArray,
    volume: FloatArray,
    openinterest: FloatArray,
    *,
    hpi_smoothing: int = 3,
    rsi_length: int = 14,
    signal_length: int = 9,
    signal_type: str = "ema",
    overbought: float = 70.0,
    oversold: float = 30.0,
    pivots: str = "oscillator",
    pivot: int = 5,
    min_pivot_gap: int = 5,
    max_pivot_gap: int = 60,
    hidden: bool = False,
    one_cent: float = 100.0,
    oi_base: str = "min",
    max_oi_change: float | None = None,
    oi_lag: int = 0,
    state: State = None,
) -> HerrickRSILines:
    """Return the smoothed running payoff, its RSI, signal line, crosses, divergences and zones.

    The series have shape (n_bars,). rsi and signal are those of
    `hpi_bt.kernels.herrick.herrick_rsi`; cross is +1 where rsi crosses above its signal line, -1
    below; divergence and the pivots' ages are those of
    `hpi_bt.kernels.divergence.pivot_divergence` on high, low and rsi. zone is +1 on the bar where
    rsi reaches `overbought`, -1 where it reaches `oversold`; zone_left is -1 where it comes back
    below `overbought`, +1 where it comes back above `oversold`.
    """
    raw = herrick_payoff(
        high,
        low,
        volume,
        openinterest,
        one_cent=one_cent,
        oi_base=oi_base,
        max_oi_change=max_oi_change,
        oi_lag=oi_lag,
        state=part(state, "payoff"),
    ).raw
    payoff = cumulative_payoff(raw, hpi_smoothing, state=part(state, "shown"))
    rsi, signal = herrick_rsi(
        raw,
        hpi_smoothing=hpi_smoothing,
        rsi_length=rsi_length,
        signal_length=signal_length,
        signal_type=signal_type,
        state=part(state, "strength"),
    )
    cross = sign_changes(rsi - signal, state=part(state, "cross"))
    found = pivot_divergence(
        high,
        low,
        rsi,
        pivots=pivots,
        pivot=pivot,
        min_pivot_gap=min_pivot_gap,
        max_pivot_gap=max_pivot_gap,
        hidden=hidden,
        state=part(state, "pivots"),
    )
    zones = level_crossings(rsi, upper=overbought, lower=oversold, state=part(state, "zone"))
    return HerrickRSILines(payoff, rsi, signal, cross, *found, *zones)


class InterestCheck(bt.Analyzer):  # type: ignore[misc]
    """Warns after the last bar where a Herrick indicator has had no positive open interest.

    Not before: a feed may begin without it. Quiet where another analyzer reports the remarks of
    indicators of the first data, as `hpi_bt.Report` does.
    """

    params = dict(indicator=None)

    def stop(self) -> None:
        """Look back over the run."""
        made = self.p.indicator
        data = data_of(made)
        reports = any(getattr(one, "reports_remarks", False) for one in self.strategy.analyzers)
        if reports and data is self.strategy.data:
            return
        if len(made) and math.isnan(made[0]) and not (made._interest > 0.0).any():
            name = type(made).__name__ + (f" of {data._name}" if data._name else "")
            warnings.warn(f"{name}: {NO_INTEREST.text}", stacklevel=2)


class _Herrick(KernelIndicator):
    """What the Herrick indicators share: their inputs, and that they are for daily bars."""

    daily = True
    inputs = ("high", "low", "volume", "openinterest")

    def __init__(self) -> None:
        super().__init__()
        strategy = bt.metabase.findowner(self, bt.Strategy)
        if strategy is not None:
            strategy._addanalyzer_slave(InterestCheck, indicator=self)

    @property
    def _interest(self) -> FloatArray:
        """Open interest of the bars so far that Backtrader keeps."""
        line = self._kernel_child._sources[self.inputs.index("openinterest")]
        return np.array(line.array, dtype=np.float64)

    @classmethod
    def remarks(
        cls, frame: pd.DataFrame, lines: Mapping[str, FloatArray], options: Mapping[str, Any]
    ) -> list[Note]:
        """Return what was blanked, and a warning where open interest stands still."""
        return herrick_remarks(frame, options)


class HerrickPayoffIndex(_Herrick):
    """Money flow of a futures market from price, volume and open interest; above 0 is inflow.

    Lines: hpi, raw, alert (-1 bearish, +1 bullish divergence at an extreme), gradient (0-1). For
    daily or weekly bars.
    """

    alias = ("HerrickPayoff",)
    lines = ("hpi", "raw", "alert", "gradient")
    params = dict(
        defaults_of(herrick_payoff_lines),
        up_color="#ffff00",
        dn_color="#00ffff",
        zero_color="#006400",
    )
    kernel = staticmethod(herrick_payoff_lines)
    plotinfo = dict(plothlines=[0.0])
    plotlines = dict(
        hpi=dict(color="goldenrod", _fill_gt=(0, "gold"), _fill_lt=(0, "cyan")),
        raw=dict(_plotskip=True),
        alert=dict(_plotskip=True),
        gradient=dict(_plotskip=True),
    )
    chart = {
        "hpi": dict(
            pane="herrick", kind="line", width=2, color="$up_color", light="#b8860b",
            levels=[0.0], level_color="$zero_color", gradient="gradient",
            gradient_from="$dn_color", gradient_to="$up_color",
        ),
        "alert": dict(
            pane="herrick", kind="event", up="bullish divergence", down="bearish divergence",
            value="hpi",
        ),
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        first = 1 + self.p.oi_lag  # bars without a payoff
        self.addminperiod(first + max(self.p.alert_length, self.p.color_norm_length))

    def _plotlabel(self) -> list[object]:
        return [self.p.smoothing, self.p.oi_base, self.p.max_oi_change]


class HerrickRSI(_Herrick):
    """Wilder's RSI of the cumulative Herrick payoff, with signal line, in [0, 100].

    Lines: rsi, signal, payoff, cross (+1 rsi above its signal line, -1 below), divergence (+1
    bullish, -1 bearish, on the bar that confirms it; hidden ones 2 and -2), zone (+1 enters
    overbought, -1 enters oversold), pivot_age, previous_pivot_age.
    """

    alias = ("HerrickPayoffRSI",)
    lines = (
        "rsi", "signal", "payoff", "cross", "divergence", "zone", "pivot_age",
        "previous_pivot_age",
    )  # fmt: skip
    params = defaults_of(herrick_rsi_lines)
    kernel = staticmethod(herrick_rsi_lines)
    plotinfo: Any = dict(plothlines=[30.0, 50.0, 70.0])
    plotlines = dict(
        rsi=dict(color="purple"),
        signal=dict(color="orange"),
        payoff=dict(_plotskip=True),
        cross=dict(_plotskip=True),
        divergence=dict(_plotskip=True),
        zone=dict(_plotskip=True),
        pivot_age=dict(_plotskip=True),
        previous_pivot_age=dict(_plotskip=True),
    )
    chart = {
        "rsi": dict(
            pane="rsi", kind="line", color="#7e57c2", width=2, range=[0.0, 100.0],
            levels=["$oversold", 50.0, "$overbought"],
        ),
        "signal": dict(pane="rsi", kind="line", color="#ff9800"),
        "cross": dict(pane="rsi", kind="event", up="cross up", down="cross down", value="rsi"),
        "divergence": dict(
            pane="rsi", kind="event", up="bullish divergence", down="bearish divergence",
            segment=["pivot_age", "previous_pivot_age"], on="rsi",
        ),
        "zone": dict(
            pane="rsi", kind="event", up="enters overbought", down="enters oversold", value="rsi"
        ),
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        signal = max(0, self.p.signal_length - 1)
        if self.p.signal_type == "hma":
            signal += max(0, math.isqrt(self.p.signal_length) - 1)
        payoff = max(self.p.hpi_smoothing, 1 + self.p.oi_lag)
        self.addminperiod(payoff + self.p.rsi_length + signal)
        self.plotinfo.plothlines = [self.p.oversold, 50.0, self.p.overbought]

    def _plotlabel(self) -> list[object]:
        return [self.p.hpi_smoothing, self.p.rsi_length, self.p.signal_length, self.p.signal_type]
