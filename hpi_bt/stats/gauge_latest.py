"""The gauge's last row, component by component, and how it was five sessions before."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.errors import InputError
from hpi_bt.gauge import GaugeResult
from hpi_bt.sources.gauge_data.assembly import GaugeInputs

CHANGE_SESSIONS = 5


class Latest(NamedTuple):
    """The last row of a gauge.

    Attributes
    ----------
    row : Timestamp
        Session through whose close everything was known.
    score, smoothed, raw : float
        Published, before rounding, before smoothing (NaN on a day without components).
    before : float
        The score five sessions earlier; NaN where there was none.
    smoothed_before : float
    previous : float
        `smoothed` of the session before; NaN at the first score.
    band, band_before : str
        "" where unknown.
    lower_share : float
        Share of all earlier scores that are lower.
    components : DataFrame, index component
        value (larger = more stress), score, score_before (five sessions earlier), weight, share
        (of all weights present), reliability, data_date, age_sessions, source, first, state:
        "used", "carried" (forward, though a newer value was due), "left out" (too old), "too
        short" (fewer values than `min_history`) or "constant" (nothing to compare it with).
    """

    row: pd.Timestamp
    score: float
    smoothed: float
    raw: float
    before: float
    smoothed_before: float
    previous: float
    band: str
    band_before: str
    lower_share: float
    components: pd.DataFrame

    @property
    def plain_mean(self) -> float:
        """The mean of the scores without weights, before smoothing; NaN without any."""
        return float(self.components["score"].mean())


def latest_row(inputs: GaugeInputs, result: GaugeResult) -> Latest:
    """Return what the last row of a gauge says, and of what it is made.

    Raises
    ------
    InputError
        There is no score yet.
    """
    score = result.score.to_numpy(dtype=np.float64)
    row = pd.Timestamp(result.score.index[-1])
    if np.isnan(score[-1]):
        raise InputError(
            f"gauge: no score by {row:%Y-%m-%d}, no component has been scored yet; "
            "give more history or a smaller min_history"
        )
    at = len(score) - 1 - CHANGE_SESSIONS
    earlier = score[:-1][~np.isnan(score[:-1])]
    smoothed = result.smoothed.to_numpy(dtype=np.float64)
    bands = ["" if pd.isna(b) else str(b) for b in result.band.iloc[[max(at, 0), -1]]]
    return Latest(
        row=row,
        score=float(score[-1]),
        smoothed=float(smoothed[-1]),
        raw=float(result.raw.iloc[-1]),
        before=float(score[at]) if at >= 0 else np.nan,
        smoothed_before=float(smoothed[at]) if at >= 0 else np.nan,
        previous=float(smoothed[-2]) if len(smoothed) > 1 else np.nan,
        band=bands[1],
        band_before=bands[0] if at >= 0 else "",
        lower_share=float((earlier < score[-1]).mean()) if len(earlier) else np.nan,
        components=_components(inputs, result, at),
    )


def _components(inputs: GaugeInputs, result: GaugeResult, at: int) -> pd.DataFrame:
    scores, fresh = result.component_scores, inputs.freshness
    before = scores.iloc[at] if at >= 0 else scores.iloc[-1] * np.nan
    table = pd.DataFrame(
        {
            "value": inputs.components.iloc[-1],
            "score": scores.iloc[-1],
            "score_before": before,
            "weight": result.weights.iloc[-1],
            "share": result.shares.iloc[-1],
            "reliability": result.reliability.iloc[-1],
            "data_date": inputs.data_dates.iloc[-1].fillna(fresh["last"]),
            "age_sessions": fresh["age_sessions"],
            "source": fresh["source"],
            "first": fresh["first"],
        }
    ).reindex(scores.columns)
    mute = [result.unscored.get(str(n), "constant") for n in table.index]
    states = np.select(
        [table["value"].isna(), table["score"].isna(), fresh["stale"].reindex(table.index)],
        ["left out", mute, "carried"],
        default="used",
    )
    return table.assign(state=states).rename_axis("component")


def fewer_than_half(result: GaugeResult) -> bool:
    """Return whether the last row has a score of fewer than half of the components."""
    present = result.component_scores.iloc[-1].notna()
    return bool(2 * present.sum() < len(present))


def last_fuller_row(result: GaugeResult, *, within: int = 252) -> tuple[pd.Timestamp, int] | None:
    """Return the latest row that rests on more than half of the components, and on how many.

    None where that is the last row, or none of the last `within` ones. Half is meant of the most
    that any of these had.
    """
    count = result.component_scores.notna().sum(axis=1).iloc[-within:]
    full = count[2 * count > count.max()]
    if full.empty or full.index[-1] == count.index[-1]:
        return None
    return pd.Timestamp(full.index[-1]), int(full.iloc[-1])
