"""Slow and obvious: how many changes of open interest exceed the volume of their session."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from math import comb, isnan


def slow_rows(
    interest: Sequence[float],
    volume: Sequence[float],
    contract: Sequence[int],
    session: Sequence[int],
) -> list[tuple[int, bool, bool]]:
    """Return (year, breaks pre_open alone, breaks prior_close alone) of each usable change."""
    known = {
        (c, s): (o, v)
        for c, s, o, v in zip(contract, session, interest, volume, strict=True)
    }  # fmt: skip
    days = sorted(set(session))
    out = []
    for one in sorted(set(contract)):
        for earlier, later in pairwise(days):
            if (one, earlier) not in known or (one, later) not in known:
                continue
            (o0, v0), (o1, v1) = known[one, earlier], known[one, later]
            if any(map(isnan, (o0, o1, v0, v1))) or not o0 > 0 or abs(o1 - o0) > 0.2 * o0:
                continue
            pre_open, prior_close = abs(o1 - o0) > v0, abs(o1 - o0) > v1
            year = date.fromordinal(later).year
            out.append((year, pre_open and not prior_close, prior_close and not pre_open))
    return out


def sign_test(chosen: int, other: int) -> float:
    """Return the probability of at least `chosen` heads in as many throws of a fair coin."""
    n = chosen + other
    return sum(comb(n, k) for k in range(chosen, n + 1)) / 2**n


def speaks_against(chosen: int, other: int, level: float = 0.001) -> bool:
    """Return whether that many changes speak against the chosen stamp."""
    return chosen >= 10 and chosen >= 2 * other and sign_test(chosen, other) < level
