"""The share market of the demo: bars of an exchange's sessions, prices, volume, futures count."""

from __future__ import annotations

import warnings
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.errors import InputError, did_you_mean
from hpi_bt.sources.calendars import exchange_of
from hpi_bt.sources.hours import session_bounds

#: One random generator for each quantity, by name.
Streams: TypeAlias = dict[str, np.random.Generator]

# Magnitudes of a liquid small-cap fund.
_DAILY_VOL, _OVERNIGHT = 0.0125, 0.3  # per session; share of its variance that is the gap
_SHARES = 30e6  # mean of a full session
_VOL_DAY_SD, _VOL_DAY_PHI = 0.3, 0.95  # log volatility from session to session
_VOL_BAR_SD, _VOL_BAR_MINUTES = 0.5, 43.0  # log volatility within the session, and its memory
_FUTURES_OI, _FUTURES_OI_SD = 45e6, 0.015  # the futures-like count and its log change

# Density over the session: 1 + at_open exp(-x/width) + at_close exp(-(1-x)/end_width).
_U_VARIANCE = (5.0, 0.08, 1.5, 0.06)
_U_SHARES = (2.5, 0.07, 4.0, 0.04)


class Grid(NamedTuple):
    """The bars of every session: stamps, session number and place within the session."""

    close_time: pd.DatetimeIndex
    dates: pd.DatetimeIndex
    session: IntArray
    place: IntArray
    left: FloatArray
    right: FloatArray
    length: FloatArray

    def within(self, noise: FloatArray, phi: float) -> FloatArray:
        """Return per bar a unit-variance AR(1) that starts afresh each session."""
        table = np.zeros((int(self.place.max()) + 1, len(self.dates)))
        table[self.place, self.session] = noise
        result: FloatArray = ar1(table, phi)[self.place, self.session]
        return result

    def shape(self, at_open: float, width: float, at_close: float, end_width: float) -> FloatArray:
        """Return each bar's share of a full session's activity, shape (n_bars,)."""

        def activity_until(x: FloatArray) -> FloatArray:
            start = at_open * width * -np.expm1(-x / width)
            end = at_close * end_width * (np.exp((x - 1) / end_width) - np.exp(-1 / end_width))
            return np.asarray(x + start + end)

        whole = activity_until(np.ones(1))
        share = (activity_until(self.right) - activity_until(self.left)) / whole
        return np.asarray(share * self.length[self.session])


@lru_cache(maxsize=8)
def _schedule(calendar: str, start: date, sessions: int) -> tuple[pd.DataFrame, Any]:
    """Return the calendar's schedule from `start` on, at least `sessions` rows, and its zone."""
    import exchange_calendars as xc
    from exchange_calendars.errors import CalendarError

    name = exchange_of(calendar)
    if name not in (names := xc.get_calendar_names()):
        raise InputError(f"calendar {calendar!r} is not known{did_you_mean(calendar, names)}")
    end = start + timedelta(days=60 + 2 * sessions)
    try:
        with warnings.catch_warnings():  # exchange_calendars uses what pandas 4 will change
            warnings.simplefilter("ignore", DeprecationWarning)
            found = xc.get_calendar(name, start=str(start), end=str(end))
            schedule = found.schedule.iloc[: max(sessions, 10)]
    except (ValueError, CalendarError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"demo: start {start} with {sessions} sessions: {reason}") from None
    return _with_hours(schedule, calendar), found.tz


def _with_hours(schedule: pd.DataFrame, calendar: str) -> pd.DataFrame:
    """Return the schedule with the market's hours, or those given; breaks outside them are none."""
    days = np.array([day.toordinal() for day in pd.DatetimeIndex(schedule.index)])
    opens, closes, _ = session_bounds(days, calendar)
    utc = [pd.DatetimeIndex(at.astype("M8[ns]"), tz="UTC") for at in (opens, closes)]
    out = schedule.assign(open=utc[0], close=utc[1])
    inside = (out["open"] < out["break_start"]) & (out["break_end"] < out["close"])
    return out.assign(**{c: out[c].where(inside) for c in ("break_start", "break_end")})


def bar_grid(calendar: str, start: date, sessions: int, step: int) -> Grid:
    """Return the bars of `step` minutes; 1440 makes one bar a session."""
    schedule, zone = _schedule(calendar, start, sessions)
    columns = ["open", "break_start", "break_end", "close"]
    utc = schedule[columns].apply(lambda column: column.dt.tz_localize(None))
    minutes = utc.to_numpy(dtype="datetime64[m]").astype(np.int64)
    pauses = np.where(schedule["break_start"].isna(), 0, minutes[:, 2] - minutes[:, 1])
    traded = minutes[:, 3] - minutes[:, 0] - pauses
    closes, left, right = [], [], []
    for (start_at, pause, resume, end_at), whole, gap in zip(
        minutes[:sessions], traded, pauses, strict=False
    ):
        pieces = [(start_at, pause), (resume, end_at)] if gap else [(start_at, end_at)]
        if step == 1440:
            at, until = np.array([end_at]), np.array([float(whole)])
        else:
            at = np.concatenate([np.append(np.arange(a + step, b, step), b) for a, b in pieces])
            until = (at - start_at - np.where(at > resume, gap, 0) if gap else at - start_at) * 1.0
        closes.append(at)
        right.append(until / whole)
        left.append(np.append(0.0, right[-1][:-1]))
    counts = [len(at) for at in closes]
    session = np.repeat(np.arange(len(counts)), counts)
    stamps = pd.DatetimeIndex(np.concatenate(closes).astype("datetime64[m]").astype("M8[ns]"))
    return Grid(
        stamps.tz_localize("UTC").tz_convert(zone).rename("close_time"),
        pd.DatetimeIndex(schedule.index[:sessions]).tz_localize(None),
        session,
        np.concatenate([np.arange(n) for n in counts]),
        np.concatenate(left),
        np.concatenate(right),
        traded[:sessions] / traded[:10].max(),
    )


def ar1(noise: FloatArray, phi: float) -> FloatArray:
    """Return the unit-variance AR(1) along axis 0 that `noise` drives, stationary at once."""
    out: FloatArray = noise * np.sqrt(1 - phi * phi)
    out[:1] = noise[:1]
    for t in range(1, len(out)):
        out[t] += phi * out[t - 1]
    return out


def simulate_bars(
    grid: Grid, rng: Streams, pressure: FloatArray, *, step: int, price: float, edge: float
) -> dict[str, FloatArray]:
    """Return open, high, low, close, volume and openinterest, each of shape (n_bars,).

    `pressure` (n_bars,) moves the next bar by `edge` times that bar's volatility; `step` is the
    bar's minutes, `price` the dollars before the first bar.
    """
    n, days = grid.session.size, len(grid.dates)
    day = _VOL_DAY_SD * ar1(rng["vol_day"].standard_normal(days), _VOL_DAY_PHI)
    m = step / _VOL_BAR_MINUTES  # a long bar averages what varies within it
    sd = _VOL_BAR_SD * np.sqrt(2 * (m - 1 + np.exp(-m))) / m
    inside = sd * grid.within(rng["vol_bar"].standard_normal(n), float(np.exp(-m)))
    log_vol = day[grid.session] + inside
    level = _DAILY_VOL * np.exp(-(_VOL_DAY_SD**2))
    usual = level * np.sqrt((1 - _OVERNIGHT) * grid.shape(*_U_VARIANCE))
    sigma = usual * np.exp(log_vol - sd**2)
    known = np.clip(np.append(0.0, pressure[:-1]), -3, 3)
    change = sigma * (edge * known + rng["close"].standard_normal(n)) - sigma**2 / 2
    gap_sigma = level * np.sqrt(_OVERNIGHT) * np.exp(day)
    gap = gap_sigma * rng["gap"].standard_normal(days) - gap_sigma**2 / 2
    gap[0] = 0.0
    close = np.cumsum(np.where(grid.place == 0, gap[grid.session], 0.0) + change)
    volume = _share_volume(grid, rng, log_vol, step, _VOL_DAY_SD**2 + sd**2)
    columns = _dollars(rng, close - change, close, sigma, price)
    held = _futures_open_interest(grid, rng, volume)
    return columns | {"volume": volume, "openinterest": held}


def _dollars(
    rng: Streams, start: FloatArray, close: FloatArray, sigma: FloatArray, price: float
) -> dict[str, FloatArray]:
    """Return open, high, low, close in whole ticks from log prices relative to `price`."""
    n = close.size
    opened = start + 0.05 * sigma * rng["open"].standard_normal(n)
    columns = {"open": opened}
    for name, side in (("high", 1.0), ("low", -1.0)):
        # the extreme of a Brownian bridge from open to close, drawn by inversion
        reach = np.sqrt((close - opened) ** 2 + 2 * sigma**2 * rng[name].standard_exponential(n))
        columns[name] = (opened + close + side * reach) / 2
    columns["close"] = close
    decimals = 2 if price >= 20 else 4
    tick = 10.0**-decimals
    return {k: np.maximum(np.round(price * np.exp(x), decimals), tick) for k, x in columns.items()}


def _share_volume(
    grid: Grid, rng: Streams, log_vol: FloatArray, step: int, log_vol_variance: float
) -> FloatArray:
    """Return whole shares a bar, more of them where volatility is high; shape (n_bars,)."""
    day = 0.15 * rng["shares_day"].standard_normal(len(grid.dates))
    bar = 0.35 / np.sqrt(step) * rng["shares_bar"].standard_normal(grid.session.size)
    mean = 0.36 * log_vol_variance / 2 + 0.15**2 / 2 + 0.35**2 / step / 2
    activity = np.exp(0.6 * log_vol + day[grid.session] + bar - mean)
    return np.asarray(np.rint(_SHARES * grid.shape(*_U_SHARES) * activity))


def _futures_open_interest(grid: Grid, rng: Streams, volume: FloatArray) -> FloatArray:
    """Return the count before each session's open, per bar; it moves by at most the volume."""
    traded = np.bincount(grid.session, weights=volume)
    noise = _FUTURES_OI_SD * rng["futures_oi"].standard_normal(traded.size)
    count = np.empty(traded.size)
    count[0] = _FUTURES_OI
    for day in range(1, count.size):
        wanted = _FUTURES_OI * (count[day - 1] / _FUTURES_OI) ** 0.98 * np.exp(noise[day - 1])
        limit = traded[day - 1]
        count[day] = count[day - 1] + np.clip(np.rint(wanted - count[day - 1]), -limit, limit)
    return np.asarray(count[grid.session])
