"""What every feature is: rows with the moment each became known, joined to the bars as of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import pandas as pd
from pydantic import Field

from hpi_bt.sources.base import Locations, Settings
from hpi_bt.sources.hours import add_notes
from hpi_bt.sources.joins import KnownAt, join_rows


class Feature(Settings, ABC):
    """One entry of a config's `features`; a subclass says what its rows are."""

    name: ClassVar[str]

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

    def add(self, frame: pd.DataFrame, where: Locations, calendar: str) -> pd.DataFrame:
        """Return the frame with the feature's columns, nothing earlier than it was known."""
        return self.joined(frame, self.rows(frame, where, calendar), calendar)

    def joined(self, frame: pd.DataFrame, rows: pd.DataFrame, calendar: str) -> pd.DataFrame:
        """Return the frame with the columns of rows that `rows` returned, and their notes."""
        out = join_rows(
            frame, rows, self.known_at, calendar, name=self.name, max_age_days=self.max_age_days
        )
        out = add_notes(out, *map(str, rows.attrs.get("notes", ())))
        out.attrs["demo"] = out.attrs.get("demo") or str(rows.attrs.get("demo", ""))
        return out
