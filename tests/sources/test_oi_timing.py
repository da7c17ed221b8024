"""Whether the volume says before or after which session open interest was counted."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpi_bt.errors import Severity
from hpi_bt.sources.oi_timing import (
    DOUBTFUL,
    TimingRows,
    frame_timing,
    snapshot_timing,
    timing_notes,
    timing_rows,
)
from tests.reference.oi_timing import slow_rows, speaks_against

MONDAY = date(2019, 1, 7).toordinal()
STAMPS = ("pre_open", "prior_close")


def market(stamp: str, n: int = 500, seed: int = 0, share: float = 0.9):
    """Open interest that moves by up to `share` of each session's volume, counted as `stamp`."""
    rng = np.random.default_rng(seed)
    volume = np.round(np.exp(rng.normal(8.0, 1.0, n)))
    moved = np.round(rng.uniform(-share, share, n) * volume)
    after = 500_000 + np.cumsum(moved)
    counts = after if stamp == "prior_close" else np.concatenate([[500_000.0], after[:-1]])
    return counts, volume


def frame_of(counts, volume, first="2010-01-04"):
    days = pd.bdate_range(first, periods=len(counts))
    index = pd.DatetimeIndex(days + pd.Timedelta(hours=16)).tz_localize("America/New_York")
    frame = pd.DataFrame({"openinterest": counts, "volume": volume}, index=index)
    frame.attrs["calendar"] = "XNYS"
    return frame


def doubts(notes):
    return [note for note in notes if note.code == DOUBTFUL]


@pytest.mark.parametrize("truth", STAMPS)
@pytest.mark.parametrize("seed", range(5))
def test_the_wrong_stamp_is_warned_of_and_the_right_one_is_not(truth, seed):
    frame = frame_of(*market(truth, seed=seed))
    for stamp in STAMPS:
        found = doubts(frame_timing(frame, stamp))
        assert len(found) == (stamp != truth)
        for note in found:
            assert note.severity is Severity.WARNING
            assert "2010 to 2011" in note
            assert f"{truth} fits better" in note


@pytest.mark.parametrize("truth", STAMPS)
def test_under_the_true_stamp_no_change_exceeds_its_volume(truth):
    counts, volume = market(truth)
    same, days = np.zeros(500, dtype=np.int64), MONDAY + np.arange(500)
    assert not getattr(timing_rows(counts, volume, same, days), truth).any()


ROWS = st.lists(
    st.tuples(
        st.integers(0, 2),  # contract
        st.integers(0, 12),  # session
        st.one_of(st.just(np.nan), st.integers(0, 60).map(float)),
        st.one_of(st.just(np.nan), st.integers(0, 8).map(float)),
    ),
    max_size=60,
    unique_by=lambda row: row[:2],
)


@given(ROWS, st.sampled_from([1, 200, 2000]))
def test_rows_equal_the_slow_way(rows, step):
    contract = np.array([r[0] for r in rows], dtype=np.int64)
    session = np.array([MONDAY + step * r[1] for r in rows], dtype=np.int64)
    interest, volume = (np.array([r[i] for r in rows], dtype=float) for i in (2, 3))
    found = timing_rows(interest, volume, contract, session)
    slow = slow_rows(interest.tolist(), volume.tolist(), contract.tolist(), session.tolist())
    assert list(zip(*(column.tolist() for column in found), strict=True)) == slow


def rows_of(by_year: dict[int, tuple[int, int, int]]) -> TimingRows:
    """So many changes a year that break pre_open alone, prior_close alone, and neither."""
    year, pre, post = [], [], []
    for y, (a, b, none) in by_year.items():
        year += [y] * (a + b + none)
        pre += [True] * a + [False] * (b + none)
        post += [False] * a + [True] * b + [False] * none
    return TimingRows(np.array(year), np.array(pre, dtype=bool), np.array(post, dtype=bool))


@given(st.integers(0, 60), st.integers(0, 40))
def test_one_year_is_judged_as_by_throwing_a_coin(chosen, other):
    rows = rows_of({2020: (chosen, other, 5)})
    assert bool(doubts(timing_notes(rows, "pre_open", "x"))) == speaks_against(chosen, other)
    mirrored = rows_of({2020: (other, chosen, 5)})
    assert bool(doubts(timing_notes(mirrored, "prior_close", "x"))) == speaks_against(chosen, other)


def test_the_years_that_speak_against_the_stamp_are_named():
    early = dict.fromkeys(range(1962, 1970), (3, 0, 200))  # 24 in the decade
    later = dict.fromkeys(range(1970, 1990), (2, 3, 200))
    (note,) = doubts(timing_notes(rows_of(early | later), "pre_open", "set the stamp"))
    assert "in 1962 to 1969, 24 exceed" in note
    assert "in all years 64 and 60" in note
    assert not doubts(timing_notes(rows_of(early | later), "prior_close", "set the stamp"))


def test_a_year_alone_is_named_where_its_decade_does_not_decide():
    years = {2011: (14, 0, 200), 2013: (0, 14, 200), 2016: (1, 2, 200)}
    (note,) = doubts(timing_notes(rows_of(years), "pre_open", "set the stamp"))
    assert "in 2011, 14 exceed" in note
    (note,) = doubts(timing_notes(rows_of(years), "prior_close", "set the stamp"))
    assert "in 2013, 14 exceed" in note


def test_rows_spread_over_decades_count_together():
    years = dict.fromkeys((1979, 1989, 1999, 2009, 2019, 2029), (2, 0, 50))
    (note,) = doubts(timing_notes(rows_of(years), "pre_open", "set the stamp"))
    assert "in 1979 to 2029, 12 exceed" in note


def test_counts_are_given_by_decade():
    years = {1999: (4, 1, 10), 2000: (5, 6, 10), 2009: (1, 0, 1)}
    (note,) = timing_notes(rows_of(years), "pre_open", "x")
    assert note.severity is Severity.INFO
    assert "10 / 7 of 38 (1990s 4 / 1, 2000s 6 / 6)" in note
    assert "too few" not in note


def test_fewer_than_ten_rows_cannot_tell():
    (note,) = timing_notes(rows_of({2020: (9, 0, 300)}), "pre_open", "x")
    assert note.severity is Severity.INFO
    assert "9 / 0 of 309; too few to tell" in note


def test_without_changes_there_is_nothing_to_say():
    assert timing_notes(rows_of({}), "pre_open", "x") == []
    frame = frame_of(*market("pre_open"))
    assert frame_timing(frame.drop(columns="volume"), "pre_open") == []
    assert frame_timing(frame.rename(columns={"openinterest": "put_oi"}), "pre_open") == []
    assert frame_timing(frame.iloc[:1], "pre_open") == []


def test_rolls_are_left_out():
    counts, volume = market("prior_close", n=300)
    counts[::2] *= 3.0  # every change is a roll
    (few,) = [timing_rows(counts, volume, np.zeros(300, int), MONDAY + np.arange(300))]
    assert not len(few.year)


def test_rows_of_intraday_bars_are_their_sessions():
    counts, volume = market("prior_close", n=120)
    daily = frame_of(counts, volume)
    hours = daily.loc[np.repeat(daily.index, 4)]
    shift = pd.to_timedelta(np.tile([3, 2, 1, 0], 120), unit="h")
    hours.index = pd.DatetimeIndex(hours.index - shift)
    hours["volume"] /= 4
    hours.attrs = daily.attrs
    assert frame_timing(hours, "pre_open") == frame_timing(daily, "pre_open")


@pytest.mark.parametrize("stamp", STAMPS)
def test_without_information_there_are_no_more_warnings_than_by_chance(stamp):
    """Changes independent of volume, which is clustered and falls towards each expiry."""
    rng = np.random.default_rng(7)
    alarms = 0
    for _ in range(300):
        n = 1500
        noise, level = rng.normal(size=n), np.zeros(n)
        for t in range(1, n):
            level[t] = 0.9 * level[t - 1] + 0.4 * noise[t]
        saw = 1.5 * (np.arange(n) % 60 < 45) - 0.05 * (np.arange(n) % 60 >= 45)
        volume = np.exp(6.0 + level + saw)
        counts = 1e6 + np.cumsum(np.exp(rng.normal(5.5, 1.0, n)) * rng.choice([-1, 1], n))
        alarms += bool(doubts(frame_timing(frame_of(counts, volume), stamp)))
    assert alarms <= 3


def snapshots(truth: str, *, ends=390, seed=0, sessions=12, contracts=80):
    """Three snapshots a session of some contracts, the last `ends` minutes after the open."""
    rng = np.random.default_rng(seed)
    days = [d.toordinal() for d in pd.bdate_range("2024-03-04", periods=sessions)]
    parts = []
    for contract in range(contracts):
        counts, volume = market(truth, sessions, seed=int(rng.integers(1 << 30)))
        for k, day in enumerate(days):
            open_ = pd.Timestamp.fromordinal(day).tz_localize("America/New_York")
            for share, minute in ((0.1, 5), (0.6, min(200, ends - 1)), (1.0, ends)):
                at = open_ + pd.Timedelta(minutes=570 + minute)
                parts.append((at.as_unit("ns").value, day, contract, counts[k], share * volume[k]))
    columns = list(zip(*parts, strict=True))
    return [np.array(c) for c in columns]


@pytest.mark.parametrize("truth", STAMPS)
def test_chains_are_tested_contract_by_contract(truth):
    notes = snapshot_timing(*snapshots(truth), "XNYS")
    assert len(doubts(notes)) == (truth == "prior_close")
    assert "known_at: next_session_open" in "".join(doubts(notes)) or truth == "pre_open"


def test_sessions_without_their_last_half_hour_are_no_evidence():
    assert snapshot_timing(*snapshots("prior_close", ends=300), "XNYS") == []
    assert snapshot_timing(*snapshots("prior_close", ends=365), "XNYS")


def test_no_snapshot_says_nothing():
    empty = np.empty(0, dtype=np.int64)
    assert (
        snapshot_timing(empty, empty, empty, empty.astype(float), empty.astype(float), "XNYS") == []
    )
