"""Values that no market has: refused outside the limits, left out after a step beyond belief."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gauge_market import write_market
from hpi_bt.errors import InputError
from hpi_bt.gauging import gauge_report
from hpi_bt.sources.base import Locations
from hpi_bt.sources.gauge_data.assembly import gauge_inputs
from hpi_bt.sources.gauge_data.files import read_gauge_file
from hpi_bt.sources.gauge_data.plausibility import (
    LIMITS,
    Fault,
    ImplausibleError,
    check_limits,
    sudden_steps,
)
from hpi_bt.sources.gauge_data.series import Piece, join_pieces

law = settings(max_examples=60, deadline=None, derandomize=True, database=None)
TODAY = date(2024, 1, 2)


def series(*values, every=1):
    return pd.Series(values, pd.bdate_range("2022-01-03", periods=len(values) * every)[::every])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("vix", 1800.0, "x.csv: vix is 1800 on 2022-01-04; wanted 3 to 250 points, mend the value"),
        ("vix", 1.8, "vix is 1.8 on"),
        ("vix3m", 300.0, "vix3m is 300 on"),
        ("put_call", 95.0, "put_call is 95 on .* wanted 0.05 to 20 puts for each call"),
        ("y10", 430.0, "y10 is 430 on .* wanted -2 to 25 % a year"),
        ("y2", -3.0, "y2 is -3 on"),
        ("bill3m", 26.0, "bill3m is 26 on"),
        ("t10y3m", 40.0, "t10y3m is 40 on"),
        ("sofr", 530.0, "sofr is 530 on"),
        ("oas", 310.0, "oas is 310 on"),  # basis points
        ("spy", 0.01, "spy is 0.01 on 2022-01-04; wanted 1 to 100000 dollars"),
        ("vix", math.inf, "vix is inf on"),
    ],
)
def test_a_value_outside_the_limits_is_refused_in_one_line(name, value, message):
    middle = {"spy": 400.0, "vix": 20.0, "vix3m": 20.0}.get(name, 1.0)
    check_limits(series(middle, middle), name, "x.csv")
    with pytest.raises(InputError, match=message) as caught:
        check_limits(series(middle, value, middle), name, "x.csv")
    assert "\n" not in str(caught.value)


def test_more_such_days_are_counted():
    with pytest.raises(InputError, match=r"vix is 999 on 2022-01-03 \(2 more such days\); wanted"):
        check_limits(series(999.0, 20.0, 998.0, 1.0), "vix", "x")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("vix", (16.62, 36.37, 150.19)),  # VXO of October 1987
        ("vix", (17.31, 37.32, 29.98)),  # 2018-02-05
        ("sofr", (2.43, 5.25, 2.55)),  # 2019-09-17
        ("y10", (9.52, 8.77)),  # 1987-10-20, about
        ("bill3m", (13.08, 14.77)),  # 1982-02-01
        ("bill3m", (0.01, 0.0, -0.05)),
        ("spy", (100.0, 79.5)),  # a Black Monday
        ("oas", (9.65, 11.1)),
    ],
)
def test_what_markets_did_is_believed(name, values):
    check_limits(series(*values), name, "x")
    assert sudden_steps(series(*values), name) == []


def test_a_slip_of_the_decimal_point_is_left_out_by_hand():
    assert sudden_steps(series(13.1, 13.4, 134.0, 13.3, 13.5), "vix") == [Fault(2, 13.4, False)]
    assert sudden_steps(series(468.0, 46.77, 467.0), "spy") == [Fault(1, 468.0, False)]
    assert sudden_steps(series(4.3, 0.43, 4.2), "y10") == [Fault(1, 4.3, False)]
    last = sudden_steps(series(0.9, 0.95, 11.0), "put_call")  # nothing after it yet
    assert last == [Fault(2, 0.95, False)]


LOW_YIELDS = [
    ("y10", 1.6), ("y2", 0.25), ("bill3m", 0.05), ("sofr", 0.08), ("sofr", 4.3), ("oas", 3.1)
]  # fmt: skip
SHIFTED = [
    (name, level, factor)
    for name, level in LOW_YIELDS
    for factor in (10.0, 100.0, 0.1, 0.01)
    if abs(level * factor - level) > 0.21  # less than that markets do
]


@pytest.mark.parametrize(("name", "level", "factor"), SHIFTED)
def test_a_decimal_shifted_in_one_cell_is_left_out_however_low_yields_are(name, level, factor):
    values = [level + 0.01 * (i % 2) for i in range(30)]
    values[20] = round(values[20] * factor, 6)
    limits = LIMITS[name]
    if limits.low <= values[20] <= limits.high:
        assert [f.place for f in sudden_steps(series(*values), name)] == [20]
    else:
        with pytest.raises(ImplausibleError):
            check_limits(series(*values), name, "x")


def test_a_difference_of_yields_has_no_decimal_but_usual_steps():
    calm = [0.3 + 0.02 * (i % 3) for i in range(40)]
    slip = [*calm[:30], 1.5, *calm[31:]]
    assert [f.place for f in sudden_steps(series(*slip), "t10y3m")] == [30]
    assert sudden_steps(series(0.3, 1.5, 0.3), "t10y3m") == []  # too few steps to tell
    stormy = [0.3 + 0.4 * (i % 2) for i in range(40)]
    assert sudden_steps(series(*stormy[:30], 1.5, *stormy[31:]), "t10y3m") == []


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("bill3m", (0.84, 0.03, 0.23, 0.99)),  # 2008-09-17
        ("bill3m", (0.19, 0.02, 0.04)),  # 2020-03-18
        ("sofr", (0.54, 0.1, 0.06)),  # 2020-03-18
        ("sofr", (0.05, 0.3, 0.3)),  # 2022-03-17
        ("t10y3m", (0.07, 0.74, 1.0)),  # 1982-02-22
        ("bill3m", (-0.05, 0.5, 0.4)),
    ],
)
def test_what_low_yields_did_is_believed(name, values):
    assert sudden_steps(series(*values), name) == []


@pytest.mark.real_data
def test_real_yields_have_no_shifted_decimal(real_data):
    folder, found = real_data / "gauges", {}
    for path, names in {
        "daily-treasury-rates.csv": {"3 Mo": "bill3m", "2 Yr": "y2", "10 Yr": "y10"},
        "daily-treasury-rates_2021_2025.csv": {"3 Mo": "bill3m", "2 Yr": "y2", "10 Yr": "y10"},
        "SOFR.csv": {"SOFR": "sofr"},
        "DGS10.csv": {"DGS10": "y10"},
        "T10Y3M.csv": {"T10Y3M": "t10y3m"},
        "BAMLH0A0HYM2.csv": {"BAMLH0A0HYM2": "oas"},
    }.items():
        table = pd.read_csv(folder / path, na_values=["."])
        dates = pd.DatetimeIndex(pd.to_datetime(table.iloc[:, 0]))
        for column, name in names.items():
            values = table[column].set_axis(dates).dropna().sort_index()
            found[path, column] = sudden_steps(values, name)
    assert not any(found.values())


def test_a_level_that_lasts_is_believed_from_its_second_value_on():
    assert sudden_steps(series(400.0, 100.0, 101.0, 99.0), "spy") == [Fault(1, 400.0, True)]
    two = sudden_steps(series(20.0, 200.0, 4.0, 20.0), "vix")
    assert two == [Fault(1, 20.0, False)]  # 4 is no step from 20
    alone = sudden_steps(series(20.0, 200.0, 3.5, 20.0), "vix")
    assert alone == [Fault(1, 20.0, False), Fault(2, 20.0, False)]


def test_values_far_apart_in_time_say_nothing_of_each_other():
    assert sudden_steps(series(400.0, 100.0, every=9), "spy") == []
    assert len(sudden_steps(series(400.0, 100.0, every=8), "spy")) == 1


walks = st.lists(st.sampled_from([0.5, 1.0, 6.0, 9.0, 20.0, 60.0, 200.0]), min_size=1, max_size=30)


@law
@given(walks, st.integers(1, 29), st.sampled_from(["vix", "put_call", "y10", "spy"]))
def test_the_future_decides_nothing(walk, at, name):
    whole = {f.place for f in sudden_steps(series(*walk), name)}
    cut = {f.place for f in sudden_steps(series(*walk[:at]), name)}
    assert cut == {p for p in whole if p < at}


@law
@given(walks, st.sampled_from(["vix", "spy"]))
def test_no_step_beyond_belief_is_left_but_to_a_level_that_lasts(walk, name):
    values = series(*walk)
    faults = sudden_steps(values, name)
    kept = values.drop(values.index[[f.place for f in faults]])
    lasting = {f.place + 1 for f in faults if f.agreed}
    fold = LIMITS[name].fold
    places = {int(values.index.get_loc(day)) for day in kept.index}
    ratios = kept.to_numpy()[1:] / kept.to_numpy()[:-1]
    for day, ratio in zip(kept.index[1:], ratios, strict=True):
        near = max(ratio, 1.0 / ratio) <= fold * (1.0 + 1e-12)
        before = kept.index[kept.index.get_loc(day) - 1]
        assert near or values.index.get_loc(day) in lasting or (day - before).days > 10
    assert places | {f.place for f in faults} == set(range(len(walk)))


def test_a_fault_is_told_with_its_file_and_left_out():
    piece = Piece("vix", "Cboe VIX", 0, "close", series(13.1, 134.0, 13.3, 133.0, 13.2), "a.csv")
    got = join_pieces([piece])["vix"]
    assert got.data.tolist() == [13.1, 13.3, 13.2]
    assert got.notes == [
        "vix: data fault: 134 on 2022-01-04 after 13.1, the first of 2 (the last on 2022-01-06) "
        "in a.csv; left out, mend the file"
    ]
    split = Piece("spy", "Yahoo SPY", 0, "close", series(400.0, 100.0, 101.0), "b.csv")
    assert join_pieces([split])["spy"].notes == [
        "spy: data fault: 100 on 2022-01-04 after 400 in b.csv; left out, the values after it "
        "agree with it and are used, mend the file"
    ]


def altered(folder, name, day, scale):
    """Write the market with one close multiplied; in VIX files the close is the last cell."""
    write_market(folder)
    path = folder / name
    lines = path.read_text().splitlines()
    row = next(i for i, line in enumerate(lines) if line.startswith(day))
    cells = lines[row].split(",")
    place = -1 if len(cells) == 5 else 4
    cells[place] = f"{float(cells[place]) * scale:.6f}"
    lines[row] = ",".join(cells)
    path.write_text("\n".join([*lines, ""]))
    return folder


def whole_page(folder):
    page = folder / "whole.html"
    gauge_report(data_dir=write_market(folder / "a"), today=TODAY, out=page)
    return page.read_text()


def test_a_fault_changes_no_other_day_and_is_shown(tmp_path):
    whole = gauge_report(data_dir=write_market(tmp_path / "a"), today=TODAY)
    name = "gauges/VIX_History.csv"
    folder = altered(tmp_path / "b", name, "06/15/2022", 8.0)
    page = tmp_path / "page.html"
    got = gauge_report(data_dir=folder, today=TODAY, out=page)
    assert whole.inputs.faults == ()
    (fault,) = got.inputs.faults
    assert fault.startswith("vix: data fault: ")
    assert "on 2022-06-15 after" in fault
    assert fault in got.as_dict()["notes"]
    written = page.read_text().replace('<span class="date">', "").replace("</span>", "")
    block = written[written.index("Data faults") : written.index("What a warning was worth")]
    assert f"<li>VIX: {fault.partition('data fault: ')[2]}</li>" in block
    assert "Data faults" not in whole_page(tmp_path)
    vix, before = got.inputs.components["vix"], whole.inputs.components["vix"]
    assert vix["2022-06-15"] == before["2022-06-14"]  # carried forward
    assert vix.drop("2022-06-15").equals(before.drop("2022-06-15"))
    then = gauge_report(data_dir=folder, as_of="2022-06-15", today=TODAY)
    assert then.latest.smoothed == got.result.smoothed["2022-06-15"]
    assert then.latest.components.loc["vix", "state"] == "carried"
    assert "VIX ends 2022-06-14, 1 session earlier: carried forward" in then.freshness
    earlier = gauge_report(data_dir=folder, as_of="2022-06-14", today=TODAY)
    assert earlier.inputs.faults == ()


def test_a_close_of_spy_beyond_belief_is_no_session(tmp_path):
    folder = altered(tmp_path, "bars/SPY_daily_adjusted.csv", "2022-06-15", 0.1)
    got = gauge_inputs(
        {"folder": "gauges", "spy": "bars/SPY_daily_adjusted.csv"}, Locations((folder,)),
        today=TODAY,
    )  # fmt: skip
    assert pd.Timestamp("2022-06-15") not in got.spy.index
    assert got.components["drawdown"].max() < 0.5
    assert "spy: data fault: " in got.faults[0]


@pytest.mark.parametrize(
    ("name", "scale", "message"),
    [
        ("gauges/VIX_History.csv", 100.0, r"VIX_History\.csv: vix is \d+\.?\d* on 2022-06-15"),
        ("bars/SPY_daily_adjusted.csv", 1e-5, r"SPY_daily_adjusted\.csv: spy is 0\.00"),
    ],
)
def test_a_file_with_an_impossible_value_is_refused(tmp_path, name, scale, message):
    day = "06/15/2022" if "VIX" in name else "2022-06-15"
    folder = altered(tmp_path, name, day, scale)
    with pytest.raises(InputError, match=message):
        gauge_report(data_dir=folder, today=TODAY, out=tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


@pytest.mark.real_data
def test_nothing_real_is_refused_and_the_scrapes_elevens_alone_are_left_out(real_data):
    """The scraped put/call table holds 11 where its neighbours are near 1: 1.11, half read."""
    files = {"folder": "gauges", "spy": "bars/SPY_daily_yfinance_adjusted.csv"}
    where, today = Locations((real_data,)), date(2026, 11, 20)
    got = gauge_inputs(files, where, credit=True, today=today)
    (fault,) = got.faults
    assert fault.startswith("put_call: data fault: 11 on 2020-10-26 after 0.84, the first of 12")
    raw = read_gauge_file(real_data / "gauges" / "cboe_put_call_ratios_2019_2026.csv")["total"]
    elevens = raw.index[raw == 11.0]
    assert len(elevens) == 12
    used = got.data_dates["put_call"]
    assert not np.isin(elevens, used.to_numpy()).any()
    assert got.components["put_call"].max() < 2.0
    files = {"spy": files["spy"], "put_call": "gauges/cboe_put_call_ratios_2019_2026.csv"}
    for product in ("index", "etp", "equity"):
        gauge_inputs(files, where, product=product, today=today)
