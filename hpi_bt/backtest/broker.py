"""Brokers: one that skips work which changes nothing, and one whose costs always cost."""

from __future__ import annotations

import math
from typing import Any

import backtrader as bt
import numpy as np

from hpi_bt.arrays import FloatArray, IntArray


class LeanBroker(bt.brokers.BackBroker):  # type: ignore[misc]
    """Stock broker that, inside `HedgeCerebro`'s loop, wakes up only when an order can trigger.

    The account value is computed when somebody asks for it. Outside that loop it is stock.
    """

    _lean = False
    _stale = False
    _bar = -1
    _below, _above = -math.inf, math.inf  # a close beyond them is looked at, see `_look`

    def begin(self, data: Any) -> None:
        """Enter the short loop over one data feed."""
        names = ("open", "high", "low", "close")
        arrays = [np.frombuffer(getattr(data.lines, n).array, dtype=np.float64) for n in names]
        opens, highs, lows, self._closes = arrays
        self._ordered = bool(((highs >= opens) & (opens >= lows)).all())
        self._highs, self._lows = highs, lows
        self._high, self._low = data.lines.high.array, data.lines.low.array
        self._close = data.lines.close.array
        self._cost = self.getcommissioninfo(data)
        self._held = self.positions[data]
        self._daily = not self._cost.stocklike
        self._log: list[tuple[int, float, float, float]] = [(-1, self.cash, 0.0, 0.0)]
        self._reset: dict[int, float] = {}  # values of bars on which cash came
        self._bar = -1
        self._lean = True

    def step(self, bar: int) -> None:
        """Do what `next` would do on this bar; `bar` counts from 0."""
        self._bar = bar
        if self._busy(bar):
            bt.brokers.BackBroker.next(self)
            self._log.append((bar, self.cash, self._held.size, self._held.price))
            self._stale = False
            self._look(bar)
            return
        self._stale = True
        held = self._held
        if not held.size:
            return
        close = self._close[bar]
        if self._daily:
            self.cash += self._cost.cashadjust(held.size, held.adjbase, close)
            held.adjbase = close
            self._log.append((bar, self.cash, held.size, held.price))
        if not self._below < close < self._above:
            self._look(bar)

    def _look(self, bar: int) -> None:
        """Do what an account needs whose value has changed a lot; nothing here."""

    def _busy(self, bar: int) -> bool:
        if self.submitted or self._toactivate or self._cash_addition:
            return True
        for order in self.pending:
            kind, price = order.exectype, order.created.price
            if not self._ordered or order.valid is not None or not order.active():
                return True
            if kind == bt.Order.Stop:
                reached = self._high[bar] >= price if order.isbuy() else self._low[bar] <= price
            elif kind == bt.Order.Limit:
                reached = self._low[bar] <= price if order.isbuy() else self._high[bar] >= price
            else:
                return True
            if reached:
                return True
        return False

    @property
    def waiting(self) -> bool:
        """Whether something happens at the next bar, whatever its prices."""
        return bool(self.submitted or self._toactivate or self._cash_addition)

    def first_event(self, bar: int, limit: int) -> int:
        """Return the first bar after `bar`, `limit` at the latest, on which an order may fill."""
        if self._daily and self._held.size:
            return bar + 1  # futures are marked at every close
        for order in self.pending:
            kind, price = order.exectype, order.created.price
            simple = kind in (bt.Order.Stop, bt.Order.Limit) and order.valid is None
            if not (simple and self._ordered and order.active()):
                return bar + 1
            rises = (kind == bt.Order.Stop) == order.isbuy()
            limit = _first_reach(self._highs if rises else self._lows, price, rises, bar, limit)
        if self._below > 0.0:  # where closes may fall below 0, every bar is looked at
            limit = _first_reach(self._closes, self._below, False, bar, limit)
        if self._above < math.inf:
            limit = _first_reach(self._closes, self._above, True, bar, limit)
        return limit

    def add_cash(self, cash: float) -> None:
        """Add cash from the next bar on; the value of this bar is without it."""
        self._settle()
        super().add_cash(cash)

    def set_cash(self, cash: float) -> None:
        """Set the cash; until the next bar the account's value is that and no more."""
        self._settle()
        value = self._value
        super().set_cash(cash)
        if self._lean:
            self._note_cash(value)

    def _note_cash(self, value: float) -> None:
        """Note cash that came within a bar; on its curve the bar keeps the value it had."""
        self._log.append((self._bar, self.cash, self._held.size, self._held.price))
        self._reset.setdefault(self._bar, value)

    setcash = set_cash

    def _settle(self) -> None:
        if self._stale:
            self._stale = False
            self._get_value()

    def get_value(self, datas: Any = None, mkt: bool = False, lever: bool = False) -> float:
        """Return the account value, as of this bar's close."""
        self._settle()
        cash = self.cash
        value: float = super().get_value(datas=datas, mkt=mkt, lever=lever)
        if self._lean and self.cash != cash:  # asked for one data, Backtrader adds waiting cash
            self._note_cash(self._value)
        return value

    getvalue = get_value

    def value_now(self) -> float:
        """Return the account value at the loop's bar, without the work that only readers need."""
        if not self._stale:
            return float(self._value)
        held, cost = self._held, self._cost
        if not held.size:
            return float(self.cash)
        close = self._close[self._bar]
        value = abs(held.size) * cost.margin if self._daily else held.size * close
        gain = held.size * (close - held.price) * cost.p.mult
        if value > 0.0:
            value = (value - gain) / cost.get_leverage() + gain
        return float(self.cash + value)

    def get_leverage(self) -> float:
        """Return the leverage in use."""
        self._settle()
        leverage: float = super().get_leverage()
        return leverage

    def get_fundvalue(self) -> float:
        """Return the value of a share of the account."""
        self._settle()
        value: float = super().get_fundvalue()
        return value

    fundvalue = property(get_fundvalue)

    def end(self) -> None:
        """Leave the short loop."""
        self._settle()
        del self._highs, self._lows, self._closes  # they would keep the feed's arrays from growing
        self._lean = False

    def _entries(self, n_bars: int) -> IntArray:
        """Return the log's entry that holds at each close, shape (n_bars,)."""
        changed = np.zeros(n_bars, dtype=np.int64)
        for i, (bar, *_) in enumerate(self._log[1:], start=1):
            changed[bar] = i
        entries: IntArray = np.maximum.accumulate(changed)
        return entries

    def cash_curve(self, n_bars: int) -> FloatArray:
        """Return the cash at each close, from the log of what changed."""
        cash: FloatArray = np.array([entry[1] for entry in self._log])[self._entries(n_bars)]
        return cash

    def curves(self, n_bars: int) -> tuple[FloatArray, FloatArray]:
        """Return account value and position at each close, from the log of what changed."""
        cash, size, price = np.array([entry[1:] for entry in self._log]).T
        row = self._entries(n_bars)
        cash, size, price = cash[row], size[row], price[row]
        close = np.array(self._close[:n_bars])
        value = np.abs(size) * self._cost.margin if self._daily else size * close
        gain = size * (close - price) * self._cost.p.mult
        unlevered = np.where(value > 0.0, (value - gain) / self._cost.get_leverage() + gain, value)
        total = cash + unlevered
        for bar, value in self._reset.items():
            total[bar] = value
        return total, size


def _first_reach(prices: FloatArray, price: float, rises: bool, bar: int, limit: int) -> int:
    """Return the first bar after `bar` whose high (low) reaches `price`; `limit` if none before."""
    start, size = bar + 1, 64
    while start < limit:
        part = prices[start : min(start + size, limit)]
        hit = part >= price if rises else part <= price
        if hit.any():
            return start + int(hit.argmax())
        start, size = start + size, 4 * size
    return limit


class HedgeBroker(LeanBroker):
    """The broker of a config (definitions 8): slippage always costs, and a ruined account stops.

    Market, stop and gapped-stop fills are worse by the slippage whatever the bar's range; a limit
    that opens beyond its price slips as much, never past the limit; a touched limit does not slip.
    At the first close with an account value at or below 0 all orders are cancelled, positions are
    closed at the next open, and every later order is rejected. For a Cerebro of your own:
    `cerebro.broker = HedgeBroker(); cerebro.broker.set_slippage_perc(0.0005)`.

    Attributes
    ----------
    ruined : bool
        Whether the account has been at or below 0.
    first_close : int
        Number of bars of the first data, at the last of which the first order may be sent.
    """

    first_close = 0

    def init(self) -> None:
        """Begin with an account that is not ruined."""
        super().init()
        self.ruined = False
        self._limit = self._asked = math.nan
        self._below, self._above = -math.inf, math.inf  # closes from which on ruin is possible

    @property
    def idle(self) -> bool:
        """Whether every order would be rejected."""
        return self.ruined or len(self.cerebro.datas[0]) < self.first_close

    def submit(self, order: Any, check: bool = True) -> Any:
        """Take an order, or reject it where the account is ruined or its time has not come."""
        if self.idle and order.info.get("reason") != "ruin":
            order.too_early = not self.ruined
            order.reject(self)
            self.notify(order)
            return order
        return super().submit(order, check=check)

    def next(self) -> None:
        """Do what a broker does at a bar, then see what is left."""
        super().next()
        self._check_ruin()

    def _check_ruin(self) -> None:
        if self.ruined or not self._value <= 0.0:  # NaN, of a close that is not known, is no ruin
            return
        self.ruined = True
        for order in list(self.pending):
            self.cancel(order)
        owner = self.cerebro.runningstrats[0]
        for data, position in self.positions.items():
            if position.size:
                send = self.sell if position.size > 0 else self.buy
                send(
                    owner, data, abs(position.size), exectype=bt.Order.Market, _checksubmit=False,
                    kind="exit", reason="ruin",
                )  # fmt: skip

    def _try_exec(self, order: Any) -> None:
        created = order.created
        self._limit = created.price if order.exectype == order.Limit else created.pricelimit
        self._asked = math.nan
        super()._try_exec(order)

    def _execute(
        self, order: Any, ago: int | None = None, price: float | None = None, **how: Any
    ) -> Any:
        if ago is not None and price is not None:
            before = price if math.isnan(self._asked) else self._asked
            if order.exectype == order.Close:
                price = self._slipped(price, 1 if order.isbuy() else -1)
            order.price_before_slippage = before
        return super()._execute(order, ago=ago, price=price, **how)

    def _slip_up(self, _: float, price: float, doslip: bool = True, lim: bool = False) -> float:
        worse = self._slipped(price, 1)
        return min(worse, self._limit) if lim else worse

    def _slip_down(self, _: float, price: float, doslip: bool = True, lim: bool = False) -> float:
        worse = self._slipped(price, -1)
        return max(worse, self._limit) if lim else worse

    def _slipped(self, price: float, side: int) -> float:
        """Return the price after slippage, of which a price below 0 costs as much as one above."""
        self._asked = price
        share: float = self.p.slip_perc
        return price + side * (share * abs(price) if share else self.p.slip_fixed)

    def begin(self, data: Any) -> None:
        """Enter the short loop over one data feed."""
        super().begin(data)
        multiplier = self._cost.p.mult
        linear = bool((self._closes > 0.0).all()) and (self._daily or multiplier == 1.0)
        self._slope = multiplier if linear else 0.0  # 0: the value is no line in the close

    def _look(self, bar: int) -> None:
        """Stop an account that is ruined, and see how far a close may go until it could be."""
        self._settle()
        self._check_ruin()
        self._watch(bar)

    def _watch(self, bar: int) -> None:
        """Set between which closes the account cannot be ruined while nothing else changes."""
        size = self._held.size
        self._below, self._above = -math.inf, math.inf
        if self.ruined or not size:
            return
        if not self._slope:
            self._below = math.inf
            return
        close = self._close[bar]
        reach = self._value / (abs(size) * self._slope) - 1e-9 * abs(close)
        if size > 0:
            self._below = close - reach * (1.0 - 1e-9)
        else:
            self._above = close + reach * (1.0 - 1e-9)

    def _note_cash(self, value: float) -> None:
        super()._note_cash(value)
        self._below = math.inf
