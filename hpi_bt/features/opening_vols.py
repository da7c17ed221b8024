"""Vols of the opening book, whose open interest may come before any price (definitions 7)."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import numpy as np

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.errors import Note, Severity
from hpi_bt.features.contract_rows import ContractRows
from hpi_bt.features.contract_vols import ContractVols, interpolated, numbered
from hpi_bt.features.flow_columns import BOOK_WITHOUT_VOLS
from hpi_bt.sources.hours import counted
from hpi_bt.sources.snapshots import SnapshotChain

NONE, BEFORE, FIRST = range(3)
ORIGINS = ("no vol", "the smile of the session before", "its session's first quotes")
OLDEST = 7  # days back that the session before may lie
FEW = 1.0  # percent of open interest without a vol from which on that is a warning
NEVER = np.iinfo(np.int64).max
COLUMNS = "put_gamma_oi and call_gamma_oi"


class OpeningBook(NamedTuple):
    """Open interest of each session's first snapshot and its vols.

    Attributes
    ----------
    first : ndarray of bool, shape (n_rows,)
        Whether a row is of its session's first snapshot.
    sigma : ndarray of shape (n_rows,)
        Vol of the rows of a first snapshot, a decimal; NaN where none is known, and elsewhere.
    origin : ndarray of int, shape (n_rows,)
        Number of ORIGINS.
    known_from : ndarray of int, shape (n_sessions,)
        Moment from which on the book has its vols, UTC ns; that of its session's first snapshot,
        or of the first with quotes; the largest integer where there is none.
    """

    first: BoolArray
    sigma: FloatArray
    origin: IntArray
    known_from: IntArray


def opening_book(rows: ContractRows, vols: ContractVols, chosen: BoolArray) -> OpeningBook:
    """Return the vols of each session's opening book.

    Parameters
    ----------
    rows : ContractRows
    vols : ContractVols
        Of the same rows.
    chosen : ndarray of bool, shape (n_rows,)
        The contracts that count.

    Returns
    -------
    book : OpeningBook

    Notes
    -----
    Each expiry takes the last smile of the session before, by strike; one that had none the smile
    of its own session's first snapshot with quotes, and then the whole book is known from that
    snapshot on, whatever is still without a vol there being left out.
    """
    chain = rows.chain
    sessions, start, of_row = np.unique(chain.session, return_index=True, return_inverse=True)
    opens = chain.moment[start]
    first: BoolArray = chain.moment == opens[of_row]
    pair, _ = numbered(chain.session, chain.expiry)
    last, early, quoted = _smiles(chain, np.flatnonzero(vols.quoted), pair, of_row, len(sessions))
    sigma, origin = np.full(len(first), np.nan), np.full(len(first), NONE)
    alive = np.flatnonzero(first & (rows.tau_years > 0.0))
    for number, ours in _by_number(pair, alive, chain.strike).items():
        at, expiry = int(of_row[ours[0]]), int(chain.expiry[ours[0]])
        recent = at > 0 and sessions[at] - sessions[at - 1] <= OLDEST
        before = last.get((int(sessions[at - 1]), expiry)) if recent else None
        source = early.get(number) if before is None else before
        if source is not None:
            sigma[ours] = interpolated(chain.strike[ours], chain.strike[source], vols.sigma[source])
            origin[ours] = FIRST if before is None else BEFORE
    held = np.where(first & chosen & (rows.tau_years > 0.0), np.nan_to_num(rows.held), 0.0)
    waits = np.bincount(of_row, (held > 0.0) & (origin != BEFORE), minlength=len(sessions))
    return OpeningBook(first, sigma, origin, np.where(waits > 0, quoted, opens))


def _smiles(
    chain: SnapshotChain, known: IntArray, pair: IntArray, of_row: IntArray, n_sessions: int
) -> tuple[dict[tuple[int, int], IntArray], dict[int, IntArray], IntArray]:
    """Return the rows of the smiles that an opening book may take, and when sessions have quotes.

    `known` are the rows with a vol of their own, `pair` numbers session and expiry, `of_row` the
    sessions. Rows of the last smile by (session, expiry), of the first by pair; the moment of each
    session's first snapshot with quotes, the largest integer where it has none.
    """
    moment = chain.moment[known]
    latest = np.zeros(int(pair.max()) + 1, dtype=np.int64)
    np.maximum.at(latest, pair[known], moment)
    quoted = np.full(n_sessions, NEVER)
    np.minimum.at(quoted, of_row[known], moment)
    last = _by_number(pair, known[moment == latest[pair[known]]], chain.strike).values()
    return (
        {(int(chain.session[rows[0]]), int(chain.expiry[rows[0]])): rows for rows in last},
        _by_number(pair, known[moment == quoted[of_row[known]]], chain.strike),
        quoted,
    )


def _by_number(number: IntArray, rows: IntArray, strike: FloatArray) -> dict[int, IntArray]:
    """Return these rows by their number, by ascending strike."""
    order = rows[np.lexsort((strike[rows], number[rows]))]
    found, starts = np.unique(number[order], return_index=True)
    parts = np.split(order, starts[1:])
    return {int(name): part for name, part in zip(found, parts, strict=False)}


def book_notes(rows: ContractRows, book: OpeningBook, held: FloatArray) -> list[Note]:
    """Return what is left out of the opening books, and where they are known late.

    `held` is the open interest that counts of each row, in shares, 0 beyond the first snapshots.
    """
    sessions, start, of_row = np.unique(rows.chain.session, return_index=True, return_inverse=True)
    lost = np.where(book.origin == NONE, held, 0.0)
    notes = []
    if lost.any():
        percent = 100.0 * lost.sum() / held.sum()
        where = np.unique(of_row[lost > 0.0])
        text = (
            f"open interest of {counted(int(np.count_nonzero(lost)), 'contract')} without a vol, "
            f"{percent:.1f} % of all, in {counted(len(where), 'session')} from "
            f"{date.fromordinal(int(sessions[where[0]]))} on: left out of {COLUMNS}, which are "
            "blank where nothing is left"
        )
        severity = Severity.WARNING if percent >= FEW else Severity.INFO
        notes.append(Note(severity, BOOK_WITHOUT_VOLS, text))
    wait = book.known_from - rows.chain.moment[start]
    late = (wait > 0) & (book.known_from < NEVER)
    if late.any():
        text = (
            f"the opening book has no vols before the first quotes of its session in "
            f"{counted(int(late.sum()), 'session')}, which come up to {wait[late].max() / 60e9:g} "
            f"minutes after its first snapshot: {COLUMNS} are blank until then"
        )
        notes.append(Note(Severity.INFO, "opening-book-known-late", text))
    return notes
