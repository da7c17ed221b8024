"""The feature `hedge_flow`: the dealers' hedge flow of each chain snapshot, as columns of bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from hpi_bt.arrays import BoolArray
from hpi_bt.errors import InputError, Note, Severity
from hpi_bt.features.ahead import Ahead, Progress, no_progress, session_table
from hpi_bt.features.base import snapshot_words
from hpi_bt.features.flow_columns import COLUMNS, UNTIL, FlowOptions
from hpi_bt.features.snapshots import FileChains, snapshots_of
from hpi_bt.features.underlying import SYMBOLS, ChainFeature
from hpi_bt.options.dealers import DEFAULT_POSITIONING
from hpi_bt.sources.base import Locations
from hpi_bt.sources.cache import Cache
from hpi_bt.sources.demo_chains import DemoChains
from hpi_bt.sources.hours import add_notes
from hpi_bt.sources.joins import Delay, join_rows
from hpi_bt.sources.oi_timing import DOUBTFUL
from hpi_bt.sources.splits import Splits

if TYPE_CHECKING:
    from hpi_bt.features.compute import Computed

Chains: TypeAlias = Annotated[FileChains | DemoChains, Field(discriminator="kind")]

_COUNTED = {
    "canonical": "open interest", "flow_delta": "customer trades of the session",
    "live": "open interest and trades", "volume": "volume",
}  # fmt: skip
_PLACE = "hedge_place"  # a column for the length of the join: which row a bar receives


class HedgeFlowFeature(ChainFeature):
    """Impulse, exposures, levels, charm, regime and zones of each snapshot of a chain."""

    kind: Literal["hedge_flow"] = "hedge_flow"
    chains: Chains
    """Chain snapshots: kind file (a path, or several), or demo with the settings of the source."""
    expiry: Literal["0dte", "all"] = "0dte"
    """Contracts that expire on the snapshot's own date, or every one of its chain."""
    positioning: str = DEFAULT_POSITIONING
    """dealers_long_calls_short_puts, dealers_short_calls_long_puts, or a column of positions."""
    mode: Literal["canonical", "flow_delta", "live", "volume"] = "canonical"
    """Open interest; the session's customer trades; both; or volume."""
    vols: Literal["quotes", "smile"] = "quotes"
    """Vols of the strikes' own quotes where they have good ones, or of the smiles throughout."""
    ssr: float = Field(1.5, allow_inf_nan=False)
    """Skew-stickiness ratio; 1 is sticky strike."""
    coupling: float | None = Field(None, allow_inf_nan=False)
    """Spot-vol coupling k of all expiries; by default what their skew says."""
    range_pct: float = Field(3.0, gt=0, lt=100)
    step_pct: float = Field(0.05, gt=0, lt=100)
    """Reach and step of the impulse curve, in percent of spot."""
    reach_multiple: float = Field(2.0, gt=0, allow_inf_nan=False)
    """How far zones count, in expected daily moves."""
    zone_threshold: float = Field(0.15, ge=0, le=1)
    """Share of the largest |H| of its kind below which a basin or peak makes no zone."""

    @model_validator(mode="before")
    @classmethod
    def _file_by_default(cls, value: Any) -> Any:
        """Take chains that name no kind for files."""
        chains = value.get("chains") if isinstance(value, Mapping) else None
        if not isinstance(chains, Mapping) or "kind" in chains:
            return value
        return {**value, "chains": {"kind": "file", **chains}}

    @model_validator(mode="after")
    def _not_before_published(self) -> HedgeFlowFeature:
        late = getattr(self.chains, "late_minutes", 0.0)
        known = self.known_at
        if known == "session_open":
            raise ValueError(
                "known_at: session_open would use a day's quotes at its open, before they were "
                "made; give bar_close or {delay_minutes: 15}"
            )
        waits = known.delay_minutes if isinstance(known, Delay) else 0.0
        if waits < late and (isinstance(known, Delay) or known == "bar_close"):
            raise ValueError(
                f"known_at would use quotes before they were published, {late:g} minutes late; "
                f"give known_at: {{delay_minutes: {late:g}}} or more"
            )
        return self

    def assumptions(self) -> tuple[tuple[str, str], ...]:
        """Return the dealers' side, where k comes from, and when a snapshot was known."""
        side = self.positioning.replace("_", " ")
        k = f"skew-stickiness ratio {self.ssr:g}" if self.coupling is None else "k as given"
        return (
            ("Dealers", f"{side}, by {_COUNTED[self.mode]}; {k}"),
            ("Chains", f"known {snapshot_words(self.known_at)}; expiry {self.expiry}"),
        )

    def computed(
        self,
        where: Locations,
        calendar: str,
        *,
        splits: Splits | None = None,
        progress: Progress = no_progress,
    ) -> Computed:
        """Return the hedge flow of every snapshot, from the cache where it is there.

        Those before a split are adjusted for it (`sources.splits`).
        """
        from hpi_bt.features.compute import computed  # the mathematics; a config needs none

        options = FlowOptions(
            **{name: getattr(self, name) for name in FlowOptions._fields if name != "calendar"},
            calendar=calendar,
        )
        snapshots = snapshots_of(self.chains, where, calendar, splits)
        found = computed(snapshots, options, Cache(where.cache), progress=progress)
        if self.known_at == "next_session_open":  # by then any count is published
            certain = [n for n in found.notes if getattr(n, "code", "") != DOUBTFUL]
            found = found._replace(notes=tuple(certain))
        notes = [flag for flag in found.flags if isinstance(flag, Note)]
        warnings = [note for note in notes if note.severity is Severity.WARNING]
        found.rows.attrs = {
            "notes": [*found.notes, *warnings], "demo": snapshots.demo, SYMBOLS: found.symbols,
        }  # fmt: skip
        return found

    def ahead(
        self,
        where: Locations,
        calendar: str,
        *,
        splits: Splits | None = None,
        progress: Progress = no_progress,
    ) -> Ahead:
        """Compute every snapshot and return what there is to see, a row a session."""
        given = splits if self.splits is None else self.splits
        found = self.computed(where, calendar, splits=given, progress=progress)
        table = session_table(found.rows, calendar)
        return Ahead(self.label, table, found.rows, found.notes, found.flags, found.kept)

    def rows(self, frame: pd.DataFrame, where: Locations, calendar: str) -> pd.DataFrame:
        """Return COLUMNS and `until` by the moment of each snapshot; NaN where one says nothing.

        Kept in the cache by the contents of the files and all settings.
        """
        return self.computed(where, calendar, splits=self.splits_for(frame)).rows

    def add(self, frame: pd.DataFrame, where: Locations, calendar: str) -> pd.DataFrame:
        """Return the frame with the columns of the last snapshot known at each bar's close.

        A snapshot counts as a whole: where it has no attractor, there is none, whatever the one
        before had. From the last expiry of its contracts on it says nothing.
        """
        if any(c in frame and frame[c].notna().any() for c in COLUMNS):
            raise InputError("features: hedge_flow is there twice; keep one of them")
        rows = self.rows(frame, where, calendar)
        said = self.check_underlying(frame, rows, calendar)
        numbers = pd.DataFrame({_PLACE: np.arange(len(rows), dtype=np.float64)}, index=rows.index)
        joined = join_rows(
            frame, numbers, self.known_at, calendar, name=self.kind, max_age_days=self.max_age_days
        )
        place = joined[_PLACE].to_numpy()
        known = np.isfinite(place)
        at = np.where(known, place, 0).astype(np.int64)
        until = rows[UNTIL].to_numpy(dtype="M8[ns]")[at]
        closes = pd.DatetimeIndex(frame.index).as_unit("ns").asi8.astype("M8[ns]")
        known &= closes < until  # NaT is before nothing
        values = np.where(known[:, None], rows[list(COLUMNS)].to_numpy()[at], np.nan)
        out = frame.drop(columns=[c for c in COLUMNS if c in frame])
        out = out.join(pd.DataFrame(values, columns=list(COLUMNS), index=frame.index))
        out.attrs = dict(joined.attrs)
        out = add_notes(out, *said, *rows.attrs.get("notes", ()), _coverage(known))
        out.attrs["demo"] = out.attrs.get("demo") or str(rows.attrs.get("demo", ""))
        return out


def _coverage(known: BoolArray) -> str:
    return f"hedge flow known at {int(known.sum()):,} of {len(known):,} bars"
