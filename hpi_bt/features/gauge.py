"""The feature `gauge`: the Hedge Pressure Gauge of each session, on the bars of the next."""

from __future__ import annotations

from datetime import date
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field

from hpi_bt.errors import InputError
from hpi_bt.features.base import Feature
from hpi_bt.gauge import GaugeResult, hedge_score
from hpi_bt.sources.base import Locations
from hpi_bt.sources.gauge_data.assembly import GaugeInputs, gauge_inputs
from hpi_bt.sources.gauge_data.clock import new_york_date
from hpi_bt.sources.gauge_data.publication import next_opens
from hpi_bt.sources.gauge_data.reading import RawFiles
from hpi_bt.sources.hours import add_notes
from hpi_bt.sources.joins import join_rows

_NEW_YORK = "America/New_York"
_PLACE = "gauge_place"  # a column for the length of the join: which row a bar receives
_ENDS = "warning: "  # notes on how old the last row's inputs are, which is the page's matter


class ScoredInputs(NamedTuple):
    """The gauge of every session, and what it was made of."""

    inputs: GaugeInputs
    result: GaugeResult


class GaugeFeature(Feature):
    """The Hedge Pressure Gauge, 0 (calm) to 100 (stress), known at the next session's open."""

    kind: Literal["gauge"] = "gauge"
    files: str | dict[str, str | tuple[str, ...]] | None = None
    """A folder, or series (spy, vix, vix3m, put_call, treasury, sofr, oas, y10, y2, bill3m,
    t10y3m; folder for a whole one) to files; by default what `hpi-bt fetch gauge` has kept."""
    credit: bool = False
    """Use the high-yield spread, of which FRED offers the last three years only."""
    product: Literal["total", "index", "etp", "equity"] = "total"
    """Options whose put/call ratio is used."""
    max_age_sessions: int = Field(5, ge=0)
    """Sessions for which a component's value is carried forward; then it is left out."""
    min_history: int = Field(252, ge=2)
    """Values that a component must have had before it is scored."""
    window: int | None = Field(None, ge=2)
    """Score against that many last values instead of all."""
    weighting: Literal["reliability", "accuracy", "equal"] = "reliability"
    floor: float = Field(0.05, gt=0, le=1)
    """Least weight."""
    fires_at: float = Field(57.0, ge=0, le=100)
    """Score from which a component warns."""
    horizon: int = Field(21, ge=1)
    event_drawdown: float = Field(0.05, gt=0, lt=1)
    """What it warns of: SPY closes that much lower within `horizon` sessions."""
    smoothing: float = Field(0.3, gt=0, le=1)
    """Share of the new value in the smoothed one; 1 is none."""
    max_age_days: float | None = Field(7.0, gt=0)
    """Values older than this are unknown again."""

    def assumptions(self) -> tuple[tuple[str, str], ...]:
        """Return when the gauge is known, and what cash that is not invested earns."""
        return (
            (
                "Gauge",
                "of a session's close, known at the next session's open; on daily bars an order "
                "sent on it fills at the open after that",
            ),
            ("Idle cash", "earns nothing"),
        )

    def scored(
        self,
        where: Locations,
        *,
        as_of: date | None = None,
        today: date | None = None,
        read: RawFiles | None = None,
    ) -> ScoredInputs:
        """Return the gauge of every session up to `as_of`, as it was known then.

        `read` is that of the inputs of another day, so that their files are read once.

        Raises
        ------
        InputError
            From `gauge_inputs` and `hedge_score`.
        """
        inputs = gauge_inputs(
            self.files,
            where,
            as_of=as_of,
            credit=self.credit,
            product=self.product,
            max_age_sessions=self.max_age_sessions,
            today=today,
            read=read,
        )
        result = hedge_score(
            inputs.components,
            inputs.spy,
            min_history=self.min_history,
            window=self.window,
            fires_at=self.fires_at,
            horizon=self.horizon,
            event_drawdown=self.event_drawdown,
            weighting=self.weighting,
            floor=self.floor,
            smoothing=self.smoothing,
        )
        return ScoredInputs(inputs, result)

    def rows(self, frame: pd.DataFrame, where: Locations, calendar: str) -> pd.DataFrame:
        """Return the gauge of each session by the moment it is published: the next one's open.

        Returns
        -------
        rows : DataFrame
            gauge (whole points), gauge_smoothed (before rounding), gauge_raw (before smoothing),
            gauge_components (how many it rests on) and each component's score, gauge_vix and so
            on; all 0 to 100.
        """
        last = date.fromordinal(int(frame["session"].iloc[-1]))
        inputs, result = self.scored(where, as_of=min(last, new_york_date()))
        scores = result.component_scores
        sessions = pd.DatetimeIndex(scores.index)
        rows = pd.DataFrame(
            {
                "gauge": result.score,
                "gauge_smoothed": result.smoothed,
                "gauge_raw": result.raw,
                "gauge_components": scores.notna().sum(axis=1).astype(np.float64),
                **{f"gauge_{name}": scores[name] for name in scores},
            }
        )
        opens = pd.DatetimeIndex(next_opens(sessions).astype("M8[ns]"))
        rows.index = opens.tz_localize(_NEW_YORK)
        rows.attrs = {"notes": [f"gauge: {n}" for n in inputs.notes if not n.startswith(_ENDS)]}
        return rows

    def add(self, frame: pd.DataFrame, where: Locations, calendar: str) -> pd.DataFrame:
        """Return the frame with the row that was published last at each bar's close.

        A row counts as a whole: a component that it lacks is unknown, whatever the one before had.
        """
        rows = self.rows(frame, where, calendar)
        taken = [c for c in rows if c in frame and frame[c].notna().any()]
        if taken:
            raise InputError(f"features: gauge: column {taken[0]!r} is already there; remove one")
        places = pd.DataFrame({_PLACE: np.arange(len(rows), dtype=np.float64)}, index=rows.index)
        joined = join_rows(
            frame, places, self.known_at, calendar, name=self.kind, max_age_days=self.max_age_days
        )
        place = joined[_PLACE].to_numpy()
        known = np.isfinite(place)
        values = rows.to_numpy()[np.where(known, place, 0).astype(np.int64)]
        values[~known] = np.nan
        out = frame.drop(columns=[c for c in rows if c in frame])
        out = out.join(pd.DataFrame(values, columns=rows.columns, index=frame.index))
        out.attrs = dict(joined.attrs)
        return add_notes(out, *rows.attrs["notes"])
