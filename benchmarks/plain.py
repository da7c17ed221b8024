"""The same rules as somebody writes them who knows Backtrader and nothing of this package."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import backtrader as bt


class HedgePandas(bt.feeds.PandasData):  # type: ignore[misc]
    """Stock feed with the option and session columns as further lines."""

    lines: Any = ("put_volume", "call_volume", "put_oi", "call_oi", "session", "slot", "left")
    params = (
        ("put_volume", "put_volume"), ("call_volume", "call_volume"), ("put_oi", "put_oi"),
        ("call_oi", "call_oi"), ("session", "session"), ("slot", "slot"),
        ("left", "minutes_left"),
    )  # fmt: skip


def _score(past: deque[float], value: float) -> float:
    """Return value in standard deviations of the past; NaN before five are known."""
    if len(past) < 5:
        return math.nan
    mean = sum(past) / len(past)
    deviation = math.sqrt(sum([(x - mean) ** 2 for x in past]) / len(past))
    return (value - mean) / deviation if deviation else 0.0


class PlainPressure(bt.Indicator):  # type: ignore[misc]
    """Put minus call volume since the open against the open interest, as a running z-score."""

    lines: Any = ("hpi",)
    params = dict(lam=1.0, smoothing=10, lookback=100, sessions=20, scale="standard")

    def __init__(self) -> None:
        data = self.data  # lines are kept by name once, as Backtrader's quick start does
        self.puts, self.calls = data.put_volume, data.call_volume
        self.day, self.slot = data.session, data.slot
        self.session = math.nan
        self.by_slot: dict[float, deque[float]] = {}
        self.baselines: deque[float] = deque(maxlen=self.p.sessions)
        self.window: deque[float] = deque()
        self.sum = self.squares = 0.0

    def _new_session(self) -> None:
        data, standard = self.data, self.p.scale == "standard"
        if self.session == self.session:
            self.baselines.append(self.baseline)
        self.session = self.day[0]
        self.baseline = data.put_oi[0] - self.p.lam * data.call_oi[0]
        self.oi = _score(self.baselines, self.baseline) if standard else self.baseline
        self.net = self.flow = 0.0
        self.seen = 0

    def next(self) -> None:
        if self.day[0] != self.session:
            self._new_session()
        self.net += self.puts[0] - self.p.lam * self.calls[0]
        net = self.net
        if self.p.scale == "standard":
            slot = self.slot[0]
            past = self.by_slot.get(slot)
            if past is None:
                past = self.by_slot[slot] = deque(maxlen=self.p.sessions)
            net = _score(past, self.net)
            past.append(self.net)
        if net == net:  # noqa: PLR0124 - not NaN
            self.seen += 1
            if self.seen <= self.p.smoothing:
                self.flow += (net - self.flow) / self.seen
            else:
                self.flow += 2.0 / (self.p.smoothing + 1.0) * (net - self.flow)
        self.lines.hpi[0] = self._zscore(self.flow - self.oi if self.seen else math.nan)

    def _zscore(self, spread: float) -> float:
        """Return the spread's standard score, by sums that run along with the window."""
        n = self.p.lookback
        if spread != spread:  # noqa: PLR0124 - NaN
            return math.nan
        self.window.append(spread)
        self.sum += spread
        self.squares += spread * spread
        if len(self.window) > n:
            oldest = self.window.popleft()
            self.sum -= oldest
            self.squares -= oldest * oldest
        if len(self.window) < n:
            return math.nan
        mean = self.sum / n
        variance = self.squares / n - mean * mean
        return (spread - mean) / math.sqrt(variance) if variance > 0.0 else 0.0


class PlainFlowBias(bt.Strategy):  # type: ignore[misc]
    """Enter on one-sided flow; leave by ATR stop, after a while, or before the close."""

    params = dict(
        lam=1.0, smoothing=10, zscore_lookback=100, scale="standard", enter=1.0, revert=0.0,
        risk=0.25, multiple=6.0, time_stop=120, leverage=0.98,
    )  # fmt: skip

    def __init__(self) -> None:
        p = self.p
        self.hpi = PlainPressure(
            self.data, lam=p.lam, smoothing=p.smoothing, lookback=p.zscore_lookback, scale=p.scale
        )
        self.atr = bt.ind.ATR(self.data, period=14)
        self.left, self.price = self.data.left, self.data.close
        self.target = self.blocked = 0
        self.stop_order: Any = None
        self.fills: list[tuple[int, float, float]] = []
        self.entry_bar, self.entry_price, self.entry_atr = 0, 0.0, 0.0
        self.entry_ref = -1

    def next(self) -> None:
        hpi, p = self.hpi[0], self.p
        if hpi >= p.enter:
            self.target = 1
        elif hpi <= -p.enter:
            self.target = -1
        elif (self.target > 0 and hpi <= p.revert) or (self.target < 0 and hpi >= -p.revert):
            self.target = 0
        if self.target != self.blocked:
            self.blocked = 0
        closing = self.left[0] <= 1.0
        size = self.position.size
        if size:
            side = 1 if size > 0 else -1
            held = len(self) - self.entry_bar + 1
            timed = held >= p.time_stop
            if closing or timed or self.target != side:
                if self.stop_order is not None:
                    self.cancel(self.stop_order)
                    self.stop_order = None
                self.close()
                if closing or timed:
                    if not closing and self.target == side:
                        self.blocked = side
                    return
            elif held == 1:
                self._protect(side)
            if self.target == side:
                return
        if self.target and self.target != self.blocked and not closing:
            self._enter()

    def _protect(self, side: int) -> None:
        price = self.entry_price - side * self.p.multiple * self.entry_atr
        send = self.sell if side > 0 else self.buy
        size = abs(self.position.size)
        self.stop_order = send(size=size, exectype=bt.Order.Stop, price=price)

    def _enter(self) -> None:
        atr, equity, p = self.atr[0], self.broker.getvalue(), self.p
        if not atr > 0.0:
            return
        size = p.risk / 100.0 * equity / (p.multiple * atr)
        size = math.floor(min(size, p.leverage * equity / self.price[0]))
        if size > 0:
            self.signal_atr = atr
            order = self.buy(size=size) if self.target > 0 else self.sell(size=size)
            self.entry_ref = order.ref

    def notify_order(self, order: Any) -> None:
        if order.status != order.Completed:
            return
        self.fills.append((len(self) - 1, order.executed.size, order.executed.price))
        if order.ref == self.entry_ref:
            self.entry_bar, self.entry_price = len(self), order.executed.price
            self.entry_atr = self.signal_atr
        elif self.stop_order is not None and order.ref == self.stop_order.ref:
            self.blocked = 1 if order.issell() else -1
            self.stop_order = None


class Empty(bt.Strategy):  # type: ignore[misc]
    """A strategy that does nothing."""

    def next(self) -> None:
        pass
