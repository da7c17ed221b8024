"""What stands at the edges of a chain's file: footers, zones, limits, exchanged columns, dates."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from hpi_bt.errors import InputError, Severity
from hpi_bt.sources.chains import read_chain
from small_chains import contracts, saved

STAMP = "2023-09-14 12:00:00"


def warnings_of(path, **options) -> list[str]:
    notes = read_chain(path, **options).report.notes
    return [n.code for n in notes if getattr(n, "severity", None) is Severity.WARNING]


@pytest.mark.parametrize(
    "lines",
    [
        ["Downloaded from a site as of noon"],
        ['"As of noon, all prices delayed"', "", "Prices as given"],
    ],
)
def test_sentences_under_a_table_are_left_out_and_noted(tmp_path, lines):
    path = saved(tmp_path, contracts())
    usual = read_chain(path)
    path.write_text(path.read_text() + "\n".join([*lines, ""]))
    found = read_chain(path)
    assert len(found.chain.strike) == len(usual.chain.strike)
    assert any("footer line" in str(note) for note in found.report.notes)


@pytest.mark.parametrize("end", ["2023-09-14", "XYZ", "12.5"])
def test_a_last_line_that_is_no_sentence_is_a_cut(tmp_path, end):
    path = saved(tmp_path, contracts())
    path.write_text(path.read_text() + end)
    with pytest.raises(InputError, match=r"has 1 cell, wanted \d+; the file is cut off"):
        read_chain(path)


def test_a_sentence_within_a_table_is_a_fault(tmp_path):
    path = saved(tmp_path, contracts())
    head, *rest = path.read_text().splitlines()
    path.write_text("\n".join([head, rest[0], "page two of three", *rest[1:], ""]))
    with pytest.raises(InputError, match="line 3 has 1 cell, wanted"):
        read_chain(path)


@pytest.mark.parametrize("column", ["open_interest", "volume", "bid", "strike"])
def test_numbers_that_no_market_has_are_refused(tmp_path, column):
    table = contracts().astype({column: float})
    table.loc[5, column] = 1e20
    with pytest.raises(InputError, match=rf"{column}: row 6 is 1e\+20; wanted a number within 1e"):
        read_chain(saved(tmp_path, table))


@pytest.mark.parametrize("spot", [1e20, float("inf"), -1.0])
def test_a_spot_that_no_market_has_is_refused(tmp_path, spot):
    with pytest.raises(InputError, match=r"spot is .*; wanted a number above 0 and within 1e\+15"):
        read_chain(saved(tmp_path, contracts()), spot=spot)


def test_bid_and_ask_that_stand_for_one_another_are_refused(tmp_path):
    path = saved(tmp_path, contracts().rename(columns={"bid": "ask", "ask": "bid"}))
    with pytest.raises(InputError, match=r"are bid and ask exchanged\?; give columns="):
        read_chain(path)
    right = read_chain(path, columns={"bid": "ask", "ask": "bid"}).chain
    assert (right.bid <= right.ask).all()


@pytest.mark.parametrize(("share", "warned"), [(0.4, True), (0.05, False)])
def test_many_crossed_quotes_are_warned_of(tmp_path, share, warned):
    table = contracts()
    some = table.index % 100 < 100 * share
    table.loc[some, ["bid", "ask"]] = table.loc[some, ["ask", "bid"]].to_numpy()
    assert ("crossed-quotes" in warnings_of(saved(tmp_path, table))) == warned


@pytest.mark.parametrize(("day", "warned"), [("2023-09-15", True), ("2023-09-14", False)])
def test_quotes_of_another_date_than_asked_for_are_warned_of(tmp_path, day, warned):
    path = saved(tmp_path, contracts().assign(ts="2023-09-14"))
    found = warnings_of(path, as_of=f"{day}T12:00-04:00")
    assert ("quotes-of-another-moment" in found) == warned


@pytest.mark.parametrize("zone", ["America/New_York", "US/Eastern", "Etc/GMT+4"])
def test_zones_at_the_end_of_stamps_are_read(tmp_path, zone):
    usual = read_chain(saved(tmp_path, contracts())).chain.as_of
    named = saved(tmp_path, contracts().assign(ts=f"{STAMP} {zone}"), "zone.csv")
    assert read_chain(named).chain.as_of == usual
    american = saved(tmp_path, contracts().assign(ts=f"09/14/2023 12:00 {zone}"), "us.csv")
    assert read_chain(american).chain.as_of == usual


def test_contract_symbols_beside_the_underlyings_symbol_are_found(tmp_path):
    table = contracts()
    expiry = pd.to_datetime(table["expiry"]).dt.strftime("%y%m%d")
    strike = (table["strike"] * 1000).round().astype(int).astype(str).str.zfill(8)
    symbols = "O:XYZ" + expiry + table["right"] + strike
    bare = table.drop(columns=["expiry", "strike", "right"]).assign(ticker=symbols)
    usual = read_chain(saved(tmp_path, table)).chain
    found = read_chain(saved(tmp_path, bare, "named.csv")).chain
    assert sorted(found.strike) == sorted(usual.strike)
    assert found.as_of == usual.as_of


def test_a_day_number_is_shown_as_the_file_has_it(tmp_path):
    with pytest.raises(InputError, match="is '45646'"):
        read_chain(saved(tmp_path, contracts().assign(expiry=45646)))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[]", "an empty list"),
        (" [ ] ", "an empty list"),
        ("{}", "an empty object"),
        ("[{}]", "a list without objects"),
        ("[1, 2]", "a list without objects"),
        ('["a"]', "a list without objects"),
    ],
)
def test_json_without_contracts_holds_none(tmp_path, text, shown):
    (tmp_path / "none.json").write_text(text)
    with pytest.raises(InputError, match=rf"none.json: holds no contracts \({shown}\)"):
        read_chain(tmp_path / "none.json")


def test_a_header_alone_holds_no_contracts(tmp_path):
    with pytest.raises(InputError, match="a header but no contracts"):
        read_chain(saved(tmp_path, contracts().head(0)))


def test_integers_of_hundreds_of_digits_are_shown_shortened(tmp_path):
    rows = json.loads(contracts().to_json(orient="records"))
    rows[4]["open_interest"] = int("9" * 400)
    (tmp_path / "many.json").write_text(json.dumps(rows))
    with pytest.raises(InputError, match=r"row 5, open_interest is 9{20}\.{3}9{20}; wanted"):
        read_chain(tmp_path / "many.json")


@pytest.mark.parametrize("factor", [100.0, 0.01])
def test_one_expiry_in_another_unit_is_warned_of(tmp_path, factor):
    table = contracts(strikes=np.arange(80.0, 121.0))
    code = "expiry-in-another-unit"
    assert code not in warnings_of(saved(tmp_path, table))
    other = table["expiry"] == "2023-10-20"
    table.loc[other, ["bid", "ask"]] *= factor
    assert code in warnings_of(saved(tmp_path, table, "mixed.csv"))
