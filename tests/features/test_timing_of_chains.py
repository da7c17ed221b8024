"""The features' chains say before or after which session their open interest was counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from chain_files import table, write

from hpi_bt.errors import Severity
from hpi_bt.features.gamma_volume import GammaVolumeFeature
from hpi_bt.features.hedge_flow import HedgeFlowFeature
from hpi_bt.sources.base import Locations
from hpi_bt.sources.oi_timing import DOUBTFUL

DAYS = ("2024-03-05", "2024-03-06", "2024-03-07", "2024-03-08")


def closes(folder: Path, truth: str) -> str:
    """A chain at each day's close, its open interest counted before or after that day."""
    rng = np.random.default_rng(3)
    first = table(["16:00"], [5100.0], day=DAYS[0], expiries=("2024-03-15",))
    counts, parts = 50_000.0 + np.zeros(len(first)), []
    for day in DAYS:
        volume = np.round(np.exp(rng.normal(6.0, 1.5, len(first))))
        after = counts + np.round(0.8 * volume * rng.choice([-1, 1], len(first)))
        rows = first.assign(ts=f"{day} 16:00", volume=volume)
        parts.append(rows.assign(open_interest=after if truth == "prior_close" else counts))
        counts = after
    return write(folder, pd.concat(parts))


def made(kind: type, folder: Path, truth: str, **settings: Any) -> Any:
    chains = {"kind": "file", "path": closes(folder, truth), "timezone": "America/New_York"}
    whole = {"expiry": "all"} if kind is HedgeFlowFeature else {}
    return kind.model_validate({"chains": chains, **whole, **settings})


@pytest.mark.parametrize("kind", [HedgeFlowFeature, GammaVolumeFeature])
@pytest.mark.parametrize("truth", ["pre_open", "prior_close"])
def test_counts_of_a_day_that_was_not_over_are_warned_of(kind: type, truth: str, tmp_path: Path):
    where = Locations(folders=(tmp_path,), cache=tmp_path / "cache")
    feature = made(kind, tmp_path, truth)
    for kept in (False, True):
        found = feature.computed(where, "XNYS")
        assert found.kept == kept
        coded = {n.code: n.severity for n in found.notes if hasattr(n, "code")}
        assert coded["open-interest-timing"] is Severity.INFO
        assert coded.get(DOUBTFUL) == (Severity.WARNING if truth == "prior_close" else None)


def test_counts_that_are_used_the_next_morning_are_in_time(tmp_path: Path):
    where = Locations(folders=(tmp_path,), cache=tmp_path / "cache")
    late = made(HedgeFlowFeature, tmp_path, "prior_close", known_at="next_session_open")
    codes = [getattr(note, "code", "") for note in late.computed(where, "XNYS").notes]
    assert "open-interest-timing" in codes
    assert DOUBTFUL not in codes


def test_pages_say_when_the_gamma_of_chains_is_known(tmp_path: Path):
    said = made(GammaVolumeFeature, tmp_path, "pre_open", known_at={"delay_minutes": 15})
    assert "known 15 minutes after their quotes" in dict(said.assumptions())["Gamma"]
