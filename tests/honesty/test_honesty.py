"""The program of this folder in small: every design, few markets, bounds that chance respects."""

import json
from itertools import chain

import numpy as np
import pytest
import scipy.stats

from hpi_bt.stats.events import event_study
from tests.honesty import markets
from tests.honesty.__main__ import read, run
from tests.honesty.designs import designs
from tests.honesty.seen import Seen
from tests.honesty.table import BEGIN, END, PAGE, coverage, figures_of, outside, write_table

MARKETS = 20
NAMED = "dips, exit at trailing", "great storms"  # docs/statistics.md has why


@pytest.fixture(scope="module")
def seen():
    return {
        name: [design.trial(seed) for seed in range(MARKETS)]
        for name, design in designs().items()
        if design.statistic != "words" and "9000" not in name
    }


def values(seen, key, statistic):
    own = (trials for name, trials in seen.items() if designs()[name].statistic == statistic)
    return list(chain.from_iterable(getattr(one, key) for trials in own for one in trials))


def test_there_are_enough_designs_of_every_kind():
    kinds = [design.statistic for design in designs().values()]
    assert {kind: kinds.count(kind) >= 2 for kind in kinds} == dict.fromkeys(kinds, True)
    assert len(kinds) >= 100


@pytest.mark.parametrize("kind", ["intraday", "daily", "two symbols"])
@pytest.mark.parametrize("statistic", ["signals", "entries", "timing", "lines"])
def test_where_there_is_nothing_little_is_found(seen, statistic, kind):
    own = {name: trials for name, trials in seen.items() if name.startswith(kind)}
    p = np.array(values(own, "p", statistic))
    if not p.size and kind == "two symbols":
        pytest.skip("entries, timing and lines are of one symbol")
    assert p.size >= 40
    # tests of one market are not independent: the bounds are those of a third as many
    few = p.size // 3
    for level in (0.05, 0.2):
        often = round(few * (p <= level).mean())
        assert scipy.stats.binomtest(often, few, level).pvalue > 1e-3, (level, (p <= level).mean())


def test_no_design_is_far_off(seen):
    for name, trials in seen.items():
        p = np.array([one.p for one in trials if len(one.p)], dtype=object)
        low = sum(min(tests) <= 0.05 / len(tests) for tests in p)
        if p.size and not (name.startswith("daily") and any(kind in name for kind in NAMED)):
            assert scipy.stats.binomtest(low, len(p), 0.05, "greater").pvalue > 2e-3, name


@pytest.mark.parametrize("statistic", ["signals", "lines"])
def test_intervals_hold_the_truth(seen, statistic):
    covered = values(seen, "covered", statistic)
    assert 0.92 <= np.mean(covered) <= 0.98


def test_intervals_of_the_gauge_hold_the_truth(seen):
    for name in ("gauge of 2500 days", "gauge of 6000 days"):
        covered = [interval for one in seen[name] for interval in one.covered]
        assert 0.85 <= coverage(covered) <= 1.0, name


def test_what_is_called_detectable_is_found_in_four_of_five(seen):
    found = values(seen, "found", "signals") + values(seen, "found", "entries")
    assert len(found) >= 60
    assert scipy.stats.binomtest(sum(found), len(found), 0.8).pvalue > 1e-3, np.mean(found)


def test_a_signal_that_knows_the_next_bar_is_found():
    # the yardstick: were nothing ever found, the tests above would pass too
    for seed in range(MARKETS):
        market = markets.intraday(np.random.default_rng(seed))
        knows = np.sign(np.append(market.close[1:] - market.open[1:], 0.0))
        knows[np.random.default_rng(seed).random(knows.size) < 0.4] = 0.0
        table = event_study(
            market.open, market.close, knows, market.session,
            minutes_open=market.minutes, horizons=(1,), permutations=99,
        )  # fmt: skip
        assert (table["p_value"] == 0.01).all()


def test_words_claim_nothing_where_there_is_nothing_and_find_what_they_say():
    trials = [
        d.trial(seed) for d in designs().values() if d.statistic == "words" for seed in (7, 8)
    ]
    assert len(trials) == 10
    assert sum(one.claims[0] for one in trials) <= 3  # 5 %: more than that in 1 of 1,000 runs
    assert sum(one.hints[0] for one in trials) <= 4
    assert sum(any(one.found) for one in trials) >= 4


def test_the_program_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    file = tmp_path / "results" / "h.jsonl"
    name = "daily, ten entries"
    run(file, 20, name, 1)
    assert [c["count"] for c in read(file).values()] == [20]
    with file.open("a") as end:
        end.write('{"design": "daily, ten en')  # stopped in mid-line
        end.write("\n")
    run(file, 40, name, 1)
    chunks = read(file)
    assert sorted(first for _, first in chunks) == [0, 20]
    p = list(chain.from_iterable(designs()[name].trial(seed).p for seed in range(40)))
    figures = figures_of(chunks)[name]
    assert figures["markets"] == 40
    assert figures["at5"] == np.mean(np.array(p) <= 0.05)
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n{BEGIN}\nold\n{END}\nrest\n")
    monkeypatch.setattr("tests.honesty.table.PAGE", page)
    assert set(write_table(chunks)) == set(outside({name: figures}))
    text = page.read_text()
    assert f"| {name} | 40 | {len(p)} |" in text
    assert "old" not in text
    assert text.endswith(f"{END}\nrest\n")
    assert len([json.loads(line) for line in file.read_text().splitlines() if line[-1] == "}"]) == 2


def test_the_page_names_every_design_and_those_outside_the_bounds():
    text = PAGE.read_text()
    for name in designs():
        assert f"| {name} |" in text, name


def test_nothing_seen_is_nothing_counted():
    assert Seen().p == []
    assert figures_of({}) == {}
