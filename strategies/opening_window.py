"""Trade hedge pressure from the open through the first two hours, flat afterwards."""

import numpy as np

from hpi_bt import HedgePressureIndex, KernelStrategy, Orders, defaults_of, part
from hpi_bt.indicators.hedge_pressure_index import PROXIES, hedge_pressure_lines
from hpi_bt.kernels.targets import held_target


def opening_window(
    put_volume,
    call_volume,
    minutes_open,
    session,
    put_oi,
    call_oi,
    net_oi,
    slot,
    *,
    lam=1.0,
    smoothing=10,
    zscore_lookback=100,
    extreme=1.5,
    scale="standard",
    length_minutes=120.0,
    state=None,
):
    """+1 from a mechanical bid (hpi >= `extreme`) until hpi <= 0, -1 from an offer until >= 0.

    Each session starts flat, and after `length_minutes` from its open it is flat again.
    """
    hpi = hedge_pressure_lines(
        put_volume, call_volume, put_oi, call_oi, net_oi, session, slot,
        lam=lam, smoothing=smoothing, zscore_lookback=zscore_lookback, scale=scale,
        extreme=extreme, state=part(state, "pressure"),
    )  # fmt: skip
    target = held_target(
        hpi.extreme, hpi.hpi <= 0.0, hpi.hpi >= 0.0, session=session, state=part(state, "target")
    )
    return np.where(minutes_open <= length_minutes, target, 0.0)


class OpeningWindow(KernelStrategy):
    """Mechanical bids and offers of the first two hours, with an ATR and a time stop."""

    inputs = ("put_volume", "call_volume", "minutes_open", "session")
    optional_inputs = ("put_oi", "call_oi", "net_oi", "slot")
    shows = (HedgePressureIndex,)
    signal_kernel = staticmethod(opening_window)
    stand_ins = {"proxy": PROXIES}  # proxy: gamma counts in dollars of gamma
    params = {**defaults_of(opening_window), "proxy": "volume"}
    orders = Orders(
        size={"kind": "risk", "percent": 0.5},
        stop={"kind": "atr", "period": 14, "multiple": 2.0},
        time_stop_bars=60,
        window={"after_open_minutes": 0, "length_minutes": 120},
        flat_at_close=True,
    )
