"""The gauge's page: dial, history over SPY's drawdown, components, record; one file."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from hpi_bt.arrays import FloatArray
from hpi_bt.backtest.strict_json import json_safe
from hpi_bt.gauge import BANDS
from hpi_bt.gauge.orientation import drawdown
from hpi_bt.report.chart_library import NOTICE, lwc_js
from hpi_bt.report.gauge_absences import change_words
from hpi_bt.report.gauge_drawings import dial, sparkline
from hpi_bt.report.gauge_tables import (
    fall_rows,
    longest_fall,
    percent,
    quality_groups,
    warning_rows,
)
from hpi_bt.report.gauge_words import (
    ABOUT,
    band_ranges,
    counted,
    day,
    row_of,
    shown,
    signed,
    titled,
)
from hpi_bt.report.gauged import GaugeReport
from hpi_bt.report.packing import pack
from hpi_bt.report.pages import Banner, number, render, write_page
from hpi_bt.sources.gauge_data.series import FAULT
from hpi_bt.stats.gauge_composition import changes

_SPARK = 252  # sessions
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
#: What notes on the series behind each component begin with.
_SERIES = {
    **{"vix": ("vix",), "term_structure": ("vix", "vix3m"), "put_call": ("put/call", "put_call")},
    **{"curve": ("y10", "y2"), "funding": ("sofr", "bill3m"), "credit": ("oas",)},
    "drawdown": ("spy",),
}


def write_gauge(report: GaugeReport) -> None:
    """Write the page of a report to its `page`: one file, no network.

    Raises
    ------
    ValueError
        The report names no page.
    """
    if report.page is None:
        raise ValueError("the report has no page; give dataclasses.replace(report, page=...)")
    latest = report.latest
    data, meta = _history(report)
    page = render(
        "gauge.html.j2",
        title="Hedge Pressure Gauge",
        subtitle=f"for {report.session:%A} {report.session.day} {report.session:%B %Y}, "
        f"from closes through {latest.row:%Y-%m-%d}",
        banner=_banner(report),
        notices=[],
        licence=NOTICE,
        report=report,
        latest=latest,
        dial=dial(latest.score, latest.smoothed, latest.before, latest.band),
        few=2 * int(latest.components["score"].notna().sum()) < len(latest.components),
        faults=[
            (titled(series), text)
            for series, _, text in (note.partition(FAULT) for note in report.inputs.faults)
        ],
        change=signed(report.change),
        change_tone=_tone(report.change),
        cards=[_card(report, str(n)) for n in latest.components.index],
        sums=_sums(report),
        bands=band_ranges(),
        dated=_dated,
        notes=[n for n in report.inputs.notes if not n.startswith("warning:")],  # shown as stale
        falls=fall_rows(report.falls),
        longest=longest_fall(report.falls),
        warnings=warning_rows(report.warnings),
        quality=quality_groups(report.quality),
        measures=("Followed by a fall", "Balanced accuracy", "Lowest close ahead"),
        library=Markup(lwc_js()),
        data=data,
        # JSON in a script element: nothing to escape but the opening bracket
        meta=Markup(_json(meta).replace("<", "\\u003c")),
    )
    write_page(report.page, page)


def _dated(text: str) -> Markup:
    """Return a text whose dates no line breaks."""
    return Markup(_DATE.sub(r'<span class="date">\g<0></span>', str(escape(text))))


def _json(value: Any) -> str:
    return json.dumps(json_safe(value), allow_nan=False, separators=(",", ":"))


def _tone(change: float) -> str:
    return "" if not math.isfinite(change) or change == 0 else "worse" if change > 0 else "better"


def _banner(report: GaugeReport) -> Banner:
    o = report.options
    lookback = "all values so far" if o["window"] is None else f"the last {o['window']} values"
    return [
        (
            "Timing",
            "only what was published before that session's open; nothing is filled in later",
        ),
        ("Scores", f"0 to 100 between the least and the most stress of {lookback}"),
        (
            "Weights",
            f"by {o['weighting']}: how well scores from {o['fires_at']:g} up told a fall of SPY by "
            f"{100 * o['event_drawdown']:g} % within {o['horizon']} sessions, outcomes complete "
            "by then alone",
        ),
    ]


def _history(report: GaugeReport) -> tuple[str, dict[str, Any]]:
    """Return the packed columns from the first score on, and how to read them."""
    result, first = report.result, report.result.score.first_valid_index()
    spy = report.inputs.spy
    table = pd.DataFrame(
        {
            "score": result.score,
            "smoothed": result.smoothed,
            "drawdown": -100.0 * drawdown(spy).reindex(spy.index),
            "spy": spy,
            "used": result.component_scores.notna().sum(axis=1),
            **{f"c{i}": result.component_scores[n] for i, n in enumerate(result.component_scores)},
        }
    ).loc[first:]
    index = pd.DatetimeIndex(table.index)
    seconds = index.as_unit("s").asi8.astype(np.float64)
    digits = {"score": 0, "drawdown": 2, "spy": 2, "used": 0}
    parts: list[tuple[str, FloatArray, int]] = [("time", seconds, 0)]
    parts += [(str(c), table[c].to_numpy(np.float64), digits.get(str(c), 1)) for c in table]
    meta = {
        "bars": len(table),
        "columns": [[name, decimals] for name, _, decimals in parts],
        "zone": {"name": "New York", "daily": True, "offsets": []},
        "sessions": [],
        "drawn": [],  # no lines on a price
        "tick": 2,
        "bands": [[name, edge] for name, edge in BANDS],
        "components": {
            str(n): [f"c{i}", titled(str(n))] for i, n in enumerate(result.component_scores)
        },
        "changes": [
            [one.row, change_words(one.gained, one.lost)]
            for one in changes(result.component_scores.loc[first:])
        ],
        "falls": [
            [int(index.searchsorted(f["crossed"])), int(f["warned"])]
            for f in report.falls.to_dict("records")
        ],
    }
    return pack([(values, decimals) for _, values, decimals in parts]), meta


def _band_of(score: float) -> str:
    return next((n for n, edge in reversed(BANDS) if score >= edge), "")


def _card(report: GaugeReport, name: str) -> dict[str, Any]:
    one = row_of(report.latest.components, name)
    scale = ABOUT[name].scale if name in ABOUT else 1.0
    course = scale * report.inputs.components[name].iloc[-_SPARK:]
    age = counted(int(one["age_sessions"]), "session")
    states = {
        "used": "",
        "carried": f"carried forward {age}",
        "left out": f"left out: ends {age} earlier",
        "too short": "too short a history",
        "constant": "has not moved",
    }
    return {
        "name": name,
        "title": titled(name),
        "what": ABOUT[name].what if name in ABOUT else "",
        "value": shown(name, one["value"]),
        "score": number(one["score"], 1),
        "at": None if math.isnan(one["score"]) else round(float(one["score"]), 1),
        "band": _band_of(one["score"]),
        "change": signed(one["score"] - one["score_before"], 1),
        "tone": _tone(round(one["score"] - one["score_before"], 1)),
        "share": percent(one["share"], 0),
        "weight": number(one["weight"], 3),
        "reliability": number(one["reliability"], 3),
        "date": day(one["data_date"]),
        "first": day(one["first"]),
        "state": states[one["state"]],
        "source": one["source"],
        "spark": sparkline(course, titled(name)),
        "remarks": [
            n
            for n in report.inputs.notes
            if n.partition(":")[0] in (name, *_SERIES.get(name, ())) and not n.endswith(" UTC")
        ],
    }


def _sums(report: GaugeReport) -> dict[str, Any]:
    """Return how today's number was made: each score times its share, then the smoothing."""
    latest, alpha = report.latest, report.options["smoothing"]
    used = latest.components[latest.components["score"].notna()]
    rows = [
        (titled(str(n)), number(c["score"], 1), percent(c["share"], 1),
         number(c["score"] * c["share"], 2))
        for n, c in used.iterrows()
    ]  # fmt: skip
    held = not math.isfinite(latest.raw)
    first = not math.isfinite(latest.previous)
    step = (
        "no component today: the last value holds"
        if held
        else "the first score: nothing to smooth with"
        if first
        else f"{alpha:g} × {latest.raw:.2f} + {1 - alpha:g} × {latest.previous:.2f}"
    )
    return {
        "rows": rows,
        "raw": number(latest.raw),
        "plain": number(latest.plain_mean),
        "step": step,
        "smoothed": latest.smoothed,
    }
