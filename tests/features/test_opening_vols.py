"""The opening book: open interest from before the session's first price (definitions 7)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pydantic import ValidationError
from scipy.stats import norm

import hpi_bt as hb
from hpi_bt.errors import InputError, Note, Severity
from hpi_bt.features.contract_rows import TableChains
from hpi_bt.features.contract_vols import vols_of
from hpi_bt.features.flow_columns import BOOK_WITHOUT_VOLS
from hpi_bt.features.gamma_volume import GammaVolumeFeature
from hpi_bt.features.gamma_weights import (
    AMOUNTS,
    INTEREST,
    SESSION,
    bucket_table,
    gamma_by_strike_and_dte,
    snapshot_amounts,
    weighted_contracts,
)
from hpi_bt.options import price
from hpi_bt.sources.base import Locations
from hpi_bt.sources.build import build_frame

ZONE = "America/New_York"
STRIKES = np.arange(92.0, 109.0, 2.0)
DAYS = ("2024-03-12", "2024-03-13")
TIMES = ("09:31", "10:00", "11:00", "15:55")
EXPIRY = "2024-03-22"


def spot_at(moment: pd.Timestamp) -> float:
    return 100.0 + 0.1 * moment.hour + 0.3 * moment.day % 7


def vol_at(moment: pd.Timestamp, strike, vol: float):
    """Vols of a skew whose level moves through the day."""
    return vol + 0.002 * (moment.hour - 9) - 0.2 * np.log(np.asarray(strike) / 100.0)


def left(moment: pd.Timestamp, expiry: str) -> float:
    close = pd.Timestamp(f"{expiry} 16:00", tz=ZONE)
    return (close - moment) / pd.Timedelta(365, "D")


def snapshots(days=DAYS, times=TIMES, expiries=(EXPIRY,), *, silent=("09:31",), vol=0.25):
    """A table of snapshots; those at `silent` moments have no prices. `vol` may be by expiry."""
    rows = []
    for number, day in enumerate(days):
        for place, time in enumerate(times):
            moment = pd.Timestamp(f"{day} {time}", tz=ZONE)
            for expiry in expiries:
                level = vol[expiry] if isinstance(vol, dict) else vol
                for right, sign in (("C", 1.0), ("P", -1.0)):
                    sigma, tau = vol_at(moment, STRIKES, level), left(moment, expiry)
                    value = price(spot_at(moment), STRIKES, tau, sigma, sign)
                    quiet = time in silent or f"{day} {time}" in silent
                    rows.append(pd.DataFrame({
                        "ts": moment.isoformat(), "symbol": "XYZ", "expiry": expiry,
                        "strike": STRIKES, "right": right, "cum_volume": 10.0 * place,
                        "open_interest": 1000.0 * (number + 1) + STRIKES * (2.0 + sign),
                        "last": np.nan if quiet else value, "spot": spot_at(moment),
                    }))  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def by_hand(day, time, sigma_at, expiry=EXPIRY, number=0):
    """Put and call dollars of gamma of the book of that moment, at given vols."""
    moment = pd.Timestamp(f"{day} {time}", tz=ZONE)
    spot, tau = spot_at(moment), left(moment, expiry)
    s = sigma_at(STRIKES) * np.sqrt(tau)
    d1 = np.log(spot / STRIKES) / s + 0.5 * s
    unit = norm.pdf(d1) / (spot * s) * spot**2 * 0.01 * 100
    return [
        float(((1000.0 * (number + 1) + STRIKES * (2.0 + sign)) * unit).sum())
        for sign in (-1.0, 1.0)
    ]


def rows_of_table(folder, table):
    table.to_csv(folder / "book.csv", index=False)
    chains = TableChains(path="book.csv", symbol="XYZ", timezone=ZONE, bar_minutes=5)
    return chains.contract_rows(Locations((folder,)), "XNYS")


def amounts(folder, table, **options):
    rows = rows_of_table(folder, table)
    return snapshot_amounts(weighted_contracts(rows, vols_of(rows), **options))


def interest(made, day, time):
    row = made.loc[pd.Timestamp(f"{day} {time}", tz=ZONE).tz_convert("UTC")]
    return row[list(INTEREST)].to_numpy(float)


def evening(day, vol=0.25):
    return lambda strike: vol_at(pd.Timestamp(f"{day} 15:55", tz=ZONE), strike, vol)


def first_quotes(day, vol=0.25, time="10:00"):
    return lambda strike: vol_at(pd.Timestamp(f"{day} {time}", tz=ZONE), strike, vol)


# -- where the vols come from --------------------------------------------------------------------


def test_a_book_before_any_price_takes_the_vols_of_the_evening_before(tmp_path):
    made = amounts(tmp_path, snapshots())
    wanted = by_hand(DAYS[1], "09:31", evening(DAYS[0]), number=1)
    for time in TIMES:
        assert_allclose(interest(made, DAYS[1], time), wanted, rtol=1e-9)


def test_without_an_evening_before_it_is_unknown_until_the_first_quotes_and_uses_those(tmp_path):
    made = amounts(tmp_path, snapshots())
    assert np.isnan(interest(made, DAYS[0], "09:31")).all()
    wanted = by_hand(DAYS[0], "09:31", first_quotes(DAYS[0]))  # spot and time of the first bar
    for time in TIMES[1:]:
        assert_allclose(interest(made, DAYS[0], time), wanted, rtol=1e-9)


def test_quotes_of_the_first_snapshot_yield_to_the_evening_before(tmp_path):
    made = amounts(tmp_path, snapshots(silent=()))
    wanted = by_hand(DAYS[1], "09:31", evening(DAYS[0]), number=1)
    assert_allclose(interest(made, DAYS[1], "09:31"), wanted, rtol=1e-9)
    first = by_hand(DAYS[0], "09:31", first_quotes(DAYS[0], time="09:31"))
    assert_allclose(interest(made, DAYS[0], "09:31"), first, rtol=1e-9)


def test_the_last_snapshot_with_quotes_counts_not_the_last_one(tmp_path):
    made = amounts(tmp_path, snapshots(silent=("09:31", f"{DAYS[0]} 15:55")))
    vols = first_quotes(DAYS[0], time="11:00")
    wanted = by_hand(DAYS[1], "09:31", vols, number=1)
    assert_allclose(interest(made, DAYS[1], "09:31"), wanted, rtol=1e-9)


def test_an_expiry_that_is_new_takes_its_own_first_quotes_and_the_book_waits_for_it(tmp_path):
    new, vol = "2024-03-28", {EXPIRY: 0.25, "2024-03-28": 0.35}
    table = pd.concat(
        [
            snapshots(days=DAYS[:1], vol=vol),
            snapshots(days=DAYS, expiries=(EXPIRY, new), vol=vol).query("ts >= '2024-03-13'"),
        ]
    )
    made = amounts(tmp_path, table)
    assert np.isnan(interest(made, DAYS[1], "09:31")).all()
    old = by_hand(DAYS[1], "09:31", evening(DAYS[0]), number=1)
    fresh = by_hand(DAYS[1], "09:31", first_quotes(DAYS[1], 0.35), new, number=1)
    for time in TIMES[1:]:
        assert_allclose(interest(made, DAYS[1], time), np.add(old, fresh), rtol=1e-9)
    alone = amounts(tmp_path, table, dte=(0, 10))
    assert_allclose(interest(alone, DAYS[1], "09:31"), old, rtol=1e-9)


def test_an_evening_more_than_a_week_ago_is_none(tmp_path):
    for day, known in (("2024-03-19", True), ("2024-03-20", False)):
        made = amounts(tmp_path, snapshots(days=("2024-03-12", day)))
        assert np.isfinite(interest(made, day, "09:31")).all() == known


@pytest.mark.parametrize("cut", range(1, 8))
def test_what_comes_later_changes_nothing_before(tmp_path, cut):
    table = snapshots()
    moments = table["ts"].unique()
    whole = amounts(tmp_path, table)
    short = amounts(tmp_path, table[table["ts"].isin(moments[:cut])])
    pd.testing.assert_frame_equal(short, whole.iloc[:cut])
    later = table["ts"].isin(moments[cut:])
    other = table.assign(last=np.where(later, 1.7 * table["last"], table["last"]))
    pd.testing.assert_frame_equal(amounts(tmp_path, other).iloc[:cut], whole.iloc[:cut])


# -- what is unknown is blank, and said ----------------------------------------------------------


def of_code(notes, code):
    return [note for note in notes if isinstance(note, Note) and note.code == code]


def test_a_book_that_never_has_vols_is_blank_everywhere_and_a_warning_counts_it(tmp_path):
    rows = rows_of_table(tmp_path, snapshots(silent=TIMES))
    weights = weighted_contracts(rows, vols_of(rows))
    made, table = snapshot_amounts(weights), gamma_by_strike_and_dte(weights)
    assert made[[*INTEREST, SESSION]].isna().all(axis=None)
    assert table[list(INTEREST)].isna().all(axis=None)
    assert bucket_table(table)[list(INTEREST)].isna().all(axis=None)
    (note,) = of_code(weights.notes, BOOK_WITHOUT_VOLS)
    assert note.severity is Severity.WARNING
    assert "36 contracts without a vol, 100.0 % of all, in 2 sessions from 2024-03-12" in note.text


def test_the_part_without_vols_is_left_out_and_counted(tmp_path):
    dead, table = "2024-03-28", snapshots(expiries=(EXPIRY, "2024-03-28"))
    table.loc[table["expiry"] == dead, "last"] = np.nan
    rows = rows_of_table(tmp_path, table)
    weights = weighted_contracts(rows, vols_of(rows))
    made = snapshot_amounts(weights)
    wanted = by_hand(DAYS[0], "09:31", first_quotes(DAYS[0]))
    assert_allclose(interest(made, DAYS[0], "10:00"), wanted, rtol=1e-9)
    (note,) = of_code(weights.notes, BOOK_WITHOUT_VOLS)
    assert "50.0 % of all" in note.text
    buckets = bucket_table(gamma_by_strike_and_dte(weights)).set_index(["session", "dte"])
    assert np.isnan(buckets.loc[(DAYS[1], "8-30"), "put_gamma_oi"]) == (
        (DAYS[1], "1-7") in buckets.index
    )


def test_a_book_with_all_its_vols_says_nothing_of_lacking_ones(tmp_path):
    rows = rows_of_table(tmp_path, snapshots(silent=()))
    weights = weighted_contracts(rows, vols_of(rows))
    assert not [note for note in weights.notes if isinstance(note, Note)]
    assert any("the smile of the session before for" in note for note in weights.notes)


def test_a_bar_before_the_first_quotes_has_no_book_not_that_of_the_day_before(tmp_path):
    table = snapshots(days=("2024-03-12", "2024-03-20"))
    table.to_csv(tmp_path / "book.csv", index=False)
    chains = {"kind": "option_snapshots", "path": "book.csv", "symbol": "XYZ", "timezone": ZONE,
              "bar_minutes": 5}  # fmt: skip
    feature = GammaVolumeFeature(chains=chains)
    places = Locations((tmp_path,), cache=tmp_path / "cache")
    bars = build_frame(feature.chains.read(places, "XNYS"), calendar="XNYS", where=places)
    found = feature.add(bars, places, "XNYS")
    early = (found["minutes_open"] < 10).to_numpy()
    assert early.sum() == 2
    assert found.loc[early, list(INTEREST)].isna().all(axis=None)
    assert found.loc[~early, list(INTEREST)].notna().all(axis=None)


# -- several features of one kind ----------------------------------------------------------------

CONFIG = {
    "name": "buckets",
    "data": {
        "source": {"kind": "option_snapshots", "path": "book.csv", "symbol": "XYZ",
                   "timezone": ZONE, "bar_minutes": 5},
        "calendar": "XNYS",
    },
    "strategy": {"class": "strategies/gamma_bias.py:GammaBias", "params": {"scale": "contracts"}},
}  # fmt: skip


def config(*features, **more):
    chains = {**CONFIG["data"]["source"], "multiplier": 100}
    made = [{"kind": "gamma_volume", "chains": chains, **feature} for feature in features]
    return {**CONFIG, "features": made, **more}


def frame_of(folder, table, *features):
    table.to_csv(folder / "book.csv", index=False)
    return hb.load_frame(config(*features), data_dir=folder, cache_dir=folder / "cache")


BUCKETS = ({"name": "every"}, {"name": "odte", "dte": (0, 0)}, {"name": "later", "dte": (1, 30)})


@pytest.mark.parametrize("silent", [(), ("09:31",)])
def test_named_features_stand_side_by_side_and_add_up(tmp_path, silent):
    table = pd.concat(
        [snapshots(days=(day,), expiries=(day, EXPIRY), silent=silent) for day in DAYS]
    )
    frame = frame_of(tmp_path, table, *BUCKETS)
    for name in AMOUNTS:
        parts = frame[f"odte_{name}"] + frame[f"later_{name}"]
        assert_allclose(frame[f"every_{name}"], parts, rtol=1e-9)
        assert name not in frame
    assert frame["odte_put_gamma_oi"].notna().any()
    said = [note for note in frame.attrs["notes"] if note.startswith("odte: gamma of volume")]
    assert len(said) == 1


def test_the_index_reads_the_columns_of_a_named_feature(tmp_path):
    table = snapshots(days=("2024-03-11", *DAYS), silent=())
    frame = frame_of(tmp_path, table, {"name": "near"})
    plain = frame_of(tmp_path, table, {})
    kernel, wanted = hb.HedgePressureIndex, hb.HedgePressureIndex.inputs_for({"proxy": "gamma"})
    got = kernel.inputs_for({"source": "near"})
    assert got.required == ("near_put_gamma_volume", "near_call_gamma_volume")
    assert got.optional[:2] == ("near_put_gamma_oi", "near_call_gamma_oi")
    for ours, theirs in zip((*got.required, *got.optional[:2]),
                            (*wanted.required, *wanted.optional[:2]), strict=True):  # fmt: skip
        assert_allclose(frame[ours], plain[theirs], rtol=1e-15)


def test_further_features_without_a_name_get_one(tmp_path):
    frame = frame_of(tmp_path, snapshots(), {}, {"dte": (0, 9)}, {"dte": (10, 30)})
    for name in AMOUNTS:
        assert {name, f"gamma_volume_2_{name}", f"gamma_volume_3_{name}"} <= set(frame)
    (note, *_) = of_code(frame.attrs["notes"], "feature-columns")
    assert "begin with gamma_volume_2_" in note


def test_two_features_of_one_name_and_equal_ones_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"name: x: column 'x_put_gamma_volume' is already there"):
        frame_of(tmp_path, snapshots(), {"name": "x"}, {"name": "x", "dte": (0, 9)})
    with pytest.raises(InputError, match="gamma_volume is there twice; keep one"):
        frame_of(tmp_path, snapshots(), {}, {})
    with pytest.raises(ValidationError, match="name"):
        GammaVolumeFeature(chains={"kind": "demo"}, name="0dte")


def test_an_index_without_a_book_says_that_its_columns_are_blank_not_absent(tmp_path):
    table = snapshots(silent=TIMES)
    table.to_csv(tmp_path / "book.csv", index=False)
    made = config({}, strategy={"class": "strategies/gamma_bias.py:GammaBias",
                                "params": {"scale": "ratio"}})  # fmt: skip
    with pytest.raises(InputError) as refused:
        hb.run(made, data_dir=tmp_path, cache_dir=tmp_path / "cache", results=tmp_path / "r")
    told = str(refused.value)
    assert "put_gamma_oi and call_gamma_oi are blank throughout" in told
    assert "without a vol, 100.0 % of all" in told
    assert "needs put_oi and call_oi" not in told
