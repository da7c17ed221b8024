"""Bars as the event study reads them: sessions, times of day, forward and abnormal returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.errors import InputError

#: Bars ahead, or "close" for the last close of the session.
Horizon: TypeAlias = int | Literal["close"]

#: Horizons that one looks at unasked.
INTRADAY_HORIZONS: tuple[Horizon, ...] = (1, 5, 15, 30, 60, "close")
DAILY_HORIZONS: tuple[Horizon, ...] = (1, 5, 10, 21)

_ROUNDING = 1e-14  # a ratio of prices, less 1, is known to 2e-16 only
_TINY = 1e-9  # minutes; a bar that ends where a slot ends belongs to that slot


@dataclass(frozen=True)
class Bars:
    """One symbol's bars, checked; made by `checked_bars`.

    Attributes
    ----------
    open, close : ndarray of shape (n_bars,)
        Prices; NaN where unknown or not positive.
    session : ndarray of int, shape (n_bars,)
        Session id of each bar, never falling.
    minutes : ndarray of shape (n_bars,) or None
        Minutes from the session's open to each bar's close; None where no times were given.
    """

    open: FloatArray
    close: FloatArray
    session: IntArray
    minutes: FloatArray | None

    @cached_property
    def last(self) -> IntArray:
        """Return the index of the last bar of each bar's session, shape (n_bars,)."""
        ends = np.flatnonzero(np.append(self.session[1:] != self.session[:-1], True))
        return np.repeat(ends, np.diff(ends, prepend=-1))

    @cached_property
    def number(self) -> IntArray:
        """Return the place of each bar in its session, 0 for the first, shape (n_bars,)."""
        starts = np.flatnonzero(np.append(True, self.session[1:] != self.session[:-1]))
        counts = np.diff(np.append(starts, self.session.size))
        return np.arange(self.session.size) - np.repeat(starts, counts)

    @cached_property
    def daily(self) -> bool:
        """Return whether every session has one bar (or the bars are longer still)."""
        return bool((self.number == 0).all())

    @cached_property
    def bar_minutes(self) -> float:
        """Return the usual length of a bar: the median step within sessions; NaN without times."""
        if self.minutes is None or self.daily:
            return float("nan")
        steps = np.diff(self.minutes)[self.number[1:] > 0]
        return float(np.median(steps))

    @cached_property
    def regular(self) -> bool:
        """Return whether so many bars are always the same time: 99 % of them follow the last one.

        Daily bars may leave out holidays; those of weeks or months, or of a file with holes, are
        not regular, nor are bars without times.
        """
        if self.daily:
            gaps = np.diff(np.unique(self.session))
            return bool(gaps.size == 0 or (np.median(gaps) == 1.0 and np.mean(gaps <= 5) >= 0.99))
        if self.minutes is None:
            return False
        steps = np.diff(self.minutes)[self.number[1:] > 0]
        return bool(np.mean(np.abs(steps - self.bar_minutes) < _TINY) >= 0.99)

    def buckets(self, width: float) -> IntArray:
        """Return the time-of-day bucket of each bar, floor(minutes before the bar / width).

        One bucket for daily bars and without times.
        """
        if self.minutes is None or self.daily:
            return np.zeros(self.session.size, dtype=np.int64)
        before = self.minutes - self.bar_minutes
        return np.floor((before + _TINY) / width).astype(np.int64)

    @cached_property
    def slots(self) -> IntArray:
        """Return a number that bars at the same time of different sessions share, 0 upwards.

        Without times it is the bar's place in its session. A second bar of a session in the same
        slot (irregular bars) gets a slot of its own, so that no session has a slot twice.
        """
        if self.minutes is None or self.daily:
            return self.number
        slot = np.floor((self.minutes - _TINY) / self.bar_minutes).astype(np.int64)
        again = pd.Series(slot).groupby([self.session, slot]).cumcount().to_numpy()
        pair = np.stack([slot, again], axis=1)
        return np.asarray(np.unique(pair, axis=0, return_inverse=True)[1]).reshape(-1)

    def forward(self, horizon: Horizon) -> FloatArray:
        """Return close[t+horizon]/open[t+1] - 1, NaN where it would leave the session.

        For daily bars, where it would leave the data. "close" runs to the session's last close.
        Decimals, shape (n_bars,).
        """
        n = self.session.size
        bar = np.arange(n)
        end = self.last if horizon == "close" else bar + horizon
        limit = n - 1 if self.daily else self.last
        valid = (end > bar) & (end <= limit)
        out = np.full(n, np.nan)
        t = bar[valid]
        out[t] = self.close[end[valid]] / self.open[t + 1] - 1.0
        return out

    def abnormal(self, forward: FloatArray, time_bucket: float) -> FloatArray:
        """Return forward returns minus their mean over all bars of the same bucket, (n_bars,)."""
        known = np.isfinite(forward)
        _, own = np.unique(self.buckets(time_bucket), return_inverse=True)
        own = own.reshape(-1)
        count = np.bincount(own, weights=known)
        total = np.bincount(own, weights=np.where(known, forward, 0.0))
        mean = np.divide(total, count, out=np.full(count.size, np.nan), where=count > 0)
        excess = np.asarray(forward - mean[own])
        excess[np.abs(excess) < _ROUNDING] = 0.0
        return excess

    def longest(self) -> int:
        """Return the number of bars of the longest session (of the data, for daily bars)."""
        return self.session.size if self.daily else int(self.number.max()) + 1


def checked_bars(
    open: npt.ArrayLike,  # noqa: A002 - the price's name everywhere
    close: npt.ArrayLike,
    session: npt.ArrayLike,
    *,
    stamps: pd.DatetimeIndex | None = None,
    minutes_open: npt.ArrayLike | None = None,
) -> Bars:
    """Return the bars, refused where they cannot be studied.

    Parameters
    ----------
    open, close : array of shape (n_bars,)
        Prices, oldest first. NaN, and prices not above 0, of which no return can be taken, give
        unknown returns.
    session : array of shape (n_bars,)
        Integer session id of each bar; never falls.
    stamps : DatetimeIndex of length n_bars, optional
        Bar closes with a time zone, that of the exchange. The session's open is taken to be the
        usual (median) start of its first bar, by the wall clock.
    minutes_open : array of shape (n_bars,), optional
        Minutes from the session's open, by the calendar, to each bar's close, as the frames of
        `hpi_bt.sources` carry it; goes before `stamps`.

    Raises
    ------
    InputError
        No bar, lengths differ, sessions fall or are no whole numbers, times are not finite or not
        sorted, or stamps have no time zone.
    """
    opens, closes = (np.array(a, dtype=np.float64) for a in (open, close))
    ids = np.asarray(session, dtype=np.float64)
    shapes = {"open": opens.shape, "close": closes.shape, "session": ids.shape}
    if opens.ndim != 1 or len(set(shapes.values())) > 1 or opens.size == 0:
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise InputError(f"bars: shapes {found}; give one value per bar and at least one bar")
    if not (np.isfinite(ids) & (ids == np.floor(ids))).all() or (np.diff(ids) < 0.0).any():
        raise InputError("session: ids must be whole and never fall; sort the bars by time")
    for price in (opens, closes):
        price[~(np.isfinite(price) & (price > 0.0))] = np.nan
    bars = Bars(opens, closes, ids.astype(np.int64), None)
    minutes = _minutes(bars, stamps, minutes_open)
    return Bars(opens, closes, bars.session, minutes)


def _minutes(
    bars: Bars, stamps: pd.DatetimeIndex | None, minutes_open: npt.ArrayLike | None
) -> FloatArray | None:
    """Return minutes from the session's open to each close, from whichever input was given."""
    n = bars.session.size
    if minutes_open is not None:
        minutes = np.asarray(minutes_open, dtype=np.float64)
        if minutes.shape != (n,) or not np.isfinite(minutes).all():
            raise InputError(f"minutes_open: shape {minutes.shape}; give {n} finite minutes")
    elif stamps is not None:
        minutes = _minutes_by_clock(bars, stamps)
    else:
        return None
    back = np.flatnonzero((np.diff(minutes) <= 0.0) & (bars.number[1:] > 0))
    if back.size and not bars.daily:
        name = "stamps" if minutes_open is None else "minutes_open"
        raise InputError(
            f"{name}: bar {back[0] + 1} is not later in its session than the bar before; "
            "sort the bars by time and drop doubles"
        )
    return minutes


def _minutes_by_clock(bars: Bars, stamps: pd.DatetimeIndex) -> FloatArray:
    """Return minutes since the usual open, on the stamps' wall clock; in (0, 1440]."""
    if len(stamps) != bars.session.size:
        raise InputError(f"stamps: {len(stamps)} for {bars.session.size} bars; give one per bar")
    if stamps.tz is None:
        raise InputError("stamps: no time zone; give tz_localize() the exchange's zone first")
    local = stamps.tz_localize(None)
    clock = np.asarray((local - local.normalize()) / pd.Timedelta(minutes=1), dtype=np.float64)
    inside = bars.number[1:] > 0
    step = float(np.median(np.diff(clock)[inside] % 1440.0)) if inside.any() else 0.0
    usual_open = float(np.median(clock[bars.number == 0])) - step
    minutes: FloatArray = (clock - usual_open - _TINY) % 1440.0 + _TINY
    return minutes


def is_event(signal: FloatArray, direction: int) -> BoolArray:
    """Return where the signal points that way, by its sign; NaN does not; shape (n_bars,)."""
    return np.asarray(signal * direction > 0.0)


def usual_horizons(symbols: Sequence[Bars]) -> tuple[list[Horizon], list[Horizon]]:
    """Return the horizons that one looks at unasked, and those of them that no session holds."""
    daily, longest = symbols[0].daily, max(bars.longest() for bars in symbols)
    usual: tuple[Horizon, ...] = DAILY_HORIZONS if daily else INTRADAY_HORIZONS
    fits = [h for h in usual if isinstance(h, str) or h < longest]
    return fits, [h for h in usual if h not in fits]


def checked_horizons(horizons: Sequence[Horizon], symbols: Sequence[Bars]) -> list[Horizon]:
    """Return the horizons, refused where one is none or longer than any session (or the data)."""
    daily, longest = symbols[0].daily, max(bars.longest() for bars in symbols)
    where = "the data has" if daily else "the longest session has"
    out: list[Horizon] = []
    for horizon in horizons:
        if isinstance(horizon, str):
            if horizon != "close" or daily:
                hint = "'close' needs intraday bars" if horizon == "close" else "no such horizon"
                raise InputError(f"horizons: {horizon!r}: {hint}; give bars ahead")
            out.append("close")
        elif not isinstance(horizon, int | np.integer) or horizon < 1:
            raise InputError(f"horizons: {horizon!r}; give whole bars from 1 on, or 'close'")
        elif horizon >= longest:
            raise InputError(
                f"horizons: {horizon} bars, but {where} {longest}; give at most {longest - 1}"
            )
        else:
            out.append(int(horizon))
    if not out or len(set(out)) < len(out):
        raise InputError(f"horizons: {list(horizons)}; give at least one, each once")
    return out
