from __future__ import annotations

import backtrader as bt
import numpy as np
import pytest
from numpy.testing import assert_allclose

from hpi_bt import DemoHedgePressureIndex, HedgeData, HerrickPayoffIndex, InputError, Orders
from hpi_bt.backtest.cerebro import Recorder, commission_info, run_cerebro
from hpi_bt.config import Broker, Commission
from reference.trading import Follow
from strategy.scripted import Scripted, walk


class WithSma(Scripted):
    params = dict(period=5)

    def __init__(self):
        super().__init__()
        self.sma = bt.ind.SMA(self.data.close, period=self.p.period)


def test_a_record_holds_one_row_a_bar_warm_up_included():
    frame = walk(1)
    made = run_cerebro(WithSma, {"script": {6: ("buy", None, 3)}}, frame)
    n = len(frame)
    assert len(made.equity) == len(made.position) == len(made.signals) == len(made.frame) == n
    assert made.equity[:7].tolist() == [Broker().cash] * 7
    assert made.position.tolist() == [0] * 7 + [3] * (n - 7)
    (column,) = made.signals.columns
    assert_allclose(made.signals[column].iloc[4:], frame["close"].rolling(5).mean().iloc[4:])


def test_the_target_is_kept_as_it_was_traded():
    frame = walk(2)
    frame["target"] = np.resize([1.0, np.nan, -1.0, 0.0], len(frame))
    made = run_cerebro(Follow, {}, frame)
    assert made.signals["target"].tolist() == np.resize([1.0, 0.0, -1.0, 0.0], len(frame)).tolist()
    assert made.strategy == "Follow"
    assert made.engine == "cerebro"


def test_runs_repeat_themselves():
    script = {1: ("buy", None, 3), 5: ("turn", -1, 4)}
    first, second = (run_cerebro(Scripted, {"script": script}, walk(3)) for _ in range(2))
    assert first.equity.tolist() == second.equity.tolist()
    assert first.fills.equals(second.fills)


def test_the_recorder_serves_a_users_own_cerebro():
    frame = walk(5)
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(HedgeData(frame), name=frame.attrs["symbol"])
    cerebro.broker.setcash(100_000.0)
    cerebro.addstrategy(Scripted, script={2: ("buy", None, 3), 9: ("close",)})
    cerebro.addanalyzer(Recorder, _name="recorder")
    own = cerebro.run()[0].analyzers.recorder
    ours = run_cerebro(Scripted, {"script": {2: ("buy", None, 3), 9: ("close",)}}, frame)
    assert own.record.equity.tolist() == ours.equity.tolist()
    assert own.record.fills.equals(ours.fills)
    assert own.get_analysis() == ours.counts


def test_rejections_are_counted():
    made = run_cerebro(Scripted, {"script": {1: ("buy", None, 10**6)}}, walk(6))
    assert made.counts["rejected"] == 1
    assert made.fills.empty


def test_partial_fills_are_recorded_one_by_one():
    frame = walk(8)
    frame["volume"] = 4.0
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(HedgeData(frame), name="X")
    cerebro.broker.set_filler(bt.fillers.FixedBarPerc(perc=50.0))
    cerebro.addstrategy(Scripted, script={1: ("buy", None, 5)})
    cerebro.addanalyzer(Recorder, _name="recorder")
    made = cerebro.run()[0].analyzers.recorder.record
    assert made.fills["size"].tolist() == [2, 2, 1]
    assert made.fills["bar"].tolist() == [2, 3, 4]
    (trade,) = made.trades.to_dict("records")
    assert (trade["size"], trade["entry_bar"]) == (5, 2)


@pytest.mark.parametrize(
    ("cost", "fee"),
    [
        (Commission(), 0.0),
        (Commission(kind="per_share", amount=0.01), 0.1),
        (Commission(kind="percent", amount=0.5), 10 * 20.0 * 0.005),
        (Commission(kind="per_contract", amount=2.5, multiplier=50, margin=100), 25.0),
    ],
)
def test_commissions_are_per_share_percent_of_value_or_per_contract(cost, fee):
    scheme = commission_info(Broker(commission=cost), 1.0)
    assert scheme.getcommission(10, 20.0) == pytest.approx(fee)
    assert scheme.getcommission(-10, 20.0) == pytest.approx(fee)
    assert scheme.stocklike == (cost.kind != "per_contract")


def test_max_leverage_lends_on_stocks_held_long():
    frame = walk(9)
    frame["target"] = 1.0
    size = {"kind": "percent", "percent": 190.0}
    for leverage, share in ((1.0, 0.98), (2.0, 1.9)):
        orders = Orders(size=size, max_leverage=leverage, size_step=0.0)
        made = run_cerebro(Follow, {}, frame, orders=orders)
        assert made.fills["size"].iloc[0] * frame["close"].iloc[0] == pytest.approx(share * 1e5)


def test_a_history_shorter_than_the_lookback_is_refused():
    with pytest.raises(InputError, match="24 bars, but WithSma needs 50; give more data"):
        run_cerebro(WithSma, {"period": 50}, walk(1))


def test_made_up_option_flow_is_refused_unless_allowed():
    class Made(Scripted):
        def __init__(self):
            super().__init__()
            self.made = DemoHedgePressureIndex(self.data, zscore_lookback=5)

    with pytest.raises(InputError, match="demo: true"):
        run_cerebro(Made, {}, walk(1))
    assert "made up from price" in run_cerebro(Made, {}, walk(1), allow_demo=True).demo


def test_a_daily_indicator_on_intraday_bars_is_refused_unless_allowed():
    class Herrick(Scripted):
        def __init__(self):
            super().__init__()
            self.payoff = HerrickPayoffIndex(self.data)

    frame = walk(1).assign(openinterest=1000.0)
    with pytest.raises(InputError, match="is for daily bars, X has 1-minute bars"):
        run_cerebro(Herrick, {}, frame)
    run_cerebro(Herrick, {}, frame, allow_intraday=True)


def test_an_unknown_parameter_and_a_missing_line_are_refused():
    with pytest.raises((InputError, TypeError), match="nonsense"):
        run_cerebro(Scripted, {"nonsense": 1}, walk(1))
    with pytest.raises((InputError, TypeError), match="target"):
        run_cerebro(Follow, {}, walk(1).drop(columns="target"))


def test_progress_ends_near_one():
    told = []
    frame = walk(1)
    run_cerebro(Scripted, {}, frame, progress=told.append)
    assert all(0.0 < share <= 1.0 for share in told)


def test_every_mode_of_cerebro_runs_each_bar_once():
    frame = walk(12)
    script = {1: ("buy", None, 3), 5: ("turn", -1, 4), 9: ("close",)}
    want = run_cerebro(Scripted, {"script": script}, frame)
    modes = [{"runonce": False}, {"preload": False}, {"exactbars": 1}, {"exactbars": -1}]
    for mode in [*modes, {"exactbars": -2}]:
        cerebro = bt.Cerebro(stdstats=False, **mode)
        cerebro.adddata(HedgeData(frame), name="X")
        cerebro.broker.setcash(100_000.0)
        cerebro.addstrategy(Scripted, script=script)
        cerebro.addanalyzer(bt.analyzers.TimeReturn, _name="returns")
        ran = cerebro.run()[0]
        assert len(ran.data) == len(frame), mode
        assert ran.broker.getvalue() == want.equity[-1], mode
