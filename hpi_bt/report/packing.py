"""Columns of numbers as short text: rounded, differenced, split into byte planes, gzipped."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence

import numpy as np

from hpi_bt.arrays import FloatArray

#: |value x 10^decimals| stays below this, so that differences are exact doubles in a browser.
_LARGEST = 2.0**46
_PLANES = 6  # bytes that hold a zigzagged difference of two such values, plus one


def decimals_of(values: FloatArray, *, digits: int = 6, most: int = 8) -> int:
    """Return how many decimals to keep of a column.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Any magnitude; what is not finite is ignored.
    digits : int, default=6
        Significant digits that its median magnitude keeps where the column is not exact.
    most : int, default=8
        Decimals up to which a column is tried for being exact: prices are.

    Returns
    -------
    decimals : int
        Negative where even whole numbers are too large: -3 keeps thousands.
    """
    size = np.abs(values[np.isfinite(values)])
    size = size[size > 1e-200]  # what is smaller is shown as 0
    if not size.size:
        return 0
    # at most this many, so that nothing overflows
    room = int(np.floor(np.log10(_LARGEST / size.max())))
    wanted = digits - 1 - int(np.floor(np.log10(np.median(size))))
    for decimals in range(min(most, room) + 1):
        if decimals > wanted + 2:
            break
        scaled = size * 10.0**decimals
        if (np.abs(scaled - np.round(scaled)) <= 1e-9 * np.maximum(scaled, 1.0)).all():
            return decimals
    return min(max(wanted, 0), room, 15)


def tick_decimals(prices: FloatArray) -> int:
    """Return the decimals in which prices are quoted: what nearly all of them are exact in.

    Parameters
    ----------
    prices : ndarray of shape (n,)
        Any magnitude; what is not finite is ignored.

    Notes
    -----
    A tenth of the prices may be finer, as midpoints and sub-penny prints are. Prices that are
    exact in no number of decimals (adjusted ones) get five significant digits, two decimals at
    the least; seven digits are the most that a quote is taken to have.
    """
    size = np.abs(prices[np.isfinite(prices) & (np.abs(prices) > 1e-200)])
    if not size.size:
        return 2
    magnitude = int(np.floor(np.log10(np.median(size))))
    for decimals in range(max(0, 7 - magnitude)):
        scaled = size * 10.0**decimals
        if (np.abs(scaled - np.round(scaled)) <= 1e-9 * np.maximum(scaled, 1.0)).mean() >= 0.9:
            return decimals
    return min(max(2, 4 - magnitude), 15)


def pack(columns: Sequence[tuple[FloatArray, int]]) -> str:
    """Return columns as base64 of gzip of byte planes; `unpack` of signals_data.js.j2 reads it.

    Parameters
    ----------
    columns : sequence of (ndarray of shape (n,), int)
        Values and the decimals that are kept of them, as `decimals_of` gives them; what is not
        finite comes back as NaN.

    Notes
    -----
    Each value becomes 1 + zigzag(its difference from the last known one), 0 where unknown, in six
    bytes: all first bytes, then all second ones and so on. High planes are zeros and cost nothing.
    """
    press = zlib.compressobj(6, zlib.DEFLATED, 31)
    parts = [press.compress(_planes(*column)) for column in columns]
    return base64.b64encode(b"".join([*parts, press.flush()])).decode("ascii")


def _planes(values: FloatArray, decimals: int) -> bytes:
    known = np.isfinite(values)
    whole = np.zeros(values.size, dtype=np.int64)
    scaled = np.round(values[known] * 10.0**decimals)
    if scaled.size and np.abs(scaled).max() >= _LARGEST:
        raise OverflowError(f"{np.abs(scaled).max():g} does not fit; keep fewer decimals")
    step = np.asarray(np.diff(scaled, prepend=0.0), dtype=np.int64)
    whole[known] = ((step << 1) ^ (step >> 63)) + 1  # zigzag: 0, -1, 1, -2 become 1, 2, 3, 4
    return whole.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :_PLANES].T.tobytes()
