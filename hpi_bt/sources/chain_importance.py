"""What is said of chains, by importance: faults in the data, what moves the answer, notes."""

from __future__ import annotations

from collections.abc import Iterable

from hpi_bt.errors import Note, Severity

#: Words of sentences that tell of a fault in the data: something to look at or to mend.
_FAULTS = (
    "but no vol, left out",
    "without a known position",
    "that leave out quotes",
    "Dealers hold nothing",
    "on no session",
    "is 0 everywhere",
    "no quotes at all",
    "no calls",
    "no puts",
    "a single strike",
    "left blank, the first",
    "left out, the first",
    "without any price left out",
    "backward step",
    "is not known there",
)
#: Words of those that tell what was taken for true and moves the answer.
_ASSUMED = (
    "No bid or ask is known",
    "on fewer than 5 quotes",
    "on the file's own IV",
    "Forwards carried from",
    "the smile rests on the file's IV",
    "their vols held still",
    "The coupling k is 0",
    "skew-stickiness ratio of",
    "The regime rests on",
    "Open positions:",
    "The session's flow",
    "of it opening",
    "IV of each contract implied",
    "taken to be",
    "higher of the two vols",
    "put-call parity",
    "older than the stamps",
    "resting on spot",
    "from the forwards",
    ", assumed: ",
)


def severity_of(note: str) -> Severity:
    """Return how much a note matters: its own word for it or, of plain text, by its words."""
    if isinstance(note, Note):
        return note.severity
    if note.startswith("warning") or any(words.lower() in note.lower() for words in _FAULTS):
        return Severity.WARNING
    if any(words.lower() in note.lower() for words in _ASSUMED):
        return Severity.ASSUMPTION
    return Severity.INFO


def by_importance(notes: Iterable[str]) -> list[str]:
    """Return each note once: DEMO, then the weightiest, else in their order."""
    return sorted(dict.fromkeys(notes), key=lambda n: (not n.startswith("DEMO"), severity_of(n)))
