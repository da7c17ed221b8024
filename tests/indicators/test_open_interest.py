"""Herrick indicators without open interest say so once, in any Cerebro."""

from __future__ import annotations

import warnings

import backtrader as bt
import numpy as np
import pandas as pd
import pytest

import hpi_bt as hb

SAYS = "open interest is never positive: payoff, rsi and signal are never known"
MODES = [
    {}, {"runonce": False}, {"preload": False}, {"runonce": False, "preload": False},
    {"exactbars": 1}, {"live": True},
]  # fmt: skip


def bars(interest=0.0, n=60):
    close = 100.0 + np.sin(np.arange(n))
    frame = pd.DataFrame(
        dict(open=close, high=close + 1.0, low=close - 1.0, close=close, volume=10.0),
        index=pd.bdate_range("2024-01-02", periods=n),
    )
    return frame.assign(openinterest=interest)


def said(*frames, kind=bt.Cerebro, analyzer=None, lines=False, **mode):
    """The warnings of a run in which both indicators see each of the datas."""

    class Uses(bt.Strategy):
        def __init__(self):
            super().__init__()
            for data in self.datas:
                inputs = (data.high, data.low, data.volume, data.openinterest)
                for indicator in (hb.HerrickPayoffIndex, hb.HerrickRSI):
                    indicator(*(inputs if lines else (data,)))

    cerebro = kind(stdstats=False)
    for frame, name in zip(frames, "AB", strict=False):
        cerebro.adddata(hb.HedgeData(frame), name=name)
    cerebro.addstrategy(Uses)
    if analyzer is not None:
        cerebro.addanalyzer(analyzer[0], **analyzer[1])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cerebro.run(**mode)
    assert all(one.category is UserWarning for one in caught)
    return [str(one.message) for one in caught]


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("interest", [0.0, np.nan])
def test_each_indicator_says_so_once(mode, interest):
    assert said(bars(interest), **mode) == [f"HerrickPayoffIndex of A: {SAYS}",
                                            f"HerrickRSI of A: {SAYS}"]  # fmt: skip


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_open_interest_that_comes_late_is_nothing_to_warn_of(mode):
    late = np.where(np.arange(60) < 55, 0.0, 500.0)
    assert said(bars(late), **mode) == []


@pytest.mark.parametrize("kind", [bt.Cerebro, hb.HedgeCerebro])
@pytest.mark.parametrize("lines", [False, True])
def test_each_data_has_its_own_warning(kind, lines):
    told = said(bars(500.0), bars(), kind=kind, lines=lines)
    assert told == [f"HerrickPayoffIndex of B: {SAYS}", f"HerrickRSI of B: {SAYS}"]


def test_what_a_report_says_already_is_not_said_again(tmp_path):
    report = hb.Report, {"folder": str(tmp_path / "r")}
    assert said(bars(), analyzer=report) == []
    assert [one for one in said(bars(500.0), bars(), analyzer=report) if "never" in one] == [
        f"HerrickPayoffIndex of B: {SAYS}", f"HerrickRSI of B: {SAYS}"
    ]  # fmt: skip


def test_the_short_loop_stays_short():
    class Uses(bt.Strategy):
        def __init__(self):
            super().__init__()
            hb.HerrickRSI(self.data)

    cerebro = hb.HedgeCerebro()
    cerebro.adddata(hb.HedgeData(bars(500.0)))
    cerebro.addstrategy(Uses)
    cerebro.run()
    assert cerebro.loop == "lean"
