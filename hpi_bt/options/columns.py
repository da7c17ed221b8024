"""The contracts of a chain, checked and brought into one form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import time
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError
from hpi_bt.options.expiries import exchange_zone, expiry_time, timestamp_of

REQUIRED = ("expiry", "strike", "right")
QUOTES = ("bid", "ask", "iv", "volume", "open_interest")
SIGNED = ("dealer_position", "trade_flow")
COUNTS = ("open_interest_live", "last")
LISTED = "expiry_date"  # the date that a contract is listed under: its expiry, if a date is given
PERCENT = 5.0  # a median vol from here on is taken for percent

_SIDES = {
    **dict.fromkeys(("C", "CE", "CA", "CALL", "CALLS", "CALL OPTION", "1", "+1"), 1.0),
    **dict.fromkeys(("P", "PE", "PA", "PUT", "PUTS", "PUT OPTION", "-1"), -1.0),
}


def checked_contracts(
    contracts: pd.DataFrame,
    *,
    symbol: str,
    calendar: str | None,
    at: time | str | None,
    timezone: str | None,
) -> tuple[pd.DataFrame, list[str]]:
    """Return the contracts in the form that `OptionChain` keeps, and what is worth noting.

    Expiries become moments in the exchange's time zone, rights +1 and -1, numbers float64; the
    columns of QUOTES that are absent are added as NaN. Raises as `OptionChain` says.
    """
    lacking = [name for name in REQUIRED if name not in contracts]
    if lacking:
        have = ", ".join(map(str, contracts.columns)) or "none"
        raise InputError(
            f"no column {lacking[0]!r} (found: {have}); rename or add it", field="contracts"
        )
    if not len(contracts):
        raise InputError("none; give at least one", field="contracts")
    notes: list[str] = []
    frame = contracts.reset_index(drop=True)
    made: dict[str, Any] = {"strike": _strikes(frame), "right": _rights(frame["right"])}
    made["expiry"], made[LISTED] = _expiries(
        frame, notes, symbol=symbol, calendar=calendar, at=at, timezone=timezone
    )
    for name in (*QUOTES, *COUNTS, *SIGNED):
        if name in frame:
            made[name] = _numbers(frame, name, signed=name in SIGNED)
    made["iv"] = _vols(made.get("iv"), len(frame), notes)
    absent = [name for name in QUOTES if name not in frame]
    made |= {name: np.full(len(frame), np.nan) for name in absent if name != "iv"}
    if absent:
        notes.append(f"Not in the chain, hence unknown: {', '.join(absent)}.")
    frame = frame.assign(**made)
    _refuse_doubles(frame)
    return frame, notes


def checked_scalars(given: Mapping[str, Any]) -> dict[str, float]:
    """Return spot, multiplier, rate and dividend as floats; what no chain has raises InputError."""
    names = ("spot", "multiplier", "rate", "dividend")
    made = {name: _number(name, given[name]) for name in names}
    for name in names[:2]:
        if made[name] <= 0.0:
            raise InputError(f"{made[name]:g}; give a number above 0", field=name)
    for name in names[2:]:
        if abs(made[name]) >= 1.0:
            raise InputError(
                f"{made[name]:g} is {100 * made[name]:g} % a year; give decimals such as 0.05",
                field=name,
            )
    return made


def _number(name: str, value: Any) -> float:
    """Return a finite float; anything else raises InputError."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{value!r}; give a finite number", field=name)
    return number


def checked_moment(as_of: Any) -> pd.Timestamp:
    """Return the moment of the quotes; one that does not say its time zone raises InputError."""
    moment = timestamp_of(as_of)
    if moment is None:
        raise InputError(
            f"{as_of!r}; give the moment of the quotes with its time zone", field="as_of"
        )
    if moment.tz is None:
        raise InputError(
            f"{as_of!s} has no time zone; give one, as in '2023-09-14 16:31-04:00'", field="as_of"
        )
    return moment


def _numbers(frame: pd.DataFrame, name: str, *, signed: bool = False) -> FloatArray:
    """Return a column as float64; negative and infinite values are refused, NaN is unknown."""
    given = frame[name]
    values = np.asarray(pd.to_numeric(given, errors="coerce"), dtype=np.float64)
    bad = (np.isnan(values) & given.notna().to_numpy()) | np.isinf(values)
    wanted = "a finite number"
    if not signed and not bad.any():
        bad, wanted = values < 0.0, "0 or more"
    if bad.any():
        at = int(np.argmax(bad))
        raise InputError(
            f"{name} {given.iloc[at]} in row {at} (strike {frame['strike'].iloc[at]}); "
            f"it must be {wanted}: mend or drop {_rows(int(bad.sum()))}",
            field="contracts",
        )
    return values


def _rows(count: int) -> str:
    return "that row" if count == 1 else f"{count} such rows"


def _strikes(frame: pd.DataFrame) -> FloatArray:
    strikes = np.asarray(pd.to_numeric(frame["strike"], errors="coerce"), dtype=np.float64)
    bad = ~(np.isfinite(strikes) & (strikes > 0.0))
    if bad.any():
        at = int(np.argmax(bad))
        raise InputError(
            f"strike {frame['strike'].iloc[at]} in row {at}; it must be a number "
            f"above 0: mend or drop {_rows(int(bad.sum()))}",
            field="contracts",
        )
    return strikes


def _rights(given: pd.Series[Any]) -> FloatArray:
    codes, words = pd.factorize(given)
    sides = np.array([side_of(word) for word in words] or [np.nan])
    right = np.where(codes < 0, np.nan, sides[codes])
    if np.isnan(right).any():
        at = int(np.argmax(np.isnan(right)))
        raise InputError(
            f"right {given.iloc[at]!r} in row {at}; give 'C' or 'P' (or +1, -1)", field="contracts"
        )
    return right


def side_of(word: Any) -> float:
    """Return +1 for a call and -1 for a put in any spelling (C, CE, calls, Put), NaN for others."""
    return _SIDES.get(str(word).strip().upper().removesuffix(".0"), np.nan)


def _expiries(
    frame: pd.DataFrame,
    notes: list[str],
    *,
    symbol: str,
    calendar: str | None,
    at: time | str | None,
    timezone: str | None,
) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """Return each contract's moment of expiry and the date it is listed under.

    Dates become moments by the exchange's rule. The date of a given moment is its own, or what the
    column LISTED says, where a reader has made moments of dates.
    """
    zone = exchange_zone(calendar, timezone)
    given = frame["expiry"]
    if isinstance(given.dtype, pd.DatetimeTZDtype) and not given.isna().any():
        moments = pd.DatetimeIndex(given).tz_convert(zone).as_unit("ns")
        if LISTED in frame and frame[LISTED].dtype.kind == "M" and frame[LISTED].notna().all():
            return moments, pd.DatetimeIndex(frame[LISTED])
        return moments, moments.tz_localize(None).normalize()
    codes, words = pd.factorize(given)
    if (codes < 0).any():
        raise InputError(
            f"no expiry in row {int(np.argmin(codes))}; give its date", field="contracts"
        )
    stamps = [_moment(word) for word in words]
    dated = np.array([stamp.tz is None for stamp in stamps])[codes]
    nanos = np.array([stamp.as_unit("ns").value for stamp in stamps], dtype=np.int64)[codes]
    if dated.any():
        part = frame[dated]
        dates = pd.DatetimeIndex(nanos[dated].astype("M8[ns]"))
        rules = {name: list(part[name]) for name in ("root", "settlement") if name in part}
        moments = expiry_time(
            dates, symbol=symbol, calendar=calendar, at=at, timezone=timezone, **rules
        )
        nanos[dated] = moments.as_unit("ns").asi8
        notes.extend(moved_expiries(dates, moments))
    moments = pd.DatetimeIndex(nanos.astype("M8[ns]"), tz="UTC").tz_convert(zone)
    listed = moments.tz_localize(None).normalize().as_unit("ns").to_numpy(copy=True)
    if dated.any():
        listed[dated] = dates.to_numpy()
    return moments, pd.DatetimeIndex(listed)


def moved_expiries(dates: pd.DatetimeIndex, moments: pd.DatetimeIndex) -> list[str]:
    """Return the sentence on contracts whose date is no session, none where there are none."""
    ends = moments.tz_localize(None) - pd.Timedelta(1, "ns")  # a session may end at midnight
    gone = ends.normalize() < dates
    if not gone.any():
        return []
    first = dates[gone].min()
    some = "1 contract expires" if gone.sum() == 1 else f"{int(gone.sum())} contracts expire"
    return [f"{some} on no session, such as {first:%Y-%m-%d}: taken to end with the one before."]


def _moment(word: Any) -> pd.Timestamp:
    """Return a date (naive, midnight) or a moment (with its zone) of one given expiry."""
    stamp = timestamp_of(word)
    if stamp is None:
        raise InputError(
            f"expiry {word!r} is no date; give one such as 2023-09-15", field="contracts"
        )
    if stamp.tz is None and stamp != stamp.normalize():
        raise InputError(
            f"expiry {word!s} has a time but no time zone; give the date, or the zone",
            field="contracts",
        )
    return stamp


def _vols(given: FloatArray | None, n: int, notes: list[str]) -> FloatArray:
    if given is None:
        return np.full(n, np.nan)
    vols: FloatArray = np.where(given > 0.0, given, np.nan)
    none = int(np.count_nonzero(given == 0.0))
    if none:
        notes.append(f"{none} contracts have an implied vol of 0, which is none.")
    known = vols[np.isfinite(vols)]
    if len(known) and np.median(known) >= PERCENT:
        raise InputError(
            f"iv has a median of {np.median(known):g}, which looks like percent",
            field="contracts",
            remedy="give decimals (0.18 for 18 %)",
        )
    return vols


def _refuse_doubles(frame: pd.DataFrame) -> None:
    """Raise InputError where a contract is listed twice.

    A contract is the date it is listed under, the moment it expires at, strike and right.
    """
    twice = frame.duplicated(["expiry", LISTED, "strike", "right"])
    if not twice.any():
        return
    names = [
        f"{expiry:%Y-%m-%d %H:%M} {strike:g} {'C' if right > 0 else 'P'}"
        for expiry, strike, right in frame.loc[twice, list(REQUIRED)].head(3).to_numpy()
    ]
    raise InputError(
        f"{int(twice.sum())} listed twice, such as {', '.join(names)}; merge them, "
        "or give each its root (SPX, SPXW) or settlement (am, pm)",
        field="contracts",
    )
