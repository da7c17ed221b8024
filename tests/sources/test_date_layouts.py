"""How columns write their dates, by what is in them."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpi_bt.errors import InputError
from hpi_bt.sources.chains import read_chain
from hpi_bt.sources.date_layouts import day_first, layout_of, padded
from small_chains import contracts, saved

LAYOUTS = (
    *("%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d-%b-%Y"),
    *("%d-%b-%y", "%d %b %Y", "%b %d, %Y", "%B %d, %Y", "%d%b%y", "%a %b %d %Y", "%y%m%d"),
    *("%d%m%y", "%d%m%Y", "%m%d%Y", "%Y%m%d", "%Y/%m/%d"),
)


def column(*words: str) -> pd.Series:
    return pd.Series(words, name="expiry")


def known(values: pd.Series, **options) -> str | None:
    return layout_of(values, where="f.csv", **options)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_expiries_in_any_notation_are_the_same_chain(tmp_path, layout) -> None:
    table = contracts()
    usual = read_chain(saved(tmp_path, table)).chain
    written = pd.to_datetime(table["expiry"]).dt.strftime(layout)
    chain = read_chain(saved(tmp_path, table.assign(expiry=written))).chain
    assert chain.expiry.equals(usual.expiry)


@pytest.mark.parametrize("zone", ["America/New_York", "UTC"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_midnights_in_unix_time_are_dates(tmp_path, unit, zone) -> None:
    table = contracts()
    usual = read_chain(saved(tmp_path, table)).chain
    midnight = pd.to_datetime(table["expiry"]).dt.tz_localize(zone)
    per = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[unit]
    numbers = [stamp.as_unit("ns").value // per for stamp in midnight]
    for expiry in (numbers, midnight, midnight.dt.tz_convert("UTC").astype(str)):
        chain = read_chain(saved(tmp_path, table.assign(expiry=expiry))).chain
        assert chain.expiry.equals(usual.expiry)


def test_a_time_of_day_is_a_moment_still(tmp_path) -> None:
    table = contracts(expiries=("2023-09-22",))
    chain = read_chain(saved(tmp_path, table.assign(expiry="2023-09-22T09:30:00-04:00"))).chain
    assert f"{chain.expiry[0]:%H:%M}" == "09:30"


def test_a_day_above_12_anywhere_in_the_file_tells_the_order(tmp_path) -> None:
    table = contracts(expiries=("2023-10-06",)).assign(expiry="10/06/2023")
    chain = read_chain(saved(tmp_path, table.assign(ts="09/14/2023 12:00")), timezone="UTC").chain
    assert f"{chain.expiry_dates[0]:%Y-%m-%d}" == "2023-10-06"
    other = table.assign(ts="14/06/2023 12:00", expiry="10/07/2023")
    chain = read_chain(saved(tmp_path, other), timezone="UTC").chain
    assert f"{chain.expiry_dates[0]:%Y-%m-%d}" == "2023-07-10"


def test_dates_that_may_be_two_are_refused_and_read_as_told(tmp_path) -> None:
    path = saved(tmp_path, contracts(expiries=("2023-10-06",)).assign(expiry="10/06/2023"))
    with pytest.raises(
        InputError, match=r"expiry: row 1 is '10/06/2023', whose day and month"
    ) as e:
        read_chain(path)
    assert "stamp_format='%m/%d/%Y' or stamp_format='%d/%m/%Y'" in str(e.value)
    chain = read_chain(path, stamp_format="%m/%d/%Y").chain
    assert f"{chain.expiry_dates[0]:%Y-%m-%d}" == "2023-10-06"


def test_contract_symbols_say_what_a_column_does_not(tmp_path) -> None:
    table = contracts(expiries=("2023-10-06",))
    strikes = (table["strike"] * 1000).astype(int)
    names = [f"XYZ231006{r}{k:08d}" for r, k in zip(table["right"], strikes, strict=True)]
    table = table.assign(expiry="10/06/2023", contract=names)
    chain = read_chain(saved(tmp_path, table)).chain
    assert f"{chain.expiry_dates[0]:%Y-%m-%d}" == "2023-10-06"


def test_six_digits_are_told_by_the_date_of_the_quotes() -> None:
    since = pd.Timestamp("2024-12-13")
    assert known(column("241220", "250117"), since=since) == "%y%m%d"
    assert known(column("201224", "170125"), since=since) == "%d%m%y"
    with pytest.raises(InputError, match="may be 24 December 2025 or 25 December 2024"):
        known(column("251224"), since=since)
    assert known(column("251125"), since=since) == "%y%m%d"  # one date either way


def test_the_zero_that_a_table_of_numbers_loses_comes_back() -> None:
    assert padded(column("50117", "50221")).tolist() == ["050117", "050221"]
    assert padded(column("1172025", "12202024")).tolist() == ["01172025", "12202024"]
    assert padded(column("1734670800")).tolist() == ["1734670800"]


@given(
    st.dates(
        min_value=pd.Timestamp("2000-01-01").date(), max_value=pd.Timestamp("2060-01-01").date()
    )
)
def test_the_order_is_never_guessed(day) -> None:
    told = day.day > 12
    words = column(f"{day:%m/%d/%Y}")
    assert day_first([words]) is (False if told else None)
    assert day_first([column(f"{day:%d/%m/%Y}")]) is (True if told else None)
    assert day_first([column(f"{day:%Y-%m-%d}T10:00:00-05:00")]) is None


@pytest.mark.parametrize(
    ("words", "options", "message"),
    [
        (["soon"], {}, r"row 1 is 'soon'; wanted a date or time"),
        (["2024-12-20", "Dec"], {}, r"row 2 is 'Dec'; wanted a date or time"),
        (["241399"], {}, r"row 1 is '241399'; wanted a date or time"),
        (["12/20/2024", "17/01/2025"], {}, "the day comes first in some rows and second in others"),
        (["12/20/2024", "12/20/24"], {}, r"row 2 is '12/20/24'; wanted a date as %m/%d/%Y"),
        (["12/20/2024"], {"given": "%d/%m/%Y"}, "which stamp_format '%d/%m/%Y' does not read"),
    ],
)
def test_what_is_no_date_is_refused_by_its_row(words, options, message) -> None:
    with pytest.raises(InputError, match=rf"^f\.csv: expiry: .*{message}") as refused:
        known(column(*words), **options)
    assert "stamp_format" in str(refused.value) or "order" in str(refused.value)


def test_a_layout_given_leaves_iso_dates_and_unix_time_alone() -> None:
    assert known(column("2024-12-20"), given="%d/%m/%Y") is None
    assert known(column("1734670800"), given="%d/%m/%Y") is None
    assert known(column("2024010210"), given="%Y%m%d%H") == "%Y%m%d%H"  # and goes first
