"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples every time; HYPOTHESIS_PROFILE=random looks for new ones. Machines may be slow.
settings.register_profile("steady", derandomize=True, database=None, deadline=None)
settings.register_profile("random", derandomize=False, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real market data; the test is skipped, with a reason, where it is absent."""
    beside = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"
    folder = Path(os.environ.get("HPI_BT_DATA") or beside).resolve()
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; set HPI_BT_DATA to its folder")
    return folder
