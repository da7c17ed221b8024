"""The lines of the gauge: change, band and alert, by hand and against a slow version."""

from __future__ import annotations

import backtrader as bt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import hpi_bt as hb
from hpi_bt.gauge import BANDS
from hpi_bt.indicators.hedge_pressure_gauge import gauge_lines
from indicators.bench import clean_frame, record, table

NAN = np.nan


def test_a_worked_example_on_daily_bars():
    gauge = np.array([NAN, 32.0, 33.0, 57.0, 56.0, NAN, 70.0, 10.0])
    got = gauge_lines(gauge, np.arange(8.0), change_sessions=2)
    assert_array_equal(got.score, gauge)
    assert_array_equal(got.change, [NAN, NAN, NAN, 25.0, 23.0, NAN, 14.0, NAN])
    assert_array_equal(got.band, [NAN, 0, 1, 2, 1, NAN, 3, 0])
    # higher bands are bearish; the day without a score is no change of band
    assert_array_equal(got.alert, [0, 0, -1, -1, 1, 0, -1, 1])


def test_within_a_session_the_change_is_since_the_last_bar_of_an_earlier_one():
    gauge = np.array([10.0, 12.0, 20.0, 21.0, 30.0, 33.0])
    got = gauge_lines(gauge, np.array([1.0, 1.0, 2.0, 2.0, 5.0, 5.0]), change_sessions=1)
    assert_array_equal(got.change, [NAN, NAN, 8.0, 9.0, 9.0, 12.0])


def slow(gauge, session, back, edges):
    """Every line from its definition."""
    last = [g[-1] for g in np.split(gauge, np.flatnonzero(np.diff(session)) + 1)]
    place = np.concatenate([[0], np.cumsum(np.diff(session) != 0)])
    change = [g - last[p - back] if p >= back else NAN for g, p in zip(gauge, place, strict=True)]
    band = [NAN if np.isnan(g) else float(sum(g >= e for e in edges)) for g in gauge]
    alert, known = [], []
    for b in band:
        alert.append(float(np.sign(known[-1] - b)) if known and not np.isnan(b) else 0.0)
        known += [] if np.isnan(b) else [b]
    return change, band, alert


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.one_of(st.just(NAN), st.integers(0, 100)), st.integers(0, 1)), min_size=1
    ),
    st.integers(1, 6),
)
def test_every_bar_is_what_the_definitions_say(rows, back):
    gauge = np.array([float(g) for g, _ in rows])
    session = 1.0 + np.cumsum([s for _, s in rows])
    got = gauge_lines(gauge, session, change_sessions=back)
    for line, want in zip(got[1:], slow(gauge, session, back, (33, 57, 70)), strict=True):
        assert_array_equal(line, want)


def test_the_bands_are_those_of_the_gauge():
    defaults = hb.defaults_of(gauge_lines)
    assert [defaults[n] for n, edge in BANDS if edge] == [float(e) for _, e in BANDS if e]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"change_sessions": 0}, "change_sessions must be at least 1, got 0"),
     ({"elevated": 20.0}, "bands must ascend, got 33, 20, 70")],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        gauge_lines(np.ones(3), np.ones(3), **options)


def test_one_line_takes_the_place_of_the_column():
    frame = clean_frame()
    frame["other"] = 100.0 - frame["gauge"]

    def build(strategy):
        smooth = bt.ind.SMA(strategy.data.other, period=1)
        data = strategy.data
        return [hb.HedgePressureGauge(line) for line in (data.other, smooth)]

    seen = table(record(build, hb.HedgeData(frame)).seen)
    days = np.array([d.toordinal() for d in frame.index], dtype=float)
    want = np.stack(gauge_lines(frame["other"].to_numpy(), days), axis=1)
    assert_array_equal(seen[:, :4], want)
    assert_array_equal(seen[:, 4:], want)


def test_remarks_count_the_bands_and_warn_where_little_is_left():
    days = pd.bdate_range("2024-01-01", periods=6, tz="America/New_York")
    frame = pd.DataFrame({"gauge_components": [6.0, 6, 5, 6, 2, 1]}, days)
    gauge = np.array([NAN, 10.0, 40.0, 60.0, 80.0, 75.0])
    lines = gauge_lines(gauge, np.arange(6.0))._asdict()
    assert hb.HedgePressureGauge.remarks(frame, lines, {}) == [
        "gauge: bars by band: low 1, moderate 1, elevated 1, high 2; 3 changes of band",
        "gauge: unknown on 1 of 6 bars",
        "warning: from 2024-01-05 on the gauge rests on 2 of 6 components, "
        "at the end on 1; the others' data have ended",
    ]
    assert len(hb.HedgePressureGauge.remarks(frame.iloc[:0], lines, {})) == 2
    whole = frame.assign(gauge_components=6.0)
    assert len(hb.HedgePressureGauge.remarks(whole, lines, {})) == 2
