import base64
import gzip
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.report.packing import decimals_of, pack, tick_decimals

floats = st.lists(
    st.one_of(st.floats(-1e12, 1e12), st.just(float("nan")), st.just(float("inf"))),
    min_size=1,
    max_size=40,
)


def planes(text, n):
    """The bytes of each value, lowest first, straight from the file format."""
    content = gzip.decompress(base64.b64decode(text))
    return np.frombuffer(content, np.uint8).reshape(-1, 6, n).transpose(0, 2, 1)


def unpacked(text, n, decimals):
    """A slow reader, written from the docstring of `pack`."""
    columns = []
    for column, dec in zip(planes(text, n), decimals, strict=True):
        whole, values = 0, []
        for six in column.tolist():
            code = sum(byte * 256**place for place, byte in enumerate(six))
            if code:
                whole += (code - 1) // 2 if code % 2 else -code // 2
            values.append(whole / 10**dec if code else float("nan"))
        columns.append(values)
    return columns


def test_worked_example():
    # 1.5 is 15 tenths: zigzag 30, +1 is 31; then -1 tenth: zigzag 1, +1 is 2; unknown: 0
    text = pack([(np.array([1.5, 1.4, np.nan, 41.4]), 1)])
    # from 14 to 414 tenths is 400: zigzag 800, +1 is 801 = 3 x 256 + 33
    first, second = planes(text, 4)[0][:, :2].T.tolist()
    assert (first, second) == ([31, 2, 0, 33], [0, 0, 0, 3])


@given(floats)
def test_what_is_packed_comes_back_to_the_last_digit_kept(values):
    column = np.array(values, dtype=float)
    decimals = decimals_of(column)
    back = np.array(unpacked(pack([(column, decimals)]), column.size, [decimals])[0])
    known = np.isfinite(column)
    assert_array_equal(np.isfinite(back), known)
    assert_allclose(back[known], column[known], rtol=1e-13, atol=0.5 * 10.0**-decimals)


def test_a_quote_has_the_decimals_of_nearly_all_prices():
    cents = np.round(562.0 + np.arange(100) / 100, 2)
    assert tick_decimals(cents) == 2
    assert tick_decimals(np.r_[cents, 562.281234, 562.285, np.nan]) == 2  # a few midpoints
    assert tick_decimals(np.r_[cents, cents[:30] + 0.0025]) == 4  # three in thirteen are no few
    assert tick_decimals(np.arange(5000, 5010, 0.25)) == 2
    assert tick_decimals(np.array([38_500.0, 38_505.0])) == 0
    assert tick_decimals(np.array([1.08512, 1.08513])) == 5
    assert tick_decimals(np.array([0.00001234, 0.00001235])) == 8


def test_adjusted_prices_get_five_digits_and_two_decimals_at_the_least():
    for size, wanted in ((23_000.0, 2), (187.0, 2), (9.1, 4), (0.012, 6)):
        assert tick_decimals(size * (1.0 + np.sqrt(np.arange(1.0, 50.0)) / 77)) == wanted
    assert tick_decimals(np.full(3, np.nan)) == 2


@given(st.integers(0, 6), st.lists(st.integers(10**5, 10**6), min_size=1, max_size=30))
def test_a_quote_shows_every_price_of_one_tick_size(decimals, ticks):
    prices = [Decimal(tick).scaleb(-decimals) for tick in ticks]
    found = tick_decimals(np.array([float(p) for p in prices]))
    exact = sum(p == round(p, found) for p in prices)
    assert found <= decimals
    assert exact >= 0.9 * len(prices)


def test_no_values_pack_to_nothing():
    assert gzip.decompress(base64.b64decode(pack([(np.empty(0), 0)]))) == b""


def test_columns_follow_one_another():
    columns = [(np.array([1.0, 2.0]), 0), (np.array([-0.25, 1e11]), 2)]
    assert unpacked(pack(columns), 2, [0, 2]) == [[1.0, 2.0], [-0.25, 1e11]]


@pytest.mark.parametrize(
    ("values", "decimals"),
    [
        ([101.25, 99.5], 2),  # prices: exact
        ([1.0, 3.0], 0),
        ([1e12, 5.0], 0),  # volumes
        ([0.1 + 0.2, 1 / 3], 6),  # six digits of a median of 0.3
        ([12345.678912345, 1.0 / 7.0 * 1e5], 1),
        ([3.3e17, 1.1e17], -4),
        ([0.0, np.nan], 0),
        ([], 0),
    ],
)
def test_decimals_follow_the_magnitude(values, decimals):
    assert decimals_of(np.array(values)) == decimals


def test_a_spike_leaves_room_for_itself():
    column = np.array([1e-5] * 9 + [1e12])
    decimals = decimals_of(column)
    assert unpacked(pack([(column, decimals)]), 10, [decimals])[0][-1] == 1e12


def test_more_digits_than_fit_are_refused():
    with pytest.raises(OverflowError, match="keep fewer decimals"):
        pack([(np.array([1e12]), 6)])


def test_high_planes_cost_almost_nothing():
    steps = np.random.default_rng(0).normal(0, 3, 100_000).round().cumsum()
    text = pack([(steps, 0)])
    print(f"100,000 values in {len(text) / 1e3:.0f} KB")
    assert len(text) < 150_000
