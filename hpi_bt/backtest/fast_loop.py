"""Definitions 8 as one compiled loop, equal to Cerebro to the last bit.

Every line of money here repeats the arithmetic of Backtrader's broker in the broker's order; the
decisions are those of `hpi_bt.orders`, which the Backtrader strategy calls too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.kernels.compiler import njit
from hpi_bt.kernels.interpreting import interpreted
from hpi_bt.orders import (
    NO_EXIT,
    REASONS,
    RUIN,
    STOP,
    TARGET,
    TIME,
    WINDOW_END,
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
_REJECTED, _CAPPED, _TOO_SMALL, _BREACHED, _LATE = range(5)


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
    """What one simulation gives: by bar, by fill (size, price, ...), and the counts.

    `protection` has a row (stop, target) a fill: prices of the orders that protected the position
    which the fill opened, NaN where none was sent before the last bar.
    """

    equity: FloatArray
    position: FloatArray
    fill_bar: IntArray
    fill_code: IntArray
    fills: FloatArray
    counts: IntArray
    protection: FloatArray


@njit(cache=True, nogil=True)
def _worse(price: float, side: int, slippage: float) -> float:
    """Return the price after slippage, of which a price below 0 costs as much as one above."""
    return price + side * (slippage * abs(price))


@njit(cache=True, nogil=True)
def _commission(costs: Costs, size: float, price: float) -> float:
    if costs.percent:
        return abs(size) * costs.commission * abs(price)
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


class Held(NamedTuple):
    """The position: what it cost, where futures were last marked, and how it was entered."""

    size: float
    paid: float
    mark: float
    bar: int
    session: float
    price: float
    atr: float


class Resting(NamedTuple):
    """Prices of the protective orders; NaN where there is none."""

    stop: float
    target: float


class Sent(NamedTuple):
    """What was sent at the last close: an exit's code, an entry's signed size, close and ATR."""

    exit: int
    size: float
    close: float
    atr: float


_FLAT = Held(0.0, 0.0, 0.0, -1, np.nan, np.nan, np.nan)
_NO_ORDER = Resting(np.nan, np.nan)
_NOTHING = Sent(NO_EXIT, 0.0, 0.0, np.nan)

#: So many bars are not worth compiling for: interpreted, they take 0.3 s at most, against 3 s to
#: compile once for a machine, and no longer than to load what was compiled.
_FEW_BARS = 60_000
_bars_so_far = [0]  # that this process has interpreted


@njit(cache=True, nogil=True)
def _stop_fill(
    side: int, stop: float, bar: tuple[float, float, float], slippage: float
) -> tuple[int, float, float]:
    """Return (code, price, price without slippage) of a resting stop; NaN is no stop."""
    open_, high, low = bar
    if side * (open_ - stop) <= 0.0:
        return STOP, _worse(open_, -side, slippage), open_
    if side * ((low if side > 0 else high) - stop) <= 0.0:
        return STOP, _worse(stop, -side, slippage), stop
    return NO_EXIT, np.nan, np.nan


@njit(cache=True, nogil=True)
def _target_fill(
    side: int, target: float, bar: tuple[float, float, float], slippage: float
) -> tuple[int, float, float]:
    """Return (code, price, price without slippage) of a resting profit target; NaN is none."""
    open_, high, low = bar
    if side * (open_ - target) >= 0.0:
        price = _worse(open_, -side, slippage)
        return TARGET, max(price, target) if side > 0 else min(price, target), open_
    if side * ((high if side > 0 else low) - target) >= 0.0:
        return TARGET, target, target
    return NO_EXIT, np.nan, np.nan


@njit(cache=True, nogil=True)
def _exit_fill(
    side: int,
    sent: Sent,
    resting: Resting,
    bar: tuple[float, float, float],
    slippage: float,
) -> tuple[int, float, float]:
    """Return (code, price, price without slippage) of what leaves the position on this bar."""
    if sent.exit != NO_EXIT:
        return sent.exit, _worse(bar[0], -side, slippage), bar[0]
    found = _stop_fill(side, resting.stop, bar, slippage)
    if found[0] == NO_EXIT:  # the stop comes first, also where the target was nearer
        found = _target_fill(side, resting.target, bar, slippage)
    return found


@njit(cache=True, nogil=True)
def _valued(
    rules: Rules, costs: Costs, cash: float, held: Held, close: float
) -> tuple[float, Held, float]:
    """Return cash, position and account value at the close; futures are marked to it."""
    if held.size == 0.0:
        return cash, held, cash
    if rules.margin > 0.0:
        cash += held.size * (close - held.mark) * rules.multiplier
        held = Held(held.size, held.paid, close, held.bar, held.session, held.price, held.atr)
    counted = _held_value(rules, held.size, close)
    gain = held.size * (close - held.paid) * (rules.multiplier if rules.margin > 0.0 else 1.0)
    if counted > 0.0:
        counted = (counted - gain) / costs.leverage + gain
    return cash, held, cash + counted


@njit(cache=True, nogil=True)
def _protected(rules: Rules, side: int, held: Held) -> Resting:
    """Return the orders that protect a new position."""
    stop, target = np.nan, np.nan
    if rules.stop > 0.0:
        stop = stop_price(rules, side, held.price, held.atr)
    if rules.target > 0.0:
        target = target_price(rules, side, held.price, held.atr)
    return Resting(stop, target)


@njit(cache=True, nogil=True)
def _breached(rules: Rules, held: Held, high: float, low: float) -> bool:
    """Return whether the fill bar itself would have hit the stop."""
    if rules.stop <= 0.0:
        return False
    side = 1 if held.size > 0.0 else -1
    stop = stop_price(rules, side, held.price, held.atr)
    return low <= stop if side > 0 else high >= stop


def simulate(
    market: Market,
    target: FloatArray,
    atr: FloatArray,
    rules: Rules,
    costs: Costs,
    *,
    room: tuple[FloatArray, FloatArray] | None = None,
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
    room : tuple of ndarray of shape (n_bars,), optional
        Arrays to write equity and position to, for callers that simulate many times.

    Returns
    -------
    account : Account
        fills has rows (size, price, commission, slippage, closed), one a fill.
    """
    equity, position = room or (np.empty(target.size), np.empty(target.size))
    given = market, target, atr, rules, costs, equity, position
    return interpret(*given) if room is None and _few(target.size) else _simulate(*given)


def _few(n_bars: int) -> bool:
    """Return whether these bars are sooner interpreted than the loop is compiled, and count them.

    The count spares a process with many short runs from interpreting them all.
    """
    if _simulate.signatures or _bars_so_far[0] + n_bars > _FEW_BARS:
        return False
    _bars_so_far[0] += n_bars
    return True


def interpret(
    market: Market,
    target: FloatArray,
    atr: FloatArray,
    rules: Rules,
    costs: Costs,
    equity: FloatArray,
    position: FloatArray,
) -> Account:
    """Return what the compiled loop would, to the last bit, without compiling it."""
    bars = Market(*(column.tolist() for column in market))
    return _interpreted(bars, target.tolist(), atr.tolist(), rules, costs, equity, position)


@njit(cache=True, nogil=True)
def _simulate(  # noqa: PLR0912, PLR0915 - one loop, its three steps in the broker's order
    market: Market,
    target: FloatArray,
    atr: FloatArray,
    rules: Rules,
    costs: Costs,
    equity: FloatArray,
    position: FloatArray,
) -> Account:
    n = len(target)
    opens, highs, lows, closes, session, minutes_open, minutes_left = market
    # Room for all fills there can be, two a bar; what is not written costs no memory. Arrays that
    # grew within the loop would be counted by reference on every bar, half of the loop's time.
    fill_bar, fill_code = np.empty(2 * n, np.int64), np.empty(2 * n, np.int64)
    fills = np.empty((2 * n, 7))
    counts, n_fills, opened = np.zeros(5, np.int64), 0, 0
    cash = value = costs.cash
    held, resting, sent, blocked, ruined = _FLAT, _NO_ORDER, _NOTHING, 0, False
    for t in range(n):
        # 1. the broker: what was sent at the last close, then the protective orders
        if sent.size != 0.0 or held.size != 0.0:
            bar = (opens[t], highs[t], lows[t])
            entering = sent.size != 0.0
            if entering and not _affordable(rules, costs, cash, held.size, sent.size, sent.close):
                counts[_REJECTED] += 1
                entering = False
            if held.size != 0.0:
                side = 1 if held.size > 0.0 else -1
                code, price, plain = _exit_fill(side, sent, resting, bar, costs.slippage)
                if code != NO_EXIT:
                    size = -held.size
                    cash, commission = _after_close(
                        rules, costs, cash, held.size, held.paid, price, held.mark
                    )
                    fill_bar[n_fills], fill_code[n_fills] = t, code
                    fills[n_fills, 0], fills[n_fills, 1] = size, price
                    fills[n_fills, 2] = commission
                    fills[n_fills, 3] = (price - plain) * size * rules.multiplier
                    fills[n_fills, 4] = size
                    fills[n_fills, 5] = fills[n_fills, 6] = np.nan
                    n_fills += 1
                    if code in (STOP, TARGET):
                        blocked = side
                    if rules.flat and session[t] != held.session:
                        counts[_LATE] += 1
                    held, resting = _FLAT, _NO_ORDER
            if entering:
                size, side = sent.size, 1 if sent.size > 0.0 else -1
                price = _worse(bar[0], side, costs.slippage)
                left, commission = _after_open(rules, costs, cash, size, price)
                if left < 0.0:
                    counts[_REJECTED] += 1
                else:
                    cash = left
                    fill_bar[n_fills], fill_code[n_fills] = t, ENTRY
                    fills[n_fills, 0], fills[n_fills, 1] = size, price
                    fills[n_fills, 2] = commission
                    fills[n_fills, 3] = (price - bar[0]) * size * rules.multiplier
                    fills[n_fills, 4] = 0.0
                    fills[n_fills, 5] = fills[n_fills, 6] = np.nan
                    opened = n_fills
                    n_fills += 1
                    executed = (size * price) / size  # Backtrader's average over one fill
                    held = Held(size, price, price, t, session[t], executed, sent.atr)
            sent = _NOTHING
            # 2. the close: the account is valued
            cash, held, value = _valued(rules, costs, cash, held, closes[t])
        equity[t], position[t] = value, held.size
        if value <= 0.0:  # nothing is left: out at the next open, and no order follows
            if not ruined and held.size != 0.0:
                sent, resting = Sent(RUIN, 0.0, 0.0, np.nan), _NO_ORDER
                if t == held.bar and _breached(rules, held, highs[t], lows[t]):
                    counts[_BREACHED] += 1
            ruined = True
        if ruined:
            continue
        # 3. the strategy decides
        wanted = allowed_target(rules, target[t])
        if blocked not in (0, wanted):
            blocked = 0
        if held.size == 0.0 and wanted == 0:
            continue
        side, code = 0, NO_EXIT
        if held.size != 0.0:
            side, bars_held = 1 if held.size > 0.0 else -1, t - held.bar + 1
            new_session = session[t] != held.session
            code = exit_code(rules, side, wanted, bars_held, new_session, minutes_left[t])
            if bars_held == 1 and _breached(rules, held, highs[t], lows[t]):
                counts[_BREACHED] += 1
            if code != NO_EXIT:
                sent, resting = Sent(code, 0.0, 0.0, np.nan), _NO_ORDER
                if code == TIME and wanted == side:
                    blocked = side
            elif bars_held == 1:
                resting = _protected(rules, side, held)
                if t + 1 < n:  # on the last bar they are dropped with all that is pending
                    fills[opened, 5], fills[opened, 6] = resting.stop, resting.target
        if wanted in (0, side):
            continue
        if may_enter(
            rules, side, wanted, code, blocked, atr[t],
            minutes_open[t], minutes_left[t],
        ):  # fmt: skip
            units, capped = entry_size(rules, value, closes[t], atr[t])
            counts[_CAPPED] += capped
            if units > 0.0:
                sent = Sent(code, wanted * units, closes[t], atr[t])
            else:
                counts[_TOO_SMALL] += 1
    k, made = n_fills, fills[:n_fills].copy()
    return Account(
        equity, position, fill_bar[:k].copy(), fill_code[:k].copy(), made[:, :5], counts,
        made[:, 5:],
    )  # fmt: skip


_interpreted: Callable[..., Account] = interpreted(_simulate)


def from_bar(account: Account, first: int) -> Account:
    """Return an account from bar `first` on, before which nothing was filled; bars count from 0."""
    return account._replace(
        equity=account.equity[first:],
        position=account.position[first:],
        fill_bar=account.fill_bar - first,
    )


def way_out(
    costs: Costs, multiplier: float, size: float, close: float
) -> tuple[float, float, float]:
    """Return (price, commission, slippage) of closing a position of `size` at a close."""
    price = _worse.py_func(close, -1 if size > 0.0 else 1, costs.slippage)
    slippage = (price - close) * -size * multiplier
    return price, _commission.py_func(costs, size, price), slippage


def closed_out(account: Account, rules: Rules, costs: Costs, close: float) -> Account:
    """Return an account whose position is closed at the last bar's close, with what that costs."""
    size = float(account.position[-1])
    if size == 0.0:
        return account
    price, commission, slippage = way_out(costs, rules.multiplier, size, close)
    equity, position = account.equity.copy(), account.position.copy()
    equity[-1] -= slippage + commission
    position[-1] = 0.0
    fill = [-size, price, commission, slippage, -size]
    return Account(
        equity,
        position,
        np.append(account.fill_bar, position.size - 1),
        np.append(account.fill_code, WINDOW_END),
        np.vstack((account.fills, fill)),
        account.counts,
        np.vstack((account.protection, [np.nan, np.nan])),
    )
