"""Small markets, random order rules, and one run of them in Cerebro and in the simulator."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from hpi_bt import KernelStrategy, defaults_of
from hpi_bt.arrays import FloatArray
from hpi_bt.backtest.cerebro import run_cerebro
from hpi_bt.backtest.fast import run_fast
from hpi_bt.backtest.record import Record
from hpi_bt.config import Broker
from hpi_bt.kernels.wilder import wilder_atr
from hpi_bt.orders import Orders
from reference.simulator import Bar, Costs, Ledger, Rules, simulate

NAN = math.nan
COUNTS = ("rejected", "capped", "too_small", "entry_bar_breaches", "late_flat")


def as_it_stands(target: FloatArray, *, state: Any = None) -> FloatArray:
    return target


class Follow(KernelStrategy):
    """Trades the column `target`."""

    inputs = ("target",)
    signal_kernel = staticmethod(as_it_stands)
    params = defaults_of(as_it_stands)


class FollowNoted(Follow):
    """Notes the cash of every bar, and so is run by Backtrader's own loop."""

    cash: list[float] = []  # of the run last started

    def start(self) -> None:
        type(self).cash = []
        super().start()

    def notify_cashvalue(self, cash: float, value: float) -> None:
        type(self).cash.append(cash)


def market(
    open_: Any, high: Any, low: Any, close: Any, target: Any, *, day: Any = None, **columns: Any
) -> pd.DataFrame:
    """One-minute bars; `day` numbers the sessions, bars are stamped in their order."""
    n = len(open_)
    day = np.zeros(n, dtype=int) if day is None else np.asarray(day)
    place = np.arange(n) - np.searchsorted(day, day)
    base = pd.Timestamp("2024-01-02 09:31", tz="America/New_York")
    stamps = [
        base + pd.Timedelta(days=int(d), minutes=int(m)) for d, m in zip(day, place, strict=True)
    ]
    frame = pd.DataFrame(
        dict(open=open_, high=high, low=low, close=close, volume=1.0, target=target, session=day),
        index=pd.DatetimeIndex(stamps),
    ).astype(float)
    frame["minutes_open"] = place + 1.0
    frame["minutes_left"] = 390.0 - frame["minutes_open"]
    for name, values in columns.items():
        frame[name] = np.asarray(values, dtype=float)
    frame.attrs = {
        "symbol": "X", "bar_minutes": 1.0, "demo": "", "notes": [], "allow_nonpositive": True
    }  # fmt: skip
    return frame


def rules_of(orders: Orders, bar_minutes: float = 1.0) -> Rules:
    size, window = orders.size, orders.window
    return Rules(
        kind=size.kind,
        amount=size.amount if size.kind == "fixed" else size.percent,
        size_step=orders.size_step,
        cash_buffer=orders.cash_buffer,
        max_leverage=orders.max_leverage,
        stop=orders.stop.multiple if orders.stop else None,
        profit=orders.target.multiple if orders.target else None,
        time_stop_bars=orders.time_stop_bars,
        after_open=window.after_open_minutes if window else None,
        length=window.length_minutes if window else None,
        flat=orders.flat_at_close,
        flat_minutes=orders.flat_minutes or bar_minutes,
        direction=orders.direction,
    )


def costs_of(broker: Broker, max_leverage: float) -> Costs:
    fee = broker.commission
    return Costs(
        cash=broker.cash,
        per_unit=fee.amount if fee.kind in ("per_share", "per_contract") else 0.0,
        fraction=fee.amount / 100.0 if fee.kind == "percent" else 0.0,
        multiplier=fee.multiplier,
        margin=fee.margin,
        slippage=broker.slippage_bps / 1e4,
        leverage=max(max_leverage, 1.0) if fee.margin is None else 1.0,
    )


def slow(frame: pd.DataFrame, orders: Orders, broker: Broker) -> Ledger:
    series = [frame[c].to_numpy() for c in ("high", "low", "close")]
    atr = wilder_atr(*series, orders.period)
    fields = ("open", "high", "low", "close", "session", "minutes_open", "minutes_left")
    bars = [Bar(*row) for row in frame[list(fields)].to_numpy().tolist()]
    costs = costs_of(broker, orders.max_leverage)
    rules = rules_of(orders, frame.attrs["bar_minutes"])
    return simulate(bars, frame["target"].tolist(), atr.tolist(), rules, costs)


def cerebro(
    frame: pd.DataFrame, orders: Orders, broker: Broker, strategy: type = FollowNoted
) -> Record:
    return run_cerebro(strategy, {}, frame, orders=orders, broker=broker)


def fast(frame: pd.DataFrame, orders: Orders, broker: Broker) -> Record:
    return run_fast(Follow, {}, frame, orders=orders, broker=broker)


def fills_of(ran: Record | Ledger) -> list[tuple[Any, ...]]:
    """(bar, size, price, commission, reason) of every fill."""
    if isinstance(ran, Ledger):
        return [(f.bar, f.size, f.price, f.commission, f.reason) for f in ran.fills]
    columns = ["bar", "size", "price", "commission", "reason"]
    tiny = ran.fills["price"].abs() < 1e-250  # a stop at exactly 0, which Backtrader cannot take
    fills = ran.fills.assign(price=ran.fills["price"].mask(tiny, 0.0))
    return list(fills[columns].itertuples(index=False, name=None))


@st.composite
def frames(draw: st.DrawFn, longest: int = 60) -> pd.DataFrame:
    """Bars on a grid of ticks, so that prices meet stops and targets exactly.

    With gaps, doji bars, bars of one price, splits, prices below zero and through it.
    """
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, longest + 1))
    tick = draw(st.sampled_from([0.0001, 0.01, 0.25, 1.0, 1000.0]))
    level, wild = draw(st.sampled_from([3, 20, 1000])), draw(st.sampled_from([1, 3, 8]))
    moves = rng.integers(-wild, wild + 1, (4, n)) * (rng.random((4, n)) < 0.7)
    base = draw(st.sampled_from([level, level, -level, 0]))
    close = base + np.cumsum(moves[0] + moves[1])
    open_ = np.r_[base, close[:-1]] + moves[1]
    high = np.maximum(open_, close) + np.abs(moves[2])
    low = np.minimum(open_, close) - np.abs(moves[3])
    single = rng.random(n) < draw(st.sampled_from([0.0, 0.0, 0.3, 1.0]))  # one price a bar
    rows = np.array([open_, np.where(single, open_, high), np.where(single, open_, low),
                     np.where(single, open_, close)])  # fmt: skip
    if base == level:
        rows = np.maximum(rows, 1)
    elif base == -level:
        rows = np.minimum(rows, -1)
    else:
        rows = rows + 0.5  # through zero, never on it
    splits = rng.random(n) < draw(st.sampled_from([0.0, 0.0, 0.05]))
    rows = rows * np.cumprod(np.where(splits, rng.choice([0.5, 1 / 3, 2.0, 10.0], n), 1.0))
    turns = rng.random(n) < draw(st.sampled_from([0.1, 0.4, 0.9]))
    kept = np.maximum.accumulate(np.where(turns, np.arange(n), 0))
    target = rng.choice([1.0, 1.0, -1.0, -1.0, 0.0, NAN], n)[kept]
    longest_day = draw(st.sampled_from([60, 9, 30, 3]))
    day, left = [], []  # sessions of every length, of which the last bars may be missing
    while len(day) < n:
        length, missing = int(rng.integers(1, longest_day)), int(rng.choice([0, 0, 0, 1, 3]))
        bars = max(length - missing, 1)
        day += [day[-1] + 1 if day else 0] * bars
        left += [length - 1 - i - int(rng.random() < 0.02) for i in range(bars)]
    return market(*(tick * rows), target, day=day[:n], minutes_left=left[:n])


multiples = st.sampled_from([0.5, 1.0, 1.5, 2.0])
percents = st.sampled_from([3.0, 50.0, 98.0, 300.0])
steps = st.sampled_from([1.0, 1.0, 0.1, 0.0, 0.0, 0.1, 100.0])


@st.composite
def sizes(draw: st.DrawFn, step: float) -> dict[str, Any]:
    """A size of each kind; fixed ones are multiples of the step, as the others are refused."""
    kind = draw(st.sampled_from(["fixed", "percent", "risk"]))
    if kind == "fixed":
        amount = draw(st.sampled_from([0.3, 0.7, 1.0, 7.0, 1e4]))
        return {"kind": kind, "amount": amount * (step / 0.1 if step > 0.1 else 1.0)}
    percent = draw(percents if kind == "percent" else st.sampled_from([0.1, 1.0, 20.0]))
    return {"kind": kind, "percent": percent}


def seldom(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.none() | values


@st.composite
def order_rules(draw: st.DrawFn) -> Orders:
    step = draw(steps)
    size = draw(sizes(step))
    stop = st.builds(dict, period=st.integers(1, 3), multiple=multiples)
    maybe = {
        "stop": stop if size["kind"] == "risk" else st.none() | stop,
        "target": st.none() | st.builds(dict, multiple=multiples),
        "time_stop_bars": seldom(st.integers(1, 4)),
        "window": seldom(
            st.builds(
                dict,
                after_open_minutes=st.sampled_from([0.0, 1.0, 2.0]),
                length_minutes=st.sampled_from([1.0, 3.0, 100.0]),
            )
        ),
        "flat_minutes": st.none() | st.sampled_from([1.0, 3.0]),
        "atr_period": st.just(2),
    }
    chosen = {name: draw(values) for name, values in maybe.items()}
    return Orders(
        size=size,
        flat_at_close=draw(st.sampled_from([False, False, True])),
        direction=draw(st.sampled_from(["both", "both", "both", "long", "short"])),
        max_leverage=draw(st.sampled_from([1.0, 1.0, 0.5, 3.0])),
        cash_buffer=draw(st.sampled_from([0.02, 0.0])),
        size_step=step,
        **chosen,
    )


@st.composite
def brokers(draw: st.DrawFn, price: float = 100.0) -> Broker:
    """Accounts from too small for one share of `price` to thousands; stocks and futures."""
    price = abs(price)
    kind = draw(st.sampled_from(["none", "per_share", "percent", "per_contract", "per_contract"]))
    amount = 0.0 if kind == "none" else draw(st.sampled_from([0.0, 0.005, 1.0]))
    units = draw(st.sampled_from([1000.0, 1e5, 30.0, 1000.0, 1e5, 0.5]))
    future = {}
    if kind == "per_contract":
        margin = price * draw(st.sampled_from([0.02, 0.1, 1.0, 3.0]))
        future = {"margin": margin, "multiplier": draw(st.sampled_from([1.0, 5.0]))}
    fee = amount if kind == "percent" else amount * price / 100.0
    return Broker(
        cash=price * units,
        commission={"kind": kind, "amount": fee, **future},
        slippage_bps=draw(st.sampled_from([0.0, 1.0, 500.0])),
    )


@st.composite
def cases(draw: st.DrawFn, longest: int = 60) -> tuple[pd.DataFrame, Orders, Broker]:
    frame = draw(frames(longest))
    return frame, draw(order_rules()), draw(brokers(float(frame["open"].iloc[0])))
