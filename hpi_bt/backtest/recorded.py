"""The bars of a Backtrader run as a frame: what a feed's lines held, each bar once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd

from hpi_bt.backtest.record import Record
from hpi_bt.feeds import HedgeData


def frame_of(data: Any, n_bars: int, rows: list[list[float]], symbol: str) -> pd.DataFrame:
    """Return the first `n_bars` bars of a feed as a frame with session ids, named `symbol`.

    `rows` holds them (one value a line) where the feed has kept only the last.
    """
    whole = isinstance(data, HedgeData) and len(data.p.dataname) == n_bars
    frame: pd.DataFrame = data.p.dataname if whole else _lines_frame(data, n_bars, rows)
    attrs = {**frame.attrs, "symbol": symbol}
    if "session" in frame:
        frame = frame.copy(deep=False)
    else:
        days = [stamp.toordinal() for stamp in pd.DatetimeIndex(frame.index)]
        frame = frame.assign(session=np.array(days, dtype=np.float64))
    frame.attrs = attrs
    return frame


def frames_of(main: pd.DataFrame, datas: Sequence[Any]) -> list[pd.DataFrame]:
    """Return the frames behind a run: the bars of the first data as recorded, and those given."""
    given = [getattr(data.p, "dataname", None) for data in datas]
    return [main, *(frame for frame in given if isinstance(frame, pd.DataFrame))]


def _lines_frame(data: Any, n: int, rows: list[list[float]]) -> pd.DataFrame:
    names = data.lines.getlinealiases()
    kept = zip(*rows, strict=True) if rows else (list(line.array)[:n] for line in data.lines)
    columns = {name: np.array(values) for name, values in zip(names, kept, strict=False)}
    tz = data.lines.datetime._tz
    stamps = [bt.num2date(x, tz=tz) for x in columns.pop("datetime")]
    frame = pd.DataFrame(columns, index=pd.DatetimeIndex(stamps, name="close_time"))
    daily = data._timeframe >= bt.TimeFrame.Days
    minutes = 1440.0 if daily else float(data._compression)
    frame.attrs = {"bar_minutes": minutes, "demo": "", "notes": []}
    return frame


def without_late(record: Record) -> Record:
    """Return a record without the bars that a live feed sent again: not later than one before.

    What was filled on such a bar is filled on the latest one before it.
    """
    stamps = pd.DatetimeIndex(record.frame.index)
    seen = np.maximum.accumulate(stamps.asi8)
    new = np.append(True, seen[1:] > seen[:-1])[: len(seen)]
    if new.all():
        return record
    kept, fills = np.cumsum(new) - 1, record.fills
    main = (fills["data"] == record.frame.attrs["symbol"]).to_numpy()
    bar = fills["bar"].to_numpy(dtype=np.int64)
    fills = fills.assign(bar=np.where(main, kept[np.where(main, bar, 0)], bar))
    if main.all():
        fills["time"] = stamps[new][fills["bar"].to_numpy()]
    late = int(np.count_nonzero(~new))
    text = f"warning: {late} bar{'s' * (late > 1)} came again, left out of chart and tables"
    return replace(
        record,
        frame=record.frame[new],
        equity=record.equity[new],
        position=record.position[new],
        holdings=None if record.holdings is None else record.holdings[new],
        flows=None if record.flows is None else np.diff(np.cumsum(record.flows)[new], prepend=0.0),
        signals=record.signals[new],
        fills=fills,
        remarks=[*record.remarks, text],
    )
