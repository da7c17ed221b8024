"""The hedge flow of many snapshots: on all processors, and kept from one run to the next."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from time import perf_counter
from typing import NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from hpi_bt.arrays import IntArray
from hpi_bt.errors import InputError, Note, Severity, restored, stored
from hpi_bt.features.ahead import Progress, no_progress
from hpi_bt.features.config_words import in_config, refusal_in_config
from hpi_bt.features.flow_columns import COLUMNS, UNTIL, FlowOptions
from hpi_bt.features.hedge_values import flow_values
from hpi_bt.features.snapshots import CODE, Snapshots
from hpi_bt.features.underlying import SPOT, SYMBOLS, symbols_of
from hpi_bt.options.chain import OptionChain
from hpi_bt.options.threads import processors
from hpi_bt.sources.cache import Cache, Provenance, package_versions
from hpi_bt.sources.chain_cleaning import KINDS_FOUND
from hpi_bt.sources.chain_importance import by_importance
from hpi_bt.sources.fingerprints import code_fingerprint, fingerprint_of
from hpi_bt.sources.hours import counted, session_bounds, session_ordinals
from hpi_bt.sources.oi_timing import snapshot_timing

__all__ = ["Computed", "Progress", "computed", "merged", "no_progress"]

_NUMBER = re.compile(r"\d{4}-\d\d-\d\d(?: \d\d:\d\d)?|(?<![\w.])[+-]?\d+(?:\.\d+)?")
_CLEANED = re.compile(
    rf"(?:(?P<some>\d+ of \d+) snapshots: )?(?P<kind>{'|'.join(KINDS_FOUND)}): "
    r"(?P<count>\S+) \(\S+ %\), .*"
)
_CHUNK = 8  # snapshots between two words on progress
_PARTS = 8  # of the work of each further process
_WORTH = 12.0  # seconds of work for which further processes are started: they take some themselves


class Computed(NamedTuple):
    """The hedge flow of all snapshots.

    Attributes
    ----------
    rows : DataFrame, index moment (UTC)
        COLUMNS, `until` and `spot`; a row that could not be computed is NaN.
    notes : tuple of str
        What was read, assumed and left blank.
    flags : tuple of str
        What the chains say of themselves, with how many of them do.
    kept : bool
        Whether it came from the cache.
    symbols : tuple of str
        What the chains are of, as far as they say.
    """

    rows: pd.DataFrame
    notes: tuple[str, ...]
    flags: tuple[str, ...]
    kept: bool
    symbols: tuple[str, ...] = ()


class _Row(NamedTuple):
    numbers: tuple[float, ...]
    until: int
    assumed: tuple[str, ...]
    flags: tuple[str, ...]
    failed: str
    book: pd.DataFrame | None = None
    spot: float = np.nan
    symbol: str = ""


def computed(
    snapshots: Snapshots,
    options: FlowOptions,
    cache: Cache,
    *,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> Computed:
    """Return the hedge flow of every snapshot, from the cache where it is there already.

    Parameters
    ----------
    snapshots : Snapshots
    options : FlowOptions
    cache : Cache
        Asked first; written when all is done. A damaged file is ignored and noted.
    jobs : int, optional
        Processes; by default one a processor, and one in all for a few snapshots.
    progress : callable
        Called with (snapshots done, snapshots in all).

    Raises
    ------
    InputError
        There are no snapshots, or not one of them can be computed.
    """
    key = _key(snapshots, options)
    found = cache.load(key)
    damaged = tuple(cache.problems)
    if found is not None:
        known = found[1].parameters
        said, flagged = restored(known["notes"]), restored(known["flags"])
        symbols = tuple(known[SYMBOLS])
        return Computed(found[0], (*damaged, *said), tuple(flagged), True, symbols)
    times = snapshots.times
    if not len(times):
        raise InputError("chains: no snapshot in them; give a file with at least one")
    made = _all(snapshots, options, jobs, progress)
    rows = _frame(made, times)
    timing = [] if snapshots.demo else _timing(made, times, options.calendar)
    notes = by_importance((*snapshots.notes, *_notes(made, times), *timing))
    good = [row for row in made if not row.failed]
    flags = by_importance(merged([[f for f in r.flags if f not in r.assumed] for r in good]))
    # nothing was downloaded: the moment is that of the last snapshot
    symbols = symbols_of(row.symbol for row in good)
    about = {
        "notes": stored(notes), "flags": stored(flags), "options": options._asdict(),
        SYMBOLS: list(symbols),
    }  # fmt: skip
    versions = package_versions("hpi_bt", "numpy", "scipy")
    origin = Provenance("hedge_flow", about, times[-1].to_pydatetime(), versions)
    lost = _kept(cache, key, rows, origin)
    return Computed(rows, (*damaged, *lost, *notes), tuple(flags), False, symbols)


def _kept(cache: Cache, key: str, rows: pd.DataFrame, about: Provenance) -> list[str]:
    """Keep the rows; return what there is to note where that cannot be done."""
    try:
        cache.store(key, rows, about)
    except InputError as error:
        return [f"not kept for the next run: {error}"]
    return []


def _key(snapshots: Snapshots, options: FlowOptions) -> str:
    said = {"options": options._asdict(), "columns": COLUMNS, "code": code_fingerprint(*CODE)}
    versions = package_versions("numpy", "scipy")
    return f"hedge_flow/{snapshots.fingerprint}/{fingerprint_of(said | versions)}"


def _all(
    snapshots: Snapshots, options: FlowOptions, jobs: int | None, progress: Progress
) -> list[_Row]:
    """Return the row of each snapshot, in order.

    The first ones tell whether the rest is worth further processes. Not threads: most of the
    time goes into Python and pandas, which hold the lock.
    """
    n = len(snapshots.times)
    edges = list(pairwise([*range(0, n, _CHUNK), n]))
    workers, done = jobs or processors(), list[_Row]()
    begun, ahead = perf_counter(), 0
    while edges and (workers == 1 or ahead < 2 or _left(begun, len(done), n) < _WORTH):
        done.extend(_part(snapshots, options, *edges.pop(0)))
        progress(len(done), n)
        ahead += 1
    if edges:
        for part in _spread(snapshots, options, edges[0][0], workers):
            done.extend(part)
            progress(len(done), n)
    return done


def _spread(
    snapshots: Snapshots, options: FlowOptions, first: int, workers: int
) -> Iterator[list[_Row]]:
    """Yield the rows of the snapshots from `first` on, in order, computed in processes.

    In few large parts, since each of them carries all snapshots to its process.
    """
    n = len(snapshots.times)
    step = max(_CHUNK, -(-(n - first) // (_PARTS * workers)))
    edges = pairwise([*range(first, n, step), n])
    run = Parallel(workers, return_as="generator")
    yield from run(delayed(_part)(snapshots, options, a, b) for a, b in edges)


def _left(begun: float, done: int, n: int) -> float:
    """Return the seconds that the rest will take here, by what was done so far."""
    return (perf_counter() - begun) / done * (n - done)


def _part(snapshots: Snapshots, options: FlowOptions, first: int, last: int) -> list[_Row]:
    edges = _edges(snapshots.times, options.calendar)
    return [_row(snapshots, options, place, place in edges) for place in range(first, last)]


def _edges(times: pd.DatetimeIndex, calendar: str) -> set[int]:
    """Return the places of each session's first and last snapshot after its open."""
    sessions = session_ordinals(times, calendar)
    after = np.asarray(times.as_unit("ns").asi8) > session_bounds(sessions, calendar)[0]
    places = pd.Series(np.flatnonzero(after)).groupby(sessions[after]).agg(["first", "last"])
    return set(places.to_numpy().ravel().tolist())


def _row(snapshots: Snapshots, options: FlowOptions, place: int, edge: bool) -> _Row:
    book = None
    try:
        chain = snapshots.chain_at(place)
        book = _book(chain) if edge and not snapshots.demo else None
        found = flow_values(chain, options)
    except InputError as error:
        return _Row((np.nan,) * len(COLUMNS), 0, (), (), str(refusal_in_config(error)), book)
    numbers = tuple(found.columns[name] for name in COLUMNS)
    until = found.until.as_unit("ns").value
    return _Row(numbers, until, chain.notes, found.flags, "", book, chain.spot, chain.symbol)


def _book(chain: OptionChain) -> pd.DataFrame:
    """Return open interest and volume of each contract."""
    names = ("strike", "right", "open_interest", "volume")
    return pd.DataFrame({"expiry": chain.expiry.asi8} | {n: getattr(chain, n) for n in names})


def _timing(made: Sequence[_Row], times: pd.DatetimeIndex, calendar: str) -> list[Note]:
    """Return what the sessions' first and last snapshots say of the timing of open interest."""
    books = {place: row.book for place, row in enumerate(made) if row.book is not None}
    if not books:
        return []
    rows = pd.concat(books).droplevel(1)
    place = rows.index.to_numpy(dtype=np.int64)
    moment = np.asarray(times.as_unit("ns").asi8)[place]
    session = session_ordinals(times, calendar)[place]
    groups = rows.groupby(["expiry", "strike", "right"]).ngroup()
    contract: IntArray = np.asarray(groups, dtype=np.int64)
    interest, volume = (rows[n].to_numpy(dtype=np.float64) for n in ("open_interest", "volume"))
    return snapshot_timing(moment, session, contract, interest, volume, calendar)


def _frame(made: Sequence[_Row], times: pd.DatetimeIndex) -> pd.DataFrame:
    rows = pd.DataFrame([row.numbers for row in made], columns=list(COLUMNS), index=times)
    until = np.array([row.until for row in made], dtype="M8[ns]")
    until[[bool(row.failed) for row in made]] = np.datetime64("NaT")
    rows[UNTIL] = pd.DatetimeIndex(until, tz="UTC")
    rows[SPOT] = [row.spot for row in made]
    return rows.rename_axis("time")


def _notes(made: Sequence[_Row], times: pd.DatetimeIndex) -> list[str]:
    """Return what was assumed of the chains that were computed, and how many were not."""
    good = [row.assumed for row in made if not row.failed]
    failed = [(row.failed, time) for row, time in zip(made, times, strict=True) if row.failed]
    if not good:
        raise InputError(
            f"chains: not one of {counted(len(made), 'snapshot')} can be computed; "
            f"the first of {times[0]:%Y-%m-%d %H:%M %Z}: {failed[0][0]}"
        )
    notes = cleaning_joined(merged(good))
    for reason, number in Counter(_NUMBER.sub("#", reason) for reason, _ in failed).most_common():
        first = next(item for item in failed if _NUMBER.sub("#", item[0]) == reason)
        which = counted(number, "snapshot")
        notes.append(f"{which} left blank, the first {first[1]:%Y-%m-%d %H:%M %Z}: {first[0]}")
    return notes


def merged(said: Sequence[Sequence[str]]) -> list[str]:
    """Return each sentence once, its numbers as a range where they differ.

    Parameters
    ----------
    said : sequence of sequence of str
        The sentences of each chain. One that not all of them say begins with how many do.
    """
    found: dict[tuple[str, tuple[Severity, str, str] | None], list[list[str]]] = {}
    for line in (in_config(sentence) for sentences in said for sentence in sentences):
        note = (line.severity, line.code, line.where) if isinstance(line, Note) else None
        text = line.text if isinstance(line, Note) else line
        numbers = found.setdefault((_NUMBER.sub("\0", text), note), [])
        numbers.append(_NUMBER.findall(text))
    out: list[str] = []
    for (frame, note), numbers in found.items():
        ranges = [_range(column) for column in zip(*numbers, strict=True)]
        words = frame.split("\0")
        text = words[0] + "".join(a + b for a, b in zip(ranges, words[1:], strict=True))
        if len(numbers) < len(said):
            text = f"{len(numbers)} of {len(said)} snapshots: {text}"
        out.append(text if note is None else Note(note[0], note[1], text, note[2]))
    return out


def cleaning_joined(notes: Sequence[str]) -> list[str]:
    """Return merged notes, the counts of the cleaning of quotes as one of them."""
    found = [_CLEANED.fullmatch(note) for note in notes]
    counts = [f"{m['kind']} {m['count']} in {m['some'] or 'all'}" for m in found if m]
    if not counts:
        return list(notes)
    joined = f"contracts of a snapshot: {', '.join(counts)} snapshots"
    first = next(place for place, match in enumerate(found) if match)
    return [
        joined if place == first else note
        for place, (note, match) in enumerate(zip(notes, found, strict=True))
        if place == first or not match
    ]


def _range(numbers: Sequence[str]) -> str:
    """Return numbers or dates as written: one where they agree, else the least and greatest."""
    dates = len(numbers[0]) > 4 and numbers[0][4] == "-"
    low, high = min(numbers, key=str if dates else float), max(numbers, key=str if dates else float)
    return low if low == high else f"{low}..{high}"
