"""Columns of option tables told apart by what is in them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hpi_bt.chains import chain_report
from hpi_bt.errors import InputError
from hpi_bt.sources.chains import open_chains, read_chain
from hpi_bt.sources.occ import root_families
from small_chains import AS_OF, contracts, saved

SHARED = ["ts", "symbol", "spot", "expiry", "strike"]
SIDED = ["bid", "ask", "iv", "volume", "open_interest"]


def symbols(table: pd.DataFrame, root: str = "XYZ") -> list[str]:
    days = pd.to_datetime(table["expiry"]).dt.strftime("%y%m%d")
    strikes = (table["strike"] * 1000).round().astype(int)
    each = zip(days, table["right"], strikes, strict=True)
    return [f"{root}{day}{right}{strike:08d}" for day, right, strike in each]


def wide(call: str, put: str) -> pd.DataFrame:
    """Return the chain with a call and a put in each row."""
    table = contracts()
    sides = [
        table[table["right"] == right].rename(columns={c: form.format(c) for c in SIDED})
        for right, form in (("C", call), ("P", put))
    ]
    return (
        sides[0]
        .drop(columns="right")
        .merge(
            sides[1][["expiry", "strike", *(put.format(c) for c in SIDED)]], on=["expiry", "strike"]
        )
    )


OCC = ["symbol", "expiry", "strike", "right"]
NAMED = {
    "the symbol is the contract": lambda t: t.assign(symbol=symbols(t)).drop(columns=OCC[1:]),
    "so it is beside its underlying": lambda t: t.assign(underlying="XYZ", symbol=symbols(t)),
    "the ticker is, with a prefix": lambda t: t.assign(ticker=[f"O:{s}" for s in symbols(t)]).drop(
        columns=OCC
    ),
    "padded symbols": lambda t: t.assign(contract=symbols(t, "XYZ   ")).drop(columns=OCC[1:]),
    "small letters": lambda t: t.assign(contract=[s.lower() for s in symbols(t)]),
    "a label of each contract": lambda t: t.assign(symbol=[f"XYZ-{i}" for i in range(len(t))]),
    "underlying is the symbol": lambda t: t.rename(columns={"symbol": "underlying"}),
    "underlying is the price": lambda t: t.drop(columns="symbol").rename(
        columns={"spot": "underlying"}
    ),
    "underlying beside its value": lambda t: t.assign(underlying="XYZ").rename(
        columns={"spot": "underlyingValue"}
    ),
    "calls and puts": lambda t: t.assign(right=t["right"].map({"C": "calls", "P": "puts"})),
    "CE and PE": lambda t: t.assign(right=t["right"].map({"C": "CE", "P": "PE"})),
    "Call and Put": lambda t: t.assign(right=t["right"].map({"C": "Call ", "P": "Put "})),
    "call option": lambda t: t.assign(right=t["right"].map({"C": "call option", "P": "Put"})),
    "a footer": lambda t: pd.concat(
        [t.astype(object), pd.DataFrame([["Downloaded from a site as of noon"]], columns=["ts"])]
    ),
    "percent signs and thousands": lambda t: t.assign(
        iv=[f"{100 * v:.6f}%" for v in t["iv"]],
        open_interest=[f"{v:,.0f}" for v in t["open_interest"]],
    ),
    "vol beside volume": lambda t: t.rename(columns={"iv": "vol"}).assign(implied_vol=t["iv"]),
}


@pytest.mark.parametrize("name", NAMED)
def test_the_same_chain_under_other_names(tmp_path, name):
    usual = read_chain(saved(tmp_path, contracts())).chain
    chain = read_chain(saved(tmp_path, NAMED[name](contracts()), "other.csv")).chain
    for column in ("strike", "right", "bid", "ask", "iv", "open_interest"):
        np.testing.assert_allclose(getattr(chain, column), getattr(usual, column), rtol=1e-6)
    assert chain.expiry.equals(usual.expiry)
    assert chain.spot == usual.spot


FORMS = [("C_{}", "P_{}"), ("[C_{}]", "[P_{}]"), ("call_{}", "put_{}"), ("Call {}", "Put {}")]


@pytest.mark.parametrize(("call", "put"), FORMS)
def test_calls_and_puts_of_one_row_are_parted(tmp_path, call, put):
    usual = read_chain(saved(tmp_path, contracts())).chain
    chain = read_chain(saved(tmp_path, wide(call, put), "wide.csv")).chain
    keys = ["expiry", "strike", "right"]
    left, right = (c.contracts.sort_values(keys)[[*keys, *SIDED]] for c in (usual, chain))
    np.testing.assert_allclose(left[SIDED].to_numpy(float), right[SIDED].to_numpy(float))


def test_vols_under_vol_are_no_volume(tmp_path):
    table = contracts().drop(columns="volume").rename(columns={"iv": "vol"})
    path = saved(tmp_path, table)
    chain, report = read_chain(path)
    np.testing.assert_allclose(chain.iv, contracts()["iv"])
    assert "column 'vol' holds implied vols, not volume" in report.notes
    with pytest.raises(InputError, match=r"volume is not known .* \(column 'vol' holds implied"):
        chain_report(path, mode="volume")
    with pytest.raises(InputError, match=r"vol: a median of .*'iv_pct': 'vol'"):
        read_chain(saved(tmp_path, table.assign(vol=100.0 * table["vol"])))


def test_a_column_vol_of_whole_numbers_is_volume(tmp_path):
    table = contracts().rename(columns={"volume": "vol"})
    np.testing.assert_array_equal(
        read_chain(saved(tmp_path, table)).chain.volume, contracts()["volume"]
    )


def test_contracts_of_several_underlyings_are_told_apart_by_their_symbols(tmp_path):
    table = contracts().drop(columns="symbol")
    both = pd.concat(
        [table.assign(contract=symbols(table)), table.assign(contract=symbols(table, "ABC"), bid=0)]
    )
    path = saved(tmp_path, both)
    with pytest.raises(InputError, match="contract: holds ABC, XYZ; wanted one; give symbol='ABC'"):
        read_chain(path)
    assert read_chain(path, symbol="XYZ").chain.bid.max() > 0.0
    with pytest.raises(InputError, match=r"contract: no row of 'Q' \(found: ABC, XYZ\)"):
        read_chain(path, symbol="Q")


def test_roots_of_one_underlying_are_a_family():
    roots = np.array(["SPXW", "SPX", "2SPX", "SPY", "XOM2", "XOM", "NDXP", "NDX"], dtype=object)
    families = root_families(roots)
    assert families["SPXW"] == families["2SPX"] == "SPX"
    assert (families["SPY"], families["XOM2"], families["NDXP"]) == ("SPY", "XOM", "NDX")


@pytest.mark.parametrize("by", ["contract", "root"])
def test_adjusted_contracts_alone_need_their_multiplier(tmp_path, by):
    table = contracts()
    table = table.assign(**{by: symbols(table, "XYZ1") if by == "contract" else "XYZ1"})
    path = saved(tmp_path, table)
    with pytest.raises(
        InputError, match=r"adjusted root \(XYZ1\).* give what one delivers as mult"
    ):
        read_chain(path)
    assert read_chain(path, multiplier=150).chain.multiplier == 150.0
    plain = pd.concat([table, table.assign(**{by: symbols(table) if by == "contract" else "XYZ"})])
    assert read_chain(saved(tmp_path, plain)).report.counts["adjusted"] == len(table)


def test_strikes_that_differ_from_the_symbols_are_a_warning(tmp_path):
    table = contracts().assign(contract=symbols(contracts()))
    table.loc[0, "strike"] += 0.5
    chain, report = read_chain(saved(tmp_path, table))
    assert chain.strike[0] == 90.0
    assert any(n.startswith("warning: 1 strikes differ from those") for n in report.notes)


# -- moments -------------------------------------------------------------------------------------


def two_moments(**columns: list[object]) -> pd.DataFrame:
    early, late = contracts(calls=50.0, spot=98.0), contracts()
    parts = [
        part.assign(**{name: values[i] for name, values in columns.items()}).drop(columns="ts")
        for i, part in enumerate((early, late))
    ]
    return pd.concat(parts)


CLOCKS = {
    "milliseconds": {"date": ["20230914"] * 2, "ms_of_day": [36_000_000, 43_200_000]},
    "a time": {"quote_date": ["2023-09-14"] * 2, "quote_time": ["10:00", "12:00:00"]},
    "a time with am and pm": {"date": ["2023-09-14"] * 2, "time": ["10:00 AM", "12:00 PM"]},
    "hours": {"date": ["2023-09-14"] * 2, "quote_time_hours": [10.0, 12.0]},
    "a date beside the whole stamp": {
        "date": ["2023-09-14"] * 2,
        "quote_time": ["2023-09-14 10:00", "2023-09-14 12:00"],
    },
}


@pytest.mark.parametrize("name", CLOCKS)
def test_a_date_and_a_time_of_day_are_one_stamp(tmp_path, name):
    path = saved(tmp_path, two_moments(**CLOCKS[name]))
    zone = {} if name == "milliseconds" else {"timezone": "America/New_York"}
    series = open_chains(path, **zone)
    assert [file.chain.spot for file in series] == [98.0, 100.0]
    assert series.chain(1).chain.as_of == AS_OF
    if zone:
        with pytest.raises(InputError, match="have no time zone; give timezone='America/New_York'"):
            open_chains(path)


def test_times_of_last_trades_beside_a_date_are_named_as_what_they_are(tmp_path):
    minutes = [f"{10 + i // 60}:{i % 60:02d}" for i in range(len(contracts()))]
    path = saved(tmp_path, contracts().assign(date="2023-09-14", Time=minutes).drop(columns="ts"))
    with pytest.raises(InputError, match="Time: the stamps are of last quotes"):
        read_chain(path, timezone="America/New_York")
    told = {"columns": {"last_quote": "Time"}, "as_of": AS_OF}
    assert len(read_chain(path, **told).chain) == len(minutes)


def test_a_time_of_day_that_is_none_is_refused(tmp_path):
    path = saved(tmp_path, contracts().drop(columns="ts").assign(date="20230914", ms_of_day=-5))
    with pytest.raises(InputError, match="ms_of_day: row 1 is '-5'; wanted a time of day"):
        read_chain(path)


def test_contracts_that_come_again_with_other_numbers_are_refused(tmp_path):
    table = two_moments(moment=["morning", "noon"], date=["2023-09-14"] * 2)
    with pytest.raises(InputError, match=r"rows repeat a contract.*\(not read: moment\)"):
        read_chain(saved(tmp_path, table), as_of=AS_OF)


def test_a_date_alone_yields_to_a_moment_of_that_date(tmp_path):
    path = saved(tmp_path, contracts().assign(ts="2023-09-14"))
    chain, report = read_chain(path, as_of="2023-09-14 15:45-04:00")
    assert f"{chain.as_of:%H:%M}" == "15:45"
    assert any("the file gives the date alone, 2023-09-14" in note for note in report.notes)
    with pytest.raises(InputError, match="no snapshot at or before 2023-09-13 15:45"):
        read_chain(path, as_of="2023-09-13 15:45-04:00")
    assert f"{read_chain(path).chain.as_of:%H:%M}" == "16:00"


def test_two_listed_dates_that_end_together_are_two_contracts(tmp_path):
    # the market was closed on Monday 2023-09-04: what is listed under it ends on the Friday before
    table = contracts(expiries=("2023-09-01", "2023-09-04")).assign(ts="2023-08-30 12:00-04:00")
    chain = read_chain(saved(tmp_path, table)).chain
    assert len(chain) == len(table)
    assert len(chain.expiries) == 1
    assert len(chain.select(expiry="2023-09-04")) == len(table) / 2


# -- JSON and layouts ----------------------------------------------------------------------------


def as_json(folder: Path, answer: object) -> Path:
    path = folder / "chain.json"
    path.write_text(json.dumps(answer), encoding="utf-8")
    return path


def nested(table: pd.DataFrame) -> list[dict[str, object]]:
    """Return contracts as Polygon's snapshot nests them."""
    stamp = AS_OF.tz_convert("UTC").as_unit("ns").value
    return [
        {
            "details": {"ticker": f"O:{name}", "contract_type": "call", "strike_price": row.strike},
            "last_quote": {"bid": row.bid, "ask": row.ask, "last_updated": stamp},
            "day": {"volume": row.volume, "close": 1.0},
            "implied_volatility": row.iv,
            "open_interest": row.open_interest,
            "underlying_asset": {"price": row.spot, "ticker": "XYZ"},
        }
        for name, row in zip(symbols(table), table.itertuples(), strict=True)
    ]


SHAPES = {
    "a list": lambda t: t.to_dict("records"),
    "under keys": lambda t: {"s": "ok", "options": {"option": t.to_dict("records")}},
    "nested objects": lambda t: {"status": "OK", "results": nested(t)},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_list_of_contracts_in_json_is_read(tmp_path, shape):
    usual = read_chain(saved(tmp_path, contracts())).chain
    chain = read_chain(as_json(tmp_path, SHAPES[shape](contracts()))).chain
    for column in ("strike", "right", "bid", "iv", "open_interest", "volume"):
        np.testing.assert_allclose(getattr(chain, column), getattr(usual, column))
    assert (chain.spot, chain.as_of, chain.symbol) == (100.0, AS_OF, "XYZ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"result": [{"instrument_name": "X", "mark_iv": 1}]}',
            r"result\[\] holds 1 objects with",
        ),
        ('{"a": {"b": 1}, "c": 2}', r"no list of objects in it \(keys a\{\}, c\)"),
        ('{"a": 1}\n{"a": 2}', "holds several JSON texts, the second from line 2 on"),
        ('{"a": [1, 2', "no whole JSON"),
        ('{"data": [{"strike": 1, "CE": {"bid": 1}}]}', r"data\[\] holds .* with strike, CE\.bid"),
    ],
)
def test_json_of_something_else_is_refused_by_its_keys(tmp_path, text, message):
    path = tmp_path / "chain.json"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"^chain\.json: {message}") as refused:
        read_chain(path)
    assert "\n" not in str(refused.value)


NSE = "CALLS,,PUTS\n,OI,CHNG IN OI,VOLUME,IV,LTP,STRIKE,LTP,IV,VOLUME,OI,\n,1,-,2,3,4,5,6,7,8,9,\n"
TOS = "\ufeffStock quote and option quote for SPY on 3/4/26 10:02:20\n\nUNDERLYING\nLAST,LX\n1,2\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            NSE,
            "the table of NSE's site, calls left, puts right of STRIKE under OI, CHNG IN OI, VOL",
        ),
        (NSE.replace("CALLS,,PUTS", ",CALLS,,,,,PUTS,,,,"), "the table of NSE's site"),
        (TOS, "an export of thinkorswim"),
        ("day,level\n1,2\n", r"no column 'expiry' \(found: day, level\); name it as columns="),
        ("symbol,level\nA,2\n", r"no column 'expiry' \(found: symbol, level\)"),
    ],
)
def test_a_layout_that_is_not_read_is_named_by_its_own_columns(tmp_path, text, message):
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=rf"^table\.csv: {message}") as refused:
        read_chain(path)
    assert "\n" not in str(refused.value)
