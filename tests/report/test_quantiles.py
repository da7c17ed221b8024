"""Box plots of returns by period."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hpi_bt.report.quantiles import period_returns, quantile_chart
from hpi_bt.report.quantstats_adapter import _untouched_globals


def sessions(values: list[float], first: str = "2024-01-30") -> pd.Series:
    return pd.Series(values, index=pd.bdate_range(first, periods=len(values)), dtype=float)


def test_worked_example() -> None:
    # 30 and 31 January, then 1 February: two months, one week, one quarter
    got = period_returns(sessions([0.10, 0.10, -0.50]))
    assert_allclose(got["Day"], [0.10, 0.10, -0.50])
    assert_allclose(got["Month"], [0.21, -0.50])
    for name in ("Week", "Quarter", "Year"):
        assert_allclose(got[name], [1.21 * 0.5 - 1.0])


@given(st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=300))
def test_the_periods_compound_to_the_whole(values: list[float]) -> None:
    whole = np.prod(1.0 + np.array(values))
    for some in period_returns(sessions(values)).values():
        assert np.prod(1.0 + some) == pytest.approx(whole, rel=1e-9)


def test_the_boxes_are_the_quartiles_and_the_axis_has_as_many_digits_as_it_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import matplotlib as mpl
    from matplotlib.axes import Axes

    drawn: list[list[np.ndarray]] = []
    kept = Axes.boxplot
    monkeypatch.setattr(
        Axes, "boxplot", lambda self, x, **how: drawn.append(list(x)) or kept(self, x, **how)
    )
    rng = np.random.default_rng(1)
    returns = sessions(list(0.002 * rng.normal(size=126)))
    with _untouched_globals():
        mpl.rcParams["svg.fonttype"] = "none"
        page = quantile_chart(returns)
    month = (1.0 + returns).groupby(returns.index.to_period("M")).prod() - 1.0
    assert_allclose(drawn[0][2], 100.0 * month.to_numpy())
    ticks = re.findall(r">([\u2212-]?[\d.]+)%<", page)
    assert len(ticks) == len(set(ticks)) > 3
