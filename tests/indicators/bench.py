"""Frames, feeds and recording strategies on which every indicator is tried."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd
import pytest

import hpi_bt.indicators
from hedge_columns import hedge_columns
from hpi_bt.features.flow_columns import COLUMNS
from hpi_bt.feeds import HedgeData
from hpi_bt.indicators import KernelIndicator
from hpi_bt.indicators.base import defaults_of

MODES: dict[str, dict[str, Any]] = {
    "default": {},
    "runonce=False": {"runonce": False},
    "preload=False": {"preload": False},
    "exactbars=1": {"exactbars": 1},
    "exactbars=-1": {"exactbars": -1},
    "exactbars=-2": {"exactbars": -2},
}
PRICES = ("open", "high", "low", "close", "volume", "openinterest")
EXTRAS = ("put_volume", "call_volume", "put_oi", "call_oi", "net_oi")
GAMMA = ("put_gamma_volume", "call_gamma_volume", "put_gamma_oi", "call_gamma_oi")
GAUGE = ("gauge",)
HEDGE = COLUMNS
ZONE = "America/New_York"

INDICATORS: dict[str, type[KernelIndicator]] = {
    name: getattr(hpi_bt.indicators, name)
    for name in hpi_bt.indicators.__all__
    if name != "KernelIndicator"
}
_PRESSURE: list[dict[str, Any]] = [
    {"scale": "standard", "zscore_lookback": 20, "smoothing": 3},
    {"scale": "ratio", "accumulate": "bar", "ma": "sma", "lam": 0.5, "zscore_lookback": 30},
]
#: Parameter sets beside the defaults; a new indicator joins all contracts by one entry here.
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "HedgePressureIndex": [*_PRESSURE, _PRESSURE[0] | {"proxy": "gamma"}],
    "HedgeFlow": [{"min_strength": 0.3}, {"min_strength": 0.9}],
    "DemoHedgePressureIndex": [_PRESSURE[0], _PRESSURE[1] | {"scale": "contracts"}],
    "HedgePressureGauge": [
        {"change_sessions": 1, "moderate": 20.0},
        {"change_sessions": 3, "elevated": 40.5, "high": 60.0},
    ],
    "HerrickPayoffIndex": [
        {"max_oi_change": 0.5, "oi_base": "max", "oi_lag": 2, "alert_length": 5},
        {"gradient": False, "smoothing": 0.5, "divisor": 7.0, "color_norm_length": 3},
    ],
    "HerrickRSI": [
        {"rsi_length": 3, "signal_type": "hma", "signal_length": 4, "pivot": 2, "hidden": True},
        {"signal_length": 0, "hpi_smoothing": 1, "max_oi_change": 0.5, "pivots": "price"},
    ],
}
CASES = [(name, number) for name in INDICATORS for number in range(1 + len(OPTIONS.get(name, [])))]


def options_of(name: str, number: int) -> dict[str, Any]:
    return {} if number == 0 else OPTIONS[name][number - 1]


def names_of(name: str, number: int) -> tuple[str, ...]:
    """The columns that the kernel takes, in its order."""
    required, optional = INDICATORS[name].inputs_for(options_of(name, number))
    return (*required, *optional)


def make(case: tuple[str, int], *datas: Any) -> KernelIndicator:
    return INDICATORS[case[0]](*datas, **options_of(*case))


def price_based(case: tuple[str, int]) -> bool:
    """Whether it needs nothing but what a stock feed has."""
    return set(INDICATORS[case[0]].inputs) <= set(PRICES)


def clean_frame(seed: int = 3, sessions: int = 12, bars: int = 26) -> pd.DataFrame:
    """Quarter-hour bars of a spring with a change to daylight time, nothing missing."""
    rng = np.random.default_rng(seed)
    days = pd.bdate_range("2024-03-01", periods=sessions)
    stamps = [day + pd.Timedelta(minutes=585 + 15 * i) for day in days for i in range(bars)]
    n = len(stamps)
    close = 200.0 + np.cumsum(rng.normal(0.0, 0.3, n))
    reach = rng.uniform(0.01, 0.5, (2, n))
    put_oi, call_oi = rng.integers(100, 9000, (2, sessions)).repeat(bars, axis=1).astype(float)
    frame = pd.DataFrame(
        {
            "open": close + rng.uniform(-1.0, 1.0, n) * reach.min(axis=0),
            "high": close + reach[0],
            "low": close - reach[1],
            "close": close,
            "volume": rng.integers(1, 90_000, n).astype(float),
            "openinterest": 1e4 + np.cumsum(rng.integers(-90, 91, n)).astype(float),
            "put_volume": rng.integers(0, 900, n).astype(float),
            "call_volume": rng.integers(0, 900, n).astype(float),
            "put_oi": put_oi,
            "call_oi": call_oi,
            "net_oi": put_oi - call_oi,
        },
        index=pd.DatetimeIndex(stamps).tz_localize(ZONE),
    )
    for side in ("put", "call"):  # dollars of gamma: another weight on every bar and session
        frame[f"{side}_gamma_volume"] = frame[f"{side}_volume"] * (np.arange(n) * 7 % 11 * 1e5)
        weight = 3e6 + np.arange(sessions).repeat(bars) * (1e5 if side == "put" else -1e5)
        frame[f"{side}_gamma_oi"] = frame[f"{side}_oi"] * weight
    frame["gauge"] = rng.integers(0, 101, sessions).repeat(bars).astype(float)
    frame = frame.join(hedge_columns(frame, seed))
    frame.attrs["bar_minutes"] = 15.0
    return frame


def rough_frame(seed: int = 4, sessions: int = 12) -> pd.DataFrame:
    """The same with absent bars, a half day, NaN in every input, zero volume, flat bars."""
    rng = np.random.default_rng(seed)
    frame = clean_frame(seed, sessions)
    n = len(frame)
    for column in ("volume", "put_volume", "call_volume"):
        frame.loc[rng.random(n) < 0.08, column] = 0.0
    flat = rng.random(n) < 0.05
    for column in ("open", "high", "low"):
        frame.loc[flat, column] = frame.loc[flat, "close"]
    for column in ("volume", "openinterest", *EXTRAS, *GAUGE):
        frame.loc[rng.random(n) < 0.03, column] = np.nan
    frame.loc[rng.random(n) < 0.05, "openinterest"] = 0.0
    kept = rng.random(n) > 0.06
    kept[5 * 26 + 13 : 6 * 26] = False
    out = frame[kept]
    out.attrs = dict(frame.attrs)
    return out


class StockData(bt.feeds.PandasData):  # type: ignore[misc]
    """Backtrader's own feed with the option columns as further lines."""

    lines = (*EXTRAS, *GAMMA, *GAUGE, *HEDGE)
    params = dict.fromkeys((*EXTRAS, *GAMMA, *GAUGE, *HEDGE), -1)


def stock(frame: pd.DataFrame, **options: Any) -> bt.feeds.PandasData:
    minutes = {"timeframe": bt.TimeFrame.Minutes, "compression": 15, "tz": ZONE}
    return StockData(dataname=frame, **(minutes | options))


FEEDS = {"HedgeData": HedgeData, "PandasData": stock}


class Recorder(bt.Strategy):  # type: ignore[misc]
    """Notes, for each bar of its data `clock`, the last values of data and indicators."""

    params = dict(build=None, clock=0)

    def __init__(self) -> None:
        super().__init__()
        self.made = self.p.build(self)
        self.seen: dict[int, list[float]] = {}
        self.bars: dict[int, list[float]] = {}
        self.first = 0

    def next(self) -> None:
        self.first = self.first or len(self.data)
        self.prenext()

    nextstart = next

    def prenext(self) -> None:
        bar = len(self.datas[self.p.clock])
        if bar:
            self.bars[bar] = [line[0] for line in self.data.lines]
            self.seen[bar] = [line[0] for made in self.made for line in made.lines]


def record(build: Any, *feeds: Any, setup: Any = None, clock: int = 0, **mode: Any) -> Recorder:
    """Run a recorder whose indicators `build(strategy)` makes; `setup` adds other datas."""
    cerebro = bt.Cerebro(stdstats=False)
    for feed in feeds:
        cerebro.adddata(feed)
    if setup is not None:
        setup(cerebro)
    cerebro.addstrategy(Recorder, build=build, clock=clock)
    done: Recorder = cerebro.run(**mode)[0]
    return done


def table(rows: dict[int, list[float]]) -> np.ndarray[Any, Any]:
    """Rows in the order of their bars, shape (n_bars, n_values)."""
    return np.array([rows[key] for key in sorted(rows)])


def split(run: Recorder, cases: list[tuple[str, int]]) -> dict[tuple[str, int], Any]:
    """The recorded lines of each indicator, shape (n_bars, n_lines)."""
    edges = np.cumsum([0, *(made.lines.size() for made in run.made)])
    rows = table(run.seen)
    return {
        case: rows[:, a:b] for case, (a, b) in zip(cases, itertools.pairwise(edges), strict=True)
    }


@cache
def in_mode(mode: str, feed: str = "HedgeData") -> dict[tuple[str, int], Any]:
    """Every case on the rough frame, in one run of that mode."""
    run = record(
        lambda s: [make(case, s.data) for case in CASES], FEEDS[feed](rough_frame()), **MODES[mode]
    )
    return split(run, CASES)


def by_kernel(case: tuple[str, int], frame: pd.DataFrame) -> np.ndarray[Any, Any]:
    """What the kernel alone gives on a frame, shape (n_bars, n_lines)."""
    indicator, index = INDICATORS[case[0]], pd.DatetimeIndex(frame.index)
    given = frame.assign(
        session=[float(day.toordinal()) for day in index], slot=index.hour * 60.0 + index.minute
    )
    names = names_of(*case)
    unknown = np.full(len(frame), np.nan)
    series = [given[n].to_numpy(np.float64) if n in given else unknown for n in names]
    options = {k: v for k, v in options_of(*case).items() if k in defaults_of(indicator.kernel)}
    return in_order_of_lines(indicator, indicator.kernel(*series, **options))


def in_order_of_lines(indicator: type[KernelIndicator], out: Any) -> np.ndarray[Any, Any]:
    """A kernel's fields in the order of the indicator's lines, shape (n_bars, n_lines)."""
    return np.stack([getattr(out, name) for name in indicator.lines._getlines()], axis=1)


def same(left: Any, right: Any) -> bool:
    """Bit for bit, NaN equal to NaN."""
    return np.array_equal(left, right, equal_nan=True)


PRESSURE_LINES = ("hpi", "oi", "flow", "spread", "cross", "extreme")
PROMISED_LINES = {
    "HedgePressureIndex": PRESSURE_LINES,
    "DemoHedgePressureIndex": PRESSURE_LINES,
    "HedgeFlow": (
        *("impulse", "slope", "asymmetry", "coupling", "gex", "vex", "cex"),
        *("zero_gamma", "call_wall", "put_wall", "attractor_above", "attractor_below"),
        *("charm_to_close", "regime"),
        *(
            f"{kind}_{side}_{part}"
            for kind in ("stable", "unstable")
            for side in ("below", "above")
            for part in ("low", "high", "strength")
        ),
        *("stability_touch", "acceleration_touch", "stability_bound", "acceleration_bound"),
    ),
    "HedgePressureGauge": ("score", "change", "band", "alert"),
    "HerrickPayoffIndex": ("hpi", "raw", "alert", "gradient"),
    "HerrickRSI": (
        *("rsi", "signal", "payoff", "cross", "divergence", "zone"),
        *("pivot_age", "previous_pivot_age"),
    ),
}

every_case = pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]}-{c[1]}")
every_indicator = pytest.mark.parametrize("name", INDICATORS)
every_mode = pytest.mark.parametrize("mode", MODES)
PRICED = [case for case in CASES if price_based(case)]
