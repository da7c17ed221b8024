"""Drawings of a chain over strikes and time: charm, exposures, smiles and couplings."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.options.smile import Smile
from hpi_bt.report.amounts import away, level, plain, vol
from hpi_bt.report.chain_result import ChainReport
from hpi_bt.report.chain_words import expiry_name, moment
from hpi_bt.report.svg import Figure, Hover, Panel, Span, bounds, log_ticks, telling_ticks, ticks

WIDTH, LEFT, RIGHT = 1120, 70, 1102
HALF = 552
MOST_BARS = 160
MOST_STRIKES = 260
REACH = 0.95  # of gross exposure that the strikes shown hold
SEED_RANGE = (4.0, 12.0)  # of k_atm/s0, as it is often quoted
UNITS = {"gex": "per 1 % move", "vex": "per vol point", "cex": "per calendar day"}


def charm_figure(report: ChainReport) -> Figure:
    """Return the drift of the dealers' delta: the running sum above, each bucket below."""
    buckets = _merged(report.flow.charm.buckets)
    hours = ((buckets["end"] - report.chain.as_of) / pd.Timedelta(1, "h")).to_numpy(np.float64)
    starts = ((buckets["start"] - report.chain.as_of) / pd.Timedelta(1, "h")).to_numpy(np.float64)
    running = buckets["cumulative_dollars"].to_numpy(np.float64)
    each = buckets["dollars"].to_numpy(np.float64)
    x = Span(0.0, float(hours[-1]), LEFT, HALF - 24)
    upper = Panel(x, Span(*bounds(running), 150, 12))
    upper.y_axis(telling_ticks(upper.y, 3), report.tick)
    upper.horizontal("zero", 0.0)
    upper.area("fill charm", np.r_[0.0, hours], np.r_[0.0, running])
    upper.line("curve charm", np.r_[0.0, hours], np.r_[0.0, running])
    lower = Panel(x, Span(*bounds(each), 262, 176), upper.shapes)
    lower.y_axis(telling_ticks(lower.y, 2), report.tick)
    lower.horizontal("zero", 0.0)
    middle, thick = 0.5 * (starts + hours), x.place(hours) - x.place(starts)
    lower.bars("bar charm", middle, np.zeros(len(each)), each, np.maximum(0.8 * thick, 0.7))
    clock = _clock_ticks(report.as_of, float(hours[-1]))
    words = dict(clock)
    lower.x_axis([*words], lambda h: words[h], lines=False)
    heads = ["Until", "Minutes left", "Bucket", "Running sum"]
    left = report.flow.charm.minutes - 60.0 * hours
    cells = zip(buckets["end"], left.tolist(), each.tolist(), running.tolist(), strict=True)
    rows = [
        [moment(a, report), f"{abs(m):,.0f}", report.money(b), report.money(c)]
        for a, m, b, c in cells
    ]
    hover = Hover(heads, [round(v, 1) for v in x.place(middle).tolist()], rows, len(rows) - 1)
    label = f"Drift of the dealers' delta by time, {rows[-1][3]} until {rows[-1][0]}"
    return Figure("charm", label, HALF, 288, lower.shapes, hover)


def _merged(buckets: pd.DataFrame) -> pd.DataFrame:
    """Return the buckets, neighbours put together where there are too many to draw."""
    several = math.ceil(len(buckets) / MOST_BARS)
    if several == 1:
        return buckets
    groups = buckets.groupby(np.arange(len(buckets)) // several)
    return groups.agg(
        {"start": "first", "end": "last", "dollars": "sum", "cumulative_dollars": "last"}
    )


def merged_minutes(report: ChainReport) -> float:
    """Return how many minutes one bar of the charm drawing spans."""
    buckets = report.flow.charm.buckets
    step = float((buckets["end"] - buckets["start"]).max() / pd.Timedelta(1, "min"))
    return step * math.ceil(len(buckets) / MOST_BARS)


def _clock_ticks(start: pd.Timestamp, hours: float) -> list[tuple[float, str]]:
    """Return round times of day, or days, as hours from `start` and labels."""
    step = next((s for s in (0.25, 0.5, 1, 2, 3, 6, 12) if hours / s <= 6.5), 0.0)
    if step:
        times = pd.date_range(
            start.normalize(), start + pd.Timedelta(hours, "h"), freq=f"{60 * step:g}min"
        )
    else:
        days = max(math.ceil(hours / 24.0 / 6.5), 1)
        end = start + pd.Timedelta(hours, "h")
        times = pd.date_range(start.normalize(), end, freq=f"{days}D")
    form = "%H:%M" if step else "%-d %b" if hours < 24 * 300 else "%b %Y"
    return [
        (float((when - start) / pd.Timedelta(1, "h")), when.strftime(form))
        for when in times
        if when >= start
    ]


def charm_strikes_figure(report: ChainReport) -> Figure | None:
    """Return the drift to the horizon by strike; None where dealers hold nothing."""
    table = report.flow.charm.by_strike
    if table.empty:
        return None
    shown = _window(table["strike"].to_numpy(), table["dollars"].abs().to_numpy(), report, 90)
    strike = table["strike"].to_numpy(np.float64)[shown]
    each = table["dollars"].to_numpy(np.float64)[shown]
    panel = Panel(_strike_span(strike, LEFT, HALF - 24), Span(*bounds(each), 262, 12))
    panel.y_axis(telling_ticks(panel.y, 5), report.tick)
    panel.x_axis(ticks(panel.x.low, panel.x.high, 5), level)
    panel.horizontal("zero", 0.0)
    panel.bars("bar charm", strike, np.zeros(len(each)), each, _thick(panel, strike))
    _spot(panel, report)
    rows = [
        [level(k), away(k, report.chain.spot), report.money(v)]
        for k, v in zip(strike.tolist(), each.tolist(), strict=True)
    ]
    hover = _strike_hover(panel, strike, ["Strike", "From spot", "Drift"], rows, report)
    return Figure("charm-strikes", "Drift to the horizon by strike", HALF, 288, panel.shapes, hover)


def exposure_figure(report: ChainReport, name: str) -> Figure:
    """Return gex, vex or cex by strike, calls and puts apart, with their net."""
    table = report.by_side
    sides = table[[f"call_{name}", f"put_{name}"]]
    all_strikes = table.index.to_numpy(np.float64)
    shown = _window(all_strikes, sides.abs().sum(axis=1).to_numpy(), report)
    strike = all_strikes[shown]
    calls, puts = sides.to_numpy(np.float64)[shown].T
    net = calls + puts
    below = np.where(np.sign(calls) == np.sign(puts), calls, 0.0)  # puts stand on calls
    y = Span(*bounds(np.r_[calls, below + puts, net]), 300, 12)
    panel = Panel(_strike_span(strike, LEFT, RIGHT), y)
    panel.y_axis(telling_ticks(panel.y, 5), report.tick)
    panel.x_axis(ticks(panel.x.low, panel.x.high, 9), level)
    panel.horizontal("zero", 0.0)
    thick = _thick(panel, strike)
    panel.bars("bar calls", strike, np.zeros(len(calls)), calls, thick)
    panel.bars("bar puts", strike, below, below + puts, thick)
    stub = 0.008 * (y.high - y.low)
    marked = np.where(np.abs(net) > stub, net, np.nan)
    panel.bars("bar net", strike, marked - stub / 2, marked + stub / 2, thick + 1.5)
    _spot(panel, report)
    cells = zip(strike.tolist(), calls.tolist(), puts.tolist(), net.tolist(), strict=True)
    rows = [
        [level(k), away(k, report.chain.spot), report.money(c), report.money(p), report.money(n)]
        for k, c, p, n in cells
    ]
    heads = ["Strike", "From spot", "Calls", "Puts", "Net"]
    hover = _strike_hover(panel, strike, heads, rows, report)
    label = f"{name.upper()} by strike {UNITS[name]}, calls and puts"
    return Figure(name, label, WIDTH, 326, panel.shapes, hover)


def share_outside(report: ChainReport, name: str) -> float:
    """Return the share of gross exposure at strikes beyond those drawn."""
    table = report.by_side
    gross = table[[f"call_{name}", f"put_{name}"]].abs().sum(axis=1).to_numpy()
    shown = _window(table.index.to_numpy(np.float64), gross, report)
    return float(1.0 - gross[shown].sum() / gross.sum()) if gross.sum() > 0.0 else 0.0


def _window(
    strike: FloatArray, gross: FloatArray, report: ChainReport, most: int = MOST_STRIKES
) -> slice:
    """Return the strikes around spot that hold nearly all exposure, `most` of them at most."""
    spot = report.chain.spot
    far = np.abs(strike / spot - 1.0)
    order = np.argsort(far, kind="stable")
    running = np.cumsum(gross[order])
    enough = int(np.searchsorted(running, REACH * running[-1])) + 1 if running[-1] > 0.0 else 1
    least = int(np.count_nonzero(far <= 0.03))
    kept = np.sort(order[: min(max(enough, least, 2), most, len(strike))])
    return slice(int(kept[0]), int(kept[-1]) + 1)


def _strike_span(strike: FloatArray, left: float, right: float) -> Span:
    low, high = float(strike[0]), float(strike[-1])
    room = 0.01 * (high - low) or 0.02 * low
    return Span(low - room, high + room, left, right)


def _thick(panel: Panel, strike: FloatArray) -> float:
    """Return the width of bars: most of the usual distance between strikes."""
    if len(strike) < 2:
        return 24.0
    usual = float(np.quantile(np.diff(panel.x.place(strike)), 0.25))
    return round(min(max(0.76 * usual, 0.8), 24.0), 2)


def _spot(panel: Panel, report: ChainReport) -> None:
    if panel.x.low <= report.chain.spot <= panel.x.high:
        panel.vertical("spot", report.chain.spot)


def _strike_hover(
    panel: Panel, strike: FloatArray, heads: list[str], rows: list[list[str]], report: ChainReport
) -> Hover:
    nearest = int(np.argmin(np.abs(strike - report.chain.spot)))
    return Hover(heads, [round(v, 1) for v in panel.x.place(strike).tolist()], rows, nearest)


def smile_figure(smile: Smile, report: ChainReport, place: int) -> Figure:
    """Return one expiry's quotes, as implied vols, with the fit through them."""
    width, height, bottom, top = 268, 168, 142, 10
    spread = smile.s0 * math.sqrt(smile.tau_years)
    y = smile.quoted_y
    near = np.abs(y) <= 5.5 * spread
    if np.count_nonzero(near) < min(len(y), 5):
        near = np.ones(len(y), dtype=bool)
    strike, sigma = smile.quotes.strike[near], smile.quotes.sigma[near]
    used, mids = smile.used[near], smile.quotes.from_mid[near]
    x = _strike_span(strike, 44, width - 20)
    grid = np.linspace(x.low, x.high, 81)
    fit = smile.iv(grid)
    panel = Panel(x, Span(*bounds(np.r_[sigma, fit], zero=False), bottom, top))
    panel.y_axis(telling_ticks(panel.y, 3), lambda v: f"{100 * v:.3g} %")
    panel.x_axis(ticks(x.low, x.high, 3), level)
    panel.vertical("forward", min(max(smile.forward, x.low), x.high))
    for cls, chosen in (
        ("quote", used & mids),
        ("quote own", used & ~mids),
        ("quote out", ~used),
    ):
        _dots(panel, cls, strike[chosen], sigma[chosen])
    panel.line("curve fit", grid, fit)
    rows = [
        [level(k), vol(s), vol(f)]
        for k, s, f in zip(strike.tolist(), sigma.tolist(), smile.iv(strike).tolist(), strict=True)
    ]
    heads = ["Strike", "Quote", "Fit"]
    middle = int(np.argmin(np.abs(strike - smile.forward)))
    hover = Hover(heads, [round(v, 1) for v in x.place(strike).tolist()], rows, middle)
    label = f"Smile of {expiry_name(smile.expiry, report)}: vol {vol(smile.s0)} at the money"
    return Figure(f"smile-{place}", label, width, height, panel.shapes, hover)


def _dots(panel: Panel, cls: str, x: FloatArray, y: FloatArray) -> None:
    """Add dots as one path of points with round ends."""
    places = zip(panel.x.place(x).tolist(), panel.y.place(y).tolist(), strict=True)
    data = "".join(f"M{a:.1f},{b:.1f}h0" for a, b in places)
    if data:
        panel.put("path", cls, d=data)


def coupling_figure(report: ChainReport) -> Figure | None:
    """Return k and k at the money over time to expiry; None for fewer than two expiries."""
    table = report.expiries[np.isfinite(report.expiries["k_atm_over_s0"])]
    if len(table) < 2:
        return None
    days = ((table.index - report.chain.as_of) / pd.Timedelta(1, "D")).to_numpy(np.float64)
    k, k_atm = table["k"].to_numpy(np.float64), table["k_atm"].to_numpy(np.float64)
    x = Span(float(days.min()) * 0.8, float(days.max()) * 1.25, LEFT, RIGHT, log=True)
    upper = Panel(x, Span(*bounds(np.r_[k, k_atm]), 170, 12))
    upper.y_axis(telling_ticks(upper.y, 4), lambda v: f"{v:.4g}".replace("-", "−"))
    upper.horizontal("zero", 0.0)
    for cls, values in (("k-atm", k_atm), ("k", k)):
        upper.line(f"curve {cls}", days, values)
        _dots(upper, f"quote {cls}", days, values)
    ratio = table["k_atm_over_s0"].to_numpy(np.float64)
    lower = Panel(x, Span(*bounds(ratio), 290, 196), upper.shapes)
    _seed_range(lower)
    lower.y_axis(telling_ticks(lower.y, 3), lambda v: f"{v:.4g}".replace("-", "−"))
    lower.x_axis(log_ticks(x.low, x.high), _days)
    lower.horizontal("zero", 0.0)
    lower.line("curve ratio", days, ratio)
    _dots(lower, "quote ratio", days, ratio)
    names = ["k", "k_atm", "k_atm_over_s0", "ssr", "skew", "s0"]
    rows = [
        [
            expiry_name(when, report),
            *(plain(float(row[n]), 3) for n in names[:-1]),
            vol(float(row["s0"])),
        ]
        for when, row in zip(table.index, table.to_dict("records"), strict=True)
    ]
    heads = ["Expiry", "k", "k at the money", "k atm / vol", "SSR", "Skew b", "Vol"]
    places = [round(v, 1) for v in x.place(days).tolist()]
    label = "Spot-vol coupling by time to expiry"
    return Figure("coupling", label, WIDTH, 316, lower.shapes, Hover(heads, places, rows))


def _seed_range(panel: Panel) -> None:
    """Shade the range that is often quoted, as far as the panel reaches."""
    low, high = (min(max(v, panel.y.low), panel.y.high) for v in SEED_RANGE)
    box: dict[str, str | float] = {"width": RIGHT - LEFT}
    box["height"] = round(panel.y.at(low) - panel.y.at(high), 1)
    panel.put("rect", "seed", "4 to 12", x=LEFT, y=panel.y.at(high), **box)


def _days(days: float) -> str:
    if days < 1.0:
        return f"{24 * days:.0f} h" if days >= 1 / 24 else f"{1440 * days:.0f} min"
    return f"{days:,.0f} d"
