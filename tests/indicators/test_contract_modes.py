"""What every exported indicator keeps: all modes of Cerebro agree, subclasses of users too."""

from __future__ import annotations

from functools import cache
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd
import pytest

import hpi_bt as hb
from indicators.bench import (
    CASES,
    EXTRAS,
    INDICATORS,
    MODES,
    PRICED,
    PRICES,
    PROMISED_LINES,
    ZONE,
    by_kernel,
    clean_frame,
    every_case,
    every_mode,
    in_mode,
    in_order_of_lines,
    make,
    options_of,
    record,
    rough_frame,
    same,
    split,
    stock,
    table,
)


@every_case
@pytest.mark.parametrize("feed", ["HedgeData", "PandasData"])
@every_mode
def test_every_mode_gives_what_the_kernel_gives_bit_for_bit(case, feed, mode):
    found = in_mode(mode, feed)[case]
    assert same(found, by_kernel(case, rough_frame()))
    assert np.isfinite(found).any(axis=0).sum() >= 3


@every_mode
def test_session_and_slot_columns_take_the_place_of_the_clock(mode):
    case = ("HedgePressureIndex", 1)
    frame = rough_frame()
    frame["session"] = np.arange(len(frame)) // 20 + 1000.0
    frame["slot"] = np.arange(len(frame)) % 20 // 4
    run = record(lambda s: [make(case, s.data)], hb.HedgeData(frame), **MODES[mode])
    kernel, options = INDICATORS[case[0]].kernel, options_of(*case)
    expected = kernel(*(frame[c].to_numpy() for c in (*EXTRAS, "session", "slot")), **options)
    assert same(table(run.seen), in_order_of_lines(INDICATORS[case[0]], expected))


def frame_seen(run) -> pd.DataFrame:
    """The bars that a strategy saw, as a frame."""
    names = run.data.getlinealiases()
    frame = pd.DataFrame(table(run.bars), columns=names)
    stamps = [bt.num2date(x) for x in frame.pop("datetime")]
    frame.index = pd.DatetimeIndex(stamps).tz_localize("UTC").tz_convert(ZONE)
    return frame


def prices() -> pd.DataFrame:
    frame = rough_frame()[list(PRICES)]
    frame.attrs["bar_minutes"] = 15.0
    return frame


HOURS = {"timeframe": bt.TimeFrame.Minutes, "compression": 60}


def made_of_prices(strategy) -> list[Any]:
    return [make(case, strategy.data) for case in PRICED]


@pytest.mark.parametrize("feed", [hb.HedgeData, stock])
@every_mode
def test_resampled_bars_give_what_the_kernel_gives_on_them(mode, feed):
    run = record(
        made_of_prices, setup=lambda c: c.resampledata(feed(prices()), **HOURS), **MODES[mode]
    )
    frame = frame_seen(run)
    assert 60 < len(frame) < 100
    for case, found in split(run, PRICED).items():
        assert same(found, by_kernel(case, frame)), case


def add_both(feed):
    def add(cerebro):
        data = feed(prices())
        cerebro.adddata(data)
        cerebro.resampledata(data, **HOURS)

    return add


BESIDE = ["default", "runonce=False", "preload=False", "exactbars=-2"]


@pytest.mark.parametrize("feed", [hb.HedgeData, stock])
@pytest.mark.parametrize("mode", BESIDE)
def test_a_resampled_data_beside_changes_nothing(mode, feed):
    run = record(made_of_prices, setup=add_both(feed), **MODES[mode])
    for case, found in split(run, PRICED).items():
        assert same(found, by_kernel(case, prices())), case


@pytest.mark.parametrize("feed", [hb.HedgeData, stock])
@pytest.mark.parametrize("mode", BESIDE)
def test_on_a_resampled_data_beside_it_gives_what_it_gives_alone(mode, feed):
    def build(strategy):
        return [make(case, strategy.data1) for case in PRICED]

    run = record(build, setup=add_both(feed), clock=1, **MODES[mode])
    alone = record(made_of_prices, setup=lambda c: c.resampledata(feed(prices()), **HOURS))
    assert 60 < len(alone.seen) < 100
    for bar, values in alone.seen.items():
        assert same(run.seen[bar], values), bar


@pytest.mark.parametrize("feed", [hb.HedgeData, stock])
@pytest.mark.parametrize("mode", ["default", "exactbars=1"])
def test_a_replayed_bar_ends_as_the_resampled_one(mode, feed):
    replayed = record(
        made_of_prices, setup=lambda c: c.replaydata(feed(prices()), **HOURS), **MODES[mode]
    )
    frame = frame_seen(replayed)
    assert 60 < len(frame) < 100
    for case, found in split(replayed, PRICED).items():
        assert same(found, by_kernel(case, frame)), case


@pytest.mark.parametrize("mode", [m for m in MODES if m != "exactbars=1"])  # stock fails there
def test_a_second_feed_changes_nothing(mode):
    other = clean_frame(9)
    other.index += pd.Timedelta(minutes=5)
    run = record(
        lambda s: [make(case, s.data) for case in CASES],
        hb.HedgeData(rough_frame()),
        hb.HedgeData(other),
        **MODES[mode],
    )
    for case, found in split(run, CASES).items():
        assert same(found, by_kernel(case, rough_frame())), case


class Last(bt.Analyzer):
    """Every value of every indicator, as an optimisation can return it."""

    def start(self) -> None:
        self.rows: list[list[float]] = []

    def next(self) -> None:
        self.rows.append([line[0] for made in self.strategy.made for line in made.lines])

    prenext = next

    def get_analysis(self) -> list[list[float]]:
        return self.rows


class Optimised(bt.Strategy):
    params = dict(number=0)

    def __init__(self) -> None:
        super().__init__()
        self.made = [make((name, self.p.number), self.data) for name in INDICATORS]


@pytest.mark.parametrize("cpus", [1, 2])
def test_optstrategy_gives_what_single_runs_give(cpus):
    cerebro = bt.Cerebro(stdstats=False, maxcpus=cpus)
    cerebro.adddata(hb.HedgeData(rough_frame()))
    cerebro.optstrategy(Optimised, number=[0, 1, 2])
    cerebro.addanalyzer(Last)
    runs = cerebro.run()
    for (run,) in runs:
        expected = [by_kernel((n, run.params.number), rough_frame()) for n in INDICATORS]
        assert same(run.analyzers[0].get_analysis(), np.concatenate(expected, axis=1))
    assert sorted(run.params.number for (run,) in runs) == [0, 1, 2]


def with_added_lines(parent: type) -> type:
    class Added(parent):
        lines = ("smooth", "gap", "delayed")

        def __init__(self) -> None:
            super().__init__()
            self.lines.smooth = bt.ind.SMA(self.lines[0], period=3)
            self.lines.gap = self.lines[0] - 2.0 * self.lines[1] + self.data.close
            self.lines.delayed = self.lines[1](-2)

    return Added


def with_next(parent: type) -> type:
    class Overridden(parent):
        lines = ("twice", "moved")

        def next(self) -> None:
            self.lines.twice[0] = 2.0 * self.lines[1][0]
            self.lines.moved[0] = self.lines[0][0] - self.lines[0][-1]

    return Overridden


@cache
def subclassed(subclass: Any, mode: str) -> dict[tuple[str, int], Any]:
    classes = {name: subclass(parent) for name, parent in INDICATORS.items()}

    def build(strategy: Any) -> list[Any]:
        return [classes[case[0]](strategy.data, **options_of(*case)) for case in CASES]

    return split(record(build, hb.HedgeData(clean_frame()), **MODES[mode]), CASES)


@pytest.mark.parametrize("subclass", [with_added_lines, with_next])
@every_case
def test_subclasses_of_users_agree_in_every_mode(case, subclass):
    frame, own = clean_frame(), len(PROMISED_LINES[case[0]])
    runs = [subclassed(subclass, mode)[case] for mode in MODES]
    assert all(same(runs[0], other) for other in runs[1:])
    assert same(runs[0][:, :own], by_kernel(case, frame))
    first, second = runs[0][:, 0], runs[0][:, 1]
    late = slice(150, None)
    if subclass is with_next:
        assert same(runs[0][late, own], 2.0 * second[late])
        assert same(runs[0][late, own + 1], first[late] - first[149:-1])
    else:
        gap = first - 2.0 * second + frame["close"].to_numpy()
        assert same(runs[0][late, own + 1], gap[late])
        assert same(runs[0][late, own + 2], second[148:-2])
        mean = (first[150:] + first[149:-1] + first[148:-2]) / 3.0
        scale = np.nanmax(np.abs(first))
        np.testing.assert_allclose(runs[0][late, own], mean, rtol=1e-12, atol=1e-12 * scale)
