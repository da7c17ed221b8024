"""What the author of a strategy may write wrong is refused in one line that says what to write."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import numpy as np
import pytest

import hpi_bt as hb
from hpi_bt.backtest.cerebro import run_cerebro
from hpi_bt.backtest.fast import run_fast, runs_fast
from indicators.bench import clean_frame

ENGINES = {"fast": run_fast, "cerebro": run_cerebro}


def above(close, *, level=200.0, state=None):
    return np.where(close > level, 1.0, -1.0)


def no_state(close, *, level=200.0):
    return above(close, level=level)


def two(close, *, level=200.0, state=None):
    return close, close


def short(close, *, level=200.0, state=None):
    return close[1:]


def declared(*bases: type, **members: Any) -> Any:
    usual = {
        "inputs": ("close",),
        "params": {"level": 200.0},
        "signal_kernel": staticmethod(above),
    }
    return type("Mine", bases or (hb.KernelStrategy,), usual | members)


def frame() -> Any:
    bars = clean_frame(sessions=4)
    bars.attrs |= {"symbol": "X", "calendar": "XNYS"}
    return bars


WRONG = [
    ({"signal_kernel": above}, "Mine: signal_kernel: above would be given the object itself as"),
    ({"signal_kernel": staticmethod(no_state)}, "Mine: signal_kernel: no_state takes no state"),
    ({"signal_kernel": staticmethod(two)}, "signal_kernel: returns 2 arrays; wanted one"),
    ({"signal_kernel": staticmethod(short)}, "signal_kernel: returns an array of shape ("),
    (
        {"params": {"level": 200.0, "levl": 1.0}},
        "levl: no option of above and read by nothing (did",
    ),
    ({"params": {}}, "above has the option 'level', params has not"),
    ({"inputs": ("close", "low")}, "above takes 1 series (close), the class names 2 (close, low)"),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("members", "message"), WRONG, ids=[m for _, m in WRONG])
def test_both_engines_refuse_a_signal_kernel_that_does_not_fit(members, message, engine):
    mine = declared(**members)
    assert runs_fast(mine)
    with pytest.raises(hb.InputError) as caught:
        ENGINES[engine](mine, {}, frame())
    assert message in str(caught.value)


def test_what_is_right_runs_in_both():
    fast, slow = (run(declared(), {}, frame()) for run in ENGINES.values())
    assert fast.equity.tolist() == slow.equity.tolist()
    assert len(fast.fills)


def test_a_strategy_without_a_signal_kernel_says_how_to_give_one():
    bare = type("Mine", (hb.KernelStrategy,), {"inputs": ("close",)})
    with pytest.raises(hb.InputError, match=r"Mine: has no signal_kernel; write signal_kernel = "):
        run_cerebro(bare, {}, frame())


def test_parameters_of_what_it_shows_are_not_idle():
    shown = type("Shown", (hb.HerrickRSI,), {})
    mine = declared(params={"level": 200.0, "rsi_length": 5}, shows=(shown,))
    assert "Shown.rsi" in run_fast(mine, {}, frame(), allow_intraday=True).signals


@pytest.mark.parametrize("base", [hb.KernelStrategy, hb.Confirmed])
def test_an_init_that_does_not_begin_its_base_is_refused(base):
    forgetful = declared(base, __init__=lambda self: None)
    message = f"Mine: __init__: does not call super.*, so {base.__name__} never begins its work"
    with pytest.raises(hb.InputError, match=message):
        run_cerebro(forgetful, {}, frame())


class Plain(bt.Strategy):
    def next(self):
        if not self.position:
            self.buy(size=1)


def test_confirmed_must_stand_before_the_strategy_that_it_filters():
    for base, words in ((Plain, "Confirmed, Plain"), (hb.KernelStrategy, "Confirmed, KernelStr")):
        message = rf"Mine: Confirmed: stands after {base.__name__}.*write class Mine\({words}"
        with pytest.raises(hb.InputError, match=message):
            type("Mine", (base, hb.Confirmed), {})
    with pytest.raises(hb.InputError, match=r"write class Mine\(Confirmed\)"):
        type("Mine", (bt.Strategy, hb.Confirmed), {})
    filtered = type("Filtered", (hb.Confirmed, Plain), {})
    with pytest.raises(hb.InputError, match=r"write class Mine\(Filtered, Plain\)"):
        type("Mine", (Plain, filtered), {})


def test_the_right_order_filters():
    filtered = type("Filtered", (hb.Confirmed, Plain), {})
    record = run_cerebro(filtered, {"confirm": {"zscore_lookback": 20}}, frame())
    assert record.vetoes


def test_orders_may_be_written_as_a_mapping_and_are_checked_when_the_class_is_made():
    mine = declared(orders={"time_stop_bars": 3})
    assert mine.orders == hb.Orders(time_stop_bars=3)
    message = r"Orders: stop.multipel: unknown key \(did you mean 'multiple'\?\); rename or remove"
    with pytest.raises(hb.InputError, match=message):
        declared(orders={"stop": {"kind": "atr", "multipel": 2}})


def test_orders_given_as_a_parameter_are_checked_alike():
    with pytest.raises(hb.InputError, match="Orders: stpo: unknown key"):
        run_cerebro(declared(), {"orders": {"stpo": 1}}, frame())


def test_a_keyword_that_is_no_parameter_is_named_with_the_one_that_is_meant():
    with pytest.raises(hb.InputError, match=r"Mine: levle: no such parameter \(did you mean 'leve"):
        run_cerebro(declared(), {"levle": 1.0}, frame())


def test_one_class_to_show_is_no_list():
    with pytest.raises(
        hb.InputError, match=r"Mine: shows: is the class HerrickRSI.*\(HerrickRSI,\)"
    ):
        declared(shows=hb.HerrickRSI)


@pytest.mark.parametrize("name", ["inputs", "optional_inputs"])
def test_one_name_in_brackets_is_no_list(name):
    with pytest.raises(hb.InputError, match=rf"Mine: {name}: is the text 'close'.*\('close',\)"):
        declared(**{name: "close"})
