"""`hpi_bt.walk_forward` as a user calls it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import hpi_bt
from hpi_bt import InputError

MARKET = """
import numpy as np
from hpi_bt import KernelStrategy, Orders, defaults_of

def swing(close, *, period=5, state=None):
    past = np.concatenate((close[:1].repeat(period), close[:-period]))[:close.size]
    return np.sign(close - past)

class Swing(KernelStrategy):
    inputs = ("close",)
    signal_kernel = staticmethod(swing)
    params = defaults_of(swing)
    orders = Orders(size={"kind": "percent", "percent": 50.0}, size_step=0.0)
"""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "swing.py").write_text(MARKET)
    return tmp_path


def bars(folder, altered_from=None, n=30):
    """Write bars.csv of n sessions of 13 half-hour bars; altered from one session on."""
    rng = np.random.default_rng(4)
    days = pd.bdate_range("2024-03-18", periods=n + 5).difference(["2024-03-29"])[:n]
    stamps = [d + pd.Timedelta(hours=10, minutes=30 * i) for d in days for i in range(13)]
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.004, 13 * n)))
    if altered_from is not None:
        close[13 * altered_from :] *= np.exp(
            np.cumsum(np.random.default_rng(9).normal(0, 0.01, 13 * (n - altered_from)))
        )
    open_ = np.r_[100.0, close[:-1]]
    frame = pd.DataFrame(
        {"datetime": stamps, "open": open_, "high": np.maximum(open_, close) * 1.001,
         "low": np.minimum(open_, close) * 0.999, "close": close, "volume": 1000.0}
    )  # fmt: skip
    frame.to_csv(folder / "bars.csv", index=False)


def config(**rule):
    return {
        "name": "walk",
        "data": {
            "source": {"kind": "csv", "path": "bars.csv", "bar_label": "close",
                       "bar_minutes": 30, "timezone": "America/New_York"},
            "calendar": "XNYS",
        },
        "strategy": {"class": "swing.py:Swing"},
        "sweep": {"period": [2, 5, 9]},
        "walk_forward": {"train": 8, "test": 4} | rule,
    }  # fmt: skip


def windows(result):
    return pd.read_csv(result.folder / "windows.csv")


def test_equity_is_the_product_of_the_chosen_tests_and_trades_add_up(shop):
    bars(shop)
    result = hpi_bt.walk_forward(config(), results="r")
    table = windows(result)
    assert len(table) == 6
    product = np.prod(1.0 + table["out_of_sample_return"]) - 1.0
    assert result.summary["total_return"] == pytest.approx(product, rel=1e-9)
    equity = result.equity
    assert result.trades["net"].sum() == pytest.approx(
        result.summary["total_return"] * 100_000.0, rel=1e-9
    )
    assert len(equity) == 22 * 13
    assert set(result.trades["status"]) == {"closed"}
    stability = pd.read_csv(result.folder / "stability.csv")
    assert json.loads(stability["values"].iloc[0]) == table["period"].tolist()


@pytest.mark.parametrize("mode", ["rolling", "anchored"])
@pytest.mark.parametrize("engine", ["fast", "cerebro"])
def test_bars_after_a_training_window_change_nothing_of_its_choice(shop, mode, engine):
    rule = {"mode": mode, "purge": 1}
    bars(shop)
    whole = windows(hpi_bt.walk_forward(config(**rule), results="r", engine=engine, jobs=1))
    for altered in (9, 22) if engine == "fast" else (17,):
        bars(shop, altered)
        other = windows(hpi_bt.walk_forward(config(**rule), results="r", engine=engine, jobs=1))
        ends = [8 + 4 * w for w in range(len(whole))]  # the training of window w ends there
        same = [w for w, end in enumerate(ends) if end <= altered]
        assert same
        columns = ["period", "in_sample"]
        pd.testing.assert_frame_equal(
            other.loc[same, columns], whole.loc[same, columns], check_exact=True
        )
        assert not other["in_sample"].equals(whole["in_sample"]) or len(same) == len(whole)


def test_cerebro_walks_too_and_its_trades_are_round_trips_within_the_tests(shop):
    bars(shop)
    result = hpi_bt.walk_forward(config(), results="r", engine="cerebro", jobs=1)
    product = np.prod(1.0 + windows(result)["out_of_sample_return"]) - 1.0
    assert result.summary["total_return"] == pytest.approx(product, rel=1e-9)
    assert result.trades["net"].sum() == pytest.approx(product * 100_000.0, rel=0.2, abs=200.0)
    assert (result.trades["size"] * result.trades["entry_price"] < 60_000.0).all()


def test_a_walk_without_a_trade_is_told_and_not_broken(shop):
    bars(shop)
    quiet = config() | {"orders": {"size": {"kind": "percent", "percent": 0.01}, "size_step": 1.0}}
    result = hpi_bt.walk_forward(quiet, results="r", jobs=1)
    assert len(result.trades) == 0
    assert result.summary["total_return"] == 0.0


def test_windows_are_annualised_by_the_sessions_of_an_elapsed_year_of_all_bars(shop):
    bars(shop)
    result = hpi_bt.walk_forward(config(), results="r")
    equity = result.equity["equity"].to_numpy()
    returns = np.diff(np.r_[100_000.0, equity[12::13]]) / np.r_[100_000.0, equity[12::13][:-1]]
    own = returns[:4]  # the first test window
    year = 30 / (pd.Timestamp("2024-04-26") - pd.Timestamp("2024-03-18")).days * 365.2425
    sharpe = own.mean() / own.std(ddof=1) * np.sqrt(year)
    assert windows(result)["out_of_sample_sharpe"].iloc[0] == pytest.approx(sharpe)
    tested = 22 / (pd.Timestamp("2024-04-26") - pd.Timestamp("2024-03-28")).days * 365.2425
    assert result.summary["sessions_per_year"] == pytest.approx(tested)


def test_windows_longer_than_the_data_and_a_missing_rule_are_refused(shop):
    bars(shop)
    with pytest.raises(InputError, match="train 40 and purge 0 leave no session of 30"):
        hpi_bt.walk_forward(config(train=40), results="r")
    none = config() | {"walk_forward": None}
    with pytest.raises(InputError, match="walk_forward: is missing; add"):
        hpi_bt.walk_forward(none, results="r")


COSTLY = {"cash": 100_000, "commission": {"kind": "per_share", "amount": 0.1}, "slippage_bps": 10}


def flat_bars(folder, n=30):
    days = pd.bdate_range("2024-03-18", periods=n + 5).difference(["2024-03-29"])[:n]
    stamps = [d + pd.Timedelta(hours=10, minutes=30 * i) for d in days for i in range(13)]
    prices = dict.fromkeys(("open", "high", "low", "close"), 50.0)
    pd.DataFrame({"datetime": stamps, **prices, "volume": 1.0}).to_csv(
        folder / "bars.csv", index=False
    )


LONG = """
import backtrader as bt
import numpy as np
from hpi_bt import KernelStrategy, Orders, defaults_of

def long(close, *, level=1.0, state=None):
    return np.full(close.size, level)

class Long(KernelStrategy):
    inputs = ("close",)
    signal_kernel = staticmethod(long)
    params = defaults_of(long)
    orders = Orders(size={"kind": "fixed", "amount": 100.0})

class Plain(bt.Strategy):
    params = dict(length=3)

    def __init__(self):
        self.mean = bt.ind.SMA(self.data.close, period=self.p.length)
        self.refused = 0

    def notify_order(self, order):
        self.refused += order.status == order.Rejected

    def next(self):
        if not self.position:
            self.buy(size=100)
"""


@pytest.mark.parametrize("engine", ["fast", "cerebro"])
def test_each_window_pays_for_its_way_in_and_its_way_out(shop, engine):
    flat_bars(shop)
    (shop / "swing.py").write_text(LONG)
    always = config() | {"strategy": {"class": "swing.py:Long"}, "broker": COSTLY}
    always["sweep"] = {"level": [1.0, 2.0]}
    result = hpi_bt.walk_forward(always, results="r", engine=engine, jobs=1)
    # six windows x 100 shares x two sides x (0.10 + 0.1 % of 50)
    assert result.summary["end_value"] == pytest.approx(100_000 - 6 * 100 * 2 * 0.15)
    assert result.summary["costs"] == pytest.approx(180.0)
    trades = result.trades
    assert len(trades) == 6
    assert trades["exit_reason"].eq("window end").all()
    assert trades["net"].sum() == pytest.approx(-180.0)
    # in at the first open of each window, on the signal of the close before; out at the last close
    edges = np.array([(4 * w * 13, min(4 * w + 4, 22) * 13 - 1) for w in range(6)])
    assert trades[["entry_bar", "exit_bar"]].to_numpy().tolist() == edges.tolist()
    assert result.equity["position"].to_numpy()[edges[:, 1]].tolist() == [0.0] * 6
    assert result.equity["equity"].iloc[0] == pytest.approx(100_000 - 15.0)


ORDERS = [
    {"size": {"kind": "percent", "percent": 50.0}, "size_step": 0.0},
    {"size": {"kind": "fixed", "amount": 900.0}},
    {"size": {"kind": "risk", "percent": 1.0}, "stop": {"period": 5, "multiple": 2.0},
     "target": {"multiple": 3.0}, "time_stop_bars": 9},
    {"size": {"kind": "fixed", "amount": 7.0}, "flat_at_close": True, "direction": "short"},
]  # fmt: skip


@pytest.mark.parametrize("orders", ORDERS, ids=["percent", "fixed", "risk", "flat"])
@pytest.mark.parametrize(
    "broker",
    [
        COSTLY,
        {"cash": 50_000, "slippage_bps": 3,
         "commission": {"kind": "per_contract", "amount": 2.0, "multiplier": 20, "margin": 900}},
    ],
    ids=["stock", "future"],
)  # fmt: skip
def test_both_engines_walk_alike_to_the_last_bit(shop, orders, broker):
    bars(shop)
    both = config() | {"orders": orders, "broker": broker}
    fast, slow = (
        hpi_bt.walk_forward(both, results="r", engine=name, jobs=1) for name in ("fast", "cerebro")
    )
    pd.testing.assert_frame_equal(fast.equity, slow.equity, check_exact=True)
    pd.testing.assert_frame_equal(fast.trades, slow.trades, check_exact=True)
    pd.testing.assert_frame_equal(windows(fast), windows(slow), check_exact=True)
    assert len(fast.trades) > 3
    for name in ("rejected", "capped", "commission", "slippage", "total_return"):
        assert fast.summary.get(name) == slow.summary.get(name)


def test_windows_after_a_ruin_trade_nothing(shop):
    bars(shop)
    broke = config() | {
        "orders": {"size": {"kind": "fixed", "amount": 20.0}, "direction": "long"},
        "broker": {"cash": 3_000, "commission": {
            "kind": "per_contract", "amount": 1.0, "multiplier": 300, "margin": 100}},
    }  # fmt: skip
    for engine in ("fast", "cerebro"):
        result = hpi_bt.walk_forward(broke, results="r", engine=engine, jobs=1)
        equity = result.equity["equity"].to_numpy()
        ruin = int(np.flatnonzero(equity <= 0.0)[0])
        assert (equity[ruin + 1 :] == equity[-1]).all()
        assert result.trades["entry_bar"].max() <= ruin
        assert any("account ruined on" in line for line in result.summary["remarks"])


def test_a_plain_strategy_trades_within_the_windows_alone_and_sees_what_was_before(shop):
    flat_bars(shop)
    (shop / "swing.py").write_text(LONG)
    plain = config() | {"strategy": {"class": "swing.py:Plain"}, "broker": COSTLY}
    plain["sweep"] = {"length": [20, 90]}  # the first training window is 104 bars long
    result = hpi_bt.walk_forward(plain, results="r", jobs=1)
    assert result.trades["entry_bar"].tolist() == [4 * w * 13 for w in range(6)]
    assert result.summary["rejected"] == 0
    assert result.summary["end_value"] == pytest.approx(100_000 - 180.0)


def test_a_window_whose_training_is_too_short_for_an_indicator_stays_flat(shop):
    flat_bars(shop)
    (shop / "swing.py").write_text(LONG)
    plain = config() | {"strategy": {"class": "swing.py:Plain"}, "broker": COSTLY}
    plain["sweep"] = {"length": [120, 150]}
    result = hpi_bt.walk_forward(plain, results="r", jobs=1)
    # trained on bars 0 to 103 neither length is known, on 52 to 155 the shorter one is
    assert result.trades["entry_bar"].iloc[0] == 52
    assert result.summary["windows_flat"] == 1


KINDS = """
import numpy as np
from hpi_bt import KernelStrategy, Orders, defaults_of

def kind_of(close, *, kind="long", n=0, state=None):
    if n == 7:
        raise ValueError("n 7 cannot be")
    bar = np.arange(close.size)
    return {
        "long": np.ones(close.size),
        "never": np.zeros(close.size),
        "mixed": np.where(bar % 4 == 3, -1.0, 1.0),
    }[kind]

class Kind(KernelStrategy):
    inputs = ("close",)
    signal_kernel = staticmethod(kind_of)
    params = defaults_of(kind_of)
    orders = Orders(size={"kind": "percent", "percent": 50.0})
"""


def daily(folder, growth, n=60):
    days = pd.bdate_range("2024-04-01", periods=n)
    close = 100.0 * np.cumprod(1.0 + np.resize(growth, n))
    open_ = np.r_[100.0, close[:-1]]
    high, low = np.maximum(open_, close), np.minimum(open_, close)
    prices = {"open": open_, "high": high, "low": low, "close": close}
    frame = pd.DataFrame({"date": days, **prices, "volume": 1.0})
    frame.to_csv(folder / "bars.csv", index=False)
    (folder / "swing.py").write_text(KINDS)


def of_kinds(sweep, rule, **more):
    plain = config() | {"sweep": sweep, "walk_forward": {"train": 20, "test": 10} | rule}
    plain["data"] = {"source": {"kind": "csv", "path": "bars.csv"}, "calendar": "24/7"}
    return plain | {"strategy": {"class": "swing.py:Kind"}} | more


ENGINES = pytest.mark.parametrize("engine", ["fast", "cerebro"])


@pytest.mark.parametrize("select", ["sortino", "calmar"])
@ENGINES
def test_a_point_that_never_lost_is_chosen_before_all_others(shop, select, engine):
    daily(shop, [0.004, 0.002])
    rule = {"select": select}
    result = hpi_bt.walk_forward(
        of_kinds({"kind": ["mixed", "long"]}, rule), results="r", engine=engine, jobs=1
    )
    table = windows(result)
    assert table["kind"].tolist() == ["long"] * 4
    assert (table["in_sample"] == np.inf).all()
    assert result.summary["windows_never_lost"] == 4


@ENGINES
def test_windows_without_a_point_that_trades_stay_flat_and_say_so(shop, engine):
    daily(shop, [0.004, -0.002])
    never = of_kinds({"kind": ["never"], "n": [0, 1]}, {"select": "total_return"})
    result = hpi_bt.walk_forward(never, results="r", engine=engine, jobs=1)
    assert result.summary["windows_flat"] == 4
    assert result.summary["total_return"] == 0.0
    assert any("4 of 4 windows stayed flat" in line for line in result.summary["remarks"])
    assert windows(result)["kind"].isna().all()


def test_a_losing_point_is_chosen_before_one_that_never_trades(shop):
    daily(shop, [-0.004, 0.002])
    both = of_kinds({"kind": ["never", "long"]}, {"select": "total_return"})
    assert windows(hpi_bt.walk_forward(both, results="r"))["kind"].tolist() == ["long"] * 4


def test_windows_whose_best_point_has_too_few_trades_are_named(shop):
    daily(shop, [-0.004, 0.002])
    few = of_kinds({"kind": ["long"]}, {"min_trades": 3})
    remarks = hpi_bt.walk_forward(few, results="r").summary["remarks"]
    assert any("fewer than 3 trades in training" in line for line in remarks)
    enough = of_kinds({"kind": ["long", "mixed"]}, {"min_trades": 3})
    result = hpi_bt.walk_forward(enough, results="r")
    assert windows(result)["kind"].tolist() == ["mixed"] * 4
    assert not any("fewer than" in line for line in result.summary["remarks"])


@ENGINES
def test_equal_points_rank_one_half_and_one_session_tests_have_figures(shop, engine):
    daily(shop, [0.004, -0.003, 0.001], n=30)
    alike = of_kinds({"kind": ["long"], "n": [0, 1, 2]}, {"test": 1})
    result = hpi_bt.walk_forward(alike, results="r", engine=engine, jobs=1)
    assert len(windows(result)) == 10
    assert result.summary["out_of_sample_rank_mean"] == 0.5
    assert len(result.trades) == 10


@ENGINES
def test_a_point_that_raises_is_never_chosen_and_is_named(shop, engine):
    daily(shop, [0.004, -0.003, 0.001])
    some = of_kinds({"n": [7, 0, 1]}, {})
    result = hpi_bt.walk_forward(some, results="r", engine=engine, jobs=1)
    assert set(windows(result)["n"]) == {0}
    assert result.summary["failed"] == 1
    (line,) = [x for x in result.summary["remarks"] if x.startswith("warning")]
    assert "1 of 3 points raised an error and have no figures: n 7 (" in line
    assert "n 7 cannot be" in line
    with pytest.raises(InputError, match=r"sweep, point \{'n': 7\}: .*n 7 cannot be"):
        hpi_bt.walk_forward(of_kinds({"n": [7]}, {}), results="r", engine=engine, jobs=1)


def test_a_choice_is_made_on_the_equity_carried_so_far(shop):
    daily(shop, [-0.04, 0.03])
    # 1,200 shares of some 100 dollars do not fit 100,000 dollars; what is won makes more fit
    plain = of_kinds({"kind": ["long", "mixed"]}, {})
    plain |= {"orders": {"size": {"kind": "fixed", "amount": 1200.0}}}
    result = hpi_bt.walk_forward(plain, results="r")
    table, equity = windows(result), result.equity["equity"].to_numpy()
    one = {k: v for k, v in plain.items() if k not in ("sweep", "walk_forward")}
    one["strategy"] = {"class": "swing.py:Kind", "params": {"kind": table["kind"].iloc[1]}}
    # the second window's training, run by itself: its indicators see the bars before it
    span = {"start": table["train_from"].iloc[1], "end": table["train_to"].iloc[1]}
    one["data"] = plain["data"] | span
    year = 60 / 81 * 365.2425  # sessions of an elapsed year of all bars
    scores = {}
    for cash in (equity[9], 100_000.0):
        made = hpi_bt.run(one | {"broker": {"cash": float(cash)}}, results="r").summary
        scores[cash] = made["sharpe"] * np.sqrt(year / made["sessions_per_year"])
    assert table["in_sample"].iloc[1] == pytest.approx(scores[equity[9]], rel=1e-9)
    assert abs(table["in_sample"].iloc[1] - scores[100_000.0]) > 1e-3


def test_the_command_prints_figures_where_there_are_none(shop, monkeypatch, capsys):
    import yaml

    from small_runs import commander

    daily(shop, [0.004, -0.003, 0.001], n=30)
    command = commander(monkeypatch, capsys)
    for name, plain in {
        "never": of_kinds({"kind": ["never"]}, {}),
        "one": of_kinds({"kind": ["long"]}, {"test": 1}),
    }.items():
        (shop / f"{name}.yaml").write_text(yaml.safe_dump(plain))
        said = command("walk-forward", f"{name}.yaml", "--results", "r")
        assert said.code == 0
        assert "out of sample Sharpe n/a" in said.out
        assert "(luck alone: 50%)" in said.out


def test_an_interrupted_walk_goes_on_where_it_was_stopped(shop):
    bars(shop)
    whole = hpi_bt.walk_forward(config(), results="whole", jobs=1)

    class EnoughError(Exception):
        """The user has seen enough."""

    counts = []

    def stop(done, total):
        counts.append((done, total))
        if done > 7:
            raise EnoughError

    with pytest.raises(EnoughError):
        hpi_bt.walk_forward(config(), results="r", jobs=1, count=stop)
    assert counts[-1][1] == 3 * 6
    assert list((shop / "r").glob(".walk-forward-*/window-*/part-*.npz"))
    again = []
    made = hpi_bt.walk_forward(
        config(), results="r", jobs=1, count=lambda done, _: again.append(done)
    )
    assert again[0] == 3  # the first window was complete
    pd.testing.assert_frame_equal(windows(made), windows(whole), check_exact=True)
    assert not list((shop / "r").glob(".walk-forward-*"))


def spiked(folder, bar, times=6.0):
    """Let one bar of bars.csv close that many times as high; the next opens as if it had not."""
    frame = pd.read_csv(folder / "bars.csv")
    frame.loc[bar, ["high", "close"]] *= times
    frame.to_csv(folder / "bars.csv", index=False)


FALLS = [-0.01, 0.002, 0.002, 0.002]  # on the bars on which kind mixed is short


@ENGINES
def test_no_window_trades_after_the_one_that_ruined_the_account(shop, engine):
    daily(shop, FALLS)
    spiked(shop, 24)
    result = hpi_bt.walk_forward(
        of_kinds({"kind": ["mixed"]}, {"select": "total_return"}),
        results="r",
        engine=engine,
        jobs=1,
    )
    assert windows(result)["kind"].isna().tolist() == [False, True, True, True]
    assert result.trades["exit_bar"].max() < 10
    remarks = " ".join(result.summary["remarks"])
    assert "3 of 4 windows stayed flat after the ruin of the account" in remarks
    assert "account ruined on" in remarks
    assert result.summary["max_drawdown"] == -1.0
    assert result.summary["end_value"] > 0.0
    growth = result.summary["end_value"] / result.summary["start_value"] - 1.0
    assert result.summary["total_return"] == pytest.approx(growth)


@ENGINES
def test_a_point_that_was_ruined_in_training_is_not_chosen(shop, engine):
    both = of_kinds({"kind": ["mixed", "long"]}, {"select": "total_return"})
    first = []
    for bars in ((), (8,)):
        daily(shop, FALLS)
        for bar in bars:
            spiked(shop, bar)
        table = windows(hpi_bt.walk_forward(both, results="r", engine=engine, jobs=1))
        first.append(table["kind"].iloc[0])
    assert first == ["mixed", "long"]
