"""The gauge of a frame of components: checked, scored and labelled."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError, did_you_mean
from hpi_bt.gauge.bands import bands_of
from hpi_bt.gauge.points import WEIGHTINGS, gauge_points

Weighting = Literal["reliability", "accuracy", "equal"]


class GaugeResult(NamedTuple):
    """The gauge of each row, known at that row's close and published for the next session.

    Series and frames share the index of the components; see `hedge_score` for what each holds.
    """

    score: pd.Series
    raw: pd.Series
    smoothed: pd.Series
    component_scores: pd.DataFrame
    weights: pd.DataFrame
    reliability: pd.DataFrame
    band: pd.Series
    shares: pd.DataFrame
    unscored: dict[str, str]


def hedge_score(
    components: pd.DataFrame,
    spy: pd.Series,
    *,
    min_history: int = 252,
    window: int | None = None,
    fires_at: float = 57.0,
    horizon: int = 21,
    event_drawdown: float = 0.05,
    weighting: Weighting = "reliability",
    floor: float = 0.05,
    smoothing: float = 0.3,
) -> GaugeResult:
    """Return the Hedge Pressure Gauge: 0 (calm) to 100 (stress), row by row.

    Parameters
    ----------
    components : DataFrame of shape (n_rows, n_components)
        One row per session, oldest first; any columns, each oriented so that larger = more
        stress. NaN is a day without that component, whose weight is then left out.
    spy : Series of length n_rows
        SPY's closes on the same index, in dollars; NaN where unknown.
    min_history : int, default=252
        Values that a component must have had before it is scored.
    window : int, optional
        Score against the last `window` values of a component instead of all of them.
    fires_at : float, default=57
        Score from which a component warns.
    horizon, event_drawdown
        What it warns of: within `horizon` (21) sessions SPY closes at or below
        (1 - `event_drawdown`) (5 %) of the day's close.
    weighting : {"reliability", "accuracy", "equal"}, default="reliability"
        Balanced accuracy of a component's past warnings, their plain accuracy, or 1.
    floor : float, default=0.05
        Least weight.
    smoothing : float, default=0.3
        Share of the new value in the smoothed one.

    Returns
    -------
    score : Series
        Whole points, halves away from zero. Row t uses everything through the close of t; it is
        published for t+1 (the feed shifts it).
    raw, smoothed : Series
        Before smoothing (NaN on a day without components) and before rounding.
    component_scores : DataFrame
        100 (v - min)/(max - min) over the values so far; NaN before `min_history`.
    weights : DataFrame
        max(reliability, floor), from outcomes complete by t alone.
    reliability : DataFrame
        Balanced accuracy in (0, 1) with Laplace's rule, whatever the weighting.
    band : Series
        low (0-32), moderate (33-56), elevated (57-69), high (70-100); ordered categorical.
    shares : DataFrame
        Weights divided by the sum of those present; 0 where a component is absent, NaN on a day
        without any.
    unscored : dict of str to str
        Columns without a score on any row, and why: "no value", "too short" (fewer than
        `min_history` values) or "constant" (never moves within what it is compared with).

    Raises
    ------
    InputError
        Unsorted or unlike indices, no numbers, prices not above 0, no component with
        `min_history` values or none of these that ever moves, or an option out of range.
    """
    _check_options(min_history, window, fires_at, horizon, event_drawdown)
    _check_weighting(weighting, floor, smoothing)
    values, close = _arrays(components, spy)
    _check_history(components, values, min_history)
    found = gauge_points(
        values,
        close,
        min_history=min_history,
        window=window,
        fires_at=fires_at,
        horizon=horizon,
        event_drawdown=event_drawdown,
        weighting=weighting,
        floor=floor,
        smoothing=smoothing,
    )
    unscored = _unscored(components, found.component_scores, min_history)

    def frame(array: FloatArray) -> pd.DataFrame:
        return pd.DataFrame(array, index=components.index, columns=components.columns)

    def series(array: FloatArray, name: str) -> pd.Series:
        return pd.Series(array, index=components.index, name=name)

    present = np.where(np.isnan(found.component_scores), 0.0, found.weights)
    total = present.sum(axis=1, keepdims=True)
    score = series(found.score, "score")
    return GaugeResult(
        score=score,
        raw=series(found.raw, "raw"),
        smoothed=series(found.smoothed, "smoothed"),
        component_scores=frame(found.component_scores),
        weights=frame(found.weights),
        reliability=frame(found.reliability),
        band=bands_of(score),
        shares=frame(np.divide(present, total, out=np.full_like(present, np.nan), where=total > 0)),
        unscored=unscored,
    )


def _check_options(
    min_history: int, window: int | None, fires_at: float, horizon: int, event_drawdown: float
) -> None:
    counts = {"min_history": (min_history, 2), "horizon": (horizon, 1)}
    if window is not None:
        counts["window"] = (window, 2)
    for name, (count, least) in counts.items():
        if not isinstance(count, int | np.integer) or isinstance(count, bool) or count < least:
            raise InputError(f"{name}: {count!r}; give a whole number of at least {least}")
    if not 0.0 <= fires_at <= 100.0:
        raise InputError(f"fires_at: {fires_at!r}; give a score from 0 to 100")
    if not 0.0 < event_drawdown < 1.0:
        raise InputError(f"event_drawdown: {event_drawdown!r}; give a share such as 0.05 for 5 %")


def _check_weighting(weighting: str, floor: float, smoothing: float) -> None:
    if weighting not in WEIGHTINGS:
        raise InputError(f"weighting: {weighting!r} is none{did_you_mean(weighting, WEIGHTINGS)}")
    if not 0.0 < floor <= 1.0:
        raise InputError(f"floor: {floor!r}; give a weight above 0, at most 1")
    if not 0.0 < smoothing <= 1.0:
        raise InputError(f"smoothing: {smoothing!r}; give a share above 0, at most 1 (1 = none)")


def _arrays(components: pd.DataFrame, spy: pd.Series) -> tuple[FloatArray, FloatArray]:
    """Return the values and SPY's closes as float64 arrays, or refuse what is no gauge input."""
    index = components.index
    if not components.shape[1] or not components.columns.is_unique:
        names = list(components.columns)
        raise InputError(f"components: columns {names}; give at least one, each name once")
    if not index.equals(spy.index):
        raise InputError(
            f"components: {len(index)} rows that are not the {len(spy)} of spy; "
            "reindex both to SPY's sessions"
        )
    if not (index.is_monotonic_increasing and index.is_unique):
        raise InputError("components: rows are not oldest first, each date once; sort them")
    try:
        values = components.to_numpy(dtype=np.float64, na_value=np.nan)
        close = spy.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        kinds = {str(n): str(t) for n, t in components.dtypes.items()} | {"spy": str(spy.dtype)}
        raise InputError(f"components: columns of kind {kinds}; wanted numbers") from None
    bad = ~np.isnan(close) & ~((close > 0.0) & np.isfinite(close))
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(f"spy: {close[row]:g} on {index[row]}; wanted prices above 0, mend it")
    return np.ascontiguousarray(values), np.ascontiguousarray(close)


def _check_history(components: pd.DataFrame, values: FloatArray, min_history: int) -> None:
    counts = np.isfinite(values).sum(axis=0)
    longest = int(counts.argmax())
    if not counts[longest]:
        names = ", ".join(map(str, components.columns))
        raise InputError(f"components: no value in any of {names}; give at least one component")
    if counts[longest] < min_history:
        raise InputError(
            f"components: {counts[longest]} values of {components.columns[longest]!r}, the "
            f"longest, but min_history {min_history}; give more history or a smaller min_history"
        )


def _unscored(components: pd.DataFrame, scores: FloatArray, min_history: int) -> dict[str, str]:
    """Return the columns without any score, and why; refuse where that is all of them."""
    counts = np.isfinite(components.to_numpy(dtype=np.float64, na_value=np.nan)).sum(axis=0)
    reasons = np.select([counts == 0, counts < min_history], ["no value", "too short"], "constant")
    never = np.asarray(np.isnan(scores).all(axis=0))
    found = {
        str(name): str(why)
        for name, why, mute in zip(components.columns, reasons, never, strict=True)
        if mute
    }
    if never.all():
        told = ", ".join(f"{name} {why}" for name, why in found.items())
        raise InputError(
            f"components: no score on any row ({told}); a score lies between a least and a most "
            "that differ, give components that move"
        )
    return found
