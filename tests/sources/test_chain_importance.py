"""What is said of chains, by importance."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpi_bt.errors import Severity
from hpi_bt.sources import chain_importance
from hpi_bt.sources.chain_importance import by_importance, severity_of

PACKAGE = Path(chain_importance.__file__).resolve().parents[1]
SAID = [
    "Moment and spot_live from meta_2026-08-14.json.",
    "The smile rests on the file's IV.",
    "DEMO: chains every 30 minutes",
    "3 of 9 snapshots: Contracts without a known position, none in exposures: 1..4.",
    "No attractor below spot on these prices; a wider range_pct may hold one.",
]


def test_worked_example_demo_then_faults_then_assumptions_then_notes() -> None:
    assert by_importance(SAID) == [SAID[2], SAID[3], SAID[1], SAID[0], SAID[4]]
    assert [severity_of(one) for one in (SAID[3], SAID[1], SAID[0])] == list(Severity)


@given(st.lists(st.sampled_from(SAID)))
def test_nothing_is_lost_said_twice_or_turned_around_within_a_weight(said: list[str]) -> None:
    got = by_importance(said)
    assert set(got) == set(said)
    assert len(got) == len(set(got))
    for severity in Severity:
        of = [one for one in got if severity_of(one) is severity and not one.startswith("DEMO")]
        assert of == [one for one in dict.fromkeys(said) if one in of]


@pytest.mark.parametrize("words", chain_importance._FAULTS + chain_importance._ASSUMED)
def test_every_word_that_weighs_is_said_somewhere(words: str) -> None:
    folders = [PACKAGE / "options", PACKAGE / "sources", PACKAGE / "features"]
    files = [path for folder in folders for path in folder.glob("*.py")]
    texts = [p.read_text("utf-8") for p in (*files, PACKAGE / "chains.py")
             if p.name != "chain_importance.py"]  # fmt: skip
    assert any(words.lower() in " ".join(text.lower().split()) for text in texts), words
