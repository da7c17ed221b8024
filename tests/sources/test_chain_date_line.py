"""The date line of CBOE's quote table in the languages of browsers."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from hpi_bt.errors import InputError
from hpi_bt.sources.chain_date_line import date_line, has_date
from hpi_bt.sources.chains import read_chain

SPX = (Path(__file__).parent / "layouts" / "cboe_2023_spx.csv").read_text()
ENGLISH = "September 14, 2023 at 3:31 PM EDT"


@pytest.mark.parametrize(
    "line",
    [
        "14 de septiembre de 2023, 20:31 GMT+1",
        "14 de septiembre de 2023, 8:31 p. m. GMT+1",
        "14. September 2023, 21:31 MESZ",
        "14. Sept. 2023 um 21:31 MESZ",
        "14 septembre 2023 à 21:31 UTC+2",
        "14 septembre 2023, 15 h 31 HAE",
        "14 settembre 2023 alle ore 21:31 CEST",
        "14 de setembro de 2023 às 16:31 BRT",
        "14 september 2023 om 21:31 CEST",
        "14 września 2023 21:31 CEST",
        "2023年9月15日 4:31 [GMT+9]",
        "2023年9月15日 上午3:31 [GMT+8]",
        "2023년 9월 15일 오전 4시 31분 GMT+9",
        "14.09.2023, 21:31 MESZ",
        "2023-09-14 19:31 UTC",
        "14th of September 2023 3:31 PM ET",
        "September 14, 2023 at 3:31 PM UTC\N{MINUS SIGN}4",
    ],
)
def test_one_moment_in_many_languages(tmp_path, line):
    (tmp_path / "q.csv").write_text(SPX.replace(ENGLISH, line), encoding="utf-8")
    chain = read_chain(tmp_path / "q.csv").chain
    assert chain.as_of == pd.Timestamp("2023-09-14 15:31", tz="America/New_York")


@pytest.mark.parametrize(
    "line",
    ["14 Eylül 2023 21:31 GMT+3", "14 сентября 2023 г., 22:31 GMT+3", "14 jui 2023, 21:31 MESZ"],
)
def test_a_line_that_is_not_read_is_quoted_and_may_be_said(tmp_path, line):
    (tmp_path / "q.csv").write_text(SPX.replace(ENGLISH, line), encoding="utf-8")
    with pytest.raises(InputError, match=f"its date line 'Date: {re.escape(line)}' is of a form"):
        read_chain(tmp_path / "q.csv")
    assert read_chain(tmp_path / "q.csv", as_of="2023-09-14 15:31").chain.as_of.hour == 15


def test_a_month_is_told_by_its_first_letters_where_they_are_of_one_alone():
    assert date_line("3. März 2025, 09:05").wall == datetime(2025, 3, 3, 9, 5)
    assert date_line("5. Feb. 2025, 12:00 AM").wall == datetime(2025, 2, 5)
    assert date_line("6 juil. 2025, 9:00").wall.month == 7
    for none in ("6 ju 2025, 9:00", "31 February 2025, 9:00", "3 May 2025, 25:00", "9:00"):
        assert date_line(none) is None


def test_a_line_of_prices_has_no_date():
    assert not has_date("SP 500 INDEX,Last: 4505.50,Change: 37.66")
    assert has_date("14 Eylül 2023 21:31")
