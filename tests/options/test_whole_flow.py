"""The whole hedge flow of a chain in one call: real chains, and chains with little in them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hedge_books import AS_OF, LATER, SPOT, TODAY, ladder
from numpy.testing import assert_allclose, assert_array_equal

from hpi_bt.errors import InputError
from hpi_bt.options import (
    HedgeFlow,
    OptionChain,
    charm_integral,
    exposures,
    hedge_flow,
    impulse_curve,
    market_regime,
    pressure_cloud,
)


def quoted(rows: list[tuple[Any, ...]], **options: Any) -> OptionChain:
    """Rows are (expiry, strike, right, iv, open interest)."""
    frame = pd.DataFrame(rows, columns=["expiry", "strike", "right", "iv", "open_interest"])
    return OptionChain(frame, **({"spot": SPOT, "as_of": AS_OF} | options))


def smile_rows(strikes: Any, rights: str = "CP", interest: float = 100.0) -> list[tuple[Any, ...]]:
    y = np.log(np.asarray(strikes) / SPOT)
    vols = 0.15 - 0.4 * y + 2.0 * y * y
    return [
        (expiry, strike, right, vol, interest + 10.0 * (right == "P"))
        for expiry in (TODAY, LATER)
        for strike, vol in zip(strikes, vols, strict=True)
        for right in rights
    ]


STRIKES = np.arange(4900.0, 5305.0, 25.0)


def unknowns(value: Any, path: str = "") -> Iterator[str]:
    """Names of all numbers in a result that are NaN or infinite, tables and parts included."""
    if isinstance(value, float | np.floating):
        if not math.isfinite(value):
            yield path
    elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
        if not np.isfinite(value).all():
            yield path
    elif isinstance(value, pd.DataFrame):
        for name in value.select_dtypes("number"):
            yield from unknowns(value[name].to_numpy(), f"{path}.{name}")
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from unknowns(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, tuple):
        names = getattr(value, "_fields", range(len(value)))
        for name, part in zip(names, value, strict=True):
            yield from unknowns(part, f"{path}.{name}")


MAY_BE_UNKNOWN = {
    ".curve.attractor_above",
    ".curve.attractor_below",
    ".kernel.attractor_above",
    ".kernel.attractor_below",
    ".exposures.own.sigma",  # of expired contracts and those without a vol
}


def surprises(flow: HedgeFlow) -> set[str]:
    return set(unknowns(flow)) - MAY_BE_UNKNOWN


def test_the_parts_are_those_of_the_single_calls() -> None:
    chain = quoted(smile_rows(STRIKES), symbol="SPX", rate=0.04, dividend=0.01)
    options: dict[str, Any] = {"positioning": "dealers_short_calls_long_puts", "mode": "canonical"}
    flow = hedge_flow(chain, **options, ssr=1.8, time_step_minutes=30.0, futures={"ES": 5110.0})
    curve = impulse_curve(chain, **options, ssr=1.8)
    assert_array_equal(flow.curve.impulse_shares, curve.impulse_shares)
    kernel = impulse_curve(chain, **options, ssr=1.8, method="kernel")
    assert_array_equal(flow.kernel.impulse_shares, kernel.impulse_shares)
    charm = charm_integral(chain, **options, time_step_minutes=30.0)
    pd.testing.assert_frame_equal(flow.charm.buckets, charm.buckets)
    regime = market_regime(exposures(chain).surface)
    assert flow.regime == regime
    cloud = pressure_cloud(curve, regime, futures={"ES": 5110.0})
    assert flow.cloud.zones == cloud.zones
    pd.testing.assert_frame_equal(flow.cloud.hedge, cloud.hedge)
    assert len(set(flow.flags)) == len(flow.flags)


def test_a_sound_chain_gives_numbers_alone() -> None:
    flow = hedge_flow(quoted(smile_rows(STRIKES), symbol="SPX"))
    assert surprises(flow) == set()
    assert flow.curve.impulse_usd[60] == pytest.approx(
        flow.exposures.gex
        - float((flow.curve.coupling.table["k"] * flow.exposures.by_expiry["vex"]).sum()),
        rel=1e-9,
    )


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        (quoted(smile_rows([5100.0])), "Only 1 quote: the smile is flat"),
        (quoted(smile_rows(STRIKES, "C")), "No put-call pair is quoted"),
        (quoted(smile_rows(STRIKES, interest=-10.0 + 10.0)[::2]), "Dealers hold nothing"),
        (quoted(smile_rows(STRIKES), spot=7000.0), "lie beyond all strikes"),
        (quoted(smile_rows([5050.0, 5150.0])), "Only 2 quotes"),
        (
            quoted([*smile_rows(STRIKES), (AS_OF - pd.Timedelta("1D"), 5100.0, "C", 0.2, 9e9)]),
            "Expired contracts, which count for nothing: 1",
        ),
    ],
    ids=["one strike", "no puts", "no interest", "spot outside", "two strikes", "expired"],
)
def test_a_poor_chain_gives_a_flagged_and_finite_answer(chain: OptionChain, words: str) -> None:
    flow = hedge_flow(chain)
    allowed = {".regime.spot_vol_correlation", ".regime.vol_of_vol"}
    assert surprises(flow) <= allowed
    if surprises(flow):
        assert any("vol of vol" in flag for flag in flow.flags)
    assert any(words in flag for flag in (*flow.flags, *smile_flags(flow)))


def smile_flags(flow: HedgeFlow) -> list[str]:
    return [flag for smile in flow.exposures.surface.values() for flag in smile.flags]


def test_a_chain_without_any_vol_is_refused() -> None:
    rows = [(e, k, r, math.nan, oi) for e, k, r, _, oi in smile_rows(STRIKES)]
    with pytest.raises(InputError, match="implied vol") as refused:
        hedge_flow(quoted(rows))
    assert "\n" not in str(refused.value)


def test_what_changes_when_open_interest_or_the_moment_change() -> None:
    chain = ladder()
    flow = hedge_flow(chain)
    double = hedge_flow(chain.with_(open_interest=2.0 * chain.open_interest))
    assert double.curve.impulse == pytest.approx(2.0 * flow.curve.impulse, rel=1e-9)
    assert double.charm.shares == pytest.approx(2.0 * flow.charm.shares, rel=1e-9)
    later = hedge_flow(chain.with_(as_of=AS_OF + pd.Timedelta(hours=2)))
    assert later.charm.minutes == pytest.approx(flow.charm.minutes - 120.0)
    assert not np.array_equal(later.curve.impulse_shares, flow.curve.impulse_shares)
    assert chain.as_of == AS_OF


def test_flow_mode_counts_the_sessions_trades() -> None:
    chain = ladder().with_(trade_flow=0.0)
    bought = chain.with_(trade_flow=np.where(chain.right > 0.0, 100.0, 0.0))
    flow = hedge_flow(bought, mode="flow_delta")
    assert flow.exposures.gex < 0.0  # customers bought, so dealers are short gamma
    live, canonical = hedge_flow(bought, mode="live"), hedge_flow(bought)
    assert_allclose(
        live.curve.impulse_shares,
        flow.curve.impulse_shares + canonical.curve.impulse_shares,
        rtol=1e-9,
        atol=1e-6,
    )


REAL = (
    ("spx_quotedata_2023-09-14.csv", {"rate": 0.053, "dividend": 0.015}),
    ("spx_quotedata_2024-01-07.csv", {}),
    ("spy_quotedata_2023-09-14.csv", {}),
    ("IWM_chain_2026-08-12.csv.gz", {}),
)


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "options"), REAL, ids=[name for name, _ in REAL])
def test_real_chains_give_finite_numbers_that_agree_with_each_other(
    real_data: Path, name: str, options: dict[str, float]
) -> None:
    from hpi_bt.sources.chains import read_chain

    chain = read_chain(real_data / "chains" / name, **options).chain
    flow = hedge_flow(chain)
    allowed = {".regime.spot_vol_correlation", ".regime.vol_of_vol"}
    assert surprises(flow) <= allowed
    table = flow.curve.coupling.table
    vanna = float((table["k"] * flow.exposures.by_expiry["vex"]).sum())
    assert flow.curve.impulse_usd[60] == pytest.approx(flow.exposures.gex - vanna, rel=1e-9)
    assert (table["k_atm"] > 0.0).mean() > 0.8  # equity skew: vol falls as the index rises
    parts = flow.charm.by_strike["shares"].sum()
    scale = flow.charm.by_strike["shares"].abs().sum()
    assert abs(flow.charm.shares - parts) <= 1e-10 * scale
    swapped = hedge_flow(chain, positioning="dealers_short_calls_long_puts")
    assert_allclose(swapped.curve.impulse_shares, -flow.curve.impulse_shares, rtol=1e-12)
    assert swapped.charm.direction != flow.charm.direction
