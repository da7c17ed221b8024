"""Downloads of the gauge: every feed into the cache, and no failure that stops the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime

import pandas as pd

from hpi_bt.errors import InputError, did_you_mean
from hpi_bt.sources.base import Locations
from hpi_bt.sources.cache import Cache, Provenance, package_versions
from hpi_bt.sources.gauge_data.clock import new_york_date, utc_time
from hpi_bt.sources.gauge_data.download import (
    Fresh,
    Request,
    Server,
    base_addresses,
    download_feed,
)
from hpi_bt.sources.gauge_data.feeds import FEEDS, cache_key
from hpi_bt.sources.gauge_data.kept import load_feed, load_revisions, revisions_key
from hpi_bt.sources.gauge_data.merge import merge_feed

#: Statuses that leave the gauge without that feed.
FAILED = ("failed", "missing")

_RATIOS_BEGIN = pd.Timestamp("2019-10-07")  # the session after the archives' last


@dataclass
class _Row:
    """One line of the table."""

    feed: str
    status: str = "failed"
    source: str = ""
    rows: int = 0
    new: int = 0
    revised: int = 0
    first: pd.Timestamp | None = None
    last: pd.Timestamp | None = None
    notes: list[str] = field(default_factory=list)

    def describe(self, frame: pd.DataFrame) -> None:
        self.source, self.rows = str(frame.attrs["source"]), len(frame)
        self.first, self.last = frame.index[0], frame.index[-1]


def fetch_gauge(
    where: Locations,
    *,
    which: Sequence[str] | None = None,
    since: date | None = None,
    bases: Mapping[str, str] | None = None,
    timeout: float = 20,
    retries: int = 2,
    now: datetime | None = None,
) -> pd.DataFrame:
    """Bring the gauge's feeds into the cache and return what came of each.

    Parameters
    ----------
    where : Locations
        The cache, and whether the network may be used.
    which : sequence of str, optional
        Names in `FEEDS`; all but the spare ones by default. A spare feed (Yahoo's ^VIX, FRED's
        yields ...) is fetched where the feed that it stands in for failed.
    since : date, optional
        How far back to ask for; by default as far as the source goes or, for a feed in the cache,
        a fortnight before its end. Cboe's daily statistics are one request a day: a fortnight.
    bases : mapping of str to str, optional
        Publisher (cboe, treasury, nyfed, fred, yahoo) to another base address; before that the
        environment variable HPI_BT_URL_<PUBLISHER>.
    timeout, retries
        Of each request; see `fetch_text`.
    now : datetime, optional
        With time zone; the clock when not given.

    Returns
    -------
    table : DataFrame, index feed
        status (fetched, cached, replaced: failed but its spares came, failed, missing: offline and
        not in the cache), source, rows, new, revised, first, last (dates in the cache), notes (a
        tuple of str) and note (these as one).

    Raises
    ------
    InputError
        An unknown feed or publisher, or a cache that cannot be written.

    Notes
    -----
    Rows that the cache has and the answer lacks are kept (FRED offers three years of the
    high-yield spread: they accumulate). A changed value is replaced and listed, so that
    `gauge_inputs(as_of=...)` can undo it.
    """
    now = utc_time(now)
    today = new_york_date(now)
    if since is not None and since > today:
        raise InputError(f"since: {since} lies in the future (today is {today})")
    server = Server(base_addresses(bases), timeout, retries, where.cache)
    waiting = _wanted(which)
    rows: dict[str, _Row] = {}
    while waiting:
        feed = waiting.pop(0)
        row = rows[feed] = _Row(feed)
        if where.offline:
            _from_cache(row, Cache(where.cache))
        else:
            _fetch(row, Cache(where.cache), server, since, now)
        if row.status in FAILED:
            spares = [s for s, about in FEEDS.items() if about.spare_of == feed]
            waiting[:0] = [s for s in spares if s not in rows]
    for feed in reversed(list(rows)):  # spares come after what they stand in for
        _credit_spares(feed, rows)
    table = pd.DataFrame([asdict(row) for row in rows.values()]).set_index("feed")
    table["notes"] = [tuple(dict.fromkeys(notes)) for notes in table["notes"]]
    table["note"] = ["; ".join(notes) for notes in table["notes"]]
    return table


def _wanted(which: Sequence[str] | None) -> list[str]:
    for name in which or ():
        if name not in FEEDS:
            raise InputError(f"gauge: no feed {name!r}{did_you_mean(name, FEEDS)}")
    return list(which or [name for name, feed in FEEDS.items() if not feed.spare_of])


def _credit_spares(feed: str, rows: dict[str, _Row]) -> None:
    row = rows[feed]
    spares = [s for s, about in FEEDS.items() if about.spare_of == feed]
    if row.status in FAILED and spares:
        lacking = [s for s in spares if s not in rows or rows[s].status in FAILED]
        if not lacking:
            row.status = "replaced"
            row.notes.append(f"in its place {', '.join(spares)}")


def _from_cache(row: _Row, cache: Cache) -> None:
    found = load_feed(cache, row.feed)
    row.notes += cache.problems
    if found is None:
        row.status = "missing"
        row.notes.append("offline, and nothing in the cache; run once with the network")
        return
    row.describe(found[0])
    row.status = "cached"
    row.notes.append(f"offline: the copy of {found[1].fetched_at:%Y-%m-%d %H:%M} UTC")


def _fetch(row: _Row, cache: Cache, server: Server, since: date | None, now: datetime) -> None:
    """Download one feed, merge it into the cache and fill the row; a failure is its note."""
    found = load_feed(cache, row.feed)
    row.notes += cache.problems
    old = None if found is None else found[0]
    if old is not None:
        row.describe(old)
    failure = ""
    try:
        for fresh in download_feed(Request(row.feed, old, since, now), server):
            _keep(row, cache, fresh, now)
            failure = fresh.failure
    except InputError as error:
        kept = f" (the cache keeps its {row.rows:,} rows)" if row.rows else ""
        row.notes.append(f"{error}{kept}")
        return
    if failure:
        row.notes.append(failure)
    else:
        row.status = "fetched"
    if FEEDS[row.feed].steps == "day" and row.first is not None and row.first > _RATIOS_BEGIN:
        row.notes.append(
            f"begins {row.first:%Y-%m-%d}: one request a day, all days by fetching {row.feed} "
            f"alone since {_RATIOS_BEGIN:%Y-%m-%d}"
        )


def _keep(row: _Row, cache: Cache, fresh: Fresh, now: datetime) -> None:
    """Merge what came into the cache, and count it in the row."""
    if fresh.frame is not None:
        found, file = load_feed(cache, row.feed), cache.path(cache_key(row.feed))
        merged = merge_feed(row.feed, found, fresh.frame, now, file)
        row.new, row.revised = row.new + merged.new, row.revised + len(merged.revisions)
        row.notes += merged.notes
        _store(cache, row.feed, merged.frame, merged.revisions, fresh.address, now)
        row.describe(merged.frame)
    row.notes += fresh.notes


def _store(
    cache: Cache,
    feed: str,
    frame: pd.DataFrame,
    revisions: pd.DataFrame,
    address: str,
    now: datetime,
) -> None:
    """Keep the revisions first: should the frame's write fail, they are merely found again."""
    versions = package_versions("hpi-bt", "pandas", "pyarrow")
    about = {k: frame.attrs.get(k, "") for k in ("layout", "source", "product")}
    if len(revisions):
        known = load_revisions(cache, feed)
        every = pd.concat([known, revisions], ignore_index=True) if len(known) else revisions
        cache.store(revisions_key(feed), every, Provenance(address, about, now, versions))
    cache.store(cache_key(feed), frame, Provenance(address, about, now, versions))
