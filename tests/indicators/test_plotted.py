"""What plotinfo and plotlines of stock indicators put on the signal page."""

from __future__ import annotations

import backtrader as bt
import numpy as np
import pandas as pd
import pytest

from hpi_bt.indicators.shown import made_by


class Stock(bt.Strategy):
    def __init__(self):
        self.rsi = bt.ind.RSI(self.data, period=5, upperband=80.0)
        self.smooth = bt.ind.SMA(self.rsi, period=3)
        self.average = bt.ind.SMA(self.data, period=3)
        self.macd = bt.ind.MACDHisto(self.data, period_me1=3, period_me2=5, period_signal=2)
        self.aroon = bt.ind.AroonUpDown(self.data, period=4)
        self.hidden = bt.ind.ATR(self.data, plotskip=True)


class Styled(bt.Indicator):
    lines = ("a", "b", "c")
    plotinfo = dict(plothlines=[-2.0, 2.0])
    plotlines = dict(
        a=dict(_plotskip=True),
        b=dict(color="red", linewidth=2.0, _name="B!"),
        c=dict(color="black"),
    )

    def next(self):
        for line in self.lines:
            line[0] = 1.0


class Own(bt.Strategy):
    def __init__(self):
        self.made = Styled(self.data)


def drawn(strategy):
    close = 100.0 + np.arange(60.0) * 7 % 11
    index = pd.date_range("2024-01-02", periods=60, freq="D")
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), close), index=index)
    cerebro = bt.Cerebro()
    cerebro.adddata(bt.feeds.PandasData(dataname=frame))
    cerebro.addstrategy(strategy)
    made = made_by(cerebro.run()[0])
    return {pane["column"]: pane for m in made for pane in m.panes()}


@pytest.fixture(scope="module")
def stock():
    return drawn(Stock)


def test_an_oscillator_keeps_its_bands(stock):
    assert stock["RSI.rsi"]["levels"] == [80.0, 30.0]


def test_an_average_lies_over_what_it_averages(stock):
    assert (stock["SMA.sma"]["pane"], stock["SMA_2.sma"]["pane"]) == ("RSI", "price")


def test_bars_are_a_histogram(stock):
    kinds = {name: stock[f"MACDHisto.{name}"]["kind"] for name in ("macd", "signal", "histo")}
    assert kinds == {"macd": "line", "signal": "line", "histo": "histogram"}


def test_reading_the_bands_leaves_the_class_as_it_was(stock):
    levels = stock["AroonUpDown.aroonup"]["levels"]
    assert levels == [0.0, 100.0, 30.0, 70.0]
    assert drawn(Stock)["AroonUpDown.aroonup"]["levels"] == levels


def test_a_skipped_indicator_or_line_is_not_drawn(stock):
    assert not any(column.startswith("ATR") for column in stock)
    assert set(drawn(Own)) == {"Styled.b", "Styled.c"}


def test_colour_width_name_and_levels_are_taken_over():
    own = drawn(Own)
    style = {k: own["Styled.b"][k] for k in ("kind", "color", "width", "title", "levels")}
    assert style == {
        "kind": "line", "color": "red", "width": 2, "title": "B!", "levels": [-2.0, 2.0]
    }  # fmt: skip
    assert "color" not in own["Styled.c"]  # black: not to be seen on a dark page
