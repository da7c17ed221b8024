"""What a run prints about its indicators: counts, and warnings that save a wrong conclusion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import Note, Severity
from hpi_bt.kernels.herrick import herrick_payoff

CLOCK_LIMIT = 0.3
CONSTANT_BARS = 20
_FEW_BARS = 50  # payoffs below which the largest share says nothing
_LARGE_SHARE, _LARGE = 0.05, 25.0  # of the sum of |raw|, and times its median


def _column(frame: pd.DataFrame, name: str) -> FloatArray:
    if name not in frame:
        return np.full(len(frame), np.nan)
    return frame[name].to_numpy(dtype=np.float64)


def correlation(x: FloatArray, y: FloatArray) -> float:
    """Return Pearson's correlation over the bars where both exist; NaN where undefined."""
    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < 3 or np.ptp(x[both]) == 0.0 or np.ptp(y[both]) == 0.0:
        return float("nan")
    return float(np.corrcoef(x[both], y[both])[0, 1])


def hedge_pressure_remarks(
    frame: pd.DataFrame, lines: Mapping[str, FloatArray], options: Mapping[str, Any]
) -> list[str]:
    """Return the counts of crosses and extremes, why there were none, and warnings (SPEC 3)."""
    cross, extreme, hpi = lines["cross"], lines["extreme"], lines["hpi"]
    onsets = np.diff(extreme, prepend=0.0) != 0.0
    found = [
        f"crosses: {int((cross > 0).sum())} up, {int((cross < 0).sum())} down; extremes "
        f"(|hpi| >= {options['extreme']:g}): {int((onsets & (extreme > 0)).sum())} bids, "
        f"{int((onsets & (extreme < 0)).sum())} offers"
    ]
    if not cross.any() or not extreme.any():
        found.append(_why_none(lines, options))
    clock = correlation(hpi, _column(frame, "minutes_open"))
    if abs(clock) > CLOCK_LIMIT:
        remedy = "scale: standard removes that"
        if options["scale"] == "standard":
            remedy = "scale: standard is used, so sessions are few or of unequal length"
        found.append(
            f"warning: hpi follows the clock (correlation {clock:+.2f} with minutes_open); {remedy}"
        )
    if np.isnan(_column(frame, "put_oi")).all() and not np.isnan(_column(frame, "net_oi")).all():
        found.append("only net_oi is known: lam weighs the volumes alone")
    return found


def _why_none(lines: Mapping[str, FloatArray], options: Mapping[str, Any]) -> str:
    oi, flow, hpi = lines["oi"], lines["flow"], lines["hpi"]
    what = "no cross" if not lines["cross"].any() else "no extreme"
    if np.isnan(oi).all():
        why = "the open-interest baseline is never known"
        if options["scale"] == "ratio":
            why += " (scale: ratio needs put_oi and call_oi)"
        elif options["scale"] == "standard":
            why += " (scale: standard needs 5 earlier sessions)"
    elif np.isnan(flow).all():
        why = "the flow is never known"
    elif what == "no extreme" and np.isnan(hpi).all():
        why = f"fewer than {options['zscore_lookback']} spreads exist"
    elif what == "no cross":
        why = (
            f"the flow (mean size {np.nanmean(np.abs(flow)):,.4g}) never reached the baseline "
            f"({np.nanmean(np.abs(oi)):,.4g}); scale: standard makes the two comparable"
        )
    else:
        why = f"|hpi| reached {np.nanmax(np.abs(hpi)):.2f} at most"
    return f"{what}: {why}"


def herrick_remarks(frame: pd.DataFrame, options: Mapping[str, Any]) -> list[str]:
    """Return the share of payoff that `max_oi_change` blanked, and a warning of constant OI."""
    series = [_column(frame, c) for c in ("high", "low", "volume", "openinterest")]
    found = []
    limit = options.get("max_oi_change")
    base = options.get("oi_base", "min")
    if limit is not None:
        every = np.abs(herrick_payoff(*series, oi_base=base).raw)
        kept = np.abs(herrick_payoff(*series, oi_base=base, max_oi_change=limit).raw)
        total, bars = np.nansum(every), int((np.isfinite(every) & np.isnan(kept)).sum())
        share = 1.0 - np.nansum(kept) / total if total > 0.0 else 0.0
        found.append(
            f"max_oi_change {limit:g} blanked {bars} bars with {share:.1%} of the sum of |raw| "
            "(contract rolls)"
        )
        if bars:
            found.append(
                "warning: prices are stitched from contracts: profits, and buy and hold, include "
                "the gaps of the contract rolls"
            )
    longest = longest_constant(series[3])
    if longest >= CONSTANT_BARS:
        found.append(
            f"warning: open interest is constant for {longest} bars; is it really published "
            "for each bar?"
        )
    raw = herrick_payoff(*series, oi_base=base, max_oi_change=limit).raw
    return [*found, *_largest_payoff(frame, raw)]


def _largest_payoff(frame: pd.DataFrame, raw: FloatArray) -> list[Note]:
    """Return a warning where a single bar carries much of the sum of |raw|."""
    size = np.abs(raw[np.isfinite(raw)])
    if size.size < _FEW_BARS:
        return []
    largest, usual, total = float(size.max()), float(np.median(size)), float(size.sum())
    if largest <= _LARGE_SHARE * total or largest <= _LARGE * usual:
        return []
    times = f", {largest / usual:,.0f} times the median bar" if usual else ""
    day = frame.index[int(np.nanargmax(np.abs(raw)))]
    text = (
        f"one bar, of {day:%Y-%m-%d}, carries {largest / total:.1%} of the sum of |raw|{times}: a "
        "contract roll, or a fault in its open interest; max_oi_change "
        "leaves out bars whose open interest jumps"
    )
    return [Note(Severity.WARNING, "herrick-one-bar", text)]


def longest_constant(x: FloatArray) -> int:
    """Return the length of the longest run of equal values, in bars; NaN ends a run."""
    if not x.size:
        return 0
    edges = np.flatnonzero(np.concatenate(([True], x[1:] != x[:-1], [True])))
    return int(np.diff(edges).max())
