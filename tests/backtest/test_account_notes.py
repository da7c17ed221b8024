"""What a run says of its account, and where it keeps quiet."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hpi_bt import Orders
from hpi_bt.backtest.account_notes import config_notes, paid_in_notes, ruin_notes
from hpi_bt.backtest.cerebro import run_cerebro
from hpi_bt.backtest.fast import run_fast
from hpi_bt.config import Broker
from hpi_bt.errors import Severity
from reference.trading import Follow, market

COSTS = Broker(slippage_bps=1.0)
FUTURE = {"kind": "per_contract", "amount": 1.0, "multiplier": 50.0, "margin": 100.0}


def codes(notes):
    return [(note.code, note.severity) for note in notes]


def days(n):
    return pd.bdate_range("2024-01-02", periods=n, tz="America/New_York")


def test_a_run_with_costs_and_usual_limits_has_no_notes():
    assert config_notes(COSTS, Orders(), {"rejected": 3}, 10) == []
    assert config_notes(COSTS, None, {}, 10) == []
    commission = Broker(commission={"kind": "per_share", "amount": 0.01})
    assert config_notes(commission, Orders(max_leverage=3.0), {}, 10) == []
    future = Broker(commission=FUTURE)
    assert config_notes(future, Orders(), {}, 10) == []


@pytest.mark.parametrize("kind", ["none", "per_share", "percent"])
def test_costs_that_are_not_set_are_said_once_where_something_was_traded(kind):
    free = Broker(commission={"kind": kind})
    (note,) = config_notes(free, Orders(), {}, 2)
    assert codes([note]) == [("no-costs", Severity.ASSUMPTION)]
    assert note == (
        "no costs: broker.commission and broker.slippage_bps are not set; all figures are before "
        "costs"
    )
    assert config_notes(free, Orders(), {}, 0) == []


def test_a_buffer_of_nothing_names_its_price():
    (note,) = config_notes(COSTS, Orders(cash_buffer=0.0), {"rejected": 1234}, 9)
    assert codes([note]) == [("no-cash-buffer", Severity.ASSUMPTION)]
    assert "(1,234 rejected)" in note


def test_a_leverage_that_futures_do_not_heed_is_said():
    (note,) = config_notes(Broker(commission=FUTURE), Orders(max_leverage=3.0), {}, 9)
    assert codes([note]) == [("leverage-of-futures", Severity.ASSUMPTION)]
    assert "orders.max_leverage 3 does not limit futures: size x margin is limited to 98%" in note


def test_ruin_names_the_day_or_the_bar_and_what_followed():
    equity = np.array([100.0, -5.0, -12.5, -12.5])
    (note,) = ruin_notes(equity, days(4), closed_out=True)
    assert codes([note]) == [("account-ruined", Severity.WARNING)]
    assert note == (
        "warning: account ruined on 2024-01-03: its value fell to \N{MINUS SIGN}5.00; what was "
        "still open was closed at the next open, no order followed; end value \N{MINUS SIGN}12.50"
    )
    minutes = pd.date_range("2024-01-03 15:58", periods=4, freq="1min", tz="UTC")
    assert "ruined on 2024-01-03 15:59:" in ruin_notes(equity, minutes, closed_out=True)[0]
    assert "let it trade on" in ruin_notes(equity, days(4), closed_out=False)[0]
    assert "it is the last bar" in ruin_notes(equity[:2], days(2), closed_out=True)[0]
    assert ruin_notes(np.array([5.0, 0.01]), days(2), closed_out=True) == []


def test_a_withdrawal_that_ruins_the_account_is_named_as_its_cause():
    equity, flows = np.array([10.0, -2.0, -2.0]), np.array([0.0, -13.0, 0.0])
    (note,) = ruin_notes(equity, days(3), closed_out=False, flows=flows)
    assert note == (
        "warning: account ruined on 2024-01-03: a withdrawal of 13.00 from a value of 11.00 left "
        "\N{MINUS SIGN}2.00; its broker let it trade on, to \N{MINUS SIGN}2.00; returns end at the "
        "withdrawal"
    )
    closed = ruin_notes(equity, days(3), closed_out=True, flows=flows)[0]
    assert closed.endswith("no order followed; end value \N{MINUS SIGN}2.00; returns end at the "
                           "withdrawal")  # fmt: skip
    # losses of 15 had ruined it without the withdrawal of 1
    lost = ruin_notes(np.array([10.0, -6.0]), days(2), closed_out=False,
                      flows=np.array([0.0, -1.0]))  # fmt: skip
    assert "its value fell to" in lost[0]
    assert "all as lost" in lost[0]


def test_payments_are_summed_by_direction():
    assert paid_in_notes(None) == []
    assert paid_in_notes(np.zeros(3)) == []
    assert paid_in_notes(np.array([0.0, 10.0, 2.5]))[0].startswith("12.50 was paid in during")
    assert paid_in_notes(np.array([0.0, -10.0]))[0].startswith("10.00 was taken out during the run")


@pytest.mark.parametrize("run", [run_fast, run_cerebro])
def test_both_engines_say_when_an_account_is_ruined(run):
    price = 10.0 + np.arange(12.0)
    frame = market(price, price + 1, price - 1, price, np.full(12, -1.0), day=np.arange(12))
    orders = Orders(size={"kind": "fixed", "amount": 5.0})
    record = run(Follow, {}, frame, orders=orders, broker=Broker(cash=1000.0, commission=FUTURE))
    (note,) = record.remarks
    assert "account ruined on 2024-01-07" in note  # short 5 x 50 from 11: 1000 are gone at 15
    quiet = run(Follow, {}, frame, orders=orders, broker=Broker(cash=1e6, commission=FUTURE))
    assert quiet.remarks == []
