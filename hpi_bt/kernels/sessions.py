"""Primitives that know the trading session: sums, averages and norms of the same time of day."""

from __future__ import annotations

import numpy as np
from numba import njit

from hpi_bt.arrays import FloatArray, IntArray, State, as_series, carried
from hpi_bt.kernels.averages import check_length
from hpi_bt.kernels.memory import shared


@njit(cache=True, nogil=True)
def _sum(x: FloatArray, session: FloatArray, carry: FloatArray, out: FloatArray) -> None:
    current, total = carry[0], carry[1]
    for i in range(x.size):
        if session[i] != current:
            current, total = session[i], 0.0
        if np.isnan(x[i]):
            out[i] = np.nan
        else:
            total += x[i]
            out[i] = total
    carry[0], carry[1] = current, total


@shared
def session_sum(x: FloatArray, session: FloatArray, *, state: State = None) -> FloatArray:
    """Return the sum of x from its session's first bar on; NaN on a bar that is NaN itself."""
    x, session = as_series(x, session)
    out = np.empty_like(x)
    _sum(x, session, carried(state, "carry", 2, fill=np.nan), out)
    return out


@njit(cache=True, nogil=True)
def _ema(
    x: FloatArray, session: FloatArray, period: int, carry: FloatArray, out: FloatArray
) -> None:
    alpha = 2.0 / (period + 1.0)
    current, seen, total, value = carry
    for i in range(x.size):
        if session[i] != current:
            current, seen, total, value = session[i], 0.0, 0.0, np.nan
        if not np.isnan(x[i]):
            seen += 1.0
            if seen <= period:
                total += x[i]
                value = total / seen
            else:
                value += alpha * (x[i] - value)
        out[i] = value
    carry[0], carry[1], carry[2], carry[3] = current, seen, total, value


@njit(cache=True, nogil=True)
def _sma(
    x: FloatArray, session: FloatArray, ring: FloatArray, carry: FloatArray, out: FloatArray
) -> None:
    n = ring.size
    current, seen = carry[0], int(carry[1]) if not np.isnan(carry[1]) else 0
    for i in range(x.size):
        if session[i] != current:
            current, seen = session[i], 0
        ring[seen % n] = x[i]
        seen += 1
        total, count = 0.0, min(seen, n)
        for k in range(seen - count, seen):
            total += ring[k % n]
        out[i] = total / count
    carry[0], carry[1] = current, seen


@shared
def session_average(
    x: FloatArray, session: FloatArray, period: int, kind: str, *, state: State = None
) -> FloatArray:
    """Return the average of x that restarts each session and is there from its first bar.

    The first `period` bars of a session are the plain mean of the session so far; from there on
    it is the ema (which holds across a NaN) or the sma of the last `period` bars (NaN while one
    lies in the window).
    """
    if kind not in ("ema", "sma"):
        raise ValueError(f"kind must be 'ema' or 'sma', got {kind!r}")
    period = check_length("smoothing", period)
    x, session = as_series(x, session)
    out = np.empty_like(x)
    if kind == "ema":
        _ema(x, session, period, carried(state, "ema", 4, fill=np.nan), out)
    else:
        ring = carried(state, "ring", period, fill=np.nan)
        _sma(x, session, ring, carried(state, "sma", 2, fill=np.nan), out)
    return out


@njit(cache=True, nogil=True)
def _mean_before(x: FloatArray, session: FloatArray, carry: FloatArray, out: FloatArray) -> None:
    current, total, count, mean = carry
    for i in range(x.size):
        if session[i] != current:
            mean = total / count if count > 0.0 else np.nan
            current, total, count = session[i], 0.0, 0.0
        if not np.isnan(x[i]):
            total += x[i]
            count += 1.0
        out[i] = mean
    carry[0], carry[1], carry[2], carry[3] = current, total, count, mean


@shared
def previous_session_mean(x: FloatArray, session: FloatArray, *, state: State = None) -> FloatArray:
    """Return the mean of x over the whole previous session; NaN in the first session."""
    x, session = as_series(x, session)
    out = np.empty_like(x)
    _mean_before(x, session, carried(state, "carry", 4, fill=np.nan), out)
    return out


@njit(cache=True, nogil=True)
def _standardise(
    x: FloatArray,
    session: FloatArray,
    row: IntArray,
    at_least: int,
    ring: FloatArray,
    slots: FloatArray,
    out: FloatArray,
) -> None:
    # slots[r] = sessions kept, session of the pending value, pending value, base, mean - base, std;
    # the base stays apart, so that values of 1e12 with a spread of 1 keep their digits
    size = ring.shape[1]
    for i in range(x.size):
        out[i] = np.nan
        if row[i] < 0:
            continue
        slot, past = slots[row[i]], ring[row[i]]
        if session[i] != slot[1]:
            if not np.isnan(slot[2]):
                past[int(slot[0]) % size] = slot[2]
                slot[0] += 1.0
            slot[1], slot[2] = session[i], np.nan
            count = min(int(slot[0]), size)
            slot[3:] = np.nan
            if count >= at_least:
                mean = 0.0
                for k in range(count):
                    mean += past[k] - past[0]
                mean /= count
                squares, same = 0.0, True
                for k in range(count):
                    squares += (past[k] - past[0] - mean) ** 2
                    same = same and past[k] == past[0]
                slot[3], slot[4] = past[0], mean
                slot[5] = 0.0 if same else np.sqrt(squares / count)
        if np.isnan(x[i]):
            continue
        slot[2] = x[i]
        if slot[5] > 0.0:
            out[i] = (x[i] - slot[3] - slot[4]) / slot[5]
        elif slot[5] == 0.0:
            out[i] = 0.0


def _distinct(slot: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the sorted slots and each bar's place among them, -1 where the slot is NaN."""
    known = ~np.isnan(slot)
    values = slot[known]
    place = np.full(slot.size, -1, dtype=np.int64)
    if not values.size:
        return values, place
    low, high = values.min(), values.max()
    if high - low > 1e6 or (values != np.floor(values)).any():
        distinct, place[known] = np.unique(values, return_inverse=True)
        return distinct, place
    offset = (values - low).astype(np.int64)  # a table is many times faster than sorting
    used = np.zeros(int(high - low) + 1, dtype=np.int64)
    used[offset] = 1
    place[known] = (np.cumsum(used) - 1)[offset]
    return np.flatnonzero(used) + low, place


def _rows(slot: FloatArray, state: dict[str, FloatArray]) -> IntArray:
    """Return each bar's row in the table of slots, -1 where the slot is NaN; new slots get rows."""
    known = state.get("known", np.empty(0))
    values, place = _distinct(slot)
    rows = np.full(values.size + 1, -1, dtype=np.int64)  # the last one serves place -1
    for j, value in enumerate(values):
        found = np.flatnonzero(known == value)
        if not found.size:
            known = np.append(known, value)
        rows[j] = found[0] if found.size else known.size - 1
    state["known"] = known
    result: IntArray = rows[place]
    return result


@shared
def same_slot_score(
    x: FloatArray,
    session: FloatArray,
    slot: FloatArray,
    *,
    sessions: int = 20,
    at_least: int = 5,
    state: State = None,
) -> FloatArray:
    """Return x against its mean and std (ddof 0) in the same slot of earlier sessions.

    Parameters
    ----------
    x, session, slot : ndarray of shape (n_bars,)
        The value, the session's id and the slot of the day of each bar.
    sessions : int, default=20
        Earlier sessions that count, of those that have a value in the slot (each session's last).
    at_least : int, default=5
        Fewer than this many give NaN.

    Returns
    -------
    score : ndarray of shape (n_bars,)
        In standard deviations; 0 where those sessions were all alike.
    """
    size = check_length("standard_sessions", sessions, least=at_least)
    x, session, slot = as_series(x, session, slot)
    table: dict[str, FloatArray] = {} if state is None else state
    row = _rows(slot, table)
    missing = table["known"].size - table.get("slots", np.empty((0, 6))).shape[0]
    if missing or "slots" not in table:
        fresh = np.tile([0.0, *[np.nan] * 5], (missing, 1))
        table["slots"] = np.concatenate([table.get("slots", np.empty((0, 6))), fresh])
        rings = table.get("ring", np.empty((0, size)))
        table["ring"] = np.concatenate([rings, np.full((missing, size), np.nan)])
    out = np.empty_like(x)
    _standardise(x, session, row, at_least, table["ring"], table["slots"], out)
    return out
