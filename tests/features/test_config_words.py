"""Messages about chains name the keys of a config, and notes of one kind share a line."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest
from chain_files import DAY, SPOT, ZONE, bars, table, write
from hypothesis import given
from hypothesis import strategies as st

from hpi_bt.errors import InputError, Note, Severity, restored, stored
from hpi_bt.features.compute import cleaning_joined, merged
from hpi_bt.features.config_words import in_config, refusal_in_config
from hpi_bt.features.hedge_flow import HedgeFlowFeature
from hpi_bt.features.snapshots import FileChains
from hpi_bt.sources.base import Locations
from hpi_bt.sources.chain_cboe import DELAYED
from hpi_bt.sources.chain_cleaning import KINDS_FOUND

ARGUMENT = re.compile(r"\bas_of\b")


def test_snapshots_after_the_close_are_counted_without_an_argument_of_python(tmp_path):
    frame = pd.concat([table(["15:30", "16:00", "16:10"], [SPOT] * 3)])
    write(tmp_path, frame)
    feature = HedgeFlowFeature(chains={"path": "chains.csv", "timezone": ZONE})
    where = Locations((tmp_path,), cache=tmp_path / "cache")
    notes = feature.add(bars(["15:45", "16:00"]), where, "XNYS").attrs["notes"]
    (blank,) = [note for note in notes if "left blank" in note]  # both in one line
    assert blank.startswith(f"2 snapshots left blank, the first {DAY} 21:00 UTC: chains.csv: ")
    assert blank.endswith(
        "; fix its stamp (a column ts), or timezone and late_minutes under chains"
    )
    assert not any(ARGUMENT.search(note) for note in notes)


@pytest.mark.parametrize(
    ("remedy", "ours"),
    [
        ("give `as_of`", "fix its stamp (a column ts), or timezone and late_minutes under chains"),
        ("fix it, or remove it and give `as_of` and `spot`", "fix its stamp (a column ts)"),
        ("give `spot`", "give spot"),
        ("give `columns=iv_pct:IV`", "give columns: {iv_pct: IV}"),
        ("give `timezone=UTC`", "give timezone: UTC"),
        ("give `unit=strike_thousandths`", "give unit: strike_thousandths"),
    ],
)
def test_remedies_name_keys_of_the_config(remedy, ours):
    said = str(refusal_in_config(InputError("wrong", where="x.csv", remedy=remedy)))
    assert said.startswith(f"x.csv: wrong; {ours}")
    assert not ARGUMENT.search(said)


def test_notes_name_keys_of_the_config():
    assert "give late_minutes and known_at: {delay_minutes: ...} to say when" in in_config(DELAYED)
    assert in_config("plain `as_of`") == "plain `as_of`"


def test_notes_of_many_chains_keep_their_fields_and_lie_in_the_cache():
    note = Note(Severity.WARNING, "several-spots", "spot from 1 to 2; give `spot`")
    other = Note(Severity.WARNING, "several-spots", "spot from 1 to 3; give `spot`")
    (joined,) = merged([[note], [other], []])
    assert joined == "warning: 2 of 3 snapshots: spot from 1 to 2..3; give spot"
    assert (joined.severity, joined.code) == (Severity.WARNING, "several-spots")
    (kept, plain) = restored(json.loads(json.dumps(stored([joined, "plain"]))))
    assert (kept, kept.severity, plain) == (joined, Severity.WARNING, "plain")


def test_a_file_that_cannot_be_opened_is_refused_in_the_configs_words(tmp_path):
    write(tmp_path, table(["10:05"], [SPOT]))
    chains = FileChains(path="chains.csv")
    with pytest.raises(InputError, match=r"no time zone; give timezone: America/New_York"):
        chains.open(Locations((tmp_path,)), "XNYS").times  # noqa: B018


def test_worked_example_of_joined_counts():
    said = [["a", "stale: 3 (2.5 %), kept: the quote counts", "no IV: 2 (1.0 %), left blank"],
            ["a", "stale: 14 (9.9 %), kept: the quote counts"], ["a"]]  # fmt: skip
    assert cleaning_joined(merged(said)) == [
        "a",
        "contracts of a snapshot: stale 3..14 in 2 of 3, no IV 2 in 1 of 3 snapshots",
    ]
    every = [["crossed: 1 (1.0 %), kept for volume"]] * 2
    assert cleaning_joined(merged(every)) == ["contracts of a snapshot: crossed 1 in all snapshots"]


@given(st.lists(st.sampled_from([*(f"{k}: 2 (1.0 %), so" for k in KINDS_FOUND), "b", "c"])))
def test_joining_keeps_every_other_note_in_its_order_and_names_every_kind(notes):
    got = cleaning_joined(list(dict.fromkeys(notes)))
    assert [n for n in got if n in "bc"] == [n for n in dict.fromkeys(notes) if n in "bc"]
    assert sum(n.startswith("contracts of a snapshot") for n in got) == any("(" in n for n in notes)
    for kind in KINDS_FOUND:
        named = any(f"{kind} 2 in all" in note for note in got)
        assert named == (f"{kind}: 2 (1.0 %), so" in notes)
