from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.kernels.herrick import cumulative_payoff, herrick_payoff, herrick_rsi
from kernels.market import Array, Market, law, magnitudes, market, seeds
from reference import herrick as slow

NAN = np.nan

#: Five days by hand. M = 100, 102, 100, 100, 101; dM = 2, -2, 0, 1.
HIGH = np.array([102.0, 104.0, 101.0, 102.0, 103.0])
LOW = np.array([98.0, 100.0, 99.0, 98.0, 99.0])
VOLUME = np.array([500.0, 600.0, 500.0, 700.0, 400.0])
INTEREST = np.array([1000.0, 1100.0, 1000.0, 1000.0, 0.0])


def bars(frame: Market) -> tuple[Array, ...]:
    return frame["high"], frame["low"], frame["volume"], frame["open_interest"]


def test_worked_example():
    # day 1: I = 100, G = min(1100, 1000): 100 * 600 * 2 * (1 + 2 * 100/1000) = 120000 * 1.2
    # day 2: 100 * 500 * -2 * (1 - 2 * 100/1000) = -100000 * 0.8
    # day 3: dM = 0 gives 0.   day 4: OI 0 counts as the 1000 before it, I = 0: 100 * 400 * 1
    raw, hpi = herrick_payoff(HIGH, LOW, VOLUME, INTEREST)
    assert_allclose(raw, [NAN, 144_000, -80_000, 0, 40_000], rtol=1e-15)
    # 144000; + 0.133 * (-80000 - 144000) = 114208; + 0.133 * (0 - 114208) = 99018.336;
    # + 0.133 * (40000 - 99018.336) = 91168.897312
    assert_allclose(hpi, [NAN, 144_000, 114_208, 99_018.336, 91_168.897312], rtol=1e-15)


def test_worked_example_with_the_larger_base_a_divisor_and_a_delay():
    # I/G = 100/1100 on days 1 and 2: 1 +- 2/11; everything / 1000
    raw = herrick_payoff(HIGH, LOW, VOLUME, INTEREST, oi_base="max", divisor=1000.0).raw
    assert_allclose(raw, [NAN, 120 * 13 / 11, -100 * 9 / 11, 0, 40], rtol=1e-15)
    # one bar late: 1000 first known on day 1, so day 2 has I = 100 and day 1 nothing to compare
    raw = herrick_payoff(HIGH, LOW, VOLUME, INTEREST, oi_lag=1).raw
    assert_allclose(raw, [NAN, NAN, -80_000, 0, 40_000], rtol=1e-15)


def test_a_bar_whose_interest_changes_more_than_allowed_is_blank_and_the_index_holds():
    # change / min = 100/1000 on days 1 and 2: allowed at exactly 0.1, blank below it
    at_limit = herrick_payoff(HIGH, LOW, VOLUME, INTEREST, max_oi_change=0.1)
    assert_array_equal(at_limit.raw, herrick_payoff(HIGH, LOW, VOLUME, INTEREST).raw)
    raw, hpi = herrick_payoff(HIGH, LOW, VOLUME, INTEREST, max_oi_change=0.09)
    assert_allclose(raw, [NAN, NAN, NAN, 0, 40_000])
    assert_allclose(hpi, [NAN, NAN, NAN, 0, 0.133 * 40_000])


def test_no_positive_interest_yet_and_unknown_prices_are_blank():
    interest = np.array([0.0, -5.0, 1000.0, 1000.0, NAN])
    raw, hpi = herrick_payoff(HIGH, LOW, VOLUME, interest)
    assert_allclose(raw, [NAN, NAN, NAN, 0, 40_000])  # an unknown interest is the last one
    assert_allclose(hpi, [NAN, NAN, NAN, 0, 5320])
    high = np.where(np.arange(5) == 2, NAN, HIGH)
    raw, hpi = herrick_payoff(high, LOW, VOLUME, INTEREST)
    assert_allclose(raw, [NAN, 144_000, NAN, NAN, 40_000])  # the move needs both bars
    assert_allclose(hpi[2:4], 144_000)
    volume = np.where(np.arange(5) == 2, NAN, VOLUME)
    assert_allclose(herrick_payoff(HIGH, LOW, volume, INTEREST).raw[2:], [NAN, 0, 40_000])


@law
@given(
    seeds,
    magnitudes,
    st.fixed_dictionaries(
        {
            "one_cent": st.sampled_from([1.0, 100.0, 1250.0]),
            "smoothing": st.sampled_from([0.01, 0.133, 1.0]),
            "oi_base": st.sampled_from(["min", "max"]),
            "divisor": st.sampled_from([1.0, 1e6]),
            "max_oi_change": st.sampled_from([None, 0.1, 0.5, 5.0]),
            "oi_lag": st.integers(0, 3),
        }
    ),
)
def test_payoff_equals_the_reference(seed, magnitude, options):
    series = bars(market(seed, 120, magnitude=magnitude))
    wanted_raw, wanted_hpi = map(np.array, slow.herrick_payoff(*series, **options))
    raw, hpi = herrick_payoff(*series, **options)
    assert_allclose(raw, wanted_raw, rtol=1e-12)
    size = np.nanmax(np.abs(wanted_raw), initial=0.0)
    assert_allclose(hpi, wanted_hpi, rtol=0, atol=1e-13 * size)


@pytest.mark.real_data
def test_payoff_of_real_crude_equals_a_vectorised_reading_of_the_formula(real_data):
    path = next(real_data.rglob("CHRIS-CME_CL1.csv"))
    day = pd.read_csv(path)
    high, low, volume = (day[c].to_numpy(float) for c in ("High", "Low", "Volume"))
    column = next(c for c in day.columns if "nterest" in c)
    interest = day[column].where(day[column] > 0).ffill()
    move = pd.Series((high + low) / 2).diff()
    pair = pd.concat([interest, interest.shift()], axis=1)
    share = pair.diff(axis=1).iloc[:, 1].abs() / pair.min(axis=1, skipna=False)
    wanted = 100.0 * volume * move * (1 + np.sign(move) * 2 * share)
    got = herrick_payoff(high, low, volume, day[column].to_numpy(float)).raw
    assert np.isfinite(got).mean() > 0.9
    assert_allclose(got, wanted, rtol=1e-9)


@law
@given(seeds, st.sampled_from(["min", "max"]))
def test_mirrored_prices_leave_only_the_interest_term(seed, oi_base):
    high, low, volume, interest = bars(market(seed, 120))
    raw = herrick_payoff(high, low, volume, interest, oi_base=oi_base).raw
    mirrored = herrick_payoff(-low, -high, volume, interest, oi_base=oi_base).raw
    # V dM (1 + s 2I/G) - V dM (1 - s 2I/G) = 4 V |dM| I/G, and raw - mirrored = 2 V dM
    move = np.diff((high + low) / 2, prepend=NAN)
    assert_allclose(raw - mirrored, np.where(np.isnan(raw), NAN, 200 * volume * move), rtol=1e-12)
    constant = np.full(120, 700.0)
    flat = herrick_payoff(high, low, volume, constant, oi_base=oi_base)
    flipped = herrick_payoff(-low, -high, volume, constant, oi_base=oi_base)
    assert_array_equal(flipped.raw, -flat.raw)
    assert_array_equal(flipped.hpi, -flat.hpi)


@law
@given(seeds, st.sampled_from([4.0, 2.0**-20]))
def test_payoff_scales_with_volume_and_forgets_the_unit_of_interest(seed, factor):
    high, low, volume, interest = bars(market(seed, 120))
    one = herrick_payoff(high, low, volume, interest)
    more = herrick_payoff(high, low, factor * volume, factor * interest)
    assert_array_equal(more.raw, factor * one.raw)
    assert_array_equal(more.hpi, factor * one.hpi)


def test_rsi_worked_example():
    raw = np.array([NAN, 2.0, -1.0, NAN, 3.0])
    # sum 0, 2, 1, 1, 4; hpi_smoothing 1 keeps it; changes 2, -1, 0, 3 with rsi_length 2:
    # gain 1, 0.5, 1.75; loss 0.5, 0.25, 0.125: 200/3, 200/3, 100 * 1.75/1.875
    rsi, signal = herrick_rsi(
        raw, hpi_smoothing=1, rsi_length=2, signal_length=2, signal_type="sma"
    )
    assert_allclose(rsi, [NAN, NAN, 200 / 3, 200 / 3, 280 / 3])
    assert_allclose(signal, [NAN, NAN, NAN, 200 / 3, 80])
    assert_allclose(cumulative_payoff(raw, 2), [NAN, 1, 1, 1, 3])  # ema(2) of 0, 2, 1, 1, 4


@law
@given(
    seeds,
    magnitudes,
    st.integers(1, 5),
    st.integers(1, 15),
    st.integers(2, 10),
    st.sampled_from(["sma", "ema", "rma", "wma", "hma"]),
)
def test_rsi_equals_the_reference(seed, magnitude, smoothing, length, signal_length, kind):
    raw = market(seed, 120, magnitude=magnitude)["raw"]
    raw[: seed % 40] = NAN  # open interest may begin late
    options = {
        "hpi_smoothing": smoothing,
        "rsi_length": length,
        "signal_length": signal_length,
        "signal_type": kind,
    }
    for got, wanted in zip(
        herrick_rsi(raw, **options), slow.herrick_rsi(raw, **options), strict=True
    ):
        assert_allclose(got, wanted, rtol=0, atol=1e-9)


def test_rsi_without_any_payoff_is_unknown_not_fifty():
    rsi, signal = herrick_rsi(np.full(60, NAN))
    assert np.isnan(rsi).all()
    assert np.isnan(signal).all()
    flat = herrick_rsi(np.append(NAN, np.zeros(59)))  # a known payoff of 0 is flat
    assert_array_equal(flat.rsi[16:], 50.0)
    assert_array_equal(flat.signal[24:], 50.0)


def test_an_rsi_whose_payoff_begins_late_has_its_warm_up_then():
    raw = np.random.default_rng(6).normal(size=120)
    raw[:50] = NAN
    rsi = herrick_rsi(raw, rsi_length=10).rsi
    assert np.isnan(rsi[:59]).all()
    assert np.isfinite(rsi[59:]).all()  # 10 changes: bar 49 to bar 59
    early = herrick_rsi(np.append(NAN, np.random.default_rng(6).normal(size=119)), rsi_length=10)
    assert np.flatnonzero(np.isfinite(early.rsi))[0] == 3 + 10 - 1


def test_rsi_and_signal_equal_talib():
    raw = np.random.default_rng(3).normal(size=800)
    rsi, signal = herrick_rsi(raw)
    wanted = talib.RSI(talib.EMA(np.cumsum(raw), 3)[2:], 14)
    assert_allclose(rsi[2:], wanted, rtol=0, atol=1e-10)
    assert_allclose(signal[16:], talib.EMA(wanted[14:], 9), rtol=0, atol=1e-10)


def test_the_signal_can_be_disabled():
    raw = market(1, 80)["raw"]
    rsi, signal = herrick_rsi(raw, signal_length=0)
    assert_array_equal(rsi, herrick_rsi(raw).rsi)
    assert np.isnan(signal).all()


@law
@given(seeds)
def test_rsi_of_mirrored_payoffs_is_the_rest_to_100(seed):
    raw = market(seed, 120)["raw"]
    assert_allclose(herrick_rsi(-raw).rsi, 100 - herrick_rsi(raw).rsi, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"oi_base": "mean"}, "oi_base must be 'min' or 'max', got 'mean'"),
        ({"smoothing": 0.0}, r"smoothing must lie in \(0, 1\], got 0.0"),
        ({"smoothing": 1.01}, r"smoothing must lie in \(0, 1\]"),
        ({"smoothing": NAN}, r"smoothing must lie in \(0, 1\]"),
        ({"divisor": 0.0}, "divisor must be positive, got 0.0"),
        ({"max_oi_change": 0.0}, "max_oi_change must be positive or None"),
        ({"oi_lag": -1}, "bars must be a whole number >= 0, got -1"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        herrick_payoff(HIGH, LOW, VOLUME, INTEREST, **options)


def test_series_of_different_length_are_refused():
    with pytest.raises(ValueError, match=r"of one length, got shapes \[\(5,\), \(4,\)"):
        herrick_payoff(HIGH, LOW[:4], VOLUME, INTEREST)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hpi_smoothing": 6}, "hpi_smoothing must be 1 to 5, got 6"),
        ({"hpi_smoothing": 0}, "hpi_smoothing must be 1 to 5, got 0"),
        ({"rsi_length": 0}, "whole number >= 1, got 0"),
        ({"signal_length": -1}, "whole number >= 1, got -1"),
        ({"signal_type": "zlema"}, "average must be one of"),
    ],
)
def test_rsi_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        herrick_rsi(np.ones(9), **options)
