import math
from datetime import date

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from small_studies import market, sprinkled, study

from hpi_bt.errors import InputError
from hpi_bt.stats.events import COLUMNS, EventInput, event_study, pooled_event_study
from hpi_bt.stats.forward import checked_bars
from hpi_bt.stats.permutation import permutations_of
from hpi_bt.stats.studentised import ratio_half, studentised_difference
from reference import event_study as slow

few = settings(max_examples=12, deadline=None)

OPENS = np.full(8, 100.0)
CLOSES = np.array([100.0, 101, 102, 103, 100, 99, 102, 100])
TWO_SESSIONS = np.repeat([1, 2], 4)


# --- what each number is ---


def test_worked_example():
    # one bar ahead: .01 .02 .03 nan | -.01 .02 .00 nan, on average .07/6
    # +1 on the .03, on the .02 and where nothing is left: excess .11/6 and .05/6, effect .08/6;
    # left over -+.03/6 in two sessions: se = .03/6/sqrt(2)
    signal = [0, 0, 1, 1, 0, 1, np.nan, 0]
    table = event_study(OPENS, CLOSES, signal, TWO_SESSIONS, horizons=(1, "close"))
    assert list(table.columns) == list(COLUMNS)
    row = table.loc[(1, 1)]
    assert (row["n"], row["hit_rate"]) == (2, 1.0)
    assert row["mean"] == row["median"] == pytest.approx(0.025)
    assert row["effect"] == pytest.approx(0.08 / 6)
    assert row["t"] == pytest.approx(8 / 3 * math.sqrt(2))
    assert row["note"] == "2 sessions with events, 8 needed"
    assert row[["low", "high", "p_value", "q_value", "detectable"]].isna().all()
    # to the close: .03 .03 .03 nan | 0 0 0 nan, on average .015
    row = table.loc[(1, "close")]
    assert (row["n"], row["hit_rate"]) == (2, 0.5)
    assert row["effect"] == pytest.approx(0.0, abs=1e-15)


def test_a_kind_without_events_says_so_and_nothing_else():
    signal = [0, 0, 0, 1, 0, 0, 0, 1]
    table = event_study(OPENS, CLOSES, signal, TWO_SESSIONS, horizons=(2,))
    assert (table["n"] == 0).all()
    assert table.loc[(1, 2), "note"] == (
        "2 events, none with 2 bars of known prices left in the session"
    )
    assert table.loc[(-1, 2), "note"] == "no -1 in the signal"
    assert table.drop(columns=["n", "note"]).isna().all(axis=None)


def test_daily_bars_leave_the_data_only_and_form_blocks_of_21():
    rng = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 400)))
    signal = sprinkled(1, 400, 0.3)
    bars = checked_bars(close, close, np.arange(400))
    assert_allclose(bars.forward(3)[:-3], close[3:] / close[1:-2] - 1)
    assert np.isnan(bars.forward(3)[-3:]).all()
    table = event_study(close, close, signal, np.arange(400), horizons=(2,), permutations=99)
    assert table["p_value"].notna().all()
    short = event_study(close[:100], close[:100], signal[:100], np.arange(100), horizons=(2,))
    assert (short["note"] == "5 blocks of 21 bars with events, 8 needed").all()


@few
@given(st.integers(0, 10_000), st.booleans())
def test_every_number_equals_that_of_the_plain_loops(seed, daily):
    rng = np.random.default_rng(seed)
    lengths = [1] * 190 if daily else [*rng.permutation([9] * 12 + [5, 7]).tolist()]
    session = np.repeat(np.arange(len(lengths)) * 3 + 5, lengths)
    minutes = np.concatenate([10.0 * np.arange(1, k + 1) for k in lengths])
    n = session.size
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, n)))
    opens = close * np.exp(rng.normal(0, 0.002, n))
    signal = sprinkled(seed, n, 0.5)
    horizon = int(rng.integers(1, 4)) if daily else [1, 3, "close"][rng.integers(3)]
    got = event_study(
        opens, close, signal, session, minutes_open=minutes, horizons=(horizon,), permutations=99
    )
    bars = [
        dict(open=o, close=c, signal=s, session=d, minutes=m)
        for o, c, s, d, m in zip(opens, close, signal, session, minutes, strict=True)
    ]
    clusters = math.ceil(190 / 21) if daily else len(lengths)
    orders = permutations_of(np.zeros(clusters, dtype=int), 99, 0)[1:].tolist()
    tests = int(got["p_value"].notna().sum())
    for side in (1, -1):
        want = slow.cell(bars, side, horizon, orders, bar_minutes=10.0)
        row = got.loc[(side, horizon)]
        for name in ("n", "mean", "median", "hit_rate", "effect", "t"):
            assert row[name] == pytest.approx(want[name], rel=1e-9, abs=1e-14), name
        if want["some"] < 8:
            assert "8 needed" in row["note"]
            continue
        assert row["p_value"] == want["p"]
        sums, counts = np.array(want["sums"]), np.array(want["counts"])
        half = ratio_half(sums, counts, draws=999, seed=0)
        ends = [want["effect"] - half, want["effect"] + half]
        assert_allclose(row[["low", "high"]].astype(float), ends)
        # found alone among so many tests, in four samples of five
        edge, far, more = scipy.stats.t.ppf([0.975, 1 - 0.025 / tests, 0.8], want["some"] - 1)
        assert row["detectable"] == pytest.approx(want["span"] * (far + more) / edge)


@few
@given(st.integers(0, 10_000), st.floats(0.1, 10.0))
def test_the_interval_of_sums_over_counts_is_that_of_a_mean_where_counts_are_equal(seed, scale):
    sums = np.random.default_rng(seed).normal(0.3, 1.0, 40)

    def mean(index):
        drawn = sums[index]
        return drawn.mean(axis=1), drawn - drawn.mean(axis=1)[:, None]

    plain = studentised_difference(40, mean, draws=199, seed=seed, whole=True)
    half = ratio_half(sums, np.full(40, 3.0), draws=199, seed=seed)
    assert half == pytest.approx((plain.high - plain.low) / 2 / 3.0)
    scaled = ratio_half(scale * sums, np.full(40, 3.0), draws=199, seed=seed)
    assert scaled == pytest.approx(scale * half)


@few
@given(st.integers(0, 10_000))
def test_turning_the_signal_round_turns_the_effect_and_keeps_its_evidence(seed):
    frame, session = market(seed % 20)
    signal = sprinkled(seed, len(frame))
    a, b = study(frame, session, signal), study(frame, session, -signal)
    b = b.rename(index={1: -1, -1: 1}, level=0).sort_index(ascending=[False, True])
    flipped = ["mean", "median", "effect", "t"]
    assert_allclose(a[flipped], -b[flipped])
    same = ["n", "p_value", "detectable"]
    assert_allclose(a[same], b[same])
    assert_allclose(a["low"], -b["high"])


def test_the_sign_counts_not_the_size_and_nan_is_none():
    frame, session = market(3)
    signal = sprinkled(3, len(frame))
    other = np.where(signal == 0.0, np.nan, signal * 0.3)
    pd.testing.assert_frame_equal(study(frame, session, signal), study(frame, session, other))


def test_stamps_and_minutes_from_the_open_agree():
    frame, session = market(5)
    first = pd.Series(frame.index).groupby(session).transform("first")
    minutes = (frame.index - pd.DatetimeIndex(first)) / pd.Timedelta(minutes=1) + 15.0
    signal = sprinkled(5, len(frame), 0.3)
    by_clock = study(frame, session, signal)
    by_calendar = study(frame, session, signal, stamps=None, minutes_open=minutes)
    pd.testing.assert_frame_equal(by_clock, by_calendar)
    blind = study(frame, session, signal, stamps=None)
    assert (blind["n"] == by_clock["n"]).all()
    assert not np.allclose(blind["effect"], by_clock["effect"], rtol=1e-6)


def test_the_clock_keeps_its_buckets_past_midnight_and_over_a_change_of_clocks():
    days = pd.date_range("2024-03-08 18:00", periods=4, freq="D")
    local = pd.DatetimeIndex([d + pd.Timedelta(hours=h) for d in days for h in range(1, 12)])
    stamps = local[local != "2024-03-10 02:00"].tz_localize("America/New_York")
    session = np.searchsorted(days, stamps.tz_localize(None), side="right")
    bars = checked_bars(np.ones(stamps.size), np.ones(stamps.size), session, stamps=stamps)
    clock = (stamps.tz_localize(None).hour - 18) % 24
    assert_array_equal(bars.buckets(60), clock - 1)
    assert_array_equal(bars.slots, clock - 1)


def test_two_bars_of_one_minute_keep_a_slot_each():
    minutes = np.array([1.0, 1.5, 2.0, 3.0, 1.0, 2.0, 3.0, 4.0])
    bars = checked_bars(OPENS, CLOSES, TWO_SESSIONS, minutes_open=minutes)
    for session in (1, 2):
        slots = bars.slots[session == TWO_SESSIONS]
        assert np.unique(slots).size == slots.size


def test_unknown_prices_and_prices_of_zero_or_less_give_no_return():
    opens, closes = OPENS.copy(), CLOSES.copy()
    opens[2], closes[5] = np.nan, -37.63
    bars = checked_bars(opens, closes, TWO_SESSIONS)
    assert_array_equal(np.isnan(bars.forward(1)), [0, 1, 0, 1, 1, 0, 0, 1])


# --- several symbols ---


def test_a_symbol_pooled_with_its_copy_is_no_more_certain_than_alone():
    frame, session = market(8)
    signal = sprinkled(8, len(frame))
    one = EventInput(frame["open"], frame["close"], signal, session, frame.index)
    alone = study(frame, session, signal)
    pooled = pooled_event_study([one, one], horizons=(1, 4), permutations=99)
    assert_array_equal(pooled["n"], 2 * alone["n"])
    same = ["mean", "median", "hit_rate", "effect", "t", "p_value", "detectable", "low", "high"]
    assert_allclose(pooled[same], alone[same])


def test_pooled_symbols_move_together_and_each_has_its_own_baseline():
    frames = [market(seed)[0] for seed in (1, 2)]
    session = market(1)[1]
    signals = [sprinkled(seed, session.size, 0.2) for seed in (1, 2)]
    later = session >= 6  # the second symbol starts later
    inputs = [
        EventInput(frames[0]["open"], frames[0]["close"], signals[0], session),
        EventInput(
            frames[1]["open"][later], frames[1]["close"][later], signals[1][later], session[later]
        ),
    ]
    got = pooled_event_study(inputs, horizons=(2,), permutations=99).loc[(1, 2)]
    strata = (np.arange(session[-1] + 1) >= 6).astype(int)
    pairs, shares = {row: [] for row in range(100)}, dict.fromkeys(range(session[-1] + 1), 0.0)
    for one in inputs:
        bars = [
            dict(open=o, close=c, signal=s, session=d, minutes=None)
            for o, c, s, d in zip(one.open, one.close, one.signal, one.session, strict=True)
        ]
        _, values = slow.abnormal(bars, 2, 15.0, 30.0)
        shift = int(one.session[0])
        own_shares = slow.baseline_shares(bars, values, [0] * len(bars), 1)
        for k, share in own_shares.items():
            shares[shift + k] += share
        for row, order in enumerate(permutations_of(strata, 99, 0)):
            own = (order[shift:] - shift).tolist()
            after = slow.events_after(bars, values, 1, own)
            pairs[row] += [(d + shift, v, w) for d, v, w in after]
    effect, error = slow.clustered(pairs[0])
    assert got["effect"] == pytest.approx(effect)
    assert got["t"] == pytest.approx(effect / error)
    t = [slow.whole_t(pairs[row], len(pairs[0]), shares) for row in range(100)]
    assert got["p_value"] == sum(abs(x) >= abs(t[0]) for x in t) / 100


# --- refusals and remarks ---


def test_the_same_pattern_in_every_session_says_that_permuting_changes_nothing():
    frame, session = market(2, start=date(2024, 1, 2))
    first = np.append(1.0, np.diff(session))
    row = study(frame, session, first).loc[(1, 1)]
    assert row["note"] == ("the same pattern in every session: permuting them changes nothing")
    assert row[["low", "high", "p_value", "detectable"]].isna().all()


def test_events_that_most_sessions_have_no_bar_for_cannot_be_judged():
    # 10 long sessions of 200 have events, all after the time at which the others end
    rng = np.random.default_rng(1)
    lengths = np.where(np.arange(200) < 10, 9, 4)
    session = np.repeat(np.arange(200), lengths)
    place = np.concatenate([np.arange(k) for k in lengths])
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, session.size)))
    opens = np.append(100.0, close[:-1])
    late = (place == 6) & (session < 10)
    row = event_study(opens, close, late, session, horizons=(1,), permutations=99).loc[(1, 1)]
    assert row["note"] == ("most sessions have no bar for its events: permuting them says nothing")
    assert row[["low", "high", "p_value", "detectable"]].isna().all()


def test_a_market_that_rises_evenly_has_no_spread():
    n = 20 * 6
    close = 100 * np.exp(1e-3 * np.arange(n))
    session = np.repeat(np.arange(20), 6)
    table = event_study(close, close, sprinkled(1, n, 0.5), session, horizons=(1, 3))
    assert (table["note"] == "no spread between sessions: t is undefined").all()
    assert table["p_value"].isna().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"horizons": (4,)}, "horizons: 4 bars, but the longest session has 4; give at most 3"),
        ({"horizons": ()}, "at least one, each once"),
        ({"horizons": (1, 1)}, "at least one, each once"),
        ({"horizons": (0,)}, "horizons: 0; give whole bars"),
        ({"horizons": (1.5,)}, "horizons: 1.5; give whole bars"),
        ({"horizons": ("noon",)}, "horizons: 'noon': no such horizon"),
        ({"session": np.arange(8), "horizons": ("close",)}, "'close' needs intraday bars"),
        ({"session": np.arange(8), "horizons": (8,)}, "8 bars, but the data has 8"),
        ({"session": TWO_SESSIONS[::-1]}, "session: ids must be whole and never fall"),
        ({"session": [np.nan] * 8}, "session: ids must be whole"),
        ({"close": CLOSES[:3]}, "bars: shapes"),
        ({"open": [], "close": [], "session": []}, "at least one bar"),
        ({"signal": [1.0]}, r"signal: shape \(1,\) for 8 bars"),
        ({"time_bucket": 0}, "time_bucket: 0; give minutes above 0"),
        ({"permutations": 98}, "permutations: 98; give at least 99"),
        ({"minutes_open": [1.0]}, "minutes_open: shape"),
        ({"minutes_open": np.full(8, 1.0)}, "minutes_open: bar 1 is not later"),
        ({"stamps": pd.date_range("2024-01-02 10:00", periods=8)}, "stamps: no time zone"),
        ({"stamps": pd.date_range("2024-01-02", periods=7, tz="UTC")}, "stamps: 7 for 8 bars"),
    ],
)
def test_what_cannot_be_studied_is_refused_in_one_line(change, message):
    inputs = {"open": OPENS, "close": CLOSES, "signal": np.ones(8), "session": TWO_SESSIONS}
    inputs |= {"horizons": (1,)} | change
    series = [inputs.pop(name) for name in ("open", "close", "signal", "session")]
    with pytest.raises(InputError, match=message) as refusal:
        event_study(*series, **inputs)
    assert "\n" not in str(refusal.value)


def test_no_symbol_and_daily_with_intraday_bars_are_refused():
    with pytest.raises(InputError, match="inputs: none"):
        pooled_event_study([])
    intraday = EventInput(OPENS, CLOSES, np.ones(8), TWO_SESSIONS)
    with pytest.raises(InputError, match="daily and intraday bars together"):
        pooled_event_study([intraday, intraday._replace(session=np.arange(8))], horizons=(1,))


def test_a_study_repeats_with_its_seed_and_changes_no_input():
    frame, session = market(4)
    signal = sprinkled(4, len(frame))
    before = [frame.copy(), session.copy(), signal.copy()]
    one, again, other = (study(frame, session, signal, seed=s) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(one, again)
    assert not one["p_value"].equals(other["p_value"])
    pd.testing.assert_frame_equal(frame, before[0])
    assert_array_equal(session, before[1])
    assert_array_equal(signal, before[2])


@pytest.mark.parametrize("daily", [True, False])
def test_a_signal_that_is_always_on_has_nothing_to_compare_with(daily):
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 400)))
    session = np.arange(400) // (1 if daily else 10)
    opens = np.append(100.0, close[:-1])
    table = event_study(opens, close, np.ones(400), session, horizons=(1, 5), permutations=99)
    up = table.loc[1]
    assert up["p_value"].isna().all()
    assert (
        up["note"] == "it is on at every bar of its times of day: nothing to compare with"
    ).all()
