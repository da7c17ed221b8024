"""The public surface is the one that surface.txt shows."""

from __future__ import annotations

import difflib
import pydoc

import numpy as np
import pytest

import hpi_bt as hb
from hpi_bt.kernels import hedge_pressure, herrick_payoff, herrick_rsi
from surface import FILE, surface


def test_the_public_surface_is_the_one_that_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HPI_BT_DATA", raising=False)
    kept, found = FILE.read_text("utf-8").splitlines(), surface().splitlines()
    apart = list(difflib.unified_diff(kept, found, "surface.txt", "now", n=1, lineterm=""))
    assert not apart, "\n".join(
        ["commands, names or files are others; if they should be: python tests/surface.py", *apart]
    )


def test_dir_shows_the_public_names_alone() -> None:
    assert dir(hb) == sorted(hb.__all__)
    assert not [name for name in dir(hb) if name in ("Any", "TYPE_CHECKING", "import_module")]


def test_kernels_are_imported_from_their_package() -> None:
    assert herrick_rsi(np.zeros(20)).rsi.shape == (20,)
    assert hedge_pressure.__module__ == "hpi_bt.kernels.pressure"
    assert herrick_payoff.__module__ == "hpi_bt.kernels.herrick"


@pytest.mark.parametrize(
    "name", ["HedgePressureIndex", "HerrickPayoffIndex", "HerrickRSI", "HedgePressureGauge"]
)
def test_help_shows_parameters_defaults_and_lines(name: str) -> None:
    indicator = getattr(hb, name)
    shown = pydoc.plain(pydoc.render_doc(indicator))
    for parameter, default in indicator.params._getitems():
        assert f"{parameter}={default!r}" in shown
    for line in indicator.lines._getlines():
        assert line in shown.split("Method resolution order")[0]
