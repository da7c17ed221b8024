"""The rules of definitions 8: their numbers by hand, and whole runs against the reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hpi_bt.errors import InputError
from hpi_bt.orders import (
    FLAT,
    LATE_FLAT,
    NO_EXIT,
    REVERSE,
    SIGNAL,
    TIME,
    AtrDistance,
    Orders,
    allowed_target,
    entry_size,
    exit_code,
    may_enter,
    stop_price,
    target_price,
)
from reference.trading import COUNTS, Follow, FollowNoted, cases, cerebro, fast, fills_of, slow

STOP = {"period": 1, "multiple": 2.0}


def rules(*, multiplier=1.0, margin=0.0, **orders):
    return Orders(**orders).rules(bar_minutes=1.0, multiplier=multiplier, margin=margin)


def same(got, want, frame):
    assert fills_of(got) == fills_of(want)
    assert got.equity.tolist() == want.equity
    assert {k: got.counts.get(k, 0) for k in COUNTS} == {k: getattr(want, k) for k in COUNTS}
    trades = got.trades[["entry_bar", "exit_bar", "status"]].to_records(index=False).tolist()
    assert trades == [
        (t.entry.bar, t.exit.bar, "closed") if t.exit else (t.entry.bar, len(frame) - 1, "open")
        for t in want.trades
    ]
    prices = got.trades[["stop_price", "target_price"]].to_numpy(dtype=float)
    wanted = np.array([(t.stop, t.target) for t in want.trades]).reshape(-1, 2)
    np.testing.assert_array_equal(prices, wanted)


@settings(max_examples=200, deadline=None)
@given(cases())
def test_every_engine_fills_pays_and_counts_as_the_reference_to_the_last_bit(case):
    frame, *_ = case
    want = slow(*case)
    same(cerebro(*case), want, frame)
    assert FollowNoted.cash == want.cash
    same(cerebro(*case, Follow), want, frame)  # the short loop of HedgeCerebro
    same(fast(*case), want, frame)


def test_nan_and_a_forbidden_side_are_no_target():
    both, long = rules(), rules(direction="long")
    assert [allowed_target(both, x) for x in (math.nan, 0.0, 1.0, -1.0)] == [0, 0, 1, -1]
    assert [allowed_target(long, x) for x in (1.0, -1.0)] == [1, 0]
    assert allowed_target(rules(direction="short"), 1.0) == 0


def test_forced_exits_come_before_the_signals():
    timed = rules(flat_at_close=True, flat_minutes=5, time_stop_bars=3)
    assert exit_code(timed, 1, 1, 1, False, 60.0) == NO_EXIT
    assert exit_code(timed, 1, 0, 1, False, 60.0) == SIGNAL
    assert exit_code(timed, 1, -1, 1, False, 60.0) == REVERSE
    assert exit_code(timed, 1, 1, 3, False, 60.0) == TIME
    assert exit_code(timed, 1, 0, 3, False, 5.0) == FLAT
    assert exit_code(timed, -1, 0, 3, True, 5.0) == LATE_FLAT
    assert exit_code(rules(), 1, 1, 99, True, 0.0) == NO_EXIT


def test_entries_need_a_target_that_is_new_a_known_atr_and_the_window():
    free = rules()
    assert may_enter(free, 0, 1, NO_EXIT, 0, math.nan, math.nan, math.nan)
    assert may_enter(free, -1, 1, REVERSE, 0, math.nan, math.nan, math.nan)
    assert not may_enter(free, 1, 1, NO_EXIT, 0, math.nan, 1.0, 1.0)  # held already
    assert not may_enter(free, 0, 0, NO_EXIT, 0, math.nan, 1.0, 1.0)
    assert not may_enter(free, 0, 1, NO_EXIT, 1, math.nan, 1.0, 1.0)  # closed to longs
    assert not may_enter(free, -1, 1, TIME, 0, math.nan, 1.0, 1.0)  # another exit is on its way
    assert not may_enter(rules(stop=STOP), 0, 1, NO_EXIT, 0, math.nan, 1.0, 1.0)
    window = rules(window={"after_open_minutes": 5, "length_minutes": 10})
    inside = [may_enter(window, 0, 1, NO_EXIT, 0, 1.0, m, 60.0) for m in (5, 6, 15, 16, math.nan)]
    assert inside == [False, True, True, False, False]
    flat = rules(flat_at_close=True, flat_minutes=2)
    assert [may_enter(flat, 0, 1, NO_EXIT, 0, 1.0, 9.0, m) for m in (3, 2, -1)] == [
        True,
        False,
        False,
    ]


def test_sizes_worked_by_hand():
    fixed = {"kind": "fixed", "amount": 7.0}
    assert entry_size(rules(size=fixed), 1000.0, 10.0, 1.0) == (7.0, False)
    # half of 1000 dollars at 30: 16.67; all of it keeps 2 %: 32.67; a step of 5
    half, whole = ({"kind": "percent", "percent": p} for p in (50.0, 100.0))
    assert entry_size(rules(size=half), 1000.0, 30.0, 1.0) == (16.0, False)
    assert entry_size(rules(size=whole), 1000.0, 30.0, 1.0) == (32.0, True)
    assert entry_size(rules(size=whole, size_step=5.0), 1000.0, 30.0, 1.0) == (30.0, True)
    fraction, _ = entry_size(rules(size=whole, size_step=0.0), 1000.0, 30.0, 1.0)
    assert fraction == 0.98 * 1000.0 / 30.0
    # 1 % of 10,000 is 100 dollars; the stop is 2 x 1.5 = 3 away, 5 dollars a point: 6.67
    risk = rules(size={"kind": "risk", "percent": 1.0}, stop=STOP, multiplier=5.0, margin=500.0)
    assert entry_size(risk, 10_000.0, 40.0, 1.5) == (6.0, False)


@pytest.mark.parametrize(
    ("amount", "step"),
    [(0.3, 0.1), (0.7, 0.1), (2.3, 0.1), (0.57, 0.01), (0.3, 1e-8), (1.5, 1e-8), (4.35, 0.05),
     (7.0, 1.0), (1e15, 1.0), (0.3, 0.0), (3e20, 0.1)],
)  # fmt: skip
def test_a_size_that_is_a_multiple_of_the_step_is_traded_whole(amount, step):
    asked = rules(size={"kind": "fixed", "amount": amount}, size_step=step)
    size, capped = entry_size(asked, 1e30, 1.0, 1.0)
    assert (size, capped) == (pytest.approx(amount, rel=1e-12), False)


@pytest.mark.parametrize(
    ("amount", "step", "near"),
    [(1.5, 1.0, "1 or 2"), (0.5, 1.0, "1,"), (0.25, 0.1, "0.2 or 0.3"), (150.0, 100.0, "100 or")],
)
def test_a_fixed_size_that_cannot_be_traded_is_refused(amount, step, near):
    with pytest.raises(InputError, match=f"size_step {step:g}; choose {near}"):
        rules(size={"kind": "fixed", "amount": amount}, size_step=step)


@pytest.mark.parametrize("amount", [1e-12, 0.3])
def test_an_amount_far_below_the_step_is_no_multiple_of_it(amount):
    with pytest.raises(InputError, match="no multiple of size_step 1; choose 1, or a small"):
        rules(size={"kind": "fixed", "amount": amount})


def test_caps_are_by_value_for_stocks_and_by_margin_for_futures():
    many = {"kind": "fixed", "amount": 1000.0}
    assert entry_size(rules(size=many), 1000.0, 10.0, 1.0) == (98.0, True)
    assert entry_size(rules(size=many, cash_buffer=0.1), 1000.0, 10.0, 1.0) == (90.0, True)
    assert entry_size(rules(size=many, cash_buffer=0), 1000.0, 10.0, 1.0) == (100.0, True)
    assert entry_size(rules(size=many, max_leverage=2.0), 1000.0, 10.0, 1.0) == (196.0, True)
    future = rules(size=many, multiplier=50.0, margin=300.0)
    assert entry_size(future, 1000.0, 10.0, 1.0) == (3.0, True)
    assert entry_size(future, 900.0, 10.0, 1.0) == (2.0, True)  # 900 is 3 margins without a buffer
    assert entry_size(rules(size=many), -5.0, 10.0, 1.0)[0] == 0.0


@pytest.mark.parametrize("kind", ["fixed", "percent", "risk"])
def test_the_cash_buffer_holds_for_every_kind_of_size(kind):
    size = {"kind": kind, ("amount" if kind == "fixed" else "percent"): 5000.0}
    for margin, unit in ((0.0, 10.0), (4.0, 4.0)):
        asked = rules(size=size, stop=STOP, size_step=0.0, margin=margin, cash_buffer=0.3)
        assert entry_size(asked, 1000.0, 10.0, 1.0) == (pytest.approx(700.0 / unit), True)


def test_an_entry_at_the_limit_is_not_called_capped_for_a_rounding():
    for percent, buffer in ((98.0, 0.02), (70.0, 0.3), (10.0, 0.9)):
        asked = rules(size={"kind": "percent", "percent": percent}, cash_buffer=buffer)
        assert not entry_size(asked, 12_345.6, 7.7, 1.0)[1]


@pytest.mark.parametrize("kind", ["fixed", "percent", "risk"])
def test_below_zero_a_size_is_that_of_the_price_without_its_sign(kind):
    size = {"kind": kind, ("amount" if kind == "fixed" else "percent"): 90.0}
    for more in ({}, {"margin": 50.0, "multiplier": 5.0}):
        asked = rules(size=size, stop=STOP, **more)
        assert entry_size(asked, 1e4, -30.0, 1.5) == entry_size(asked, 1e4, 30.0, 1.5)
        assert entry_size(asked, 1e4, -30.0, 1.5)[0] > 0.0


@given(
    st.floats(0.01, 1e6), st.floats(0.01, 1e7), st.floats(0.001, 1e3), st.floats(0.1, 4.0),
    st.sampled_from(["percent", "risk"]), st.floats(0.1, 500.0), st.sampled_from([0.0, 0.1, 1.0]),
)  # fmt: skip
def test_no_size_exceeds_the_leverage(price, equity, atr, leverage, kind, percent, step):
    asked = rules(
        size={"kind": kind, "percent": percent}, stop=STOP, max_leverage=leverage, size_step=step
    )
    size, _ = entry_size(asked, equity, price, atr)
    assert 0.0 <= size * price <= leverage * 0.98 * equity * (1 + 1e-12) + step * price * 1e-8
    if step:
        assert math.isclose(size / step, round(size / step), abs_tol=1e-6)


def test_stop_and_target_lie_on_their_sides():
    both = rules(stop=STOP, target={"multiple": 3.0})
    assert (stop_price(both, 1, 100.0, 1.5), stop_price(both, -1, 100.0, 1.5)) == (97.0, 103.0)
    assert (target_price(both, 1, 100.0, 1.5), target_price(both, -1, 100.0, 1.5)) == (104.5, 95.5)


def test_the_compiled_rules_are_the_python_rules():
    risk = rules(size={"kind": "risk", "percent": 1.0}, stop=STOP, flat_at_close=True)
    for equity, price, atr in np.random.default_rng(3).uniform(0.1, 1e4, (50, 3)):
        assert entry_size(risk, equity, price, atr) == entry_size.py_func(risk, equity, price, atr)
        assert stop_price(risk, 1, price, atr) == stop_price.py_func(risk, 1, price, atr)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"size": {"kind": "risk", "percent": 1.0}}, "needs a stop"),
        ({"size": {"kind": "fixed", "percent": 1.0}}, "wants amount"),
        ({"size": {"kind": "percent", "amount": 1.0}}, "wants percent"),
        ({"size": {"kind": "percent", "percent": 1.0, "amount": 1.0}}, "not amount"),
        ({"time_stop_bars": 0}, "greater than or equal to 1"),
        ({"stop": {"multiple": 0.0}}, "greater than 0"),
        ({"cash_buffer": 1.0}, "less than 1"),
        ({"stops": {}}, "Extra inputs"),
    ],
)
def test_wrong_orders_are_refused(wrong, says):
    with pytest.raises(ValidationError, match=says):
        Orders.model_validate(wrong)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"stp": {}}, "Orders: stp: unknown key (did you mean 'stop'?); rename or remove it"),
        (
            {"stop": {"kind": "atr", "multipel": 2.0}},
            "Orders: stop.multipel: unknown key (did you mean 'multiple'?); rename or remove it",
        ),
        (
            {"size": {"kind": "risk", "percent": 1.0}},
            "Orders: size of kind risk needs a stop; add stop: {kind: atr, multiple: 2.0}",
        ),
        ({"direction": "up"}, "Orders: direction: found 'up'; wanted 'both', 'long' or 'short'"),
        ({"stp": {}, "cash_bufer": 0.1}, "(and 1 more)"),
    ],
)
def test_orders_made_in_python_are_refused_in_one_line(wrong, says):
    with pytest.raises(InputError) as caught:
        Orders(**wrong)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_part_of_the_orders_names_itself():
    with pytest.raises(InputError, match=r"AtrDistance: multipel: unknown key \(did you mean 'mul"):
        AtrDistance(multipel=3.0)


@pytest.mark.parametrize("rule", [{"window": {}}, {"flat_at_close": True}])
def test_daily_bars_refuse_window_and_flat(rule):
    with pytest.raises(ValueError, match=f"{next(iter(rule))} needs intraday bars"):
        Orders(**rule).rules(bar_minutes=1440.0)
