"""The standard components, each oriented so that larger means more stress (definitions 4)."""

from __future__ import annotations

import numpy as np
import pandas as pd

#: Name of each standard component and what it is, in the order of the frame's columns.
COMPONENTS = {
    "vix": "VIX, points",
    "term_structure": "VIX / VIX3M",
    "put_call": "put/call volume ratio",
    "curve": "-(10-year - 2-year yield), percentage points",
    "funding": "SOFR - 3-month bill, percentage points",
    "credit": "high-yield option-adjusted spread, percentage points",
    "drawdown": "SPY below its running high, as a share",
}


def term_structure(vix: pd.Series, vix3m: pd.Series) -> pd.Series:
    """Return VIX / VIX3M on the dates that both have; above 1 near fear exceeds far fear."""
    far = vix3m.where(vix3m > 0.0)
    return (vix / far).dropna()


def curve(y10: pd.Series, y2: pd.Series) -> pd.Series:
    """Return -(10-year - 2-year) on the dates that both have; above 0 the curve is inverted."""
    return (y2 - y10).dropna()


def funding(sofr: pd.Series, bill3m: pd.Series) -> pd.Series:
    """Return SOFR - 3-month bill on the dates that both have, in the unit of the yields."""
    return (sofr - bill3m).dropna()


def drawdown(spy: pd.Series) -> pd.Series:
    """Return how far each close lies below the highest close so far: 0 at a high, 0.05 = 5 %."""
    return (1.0 - spy / spy.cummax()).dropna()


def components(
    vix: pd.Series | None = None,
    vix3m: pd.Series | None = None,
    put_call: pd.Series | None = None,
    y10: pd.Series | None = None,
    y2: pd.Series | None = None,
    sofr: pd.Series | None = None,
    bill3m: pd.Series | None = None,
    spy: pd.Series | None = None,
    oas: pd.Series | None = None,
) -> pd.DataFrame:
    """Return the standard components that these series allow, one row per session.

    Parameters
    ----------
    vix, vix3m : Series, optional
        Closes, in points.
    put_call : Series, optional
        Put volume / call volume of the day.
    y10, y2, sofr, bill3m, oas : Series, optional
        Percent a year.
    spy : Series, optional
        Closes, in dollars. Where given its dates are the rows; else all dates of all series are.

    Returns
    -------
    components : DataFrame
        Columns of `COMPONENTS` that could be made; NaN on dates without their inputs (nothing is
        carried forward: `hpi_bt.gauge_inputs` does that, by publication).
    """
    made: dict[str, pd.Series | None] = {
        "vix": vix,
        "term_structure": None if vix is None or vix3m is None else term_structure(vix, vix3m),
        "put_call": put_call,
        "curve": None if y10 is None or y2 is None else curve(y10, y2),
        "funding": None if sofr is None or bill3m is None else funding(sofr, bill3m),
        "credit": oas,
        "drawdown": None if spy is None else drawdown(spy),
    }
    found = {name: made[name] for name in COMPONENTS if made[name] is not None}
    frame = pd.DataFrame(found, dtype=np.float64)
    return frame if spy is None else frame.reindex(spy.index)
