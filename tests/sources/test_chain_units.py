"""Units of strikes and prices, and numbers that mark none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hpi_bt.errors import InputError, Severity
from hpi_bt.sources.chains import open_chains, read_chain
from small_chains import EXPIRIES, contracts, saved

NAMES = {"strike": "strike_price", "bid": "best_bid", "ask": "best_offer"}


def scaled(table: pd.DataFrame, factor: float, *columns: str) -> pd.DataFrame:
    return table.assign(**{c: table[c] * factor for c in columns})


def in_coin(table: pd.DataFrame) -> pd.DataFrame:
    return scaled(table, 1.0 / 100.0, "bid", "ask")


UNITS = {
    "strike_thousandths": lambda t: scaled(t, 1000.0, "strike"),
    "coin_prices": in_coin,
}


@pytest.mark.parametrize("unit", UNITS)
def test_another_unit_is_refused_by_the_files_names_and_converted_where_told(tmp_path, unit):
    usual = read_chain(saved(tmp_path, contracts())).chain
    path = saved(tmp_path, UNITS[unit](contracts()).rename(columns=NAMES), "unit.csv")
    columns = {"bid": "best_bid", "ask": "best_offer"}
    name = "strike_price: " if unit == "strike_thousandths" else "best_bid and best_offer look"
    with pytest.raises(InputError, match=rf"^unit\.csv: {name}.*give unit='{unit}'$"):
        read_chain(path, columns=columns)
    chain = read_chain(path, columns=columns, unit=unit).chain
    for column in ("strike", "bid", "ask"):
        np.testing.assert_allclose(getattr(chain, column), getattr(usual, column), rtol=1e-12)
    series = open_chains(path, columns=columns, unit=unit)
    assert series.chain(0).chain.strike.max() == 110.0


def out_of_the_money(spot: float) -> pd.DataFrame:
    """Calls above and puts below a spot, as feeds of the wings alone have them."""
    table = contracts(expiries=EXPIRIES[1:])
    table = scaled(table, spot / 100.0, "strike", "bid", "ask", "spot")
    above = table["strike"] >= table["spot"]
    return table[above == (table["right"] == "C")]


def test_coin_prices_without_a_contract_in_the_money_are_refused(tmp_path):
    spot = 60_000.0
    usual = read_chain(saved(tmp_path, out_of_the_money(spot))).chain
    path = saved(tmp_path, scaled(out_of_the_money(spot), 1 / spot, "bid", "ask"), "coin.csv")
    with pytest.raises(
        InputError, match=r"^coin\.csv: bid and ask look like .*unit='coin_prices'$"
    ):
        read_chain(path)
    converted = read_chain(path, unit="coin_prices").chain
    np.testing.assert_allclose(converted.bid, usual.bid, rtol=1e-9)
    with pytest.raises(InputError, match=r"bid and ask of .* above what .*; leave out unit"):
        read_chain(saved(tmp_path, out_of_the_money(spot)), unit="coin_prices")


def test_a_calm_rate_is_no_coin(tmp_path):
    calm = contracts(np.linspace(95.0, 96.0, 21), spot=95.5, vol=0.007, skew=0.0)
    read_chain(saved(tmp_path, calm.assign(bid=calm["bid"] + 0.009, ask=calm["ask"] - 0.009)))


def test_a_unit_that_the_file_is_not_in_is_refused(tmp_path):
    path = saved(tmp_path, contracts())
    with pytest.raises(InputError, match=r"0.09 to 0.11 after division by 1,000.*leave out unit"):
        read_chain(path, unit="strike_thousandths")
    with pytest.raises(InputError, match=r"bid and ask of .* above what .*; leave out unit"):
        read_chain(path, unit="coin_prices")
    with pytest.raises(InputError, match=r"^unit: 'coin_price' \(did you mean 'coin_prices'\?\)"):
        read_chain(path, unit="coin_price")


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda t: scaled(t, 100.0, "strike"), {}, "100 times spot 100; divide them in the file"),
        (lambda t: scaled(t, 1e4, "strike"), {}, "10,000 times spot 100; divide them in the file"),
        (lambda t: scaled(t, 1e3, "spot"), {}, "spot is 100,000, 1,000 times as much; give spot"),
        (lambda t: scaled(t, 100.0, "bid", "ask"), {}, "another unit; divide them in the file"),
        (
            lambda t: scaled(t, 1000.0, "strike").drop(columns="spot"),
            {"spot": "parity"},
            "strike: looks like thousandths",
        ),
        (
            lambda t: in_coin(t).drop(columns="spot"),
            {"spot": "parity", "unit": "coin_prices"},
            "prices in coin need the price of the underlying; give spot",
        ),
    ],
)
def test_other_scales_are_refused_too(tmp_path, change, options, message):
    with pytest.raises(InputError, match=message):
        read_chain(saved(tmp_path, change(contracts())), **options)


def test_coin_prices_of_a_spot_that_is_given_are_converted_by_it(tmp_path):
    path = saved(tmp_path, in_coin(contracts()).drop(columns="spot"))
    chain = read_chain(path, spot=100.0, unit="coin_prices").chain
    assert chain.ask.max() == pytest.approx(contracts()["ask"].max())


def test_a_spot_of_another_moment_is_a_warning_and_an_honest_chain_is_silent(tmp_path):
    path = saved(tmp_path, contracts())
    assert not [n for n in read_chain(path).report.notes if n.startswith("warning")]
    notes = read_chain(path, spot=180.0).report.notes
    assert any("quoted far below their intrinsic value at spot 180" in n for n in notes)


@pytest.mark.parametrize(
    ("column", "factor", "other"), [("iv", 100.0, "iv_pct"), ("iv_pct", 1.0, "iv")]
)
def test_vols_in_another_unit_are_refused_by_the_files_own_column(tmp_path, column, factor, other):
    table = scaled(contracts(), factor, "iv").rename(columns={"iv": "Impl. Vol"})
    with pytest.raises(InputError, match=rf"^xyz\.csv: Impl\. Vol: a median of .*{other}': 'Impl"):
        read_chain(saved(tmp_path, table), columns={column: "Impl. Vol"})


# -- markers -------------------------------------------------------------------------------------


def marked(bid: object, ask: object) -> pd.DataFrame:
    table = contracts().astype({"bid": object, "ask": object})
    rows = range(0, len(table), 11)
    for column, value in (("bid", bid), ("ask", ask)):
        if value is not None:
            table.loc[rows, column] = value
    return table


NONE = [-1, 0, -999, -99.99, 9999, 99999.99, 2**63 - 1, "N/A", "--", "NaN", "-", "<empty>", ""]


@pytest.mark.parametrize("none", NONE)
def test_a_quote_that_marks_none_leaves_the_contract_its_interest(tmp_path, none):
    blank = read_chain(saved(tmp_path, marked(np.nan, np.nan))).chain
    chain = read_chain(saved(tmp_path, marked(none, none))).chain
    assert len(chain) == len(contracts())
    np.testing.assert_array_equal(chain.mid, blank.mid)
    np.testing.assert_array_equal(chain.open_interest, blank.open_interest)


def test_the_pair_of_fillers_is_none_and_such_a_price_of_a_dear_underlying_is_one(tmp_path):
    chain = read_chain(saved(tmp_path, marked(998, 999))).chain
    assert np.isnan(chain.mid[0])
    dear = scaled(contracts(), 200.0, "strike", "spot", "bid", "ask")
    dear.loc[0, ["bid", "ask"]] = [9999.0, 10_001.0]
    assert read_chain(saved(tmp_path, dear)).chain.mid[0] == 10_000.0


def test_one_side_is_none_with_a_warning_and_the_other_stays(tmp_path):
    chain, report = read_chain(saved(tmp_path, marked(-1, None)))
    assert np.isnan(chain.bid[0])
    assert chain.ask[0] > 0.0
    (note,) = [n for n in report.notes if "is -1" in n]
    assert note.severity is Severity.WARNING
    _, report = read_chain(saved(tmp_path, marked(-1, -1)))
    (note,) = [n for n in report.notes if "no quote of" in n]
    assert note.severity is Severity.ASSUMPTION


def test_unknown_interest_is_said(tmp_path):
    table = contracts()
    table.loc[:1, "open_interest"] = -1
    chain, report = read_chain(saved(tmp_path, table))
    assert np.isnan(chain.open_interest[:2]).all()
    assert "warning: open interest of 2 contracts is -1, taken as unknown" in report.notes
