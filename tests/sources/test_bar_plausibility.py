"""Bars that could be and hardly are: spikes, changes of units, lost digits."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from made_days import CALENDAR, daily, minutes, scaled, sessions

from hpi_bt.errors import Severity
from hpi_bt.sources.bar_plausibility import implausible, unit_changes
from hpi_bt.sources.base import Locations
from hpi_bt.sources.build import build_frame
from hpi_bt.sources.files import CsvSource, ParquetSource

PRICES = ["open", "high", "low", "close"]


def codes(frame: pd.DataFrame) -> list[str]:
    return [note.code for note in implausible(frame)]


def put(frame: pd.DataFrame, row: int, column: str, factor: float) -> pd.DataFrame:
    out = frame.copy()
    out.iloc[row, out.columns.get_loc(column)] *= factor
    return out


@pytest.mark.parametrize("factor", [100.0, 1000.0, 20.0, 0.01, 0.05])
@pytest.mark.parametrize("row", [0, 1, 40, 78, 79])
def test_a_bar_far_off_its_neighbours_is_named(factor, row):
    frame = daily()
    frame.iloc[row, :4] *= factor
    notes = implausible(frame)
    assert notes[0].code in ("price-spike", "likely-split")  # at an end it may be either
    assert all(note.severity is Severity.WARNING for note in notes)
    assert f"{sessions(80)[row]:%Y-%m-%d}" in notes[0] or row in (0, 1)


@pytest.mark.parametrize(
    ("column", "factor"), [("high", 100.0), ("low", 0.001), ("open", 1e-4), ("close", 30.0)]
)
@pytest.mark.parametrize("row", [0, 40, 79])
def test_a_single_cell_far_off_is_named(column, factor, row):
    (note,) = implausible(put(daily(), row, column, factor))
    assert note.code == "price-spike"
    assert note.startswith(f"warning: {column} ")
    assert f"at {sessions(80)[row]:%Y-%m-%d}" in note


def test_a_spike_says_how_far_and_how_many():
    frame = put(put(daily(price=1000.0), 20, "high", 100.0), 50, "high", 100.0)
    (note,) = implausible(frame)
    assert "times the prices around it, the first of 2 bars; check the file" in note
    assert "10" in note


def test_a_spike_of_two_bars_is_one_thing():
    frame = daily()
    frame.iloc[40:42, :4] *= 50.0
    assert codes(frame) == ["price-spike"]


@pytest.mark.parametrize("factor", [1000.0, 0.001, 137.0])
def test_prices_that_change_their_units_for_good_are_named(factor):
    (note,) = implausible(scaled(daily(), 40, factor))
    assert note.code == "price-units"
    assert f"{sessions(80)[40]:%Y-%m-%d}" in note


def test_units_that_change_within_a_session_are_named():
    assert codes(scaled(minutes(), 30, 100.0)) == ["price-units"]


@pytest.mark.parametrize("factor", [2.0, 5.0, 0.3])
def test_moves_of_markets_are_no_spikes(factor):
    frame = daily()
    frame.iloc[40, :4] *= factor
    assert "price-spike" not in codes(frame)
    assert codes(daily(vol=0.15)) == []
    assert codes(daily().iloc[:1]) == []


def test_prices_around_zero_are_left_alone():
    frame = daily()
    frame[PRICES] -= 100.0
    frame.attrs["allow_nonpositive"] = True
    assert "price-units" not in codes(frame)


def held(n: int = 150, seed: int = 5) -> np.ndarray:
    """Open interest that moves by some percent a day."""
    return 3e5 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0, 0.03, n)))


def saw_tooth(n: int = 500, cycle: int = 21, seed: int = 6) -> np.ndarray:
    """Open interest of front months: it drains away, then the next contract begins."""
    rng = np.random.default_rng(seed)
    left = cycle - np.arange(n) % cycle
    drained = np.where(left <= 5, left / 60.0, 1.0)
    return 3e5 * drained * np.exp(rng.normal(0.0, 0.1, n))


@pytest.mark.parametrize("factor", [75.0, 1 / 75.0, 25.0, 0.1, 1000.0])
@pytest.mark.parametrize("column", ["openinterest", "put_oi", "call_oi", "volume"])
def test_counts_that_change_their_units_are_named(factor, column):
    values = held()
    values[90:] *= factor
    (note,) = implausible(daily(150).assign(**{column: values}))
    assert (note.code, note.severity) == ("units-change", Severity.WARNING)
    assert f"on {sessions(150)[90]:%Y-%m-%d} (units?)" in note
    said = float(re.search(r"factor of (\S+) on", note)[1])
    assert said == pytest.approx(max(factor, 1 / factor), rel=0.1)


@pytest.mark.parametrize("place", [8, 142])
def test_a_change_of_units_near_an_end_is_named(place):
    values = held()
    values[:place] *= 75.0
    assert [at for at, _ in unit_changes(values)] == [place]


@pytest.mark.parametrize("factor", [75.0, 0.04])
def test_a_change_of_units_is_found_among_contract_rolls(factor):
    values = saw_tooth()
    values[303:] *= factor
    assert [at for at, _ in unit_changes(values)] == [303]


@pytest.mark.parametrize("cycle", [5, 21, 63])
@pytest.mark.parametrize("seed", range(3))
def test_contract_rolls_are_no_change_of_units(cycle, seed):
    assert unit_changes(saw_tooth(cycle=cycle, seed=seed)) == []
    assert unit_changes(held(seed=seed)) == []


def test_a_market_that_grows_changes_no_units():
    grown = 1e3 * np.exp(np.linspace(0.0, 7.0, 600))
    assert unit_changes(grown) == []
    assert codes(daily(150).assign(openinterest=np.where(np.arange(150) < 75, 0.0, 5e5))) == []


def test_the_day_is_that_of_the_file_where_open_interest_was_moved():
    values = held()
    values[90:] *= 75.0
    bare = daily(150)[[*PRICES, "volume"]].assign(openinterest=values)
    bare.attrs = daily(150).attrs
    for stamp in ("pre_open", "prior_close"):
        frame = build_frame(bare, calendar=CALENDAR, where=Locations(), open_interest_stamp=stamp)
        (note,) = implausible(frame)
        assert f"on {sessions(150)[90]:%Y-%m-%d} (units?)" in note


@pytest.mark.parametrize("factor", [10.0, 0.1, 0.01])
def test_a_session_of_open_interest_a_digit_off_is_named(factor):
    values = held()
    values[60] *= factor
    (note,) = implausible(daily(150).assign(openinterest=values))
    assert note.code == "open-interest-spike"
    assert f"on {sessions(150)[60]:%Y-%m-%d}" in note


def test_the_last_days_of_contracts_are_no_lost_digits():
    assert codes(daily(500).assign(openinterest=saw_tooth())) == []
    short = saw_tooth(cycle=21)
    short[20::21] /= 20.0  # next to nothing on the last day of each
    assert "open-interest-spike" not in codes(daily(500).assign(openinterest=short))


@pytest.mark.real_data
def test_real_bars_are_quiet_but_for_their_own_faults(real_data):
    where = Locations((real_data,))
    split = [("likely-split", "")]
    for path, wanted in {
        "SPY_daily_raw.csv": [],
        "IWM_daily_raw.csv": split,
        "SPY_daily_yfinance_adjusted.csv": [],
        "IWM_daily_yfinance_adjusted.csv": [],
    }.items():
        frame = CsvSource(path=f"bars/{path}").read(where, CALENDAR)
        notes = implausible(build_frame(frame, calendar=CALENDAR, where=where))
        assert [(note.code, note.where) for note in notes] == wanted
    labels = {"bar_label": "open", "bar_minutes": 5}
    for path in ("IWM_5m_2025-12_2026-03.csv", "SPY_5m_2026-05_2026-08.csv"):
        frame = CsvSource(path=f"bars/{path}", **labels).read(where, CALENDAR)
        assert implausible(build_frame(frame, calendar=CALENDAR, where=where)) == []
    path = "bars/SPY_1m_2024-03_2025-04.parquet"
    made = ParquetSource(path=path, bar_label="open", bar_minutes=1, timezone="UTC")
    frame = made.read(where, CALENDAR)
    assert implausible(build_frame(frame, calendar=CALENDAR, where=where)) == []


@pytest.mark.real_data
def test_real_futures_have_no_change_of_units_though_their_contracts_roll(real_data):
    where, rows = Locations((real_data,)), {}
    for name in ("CL1", "GC1", "C1", "W1", "ES1"):
        columns = {"datetime": "Date", "openinterest": "Previous Day Open Interest"}
        columns |= {} if name == "ES1" else {"close": "Settle"}
        source = CsvSource(
            path=f"futures/CHRIS-CME_{name}.csv", columns=columns, bad_bars="widen",
            no_volume="drop",
        )  # fmt: skip
        frame = build_frame(source.read(where, "CMES"), calendar="CMES", where=where)
        rows[name] = codes(frame)
    # 2006-12-29 in corn: 59,747 between 593,238 and 597,473; ES1 is clean
    spike = ["open-interest-spike"]
    assert rows == {"CL1": spike, "GC1": spike, "C1": spike, "W1": spike, "ES1": []}


@pytest.mark.real_data
def test_real_option_totals_have_no_change_of_units(real_data):
    totals = pd.read_csv(real_data / "eod_chains/SPX_daily_option_totals_2017_2025.csv")
    for name in ("total_open_interest", "total_volume"):
        values = totals[name].to_numpy(float)
        assert unit_changes(values[values > 0.0]) == []
    table = pd.read_csv(real_data / "eod_chains/daily_option_totals_SPY_QQQ_TLT_2026.csv")
    nse = pd.read_csv(real_data / "options_flow_long/nse_daily_totals.csv")
    nse = nse.drop_duplicates(["symbol", "day"])
    for rows, names in (
        (table, ["call_oi", "put_oi", "call_volume", "put_volume"]),
        (nse, ["call_oi_last", "put_oi_last"]),
    ):
        for _, own in rows.groupby("symbol"):
            for name in names:
                assert unit_changes(own[name].to_numpy(float)) == []
