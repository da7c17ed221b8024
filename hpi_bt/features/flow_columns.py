"""Names of the columns of the feature `hedge_flow`, and the settings behind their numbers."""

from __future__ import annotations

from typing import NamedTuple

#: Codes of the regimes: the sign of a squeeze is its direction. NaN is unknown.
REGIME_CODES = {
    "expansion": -2.0, "squeeze_down": -1.0, "neutral": 0.0, "squeeze_up": 1.0, "pinned": 2.0,
}  # fmt: skip
LINES = (
    *("impulse", "slope", "asymmetry", "coupling", "gex", "vex", "cex"),
    *("zero_gamma", "call_wall", "put_wall", "attractor_above", "attractor_below"),
    *("charm_to_close", "regime"),
)
ZONES = ("stable_below", "stable_above", "unstable_below", "unstable_above")
ZONE_LINES = tuple(f"{zone}_{part}" for zone in ZONES for part in ("low", "high", "strength"))
COLUMNS = tuple(f"hedge_{name}" for name in (*LINES, *ZONE_LINES))
#: Code of the note on open interest that no vol is known for.
BOOK_WITHOUT_VOLS = "opening-book-without-vols"
UNTIL = "until"  # beside them in the rows: when their numbers stop meaning anything


class FlowOptions(NamedTuple):
    """How the hedge flow is computed; as in `hpi_bt.options.hedge_flow`."""

    expiry: str
    positioning: str
    mode: str
    ssr: float
    coupling: float | None
    range_pct: float
    step_pct: float
    reach_multiple: float
    zone_threshold: float
    calendar: str
    vols: str = "quotes"
