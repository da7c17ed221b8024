"""Chains of many moments for the features: the contract, and those that lie in files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError
from hpi_bt.features.config_words import refusal_in_config
from hpi_bt.options.carry import carry_of
from hpi_bt.options.chain import OptionChain
from hpi_bt.sources.base import Locations, Settings
from hpi_bt.sources.chain_file import Unit
from hpi_bt.sources.chains import ChainSeries, Kind, open_chains
from hpi_bt.sources.fingerprints import fingerprint_of
from hpi_bt.sources.gatherings import GATHER
from hpi_bt.sources.hours import counted, session_ordinals
from hpi_bt.sources.splits import Splits, split_factors

#: What the numbers that features make of chains come from; a change of it makes them anew.
CODE = (
    *("options/*.py", "features/*.py", "sources/chain*.py", "sources/demo*.py"),
    *("sources/snapshots.py", "sources/option_snapshots.py", "sources/occ.py"),
    "sources/oi_timing.py",
    *("sources/stamps.py", "sources/tables.py", "sources/numbers.py", "sources/gatherings.py"),
    "sources/date_layouts.py",
)


class Snapshots(Protocol):
    """Option chains of many moments, read one by one; it must survive pickling.

    A section `chains` of a config has a method `open(where, calendar)` that returns them.
    """

    @property
    def times(self) -> pd.DatetimeIndex:
        """When the quotes of each chain were true, with a zone, oldest first."""

    @property
    def fingerprint(self) -> str:
        """Return a text that changes with the data and with how they are read."""

    @property
    def notes(self) -> Sequence[str]:
        """What was found while opening, one sentence each."""

    @property
    def demo(self) -> str:
        """What is made up, "" where nothing is."""

    def chain_at(self, place: int) -> OptionChain:
        """Return the chain of one moment, by its place in `times`.

        Raises
        ------
        InputError
            Its contracts make no chain.
        """


class ChainSection(Protocol):
    """A section `chains` of a config."""

    def open(self, where: Locations, calendar: str) -> Snapshots:
        """Return the snapshots, not yet read into chains."""


def snapshots_of(
    chains: ChainSection, where: Locations, calendar: str, splits: Splits | None = None
) -> Snapshots:
    """Return the snapshots of a section `chains`, those before a split adjusted for it."""
    make = chains.open
    found = make(where, calendar)
    return SplitSnapshots(found, dict(splits), calendar) if splits else found


@dataclass(frozen=True)
class SplitSnapshots:
    """Snapshots of which those before a split are adjusted for it; see `Snapshots`."""

    base: Snapshots
    splits: dict[date, float]
    calendar: str

    @property
    def times(self) -> pd.DatetimeIndex:
        """When the quotes were true."""
        return self.base.times

    @property
    def fingerprint(self) -> str:
        """Return a text that changes with the snapshots and with the splits."""
        said = {str(day): ratio for day, ratio in sorted(self.splits.items())}
        return f"{self.base.fingerprint}/{fingerprint_of(said)}"

    @property
    def notes(self) -> Sequence[str]:
        """What was found while opening, and how many are adjusted."""
        earlier = counted(int((self._factors != 1.0).sum()), "chain snapshot")
        return (*self.base.notes, f"{earlier} before a split adjusted for it")

    @property
    def demo(self) -> str:
        """What is made up."""
        return self.base.demo

    @property
    def _factors(self) -> FloatArray:
        return split_factors(session_ordinals(self.times, self.calendar), self.splits)

    def chain_at(self, place: int) -> OptionChain:
        """Return the chain of one moment as if the splits had been before it."""
        chain, factor = self.base.chain_at(place), float(self._factors[place])
        return chain if factor == 1.0 else chain.after_split(factor)


class FileChains(Settings):
    """Chains from files: one file of many moments, or several files of one moment each."""

    kind: Literal["file"] = "file"
    path: str | tuple[str, ...]
    layout: Kind = "auto"
    """cboe_csv, cboe_json, json (a list of contracts), yahoo, tidy or profile; by default what the
    file shows."""
    symbol: str | None = None
    """Underlying; selects the rows of a table that holds several."""
    columns: dict[str, str] = Field({})
    """Our name of a column: its name in the file (tables)."""
    timezone: str | None = None
    """Zone of stamps that carry none."""
    late_minutes: float = Field(0.0, ge=0, allow_inf_nan=False)
    """How much older the quotes are than the stamps: a chain is taken as of that much earlier.
    Say known_at: {delay_minutes: ...} of the same length, since it was known at its stamp."""
    spot: float | Literal["parity"] | None = None
    """Price of the underlying where the file has none; parity takes it from calls and puts."""
    rate: float | None = Field(None, allow_inf_nan=False)
    dividend: float | None = Field(None, allow_inf_nan=False)
    """Continuous, per year; by default what put-call parity of each snapshot's quotes implies, 0
    where they are silent; one alone makes the other fit the forwards."""
    multiplier: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Shares per unit of open interest; 100 by default, 1 where a feed counts shares."""
    expiry_at: str | None = None
    """Time of expiry where it is not the session's close ("15:30")."""
    stamp_format: str | None = None
    """Layout of stamps and expiries that the file does not show by itself (%d/%m/%Y)."""
    unit: Unit | None = None
    """What is not in the money of spot: coin_prices (bid, ask and last in units of the underlying)
    or strike_thousandths (strikes times 1,000); converted."""
    gather: float = Field(GATHER, ge=0, allow_inf_nan=False)
    """Minutes within which stamps of different contracts are one snapshot, known at the newest."""

    @model_validator(mode="after")
    def _some(self) -> FileChains:
        if not self.path:
            raise ValueError("path names no file; give one, or a list of them")
        return self

    def open(self, where: Locations, calendar: str) -> FileSnapshots:
        """Return the snapshots of the files, which are read when first asked of."""
        files = [where.find(path) for path in self.paths]
        said = self.model_dump(exclude={"path"}) | {"calendar": calendar}
        said["names"] = [file.name for file in files]  # some layouts name symbol and moment there
        return FileSnapshots(self, where, calendar, fingerprint_of(said, files))

    @property
    def paths(self) -> tuple[str, ...]:
        """The files, as the config names them."""
        return (self.path,) if isinstance(self.path, str) else self.path


@dataclass(frozen=True)
class FileSnapshots:
    """The snapshots of one or several files; see `Snapshots`."""

    chains: FileChains
    where: Locations
    calendar: str
    fingerprint: str
    demo: str = ""

    @cached_property
    def _series(self) -> tuple[ChainSeries, ...]:
        made, found = self.chains, []
        settings = made.model_dump(exclude={"path", "kind", "layout", "rate", "dividend"})
        settings |= {"rate": made.rate or 0.0, "dividend": made.dividend or 0.0}
        for path in made.paths:
            try:
                one = open_chains(
                    path, where=self.where, kind=made.layout, calendar=self.calendar, **settings
                )
            except InputError as error:
                raise refusal_in_config(error) from None
            if not len(one.moments):
                raise InputError(
                    "does not say when it was made", where=str(path), remedy="add a column ts"
                )
            found.append(one)
        return tuple(found)

    @cached_property
    def _order(self) -> tuple[pd.DatetimeIndex, list[tuple[int, int]]]:
        stamps = [one.moments.tz_convert("UTC").as_unit("ns") for one in self._series]
        whole = pd.DatetimeIndex(stamps[0].append(stamps[1:]))
        if not whole.is_unique:
            twice = whole[whole.duplicated()][0]
            raise InputError(
                f"chains: two snapshots of {twice:%Y-%m-%d %H:%M %Z}; give each moment once"
            )
        places = [(i, j) for i, one in enumerate(stamps) for j in range(len(one))]
        order = np.argsort(whole.asi8, kind="stable")
        late = pd.Timedelta(minutes=self.chains.late_minutes)
        return pd.DatetimeIndex(whole[order]) - late, [places[i] for i in order.tolist()]

    @property
    def times(self) -> pd.DatetimeIndex:
        """When the quotes were true: the stamps, less `late_minutes`; UTC, oldest first."""
        return self._order[0]

    @property
    def notes(self) -> tuple[str, ...]:
        """How many snapshots there are, and how late they came."""
        number = counted(len(self.times), "chain snapshot")
        late = self.chains.late_minutes
        return (number + (f", quotes {late:g} minutes older than the stamps" if late else ""),)

    def chain_at(self, place: int) -> OptionChain:
        """Return the chain of one moment, as of that of its quotes, with its rate and yield."""
        which, own = self._order[1][place]
        try:
            chain = self._series[which].chain(own).chain
        except InputError as error:
            raise refusal_in_config(error) from None
        carry = carry_of(chain, self.chains.rate, self.chains.dividend)
        return chain.with_(rate=carry.rate, dividend=carry.dividend, note=carry.note)
