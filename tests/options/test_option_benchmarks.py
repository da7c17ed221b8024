"""The options benchmark in a reduced form: it runs, and all ways give the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import options as benchmark
from benchmarks.sizes import QUICK


def test_the_section_names_its_targets_and_has_a_row_for_each_way() -> None:
    section = benchmark.options(QUICK)
    assert [target.bound for target in section.targets] == [2.0, 0.25, 0.5]
    assert len(section.rows) == 9
    assert all(len(row) == len(section.header) for row in section.rows)


def test_a_peer_that_was_not_run_is_told_with_version_and_date_and_bears_no_target() -> None:
    section = benchmark.options(QUICK)
    page = section.markdown()
    for words in ("not part of this run", "floe 0.0.19", "2026-11-21", "by hand"):
        assert words in page
    assert not any("floe" in target.text for target in section.targets)
    assert not any("floe" in cell for row in section.rows for cell in row)


def test_it_refuses_to_compare_ways_that_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(**given: np.ndarray) -> tuple[np.ndarray, ...]:
        gamma, vanna, charm = benchmark_numpy(**given)
        return gamma, vanna, charm * 1.001

    benchmark_numpy = benchmark.with_numpy
    monkeypatch.setattr(benchmark, "with_numpy", wrong)
    with pytest.raises(AssertionError):
        benchmark.options(QUICK)


def test_the_chain_of_the_benchmark_has_ten_thousand_contracts() -> None:
    chain = benchmark.chain_of()
    assert len(chain) == 10_000
    assert chain.is_live.all()
