"""The numbers of one chain, against the textbook and under the laws of the book."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import ndtr

from hpi_bt.errors import InputError
from hpi_bt.features import hedge_values
from hpi_bt.features.flow_columns import COLUMNS, LINES, REGIME_CODES, ZONE_LINES, FlowOptions
from hpi_bt.features.hedge_values import flow_values
from hpi_bt.options import OptionChain, exposures, hedge_flow
from hpi_bt.sources.frame import is_flow

AS_OF = pd.Timestamp("2024-03-05 10:00", tz="America/New_York")
TODAY, LATER = "2024-03-05", "2024-03-15"
SPOT, YEAR = 5100.0, 365 * 24.0
OPTIONS = FlowOptions(
    "0dte", "dealers_long_calls_short_puts", "canonical", 1.5, None, 3.0, 0.05, 2.0, 0.15, "XNYS"
)
AMOUNTS = ("impulse", "slope", "gex", "vex", "cex", "charm_to_close")


def chain(rows, iv=None, as_of=AS_OF, spot=SPOT):
    """Rows are (expiry, strike, right, open interest); flat 14 % vols unless given."""
    frame = pd.DataFrame(rows, columns=["expiry", "strike", "right", "open_interest"])
    strikes = frame["strike"].to_numpy(float)
    return OptionChain(frame.assign(iv=0.14 if iv is None else iv(strikes)), spot, as_of)


def skewed(strikes):
    y = np.log(strikes / SPOT)
    return 0.14 - 0.5 * y + 4.0 * y * y


def ladder(seed=0, expiries=(TODAY,), scale=1.0, **options):
    draw = np.random.default_rng(seed)
    rows = [
        (expiry, strike, right, scale * float(draw.integers(1, 5000)))
        for expiry in expiries
        for strike in np.arange(4950.0, 5255.0, 10.0)
        for right in "CP"
    ]
    return chain(rows, **({"iv": skewed} | options))


def values(book, **options):
    found = flow_values(book, OPTIONS._replace(**options)).columns
    return {name.removeprefix("hedge_"): value for name, value in found.items()}


def textbook_gamma_and_delta(strike, hours, sigma=0.14, right=1.0):
    spread = sigma * math.sqrt(hours / YEAR)
    d1 = math.log(SPOT / strike) / spread + 0.5 * spread
    density = math.exp(-0.5 * d1 * d1) / math.sqrt(2.0 * math.pi)
    return density / (SPOT * spread), right * float(ndtr(right * d1))


def test_worked_example():
    # dealers are long 10 calls struck 5100 and short 5 puts struck 5050, six hours before 16:00
    found = values(chain([(TODAY, 5100, "C", 10), (TODAY, 5050, "P", 5), (TODAY, 5150, "C", 0)]))
    call, _ = textbook_gamma_and_delta(5100.0, 6.0)
    put, _ = textbook_gamma_and_delta(5050.0, 6.0)
    shares = 100.0 * (10.0 * call - 5.0 * put)
    assert found["gex"] == pytest.approx(shares * SPOT**2 * 0.01, rel=1e-6)
    assert found["coupling"] == pytest.approx(0.0, abs=1e-9)  # a flat smile has no skew
    assert found["impulse"] == pytest.approx(shares, rel=1e-6)
    assert (found["call_wall"], found["put_wall"]) == (5100.0, 5050.0)
    assert found["regime"] == REGIME_CODES["pinned"]
    assert math.isnan(found["stable_below_low"])  # the basin is at spot: it offers no trade
    assert math.isnan(found["stable_above_low"])


def test_charm_runs_to_the_close_of_the_session_where_nothing_expires_before():
    book = chain([(LATER, 5150, "C", 10), (LATER, 5000, "P", 20)])
    hours = 10 * 24.0 + 6.0 - 1.0  # the clocks go forward on the 10th
    drift = 0.0
    for strike, right, held in ((5150.0, 1.0, 10.0), (5000.0, -1.0, -20.0)):
        now, then = (
            textbook_gamma_and_delta(strike, h, right=right)[1] for h in (hours, hours - 6.0)
        )
        drift += 100.0 * held * (then - now)
    assert values(book, expiry="all")["charm_to_close"] == pytest.approx(drift * SPOT, rel=1e-6)
    late = pd.Timestamp("2024-03-05 16:00", tz="America/New_York")
    assert values(chain([(LATER, 5150, "C", 10), (LATER, 5000, "P", 20)], as_of=late),
                  expiry="all")["charm_to_close"] == 0.0  # fmt: skip
    after = late + pd.Timedelta(minutes=1)
    book = chain([(LATER, 5150, "C", 10), (LATER, 5000, "P", 20)], as_of=after)
    assert math.isnan(values(book, expiry="all")["charm_to_close"])


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 50.0))
def test_more_open_interest_scales_amounts_and_moves_no_level(seed, factor):
    one, many = values(ladder(seed)), values(ladder(seed, scale=factor))
    for name in (*LINES, *ZONE_LINES):
        wanted = one[name] * (factor if name in AMOUNTS else 1.0)
        assert_allclose(many[name], wanted, rtol=1e-6, atol=1e-9 * factor, err_msg=name)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6))
def test_it_says_what_the_hedge_flow_says(seed):
    book = ladder(seed, expiries=(TODAY, LATER))
    found, flow = values(book, expiry="all"), hedge_flow(book)
    curve, zones = flow.curve, flow.cloud.zones
    assert found["impulse"] == curve.impulse
    assert found["gex"] == flow.exposures.gex
    assert found["coupling"] == curve.coupling.table["k"].iloc[0]
    assert found["charm_to_close"] == pytest.approx(flow.charm.dollars, rel=1e-12)
    assert found["regime"] == REGIME_CODES[curve.regime]
    # the sign of the asymmetry is the bias, and 0.1 its threshold
    bias = "none" if abs(found["asymmetry"]) <= 0.1 else "up" if found["asymmetry"] > 0 else "down"
    assert bias == curve.bias
    for word, kind in (("stable", "stability"), ("unstable", "acceleration")):
        for side in ("below", "above"):
            there = [z for z in zones if z.kind == kind and (z.centre < SPOT) == (side == "below")]
            if not there:
                assert math.isnan(found[f"{word}_{side}_low"])
                continue
            near = sorted(there, key=lambda z: abs(z.centre - SPOT))[0]
            assert (near.low, near.high, near.strength) == tuple(
                found[f"{word}_{side}_{part}"] for part in ("low", "high", "strength")
            )


def test_only_todays_expiry_counts_where_that_is_asked():
    both, today = ladder(3, expiries=(TODAY, LATER)), ladder(3)
    assert values(both, expiry="0dte") == pytest.approx(values(today), rel=1e-12, nan_ok=True)
    assert values(both, expiry="all")["gex"] != pytest.approx(values(today)["gex"], rel=1e-3)


def test_the_other_convention_flips_the_signs():
    ours = values(ladder(5))
    theirs = values(ladder(5), positioning="dealers_short_calls_long_puts")
    for name in ("gex", "vex", "cex", "impulse", "charm_to_close"):
        assert theirs[name] == pytest.approx(-ours[name], rel=1e-9)
    assert theirs["call_wall"] == ours["call_wall"]


def test_the_columns_are_states_that_hold_and_no_amounts_that_add_up():
    assert len(set(COLUMNS)) == len(LINES) + len(ZONE_LINES) == 26
    assert not any(map(is_flow, COLUMNS))


def test_a_chain_without_the_wanted_expiry_is_refused():
    book = chain([(LATER, 5150, "C", 10), (LATER, 5000, "P", 20)])
    with pytest.raises(InputError, match="no contract expires on 0dte"):
        flow_values(book, OPTIONS)


def test_an_unknown_impulse_at_spot_has_no_regime_in_the_columns(monkeypatch):
    real = hedge_values.impulse_curve

    def blind(*args, **options):
        curve = real(*args, **options)
        unknown = np.full(len(curve.price), math.nan)
        return replace(curve, impulse=math.nan, impulse_shares=unknown, regime="unknown")

    monkeypatch.setattr(hedge_values, "impulse_curve", blind)
    found = values(ladder())
    assert math.isnan(found["impulse"])
    assert math.isnan(found["regime"])
    assert math.isfinite(found["gex"])


def test_the_columns_take_the_vols_that_are_asked_for():
    strikes = np.arange(4950.0, 5255.0, 10.0)
    rough = {k: 0.14 + 0.02 * (-1.0) ** i for i, k in enumerate(strikes)}
    book = ladder(1, iv=lambda given: np.array([rough[k] for k in given]))
    for vols in ("quotes", "smile"):
        wanted = exposures(book, vols=vols).gex
        assert values(book, vols=vols)["gex"] == wanted
    assert values(book)["gex"] == values(book, vols="quotes")["gex"]
    assert values(book)["gex"] != values(book, vols="smile")["gex"]
