"""Chains made up for tests, and the CBOE files read the naive way."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd

from hpi_bt.options import OptionChain, price

AS_OF = pd.Timestamp("2023-09-11 12:00", tz="America/New_York")
FRIDAY = "2023-09-22"  # 11 days and 4 hours after AS_OF


def chain(
    strikes,
    *,
    calls=0.0,
    puts=0.0,
    iv=0.2,
    expiry=FRIDAY,
    spot=100.0,
    as_of=AS_OF,
    **fields,
) -> OptionChain:
    """A call and a put at each strike; calls, puts and iv are one number, or one a strike."""
    strikes = np.asarray(strikes, dtype=float)
    sides = [
        pd.DataFrame(
            {
                "expiry": expiry,
                "strike": strikes,
                "right": right,
                "iv": iv,
                "open_interest": held,
            }
        )
        for right, held in (("C", calls), ("P", puts))
    ]
    return OptionChain(pd.concat(sides, ignore_index=True), spot, as_of, **fields)


def quoted(
    strikes,
    smile,
    *,
    expiry=FRIDAY,
    spot=100.0,
    rate=0.0,
    dividend=0.0,
    half_spread=0.0,
    told_rate=None,
    told_dividend=None,
    as_of=AS_OF,
) -> OptionChain:
    """Quotes without noise under a true rate and yield; smile(y) is the vol at y = ln(K/F)."""
    blank = chain(strikes, expiry=expiry, spot=spot, as_of=as_of)
    tau, right = blank.tau_years, blank.right
    y = np.log(blank.strike / spot) - (rate - dividend) * tau
    exact = price(spot, blank.strike, tau, smile(y), right, rate=rate, dividend=dividend)
    contracts = blank.contracts.drop(columns="iv").assign(
        bid=np.maximum(exact - half_spread, 0.0), ask=exact + half_spread
    )
    return OptionChain(
        contracts,
        spot,
        as_of,
        rate=rate if told_rate is None else told_rate,
        dividend=dividend if told_dividend is None else told_dividend,
    )


def cboe(folder: Path, name: str, as_of: str, symbol: str) -> OptionChain:
    """A CBOE delayed-quote file, read in the most obvious way."""
    lines = (folder / "chains" / name).read_text(encoding="utf-8").splitlines()
    spot = float(lines[1].split("Last: ")[1].split(",")[0])
    table = pd.read_csv(io.StringIO("\n".join(lines[3:])))
    sides = []
    for right, mark, names in (("C", "", "Calls"), ("P", ".1", "Puts")):
        sides.append(
            pd.DataFrame(
                {
                    "expiry": pd.to_datetime(table["Expiration Date"], format="%a %b %d %Y"),
                    "strike": table["Strike"],
                    "right": right,
                    "bid": table["Bid" + mark],
                    "ask": table["Ask" + mark],
                    "iv": table["IV" + mark],
                    "volume": table["Volume" + mark],
                    "open_interest": table["Open Interest" + mark],
                    "delta": table["Delta" + mark],
                    "gamma": table["Gamma" + mark],
                    "root": table[names].str.extract(r"^([A-Z]+)\d", expand=False),
                }
            )
        )
    return OptionChain(pd.concat(sides, ignore_index=True), spot, as_of, symbol=symbol)
