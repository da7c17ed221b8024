"""Text of a daily series, as an office publishes it: rows by date, or one line of refusal."""

from __future__ import annotations

import io
import re
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError
from hpi_bt.sources.tables import to_numbers
from hpi_bt.sources.widths import cells_of, check_widths

DATE_NAMES = ("date", "observation_date", "trade_date", "fecha")

_PREAMBLE = 5  # lines that may stand before the header
_BLANKS = [".", "-", "ND"]  # besides what pandas knows; FRED and the Fed write these
_TIME = r"[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?"
_ISO = re.compile(rf"\d{{4}}-\d{{2}}-\d{{2}}({_TIME} ?(?P<zone>Z|[+-]\d{{2}}:?\d{{2}})?)?$")
_US = re.compile(r"\d{1,2}/\d{1,2}/\d{4}$")
_MIDNIGHT = re.compile(r"[T ]00:00(?::00(?:\.0+)?)?(?= ?[Z+-])")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?")


class UnknownLayoutError(InputError):
    """A table of something else: not wrong, but no input of the gauge."""


class FutureError(InputError):
    """A date later than today."""


class Rows(NamedTuple):
    """What a text holds.

    `cells` has the text's own column names and the file's line numbers - 1 as its index, all
    cells as they were written (NaN where blank); `dates` belongs to it row by row.
    """

    name: str
    preamble: str
    header: list[str]
    cells: pd.DataFrame
    dates: pd.DatetimeIndex
    iso: bool
    today: date | None = None

    def table(self, columns: dict[str, str], source: str) -> pd.DataFrame:
        """Return some columns as numbers, by our names, oldest first, each date once.

        Parameters
        ----------
        columns : dict of str to str
            Our name: the text's.
        source : str
            Kept in `attrs["source"]`.

        Raises
        ------
        FutureError
            A date lies in the future.
        InputError
            A cell is no number or is infinite, or two rows of one date differ.
        """
        self._check_past()
        frame = pd.DataFrame({n: self._numbers(c) for n, c in columns.items()}, index=self.dates)
        twice = frame.index.duplicated()
        notes = []
        if twice.any():
            lines = self.cells.index.to_numpy()
            frame = _once(frame.assign(line=lines), self.name).drop(columns="line")
            notes.append(f"{self.name}: {int(twice.sum())} repeated row(s) left out")
        frame = frame.sort_index()
        frame.attrs = {"source": source, "notes": notes}
        return frame

    def _numbers(self, column: str) -> FloatArray:
        cells = self.cells[column]
        if (grouped := cells.str.fullmatch(_THOUSANDS.pattern).fillna(False).astype(bool)).any():
            cells = cells.mask(grouped, cells.str.replace(",", ""))
        numbers = to_numbers(cells, self.name)
        if (endless := np.isinf(numbers)).any():
            row = int(np.argmax(endless))
            raise InputError(
                f"{self.name}: line {cells.index[row] + 1}, {column} is {cells.iloc[row]!r}; "
                "wanted a number, mend the file"
            )
        return numbers

    def _check_past(self) -> None:
        if self.today is None or not (late := self.dates > pd.Timestamp(self.today)).any():
            return
        row = int(np.argmax(late))
        raise FutureError(
            f"{self.name}: line {self.cells.index[row] + 1}, date {self.dates[row]:%Y-%m-%d} lies "
            f"in the future (today is {self.today}); mend the file, or this computer's clock"
        )


def rows_of(text: str, name: str, *, today: date | None = None) -> Rows:
    """Return the rows of a comma-separated text with a date in its first column.

    Parameters
    ----------
    text : str
        As read from a file or a server. Lines before the header, blanks after the commas, quotes
        and any order of the rows are allowed; a table without a header keeps an empty one.
    name : str
        For messages.
    today : date, optional
        Later dates are refused, once the layout is known (by `Rows.table`).

    Raises
    ------
    InputError
        Empty, a web page, no table, a broken line, a date that is none.

    Notes
    -----
    A stamp with an offset from UTC is the date that it had in New York then, but for a midnight:
    that is a date which a program has given a zone.
    """
    lines = checked_text(text, name).splitlines()
    at, header = _header(lines, name)
    first = at + 1 if header else at
    width = len(header) or len(cells_of(lines[at]))
    numbers = [i for i in range(first, len(lines)) if lines[i].strip()]
    check_widths(lines[first:], width, width, name, first=first + 1)
    if not numbers:
        raise InputError(f"{name}: a header but no rows; wanted at least one")
    cells = pd.read_csv(
        io.StringIO("\n".join(lines[i] for i in numbers)),
        header=None,
        names=header or [f"column {i + 1}" for i in range(width)],
        dtype="str",
        skipinitialspace=True,
        na_values=_BLANKS,
    ).set_axis(numbers, axis=0)
    dates, iso = _dates(cells.iloc[:, 0], name)
    return Rows(name, "\n".join(lines[:at]), header, cells, dates, iso, today)


def checked_text(text: str, name: str) -> str:
    """Return the text without a byte-order mark, after refusing what cannot be a table."""
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise InputError(f"{name}: empty; wanted a table of dates and values, fetch it again")
    if text.lstrip().startswith("<"):
        title = re.search(r"<title[^>]*>([^<]*)", text, re.IGNORECASE)
        found = f" ({' '.join(title[1].split())[:60]})" if title else ""
        raise InputError(f"{name}: a web page{found}, no data; fetch the file itself")
    if "\0" in text:
        raise InputError(f"{name}: no text; wanted comma-separated values, fetch it again")
    return text


def _header(lines: list[str], name: str) -> tuple[int, list[str]]:
    """Return the line of the header and its names; no names where the rows begin at once."""
    before: list[str] = []
    for at, line in enumerate(lines[: _PREAMBLE + 1]):
        cells = [c.strip().strip('"').strip() for c in cells_of(line)]
        if cells[0].lower() in DATE_NAMES:
            if at > 1 and not any(cells[1:]):
                return at, _stacked_header(lines[at - 2 : at + 1], name)
            if len(set(cells)) < len(cells):
                raise InputError(f"{name}: a column name stands twice ({line.strip()[:80]})")
            return at, cells
        if _US.match(cells[0]) or _ISO.match(cells[0]):
            if before and before[0] and len(before) == len(cells):
                raise UnknownLayoutError(
                    f"{name}: the first column is {before[0][:40]!r}, which is no name of dates; "
                    "name it date"
                )
            return at, []
        before = cells
    shown = " | ".join(line.strip()[:60] for line in lines[:2])
    raise UnknownLayoutError(
        f"{name}: no line begins with a date column (found: {shown}); "
        "the layout is not known, fetch the file again or name another"
    )


def _stacked_header(lines: list[str], name: str) -> list[str]:
    """Return the names of yfinance's three header lines: fields, symbols, and Date alone."""
    fields, symbols, _ = ([c.strip() for c in cells_of(line)] for line in lines)
    if len(set(symbols[1:])) > 1 or len(set(fields)) < len(fields):
        shown = " | ".join(line.strip()[:60] for line in lines)
        raise InputError(
            f"{name}: three header lines of several symbols ({shown}); save one symbol to a file"
        )
    return ["Date", *fields[1:]]


def _dates(cells: pd.Series, name: str) -> tuple[pd.DatetimeIndex, bool]:
    """Return the dates, and whether they are written as ISO 8601."""
    words = cells.fillna("").str.strip()
    iso = bool(re.match(r"\d{4}-", words.iloc[0]))
    dates = _iso_dates(words) if iso else pd.to_datetime(words, format="%m/%d/%Y", errors="coerce")
    if (bad := dates.isna().to_numpy()).any():
        row = int(np.argmax(bad))
        raise InputError(
            f"{name}: line {cells.index[row] + 1}, date {str(cells.iloc[row])[:30]!r}; wanted "
            f"{'2024-12-31' if iso else '12/31/2024'}{' as on the first line' if row else ''}, "
            "mend the file"
        )
    return pd.DatetimeIndex(dates, name="date").as_unit("ns"), iso


def _iso_dates(words: pd.Series) -> pd.Series:
    """Return the dates, in New York where an offset says when that was; NaT for what is none."""
    dates = pd.to_datetime(words.str[:10], format="%Y-%m-%d", errors="coerce")
    if not (longer := (words.str.len() > 10).to_numpy()).any():
        return dates
    form = words.str.extract(_ISO.pattern)
    dates = dates.mask(longer & form[0].isna().to_numpy())
    moment = form["zone"].notna().to_numpy() & ~words.str.contains(_MIDNIGHT).to_numpy()
    if moment.any():
        known = pd.to_datetime(words[moment], format="ISO8601", utc=True, errors="coerce")
        there = known.dt.tz_convert("America/New_York").dt.tz_localize(None).dt.normalize()
        dates = dates.mask(moment, there.reindex(dates.index))
    return dates


def _once(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the rows, each date once, or refuse dates whose values differ."""
    values = frame.drop(columns="line")
    first = values.groupby(level=0).transform("first")
    same = ((values == first) | (values.isna() & first.isna())).all(axis=1)
    if not same.all():
        row = int(np.argmin(same.to_numpy()))
        day = frame.index[row]
        lines = ", ".join(str(int(n) + 1) for n in frame.loc[[day], "line"][:4])
        raise InputError(
            f"{name}: {day:%Y-%m-%d} stands on lines {lines} with different values; "
            "keep one of them"
        )
    return frame[~frame.index.duplicated()]
