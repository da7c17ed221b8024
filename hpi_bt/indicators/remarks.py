"""What a run prints about its indicators: counts, and warnings that save a wrong conclusion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray
from hpi_bt.errors import Note, Severity
from hpi_bt.features.flow_columns import BOOK_WITHOUT_VOLS
from hpi_bt.kernels.herrick import herrick_payoff

CLOCK_LIMIT = 0.3
CONSTANT_BARS = 20
#: Code of every note that says why an indicator is never known.
NEVER_KNOWN = "never-known"
NO_INTEREST = Note(
    Severity.WARNING,
    NEVER_KNOWN,
    "open interest is never positive: payoff, rsi and signal are never known",
)

_SIDES = ("put_oi", "call_oi", "net_oi")
_FEW_BARS = 50  # payoffs below which the largest share says nothing
_LARGE_SHARE, _LARGE = 0.05, 25.0  # of the sum of |raw|, and times its median


def _column(frame: pd.DataFrame, name: str) -> FloatArray:
    if name not in frame:
        return np.full(len(frame), np.nan)
    return frame[name].to_numpy(dtype=np.float64)


def correlation(x: FloatArray, y: FloatArray) -> float:
    """Return Pearson's correlation over the bars where both exist; NaN where undefined."""
    both = np.isfinite(x) & np.isfinite(y)
    x, y = x[both], y[both]
    if x.size < 3 or np.ptp(x) == 0.0 or np.ptp(y) == 0.0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def hedge_pressure_remarks(
    frame: pd.DataFrame,
    lines: Mapping[str, FloatArray],
    options: Mapping[str, Any],
    sides: Sequence[str] = _SIDES,
) -> list[Note]:
    """Return the counts of crosses and extremes, why there were none, and warnings (definitions 3).

    `sides` are the columns of put, call and net open interest; none where they are made up.
    """
    cross, extreme, hpi = lines["cross"], lines["extreme"], lines["hpi"]
    onsets = np.diff(extreme, prepend=0.0) != 0.0
    counts = (
        f"crosses: {int((cross > 0).sum())} up, {int((cross < 0).sum())} down; extremes "
        f"(|hpi| >= {options['extreme']:g}): {int((onsets & (extreme > 0)).sum())} bids, "
        f"{int((onsets & (extreme < 0)).sum())} offers"
    )
    found = [Note(Severity.INFO, "crosses-and-extremes", counts)]
    found += _why_none(lines, options, _blank(frame, sides[:2]))
    clock = correlation(hpi, _minutes_open(frame))
    if abs(clock) > CLOCK_LIMIT:
        remedy = "scale: standard removes that"
        if options["scale"] == "standard":
            remedy = "scale: standard is used, so sessions are few or of unequal length"
        text = f"hpi follows the clock (correlation {clock:+.2f} with minutes_open); {remedy}"
        found.append(Note(Severity.WARNING, "hpi-follows-clock", text))
    return [*found, *_baseline_remarks(frame, sides)]


def _minutes_open(frame: pd.DataFrame) -> FloatArray:
    """Return the minutes from the session's open to each close, else from its first bar's close."""
    known = "minutes_open" in frame or "session" not in frame
    if known or not isinstance(frame.index, pd.DatetimeIndex):
        return _column(frame, "minutes_open")
    seconds = frame.index.as_unit("s").asi8 / 60.0
    first = pd.Series(seconds).groupby(frame["session"].to_numpy()).transform("min")
    minutes: FloatArray = seconds - first.to_numpy(dtype=np.float64)
    return minutes


def _baseline_remarks(frame: pd.DataFrame, sides: Sequence[str]) -> Iterator[Note]:
    """Yield a note where the net open interest stands in for its two sides."""
    if not sides:
        return
    puts, calls, net = (np.isnan(_column(frame, name)) for name in sides)
    replaced: BoolArray = (puts | calls) & ~net
    if not replaced.any():
        return
    if not (~(puts | calls)).any():
        text = f"only {sides[2]} is known: lam weighs the volumes alone"
    else:
        text = (
            f"{sides[2]} is the baseline on {int(replaced.sum()):,} of {len(frame):,} bars, where "
            f"{sides[0]} or {sides[1]} is unknown: lam weighs the volumes alone there"
        )
    yield Note(Severity.ASSUMPTION, "net-open-interest", text)


def _blank(frame: pd.DataFrame, interest: Sequence[str]) -> str:
    """Return in words that columns of open interest are there but blank, and why; "" if not."""
    if not interest or not all(c in frame and np.isnan(_column(frame, c)).all() for c in interest):
        return ""
    notes = (n for n in frame.attrs.get("notes", ()) if isinstance(n, Note))
    why = next((f": {n.text}" for n in notes if n.code == BOOK_WITHOUT_VOLS), "")
    return f" ({' and '.join(interest)} are blank throughout{why})"


def _why_none(
    lines: Mapping[str, FloatArray], options: Mapping[str, Any], blank: str
) -> Iterator[Note]:
    """Yield why there was no cross, and no extreme; once where one thing explains both."""
    oi, flow, hpi = lines["oi"], lines["flow"], lines["hpi"]
    no_cross, no_extreme = not lines["cross"].any(), not lines["extreme"].any()
    if not (no_cross or no_extreme):
        return
    what = "no cross" if no_cross else "no extreme"
    if np.isnan(oi).all():
        why = "the open-interest baseline is never known"
        if blank:
            why += blank
        elif options["scale"] == "ratio":
            why += " (scale: ratio needs put_oi and call_oi)"
        elif options["scale"] == "standard":
            why += " (scale: standard needs 5 earlier sessions)"
        yield Note(Severity.INFO, NEVER_KNOWN, f"{what}: {why}")
    elif np.isnan(flow).all():
        yield Note(Severity.INFO, NEVER_KNOWN, f"{what}: the flow is never known")
    else:
        if no_cross:
            why = (
                f"the flow (mean size {np.nanmean(np.abs(flow)):,.4g}) never reached the baseline "
                f"({np.nanmean(np.abs(oi)):,.4g})"
            )
            if options["scale"] != "standard":
                why += "; scale: standard makes the two comparable"
            yield Note(Severity.INFO, "no-cross", f"no cross: {why}")
        if no_extreme and np.isnan(hpi).all():
            few = f"fewer than {options['zscore_lookback']} spreads exist"
            yield Note(Severity.INFO, NEVER_KNOWN, f"no extreme: {few}")
        elif no_extreme:
            most = np.nanmax(np.abs(hpi))
            yield Note(Severity.INFO, "no-extreme", f"no extreme: |hpi| reached {most:.2f} at most")


def herrick_remarks(frame: pd.DataFrame, options: Mapping[str, Any]) -> list[Note]:
    """Return the share of payoff that `max_oi_change` blanked, and warnings of open interest."""
    series = [_column(frame, c) for c in ("high", "low", "volume", "openinterest")]
    if not (series[3] > 0.0).any():
        return [NO_INTEREST]
    minutes, longest = float(frame.attrs.get("bar_minutes", 1440.0)), longest_constant(series[3])
    found = _blanked(series, options)
    if minutes < 1440.0:
        text = f"Herrick's payoff is for daily bars, these are of {minutes:g} minutes"
        found.append(Note(Severity.ASSUMPTION, "intraday-herrick", text))
    if longest >= CONSTANT_BARS:
        text = f"open interest is constant for {longest} bars; is it really published for each bar?"
        found.append(Note(Severity.WARNING, "constant-open-interest", text))
    how = {k: options[k] for k in ("oi_base", "oi_lag", "max_oi_change") if k in options}
    return [*found, *_largest_payoff(frame, herrick_payoff(*series, **how).raw)]


def _blanked(series: list[FloatArray], options: Mapping[str, Any]) -> list[Note]:
    """Return how much `max_oi_change` left out, and what that says of the prices."""
    limit = options.get("max_oi_change")
    if limit is None:
        return []
    how = {k: options[k] for k in ("oi_base", "oi_lag") if k in options}
    every = np.abs(herrick_payoff(*series, **how).raw)
    kept = np.abs(herrick_payoff(*series, **how, max_oi_change=limit).raw)
    total, bars = np.nansum(every), int((np.isfinite(every) & np.isnan(kept)).sum())
    share = 1.0 - np.nansum(kept) / total if total > 0.0 else 0.0
    text = (
        f"max_oi_change {limit:g} blanked {bars} bars with {share:.1%} of the sum of |raw| "
        "(contract rolls)"
    )
    found = [Note(Severity.ASSUMPTION, "oi-change-blanked", text)]
    if bars:
        text = (
            "prices are stitched from contracts: profits, and buy and hold, include the gaps of "
            "the contract rolls"
        )
        found.append(Note(Severity.WARNING, "stitched-contracts", text))
    return found


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
