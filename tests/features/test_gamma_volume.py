"""Option flow in dollars of gamma: by hand, against a slow version, point in time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pydantic import ValidationError

from hpi_bt.errors import InputError
from hpi_bt.features import gamma_volume
from hpi_bt.features.contract_rows import TableChains, rows_of
from hpi_bt.features.contract_vols import IMPLIED, OWN, SMILE, vols_of
from hpi_bt.features.gamma_volume import GammaVolumeFeature
from hpi_bt.features.gamma_weights import (
    AMOUNTS,
    bucket_table,
    gamma_by_strike_and_dte,
    snapshot_amounts,
    weighted_contracts,
)
from hpi_bt.options import greeks, price
from hpi_bt.sources.base import Locations
from hpi_bt.sources.build import build_frame
from hpi_bt.sources.demo import DemoSource
from hpi_bt.sources.demo_chains import DemoChains

ZONE = "America/New_York"


def snapshot(ts, spot, rows, expiry="2024-03-15"):
    """Rows of one snapshot: strike, right, cum_volume, open_interest, iv."""
    names = ["strike", "right", "cum_volume", "open_interest", "iv"]
    return pd.DataFrame(rows, columns=names).assign(ts=ts, spot=spot, expiry=expiry)


SMALL = [
    snapshot("2024-03-12 09:40", 100.0, [(98, "P", 5, 70, 0.3), (102, "C", 8, 90, 0.2)]),
    snapshot("2024-03-12 09:50", 101.0, [(98, "P", 5, 70, 0.3), (102, "C", 28, 90, 0.2)]),
    snapshot("2024-03-13 09:40", 99.0, [(98, "P", 3, 60, 0.3), (102, "C", 4, 95, 0.2)]),
]


def places(folder):
    return Locations((folder,), cache=folder / "cache")


def table_feature(folder, parts, *, chains=None, **more):
    pd.concat(parts).to_csv(folder / "chain.csv", index=False)
    table = {"kind": "option_snapshots", "path": "chain.csv", "timezone": ZONE, "bar_minutes": 10}
    return GammaVolumeFeature(chains=table | (chains or {}), **more)


def frame_of(feature, folder):
    bars = feature.chains.read(places(folder), "XNYS")
    return build_frame(bars, calendar="XNYS", where=places(folder))


def dollars(spot, strike, tau, sigma, right):
    """Dollars of delta per 1 % move of one contract of 100."""
    d1 = (math.log(spot / strike) + 0.5 * sigma**2 * tau) / (sigma * math.sqrt(tau))
    gamma = math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi) / (spot * sigma * math.sqrt(tau))
    return gamma * spot**2 * 0.01 * 100


def tau(ts, expiry="2024-03-15 16:00"):
    return (pd.Timestamp(expiry) - pd.Timestamp(ts)) / pd.Timedelta(days=365)


def test_worked_example(tmp_path):
    feature = table_feature(tmp_path, SMALL)
    out = feature.add(frame_of(feature, tmp_path), places(tmp_path), "XNYS")
    first, second, third = (tau(s["ts"].iloc[0]) for s in SMALL)
    assert [f"{t:%d %H:%M}" for t in out.index] == ["12 09:40", "12 09:50", "13 09:40"]
    assert_allclose(
        out["put_gamma_volume"],
        [5 * dollars(100, 98, first, 0.3, -1), 0.0, 3 * dollars(99, 98, third, 0.3, -1)],
        rtol=1e-10,
    )
    assert_allclose(
        out["call_gamma_volume"],
        [
            8 * dollars(100, 102, first, 0.2, 1),
            20 * dollars(101, 102, second, 0.2, 1),
            4 * dollars(99, 102, third, 0.2, 1),
        ],
        rtol=1e-10,
    )
    # open interest takes the gamma of its session's first snapshot, all session long
    put = [70 * dollars(100, 98, first, 0.3, -1)] * 2 + [60 * dollars(99, 98, third, 0.3, -1)]
    call = [90 * dollars(100, 102, first, 0.2, 1)] * 2 + [95 * dollars(99, 102, third, 0.2, 1)]
    assert_allclose(out[["put_gamma_oi", "call_gamma_oi"]].to_numpy().T, [put, call], rtol=1e-10)
    assert "gamma_session" not in out


def slow(snapshots, dte=None, within=None):
    """The same, one contract after the other in plain Python."""
    result, before, opening, smiles = [], {}, {}, {}
    for place, time in enumerate(snapshots.times):
        chain, day = snapshots.chain_at(place), time.date()
        row = dict.fromkeys(AMOUNTS, 0.0)
        new_day = day not in opening
        held = opening.setdefault(day, dict.fromkeys(AMOUNTS, 0.0))
        past = smiles.get(sorted(opening)[-2], {}) if len(opening) > 1 else {}
        smiles[day] = {
            moment: sorted((chain.strike[i], chain.iv[i]) for i in np.flatnonzero(
                (chain.expiry == moment) & (chain.tau_years > 0)))
            for moment in chain.expiries
        } | {k: v for k, v in smiles.get(day, {}).items() if k not in chain.expiries}  # fmt: skip
        for i in range(len(chain)):
            key = (day, chain.expiry[i], chain.strike[i], chain.right[i])
            one = greeks(chain.spot, chain.strike[i], chain.tau_years[i], chain.iv[i],
                         chain.right[i], rate=chain.rate, dividend=chain.dividend)  # fmt: skip
            unit = float(one.gamma) * chain.spot**2 * 0.01 * chain.multiplier
            days = (chain.expiry[i].date() - day).days
            out = within and abs(chain.strike[i] / chain.spot - 1) * 100 > within
            unit = 0.0 if out or (dte and not dte[0] <= days <= dte[1]) else unit
            side = "call" if chain.right[i] > 0 else "put"
            row[f"{side}_gamma_volume"] += (chain.volume[i] - before.get(key, 0.0)) * unit
            before[key] = chain.volume[i]
            if new_day:
                if past.get(chain.expiry[i]):  # the vol of the evening before
                    strikes, vols = zip(*past[chain.expiry[i]], strict=True)
                    vol = np.sqrt(np.interp(chain.strike[i], strikes, np.square(vols)))
                    other = greeks(
                        chain.spot,
                        chain.strike[i],
                        chain.tau_years[i],
                        vol,
                        chain.right[i],
                        rate=chain.rate,
                        dividend=chain.dividend,
                    )
                    unit *= float(other.gamma) / float(one.gamma)
                held[f"{side}_gamma_oi"] += chain.open_interest[i] * unit
        result.append(row | {k: held[k] for k in ("put_gamma_oi", "call_gamma_oi")})
    return pd.DataFrame(result, index=snapshots.times)[list(AMOUNTS)]


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    days=st.integers(0, 40),
    rate=st.floats(-0.02, 0.06),
    within=st.sampled_from([None, 3.0]),
)
def test_it_is_what_a_slow_version_gives(seed, days, rate, within):
    chains = DemoChains(sessions=2, bar="60min", seed=seed, snapshot_minutes=60, expiry_days=days,
                        skew=-0.2, smile=1.0, rate=rate, dividend=0.01)  # fmt: skip
    snapshots = chains.open(Locations(), "XNYS")
    rows = rows_of(snapshots, "XNYS")
    found = snapshot_amounts(weighted_contracts(rows, vols_of(rows), within_pct=within))
    expected = slow(snapshots, within=within)
    assert_array_equal(found.index, expected.index)
    # the forward of parity is exact to the rounding of the prices
    assert_allclose(found[list(AMOUNTS)], expected, rtol=1e-6)


@dataclass(frozen=True)
class Given:
    """Snapshots of any kind, read one by one."""

    inner: object
    broken: tuple[int, ...] = ()
    notes: tuple[str, ...] = ("read",)
    fingerprint: str = "given"
    demo: str = ""

    @property
    def times(self):
        return self.inner.times

    def chain_at(self, place):
        if place in self.broken:
            raise InputError("no contracts")
        return self.inner.chain_at(place)


DEMO = {"sessions": 3, "bar": "30min", "seed": 5}


def demo_snapshots(**more):
    return DemoChains(**DEMO, snapshot_minutes=30, expiry_days=2, **more).open(None, "XNYS")


def test_chains_read_one_by_one_give_what_the_table_gives():
    table, single = (rows_of(s, "XNYS") for s in (demo_snapshots(), Given(demo_snapshots())))
    amounts = [snapshot_amounts(weighted_contracts(r, vols_of(r))) for r in (table, single)]
    pd.testing.assert_frame_equal(*amounts, rtol=1e-12)
    assert "read" in single.notes


def test_a_snapshot_that_cannot_be_read_is_left_out_and_its_volume_comes_with_the_next():
    whole, broken = (rows_of(Given(demo_snapshots(), b), "XNYS") for b in ((), (4,)))
    assert any("1 snapshot left out" in note and "no contracts" in note for note in broken.notes)
    assert broken.traded.sum() == whole.traded.sum()
    assert len(np.unique(broken.chain.moment)) == len(demo_snapshots().times) - 1
    with pytest.raises(InputError, match=r"not one of 39 snapshots can be used; .*no contracts"):
        rows_of(Given(demo_snapshots(), tuple(range(39))), "XNYS")


def test_shares_are_contracts_times_their_size_whichever_the_file_counts(tmp_path):
    counts = []
    for lot, size in ((1.0, 100.0), (1.0, 1.0), (500.0, 500.0)):
        feature = table_feature(tmp_path, SMALL, chains={"lot_size": lot, "multiplier": size})
        counts.append(feature.computed(places(tmp_path), "XNYS").rows[list(AMOUNTS)])
    assert_allclose(counts[0], counts[1] * 100.0, rtol=1e-12)
    assert_allclose(counts[2], counts[1], rtol=1e-12)


# ---- vols ----------------------------------------------------------------------------------


def smile_rows(tmp_path, blank=(), **columns):
    """A chain priced on a known smile, without vols; last prices of the places `blank` are 0."""
    strikes = np.arange(90.0, 111.0, 2.0)
    left = tau("2024-03-12 10:00")
    forward = 100 * math.exp(0.04 * left)
    sigma = 0.2 - 0.3 * np.log(strikes / forward)
    parts = []
    for right, sign in (("C", 1.0), ("P", -1.0)):
        last = price(100 * math.exp(0.04 * left - 0.05 * left), strikes, left, sigma, sign,
                     rate=0.05)  # fmt: skip
        part = pd.DataFrame({"strike": strikes, "last": last, "right": right, "true": sigma})
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    table = table.assign(ts="2024-03-12 10:00", expiry="2024-03-15", cum_volume=10.0,
                         open_interest=50.0, spot=100.0)  # fmt: skip
    table.loc[list(blank), "last"] = 0.0
    for name, values in columns.items():
        table[name] = values
    table.to_csv(tmp_path / "smile.csv", index=False)
    chains = TableChains(path="smile.csv", timezone=ZONE, rate=0.05, dividend=0.0)
    return chains.contract_rows(places(tmp_path), "XNYS"), table


def test_vols_are_implied_from_prices_by_the_parity_forward_not_by_spot(tmp_path):
    rows, table = smile_rows(tmp_path)
    vols = vols_of(rows)
    assert_allclose(vols.forward, 100 * math.exp(0.04 * rows.tau_years[0]), rtol=1e-12)
    assert (vols.origin == IMPLIED).all()
    assert_allclose(vols.sigma, table["true"], rtol=1e-9)


def test_the_out_of_the_money_side_gives_the_vol_of_its_strike(tmp_path):
    rows, table = smile_rows(tmp_path, blank=[0, 1])  # calls deep in the money: never asked
    vols = vols_of(rows)
    assert (vols.origin == IMPLIED).all()
    assert_allclose(vols.sigma, table["true"], rtol=1e-9)


def test_a_strike_without_a_price_takes_the_smile_between_its_neighbours(tmp_path):
    rows, table = smile_rows(tmp_path, blank=[7, 11])  # the call at 104, the put at 90
    vols = vols_of(rows)
    at_104 = np.flatnonzero(table["strike"] == 104.0)
    at_90 = np.flatnonzero(table["strike"] == 90.0)
    assert (vols.origin[[*at_104, *at_90]] == SMILE).all()
    variance = (table["true"].iloc[6] ** 2 + table["true"].iloc[8] ** 2) / 2
    assert_allclose(vols.sigma[at_104], math.sqrt(variance), rtol=1e-9)
    assert_allclose(vols.sigma[at_90], table["true"].iloc[1], rtol=1e-9)  # flat beyond the last
    notes = weighted_contracts(rows, vols).notes
    assert (
        "gamma of volume: the snapshot's smile for 18.2 %, vols implied from prices for 81.8 %"
        in (notes)
    )


def test_given_vols_go_first_unless_told_otherwise(tmp_path):
    iv = np.where(np.arange(22) % 2 == 0, 0.5, np.nan)
    rows, table = smile_rows(tmp_path, iv=iv)
    auto, own, implied = (vols_of(rows, origin=o) for o in ("auto", "own", "implied"))
    # calls at 90, 94 ... have one, and puts at 92, 96 ...: of every strike one of the two
    assert (auto.origin == OWN).all()
    assert_allclose(auto.sigma, 0.5, rtol=1e-12)
    half = np.where(table["strike"] > 100.0, np.nan, iv)
    rows, table = smile_rows(tmp_path, iv=half)
    auto, own = (vols_of(rows, origin=o) for o in ("auto", "own"))
    low = (table["strike"] <= 100.0).to_numpy()
    assert (auto.origin == np.where(low, OWN, IMPLIED)).all()
    assert_allclose(auto.sigma, np.where(low, 0.5, table["true"]), rtol=1e-9)
    assert_allclose(own.sigma, 0.5, rtol=1e-12)
    assert (own.origin == np.where(low, OWN, SMILE)).all()
    assert_allclose(implied.sigma, table["true"], rtol=1e-9)


def test_call_and_put_of_a_strike_take_the_given_vol_of_the_one_out_of_the_money(tmp_path):
    call, put = np.full(11, 0.3), np.full(11, 0.4)
    rows, table = smile_rows(tmp_path, iv=np.concatenate([call, put]))
    vols = vols_of(rows)
    assert_allclose(vols.sigma, np.where(table["strike"] >= vols.forward, 0.3, 0.4), rtol=1e-12)


def test_expired_contracts_count_as_nothing_and_those_without_any_vol_are_unknown_and_noted(
    tmp_path,
):
    rows, _ = smile_rows(tmp_path, blank=range(22))
    weights = weighted_contracts(rows, vols_of(rows))
    assert np.isnan(weights.volume).all()
    assert snapshot_amounts(weights)[list(AMOUNTS)].isna().all(axis=None)
    assert gamma_by_strike_and_dte(weights)[list(AMOUNTS)].isna().all(axis=None)
    assert bucket_table(gamma_by_strike_and_dte(weights))[list(AMOUNTS)].isna().all(axis=None)
    assert "gamma of volume: no vol for 100.0 % (expired, or counted as 0)" in weights.notes
    late = rows._replace(chain=rows.chain._replace(moment=rows.chain.expiry))
    assert weighted_contracts(late, vols_of(late)).volume.sum() == 0.0


# ---- laws ----------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 50))
def test_volume_and_interest_scale_linearly_and_puts_and_calls_swap(seed, factor):
    snapshots = DemoChains(sessions=1, bar="60min", seed=seed, snapshot_minutes=60,
                           expiry_days=3).open(None, "XNYS")  # fmt: skip
    rows = rows_of(snapshots, "XNYS")
    vols = vols_of(rows)
    amounts = snapshot_amounts(weighted_contracts(rows, vols))[list(AMOUNTS)]
    more = rows._replace(traded=rows.traded * factor, held=rows.held * factor)
    scaled = snapshot_amounts(weighted_contracts(more, vols))[list(AMOUNTS)]
    assert_allclose(scaled, amounts * factor, rtol=1e-12)
    swapped = rows._replace(chain=rows.chain._replace(right=-rows.chain.right))
    mirrored = snapshot_amounts(weighted_contracts(swapped, vols))  # gamma is that of either right
    assert_allclose(mirrored["put_gamma_volume"], amounts["call_gamma_volume"], rtol=1e-9)
    assert_allclose(mirrored["call_gamma_oi"], amounts["put_gamma_oi"], rtol=1e-9)


def test_the_table_by_strike_and_dte_sums_to_the_snapshots_and_knows_its_buckets():
    rows = rows_of(demo_snapshots(), "XNYS")
    expires = rows.chain.expires.copy()
    strike = rows.chain.strike
    expires[:] = (
        rows.chain.session
        - 719_163
        + np.select([strike % 4 == 0, strike % 4 == 1, strike % 4 == 2], [0, 7, 30], 31)
    )
    rows = rows._replace(chain=rows.chain._replace(expires=expires))
    weights = weighted_contracts(rows, vols_of(rows))
    table, amounts = gamma_by_strike_and_dte(weights), snapshot_amounts(weights)
    by_session = table.groupby("session")[list(AMOUNTS)].sum()
    sums = amounts.groupby("gamma_session")[list(AMOUNTS[:2])].sum()
    assert_allclose(by_session[list(AMOUNTS[:2])], sums, rtol=1e-12)
    held = amounts.groupby("gamma_session")[list(AMOUNTS[2:])].first()
    assert_allclose(by_session[list(AMOUNTS[2:])], held, rtol=1e-12)
    wanted = np.array(["0", "1-7", "8-30", "31+"])[(table["strike"] % 4).astype(int)]
    assert_array_equal(table["dte"], wanted)
    for dte, names in (((0, 7), {"0", "1-7"}), ((31, 31), {"31+"})):
        part = gamma_by_strike_and_dte(weighted_contracts(rows, vols_of(rows), dte=dte))
        assert set(part["dte"]) == names
        same = table[table["dte"].isin(names)].reset_index(drop=True)
        pd.testing.assert_frame_equal(part, same, rtol=1e-12)


# ---- point in time -------------------------------------------------------------------------


def demo_feature(sessions=3, **more):
    market = {"kind": "demo", **DEMO, "sessions": sessions}
    chains = market | {"snapshot_minutes": 60, "expiry_days": 2}
    feature = GammaVolumeFeature(chains=chains, **more)
    bars = DemoSource(**market).read(Locations(), "XNYS")
    return feature, build_frame(bars, calendar="XNYS", where=Locations())


def test_a_bar_uses_only_snapshots_up_to_its_close(tmp_path):
    feature = table_feature(tmp_path, SMALL)
    frame = frame_of(feature, tmp_path)
    whole = feature.add(frame, places(tmp_path), "XNYS")
    for kept in (1, 2):
        folder = tmp_path / str(kept)
        folder.mkdir()
        short = table_feature(folder, SMALL[:kept]).add(frame, places(folder), "XNYS")
        pd.testing.assert_frame_equal(short[list(AMOUNTS)][:kept], whole[list(AMOUNTS)][:kept])
    other = [*SMALL[:2], SMALL[2].assign(spot=150.0, iv=0.9, open_interest=1)]
    folder = tmp_path / "other"
    folder.mkdir()
    changed = table_feature(folder, other).add(frame, places(folder), "XNYS")
    pd.testing.assert_frame_equal(changed[list(AMOUNTS)][:2], whole[list(AMOUNTS)][:2])


def test_the_future_of_the_demo_market_changes_nothing(tmp_path):
    results = []
    for sessions in (3, 6):
        feature, frame = demo_feature(sessions)
        results.append(feature.add(frame, places(tmp_path), "XNYS")[list(AMOUNTS)])
    pd.testing.assert_frame_equal(results[0], results[1][: len(results[0])])


def test_open_interest_is_unknown_until_its_own_session_has_a_snapshot(tmp_path):
    feature, frame = demo_feature()
    out = feature.add(frame, places(tmp_path), "XNYS")
    early = (frame["minutes_open"] < 60).to_numpy()
    assert early.sum() == 3
    assert out.loc[early, list(AMOUNTS)].isna().all(axis=None)
    assert out.loc[~early, list(AMOUNTS)].notna().all(axis=None)
    held = out[["put_gamma_oi", "call_gamma_oi"]].groupby(frame["session"])
    assert (held.max() == held.min()).all(axis=None)
    assert out.attrs["demo"]


def test_a_delay_moves_flow_and_interest_to_later_bars(tmp_path):
    feature, frame = demo_feature()
    at_once = feature.add(frame, places(tmp_path), "XNYS")
    delayed, _ = demo_feature(known_at={"delay_minutes": 30})
    later = delayed.add(frame, places(tmp_path), "XNYS")
    inside = (frame["minutes_open"] > 60).to_numpy()
    for column in AMOUNTS[:2]:
        moved = at_once[column].shift(1)[inside]
        assert_allclose(later[column][inside], moved, rtol=1e-12)
    assert np.isnan(later["put_gamma_oi"][frame["minutes_open"] <= 60]).all()


# ---- cache ---------------------------------------------------------------------------------


def test_it_is_computed_once_and_again_where_a_setting_or_the_file_changes(tmp_path):
    feature = table_feature(tmp_path, SMALL)
    first, second = (feature.computed(places(tmp_path), "XNYS") for _ in range(2))
    assert (first.kept, second.kept) == (False, True)
    pd.testing.assert_frame_equal(first.rows, second.rows)
    pd.testing.assert_frame_equal(first.by_strike, second.by_strike)
    assert first.notes == second.notes
    near = table_feature(tmp_path, SMALL, within_pct=0.5).computed
    with pytest.raises(InputError, match=r"no contract within dte any and 0.5 % of spot; widen"):
        near(places(tmp_path), "XNYS")
    other = table_feature(tmp_path, SMALL[:2]).computed(places(tmp_path), "XNYS")
    assert not other.kept
    assert len(other.rows) == 2


def test_changed_code_is_computed_anew(tmp_path, monkeypatch):
    feature = table_feature(tmp_path, SMALL)
    feature.computed(places(tmp_path), "XNYS")
    said = gamma_volume.code_fingerprint(*gamma_volume.CODE)
    assert {"options/*.py", "features/*.py"} <= set(gamma_volume.CODE)
    monkeypatch.setattr(gamma_volume, "code_fingerprint", lambda *_: said + "x")
    assert not feature.computed(places(tmp_path), "XNYS").kept
    assert feature.computed(places(tmp_path), "XNYS").kept


def test_a_damaged_cache_is_ignored_and_noted(tmp_path):
    feature = table_feature(tmp_path, SMALL)
    first = feature.computed(places(tmp_path), "XNYS")
    for file in (tmp_path / "cache").glob("*.parquet"):
        file.write_bytes(b"no parquet")
    again = feature.computed(places(tmp_path), "XNYS")
    assert not again.kept
    pd.testing.assert_frame_equal(first.rows, again.rows)
    assert any("damaged cache file ignored" in note for note in again.notes)


def test_what_is_computed_ahead_is_a_row_a_session_and_bucket(tmp_path):
    ahead = table_feature(tmp_path, SMALL).ahead(places(tmp_path), "XNYS")
    assert ahead.table[["session", "dte"]].to_numpy().tolist() == [
        ["2024-03-12", "1-7"], ["2024-03-13", "1-7"],
    ]  # fmt: skip
    assert ahead.table["busiest_strike"].tolist() == [102.0, 98.0]
    assert len(ahead.rows) == 3


# ---- refusals ------------------------------------------------------------------------------


def test_a_table_without_expiries_is_refused(tmp_path):
    parts = [s.drop(columns="expiry") for s in SMALL]
    feature = table_feature(tmp_path, parts)
    with pytest.raises(InputError, match=r"chain.csv: no column 'expiry', which gamma needs"):
        feature.computed(places(tmp_path), "XNYS")


def test_a_second_one_of_its_kind_is_refused(tmp_path):
    feature = table_feature(tmp_path, SMALL)
    once = feature.add(frame_of(feature, tmp_path), places(tmp_path), "XNYS")
    with pytest.raises(InputError, match="gamma_volume is there twice"):
        feature.add(once, places(tmp_path), "XNYS")


def test_demo_chains_of_another_market_than_the_bars_are_refused(tmp_path):
    feature, frame = demo_feature()
    for other in ({"seed": 6}, {"symbol": "SPY"}, {"start": "2020-01-02"}):
        market = feature.chains.model_dump() | other
        with pytest.raises(InputError, match="of another market than the bars"):
            GammaVolumeFeature(chains=market).add(frame, places(tmp_path), "XNYS")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"dte": (3, 1)}, r"dte: \[3, 1\]; give \[first, last\] days"),
        ({"dte": (-1, 1)}, r"dte: \[-1, 1\]"),
        ({"known_at": "session_open"}, "known_at: session_open; volume and open interest belong"),
        ({"known_at": "next_session_open"}, "give bar_close or {delay_minutes: 15}"),
        ({"within_pct": 0}, "within_pct"),
        ({"iv": "mine"}, "iv"),
        ({"chains": {"path": "x.csv", "late_minutes": 15}}, "before they were published, 15 min"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong, why):
    chains = {"chains": {"kind": "demo"}}
    with pytest.raises(ValidationError, match=why):
        GammaVolumeFeature.model_validate(chains | wrong)


def test_files_are_the_usual_kind_of_chains():
    assert GammaVolumeFeature(chains={"path": "x.csv"}).chains.kind == "file"
