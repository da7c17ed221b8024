from __future__ import annotations

from hypothesis import given, settings

from reference.trading import COUNTS, Follow, brokers, cerebro, fills_of, frames, order_rules, slow


@settings(max_examples=300, deadline=None)
@given(frames(), order_rules(), brokers())
def test_cerebro_fills_pays_and_counts_as_the_reference_to_the_last_bit(frame, orders, broker):
    want, got = slow(frame, orders, broker), cerebro(frame, orders, broker)
    assert fills_of(got) == fills_of(want)
    assert Follow.cash == want.cash
    assert got.equity.tolist() == want.equity
    assert {k: got.counts.get(k, 0) for k in COUNTS} == {k: getattr(want, k) for k in COUNTS}
