"""The figures of a run, by hand and against pandas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpi_bt.stats.summary import Figure, buy_and_hold, figures, summarise
from small_runs import demo_run

NAN = math.nan


def market(close: list[float], first_open: float = 100.0, per_session: int = 2) -> pd.DataFrame:
    n = len(close)
    start = pd.Timestamp("2024-01-02 10:00", tz="America/New_York")
    index = pd.DatetimeIndex(
        [start + pd.Timedelta(days=i // per_session, hours=i % per_session) for i in range(n)]
    )
    session = np.array([stamp.toordinal() for stamp in index], dtype=np.float64)
    opened = [first_open, *close[:-1]]
    return pd.DataFrame({"open": opened, "close": close, "session": session}, index=index)


def by_hand(**changed: Any) -> dict[str, Any]:
    """Three sessions of two bars; one trade won 10, one lost 5, one is open."""
    frame = market([100.0, 110.0, 110.0, 99.0, 99.0, 121.0])
    trades = pd.DataFrame(
        {"net": [10.0, -5.0, 3.0], "bars": [1, 3, 1], "status": ["closed", "closed", "open"]}
    )
    fills = pd.DataFrame({"commission": [1.0, 0.5], "slippage": [0.25, -0.125]})
    given_: dict[str, Any] = {
        "equity": np.array([1000.0, 1010.0, 1010.0, 909.0, 909.0, 1000.0]),
        "position": np.array([0.0, 1.0, 1.0, -2.0, 0.0, 1.0]),
        "benchmark": buy_and_hold(frame),
    } | changed
    return summarise(frame, trades=trades, fills=fills, cash=1000.0, **given_)


def test_a_run_by_hand() -> None:
    s = by_hand()
    assert (s["bars"], s["sessions"], s["start_value"], s["end_value"]) == (6, 3, 1000.0, 1000.0)
    assert s["total_return"] == pytest.approx(0.0, abs=1e-15)
    # sessions: +1 %, -10 %, 909 -> 1000; the deepest fall is from 1010 to 909
    assert s["max_drawdown"] == pytest.approx(909.0 / 1010.0 - 1.0)
    assert s["max_drawdown_by_bar"] == s["max_drawdown"]
    r = [0.01, -0.1, 1000.0 / 909.0 - 1.0]
    mean = sum(r) / 3
    deviation = math.sqrt(sum((x - mean) ** 2 for x in r) / 2)
    assert s["sharpe"] == pytest.approx(mean / deviation * math.sqrt(252))
    assert (s["trades"], s["open_trades"], s["win_rate"]) == (2, 1, 0.5)
    assert (s["profit_factor"], s["average_trade"]) == (2.0, 2.5)
    assert (s["best_trade"], s["worst_trade"], s["average_bars"]) == (10.0, -5.0, 2.0)
    assert s["exposure"] == 4 / 6
    held = [0.0, 110 / 1010, 110 / 1010, -198 / 909, 0.0, 121 / 1000]
    assert s["net_exposure"] == pytest.approx(sum(held) / 6)
    assert s["average_exposure"] == pytest.approx(sum(map(abs, held)) / 6)
    twice = by_hand(multiplier=2.0)
    assert twice["average_exposure"] == pytest.approx(2 * s["average_exposure"])
    assert (s["commission"], s["slippage"], s["costs"]) == (1.5, 0.125, 1.625)
    # held from the open at 100 to the close at 121
    assert s["benchmark_return"] == pytest.approx(0.21)
    assert math.isnan(s["benchmark_cagr"])  # of three sessions
    assert s["benchmark_max_drawdown"] == pytest.approx(-0.1)
    assert s["first"] == "2024-01-02 10:00:00-05:00"


def test_without_a_benchmark_its_figures_are_unknown() -> None:
    for none in (None, pd.Series(np.empty(0))):
        s = by_hand(benchmark=none)
        assert all(math.isnan(v) for k, v in s.items() if k.startswith("benchmark"))


def test_a_price_that_is_not_positive_has_no_returns() -> None:
    assert buy_and_hold(market([10.0, -37.0])).empty
    assert buy_and_hold(market([10.0, 11.0], first_open=0.0)).empty


@given(st.lists(st.floats(1.0, 1e6), min_size=1, max_size=12), st.integers(1, 4))
def test_buying_and_holding_earns_what_the_price_did(close: list[float], bars: int) -> None:
    returns = buy_and_hold(market(close, per_session=bars))
    assert np.prod(1.0 + returns) == pytest.approx(close[-1] / 100.0)
    assert len(returns) == math.ceil(len(close) / bars)


def test_the_demo_run_has_the_figures_that_pandas_finds_in_its_equity() -> None:
    result = demo_run()
    s, equity = result.summary, result.equity["equity"]
    daily = equity.groupby(equity.index.date).last()
    returns = pd.concat([pd.Series([s["start_value"]]), daily]).pct_change().dropna()
    curve = (1.0 + returns).cumprod()
    growth = pd.concat([pd.Series([1.0]), curve])
    want = {
        "sessions": len(daily),
        "total_return": equity.iloc[-1] / s["start_value"] - 1.0,
        "volatility": returns.std() * 252**0.5,
        "sharpe": returns.mean() / returns.std() * 252**0.5,
        "sortino": returns.mean() * 252**0.5 / (returns.clip(upper=0) ** 2).mean() ** 0.5,
        "max_drawdown": (growth / growth.cummax() - 1.0).min(),
        "exposure": (result.equity["position"] != 0).mean(),
        "average_exposure": result.equity["exposure"].abs().mean(),
        "net_exposure": result.equity["exposure"].mean(),
        "win_rate": (result.trades["net"] > 0).mean(),
        "average_trade": result.trades["net"].mean(),
    }
    assert {k: s[k] for k in want} == pytest.approx(want, rel=1e-9)
    price = result.signals
    assert s["benchmark_return"] == pytest.approx(
        price["close"].iloc[-1] / price["open"].iloc[0] - 1.0
    )


def test_quantstats_agrees_on_the_demo_run() -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import quantstats as qs

        s, equity = demo_run().summary, demo_run().equity["equity"]
        daily = equity.groupby(pd.DatetimeIndex(equity.index).tz_localize(None).normalize()).last()
        returns = (daily / daily.shift(fill_value=s["start_value"]) - 1.0).rename("run")
        found = {
            "total_return": float(qs.stats.comp(returns)),
            "sharpe": float(qs.stats.sharpe(returns)),
            "sortino": float(qs.stats.sortino(returns)),
            "volatility": float(qs.stats.volatility(returns)),
            "max_drawdown": float(qs.stats.max_drawdown(returns)),
        }
    assert {k: s[k] for k in found} == pytest.approx(found, rel=1e-9)


def plain(**changed: Any) -> dict[str, Any]:
    return by_hand() | {"rejected": 0} | changed


def test_the_drawdown_by_bar_sees_what_happens_between_the_closes_of_sessions() -> None:
    # 1000, 1500 and back to 1020 within the first session, 918 within the second
    s = by_hand(equity=np.array([1500.0, 1020.0, 918.0, 1020.0, 1020.0, 1020.0]))
    assert s["max_drawdown"] == 0.0
    assert s["max_drawdown_by_bar"] == pytest.approx(918 / 1500 - 1.0)
    assert s["benchmark_max_drawdown_by_bar"] == pytest.approx(-0.1)
    shown = {f.label: f for f in figures(s | {"rejected": 0})}
    assert shown["Max drawdown by session"].value == "0.00%"
    assert shown["Max drawdown by bar"][1:3] == ("\N{MINUS SIGN}38.80%", "\N{MINUS SIGN}10.00%")
    ruined = by_hand(equity=np.array([1500.0, -20.0, 5.0, 5.0, 5.0, 5.0]))
    assert ruined["max_drawdown_by_bar"] == -1.0


def test_a_growth_above_a_thousand_percent_a_year_is_no_rate() -> None:
    shown = figures(plain(sessions=30, cagr=NAN, benchmark_return=NAN))[1]
    assert shown == Figure("CAGR", "n/a", "", "above 1,000% a year: too short a stretch for a rate")


def test_figures_are_the_ten_that_a_run_on_daily_bars_prints() -> None:
    shown = figures(plain(rejected=2, capped=1200, late_flat=0, vetoed=3, sessions=21, bars=21))
    assert [f.label for f in shown] == [
        "Return", "CAGR", "Sharpe (daily)", "Max drawdown", "Trades", "Win rate",
        "Time in market", "Average exposure", "Costs paid", "Rejected orders",
    ]  # fmt: skip
    assert shown[3] == Figure("Max drawdown", "\N{MINUS SIGN}10.00%", "\N{MINUS SIGN}10.00%", "")
    assert shown[4] == Figure("Trades", "2", "", "1 more still open")
    assert shown[5] == Figure("Win rate", "50.00%", "", "2.50 a trade, held 2.0 bars")
    assert shown[8] == Figure("Costs paid", "1.62", "", "commission 1.50, slippage 0.12")
    assert shown[9] == Figure("Rejected orders", "2", "", "1,200 capped, 3 vetoed")


def test_undefined_figures_say_so_and_an_absent_benchmark_is_blank() -> None:
    shown = figures(
        plain(sessions=21, bars=21, sharpe=None, win_rate=NAN, trades=0, benchmark_return=NAN)
    )
    assert shown[2] == Figure("Sharpe (daily)", "n/a")
    assert shown[5] == Figure("Win rate", "n/a")
    assert not any(f.benchmark for f in shown)


@pytest.mark.parametrize(
    ("year", "step"), [(252, "daily"), (365.2, "daily"), (52.3, "weekly"), (12.1, "monthly")]
)
def test_a_sharpe_ratio_says_what_it_is_made_of(year: int, step: str) -> None:
    assert figures(plain(sessions=30, sessions_per_year=year))[2].label == f"Sharpe ({step})"


def test_a_year_is_not_made_of_a_few_sessions() -> None:
    few = figures(plain(sessions=3))
    assert [few[k].value for k in (1, 2)] == ["n/a", "n/a"]
    assert few[1] == Figure("CAGR", "n/a", "", "3 sessions are too few to speak of a year")
    assert figures(plain(sessions=1))[1].note == "1 session is too few to speak of a year"
    assert few[2] == Figure("Sharpe (daily)", "n/a")  # once is enough
    assert few[0].benchmark == "21.00%"


def test_average_exposure_says_what_it_is_and_what_shorts_take_off() -> None:
    about = "position value over equity, mean of all bars"
    given_ = {"average_exposure": 0.826, "net_exposure": 0.826}
    assert figures(plain(**given_))[8] == Figure("Average exposure", "82.60%", "", about)
    short = figures(plain(**given_ | {"net_exposure": -0.01}))[8]
    assert short.note == f"{about}; long less short \N{MINUS SIGN}1.00%"
    old = {k: v for k, v in plain().items() if k not in given_}  # a run of an earlier version
    assert figures(old)[8] == Figure("Average exposure", "n/a")


def test_a_year_is_one_of_the_calendar_whatever_sessions_are_missing() -> None:
    # 100 sessions of January to May 2020 and 100 of the same months of 2023
    days = [d for y in (2020, 2023) for d in pd.bdate_range(f"{y}-01-01", periods=100)]
    rng = np.random.default_rng(3)
    close = 100.0 * np.cumprod(1.0 + rng.normal(0.002, 0.01, 200))
    index = pd.DatetimeIndex(days).tz_localize("America/New_York")
    frame = pd.DataFrame(
        {"open": close, "close": close, "session": [float(d.toordinal()) for d in days]}, index
    )
    trades = pd.DataFrame({"net": [], "bars": [], "status": []})
    fills = pd.DataFrame({"commission": [], "slippage": []})
    equity = 1000.0 * close / close[0]
    s = summarise(frame, equity, np.ones(200), trades, fills, 1000.0, buy_and_hold(frame))
    years = (days[-1] - days[0]).days / 365.2425
    r = np.r_[0.0, close[1:] / close[:-1] - 1.0]
    assert s["sessions_per_year"] == pytest.approx(200 / years)
    for side in ("", "benchmark_"):
        growth = close[-1] / close[0]
        assert s[f"{side}cagr"] == pytest.approx(growth ** (1.0 / years) - 1.0)
        sharpe = r.mean() / r.std(ddof=1) * math.sqrt(200 / years)
        assert s[f"{side}sharpe"] == pytest.approx(sharpe)
