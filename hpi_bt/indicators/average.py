"""Moving averages of a line that may be unknown now and then."""

from __future__ import annotations

from typing import Any, ClassVar

from hpi_bt.arrays import FloatArray, State
from hpi_bt.indicators.authoring import Kernel, defaults_of
from hpi_bt.indicators.base import KernelIndicator
from hpi_bt.kernels.averages import moving_average
from hpi_bt.kernels.memory import shared


@shared
def line_average(
    line: FloatArray, *, period: int = 10, kind: str = "ema", state: State = None
) -> FloatArray:
    """Return the average of a line, of shape (n_bars,); see `hpi_bt.kernels.averages`."""
    return moving_average(line, period, kind, state=state)


class Average(KernelIndicator):
    """Moving average of a line, or of an indicator's first: `hb.Average(index, period=10)`.

    One unknown value makes Backtrader's own `EMA` unknown for good, as our indicators may be in
    their first sessions; this one waits for known values. `kind` is sma, ema, rma, wma or hma.
    """

    inputs: ClassVar[tuple[str, ...]] = ("line",)
    lines: Any = ("average",)
    params = defaults_of(line_average)
    kernel: ClassVar[Kernel] = staticmethod(line_average)
    plotinfo: Any = dict(subplot=False)

    def __init__(self) -> None:
        super().__init__()
        self.addminperiod(self.p.period)

    def _sources(self) -> list[Any]:
        return [self.data.lines[0]]

    def _plotlabel(self) -> list[object]:
        return [self.p.period, self.p.kind]
