"""Numbers as people write them, and names of columns with blanks around them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hpi_bt.errors import InputError
from hpi_bt.sources.base import Locations
from hpi_bt.sources.files import CsvSource
from hpi_bt.sources.numbers import numbers_in
from hpi_bt.sources.tables import to_numbers


def column(*cells: object) -> pd.Series:
    return pd.Series(cells, name="Vol.", dtype=object)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("1,234", 1234.0),
        ("1,234,567.5", 1234567.5),
        ("1,23,456", 123456.0),
        ("-2,500", -2500.0),
        ("209.81K", 209810.0),
        ("1.5m", 1.5e6),
        ("2B", 2e9),
        ("$601.12", 601.12),
        (" 7 ", 7.0),
        ("N/A", np.nan),
        ("--", np.nan),
        (None, np.nan),
    ],
)
def test_worked_examples(cell, number):
    assert_array_equal(to_numbers(column(cell, "1"), "f.csv"), [number, 1.0])


@pytest.mark.parametrize("cell", ["1,5", "0,987", "1.234,56", "12,34", "1,234,5", "x", "12%", "K"])
def test_what_may_be_another_number_is_refused(cell):
    with pytest.raises(InputError, match=r"f\.csv: row 1, Vol\. is .*; wanted a number"):
        to_numbers(column(cell, "1,234"), "f.csv")


def test_a_decimal_comma_anywhere_in_the_column_leaves_no_comma_to_be_one_of_thousands():
    assert numbers_in(column("1,234", "1,5")).bad.tolist() == [True, True]


@given(st.lists(st.floats(-1e12, 1e12).map(lambda x: round(x, 2)), min_size=1))
def test_thousands_read_back_as_they_were_written(values):
    found = numbers_in(column(*(f"{value:,.2f}" for value in values)))
    assert not found.bad.any()
    np.testing.assert_allclose(found.numbers, values, rtol=1e-15)


def test_percent_signs_are_marked_and_the_number_before_them_kept():
    found = numbers_in(column("24.98%", "7", "-"))
    assert found.percent.tolist() == [True, False, False]
    assert_array_equal(found.numbers, [24.98, 7.0, np.nan])


def test_a_price_file_with_blanks_in_its_header_and_short_volumes_is_read(tmp_path):
    lines = ["Date, Open , High, Low, Last, Vol."]
    lines += [f"2019-04-0{d}, 67.9, 68.31, 67.34, 67.74, 209.8{d}K" for d in (1, 2, 3)]
    (tmp_path / "cl.csv").write_text("\n".join(lines) + "\n")
    source = CsvSource(path="cl.csv", columns={"close": "Last", "volume": "Vol."})
    frame = source.read(Locations((tmp_path,)), "CMES")
    assert frame["volume"].tolist() == [209810.0, 209820.0, 209830.0]
    assert frame["close"].eq(67.74).all()
