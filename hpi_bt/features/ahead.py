"""What `hpi-bt flow` shows of a feature that was computed ahead of the runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from hpi_bt.features.flow_columns import REGIME_CODES
from hpi_bt.options.curve_features import UNKNOWN
from hpi_bt.sources.hours import calendar_zone, session_ordinals

Progress: TypeAlias = Callable[[int, int], None]

_NAMES = {code: name.replace("_", " ") for name, code in REGIME_CODES.items()}


class Ahead(NamedTuple):
    """A feature computed ahead; a feature that can do so has a method `ahead` returning this.

    Attributes
    ----------
    name : str
        Of the feature.
    table : DataFrame
        A row a session, for the screen.
    rows : DataFrame, index moment (UTC)
        Every row.
    notes, flags : tuple of str
        What was read and assumed; what the numbers say of themselves.
    kept : bool
        Whether it had been computed before.
    """

    name: str
    table: pd.DataFrame
    rows: pd.DataFrame
    notes: tuple[str, ...]
    flags: tuple[str, ...]
    kept: bool


def no_progress(_done: int, _of: int) -> None:
    """Show nothing."""


def session_table(rows: pd.DataFrame, calendar: str) -> pd.DataFrame:
    """Return the hedge flow by session: medians of amounts, the last known of levels.

    Parameters
    ----------
    rows : DataFrame, index moment (UTC)
        The columns of the feature hedge_flow; NaN where a snapshot says nothing.
    calendar : str

    Returns
    -------
    table : DataFrame
        session (date), snapshots, blank, regime (the most frequent that is known), impulse (shares
        per $1), gex (dollars per 1 %), charm_to_close (dollars, of the first snapshot), zero_gamma,
        call_wall, put_wall (dollars, of the last snapshot that says anything).
    """
    stamps = pd.DatetimeIndex(rows.index)
    table = []
    for _, ours in rows.groupby(session_ordinals(stamps, calendar)):
        known = ours[np.isfinite(ours["hedge_impulse"])]
        regimes = known["hedge_regime"].mode()
        first = pd.DatetimeIndex(ours.index)[0].tz_convert(calendar_zone(calendar))
        table.append(
            {
                "session": f"{first:%Y-%m-%d}",
                "snapshots": len(ours),
                "blank": len(ours) - len(known),
                "regime": _NAMES[float(regimes.iloc[0])] if len(regimes) else UNKNOWN,
                "impulse": float(known["hedge_impulse"].median()),
                "gex": float(known["hedge_gex"].median()),
                "charm_to_close": _end(known, "charm_to_close", 0),
                **{name: _end(known, name, -1) for name in ("zero_gamma", "call_wall", "put_wall")},
            }
        )
    return pd.DataFrame(table)


def _end(rows: pd.DataFrame, name: str, place: int) -> float:
    return float(rows[f"hedge_{name}"].iloc[place]) if len(rows) else np.nan
