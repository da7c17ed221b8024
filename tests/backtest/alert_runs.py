"""Indicators, strategies and runs that alerts are tried on."""

from __future__ import annotations

import backtrader as bt
import numpy as np
import pandas as pd

import hpi_bt as hb
from hpi_bt.backtest.alerting import ALERT_COLUMNS
from hpi_bt.backtest.cerebro import Recorder
from reference.trading import market

NAN = float("nan")
MODES = [
    {},
    {"runonce": False},
    {"preload": False},
    {"exactbars": 1},
    {"exactbars": -1},
    {"exactbars": -2},
]
DAILY_TOO = {"allow_intraday": True}
INDEX = pd.date_range("2024-01-02", periods=7, freq="1D", tz="America/New_York")


def pane(name, label="A", **said):
    return {"column": f"{label}.{name}", "line": name, "label": label, "kind": "event"} | said


class Move(bt.Indicator):
    """A user's own indicator: the last change, and a state where it is larger than half a point."""

    lines = ("change", "state")
    chart = {
        "change": {"pane": "move", "kind": "histogram"},
        "state": {"pane": "move", "kind": "event", "up": "$rise", "down": "fall", "on": "change"},
    }
    params = dict(rise="rise")

    def __init__(self):
        self.addminperiod(2)

    def next(self):
        self.lines.change[0] = self.data[0] - self.data[-1]
        self.lines.state[0] = np.trunc(2.0 * self.lines.change[0])


class Drift(bt.Indicator):
    """Another, said in lines, on any line."""

    lines = ("state",)
    chart = {"state": {"kind": "event", "up": "drift up", "down": "drift down"}}

    def __init__(self):
        change = self.data - self.data(-1)
        self.lines.state = (change > 0.2) - (change < -0.2)


class Watching(bt.Strategy):
    """Makes an indicator of each data and of a line."""

    def __init__(self):
        self.moves = [Move(data) for data in self.datas]
        self.drift = Drift(bt.ind.SMA(self.data.close, period=3))


class Pressing(bt.Strategy):
    def __init__(self):
        hb.HedgePressureIndex(self.data, smoothing=2, zscore_lookback=5, extreme=0.8)
        hb.HerrickRSI(self.data, rsi_length=3, signal_length=2, hpi_smoothing=2, pivot=1)
        hb.HerrickPayoffIndex(self.data, alert_length=3, color_norm_length=3)


def given(
    target, *, smoothing=2, zscore_lookback=5, extreme=0.8, rsi_length=3, signal_length=2, pivot=1,
    state=None,
):  # fmt: skip
    """The target as it stands, with the options of what is shown."""
    return target


class Shows(hb.KernelStrategy):
    """Trades `target` and shows indicators that it has not made."""

    inputs = ("target",)
    signal_kernel = staticmethod(given)
    shows = (hb.HedgePressureIndex, hb.HerrickRSI)
    params = hb.defaults_of(given)


def bars(n=60, seed=3, **columns):
    rng = np.random.default_rng(seed)
    close = 100 + np.cumsum(rng.normal(0, 1, n))
    open_ = np.r_[100.0, close[:-1]]
    flow = {name: rng.integers(1, 100, n) for name in ("put_volume", "call_volume")}
    oi = {name: rng.integers(50, 99, n) for name in ("put_oi", "call_oi", "openinterest")}
    high, low = np.maximum(open_, close) + 1, np.minimum(open_, close) - 1
    day = np.arange(n) // 20
    return market(
        open_, high, low, close, rng.choice([-1.0, 0.0, 1.0], n), day=day, **flow | oi | columns
    )


def run(strategy, *feeds, mode=None, kind=bt.Cerebro, call=None, options=None, **analyzer):
    """Return the alerts as the analyzer told them, as the recorder has them, and the Cerebro."""
    cerebro = kind(stdstats=False, **(mode or {}))
    for i, feed in enumerate(feeds):
        made = hb.HedgeData(feed) if isinstance(feed, pd.DataFrame) else feed
        cerebro.adddata(made, name="XYZ"[i])
    cerebro.addstrategy(strategy, **(options or {}))
    cerebro.addanalyzer(Recorder, _name="recorder")
    cerebro.addanalyzer(hb.Alerts, call=call, _name="alerts", **analyzer)
    (finished,) = cerebro.run()
    told = finished.analyzers.alerts.get_analysis()
    return told, finished.analyzers.recorder.record.alerts, cerebro


def rows(table):
    """Rows with moments of time, so that kinds of zones do not matter."""
    made = table if isinstance(table, pd.DataFrame) else pd.DataFrame(table, columns=ALERT_COLUMNS)
    times = [pd.Timestamp(t) for t in made["time"]]  # a replay's record has its wall clock
    zoned = [t.tz_localize("America/New_York") if t.tz is None else t for t in times]
    moments = [t.timestamp() for t in zoned]
    values = [None if np.isnan(v) else v for v in made["value"]]
    texts = made[["data", "indicator", "alert", "direction"]].itertuples(index=False, name=None)
    return [(t, *row, v) for t, row, v in zip(moments, texts, values, strict=True)]


def moved(close, *, state=None):
    """The last change of the close, and a state where it is larger than half a point."""
    last = hb.part(state, "x") if state is not None else {}
    before = last.get("close", np.array([NAN]))
    change = close - np.r_[before, close[:-1]]
    last["close"] = close[-1:].copy()
    return change, np.trunc(2.0 * change)


def noted(close, *, state=None):
    """As `moved`, with a state that holds a float and a list."""
    kept = {"last": NAN, "seen": []} if state is None else state
    change = np.empty(close.size)
    for i, x in enumerate(close):
        change[i] = x - kept.get("last", NAN)
        kept["last"] = float(x)
        kept.setdefault("seen", []).append(i)
    return change, np.trunc(2.0 * change)


class PriceMove(hb.KernelIndicator):
    inputs = ("close",)
    lines = ("change", "state")
    kernel = staticmethod(moved)
    chart = {"state": {"kind": "event", "value": "change"}}


def makes(kind, **params):
    """A strategy that makes one indicator of its first data and does nothing."""

    class Makes(bt.Strategy):
        def __init__(self):
            kind(self.data, **params)

    return Makes


def shows(kind):
    """A strategy that shows an indicator without making it."""
    return type("Shows", (bt.Strategy,), {"shows": (kind,)})
