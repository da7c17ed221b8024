import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.stats.held import exposures, mean_known


def test_worked_example():
    # 3 contracts at 50 dollars a point, price 20: 3,000 of 6,000; short 1 of 500; nothing; ruin
    got = exposures([3, -1, 0, 2], [20, 10, 10, 10], [6000, 1000, -5, -5], 50.0)
    assert_array_equal(got, [0.5, -0.5, 0.0, math.nan])


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=9), st.floats(0.1, 1e3))
def test_the_currency_does_not_matter(position, rate):
    n = len(position)
    price, equity = np.full(n, 7.0), np.full(n, 1234.5)
    one, other = (exposures(position, r * price, r * equity) for r in (1.0, rate))
    assert_allclose(one, other, rtol=1e-9)


def test_a_price_that_is_unknown_matters_only_where_something_is_held():
    assert_array_equal(exposures([0, 1], [math.nan] * 2, [1.0, 1.0]), [0.0, math.nan])


def test_the_mean_is_that_of_what_is_known():
    assert mean_known(np.array([1.0, math.nan, 3.0])) == pytest.approx(2.0)
    assert math.isnan(mean_known(np.array([math.nan])))
