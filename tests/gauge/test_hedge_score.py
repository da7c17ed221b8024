from __future__ import annotations

import itertools
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hpi_bt.errors import InputError
from hpi_bt.gauge import gauge_points, hedge_score
from hpi_bt.gauge.bands import bands_of, whole_points
from tests.reference import gauge as reference

law = settings(max_examples=40, deadline=None)
NAN = np.nan


def days(n):
    return pd.bdate_range("2020-01-01", periods=n, name="date")


def frame(columns):
    n = len(next(iter(columns.values())))
    return pd.DataFrame(columns, index=days(n), dtype=np.float64)


@st.composite
def markets(draw, least=2, most=40):
    """Components on a coarse grid (ties, constants) with gaps, a price with jumps and gaps."""
    n = draw(st.integers(least, most))
    value = st.one_of(st.integers(-4, 4).map(float), st.just(NAN))
    made = {c: draw(st.lists(value, min_size=n, max_size=n)) for c in ("a", "b", "c")}
    moves = draw(st.lists(st.sampled_from([-0.06, -0.02, 0.0, 0.03]), min_size=n, max_size=n))
    price = 100.0 * np.cumprod(1.0 + np.array(moves))
    price[draw(st.lists(st.integers(0, n - 1), max_size=2))] = NAN
    frame_ = frame(made)
    frame_.loc[frame_.index[:3], "a"] = [1.0, 2.0, 3.0][: len(frame_)]  # some history there is
    return frame_, pd.Series(price, index=frame_.index)


options = st.fixed_dictionaries(
    {
        "min_history": st.integers(2, 2),
        "window": st.one_of(st.none(), st.integers(2, 6)),
        "fires_at": st.sampled_from([30.0, 57.0, 100.0]),
        "horizon": st.integers(1, 5),
        "weighting": st.sampled_from(["reliability", "accuracy", "equal"]),
        "floor": st.sampled_from([0.05, 0.6]),
        "smoothing": st.sampled_from([0.3, 1.0]),
    }
)


def test_worked_example():
    # scores: a 2nd value at the top, then the middle, then the bottom of [0, 4]
    components = frame({"a": [0.0, 4.0, 2.0, 0.0], "b": [NAN, 1.0, 3.0, NAN]})
    spy = pd.Series([100.0, 90.0, 95.0, 95.0], index=components.index)
    got = hedge_score(components, spy, min_history=2, horizon=1, smoothing=0.5)
    assert_array_equal(got.component_scores["a"], [NAN, 100.0, 50.0, 0.0])
    assert_array_equal(got.component_scores["b"], [NAN, NAN, 100.0, NAN])
    # day 0 fell 10 % but had no score; day 1 fired and rose: false, (1/2 + 1/3)/2 from day 2 on;
    # day 2 was quiet at 50 and nothing happened: (1/2 + 2/4)/2
    assert got.reliability["a"].tolist() == pytest.approx([1 / 2, 1 / 2, 5 / 12, 1 / 2])
    # b fired on day 2 in vain
    assert got.reliability["b"].tolist() == pytest.approx([1 / 2, 1 / 2, 1 / 2, 5 / 12])
    mixed = (50 * 5 / 12 + 100 / 2) / (5 / 12 + 1 / 2)
    assert got.raw.tolist() == pytest.approx([NAN, 100.0, mixed, 0.0], nan_ok=True)
    first = (100 + mixed) / 2
    assert got.smoothed.tolist() == pytest.approx([NAN, 100.0, first, first / 2], nan_ok=True)
    assert_array_equal(got.score, [NAN, 100.0, 89.0, 44.0])  # of 77.27: 88.64, 44.32
    assert got.band.tolist()[1:] == ["high", "high", "moderate"]
    assert got.shares.loc[got.score.index[2]].tolist() == pytest.approx([5 / 11, 6 / 11])
    assert got.shares.loc[got.score.index[3]].tolist() == [1.0, 0.0]


def test_halves_round_away_from_zero_and_a_hair_less_does_not():
    x = np.array([0.5, 1.5, 2.5, 0.49999999999999994, 56.5, 99.5, 100.2, -3.0, NAN])
    assert_array_equal(whole_points(x), [1, 2, 3, 0, 57, 100, 100, 0, NAN])


def test_bands_begin_where_the_specification_says():
    score = pd.Series([0.0, 32, 33, 56, 57, 69, 70, 100, NAN])
    found = bands_of(score)
    names = ["low", "low", "moderate", "moderate", "elevated", "elevated", "high", "high"]
    assert found.tolist()[:8] == names
    assert found.isna().tolist() == [False] * 8 + [True]
    assert found.cat.ordered


def test_a_day_without_components_holds_the_smoothed_score():
    components = frame({"a": [0.0, 4.0, NAN, 0.0]})
    got = hedge_score(components, pd.Series(1.0, index=components.index), min_history=2)
    assert np.isnan(got.raw.iloc[2])
    assert got.smoothed.tolist()[1:] == [100.0, 100.0, pytest.approx(70.0)]
    assert got.score.tolist()[1:3] == [100.0, 100.0]
    assert got.shares.iloc[2].isna().all()


def test_components_without_any_score_are_named_with_the_reason():
    columns = {"a": [0.0, 4.0, 2.0], "b": [7.0] * 3, "c": [NAN, NAN, 1.0], "d": [NAN] * 3}
    components = frame(columns)
    got = hedge_score(components, components["a"] + 1.0, min_history=2)
    assert got.unscored == {"b": "constant", "c": "too short", "d": "no value"}
    assert hedge_score(components[["a"]], components["a"] + 1.0, min_history=2).unscored == {}


def test_an_infinite_value_is_a_missing_one():
    with_gap = frame({"a": [0.0, 4.0, NAN, 1.0]})
    spy = pd.Series(1.0, index=with_gap.index)
    blown = with_gap.fillna(np.inf)
    pd.testing.assert_series_equal(
        hedge_score(blown, spy, min_history=2).smoothed,
        hedge_score(with_gap, spy, min_history=2).smoothed,
    )


@law
@given(markets(), options)
def test_it_equals_the_slow_version(market, chosen):
    components, spy = market
    got = hedge_score(components, spy, **chosen)
    want = reference.gauge(components, spy, **chosen)
    assert_same(got, want)


def assert_same(got, want):
    """Scores to 1e-9 of a point; whole points may differ where the slow one lies on a half."""
    for name in ("raw", "smoothed"):
        np.testing.assert_allclose(getattr(got, name), want[name], rtol=0, atol=1e-9)
    for name in got.component_scores:
        for part in ("score", "weight", "reliability"):
            field = {"score": "component_scores", "weight": "weights"}.get(part, part)
            np.testing.assert_allclose(
                getattr(got, field)[name], want[f"{part}_{name}"], rtol=0, atol=1e-12
            )
    sure = ~((want["smoothed"] % 1.0 - 0.5).abs() < 1e-9)
    assert_array_equal(got.score[sure], want["score"][sure])
    bands = [b.astype(object).fillna("none")[sure].tolist() for b in (got.band, want["band"])]
    assert bands[0] == bands[1]


@law
@given(markets(least=6), options, st.integers(3, 39))
def test_truncation_changes_no_earlier_score(market, chosen, at):
    components, spy = market
    at = min(at, len(spy))
    whole = hedge_score(components, spy, **chosen)
    cut = hedge_score(components.iloc[:at], spy.iloc[:at], **chosen)
    for a, b in zip(whole[:-1], cut[:-1], strict=True):
        assert a.iloc[:at].equals(b)


@law
@given(markets(least=6), options, st.lists(st.integers(1, 39), max_size=4))
def test_the_kernel_in_chunks_gives_the_same_bits(market, chosen, cuts):
    values, close = market[0].to_numpy(), market[1].to_numpy()
    whole = gauge_points(values, close, **chosen)
    state: dict = {}
    edges = sorted({0, *(c for c in cuts if c < len(close)), len(close)})
    pieces = [
        gauge_points(values[a:b], close[a:b], **chosen, state=state)
        for a, b in itertools.pairwise(edges)
    ]
    for i, want in enumerate(whole):
        assert_array_equal(np.concatenate([p[i] for p in pieces]), want)


@law
@given(markets(least=8), st.integers(1, 5), st.integers(1, 7))
def test_weights_use_only_outcomes_that_are_complete(market, horizon, at):
    """A change of all closes after t changes no weight up to t."""
    components, spy = market
    later = spy.copy()
    later.iloc[at + 1 :] = 1.0
    a = hedge_score(components, spy, min_history=2, horizon=horizon)
    b = hedge_score(components, later, min_history=2, horizon=horizon)
    assert a.weights.iloc[: at + 1].equals(b.weights.iloc[: at + 1])


def test_an_outcome_enters_on_the_very_day_it_is_complete():
    components = frame({"a": [0.0, 1.0, *[0.5] * 8]})
    spy = pd.Series([100.0, 100.0, *[100.0] * 2, *[90.0] * 6], index=components.index)
    got = hedge_score(components, spy, min_history=2, horizon=3)
    # day 1 fires and day 4 is 10 % lower: a hit known on day 4, and not before
    assert got.reliability["a"].tolist()[:5] == pytest.approx([0.5, 0.5, 0.5, 0.5, 7 / 12])


@pytest.mark.parametrize(
    ("options_", "message"),
    [
        ({"min_history": 1}, "min_history: 1; give a whole number of at least 2"),
        ({"window": 1.5}, "window: 1.5; give a whole number"),
        ({"horizon": 0}, "horizon: 0; give"),
        ({"fires_at": 101}, "fires_at: 101; give a score from 0 to 100"),
        ({"event_drawdown": 5}, "event_drawdown: 5; give a share such as 0.05"),
        ({"weighting": "equals"}, "weighting: 'equals' is none .did you mean 'equal'"),
        ({"floor": 0.0}, "floor: 0.0; give a weight above 0"),
        ({"smoothing": 0.0}, "smoothing: 0.0; give a share"),
    ],
)
def test_an_option_out_of_range_is_refused(options_, message):
    components = frame({"a": [0.0, 4.0, 2.0]})
    with pytest.raises(InputError, match=message):
        hedge_score(components, components["a"] + 1.0, **{"min_history": 2, **options_})


def test_what_is_no_gauge_input_is_refused():
    components = frame({"a": [0.0, 4.0, 2.0]})
    spy = components["a"] + 1.0
    for bad, price, message in [
        (components[[]], spy, "components: columns .*give at least one"),
        (components.iloc[:2], spy, "2 rows that are not the 3 of spy; reindex"),
        (components[::-1], spy[::-1], "not oldest first"),
        (components.astype(object).replace(4.0, "x"), spy, "wanted numbers"),
        (components, spy - 1.0, "spy: 0 on 2020-01-01.*wanted prices above 0"),
        (components * NAN, spy, "no value in any of a; give at least one component"),
        (components, spy, "3 values of 'a', the longest, but min_history 252"),
    ]:
        with pytest.raises(InputError, match=message):
            hedge_score(bad, price)


def test_components_that_never_move_are_refused():
    components = frame({"a": [7.0] * 3, "b": [NAN, NAN, 1.0]})
    with pytest.raises(
        InputError, match=r"no score on any row .a constant, b too short.; a score"
    ) as caught:
        hedge_score(components, pd.Series(1.0, components.index), min_history=2)
    assert "\n" not in str(caught.value)


def test_the_kernel_refuses_an_unknown_weighting():
    with pytest.raises(ValueError, match="weighting must be one of reliability"):
        gauge_points(np.zeros((3, 1)), np.ones(3), weighting="luck")


def test_34_years_take_less_than_50_ms():
    rng = np.random.default_rng(0)
    components = frame({c: rng.normal(size=8568).cumsum() for c in "abcdefg"})
    spy = pd.Series(np.exp(0.01 * rng.normal(size=8568).cumsum()), index=components.index)
    hedge_score(components, spy)
    took = []
    for _ in range(5):
        start = time.perf_counter()
        hedge_score(components, spy)
        took.append(time.perf_counter() - start)
    assert min(took) < 0.05
