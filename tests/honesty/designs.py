"""The designs: markets, signals and strategies that know nothing of what comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import pandas as pd

from hpi_bt.gauge import hedge_score
from hpi_bt.stats.correlation import information_coefficient
from hpi_bt.stats.entries import entry_test
from hpi_bt.stats.events import EventInput, pooled_event_study
from hpi_bt.stats.forward import checked_bars
from hpi_bt.stats.gauge_quality import signal_quality
from hpi_bt.stats.timing import Held, trial_of_timing
from tests.honesty import markets, signals
from tests.honesty.seen import Seen
from tests.honesty.trading import EXITS, ORDERS, by_orders, by_price, orders_of
from tests.honesty.words import CONFIGS, words_trial

DRAWS = 199  # so that 1 % can be reached; sizes do not depend on their number


@dataclass(frozen=True)
class Design:
    """One kind of market and of signal, or strategy, and the statistic that judges it."""

    name: str
    statistic: str
    trial: Callable[[int], Seen]


# --- markets ---


def _market(rng, kind):
    """Return a market by name: "intraday u", "daily heavy 250", ..."""
    frame, shape, *size = kind.split()
    make = markets.intraday if frame == "intraday" else markets.daily
    return make(rng, int(size[0]), shape=shape) if size else make(rng, shape=shape)


def _rising(rng, kind):
    frame, shape = kind.split()
    if frame == "daily":
        return markets.daily(rng, shape=shape, drift=1.2e-3)
    return markets.intraday(rng, shape=shape, drift=1e-4)


# --- signals against price ---


def _inputs(market, signal):
    return EventInput(
        market.open, market.close, signal, market.session, minutes_open=market.minutes
    )


def _events(several, *, horizons, power):
    """Return the event study of [(market, signal)], and whether it finds what it says it would."""
    made = dict(horizons=horizons, permutations=DRAWS)
    table = pooled_event_study([_inputs(m, s) for m, s in several], **made)
    known = table[table["p_value"].notna()]
    seen = Seen(p=known["p_value"].tolist())
    seen.covered = [bool(row.low <= 0.0 <= row.high) for row in known.itertuples()]
    if power and len(known):
        (side, horizon), row = known.index[0], known.iloc[0]
        least = float(row["detectable"])
        slope = (
            _with_edge(several, side, least, made).loc[(side, horizon)]["effect"] - row["effect"]
        )
        if np.isfinite(least) and slope > 0.0:
            again = _with_edge(several, side, least * least / slope, made)
            seen.found = [bool(again.loc[(side, horizon)]["q_value"] <= 0.05)]
    return seen


def _with_edge(several, side, size, made):
    """Return the study with `size` added to the bar after every event of a side."""
    changed = []
    for market, signal in several:
        after = np.flatnonzero(signal[:-1] * side > 0.0) + 1
        inside = after[market.session[after] == market.session[after - 1]]
        bars = after if market.daily else inside
        changed.append(_inputs(market.planted(bars, side * size), signal))
    return pooled_event_study(changed, **made)


def _event_trial(kind, signal, seed, *, horizons=(1, 5), power=False):
    rng = np.random.default_rng(seed)
    market = _market(rng, kind)
    return _events([(market, signal(market, rng))], horizons=horizons, power=power)


def _pooled_trial(kind, signal, seed):
    """Two symbols that share half their moves; the second lacks sessions and begins later."""
    rng = np.random.default_rng(seed)
    one, other = _market(rng, kind), _market(rng, kind)
    if not one.daily:
        other = other.along(one)
    kept = (other.session % 7 != 3) & (other.session >= 8)
    two = (other.along(one) if one.daily else other).only(kept)
    several = [(market, signal(market, rng)) for market in (one, two)]
    return _events(several, horizons=(1, 5), power=False)


# --- entries ---


def _entry(trades, market):
    return entry_test(
        trades, market.open, market.close, market.session,
        minutes_open=market.minutes, draws=DRAWS,
    )  # fmt: skip


def _entries(trades, market, *, power=False):
    """Return what the entry test says, and whether it finds what it says it would."""
    if not len(trades):
        return Seen()
    own = _entry(trades, market)
    if np.isnan(own.p_value):
        return Seen()
    seen = Seen(p=[own.p_value])
    if power and np.isfinite(own.detectable):

        def with_edge(size):
            size = size * trades["direction"].to_numpy()
            return _entry(trades, market.planted(trades["entry_bar"].to_numpy(), size))

        def over(test):
            return test.mean - test.random_mean

        slope = (over(with_edge(own.detectable)) - over(own)) / own.detectable
        if slope > 0.0:
            seen.found = [bool(with_edge(own.detectable / slope).q_value <= 0.05)]
    return seen


def _orders_trial(kind, signal, rule, seed, *, market=_market, power=False):
    rng = np.random.default_rng(seed)
    bars = market(rng, kind)
    target = signal(bars, rng)
    return _entries(by_orders(bars, target, orders_of(rule)), bars, power=power)


def _price_trial(kind, signal, rule, seed, *, market=_market):
    rng = np.random.default_rng(seed)
    bars = market(rng, kind)
    return _entries(by_price(bars, signal(bars, rng), EXITS[rule], most=120), bars)


# --- exposure and lines ---


def _timing_trial(kind, exposure, seed):
    rng = np.random.default_rng(seed)
    market = _market(rng, kind)
    held = np.append(0.0, exposure(market, rng)[:-1])
    bars = checked_bars(market.open, market.close, market.session, minutes_open=market.minutes)
    test = trial_of_timing(Held(held, held, held), bars, shifts=DRAWS)
    return Seen(p=[] if np.isnan(test.p_value) else [test.p_value])


def _line_trial(kind, line, seed):
    rng = np.random.default_rng(seed)
    market = _market(rng, kind)
    table = information_coefficient(
        line(market, rng), market.open, market.close, market.session,
        horizons=(1, 5), minutes_open=market.minutes,
    )  # fmt: skip
    table = table[table["p_value"].notna()]
    covered = [bool(row.low <= 0.0 <= row.high) for row in table.itertuples()]
    return Seen(p=table["p_value"].tolist(), covered=covered)


def _gauge_trial(days, seed):
    """A score that lasts and knows nothing: [low, high, rate] of warnings and of their accuracy."""
    rng = np.random.default_rng(seed)
    market = markets.daily(rng, days)
    index = pd.bdate_range("2000-01-03", periods=days)
    spy = pd.Series(market.close, index)
    stress = pd.Series(markets.lasting(rng, days, 0.95, 1.0), index)
    table = signal_quality(hedge_score(pd.DataFrame({"a": stress}), spy), spy, draws=DRAWS)
    row = table.loc[("gauge", "warning")]
    seen = Seen()
    for low, high, rate in (
        ("hit_low", "hit_high", "hit_rate"),
        ("balanced_low", "balanced_high", "balanced_accuracy"),
        ("forward_low", "forward_high", "forward_drawdown"),
    ):
        figures = [float(row[name]) for name in (low, high, rate)]
        seen.covered.append(figures if np.isfinite(figures).all() else None)
    return seen


def _event_designs():
    """Return (name, trial) of signals against price."""
    s = signals
    groups = (
        ("intraday clustered", (s.random, s.rare, s.opening), True),
        ("intraday clustered", (s.dense, s.sessions, s.trend, s.reversal), False),
        ("intraday clustered", (s.stormy, s.great_storms, s.calm, s.gusts), False),
        ("intraday heavy", (s.random, s.trend, s.stormy, s.calm, s.gusts), False),
        ("intraday u", (s.random, s.opening, s.trend, s.calm), False),
        ("intraday flat", (s.random,), False),
        ("intraday clustered 250", (s.random, s.calm), False),
        ("daily clustered", (s.random, s.rare, s.trend), True),
        ("daily clustered", (s.dense, s.reversal, s.long_trend, s.sticky), False),
        ("daily clustered", (s.stormy, s.great_storms, s.calm, s.gusts), False),
        ("daily clustered", (s.dips, s.above), False),
        ("daily heavy", (s.random, s.trend, s.stormy, s.great_storms, s.calm), False),
        ("daily clustered 250", (s.random, s.trend, s.calm), False),
        ("daily clustered 9000", (s.random, s.trend, s.calm), False),
    )
    for kind, which, power in groups:
        for signal in which:
            yield f"{kind}, {_name(signal)}", partial(_event_trial, kind, signal, power=power)
    for kind in ("intraday clustered", "daily clustered"):
        for signal in (s.random, s.trend, s.calm):
            name = f"two symbols, {kind}, {_name(signal)}"
            yield name, partial(_pooled_trial, kind, signal)


def _entry_designs():
    """Return (name, trial) of strategies' entries, by every exit rule."""
    held, few = partial(signals.sticky, stay=12), partial(signals.rare, count=10)
    for rule in ORDERS:
        trial = partial(_orders_trial, "intraday clustered", held, rule)
        yield f"intraday clustered, held sides, {rule.replace('_', ', ')}", trial
    for rule in ("signal", "time", "stop", "target", "bracket", "bracket_time"):
        for name, signal in (("held sides", held), ("trend", signals.trend)):
            trial = partial(_orders_trial, "daily clustered", signal, rule)
            yield f"daily clustered, {name}, {rule.replace('_', ', ')}", trial
    yield "daily, ten entries", partial(_orders_trial, "daily clustered", few, "time")
    many = partial(_orders_trial, "daily clustered 9000", held, "bracket_time")
    yield "daily 9000, hundreds of entries", many
    for name, kind in (("intraday", "intraday clustered"), ("daily", "daily clustered")):
        trial = partial(_orders_trial, kind, signals.rare, "time", power=True)
        yield f"{name}, rare, held six bars", trial
        for rule in EXITS:
            for signal in (signals.longs, signals.dips):
                trial = partial(_price_trial, kind, signal, rule)
                yield f"{name}, {_name(signal)}, exit at {rule}", trial
            trial = partial(_price_trial, kind, signals.dips, rule, market=_rising)
            yield f"{name}, rising, dips, exit at {rule}", trial


def _exposure_designs():
    """Return (name, trial) of strategies that change their exposure."""
    s = signals
    daily = (s.regime, s.follow, s.follow_long, s.buy_dips)
    for exposure in (*daily, s.target_vol, s.with_vol, s.low_price, s.drawdown):
        trial = partial(_timing_trial, "daily clustered", exposure)
        yield f"daily clustered, {_name(exposure)}", trial
    for exposure in (s.regime, s.target_vol):
        kind = "intraday clustered 250"
        yield f"{kind}, {_name(exposure)}", partial(_timing_trial, kind, exposure)


def _line_designs():
    """Return (name, trial) of lines beside price."""
    for kind in ("intraday clustered", "daily clustered", "daily clustered 250"):
        for line in (signals.move_line, signals.vol_line, signals.sticky_line):
            yield f"{kind}, {_name(line)}", partial(_line_trial, kind, line)


def _gauge_designs():
    for days in (2500, 6000):
        yield f"gauge of {days} days", partial(_gauge_trial, days)


def _word_designs():
    for name in CONFIGS:
        yield f"{name}.yaml without edge", partial(words_trial, name)


def _name(function):
    return function.__name__.replace("_", " ")


@cache
def designs():
    """Return every design by name."""
    groups = {
        "signals": _event_designs,
        "entries": _entry_designs,
        "timing": _exposure_designs,
        "lines": _line_designs,
        "gauge": _gauge_designs,
        "words": _word_designs,
    }
    made = [
        Design(name, statistic, trial)
        for statistic, group in groups.items()
        for name, trial in group()
    ]
    return {design.name: design for design in made}
