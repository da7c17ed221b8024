"""The feeds of the gauge: where each comes from, and what it is kept under."""

from __future__ import annotations

from typing import NamedTuple

#: Base addresses by publisher; the environment variable HPI_BT_URL_<NAME> names another.
BASES = {
    "cboe": "https://cdn.cboe.com",
    "treasury": "https://home.treasury.gov",
    "nyfed": "https://markets.newyorkfed.org",
    "fred": "https://fred.stlouisfed.org",
    "yahoo": "",  # by yfinance; a base address serves <symbol>.csv instead
}


class Feed(NamedTuple):
    """One download.

    Parameters
    ----------
    given_as : str
        Series, as in `GIVEN_AS`.
    publisher : str
        Name in `BASES`.
    path : str
        Below the base address; {since}, {until}, {year} and {day} are filled in.
    layouts : tuple of str
        What the answer may be.
    steps : {"all", "year", "day"}
        One request, one a year, or one a session.
    spare_of : str
        Feed that this one stands in for: fetched only when that failed.
    optional : bool
        The gauge is whole enough without it: its failure is shown and is no failure of the fetch.
    """

    given_as: str
    publisher: str
    path: str
    layouts: tuple[str, ...]
    steps: str = "all"
    spare_of: str = ""
    optional: bool = False


_INDICES = "/api/global/us_indices/daily_prices"
_ARCHIVES = "/resources/options/volume_and_call_put_ratios"
_STATISTICS = "/data/us/options/market_statistics/daily"
_YIELDS = "/resource-center/data-chart-center/interest-rates/daily-treasury-rates.csv"
_CURVE = "type=daily_treasury_yield_curve&page&_format=csv"
_GRAPH = "/graph/fredgraph.csv"

FEEDS = {
    "spy": Feed("spy", "yahoo", "SPY", ("yahoo",)),
    "vix": Feed("vix", "cboe", f"{_INDICES}/VIX_History.csv", ("cboe",)),
    "vix3m": Feed("vix3m", "cboe", f"{_INDICES}/VIX3M_History.csv", ("cboe",)),
    "put_call_archive": Feed(
        "put_call", "cboe", f"{_ARCHIVES}/totalpc.csv", ("put_call",), optional=True
    ),
    "put_call": Feed(
        "put_call",
        "cboe",
        f"{_STATISTICS}/{{day}}_daily_options",
        ("put_call_json",),
        "day",
        optional=True,
    ),
    "treasury": Feed(
        "treasury",
        "treasury",
        f"{_YIELDS}/{{year}}/all?{_CURVE}&field_tdr_date_value={{year}}",
        ("treasury",),
        "year",
    ),
    "sofr": Feed(
        "sofr",
        "nyfed",
        "/api/rates/secured/sofr/search.json?startDate={since}&endDate={until}&type=rate",
        ("sofr_json",),
    ),
    "oas": Feed("oas", "fred", f"{_GRAPH}?id=BAMLH0A0HYM2", ("fred",), optional=True),
    "vix_yahoo": Feed("vix", "yahoo", "^VIX", ("yahoo",), spare_of="vix"),
    "vix3m_yahoo": Feed("vix3m", "yahoo", "^VIX3M", ("yahoo",), spare_of="vix3m"),
    "sofr_fred": Feed("sofr", "fred", f"{_GRAPH}?id=SOFR", ("fred",), spare_of="sofr"),
    "y10_fred": Feed("y10", "fred", f"{_GRAPH}?id=DGS10", ("fred",), spare_of="treasury"),
    "y2_fred": Feed("y2", "fred", f"{_GRAPH}?id=DGS2", ("fred",), spare_of="treasury"),
    "bill3m_fred": Feed("bill3m", "fred", f"{_GRAPH}?id=DGS3MO", ("fred",), spare_of="treasury"),
    "y10_yahoo": Feed("y10", "yahoo", "^TNX", ("yahoo",), spare_of="y10_fred"),
}


def cache_key(feed: str) -> str:
    """Return the key of a feed in the cache."""
    return f"gauge/{feed}"
