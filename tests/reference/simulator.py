"""One market, one target per bar, the order rules of definitions 8, one bar after the other.

Written from definitions 8 and from the source of backtrader's broker (1.9.78.123), not from
hpi_bt. Sums of money are taken in the broker's order, so that the last bit can be compared.
Where the text leaves a choice, the comment starts with CHOICE.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

NAN = math.nan


@dataclass(frozen=True)
class Bar:
    open: float
    high: float
    low: float
    close: float
    session: float = 0.0
    minutes_open: float = NAN
    minutes_left: float = NAN


@dataclass(frozen=True)
class Rules:
    """definitions 8; multiples are of the signal bar's ATR, minutes of the session."""

    kind: str = "fixed"  # fixed | percent | risk
    amount: float = 1.0  # units, or percent of equity
    size_step: float = 1.0
    cash_buffer: float = 0.02  # share of equity
    max_leverage: float = 1.0
    stop: float | None = None
    profit: float | None = None
    time_stop_bars: int | None = None
    after_open: float | None = None
    length: float | None = None
    flat: bool = False
    flat_minutes: float = 1.0
    direction: str = "both"  # both | long | short


@dataclass(frozen=True)
class Costs:
    """`fraction` is of the traded value; `margin` makes it a future."""

    cash: float = 10_000.0
    per_unit: float = 0.0
    fraction: float = 0.0
    multiplier: float = 1.0
    margin: float | None = None
    slippage: float = 0.0  # fraction of the price
    leverage: float = 1.0  # what the broker lends on stocks held long

    @property
    def stock(self) -> bool:
        return self.margin is None

    def commission(self, size: float, price: float) -> float:
        if self.fraction:
            return abs(size) * self.fraction * abs(price)
        return abs(size) * self.per_unit

    def worth(self, size: float, price: float) -> float:
        """The cash that a position binds; negative for a short in stock."""
        return size * price if self.margin is None else abs(size) * self.margin

    def bound(self, size: float, price: float) -> float:
        value = self.worth(size, price)
        return value / self.leverage if value > 0 else value


@dataclass(frozen=True)
class Fill:
    bar: int
    size: float
    price: float
    commission: float
    reason: str

    @property
    def executed(self) -> float:
        """The price as backtrader averages it over the bits of an order; 1 ulp off at times."""
        return (0.0 + self.size * self.price) / self.size


@dataclass(frozen=True)
class Trade:
    entry: Fill
    exit: Fill | None  # None: still open after the last bar
    stop: float = NAN  # prices of the protective orders; NaN where none came into the market
    target: float = NAN


@dataclass
class Ledger:
    fills: list[Fill] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    cash: list[float] = field(default_factory=list)
    equity: list[float] = field(default_factory=list)
    rejected: int = 0
    capped: int = 0
    too_small: int = 0
    entry_bar_breaches: int = 0
    late_flat: int = 0


@dataclass
class Order:
    size: float
    reason: str
    kind: str = "market"  # market | stop | limit
    price: float = NAN  # of a stop or limit; the signal bar's close for a market order
    checked: bool = False  # goes through the cash check on submission
    atr: float = NAN


class Broker:
    """Cash, one position, its pending orders: what backtrader's BackBroker does of it."""

    def __init__(self, costs: Costs) -> None:
        self.costs = costs
        self.cash = costs.cash
        self.size = 0.0
        self.price = 0.0
        self.base = 0.0  # price up to which a future's profit has been paid
        self.waiting: list[Order] = []  # to be checked for cash at the next bar
        self.pending: list[Order] = []
        self.rejected: list[Order] = []

    def send(self, order: Order) -> None:
        (self.waiting if order.checked else self.pending).append(order)

    def slipped(self, price: float, buy: bool) -> float:
        """Costs always cost: worse by a share of |price|, whatever the bar's range."""
        paid = self.costs.slippage * abs(price)
        return price + paid if buy else price - paid

    def fill_price(self, order: Order, bar: Bar) -> float | None:
        buy = order.size > 0
        if order.kind == "market":
            return self.slipped(bar.open, buy)
        return self.stopped(order, bar, buy) if order.kind == "stop" else self.met(order, bar, buy)

    def stopped(self, order: Order, bar: Bar, buy: bool) -> float | None:
        if bar.open >= order.price if buy else bar.open <= order.price:
            return self.slipped(bar.open, buy)
        if bar.high >= order.price if buy else bar.low <= order.price:
            return self.slipped(order.price, buy)
        return None

    def met(self, order: Order, bar: Bar, buy: bool) -> float | None:
        if bar.open <= order.price if buy else bar.open >= order.price:
            slipped = self.slipped(bar.open, buy)
            return min(slipped, order.price) if buy else max(slipped, order.price)
        touched = bar.low <= order.price if buy else bar.high >= order.price
        return order.price if touched else None

    @staticmethod
    def split(held: float, size: float) -> tuple[float, float]:
        """How much of `size` closes what is held and how much opens something new."""
        if held == 0 or (held > 0) == (size > 0):
            return 0.0, size
        if abs(size) <= abs(held):
            return size, 0.0
        return -held, held + size

    def check_cash(self) -> None:
        """Pretend to execute at the signal bar's close, orders one after the other.

        The exit of a reversal is not among them, so its entry is checked against the position
        that is still held.
        """
        cash, held = self.cash, self.size
        for order in self.waiting:
            closed, opened = self.split(held, order.size)
            if closed:
                cash += self.costs.bound(-closed, order.price)
                cash -= self.costs.commission(closed, order.price)
            if opened:
                cash -= self.costs.bound(opened, order.price)
                cash -= self.costs.commission(opened, order.price)
            held += order.size
            (self.pending if cash >= 0 else self.rejected).append(order)
        self.waiting = []

    def execute(self, order: Order, price: float) -> float | None:
        """Return the commission, None where the cash does not suffice."""
        costs = self.costs
        closed, opened = self.split(self.size, order.size)
        assert not (closed and opened), "these rules never reverse in one order"
        if closed:
            profit = -closed * (price - self.price) * costs.multiplier if costs.stock else 0.0
            cash = self.cash + (costs.bound(-closed, self.price) + profit)
            fee = costs.commission(closed, price)
            cash -= fee
            if not costs.stock:
                cash += -closed * (price - self.base) * costs.multiplier
            self.cash = cash
            self.size += order.size
            self.price = self.price if self.size else 0.0
            return fee
        fee = costs.commission(opened, price)
        cash = self.cash - costs.bound(opened, price)
        cash -= fee
        if cash < 0:
            return None
        self.cash, self.size, self.price, self.base = cash, opened, price, price
        return fee

    def settle(self, close: float) -> None:
        if self.size and not self.costs.stock:
            self.cash += self.size * (close - self.base) * self.costs.multiplier
            self.base = close

    def equity(self, close: float) -> float:
        value = self.costs.worth(self.size, close)
        if value > 0:
            gain = self.size * (close - self.price) * self.costs.multiplier
            value = (value - gain) / self.costs.leverage + gain
        return self.cash + value


class Simulator:
    def __init__(self, rules: Rules, costs: Costs) -> None:
        self.rules, self.costs = rules, costs
        self.broker = Broker(costs)
        self.out = Ledger()
        self.entry: Fill | None = None
        self.barred = 0.0  # the side that may not enter again before the target has left it
        self.just_entered: Order | None = None
        self.session = NAN  # of the entry bar
        self.sent = {"stop": NAN, "target": NAN}  # to protect the position
        self.ruined = False

    def run(self, bars: Sequence[Bar], targets: Sequence[float], atr: Sequence[float]) -> Ledger:
        for t, bar in enumerate(bars):
            self.last = t == len(bars) - 1
            self.trade(t, bar)
            self.broker.settle(bar.close)
            self.out.cash.append(self.broker.cash)
            self.out.equity.append(self.broker.equity(bar.close))
            self.decide(t, bar, self.side(targets[t]), atr[t])
        if self.entry is not None:
            self.out.trades.append(Trade(self.entry, None, **self.sent))
        return self.out

    def side(self, target: float) -> float:
        forbidden = {"both": (), "long": (-1,), "short": (1,)}[self.rules.direction]
        return 0.0 if math.isnan(target) or target in forbidden else target

    def trade(self, t: int, bar: Bar) -> None:
        """What the broker does before the strategy sees the bar."""
        self.just_entered = None
        self.broker.check_cash()
        queue, self.broker.pending = self.broker.pending, []
        while queue:
            order = queue.pop(0)
            price = self.broker.fill_price(order, bar)
            if price is None:
                self.broker.pending.append(order)
                continue
            fee = self.broker.execute(order, price)
            if fee is None:
                self.broker.rejected.append(order)
                continue
            if order.kind != "market":  # stop and profit target cancel each other
                queue, self.broker.pending = [], []
            self.book(t, bar, order, price, fee)
        self.out.rejected += len(self.broker.rejected)
        self.broker.rejected = []

    def book(self, t: int, bar: Bar, order: Order, price: float, fee: float) -> None:
        fill = Fill(t, order.size, price, fee, order.reason)
        self.out.fills.append(fill)
        if order.reason == "entry":
            self.entry, self.just_entered = fill, order
            self.sent = {"stop": NAN, "target": NAN}
            self.session = bar.session
        else:
            assert self.entry is not None
            # CHOICE: a trade that saw the session change is counted when it ends
            self.out.late_flat += self.is_late(bar)
            self.out.trades.append(Trade(self.entry, fill, **self.sent))
            if order.reason in ("stop", "target"):
                self.barred = math.copysign(1.0, self.entry.size)
            self.entry = None

    def is_late(self, bar: Bar) -> bool:
        return self.rules.flat and bar.session != self.session

    def decide(self, t: int, bar: Bar, target: float, atr: float) -> None:
        """What the strategy does at the bar's close."""
        held = self.broker.size
        if self.ruined:
            return
        if self.broker.equity(bar.close) <= 0:
            self.ruined = True
            self.protect(bar, send=False)  # which counts a breach
            self.broker.pending = []
            if held:
                self.broker.send(Order(-held, "ruin"))
            return
        reason = self.exit_reason(t, bar, target) if held else None
        if reason == "time":
            self.barred = math.copysign(1.0, held)
        if target != self.barred:
            self.barred = 0.0
        if held:
            self.protect(bar, send=reason is None)
        if reason is not None:
            self.broker.pending = []
            self.broker.send(Order(-held, reason))
        # CHOICE: "no exit pending" means that none but the reversal's own is sent at this close
        may = reason in (None, "reverse") and held * target <= 0 and not self.flat_now(bar)
        if target and may and target != self.barred:
            self.enter(bar, target, atr)

    def flat_now(self, bar: Bar) -> bool:
        return self.rules.flat and bar.minutes_left <= self.rules.flat_minutes

    def exit_reason(self, t: int, bar: Bar, target: float) -> str | None:
        """CHOICE: where several exits are due at one close, the first of these is named."""
        assert self.entry is not None
        if self.is_late(bar):
            return "late_flat"
        if self.flat_now(bar):
            return "flat"
        if target * self.entry.size < 0:
            return "reverse"
        bars = self.rules.time_stop_bars
        if bars is not None and t >= self.entry.bar + bars - 1:
            return "time"
        return "signal" if target == 0 else None

    def protect(self, bar: Bar, send: bool) -> None:
        """At the entry bar's close: count a breach, send the stop, then the profit target."""
        if self.just_entered is None or self.entry is None:
            return
        size, price, atr = self.entry.size, self.entry.executed, self.just_entered.atr
        side = math.copysign(1.0, size)
        orders = []
        if self.rules.stop is not None:
            stop = price - side * self.rules.stop * atr
            self.out.entry_bar_breaches += bar.low <= stop if side > 0 else bar.high >= stop
            orders.append(Order(-size, "stop", "stop", stop))
        if self.rules.profit is not None:
            goal = price + side * self.rules.profit * atr
            orders.append(Order(-size, "target", "limit", goal))
        for order in orders if send else ():
            self.broker.send(order)
            if not self.last:  # what is pending after the last bar is dropped
                self.sent[order.reason] = order.price

    def enter(self, bar: Bar, target: float, atr: float) -> None:
        rules = self.rules
        # CHOICE: an ATR of 0, which would put the stop where the entry is, counts as not known
        if (rules.stop is not None or rules.profit is not None) and not atr > 0:
            return
        if rules.after_open is not None and rules.length is not None:
            since = bar.minutes_open
            if not rules.after_open < since <= rules.after_open + rules.length:
                return
        size = self.sized(bar, atr)
        if size > 0:
            self.broker.send(Order(target * size, "entry", price=bar.close, checked=True, atr=atr))

    def sized(self, bar: Bar, atr: float) -> float:
        rules, costs = self.rules, self.costs
        equity = self.broker.equity(bar.close)
        unit = abs(bar.close) * costs.multiplier  # dollars that one share or contract stands for
        # of a future the margin is what is invested, and it bounds in place of the leverage
        if rules.kind == "fixed":
            wanted = rules.amount
        elif rules.kind == "percent":
            wanted = rules.amount / 100 * equity / (costs.margin or unit)
        else:
            assert rules.stop is not None
            wanted = rules.amount / 100 * equity / (rules.stop * atr * costs.multiplier)
        most = (1 - rules.cash_buffer) * equity / (costs.margin or unit)
        if not costs.margin:
            most = rules.max_leverage * (1 - rules.cash_buffer) * equity / unit
        # CHOICE: counted before rounding down; what differs by rounding alone is no cap
        if wanted > most * (1 + 1e-9):
            self.out.capped += 1
        size = max(min(wanted, most), 0.0)
        if rules.size_step:
            steps = size / rules.size_step
            # CHOICE: above a million steps a float is coarser than 1e-9 of one
            size = math.floor(steps + max(1e-9, steps * 1e-15)) * rules.size_step
        if size == 0:
            self.out.too_small += 1
        return size


def simulate(
    bars: Sequence[Bar],
    targets: Sequence[float],
    atr: Sequence[float],
    rules: Rules,
    costs: Costs,
) -> Ledger:
    return Simulator(rules, costs).run(bars, targets, atr)
