import numpy as np
import pandas as pd
import pytest
from small_studies import pane

from hpi_bt.stats.lines import measures_of, signals_of

VALUES = {"event": [0.0, 1.0, -1.0], "sign": [np.nan, 1.0, 0.0], "free": [0.1, -2.0, 1.0]}


def chosen(about, values):
    bars = pd.DataFrame({about["column"]: values})
    return list(signals_of([about], bars)), list(measures_of([about], bars))


@pytest.mark.parametrize(
    ("options", "values", "signal", "measure"),
    [
        ({"kind": "event"}, "event", True, False),
        ({"kind": "event", "study": False}, "event", False, False),
        ({"kind": "event"}, "free", True, False),  # its sign counts
        ({}, "sign", True, False),  # an indicator without declarations
        ({"study": False}, "sign", False, False),
        ({}, "free", False, False),
        ({"study": True}, "free", False, True),
        ({"kind": "histogram"}, "free", False, True),
        ({"kind": "histogram", "study": False}, "free", False, False),
        ({"levels": [30, 70]}, "free", False, True),
        ({"range": [0, 100]}, "free", False, True),
        ({"pane": "price", "levels": [30]}, "free", False, False),
        ({"pane": "price", "study": True}, "free", False, True),
    ],
)
def test_a_declaration_says_what_a_line_is_studied_as(options, values, signal, measure):
    found = chosen(pane("x", **options), VALUES[values])
    assert found == (["I.x"] if signal else [], ["I.x"] if measure else [])


def test_a_line_that_is_always_nought_or_unknown_is_no_signal():
    assert chosen(pane("x"), [0.0, np.nan, 0.0]) == ([], [])
    assert chosen(pane("x"), [np.nan] * 3) == ([], [])


def test_a_line_that_the_bars_lack_or_that_is_drawn_twice_is_studied_never_or_once():
    bars = pd.DataFrame({"I.x": VALUES["event"]})
    about = [pane("x", kind="event"), pane("gone", kind="event"), pane("x", kind="event")]
    assert list(signals_of(about, bars)) == ["I.x"]


def test_the_words_are_those_of_the_declaration_or_the_name_of_the_line():
    bars = pd.DataFrame({"I.x": VALUES["event"]})
    texts = [
        signals_of([pane("x", **options)], bars)["I.x"].texts
        for options in ({"kind": "event", "up": "buy"}, {"kind": "event"}, {})
    ]
    assert texts == [{1: "buy"}, {1: "x up", -1: "x down"}, {1: "x up", -1: "x down"}]
