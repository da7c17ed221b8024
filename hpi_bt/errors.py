"""What is reported to a user: notes on what was assumed or is odd, and refusals of wrong input."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

#: A setting that a text names: `as_of`, or with the value to give it `timezone=Asia/Kolkata`.
_SETTING = re.compile(r"`(\w+)(?:=([^`]*))?`")


def as_argument(name: str, value: str) -> str:
    """Return a setting as Python writes it: as_of, timezone='Asia/Kolkata'."""
    if name == "columns" and value:
        ours, _, theirs = value.partition(":")
        return f"columns={{{ours!r}: {theirs!r}}}"
    return f"{name}={value!r}" if value else name


def as_key(name: str, value: str) -> str:
    """Return a setting as a config writes it: timezone: Asia/Kolkata."""
    if name == "columns" and value:
        ours, _, theirs = value.partition(":")
        return f"columns: {{{ours}: {theirs}}}"
    return f"{name}: {value}" if value else name


@dataclass(frozen=True)
class Wording:
    """How one place, such as the command line, spells the settings that a text names.

    Parameters
    ----------
    spell : callable
        Called with the name of a setting and the value to give it, "" where there is none.
    instead : mapping of str to str
        Remedies that take the place of those naming a setting which does not exist there.
    """

    spell: Callable[[str, str], str] = as_argument
    instead: Mapping[str, str] = field(default_factory=dict)

    def text(self, template: str) -> str:
        """Return a text with its settings spelled."""
        return _SETTING.sub(lambda m: self.spell(m[1], m[2] or ""), template)

    def remedy(self, template: str) -> str:
        """Return a remedy with its settings spelled, or what takes its place."""
        named = (m[1] for m in _SETTING.finditer(template))
        return self.text(next((self.instead[n] for n in named if n in self.instead), template))


_PYTHON = Wording()


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
        One sentence in plain English. A setting in backticks (`as_of`) is spelled as the place
        where it is shown does: see `in_words`.
    where : str, default=""
        File, column or key that it is about.
    """

    severity: Severity
    code: str
    text: str
    where: str
    _template: str

    def __new__(cls, severity: Severity, code: str, text: str, where: str = "") -> Note:
        """Return the note; its text as a string is complete in itself."""
        plain = _PYTHON.text(text)
        line = f"{where}: {plain}" if where else plain
        note = super().__new__(cls, f"warning: {line}" if severity is Severity.WARNING else line)
        note.severity, note.code, note.text, note.where = severity, code, plain, where
        note._template = text
        return note

    def in_words(self, wording: Wording) -> Note:
        """Return the note with its settings spelled as one place does."""
        return Note(self.severity, self.code, wording.text(self._template), self.where)

    def with_text(self, change: Callable[[str], str]) -> Note:
        """Return the note with its sentence changed."""
        return Note(self.severity, self.code, change(self._template), self.where)

    def __getnewargs__(self) -> tuple[Severity, str, str, str]:  # type: ignore[override]
        """Return what a copy or a pickle is made of."""
        return self.severity, self.code, self._template, self.where

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
        How to fix it, with names that exist where the user is: "map it under source.columns". A
        setting in backticks (`as_of`) is spelled as the place where it is shown does.
    """

    def __init__(self, problem: str, *, where: str = "", field: str = "", remedy: str = "") -> None:
        self.where, self.field, self.problem = where, field, problem
        self.remedy, self._template = _PYTHON.text(remedy), remedy
        place = "".join(f"{part}: " for part in (where, field) if part)
        super().__init__(f"{place}{problem}" + (f"; {self.remedy}" if remedy else ""))

    def in_words(self, wording: Wording) -> InputError:
        """Return the refusal with its settings spelled as one place does.

        A field without a file is a setting; one of a file is a column or a key of it.
        """
        field = self.field if self.where or not self.field else wording.spell(self.field, "")
        remedy = wording.remedy(self._template)
        return InputError(self.problem, where=self.where, field=field, remedy=remedy)

    def within(self, where: str) -> InputError:
        """Return the refusal as one of a file, where it names none yet."""
        if self.where:
            return self
        return InputError(self.problem, where=where, field=self.field, remedy=self._template)

    def as_dict(self) -> dict[str, str]:
        """Return the fields as JSON can hold them."""
        return {
            "where": self.where,
            "field": self.field,
            "problem": self.problem,
            "remedy": self.remedy,
        }


def in_words(line: str, wording: Wording) -> str:
    """Return a line with its settings spelled as one place does, where it is a note."""
    return line.in_words(wording) if isinstance(line, Note) else line


def diagnostics(notes: Iterable[object]) -> list[Mapping[str, str]]:
    """Return the fields of those notes that have them, weightiest first."""
    known = [note for note in notes if isinstance(note, Note)]
    return [note.as_dict() for note in sorted(known, key=lambda note: note.severity)]


def stored(notes: Iterable[str]) -> list[str | dict[str, str]]:
    """Return notes as JSON can hold them: those with fields by their fields."""
    return [note.as_dict() if isinstance(note, Note) else str(note) for note in notes]


def restored(notes: Iterable[str | Mapping[str, str]]) -> list[str]:
    """Return the notes that `stored` gave."""
    return [note if isinstance(note, str) else Note.from_dict(note) for note in notes]


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
