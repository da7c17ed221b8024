"""Rolling windows: standard score, highest, lowest, place in the range, delay."""

from __future__ import annotations

import numpy as np
from numba import njit

from hpi_bt.arrays import FloatArray, State, as_series, carried, part
from hpi_bt.kernels.averages import check_length
from hpi_bt.kernels.memory import shared


@njit(cache=True, nogil=True)
def _suffix_moments(block: FloatArray, mean: FloatArray, m2: FloatArray) -> None:
    """Mean (relative to the block's last value) and sum of squares of block[j:], for every j."""
    n = block.size
    mean[n - 1], m2[n - 1] = 0.0, 0.0
    for j in range(n - 2, -1, -1):
        x = block[j] - block[n - 1]
        delta = x - mean[j + 1]
        mean[j] = mean[j + 1] + delta / (n - j)
        m2[j] = m2[j + 1] + delta * (x - mean[j])


@njit(cache=True, nogil=True)
def _score(
    x: FloatArray,
    block: FloatArray,
    old_mean: FloatArray,
    old_m2: FloatArray,
    carry: FloatArray,
    out: FloatArray,
) -> None:
    # A window is a suffix of the last full block and a prefix of the running one. Each part is
    # measured from a value that every window over it contains, so a huge value that has left the
    # window leaves no rounding behind; the parts are merged by Chan's formula.
    n = block.size
    filled, mean, m2, old_last, same, has_old, last = carry
    for i in range(x.size):
        if np.isnan(x[i]):
            out[i] = np.nan
            continue
        k = int(filled)
        same = same + 1.0 if same > 0.0 and x[i] == last else 1.0
        last = x[i]
        block[k] = x[i]
        value = x[i] - block[0]
        if k == 0:
            mean, m2 = 0.0, 0.0
        else:
            delta = value - mean
            mean += delta / (k + 1)
            m2 += delta * (value - mean)
        count = k + 1
        older = n - count
        centre, squares = mean, m2
        if older > 0 and has_old > 0.0:
            gap = mean - (old_mean[count] + (old_last - block[0]))
            centre = mean - gap * older / n
            squares = m2 + old_m2[count] + gap * gap * older * count / n
        if older > 0 and has_old == 0.0:
            out[i] = np.nan
        elif same >= n or squares <= 0.0:
            out[i] = 0.0  # by rule: a constant window has no spread, whatever rounding says
        else:
            out[i] = (value - centre) / np.sqrt(squares / n)
        filled = count
        if count == n:
            _suffix_moments(block, old_mean, old_m2)
            old_last, has_old, filled = block[n - 1], 1.0, 0.0
    carry[0], carry[1], carry[2], carry[3] = filled, mean, m2, old_last
    carry[4], carry[5], carry[6] = same, has_old, last


@shared
def zscore(x: FloatArray, lookback: int, *, state: State = None) -> FloatArray:
    """Return (x - mean)/std over the last `lookback` values that exist, ddof 0.

    Parameters
    ----------
    x : ndarray of shape (n_bars,)
        Any unit. A NaN gives NaN and takes no place in the window.
    lookback : int
        Values in the window, at least 2.

    Returns
    -------
    score : ndarray of shape (n_bars,)
        In standard deviations; 0 where the window is constant; NaN before `lookback` values.

    Notes
    -----
    Constant cost a bar. Full precision for values of 1e12 with a spread of 1, and in the window
    after a spike of 1e12.
    """
    n = check_length("lookback", lookback, least=2)
    (x,) = as_series(x)
    out = np.empty_like(x)
    _score(
        x,
        carried(state, "block", n),
        carried(state, "old_mean", n),
        carried(state, "old_m2", n),
        carried(state, "carry", 7),
        out,
    )
    return out


@njit(cache=True, nogil=True)
def _extreme(
    x: FloatArray, sign: float, ring: FloatArray, carry: FloatArray, out: FloatArray
) -> None:
    n = ring.size
    for i in range(x.size):
        seen = int(carry[0])
        ring[seen % n] = x[i]
        carry[0] = seen + 1
        if seen + 1 < n:
            out[i] = np.nan
            continue
        best = sign * ring[0]
        for k in range(n):
            value = sign * ring[k]
            if np.isnan(value):
                best = np.nan
                break
            best = max(best, value)
        out[i] = sign * best


def _rolling_extreme(x: FloatArray, length: int, sign: float, state: State) -> FloatArray:
    n = check_length("length", length)
    (x,) = as_series(x)
    out = np.empty_like(x)
    _extreme(x, sign, carried(state, "ring", n), carried(state, "carry", 1), out)
    return out


@shared
def highest(x: FloatArray, length: int, *, state: State = None) -> FloatArray:
    """Return the largest of the last `length` bars; NaN before, or where one of them is NaN."""
    return _rolling_extreme(x, length, 1.0, state)


@shared
def lowest(x: FloatArray, length: int, *, state: State = None) -> FloatArray:
    """Return the smallest of the last `length` bars; NaN before, or where one of them is NaN."""
    return _rolling_extreme(x, length, -1.0, state)


@shared
def range_position(x: FloatArray, length: int, *, state: State = None) -> FloatArray:
    """Return where x stands in the range of its last `length` bars, in [0, 1]; 0.5 when flat."""
    top = highest(x, length, state=part(state, "top"))
    bottom = lowest(x, length, state=part(state, "bottom"))
    spread = top - bottom
    out = np.where(spread == 0.0, 0.5, np.nan)
    np.divide(x - bottom, spread, out=out, where=spread > 0.0)
    return out


def lagged(x: FloatArray, bars: int, *, state: State = None) -> FloatArray:
    """Return x as it stood `bars` bars ago; NaN at first. `bars` = 0 returns x."""
    n = check_length("bars", bars, least=0)
    (x,) = as_series(x)
    if n == 0:
        return x
    kept = carried(state, "kept", n, fill=np.nan)
    joined = np.concatenate([kept, x])
    kept[:] = joined[-n:]
    return joined[: x.size]


def running_sum(x: FloatArray, *, state: State = None) -> FloatArray:
    """Return the sum of everything so far; a NaN adds nothing."""
    (x,) = as_series(x)
    total = carried(state, "total", 1)
    out = np.cumsum(np.concatenate([total, np.where(np.isnan(x), 0.0, x)]))[1:]
    total[0] = out[-1] if out.size else total[0]
    return out
