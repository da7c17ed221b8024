"""Daily futures: Herrick RSI against its signal line, filtered at 70/30, out on divergence."""

from hpi_bt import HerrickPayoffIndex, HerrickRSI, KernelStrategy, Orders, defaults_of, part
from hpi_bt.indicators.herrick import herrick_rsi_lines
from hpi_bt.kernels.targets import held_target


def herrick_rsi_cross(
    high,
    low,
    volume,
    openinterest,
    *,
    hpi_smoothing=3,
    rsi_length=14,
    signal_length=9,
    signal_type="ema",
    upper=70.0,
    lower=30.0,
    pivots="oscillator",
    pivot=5,
    min_pivot_gap=5,
    max_pivot_gap=60,
    max_oi_change=None,
    state=None,
):
    """+1 where rsi crosses above its signal line below `upper`, -1 the other way above `lower`.

    A long is left on a bearish divergence or the opposite cross, a short on the mirror.
    """
    found = herrick_rsi_lines(
        high, low, volume, openinterest,
        hpi_smoothing=hpi_smoothing, rsi_length=rsi_length, signal_length=signal_length,
        signal_type=signal_type, pivots=pivots, pivot=pivot, min_pivot_gap=min_pivot_gap,
        max_pivot_gap=max_pivot_gap, max_oi_change=max_oi_change, state=part(state, "lines"),
    )  # fmt: skip
    longs = (found.cross > 0) & (found.rsi < upper)
    shorts = (found.cross < 0) & (found.rsi > lower)
    leave_long = (found.divergence < 0) | (found.cross < 0)
    leave_short = (found.divergence > 0) | (found.cross > 0)
    return held_target(
        1.0 * longs - 1.0 * shorts, leave_long, leave_short, state=part(state, "target")
    )


class HerrickRsiCross(KernelStrategy):
    """Money flow turning: long above the signal line, short below it."""

    inputs = ("high", "low", "volume", "openinterest")
    shows = (HerrickRSI, HerrickPayoffIndex)
    signal_kernel = staticmethod(herrick_rsi_cross)
    params = defaults_of(herrick_rsi_cross)
    orders = Orders(
        size={"kind": "risk", "percent": 1.0},
        stop={"kind": "atr", "period": 14, "multiple": 3.0},
    )
