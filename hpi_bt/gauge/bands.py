"""The gauge's whole points and the four bands that they fall into."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray

#: Name and lowest score of each band, calm first.
BANDS = (("low", 0), ("moderate", 33), ("elevated", 57), ("high", 70))
#: From here on the gauge, and each component, "fires".
WARNING = 57


def whole_points(smoothed: FloatArray) -> FloatArray:
    """Return the published score: rounded, halves away from zero, held within [0, 100].

    Parameters
    ----------
    smoothed : ndarray of shape (n_rows,)
        NaN stays NaN.
    """
    size = np.abs(smoothed)
    down = np.floor(size)
    # size - down is exact; floor(x + 0.5) would lift 0.49999999999999994
    near = np.copysign(down + (size - down >= 0.5), smoothed)
    return np.asarray(np.clip(near, 0.0, 100.0))


def bands_of(score: pd.Series) -> pd.Series:
    """Return the band of each score: an ordered categorical, low < moderate < elevated < high.

    Parameters
    ----------
    score : Series
        Whole points in [0, 100]; NaN has no band.
    """
    names = pd.Index([name for name, _ in BANDS])
    lowest = np.array([edge for _, edge in BANDS])
    values = score.to_numpy(dtype=np.float64)
    codes = np.searchsorted(lowest, values, side="right") - 1
    codes[np.isnan(values)] = -1
    found = pd.Categorical.from_codes(codes, categories=names, ordered=True)
    return pd.Series(found, index=score.index, name="band")
