"""The page of one chain: impulse, zones, charm, exposures, smiles, signs; one file, no network."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from markupsafe import Markup

from hpi_bt.errors import Severity
from hpi_bt.options.curve_features import Extreme
from hpi_bt.report.amounts import NONE, amount, away, level, plain, signed, vol
from hpi_bt.report.chain_curves import future_columns, impulse_figure, kernel_figure, kernel_words
from hpi_bt.report.chain_figures import (
    UNITS,
    charm_figure,
    charm_strikes_figure,
    coupling_figure,
    exposure_figure,
    merged_minutes,
    share_outside,
    smile_figure,
)
from hpi_bt.report.chain_result import ChainReport, zone_records
from hpi_bt.report.chain_words import (
    CONVENTION_WORDS,
    MODE_WORDS,
    assumptions,
    expiry_name,
    figure_rows,
    moment,
    near_level,
    trade,
    verdict,
)
from hpi_bt.report.pages import render, write_page
from hpi_bt.report.svg import Figure
from hpi_bt.sources.chain_importance import severity_of
from hpi_bt.sources.hours import counted

FIRST_SMILES = 8
_WEIGHTS = {
    Severity.WARNING: "Faults in the data",
    Severity.ASSUMPTION: "Assumptions that move the answer",
    Severity.INFO: "Notes",
}
_UNITS_WORDS = {"gex": "gamma", "vex": "vanna", "cex": "charm"}


class Tab(NamedTuple):
    """One exposure: its name, what it is, its drawing, and its totals in words."""

    name: str
    words: str
    figure: Figure
    note: str


def write_chain(path: Path, report: ChainReport) -> None:
    """Write the page of a chain to `path`: one file, no network.

    Parameters
    ----------
    path : Path
        The page.
    report : ChainReport
        What it shows.
    """
    impulse, kernel = impulse_figure(report), kernel_figure(report)
    charm = [charm_figure(report), charm_strikes_figure(report)]
    tabs = [_tab(report, name) for name in UNITS]
    surface = report.flow.exposures.surface
    smiles = [(s, smile_figure(s, report, i)) for i, s in enumerate(surface.values())]
    shown = [_smile_words(s, figure, report) for s, figure in smiles]
    coupling = coupling_figure(report)
    figures = [impulse, kernel, *charm, *(t.figure for t in tabs), *(f for _, f in smiles)]
    figures.append(coupling)
    page = render(
        "chain.html.j2",
        title=f"{report.title} hedge flow",
        subtitle=subtitle(report),
        banner=assumptions(report),
        demo=report.demo,
        words=verdict(report),
        currency=report.currency,
        groups=figure_rows(report),
        impulse=impulse,
        kernel=kernel,
        kernel_words=kernel_words(report),
        ladder=_ladder(report),
        zones=zone_rows(report),
        futures=[n.removesuffix("_per_point") for n in future_columns(report.flow.cloud.hedge)],
        charm=charm,
        charm_words=_charm_words(report),
        tabs=tabs,
        signs=sign_rows(report),
        coupling=coupling,
        expiries=expiry_rows(report),
        smiles=shown[:FIRST_SMILES],
        more_smiles=shown[FIRST_SMILES:],
        cleaning=_cleaning(report),
        known=_known(report),
        # JSON in a script element: nothing to escape but the opening bracket
        data=Markup(_hovers(figures).replace("<", "\\u003c")),
    )
    write_page(path, page)


def subtitle(report: ChainReport) -> str:
    """Return moment, spot and what is in the chain, in one line."""
    chain = report.chain
    expiries = [expiry_name(when, report) for when in chain.expiries]
    span = expiries[0] if len(expiries) == 1 else f"{len(expiries)} expiries"
    contracts = "1 contract" if len(chain) == 1 else f"{len(chain):,} contracts"
    return (
        f"{report.as_of:%A %-d %B %Y, %H:%M %Z} · spot {level(chain.spot)} · "
        f"{contracts}, {span} · {report.name}"
    )


def _hovers(figures: Sequence[Figure | None]) -> str:
    """Return what the drawings tell where pointed at, as JSON."""
    told = {f.key: f.hover._asdict() for f in figures if f is not None and f.hover is not None}
    return json.dumps(told, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def _tab(report: ChainReport, name: str) -> Tab:
    value = float(report.by_side[[f"call_{name}", f"put_{name}"]].to_numpy().sum())
    outside = share_outside(report, name)
    gross = report.money(report.gross[name], sign=False)
    note = f"Net {report.money(value)} {UNITS[name]}, gross {gross}."
    if outside >= 0.005:
        note += f" {100 * outside:.0f} % of the gross lies at strikes beyond those drawn."
    return Tab(
        name,
        f"{_UNITS_WORDS[name]}, {report.currency} of delta {UNITS[name]}",
        exposure_figure(report, name),
        note,
    )


def _ladder(report: ChainReport) -> list[dict[str, Any]]:
    """Return every level, highest first, with what it is and how far."""
    levels, curve, spot = report.levels, report.flow.curve, report.chain.spot
    named: list[tuple[float, str, str]] = [
        (spot, "Spot", "spot"),
        (levels.zero_gamma, "Zero gamma, repriced", "zero-gamma"),
        (levels.zero_gamma_strike_sum, "Zero of the cumulative strike sum", ""),
        (levels.call_wall, "Call wall", "call-wall"),
        (levels.put_wall, "Put wall", "put-wall"),
        (levels.max_pain, "Max pain", "max-pain"),
    ]
    turns = {"stable_to_unstable": "damping ends", "unstable_to_stable": "damping begins"}
    named += [
        (edge.price, f"Impulse 0, {turns[edge.turn]} going away from spot", "edge")
        for edge in report.flow.cloud.edges
    ]
    named += [(b.price, f"Basin, {_impulse(report, b)}", "basin") for b in curve.basins]
    named += [(p.price, f"Peak, {_impulse(report, p)}", "peak") for p in curve.peaks]
    known = sorted((one for one in named if math.isfinite(one[0])), key=lambda one: -one[0])
    return [
        {"price": level(price), "name": name, "cls": cls,
         "away": "" if cls == "spot" else away(price, spot)}
        for price, name, cls in known
    ]  # fmt: skip


def _impulse(report: ChainReport, extreme: Extreme) -> str:
    return f"{report.money(extreme.impulse * extreme.price**2 * 0.01)} per 1 %"


def zone_rows(report: ChainReport) -> list[dict[str, Any]]:
    """Return the zones as text, strongest first."""
    spot = report.chain.spot
    futures = future_columns(report.flow.cloud.hedge)
    rows = []
    for zone in zone_records(report):
        hedge = zone.get("hedge", {})
        rows.append({
            "kind": zone["kind"],
            "range": f"{level(zone['low'])} – {level(zone['high'])}",
            "open": zone["open_ended"],
            "centre": level(zone["centre"]),
            "away": away(zone["centre"], spot),
            "impulse": report.money(zone["impulse"] * zone["centre"] ** 2 * 0.01),
            "strength": zone["strength"],
            "strength_text": _strength(zone["strength"]),
            "trade": "–" if zone["side"] == "none" else f"{zone['side']}, {zone['trade_type']}",
            "hedge": [amount(hedge[name]) for name in futures],
            "shares": amount(hedge["shares"]) if hedge else "–",
        })  # fmt: skip
    return rows


def _strength(value: float) -> str:
    """Return the strength of a zone, "negligible" where it rounds to 0.00."""
    text = f"{value:.2f}"
    return "negligible" if text == "0.00" else text


def _charm_words(report: ChainReport) -> str:
    charm, until = report.flow.charm, moment(report.flow.charm.horizon, report)
    return (
        f"With spot and vols standing still, the dealers' delta drifts by {amount(charm.shares)} "
        f"shares ({report.money(charm.dollars)}) until {until}, the nearest "
        f"expiry of a living contract; {trade(charm.direction, charm.shares)} to stay flat. "
        f"Bars of {merged_minutes(report):g} minutes; method {charm.method}."
    )


def sign_rows(report: ChainReport) -> dict[str, Any]:
    """Return heads and rows of the figures under each assumption of what dealers hold."""
    table, cash = report.sensitivity.to_dict("records"), report.currency
    near = report.flow.charm.horizon
    heads = [
        {"sign": CONVENTION_WORDS.get(r["positioning"], f"column {r['positioning']}"),
         "mode": MODE_WORDS[r["mode"]], "chosen": bool(r["chosen"])}
        for r in table
    ]  # fmt: skip

    def at(value: float) -> str:
        return near_level(value, report)

    rows = [
        (f"GEX, {cash} per 1 % move", [report.money(r["gex"]) for r in table]),
        (f"VEX, {cash} per vol point", [report.money(r["vex"]) for r in table]),
        (f"CEX, {cash} per calendar day", [report.money(r["cex"]) for r in table]),
        (f"Impulse at spot, {cash} per 1 %", [report.money(r["impulse_usd"]) for r in table]),
        ("Regime", [r["regime"].replace("_", " ") for r in table]),
        ("Bias", [r["bias"] for r in table]),
        ("Zero gamma, repriced", [at(r["zero_gamma"]) for r in table]),
        ("Zero of the cumulative strike sum", [at(r["zero_gamma_strike_sum"]) for r in table]),
        ("Attractor above", [at(r["attractor_above"]) for r in table]),
        ("Attractor below", [at(r["attractor_below"]) for r in table]),
        ("Strongest stability zone", [at(r["stability"]) for r in table]),
        ("Strongest acceleration zone", [at(r["acceleration"]) for r in table]),
        (
            f"Charm to {moment(near, report)}, {cash}",
            [report.money(r["charm_dollars"]) for r in table],
        ),
        ("Dealers then", [r["direction"] if r["direction"] != "none" else "–" for r in table]),
    ]
    return {"heads": heads, "rows": rows}


def expiry_rows(report: ChainReport) -> list[dict[str, Any]]:
    """Return coupling, smile, exposures and levels of each expiry as text."""
    rows = []
    for when, row in report.expiries.iterrows():
        stamp = pd.Timestamp(when)  # type: ignore[arg-type]
        rows.append({
            "name": expiry_name(stamp, report),
            "days": f"{(stamp - report.chain.as_of) / pd.Timedelta(1, 'D'):,.2f}",
            "contracts": f"{row['contracts']:,}",
            "forward": level(row["forward"]),
            "s0": vol(row["s0"]),
            "skew": signed(row["skew"], 3),
            "ssr": plain(row["ssr"], 2),
            "k": plain(row["k"], 3),
            "k_atm": plain(row["k_atm"], 3),
            "ratio": plain(row["k_atm_over_s0"], 2),
            "low_k": bool(row["k"] <= 0.0),
            "smile": row["smile"],
            "rms": plain(row["fit_rms_vol_points"], 2),
            "worst": _worst(row["fit_worst_vol_points"], row["fit_worst_strike"]),
            **{name: report.money(row[name]) for name in ("gex", "vex", "cex")},
            **{name: level(row[name]) for name in ("call_wall", "put_wall", "max_pain")},
            "move": level(row["sigma_move"]),
            "straddle": level(row["straddle"]),
        })  # fmt: skip
    return rows


def _worst(miss: float, strike: float) -> str:
    """Return the worst miss of a smile, in vol points, and the strike at which it is."""
    return f"{signed(miss, 2)} at {level(strike)}" if math.isfinite(miss) else NONE


def _smile_words(smile: Any, figure: Figure, report: ChainReport) -> dict[str, Any]:
    """Return a smile's drawing with its name and what is noted of it."""
    return {
        "figure": figure,
        "name": expiry_name(smile.expiry, report),
        "vol": vol(smile.s0),
        "skew": signed(smile.skew, 3),
        "kind": "SVI" if smile.kind == "svi" else smile.kind,
        "count": f"{int(smile.used.sum()):,} of {counted(len(smile.used), 'quote')}",
        "fit": f"rms {smile.rms:.2f} vol points, {smile.miss_words(smile.worst)} at worst",
        "flags": smile.flags,
    }


def _known(report: ChainReport) -> list[tuple[str, list[str]]]:
    """Return what there is to know, weightiest first, under headings."""
    odd = [note for note in report.notes if severity_of(note) is Severity.WARNING]
    lines = (*report.flags, *odd)
    groups = {
        severity: [line for line in lines if severity_of(line) is severity] for severity in Severity
    }
    return [(_WEIGHTS[severity], texts) for severity, texts in groups.items() if texts]


def _cleaning(report: ChainReport) -> dict[str, Any]:
    """Return what was found in the file: a headline, findings and notes."""
    if report.cleaning is None:
        return {"head": "", "rows": [], "notes": report.notes}
    found = report.cleaning
    rows = [(f.kind, f"{f.count:,}", f"{100 * f.share:.1f} %", f.action) for f in found.findings]
    head = f"{found.read:,} contracts read, {found.kept:,} kept; {len(report.chain):,} count here."
    return {"head": head, "rows": rows, "notes": report.notes}
