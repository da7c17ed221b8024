from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.errors import InputError
from hpi_bt.gauge import BANDS, hedge_score
from hpi_bt.stats.gauge_quality import forward_outcomes, signal_quality
from hpi_bt.stats.gauge_warnings import drawdown_warnings, warning_outcomes

law = settings(max_examples=60, deadline=None)
NAN = np.nan


def series(values):
    index = pd.bdate_range("2020-01-01", periods=len(values), name="date")
    return pd.Series(values, index=index, dtype=np.float64)


def market(n=1500, seed=0):
    """A stress that grows with volatility, and prices that fall when it does."""
    rng = np.random.default_rng(seed)
    stress = np.abs(np.convolve(rng.normal(size=n + 20), np.ones(20) / 20, "valid")[:n])
    spy = series(100 * np.exp(np.cumsum(0.0005 + (0.004 + 0.05 * stress) * rng.normal(size=n))))
    components = pd.DataFrame({"a": series(stress), "b": series(rng.normal(size=n))})
    return hedge_score(components, spy), spy


def test_forward_outcomes_by_hand():
    got = forward_outcomes(series([100, 96, 94, 120, 113, NAN]), horizon=2)
    assert_allclose(got.forward, [-0.06, 94 / 96 - 1, 113 / 94 - 1, NAN, NAN, NAN])
    assert got.event.tolist() == [True, False, False, False, False, False]


def test_an_event_is_one_to_the_cent():
    assert forward_outcomes(series([100.0, 95.0]), horizon=1).event[0]
    assert not forward_outcomes(series([100.0, 95.01]), horizon=1).event[0]


def test_rates_agree_with_counting():
    result, spy = market()
    table = signal_quality(result, spy, draws=99)
    score, closes = result.score.to_numpy(), spy.to_numpy()
    low = np.array(
        [closes[t + 1 : t + 22].min() if t + 21 < len(closes) else NAN for t in range(1500)]
    )
    known = ~np.isnan(score) & ~np.isnan(low)
    event = low <= 0.95 * closes
    for band, edge, top in [
        ("low", 0, 33),
        ("moderate", 33, 57),
        ("elevated", 57, 70),
        ("high", 70, 999),
    ]:
        days = known & (score >= edge) & (score < top)
        row = table.loc[("gauge", band)]
        assert row["n"] == days.sum() > 0
        assert row["hit_rate"] == pytest.approx(event[days].mean())
        assert row["forward_drawdown"] == pytest.approx((low / closes - 1)[days].mean())
        if edge:
            fires = score >= edge
            found = (fires & event & known).sum() / (event & known).sum()
            left = (~fires & ~event & known).sum() / (~event & known).sum()
            assert row["balanced_accuracy"] == pytest.approx((found + left) / 2)
    assert np.isnan(table.loc[("gauge", "low"), "balanced_accuracy"])  # it always warns
    warning = table.loc[("gauge", "warning")]
    assert warning["n"] == table.loc[("gauge", ["elevated", "high"]), "n"].sum()
    assert table.loc[("gauge", "all"), "n"] == known.sum()
    assert list(table.index.levels[0]) == ["a", "b", "gauge"]


def test_intervals_hold_their_figure_and_a_seed_gives_the_same():
    result, spy = market()
    table = signal_quality(result, spy, draws=200)
    for low, middle, high in [
        ("hit_low", "hit_rate", "hit_high"),
        ("balanced_low", "balanced_accuracy", "balanced_high"),
        ("forward_low", "forward_drawdown", "forward_high"),
    ]:
        known = table.dropna(subset=[low, middle])
        assert len(known) >= 11
        assert (known[low] <= known[middle]).all()
        assert (known[middle] <= known[high]).all()
    pd.testing.assert_frame_equal(table, signal_quality(result, spy, draws=200))


def test_a_signal_without_information_has_an_interval_around_a_half():
    result, spy = market(3000, seed=5)
    row = signal_quality(result, spy).loc[("b", "warning")]
    assert row["balanced_low"] < 0.5 < row["balanced_high"]
    assert row["balanced_high"] - row["balanced_low"] < 0.2


def test_few_blocks_give_no_interval_and_say_why():
    result, spy = market(400)
    table = signal_quality(result, spy, draws=99)
    rare = table[(table["n"] > 0) & (table["blocks"] < 10)]
    assert len(rare)
    assert rare[["hit_low", "forward_low", "balanced_low"]].isna().all(axis=None)
    assert rare["note"].str.fullmatch(r"no interval: such days in \d blocks?, 10 needed").all()


@pytest.mark.parametrize("blocks", [9, 10])
def test_an_accuracy_of_few_warnings_has_no_interval(blocks):
    """300 blocks of ten days, every third with a fall; some of these with one day of warning."""
    spy = series(np.where(np.arange(3010) % 30 == 29, 90.0, 100.0))
    score = series(np.full(3010, 10.0))
    score.iloc[25 : 25 + 30 * blocks : 30] = 80.0
    result, _ = market(3010)
    flat = result._replace(score=score, component_scores=pd.DataFrame({"a": score}))
    row = signal_quality(flat, spy, horizon=10, draws=99).loc[("gauge", "warning")]
    assert row["n"] == row["blocks"] == blocks
    assert row["balanced_accuracy"] > 0.5
    assert np.isfinite(row[["hit_low", "balanced_low"]].astype(float)).all() == (blocks == 10)
    assert row["note"] == ("" if blocks == 10 else "no interval: such days in 9 blocks, 10 needed")


def test_an_accuracy_of_few_falls_has_no_interval_and_says_so():
    spy = series(np.full(3010, 100.0))
    spy.iloc[29 : 29 + 30 * 4 : 30] = 90.0
    score = series(np.where(np.arange(3010) % 10 == 5, 80.0, 10.0))
    result, _ = market(3010)
    flat = result._replace(score=score, component_scores=pd.DataFrame({"a": score}))
    row = signal_quality(flat, spy, horizon=10, draws=99).loc[("gauge", "warning")]
    assert np.isfinite(row["hit_low"])
    assert np.isnan(row["balanced_low"])
    assert row["note"].startswith("no interval: falls in ")
    assert row["note"].endswith(" blocks, 10 needed")


def test_falls_by_hand():
    #           peak        crossed      trough recovered      never again
    close = [100, 101, 98, 95.9, 97, 90, 99, 101, 102, 101, 90, 95]
    score = [10, 20, 57, 80, 90, 90, 10, 10, 10, 56, 99, 99]
    got = drawdown_warnings(series(score), series(close), lookback=2)
    days = series(close).index
    assert got["peak"].tolist() == [days[1], days[8]]
    assert got["crossed"].tolist() == [days[3], days[10]]
    assert got["trough"].tolist() == [days[5], days[10]]
    assert got["recovered"].tolist() == [days[7], pd.NaT]
    assert_allclose(got["deepest"], [90 / 101 - 1, 90 / 102 - 1])
    assert got["highest_score"].tolist() == [57, 56]
    assert got["warned_on"].tolist() == [days[2], pd.NaT]
    assert got["warned"].tolist() == [True, False]


def test_falls_before_the_gauge_began_are_left_out():
    got = drawdown_warnings(series([NAN, NAN, NAN, 5]), series([100, 90, 101, 102]))
    assert got.empty
    assert list(got) == list(drawdown_warnings(series([5, 5]), series([100, 90])))


def test_warnings_by_hand():
    score = [10, 60, 10, 70, 10, 10, 10, 58, 10, 57]
    close = [100, 100, 99, 100, 96, 94, 94, 100, 100, 100]
    got = warning_outcomes(series(score), series(close), horizon=2)
    days = series(close).index
    # 60 and 70 are two sessions apart: one warning
    assert got["start"].tolist() == [days[1], days[7]]
    assert got["end"].tolist() == [days[3], days[9]]
    assert got["days"].tolist() == [2, 2]
    assert got["highest_score"].tolist() == [70, 58]
    assert_allclose(got["deepest"], [-0.06, 0.0])
    assert got["complete"].tolist() == [True, False]
    assert got["false"].tolist() == [False, False]
    early = warning_outcomes(series([*score, 10, 10]), series([*close, 99, 98]), horizon=2)
    assert early["false"].tolist() == [False, True]
    assert warning_outcomes(series([1, 2]), series([1, 2])).empty


@law
@given(st.lists(st.sampled_from([-0.06, -0.01, 0.0, 0.02, 0.05]), min_size=2, max_size=60))
def test_falls_cover_every_day_that_deep(moves):
    """Each day 5 % under the high so far lies in exactly one fall."""
    spy = series(100 * np.cumprod(1 + np.array(moves)))
    falls = drawdown_warnings(spy * 0.0, spy, lookback=100)
    deep = spy <= 0.95 * spy.cummax() * (1 - 1e-12)
    for day in spy.index[deep]:
        over = falls["recovered"].isna() | (falls["recovered"] > day)
        # a fall that begins on the first day has no score before it
        assert ((falls["crossed"] <= day) & over).sum() == 1
    assert_array_equal(falls["peak"].sort_values(), falls["peak"])


def test_rows_that_do_not_match_are_refused():
    result, spy = market(400)
    with pytest.raises(InputError, match="spy: not the rows of the gauge"):
        signal_quality(result, spy.iloc[1:])
    with pytest.raises(InputError, match="spy: not the rows of the score"):
        drawdown_warnings(result.score, spy.iloc[1:])
    with pytest.raises(InputError, match="spy: no close on 2020-01-02"):
        warning_outcomes(series([1, 1]), series([1, NAN]))


def test_bands_are_the_gauges():
    assert [name for name, _ in BANDS] == ["low", "moderate", "elevated", "high"]
