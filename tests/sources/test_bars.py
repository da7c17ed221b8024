"""What a bar must be, and what becomes of one that is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal

from hpi_bt.errors import InputError, Severity
from hpi_bt.sources.bars import PRICE_COLUMNS, check_amounts, check_bars, repair_bars
from hpi_bt.sources.base import Locations
from hpi_bt.sources.build import build_frame
from hpi_bt.sources.frame import describe, validate_frame

PRICES = list(PRICE_COLUMNS)


def bars(n: int = 4, *, allow_nonpositive: bool = False, **columns) -> pd.DataFrame:
    index = pd.date_range("2024-11-27 09:35", periods=n, freq="5min", tz="America/New_York")
    index.freq = None
    base = {"open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 100.0}
    return describe(
        pd.DataFrame({**base, **columns}, index=index),
        symbol="T", bar_minutes=5, calendar="XNYS", allow_nonpositive=allow_nonpositive,
    )  # fmt: skip


def with_bar(row: int, *prices: float, **options) -> pd.DataFrame:
    frame = bars(**options)
    frame.iloc[row, :4] = prices
    return frame


def faulty() -> pd.DataFrame:
    frame = bars()
    frame.iloc[1, 3] = 13.0
    frame.iloc[2, [0, 1, 2]] = np.nan
    frame.iloc[3, 3] = np.nan
    return frame


def test_faulty_bars_are_refused_dropped_or_widened_in_sight():
    with pytest.raises(InputError, match="close 13 lies outside"):
        repair_bars(faulty(), "refuse", name="f")
    dropped = repair_bars(faulty(), "drop", name="f")
    assert len(dropped) == 1
    assert dropped.attrs["notes"] == ["3 bars left out: blank or contradicting itself"]
    wide = repair_bars(faulty(), "widen", name="f")
    assert_array_equal(wide["high"], [12.0, 13.0, 11.0])
    assert_array_equal(wide[PRICES].iloc[2], [11.0] * 4)
    assert wide.attrs["notes"] == ["1 bar left out: without a close", "2 faulty bars widened"]


@pytest.mark.parametrize(
    ("prices", "cell"),
    [
        ((0.0, 12.0, 0.0, 11.0), "open is 0"),
        ((-10.0, 12.0, 9.0, 11.0), "open is -10"),
        ((10.0, 12.0, -0.5, 11.0), "low is -0.5"),
        ((10.0, 12.0, 9.0, 0.0), "close is 0"),
        ((0.0, 0.0, 0.0, 0.0), "open is 0"),
        ((-37.0, -36.0, -40.0, -37.63), "open is -37"),
    ],
)
def test_a_price_of_zero_or_less_is_refused_with_its_cell_and_both_settings(prices, cell):
    with pytest.raises(InputError) as caught:
        check_bars(with_bar(2, *prices), name="f")
    message = str(caught.value)
    assert message.startswith(f"f: row 3, {cell} at 2024-11-27 09:45")
    assert "bad_bars" in message
    assert "allow_nonpositive: true" in message


def test_a_frame_made_in_python_is_refused_alike():
    odd = with_bar(1, 0.0, 12.0, 9.0, 11.0)
    with pytest.raises(InputError, match=r"^T: row 2, open is 0 .*above 0"):
        build_frame(odd, calendar="XNYS", where=Locations())


def test_prices_below_zero_are_prices_where_that_is_allowed():
    oil = with_bar(0, -30.0, -25.0, -40.0, -37.63, allow_nonpositive=True)
    validate_frame(oil, name="CL")
    frame = build_frame(oil, calendar="XNYS", where=Locations(), resample_minutes=10)
    assert frame["low"].iloc[0] == -40.0
    for policy in ("drop", "widen"):
        assert_frame_equal(repair_bars(oil, policy, name="f"), oil)


def test_a_widened_bar_holds_prices_that_exist_alone():
    odd = with_bar(1, 0.0, 0.0, 0.0, 11.0)
    odd.iloc[2, :4] = [10.0, 12.0, 0.0, 11.0]
    wide = repair_bars(odd, "widen", name="f")
    assert_array_equal(wide[PRICES].iloc[1], [11.0] * 4)
    assert_array_equal(wide[PRICES].iloc[2], [10.0, 12.0, 10.0, 11.0])
    (note, count) = wide.attrs["notes"]
    assert (note.code, note.severity) == ("nonpositive-prices", Severity.ASSUMPTION)
    assert "2 bars with a price of 0 or less" in note
    assert "row 2, open" in note
    assert count == "2 faulty bars widened"


def test_a_bar_with_a_price_of_zero_is_dropped_where_bars_are_dropped():
    out = repair_bars(with_bar(1, 0.0, 12.0, 9.0, 11.0), "drop", name="f")
    assert len(out) == 3
    assert (out[PRICES] > 0.0).all(axis=None)
    assert repair_bars(with_bar(1, 10.0, 12.0, 9.0, -1.0), "widen", name="f").shape[0] == 3


prices = st.floats(-50, 50) | st.just(np.nan) | st.just(0.0)


@settings(deadline=None)
@given(st.lists(st.tuples(prices, prices, prices, prices), min_size=1, max_size=20), st.booleans())
def test_repaired_bars_are_sound_and_sound_bars_are_untouched(rows, allowed):
    frame = bars(len(rows), allow_nonpositive=allowed)
    frame[PRICES] = np.array(rows)
    known = frame[PRICES].where((frame[PRICES] > 0.0) | allowed)
    for policy in ("drop", "widen"):
        out = repair_bars(frame, policy, name="f")
        if len(out):
            assert_frame_equal(repair_bars(out, "refuse", name="f"), out)
        own = known.loc[out.index]
        assert (out["high"] <= own.max(axis=1)).all()
        assert (out["low"] >= own.min(axis=1)).all()
        sound = repair_bars(frame, "drop", name="f")
        assert_frame_equal(out.loc[sound.index], sound)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("high", np.inf, r"f: row 2, high is inf at .*within 1e\+15"),
        ("close", 1e308, r"f: row 2, close is 1e\+308"),
        ("volume", np.inf, r"f: row 2, volume is inf"),
        ("volume", 1e16, r"f: row 2, volume is 1e\+16"),
        ("volume", -1.0, r"f: row 2, volume is -1 .*wanted 0 or more"),
        ("openinterest", -5.0, r"f: row 2, openinterest is -5 .*wanted 0 or more"),
        ("put_oi", -np.inf, r"f: row 2, put_oi is -inf"),
        ("call_oi", -1.0, r"f: row 2, call_oi is -1"),
        ("net_oi", np.inf, r"f: row 2, net_oi is inf"),
        ("fear", -np.inf, r"f: row 2, fear is -inf"),
    ],
)
def test_amounts_that_cannot_be_are_refused(column, value, message):
    frame = bars(openinterest=1.0, put_oi=1.0, call_oi=1.0, net_oi=1.0, fear=1.0)
    frame.loc[frame.index[1], column] = value
    with pytest.raises(InputError, match=message):
        check_amounts(frame, name="f")
    with pytest.raises(InputError, match=message):
        validate_frame(frame, name="f")


def test_a_difference_of_open_interest_may_be_negative_and_any_value_blank():
    check_amounts(bars(net_oi=-5e6, fear=-1e17, put_oi=np.nan, volume=1e14), name="f")
