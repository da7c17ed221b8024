"""Stamps of contracts: which rows of a table are one snapshot of a chain (definitions 5)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.errors import InputError, Note, Severity
from hpi_bt.sources.hours import counted

#: Minutes within which stamps of different contracts are one gathering.
GATHER = 5.0

_BEFORE = 20  # gatherings whose median count a whole one is measured by
_WHOLE = 0.5  # of that median
_MOST_PARTIAL = 0.1  # of the gatherings of several stamps
_TELLING = 2, 10  # partial gatherings, and contracts, from which on they tell of the whole file
_MINUTE = 60 * 10**9  # nanoseconds
_DAY = 1440 * _MINUTE


class Gatherings(NamedTuple):
    """Snapshots of a chain as gathered from its rows.

    Attributes
    ----------
    place : ndarray of shape (n_rows,)
        The gathering of each row, counted from the oldest.
    known_at : ndarray of shape (n_gatherings,)
        The newest stamp of each, UTC ns, ascending.
    contracts : ndarray of shape (n_gatherings,)
        How many different contracts each holds.
    stamps : ndarray of shape (n_gatherings,)
        How many different stamps.
    usual : ndarray of shape (n_gatherings,)
        Median count of contracts of the 20 gatherings before; 0 for the first.
    """

    place: IntArray
    known_at: IntArray
    contracts: IntArray
    stamps: IntArray
    usual: FloatArray

    @property
    def days(self) -> IntArray:
        """Date of each in UTC, days from 1970-01-01."""
        return self.known_at // _DAY

    @property
    def partial(self) -> BoolArray:
        """Which hold fewer than half of the contracts that are usual."""
        return np.asarray(self.contracts < _WHOLE * self.usual)


def gathered(stamps: IntArray, contract: IntArray, *, minutes: float = GATHER) -> Gatherings:
    """Return the snapshots that rows belong to.

    Parameters
    ----------
    stamps : ndarray of shape (n_rows,)
        UTC ns.
    contract : ndarray of shape (n_rows,)
        The same number for the same contract.
    minutes : float, default=5
        Stamps are one gathering while they lie within so many minutes of its first and no contract
        comes again at a later one.

    Notes
    -----
    A contract that is seen again starts the next gathering. A table in which every contract has
    one stamp is one gathering as long as its stamps are close; a table of whole snapshots a minute
    apart has one a minute.
    """
    moments, at = np.unique(stamps, return_inverse=True)
    starts = _starts(moments, _seen_before(at, contract, len(moments)), minutes)
    group = np.cumsum(starts) - 1
    place = group[at].astype(np.int64)
    n = int(group[-1]) + 1 if len(group) else 0
    newest = np.zeros(n, dtype=np.int64)
    newest[group] = moments  # ascending: the last assignment stays
    contract = contract - contract.min(initial=0)
    apart = int(contract.max(initial=0)) + 1
    contracts = np.bincount(np.unique(place * apart + contract) // apart, minlength=n)
    usual = pd.Series(contracts).shift().rolling(_BEFORE, min_periods=1).median()
    return Gatherings(
        place,
        newest,
        contracts.astype(np.int64),
        np.bincount(group, minlength=n).astype(np.int64),
        usual.fillna(0.0).to_numpy(dtype=np.float64),
    )


def _seen_before(at: IntArray, contract: IntArray, n: int) -> IntArray:
    """Return the last earlier moment at which any contract of each moment was seen, -1 for none."""
    order = np.lexsort((at, contract))
    moment, same = at[order], contract[order]
    again = np.zeros(len(order), dtype=bool)
    again[1:] = (same[1:] == same[:-1]) & (moment[1:] > moment[:-1])
    latest = np.full(n, -1, dtype=np.int64)
    np.maximum.at(latest, moment[again], np.roll(moment, 1)[again])
    return latest


def _starts(moments: IntArray, before: IntArray, minutes: float) -> BoolArray:
    """Return which moments start a gathering."""
    starts = np.zeros(len(moments), dtype=bool)
    first, reach = -1, round(minutes * _MINUTE)
    for i, (moment, seen) in enumerate(zip(moments.tolist(), before.tolist(), strict=True)):
        if first < 0 or seen >= first or moment - moments[first] > reach:
            starts[i], first = True, i
    return starts


def check_gatherings(
    found: Gatherings, contract: IntArray, expiry: IntArray, *, where: str, field: str
) -> None:
    """Refuse a table whose stamps are of last quotes: gathered by them, chains are in pieces.

    Parameters
    ----------
    found : Gatherings
    contract, expiry : ndarray of shape (n_rows,)
        The same number for the same contract, and for the same expiry.
    where, field : str
        The file and its column of stamps.

    Raises
    ------
    InputError
        Over a tenth of the gatherings of several stamps are partial; or no contract ever comes
        again, and the contracts of one expiry, or of one day, lie in several gatherings.
    """
    several = found.stamps > 1
    broken = int((found.partial & several).sum())
    pieces = f"{broken} of {counted(int(several.sum()), 'gathering')} hold less than half a chain"
    if broken < _TELLING[0] or broken <= _MOST_PARTIAL * several.sum():
        if len(found.known_at) < 2 or not _in_pieces(found, contract, expiry):
            return
        pieces = f"each contract has one stamp, spread over {len(found.known_at)} gatherings"
    raise InputError(
        f"the stamps are of last quotes, not of snapshots: {pieces}",
        where=where,
        field=field,
        remedy="give the snapshot's own: map its column as ts, or `as_of` with "
        f"`columns=last_quote:{field}`; for a slow capture a longer `gather`",
    )


def _in_pieces(found: Gatherings, contract: IntArray, expiry: IntArray) -> bool:
    """Return whether every contract comes once, those of an expiry or day in several gatherings."""
    different = len(np.unique(contract))
    if found.contracts.sum() > different or different < _TELLING[1]:
        return False
    if len(np.unique(found.days)) < len(found.days):
        return True
    pairs = pd.DataFrame({"expiry": expiry, "place": found.place}).drop_duplicates()
    return bool(pairs["expiry"].duplicated().any())


def partial_note(found: Gatherings, place: int) -> list[Note]:
    """Return the warning that one snapshot is partial, none where it is whole."""
    if not found.partial[place]:
        return []
    text = (
        f"partial snapshot: {counted(int(found.contracts[place]), 'contract')}, where the "
        f"{min(place, _BEFORE)} before it have {found.usual[place]:g} in the median"
    )
    return [Note(Severity.WARNING, "partial-snapshot", text)]
