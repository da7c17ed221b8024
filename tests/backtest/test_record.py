from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hpi_bt.backtest.cerebro import run_cerebro
from hpi_bt.backtest.record import FILL_COLUMNS, TRADE_COLUMNS, Record, fills_frame
from hpi_bt.config import Broker
from strategy.scripted import Scripted, scripts, walk


def record(*fills, closes=(10.0,) * 10, multiplier=1.0):
    """Fills are (bar, size, price, commission, closed, closed_commission), sizes signed."""
    index = pd.date_range("2024-01-02", periods=len(closes), freq="1D")
    frame = pd.DataFrame({"close": np.array(closes, dtype=float)}, index=index)
    frame.attrs = {"symbol": "X"}
    names = ("bar", "size", "price", "commission", "closed", "closed_commission")
    rows = [dict(zip(names, map(float, f), strict=True)) for f in fills]
    for row in rows:
        row |= {"bar": int(row["bar"]), "data": "X", "reason": f"r{row['bar']:.0f}"}
        row["time"] = index[row["bar"]]
    n = len(closes)
    return Record(
        engine="hand", strategy="Hand", params={}, frame=frame, cash=1000.0, equity=np.zeros(n),
        position=np.zeros(n), fills=fills_frame(rows), signals=pd.DataFrame(),
        multipliers={"X": multiplier},
    )  # fmt: skip


def rows(made, *columns):
    return list(made.trades[list(columns)].itertuples(index=False, name=None))


def test_a_round_trip_scaled_in_and_out_is_one_trade_at_mean_prices():
    # in: 10 at 10 and 10 at 12, mean 11; out: 5 at 13 and 15 at 14, mean 13.75; 20 x 2.75 = 55
    made = record((1, 10, 10, 1, 0, 0), (2, 10, 12, 1, 0, 0), (3, -5, 13, 2, -5, 2),
                  (6, -15, 14, 2, -15, 2))  # fmt: skip
    assert rows(made, "size", "entry_price", "exit_price", "pnl", "commission", "net", "bars") == [
        (20, 11, 13.75, 55, 6, 49, 5)
    ]
    assert rows(made, "entry_bar", "exit_bar", "direction", "exit_reason", "status") == [
        (1, 6, 1, "r6", "closed")
    ]


def test_a_reversal_in_one_fill_ends_one_trade_and_begins_another_and_splits_its_commission():
    made = record((1, 10, 10, 5, 0, 0), (4, -16, 12, 8, -10, 5), (7, 6, 11, 3, 6, 3))
    assert rows(made, "direction", "size", "entry_bar", "exit_bar", "pnl", "commission") == [
        (1, 10, 1, 4, 20, 10),
        (-1, 6, 4, 7, 6, 6),
    ]


def test_an_open_trade_is_marked_at_the_last_close_and_says_so():
    made = record((2, -4, 10, 1, 0, 0), (5, 1, 9, 0.5, 1, 0.5), closes=[10.0] * 9 + [8.0])
    (trade,) = made.trades.to_dict("records")
    # one covered at 9, three marked at 8: 1 + 6
    assert (trade["pnl"], trade["commission"], trade["net"]) == (7, 1.5, 5.5)
    assert (trade["status"], trade["exit_reason"], trade["exit_bar"]) == ("open", "open", 9)
    assert trade["exit_price"] == 8.0
    assert trade["exit_time"] is pd.NaT
    assert trade["bars"] == 7


def test_a_multiplier_makes_dollars_of_points():
    made = record((1, 2, 10, 1, 0, 0), (2, -2, 13, 1, -2, 1), multiplier=50.0)
    assert rows(made, "pnl", "net") == [(300, 298)]


def test_no_fills_give_a_table_with_every_column():
    made = record()
    assert tuple(made.fills.columns) == FILL_COLUMNS
    assert tuple(made.trades.columns) == TRADE_COLUMNS
    assert made.trades.empty


at_market = st.one_of(
    st.tuples(st.sampled_from(["turn", "two"]), st.sampled_from([1, -1]), st.integers(1, 20)),
    st.tuples(st.just("order_target_percent"), st.none(), st.floats(-0.02, 0.02)),
    st.tuples(st.just("order_target_size"), st.none(), st.integers(-20, 20)),
)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.dictionaries(st.integers(1, 22), at_market, min_size=3, max_size=20),
    st.sampled_from([1.0, 20.0]),
)
def test_exposure_times_return_is_what_equity_did_before_costs(seed, script, multiplier):
    cost = {"kind": "none"}
    if multiplier > 1.0:
        cost = {"kind": "per_contract", "amount": 0.0, "multiplier": multiplier, "margin": 2000.0}
    broker = Broker(cash=1e6, commission=cost)
    made = run_cerebro(Scripted, {"script": script}, walk(seed), broker=broker)
    account = made.account
    assert_allclose(account["equity"], made.equity)
    opens, close = (made.frame[name].to_numpy() for name in ("open", "close"))
    gap = np.append(0.0, opens[1:] / close[:-1] - 1.0)
    held = np.append(0.0, account["exposure"].to_numpy()[:-1])
    body = account["exposure_open"].to_numpy() * (close / opens - 1.0)
    assert_allclose(1e6 * np.cumprod((1.0 + held * gap) * (1.0 + body)), made.equity, rtol=1e-9)


def test_an_order_within_the_bar_is_held_until_the_bar_ends():
    # bought 10 at the open of bar 1, stopped within bar 3; 10 at 10 of 1,000 are a tenth
    made = record((1, 10, 10, 0, 0, 0), (3, -10, 9, 0, -10, 0))
    fills = made.fills.assign(kind=["market", "stop"])
    index = made.frame.index
    frame = pd.DataFrame({"open": 10.0, "close": 10.0}, index=index)
    frame.attrs = made.frame.attrs
    position = np.array([0, 10, 10, *[0] * 7], dtype=float)
    whole = replace(
        made, fills=fills, frame=frame, position=position, equity=np.full(10, 1000.0)
    ).account
    assert list(whole["exposure"]) == [0, 0.1, 0.1, *[0] * 7]
    assert list(whole["exposure_open"]) == [0, 0.1, 0.1, 0.1, *[0] * 6]


COSTS = [
    {"kind": "none"},
    {"kind": "per_share", "amount": 0.01},
    {"kind": "percent", "amount": 0.1},
    {"kind": "per_contract", "amount": 2.0, "multiplier": 20.0, "margin": 400.0},
]


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 2**32 - 1), scripts, st.sampled_from(COSTS), st.sampled_from([3000.0, 1e6]),
    st.sampled_from([0.0, 20.0]),
)  # fmt: skip
def test_net_profits_add_up_to_the_change_of_equity(seed, script, costs, cash, slippage_bps):
    broker = Broker(cash=cash, commission=costs, slippage_bps=slippage_bps)
    made = run_cerebro(Scripted, {"script": script}, walk(seed), broker=broker)
    trades = made.trades
    assert_allclose(trades["net"].sum(), made.equity[-1] - cash, rtol=1e-9, atol=cash * 1e-12)
    assert_allclose(trades["commission"].sum(), made.fills["commission"].sum(), rtol=1e-12)
    assert_allclose(made.fills["size"].sum(), made.position[-1])
    # never two trades at once: each begins where the one before has ended, or later
    assert (trades["entry_bar"].to_numpy()[1:] >= trades["exit_bar"].to_numpy()[:-1]).all()
    assert (trades["status"].iloc[:-1] == "closed").all()
    assert bool(len(trades) and trades["status"].iloc[-1] == "open") == (made.position[-1] != 0)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_fills_rebuild_the_position_of_every_bar(seed):
    rng = np.random.default_rng(seed)
    script = {int(t): ("order_target_size", None, int(rng.integers(-9, 9))) for t in range(20)}
    made = run_cerebro(Scripted, {"script": script}, walk(seed), broker=Broker(cash=1e6))
    moves = np.bincount(made.fills["bar"], made.fills["size"], minlength=len(made.frame))
    assert np.cumsum(moves).tolist() == made.position.tolist()


def test_slippage_in_dollars_is_what_the_fill_cost_against_the_open():
    script = {1: ("buy", None, 10), 4: ("sell", None, 10)}
    frame = walk(7)
    made = run_cerebro(Scripted, {"script": script}, frame, broker=Broker(slippage_bps=1.0))
    opens = frame["open"].to_numpy()[[2, 5]]
    bounds = frame["high"].to_numpy()[2], frame["low"].to_numpy()[5]
    paid = min(opens[0] * 1.0001, bounds[0]), max(opens[1] * 0.9999, bounds[1])
    assert made.fills["price"].tolist() == list(paid)
    assert_allclose(made.fills["slippage"], [10 * (paid[0] - opens[0]), 10 * (opens[1] - paid[1])])
    assert (made.fills["slippage"] >= 0).all()


@pytest.mark.parametrize("side", [1, -1])
def test_a_limit_below_and_above_the_market_has_no_slippage(side):
    script = {2: ("limit_with_stop", side, 3)}
    made = run_cerebro(Scripted, {"script": script}, walk(11), broker=Broker(cash=1e6))
    entry = made.fills[made.fills["kind"] == "limit"]
    assert len(entry) <= 1
    assert all(math.isclose(x, 0.0, abs_tol=1e-9) for x in entry["slippage"])
