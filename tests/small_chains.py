"""Chains made up for tests of the report: files of a few strikes, priced without noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from hpi_bt.options import OptionChain, price

AS_OF = pd.Timestamp("2023-09-14 12:00", tz="America/New_York")
EXPIRIES = ("2023-09-14", "2023-09-22", "2023-10-20", "2023-12-15")
STRIKES = np.arange(90.0, 111.0)
RATE = 0.05


def contracts(
    strikes: np.ndarray = STRIKES,
    expiries: tuple[str, ...] = EXPIRIES,
    *,
    spot: float = 100.0,
    calls: float = 100.0,
    puts: float = 150.0,
    vol: float = 0.2,
    skew: float = -0.3,
    rate: float = RATE,
    dividend: float = 0.0,
) -> pd.DataFrame:
    """Rows of a tidy file: a call and a put at every strike and expiry, on one smile."""
    rows = []
    for when in expiries:
        close = pd.Timestamp(f"{when} 16:00", tz="America/New_York")
        tau = max((close - AS_OF) / pd.Timedelta(365, "D"), 1e-6)
        sigma = np.clip(vol + skew * np.log(strikes / spot), 0.05, None)
        for right, side, held in ((1.0, "C", calls), (-1.0, "P", puts)):
            mid = np.asarray(price(spot, strikes, tau, sigma, right, rate=rate, dividend=dividend))
            far = np.exp(-(((strikes - spot) / 6.0) ** 2))
            rows.append(
                pd.DataFrame(
                    {
                        "ts": "2023-09-14 12:00:00-04:00",
                        "symbol": "XYZ",
                        "spot": spot,
                        "expiry": when,
                        "strike": strikes,
                        "right": side,
                        "bid": np.round(mid - 0.01, 4).clip(0.0),
                        "ask": np.round(mid + 0.01, 4),
                        "iv": np.round(sigma, 6),
                        "volume": np.round(10.0 * far),
                        "open_interest": np.round(held * far),
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


def saved(folder: Path, table: pd.DataFrame, name: str = "xyz.csv") -> Path:
    """Write a table and return its path."""
    path = folder / name
    table.to_csv(path, index=False)
    return path


def in_memory(table: pd.DataFrame, spot: float = 100.0, **fields: object) -> OptionChain:
    """Return the chain of such rows."""
    frame = table.drop(columns=["ts", "spot", "symbol"])
    return OptionChain(frame, spot, AS_OF, **{"symbol": "XYZ", **fields})
