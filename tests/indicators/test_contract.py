"""What every exported indicator keeps: its lines are known, the future changes nothing."""

from __future__ import annotations

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
from hpi_bt.indicators.base import defaults_of
from indicators.bench import (
    CASES,
    INDICATORS,
    MODES,
    OPTIONS,
    PROMISED_LINES,
    clean_frame,
    every_case,
    every_indicator,
    in_mode,
    in_order_of_lines,
    make,
    names_of,
    options_of,
    record,
    rough_frame,
    same,
    split,
    table,
)
from kernels.market import few


def test_every_exported_indicator_has_parameter_sets_and_known_lines():
    assert set(OPTIONS) == set(INDICATORS) == set(PROMISED_LINES)
    assert min(len(sets) for sets in OPTIONS.values()) >= 2


@every_indicator
def test_lines_are_those_of_the_specification(name):
    assert INDICATORS[name].lines._getlines() == PROMISED_LINES[name]


@every_indicator
def test_every_option_of_the_kernel_is_a_param_with_the_same_default(name):
    params = dict(INDICATORS[name].params._getitems())
    options = defaults_of(INDICATORS[name].kernel)
    assert options
    assert {k: params[k] for k in options} == options


@every_indicator
def test_the_kernel_says_what_it_returns_and_every_line_is_among_it(name):
    hints = typing.get_type_hints(INDICATORS[name].kernel)
    assert set(PROMISED_LINES[name]) <= set(hints["return"]._fields)


HEADLINES = {
    "HedgePressureIndex": "hpi",
    "DemoHedgePressureIndex": "hpi",
    "HedgeFlow": "impulse",
    "HedgePressureGauge": "score",
    "HerrickPayoffIndex": "hpi",
    "HerrickRSI": "rsi",
}


@every_indicator
def test_an_indicator_stands_for_its_first_line(name):
    def build(strategy):
        made = INDICATORS[name](strategy.data)
        named = getattr(made.lines, HEADLINES[name])
        pairs = [(f(made, period=4), f(named, period=4)) for f in (bt.ind.SMA, bt.ind.Highest)]
        crosses = bt.ind.CrossOver(made, 0), bt.ind.CrossOver(named, 0)
        return [made, *(one for pair in (*pairs, crosses) for one in pair)]

    run = record(build, hb.HedgeData(clean_frame()))
    lines = run.made[0].lines
    rows, n = table(run.seen), lines.size()
    assert same(rows[:, 0], rows[:, lines.getlinealiases().index(HEADLINES[name])])
    assert all(same(rows[:, n + i], rows[:, n + i + 1]) for i in (0, 2, 4))
    assert np.isfinite(rows[:, 0]).any()


class SignalsTaken(bt.SignalStrategy):
    def start(self):
        self.taken = []

    def next(self):  # Backtrader itself calls its own before this one
        self.taken.append(self._signals[bt.SIGNAL_LONGSHORT][0][0])


def test_add_signal_trades_the_index_not_its_baseline():
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(hb.HedgeData(clean_frame()))
    cerebro.signal_strategy(SignalsTaken)
    cerebro.add_signal(bt.SIGNAL_LONGSHORT, hb.HedgePressureIndex, zscore_lookback=20)
    run = cerebro.run()[0]
    options = {"zscore_lookback": 20}
    index = record(
        lambda s: [hb.HedgePressureIndex(s.data, **options)], hb.HedgeData(clean_frame())
    )
    hpi = table(index.seen)[:, PROMISED_LINES["HedgePressureIndex"].index("hpi")]
    assert same(run.taken, hpi[-len(run.taken) :])
    assert {np.sign(x) for x in run.taken} >= {-1.0, 1.0}


def test_no_indicator_or_alias_is_called_bare_hpi():
    names = {name.lower() for name in bt.Indicator._indcol}
    aliases = {a.lower() for c in INDICATORS.values() for a in vars(c).get("alias", ())}
    assert aliases
    assert not {"hpi", "herrick", "hedge"} & (names | aliases)


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
@pytest.mark.filterwarnings("ignore:HedgeData")  # altered bars contradict themselves
@pytest.mark.parametrize("mode", ["default", "preload=False"])
@pytest.mark.parametrize("change", [truncated, altered, delayed])
def test_the_future_changes_nothing(case, change, mode):
    assert same(with_another_future(change, mode)[case][:KEPT], in_mode("default")[case][:KEPT])


@every_case
def test_any_split_into_chunks_gives_the_same_numbers(case):
    indicator, frame = INDICATORS[case[0]], rough_frame()
    series = kernel_inputs(case, frame)
    options = {k: v for k, v in options_of(*case).items() if k in defaults_of(indicator.kernel)}
    whole = in_order_of_lines(indicator, indicator.kernel(*series, **options))

    @few
    @given(st.lists(st.integers(0, len(frame)), max_size=9))
    def check(cuts):
        state: dict[str, Any] = {}
        parts = [
            in_order_of_lines(
                indicator, indicator.kernel(*(s[a:b] for s in series), **options, state=state)
            )
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


#: Bars until a strategy's first `next`, from the definitions of definitions 1 to 3.
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
