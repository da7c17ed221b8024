"""Option chains of the demo market: its ladder of strikes as snapshots through each session."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.errors import InputError
from hpi_bt.options.chain import YEAR, OptionChain
from hpi_bt.options.expiries import expiry_time
from hpi_bt.sources.base import Locations
from hpi_bt.sources.demo import DemoMarket, DemoSource, simulate
from hpi_bt.sources.fingerprints import fingerprint_of
from hpi_bt.sources.hours import session_bounds, session_ordinals
from hpi_bt.sources.snapshots import SnapshotChain

_LEAST_VOL = 0.01


class DemoChains(DemoSource):
    """The option chains of the demo market with the same settings; everything made says DEMO."""

    snapshot_minutes: float = Field(15.0, gt=0, lt=1440)
    """From each session's open on; a bar's close that falls on one gives a snapshot."""
    expiry_days: int = Field(0, ge=0, le=365)
    """Calendar days from each session to the expiry of its ladder; 0: its own close."""
    vol: float = Field(0.2, gt=0.02, le=3.0)
    """Vol at the money, a decimal."""
    skew: float = Field(0.0, allow_inf_nan=False)
    """Its slope in ln(strike/spot); negative: puts dearer."""
    smile: float = Field(0.0, ge=0.0, allow_inf_nan=False)
    """Its curvature, the second derivative in ln(strike/spot)."""
    rate: float = Field(0.0, allow_inf_nan=False)
    dividend: float = Field(0.0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _intraday(self) -> DemoChains:
        if self.bar == "1day":
            raise ValueError("bar: 1day has no moments within a session; take bars of minutes")
        return self

    def open(self, where: Locations, calendar: str) -> DemoSnapshots:
        """Return the snapshots on `calendar`; `where` is not used."""
        return DemoSnapshots(self.model_dump_json(), calendar)


@dataclass(frozen=True)
class DemoSnapshots:
    """Chains of the demo market.

    Parameters
    ----------
    settings : str
        The `DemoChains` as JSON.
    calendar : str

    Notes
    -----
    A chain lists the strikes with open interest or volume so far. `iv` is exact,
    vol + skew y + smile y^2/2 with y = ln(strike/spot), at least 0.01; `last` is the price at
    that vol; `volume` counts from the open, `open_interest` was known before it.
    """

    settings: str
    calendar: str

    @property
    def fingerprint(self) -> str:
        """Return a text that changes with the settings."""
        return fingerprint_of({"demo_chains": self.settings, "calendar": self.calendar})

    @property
    def notes(self) -> tuple[str, ...]:
        """What was made up."""
        made = self.made
        when = f"{made.expiry_days} days later" if made.expiry_days else "at its own close"
        return (
            f"DEMO: chains every {made.snapshot_minutes:g} minutes, vol {100 * made.vol:.0f} % at "
            f"the money, each session's ladder expiring {when}",
        )

    @property
    def demo(self) -> str:
        """What is made up."""
        return f"simulated option chains, seed {self.made.seed}"

    @cached_property
    def times(self) -> pd.DatetimeIndex:
        """Moments of the snapshots, in the exchange's zone, oldest first."""
        return pd.DatetimeIndex(self._market.frame.index[self._bars])

    def chain_at(self, place: int) -> OptionChain:
        """Return the chain of one moment, by its place in `times`."""
        bar = int(self._bars[place])
        rows, spot = self._contracts(int(self._days[bar]), self._bars[place : place + 1])
        contracts = pd.DataFrame(
            {
                "expiry": np.full(len(spot), self._expiries[self._days[bar]]),
                "strike": rows.strike,
                "right": rows.right,
                "iv": rows.iv,
                "last": rows.last,
                "volume": rows.volume,
                "open_interest": rows.open_interest,
            }
        )
        return OptionChain(
            contracts,
            float(spot[0]),
            self.times[place],
            symbol=self.made.symbol,
            calendar=self.calendar,
            rate=self.made.rate,
            dividend=self.made.dividend,
        )

    def contracts(self) -> tuple[SnapshotChain, FloatArray]:
        """Return the contracts of all chains in one table, and the spot; each (n_rows,).

        `expiry` is the moment of expiry in UTC ns.
        """
        days = self._days[self._bars]
        parts = [self._contracts(int(day), self._bars[days == day]) for day in np.unique(days)]
        columns = zip(*(part[0] for part in parts), strict=True)
        joined = SnapshotChain(*(np.concatenate(column) for column in columns))
        return joined, np.concatenate([spot for _, spot in parts])

    def refuse_other_market(self, frame: pd.DataFrame) -> None:
        """Raise InputError where bars are not those of the market that the chains are of."""
        closes = self._market.frame["close"]
        common = frame.index.intersection(closes.index)
        differs = frame.loc[common, "close"].to_numpy() != closes[common].to_numpy()
        if differs.any() or not len(common):
            at = common[int(np.argmax(differs))] if len(common) else frame.index[0]
            raise InputError(
                f"demo chains: of another market than the bars, the first at {at:%Y-%m-%d %H:%M}; "
                "give chains the settings of data.source (symbol, sessions, bar, seed, edge, ...)"
            )

    def _contracts(self, day: int, bars: IntArray) -> tuple[SnapshotChain, FloatArray]:
        """Return the contracts of some bars of one session, and the spot of each."""
        from hpi_bt.options.black_scholes import price  # compiled: not at each start

        made, market = self.made, self._market
        first = int(np.searchsorted(self._days, day))
        volume = _volumes(self.settings, self.calendar, day)[bars - first]
        held = market.ladder_open_interest[day]
        bar, side, at = np.nonzero((held > 0) | (volume > 0))
        strike, right = market.strikes[at], np.where(side == 0, -1, 1)
        index = pd.DatetimeIndex(market.frame.index[bars])
        moment = np.asarray(index.as_unit("ns").asi8)[bar]
        spot = market.frame["close"].to_numpy()[bars][bar]
        expiry = np.full(len(bar), self._expiries[day].as_unit("ns").value)
        y = np.log(strike / spot)
        iv = np.maximum(made.vol + made.skew * y + 0.5 * made.smile * y * y, _LEAST_VOL)
        last = price(
            *(spot, strike, (expiry - moment) / YEAR, iv, right.astype(np.float64)),
            rate=made.rate,
            dividend=made.dividend,
        )
        date = self._expiries[day].tz_localize(None).to_datetime64().astype("M8[D]")
        session = session_ordinals(index, self.calendar)[bar]
        rows = SnapshotChain(
            moment,
            session,
            (session * 2 + (right > 0)) * market.strikes.size + at,
            expiry,
            np.full(len(bar), date.astype(np.int64)),
            strike,
            right,
            volume[bar, side, at],
            held[side, at].astype(np.float64),
            spot,
            last,
            iv,
        )
        return rows, spot

    @property
    def made(self) -> DemoChains:
        """What the chains were asked to be."""
        return _settings(self.settings)

    @property
    def _market(self) -> DemoMarket:
        return _market(self.settings, self.calendar)

    @cached_property
    def _days(self) -> IntArray:
        """Number of each bar's session."""
        index = pd.DatetimeIndex(self._market.frame.index).tz_localize(None).normalize()
        return np.asarray(np.searchsorted(self._market.dates, index))

    @cached_property
    def _expiries(self) -> pd.DatetimeIndex:
        dates = self._market.dates + pd.Timedelta(days=self.made.expiry_days)
        return expiry_time(dates, calendar=self.calendar)

    @cached_property
    def _bars(self) -> IntArray:
        """Places of the bars that close on a snapshot's moment, before their ladder expires."""
        index = pd.DatetimeIndex(self._market.frame.index)
        opens, _, _ = session_bounds(session_ordinals(index, self.calendar), self.calendar)
        at = np.asarray(index.as_unit("ns").asi8)
        step = round(self.made.snapshot_minutes * 60e9)
        alive = at < np.asarray(self._expiries.as_unit("ns").asi8)[self._days]
        bars = np.flatnonzero(((at - opens) % step == 0) & alive)
        if not len(bars):
            raise InputError(
                f"demo chains: no bar of {self.made.bar} closes on a snapshot every "
                f"{self.made.snapshot_minutes:g} minutes; make one a multiple of the other"
            )
        return bars


@lru_cache(maxsize=8)
def _settings(settings: str) -> DemoChains:
    return DemoChains.model_validate_json(settings)


@lru_cache(maxsize=2)
def _market(settings: str, calendar: str) -> DemoMarket:
    return simulate(_settings(settings), calendar)


@lru_cache(maxsize=4)
def _volumes(settings: str, calendar: str, day: int) -> FloatArray:
    """Return the volume since the open by bar, side and strike of one session."""
    market = _market(settings, calendar)
    date = market.dates[day]
    index = pd.DatetimeIndex(market.frame.index)
    closes = index[index.tz_localize(None).normalize() == date]
    parts = market.strike_volumes(date)
    table = np.zeros((len(closes), 2, market.strikes.size))
    bar = np.searchsorted(closes.asi8, pd.DatetimeIndex(parts["close_time"]).asi8)
    side = (parts["right"] == "C").to_numpy().astype(np.int64)
    strike = np.searchsorted(market.strikes, parts["strike"])
    table[bar, side, strike] = parts["volume"]
    return np.cumsum(table, axis=0)
