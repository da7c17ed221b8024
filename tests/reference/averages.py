"""Averages, windows and Wilder's indicators, spelt out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

Series = Sequence[float]
NAN = math.nan


def known(*values: float) -> bool:
    return not any(math.isnan(v) for v in values)


def mean(values: Series) -> float:
    return math.fsum(values) / len(values)


def recursive(x: Series, period: int, alpha: float) -> list[float]:
    """Seed with the mean of the first `period` values that exist; hold across a NaN."""
    seed: list[float] = []
    last, out = NAN, []
    for value in x:
        if known(value):
            if len(seed) < period:
                seed.append(value)
                last = mean(seed) if len(seed) == period else NAN
            else:
                last += alpha * (value - last)
        out.append(last)
    return out


def ema(x: Series, period: int) -> list[float]:
    return recursive(x, period, 2 / (period + 1))


def rma(x: Series, period: int) -> list[float]:
    return recursive(x, period, 1 / period)


def window(x: Series, t: int, length: int) -> list[float] | None:
    """The last `length` values, or None where there are fewer or one of them is NaN."""
    values = list(x[t - length + 1 : t + 1]) if t + 1 >= length else []
    return values if values and known(*values) else None


def rolling(x: Series, length: int, statistic) -> list[float]:  # type: ignore[no-untyped-def]
    windows = [window(x, t, length) for t in range(len(x))]
    return [NAN if w is None else statistic(w) for w in windows]


def sma(x: Series, period: int) -> list[float]:
    return rolling(x, period, mean)


def wma(x: Series, period: int) -> list[float]:
    def weighted(values: Series) -> float:
        total = math.fsum((i + 1) * v for i, v in enumerate(values))
        return total / (period * (period + 1) // 2)

    return rolling(x, period, weighted)


def hma(x: Series, period: int) -> list[float]:
    # Hull: wma(2 wma(n/2) - wma(n), sqrt n), both lengths rounded down, as Backtrader does
    fast, slow = wma(x, max(period // 2, 1)), wma(x, period)
    return wma([2 * f - s for f, s in zip(fast, slow, strict=True)], int(math.sqrt(period)))


def moving_average(x: Series, period: int, kind: str) -> list[float]:
    return {"sma": sma, "ema": ema, "rma": rma, "wma": wma, "hma": hma}[kind](x, period)


def whole(values: Series) -> list[int]:
    """The values as exact integers: all multiplied by one power of two."""
    ratios = [float(v).as_integer_ratio() for v in values]
    common = max(below for _, below in ratios)
    return [above * (common // below) for above, below in ratios]


def score(values: Series, last: float) -> float:
    """(last - mean) / std of `values`, ddof 0, in exact integers; 0 where the std is 0."""
    *xs, x = whole([*values, last])
    n, total = len(xs), sum(xs)
    variance = n * sum(v * v for v in xs) - total * total  # n^2 times the variance
    gap = n * x - total  # n times the distance from the mean
    if variance == 0:
        return 0.0
    size = math.sqrt(Fraction(gap * gap, variance))
    return size if gap > 0 else -size


def zscore(x: Series, lookback: int) -> list[float]:
    """Score against the last `lookback` values that exist; NaN at a NaN and before them."""
    seen: list[float] = []
    out = []
    for value in x:
        if known(value):
            seen.append(value)
        enough = known(value) and len(seen) >= lookback
        out.append(score(seen[-lookback:], value) if enough else NAN)
    return out


def highest(x: Series, length: int) -> list[float]:
    return rolling(x, length, max)


def lowest(x: Series, length: int) -> list[float]:
    return rolling(x, length, min)


def range_position(x: Series, length: int) -> list[float]:
    def position(values: Series) -> float:
        top, bottom, last = map(Fraction, (max(values), min(values), values[-1]))
        return 0.5 if top == bottom else float((last - bottom) / (top - bottom))

    return rolling(x, length, position)


def lagged(x: Series, bars: int) -> list[float]:
    return [x[t - bars] if t >= bars else NAN for t in range(len(x))]


def running_sum(x: Series) -> list[float]:
    total, out = 0.0, []
    for value in x:
        total += value if known(value) else 0.0
        out.append(total)
    return out


def wilder_rsi(x: Series, length: int) -> list[float]:
    """Wilder's RSI: both averages seeded by simple means of the first `length` changes."""
    changes = [NAN] + [b - a for a, b in itertools.pairwise(x)]
    gains = rma([max(c, 0.0) if known(c) else NAN for c in changes], length)
    losses = rma([max(-c, 0.0) if known(c) else NAN for c in changes], length)
    out = []
    for gain, loss in zip(gains, losses, strict=True):
        total = gain + loss
        out.append(50.0 if total == 0 else 100 * gain / total)  # flat 50, warm-up NaN
    return out


def wilder_atr(high: Series, low: Series, close: Series, length: int) -> list[float]:
    """Wilder's ATR: the first bar has no true range, since it has no previous close."""
    ranges = [NAN]
    for t in range(1, len(close)):
        before, bar = close[t - 1], (high[t], low[t])
        ranges.append(
            max(bar[0] - bar[1], abs(bar[0] - before), abs(bar[1] - before))
            if known(before, *bar)
            else NAN
        )
    return rma(ranges, length)
