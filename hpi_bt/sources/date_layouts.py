"""How a column writes its dates: ISO 8601, 12/20/2024, 19-Dec-2024, 241220, by what is in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product
from zoneinfo import available_timezones

import numpy as np
import pandas as pd

from hpi_bt.errors import InputError

_ZONE = r"\s+([A-Za-z][A-Za-z_]*(?:/[A-Za-z0-9_+-]+)*)$"
_OFFSET = r"\s*(?:Z|[+-]\d{2}:?\d{2})$"
#: Two short numbers and a year, in an order that the digits alone do not say.
_NUMERIC = re.compile(r"^(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})(?!\d)")
_DATES_IN_WORDS = (
    *("%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %b %y", "%d%b%Y", "%d%b%y", "%b %d, %Y", "%b %d %Y"),
    *("%d-%B-%Y", "%d %B %Y", "%B %d, %Y", "%B %d %Y", "%a %b %d %Y", "%a, %b %d, %Y"),
    *("%a, %d %b %Y", "%b-%d-%Y", "%Y-%b-%d", "%b %d, %y", "%b %d %y"),
)
_TIMES = ("", " %H:%M:%S", " %H:%M", " %H:%M:%S.%f", " %I:%M:%S %p", " %I:%M %p", " %I:%M%p")
_WANTED = "; wanted a date or time such as 2026-01-02 09:35"
_SIX_DIGITS = ("%y%m%d", "%d%m%y", "%m%d%y")
_BY_WIDTH = {6: _SIX_DIGITS, 12: ("%Y%m%d%H%M",), 14: ("%Y%m%d%H%M%S",)}


def day_first(columns: Iterable[pd.Series]) -> bool | None:
    """Return whether dates such as 12/20/2024 begin with the day, None where nothing tells.

    A day above 12 in any of the columns tells; of columns that contradict each other none does.
    """
    found = {order for column in columns if (order := _order(_words(column))) is not None}
    return found.pop() if len(found) == 1 else None


def padded(values: pd.Series) -> pd.Series:
    """Return dates of digits with the leading zero that a table of numbers takes from them.

    50117 is 050117, and 1172025 is 01172025: no such date has an odd number of digits. What is no
    date with the zero either stays as it is.
    """
    words = values.astype("str").str.strip().str.replace(r"\.0+$", "", regex=True)
    if not words.str.fullmatch(r"\d{5,8}").fillna(False).all():
        return values
    odd = (words.str.len() % 2 == 1).to_numpy(dtype=bool)
    whole = words.mask(odd, "0" + words)
    layouts = ("%m%d%y", "%d%m%y", "%y%m%d", "%m%d%Y", "%d%m%Y")
    return whole if odd.any() and any(_reads(whole, one) for one in layouts) else values


def layout_of(
    values: pd.Series,
    *,
    where: str,
    given: str | None = None,
    day_first: bool | None = None,
    since: pd.Timestamp | None = None,
) -> str | None:
    """Return the layout of a column's stamps as strptime writes it, None for one read without.

    Parameters
    ----------
    values : Series
        Different stamps; the name is the column's in the file, the index counts rows from 0.
    where : str
        The file, for messages.
    given : str, optional
        Layout that the user names; it reads every column that is not ISO 8601, 20260102 or Unix
        time.
    day_first : bool, optional
        What other columns of the file say of the order of day and month.
    since : Timestamp, optional
        No stamp of an expiry is older: it tells 241220 (20 December 2024) from 24 December 2020.

    Raises
    ------
    InputError
        A stamp is no date, is not of the layout given, or may mean two dates.
    """
    if values.dtype.kind == "M" or isinstance(values.dtype, pd.DatetimeTZDtype):
        return None
    words = _words(values)
    if given is not None and _reads(words, given):
        return given
    if given is None and _end_with_zones(words):
        bare = words.str.replace(_ZONE, "", regex=True)
        layout = layout_of(bare, where=where, day_first=day_first, since=since)
        return None if layout is None else f"{layout} %Z"
    digits = words.str.replace(r"\.0+$", "", regex=True)
    if digits.str.fullmatch(r"\d+").fillna(False).all():
        layout = _of_digits(digits, since, values, where)
    elif _reads(words.str.replace(_OFFSET, "", regex=True), "ISO8601"):
        layout = None
    else:
        layout = _of_text(words, values, where, given, day_first)
    if given is not None and layout is not None:
        row = int(np.argmin(_parsed(words, given).notna().to_numpy()))
        raise _refusal(values, row, f", which stamp_format {given!r} does not read", where)
    return layout


def _end_with_zones(words: pd.Series) -> bool:
    """Return whether all stamps end with names of zones: EST, UTC, America/New_York."""
    ends = words.str.extract(_ZONE)[0]
    known = set(ends.dropna()) <= available_timezones()
    return bool(len(ends) and known and ends.notna().all())


def _words(values: pd.Series) -> pd.Series:
    return values.astype("str").str.strip()


def _parsed(words: pd.Series, layout: str) -> pd.Series:
    try:
        return pd.to_datetime(words, format=layout, errors="coerce", utc="%z" in layout)
    except ValueError:  # a layout that strptime does not know
        return pd.Series(pd.NaT, index=words.index)


def _reads(words: pd.Series, layout: str) -> bool:
    return bool(_parsed(words, layout).notna().all())


def _order(words: pd.Series) -> bool | None:
    """Return whether the day comes first in one column, None where that does not show."""
    first, second = _above_12(words)
    return None if first == second else first


def _above_12(words: pd.Series) -> tuple[bool, bool]:
    """Return whether the first and the second number of any date is above 12."""
    parts = words.str.extract(_NUMERIC)
    first, second = (bool(pd.to_numeric(parts[i]).max() > 12) for i in (0, 2))
    return first, second


def _same_either_way(words: pd.Series) -> bool:
    """Return whether day and month are the same number in every date."""
    parts = words.str.extract(_NUMERIC)
    return bool((pd.to_numeric(parts[0]) == pd.to_numeric(parts[2])).all())


def _of_digits(
    digits: pd.Series, since: pd.Timestamp | None, values: pd.Series, where: str
) -> str | None:
    """Return the layout of stamps of digits alone: None for 20260102 and Unix time."""
    width = int(digits.str.len().max())
    if width == 8 and not _reads(digits, "%Y%m%d"):
        able = [one for one in ("%d%m%Y", "%m%d%Y") if _reads(digits, one)]
        if able:
            return _only(able, digits, since, values, where)
    if width not in _BY_WIDTH:
        return None
    able = [one for one in _BY_WIDTH[width] if _reads(digits, one)]
    if not able:
        raise _refusal(values, 0, _WANTED, where)
    return _only(able, digits, since, values, where)


def _only(
    able: list[str], digits: pd.Series, since: pd.Timestamp | None, values: pd.Series, where: str
) -> str:
    """Return the one layout that makes no date older than `since`; refuse several."""
    dates = {one: _parsed(digits, one) for one in able}
    if since is not None:
        fresh = [one for one in able if dates[one].min() >= since.normalize()]
        able = fresh or able
    if any(not dates[one].equals(dates[able[0]]) for one in able[1:]):
        read = " or ".join(f"{dates[one].iloc[0]:%d %B %Y}" for one in able)
        settings = " or ".join(f"`stamp_format={one}`" for one in able)
        raise _refusal(values, 0, f", which may be {read}", where, f"give {settings}")
    return able[0]


def _of_text(
    words: pd.Series, values: pd.Series, where: str, given: str | None, day_first: bool | None
) -> str:
    numeric = words.str.match(_NUMERIC).fillna(False).to_numpy(dtype=bool)
    if numeric.all():
        return _of_numbers(words, values, where, given, day_first)
    for date, time in product(_DATES_IN_WORDS, _TIMES):
        if _reads(words, date + time):
            return date + time
    row = int(np.argmax(~_readable(words, numeric)))
    raise _refusal(values, row, _WANTED, where)


def _readable(words: pd.Series, numeric: np.ndarray) -> np.ndarray:
    """Return which stamps are ISO 8601 or of any known layout, to name one that is not."""
    good = _parsed(words.str.replace(_OFFSET, "", regex=True), "ISO8601").notna() | numeric
    if good.all():
        good = pd.Series(numeric, index=words.index)  # several layouts: name one of the rest
    for date in _DATES_IN_WORDS:
        good |= _parsed(words, date).notna()
    return good.to_numpy(dtype=bool)


def _of_numbers(
    words: pd.Series, values: pd.Series, where: str, given: str | None, day_first: bool | None
) -> str:
    """Return the layout of stamps such as 12/20/2024, by a day above 12 here or elsewhere."""
    own = _order(words)
    day = own if own is not None else day_first
    match = _NUMERIC.match(words.iloc[0])
    assert match is not None
    mark, year = match[2], "%Y" if len(match[4]) == 4 else "%y"
    layouts = {True: f"%d{mark}%m{mark}{year}", False: f"%m{mark}%d{mark}{year}"}
    if day is None and (mark == "." or _same_either_way(words)):
        day = True  # no country writes the month first before a full stop
    if _above_12(words) == (True, True):
        raise _refusal(
            values, 0, ", but the day comes first in some rows and second in others", where,
            "write all in one order",
        )  # fmt: skip
    if day is None:
        a, b = (f"`stamp_format={layouts[one]}`" for one in (False, True))
        raise _refusal(
            values, 0, ", whose day and month cannot be told apart", where, f"give {a} or {b}"
        )
    for time in _TIMES:
        if _reads(words, layouts[day] + time):
            return layouts[day] + time
    row = int(np.argmin(_parsed(words, layouts[day]).notna().to_numpy()))
    raise _refusal(values, row, f"; wanted a date as {layouts[day]}", where)


def _refusal(values: pd.Series, row: int, why: str, where: str, remedy: str = "") -> InputError:
    value = str(values.iloc[row])[:40]
    return InputError(
        f"row {values.index[row] + 1} is {value!r}{why}",
        where=where,
        field=str(values.name),
        remedy=remedy or "give another layout as `stamp_format=%m/%d/%Y`",
    )
