"""`hb.Report`: the result folder from a plain Cerebro that knows nothing of this package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd
import pytest
import yaml

import hpi_bt as hb
from hpi_bt.errors import InputError
from small_runs import demo_run, listing

MINUTES = {"timeframe": bt.TimeFrame.Minutes, "compression": 1}
SPAN = 4  # sessions; fewer than the long tear sheet wants, so that the tests are fast


class Hold(bt.Strategy):  # type: ignore[misc]
    params = dict(size=10)

    def next(self) -> None:
        if len(self) == 2:
            self.buy(size=self.p.size)


class Turn(bt.Strategy):  # type: ignore[misc]
    """Buys and sells both datas."""

    def next(self) -> None:
        for data in self.datas:
            if len(data) == 1:
                self.buy(data, size=1)
            if len(data) == 3:
                self.close(data)


class Idle(bt.Strategy):  # type: ignore[misc]
    pass


class Stopped(bt.Strategy):  # type: ignore[misc]
    def next(self) -> None:
        if len(self) == 3:
            self.env.runstop()


def bars(n: int = SPAN, freq: str = "B", start: str = "2024-01-02", base: float = 100.0) -> Any:
    close = base + np.arange(n, dtype=np.float64)
    columns = {"open": close - 0.5, "high": close + 1, "low": close - 1, "close": close}
    frame = pd.DataFrame(columns, index=pd.date_range(start, periods=n, freq=freq))
    return frame.assign(volume=1000.0, openinterest=0.0)


def report(
    folder: Path,
    strategy: Any,
    *frames: Any,
    how: dict[str, Any] | None = None,
    mode: dict[str, Any] | None = None,
    commission: dict[str, Any] | None = None,
    **options: Any,
) -> hb.Result:
    cerebro = bt.Cerebro(stdstats=False)
    for frame in frames:
        given = {"openinterest": "openinterest"} | (how or {})
        cerebro.adddata(bt.feeds.PandasData(dataname=frame, **given))
    cerebro.broker.setcommission(**(commission or {}))
    cerebro.addstrategy(strategy)
    cerebro.addanalyzer(hb.Report, folder=str(folder), **options)
    (finished,) = cerebro.run(**(mode or {}))
    result: hb.Result = finished.analyzers.report.result
    return result


def banner_of(result: hb.Result) -> str:
    page = (result.folder / "tearsheet.html").read_text("utf-8")
    return page.partition('aria-label="Assumptions"')[2].partition("</section>")[0]


def test_a_plain_cerebro_gets_the_folder_that_run_writes(tmp_path: Path) -> None:
    result = report(tmp_path, Hold, bars())
    assert listing(result.folder) == listing(demo_run().folder)
    assert result.folder.name.startswith("Hold-20")
    assert set(result.summary) == set(demo_run().summary)
    # bought at the open of bar 3, 101.5, and marked at the last close, 103
    assert result.summary["end_value"] == pytest.approx(10_000.0 + 10 * 1.5)
    assert (result.summary["trades"], result.summary["open_trades"]) == (0, 1)
    assert result.summary["benchmark_return"] == pytest.approx(103.0 / 99.5 - 1.0)


MODES: list[dict[str, Any]] = [
    {"runonce": False},
    {"preload": False, "runonce": False},
    {"exactbars": -1},
    {"exactbars": -2},
    {"exactbars": 1},
]


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_every_mode_of_cerebro_gives_the_same_record(tmp_path: Path, mode: dict[str, Any]) -> None:
    want = report(tmp_path / "a", Turn, bars())
    got = report(tmp_path / "b", Turn, bars(), mode=mode)
    pd.testing.assert_frame_equal(got.equity, want.equity)
    pd.testing.assert_frame_equal(got.trades, want.trades)
    assert got.folder.name.split("-")[-1] == want.folder.name.split("-")[-1]
    assert {**got.summary, "made_at": ""} == {**want.summary, "made_at": ""}


def test_intraday_bars_are_grouped_by_their_dates(tmp_path: Path) -> None:
    frame = pd.concat([bars(30, "1min", f"2024-01-0{day} 09:31") for day in (2, 3)])
    result = report(tmp_path, Hold, frame, how=MINUTES)
    assert (result.summary["bars"], result.summary["sessions"]) == (60, 2)
    assert "calendar dates of the bars" in banner_of(result)


def test_the_zone_of_a_feed_is_kept(tmp_path: Path) -> None:
    frame = bars(30, "1min", "2024-01-02 09:31").tz_localize("America/New_York")
    result = report(tmp_path, Hold, frame, how=MINUTES | {"tz": "America/New_York"})
    assert result.summary["first"] == "2024-01-02 09:31:00"


def test_two_nameless_datas_are_two_instruments(tmp_path: Path) -> None:
    result = report(tmp_path, Turn, bars(), bars(base=50.0))
    trades = result.trades.sort_values("entry_price")
    # bought at the open of bar 2, sold at that of bar 4: two dollars each
    assert trades["entry_price"].tolist() == [50.5, 100.5]
    assert trades["net"].tolist() == [2.0, 2.0]
    assert trades["data"].isna().tolist() == [False, True]  # "data1", ""
    assert result.summary["end_value"] == 10_004.0


def test_a_second_data_may_begin_before_the_first(tmp_path: Path) -> None:
    early, late = bars(SPAN, start="2024-01-02"), bars(SPAN, start="2024-01-04")
    assert report(tmp_path, Idle, late, early).summary["bars"] == SPAN


def test_a_run_that_was_stopped_is_reported_as_far_as_it_came(tmp_path: Path) -> None:
    result = report(tmp_path, Stopped, bars(SPAN))
    assert result.summary["bars"] == len(result.equity) == len(result.signals) == 3


@pytest.mark.parametrize("n", [1, SPAN])
def test_a_run_without_trades_is_reported(tmp_path: Path, n: int) -> None:
    result = report(tmp_path, Idle, bars(n))
    assert (result.summary["trades"], result.summary["win_rate"]) == (0, None)
    assert "did not trade" in (result.folder / "tearsheet.html").read_text("utf-8")


def test_the_banner_claims_nothing_that_it_cannot_know(tmp_path: Path) -> None:
    result = report(tmp_path, Hold, bars(), commission={"commission": 0.5, "stocklike": True})
    banner = banner_of(result)
    for unknown in (
        "next bar&#39;s open",
        "published",
        "bullish",
        "slippage 0 bp",
        "no commission",
    ):
        assert unknown not in banner
    # half of the value of 10 shares at 101.5
    assert "set by its broker; 507.50 commission and 0.00 slippage paid" in banner
    assert "set in the user&#39;s own Cerebro" in banner


def test_what_the_user_states_is_shown_escaped(tmp_path: Path) -> None:
    class Flow(bt.Strategy):  # type: ignore[misc]
        def __init__(self) -> None:
            hb.HerrickPayoffIndex(self.data, alert_length=2, color_norm_length=2)

    unstated = banner_of(report(tmp_path / "a", Flow, bars()))
    assert "not stated" in unstated
    said = {"dealer_sign": "a", "open_interest": "<b>", "fills": "f", "costs": "none at all"}
    stated = banner_of(report(tmp_path / "b", Flow, bars(), **said))
    assert "&lt;b&gt;" in stated
    assert "none at all" in stated
    assert "not stated" not in stated


def test_its_config_says_what_it_is_and_another_cost_gives_another_hash(tmp_path: Path) -> None:
    free = report(tmp_path, Hold, bars(), name="mine")
    dear = report(tmp_path, Hold, bars(), name="mine", commission={"commission": 0.01})
    text = (free.folder / "config.yaml").read_text("utf-8")
    assert text.startswith("# Written by hpi_bt.Report")
    known = yaml.safe_load(text)
    assert known["strategy"] == {"class": "Hold", "params": {"size": 10}}
    assert known["broker"]["cash"] == 10_000.0
    assert known["broker"]["commission"]["commission"] == 0.0
    assert free.folder.name.split("-")[2] != dear.folder.name.split("-")[2]


def test_no_benchmark_where_none_is_wanted(tmp_path: Path) -> None:
    assert report(tmp_path, Hold, bars(), benchmark=False).summary["benchmark_return"] is None


def test_a_folder_that_cannot_be_written_is_refused_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written there .*another folder as folder"):
        report(tmp_path / "file", Hold, bars())


def test_too_short_a_history_and_a_blank_price_are_refused_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    class Slow(bt.Strategy):  # type: ignore[misc]
        def __init__(self) -> None:
            bt.ind.SMA(period=SPAN + 1)

    with pytest.raises(InputError, match=f"data: {SPAN} bars, but Slow needs {SPAN + 1}"):
        report(tmp_path, Slow, bars())
    blank = bars(6)
    blank.iloc[4, 3] = np.nan
    with pytest.raises(InputError, match="equity: bar 4 is nan"):
        report(tmp_path, Hold, blank)
    assert listing(tmp_path) == []


def test_a_user_may_replace_next_of_the_report(tmp_path: Path) -> None:
    seen: list[int] = []

    class Counted(hb.Report):
        def next(self) -> None:
            seen.append(len(self.strategy.data))
            super().next()

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(bt.feeds.PandasData(dataname=bars()))
    cerebro.addstrategy(Idle)
    cerebro.addanalyzer(Counted, folder=str(tmp_path), _name="mine")
    (finished,) = cerebro.run()
    assert seen[-1] == SPAN
    assert finished.analyzers.mine.result.summary["bars"] == SPAN
    assert finished.analyzers.mine.get_analysis()["rejected"] == 0


def test_its_style_goes_to_the_page_and_the_alerts_and_is_checked_before_the_run(
    tmp_path: Path,
) -> None:
    class Flow(bt.Strategy):  # type: ignore[misc]
        def __init__(self) -> None:
            hb.HerrickRSI(self.data, rsi_length=2, signal_length=2, hpi_smoothing=1, pivot=1)

    rng = np.random.default_rng(1)
    middle = 100.0 + rng.normal(0.0, 2.0, 40)
    frame = bars(40).assign(open=middle, high=middle + 1.0, low=middle - 1.0, close=middle)
    frame["openinterest"] = rng.integers(50, 99, 40).astype(float)
    style = {"HerrickRSI.cross": {"up": "rsi turns up", "up_color": "#123456"}}
    result = report(tmp_path / "a", Flow, frame, style=style)
    assert "rsi turns up" in set(result.alerts["alert"])
    page = (result.folder / "chart.html").read_text("utf-8")
    assert "rsi turns up" in page
    assert "#123456" in page
    with pytest.raises(InputError, match="'redish' is no colour"):
        report(tmp_path / "b", Flow, frame, style={"HerrickRSI.cross": {"color": "redish"}})
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("kind", [bt.Cerebro, hb.HedgeCerebro])
def test_strategies_that_share_an_account_say_so_on_both_sheets(tmp_path: Path, kind: Any) -> None:
    cerebro = kind()
    cerebro.adddata(hb.HedgeData(bars()))
    for strategy in (Hold, Turn):
        cerebro.addstrategy(strategy)
    cerebro.addanalyzer(hb.Report, folder=str(tmp_path))
    results = [done.analyzers.report.result for done in cerebro.run()]
    for result in results:
        (said,) = (d for d in result.summary["diagnostics"] if d["code"] == "shared-account")
        assert said["severity"] == "warning"
        assert said["text"].startswith("the account is shared by 2 strategies (Hold, Turn): equity")
        for page in ("tearsheet.html", "chart.html"):
            assert "the account is shared by 2 strategies" in (result.folder / page).read_text()
    assert results[0].summary["end_value"] == results[1].summary["end_value"]


def test_a_strategy_alone_has_its_account_alone(tmp_path: Path) -> None:
    assert "shared" not in str(report(tmp_path, Hold, bars()).summary["remarks"])


def test_a_market_without_open_interest_has_no_rsi_and_says_so_once(tmp_path: Path) -> None:
    class Strength(bt.Strategy):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.strength, self.index = hb.HerrickRSI(self.data), hb.HerrickPayoffIndex(self.data)

    result = report(tmp_path, Strength, bars(60))
    lines = result.signals[[f"HerrickRSI.{name}" for name in ("rsi", "signal")]]
    assert lines.isna().all(axis=None)
    assert not result.signals["HerrickRSI.zone"].any()
    said = [d["text"] for d in result.summary["diagnostics"] if d["code"] == "never-known"]
    assert said == ["open interest is never positive: payoff, rsi and signal are never known"]
    known = report(tmp_path, Strength, bars(60).assign(openinterest=np.arange(60) + 500.0))
    assert known.signals["HerrickRSI.rsi"].notna().sum() == 60 - 16
    assert "never-known" not in str(known.summary["diagnostics"])
