"""The market's regime and the dynamics that its smile implies (definitions 6)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from hpi_bt.errors import InputError
from hpi_bt.options.smile import Smile

#: Lowest at-the-money vol of each regime.
REGIMES = (("crisis", 0.35), ("stressed", 0.20), ("normal", 0.15), ("calm", 0.0))
TRADING_DAYS = 252


@dataclass(frozen=True)
class MarketRegime:
    """What one smile says of the market.

    Attributes
    ----------
    label : {"calm", "normal", "stressed", "crisis"}
        By the vol at the money: below 0.15, 0.20, 0.35, and above.
    s0, skew, curvature : float
        Vol at the money, d sigma/dy and d2 sigma/dy2 there, y = ln(K/F).
    expected_daily_move : float
        s0/sqrt(252), a share of spot.
    spot_vol_correlation, vol_of_vol : float
        Of lognormal SABR dynamics, vol_of_vol per sqrt(year); NaN where the smile allows none.
    expiry : Timestamp
        Of the smile.
    flags : tuple of str
        What a reader should know, one plain sentence each, which name the smile's expiry.
    """

    label: str
    s0: float
    skew: float
    curvature: float
    expected_daily_move: float
    spot_vol_correlation: float
    vol_of_vol: float
    expiry: pd.Timestamp
    flags: tuple[str, ...] = ()


def market_regime(surface: Mapping[pd.Timestamp, Smile] | Smile) -> MarketRegime:
    """Return the regime of a smile, or of the nearest fitted smile of a surface.

    Parameters
    ----------
    surface : Smile, or mapping of Smile by expiry
        Of a surface the nearest expiry with an SVI smile counts, or the nearest of any kind
        where none is SVI.

    Returns
    -------
    regime : MarketRegime

    Raises
    ------
    InputError
        A surface without a smile.

    Notes
    -----
    With sigma(y) = s0 + b y + c y^2 + ..., c half the curvature, the short-maturity expansion
    of lognormal SABR gives rho nu = 2 b and nu^2 = 6 s0 c + 6 b^2. Nothing is clamped: where
    nu^2 <= 0 or |rho| > 1 both are NaN, and flagged.
    """
    smile = surface if isinstance(surface, Smile) else _nearest(surface)
    flags = list(smile.flags)
    if smile.kind != "svi":
        flags.append(f"The regime rests on a {smile.kind} smile.")
    rho, nu, flag = _dynamics(smile.s0, smile.skew, 0.5 * smile.curvature)
    if flag:
        flags.append(flag)
    return MarketRegime(
        label=next(label for label, least in REGIMES if smile.s0 >= least),
        s0=smile.s0,
        skew=smile.skew,
        curvature=smile.curvature,
        expected_daily_move=smile.s0 / math.sqrt(TRADING_DAYS),
        spot_vol_correlation=rho,
        vol_of_vol=nu,
        expiry=smile.expiry,
        flags=tuple(f"{smile_name(smile.expiry)}: {flag}" for flag in flags),
    )


def smile_name(expiry: pd.Timestamp) -> str:
    """Return what the smile of an expiry is called in a flag."""
    return f"Smile of {expiry:%Y-%m-%d %H:%M}"


def _nearest(surface: Mapping[pd.Timestamp, Smile]) -> Smile:
    """Return the smile of the nearest expiry, an SVI one if there is any."""
    if not surface:
        raise InputError("surface: no smile in it; give a chain with quotes or implied vols")
    ordered = [surface[moment] for moment in sorted(surface)]
    return next((smile for smile in ordered if smile.kind == "svi"), ordered[0])


def _dynamics(s0: float, b: float, c: float) -> tuple[float, float, str]:
    """Return correlation, vol of vol and what must be said of them."""
    squared = 6.0 * s0 * c + 6.0 * b * b
    if not squared > 0.0:
        return math.nan, math.nan, "The smile's curvature allows no vol of vol."
    nu = math.sqrt(squared)
    rho = 2.0 * b / nu
    if abs(rho) > 1.0:
        return (
            math.nan,
            math.nan,
            "The smile's skew is too steep for its curvature: no correlation or vol of vol.",
        )
    return rho, nu, ""
