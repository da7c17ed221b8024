"""Definitions 4 spelt out: one day after the other, everything counted anew from the start.

Where the text leaves a choice the comment names it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

import pandas as pd

NAN = math.nan


def score_of_day(values: Sequence[float], min_history: int, window: int | None) -> float:
    """The last value's place among all values so far (it is one of the `min_history`)."""
    if math.isnan(values[-1]):
        return NAN
    seen = [v for v in values if not math.isnan(v)]
    if len(seen) < min_history:
        return NAN
    seen = seen[-window:] if window else seen  # a window of values, not of days
    low, high = min(seen), max(seen)
    return NAN if low == high else 100.0 * (values[-1] - low) / (high - low)


def outcome(spy: Sequence[float], s: int, horizon: int, event_drawdown: float) -> bool | None:
    """Whether the event of s happened; None where one of the closes is unknown."""
    ahead = spy[s + 1 : s + horizon + 1]
    if math.isnan(spy[s]) or any(math.isnan(c) for c in ahead):
        return None
    return min(ahead) <= (1.0 - event_drawdown) * spy[s]


def reliability_of_day(
    scores: Sequence[float], outcomes: Sequence[bool | None], t: int, fires_at: float, horizon: int
) -> tuple[float, float]:
    """Balanced accuracy and accuracy over the days whose horizon has ended by t."""
    tp = fn = tn = fp = 0
    for s in range(max(t - horizon + 1, 0)):
        event = outcomes[s]
        if event is None or math.isnan(scores[s]):
            continue
        fires = scores[s] >= fires_at
        tp += fires and event
        fn += event and not fires
        fp += fires and not event
        tn += not fires and not event
    balanced = ((tp + 1) / (tp + fn + 2) + (tn + 1) / (tn + fp + 2)) / 2
    return balanced, (tp + tn + 1) / (tp + fn + tn + fp + 2)


def rounded(x: float) -> float:
    """Half away from zero, in decimal arithmetic, within 0 and 100."""
    if math.isnan(x):
        return NAN
    return float(max(0, min(100, Decimal(x).quantize(Decimal(1), ROUND_HALF_UP))))


def band(score: float) -> str | None:
    if math.isnan(score):
        return None
    return (
        "low" if score < 33 else "moderate" if score < 57 else "elevated" if score < 70 else "high"
    )


def gauge(
    components: pd.DataFrame,
    spy: pd.Series,
    *,
    min_history: int = 252,
    window: int | None = None,
    fires_at: float = 57,
    horizon: int = 21,
    event_drawdown: float = 0.05,
    weighting: str = "reliability",
    floor: float = 0.05,
    smoothing: float = 0.3,
    every_weight_from_scratch: bool = True,
) -> pd.DataFrame:
    """Columns score, raw, smoothed, band, and per component score_/weight_/reliability_<name>.

    `every_weight_from_scratch=False` counts each outcome once, on the day that it becomes known:
    the same numbers, for long histories.
    """
    n, names, closes = len(spy), list(components.columns), spy.tolist()
    columns = {name: components[name].tolist() for name in names}
    outcomes = [
        outcome(closes, s, horizon, event_drawdown) if s + horizon < n else None for s in range(n)
    ]
    scores = {name: _scores(columns[name], min_history, window) for name in names}
    rows, smoothed = [], NAN
    tallies: dict[str, list[int]] = {name: [0, 0, 0, 0] for name in names}
    for t in range(n):
        row: dict[str, float | str | None] = {}
        total = weight_sum = 0.0
        for name in names:
            if every_weight_from_scratch:
                balanced, accuracy = reliability_of_day(
                    scores[name], outcomes, t, fires_at, horizon
                )
            else:
                _count(tallies[name], scores[name], outcomes, t - horizon, fires_at)
                tp, fn, tn, fp = tallies[name]
                balanced = ((tp + 1) / (tp + fn + 2) + (tn + 1) / (tn + fp + 2)) / 2
                accuracy = (tp + tn + 1) / (tp + fn + tn + fp + 2)
            measure = {"reliability": balanced, "accuracy": accuracy, "equal": 1.0}[weighting]
            weight = max(measure, floor)
            row |= {f"score_{name}": scores[name][t], f"weight_{name}": weight}
            row[f"reliability_{name}"] = balanced
            if not math.isnan(scores[name][t]):
                total += scores[name][t] * weight
                weight_sum += weight
        raw = total / weight_sum if weight_sum else NAN
        if not math.isnan(raw):
            smoothed = raw if math.isnan(smoothed) else smoothing * raw + (1 - smoothing) * smoothed
        rows.append(row | {"raw": raw, "smoothed": smoothed, "score": rounded(smoothed)})
    table = pd.DataFrame(rows, index=components.index)
    table["band"] = [band(s) for s in table["score"]]
    return table


def _scores(values: list[float], min_history: int, window: int | None) -> list[float]:
    if window or len(values) < 1000:
        return [score_of_day(values[: t + 1], min_history, window) for t in range(len(values))]
    x = pd.Series(values)  # the same, by pandas, for long histories
    low, high = x.expanding().min(), x.expanding().max()
    place = 100.0 * (x - low) / (high - low)
    return place.where((x.expanding().count() >= min_history) & (high > low)).tolist()


def _count(
    tally: list[int],
    scores: Sequence[float],
    outcomes: Sequence[bool | None],
    s: int,
    fires_at: float,
) -> None:
    if s < 0 or outcomes[s] is None or math.isnan(scores[s]):
        return
    fires = scores[s] >= fires_at
    tally[(0 if fires else 1) if outcomes[s] else (3 if fires else 2)] += 1
