"""The pressure cloud: where dealers' hedging damps moves or feeds them (definitions 6)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError, Note, Severity
from hpi_bt.options.curve_features import Extreme
from hpi_bt.options.hedge import futures_on, hedge_contracts
from hpi_bt.options.impulse import ImpulseCurve
from hpi_bt.options.regime import MarketRegime


class Zone(NamedTuple):
    """A stretch of prices around a basin (stability) or a peak (acceleration).

    Attributes
    ----------
    kind : {"stability", "acceleration"}
    centre, low, high : float
        Dollars; the bounds are where H falls to half, or the grid's end.
    impulse : float
        H at the centre, in shares per $1.
    strength : float
        |H| over the largest of the kind, times proximity; in [0, 1].
    side : {"long", "short", "none"}
        Trade it offers: stability below spot long, above short; acceleration below short, above
        long; none at spot itself.
    trade_type : {"passive", "aggressive"}
        Resting orders in stability zones, orders that follow the move in acceleration zones.
    open_ended : bool
        Whether a bound is the end of the grid or of what is known.
    """

    kind: str
    centre: float
    low: float
    high: float
    impulse: float
    strength: float
    side: str
    trade_type: str
    open_ended: bool


class RegimeEdge(NamedTuple):
    """A zero of the impulse, read moving away from spot.

    `turn` is "stable_to_unstable" or "unstable_to_stable"; `rising` whether H rises with price.
    """

    price: float
    turn: str
    rising: bool


@dataclass(frozen=True, eq=False)
class PressureCloud:
    """Stability and acceleration along spot.

    Attributes
    ----------
    price, proximity, stability, acceleration : ndarray of shape (n_prices,)
        Dollars; exp(-((S' - S)/reach)^2); max(H, 0) and max(-H, 0) times proximity.
    reach : float
        Dollars.
    zones : tuple of Zone
        Strongest first.
    edges : tuple of RegimeEdge
        Ascending by price.
    hedge : DataFrame or None
        As `hedge_contracts` gives it; None for a kernel map.
    flags : tuple of str
        What a reader should know, one plain sentence each.
    """

    price: FloatArray
    proximity: FloatArray
    stability: FloatArray
    acceleration: FloatArray
    reach: float
    zones: tuple[Zone, ...]
    edges: tuple[RegimeEdge, ...]
    hedge: pd.DataFrame | None
    flags: tuple[str, ...] = ()


def pressure_cloud(
    curve: ImpulseCurve,
    regime: MarketRegime,
    *,
    reach_multiple: float = 2.0,
    zone_threshold: float = 0.15,
    futures: Mapping[str, float] | None = None,
    betas: Mapping[str, float] | None = None,
) -> PressureCloud:
    """Return the zones, edges and hedge trades of an impulse curve.

    Parameters
    ----------
    curve : ImpulseCurve
    regime : MarketRegime
        Its expected daily move sets the reach.
    reach_multiple : float, default=2.0
        Reach in expected daily moves.
    zone_threshold : float, default=0.15
        Share of the largest |H| of their kind below which basins and peaks make no zone.
    futures, betas : mapping, optional
        As in `hedge_contracts`. By default an index takes its own futures at the price of spot,
        flagged; other symbols take none.

    Returns
    -------
    cloud : PressureCloud

    Raises
    ------
    InputError
        A reach or threshold out of range; or as `hedge_contracts`.
    """
    if not 0.0 < reach_multiple < math.inf:
        raise InputError(f"reach_multiple: {reach_multiple}; give daily moves, above 0")
    if not 0.0 <= zone_threshold <= 1.0:
        raise InputError(f"zone_threshold: {zone_threshold}; give a share from 0 to 1")
    reach = reach_multiple * regime.expected_daily_move * curve.spot
    proximity = np.exp(-(((curve.price - curve.spot) / reach) ** 2))
    impulse = curve.impulse_shares
    stable = _zones(curve, curve.basins, "stability", proximity, zone_threshold)
    unstable = _zones(curve, curve.peaks, "acceleration", proximity, zone_threshold)
    hedge, flag = _hedge(curve, futures, betas)
    return PressureCloud(
        price=curve.price,
        proximity=proximity,
        stability=np.maximum(impulse, 0.0) * proximity,
        acceleration=np.maximum(-impulse, 0.0) * proximity,
        reach=reach,
        zones=tuple(sorted([*stable, *unstable], key=lambda zone: -zone.strength)),
        edges=tuple(
            RegimeEdge(c.price, _turn(c.price, c.rising, curve.spot), c.rising)
            for c in curve.crossings
        ),
        hedge=hedge,
        flags=(*curve.flags, *regime.flags, *flag),
    )


def _zones(
    curve: ImpulseCurve,
    extremes: tuple[Extreme, ...],
    kind: str,
    proximity: FloatArray,
    threshold: float,
) -> list[Zone]:
    """Return the zones of one kind."""
    largest = max((abs(extreme.impulse) for extreme in extremes), default=0.0)
    zones = []
    for extreme in extremes:
        if abs(extreme.impulse) < threshold * largest:
            continue
        low, low_open = half_bound(curve.price, curve.impulse_shares, extreme.at, -1)
        high, high_open = half_bound(curve.price, curve.impulse_shares, extreme.at, 1)
        zones.append(
            Zone(
                kind=kind,
                centre=extreme.price,
                low=low,
                high=high,
                impulse=extreme.impulse,
                strength=float(abs(extreme.impulse) / largest * proximity[extreme.at]),
                side=_side(kind, extreme.price, curve.spot),
                trade_type="passive" if kind == "stability" else "aggressive",
                open_ended=low_open or high_open,
            )
        )
    return zones


def half_bound(price: FloatArray, impulse: FloatArray, at: int, step: int) -> tuple[float, bool]:
    """Return where H falls to half of its value at place `at`, going down (-1) or up (+1).

    And whether it never does: then the price is the last one at which H is known.
    """
    half = 0.5 * impulse[at]
    side = math.copysign(1.0, half)
    last = at
    while 0 <= last + step < len(price) and not math.isnan(impulse[last + step]):
        after = last + step
        if side * impulse[after] <= side * half:
            share = (impulse[last] - half) / (impulse[last] - impulse[after])
            return float(price[last] + share * (price[after] - price[last])), False
        last = after
    return float(price[last]), True


def _side(kind: str, price: float, spot: float) -> str:
    """Return the trade that a zone offers."""
    if price == spot:
        return "none"
    return "long" if (price < spot) == (kind == "stability") else "short"


def _turn(price: float, rising: bool, spot: float) -> str:
    """Return what a zero means to one who comes from spot; at spot itself, going up."""
    to_unstable = rising == (price < spot)
    return "stable_to_unstable" if to_unstable else "unstable_to_stable"


def _hedge(
    curve: ImpulseCurve,
    futures: Mapping[str, float] | None,
    betas: Mapping[str, float] | None,
) -> tuple[pd.DataFrame | None, list[str]]:
    """Return the hedge trades and what must be said of them."""
    if curve.method != "reprice":
        return None, ["A kernel map gives no hedge contracts: it is no revalued book."]
    if futures is not None:
        return hedge_contracts(curve, futures, betas=betas), []
    own = futures_on(curve.symbol, curve.spot)
    if own:
        names = ", ".join(own)
        text = f"{names} taken at the price of spot; their own can be given as `futures`."
        return hedge_contracts(curve, own), [Note(Severity.ASSUMPTION, "futures-at-spot", text)]
    text = "Hedges are in shares alone; the price of a future, as `futures`, gives contracts."
    return hedge_contracts(curve, {}), [Note(Severity.INFO, "no-futures", text)]
