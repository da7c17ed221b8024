"""CBOE's delayed quotes as the CSV that its quote table saves."""

from __future__ import annotations

import io
import re
from datetime import timezone
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from hpi_bt.errors import InputError, Note, Severity
from hpi_bt.sources.chain_date_line import date_line, has_date, zone_of
from hpi_bt.sources.chain_file import FIRST_YEAR, LAST_YEAR, NEW_YORK, Given, RawChain
from hpi_bt.sources.occ import is_occ, main_root, parse_occ
from hpi_bt.sources.tables import to_numbers

_PREAMBLE_LINES = 20  # searched for the header
_FIELDS = {
    "lastsale": "last",
    "last": "last",
    "bid": "bid",
    "ask": "ask",
    "vol": "volume",
    "volume": "volume",
    "iv": "iv",
    "delta": "delta",
    "gamma": "gamma",
    "openint": "open_interest",
    "openinterest": "open_interest",
}
_DATE_LAYOUTS = ("%a %b %d %Y", "%m/%d/%Y", "%Y-%m-%d", "%b %d %Y", "%d %b %Y")

_NUMBER = r"(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
DELAYED = Note(
    Severity.ASSUMPTION,
    "delayed-quotes",
    "CBOE delays quotes by about 15 minutes, which moves charm and the day's own expiry; "
    "give `as_of` to say when they were made",
)


def is_cboe_csv(text: str) -> bool:
    """Return whether a text is a saved quote table: a header with Expiration Date and Calls."""
    return _header_line(text.splitlines()[:_PREAMBLE_LINES]) is not None


def cboe_csv(text: str, given: Given, *, name: str) -> RawChain:
    """Return the contracts of a saved CBOE quote table.

    Parameters
    ----------
    text : str
        The file: a blank line or none, the name with the last price, the date, then the table
        with one row per expiry, root and strike, calls left and puts right.
    given : Given
        What the caller says; `timezone` is used where the date line names no zone.
    name : str
        The file, which begins a message.

    Raises
    ------
    InputError
        No header, another delimiter, a row that breaks off, or a number that is none.

    Notes
    -----
    The contract symbol says expiry, right and strike, and SPX from SPXW. Where no symbol is in OCC
    form the columns say them, roots are unknown and a note says so. IV 0 means none.
    """
    lines = text.splitlines()
    at = _header_line(lines[:_PREAMBLE_LINES])
    if at is None:
        raise InputError(
            "no line begins with Expiration Date,Calls; wanted the quote table of CBOE (layouts "
            "before 2019 are not read)",
            where=name,
            remedy="download it again",
        )
    table = _table(lines[at:], name, first_row=at + 2)
    contracts, notes = _both_sides(table, name)
    spot, moment = _preamble(lines[:at], given, notes, name)
    roots = contracts["root"].to_numpy() if "root" in contracts else np.array([], dtype=object)
    symbol = given.symbol or main_root(roots)
    return RawChain(name, contracts, moment, spot, symbol, NEW_YORK, (*notes, DELAYED))


def _header_line(lines: list[str]) -> int | None:
    for i, line in enumerate(lines):
        if re.match(r'"?expiration date"?\s*[,;\t]\s*"?calls', line.strip(), re.IGNORECASE):
            return i
    return None


def _table(lines: list[str], name: str, *, first_row: int) -> pd.DataFrame:
    """Return the table as text and numbers; the index counts the file's lines from 0."""
    header = lines[0]
    if header.count(",") < 5:
        raise InputError(
            f"columns are separated by {'semicolons' if ';' in header else 'tabs'}; wanted commas",
            where=name,
            remedy="save it with commas or download it again",
        )
    rows = [line for line in lines[1:] if line.strip()]
    if not rows:
        raise InputError("a header but no contracts", where=name, remedy="download it again")
    if (again := _header_line(lines[1:])) is not None:
        raise InputError(
            f"holds several quote tables, the second from line {first_row + again} on",
            where=name,
            remedy="save each in a file of its own",
        )
    width, last = header.rstrip(",").count(","), rows[-1].count(",")
    if last < width:
        raise InputError(
            f"breaks off in its last line, {last + 1} of {width + 1} columns; wanted a whole table",
            where=name,
            remedy="download it again",
        )
    try:
        table = pd.read_csv(
            io.StringIO("\n".join([header, *rows])),
            index_col=False,
            thousands=",",
            na_values=["--", "-"],
            low_memory=False,
        )
    except (ValueError, pd.errors.ParserWarning) as error:
        reason = str(error).strip().splitlines()[0][:100]
        raise InputError(f"no table ({reason})", where=name, remedy="download it again") from None
    table.index = pd.RangeIndex(first_row - 1, first_row - 1 + len(table))
    return table


def _both_sides(table: pd.DataFrame, name: str) -> tuple[pd.DataFrame, list[str]]:
    """Return one row per contract, calls before puts, and notes."""
    plain = [re.sub(r"[\s_]|\.\d+$", "", str(c)).lower() for c in table.columns]
    lacking = [column for column in ("calls", "strike") if column not in plain]
    if lacking:
        found = ", ".join(" ".join(str(c).split())[:30] for c in table.columns)
        raise InputError(
            f"no column {lacking[0].title()} (found: {found})",
            where=name,
            remedy="download it again",
        )
    calls = plain.index("calls")
    puts = plain.index("puts") if "puts" in plain else len(plain)
    strike = to_numbers(table.iloc[:, plain.index("strike")].rename("strike"), name)
    shared = {"strike": strike, "expiration": table.iloc[:, 0].astype("str").str.strip()}
    sides = [_side(table, plain, calls, puts, name, "C", shared)]
    if puts < len(plain):
        sides.append(_side(table, plain, puts, len(plain), name, "P", shared))
    contracts = pd.concat(sides)
    return _identified(contracts, name)


def _side(
    table: pd.DataFrame,
    plain: list[str],
    first: int,
    end: int,
    name: str,
    right: str,
    shared: dict[str, Any],
) -> pd.DataFrame:
    symbols = table.iloc[:, first]
    columns: dict[str, Any] = {"contract": symbols.astype("str").str.strip(), "right": right}
    for i in range(first + 1, end):
        if plain[i] in _FIELDS:
            columns[_FIELDS[plain[i]]] = to_numbers(
                table.iloc[:, i].rename(_FIELDS[plain[i]]), name
            )
    side = pd.DataFrame({**shared, **columns}, index=table.index)
    return side[symbols.notna().to_numpy()]


def _identified(contracts: pd.DataFrame, name: str) -> tuple[pd.DataFrame, list[str]]:
    """Return the contracts with root, expiry, right and strike as their symbols say."""
    written, notes = _dates(contracts.pop("expiration")), list[str]()
    if not is_occ(contracts["contract"]).any():
        if written.hasnans:
            raise InputError(
                f"row {contracts.index[int(np.argmax(written.isna()))] + 1} has neither an OCC "
                "symbol nor an expiration date",
                where=name,
                remedy="download the table again",
            )
        notes.append("contract symbols are not in OCC form: SPX and SPXW cannot be told apart")
        return contracts.assign(expiry=written), notes
    fields = parse_occ(contracts["contract"], name=name)
    other = int((written.notna() & (written != fields.expiry)).sum())
    other += int((fields.strike != contracts["strike"].to_numpy()).sum())
    other += int((fields.right != contracts["right"].to_numpy()).sum())
    if other:
        notes.append(
            f"{other} cells of expiration, strike or side differ from the symbol, which counts"
        )
    return contracts.assign(**fields._asdict()), notes


def _dates(values: pd.Series) -> pd.DatetimeIndex:
    """Return dates in the spelling that reads all of them, else NaT; shape (n,)."""
    codes, words = pd.factorize(values)
    for layout in _DATE_LAYOUTS:
        dates = pd.DatetimeIndex(pd.to_datetime(pd.Index(words), format=layout, errors="coerce"))
        if not dates.hasnans:
            break
    sensible = (dates.year >= FIRST_YEAR) & (dates.year <= LAST_YEAR)
    return pd.DatetimeIndex(dates.where(sensible)).as_unit("ns")[codes]


def _preamble(
    lines: list[str], given: Given, notes: list[str], name: str
) -> tuple[float | None, pd.Timestamp | None]:
    """Return the last price and the moment that the lines above the table name."""
    spot, moment, dated = None, None, ""
    for line in (line for line in lines if line.strip(' ,"')):
        words = line.replace('"', "")
        stamped = _stamp(words, given, notes, name) if moment is None else None
        moment = moment or stamped
        found = re.search(r"Last:\s*\$?" + _NUMBER, words)
        if found is None and stamped is None:  # before 2020: the name, the price, the change
            found = re.search(r"," + _NUMBER + r",\s*[+-]?\d", words)
        if spot is None and found is not None:
            spot = float(found[1].replace(",", ""))
        dated = words if stamped is None and has_date(words) else dated
    if moment is None and dated and given.as_of is None:
        raise InputError(
            f"its date line {dated.partition(',Bid')[0][:60]!r} is of a form that is not read",
            where=name,
            remedy="give `as_of`",
        )
    return spot, moment


def _stamp(words: str, given: Given, notes: list[str], name: str) -> pd.Timestamp | None:
    found = date_line(words.partition(",Bid")[0])
    if found is None:
        return None
    zone = _zone(found.zone, words, given, notes, name)
    return pd.Timestamp(found.wall).tz_localize(zone).tz_convert(NEW_YORK)


def _zone(word: str, line: str, given: Given, notes: list[str], name: str) -> ZoneInfo | timezone:
    if not word:
        zone = given.timezone or NEW_YORK
        text = f"the date line names no time zone; {zone} taken"
        notes.append(Note(Severity.ASSUMPTION, "no-zone", text))
        return ZoneInfo(zone)
    known = zone_of(word)
    if known is None and given.timezone is None and given.as_of is None:
        raise InputError(
            f"its date line {line.partition(',Bid')[0][:60]!r} is in zone {word.upper()!r}, which "
            "many share",
            where=name,
            remedy="give `timezone` or `as_of`",
        )
    return known or ZoneInfo(given.timezone or NEW_YORK)
