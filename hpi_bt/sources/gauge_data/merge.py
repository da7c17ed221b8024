"""A feed's new answer joined with what the cache has of it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.errors import InputError
from hpi_bt.sources.cache import Provenance, merge_overlap
from hpi_bt.sources.gauge_data.feeds import FEEDS
from hpi_bt.sources.gauge_data.kept import REVISION_COLUMNS

_TOLERANCE = 1e-6  # relative
_MOST_REVISED = 0.2  # share of the overlap; beyond, the answer is of something else


class Merged(NamedTuple):
    """The frame to keep, the number of new dates, the values revised, and notes."""

    frame: pd.DataFrame
    new: int
    revisions: pd.DataFrame
    notes: list[str]


def merge_feed(
    feed: str,
    found: tuple[pd.DataFrame, Provenance] | None,
    fresh: pd.DataFrame,
    now: datetime,
    file: Path,
) -> Merged:
    """Return the cached rows and the new ones as one; a new value replaces an old one.

    Parameters
    ----------
    feed : str
        Name in `FEEDS`. Yahoo's prices of SPY are adjusted anew by every dividend: where the
        overlap disagrees the answer must reach back as far as the cache, and replaces it.
    found : (DataFrame, Provenance) or None
        From `load_feed`.
    fresh : DataFrame
        From `read_gauge_text`.
    now : datetime
        When the revisions were seen.
    file : Path
        Of the cache, for the message.

    Raises
    ------
    InputError
        More than a fifth of the values that both have differ: the answer is something else.
    """
    none = pd.DataFrame(columns=REVISION_COLUMNS)
    if found is None:
        return Merged(fresh, len(fresh), none, list(fresh.attrs["notes"]))
    old, provenance = found
    columns = list(dict.fromkeys([*old.columns, *fresh.columns]))
    before, after = old.reindex(columns=columns), fresh.reindex(columns=columns)
    common = before.index.intersection(after.index)
    after = after.combine_first(before.loc[common])  # a blank is no revision
    new, notes = len(after.index.difference(before.index)), list(fresh.attrs["notes"])
    if after.index[-1] < before.index[-1]:
        notes.append(
            f"the answer ends on {after.index[-1]:%Y-%m-%d}, the cache on "
            f"{before.index[-1]:%Y-%m-%d}; what it lacks is kept"
        )
    revised = none
    merged = merge_overlap(before, after, columns=columns, tolerance=_TOLERANCE)
    if merged is None:
        revised = _revisions(before.loc[common], after.loc[common], now)
        copy = f"the copy of {provenance.fetched_at:%Y-%m-%d %H:%M} UTC"
        if FEEDS[feed].publisher == "yahoo" and after.index[0] <= before.index[0]:
            merged = after
            notes.append(f"{len(revised):,} prices adjusted anew since {copy}, all replaced")
            revised = none
        else:
            _check_share(feed, len(revised), before.loc[common].count().sum(), copy, file)
            kept = before[~before.index.isin(after.index)]
            merged = pd.concat([kept, after]).sort_index()
            notes += _told(revised, copy)
    merged.index.name = "date"
    merged.attrs = fresh.attrs
    return Merged(merged, new, revised, notes)


def _revisions(before: pd.DataFrame, after: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """Return every value that changed, one row each: date, column, old, new, seen."""
    a, b = before.to_numpy(dtype=np.float64), after.to_numpy(dtype=np.float64)
    with np.errstate(invalid="ignore"):
        differ = np.abs(a - b) > _TOLERANCE * np.maximum(np.abs(a), np.abs(b))
    differ |= np.isnan(a) & ~np.isnan(b)
    row, column = np.nonzero(differ)
    names = before.columns.to_numpy(dtype=object)
    seen = pd.DatetimeIndex([pd.Timestamp(now)] * len(row)).as_unit("us")
    return pd.DataFrame(
        {
            "date": before.index[row],
            "column": names[column],
            "old": a[differ],
            "new": b[differ],
            "seen": seen,
        }
    )


def _check_share(feed: str, count: int, overlap: int, copy: str, file: Path) -> None:
    if count > max(10.0, _MOST_REVISED * overlap):
        raise InputError(
            f"{feed}: {count:,} of the {overlap:,} values in common differ from {copy}; "
            f"this is no revision, nothing stored; remove {file} to accept it"
        )


def _told(revised: pd.DataFrame, copy: str) -> list[str]:
    return [
        f"{len(revised)} value(s) revised since {copy}, the first {one['column']} of "
        f"{one['date']:%Y-%m-%d}: {one['old']:g}, now {one['new']:g}; the new are kept"
        for _, one in revised.iloc[:1].iterrows()
    ]
