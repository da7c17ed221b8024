"""What every exported indicator keeps: all modes of Cerebro agree, the future changes nothing."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
import time
import typing
from functools import cache
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hpi_bt as hb
from hpi_bt.arrays import copy_state
from hpi_bt.indicators import base
from hpi_bt.indicators.base import defaults_of
from indicators.bench import (
    CASES,
    EXTRAS,
    GAUGE,
    HEDGE,
    INDICATORS,
    MODES,
    OPTIONS,
    PRICES,
    ZONE,
    by_kernel,
    clean_frame,
    in_mode,
    make,
    names_of,
    options_of,
    price_based,
    record,
    rough_frame,
    same,
    split,
    stock,
    table,
)
from kernels.market import few

PRESSURE_LINES = ("oi", "flow", "spread", "hpi", "cross", "extreme")
SPEC_LINES = {
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
    "HerrickPayoffIndex": ("raw", "hpi", "alert", "gradient"),
    "HerrickRSI": (
        *("payoff", "rsi", "signal", "cross", "divergence"),
        *("pivot_age", "previous_pivot_age"),
    ),
}

every_case = pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]}-{c[1]}")
every_indicator = pytest.mark.parametrize("name", INDICATORS)
every_mode = pytest.mark.parametrize("mode", MODES)
PRICED = [case for case in CASES if price_based(case)]


def test_every_exported_indicator_has_parameter_sets_and_known_lines():
    assert set(OPTIONS) == set(INDICATORS) == set(SPEC_LINES)
    assert min(len(sets) for sets in OPTIONS.values()) >= 2


@every_indicator
def test_lines_are_those_of_the_specification(name):
    assert INDICATORS[name].lines._getlines() == SPEC_LINES[name]


@every_indicator
def test_every_option_of_the_kernel_is_a_param_with_the_same_default(name):
    params = dict(INDICATORS[name].params._getitems())
    options = defaults_of(INDICATORS[name].kernel)
    assert options
    assert {k: params[k] for k in options} == options


@every_indicator
def test_the_kernel_says_what_it_returns(name):
    hints = typing.get_type_hints(INDICATORS[name].kernel)
    assert hints["return"]._fields == SPEC_LINES[name]


def test_no_indicator_or_alias_is_called_bare_hpi():
    names = {name.lower() for name in bt.Indicator._indcol}
    aliases = {a.lower() for c in INDICATORS.values() for a in vars(c).get("alias", ())}
    assert aliases
    assert not {"hpi", "herrick", "hedge"} & (names | aliases)


# ---- modes ---------------------------------------------------------------------------------


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
    assert same(table(run.seen), np.stack(expected, axis=1))


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


# ---- causality -----------------------------------------------------------------------------


KEPT = 190


def truncated(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.iloc[:KEPT].copy()


def altered(frame: pd.DataFrame) -> pd.DataFrame:
    later, rng = frame.iloc[KEPT:], np.random.default_rng(5)
    later = later * rng.uniform(0.1, 9.0, later.shape)
    later.iloc[5::3] = np.nan
    return pd.concat([frame.iloc[:KEPT], later])


def delayed(frame: pd.DataFrame) -> pd.DataFrame:
    index = pd.DatetimeIndex(frame.index)
    return frame.set_axis(index[:KEPT].append(index[KEPT:] + pd.Timedelta(days=40)))


@cache
def with_another_future(change: Any, mode: str) -> dict[tuple[str, int], Any]:
    frame = change(rough_frame())
    frame.attrs["bar_minutes"] = 15.0
    build = lambda s: [make(case, s.data) for case in CASES]  # noqa: E731
    return split(record(build, hb.HedgeData(frame), **MODES[mode]), CASES)


@every_case
@pytest.mark.parametrize("mode", ["default", "preload=False"])
@pytest.mark.parametrize("change", [truncated, altered, delayed])
def test_the_future_changes_nothing(case, change, mode):
    assert same(with_another_future(change, mode)[case][:KEPT], in_mode("default")[case][:KEPT])


@every_case
def test_any_split_into_chunks_gives_the_same_numbers(case):
    indicator, frame = INDICATORS[case[0]], rough_frame()
    series = kernel_inputs(case, frame)
    options = {k: v for k, v in options_of(*case).items() if k in defaults_of(indicator.kernel)}
    whole = np.stack(indicator.kernel(*series, **options), axis=1)

    @few
    @given(st.lists(st.integers(0, len(frame)), max_size=9))
    def check(cuts):
        state: dict[str, Any] = {}
        parts = [
            np.stack(indicator.kernel(*(s[a:b] for s in series), **options, state=state), axis=1)
            for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), len(frame)], strict=True)
        ]
        assert same(np.concatenate(parts), whole)

    check()


def kernel_inputs(case: tuple[str, int], frame: pd.DataFrame) -> list[Any]:
    index = pd.DatetimeIndex(frame.index)
    given_ = frame.assign(session=[d.toordinal() for d in index], slot=index.hour * 60.0)
    unknown = np.full(len(frame), np.nan)
    return [given_[n].to_numpy(np.float64) if n in given_ else unknown for n in names_of(*case)]


def size_of(state: Any) -> int:
    return sum(map(size_of, state.values())) if isinstance(state, dict) else state.size


@every_indicator
def test_the_cost_of_a_bar_does_not_grow_with_history(name):
    case = (name, 1)
    frame = clean_frame(sessions=180)
    series, state = kernel_inputs(case, frame), {}
    kernel, options = INDICATORS[name].kernel, options_of(*case)
    sizes, times = [], []
    for block in range(9):
        began = time.perf_counter()
        for i in range(block * 500, block * 500 + 500):
            kernel(*(s[i : i + 1] for s in series), **options, state=state)
        copy_state(state)
        times.append(time.perf_counter() - began)
        sizes.append(size_of(state))
    assert sizes[-1] == sizes[2]
    assert min(times[-4:]) < 3.0 * min(times[1:5])


# ---- users' subclasses ---------------------------------------------------------------------


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
    frame, own = clean_frame(), len(SPEC_LINES[case[0]])
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


# ---- ways to feed one ----------------------------------------------------------------------


@every_mode
def test_a_stock_indicator_of_our_line_agrees_in_every_mode(mode):
    def build(strategy):
        index = hb.HedgePressureIndex(strategy.data)
        return [bt.ind.EMA(index.flow, period=5), index]

    rows = table(record(build, hb.HedgeData(clean_frame()), **MODES[mode]).seen)
    flow, average = rows[:, 2], np.full(len(rows), np.nan)
    minimum = 100 + 5 - 1  # the index's own warm-up counts
    average[minimum - 1] = np.mean(flow[minimum - 5 : minimum])
    for i in range(minimum, len(rows)):
        average[i] = average[i - 1] + (flow[i] - average[i - 1]) * 2.0 / 6.0
    np.testing.assert_allclose(rows[minimum - 1 :, 0], average[minimum - 1 :], rtol=1e-12)


def test_an_indicator_with_lines_of_the_right_names_is_a_data():
    class Doubled(bt.Indicator):
        lines = ("put_volume", "call_volume", "put_oi", "call_oi")

        def __init__(self) -> None:
            super().__init__()
            for name in ("put_volume", "call_volume", "put_oi", "call_oi"):
                setattr(self.lines, name, getattr(self.data, name) * 2.0)

    runs = [
        table(
            record(
                lambda s: [hb.HedgePressureIndex(Doubled(s.data))],
                hb.HedgeData(clean_frame()),
                **mode,
            ).seen
        )
        for mode in MODES.values()
    ]
    doubled = clean_frame()[list(EXTRAS)] * 2.0
    assert same(runs[0], by_kernel(("HedgePressureIndex", 0), doubled))
    assert all(same(runs[0], other) for other in runs[1:])


@every_mode
def test_a_frame_aggregated_in_pandas_gives_what_the_kernel_gives(mode):
    how = {"open": "first", "high": "max", "low": "min", "close": "last"}
    how |= dict.fromkeys(("volume", "put_volume", "call_volume"), "sum")
    how |= dict.fromkeys(("openinterest", "put_oi", "call_oi", "net_oi"), "last")
    frame = clean_frame(sessions=40).resample("60min", label="right", closed="right").agg(how)
    frame = frame.dropna(subset=["close"])
    run = record(lambda s: [hb.HedgePressureIndex(s.data)], hb.HedgeData(frame), **MODES[mode])
    assert same(table(run.seen), by_kernel(("HedgePressureIndex", 0), frame))


SEPARATE = {
    "lines of a feed": lambda d: (d.put_volume, d.call_volume, d.net_oi),
    "operations": lambda d: (d.put_volume * 1.0, d.call_volume + 0.0, d.put_oi - d.call_oi),
    "mixed": lambda d: (d.put_volume, bt.ind.SMA(d.call_volume, period=1), d.net_oi),
}


@every_mode
@pytest.mark.parametrize("way", SEPARATE)
def test_separate_lines_give_what_one_data_gives(mode, way):
    frame = clean_frame()
    run = record(
        lambda s: [hb.HedgePressureIndex(*SEPARATE[way](s.data))],
        hb.HedgeData(frame),
        **MODES[mode],
    )
    expected = by_kernel(("HedgePressureIndex", 0), frame.drop(columns=["put_oi", "call_oi"]))
    assert same(table(run.seen), expected)


@pytest.mark.parametrize("mode", [m for m in MODES if m != "exactbars=1"])  # stock fails there
def test_lines_of_two_feeds_of_one_length_give_what_one_data_gives(mode):
    frame = clean_frame()
    volumes = frame.drop(columns=["put_oi", "call_oi", "net_oi"])
    run = record(
        lambda s: [hb.HedgePressureIndex(s.data.put_volume, s.data.call_volume, s.data1.net_oi)],
        hb.HedgeData(volumes),
        hb.HedgeData(frame),
        **MODES[mode],
    )
    expected = by_kernel(("HedgePressureIndex", 0), frame.drop(columns=["put_oi", "call_oi"]))
    assert same(table(run.seen), expected)


def test_feeds_of_different_length_are_refused():
    frame = clean_frame()
    with pytest.raises(ValueError, match="must be of one length; join them first"):
        record(
            lambda s: [
                hb.HedgePressureIndex(s.data.put_volume, s.data.call_volume, s.data1.net_oi)
            ],
            hb.HedgeData(frame),
            hb.HedgeData(frame.iloc[:-20]),
        )


@every_indicator
def test_a_wrong_number_of_lines_names_what_was_found(name):
    with pytest.raises(TypeError, match=rf"{name} takes one data with lines .*; got 2 inputs"):
        record(lambda s: [INDICATORS[name](s.data, s.data)], hb.HedgeData(clean_frame()))


@every_indicator
def test_a_missing_line_names_those_found(name):
    lacking = INDICATORS[name].inputs[-1]
    frame = clean_frame().drop(columns=[*EXTRAS, *GAUGE, *HEDGE])
    if lacking in PRICES:  # every feed has it: an indicator as data has not

        def build(s):
            return [INDICATORS[name](bt.ind.MACD(s.data))]

        found = "found: macd, signal"
        lacking = INDICATORS[name].inputs[0]
    else:

        def build(s):
            return [INDICATORS[name](s.data)]

        found = "found: close, low"
        lacking = next(n for n in INDICATORS[name].inputs if n not in frame)
    with pytest.raises(TypeError, match=rf"{name}: the data has no line '{lacking}' \({found}"):
        record(build, hb.HedgeData(frame))


# ---- columns chosen by a parameter ----------------------------------------------------------


@every_mode
def test_proxy_gamma_is_the_index_of_the_gamma_columns(mode):
    frame = rough_frame()
    gamma = {
        "put_volume": "put_gamma_volume", "call_volume": "call_gamma_volume",
        "put_oi": "put_gamma_oi", "call_oi": "call_gamma_oi",
    }  # fmt: skip
    renamed = frame.drop(columns=list(EXTRAS)).rename(columns={v: k for k, v in gamma.items()})
    options = {"scale": "standard", "zscore_lookback": 20, "smoothing": 3}
    runs = [
        table(record(lambda s, o=o: [hb.HedgePressureIndex(s.data, **o)], hb.HedgeData(f),
                     **MODES[mode]).seen)
        for f, o in ((frame, options | {"proxy": "gamma"}), (renamed, options))
    ]  # fmt: skip
    assert same(*runs)
    assert not same(runs[0], in_mode(mode)[("HedgePressureIndex", 1)])


def test_contracts_of_net_oi_are_never_set_against_dollars_of_gamma():
    frame = clean_frame().drop(columns=["put_gamma_oi", "call_gamma_oi"])
    build = lambda s: [hb.HedgePressureIndex(s.data, proxy="gamma")]  # noqa: E731
    assert np.isnan(table(record(build, hb.HedgeData(frame)).seen)[:, 0]).all()


def test_a_proxy_that_there_is_not_is_refused_with_those_there_are():
    for indicator, choices in (
        (hb.HedgePressureIndex, "volume or gamma"),
        (hb.DemoHedgePressureIndex, "volume"),
    ):
        wanted = rf"{indicator.__name__}: proxy must be {choices}, got 'vega'"
        with pytest.raises(hb.InputError, match=wanted):
            record(lambda s, i=indicator: [i(s.data, proxy="vega")], hb.HedgeData(clean_frame()))


def test_a_missing_gamma_column_is_named():
    frame = clean_frame().drop(columns=["call_gamma_volume"])
    with pytest.raises(TypeError, match="HedgePressureIndex: the data has no line 'call_gamma_vol"):
        record(lambda s: [hb.HedgePressureIndex(s.data, proxy="gamma")], hb.HedgeData(frame))


def test_the_ratio_of_gamma_needs_both_sides_of_its_open_interest():
    frame = clean_frame().drop(columns=["call_gamma_oi"])
    build = lambda s: [hb.HedgePressureIndex(s.data, proxy="gamma", scale="ratio")]  # noqa: E731
    with pytest.raises(ValueError, match="scale='ratio' needs put_gamma_oi and call_gamma_oi"):
        record(build, hb.HedgeData(frame))


# ---- warm-up -------------------------------------------------------------------------------

#: Bars until a strategy's first `next`, from the definitions of SPEC sections 1 to 3.
WARM = {
    ("HedgePressureIndex", 0): 100,  # spreads that the score needs
    ("HedgePressureIndex", 1): 20,
    ("HedgePressureIndex", 2): 30 + 10 - 1,  # one bar alone: the flow's own warm-up counts
    ("DemoHedgePressureIndex", 0): 100,
    ("HerrickPayoffIndex", 0): 1 + 14,  # the first bar has no payoff
    ("HerrickPayoffIndex", 1): 1 + 2 + 14,  # nor have the two of the lag
    ("HerrickRSI", 0): 3 + 14 + 9 - 1,
    ("HerrickRSI", 1): 3 + 3 + (4 - 1) + (2 - 1),
    ("HerrickRSI", 2): 1 + 14,
}
#: Lines that are known on every bar, once they are known at all, on a clean feed.
STEADY = {
    "HedgePressureIndex": slice(0, 4),
    "HerrickPayoffIndex": slice(0, 4),
    "HerrickRSI": slice(0, 3),
}


@pytest.mark.parametrize("case", WARM, ids=lambda c: f"{c[0]}-{c[1]}")
@pytest.mark.parametrize("mode", ["default", "preload=False"])
def test_next_is_first_called_where_the_lines_are_known(case, mode):
    run = record(lambda s: [make(case, s.data)], hb.HedgeData(clean_frame()), **MODES[mode])
    assert run.first == WARM[case]
    if case[0] in STEADY and options_of(*case).get("scale") != "standard":
        lines = table(run.seen)[:, STEADY[case[0]]]
        lines = lines[:, np.isfinite(lines).any(axis=0)]  # less those that are switched off
        assert np.isfinite(lines[run.first - 1 :]).all()
        assert np.isnan(lines[run.first - 2]).any()


# ---- reports -------------------------------------------------------------------------------


def test_every_line_reaches_the_csv_writer():
    out = io.StringIO()
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(hb.HedgeData(clean_frame()))
    for indicator in INDICATORS.values():
        cerebro.addindicator(indicator)
    cerebro.addstrategy(bt.Strategy)
    cerebro.addwriter(bt.WriterFile, csv=True, out=out)
    cerebro.run()
    rows = [row.split(",") for row in out.getvalue().splitlines() if not row.startswith("=")]
    head = rows[0]
    for name, lines in SPEC_LINES.items():
        start = head.index(INDICATORS[name].plotinfo.plotname or name)
        assert head[start + 2 : start + 2 + len(lines)] == list(lines)
    assert not any(column.startswith("_") for column in head)
    last = dict(zip(head, next(r for r in rows if r[0] == str(len(clean_frame()))), strict=False))
    rsi = by_kernel(("HerrickRSI", 0), clean_frame())[-1, 1]
    assert float(last["rsi"]) == rsi


@pytest.mark.filterwarnings("ignore")
@every_case
def test_cerebro_plots_it_without_a_display(case):
    import matplotlib as mpl

    mpl.use("Agg", force=True)
    import backtrader.plot
    from matplotlib import pyplot as plt

    mpl.use("Agg", force=True)
    assert backtrader.plot
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(hb.HedgeData(clean_frame(sessions=8)))
    cerebro.addindicator(INDICATORS[case[0]], **options_of(*case))
    cerebro.run()
    try:
        ((figure,),) = cerebro.plot(style="bar", volume=False)
        figure.canvas.draw()
        drawn = [np.asarray(y.get_ydata(), float) for a in figure.axes[1:] for y in a.get_lines()]
        bars = [bar.get_height() for ax in figure.axes[1:] for bar in ax.patches]
        wide = [y for y in (*drawn, bars) if len(y) > 100 and np.isfinite(y).any()]
        assert wide
        labels = " ".join(t.get_text() for ax in figure.axes[1:] for t in legend_of(ax))
        assert case[0].removeprefix("Demo") in labels
        assert ("DEMO" in labels) == INDICATORS[case[0]].demo
    finally:
        plt.close("all")


def legend_of(axes: Any) -> list[Any]:
    legend = axes.get_legend()
    return [] if legend is None else legend.get_texts()


def test_the_classes_pickle_and_load_in_a_fresh_process():
    children = {getattr(base, f"_Kernel{len(lines)}") for lines in SPEC_LINES.values()}
    classes = [*INDICATORS.values(), *sorted(children, key=lambda c: c.__name__)]
    blob = pickle.dumps(classes)
    assert pickle.loads(blob) == classes
    code = (
        "import pickle, sys\n"
        "for c in pickle.loads(bytes.fromhex(sys.argv[1])): print(len(c.lines._getlines()))"
    )
    out = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, blob.hex()],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [int(n) for n in out.stdout.split()] == [len(c.lines._getlines()) for c in classes]
