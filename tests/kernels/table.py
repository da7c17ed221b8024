"""Every kernel with the inputs it takes. A new kernel joins all laws by one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hpi_bt.kernels import (
    averages,
    crossings,
    divergence,
    herrick,
    pressure,
    sessions,
    targets,
    wilder,
    zones,
)
from hpi_bt.kernels import windows as w
from kernels.market import Array, Market

PRESSURE = "put_volume call_volume net_oi session"


@dataclass(frozen=True)
class Case:
    """A kernel, the names of its series in a `Market`, its options, its series by keyword."""

    kernel: Callable[..., Any]
    series: str
    options: dict[str, Any] = field(default_factory=dict)
    keyed: tuple[str, ...] = ()

    def __str__(self) -> str:
        options = ",".join(f"{k}={v}" for k, v in self.options.items())
        return f"{self.kernel.__name__}({options})"

    def run(self, frame: Market, state: dict[str, Any] | None = None) -> tuple[Array, ...]:
        keyed = {name: frame[name] for name in self.keyed}
        series = (frame[name] for name in self.series.split())
        out = self.kernel(*series, **self.options, **keyed, state=state)
        return out if isinstance(out, tuple) else (out,)


CASES = [
    *(Case(f, "x", {"period": p}) for f in (averages.ema, averages.rma) for p in (1, 5)),
    *(Case(f, "x", {"period": p}) for f in (averages.sma, averages.wma) for p in (1, 7)),
    *(Case(averages.hma, "x", {"period": p}) for p in (2, 9)),
    *(
        Case(averages.moving_average, "x", {"period": 4, "kind": k})
        for k in ("sma", "ema", "rma", "wma", "hma")
    ),
    *(Case(w.zscore, "x", {"lookback": n}) for n in (2, 13, 100)),
    *(Case(f, "x", {"length": n}) for f in (w.highest, w.lowest, w.range_position) for n in (1, 9)),
    *(Case(w.lagged, "x", {"bars": n}) for n in (0, 1, 6)),
    Case(w.running_sum, "x"),
    Case(crossings.sign_changes, "oscillator"),
    Case(crossings.sign_changes, "oscillator", keyed=("session",)),
    Case(crossings.level_crossings, "oscillator", {"upper": 1.5, "lower": -1.0}),
    *(Case(wilder.wilder_rsi, "x", {"length": n}) for n in (1, 14)),
    Case(wilder.wilder_atr, "high low close", {"length": 5}),
    Case(herrick.herrick_payoff, "high low volume open_interest"),
    Case(
        herrick.herrick_payoff,
        "high low volume open_interest",
        {"oi_base": "max", "max_oi_change": 0.5, "oi_lag": 2},
    ),
    Case(herrick.herrick_rsi, "raw"),
    *(
        Case(herrick.herrick_rsi, "raw", {"rsi_length": 5, "signal_length": 4, "signal_type": k})
        for k in ("sma", "rma", "wma", "hma")
    ),
    Case(herrick.herrick_rsi, "raw", {"signal_length": 0}),
    Case(herrick.cumulative_payoff, "raw", {"smoothing": 3}),
    Case(divergence.pivot_divergence, "high low oscillator"),
    Case(
        divergence.pivot_divergence,
        "high low oscillator",
        {"pivots": "both", "pivot": 1, "min_pivot_gap": 0, "max_pivot_gap": 20, "hidden": True},
    ),
    Case(divergence.pivot_divergence, "high low oscillator", {"pivots": "price", "pivot": 2}),
    *(Case(divergence.unconfirmed_extreme, "high low oscillator", {"length": n}) for n in (3, 14)),
    Case(sessions.session_sum, "x session"),
    *(
        Case(sessions.session_average, "x session", {"period": 4, "kind": k})
        for k in ("ema", "sma")
    ),
    Case(sessions.previous_session_mean, "x session"),
    Case(sessions.same_slot_score, "x session slot"),
    Case(sessions.same_slot_score, "x session slot", {"sessions": 7, "at_least": 2}),
    Case(pressure.hedge_pressure, PRESSURE),
    *(
        Case(
            pressure.hedge_pressure,
            PRESSURE,
            {"accumulate": a, "scale": s, "ma": m, "smoothing": 3, "zscore_lookback": 20},
            ("total_oi", "slot"),
        )
        for a in ("session", "bar")
        for s in ("contracts", "ratio", "standard")
        for m in ("ema", "sma")
    ),
    Case(pressure.demo_flow, "high low close volume session"),
    Case(zones.zone_entries, "high low x low close high session"),
    Case(targets.held_target, "enter leave_long leave_short"),
    Case(targets.held_target, "enter leave_long leave_short", {"fade": "reverse"}, ("session",)),
    Case(pressure.demo_flow, "high low close volume session", {"accumulate": "bar", "lam": 0.5}),
]

#: Public functions of the kernel modules that are no kernels: they take no series.
HELPERS = {"check_length"}


def same(left: tuple[Array, ...], right: tuple[Array, ...]) -> bool:
    """Bit for bit, NaN equal to NaN."""
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(left, right, strict=True))
