"""The laws of definitions 0, for every kernel in `table.py`."""

from __future__ import annotations

import importlib
import inspect
import itertools
import pkgutil
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hpi_bt.kernels
from hpi_bt.arrays import copy_state
from kernels.market import cut, few, market, seeds
from kernels.table import CASES, HELPERS, Case, same

every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_kernel = pytest.mark.parametrize(
    "case", {case.kernel: case for case in CASES}.values(), ids=str
)
LONG = market(5, 20_600, longest=30)


def chunked(case, frame, cuts, state=None):
    """Run one series chunk by chunk over a carried state; outputs are joined at the end only."""
    state = {} if state is None else state
    edges = [0, *sorted(cuts), len(frame["x"])]
    parts = [case.run(cut(frame, a, b), state) for a, b in itertools.pairwise(edges)]
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def test_every_kernel_is_in_the_table():
    missing = []
    for found in pkgutil.iter_modules(hpi_bt.kernels.__path__):
        if found.name in (
            "compiler",
            "interpreting",
            "memory",
        ):  # what kernels are run by, no kernels
            continue
        module = importlib.import_module(f"hpi_bt.kernels.{found.name}")
        public = [f for n, f in inspect.getmembers(module, inspect.isfunction) if n[0] != "_"]
        own = [f for f in public if f.__module__ == module.__name__]
        missing += [f.__qualname__ for f in own if f not in {case.kernel for case in CASES}]
    assert set(missing) == HELPERS


@every_kernel
def test_state_comes_last_and_options_have_defaults_or_are_lengths(case: Case):
    names = list(inspect.signature(case.kernel).parameters.values())
    assert names[-1].name == "state"
    assert names[-1].default is None


@every_case
def test_random_splits_give_what_one_call_gives_bit_for_bit(case: Case):
    @few
    @given(seeds, st.lists(st.integers(0, 400), max_size=8))
    def check(seed, cuts):
        frame = market(seed, 400)
        assert same(chunked(case, frame, cuts), case.run(frame))

    check()


@every_case
def test_bar_by_bar_gives_what_one_call_gives_bit_for_bit(case: Case):
    frame = market(11, 420)
    assert same(chunked(case, frame, range(1, 420)), case.run(frame))


@every_case
def test_a_copied_state_goes_on_alone(case: Case):
    frame, state = market(12, 300), {}
    whole = case.run(frame)
    case.run(cut(frame, 0, 200), state)
    copy = copy_state(state)
    first = case.run(cut(frame, 200, 300), state)
    second = case.run(cut(frame, 200, 300), copy)
    assert same(first, second)
    assert same(first, tuple(line[200:] for line in whole))


@every_case
def test_the_future_changes_nothing_and_inputs_are_never_mutated(case: Case):
    @few
    @given(seeds, st.integers(0, 300))
    def check(seed, now):
        frame, other = market(seed, 300), market(seed + 1, 300, magnitude=1e3, gaps=0.3)
        kept = {name: x.copy() for name, x in frame.items()}
        changed = {name: np.concatenate([frame[name][:now], other[name][now:]]) for name in frame}
        before, after = case.run(frame), case.run(changed)
        assert same(tuple(x[:now] for x in before), tuple(x[:now] for x in after))
        assert same(tuple(frame.values()), tuple(kept.values()))

    check()


@every_case
def test_outputs_are_float64_arrays_of_the_input_length_and_not_all_unknown(case: Case):
    frame = market(13, 400, gaps=0.0)
    for line in case.run(frame):
        assert line.dtype == np.float64
        assert line.shape == (400,)
    disabled = case.options.get("signal_length") == 0
    assert disabled or all(np.isfinite(line).any() for line in case.run(frame))


@every_case
def test_an_empty_chunk_is_no_news(case: Case):
    frame, state = market(14, 100), {}
    assert all(line.shape == (0,) for line in case.run(cut(frame, 0, 0), state))
    assert same(case.run(frame, state), case.run(frame))


@every_kernel
def test_lists_are_welcome(case: Case):
    frame = market(15, 150)
    listed = {name: x.tolist() for name, x in frame.items()}
    assert same(case.run(listed), case.run(frame))


def median_bar_seconds(case: Case, start: int, bars: int = 120) -> float:
    """Median time of one bar after `start` bars of history."""
    state: dict[str, object] = {}
    case.run(cut(LONG, 0, start), state)
    rows = [cut(LONG, t, t + 1) for t in range(start, start + bars)]
    seconds = []
    for row in rows:
        begin = time.perf_counter()
        case.run(row, state)
        seconds.append(time.perf_counter() - begin)
    return float(np.median(seconds))


@every_kernel
def test_the_cost_of_a_bar_does_not_grow_with_history(case: Case):
    # the median passes over interruptions; a slow minute of the machine gets two more tries
    ratios = []
    for _ in range(3):
        ratios.append(median_bar_seconds(case, 20_100) / median_bar_seconds(case, 100))
        if ratios[-1] < 3:
            return
    pytest.fail(f"a bar after 20100 costs {ratios} times a bar after 100")
