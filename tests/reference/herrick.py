"""Definitions 1 and 2: Herrick's payoff, its RSI, and both kinds of divergence."""

from __future__ import annotations

import math
from typing import NamedTuple

from reference.averages import (
    NAN,
    Series,
    ema,
    highest,
    known,
    lagged,
    lowest,
    moving_average,
    running_sum,
    wilder_rsi,
)


def sign(x: float) -> float:
    return math.copysign(1.0, x) if x != 0 else 0.0


def usable_interest(open_interest: Series) -> list[float]:
    """OI*: the open interest, or the last positive one where a bar has none."""
    last, out = NAN, []
    for value in open_interest:
        last = value if value > 0 else last
        out.append(last)
    return out


def herrick_payoff(
    high: Series,
    low: Series,
    volume: Series,
    open_interest: Series,
    *,
    one_cent: float = 100.0,
    smoothing: float = 0.133,
    oi_base: str = "min",
    divisor: float = 1.0,
    max_oi_change: float | None = None,
    oi_lag: int = 0,
) -> tuple[list[float], list[float]]:
    interest = usable_interest(lagged(open_interest, oi_lag))
    middle = [(h + lo) / 2 for h, lo in zip(high, low, strict=True)]
    raw, hpi, last = [], [], NAN
    for t in range(len(middle)):
        value = NAN
        if t and known(middle[t], middle[t - 1], volume[t], interest[t], interest[t - 1]):
            move, pair = middle[t] - middle[t - 1], (interest[t], interest[t - 1])
            change = abs(pair[0] - pair[1])
            base = min(pair) if oi_base == "min" else max(pair)
            value = one_cent * volume[t] * move / divisor * (1 + sign(move) * 2 * change / base)
            if max_oi_change is not None and change / min(pair) > max_oi_change:
                value = NAN
        if known(value):
            last = last + smoothing * (value - last) if known(last) else value
        raw.append(value)
        hpi.append(last)
    return raw, hpi


def herrick_rsi(
    raw: Series,
    *,
    hpi_smoothing: int = 3,
    rsi_length: int = 14,
    signal_length: int = 9,
    signal_type: str = "ema",
) -> tuple[list[float], list[float]]:
    rsi = wilder_rsi(ema(running_sum(raw), hpi_smoothing), rsi_length)
    first = next((t for t, value in enumerate(raw) if known(value)), len(raw))
    rsi = [NAN if t < first - 1 + rsi_length else value for t, value in enumerate(rsi)]
    return rsi, moving_average(rsi, signal_length, signal_type)


def unconfirmed_extreme(high: Series, low: Series, indicator: Series, length: int) -> list[float]:
    """TradeStation's alert: a price extreme of the window that the indicator does not share."""
    top, bottom = highest(high, length), lowest(low, length)
    best, worst = highest(indicator, length), lowest(indicator, length)
    bearish, bullish = [False], [False]
    out = []
    for t in range(len(high)):
        # a comparison with an unknown extreme is False, so no alert before the windows are full
        bearish.append(high[t] == top[t] and indicator[t] < best[t])
        bullish.append(low[t] == bottom[t] and indicator[t] > worst[t])
        first_bear = bearish[-1] and not bearish[-2]
        first_bull = bullish[-1] and not bullish[-2]
        out.append(float(first_bull) - float(first_bear))  # both at once cancel
    return out


class Divergence(NamedTuple):
    divergence: list[float]
    pivot_age: list[float]
    previous_pivot_age: list[float]


def is_pivot(x: Series, centre: int, side: int, direction: float) -> bool:
    """True where x[centre] is beyond every one of `side` known bars on either side.

    The definition is silent on ties; the first of equal bars is the pivot.
    """
    if centre < side or centre + side >= len(x):
        return False
    left = [direction * v for v in x[centre - side : centre]]
    right = [direction * v for v in x[centre + 1 : centre + side + 1]]
    middle = direction * x[centre]
    return known(middle, *left, *right) and max(left) < middle and max(right) <= middle


def pivot_divergence(
    high: Series,
    low: Series,
    oscillator: Series,
    *,
    pivots: str = "oscillator",
    pivot: int = 5,
    min_pivot_gap: int = 5,
    max_pivot_gap: int = 60,
    hidden: bool = False,
) -> Divergence:
    n = len(high)
    found: list[list[tuple[float, float, float]]] = [[] for _ in range(n)]
    for price, direction in ((low, -1.0), (high, 1.0)):  # a pivot low bears +1, a pivot high -1
        judged = {"oscillator": [oscillator], "price": [price], "both": [price, oscillator]}[pivots]
        previous = None
        for centre in range(n):
            if not all(is_pivot(x, centre, pivot, direction) for x in judged):
                continue
            between = NAN if previous is None else centre - previous - 1
            if previous is not None and min_pivot_gap <= between <= max_pivot_gap:
                further = direction * (price[centre] - price[previous])
                reach = direction * (oscillator[centre] - oscillator[previous])
                # the definition only says "optional" of hidden ones: they are marked +2 and -2
                kind = 1.0 if further > 0 > reach else 2.0 if further < 0 < reach else 0.0
                if kind == 1.0 or (hidden and kind == 2.0):
                    confirmed = centre + pivot
                    ages = (float(pivot), float(confirmed - previous))
                    found[confirmed].append((-direction * kind, *ages))
            previous = centre
    return Divergence(*(list(column) for column in zip(*map(one_of, found), strict=True)))


def one_of(found: list[tuple[float, float, float]]) -> tuple[float, float, float]:
    """Of a low's and a high's on one bar: the regular one, neither where they are of a kind."""
    best = sorted(found, key=lambda one: abs(one[0]))
    if not best or (len(best) == 2 and best[0][0] == -best[1][0]):
        return 0.0, NAN, NAN
    return best[0]
