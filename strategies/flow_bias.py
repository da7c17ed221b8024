"""Trade the direction of the Hedge Pressure Index; fade or leave when it comes back."""

from hpi_bt import HedgePressureIndex, KernelStrategy, Orders, defaults_of, part
from hpi_bt.indicators.hedge_pressure_index import PROXIES, hedge_pressure_lines
from hpi_bt.kernels.targets import held_target


def flow_bias(
    put_volume,
    call_volume,
    put_oi,
    call_oi,
    net_oi,
    session,
    slot,
    *,
    lam=1.0,
    smoothing=10,
    zscore_lookback=100,
    scale="standard",
    enter=1.0,
    revert=0.0,
    fade="exit",
    state=None,
):
    """+1 from hpi >= `enter` until it has come back to `revert` (0: the zero line); -1 mirrors it.

    fade="exit" is flat from there on, fade="reverse" takes the other side until the next entry.
    """
    hpi = hedge_pressure_lines(
        put_volume, call_volume, put_oi, call_oi, net_oi, session, slot,
        lam=lam, smoothing=smoothing, zscore_lookback=zscore_lookback, scale=scale,
        state=part(state, "pressure"),
    ).hpi  # fmt: skip
    entries = 1.0 * (hpi >= enter) - 1.0 * (hpi <= -enter)
    return held_target(
        entries, hpi <= revert, hpi >= -revert, fade=fade, state=part(state, "target")
    )


class FlowBias(KernelStrategy):
    """Follow one-sided option flow: put-heavy is bullish."""

    inputs = ("put_volume", "call_volume")
    optional_inputs = ("put_oi", "call_oi", "net_oi", "session", "slot")
    shows = (HedgePressureIndex,)
    signal_kernel = staticmethod(flow_bias)
    stand_ins = {"proxy": PROXIES}  # proxy: gamma counts in dollars of gamma
    params = {**defaults_of(flow_bias), "proxy": "volume"}
    orders = Orders(
        size={"kind": "risk", "percent": 0.5},
        stop={"kind": "atr", "period": 14, "multiple": 2.0},
        time_stop_bars=60,
    )
