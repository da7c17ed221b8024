"""What every exported indicator keeps: one data, separate lines and stock indicators feed it."""

from __future__ import annotations

import backtrader as bt
import numpy as np
import pytest

import hpi_bt as hb
from indicators.bench import (
    EXTRAS,
    GAUGE,
    HEDGE,
    INDICATORS,
    MODES,
    PRICES,
    PROMISED_LINES,
    by_kernel,
    clean_frame,
    every_indicator,
    every_mode,
    in_mode,
    record,
    rough_frame,
    same,
    table,
)


@every_mode
def test_a_stock_indicator_of_our_line_agrees_in_every_mode(mode):
    def build(strategy):
        index = hb.HedgePressureIndex(strategy.data)
        return [bt.ind.EMA(index.flow, period=5), index]

    rows = table(record(build, hb.HedgeData(clean_frame()), **MODES[mode]).seen)
    flow, average = (
        rows[:, 1 + PROMISED_LINES["HedgePressureIndex"].index("flow")],
        np.full(len(rows), np.nan),
    )
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
    baseline = PROMISED_LINES["HedgePressureIndex"].index("oi")
    assert np.isnan(table(record(build, hb.HedgeData(frame)).seen)[:, baseline]).all()


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
