"""What is reported to a user: notes on what was assumed or is odd, and refusals of wrong input."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from enum import IntEnum


class Severity(IntEnum):
    """How much a note matters; the least number is shown first."""

    WARNING = 0  #: figures may be wrong or mean something else than they seem to
    ASSUMPTION = 1  #: a choice was made for the user that moves the figures
    INFO = 2  #: what was read, dropped or repaired


class Note(str):
    """Something a user has to know, as fields; as text it is the line that is shown.

    Parameters
    ----------
    severity : Severity
    code : str
        Names the kind of note for programs, in kebab case: "bars-without-volume". Never shown.
    text : str
        One sentence in plain English.
    where : str, default=""
        File, column or key that it is about.
    """

    severity: Severity
    code: str
    text: str
    where: str

    def __new__(cls, severity: Severity, code: str, text: str, where: str = "") -> Note:
        """Return the note; its text as a string is complete in itself."""
        line = f"{where}: {text}" if where else text
        note = super().__new__(cls, f"warning: {line}" if severity is Severity.WARNING else line)
        note.severity, note.code, note.text, note.where = severity, code, text, where
        return note

    def saying(self, text: str) -> Note:
        """Return a note of the same severity, code and place with another text."""
        return Note(self.severity, self.code, text, self.where)

    def __getnewargs__(self) -> tuple[Severity, str, str, str]:  # type: ignore[override]
        """Return what a copy or a pickle is made of."""
        return self.severity, self.code, self.text, self.where

    @classmethod
    def from_dict(cls, fields: Mapping[str, str]) -> Note:
        """Return the note that `as_dict` gave the fields of."""
        severity = Severity[fields["severity"].upper()]
        return cls(severity, fields["code"], fields["text"], fields["where"])

    def as_dict(self) -> dict[str, str]:
        """Return the fields as JSON can hold them."""
        return {
            "severity": self.severity.name.lower(),
            "code": self.code,
            "text": self.text,
            "where": self.where,
        }


class InputError(ValueError):
    """Wrong input, as fields: where it stands, which field, what the problem is, the remedy.

    The command line prints the one line that they make and leaves with exit code 2.

    Parameters
    ----------
    problem : str
        What is wrong, value included: "row 7, high is 'abc'; wanted a number".
    where : str, default=""
        File, symbol or section that holds it.
    field : str, default=""
        Column, key or option.
    remedy : str, default=""
        How to fix it, with names that exist where the user is: "map it under source.columns".
    """

    def __init__(self, problem: str, *, where: str = "", field: str = "", remedy: str = "") -> None:
        self.where, self.field, self.problem, self.remedy = where, field, problem, remedy
        place = "".join(f"{part}: " for part in (where, field) if part)
        super().__init__(f"{place}{problem}" + (f"; {remedy}" if remedy else ""))

    def as_dict(self) -> dict[str, str]:
        """Return the fields as JSON can hold them."""
        return {
            "where": self.where,
            "field": self.field,
            "problem": self.problem,
            "remedy": self.remedy,
        }


def packed(notes: Iterable[str]) -> list[str | dict[str, str]]:
    """Return notes as JSON can hold them: their fields, plain text as it is."""
    return [note.as_dict() if isinstance(note, Note) else note for note in notes]


def unpacked(kept: Iterable[str | Mapping[str, str]]) -> list[str]:
    """Return the notes that `packed` gave."""
    return [note if isinstance(note, str) else Note.from_dict(note) for note in kept]


def diagnostics(notes: Iterable[object]) -> list[Mapping[str, str]]:
    """Return the fields of those notes that have them, weightiest first."""
    known = [note for note in notes if isinstance(note, Note)]
    return [note.as_dict() for note in sorted(known, key=lambda note: note.severity)]


def raised_by_us(error: Exception) -> bool:
    """Return whether hpi_bt itself raised an error, not a user's strategy or a library."""
    tail = error.__traceback__
    while tail is not None and tail.tb_next is not None:
        tail = tail.tb_next
    return tail is not None and str(tail.tb_frame.f_globals.get("__name__")).startswith("hpi_bt.")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return " (did you mean 'x'?)" for the nearest known word, or the known words, 25 at most."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    some = [*names[:20], "..."] if len(names) > 25 else names
    return f" (did you mean {near[0]!r}?)" if near else f" (known: {', '.join(some)})"
