from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hpi_bt.errors import InputError
from hpi_bt.sources.occ import is_occ, main_root, occ_symbol, parse_occ

roots = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=6)
days = st.dates(date(2000, 1, 1), date(2099, 12, 31))
strikes = st.integers(1, 10**8 - 1).map(lambda units: units / 1000)


def test_worked_example():
    fields = parse_occ(pd.Series(["SPXW230914C04450500", "SPX   281215P12000000"]))
    assert_array_equal(fields.root, ["SPXW", "SPX"])
    assert list(fields.expiry) == [pd.Timestamp("2023-09-14"), pd.Timestamp("2028-12-15")]
    assert_array_equal(fields.right, ["C", "P"])
    assert_array_equal(fields.strike, [4450.5, 12000.0])


@settings(deadline=None)
@given(st.lists(st.tuples(roots, days, st.sampled_from("CP"), strikes), min_size=1, max_size=8))
def test_a_symbol_that_is_written_reads_back(contracts):
    fields = parse_occ(pd.Series([occ_symbol(*contract) for contract in contracts]))
    back = zip(*fields, strict=True)
    assert [(r, e.date(), s, k) for r, e, s, k in back] == contracts


@pytest.mark.parametrize(
    "symbol",
    ["SPY C600", "SPXW230914X04450000", "SPXW231341C04450000", "", "TOOLONG230914C04450000"],
)
def test_a_text_that_is_no_symbol_is_refused_with_its_row(symbol):
    with pytest.raises(InputError, match=r"^f.csv: contract: row 2 is .*; wanted an OCC symbol"):
        parse_occ(pd.Series(["SPXW230914C04450000", symbol]), name="f.csv")


@pytest.mark.parametrize(
    "fields", [("spx", "C", 100.0), ("SPX", "X", 100.0), ("SPX", "C", 0.0), ("SPX", "C", 0.0005)]
)
def test_fields_without_a_symbol_are_refused(fields):
    root, right, strike = fields
    with pytest.raises(InputError, match="have no OCC symbol"):
        occ_symbol(root, date(2023, 9, 14), right, strike)


def test_the_main_root_is_the_commonest_or_its_stem():
    assert main_root(np.array(["SPXW", "SPXW", "SPX"], dtype=object)) == "SPX"
    assert main_root(np.array(["IWM", "IWM", "IWM1"], dtype=object)) == "IWM"
    assert main_root(np.array([], dtype=object)) == ""


def test_blank_cells_are_no_symbols():
    assert_array_equal(is_occ(pd.Series(["SPY230914C00450000", None, "-"])), [True, False, False])
