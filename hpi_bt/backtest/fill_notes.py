"""What has to be said of a run's fills: those on bars where nobody traded."""

from __future__ import annotations

import numpy as np

from hpi_bt.backtest.record import Record
from hpi_bt.errors import Note, Severity
from hpi_bt.sources.hours import counted
from hpi_bt.sources.no_volume import without_volume


def volume_notes(record: Record) -> list[Note]:
    """Return a warning of fills on bars without volume, in a market that has volume.

    Fills of the main data alone are looked at.
    """
    fills, symbol = record.fills, str(record.frame.attrs.get("symbol", ""))
    bars = fills["bar"][fills["data"].isin(["", symbol])].to_numpy(dtype=np.int64)
    odd = bars[without_volume(record.frame)[bars]]
    if not odd.size:
        return []
    text = (
        f"{odd.size} of {counted(len(bars), 'fill')} on bars without volume, the first at "
        f"{record.frame.index[odd[0]]:%Y-%m-%d %H:%M}: nobody traded there at its prices; "
        "no_volume: drop under source leaves such bars out"
    )
    return [Note(Severity.WARNING, "fills-without-volume", text)]
