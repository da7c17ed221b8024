"""Bars without volume in a market that has volume: no trade, hence no price to be had."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray
from hpi_bt.errors import InputError, Note, Severity
from hpi_bt.sources.hours import add_notes, counted

NoVolume: TypeAlias = Literal["keep", "drop", "refuse"]

_MARKET = 0.5  # share of bars with volume above which a market has volume


def without_volume(frame: pd.DataFrame) -> BoolArray:
    """Return which bars have no volume, 0 or blank, of shape (n_bars,).

    None has where half of the bars or more are like that: the feed has no volume.
    """
    if "volume" not in frame or not len(frame):
        return np.zeros(len(frame), dtype=bool)
    traded = frame["volume"].to_numpy(dtype=np.float64) > 0.0
    return ~traded & bool(traded.mean() > _MARKET)


def treat_no_volume(frame: pd.DataFrame, policy: NoVolume, *, name: str) -> pd.DataFrame:
    """Return the frame with its bars without volume kept, dropped or refused, and counted.

    Raises
    ------
    InputError
        There is one, and `policy` is refuse.
    """
    quiet = without_volume(frame)
    if not quiet.any():
        return frame
    count, first = int(quiet.sum()), int(np.argmax(quiet))
    if policy == "refuse":
        raise InputError(
            f"{counted(count, 'bar')} without volume, the first at {frame.index[first]}",
            where=name,
            remedy="set no_volume under source to keep or drop",
        )
    verb = "kept" if policy == "keep" else "left out"
    text = (
        f"{counted(count, 'bar')} of {len(frame):,} without volume {verb}, the first of "
        f"{frame.index[first]:%Y-%m-%d} (no_volume: {policy})"
    )
    note = Note(Severity.INFO, "bars-without-volume", text, name)
    return add_notes(frame if policy == "keep" else frame[~quiet], note)
