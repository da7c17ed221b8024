"""What the cache holds of the gauge's feeds, and how it stood on an earlier day."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.sources.cache import Cache, Provenance
from hpi_bt.sources.gauge_data.feeds import FEEDS, cache_key

REVISION_COLUMNS = ["date", "column", "old", "new", "seen"]


class Kept(NamedTuple):
    """A cached frame as `read_gauge_text` made it, what it serves as, and its name."""

    frame: pd.DataFrame
    given_as: str
    name: str


def revisions_key(feed: str) -> str:
    """Return the key of a feed's list of revisions."""
    return f"{cache_key(feed)}/revisions"


def load_feed(cache: Cache, feed: str) -> tuple[pd.DataFrame, Provenance] | None:
    """Return a feed's frame, `attrs` as when it was read, and its provenance; None where none."""
    found = cache.load(cache_key(feed))
    if found is None:
        return None
    frame, provenance = found
    known = provenance.parameters
    frame.index = pd.DatetimeIndex(frame.index, name="date").as_unit("ns")
    frame.attrs = {**{k: known.get(k, "") for k in ("layout", "source", "product")}, "notes": []}
    return frame, provenance


def load_revisions(cache: Cache, feed: str) -> pd.DataFrame:
    """Return the revisions seen so far: date, column, old, new, seen (UTC); oldest first."""
    found = cache.load(revisions_key(feed))
    return pd.DataFrame(columns=REVISION_COLUMNS) if found is None else found[0]


def kept_frames(folder: Path, limit: int | None = None) -> tuple[list[Kept], list[str]]:
    """Return every feed in the cache, and notes on its age and revisions.

    Parameters
    ----------
    folder : Path
        The cache.
    limit : int, optional
        Nanoseconds of New York wall time: revisions first seen later are undone.
    """
    cache = Cache(folder)
    kept, notes = [], []
    for feed, about in FEEDS.items():
        found = load_feed(cache, feed)
        if found is None:
            continue
        frame, provenance = found
        revisions = load_revisions(cache, feed)
        if len(revisions):
            frame, undone = _as_it_was(frame, revisions, limit)
            what = f"{undone} undone" if limit is not None else "the newest values are used"
            notes.append(f"{feed}: {len(revisions)} revised value(s) since first fetched, {what}")
        notes.append(f"{feed}: from the cache of {provenance.fetched_at:%Y-%m-%d %H:%M} UTC")
        kept.append(Kept(frame, about.given_as, feed))
    return kept, [*cache.problems, *notes]


def _as_it_was(
    frame: pd.DataFrame, revisions: pd.DataFrame, limit: int | None
) -> tuple[pd.DataFrame, int]:
    """Return the frame with the revisions seen after `limit` undone, and their number."""
    if limit is None:
        return frame, 0
    seen = pd.DatetimeIndex(revisions["seen"]).tz_convert("America/New_York").tz_localize(None)
    later = revisions[np.asarray(seen.as_unit("ns").asi8) > limit]
    was = frame.copy()
    for _, one in later[::-1].iterrows():  # the newest first: what stood before the oldest stays
        was.loc[one["date"], one["column"]] = one["old"]
    was.attrs = frame.attrs
    return was, len(later)
