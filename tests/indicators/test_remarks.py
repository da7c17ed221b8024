"""What a run says about its indicators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr

from hpi_bt.errors import Severity
from hpi_bt.indicators.remarks import (
    correlation,
    hedge_pressure_remarks,
    herrick_remarks,
    longest_constant,
)

N = 40
NAN = np.full(N, np.nan)
OPTIONS = {"extreme": 1.5, "scale": "contracts", "zscore_lookback": 10}


def lines(**changed: Any) -> dict[str, Any]:
    hpi = np.random.default_rng(1).normal(size=N)
    plain = {"oi": np.full(N, 500.0), "flow": np.full(N, 20.0), "hpi": hpi}
    return plain | {"cross": np.zeros(N), "extreme": np.zeros(N)} | changed


def frame(**columns: Any) -> pd.DataFrame:
    known = {
        "put_oi": 1.0,
        "call_oi": 1.0,
        "net_oi": 1.0,
        "minutes_open": np.tile(np.arange(10.0), 4),
    }
    return pd.DataFrame(known | columns, index=range(N))


def marks(*at: tuple[int, float]) -> Any:
    made = np.zeros(N)
    for bar, value in at:
        made[bar] = value
    return made


def test_crosses_are_counted_and_each_stay_beyond_the_extreme_once() -> None:
    cross = marks((3, 1.0), (9, -1.0), (20, 1.0))
    # two bids, the first of three bars; one bid turns into an offer at once
    extreme = marks((5, 1.0), (6, 1.0), (7, 1.0), (12, 1.0), (13, -1.0))
    found = hedge_pressure_remarks(frame(), lines(cross=cross, extreme=extreme), OPTIONS)
    assert found == [
        "crosses: 2 up, 1 down; extremes (|hpi| >= 1.5): 2 bids, 1 offers",
    ]


BOTH = {"cross": marks((1, 1.0)), "extreme": marks((1, 1.0))}


@pytest.mark.parametrize(
    ("changed", "options", "told"),
    [
        ({}, {}, "no cross: the flow (mean size 20) never reached the baseline (500)"),
        ({"oi": NAN}, {}, "no cross: the open-interest baseline is never known"),
        ({"oi": NAN}, {"scale": "ratio"}, "(scale: ratio needs put_oi and call_oi)"),
        ({"oi": NAN}, {"scale": "standard"}, "(scale: standard needs 5 earlier sessions)"),
        ({"flow": NAN}, {}, "no cross: the flow is never known"),
        ({"cross": BOTH["cross"], "hpi": NAN}, {}, "no extreme: fewer than 10 spreads exist"),
        ({"cross": BOTH["cross"], "hpi": marks((4, -1.25))}, {}, "no extreme: |hpi| reached 1.25"),
    ],
)
def test_why_there_was_none_is_told(
    changed: dict[str, Any], options: dict[str, Any], told: str
) -> None:
    found = hedge_pressure_remarks(frame(), lines(**changed), OPTIONS | options)
    assert told in found[1]


def test_an_index_that_follows_the_clock_is_warned_of() -> None:
    market = frame()
    found = hedge_pressure_remarks(
        market, lines(**BOTH, hpi=-market["minutes_open"].to_numpy()), OPTIONS
    )
    assert found[1:] == [
        "warning: hpi follows the clock (correlation -1.00 with minutes_open); "
        "scale: standard removes that"
    ]
    assert len(hedge_pressure_remarks(market, lines(**BOTH), OPTIONS)) == 1


def test_the_standard_scale_is_not_advised_to_who_uses_it() -> None:
    market = frame()
    told = hedge_pressure_remarks(
        market,
        lines(**BOTH, hpi=market["minutes_open"].to_numpy()),
        OPTIONS | {"scale": "standard"},
    )[1]
    assert told.endswith("scale: standard is used, so sessions are few or of unequal length")


@pytest.mark.parametrize("side", ["put_oi", "call_oi"])
def test_net_open_interest_alone_is_mentioned(side: str) -> None:
    market = frame().drop(columns=side)
    (said,) = hedge_pressure_remarks(market, lines(**BOTH), OPTIONS)[1:]
    assert said == "only net_oi is known: lam weighs the volumes alone"
    assert (said.severity, said.code) == (Severity.ASSUMPTION, "net-open-interest")


def test_bars_on_which_it_stands_in_for_a_side_are_counted() -> None:
    market = frame()
    market.loc[3:7, "call_oi"] = np.nan
    (said,) = hedge_pressure_remarks(market, lines(**BOTH), OPTIONS)[1:]
    assert said == (
        "net_oi is the baseline on 5 of 40 bars, where put_oi or call_oi is unknown: lam weighs "
        "the volumes alone there"
    )
    gamma = market.rename(columns={n: f"{n}_x" for n in ("put_oi", "call_oi", "net_oi")})
    sides = ("put_oi_x", "call_oi_x", "net_oi_x")
    assert (
        "net_oi_x is the baseline"
        in hedge_pressure_remarks(gamma, lines(**BOTH), OPTIONS, sides)[1]
    )
    assert len(hedge_pressure_remarks(market, lines(**BOTH), OPTIONS, ())) == 1  # made up


def test_both_are_explained_where_there_was_neither_cross_nor_extreme() -> None:
    said = hedge_pressure_remarks(frame(), lines(hpi=marks((4, -1.25))), OPTIONS)[1:]
    assert [note.code for note in said] == ["no-cross", "no-extreme"]
    assert "scale: standard makes the two comparable" in said[0]
    same = hedge_pressure_remarks(
        frame(), lines(hpi=marks((4, -1.25))), OPTIONS | {"scale": "standard"}
    )
    assert "makes the two comparable" not in same[1]


def test_without_minutes_from_the_calendar_the_session_itself_is_the_clock() -> None:
    stamps = pd.DatetimeIndex(
        [d + pd.Timedelta(minutes=600 + 5 * i) for d in pd.bdate_range("2024-01-02", periods=4)
         for i in range(10)]
    )  # fmt: skip
    market = frame().drop(columns="minutes_open").set_index(stamps)
    market = market.assign(session=np.repeat(np.arange(4.0), 10))
    found = hedge_pressure_remarks(market, lines(**BOTH, hpi=np.tile(-np.arange(10.0), 4)), OPTIONS)
    assert found[1].code == "hpi-follows-clock"
    assert "-1.00" in found[1]


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=3, max_size=30))
def test_correlation_is_pearsons(pairs: list[tuple[int, int]]) -> None:
    x, y = np.array(pairs, dtype=np.float64).T
    if np.ptp(x) == 0.0 or np.ptp(y) == 0.0:
        assert np.isnan(correlation(x, y))
        return
    assert correlation(x, y) == pytest.approx(pearsonr(x, y).statistic, abs=1e-12)
    gaps = np.append(x, np.nan), np.append(y, 1.0)
    assert correlation(*gaps) == pytest.approx(correlation(x, y))


def test_correlation_of_too_few_bars_is_unknown() -> None:
    assert np.isnan(correlation(np.array([1.0, 2.0, np.nan]), np.array([1.0, 2.0, 3.0])))


@given(st.lists(st.sampled_from([1.0, 2.0, np.nan]), max_size=30))
def test_the_longest_constant_run_is_the_one_found_by_walking(values: list[float]) -> None:
    longest = length = 0
    for i, value in enumerate(values):
        length = length + 1 if i and value == values[i - 1] else 1
        longest = max(longest, length)
    assert longest_constant(np.array(values)) == longest


def futures(oi: Any) -> pd.DataFrame:
    n = len(oi)
    mean = 100.0 + np.arange(n) % 5
    columns = {"high": mean + 1, "low": mean - 1, "volume": np.full(n, 10.0), "openinterest": oi}
    return pd.DataFrame(columns)


def test_open_interest_that_stands_still_is_warned_of() -> None:
    moving = 1000.0 + np.arange(30.0)
    assert herrick_remarks(futures(moving), {}) == []
    still = np.concatenate([moving, np.full(20, 7.0)])
    assert herrick_remarks(futures(still), {})[0].startswith(
        "warning: open interest is constant for 20 bars; "
    )


def steady_futures(n: int = 200, **columns: Any) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    close = 100.0 + np.cumsum(rng.normal(size=n))
    moved = np.cumsum(rng.normal(0.0, 500.0, n))
    known = {"high": close + 1, "low": close - 1, "volume": 1e4, "openinterest": 3e5 + moved}
    index = pd.date_range("2024-01-01", periods=n, tz="UTC")
    return pd.DataFrame(known | columns, index=index)


def test_a_bar_that_carries_much_of_the_sum_is_warned_of() -> None:
    market = steady_futures()
    assert herrick_remarks(market, {}) == []
    market.iloc[:120, market.columns.get_loc("openinterest")] *= 75.0
    (note,) = herrick_remarks(market, {})
    assert (note.code, note.severity) == ("herrick-one-bar", Severity.WARNING)
    assert f"one bar, of {market.index[120]:%Y-%m-%d}, carries " in note
    share = float(note.split("carries ")[1].split("%")[0])
    assert share > 25.0
    assert "times the median bar" in note
    blanked = herrick_remarks(market, {"max_oi_change": 0.5})
    assert not any("carries" in remark for remark in blanked)


def test_a_few_bars_or_a_lively_one_are_not_warned_of() -> None:
    short = steady_futures(40)
    short.iloc[:20, short.columns.get_loc("openinterest")] *= 75.0
    assert herrick_remarks(short, {}) == []
    lively = steady_futures()
    lively.iloc[100, lively.columns.get_loc("volume")] *= 8.0
    assert herrick_remarks(lively, {}) == []


def test_the_share_that_max_oi_change_blanked_is_told() -> None:
    oi = np.array([1000.0, 1010.0, 3000.0, 3010.0, 3020.0])
    market = futures(oi)
    # raw = 100 * volume * step * (1 + sign * 2 |change of oi| / smaller oi); bar 2 is the roll:
    # 1000 * (1 + 2 * 10/1000), 1000 * (1 + 2 * 1990/1010), 1000 * (1 + 2 * 10/3000), ...
    raw = [1.0 + 2 * 10 / 1000, 1.0 + 2 * 1990 / 1010, 1.0 + 2 * 10 / 3000, 1.0 + 2 * 10 / 3010]
    share = raw[1] / sum(raw)
    assert herrick_remarks(market, {"max_oi_change": 0.5}) == [
        f"max_oi_change 0.5 blanked 1 bars with {share:.1%} of the sum of |raw| (contract rolls)",
        "warning: prices are stitched from contracts: profits, and buy and hold, include the gaps "
        "of the contract rolls",
    ]
    still = futures(1000.0 + np.arange(5.0))
    assert herrick_remarks(still, {"max_oi_change": 0.5}) == [
        "max_oi_change 0.5 blanked 0 bars with 0.0% of the sum of |raw| (contract rolls)"
    ]


def test_the_share_is_that_of_the_delayed_open_interest_where_it_is_delayed() -> None:
    market = futures(np.array([1000.0, 1010.0, 3000.0, 3010.0, 3020.0]))
    # one bar late the roll falls on bar 3, the payoffs before it on bar 2 alone
    raw = [1.0 + 2 * 10 / 1000, 1.0 + 2 * 1990 / 1010, 1.0 + 2 * 10 / 3000]
    said = herrick_remarks(market, {"max_oi_change": 0.5, "oi_lag": 1})[0]
    assert f"{raw[1] / sum(raw):.1%}" in said
    assert said.severity is Severity.ASSUMPTION


def test_no_positive_open_interest_is_said_once_and_nothing_else() -> None:
    for oi in (NAN, np.zeros(N), np.full(N, -1.0)):
        (said,) = herrick_remarks(futures(oi), {"max_oi_change": 0.5})
        assert said.code == "never-known"
        assert said.startswith("warning: open interest is never positive: payoff, rsi and signal")


def test_bars_of_less_than_a_day_are_mentioned() -> None:
    market = futures(1000.0 + np.arange(30.0))
    market.attrs["bar_minutes"] = 5.0
    assert [note.code for note in herrick_remarks(market, {})] == ["intraday-herrick"]
    market.attrs["bar_minutes"] = 1440.0
    assert herrick_remarks(market, {}) == []
