import math
from dataclasses import replace

import pandas as pd
import pytest
from small_studies import FAST, pane, some_trades, subject

from hpi_bt.stats.entries import EntryTest
from hpi_bt.stats.study import signal_study
from hpi_bt.stats.verdicts import (
    conclusions,
    entry_verdict,
    horizon_text,
    is_found,
    percent,
    probability,
    verdict,
)

ROW = {"effect": 0.002, "p_value": 0.4, "q_value": 0.9, "detectable": 0.0012, "note": ""}
TEST = EntryTest(40, 0.001, 0.0, -0.002, 0.0021, 84.0, 1.1, 0.3, "")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {},
            "no evidence: p 0.40; an edge of 0.120 % would have shown p < 0.05 four times in five",
        ),
        ({"p_value": 0.004, "q_value": 0.01}, "found: q 0.01"),
        (
            {"p_value": 0.004, "q_value": 0.0004, "effect": -0.002},
            "found: q under 0.001; price went AGAINST the signal",
        ),
        ({"p_value": 0.004, "q_value": 0.2}, "a hint at most: p 0.004, but q 0.20 among all tests"),
        (
            {"p_value": math.nan, "q_value": math.nan, "note": "7 sessions with events, 8 needed"},
            "cannot be judged: 7 sessions with events, 8 needed",
        ),
    ],
)
def test_a_row_is_judged_in_words(changes, words):
    assert verdict(ROW | changes) == words


def test_only_what_holds_among_all_tests_is_found():
    assert list(is_found(pd.DataFrame({"q_value": [0.05, 0.051, math.nan]}))) == [1, 0, 0]


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.1234, "12.34 %"), (-0.00012, "\N{MINUS SIGN}0.012 %"), (2.1e-5, "0.0021 %")],
)
def test_a_percentage_keeps_three_digits_that_count(value, words):
    assert percent(value) == words


def test_a_sign_is_shown_where_it_is_asked_for():
    assert percent(0.01, signed=True) == "+1.00 %"


def test_a_probability_is_never_nought():
    assert [probability(p) for p in (1e-9, 0.0046, 0.046)] == ["under 0.001", "0.005", "0.05"]


@pytest.mark.parametrize(
    ("horizon", "minutes", "words"),
    [
        (1, 1.0, "1 min"),
        (60, 1.0, "60 min"),
        (60, 5.0, "5 h"),
        (5, 30.0, "150 min"),
        ("close", 1.0, "to the close"),
        (1, math.nan, "1 day"),
        (21, math.nan, "21 days"),
    ],
)
def test_a_horizon_is_said_in_time(horizon, minutes, words):
    assert horizon_text(horizon, minutes) == words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "better than 84 % of them, no evidence that the entries add anything (p 0.30)."),
        ({"p_value": 0.01}, "the entries are better than random ones (p 0.01)."),
        ({"p_value": 0.01, "t": -3.0}, "the entries are worse than random ones (p 0.01)."),
        ({"p_value": math.nan, "note": "3 sessions"}, "Cannot be judged: 3 sessions."),
        ({"p_value": math.nan}, "Cannot be judged: no spread."),
    ],
)
def test_a_test_of_entries_is_one_sentence(changes, words):
    said = entry_verdict(TEST._replace(**changes))
    assert said.startswith("The 40 closed trades made +0.100 % each before costs")
    assert said.endswith(words)


def test_a_study_without_edge_is_summed_up_in_three_sentences():
    one = subject(4)
    study = signal_study([one._replace(trades=some_trades(one.bars))], **FAST)
    signals, lines, entries = conclusions(study)
    assert signals.startswith("Signals: no evidence of an edge in 6 tests (2 kinds, 3 horizons)")
    assert lines.startswith("Lines: no evidence in 3 rank correlations; the clearest is")
    assert entries.startswith("Entries: no evidence that they beat random ones in 40 trades")


@pytest.mark.parametrize(
    ("p", "q", "words"),
    [
        (0.001, 0.04, "Lines: of 3 rank correlations, found 1; the clearest is +0.100"),
        (0.04, 0.12, "Lines: a hint at most in 3 rank correlations; the clearest is +0.100"),
        (0.3, 0.9, "Lines: no evidence in 3 rank correlations; the clearest is +0.100"),
    ],
)
def test_lines_are_judged_by_the_same_words_as_signals(p, q, words):
    study = signal_study([subject(4)], **FAST)
    rows = study.coefficients.copy()
    rows[["p_value", "q_value"]] = 0.95
    rows.loc[1, ["ic", "p_value", "q_value"]] = [0.1, p, q]
    assert conclusions(replace(study, coefficients=rows))[1].startswith(words)


def test_what_was_found_is_named_with_its_horizons():
    study = signal_study([subject(4)], **FAST)
    rows = study.events.copy()
    rows.loc[:1, "q_value"] = [0.03, 0.01]
    rows.loc[1, "effect"] = 0.0123
    assert conclusions(replace(study, events=rows))[0] == (
        "Signals: of 6 tests (2 kinds, 3 horizons), found buy (15 min, 60 min; +1.23 % at q 0.01)."
    )


def test_entries_of_several_symbols_are_counted():
    study = signal_study([subject(4)], **FAST)
    tests = (("A", TEST), ("B", TEST._replace(p_value=0.01)))
    both = conclusions(replace(study, entries=tests))
    assert both[-1] == "Entries: better than random ones in 1 of 2 symbols."
    one = conclusions(replace(study, entries=tests[1:]))
    assert one[-1] == "Entries: better than random ones in 40 trades, p 0.01."


def test_what_could_not_be_tested_is_said_or_left_out():
    few = conclusions(signal_study([subject(4, sessions=5)], **FAST))
    assert few == ["Signals: too few sessions with events to judge any."]
    quiet = subject(4)
    quiet = quiet._replace(panes=[pane("score", kind="histogram")])
    assert conclusions(signal_study([quiet], **FAST))[0] == "Signals: none occurred."
