"""Every contract of every snapshot as one table of arrays, whatever the chains come from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.errors import InputError
from hpi_bt.features.snapshots import Snapshots
from hpi_bt.features.underlying import symbols_of
from hpi_bt.options.chain import OptionChain
from hpi_bt.options.columns import LISTED
from hpi_bt.options.expiries import expiry_time
from hpi_bt.sources.base import Locations
from hpi_bt.sources.chain_importance import by_importance
from hpi_bt.sources.demo_chains import DemoSnapshots
from hpi_bt.sources.fingerprints import fingerprint_of
from hpi_bt.sources.hours import counted, session_bounds, session_ordinals
from hpi_bt.sources.oi_timing import snapshot_timing
from hpi_bt.sources.option_snapshots import OptionSnapshotsSource
from hpi_bt.sources.snapshots import SnapshotChain, increments
from hpi_bt.sources.splits import Splits, split_factors

YEAR = 365 * 86_400 * 10**9  # nanoseconds
EPOCH = 719_163  # ordinal of 1970-01-01
_DAY = 86_400 * 10**9


class ContractRows(NamedTuple):
    """Contracts of snapshots, oldest first.

    Attributes
    ----------
    chain : SnapshotChain of n_rows
        Volume, open interest, prices of the options (`last`) and vols as given; `expiry` is the
        moment of expiry in UTC ns, `expires` its date in days since 1970.
    spot, rate, dividend : ndarray of shape (n_rows,)
        Dollars; continuous, per year.
    traded, held : ndarray of shape (n_rows,)
        Shares under the contracts that the row adds to its session, and that are open.
    notes : tuple of str
        What was found on the way.
    symbols : tuple of str
        What the chains are of, as far as they say.
    """

    chain: SnapshotChain
    spot: FloatArray
    rate: FloatArray
    dividend: FloatArray
    traded: FloatArray
    held: FloatArray
    notes: tuple[str, ...]
    symbols: tuple[str, ...] = ()

    @property
    def tau_years(self) -> FloatArray:
        """Years of 365 days to expiry; 0 or below where expired."""
        return (self.chain.expiry - self.chain.moment) / YEAR

    @property
    def dte(self) -> IntArray:
        """Calendar days from the session to the date of expiry."""
        return self.chain.expires + EPOCH - self.chain.session


class TableChains(OptionSnapshotsSource):
    """A table of snapshots with cumulative volume, as the source `option_snapshots` reads it."""

    rate: float = Field(0.0, allow_inf_nan=False)
    dividend: float = Field(0.0, allow_inf_nan=False)
    multiplier: float = Field(100.0, gt=0, allow_inf_nan=False)
    """Shares per contract; 1 where a feed counts shares and lot_size is 1."""
    expiry_at: str | None = None
    """Time of expiry where it is not the session's close ("15:30")."""

    def fingerprint(self, where: Locations, calendar: str, splits: Splits | None = None) -> str:
        """Return a text that changes with the file and with how it is read."""
        said = self.model_dump(exclude={"path", "bar_minutes"}) | {"calendar": calendar}
        said |= (
            {"splits": {str(day): ratio for day, ratio in sorted(splits.items())}} if splits else {}
        )
        return fingerprint_of(said, [where.find(self.path)])

    def contract_rows(
        self, where: Locations, calendar: str, splits: Splits | None = None
    ) -> ContractRows:
        """Return every contract of the file, those before a split adjusted for it.

        Raises
        ------
        InputError
            The file cannot be read, or does not say when contracts expire.
        """
        found = self.snapshots(where, calendar)
        days, place = np.unique(found.chain.expires, return_inverse=True)
        if len(days) and days[0] < 0:
            raise InputError(
                f"{self.path}: no column 'expiry', which gamma needs; name it under columns"
            )
        dates = pd.DatetimeIndex(days.astype("M8[D]"))
        moments = expiry_time(dates, symbol=self.symbol, calendar=calendar, at=self.expiry_at)
        expiry = np.asarray(moments.as_unit("ns").asi8)[place]
        shares = self.multiplier / self.lot_size
        n, chain = len(place), found.chain._replace(expiry=expiry)
        factors = split_factors(chain.session, splits or {})
        chain = chain._replace(
            strike=chain.strike / factors, last=chain.last / factors,
            volume=chain.volume * factors, open_interest=chain.open_interest * factors,
        )  # fmt: skip
        return ContractRows(
            chain,
            found.price / factors,
            np.full(n, self.rate),
            np.full(n, self.dividend),
            found.flow * factors * shares,
            chain.open_interest * shares,
            found.notes,
            symbols_of([self.symbol or found.symbol]),
        )


def rows_of(snapshots: Snapshots, calendar: str) -> ContractRows:
    """Return every contract of some snapshots, those up to a session's open left out.

    Raises
    ------
    InputError
        Not one snapshot can be read.
    """
    from hpi_bt.features.compute import cleaning_joined, merged  # with all the option mathematics

    if isinstance(snapshots, DemoSnapshots):
        return _demo_rows(snapshots)
    times = snapshots.times
    at = np.asarray(times.as_unit("ns").asi8)
    session = session_ordinals(times, calendar)
    wanted = np.flatnonzero(at > session_bounds(session, calendar)[0])
    notes, parts, failed = list(snapshots.notes), list[tuple[int, OptionChain]](), list[str]()
    for place in wanted.tolist():
        try:
            parts.append((place, snapshots.chain_at(place)))
        except InputError as error:
            failed.append(f"{times[place]:%Y-%m-%d %H:%M %Z}: {error}")
    if not parts:
        first = failed[0] if failed else "none after the open of its session"
        raise InputError(f"chains: not one of {counted(len(at), 'snapshot')} can be used; {first}")
    if failed:
        notes.append(f"{counted(len(failed), 'snapshot')} left out, the first {failed[0]}")
    notes = by_importance((*notes, *cleaning_joined(merged([c.notes for _, c in parts]))))
    size = np.array([len(chain) for _, chain in parts])
    where = np.repeat([place for place, _ in parts], size)
    chain = _joined([chain for _, chain in parts], at[where], session[where])
    units = np.repeat([chain.multiplier for _, chain in parts], size)
    spot, rate, dividend = (
        np.repeat([float(getattr(one, name)) for _, one in parts], size)
        for name in ("spot", "rate", "dividend")
    )
    traded = increments(chain, notes) * units
    held = chain.open_interest * units
    facts = (chain.moment, chain.session, chain.contract, chain.open_interest, chain.volume)
    notes.extend(snapshot_timing(*facts, calendar))
    symbols = symbols_of(one.symbol for _, one in parts)
    return ContractRows(chain, spot, rate, dividend, traded, held, tuple(notes), symbols)


def _demo_rows(snapshots: DemoSnapshots) -> ContractRows:
    """Return the contracts of the demo market without making a chain of each moment."""
    (chain, spot), made, notes = snapshots.contracts(), snapshots.made, list(snapshots.notes)
    n, units = len(spot), OptionChain.multiplier
    traded = increments(chain, notes) * units
    rate, dividend = np.full(n, made.rate), np.full(n, made.dividend)
    return ContractRows(
        chain, spot, rate, dividend, traded, chain.open_interest * units, tuple(notes)
    )


def _joined(chains: list[OptionChain], moment: IntArray, session: IntArray) -> SnapshotChain:
    """Return the contracts of all chains, their places and moments known."""

    def together(name: str) -> FloatArray:
        return np.concatenate([np.asarray(getattr(chain, name)) for chain in chains])

    expiry = np.concatenate([chain.expiry.as_unit("ns").asi8 for chain in chains])
    wall = [chain.expiry.tz_localize(None).as_unit("ns").asi8 for chain in chains]
    strike, right = together("strike"), together("right")
    listed = np.concatenate(
        [pd.DatetimeIndex(c.contracts[LISTED]).as_unit("ns").asi8 for c in chains]
    )
    known = pd.DataFrame({"expiry": expiry, "on": listed, "strike": strike, "right": right})
    groups = known.groupby(list(known)).ngroup()
    contract: IntArray = np.asarray(groups, dtype=np.int64)
    return SnapshotChain(
        moment,
        session,
        contract,
        expiry,
        np.concatenate(wall) // _DAY,
        strike,
        right.astype(np.int64),
        together("volume"),
        together("open_interest"),
        np.full(len(strike), np.nan),
        np.concatenate([_prices(chain) for chain in chains]),
        together("iv"),
    )


def _prices(chain: OptionChain) -> FloatArray:
    """Return the middle of good quotes, else the last price where there is one."""
    last = chain.optional("last")
    spare = np.full(len(chain), np.nan) if last is None else np.where(last > 0.0, last, np.nan)
    return np.where(np.isfinite(chain.mid), chain.mid, spare)
