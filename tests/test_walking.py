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


def test_windows_are_annualised_by_the_sessions_of_the_calendar(shop):
    bars(shop)
    usual = hpi_bt.walk_forward(config(), results="r")
    other = config()
    other["data"]["calendar"] = "24/7"
    always = hpi_bt.walk_forward(other, results="r")
    assert (usual.summary["sessions_per_year"], always.summary["sessions_per_year"]) == (252, 365)
    more = np.sqrt(365 / 252)
    for name in ("in_sample", "out_of_sample_sharpe"):
        np.testing.assert_allclose(windows(always)[name], more * windows(usual)[name])
    for name in ("sharpe", "out_of_sample_sharpe_mean"):
        assert always.summary[name] == pytest.approx(more * usual.summary[name])


def test_windows_longer_than_the_data_and_a_missing_rule_are_refused(shop):
    bars(shop)
    with pytest.raises(InputError, match="train 40 and purge 0 leave no session of 30"):
        hpi_bt.walk_forward(config(train=40), results="r")
    none = config() | {"walk_forward": None}
    with pytest.raises(InputError, match="walk_forward: is missing; add"):
        hpi_bt.walk_forward(none, results="r")
