"""The table of docs/statistics.md."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import scipy.stats

from tests.honesty.designs import DRAWS, designs

PAGE = Path("docs/statistics.md")
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
BOUNDS = 0.03, 0.075  # of rejections at 5 %
_TITLES = {
    "signals": "Signals against price",
    "entries": "Entries",
    "timing": "Timing of exposure",
    "lines": "Rank correlation of lines",
    "gauge": "Intervals of the gauge",
    "words": "Words of a whole run",
}


def figures_of(chunks):
    """Return the pooled figures of each design: {name: {"markets", "at5", "at1", ...}}."""
    pooled = defaultdict(lambda: defaultdict(list))
    markets = defaultdict(int)
    for (name, _), chunk in sorted(chunks.items()):
        markets[name] += chunk["count"]
        for key in ("p", "covered", "found", "claims", "hints"):
            pooled[name][key] += chunk.get(key, [])
    return {name: {"markets": markets[name], **_figures(pooled[name])} for name in pooled}


def _figures(seen):
    p = np.array(seen["p"], dtype=float)
    figures = {"tests": p.size}
    if p.size:
        # p-values are multiples of 1/(1 + draws): shifted by half a step
        ks = scipy.stats.kstest(p - 0.5 / (1 + DRAWS), "uniform").statistic
        figures |= {"at5": np.mean(p <= 0.05), "at1": np.mean(p <= 0.01), "ks": ks}
    figures["covered"] = coverage(seen["covered"])
    for key in ("found", "claims", "hints"):
        figures[key] = np.mean(seen[key]) if seen[key] else np.nan
    return figures


def coverage(covered):
    """Return the share of intervals that hold the truth.

    Intervals of rates come as [low, high, rate], three kinds in turn: the truth of a kind is the
    mean rate of all markets.
    """
    if not covered:
        return np.nan
    if all(isinstance(one, bool) for one in covered):
        return np.mean(covered)
    inside = []
    for kind in range(3):
        known = np.array([one for one in covered[kind::3] if one is not None], dtype=float)
        if len(known):
            low, high, rate = known.T
            inside.append((low <= rate.mean()) & (rate.mean() <= high))
    return np.mean(np.concatenate(inside)) if inside else np.nan


def outside(figures):
    """Return the designs whose rejections at 5 % leave the bounds."""
    return {
        name: round(float(one["at5"]), 4)
        for name, one in figures.items()
        if "at5" in one and not BOUNDS[0] <= one["at5"] <= BOUNDS[1]
    }


def write_table(chunks):
    """Write the table into the page; return which designs leave the bounds."""
    figures = figures_of(chunks)
    lines = []
    for statistic, title in _TITLES.items():
        own = {n: f for n, f in figures.items() if designs()[n].statistic == statistic}
        if own:
            lines += [f"### {title}", "", *_rows(own), ""]
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n" + "\n".join(lines) + f"\n{END}{rest.split(END)[1]}")
    return outside(figures)


_COLUMNS = {
    "at5": "p ≤ 5 %", "at1": "p ≤ 1 %", "ks": "KS distance",
    "covered": "95 % interval holds the truth", "found": "found at the detectable effect",
    "claims": "claims", "hints": "hints",
}  # fmt: skip


def _rows(own):
    shown = [key for key in _COLUMNS if any(np.isfinite(f.get(key, np.nan)) for f in own.values())]
    head = ["market, signal or strategy", "markets", "tests", *(_COLUMNS[key] for key in shown)]
    yield f"| {' | '.join(head)} |"
    yield f"|---|{'---:|' * (len(head) - 1)}"
    for name in (name for name in designs() if name in own):
        one = own[name]
        cells = [name, f"{one['markets']:,}", f"{one['tests']:,}" if one["tests"] else ""]
        cells += [_cell(key, one.get(key, np.nan)) for key in shown]
        yield f"| {' | '.join(cells)} |"


def _cell(key, value):
    if not np.isfinite(value):
        return ""
    return f"{value:.3f}" if key == "ks" else f"{100.0 * value:.1f} %"
