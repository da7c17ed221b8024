"""How much is measured: a full run and a quick one."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks import market


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    sessions: int = market.SESSIONS
    rounds: int = 3
    points: tuple[int, ...] = (10, 100, 1000)
    scaling: tuple[int, ...] = (26, 252, 770, 2564)
    peer_points: tuple[int, int] = (50, 4)
    opt_points: int = 4
    first_calls: int = 3


FULL = Size()
QUICK = Size(20, 1, (10,), (10, 20), (5, 1), 2, 1)
