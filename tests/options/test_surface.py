from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.options import OptionChain, fit_surface
from hpi_bt.options.surface import smile_vols, surface_notes
from hpi_bt.options.svi import RawSvi, fit_svi
from options.books import AS_OF, FRIDAY, cboe, chain, quoted

STRIKES = np.arange(60.0, 141.0, 1.0)
LONG = "2024-09-20"
SMILE = RawSvi(a=0.01, b=0.12, rho=-0.5, m=0.05, sigma=0.15)  # of a year: about 20 %


def only(found):
    ((_, smile),) = found.items()
    return smile


def made_of(svi: RawSvi, tau: float):
    return lambda y: np.sqrt(svi.total_variance(y) / tau)


def test_worked_example_of_raw_svi():
    # at y = m the root is sigma: w = a + b sigma, w' = b rho, w'' = b/sigma
    assert_allclose(SMILE.total_variance(0.05), 0.01 + 0.12 * 0.15, rtol=1e-15)
    assert_allclose(SMILE.slope(0.05), -0.06, rtol=1e-15)
    assert_allclose(SMILE.bend(0.05), 0.8, rtol=1e-15)


def test_an_svi_smile_is_recovered_from_its_own_quotes():
    tau = chain([100.0], expiry=LONG).tau_years[0]
    book = quoted(STRIKES, made_of(SMILE, tau), expiry=LONG, rate=0.04, dividend=0.01)
    got = only(fit_surface(book))
    assert (got.kind, got.flags) == ("svi", ())
    assert got.used.all()
    assert_allclose(got.residual, 0.0, atol=1e-7)
    assert_allclose(got.svi, SMILE, rtol=1e-3)
    assert_allclose(got.s0, np.sqrt(SMILE.total_variance(0.0) / tau), atol=1e-8)


def test_slope_and_curvature_at_the_money_are_those_of_the_curve():
    import mpmath

    mpmath.mp.dps = 40
    tau = chain([100.0], expiry=LONG).tau_years[0]
    got = only(fit_surface(quoted(STRIKES, made_of(SMILE, tau), expiry=LONG)))
    a, b, rho, m, sigma = (mpmath.mpf(float(x)) for x in got.svi)

    def vol(y):
        x = y - m
        return mpmath.sqrt((a + b * (rho * x + mpmath.sqrt(x * x + sigma**2))) / got.tau_years)

    assert_allclose(got.skew, float(mpmath.diff(vol, 0)), rtol=1e-12)
    assert_allclose(got.curvature, float(mpmath.diff(vol, 0, 2)), rtol=1e-11)


@settings(deadline=None, max_examples=40)
@given(sigma=st.floats(0.03, 3.0), expiry=st.sampled_from(["2023-09-11", FRIDAY, LONG]))
def test_equal_vols_make_a_flat_smile(sigma, expiry):
    got = only(fit_surface(chain(STRIKES, iv=sigma, expiry=expiry)))
    assert got.kind == "svi"
    assert_allclose(got.iv(np.array([1.0, 60.0, 100.0, 500.0])), sigma, rtol=1e-12)
    assert_allclose([got.skew, got.curvature], 0.0, atol=1e-9)


@st.composite
def messy_quotes(draw):
    """Five to forty vols without any order in them."""
    n = draw(st.integers(5, 40))
    y = np.sort(draw(st.lists(st.floats(-1, 1), min_size=n, max_size=n, unique=True)))
    vols = np.array(draw(st.lists(st.floats(0.05, 2.0), min_size=n, max_size=n)))
    width = draw(st.sampled_from([1e-3, 0.03, 0.3]))
    return y * width * 3.0, vols * width


@settings(deadline=None, max_examples=80)
@given(messy_quotes())
def test_whatever_the_quotes_the_smile_is_finite_and_says_where_it_has_butterfly_arbitrage(quotes):
    y, root = quotes
    w = root**2
    fit = fit_svi(y, w, np.exp(-0.5 * np.minimum(y * y / w, 60.0)))
    grid = np.linspace(y.min(), y.max(), 200)
    told = np.zeros(200, dtype=bool)
    for low, high in fit.arbitrage:
        told |= (grid >= low) & (grid <= high)
    assert np.isfinite(fit.svi).all()
    assert (fit.svi.total_variance(np.linspace(-9, 9, 99)) > 0).all()
    assert (fit.stage == 3) == (fit.least_g < 0) == bool(fit.arbitrage)
    assert (~told & (fit.svi.durrleman(grid) < -1e-3)).sum() <= 2 * len(fit.arbitrage)
    near = np.abs(grid) <= 3.0 * np.sqrt(fit.svi.total_variance(0.0))
    assert not (told & near).any()
    assert fit.svi.b * (1 + abs(fit.svi.rho)) <= 2 * (1 + 1e-9)  # Lee
    again = fit_svi(y, w, np.exp(-0.5 * np.minimum(y * y / w, 60.0)))
    assert again.svi == fit.svi


def test_durrleman_is_the_sign_of_the_density_of_black_prices():
    from hpi_bt.options import price

    svi = RawSvi(a=-0.0410, b=0.1331, rho=0.3060, m=0.3586, sigma=0.4153)  # Vogt: has arbitrage
    y = np.linspace(-1.4, 1.4, 57)
    y = y[np.abs(svi.durrleman(y)) > 2e-3]
    step = 1e-3
    strike = np.exp(y)

    def call(k):
        return price(1.0, k, 1.0, np.sqrt(svi.total_variance(np.log(k))), 1.0)

    density = call(strike + step) - 2 * call(strike) + call(strike - step)
    assert_array_equal(np.sign(density), np.sign(svi.durrleman(y)))
    assert (density < 0).any()


def test_arbitrage_in_the_quotes_is_fitted_away_and_flagged():
    y = np.linspace(-1.5, 1.5, 61)
    vogt = RawSvi(a=-0.0410, b=0.1331, rho=0.3060, m=0.3586, sigma=0.4153)
    w = vogt.total_variance(y)
    fit = fit_svi(y, w, np.exp(-0.5 * y * y / w))
    assert vogt.durrleman(y).min() < 0
    assert fit.stage == 1
    assert fit.svi.durrleman(np.linspace(-2, 2, 400)).min() >= 0
    assert np.abs(np.sqrt(fit.svi.total_variance(y)) - np.sqrt(w))[np.abs(y) < 0.5].max() < 0.01


def test_a_smile_off_its_quotes_near_the_money_is_no_price_for_a_sound_wing():
    # like SPX a day before expiry: at seven deviations and beyond the put wing has arbitrage
    svi = RawSvi(a=-6.938e-4, b=0.01651, rho=-0.3713, m=-0.01725, sigma=0.04735)
    y = np.linspace(-0.12, 0.04, 161)
    w = svi.total_variance(y)
    fit = fit_svi(y, w, np.exp(-0.5 * np.minimum(y * y / w, 60.0)))
    ((low, high),) = fit.arbitrage
    assert fit.stage == 3
    assert_allclose(fit.svi.total_variance(y), w, rtol=1e-6)
    assert high < -7.0 * np.sqrt(svi.total_variance(0.0))
    assert_array_equal(svi.durrleman(y) < 0, (y >= low) & (y <= high))
    assert fit.least_g == pytest.approx(svi.durrleman(y).min(), abs=1e-4)


def test_a_quote_gone_mad_is_left_out_and_counted():
    tau = chain([100.0], expiry=LONG).tau_years[0]
    vols = made_of(SMILE, tau)(np.log(STRIKES / 100.0))
    vols[40] += 0.1
    got = only(fit_surface(chain(STRIKES, iv=vols, expiry=LONG)))
    assert_array_equal(np.flatnonzero(~got.used), [40])
    assert_allclose(np.delete(got.residual, 40), 0.0, atol=1e-6)
    (flag,) = [flag for flag in got.flags if "left out of the fit" in flag]
    off = 100 * abs(got.residual[40])
    assert got.worst == got.missed == 40
    rms = f"{got.rms:.2f} vol points rms off its quotes"
    worst = f"{off:.1f} at worst (strike 100: quoted {100 * vols[40]:.1f} %, smile "
    assert flag.startswith(f"1 quote lies far off the smile, left out of the fit: {rms}, {worst}")


def test_few_quotes_are_joined_in_total_variance_and_flat_beyond():
    got = only(fit_surface(chain([90.0, 110.0], iv=[0.3, 0.2])))
    assert (got.kind, got.flags[-1]) == ("linear", "Only 2 quotes: the smile is linear.")
    assert_allclose(got.iv([50.0, 90.0, 110.0, 500.0]), [0.3, 0.3, 0.2, 0.2], rtol=1e-14)
    middle = np.sqrt(90.0 * 110.0)  # halfway in ln K
    assert_allclose(got.iv(middle), np.sqrt((0.09 + 0.04) / 2), rtol=1e-14)
    # w' = (0.04 - 0.09) tau/ln(110/90), b = w'/(2 s0 tau), w'' = 0
    s0 = np.sqrt(0.09 + (0.04 - 0.09) * np.log(100 / 90) / np.log(110 / 90))
    b = (0.04 - 0.09) / np.log(110 / 90) / (2 * s0)
    assert_allclose([got.s0, got.skew, got.curvature], [s0, b, -b * b / s0], rtol=1e-13)


def test_one_quote_is_flat_and_none_is_no_smile():
    got = only(fit_surface(chain([90.0], iv=0.3)))
    assert (got.kind, got.skew, got.curvature) == ("flat", 0.0, 0.0)
    assert got.flags[-1] == "Only 1 quote: the smile is flat."
    assert_allclose(got.iv([1.0, 1e4]), 0.3, rtol=1e-14)
    assert fit_surface(chain([90.0, 110.0], iv=np.nan)) == {}


def test_quotes_on_one_side_of_the_money_give_no_slope_there():
    got = only(fit_surface(chain([110.0, 120.0], iv=[0.3, 0.2])))
    assert (got.s0, got.skew, got.curvature) == (pytest.approx(0.3), 0.0, 0.0)


def test_a_quote_at_the_money_takes_the_mean_of_both_slopes():
    got = only(fit_surface(chain([90.0, 100.0, 110.0], iv=[0.3, 0.2, 0.2])))
    # slopes of w/tau: (0.04 - 0.09)/ln(100/90) and 0
    assert_allclose(got.skew, 0.5 * -0.05 / np.log(100 / 90) / 0.4, rtol=1e-12)


def test_mids_go_before_the_chains_own_iv_which_fills_in_where_they_are_few():
    book = quoted([95.0, 100.0, 105.0], lambda y: np.full_like(y, 0.2))
    frame = book.contracts.assign(iv=0.5)
    assert_allclose(
        only(fit_surface(OptionChain(frame, 100.0, AS_OF))).quotes.sigma, 0.2, rtol=1e-9
    )
    frame.loc[frame["strike"] == 105.0, "bid"] = 0.0
    got = only(fit_surface(OptionChain(frame, 100.0, AS_OF)))
    assert_allclose(got.quotes.sigma, [0.2, 0.2, 0.5], rtol=1e-9)
    assert_array_equal(got.quotes.from_mid, [True, True, False])
    assert "The chain's own iv stands for 1 of 3 quotes, not mids." in got.flags


def traded(book: OptionChain, **columns) -> OptionChain:
    """The chain with its mids as last prices, all traded today, instead of bids and asks."""
    frame = book.contracts.drop(columns=["bid", "ask"]).assign(last=book.mid, volume=7.0)
    return OptionChain(frame.assign(**columns), book.spot, book.as_of)


def test_without_bids_and_asks_last_prices_give_the_forward_and_the_vols():
    book = quoted(STRIKES, lambda y: 0.2 - 0.1 * y, expiry=LONG, rate=0.05, dividend=0.02)
    # a vol of the file that rests on spot jumps at the forward; it is not asked
    own = np.where(book.right > 0, 0.15, 0.25)
    chain = traded(OptionChain(book.contracts, 100.0, AS_OF), iv=own)
    got = only(fit_surface(chain))
    tau = chain.tau_years[0]
    assert chain.without_quotes
    assert any("No bid or ask is known: forwards and vols come from" in n for n in chain.notes)
    assert_allclose(got.forward, 100.0 * np.exp(0.03 * tau), rtol=1e-6)
    assert_allclose(got.s0, 0.2, atol=1e-4)
    assert_allclose(got.skew, -0.1, atol=1e-3)


def test_the_last_price_of_a_contract_without_volume_says_nothing():
    book = quoted(STRIKES, lambda y: np.full_like(y, 0.2), expiry=LONG)
    volume = np.where(book.strike == 100.0, 0.0, 5.0)
    got = only(fit_surface(traded(book, volume=volume)))
    assert 100.0 not in got.quotes.strike
    assert not traded(book, volume=0.0).without_quotes
    assert not traded(book, volume=np.nan).without_quotes


def test_one_bid_makes_a_chain_of_quotes():
    book = quoted(STRIKES, lambda y: np.full_like(y, 0.2), expiry=LONG)
    bid = np.where(book.strike == 100.0, 3.0, np.nan)
    chain = traded(book, bid=bid)
    assert not chain.without_quotes
    assert np.isnan(chain.mid).all()


def test_where_mids_are_enough_contracts_without_a_bid_say_nothing():
    book = quoted(np.arange(95.0, 106.0), lambda y: np.full_like(y, 0.2))
    frame = book.contracts.assign(iv=0.5)
    frame.loc[frame["strike"] == 105.0, "bid"] = 0.0
    got = only(fit_surface(OptionChain(frame, 100.0, AS_OF)))
    assert len(got.quotes.strike) == 10
    assert got.quotes.from_mid.all()


def test_only_quotes_out_of_the_money_count():
    frame = chain(STRIKES, iv=0.2).contracts
    inside = ((frame["right"] > 0) & (frame["strike"] < 100)) | (
        (frame["right"] < 0) & (frame["strike"] >= 100)
    )
    frame.loc[inside, "iv"] = 0.9
    assert_allclose(only(fit_surface(OptionChain(frame, 100.0, AS_OF))).quotes.sigma, 0.2)


def test_without_puts_the_calls_in_the_money_stand_in():
    frame = chain(STRIKES, iv=0.2).contracts
    got = only(fit_surface(OptionChain(frame[frame["right"] > 0], 100.0, AS_OF)))
    assert_array_equal(got.quotes.strike, STRIKES)


@pytest.mark.parametrize("minutes", [1, 5, 60])
def test_minutes_before_expiry_the_smile_still_stands(minutes):
    close = pd.Timestamp(f"{FRIDAY} 16:00", tz="America/New_York")
    strikes = np.arange(98.0, 102.01, 0.05)
    blank = chain(strikes, as_of=close - pd.Timedelta(minutes=minutes))
    tau = blank.tau_years[0]
    width = 0.2 * np.sqrt(tau)  # about 3 cents of spot a minute before
    svi = RawSvi(a=0.5 * width**2, b=0.6 * width, rho=-0.3, m=0.2 * width, sigma=width)
    book = quoted(strikes, made_of(svi, tau), as_of=blank.as_of)
    got = only(fit_surface(book))
    near = np.abs(got.quoted_y) < 3 * width
    assert near.sum() >= 3
    assert_allclose(got.residual[near], 0.0, atol=1e-4)
    assert_allclose(got.s0, made_of(svi, tau)(0.0), atol=1e-4)
    assert np.isfinite([got.skew, got.curvature]).all()


def test_a_spot_far_outside_the_strikes_still_gives_a_finite_smile():
    for spot in (1.0, 1e4):
        got = only(fit_surface(chain(STRIKES, iv=0.2, spot=spot)))
        assert_allclose(got.iv([60.0, 100.0]), 0.2, rtol=1e-9)


def test_smile_vols_go_to_their_expiries():
    two = pd.concat(
        [chain([100.0], iv=v, expiry=d).contracts for v, d in ((0.2, FRIDAY), (0.3, LONG))]
    )
    book = OptionChain(two.iloc[[0, 2, 1, 3]], 100.0, AS_OF)
    surface = fit_surface(book)
    assert_allclose(smile_vols(book, surface), [0.2, 0.3, 0.2, 0.3], rtol=1e-14)
    del surface[book.expiries[0]]
    assert_allclose(smile_vols(book, surface), [np.nan, 0.3, np.nan, 0.3], rtol=1e-14)
    assert surface_notes(surface) == [
        "Smiles on fewer than 5 quotes, their skew and k a rough guess: 1 of 1.",
        "Smiles on the file's own IV, and only as good as that: 1 of 1.",
        "Forwards carried from spot or at another rate, so smiles there are rougher: 1 of 1.",
    ]


def test_what_was_done_against_arbitrage_is_one_line():
    book = chain([95.0, 100.0, 105.0], iv=0.2, expiry=FRIDAY)
    (smile,) = fit_surface(book).values()
    stages = [0, 1, 1, 2, 3]
    several = {AS_OF + pd.Timedelta(i, "D"): replace(smile, stage=s) for i, s in enumerate(stages)}
    (told,) = [note for note in surface_notes(several) if "butterfly" in note]
    assert told == (
        "Smiles against butterfly arbitrage: refitted 2, wings flattened 1, left with some 1 of 5; "
        "only where no quote stands do exposures rest on the fit."
    )


FILES = pytest.mark.parametrize(
    ("name", "as_of"),
    [
        ("spx_quotedata_2023-09-14.csv", "2023-09-14 16:31-04:00"),
        ("spx_quotedata_2023-08-20.csv", "2023-08-18 16:15-04:00"),
        ("spx_quotedata_2024-01-07.csv", "2024-01-05 16:15-05:00"),
    ],
)


@pytest.mark.real_data
@FILES
def test_real_smiles_agree_with_the_exchanges_own_vols(real_data, name, as_of):
    book = cboe(real_data, name, as_of, "SPX")
    surface = fit_surface(book)
    assert set(surface) == set(book.live().expiries)
    assert all(smile.kind == "svi" for smile in surface.values())
    ours, delta = smile_vols(book, surface), book.contracts["delta"].abs()
    near = book.is_live & (delta > 0.1) & (delta < 0.5) & np.isfinite(book.iv)
    off = np.abs(ours - book.iv)[near]
    assert near.sum() > 3500
    assert np.median(off) < 0.001
    assert np.quantile(off, 0.9) < 0.01


@pytest.mark.real_data
@FILES
def test_real_smiles_are_near_their_mids_and_free_of_arbitrage_or_say_where(real_data, name, as_of):
    surface = fit_surface(cboe(real_data, name, as_of, "SPX"))
    kept = [smile for smile in surface.values() if smile.stage == 3]
    assert len(kept) <= 2
    assert all("Butterfly arbitrage at y = -0.0" in smile.flags[-1] for smile in kept)
    for smile in surface.values():
        width = smile.s0 * np.sqrt(smile.tau_years)
        wide = np.linspace(smile.quoted_y[0], smile.quoted_y[-1], 500)
        looked = np.abs(wide) < 3 * width if smile.stage == 3 else wide < np.inf
        assert smile.svi.durrleman(wide[looked]).min() > -1e-3
        near = np.abs(smile.quoted_y) < 2 * width
        assert np.median(np.abs(smile.residual[near])) < 0.005


@pytest.mark.real_data
def test_tomorrows_smiles_are_within_a_fifth_of_a_vol_point_of_the_money(real_data):
    # free of arbitrage they would miss the calls one to three deviations out by a whole point
    surface = fit_surface(cboe(real_data, FILES.args[1][0][0], FILES.args[1][0][1], "SPX"))
    for smile in list(surface.values())[:2]:
        z = np.abs(smile.quoted_y) / np.sqrt(smile.total_variance(0.0))
        assert smile.stage == 3
        assert np.abs(smile.residual[z <= 1.0]).max() < 0.002
        assert np.abs(smile.residual[z <= 3.0]).max() < 0.007


@pytest.mark.real_data
def test_last_prices_of_nifty_make_smoother_smiles_than_vols_that_rest_on_spot(real_data):
    from hpi_bt.sources.chains import read_chain

    path = real_data / "options_flow_long" / "nifty_chain_iv_2026-08-19.parquet"
    book = read_chain(path, timezone="Asia/Kolkata", calendar="XBOM", symbol="NIFTY").chain
    blind = OptionChain(book.contracts.drop(columns="last"), book.spot, book.as_of, calendar="XBOM")
    ours, theirs = list(fit_surface(book).values()), list(fit_surface(blind).values())
    assert book.without_quotes
    assert not blind.without_quotes
    for last, own in zip(ours, theirs, strict=True):
        worst = [
            np.abs(smile.residual[np.abs(smile.quoted_y) < smile.s0 * smile.tau_years**0.5]).max()
            for smile in (last, own)
        ]
        assert worst[0] < min(0.003, worst[1])
        assert last.skew < 0.0
        assert last.forward > own.forward == book.spot
