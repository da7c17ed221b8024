"""The Hedge Pressure Gauge as Backtrader lines (definitions 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
from numba import njit

from hpi_bt.arrays import FloatArray, State, as_series, carried
from hpi_bt.errors import Note, Severity
from hpi_bt.indicators.authoring import Kernel, defaults_of
from hpi_bt.indicators.base import KernelIndicator
from hpi_bt.kernels.memory import shared


class GaugeLines(NamedTuple):
    """The lines of `HedgePressureGauge`, each of shape (n_bars,)."""

    score: FloatArray
    change: FloatArray
    band: FloatArray
    alert: FloatArray


@njit(cache=True, nogil=True)
def _follow(
    score: FloatArray,
    session: FloatArray,
    edges: FloatArray,
    ring: FloatArray,
    carry: FloatArray,
    change: FloatArray,
    band: FloatArray,
    alert: FloatArray,
) -> None:
    """Fill the lines; `ring` holds the last score of the sessions before, oldest at `carry[0]`."""
    oldest, current, latest, last_band = carry
    for i in range(score.size):
        if session[i] != current:
            if not np.isnan(current):
                ring[int(oldest)] = latest
                oldest = (oldest + 1.0) % ring.size
            current = session[i]
        latest = score[i]
        change[i] = score[i] - ring[int(oldest)]
        band[i], alert[i] = np.nan, 0.0
        if np.isnan(score[i]):
            continue
        band[i] = float(np.searchsorted(edges, score[i], side="right"))
        if not np.isnan(last_band):
            alert[i] = np.sign(last_band - band[i])
        last_band = band[i]
    carry[0], carry[1], carry[2], carry[3] = oldest, current, latest, last_band


@shared
def gauge_lines(
    gauge: FloatArray,
    session: FloatArray,
    *,
    change_sessions: int = 5,
    moderate: float = 33.0,
    elevated: float = 57.0,
    high: float = 70.0,
    state: State = None,
) -> GaugeLines:
    """Return the gauge, its change, its band and an alert where it enters another band.

    Parameters
    ----------
    gauge : ndarray of shape (n_bars,)
        0 (calm) to 100 (stress), as the feature `gauge` brings it: known before the bar's close.
    session : ndarray of shape (n_bars,)
        Ordinal of each bar's session.
    change_sessions : int, default=5
    moderate, elevated, high : float
        Lowest score of each band; ascending.

    Returns
    -------
    score : ndarray of shape (n_bars,)
        The gauge.
    change : ndarray of shape (n_bars,)
        Points since the last bar of the session `change_sessions` before; NaN where either is
        unknown.
    band : ndarray of shape (n_bars,)
        0 low, 1 moderate, 2 elevated, 3 high; NaN without a score.
    alert : ndarray of shape (n_bars,)
        -1 where the band is higher than the last known one (more stress: bearish), +1 where it is
        lower, else 0.

    Raises
    ------
    ValueError
        `change_sessions` below 1, or bands that do not ascend.
    """
    if change_sessions < 1:
        raise ValueError(f"change_sessions must be at least 1, got {change_sessions}")
    if not moderate < elevated < high:
        raise ValueError(f"bands must ascend, got {moderate:g}, {elevated:g}, {high:g}")
    score, session = as_series(gauge, session)
    score = score.copy()
    change, band, alert = (np.empty_like(score) for _ in range(3))
    carry = carried(state, "carry", 4, np.nan)
    if np.isnan(carry[0]):
        carry[0] = 0.0
    ring = carried(state, "ring", change_sessions, np.nan)
    _follow(
        score, session, np.array([moderate, elevated, high]), ring, carry, change, band, alert
    )  # fmt: skip
    return GaugeLines(score, change, band, alert)


class HedgePressureGauge(KernelIndicator):
    """The 0-100 gauge of market stress; a higher band is BEARISH.

    Lines: score, change (points in five sessions), band (0 low, 1 moderate, 2 elevated, 3 high),
    alert (-1 a higher band entered, +1 a lower one). Takes one data with a line `gauge` (config:
    features: [{kind: gauge}]), or one line of 0 to 100, such as self.data.gauge_vix.
    """

    alias = ("StressGauge",)
    inputs: ClassVar[tuple[str, ...]] = ("gauge",)
    optional_inputs: ClassVar[tuple[str, ...]] = ("session",)
    lines: Any = ("score", "change", "band", "alert")
    params = defaults_of(gauge_lines)
    kernel: ClassVar[Kernel] = staticmethod(gauge_lines)
    plotinfo: Any = dict(plothlines=[33.0, 57.0, 70.0], plotymargin=0.05)
    plotlines = dict(
        score=dict(color="black"),
        change=dict(_plotskip=True),
        band=dict(_plotskip=True),
        alert=dict(_plotskip=True),
    )
    chart = {
        "score": dict(
            pane="gauge", kind="step", color="#d98b14", width=2, range=[0.0, 100.0],
            levels=["$moderate", "$elevated", "$high"], headline=True,
        ),
        "change": dict(pane="gauge change", kind="histogram", color="#808080", levels=[0.0]),
        "alert": dict(
            pane="gauge", kind="event", up="lower band", down="higher band",
            value="score",
        ),
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.addminperiod(2)  # a change of band needs the bar before
        self.plotinfo.plothlines = [self.p.moderate, self.p.elevated, self.p.high]

    @classmethod
    def remarks(
        cls, frame: pd.DataFrame, lines: Mapping[str, FloatArray], options: Mapping[str, Any]
    ) -> list[Note]:
        """Return how the bars fall into the bands, and where the gauge rests on little."""
        band, alert = lines["band"], lines["alert"]
        known = np.isfinite(band)
        counts = np.bincount(band[known].astype(np.int64), minlength=4)
        names = zip(("low", "moderate", "elevated", "high"), counts, strict=True)
        shares = ", ".join(f"{name} {count:,}" for name, count in names)
        changes = int((alert != 0.0).sum())
        text = f"gauge: bars by band: {shares}; {changes} changes of band"
        found = [Note(Severity.INFO, "gauge-bands", text)]
        if not known.all():
            text = f"gauge: unknown on {int((~known).sum()):,} of {len(band):,} bars"
            found.append(Note(Severity.INFO, "gauge-unknown", text))
        if "gauge_components" in frame:
            found += _thin(frame["gauge_components"])
        return found


def _thin(components: pd.Series) -> list[Note]:
    """Warn where the last bars rest on less than half of the components that there were."""
    count = components.to_numpy(dtype=np.float64)
    if not np.isfinite(count).any() or not np.isfinite(count[-1]):
        return []
    most = np.nanmax(count)
    full = np.flatnonzero(~(count < most / 2.0))
    if not len(full) or full[-1] == len(count) - 1:
        return []
    begin = full[-1] + 1
    since, rest = pd.DatetimeIndex(components.index)[begin], np.nanmax(count[begin:])
    end = f", at the end on {count[-1]:g}" if count[-1] < rest else ""
    text = (
        f"from {since:%Y-%m-%d} on the gauge rests on {rest:g} of {most:g} components{end}; the "
        "others' data have ended"
    )
    return [Note(Severity.WARNING, "gauge-components", text)]
