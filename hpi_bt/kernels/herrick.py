"""John Herrick's payoff index and the RSI of its running sum (definitions 1 and 2)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from hpi_bt.arrays import FloatArray, State, as_series, carried, part
from hpi_bt.kernels.averages import ema, moving_average
from hpi_bt.kernels.memory import shared
from hpi_bt.kernels.wilder import wilder_rsi
from hpi_bt.kernels.windows import lagged, running_sum


class HerrickPayoff(NamedTuple):
    """Money flow into or out of a futures market, each array of shape (n_bars,)."""

    raw: FloatArray
    hpi: FloatArray


class HerrickStrength(NamedTuple):
    """Wilder's RSI of the cumulative payoff and its signal line, each of shape (n_bars,)."""

    rsi: FloatArray
    signal: FloatArray


@njit(cache=True, nogil=True)
def _payoff(
    middle: FloatArray,
    volume: FloatArray,
    interest: FloatArray,
    scale: float,
    smoothing: float,
    use_max: bool,
    limit: float,
    carry: FloatArray,
    raw: FloatArray,
    hpi: FloatArray,
) -> None:
    before, held, value = carry  # the last middle, the last positive interest, the index
    for i in range(middle.size):
        last = held
        if interest[i] > 0.0:
            held = interest[i]
        move = middle[i] - before
        before = middle[i]
        change = abs(held - last)
        least, most = min(held, last), max(held, last)
        raw[i] = np.nan
        if not (np.isnan(change) or np.isnan(move) or np.isnan(volume[i])):
            if change / least <= limit:
                base = most if use_max else least
                sign = 1.0 if move > 0.0 else (-1.0 if move < 0.0 else 0.0)
                raw[i] = scale * volume[i] * move * (1.0 + sign * 2.0 * change / base)
            if not np.isnan(raw[i]):
                value = raw[i] if np.isnan(value) else value + smoothing * (raw[i] - value)
        hpi[i] = value
    carry[0], carry[1], carry[2] = before, held, value


@shared
def herrick_payoff(
    high: FloatArray,
    low: FloatArray,
    volume: FloatArray,
    open_interest: FloatArray,
    *,
    one_cent: float = 100.0,
    smoothing: float = 0.133,
    oi_base: str = "min",
    divisor: float = 1.0,
    max_oi_change: float | None = None,
    oi_lag: int = 0,
    state: State = None,
) -> HerrickPayoff:
    """Return the Herrick payoff of each bar and its smoothed index.

    Parameters
    ----------
    high, low : ndarray of shape (n_bars,)
        In price units; the move is that of (high + low)/2.
    volume, open_interest : ndarray of shape (n_bars,)
        Contracts, over all months. An open interest that is not positive is replaced by the last
        positive one.
    one_cent : float, default=100
        Dollars that a move of one price unit is worth, times 0.01 for prices in cents.
    smoothing : float in (0, 1], default=0.133
        Share of the gap that each bar closes; about 2/(14 + 1).
    oi_base : {"min", "max"}, default="min"
        Which of today's and yesterday's open interest divides its change.
    divisor : float, default=1
        Divides the raw payoff, to bring it to a readable size.
    max_oi_change : float, optional
        Blank the bar where |change of open interest| / the smaller one exceeds this: the roll
        bars of a stitched front-month series.
    oi_lag : int, default=0
        Bars by which the open interest is delayed, for feeds that publish late.

    Returns
    -------
    raw, hpi : ndarray of shape (n_bars,)
        Dollars / `divisor`; positive = money flows in with rising prices. raw is NaN on the
        first bar, without a positive open interest yet, and where an input is NaN; hpi starts as
        the first raw and holds where raw is NaN.

    Raises
    ------
    ValueError
        `oi_base`, `smoothing`, `divisor`, `max_oi_change` or `oi_lag` out of range, or series of
        different length.

    Notes
    -----
    raw = one_cent V dM / divisor (1 + sign(dM) 2 I / G), after John Herrick; TradeStation "HPI";
    Sierra Chart study 29.
    """
    if oi_base not in ("min", "max"):
        raise ValueError(f"oi_base must be 'min' or 'max', got {oi_base!r}")
    if not 0.0 < smoothing <= 1.0:
        raise ValueError(f"smoothing must lie in (0, 1], got {smoothing!r}")
    if not divisor > 0.0:
        raise ValueError(f"divisor must be positive, got {divisor!r}")
    if max_oi_change is not None and not max_oi_change > 0.0:
        raise ValueError(f"max_oi_change must be positive or None, got {max_oi_change!r}")
    high, low, volume, interest = as_series(high, low, volume, open_interest)
    interest = lagged(interest, oi_lag, state=part(state, "lag"))
    raw, hpi = np.empty_like(high), np.empty_like(high)
    limit = np.inf if max_oi_change is None else float(max_oi_change)
    carry = carried(state, "carry", 3, fill=np.nan)
    scale = one_cent / divisor
    middle = (high + low) / 2.0
    _payoff(
        middle, volume, interest, scale, float(smoothing), oi_base == "max", limit, carry, raw, hpi
    )
    return HerrickPayoff(raw, hpi)


@shared
def herrick_rsi(
    raw: FloatArray,
    *,
    hpi_smoothing: int = 3,
    rsi_length: int = 14,
    signal_length: int = 9,
    signal_type: str = "ema",
    state: State = None,
) -> HerrickStrength:
    """Return Wilder's RSI of the smoothed running payoff, and its signal line.

    Parameters
    ----------
    raw : ndarray of shape (n_bars,)
        Payoff of each bar, `herrick_payoff(...).raw`; a NaN adds nothing to the sum.
    hpi_smoothing : int in 1..5, default=3
        Length of the ema of the running sum.
    rsi_length : int, default=14
        Bars of Wilder's average.
    signal_length : int, default=9
        Bars of the signal line; 0 disables it (NaN).
    signal_type : {"sma", "ema", "rma", "wma", "hma"}, default="ema"
        Its kind.

    Returns
    -------
    rsi, signal : ndarray of shape (n_bars,)
        In [0, 100]; 50 where flat. The first rsi stands at bar hpi_smoothing + rsi_length - 1
        (counted from 0), and no sooner than `rsi_length` changes of the sum since the bar before
        the first known payoff: NaN, never 50, where no payoff is known.

    Raises
    ------
    ValueError
        A length or the kind is out of range.
    """
    if hpi_smoothing not in range(1, 6):
        raise ValueError(f"hpi_smoothing must be 1 to 5, got {hpi_smoothing!r}")
    smooth = cumulative_payoff(raw, hpi_smoothing, state=state)
    rsi = wilder_rsi(smooth, rsi_length, state=part(state, "rsi"))
    known = _bars_since_known(raw, state=part(state, "begun"))
    rsi = np.where(known >= rsi_length, rsi, np.nan)
    if signal_length == 0:
        return HerrickStrength(rsi, np.full(rsi.shape, np.nan))
    signal = moving_average(rsi, signal_length, signal_type, state=part(state, "signal"))
    return HerrickStrength(rsi, signal)


def _bars_since_known(raw: FloatArray, *, state: State) -> FloatArray:
    """Return how many bars have passed since the first known value, that one included."""
    (raw,) = as_series(raw)
    count = carried(state, "count", 1)
    begun = np.logical_or.accumulate(~np.isnan(raw)) | (count[0] > 0.0)
    out: FloatArray = count[0] + np.cumsum(begun, dtype=np.float64)
    count[0] = out[-1] if out.size else count[0]
    return out


@shared
def cumulative_payoff(raw: FloatArray, smoothing: int, *, state: State = None) -> FloatArray:
    """Return the ema of the running sum of `raw` (NaN adds 0); NaN before `smoothing` bars."""
    total = running_sum(raw, state=part(state, "sum"))
    return ema(total, smoothing, state=part(state, "ema"))
