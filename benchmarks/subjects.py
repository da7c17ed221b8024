"""Everything that is timed inside this package's own process, each a function of the bars."""

from __future__ import annotations

import math
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd

from benchmarks import market, plain
from hpi_bt import HedgeCerebro, HedgeData, Orders
from hpi_bt.backtest.cerebro import commission_info, run_cerebro
from hpi_bt.backtest.fast import (
    atr_of,
    costs_of,
    market_of,
    parameters_of,
    rules_of,
    run_fast,
    signal_of,
)  # fmt: skip
from hpi_bt.backtest.fast_loop import Account, simulate
from hpi_bt.backtest.record import Record
from hpi_bt.config import Broker
from hpi_bt.loading import load_strategy

ORDERS, BROKER = Orders.model_validate(market.ORDERS), Broker.model_validate(market.BROKER)


def ours() -> Any:
    """Return the shipped strategy class."""
    return load_strategy(market.RULES, [])


def broker(cerebro: Any) -> None:
    cerebro.broker.setcash(BROKER.cash)
    cerebro.broker.addcommissioninfo(commission_info(BROKER, ORDERS.max_leverage))
    cerebro.broker.set_slippage_perc(BROKER.slippage_bps / 1e4, slip_out=True)


def _run(cerebro: Any, feed: Any, strategy: Any, **params: Any) -> Any:
    cerebro.adddata(feed)
    broker(cerebro)
    cerebro.addstrategy(strategy, **params)
    return cerebro.run()[0]


def stock(frame: pd.DataFrame, scale: str = "standard") -> list[tuple[int, float, float]]:
    """Return the fills of the plain strategy in stock Backtrader on PandasData."""
    cerebro = bt.Cerebro(stdstats=False)
    done = _run(cerebro, plain.HedgePandas(dataname=frame), plain.PlainFlowBias, scale=scale)
    fills: list[tuple[int, float, float]] = done.fills
    return fills


def stock_empty(frame: pd.DataFrame) -> None:
    """Run nothing in stock Backtrader on PandasData without further lines."""
    _run(bt.Cerebro(stdstats=False), bt.feeds.PandasData(dataname=frame), plain.Empty)


def stock_empty_our_feed(frame: pd.DataFrame) -> None:
    """Run nothing in stock Backtrader on HedgeData (all columns as lines)."""
    _run(bt.Cerebro(stdstats=False), _feed(frame), plain.Empty)


def our_empty(frame: pd.DataFrame) -> None:
    """Run nothing in HedgeCerebro on HedgeData."""
    _run(HedgeCerebro(stdstats=False), _feed(frame), plain.Empty)


def _feed(frame: pd.DataFrame) -> Any:
    feed: Any = HedgeData
    return feed(frame)


def stock_with_ours(frame: pd.DataFrame, scale: str = "standard") -> float:
    """Return the final value of our strategy and feed in a stock `bt.Cerebro`."""
    cerebro = bt.Cerebro(stdstats=False)
    done = _run(cerebro, _feed(frame), ours(), orders=ORDERS, scale=scale)
    return float(done.broker.getvalue())


def our_cerebro(frame: pd.DataFrame, scale: str = "standard") -> float:
    """Return the final value of our strategy in HedgeCerebro, with no analyzer, as in `stock`."""
    cerebro = HedgeCerebro(stdstats=False)
    done = _run(cerebro, _feed(frame), ours(), orders=ORDERS, scale=scale)
    if cerebro.loop != "lean":
        raise RuntimeError(f"the short loop did not run: {cerebro.loop}")
    return float(done.broker.getvalue())


def our_record(frame: pd.DataFrame, scale: str = "standard") -> Record:
    """Return the whole record of a run in HedgeCerebro, as `hpi-bt run` makes it."""
    return run_cerebro(ours(), {"scale": scale}, frame, orders=ORDERS, broker=BROKER)


def fast(frame: pd.DataFrame, scale: str = "standard") -> Account:
    """Return the account of the fast engine: signal and simulation from a frame."""
    strategy = ours()
    bars = market_of(frame)
    return simulate(
        bars,
        signal_of(strategy, parameters_of(strategy, {"scale": scale}), frame),
        atr_of(ORDERS, bars),
        rules_of(ORDERS, BROKER, frame),
        costs_of(BROKER, ORDERS.max_leverage),
    )


def fast_record(frame: pd.DataFrame, scale: str = "standard") -> Record:
    """Return the whole record of the fast engine."""
    return run_fast(ours(), {"scale": scale}, frame, orders=ORDERS, broker=BROKER)


class Shows(bt.Strategy):  # type: ignore[misc]
    """One indicator and nothing else."""

    params = dict(indicator=None)

    def __init__(self) -> None:
        self.shown = self.p.indicator(self.data)

    def next(self) -> None:
        pass


def indicator(frame: pd.DataFrame, kind: Any, *, runonce: bool) -> None:
    """Run one indicator in a stock `bt.Cerebro` on HedgeData, whole-array or bar by bar."""
    cerebro = bt.Cerebro(stdstats=False, runonce=runonce)
    _run(cerebro, _feed(frame), Shows, indicator=kind)


def plain_indicator(frame: pd.DataFrame) -> None:
    """Run the plain indicator in stock Backtrader on PandasData."""
    feed = plain.HedgePandas(dataname=frame)
    _run(bt.Cerebro(stdstats=False), feed, Shows, indicator=plain.PlainPressure)


def fills_agree(frame: pd.DataFrame, scale: str = "standard") -> int:
    """Return the number of fills, or refuse: all four ways must trade the same.

    Bars and sizes must be equal, prices within 1e-9; our engines agree to the last bit.
    """
    cerebro, quick = our_record(frame, scale), fast_record(frame, scale)
    if not cerebro.fills.equals(quick.fills) or not np.array_equal(cerebro.equity, quick.equity):
        raise RuntimeError(f"scale={scale}: our two engines differ")
    values = our_cerebro(frame, scale), stock_with_ours(frame, scale)
    if values[0] != values[1] or not math.isclose(values[0], cerebro.equity[-1], rel_tol=1e-12):
        raise RuntimeError(f"scale={scale}: stock and our Cerebro end with different values")
    theirs = np.array(stock(frame, scale), dtype=float).reshape(-1, 3)
    mine = cerebro.fills[["bar", "size", "price"]].to_numpy(dtype=float)
    if len(theirs) != len(mine):
        raise RuntimeError(f"scale={scale}: {len(theirs)} fills in stock, {len(mine)} in ours")
    same = (theirs[:, :2] == mine[:, :2]).all(axis=1) & (abs(theirs - mine)[:, 2] <= 1e-9)
    if not same.all():
        i = int(np.flatnonzero(~same)[0])
        raise RuntimeError(f"scale={scale}: fill {i} is {theirs[i]} in stock, {mine[i]} in ours")
    return len(mine)
