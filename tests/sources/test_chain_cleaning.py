from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hpi_bt.sources.chain_cleaning import (
    CleaningReport,
    Finding,
    checked_contracts,
    cleaning_report,
    droppable,
)

price = st.sampled_from([0.0, 0.5, 1.0, np.nan])
quotes = st.lists(st.tuples(price, price, price, price), min_size=1, max_size=30)


def frame(rows) -> pd.DataFrame:
    out = pd.DataFrame(rows, columns=["bid", "ask", "iv", "open_interest"], dtype=float)
    strikes = 100.0 + np.arange(len(out))
    return out.assign(expiry=pd.Timestamp("2026-03-06"), strike=strikes, right="C")


def report_of(contracts: pd.DataFrame, **options) -> CleaningReport:
    none = np.zeros(len(contracts), dtype=bool)
    return cleaning_report(
        contracts, **{"expired": none, "stale": none, "dropped": {"duplicated": 1}} | options
    )


def test_worked_example_of_the_lines():
    contracts = checked_contracts(frame([(1, 0.5, 0.2, 0), (0, 0, 0.001, 5), (0, 1, 0.2, 5)]), "f")
    report = report_of(contracts, stale=np.array([True, True, False]))
    assert report.lines == (
        "4 contracts read, 3 kept",
        "duplicated: 1 (25.0 %), dropped, the first of each kept",
        "no quote: 1 (25.0 %), kept for open interest and volume, no part of the smile",
        "zero bid: 1 (25.0 %), kept for open interest and volume, no part of the smile",
        "crossed: 1 (25.0 %), kept for open interest and volume, no part of the smile",
        "stale: 2 (50.0 %), kept: the quote counts, the last price does not",
        "no open interest: 1 (25.0 %), kept for the smile, without weight in exposures",
        "no IV: 1 (25.0 %), left blank, never filled in",
    )
    assert report.table.index.tolist() == [f.kind for f in report.findings]
    assert report.table["count"].to_dict() == report.counts


@settings(deadline=None)
@given(quotes)
def test_each_quote_is_good_or_of_exactly_one_bad_kind(rows):
    report = report_of(frame(rows))
    bad = sum(report.counts[k] for k in ("no quote", "zero bid", "no ask", "crossed"))
    good = sum(1 for bid, ask, _, _ in rows if bid > 0 and ask >= bid)
    assert bad + good == len(rows)
    assert all(0 <= f.share <= 1 for f in report.findings)


@settings(deadline=None)
@given(quotes)
def test_no_vol_at_or_below_a_tenth_of_a_percent_is_left(rows):
    contracts = frame([(b, a, iv / 500, oi) for b, a, iv, oi in rows])
    checked = checked_contracts(contracts, "f")["iv"].to_numpy()
    assert_array_equal(np.isfinite(checked), contracts["iv"].to_numpy() > 0.00100001)


def test_kinds_that_a_file_cannot_show_are_absent():
    contracts = frame([(1, 2, 0.2, 3)])[["expiry", "strike", "right"]]
    assert set(report_of(contracts, stale=None).counts) == {"duplicated", "expired"}
    assert report_of(contracts, stale=None).findings[1] == Finding(
        "expired", 0, 0.0, "kept in the file's chain, no part of a live one"
    )


def test_adjusted_roots_are_told_from_roots_that_have_a_digit_of_their_own():
    roots = ["IWM", "IWM1", "2IWM", "X5", "IWM"]
    contracts = frame([(1, 2, 0.2, 3)] * 5).assign(root=roots, strike=100.0)
    repeated, adjusted = droppable(contracts)
    assert_array_equal(adjusted, [False, True, True, False, False])
    assert_array_equal(repeated, [False, False, False, False, True])
