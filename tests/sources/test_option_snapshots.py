from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal

from hpi_bt.errors import InputError
from hpi_bt.sources.base import Locations
from hpi_bt.sources.build import build_frame
from hpi_bt.sources.option_snapshots import OptionSnapshotsSource

NAMES = ["ts", "expiry", "strike", "right", "cum_volume", "open_interest", "spot", "last"]
EXPIRY = "2026-01-27"


def row(ts, strike, right, volume, interest=0.0, spot=100.0, last=np.nan, expiry=EXPIRY, day=6):
    return (f"2026-01-{day:02d} {ts}", expiry, strike, right, volume, interest, spot, last)


def read(folder: Path, rows, **options) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=NAMES)
    table.to_csv(folder / "nse.csv", index=False)
    return source(**options).read(Locations((folder,)), "XBOM")


def source(**options) -> OptionSnapshotsSource:
    return OptionSnapshotsSource(path="nse.csv", **{"timezone": "Asia/Kolkata", **options})


def clock(frame: pd.DataFrame) -> list[str]:
    return [f"{s:%H:%M}" for s in frame.index]


def test_worked_example(tmp_path):
    rows = [
        row("09:16", 100, "C", 10, 5, spot=100), row("09:16", 100, "P", 4, 7, spot=100),
        row("09:18", 100, "C", 15, 6, spot=103), row("09:18", 100, "P", 4, 9, spot=103),
        row("09:20", 100, "C", 15, 6, spot=101), row("09:20", 100, "P", 6, 9, spot=101),
        row("09:31", 100, "C", 18, 6, spot=99), row("09:31", 105, "P", 3, 50, spot=99),
    ]  # fmt: skip
    frame = read(tmp_path, rows, symbol="NIFTY")
    assert clock(frame) == ["09:20", "09:35"]  # 09:20 closes its own bar; no empty bars
    assert_array_equal(frame[["open", "high", "low", "close"]].iloc[0], [100, 103, 100, 101])
    assert_array_equal(frame["call_volume"], [15.0, 3.0])
    assert_array_equal(frame["put_volume"], [6.0, 3.0])
    assert_array_equal(frame["volume"], [21.0, 6.0])
    assert_array_equal(frame["call_oi"], [5.0, 5.0])  # of the first snapshot, all session long
    assert_array_equal(frame["put_oi"], [7.0, 7.0])
    assert frame.attrs == {
        "symbol": "NIFTY",
        "bar_minutes": 5.0,
        "calendar": "XBOM",
        "demo": "",
        "notes": [],
    }


def test_steps_back_are_repaired_and_an_absent_contract_is_neither_lost_nor_doubled(tmp_path):
    rows = [
        row("09:20", 100, "C", 10), row("09:20", 105, "C", 7),
        row("09:25", 100, "C", 0),
        row("09:30", 100, "C", 12), row("09:30", 105, "C", 9),
    ]  # fmt: skip
    frame = read(tmp_path, rows)
    assert_array_equal(frame["call_volume"], [17.0, 0.0, 4.0])
    assert frame.attrs["notes"] == [
        "1 backward step of cumulative volume repaired by a running maximum"
    ]


def test_a_blank_volume_is_no_step(tmp_path):
    rows = [row("09:20", 100, "C", 10), row("09:25", 100, "C", None), row("09:30", 100, "C", 11)]
    frame = read(tmp_path, rows)
    assert_array_equal(frame["call_volume"], [10.0, 0.0, 1.0])
    assert frame.attrs["notes"] == []
    assert frame["put_oi"].isna().all()  # no put in the first snapshot: unknown, not 0


def test_every_session_starts_afresh_and_a_late_start_is_noted(tmp_path):
    rows = [row("15:30", 100, "P", 50, 1), row("10:00", 100, "P", 20, 2, day=7)]
    frame = read(tmp_path, rows)
    assert_array_equal(frame["put_volume"], [50.0, 20.0])
    assert_array_equal(frame["put_oi"], [1.0, 2.0])
    assert frame.attrs["notes"] == [
        "2 sessions begin more than 15 minutes after the open: "
        "the first bar holds all volume since the open"
    ]


def test_snapshots_up_to_the_open_are_left_out_and_those_after_the_close_are_kept(tmp_path):
    rows = [
        row("09:10", 100, "C", 999), row("09:15", 100, "C", 999), row("09:16", 100, "C", 1),
        row("15:30", 100, "C", 2), row("15:31", 100, "C", 5),
    ]  # fmt: skip
    frame = read(tmp_path, rows)
    assert clock(frame) == ["09:20", "15:30", "15:35"]
    assert_array_equal(frame["call_volume"], [1.0, 1.0, 3.0])
    assert frame.attrs["notes"] == ["2 rows up to the open left out"]
    kept = build_frame(frame, calendar="XBOM", where=Locations())
    assert_array_equal(kept["minutes_left"], [370.0, 0.0, -5.0])
    dropped = build_frame(frame, calendar="XBOM", where=Locations(), outside="drop")
    assert clock(dropped) == ["09:20", "15:30"]


def test_a_missing_spot_is_priced_by_parity_of_the_strikes_nearest_the_money(tmp_path):
    # forwards K + C - P: 101, 102, 103, 104, 105 near the money; the sixth strike is far off
    pairs = [(100, 3, 2), (101, 3, 2), (102, 3, 2), (103, 3, 2), (104, 3, 2), (50, 90, 1)]
    rows = [
        row("09:20", strike, right, 1, spot=np.nan, last=last)
        for strike, call, put in pairs
        for right, last in (("C", call), ("P", put))
    ]
    rows += [row("09:20", 103, r, 1, spot=np.nan, last=9, expiry="2026-02-24") for r in "CP"]
    rows += [row("09:20", 90, "C", 1, spot=np.nan, last=5), row("09:20", 90, "P", 1, last=0.0)]
    rows = [(*r[:6], np.nan, r[7]) for r in rows]
    frame = read(tmp_path, rows)
    assert frame["close"].item() == 103.0
    assert frame.attrs["notes"] == ["1 snapshot without spot priced by put-call parity"]


def test_the_volume_of_a_snapshot_without_price_is_seen_in_the_next(tmp_path):
    rows = [row("09:20", 100, "C", 3, spot=np.nan), row("09:25", 100, "C", 5)]
    frame = read(tmp_path, rows)
    assert clock(frame) == ["09:25"]
    assert_array_equal(frame["call_volume"], [5.0])
    assert frame.attrs["notes"] == ["1 snapshot without any price left out"]


def test_shares_become_contracts_by_the_lot_size(tmp_path):
    frame = read(tmp_path, [row("09:20", 100, "C", 150, 300)], lot_size=75)
    assert frame[["call_volume", "volume", "call_oi"]].iloc[0].tolist() == [2.0, 2.0, 4.0]


def test_rights_may_be_words_and_the_expiry_may_be_absent(tmp_path):
    rows = [row("09:20", 100, "CE", 3), row("09:20", 100, "put", 4)]
    table = pd.DataFrame(rows, columns=NAMES).drop(columns=["expiry", "last"])
    table.to_parquet(tmp_path / "nse.csv")  # told by its content
    frame = source().read(Locations((tmp_path,)), "XBOM")
    assert frame[["call_volume", "put_volume"]].iloc[0].tolist() == [3.0, 4.0]


snapshots = st.lists(
    st.tuples(
        st.integers(1, 374),
        st.sampled_from([95.0, 100.0]),
        st.sampled_from("CP"),
        st.integers(0, 50),
        st.integers(0, 9),
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda r: r[:3],
)
on_disk = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)


def table_of(rows) -> list[tuple]:
    start = pd.Timestamp("2026-01-06 09:15")
    out = []
    for minute, strike, right, volume, interest in sorted(rows):
        stamp = start + pd.Timedelta(minutes=minute)
        out.append(row(f"{stamp:%H:%M}", strike, right, volume, interest, spot=100 + minute % 7))
    return out


@on_disk
@given(snapshots, st.sampled_from([5, 15, 60]))
def test_the_flow_of_a_session_is_the_sum_of_the_contracts_highest_volumes(tmp_path, rows, width):
    frame = read(tmp_path, table_of(rows), bar_minutes=width)
    highest: dict[tuple, int] = {}
    for _, strike, right, volume, _ in rows:
        highest[strike, right] = max(volume, highest.get((strike, right), 0))
    for column, right in (("call_volume", "C"), ("put_volume", "P")):
        assert frame[column].sum() == sum(v for k, v in highest.items() if k[1] == right)
        assert (frame[column] >= 0).all()
    assert (frame["high"] >= frame[["open", "close", "low"]].max(axis=1)).all()


@on_disk
@given(snapshots, st.integers(1, 374))
def test_later_snapshots_change_nothing_before_them(tmp_path, rows, cut):
    whole = read(tmp_path, table_of(rows))
    past = [r for r in rows if r[0] <= cut]
    if past:
        known = read(tmp_path, table_of(past))
        end = pd.Timestamp("2026-01-06 09:15", tz="Asia/Kolkata") + pd.Timedelta(minutes=cut)
        assert_frame_equal(whole[whole.index <= end], known[known.index <= end])


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([row("09:20", 100, "X", 1)], {}, r"right: row 1 is .X.; wanted C or P"),
        ([row("09:20", 100, None, 1)], {}, r"right: row 1 is blank"),
        ([row("09:20", 100, "C", "x")], {}, r"cum_volume: row 1 is .x.; wanted a number"),
        ([row("09:20", 100, "C", 1, expiry="soon")], {}, r"expiry: row 1 is .soon.; wanted a date"),
        ([row("09:20", 100, "C", 1, expiry=None)], {}, r"expiry: row 1 is blank"),
        ([row("09:20", 100, "C", 1)], {"timezone": None}, r"have no time zone"),
        ([row("09:20", 100, "C", 1, spot=np.nan)], {}, r"no snapshot has a spot"),
        ([row("04:00", 100, "C", 1)], {}, r"no snapshot has a spot.*check timezone"),
        ([row("09:20", 100, "C", 1)], {"columns": {"strike": "K"}}, r"no column 'K' for 'strike'"),
    ],
)
def test_what_is_no_chain_is_refused_in_one_line(tmp_path, rows, options, message):
    with pytest.raises(InputError, match=rf"^nse\.csv: .*{message}|^nse\.csv: {message}") as caught:
        read(tmp_path, rows, **options)
    assert "\n" not in str(caught.value)


def test_a_missing_column_and_a_mix_of_symbols_are_refused(tmp_path):
    where = Locations((tmp_path,))
    table = pd.DataFrame([row("09:20", 100, r, 1) for r in "CP"], columns=NAMES)
    table.drop(columns="right").to_csv(tmp_path / "nse.csv", index=False)
    with pytest.raises(InputError, match=r"^nse.csv: no column 'right' \(found: ts, expiry"):
        source().read(where, "XBOM")
    table.drop(columns=["spot", "last"]).to_csv(tmp_path / "nse.csv", index=False)
    with pytest.raises(InputError, match=r"^nse.csv: no column 'spot' or 'last'"):
        source().read(where, "XBOM")
    table.assign(symbol=["A", "B"]).to_csv(tmp_path / "nse.csv", index=False)
    with pytest.raises(InputError, match=r"^nse.csv: symbol: holds A, B; wanted one; set symbol"):
        source().read(where, "XBOM")
    assert source(symbol="B").read(where, "XBOM")["put_volume"].item() == 1.0


REAL = "options_flow_long/nse_option_snapshots_2026-01-06_2026-02-05.parquet"


@pytest.mark.real_data
@pytest.mark.parametrize("symbol", ["RELIANCE", "HDFCBANK", "SBIN", "NIFTY"])
def test_real_flow_adds_up_to_the_published_day_totals(real_data, symbol):
    begin = time.perf_counter()
    frame = OptionSnapshotsSource(path=REAL, symbol=symbol, timezone="Asia/Kolkata").read(
        Locations((real_data,)), "XBOM"
    )
    assert time.perf_counter() - begin < 3.0
    built = build_frame(frame, calendar="XBOM", where=Locations())  # late snapshots are kept
    assert any("not in calendar XBOM" in n and "2026-02-01" in n for n in built.attrs["notes"])
    days = built.index.strftime("%Y-%m-%d")
    totals = pd.read_csv(real_data / "options_flow_long/nse_daily_totals.csv")
    expected = totals[totals["symbol"] == symbol].groupby("day")[["call_volume", "put_volume"]]
    found = built.groupby(days)[["call_volume", "put_volume"]].sum()
    assert_array_equal(found, expected.sum())  # every session, to the share
    by_day = built.groupby(days)["put_oi"]
    assert_array_equal(by_day.min(), by_day.max())  # constant through the session


@pytest.mark.real_data
def test_parity_agrees_with_the_spot_where_both_are_known(real_data, tmp_path):
    table = pd.read_parquet(real_data / REAL).query("symbol == 'NIFTY' and spot == spot")
    table.to_parquet(tmp_path / "nse.csv")
    table.drop(columns="spot").to_parquet(tmp_path / "parity.csv")
    where = Locations((tmp_path,))
    spot = source(symbol="NIFTY").read(where, "XBOM")["close"]
    forward = OptionSnapshotsSource(path="parity.csv", symbol="NIFTY", timezone="Asia/Kolkata")
    by_parity = forward.read(where, "XBOM")["close"]
    # a forward of a week at most, at Indian rates: within 0.4 % of the spot, 0.05 % on average
    assert_allclose(by_parity, spot, rtol=4e-3)
    assert abs((by_parity / spot - 1).mean()) < 1e-3


def snapshots_of(zone: str) -> list[tuple]:
    """Return a day of snapshots every five minutes, 09:10 to 15:45 at the exchange."""
    when = pd.date_range("2026-01-06 09:10", "2026-01-06 15:45", freq="5min", tz="Asia/Kolkata")
    clocks = when.tz_convert(zone).strftime("%H:%M")
    return [row(clock, 100, "C", float(min(i, 75))) for i, clock in enumerate(clocks)]


@pytest.mark.parametrize("said", ["Asia/Kolkata", "Europe/London", "Europe/Moscow"])
def test_snapshots_in_a_wrong_zone_are_warned_of_though_most_are_left_out(tmp_path, said):
    frame = read(tmp_path, snapshots_of("UTC"), timezone=said)
    built = build_frame(frame, calendar="XBOM", where=Locations((tmp_path,)))
    warned = [n for n in built.attrs["notes"] if getattr(n, "code", "") == "bars-outside-hours"]
    if said == "Europe/London":  # the same clock in winter
        assert warned == []
        return
    (note,) = warned
    assert note.startswith("warning: ")
    assert "of 80 snapshots" in note
    assert "UTC" in note


def test_a_collector_that_runs_before_and_after_the_session_is_no_wrong_zone(tmp_path):
    frame = read(tmp_path, snapshots_of("Asia/Kolkata"))
    built = build_frame(frame, calendar="XBOM", where=Locations((tmp_path,)))
    assert not [n for n in built.attrs["notes"] if getattr(n, "code", "") == "bars-outside-hours"]


BOOK = [(k, r) for k in range(80, 125, 5) for r in "CP"]


def whole(minutes, seconds=lambda _: 0, **options) -> list[tuple[object, ...]]:
    """Rows of snapshots of the whole book, each contract at its own second."""
    return [
        row(f"09:{m:02d}:{seconds(i):02d}", k, r, 10 * (at + 1), 5 + at, **options)
        for at, m in enumerate(minutes)
        for i, (k, r) in enumerate(BOOK)
    ]


def test_contracts_with_stamps_of_their_own_are_one_snapshot_known_at_the_newest(tmp_path):
    frame = read(tmp_path, whole([20, 25, 30], lambda i: 3 * i))
    usual = read(tmp_path, whole([21, 26, 31]))  # 51 seconds later: in the bar that comes next
    assert_frame_equal(frame, usual)
    assert frame["call_oi"].iloc[0] == 5 * len(BOOK) / 2


def test_stamps_of_last_quotes_and_strikes_in_thousandths_are_refused(tmp_path):
    rows = whole([20], lambda _: 0)
    spread = [(f"2026-01-06 09:{16 + 2 * i:02d}", *r[1:]) for i, r in enumerate(rows)]
    with pytest.raises(InputError, match=r"nse\.csv: ts: the stamps are of last quotes"):
        read(tmp_path, spread)
    large = [(r[0], r[1], 1000.0 * r[2], *r[3:]) for r in rows]
    with pytest.raises(InputError, match=r"strike: 80,000 .* give unit: strike_thousandths"):
        read(tmp_path, large)
    assert_frame_equal(read(tmp_path, large, unit="strike_thousandths"), read(tmp_path, rows))


def test_partial_snapshots_and_several_spots_are_warnings(tmp_path):
    rows = whole([20, 25, 30, 35])[:-12]
    rows[0] = (*rows[0][:6], 104.0, rows[0][7])
    notes = read(tmp_path, rows).attrs["notes"]
    assert (
        "warning: 1 snapshot with several spots, the first from 100 to 104; the median taken"
        in (notes)
    )
    assert any(n.startswith("warning: 1 snapshot of 4 partial") for n in notes)
    assert not any("warning" in n for n in read(tmp_path, whole([20, 25, 30])).attrs["notes"])


@pytest.mark.parametrize("expiry", ["27-Jan-2026", "27/01/2026", "27JAN26", 1769452200])
def test_expiries_are_dates_in_any_notation(tmp_path, expiry):
    where = Locations((tmp_path,))  # 1769452200 is midnight of that day in Kolkata
    pd.DataFrame(whole([20], expiry=expiry), columns=NAMES).to_csv(tmp_path / "nse.csv")
    expires = source().snapshots(where, "XBOM").chain.expires
    assert set(expires.tolist()) == {pd.Timestamp(EXPIRY).toordinal() - 719_163}


def test_rights_in_words_and_markers_of_none_are_read(tmp_path):
    rows = [(*r[:3], {"C": "calls", "P": "puts"}[r[3]], *r[4:]) for r in whole([20, 25])]
    assert_frame_equal(read(tmp_path, rows), read(tmp_path, whole([20, 25])))
    rows = whole([20, 25])
    rows[0] = (*rows[0][:5], -1, *rows[0][6:])
    assert read(tmp_path, rows)["call_oi"].iloc[0] == 5 * (len(BOOK) / 2 - 1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"open_interest": -5.0}, r"row 2, open_interest is -5; wanted 0 or more"),
        ({"cum_volume": -2.0}, r"row 2, cum_volume is -2; wanted 0 or more"),
        ({"cum_volume": np.inf}, r"row 2, cum_volume is inf; wanted a number within"),
        ({"spot": 1e308}, r"row 2, spot is 1e\+308"),
    ],
)
def test_amounts_that_cannot_be_are_refused_with_their_row(tmp_path, changed, message):
    rows = [row("09:20", 100, "C", 10, 5), row("09:20", 100, "P", 4, 7)]
    table = pd.DataFrame(rows, columns=NAMES).astype({"cum_volume": float})
    for column, value in changed.items():
        table.loc[1, column] = value
    with pytest.raises(InputError, match=rf"^nse\.csv: {message}"):
        read(tmp_path, table)


def test_a_spot_of_zero_or_less_is_none_and_no_bar_has_a_price_below_zero(tmp_path):
    rows = [
        row("09:20", 100, "C", 10, spot=0.0, last=4.0),
        row("09:20", 100, "P", 4, spot=0.0, last=3.0),
        row("09:25", 100, "C", 12, spot=-1.0, last=np.nan), row("09:30", 100, "C", 14, spot=102.0),
        row("09:35", 100, "C", 1, spot=-1.0, last=1.0),
        row("09:35", 100, "P", 1, spot=-1.0, last=300.0),
    ]  # fmt: skip
    frame = read(tmp_path, rows)
    assert_array_equal(
        frame["close"], [101.0, 102.0]
    )  # parity, then spot; 100 + 1 - 300 is no price
    assert "2 snapshots without any price left out" in frame.attrs["notes"]
