"""What every feature is: rows with the moment each became known, joined to the bars as of it."""

from __future__ import annotations

from abc import ABC, abstractmethod

import pandas as pd
from pydantic import Field

from hpi_bt.errors import InputError, Note, Severity
from hpi_bt.sources.base import Locations, Settings
from hpi_bt.sources.hours import add_notes
from hpi_bt.sources.joins import Delay, KnownAt, join_rows


def snapshot_words(known_at: KnownAt) -> str:
    """Return when a chain snapshot is known, in words: "15 minutes after its quotes"."""
    if isinstance(known_at, Delay):
        return f"{known_at.delay_minutes:g} minutes after their quotes"
    words = {"bar_close": "as they are taken"}
    return words.get(known_at, f"at the {known_at.replace('_', ' ')}")


class Feature(Settings, ABC):
    """One entry of a config's `features`; a subclass says what its rows are."""

    kind: str
    name: str = Field("", pattern=r"^([a-z][a-z0-9_]{0,30})?$")
    """Begins the names of its columns, so that several of one kind stand side by side:
    name: odte makes odte_put_gamma_oi."""
    known_at: KnownAt = "bar_close"
    """When a row became known: bar_close (its own moment), session_open, session_close,
    next_session_open, or {delay_minutes: 15}."""
    max_age_days: float | None = Field(None, gt=0)
    """Values older than this are unknown again."""

    def assumptions(self) -> tuple[tuple[str, str], ...]:
        """Return what the pages must say of it first, as (what, how)."""
        return ()

    @abstractmethod
    def rows(self, frame: pd.DataFrame, where: Locations, calendar: str) -> pd.DataFrame:
        """Return the rows that the feature adds to a frame.

        Returns
        -------
        rows : DataFrame
            The columns to join; index: the tz-aware moment of each row, oldest first. `attrs`
            may hold "notes" (list of text) and "demo" (what is made up), handed on to the frame.
        """

    @property
    def label(self) -> str:
        """What it is called where several of its kind may be."""
        return f"{self.kind} {self.name}" if self.name else self.kind

    def joined(
        self, frame: pd.DataFrame, bare: pd.DataFrame, where: Locations, calendar: str
    ) -> pd.DataFrame:
        """Return the frame with the feature's columns under its own name.

        `bare` is the frame before any feature; a feature without a name adds to `frame` itself.

        Raises
        ------
        InputError
            A column of that name is there already; or as `add`.
        """
        if not self.name:
            return self.add(frame, where, calendar)
        made = self.add(bare, where, calendar)
        own = made[[c for c in made if c not in bare or not made[c].equals(bare[c])]]
        own = own.add_prefix(f"{self.name}_")
        taken = [c for c in own if c in frame]
        if taken:
            raise InputError(
                f"column {taken[0]!r} is already there",
                where="features",
                field=f"name: {self.name}",
                remedy="give each feature a name of its own",
            )
        out = frame.join(own)
        known = set(bare.attrs.get("notes", ()))
        new = [note for note in made.attrs.get("notes", ()) if note not in known]
        out.attrs = frame.attrs | {"demo": frame.attrs.get("demo") or made.attrs.get("demo", "")}
        text = f"columns of {self.kind} begin with {self.name}_"
        said = Note(Severity.INFO, "feature-columns", text, "features")
        return add_notes(out, said, *(_of(self.name, note) for note in new))

    def add(self, frame: pd.DataFrame, where: Locations, calendar: str) -> pd.DataFrame:
        """Return the frame with the feature's columns, nothing earlier than it was known."""
        return self.with_rows(frame, self.rows(frame, where, calendar), calendar)

    def with_rows(self, frame: pd.DataFrame, rows: pd.DataFrame, calendar: str) -> pd.DataFrame:
        """Return the frame with the columns of rows that `rows` returned, and their notes."""
        out = join_rows(
            frame, rows, self.known_at, calendar, name=self.kind, max_age_days=self.max_age_days
        )
        out = add_notes(out, *rows.attrs.get("notes", ()))
        out.attrs["demo"] = out.attrs.get("demo") or str(rows.attrs.get("demo", ""))
        return out


def _of(name: str, note: str) -> str:
    """Return a note with the name of the feature that it is of."""
    if isinstance(note, Note):
        return Note(note.severity, note.code, note.text, f"{name}: {note.where}".rstrip(": "))
    return f"{name}: {note}"
