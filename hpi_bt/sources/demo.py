"""A simulated market: prices, volumes, put and call flow and open interest of one fund."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.errors import InputError
from hpi_bt.sources.base import Locations, Settings
from hpi_bt.sources.demo_bars import bar_grid, simulate_bars
from hpi_bt.sources.demo_options import (
    far_volumes,
    near_part,
    option_volumes,
    simulate_pressure,
    strike_ladder,
)

BAR_MINUTES = {"1min": 1, "5min": 5, "15min": 15, "30min": 30, "60min": 60, "1day": 1440}

_STREAMS = (
    *("vol_day", "vol_bar", "gap", "open", "close", "high", "low"),
    *("shares_day", "shares_bar", "futures_oi"),
    *("pressure_day", "pressure_bar", "options_day", "options_bar", "put_share"),
    *("opened", "strikes", "contracts"),
    *("far_day", "far_bar"),  # new ones go last: a stream is known by its place
)


class DemoSource(Settings):
    """A market simulator: no file, no network; everything made from it says DEMO."""

    kind: Literal["demo"] = "demo"
    symbol: str = "IWM"
    """Name on the charts; each symbol has a history of its own."""
    sessions: int = Field(60, ge=1, le=5_000)
    """Number of exchange sessions from `start` on."""
    bar: Literal["1min", "5min", "15min", "30min", "60min", "1day"] = "1min"
    seed: int = Field(7, ge=0)
    edge: float = Field(0.0, ge=-1.0, le=1.0)
    """Expected return of the next bar, in units of its volatility, per unit of hedging pressure.

    Positive: heavy put flow is followed by rising prices. 0: flow says nothing about price.
    """
    start: date = date(2024, 1, 2)
    price: float = Field(200.0, gt=0.0)
    """Price before the first bar, in dollars."""
    near_money_pct: float | None = Field(None, gt=0.0, le=2.5)
    """Hedging pressure shows in strikes within so many percent of the session's open alone; nine
    tenths of the volume trade beyond three times that and know nothing of it."""

    def read(self, where: Locations, calendar: str = "XNYS") -> pd.DataFrame:
        """Return the simulated bars on `calendar`; `where` is not used (see `simulate`)."""
        return simulate(self, calendar).frame


@dataclass(frozen=True)
class DemoMarket:
    """What `simulate` returns.

    Parameters
    ----------
    frame : DataFrame
        Bars, index = bar close.
    pressure : Series
        The latent standardised hedging pressure of each bar; only a test may look at it.
    strikes : ndarray of shape (n_strikes,)
        The ladder, in dollars.
    dates : DatetimeIndex of length n_sessions
        Session dates, without time zone.
    ladder_open_interest, ladder_volume : ndarray of shape (n_sessions, 2, n_strikes)
        Contracts; axis 1 is puts, calls. Open interest is the count before the session's open.
    seed : SeedSequence
        Places each contract of a session in a bar when `strike_volumes` is called.
    near : ndarray of shape (n_sessions, n_strikes), optional
        Where the strikes are that hedging pressure shows in; None where it shows in all.
    near_volume : ndarray of shape (n_bars, 2), optional
        Puts and calls of each bar in those strikes.
    """

    frame: pd.DataFrame
    pressure: pd.Series
    strikes: FloatArray
    dates: pd.DatetimeIndex
    ladder_open_interest: IntArray
    ladder_volume: IntArray
    seed: np.random.SeedSequence
    near: BoolArray | None = None
    near_volume: IntArray | None = None

    @cached_property
    def open_interest(self) -> pd.DataFrame:
        """Return session_date, strike, right ("P", "C"), open_interest (before the open, > 0)."""
        day, right, strike = np.nonzero(self.ladder_open_interest)
        return pd.DataFrame(
            {
                "session_date": self.dates[day],
                "strike": self.strikes[strike],
                "right": np.array(["P", "C"])[right],
                "open_interest": self.ladder_open_interest[day, right, strike],
            }
        )

    def strike_volumes(self, session_date: date | pd.Timestamp) -> pd.DataFrame:
        """Return close_time, strike, right, volume (> 0) of one session's bars.

        Sums over strikes are the bars' put and call volume, sums over bars `ladder_volume`.
        """
        if pd.Timestamp(session_date) not in self.dates:
            raise InputError(
                f"demo: no session on {pd.Timestamp(session_date):%Y-%m-%d}; "
                f"take one of {self.dates[0]:%Y-%m-%d} to {self.dates[-1]:%Y-%m-%d}"
            )
        day = int(self.dates.get_loc(pd.Timestamp(session_date)))  # type: ignore[arg-type]
        index = pd.DatetimeIndex(self.frame.index)
        ours = np.asarray(index.tz_localize(None).normalize() == self.dates[day])
        bars = self.frame[ours]
        rng = np.random.default_rng(np.random.SeedSequence(self.seed.entropy, spawn_key=(99, day)))
        parts = []
        for side, name in enumerate(("put_volume", "call_volume")):
            by_bar = bars[name].to_numpy().astype(np.int64)
            groups = [(self.ladder_volume[day, side], by_bar)]
            if self.near is not None and self.near_volume is not None:
                close, near_by_bar = self.near[day], self.near_volume[ours, side]
                groups = [
                    (np.where(close, groups[0][0], 0), near_by_bar),
                    (np.where(close, 0, groups[0][0]), by_bar - near_by_bar),
                ]
            table = np.sum([_placed(*group, rng) for group in groups], axis=0)
            place = np.flatnonzero(table)
            at, strike = np.divmod(place, self.strikes.size)
            columns: dict[str, Any] = {"close_time": bars.index[at], "strike": self.strikes[strike]}
            parts.append(pd.DataFrame(columns | {"right": "PC"[side], "volume": table[place]}))
        joined = pd.concat(parts).sort_values(["close_time", "strike", "right"])
        return joined.reset_index(drop=True)


def _placed(by_strike: IntArray, by_bar: IntArray, rng: np.random.Generator) -> IntArray:
    """Return the contracts of each bar and strike, flat, drawn to have these sums."""
    contracts = np.repeat(np.arange(by_strike.size), by_strike)
    rng.shuffle(contracts)
    bar = np.repeat(np.arange(by_bar.size), by_bar)
    return np.bincount(bar * by_strike.size + contracts, minlength=by_bar.size * by_strike.size)


def simulate(settings: DemoSource, calendar: str = "XNYS") -> DemoMarket:
    """Return a whole simulated market.

    Parameters
    ----------
    settings : DemoSource
    calendar : str
        Exchange calendar; its half days, breaks and holidays are honoured.

    Returns
    -------
    market : DemoMarket
        Its frame has open, high, low, close (dollars), volume (shares), openinterest (a
        futures-like count before the open that moves by at most the session's volume), put_volume,
        call_volume (contracts of the bar) and put_oi, call_oi (contracts before the open).

    Notes
    -----
    u = sqrt(1/2) (session level) + sqrt(1/2) (AR(1) within the session), of unit variance.
    Log odds of the put share = base + 0.45 u + noise. Close-to-close return of bar t, less the gap:
    sigma_t (edge clip(u_{t-1}, -3, 3) + e_t) - sigma_t^2/2. Every quantity has a random stream of
    its own: at edge 0 prices and flow are independent, and another edge meets the same noise.
    The first n sessions are the same for any number of sessions.
    """
    step = BAR_MINUTES[settings.bar]
    grid = bar_grid(calendar, settings.start, settings.sessions, step)
    seed = np.random.SeedSequence([settings.seed, zlib.crc32(settings.symbol.encode())])
    rng = {
        name: np.random.Generator(np.random.PCG64(child))
        for name, child in zip(_STREAMS, seed.spawn(len(_STREAMS)), strict=True)
    }
    pressure = simulate_pressure(grid, rng, step)
    columns = simulate_bars(
        grid, rng, pressure, step=step, price=settings.price, edge=settings.edge
    )
    put, call = option_volumes(grid, rng, pressure, step)
    first = np.flatnonzero(grid.place == 0)
    near, bands = None, dict[str, Any]()
    if settings.near_money_pct is not None:
        far = far_volumes(grid, rng, put, call, step)
        near = np.stack([near_part(put), near_part(call)], axis=1).astype(np.int64)
        put, call = near[:, 0] + far[0], near[:, 1] + far[1]
        bands = {"far": _sums(far, first), "near_pct": settings.near_money_pct}
    strikes, traded, held, close = strike_ladder(
        columns["open"][first], _sums((put, call), first), settings.price, rng, **bands
    )
    puts, calls = held.sum(axis=2)[grid.session].T
    columns |= {"put_volume": put, "call_volume": call, "put_oi": puts, "call_oi": calls}
    frame = pd.DataFrame(columns, index=grid.close_time, dtype=np.float64)
    frame.attrs = {
        "symbol": settings.symbol,
        "bar_minutes": float(step),
        "calendar": calendar,
        "demo": f"simulated market, seed {settings.seed}, edge {settings.edge:g}",
        "notes": [f"DEMO: {settings.sessions} simulated sessions, no real price or trade"],
    }
    latent = pd.Series(pressure, index=grid.close_time, name="pressure")
    close_by = None if near is None else close
    return DemoMarket(frame, latent, strikes, grid.dates, held, traded, seed, close_by, near)


def _sums(sides: tuple[FloatArray, FloatArray], first: IntArray) -> FloatArray:
    """Return puts and calls of each session, whose bars begin at `first`; (n_sessions, 2)."""
    return np.stack([np.add.reduceat(side, first) for side in sides], axis=1)
