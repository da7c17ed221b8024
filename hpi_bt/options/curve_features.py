"""What an impulse curve shows: crossings, basins, peaks, asymmetry, regime (definitions 6)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import Note, Severity

SIDE = 0.005  # of spot: how far the asymmetry looks
EVEN = 0.10  # of the larger integral: within it the sides count as equal
PINNED, EXPANDING = 0.5, -0.3  # of the mean |H|
LOPSIDED = 1.5  # times the other side
UNKNOWN = "unknown"  # bias or regime of what is not known, which is never "none" or "neutral"


class Crossing(NamedTuple):
    """A zero of the curve: its price, and whether H rises with price there."""

    price: float
    rising: bool


class Extreme(NamedTuple):
    """A local maximum above 0 (basin) or minimum below 0 (peak): its price, place and H."""

    price: float
    at: int
    impulse: float


class CurveFeatures(NamedTuple):
    """Features of H over price; prices in dollars, H in shares per $1.

    Attributes
    ----------
    impulse, slope : float
        H at spot, and its slope there (shares per $1 per $1).
    crossings : tuple of Crossing
    basins, peaks : tuple of Extreme
        Ascending by price. The ends of the grid are neither.
    up, down : float
        Integrals of H over the next 0.5 % above and below spot, in shares.
    bias : {"up", "down", "none", "unknown"}
        The side with the more negative integral, where they differ by more than 10 %.
    attractor_above, attractor_below : float
        Nearest basin; NaN if there is none.
    regime : {"pinned", "expansion", "squeeze_up", "squeeze_down", "neutral", "unknown"}
        "unknown" where H at spot is not known, or where the bias decides and is not known.
    flags : tuple of str
    """

    impulse: float
    slope: float
    crossings: tuple[Crossing, ...]
    basins: tuple[Extreme, ...]
    peaks: tuple[Extreme, ...]
    up: float
    down: float
    bias: str
    attractor_above: float
    attractor_below: float
    regime: str
    flags: tuple[str, ...]


def features_of(price: FloatArray, impulse: FloatArray) -> CurveFeatures:
    """Return the features of a curve on an evenly spaced grid whose middle is spot.

    Parameters
    ----------
    price, impulse : ndarray of shape (2 n + 1,), n >= 1
        Dollars, ascending, and H in shares per $1; NaN where H is not known.

    Returns
    -------
    features : CurveFeatures
    """
    middle = len(price) // 2
    spot, here = float(price[middle]), float(impulse[middle])
    slope = (impulse[middle + 1] - impulse[middle - 1]) / (price[middle + 1] - price[middle - 1])
    basins, peaks = _maxima(price, impulse, 1.0), _maxima(price, impulse, -1.0)
    up = integral(price, impulse, spot, spot * (1.0 + SIDE))
    down = integral(price, impulse, spot * (1.0 - SIDE), spot)
    bias = _bias(up, down)
    flags: list[str] = []
    if math.isnan(up) or math.isnan(down):
        flags.append("The impulse is not known to 0.5 % on both sides of spot: nor is the bias.")
    known = np.abs(impulse[np.isfinite(impulse)])
    mean = float(known.mean()) if known.size else math.nan
    if math.isnan(here):
        text = "The impulse at spot is not known, nor is its regime."
        flags.append(Note(Severity.WARNING, "impulse-at-spot-unknown", text))
    elif not mean > 0.0:
        flags.append("The impulse is 0 everywhere: the regime is neutral for want of any.")
    above = min((b.price for b in basins if b.price > spot), default=math.nan)
    below = max((b.price for b in basins if b.price < spot), default=math.nan)
    sides = [side for side, at in (("above", above), ("below", below)) if math.isnan(at)]
    if sides:
        where = " or ".join(sides)
        text = f"No attractor {where} spot on these prices; a wider `range_pct` may hold one."
        flags.append(Note(Severity.INFO, "no-attractor", text))
    return CurveFeatures(
        impulse=here,
        slope=float(slope),
        crossings=_crossings(price, impulse),
        basins=basins,
        peaks=peaks,
        up=up,
        down=down,
        bias=bias,
        attractor_above=above,
        attractor_below=below,
        regime=_regime(here, mean, up, down, bias),
        flags=tuple(flags),
    )


def integral(price: FloatArray, impulse: FloatArray, low: float, high: float) -> float:
    """Return the trapezoid integral of H from `low` to `high`; NaN where H is not known."""
    slack = 1e-9 * (price[1] - price[0])
    if low < price[0] - slack or high > price[-1] + slack:
        return math.nan
    inner = (price > low + slack) & (price < high - slack)
    at = np.concatenate([[low], price[inner], [high]])
    return float(np.trapezoid(np.interp(at, price, impulse), at))


def _crossings(price: FloatArray, impulse: FloatArray) -> tuple[Crossing, ...]:
    """Return where H changes its sign; a stretch of zeros counts once, at its middle."""
    found = []
    last = -1  # place of the last value that is not 0
    for i in range(len(price)):
        if math.isnan(impulse[i]):
            last = -1
        elif impulse[i] != 0.0:
            if last >= 0 and (impulse[i] > 0.0) != (impulse[last] > 0.0):
                if i == last + 1:
                    share = impulse[last] / (impulse[last] - impulse[i])
                    zero = price[last] + share * (price[i] - price[last])
                else:
                    zero = 0.5 * (price[last + 1] + price[i - 1])
                found.append(Crossing(float(zero), bool(impulse[i] > 0.0)))
            last = i
    return tuple(found)


def _maxima(price: FloatArray, impulse: FloatArray, side: float) -> tuple[Extreme, ...]:
    """Return local maxima above 0 of side x H, a flat top once, at its middle."""
    height = side * impulse
    found = []
    start = 0  # of the stretch of equal values that holds i
    for i in range(1, len(price)):
        if height[i] == height[start]:
            continue
        top = (start + i - 1) // 2
        if start > 0 and height[start - 1] < height[start] > height[i] and height[top] > 0.0:
            found.append(Extreme(float(price[top]), top, float(impulse[top])))
        start = i
    return tuple(found)


def _bias(up: float, down: float) -> str:
    """Return the side with the more negative integral, "none" where both are about equal."""
    if math.isnan(up) or math.isnan(down):
        return UNKNOWN
    if not abs(up - down) > EVEN * max(abs(up), abs(down)):
        return "none"
    return "up" if up < down else "down"


def _regime(here: float, mean: float, up: float, down: float, bias: str) -> str:
    """Return the regime's name (definitions 6)."""
    if math.isnan(here):
        return UNKNOWN
    ratio = here / mean if mean > 0.0 else 0.0
    if ratio > PINNED:
        return "pinned"
    if ratio < EXPANDING:
        return f"squeeze_{bias}" if bias in ("up", "down") else "expansion"
    if bias == UNKNOWN:
        return UNKNOWN
    leading, other = (up, down) if bias == "up" else (down, up)
    if bias != "none" and leading < 0.0 and -leading > LOPSIDED * abs(other):
        return f"squeeze_{bias}"
    return "neutral"
