"""The feature: each bar gets the last snapshot known at its close, and nothing later."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from chain_files import DAY, LATER, SPOT, ZONE, bars, table, write
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import parallel_config
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal
from pydantic import ValidationError

from hpi_bt.errors import InputError, Note
from hpi_bt.features.compute import computed, merged
from hpi_bt.features.flow_columns import COLUMNS, UNTIL, FlowOptions
from hpi_bt.features.hedge_flow import HedgeFlowFeature
from hpi_bt.sources.base import Locations
from hpi_bt.sources.cache import Cache

TIMES = ["10:00", "10:15", "10:30", "10:45", "11:00", "11:15", "11:30"]
TAKEN = ["10:05", "10:20", "10:50"]
SPOTS = [5100.0, 5110.0, 5095.0]
OPTIONS = FlowOptions(
    "0dte", "dealers_long_calls_short_puts", "canonical", 1.5, None, 3.0, 0.05, 2.0, 0.15, "XNYS"
)


def feature(path: Any = "chains.csv", **options: Any) -> HedgeFlowFeature:
    chains = {"path": path, "timezone": ZONE} | options.pop("chains", {})
    return HedgeFlowFeature(chains=chains, **options)


def where(folder) -> Locations:
    return Locations((folder,), cache=folder / "cache")


def added(folder, frame=None, **options) -> pd.DataFrame:
    return feature(**options).add(bars(TIMES) if frame is None else frame, where(folder), "XNYS")


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, table(TAKEN, SPOTS))
    return tmp_path


def test_worked_example(folder):
    frame = added(folder)
    rows = feature().rows(frame, where(folder), "XNYS")
    assert list(frame.columns[-len(COLUMNS) :]) == list(COLUMNS)
    impulse = frame["hedge_impulse"].to_numpy()
    # 10:00 comes before all; 10:15 and 10:30 see one snapshot each; 10:45 still that of 10:20
    assert np.isnan(impulse[0])
    own = rows["hedge_impulse"].to_numpy()
    assert_array_equal(impulse[1:], own[[0, 1, 1, 2, 2, 2]])
    assert len(set(own)) == 3
    assert "3 chain snapshots" in frame.attrs["notes"]
    assert "hedge flow known at 6 of 7 bars" in frame.attrs["notes"]


def test_a_delay_makes_each_snapshot_known_later(folder):
    frame = added(folder, known_at={"delay_minutes": 25})
    assert_array_equal(
        np.isnan(frame["hedge_gex"]), [True, True, False, False, False, False, False]
    )
    # 10:20 is known at 10:45, 10:50 at 11:15
    gex = frame["hedge_gex"].to_numpy()
    assert (gex[2] != gex[3], gex[3] == gex[4], gex[4] != gex[5]) == (True, True, True)


def test_late_quotes_are_taken_as_of_earlier_and_known_at_their_stamp(folder):
    late = {"chains": {"late_minutes": 15.0}, "known_at": {"delay_minutes": 15}}
    frame, plain = added(folder, **late), added(folder)
    assert_array_equal(np.isnan(frame["hedge_gex"]), np.isnan(plain["hedge_gex"]))
    # more time is left: less gamma at the money of a short-dated book, so another number
    assert frame["hedge_gex"].iloc[1] != plain["hedge_gex"].iloc[1]
    rows = feature(**late).rows(frame, where(folder), "XNYS")
    stamps = pd.DatetimeIndex(rows.index).tz_convert(ZONE)
    assert [f"{s:%H:%M}" for s in stamps] == ["09:50", "10:05", "10:35"]


class Given(HedgeFlowFeature):
    """A feature whose rows are given."""

    made: Any = None

    def rows(self, frame, where, calendar):
        return self.made


def rows_of(times: list[str], until: str = "16:00", day: str = DAY, **columns: list[float]) -> Any:
    index = pd.DatetimeIndex([f"{day} {t}" for t in times]).tz_localize(ZONE).tz_convert("UTC")
    rows = pd.DataFrame(1.0, index=index, columns=list(COLUMNS)).assign(**columns)
    end = pd.Timestamp(f"{day} {until}", tz=ZONE).tz_convert("UTC")
    return rows.assign(**{UNTIL: end})


def given_rows(rows, frame, **options):
    made = Given(chains={"path": "x"}, made=rows, **options)
    return made.add(frame, Locations(), "XNYS")


def test_a_snapshot_counts_as_a_whole():
    nan = np.nan
    rows = rows_of(["10:00", "10:20"], hedge_attractor_below=[5000.0, nan], hedge_gex=[1.0, 2.0])
    frame = given_rows(rows, bars(["10:15", "10:30"]))
    assert_array_equal(frame["hedge_gex"], [1.0, 2.0])
    # the second snapshot has no attractor: that of the first must not be held
    assert_array_equal(frame["hedge_attractor_below"], [5000.0, nan])


def test_an_expired_book_says_nothing():
    rows = rows_of(["10:00"], until="15:30")
    frame = given_rows(rows, bars(["15:15", "15:30", "15:45"]))
    assert_array_equal(np.isfinite(frame["hedge_gex"]), [True, False, False])
    tomorrow = given_rows(rows, bars(["10:00"], day=LATER))
    assert np.isnan(tomorrow["hedge_gex"]).all()


def test_old_values_are_unknown_again_where_that_is_asked():
    frame = given_rows(rows_of(["10:00"]), bars(["10:30", "11:30"]), max_age_days=1 / 24)
    assert_array_equal(np.isfinite(frame["hedge_gex"]), [True, False])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 389), min_size=1, max_size=12, unique=True), st.integers(0, 390))
def test_later_snapshots_change_nothing_before(minutes, cut):
    def clock(minute: int) -> str:
        return f"{9 + (minute + 30) // 60:02d}:{(minute + 30) % 60:02d}"

    minutes = sorted(minutes)
    gex = [float(m) for m in minutes]
    frame = bars([clock(m) for m in range(15, 391, 15)])
    whole = given_rows(rows_of([clock(m) for m in minutes], until="23:00", hedge_gex=gex), frame)
    held = whole["hedge_gex"].to_numpy()
    for bar, minute in enumerate(range(15, 391, 15)):
        seen = [m for m in minutes if m <= minute]
        assert np.isnan(held[bar]) if not seen else held[bar] == seen[-1]
    early = [m for m in minutes if m <= cut]
    if early:
        rows = rows_of([clock(m) for m in early], until="23:00", hedge_gex=gex[: len(early)])
        known = np.arange(15, 391, 15) <= cut
        assert_array_equal(given_rows(rows, frame)["hedge_gex"].to_numpy()[known], held[known])


def test_bars_before_a_snapshot_are_those_of_a_file_without_it(folder):
    whole = added(folder)
    write(folder, table(TAKEN[:2], SPOTS[:2]))
    early = added(folder)
    assert_frame_equal(early.iloc[:4], whole.iloc[:4])
    assert not early.iloc[4:].equals(whole.iloc[4:])


def test_a_snapshot_that_makes_no_chain_is_blank_and_counted(folder):
    frame = table(TAKEN, SPOTS)
    frame.loc[frame["ts"].str.contains("10:20"), "iv"] = np.nan
    write(folder, frame)
    found = added(folder)
    assert np.isnan(found["hedge_impulse"].to_numpy()[2:4]).all()
    (note,) = [n for n in found.attrs["notes"] if "left blank" in n]
    assert note.startswith("1 snapshot left blank, the first 2024-03-05 15:20 UTC: ")


def test_the_second_run_reads_what_the_first_has_kept(folder, monkeypatch):
    first = added(folder)
    # nothing is computed, nor read into chains
    monkeypatch.setattr("hpi_bt.features.compute.flow_values", None)
    monkeypatch.setattr("hpi_bt.features.snapshots.open_chains", None)
    second = added(folder)
    assert_frame_equal(second, first)
    assert second.attrs["notes"] == first.attrs["notes"]


def test_another_file_or_setting_is_computed_anew(folder):
    snapshots = feature().chains.open(where(folder), "XNYS")
    cache = Cache(folder / "cache")
    assert not computed(snapshots, OPTIONS, cache).kept
    assert computed(snapshots, OPTIONS, cache).kept
    assert not computed(snapshots, OPTIONS._replace(ssr=1.0), cache).kept
    late = feature(chains={"late_minutes": 5.0}, known_at={"delay_minutes": 5})
    assert not computed(late.chains.open(where(folder), "XNYS"), OPTIONS, cache).kept
    write(folder, table(TAKEN, SPOTS, seed=1))
    assert not computed(feature().chains.open(where(folder), "XNYS"), OPTIONS, cache).kept


def test_a_damaged_cache_is_computed_anew_and_noted(folder):
    first = added(folder)
    (kept,) = (folder / "cache").glob("*.parquet")
    kept.write_bytes(b"nothing of use")
    second = added(folder)
    assert_frame_equal(second, first)
    assert any("damaged cache file ignored" in note for note in second.attrs["notes"])


def test_a_cache_that_cannot_be_written_is_no_reason_to_fail(folder):
    (folder / "cache").write_text("a file, not a folder")
    frame = added(folder)
    assert frame["hedge_impulse"].notna().sum() == 6
    (note,) = [n for n in frame.attrs["notes"] if n.startswith("not kept for the next run: ")]
    assert "the cache cannot be written" in note


def test_progress_is_told_and_several_workers_give_the_same(folder):
    write(folder, table([f"10:{m:02d}" for m in range(0, 40, 2)], [SPOT + m for m in range(20)]))
    snapshots = feature().chains.open(where(folder), "XNYS")
    told = []
    one = computed(
        snapshots, OPTIONS, Cache(folder / "a"), jobs=1, progress=lambda *done: told.append(done)
    )
    assert told == [(8, 20), (16, 20), (20, 20)]
    with parallel_config(backend="threading"), pytest.MonkeyPatch.context() as patch:
        patch.setattr("hpi_bt.features.compute._WORTH", 0.0)
        two = computed(snapshots, OPTIONS, Cache(folder / "b"), jobs=2)
    assert_frame_equal(two.rows, one.rows)
    assert two.notes == one.notes


def test_sentences_are_merged_with_the_range_of_their_numbers():
    said = [["2 of 10 lost.", "as ever"], ["3 of 10 lost.", "as ever"], ["-1.5 of 10 lost."]]
    assert merged(said) == ["-1.5..3 of 10 lost.", "2 of 3 snapshots: as ever"]
    dates = [["first 2024-03-05 10:00"], ["first 2024-03-04 10:00"]]
    assert merged(dates) == ["first 2024-03-04 10:00..2024-03-05 10:00"]
    assert merged([]) == []


def test_the_pages_say_whose_side_the_dealers_take():
    made = feature(known_at={"delay_minutes": 15}, coupling=2.0, mode="volume")
    assert made.assumptions() == (
        ("Dealers", "dealers long calls short puts, by volume; k as given"),
        ("Chains", "known 15 minutes after their quotes; expiry 0dte"),
    )


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"known_at": "session_open"}, "before they were made"),
        ({"chains": {"late_minutes": 15}}, r"before they were published, 15 minutes late"),
        (
            {"chains": {"late_minutes": 15}, "known_at": {"delay_minutes": 10}},
            r"give known_at: \{delay_minutes: 15\} or more",
        ),
        ({"path": ""}, "path names no file"),
        ({"zone_threshold": 1.5}, "less than or equal to 1"),
        ({"mode": "canonicle"}, "Input should be 'canonical'"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(options, wanted):
    with pytest.raises(ValidationError, match=wanted):
        feature(**options)


def test_one_hedge_flow_is_enough(folder):
    with pytest.raises(InputError, match="hedge_flow is there twice; keep one"):
        added(folder, frame=added(folder))


def test_a_file_in_which_no_snapshot_can_be_computed_is_refused(folder):
    write(folder, table(TAKEN, SPOTS).assign(iv=np.nan))
    with pytest.raises(InputError, match="not one of 3 snapshots can be computed; the first of"):
        added(folder)
    assert not list((folder / "cache").glob("*.parquet"))


class Nothing:
    """Snapshots without any."""

    times = pd.DatetimeIndex([], tz="UTC")
    fingerprint, notes, demo = "nothing", (), ""


def test_no_snapshots_are_refused(tmp_path):
    with pytest.raises(InputError, match="no snapshot in them"):
        computed(Nothing(), OPTIONS, Cache(tmp_path))  # type: ignore[arg-type]


def test_the_vols_are_a_choice_that_is_kept_apart_in_the_cache(folder):
    names = ("quotes", "smile")
    made = {vols: feature(vols=vols).computed(where(folder), "XNYS") for vols in names}
    assert not made["smile"].kept
    again = feature(vols="quotes").computed(where(folder), "XNYS")
    assert again.kept
    assert again.flags == made["quotes"].flags
    assert [type(f) for f in again.flags] == [type(f) for f in made["quotes"].flags]
    assert any(isinstance(f, Note) and f.code == "source-of-vols" for f in again.flags)
    with pytest.raises(ValidationError, match="vols"):
        feature(vols="mids")
