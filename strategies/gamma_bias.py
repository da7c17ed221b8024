"""`FlowBias` in dollars of gamma, with the index in contracts drawn and studied beside it."""

from hpi_bt import HedgePressureIndex, KernelIndicator, defaults_of
from hpi_bt.indicators.hedge_pressure_index import hedge_pressure_lines
from hpi_bt.loading import load_strategy

FlowBias = load_strategy("strategies/flow_bias.py:FlowBias")

PLAIN_PANES = {
    "hpi": "plain hpi", "extreme": "plain hpi",
    "oi": "plain flow", "flow": "plain flow", "spread": "plain flow", "cross": "plain flow",
}  # fmt: skip


def plain(line, pane):
    """The index's drawing of a line, in another pane and its words marked."""
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


class GammaBias(FlowBias):
    """Follow option flow in dollars of gamma; the index in contracts is shown and studied too."""

    shows = (HedgePressureIndex, PlainHedgePressure)
    params = {"proxy": "gamma"}
