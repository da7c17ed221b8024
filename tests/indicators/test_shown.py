"""What reports are told of a strategy's indicators."""

from __future__ import annotations

import hpi_bt as hb
from hpi_bt.indicators.shown import panes_of


def test_the_legend_names_the_parameters_that_were_changed_and_no_others():
    usual = dict(hb.HedgePressureIndex.params._getpairs())
    lines = ("flow", "hpi")
    plain = panes_of(hb.HedgePressureIndex, "HedgePressureIndex", usual, lines)
    assert {pane["params"] for pane in plain} == {""}
    changed = usual | {"smoothing": 5, "scale": "standard"}
    told = panes_of(hb.HedgePressureIndex, "HedgePressureIndex", changed, lines)
    assert {pane["params"] for pane in told} == {"smoothing 5, scale standard"}


def test_a_line_whose_chart_names_no_kind_is_a_line():
    class Plain(hb.HedgePressureIndex):
        chart = {"hpi": dict(pane="score"), "cross": dict(kind="event")}

    panes = panes_of(Plain, "Plain", {}, ("hpi", "cross"))
    assert [pane["kind"] for pane in panes] == ["line", "event"]
