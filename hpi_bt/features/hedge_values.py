"""The hedge flow of one chain as numbers in named columns (definitions 5 and 6)."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import NamedTuple

import pandas as pd

from hpi_bt.features.flow_columns import LINES, REGIME_CODES, ZONE_LINES, FlowOptions
from hpi_bt.options.chain import OptionChain
from hpi_bt.options.charm import charm_integral
from hpi_bt.options.cloud import PressureCloud, pressure_cloud
from hpi_bt.options.exposure import Exposures, exposures
from hpi_bt.options.impulse import ImpulseCurve, impulse_curve
from hpi_bt.options.levels import price_levels
from hpi_bt.options.regime import market_regime
from hpi_bt.sources.hours import session_bounds, session_ordinals


class FlowValues(NamedTuple):
    """What a chain says.

    Attributes
    ----------
    columns : dict of str to float
        One number for each of COLUMNS; NaN where there is none.
    until : Timestamp
        The last expiry of its contracts: from then on the numbers mean nothing.
    flags : tuple of str
        What a reader should know, one plain sentence each.
    """

    columns: dict[str, float]
    until: pd.Timestamp
    flags: tuple[str, ...]


def flow_values(chain: OptionChain, options: FlowOptions) -> FlowValues:
    """Return the hedge flow of a chain as one row.

    Parameters
    ----------
    chain : OptionChain
    options : FlowOptions

    Returns
    -------
    row : FlowValues
        impulse (shares per $1), slope (shares per $1 per $1), asymmetry = (down - up) / the larger
        of |up| and |down|, + where moves up are fed more (beyond 0.1 that is the bias); coupling k
        of the nearest expiry; gex, vex, cex (dollars); levels, attractors and zone bounds
        (dollars); charm_to_close (dollars of the book's drift to the nearest expiry or the
        session's close, whichever is first; dealers trade the opposite); regime (REGIME_CODES, NaN
        where it is unknown);
        of each kind of zone the one with its centre nearest to spot, below and above (one that
        is centred at spot offers no trade and is neither).

    Raises
    ------
    InputError
        No contract of the wanted expiry is alive, or the chain says too little.
    """
    book = chain.live().select(expiry=options.expiry)
    found = exposures(book, positioning=options.positioning, mode=options.mode, vols=options.vols)
    curve = impulse_curve(
        book,
        coupling=options.coupling,
        ssr=options.ssr,
        range_pct=options.range_pct,
        step_pct=options.step_pct,
        exposed=found,
    )
    cloud = pressure_cloud(
        curve,
        market_regime(found.surface),
        reach_multiple=options.reach_multiple,
        zone_threshold=options.zone_threshold,
        futures={},
    )
    levels = price_levels(book, exposed=found)
    values = {
        **_curve_values(curve),
        **{name: float(getattr(found, name)) for name in ("gex", "vex", "cex")},
        "zero_gamma": levels.zero_gamma,
        "call_wall": levels.call_wall,
        "put_wall": levels.put_wall,
        "charm_to_close": _charm_to_close(book, found, options.calendar),
        **_zone_values(cloud, curve.spot),
    }
    named = {f"hedge_{name}": values[name] for name in (*LINES, *ZONE_LINES)}
    flags = dict.fromkeys((*book.notes, *found.flags, *curve.flags, *levels.flags))
    return FlowValues(named, book.expiry.max(), tuple(flags))


def _curve_values(curve: ImpulseCurve) -> dict[str, float]:
    k = curve.coupling.table["k"].dropna()
    larger = max(abs(curve.up), abs(curve.down))
    return {
        "impulse": curve.impulse,
        "slope": curve.slope,
        "asymmetry": (curve.down - curve.up) / larger if larger > 0.0 else 0.0 * larger,
        "coupling": float(k.iloc[0]) if len(k) else math.nan,
        "attractor_above": curve.attractor_above,
        "attractor_below": curve.attractor_below,
        "regime": REGIME_CODES.get(curve.regime, math.nan),
    }


def _charm_to_close(chain: OptionChain, found: Exposures, calendar: str) -> float:
    """Return the drift of the book's delta in dollars; NaN after the session's close."""
    session = session_ordinals(pd.DatetimeIndex([chain.as_of]), calendar)
    close = pd.Timestamp(int(session_bounds(session, calendar)[1][0]), tz="UTC")
    if close - chain.as_of < timedelta(0):
        return math.nan
    first = chain.expiry[chain.is_live].min()
    if close == chain.as_of:
        return 0.0
    horizon = None if first <= close else close
    return charm_integral(chain, horizon=horizon, exposed=found).dollars


def _zone_values(cloud: PressureCloud, spot: float) -> dict[str, float]:
    """Return bounds and strength of the nearest zone of each kind on each side of spot."""
    values = dict.fromkeys(ZONE_LINES, math.nan)
    for word, kind in (("stable", "stability"), ("unstable", "acceleration")):
        for side, sign in (("below", -1.0), ("above", 1.0)):
            there = [z for z in cloud.zones if z.kind == kind and sign * (z.centre - spot) > 0.0]
            if there:
                zone = min(there, key=lambda z: abs(z.centre - spot))
                for part in ("low", "high", "strength"):
                    values[f"{word}_{side}_{part}"] = float(getattr(zone, part))
    return values
