import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.errors import InputError
from hpi_bt.stats.deciles import decile_table, pooled_decile_table
from hpi_bt.stats.events import event_study
from hpi_bt.stats.forward import checked_bars
from hpi_bt.stats.pairs import pair_of
from hpi_bt.stats.pool import markets_of

law = settings(max_examples=40, deadline=None)


# --- tenths ---


def test_worked_example():
    # halves of 1, 2, 3, 4: returns 1 and 2 %, then 3 and -6 %; all together 0
    table = decile_table([4, 2, 1, 3, np.nan], [-0.06, 0.02, 0.01, 0.03, 0.9], groups=2)
    assert_array_equal(table.index, [1, 2])
    assert_array_equal(table[["n", "low", "high"]], [[2, 1, 2], [2, 3, 4]])
    assert_allclose(table["mean"], [0.015, -0.015])
    assert_allclose(table["median"], [0.015, -0.015])
    assert_allclose(table["hit_rate"], [1.0, 0.5])
    # left over -+.005 and -+.045: se = sqrt(2) .005/2 and sqrt(2) .045/2
    assert_allclose(table["t"], [0.015 / (0.005 / math.sqrt(2)), -0.015 / (0.045 / math.sqrt(2))])


def test_t_is_clustered_by_session_where_given():
    # two sessions of two equal bars each count as two, not as four
    y = [0.01, 0.01, 0.03, 0.03, -0.02, -0.02, -0.02, -0.02]
    apart = decile_table(range(8), y, groups=2)
    together = decile_table(range(8), y, groups=2, session=[0, 0, 1, 1, 2, 2, 3, 3])
    assert apart.loc[1, "t"] == pytest.approx(together.loc[1, "t"] * math.sqrt(2))


@law
@given(st.integers(0, 999), st.integers(2, 12), st.booleans())
def test_tenths_are_ordered_equal_values_stay_together_and_nothing_is_lost(seed, groups, coarse):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 5, 97) / 1.0 if coarse else rng.normal(size=97)
    y = rng.normal(size=97)
    table = decile_table(x, y, groups=groups)
    assert table["n"].sum() == 97
    assert (table["high"].to_numpy()[:-1] < table["low"].to_numpy()[1:]).all()
    assert_allclose((table["n"] * table["mean"]).sum(), y.sum(), atol=1e-12)
    assert_allclose((table["n"] * table["excess"]).sum(), 0.0, atol=1e-12)
    if not coarse:
        assert table["n"].max() - table["n"].min() <= 1


def test_a_rising_transformation_of_the_line_changes_only_its_bounds():
    x, y = np.random.default_rng(1).normal(size=(2, 200))
    names = ["n", "mean", "median", "hit_rate", "t"]
    assert_allclose(decile_table(x, y)[names], decile_table(np.exp(x), y)[names])


@pytest.mark.parametrize(
    ("line", "forward", "options", "message"),
    [
        ([1.0, 2.0], [1.0], {}, "line: shapes"),
        ([1.0, 2.0], [1.0, 2.0], {"session": [1]}, "line: shapes"),
        ([1.0, 2.0], [1.0, 2.0], {"groups": 1}, "groups: 1 for 2 bars"),
        ([1.0, np.nan], [1.0, 2.0], {"groups": 2}, "groups: 2 for 1 bars"),
    ],
)
def test_tables_that_cannot_be_made_are_refused(line, forward, options, message):
    with pytest.raises(InputError, match=message):
        decile_table(line, forward, **options)


def drawn():
    rng = np.random.default_rng(4)
    line = rng.normal(size=360)
    close = 100 * np.exp(np.cumsum(0.01 * rng.normal(size=360)))
    return line, np.append(100.0, close[:-1]), close


@pytest.mark.parametrize("horizon", [3, "close"])
def test_excess_and_t_of_a_tenth_are_those_of_the_signal_that_it_makes(horizon):
    line, opens, close = drawn()
    session, minutes = np.arange(360) // 12, np.tile(15.0 * np.arange(1, 13), 30)
    checked = checked_bars(opens, close, session, minutes_open=minutes)
    (market,) = markets_of([checked], 30.0)
    row = pooled_decile_table([pair_of(line, market, horizon)]).loc[9]
    inside = (line >= row["low"]) & (line <= row["high"])
    signal = (inside & np.isfinite(checked.forward(horizon))).astype(float)
    want = event_study(
        opens, close, signal, session, minutes_open=minutes, horizons=(horizon,), permutations=99
    ).loc[(1, horizon)]
    assert row["n"] == want["n"]
    assert_allclose(
        row[["mean", "excess", "t"]].astype(float), want[["mean", "effect", "t"]].astype(float)
    )


@pytest.mark.parametrize("horizon", [1, 5])
def test_a_tenth_of_daily_bars_is_measured_against_bars_far_away(horizon):
    line, opens, close = drawn()
    checked = checked_bars(opens, close, np.arange(360))
    (market,) = markets_of([checked], 30.0)
    row = pooled_decile_table([pair_of(line, market, horizon)]).loc[9]
    known = 360 - horizon  # bars with a forward return; far is a quarter of them
    inside = ((line >= row["low"]) & (line <= row["high"]))[:known].astype(float)
    move = close / opens - 1.0
    move -= move.mean()
    total = 0.0
    for t in range(known):
        far = [inside[u] for u in range(known) if abs(u - t) > known // 4]
        total += (inside[t] - np.mean(far)) * move[t + 1 : t + 1 + horizon].sum()
    # moves from close to close: but for the first bar, the mean is that of the others
    assert row["excess"] == pytest.approx(total / inside.sum(), rel=1e-2)
