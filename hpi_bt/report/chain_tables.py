"""Tables of a chain report: each expiry, calls and puts by strike, other dealer signs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError
from hpi_bt.options.chain import OptionChain
from hpi_bt.options.charm import charm_integral
from hpi_bt.options.cloud import pressure_cloud
from hpi_bt.options.dealers import CONVENTIONS
from hpi_bt.options.exposure import Exposures, exposures
from hpi_bt.options.flips import crossing_of, strike_sum_of
from hpi_bt.options.flow import HedgeFlow
from hpi_bt.options.impulse import impulse_curve
from hpi_bt.options.levels import PriceLevels
from hpi_bt.options.smile import POINT, Smile

#: Columns on the fit of each expiry's smile; misses in vol points, smile less quote.
FIT = ("fit_quotes", "fit_rms_vol_points", "fit_worst_vol_points", "fit_worst_strike")
_GRID = ("coupling", "ssr", "range_pct", "step_pct")
_REACH = ("reach_multiple", "zone_threshold")


def by_expiry_table(chain: OptionChain, flow: HedgeFlow, levels: PriceLevels) -> pd.DataFrame:
    """Return coupling, exposures, levels and smile of each expiry.

    And how far the smile is from its quotes, in vol points: rms, and the worst with its strike.
    """
    surface = flow.exposures.surface
    table = flow.curve.coupling.table.join(flow.exposures.by_expiry[["gex", "vex", "cex"]])
    table = table.join(levels.by_expiry)
    counts = pd.Series(chain.expiries[chain.expiry_code]).value_counts()
    smiles = [surface.get(moment) for moment in table.index]
    fits = [_fit_of(smile) for smile in smiles]
    return table.assign(
        contracts=counts.reindex(table.index).to_numpy(),
        forward=[math.nan if smile is None else smile.forward for smile in smiles],
        smile=["none" if smile is None else smile.kind for smile in smiles],
        **{name: [fit[at] for fit in fits] for at, name in enumerate(FIT)},
    )


def _fit_of(smile: Smile | None) -> tuple[float, ...]:
    """Return the columns FIT of a smile."""
    if smile is None:
        return (0, math.nan, math.nan, math.nan)
    worst = smile.worst
    miss = float(smile.residual[worst]) / POINT
    return (len(smile.used), smile.rms, miss, float(smile.quotes.strike[worst]))


def by_side_table(chain: OptionChain, found: Exposures) -> pd.DataFrame:
    """Return exposures by strike, calls and puts apart, in dollars."""
    strikes, place = np.unique(chain.strike, return_inverse=True)
    table: dict[str, Any] = {}
    for name, each in _dollars(chain, found).items():
        for side, right in (("call", 1.0), ("put", -1.0)):
            part = np.where(chain.right == right, each, 0.0)
            table[f"{side}_{name}"] = np.bincount(place, part, minlength=len(strikes))
    return pd.DataFrame(table, index=pd.Index(strikes, name="strike"))


def gross_exposures(chain: OptionChain, found: Exposures) -> dict[str, float]:
    """Return gex, vex and cex of all contracts without their signs, in dollars."""
    return {name: float(np.abs(each).sum()) for name, each in _dollars(chain, found).items()}


def _dollars(chain: OptionChain, found: Exposures) -> dict[str, FloatArray]:
    """Return gex, vex and cex of each contract, of shape (n_contracts,)."""
    shares = chain.multiplier * found.positions
    spot = chain.spot
    return {
        "gex": shares * found.gamma * (spot**2 * 0.01),
        "vex": shares * found.vanna * (spot * 0.01),
        "cex": shares * found.charm * (spot / 365.0),
    }


def sensitivity_table(
    chain: OptionChain, flow: HedgeFlow, settings: Mapping[str, Any]
) -> pd.DataFrame:
    """Return the main figures under each assumption of what dealers hold, one row each.

    The one of `settings` is marked as chosen; those that the chain does not know enough for are
    left out.
    """
    chosen = (settings["positioning"], settings["mode"])
    rows = []
    for positioning, mode in _assumptions(chain, *chosen):
        given = {**settings, "positioning": positioning, "mode": mode}
        try:
            figures = _figures_under(chain, flow, given)
        except InputError:  # a column that this one needs is unknown
            continue
        is_chosen = (positioning, mode) == chosen
        rows.append({"positioning": positioning, "mode": mode, "chosen": is_chosen, **figures})
    return pd.DataFrame(rows)


def _assumptions(chain: OptionChain, positioning: str, mode: str) -> list[tuple[str, str]]:
    """Return positioning and mode of each row, the chosen one among them."""
    signed = mode == "flow_delta" and chain.trade_flow is not None  # conventions do not apply
    pairs = [] if signed else [(name, mode) for name in CONVENTIONS]
    if chain.dealer_position is not None and mode != "volume":
        pairs.append(("dealer_position", mode))
    other = "canonical" if mode == "volume" else "volume"
    known = chain.open_interest if mode == "volume" else chain.volume
    if np.nansum(known) > 0.0:
        pairs += [(name, other) for name in CONVENTIONS]
    chosen = (positioning, mode)
    return pairs if chosen in pairs else [chosen, *pairs]


def _figures_under(
    chain: OptionChain, flow: HedgeFlow, settings: Mapping[str, Any]
) -> dict[str, float | str]:
    """Return the main figures under one assumption, on the smiles that are known."""
    book = exposures(
        chain,
        positioning=settings["positioning"],
        mode=settings["mode"],
        exposed=flow.exposures,
    )
    grid = {name: settings[name] for name in _GRID if name in settings}
    drift = {"method": "charm_method", "time_step_minutes": "time_step_minutes"}
    steps = {ours: settings[theirs] for ours, theirs in drift.items() if theirs in settings}
    reach = {name: settings[name] for name in _REACH if name in settings}
    curve = impulse_curve(chain, exposed=book, **grid)
    charm = charm_integral(chain, exposed=book, **steps)
    zones = pressure_cloud(curve, flow.regime, **reach).zones
    centres = {
        kind: next((zone.centre for zone in zones if zone.kind == kind), math.nan)
        for kind in ("stability", "acceleration")
    }
    return {
        "gex": book.gex,
        "vex": book.vex,
        "cex": book.cex,
        "impulse_usd": curve.impulse * chain.spot**2 * 0.01,
        "regime": curve.regime,
        "bias": curve.bias,
        "zero_gamma": crossing_of(chain, book).price,
        "zero_gamma_strike_sum": strike_sum_of(chain, book).price,
        "attractor_below": curve.attractor_below,
        "attractor_above": curve.attractor_above,
        "charm_shares": charm.shares,
        "charm_dollars": charm.dollars,
        "direction": charm.direction,
        **centres,
    }
