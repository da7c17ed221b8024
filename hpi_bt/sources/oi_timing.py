"""Whether open interest was counted before or after the session of its row: a hint from volume.

For one contract |OI_t - OI_{t-1}| can hardly exceed the volume of the session that it counts: that
of row t - 1 where the count is published before the open (pre_open), that of row t where it is
made after the close (prior_close). Sums over contracts say nothing: expiries change them too.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.errors import Note, Severity
from hpi_bt.sources.frame import OpenInterestStamp
from hpi_bt.sources.hours import session_bounds, session_ordinals

DOUBTFUL = "open-interest-timing-doubtful"
LARGEST_CHANGE = 0.2  # of the open interest; more is a roll or an expiry
FEWEST = 10  # rows that break a rule, for a verdict
LATEST_END = 30.0  # minutes before the close: a last snapshot before that misses volume
TIMES = 2  # as many rows against the chosen stamp as against the other
LEVEL = 0.001

_COUNTED: dict[OpenInterestStamp, str] = {
    "pre_open": "published before its session's open (pre_open)",
    "prior_close": "counted after its session's close (prior_close)",
}


class TimingRows(NamedTuple):
    """Changes of open interest from one session to the next; each (n_changes,).

    Attributes
    ----------
    year : ndarray of int
        Of the later row.
    pre_open, prior_close : ndarray of bool
        The change exceeds the volume of its session under that stamp and not under the other.
    """

    year: IntArray
    pre_open: BoolArray
    prior_close: BoolArray


def timing_rows(
    open_interest: FloatArray, volume: FloatArray, contract: IntArray, session: IntArray
) -> TimingRows:
    """Return the changes of open interest that can be compared with volume.

    Parameters
    ----------
    open_interest, volume : ndarray of shape (n_rows,)
        Of one contract in one session, in the same units, in any order.
    contract : ndarray of int, shape (n_rows,)
        One number for each contract.
    session : ndarray of int, shape (n_rows,)
        `date.toordinal()`; of the sessions that are there, a change goes from one to the next.

    Returns
    -------
    TimingRows
        Without changes of more than 20 % and those from or to an unknown value.
    """
    order = np.lexsort((session, contract))
    interest, traded, contract = open_interest[order], volume[order], contract[order]
    days, place = np.unique(session[order], return_inverse=True)
    change = np.abs(np.diff(interest))
    usable = (contract[1:] == contract[:-1]) & (np.diff(place) == 1)
    usable &= np.isfinite(traded[1:]) & np.isfinite(traded[:-1]) & (interest[:-1] > 0)
    usable &= change <= LARGEST_CHANGE * interest[:-1]
    before = (change > traded[:-1])[usable]
    after = (change > traded[1:])[usable]
    years = np.array([pd.Timestamp.fromordinal(int(day)).year for day in days], dtype=np.int64)
    return TimingRows(years[place[1:][usable]], before & ~after, after & ~before)


def frame_timing(frame: pd.DataFrame, stamp: OpenInterestStamp) -> list[Note]:
    """Return what the columns openinterest and volume of one contract say; [] without them.

    Parameters
    ----------
    frame : DataFrame
        Bars as the source gave them, open interest not yet moved; `attrs` name the calendar.
    stamp : {"pre_open", "prior_close"}
        What the run takes the open interest for.
    """
    if not {"openinterest", "volume"} <= set(frame.columns):
        return []
    ordinals = session_ordinals(pd.DatetimeIndex(frame.index), str(frame.attrs["calendar"]))
    days = frame[["openinterest", "volume"]].groupby(ordinals)
    interest = days["openinterest"].last()
    volume = days["volume"].sum(min_count=1)
    sessions = interest.index.to_numpy(dtype=np.int64)
    one = np.zeros(len(sessions), dtype=np.int64)
    rows = timing_rows(interest.to_numpy(float), volume.to_numpy(float), one, sessions)
    return timing_notes(rows, stamp, "set data.open_interest.stamp")


def snapshot_timing(
    moment: IntArray,
    session: IntArray,
    contract: IntArray,
    open_interest: FloatArray,
    volume: FloatArray,
    calendar: str,
) -> list[Note]:
    """Return what snapshots of whole chains say, contract by contract, taken as pre_open.

    Parameters
    ----------
    moment, session, contract : ndarray of int, shape (n_rows,)
        UTC nanoseconds, `date.toordinal()`, one number for each contract.
    open_interest, volume : ndarray of shape (n_rows,)
        As published; volume since the session's open.
    calendar : str
        Gives the sessions' closes: the volume of a session counts where its last snapshot lies
        within 30 minutes of the close or after it, its open interest is that of the first.
    """
    if not len(moment):
        return []
    days, place = np.unique(session, return_inverse=True)
    spans = pd.Series(moment).groupby(place).agg(["min", "max"]).to_numpy()
    whole = spans[:, 1] >= session_bounds(days, calendar)[1] - round(LATEST_END * 60e9)
    interest = np.where(moment == spans[place, 0], open_interest, np.nan)
    traded = np.where(whole[place], volume, np.nan)
    rows = pd.DataFrame({"interest": interest, "volume": traded}).groupby([session, contract])
    table = rows.max()
    found = timing_rows(
        table["interest"].to_numpy(float),
        table["volume"].to_numpy(float),
        table.index.get_level_values(1).to_numpy(),
        table.index.get_level_values(0).to_numpy(),
    )
    return timing_notes(found, "pre_open", "give known_at: next_session_open")


def timing_notes(rows: TimingRows, stamp: OpenInterestStamp, remedy: str) -> list[Note]:
    """Return how many changes break the rule under each stamp, and a warning where it decides.

    Parameters
    ----------
    rows : TimingRows
    stamp : {"pre_open", "prior_close"}
        The one in use; the warning is about it alone.
    remedy : str
        What a user can do where the other fits.

    Returns
    -------
    list of Note
        The counts, for each decade too; [] where there is nothing to compare. Before them a
        warning that names the years in which at least `FEWEST` changes break the rule under the
        chosen stamp, `TIMES` as many as under the other, with a one-sided binomial p below
        `LEVEL` that a change which breaks one alone breaks either with probability 1/2 (the sign
        test of McNemar). Years are looked at by decade, one by one (at `LEVEL` over their
        number), or all together.
    """
    if not len(rows.year):
        return []
    notes = [_counts_note(rows)]
    suspect = _suspect_rows(rows, stamp)
    if suspect.any():
        notes.insert(0, _warning(rows, suspect, stamp, remedy))
    return notes


def _suspect_rows(rows: TimingRows, stamp: OpenInterestStamp) -> BoolArray:
    """Return which changes lie in years that speak against the chosen stamp; (n_changes,)."""
    years = len(np.unique(rows.year))
    suspect = _against(rows, rows.year // 10, stamp, LEVEL)
    suspect |= _against(rows, rows.year, stamp, LEVEL / years)
    return suspect if suspect.any() else _against(rows, np.zeros_like(rows.year), stamp, LEVEL)


def _against(
    rows: TimingRows, period: IntArray, stamp: OpenInterestStamp, level: float
) -> BoolArray:
    """Return which changes lie in a period that speaks against the chosen stamp."""
    from scipy.special import bdtrc  # of a size that reading a config need not wait for

    _, place = np.unique(period, return_inverse=True)
    ours, others = rows.pre_open, rows.prior_close
    if stamp == "prior_close":
        ours, others = others, ours
    chosen, other = np.bincount(place, weights=ours), np.bincount(place, weights=others)
    fires = (chosen >= FEWEST) & (chosen >= TIMES * other)
    # P(at least `chosen` of all of them), each with probability 1/2
    p = bdtrc(chosen[fires] - 1, (chosen + other)[fires].astype(np.int64), 0.5)
    fires[fires] = p < level
    return fires[place]


def _counts_note(rows: TimingRows) -> Note:
    counts = f"{_sides(rows, np.ones(len(rows.year), dtype=bool))} of {len(rows.year):,}"
    decades = np.unique(rows.year // 10)
    parts = [f"{10 * d}s {_sides(rows, rows.year // 10 == d)}" for d in decades.tolist()]
    by_decade = f" ({', '.join(parts)})" if len(parts) > 1 else ""
    few = int(rows.pre_open.sum() + rows.prior_close.sum()) < FEWEST
    verdict = "; too few to tell which stamp fits" if few else ""
    text = (
        "timing of open interest: changes that exceed the volume of the session they count under "
        f"pre_open alone / under prior_close alone: {counts}{by_decade}{verdict}"
    )
    return Note(Severity.INFO, "open-interest-timing", text)


def _sides(rows: TimingRows, where: BoolArray) -> str:
    return f"{int(rows.pre_open[where].sum()):,} / {int(rows.prior_close[where].sum()):,}"


def _warning(rows: TimingRows, suspect: BoolArray, stamp: OpenInterestStamp, remedy: str) -> Note:
    other: OpenInterestStamp = "prior_close" if stamp == "pre_open" else "pre_open"
    ours, theirs = getattr(rows, stamp), getattr(rows, other)
    whole = "" if suspect.all() else f" (in all years {ours.sum():,} and {theirs.sum():,})"
    text = (
        f"open interest is taken as {_COUNTED[stamp]}, but of its {int(suspect.sum()):,} changes "
        f"in {', '.join(_spans(rows.year, suspect))}, {int(ours[suspect].sum()):,} exceed the "
        f"volume of the session that they then count, and {int(theirs[suspect].sum()):,} if it is "
        f"{_COUNTED[other]}{whole}: {other} fits better; check what its publisher says, {remedy}"
    )
    return Note(Severity.WARNING, DOUBTFUL, text)


def _spans(year: IntArray, suspect: BoolArray) -> Iterator[str]:
    """Return the years of the suspect changes, "1960 to 1979" where they follow one another."""
    years = np.unique(year)
    wanted = np.isin(years, year[suspect])
    for take, run in groupby(zip(wanted.tolist(), years.tolist(), strict=True), lambda x: x[0]):
        if take:
            found = [y for _, y in run]
            yield f"{found[0]} to {found[-1]}" if len(found) > 1 else f"{found[0]}"
