"""The impulse curve against finite differences of the revalued book; its laws (definitions 6)."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hedge_books import AS_OF, LATER, SPOT, SURFACE, TODAY, book_delta, chain_of, exposed, ladder
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.errors import InputError, Note, Severity
from hpi_bt.options import Exposures, OptionChain, greeks, impulse_curve
from hpi_bt.options.curve_kernels import kernel_means
from hpi_bt.options.impulse import ImpulseCurve, modal_spacing

AT = [0, 20, 40, 55, 60, 66, 80, 110, 120]  # places of the default grid


def curve_of(chain: OptionChain, **options: object) -> ImpulseCurve:
    given_exposures = options.pop("exposed", None) or exposed(chain)
    return impulse_curve(chain, exposed=given_exposures, **options)  # type: ignore[arg-type]


def skew_of(chain: OptionChain) -> np.ndarray:
    return np.array([SURFACE[moment].skew for moment in chain.expiry])


def absolute_terms(chain: OptionChain, found: Exposures, k: np.ndarray, spot: float) -> float:
    """Sum over contracts of the sizes of the two terms of H."""
    moved = found.sigma - k * math.log(spot / SPOT)
    rates = {"rate": chain.rate, "dividend": chain.dividend}
    value = greeks(spot, chain.strike, chain.tau_years, moved, chain.right, **rates)
    each = value.gamma + np.abs(k * value.vanna) / spot
    return float(np.abs(chain.multiplier * found.positions) @ each)


@pytest.mark.parametrize("rates", [{}, {"rate": 0.05, "dividend": 0.015}])
@pytest.mark.parametrize("coupling", [None, 0.4, -0.3])
def test_the_impulse_is_the_finite_difference_of_the_books_delta(
    rates: dict[str, float], coupling: float | None
) -> None:
    chain = ladder(**rates)
    found = exposed(chain)
    curve = curve_of(chain, coupling=coupling)
    k = -0.5 * skew_of(chain) if coupling is None else np.full(len(chain), coupling)
    e = 1e-3 * float((found.sigma * np.sqrt(chain.tau_years)).min())
    for at in AT:
        here = curve.price[at]
        ends = [
            book_delta(chain, found, spot, found.sigma - k * math.log(spot / SPOT))
            for spot in (here * (1 - e), here * (1 + e))
        ]
        each = (ends[1] - ends[0]) / (2.0 * e * here)
        bound = 1e-6 * absolute_terms(chain, found, k, here)
        assert abs(curve.impulse_shares[at] - each.sum()) <= bound


def test_under_sticky_strike_vanna_contributes_nothing() -> None:
    chain = ladder()
    curve, found = curve_of(chain, ssr=1.0), exposed(chain)
    assert_array_equal(curve.vanna_impulse_shares, 0.0)
    assert_array_equal(curve.impulse_shares, curve.gamma_shares)
    assert curve.gamma_shares[60] == pytest.approx(found.gamma_shares, rel=1e-12)
    assert any("k is 0 or below in 2 of 2 expiries" in flag for flag in curve.flags)


@pytest.mark.parametrize("ssr", [1.0, 1.5, 2.0, 0.4])
def test_a_linear_smile_moved_with_its_ssr_gives_the_same_impulse(ssr: float) -> None:
    chain = ladder()
    found, curve = exposed(chain), curve_of(chain, ssr=ssr)
    s0 = np.array([SURFACE[moment].s0 for moment in chain.expiry])
    skew = skew_of(chain)

    def delta(spot: float) -> float:
        # the smile keeps its slope in ln(K/S); its middle moves by SSR times the slope
        at_money = s0 + ssr * skew * math.log(spot / SPOT)
        sigma = at_money + skew * np.log(chain.strike / spot)
        return float(book_delta(chain, found, spot, sigma).sum())

    for at in AT:
        here, e = curve.price[at], 2e-6
        slope = (delta(here * (1 + e)) - delta(here * (1 - e))) / (2 * e * here)
        bound = 1e-6 * absolute_terms(chain, found, (1.0 - ssr) * skew, here)
        assert abs(curve.impulse_shares[at] - slope) <= bound


def test_at_spot_dollars_are_gex_less_k_times_vex_of_each_expiry() -> None:
    chain = ladder(rate=0.03)
    found, curve = exposed(chain), curve_of(chain)
    k = curve.coupling.table["k"]
    assert_allclose(k, [0.25, 0.1])
    assert_allclose(curve.coupling.table["k_atm"], [0.75, 0.3])
    assert_allclose(curve.coupling.table["k_atm_over_s0"], [0.75 / 0.14, 0.3 / 0.16])
    wanted = (
        found.gex - float((k * found.by_expiry["vex"] * 100.0 * 0.01 * 100.0).sum()) / 100.0 * 1
    )
    # vex is per vol point (0.01), k is per 1.00 of ln S: a 1 % move is k vol points
    assert curve.impulse_usd[60] == pytest.approx(wanted, rel=1e-12)
    assert_allclose(curve.impulse_usd, curve.impulse_shares * curve.price**2 * 0.01, rtol=1e-15)
    assert curve.impulse == curve.impulse_shares[60]


def test_worked_example_of_one_call_at_the_money() -> None:
    # sigma 0.14, a quarter of a day: s = 0.14 sqrt(6/(24 365)) = 0.0036639; n(s/2) = 0.398942;
    # gamma = n/(S s) = 0.02135; 10 long calls of 100 shares: 21.35 shares per $1
    chain = chain_of([(TODAY, SPOT, "C", 10.0)])
    curve = curve_of(chain)
    assert curve.gamma_shares[60] == pytest.approx(21.350, abs=2e-3)
    # vanna = -n d2/sigma = 0.398942 0.00183195/0.14 = 0.00522; k = 0.25: -0.25 5.22/5100
    assert curve.vanna_impulse_shares[60] == pytest.approx(-0.25 * 5.2203 / 5100.0, rel=1e-4)


def test_the_grid_is_even_and_has_spot_in_its_middle() -> None:
    curve = curve_of(ladder())
    assert len(curve.price) == 121
    assert curve.price[60] == SPOT
    assert_allclose(curve.price[[0, 120]], [0.97 * SPOT, 1.03 * SPOT])
    assert_allclose(np.diff(curve.price), 0.0005 * SPOT, rtol=1e-9)
    short = curve_of(ladder(), range_pct=1.0, step_pct=0.3)
    assert_allclose(short.price / SPOT - 1.0, np.arange(-3, 4) * 0.003, atol=1e-12)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.floats(0.01, 50.0))
def test_scaling_the_open_interest_scales_the_curve(seed: int, factor: float) -> None:
    chain = ladder(seed)
    scaled = chain.with_(open_interest=chain.open_interest * factor)
    one, other = curve_of(chain), curve_of(scaled)
    size = np.abs(one.impulse_shares).max()
    for name in ("gamma_shares", "vanna_shares", "impulse_shares", "up", "down", "slope"):
        wanted = factor * np.asarray(getattr(one, name))
        bound = 1e-9 * factor * max(size, np.abs(np.asarray(getattr(one, name))).max())
        assert_allclose(getattr(other, name), wanted, rtol=1e-9, atol=bound)
    assert (one.bias, one.regime, len(one.basins)) == (other.bias, other.regime, len(other.basins))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000))
def test_two_books_add_up(seed: int) -> None:
    chain = ladder(seed)
    draw = np.random.default_rng(seed)
    parts = draw.normal(0.0, 1000.0, (2, len(chain)))
    one, two, both = (
        impulse_curve(
            (held := chain.with_(dealer_position=position)),
            positioning="dealer_position",
            exposed=exposed(held, positioning="dealer_position"),
        ).impulse_shares
        for position in (parts[0], parts[1], parts.sum(axis=0))
    )
    assert_allclose(one + two, both, rtol=0, atol=1e-9 * np.abs(parts).sum())


@pytest.mark.parametrize("method", ["reprice", "kernel"])
def test_the_other_convention_and_swapped_open_interest_flip_every_sign(method: str) -> None:
    chain = ladder(3)
    own = curve_of(chain, method=method)
    other = curve_of(
        chain,
        method=method,
        exposed=exposed(chain, positioning="dealers_short_calls_long_puts"),
    )
    pairs = chain.open_interest.reshape(-1, 2)[:, ::-1].reshape(-1)
    swapped = curve_of(chain.with_(open_interest=pairs), method=method)
    for name in ("impulse_shares", "gamma_shares", "vanna_shares", "impulse_usd"):
        scale = np.abs(getattr(own, name)).max()
        assert_array_equal(getattr(other, name), -getattr(own, name))
        assert_allclose(getattr(swapped, name), -getattr(own, name), rtol=0, atol=1e-12 * scale)
    assert [b.at for b in other.peaks] == [b.at for b in own.basins]


def test_the_kernel_map_of_a_constant_is_that_constant() -> None:
    # positions that give each strike the same gamma
    strikes = np.arange(5000.0, 5205.0, 5.0)
    chain = chain_of([(TODAY, strike, "C", 1.0) for strike in strikes])
    found = exposed(chain)
    held = chain.with_(dealer_position=7.0 / (100.0 * found.gamma))
    curve = impulse_curve(
        held,
        positioning="dealer_position",
        exposed=exposed(held, positioning="dealer_position"),
        method="kernel",
        coupling=0.0,
    )
    assert_allclose(curve.gamma_shares, 7.0, rtol=1e-12)
    assert_allclose(curve.impulse_shares, 7.0, rtol=1e-12)


def test_the_kernel_map_tends_to_the_strikes_own_exposure_as_its_width_goes_to_0() -> None:
    # grid steps of 0.05 % of 5,000 are 2.5: every second price is a strike
    surface = {TODAY: SURFACE[TODAY]}
    rows = [(TODAY, k, "C", 10.0 + i) for i, k in enumerate(np.arange(4900.0, 5105.0, 5.0))]
    chain = chain_of(rows, spot=5000.0, surface=surface)
    found = exposed(chain)
    curve = impulse_curve(
        chain, exposed=found, method="kernel", kernel_width_strikes=0.05, range_pct=1.0
    )
    per_strike = found.by_strike.set_index("strike")["gamma_shares"]
    at = np.round(curve.price[::2], 6)
    assert_allclose(curve.gamma_shares[::2], per_strike[at], rtol=1e-12)


def test_kernel_means_worked_by_hand_and_by_a_slow_version() -> None:
    # two strikes, width 10, half-way between them plus 5: z = 1 and 0.5 apart from 0.5 and 1.5
    strikes, values = np.array([100.0, 120.0]), np.array([[3.0, 5.0]])
    a, b = math.exp(-(1.5**2)), math.exp(-(0.5**2))
    found = kernel_means(np.array([115.0]), strikes, values, 10.0)
    assert_allclose(found, [[(3.0 * a + 5.0 * b) / (a + b)]], rtol=1e-14)
    draw = np.random.default_rng(1)
    strikes = np.sort(draw.uniform(90.0, 110.0, 30))
    values, prices = draw.normal(size=(3, 30)), draw.uniform(85.0, 115.0, 20)
    weights = np.exp(-(((strikes[None, :] - prices[:, None]) / 2.0) ** 2))
    slow = (values @ weights.T) / weights.sum(axis=1)
    assert_allclose(kernel_means(prices, strikes, values, 2.0), slow, rtol=1e-11, atol=1e-13)


def test_far_from_all_strikes_the_map_repeats_the_last_one_and_says_so() -> None:
    chain = chain_of([(TODAY, 5100.0, "C", 10.0), (TODAY, 5105.0, "C", 20.0)])
    curve = curve_of(chain, method="kernel")
    assert np.isfinite(curve.impulse_shares).all()
    per_strike = exposed(chain).by_strike["gamma_shares"].to_numpy()
    # 15 widths away the other strike weighs e^-15 as much
    assert_allclose(curve.gamma_shares[[0, -1]], per_strike, rtol=1e-6)
    assert any("lie beyond all strikes" in flag for flag in curve.flags)


def test_the_modal_spacing_is_the_most_frequent_gap_and_the_smallest_at_ties() -> None:
    assert modal_spacing(np.array([100.0, 105.0, 110.0, 120.0])) == 5.0
    assert modal_spacing(np.array([100.0, 110.0, 115.0])) == 5.0
    assert modal_spacing(np.array([99.9, 100.0, 100.1, 100.2])) == 0.1
    assert modal_spacing(np.array([100.0])) == 1.0


def revalued(chain: OptionChain, found: Exposures, k: np.ndarray, spot: float) -> tuple:
    """Vols at a spot, which of them are held at the least, and each contract's gross gamma."""
    free = found.sigma - k * math.log(spot / SPOT)
    least = np.minimum(found.sigma, 0.01)
    moved = np.maximum(free, least)
    gamma = greeks(spot, chain.strike, chain.tau_years, moved, chain.right).gamma
    return moved, free < least, np.abs(chain.multiplier * found.positions) * gamma


@pytest.mark.parametrize("coupling", [0.6, 4.7, 6.0, -6.0])
def test_the_impulse_is_unknown_just_where_vols_held_at_one_percent_carry_over_a_hundredth(
    coupling: float,
) -> None:
    chain = ladder()
    found, curve = exposed(chain), curve_of(chain, coupling=coupling)
    k = np.full(len(chain), coupling)
    for at, price in enumerate(curve.price):
        _, held, gross = revalued(chain, found, k, price)
        count = np.count_nonzero(held & (found.positions != 0.0))
        assert curve.contracts_held[at] == count
        share = gross[held].sum() / gross.sum()
        assert np.isnan(curve.impulse_shares[at]) == (share > 0.01)
    assert np.isfinite(curve.impulse_shares[60])
    assert curve.regime != "unknown" or curve.bias == "unknown"
    lost = np.isnan(curve.impulse_shares)
    warned = [f for f in curve.flags if isinstance(f, Note) and f.code == "impulse-unknown"]
    assert bool(warned) == lost.any() == (abs(coupling) > 1.0)
    if warned:
        assert warned[0].severity is Severity.WARNING
        assert f"At {lost.sum()} prices" in warned[0].text


def far_wing(vol: float, held: float = 500.0) -> OptionChain:
    """A ladder and far calls of another vol, which hardly have a gamma."""
    chain = ladder()
    far = chain.contracts.tail(6).assign(
        strike=[7000.0, 7100.0, 7200.0, 7300.0, 7400.0, 7500.0], right=1.0, iv=vol,
        open_interest=held,
    )  # fmt: skip
    return OptionChain(pd.concat([chain.contracts, far], ignore_index=True), SPOT, AS_OF)


@pytest.mark.parametrize("vol", [0.0092, 0.0099, 0.0112])
def test_far_wings_never_blank_the_impulse_whatever_the_smile_makes_of_them(vol: float) -> None:
    chain = far_wing(vol)
    curve, plain = curve_of(chain), curve_of(ladder())
    assert np.isfinite(curve.impulse_shares).all()
    assert_allclose(curve.impulse_shares, plain.impulse_shares, rtol=1e-9)
    assert curve.regime == plain.regime != "unknown"
    assert curve.contracts_held.max() == 6
    assert curve.contracts_held[60] == 0
    (note,) = [f for f in curve.flags if isinstance(f, Note) and f.code == "vols-held"]
    assert note.severity is Severity.INFO
    assert "up to 6 contracts is held at 1 %" in note.text
    assert not any("not known there" in flag for flag in curve.flags)


def test_a_vol_that_is_held_moves_no_more_in_the_impulse_either() -> None:
    chain = ladder()
    sigma = exposed(chain).sigma
    at = (chain.strike == 5230.0) & (chain.expiry == TODAY)
    low = np.where(at, 0.012, sigma)  # held at 1 % from 5,100 times e^0.008 on, with little gamma
    found = replace(exposed(chain), own=exposed(chain).own._replace(sigma=low))
    k = np.full(len(chain), 0.25)
    curve = impulse_curve(chain, exposed=found, coupling=0.25)
    for place in (80, 90):
        here = curve.price[place]
        moved, held, gross = revalued(chain, found, k, here)
        assert np.count_nonzero(held) > 0
        assert gross[held].sum() < 0.01 * gross.sum()
        e = 1e-3 * float((moved * np.sqrt(chain.tau_years)).min())
        ends = [
            book_delta(chain, found, spot, revalued(chain, found, k, spot)[0])
            for spot in (here * (1 - e), here * (1 + e))
        ]
        slope = ((ends[1] - ends[0]) / (2.0 * e * here)).sum()
        assert curve.impulse_shares[place] == pytest.approx(slope, rel=1e-5)


def test_contracts_without_a_position_and_expired_ones_change_nothing() -> None:
    chain = ladder()
    rows = chain.contracts.copy()
    dead = rows.head(4).assign(expiry=AS_OF - pd.Timedelta(days=1))
    idle = rows.head(4).assign(strike=[10.0, 20.0, 30.0, 40.0], open_interest=0.0, iv=0.001)
    more = OptionChain(pd.concat([rows, dead, idle], ignore_index=True), SPOT, AS_OF)
    assert_allclose(curve_of(more).impulse_shares, curve_of(chain).impulse_shares, rtol=1e-12)


def test_a_book_without_positions_is_flat_and_says_so() -> None:
    chain = ladder()
    curve = curve_of(chain.with_(open_interest=0.0))
    assert_array_equal(curve.impulse_shares, 0.0)
    assert (curve.regime, curve.bias, curve.crossings) == ("neutral", "none", ())
    assert any("Dealers hold nothing" in flag for flag in curve.flags)
    assert any("impulse is 0 everywhere" in flag for flag in curve.flags)


def test_coupling_is_given_per_expiry_by_date_or_moment() -> None:
    chain = ladder()
    by_date = curve_of(chain, coupling={"2024-03-05": 0.7})
    by_moment = curve_of(chain, coupling={TODAY: 0.7, LATER: 0.1})
    assert_allclose(by_date.coupling.table["k"], [0.7, 0.1])
    assert_allclose(by_date.impulse_shares, by_moment.impulse_shares, rtol=1e-12)
    # a given k is k_atm + b, so SSR is 1 - k/b
    assert_allclose(by_date.coupling.table["k_atm"], [1.2, 0.3])
    assert_allclose(by_date.coupling.table["ssr"], [2.4, 1.5])


def test_an_expiry_without_a_smile_holds_its_vols_still_and_says_so() -> None:
    chain = ladder()
    found = exposed(chain, surface={TODAY: SURFACE[TODAY]})
    curve = curve_of(chain, exposed=found)
    assert np.isnan(curve.coupling.table["k"].iloc[1])
    assert set(curve.coupling.k[chain.expiry == LATER]) == {0.0}
    assert any(
        "Expiries without a smile, their vols held still (k = 0): 1" in flag for flag in curve.flags
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "repriced"}, r"method: 'repriced' \(did you mean 'reprice'\?\)"),
        ({"range_pct": 0.0}, "range_pct: 0.0; give percent"),
        ({"step_pct": math.nan}, "step_pct: nan; give percent"),
        ({"step_pct": 5.0}, "range_pct: 3.0 with steps of 5.0"),
        ({"range_pct": 100.0}, "below 100"),
        ({"step_pct": 1e-5}, "makes 600001 prices"),
        ({"method": "kernel", "kernel_width_strikes": 0.0}, "kernel_width_strikes: 0.0"),
        ({"ssr": math.inf}, "ssr: inf; give a finite number"),
        ({"coupling": math.nan}, "coupling: nan; give a finite number"),
        ({"coupling": "high"}, "coupling: 'high'; give a finite number"),
        ({"coupling": {"2024-03-06": 1.0}}, "coupling: no contract expires on 2024-03-06"),
        ({"coupling": {"soon": 1.0}}, "coupling: 'soon' is no date"),
    ],
)
def test_wrong_options_are_refused_in_one_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        curve_of(ladder(), **options)
    assert "\n" not in str(refused.value)
