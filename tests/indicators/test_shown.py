"""What reports are told of a strategy's indicators."""

from __future__ import annotations

import backtrader as bt
import numpy as np
import pandas as pd
import pytest

import hpi_bt as hb
from hpi_bt.errors import InputError
from hpi_bt.indicators.shown import made_by, panes_of


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


SPREAD = dict(kind="histogram", pane="score")


@pytest.mark.parametrize(
    ("chart", "message"),
    [
        ({"hpi": SPREAD, "cros": {}}, r"Wrong: chart: no line 'cros' \(did you mean 'cross'\?\)"),
        ({3: SPREAD}, r"Wrong: chart: no line 3 \(known: .*hpi"),
        ({"cross": {"knd": "event"}}, r"W\.cross: chart: no option 'knd' \(did you mean 'kind'\?"),
        ({"hpi": {"colour": "red"}}, r"W\.hpi: chart: no option 'colour' \(did you mean 'color'"),
        ({"hpi": {"label": "X"}}, r"W\.hpi: chart: no option 'label'"),
        ({"cross": {"kind": "evnt"}}, r"W\.cross: chart: kind 'evnt' \(did you mean 'event'\?"),
        ({"cross": {"kind": ["event"]}}, r"W\.cross: chart: kind \['event'\]"),
    ],
)
def test_a_misspelt_declaration_is_refused_and_the_right_word_named(chart, message):
    wrong = type("Wrong", (hb.HedgePressureIndex,), {"chart": chart})
    with pytest.raises(InputError, match=message):
        panes_of(wrong, "W", {}, ("hpi", "cross"))


def test_a_kind_may_be_a_parameter():
    chart = {"cross": {"kind": "$how"}}
    kind = type("Chosen", (hb.HedgePressureIndex,), {"chart": chart})
    (pane,) = panes_of(kind, "C", {"how": "event"}, ("cross",))
    assert pane["kind"] == "event"
    with pytest.raises(InputError, match="kind 'evnt'"):
        panes_of(kind, "C", {"how": "evnt"}, ("cross",))


class Twice(hb.KernelIndicator):
    """A kernel of one line or of one data."""

    inputs = ("close",)
    lines = ("twice",)
    params = dict(by=2.0, how=None)

    @staticmethod
    def kernel(close, *, by=2.0, how=None, state=None):
        return close * by


def labels(make):
    """The labels of what a strategy makes of two datas."""

    class Makes(bt.Strategy):
        def __init__(self):
            make(*self.datas)

    close = 100.0 + np.arange(60.0) * 7 % 11
    index = pd.date_range("2024-01-02", periods=60, freq="D")
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), close), index=index)
    cerebro = bt.Cerebro(stdstats=False)
    for _ in range(2):
        cerebro.adddata(hb.HedgeData(frame))
    cerebro.addstrategy(Makes)
    return {made.label: made for made in made_by(cerebro.run()[0])}


@pytest.mark.parametrize(
    "second",
    [
        lambda x, y: Twice(x),
        lambda x, y: Twice(x, by=2),
        lambda x, y: Twice(x, plotname="again"),
    ],
)
def test_what_is_computed_twice_is_shown_once(second):
    assert list(labels(lambda x, y: [Twice(x), second(x, y)])) == ["Twice"]
    lines = labels(lambda x, y: [Twice(x.close), Twice(x.close)])
    assert list(lines) == ["Twice"]


@pytest.mark.parametrize(
    "second",
    [
        lambda x, y: Twice(y),
        lambda x, y: Twice(x, by=3.0),
        lambda x, y: Twice(x.open),
        lambda x, y: Twice(x, how=[1]),
        lambda x, y: type("Twice", (Twice,), {})(x),
    ],
)
def test_other_inputs_options_or_classes_are_shown_beside_it(second):
    assert list(labels(lambda x, y: [Twice(x), second(x, y)])) == ["Twice", "Twice_2"]


def test_stock_indicators_may_hide_their_options_and_are_all_shown():
    assert list(labels(lambda x, y: [bt.ind.SMA(x, period=3) for _ in "ab"])) == ["SMA", "SMA_2"]


def test_what_lies_over_the_second_of_two_equal_ones_lies_over_the_first():
    made = labels(lambda x, y: bt.ind.SMA([Twice(x), Twice(x)][1], period=3, subplot=False))
    assert [pane["pane"] for pane in made["SMA"].panes()] == ["Twice"]
