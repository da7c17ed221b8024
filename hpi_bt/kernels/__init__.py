"""Array kernels: plain numpy in, plain numpy out, causal and chunk-proof."""

from hpi_bt.kernels.herrick import herrick_payoff, herrick_rsi
from hpi_bt.kernels.pressure import hedge_pressure

__all__ = ["hedge_pressure", "herrick_payoff", "herrick_rsi"]
