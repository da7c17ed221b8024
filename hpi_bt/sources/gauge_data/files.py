"""Official files of daily market gauges, told apart by what is in them (definitions 4).

Each reader returns a frame indexed by session date, oldest first, with the source's name in
`attrs["source"]` and what was noticed in `attrs["notes"]`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd

from hpi_bt.errors import InputError
from hpi_bt.sources.gauge_data.plausibility import LIMITS
from hpi_bt.sources.gauge_data.put_call import daily_ratios, put_call_archive, put_call_ratios
from hpi_bt.sources.gauge_data.text import Rows, UnknownLayoutError, checked_text, rows_of

#: FRED's name of a series: ours. Percent a year, but for VIXCLS and VXVCLS (points).
FRED = {
    "SOFR": "sofr",
    "DGS10": "y10",
    "DGS2": "y2",
    "DGS3MO": "bill3m",
    "T10Y3M": "t10y3m",
    "BAMLH0A0HYM2": "oas",
    "VIXCLS": "vix",
    "VXVCLS": "vix3m",
}
_TENORS = {"bill3m": "3 mo", "y2": "2 yr", "y10": "10 yr"}
_OHLC = ["open", "high", "low", "close"]


def cboe_index(rows: Rows) -> pd.DataFrame:
    """Return `close`, points, of CBOE's VIX_History.csv, VIX3M_History.csv and their like.

    DATE (MM/DD/YYYY), OPEN, HIGH, LOW, CLOSE, or DATE and one value (VVIX, SKEW). The file does
    not say which index it is of the five-column kind, whose names may begin with one (VIX Close).
    """
    return rows.table({"close": rows.header[-1]}, "Cboe")


def treasury_par_yields(rows: Rows) -> pd.DataFrame:
    """Return `bill3m`, `y2` and `y10`, percent, of the Treasury's daily par yield curve.

    Quoted or not, dates MM/DD/YYYY or ISO, any set of tenors, newest first as a rule. Days whose
    cells are all blank (a holiday that the file lists) are left out.
    """
    places = {h.lower(): h for h in rows.header}
    missing = [t for t in _TENORS.values() if t not in places]
    if missing:
        found = ", ".join(rows.header)
        raise InputError(f"{rows.name}: no column {missing[0]!r} (found: {found}); fetch it again")
    frame = rows.table({ours: places[t] for ours, t in _TENORS.items()}, "US Treasury")
    return _without_blank_days(frame)


def fred_series(rows: Rows) -> pd.DataFrame:
    """Return the series of FRED's CSV (observation_date, their codes), holidays left out.

    A column has our name (`sofr`, `y10`, `oas` ...) where we have one, else the code in small
    letters. Percent a year.
    """
    codes = {FRED.get(code.upper(), code.lower()): code for code in rows.header[1:]}
    names = ", ".join(code.upper() for code in codes.values())
    return _without_blank_days(rows.table(codes, f"FRED {names}"))


def yahoo_bars(rows: Rows) -> pd.DataFrame:
    """Return `close` of a chart as Yahoo and yfinance save it; the file does not name the symbol.

    Date (with or without time and UTC offset), Open, High, Low, Close and, as a rule, Volume,
    Dividends, Stock Splits, Capital Gains. Bars without a close are left out. Prices of others in
    the same columns, named in small letters, will do as well.
    """
    places = {h.lower(): h for h in rows.header}
    source = "Yahoo" if "Close" in rows.header else "price file"
    return _without_blank_days(rows.table({"close": places["close"]}, source))


def own_series(rows: Rows) -> pd.DataFrame:
    """Return one series of a table of two columns: date and the name that we have for it."""
    name = rows.header[1]
    return _without_blank_days(rows.table({name.lower(): name}, "own file"))


def sofr_rates(text: str, name: str, *, today: date | None = None) -> pd.DataFrame:
    """Return `sofr`, percent, of the New York Fed's JSON (refRates: effectiveDate, percentRate).

    Raises
    ------
    InputError
        No JSON, or without these fields.
    """
    try:
        rates = json.loads(text)["refRates"]
        pairs = [
            f"{rate['effectiveDate']},{rate['percentRate']}"
            for rate in rates
            if rate.get("type", "SOFR") == "SOFR"
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(
            f"{name}: not the New York Fed's list of rates (refRates with effectiveDate and "
            "percentRate); the answer broke off or its layout changed, fetch it again"
        ) from None
    if not pairs:
        raise InputError(f"{name}: no SOFR rate in it; widen the dates")
    rows = rows_of("\n".join(["date,sofr", *pairs]), name, today=today)
    return _without_blank_days(rows.table({"sofr": "sofr"}, "New York Fed"))


def _without_blank_days(frame: pd.DataFrame) -> pd.DataFrame:
    kept = frame.dropna(how="all")
    kept.attrs = frame.attrs
    return kept


def _kind(rows: Rows) -> tuple[str, Callable[[Rows], pd.DataFrame]] | None:
    """Return the layout's name and its reader: the first whose mark the header bears."""
    names = [h.lower() for h in rows.header]
    bare, pair = not names, len(names) == 2
    known = len(names) > 1 and set(rows.header[1:]) <= set(FRED)
    of_fred = known or (pair and names[0] == "observation_date")
    last_words = [n.split()[-1] for n in names[1:] if n]  # "VIX Close"
    ratio = {"puts", "calls", "p/c ratio"} <= set(names) and len(names) == 5
    marks: list[tuple[bool, str, Callable[[Rows], pd.DataFrame]]] = [
        (bare and len(rows.cells.columns) == 5, "put_call", put_call_archive),
        (bool({"10 yr", "3 mo"} & set(names)), "treasury", treasury_par_yields),
        (any(n.endswith("put_call_ratio") for n in names), "put_call_ratios", put_call_ratios),
        (names[1:2] in (["call"], ["calls"]) and len(names) == 5, "put_call", put_call_archive),
        (ratio, "put_call", put_call_archive),
        (last_words == _OHLC and not rows.iso, "cboe", cboe_index),
        (set(_OHLC) <= set(names), "yahoo", yahoo_bars),
        (of_fred and rows.iso, "fred", fred_series),
        (pair and names[1] in LIMITS, "own", own_series),
        (pair and rows.iso and rows.header[0] == "DATE", "fred", fred_series),
        (pair and not rows.iso, "cboe", cboe_index),
    ]
    return next(((layout, reader) for mark, layout, reader in marks if mark), None)


def read_gauge_text(text: str, name: str, *, today: date | None = None) -> pd.DataFrame:
    """Return what an official text holds, its layout recognised by its content.

    Parameters
    ----------
    text : str
    name : str
        Of the file or address, for messages; it decides nothing.
    today : date, optional
        Later dates are refused.

    Returns
    -------
    frame : DataFrame
        As the layout's reader says; `attrs["layout"]` is one of cboe, treasury, put_call,
        put_call_ratios, fred, yahoo, own, sofr_json, put_call_json.

    Raises
    ------
    InputError
        No known layout, a web page, a broken or future row, one date with two values.
    """
    text = checked_text(text, name)
    if text.lstrip().startswith("{"):
        daily = '"ratios"' in text
        frame = (daily_ratios if daily else sofr_rates)(text, name, today=today)
        layout = "put_call_json" if daily else "sofr_json"
    else:
        rows = rows_of(text, name, today=today)
        found = _kind(rows)
        if found is None:
            shown = f"columns {', '.join(rows.header)} are" if rows.header else "no header: this is"
            raise UnknownLayoutError(
                f"{name}: {shown} no layout that is known (Cboe index or put/call, Treasury "
                "yields, New York Fed, FRED, Yahoo); a file of your own has two columns, date and "
                f"one of {', '.join(LIMITS)}"
            )
        layout, reader = found
        frame = reader(rows)
    if frame.dropna(how="all").empty:
        raise InputError(f"{name}: dates but no value; wanted at least one, fetch it again")
    frame.attrs["layout"] = layout
    return frame


def read_gauge_file(
    path: Path, name: str | None = None, *, today: date | None = None
) -> pd.DataFrame:
    """Return `read_gauge_text` of a file.

    Raises
    ------
    InputError
        As there, or the file cannot be read as UTF-8 text.
    """
    name = name or path.name
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no UTF-8 text"
        raise InputError(f"{name}: cannot be read ({reason}); fetch it again") from None
    return read_gauge_text(text, name, today=today)
