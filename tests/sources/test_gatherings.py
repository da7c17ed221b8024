"""Stamps of contracts put together to snapshots (definitions 5)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hpi_bt.errors import InputError, Severity
from hpi_bt.sources.chains import open_chains, read_chain
from hpi_bt.sources.gatherings import check_gatherings, gathered, partial_note
from small_chains import contracts, saved

SECOND = 10**9
CLOSE = pd.Timestamp("2023-09-14 12:00", tz="America/New_York")


def at(*seconds: float) -> np.ndarray:
    return np.array([round(s * SECOND) for s in seconds], dtype=np.int64)


def stamped(table: pd.DataFrame, seconds: np.ndarray) -> pd.DataFrame:
    """Return a table with each contract's own stamp, so many seconds before noon."""
    return table.assign(ts=[(CLOSE - pd.Timedelta(s, "s")).isoformat() for s in seconds.tolist()])


def test_worked_example_of_contracts_seen_again() -> None:
    # A B C within 50 seconds; B again starts the next snapshot, to which C and A belong
    found = gathered(at(0, 20, 50, 60, 70, 90), np.array([1, 2, 3, 2, 3, 1]))
    assert_array_equal(found.place, [0, 0, 0, 1, 1, 1])
    assert_array_equal(found.known_at, at(50, 90))
    assert_array_equal(found.stamps, [3, 3])
    assert_array_equal(found.contracts, [3, 3])


def test_a_stamp_beyond_the_reach_of_the_first_starts_a_snapshot() -> None:
    stamps, contract = at(0, 299, 301), np.array([1, 2, 3])
    assert_array_equal(gathered(stamps, contract).place, [0, 0, 1])
    assert_array_equal(gathered(stamps, contract, minutes=6).place, [0, 0, 0])
    assert_array_equal(gathered(stamps, contract, minutes=0).place, [0, 1, 2])


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 5)), min_size=1, max_size=60))
def test_no_gathering_holds_a_contract_at_two_stamps_or_reaches_too_far(rows) -> None:
    stamps, contract = at(*(r[0] for r in rows)), np.array([r[1] for r in rows])
    found = gathered(stamps, contract)
    table = pd.DataFrame({"place": found.place, "stamp": stamps, "contract": contract})
    span = table.groupby("place")["stamp"].agg(["min", "max"])
    assert ((span["max"] - span["min"]) <= 300 * SECOND).all()
    assert_array_equal(span["max"], found.known_at)
    assert (span["min"].to_numpy()[1:] > found.known_at[:-1]).all()  # none overlap
    assert table.drop_duplicates().groupby(["place", "contract"]).size().max() == 1


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=20, unique=True))
def test_whole_snapshots_stay_what_their_stamps_say(minutes) -> None:
    stamps = np.repeat(np.sort(at(*minutes)) * 60, 3)
    found = gathered(stamps, np.tile([1, 2, 3], len(minutes)))
    assert_array_equal(found.place, np.repeat(np.arange(len(minutes)), 3))
    assert not found.partial.any()


def test_a_snapshot_with_less_than_half_of_the_usual_contracts_is_partial() -> None:
    sizes = [10, 10, 10, 4, 5]
    stamps = np.repeat(at(*(600 * i for i in range(5))), sizes)
    found = gathered(stamps, np.concatenate([np.arange(n) for n in sizes]))
    assert_array_equal(found.partial, [False, False, False, True, False])
    (note,) = partial_note(found, 3)
    assert note.severity is Severity.WARNING
    assert "4 contracts, where the 3 before it have 10 in the median" in note
    assert partial_note(found, 4) == []


def test_a_chain_of_own_stamps_is_one_snapshot_known_at_the_newest(tmp_path) -> None:
    table = contracts()
    seconds = np.random.default_rng(1).integers(0, 56, len(table))
    whole = read_chain(saved(tmp_path, stamped(table, seconds)), timezone="UTC").chain
    assert len(whole) == len(table)
    assert whole.as_of == CLOSE - pd.Timedelta(int(seconds.min()), "s")


def test_several_such_snapshots_are_read_apart_each_with_its_own_numbers(tmp_path) -> None:
    rng, parts = np.random.default_rng(2), []
    for minute in range(4, -1, -1):
        table = contracts(calls=100.0 * (5 - minute))
        parts.append(stamped(table, 60 * minute + rng.integers(0, 56, len(table))))
    series = open_chains(saved(tmp_path, pd.concat(parts)), expiry_at="16:00")
    assert len(series) == 5
    held = [file.chain.open_interest[file.chain.right > 0].max() for file in series]
    assert held == [100.0, 200.0, 300.0, 400.0, 500.0]


@pytest.mark.parametrize("seconds", [1_500, 40_000])
def test_stamps_of_last_quotes_are_refused_with_a_way_out(tmp_path, seconds) -> None:
    table = contracts()
    spread = np.random.default_rng(3).exponential(seconds, len(table)).astype(int)
    path = saved(tmp_path, stamped(table, spread))
    with pytest.raises(
        InputError, match=r"ts: the stamps are of last quotes, .* each contract has"
    ):
        read_chain(path)
    told = {"columns": {"last_quote": "ts"}, "as_of": CLOSE}
    assert len(read_chain(path, **told).chain) == len(table)
    with pytest.raises(InputError, match="of last quotes"):
        open_chains(path)


def test_snapshots_in_pieces_are_refused() -> None:
    # whole snapshots of 40, each followed by 4 stragglers of several stamps
    stamps, contract = [], []
    for i in range(10):
        stamps += [600.0 * i] * 40 + [600.0 * i + 400, 600.0 * i + 410] * 2
        contract += [*range(40), 0, 1, 2, 3]
    found = gathered(at(*stamps), np.array(contract))
    with pytest.raises(InputError, match=r"f\.csv: when: .*: 10 of 10 gatherings hold less than"):
        check_gatherings(found, np.array(contract), np.array(contract), where="f.csv", field="when")


def test_zero_day_chains_of_several_days_are_no_stamps_of_last_quotes(tmp_path) -> None:
    # every contract of the file comes once, but each expiry is whole
    days = ("2023-09-11", "2023-09-12", "2023-09-13")
    parts = [contracts(expiries=(d,)).assign(ts=f"{d} 10:00-04:00") for d in days]
    assert len(open_chains(saved(tmp_path, pd.concat(parts)))) == 3


def test_a_partial_last_snapshot_is_read_with_a_warning(tmp_path) -> None:
    parts = [contracts().assign(ts=f"2023-09-14 {h}:00-04:00") for h in (9, 10, 11)]
    parts.append(contracts().iloc[:20])
    found = read_chain(saved(tmp_path, pd.concat(parts)))
    assert any(n.startswith("warning: partial snapshot: 20 contracts") for n in found.report.notes)
    first = read_chain(saved(tmp_path, pd.concat(parts)), as_of="2023-09-14 11:30-04:00")
    assert not any("partial" in note for note in first.report.notes)
