"""Dealers' hedge flow from point-in-time chain snapshots as Backtrader lines (definitions 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray, State, as_series, part
from hpi_bt.errors import Note, Severity
from hpi_bt.features.flow_columns import COLUMNS, REGIME_CODES, ZONES
from hpi_bt.indicators.authoring import Kernel, defaults_of
from hpi_bt.indicators.base import KernelIndicator
from hpi_bt.indicators.remarks import NEVER_KNOWN
from hpi_bt.kernels.memory import shared
from hpi_bt.kernels.zones import zone_entries
from hpi_bt.options.curve_features import UNKNOWN


class HedgeFlowLines(NamedTuple):
    """Lines of the indicator, each of shape (n_bars,)."""

    impulse: FloatArray
    slope: FloatArray
    asymmetry: FloatArray
    coupling: FloatArray
    gex: FloatArray
    vex: FloatArray
    cex: FloatArray
    zero_gamma: FloatArray
    call_wall: FloatArray
    put_wall: FloatArray
    attractor_above: FloatArray
    attractor_below: FloatArray
    charm_to_close: FloatArray
    regime: FloatArray
    stable_below_low: FloatArray
    stable_below_high: FloatArray
    stable_below_strength: FloatArray
    stable_above_low: FloatArray
    stable_above_high: FloatArray
    stable_above_strength: FloatArray
    unstable_below_low: FloatArray
    unstable_below_high: FloatArray
    unstable_below_strength: FloatArray
    unstable_above_low: FloatArray
    unstable_above_high: FloatArray
    unstable_above_strength: FloatArray
    stability_touch: FloatArray
    acceleration_touch: FloatArray
    stability_bound: FloatArray
    acceleration_bound: FloatArray


@shared
def hedge_flow_lines(
    high: FloatArray,
    low: FloatArray,
    *columns: FloatArray,
    min_strength: float = 0.0,
    state: State = None,
) -> HedgeFlowLines:
    """Return the hedge flow known at each bar, and the bars that enter its zones.

    Parameters
    ----------
    high, low : ndarray of shape (n_bars,)
        The bars' range, in dollars.
    *columns : ndarrays of shape (n_bars,)
        The columns of the feature `hedge_flow` (`hpi_bt.features.flow_columns.COLUMNS`), in that
        order and in its units, then the session of each bar; NaN where nothing is known. At bar
        t each must be the value known at t's close, as `features` in a config sees to.
    min_strength : float, default=0
        Zones weaker than this share of the strongest of their kind are left out.

    Returns
    -------
    lines : HedgeFlowLines
        The columns as given (the regime of an unknown impulse is unknown), the zones that are
        left, and the touches:
        stability_touch +1 where a bar enters the stability zone below (dealers buy there: long),
        -1 the one above; acceleration_touch +1 where it enters the acceleration zone above
        (dealers buy as it rises: long), -1 the one below. See `zone_entries`: the price moves
        into the zone, a zone that appears around the price is no touch; the first bar of a
        session touches what it meets. stability_bound and acceleration_bound are the bound of the
        zone that was reached, in dollars, on those bars; NaN on others.

    Raises
    ------
    ValueError
        `min_strength` lies outside [0, 1], or a column is missing.
    """
    if not 0.0 <= min_strength <= 1.0:
        raise ValueError(f"min_strength must lie in 0..1, got {min_strength!r}")
    if len(columns) != len(COLUMNS) + 1:
        wanted = f"the {len(COLUMNS)} of hedge_flow and session"
        raise ValueError(f"columns: {len(columns)}; wanted {wanted}")
    *values, session = as_series(*columns)
    given = {n.removeprefix("hedge_"): c for n, c in zip(COLUMNS, values, strict=True)}
    given["regime"] = np.where(np.isnan(given["impulse"]), np.nan, given["regime"])
    for zone in ZONES:
        weak = given[f"{zone}_strength"] < min_strength
        for name in (f"{zone}_low", f"{zone}_high", f"{zone}_strength"):
            given[name] = np.where(weak, np.nan, given[name])
    stable, unstable = (
        zone_entries(
            high, low,
            given[f"{kind}_below_low"], given[f"{kind}_below_high"],
            given[f"{kind}_above_low"], given[f"{kind}_above_high"],
            session, state=part(state, kind),
        )
        for kind in ("stable", "unstable")
    )  # fmt: skip
    return HedgeFlowLines(
        **given,
        stability_touch=-stable + 0.0,
        acceleration_touch=unstable,
        stability_bound=_reached(stable, given, "stable"),
        acceleration_bound=_reached(unstable, given, "unstable"),
    )


def _reached(entry: FloatArray, zones: Mapping[str, FloatArray], kind: str) -> FloatArray:
    """Return the near bound of the zone that a bar enters, NaN where it enters none."""
    above, below = zones[f"{kind}_above_low"], zones[f"{kind}_below_high"]
    return np.where(entry > 0.0, above, np.where(entry < 0.0, below, np.nan))


def _level(title: str, color: str, light: str, width: int = 1) -> dict[str, Any]:
    return dict(
        pane="price", kind="step", title=title, color=color, light=light, width=width,
        study=False, sparse=True,
    )  # fmt: skip


def _zone(name: str, title: str, color: str) -> dict[str, Any]:
    return dict(
        pane="price", kind="zone", title=title, color=color, high=f"{name}_high",
        strength=f"{name}_strength", study=False, sparse=True,
    )  # fmt: skip


_GREEN, _RED = "#1f9e76", "#d9534f"


class HedgeFlow(KernelIndicator):
    """Dealers' hedge flow, as of the last chain snapshot that was public at the bar's close.

    Lines: impulse (shares dealers trade against a $1 move; below 0 with it), slope, asymmetry (+
    upward), coupling, gex, vex, cex, zero_gamma, call_wall, put_wall, attractor_above,
    attractor_below, charm_to_close (dollars; below 0 dealers buy), regime (2 pinned, 1 squeeze
    up, 0 neutral, -1 squeeze down, -2 expansion; NaN unknown), low, high and strength of the
    nearest stability and acceleration zones, stability_touch and acceleration_touch (+1 long, -1
    short; where the price moves into a zone), stability_bound and acceleration_bound (the price
    reached there). Takes one data with the columns of the feature `hedge_flow`; those that it
    lacks stay unknown.

    Every line at a bar rests on the columns at that bar and the ranges up to it; nothing looks
    ahead. That the columns themselves were known is the feature's `known_at`.
    """

    inputs: ClassVar[tuple[str, ...]] = ("high", "low", COLUMNS[0])
    optional_inputs: ClassVar[tuple[str, ...]] = (*COLUMNS[1:], "session")
    lines: Any = HedgeFlowLines._fields
    params = defaults_of(hedge_flow_lines)
    kernel: ClassVar[Kernel] = staticmethod(hedge_flow_lines)
    plotinfo: Any = dict(plothlines=[0.0])
    plotlines = {
        name: dict(_plotskip=True) for name in HedgeFlowLines._fields if name != "impulse"
    } | {
        "impulse": dict(
            _method="bar", color="blue", alpha=0.6, width=1.0, _name="HedgeFlow impulse"
        )
    }
    chart = {
        "unstable_below_low": _zone("unstable_below", "acceleration below", _RED),
        "unstable_above_low": _zone("unstable_above", "acceleration above", _RED),
        "stable_below_low": _zone("stable_below", "stability below", _GREEN),
        "stable_above_low": _zone("stable_above", "stability above", _GREEN),
        "zero_gamma": _level("zero gamma", "#e2b714", "#a37b00", width=2),
        "call_wall": _level("call wall", "#4aa3df", "#1f6fb2"),
        "put_wall": _level("put wall", "#c678dd", "#8e3fae"),
        "attractor_above": _level("attractor above", "#8fbf9f", "#4f8a63"),
        "attractor_below": _level("attractor below", "#8fbf9f", "#4f8a63"),
        "stability_touch": dict(
            pane="price", kind="event", title="stability touched", up="stability zone below",
            down="stability zone above", value="stability_bound",
        ),
        "acceleration_touch": dict(
            pane="price", kind="event", title="acceleration entered", up="acceleration zone above",
            down="acceleration zone below", value="acceleration_bound",
        ),
        "impulse": dict(
            pane="impulse", kind="histogram", color="#8594a8", up_color=_GREEN, down_color=_RED,
            levels=[0.0], headline=True,
        ),
        "charm_to_close": dict(pane="charm", kind="area", color="#3d7de0", levels=[0.0]),
        "regime": dict(
            pane="regime", kind="step", color="#e2871f", range=[-2.5, 2.5],
            levels=[-2.0, -1.0, 0.0, 1.0, 2.0], width=2, study=False,
            words={code: name.replace("_", " ") for name, code in REGIME_CODES.items()},
        ),
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.addminperiod(2)  # a touch is told by the bar before

    @classmethod
    def remarks(
        cls, frame: pd.DataFrame, lines: Mapping[str, FloatArray], options: Mapping[str, Any]
    ) -> list[Note]:
        """Return how often the hedge flow was known, its regimes, and the touches."""
        known = np.isfinite(lines["impulse"]) | np.isfinite(lines["gex"])
        if not known.any():
            text = "hedge flow is never known: add the feature hedge_flow to the config"
            return [Note(Severity.ASSUMPTION, NEVER_KNOWN, text)]
        regime = lines["regime"][known]
        named = {name: regime == code for name, code in REGIME_CODES.items()}
        named[UNKNOWN] = ~np.isfinite(regime)
        shares = [
            f"{name.replace('_', ' ')} {100 * of.mean():.0f} %"
            for name, of in named.items()
            if of.any()
        ]
        touches = [
            f"{int((lines[f'{kind}_touch'] != 0).sum())} of {kind} zones"
            for kind in ("stability", "acceleration")
        ]
        text = f"hedge flow regimes: {', '.join(shares)}; touches: {' and '.join(touches)}"
        return [Note(Severity.INFO, "hedge-flow-regimes", text)]
