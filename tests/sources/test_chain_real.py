"""Real files, counted once more with the csv module and plain Python."""

from __future__ import annotations

import csv
import gzip
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hpi_bt.errors import InputError
from hpi_bt.sources.chains import open_chains, read_chain

pytestmark = pytest.mark.real_data

CBOE = [
    ("spx_quotedata_2023-08-20.csv", 4369.71, "2023-08-20 22:42-04:00", (2023, 8, 18)),
    ("spx_quotedata_2023-09-14.csv", 4505.1001, "2023-09-14 16:31-04:00", (2023, 9, 14)),
    ("spx_quotedata_2024-01-07.csv", 4697.2402, "2024-01-07 10:52-05:00", (2024, 1, 5)),
    ("spy_quotedata_2023-09-14.csv", 450.81, "2023-09-14 16:31-04:00", (2023, 9, 14)),
]
YAHOO = ["IWM_chain_2026-08-12", "IWM_chain_2026-08-13", "IWM_chain_2026-08-14",
         "SPY_chain_2026-08-12", "SPY_chain_2026-08-13", "SPY_chain_2026-08-14",
         "QQQ_chain_2026-08-14"]  # fmt: skip
FIELDS = ("symbol", "last", "net", "bid", "ask", "volume", "iv", "delta", "gamma", "oi")


def naive_cboe(path: Path) -> list[dict[str, str]]:
    """Each contract of a quote table as a dict of its cells."""
    with path.open(newline="") as file:
        rows = list(csv.reader(file))[4:]
    out = []
    for row in rows:
        for cells in (row[1:11], row[12:22]):
            out.append({**dict(zip(FIELDS, cells, strict=True)), "strike": row[11]})
    return out


def counts_of(contracts: list[dict[str, str]]) -> dict[str, int]:
    """The kinds of a cleaning report, counted cell by cell."""
    counts: dict[str, int] = defaultdict(int)
    for cell in contracts:
        bid, ask = float(cell["bid"] or 0), float(cell["ask"] or 0)
        counts["no quote"] += bid == 0 and ask == 0
        counts["zero bid"] += bid == 0 < ask
        counts["no ask"] += ask == 0 < bid
        counts["crossed"] += bid > ask > 0
        counts["no open interest"] += float(cell["oi"] or 0) == 0
    return counts


@pytest.mark.parametrize(("file", "spot", "moment", "last_day"), CBOE)
def test_cboe_files_agree_with_a_naive_read(real_data, file, spot, moment, last_day):
    naive = naive_cboe(real_data / "chains" / file)
    chain, report = read_chain(real_data / "chains" / file)
    assert (chain.spot, chain.as_of) == (spot, pd.Timestamp(moment))
    assert chain.symbol == file[:3].upper()
    assert report.read == report.kept == len(chain) == len(naive)
    assert report.notes == (
        "CBOE delays quotes by about 15 minutes, which moves charm and the day's own expiry; "
        "give as_of to say when they were made",
    )
    expected = counts_of(naive)
    assert {k: report.counts[k] for k in expected} == expected
    assert report.counts["no IV"] == sum(float(c["iv"]) == 0 for c in naive)
    assert report.counts["stale"] == sum(float(c["volume"]) == 0 for c in naive)
    last = f"{last_day[0] % 100:02d}{last_day[1]:02d}{last_day[2]:02d}"
    expired = sum(c["symbol"][-15:-9] <= last for c in naive)
    assert report.counts["expired"] == expired == len(chain) - len(chain.live())
    puts = [c for c in naive if c["symbol"][-9] == "P"]
    for right, side in ((-1, puts), (1, [c for c in naive if c["symbol"][-9] == "C"])):
        mine = chain.right == right
        for column, cell in (("volume", "volume"), ("open_interest", "oi"), ("bid", "bid")):
            total = sum(float(c[cell]) for c in side)
            assert np.isclose(getattr(chain, column)[mine].sum(), total, rtol=1e-12)
    by_symbol = {c["symbol"]: c for c in naive}
    for i in range(0, len(chain), 997):
        row = chain.contracts.iloc[i]
        cell = by_symbol[row["contract"]]
        assert row["strike"] == float(cell["strike"])
        assert row["ask"] == float(cell["ask"])
        assert row["gamma"] == float(cell["gamma"])


def test_spx_and_spxw_share_a_date_and_not_a_moment(real_data):
    chain = read_chain(real_data / "chains" / "spx_quotedata_2023-09-14.csv").chain
    friday = chain.contracts[chain.contracts["expiry"].dt.date.astype(str) == "2023-09-15"]
    clock = friday.groupby("root")["expiry"].agg(lambda e: sorted({f"{t:%H:%M}" for t in e}))
    assert clock.to_dict() == {"SPX": ["09:30"], "SPXW": ["16:00"]}


def test_a_chain_of_ten_thousand_strikes_is_read_fast(real_data):
    path = real_data / "chains" / "spx_quotedata_2024-01-07.csv"
    read_chain(path)
    spent = []
    for _ in range(4):
        start = time.perf_counter()
        read_chain(path)
        spent.append(time.perf_counter() - start)
    assert min(spent) < 0.5  # 0.06 s alone on two cores, cleaning and chain included


@pytest.mark.parametrize("stem", YAHOO)
def test_yahoo_files_agree_with_a_naive_read(real_data, stem):
    folder = real_data / "chains"
    with gzip.open(folder / f"{stem}.csv.gz", "rt", newline="") as file:
        naive = list(csv.DictReader(file))
    meta = json.loads((folder / f"meta_{stem[-10:]}.json").read_text())
    chain, report = read_chain(folder / f"{stem}.csv.gz")
    assert chain.as_of == pd.Timestamp(meta["utc"])
    assert chain.spot == meta["tickers"][stem[:3]]["spot_live"]
    assert report.read == report.kept == len(naive) == meta["tickers"][stem[:3]]["contracts"]
    cells = [{"bid": r["bid"], "ask": r["ask"], "oi": r["openInterest"]} for r in naive]
    expected = counts_of(cells)
    assert {k: report.counts[k] for k in expected} == expected
    today = f"{pd.Timestamp(meta['utc']):%Y-%m-%d} 13:30:00+00:00"  # the open, in UTC
    assert report.counts["stale"] == sum(r["lastTradeDate"] < today for r in naive)
    vols = [float(r["impliedVolatility"]) for r in naive]
    assert report.counts["no IV"] == sum(v < 0.001 for v in vols)
    # the first expiry is that day's own
    assert chain.expiries[0].date() == chain.as_of.date()
    traded = sum(float(r["volume"] or 0) for r in naive)
    assert np.nansum(chain.volume) == traded


def test_nifty_chains_agree_with_a_naive_read(real_data):
    path = real_data / "options_flow_long" / "nifty_chain_iv_2026-08-19.parquet"
    told = {"timezone": "Asia/Kolkata", "calendar": "XBOM", "symbol": "NIFTY"}
    series = open_chains(path, **told)
    table = pd.read_parquet(path)
    stamps = sorted(table["ts"].unique())
    assert len(series) == len(stamps) == 102
    for place in (0, 50, 101):
        part = table[table["ts"] == stamps[place]]
        chain, report = series.chain(place)
        assert chain.as_of == pd.Timestamp(stamps[place], tz="Asia/Kolkata")
        assert (len(chain), chain.spot) == (len(part), part["spot"].iloc[0])
        assert report.counts["no IV"] == int((part["iv_pct"] <= 0.1).sum())
        assert np.isclose(np.nanmax(chain.iv), part["iv_pct"].max() / 100)
        assert chain.open_interest.sum() == part["open_interest"].sum()
    asked = read_chain(path, as_of="2026-08-19 12:30:59", **told).chain
    chosen = table[
        table["ts"] == max(s for s in stamps if s <= pd.Timestamp("2026-08-19 12:30:59"))
    ]
    assert asked.spot == chosen["spot"].iloc[0]
    assert f"{asked.expiries[0]:%Y-%m-%d %H:%M %Z}" == "2026-08-25 15:30 IST"


def test_nse_snapshots_agree_with_a_naive_read(real_data):
    path = real_data / "options_flow_long" / "nse_option_snapshots_2026-01-06_2026-02-05.parquet"
    told = {"timezone": "Asia/Kolkata", "calendar": "XBOM", "symbol": "NIFTY", "multiplier": 1}
    with pytest.raises(InputError, match="does not say the price of the underlying"):
        read_chain(path, as_of="2026-01-13 11:00", **told)
    chain = read_chain(path, as_of="2026-01-13 11:00", spot="parity", **told).chain
    table = pd.read_parquet(path)
    table = table[(table["symbol"] == "NIFTY") & (table["ts"] <= "2026-01-13 11:00")]
    part = table[table["ts"] == table["ts"].max()]
    assert len(chain) == len(part)
    assert chain.open_interest.sum() == part["open_interest"].sum()
    both = part.pivot_table(index="strike", columns="right", values="last", observed=True)
    both = both[(both["C"] > 0) & (both["P"] > 0)]
    gap = both["C"] - both["P"]
    near = gap.abs().nsmallest(5).index
    assert np.isclose(chain.spot, np.median(near + gap[near]), rtol=1e-9)


def test_spy_end_of_day_chains_agree_with_a_naive_read(real_data):
    path = real_data / "eod_chains" / "SPY_eod_chain_2026-05-26_2026-08-21.parquet"
    chain, report = read_chain(path, as_of="2026-08-14", symbol="SPY", spot=776.34)
    table = pd.read_parquet(path)
    part = table[table["date"] == "2026-08-14"]
    assert len(chain) == len(part)
    assert f"{chain.as_of:%Y-%m-%d %H:%M %Z}" == "2026-08-14 16:00 EDT"
    assert report.counts["expired"] == int((part["expiry"] == "2026-08-14").sum())
    assert chain.volume.sum() == part["volume"].sum()
    implied = read_chain(path, as_of="2026-08-14", symbol="SPY", spot="parity").chain.spot
    assert abs(implied / 776.34 - 1) < 0.001  # the close that another file of the pack gives


def test_the_profile_of_spx_gives_back_its_dollar_gammas(real_data):
    path = real_data / "options_flow_long" / "spx_0dte_profile_2026-08.csv.gz"
    series = open_chains(path)
    table = pd.read_csv(path)
    stamps = sorted(table["ts"].unique())
    assert len(series) == len(stamps)
    read, lost, smooth = 0, 0, []
    for place, stamp in enumerate(stamps):
        part = table[table["ts"] == stamp].sort_values("strike")
        if stamp[11:16] >= "16:00":
            with pytest.raises(InputError, match="have expired"):
                series.chain(place)
            continue
        if stamp == "2026-08-20T09:30:00":  # the index is that of the close before
            with pytest.raises(InputError, match=r"51 % of the gross, fit no vol at spot 7707\.98"):
                series.chain(place)
            continue
        chain, report = series.chain(place)
        read += 1
        assert len(chain) == 2 * len(part)
        assert chain.spot == part["spot"].iloc[0]
        assert chain.open_interest.sum() == (part["coi"] + part["poi"]).sum()
        if stamp[11:16] < "10:00":  # the feed's index still stands at the close before
            continue
        lost += report.counts["no IV"]
        shift = float(report.notes[1].split("forward ")[1].split(" from")[0])
        again = recomputed(chain, chain.spot + shift, 15.0)
        own = np.concatenate([part["cg"], -part["pg"]])
        has = np.isfinite(again)
        step = 0.0001 * chain.open_interest * chain.spot**2
        # an even rounding of half a step, and half a step more next to a peak
        assert (np.abs(again - own)[has] <= 0.51 * step[has] + 1).all()
        iv = chain.iv[chain.right < 0]
        near = np.abs(part["strike"].to_numpy() / chain.spot - 1) < 0.004
        smooth.append(np.nanmax(np.abs(np.diff(np.log(iv[near]), 2))))
    assert read >= 60
    assert lost < 0.01 * 2 * len(table)
    assert np.median(smooth) < 0.35


def recomputed(chain, forward: float, older_minutes: float) -> np.ndarray:
    """Dollar gammas of a chain's own vols, `older_minutes` before it, at a given forward."""
    w = chain.iv * np.sqrt(chain.tau_years + older_minutes / 525_600)
    d1 = np.log(forward / chain.strike) / w + w / 2
    gamma = np.exp(-d1 * d1 / 2) / np.sqrt(2 * np.pi) / (chain.spot * w)
    return gamma * chain.open_interest * chain.multiplier * chain.spot**2 * 0.01
