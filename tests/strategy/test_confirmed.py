from __future__ import annotations

import backtrader as bt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpi_bt import Confirmed, HedgeData
from hpi_bt.backtest.cerebro import Recorder
from hpi_bt.strategy.confirmed import watched
from strategy.scripted import Scripted, scripts, walk

seeds = st.integers(0, 2**32 - 1)
SHORT = dict(smoothing=1, zscore_lookback=3)


class Agreeing(Confirmed, Scripted):
    def veto(self, data, side):
        return ""


class Opposed(Confirmed, Scripted):
    """Lets the orders of the first bar pass and none that opens a position from then on."""

    def veto(self, data, side):
        return "" if len(self) == 1 else "against"


class AgainstLongs(Confirmed, Scripted):
    def veto(self, data, side):
        return "against longs" if side > 0 else ""


class Asked(Confirmed, Scripted):
    """The index is asked, with short lookbacks."""

    params = dict(confirm=SHORT)


def run(strategy, script, *frames, sizer=None, **params):
    cerebro = bt.Cerebro(stdstats=False)
    for i, frame in enumerate(frames or (walk(0),)):
        cerebro.adddata(HedgeData(frame), name=f"data{i}")
    cerebro.broker.setcash(1e6)
    cerebro.addstrategy(strategy, script=script, **params)
    cerebro.addanalyzer(Recorder, _name="recorder")
    if sizer:
        cerebro.addsizer(bt.sizers.FixedSize, stake=sizer)
    return cerebro.run()[0]


def fills(ran):
    columns = ["bar", "data", "size", "price", "commission"]
    return ran.analyzers.recorder.record.fills[columns].to_records(index=False).tolist()


@settings(max_examples=60, deadline=None)
@given(seeds, scripts)
def test_where_pressure_agrees_the_filtered_run_is_the_unfiltered_one(seed, script):
    frame = walk(seed)
    filtered = run(Agreeing, script, frame)
    assert fills(filtered) == fills(run(Scripted, script, frame))
    assert filtered.confirm_vetoes == []


@settings(max_examples=120, deadline=None)
@given(seeds, scripts, st.integers(-20, 20))
def test_where_pressure_is_against_no_order_increases_the_position(seed, script, first):
    # the children of a bracket are never asked: its parent must be more than a mere exit here
    script = {t: (*s[:2], s[2] + 50) if s[0] == "bracket" else s for t, s in script.items()}
    start = {0: ("order_target_size", None, first)}
    ran = run(Opposed, script | start, walk(seed))
    position = ran.analyzers.recorder.record.position
    assert position[1] == first
    held = position[1:] * np.sign(first)
    assert (np.diff(held) <= 0).all()
    assert (held >= 0).all()


def test_of_an_order_that_reverses_the_closing_part_passes():
    ran = run(AgainstLongs, {0: ("sell", None, 5), 2: ("buy", None, 8)})
    assert [f[2] for f in fills(ran)] == [-5, 5]
    assert [(v["side"], v["size"], v["reason"]) for v in ran.confirm_vetoes] == [
        (1, 3, "against longs")
    ]


@pytest.mark.parametrize("size", [5, 8])
def test_a_reversal_by_close_and_buy_in_one_bar_only_closes(size):
    ran = run(AgainstLongs, {0: ("sell", None, 5), 2: ("turn", 1, size)})
    assert [f[2] for f in fills(ran)] == [-5, 5]
    assert [v["size"] for v in ran.confirm_vetoes] == [size]


def test_of_two_orders_in_one_bar_that_together_reverse_only_the_closing_part_passes():
    ran = run(AgainstLongs, {0: ("sell", None, 5), 2: ("two", 1, 4)})
    assert [f[2] for f in fills(ran)] == [-5, 4, 1]
    assert [v["size"] for v in ran.confirm_vetoes] == [3]


def test_target_orders_are_asked_for_what_they_add():
    script = {0: ("order_target_size", None, -5), 2: ("order_target_size", None, 5)}
    ran = run(AgainstLongs, script)
    assert [f[2] for f in fills(ran)] == [-5, 5]
    assert [v["size"] for v in ran.confirm_vetoes] == [5]
    again = run(AgainstLongs, {0: ("order_target_percent", None, 0.1)})
    assert fills(again) == []
    assert len(again.confirm_vetoes) == 1


class HoldsWithStop(Scripted):
    def enter(self):
        self.buy(size=5)
        self.sell(size=5, exectype=bt.Order.Stop, price=1.0)

    def leave(self):
        return self.sell(size=5)


def test_an_exit_beside_a_waiting_stop_passes():
    class Filtered(Opposed, HoldsWithStop):
        pass

    ran = run(Filtered, {0: ("enter",), 3: ("leave",)})
    assert [f[2] for f in fills(ran)] == [5, -5]
    assert ran.confirm_vetoes == []


def test_the_protective_stop_of_a_limit_entry_sent_in_the_same_bar_passes():
    class AgainstShorts(Confirmed, Scripted):
        def veto(self, data, side):
            return "against shorts" if side < 0 else ""

    ran = run(AgainstShorts, {0: ("limit_with_stop", 1, 5)})
    entry, stop = ran.said[0]
    assert entry is not None
    assert stop is not None
    assert ran.confirm_vetoes == []


@pytest.mark.parametrize("side", [1, -1])
def test_a_vetoed_bracket_is_three_nones_and_one_that_passes_three_orders(side):
    vetoed = run(Opposed, {1: ("bracket", side, 5)})
    assert vetoed.said == [[None, None, None]]
    assert fills(vetoed) == []
    assert [(v["side"], v["size"]) for v in vetoed.confirm_vetoes] == [(side, 5)]
    passed = run(Agreeing, {1: ("bracket", side, 5)})
    assert all(order is not None for order in passed.said[0])


def test_a_vetoed_bracket_against_an_opposite_position_still_closes_it():
    ran = run(AgainstLongs, {0: ("sell", None, 5), 2: ("bracket", 1, 8)})
    assert ran.said[1] == [None, None, None]
    assert [f[2] for f in fills(ran)] == [-5, 5]


def test_a_sizer_gives_the_size_of_what_is_vetoed():
    ran = run(Opposed, {1: ("unsized", 1)}, sizer=7)
    assert fills(ran) == []
    assert ran.confirm_vetoes[0]["size"] == 7
    assert [f[2] for f in fills(run(Agreeing, {1: ("unsized", -1)}, sizer=7))] == [-7]


def test_a_veto_tells_time_data_side_size_pressure_and_reason():
    ran = run(Asked, {1: ("buy", None, 5)})
    (veto,) = ran.confirm_vetoes
    assert veto["time"] == ran.data.datetime.datetime(-(len(ran.data) - 2))
    assert (veto["data"], veto["side"], veto["size"]) == ("data0", 1, 5)
    assert np.isnan(veto["hpi"])
    assert veto["reason"] == "hedge pressure not known yet"


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("bar", [8, 15])
def test_a_long_needs_pressure_of_at_least_the_level_and_a_short_its_mirror(side, bar):
    script = {bar: ("buy" if side > 0 else "sell", None, 1)}
    known = run(Asked, script)
    towards = side * known.confirm_pressure[known.data].lines.hpi.array[bar]
    assert len(fills(run(Asked, script, confirm_level=towards))) == 1
    ran = run(Asked, script, confirm_level=np.nextafter(towards, np.inf))
    assert fills(ran) == []
    assert ran.confirm_vetoes[0]["hpi"] == side * towards
    assert f"against a {'long' if side > 0 else 'short'}" in ran.confirm_vetoes[0]["reason"]


def test_unknown_pressure_passes_where_the_user_says_so_and_next_starts_as_without_the_filter():
    script = {0: ("buy", None, 5)}
    assert fills(run(Asked, script)) == []
    passed = run(Asked, script, confirm_unknown=True)
    assert fills(passed) == fills(run(Scripted, script))
    assert len(fills(passed)) == 1


def test_each_data_is_asked_for_its_own_pressure_even_where_it_is_zero():
    steady, falling = walk(1), walk(1)
    steady[["put_volume", "call_volume"]] = 50.0  # a constant spread scores 0
    falling["put_volume"] = 100.0 - np.arange(len(falling)) ** 2 / 6.0
    falling["call_volume"] = 50.0

    class Both(Confirmed, Scripted):
        params = dict(confirm=SHORT | {"accumulate": "bar"})

        def both(self):
            return [self.buy(data=d, size=1) for d in self.datas]

    ran = run(Both, {10: ("both",)}, falling, steady)
    first, second = (ran.confirm_pressure[d].lines.hpi.array[10] for d in ran.datas)
    assert first < 0
    assert second == 0
    assert [o is not None for o in ran.said[0]] == [False, True]
    assert [v["data"] for v in ran.confirm_vetoes] == ["data0"]


def test_data_without_option_volume_is_refused():
    bare = walk(0).drop(columns=["put_volume", "call_volume"])
    with pytest.raises(TypeError, match="no data has the lines put_volume and call_volume"):
        run(Agreeing, {}, bare)


@settings(max_examples=60, deadline=None)
@given(seeds, scripts)
def test_switched_off_the_filter_changes_no_order_and_still_says_what_it_would_veto(seed, script):
    frame = walk(seed)
    off = run(Asked, script, frame, confirm_enabled=False)
    plain = run(Scripted, script, frame)
    assert fills(off) == fills(plain)
    record, base = (r.analyzers.recorder.record for r in (off, plain))
    np.testing.assert_array_equal(record.equity, base.equity)
    np.testing.assert_array_equal(record.position, base.position)
    assert off.confirm_vetoes == []
    for asked in off.confirm_asked:
        hpi = off.confirm_pressure[off.data].lines.hpi.array[asked["bar"]]
        assert (asked["reason"] == "") == bool(asked["side"] * hpi >= 0)
        assert asked["order"] is not None


@settings(max_examples=60, deadline=None)
@given(seeds, scripts)
def test_every_entry_asked_about_is_noted_and_the_vetoed_ones_among_them_sent_nothing(seed, script):
    ran = run(Asked, script, walk(seed))
    noted = [{k: v for k, v in a.items() if k != "order"} for a in ran.confirm_asked]
    np.testing.assert_equal([a for a in noted if a["reason"]], ran.confirm_vetoes)
    sent = [a["order"] is not None for a in ran.confirm_asked if not a["reason"]]
    assert all(sent)
    assert all(a["order"] is None for a in ran.confirm_asked if a["reason"])


def test_a_watched_run_hands_over_every_entry_with_the_bar_that_filled_it():
    entries = []
    frame = walk(3)
    frame[["put_volume", "call_volume"]] = [90.0, 10.0]
    script = {5: ("buy", None, 5), 9: ("sell", None, 8), 14: ("close",)}
    ran = run(watched(Asked, entries), script, frame, confirm_enabled=False)
    assert type(ran).__name__ == "Asked"
    # 5: 5 bought; 9: 5 of the 8 sold close, 3 open a short; 14: a close is no entry
    assert [(e["bar"], e["side"], e["size"]) for e in entries] == [(5, 1, 5), (9, -1, 3)]
    assert [e["filled"] for e in entries] == [f[0] for f in fills(ran)][:2] == [6, 10]
    assert "order" not in entries[0]


def test_an_entry_that_is_never_filled_says_so():
    entries = []
    run(watched(Agreeing, entries), {23: ("buy", None, 5)}, walk(0, 24))
    assert [(e["bar"], e["filled"]) for e in entries] == [(23, -1)]


@pytest.mark.parametrize("side", [1, -1])
def test_the_order_of_a_bracket_that_passes_is_its_entry(side):
    ran = run(Agreeing, {1: ("bracket", side, 5)})
    (asked,) = ran.confirm_asked
    assert asked["order"] is ran.said[0][0]
