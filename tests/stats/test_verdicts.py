import math
from dataclasses import replace

import pandas as pd
import pytest
from small_studies import FAST, pane, some_trades, subject

from hpi_bt.stats.entries import EntryTest
from hpi_bt.stats.study import signal_study
from hpi_bt.stats.timing import TimingTest
from hpi_bt.stats.verdicts import (
    coefficient_text,
    conclusions,
    entry_verdict,
    horizon_text,
    is_found,
    night_warning,
    percent,
    probability,
    timing_verdict,
    verdict,
)

ROW = {"effect": 0.002, "p_value": 0.4, "q_value": 0.9, "detectable": 0.0012, "note": ""}
TIMING = TimingTest(300, 40, 10, 9, 0.83, 1e-4, 0.0, -2e-4, 3e-4, 84.0, 1.1, 0.3, "", 0.6)
TEST = EntryTest(40, 0.001, 0.0, -0.002, 0.0021, 84.0, 1.1, 0.3, 0.003, "", 0.6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "no evidence; less than 0.120 % may well be missed"),
        ({"p_value": 0.004, "q_value": 0.01}, "found: q 0.010"),
        (
            {"p_value": 0.004, "q_value": 0.0004, "effect": -0.002},
            "found: q under 0.001; price went AGAINST the signal",
        ),
        ({"p_value": 0.004, "q_value": 0.1}, "a hint at most: p 0.004, q 0.10 among all tests"),
        ({"p_value": 0.004, "q_value": 0.101}, "no evidence; less than 0.120 % may well be missed"),
        ({"p_value": 0.06, "q_value": 0.06}, "no evidence; less than 0.120 % may well be missed"),
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
    assert [probability(p) for p in (1e-9, 0.0046, 0.046)] == ["under 0.001", "0.005", "0.046"]


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
    ("horizon", "minutes", "words"),
    [(1, 15.0, "1 bar"), (60, 15.0, "60 bars"), (5, math.nan, "5 bars")],
)
def test_where_bars_are_missing_a_horizon_is_said_in_bars(horizon, minutes, words):
    assert horizon_text(horizon, minutes, regular=False) == words
    assert horizon_text("close", minutes, regular=False) == "to the close"


def test_conclusions_name_bars_where_they_do_not_stand_for_time():
    study = replace(signal_study([subject(4)], **FAST), regular=False)
    rows = study.events.copy()
    rows.loc[:1, "q_value"] = [0.03, 0.01]
    assert "found buy (1 bar, 4 bars; price" in conclusions(replace(study, events=rows))[0]
    assert "(I.score, 4 bars; p" in conclusions(study)[1]


def test_the_edge_that_would_have_shown_is_told_for_the_first_and_the_last_horizon():
    study = signal_study([subject(4)], **FAST)
    rows = study.events.copy()
    rows["detectable"] = [0.001, 0.002, 0.02, 0.003, 0.004, 0.04]
    rows[["p_value", "q_value"]] = 0.5
    # medians of both kinds: 0.2 % of 0.1 and 0.3 after one bar, 3 % of 2 and 4 to the close
    assert conclusions(replace(study, events=rows))[0] == (
        "Signals: no evidence of an edge in 6 tests (2 kinds, 3 horizons); an edge of 0.200 % "
        "(15 min) or 3.00 % (to the close) would typically be found four times in five."
    )
    last = rows["horizon"] == "close"
    rows.loc[~last, "p_value"] = math.nan
    said = conclusions(replace(study, events=rows))[0]
    assert "an edge of 3.00 % (to the close) would" in said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {},
            ": no evidence that the entries add anything (p 0.30); an advantage under 0.300 % may "
            "well be missed.",
        ),
        (
            {"detectable": math.inf},
            ": no evidence that the entries add anything (p 0.30); so short a run can find none.",
        ),
        ({"p_value": 0.01, "q_value": 0.03}, ": found better than random entries (p 0.010)."),
        (
            {"p_value": 0.02, "q_value": 0.06},
            ": a hint at most that they are better than random entries (p 0.020).",
        ),
        (
            {"p_value": 0.01, "q_value": 0.03, "t": -3.0},
            ": found worse than random entries (p 0.010).",
        ),
        ({"p_value": math.nan, "note": "3 sessions"}, ". Cannot be judged: 3 sessions."),
        ({"p_value": math.nan}, ". Cannot be judged: no spread."),
    ],
)
def test_a_test_of_entries_is_one_sentence(changes, words):
    said = entry_verdict(TEST._replace(**changes))
    assert said.startswith("Valued over the holding times of all trades, the 40 entries made ")
    assert said.endswith(words)


def test_one_entry_is_no_1_entries():
    assert "the entry made +0.100 % each" in entry_verdict(TEST._replace(n=1))


def test_a_study_without_edge_is_summed_up_in_three_sentences():
    one = subject(4)
    study = signal_study([one._replace(trades=some_trades(one.bars))], **FAST)
    signals, lines, entries = conclusions(study)
    assert signals.startswith("Signals: no evidence of an edge in 6 tests (2 kinds, 3 horizons)")
    assert lines.startswith("Lines: no evidence in 3 rank correlations; the clearest is")
    assert entries.startswith("Entries: no evidence that they beat random ones in 40 entries")


@pytest.mark.parametrize(
    ("p", "q", "words"),
    [
        (0.001, 0.04, "Lines: of 3 rank correlations, found 1; the clearest is +0.100"),
        (0.02, 0.08, "Lines: a hint at most in 3 rank correlations; the clearest is +0.100"),
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
        "Signals: of 6 tests (2 kinds, 3 horizons), found buy (15 min, 60 min; price +1.23 % over "
        "the average; q 0.010)."
    )


def test_what_went_against_the_signal_says_which_way_price_went():
    study = signal_study([subject(4)], **FAST)
    rows = study.events.copy()
    sold = rows.index[rows["direction"] < 0.0][0]
    rows.loc[sold, ["q_value", "effect"]] = [0.01, -0.02]  # price rose after a sell
    said = conclusions(replace(study, events=rows))[0]
    assert said.endswith("found sell (15 min; price +2.00 % over the average, AGAINST the signal; "
                         "q 0.010).")  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ": no evidence that the timing adds return (p 0.30)."),
        ({"p_value": 0.01, "q_value": 0.03}, ": found better than chance (p 0.010)."),
        (
            {"p_value": 0.01, "q_value": 0.06},
            ": a hint at most that the timing is better than chance (p 0.010).",
        ),
        (
            {"p_value": 0.01, "q_value": 0.03, "t": -3.0},
            ": found worse than chance (p 0.010).",
        ),
        ({"p_value": math.nan, "note": "3 sessions"}, "Cannot be judged: 3 sessions."),
    ],
)
def test_a_test_of_timing_says_why_it_is_there_and_what_it_found(changes, words):
    said = timing_verdict(TIMING._replace(**changes))
    assert said.startswith("9 of 10 trades changed size while held, so this tests not")
    assert said.endswith(words)
    if not changes:
        assert "(over all, 83.00 % of equity) that made +2.52 % a year before costs" in said
        assert "that made +3.65 % a year before costs" in timing_verdict(TIMING, 365)


def test_timing_has_its_sentence_and_several_symbols_are_counted():
    study = signal_study([subject(4)], **FAST)
    quiet = replace(study, timing=(("A", TIMING),))
    assert conclusions(quiet)[-1] == (
        "Timing: no evidence that changing the exposure adds return (40 sessions with a change of "
        "position, p 0.30)."
    )
    good = TIMING._replace(p_value=0.01, q_value=0.03)
    assert "did better than chance" in conclusions(replace(study, timing=(("A", good),)))[-1]
    both = conclusions(replace(study, timing=(("A", TIMING), ("B", good))))
    assert both[-1] == "Timing: better than chance in 1 of 2 symbols."
    bad = good._replace(t=-3.0)
    three = conclusions(replace(study, timing=(("A", bad), ("B", good), ("C", bad))))
    assert three[-1] == "Timing: better than chance in 1 and worse in 2 of 3 symbols."
    unknown = TIMING._replace(p_value=math.nan)
    assert conclusions(replace(study, timing=(("A", unknown),))) == conclusions(study)


NIGHT = {"line": "X.x", "night_ic": 0.1, "day_ic": -0.0004, "both_ic": 0.08, "found": "night",
         "day_p_value": 0.001}  # fmt: skip


def test_a_line_whose_effect_no_order_can_reach_is_warned_of_once_a_kind():
    assert night_warning(NIGHT) == (
        "its +0.080 from close to close lies overnight (+0.100; 0.000 from the next open on): an "
        "order at the next open comes too late for it"
    )
    turned = NIGHT | {"found": "opening", "day_ic": -0.09}
    assert night_warning(turned).startswith(
        "between the signal and the next open it has the other sign (+0.100;"
    )
    assert night_warning(NIGHT | {"found": ""}) == ""
    study = replace(signal_study([subject(4)], **FAST), daily=True)
    table = pd.DataFrame([NIGHT, NIGHT | {"line": "Y.y", "day_p_value": 1e-6}, turned])
    said = conclusions(replace(study, nights=table))[2]
    assert said.startswith("Overnight: Y.y (and 1 other line): its +0.080")
    assert said.count("; X.x: between the signal") == 1
    assert conclusions(replace(study, nights=table, daily=False))[2:] == []


def test_a_coefficient_has_the_sign_of_print_and_nought_has_none():
    found = [coefficient_text(x) for x in (-0.0971, 0.05, -0.0004)]
    assert found == ["\N{MINUS SIGN}0.097", "+0.050", "0.000"]


def test_entries_of_several_symbols_are_counted():
    study = signal_study([subject(4)], **FAST)
    tests = (("A", TEST), ("B", TEST._replace(p_value=0.01, q_value=0.03)))
    both = conclusions(replace(study, entries=tests))
    assert both[-1] == "Entries: better than random ones in 1 of 2 symbols."
    bad = TEST._replace(p_value=0.01, q_value=0.03, t=-3.0)
    three = conclusions(replace(study, entries=(("A", bad), ("B", TEST), ("C", bad))))
    assert three[-1] == "Entries: better than random ones in 0 and worse in 2 of 3 symbols."
    one = conclusions(replace(study, entries=tests[1:]))
    assert one[-1] == "Entries: found better than random ones in 40 entries, p 0.010."
    usual = conclusions(replace(study, entries=(("B", TEST._replace(p_value=0.02, q_value=0.06)),)))
    assert usual[-1] == (
        "Entries: a hint at most that they are better than random in 40 entries, p 0.020."
    )


def test_what_could_not_be_tested_is_said_or_left_out():
    few = conclusions(signal_study([subject(4, sessions=5)], **FAST))
    assert few == ["Signals: none can be judged (too few events, or nothing to compare with)."]
    quiet = subject(4)
    none = quiet._replace(panes=[pane("score", kind="histogram")])
    assert conclusions(signal_study([none], **FAST))[0] == "Signals: no signal is declared."
    silent = quiet._replace(bars=quiet.bars.assign(**{"I.pulse": 0.0}))
    assert conclusions(signal_study([silent], **FAST))[0] == "Signals: none occurred."
