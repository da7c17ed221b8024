from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from hpi_bt.gauge import COMPONENTS, components

DAYS = pd.bdate_range("2024-01-01", periods=3)


def series(*values, index=DAYS):
    return pd.Series(values, index=index, dtype=np.float64)


def test_worked_example():
    got = components(
        vix=series(20, 30, 12),
        vix3m=series(20, 20, 0),
        put_call=series(0.9, 1.0, 1.1),
        y10=series(4.0, 4.0, 4.0),
        y2=series(3.5, 4.5, np.nan),
        sofr=series(5.3, 5.3, 5.3),
        bill3m=series(5.0, 5.4, 5.3),
        spy=series(100, 110, 99),
        oas=series(3, 4, 5),
    )
    assert list(got) == list(COMPONENTS)
    assert_allclose(got["term_structure"], [1.0, 1.5, np.nan])
    assert_allclose(got["curve"], [-0.5, 0.5, np.nan])
    assert_allclose(got["funding"], [0.3, -0.1, 0.0], atol=1e-12)
    assert_allclose(got["drawdown"], [0.0, 0.0, 0.1], atol=1e-12)


def test_what_cannot_be_made_is_left_out():
    got = components(vix=series(20, 30, 12), y10=series(1, 2, 3))
    assert list(got) == ["vix"]


def test_rows_are_spys_dates_and_nothing_is_carried_forward():
    other = pd.DatetimeIndex(["2024-01-01", "2024-01-06"])
    got = components(vix=series(20, 30, index=other), spy=series(1, 2, 3))
    assert got.index.equals(DAYS)
    assert_allclose(got["vix"], [20, np.nan, np.nan])


@pytest.mark.parametrize("more", ["vix", "put_call", "oas", "y2", "sofr"])
def test_more_stress_is_a_larger_component(more):
    calm = dict.fromkeys(
        ("vix", "vix3m", "put_call", "y10", "y2", "sofr", "bill3m", "oas"), series(1, 1, 1)
    )
    before, after = components(**calm), components(**{**calm, more: series(2, 2, 2)})
    assert (after >= before).all(axis=None)
    assert (after > before).any(axis=None)
