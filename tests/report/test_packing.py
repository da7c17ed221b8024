import base64
import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.report.packing import decimals_of, pack

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
