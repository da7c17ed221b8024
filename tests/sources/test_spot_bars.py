"""Bars from the price that each chain snapshot carries."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hpi_bt.errors import InputError
from hpi_bt.sources.base import Locations
from hpi_bt.sources.build import build_frame
from hpi_bt.sources.spot_bars import SpotBarsSource

ZONE = "America/New_York"


def read(folder, rows, names=("ts", "strike", "spot"), **options):
    pd.DataFrame(rows, columns=list(names)).to_csv(folder / "x.csv", index=False)
    source = SpotBarsSource(path="x.csv", **({"timezone": ZONE} | options))
    return source.read(Locations((folder,)), "XNYS")


def clock(frame):
    return [f"{t:%d %H:%M}" for t in frame.index]


def test_worked_example(tmp_path):
    rows = [
        ("2024-03-05 09:50", 5000, 5100.0), ("2024-03-05 09:50", 5010, 5100.0),
        ("2024-03-05 10:00", 5000, 5108.0), ("2024-03-05 10:10", 5000, 5104.0),
        ("2024-03-05 10:15", 5000, 5105.0), ("2024-03-05 11:00", 5000, 5090.0),
    ]  # fmt: skip
    frame = read(tmp_path, rows, symbol="SPX")
    assert clock(frame) == ["05 10:00", "05 10:15", "05 11:00"]
    assert_array_equal(frame["open"], [5100.0, 5104.0, 5090.0])
    assert_array_equal(frame["high"], [5108.0, 5105.0, 5090.0])
    assert_array_equal(frame["low"], [5100.0, 5104.0, 5090.0])
    assert_array_equal(frame["close"], [5108.0, 5105.0, 5090.0])
    assert frame.attrs["symbol"] == "SPX"
    assert frame.attrs["bar_minutes"] == 15.0
    assert frame.attrs["notes"][1].startswith("1 bar of 3 of one price: fills are at the next")


def test_late_prices_belong_to_an_earlier_bar(tmp_path):
    rows = [("2024-03-05 09:45", 1, 7.0), ("2024-03-05 10:00", 1, 8.0)]
    frame = read(tmp_path, rows, late_minutes=15)
    # quotes of 09:30 still show what was before the open: no bar of the session
    assert clock(frame) == ["05 09:30", "05 09:45"]
    where = Locations((tmp_path,))
    kept = build_frame(frame, calendar="XNYS", where=where, outside="drop")
    assert_array_equal(kept["close"], [8.0])
    assert "prices taken to be 15 minutes older than the stamps" in frame.attrs["notes"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 390), st.floats(1.0, 1e5)), min_size=1, max_size=30))
def test_every_price_lies_in_its_bar_and_the_last_one_closes_it(tmp_path_factory, seen):
    folder = tmp_path_factory.mktemp("bars")
    latest = dict(sorted(seen))
    open_ = pd.Timestamp("2024-03-05 09:30")
    rows = [(open_ + pd.Timedelta(minutes=m), 1, p) for m, p in latest.items()]
    frame = read(folder, rows, bar_minutes=30)
    for minute, spot in latest.items():
        bar = frame.iloc[
            frame.index.searchsorted((open_ + pd.Timedelta(minutes=minute)).tz_localize(ZONE))
        ]
        assert bar["low"] <= spot <= bar["high"]
    ends = {(m - 1) // 30: p for m, p in latest.items()}
    assert_array_equal(frame["close"], [ends[k] for k in sorted(ends)])


def test_a_symbol_selects_its_rows_and_columns_are_renamed(tmp_path):
    rows = [("2024-03-05 10:00", "A", 5.0), ("2024-03-05 10:00", "B", 6.0)]
    frame = read(tmp_path, rows, ("when", "symbol", "px"), symbol="B",
                 columns={"ts": "when", "spot": "px"})  # fmt: skip
    assert_array_equal(frame["close"], [6.0])


def test_a_file_without_spot_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no column 'spot' \(found: ts, strike\); name it under"):
        read(tmp_path, [("2024-03-05 10:00", 1)], ("ts", "strike"))


def test_a_file_without_a_price_is_refused(tmp_path):
    with pytest.raises(InputError, match="no row has a spot above 0; mend the file or columns"):
        read(tmp_path, [("2024-03-05 10:00", 1, 0.0), ("2024-03-05 10:15", 1, float("nan"))])


@pytest.mark.parametrize("lost", [0.0, -5100.0, float("nan")])
def test_a_spot_of_zero_or_less_makes_no_bar_and_is_counted(tmp_path, lost):
    rows = [("2024-03-05 10:00", 1, 5100.0), ("2024-03-05 10:10", 1, lost),
            ("2024-03-05 10:15", 1, 5101.0)]  # fmt: skip
    frame = read(tmp_path, rows)
    assert_array_equal(frame["low"], [5100.0, 5101.0])
    assert "x.csv: 1 row without a spot above 0 left out" in frame.attrs["notes"]
    sound = read(tmp_path, [row for row in rows if row[2] > 0.0])
    assert not any("left out" in note for note in sound.attrs["notes"])


@pytest.mark.parametrize("odd", [float("inf"), 1e300])
def test_an_infinite_spot_is_refused_with_its_row(tmp_path, odd):
    rows = [("2024-03-05 10:00", 1, 5100.0), ("2024-03-05 10:10", 1, odd)]
    with pytest.raises(InputError, match=r"^x\.csv: row 2, spot is (inf|1e\+300); wanted a number"):
        read(tmp_path, rows)
