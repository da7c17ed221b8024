from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from hpi_bt.report.gauge_absences import change_words, gap_lines
from hpi_bt.stats.gauge_composition import Change, Gap, changes, left_out

DAYS = pd.bdate_range("2024-12-13", periods=8)
NAN = np.nan
SCORES = pd.DataFrame(
    {
        "vix": [1.0, 2, 3, 4, 5, 6, 7, 8],
        "curve": [NAN, 5, NAN, NAN, 5, NAN, 5, NAN],
        "funding": [NAN] * 8,
    },
    DAYS,
)


def test_worked_example():
    assert left_out(SCORES) == {
        "curve": [Gap(DAYS[2], DAYS[3], 2), Gap(DAYS[5], DAYS[5], 1), Gap(DAYS[7], None, 1)]
    }
    assert gap_lines(SCORES) == [
        "curve: left out on 4 sessions: 2024-12-17 to 2024-12-18, 2024-12-20, from 2024-12-24 on"
    ]
    assert changes(SCORES)[:2] == [Change(1, ("curve",), ()), Change(2, (), ("curve",))]
    assert [one.row for one in changes(SCORES)] == [1, 2, 4, 5, 6, 7]


def test_a_long_list_of_gaps_is_cut_and_counted():
    many = pd.DataFrame({"vix": [1.0, NAN] * 8}, pd.bdate_range("2024-01-01", periods=16))
    (line,) = gap_lines(many)
    assert line.startswith("vix: left out on 8 sessions: 2024-01-10, 2024-01-12, 2024-01-16")
    assert line.endswith("from 2024-01-22 on, and 3 times before")


def test_changes_in_words():
    assert (
        change_words(("put_call",), ("curve", "vix")) == "with Put/call, without Yield curve, VIX"
    )


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=30))
def test_gaps_and_changes_account_for_every_row(rows):
    there = np.array(rows)
    scores = pd.DataFrame(
        np.where(there, 1.0, NAN), pd.bdate_range("2024-01-01", periods=len(rows)), list("abc")
    )
    gaps = left_out(scores)
    for name in scores:
        known = scores[name].loc[scores[name].first_valid_index() or scores.index[-1] :]
        missing = int(known.isna().sum()) if scores[name].notna().any() else 0
        assert sum(gap.sessions for gap in gaps.get(name, [])) == missing
    now = {n for n in scores if there[0][list("abc").index(n)]}
    for change in changes(scores):
        now = (now | set(change.gained)) - set(change.lost)
        assert now == set(scores.columns[scores.iloc[change.row].notna()])
