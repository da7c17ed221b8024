"""Everything that the hedge-flow page shows of one chain, in one call (definitions 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpi_bt.options.chain import OptionChain
from hpi_bt.options.charm import CharmIntegral, charm_integral
from hpi_bt.options.checks import check_chain
from hpi_bt.options.cloud import PressureCloud, pressure_cloud
from hpi_bt.options.contract_vols import DEFAULT_VOLS
from hpi_bt.options.coupling import DEFAULT_SSR, GivenCoupling
from hpi_bt.options.dealers import DEFAULT_POSITIONING
from hpi_bt.options.exposure import Exposures, exposures
from hpi_bt.options.impulse import ImpulseCurve, impulse_curve
from hpi_bt.options.regime import MarketRegime, market_regime


@dataclass(frozen=True, eq=False)
class HedgeFlow:
    """The dealers' hedge flow of one chain.

    Attributes
    ----------
    regime : MarketRegime
    curve : ImpulseCurve
        Repriced.
    charm : CharmIntegral
    cloud : PressureCloud
        Of `curve`.
    kernel : ImpulseCurve
        The map of today's exposure over strikes, per strike; it feeds nothing else.
    exposures : Exposures
    flags : tuple of str
        All that the parts say, each sentence once.
    """

    regime: MarketRegime
    curve: ImpulseCurve
    charm: CharmIntegral
    cloud: PressureCloud
    kernel: ImpulseCurve
    exposures: Exposures
    flags: tuple[str, ...]


def hedge_flow(
    chain: OptionChain,
    *,
    positioning: str = DEFAULT_POSITIONING,
    mode: str = "canonical",
    vols: str = DEFAULT_VOLS,
    coupling: GivenCoupling = None,
    ssr: float = DEFAULT_SSR,
    range_pct: float = 3.0,
    step_pct: float = 0.05,
    kernel_width_strikes: float = 2.0,
    charm_method: str = "exact",
    time_step_minutes: float = 15.0,
    reach_multiple: float = 2.0,
    zone_threshold: float = 0.15,
    futures: Mapping[str, float] | None = None,
    betas: Mapping[str, float] | None = None,
    exposed: Exposures | None = None,
) -> HedgeFlow:
    """Return regime, impulse curve, charm integral and pressure cloud of a chain.

    Parameters
    ----------
    chain : OptionChain
    positioning, mode, vols, coupling, ssr, range_pct, step_pct, kernel_width_strikes, exposed
        As in `impulse_curve`.
    charm_method, time_step_minutes
        `method` and `time_step_minutes` of `charm_integral`.
    reach_multiple, zone_threshold, futures, betas
        As in `pressure_cloud`.

    Returns
    -------
    flow : HedgeFlow

    Raises
    ------
    InputError
        As the functions named above.
    """
    check_chain(chain)
    found = exposed or exposures(chain, positioning=positioning, mode=mode, vols=vols)
    grid: dict[str, Any] = {"range_pct": range_pct, "step_pct": step_pct, "exposed": found}
    grid |= {"coupling": coupling, "ssr": ssr}
    regime = market_regime(found.surface)
    curve = impulse_curve(chain, **grid)
    kernel = impulse_curve(
        chain, method="kernel", kernel_width_strikes=kernel_width_strikes, **grid
    )
    charm = charm_integral(
        chain, method=charm_method, time_step_minutes=time_step_minutes, exposed=found
    )
    cloud = pressure_cloud(
        curve,
        regime,
        reach_multiple=reach_multiple,
        zone_threshold=zone_threshold,
        futures=futures,
        betas=betas,
    )
    mapped = [f"Kernel map: {flag}" for flag in kernel.flags if flag not in curve.flags]
    said = (*chain.notes, *found.flags, *charm.flags, *cloud.flags, *mapped)
    return HedgeFlow(regime, curve, charm, cloud, kernel, found, tuple(dict.fromkeys(said)))
