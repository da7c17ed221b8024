"""The Hedge Pressure Index as Backtrader lines (definitions 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray, State, part
from hpi_bt.errors import Note
from hpi_bt.indicators.authoring import Kernel, defaults_of
from hpi_bt.indicators.base import Inputs, KernelIndicator, StandIns, inputs_under
from hpi_bt.indicators.remarks import hedge_pressure_remarks
from hpi_bt.kernels.memory import shared
from hpi_bt.kernels.pressure import HedgePressure as HedgePressureValues
from hpi_bt.kernels.pressure import demo_flow, hedge_pressure

#: What volume and open interest are counted in: contracts, or dollars of gamma (definitions 7).
PROXIES: dict[str, dict[str, str]] = {
    "volume": {},
    "gamma": {
        "put_volume": "put_gamma_volume",
        "call_volume": "call_gamma_volume",
        "put_oi": "put_gamma_oi",
        "call_oi": "call_gamma_oi",
        "net_oi": "net_gamma_oi",  # never contracts against dollars
    },
}


@shared
def oi_baseline(
    put_oi: FloatArray,
    call_oi: FloatArray,
    net_oi: FloatArray,
    *,
    lam: float = 1.0,
    state: State = None,
) -> tuple[FloatArray, FloatArray]:
    """Return put_oi - lam * call_oi (`net_oi` where a side is unknown) and put_oi + lam * call_oi.

    All of shape (n_bars,), in contracts; nothing is carried from bar to bar.
    """
    net = put_oi - lam * call_oi
    return np.where(np.isnan(net), net_oi, net), put_oi + lam * call_oi


@shared
def hedge_pressure_lines(
    put_volume: FloatArray,
    call_volume: FloatArray,
    put_oi: FloatArray,
    call_oi: FloatArray,
    net_oi: FloatArray,
    session: FloatArray,
    slot: FloatArray,
    *,
    lam: float = 1.0,
    smoothing: int = 10,
    zscore_lookback: int = 100,
    accumulate: str = "session",
    ma: str = "ema",
    scale: str = "contracts",
    standard_sessions: int = 20,
    extreme: float = 1.5,
    state: State = None,
) -> HedgePressureValues:
    """Return `hedge_pressure` with the baseline put_oi - lam * call_oi, else `net_oi`.

    All series have shape (n_bars,); the options, units, signs and warm-up are those of
    `hpi_bt.kernels.pressure.hedge_pressure`. Where only `net_oi` is known, lam weighs volume alone
    and scale="ratio" is NaN.
    """
    net, total = oi_baseline(put_oi, call_oi, net_oi, lam=lam)
    return hedge_pressure(
        put_volume,
        call_volume,
        net,
        session,
        lam=lam,
        smoothing=smoothing,
        zscore_lookback=zscore_lookback,
        accumulate=accumulate,
        ma=ma,
        scale=scale,
        total_oi=total,
        slot=slot,
        standard_sessions=standard_sessions,
        extreme=extreme,
        state=state,
    )


@shared
def demo_hedge_pressure_lines(
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    volume: FloatArray,
    session: FloatArray,
    slot: FloatArray,
    *,
    lam: float = 1.0,
    smoothing: int = 10,
    zscore_lookback: int = 100,
    accumulate: str = "session",
    ma: str = "ema",
    scale: str = "contracts",
    standard_sessions: int = 20,
    extreme: float = 1.5,
    state: State = None,
) -> HedgePressureValues:
    """Return the DEMO index: option flow made up from price bars by `demo_flow`.

    scale="ratio" is refused: made-up flow has no open interest to be a share of.
    """
    if scale == "ratio":
        raise ValueError("the demo flow has no open interest; use scale='contracts' or 'standard'")
    flow = demo_flow(
        high, low, close, volume, session,
        lam=lam, accumulate=accumulate, state=part(state, "demo"),
    )  # fmt: skip
    unknown = np.full_like(flow.net_oi, np.nan)
    return hedge_pressure_lines(
        flow.put_volume,
        flow.call_volume,
        unknown,
        unknown,
        flow.net_oi,
        session,
        slot,
        lam=lam,
        smoothing=smoothing,
        zscore_lookback=zscore_lookback,
        accumulate=accumulate,
        ma=ma,
        scale=scale,
        standard_sessions=standard_sessions,
        extreme=extreme,
        state=part(state, "index"),
    )


class HedgePressureIndex(KernelIndicator):
    """Option flow of the session against its open-interest baseline; put-heavy is BULLISH.

    Lines: hpi (standard score of the spread), oi (baseline), flow, spread (flow - oi), cross
    (+1 flow crosses above oi, -1 below), extreme (+1 mechanical bid, -1 offer). Takes one data
    with put_volume, call_volume and put_oi and call_oi (or net_oi alone; session and slot where
    it has them), or separate lines: (put_volume, call_volume, net_oi), as the script's three
    symbols, or (put_volume, call_volume, put_oi, call_oi[, session[, slot]]). proxy="gamma" takes
    put_gamma_volume, call_gamma_volume, put_gamma_oi and call_gamma_oi of the data in their place
    (dollars of delta per 1 % move; the feature `gamma_volume` makes them), source="odte" those of
    the feature of that name (odte_put_gamma_volume ...); separate lines are taken as given.
    """

    alias = ("HedgePressure",)
    inputs: ClassVar[tuple[str, ...]] = ("put_volume", "call_volume")
    optional_inputs: ClassVar[tuple[str, ...]] = ("put_oi", "call_oi", "net_oi", "session", "slot")
    line_inputs: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("put_volume", "call_volume", "net_oi"),
        ("put_volume", "call_volume", "put_oi", "call_oi"),
        ("put_volume", "call_volume", "put_oi", "call_oi", "session"),
        ("put_volume", "call_volume", "put_oi", "call_oi", "session", "slot"),
    )
    stand_ins: ClassVar[StandIns] = {"proxy": PROXIES}
    lines: Any = ("hpi", "oi", "flow", "spread", "cross", "extreme")
    params = {**defaults_of(hedge_pressure_lines), "proxy": "volume", "source": ""}
    kernel: ClassVar[Kernel] = staticmethod(hedge_pressure_lines)
    plotinfo: Any = dict(plothlines=[-1.5, 0.0, 1.5])
    plotlines = dict(
        hpi=dict(_method="bar", color="blue", alpha=0.6, width=1.0, _name="HedgePressureIndex hpi"),
        oi=dict(color="black", _plotskip=True),
        flow=dict(color="teal", _plotskip=True),
        spread=dict(_method="bar", color="gray", alpha=0.5, width=1.0, _plotskip=True),
        cross=dict(_plotskip=True),
        extreme=dict(_plotskip=True),
    )
    chart = {
        "oi": dict(pane="flow", kind="line", color="#ffffff", light="#202020", width=2),
        "flow": dict(pane="flow", kind="line", color="#008080", width=2),
        "spread": dict(pane="spread", kind="histogram", color="#808080"),
        "hpi": dict(
            pane="hpi", kind="histogram", color="#2962ff", levels=["-$extreme", 0.0, "$extreme"]
        ),
        "cross": dict(
            pane="flow", kind="event", up="bullish cross", down="bearish cross", value="hpi"
        ),
        "extreme": dict(
            pane="hpi", kind="event", up="mechanical bid", down="mechanical offer", value="hpi"
        ),
    }

    def __init__(self) -> None:
        super().__init__()
        self._refuse_ratio()
        flow = self.p.smoothing - 1 if self.p.accumulate == "bar" else 0
        self.addminperiod(flow + self.p.zscore_lookback)
        self.plotinfo.plothlines = [-self.p.extreme, 0.0, self.p.extreme]
        if self.p.scale == "standard":  # both lines are standard deviations: one axis suits all
            for name in ("oi", "flow"):
                getattr(self.plotlines, name)._plotskip = False

    def _refuse_ratio(self) -> None:
        """Refuse scale="ratio" where put and call open interest are not both given."""
        if self.p.scale != "ratio" or self.demo:
            return
        lines = self.data.lines.getlinealiases() if len(self.datas) == 1 else ()
        sides = self.inputs_for(self.p._getkwargs()).optional[:2]
        if len(self.datas) < 4 and not set(sides) <= set(lines):
            raise ValueError(f"scale='ratio' needs {' and '.join(sides)}; net_oi alone will not do")

    @classmethod
    def inputs_for(cls, params: Mapping[str, Any]) -> Inputs:
        """Return the columns that it takes from a data, those of the feature `source` if named."""
        source = params.get("source", "")
        named = inputs_under(cls, {**params, "proxy": "gamma"} if source else params)
        if not source:
            return named
        own = PROXIES["gamma"].values()
        return Inputs(*(tuple(f"{source}_{n}" if n in own else n for n in of) for of in named))

    @classmethod
    def remarks(
        cls, frame: pd.DataFrame, lines: Mapping[str, FloatArray], options: Mapping[str, Any]
    ) -> list[Note]:
        """Return the counts of crosses and extremes, and what speaks against trusting them."""
        sides = () if cls.demo else cls.inputs_for(options).optional[:3]
        return hedge_pressure_remarks(frame, lines, options, sides)

    def _plotlabel(self) -> list[object]:
        proxy = [] if self.p.proxy == "volume" else [self.p.proxy]
        own = [self.p.lam, self.p.smoothing, self.p.zscore_lookback, self.p.scale]
        return [*own, *([self.p.source] if self.p.source else proxy)]


class DemoHedgePressureIndex(HedgePressureIndex):
    """DEMO: the index with option flow made up from OHLCV bars, the script's layout only."""

    alias = ("DemoHedgePressure",)
    inputs = ("high", "low", "close", "volume")
    optional_inputs = ("session", "slot")
    line_inputs = (("high", "low", "close", "volume"),)
    stand_ins = {"proxy": {"volume": {}}}
    params = defaults_of(demo_hedge_pressure_lines)
    kernel = staticmethod(demo_hedge_pressure_lines)
    plotinfo = dict(plotname="DEMO HedgePressureIndex")
    plotlines = dict(hpi=dict(_name="DEMO HedgePressureIndex hpi"))
    demo = True
