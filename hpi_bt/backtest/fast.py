"""The fast engine: which strategies it runs, and what it hands over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.backtest.account_notes import ruin_notes
from hpi_bt.backtest.alerting import Style, alerts_of
from hpi_bt.backtest.fast_loop import COUNTS, ENTRY, Account, Costs, Market, simulate
from hpi_bt.backtest.record import Record
from hpi_bt.config import Broker
from hpi_bt.errors import InputError
from hpi_bt.indicators.authoring import defaults_of
from hpi_bt.indicators.base import kernel_series
from hpi_bt.indicators.shown import check_allowed, demo_reason, kernel_shown
from hpi_bt.kernels.wilder import wilder_atr
from hpi_bt.orders import REASONS, STOP, TARGET, Orders, Rules
from hpi_bt.strategy.kernel_strategy import target_outputs

_KINDS = {ENTRY: "entry", STOP: "stop", TARGET: "target"}

_DECLARED = frozenset({
    "__doc__", "__module__", "__qualname__", "__annotations__", "__static_attributes__",
    "__firstlineno__", "alias", "aliased", "frompackages", "inputs", "lines", "linealias",
    "optional_inputs", "orders", "packages", "params", "plotinfo", "plotlines", "shows",
    "signal_kernel", "csv", "stand_ins", "inputs_for",
})  # fmt: skip


def runs_fast(strategy: type) -> bool:
    """Return whether a strategy is a signal kernel and nothing else: then this engine applies."""
    if not hasattr(strategy, "signal_kernel"):
        return False
    for base in strategy.__mro__:
        if base.__module__ == "hpi_bt.strategy.kernel_strategy":
            return base.__name__ == "KernelStrategy"
        if set(vars(base)) - _DECLARED:
            return False
    return False


def parameters_of(strategy: type, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a strategy class with its defaults filled in, `orders` left out."""
    known: Any = strategy
    given = dict(known.params._getpairs()) | dict(params)
    given.pop("orders", None)
    return given


def signal_of(strategy: type, params: Mapping[str, Any], frame: pd.DataFrame) -> FloatArray:
    """Return the target of a strategy's signal kernel on a frame, shape (n_bars,)."""
    known: Any = strategy
    known.outputs()
    series = kernel_series(frame, *known.inputs_for(params))
    return target_of(strategy, params, series)


def target_of(
    strategy: type, params: Mapping[str, Any], series: Sequence[FloatArray]
) -> FloatArray:
    """Return what a strategy's signal kernel makes of its series, shape (n_bars,)."""
    known: Any = strategy
    options = {k: params[k] for k in defaults_of(known.signal_kernel) if k in params}
    made = known.signal_kernel(*series, **options)
    (target,) = target_outputs(strategy).arrays(made, series[0].size)
    return np.ascontiguousarray(target)


def market_of(frame: pd.DataFrame) -> Market:
    """Return a frame's bars as arrays; session and minutes are NaN where it lacks them."""
    unknown = np.full(len(frame), np.nan)
    columns = [
        np.ascontiguousarray(frame[name].to_numpy(dtype=np.float64)) if name in frame else unknown
        for name in Market._fields
    ]
    return Market(*columns)


def costs_of(broker: Broker, leverage: float) -> Costs:
    """Return a config's broker as plain numbers."""
    cost = broker.commission
    rate = {"none": 0.0, "percent": cost.amount / 100.0}.get(cost.kind, cost.amount)
    future = cost.kind == "per_contract"
    return Costs(
        cash=float(broker.cash),
        commission=float(rate),
        percent=cost.kind == "percent",
        slippage=broker.slippage_bps / 1e4,
        leverage=1.0 if future else max(leverage, 1.0),
    )


def atr_of(orders: Orders, market: Market) -> FloatArray:
    """Return the average true range that the orders need, NaN where they need none."""
    if orders.stop or orders.target or orders.size.kind == "risk":
        return wilder_atr(market.high, market.low, market.close, orders.period)
    return np.full(market.close.size, np.nan)


def rules_of(orders: Orders, broker: Broker, frame: pd.DataFrame) -> Rules:
    """Return the orders as plain numbers for a frame and a broker.

    Raises
    ------
    InputError
        The orders need the session's hours, which the frame lacks.
    """
    missing = [n for n in ("session", "minutes_open", "minutes_left") if n not in frame]
    if missing and (orders.window is not None or orders.flat_at_close):
        raise InputError(
            f"{frame.attrs.get('symbol') or 'data'}: window and flat_at_close need the column "
            f"{missing[0]!r}; build the frame with hpi_bt.sources.hours.add_hours"
        )
    cost = broker.commission
    future = cost.kind == "per_contract"
    return orders.rules(
        bar_minutes=float(frame.attrs["bar_minutes"]),
        multiplier=cost.multiplier if future else 1.0,
        margin=(cost.margin or 0.0) if future else 0.0,
    )


def run_fast(
    strategy: type,
    params: Mapping[str, Any],
    frame: pd.DataFrame,
    *,
    orders: Orders | None = None,
    broker: Broker | None = None,
    allow_demo: bool = False,
    allow_intraday: bool = False,
    style: Style = None,
    first_close: int = 0,
) -> Record:
    """Return the record of a `KernelStrategy` on one frame; the twin of `run_cerebro`.

    Parameters
    ----------
    strategy, params, frame, orders, broker, allow_demo, allow_intraday, style, first_close
        As in `hpi_bt.backtest.cerebro.run_cerebro`; `runs_fast(strategy)` must hold.
    """
    broker = broker or Broker()
    known: Any = strategy
    orders = orders or known.orders
    given = parameters_of(strategy, params)
    symbol, minutes = str(frame.attrs.get("symbol", "")), float(frame.attrs["bar_minutes"])
    for indicator in known.shows:
        check_allowed(indicator, symbol, minutes, allow_demo, allow_intraday)
    target = signal_of(strategy, given, frame)
    market = market_of(frame)
    account = simulate(
        market,
        from_close(target, first_close),
        atr_of(orders, market),
        rules_of(orders, broker, frame),
        costs_of(broker, orders.max_leverage),
    )
    shown = [kernel_shown(indicator, frame, given) for indicator in known.shows]
    columns = {"target": np.nan_to_num(np.sign(target), nan=0.0)}
    for item in shown:
        columns |= item.columns()
    panes = [pane for s in shown for pane in s.panes()]
    bars = {str(name): frame[name].to_numpy() for name in frame}
    return Record(
        engine="fast",
        strategy=strategy.__name__,
        params=given,
        frame=frame,
        cash=broker.cash,
        equity=account.equity,
        position=account.position,
        fills=fills_of(account, frame, symbol),
        signals=pd.DataFrame(columns, index=frame.index),
        multipliers={symbol: broker.commission.multiplier},
        panes=panes,
        counts={k: int(v) for k, v in zip(COUNTS, account.counts, strict=True)},
        remarks=[
            *dict.fromkeys(r for s in shown for r in s.remarks(frame)),
            *ruin_notes(account.equity, frame.index, closed_out=True),
        ],
        demo=demo_reason([frame], known.shows),
        alerts=alerts_of(bars | columns, panes, frame.index, data=symbol, style=style),
    )


def from_close(target: FloatArray, first_close: int) -> FloatArray:
    """Return a target that is 0 before the last of the first `first_close` bars."""
    if first_close < 2:
        return target
    late = target.copy()
    late[: first_close - 1] = 0.0
    return late


def fills_of(account: Account, frame: pd.DataFrame, symbol: str) -> pd.DataFrame:
    """Return the fills of a simulation as `Record` has them."""
    size, price, commission, slippage, closed = account.fills.T
    return pd.DataFrame(
        {
            "bar": account.fill_bar,
            "time": frame.index[account.fill_bar],
            "data": symbol,
            "size": size,
            "price": price,
            "commission": commission,
            "slippage": slippage,
            "kind": [_KINDS.get(int(c), "exit") for c in account.fill_code],
            "reason": ["entry" if c == ENTRY else REASONS[int(c)] for c in account.fill_code],
            "closed": closed,
            "closed_commission": np.where(closed != 0.0, commission, 0.0),
            "stop_price": account.protection[:, 0],
            "target_price": account.protection[:, 1],
        }
    )
