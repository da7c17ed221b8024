"""Trade the Hedge Pressure Index in dollars of gamma; the index in contracts is drawn beside it."""

from hpi_bt import HedgePressureIndex, KernelIndicator, KernelStrategy, Orders, defaults_of, part
from hpi_bt.indicators.hedge_pressure_index import PROXIES, hedge_pressure_lines
from hpi_bt.kernels.targets import held_target

PLAIN_PANES = {
    "hpi": "plain hpi", "extreme": "plain hpi",
    "oi": "plain flow", "flow": "plain flow", "spread": "plain flow", "cross": "plain flow",
}  # fmt: skip


def gamma_bias(
    put_volume,
    call_volume,
    put_oi,
    call_oi,
    net_oi,
    session,
    slot,
    *,
    smoothing=10,
    zscore_lookback=100,
    scale="standard",
    enter=1.0,
    state=None,
):
    """+1 from hpi >= `enter` until it has come back to zero; -1 mirrors it."""
    hpi = hedge_pressure_lines(
        put_volume, call_volume, put_oi, call_oi, net_oi, session, slot,
        smoothing=smoothing, zscore_lookback=zscore_lookback, scale=scale,
        state=part(state, "pressure"),
    ).hpi  # fmt: skip
    entries = 1.0 * (hpi >= enter) - 1.0 * (hpi <= -enter)
    return held_target(entries, hpi <= 0.0, hpi >= 0.0, state=part(state, "target"))


def plain(line, pane):
    """Return the index's drawing of a line, in another pane and its words marked."""
    drawn = HedgePressureIndex.chart[line]
    words = {side: f"plain {drawn[side]}" for side in ("up", "down") if side in drawn}
    return {**drawn, **words, "pane": pane, "title": f"plain {line}"}


class PlainHedgePressure(KernelIndicator):
    """The index in contracts, whatever the strategy counts in: a yardstick, no part of its rule."""

    inputs = HedgePressureIndex.inputs
    optional_inputs = HedgePressureIndex.optional_inputs
    lines = ("hpi", "oi", "flow", "spread", "cross", "extreme")
    params = defaults_of(hedge_pressure_lines)
    kernel = staticmethod(hedge_pressure_lines)
    chart = {line: plain(line, pane) for line, pane in PLAIN_PANES.items()}


class GammaBias(KernelStrategy):
    """Follow option flow in dollars of gamma; the index in contracts is shown and studied too."""

    inputs = ("put_volume", "call_volume")
    optional_inputs = ("put_oi", "call_oi", "net_oi", "session", "slot")
    shows = (HedgePressureIndex, PlainHedgePressure)
    signal_kernel = staticmethod(gamma_bias)
    stand_ins = {"proxy": PROXIES}  # proxy: volume counts in contracts
    params = {**defaults_of(gamma_bias), "proxy": "gamma"}
    orders = Orders(
        size={"kind": "risk", "percent": 0.5},
        stop={"kind": "atr", "period": 14, "multiple": 2.0},
        time_stop_bars=60,
    )
