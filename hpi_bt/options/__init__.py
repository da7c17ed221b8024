"""Option mathematics: Greeks, smiles, chains, dealer exposures, hedge flow (definitions 5, 6).

Names are imported on first use: `from hpi_bt.options import OptionChain, exposures`.
"""

# ruff: noqa: F401 - the imports below are for type checkers
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "CharmIntegral": "charm",
    "Coupling": "coupling",
    "Carry": "carry",
    "Curvatures": "black_scholes",
    "ExpectedMove": "levels",
    "Exposures": "exposure",
    "Forward": "parity",
    "Greeks": "black_scholes",
    "HedgeFlow": "flow",
    "ImpulseCurve": "impulse",
    "Level": "flips",
    "MarketRegime": "regime",
    "OptionChain": "chain",
    "PressureCloud": "cloud",
    "PriceLevels": "levels",
    "RegimeEdge": "cloud",
    "Smile": "smile",
    "Zone": "cloud",
    "call_wall": "levels",
    "charm_integral": "charm",
    "curvatures": "black_scholes",
    "dealer_book": "dealers",
    "dealer_positions": "dealers",
    "expected_move": "levels",
    "expiry_time": "expiries",
    "exposures": "exposure",
    "fit_surface": "surface",
    "forwards": "parity",
    "greeks": "black_scholes",
    "hedge_contracts": "hedge",
    "hedge_flow": "flow",
    "carry_of": "carry",
    "implied_carry": "carry",
    "implied_vol": "implied",
    "impulse_curve": "impulse",
    "market_regime": "regime",
    "max_pain": "levels",
    "pressure_cloud": "cloud",
    "price": "black_scholes",
    "price_levels": "levels",
    "put_wall": "levels",
    "spot_vol_coupling": "coupling",
    "zero_gamma": "flips",
    "zero_gamma_strike_sum": "flips",
}

__all__ = [*_HOME]  # noqa: PLE0604 - the keys are names

if TYPE_CHECKING:
    from hpi_bt.options.black_scholes import Curvatures, Greeks, curvatures, greeks, price
    from hpi_bt.options.carry import Carry, carry_of, implied_carry
    from hpi_bt.options.chain import OptionChain
    from hpi_bt.options.charm import CharmIntegral, charm_integral
    from hpi_bt.options.cloud import PressureCloud, RegimeEdge, Zone, pressure_cloud
    from hpi_bt.options.coupling import Coupling, spot_vol_coupling
    from hpi_bt.options.dealers import dealer_book, dealer_positions
    from hpi_bt.options.expiries import expiry_time
    from hpi_bt.options.exposure import Exposures, exposures
    from hpi_bt.options.flips import Level, zero_gamma, zero_gamma_strike_sum
    from hpi_bt.options.flow import HedgeFlow, hedge_flow
    from hpi_bt.options.hedge import hedge_contracts
    from hpi_bt.options.implied import implied_vol
    from hpi_bt.options.impulse import ImpulseCurve, impulse_curve
    from hpi_bt.options.levels import (
        ExpectedMove,
        PriceLevels,
        call_wall,
        expected_move,
        max_pain,
        price_levels,
        put_wall,
    )
    from hpi_bt.options.parity import Forward, forwards
    from hpi_bt.options.regime import MarketRegime, market_regime
    from hpi_bt.options.smile import Smile
    from hpi_bt.options.surface import fit_surface


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f"hpi_bt.options.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'hpi_bt.options' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
