"""`symbols:` in a config: one config a symbol."""

from __future__ import annotations

from typing import Any

import pytest

from hpi_bt import InputError, run, sweep
from hpi_bt.config import configs_of, validated


def config_of(source: dict[str, Any], symbols: list[str], **data: Any) -> Any:
    mapping = {
        "name": "two", "symbols": symbols, "data": {"source": source, **data},
        "strategy": {"class": "hold.py:Hold"},
    }  # fmt: skip
    return validated(mapping, "two.yaml")


def test_each_symbol_gets_a_config_with_its_files_and_its_name():
    config = config_of(
        {"kind": "csv", "path": "bars/{symbol}.csv"}, ["SPY", "IWM"],
        join=[{"source": {"kind": "csv", "path": "{symbol}_oi.csv", "select": {"s": "{symbol}"}}}],
    )  # fmt: skip
    spy, iwm = configs_of(config)
    assert (spy.name, iwm.name, iwm.symbols) == ("two-SPY", "two-IWM", ())
    assert iwm.data.source.path == "bars/IWM.csv"
    assert iwm.data.source.symbol == "IWM"
    assert iwm.data.join[0].source.path == "IWM_oi.csv"
    assert iwm.data.join[0].source.select == {"s": "IWM"}


def test_a_source_with_a_symbol_of_its_own_needs_no_placeholder():
    found = configs_of(config_of({"kind": "demo", "sessions": 5}, ["A", "B"]))
    assert [one.data.source.symbol for one in found] == ["A", "B"]


def test_a_config_without_symbols_stands_for_itself():
    config = config_of({"kind": "demo"}, [])
    assert configs_of(config) == [config]


def test_the_longest_name_leaves_room_for_the_symbol():
    config = config_of({"kind": "demo"}, ["LONGSYMBOL"]).model_copy(update={"name": "x" * 80})
    (one,) = configs_of(config)
    assert len(one.name) == 80
    assert one.name.endswith("-LONGSYMBOL")


@pytest.mark.parametrize(
    ("source", "symbols", "said"),
    [
        ({"kind": "csv", "path": "bars.csv"}, ["A", "B"], "bars.csv would serve all 2"),
        ({"kind": "demo"}, ["A", "A"], "'A' is given twice"),
        ({"kind": "yahoo", "symbol": "A"}, ["A,B"], "symbol"),
        ({"kind": "demo", "symbol": "{symbol}"}, [], "symbols: none is named for"),
    ],
)
def test_symbols_that_cannot_be_served_are_refused(source, symbols, said):
    with pytest.raises(InputError, match=said):
        configs_of(config_of(source, symbols))


@pytest.mark.parametrize("call", [run, sweep])
def test_what_makes_one_run_refuses_several_symbols(call, tmp_path):
    config = config_of({"kind": "demo"}, ["A", "B"])
    with pytest.raises(InputError, match="there are 2 of them"):
        call(config, results=tmp_path / "out")
    assert not (tmp_path / "out").exists()
