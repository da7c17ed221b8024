"""An average of our own that recovers where Backtrader's stays unknown."""

from __future__ import annotations

import backtrader as bt
import numpy as np
import pytest

import hpi_bt as hb
from hpi_bt.kernels.averages import moving_average
from indicators.bench import MODES, clean_frame, every_mode, record, same, table

STANDARD = dict(scale="standard", zscore_lookback=20)


@every_mode
@pytest.mark.parametrize("kind", ["sma", "ema", "rma", "wma", "hma"])
def test_it_averages_the_first_line_of_what_it_is_given(kind, mode):
    def build(strategy):
        index = hb.HedgePressureIndex(strategy.data, **STANDARD)
        return [index, hb.Average(index, period=5, kind=kind)]

    rows = table(record(build, hb.HedgeData(clean_frame()), **MODES[mode]).seen)
    assert same(rows[:, -1], moving_average(rows[:, 0], 5, kind))
    assert np.isfinite(rows[-1, -1])


def test_backtraders_own_is_never_known_on_an_index_that_begins_late():
    def build(strategy):
        index = hb.HedgePressureIndex(strategy.data, **STANDARD)
        return [bt.ind.EMA(index, period=5), hb.Average(index, period=5)]

    stock, ours = table(record(build, hb.HedgeData(clean_frame())).seen).T
    assert np.isnan(stock).all()
    assert np.isfinite(ours[-100:]).all()


def test_of_a_feed_and_of_a_line_it_is_the_average_of_that():
    frame = clean_frame()
    run = record(
        lambda s: [hb.Average(s.data, period=4), hb.Average(s.data.put_volume, period=4)],
        hb.HedgeData(frame),
    )
    wanted = [moving_average(frame[c].to_numpy(), 4, "ema") for c in ("close", "put_volume")]
    assert same(table(run.seen), np.stack(wanted, axis=1))


def test_another_kind_is_refused():
    with pytest.raises(ValueError, match="average must be one of"):
        record(lambda s: [hb.Average(s.data, kind="zlema")], hb.HedgeData(clean_frame()))
