"""The fast engine: SPEC section 8 as one compiled loop, equal to Cerebro to the last bit.

Every line of money here repeats the arithmetic of Backtrader's broker in the broker's order; the
decisions are those of `hpi_bt.orders`, which the Backtrader strategy calls too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numba import njit

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.backtest.record import Record
from hpi_bt.config import Broker
from hpi_bt.indicators.base import kernel_series
from hpi_bt.indicators.shown import demo_reason, kernel_shown
from hpi_bt.kernels.wilder import wilder_atr
from hpi_bt.orders import (
    NO_EXIT,
    REASONS,
    STOP,
    TARGET,
    TIME,
    Orders,
    Rules,
    allowed_target,
    entry_size,
    exit_code,
    may_enter,
    stop_price,
    target_price,
)

ENTRY = len(REASONS)  # the code of an entry's fill
COUNTS = ("rejected", "capped", "too_small", "entry_bar_breaches", "late_flat")
_KINDS = {ENTRY: "entry", STOP: "stop", TARGET: "target"}


class Costs(NamedTuple):
    """The broker as plain numbers."""

    cash: float
    commission: float
    percent: bool
    slippage: float
    leverage: float


class Market(NamedTuple):
    """The bars as arrays of shape (n_bars,)."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    session: FloatArray
    minutes_open: FloatArray
    minutes_left: FloatArray


class Account(NamedTuple):
    """What one simulation gives: by bar, by fill (size, price, ...), and the counts."""

    equity: FloatArray
    position: FloatArray
    fill_bar: IntArray
    fill_code: IntArray
    fills: FloatArray
    counts: IntArray


@njit(cache=True, nogil=True)
def _worse(price: float, bound: float, side: int, slippage: float) -> float:
    """Return the price after slippage, at most the bar's extreme."""
    if slippage == 0.0:
        return price
    if side > 0:
        return min(price * (1.0 + slippage), bound)
    return max(price * (1.0 - slippage), bound)


@njit(cache=True, nogil=True)
def _commission(costs: Costs, size: float, price: float) -> float:
    if costs.percent:
        return abs(size) * costs.commission * price
    return abs(size) * costs.commission


@njit(cache=True, nogil=True)
def _held_value(rules: Rules, size: float, price: float) -> float:
    """Return what the broker counts a position as: its value, or a future's margin."""
    return abs(size) * rules.margin if rules.margin > 0.0 else size * price


@njit(cache=True, nogil=True)
def _after_open(
    rules: Rules, costs: Costs, cash: float, size: float, price: float
) -> tuple[float, float]:
    """Return cash after opening `size`, and the commission."""
    value = _held_value(rules, size, price)
    if value > 0.0:
        value /= costs.leverage
    commission = _commission(costs, size, price)
    return cash - value - commission, commission


@njit(cache=True, nogil=True)
def _after_close(
    rules: Rules, costs: Costs, cash: float, size: float, paid: float, price: float, mark: float
) -> tuple[float, float]:
    """Return cash after closing a position of `size` bought at `paid`, and the commission."""
    value = _held_value(rules, size, paid)
    if value > 0.0:
        value /= costs.leverage
    commission = _commission(costs, size, price)
    if rules.margin > 0.0:
        return cash + value - commission + size * (price - mark) * rules.multiplier, commission
    return cash + (value + size * (price - paid)) - commission, commission


@njit(cache=True, nogil=True)
def _affordable(
    rules: Rules, costs: Costs, cash: float, held: float, size: float, price: float
) -> bool:
    """Return whether the broker accepts an entry at the signal bar's close.

    The position that the exit sent with it will close still counts, as it does in Backtrader.
    """
    if held != 0.0:
        closed = min(abs(held), abs(size)) * (1.0 if held > 0.0 else -1.0)
        cash, _ = _after_close(rules, costs, cash, closed, price, price, price)
        size += closed
        if size == 0.0:
            return cash >= 0.0
    cash, _ = _after_open(rules, costs, cash, size, price)
    return cash >= 0.0


@njit(cache=True, nogil=True)
def _exit_fill(
    side: int,
    stop: float,
    target: float,
    open_: float,
    high: float,
    low: float,
    slippage: float,
) -> tuple[int, float, float]:
    """Return (code, price, price without slippage) of a resting stop or target; the stop first."""
    if not np.isnan(stop):
        if side * (open_ - stop) <= 0.0:
            return STOP, _worse(open_, low if side > 0 else high, -side, slippage), open_
        if side > 0 and low <= stop:
            return STOP, _worse(stop, low, -1, slippage), stop
        if side < 0 and high >= stop:
            return STOP, _worse(stop, high, 1, slippage), stop
    if not np.isnan(target):
        if side > 0:
            if target <= open_:
                return TARGET, _worse(open_, target, -1, slippage), open_
            if target <= high:
                return TARGET, target, target
        else:
            if target >= open_:
                return TARGET, _worse(open_, min(high, target), 1, slippage), open_
            if target >= low:
                return TARGET, target, target
    return NO_EXIT, np.nan, np.nan


@njit(cache=True, nogil=True)
def simulate(
    market: Market, target: FloatArray, atr: FloatArray, rules: Rules, costs: Costs
) -> Account:
    """Return the account of one strategy on one market.

    Parameters
    ----------
    market : Market
        Bars, oldest first; NaN session and minutes where no rule needs them.
    target, atr : ndarray of shape (n_bars,)
        Wanted position (NaN is 0) and average true range at each close.
    rules, costs : Rules, Costs
        Plain numbers.

    Returns
    -------
    account : Account
        fills has rows (size, price, commission, slippage, closed), one a fill.
    """
    n = target.size
    equity, position = np.empty(n), np.empty(n)
    fill_bar, fill_code = np.empty(64, np.int64), np.empty(64, np.int64)
    fills = np.empty((64, 5))
    counts = np.zeros(5, np.int64)
    n_fills = 0
    cash, size, paid, mark = costs.cash, 0.0, 0.0, 0.0
    value = cash
    stop, goal = np.nan, np.nan
    pending_exit, pending_size, sent_close = NO_EXIT, 0.0, 0.0
    entry_bar, entry_session, entry_price = -1, np.nan, 0.0
    blocked, entry_atr, signal_atr = 0, np.nan, np.nan
    for t in range(n):
        # 1. the broker: what was sent at the last close, then the resting stop and target
        if pending_size != 0.0 or size != 0.0:
            if n_fills + 2 > fill_bar.size:
                fill_bar = np.concatenate((fill_bar, np.empty_like(fill_bar)))
                fill_code = np.concatenate((fill_code, np.empty_like(fill_code)))
                fills = np.concatenate((fills, np.empty_like(fills)))
            open_, high, low = market.open[t], market.high[t], market.low[t]
            accepted = pending_size != 0.0
            if accepted and not _affordable(rules, costs, cash, size, pending_size, sent_close):
                counts[0] += 1
                accepted = False
            if size != 0.0:
                side = 1 if size > 0.0 else -1
                if pending_exit != NO_EXIT:
                    code, plain = pending_exit, open_
                    price = _worse(open_, low if side > 0 else high, -side, costs.slippage)
                else:
                    code, price, plain = _exit_fill(
                        side, stop, goal, open_, high, low, costs.slippage
                    )
                if code != NO_EXIT:
                    cash, commission = _after_close(rules, costs, cash, size, paid, price, mark)
                    fill_bar[n_fills], fill_code[n_fills] = t, code
                    fills[n_fills, 0], fills[n_fills, 1] = -size, price
                    fills[n_fills, 2] = commission
                    fills[n_fills, 3] = (price - plain) * -size * rules.multiplier
                    fills[n_fills, 4] = -size
                    n_fills += 1
                    if code in (STOP, TARGET):
                        blocked = side
                    if rules.flat and market.session[t] != entry_session:
                        counts[4] += 1
                    size, paid, stop, goal = 0.0, 0.0, np.nan, np.nan
            if accepted:
                side = 1 if pending_size > 0.0 else -1
                price = _worse(open_, high if side > 0 else low, side, costs.slippage)
                left, commission = _after_open(rules, costs, cash, pending_size, price)
                if left < 0.0:
                    counts[0] += 1
                else:
                    cash, size, paid, mark = left, pending_size, price, price
                    fill_bar[n_fills], fill_code[n_fills] = t, ENTRY
                    fills[n_fills, 0], fills[n_fills, 1] = size, price
                    fills[n_fills, 2] = commission
                    fills[n_fills, 3] = (price - open_) * size * rules.multiplier
                    fills[n_fills, 4] = 0.0
                    n_fills += 1
                    entry_bar, entry_session = t, market.session[t]
                    entry_price, entry_atr = (size * price) / size, signal_atr
            pending_exit, pending_size = NO_EXIT, 0.0
            # 2. the close: futures are marked, the account is valued
            close = market.close[t]
            unlevered = 0.0
            if size != 0.0:
                if rules.margin > 0.0:
                    cash += size * (close - mark) * rules.multiplier
                    mark = close
                held = _held_value(rules, size, close)
                gain = size * (close - paid) * (rules.multiplier if rules.margin > 0.0 else 1.0)
                unlevered = (held - gain) / costs.leverage + gain if held > 0.0 else held
            value = cash + unlevered
        equity[t], position[t] = value, size
        # 3. the strategy decides
        wanted = allowed_target(rules, target[t])
        if blocked not in (0, wanted):
            blocked = 0
        if size == 0.0 and wanted == 0:
            continue
        side = 0 if size == 0.0 else (1 if size > 0.0 else -1)
        code = NO_EXIT
        if side != 0:
            bars_held = t - entry_bar + 1
            new_session = market.session[t] != entry_session
            code = exit_code(rules, side, wanted, bars_held, new_session, market.minutes_left[t])
            if bars_held == 1 and rules.stop > 0.0:
                barrier = stop_price(rules, side, entry_price, entry_atr)
                if (side > 0 and market.low[t] <= barrier) or (
                    side < 0 and market.high[t] >= barrier
                ):
                    counts[3] += 1
            if code != NO_EXIT:
                pending_exit, stop, goal = code, np.nan, np.nan
                if code == TIME and wanted == side:
                    blocked = side
            elif bars_held == 1:
                # Backtrader takes a price of exactly 0 for "none given" and uses the close
                if rules.stop > 0.0:
                    stop = stop_price(rules, side, entry_price, entry_atr)
                    stop = market.close[t] if stop == 0.0 else stop
                if rules.target > 0.0:
                    goal = target_price(rules, side, entry_price, entry_atr)
                    goal = market.close[t] if goal == 0.0 else goal
        if wanted in (0, side):
            continue
        if may_enter(
            rules, side, wanted, code, blocked, atr[t],
            market.minutes_open[t], market.minutes_left[t],
        ):  # fmt: skip
            units, capped = entry_size(rules, value, market.close[t], atr[t])
            counts[1] += capped
            if units > 0.0:
                pending_size, sent_close, signal_atr = wanted * units, market.close[t], atr[t]
            else:
                counts[2] += 1
    return Account(
        equity, position, fill_bar[:n_fills], fill_code[:n_fills], fills[:n_fills], counts
    )


_DECLARED = frozenset({
    "__doc__", "__module__", "__qualname__", "__annotations__", "__static_attributes__",
    "__firstlineno__", "alias", "aliased", "frompackages", "inputs", "lines", "linealias",
    "optional_inputs", "orders", "packages", "params", "plotinfo", "plotlines", "shows",
    "signal_kernel", "csv",
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
    series = kernel_series(frame, known.inputs, known.optional_inputs)
    target: FloatArray = np.ascontiguousarray(known.signal_kernel(*series, **params), dtype=float)
    return target


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
    """Return the orders as plain numbers for a frame and a broker."""
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
) -> Record:
    """Return the record of a `KernelStrategy` on one frame; the twin of `run_cerebro`.

    Parameters
    ----------
    strategy, params, frame, orders, broker
        As in `hpi_bt.backtest.cerebro.run_cerebro`; `runs_fast(strategy)` must hold.
    """
    broker = broker or Broker()
    known: Any = strategy
    orders = orders or known.orders
    given = parameters_of(strategy, params)
    target = signal_of(strategy, given, frame)
    market = market_of(frame)
    account = simulate(
        market,
        target,
        atr_of(orders, market),
        rules_of(orders, broker, frame),
        costs_of(broker, orders.max_leverage),
    )
    shown = [kernel_shown(indicator, frame, given) for indicator in known.shows]
    columns = {"target": np.nan_to_num(np.sign(target), nan=0.0)}
    for item in shown:
        columns |= item.columns()
    symbol = str(frame.attrs.get("symbol", ""))
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
        panes=[pane for s in shown for pane in s.panes()],
        counts={k: int(v) for k, v in zip(COUNTS, account.counts, strict=True)},
        remarks=list(dict.fromkeys(r for s in shown for r in s.remarks(frame))),
        demo=demo_reason(frame, shown),
    )


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
        }
    )
