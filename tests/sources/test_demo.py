from __future__ import annotations

from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from pydantic import ValidationError

from hpi_bt.errors import InputError
from hpi_bt.sources.base import Locations
from hpi_bt.sources.demo import BAR_MINUTES, DemoMarket, DemoSource, simulate
from hpi_bt.sources.demo_bars import ar1, bar_grid

EXPECTED = {
    "open": 196.11,
    "high": 196.42,
    "low": 195.87,
    "close": 196.13,
    "volume": 283103.0,
    "openinterest": 44908811.0,
    "put_volume": 2715.0,
    "call_volume": 2561.0,
    "put_oi": 2976234.0,
    "call_oi": 1918380.0,
}
COLUMNS = ["open", "high", "low", "close", "volume", "openinterest", "put_volume", "call_volume"]


@pytest.fixture(scope="module")
def year() -> DemoMarket:
    return simulate(DemoSource(sessions=252))


def put_share(frame: pd.DataFrame) -> np.ndarray:
    return (frame["put_volume"] / (frame["put_volume"] + frame["call_volume"])).to_numpy()


def test_a_five_minute_half_day_has_the_bars_of_the_exchange():
    # 2024-07-03 closes at 13:00 in New York: 210 minutes, 42 bars; the 2nd and 5th are full days
    frame = DemoSource(sessions=3, start=date(2024, 7, 2), bar="5min").read(Locations(), "XNYS")
    assert list(frame.columns) == [*COLUMNS, "put_oi", "call_oi"]
    assert set(frame.dtypes) == {np.dtype("float64")}
    assert frame.index.name == "close_time"
    counts = frame.groupby(frame.index.date).size()
    assert counts.to_dict() == {date(2024, 7, 2): 78, date(2024, 7, 3): 42, date(2024, 7, 5): 78}
    assert str(frame.index[0]) == "2024-07-02 09:35:00-04:00"
    assert str(frame.index[78 + 41]) == "2024-07-03 13:00:00-04:00"
    assert frame.attrs["symbol"] == "IWM"
    assert frame.attrs["bar_minutes"] == 5.0
    assert frame.attrs["calendar"] == "XNYS"
    assert "simulated" in frame.attrs["demo"]


def test_a_lunch_break_has_no_bars_and_a_last_bar_is_cut_at_the_close():
    frame = simulate(DemoSource(sessions=2, bar="60min"), "XTKS").frame
    times = frame.index.strftime("%H:%M").tolist()
    assert times[:6] == ["10:00", "11:00", "11:30", "13:30", "14:30", "15:00"]
    grid = bar_grid("XTKS", date(2024, 1, 4), 1, 60)
    assert_allclose(grid.right, np.array([60, 120, 150, 210, 270, 300]) / 300)


def test_a_daily_bar_closes_with_the_session():
    frame = simulate(DemoSource(sessions=300, bar="1day")).frame
    assert frame.attrs["bar_minutes"] == 1440.0
    assert set(frame.index.strftime("%H:%M")) == {"16:00", "13:00"}
    assert_allclose(frame["volume"].mean(), 30e6, rtol=0.2)


@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    seed=st.integers(0, 2**32),
    bar=st.sampled_from(sorted(set(BAR_MINUTES) - {"1min"})),
    edge=st.floats(-0.1, 0.1),
    price=st.floats(0.5, 5000),
)
def test_every_market_is_possible(seed, bar, edge, price):
    market = simulate(DemoSource(sessions=6, seed=seed, bar=bar, edge=edge, price=price))
    frame = market.frame
    assert frame.index.is_monotonic_increasing
    assert frame.index.is_unique
    assert np.isfinite(frame.to_numpy()).all()
    assert (frame["high"] >= frame[["open", "close"]].max(axis=1)).all()
    assert (frame["low"] <= frame[["open", "close"]].min(axis=1)).all()
    assert (frame["low"] > 0).all()
    counts = frame.drop(columns=["open", "high", "low", "close"]).to_numpy()
    assert (counts >= 0).all()
    assert_array_equal(counts, np.rint(counts))
    assert (market.ladder_open_interest >= 0).all()
    assert (market.strikes > 0).all()


def test_volatility_and_volume_are_highest_at_open_and_close(year):
    frame = year.frame
    minute = (frame.index.hour - 9) * 60 + frame.index.minute - 30
    move = np.log(frame["close"] / frame["open"]).to_numpy() ** 2

    def mean(values, low, high):
        return values[(minute > low) & (minute <= high)].mean()

    for values, opening, closing in ((move, 3.0, 1.3), (frame["volume"].to_numpy(), 2.0, 1.7)):
        midday = mean(values, 150, 240)
        assert mean(values, 0, 30) > opening * midday
        assert mean(values, 360, 390) > closing * midday


def test_volatility_clusters_beyond_its_daily_shape(year):
    frame = year.frame
    move = np.log(frame["close"] / frame["open"]).abs()
    minute = frame.index.hour * 60 + frame.index.minute
    rest = move / move.groupby(minute).transform("mean")
    for lag in (1, 10):
        assert rest.autocorr(lag) > 0.1
    signed = np.log(frame["close"] / frame["open"])
    assert abs(signed.autocorr(1)) < 0.05


def test_magnitudes_are_those_of_a_liquid_fund(year):
    days = year.frame.groupby(year.frame.index.date)
    total = days[["volume", "put_volume", "call_volume"]].sum().mean()
    assert 25e6 < total["volume"] < 38e6
    assert 0.5e6 < total["put_volume"] < 0.75e6
    assert 0.3e6 < total["call_volume"] < 0.5e6
    assert days["put_oi"].first().between(1e6, 6e6).all()
    returns = np.log(days["close"].last()).diff().std()
    assert 0.008 < returns < 0.02
    gaps = (days["open"].first() / days["close"].last().shift() - 1).std()
    assert 0.003 < gaps < 0.012


def test_the_same_seed_gives_the_same_market_and_another_seed_or_symbol_another():
    one = DemoSource(sessions=5)
    assert_frame_equal(simulate(one).frame, simulate(one).frame)
    for other in ({"seed": 8}, {"symbol": "SPY"}):
        changed = simulate(DemoSource(sessions=5, **other)).frame
        assert (changed["close"] != simulate(one).frame["close"]).mean() > 0.9


def test_the_generator_is_the_same_on_every_platform():
    # seed 7 of IWM: cents and whole contracts, so that the last bits of exp do not matter
    frame = simulate(DemoSource(sessions=2)).frame
    row = frame.iloc[400]
    assert row.to_dict() == EXPECTED


@pytest.mark.parametrize("bar", ["1min", "60min", "1day"])
def test_more_sessions_leave_the_earlier_ones_unchanged(bar):
    short = simulate(DemoSource(sessions=13, bar=bar))
    long = simulate(DemoSource(sessions=40, bar=bar))
    n = len(short.frame)
    assert_frame_equal(short.frame, long.frame.iloc[:n])
    assert_array_equal(short.pressure, long.pressure.iloc[:n])
    m = len(short.open_interest)
    assert_frame_equal(short.open_interest, long.open_interest.iloc[:m])
    day = short.dates[12]
    assert_frame_equal(short.strike_volumes(day), long.strike_volumes(day))


def test_without_edge_the_share_of_puts_says_nothing_about_the_next_bar():
    z = []
    for seed in range(40):
        frame = simulate(DemoSource(sessions=15, seed=seed)).frame
        move = np.log(frame["close"] / frame["open"]).to_numpy()[1:]
        move = move / np.median(np.abs(move))
        z.append(np.corrcoef(put_share(frame)[:-1], np.sign(move))[0, 1] * np.sqrt(move.size))
    # 40 standard normal draws: mean within 4/sqrt(40), spread near one
    assert abs(np.mean(z)) < 4 / np.sqrt(40)
    assert 0.6 < np.std(z) < 1.5


def test_with_edge_heavy_put_volume_is_followed_by_rising_prices():
    for seed in range(3):
        found = {}
        for edge in (-0.1, 0.0, 0.1):
            frame = simulate(DemoSource(sessions=60, seed=seed, edge=edge)).frame
            move = np.log(frame["close"] / frame["open"]).to_numpy()[1:]
            found[edge] = np.corrcoef(put_share(frame)[:-1], move)[0, 1] * np.sqrt(move.size)
        assert found[0.1] > 6
        assert found[-0.1] < -6
        assert abs(found[0.0]) < 4


def test_edge_is_the_expected_next_return_in_volatilities_per_unit_of_pressure():
    # common random numbers: the difference of two paths is the drift alone, up to rounding to cents
    base = simulate(DemoSource(sessions=60, price=1e5))
    moved = simulate(DemoSource(sessions=60, price=1e5, edge=0.02))
    for name in ("volume", "openinterest", "put_volume", "call_volume", "put_oi", "call_oi"):
        assert_array_equal(base.frame[name], moved.frame[name])
    close = [np.log(m.frame["close"].to_numpy()) for m in (base, moved)]
    drift = np.diff(close[1]) - np.diff(close[0])
    clipped = np.clip(base.pressure.to_numpy(), -3, 3)[:-1]
    sigma = drift / (0.02 * clipped)
    known = np.abs(clipped) > 0.3
    assert (sigma[known] > 0).all()
    inside = base.frame.index[1:].date == base.frame.index[:-1].date
    noise = np.diff(close[0])[known & inside] / sigma[known & inside]
    assert_allclose(noise.std(), 1.0, rtol=0.03)


def test_pressure_has_unit_variance_and_leans_the_share_of_puts(year):
    assert_allclose(year.pressure.std(), 1.0, atol=0.15)
    assert np.corrcoef(year.pressure, put_share(year.frame))[0, 1] > 0.8


def test_ar1_has_unit_variance_and_the_autocorrelation_asked_for():
    x = ar1(np.random.default_rng(1).standard_normal((50, 20_000)), 0.6)
    assert_allclose(x.var(axis=1), 1.0, atol=0.06)
    assert_allclose((x[1:] * x[:-1]).mean(axis=1), 0.6, atol=0.04)


def test_open_interest_is_known_before_the_open_and_constant_through_the_session(year):
    frame = year.frame
    days = frame.groupby(frame.index.date)
    held = days[["put_oi", "call_oi", "openinterest"]]
    assert_array_equal(held.min(), held.max())
    count, volume = held.first(), days["volume"].sum()
    change = count["openinterest"].diff().abs().iloc[1:]
    assert (change.to_numpy() <= volume.to_numpy()[:-1]).all()
    assert (change > 0).mean() > 0.9


def test_open_interest_by_strike_sums_to_the_columns(year):
    by_right = year.open_interest.pivot_table(
        values="open_interest", index="session_date", columns="right", aggfunc="sum"
    )
    days = year.frame.groupby(year.frame.index.date)[["put_oi", "call_oi"]].first()
    assert_array_equal(by_right[["P", "C"]].to_numpy(), days.to_numpy())
    assert not year.open_interest.duplicated(["session_date", "strike", "right"]).any()


def test_open_interest_of_a_strike_grows_by_no_more_than_its_volume(year):
    change = np.diff(year.ladder_open_interest, axis=0)
    assert (change <= year.ladder_volume[:-1]).all()
    total = np.stack([(b - a).sum(axis=1) for a, b in pairwise(year.ladder_open_interest)])
    opened = total + 0.04 * year.ladder_open_interest.sum(axis=2)[:-1]
    traded = year.ladder_volume.sum(axis=2)[:-1]
    assert np.corrcoef(opened.ravel(), traded.ravel())[0, 1] > 0.3


def test_volume_by_strike_sums_to_the_bars_and_to_the_ladder(year):
    day = year.dates[100]
    parts = year.strike_volumes(day.date())
    by_bar = parts.pivot_table(values="volume", index="close_time", columns="right", aggfunc="sum")
    bars = year.frame[year.frame.index.date == day.date()]
    assert_array_equal(by_bar[["P", "C"]].to_numpy(), bars[["put_volume", "call_volume"]])
    by_strike = parts.groupby(["right", "strike"])["volume"].sum()
    for side, right in enumerate("PC"):
        ladder = year.ladder_volume[100, side]
        assert_array_equal(by_strike[right].to_numpy(), ladder[ladder > 0])
    spot = bars["open"].iloc[0]
    assert abs(np.average(parts["strike"], weights=parts["volume"]) / spot - 1) < 0.02


def test_open_interest_totals_do_not_depend_on_the_path_of_the_price():
    low, high = (simulate(DemoSource(sessions=30, edge=e, bar="30min")).frame for e in (-0.3, 0.3))
    assert not np.array_equal(low["close"], high["close"])
    assert_array_equal(low[["put_oi", "call_oi"]], high[["put_oi", "call_oi"]])


def test_an_unknown_calendar_is_refused_with_a_suggestion():
    with pytest.raises(
        InputError, match=r"calendar 'XNYSE' is not known \(did you mean 'XNYS'\?\)"
    ):
        simulate(DemoSource(), "XNYSE")


def test_a_start_outside_the_calendar_is_refused_in_one_line():
    with pytest.raises(InputError, match="demo: start 2050-11-01 with 60 sessions") as caught:
        simulate(DemoSource(start=date(2050, 11, 1), sessions=60), "XKRX")
    assert "\n" not in str(caught.value)


def test_a_day_that_is_no_session_has_no_strike_volumes():
    market = simulate(DemoSource(sessions=2, bar="1day"))
    with pytest.raises(InputError, match="no session on 2024-01-06; take one of 2024-01-02 to"):
        market.strike_volumes(date(2024, 1, 6))


def test_a_price_that_runs_away_is_refused_before_it_fills_the_memory():
    wild = DemoSource(sessions=3000, bar="30min", edge=1.0, seed=4)
    with pytest.raises(InputError, match=r"strikes on 3000 sessions are too many; use a smaller"):
        simulate(wild)


@pytest.mark.parametrize(
    "wrong", [{"sessions": 0}, {"bar": "2min"}, {"edge": 2}, {"price": 0}, {"seed": -1}, {"sed": 1}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        DemoSource(**wrong)
