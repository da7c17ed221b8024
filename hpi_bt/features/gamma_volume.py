"""The feature `gamma_volume`: put and call flow in dollars of gamma, for `proxy: gamma`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, cast

import numpy as np
import pandas as pd
from pydantic import Field, field_validator, model_validator

from hpi_bt.errors import InputError, restored, stored
from hpi_bt.features.ahead import Ahead, Progress, no_progress
from hpi_bt.features.base import snapshot_words
from hpi_bt.features.contract_rows import TableChains, rows_of
from hpi_bt.features.contract_vols import Origin, vols_of
from hpi_bt.features.gamma_weights import (
    AMOUNTS,
    INTEREST,
    SESSION,
    bucket_note,
    bucket_table,
    gamma_by_strike_and_dte,
    snapshot_amounts,
    weighted_contracts,
)
from hpi_bt.features.snapshots import CODE, FileChains, Snapshots, snapshots_of
from hpi_bt.features.underlying import SPOT, SYMBOLS, ChainFeature
from hpi_bt.sources.base import Locations
from hpi_bt.sources.cache import Cache, Provenance, package_versions
from hpi_bt.sources.demo_chains import DemoChains, DemoSnapshots
from hpi_bt.sources.fingerprints import code_fingerprint, fingerprint_of
from hpi_bt.sources.hours import add_notes
from hpi_bt.sources.joins import Delay
from hpi_bt.sources.splits import Splits

Chains: TypeAlias = Annotated[TableChains | FileChains | DemoChains, Field(discriminator="kind")]


class GammaFlow(NamedTuple):
    """What chains say about gamma-weighted flow.

    Attributes
    ----------
    rows : DataFrame, index moment of the snapshot (UTC)
        put_gamma_volume, call_gamma_volume (dollars of delta per 1 % move since the snapshot
        before), put_gamma_oi, call_gamma_oi (of the session's first snapshot), gamma_session and
        spot.
    by_strike : DataFrame
        As `gamma_by_strike_and_dte` returns it.
    notes : tuple of str
    kept : bool
        Whether it came from the cache.
    symbols : tuple of str
        What the chains are of, as far as they say.
    """

    rows: pd.DataFrame
    by_strike: pd.DataFrame
    notes: tuple[str, ...]
    kept: bool
    symbols: tuple[str, ...] = ()


class GammaVolumeFeature(ChainFeature):
    """Each contract's volume and open interest times its own gamma, summed over the chain."""

    kind: Literal["gamma_volume"] = "gamma_volume"
    chains: Chains
    """Chain snapshots: kind option_snapshots (a table with cumulative volume, as the source of that
    name reads it), file (any chain files), or demo with the settings of the source."""
    dte: tuple[int, int] | None = None
    """First and last number of calendar days to expiry that count; all by default."""
    within_pct: float | None = Field(None, gt=0, allow_inf_nan=False)
    """How far a strike may lie from spot, in percent; all by default."""
    iv: Origin = "auto"
    """Vols: own (the file's), implied (from prices), auto (own where there is one, else implied).
    What is still without one takes the smile of its snapshot."""

    @field_validator("chains", mode="before")
    @classmethod
    def _usual_kind(cls, value: Any) -> Any:
        return {"kind": "file", **value} if isinstance(value, Mapping) else value

    @model_validator(mode="after")
    def _possible(self) -> GammaVolumeFeature:
        if self.dte is not None and not 0 <= self.dte[0] <= self.dte[1]:
            raise ValueError(f"dte: {list(self.dte)}; give [first, last] days, from 0 up")
        late = getattr(self.chains, "late_minutes", 0.0)
        known = self.known_at
        if not isinstance(known, Delay) and known != "bar_close":
            raise ValueError(
                f"known_at: {known}; volume and open interest belong to the session in which they "
                "are seen, give bar_close or {delay_minutes: 15}"
            )
        waits = known.delay_minutes if isinstance(known, Delay) else 0.0
        if waits < late:
            raise ValueError(
                f"known_at would use quotes before they were published, {late:g} minutes late; "
                f"give known_at: {{delay_minutes: {late:g}}} or more"
            )
        return self

    def assumptions(self) -> tuple[tuple[str, str], ...]:
        """Return which contracts count and where their vols come from."""
        days = "every expiry" if self.dte is None else f"{self.dte[0]} to {self.dte[1]} days left"
        reach = "every strike" if self.within_pct is None else f"within {self.within_pct:g} %"
        vols = {"auto": "vols given, else implied", "own": "vols given", "implied": "vols implied"}
        what = f"{days}, {reach} of spot; {vols[self.iv]}; $ of delta per 1 %"
        return (("Gamma", f"{what}; known {snapshot_words(self.known_at)}"),)

    def ahead(
        self,
        where: Locations,
        calendar: str,
        *,
        splits: Splits | None = None,
        progress: Progress = no_progress,
    ) -> Ahead:
        """Compute every snapshot and return what there is to see, a row a session and bucket."""
        found = self.computed(where, calendar, splits if self.splits is None else self.splits)
        progress(1, 1)
        table = bucket_table(found.by_strike)
        return Ahead(self.label, table, found.rows, found.notes, (), found.kept)

    def computed(self, where: Locations, calendar: str, splits: Splits | None = None) -> GammaFlow:
        """Return the flow of every snapshot, from the cache where it is there.

        Those before a split are adjusted for it (`sources.splits`).

        Raises
        ------
        InputError
            The chains cannot be read, or no contract is within `dte` and `within_pct`.
        """
        snapshots = None
        if isinstance(self.chains, TableChains):
            said = self.chains.fingerprint(where, calendar, splits)
        else:
            snapshots = snapshots_of(self.chains, where, calendar, splits)
            said = snapshots.fingerprint
        cache, key = Cache(where.cache), self._key(said, calendar)
        found = [cache.load(f"{key}/{part}") for part in ("rows", "by_strike")]
        damaged = tuple(cache.problems)
        if found[0] is not None and found[1] is not None:
            known = found[0][1].parameters
            notes = (*damaged, *restored(known["notes"]))
            return GammaFlow(found[0][0], found[1][0], notes, True, tuple(known[SYMBOLS]))
        made = self._made(snapshots, where, calendar, splits)
        versions = package_versions("hpi_bt", "numpy", "scipy")
        last = made.rows.index[-1].to_pydatetime()  # nothing was downloaded
        said_of = {"notes": stored(made.notes), SYMBOLS: list(made.symbols)}
        about = Provenance(self.kind, said_of, last, versions)
        cache.store(f"{key}/rows", made.rows, about)
        cache.store(f"{key}/by_strike", made.by_strike, about)
        return made._replace(notes=(*damaged, *made.notes))

    def _key(self, said: str, calendar: str) -> str:
        settings: dict[str, Any] = {
            **self.model_dump(include={"dte", "within_pct", "iv"}),
            **package_versions("hpi_bt", "numpy", "scipy"),
            "calendar": calendar,
            "code": code_fingerprint(*CODE),
        }
        return f"{self.kind}/{said}/{fingerprint_of(settings)}"

    def _made(
        self,
        snapshots: Snapshots | None,
        where: Locations,
        calendar: str,
        splits: Splits | None,
    ) -> GammaFlow:
        if isinstance(self.chains, TableChains):
            rows = self.chains.contract_rows(where, calendar, splits)
        else:
            assert snapshots is not None
            rows = rows_of(snapshots, calendar)
        vols = vols_of(rows, origin=self.iv)
        weights = weighted_contracts(rows, vols, dte=self.dte, within_pct=self.within_pct)
        table = gamma_by_strike_and_dte(weights)
        notes = (*weights.notes, bucket_note(table))
        return GammaFlow(snapshot_amounts(weights), table, notes, False, rows.symbols)

    def rows(self, frame: pd.DataFrame, where: Locations, calendar: str) -> pd.DataFrame:
        """Return AMOUNTS, gamma_session and spot by the moment of each snapshot.

        Kept in the cache by the contents of the file and all settings.
        """
        found = self.computed(where, calendar, self.splits_for(frame))
        demo = "simulated option chains" if isinstance(self.chains, DemoChains) else ""
        found.rows.attrs = {"notes": list(found.notes), "demo": demo, SYMBOLS: found.symbols}
        return found.rows

    def add(self, frame: pd.DataFrame, where: Locations, calendar: str) -> pd.DataFrame:
        """Return the frame with AMOUNTS; open interest is of the bar's own session, or unknown."""
        if any(c in frame and frame[c].notna().any() for c in AMOUNTS):
            raise InputError("features: gamma_volume is there twice; keep one of them")
        if isinstance(self.chains, DemoChains):
            market = cast(DemoSnapshots, snapshots_of(self.chains, where, calendar))
            market.refuse_other_market(frame)
        rows = self.rows(frame, where, calendar)
        said = self.check_underlying(frame, rows, calendar)
        out = self.with_rows(frame, rows.drop(columns=SPOT), calendar)
        old = (out[SESSION] != out["session"]).to_numpy()
        interest = {c: np.where(old, np.nan, out[c]) for c in INTEREST}
        made = out.drop(columns=SESSION).assign(**interest)
        made.attrs = out.attrs
        return add_notes(made, *said)
