"""The time, and the day that it is where the gauge's inputs are published."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


def utc_time(now: datetime | None = None) -> datetime:
    """Return `now` (with a time zone) in UTC, the clock's time where not given."""
    return (now or datetime.now(UTC)).astimezone(UTC)


def new_york_date(now: datetime | None = None) -> date:
    """Return the date in New York of `now` (with a time zone), the clock's where not given."""
    return utc_time(now).astimezone(ZoneInfo("America/New_York")).date()
