"""A chain report in words and figures: amounts, the summary, what it all rests on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from hpi_bt.options.contract_vols import share_by_origin
from hpi_bt.report.amounts import NONE, amount, away, level, plain, signed, vol
from hpi_bt.report.pages import Banner

if TYPE_CHECKING:
    from hpi_bt.options.cloud import Zone
    from hpi_bt.report.chain_result import ChainReport

FAINT = 0.05  # net over gross gamma below which the sign hangs on details

CONVENTION_WORDS = {
    "dealers_long_calls_short_puts": "dealers long calls, short puts (SqueezeMetrics)",
    "dealers_short_calls_long_puts": "dealers short calls, long puts (floe)",
}
MODE_WORDS = {
    "canonical": "open interest of the file",
    "flow_delta": "the session's customer trades alone",
    "live": "open interest and the session's trades",
    "volume": "the session's volume, all taken as opening",
}
_TIMING = {
    "canonical": "It is published before the open, so trades of this session are not in it.",
    "flow_delta": "What was open before the session is not in it.",
    "live": "The session's trades are added to what was open before it.",
    "volume": "Volume that closes positions counts as if it opened them.",
}
#: What becomes of contracts, by the kinds of the cleaning report; a kind that was not checked, the
#: file not showing it, is not named.
_KINDS = {
    "Left out of it": {
        "duplicated": "duplicated",
        "adjusted": "adjusted",
        "negative quote": "with a negative bid or ask",
        "expired": "expired",
    },
    "No part of a smile": {kind: kind for kind in ("zero bid", "no quote", "no ask", "crossed")},
    "Without weight in exposures": {"no open interest": "without open interest"},
    "Without a recent trade": {"stale": "stale"},
}
REGIME_WORDS = {
    "pinned": "pinned: hedging damps moves around spot",
    "expansion": "expansion: hedging feeds moves to both sides",
    "squeeze_up": "squeeze up: hedging feeds rises more than falls",
    "squeeze_down": "squeeze down: hedging feeds falls more than rises",
    "neutral": "neutral: hedging at spot is weak by the measure of this chain",
    "unknown": "unknown: the impulse at spot, or within 0.5 % of it, is not known",
}


def moment(when: pd.Timestamp, report: ChainReport) -> str:
    """Return a moment, without its date where that is the chain's."""
    local = when.tz_convert(report.chain.zone)
    if local.date() == report.as_of.date():
        return f"{local:%H:%M}"
    return f"{local:%-d %b %H:%M}" if local.year == report.as_of.year else f"{local:%-d %b %Y}"


def expiry_name(when: pd.Timestamp, report: ChainReport) -> str:
    """Return the date an expiry is listed under, with "AM" where it settles on the open."""
    chain = report.chain
    at = int(chain.expiries.searchsorted(when))
    return f"{chain.expiry_dates[at]:%Y-%m-%d}" + (" AM" if chain.settles_at_open[at] else "")


def near_level(value: float, report: ChainReport) -> str:
    """Return a price and how far it is from spot."""
    far = away(value, report.chain.spot)
    return NONE if far == NONE else f"{level(value)}  ({far})"


def trade(direction: str, shares: float) -> str:
    """Return what dealers do with so many shares."""
    if direction == "none":
        return "dealers trade nothing"
    return f"dealers {direction} {amount(abs(shares), sign=False)} shares"


def figure_rows(report: ChainReport) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Return groups of (name, figure, remark), as table and page show them."""
    chain, flow, levels = report.chain, report.flow, report.levels
    book, curve, market, move = flow.exposures, flow.curve, flow.regime, levels.expected_move
    impulse = curve.impulse * chain.spot**2 * 0.01
    charm = flow.charm
    net = abs(book.gex) / report.gross["gex"] if report.gross["gex"] > 0.0 else math.nan
    cash, nearest = report.currency, expiry_name(market.expiry, report)
    gross = f"{cash} of delta per 1 % move"
    gross += f"; {100 * net:.1f} % of the gross" if math.isfinite(net) else ""
    return [
        ("Market", [
            ("Vol at the money", vol(market.s0), f"{market.label}; {nearest}"),
            ("Expected daily move", f"± {level(market.expected_daily_move * chain.spot)}",
             f"{100 * market.expected_daily_move:.2f} %"),
            ("Move to " + moment(move.expiry, report), f"± {level(move.sigma)}",
             f"1 sd; straddle {level(move.straddle)}"),
            ("Spot-vol correlation", plain(market.spot_vol_correlation, 2),
             f"vol of vol {plain(market.vol_of_vol, 2)} per √year"),
        ]),
        ("Exposure", [
            ("GEX", report.money(book.gex), gross),
            ("VEX", report.money(book.vex), f"{cash} of delta per vol point"),
            ("CEX", report.money(book.cex), f"{cash} of delta per calendar day"),
            ("Impulse at spot", report.money(impulse),
             f"{cash} of delta per 1 % move, vol moving along"),
            ("Regime", curve.regime.replace("_", " "), f"bias {curve.bias}"),
        ]),
        ("Levels", [
            _at("Zero gamma, repriced", levels.zero_gamma, chain.spot),
            _at("Zero of the cumulative strike sum", levels.zero_gamma_strike_sum, chain.spot),
            _at("Call wall", levels.call_wall, chain.spot),
            _at("Put wall", levels.put_wall, chain.spot),
            _at("Max pain", levels.max_pain, chain.spot),
            _at("Attractor above", curve.attractor_above, chain.spot),
            _at("Attractor below", curve.attractor_below, chain.spot),
        ]),
        ("Charm", [
            ("Drift to " + moment(charm.horizon, report), amount(charm.shares) + " shares",
             f"{report.money(charm.dollars)} of delta in {charm.minutes:,.0f} minutes"),
            ("To stay flat", trade(charm.direction, charm.shares),
             "spot and vols standing still"),
        ]),
    ]  # fmt: skip


def _at(name: str, price: float, spot: float) -> tuple[str, str, str]:
    """Return the row of one level."""
    return (name, level(price), away(price, spot)) if math.isfinite(price) else (name, NONE, "")


def verdict(report: ChainReport) -> list[str]:
    """Return what the chain says, in a few sentences."""
    book = report.flow.exposures
    gross = report.gross["gex"]
    if not gross > 0.0:
        return [
            "Dealers hold nothing that counts under this assumption, so every exposure is 0.",
            *_levels_sentence(report),
        ]
    if abs(book.gex) < 1e-9 * gross:
        return ["The gammas of calls and puts cancel out: GEX is 0.", *_levels_sentence(report)]
    side = "long" if book.gex > 0.0 else "short"
    how = "sell rises and buy falls" if book.gex > 0.0 else "buy rises and sell falls"
    words = [
        f"Dealers are {side} gamma, {report.money(book.gex)} of delta per 1 % move: they {how}, "
        f"which {'damps' if book.gex > 0.0 else 'feeds'} moves."
    ]
    if abs(book.gex) < FAINT * gross:
        words.append(
            f"But that is only {100 * abs(book.gex) / gross:.1f} % of the gross "
            f"{report.money(gross, sign=False)}: long and short sides nearly cancel, and small "
            "changes of vols, spot or positions can turn the sign."
        )
    words.append(_impulse_sentence(report))
    words += _levels_sentence(report)
    charm = report.flow.charm
    if charm.direction != "none":
        worth = report.money(abs(charm.dollars), sign=False)
        words.append(
            f"Until {moment(charm.horizon, report)} the mere passing of time makes "
            f"{trade(charm.direction, charm.shares)} ({worth})."
        )
    return words


def _impulse_sentence(report: ChainReport) -> str:
    """Return the regime, and where it changes first on either side."""
    curve = report.flow.curve
    text = f"With vol moving along, the regime is {REGIME_WORDS[curve.regime]}"
    spot = curve.spot
    turns = sorted(curve.crossings, key=lambda c: abs(c.price - spot))[:1]
    for turn in turns if math.isfinite(curve.impulse) else []:
        side = "below" if turn.price < spot else "above"
        now = "damps" if (curve.impulse > 0.0) else "feeds"
        then = "feeds" if now == "damps" else "damps"
        text += (
            f"; {side} {level(turn.price)} ({away(turn.price, spot)}) hedging {then} moves "
            f"where it now {now} them"
        )
    return text + "."


def _levels_sentence(report: ChainReport) -> list[str]:
    levels, spot = report.levels, report.chain.spot
    named = [
        ("zero gamma", levels.zero_gamma),
        ("call wall", levels.call_wall),
        ("put wall", levels.put_wall),
        ("max pain", levels.max_pain),
    ]
    told = [f"{name} {level(at)} ({away(at, spot)})" for name, at in named if math.isfinite(at)]
    return [f"Levels: {', '.join(told)}."] if told else []


def positions_words(positioning: str, mode: str) -> str:
    """Return what dealers are taken to hold."""
    held = CONVENTION_WORDS.get(positioning, f"signed positions of column {positioning!r}")
    return f"{held}; {MODE_WORDS[mode]}"


def zone_words(zone: Zone) -> str:
    """Return what a zone is and which trade it offers."""
    trade_words = "at spot" if zone.side == "none" else f"{zone.side}, {zone.trade_type}"
    return f"{zone.kind} ({trade_words})"


def assumptions(report: ChainReport) -> Banner:
    """Return what the figures rest on, as a page's banner."""
    settings, chain = report.settings, report.chain
    positioning, mode = settings["positioning"], settings["mode"]
    held = CONVENTION_WORDS.get(positioning, f"signed positions of column {positioning!r}")
    signs = f"{held}. No chain says who holds what: the sign table shows the other readings."
    rows = [
        ("Dealers' sign", signs[:1].upper() + signs[1:]),
        ("Positions", f"{MODE_WORDS[mode][:1].upper()}{MODE_WORDS[mode][1:]}. {_TIMING[mode]}"),
        ("Rate and yield", _carry_words(report)),
        ("Spot and moment", _moment_words(report)),
        ("Expiry", _expiry_words(report)),
        ("Vols", _vol_words(report)),
        ("Vol and spot", _coupling_words(report)),
        ("Contracts", contracts_words(report)),
    ]
    units = "of an index a share is one unit"
    return [*rows, ("Units", f"{chain.multiplier:g} shares per contract; {units}.")]


def _carry_words(report: ChainReport) -> str:
    held = 100.0 * (report.chain.rate - report.chain.dividend)
    if not held:
        return report.carry.note
    return f"{report.carry.note} Forwards rise by the difference, {signed(held, 2)} % a year."


def _moment_words(report: ChainReport) -> str:
    text = f"{level(report.chain.spot)} at {report.as_of:%Y-%m-%d %H:%M %Z}"
    if math.isfinite(report.implied_spot):
        far = away(report.implied_spot, report.chain.spot)
        text += f"; the quotes' own parity says {level(report.implied_spot)} ({far})"
    return text + "."


def _expiry_words(report: ChainReport) -> str:
    given, calendar = report.chain.expiry_at, report.chain.calendar
    morning = int(report.chain.settles_at_open.sum())
    until = f"{given} of their day" if given else "the close of their session"
    text = f"Contracts live until {until}, by calendar {calendar or 'none'}"
    verb = "settles" if morning == 1 else "settle"
    return text + (f"; {morning} {verb} on the open of the day (AM)." if morning else ".")


def _vol_words(report: ChainReport) -> str:
    book = report.flow.exposures
    smiles = list(book.surface.values())
    svi = sum(s.kind == "svi" for s in smiles)
    quotes = sum(len(s.quotes.strike) for s in smiles)
    mids = sum(int(s.quotes.from_mid.sum()) for s in smiles)
    n = len(report.chain.expiries)
    where = f"{svi} of {n} expiries" if n > 1 else "the expiry" if svi else "no expiry"
    text = f"Raw SVI in {where}, on {quotes:,} quote{'' if quotes == 1 else 's'}"
    own = quotes - mids
    text += " out of the money"
    if own:
        text += f", {own:,} of them the file's own IV."
    else:
        text += ", last prices." if report.chain.without_quotes else ", mids of bid and ask."
    if book.vols == "smile":
        return text + " Every contract takes the vol of its smile, as asked for."
    share = share_by_origin(book.own, book.gross)
    return text + (
        " Contracts take the vol of their strike's own quote out of the money where that has a "
        f"bid ({share['quote']:.1f} % of gross gamma), else of the smile ({share['smile']:.1f} %) "
        f"or the file ({share['file']:.1f} %)."
    )


def _coupling_words(report: ChainReport) -> str:
    ssr, given = report.settings["ssr"], report.settings["coupling"]
    if isinstance(given, int | float):
        return f"A fixed strike's vol falls by k = {given:g} per unit of ln spot, as given."
    text = f"k = −(SSR − 1) × skew with SSR {ssr:g}, per expiry"
    return text + ("; some k as given." if given else ".")


def contracts_words(report: ChainReport) -> str:
    """Return how many contracts count and what happened to the others."""
    n, expiries = len(report.chain), len(report.chain.expiries)
    some = "1 expiry" if expiries == 1 else f"{expiries} expiries"
    text = f"{n:,} of {some} count here"
    if report.cleaning is None:
        return text + "."
    counts = report.cleaning.counts
    text += f", {report.cleaning.read:,} are in the file."
    left_out = sum(counts.get(kind, 0) for kind in _KINDS["Left out of it"])
    if n + left_out < report.cleaning.read:  # some expiries of it were asked for
        text += " The counts that follow are of the whole file, all expiries."
    for what, kinds in _KINDS.items():
        told = [f"{counts[kind]:,} {words}" for kind, words in kinds.items() if kind in counts]
        text += f" {what}: {', '.join(told)}." if told else ""
    return text
