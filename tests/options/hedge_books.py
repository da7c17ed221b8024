"""Small books of options for the hedge-flow tests, and slow, obvious ways to value them."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

from hpi_bt.options import OptionChain, Smile, fit_surface
from hpi_bt.options.exposure import Exposures, exposures

AS_OF = pd.Timestamp("2024-03-05 10:00", tz="America/New_York")
SPOT = 5100.0
TODAY = pd.Timestamp("2024-03-05 16:00", tz="America/New_York")
LATER = pd.Timestamp("2024-03-15 16:00", tz="America/New_York")


class LineSmile(Smile):
    """A smile that is a straight line in y = ln(K/F), where a fitted one never quite is."""

    def iv(self, strike: Any) -> Any:
        return self.s0 + self.skew * np.log(np.asarray(strike) / self.forward)


def line_smile(s0: float, skew: float, expiry: pd.Timestamp) -> LineSmile:
    """A fitted smile of that expiry, made straight."""
    frame = pd.DataFrame({"expiry": expiry, "strike": [5000.0, 5200.0], "right": "C", "iv": 0.2})
    made = copy.copy(fit_surface(OptionChain(frame, SPOT, AS_OF))[expiry])
    object.__setattr__(made, "__class__", LineSmile)
    made.__dict__.update(s0=s0, skew=skew, curvature=0.0, forward=SPOT)
    return made


SURFACE = {TODAY: line_smile(0.14, -0.5, TODAY), LATER: line_smile(0.16, -0.2, LATER)}


def chain_of(rows: list[tuple[Any, ...]], **options: Any) -> OptionChain:
    """Rows are (expiry, strike, "C" or "P", open interest); vols come from the surface."""
    frame = pd.DataFrame(rows, columns=["expiry", "strike", "right", "open_interest"])
    surface = options.pop("surface", SURFACE)
    frame["iv"] = [float(surface[e].iv(k)) for e, k in zip(frame.expiry, frame.strike, strict=True)]
    return OptionChain(frame, **({"spot": SPOT, "as_of": AS_OF} | options))


def ladder(seed: int = 0, **options: Any) -> OptionChain:
    """Two expiries, strikes 5 apart over 6 % around spot, random open interest."""
    draw = np.random.default_rng(seed)
    strikes = np.arange(4950.0, 5255.0, 5.0)
    rows = [
        (expiry, strike, right, float(draw.integers(0, 5000)))
        for expiry in (TODAY, LATER)
        for strike in strikes
        for right in ("C", "P")
    ]
    return chain_of(rows, **options)


def exposed(chain: OptionChain, **options: Any) -> Exposures:
    """Exposures on the straight smiles, so that vols and skews are known exactly."""
    live = {moment: SURFACE[moment] for moment in SURFACE if moment in set(chain.expiries)}
    return exposures(chain, **({"surface": live} | options))


def book_delta(chain: OptionChain, found: Exposures, spot: float, sigma: Any) -> Any:
    """Delta of each contract's position in shares, by the textbook's formula."""
    tau, q = chain.tau_years, chain.dividend
    s = sigma * np.sqrt(tau)
    d1 = (np.log(spot / chain.strike) + (chain.rate - q) * tau) / s + 0.5 * s
    delta = chain.right * np.exp(-q * tau) * ndtr(chain.right * d1)
    return chain.multiplier * found.positions * delta
