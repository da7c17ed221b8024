"""Alerts: the rule, from lines to events."""

from __future__ import annotations

import numpy as np
import pytest
from alert_runs import (
    INDEX,
    NAN,
    pane,
)
from hypothesis import given as drawn
from hypothesis import strategies as st

from hpi_bt.backtest.alerting import (
    alert_bars,
    alerts_of,
    begins,
    directions,
    events_of,
)
from hpi_bt.errors import InputError


def test_worked_example():
    # the state begins on bars 1 and 6, its opposite on 3; bar 5 is not known, so bar 6 begins anew
    line = np.array([0.0, 2.0, 1.0, -1.0, 0.0, NAN, 3.0])
    assert alert_bars(line).tolist() == [1, 3, 6]
    assert alert_bars(np.array([1.0, NAN, 1.0])).tolist() == [0, 2]
    panes = [pane("state", up="bid", down="offer", value="score"), pane("score", kind="line")]
    table = alerts_of({"A.state": line, "A.score": 10.0 * line}, panes, INDEX, data="X")
    assert list(table.itertuples(index=False, name=None)) == [
        (INDEX[1], "X", "A", "bid", 1, 20.0),
        (INDEX[3], "X", "A", "offer", -1, -10.0),
        (INDEX[6], "X", "A", "bid", 1, 30.0),
    ]


numbers = st.sampled_from([0.0, 1.0, -1.0, 0.3, -7.0, NAN, np.inf, -0.0])


@drawn(st.lists(numbers))
def test_the_rule_bar_by_bar_is_the_rule_at_once_and_the_future_changes_nothing(values):
    line = np.array(values)
    slow, before = [], 0
    for bar, x in enumerate(values):
        now = (x > 0) - (x < 0)
        if now and now != before:
            slow.append(bar)
        before = now
    assert alert_bars(line).tolist() == slow
    for cut in range(len(values)):
        assert alert_bars(line[:cut]).tolist() == [bar for bar in slow if bar < cut]
    streamed = zip(values, [0.0, *values], strict=False)
    told = [i for i, (x, y) in enumerate(streamed) if begins(directions(x), directions(y))]
    assert told == slow


def test_alerts_of_one_bar_come_in_the_order_of_the_declarations():
    lines = {f"{label}.{n}": np.eye(7)[2] for label in "BA" for n in "yx"}
    table = alerts_of(lines, [pane(n, label) for label in "BA" for n in "yx"], INDEX)
    assert table["indicator"].tolist() == ["B", "B", "A", "A"]
    assert table["value"].tolist() == [1.0] * 4  # the event line itself, where no other is named


def test_an_event_quotes_its_value_line_before_the_line_that_it_sits_on():
    said = {"A.e": np.eye(7)[1], "A.v": np.full(7, 5.0), "close": np.full(7, 9.0)}
    for how, want in (({"value": "v", "on": "close"}, 5.0), ({"on": "close"}, 9.0), ({}, 1.0)):
        (row,) = alerts_of(said, [pane("e", **how)], INDEX).to_dict("records")
        assert (row["value"], row["alert"]) == (want, "up")


def test_a_declaration_or_a_style_switches_an_alert_off_or_renames_it():
    panes = [pane("a"), pane("b", alert=False), pane("c", kind="line")]
    assert [e.column for e in events_of(panes)] == ["A.a"]
    style = {"A.a": {"alert": False}, "A.b": {"alert": True, "up": "long"}}
    assert [(e.column, e.up, e.down) for e in events_of(panes, style=style)] == [
        ("A.b", "long", "down")
    ]


def test_a_declaration_that_cannot_be_followed_is_refused():
    with pytest.raises(InputError, match=r"A.e: alert 'no'; give true or false"):
        events_of([pane("e", alert="no")])
    with pytest.raises(InputError, match=r"A.e: value names 'hpj' \(did you mean 'hpi'\?\)"):
        events_of([pane("e", value="hpj")])[0].among(["A.e", "hpi"])
