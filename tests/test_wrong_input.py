"""Whatever is wrong with the input: one line, exit code 2, nothing written."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from hpi_bt.config import read_mapping
from small_chains import contracts, saved
from small_runs import Said, bars, commander, listing, workshop

Command = Callable[..., Said]
DIGITS = "9" * 400


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return commander(monkeypatch, capsys)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HPI_BT_DATA", raising=False)
    monkeypatch.chdir(workshop(tmp_path))
    return tmp_path


@pytest.fixture
def refused(command: Command, folder: Path) -> Callable[..., str]:
    """A function that runs a command and returns the one line that it refuses with."""

    def run(*arguments: str) -> str:
        before = listing(folder)
        said = command(*arguments)
        assert (said.code, said.out) == (2, ""), said
        assert len(said.err.splitlines()) == 1
        assert said.err.startswith("hpi-bt: ")
        assert len(said.err) < 1000
        assert [p for p in listing(folder) if "__pycache__" not in p] == before
        return said.err

    return run


Refused = Callable[..., str]


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("data.start=2024-02-30", "data.start: found '2024-02-30'; wanted YYYY-MM-DD"),
        ("data.end=2024-01-05 25:00:00", "data.end: found '2024-01-05 25:00:00'; wanted YYYY-"),
        ("broker.cash=null", "broker.cash: found nothing; wanted a number"),
        ("broker.cash=!!float x", "broker.cash: found 'x'; wanted a number"),
        ("broker.cash=!!int ''", "broker.cash: found ''; wanted a number"),
        ("demo=!!bool maybe", "demo: found 'maybe'; wanted true or false"),
        (f"broker.cash={DIGITS}", "broker.cash: found '99999"),
        (f"broker.cash={DIGITS * 20}", "broker.cash: found '99999"),
        (f"broker.cash=0x{'f' * 5000}", "broker.cash: found '0xfff"),
        ("broker.cash=" + ":".join(["59"] * 300) + ".5", "broker.cash: found '59:59"),
        ("strategy.params.size=[1]", "strategy.params.size: found [1]; wanted a number"),
        ("strategy.params.size={a: 1}", "strategy.params.size: found {'a': 1}; wanted a number"),
        ("strategy.params.size=2024-01-05", "strategy.params.size: found datetime.date("),
        ("study=!!python/object:os.system {}", "unknown tag '!!python/object:os.system'"),
        ("study=!mine {}", "unknown tag '!mine'; remove it"),
        ("study=" + "[" * 1000 + "]" * 1000, "more than 50 levels of nesting"),
        ("study=" + "[" * 100_000, "more than 50 levels of nesting"),
        ("study=" + "{a: " * 1000 + "}" * 1000, "more than 50 levels of nesting"),
        ("study=&a [*a]", "an alias holds itself"),
        (r'name="\0"', r"character '\x00' is no text"),
        (r'name="\ud800"', r"character '\ud800' is no text"),
        (r'name="\U00110000"', "is no YAML value"),
        (".".join(["a"] * 1000) + "=1", "write KEY=VALUE"),
        ("data.source.path=" + "b" * 300 + ".csv", "has a name of 304 bytes"),
        ("data.source.path=~nobody-here/b.csv", "there is no home folder ~nobody-here"),
        ("data.source.path=/dev/zero", "/dev/zero: is a device or pipe; give a file"),
        ("data.source.path=pipe.csv", "pipe.csv: is a device or pipe; give a file"),
        ("strategy.class=~nobody-here/x.py:X", "strategy.class: ~nobody-here/x.py: there is no"),
        (f"strategy.class={'x' * 300}.py:X", "strategy.class: xxx"),
        ("data.calendar=" + "X" * 300, "no exchange calendar"),
    ],
)
def test_a_wrong_value_of_a_config_is_refused(
    override: str, told: str, folder: Path, refused: Refused
):
    os.mkfifo(folder / "pipe.csv")
    assert told in refused("run", "small.yaml", "-s", override)


def test_a_text_that_looks_like_a_date_is_text_where_text_is_wanted(tmp_path: Path):
    (tmp_path / "a.yaml").write_text("name: 2024-13-45\nwhen: 2024-01-05\nmany: 12\nodd: 1_0\n")
    found = read_mapping(tmp_path / "a.yaml")
    assert found["name"] == "2024-13-45"
    assert str(found["when"]) == "2024-01-05"
    assert (found["many"], found["odd"]) == (12, 10)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("name: é\n".encode("latin-1"), "is not in UTF-8 (byte 0xe9 at place 6)"),
        ("name: x\n".encode("utf-16"), "is not in UTF-8 (byte 0xff at place 0)"),
        (b"name: a\0b\n", "no valid YAML"),
        (b"name: x\n" + b"#" * 600_000, "600,008 bytes; a config has at most 500,000"),
        (b"- " * 2000 + b"1\n", "more than 50 levels of nesting"),
    ],
)
def test_a_file_that_is_no_config_is_refused(
    content: bytes, told: str, folder: Path, refused: Refused
):
    (folder / "wrong.yaml").write_bytes(content)
    for command in ("run", "sweep", "signals", "flow"):
        assert told in refused(command, "wrong.yaml")
    assert told in refused("config", "show", "wrong.yaml")


@pytest.mark.parametrize("verb", ["run", "sweep", "walk-forward", "flow"])
@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("pipe.yaml", "pipe.yaml: is a device or pipe; give a YAML text file"),
        ("/dev/zero", "/dev/zero: is a device or pipe"),
        ("folder.yaml", "folder.yaml: is a folder"),
        ("~nobody-here/x.yaml", "there is no home folder ~nobody-here"),
        ("c" * 300 + ".yaml", "has a name of 305 bytes"),
    ],
)
def test_what_is_no_file_is_no_config(
    verb: str, config: str, told: str, folder: Path, refused: Refused
):
    os.mkfifo(folder / "pipe.yaml")
    (folder / "folder.yaml").mkdir()
    assert told in refused(verb, config)


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "small.yaml", "--results"),
        ("run", "small.yaml", "--data-dir"),
        ("run", "small.yaml", "--cache-dir"),
        ("signals", "small.yaml", "--results"),
        ("scan", "small.yaml", "--results"),
        ("sweep", "small.yaml", "-s", "sweep={size: [1, 2]}", "--results"),
        ("compare", "a", "b", "--results"),
        ("config", "new"),
        ("gauge", "--offline", "--out"),
        ("gauge", "--offline", "--data-dir"),
        ("gauge", "--offline", "--cache-dir"),
        ("fetch", "gauge", "--offline", "--cache-dir"),
        ("chain", "xyz.csv", "--out"),
        ("chain", "xyz.csv", "--data-dir"),
        ("chain",),
    ],
)
def test_a_path_that_cannot_be_is_refused_wherever_it_is_given(
    arguments: tuple[str, ...], folder: Path, refused: Refused
):
    saved(folder, contracts(calls=260.0))
    assert "no home folder ~nobody-here" in refused(*arguments, "~nobody-here/x")
    assert "has a name of 300 bytes" in refused(*arguments, "x" * 300)


@pytest.mark.parametrize("column", ["open", "high", "close", "volume", "openinterest"])
@pytest.mark.parametrize("value", [DIGITS, "-" + DIGITS, "inf", "-inf", "1e400"])
def test_a_number_without_bound_names_its_row(
    column: str, value: str, folder: Path, refused: Refused
):
    table = pd.read_csv("bars.csv", dtype="str")
    table.loc[4, column] = value
    table.to_csv("bars.csv", index=False)
    told = refused("run", "small.yaml")
    assert f"bars.csv: row 5, {column} is " in told
    assert "wanted a number within" in told


def test_dates_are_no_prices(folder: Path, refused: Refused):
    table = pd.read_csv("bars.csv", parse_dates=["date"])
    table.assign(high=table["date"]).to_parquet("bars.parquet")
    source = "data.source={kind: parquet, path: bars.parquet}"
    told = refused("run", "small.yaml", "-s", source)
    assert "bars.parquet: high holds dates or times; wanted numbers" in told


@pytest.mark.parametrize("policy", ["refuse", "drop", "widen"])
@pytest.mark.parametrize("column", ["open", "high", "close"])
def test_bars_without_a_price_column_are_refused_under_every_policy(
    policy: str, column: str, folder: Path, refused: Refused
):
    pd.read_csv("bars.csv").drop(columns=column).to_csv("bars.csv", index=False)
    told = refused("run", "small.yaml", "-s", f"data.source.bad_bars={policy}")
    assert f"bars.csv: no column '{column}' (found: " in told


@pytest.mark.parametrize("offset", ["+99:00", "-25:00", "+24:00", "+2359", "+05:75", "-12:01"])
def test_an_offset_that_no_place_has_names_its_row(offset: str, folder: Path, refused: Refused):
    for rows in (slice(3, 4), slice(None)):
        table = pd.read_csv(folder / "bars.csv").head(6)
        table["date"] += "T15:30:00-05:00"
        table.loc[rows, "date"] = table.loc[rows, "date"].str.replace("-05:00", offset)
        table.to_csv("aware.csv", index=False)
        label = ("-s", "data.source.bar_label=close", "-s", "data.source.bar_minutes=30")
        told = refused("run", "small.yaml", "-s", "data.source.path=aware.csv", *label)
        row = 4 if rows.start else 1
        assert f"aware.csv: row {row}, date is '2024-01-0" in told
        assert "wanted a UTC offset from -12:00 to +14:00" in told


@pytest.mark.parametrize("blank", ["", "  ", "NaT", "2024-02-30"])
def test_a_blank_or_impossible_stamp_names_its_row(blank: str, folder: Path, refused: Refused):
    rows = bars()
    rows[4] = blank + rows[4][10:]
    (folder / "bars.csv").write_text("\n".join(rows) + "\n")
    assert "bars.csv: row 4, date is " in refused("run", "small.yaml")


def test_a_list_of_countless_columns_is_cut(folder: Path, refused: Refused):
    (folder / "bars.csv").write_text(",".join(f"c{i}" for i in range(3000)) + "\n")
    told = refused("run", "small.yaml")
    assert "no column of stamps" in told
    assert told.rstrip().endswith("name it under columns")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[" * 10_000, "no whole JSON"),
        ('{"data": ' * 10_000, "no whole JSON"),
        ('{"data": {"options": ' + "[" * 10_000 + "]" * 10_000 + "}}", "no whole JSON"),
        (
            '{"timestamp": "2024-12-13 20:45:00", "data": {"current_price": '
            + DIGITS
            + ', "options"'
            ': [{"option": "SPY241220C00590000", "bid": 1, "ask": 2, "iv": 0.2}]}}',
            "current_price: '99999",
        ),
    ],
)
def test_json_without_end_is_refused(text: str, told: str, folder: Path, refused: Refused):
    for name, content in (("c.json", text.encode()), ("c.json.gz", gzip.compress(text.encode()))):
        (folder / name).write_bytes(content)
        if not text.startswith("["):  # which no reader takes for JSON
            assert told in refused("chain", name, "--no-page")
        else:
            assert refused("chain", name, "--no-page", "--kind", "cboe_json")


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--timezone", "Mars/Base", "timezone 'Mars/Base' is unknown"),
        ("--timezone", "../../etc/passwd", "is unknown; wanted an IANA name"),
        ("--timezone", "America", "timezone 'America' is unknown"),
        ("--timezone", "+99:00", "timezone '+99:00' is unknown"),
        ("--as-of", "2024-02-30", "--as-of: '2024-02-30'"),
        ("--as-of", "2023-09-14T12:00+99:00", "--as-of: '2023-09-14T12:00+99:00'"),
        ("--as-of", DIGITS, "is no moment"),
        ("--expiry", "2024-02-30", "expiry"),
        ("--expiry", DIGITS, "expiry"),
        ("--spot", "nan", "--spot nan: give a price"),
        ("--spot", "inf", "--spot inf: give a price"),
        ("--rate", "nan", "--rate"),
        ("--rate", "inf", "--rate"),
        ("--dividend", "nan", "--dividend"),
        ("--coupling", "nan", "--coupling nan: give a number"),
        ("--coupling", "2023-09-15=inf", "--coupling inf: give a number"),
        ("--future", f"ES={DIGITS}", "--future 999"),
        ("--beta", "NQ=nan", "--beta nan: give a number"),
        ("--kind", "yahoo", "no column 'contractSymbol'"),
    ],
)
def test_a_wrong_option_of_a_chain_is_refused(
    option: str, value: str, told: str, folder: Path, refused: Refused
):
    saved(folder, contracts(calls=260.0))
    assert told in refused("chain", "xyz.csv", "--no-page", option, value)


def test_a_strategy_that_raises_is_no_wrong_input(folder: Path, command: Command):
    body = "    def next(self):\n        open('/no/such/file')\n"
    (folder / "hold.py").write_text(f"import backtrader as bt\nclass Hold(bt.Strategy):\n{body}")
    said = command("run", "small.yaml")
    assert said.code == 1
    assert "FileNotFoundError" in said.err
    assert "hold.py, line 4" in said.err


def test_a_folder_that_the_system_refuses_is_wrong_input(
    folder: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
):
    code = "def locked(_): raise PermissionError(13, 'Permission denied', 'locked/small.yaml')"
    exec(code, names := {})  # no file of the user's
    monkeypatch.setattr("hpi_bt.frames.find_config", names["locked"])
    told = refused("run", "small.yaml")
    assert "locked/small.yaml: cannot be used (Permission denied); give another" in told


def test_damaged_files_of_a_result_are_refused(folder: Path, command: Command):
    assert command("run", "small.yaml", "-s", "study.enabled=false").code == 0
    (result,) = Path("results").glob("small-*")
    for name in ("config.yaml", "summary.json"):
        whole = (result / name).read_bytes()
        for content in (b"[" * 10_000, b"\xff\xfe", b"a: &a [*a]", b""):
            (result / name).write_bytes(content)
            for arguments in (("compare", result, result), ("signals", result)):
                said = command(*arguments)
                assert said.code == 2, (name, content[:9], said)
                assert len(said.err.splitlines()) == 1
        (result / name).write_bytes(whole)
