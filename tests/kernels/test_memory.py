from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from hpi_bt import shared, sharing


@pytest.fixture
def counted():
    calls = []

    @shared
    def doubled(x, *, times=2, weights=None, state=None):
        calls.append(times)
        if times < 0:
            raise ValueError("negative")
        return x * times

    return doubled, calls


def test_outside_the_block_nothing_is_shared(counted):
    doubled, calls = counted
    x = np.arange(3.0)
    assert doubled(x) is not doubled(x)
    with sharing():
        doubled(x)
    doubled(x)
    assert len(calls) == 4


def test_the_very_same_array_and_equal_options_share_one_result(counted):
    doubled, calls = counted
    x = np.arange(3.0)
    with sharing():
        first = doubled(x, times=3)
        assert doubled(x, times=3) is first
        assert doubled(x, times=4) is not first
        assert doubled(x.copy(), times=3) is not first
        assert doubled(x[:], times=3) is not first
    assert calls == [3, 4, 3, 3]


def test_each_kernel_has_its_own_results():
    @shared
    def plus(x):
        return x + 1.0

    @shared
    def minus(x):
        return x - 1.0

    x = np.zeros(2)
    with sharing():
        assert (plus(x)[0], minus(x)[0], plus(x)[0]) == (1.0, -1.0, 1.0)


def test_a_state_that_is_carried_shares_nothing(counted):
    doubled, calls = counted
    x = np.arange(3.0)
    with sharing():
        doubled(x, state={})
        doubled(x, state={})
        doubled(x, state=None)
        doubled(x, state=None)
    assert len(calls) == 3


def test_an_option_that_cannot_be_compared_is_computed_each_time(counted):
    doubled, calls = counted
    x = np.arange(3.0)
    with sharing():
        for _ in range(2):
            assert doubled(x, weights=[1.0, 2.0]).tolist() == [0.0, 2.0, 4.0]
    assert len(calls) == 2


def test_options_that_are_arrays_count_by_identity(counted):
    doubled, calls = counted
    x, w = np.arange(3.0), np.ones(3)
    with sharing():
        assert doubled(x, weights=w) is doubled(x, weights=w)
        doubled(x, weights=w.copy())
    assert len(calls) == 2


def test_a_new_array_at_an_old_address_is_not_taken_for_the_old_one(counted):
    doubled, _ = counted
    with sharing():
        for i in range(300):
            assert doubled(np.full(4, float(i)))[0] == 2.0 * i


def test_a_failure_is_not_remembered(counted):
    doubled, calls = counted
    x = np.arange(3.0)
    with sharing():
        for _ in range(2):
            with pytest.raises(ValueError, match="negative"):
                doubled(x, times=-1)
    assert len(calls) == 2


def test_the_longest_unused_go_first(counted):
    doubled, calls = counted
    x = np.zeros(1000)  # 8,000 bytes, results as large
    with sharing(30_000):
        for times in (1, 2):
            doubled(x, times=times)
        doubled(x, times=1)  # used again
        for times in (3, 4, 5):
            doubled(x, times=times)
        calls.clear()
        doubled(x, times=5)
        assert calls == []
        doubled(x, times=2)
        assert calls == [2]


def test_what_is_kept_stays_within_the_bytes_inputs_included():
    @shared
    def total(x):
        return x.sum(keepdims=True)

    made = []

    class Tracked(np.ndarray):
        pass

    with sharing(1_000_000):
        for _ in range(100):
            x = np.zeros(10_000).view(Tracked)  # 80,000 bytes, of which the result is 8
            made.append(weakref.ref(x))
            total(x)
            del x
        gc.collect()
        assert sum(ref() is not None for ref in made) <= 13


def test_everything_is_let_go_when_the_block_ends(counted):
    doubled, _ = counted

    class Tracked(np.ndarray):
        pass

    x = np.zeros(10).view(Tracked)
    gone = weakref.ref(x)
    with sharing():
        doubled(x)
    del x
    gc.collect()
    assert gone() is None


def test_blocks_nest_and_the_outer_comes_back(counted):
    doubled, calls = counted
    x = np.arange(3.0)
    with sharing():
        outer = doubled(x)
        with sharing():
            assert doubled(x) is not outer
        assert doubled(x) is outer
    assert len(calls) == 2


def test_an_error_in_the_block_ends_the_sharing(counted):
    doubled, calls = counted
    x = np.arange(3.0)
    with pytest.raises(KeyError), sharing():
        raise KeyError
    doubled(x)
    doubled(x)
    assert len(calls) == 2


def test_threads_share_and_always_get_the_right_result(counted):
    doubled, calls = counted
    inputs = [np.full(50, float(i)) for i in range(8)]
    start = Barrier(8)

    def work(seed):
        start.wait(5)
        rng = np.random.default_rng(seed)
        for _ in range(400):
            i, times = int(rng.integers(8)), int(rng.integers(1, 5))
            if doubled(inputs[i], times=times)[0] != i * times:
                return False
        return True

    with sharing(8_000), ThreadPoolExecutor(8) as pool:  # so few bytes that much is evicted
        assert all(pool.map(work, range(8)))
    calls.clear()
    with sharing(), ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
    assert len(calls) < 8 * 4 * 8  # 3,200 asked for
