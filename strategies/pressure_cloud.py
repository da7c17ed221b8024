"""Trade the dealers' pressure cloud: bounce from stability, go along with acceleration."""

import numpy as np

from hpi_bt import HedgeFlow, KernelStrategy, Orders, defaults_of, part
from hpi_bt.features.flow_columns import COLUMNS, REGIME_CODES
from hpi_bt.indicators.hedge_flow import hedge_flow_lines
from hpi_bt.kernels.targets import held_target

CALM = [REGIME_CODES["pinned"], REGIME_CODES["neutral"]]
UPWARD = [REGIME_CODES["expansion"], REGIME_CODES["squeeze_up"]]
DOWNWARD = [REGIME_CODES["expansion"], REGIME_CODES["squeeze_down"]]


def pressure_cloud(close, high, low, *columns, min_strength=0.2, state=None):
    """+1 or -1 from the touch of a zone that the regime allows, 0 otherwise.

    A touch is the price moving into a zone that was there; one that appears around it is none.
    A bounce (pinned or neutral): long from the stability zone below, short from the one above,
    until the close breaks through that zone or reaches the one opposite, or the regime changes. A
    continuation (expansion, or a squeeze its way): long into the acceleration zone above, short
    into the one below, until the close is back out of it, reaches a stability zone ahead, or the
    regime changes. Each session starts flat; where no hedge flow is known, flat as well.
    `columns` are those of `hedge_flow_lines`, whose zones below `min_strength` do not count.
    """
    flow = hedge_flow_lines(
        high, low, *columns, min_strength=min_strength, state=part(state, "lines")
    )
    session = columns[-1]
    calm, upward, downward = (np.isin(flow.regime, codes) for codes in (CALM, UPWARD, DOWNWARD))
    at_ceiling, at_floor = close >= flow.stable_above_low, close <= flow.stable_below_high
    bounce = held_target(
        np.where(calm, flow.stability_touch, 0.0),
        ~calm | at_ceiling | (close < flow.stable_below_low),
        ~calm | at_floor | (close > flow.stable_above_high),
        session=session,
        state=part(state, "bounce"),
    )
    rise, fall = flow.acceleration_touch > 0.0, flow.acceleration_touch < 0.0
    follow = held_target(
        1.0 * (rise & upward) - 1.0 * (fall & downward),
        ~upward | at_ceiling | (close < np.fmin(flow.unstable_below_low, flow.unstable_above_low)),
        ~downward
        | at_floor
        | (close > np.fmax(flow.unstable_below_high, flow.unstable_above_high)),
        session=session,
        state=part(state, "follow"),
    )
    return np.where(bounce != 0.0, bounce, follow)


class PressureCloud(KernelStrategy):
    """Fade moves where dealers damp them, go along where they feed them."""

    inputs = ("close", "high", "low", COLUMNS[0])
    optional_inputs = (*COLUMNS[1:], "session")
    shows = (HedgeFlow,)
    signal_kernel = staticmethod(pressure_cloud)
    params = defaults_of(pressure_cloud)
    orders = Orders(
        size={"kind": "risk", "percent": 0.5},
        stop={"kind": "atr", "period": 14, "multiple": 3.0},
        flat_at_close=True,
    )
