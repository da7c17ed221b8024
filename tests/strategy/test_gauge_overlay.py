"""The shipped overlay: how much is held in each band, when it changes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hpi_bt.backtest.cerebro import run_cerebro
from hpi_bt.errors import InputError
from hpi_bt.loading import load_strategy
from hpi_bt.sources.hours import add_hours, session_close_stamps

FOLDER = Path(__file__).resolve().parents[2] / "strategies"
OVERLAY = load_strategy("gauge_overlay.py:GaugeOverlay", [FOLDER])
NAN = np.nan


def frame_of(gauge, price=None, **columns):
    """Daily bars of one price each, with a gauge."""
    n = len(gauge)
    price = np.full(n, 100.0) if price is None else np.asarray(price, dtype=float)
    stamps = session_close_stamps(pd.bdate_range("2023-05-01", periods=n), "XNYS")
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), price), stamps)
    frame = frame.assign(volume=1e6, gauge=np.asarray(gauge, dtype=float), **columns)
    frame.attrs = {"symbol": "SPY", "bar_minutes": 1440.0, "calendar": "XNYS", "demo": "",
                   "notes": []}  # fmt: skip
    return add_hours(frame, "XNYS", bar_minutes=1440.0)


def held(record, n):
    """Shares held after each bar's open."""
    change = np.zeros(n)
    np.add.at(change, record.fills["bar"].to_numpy(int), record.fills["size"].to_numpy(float))
    return np.cumsum(change)


def test_the_share_follows_the_band_from_the_next_open_on():
    gauge = [10, 10, 40, 45, 60, 71, 80, 50, 20, 20]
    record = run_cerebro(OVERLAY, {}, frame_of(gauge))
    # 100,000 dollars at 100: 99, 67, 33 and 0 percent, one bar after the band changed
    # (the first bar has no band to change from, so the first order is the second bar's)
    assert list(held(record, 10)) == [0, 0, 990, 670, 670, 330, 0, 0, 670, 990]
    assert record.trades["net"].sum() == pytest.approx(0.0)


def test_an_unknown_gauge_keeps_the_band_and_begins_low():
    record = run_cerebro(OVERLAY, {}, frame_of([NAN, NAN, 60, NAN, NAN, 60, 10, 10]))
    assert list(held(record, 8)) == [0, 0, 990, 330, 330, 330, 330, 990]


def test_between_changes_the_share_drifts_with_the_price():
    price = [100, 100, 100, 150, 150, 150]
    record = run_cerebro(OVERLAY, {}, frame_of([10, 10, 10, 10, 40, 40], price))
    shares = held(record, 6)
    assert list(shares[:5]) == [0, 0, 990, 990, 990]
    worth = 1000.0 + 990 * 150.0
    assert shares[5] == np.ceil(0.67 * worth / 150.0)  # what is sold is rounded down


def test_another_column_may_lead_and_the_shares_may_be_chosen():
    frame = frame_of([10] * 5, gauge_vix=[60.0] * 5)
    record = run_cerebro(OVERLAY, {"score": "gauge_vix", "elevated": 50.0}, frame)
    assert held(record, 5)[-1] == 500


def test_a_refused_order_is_sent_again():
    # the open after the signal is higher by half: 990 shares cannot be paid then
    record = run_cerebro(OVERLAY, {}, frame_of([10] * 6, [100, 100, 150, 150, 150, 150]))
    assert record.counts["rejected"] == 1
    assert list(held(record, 6)) == [0, 0, 0, 660, 660, 660]


def test_a_data_without_the_column_is_refused():
    with pytest.raises(InputError, match=r"strategy.params.score: the data has no column 'gage'"):
        run_cerebro(OVERLAY, {"score": "gage"}, frame_of([10] * 5))


@pytest.mark.parametrize("name", ["low", "moderate", "elevated", "high", "buffer"])
@pytest.mark.parametrize("share", [250.0, -1.0, NAN, 100.1])
def test_a_share_that_would_borrow_or_sell_short_is_refused(name, share):
    want = rf"strategy.params.{name}: {share:g}; give a percentage from 0 to 100"
    with pytest.raises(InputError, match=want) as caught:
        run_cerebro(OVERLAY, {name: share}, frame_of([10] * 5))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 100.0])
def test_all_and_nothing_are_shares(share):
    record = run_cerebro(OVERLAY, {"low": share}, frame_of([10] * 5))
    assert held(record, 5)[-1] == 10.0 * min(share, 99.0)
