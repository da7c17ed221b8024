from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.kernels.pressure import HedgePressure, demo_flow, hedge_pressure
from kernels.market import Array, Market, few, law, magnitudes, market, seeds
from reference import averages as slow_averages
from reference import pressure as slow

NAN = np.nan
every_formula = pytest.mark.parametrize(
    ("accumulate", "scale", "ma"),
    list(itertools.product(("session", "bar"), ("contracts", "ratio", "standard"), ("ema", "sma"))),
)

#: Two sessions by hand: net 5, 15, -10 | -6, -2, running 5, 20, 10 | -6, -8.
PUT = np.array([10.0, 20.0, 30.0, 4.0, 0.0])
CALL = np.array([5.0, 5.0, 40.0, 10.0, 2.0])
NET_OI = np.array([12.0, 12.0, 12.0, -10.0, -10.0])
SESSION = np.array([1.0, 1.0, 1.0, 4.0, 4.0])


def run(frame: Market, **options: object) -> HedgePressure:
    given_twice = {name: frame[name] for name in ("total_oi", "slot")}
    series = (frame[n] for n in ("put_volume", "call_volume", "net_oi", "session"))
    return hedge_pressure(*series, **(given_twice | options))


def two_sessions(**options: object) -> HedgePressure:
    return hedge_pressure(
        PUT, CALL, NET_OI, SESSION, **({"smoothing": 2, "zscore_lookback": 2} | options)
    )


def test_worked_example():
    got = two_sessions(extreme=1.0)
    assert_array_equal(got.oi, NET_OI)
    # ema(2), alpha 2/3: 5, (5 + 20)/2 = 12.5, 12.5 + 2/3 (10 - 12.5) = 65/6 | -6, (-6 - 8)/2
    assert_allclose(got.flow, [5, 12.5, 65 / 6, -6, -7])
    assert_allclose(got.spread, [-7, 0.5, -7 / 6, 4, 3])
    # of two spreads the later is 1 std away
    assert_allclose(got.hpi, [NAN, 1, -1, 1, -1])
    # above at bar 1, below at bar 2; the new session's baseline is no cross
    assert_array_equal(got.cross, [0, 1, -1, 0, 0])
    assert_array_equal(got.extreme, [0, 1, -1, 1, -1])


def test_worked_example_of_bars_alone():
    got = two_sessions(accumulate="bar", ma="sma")
    # net 5, 15, -10, -6, -2 across sessions: means of two; the sign of 10 - 12 is the first one
    assert_allclose(got.flow, [NAN, 10, 2.5, -8, -4])
    assert_allclose(got.spread, [NAN, -2, -9.5, 2, 6])
    assert_array_equal(got.cross, [0, 0, 0, 1, 0])
    assert_array_equal(got.extreme, np.zeros(5))


def test_worked_example_of_ratios():
    total_oi = np.array([48.0, 48.0, 48.0, 0.0, 0.0])
    got = two_sessions(scale="ratio", total_oi=total_oi, smoothing=1)
    # running net / running total: 5/15, 20/40, 10/110 | -6/14, -8/16; no open interest, no share
    assert_allclose(got.flow, [1 / 3, 0.5, 1 / 11, -3 / 7, -0.5])
    assert_allclose(got.oi, [0.25, 0.25, 0.25, NAN, NAN])
    assert_array_equal(got.cross, [0, 0, -1, 0, 0])


def test_worked_example_of_standard_units():
    # one bar a session: net 1, 3, 1, 3, 1, 6 against the mean and std of the five before, 9/5 and
    # sqrt(0.96); the baseline 2, 2, 2, 2, 2, 7 stood still, so it is 0
    put, oi = np.array([1.0, 3.0, 1.0, 3.0, 1.0, 6.0]), np.array([2.0] * 5 + [7.0])
    got = hedge_pressure(
        put, np.zeros(6), oi, np.arange(6.0), scale="standard", slot=np.zeros(6), smoothing=1
    )
    assert_allclose(got.flow, [NAN] * 5 + [4.2 / np.sqrt(0.96)])
    assert_array_equal(got.oi, [NAN] * 5 + [0])


def test_lam_weighs_the_calls():
    got = two_sessions(lam=0.5, smoothing=1)
    assert_array_equal(got.flow, [7.5, 25, 35, -1, -2])


@every_formula
@law
@given(seed=seeds, magnitude=magnitudes, lam=st.sampled_from([1.0, 0.5, 2.0]))
def test_lines_equal_the_reference(accumulate, scale, ma, seed, magnitude, lam):
    frame = market(seed, 160, magnitude=magnitude, longest=10)
    options = {"accumulate": accumulate, "scale": scale, "ma": ma, "lam": lam}
    options |= {"smoothing": 3, "zscore_lookback": 15, "standard_sessions": 6}
    wanted = slow.hedge_pressure(
        *(frame[n] for n in ("put_volume", "call_volume", "net_oi", "session")),
        **options,
        total_oi=frame["total_oi"],
        slot=frame["slot"],
    )
    got = run(frame, **options)
    for name in ("oi", "flow", "spread"):
        one, other = getattr(got, name), np.array(getattr(wanted, name))
        size = np.nanmax(np.abs(other), initial=1e-30)
        assert_allclose(one, other, rtol=0, atol=1e-11 * size, err_msg=name)
    # the last three are exact functions of the spread, whatever its last digit
    spread = got.spread
    assert_allclose(
        got.hpi, slow_averages.zscore(spread, 15), rtol=1e-10, atol=1e-10, err_msg="hpi"
    )
    session = frame["session"] if accumulate == "session" else None
    assert_array_equal(got.cross, slow.sign_changes(spread, session))
    assert_array_equal(got.extreme, (got.hpi >= 1.5) * 1.0 - (got.hpi <= -1.5))


@every_formula
def test_every_line_equals_the_reference_on_a_tame_market(accumulate, scale, ma):
    rng = np.random.default_rng(21)
    frame = market(21, 900, gaps=0.02, longest=30)
    for name in ("put_volume", "call_volume"):  # no ties, so no spread lies on a threshold
        frame[name] = frame[name] + rng.random(900)
    options = {"accumulate": accumulate, "scale": scale, "ma": ma}
    wanted = slow.hedge_pressure(
        *(frame[n] for n in ("put_volume", "call_volume", "net_oi", "session")),
        **options,
        total_oi=frame["total_oi"],
        slot=frame["slot"],
    )
    for name, line in zip(HedgePressure._fields, run(frame, **options), strict=True):
        assert_allclose(line, getattr(wanted, name), rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("accumulate", ["session", "bar"])
@pytest.mark.parametrize("scale", ["contracts", "ratio", "standard"])
@law
@given(seed=seeds)
def test_swapping_puts_and_calls_flips_every_sign(accumulate, scale, seed):
    frame = market(seed, 200, longest=10)
    swapped = frame | {
        "put_volume": frame["call_volume"],
        "call_volume": frame["put_volume"],
        "net_oi": -frame["net_oi"],
    }
    options = {"accumulate": accumulate, "scale": scale, "smoothing": 3, "zscore_lookback": 20}
    for one, other in zip(run(frame, **options), run(swapped, **options), strict=True):
        assert_array_equal(other, -one)


def scaled(frame: Market, factor: float) -> Market:
    names = ("put_volume", "call_volume", "net_oi", "total_oi")
    return frame | {name: factor * frame[name] for name in names}


@every_formula
@few
@given(seed=seeds, factor=st.sampled_from([64.0, 2.0**-10]))
def test_the_unit_of_volume_and_interest_scales_contracts_alone(
    accumulate, scale, ma, seed, factor
):
    frame = market(seed, 200, longest=10)
    options = {"accumulate": accumulate, "scale": scale, "ma": ma}
    options |= {"smoothing": 3, "zscore_lookback": 20}
    one, other = run(frame, **options), run(scaled(frame, factor), **options)
    stretch = factor if scale == "contracts" else 1.0
    for name in HedgePressure._fields:
        unit = stretch if name in ("oi", "flow", "spread") else 1.0
        assert_array_equal(getattr(other, name), unit * getattr(one, name), err_msg=name)


@law
@given(seeds, st.sampled_from(["session", "bar"]), st.sampled_from([0.5, 1.0, 3.0]))
def test_ratio_lines_stay_within_one(seed, accumulate, lam):
    frame = market(seed, 200)
    oi = np.random.default_rng(seed).uniform(-1, 1, 200) * frame["total_oi"]
    got = run(frame | {"net_oi": oi}, scale="ratio", accumulate=accumulate, lam=lam)
    for line in (got.oi, got.flow):
        assert np.nanmax(np.abs(line), initial=0.0) <= 1 + 1e-12


@law
@given(seeds)
def test_the_open_is_never_blank_and_crosses_alternate_within_a_session(seed):
    frame = market(seed, 200, gaps=0.0)
    got = run(frame)
    assert np.isfinite(got.flow).all()
    for day in np.unique(frame["session"]):
        crosses = got.cross[frame["session"] == day]
        assert (np.diff(crosses[crosses != 0]) != 0).all()


def test_the_first_score_needs_as_many_spreads_as_the_lookback():
    frame = market(3, 150, gaps=0.0)
    assert np.flatnonzero(np.isfinite(run(frame, zscore_lookback=100).hpi))[0] == 99


def test_a_baseline_alone_makes_no_extreme():
    still = np.zeros(40)
    got = hedge_pressure(still, still, still + 7.0, still, zscore_lookback=10)
    assert_array_equal(got.hpi, [NAN] * 9 + [0.0] * 31)
    assert not got.extreme.any()


def test_a_score_that_just_reaches_the_threshold_is_extreme_on_both_sides():
    put, still = np.array([0.0, 2.0, 0.0]), np.zeros(3)
    # spreads 0, 2, 0: mean 1, std 1, so exactly +1 and -1
    options = {"accumulate": "bar", "smoothing": 1, "zscore_lookback": 2}
    at = hedge_pressure(put, still, still, still, extreme=1.0, **options)
    assert_array_equal(at.hpi, [NAN, 1, -1])
    assert_array_equal(at.extreme, [0, 1, -1])
    assert not hedge_pressure(put, still, still, still, extreme=1.01, **options).extreme.any()


def test_demo_flow_by_hand():
    high, low = np.array([4.0, 4.0, 4.0, 3.0, 2.0]), np.array([0.0, 0.0, 0.0, 3.0, 0.0])
    close, volume = np.array([4.0, 0.0, 3.0, 3.0, 2.0]), np.array([8.0, 8.0, 8.0, 6.0, 5.0])
    # location 1, -1, 0.5 | 0 (high = low), 1: calls 8, 0, 6 | 3, 5
    got = demo_flow(high, low, close, volume, SESSION)
    assert_array_equal(got.call_volume, [8, 0, 6, 3, 5])
    assert_array_equal(got.put_volume, [0, 8, 2, 3, 0])
    # net -8, 8, -4, running -8, 0, -4: mean -4; bar by bar the mean is -4/3
    assert_allclose(got.net_oi, [NAN, NAN, NAN, -4, -4])
    bar = demo_flow(high, low, close, volume, SESSION, accumulate="bar")
    assert_allclose(bar.net_oi, [NAN, NAN, NAN, -4 / 3, -4 / 3])


@law
@given(seeds, st.sampled_from(["session", "bar"]), st.sampled_from([1.0, 0.5]))
def test_demo_flow_equals_the_reference_and_splits_the_volume(seed, accumulate, lam):
    frame = market(seed, 150)
    high, low = np.maximum(frame["high"], frame["low"]), np.minimum(frame["high"], frame["low"])
    bars: list[Array] = [high, low, frame["close"], frame["volume"], frame["session"]]
    got = demo_flow(*bars, lam=lam, accumulate=accumulate)
    wanted = slow.demo_flow(*bars, lam=lam, accumulate=accumulate)
    for one, other in zip(got, wanted, strict=True):
        assert_allclose(one, other, rtol=1e-11, atol=1e-7)
    whole = got.put_volume + got.call_volume
    assert_allclose(whole, np.where(np.isnan(whole), NAN, frame["volume"]), rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"accumulate": "day"}, "accumulate must be 'session' or 'bar', got 'day'"),
        ({"ma": "wma"}, "ma must be 'ema' or 'sma', got 'wma'"),
        ({"scale": "zscore"}, "scale must be one of contracts, ratio, standard, got 'zscore'"),
        ({"scale": "ratio"}, "needs total_oi"),
        ({"scale": "standard"}, "needs slot"),
        ({"extreme": 0.0}, "extreme must be positive, got 0.0"),
        ({"smoothing": 0}, "smoothing must be a whole number >= 1, got 0"),
        ({"zscore_lookback": 1}, "lookback must be a whole number >= 2, got 1"),
        (
            {"scale": "standard", "slot": SESSION, "standard_sessions": 4},
            "standard_sessions must be a whole number >= 5, got 4",
        ),
        ({"scale": "standard", "slot": SESSION[:3]}, "of one length"),
        ({"scale": "ratio", "total_oi": SESSION[:1]}, "of one length"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        two_sessions(**options)


def test_series_of_different_length_are_refused():
    with pytest.raises(ValueError, match="of one length"):
        hedge_pressure(PUT, CALL[:3], NET_OI, SESSION)
    with pytest.raises(ValueError, match="of one length"):
        demo_flow(PUT, CALL, CALL, CALL, SESSION[:2])


def test_an_unknown_accumulation_of_the_demo_is_refused():
    with pytest.raises(ValueError, match="accumulate must be 'session' or 'bar', got 'day'"):
        demo_flow(PUT, CALL, CALL, CALL, SESSION, accumulate="day")
