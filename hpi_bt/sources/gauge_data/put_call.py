"""Put/call volume of Cboe's options: the archives to October 2019 and the daily ratios since."""

from __future__ import annotations

import json
import re
from datetime import date

import numpy as np
import pandas as pd

from hpi_bt.errors import InputError
from hpi_bt.sources.gauge_data.text import Rows, rows_of
from hpi_bt.sources.hours import counted

#: Products whose ratios every day has.
PRODUCTS = ("total", "index", "etp", "equity")
_LONG = {"EXCHANGE TRADED PRODUCTS": "etp"}
_ROUNDING = 0.0051  # the archives print two digits
_AROUND = 63  # days on each side of the splice that are compared


def put_call_archive(rows: Rows) -> pd.DataFrame:
    """Return `calls`, `puts` (contracts) and `put_call` of totalpc.csv, indexpc.csv, equitypc.csv.

    A disclaimer and a PRODUCT line stand before the header in Cboe's own files; both, and the
    header too, may be absent. `attrs["product"]` is total, index or equity, "" where the file does
    not say. The ratio is puts / calls, which the printed one rounds.

    Raises
    ------
    InputError
        A row whose total is not its puts and calls.
    """
    calls, puts, total, ratio = rows.cells.columns[1:5]
    named = {str(n).lower(): str(n) for n in rows.header[1:]}
    if {"puts", "calls", "p/c ratio"} <= set(named):  # in any order
        calls, puts, ratio = (named.pop(n) for n in ("calls", "puts", "p/c ratio"))
        (total,) = named.values()
    columns = {"calls": calls, "puts": puts, "total": total, "printed": ratio}
    frame = rows.table(columns, "Cboe put/call archive")
    wrong = (frame["calls"] + frame["puts"] - frame["total"]).abs() > 0.5
    if wrong.any():
        day = frame.index[int(np.argmax(wrong.to_numpy()))]
        raise InputError(
            f"{rows.name}: calls and puts of {day:%Y-%m-%d} do not add up to the total; "
            "the columns are not calls, puts, total, ratio, fetch the file again"
        )
    frame["put_call"] = frame["puts"] / frame["calls"].where(frame["calls"] > 0.0)
    off = ((frame["put_call"] - frame["printed"]).abs() > _ROUNDING).sum()
    if off:
        note = f"{rows.name}: the printed ratio of {off} day(s) is not puts/calls, which is used"
        frame.attrs["notes"].append(note)
    product = re.search(r"PRODUCT:\s*(\w+)", rows.preamble, re.IGNORECASE)
    attrs = {**frame.attrs, "product": product[1].lower() if product else ""}
    kept = frame[["calls", "puts", "put_call"]].dropna(subset="put_call")
    kept.attrs = attrs
    return kept


def put_call_ratios(rows: Rows) -> pd.DataFrame:
    """Return `total`, `index`, `etp` and `equity` put/call ratios of a table of daily statistics.

    Its columns are Cboe's names of the ratios, <PRODUCT>_PUT_CALL_RATIO; 0 is no value.
    """
    places = {h.upper(): h for h in rows.header}
    names = {p: f"{p.upper()}_PUT_CALL_RATIO" for p in PRODUCTS}
    found = {p: places[n] for p, n in names.items() if n in places}
    if not found:
        raise InputError(f"{rows.name}: no column {names['total']!r}; fetch the file again")
    return _positive(rows.table(found, "Cboe daily statistics"))


def daily_ratios(text: str, name: str, *, today: date | None = None) -> pd.DataFrame:
    """Return one day's ratios of Cboe's daily statistics (JSON: ratios of name and value).

    The text holds no date: `name` does (2024-06-07_daily_options).

    Raises
    ------
    InputError
        No JSON, no date in the name, or no ratio of a known product.
    """
    day = re.search(r"\d{4}-\d{2}-\d{2}", name)
    try:
        listed = {str(r["name"]).upper(): r["value"] for r in json.loads(text)["ratios"]}
    except (ValueError, KeyError, TypeError, RecursionError):
        listed = {}
    suffix = " PUT/CALL RATIO"
    plain = {n.removesuffix(suffix): v for n, v in listed.items() if n.endswith(suffix)}
    found = {_LONG.get(n, n.lower()): v for n, v in plain.items()}
    known = {p: found[p] for p in PRODUCTS if p in found}
    if not known or day is None:
        what = "no put/call ratio in it" if day else "no date in its name"
        raise InputError(
            f"{name}: not Cboe's daily statistics ({what}); "
            "the answer broke off or its layout changed, fetch it again"
        )
    line = ",".join(str(v) for v in known.values())
    rows = rows_of(f"date,{','.join(known)}\n{day[0]},{line}", name, today=today)
    return _positive(rows.table({p: p for p in known}, "Cboe daily statistics"))


def _positive(frame: pd.DataFrame) -> pd.DataFrame:
    kept = frame.where(frame > 0.0).dropna(how="all")
    kept.attrs = frame.attrs
    return kept


def splice_put_call(old: pd.Series, new: pd.Series) -> tuple[pd.Series, str]:
    """Return one series, the new wherever the old has no value, and what to say of it.

    Parameters
    ----------
    old, new : Series
        Ratios by date, oldest first, without NaN. Neither is rescaled.

    Returns
    -------
    spliced : Series
    note : str
        The splice date and the difference of level: on the days that both have, else between the
        means of 63 days on each side; "" where the new adds nothing after the old, or all.
    """
    spliced = pd.concat([old, new[~new.index.isin(old.index)]]).sort_index()
    after = new[new.index > old.index[-1]] if len(old) else new
    if old.empty or after.empty:
        return spliced, ""
    both = old.index.intersection(new.index)
    if len(both):
        left, right, where = (
            old[both].mean(),
            new[both].mean(),
            f"on {counted(len(both), 'day')} of both",
        )
    else:
        left, right = old.iloc[-_AROUND:].mean(), after.iloc[:_AROUND].mean()
        before = counted(min(_AROUND, len(old)), "day")
        where = f"over {before} before and {min(_AROUND, len(after))} after"
    signed = f"{right - left:+.3f}".replace("-", "\N{MINUS SIGN}")
    note = (
        f"put/call: archive to {old.index[-1]:%Y-%m-%d}, daily ratios from "
        f"{after.index[0]:%Y-%m-%d}, spliced without rescaling; mean {left:.3f} and {right:.3f} "
        f"{where} ({signed})"
    )
    return spliced, note
