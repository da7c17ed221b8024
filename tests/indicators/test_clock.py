"""Sessions that run on across midnight are noticed where dates stand for sessions."""

from __future__ import annotations

import warnings

import backtrader as bt
import numpy as np
import pandas as pd
import pytest

import hpi_bt as hb
from hpi_bt.backtest.cerebro import run_cerebro
from hpi_bt.indicators.clock import CUT_AT_MIDNIGHT, crosses_midnight
from indicators.bench import clean_frame

NEW_YORK = "America/New_York"


def closes(first: str, last: str, minutes: int, pause: tuple[float, float] | None = None):
    """Closes of bars all day and night, none in (pause[0], pause[1]] of the day's hours."""
    index = pd.date_range(first, last, freq=f"{minutes}min")
    if pause is None:
        return index
    hour = index.hour + index.minute / 60.0
    return index[~((hour > pause[0]) & (hour <= pause[1]))]


def weekdays(index):
    """Without Saturday, Friday evening and Sunday until 18:00."""
    hour, day = index.hour + index.minute / 60.0, index.day_of_week
    return index[~((day == 5) | ((day == 4) & (hour > 17)) | ((day == 6) & (hour <= 18)))]


def with_gaps(index, share=0.03):
    return index[np.random.default_rng(2).random(len(index)) > share]


def minutes_of(index):
    return index.as_unit("s").asi8 / 60.0


FUTURES = {
    "5 minutes": closes("2024-01-02 18:05", "2024-01-12 17:00", 5, (17, 18)),
    "an hour": closes("2024-01-02 19:00", "2024-01-19 17:00", 60, (17, 18)),
    "with weekends": weekdays(closes("2024-01-02 18:05", "2024-02-12 17:00", 5, (17, 18))),
    "bars missing": with_gaps(closes("2024-01-02 18:05", "2024-01-12 17:00", 5, (17, 18))),
    "one session": closes("2024-01-02 18:05", "2024-01-03 17:00", 5),
    "two sessions": closes("2024-01-02 18:05", "2024-01-04 17:00", 5, (17, 18)),
    "in UTC": closes("2024-01-02 23:05", "2024-01-12 22:00", 5, (22, 23)),
    "night trading alone": closes("2024-01-02 21:05", "2024-01-12 02:00", 5, (2.5, 21)),
}
QUIET = {
    "a day of shares": closes("2024-01-02 09:35", "2024-02-02 16:00", 5, (16, 9.5 + 24)),
    "shares before and after hours": closes("2024-01-02 04:05", "2024-01-12 20:00", 5),
    "around the clock": closes("2024-01-02 00:05", "2024-01-20 00:00", 5),
    "around the clock, bars missing": with_gaps(closes("2024-01-02", "2024-01-20", 5)),
    "currencies, five days": weekdays(closes("2024-01-02 00:05", "2024-02-20 00:00", 60)),
    "days": pd.date_range("2024-01-02", periods=300, freq="D"),
    "one bar": pd.date_range("2024-01-02", periods=1),
}
for name in ("a day of shares", "shares before and after hours"):
    hours = QUIET[name].hour + QUIET[name].minute / 60.0
    low, high = (9.5, 16.0) if "day" in name else (4.0, 20.0)
    QUIET[name] = QUIET[name][(hours > low) & (hours <= high)]


@pytest.mark.parametrize("market", FUTURES)
def test_sessions_that_run_on_are_seen(market):
    assert crosses_midnight(minutes_of(FUTURES[market]))


@pytest.mark.parametrize("market", QUIET)
def test_markets_that_pause_at_night_or_never_are_left_in_peace(market):
    assert not crosses_midnight(minutes_of(QUIET[market]))


def frame_at(index) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = len(index)
    close = 100.0 + np.cumsum(rng.normal(size=n))
    volumes = {f"{side}_volume": rng.integers(1, 99, n) * 1.0 for side in ("put", "call")}
    prices = {"open": close, "high": close + 1, "low": close - 1, "close": close}
    frame = pd.DataFrame(prices | volumes | {"net_oi": 5.0}, index=index.tz_localize(NEW_YORK))
    frame.attrs["bar_minutes"] = float((index[1] - index[0]).total_seconds() / 60.0)
    return frame


def said(frame, indicator=hb.HedgePressureIndex, **mode):
    """The warnings of a run in a plain Cerebro."""

    class Uses(bt.Strategy):
        def __init__(self):
            super().__init__()
            indicator(self.data)

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(hb.HedgeData(frame))
    cerebro.addstrategy(Uses)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cerebro.run(**mode)
    return [str(one.message) for one in caught if "session" in str(one.message)]


@pytest.mark.parametrize("mode", [{}, {"runonce": False}, {"exactbars": 1}])
def test_an_indicator_that_takes_dates_for_sessions_says_so_once(mode):
    frame = frame_at(FUTURES["5 minutes"])
    assert said(frame, **mode) == [str(CUT_AT_MIDNIGHT)]
    assert said(frame.assign(session=1.0, slot=1.0), **mode) == []
    assert said(frame.assign(session=1.0), **mode) == []  # its slot alone is of the clock
    assert said(clean_frame(), **mode) == []


def test_an_indicator_that_needs_no_session_says_nothing():
    frame = frame_at(FUTURES["5 minutes"]).assign(volume=1.0, openinterest=1.0)
    assert said(frame, hb.HerrickRSI) == []


class Idle(bt.Strategy):
    pass


def test_a_record_says_so_once():
    frame = frame_at(FUTURES["5 minutes"])
    assert run_cerebro(Idle, {}, frame).remarks == [CUT_AT_MIDNIGHT]
    assert run_cerebro(Idle, {}, frame.assign(session=1.0)).remarks == []
    assert run_cerebro(Idle, {}, frame_at(QUIET["a day of shares"])).remarks == []
