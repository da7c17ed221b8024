"""One Backtrader feed that carries price and hedge columns as lines.

It loads its columns in bulk and advances without the per-bar copying of the stock feeds; with
filters, resampling, replay, `tzinput`, `exactbars` or `preload=False` it behaves as stock feeds do.
"""

from __future__ import annotations

import array
import re
import warnings
from collections.abc import Iterable
from datetime import time
from itertools import chain, count
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError
from hpi_bt.sources.bars import NONPOSITIVE, check_amounts, check_bars, check_positive
from hpi_bt.sources.midnights import are_first_days, at_midnight, ends_of_days

RESAMPLE_FIRST = "resample the frame first, with hb.resample(frame, minutes) or with pandas"
_STOCK = ("close", "low", "high", "open", "volume", "openinterest", "datetime")
_TAKEN = {name for name in dir(bt.lineseries.Lines) if not name.startswith("__")}
_NS_PER_DAY = 86_400_000_000_000
_PRICED = "drop or blank such bars, or give HedgeData(frame, allow_nonpositive=True)"
_UNIX_EPOCH = 719_163  # date(1970, 1, 1).toordinal()


def backtrader_dates(index: pd.DatetimeIndex) -> FloatArray:
    """Return the stamps as Backtrader counts them: days since year 1, UTC, shape (n_bars,)."""
    ns = np.asarray(index.as_unit("ns").asi8)
    days, rest = np.divmod(ns, _NS_PER_DAY)
    result: FloatArray = (days + _UNIX_EPOCH) + rest / _NS_PER_DAY
    return result


def bar_minutes(data: Any) -> float:
    """Return the length of a feed's bars by its timeframe; 1440 for days and longer."""
    lengths = {bt.TimeFrame.Minutes: 1.0, bt.TimeFrame.Seconds: 1.0 / 60.0}
    return float(data._compression * lengths.get(data._timeframe, 1440.0))


def _line_name(column: Any) -> str:
    """Return the line that a column becomes: put_volume of "Put Volume", _52w of "52w"."""
    name = re.sub(r"\W+", "_", str(column).strip().lower())
    return f"_{name}" if name[:1].isdigit() or not name else name


def _checked(frame: Any, allow_nonpositive: bool = False) -> pd.DataFrame:
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"HedgeData: dataname must be a DataFrame, got {type(frame).__name__}")
    if isinstance(frame.columns, pd.MultiIndex):
        raise InputError("HedgeData: columns have two levels; select one symbol: frame['IWM']")
    if not isinstance(frame.index, pd.DatetimeIndex):
        kind = type(frame.index).__name__
        raise InputError(f"HedgeData: the index must be a DatetimeIndex of bar closes, got {kind}")
    if not frame.index.is_monotonic_increasing or not frame.index.is_unique:
        raise InputError("HedgeData: stamps must increase; sort the frame and drop duplicates")
    checked: pd.DataFrame
    checked = frame.set_axis([_line_name(c) for c in frame.columns], axis=1)
    checked.attrs = dict(frame.attrs)
    missing = [c for c in ("open", "high", "low", "close") if c not in checked]
    if missing:
        found = ", ".join(checked.columns)
        raise InputError(f"HedgeData: no column {missing[0]!r} (found: {found})")
    _check_columns(checked)
    if allow_nonpositive:
        checked.attrs[NONPOSITIVE] = True
    check_amounts(checked, name="HedgeData")
    check_positive(checked, name="HedgeData", remedy=_PRICED)
    try:
        check_bars(checked, name="HedgeData", remedy="fix or drop such bars")
    except InputError as odd:  # a test of look-ahead may change prices on purpose
        warnings.warn(str(odd), stacklevel=5)
    return checked


def _check_columns(frame: pd.DataFrame) -> None:
    twice = frame.columns[frame.columns.duplicated()]
    if twice.size:
        raise InputError(f"HedgeData: two columns are called {twice[0]!r}; rename or drop one")
    for name, kind in frame.dtypes.items():
        if name in _TAKEN:
            raise InputError(f"HedgeData: no line can be called {name!r}; rename the column")
        if not pd.api.types.is_numeric_dtype(kind):
            raise InputError(
                f"HedgeData: column {name!r} holds {kind}, no numbers; drop or convert it"
            )


def _zone_name(index: pd.DatetimeIndex) -> str:
    name = str(index.tz)
    try:
        bt.utils.date.tzparse(name)
    except AttributeError:
        raise InputError(
            f"HedgeData: {name!r} is no named time zone; "
            "convert the index: frame.tz_convert('America/New_York')"
        ) from None
    return name


def _bar_minutes(frame: pd.DataFrame) -> float:
    if "bar_minutes" in frame.attrs:
        return float(frame.attrs["bar_minutes"])
    steps = np.diff(pd.DatetimeIndex(frame.index).as_unit("s").asi8) / 60.0
    return float(np.median(steps)) if steps.size else 1440.0


def names_of(datas: Iterable[Any]) -> dict[Any, str]:
    """Return a name of its own for every data, its number added where two share one.

    One without a name has the symbol of its frame, where that knows it. "" is the first alone.
    """
    names: dict[Any, str] = {}
    for i, data in enumerate(datas):
        own = str(data._name or _symbol(data))
        numbered = (f"{own or 'data'}{k}" for k in count(i))
        wanted = chain([own] if own or not i else [], numbered)
        names[data] = next(name for name in wanted if name not in names.values())
    return names


def _symbol(data: Any) -> str:
    frame = getattr(data.p, "dataname", None)
    return str(frame.attrs.get("symbol", "")) if isinstance(frame, pd.DataFrame) else ""


def check_feed(feed: Any, names: Iterable[str], owner: str) -> None:
    """Refuse what Backtrader itself would lose without a word.

    Parameters
    ----------
    feed : bt.AbstractDataBase or None
        The feed behind an input.
    names : iterable of str
        What is wanted of it.
    owner : str
        The class that wants it, for messages.

    Raises
    ------
    InputError
        A line other than prices, of a feed that is resampled or replayed; or `exactbars=1` with
        several datas.
    """
    if feed is None:
        return
    own = [n for n in feed.lines.getlinealiases() if n not in _STOCK]
    lost = [n for n in names if n not in _STOCK]
    if own and lost and (feed.resampling or feed.replaying):
        how = "replayed" if feed.replaying else "resampled"
        raise InputError(
            f"{feed._name or 'the data'} is {how} by Backtrader, which keeps prices and volume "
            f"alone: {_some(lost)} would be NaN",
            where=owner,
            remedy=RESAMPLE_FIRST,
        )
    check_exactbars(getattr(feed, "_env", None), owner)


def _some(names: list[str]) -> str:
    """Return the names, the first five at most and how many more there are."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def check_exactbars(cerebro: Any, owner: str) -> None:
    """Refuse `exactbars=1` with several datas, of which Backtrader loses bars."""
    several = len(getattr(cerebro, "datas", ()))
    if several > 1 and getattr(cerebro, "_exactbars", 0) >= 1:
        raise InputError(
            f"exactbars=1 with {several} datas: Backtrader forgets bars that it still needs",
            where=owner,
            remedy="run with exactbars=-1 or -2, or with one data",
        )


def _same_dates(data: Any, frame: pd.DataFrame) -> bool:
    return _dates(data, ()) is not None and data.p.dataname.index.equals(frame.index)


def _dates(data: Any, datas: Iterable[Any]) -> pd.DatetimeIndex | None:
    """Return the midnights of a feed whose bars are days or longer, in their zone, else None."""
    frame = getattr(data.p, "dataname", None)
    if data._timeframe < bt.TimeFrame.Days or not isinstance(frame, pd.DataFrame):
        return None
    if not isinstance(frame.index, pd.DatetimeIndex) or "calendar" in frame.attrs:
        return None  # a frame of the contract: its stamps are closes
    frames = (getattr(other.p, "dataname", None) for other in datas)
    indexes = (one.index for one in frames if isinstance(one, pd.DataFrame))
    return at_midnight(frame.index, [i.tz for i in indexes if isinstance(i, pd.DatetimeIndex)])


class _MetaHedgeData(type(bt.feed.DataBase)):  # type: ignore[misc]
    """Gives each instance a class with exactly the lines that its frame has."""

    def doprenew(cls, *args: Any, **kwargs: Any) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
        allowed = bool(kwargs.get(NONPOSITIVE, False))
        frame = _checked(args[0] if args else kwargs.get("dataname"), allowed)
        minutes = _bar_minutes(frame)
        daily = minutes >= 1440.0
        frames = bt.TimeFrame
        kwargs.setdefault("timeframe", frames.Days if daily else frames.Minutes)
        kwargs.setdefault("compression", 1 if daily else max(1, round(minutes)))
        index = pd.DatetimeIndex(frame.index)
        if index.tz is not None and kwargs.get("tz") is None:
            kwargs["tz"] = _zone_name(index)
        kwargs["dataname"] = frame
        extra = tuple(c for c in frame.columns if c not in cls._own_lines())
        return cls._with_lines(extra), (), kwargs

    def _own_lines(cls) -> tuple[str, ...]:
        return tuple(cls.lines._getlines())

    def _with_lines(cls, extra: tuple[str, ...]) -> Any:
        if not extra:
            return cls
        name = "|".join((cls.__name__, *extra))  # no column that is a line holds a bar
        module = globals()
        if name not in module or module[name].__mro__[1] is not cls:
            module[name] = type(cls)(name, (cls,), {"lines": extra, "__module__": __name__})
        return module[name]


class HedgeData(bt.feed.DataBase, metaclass=_MetaHedgeData):  # type: ignore[misc]
    """A feed over a DataFrame: `cerebro.adddata(hb.HedgeData(frame))`.

    Parameters
    ----------
    dataname : DataFrame
        Index: bar CLOSE times, increasing; with a time zone, `data.datetime.datetime()` gives that
        zone's wall clock. Columns: open, high, low, close and any others, each of which becomes
        a line of its (lower-case) name; volume and openinterest are NaN where absent.
    allow_nonpositive : bool, default=False
        Prices of 0 or less are prices; else they are refused.

    Daily bars stamped at midnight stay so among their like. Beside data with a time of day in one
    Cerebro they are stamped at the end of their day (`sessionend`, 23:59:59.99999 by default), or
    a whole day would be seen before it began.

    Raises
    ------
    InputError
        No DataFrame, no DatetimeIndex, stamps that do not increase, a price column missing, a price
        of 0 or less, or an infinite value; dates that begin weeks or months beside data with a time
        of day, or of other days.
    """

    params: Any = dict(allow_nonpositive=False)

    def __init__(self) -> None:
        super().__init__()
        self._bulk = self._moved = False

    def start(self) -> None:
        """Lay the columns out as one array for each line."""
        super().start()
        for name in [name for name in vars(self) if name.startswith("tick_")]:
            delattr(self, name)  # left by an earlier run bar by bar; the broker would fill at it
        self._end_days()
        frame, n = self.p.dataname, len(self.p.dataname)
        self._columns = [
            backtrader_dates(frame.index)
            if name == "datetime"
            else frame[name].to_numpy(dtype=np.float64)
            if name in frame
            else np.full(n, np.nan)
            for name in self.getlinealiases()
        ]
        self._row = -1
        self._bulk = False

    def _end_days(self) -> None:
        """Stamp dates at the end of their day where the Cerebro has stamps with a time of day."""
        cerebro = getattr(self, "_env", None)
        if cerebro is None:
            return
        others = [data for data in cerebro.datas if data is not self]
        dates = _dates(self, others)
        if dates is None or not others:
            return
        frame = self.p.dataname
        if are_first_days(dates) and not all(_same_dates(data, frame) for data in others):
            raise InputError(
                f"HedgeData: dates such as {dates[0]:%Y-%m-%d} begin weeks or months, which "
                "other data would see before they are over; index the frame by the close of each "
                "period"
            )
        if all(_dates(data, cerebro.datas) is not None for data in others):
            return
        ends = ends_of_days(dates, self.p.sessionend)
        moved = frame.set_axis(ends.tz_convert(frame.index.tz) if ends.tz else ends, axis=0)
        moved.attrs = frame.attrs
        self.p.dataname, self._moved = moved, True

    def _start_finish(self) -> None:
        super()._start_finish()
        todate = self.p.todate
        if self._moved and todate is not None and todate.time() == time.min:
            self.todate += 1.0  # a day given by its midnight is meant whole

    def addfilter(self, p: Any, *args: Any, **kwargs: Any) -> None:
        """Add a filter; resampling and replay are refused where there are further lines."""
        extra = [name for name in self.getlinealiases() if name not in _STOCK]
        resamplers = bt.resamplerfilter._BaseResampler
        if extra and isinstance(p, type) and issubclass(p, resamplers):
            how = "replay" if issubclass(p, bt.resamplerfilter.Replayer) else "resampling"
            raise InputError(
                f"{how} keeps prices and volume alone and would blank {_some(extra)}",
                where="HedgeData",
                remedy=f"{RESAMPLE_FIRST}, or drop those columns",
            )
        super().addfilter(p, *args, **kwargs)

    def preload(self) -> None:
        """Copy the columns into the lines at once, or bar by bar where a filter needs it."""
        bounded = any(line.mode != line.UnBounded for line in self.lines)
        if self._filters or self._tzinput or bounded:
            super().preload()
            return
        stamps = self._columns[self.getlinealiases().index("datetime")]
        first = int(np.searchsorted(stamps, self.fromdate, side="left"))
        last = int(np.searchsorted(stamps, self.todate, side="right"))
        for line, column in zip(self.lines, self._columns, strict=True):
            values = array.array("d")
            values.frombytes(np.ascontiguousarray(column[first:last]).tobytes())
            values.extend([np.nan] * line.extension)
            line.array = values
        self._bulk, self._row = True, len(self.p.dataname)  # nothing is left for `_load`
        self._all = list(self.lines)
        self._stamps, self._n = self.lines.datetime.array, last - first
        self._first = self._all[0]
        self.home()

    @property
    def bulk(self) -> bool:
        """Whether every bar was loaded at once, so that nothing is left to the per-bar path."""
        return self._bulk

    def _load(self) -> bool:
        self._row += 1
        if self._row >= len(self.p.dataname):
            return False
        for line, column in zip(self.lines, self._columns, strict=True):
            line[0] = column[self._row]
        return True

    def advance(self, size: int = 1, datamaster: Any = None, ticks: bool = True) -> None:
        """Move to the next bar."""
        if not self._bulk or datamaster is not None:
            super().advance(size, datamaster, ticks)
            return
        for line in self._all:
            line._idx += size
            line.lencount += size

    def advance_peek(self) -> float:
        """Return the next bar's stamp, infinity behind the last."""
        if not self._bulk:
            return float(super().advance_peek())
        i = self._first.lencount
        return float(self._stamps[i]) if i < self._n else float("inf")

    def _tick_nullify(self) -> None:
        if not self._bulk:
            super()._tick_nullify()

    def _tick_fill(self, force: bool = False) -> None:
        if not self._bulk:
            super()._tick_fill(force)

    def __getattr__(self, name: str) -> Any:
        # in bulk mode the tick is the bar: no copy is kept
        if name.startswith("tick_") and self.__dict__.get("_bulk"):
            line = "close" if name == "tick_last" else name[5:]
            return getattr(self.lines, line)[0]
        return super().__getattr__(name)


def __getattr__(name: str) -> Any:
    if name.startswith("HedgeData|"):
        return HedgeData._with_lines(tuple(name.split("|")[1:]))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
