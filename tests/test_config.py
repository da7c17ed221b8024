"""Configs: what they accept, and how they refuse."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hpi_bt.config import Config, overridden, read_mapping, resolved_yaml, validated
from hpi_bt.errors import InputError
from small_runs import mapping


def refused(overrides: list[str]) -> str:
    with pytest.raises(InputError) as error:
        validated(overridden(mapping(), overrides), "run.yaml")
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < 300
    return message


def read(tmp_path: Path, text: str | bytes) -> dict[str, Any]:
    path = tmp_path / "run.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_mapping(path)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("brokr.cash=1", "brokr: unknown key (did you mean 'broker'?); rename or remove it"),
        ("orders.stop.multipel=2", "orders.stop.multipel: unknown key (did you mean 'multiple'?)"),
        ("data.source.pth=x", "data.source.pth: unknown key (did you mean 'path'?)"),
        ("data=5", "data: found 5; wanted a mapping, key: value"),
        ("data.join=3", "data.join: found 3; wanted a list"),
        ("name=", "name: found nothing; wanted text"),
        ("name=12", "name: found 12; wanted text"),
        ("name=''", "name: found ''; wanted at least 1 character"),
        ("broker=", "broker: found nothing; wanted a mapping"),
        ("broker.cash=abc", "broker.cash: found 'abc'; wanted a number"),
        ("broker.cash=0", "broker.cash: found 0; wanted more than 0"),
        ("broker.cash=.nan", "broker.cash: found nan; wanted"),
        ("broker.cash=.inf", "broker.cash: found inf; wanted a number"),
        ("broker.slippage_bps=-1", "broker.slippage_bps: found -1; wanted 0 or more"),
        ("broker.commission.kind=foo", "broker.commission.kind: found 'foo'; wanted 'none', "),
        ("broker.commission.kind=per_contract", "per_contract wants margin"),
        ("broker.commission.margin=5", "margin belong to kind per_contract; remove them"),
        ("benchmark=spy", "benchmark: found 'spy'; wanted 'buy_and_hold' or 'none'"),
        ("data.start=soon", "data.start: found 'soon'; wanted YYYY-MM-DD"),
        ("data.start=2024-01-02 10:00", "data.start: found '2024-01-02 10:00'; wanted YYYY-MM-DD"),
        ("data.source.kind=cvs", "data.source.kind: found 'cvs'; wanted a kind of 'demo', 'csv'"),
        ("data.source={path: x}", "data.source has no kind; add kind: one of demo, csv"),
        ("data.source={kind: csv}", "data.source.path is missing; add it"),
        ("data.join=[{}]", "data.join[0].source is missing; add it"),
        ("orders.time_stop_bars=1.5", "orders.time_stop_bars: found 1.5; wanted a whole number"),
        ("orders.flat_at_close=maybe", "orders.flat_at_close: found 'maybe'; wanted true or false"),
        ("orders.size.kind=risk", "orders.size: size of kind risk wants percent"),
        ("orders.size={kind: risk, percent: 1}", "size of kind risk needs a stop; add stop"),
        ("strategy.params=[1]", "strategy.params: found [1]; wanted a mapping"),
        ("strategy.class=5", "strategy.class: found 5; wanted text"),
        (f"name={'a' * 300}", "wanted at most 80 characters"),
    ],
)
def test_a_wrong_value_is_told_with_its_place_and_the_demand(override: str, told: str) -> None:
    message = refused([override])
    assert message.startswith("run.yaml: ")
    assert told in message


def test_further_errors_are_counted_and_unknown_keys_come_first() -> None:
    message = refused(["broker.cash=0", "brokr=1"])
    assert message.startswith("run.yaml: brokr: unknown key")
    assert message.endswith("(and 1 more)")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds nothing; a config is a mapping"),
        ("just text", "holds a str; a config is a mapping"),
        ("- a\n- b\n", "holds a list; a config is a mapping"),
        ("name: a\nname: b\n", "line 1, column 1: key 'name' is given twice; remove one"),
        ("a: {b: 1, b: 2}\n", "key 'b' is given twice"),
        ("name: t\n\tdata: 1\n", "line 2, column 1: while scanning for the next token, found"),
        ("a: 1\n---\nb: 2\n", "expected a single document"),
        (
            "!!python/object/apply:os.getcwd []",
            "unknown tag '!!python/object/apply:os.getcwd'; remove it",
        ),
        ("a: *b\n", "found undefined alias"),
        ("? {a: 1}\n: 2\n", "unhashable key"),
        (b"\x00\x01", "no valid YAML"),
        (bytes(range(128, 256)), "is not in UTF-8 (byte 0x80 at place 0)"),
    ],
)
def test_a_file_that_is_no_yaml_mapping_is_refused(
    tmp_path: Path, text: str | bytes, told: str
) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path, text)
    assert str(error.value).startswith(str(tmp_path / "run.yaml"))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_config_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such config; `hpi-bt list`"):
        read_mapping(tmp_path / "absent.yaml")
    with pytest.raises(InputError, match="is a folder; give a YAML text file"):
        read_mapping(tmp_path)


def test_anchors_aliases_and_merges_work_as_in_any_yaml(tmp_path: Path) -> None:
    text = "a: &a {x: 1, y: 2}\nb: *a\nc: {<<: *a, y: 3}\n"
    assert read(tmp_path, text) == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 2},
        "c": {"x": 1, "y": 3},
    }


def test_aliases_that_explode_or_hold_themselves_are_refused_at_once(tmp_path: Path) -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
    )
    chain = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 2000))
    for text, told in (
        (f"{bomb}name: *a11\n", "line 7, column 5: its aliases stand for more than 200,000 values"),
        (f"{bomb}<<: {{name: *a11}}\n", "its aliases stand for more than 200,000 values"),
        (chain, "line 51, column 6: its aliases stand for more than 200,000 values or 50 levels"),
        ("data: &d\n  source: *d\n", "line 1, column 7: an alias holds itself"),
        ("sweep: &s [1, *s]\n", "line 1, column 8: an alias holds itself"),
    ):
        with pytest.raises(InputError) as error:
            read(tmp_path, text)
        assert told in str(error.value)
        assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("foo", "write KEY=VALUE"),
        ("=3", "write KEY=VALUE"),
        ("a..b=3", "write KEY=VALUE"),
        ("name=[1", "is no YAML value; quote it"),
        ("name.first=x", "name is 'small', no mapping; override name itself"),
        ("data.join.0.known_at=x", "data.join is a list of 0, '0' is no place in it"),
        ("data.join.first=x", "'first' is no place in it; give a number"),
        (f"data.join.{'9' * 20}=x", "is no place in it; give a number"),
    ],
)
def test_an_override_that_fits_nowhere_is_refused(override: str, told: str) -> None:
    with pytest.raises(InputError) as error:
        overridden(mapping(join=[]), [override])
    assert str(error.value).startswith(f"override {override}: ")
    assert told in str(error.value)


def test_an_override_reaches_into_mappings_lists_and_absent_sections() -> None:
    given_ = {"a": {"b": [{"c": 1}, {"c": 2}]}, "n": None}
    got = overridden(given_, ["a.b.1.c=[x, 1.5]", "n.deep.er=true", "new=2024-01-02"])
    assert got["a"]["b"] == [{"c": 1}, {"c": ["x", 1.5]}]
    assert got["n"] == {"deep": {"er": True}}
    assert str(got["new"]) == "2024-01-02"


leaves = st.one_of(st.integers(-9, 9), st.booleans(), st.text("ab", max_size=3), st.none())
trees = st.recursive(
    leaves, lambda inner: st.dictionaries(st.sampled_from("pqr"), inner, max_size=3), max_leaves=8
).map(lambda tree: tree if isinstance(tree, dict) else {"p": tree})
paths = st.lists(st.sampled_from("pqr"), min_size=1, max_size=3)


@given(trees, paths, st.integers(-9, 9))
def test_an_override_is_read_back_at_its_place_and_the_given_config_never_changes(
    tree: dict[str, Any], path: list[str], value: int
) -> None:
    before = copy.deepcopy(tree)
    try:
        got: Any = overridden(tree, [f"{'.'.join(path)}={value}"])
    except InputError:
        got = None  # a value lies on the way
    assert tree == before
    for key in path if got is not None else ():
        got = got[key]
    assert got is None or got == value


def test_a_resolved_config_is_complete_and_means_the_same() -> None:
    config = validated(mapping(), "run.yaml")
    plain = yaml.safe_load(resolved_yaml(config))
    assert Config.model_validate(plain) == config
    # every field of every section is there, the defaults too
    assert set(plain) == {f.alias or n for n, f in Config.model_fields.items()}
    assert plain["broker"]["commission"] == {
        "kind": "none", "amount": 0.0, "multiplier": 1.0, "margin": None,
    }  # fmt: skip


def test_bare_params_mean_none_at_all() -> None:
    config = validated(overridden(mapping(), ["strategy.params="]), "run.yaml")
    assert config.strategy.params == {}


def test_keys_of_the_source_may_stand_beside_it() -> None:
    lifted = validated(mapping(bar_label="close", columns={"close": "Last"}), "run.yaml")
    direct = mapping()
    direct["data"]["source"] |= {"bar_label": "close", "columns": {"close": "Last"}}
    assert lifted == validated(direct, "run.yaml")
