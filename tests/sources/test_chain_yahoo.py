from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from hpi_bt.errors import InputError
from hpi_bt.sources.base import Locations
from hpi_bt.sources.chains import chain_of_yfinance, fetch_chain, open_chains, read_chain

LAYOUTS = Path(__file__).parent / "layouts"
TABLE = "IWM_chain_2026-03-05.csv"
Answer = namedtuple("Answer", ["calls", "puts", "underlying"])


def copied(folder: Path, *, meta: bool = False) -> Path:
    shutil.copy(LAYOUTS / TABLE, folder)
    if meta:
        shutil.copy(LAYOUTS / "meta_2026-03-05.json", folder)
    return folder / TABLE


def answered(right: str, day: str = "2026-03-06") -> pd.DataFrame:
    """One side of what `Ticker.option_chain` answers, with the columns of yfinance 1.7."""
    code = f"{day[2:4]}{day[5:7]}{day[8:]}"
    return pd.DataFrame(
        {
            "contractSymbol": [f"IWM{code}{right}00254000", f"IWM{code}{right}00256000"],
            "lastTradeDate": pd.to_datetime([1772808000, 1772635200], unit="s", utc=True),
            "strike": [254.0, 256.0],
            "lastPrice": [1.5, 0.8],
            "bid": [1.45, 0.0],
            "ask": [1.55, 0.0],
            "change": [0.1, 0.0],
            "percentChange": [1.0, 0.0],
            "volume": [120.0, np.nan],
            "openInterest": [900, 300],
            "impliedVolatility": [0.21, 0.00001],
            "inTheMoney": [True, False],
            "contractSize": "REGULAR",
            "currency": "USD",
        }
    )


def test_worked_example_takes_moment_and_live_spot_from_the_meta_file():
    chain, report = read_chain(LAYOUTS / TABLE)
    assert (chain.symbol, chain.spot) == ("IWM", 254.9)  # not the prior close, 256.4
    assert chain.as_of == pd.Timestamp("2026-03-06 10:22", tz="America/New_York")
    assert_array_equal(chain.volume, [900.0, np.nan, 650.0, np.nan])
    assert_array_equal(chain.iv, [0.2113, 0.2422, 0.2241, np.nan])  # 0.500005 is Yahoo's filler
    assert chain.expiry[0] == pd.Timestamp("2026-03-06 16:00", tz="America/New_York")
    counts = {kind: n for kind, n in report.counts.items() if n}
    assert counts == {"no quote": 1, "stale": 2, "no IV": 1}


def test_stale_days_go_by_the_age_of_the_last_trade():
    report = read_chain(LAYOUTS / TABLE, stale_days=3).report
    assert report.counts["stale"] == 1


def test_without_the_meta_file_the_prior_close_is_not_taken_for_spot(tmp_path):
    with pytest.raises(InputError, match="its spot column is the close before the session"):
        read_chain(copied(tmp_path), as_of="2026-03-06 10:22")
    with pytest.raises(InputError, match="does not say when it was made; give as_of"):
        read_chain(copied(tmp_path), spot=254.9)
    chain = read_chain(copied(tmp_path), spot=254.9, as_of="2026-03-06 10:22").chain
    assert (chain.spot, f"{chain.as_of:%H:%M %Z}") == (254.9, "10:22 EST")


def test_a_table_saved_with_its_own_stamp_and_spot_needs_no_meta_file(tmp_path):
    table = pd.read_csv(LAYOUTS / TABLE).drop(columns="session")
    table.assign(ts="2026-03-06T15:22:00+00:00").to_csv(tmp_path / "iwm.csv", index=False)
    chain = read_chain(tmp_path / "iwm.csv").chain
    assert (chain.spot, f"{chain.as_of:%H:%M}") == (256.4, "10:22")


def test_a_meta_file_without_the_symbol_is_refused(tmp_path):
    path = copied(tmp_path, meta=True)
    (tmp_path / "meta_2026-03-05.json").write_text('{"utc": "2026-03-06T15:22:00+00:00"}')
    with pytest.raises(InputError, match="no utc or no spot_live of IWM"):
        read_chain(path)


def test_an_answer_of_yfinance_becomes_a_chain():
    chain, report = chain_of_yfinance(
        answered("C"), answered("P"), spot=254.9, as_of="2026-03-06 10:22", rate=0.04
    )
    assert (chain.symbol, chain.spot, chain.rate) == ("IWM", 254.9, 0.04)
    assert_array_equal(chain.right, [1.0, 1.0, -1.0, -1.0])
    assert_array_equal(chain.strike, [254.0, 256.0, 254.0, 256.0])
    assert_array_equal(chain.iv, [0.21, np.nan, 0.21, np.nan])
    assert report.counts["no quote"] == 2


def test_a_whole_answer_of_yfinance_tells_its_own_spot_and_moment():
    quote = {"regularMarketPrice": 254.9, "regularMarketTime": 1772810520}
    whole = SimpleNamespace(calls=answered("C"), puts=answered("P"), underlying=quote)
    by_sides = chain_of_yfinance(
        answered("C"), answered("P"), spot=254.9, as_of="2026-03-06 10:22"
    ).chain
    chain = chain_of_yfinance(whole).chain
    assert (chain.spot, chain.as_of) == (by_sides.spot, by_sides.as_of)
    pd.testing.assert_frame_equal(chain.contracts, by_sides.contracts)
    assert chain_of_yfinance(whole, spot=255.5).chain.spot == 255.5
    silent = SimpleNamespace(calls=answered("C"), puts=answered("P"), underlying={})
    with pytest.raises(InputError, match="give as_of"):
        chain_of_yfinance(silent, spot=254.9)
    with pytest.raises(InputError, match="yfinance: a str; give what option_chain answered"):
        chain_of_yfinance("IWM", spot=254.9, as_of="2026-03-06 10:22")


def test_an_answer_with_one_side_is_flagged_and_with_none_refused():
    none = answered("P").iloc[:0]
    told = {"spot": 254.9, "as_of": "2026-03-06 10:22"}
    assert "no puts" in chain_of_yfinance(answered("C"), none, **told).report.notes
    with pytest.raises(InputError, match="yfinance IWM: no calls and no puts"):
        chain_of_yfinance(none, none, symbol="IWM", **told)


def test_an_expiry_given_goes_before_the_symbols():
    told = {"spot": 254.9, "as_of": "2026-03-06 10:22", "expiry": "2026-03-09"}
    chain = chain_of_yfinance(answered("C"), answered("P"), **told).chain
    assert f"{chain.expiries[0]:%Y-%m-%d %H:%M}" == "2026-03-09 16:00"


class Ticker:
    """What of yfinance's Ticker is used, without a network."""

    quote: dict[str, object] = {"regularMarketPrice": 254.9, "regularMarketTime": 1772810520}
    options = ("2026-03-06", "2026-03-09")

    def __init__(self, symbol: str, session: object = None):
        if symbol == "DOWN":
            raise ConnectionError("Failed to connect\nand more")
        if symbol == "NONE":
            self.options = ()

    def option_chain(self, day: str) -> Answer:
        return Answer(answered("C", day), answered("P", day), self.quote)


@pytest.fixture
def _yahoo(monkeypatch):
    import yfinance

    monkeypatch.setattr(yfinance, "Ticker", Ticker)


@pytest.mark.usefixtures("_yahoo")
def test_a_fetched_chain_has_the_moment_and_spot_of_its_own_quote():
    chain = fetch_chain("IWM").chain
    assert len(chain) == 8
    assert [f"{e:%m-%d}" for e in chain.expiries] == ["03-06", "03-09"]
    assert (chain.symbol, chain.spot) == ("IWM", 254.9)
    assert chain.as_of == pd.Timestamp("2026-03-06 10:22", tz="America/New_York")
    assert len(fetch_chain("IWM", expiries=1).chain) == 4


@pytest.mark.usefixtures("_yahoo")
@pytest.mark.parametrize(
    ("symbol", "message"),
    [
        ("DOWN", r"DOWN: no chain from Yahoo \(Failed to connect\); try again later"),
        ("NONE", "NONE: Yahoo lists no options; check the symbol"),
    ],
)
def test_a_chain_that_cannot_be_fetched_is_refused_in_one_line(symbol, message):
    with pytest.raises(InputError, match=message):
        fetch_chain(symbol)


@pytest.mark.usefixtures("_yahoo")
def test_an_answer_without_price_is_refused_and_offline_fetches_nothing(monkeypatch):
    with pytest.raises(InputError, match="IWM: offline"):
        fetch_chain("IWM", where=Locations(offline=True))
    monkeypatch.setattr(Ticker, "quote", {})
    with pytest.raises(InputError, match="no price or no time with the chain"):
        fetch_chain("IWM")


def saved_twice(folder, stamps, **columns):
    """Save two snapshots of Yahoo's columns, one after the other, and return the file."""
    parts = []
    for i, stamp in enumerate(stamps):
        strikes = np.arange(95.0, 106.0)
        for right in "CP":
            symbols = [f"IWM260320{right}{int(1000 * k):08d}" for k in strikes]
            mid = np.maximum((strikes - 100.0) * (-1 if right == "C" else 1), 0.0) + 2.0
            table = {"contractSymbol": symbols, "strike": strikes, "bid": mid, "ask": mid + 0.1}
            table |= {"openInterest": 10 * (i + 1), "impliedVolatility": 0.2, "spot": 100.0 + i}
            parts.append(pd.DataFrame(table).assign(timestamp=stamp, **columns))
    path = folder / "iwm.csv"
    pd.concat(parts).to_csv(path, index=False)
    return path


def test_snapshots_saved_one_after_the_other_are_read_apart(tmp_path):
    path = saved_twice(tmp_path, ["2026-03-05 09:45", "2026-03-05 15:45"])  # New York's
    last = read_chain(path).chain
    assert (last.spot, last.open_interest.max()) == (101.0, 20.0)
    assert last.as_of == pd.Timestamp("2026-03-05 15:45", tz="America/New_York")
    first = read_chain(path, as_of="2026-03-05 10:00").chain
    assert (first.spot, first.open_interest.max()) == (100.0, 10.0)
    assert [len(file.chain) for file in open_chains(path)] == [22, 22]


def test_a_column_underlying_that_is_the_symbol_is_no_price(tmp_path):
    path = saved_twice(tmp_path, ["2026-03-05 15:45"], underlying="IWM")
    assert read_chain(path).chain.symbol == "IWM"


def test_snapshots_without_stamps_are_refused(tmp_path):
    path = saved_twice(tmp_path, ["2026-03-05"] * 2)
    with pytest.raises(InputError, match="22 rows repeat a contract with other numbers"):
        read_chain(path)
