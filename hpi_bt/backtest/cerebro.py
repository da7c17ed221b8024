"""Runs of one strategy on one frame in Cerebro."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import backtrader as bt
import pandas as pd

from hpi_bt.backtest.alerting import Style
from hpi_bt.backtest.alerts import Alerts, Call
from hpi_bt.backtest.broker import HedgeBroker
from hpi_bt.backtest.lean import HedgeCerebro
from hpi_bt.backtest.record import Record
from hpi_bt.backtest.recorder import Recorder
from hpi_bt.config import Broker
from hpi_bt.feeds import HedgeData
from hpi_bt.orders import Orders
from hpi_bt.strategy import KernelStrategy

Progress = Callable[[float], None]


class PercentCommission(bt.CommissionInfo):  # type: ignore[misc]
    """A share of the traded value, which costs below a price of 0 as above it."""

    def _getcommission(self, size: float, price: float, pseudoexec: bool) -> float:
        cost: float = super()._getcommission(size, abs(price), pseudoexec)
        return cost


def commission_info(broker: Broker, max_leverage: float) -> bt.CommInfoBase:
    """Return Backtrader's commission scheme for a config's broker."""
    cost = broker.commission
    leverage = max(max_leverage, 1.0)
    if cost.kind == "per_contract":
        return bt.CommissionInfo(
            commission=cost.amount,
            mult=cost.multiplier,
            margin=cost.margin,
            commtype=bt.CommInfoBase.COMM_FIXED,
            stocklike=False,
        )
    percent = cost.kind == "percent"
    scheme = PercentCommission if percent else bt.CommissionInfo
    return scheme(
        commission=cost.amount / 100.0 if percent else cost.amount * (cost.kind != "none"),
        commtype=bt.CommInfoBase.COMM_PERC if percent else bt.CommInfoBase.COMM_FIXED,
        stocklike=True,
        percabs=True,
        leverage=leverage,
    )


def run_cerebro(
    strategy: type,
    params: Mapping[str, Any],
    frame: pd.DataFrame,
    *,
    orders: Orders | None = None,
    broker: Broker | None = None,
    allow_demo: bool = False,
    allow_intraday: bool = False,
    progress: Progress | None = None,
    style: Style = None,
    call: Call | None = None,
    first_close: int = 0,
) -> Record:
    """Return the record of one strategy on one frame.

    Parameters
    ----------
    strategy : type
        Any `bt.Strategy`; `orders` goes to a `KernelStrategy` alone.
    params : mapping
        Its parameters.
    frame : DataFrame
        The bars, as `hpi_bt.sources.build.build_frame` returns them.
    orders : Orders, optional
        Replaces the strategy's own.
    broker : Broker, optional
        Cash and costs.
    allow_demo, allow_intraday : bool, default=False
        Allow indicators with made-up flow; daily indicators on intraday bars.
    progress : callable, optional
        Called with the share of bars done.
    style : mapping, optional
        {column: {option: value}} over what indicators declare: their alerts' texts, or none.
    call : callable, optional
        Called with each `Alert` at the close of its bar.
    first_close : int, default=0
        Bars that the strategy sees before its first order may be sent, at the close of the last.

    Raises
    ------
    InputError
        An unknown parameter, a line that the data lacks, or too short a history.
    """
    broker = broker or Broker()
    cerebro = HedgeCerebro()
    cerebro.broker = HedgeBroker()
    cerebro.broker.first_close = first_close
    feed: Any = HedgeData
    cerebro.adddata(feed(frame), name=str(frame.attrs.get("symbol", "")))
    leverage = orders.max_leverage if orders else 1.0
    if issubclass(strategy, KernelStrategy):
        leverage = (orders or strategy.orders).max_leverage
        params = dict(params) | ({"orders": orders} if orders is not None else {})
    cerebro.broker.setcash(broker.cash)
    cerebro.broker.addcommissioninfo(commission_info(broker, leverage))
    cerebro.broker.set_slippage_perc(broker.slippage_bps / 1e4)
    cerebro.addstrategy(strategy, **params)
    cerebro.addanalyzer(
        Recorder,
        progress=progress,
        allow_demo=allow_demo,
        allow_intraday=allow_intraday,
        style=style,
        _name="recorder",
    )
    if call is not None:
        cerebro.addanalyzer(Alerts, call=call, style=style)
    finished = cerebro.run()[0]
    record: Record = finished.analyzers.recorder.record
    return record
