"""Greeks of a million contracts against numpy, and the hedge flow of one chain of 10,000."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

from benchmarks.sizes import FULL, Size
from benchmarks.tables import Section, Target, seconds
from benchmarks.timing import interleaved
from hpi_bt.arrays import FloatArray
from hpi_bt.options import (
    OptionChain,
    charm_integral,
    curvatures,
    exposures,
    greeks,
    hedge_flow,
    implied_vol,
    impulse_curve,
    price,
)
from hpi_bt.options.threads import processors

RATE, DIVIDEND, SPOT = 0.05, 0.015, 5000.0
MILLION, QUICK = 1_000_000, 20_000
ROUNDS = 9  # the calls are short
#: What is told of a peer that is not run here.
FLOE = (
    "The npm package floe is not part of this run: it is not free for commercial use, so nothing "
    "here installs it. Timed once by hand beside ours, on 2 cores that had other work, on "
    "2026-11-21: `calculateGreeks` of floe 0.0.19, contract by contract, took 1.7 to 2.1 s for a "
    "million contracts, gamma, vanna and charm here 0.014 to 0.024 s. The numbers of that note do "
    "not change with this run, and no target rests on them."
)


def contracts(n: int) -> dict[str, FloatArray]:
    """Contracts as `curvatures` takes them, nothing sorted, nothing repeated."""
    draw = np.random.default_rng(7)
    return {
        "strike": draw.uniform(4000.0, 6000.0, n),
        "tau_years": 1.0 / 365.0 + draw.uniform(0.0, 1.0, n),
        "sigma": draw.uniform(0.1, 0.5, n),
        "right": draw.choice([-1.0, 1.0], n),
    }


def with_numpy(
    strike: FloatArray, tau_years: FloatArray, sigma: FloatArray, right: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Gamma, vanna and charm as one writes them with numpy and scipy's ndtr."""
    s = sigma * np.sqrt(tau_years)
    x = np.log1p((SPOT - strike) / strike)
    d1 = (x + (RATE - DIVIDEND + 0.5 * sigma * sigma) * tau_years) / s
    d2 = d1 - s
    discount = np.exp(-DIVIDEND * tau_years)
    peak = discount * np.exp(-0.5 * d1 * d1) / np.sqrt(2.0 * np.pi)
    decay = peak * (2.0 * (RATE - DIVIDEND) * tau_years - d2 * s) / (2.0 * tau_years * s)
    paid = right * DIVIDEND * discount * ndtr(right * d1)
    return peak / (SPOT * s), -peak * d2 / sigma, paid - decay


def with_numpy_threads(given: dict[str, FloatArray], workers: int) -> None:
    """The same in parts that stay in the caches, on a thread per processor."""
    n = len(given["strike"])
    out = np.empty((3, n))

    def part(start: int) -> None:
        cut = slice(start, min(start + 16_384, n))
        out[:, cut] = with_numpy(**{name: values[cut] for name, values in given.items()})

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(part, range(0, n, 16_384)))


def chain_of(expiries: int = 25, strikes: int = 200) -> OptionChain:
    """A chain with a skew, quoted on both sides: 10,000 contracts by default."""
    as_of = pd.Timestamp("2024-03-05 10:00", tz="America/New_York")
    draw, parts = np.random.default_rng(11), []
    for days in np.unique(np.round(np.geomspace(1, 700, 3 * expiries)).astype(int))[:expiries]:
        expiry = as_of.normalize() + pd.Timedelta(days=int(days) - 1, hours=16)
        tau = (expiry - as_of) / pd.Timedelta(days=365)
        width = 3.0 * 0.16 * np.sqrt(tau)
        strike = np.round(SPOT * np.exp(np.linspace(-width, width, strikes)), 2)
        y = np.log(strike / SPOT)
        vol = 0.15 - 0.05 * np.tanh(y / (0.3 * np.sqrt(tau))) + 0.2 * y * y / tau * 0.1
        for side, right in ((1.0, "C"), (-1.0, "P")):
            value = price(SPOT, strike, tau, vol, side)
            parts.append(
                pd.DataFrame(
                    {
                        "expiry": expiry, "strike": strike, "right": right, "iv": vol,
                        "bid": 0.99 * value, "ask": 1.01 * value,
                        "open_interest": draw.integers(1, 5000, strikes),
                    }
                )
            )  # fmt: skip
    return OptionChain(pd.concat(parts, ignore_index=True), SPOT, as_of, symbol="SPX")


def options(size: Size = FULL) -> Section:
    """Greeks and implied vols of many contracts, in turn with numpy; the parts of a hedge flow."""
    n = MILLION if size.rounds > 1 else QUICK
    rounds = ROUNDS if size.rounds > 1 else 1
    given, workers = contracts(n), processors()
    rates: dict[str, Any] = {"rate": RATE, "dividend": DIVIDEND}
    for ours, theirs in zip(curvatures(SPOT, **given, **rates), with_numpy(**given), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-11)
    values = price(SPOT, **given, **rates)
    vol = {name: column for name, column in given.items() if name != "sigma"}
    many: dict[str, Callable[[], Any]] = {
        "numpy and scipy's ndtr": partial(with_numpy, **given),
        f"the same in parts, {workers} threads": partial(with_numpy_threads, given, workers),
        "`curvatures`: gamma, vanna, charm": partial(curvatures, SPOT, **given, **rates),
        "`greeks`: all five": partial(greeks, SPOT, **given, **rates),
        "`implied_vol`": partial(implied_vol, values, SPOT, **vol, **rates),
    }
    chain = chain_of() if size.rounds > 1 else chain_of(6, 40)
    found = exposures(chain)
    whole: dict[str, Callable[[], Any]] = {
        "`exposures`, smiles included": partial(exposures, chain),
        "`impulse_curve`, repriced": partial(impulse_curve, chain, exposed=found),
        "`charm_integral`, exact": partial(charm_integral, chain, exposed=found),
        "`hedge_flow`: everything": partial(hedge_flow, chain),
    }
    for call in (*many.values(), *whole.values()):
        call()
    one, two = interleaved(many, rounds), interleaved(whole, rounds)
    base, other, own, *_ = many
    rows = [
        [f"{name}, {n:,} contracts", seconds(t.clock), seconds(min(t.wall)),
         f"{one[base].clock / t.clock:.3g} x" if name in (base, other, own) else ""]
        for name, t in one.items()
    ]  # fmt: skip
    rows += [
        [f"{name}, {len(chain):,} contracts", seconds(t.clock), seconds(min(t.wall)), ""]
        for name, t in two.items()
    ]
    section = Section(
        "Options",
        ("", "clock, median", "least", "faster than numpy by"),
        rows,
        f"By the clock, on {workers} threads, in turn in one process. All ways give the same "
        f"gammas, vannas and charms, or this page would not exist. {FLOE}",
    )
    section.targets = [
        Target("gamma, vanna, charm against numpy and ndtr",
               one[base].clock / one[own].clock, 2.0, unit=" x"),
        Target("hedge flow of a chain of 10,000",
               two["`hedge_flow`: everything"].clock, 0.25, at_most=True, unit=" s"),
        Target("repriced impulse curve of the same",
               two["`impulse_curve`, repriced"].clock, 0.5, at_most=True, unit=" s"),
    ]  # fmt: skip
    return section


if __name__ == "__main__":
    print(options().markdown())
