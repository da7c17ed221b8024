"""The regime and the SABR dynamics of a smile, against Hagan's formula (definitions 6)."""

from __future__ import annotations

import dataclasses
import math
from types import SimpleNamespace
from typing import Any

import mpmath as mp
import numpy as np
import pandas as pd
import pytest
from hedge_books import AS_OF, LATER, SPOT, TODAY, line_smile
from hypothesis import given
from hypothesis import strategies as st

from hpi_bt.errors import InputError
from hpi_bt.options import MarketRegime, OptionChain, fit_surface, market_regime


def regime_of(s0: float, skew: float, curvature: float, **more: Any) -> MarketRegime:
    smile = SimpleNamespace(
        s0=s0, skew=skew, curvature=curvature, kind="svi", flags=(), expiry=TODAY
    )
    smile.__dict__.update(more)
    return market_regime({TODAY: smile})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("s0", "label"),
    [
        (0.05, "calm"),
        (0.1499999, "calm"),
        (0.15, "normal"),
        (0.1999999, "normal"),
        (0.20, "stressed"),
        (0.3499999, "stressed"),
        (0.35, "crisis"),
        (2.0, "crisis"),
    ],
)
def test_the_label_follows_the_vol_at_the_money(s0: float, label: str) -> None:
    assert regime_of(s0, -0.1, 1.0).label == label


def test_worked_example() -> None:
    # s0 = 0.16: a daily move of 0.16/15.8745 = 1.0079 %. b = -0.3, curvature 4, c = 2:
    # nu^2 = 6 0.16 2 + 6 0.09 = 2.46, nu = 1.56844; rho = -0.6/1.56844 = -0.38255
    found = regime_of(0.16, -0.3, 4.0)
    assert found.expected_daily_move == pytest.approx(0.0100791, abs=1e-7)
    assert found.vol_of_vol == pytest.approx(1.56844, abs=1e-5)
    assert found.spot_vol_correlation == pytest.approx(-0.38255, abs=1e-5)
    assert found.flags == ()


@given(st.floats(0.05, 1.0), st.floats(-0.95, 0.95), st.floats(0.2, 5.0))
def test_the_dynamics_of_a_sabr_smile_come_back(alpha: float, rho: float, nu: float) -> None:
    with mp.workdps(30):
        a, r, v = mp.mpf(alpha), mp.mpf(rho), mp.mpf(nu)

        def hagan(y: Any) -> Any:
            """Lognormal SABR at short maturity: alpha z/x(z), z = -(nu/alpha) y."""
            z = -v / a * y
            if z == 0:
                return a
            root = mp.sqrt(1 - 2 * r * z + z * z)
            return a * z / mp.log((root + z - r) / (1 - r))

        h = mp.mpf("1e-6") * a / v
        skew = (hagan(h) - hagan(-h)) / (2 * h)
        curvature = (hagan(h) - 2 * hagan(0) + hagan(-h)) / (h * h)
    found = regime_of(alpha, float(skew), float(curvature))
    assert found.vol_of_vol == pytest.approx(nu, rel=1e-6)
    assert found.spot_vol_correlation == pytest.approx(rho, rel=1e-6, abs=1e-6)


def test_too_steep_or_concave_smiles_have_no_dynamics_and_say_so() -> None:
    # 6 s0 c + 6 b^2 <= 0, then |rho| > 1 from nu^2 < 4 b^2
    for curvature, words in ((-5.0, "no vol of vol"), (-0.5, "too steep for its curvature")):
        found = regime_of(0.2, -0.3, curvature)
        assert math.isnan(found.vol_of_vol)
        assert math.isnan(found.spot_vol_correlation)
        assert len(found.flags) == 1
        assert words in found.flags[0]


def test_a_surface_is_judged_by_its_nearest_fitted_smile() -> None:
    strikes = np.arange(4800.0, 5405.0, 50.0)
    y = np.log(strikes / SPOT)
    near = pd.DataFrame({"expiry": TODAY, "strike": [5100.0], "right": "C", "iv": 0.4})
    far = pd.DataFrame({"expiry": LATER, "strike": strikes, "iv": 0.17 - 0.2 * y + y * y}).assign(
        right=lambda f: np.where(f.strike >= SPOT, "C", "P")
    )
    surface = fit_surface(OptionChain(pd.concat([near, far]), SPOT, AS_OF))
    found = market_regime(surface)
    assert found.expiry == LATER
    assert found.s0 == pytest.approx(0.17, abs=1e-3)
    alone = market_regime(surface[TODAY])
    assert (alone.expiry, alone.label) == (TODAY, "crisis")
    assert any("rests on a flat smile" in flag for flag in alone.flags)
    assert math.isnan(alone.vol_of_vol)
    assert market_regime({TODAY: surface[TODAY]}).flags == alone.flags


def test_what_the_smile_flags_is_passed_on() -> None:
    smile = dataclasses.replace(line_smile(0.2, -0.3, TODAY), flags=("Refitted.",))
    assert market_regime(smile).flags[0] == f"Smile of {TODAY:%Y-%m-%d %H:%M}: Refitted."


def test_a_surface_without_a_smile_is_refused() -> None:
    with pytest.raises(InputError, match="surface: no smile in it; give a chain with quotes"):
        market_regime({})
