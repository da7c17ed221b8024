"""The fast engine against Cerebro: random markets, orders and costs, to the last bit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from unittest import mock

import backtrader as bt
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hedge_columns import gamma_columns, hedge_columns
from hpi_bt import HedgeCerebro, HedgeData, InputError, KernelStrategy, Orders, defaults_of
from hpi_bt.backtest import fast_loop
from hpi_bt.backtest.broker import HedgeBroker
from hpi_bt.backtest.cerebro import Recorder, commission_info
from hpi_bt.backtest.fast import run_fast, runs_fast
from hpi_bt.backtest.fast_loop import COUNTS
from hpi_bt.catalog import shipped_strategies
from hpi_bt.config import Broker
from hpi_bt.loading import load_strategy
from hpi_bt.sources.demo import DemoSource, simulate
from hpi_bt.sources.hours import add_hours
from reference.trading import Follow, as_it_stands, market

NAN = float("nan")
FOLDER = Path(__file__).resolve().parents[2] / "strategies"
ONE = {"kind": "fixed", "amount": 1.0}

#: Size of a price unit and level of the market in such units; below lies under zero.
LEVELS = {
    "ticks": (1.0, 20.0),
    "floats": (0.7310585786, 100.0),
    "tiny": (1.1e-4, 50.0),
    "huge": (1.7e5, 100.0),
    "below": (1.3, -60.0),
    "through zero": (0.37, 2.0),
}


def prices(rng, kind, wild, gaps, n):
    """Bars of open, high, low, close: gaps, splits, doji bars, bars without a shadow or range."""
    unit, level = LEVELS[kind]
    gap = rng.normal(0, wild, n) * (rng.random(n) < gaps)
    body = rng.normal(0, wild, n) * (rng.random(n) < 0.85)
    up, down = np.abs(rng.normal(0, wild, (2, n))) * (rng.random((2, n)) < 0.8)
    close = np.cumsum(gap + body)
    open_ = close - body
    high, low = np.maximum(open_, close) + up, np.minimum(open_, close) - down
    rows = np.array([open_, high, low, close])
    rows = np.where(rng.random(n) < rng.choice([0.0, 0.0, 0.3, 1.0]), open_, rows) + level
    if kind == "ticks":
        rows = np.round(rows)
    if level > 10:
        rows = np.maximum(rows, 1.0)
    split = rng.random(n) < rng.choice([0.0, 0.0, 0.05])
    rows = rows * unit * np.cumprod(np.where(split, rng.choice([0.5, 1 / 3, 10.0], n), 1.0))
    return np.where(rows == 0.0, unit, rows)  # none is 0, which Backtrader cannot be given


def sessions(rng, longest, n):
    """(day, bar of the day, bars left) of sessions, half days and days that lack bars at an end."""
    rows = []
    day = 0
    while len(rows) < n:
        whole = longest // 2 + 1 if rng.random() < 0.2 else longest
        first, lost = int(rng.choice([0, 0, 0, 1])), int(rng.choice([0, 0, 1, 2, 8]))
        bars = range(min(first, whole - 1), max(whole - lost, min(first, whole - 1) + 1))
        rows += [(day, i + 1, whole - 1 - i) for i in bars]
        day += 1
    return np.array(rows[:n], dtype=float).T


@st.composite
def frames(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = int(rng.integers(1, 91))
    kind = draw(st.sampled_from(list(LEVELS)))
    wild, gaps = draw(st.sampled_from([2.0, 0.3, 6.0])), draw(st.sampled_from([0.1, 0.9]))
    rows = prices(rng, kind, wild, gaps, n)
    day, place, left = sessions(rng, draw(st.sampled_from([40, 4, 13, 500])), n)
    turns = rng.random(n) < draw(st.sampled_from([0.3, 0.05, 0.9]))
    kept = np.maximum.accumulate(np.where(turns, np.arange(n), 0))
    target = rng.choice([1.0, 2.5, -1.0, -0.1, 0.0, NAN], n)[kept]
    target[: draw(st.sampled_from([0, 0, 0, 5, 20, 200]))] = NAN
    minutes = draw(st.sampled_from([1.0, 5.0]))
    frame = market(*rows, target, day=day.astype(int))
    frame["minutes_open"], frame["minutes_left"] = place * minutes, left * minutes
    frame.attrs["bar_minutes"] = minutes
    return frame


def maybe(values):
    return st.none() | values


@st.composite
def order_rules(draw):
    kind = draw(st.sampled_from(["fixed", "percent", "risk"]))
    step = draw(st.sampled_from([1.0, 0.0, 0.1, 100.0]))
    whole = [n * (step or 0.37) for n in (1.0, 3.0, 7.0, 250.0, 1e5)]
    numbers = {
        "fixed": ("amount", whole),
        "percent": ("percent", [95.0, 0.5, 30.0, 100.0, 400.0]),
        "risk": ("percent", [1.0, 0.05, 30.0]),
    }
    name, values = numbers[kind]
    multiples = st.sampled_from([1.0, 0.3, 2.0, 20.0])
    stop = st.fixed_dictionaries({"period": st.integers(1, 5), "multiple": multiples})
    window = st.sampled_from([(0, 10), (3, 60)]).map(
        lambda w: {"after_open_minutes": w[0], "length_minutes": w[1]}
    )
    return Orders(
        size={"kind": kind, name: draw(st.sampled_from(values))},
        stop=draw(stop if kind == "risk" else maybe(stop)),
        target=draw(maybe(st.fixed_dictionaries({"multiple": multiples}))),
        atr_period=draw(maybe(st.integers(1, 4))),
        time_stop_bars=draw(st.sampled_from([None, None, 1, 2, 7])),
        window=draw(st.none() | st.none() | window),
        flat_at_close=draw(st.sampled_from([False, False, True])),
        flat_minutes=draw(st.sampled_from([None, 1.0, 7.0])),
        direction=draw(st.sampled_from(["both", "both", "long", "short"])),
        max_leverage=draw(st.sampled_from([1.0, 0.3, 1.7, 3.0])),
        cash_buffer=draw(st.sampled_from([0.02, 0.0, 0.5])),
        size_step=step,
    )


@st.composite
def brokers(draw, price):
    price = abs(price) or 1.0
    kind = draw(st.sampled_from(["none", "per_share", "percent", "per_contract", "per_contract"]))
    cost = {"kind": kind}
    if kind == "percent":
        cost["amount"] = draw(st.sampled_from([0.03, 0.0, 2.0]))
    elif kind != "none":
        cost["amount"] = draw(st.sampled_from([0.0007, 0.0, 0.013])) * price
    if kind == "per_contract":
        cost["multiplier"] = draw(st.sampled_from([1.0, 0.1, 50.0]))
        cost["margin"] = price * draw(st.sampled_from([1.0, 0.02, 7.0]))
    units = draw(st.sampled_from([1234.5, 30.0, 1e6, 3.0, 0.4]))
    slippage = draw(st.sampled_from([0.0, 0.7, 150.0]))
    return Broker(cash=price * units, commission=cost, slippage_bps=slippage)


@st.composite
def cases(draw):
    frame = draw(frames())
    return frame, draw(order_rules()), draw(brokers(float(frame["close"].iloc[0])))


def in_cerebro(kind, frame, orders, broker, strategy=Follow, **params):
    """Return the record of a run in a Cerebro that is set up by hand, and the loop it took."""
    cerebro = kind(stdstats=False)
    cerebro.broker = HedgeBroker()
    cerebro.adddata(HedgeData(frame, allow_nonpositive=True), name=frame.attrs["symbol"])
    cerebro.broker.setcash(broker.cash)
    cerebro.broker.addcommissioninfo(commission_info(broker, orders.max_leverage))
    cerebro.broker.set_slippage_perc(broker.slippage_bps / 1e4)
    cerebro.addstrategy(strategy, orders=orders, **params)
    cerebro.addanalyzer(Recorder, _name="recorder")
    record = cerebro.run()[0].analyzers.recorder.record
    return record, getattr(cerebro, "loop", "")


def same(got, want):
    assert list(got.fills) == list(want.fills)
    pd.testing.assert_frame_equal(got.fills, want.fills, check_exact=True, check_dtype=False)
    assert np.array_equal(got.equity, want.equity)
    assert np.array_equal(got.position, want.position)
    assert {k: got.counts.get(k, 0) for k in COUNTS} == {k: want.counts.get(k, 0) for k in COUNTS}
    pd.testing.assert_frame_equal(got.trades, want.trades, check_exact=True, check_dtype=False)
    pd.testing.assert_frame_equal(got.signals, want.signals, check_exact=True)
    pd.testing.assert_frame_equal(got.alerts, want.alerts, check_exact=True)


def all_agree(frame, orders, broker, strategy=Follow, **params):
    """Compare Backtrader's own loop, the short one, the compiled and the interpreted one."""
    stock, _ = in_cerebro(bt.Cerebro, frame, orders, broker, strategy, **params)
    lean, loop = in_cerebro(HedgeCerebro, frame, orders, broker, strategy, **params)
    assert loop == "lean"
    same(lean, stock)
    for few in (False, True):
        with mock.patch.object(fast_loop, "_few", return_value=few):
            same(run_fast(strategy, params, frame, orders=orders, broker=broker), stock)
    return stock


often = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))


@often
@given(cases())
def test_both_loops_and_the_fast_engine_equal_backtraders_loop_to_the_last_bit(case):
    all_agree(*case)


def test_the_random_cases_meet_every_kind_of_exit_and_every_count():
    reasons, counted, trading, drawn = set(), set(), 0, 0
    stops, targets, bare = 0, 0, 0

    @often
    @given(cases())
    def look(case):
        nonlocal trading, drawn, stops, targets, bare
        frame, orders, broker = case
        record = run_fast(Follow, {}, frame, orders=orders, broker=broker)
        reasons.update(record.fills["reason"])
        counted.update(k for k, v in record.counts.items() if v)
        trading, drawn = trading + (len(record.fills) > 0), drawn + 1
        priced = record.trades[["stop_price", "target_price"]].notna().to_numpy()
        stops, targets = stops + priced[:, 0].sum(), targets + priced[:, 1].sum()
        bare += (~priced).all(axis=1).sum()

    look()
    wanted = {"entry", "signal", "reverse", "time", "flat", "late_flat", "stop", "target", "ruin"}
    assert reasons == wanted
    assert counted == set(COUNTS)
    assert trading > drawn / 4
    assert min(stops, targets, bare) > 100


def test_worked_example():
    # long 10 at 100 with 1 % slippage: 101; stop one ATR (2) below: 99, gapped to 98, 1 % worse
    bars = [(100, 101, 99, 100)] * 3 + [(98, 98.5, 96, 97)] * 2
    frame = market(*np.array(bars).T, [0, 1, 1, 1, 1])
    orders = Orders(size={"kind": "fixed", "amount": 10.0}, stop={"period": 1, "multiple": 1.0})
    broker = Broker(cash=2000, slippage_bps=100.0, commission={"kind": "per_share", "amount": 0.5})
    got = all_agree(frame, orders, broker)
    assert got.fills["price"].tolist() == [101.0, pytest.approx(98 * 0.99)]
    assert got.fills["commission"].tolist() == [5.0, 5.0]
    assert got.fills["slippage"].tolist() == [10.0, pytest.approx(9.8)]
    assert got.equity.tolist() == [
        2000.0, 2000.0, 2000.0 - 1010.0 - 5.0 + 1000.0, *[pytest.approx(2000 - 39.8 - 10.0)] * 2
    ]  # fmt: skip


@pytest.mark.parametrize("bars", [1, 2, 3])
def test_the_shortest_markets_agree(bars):
    frame = market(*np.full((4, bars), 10.0), np.ones(bars))
    got = all_agree(frame, Orders(size=ONE), Broker(cash=100.0))
    assert len(got.fills) == (bars > 1)


def test_the_first_bars_of_a_process_are_interpreted_then_the_loop_is_compiled():
    code = """
from hpi_bt.backtest import fast_loop
from hpi_bt.backtest.fast import run_fast
from hpi_bt.config import Broker
from hpi_bt.orders import Orders
from reference.trading import Follow, market

frame = market(*[[10.0] * 9] * 4, [1.0] * 9)
fast_loop._FEW_BARS = 20
for _ in range(4):
    run_fast(Follow, {}, frame, orders=Orders(), broker=Broker())
    print(fast_loop._bars_so_far[0], len(fast_loop._simulate.signatures))
"""
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=FOLDER.parent / "tests", check=True, capture_output=True
    )
    assert out.stdout.split() == b"9 0 18 0 18 1 18 1".split()


def test_callers_that_bring_room_for_many_runs_are_never_interpreted():
    prices, none = np.full(3, 10.0), np.full(3, NAN)
    bars = fast_loop.Market(*[prices] * 4, *[none] * 3)
    rules = Orders(size=ONE).rules(bar_minutes=1.0)
    costs = fast_loop.Costs(100.0, 0.0, False, 0.0, 1.0)
    with mock.patch.object(fast_loop, "interpret", side_effect=AssertionError):
        room = np.empty(3), np.empty(3)
        account = fast_loop.simulate(bars, np.ones(3), none, rules, costs, room=room)
    assert account.position.tolist() == [0.0, 1.0, 1.0]


def shipped():
    classes = [load_strategy(name, [FOLDER.parent]) for name, _ in shipped_strategies()]
    return [c for c in classes if issubclass(c, KernelStrategy) and runs_fast(c)]


SHIPPED = shipped()


@pytest.fixture(scope="module")
def demo():
    made = {}

    def of(strategy):
        daily = "openinterest" in strategy.inputs
        if daily not in made:
            source = DemoSource(sessions=220 if daily else 25, bar="1day" if daily else "5min")
            frame = simulate(source).frame
            frame = frame if daily else with_hedge_columns(frame)
            made[daily] = add_hours(frame, "XNYS", bar_minutes=frame.attrs["bar_minutes"])
        return made[daily]

    return of


def with_hedge_columns(frame):
    joined = frame.join(hedge_columns(frame, every=3)).assign(**gamma_columns(frame))
    joined.attrs = frame.attrs
    return joined


def near(name, default):
    """Values of a parameter around its default, within what it may be."""
    if name == "hpi_smoothing":
        return st.integers(1, 5)
    if isinstance(default, bool) or not isinstance(default, int | float):
        return st.just(default)
    if isinstance(default, int):
        return st.integers(max(1, default // 2), 2 * default)
    return st.floats(0.5, 1.5).map(lambda f: default * f)


def test_every_shipped_kernel_strategy_is_found():
    assert len(SHIPPED) >= 3


@pytest.mark.parametrize("strategy", SHIPPED, ids=lambda c: c.__name__)
def test_every_shipped_kernel_strategy_agrees_with_random_parameters(strategy, demo):
    frame, filled = demo(strategy), []
    daily = frame.attrs["bar_minutes"] >= 1440

    @settings(max_examples=6, deadline=None, phases=[Phase.generate])
    @given(st.data())
    def check(data):
        params = {
            n: data.draw(near(n, d), n) for n, d in defaults_of(strategy.signal_kernel).items()
        }
        orders = data.draw(order_rules())
        if daily:
            orders = orders.model_copy(update={"window": None, "flat_at_close": False})
        for rules in (strategy.orders, orders):
            broker = data.draw(brokers(float(frame["close"].iloc[0])))
            filled.append(len(all_agree(frame, rules, broker, strategy, **params).fills))

    check()
    assert max(filled) > 4


class Plain(Follow):
    """Other orders, nothing else."""

    orders = Orders(size=ONE)


class OwnNext(Follow):
    def next(self):
        super().next()


class OwnNotice(Follow):
    def notify_order(self, order):
        super().notify_order(order)


class OwnStart(Follow):
    def __init__(self):
        super().__init__()


class NoKernel(bt.Strategy):
    pass


def test_only_a_kernel_with_orders_and_nothing_of_its_own_runs_fast():
    assert [runs_fast(c) for c in (Follow, Plain)] == [True, True]
    others = (OwnNext, OwnNotice, OwnStart, NoKernel, KernelStrategy, type("S", (OwnNext,), {}))
    assert not any(map(runs_fast, others))


def test_a_column_that_the_kernel_needs_is_asked_for_by_name():
    frame = market(*np.full((4, 3), 10.0), np.ones(3)).drop(columns="target")
    with pytest.raises(InputError, match="no column 'target'"):
        run_fast(Follow, {}, frame)


@pytest.mark.parametrize(
    "rule", [{"window": {"length_minutes": 30.0}}, {"flat_at_close": True}], ids=["window", "flat"]
)
def test_rules_of_the_session_are_refused_where_the_frame_has_no_hours(rule):
    frame = market(*np.full((4, 6), 10.0), np.ones(6))
    bare = frame.drop(columns=["session", "minutes_open", "minutes_left"])
    with pytest.raises((InputError, TypeError), match="session"):
        run_fast(Follow, {}, bare, orders=Orders(size=ONE, **rule))


def test_daily_bars_refuse_rules_of_the_session():
    frame = market(*np.full((4, 6), 10.0), np.ones(6))
    frame.attrs["bar_minutes"] = 1440.0
    with pytest.raises(ValueError, match="needs intraday bars"):
        run_fast(Follow, {}, frame, orders=Orders(size=ONE, flat_at_close=True))


def test_a_kernel_that_returns_whole_numbers_or_a_view_is_traded_as_floats():
    def whole(target, *, state=None):
        return np.nan_to_num(target).astype(int)[::1]

    class Whole(KernelStrategy):
        inputs = ("target",)
        signal_kernel = staticmethod(whole)
        params = defaults_of(as_it_stands)

    frame = market(*np.full((4, 5), 10.0), [0, 1, 1, -1, 0])
    got = all_agree(frame, Orders(size=ONE), Broker(cash=1000.0), Whole)
    assert got.fills["size"].tolist() == [1, -1, -1]


def test_a_run_leaves_the_frame_as_it_was():
    frame = market(*np.full((4, 5), 10.0), [0, 1, 1, -1, 0])
    before = frame.copy()
    run_fast(Follow, {}, frame, orders=Orders(size=ONE))
    pd.testing.assert_frame_equal(frame, before)
