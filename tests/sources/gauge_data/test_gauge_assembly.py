from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hpi_bt.errors import InputError
from hpi_bt.sources.base import Locations
from hpi_bt.sources.gauge_data.assembly import gauge_inputs
from hpi_bt.sources.gauge_data.clock import new_york_date
from hpi_bt.sources.gauge_data.publication import (
    known_at,
    newest_due,
    next_opens,
    published,
    sessions_between,
)
from hpi_bt.sources.gauge_data.series import Piece, join_pieces

law = settings(max_examples=60, deadline=None)
TODAY = date(2026, 11, 20)


def sessions(*days):
    return pd.DatetimeIndex(list(days), name="date").as_unit("ns")


def wall(nanos):
    return [str(t) for t in pd.DatetimeIndex(np.asarray(nanos).astype("M8[ns]"))]


def write(folder, name, header, rows):
    lines = [",".join(map(str, row)) for row in rows]
    (folder / name).write_text("\n".join([header, *lines, ""]))


@pytest.fixture
def folder(tmp_path):
    """Around Columbus Day, 2024-10-14: shares trade, bonds rest."""
    days = ["2024-10-09", "2024-10-10", "2024-10-11", "2024-10-14", "2024-10-15", "2024-10-16"]
    us = [f"{d[5:7]}/{d[8:]}/{d[:4]}" for d in days]
    write(tmp_path, "SPY.csv", "Date,Open,High,Low,Close,Volume", [
        (d, p, p, p, p, 9) for d, p in zip(days, [100, 90, 99, 110, 88, 99], strict=True)
    ])  # fmt: skip
    head = "DATE,OPEN,HIGH,LOW,CLOSE"
    write(tmp_path, "VIX_History.csv", head, [(d, 0, 0, 0, 20 + i) for i, d in enumerate(us)])
    write(tmp_path, "VIX3M_History.csv", head, [(d, 0, 0, 0, 10) for d in us])
    bonds = [d for d in us if d != "10/14/2024"]
    write(tmp_path, "rates.csv", 'Date,"3 Mo","2 Yr","10 Yr"', [
        (d, 4, 3 + i / 10, 5) for i, d in reversed(list(enumerate(bonds)))
    ])  # fmt: skip
    rest = [d for d in days if d != "2024-10-14"]
    write(tmp_path, "SOFR.csv", "observation_date,SOFR", [
        (d, 5 + i / 10) for i, d in enumerate(rest)
    ])  # fmt: skip
    write(tmp_path, "hy.csv", "observation_date,BAMLH0A0HYM2", [
        (d, 3 + i / 10) for i, d in enumerate(rest)
    ])  # fmt: skip
    return tmp_path


def test_publication_by_hand():
    friday = sessions("2024-10-11")  # Monday is Columbus Day
    assert wall(published(friday, "close")) == ["2024-10-11 16:15:00"]
    assert wall(published(friday, "sofr")) == ["2024-10-15 08:00:00"]
    assert wall(published(friday, "h15")) == ["2024-10-15 16:15:00"]
    assert wall(published(sessions("2024-10-12"), "fred")) == ["2024-10-15 10:00:00"]


def test_the_next_open_skips_weekends_and_holidays():
    days = sessions("2024-11-27", "2024-11-29", "2024-10-11")
    want = ["2024-11-29 09:30:00", "2024-12-02 09:30:00", "2024-10-14 09:30:00"]
    assert wall(next_opens(days)) == want


def test_sessions_between_two_dates():
    first, last = pd.Timestamp("2024-11-27"), pd.Timestamp("2024-12-02")
    got = sessions_between(first, last)
    assert [str(d.date()) for d in got] == ["2024-11-27", "2024-11-29", "2024-12-02"]
    assert sessions_between(last, first).empty
    saturday = pd.Timestamp("2024-11-30")
    assert sessions_between(saturday, saturday).empty


def test_rows_know_what_was_published_before_the_next_open(folder):
    got = gauge_inputs(folder, Locations((folder,)), credit=True, today=TODAY)
    assert list(got.components) == [
        "vix",
        "term_structure",
        "curve",
        "funding",
        "credit",
        "drawdown",
    ]
    assert_allclose(got.components["vix"], [20, 21, 22, 23, 24, 25])
    # the Treasury posts its yields the same day, none on Monday
    assert_allclose(got.components["curve"], [-2, -1.9, -1.8, -1.8, -1.7, -1.6])
    # Friday's SOFR comes on Tuesday at 8: too late for Monday's open, in time for Tuesday's
    assert_allclose(got.components["funding"], [1.0, 1.1, 1.1, 1.2, 1.3, 1.4])
    # the spread comes after the open: a session late
    assert_allclose(got.components["credit"], [np.nan, 3, 3.1, 3.1, 3.2, 3.3])
    assert_allclose(got.components["drawdown"], [0, 0.1, 0.01, 0, 0.2, 0.1], atol=1e-12)
    dates = got.data_dates.loc["2024-10-14"]
    assert (str(dates["funding"].date()), str(dates["credit"].date())) == (
        "2024-10-11",
        "2024-10-10",
    )
    assert got.sources["funding"] == "FRED SOFR and US Treasury"


def test_rows_begin_with_the_earliest_component_on_the_exchanges_sessions(folder):
    where = Locations((folder,))
    whole = gauge_inputs(folder, where, credit=True, today=TODAY)
    lines = (folder / "SPY.csv").read_text().splitlines()
    (folder / "SPY.csv").write_text("\n".join([lines[0], *lines[4:], ""]))  # from 2024-10-14
    got = gauge_inputs(folder, where, credit=True, today=TODAY)
    others = [c for c in whole.components if c != "drawdown"]
    assert got.components[others].equals(whole.components[others])
    assert_allclose(got.spy, [np.nan] * 3 + [110, 88, 99])
    assert_allclose(got.components["drawdown"], [np.nan] * 3 + [0, 0.2, 0.1], atol=1e-12)
    assert got.data_dates["drawdown"].isna().tolist() == [True] * 3 + [False] * 3
    assert str(got.freshness.loc["drawdown", "first"].date()) == "2024-10-14"
    assert str(got.freshness.loc["vix", "first"].date()) == "2024-10-09"
    assert not got.freshness["stale"].any()


@pytest.mark.parametrize("day", ["2024-10-10", "2024-10-11", "2024-10-14", "2024-10-15"])
def test_as_of_reproduces_every_past_day(folder, day):
    where = Locations((folder,))
    whole = gauge_inputs(folder, where, credit=True, today=TODAY)
    then = gauge_inputs(folder, where, credit=True, as_of=day, today=TODAY)
    assert then.components.equals(whole.components.loc[:day])
    assert then.data_dates.equals(whole.data_dates.loc[:day])
    # and reads nothing that was published later
    text = (folder / "VIX_History.csv").read_text().splitlines()
    keep = [t for t in text[1:] if pd.Timestamp(t.split(",")[0]) <= pd.Timestamp(day)]
    (folder / "VIX_History.csv").write_text("\n".join([text[0], *keep, ""]))
    cut = gauge_inputs(folder, where, credit=True, as_of=day, today=TODAY)
    assert (cut.notes, cut.sources) == (then.notes, then.sources)
    assert cut.freshness.equals(then.freshness)


def test_a_value_is_carried_for_five_sessions_and_then_missing():
    days = pd.bdate_range("2024-01-02", "2024-01-12", name="date").as_unit("ns")
    one = pd.Series([7.0], index=days[:1])
    got = known_at(one, published(days[:1], "close"), days, next_opens(days))
    assert_allclose(got.data, [7] * 6 + [np.nan] * 3)
    assert got.dates[5] == days[0]
    assert got.dates[6] is pd.NaT
    short = known_at(one, published(days[:1], "close"), days, next_opens(days), max_age_sessions=0)
    assert_allclose(short.data, [7] + [np.nan] * 8)
    assert np.isnan(known_at(one[:0], np.array([], int), days, next_opens(days)).data).all()


@law
@given(
    st.lists(st.integers(0, 40), unique=True, min_size=1).map(sorted),
    st.sampled_from(["close", "evening", "treasury", "sofr", "h15", "fred"]),
    st.integers(0, 6),
)
def test_no_row_uses_what_the_next_open_did_not_know(offsets, rule, max_age):
    """Against the slow version: for every row, look at every value."""
    days = pd.bdate_range("2024-10-01", periods=20, name="date").as_unit("ns")
    dates = pd.DatetimeIndex([days[0] + pd.Timedelta(days=o - 5) for o in offsets]).as_unit("ns")
    series = pd.Series(np.arange(len(dates), dtype=float), index=dates)
    stamps, opens = published(dates, rule), next_opens(days)
    got = known_at(series, stamps, days, opens, max_age_sessions=max_age)
    for t, day in enumerate(days):
        usable = [i for i, d in enumerate(dates) if d <= day and stamps[i] < opens[t]]
        age = sum(dates[usable[-1]] < s <= day for s in days) if usable else 99
        want = float(usable[-1]) if age <= max_age else np.nan
        assert_allclose(got.data[t], want)


def test_the_better_source_counts_and_substitutes_are_named():
    days = sessions("2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05")
    cboe = Piece("vix", "Cboe VIX", 0, "close", pd.Series([20.0, 21.0], index=days[[1, 2]]))
    yahoo = Piece("vix", "Yahoo ^VIX", 2, "close", pd.Series([17.0, 18, 19, 24], index=days))
    got = join_pieces([yahoo, cboe])["vix"]
    assert got.data.tolist() == [17.0, 20.0, 21.0, 24.0]
    assert got.notes == [
        "vix: Yahoo ^VIX stands in, 1 day before 2024-01-03, 1 day after 2024-01-04"
    ]
    assert got.described() == "Yahoo ^VIX, then Cboe VIX"


def test_files_of_one_source_that_differ_are_named():
    days = sessions("2024-01-02", "2024-01-03")
    a = Piece("sofr", "FRED SOFR", 1, "sofr", pd.Series([5.0, 5.1], index=days))
    b = Piece("sofr", "FRED SOFR", 1, "sofr", pd.Series([5.0, 5.2], index=days))
    got = join_pieces([a, b])["sofr"]
    assert got.data.tolist() == [5.0, 5.1]
    assert "files of FRED SOFR differ on 1 date(s), the first on 2024-01-03" in got.notes[0]


def test_freds_spread_gives_the_bill_where_the_treasury_has_none():
    days = sessions("2024-01-02")
    y10 = Piece("y10", "FRED DGS10", 1, "h15", pd.Series([4.0], index=days))
    spread = Piece("t10y3m", "FRED T10Y3M", 1, "h15", pd.Series([-1.3], index=days))
    assert join_pieces([y10, spread])["bill3m"].data.tolist() == [5.3]


def test_yahoo_in_tenths_and_values_that_cannot_be_are_named(folder):
    write(folder, "tnx.csv", "Date,Open,High,Low,Close,Volume", [("2024-10-09", 0, 0, 0, 41.6, 0)])
    write(folder, "vix.csv", "Date,Open,High,Low,Close,Volume", [("2024-10-09", 0, 0, 0, 0, 0)])
    files = {"spy": "SPY.csv", "vix": ["vix.csv", "VIX_History.csv"], "y10": "tnx.csv"}
    got = gauge_inputs(files, Locations((folder,)), today=TODAY)
    assert "Yahoo ^TNX: values are ten times the yield, divided by 10" in got.notes
    assert "vix.csv: 1 value(s) not above 0, left out" in got.notes


def test_what_was_due_by_hand():
    """Around Columbus Day (2024-10-14), and Thanksgiving with its half day (2024-11-29)."""

    def due(row, rule):
        day = sessions(row)
        return str(newest_due(day[0], int(next_opens(day)[0]), rule).date())

    assert due("2024-10-14", "close") == due("2024-10-14", "evening") == "2024-10-14"
    assert due("2024-10-14", "treasury") == "2024-10-11"
    assert due("2024-10-14", "sofr") == "2024-10-11"
    assert due("2024-10-11", "sofr") == "2024-10-10"  # Friday's comes on Tuesday
    assert due("2024-10-14", "h15") == "2024-10-10"
    assert due("2024-11-29", "treasury") == due("2024-11-29", "close") == "2024-11-29"
    assert due("2024-11-29", "sofr") == "2024-11-29"
    assert due("2024-11-29", "h15") == "2024-11-27"
    assert due("2024-03-28", "treasury") == "2024-03-28"  # before Good Friday


@pytest.mark.parametrize("day", ["2024-10-10", "2024-10-11", "2024-10-14", "2024-10-15"])
def test_what_rests_on_a_bond_holiday_is_not_stale(folder, day):
    got = gauge_inputs(folder, Locations((folder,)), credit=True, as_of=day, today=TODAY)
    assert not got.freshness["stale"].any()
    assert got.notes == ()


def test_one_session_behind_is_stale(folder):
    text = (folder / "VIX_History.csv").read_text().splitlines()
    (folder / "VIX_History.csv").write_text("\n".join(text[:-1]))
    files = {"spy": "SPY.csv", "vix": "VIX_History.csv", "treasury": "rates.csv"}
    got = gauge_inputs(files, Locations((folder,)), today=TODAY)
    assert got.freshness["stale"].to_dict() == {"vix": True, "curve": False, "drawdown": False}
    assert got.notes == (
        "warning: vix is stale: its data end 2024-10-15, 1 session before 2024-10-16; "
        "carried forward",
    )


def test_what_comes_tomorrow_is_not_missed_this_evening(folder):
    path = folder / "SOFR.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))  # to 2024-10-15
    where, evening = Locations((folder,)), date(2024, 10, 16)
    assert not gauge_inputs(folder, where, today=evening).freshness["stale"].any()
    morning = gauge_inputs(folder, where, today=date(2024, 10, 17)).freshness["stale"]
    assert morning.index[morning].tolist() == ["funding"]
    then = gauge_inputs(folder, where, as_of=evening, today=evening).freshness["stale"]
    assert then["funding"]  # the gauge for the 17th, as it was at its open


def test_what_is_stale_is_said(folder):
    files = {"spy": "SPY.csv", "vix": "VIX_History.csv"}
    text = (folder / "VIX_History.csv").read_text().splitlines()
    (folder / "VIX_History.csv").write_text("\n".join(text[:3]))
    got = gauge_inputs(files, Locations((folder,)), today=TODAY, max_age_sessions=3)
    assert got.notes == (
        "warning: vix is stale: its data end 2024-10-10, 4 sessions before 2024-10-16; left out",
    )
    assert got.freshness.loc["vix", "age_sessions"] == 4
    assert not got.freshness.loc["drawdown", "stale"]


def test_a_component_that_begins_later_is_said(folder):
    rows = [("10/17/2024", 0, 0, 0, 20)]
    write(folder, "VIX_History.csv", "DATE,OPEN,HIGH,LOW,CLOSE", rows)
    got = gauge_inputs(
        {"spy": "SPY.csv", "vix": "VIX_History.csv"}, Locations((folder,)), today=TODAY
    )
    assert got.notes == ("warning: vix has no data by 2024-10-16",)
    assert got.components["vix"].isna().all()


def test_a_folder_names_what_it_ignores(folder):
    write(folder, "SKEW_History.csv", "DATE,SKEW", [("01/02/1990", 126)])
    write(folder, "trades.csv", "price,size", [(1, 2)])
    got = gauge_inputs(folder, Locations((folder,)), today=TODAY)
    assert "no input of the gauge, ignored: SKEW_History.csv" in got.notes
    assert any(n.startswith("ignored: trades.csv: no line begins with a date") for n in got.notes)
    assert "credit" not in got.components


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<html><title>Access denied</title>", r"SOFR.csv: a web page \(Access denied\), no data"),
        ("observation_date,SOFR\n2024-10-09,5\n2024-10-09,6\n", "SOFR.csv: .*2024-10-09"),
        ("observation_date,SOFR\n2027-10-09,5\n", "SOFR.csv: .* lies in the future"),
        ("observation_date,SOFR\n2024-10-09,five\n", "SOFR.csv: "),
        ("", "SOFR.csv: empty"),
    ],
)
def test_a_damaged_file_of_a_folder_is_refused_not_left_out(folder, text, message):
    (folder / "SOFR.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        gauge_inputs(folder, Locations((folder,)), today=TODAY)


def test_a_file_that_is_no_input_may_hold_any_dates(folder):
    (folder / "SKEW_History.csv").write_text("DATE,SKEW\n01/02/2030,126.09\n")
    got = gauge_inputs(folder, Locations((folder,)), today=TODAY)
    assert "no input of the gauge, ignored: SKEW_History.csv" in got.notes
    (folder / "VIX_more.csv").write_text("DATE,OPEN,HIGH,LOW,CLOSE\n01/02/2030,1,1,1,20\n")
    with pytest.raises(InputError, match=r"VIX_more\.csv: line 2, date 2030-01-02 lies in the fut"):
        gauge_inputs(folder, Locations((folder,)), today=TODAY)


def test_a_file_of_ones_own_steps_in_where_no_official_one_is(folder):
    (folder / "mine.csv").write_text("date,vix\n2024-10-09,77\n2024-10-16,44\n")
    lines = (folder / "VIX_History.csv").read_text().splitlines()
    (folder / "VIX_History.csv").write_text("\n".join([*lines[:-1], ""]))
    got = gauge_inputs(folder, Locations((folder,)), today=TODAY)
    assert got.components["vix"].tolist() == [20, 21, 22, 23, 24, 44]
    assert "vix: mine.csv stands in, 1 day after 2024-10-15" in got.notes
    alone = {"spy": "SPY.csv", "vix": "mine.csv"}
    got = gauge_inputs(alone, Locations((folder,)), today=TODAY)
    assert got.components["vix"].iloc[[0, -1]].tolist() == [77, 44]  # at the close, not later
    assert got.sources["vix"] == "mine.csv"
    with pytest.raises(InputError, match=r"mine\.csv: given as vix3m, but it holds vix"):
        gauge_inputs(alone | {"vix3m": "mine.csv"}, Locations((folder,)), today=TODAY)


def of_spy(folder, days):
    rows = [(f"{d:%Y-%m-%d}", 9, 9, 9, 400 + i % 7, 9) for i, d in enumerate(days)]
    write(folder, "SPY.csv", "Date,Open,High,Low,Close,Volume", rows)
    vix = [(f"{d:%m/%d/%Y}", 0, 0, 0, 20 + i % 5) for i, d in enumerate(days)]
    write(folder, "VIX_History.csv", "DATE,OPEN,HIGH,LOW,CLOSE", vix)
    return gauge_inputs(
        {"spy": "SPY.csv", "vix": "VIX_History.csv"}, Locations((folder,)), today=TODAY
    )


def test_sessions_that_spy_lacks_are_told(tmp_path):
    days = sessions_between(pd.Timestamp("2024-01-02"), pd.Timestamp("2024-12-31"))
    assert not any(n.startswith("spy") for n in of_spy(tmp_path, days).notes)
    got = of_spy(tmp_path, days.delete([50, 51, 52, 53, 54, 90]))
    assert (
        "spy: no close on 6 sessions of the exchange, which have no row: 2024-03-14, 2024-03-15, "
        "2024-03-18, 2024-03-19, 2024-03-20 and 1 more"
    ) in got.notes
    assert len(got.spy) == len(days) - 6


def test_a_date_of_spy_that_is_no_session_is_left_out_and_told(tmp_path):
    days = sessions_between(pd.Timestamp("2024-01-02"), pd.Timestamp("2024-12-31"))
    got = of_spy(tmp_path, days.append(pd.DatetimeIndex(["2024-07-04"])).sort_values())
    assert "spy: no session of the exchange, left out: 2024-07-04" in got.notes
    assert got.spy.index.equals(days)


@pytest.mark.parametrize(
    "days",
    [
        pd.date_range("2024-01-02", "2024-06-28"),  # of a market that never rests
        sessions_between(pd.Timestamp("2024-01-02"), pd.Timestamp("2024-12-31"))
        - pd.Timedelta(days=1),  # a day early: a look ahead
    ],
)
def test_dates_of_another_market_or_shifted_ones_are_refused(tmp_path, days):
    with pytest.raises(InputError, match=r"spy: \d+ of \d+ dates are no session of the exchange"):
        of_spy(tmp_path, days)


def test_before_spys_first_close_the_exchanges_sessions_are_the_rows(folder):
    lines = (folder / "SPY.csv").read_text().splitlines()
    (folder / "SPY.csv").write_text("\n".join([lines[0], *lines[4:], ""]))
    whole = gauge_inputs(folder, Locations((folder,)), today=TODAY)
    then = gauge_inputs(folder, Locations((folder,)), today=TODAY, as_of="2024-10-11")
    names = ["vix", "term_structure", "curve", "funding"]
    assert list(then.components) == names
    assert then.components.equals(whole.components.loc[:"2024-10-11", names])
    assert then.spy.isna().all()
    assert whole.components.loc[:"2024-10-11", "drawdown"].isna().all()


def test_a_mapping_may_add_to_a_folder(folder):
    (folder / "prices").mkdir()
    lines = (folder / "SPY.csv").read_text().lower()
    (folder / "SPY.csv").unlink()
    (folder / "prices" / "x.csv").write_text(lines)
    files = {"folder": ".", "spy": "prices/x.csv"}
    got = gauge_inputs(files, Locations((folder,)), today=TODAY)
    assert list(got.components) == ["vix", "term_structure", "curve", "funding", "drawdown"]
    assert got.sources["drawdown"] == "price file SPY"


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ({"vic": "SPY.csv"}, {}, "gauge: no series 'vic' .did you mean 'vix'"),
        ({"vix": "VIX_History.csv"}, {}, "gauge: no closes of SPY.* give its file as spy"),
        ({"spy": "SPY.csv"}, {}, "gauge: no component but SPY's own drawdown; give at least one"),
        ({"spy": "VIX_History.csv"}, {}, "given as spy, but its layout is cboe; wanted yahoo"),
        ({"vix": "SOFR.csv"}, {}, "SOFR.csv: given as vix, but it holds FRED SOFR"),
        ({"spy": "none.csv"}, {}, "none.csv: no such file"),
        ("nowhere", {}, "nowhere: no such folder"),
        (None, {}, "nothing of SPY in the cache; run hpi-bt fetch gauge once"),
        (".", {"as_of": "soon"}, "as_of: 'soon' is no date; write 2024-12-31"),
        (".", {"as_of": "2026-11-21"}, "as_of: 2026-11-21 lies in the future"),
        (".", {"as_of": "1999-01-04"}, "as_of: 1999-01-04 is before the first day of any"),
        (".", {"today": date(2024, 10, 10)}, "csv: line .* lies in the future"),
    ],
)
def test_what_makes_no_gauge_is_refused(folder, files, options, message):
    with pytest.raises(InputError, match=message):
        gauge_inputs(files, Locations((folder,), folder / "cache"), **{"today": TODAY, **options})


def test_the_wrong_put_call_product_is_refused(folder):
    lines = [", PRODUCT: INDEX,,x,", "DATE,CALL,PUT,TOTAL,P/C Ratio", "10/09/2024,1,2,3,2.0"]
    (folder / "indexpc.csv").write_text("\n".join(lines))
    files, where = {"spy": "SPY.csv", "put_call": "indexpc.csv"}, Locations((folder,))
    with pytest.raises(InputError, match="put/call of index, wanted total; give the file"):
        gauge_inputs(files, where, today=TODAY)
    with pytest.raises(InputError, match="put_call product 'vix'; give one of total"):
        gauge_inputs(files, where, today=TODAY, product="vix")
    got = gauge_inputs(files, where, today=TODAY, product="index")
    assert got.components["put_call"].iloc[0] == 2.0
    assert "put_call" not in gauge_inputs(folder, where, today=TODAY).components  # total wanted


def test_the_day_is_new_yorks():
    assert new_york_date(datetime(2024, 6, 8, 3, 59, tzinfo=UTC)) == date(2024, 6, 7)


def test_a_folder_refuses_an_official_file_whose_columns_are_unknown(folder):
    write(folder, "VIX_History.csv", "DATE,OPEN,HIGH,LOW,LAST", [("01/02/1990", 1, 1, 1, 1)])
    with pytest.raises(InputError, match=r"VIX_History\.csv: columns DATE, .*LAST are no layout"):
        gauge_inputs(folder, Locations((folder,)), today=TODAY)
