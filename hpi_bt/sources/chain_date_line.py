"""The date line above CBOE's quote table, in the language of the browser that saved it."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta, timezone
from typing import NamedTuple
from zoneinfo import ZoneInfo

NEW_YORK = "America/New_York"

#: Names of the months, of which a line may write the first letters.
_MONTHS = tuple(
    names.split()
    for names in (
        "january february march april may june july august september october november december",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "januar februar marz april mai juni juli august september oktober november dezember",
        "janner feber maerz april mai juni juli august september oktober november dezember",
        "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre",
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre"
        " dicembre",
        "janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro",
        "januari februari maart april mei juni juli augustus september oktober november december",
        "januari februari mars april maj juni juli augusti september oktober november december",
        "stycznia lutego marca kwietnia maja czerwca lipca sierpnia wrzesnia pazdziernika"
        " listopada grudnia",
    )
)
_WORD = r"(?P<month>[^\W\d_]{3,12})\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th|er|[.º°])?"
_OF = r",?\s+(?:de\s+|del\s+|of\s+)?"
_DATES = (
    rf"{_WORD}\s+{_DAY},?\s+(?P<year>\d{{4}})",
    rf"{_DAY}{_OF}{_WORD}{_OF}(?P<year>\d{{4}})",
    r"(?P<year>\d{4})\s*[年년]\s*(?P<number>\d{1,2})\s*[月월]\s*(?P<day>\d{1,2})\s*[日일]",
    r"(?P<year>\d{4})-(?P<number>\d\d)-(?P<day>\d\d)",
    r"(?P<day>\d{1,2})\.(?P<number>\d{1,2})\.(?P<year>\d{4})",
)
_TIME = (
    r"(?P<before>午前|午後|上午|下午|오전|오후)?\s*"
    r"(?P<hour>\d{1,2})\s?(?::|h|時|时|点|點|시)\s?(?P<minute>\d\d)[分분]?(?::(?P<second>\d\d))?"
    r"(?:\s*(?P<half>[ap])\.?\s?m\.?(?!\w))?"
    r"(?:\s*\[?(?P<zone>[a-z]{2,4}(?:[+-]\d{1,2}(?::?\d\d)?)?)(?!\w))?"
)
_AFTERNOON = ("p", "午後", "下午", "오후")
# the table is stamped in the zone of the browser that saved it
_ZONES = {
    **dict.fromkeys(("et",), NEW_YORK),
    "ct": "America/Chicago",
    "mt": "America/Denver",
    "pt": "America/Los_Angeles",
}
_OFFSETS = {
    **{"est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7},
    **{"utc": 0, "gmt": 0, "bst": 1, "cet": 1, "cest": 2, "mez": 1, "mesz": 2, "brt": -3},
    **{"hne": -5, "hae": -4, "hnec": 1, "haec": 2, "wez": 0, "wesz": 1, "eet": 2, "oez": 2},
}


class DateLine(NamedTuple):
    """A line's date and time without a zone, and the zone's word as it writes it ("" for none)."""

    wall: datetime
    zone: str


def date_line(line: str) -> DateLine | None:
    """Return the date and time that a line names in any of the languages known, else None."""
    words = plain_words(line)
    for pattern in _DATES:
        found = re.search(pattern, words)
        month = _month(found) if found else None
        clock = re.search(_TIME, words[found.end() :]) if found else None
        if found is None or month is None or clock is None:
            continue
        hour = int(clock["hour"])
        half = clock["half"] or clock["before"]
        if half:
            hour = hour % 12 + (12 if half in _AFTERNOON else 0)
        try:
            wall = datetime(int(found["year"]), month, int(found["day"]), hour)
            wall += timedelta(minutes=int(clock["minute"]), seconds=int(clock["second"] or 0))
        except ValueError:
            return None
        return DateLine(wall, clock["zone"] or "") if int(clock["minute"]) < 60 else None
    return None


def has_date(line: str) -> bool:
    """Return whether a line names a year and a time of day, in whatever language."""
    words = plain_words(line)
    clock = re.search(r"\d{1,2}\s?[:h時点시]\s?\d\d", words)
    return clock is not None and re.search(r"(?<!\d)(19|20)\d\d(?!\d)", words) is not None


def zone_of(word: str) -> ZoneInfo | timezone | None:
    """Return the time zone that a word of a date line means, None where many share it."""
    offset = re.fullmatch(r"(?:gmt|utc)([+-])(\d{1,2})(?::?(\d\d))?", word)
    if offset:
        minutes = int(offset[2]) * 60 + int(offset[3] or 0)
        return timezone(timedelta(minutes=minutes if offset[1] == "+" else -minutes))
    if word in _OFFSETS:
        return timezone(timedelta(hours=_OFFSETS[word]))
    return ZoneInfo(_ZONES[word]) if word in _ZONES else None


def plain_words(line: str) -> str:
    """Return a line in small letters without accents, with plain blanks and minus signs."""
    text = line.replace("\N{MINUS SIGN}", "-").replace("\N{EN DASH}", "-")
    parts = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", " ".join("".join(parts).split())).casefold()


def _month(found: re.Match[str]) -> int | None:
    """Return the month of a date, None where its word is none or begins several."""
    fields = found.groupdict()
    if "number" in fields:
        return int(fields["number"])
    word = fields["month"]
    able = {i for names in _MONTHS for i, name in enumerate(names, 1) if name.startswith(word)}
    return able.pop() if len(able) == 1 else None
