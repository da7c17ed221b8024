"""What a line tells of the night, before an order at the next open (definitions 9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.stats.correlation import coefficient
from hpi_bt.stats.forward import Bars
from hpi_bt.stats.pairs import Pair

LEGS = ("night", "day", "both")
NIGHT_COLUMNS = (
    "line", "symbols", "n", *(f"{leg}_{what}" for leg in LEGS for what in ("ic", "t", "p_value")),
    "found",
)  # fmt: skip
_LEVEL = 0.05
_LEAST = 10  # sessions with a value, as for the tenths


class Nights(NamedTuple):
    """What followed the last bar of each session but the last, each of shape (n_sessions - 1,).

    Attributes
    ----------
    at : ndarray of int
        The session's last bar; of daily bars every bar but the last.
    night, day, both : ndarray
        Returns from its close to the next session's open, from there to that session's close,
        and from close to close; decimals, NaN where a price is unknown.
    """

    at: IntArray
    night: FloatArray
    day: FloatArray
    both: FloatArray


def nights_of(bars: Bars) -> Nights:
    """Return the nights between the sessions of `bars`, and the sessions after them."""
    ends = np.unique(bars.last)
    close, opened = bars.close[ends], bars.open[ends[:-1] + 1]
    return Nights(
        ends[:-1], opened / close[:-1] - 1.0, close[1:] / opened - 1.0, close[1:] / close[:-1] - 1.0
    )


def night_row(
    values: Sequence[FloatArray],
    nights: Sequence[Nights],
    clusters: Sequence[IntArray],
    daily: bool,
) -> dict[str, Any]:
    """Return the rank correlations of a line with the night, the day after it and both.

    Parameters
    ----------
    values, clusters : sequence of ndarray of shape (n_bars,)
        The line, known at the close, and the cluster of each bar; one per symbol.
    nights : sequence of Nights
    daily : bool

    Returns
    -------
    row : dict
        n and, for night, day and both, ic, t and p_value as `information_coefficient` has them,
        over the same sessions; found is what `found_in` says. {} where too few are known.
    """
    pairs: dict[str, list[Pair]] = {leg: [] for leg in LEGS}
    for line, night, cluster in zip(values, nights, clusters, strict=True):
        own = line[night.at]
        known = np.isfinite(own) & np.isfinite(night.night) & np.isfinite(night.day)
        if np.count_nonzero(known) < _LEAST:
            continue
        for leg, moves in zip(LEGS, night[1:], strict=True):
            moved = moves[known]
            pairs[leg].append(Pair(own[known], moved, moved, cluster[night.at[known]]))
    if not pairs["night"]:
        return {}
    rows = {leg: coefficient(pairs[leg], daily) for leg in LEGS}
    row: dict[str, Any] = {"symbols": len(pairs["night"]), "n": int(rows["both"]["n"])}
    for leg, found in rows.items():
        row |= {f"{leg}_{what}": float(found[what]) for what in ("ic", "t", "p_value")}
    return row | {"found": found_in(row)}


def found_in(row: Mapping[str, Any], tests: int = 1) -> str:
    """Return where the effect of a line lies, as far as it limits what can be traded.

    Each part is tested by itself. "night": there is an effect from close to close and one of its
    sign overnight (p at most 0.05/tests), and none of that sign from the next open on (p at most
    0.05). "opening": there is one overnight and an opposite one after it (p at most 0.05 each,
    which chance alone makes of 1 line in 800), as an opening price off the market would make by
    itself. Else "".
    """
    night, day, both = (
        np.sign(row[f"{leg}_ic"]) if row[f"{leg}_p_value"] <= _LEVEL else 0.0 for leg in LEGS
    )
    clear = max(row["night_p_value"], row["both_p_value"]) <= _LEVEL / tests
    if clear and both and night == both != day:
        return "night"
    if night and day == -night:
        return "opening"
    return ""
