"""`hpi-bt chain`: the table, the page, JSON, and one line for what is wrong."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hpi_bt.chains import chain_report
from hpi_bt.cli import app
from hpi_bt.cli.chain import _COMMAND
from hpi_bt.errors import InputError, Note, Severity, in_words
from small_chains import contracts, saved
from small_runs import Said, commander

Command = Callable[..., Said]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return commander(monkeypatch, capsys)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HPI_BT_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    saved(tmp_path, contracts(calls=260.0))
    return tmp_path


def test_the_table_shows_every_group_and_the_page_is_written(command: Command, folder: Path):
    said = command("chain", "xyz.csv")
    assert said.code == 0
    for words in (
        *("XYZ hedge flow", "GEX", "VEX", "CEX", "$ of delta per 1 % move"),
        *("Zero gamma, repriced", "Zero of the cumulative strike sum", "Call wall", "Max pain"),
        *("Attractor above", "Charm", "To stay flat", "Coupling", "k atm/vol", "SSR"),
        *("Dealers' sign", "* long calls, short puts", "What it rests on"),
    ):
        assert words in said.out, words
    page = Path("results/chain-XYZ-20230914-1200.html")
    assert page.is_file()
    assert said.out.rstrip().endswith(str(page))
    assert "nan" not in said.out.lower().replace("financ", "")


def test_faults_come_first_in_the_words_of_the_command_and_the_rest_is_counted(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("hpi_bt.cli.chain._MOST_LINES", 3)
    asked = ("chain", "xyz.csv", "--spot", "103", "--range", "0.6")
    told = json.loads(command(*asked, "--json", "--no-page").out)
    said = [line for line in command(*asked).out.splitlines() if line.startswith(("- ", "..."))]
    assert said[0].startswith("- warning: The quotes imply a spot of 100.00")
    assert len(said) == 4
    assert (
        said[3]
        == f"... {len(told['flags'] + told['notes']) - 3} more (on the page, and with --json)"
    )
    page = Path("results/chain-XYZ-20230914-1200-spot=103-range_pct=0.6.html").read_text("utf-8")
    known = page.partition('id="flags"')[2].partition("</section>")[0]
    heads = ["Faults in the data", "Assumptions that move the answer", "Notes"]
    found = [head for head in heads if f"<h3>{head}</h3>" in known]
    assert found[0] == heads[0]
    assert all(
        html.escape(flag, quote=True).replace("&#x27;", "&#39;") in known for flag in told["flags"]
    )


@pytest.mark.parametrize(
    ("advice", "ours"),
    [
        ("can be given as `futures`", "can be given as --future"),
        ("a wider `range_pct` may hold one", "a wider --range may hold one"),
        ("give `symbol=BRK.B`", "give --symbol BRK.B"),
        ("give `timezone=America/New_York`", "give --timezone America/New_York"),
        ("give `columns=iv_pct:IV in %`", "give --column 'iv_pct=IV in %'"),
        ("give `as_of` to say when", "give --as-of to say when"),
        ("give `unit=coin_prices`", "give --unit coin_prices"),
        ("give `stamp_format=%d/%m/%Y`", "give --stamp-format %d/%m/%Y"),
    ],
)
def test_advice_names_options_of_the_command_that_exist(
    advice: str, ours: str, command: Command, monkeypatch: pytest.MonkeyPatch
):
    note = Note(Severity.INFO, "advice", advice)
    assert in_words(note, _COMMAND) == ours
    refused = InputError("wrong", where="spot", field="spot", remedy=advice).in_words(_COMMAND)
    assert str(refused) == f"spot: spot: wrong; {ours}"  # a file and a column, not the option
    monkeypatch.setenv("COLUMNS", "300")
    (option,) = re.findall(r"--[a-z-]+", ours)[:1]
    assert option in command("chain", "--help").out


def test_a_setting_without_a_file_is_refused_as_the_option_that_sets_it():
    refused = InputError("-1; give a number above 0", field="spot").in_words(_COMMAND)
    assert str(refused) == "--spot: -1; give a number above 0"


def test_a_file_named_like_an_option_is_named_as_it_is(command: Command, folder: Path):
    saved(folder, contracts().drop(columns="strike"), "spot")
    refused = command("chain", "spot", "--no-page")
    assert refused.code == 2
    assert refused.err.startswith("hpi-bt: spot: no column 'strike' (found: ts, symbol, spot, ")
    assert refused.err.rstrip().endswith("name it as --column 'strike=ITS NAME'")


def test_json_is_the_summary_and_nothing_else(command: Command, folder: Path):
    said = command("chain", "xyz.csv", "--json", "--no-page")
    asked = {"range_pct": 3.0, "futures": None, "betas": None}
    assert json.loads(said.out) == chain_report(folder / "xyz.csv", **asked).summary
    assert not Path("results").exists()


def test_options_reach_the_report(command: Command, folder: Path):
    said = command(
        *("chain", "xyz.csv", "--json", "--no-page", "--expiry", "2023-09-22", "--ssr", "1"),
        *("--expiry", "0dte", "--mode", "volume", "--spot", "100.5", "--rate", "0.04"),
        *("--positioning", "dealers_short_calls_long_puts", "--range", "2", "--dividend", "0"),
        *("--as-of", "2023-09-14 13:00-04:00", "--future", "ES=4000", "--beta", "ES=1.1"),
    )
    told = json.loads(said.out)
    asked = chain_report(
        *("xyz.csv",),
        expiry=["2023-09-22", "0dte"],
        ssr=1.0,
        mode="volume",
        spot=100.5,
        rate=0.04,
        dividend=0.0,
        positioning="dealers_short_calls_long_puts",
        range_pct=2.0,
        as_of="2023-09-14 13:00-04:00",
        futures={"ES": 4000.0},
        betas={"ES": 1.1},
    ).summary
    assert told == asked
    assert [e["k"] for e in told["expiries"]] == [0.0, 0.0]


def test_a_coupling_is_one_number_or_one_a_date(command: Command, folder: Path):
    one = json.loads(command("chain", "xyz.csv", "--json", "--no-page", "--coupling", "0.3").out)
    assert [e["k"] for e in one["expiries"]] == [0.3] * 4
    dated = ("--coupling", "2023-09-22=0.4", "--coupling", "2023-12-15=0.1")
    two = json.loads(command("chain", "xyz.csv", "--json", "--no-page", *dated).out)
    assert [two["expiries"][i]["k"] for i in (1, 3)] == [0.4, 0.1]


def test_parity_gives_the_spot_where_asked(command: Command, folder: Path):
    told = json.loads(command("chain", "xyz.csv", "--json", "--no-page", "--spot", "parity").out)
    assert told["spot"] == pytest.approx(100.0, abs=0.1)
    assert any("put-call parity" in note for note in told["notes"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("xyz.csv", "--spot", "high"), "--spot high: give a price, or parity"),
        (("xyz.csv", "--coupling", "x"), "--coupling x: give a number"),
        (("xyz.csv", "--coupling", "2023-09-22=x"), "--coupling x: give a number"),
        (("xyz.csv", "--future", "ES"), "--future ES: write NAME=VALUE"),
        (("xyz.csv", "--expiry", "2023-09-15"), "no contract expires on 2023-09-15"),
        (("xyz.csv", "--mode", "volum"), "did you mean 'volume'"),
        (("xyz.csv", "--positioning", "dealers"), "no convention and no column"),
        (("xyz.csv", "--kind", "csv"), "--kind: 'csv' (known: auto, cboe_csv, "),
        (("absent.csv",), "no such file"),
        (("xyz.csv", "--as-of", "noon"), "--as-of: 'noon' in no zone is no moment"),
        (("xyz.csv", "--rate", "5"), "--rate: 5 is 500 % a year"),
        (
            ("xyz.csv", "--spot", "-1"),
            "spot is -1; wanted a number above 0 and within 1e+15; give --spot",
        ),
        (("xyz.csv", "--as-of", "2024-09-14"), "moment of the quotes as --as-of"),
        (("xyz.csv", "--range", "-1"), "--range: -1"),
        (("xyz.csv", "--unit", "coins"), "--unit: 'coins' (did you mean 'coin_prices'?)"),
        (("xyz.csv", "--gather", "-1"), "--gather: -1; wanted minutes, 0 or more"),
        (("xyz.csv", "--calendar", "XNYX"), "--calendar: no exchange calendar 'XNYX'"),
        (("xyz.csv", "--column", "bid=Bidd"), "no column 'Bidd' for 'bid'"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(
    arguments: tuple[str, ...], said: str, command: Command, folder: Path
):
    ran = command("chain", *arguments)
    assert ran.code == 2
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert not ran.out
    assert not Path("results").exists()


@pytest.mark.parametrize("what", ["all expired", "negative price", "nothing to tell a vol"])
def test_a_bad_chain_is_one_line_and_exit_code_2(what: str, command: Command, folder: Path):
    table: pd.DataFrame = {
        "all expired": contracts().assign(expiry="2023-09-01"),
        "negative price": contracts().assign(ask=-2.0),
        "nothing to tell a vol": contracts().drop(columns=["bid", "ask", "iv"]),
    }[what]
    saved(folder, table, "bad.csv")
    ran = command("chain", "bad.csv")
    assert (ran.code, ran.err.count("\n"), ran.out) == (2, 1, "")
    assert ran.err.startswith("hpi-bt: bad.csv: ")


def test_no_help_of_any_command_holds_square_brackets_which_are_markup(
    command: Command, monkeypatch: pytest.MonkeyPatch
):
    # what stands in them is taken for a style and not shown
    from typer.main import get_command

    def commands(group: Any) -> Iterator[Any]:
        for one in getattr(group, "commands", {}).values():
            yield from (one, *commands(one))

    every = list(commands(get_command(app)))
    assert len(every) > 10
    for one in every:
        texts = [one.help or "", *(getattr(p, "help", None) or "" for p in one.params)]
        assert not [text for text in texts if "[" in text], one.name
    monkeypatch.setenv("COLUMNS", "300")
    assert "by default the quotes' own" in command("chain", "--help").out


def test_vols_in_percent_are_mended_as_the_line_says(command: Command, folder: Path):
    saved(folder, contracts().assign(iv=lambda t: 100.0 * t["iv"]))
    refused = command("chain", "xyz.csv", "--no-page")
    assert refused.code == 2
    assert refused.err.rstrip().endswith("looks like percent; give --column iv_pct=iv")
    mended = command("chain", "xyz.csv", "--no-page", "--json", "--column", "iv_pct=iv")
    assert 0.15 < json.loads(mended.out)["atm_vol"] < 0.25


def test_the_vols_are_an_option_and_another_word_is_refused(command: Command, folder: Path):
    own, fit = (
        json.loads(command("chain", "xyz.csv", "--vols", v, "--json", "--no-page").out)
        for v in ("quotes", "smile")
    )
    assert own["settings"]["vols"] == "quotes"
    assert own["gex_cash_per_1pct"] != fit["gex_cash_per_1pct"]
    assert own["gross_gex_pct_by_vol"]["quote"] > 0.0
    said = command("chain", "xyz.csv", "--vols", "mid")
    assert said.code == 2
    assert "--vols: 'mid'" in said.err
    assert command("chain", "xyz.csv", "--vols", "smile").code == 0
    assert Path("results/chain-XYZ-20230914-1200-vols=smile.html").is_file()
