from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.errors import InputError
from hpi_bt.options.mids import LAST_PRICES
from hpi_bt.sources.chain_parity import parity_spot
from hpi_bt.sources.chains import open_chains, read_chain

NAMES = ["ts", "expiry", "strike", "right", "bid", "ask", "iv", "volume", "open_interest", "spot"]
NEW_YORK = "America/New_York"


def rows(stamp: str = "2026-03-06 10:00", spot: float = 100.0) -> list[tuple[object, ...]]:
    return [
        (stamp, "2026-03-06", 99.0, "C", 1.4, 1.5, 0.2, 10.0, 500.0, spot),
        (stamp, "2026-03-06", 101.0, "C", 0.4, 0.5, 0.19, 20.0, 600.0, spot),
        (stamp, "2026-03-06", 99.0, "P", 0.4, 0.5, 0.21, 30.0, 700.0, spot),
        (stamp, "2026-03-06", 101.0, "P", 1.4, 1.5, 0.2, 40.0, 800.0, spot),
    ]


def saved(folder: Path, table: pd.DataFrame, name: str = "chain.csv") -> Path:
    path = folder / name
    if path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False)
    return path


def frame(*parts: list[tuple[object, ...]]) -> pd.DataFrame:
    return pd.DataFrame([row for part in parts for row in part], columns=NAMES)


THREE = frame(
    rows("2026-03-06 10:00", 100.0),
    rows("2026-03-06 10:15", 101.0),
    rows("2026-03-06 10:30", 102.0),
)


@pytest.mark.parametrize("name", ["chain.csv", "chain.csv.gz", "chain.parquet"])
def test_worked_example(tmp_path, name):
    chain = read_chain(saved(tmp_path, frame(rows()), name), timezone=NEW_YORK, symbol="IWM").chain
    assert (chain.symbol, chain.spot, len(chain)) == ("IWM", 100.0, 4)
    assert chain.as_of == pd.Timestamp("2026-03-06 10:00", tz=NEW_YORK)
    assert_array_equal(chain.right, [1.0, 1.0, -1.0, -1.0])
    assert_array_equal(chain.iv, [0.2, 0.19, 0.21, 0.2])
    assert chain.expiry[0] == pd.Timestamp("2026-03-06 16:00", tz=NEW_YORK)


def test_other_names_read_alike_by_alias_and_by_map(tmp_path):
    usual = read_chain(saved(tmp_path, frame(rows())), timezone=NEW_YORK).chain
    renamed = frame(rows()).rename(
        columns={
            "ts": "quote_datetime",
            "expiry": "Expiration Date",
            "right": "option_type",
            "open_interest": "OI here",
            "spot": "underlying_price",
            "iv": "IV %",
        }
    )
    renamed["option_type"] = renamed["option_type"].map({"C": "call", "P": "put"})
    renamed["IV %"] *= 100
    columns = {"open_interest": "OI here", "iv_pct": "IV %"}
    path = saved(tmp_path, renamed, "other.csv")
    chain = read_chain(path, timezone=NEW_YORK, columns=columns).chain
    pd.testing.assert_frame_equal(
        chain.contracts[usual.contracts.columns], usual.contracts, rtol=1e-14
    )


def test_contract_symbols_stand_for_expiry_strike_and_right(tmp_path):
    table = frame(rows()).drop(columns=["expiry", "strike", "right"])
    table["contract"] = ["IWM260306C00099000", "IWM260306C00101000", "IWM260306P00099000",
                         "IWM260306P00101000"]  # fmt: skip
    chain = read_chain(saved(tmp_path, table), timezone=NEW_YORK).chain
    assert chain.symbol == "IWM"
    assert_array_equal(chain.strike, [99.0, 101.0, 99.0, 101.0])


def test_the_last_snapshot_at_or_before_as_of_is_read(tmp_path):
    path = saved(tmp_path, THREE)
    told = {"timezone": NEW_YORK}
    assert read_chain(path, **told).chain.spot == 102.0
    assert read_chain(path, as_of="2026-03-06 10:15", **told).chain.spot == 101.0
    chain, report = read_chain(path, as_of="2026-03-06 15:29:59Z", **told)
    assert chain.spot == 101.0  # 10:29:59 in New York: one second before the next
    assert chain.as_of == pd.Timestamp("2026-03-06 15:29:59", tz="UTC")
    assert report.notes[0].startswith("snapshot 2 of 3 snapshots from 2026-03-06 10:00 to")
    with pytest.raises(InputError, match="no snapshot at or before 2026-03-06 09:59"):
        read_chain(path, as_of="2026-03-06 09:59", **told)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 59))
def test_no_snapshot_of_the_future_is_ever_read(tmp_path_factory, minute):
    path = tmp_path_factory.getbasetemp() / "three.csv"
    if not path.exists():
        THREE.to_csv(path, index=False)
    chain = read_chain(path, as_of=f"2026-03-06 10:{minute:02d}", timezone=NEW_YORK).chain
    assert chain.spot == 100.0 + min(minute // 15, 2)


def test_all_snapshots_are_read_one_by_one_at_their_own_moments(tmp_path):
    shuffled = THREE.sample(frac=1.0, random_state=3)
    series = open_chains(saved(tmp_path, shuffled), timezone=NEW_YORK)
    assert len(series) == 3
    assert [f"{m.tz_convert(NEW_YORK):%H:%M}" for m in series.moments] == [
        "10:00",
        "10:15",
        "10:30",
    ]
    chains = [file.chain for file in series]
    assert [c.spot for c in chains] == [100.0, 101.0, 102.0]
    assert all(c.as_of == m for c, m in zip(chains, series.moments, strict=True))
    assert series.place_at(pd.Timestamp("2026-03-06 10:20", tz=NEW_YORK)) == 1


def test_a_file_of_one_moment_is_a_series_of_one(tmp_path):
    layouts = Path(__file__).parent / "layouts"
    series = open_chains(layouts / "cboe_2023_spx.csv")
    assert (len(series), len(series.moments)) == (1, 1)
    assert len(series.chain(0).chain) == 10
    bare = saved(tmp_path, frame(rows()).drop(columns="ts"))
    assert len(open_chains(bare, timezone=NEW_YORK)) == 1
    chain = read_chain(bare, timezone=NEW_YORK, as_of="2026-03-06 11:00").chain
    assert f"{chain.as_of:%H:%M}" == "11:00"


def test_stamps_that_are_dates_are_closes_of_sessions(tmp_path):
    path = saved(tmp_path, frame(rows("2026-03-05")))
    assert read_chain(path).chain.as_of == pd.Timestamp("2026-03-05 16:00", tz=NEW_YORK)


def test_the_vol_that_marks_none_is_blank(tmp_path):
    table = frame(rows()).rename(columns={"iv": "iv_pct"})
    table["iv_pct"] = np.array([0.1, 12.0, 0.0, 35.43], dtype=np.float32)
    chain, report = read_chain(saved(tmp_path, table, "c.parquet"), timezone=NEW_YORK)
    assert_allclose(chain.iv, [np.nan, 0.12, np.nan, 0.3543], rtol=1e-7)
    assert report.counts["no IV"] == 2


def test_a_symbol_selects_its_rows(tmp_path):
    table = pd.concat([frame(rows()).assign(symbol="AAA"), frame(rows(spot=50)).assign(symbol="B")])
    path = saved(tmp_path, table)
    assert read_chain(path, timezone=NEW_YORK, symbol="B").chain.spot == 50.0
    with pytest.raises(InputError, match="holds AAA, B; wanted one; give symbol='AAA'"):
        read_chain(path, timezone=NEW_YORK)
    with pytest.raises(InputError, match=r"symbol: no row of 'C' .found: AAA, B.; fix symbol"):
        read_chain(path, timezone=NEW_YORK, symbol="C")


def test_spot_by_parity_is_that_of_a_worked_example(tmp_path):
    table = frame(rows()).drop(columns="spot")
    table.loc[0, ["bid", "ask"]] = [1.65, 1.75]  # C - P at 99 is 1.25, at 101 -1
    with pytest.raises(InputError, match=r"give spot \(or 'parity'\)"):
        read_chain(saved(tmp_path, table), timezone=NEW_YORK)
    chain, report = read_chain(saved(tmp_path, table), timezone=NEW_YORK, spot="parity")
    assert_allclose(chain.spot, (99 + 1.25 + 101 - 1.0) / 2, rtol=1e-12)
    assert "spot 100.12 by put-call parity of 2 strikes of 2026-03-06" in report.notes


@settings(deadline=None)
@given(
    st.floats(50, 150),
    st.floats(-0.02, 0.08),
    st.floats(-0.02, 0.05),
    st.floats(0.001, 2.0),
)
def test_parity_finds_the_spot_of_consistent_prices(spot, rate, dividend, tau):
    as_of = pd.Timestamp("2026-03-06 10:00", tz=NEW_YORK)
    expiry = as_of + pd.Timedelta(tau * 365, "D")
    tau = (expiry - as_of) / pd.Timedelta(365, "D")
    strike = np.array([90.0, 100.0, 110.0])
    gap = spot * np.exp(-dividend * tau) - strike * np.exp(-rate * tau)
    put = np.maximum(-gap, 0) + 3.0
    contracts = pd.DataFrame(
        {
            "strike": np.tile(strike, 2),
            "right": np.repeat(["C", "P"], 3),
            "last": np.concatenate([put + gap, put]),
        }
    )
    found, _ = parity_spot(
        contracts, pd.DatetimeIndex([expiry] * 6), as_of, rate=rate, dividend=dividend, name="f"
    )
    assert_allclose(found, spot, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"drop": "strike"}, {}, "no column 'strike'"),
        ({"right": "X"}, {}, "right: row 1 is 'X'; wanted C or P"),
        ({"right": None}, {}, "right: row 1 is blank; wanted C or P"),
        ({"strike": "many"}, {}, "strike: row 1 is 'many'; wanted a number"),
        ({"strike": None}, {}, "strike: row 1 is nan; wanted a positive number"),
        ({"strike": -5.0}, {}, "strike: row 1 is -5.0; wanted a positive number"),
        ({"bid": -0.5}, {}, "bid: row 1 is -0.5; wanted 0 or more"),
        ({"open_interest": -7}, {}, "open_interest: row 1 is -7"),
        ({"iv": np.inf}, {}, "iv: row 1 is inf; wanted a decimal"),
        ({"expiry": None}, {}, "expiry: row 1 is blank"),
        ({"expiry": "today"}, {}, "expiry: row 1 is 'today'; wanted a date"),
        ({"expiry": "2026-03-32"}, {}, "expiry: row 1 is '2026-03-32'; wanted a date"),
        ({"expiry": "7026-03-06"}, {}, "row 1, expiry is .*; wanted a year from 1678 to 2261"),
        ({"ts": "7026-03-06 10:00"}, {}, "row 1, ts is .*; wanted a year from 1678"),
        ({"ts": None}, {}, "ts: row 1 is blank"),
        ({"ts": "now"}, {}, "ts: row 1 is 'now'; wanted a date or time"),
        ({}, {"timezone": None}, "have no time zone"),
        ({}, {"columns": {"bid": "Bidd"}}, r"no column 'Bidd' for 'bid' \(known: ask"),
        ({}, {"columns": {"bidd": "bid"}}, r"columns: 'bidd' is no column \(did you mean 'bid'"),
        ({}, {"calendar": "XNYX"}, "no exchange calendar 'XNYX'"),
        ({"spot": np.nan}, {"spot": "parity", "as_of": "2026-03-05 12:00"}, "no snapshot at or"),
        ({"bid": np.nan}, {"spot": "parity"}, "no call and put of one strike"),
    ],
)
def test_a_bad_table_is_refused_in_one_line(tmp_path, change, options, message):
    table = frame(rows())
    for column, value in change.items():
        if column == "drop":
            table = table.drop(columns=value)
        elif column == "bid":
            table["bid"] = value
        else:
            table[column] = table[column].astype(object)
            table.loc[0, column] = value
    with pytest.raises(InputError, match=message) as caught:
        read_chain(saved(tmp_path, table), **{"timezone": NEW_YORK, **options})
    assert "\n" not in str(caught.value)


def test_what_is_odd_about_a_whole_chain_is_said(tmp_path):
    table = frame(rows()).drop(columns=["bid", "ask", "iv"]).assign(open_interest=0.0)
    notes = read_chain(saved(tmp_path, table), timezone=NEW_YORK).report.notes
    assert set(notes) == {"open interest is 0 everywhere", "no IV at all", "no quotes at all"}
    mixed = frame(rows())
    mixed.loc[0, "spot"] = 101.0
    notes = read_chain(saved(tmp_path, mixed), timezone=NEW_YORK).report.notes
    assert notes == ("warning: spot from 100 to 101 in one snapshot; the median taken",)


def test_vols_from_last_prices_are_not_said_to_rest_on_the_files_iv(tmp_path):
    table = frame(rows()).drop(columns=["bid", "ask"]).assign(last=2.0, volume=5.0)
    chain, report = read_chain(saved(tmp_path, table), timezone=NEW_YORK)
    assert chain.without_quotes
    assert not any("no quotes" in note for note in report.notes)
    assert [note for note in chain.notes if "bid" in note.lower()] == [LAST_PRICES]
    silent, found = read_chain(saved(tmp_path, table.assign(volume=0.0)), timezone=NEW_YORK)
    assert not silent.without_quotes
    assert "no quotes: the smile rests on the file's IV" in found.notes
    quoted = table.assign(bid=0.0, ask=0.0)  # quotes there are, though none of them is good
    assert "no quotes: the smile rests on the file's IV" in (
        read_chain(saved(tmp_path, quoted), timezone=NEW_YORK).report.notes
    )
