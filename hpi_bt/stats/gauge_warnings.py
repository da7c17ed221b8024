"""What the gauge missed, and when it warned in vain (definitions 4)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray
from hpi_bt.errors import InputError
from hpi_bt.gauge import WARNING
from hpi_bt.stats.gauge_quality import forward_outcomes


def drawdown_warnings(
    score: pd.Series,
    spy: pd.Series,
    *,
    depth: float = 0.05,
    lookback: int = 21,
    fires_at: float = WARNING,
) -> pd.DataFrame:
    """Return every fall of SPY of at least `depth` from its high, and whether a warning came first.

    Parameters
    ----------
    score : Series
        The gauge (or a component's score), row by row.
    spy : Series
        Closes on the same index, without NaN.
    depth : float, default=0.05
    lookback : int, default=21
        Sessions before the fall first reaches `depth` in which a warning counts.
    fires_at : float, default=57
        Score of a warning.

    Returns
    -------
    falls : DataFrame, one row per fall, oldest first
        peak (last day at the high), crossed (first close `depth` below it), trough, recovered
        (first close at the high again, NaT where not yet), deepest (a share, negative),
        highest_score (in the `lookback`), warned_on (first warning in it, NaT without) and
        warned. Falls before which the score does not exist are left out.
    """
    close = _closes(score, spy)
    high = np.maximum.accumulate(close)
    under = close < high
    values = score.to_numpy(dtype=np.float64)
    rows = []
    for start in np.flatnonzero(under & ~np.append(False, under[:-1])).tolist():
        rest = np.flatnonzero(~under[start:])
        end = start + int(rest[0]) if rest.size else len(close)
        fall = close[start:end] / high[start] - 1.0
        deep = np.flatnonzero(fall <= -depth)
        crossed = start + int(deep[0]) if deep.size else 0
        before = values[max(crossed - lookback, 0) : crossed]
        if np.isfinite(before).any():
            span = start, crossed, start + int(fall.argmin()), end
            fired = before >= fires_at
            rows.append(_fall(spy.index, span) | _warned(before, fired, spy.index[:crossed]))
            rows[-1]["deepest"] = float(fall.min())
    names = ["peak", "crossed", "trough", "recovered", "deepest", "highest_score"]
    return pd.DataFrame(rows, columns=[*names, "warned_on", "warned"])


def _fall(days: pd.Index, span: tuple[int, int, int, int]) -> dict[str, Any]:
    """Return the dates of a fall that lasts from the first row of `span` to before its last."""
    start, crossed, trough, end = span
    return {
        "peak": days[start - 1],
        "crossed": days[crossed],
        "trough": days[trough],
        "recovered": days[end] if end < len(days) else pd.NaT,
    }


def _warned(before: FloatArray, fired: BoolArray, days: pd.Index) -> dict[str, Any]:
    """Return what the score said on the last days before a fall, the end of `days`."""
    first = days[len(days) - len(before) + int(np.argmax(fired))] if fired.any() else pd.NaT
    highest = float(np.nanmax(before))
    return {"highest_score": highest, "warned_on": first, "warned": bool(fired.any())}


def warning_outcomes(
    score: pd.Series,
    spy: pd.Series,
    *,
    horizon: int = 21,
    event_drawdown: float = 0.05,
    fires_at: float = WARNING,
) -> pd.DataFrame:
    """Return every warning, and whether a fall followed.

    Parameters
    ----------
    score, spy, fires_at
        As in `drawdown_warnings`.
    horizon : int, default=21
        Warnings with fewer quiet sessions between them are one.
    event_drawdown : float, default=0.05

    Returns
    -------
    warnings : DataFrame, one row per warning, oldest first
        start, end (first and last day at `fires_at` or above), days (of them), highest_score,
        deepest (lowest close within `horizon` sessions of a day of it / that day's close - 1),
        complete (whether `horizon` sessions have passed since `end`) and false (complete, and no
        day of it was followed by an event).
    """
    _closes(score, spy)
    values = score.to_numpy(dtype=np.float64)
    fired = np.flatnonzero(values >= fires_at)
    outcomes = forward_outcomes(spy, horizon=horizon, event_drawdown=event_drawdown)
    groups = np.split(fired, np.flatnonzero(np.diff(fired) > horizon) + 1) if fired.size else []
    rows = []
    for days in groups:
        falls = outcomes.forward[days]
        complete = bool(days[-1] + horizon < len(values))
        rows.append(
            {
                "start": spy.index[days[0]],
                "end": spy.index[days[-1]],
                "days": len(days),
                "highest_score": float(values[days].max()),
                "deepest": float(np.nanmin(falls)) if (~np.isnan(falls)).any() else math.nan,
                "complete": complete,
                "false": complete and not outcomes.event[days].any(),
            }
        )
    names = ["start", "end", "days", "highest_score", "deepest", "complete", "false"]
    return pd.DataFrame(rows, columns=names)


def _closes(score: pd.Series, spy: pd.Series) -> FloatArray:
    if not score.index.equals(spy.index):
        raise InputError("spy: not the rows of the score; give the closes that made it")
    close = spy.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isnan(close).any():
        day = spy.index[int(np.argmax(np.isnan(close)))]
        raise InputError(f"spy: no close on {day}; leave the day out of both")
    return close
