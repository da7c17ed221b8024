"""Small files of option-chain snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ZONE = "America/New_York"
DAY = "2024-03-05"
LATER = "2024-03-08"
SPOT = 5100.0


def smile(strike: Any, spot: float = SPOT) -> Any:
    """Vols of a usual skew, in every expiry."""
    y = np.log(np.asarray(strike) / spot)
    return 0.14 - 0.5 * y + 4.0 * y * y


def table(
    moments: list[str], spots: list[float], *, day: str = DAY, expiries: tuple[str, ...] = (DAY,),
    seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Snapshots of one book at those times of a day; its open interest stays."""
    strikes = np.arange(4950.0, 5255.0, 10.0)
    interest = np.random.default_rng(seed).integers(0, 5000, (len(expiries), 2, strikes.size))
    parts = [
        pd.DataFrame(
            {
                "ts": f"{day} {moment}",
                "expiry": expiry,
                "strike": strikes,
                "right": right,
                "iv": smile(strikes, spot),
                "open_interest": interest[e, r],
                "spot": spot,
            }
        )
        for moment, spot in zip(moments, spots, strict=True)
        for e, expiry in enumerate(expiries)
        for r, right in enumerate("CP")
    ]
    return pd.concat(parts, ignore_index=True)


def write(folder: Path, frame: pd.DataFrame, name: str = "chains.csv") -> str:
    """Write a table beside the other files and return its name."""
    frame.to_csv(folder / name, index=False)
    return name


def bars(times: list[str], *, day: str = DAY, close: float = SPOT) -> pd.DataFrame:
    """Bars that close at those times of a day, as a source returns them."""
    index = pd.DatetimeIndex([f"{day} {time}" for time in times]).tz_localize(ZONE)
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), close), index=index)
    frame.attrs = {
        **{"symbol": "SPX", "bar_minutes": 15.0, "calendar": "XNYS", "demo": "", "notes": []}
    }
    return frame
